//! Handles people's answers to alerts and providers' reports about the messages.
//!
//! An answer comes by the link in a message, by a reply to a text message, by a key pressed during a call, or by a
//! button in Slack or PagerDuty. It is trusted because it is signed: links by us, everything passed on by the provider.
//! Each ends in the same act on the alert and in the audit log.

mod calls;
mod links;
mod no_texts;
mod phones;
pub mod receipts;
pub mod reply;
pub mod signatures;
mod systems;
pub mod texts;

use std::sync::Arc;

use anyhow::Context;
use chrono::{DateTime, Utc};
use secrecy::SecretString;
use tokio::sync::Notify;

use crate::clock::SharedClock;
use crate::config::Config;
use crate::notify::Ways;
use crate::notify::link::{LinkKey, SubscriberAction};
use crate::notify::sms::signature;
use crate::notify::ways::{PAGERDUTY_HOOK, REPLY_HOOK, SLACK_HOOK, STATUS_HOOK, VOICE_HOOK};
use crate::store::Store;
use crate::telemetry::{HookLabels, Telemetry};

pub use links::{Followed, LinkRefusal, Linked};
pub use no_texts::NoMoreTexts;

/// The name under which the store keeps the key that signs links.
const LINK_SECRET: &str = "links";

/// Takes answers and reports. Cheap to clone.
#[derive(Clone)]
pub struct Answers {
    config: Arc<Config>,
    store: Store,
    clock: SharedClock,
    telemetry: Arc<Telemetry>,
    wakers: Wakers,
    links: LinkKey,
}

/// Wakes the loops that an answer concerns.
#[derive(Clone)]
pub struct Wakers {
    /// Notified when the outbox has something new.
    pub dispatch: Arc<Notify>,
    /// Notified when a person or a ticket has changed something.
    pub evaluate: Arc<Notify>,
}

/// Which of the providers' webhooks was called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    Status,
    Reply,
    Voice,
    PagerDuty,
    Slack,
}

impl Hook {
    fn path(self) -> &'static str {
        match self {
            Self::Status => STATUS_HOOK,
            Self::Reply => REPLY_HOOK,
            Self::Voice => VOICE_HOOK,
            Self::PagerDuty => PAGERDUTY_HOOK,
            Self::Slack => SLACK_HOOK,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Status => "twilio_status",
            Self::Reply => "twilio_sms",
            Self::Voice => "twilio_voice",
            Self::PagerDuty => "pagerduty",
            Self::Slack => "slack",
        }
    }
}

impl Answers {
    /// Opens with the link key kept in `store`, or with a new one.
    pub async fn open(
        config: Arc<Config>,
        store: Store,
        clock: SharedClock,
        telemetry: Arc<Telemetry>,
        wakers: Wakers,
    ) -> anyhow::Result<Self> {
        let mut fresh = [0; 32];
        getrandom::fill(&mut fresh).context("the system gives no random bytes")?;
        let links = LinkKey::new(store.secret(LINK_SECRET, fresh, clock.now()).await?);
        Ok(Self { config, store, clock, telemetry, wakers, links })
    }

    /// The present time by the leader's clock, by which everything is stored.
    fn leaders_now(&self) -> DateTime<Utc> {
        self.store.leaders_time(self.clock.now())
    }

    /// Returns the ways to answer that messages may offer.
    pub fn ways(&self) -> Ways {
        let url = self.config.server.public_url.clone();
        let phones = phones::StoredPhones { store: self.store.clone(), with_codes: self.takes_replies() };
        Ways {
            status_url: self.hook_url(STATUS_HOOK),
            keys_url: self.keys_url(),
            links: url.map(|url| (url, self.links.clone())),
            phones: Some(Arc::new(phones)),
        }
    }

    /// Returns the subscriber whose `wish` about a status page `token` states, if we issued that token.
    pub fn subscriber(&self, wish: SubscriberAction, token: &str) -> Option<String> {
        self.links.verify_wish(wish, token)
    }

    /// Whether the provider can call us. Without a public address or a token we could believe nothing it says.
    pub fn hooks_are_on(&self) -> bool {
        self.hook_url(STATUS_HOOK).is_some()
    }

    /// Returns the URL to which the provider passes on the keys pressed during a call.
    fn keys_url(&self) -> Option<String> {
        self.hook_url(VOICE_HOOK)
    }

    fn hook_url(&self, path: &str) -> Option<String> {
        let url = self.config.server.public_url.as_ref().filter(|_| self.tokens().next().is_some())?;
        Some(format!("{url}{path}"))
    }

    /// Whether the provider signed a call of `hook`. `query` is the raw text after the `?`.
    pub fn is_genuine(&self, hook: Hook, query: Option<&str>, form: &[(String, String)], signature: &str) -> bool {
        let Some(base) = &self.config.server.public_url else { return false };
        let query = query.map(|query| format!("?{query}")).unwrap_or_default();
        let url = format!("{base}{}{query}", hook.path());
        let genuine = signature::is_genuine(self.tokens(), &url, form, signature);
        if !genuine {
            self.count(hook, "forged");
        }
        genuine
    }

    /// Returns the tokens with which the Twilio accounts sign.
    fn tokens(&self) -> impl Iterator<Item = &SecretString> {
        let notify = &self.config.notify;
        let accounts = notify.sms.iter().map(|sms| &sms.account).chain(notify.voice.iter().map(|voice| &voice.account));
        accounts.flat_map(|account| &account.hook_tokens)
    }

    fn takes_replies(&self) -> bool {
        self.hooks_are_on() && self.config.notify.sms.as_ref().is_some_and(|sms| sms.replies)
    }

    fn count(&self, hook: Hook, outcome: &'static str) {
        self.telemetry.hooks.get_or_create(&HookLabels { hook: hook.as_str(), outcome }).inc();
    }
}
