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

/// The latest rows of several tenants, or the earliest: each is asked for its own, and what is older, or later, than those
/// of others is left out.
pub(super) struct Latest {
    most: usize,
    way: Way,
    found: Vec<(i64, String)>,
}

impl Latest {
    pub fn new(most: usize) -> Self {
        Self::going(Way::LatestFirst, most)
    }

    /// Going this way.
    pub fn going(way: Way, most: usize) -> Self {
        Self { most, way, found: Vec::new() }
    }

    /// How many rows a tenant is asked for.
    pub fn most(&self) -> i64 {
        i64::try_from(self.most).unwrap_or(i64::MAX)
    }

    /// What is older than this is left out, whoever has it; later, where the earliest are wanted.
    pub fn since(&self) -> i64 {
        let none = match self.way {
            Way::LatestFirst => i64::MIN,
            Way::EarliestFirst => i64::MAX,
        };
        self.found.last().filter(|_| self.found.len() == self.most).map_or(none, |(at, _)| *at)
    }

    /// Takes in what one tenant has: each row with its time and its key.
    pub fn add(&mut self, found: Vec<(i64, String)>) {
        self.found.extend(found);
        self.found.sort_unstable();
        if self.way == Way::LatestFirst {
            self.found.reverse();
        }
        self.found.truncate(self.most);
    }

    pub fn places(self) -> Vec<LastShown> {
        self.found.into_iter().map(|(at, key)| LastShown { at, key }).collect()
    }

    pub fn keys(self) -> Vec<String> {
        self.found.into_iter().map(|(_, key)| key).collect()
    }
}
