//! The latest of what several tenants have, without reading all of it.

use serde::{Deserialize, Serialize};

/// The last thing of a page, in a list whose latest come first: after it stands what is older, or as old with a lesser key.
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

/// The latest rows of several tenants: each is asked for its own, and what is older than those of others is left out.
pub(super) struct Latest {
    most: usize,
    found: Vec<(i64, String)>,
}

impl Latest {
    pub fn new(most: usize) -> Self {
        Self { most, found: Vec::new() }
    }

    /// How many rows a tenant is asked for.
    pub fn most(&self) -> i64 {
        i64::try_from(self.most).unwrap_or(i64::MAX)
    }

    /// What is older than this is left out, whoever has it.
    pub fn since(&self) -> i64 {
        self.found.last().filter(|_| self.found.len() == self.most).map_or(i64::MIN, |(at, _)| *at)
    }

    /// Takes in what one tenant has: each row with its time and its key.
    pub fn add(&mut self, found: Vec<(i64, String)>) {
        self.found.extend(found);
        self.found.sort_unstable_by(|a, b| b.cmp(a));
        self.found.truncate(self.most);
    }

    pub fn keys(self) -> Vec<String> {
        self.found.into_iter().map(|(_, key)| key).collect()
    }
}
