//! What each channel needs before it can be used. The configuration file is read into these types.

use std::collections::BTreeMap;
use std::fmt;

use secrecy::SecretString;

use crate::alert::escalation::ChannelKind;

/// The configured channels, each with what it needs.
#[derive(Debug, Default)]
pub struct Notify {
    pub email: Option<Email>,
    pub ntfy: Option<Ntfy>,
    pub sms: Option<Sms>,
    pub voice: Option<Voice>,
    pub slack: Option<Slack>,
    pub teams: Option<Teams>,
    pub pagerduty: Option<PagerDuty>,
    pub webhook: Option<Webhook>,
    /// The most messages a minute for each channel; absent means no limit.
    pub per_minute: BTreeMap<ChannelKind, u32>,
}

impl Notify {
    /// Returns the channels that are configured.
    pub fn kinds(&self) -> Vec<ChannelKind> {
        let there = |kind: &ChannelKind| match kind {
            ChannelKind::Email => self.email.is_some(),
            ChannelKind::Ntfy => self.ntfy.is_some(),
            ChannelKind::Sms => self.sms.is_some(),
            ChannelKind::Voice => self.voice.is_some(),
            ChannelKind::Slack => self.slack.is_some(),
            ChannelKind::Teams => self.teams.is_some(),
            ChannelKind::PagerDuty => self.pagerduty.is_some(),
            ChannelKind::Webhook => self.webhook.is_some(),
        };
        ChannelKind::ALL.into_iter().filter(there).collect()
    }
}

pub struct Ntfy {
    /// Without a trailing slash.
    pub base_url: String,
    /// None for a server or topics that anybody may write to.
    pub token: Option<SecretString>,
    /// Each technician's topic, by email address in lower case.
    pub topics: BTreeMap<String, String>,
}

impl Ntfy {
    /// Returns the topic of the person with that email address.
    pub fn topic_of(&self, email: &str) -> Option<&str> {
        self.topics.get(&email.trim().to_lowercase()).map(String::as_str)
    }
}

impl fmt::Debug for Ntfy {
    /// Leaves out the topics: anyone who knows one can read along.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ntfy").field("base_url", &self.base_url).finish_non_exhaustive()
    }
}

#[derive(Debug)]
pub struct Slack {
    pub way: SlackWay,
    /// What Slack signs its requests to us with; none means that messages have no button.
    pub signing_secret: Option<SecretString>,
}

#[derive(Debug)]
pub enum SlackWay {
    Bot {
        token: SecretString,
        /// Where messages go unless a step names another channel: `#sla`, or a channel's id.
        channel: String,
        /// Without a trailing slash.
        base_url: String,
    },
    /// The address is the secret; it stands for one channel.
    IncomingWebhook { url: SecretString },
}

#[derive(Debug)]
pub struct Teams {
    /// The address of a workflow, which posts to one channel or chat. Anyone who knows it can post there.
    pub webhook_url: SecretString,
}

#[derive(Debug)]
pub struct PagerDuty {
    pub routing_key: SecretString,
    /// Without a trailing slash.
    pub base_url: String,
    /// What PagerDuty signs its webhooks with; if none, they are refused.
    pub webhook_secret: Option<SecretString>,
}

#[derive(Debug)]
pub struct Webhook {
    pub url: String,
    /// As Standard Webhooks writes it: base64, with or without `whsec_` before it; checked.
    pub secret: SecretString,
}

pub struct Email {
    pub host: String,
    pub port: u16,
    pub tls: SmtpTls,
    pub user: Option<String>,
    pub password: Option<SecretString>,
    /// `Name <address>` or an address; checked.
    pub from: String,
}

impl fmt::Debug for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port, tls, .. } = self;
        f.debug_struct("Email").field("host", host).field("port", port).field("tls", tls).finish_non_exhaustive()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SmtpTls {
    /// TLS from the first byte (`smtps://`).
    Wrapped,
    /// STARTTLS, or nothing is sent.
    Required,
    /// Only to a loopback host.
    None,
}

/// An account at Twilio.
#[derive(Clone, Debug)]
pub struct Twilio {
    pub account_sid: String,
    /// The user of HTTP basic auth: the account, or an API key.
    pub api_key_sid: Option<String>,
    pub secret: SecretString,
    /// Without a trailing slash.
    pub base_url: String,
    /// What Twilio signs its requests to us with: the account's auth token, and the previous one while it is being
    /// changed. If empty, such requests are refused.
    pub hook_tokens: Vec<SecretString>,
}

impl Twilio {
    /// The user of HTTP basic auth.
    pub fn user(&self) -> &str {
        self.api_key_sid.as_deref().unwrap_or(&self.account_sid)
    }

    /// Returns the address of the account's `Messages` or `Calls`, or else the rule that is broken.
    pub fn resource(&self, name: &str) -> Result<url::Url, &'static str> {
        if !self.account_sid.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err("`account_sid` must be letters and digits, since it is part of an address");
        }
        let url = format!("{}/2010-04-01/Accounts/{}/{name}.json", self.base_url, self.account_sid);
        url.parse().map_err(|_| "`base_url` must be a web address")
    }
}

#[derive(Debug)]
pub struct Voice {
    pub account: Twilio,
    /// The number that calls come from.
    pub from: String,
    /// The language and accent of the voice: `en-GB`.
    pub language: String,
}

#[derive(Debug)]
pub struct Sms {
    pub account: Twilio,
    pub sender: SmsSender,
    /// Whether Twilio passes replies on to us, so that messages say how to answer.
    pub replies: bool,
}

#[derive(Clone, PartialEq, Eq)]
pub enum SmsSender {
    From(String),
    MessagingService(String),
}

impl fmt::Debug for SmsSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::From(_) => "From(..)",
            Self::MessagingService(_) => "MessagingService(..)",
        })
    }
}
