//! Microsoft Teams: Adaptive Cards, posted to a workflow ("When a Teams webhook request is received").
//!
//! A workflow answers 202 before it has posted anything and returns no id for the card, so nothing can be threaded or
//! changed: each later stage of an alert is a new card that names the first by its mark. Teams does not drop repeats:
//! after an attempt without an answer the message is sent again, better twice than never.
//!
//! <https://learn.microsoft.com/connectors/teams/#microsoft-teams-webhook>

#[cfg(test)]
mod tests;

use std::fmt;

use async_trait::async_trait;
use reqwest::Url;
use reqwest::header::CONTENT_TYPE;
use secrecy::ExposeSecret;

use super::http::{Answer, Peer};
use super::ways::Ways;
use super::{Message, Notifier, Receipt, SendError, SetupError, render};
use crate::alert::escalation::ChannelKind;
use crate::clock::SharedClock;
use crate::notify::settings;

/// Posts to one workflow, which stands for one channel or chat.
pub struct TeamsNotifier {
    peer: Peer,
    /// Anyone who knows it can post, so it is a secret.
    url: Url,
    clock: SharedClock,
    ways: Ways,
}

impl TeamsNotifier {
    /// Connects only when there is something to send.
    pub fn new(teams: &settings::Teams, clock: SharedClock) -> Result<Self, SetupError> {
        let peer = Peer::new("Teams").ok_or_else(|| setup_error("TLS cannot be set up"))?;
        let url = teams.webhook_url.expose_secret().trim().parse();
        let url = url.map_err(|_| setup_error("the address of the workflow must be a web address"))?;
        Ok(Self { peer, url, clock, ways: Ways::default() })
    }

    /// Adds a button to each alert that leads to the page where it is acknowledged.
    pub fn offering(self, ways: Ways) -> Self {
        Self { ways, ..self }
    }
}

fn setup_error(reason: &str) -> SetupError {
    SetupError { channel: ChannelKind::Teams, reason: reason.to_owned() }
}

/// Sorts the answer of a workflow. One that is gone, switched off or protected is a matter for the operator; its own
/// words are not passed on.
fn sort(peer: &Peer, answer: &Answer) -> Result<Receipt, SendError> {
    let said = peer.said(answer.status);
    match answer.status.as_u16() {
        200..=299 => Ok(Receipt { id: None }),
        400 | 413 | 422 => Err(SendError::refused(said)),
        _ => Err(SendError::misconfigured(said)),
    }
}

impl fmt::Debug for TeamsNotifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TeamsNotifier").finish_non_exhaustive()
    }
}

#[async_trait]
impl Notifier for TeamsNotifier {
    fn channel(&self) -> ChannelKind {
        ChannelKind::Teams
    }

    async fn send(&self, message: &Message) -> Result<Receipt, SendError> {
        let now = self.clock.now();
        let link = self.ways.link(message, now);
        let card = render::card(message, link.as_deref(), now);
        // Without the charset, Teams has counted each character as two bytes.
        let request = self.peer.post(&self.url).header(CONTENT_TYPE, "application/json; charset=utf-8");
        sort(&self.peer, &self.peer.ask(request.body(card.to_string()), now).await?)
    }
}
