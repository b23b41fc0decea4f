//! A walk through the past, as after a start: tickets are told in the order in which they were opened, so that only
//! what was going on at one moment is held in memory.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use chrono::{DateTime, Utc};

use super::forecasters::Forecasters;
use super::training::TrainingEvent;

/// Forecasters on their way to the present.
pub struct Walk {
    forecasters: Forecasters,
    ahead: BinaryHeap<Ahead>,
    told: u64,
}

impl Walk {
    /// Begins at `start`, with everything before `now` counted as past.
    pub fn new(start: DateTime<Utc>, now: DateTime<Utc>) -> Self {
        Self { forecasters: Forecasters::new(start, now), ahead: BinaryHeap::new(), told: 0 }
    }

    /// Adds something that happens on the way. Events of one ticket must be added in order.
    pub fn add(&mut self, event: TrainingEvent) {
        self.ahead.push(Ahead { event, number: self.told });
        self.told += 1;
    }

    /// Continues to `until`. Nothing that happened before that may be added later.
    pub fn go_to(&mut self, until: DateTime<Utc>) {
        while self.ahead.peek().is_some_and(|next| next.event.at < until) {
            self.step();
        }
    }

    /// Continues to the end.
    pub fn arrive(mut self) -> Forecasters {
        while self.step() {}
        self.forecasters
    }

    fn step(&mut self) -> bool {
        let next = self.ahead.pop();
        let is_some = next.is_some();
        if let Some(next) = next {
            self.forecasters.hear(next.event);
        }
        is_some
    }
}

/// An event still to come; the soonest is the greatest, because the heap is a max-heap.
struct Ahead {
    event: TrainingEvent,
    number: u64,
}

impl Ahead {
    fn place(&self) -> (DateTime<Utc>, u64) {
        (self.event.at, self.number)
    }
}

impl Ord for Ahead {
    fn cmp(&self, other: &Self) -> Ordering {
        other.place().cmp(&self.place())
    }
}

impl PartialOrd for Ahead {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Ahead {
    fn eq(&self, other: &Self) -> bool {
        self.place() == other.place()
    }
}

impl Eq for Ahead {}
