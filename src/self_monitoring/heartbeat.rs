//! A sign of life to somebody outside, who raises the alarm when it stops.
//!
//! The address is a secret: whoever has it can fake our sign of life. It is never logged.

use std::time::Duration;

use anyhow::Context;
use chrono::{DateTime, TimeDelta, Utc};
use reqwest::redirect::Policy;
use reqwest::{Client, Url};
use secrecy::{ExposeSecret, SecretString};
use tracing::{info, warn};

const DEADLINE: Duration = Duration::from_secs(10);
/// The shortest time between two calls.
const GAP: TimeDelta = TimeDelta::minutes(1);

/// The service that is told that we are alive.
pub(super) struct Heartbeat {
    client: Client,
    url: Url,
    last: Option<DateTime<Utc>>,
    is_failing: bool,
}

impl Heartbeat {
    pub fn new(url: &SecretString) -> anyhow::Result<Self> {
        // An error means that one is installed already, which is just as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder().redirect(Policy::none()).timeout(DEADLINE).build();
        let client = client.context("the heartbeat needs TLS, which cannot be set up")?;
        // The parser's own words could hold the address.
        let url = url.expose_secret().trim().parse().ok().context("the heartbeat's address is not a valid URL")?;
        Ok(Self { client, url, last: None, is_failing: false })
    }

    /// Sends a heartbeat if all is well and none was sent within the last minute.
    pub async fn beat(&mut self, is_well: bool, now: DateTime<Utc>) {
        if !is_well || self.last.is_some_and(|last| last <= now && now - last < GAP) {
            return;
        }
        self.last = Some(now);
        let failure = self.ask().await.err();
        match (&failure, self.is_failing) {
            (Some(why), false) => warn!("the heartbeat does not get through: {why}; it is retried every minute"),
            (None, true) => info!("the heartbeat gets through again"),
            _ => {}
        }
        self.is_failing = failure.is_some();
    }

    async fn ask(&self) -> Result<(), String> {
        // The error's own message would contain the address.
        let answer = self.client.get(self.url.clone()).send().await.map_err(|error| reason(&error).to_owned())?;
        let status = answer.status();
        if status.is_success() { Ok(()) } else { Err(format!("HTTP {}", status.as_u16())) }
    }
}

fn reason(error: &reqwest::Error) -> &'static str {
    if error.is_timeout() {
        "no answer in time"
    } else if error.is_connect() {
        "no connection"
    } else {
        "the connection broke"
    }
}
