//! What was said about alerts, and how each attempt went: read for people to see.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Row, Sqlite};

use super::alerts::{AlertRow, alert_row};
use super::outbox::{Logged, logged};
use super::{Store, StoreError, instant};
use crate::ticket::TenantId;

/// More alerts than anybody looks through.
const MOST_ALERTS: i64 = 50_000;

/// Which alerts are asked for; none asks for all.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted<'a> {
    pub tenant: Option<&'a TenantId>,
    pub ticket: Option<&'a str>,
    /// Whether they are open, acknowledged and snoozed ones among them.
    pub open: Option<bool>,
}

/// How one attempt to send a notification went.
#[derive(Clone, Debug)]
pub struct LoggedAttempt {
    pub number: u32,
    pub at: DateTime<Utc>,
    /// taken | unavailable | refused | misconfigured
    pub outcome: String,
    pub detail: Option<String>,
}

impl Store {
    /// The alerts that are `wanted`, the latest changed first.
    pub async fn list_alerts(&self, wanted: Wanted<'_>) -> Result<Vec<AlertRow>, StoreError> {
        let rows = sqlx::query(
            "SELECT * FROM alerts WHERE (tenant = $1 OR $1 IS NULL) AND (ticket_id = $2 OR $2 IS NULL)
             AND (state = $3 OR $3 IS NULL) ORDER BY changed_at DESC, key LIMIT $4",
        )
        .bind(wanted.tenant.map(TenantId::as_str))
        .bind(wanted.ticket)
        .bind(wanted.open.map(|open| if open { "open" } else { "resolved" }))
        .bind(MOST_ALERTS)
        .fetch_all(&self.reads)
        .await?;
        rows.iter().map(alert_row).collect()
    }

    /// What was said about each of these alerts, by its key, oldest first.
    pub async fn said_of(&self, alerts: &[String]) -> Result<HashMap<String, Vec<Logged>>, StoreError> {
        let mut said: HashMap<String, Vec<Logged>> = HashMap::new();
        let rows = self.among("SELECT * FROM notifications WHERE alert_key IN (", alerts, ") ORDER BY created_at, key");
        // One that cannot be read any more must not hide the others.
        for found in rows.await?.iter().filter_map(|row| logged(row).ok()) {
            said.entry(found.leased.notification.alert_key.clone()).or_default().push(found);
        }
        Ok(said)
    }

    /// The attempts to send each of these notifications, by its key, in order.
    pub async fn attempts_of(&self, keys: &[String]) -> Result<HashMap<String, Vec<LoggedAttempt>>, StoreError> {
        let mut attempts: HashMap<String, Vec<LoggedAttempt>> = HashMap::new();
        let rows = self.among("SELECT * FROM attempts WHERE notification IN (", keys, ") ORDER BY id");
        for row in rows.await? {
            let key: String = row.try_get("notification")?;
            attempts.entry(key).or_default().push(attempt(&row)?);
        }
        Ok(attempts)
    }

    /// The rows that `before`, the list of `values` and `after` ask for.
    pub(super) async fn among(
        &self,
        before: &str,
        values: &[String],
        after: &str,
    ) -> Result<Vec<SqliteRow>, StoreError> {
        let mut rows = Vec::new();
        for some in values.chunks(500) {
            let mut query: QueryBuilder<Sqlite> = QueryBuilder::new(before);
            let mut list = query.separated(", ");
            for value in some {
                list.push_bind(value);
            }
            rows.extend(query.push(after).build().fetch_all(&self.reads).await?);
        }
        Ok(rows)
    }
}

fn attempt(row: &SqliteRow) -> Result<LoggedAttempt, StoreError> {
    Ok(LoggedAttempt {
        number: row.try_get("number")?,
        at: instant(row.try_get("at")?)?,
        outcome: row.try_get("outcome")?,
        detail: row.try_get("detail")?,
    })
}
