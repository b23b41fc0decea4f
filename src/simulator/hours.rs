//! When a site of the look-alike works, and the little arithmetic its due times need.
//!
//! Kept apart from the product's own calendar on purpose: the look-alike stands for somebody else's program, so it must
//! not share our mistakes.

use chrono::{DateTime, Datelike, Days, NaiveDate, NaiveTime, TimeDelta, TimeZone, Utc};

use crate::sla::zone::Tz;

/// Round the clock, or one window on each working day, local to the site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hours {
    timezone: Tz,
    /// `None` means round the clock.
    window: Option<(NaiveTime, NaiveTime)>,
    /// How much later everything happens than it did; see [`Hours::shifted`].
    shift: TimeDelta,
}

type Window = (DateTime<Utc>, DateTime<Utc>);

impl Hours {
    /// Creates hours round the clock: wall time.
    pub fn always() -> Self {
        Self { timezone: Tz::UTC, window: None, shift: TimeDelta::zero() }
    }

    /// Creates hours from Monday to Friday, from `opens` to `closes` on the same day.
    pub fn weekdays(timezone: Tz, opens: NaiveTime, closes: NaiveTime) -> Self {
        debug_assert!(opens < closes, "an empty day would never end");
        Self { timezone, window: Some((opens, closes)), shift: TimeDelta::zero() }
    }

    /// Returns the same hours for a history that is played `shift` later than it happened: its Mondays stay Mondays.
    pub fn shifted(self, shift: TimeDelta) -> Self {
        Self { shift: self.shift + shift, ..self }
    }

    /// Returns the opening and closing time, unless it never closes.
    pub fn window(&self) -> Option<(NaiveTime, NaiveTime)> {
        self.window
    }

    /// Whether somebody is there at `at`.
    pub fn is_open(&self, at: DateTime<Utc>) -> bool {
        match self.window {
            None => true,
            Some(_) => self.day(self.local_date(at)).is_some_and(|(opens, closes)| opens <= at && at < closes),
        }
    }

    /// Returns the moment at which `working` time has passed since `start`.
    pub fn after(&self, start: DateTime<Utc>, working: TimeDelta) -> DateTime<Utc> {
        if self.window.is_none() {
            return start + working;
        }
        let mut left = working;
        let mut date = self.local_date(start);
        loop {
            if let Some((opens, closes)) = self.day(date) {
                let from = opens.max(start);
                let available = (closes - from).max(TimeDelta::zero());
                if left <= available && from < closes {
                    return from + left;
                }
                left -= available;
            }
            date = date + Days::new(1);
        }
    }

    /// Returns the moment from which `working` time passes until `end`.
    pub fn before(&self, end: DateTime<Utc>, working: TimeDelta) -> DateTime<Utc> {
        if self.window.is_none() {
            return end - working;
        }
        let mut left = working;
        let mut date = self.local_date(end);
        loop {
            if let Some((opens, closes)) = self.day(date) {
                let until = closes.min(end);
                let available = (until - opens).max(TimeDelta::zero());
                if left <= available && opens < until {
                    return until - left;
                }
                left -= available;
            }
            date = date - Days::new(1);
        }
    }

    /// Returns the working time between two moments; zero if they are in the wrong order.
    pub fn between(&self, from: DateTime<Utc>, until: DateTime<Utc>) -> TimeDelta {
        if self.window.is_none() || until <= from {
            return (until - from).max(TimeDelta::zero());
        }
        let last = self.local_date(until);
        self.local_date(from)
            .iter_days()
            .take_while(|date| *date <= last)
            .filter_map(|date| self.day(date))
            .map(|(opens, closes)| (closes.min(until) - opens.max(from)).max(TimeDelta::zero()))
            .sum()
    }

    fn local_date(&self, at: DateTime<Utc>) -> NaiveDate {
        (at - self.shift).with_timezone(&self.timezone).date_naive()
    }

    /// Returns the working window of a local date.
    fn day(&self, date: NaiveDate) -> Option<Window> {
        let (opens, closes) = self.window.filter(|_| date.weekday().num_days_from_monday() < 5)?;
        Some((self.instant(date, opens), self.instant(date, closes)))
    }

    fn instant(&self, date: NaiveDate, time: NaiveTime) -> DateTime<Utc> {
        let local = date.and_time(time);
        // Office hours never fall into the hour that a zone skips, so UTC is as good as any answer.
        let at = self.timezone.from_local_datetime(&local).earliest().map_or_else(|| local.and_utc(), |at| at.to_utc());
        at + self.shift
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        DateTime::parse_from_rfc3339(text).unwrap().to_utc()
    }

    fn office() -> Hours {
        let hour = |hour| NaiveTime::from_hms_opt(hour, 0, 0).unwrap();
        Hours::weekdays(Tz::UTC, hour(8), hour(18))
    }

    #[test]
    fn due_times_agree_with_the_worked_examples() {
        let opened = at("2016-04-22T16:00:00Z");
        let due = office().after(opened, TimeDelta::hours(30));
        assert_eq!(due, at("2016-04-27T16:00:00Z"));
        let pause = office().between(at("2016-04-25T09:00:00Z"), at("2016-04-25T14:00:00Z"));
        assert_eq!(office().after(due, pause), at("2016-04-28T11:00:00Z"));
    }

    #[test]
    fn shifted_hours_give_shifted_due_times() {
        let (opened, shift) = (at("2016-04-22T16:00:00Z"), TimeDelta::minutes(12_345_678));
        let due = office().after(opened, TimeDelta::hours(30));
        assert_eq!(office().shifted(shift).after(opened + shift, TimeDelta::hours(30)), due + shift);
    }

    #[test]
    fn before_undoes_after_and_between_measures_it() {
        let zones = [Tz::named("Europe/London"), Tz::named("America/New_York"), Tz::named("Australia/Lord_Howe")];
        let hour = |hour| NaiveTime::from_hms_opt(hour, 30, 0).unwrap();
        for zone in zones {
            let hours = Hours::weekdays(zone, hour(9), hour(17));
            let start = hours.after(at("2026-03-27T03:00:00Z"), TimeDelta::minutes(17));
            for minutes in [1, 59, 300, 2_400] {
                let working = TimeDelta::minutes(minutes);
                let end = hours.after(start, working);
                assert_eq!(hours.between(start, end), working, "{zone} {minutes}");
                assert_eq!(hours.before(end, working), start, "{zone} {minutes}");
            }
        }
    }

    #[test]
    fn a_closed_night_holds_no_working_time() {
        let (evening, morning) = (at("2026-11-20T18:00:00Z"), at("2026-11-23T08:00:00Z"));
        assert_eq!(office().between(evening, morning), TimeDelta::zero());
        assert!(!office().is_open(evening) && office().is_open(morning));
        assert_eq!(Hours::always().between(evening, morning), TimeDelta::hours(62));
    }
}
