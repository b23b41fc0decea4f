//! Messages reported as not delivered count as failed, even if the report overtakes the provider's answer.

use chrono::{DateTime, TimeDelta, Utc};

use super::SILENCE;
use crate::alert::escalation::ChannelKind;
use crate::notify::sms::{self, OPTED_OUT};
use crate::notify::{Delivery, SendError, voice};
use crate::store::audit::Author;
use crate::store::millis;
use crate::store::outbox::{Attempted, Leased, Outcome, leased};
use crate::store::phones::stop;
use crate::store::sql::{self, Connection};
use crate::store::unreachable_numbers::mark;

/// How often, and after which pause, a message that the network dropped for now is sent again.
const MOST_ATTEMPTS: u32 = 3;
const AGAIN_AFTER: TimeDelta = TimeDelta::seconds(30);

/// Expects reports on the message that `leased` has just become. If it was reported as failed before its id was known,
/// that counts now: returns how the attempt really ended.
pub(in crate::store) async fn expect(
    tx: &mut Connection,
    leased: &Leased,
    id: &str,
    now: DateTime<Utc>,
) -> Result<Option<Attempted>, sql::Error> {
    sql::query(
        "INSERT INTO receipts (provider_id, notification, status, rank, changed_at, poll_at)
         VALUES ($1, $2, '', 0, $3, $4) ON CONFLICT DO NOTHING",
    )
    .bind(id)
    .bind(&leased.notification.message.key)
    .bind(millis(now))
    .bind(millis(now + SILENCE))
    .execute(&mut *tx)
    .await?;
    let row = sql::query("SELECT status, code FROM receipts WHERE provider_id = $1").bind(id);
    let row = row.fetch_one(&mut *tx).await?;
    let delivery = Delivery { status: row.try_get("status")?, code: row.try_get("code")? };
    failed_after_all(tx, id, &delivery, now).await
}

/// Returns how the attempt behind message `id` ended, if `delivery` reports a failure and the outbox counts it as sent.
pub(super) async fn failed_after_all(
    tx: &mut Connection,
    id: &str,
    delivery: &Delivery,
    now: DateTime<Utc>,
) -> Result<Option<Attempted>, sql::Error> {
    if sms::failure(delivery).or_else(|| voice::failure(delivery)).is_none() {
        return Ok(None);
    }
    let row = sql::query(
        "SELECT n.* FROM notifications n JOIN receipts r ON r.notification = n.key
         WHERE r.provider_id = $1 AND n.channel IN ('sms', 'voice') AND n.state = 'sent'
         AND (n.provider_id = $1 OR n.provider_id IS NULL)",
    )
    .bind(id)
    .fetch_optional(&mut *tx)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let leased = leased(&row).map_err(|error| sql::Error::Decode(error.into()))?;
    let is_call = leased.notification.channel == ChannelKind::Voice;
    let error = if is_call { voice::failure(delivery) } else { sms::failure(delivery) };
    let Some(error) = error else { return Ok(None) };
    if !is_call {
        remember_number(tx, &leased, delivery.code, now).await?;
    }
    let outcome = outcome(&leased, error, now);
    Ok(Some(Attempted { leased, outcome, at: now }))
}

fn outcome(leased: &Leased, error: SendError, now: DateTime<Utc>) -> Outcome {
    match error {
        SendError::Unavailable { reason, .. } if leased.attempt < MOST_ATTEMPTS => {
            let at = now + AGAIN_AFTER;
            Outcome::Again { at, why: reason, unreported: 0, next_channel_too: false, next_step_too: false }
        }
        SendError::Misconfigured { reason } => Outcome::Failed { why: lost(&reason), misconfigured: true },
        SendError::Unavailable { reason, .. } | SendError::Refused { reason } => {
            Outcome::Failed { why: lost(&reason), misconfigured: false }
        }
    }
}

fn lost(reason: &str) -> String {
    format!("taken, but not delivered: {reason}")
}

/// Stores what the report says about the number: its owner opted out at the provider, or no message reaches it.
async fn remember_number(
    tx: &mut Connection,
    leased: &Leased,
    code: Option<u32>,
    now: DateTime<Utc>,
) -> Result<(), sql::Error> {
    let message = &leased.notification.message;
    let (Some(phone), Some(code)) = (sms::e164(&message.to), code) else { return Ok(()) };
    let who = message.to_name.as_deref().unwrap_or(ChannelKind::Sms.unnamed());
    match code {
        OPTED_OUT => {
            let author = Author { who: who.to_owned(), origin: "report of the SMS provider".to_owned() };
            stop(tx, &phone, &author, now).await.map(drop)
        }
        code => mark(tx, &phone, code, who, now).await,
    }
}
