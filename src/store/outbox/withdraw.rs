//! Withdraws, holds or restores notifications whose contents no longer hold.

use std::collections::HashSet;

use chrono::{DateTime, TimeDelta, Utc};
use tracing::error;

use super::{json, millis};
use crate::alert::AlertKey;
use crate::alert::escalation::ChannelKind;
use crate::notify::counted;
use crate::store::sql::{self, AssertSqlSafe, Connection, FromRow, Row};
use crate::store::{Store, StoreError};

/// How long to wait before looking again at notifications whose encryption key is missing.
const KEY_IS_ASKED_FOR: TimeDelta = TimeDelta::seconds(30);

/// The stage of an alert `a`, as stored with its notifications.
pub(super) const STAGE: &str = "CASE a.episode WHEN 0 THEN a.stage ELSE a.stage || '/' || a.episode END";

/// What a notification `n` says of its alert `a` no longer holds: the alert is over, held by somebody, at another
/// stage, or no longer this person's concern.
pub(super) const VOID: &str = "(n.void = 1 OR a.state = 'resolved' OR (a.acked_at IS NOT NULL AND a.hold_over = 0)
     OR n.stage <> CASE a.episode WHEN 0 THEN a.stage ELSE a.stage || '/' || a.episode END)";

/// A notification `n` may have been read: it was sent, or an attempt, its own or its bundle's, was never answered.
pub(in crate::store) const MAY_BE_KNOWN: &str = "(n.state IN ('sent', 'sending') OR n.unreported > 0
     OR (n.state IN ('bundled', 'cancelled') AND EXISTS (
       SELECT 1 FROM notifications b WHERE b.key = n.bundle AND (b.state = 'sending' OR b.unreported > 0))))";

/// A notification that an alert has not sent yet.
#[derive(Clone, Debug)]
pub struct Unsaid {
    pub key: String,
    pub stage: String,
    pub step: u32,
    pub recipient: String,
    pub channel: ChannelKind,
    /// It is being sent: it may or may not arrive.
    pub is_leaving: bool,
}

impl Store {
    /// Returns the notifications that the alert of this key has not sent yet; if it is just being `reopened`, also
    /// those about to be restored.
    pub async fn unsaid(&self, alert: &AlertKey, reopened: bool) -> Result<Vec<Unsaid>, StoreError> {
        let rows = sql::query(
            "SELECT n.key, n.stage, n.step, n.recipient, n.channel, COALESCE(b.state, n.state) = 'sending' AS is_leaving
             FROM notifications n LEFT JOIN notifications b ON b.key = n.bundle
             WHERE n.alert_key = $1 AND n.kind = 'alert' AND (n.state IN ('pending', 'bundled', 'sending')
               OR (n.state = 'cancelled' AND n.void = 0 AND $2 <> 0)) ORDER BY n.key",
        )
        .bind(alert.to_string())
        .bind(reopened)
        .fetch_all(&self.reads)
        .await?;
        let unsaid = |row: &Row| {
            let channel: String = row.try_get("channel")?;
            let channel = ChannelKind::parse(&channel);
            Ok(Unsaid {
                key: row.try_get("key")?,
                stage: row.try_get("stage")?,
                step: row.try_get("step")?,
                recipient: row.try_get("recipient")?,
                channel: channel.ok_or_else(|| StoreError::Unreadable("a notification's channel".to_owned()))?,
                is_leaving: row.try_get("is_leaving")?,
            })
        };
        rows.iter().map(unsaid).collect()
    }
}

/// Delays the notifications of these `keys`, whose encryption key is missing.
pub(super) async fn wait_for_key(tx: &mut Connection, keys: &[String], now: DateTime<Utc>) -> Result<(), sql::Error> {
    if keys.is_empty() {
        return Ok(());
    }
    error!(
        count = keys.len(),
        "{} wait for the key that they are encrypted with: `/readyz` says which is missing",
        counted(keys.len(), "message")
    );
    sql::query("UPDATE notifications SET due_at = $2 WHERE key IN (SELECT value FROM json_each($1))")
        .bind(json(&keys))
        .bind(millis(now + KEY_IS_ASKED_FOR))
        .execute(tx)
        .await
        .map(drop)
}

impl Store {
    /// Returns the recipients of the systems whose latest news of this alert, or what may be, is that it is over.
    pub async fn told_of_the_end(&self, alert: &AlertKey) -> Result<HashSet<String>, StoreError> {
        let heard = format!(
            "SELECT n.recipient, n.channel, n.kind FROM notifications n
             WHERE n.alert_key = $1 AND n.kind IN ('alert', 'recovery') AND {MAY_BE_KNOWN} ORDER BY n.created_at, n.kind"
        );
        let rows = sql::query(AssertSqlSafe(heard));
        let mut heard = HashSet::new();
        for row in rows.bind(alert.to_string()).fetch_all(&self.reads).await? {
            let (recipient, channel, kind): (String, String, String) = FromRow::from_row(&row)?;
            match kind.as_str() {
                "recovery" if ChannelKind::parse(&channel).is_some_and(ChannelKind::is_system) => {
                    heard.insert(recipient)
                }
                _ => heard.remove(&recipient),
            };
        }
        Ok(heard)
    }
}

/// Withdraws the pending notices to systems that `alerts` are over, since those are open again.
pub(in crate::store) async fn withdraw_ends(
    tx: &mut Connection,
    alerts: &[String],
    now: DateTime<Utc>,
) -> Result<(), sql::Error> {
    let systems: Vec<_> = ChannelKind::ALL.into_iter().filter(|kind| kind.is_system()).collect();
    sql::query(
        "UPDATE notifications SET state = 'cancelled', done_at = $2
         WHERE alert_key IN (SELECT value FROM json_each($1)) AND kind = 'recovery' AND state = 'pending'
         AND channel IN (SELECT value FROM json_each($3))",
    )
    .bind(json(&alerts))
    .bind(millis(now))
    .bind(json(&systems))
    .execute(tx)
    .await
    .map(drop)
}

/// Withdraws what `alerts` have not sent yet, including interrupted attempts and members of waiting bundles.
pub(in crate::store) async fn withdraw(
    tx: &mut Connection,
    alerts: &[String],
    now: DateTime<Utc>,
) -> Result<(), sql::Error> {
    sql::query(
        "UPDATE notifications SET state = 'cancelled', done_at = $2
         WHERE alert_key IN (SELECT value FROM json_each($1)) AND kind = 'alert'
         AND (state = 'pending' OR (state = 'sending' AND lease_until <= $2) OR (state = 'bundled' AND EXISTS (
           SELECT 1 FROM notifications b WHERE b.key = notifications.bundle
           AND (b.state = 'pending' OR (b.state = 'sending' AND b.lease_until <= $2)))))",
    )
    .bind(json(&alerts))
    .bind(millis(now))
    .execute(tx)
    .await
    .map(drop)
}

/// Moves what `alert` was to send at `until` to `from`.
pub(in crate::store) async fn let_go(
    tx: &mut Connection,
    alert: &str,
    until: DateTime<Utc>,
    from: DateTime<Utc>,
) -> Result<(), sql::Error> {
    sql::query("UPDATE notifications SET due_at = $3 WHERE alert_key = $1 AND state = 'pending' AND due_at = $2")
        .bind(alert)
        .bind(millis(until))
        .bind(millis(from))
        .execute(tx)
        .await
        .map(drop)
}

/// Withdraws the notifications of these `keys` for good. One that is being sent is not retried if that fails.
pub(in crate::store) async fn make_void(
    tx: &mut Connection,
    keys: &[String],
    now: DateTime<Utc>,
) -> Result<(), sql::Error> {
    let waits = "state = 'pending' OR (state = 'bundled' AND EXISTS (
         SELECT 1 FROM notifications b WHERE b.key = notifications.bundle AND b.state = 'pending'))";
    let query = format!(
        "UPDATE notifications SET void = 1, state = CASE WHEN {waits} THEN 'cancelled' ELSE state END,
         done_at = CASE WHEN {waits} THEN $2 ELSE done_at END
         WHERE key IN (SELECT value FROM json_each($1)) AND state IN ('pending', 'bundled', 'sending')"
    );
    sql::query(AssertSqlSafe(query)).bind(json(&keys)).bind(millis(now)).execute(tx).await.map(drop)
}

/// Delays what waits on `channel` about alerts that nobody is to be told of until that is over, including members of
/// waiting bundles.
pub(in crate::store) async fn hold_covered(
    tx: &mut Connection,
    channel: ChannelKind,
    now: DateTime<Utc>,
) -> Result<(), sql::Error> {
    let covered: Vec<(String, i64)> =
        sql::query_as("SELECT key, covered_until FROM alerts INDEXED BY alerts_covered WHERE covered_until > $1")
            .bind(millis(now))
            .fetch_all(&mut *tx)
            .await?;
    if covered.is_empty() {
        return Ok(());
    }
    sql::query(
        "UPDATE notifications SET due_at = CAST(said.value ->> 1 AS BIGINT), state = 'pending', released_at = NULL,
         held_by = NULL, bundle = NULL, tried_since = NULL FROM json_each($2) AS said
         WHERE alert_key = said.value ->> 0 AND kind = 'alert' AND channel = $1 AND due_at < CAST(said.value ->> 1 AS BIGINT)
         AND (state = 'pending' OR (state = 'bundled' AND EXISTS (
           SELECT 1 FROM notifications b WHERE b.key = notifications.bundle AND b.state = 'pending')))",
    )
    .bind(channel.as_str())
    .bind(json(&covered))
    .execute(tx)
    .await
    .map(drop)
}

/// Restores the notifications of `alert` at `stage` that were withdrawn.
pub(in crate::store) async fn take_up_again(
    tx: &mut Connection,
    alert: &str,
    stage: &str,
    now: DateTime<Utc>,
) -> Result<(), sql::Error> {
    sql::query(
        "UPDATE notifications SET state = 'pending', due_at = $3, first_due_at = $3, created_at = $3, done_at = NULL,
         released_at = NULL, held_by = NULL, bundle = NULL, tried_since = NULL
         WHERE alert_key = $1 AND stage = $2 AND kind = 'alert' AND state = 'cancelled' AND void = 0",
    )
    .bind(alert)
    .bind(stage)
    .bind(millis(now))
    .execute(tx)
    .await
    .map(drop)
}
