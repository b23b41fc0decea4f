//! The breaker that opens when a channel takes nothing at all.
//!
//! Consecutive failures that are the channel's own (no connection, no answer, 5xx) open it; failures caused by one
//! recipient's address never do. While it is open, one real message at a time is tried, after pauses that grow with the
//! outage, so that a recovery is noticed within a quarter of its length. Nothing here reads the time: `now` is passed
//! in.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

/// How many failures in a row open the breaker: that many are no accident.
pub const OPENS_AFTER: u32 = 5;
/// The pause between two probes.
const SHORTEST_PAUSE: TimeDelta = TimeDelta::seconds(1);
const LONGEST_PAUSE: TimeDelta = TimeDelta::seconds(30);

/// What an attempt has shown about its channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Somebody answered, if only to refuse.
    Answer,
    /// Nobody did, or they were not able to work.
    Outage { retry_after: Option<Duration> },
}

/// A change that a person may want to know about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    Opened,
    /// Closed after the channel was out of order for this long.
    Closed {
        after: TimeDelta,
    },
}

/// The breaker of one channel. Initially closed.
#[derive(Clone, Debug, Default)]
pub struct Breaker {
    failures: u32,
    /// The time of the first of the consecutive failures.
    failing_since: Option<DateTime<Utc>>,
    open: Option<Open>,
}

#[derive(Clone, Copy, Debug)]
struct Open {
    probe_at: DateTime<Utc>,
    /// Whether a probe is under way.
    probing: bool,
}

impl Breaker {
    pub fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Returns how long the channel has been out of order, if the breaker is open.
    pub fn out_for(&self, now: DateTime<Utc>) -> Option<TimeDelta> {
        self.open.and(self.failing_since).map(|since| now - since)
    }

    /// Returns how many of `wanted` attempts may begin.
    pub fn room(&self, wanted: usize, now: DateTime<Utc>) -> usize {
        match self.open {
            None => wanted,
            Some(open) if open.probing || now < open.probe_at => 0,
            Some(_) => wanted.min(1),
        }
    }

    /// Returns when the next probe may begin; none while one is under way, or while none is needed.
    pub fn next_probe(&self) -> Option<DateTime<Utc>> {
        self.open.filter(|open| !open.probing).map(|open| open.probe_at)
    }

    /// Notes that an attempt begins. Returns true if it is a probe.
    pub fn begin(&mut self) -> bool {
        self.open.as_mut().is_some_and(|open| !std::mem::replace(&mut open.probing, true))
    }

    /// Notes that a probe has ended without a result.
    pub fn lost(&mut self) {
        if let Some(open) = &mut self.open {
            open.probing = false;
        }
    }

    /// Notes how an attempt has ended.
    pub fn heard(&mut self, heard: Heard, is_probe: bool, now: DateTime<Utc>) -> Option<Change> {
        match heard {
            Heard::Answer => self.answered(now),
            Heard::Outage { retry_after } => self.failed(retry_after, is_probe, now),
        }
    }

    fn answered(&mut self, now: DateTime<Utc>) -> Option<Change> {
        let after = self.out_for(now);
        *self = Self::default();
        after.map(|after| Change::Closed { after })
    }

    fn failed(&mut self, retry_after: Option<Duration>, is_probe: bool, now: DateTime<Utc>) -> Option<Change> {
        self.failures = self.failures.saturating_add(1);
        let out_for = now - *self.failing_since.get_or_insert(now);
        let asked = retry_after.and_then(|wait| TimeDelta::from_std(wait).ok()).unwrap_or_default();
        let probe_at = now + (out_for / 4).clamp(SHORTEST_PAUSE, LONGEST_PAUSE).max(asked);
        match &mut self.open {
            Some(open) => {
                open.probing &= !is_probe;
                open.probe_at = open.probe_at.max(probe_at);
                None
            }
            None if self.failures >= OPENS_AFTER => {
                self.open = Some(Open { probe_at, probing: false });
                Some(Change::Opened)
            }
            None => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTAGE: Heard = Heard::Outage { retry_after: None };

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
    }

    fn open() -> Breaker {
        let mut breaker = Breaker::default();
        for _ in 0..OPENS_AFTER {
            breaker.heard(OUTAGE, false, at(0));
        }
        breaker
    }

    #[test]
    fn it_opens_on_failures_in_a_row_and_on_nothing_else() {
        let cases = [
            ("four failures", "oooo", false),
            ("five failures", "ooooo", true),
            ("an answer between", "ooooaoooo", false),
            ("refusals only", "aaaaaaaaaa", false),
            ("an answer before", "aooooo", true),
            ("an answer after", "oooooa", false),
        ];
        for (what, heard, is_open) in cases {
            let mut breaker = Breaker::default();
            for one in heard.chars() {
                breaker.heard(if one == 'o' { OUTAGE } else { Heard::Answer }, false, at(0));
            }
            assert_eq!(breaker.is_open(), is_open, "{what}");
        }
    }

    #[test]
    fn the_opening_and_the_closing_are_told_once() {
        let mut breaker = Breaker::default();
        let told: Vec<_> = (0..7).filter_map(|second| breaker.heard(OUTAGE, false, at(second))).collect();
        assert_eq!(told, [Change::Opened]);
        let closed = Change::Closed { after: TimeDelta::seconds(30) };
        assert_eq!(breaker.heard(Heard::Answer, true, at(30)), Some(closed));
        assert_eq!(breaker.heard(Heard::Answer, false, at(31)), None);
    }

    #[test]
    fn an_open_breaker_lets_one_probe_through_at_a_time() {
        let mut breaker = open();
        assert_eq!((breaker.room(16, at(0)), breaker.next_probe()), (0, Some(at(1))));
        assert_eq!(breaker.room(16, at(1)), 1);
        assert!(breaker.begin());
        assert_eq!((breaker.room(16, at(99)), breaker.next_probe()), (0, None));
        breaker.heard(OUTAGE, false, at(2));
        assert_eq!(breaker.room(16, at(99)), 0, "a straggler from before is not the probe");
        breaker.heard(OUTAGE, true, at(3));
        assert_eq!((breaker.room(16, at(3)), breaker.room(16, at(4))), (0, 1));
    }

    #[test]
    fn a_closed_breaker_holds_nothing_up() {
        let mut breaker = open();
        breaker.heard(Heard::Answer, true, at(1));
        assert_eq!((breaker.room(16, at(1)), breaker.begin(), breaker.out_for(at(1))), (16, false, None));
    }

    #[test]
    fn a_recovery_is_noticed_within_a_quarter_of_the_outage() {
        let mut breaker = open();
        let mut probes = vec![];
        while let Some(probe) = breaker.next_probe().filter(|probe| *probe < at(600)) {
            assert!(breaker.begin());
            breaker.heard(OUTAGE, true, probe);
            probes.push(probe - at(0));
        }
        for pair in probes.windows(2) {
            let pause = pair[1] - pair[0];
            assert!(pause <= (pair[0] / 4).max(SHORTEST_PAUSE) && pause <= LONGEST_PAUSE, "{pause} at {}", pair[0]);
        }
        assert!(probes.len() < 45, "{} probes in ten minutes", probes.len());
    }

    #[test]
    fn a_provider_that_asks_for_time_gets_it() {
        let mut breaker = open();
        assert!(breaker.begin() || breaker.room(1, at(1)) == 1);
        breaker.heard(Heard::Outage { retry_after: Some(Duration::from_secs(90)) }, true, at(1));
        assert_eq!(breaker.next_probe(), Some(at(91)));
    }

    #[test]
    fn a_probe_that_is_lost_is_not_waited_for() {
        let mut breaker = open();
        assert!(breaker.begin());
        breaker.lost();
        assert_eq!(breaker.room(16, at(1)), 1);
    }
}
