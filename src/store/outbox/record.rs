//! Stores how attempts went, and acts on it.
//!
//! However many attempts ended together, two statements store their outcomes; only failed or unfinished ones need more.

use std::borrow::Cow;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::go_on::{go_on, go_past_stuck};
use super::instead::said_instead;
use super::withdraw::VOID;
use super::{Leased, NewNotification, Outcome, bundle, digest, enqueue, json, millis};
use crate::alert::escalation::ChannelKind;
use crate::keys::ring::KeyRing;
use crate::notify::Body;
use crate::store::receipts::failure::expect;
use crate::store::sealed::{DETAIL, LAST_ERROR};
use crate::store::sql::{self, Connection};
use crate::store::weekly::count_sent;
use crate::store::{Store, StoreError};

/// An attempt that has ended.
#[derive(Clone, Debug)]
pub struct Attempted {
    pub leased: Leased,
    pub outcome: Outcome,
    pub at: DateTime<Utc>,
}

impl Store {
    /// Stores how attempts went and acts on it: for all of them, or for none if it fails.
    ///
    /// A refusal moves on to the next channel; if none is left, the alert's next step is brought forward. So it is for a
    /// breach that has long been tried in vain, if nothing else tells of it soon. Returns whether one was. If the alert
    /// is over by now, or at another stage, nothing follows.
    pub async fn record_attempts(&self, attempts: Arc<[Attempted]>) -> Result<bool, StoreError> {
        self.writer.write(move |tx: &mut Connection| Box::pin(async move { record(tx, &attempts).await })).await
    }
}

pub(in crate::store) async fn record(tx: &mut Connection, attempts: &[Attempted]) -> Result<bool, sql::Error> {
    let mut void = Vec::with_capacity(attempts.len());
    for attempt in attempts {
        let is_over = matches!(attempt.outcome, Outcome::Taken { .. });
        void.push(!is_over && is_void(tx, &attempt.leased.notification).await?);
    }
    log(tx, attempts).await?;
    settle(tx, attempts, &void).await?;
    count_sent(tx, attempts).await?;
    let mut hurried = false;
    for (attempt, void) in attempts.iter().zip(void) {
        hurried |= follow_up(tx, attempt, void).await?;
    }
    Ok(hurried)
}

async fn log(tx: &mut Connection, attempts: &[Attempted]) -> Result<(), sql::Error> {
    let keys = tx.keys().cloned();
    let row = |attempt: &Attempted| {
        let (word, detail) = match &attempt.outcome {
            Outcome::Taken { .. } => ("taken", None),
            Outcome::Again { why, .. } => ("unavailable", Some(why.clone())),
            Outcome::Failed { why, misconfigured: false } => ("refused", Some(why.clone())),
            Outcome::Failed { why, misconfigured: true } => ("misconfigured", Some(why.clone())),
        };
        let of = &attempt.leased.notification;
        let (tenant, key) = (of.tenant.to_string(), of.message.key.clone());
        let number = attempt.leased.attempt.to_string();
        let detail = detail.map(|text| DETAIL.seal(&[&key, &number], text).settled(keys.as_deref()));
        (tenant, key, attempt.leased.attempt, millis(attempt.at), word, detail)
    };
    sql::query(
        "INSERT INTO attempts (tenant, notification, number, at, outcome, detail)
         SELECT value ->> 0, value ->> 1, CAST(value ->> 2 AS BIGINT), CAST(value ->> 3 AS BIGINT), value ->> 4, value ->> 5
         FROM json_each($1) AS said",
    )
    .bind(json(&attempts.iter().map(row).collect::<Vec<_>>()))
    .execute(tx)
    .await
    .map(drop)
}

/// The state of a notification after an attempt.
#[derive(Clone, Serialize)]
struct Settled<'a> {
    key: &'a str,
    state: &'static str,
    due_at: Option<i64>,
    provider_id: Option<&'a str>,
    why: Option<Cow<'a, str>>,
    done_at: Option<i64>,
    unreported: u32,
}

impl<'a> Settled<'a> {
    /// `void`: what the notification says no longer holds.
    fn after(attempt: &'a Attempted, void: bool) -> Self {
        let (state, due_at, provider_id, why) = match &attempt.outcome {
            Outcome::Taken { provider_id } => ("sent", None, provider_id.as_deref(), None),
            Outcome::Again { why, .. } if void => ("cancelled", None, None, Some(why)),
            Outcome::Again { at, why, .. } => ("pending", Some(millis(*at)), None, Some(why)),
            Outcome::Failed { why, .. } => ("failed", None, None, Some(why)),
        };
        let unreported = match attempt.outcome {
            Outcome::Again { unreported, .. } => unreported,
            Outcome::Taken { .. } | Outcome::Failed { .. } => 0,
        };
        let done_at = if due_at.is_some() { None } else { Some(millis(attempt.at)) };
        let why = why.map(|why| Cow::Borrowed(why.as_str()));
        Self { key: &attempt.leased.notification.message.key, state, due_at, provider_id, why, done_at, unreported }
    }

    /// Returns the same with its sealed part in stored form.
    fn stored(&self, keys: Option<&KeyRing>) -> Self {
        let why = self.why.as_deref().map(|why| Cow::Owned(LAST_ERROR.word(why).settled(keys)));
        Self { why, ..self.clone() }
    }
}

async fn settle(tx: &mut Connection, attempts: &[Attempted], void: &[bool]) -> Result<(), sql::Error> {
    let settled: Vec<_> = attempts.iter().zip(void).map(|(attempt, void)| Settled::after(attempt, *void)).collect();
    let keys = tx.keys().cloned();
    let stored: Vec<_> = settled.iter().map(|one| one.stored(keys.as_deref())).collect();
    sql::query(
        "UPDATE notifications SET state = said.value ->> 'state', due_at = COALESCE(CAST(said.value ->> 'due_at' AS BIGINT), due_at),
         provider_id = said.value ->> 'provider_id', last_error = said.value ->> 'why', lease_until = NULL,
         done_at = CAST(said.value ->> 'done_at' AS BIGINT), unreported = CAST(said.value ->> 'unreported' AS BIGINT)
         FROM json_each($1) AS said WHERE notifications.key = said.value ->> 'key'",
    )
    .bind(json(&stored))
    .execute(&mut *tx)
    .await?;
    for (attempt, settled) in attempts.iter().zip(&settled) {
        if attempt.leased.notification.kind == "bundle" && settled.due_at.is_none() {
            bundle::settle(tx, settled.key, settled.state, settled.why.as_deref(), attempt.at).await?;
        }
    }
    Ok(())
}

/// Acts on one outcome. True if the next step of an alert was brought forward.
async fn follow_up(tx: &mut Connection, attempt: &Attempted, void: bool) -> Result<bool, sql::Error> {
    let (leased, now) = (&attempt.leased, attempt.at);
    let is_text = leased.notification.channel == ChannelKind::Sms;
    if is_text && !void && !matches!(attempt.outcome, Outcome::Taken { .. }) {
        let_mails_go(tx, &leased.notification.message.key, now).await?;
    }
    match &attempt.outcome {
        Outcome::Failed { .. } if !void => move_on(tx, &leased.notification, now).await,
        Outcome::Again { next_channel_too, next_step_too, .. } if !void => {
            if *next_channel_too {
                take_up_next_channel(tx, &leased.notification, now).await?;
            }
            let key = leased.notification.message.key.as_str();
            if *next_step_too { go_past_stuck(tx, &[key], now).await } else { Ok(false) }
        }
        Outcome::Taken { provider_id: Some(id) }
            if matches!(leased.notification.channel, ChannelKind::Sms | ChannelKind::Voice) =>
        {
            match expect(tx, leased, id, now).await? {
                Some(failed) => Box::pin(record(tx, &[failed])).await,
                None => Ok(false),
            }
        }
        _ => Ok(false),
    }
}

/// A text message has failed: makes the mails due that tell its reader the same and were waiting because of it.
async fn let_mails_go(tx: &mut Connection, text: &str, now: DateTime<Utc>) -> Result<(), sql::Error> {
    sql::query(
        "UPDATE notifications SET due_at = $2 WHERE channel = 'email' AND state = 'pending' AND held_by = 'pace'
         AND due_at > $2 AND person = (SELECT t.person FROM notifications t WHERE t.key = $1)
         AND alert_key IN (SELECT m.alert_key FROM notifications m WHERE m.key = $1
                           UNION ALL SELECT m.alert_key FROM notifications m WHERE m.bundle = $1)",
    )
    .bind(text)
    .bind(millis(now))
    .execute(tx)
    .await
    .map(drop)
}

/// Whether what the notification says no longer holds: its alert is over, acknowledged, or at another stage by now; the
/// end reported to a system was none; or stale data is fresh again.
async fn is_void(tx: &mut Connection, notification: &NewNotification) -> Result<bool, sql::Error> {
    if notification.kind == "bundle" {
        return bundle::is_void(tx, &notification.message.key).await;
    }
    let void = format!(
        "SELECT EXISTS (SELECT 1 FROM notifications n JOIN alerts a ON a.key = n.alert_key
           WHERE n.key = $3 AND $2 = 'alert' AND {VOID})
         OR ($2 = 'recovery' AND $4 <> 0 AND EXISTS (SELECT 1 FROM alerts WHERE key = $1 AND state = 'open'))
         OR ($2 = 'stale' AND EXISTS (SELECT 1 FROM notifications WHERE alert_key = $1 AND kind = 'fresh'))"
    );
    sql::query_scalar(sql::AssertSqlSafe(void))
        .bind(&notification.alert_key)
        .bind(notification.kind)
        .bind(&notification.message.key)
        .bind(notification.channel.is_system())
        .fetch_one(tx)
        .await
}

/// Sends the same on the next channel. False if there is none; each member of a bundle has its own.
async fn take_up_next_channel(
    tx: &mut Connection,
    notification: &NewNotification,
    now: DateTime<Utc>,
) -> Result<bool, sql::Error> {
    if notification.kind == "bundle" {
        bundle::take_up_next_channels(tx, &notification.message.key, now).await?;
        return Ok(false);
    }
    let Some(next) = notification.on_next_channel(now) else { return Ok(false) };
    if let Some(state) = said_instead(tx, notification, next.channel).await? {
        return Ok(state != "failed");
    }
    enqueue(tx, &[next]).await.map(|()| true)
}

/// After a refusal, tries the next channel, or else runs the next step at once.
async fn move_on(tx: &mut Connection, refused: &NewNotification, now: DateTime<Utc>) -> Result<bool, sql::Error> {
    if refused.kind == "bundle" {
        return bundle::move_on(tx, &refused.message.key, now).await;
    }
    if take_up_next_channel(tx, refused, now).await? {
        return Ok(false);
    }
    match (refused.kind, &refused.message.body) {
        ("alert", _) => go_on(tx, &[&refused.message.key], now).await,
        ("digest", Body::Digest(facts)) => digest::tell_one_by_one(tx, &refused.alert_key, &facts.alerts, now).await,
        _ => Ok(false),
    }
}
