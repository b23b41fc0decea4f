//! Everything that is remembered of a tenant's tickets, read in one go: for
//! questions about the past, which no cache holds.

use std::collections::HashMap;

use sqlx::Row;

use super::tickets::{change, select, unreadable, watched};
use super::{Store, StoreError};
use crate::ticket::watch::{Change, Watched};
use crate::ticket::{TenantId, TicketId};

/// What happened to each ticket, oldest first.
pub type Histories = HashMap<TicketId, Vec<Change>>;

impl Store {
    /// All tickets of `tenant`, open or not, in the order of their ids.
    pub async fn all_tickets(&self, tenant: &TenantId) -> Result<Vec<Watched>, StoreError> {
        let mut query = select(tenant);
        let rows = query.push(" ORDER BY id").build().fetch_all(&self.reads).await?;
        Ok(rows.iter().map(watched).collect::<Result<_, _>>()?)
    }

    /// What happened to each ticket of `tenant`.
    pub async fn histories(&self, tenant: &TenantId) -> Result<Histories, StoreError> {
        let query = "SELECT ticket_id, kind, was, became, earliest, latest FROM events WHERE tenant = $1 ORDER BY id";
        let rows = sqlx::query(query).bind(tenant.as_str()).fetch_all(&self.reads).await?;
        let mut histories = Histories::new();
        for row in &rows {
            let id = TicketId::parse(row.try_get("ticket_id")?).map_err(unreadable)?;
            histories.entry(id).or_default().push(change(row)?);
        }
        Ok(histories)
    }
}
