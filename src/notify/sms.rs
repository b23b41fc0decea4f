//! Text messages, through Twilio's Messages API.
//!
//! Twilio drops no repeats, so an answer is read generously: any 2xx means that
//! the message is on its way, however strange the body. After an attempt that
//! got no answer, the message is looked up by the reference in its text. What
//! Twilio says in words is never passed on: it repeats the number.

pub(super) mod answer;

#[cfg(test)]
mod tests;

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, Response, Url};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::{ATTEMPT_DEADLINE, Message, Notifier, Receipt, SendError, SetupError, is_bad_certificate, render};
use crate::clock::SharedClock;
use crate::config::{self, ChannelKind, SmsSender};

/// An alert that could not be handed to the phone for this long is stale; the next step of the escalation has begun.
const VALIDITY_SECONDS: &str = "600";
/// A phone gets far fewer messages a day than this, and the newest come first.
const PAGE_SIZE: &str = "200";
/// What an answer to one message may weigh, and what a page of messages may.
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
}

impl SmsNotifier {
    /// Connects only when there is something to send.
    pub fn new(sms: &config::Sms, clock: SharedClock) -> Result<Self, SetupError> {
        // An error means that one was installed before, which serves as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .redirect(Policy::none()) // the next host would get our credentials
            .connect_timeout(CONNECT_DEADLINE)
            .timeout(ATTEMPT_DEADLINE)
            .build()
            .map_err(|_| setup_error("TLS cannot be set up"))?;
        Ok(Self {
            client,
            messages: messages_url(sms)?,
            user: sms.api_key_sid.as_ref().unwrap_or(&sms.account_sid).clone(),
            secret: sms.secret.clone(),
            sender: sms.sender.clone(),
            clock,
        })
    }

    /// The newest message to `to` since `since` whose text carries `reference`.
    ///
    /// One that Twilio has given up on counts as refused: it will not arrive.
    pub async fn find_sent(&self, to: &str, reference: &str, since: NaiveDate) -> Result<Option<Receipt>, SendError> {
        let since = since.format("%Y-%m-%d").to_string();
        let query = [("To", to), ("DateSent>", &since), ("PageSize", PAGE_SIZE)];
        let response = self.ask(self.client.get(self.messages.clone()).query(&query)).await?;
        let (status, retry_after) = (response.status(), answer::retry_after(response.headers(), self.clock.now()));
        let body = read(response, MOST_PAGE_BYTES).await;
        if !status.is_success() {
            return Err(unknown(answer::refusal(status, retry_after, body.as_ref())));
        }
        match body.as_ref().and_then(|page| page.get("messages")).and_then(Value::as_array) {
            Some(messages) => {
                let mark = format!("#{reference}");
                messages.iter().find(|message| carries(message, &mark)).map(answer::taken).transpose()
            }
            None => Err(SendError::unavailable("the list of sent messages could not be read")),
        }
    }

    fn form<'a>(&'a self, to: &'a str, body: &'a str) -> [(&'static str, &'a str); 4] {
        let sender = match &self.sender {
            SmsSender::From(number) => ("From", number.as_str()),
            SmsSender::MessagingService(sid) => ("MessagingServiceSid", sid.as_str()),
        };
        [("To", to), ("Body", body), sender, ("ValidityPeriod", VALIDITY_SECONDS)]
    }

    async fn ask(&self, request: RequestBuilder) -> Result<Response, SendError> {
        let request = request.basic_auth(&self.user, Some(self.secret.expose_secret()));
        request.send().await.map_err(|error| sort(&error))
    }
}

fn setup_error(reason: &str) -> SetupError {
    SetupError { channel: ChannelKind::Sms, reason: reason.to_owned() }
}

fn messages_url(sms: &config::Sms) -> Result<Url, SetupError> {
    if !sms.account_sid.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err(setup_error("`account_sid` must be letters and digits, since it is part of an address"));
    }
    let url = format!("{}/2010-04-01/Accounts/{}/Messages.json", sms.base_url, sms.account_sid);
    url.parse().map_err(|_| setup_error("`base_url` must be a web address"))
}

/// A question that was refused says nothing of the message it was about.
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
        let text = render::sms(message, now);
        let response = self.ask(self.client.post(self.messages.clone()).form(&self.form(&to, &text))).await?;
        let (status, retry_after) = (response.status(), answer::retry_after(response.headers(), now));
        let body = read(response, MOST_BYTES).await;
        if status.is_success() {
            body.as_ref().map_or(Ok(Receipt { id: None }), answer::taken)
        } else {
            Err(answer::refusal(status, retry_after, body.as_ref()))
        }
    }

    async fn already_sent(&self, message: &Message, since: DateTime<Utc>) -> Result<Option<Receipt>, SendError> {
        self.find_sent(&recipient(message)?, render::reference(&message.key), since.date_naive()).await
    }
}

fn recipient(message: &Message) -> Result<String, SendError> {
    e164(&message.to).ok_or_else(|| SendError::refused("the recipient's number has no country code or is no number"))
}

/// `raw` as Twilio needs it: `+` and up to 15 digits.
///
/// Without the `+` nobody knows the country, and guessing one would text a stranger.
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

/// A request that got no answer.
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

/// The JSON in the answer, or `None` if it is too long, broken off or something else.
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
