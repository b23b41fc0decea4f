//! How the recipient of an alert can answer it: a link in a mail, a code in a text message.
//!
//! A channel asks for them when a message leaves, so they are never stored with the message: nobody who reads the
//! database can acknowledge in another's name.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::link::{LinkKey, SubscriberAction};
use super::{Body, BundleRow, Message, News};

/// Where Twilio reports what became of a message, below our public address.
pub const STATUS_HOOK: &str = "/hooks/twilio/status";
/// Where Twilio passes on what people reply.
pub const REPLY_HOOK: &str = "/hooks/twilio/sms";

/// Where Twilio passes on the keys pressed during a call.
pub const VOICE_HOOK: &str = "/hooks/twilio/voice";

/// Where PagerDuty says that somebody acknowledged an incident.
pub const PAGERDUTY_HOOK: &str = "/hooks/pagerduty";
/// Where Slack says that somebody pressed a message's button.
pub const SLACK_HOOK: &str = "/hooks/slack";

/// What is known about phones.
#[async_trait]
pub trait Phones: Send + Sync {
    /// Returns how `number` may be texted about the alert of `message`.
    async fn line(&self, number: &str, message: &Message, now: DateTime<Utc>) -> Line;

    /// Remembers what the provider's error `code` says of `number`, to which `message` goes: that its owner wants no
    /// more text messages, or that none reaches it. Other errors have nothing to do with the number.
    async fn refused(&self, number: &str, message: &Message, code: u32, now: DateTime<Utc>);

    /// Returns the provider's id for `message`, if it reported anything about it.
    async fn reported(&self, message: &Message) -> Option<String>;

    /// Whether it is known which message has the provider's id `id`.
    async fn is_recorded(&self, id: &str) -> bool;

    /// Whether `message` is the only one to its number whose fate is unknown.
    async fn is_only_doubt(&self, message: &Message) -> bool;
}

/// Whether a phone may be texted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    /// Its owner said STOP.
    Stopped,
    /// No text message reaches it: the provider said so with this error.
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
    /// When the escalation moves on: an answer that arrives later is stale.
    pub next_step_at: Option<DateTime<Utc>>,
}

/// What messages may offer. By default, nothing.
#[derive(Clone, Default)]
pub struct Ways {
    /// Our public address, and the key that links are signed with.
    pub links: Option<(String, LinkKey)>,
    pub phones: Option<Arc<dyn Phones>>,
    /// Where Twilio reports what became of a message or a call.
    pub status_url: Option<String>,
    /// Where Twilio passes on the keys pressed during a call.
    pub keys_url: Option<String>,
}

impl Ways {
    /// Returns the link by which the recipient of `message` acknowledges its alert, or all alerts that it bundles.
    pub fn link(&self, message: &Message, now: DateTime<Utc>) -> Option<String> {
        let (base, key) = self.links.as_ref().filter(|_| is_answerable(message))?;
        Some(format!("{base}/a/{}", key.sign(&message.key, now)?))
    }

    /// Returns the link by which the recipient of `message` confirms a subscription, or ends it.
    pub(super) fn wish(&self, message: &Message) -> Option<String> {
        let (base, key) = self.links.as_ref()?;
        let Body::Update(facts) = &message.body else { return None };
        let wish = if facts.news == News::Confirm { SubscriberAction::Confirm } else { SubscriberAction::Stop };
        Some(format!("{base}/status/updates/{}/{}", wish.as_str(), key.sign_wish(wish, &facts.subscriber)?))
    }

    /// Returns how the phone `number` may be texted about `message`.
    pub async fn line(&self, number: &str, message: &Message, now: DateTime<Utc>) -> Line {
        match &self.phones {
            Some(phones) => phones.line(number, message, now).await,
            None => Line::Open(Offer::default()),
        }
    }

    /// Returns where reports on `message` go. Its key is part of the address, since a report may come before we know
    /// the provider's id for the message.
    pub(super) fn reports_on(&self, message: &Message) -> Option<String> {
        self.status_url.as_ref().map(|url| format!("{url}?n={}", message.key))
    }

    /// Returns where the keys that answer `message` go; none if it asks for no answer.
    pub(super) fn keys_of(&self, message: &Message) -> Option<String> {
        let url = self.keys_url.as_ref().filter(|_| is_answerable(message))?;
        Some(format!("{url}?n={}", message.key))
    }

    /// Returns the provider's id for `message`, if it reported anything about it.
    pub(super) async fn reported(&self, message: &Message) -> Option<String> {
        self.phones.as_ref()?.reported(message).await
    }

    /// Whether `message` is the only one to its number whose fate is unknown. Without a store, it always is.
    pub(super) async fn is_only_doubt(&self, message: &Message) -> bool {
        match &self.phones {
            Some(phones) => phones.is_only_doubt(message).await,
            None => true,
        }
    }

    /// Whether it is known which message has the provider's id `id`. Without a store, it never is.
    pub(super) async fn is_recorded(&self, id: &str) -> bool {
        match &self.phones {
            Some(phones) => phones.is_recorded(id).await,
            None => false,
        }
    }
}

/// Whether `message` is an alert, which can be acknowledged.
pub fn is_alert(message: &Message) -> bool {
    matches!(message.body, Body::Alert(_))
}

/// Whether a message is about something that can be acknowledged: one alert, or all alerts that it bundles.
pub fn is_answerable(message: &Message) -> bool {
    match &message.body {
        Body::Bundle(facts) => facts.rows.iter().any(|row| matches!(row, BundleRow::Alert { .. })),
        _ => is_alert(message),
    }
}
