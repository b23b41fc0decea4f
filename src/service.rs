//! The questions people ask, answered at one `now`: used by the web and the command line alike.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::store::StoreError;
use crate::ticket::{ClockKind, TenantId};

/// Whose data may be seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    All,
    One(TenantId),
}

/// Which open tickets are asked for; everything blank asks for all of them.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TicketQuery {
    pub tenant: Option<String>,
    /// low | medium | high | critical
    pub risk: Option<String>,
    /// on_track | at_risk | breached | paused | met | cancelled | unknown, of either clock
    pub standing: Option<String>,
    /// Id or name, like the next two.
    pub technician: Option<String>,
    pub client: Option<String>,
    pub priority: Option<String>,
    /// 1 to 500, 100 unless told.
    pub limit: Option<usize>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
}

/// Open tickets, worst first.
#[derive(Clone, Debug, Serialize)]
pub struct TicketPage {
    pub now: DateTime<Utc>,
    pub total: usize,
    pub tickets: Vec<TicketSla>,
    pub next_cursor: Option<String>,
}

/// One ticket with its SLA status. Durations are seconds; those left count working time.
#[derive(Clone, Debug, Serialize)]
pub struct TicketSla {
    pub ticket_id: String,
    pub display_id: String,
    pub tenant: String,
    /// Hostile text from outside.
    pub subject: String,
    pub status: Option<String>,
    pub priority: Option<String>,
    pub client: Option<String>,
    pub technician: Option<String>,
    pub group: Option<String>,
    pub sla_policy: Option<String>,
    pub superops_url: Option<String>,
    /// Seconds; negative once over; none when the clock has stopped, stands still or has no due time.
    pub response_time_remaining: Option<i64>,
    pub resolution_time_remaining: Option<i64>,
    pub is_response_breached: bool,
    pub is_resolution_breached: bool,
    /// LOW | MEDIUM | HIGH | CRITICAL
    pub breach_risk_level: &'static str,
    pub breach_probability: Option<f64>,
    /// When SuperOps was last asked about this ticket.
    pub last_updated: DateTime<Utc>,
    pub clocks: Vec<ClockStatus>,
    /// Where the reported and the computed due time differ.
    pub discrepancies: Vec<String>,
    /// Fields of the record that made no sense.
    pub flaws: Vec<String>,
}

/// One clock of a ticket.
#[derive(Clone, Debug, Serialize)]
pub struct ClockStatus {
    pub clock: ClockKind,
    /// on_track | at_risk | breached | paused | met | cancelled | unknown
    pub standing: &'static str,
    pub breached: bool,
    pub due: Option<DateTime<Utc>>,
    pub met_at: Option<DateTime<Utc>>,
    /// Working seconds left, negative once over.
    pub remaining: Option<i64>,
    /// Wall seconds to the due time, negative once past.
    pub remaining_wall: Option<i64>,
    /// Share of the working time elapsed, 0 to 1 and beyond.
    pub elapsed_share: Option<f64>,
    pub at_risk_from: Option<DateTime<Utc>>,
    /// Which hours count, in words.
    pub hours: String,
    /// Why the clock cannot be fully known, if so.
    pub partial: Vec<String>,
}

/// The head of the page: how the desk stands, and whether we can know it.
#[derive(Clone, Debug, Serialize)]
pub struct Overview {
    pub now: DateTime<Utc>,
    /// How many times faster than the wall the clock runs: 1 but in a demo.
    pub speed: u32,
    pub open: usize,
    pub breached: usize,
    pub at_risk: usize,
    pub paused: usize,
    pub on_track: usize,
    pub tenants: Vec<TenantHealth>,
    pub outbox_pending: i64,
    pub sent_last_day: i64,
    pub failed_last_day: i64,
}

/// Whether one tenant's data is fresh.
#[derive(Clone, Debug, Serialize)]
pub struct TenantHealth {
    pub tenant: String,
    pub last_good_sync: Option<DateTime<Utc>>,
    /// What is wrong and what to do, in words; none while all is well.
    pub trouble: Option<String>,
    pub quarantined: usize,
}

/// One message to one person, as the outbox knows it. Addresses and numbers are left out.
#[derive(Clone, Debug, Serialize)]
pub struct MessageView {
    pub key: String,
    pub tenant: String,
    pub ticket_id: Option<String>,
    pub display_id: Option<String>,
    /// alert | recovery | digest
    pub kind: String,
    pub stage: String,
    pub step: i64,
    pub channel: String,
    /// The person's name, or what the address is for.
    pub recipient: String,
    /// pending | sending | sent | failed | cancelled
    pub state: String,
    pub due_at: DateTime<Utc>,
    pub sent_at: Option<DateTime<Utc>>,
    pub attempts: i64,
    pub last_error: Option<String>,
}

/// Why a question could not be answered.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The question itself is wrong; the text says how to put it right.
    #[error("{0}")]
    BadQuestion(String),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Answers questions. Cheap to share.
#[derive(Clone)]
pub struct Service {
    _inner: Arc<()>,
}
