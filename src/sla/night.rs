//! Finds the moment of each night at which heavy work disturbs the fewest people of a desk.
//!
//! It is a fixed time of day in the desk's own zone. If nobody chose that time and the desk is open then, as with a
//! night shift, it is the beginning of the longest time for which the desk is closed that day.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::calendar::{Calendar, StretchKind, resolve};
use crate::sla::zone::Tz;

/// The usual time, in minutes after midnight: three in the morning.
pub const USUAL: u16 = 180;
/// How many days to try, from yesterday on: a night may begin on the day before its own, and a time that the clocks
/// skip moves forward.
const DAYS: usize = 4;

/// The nights of one desk.
#[derive(Clone, Debug)]
pub struct Night {
    /// Minutes after midnight.
    at: u16,
    zone: Tz,
    /// When the desk is open; none if a person chose the time or the hours are not known.
    hours: Option<Arc<Calendar>>,
}

impl Night {
    /// Puts the nights at the `chosen` time, in minutes after midnight, or else at a quiet hour by the desk's own
    /// `hours`; in `zone` if the hours are not known.
    pub fn new(chosen: Option<u16>, hours: Option<&Arc<Calendar>>, zone: Tz) -> Self {
        let zone = hours.map_or(zone, |hours| hours.spec().timezone);
        Self { at: chosen.unwrap_or(USUAL), zone, hours: hours.filter(|_| chosen.is_none()).cloned() }
    }

    /// Returns the first such moment that is not before `from`.
    pub fn next(&self, from: DateTime<Utc>) -> DateTime<Utc> {
        let yesterday = (from - TimeDelta::days(1)).with_timezone(&self.zone).date_naive();
        let nights = yesterday.iter_days().take(DAYS).filter_map(|day| {
            let usual = DateTime::from_timestamp_millis(resolve(self.zone, day, self.at))?;
            Some(self.hours.as_ref().map_or(usual, |hours| quietest(hours, usual)))
        });
        nights.filter(|night| *night >= from).min().unwrap_or(from + TimeDelta::days(1))
    }
}

/// Returns `usual` or, if `hours` are open then, the beginning of the longest closed time within twelve hours of it.
fn quietest(hours: &Calendar, usual: DateTime<Utc>) -> DateTime<Utc> {
    let half = TimeDelta::hours(12);
    if !hours.is_open(usual) {
        return usual;
    }
    let mut closed: Vec<(DateTime<Utc>, DateTime<Utc>)> = Vec::new();
    for stretch in hours.stretches(usual - half, usual + half).filter(|stretch| stretch.kind != StretchKind::Open) {
        match closed.last_mut() {
            Some((_, to)) if *to == stretch.from => *to = stretch.to,
            _ => closed.push((stretch.from, stretch.to)),
        }
    }
    let longest = closed.into_iter().min_by_key(|(from, to)| (*from - *to, *from));
    longest.map_or(usual, |(from, _)| from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sla::calendar::CalendarSpec;

    fn hours(timezone: Tz, day: &[(u16, u16)]) -> Arc<Calendar> {
        let week = std::array::from_fn(|_| day.to_vec());
        let spec =
            CalendarSpec { name: "desk".into(), always: false, timezone, week, ..CalendarSpec::round_the_clock() };
        Arc::new(Calendar::compile(spec).unwrap())
    }

    fn next(night: &Night, from: &str) -> String {
        night.next(from.parse().unwrap()).format("%a %H:%M").to_string()
    }

    #[test]
    fn the_night_is_at_three_by_the_zone_of_the_desk() {
        let office = |zone| hours(zone, &[(540, 1050)]);
        let cases = [
            ("without hours: by the zone that is given", None, "2027-01-15T09:00:00Z", "Sat 03:00"),
            ("at the very moment", None, "2027-01-15T03:00:00Z", "Fri 03:00"),
            ("a moment later", None, "2027-01-15T03:00:01Z", "Sat 03:00"),
            ("in New York", Some(office(Tz::named("America/New_York"))), "2027-01-15T09:00:00Z", "Sat 08:00"),
            ("clocks are put forward", Some(office(Tz::named("Europe/Berlin"))), "2027-03-27T12:00:00Z", "Sun 01:00"),
        ];
        for (name, hours, from, expected) in cases {
            assert_eq!(next(&Night::new(None, hours.as_ref(), Tz::UTC), from), expected, "{name}");
        }
    }

    #[test]
    fn a_desk_that_is_open_at_three_has_its_night_when_it_is_closed_for_longest() {
        let cases = [
            ("a night shift", vec![(1080, 1440), (0, 360)], "Fri 06:00"),
            ("closed twice a day", vec![(0, 480), (540, 960), (1080, 1440)], "Fri 16:00"),
            ("never closed", vec![(0, 1440)], "Sat 03:00"),
        ];
        for (name, day, expected) in cases {
            let night = Night::new(None, Some(&hours(Tz::UTC, &day)), Tz::UTC);
            assert_eq!(next(&night, "2027-01-15T03:30:00Z"), expected, "{name}");
        }
    }

    #[test]
    fn a_time_that_was_chosen_holds_whatever_the_hours() {
        let shift = hours(Tz::named("Europe/Berlin"), &[(1080, 1440), (0, 360)]);
        let night = Night::new(Some(4 * 60 + 30), Some(&shift), Tz::UTC);
        assert_eq!(next(&night, "2027-01-15T09:00:00Z"), "Sat 03:30");
    }
}
