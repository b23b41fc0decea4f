//! Pushes to phones by the ntfy protocol: ntfy.sh, or your own server.
//!
//! A message is published as JSON to everyone who has subscribed to its topic. ntfy does not drop repeats, but apps
//! show messages with the same `sequence_id` as one. Ours is the notification's own key, so a repeat replaces the
//! original, and a new message makes a sound.
//!
//! <https://docs.ntfy.sh/publish/#publish-as-json>,
//! <https://docs.ntfy.sh/publish/#updating-deleting-notifications>

#[cfg(test)]
mod tests;

use std::fmt;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::http::{Answer, Peer, clean_id};
use super::render::{self, Push};
use super::ways::Ways;
use super::{Message, Notifier, Receipt, SendError, SetupError};
use crate::alert::escalation::ChannelKind;
use crate::clock::SharedClock;
use crate::notify::settings;

/// The most buttons that an app shows: <https://docs.ntfy.sh/publish/#action-buttons>.
const MOST_ACTIONS: usize = 3;

/// Publishes on one server.
pub struct NtfyNotifier {
    peer: Peer,
    url: Url,
    token: Option<SecretString>,
    clock: SharedClock,
    ways: Ways,
}

impl NtfyNotifier {
    /// Connects only when there is something to send.
    pub fn new(ntfy: &settings::Ntfy, clock: SharedClock) -> Result<Self, SetupError> {
        let peer = Peer::new("ntfy").ok_or_else(|| setup_error("TLS cannot be set up"))?;
        let url = format!("{}/", ntfy.base_url).parse().map_err(|_| setup_error("`base_url` must be a web address"))?;
        Ok(Self { peer, url, token: ntfy.token.clone(), clock, ways: Ways::default() })
    }

    /// Adds a button to each alert that acknowledges it.
    pub fn offering(self, ways: Ways) -> Self {
        Self { ways, ..self }
    }

    fn body(&self, message: &Message, now: DateTime<Utc>) -> Value {
        let Push { title, text, priority, tags, links } = render::push(message, now);
        let mut body = json!({
            "topic": message.to,
            "title": title,
            "message": text,
            "priority": priority,
            "tags": tags,
            "sequence_id": message.key,
            "actions": self.actions(message, &links, now),
        });
        if let Some((_, url)) = links.first() {
            body["click"] = url.as_str().into();
        }
        body
    }

    /// Returns the button that acknowledges, and those that open the ticket. The first is a POST to the link that a
    /// mail contains: it works once, for a day, and needs no login.
    fn actions(&self, message: &Message, links: &[(String, String)], now: DateTime<Utc>) -> Vec<Value> {
        let acknowledge = self.ways.link(message, now).map(
            |url| json!({ "action": "http", "label": "Acknowledge", "url": url, "method": "POST", "clear": true }),
        );
        let view = links.iter().map(|(label, url)| json!({ "action": "view", "label": label, "url": url }));
        acknowledge.into_iter().chain(view).take(MOST_ACTIONS).collect()
    }
}

fn setup_error(reason: &str) -> SetupError {
    SetupError { channel: ChannelKind::Ntfy, reason: reason.to_owned() }
}

/// Sorts the answer. Rights are given by topic, so a 403 is about this recipient; a 401 is about the token.
fn sort(peer: &Peer, answer: &Answer) -> Result<Receipt, SendError> {
    let said = peer.said(answer.status);
    match answer.status.as_u16() {
        200..=299 => match answer.json()["id"].as_str() {
            Some(id) => Ok(Receipt { id: clean_id(id).map(str::to_owned) }),
            None => Err(SendError::unanswered("ntfy gave an invalid answer")),
        },
        403 => Err(SendError::refused(format!("{said}: the token may not write to this topic"))),
        400 | 413 | 422 => Err(SendError::refused(said)),
        _ => Err(SendError::misconfigured(said)),
    }
}

impl fmt::Debug for NtfyNotifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NtfyNotifier").finish_non_exhaustive()
    }
}

#[async_trait]
impl Notifier for NtfyNotifier {
    fn channel(&self) -> ChannelKind {
        ChannelKind::Ntfy
    }

    async fn send(&self, message: &Message) -> Result<Receipt, SendError> {
        let now = self.clock.now();
        let mut request = self.peer.post(&self.url).json(&self.body(message, now));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token.expose_secret());
        }
        sort(&self.peer, &self.peer.ask(request, now).await?)
    }
}
