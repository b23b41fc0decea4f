//! Rebuilds the books from what is stored: ticket by ticket in pages, then the sums of all days.
//!
//! Nothing is deleted first. An entry that comes out unchanged keeps its row, and its shares and overdue time are
//! written again; a different one gets a revision, as it would at any other time. So closed months stay as they were
//! closed, a person's reason stays with its breach, and an interrupted rebuild does no harm.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use super::write::How;
use super::{Booked, Marked, Written, changes, mark, packed, rows, sums};
use crate::report::entry::Entry;
use crate::sla::zone::Tz;
use crate::store::sql::{self, Connection};
use crate::store::{Store, StoreError, millis};
use crate::ticket::{TenantId, TicketId};

/// How many days' sums are made in one transaction.
const DAYS: usize = 50;

impl Store {
    /// Counts the tickets of `tenant`.
    pub async fn ticket_count(&self, tenant: &TenantId) -> Result<u64, StoreError> {
        let count = sql::query_scalar("SELECT COUNT(*) FROM tickets WHERE tenant = $1").bind(tenant.as_str());
        Ok(count.fetch_one(&self.reads).await.map(i64::unsigned_abs)?)
    }

    /// Returns the next tickets of `tenant` by id, after `after`.
    pub async fn tickets_after(
        &self,
        tenant: &TenantId,
        after: Option<&TicketId>,
        limit: u32,
    ) -> Result<Vec<TicketId>, StoreError> {
        let ids: Vec<String> =
            sql::query_scalar("SELECT id FROM tickets WHERE tenant = $1 AND id > $2 ORDER BY id LIMIT $3")
                .bind(tenant.as_str())
                .bind(after.map_or("", TicketId::as_str))
                .bind(limit)
                .fetch_all(&self.reads)
                .await?;
        ids.iter().map(|id| TicketId::parse(id).map_err(super::unreadable)).collect()
    }

    /// Marks these tickets to be booked again; returns how often each is marked now.
    pub async fn mark_tickets(&self, tenant: &TenantId, tickets: Vec<TicketId>) -> Result<Vec<Marked>, StoreError> {
        let tenant = tenant.clone();
        self.writer
            .write(move |tx: &mut Connection| {
                Box::pin(async move {
                    mark(tx, &tenant, &tickets).await?;
                    let mut marked = Vec::with_capacity(tickets.len());
                    for ticket in tickets {
                        let marks = sql::query_scalar("SELECT marks FROM to_book WHERE tenant = $1 AND ticket = $2")
                            .bind(tenant.as_str())
                            .bind(ticket.as_str())
                            .fetch_one(&mut *tx)
                            .await?;
                        marked.push(Marked { tenant: tenant.clone(), ticket, marks });
                    }
                    Ok(marked)
                })
            })
            .await
    }

    /// Whether the ticket has a mark to be booked by `now`.
    pub async fn waits_to_be_booked(
        &self,
        tenant: &TenantId,
        ticket: &TicketId,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let query = "SELECT COUNT(*) FROM to_book WHERE tenant = $1 AND ticket = $2 AND at <= $3";
        let query = sql::query_scalar::<i64>(query).bind(tenant.as_str()).bind(ticket.as_str()).bind(millis(now));
        Ok(query.fetch_one(&self.reads).await? > 0)
    }

    /// Does the same as [`Store::book`], and rewrites shares and overdue time even where nothing changed.
    pub async fn book_anew(&self, tenant: &TenantId, booked: Vec<Booked>, zone: Tz) -> Result<Written, StoreError> {
        self.write_books(tenant, booked, zone, How::Anew).await
    }

    /// Returns the entries of these tickets as known now, without overdue time.
    pub async fn latest_entries(
        &self,
        tenant: &TenantId,
        tickets: &[TicketId],
    ) -> Result<HashMap<String, Vec<Entry>>, StoreError> {
        let mut reads = self.reads.acquire().await?;
        let ids = tickets.iter().map(TicketId::as_str);
        let mut found: HashMap<String, Vec<Entry>> = HashMap::new();
        for stored in rows::of_tickets(&mut reads, tenant, ids).await? {
            found.entry(stored.entry.ticket.to_string()).or_default().push(stored.entry);
        }
        Ok(found)
    }

    /// Recalculates the sums of all days of `tenant`, and has the days packed again; returns how many days there are.
    pub async fn sum_up_all(&self, tenant: &TenantId) -> Result<usize, StoreError> {
        let days: Vec<i64> = sql::query_scalar(
            "SELECT day FROM days WHERE tenant = $1 UNION SELECT day FROM entries WHERE tenant = $1 AND counts = 1
             UNION SELECT day FROM overdue WHERE tenant = $1 ORDER BY day",
        )
        .bind(tenant.as_str())
        .fetch_all(&self.reads)
        .await?;
        let whose = tenant.clone();
        self.writer
            .write(move |tx: &mut Connection| {
                Box::pin(async move {
                    packed::unpack_all(tx, &whose).await?;
                    changes::note_all(tx, &whose).await
                })
            })
            .await?;
        for some in days.chunks(DAYS) {
            let (tenant, some) = (tenant.clone(), some.to_vec());
            self.writer
                .write(move |tx: &mut Connection| {
                    Box::pin(async move {
                        for day in some {
                            sums::sum_up(tx, &tenant, day).await?;
                        }
                        Ok(())
                    })
                })
                .await?;
        }
        Ok(days.len())
    }

    /// Deletes shares and overdue time that belong to no entry; returns how many rows.
    pub async fn drop_what_is_of_no_entry(&self) -> Result<u64, StoreError> {
        self.writer
            .write(move |tx: &mut Connection| {
                Box::pin(async move {
                    let mut gone = 0;
                    for orphans in [
                        "DELETE FROM shares WHERE NOT EXISTS (SELECT 1 FROM entries e WHERE e.id = shares.entry)",
                        "DELETE FROM overdue WHERE NOT EXISTS (SELECT 1 FROM entries e WHERE e.id = overdue.entry)",
                        "DELETE FROM overdue_corrected WHERE NOT EXISTS (SELECT 1 FROM entries e WHERE e.id = overdue_corrected.entry)",
                    ] {
                        gone += sql::query(orphans).execute(&mut *tx).await?.rows_affected();
                    }
                    Ok(gone)
                })
            })
            .await
    }
}

/// Whether `stored` matches `made`: the same decisions, and the same facts for clocks that have stopped.
pub fn agree(stored: &[Entry], made: &[Entry]) -> bool {
    let same = |one: &Entry| {
        let found = stored.iter().find(|entry| (entry.clock, entry.round) == (one.clock, one.round));
        found.is_some_and(|entry| {
            // The counts of a running clock are only as recent as the last look at it.
            let runs = one.stopped_at.is_none() && entry.stopped_at.is_none();
            entry.is_same_decision(one) && (runs || rows::facts(entry) == rows::facts(one))
        })
    };
    stored.len() == made.len() && made.iter().all(same)
}
