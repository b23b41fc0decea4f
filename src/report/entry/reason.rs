//! Why a clock was missed, as far as the history of its ticket tells: the first reason that fits.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::{Held, Holder};
use crate::sla::clock::Reckoning;

/// A named reason of a breach. A person's word replaces it; both are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// A change of priority, SLA, client or due time made it late at once.
    Retargeted,
    /// It broke while nobody of the MSP was at work.
    OutOfHours,
    /// It was unassigned for half of its time.
    Unassigned,
    /// It came back from a pause with under a quarter of its time left.
    PausedLate,
    /// Its holder could not do all that was due when it broke: only a person says so.
    Understaffed,
    /// It was not watched from its beginning, so what was done on it is not known.
    Unwatched,
    /// Nobody touched it for half of its time.
    Waiting,
    WorkedOn,
}

impl Reason {
    pub const ALL: [Self; 8] = [
        Self::Retargeted,
        Self::OutOfHours,
        Self::Unassigned,
        Self::PausedLate,
        Self::Understaffed,
        Self::Unwatched,
        Self::Waiting,
        Self::WorkedOn,
    ];

    /// The name used in the store and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Retargeted => "retargeted",
            Self::OutOfHours => "out_of_hours",
            Self::Unassigned => "unassigned",
            Self::PausedLate => "paused_late",
            Self::Understaffed => "understaffed",
            Self::Unwatched => "unwatched",
            Self::Waiting => "waiting",
            Self::WorkedOn => "worked_on",
        }
    }

    /// The reason in words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Retargeted => "retargeted, already late",
            Self::OutOfHours => "broke out of hours",
            Self::Unassigned => "unassigned for half of the time",
            Self::PausedLate => "came back from a pause with little time left",
            Self::Understaffed => "more was due than could be done",
            Self::Unwatched => "not watched from its beginning",
            Self::Waiting => "untouched for half of the time",
            Self::WorkedOn => "worked on",
        }
    }

    /// The reason of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == name)
    }
}

/// What is known of a missed clock besides its course.
pub(super) struct Miss<'a> {
    pub clock: &'a Reckoning<'a>,
    pub target: TimeDelta,
    pub over_from: DateTime<Utc>,
    pub retargeted: bool,
    pub is_staffed: bool,
    /// Whether all of its time was watched.
    pub observed: bool,
    pub held: &'a [Held],
    /// When the pauses before the breach ended.
    pub resumed: Vec<DateTime<Utc>>,
    /// When somebody did something on the ticket.
    pub touched: Vec<DateTime<Utc>>,
}

impl Miss<'_> {
    /// Returns the first reason that fits. No history tells that more was due than could be done: people say that.
    pub fn reason(&self) -> Reason {
        if self.retargeted {
            Reason::Retargeted
        } else if !self.is_staffed {
            Reason::OutOfHours
        } else if self.unassigned() * 2 >= self.target {
            Reason::Unassigned
        } else if self.resumed.iter().any(|at| (self.target - self.clock.counted(*at)) * 4 < self.target) {
            Reason::PausedLate
        } else if !self.observed {
            Reason::Unwatched
        } else if self.longest_wait() * 2 >= self.target {
            Reason::Waiting
        } else {
            Reason::WorkedOn
        }
    }

    fn unassigned(&self) -> TimeDelta {
        let nobodys = self.held.iter().filter(|held| held.holder == Holder::Nobody);
        let length = |held: &Held| {
            let (from, to) = (held.from.max(self.clock.start), held.to.unwrap_or(self.over_from).min(self.over_from));
            if from < to { self.clock.between(from, to) } else { TimeDelta::zero() }
        };
        nobodys.map(length).sum()
    }

    /// The longest time counted between two touches, or until it broke.
    fn longest_wait(&self) -> TimeDelta {
        let mut moments: Vec<_> =
            self.touched.iter().copied().filter(|at| self.clock.start < *at && *at < self.over_from).collect();
        moments.extend([self.clock.start, self.over_from]);
        moments.sort_unstable();
        moments.windows(2).map(|pair| self.clock.between(pair[0], pair[1])).max().unwrap_or_default()
    }
}
