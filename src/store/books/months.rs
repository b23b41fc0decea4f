//! Closed months: once a month is closed, its figures no longer change.

use std::collections::BTreeSet;

use chrono::{DateTime, Datelike, Months, NaiveDate, Utc};
use sha2::{Digest, Sha256};

use super::{changes, day_number, month_of, write};
use crate::keys::hex;
use crate::sla::zone::{Tz, UnknownZone};
use crate::store::sql::{self, Connection};
use crate::store::{Store, StoreError, millis};
use crate::ticket::TenantId;

/// The contents of a month's hash: everything decided in it, and nothing that may be filled in later.
const SEALED: &str = "SELECT ticket, clock, round, revision, outcome, COALESCE(why, '') AS why, day, decided_at, \
     COALESCE(target, -1) AS target, COALESCE(says, '') AS says, holder, COALESCE(client, '') AS client, \
     COALESCE(priority, '') AS priority, COALESCE(category, '') AS category, COALESCE(policy, '') AS policy, version, \
     maintenance FROM entries WHERE tenant = $1 AND counts = 1 AND day BETWEEN $2 AND $3 \
     ORDER BY ticket, clock, round, revision";

impl Store {
    /// Closes the month of `day`, with its days in the time zone `zone`, and returns its hash. A month already closed
    /// stays as it is.
    pub async fn close_month(
        &self,
        tenant: &TenantId,
        (day, zone): (NaiveDate, Tz),
        now: DateTime<Utc>,
    ) -> Result<String, StoreError> {
        let tenant = tenant.clone();
        self.writer
            .write(move |tx: &mut Connection| Box::pin(async move { close(tx, &tenant, (day, zone), now).await }))
            .await
    }

    /// Returns the time zone of the closed month of `day`; none if it is open, or was closed before zones were stored.
    pub async fn zone_of_month(&self, tenant: &TenantId, day: NaiveDate) -> Result<Option<Tz>, StoreError> {
        let query = sql::query_scalar::<Option<String>>("SELECT zone FROM months WHERE tenant = $1 AND month = $2");
        let zone = query.bind(tenant.as_str()).bind(month_of(day)).fetch_optional(&self.reads).await?.flatten();
        zone.map(|zone| zone.parse().map_err(|error: UnknownZone| StoreError::Unreadable(error.to_string())))
            .transpose()
    }

    /// Returns the current hash of the month of `day`, whether it is closed or not.
    pub async fn month_hash(&self, tenant: &TenantId, day: NaiveDate) -> Result<String, StoreError> {
        Ok(seal(&mut self.reads.acquire().await?, tenant, day).await?.0)
    }
}

async fn close(
    tx: &mut Connection,
    tenant: &TenantId,
    (day, zone): (NaiveDate, Tz),
    now: DateTime<Utc>,
) -> Result<String, sql::Error> {
    let month = month_of(day);
    if write::closed_months(tx, tenant).await?.contains(&month) {
        let query = sql::query_scalar("SELECT sha256 FROM months WHERE tenant = $1 AND month = $2");
        return query.bind(tenant.as_str()).bind(month).fetch_one(tx).await;
    }
    let (hash, entries) = seal(tx, tenant, day).await?;
    sql::query("INSERT INTO months (tenant, month, closed_at, sha256, entries, zone) VALUES ($1, $2, $3, $4, $5, $6)")
        .bind(tenant.as_str())
        .bind(month)
        .bind(millis(now))
        .bind(&hash)
        .bind(entries)
        .bind(zone.name())
        .execute(&mut *tx)
        .await?;
    changes::note(tx, tenant, &BTreeSet::from([month])).await?;
    Ok(hash)
}

/// Returns the hash of the month's entries, and how many there are.
pub(super) async fn seal(tx: &mut Connection, tenant: &TenantId, day: NaiveDate) -> Result<(String, i64), sql::Error> {
    let first = day.with_day(1).unwrap_or(day);
    let last = first.checked_add_months(Months::new(1)).and_then(|next| next.pred_opt()).unwrap_or(first);
    let query = sql::query(SEALED).bind(tenant.as_str()).bind(day_number(first)).bind(day_number(last));
    let rows = query.fetch_all(tx).await?;
    let mut hash = Sha256::new();
    for row in &rows {
        for name in ["ticket", "clock", "outcome", "why", "says", "holder", "client", "priority", "category", "policy"]
        {
            hash.update(row.try_get::<&str, _>(name)?);
            hash.update([0]);
        }
        for name in ["round", "revision", "day", "decided_at", "target", "version", "maintenance"] {
            hash.update(row.try_get::<i64, _>(name)?.to_be_bytes());
        }
    }
    Ok((hex(&hash.finalize()), i64::try_from(rows.len()).unwrap_or(i64::MAX)))
}
