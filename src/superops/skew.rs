//! Measures how far our clock and SuperOps' are apart, from the `Date` header of its answers.

use std::collections::VecDeque;

use chrono::{DateTime, TimeDelta, Utc};

/// How many answers it takes: a single odd one, perhaps from a cache, proves nothing.
const ANSWERS: usize = 3;
/// The precision of a `Date`, which has no fractions of a second.
const GRAIN: TimeDelta = TimeDelta::seconds(1);

/// By how much our clock was ahead at each of the last answers; negative if behind.
#[derive(Debug, Default)]
pub(super) struct Skew(VecDeque<TimeDelta>);

impl Skew {
    /// Records the `date` of an answer, with the times on our clock when its request was sent and the answer received.
    pub fn note(&mut self, date: &str, sent_at: DateTime<Utc>, received_at: DateTime<Utc>) {
        let Ok(theirs) = DateTime::parse_from_rfc2822(date).map(|date| date.to_utc()) else { return };
        if self.0.len() == ANSWERS {
            self.0.pop_front();
        }
        self.0.push_back(ahead(theirs, sent_at, received_at));
    }

    /// Returns the smallest skew of the last answers. `None` if there are too few.
    pub fn ahead(&self) -> Option<TimeDelta> {
        (self.0.len() == ANSWERS).then(|| self.0.iter().copied().min_by_key(TimeDelta::abs)).flatten()
    }
}

/// Counts only what is certain: the answer was made after the request was sent, and before the answer arrived.
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
