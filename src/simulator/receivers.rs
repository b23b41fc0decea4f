//! Where messages end up in a demo or a test: real receivers on loopback, which show what they caught.
//!
//! The product sends as always, over SMTP and HTTP, so what is seen here went through the real sending code.

mod calls;
mod carrier;
mod http;
mod mail;
mod ntfy;
mod pagerduty;
mod slack;
mod sms;
mod teams;
mod twilio;
mod webhook;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};

pub use calls::Callee;
pub use carrier::{Caller, DeliveryOutcome, Reports};
pub use http::HttpReply;
pub use mail::{MailCatcher, MailReply};
pub use ntfy::{FORBIDDEN_TOPIC, NtfyCatcher};
pub use pagerduty::PagerDutyCatcher;
pub use slack::SlackCatcher;
pub use sms::{SmsCatcher, SmsReply};
pub use teams::TeamsCatcher;
pub use webhook::{WEBHOOK_SECRET, WebhookCatcher};

/// How a message arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CaughtKind {
    Email,
    Ntfy,
    Sms,
    Voice,
    Slack,
    Teams,
    PagerDuty,
    Webhook,
}

impl CaughtKind {
    /// Returns the name on the page and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Ntfy => "ntfy",
            Self::Sms => "sms",
            Self::Voice => "voice",
            Self::Slack => "slack",
            Self::Teams => "teams",
            Self::PagerDuty => "pagerduty",
            Self::Webhook => "webhook",
        }
    }
}

/// One message for one recipient. No `Debug`: it is full of addresses and words.
#[derive(Clone, PartialEq, Eq)]
pub struct Caught {
    /// When it arrived, by the clock of the demo or test.
    pub at: DateTime<Utc>,
    pub kind: CaughtKind,
    /// The address, number or topic it was for; the channel at Slack, the incident at PagerDuty.
    pub to: String,
    /// Empty for a text message, a call, at Slack and in Teams; the title of a push; what PagerDuty should do; the type
    /// of a webhook's event.
    pub subject: String,
    pub text: String,
    pub html: Option<String>,
    /// For a mail: the header fields as they came, names in lower case, and an `attachment` for each file, with its
    /// name and SHA-256. For a text message or a call: the form. For others: whatever else matters.
    pub headers: Vec<(String, String)>,
}

impl Caught {
    /// Returns the first header field of that name, given in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// The messages caught last, shared by all receivers. Bounded: the oldest is dropped.
pub struct CaughtList {
    room: usize,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    messages: VecDeque<Arc<Caught>>,
    total: u64,
}

impl CaughtList {
    /// Keeps the last `room` messages.
    pub fn new(room: usize) -> Arc<Self> {
        Arc::new(Self { room, inner: Mutex::default() })
    }

    /// Adds a message.
    pub fn push(&self, caught: Caught) {
        let mut inner = self.inner();
        if inner.messages.len() == self.room {
            inner.messages.pop_front();
        }
        inner.messages.push_back(Arc::new(caught));
        inner.total += 1;
    }

    /// Returns at most `limit` messages, newest first.
    pub fn newest_first(&self, limit: usize) -> Vec<Arc<Caught>> {
        self.inner().messages.iter().rev().take(limit).cloned().collect()
    }

    /// Returns how many messages there have been, including dropped ones.
    pub fn total(&self) -> u64 {
        self.inner().total
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_forgets_the_oldest_and_shows_the_newest_first() {
        let list = CaughtList::new(2);
        for text in ["one", "two", "three"] {
            list.push(Caught {
                at: DateTime::UNIX_EPOCH,
                kind: CaughtKind::Sms,
                to: "+15005550101".to_owned(),
                subject: String::new(),
                text: text.to_owned(),
                html: None,
                headers: Vec::new(),
            });
        }
        let texts: Vec<String> = list.newest_first(9).iter().map(|caught| caught.text.clone()).collect();
        assert_eq!((texts, list.total()), (vec!["three".to_owned(), "two".to_owned()], 3));
    }
}
