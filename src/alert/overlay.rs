//! Silences and maintenance windows: for a while nobody is told of some alerts.
//!
//! They lie over an alert and change nothing of it: it is recorded and shown,
//! and its steps wait. When the last of them ends, the step that then holds is
//! run once, if the alert is still open.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::ticket::{TenantId, Ticket};

/// Why nobody is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OverlayKind {
    /// Somebody does not want to hear of it.
    Silence,
    /// Work is being done that makes alerts meaningless.
    Maintenance,
}

impl OverlayKind {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Silence, Self::Maintenance];

    /// As it is called in texts for people.
    pub fn words(self) -> &'static str {
        match self {
            Self::Silence => "silence",
            Self::Maintenance => "maintenance window",
        }
    }
}

/// Which tickets are meant: what is none matches all. Each may be a name or an id, without regard to case.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Matchers {
    pub client: Option<String>,
    /// The ticket's id or the one that people are shown.
    pub ticket: Option<String>,
    pub priority: Option<String>,
    pub technician: Option<String>,
}

impl Matchers {
    /// Whether `ticket` is meant.
    pub fn matches(&self, ticket: &Ticket) -> bool {
        let (client, technician) = (ticket.client.as_ref(), ticket.technician.as_ref());
        is_one_of(&self.client, client.map(|client| [client.name.as_str(), client.id.as_str()]))
            && is_one_of(&self.ticket, Some([ticket.display_id.as_str(), ticket.id.as_str()]))
            && is_one_of(&self.priority, ticket.priority.as_deref().map(|priority| [priority]))
            && is_one_of(&self.technician, technician.map(|person| [person.name.as_str(), person.id.as_str()]))
    }
}

fn is_one_of<const N: usize>(wanted: &Option<String>, found: Option<[&str; N]>) -> bool {
    let fold = |text: &str| text.trim().to_lowercase();
    wanted.as_deref().is_none_or(|wanted| found.into_iter().flatten().any(|name| fold(name) == fold(wanted)))
}

/// A silence or a maintenance window.
#[derive(Clone, Debug, PartialEq)]
pub struct Overlay {
    pub kind: OverlayKind,
    pub id: i64,
    pub tenant: TenantId,
    pub matchers: Matchers,
    pub from: DateTime<Utc>,
    /// The first moment after it.
    pub until: DateTime<Utc>,
    pub author: String,
    pub reason: String,
    /// When somebody ended it before its time.
    pub ended_at: Option<DateTime<Utc>>,
}

impl Overlay {
    /// Whether it holds at `now`.
    pub fn holds(&self, now: DateTime<Utc>) -> bool {
        self.from <= now && now < self.until && self.ended_at.is_none_or(|ended| now < ended)
    }

    /// Whether nobody is to be told of `ticket` at `now`.
    pub fn covers(&self, ticket: &Ticket, now: DateTime<Utc>) -> bool {
        self.holds(now) && self.matchers.matches(ticket)
    }
}
