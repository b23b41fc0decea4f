//! Receipts: what the provider reports about text messages and calls that it accepted.
//!
//! Reports come twice, late and in any order, and some never come. So a receipt's rank only rises and its end is final,
//! and the provider is asked about a message without news. One that was not delivered counts as refused: its content
//! goes on by the next channel.

pub(super) mod failure;

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use self::failure::failed_after_all;
use super::outbox::record;
use super::{Store, StoreError, instant, millis};
use crate::alert::escalation::ChannelKind;
use crate::notify::{Delivery, voice};
use crate::store::sql::{self, Connection};

/// How long a message may go without news before the provider is asked about it.
const SILENCE: TimeDelta = TimeDelta::minutes(2);
/// How often the provider is asked about a message, each time after twice the wait.
const MOST_POLLS: u32 = 4;

/// What a report changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reported {
    /// It was new.
    pub news: bool,
    /// The message failed, and the outbox has to act on it.
    pub failed: bool,
    /// The next step of the alert was brought forward.
    pub hurried: bool,
}

/// A message to ask the provider about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Silent {
    pub provider_id: String,
    pub notification: String,
    pub channel: ChannelKind,
}

/// How far along a message is; an unknown status ranks lowest and changes nothing.
fn rank(status: &str) -> i64 {
    match status {
        "accepted" | "queued" | "scheduled" | "initiated" => 1,
        "sending" | "ringing" => 2,
        // Who answered a completed call may be reported later.
        "sent" | "in-progress" | "completed" => 3,
        "delivered" | "read" | "undelivered" | "failed" | "canceled" => FINAL,
        "busy" | "no-answer" | voice::ANSWERED | voice::MACHINE => FINAL,
        _ => 0,
    }
}

const FINAL: i64 = 4;

impl Store {
    /// Stores a report on the message `provider_id`, which carried `notification`, and acts on it.
    pub async fn report(
        &self,
        provider_id: &str,
        notification: &str,
        delivery: &Delivery,
        now: DateTime<Utc>,
    ) -> Result<Reported, StoreError> {
        let (id, notification, delivery) = (provider_id.to_owned(), notification.to_owned(), delivery.clone());
        self.writer
            .write(move |tx: &mut Connection| {
                Box::pin(async move { take_report(tx, &id, &notification, &delivery, now).await })
            })
            .await
    }

    /// Returns messages without a final report that the provider is due to be asked about, the longest silent first.
    pub async fn silent(&self, limit: i64, now: DateTime<Utc>) -> Result<Vec<Silent>, StoreError> {
        let rows: Vec<(String, String, String)> = sql::query_as(
            "SELECT r.provider_id, r.notification, COALESCE(n.channel, 'sms') FROM receipts r
             LEFT JOIN notifications n ON n.key = r.notification
             WHERE r.poll_at <= $1 ORDER BY r.poll_at, r.provider_id LIMIT $2",
        )
        .bind(millis(now))
        .bind(limit)
        .fetch_all(&self.reads)
        .await?;
        let silent = rows.into_iter().map(|(provider_id, notification, channel)| {
            let channel = ChannelKind::parse(&channel).unwrap_or(ChannelKind::Sms);
            Silent { provider_id, notification, channel }
        });
        Ok(silent.collect())
    }

    /// Returns when the provider is next to be asked about a message.
    pub async fn next_silent(&self) -> Result<Option<DateTime<Utc>>, StoreError> {
        let next: Option<i64> = sql::query_scalar("SELECT MIN(poll_at) FROM receipts").fetch_one(&self.reads).await?;
        next.map(instant).transpose()
    }

    /// Returns the provider's id of the message that carried `notification`, if there is a receipt.
    pub async fn receipt_of(&self, notification: &str) -> Result<Option<String>, StoreError> {
        let id = sql::query_scalar(
            "SELECT provider_id FROM receipts WHERE notification = $1 ORDER BY changed_at DESC, provider_id LIMIT 1",
        );
        Ok(id.bind(notification).fetch_optional(&self.reads).await?)
    }

    /// Whether there is a receipt for `provider_id`.
    pub async fn has_receipt(&self, provider_id: &str) -> Result<bool, StoreError> {
        let known = sql::query_scalar("SELECT EXISTS (SELECT 1 FROM receipts WHERE provider_id = $1)");
        Ok(known.bind(provider_id).fetch_one(&self.reads).await?)
    }

    /// Whether no other channel would tell of an alert in `notification`, or in one it bundles, if this one refuses.
    pub async fn is_only_way(&self, notification: &str) -> Result<bool, StoreError> {
        let only = sql::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM notifications WHERE key = $1 AND kind = 'alert' AND fallback = '[]')
             OR EXISTS (SELECT 1 FROM notifications WHERE bundle = $1 AND state = 'bundled' AND kind = 'alert'
                        AND fallback = '[]')",
        );
        Ok(only.bind(notification).fetch_one(&self.reads).await?)
    }

    /// Whether `notification` is the only one on its channel and to its address whose fate is unknown.
    pub async fn is_only_doubt(&self, notification: &str) -> Result<bool, StoreError> {
        let only = sql::query_scalar(
            "SELECT NOT EXISTS (SELECT 1 FROM notifications n JOIN notifications other
               ON other.channel = n.channel AND other.address = n.address AND other.key <> n.key
             WHERE n.key = $1 AND (other.state = 'sending' OR (other.state = 'pending' AND other.unreported > 0)))",
        );
        Ok(only.bind(notification).fetch_one(&self.reads).await?)
    }

    /// Returns the provider's latest status of the accepted messages of these `keys`, by the message's key.
    pub async fn delivery_words(&self, keys: &[String]) -> Result<BTreeMap<String, String>, StoreError> {
        let rows: Vec<(String, String)> = sql::query_as(
            "SELECT notification, status FROM receipts WHERE notification IN (SELECT value FROM json_each($1))
             AND status <> '' ORDER BY changed_at",
        )
        .bind(serde_json::json!(keys).to_string())
        .fetch_all(&self.reads)
        .await?;
        Ok(rows.into_iter().collect())
    }

    /// Records that the provider was asked about `provider_id`, whatever the answer; schedules the next time, if any.
    pub async fn polled(&self, provider_id: &str, now: DateTime<Utc>) -> Result<(), StoreError> {
        let id = provider_id.to_owned();
        self.writer
            .write(move |tx: &mut Connection| {
                Box::pin(async move {
                    sql::query(
                        "UPDATE receipts SET polls = polls + 1, poll_at = CASE WHEN rank >= $2 OR polls + 1 >= $3
                         THEN NULL ELSE $4 + $5 * (CAST(2 AS BIGINT) << CAST(polls AS INTEGER)) END WHERE provider_id = $1",
                    )
                    .bind(id)
                    .bind(FINAL)
                    .bind(i64::from(MOST_POLLS))
                    .bind(millis(now))
                    .bind(SILENCE.num_milliseconds())
                    .execute(tx)
                    .await
                    .map(drop)
                })
            })
            .await
    }
}

async fn take_report(
    tx: &mut Connection,
    id: &str,
    notification: &str,
    delivery: &Delivery,
    now: DateTime<Utc>,
) -> Result<Reported, sql::Error> {
    let rank = rank(&delivery.status);
    // The message is not silent now, so the provider is asked about it later.
    let poll_at = (rank < FINAL).then(|| millis(now + SILENCE));
    let risen = sql::query(
        "INSERT INTO receipts (provider_id, notification, status, rank, code, changed_at, poll_at)
         SELECT $1, $2, $3, $4, $5, $6, $7 WHERE EXISTS (SELECT 1 FROM notifications WHERE key = $2)
         ON CONFLICT (provider_id) DO UPDATE SET status = excluded.status, rank = excluded.rank, code = excluded.code,
         changed_at = excluded.changed_at, poll_at = excluded.poll_at
         WHERE receipts.rank < excluded.rank AND receipts.rank < $8",
    )
    .bind(id)
    .bind(notification)
    .bind(&delivery.status)
    .bind(rank)
    .bind(delivery.code)
    .bind(millis(now))
    .bind(poll_at)
    .bind(FINAL)
    .execute(&mut *tx)
    .await?;
    if risen.rows_affected() == 0 {
        return Ok(Reported::default());
    }
    // The attempt failed after all.
    let hurried = match failed_after_all(tx, id, delivery, now).await? {
        Some(attempted) => Some(record(tx, &[attempted]).await?),
        None => None,
    };
    Ok(Reported { news: true, failed: hurried.is_some(), hurried: hurried.unwrap_or_default() })
}
