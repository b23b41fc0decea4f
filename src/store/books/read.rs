//! What reports read from the books.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, NaiveDate, Utc};

use super::parts::{STOPPED, booked_days, read_rows};
use super::rows::{self, Stored};
use super::{ROWS, date_of, day_number, month_of, packed};
use crate::report::day::Stretches;
use crate::report::entry::{Entry, Holder, Outcome};
use crate::store::sql::{self, Row};
use crate::store::{Store, StoreError, instant, millis};
use crate::ticket::{TenantId, TicketId};

/// Which entries to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    pub from: NaiveDate,
    pub to: NaiveDate,
    /// Whether to use what is known now, rather than what the closed months were closed with.
    pub latest: bool,
}

/// The sums of one day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BookDay {
    pub day: NaiveDate,
    pub met: u64,
    pub breached: u64,
    pub excluded: u64,
    pub met_in_maintenance: u64,
    pub breached_in_maintenance: u64,
    /// Milliseconds.
    pub overdue: i64,
    pub overdue_in_all: i64,
}

/// A decision that changed after its month was closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Correction {
    pub ticket: String,
    pub day: NaiveDate,
    pub clock: String,
    pub outcome: Outcome,
    /// Whether the figures of its month count it; otherwise it is what is known now.
    pub counts: bool,
}

/// How many tickets wait to be booked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Queue {
    pub waiting: u64,
}

/// For each clock that changed after its month was closed: the entry that counts there, or, if none does, the late one.
const CHANGED_LATE: &str = "FROM entries e WHERE e.tenant = $1 AND e.counts <> e.latest AND e.day BETWEEN $2 AND $3 \
     AND (e.counts = 1 OR NOT EXISTS (SELECT 1 FROM entries f WHERE f.tenant = e.tenant AND f.ticket = e.ticket \
          AND f.clock = e.clock AND f.round = e.round AND f.counts = 1 AND f.latest = 0))";
const CORRECTED: &str = "FROM entries e WHERE e.tenant = $1 AND e.counts <> e.latest AND e.day BETWEEN $2 AND $3";

impl Store {
    /// Returns the entries behind the figures of some days, ordered by ticket, clock and round.
    pub async fn entries(&self, tenant: &TenantId, asked: Asked) -> Result<Vec<Entry>, StoreError> {
        let mut reads = self.reads.acquire().await?;
        let (from, to) = (day_number(asked.from), day_number(asked.to));
        let mut all = packed::of_days(&mut reads, tenant, (from, to)).await?;
        let beside = packed::beside(&mut reads, tenant, (from, to), &all).await?;
        all.extend(read_rows(&mut reads, STOPPED, tenant, (from, to)).await?);
        all.extend(beside);
        if asked.latest {
            let corrected = read_rows(&mut reads, CORRECTED, tenant, (from, to)).await?;
            let (replaced, late): (Vec<Stored>, Vec<Stored>) = corrected.into_iter().partition(|stored| stored.counts);
            // What is replaced may be here for its stop, although it was decided on another day.
            let clock = |stored: &Stored| (stored.entry.ticket.clone(), stored.entry.clock, stored.entry.round);
            let replaced: HashSet<i64> = replaced.iter().map(|stored| stored.id).collect();
            let known: HashSet<_> = late.iter().map(clock).collect();
            all.retain(|stored| !replaced.contains(&stored.id) && !known.contains(&clock(stored)));
            all.extend(late);
        }
        let key = |stored: &Stored| (stored.entry.clock, stored.entry.round, stored.id);
        // In place: a stable order would take half as much memory again.
        all.sort_unstable_by(|a, b| a.entry.ticket.cmp(&b.entry.ticket).then_with(|| key(a).cmp(&key(b))));
        Ok(all.into_iter().map(|stored| stored.entry).collect())
    }

    /// Returns the breaches among the clocks of these tickets, as known now, without shares.
    pub async fn breaches_of(&self, tenant: &TenantId, tickets: &[&str]) -> Result<Vec<Entry>, StoreError> {
        Ok(rows::breaches_of(&mut self.reads.acquire().await?, tenant, tickets).await?)
    }

    /// Returns the sums of the days from `from` to `to`, of a clock or of all; days without entries are left out.
    pub async fn book_days(
        &self,
        tenant: &TenantId,
        clock: &str,
        (from, to): (NaiveDate, NaiveDate),
    ) -> Result<Vec<BookDay>, StoreError> {
        let rows = sql::query(
            "SELECT day, met, breached, excluded, met_in_maintenance, breached_in_maintenance, overdue, overdue_in_all \
             FROM days WHERE tenant = $1 AND day BETWEEN $2 AND $3 AND clock = $4 ORDER BY day",
        )
        .bind(tenant.as_str())
        .bind(day_number(from))
        .bind(day_number(to))
        .bind(clock)
        .fetch_all(&self.reads)
        .await?;
        let day = |row: &Row| {
            let count = |name: &str| -> Result<u64, StoreError> {
                Ok(u64::try_from(row.try_get::<i64, _>(name)?).unwrap_or_default())
            };
            Ok(BookDay {
                day: date_of(row.try_get("day")?)?,
                met: count("met")?,
                breached: count("breached")?,
                excluded: count("excluded")?,
                met_in_maintenance: count("met_in_maintenance")?,
                breached_in_maintenance: count("breached_in_maintenance")?,
                overdue: row.try_get("overdue")?,
                overdue_in_all: row.try_get("overdue_in_all")?,
            })
        };
        rows.iter().map(day).collect()
    }

    /// Returns when clocks were overdue on each of the requested days, of the `client` or of all, one beside the other;
    /// `with_maintenance` includes clocks that met a maintenance window. Days on which nothing was overdue are left out.
    pub async fn overdue_stretches(
        &self,
        tenant: &TenantId,
        client: Option<&str>,
        asked: Asked,
        with_maintenance: bool,
    ) -> Result<BTreeMap<NaiveDate, Stretches>, StoreError> {
        let rows: Vec<(i64, i64, i64)> = sql::query_as(
            "SELECT o.day, o.from_at, o.to_at FROM overdue o JOIN entries e ON e.id = o.entry
             WHERE o.tenant = $1 AND o.day BETWEEN $2 AND $3 AND (e.client = $4 OR $4 IS NULL)
             AND o.maintenance <= $5 AND e.latest >= $6
             UNION ALL SELECT o.day, o.from_at, o.to_at FROM overdue_corrected o JOIN entries e ON e.id = o.entry
             WHERE o.tenant = $1 AND o.day BETWEEN $2 AND $3 AND (e.client = $4 OR $4 IS NULL)
             AND o.maintenance <= $5 AND e.latest = 1 AND $6 = 1",
        )
        .bind(tenant.as_str())
        .bind(day_number(asked.from))
        .bind(day_number(asked.to))
        .bind(client)
        .bind(i64::from(with_maintenance))
        .bind(i64::from(asked.latest))
        .fetch_all(&self.reads)
        .await?;
        let mut days: BTreeMap<NaiveDate, Stretches> = BTreeMap::new();
        for (day, from, to) in rows {
            days.entry(date_of(day)?).or_default().push((instant(from)?, instant(to)?));
        }
        Ok(days)
    }

    /// Counts the tickets that each holder resolved in these days.
    pub async fn resolutions(
        &self,
        tenant: &TenantId,
        (from, to): (NaiveDate, NaiveDate),
    ) -> Result<Vec<(Holder, u64)>, StoreError> {
        let rows: Vec<(String, i64)> = sql::query_as(
            "SELECT holder, COUNT(*) FROM entries WHERE tenant = $1 AND counts = 1 AND stop_day BETWEEN $2 AND $3
             AND clock = 'resolution' GROUP BY holder ORDER BY holder",
        )
        .bind(tenant.as_str())
        .bind(day_number(from))
        .bind(day_number(to))
        .fetch_all(&self.reads)
        .await?;
        Ok(rows.into_iter().map(|(holder, count)| (Holder::from(holder), count.unsigned_abs())).collect())
    }

    /// Returns what changed in these days after their months were closed.
    pub async fn corrections(
        &self,
        tenant: &TenantId,
        (from, to): (NaiveDate, NaiveDate),
    ) -> Result<Vec<Correction>, StoreError> {
        let mut reads = self.reads.acquire().await?;
        let rows = read_rows(&mut reads, CHANGED_LATE, tenant, (day_number(from), day_number(to))).await?;
        let correction = |stored: Stored| Correction {
            ticket: stored.entry.ticket.to_string(),
            day: stored.entry.day,
            clock: stored.entry.clock.as_str().to_owned(),
            outcome: stored.entry.outcome,
            counts: stored.counts,
        };
        Ok(rows.into_iter().map(correction).collect())
    }

    /// Returns the names of people and clients, by kind and id.
    pub async fn called(&self, tenant: &TenantId) -> Result<BTreeMap<(String, String), String>, StoreError> {
        let query = "SELECT kind, id, name, tenant FROM people WHERE tenant = $1 ORDER BY kind, id";
        let rows = sql::query(query).bind(tenant.as_str()).fetch_all(&self.reads).await?;
        rows.iter().map(|row| Ok(((row.try_get("kind")?, row.try_get("id")?), row.try_get("name")?))).collect()
    }

    /// Returns the display ids and subjects of these tickets.
    pub async fn labels(
        &self,
        tenant: &TenantId,
        tickets: &[TicketId],
    ) -> Result<HashMap<String, (String, String)>, StoreError> {
        let mut labels = HashMap::new();
        for id in tickets {
            if let Some(watched) = self.ticket(tenant, id).await? {
                let ticket = &watched.ticket;
                labels.insert(ticket.id.to_string(), (ticket.display_id.clone(), ticket.subject.clone()));
            }
        }
        Ok(labels)
    }

    /// Returns the display ids of these tickets.
    pub async fn display_ids(
        &self,
        tenant: &TenantId,
        tickets: &[&str],
    ) -> Result<HashMap<String, String>, StoreError> {
        let query = "SELECT id, display_id FROM tickets \
                     WHERE tenant = $1 AND id IN (SELECT value FROM json_each($2)) ORDER BY id";
        let mut found = HashMap::new();
        for some in tickets.chunks(ROWS) {
            let ids = serde_json::to_string(some).map_err(super::unreadable)?;
            let rows: Vec<(String, String)> =
                sql::query_as(query).bind(tenant.as_str()).bind(ids).fetch_all(&self.reads).await?;
            found.extend(rows);
        }
        Ok(found)
    }

    /// Counts the tickets that wait to be booked at `now`, up to `limit`.
    pub async fn book_queue(&self, now: DateTime<Utc>, limit: u32) -> Result<Queue, StoreError> {
        let query = "SELECT COUNT(*) FROM (SELECT 1 FROM to_book WHERE at <= $1 LIMIT $2) AS waiting";
        let waiting: i64 = sql::query_scalar(query).bind(millis(now)).bind(limit).fetch_one(&self.reads).await?;
        Ok(Queue { waiting: u64::try_from(waiting).unwrap_or_default() })
    }

    /// Returns the first and the last day on which something of `tenant` was decided.
    pub async fn booked_days(&self, tenant: &TenantId) -> Result<Option<(NaiveDate, NaiveDate)>, StoreError> {
        let found = booked_days(&mut self.reads.acquire().await?, tenant).await?;
        found.map(|(first, last)| Ok((date_of(first)?, date_of(last)?))).transpose()
    }

    /// Returns the closed months with days from `from` to `to`: their numbers and hashes, the earliest first.
    pub async fn closed_months(
        &self,
        tenant: &TenantId,
        (from, to): (NaiveDate, NaiveDate),
    ) -> Result<Vec<(i64, String)>, StoreError> {
        let query = "SELECT month, sha256 FROM months WHERE tenant = $1 AND month BETWEEN $2 AND $3 ORDER BY month";
        let query = sql::query_as(query).bind(tenant.as_str()).bind(month_of(from)).bind(month_of(to));
        Ok(query.fetch_all(&self.reads).await?)
    }

    /// Returns the maintenance windows of `tenant` that end after `since`, including those ended early.
    pub async fn maintenance_since(
        &self,
        tenant: &TenantId,
        since: DateTime<Utc>,
    ) -> Result<Vec<crate::alert::suppression::Suppression>, StoreError> {
        let query = "SELECT * FROM maintenance_windows WHERE tenant = $1 AND until_at > $2 ORDER BY until_at, id";
        let rows = sql::query(query).bind(tenant.as_str()).bind(millis(since)).fetch_all(&self.reads).await?;
        rows.iter().map(crate::store::suppressions::window).collect()
    }
}
