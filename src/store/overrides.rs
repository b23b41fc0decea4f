//! Stores manual overrides of clocks, together with the ticket, its history and the audit log.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::audit::Author;
use super::tickets::AuditNote;
use super::{Store, StoreError};
use crate::ticket::manual_override::ManualOverride;
use crate::ticket::watch::{Bounds, Change, ChangeKind, Watched};
use crate::ticket::{ClockKind, TenantId, TicketId};

impl Store {
    /// Stores an override, replacing an earlier one of the same clock; none if there is no such ticket.
    pub async fn decide(
        &self,
        tenant: &TenantId,
        id: &TicketId,
        decided: ManualOverride,
        author: Author,
    ) -> Result<Option<Arc<Watched>>, StoreError> {
        let told = decided.words();
        let note = AuditNote { what: format!("{told} ({})", decided.reason), author, at: decided.at };
        let (clock, at) = (decided.clock, decided.at);
        let change = move |watched: &Watched| {
            let event = event(None, Some(told), at);
            let others = watched.overrides.iter().filter(|one| one.clock != clock).cloned();
            (Watched { overrides: others.chain([decided]).collect(), ..watched.clone() }, Some(event))
        };
        self.amend(tenant, id, change, Some(note)).await
    }

    /// Removes an override; none if there is no such ticket.
    pub async fn undecide(
        &self,
        tenant: &TenantId,
        id: &TicketId,
        clock: ClockKind,
        author: Author,
        now: DateTime<Utc>,
    ) -> Result<Option<Arc<Watched>>, StoreError> {
        let note = AuditNote { what: format!("{} is no longer overridden", clock.words()), author, at: now };
        let change = move |watched: &Watched| {
            let (gone, kept): (Vec<_>, Vec<_>) = watched.overrides.iter().cloned().partition(|one| one.clock == clock);
            let event = gone.first().map(|one| event(Some(one.words()), None, now));
            (Watched { overrides: kept, ..watched.clone() }, event)
        };
        self.amend(tenant, id, change, Some(note)).await
    }
}

fn event(from: Option<String>, to: Option<String>, at: DateTime<Utc>) -> Change {
    Change { kind: ChangeKind::ByHand, from, to, at: Bounds { earliest: at, latest: at } }
}
