//! A walk through the past, as after a start: tickets are told in the order in which they were opened, so that no more
//! of the past is held at once than what was going on at one moment.

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
    /// Begins at `start`; all of it is past by `now`.
    pub fn new(start: DateTime<Utc>, now: DateTime<Utc>) -> Self {
        Self { forecasters: Forecasters::new(start, now), ahead: BinaryHeap::new(), told: 0 }
    }

    /// Something that happens on the way. Of one ticket first things come first.
    pub fn add(&mut self, event: TrainingEvent) {
        self.ahead.push(Ahead { event, number: self.told });
        self.told += 1;
    }

    /// Goes on to `until`: nothing is added later that happened before it.
    pub fn go_to(&mut self, until: DateTime<Utc>) {
        while self.ahead.peek().is_some_and(|next| next.event.at < until) {
            self.step();
        }
    }

    /// Goes on to the end.
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

/// What is still to be heard; the soonest is the greatest, as a heap wants it.
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
