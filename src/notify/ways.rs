//! How the recipient of an alert can answer it: a link in a mail, a code in a text message.
//!
//! A channel asks when a message leaves, so what it offers is never stored with
//! the message: whoever reads the database cannot acknowledge in another's name.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::link::{LinkKey, SubscriberAction};
use super::{Body, BundleRow, Message, News};

/// Where Twilio reports what became of a message, below our public address.
pub const STATUS_HOOK: &str = "/hooks/twilio/status";
/// Where Twilio passes on what people reply.
pub const REPLY_HOOK: &str = "/hooks/twilio/sms";

/// Where Twilio passes on the keys that are pressed during a call.
pub const VOICE_HOOK: &str = "/hooks/twilio/voice";

/// Where PagerDuty says that somebody acknowledged an incident.
pub const PAGERDUTY_HOOK: &str = "/hooks/pagerduty";
/// Where Slack says that somebody pressed the button of a message.
pub const SLACK_HOOK: &str = "/hooks/slack";

/// What is known of phones.
#[async_trait]
pub trait Phones: Send + Sync {
    /// How `number` may be texted about the alert of `message`.
    async fn line(&self, number: &str, message: &Message, now: DateTime<Utc>) -> Line;

    /// Remembers what the provider says of `number`, to which `message` goes, by its error `code`: that its owner wants
    /// no more text messages, or that none reaches it. Other errors are none of the number's.
    async fn refused(&self, number: &str, message: &Message, code: u32, now: DateTime<Utc>);

    /// What the provider calls what carried `message`, if it reported anything of it.
    async fn reported(&self, message: &Message) -> Option<String>;

    /// Whether it is known which message carried what the provider calls `id`.
    async fn is_recorded(&self, id: &str) -> bool;

    /// Whether of no other message to the same number it is unknown what became of it.
    async fn is_only_doubt(&self, message: &Message) -> bool;
}

/// Whether a phone may be texted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    /// Its owner said STOP.
    Stopped,
    /// No text message reaches it, as the provider said with this error.
    Dead {
        code: u32,
    },
    Open(Offer),
}

/// What a text message carries beyond its words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offer {
    /// The code under which the phone's owner can answer.
    pub code: Option<u8>,
    /// When the escalation moves on: what arrives later is stale.
    pub next_step_at: Option<DateTime<Utc>>,
}

/// What messages may offer. The default is nothing.
#[derive(Clone, Default)]
pub struct Ways {
    /// Where people reach us, and what links are signed with.
    pub links: Option<(String, LinkKey)>,
    pub phones: Option<Arc<dyn Phones>>,
    /// Where Twilio reports what became of a message or a call.
    pub status_url: Option<String>,
    /// Where Twilio passes on the keys that are pressed during a call.
    pub keys_url: Option<String>,
}

impl Ways {
    /// The link by which the recipient of `message` acknowledges its alert, or all those that it bundles.
    pub fn link(&self, message: &Message, now: DateTime<Utc>) -> Option<String> {
        let (base, key) = self.links.as_ref().filter(|_| is_answerable(message))?;
        Some(format!("{base}/a/{}", key.sign(&message.key, now)?))
    }

    /// The link by which whoever gets `message` confirms a subscription, or ends it.
    pub(super) fn wish(&self, message: &Message) -> Option<String> {
        let (base, key) = self.links.as_ref()?;
        let Body::Update(facts) = &message.body else { return None };
        let wish = if facts.news == News::Confirm { SubscriberAction::Confirm } else { SubscriberAction::Stop };
        Some(format!("{base}/status/updates/{}/{}", wish.as_str(), key.sign_wish(wish, &facts.subscriber)?))
    }

    /// How the phone `number` may be texted about `message`.
    pub async fn line(&self, number: &str, message: &Message, now: DateTime<Utc>) -> Line {
        match &self.phones {
            Some(phones) => phones.line(number, message, now).await,
            None => Line::Open(Offer::default()),
        }
    }

    /// Where reports on `message` go: its key stands in the address, since a report may come before we know what the
    /// provider calls the message.
    pub(super) fn reports_on(&self, message: &Message) -> Option<String> {
        self.status_url.as_ref().map(|url| format!("{url}?n={}", message.key))
    }

    /// Where the keys go that answer `message`; none if it asks for no answer.
    pub(super) fn keys_of(&self, message: &Message) -> Option<String> {
        let url = self.keys_url.as_ref().filter(|_| is_answerable(message))?;
        Some(format!("{url}?n={}", message.key))
    }

    /// What the provider calls what carried `message`, if it reported anything of it.
    pub(super) async fn reported(&self, message: &Message) -> Option<String> {
        self.phones.as_ref()?.reported(message).await
    }

    /// Whether of no other message to the same number it is unknown what became of it. Without a store, of none is.
    pub(super) async fn is_only_doubt(&self, message: &Message) -> bool {
        match &self.phones {
            Some(phones) => phones.is_only_doubt(message).await,
            None => true,
        }
    }

    /// Whether it is known which message carried what the provider calls `id`. Without a store, nothing is.
    pub(super) async fn is_recorded(&self, id: &str) -> bool {
        match &self.phones {
            Some(phones) => phones.is_recorded(id).await,
            None => false,
        }
    }
}

/// Only an alert can be acknowledged.
pub fn is_alert(message: &Message) -> bool {
    matches!(message.body, Body::Alert(_))
}

/// Whether a message is about something that can be acknowledged: one alert, or all those that it bundles.
pub fn is_answerable(message: &Message) -> bool {
    match &message.body {
        Body::Bundle(facts) => facts.rows.iter().any(|row| matches!(row, BundleRow::Alert { .. })),
        _ => is_alert(message),
    }
}
