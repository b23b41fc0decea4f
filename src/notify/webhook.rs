//! A signed webhook, by Standard Webhooks 1.0.
//!
//! The signature shows the receiver that a message is ours, and its time that it is not replayed. Repeats are dropped
//! by `webhook-id`, which is the same on each try. A receiver that answers 410 wants no more: nothing is sent to it
//! until the service restarts.

mod event;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit as _, Mac as _};
use reqwest::Url;
use reqwest::header::CONTENT_TYPE;
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

use super::http::Peer;
use super::{Message, Notifier, Receipt, SendError, SetupError};
use crate::alert::escalation::ChannelKind;
use crate::clock::SharedClock;
use crate::notify::settings;

/// Posts to one address.
pub struct WebhookNotifier {
    peer: Peer,
    url: Url,
    secret: SecretString,
    clock: SharedClock,
    /// Whether the receiver has answered 410.
    gone: AtomicBool,
}

impl WebhookNotifier {
    /// Connects only when there is something to send.
    pub fn new(webhook: &settings::Webhook, clock: SharedClock) -> Result<Self, SetupError> {
        let peer = Peer::new("the webhook").ok_or_else(|| setup_error("TLS cannot be set up"))?;
        let url = webhook.url.parse().map_err(|_| setup_error("`url` must be a web address"))?;
        if signing_key(&webhook.secret).is_none() {
            return Err(setup_error("the secret must be 24 to 64 bytes in base64"));
        }
        Ok(Self { peer, url, secret: webhook.secret.clone(), clock, gone: AtomicBool::new(false) })
    }
}

fn setup_error(reason: &str) -> SetupError {
    SetupError { channel: ChannelKind::Webhook, reason: reason.to_owned() }
}

/// Returns the bytes of a secret as Standard Webhooks writes it: base64, with or without `whsec_` before it.
pub(crate) fn signing_key(secret: &SecretString) -> Option<Vec<u8>> {
    let text = secret.expose_secret().trim();
    let bytes = STANDARD.decode(text.strip_prefix("whsec_").unwrap_or(text)).ok()?;
    (24..=64).contains(&bytes.len()).then_some(bytes)
}

/// Returns `v1,` and the signature over id, time and body. None if the secret is invalid.
fn signature(secret: &SecretString, id: &str, at: DateTime<Utc>, body: &[u8]) -> Option<String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(&signing_key(secret)?).ok()?;
    mac.update(format!("{id}.{}.", at.timestamp()).as_bytes());
    mac.update(body);
    Some(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
}

impl fmt::Debug for WebhookNotifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhookNotifier").finish_non_exhaustive()
    }
}

#[async_trait]
impl Notifier for WebhookNotifier {
    fn channel(&self) -> ChannelKind {
        ChannelKind::Webhook
    }

    async fn send(&self, message: &Message) -> Result<Receipt, SendError> {
        let gone = || SendError::misconfigured("the webhook answered `410`: it wants no more messages");
        if self.gone.load(Ordering::Relaxed) {
            return Err(gone());
        }
        let now = self.clock.now();
        let body = event::body(message, now);
        let signature = signature(&self.secret, &message.key, now, &body)
            .ok_or_else(|| SendError::misconfigured("the secret cannot sign"))?;
        let request = self
            .peer
            .post(&self.url)
            .header(CONTENT_TYPE, "application/json")
            .header("webhook-id", &message.key)
            .header("webhook-timestamp", now.timestamp())
            .header("webhook-signature", signature)
            .body(body);
        let answer = self.peer.ask(request, now).await?;
        match answer.status.as_u16() {
            200..=299 => Ok(Receipt { id: None }),
            410 => {
                self.gone.store(true, Ordering::Relaxed);
                Err(gone())
            }
            // These are about the address or the secret, so they concern every message.
            401 | 403 | 404 | 405 => Err(SendError::misconfigured(self.peer.said(answer.status))),
            _ => Err(SendError::refused(self.peer.said(answer.status))),
        }
    }
}
