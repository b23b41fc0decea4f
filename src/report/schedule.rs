//! When a scheduled report is due, and on which period.
//!
//! Periods are whole weeks, months, quarters or years of local days. A report is due some days after the last day of
//! its period, at a local time: by then a month's figures can be final. Only the latest period that is due is ever
//! sent: after a long absence nobody gets a heap of old reports.

use chrono::{DateTime, Datelike, Days, Months, NaiveDate, Utc};

use super::Period;
use crate::sla::calendar::resolve;
use crate::sla::zone::Tz;

/// The length of the periods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Every {
    /// From Monday to Sunday.
    Week,
    Month,
    Quarter,
    Year,
}

impl Every {
    pub const ALL: [Self; 4] = [Self::Week, Self::Month, Self::Quarter, Self::Year];

    /// The name used in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Week => "week",
            Self::Month => "month",
            Self::Quarter => "quarter",
            Self::Year => "year",
        }
    }

    /// The one of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|every| every.as_str() == name)
    }

    /// The first day of the period that contains `day`.
    fn begin(self, day: NaiveDate) -> NaiveDate {
        let month = match self {
            Self::Week => return day - Days::new(u64::from(day.weekday().num_days_from_monday())),
            Self::Month => day.month(),
            Self::Quarter => day.month0() / 3 * 3 + 1,
            Self::Year => 1,
        };
        NaiveDate::from_ymd_opt(day.year(), month, 1).unwrap_or(day)
    }

    /// The period before the one that begins on `begin`.
    fn before(self, begin: NaiveDate) -> Option<Period> {
        let to = begin.pred_opt()?;
        Some(Period { from: self.begin(to), to })
    }

    fn months(self) -> u32 {
        match self {
            Self::Week => 0,
            Self::Month => 1,
            Self::Quarter => 3,
            Self::Year => 12,
        }
    }
}

/// When a report is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rhythm {
    pub every: Every,
    /// Whole days to wait after the last day of the period.
    pub days_after: u16,
    /// Minutes after local midnight.
    pub at: u16,
}

impl Rhythm {
    /// Returns the latest period on which a report is due at `now`, in days of `zone`.
    pub fn due(&self, zone: Tz, now: DateTime<Utc>) -> Option<Period> {
        let mut begin = self.every.begin(now.with_timezone(&zone).date_naive());
        // The wait is shorter than three of the shortest periods.
        for _ in 0..6 {
            let period = self.every.before(begin)?;
            if self.moment(period, zone)? <= now {
                return Some(period);
            }
            begin = period.from;
        }
        None
    }

    /// Returns the latest period that is over at `now`, whether or not its report is due yet.
    pub fn over(&self, zone: Tz, now: DateTime<Utc>) -> Option<Period> {
        self.every.before(self.every.begin(now.with_timezone(&zone).date_naive()))
    }

    /// Returns when the report on the next period is due.
    pub fn next(&self, zone: Tz, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let from = match self.due(zone, now) {
            Some(last) => last.to.succ_opt()?,
            None => self.every.begin(now.with_timezone(&zone).date_naive()),
        };
        let after = match self.every {
            Every::Week => from.checked_add_days(Days::new(7))?,
            longer => from.checked_add_months(Months::new(longer.months()))?,
        };
        self.moment(Period { from, to: after.pred_opt()? }, zone)
    }

    fn moment(&self, period: Period, zone: Tz) -> Option<DateTime<Utc>> {
        let day = period.to.checked_add_days(Days::new(1 + u64::from(self.days_after)))?;
        DateTime::from_timestamp_millis(resolve(zone, day, self.at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn rhythm(every: Every, days_after: u16) -> Rhythm {
        Rhythm { every, days_after, at: 7 * 60 }
    }

    #[test]
    fn a_report_is_due_on_the_last_whole_period_once_its_days_have_passed() {
        let cases = [
            ("a month, a minute early", Every::Month, 7, "2026-11-08T06:59:00Z", "2026-09-01", "2026-09-30"),
            ("a month, on the minute", Every::Month, 7, "2026-11-08T07:00:00Z", "2026-10-01", "2026-10-31"),
            ("a week ends on Sunday", Every::Week, 0, "2026-11-23T07:00:00Z", "2026-11-16", "2026-11-22"),
            ("a week, a minute early", Every::Week, 0, "2026-11-23T06:59:00Z", "2026-11-09", "2026-11-15"),
            ("a week that waits for three", Every::Week, 21, "2026-11-23T07:00:00Z", "2026-10-26", "2026-11-01"),
            ("a quarter", Every::Quarter, 7, "2026-11-23T07:00:00Z", "2026-07-01", "2026-09-30"),
            ("a year", Every::Year, 31, "2026-02-01T07:00:00Z", "2025-01-01", "2025-12-31"),
            ("a year that waits", Every::Year, 31, "2026-01-31T07:00:00Z", "2024-01-01", "2024-12-31"),
        ];
        for (name, every, days_after, now, from, to) in cases {
            let due = rhythm(every, days_after).due(Tz::UTC, at(now)).unwrap();
            assert_eq!((due.from.to_string(), due.to.to_string()), (from.to_owned(), to.to_owned()), "{name}");
        }
    }

    #[test]
    fn a_period_is_over_before_its_report_is_due() {
        let monthly = rhythm(Every::Month, 7);
        let now = at("2026-11-03T12:00:00Z");
        assert_eq!(monthly.over(Tz::UTC, now).unwrap().to.to_string(), "2026-10-31");
        assert_eq!(monthly.due(Tz::UTC, now).unwrap().to.to_string(), "2026-09-30");
        let weekly = rhythm(Every::Week, 6);
        assert_eq!(weekly.over(Tz::UTC, at("2026-10-17T12:00:00Z")).unwrap().to.to_string(), "2026-10-11");
    }

    #[test]
    fn the_day_is_the_tenants() {
        let sydney = Tz::named("Australia/Sydney");
        let due = |now| rhythm(Every::Month, 0).due(sydney, at(now)).unwrap().to.to_string();
        // 07:00 on 1 November in Sydney, where it is summer.
        assert_eq!(due("2026-10-31T19:59:59Z"), "2026-09-30");
        assert_eq!(due("2026-10-31T20:00:00Z"), "2026-10-31");
    }

    #[test]
    fn a_time_that_clocks_leap_over_comes_when_they_have_leapt() {
        let rhythm = Rhythm { every: Every::Week, days_after: 6, at: 2 * 60 + 30 };
        // 29 March 2026 has no 02:30 in Berlin.
        let next = rhythm.next(Tz::named("Europe/Berlin"), at("2026-03-28T12:00:00Z")).unwrap();
        assert_eq!(next, at("2026-03-29T01:30:00Z"));
    }

    #[test]
    fn the_next_moment_makes_the_next_period_due_and_no_moment_before_it_does() {
        for every in Every::ALL {
            for days_after in [0, 7, 31] {
                let rhythm = rhythm(every, days_after);
                let mut now = at("2026-01-15T12:00:00Z");
                for _ in 0..5 {
                    let before = rhythm.due(Tz::named("Europe/London"), now).unwrap();
                    let next = rhythm.next(Tz::named("Europe/London"), now).unwrap();
                    assert_eq!(
                        rhythm.due(Tz::named("Europe/London"), next - chrono::TimeDelta::milliseconds(1)),
                        Some(before)
                    );
                    assert_eq!(
                        rhythm.due(Tz::named("Europe/London"), next).unwrap().from,
                        before.to.succ_opt().unwrap()
                    );
                    now = next;
                }
            }
        }
    }
}
