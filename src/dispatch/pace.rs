//! How many messages a channel may be given in a minute, spread evenly.

use chrono::{DateTime, TimeDelta, Utc};

/// Spaces the attempts of one channel. At most a second's worth goes out at once.
#[derive(Clone, Debug)]
pub struct Pace {
    interval: TimeDelta,
    burst: i64,
    /// When the next attempt may begin.
    next_at: DateTime<Utc>,
}

impl Pace {
    pub fn new(per_minute: u32) -> Self {
        let per_minute = i64::from(per_minute.max(1));
        Self {
            interval: TimeDelta::microseconds(60_000_000 / per_minute),
            burst: (per_minute / 60).max(1),
            next_at: DateTime::<Utc>::MIN_UTC,
        }
    }

    /// Returns how many of `wanted` attempts may begin.
    pub fn room(&self, wanted: usize, now: DateTime<Utc>) -> usize {
        if now < self.next_at {
            return 0;
        }
        let waited = (now - self.next_at).num_microseconds().unwrap_or(i64::MAX);
        let slots = waited / self.interval.num_microseconds().unwrap_or(1).max(1);
        wanted.min(usize::try_from(slots.saturating_add(1).min(self.burst)).unwrap_or(1))
    }

    /// Notes that `count` attempts have begun.
    pub fn took(&mut self, count: usize, now: DateTime<Utc>) {
        let count = i32::try_from(count).unwrap_or(i32::MAX);
        // Unused room is lost, except for one burst.
        let burst = i32::try_from(self.burst - 1).unwrap_or(i32::MAX);
        let from = self.next_at.max(now - self.interval * burst);
        self.next_at = from + self.interval * count;
    }

    /// Returns when the next attempt may begin.
    pub fn next_at(&self) -> DateTime<Utc> {
        self.next_at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::milliseconds(millis)
    }

    /// Returns how many messages of a long queue go out within ten seconds.
    fn sent_in_ten_seconds(per_minute: u32) -> usize {
        let mut pace = Pace::new(per_minute);
        let mut sent = 0;
        for tick in 0..1000 {
            let room = pace.room(16, at(tick * 10));
            pace.took(room, at(tick * 10));
            sent += room;
        }
        sent
    }

    #[test]
    fn a_minute_holds_no_more_than_it_may() {
        for (per_minute, sent) in [(6, 1), (60, 10), (120, 21), (6000, 1099)] {
            let got = sent_in_ten_seconds(per_minute);
            assert!(got <= sent && got + 2 >= sent.min(per_minute as usize / 6), "{per_minute}: {got}");
        }
    }

    #[test]
    fn the_first_goes_at_once_and_the_next_when_its_time_comes() {
        let mut pace = Pace::new(60);
        assert_eq!(pace.room(5, at(0)), 1);
        pace.took(1, at(0));
        assert_eq!((pace.room(5, at(999)), pace.room(5, at(1000)), pace.next_at()), (0, 1, at(1000)));
    }
}
