//! The outbox: which notifications go to whom, and how each attempt went.
//!
//! A notification is stored before anything is sent, and then leased to one sender at a time. If a lease runs out,
//! because the process died, the notification is due again under the same key.

mod bundle;
mod digest;
mod diversion;
mod enqueue;
mod go_on;
mod heard;
mod instead;
mod lease;
mod log;
mod notification;
mod record;
mod said;
mod shape;
mod under_way;
mod withdraw;

use chrono::{DateTime, Utc};

use super::{instant, millis};
pub use crate::keys::notification_key;
pub(super) use enqueue::enqueue;
pub use lease::Round;
pub(super) use log::logged;
pub use log::{Logged, Tally};
pub use notification::{Leased, NewNotification, Reader, Recovered};
pub(super) use notification::{leased, reader};
pub use record::Attempted;
pub(super) use record::record;
pub use said::Said;
pub use under_way::UnderWay;
pub use withdraw::Unsaid;
pub(super) use withdraw::{MAY_BE_KNOWN, hold_covered, let_go, make_void, take_up_again, withdraw, withdraw_ends};

/// How many rows one statement writes: SQLite takes 32,766 values in one, and a row has fewer than 32.
const ROWS_A_STATEMENT: usize = 500;

/// The outcome of an attempt.
#[derive(Clone, Debug)]
pub enum Outcome {
    Taken {
        provider_id: Option<String>,
    },
    Again {
        at: DateTime<Utc>,
        why: String,
        /// The value of [`Leased::unreported`] for the next attempt.
        unreported: u32,
        /// Whether the next channel takes it up as well, while this one keeps trying.
        next_channel_too: bool,
        /// Whether the next people are told as well, if nothing else tells of it soon.
        next_step_too: bool,
    },
    /// The channel refused it; if `misconfigured`, it works for nobody.
    Failed {
        why: String,
        misconfigured: bool,
    },
}

pub(super) fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("our own types have text keys only")
}
