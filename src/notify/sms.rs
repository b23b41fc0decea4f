//! Text messages, through Twilio's Messages API.
//!
//! Twilio does not drop repeats, so its answers are read generously: any 2xx means that the message is on its way,
//! however strange the body. After an attempt without an answer, the message is looked up by the reference in its text.
//! Twilio's own words are never passed on: they repeat the number.

pub(super) mod answer;
pub mod signature;

#[cfg(test)]
mod tests;

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, Response, Url};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::ways::{Line, Offer, Ways};
use super::{
    ATTEMPT_DEADLINE, Delivery, Message, Notifier, Receipt, SendError, SetupError, is_bad_certificate, render,
};
use crate::alert::escalation::ChannelKind;
use crate::clock::SharedClock;
use crate::notify::settings::{self, SmsSender};

/// How long an alert that has not reached the phone is worth delivering, unless the next step of its escalation comes
/// earlier. Twilio accepts 1 s to 10 h, but may not get round to sending within a minute, so that is the shortest.
const LONGEST_VALIDITY: TimeDelta = TimeDelta::minutes(10);
const SHORTEST_VALIDITY: TimeDelta = TimeDelta::minutes(1);
/// How many messages to look through: a phone gets far fewer a day than this, and the newest come first.
const PAGE_SIZE: &str = "200";
/// The most bytes of an answer to one message, and of a page of messages.
const MOST_BYTES: usize = 64 * 1024;
const MOST_PAGE_BYTES: usize = 1024 * 1024;
const CONNECT_DEADLINE: Duration = Duration::from_secs(5);

/// Sends text messages from one Twilio account.
pub struct SmsNotifier {
    client: Client,
    messages: Url,
    user: String,
    secret: SecretString,
    sender: SmsSender,
    clock: SharedClock,
    ways: Ways,
}

impl SmsNotifier {
    /// Connects only when there is something to send.
    pub fn new(sms: &settings::Sms, clock: SharedClock) -> Result<Self, SetupError> {
        // An error means that one is already installed, which serves as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .redirect(Policy::none()) // the next host would get our credentials
            .connect_timeout(CONNECT_DEADLINE)
            .timeout(ATTEMPT_DEADLINE)
            .build()
            .map_err(|_| setup_error("TLS cannot be set up"))?;
        Ok(Self {
            client,
            messages: sms.account.resource("Messages").map_err(setup_error)?,
            user: sms.account.user().to_owned(),
            secret: sms.account.secret.clone(),
            sender: sms.sender.clone(),
            clock,
            ways: Ways::default(),
        })
    }

    /// Adds these ways of answering to each alert, and asks Twilio for reports if it can reach us.
    pub fn offering(self, ways: Ways) -> Self {
        Self { ways, ..self }
    }

    /// Finds the newest message to `to` since `since` whose text contains `reference`.
    ///
    /// One that Twilio has given up on is found as well: that it will not arrive, its receipt says.
    pub async fn find_sent(
        &self,
        to: &str,
        reference: &str,
        since: DateTime<Utc>,
    ) -> Result<Option<Receipt>, SendError> {
        // Not asked for by its date of sending: a message that is still queued has none.
        let query = [("To", to), ("PageSize", PAGE_SIZE)];
        let response = self.ask(self.client.get(self.messages.clone()).query(&query)).await?;
        let (status, retry_after) = (response.status(), answer::retry_after(response.headers(), self.clock.now()));
        let body = read(response, MOST_PAGE_BYTES).await;
        if !status.is_success() {
            return Err(unknown(answer::refusal(status, retry_after, body.as_ref())));
        }
        match body.as_ref().and_then(|page| page.get("messages")).and_then(Value::as_array) {
            Some(messages) => {
                let mark = format!("#{reference}");
                let is_it = |message: &&Value| carries(message, &mark) && answer::is_since(message, since);
                Ok(messages.iter().find(is_it).map(answer::receipt))
            }
            None => Err(SendError::unavailable("the list of sent messages could not be read")),
        }
    }

    /// Asks the provider how the account stands. Returns what is wrong unless it is active.
    pub async fn account(&self) -> Result<(), String> {
        let list = self.messages.as_str();
        let place =
            list.strip_suffix("/Messages.json").and_then(|account| format!("{account}.json").parse::<Url>().ok());
        let place = place.ok_or("`base_url` must be a web address")?;
        let response = self.ask(self.client.get(place)).await.map_err(SendError::into_reason)?;
        let status = response.status();
        let body = read(response, MOST_BYTES).await;
        if !status.is_success() {
            let code = answer::error_code(body.as_ref());
            let said = answer::said(status, code);
            return Err(match (status.as_u16(), code) {
                (_, Some(10001 | 20005)) => format!("{said}: the account is not active, so nothing can be sent"),
                (401 | 403 | 404, _) => {
                    format!("{said}: account_sid and the token or key beside it do not fit together")
                }
                _ => said,
            });
        }
        match body.as_ref().and_then(|body| body.get("status")).and_then(Value::as_str) {
            Some("active") => Ok(()),
            Some(word) => Err(format!("the account is {}, so nothing can be sent", render::line(word, 40))),
            None => Err("the provider does not say how the account stands; look at `base_url`".to_owned()),
        }
    }

    fn sender(&self) -> (&'static str, &str) {
        match &self.sender {
            SmsSender::From(number) => ("From", number.as_str()),
            SmsSender::MessagingService(sid) => ("MessagingServiceSid", sid.as_str()),
        }
    }

    /// Sends `message` on its way to `to`.
    async fn text(&self, to: &str, message: &Message, offer: Offer, now: DateTime<Utc>) -> Result<Receipt, SendError> {
        let text = render::sms_with(message, offer.code, now);
        let validity = validity(offer.next_step_at, now).num_seconds().to_string();
        let reports = self.ways.reports_on(message);
        let mut form = vec![("To", to), ("Body", &text), self.sender(), ("ValidityPeriod", &validity)];
        form.extend(reports.as_deref().map(|url| ("StatusCallback", url)));
        let response = self.ask(self.client.post(self.messages.clone()).form(&form)).await?;
        let (status, retry_after) = (response.status(), answer::retry_after(response.headers(), now));
        let body = read(response, MOST_BYTES).await;
        if status.is_success() {
            return body.as_ref().map_or(Ok(Receipt { id: None }), answer::taken);
        }
        if let (Some(phones), Some(code)) = (&self.ways.phones, answer::error_code(body.as_ref())) {
            phones.refused(to, message, code, now).await;
        }
        Err(answer::refusal(status, retry_after, body.as_ref()))
    }

    /// Returns where one message is looked up; none if `id` is not an id that the provider gives.
    fn message_url(&self, id: &str) -> Option<Url> {
        let list = self.messages.as_str().strip_suffix(".json")?;
        answer::is_sid(id).then(|| format!("{list}/{id}.json").parse().ok())?
    }

    async fn ask(&self, request: RequestBuilder) -> Result<Response, SendError> {
        let request = request.basic_auth(&self.user, Some(self.secret.expose_secret()));
        request.send().await.map_err(|error| sort(&error))
    }
}

/// Returns why a message that the provider took will not arrive, by its later report; none while it may.
pub fn failure(delivery: &Delivery) -> Option<SendError> {
    answer::failure(&delivery.status, delivery.code)
}

/// The code of a recipient who has opted out at the provider.
pub const OPTED_OUT: u32 = 21610;

/// What is wrong with a number that no text message reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NumberFault {
    /// As in "the number …".
    pub words: &'static str,
    /// How long it is not tried again. Not for ever: numbers get new owners, lines are moved, and the provider may have
    /// been wrong; one refused message in so many days costs little.
    pub rests: TimeDelta,
}

/// Returns what the provider's error `code` says about the number itself; none if nothing.
pub fn fault_of_number(code: u32) -> Option<NumberFault> {
    let (words, days) = match code {
        21211 => ("is not valid", 30),
        21614 => ("is not that of a mobile phone", 30),
        // Also said of a phone that has been off for a long time.
        30005 => ("is not known to its network", 7),
        30006 => ("is that of a landline, or its network cannot be reached", 30),
        _ => return None,
    };
    Some(NumberFault { words, rests: TimeDelta::days(days) })
}

/// Returns how long a message that leaves at `now` is worth delivering.
fn validity(next_step_at: Option<DateTime<Utc>>, now: DateTime<Utc>) -> TimeDelta {
    next_step_at.map_or(LONGEST_VALIDITY, |at| (at - now).clamp(SHORTEST_VALIDITY, LONGEST_VALIDITY))
}

fn setup_error(reason: &str) -> SetupError {
    SetupError { channel: ChannelKind::Sms, reason: reason.to_owned() }
}

/// Makes a refused query inconclusive: it says nothing about the message that was looked up.
fn unknown(error: SendError) -> SendError {
    match error {
        SendError::Refused { reason } => SendError::unavailable(reason),
        other => other,
    }
}

fn carries(message: &Value, mark: &str) -> bool {
    message.get("body").and_then(Value::as_str).is_some_and(|text| text.contains(mark))
}

impl fmt::Debug for SmsNotifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SmsNotifier").finish_non_exhaustive()
    }
}

#[async_trait]
impl Notifier for SmsNotifier {
    fn channel(&self) -> ChannelKind {
        ChannelKind::Sms
    }

    async fn send(&self, message: &Message) -> Result<Receipt, SendError> {
        let now = self.clock.now();
        let to = recipient(message)?;
        match self.ways.line(&to, message, now).await {
            Line::Stopped => Err(SendError::refused("the recipient said STOP to text messages")),
            Line::Dead { code } => Err(answer::sort_code(code, None)),
            Line::Open(offer) => self.text(&to, message, offer, now).await,
        }
    }

    async fn delivery(&self, id: &str) -> Result<Option<Delivery>, SendError> {
        let Some(url) = self.message_url(id) else { return Ok(None) };
        let response = self.ask(self.client.get(url)).await?;
        let (status, retry_after) = (response.status(), answer::retry_after(response.headers(), self.clock.now()));
        let body = read(response, MOST_BYTES).await;
        match body.as_ref() {
            Some(body) if status.is_success() => Ok(answer::delivery(body)),
            _ => Err(unknown(answer::refusal(status, retry_after, body.as_ref()))),
        }
    }

    async fn already_sent(&self, message: &Message, since: DateTime<Utc>) -> Result<Option<Receipt>, SendError> {
        self.find_sent(&recipient(message)?, render::reference(&message.key), since).await
    }
}

fn recipient(message: &Message) -> Result<String, SendError> {
    e164(&message.to).ok_or_else(|| SendError::refused("the recipient's number has no country code or is not a number"))
}

/// Returns `raw` as Twilio needs it: `+` and up to 15 digits.
///
/// Without the `+`, the country is unknown, and guessing one would text a stranger.
pub fn e164(raw: &str) -> Option<String> {
    let digits = raw.trim().strip_prefix('+')?;
    // `+44 (0)20 …` is how people in several countries write it; the zero is not dialled from abroad.
    let digits = digits.replacen("(0)", "", 1);
    let number: String =
        digits.chars().filter(|c| !matches!(c, ' ' | '\u{a0}' | '-' | '.' | '(' | ')' | '/')).collect();
    let valid = (7..=15).contains(&number.len())
        && number.bytes().all(|byte| byte.is_ascii_digit())
        && !number.starts_with('0');
    valid.then(|| format!("+{number}"))
}

/// Sorts a request that got no answer.
fn sort(error: &reqwest::Error) -> SendError {
    if is_bad_certificate(error) {
        SendError::misconfigured("the certificate of the SMS provider is not trusted")
    } else if error.is_connect() {
        SendError::unreached("no connection to the SMS provider")
    } else if error.is_timeout() {
        SendError::unanswered("the SMS provider did not answer in time")
    } else {
        SendError::unanswered("the connection to the SMS provider broke")
    }
}

/// Returns the JSON in the answer, or `None` if it is too long, incomplete or not JSON.
async fn read(mut response: Response, most: usize) -> Option<Value> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.ok()? {
        if body.len() + chunk.len() > most {
            return None;
        }
        body.extend_from_slice(&chunk);
    }
    serde_json::from_slice(&body).ok()
}
