//! The credits that policies grant, by version, and when months were closed: together they give the terms of a month.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};

use super::books::month_of;
use super::tickets::unreadable;
use super::{Store, StoreError, instant, millis};
use crate::report::credit::{CreditVersion, PolicyTerms};
use crate::store::sql::{self, Connection, Row};
use crate::ticket::TenantId;

impl Store {
    /// Returns every version of the credit terms of `tenant`'s policies, oldest first.
    pub async fn credit_versions(&self, tenant: &TenantId) -> Result<Vec<CreditVersion>, StoreError> {
        let query = "SELECT from_time, content FROM credit_terms WHERE tenant = $1 ORDER BY version";
        let rows = sql::query(query).bind(tenant.as_str()).fetch_all(&self.reads).await?;
        rows.iter().map(version).collect()
    }

    /// Makes `terms` the credit terms from `now` on; returns false if they are so already.
    pub async fn adopt_credits(
        &self,
        tenant: &TenantId,
        terms: &PolicyTerms,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        if self.credit_versions(tenant).await?.last().is_some_and(|last| last.terms == *terms) {
            return Ok(false);
        }
        let content = serde_json::to_string(terms).map_err(unreadable)?;
        let (tenant, from) = (tenant.clone(), millis(now));
        self.writer
            .write(move |tx: &mut Connection| {
                Box::pin(async move {
                    sql::query(
                        "INSERT INTO credit_terms (tenant, version, from_time, content)
                         SELECT $1, COALESCE(MAX(version), 0) + 1, $2, $3 FROM credit_terms WHERE tenant = $1",
                    )
                    .bind(tenant.as_str())
                    .bind(from)
                    .bind(content)
                    .execute(tx)
                    .await?;
                    Ok(true)
                })
            })
            .await
    }

    /// Returns when the closed months among those from `from` to `to` were closed, by month number.
    pub async fn months_closed_at(
        &self,
        tenant: &TenantId,
        (from, to): (NaiveDate, NaiveDate),
    ) -> Result<BTreeMap<i64, DateTime<Utc>>, StoreError> {
        let query = "SELECT month, closed_at FROM months WHERE tenant = $1 AND month BETWEEN $2 AND $3 ORDER BY month";
        let query = sql::query_as(query).bind(tenant.as_str()).bind(month_of(from)).bind(month_of(to));
        let months: Vec<(i64, i64)> = query.fetch_all(&self.reads).await?;
        months.into_iter().map(|(month, at)| Ok((month, instant(at)?))).collect()
    }
}

pub(super) fn version(row: &Row) -> Result<CreditVersion, StoreError> {
    let content: &str = row.try_get("content")?;
    Ok(CreditVersion {
        from: instant(row.try_get("from_time")?)?,
        terms: serde_json::from_str(content).map_err(unreadable)?,
    })
}
