//! The stored books: entries with their revisions, the daily figures made from them, and closed months.
//!
//! Every write of a ticket marks it in the same transaction ([`mark`]). The bookkeeper takes the marked tickets and
//! writes their entries, and marks the affected days to be summed up soon after. A closed month keeps the entries it was closed with:
//! later ones are stored beside them and count nowhere. Only what they tell of open months, a stop or overdue time, is
//! filled in to the entries that count.

pub(in crate::store) mod changes;
pub(in crate::store) mod look;
mod months;
mod packed;
mod page;
mod parts;
mod read;
mod reasons;
mod rebuild;
mod rows;
mod sums;
#[cfg(test)]
mod tests;
mod write;

use std::collections::HashMap;

use chrono::{DateTime, Datelike, NaiveDate, Utc};

pub use self::read::{Asked, BookDay, Correction, Queue};
pub use self::reasons::Missed;
pub use self::rebuild::agree;
pub use self::write::{Booked, Written};
use super::tickets::{by_ticket, unreadable};
use super::{Store, StoreError, millis};
use crate::report::entry::{Handover, Holder};
use crate::store::sealed::NAME;
use crate::store::sql::{self, Connection, QueryBuilder, Row};
use crate::ticket::{Named, RefId, TenantId, Ticket, TicketId};

/// The most rows in one statement.
const ROWS: usize = 500;
/// The time of a mark for at once: earlier than any other.
const AT_ONCE: i64 = 0;
/// The booking time of a ticket whose tenant is not configured: it waits until it is again.
pub const RESTING: DateTime<Utc> = DateTime::<Utc>::MAX_UTC;

/// A ticket that is to be booked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marked {
    pub tenant: TenantId,
    pub ticket: TicketId,
    /// How often it had been marked by the time it was taken.
    pub marks: i64,
}

/// Converts a date to its number in the books: days since 1970.
pub(crate) fn day_number(date: NaiveDate) -> i64 {
    i64::from(date.num_days_from_ce()) - EPOCH
}

/// Converts a number of days since 1970 to a date.
pub(crate) fn date_of(number: i64) -> Result<NaiveDate, StoreError> {
    let date = i32::try_from(number + EPOCH).ok().and_then(NaiveDate::from_num_days_from_ce_opt);
    date.ok_or_else(|| StoreError::Unreadable(format!("day `{number}` is out of range")))
}

/// 1 January 1970, in days counted from the year 1.
const EPOCH: i64 = 719_163;

/// Returns the number of the month of `date`.
pub fn month_of(date: NaiveDate) -> i64 {
    i64::from(date.year()) * 12 + i64::from(date.month0())
}

/// Returns the first day of the month with that number; none if it is outside the calendar.
pub fn first_of_month(month: i64) -> Option<NaiveDate> {
    let year = i32::try_from(month.div_euclid(12)).ok()?;
    NaiveDate::from_ymd_opt(year, u32::try_from(month.rem_euclid(12)).ok()? + 1, 1)
}

impl Store {
    /// Returns at most `limit` tickets to be booked by `now`, those marked by a change first.
    pub async fn to_book(&self, now: DateTime<Utc>, limit: u32) -> Result<Vec<Marked>, StoreError> {
        let query = "SELECT tenant, ticket, marks FROM to_book WHERE at <= $1 ORDER BY at, tenant, ticket LIMIT $2";
        let rows = sql::query(query).bind(millis(now)).bind(limit).fetch_all(&self.reads).await?;
        let marked = rows.iter().map(|row| {
            Ok(Marked {
                tenant: TenantId::parse(row.try_get("tenant")?).map_err(unreadable)?,
                ticket: TicketId::parse(row.try_get("ticket")?).map_err(unreadable)?,
                marks: row.try_get("marks")?,
            })
        });
        marked.collect()
    }

    /// Wakes all tickets that rest; those whose tenants are still not configured go back to rest.
    pub async fn end_rest(&self) -> Result<(), StoreError> {
        self.writer
            .write(move |tx: &mut Connection| {
                Box::pin(async move {
                    let query = sql::query("UPDATE to_book SET at = $2 WHERE at >= $1");
                    query.bind(millis(RESTING)).bind(AT_ONCE).execute(tx).await.map(drop)
                })
            })
            .await
    }

    /// Marks for booking the tickets with something decided after `now`, written by a clock that was ahead. Returns how
    /// many there are.
    pub async fn book_what_lies_ahead(&self, tenant: &TenantId, now: DateTime<Utc>) -> Result<u64, StoreError> {
        let tenant = tenant.clone();
        // Days are local, and no time zone is a whole day behind.
        let yesterday = now.date_naive().pred_opt().map_or(0, day_number);
        self.writer
            .write(move |tx: &mut Connection| {
                Box::pin(async move {
                    let query = sql::query(
                        "INSERT INTO to_book (tenant, ticket, at, marks) SELECT DISTINCT tenant, ticket, CAST($4 AS BIGINT), 1 FROM entries
                         WHERE tenant = $1 AND latest = 1 AND day >= $2 AND decided_at > $3
                         ON CONFLICT (tenant, ticket) DO UPDATE SET at = excluded.at, marks = to_book.marks + 1",
                    );
                    let query = query.bind(tenant.as_str()).bind(yesterday).bind(millis(now)).bind(AT_ONCE);
                    Ok(query.execute(tx).await?.rows_affected())
                })
            })
            .await
    }

    /// Returns when the next ticket is to be booked; none if nothing is waiting.
    pub async fn next_to_book(&self) -> Result<Option<DateTime<Utc>>, StoreError> {
        let at: Option<i64> = sql::query_scalar("SELECT MIN(at) FROM to_book").fetch_one(&self.reads).await?;
        at.map(super::instant).transpose()
    }

    /// Returns the handovers of each of the tickets with these `ids`, oldest first.
    pub async fn handovers_of(
        &self,
        tenant: &TenantId,
        ids: &[&str],
    ) -> Result<HashMap<TicketId, Vec<Handover>>, StoreError> {
        let query = "SELECT ticket_id, was, became, at FROM handovers \
                     WHERE tenant = $1 AND ticket_id IN (SELECT value FROM json_each($2)) ORDER BY at, id";
        let ids = serde_json::to_string(ids).map_err(unreadable)?;
        let rows = sql::query(query).bind(tenant.as_str()).bind(ids).fetch_all(&self.reads).await?;
        let holder = |id: Option<String>| {
            id.map_or(Holder::Nobody, |id| RefId::parse(&id).map_or(Holder::Unknown, Holder::Person))
        };
        let handover = |row: &Row| {
            let (from, to) = (holder(row.try_get("was")?), holder(row.try_get("became")?));
            let ticket = TicketId::parse(row.try_get("ticket_id")?).map_err(unreadable)?;
            Ok((ticket, Handover { from, to, at: super::instant(row.try_get("at")?)? }))
        };
        Ok(by_ticket(rows.iter().map(handover).collect::<Result<_, StoreError>>()?))
    }
}

/// Marks these tickets to be booked again, in the transaction that changes them.
pub(super) async fn mark<'a>(
    tx: &mut Connection,
    tenant: &TenantId,
    tickets: impl IntoIterator<Item = &'a TicketId>,
) -> Result<(), sql::Error> {
    let tickets: Vec<&TicketId> = tickets.into_iter().collect();
    for some in tickets.chunks(ROWS) {
        let mut query = QueryBuilder::new("INSERT INTO to_book (tenant, ticket, at, marks) ");
        query.push_values(some, |mut row, id| {
            row.push_bind(tenant.as_str()).push_bind(id.as_str()).push_bind(AT_ONCE).push_bind(1_i64);
        });
        query.push(" ON CONFLICT (tenant, ticket) DO UPDATE SET at = excluded.at, marks = to_book.marks + 1");
        query.build().execute(&mut *tx).await?;
    }
    Ok(())
}

/// Marks all open tickets to be booked again, because their terms changed.
pub(super) async fn mark_open(tx: &mut Connection, tenant: &TenantId) -> Result<(), sql::Error> {
    let query = "INSERT INTO to_book (tenant, ticket, at, marks) SELECT tenant, id, $2, 1 FROM tickets
                 WHERE tenant = $1 AND open = 1
                 ON CONFLICT (tenant, ticket) DO UPDATE SET at = excluded.at, marks = to_book.marks + 1";
    sql::query(query).bind(tenant.as_str()).bind(AT_ONCE).execute(tx).await.map(drop)
}

/// Records that the ticket went from one technician to another.
pub(super) async fn hand_over(
    tx: &mut Connection,
    tenant: &TenantId,
    ticket: &TicketId,
    (was, became): (Option<&Named>, Option<&Named>),
    at: DateTime<Utc>,
) -> Result<(), sql::Error> {
    sql::query("INSERT INTO handovers (tenant, ticket_id, was, became, at) VALUES ($1, $2, $3, $4, $5)")
        .bind(tenant.as_str())
        .bind(ticket.as_str())
        .bind(was.map(|named| named.id.as_str()))
        .bind(became.map(|named| named.id.as_str()))
        .bind(millis(at))
        .execute(tx)
        .await
        .map(drop)
}

/// Stores the names of the technicians and clients of `tickets`.
pub(super) async fn meet<'a>(
    tx: &mut Connection,
    tenant: &TenantId,
    tickets: impl Iterator<Item = &'a Ticket>,
    now: DateTime<Utc>,
) -> Result<(), sql::Error> {
    let named = |ticket: &'a Ticket| {
        let technician = ticket.technician.as_ref().map(|named| ("technician", named));
        technician.into_iter().chain(ticket.client.as_ref().map(|named| ("client", named)))
    };
    let all: std::collections::BTreeMap<_, _> =
        tickets.flat_map(named).map(|(kind, named)| ((kind, named.id.as_str()), named.name.as_str())).collect();
    introduce(tx, tenant, all.into_iter().map(|((kind, id), name)| (kind, id, name)), now).await
}

/// Stores the names of people and clients, each with its kind and id.
pub(super) async fn introduce<'a>(
    tx: &mut Connection,
    tenant: &TenantId,
    named: impl Iterator<Item = (&'static str, &'a str, &'a str)>,
    now: DateTime<Utc>,
) -> Result<(), sql::Error> {
    let named: Vec<_> = named.collect();
    let mut renamed = 0;
    for some in named.chunks(ROWS) {
        let mut query = QueryBuilder::new("INSERT INTO people (tenant, kind, id, name, seen_at) ");
        query.push_values(some, |mut row, (kind, id, name)| {
            row.push_bind(tenant.as_str()).push_bind(*kind).push_bind(*id);
            row.push_bind(NAME.seal(&[tenant.as_str(), *kind, *id], *name)).push_bind(millis(now));
        });
        query.push(
            " ON CONFLICT (tenant, kind, id) DO UPDATE SET name = excluded.name, seen_at = excluded.seen_at \
             WHERE people.name <> excluded.name",
        );
        renamed += query.build().execute(&mut *tx).await?.rows_affected();
    }
    if renamed > 0 {
        changes::note_all(tx, tenant).await?;
    }
    Ok(())
}
