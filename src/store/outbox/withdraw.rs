//! What was to be said and holds no longer is withdrawn, held, or taken up again.

use std::collections::HashSet;

use chrono::{DateTime, TimeDelta, Utc};
use tracing::error;

use super::{json, millis};
use crate::alert::AlertKey;
use crate::alert::escalation::ChannelKind;
use crate::notify::counted;
use crate::store::sql::{self, AssertSqlSafe, Connection, FromRow, Row};
use crate::store::{Store, StoreError};

/// What waits for the key that it is encrypted with is looked at again after this.
const KEY_IS_ASKED_FOR: TimeDelta = TimeDelta::seconds(30);

/// The stage of an alert `a`, as its notifications carry it.
pub(super) const STAGE: &str = "CASE a.episode WHEN 0 THEN a.stage ELSE a.stage || '/' || a.episode END";

/// What a notification `n` says of its alert `a` holds no longer: that is over, held by somebody, at another stage, or
/// not this person's concern any more.
pub(super) const VOID: &str = "(n.void = 1 OR a.state = 'resolved' OR (a.acked_at IS NOT NULL AND a.hold_over = 0)
     OR n.stage <> CASE a.episode WHEN 0 THEN a.stage ELSE a.stage || '/' || a.episode END)";

/// What a notification `n` says may have been read: it was sent, or an attempt, its own or its bundle's, was never answered.
pub(in crate::store) const MAY_BE_KNOWN: &str = "(n.state IN ('sent', 'sending') OR n.unreported > 0
     OR (n.state IN ('bundled', 'cancelled') AND EXISTS (
       SELECT 1 FROM notifications b WHERE b.key = n.bundle AND (b.state = 'sending' OR b.unreported > 0))))";

/// What an alert was about to say.
#[derive(Clone, Debug)]
pub struct Unsaid {
    pub key: String,
    pub stage: String,
    pub step: u32,
    pub recipient: String,
    pub channel: ChannelKind,
    /// It is being sent: it may arrive, or not.
    pub is_leaving: bool,
}

impl Store {
    /// What the alert of this key was to say and has not said yet; of one that is `reopened` now, also what is about to
    /// be taken up again.
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

/// Has the notifications of these `keys` wait a while for the key that they are encrypted with.
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
    /// The systems, by recipient, that heard last of this alert that it is over, or may have.
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

/// Withdraws what systems were still to hear of the end of `alerts` that are open again.
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

/// Withdraws what `alerts` have not said yet, also where an attempt was cut short, or where others were to say it as well.
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

/// Lets go from `from` on what `alert` was to say at `until`.
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

/// Withdraws the notifications of these `keys` for good. One that is being sent is not repeated if that fails.
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

/// Has what waits on `channel` about alerts that nobody is to be told of wait until that is over, also where others were
/// to say it as well.
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

/// Takes up again what `alert` was about to say at `stage` when it was withdrawn.
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
