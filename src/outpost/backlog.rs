//! Results of an outpost that were not handed over yet.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};

use super::wire::{BATCH, SeenThere};

/// The most results kept; the oldest are dropped first.
const MOST: usize = 20_000;
/// The age from which the watch no longer accepts a result.
const KEPT: TimeDelta = TimeDelta::hours(24);

/// Results in order of arrival.
#[derive(Default)]
pub struct Backlog(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    results: VecDeque<SeenThere>,
    /// How many were removed from the front, handed over or not.
    gone: u64,
    lost: u64,
}

impl Kept {
    fn drop_oldest(&mut self) {
        if self.results.pop_front().is_some() {
            self.gone += 1;
            self.lost += 1;
        }
    }
}

/// The oldest results, and their position.
pub struct Batch {
    pub results: Vec<SeenThere>,
    first: u64,
}

impl Backlog {
    /// Adds `result`.
    pub fn add(&self, result: SeenThere) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.results.push_back(result);
        while kept.results.len() > MOST {
            kept.drop_oldest();
        }
    }

    /// Returns the oldest results that still matter at `now`. They stay until they are handed over.
    pub fn oldest(&self, now: DateTime<Utc>) -> Batch {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while kept.results.front().is_some_and(|oldest| oldest.at < now - KEPT) {
            kept.drop_oldest();
        }
        Batch { results: kept.results.iter().take(BATCH).cloned().collect(), first: kept.gone }
    }

    /// Removes what was handed over.
    pub fn handed_over(&self, batch: &Batch) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let until = batch.first + batch.results.len() as u64;
        while kept.gone < until && kept.results.pop_front().is_some() {
            kept.gone += 1;
        }
    }

    pub fn is_empty(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).results.is_empty()
    }

    /// Returns how many results were dropped unsent since the last call.
    pub fn lost(&self) -> u64 {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner).lost)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(second: i64) -> SeenThere {
        SeenThere {
            check: "shop/https@berlin".to_owned(),
            at: DateTime::from_timestamp(second, 0).unwrap(),
            status: "up".to_owned(),
            micros: 1,
            text: None,
            certificate: None,
        }
    }

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(second, 0).unwrap()
    }

    #[test]
    fn results_wait_in_order_until_they_were_handed_over_and_no_longer_than_a_day() {
        let backlog = Backlog::default();
        (0..150).for_each(|second| backlog.add(result(second)));
        let first = backlog.oldest(at(150));
        assert_eq!((first.results.len(), first.results[0].at), (BATCH, at(0)));
        assert_eq!(backlog.oldest(at(150)).results.len(), BATCH, "nobody has taken them");
        backlog.handed_over(&first);
        backlog.handed_over(&first);
        assert_eq!(backlog.oldest(at(150)).results[0].at, at(100), "handed over once");
        let late = backlog.oldest(at(86_400 + 140));
        assert_eq!((late.results[0].at, backlog.lost(), backlog.lost()), (at(140), 40, 0));
        backlog.handed_over(&late);
        assert!(backlog.is_empty());
    }

    #[test]
    fn a_long_cut_fills_no_memory_and_the_newest_are_kept() {
        let backlog = Backlog::default();
        (0..10).for_each(|second| backlog.add(result(second)));
        let first = backlog.oldest(at(10));
        (10..MOST as i64 + 50).for_each(|second| backlog.add(result(second)));
        assert_eq!(backlog.lost(), 50);
        backlog.handed_over(&first);
        assert_eq!(backlog.oldest(at(50)).results[0].at, at(50), "what was dropped meanwhile takes nothing else along");
    }
}
