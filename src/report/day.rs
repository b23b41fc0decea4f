//! What was decided on each local day, and how long something was overdue.

use chrono::{DateTime, Datelike, Days, NaiveDate, TimeDelta, Utc};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::Period;
use super::entry::{Entry, Outcome, by_day};
use super::rate::{Goal, Rate};
use crate::sla::calendar::midnight;
use crate::sla::zone::Tz;

/// The years that can be asked about. A date further off is a slip, and arithmetic on it may leave the calendar.
const YEARS: std::ops::RangeInclusive<i32> = 1970..=2999;

/// Reads a date like 2026-01-31.
///
/// # Errors
///
/// Says what it must be, if `text` is something else.
pub fn date(text: &str) -> Result<NaiveDate, String> {
    let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().filter(|date| YEARS.contains(&date.year()));
    date.ok_or_else(|| format!("must be a date like 2026-01-31, in a year from {} to {}", YEARS.start(), YEARS.end()))
}

/// Reads a [`date`] that a question may leave out.
///
/// # Errors
///
/// As [`date`].
pub fn asked<'de, D: Deserializer<'de>>(question: D) -> Result<Option<NaiveDate>, D::Error> {
    let text = Option::<String>::deserialize(question)?;
    text.map(|text| date(&text).map_err(|why| D::Error::custom(format!("`{text}` {why}")))).transpose()
}

/// Stretches of time.
pub type Stretches = Vec<(DateTime<Utc>, DateTime<Utc>)>;

/// One local day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Day {
    pub date: NaiveDate,
    /// The rate of the headline clocks decided on it.
    pub rate: Rate,
    /// The rate of the seven days that end with it.
    pub week: Rate,
    /// How long at least one clock was overdue.
    pub downtime: TimeDelta,
    /// The rest of the day. Maintenance of everything is neither.
    pub uptime: TimeDelta,
}

impl Day {
    pub fn breaches(&self) -> u64 {
        self.rate.of - self.rate.met
    }

    pub fn reaches(&self, goal: Goal) -> bool {
        self.rate.reaches(goal)
    }
}

/// Returns the days of `period`. `entries` may reach further; with those of the six days before, the seven-day line is
/// complete. The time of `maintenance` is neither up nor down.
pub fn days<'a>(
    entries: impl Iterator<Item = &'a Entry> + Clone,
    period: Period,
    zone: Tz,
    maintenance: &Stretches,
    with_maintenance: bool,
) -> Vec<Day> {
    let first = period.from - TimeDelta::days(6);
    let place = |day: NaiveDate| usize::try_from((day - first).num_days()).ok();
    let count = usize::try_from((period.to - first).num_days() + 1).unwrap_or_default();
    let mut rates = vec![Rate::default(); count];
    let mut overdue: Vec<Stretches> = vec![Vec::new(); count];
    for entry in entries.clone() {
        if entry.is_headline()
            && entry.counts(with_maintenance)
            && let Some(rate) = place(entry.day).and_then(|place| rates.get_mut(place))
        {
            rate.add(entry.outcome == Outcome::Met);
        }
    }
    for entry in entries.filter(|entry| entry.counts(with_maintenance)) {
        for stretch in &entry.overdue {
            for (day, from, to) in by_day(*stretch, zone) {
                if let Some(day) = place(day).and_then(|place| overdue.get_mut(place)) {
                    day.push((from, to));
                }
            }
        }
    }
    let closed = union(maintenance.clone());
    let day = |date: NaiveDate| {
        let at = place(date)?;
        let whole = bounds(date, zone)?;
        let mut week = Rate::default();
        rates[at - 6..=at].iter().for_each(|rate| week.join(*rate));
        let (downtime, uptime) = split(whole, overdue[at].clone(), &closed);
        Some(Day { date, rate: rates[at], week, downtime, uptime })
    };
    period.days().filter_map(day).collect()
}

/// Returns when the local date begins and ends.
pub fn bounds(date: NaiveDate, zone: Tz) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
    Some((midnight(zone, date)?, midnight(zone, date.checked_add_days(Days::new(1))?)?))
}

/// Splits a day, as far as it has `passed`, into how long something was overdue and the rest. What was `closed`, which must
/// be as [`union`] leaves it, is neither, whether or not something was overdue then.
pub fn split(passed: (DateTime<Utc>, DateTime<Utc>), overdue: Stretches, closed: &Stretches) -> (TimeDelta, TimeDelta) {
    let downtime = length(&without(union(overdue), closed));
    (downtime, (length(&without(vec![passed], closed)) - downtime).max(TimeDelta::zero()))
}

/// Sorts the stretches, and joins those that overlap.
pub fn union(mut stretches: Stretches) -> Stretches {
    stretches.retain(|(from, to)| from < to);
    stretches.sort_unstable();
    let mut joined: Stretches = Vec::with_capacity(stretches.len());
    for (from, to) in stretches {
        match joined.last_mut() {
            Some(last) if from <= last.1 => last.1 = last.1.max(to),
            _ => joined.push((from, to)),
        }
    }
    joined
}

/// Returns the parts of `stretches` outside `holes`; both must be as [`union`] leaves them.
pub fn without(stretches: Stretches, holes: &Stretches) -> Stretches {
    let mut left = Vec::with_capacity(stretches.len());
    for (mut from, to) in stretches {
        for (hole, end) in holes {
            if to <= *hole || *end <= from {
                continue;
            }
            if from < *hole {
                left.push((from, *hole));
            }
            from = from.max(*end);
        }
        if from < to {
            left.push((from, to));
        }
    }
    left
}

/// Returns their total length.
pub fn length(stretches: &Stretches) -> TimeDelta {
    stretches.iter().map(|(from, to)| *to - *from).sum()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(minute: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + minute * 60, 0).unwrap()
    }

    fn stretches(of: &[(i64, i64)]) -> Stretches {
        of.iter().map(|(from, length)| (at(*from), at(from + length))).collect()
    }

    #[test]
    fn a_date_that_nobody_means_is_refused_before_anything_is_reckoned_from_it() {
        assert_eq!(date("2026-02-28").unwrap(), NaiveDate::from_ymd_opt(2026, 2, 28).unwrap());
        for text in ["-262143-01-01", "+262142-12-31", "1969-12-31", "3000-01-01", "2026-02-30", "soon", ""] {
            assert!(date(text).is_err_and(|why| why.starts_with("must be a date like 2026-01-31")), "{text}");
        }
    }

    #[test]
    fn what_was_overdue_in_maintenance_is_neither_up_nor_down() {
        let minutes = |of: &[(i64, i64)], closed: &[(i64, i64)]| {
            let (down, up) = split((at(0), at(100)), stretches(of), &stretches(closed));
            (down.num_minutes(), up.num_minutes())
        };
        assert_eq!(minutes(&[(50, 50)], &[]), (50, 50));
        assert_eq!(minutes(&[(50, 50)], &[(60, 10)]), (40, 50));
        assert_eq!(minutes(&[(50, 50), (55, 10)], &[(40, 20)]), (40, 40));
    }

    proptest! {
        #[test]
        fn unions_and_rests_are_those_of_single_minutes(
            a in prop::collection::vec((0i64..200, 0i64..40), 0..12),
            b in prop::collection::vec((0i64..200, 0i64..40), 0..12),
        ) {
            let has = |of: &[(i64, i64)], minute: i64| of.iter().any(|(from, length)| (*from..from + length).contains(&minute));
            let rest = without(union(stretches(&a)), &union(stretches(&b)));
            let expected = (0..300).filter(|minute| has(&a, *minute) && !has(&b, *minute)).count();
            prop_assert_eq!(length(&rest).num_minutes(), expected as i64);
            prop_assert_eq!(union(rest.clone()).len(), rest.len());
        }
    }
}
