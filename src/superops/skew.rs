//! How far our clock and SuperOps' are apart, by the `Date` of its answers.

use std::collections::VecDeque;

use chrono::{DateTime, TimeDelta, Utc};

/// One odd answer, perhaps out of some cache, says nothing yet.
const ANSWERS: usize = 3;
/// A `Date` has no fractions of a second.
const GRAIN: TimeDelta = TimeDelta::seconds(1);

/// By how much our clock was ahead at the last answers; below zero: behind.
#[derive(Debug, Default)]
pub(super) struct Skew(VecDeque<TimeDelta>);

impl Skew {
    /// Takes in the `date` of an answer to what was sent and received at these times of ours.
    pub fn note(&mut self, date: &str, sent_at: DateTime<Utc>, received_at: DateTime<Utc>) {
        let Ok(theirs) = DateTime::parse_from_rfc2822(date).map(|date| date.to_utc()) else { return };
        if self.0.len() == ANSWERS {
            self.0.pop_front();
        }
        self.0.push_back(ahead(theirs, sent_at, received_at));
    }

    /// What all the last answers agree on; none: there were too few.
    pub fn ahead(&self) -> Option<TimeDelta> {
        (self.0.len() == ANSWERS).then(|| self.0.iter().copied().min_by_key(TimeDelta::abs)).flatten()
    }
}

/// What is certain: the answer was made after it was sent for, and before it arrived.
fn ahead(theirs: DateTime<Utc>, sent_at: DateTime<Utc>, received_at: DateTime<Utc>) -> TimeDelta {
    let (most, least) = (received_at - theirs, sent_at - (theirs + GRAIN));
    if least > TimeDelta::zero() {
        least
    } else if most < TimeDelta::zero() {
        most
    } else {
        TimeDelta::zero()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_certain_counts_and_one_odd_answer_does_not() {
        let at = |second: i64| DateTime::from_timestamp(1_800_000_000 + second, 0).unwrap();
        let cases = [("within the exchange", 1, 0, 3, 0), ("ahead", 0, 10, 12, 9), ("behind", 30, 10, 12, -18)];
        for (name, theirs, sent, received, expected) in cases {
            assert_eq!(ahead(at(theirs), at(sent), at(received)), TimeDelta::seconds(expected), "{name}");
        }
        let mut skew = Skew::default();
        for date in ["Fri, 15 Jan 2027 08:00:00 GMT", "Fri, 15 Jan 2027 09:00:00 GMT", "nonsense"] {
            skew.note(date, at(0), at(0));
            assert_eq!(skew.ahead(), None);
        }
        skew.note("Fri, 15 Jan 2027 08:00:00 GMT", at(0), at(0));
        assert_eq!(skew.ahead(), Some(TimeDelta::zero()));
    }
}
