//! What we learned by watching a ticket: SuperOps keeps no history, so each
//! snapshot is compared with the last.
//!
//! A change seen between two reads happened at some moment between them; both
//! ends are kept, so that a figure built on it can say how sure it is.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::Ticket;

/// A moment known only to lie between two reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Bounds {
    pub earliest: DateTime<Utc>,
    pub latest: DateTime<Utc>,
}

/// A ticket with what watching it has taught us.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watched {
    pub ticket: Ticket,
    pub first_seen_at: DateTime<Utc>,
    /// When SuperOps was last asked about it.
    pub read_at: DateTime<Utc>,
    /// Rises when the ticket is reopened or its SLA is replaced; from 0.
    pub cycle: u32,
    /// When it entered its present status; none if it already had it when first seen.
    pub status_since: Option<Bounds>,
    /// When it was found to be gone (deleted, merged, or no longer ours to see).
    pub vanished_at: Option<DateTime<Utc>>,
}
