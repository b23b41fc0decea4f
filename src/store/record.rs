//! What was said about alerts, and how each attempt went: read for people to see.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Row, Sqlite};

use super::alerts::{AlertRow, alert_row};
use super::outbox::{Logged, logged};
use super::{Store, StoreError, instant};
use crate::alert::life::How;
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

/// What is most worth seeing of all that happened, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, sqlx::FromRow)]
pub struct Highlights {
    /// Later steps of an escalation that somebody was told by.
    pub escalations: i64,
    /// Alerts acknowledged by the link in a message.
    pub by_link: i64,
    /// Alerts acknowledged by a reply to a text message.
    pub by_text: i64,
    /// Messages in which quiet hours ended.
    pub digests: i64,
    pub recoveries: i64,
}

impl Store {
    /// What is most worth seeing of all that happened.
    pub async fn highlights(&self) -> Result<Highlights, StoreError> {
        let counts = sqlx::query_as(
            "SELECT COUNT(DISTINCT CASE WHEN kind = 'alert' AND step > 0 THEN alert_key || stage || step END) AS escalations,
                    COUNT(DISTINCT CASE WHEN held_by = 'quiet_hours' THEN bundle END) AS digests,
                    COUNT(CASE WHEN kind = 'recovery' THEN 1 END) AS recoveries,
                    (SELECT COUNT(*) FROM audit WHERE what LIKE 'acknowledged alert%' AND what LIKE $1) AS by_link,
                    (SELECT COUNT(*) FROM audit WHERE what LIKE 'acknowledged alert%' AND what LIKE $2) AS by_text
             FROM notifications WHERE state = 'sent'",
        );
        let by = |how: How| format!("%({})%", how.words());
        Ok(counts.bind(by(How::Link)).bind(by(How::Sms)).fetch_one(&self.reads).await?)
    }

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
