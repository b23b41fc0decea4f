//! The latest of what several tenants have, or the earliest, without reading all of it.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

/// In which direction a list goes by its times.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Way {
    #[default]
    LatestFirst,
    EarliestFirst,
}

impl Way {
    /// Nothing was shown yet: everything stands after it.
    pub fn start(self) -> LastShown {
        match self {
            Self::LatestFirst => LastShown::nothing(),
            Self::EarliestFirst => LastShown { at: i64::MIN, key: String::new() },
        }
    }

    /// How `a` stands to `b` in a list that goes this way.
    pub fn compare(self, a: &LastShown, b: &LastShown) -> Ordering {
        match self {
            Self::LatestFirst => b.cmp(a),
            Self::EarliestFirst => a.cmp(b),
        }
    }
}

/// The last thing of a page: in a list whose latest come first, after it stands what is older, or as old with a lesser key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LastShown {
    pub at: i64,
    pub key: String,
}

impl LastShown {
    /// Nothing was shown yet: everything stands after it.
    pub fn nothing() -> Self {
        Self { at: i64::MAX, key: String::new() }
    }
}

/// A day in milliseconds.
const DAY: i64 = 24 * 60 * 60 * 1000;

/// From which moments on the latest rows of many tenants are looked for, of a list that goes back from `from`: from a day
/// before it, then each time from eight times as long before, in the end from the beginning. So one question for all
/// tenants is answered by little more than what is wanted, where one for each would be many.
pub(super) fn far_back(from: i64) -> impl Iterator<Item = i64> {
    [1, 8, 64, 512].map(|days| from.saturating_sub(days * DAY)).into_iter().chain([i64::MIN])
}

/// The earliest rows of several tenants: each is asked for its own, and what is later than those of others is left out.
pub(super) struct Earliest {
    most: usize,
    found: Vec<(i64, String)>,
}

impl Earliest {
    pub fn new(most: usize) -> Self {
        Self { most, found: Vec::new() }
    }

    /// How many rows a tenant is asked for.
    pub fn most(&self) -> i64 {
        i64::try_from(self.most).unwrap_or(i64::MAX)
    }

    /// What is later than this is left out, whoever has it.
    pub fn until(&self) -> i64 {
        self.found.last().filter(|_| self.found.len() == self.most).map_or(i64::MAX, |(at, _)| *at)
    }

    /// Takes in what one tenant has: each row with its time and its key.
    pub fn add(&mut self, found: Vec<(i64, String)>) {
        self.found.extend(found);
        self.found.sort_unstable();
        self.found.truncate(self.most);
    }

    pub fn rows(self) -> Vec<(i64, String)> {
        self.found
    }
}
