//! The connection from an outpost to its watch.

use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;

use super::wire::{OutpostOrders, OutpostReceipt, OutpostResults};

const CONNECT_DEADLINE: Duration = Duration::from_secs(5);
const DEADLINE: Duration = Duration::from_secs(20);

/// Why nothing was handed over, by what to do next.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// Trying again may help.
    #[error("the watch at {watch} cannot be reached: {reason}")]
    Unreachable { watch: String, reason: String },
    /// A person has to change something first.
    #[error("the watch at {watch} does not know this token: set it as the token of an [outposts.NAME] there")]
    Stranger { watch: String },
    /// What was sent makes no sense to the watch, and never will.
    #[error("the watch at {watch} refuses what was sent with the status {status}; it may be older than this program")]
    Refused { watch: String, status: u16 },
}

/// Where the watch is, and the token to show it.
pub struct Link {
    client: Client,
    watch: String,
    token: SecretString,
}

impl Link {
    /// Prepares a link to the watch at `watch`, which must not end in a slash.
    pub fn new(watch: String, token: SecretString) -> Result<Self, reqwest::Error> {
        // An error means that one is installed already, which is just as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .redirect(Policy::none()) // the next host would get our token
            .connect_timeout(CONNECT_DEADLINE)
            .timeout(DEADLINE)
            .build()?;
        Ok(Self { client, watch, token })
    }

    /// Asks what to look at.
    pub async fn orders(&self) -> Result<OutpostOrders, LinkError> {
        self.ask(self.client.get(format!("{}/api/v1/uptime/outpost/checks", self.watch))).await
    }

    /// Hands over what was seen.
    pub async fn send(&self, results: &OutpostResults) -> Result<OutpostReceipt, LinkError> {
        let request = self.client.post(format!("{}/api/v1/uptime/outpost/results", self.watch));
        self.ask(request.json(results)).await
    }

    async fn ask<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, LinkError> {
        let request = request.bearer_auth(self.token.expose_secret());
        let answer = request.send().await.map_err(|error| self.unreachable(error))?;
        let (watch, status) = (self.watch.clone(), answer.status());
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(LinkError::Stranger { watch }),
            StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE | StatusCode::UNPROCESSABLE_ENTITY => {
                Err(LinkError::Refused { watch, status: status.as_u16() })
            }
            status if status.is_success() => answer.json().await.map_err(|error| self.unreachable(error)),
            status => Err(LinkError::Unreachable { watch, reason: format!("it answers with the status {status}") }),
        }
    }

    fn unreachable(&self, error: reqwest::Error) -> LinkError {
        let error = error.without_url();
        let cause = std::iter::successors(std::error::Error::source(&error), |cause| cause.source()).last();
        let reason = cause.map_or_else(|| error.to_string(), ToString::to_string);
        LinkError::Unreachable { watch: self.watch.clone(), reason }
    }
}
