//! The audit log: every change by a person leaves a row, in the transaction that makes the change.

use chrono::{DateTime, Utc};
use sqlx::SqliteConnection;

use super::millis;
use crate::ticket::TenantId;

/// Who makes a change, for the audit log.
#[derive(Clone, Debug)]
pub struct Author {
    pub who: String,
    /// From where: `command line`, or an address.
    pub origin: String,
}

/// Writes down that `author` did `what`.
pub(super) async fn audit(
    tx: &mut SqliteConnection,
    tenant: Option<&TenantId>,
    what: &str,
    author: &Author,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query("INSERT INTO audit (tenant, at, who, what, origin) VALUES ($1, $2, $3, $4, $5)")
        .bind(tenant.map(TenantId::as_str))
        .bind(millis(now))
        .bind(&author.who)
        .bind(what)
        .bind(&author.origin)
        .execute(tx)
        .await
        .map(drop)
}
