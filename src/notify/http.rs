//! One request to a provider that takes messages over HTTP, and what its bare answer means.
//!
//! Each provider words its refusals differently, but a connection that fails,
//! a 429 and a 5xx mean the same everywhere.

use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, Response, StatusCode, Url};
use serde_json::Value;

use super::sms::answer::retry_after;
use super::{ATTEMPT_DEADLINE, SendError, is_bad_certificate};

const CONNECT_DEADLINE: Duration = Duration::from_secs(5);
/// The longest answer that is read, in bytes: no provider needs more to say yes or no.
const MOST_BYTES: usize = 64 * 1024;

/// A provider, by the name people know.
pub(super) struct Peer {
    client: Client,
    name: &'static str,
}

/// An answer. Its body is present if it was short and complete.
pub(super) struct Answer {
    pub status: StatusCode,
    pub retry_after: Option<Duration>,
    pub body: Option<Vec<u8>>,
}

impl Peer {
    /// Returns none if TLS cannot be set up.
    pub fn new(name: &'static str) -> Option<Self> {
        // An error means that one is already installed, which serves as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .redirect(Policy::none()) // the next host would get our secrets
            .connect_timeout(CONNECT_DEADLINE)
            .timeout(ATTEMPT_DEADLINE)
            .build()
            .ok()?;
        Some(Self { client, name })
    }

    /// Begins a request that hands something over.
    pub fn post(&self, url: &Url) -> RequestBuilder {
        self.client.post(url.clone())
    }

    /// Begins a request that asks for something.
    pub fn get(&self, url: &Url) -> RequestBuilder {
        self.client.get(url.clone())
    }

    /// Sends `request`. Returns an error if nobody answered, or if the answer alone says that this is not the time or
    /// place.
    pub async fn ask(&self, request: RequestBuilder, now: DateTime<Utc>) -> Result<Answer, SendError> {
        let response = request.send().await.map_err(|error| self.sort(&error))?;
        let (status, retry_after) = (response.status(), retry_after(response.headers(), now));
        let answer = Answer { status, retry_after, body: read(response).await };
        self.judge(status, retry_after).map_or(Ok(answer), Err)
    }

    /// Describes an answer: `Slack answered `503``.
    pub fn said(&self, status: StatusCode) -> String {
        format!("{} answered `{}`", self.name, status.as_u16())
    }

    fn judge(&self, status: StatusCode, retry_after: Option<Duration>) -> Option<SendError> {
        let reason = self.said(status);
        match status.as_u16() {
            429 => Some(SendError::Unavailable { reason, retry_after, maybe_taken: false, outage: false }),
            // The message may have been taken: a proxy in between may have answered.
            500..=599 | 408 => Some(SendError::Unavailable { reason, retry_after, maybe_taken: true, outage: true }),
            300..=399 => Some(SendError::misconfigured(format!("{reason}, a redirect, which is not followed"))),
            _ => None,
        }
    }

    /// Sorts a request that got no answer. The error's own words contain the address, which may hold a secret.
    fn sort(&self, error: &reqwest::Error) -> SendError {
        let name = self.name;
        if is_bad_certificate(error) {
            SendError::misconfigured(format!("the certificate of {name} is not trusted"))
        } else if error.is_connect() {
            SendError::unreached(format!("no connection to {name}"))
        } else if error.is_timeout() {
            SendError::unanswered(format!("{name} did not answer in time"))
        } else {
            SendError::unanswered(format!("the connection to {name} broke"))
        }
    }
}

impl Answer {
    /// Returns the body as JSON; null if it is not JSON.
    pub fn json(&self) -> Value {
        self.body.as_deref().and_then(|body| serde_json::from_slice(body).ok()).unwrap_or_default()
    }

    /// Returns the body if it is one clean word, such as an error's name. It is from outside, so anything else is not
    /// repeated.
    pub fn word(&self) -> Option<&str> {
        clean_word(std::str::from_utf8(self.body.as_deref()?).ok()?.trim())
    }
}

/// Returns `text` if it is an error's name as providers write them: `channel_not_found`.
pub(super) fn clean_word(text: &str) -> Option<&str> {
    let clean = (1..=40).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    clean.then_some(text)
}

/// Returns `text` if it is an id that a provider may give a message: letters, digits, - and _.
pub(super) fn clean_id(text: &str) -> Option<&str> {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    ((1..=64).contains(&text.len()) && text.bytes().all(known)).then_some(text)
}

/// Returns the answer's body, or `None` if it is too long or incomplete.
async fn read(mut response: Response) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.ok()? {
        if body.len() + chunk.len() > MOST_BYTES {
            return None;
        }
        body.extend_from_slice(&chunk);
    }
    Some(body)
}
