//! What a person decided about a clock, against what SuperOps or a policy says.
//!
//! A decision holds for the cycle in which it was made: a ticket that comes back
//! is watched again. It is never without a reason and the name of who made it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::ClockKind;

/// What was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ruling {
    /// It is due then, whatever anybody else says.
    Due(DateTime<Utc>),
    /// It was met, or came to its end, then.
    StoppedAt(DateTime<Utc>),
    /// There is nothing to keep.
    Cancelled,
}

impl Ruling {
    /// The name used in the store and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Due(_) => "due",
            Self::StoppedAt(_) => "stopped_at",
            Self::Cancelled => "cancelled",
        }
    }

    /// The moment that it names.
    pub fn time(self) -> Option<DateTime<Utc>> {
        match self {
            Self::Due(at) | Self::StoppedAt(at) => Some(at),
            Self::Cancelled => None,
        }
    }
}

/// A decision about one clock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Override {
    pub clock: ClockKind,
    /// The cycle of the ticket that it speaks of.
    pub cycle: u32,
    pub ruling: Ruling,
    /// Text of a person: escape before showing.
    pub reason: String,
    /// Who decided: the name of a token.
    pub by: String,
    /// When it was decided.
    pub at: DateTime<Utc>,
}
