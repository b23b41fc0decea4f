//! Packed days: all that reports read of a day as one value, stored once nothing more is decided on that day.
//!
//! A write to a day deletes its packed form in the same transaction ([`unpack`]), and the bookkeeper packs it again
//! when nothing else is waiting. Unpacked days are read from their rows, so figures never depend on what is packed.

use std::collections::{BTreeSet, HashSet};

use chrono::NaiveDate;

use super::page;
pub(super) use super::page::VERSION;
use super::parts::{BESIDE, OF_PERIOD, STOPPED, booked_days, read_rows};
use super::rows::Stored;
use super::{date_of, day_number, rows};
use crate::report::entry::Entry;
use crate::report::technician::Count;
use crate::store::sql::{self, Connection, Row};
use crate::store::{Store, StoreError};
use crate::ticket::TenantId;

impl Store {
    /// Packs at most `limit` days before `today`, the latest first; returns how many.
    pub async fn pack_days(&self, tenant: &TenantId, today: NaiveDate, limit: usize) -> Result<usize, StoreError> {
        let Some((first, _)) = self.booked_days(tenant).await? else { return Ok(0) };
        let (first, today) = (day_number(first), day_number(today));
        let query = "SELECT COUNT(*) FROM packed_days WHERE tenant = $1 AND day >= $2 AND day < $3 AND version = $4";
        let query = sql::query_scalar::<i64>(query).bind(tenant.as_str()).bind(first).bind(today).bind(VERSION);
        if query.fetch_one(&self.reads).await? >= today - first {
            return Ok(0);
        }
        let query =
            "SELECT day FROM packed_days WHERE tenant = $1 AND day >= $2 AND day < $3 AND version = $4 ORDER BY day";
        let query = sql::query_scalar(query).bind(tenant.as_str()).bind(first).bind(today).bind(VERSION);
        let packed: BTreeSet<i64> = query.fetch_all(&self.reads).await?.into_iter().collect();
        let missing: Vec<i64> = (first..today).rev().filter(|day| !packed.contains(day)).take(limit).collect();
        for day in &missing {
            let (tenant, day) = (tenant.clone(), *day);
            self.writer.write(move |tx: &mut Connection| Box::pin(async move { pack(tx, &tenant, day).await })).await?;
        }
        Ok(missing.len())
    }

    /// Passes to `count` the entries from `from` to `to` that count on their days, and those that stopped then.
    pub async fn count_entries(
        &self,
        tenant: &TenantId,
        (from, to): (NaiveDate, NaiveDate),
        count: &mut Count,
    ) -> Result<(), StoreError> {
        let mut reads = self.reads.acquire().await?;
        let days = (day_number(from), day_number(to));
        let packed = each_packed(&mut reads, tenant, days, |day, packed| page::count(day, packed, count)).await?;
        for gap in gaps(days, &packed) {
            let rows = read_rows(&mut reads, OF_PERIOD, tenant, gap).await?;
            rows.iter().for_each(|stored| count.entry(&stored.entry));
        }
        let stopped = read_rows(&mut reads, STOPPED, tenant, days).await?;
        stopped.iter().for_each(|stored| count.entry(&stored.entry));
        Ok(())
    }
}

/// Reads the entries that count on the days from `from` to `to`, with their shares.
pub(super) async fn of_days(
    reads: &mut Connection,
    tenant: &TenantId,
    days: (i64, i64),
) -> Result<Vec<Stored>, StoreError> {
    let mut all = Vec::with_capacity(room_for(reads, tenant, days).await?);
    let packed = each_packed(reads, tenant, days, |day, packed| page::unpack(day, packed, &mut all)).await?;
    if !packed.is_empty() {
        rows::give_words(reads, tenant, days, &mut all).await?;
    }
    for gap in gaps(days, &packed) {
        all.extend(read_rows(reads, OF_PERIOD, tenant, gap).await?);
    }
    Ok(all)
}

/// How many entries to make room for: those of the days, and a twentieth for what stands beside them. A list that grows
/// by doubling would hold a year three times over.
async fn room_for(reads: &mut Connection, tenant: &TenantId, (from, to): (i64, i64)) -> Result<usize, StoreError> {
    let query = "SELECT COUNT(*) FROM entries WHERE tenant = $1 AND counts = 1 AND day BETWEEN $2 AND $3";
    let query = sql::query_scalar::<i64>(query).bind(tenant.as_str()).bind(from).bind(to);
    let entries = usize::try_from(query.fetch_one(reads).await?).unwrap_or_default();
    Ok(entries + entries / 20)
}

/// With fewer entries it is quicker to ask for their tickets one by one than to go through all other days.
const FEW: usize = if cfg!(test) { 12 } else { 10_000 };

/// Reads the other headline clocks of the tickets of `inside`, the entries that count on the days from `from` to `to`:
/// those clocks that were neither decided nor stopped then.
pub(super) async fn beside(
    reads: &mut Connection,
    tenant: &TenantId,
    (from, to): (i64, i64),
    inside: &[Stored],
) -> Result<Vec<Stored>, StoreError> {
    if inside.len() < FEW {
        return read_rows(reads, BESIDE, tenant, (from, to)).await;
    }
    let Some((first, last)) = booked_days(reads, tenant).await? else { return Ok(Vec::new()) };
    let known: HashSet<&str> = inside.iter().map(|stored| &*stored.entry.ticket).collect();
    let mut found = Vec::new();
    for days in [(first, from - 1), (to + 1, last)] {
        found.extend(of_tickets(reads, tenant, days, &known).await?);
    }
    let stopped_inside = |entry: &Entry| entry.stop_day.map(day_number).is_some_and(|day| (from..=to).contains(&day));
    found.retain(|stored| stored.entry.is_headline() && !stopped_inside(&stored.entry));
    Ok(found)
}

/// Reads the entries of these days that belong to one of the tickets.
async fn of_tickets(
    reads: &mut Connection,
    tenant: &TenantId,
    days: (i64, i64),
    known: &HashSet<&str>,
) -> Result<Vec<Stored>, StoreError> {
    let mut found = Vec::new();
    let read = |day: NaiveDate, packed: &[u8]| match page::is_of(packed, |ticket| known.contains(ticket)) {
        true => page::unpack(day, packed, &mut found),
        false => Ok(()),
    };
    let packed = each_packed(reads, tenant, days, read).await?;
    found.retain(|stored| known.contains(&*stored.entry.ticket));
    if !found.is_empty() {
        rows::give_words(reads, tenant, days, &mut found).await?;
    }
    for gap in gaps(days, &packed) {
        let rows = read_rows(reads, OF_PERIOD, tenant, gap).await?;
        found.extend(rows.into_iter().filter(|stored| known.contains(&*stored.entry.ticket)));
    }
    Ok(found)
}

/// Reads each packed day; returns which days are packed.
async fn each_packed(
    reads: &mut Connection,
    tenant: &TenantId,
    (from, to): (i64, i64),
    mut read: impl FnMut(NaiveDate, &[u8]) -> Result<(), StoreError> + Send,
) -> Result<Vec<i64>, StoreError> {
    let query =
        "SELECT day, packed FROM packed_days WHERE tenant = $1 AND day BETWEEN $2 AND $3 AND version = $4 ORDER BY day";
    let query = sql::query(query).bind(tenant.as_str()).bind(from).bind(to).bind(VERSION);
    let one = |row: Row| {
        let day: i64 = row.try_get(0)?;
        read(date_of(day)?, row.try_get::<&[u8], _>(1)?)?;
        Ok(day)
    };
    query.fetch_each(reads, one).await
}

/// Returns the days from `from` to `to` that are not among `packed`, as ranges.
fn gaps((from, to): (i64, i64), packed: &[i64]) -> Vec<(i64, i64)> {
    let (mut gaps, mut next) = (Vec::new(), from);
    for day in packed.iter().copied().chain([to + 1]) {
        if next < day {
            gaps.push((next, day - 1));
        }
        next = day + 1;
    }
    gaps
}

/// Packs the rows of a day.
pub(super) async fn made(connection: &mut Connection, tenant: &TenantId, day: i64) -> Result<Vec<u8>, StoreError> {
    let mut all = read_rows(connection, OF_PERIOD, tenant, (day, day)).await?;
    all.sort_by_key(|stored| stored.id);
    Ok(page::pack(date_of(day)?, &all))
}

async fn pack(tx: &mut Connection, tenant: &TenantId, day: i64) -> Result<(), sql::Error> {
    let packed = made(tx, tenant, day).await.map_err(rows::decode)?;
    sql::query(
        "INSERT INTO packed_days (tenant, day, version, packed) VALUES ($1, $2, $3, $4)
         ON CONFLICT (tenant, day) DO UPDATE SET version = excluded.version, packed = excluded.packed",
    )
    .bind(tenant.as_str())
    .bind(day)
    .bind(VERSION)
    .bind(packed)
    .execute(tx)
    .await
    .map(drop)
}

/// Deletes the packed form of a day whose entries change.
pub(super) async fn unpack(tx: &mut Connection, tenant: &TenantId, day: i64) -> Result<(), sql::Error> {
    let query = sql::query("DELETE FROM packed_days WHERE tenant = $1 AND day = $2");
    query.bind(tenant.as_str()).bind(day).execute(tx).await.map(drop)
}

/// Deletes the packed form of all days.
pub(super) async fn unpack_all(tx: &mut Connection, tenant: &TenantId) -> Result<(), sql::Error> {
    let query = sql::query("DELETE FROM packed_days WHERE tenant = $1");
    query.bind(tenant.as_str()).execute(tx).await.map(drop)
}
