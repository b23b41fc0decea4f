//! Caps: how many messages one address, or one tenant, may get in a while.

use chrono::{DateTime, TimeDelta, Utc};

use super::{Heard, HeldBy};

/// At most so many messages within any stretch of this length.
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
    /// When the address was last sent something, oldest first; at least as far back as the longest cap looks.
    pub sent: &'a [DateTime<Utc>],
    pub caps: &'a [Cap],
    /// None: there is none.
    pub budget: Option<Budget>,
    /// What this person was sent of late.
    pub heard: Heard,
}

impl Past<'_> {
    /// How many messages may go at `now`.
    pub fn room(&self, now: DateTime<Utc>) -> usize {
        let caps = self.caps.iter().map(|cap| most(cap).saturating_sub(self.counted(cap, now)));
        caps.chain(self.budget.map(|budget| budget.left)).min().unwrap_or(usize::MAX)
    }

    /// When the next message may go once `more` have gone at `now`, and what it waits for.
    pub(super) fn opens_after(&self, more: usize, now: DateTime<Utc>) -> (DateTime<Utc>, HeldBy) {
        let caps = self.caps.iter().map(|cap| (self.cap_opens(cap, more, now), HeldBy::Cap));
        let spent = self.budget.filter(|budget| budget.left <= more);
        let budget = spent.map(|budget| (budget.opens_at.max(now), HeldBy::Budget));
        caps.chain(budget).max().unwrap_or((now, HeldBy::Cap))
    }

    fn cap_opens(&self, cap: &Cap, more: usize, now: DateTime<Utc>) -> DateTime<Utc> {
        let past = self.sent.iter().copied().filter(|at| *at <= now);
        let all: Vec<_> = past.chain(std::iter::repeat_n(now, more)).collect();
        // The one whose leaving the stretch makes room.
        let oldest = all.len().checked_sub(most(cap)).and_then(|index| all.get(index));
        oldest.map_or(now, |at| (*at + cap.within).max(now))
    }

    /// A clock that was set back leaves sends in the future: they count for nothing.
    fn counted(&self, cap: &Cap, now: DateTime<Utc>) -> usize {
        self.sent.iter().filter(|at| **at <= now && **at > now - cap.within).count()
    }
}

fn most(cap: &Cap) -> usize {
    usize::try_from(cap.most).unwrap_or(usize::MAX)
}
