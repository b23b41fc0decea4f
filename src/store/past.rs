//! Reads everything stored about a tenant's tickets at once, for questions about the past, which no cache answers.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use super::tickets::save::opened;
use super::tickets::{change, select, unreadable, watched};
use super::{Store, StoreError};
use crate::store::sql::{self, Row};
use crate::ticket::watch::{Change, Watched};
use crate::ticket::{TenantId, TicketId};

/// The history of each ticket, oldest first.
pub type Histories = HashMap<TicketId, Vec<Change>>;

impl Store {
    /// Returns all tickets of `tenant`, open or not, in the order of their ids.
    pub async fn all_tickets(&self, tenant: &TenantId) -> Result<Vec<Watched>, StoreError> {
        let mut query = select(tenant);
        Ok(query.push(" ORDER BY id").build().fetch_each(&self.reads, |row| watched(&row)).await?)
    }

    /// Returns the history of each ticket of `tenant`.
    pub async fn histories(&self, tenant: &TenantId) -> Result<Histories, StoreError> {
        let query =
            "SELECT ticket_id, kind, was, became, earliest, latest, tenant FROM events WHERE tenant = $1 ORDER BY id";
        let mut histories = Histories::new();
        let read = |row: Row| {
            let id = TicketId::parse(row.try_get("ticket_id")?).map_err(unreadable)?;
            histories.entry(id).or_default().push(change(&row)?);
            Ok::<_, StoreError>(())
        };
        sql::query(query).bind(tenant.as_str()).fetch_each(&self.reads, read).await?;
        Ok(histories)
    }

    /// Returns when the oldest of the `count` tickets of `tenant` opened last was opened; none if there are no more
    /// than `count` in all.
    pub async fn oldest_of_latest(&self, tenant: &TenantId, count: u32) -> Result<Option<DateTime<Utc>>, StoreError> {
        let query = sql::query_scalar(
            "SELECT opened FROM tickets WHERE tenant = $1
             ORDER BY opened DESC, id DESC LIMIT 1 OFFSET $2",
        );
        let found: Option<Option<String>> = query.bind(tenant.as_str()).bind(count).fetch_optional(&self.reads).await?;
        Ok(found.flatten().and_then(|text| text.parse().ok()))
    }

    /// Returns at most `limit` tickets of `tenant` opened after `after`, or at that time with a later id, in the order
    /// in which they were opened, each with its history: the past, one page at a time.
    pub async fn past(
        &self,
        tenant: &TenantId,
        after: &(DateTime<Utc>, String),
        limit: u32,
    ) -> Result<Vec<(Watched, Vec<Change>)>, StoreError> {
        let opened = opened(after.0);
        let mut query = select(tenant);
        query.push(" AND opened >= ").push_bind(&opened);
        query.push(" AND (opened > ").push_bind(&opened).push(" OR id > ").push_bind(&after.1);
        query.push(") ORDER BY opened, id LIMIT ").push_bind(limit);
        let tickets: Vec<Watched> = query.build().fetch_each(&self.reads, |row| watched(&row)).await?;
        let ids: Vec<_> = tickets.iter().map(|watched| watched.ticket.id.as_str()).collect();
        let mut histories = self.events_of(tenant, &ids).await?;
        let history = |watched: Watched| {
            let changes = histories.remove(&watched.ticket.id).unwrap_or_default();
            (watched, changes)
        };
        Ok(tickets.into_iter().map(history).collect())
    }

    /// Returns the number of the latest event of all; 0 if there is none.
    pub async fn last_event(&self) -> Result<i64, StoreError> {
        Ok(sql::query_scalar("SELECT COALESCE(MAX(id), 0) FROM events").fetch_one(&self.reads).await?)
    }

    /// Returns the tickets of `tenant` that have events numbered above `upto`.
    pub async fn news_since(&self, tenant: &TenantId, upto: i64) -> Result<Vec<TicketId>, StoreError> {
        // The concatenation keeps SQLite from walking all the tenant's events: the latest few are found by number.
        let query = sql::query_scalar("SELECT DISTINCT ticket_id FROM events WHERE tenant || '' = $1 AND id > $2");
        let ids: Vec<String> = query.bind(tenant.as_str()).bind(upto).fetch_all(&self.reads).await?;
        ids.iter().map(|id| TicketId::parse(id).map_err(unreadable)).collect()
    }

    /// Counts a ticket's events numbered up to `upto`.
    pub async fn events_until(&self, tenant: &TenantId, id: &TicketId, upto: i64) -> Result<usize, StoreError> {
        let query = sql::query_scalar("SELECT COUNT(*) FROM events WHERE tenant = $1 AND ticket_id = $2 AND id <= $3");
        let count: i64 = query.bind(tenant.as_str()).bind(id.as_str()).bind(upto).fetch_one(&self.reads).await?;
        Ok(usize::try_from(count).unwrap_or_default())
    }
}
