//! Slack: messages from a bot, threaded by alert, or through an incoming webhook.
//!
//! Slack refuses with HTTP 200 and `"ok": false`; the word beside it says what to do next. Later messages about an
//! alert hang under its first. Slack does not drop repeats: after an attempt without an answer the message is sent
//! again, better twice than never.

#[cfg(test)]
mod tests;

use std::fmt;

use async_trait::async_trait;
use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::http::{Answer, Peer, clean_word};
use super::ways::is_answerable;
use super::{Body, Message, Notifier, Receipt, SendError, SetupError, render};
use crate::alert::Stage;
use crate::alert::escalation::ChannelKind;
use crate::clock::SharedClock;
use crate::notify::settings;

/// The id of the button, which Slack reports when it is pressed.
pub const ACKNOWLEDGE: &str = "acknowledge";
/// Slack's limit for the text of a block, in characters.
const BLOCK: usize = 3_000;

/// Writes to one workspace.
pub struct SlackNotifier {
    peer: Peer,
    way: Way,
    /// Whether we are told when somebody presses a button.
    with_button: bool,
    clock: SharedClock,
}

enum Way {
    Bot { url: Url, token: SecretString, channel: String },
    IncomingWebhook { url: Url },
}

impl SlackNotifier {
    /// Connects only when there is something to send.
    pub fn new(slack: &settings::Slack, clock: SharedClock) -> Result<Self, SetupError> {
        let peer = Peer::new("Slack").ok_or_else(|| setup_error("TLS cannot be set up"))?;
        Ok(Self { peer, way: Way::of(&slack.way)?, with_button: slack.signing_secret.is_some(), clock })
    }

    async fn post(&self, message: &Message, thread: Option<&str>) -> Result<Receipt, SendError> {
        let now = self.clock.now();
        let text = render::slack(message, now);
        match &self.way {
            Way::Bot { url, token, channel } => {
                let place = message.to.strip_prefix("slack:");
                let mut body = chat_message(message, place.unwrap_or(channel), &text, thread);
                self.add_button(&mut body, message, &text);
                let request = self.peer.post(url).bearer_auth(token.expose_secret()).json(&body);
                by_bot(&self.peer, &self.peer.ask(request, now).await?, place.is_some())
            }
            Way::IncomingWebhook { url } => {
                let mut body = json!({ "text": text });
                self.add_button(&mut body, message, &text);
                let request = self.peer.post(url).json(&body);
                by_webhook(&self.peer, &self.peer.ask(request, now).await?)
            }
        }
    }

    /// Adds a button to a message that can be acknowledged. The text is then shown in blocks, and stays for
    /// notifications.
    fn add_button(&self, body: &mut Value, message: &Message, text: &str) {
        if !self.with_button || !is_answerable(message) {
            return;
        }
        let section = |text: String| json!({ "type": "section", "text": { "type": "mrkdwn", "text": text } });
        let button = json!({
            "type": "actions",
            "elements": [{
                "type": "button",
                "action_id": ACKNOWLEDGE,
                "text": { "type": "plain_text", "text": "Acknowledge" },
                "value": message.key,
            }],
        });
        body["blocks"] = pieces(text).into_iter().map(section).chain([button]).collect();
    }
}

/// Splits `text` by whole lines into as few pieces as fit a block each.
fn pieces(text: &str) -> Vec<String> {
    let mut pieces: Vec<String> = Vec::new();
    for line in text.lines() {
        let line: String = line.chars().take(BLOCK).collect();
        match pieces.last_mut() {
            Some(last) if last.chars().count() + 1 + line.chars().count() <= BLOCK => {
                last.push('\n');
                last.push_str(&line);
            }
            _ => pieces.push(line),
        }
    }
    pieces
}

impl Way {
    fn of(slack: &settings::SlackWay) -> Result<Self, SetupError> {
        match slack {
            settings::SlackWay::Bot { token, channel, base_url } => Ok(Self::Bot {
                url: address(&format!("{base_url}/chat.postMessage"))?,
                token: token.clone(),
                channel: channel.clone(),
            }),
            settings::SlackWay::IncomingWebhook { url } => {
                Ok(Self::IncomingWebhook { url: address(url.expose_secret())? })
            }
        }
    }
}

fn address(url: &str) -> Result<Url, SetupError> {
    url.trim().parse().map_err(|_| setup_error("the address of Slack must be a web address"))
}

fn setup_error(reason: &str) -> SetupError {
    SetupError { channel: ChannelKind::Slack, reason: reason.to_owned() }
}

/// Builds the body of `chat.postMessage`. A breach is shown in the channel too, since nobody watches an old thread.
fn chat_message(message: &Message, channel: &str, text: &str, thread: Option<&str>) -> Value {
    let mut body = json!({
        "channel": channel,
        "text": text,
        "unfurl_links": false,
        "unfurl_media": false,
    });
    if let Some(thread) = thread {
        body["thread_ts"] = thread.into();
        body["reply_broadcast"] = is_breach(message).into();
    }
    body
}

fn is_breach(message: &Message) -> bool {
    matches!(&message.body, Body::Alert(facts) if facts.stage == Stage::Breached)
}

/// Sorts the answer to a bot. `own_place` means that a step named the channel, so others may still be reached.
fn by_bot(peer: &Peer, answer: &Answer, own_place: bool) -> Result<Receipt, SendError> {
    let body = answer.json();
    if answer.status.is_success() && body["ok"] == true {
        return Ok(Receipt { id: body["ts"].as_str().filter(|ts| is_timestamp(ts)).map(str::to_owned) });
    }
    match body["error"].as_str().map(|error| clean_word(error).unwrap_or("an unknown error")) {
        Some(error) => Err(sort(error, answer, own_place)),
        None if answer.status.is_success() => Err(SendError::unanswered("Slack gave an invalid answer")),
        None => Err(SendError::misconfigured(peer.said(answer.status))),
    }
}

/// <https://docs.slack.dev/reference/methods/chat.postMessage#errors>
fn sort(error: &str, answer: &Answer, own_place: bool) -> SendError {
    let reason = format!("Slack reported `{error}`");
    match error {
        "ratelimited" | "rate_limited" | "message_limit_exceeded" => {
            SendError::Unavailable { reason, retry_after: answer.retry_after, maybe_taken: false, outage: false }
        }
        "internal_error" | "fatal_error" | "service_unavailable" | "request_timeout" => {
            SendError::Unavailable { reason, retry_after: answer.retry_after, maybe_taken: true, outage: true }
        }
        "channel_not_found" | "not_in_channel" | "is_archived" | "restricted_action" if own_place => {
            SendError::refused(format!("{reason} for the channel that a step names"))
        }
        "channel_not_found" | "not_in_channel" | "is_archived" | "restricted_action" => {
            SendError::misconfigured(reason)
        }
        "invalid_auth" | "not_authed" | "account_inactive" | "token_revoked" | "token_expired" | "missing_scope"
        | "no_permission" | "org_login_required" | "ekm_access_denied" | "access_denied" => {
            SendError::misconfigured(reason)
        }
        _ => SendError::refused(reason),
    }
}

/// Sorts the answer of an incoming webhook, which is one word.
fn by_webhook(peer: &Peer, answer: &Answer) -> Result<Receipt, SendError> {
    match (answer.status.as_u16(), answer.word()) {
        (200..=299, Some("ok")) => Ok(Receipt { id: None }),
        (200..=299, _) => Err(SendError::unanswered("Slack gave an invalid answer")),
        (400, word) => Err(SendError::refused(with_word(peer.said(answer.status), word))),
        (_, word) => Err(SendError::misconfigured(with_word(peer.said(answer.status), word))),
    }
}

fn with_word(said: String, word: Option<&str>) -> String {
    word.map(|word| format!("{said} and `{word}`")).unwrap_or(said)
}

fn is_timestamp(text: &str) -> bool {
    (1..=40).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
}

impl fmt::Debug for SlackNotifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SlackNotifier").finish_non_exhaustive()
    }
}

#[async_trait]
impl Notifier for SlackNotifier {
    fn channel(&self) -> ChannelKind {
        ChannelKind::Slack
    }

    async fn send(&self, message: &Message) -> Result<Receipt, SendError> {
        self.post(message, None).await
    }

    async fn answer(&self, message: &Message, first: &Receipt) -> Result<Receipt, SendError> {
        self.post(message, first.id.as_deref()).await
    }
}
