//! Handles acknowledgements made in PagerDuty and in Slack.
//!
//! A call is trusted because it is signed, and each is acted on once: a repeat or a replay changes nothing. Only acts
//! of people count; what PagerDuty did on our own request is ignored.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;

use super::{Answers, Hook, signatures};
use crate::alert::life::{Act, Actor, How};
use crate::notify::render;
use crate::notify::slack::ACKNOWLEDGE;
use crate::store::StoreError;
use crate::store::alerts::AlertRow;

/// PagerDuty retries an event for hours; anything older than this is ignored. Must be shorter than the store remembers
/// which events it has seen.
const OLDEST_EVENT: TimeDelta = TimeDelta::days(1);
/// The most by which PagerDuty's clock and ours may differ.
const SKEW: TimeDelta = TimeDelta::minutes(1);
/// Longer names are cut.
const LONGEST_NAME: usize = 60;
/// The outcome of a call that was handled before.
pub(super) const REPEATED: &str = "repeated";
/// The longest id of an event or a click that is kept.
const LONGEST_ID: usize = 200;

#[derive(Deserialize)]
struct Envelope {
    event: Event,
}

/// An event of PagerDuty's webhooks, version 3.
#[derive(Deserialize)]
struct Event {
    id: String,
    event_type: String,
    occurred_at: DateTime<Utc>,
    agent: Option<Agent>,
    #[serde(default)]
    data: Incident,
}

#[derive(Deserialize)]
struct Agent {
    #[serde(rename = "type")]
    kind: Option<String>,
    summary: Option<String>,
}

#[derive(Default, Deserialize)]
struct Incident {
    /// Our own key for it: the alert's.
    incident_key: Option<String>,
}

/// What Slack sends when somebody presses a button.
#[derive(Deserialize)]
struct Interaction {
    user: User,
    #[serde(default)]
    actions: Vec<Action>,
}

#[derive(Deserialize)]
struct User {
    id: String,
    name: Option<String>,
    username: Option<String>,
}

#[derive(Deserialize)]
struct Action {
    action_id: String,
    action_ts: Option<String>,
    value: Option<String>,
}

impl Answers {
    /// Whether `hook` has a secret, so that its calls can be trusted. False for those of Twilio.
    pub fn hook_is_on(&self, hook: Hook) -> bool {
        let notify = &self.config.notify;
        match hook {
            Hook::PagerDuty => notify.pagerduty.as_ref().is_some_and(|pagerduty| pagerduty.webhook_secret.is_some()),
            Hook::Slack => notify.slack.as_ref().is_some_and(|slack| slack.signing_secret.is_some()),
            Hook::Status | Hook::Reply | Hook::Voice => false,
        }
    }

    /// Takes an event from PagerDuty. Returns false, and does nothing, if PagerDuty did not sign it.
    pub async fn pagerduty(&self, signature: &str, body: &[u8]) -> Result<bool, StoreError> {
        let secret = self.config.notify.pagerduty.as_ref().and_then(|pagerduty| pagerduty.webhook_secret.as_ref());
        if !secret.is_some_and(|secret| signatures::is_of_pagerduty(secret, signature, body)) {
            self.count(Hook::PagerDuty, "forged");
            return Ok(false);
        }
        let outcome = match serde_json::from_slice::<Envelope>(body) {
            Ok(Envelope { event }) => self.take_event(event).await?,
            Err(_) => "unreadable",
        };
        self.count(Hook::PagerDuty, outcome);
        Ok(true)
    }

    async fn take_event(&self, event: Event) -> Result<&'static str, StoreError> {
        let now = self.clock.now();
        let person = event.agent.filter(|agent| agent.kind.as_deref() == Some("user_reference"));
        let (Some(person), "incident.acknowledged") = (person, event.event_type.as_str()) else { return Ok("ignored") };
        let Some(key) = event.data.incident_key else { return Ok("ignored") };
        let Some(alert) = self.alert(&key).await? else { return Ok("unknown_alert") };
        if event.occurred_at < (now - OLDEST_EVENT).max(last_said(&alert) - SKEW) {
            return Ok("too_old");
        }
        let name = person.summary.as_deref().map(name).filter(|name| !name.is_empty());
        let name = name.unwrap_or_else(|| "somebody".to_owned());
        let actor = Actor { name, how: How::PagerDuty, origin: "PagerDuty".to_owned(), note: None };
        let (id, alerts, now) = (format!("pagerduty {}", event.id), std::slice::from_ref(&key), self.leaders_now());
        self.once(&id, &key, alerts, Act::Acknowledge, &actor, now).await
    }

    /// Takes a button press in Slack: `body` is the raw form, `sent` the time in its header. Returns false, and does
    /// nothing, if Slack did not sign it or it is too old.
    pub async fn slack(&self, signature: &str, sent: &str, body: &[u8]) -> Result<bool, StoreError> {
        let now = self.clock.now();
        let secret = self.config.notify.slack.as_ref().and_then(|slack| slack.signing_secret.as_ref());
        if !secret.is_some_and(|secret| signatures::is_of_slack(secret, signature, sent, body, now)) {
            self.count(Hook::Slack, "forged");
            return Ok(false);
        }
        let payload = url::form_urlencoded::parse(body).find(|(name, _)| name == "payload").map(|(_, payload)| payload);
        let outcome = match payload.and_then(|payload| serde_json::from_str::<Interaction>(&payload).ok()) {
            Some(interaction) => self.take_click(interaction, self.leaders_now()).await?,
            None => "unreadable",
        };
        self.count(Hook::Slack, outcome);
        Ok(true)
    }

    async fn take_click(&self, interaction: Interaction, now: DateTime<Utc>) -> Result<&'static str, StoreError> {
        let Interaction { user, actions } = interaction;
        let Some(action) = actions.into_iter().find(|action| action.action_id == ACKNOWLEDGE) else {
            return Ok("ignored");
        };
        let Some(notification) = action.value else { return Ok("ignored") };
        let Some(row) = self.store.notification(&notification).await? else { return Ok("unknown_alert") };
        let told = row.leased.notification;
        let alerts = match told.kind {
            "bundle" => self.store.alerts_of_bundle(&notification).await?,
            _ => vec![told.alert_key],
        };
        let shown = name(user.name.or(user.username).as_deref().unwrap_or("somebody"));
        let actor = Actor {
            name: format!("{shown} ({})", name(&user.id)),
            how: How::Slack,
            origin: "Slack".to_owned(),
            note: None,
        };
        let click = format!("slack {} {} {notification}", user.id, action.action_ts.unwrap_or_default());
        self.once(&click, &notification, &alerts, Act::Acknowledge, &actor, now).await
    }

    /// Performs `act` on `alerts` unless the call `id`, which is about `what`, was handled before. Returns the outcome
    /// as one word.
    pub(super) async fn once(
        &self,
        id: &str,
        what: &str,
        alerts: &[String],
        act: Act,
        actor: &Actor,
        now: DateTime<Utc>,
    ) -> Result<&'static str, StoreError> {
        let id = kept(id);
        if !self.store.use_link(&id, what, now).await? {
            return Ok(REPEATED);
        }
        let mut outcome = "as_before";
        for alert in alerts {
            match self.carry_out(alert, act, actor, now).await {
                Ok(Some(acted)) if acted.changed => outcome = act.words(),
                Ok(_) => {}
                Err(error) => {
                    self.store.give_back_link(&id).await?;
                    return Err(error);
                }
            }
        }
        self.store.end_link(&id, outcome).await?;
        Ok(outcome)
    }

    /// Returns the outcome of the call `id` when it was handled before; none if that is not known yet.
    pub(super) async fn outcome_before(&self, id: &str) -> Result<Option<String>, StoreError> {
        self.store.outcome_of_link(&kept(id)).await
    }
}

/// Returns as much of the id of a call as is kept.
fn kept(id: &str) -> String {
    id.chars().take(LONGEST_ID).collect()
}

/// Returns when the alert was raised, or when it was told again because a hold on it ran out: an acknowledgement from
/// before then came from somebody who had not seen that.
fn last_said(alert: &AlertRow) -> DateTime<Utc> {
    let told_again = alert.life.hold.as_ref().filter(|hold| hold.over).and_then(|hold| hold.until);
    told_again.map_or(alert.raised_at, |again| again.max(alert.raised_at))
}

/// Returns a person's name as others wrote it, on one line and cut to a sensible length.
fn name(text: &str) -> String {
    render::line(text, LONGEST_NAME)
}
