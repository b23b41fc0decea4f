//! Caps: how many messages one address or one tenant may get within some time.

use chrono::{DateTime, TimeDelta, Utc};

use super::{Heard, HeldBy};

/// A limit of `most` messages within any stretch of this length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cap {
    pub most: u32,
    pub within: TimeDelta,
}

/// What is left of a tenant's budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    pub left: usize,
    /// When the next message is allowed once nothing is left.
    pub opens_at: DateTime<Utc>,
}

/// What was sent before, and what it leaves room for.
#[derive(Clone, Copy, Debug)]
pub struct Past<'a> {
    /// When messages were sent to the address, oldest first; at least as far back as the longest cap.
    pub sent: &'a [DateTime<Utc>],
    pub caps: &'a [Cap],
    /// None if there is no budget.
    pub budget: Option<Budget>,
    /// What this person was sent lately.
    pub heard: Heard,
}

impl Past<'_> {
    /// Returns how many messages may go at `now`.
    pub fn room(&self, now: DateTime<Utc>) -> usize {
        let caps = self.caps.iter().map(|cap| most(cap).saturating_sub(self.counted(cap, now)));
        caps.chain(self.budget.map(|budget| budget.left)).min().unwrap_or(usize::MAX)
    }

    /// Returns when the next message may go once `more` have gone at `now`, and what it waits for.
    pub(super) fn opens_after(&self, more: usize, now: DateTime<Utc>) -> (DateTime<Utc>, HeldBy) {
        let caps = self.caps.iter().map(|cap| (self.cap_opens(cap, more, now), HeldBy::Cap));
        let spent = self.budget.filter(|budget| budget.left <= more);
        let budget = spent.map(|budget| (budget.opens_at.max(now), HeldBy::Budget));
        caps.chain(budget).max().unwrap_or((now, HeldBy::Cap))
    }

    fn cap_opens(&self, cap: &Cap, more: usize, now: DateTime<Utc>) -> DateTime<Utc> {
        let past = self.sent.iter().copied().filter(|at| *at <= now);
        let all: Vec<_> = past.chain(std::iter::repeat_n(now, more)).collect();
        // The message that makes room when it leaves the stretch.
        let oldest = all.len().checked_sub(most(cap)).and_then(|index| all.get(index));
        oldest.map_or(now, |at| (*at + cap.within).max(now))
    }

    /// Counts the messages within the cap. Those in the future do not count: the system clock was set back.
    fn counted(&self, cap: &Cap, now: DateTime<Utc>) -> usize {
        self.sent.iter().filter(|at| **at <= now && **at > now - cap.within).count()
    }
}

fn most(cap: &Cap) -> usize {
    usize::try_from(cap.most).unwrap_or(usize::MAX)
}
