//! How much time is left or over, worded at the moment a message leaves.
//!
//! People promise working time, so that is what a message counts. The message carries the working hours it needs for
//! this, since a channel has no calendar.

use chrono::{DateTime, MappedLocalTime, TimeDelta, TimeZone, Utc};
use serde::{Deserialize, Serialize};

use crate::sla::zone::Tz;

/// The working time until a due time, as seen at one moment. Absent where working time is wall time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkingTime {
    /// The time left at `at`, in seconds; negative once overdue.
    pub left_seconds: i64,
    pub at: DateTime<Utc>,
    /// The working hours after `at`, as far ahead as a message may wait.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub open: Vec<(DateTime<Utc>, DateTime<Utc>)>,
}

impl WorkingTime {
    /// Returns what is left at `now`; negative once overdue.
    pub fn left(&self, now: DateTime<Utc>) -> TimeDelta {
        let passed = |(from, to): &(DateTime<Utc>, DateTime<Utc>)| ((*to).min(now) - *from).max(TimeDelta::zero());
        let passed: TimeDelta = self.open.iter().map(passed).sum();
        TimeDelta::try_seconds(self.left_seconds).unwrap_or_default() - passed
    }
}

/// The words for being overdue by less than a minute.
pub const JUST: &str = "just breached";

/// Words the time between `now` and `due`: `42 min left`, `3 h 10 min of working time left`, `12 min over`, `just
/// breached`.
pub fn span(working: Option<&WorkingTime>, due: DateTime<Utc>, now: DateTime<Utc>) -> String {
    match working {
        Some(working) => worded(working.left(now), " of working time", hours),
        None => left_or_over(due, now),
    }
}

/// Words the same by the wall clock alone.
pub fn left_or_over(due: DateTime<Utc>, now: DateTime<Utc>) -> String {
    worded(due - now, "", words)
}

fn worded(left: TimeDelta, unit: &str, words: fn(TimeDelta) -> String) -> String {
    const MINUTE: TimeDelta = TimeDelta::minutes(1);
    match left {
        left if left >= TimeDelta::zero() => format!("{}{unit} left", words(left)),
        left if left > -MINUTE => JUST.to_owned(),
        left => format!("{}{unit} over", words(-left)),
    }
}

/// Words a length of time, never negative: `under a minute`, `42 min`, `3 h 10 min`, `2 d 4 h`.
pub fn words(length: TimeDelta) -> String {
    let minutes = length.num_minutes();
    match (minutes / 1440, minutes / 60 % 24) {
        (0, _) => hours(length),
        (d, 0) => format!("{d} d"),
        (d, h) => format!("{d} d {h} h"),
    }
}

/// Words it like [`words`], but never in days: nobody knows how long a day of working time is.
pub fn hours(length: TimeDelta) -> String {
    let minutes = length.num_minutes();
    match (minutes / 60, minutes % 60) {
        (0, 0) => "under a minute".to_owned(),
        (0, m) => format!("{m} min"),
        (h, 0) => format!("{h} h"),
        (h, m) => format!("{h} h {m} min"),
    }
}

/// Returns `1 alert`, `12 alerts`.
pub fn counted(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// Returns the name of `zone` behind the local time of `at`: that of its [place](place_name), but `CEST` or `CET` in the
/// hour that comes twice.
pub fn zone_name(zone: Tz, at: DateTime<Utc>) -> String {
    let local = at.with_timezone(&zone);
    match zone.offset_from_local_datetime(&local.naive_local()) {
        MappedLocalTime::Ambiguous(..) => local.format("%Z").to_string(),
        MappedLocalTime::Single(_) | MappedLocalTime::None => place_name(zone, at),
    }
}

/// Returns what people call `zone`: `London`, `New York`, `UTC`. `at` matters only to a zone that is not named after a
/// place.
pub fn place_name(zone: Tz, at: DateTime<Utc>) -> String {
    let name = zone.name();
    match name.rsplit('/').next() {
        _ if name.starts_with("Etc/") => at.with_timezone(&zone).format("%Z").to_string(),
        Some(place) => place.replace('_', " "),
        None => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn time_left_is_said_in_words() {
        let due = at("2026-06-03T12:00:00Z");
        let cases = [
            (-42 * 60, "42 min left"),
            (-190 * 60, "3 h 10 min left"),
            (0, "under a minute left"),
            (59, "just breached"),
            (60, "1 min over"),
            (12 * 60, "12 min over"),
            (3120 * 60, "2 d 4 h over"),
        ];
        for (seconds, words) in cases {
            assert_eq!(left_or_over(due, due + TimeDelta::seconds(seconds)), words);
        }
    }

    #[test]
    fn working_time_stands_still_outside_the_working_hours() {
        // Decided on Friday at 16:00; work goes on until 17:30, and again on Monday from 09:00.
        let working = WorkingTime {
            left_seconds: 2 * 3600,
            at: at("2026-06-05T16:00:00Z"),
            open: vec![
                (at("2026-06-05T16:00:00Z"), at("2026-06-05T17:30:00Z")),
                (at("2026-06-08T09:00:00Z"), at("2026-06-08T17:30:00Z")),
            ],
        };
        let due = at("2026-06-08T09:30:00Z");
        let cases = [
            ("2026-06-05T16:00:00Z", "2 h of working time left"),
            ("2026-06-05T16:20:00Z", "1 h 40 min of working time left"),
            ("2026-06-06T12:00:00Z", "30 min of working time left"),
            ("2026-06-08T09:30:30Z", "just breached"),
            ("2026-06-08T10:00:00Z", "30 min of working time over"),
            ("2026-06-08T23:00:00Z", "8 h of working time over"),
        ];
        for (now, words) in cases {
            assert_eq!(span(Some(&working), due, at(now)), words, "{now}");
        }
        assert_eq!(span(None, due, at("2026-06-08T09:10:00Z")), "20 min left");
    }

    #[test]
    fn many_hours_of_working_time_are_not_called_days() {
        assert_eq!(hours(TimeDelta::minutes(76 * 60 + 5)), "76 h 5 min");
        assert_eq!(words(TimeDelta::minutes(76 * 60 + 5)), "3 d 4 h");
    }

    #[test]
    fn a_zone_goes_by_its_place() {
        let now = at("2026-06-08T10:00:00Z");
        let cases = [
            (Tz::named("Europe/London"), "London"),
            (Tz::named("America/New_York"), "New York"),
            (Tz::named("America/Argentina/Buenos_Aires"), "Buenos Aires"),
            (Tz::UTC, "UTC"),
            (Tz::named("Etc/UTC"), "UTC"),
        ];
        for (zone, name) in cases {
            assert_eq!(zone_name(zone, now), name);
        }
    }

    #[test]
    fn a_time_in_the_hour_that_comes_twice_says_which_it_is() {
        let cases = [
            ("2026-10-24T23:59:00Z", "Berlin"),
            ("2026-10-25T00:03:00Z", "CEST"),
            ("2026-10-25T01:03:00Z", "CET"),
            ("2026-10-25T02:00:00Z", "Berlin"),
        ];
        for (time, name) in cases {
            assert_eq!(zone_name(Tz::named("Europe/Berlin"), at(time)), name, "{time}");
        }
    }
}
