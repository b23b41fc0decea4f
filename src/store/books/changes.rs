//! What is kept of a report is void once something changed of the months it speaks of. Whoever changes the books counts
//! that here in the same transaction: so this process, another replica and the command line are noticed alike.

use std::collections::BTreeSet;

use chrono::NaiveDate;

use super::month_of;
use crate::store::sql::{self, Connection};
use crate::store::{Store, StoreError};
use crate::ticket::TenantId;

/// Stands for all months: what somebody is called is shown in each.
const ALL: i64 = 0;

impl Store {
    /// Rises with each change of what reports on the days from `from` to `to` are made of.
    pub async fn book_changes(&self, tenant: &TenantId, (from, to): (NaiveDate, NaiveDate)) -> Result<i64, StoreError> {
        let query = "SELECT CAST(COALESCE(SUM(changes), 0) AS BIGINT) FROM book_changes \
             WHERE tenant = $1 AND (month = 0 OR month BETWEEN $2 AND $3)";
        let query = sql::query_scalar(query).bind(tenant.as_str()).bind(month_of(from)).bind(month_of(to));
        Ok(query.fetch_one(&self.reads).await?)
    }
}

/// Something changed of these months.
pub(super) async fn note(tx: &mut Connection, tenant: &TenantId, months: &BTreeSet<i64>) -> Result<(), sql::Error> {
    for month in months {
        let query = "INSERT INTO book_changes (tenant, month, changes) VALUES ($1, $2, 1) \
             ON CONFLICT (tenant, month) DO UPDATE SET changes = book_changes.changes + 1";
        sql::query(query).bind(tenant.as_str()).bind(month).execute(&mut *tx).await?;
    }
    Ok(())
}

/// Something changed that stands in the reports of all months.
pub(in crate::store) async fn note_all(tx: &mut Connection, tenant: &TenantId) -> Result<(), sql::Error> {
    note(tx, tenant, &BTreeSet::from([ALL])).await
}
