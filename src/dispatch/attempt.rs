//! One attempt to send one message: what the channel answered, and what follows from it.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use tracing::{debug, error, info, warn};

use super::gates::Gates;
use crate::alert::Stage;
use crate::clock::SharedClock;
use crate::config::ChannelKind;
use crate::notify::{Attachment, Body, FileFacts, Notifier, Receipt, SendError, render};
use crate::store::Store;
use crate::store::outbox::{Attempted, Leased, NewNotification, Outcome};
use crate::telemetry::{DeliveryLabels, Telemetry};
use crate::ticket::TenantId;

/// The waits between attempts; the last one is repeated.
const SCHEDULE_SECONDS: [i64; 7] = [2, 5, 15, 30, 60, 120, 300];
/// After this many attempts that a provider could not take, the fallback is told as well.
const FALLBACK_AFTER: u32 = 3;
/// If the next attempt is longer than this after the first, the fallback is told of a breach as well, however few there
/// were; of anything else, if it is longer than that.
const BREACH_WAITS: TimeDelta = TimeDelta::seconds(30);
const OTHERS_WAIT: TimeDelta = TimeDelta::minutes(5);
/// A breach whose next attempt by our own schedule is this long after the first, or that is asked to wait for minutes, is
/// told to the next people as well. A channel that is out of order for seconds is no reason to wake them.
pub(super) const STUCK: TimeDelta = TimeDelta::seconds(45);
const STUCK_AHEAD: TimeDelta = TimeDelta::minutes(2);
/// How often a message that may have been taken is looked up in vain before it is sent: better twice than never.
const LOOK_UPS: u32 = 4;
/// How long a message is tried in vain before it is given up. Time it waited earlier does not count, nor does downtime.
const GIVE_UP_AFTER: TimeDelta = TimeDelta::hours(6);

/// How an attempt went and, if that is unknown, the next value of [`Leased::unreported`].
struct Ended {
    result: Result<Receipt, SendError>,
    unreported: u32,
}

/// What one attempt needs.
pub(super) struct Attempt {
    pub store: Store,
    pub channel: Arc<dyn Notifier>,
    pub clock: SharedClock,
    pub telemetry: Arc<Telemetry>,
    pub gates: Arc<Gates>,
    /// Whether it probes a channel that is out of order.
    pub is_probe: bool,
}

impl Attempt {
    /// Makes the attempt. Its result is yet to be recorded.
    pub async fn make(self, leased: Leased) -> Attempted {
        let ended = self.send(&leased).await;
        let now = self.clock.now();
        let kind = leased.notification.channel;
        let out_of_order = self.gates.heard(kind, &ended.result, self.is_probe, now);
        self.report(&leased, &ended.result, out_of_order, now);
        let outcome = outcome(&leased, ended, out_of_order, now);
        Attempted { leased, outcome, at: now }
    }

    /// Sends, unless an earlier attempt that never reported back turns out to have been taken.
    async fn send(&self, leased: &Leased) -> Ended {
        let message = &leased.notification.message;
        if (1..=LOOK_UPS).contains(&leased.unreported) {
            match self.channel.already_sent(message, leased.notification.created_at).await {
                Ok(Some(receipt)) => return Ended { result: Ok(receipt), unreported: 0 },
                Ok(None) => {}
                Err(error) if leased.unreported < LOOK_UPS => {
                    return Ended { result: Err(still_unknown(error)), unreported: leased.unreported + 1 };
                }
                Err(_) => {}
            }
        }
        let result = match self.first_of_thread(leased).await {
            Some(first) => self.channel.answer(message, &first).await,
            None => self.say(&leased.notification).await,
        };
        let unreported = u32::from(matches!(result, Err(SendError::Unavailable { maybe_taken: true, .. })));
        Ended { result, unreported }
    }

    /// Sends the message, with the files attached to it.
    async fn say(&self, notification: &NewNotification) -> Result<Receipt, SendError> {
        match &notification.message.body {
            Body::Report(facts) => {
                let files = self.files(&notification.tenant, &facts.files).await?;
                self.channel.send_with(&notification.message, &files).await
            }
            _ => self.channel.send(&notification.message).await,
        }
    }

    async fn files(&self, tenant: &TenantId, wanted: &[FileFacts]) -> Result<Vec<Attachment>, SendError> {
        let mut files = Vec::with_capacity(wanted.len());
        for file in wanted {
            let kept = self.store.report_file(tenant, &file.id).await.map_err(|error| SendError::Unavailable {
                reason: format!("the report cannot be read from the store: {error}"),
                retry_after: None,
                maybe_taken: false,
                outage: false,
            })?;
            let gone = || SendError::Refused { reason: "the report is no longer kept".to_owned() };
            let (_, bytes) = kept.ok_or_else(gone)?;
            let (name, content_type) = (file.name.clone(), file.content_type.clone());
            files.push(Attachment { name, content_type, bytes });
        }
        Ok(files)
    }

    /// Returns the receipt of the message that this one continues, where the provider has to be told. If the store
    /// cannot say, the message still goes out, by itself.
    async fn first_of_thread(&self, leased: &Leased) -> Option<Receipt> {
        let notification = &leased.notification;
        if notification.channel != ChannelKind::Slack || !notification.message.continues_thread {
            return None;
        }
        let id = self.store.first_receipt(notification).await.ok()??;
        Some(Receipt { id: Some(id) })
    }

    fn report(&self, leased: &Leased, result: &Result<Receipt, SendError>, out_of_order: bool, now: DateTime<Utc>) {
        let notification = &leased.notification;
        let (key, channel) = (&notification.message.key, notification.channel.as_str());
        let ticket = notification.ticket_id.as_deref().unwrap_or("-");
        let about = about(notification);
        let word = match result {
            Ok(_) => {
                let late = (now - notification.due_at).num_milliseconds().max(0);
                self.telemetry.lateness_seconds.observe(late as f64 / 1000.0);
                info!(notification.id = %key, ticket.id = ticket, channel, kind = notification.kind, late_ms = late,
                    "sent by {channel}: {about}");
                "taken"
            }
            Err(SendError::Unavailable { .. }) if out_of_order => {
                // The outage was logged once, when it began.
                debug!(notification.id = %key, channel, attempt = leased.attempt, "`{key}` waits for its channel");
                "unavailable"
            }
            Err(SendError::Unavailable { reason, .. }) => {
                warn!(notification.id = %key, ticket.id = ticket, channel, attempt = leased.attempt,
                    "not accepted yet by {channel}, trying again: {about}: {reason}");
                "unavailable"
            }
            Err(SendError::Refused { reason }) => {
                warn!(notification.id = %key, ticket.id = ticket, channel, "refused by {channel}: {about}: {reason}");
                "refused"
            }
            Err(SendError::Misconfigured { reason }) => {
                error!(notification.id = %key, ticket.id = ticket, channel,
                    "channel {channel} does not work until somebody fixes it: {reason}");
                "misconfigured"
            }
        };
        self.telemetry.deliveries.get_or_create(&DeliveryLabels { channel, outcome: word }).inc();
    }
}

/// Words it as `breached 062822-0005 resolution`: the alert's stage or the kind of message, and what people call the
/// ticket. The recipient does not belong in a log: the alert's page shows it.
fn about(notification: &NewNotification) -> String {
    match render::about(&notification.message) {
        Some(about) if notification.kind == "alert" => format!("{} {about}", notification.stage),
        Some(about) => format!("{} {about}", notification.kind),
        None => notification.kind.to_owned(),
    }
}

/// Makes any failed look-up inconclusive: it says nothing about the message.
fn still_unknown(error: SendError) -> SendError {
    match error {
        unavailable @ SendError::Unavailable { .. } => unavailable,
        other => {
            let reason = format!("it is not known whether it was accepted: {other}");
            SendError::Unavailable { reason, retry_after: None, maybe_taken: true, outage: false }
        }
    }
}

/// Decides what follows from an answer.
///
/// What waits for a channel that is out of order is due at once: the breaker says when it may try.
fn outcome(leased: &Leased, ended: Ended, out_of_order: bool, now: DateTime<Utc>) -> Outcome {
    match ended.result {
        Ok(receipt) => Outcome::Taken { provider_id: receipt.id },
        Err(SendError::Unavailable { reason, .. }) if now - leased.tried_since > GIVE_UP_AFTER => Outcome::Failed {
            why: format!("given up after {} attempts: {reason}", leased.attempt),
            misconfigured: false,
        },
        Err(SendError::Unavailable { reason, retry_after, .. }) => {
            let asked = retry_after.and_then(|wait| TimeDelta::from_std(wait).ok()).unwrap_or_default();
            let wait = if out_of_order { TimeDelta::zero() } else { pause(leased.attempt) };
            let at = now + wait.max(asked);
            let is_breach = tells_of_breach(&leased.notification);
            let patience = if is_breach { BREACH_WAITS } else { OTHERS_WAIT };
            let next_channel_too = leased.attempt >= FALLBACK_AFTER || at - leased.tried_since > patience;
            // What a provider asks for says little: a mail server names no time, and may take the next message at once.
            let is_stuck = now + wait - leased.tried_since >= STUCK || asked >= STUCK_AHEAD;
            let next_step_too = is_breach && is_stuck;
            Outcome::Again { at, why: reason, unreported: ended.unreported, next_channel_too, next_step_too }
        }
        Err(SendError::Refused { reason }) => Outcome::Failed { why: reason, misconfigured: false },
        // It leaves once a person has mended the channel.
        Err(SendError::Misconfigured { reason }) if has_no_other_way(leased, now) => {
            let at = now + pause(u32::MAX);
            Outcome::Again { at, why: reason, unreported: 0, next_channel_too: false, next_step_too: false }
        }
        Err(SendError::Misconfigured { reason }) => Outcome::Failed { why: reason, misconfigured: true },
    }
}

fn tells_of_breach(notification: &NewNotification) -> bool {
    match &notification.message.body {
        Body::Alert(facts) => facts.stage == Stage::Breached,
        Body::Bundle(facts) => facts.breached > 0,
        _ => false,
    }
}

/// Whether nobody would hear of it if it were given up now: no other channel says it, and no later step, as for alerts.
fn has_no_other_way(leased: &Leased, now: DateTime<Utc>) -> bool {
    let is_of_alert = matches!(leased.notification.kind, "alert" | "bundle" | "digest");
    !is_of_alert && leased.notification.fallback.is_empty() && now - leased.tried_since <= GIVE_UP_AFTER
}

/// Returns the wait before the next attempt, varied by a fifth so that many do not come back at once.
fn pause(attempt: u32) -> TimeDelta {
    let last = SCHEDULE_SECONDS.len() - 1;
    let index = usize::try_from(attempt.saturating_sub(1)).unwrap_or(last).min(last);
    TimeDelta::milliseconds(SCHEDULE_SECONDS[index] * (800 + fastrand::i64(0..=400)))
}
