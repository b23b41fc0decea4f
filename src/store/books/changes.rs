//! A cached report is outdated once anything changes in the months it covers. Every change of the books is counted here
//! in the same transaction, so changes by this process, another replica and the command line are all noticed.

use std::collections::BTreeSet;

use chrono::NaiveDate;

use super::month_of;
use crate::store::sql::{self, Connection};
use crate::store::{Store, StoreError};
use crate::ticket::TenantId;

/// Stands for all months: people's names appear in each.
const ALL: i64 = 0;

impl Store {
    /// Returns a number that rises with each change of the data for reports on the days from `from` to `to`.
    pub async fn book_changes(&self, tenant: &TenantId, (from, to): (NaiveDate, NaiveDate)) -> Result<i64, StoreError> {
        let query = "SELECT CAST(COALESCE(SUM(changes), 0) AS BIGINT) FROM book_changes \
             WHERE tenant = $1 AND (month = 0 OR month BETWEEN $2 AND $3)";
        let query = sql::query_scalar(query).bind(tenant.as_str()).bind(month_of(from)).bind(month_of(to));
        Ok(query.fetch_one(&self.reads).await?)
    }
}

/// Counts a change of these months.
pub(super) async fn note(tx: &mut Connection, tenant: &TenantId, months: &BTreeSet<i64>) -> Result<(), sql::Error> {
    for month in months {
        let query = "INSERT INTO book_changes (tenant, month, changes) VALUES ($1, $2, 1) \
             ON CONFLICT (tenant, month) DO UPDATE SET changes = book_changes.changes + 1";
        sql::query(query).bind(tenant.as_str()).bind(month).execute(&mut *tx).await?;
    }
    Ok(())
}

/// Counts a change that affects the reports of all months.
pub(in crate::store) async fn note_all(tx: &mut Connection, tenant: &TenantId) -> Result<(), sql::Error> {
    note(tx, tenant, &BTreeSet::from([ALL])).await
}
