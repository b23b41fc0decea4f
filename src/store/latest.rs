//! The latest rows of several tenants, or the earliest, without reading all of them.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

/// Whether a list begins with the latest or the earliest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Way {
    #[default]
    LatestFirst,
    EarliestFirst,
}

impl Way {
    /// The position before the first row of the list.
    pub fn start(self) -> LastShown {
        match self {
            Self::LatestFirst => LastShown::nothing(),
            Self::EarliestFirst => LastShown { at: i64::MIN, key: String::new() },
        }
    }

    /// Compares `a` and `b` in the order of such a list.
    pub fn compare(self, a: &LastShown, b: &LastShown) -> Ordering {
        match self {
            Self::LatestFirst => b.cmp(a),
            Self::EarliestFirst => a.cmp(b),
        }
    }
}

/// The last row of a page: in a list with the latest first, what is older follows, or as old with a lesser key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LastShown {
    pub at: i64,
    pub key: String,
}

impl LastShown {
    /// The position before the first row of a list with the latest first.
    pub fn nothing() -> Self {
        Self { at: i64::MAX, key: String::new() }
    }
}

/// A day in milliseconds.
const DAY: i64 = 24 * 60 * 60 * 1000;

/// Yields the times from which to look for the latest rows of many tenants, in a list that goes back from `from`: one
/// day before it, then each time eight times as far back, finally from the beginning. One query for all tenants then
/// reads little more than what is wanted, instead of one query for each.
pub(super) fn far_back(from: i64) -> impl Iterator<Item = i64> {
    [1, 8, 64, 512].map(|days| from.saturating_sub(days * DAY)).into_iter().chain([i64::MIN])
}

/// The earliest rows of several tenants: each is asked for its own, and rows later than enough others are dropped.
pub(super) struct Earliest {
    most: usize,
    found: Vec<(i64, String)>,
}

impl Earliest {
    pub fn new(most: usize) -> Self {
        Self { most, found: Vec::new() }
    }

    /// How many rows to ask a tenant for.
    pub fn most(&self) -> i64 {
        i64::try_from(self.most).unwrap_or(i64::MAX)
    }

    /// The time of the latest row that is still wanted, from any tenant.
    pub fn until(&self) -> i64 {
        self.found.last().filter(|_| self.found.len() == self.most).map_or(i64::MAX, |(at, _)| *at)
    }

    /// Adds the rows of one tenant, each with its time and key.
    pub fn add(&mut self, found: Vec<(i64, String)>) {
        self.found.extend(found);
        self.found.sort_unstable();
        self.found.truncate(self.most);
    }

    pub fn rows(self) -> Vec<(i64, String)> {
        self.found
    }
}
