//! Days, months, quarters and years of a time zone, as intervals.
//!
//! A day belongs to a zone: where the clocks change it has 23 or 25 hours.

use chrono::{DateTime, Datelike, Months, NaiveDate};
use serde::{Deserialize, Serialize};

use super::Millis;
use super::intervals::Interval;
use crate::sla::calendar::resolve;
use crate::sla::zone::Tz;

/// The kind of period for which a promise is settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Period {
    Month,
    Quarter,
    Year,
}

impl Period {
    pub const ALL: [Self; 3] = [Self::Month, Self::Quarter, Self::Year];

    /// The word for it in the configuration and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Month => "month",
            Self::Quarter => "quarter",
            Self::Year => "year",
        }
    }

    /// Reads what [`Period::as_str`] gave.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == text)
    }

    fn months(self) -> u32 {
        match self {
            Self::Month => 1,
            Self::Quarter => 3,
            Self::Year => 12,
        }
    }

    /// Returns the period that contains `at`.
    pub fn around(self, zone: Tz, at: Millis) -> Interval {
        let first = self.first_day(date_of(zone, at));
        (midnight(zone, first), midnight(zone, self.after(first)))
    }

    /// Returns the period before the one that contains `at`.
    pub fn before(self, zone: Tz, at: Millis) -> Interval {
        let (from, _) = self.around(zone, at);
        self.around(zone, from - 1)
    }

    /// Returns the usual name of the period that begins at `from`: `2026-11`, `2026-Q4`, `2026`.
    pub fn name(self, zone: Tz, from: Millis) -> String {
        let date = date_of(zone, from);
        match self {
            Self::Month => date.format("%Y-%m").to_string(),
            Self::Quarter => format!("{}-Q{}", date.year(), date.month0() / 3 + 1),
            Self::Year => date.year().to_string(),
        }
    }

    fn first_day(self, date: NaiveDate) -> NaiveDate {
        let month0 = date.month0() / self.months() * self.months();
        NaiveDate::from_ymd_opt(date.year(), month0 + 1, 1).unwrap_or(date)
    }

    fn after(self, first: NaiveDate) -> NaiveDate {
        first.checked_add_months(Months::new(self.months())).unwrap_or(first)
    }
}

/// Whether `text` has the form of the names that [`Period::name`] gives.
pub fn is_name(text: &str) -> bool {
    let (year, part) = text.split_once('-').map_or((text, None), |(year, part)| (year, Some(part)));
    let is_number = |text: &str, digits: usize| text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_month = |part: &str| is_number(part, 2) && ("01"..="12").contains(&part);
    let is_part = |part: &str| matches!(part, "Q1" | "Q2" | "Q3" | "Q4") || is_month(part);
    is_number(year, 4) && part.is_none_or(is_part)
}

/// Returns the local date of `at`.
pub fn date_of(zone: Tz, at: Millis) -> NaiveDate {
    DateTime::from_timestamp_millis(at).unwrap_or_default().with_timezone(&zone).date_naive()
}

/// Returns when the local day `date` begins.
pub fn midnight(zone: Tz, date: NaiveDate) -> Millis {
    resolve(zone, date, 0)
}

/// Returns the local day `date`.
pub fn day(zone: Tz, date: NaiveDate) -> Interval {
    (midnight(zone, date), midnight(zone, date.succ_opt().unwrap_or(date)))
}

/// Returns the local days from `first` to `last`, both included.
pub fn days(zone: Tz, first: NaiveDate, last: NaiveDate) -> impl Iterator<Item = (NaiveDate, Interval)> {
    first.iter_days().take_while(move |date| *date <= last).map(move |date| (date, day(zone, date)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::uptime::{DAY, MINUTE};

    fn at(text: &str) -> Millis {
        DateTime::parse_from_rfc3339(text).unwrap().timestamp_millis()
    }

    #[test]
    fn a_day_has_the_minutes_that_its_zone_gives_it() {
        let minutes = |date: &str| {
            let (from, until) = day(Tz::named("Europe/Berlin"), date.parse().unwrap());
            (until - from) / MINUTE
        };
        assert_eq!([minutes("2026-03-29"), minutes("2026-03-30"), minutes("2026-10-25")], [1380, 1440, 1500]);
    }

    #[test]
    fn a_period_is_the_one_that_people_of_the_zone_are_in() {
        let auckland = Tz::named("Pacific/Auckland");
        // There it is December already.
        let now = at("2026-11-30T12:00:00Z");
        assert_eq!(Period::Month.around(auckland, now).0, at("2026-11-30T11:00:00Z"));
        assert_eq!(Period::Month.around(Tz::UTC, now), (at("2026-11-01T00:00:00Z"), at("2026-12-01T00:00:00Z")));
        let names = Period::ALL.map(|period| period.name(Tz::UTC, period.around(Tz::UTC, now).0));
        assert_eq!(names, ["2026-11", "2026-Q4", "2026"]);
        assert_eq!(Period::Month.before(Tz::UTC, now).1, at("2026-11-01T00:00:00Z"));
        let (from, until) = Period::Year.around(Tz::UTC, now);
        assert_eq!((until - from) / DAY, 365);
    }

    #[test]
    fn the_name_of_a_period_is_known_as_one_and_other_words_are_not() {
        let (utc, now) = (Tz::UTC, at("2026-11-30T12:00:00Z"));
        for name in Period::ALL.map(|period| period.name(utc, period.around(utc, now).0)) {
            assert!(is_name(&name), "{name}");
        }
        for text in ["nosuch", "", "2026-", "2026-13", "2026-1", "2026-+1", "2026-Q5", "26", "2026-11-30", "-11"] {
            assert!(!is_name(text), "{text}");
        }
    }
}
