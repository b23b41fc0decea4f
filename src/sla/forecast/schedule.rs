//! Events that come with time alone: the next step of each clock, and outcomes that wait for their nominal due time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use chrono::{DateTime, Utc};

/// The number of a ticket, in the order in which tickets were opened.
pub(super) type Place = u32;

/// Something due at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Item {
    /// A clock reaches its next step, if `plan` is still its latest.
    Step { place: Place, plan: u32 },
    /// A morning note of a clock is taken.
    Morning { place: Place },
    /// An outcome may be learned.
    Learn { place: Place },
}

/// All scheduled items, soonest first.
#[derive(Debug, Default)]
pub(super) struct Schedule(BinaryHeap<Reverse<(DateTime<Utc>, Item)>>);

impl Schedule {
    pub(super) fn add(&mut self, at: DateTime<Utc>, item: Item) {
        self.0.push(Reverse((at, item)));
    }

    /// Removes and returns the next item due before `until`, or at it if `included`.
    pub(super) fn next(&mut self, until: DateTime<Utc>, included: bool) -> Option<(DateTime<Utc>, Item)> {
        let Reverse((at, _)) = self.0.peek()?;
        let is_due = if included { *at <= until } else { *at < until };
        if is_due { self.0.pop().map(|Reverse(entry)| entry) } else { None }
    }
}
