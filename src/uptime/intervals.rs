//! Sets of time: sorted, merged, half-open intervals, and operations on them.
//!
//! Each operation is one sweep over both sets, so overlapping windows are never counted twice.

use super::Millis;

/// `[from, until)`, never empty.
pub type Interval = (Millis, Millis);

/// Intervals in order, none of them touching another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Intervals(Vec<Interval>);

impl Intervals {
    /// Takes any intervals in any order; empty and backward ones are dropped.
    pub fn new(intervals: impl IntoIterator<Item = Interval>) -> Self {
        let mut all: Vec<Interval> = intervals.into_iter().filter(|(from, until)| from < until).collect();
        all.sort_unstable();
        let mut merged: Vec<Interval> = Vec::with_capacity(all.len());
        for (from, until) in all {
            match merged.last_mut() {
                Some(last) if from <= last.1 => last.1 = last.1.max(until),
                _ => merged.push((from, until)),
            }
        }
        Self(merged)
    }

    /// Takes one interval.
    pub fn one(from: Millis, until: Millis) -> Self {
        Self::new([(from, until)])
    }

    /// The intervals, in order.
    pub fn iter(&self) -> impl Iterator<Item = Interval> + '_ {
        self.0.iter().copied()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the total length.
    pub fn total(&self) -> Millis {
        self.iter().map(|(from, until)| until - from).sum()
    }

    /// Returns what is in either.
    pub fn union(&self, other: &Self) -> Self {
        Self::new(self.iter().chain(other.iter()))
    }

    /// Returns what is in both.
    pub fn intersect(&self, other: &Self) -> Self {
        let (mut mine, mut theirs) = (self.iter().peekable(), other.iter().peekable());
        let mut both = Vec::new();
        while let (Some(a), Some(b)) = (mine.peek().copied(), theirs.peek().copied()) {
            let (from, until) = (a.0.max(b.0), a.1.min(b.1));
            if from < until {
                both.push((from, until));
            }
            if a.1 <= b.1 {
                mine.next()
            } else {
                theirs.next()
            };
        }
        Self(both)
    }

    /// Returns what is in this set but not in the other.
    pub fn minus(&self, other: &Self) -> Self {
        let mut left = Vec::new();
        let mut cuts = other.iter().peekable();
        for (mut from, until) in self.iter() {
            while cuts.next_if(|cut| cut.1 <= from).is_some() {}
            while let Some(cut) = cuts.peek().copied().filter(|cut| cut.0 < until) {
                if from < cut.0 {
                    left.push((from, cut.0));
                }
                from = cut.1;
                if cut.1 > until {
                    break;
                }
                cuts.next();
            }
            if from < until {
                left.push((from, until));
            }
        }
        Self(left)
    }

    /// Cuts each interval down to its whole clock minutes.
    pub fn whole_minutes(&self) -> Self {
        let up = |at: Millis| at.div_euclid(super::MINUTE) * super::MINUTE;
        Self::new(self.iter().map(|(from, until)| (up(from + super::MINUTE - 1), up(until))))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LENGTH: usize = 300;

    fn bitmap(intervals: &Intervals) -> Vec<bool> {
        let inside = |at: Millis| intervals.iter().any(|(from, until)| from <= at && at < until);
        (0..LENGTH as Millis).map(inside).collect()
    }

    fn some() -> impl Strategy<Value = Intervals> {
        prop::collection::vec((0..LENGTH as Millis, 0..40i64), 0..12)
            .prop_map(|all| Intervals::new(all.into_iter().map(|(from, length)| (from, from + length))))
            .prop_map(|set| set.intersect(&Intervals::one(0, LENGTH as Millis)))
    }

    fn is_tidy(set: &Intervals) -> bool {
        set.iter().all(|(from, until)| from < until) && set.0.windows(2).all(|two| two[0].1 < two[1].0)
    }

    proptest! {
        #[test]
        fn operations_agree_with_a_bitmap(a in some(), b in some()) {
            let (bits_a, bits_b) = (bitmap(&a), bitmap(&b));
            let each = |what: fn(bool, bool) -> bool| -> Vec<bool> {
                bits_a.iter().zip(&bits_b).map(|(a, b)| what(*a, *b)).collect()
            };
            for (set, expected) in [
                (a.union(&b), each(|a, b| a || b)),
                (a.intersect(&b), each(|a, b| a && b)),
                (a.minus(&b), each(|a, b| a && !b)),
            ] {
                prop_assert!(is_tidy(&set), "{set:?}");
                prop_assert_eq!(set.total() as usize, expected.iter().filter(|bit| **bit).count());
                prop_assert_eq!(bitmap(&set), expected);
            }
        }
    }

    #[test]
    fn only_whole_clock_minutes_are_left() {
        let minutes = |from, until| Intervals::one(from, until).whole_minutes().total() / 60_000;
        assert_eq!(minutes(0, 60_000), 1);
        assert_eq!(minutes(1, 60_001), 0, "sixty seconds, but no whole minute of the clock");
        assert_eq!(minutes(1, 180_000), 2);
    }
}
