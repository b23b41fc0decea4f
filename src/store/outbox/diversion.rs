//! Helps channels that are out of order, and channels that keep threads.

use chrono::{DateTime, Utc};

use super::go_on::go_past_stuck;
use super::{NewNotification, enqueue, leased};
use crate::alert::escalation::ChannelKind;
use crate::store::sealed::RECIPIENT;
use crate::store::sql::{self, Connection};
use crate::store::{Store, StoreError, millis};

/// How many rows one transaction takes up.
const AT_ONCE: i64 = 500;

impl Store {
    /// Sends the alerts that wait for `channel` on the next channel of each as well, once; they keep waiting.
    /// `urgent_only` limits this to those that tell of a breach. Members of waiting bundles count too.
    ///
    /// A breach without another channel goes on with its next step if nothing else tells of it soon; so it does if it was
    /// there before `stuck_before`, or never if that is none. True if there is a step to run.
    pub async fn divert(
        &self,
        channel: ChannelKind,
        urgent_only: bool,
        stuck_before: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let waiting = sql::query(
            "SELECT * FROM notifications WHERE key IN (
               SELECT key FROM notifications WHERE state = 'pending' AND channel = $1
               UNION ALL SELECT n.key FROM notifications b JOIN notifications n ON n.bundle = b.key
               WHERE b.state = 'pending' AND b.channel = $1 AND b.kind = 'bundle' AND n.state = 'bundled')
             AND kind = 'alert' AND diverted_at IS NULL AND (due_at <= $2 OR attempts > 0)
             AND (fallback <> '[]' OR (stage LIKE 'breached%' AND created_at <= $5))
             AND ($3 = 0 OR stage LIKE 'breached%') ORDER BY due_at LIMIT $4",
        )
        .bind(channel.as_str())
        .bind(millis(now))
        .bind(i64::from(urgent_only))
        .bind(AT_ONCE)
        .bind(stuck_before.map(millis))
        .fetch_all(&self.reads)
        .await?;
        if waiting.is_empty() {
            return Ok(false);
        }
        let waiting: Vec<_> = waiting.iter().filter_map(|row| leased(row).ok()).map(|row| row.notification).collect();
        self.writer
            .write(move |tx: &mut Connection| {
                Box::pin(async move {
                    for notification in &waiting {
                        divert_one(tx, notification, now).await?;
                    }
                    let keys: Vec<_> = waiting.iter().map(|one| one.message.key.as_str()).collect();
                    go_past_stuck(tx, &keys, now).await
                })
            })
            .await
    }

    /// Returns the provider's id of the first message of the thread that `notification` continues.
    pub async fn first_receipt(&self, notification: &NewNotification) -> Result<Option<String>, StoreError> {
        let first = sql::query_scalar(
            "SELECT COALESCE(n.provider_id, b.provider_id) AS first FROM notifications n
             LEFT JOIN notifications b ON b.key = n.bundle WHERE n.alert_key = $1 AND n.state = 'sent'
             AND n.recipient IN (SELECT value FROM json_each($2)) AND n.channel = $3 AND COALESCE(n.provider_id, b.provider_id) IS NOT NULL ORDER BY n.done_at LIMIT 1",
        )
        .bind(&notification.alert_key)
        .bind(RECIPIENT.any_of([notification.recipient.as_str()]))
        .bind(notification.channel.as_str());
        Ok(first.fetch_optional(&self.reads).await?)
    }
}

/// Diverts one, unless it was withdrawn meanwhile.
async fn divert_one(tx: &mut Connection, notification: &NewNotification, now: DateTime<Utc>) -> Result<(), sql::Error> {
    let marked = sql::query(
        "UPDATE notifications SET diverted_at = $2 WHERE key = $1 AND state IN ('pending', 'bundled')
         AND diverted_at IS NULL",
    )
    .bind(&notification.message.key)
    .bind(millis(now))
    .execute(&mut *tx)
    .await?;
    let next = notification.on_next_channel(now).filter(|_| marked.rows_affected() > 0);
    let Some(next) = next else { return Ok(()) };
    enqueue(tx, &[next]).await
}
