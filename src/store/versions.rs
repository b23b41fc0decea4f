//! The stored versions of what was promised.

use chrono::{DateTime, Utc};

use super::tickets::save::record;
use super::tickets::{OpenTickets, unreadable};
use super::{Store, StoreError, books, instant, millis};
use crate::sla::policy::Chosen;
use crate::sla::version::{Terms, Version};
use crate::store::sql::{self, Connection, Row};
use crate::ticket::watch::{Bounds, Change, ChangeKind, Watched};
use crate::ticket::{TenantId, TicketId};

/// The result of bringing the terms up to date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Adopted {
    /// The version in force.
    pub version: u32,
    /// Whether it is a new one.
    pub is_new: bool,
    /// How many open tickets moved to it.
    pub moved: u64,
}

impl Store {
    /// Returns every version of `tenant`'s terms, oldest first.
    pub async fn policy_versions(&self, tenant: &TenantId) -> Result<Vec<Version>, StoreError> {
        let query = "SELECT version, from_time, content FROM policy_versions WHERE tenant = $1 ORDER BY version";
        let rows = sql::query(query).bind(tenant.as_str()).fetch_all(&self.reads).await?;
        rows.iter().map(version).collect()
    }

    /// Makes `terms` those in force from `now` on, unless they are already. Open tickets move to a new version with an
    /// event; the first version moves nothing.
    pub async fn adopt_terms(
        &self,
        tenant: &TenantId,
        terms: &Terms,
        now: DateTime<Utc>,
    ) -> Result<Adopted, StoreError> {
        let last = self.policy_versions(tenant).await?.pop();
        if let Some(last) = last.as_ref().filter(|last| last.terms == *terms) {
            return Ok(Adopted { version: last.number, is_new: false, moved: 0 });
        }
        let chosen = match &last {
            Some(last) => other_choices(tenant, &last.terms, terms, &*self.open_tickets(tenant).await?, now),
            None => Vec::new(),
        };
        let before = last.map_or(0, |last| last.number);
        let content = serde_json::to_string(terms).map_err(unreadable)?;
        let (tenant, from) = (tenant.clone(), millis(now));
        let moved = self
            .writer
            .write(move |tx: &mut Connection| {
                Box::pin(async move {
                    let moved = begin_version(tx, &tenant, before, content, from).await?;
                    let chosen: Vec<_> = chosen.iter().map(|(id, change)| (id, change)).collect();
                    record(tx, &tenant, &chosen, now).await?;
                    Ok(moved)
                })
            })
            .await?;
        Ok(Adopted { version: before + 1, is_new: true, moved })
    }
}

/// Returns the open tickets for which other policies match than before.
fn other_choices(
    tenant: &TenantId,
    before: &Terms,
    terms: &Terms,
    open: &OpenTickets,
    now: DateTime<Utc>,
) -> Vec<(TicketId, Change)> {
    let at = Bounds { earliest: now, latest: now };
    let of = |watched: &Watched| {
        let ticket = &watched.ticket;
        let [was, is] = [before, terms].map(|terms| Chosen { policies: &terms.policies, tenant, ticket });
        Some((ticket.id.clone(), is.instead_of(&was, at)?))
    };
    open.values().filter_map(|watched| of(watched)).collect()
}

async fn begin_version(
    tx: &mut Connection,
    tenant: &TenantId,
    before: u32,
    content: String,
    now: i64,
) -> Result<u64, sql::Error> {
    sql::query("INSERT INTO policy_versions (tenant, version, from_time, content) VALUES ($1, $2, $3, $4)")
        .bind(tenant.as_str())
        .bind(before + 1)
        .bind(now)
        .bind(content)
        .execute(&mut *tx)
        .await?;
    if before == 0 {
        return Ok(0);
    }
    let moved = sql::query(
        "INSERT INTO events (tenant, ticket_id, kind, was, became, earliest, latest) \
         SELECT tenant, id, $2, $3, $4, $5, $5 FROM tickets WHERE tenant = $1 AND open = 1",
    )
    .bind(tenant.as_str())
    .bind(ChangeKind::PolicyVersion.as_str())
    .bind(before.to_string())
    .bind((before + 1).to_string())
    .bind(now)
    .execute(&mut *tx)
    .await?;
    books::mark_open(tx, tenant).await?;
    Ok(moved.rows_affected())
}

pub(super) fn version(row: &Row) -> Result<Version, StoreError> {
    let content: &str = row.try_get("content")?;
    Ok(Version {
        number: row.try_get("version")?,
        from: instant(row.try_get("from_time")?)?,
        terms: serde_json::from_str(content).map_err(unreadable)?,
    })
}

#[cfg(test)]
mod tests;
