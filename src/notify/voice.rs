//! Phone calls, through Twilio's Calls API: they say it in one sentence, and a key press answers.
//!
//! Twilio does not drop repeats, so its answers are read generously, as for text messages. After an attempt without an
//! answer the call is looked up: in Twilio's reports, or else among the calls to that number that we know nothing of.
//! While another call to that number is in doubt too, nobody can tell which is which, so the call is made again: better
//! twice than never. The words of the call are sent along, so they are spoken even if nobody can reach us; only the
//! keys need our public address.
//!
//! <https://www.twilio.com/docs/voice/api/call-resource>

pub mod twiml;

#[cfg(test)]
mod tests;

use std::fmt;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use reqwest::{RequestBuilder, Url};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::http::{Answer, Peer};
use super::sms::answer::{error_code, is_of_account, is_of_number, is_sid, is_since};
use super::sms::e164;
use super::ways::Ways;
use super::{Delivery, Message, Notifier, Receipt, SendError, SetupError, render};
use crate::alert::escalation::ChannelKind;
use crate::clock::SharedClock;
use crate::notify::settings;

/// How long the phone rings, in seconds: after that most lines go to a mailbox.
const RINGS_SECONDS: &str = "30";
/// The longest call, in seconds: by then, anyone who has pressed no key has put the phone aside.
const LONGEST_SECONDS: &str = "180";
/// How many calls to look through: a number is called far less often than this while an answer is missing, and the
/// newest come first.
const PAGE_SIZE: &str = "20";

/// Calls from one number of one Twilio account.
pub struct VoiceNotifier {
    peer: Peer,
    calls: Url,
    user: String,
    secret: SecretString,
    from: String,
    language: String,
    clock: SharedClock,
    ways: Ways,
}

impl VoiceNotifier {
    /// Connects only when there is somebody to call.
    pub fn new(voice: &settings::Voice, clock: SharedClock) -> Result<Self, SetupError> {
        let peer = Peer::new("Twilio").ok_or_else(|| setup_error("TLS cannot be set up"))?;
        let calls = voice.account.resource("Calls").map_err(setup_error)?;
        Ok(Self {
            peer,
            calls,
            user: voice.account.user().to_owned(),
            secret: voice.account.secret.clone(),
            from: voice.from.clone(),
            language: voice.language.clone(),
            clock,
            ways: Ways::default(),
        })
    }

    /// Offers keys to answer with, and asks Twilio for reports if it can reach us.
    pub fn offering(self, ways: Ways) -> Self {
        Self { ways, ..self }
    }

    async fn ask(&self, request: RequestBuilder, now: DateTime<Utc>) -> Result<Answer, SendError> {
        self.peer.ask(request.basic_auth(&self.user, Some(self.secret.expose_secret())), now).await
    }

    /// Returns the form that orders a call.
    fn form<'f>(&'f self, to: &'f str, twiml: &'f str, reports: Option<&'f str>) -> Vec<(&'f str, &'f str)> {
        let mut form = vec![
            ("To", to),
            ("From", &self.from),
            ("Twiml", twiml),
            ("Timeout", RINGS_SECONDS),
            ("TimeLimit", LONGEST_SECONDS),
            // Detects the machine while the call speaks, so that a person who picks up is not kept waiting.
            ("MachineDetection", "Enable"),
            ("AsyncAmd", "true"),
        ];
        if let Some(url) = reports {
            form.extend([("StatusCallback", url), ("AsyncAmdStatusCallback", url)]);
            // The first event tells the call's id even if the answer to the order is lost.
            form.extend([("StatusCallbackEvent", "initiated"), ("StatusCallbackEvent", "completed")]);
        }
        form
    }

    /// Finds the newest call to `to` since `since` that no notification is known to have made.
    async fn find_unknown(&self, to: &str, since: DateTime<Utc>) -> Result<Option<Receipt>, SendError> {
        let now = self.clock.now();
        // Not filtered by start time: a call that still waits for a line has none.
        let query = [("To", to), ("From", &self.from), ("PageSize", PAGE_SIZE)];
        let answer = self.ask(self.peer.get(&self.calls).query(&query), now).await?;
        let page = answer.json();
        let Some(calls) = page["calls"].as_array().filter(|_| answer.status.is_success()) else {
            return Err(SendError::unavailable("Twilio's list of calls could not be read"));
        };
        for call in calls.iter().filter(|call| is_since(call, since)) {
            let Some(sid) = call["sid"].as_str().filter(|sid| is_sid(sid)) else { continue };
            if !self.ways.is_recorded(sid).await {
                return Ok(Some(Receipt { id: Some(sid.to_owned()) }));
            }
        }
        Ok(None)
    }
}

fn setup_error(reason: &str) -> SetupError {
    SetupError { channel: ChannelKind::Voice, reason: reason.to_owned() }
}

fn recipient(message: &Message) -> Result<String, SendError> {
    e164(&message.to).ok_or_else(|| SendError::refused("the recipient's number has no country code or is not a number"))
}

/// Sorts the answer to an order: any 2xx means that the call is on its way, however strange the body.
fn sort(peer: &Peer, answer: &Answer) -> Result<Receipt, SendError> {
    let body = answer.json();
    if answer.status.is_success() {
        let id = body["sid"].as_str().filter(|sid| is_sid(sid)).map(str::to_owned);
        let failure = delivery_of(&body).and_then(|delivery| failure(&delivery));
        return failure.map_or(Ok(Receipt { id }), Err);
    }
    let said = peer.said(answer.status);
    match (answer.status.as_u16(), error_code(Some(&body))) {
        (401 | 403, Some(code)) if !is_of_number(code) => {
            Err(SendError::misconfigured(format!("{said} with error `{code}`")))
        }
        (_, Some(code)) => Err(sort_code(code, &said, answer)),
        (401 | 403 | 404, None) => Err(SendError::misconfigured(said)),
        (_, None) => Err(SendError::refused(said)),
    }
}

/// <https://www.twilio.com/docs/api/errors>
fn sort_code(code: u32, said: &str, answer: &Answer) -> SendError {
    let reason = format!("{said} with error `{code}`");
    match code {
        // Too many requests, and too many calls at once.
        20429 | 10004 => {
            SendError::Unavailable { reason, retry_after: answer.retry_after, maybe_taken: false, outage: false }
        }
        // What only calls have of the account, its rights and the number that calls come from.
        10001 | 10002 | 21210 | 21213 => SendError::misconfigured(reason),
        code if is_of_account(code) => SendError::misconfigured(reason),
        21211 | 21214 | 21217 => SendError::refused(format!("{reason}: the number cannot be called")),
        21215 | 21216 => SendError::refused(format!("{reason}: the account may not call that country")),
        _ => SendError::refused(reason),
    }
}

/// Sums up what Twilio says of a call in one word: that a machine took it matters more than that it was completed, and
/// who took it matters more than the rest. Returns none if nothing is understood.
pub fn word(status: Option<&str>, answered_by: Option<&str>) -> Option<String> {
    let answered_by = answered_by.unwrap_or_default();
    match (status, answered_by) {
        (_, by) if by.starts_with("machine") || by == "fax" => Some(MACHINE.to_owned()),
        (Some("completed"), "human") => Some(ANSWERED.to_owned()),
        (Some(status), _) => Some(status.to_owned()),
        (None, _) => None,
    }
}

/// Our words for a call that a machine or a person took.
pub const MACHINE: &str = "machine";
pub const ANSWERED: &str = "answered";

/// Returns why a call told nobody, by Twilio's later report on it; none while it may still.
pub fn failure(delivery: &Delivery) -> Option<SendError> {
    let why = match delivery.status.as_str() {
        "busy" => "the line is busy",
        "no-answer" => "nobody picked up",
        "failed" => "the call could not be put through",
        "canceled" => "the call was cancelled",
        MACHINE => "an answering machine took the call",
        _ => return None,
    };
    Some(SendError::refused(why))
}

fn delivery_of(call: &Value) -> Option<Delivery> {
    let status = word(call["status"].as_str(), call["answered_by"].as_str())?;
    Some(Delivery { status, code: error_code(Some(call)) })
}

impl fmt::Debug for VoiceNotifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VoiceNotifier").finish_non_exhaustive()
    }
}

#[async_trait]
impl Notifier for VoiceNotifier {
    fn channel(&self) -> ChannelKind {
        ChannelKind::Voice
    }

    async fn send(&self, message: &Message) -> Result<Receipt, SendError> {
        let (now, to) = (self.clock.now(), recipient(message)?);
        let (keys, reports) = (self.ways.keys_of(message), self.ways.reports_on(message));
        let twiml = twiml::call(&render::spoken(message, now), keys.as_deref(), &self.language);
        let order = self.peer.post(&self.calls).form(&self.form(&to, &twiml, reports.as_deref()));
        sort(&self.peer, &self.ask(order, now).await?)
    }

    async fn delivery(&self, id: &str) -> Result<Option<Delivery>, SendError> {
        let list = self.calls.as_str().strip_suffix(".json").unwrap_or_default();
        let Some(url) = is_sid(id).then(|| format!("{list}/{id}.json").parse().ok()).flatten() else { return Ok(None) };
        let answer = self.ask(self.peer.get(&url), self.clock.now()).await?;
        if answer.status.is_success() {
            return Ok(delivery_of(&answer.json()));
        }
        Err(SendError::unavailable(self.peer.said(answer.status)))
    }

    async fn already_sent(&self, message: &Message, since: DateTime<Utc>) -> Result<Option<Receipt>, SendError> {
        match self.ways.reported(message).await {
            Some(id) => Ok(Some(Receipt { id: Some(id) })),
            None if self.ways.is_only_doubt(message).await => self.find_unknown(&recipient(message)?, since).await,
            None => Ok(None),
        }
    }
}
