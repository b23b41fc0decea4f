//! The contract that every channel keeps: one attempt, and an honest answer.
//!
//! A channel does not know what was sent before. When to try again, whom to try next and what was already said are up
//! to `dispatch`. A message carries facts, not text: each channel words them for its own medium.

pub mod email;
pub mod link;
pub mod ntfy;
pub mod pagerduty;
pub mod render;
pub mod settings;
pub mod slack;
pub mod sms;
pub mod teams;
pub mod voice;
pub mod webhook;

mod http;
mod message;
pub mod span;
pub mod ways;

#[cfg(test)]
mod tests;

use std::error::Error;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::alert::escalation::ChannelKind;
use crate::clock::SharedClock;

pub use self::message::{
    AcknowledgedFacts, Advice, AlertFacts, Body, BundleFacts, BundleRow, DigestFacts, DigestRow, FileFacts,
    FreeTechnician, Message, News, RecoveryFacts, ReportFacts, ServiceFacts, StaleFacts, TicketFacts, UpdateFacts,
};
pub use self::span::{JUST, WorkingTime, counted, hours, left_or_over, span, words, zone_name};
pub use self::ways::Ways;

/// One way of reaching people.
#[async_trait]
pub trait Notifier: Send + Sync {
    /// Returns which channel this is.
    fn channel(&self) -> ChannelKind;

    /// Makes one attempt to deliver `message`, within the channel's own deadline.
    async fn send(&self, message: &Message) -> Result<Receipt, SendError>;

    /// Sends like [`Notifier::send`], with `files` attached where the channel can carry any.
    async fn send_with(&self, message: &Message, files: &[Attachment]) -> Result<Receipt, SendError> {
        let _ = files;
        self.send(message).await
    }

    /// Sends like [`Notifier::send`], for a message that continues the thread which the provider knows as `first`.
    ///
    /// Most channels work out by themselves what belongs together.
    async fn answer(&self, message: &Message, first: &Receipt) -> Result<Receipt, SendError> {
        let _ = first;
        self.send(message).await
    }

    /// Returns the receipt if the provider already has `message` from an attempt since `since` whose answer we never
    /// heard.
    ///
    /// Called before an attempt is repeated. `None` where the receiver drops a repeat by itself, as mail programs do by
    /// the Message-ID.
    async fn already_sent(&self, message: &Message, since: DateTime<Utc>) -> Result<Option<Receipt>, SendError> {
        let _ = (message, since);
        Ok(None)
    }

    /// Returns what became of the message that the provider calls `id`. `None` where providers do not say.
    async fn delivery(&self, id: &str) -> Result<Option<Delivery>, SendError> {
        let _ = id;
        Ok(None)
    }
}

/// A file that goes along with a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    pub name: String,
    pub content_type: String,
    pub bytes: Vec<u8>,
}

/// What a provider reports about a message that it took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The provider's own word.
    pub status: String,
    /// The provider's error code, if something went wrong.
    pub code: Option<u32>,
}

/// Why a channel cannot be set up from its configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`notify.{}`: {reason}", channel.as_str())]
pub struct SetupError {
    pub channel: ChannelKind,
    pub reason: String,
}

/// Connects every configured channel, with no way to answer its messages. `clock` says how long is left when a message
/// leaves.
pub fn connect(notify: &settings::Notify, clock: &SharedClock) -> Result<Vec<Arc<dyn Notifier>>, SetupError> {
    connect_offering(notify, clock, &Ways::default())
}

/// Connects every configured channel, with `ways` to answer its messages.
pub fn connect_offering(
    notify: &settings::Notify,
    clock: &SharedClock,
    ways: &Ways,
) -> Result<Vec<Arc<dyn Notifier>>, SetupError> {
    let mut channels: Vec<Arc<dyn Notifier>> = Vec::new();
    if let Some(email) = &notify.email {
        channels.push(Arc::new(email::EmailNotifier::new(email, Arc::clone(clock))?.offering(ways.clone())));
    }
    if let Some(ntfy) = &notify.ntfy {
        channels.push(Arc::new(ntfy::NtfyNotifier::new(ntfy, Arc::clone(clock))?.offering(ways.clone())));
    }
    if let Some(sms) = &notify.sms {
        channels.push(Arc::new(sms::SmsNotifier::new(sms, Arc::clone(clock))?.offering(ways.clone())));
    }
    if let Some(voice) = &notify.voice {
        channels.push(Arc::new(voice::VoiceNotifier::new(voice, Arc::clone(clock))?.offering(ways.clone())));
    }
    if let Some(slack) = &notify.slack {
        channels.push(Arc::new(slack::SlackNotifier::new(slack, Arc::clone(clock))?));
    }
    if let Some(teams) = &notify.teams {
        channels.push(Arc::new(teams::TeamsNotifier::new(teams, Arc::clone(clock))?.offering(ways.clone())));
    }
    if let Some(pagerduty) = &notify.pagerduty {
        channels.push(Arc::new(pagerduty::PagerDutyNotifier::new(pagerduty, Arc::clone(clock))?));
    }
    if let Some(webhook) = &notify.webhook {
        channels.push(Arc::new(webhook::WebhookNotifier::new(webhook, Arc::clone(clock))?));
    }
    Ok(channels)
}

/// The longest that one attempt may take, from connecting to the last byte of the answer.
pub const ATTEMPT_DEADLINE: Duration = Duration::from_secs(10);

/// Describes what became of a message that `channel` took; whether it reaches anybody is another question.
pub fn accepted_words(channel: ChannelKind) -> String {
    match channel {
        ChannelKind::Email => "accepted by mail server".to_owned(),
        ChannelKind::Sms => "accepted by SMS provider".to_owned(),
        ChannelKind::Ntfy => "accepted by ntfy".to_owned(),
        ChannelKind::Voice => "call placed".to_owned(),
        other => format!("accepted by {}", other.words()),
    }
}

/// The provider took the message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The provider's own id for it, if it gave one.
    pub id: Option<String>,
}

/// Why an attempt failed, split by what to do next. The texts contain no address, number or secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// Trying again may help.
    #[error("the provider could not take the message now: {reason}")]
    Unavailable {
        reason: String,
        retry_after: Option<Duration>,
        /// It may have been taken even so, with only the answer lost: a repeat may be one too many.
        maybe_taken: bool,
        /// Nobody can be reached there now, not just this recipient: no connection, no answer, or 5xx.
        outage: bool,
    },
    /// This recipient cannot be reached on this channel; another channel may work.
    #[error("the provider refused the message: {reason}")]
    Refused { reason: String },
    /// Nobody can be reached on this channel until a person changes the configuration.
    #[error("the channel is misconfigured: {reason}")]
    Misconfigured { reason: String },
}

impl SendError {
    fn unavailable(reason: impl Into<String>) -> Self {
        Self::Unavailable { reason: reason.into(), retry_after: None, maybe_taken: false, outage: false }
    }

    fn unreached(reason: impl Into<String>) -> Self {
        Self::Unavailable { reason: reason.into(), retry_after: None, maybe_taken: false, outage: true }
    }

    fn unanswered(reason: impl Into<String>) -> Self {
        Self::Unavailable { reason: reason.into(), retry_after: None, maybe_taken: true, outage: true }
    }

    fn refused(reason: impl Into<String>) -> Self {
        Self::Refused { reason: reason.into() }
    }

    fn misconfigured(reason: impl Into<String>) -> Self {
        Self::Misconfigured { reason: reason.into() }
    }

    fn into_reason(self) -> String {
        match self {
            Self::Unavailable { reason, .. } | Self::Refused { reason } | Self::Misconfigured { reason } => reason,
        }
    }
}

/// Whether `error` arose because the other side could not prove who it is. That does not fix itself.
fn is_bad_certificate(error: &(dyn Error + 'static)) -> bool {
    std::iter::successors(Some(error), |error| cause(*error))
        .any(|error| matches!(error.downcast_ref(), Some(rustls::Error::InvalidCertificate(_))))
}

/// Returns what is behind `error`. An I/O error hides what it wraps from `source`.
fn cause<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(inner) => Some(inner),
        None => error.source(),
    }
}
