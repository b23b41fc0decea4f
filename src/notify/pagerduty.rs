//! PagerDuty: one incident for each alert, through its Events API v2.
//!
//! The alert's key is PagerDuty's `dedup_key`, so PagerDuty drops a repeat, a rise from warning to breach changes the
//! open incident, and the end of the alert resolves it.

#[cfg(test)]
mod tests;

use std::fmt;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::http::{Answer, Peer};
use super::{AlertFacts, Body, Message, Notifier, Receipt, SendError, SetupError, StaleFacts, TicketFacts, render};
use crate::alert::Stage;
use crate::alert::escalation::ChannelKind;
use crate::clock::SharedClock;
use crate::keys::notification_key;
use crate::notify::settings;

/// PagerDuty's own limits, in characters.
const LONGEST_KEY: usize = 255;
const LONGEST_SUMMARY: usize = 1024;

/// Sends events to one service.
pub struct PagerDutyNotifier {
    peer: Peer,
    url: Url,
    routing_key: SecretString,
    clock: SharedClock,
}

/// What should become of the incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Trigger,
    Acknowledge,
    Resolve,
}

impl Action {
    fn as_str(self) -> &'static str {
        match self {
            Self::Trigger => "trigger",
            Self::Acknowledge => "acknowledge",
            Self::Resolve => "resolve",
        }
    }
}

impl PagerDutyNotifier {
    /// Connects only when there is something to send.
    pub fn new(pagerduty: &settings::PagerDuty, clock: SharedClock) -> Result<Self, SetupError> {
        let peer = Peer::new("PagerDuty").ok_or_else(|| setup_error("TLS cannot be set up"))?;
        let url = format!("{}/v2/enqueue", pagerduty.base_url);
        let url = url.parse().map_err(|_| setup_error("`base_url` must be a web address"))?;
        Ok(Self { peer, url, routing_key: pagerduty.routing_key.clone(), clock })
    }

    async fn enqueue(&self, message: &Message, action: Action) -> Result<Receipt, SendError> {
        let now = self.clock.now();
        let key = dedup_key(message);
        let mut event = json!({
            "routing_key": self.routing_key.expose_secret(),
            "event_action": action.as_str(),
            "dedup_key": key,
        });
        if action == Action::Trigger {
            event["payload"] = payload(message, now);
            event["client"] = "superops-sla".into();
            let page = ticket(message).and_then(|ticket| ticket.page_url.as_deref());
            event["client_url"] = page.and_then(render::web_address).into();
            event["links"] = links(message);
        }
        let answer = self.peer.ask(self.peer.post(&self.url).json(&event), now).await?;
        sort(&self.peer, &answer).map(|()| Receipt { id: Some(key) })
    }
}

fn setup_error(reason: &str) -> SetupError {
    SetupError { channel: ChannelKind::PagerDuty, reason: reason.to_owned() }
}

/// Returns what to do for `body`. A test is taken back at once, so that it does not wake anybody for long.
fn actions(body: &Body) -> &'static [Action] {
    match body {
        Body::Alert(_) | Body::Digest(_) | Body::Bundle(_) => &[Action::Trigger],
        Body::Acknowledged(_) => &[Action::Acknowledge],
        Body::Stale(facts) if facts.fresh_at.is_none() => &[Action::Trigger],
        Body::Recovery(_) | Body::Stale(_) => &[Action::Resolve],
        Body::Test => &[Action::Trigger, Action::Resolve],
        // Nobody should be called out for one of these.
        Body::Report(_) | Body::Update(_) => &[],
    }
}

fn dedup_key(message: &Message) -> String {
    let key = message.alert_key().unwrap_or(&message.thread);
    if key.chars().count() <= LONGEST_KEY { key.to_owned() } else { notification_key(&[key]) }
}

fn payload(message: &Message, now: DateTime<Utc>) -> Value {
    let mut payload = json!({
        "summary": render::line(&render::brief(message, now), LONGEST_SUMMARY),
        "source": "superops-sla",
        "severity": severity(&message.body),
        "timestamp": now,
    });
    if let Body::Alert(facts) = &message.body {
        payload["component"] = render::line(&facts.ticket.display_id, 80).into();
        payload["class"] = facts.clock.words().into();
        payload["group"] = facts.ticket.client.as_deref().map(|client| render::line(client, 80)).into();
        payload["custom_details"] = details(facts);
    }
    payload
}

fn severity(body: &Body) -> &'static str {
    match body {
        // The watch goes on without one of its outposts.
        Body::Stale(StaleFacts { outpost: Some(_), .. }) => "warning",
        Body::Alert(AlertFacts { stage: Stage::Breached, .. }) | Body::Stale(_) => "critical",
        Body::Alert(AlertFacts { stage: Stage::Predicted, .. }) | Body::Test => "info",
        // None of them opens an incident.
        Body::Acknowledged(_) | Body::Recovery(_) | Body::Report(_) | Body::Update(_) => "info",
        Body::Alert(AlertFacts { stage: Stage::Warning, .. }) | Body::Digest(_) | Body::Bundle(_) => "warning",
    }
}

fn details(facts: &AlertFacts) -> Value {
    let reasons: Vec<_> = facts.reasons.iter().take(8).map(|reason| render::line(reason, 300)).collect();
    if let Some(service) = &facts.ticket.service {
        let mut details = render::service_json(&facts.ticket, service);
        details["why"] = reasons.into();
        return details;
    }
    let mut details = render::ticket_json(&facts.ticket);
    details["ticket"] = render::line(&facts.ticket.display_id, 80).into();
    details["due"] = json!(facts.due);
    details["why"] = reasons.into();
    details
}

fn ticket(message: &Message) -> Option<&TicketFacts> {
    match &message.body {
        Body::Alert(facts) => Some(&facts.ticket),
        _ => None,
    }
}

fn links(message: &Message) -> Value {
    let url = ticket(message).and_then(|ticket| ticket.superops_url.as_deref()).and_then(render::web_address);
    url.map(|url| json!({ "href": url, "text": "Open in SuperOps" })).into_iter().collect()
}

/// Sorts the answer: 202 is taken; a 400 tells whether the event or the key was wrong, but its words are not passed on.
fn sort(peer: &Peer, answer: &Answer) -> Result<(), SendError> {
    match answer.status.as_u16() {
        200..=299 => Ok(()),
        400 if names_the_key(&answer.json()) => {
            Err(SendError::misconfigured(format!("{}: the routing key is invalid", peer.said(answer.status))))
        }
        400 | 413 | 422 => Err(SendError::refused(peer.said(answer.status))),
        _ => Err(SendError::misconfigured(peer.said(answer.status))),
    }
}

fn names_the_key(body: &Value) -> bool {
    let errors = body["errors"].as_array().into_iter().flatten().filter_map(Value::as_str);
    errors.chain(body["message"].as_str()).any(|text| text.to_lowercase().replace('_', " ").contains("routing key"))
}

impl fmt::Debug for PagerDutyNotifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PagerDutyNotifier").finish_non_exhaustive()
    }
}

#[async_trait]
impl Notifier for PagerDutyNotifier {
    fn channel(&self) -> ChannelKind {
        ChannelKind::PagerDuty
    }

    async fn send(&self, message: &Message) -> Result<Receipt, SendError> {
        let mut receipt = Receipt { id: None };
        for action in actions(&message.body) {
            receipt = self.enqueue(message, *action).await?;
        }
        Ok(receipt)
    }
}
