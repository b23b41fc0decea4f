//! An index of moments and what they belong to, to find the next without going through those that are past.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};

/// Keys by the moment at which they change. None sorts before all keys of its moment.
pub(super) struct Moments<K>(BTreeSet<(DateTime<Utc>, Option<K>)>);

impl<K: Ord> Default for Moments<K> {
    fn default() -> Self {
        Self(BTreeSet::new())
    }
}

impl<K: Ord> Moments<K> {
    pub fn insert(&mut self, at: DateTime<Utc>, what: K) {
        self.0.insert((at, Some(what)));
    }

    pub fn remove(&mut self, at: DateTime<Utc>, what: K) {
        self.0.remove(&(at, Some(what)));
    }

    /// Iterates over the keys whose moment is at `now` or before, the earliest first.
    pub fn until(&self, now: DateTime<Utc>) -> impl Iterator<Item = &K> {
        self.0.range(..after(now)).filter_map(|(_, what)| what.as_ref())
    }

    /// Returns the first moment after `now`.
    pub fn next_after(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.0.range(after(now)..).next().map(|(at, _)| *at)
    }

    /// Removes all keys but those that are `kept`.
    pub fn retain(&mut self, kept: impl Fn(&K) -> bool) {
        self.0.retain(|(_, what)| what.as_ref().is_some_and(&kept));
    }
}

/// Returns the lower bound of what comes after `now`.
fn after<K>(now: DateTime<Utc>) -> (DateTime<Utc>, Option<K>) {
    (now + TimeDelta::nanoseconds(1), None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_past_does_not_hide_what_comes_next() {
        let at = |second| DateTime::from_timestamp(second, 0).unwrap();
        let mut moments = Moments::default();
        for (second, what) in [(5, "late"), (1, "early"), (3, "held"), (3, "also")] {
            moments.insert(at(second), what);
        }
        let until = |moments: &Moments<&'static str>, second| moments.until(at(second)).copied().collect::<Vec<_>>();
        assert_eq!((until(&moments, 0), until(&moments, 3)), (vec![], vec!["early", "also", "held"]));
        assert_eq!([0, 1, 3, 5].map(|now| moments.next_after(at(now))), [Some(at(1)), Some(at(3)), Some(at(5)), None]);
        moments.remove(at(3), "held");
        assert_eq!(until(&moments, 4), ["early", "also"]);
        moments.retain(|what| *what == "late");
        assert_eq!((until(&moments, 4), moments.next_after(at(0))), (vec![], Some(at(5))));
    }
}
