//! What people changed, and when: the audit log as it is read.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::paging::{cut, last_place};
use super::{Reach, Service, ServiceError};
use crate::store::audit::{AuditFilter, AuditRow, Named};
use crate::store::latest::{LastShown, Way};
use crate::store::{StoreError, alerts::id_of};
use crate::ticket::{ClockKind, TenantId, TicketId};

/// Which changes to return.
#[derive(Clone, Debug)]
pub struct AuditQuery {
    pub from: DateTime<Utc>,
    /// The first moment after the range.
    pub until: DateTime<Utc>,
    /// A part of a name.
    pub who: Option<String>,
    /// A part of what was done.
    pub what: Option<String>,
    /// A ticket's id or number.
    pub ticket: Option<String>,
    pub way: Way,
    pub limit: u32,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
}

/// What people changed, the latest first unless asked for the other way.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct AuditPage {
    pub changes: Vec<AuditEntry>,
    pub next_cursor: Option<String>,
}

/// The name of this list in its cursors, which fit no other list or order.
fn list(way: Way) -> &'static str {
    match way {
        Way::LatestFirst => "audit",
        Way::EarliestFirst => "audit by at",
    }
}

fn place(row: &AuditRow) -> LastShown {
    LastShown { at: row.at.timestamp_millis(), key: row.id.to_string() }
}

/// Reads what was shown last, as the store takes it; none: nothing was.
fn after(way: Way, cursor: Option<&str>) -> Result<Option<(DateTime<Utc>, i64)>, ServiceError> {
    let last: Option<LastShown> = last_place(list(way), cursor)?;
    Ok(last.and_then(|last| DateTime::from_timestamp_millis(last.at).zip(last.key.parse().ok())))
}

/// One change by a person.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AuditEntry {
    /// It rises with each change of this store, so that one can be named.
    pub id: i64,
    pub at: DateTime<Utc>,
    pub tenant: Option<String>,
    pub who: String,
    /// With the ticket's number in place of the alert's key. Text of a person may be part of it.
    pub what: String,
    /// From where: `command line`, or an address.
    pub origin: String,
    pub alert_id: Option<String>,
    pub ticket_id: Option<String>,
    pub display_id: Option<String>,
}

impl Service {
    /// Returns what people changed within `scope`; none if there is no such ticket.
    pub async fn audit(&self, scope: &Reach, query: &AuditQuery) -> Result<Option<AuditPage>, ServiceError> {
        let ticket = match &query.ticket {
            None => None,
            Some(text) => match self.found(scope, text).await? {
                None => return Ok(None),
                Some((tenant, watched)) => Some(Named {
                    tenant: tenant.clone(),
                    id: watched.ticket.id.clone(),
                    number: watched.ticket.display_id.clone(),
                }),
            },
        };
        let filter = AuditFilter {
            reach: scope,
            from: query.from,
            until: query.until,
            who: query.who.as_deref(),
            what: query.what.as_deref(),
            ticket: ticket.as_ref(),
            way: query.way,
            after: after(query.way, query.cursor.as_deref())?,
            limit: query.limit + 1,
        };
        let mut rows = self.store.audited(filter).await?;
        let next_cursor = cut(list(query.way), &mut rows, query.limit as usize, place);
        Ok(Some(AuditPage { changes: self.entries(rows).await?, next_cursor }))
    }

    /// Returns what people did to the alert of that key, oldest first.
    pub(super) async fn acts_on(&self, alert: &str) -> Result<Vec<AuditEntry>, ServiceError> {
        self.entries(self.store.acts_on(alert).await?).await
    }

    async fn entries(&self, rows: Vec<AuditRow>) -> Result<Vec<AuditEntry>, ServiceError> {
        let mut entries = Vec::with_capacity(rows.len());
        for row in rows {
            entries.push(self.entry(row).await?);
        }
        Ok(entries)
    }

    async fn entry(&self, row: AuditRow) -> Result<AuditEntry, StoreError> {
        let AuditRow { id, tenant, at, who, what, origin, alert } = row;
        let entry = AuditEntry { id, at, tenant, who, what, origin, alert_id: None, ticket_id: None, display_id: None };
        let Some((key, (tenant, id, clock))) = alert.as_deref().and_then(|key| Some((key, parts(key)?))) else {
            return self.with_ticket(entry).await;
        };
        let watched = self.store.ticket(&tenant, &id).await?;
        let number = watched.map_or_else(|| id.to_string(), |watched| watched.ticket.display_id.clone());
        Ok(AuditEntry {
            what: entry.what.replacen(key, &format!("{number} {clock}"), 1),
            alert_id: Some(id_of(key)),
            ticket_id: Some(id.to_string()),
            display_id: Some(number),
            ..entry
        })
    }

    /// Adds the ticket that `entry` begins with, if there is one by that name.
    async fn with_ticket(&self, entry: AuditEntry) -> Result<AuditEntry, StoreError> {
        let named = entry.what.strip_prefix("ticket ").and_then(|rest| rest.split_once(": "));
        let tenant = entry.tenant.as_deref().and_then(|tenant| TenantId::parse(tenant).ok());
        let Some(((name, _), tenant)) = named.zip(tenant) else { return Ok(entry) };
        let found = self.store.find_ticket(&Reach::One(tenant), name).await?;
        let Some((_, watched)) = found.into_iter().next() else { return Ok(entry) };
        let ticket = &watched.ticket;
        Ok(AuditEntry { ticket_id: Some(ticket.id.to_string()), display_id: Some(ticket.display_id.clone()), ..entry })
    }
}

/// The tenant, the ticket and the clock in the key of an alert.
fn parts(key: &str) -> Option<(TenantId, TicketId, &'static str)> {
    let (tenant, rest) = key.split_once(':')?;
    let (ticket, clock) = rest.rsplit_once(':')?.0.rsplit_once(':')?;
    let clock = ClockKind::ALL.into_iter().find(|kind| kind.as_str() == clock)?;
    Some((TenantId::parse(tenant).ok()?, TicketId::parse(ticket).ok()?, clock.words()))
}
