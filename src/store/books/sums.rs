//! The sums of days. Booking marks the days whose entries change, and they are summed up once the bookkeeper has caught
//! up: adding up a day with ten thousand breaches takes longer than booking one of them.

use std::collections::BTreeSet;

use super::{ROWS, changes, date_of, month_of};
use crate::store::sql::{self, Connection, QueryBuilder};
use crate::store::{Store, StoreError};
use crate::ticket::TenantId;

impl Store {
    /// Sums up the next marked day; returns whether there was one.
    pub async fn sum_up_a_day(&self) -> Result<bool, StoreError> {
        let query = sql::query_as("SELECT tenant, day FROM days_to_sum ORDER BY tenant, day LIMIT 1");
        let Some((tenant, day)): Option<(String, i64)> = query.fetch_optional(&self.reads).await? else {
            return Ok(false);
        };
        let tenant = TenantId::parse(&tenant).map_err(super::unreadable)?;
        let month = BTreeSet::from([month_of(date_of(day)?)]);
        self.writer
            .write(move |tx: &mut Connection| {
                Box::pin(async move {
                    sum_up(tx, &tenant, day).await?;
                    changes::note(tx, &tenant, &month).await
                })
            })
            .await?;
        Ok(true)
    }
}

/// Marks days to be summed up.
pub(super) async fn mark(tx: &mut Connection, tenant: &TenantId, days: &BTreeSet<i64>) -> Result<(), sql::Error> {
    let days: Vec<i64> = days.iter().copied().collect();
    for some in days.chunks(ROWS) {
        let mut query = QueryBuilder::new("INSERT INTO days_to_sum (tenant, day) ");
        query.push_values(some, |mut row, day| {
            row.push_bind(tenant.as_str()).push_bind(*day);
        });
        query.push(" ON CONFLICT (tenant, day) DO NOTHING");
        query.build().execute(&mut *tx).await?;
    }
    Ok(())
}

/// Calculates the sums of one day anew, and removes its mark.
pub(super) async fn sum_up(tx: &mut Connection, tenant: &TenantId, day: i64) -> Result<(), sql::Error> {
    for text in
        ["DELETE FROM days_to_sum WHERE tenant = $1 AND day = $2", "DELETE FROM days WHERE tenant = $1 AND day = $2"]
    {
        sql::query(text).bind(tenant.as_str()).bind(day).execute(&mut *tx).await?;
    }
    let [all, outside] = overdue(tx, tenant, day).await?;
    for (text, outside, all) in [(SUM_CLOCKS, 0, 0), (SUM_ALL, outside, all)] {
        let query = sql::query(text).bind(tenant.as_str()).bind(day).bind(outside).bind(all);
        query.execute(&mut *tx).await?;
    }
    Ok(())
}

const SUM_CLOCKS: &str = "INSERT INTO days (tenant, day, clock, met, breached, excluded, met_in_maintenance, \
     breached_in_maintenance, overdue, overdue_in_all) \
     SELECT $1, $2, clock, \
     SUM(CASE WHEN outcome = 'met' AND maintenance = 0 THEN 1 ELSE 0 END), \
     SUM(CASE WHEN outcome = 'breached' AND maintenance = 0 THEN 1 ELSE 0 END), \
     SUM(CASE WHEN outcome = 'excluded' THEN 1 ELSE 0 END), \
     SUM(CASE WHEN outcome = 'met' AND maintenance = 1 THEN 1 ELSE 0 END), \
     SUM(CASE WHEN outcome = 'breached' AND maintenance = 1 THEN 1 ELSE 0 END), $3, $4 \
     FROM entries WHERE tenant = $1 AND counts = 1 AND day = $2 AND headline = 1 GROUP BY clock";

/// Adds up the sums of the clocks, which were made just before.
const SUM_ALL: &str = "INSERT INTO days (tenant, day, clock, met, breached, excluded, met_in_maintenance, \
     breached_in_maintenance, overdue, overdue_in_all) \
     SELECT $1, $2, 'all', COALESCE(SUM(met), 0), COALESCE(SUM(breached), 0), COALESCE(SUM(excluded), 0), \
     COALESCE(SUM(met_in_maintenance), 0), COALESCE(SUM(breached_in_maintenance), 0), $3, $4 \
     FROM days WHERE tenant = $1 AND day = $2";

/// Stretches overlap, so each counts only from the end of those before it.
const OVERDUE: &str = "SELECT \
     CAST(COALESCE(SUM(CASE WHEN to_at > begun THEN to_at - begun ELSE 0 END), 0) AS BIGINT) AS whole, \
     CAST(COALESCE(SUM(CASE WHEN maintenance = 0 AND to_at > begun_outside THEN to_at - begun_outside ELSE 0 END), 0) \
     AS BIGINT) AS outside \
     FROM (SELECT to_at, maintenance, CASE WHEN before > from_at THEN before ELSE from_at END AS begun, \
     CASE WHEN before_outside > from_at THEN before_outside ELSE from_at END AS begun_outside \
     FROM (SELECT from_at, to_at, maintenance, \
     MAX(to_at) OVER (ORDER BY from_at ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before, \
     MAX(CASE WHEN maintenance = 0 THEN to_at END) \
     OVER (ORDER BY from_at ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before_outside \
     FROM overdue WHERE tenant = $1 AND day = $2) AS stretches) AS begun_stretches";

/// Returns how long something was overdue on the day: in all, and outside maintenance windows.
pub(super) async fn overdue(tx: &mut Connection, tenant: &TenantId, day: i64) -> Result<[i64; 2], sql::Error> {
    let row = sql::query(OVERDUE).bind(tenant.as_str()).bind(day).fetch_one(tx).await?;
    Ok([row.try_get("whole")?, row.try_get("outside")?])
}
