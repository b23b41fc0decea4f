//! What self-monitoring asks the store: which stale data was told of, and what was not told in time.

use std::collections::HashSet;

use chrono::{DateTime, Utc};

use super::outbox::{NewNotification, enqueue, json, leased, notification_key};
use super::{Store, StoreError, instant, millis};
use crate::alert::escalation::ChannelKind;
use crate::notify::{Body, Message, StaleFacts};
use crate::store::sql::{self, Connection, Row};
use crate::ticket::TenantId;

/// The episodes of `$1` that were told of and are not over.
const OPEN: &str = "kind = 'stale' AND alert_key >= $1 || ':' AND alert_key < $1 || ';'
     AND NOT EXISTS (SELECT 1 FROM notifications f WHERE f.alert_key = n.alert_key AND f.kind = 'fresh')";

impl Store {
    /// Returns when the episode of `subject`, like `acme:stale`, began if people were told of it; none if it is over.
    pub async fn stale_since(&self, subject: &str) -> Result<Option<DateTime<Utc>>, StoreError> {
        let query = format!("SELECT alert_key, state FROM notifications n WHERE {OPEN} ORDER BY created_at DESC");
        let told = sql::query_as::<(String, String)>(sql::AssertSqlSafe(query)).bind(subject);
        let told = told.fetch_all(&self.reads).await?.into_iter();
        let mut told = told.filter(|(_, state)| ["pending", "sending", "sent"].contains(&state.as_str()));
        let Some((key, _)) = told.next() else { return Ok(None) };
        let since = key.rsplit(':').next().and_then(|millis| millis.parse().ok());
        since.map(instant).transpose()
    }

    /// Stores the news that something is wrong with the watch itself, like stale data, before anything is sent.
    pub async fn say_stale(&self, rows: Vec<NewNotification>) -> Result<(), StoreError> {
        self.writer.write(move |tx: &mut Connection| Box::pin(async move { enqueue(tx, &rows).await })).await
    }

    /// Tells those who were told of an episode of `subject` that it is over; the others need not hear of either.
    /// Returns how many are told.
    pub async fn say_fresh(&self, subject: &str, now: DateTime<Utc>) -> Result<usize, StoreError> {
        let subject = subject.to_owned();
        self.writer
            .write(move |tx: &mut Connection| {
                Box::pin(async move {
                    let query = format!("SELECT * FROM notifications n WHERE {OPEN} ORDER BY key");
                    let rows = sql::query(sql::AssertSqlSafe(query)).bind(&subject).fetch_all(&mut *tx).await?;
                    let mut notices = Vec::new();
                    for row in &rows {
                        let state: String = row.try_get("state")?;
                        let was_told =
                            state == "sent" || state == "sending" || row.try_get::<i64, _>("unreported")? > 0;
                        let told = leased(row).ok().filter(|_| was_told);
                        notices.extend(told.and_then(|told| fresh(told.notification, now)));
                    }
                    sql::query(
                        "UPDATE notifications SET state = 'cancelled', done_at = $2 WHERE state = 'pending'
                         AND key IN (SELECT value FROM json_each($1))",
                    )
                    .bind(json(&keys(&rows)?))
                    .bind(millis(now))
                    .execute(&mut *tx)
                    .await?;
                    if !notices.is_empty() {
                        enqueue(tx, &notices).await?;
                    }
                    Ok(notices.len())
                })
            })
            .await
    }

    /// Returns the keys of the open alerts of `tenants` whose breach nobody was told of or is about to be: no step has
    /// run, or everything that was sent has failed.
    pub async fn untold_breaches(&self, tenants: &[&TenantId]) -> Result<HashSet<String>, StoreError> {
        let keys = sql::query_scalar(
            "SELECT key FROM alerts WHERE tenant IN (SELECT value FROM json_each($1)) AND state = 'open'
             AND stage = 'breached' AND told = 1
             AND NOT EXISTS (SELECT 1 FROM notifications n WHERE n.alert_key = alerts.key
                             AND (n.kind <> 'alert' OR n.stage LIKE 'breached%') AND n.kind NOT IN ('recovery', 'acknowledged')
                             AND n.state IN ('pending', 'sending', 'bundled', 'sent'))",
        );
        Ok(keys.bind(json(&tenants)).fetch_all(&self.reads).await?.into_iter().collect())
    }

    /// Returns tenant and key of each notification due before `since` that waits on a channel not `shut`.
    pub async fn overdue(
        &self,
        shut: &[ChannelKind],
        since: DateTime<Utc>,
    ) -> Result<Vec<(String, String)>, StoreError> {
        let keys = sql::query_as(
            "SELECT tenant, key FROM notifications INDEXED BY notifications_pending WHERE state = 'pending'
             AND due_at < $1 AND channel NOT IN (SELECT value FROM json_each($2)) ORDER BY tenant, key",
        );
        Ok(keys.bind(millis(since)).bind(json(&shut)).fetch_all(&self.reads).await?)
    }
}

fn keys(rows: &[Row]) -> Result<Vec<String>, sql::Error> {
    rows.iter().map(|row| row.try_get("key")).collect()
}

/// Builds the message that the episode of `stale` is over, for the same recipient, in the same thread.
fn fresh(stale: NewNotification, now: DateTime<Utc>) -> Option<NewNotification> {
    let Body::Stale(facts) = stale.message.body else { return None };
    let message = Message {
        key: notification_key(&[&stale.alert_key, "fresh", &stale.recipient, stale.channel.as_str()]),
        continues_thread: true,
        body: Body::Stale(StaleFacts { fresh_at: Some(now), ..facts }),
        ..stale.message
    };
    let stage = "fresh".to_owned();
    Some(NewNotification { kind: "fresh", stage, message, due_at: now, created_at: now, ..stale })
}
