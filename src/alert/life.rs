//! What people do to an alert, and what follows from it.
//!
//! An acknowledgement or a snooze stops the escalation. It ends when its time is
//! up and nothing happened on the ticket meanwhile, or when the danger rises to a
//! higher stage; then the escalation goes on. What was resolved by hand stays
//! resolved for the same due time and stage. Nothing here reads the time, a file
//! or the network: the same input gives the same answer.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::escalation::owner;
use super::subject::Subject;
use super::write_back::{OwnTouch, touched_by_others};
use super::{AlertKey, Closing, Raised, Stage};
use crate::ticket::watch::Watched;
use crate::ticket::{Directory, Named};

/// How long an acknowledged breach may rest unless configured otherwise.
pub const ACK_EXPIRES: TimeDelta = TimeDelta::minutes(30);
/// The shortest time after which an alert is told again if all its messages were refused. It grows with the age of the
/// alert, up to [`REPEATED_EVERY`].
const REFUSED_AGAIN: TimeDelta = TimeDelta::minutes(5);
/// How often at most an alert is told again once one of its acknowledgements has run out.
const REPEATED_EVERY: TimeDelta = TimeDelta::hours(1);
/// The longest name that somebody may give, in characters; a longer one is cut.
const LONGEST_NAME: usize = 60;
/// Longer notes are cut; a longer text is a report and belongs on the ticket.
const LONGEST_NOTE: usize = 500;

/// An alert as it is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct AlertRow {
    pub key: AlertKey,
    pub raised: Raised,
    pub reason: String,
    pub raised_at: DateTime<Utc>,
    /// From when its steps are counted; the time in which nobody had to act does not count.
    pub steps_from: DateTime<Utc>,
    pub changed_at: DateTime<Utc>,
    /// The next step to run, from 0.
    pub step: u32,
    /// None if no step is left or somebody holds the alert.
    pub next_step_at: Option<DateTime<Utc>>,
    /// Rises with each change that makes older notifications void.
    pub generation: u32,
    /// False if it was already known when first seen, and so told only in the digest.
    pub told: bool,
    /// The name of the escalation that it follows.
    pub escalation: String,
    /// How long an acknowledgement of a breach lasts.
    pub ack_expires: TimeDelta,
    /// Who had it when its steps last ran; none if that is no longer known.
    pub asked: Option<Asked>,
    /// Until when a silence or a maintenance window covers it, so that nobody is told.
    pub covered_until: Option<DateTime<Utc>>,
    /// What people did about it.
    pub life: Life,
}

/// Who had the ticket when its people were told, and how urgent it was.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    pub technician: Option<Named>,
    pub group: Option<Named>,
    #[serde(default)]
    pub client: Option<Named>,
    /// Empty without one; none if that was not noted.
    #[serde(default)]
    pub priority: Option<String>,
}

impl Asked {
    /// Returns who has `subject`; an owner who is not among `people` does not count.
    pub fn of(subject: Subject<'_>, people: &Directory) -> Self {
        let technician = subject.owner.cloned().filter(|_| owner(subject, people).is_some());
        let priority = Some(subject.priority.unwrap_or_default().to_owned());
        Self { technician, group: subject.group.cloned(), client: subject.client.cloned(), priority }
    }

    /// Whether others have `subject` now, or at another priority. An owner who is not listed at the moment is no change, since lists come in
    /// parts; a new owner who is listed at last is one.
    pub fn differs(&self, subject: Subject<'_>, people: &Directory) -> bool {
        let now = Self::of(subject, people);
        let is_owners = self.technician.as_ref() == subject.owner || self.technician == now.technician;
        self.group != now.group || self.client != now.client || !is_owners || self.has_other_priority(subject)
    }

    /// Whether `subject` has another priority now.
    pub fn has_other_priority(&self, subject: Subject<'_>) -> bool {
        self.priority.as_ref().is_some_and(|was| was != subject.priority.unwrap_or_default())
    }

    /// Returns `subject` as it was when these people had it.
    pub fn had<'a>(&'a self, subject: Subject<'a>) -> Subject<'a> {
        let Self { technician, group, client, .. } = self;
        Subject { owner: technician.as_ref(), group: group.as_ref(), client: client.as_ref(), ..subject }
    }
}

/// What people did about an alert.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Life {
    /// The last acknowledgement or snooze at this stage.
    pub hold: Option<Hold>,
    /// Whether the next step is told even to people who were told before.
    pub again: bool,
    /// Whether the next step is told now, without waiting to be bundled: a person wants it, or the last reached nobody.
    pub hurried: bool,
    /// The tenant's number of the last human act on this alert.
    pub acts: i64,
}

/// Somebody's decision that the alert may rest for a while.
#[derive(Clone, Debug, PartialEq)]
pub struct Hold {
    pub kind: HoldKind,
    pub by: String,
    pub how: How,
    pub at: DateTime<Utc>,
    /// None means until the stage rises.
    pub until: Option<DateTime<Utc>>,
    /// Whether it has run out. It is kept so that the next people told hear of it.
    pub over: bool,
}

/// Whether somebody works on it or only wants to hear of it later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HoldKind {
    Acknowledged,
    Snoozed,
}

/// The way in which a person acted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    Api,
    Page,
    Link,
    Sms,
    Voice,
    Slack,
    #[serde(rename = "pagerduty", alias = "pager_duty")]
    PagerDuty,
    CommandLine,
}

impl How {
    /// All the ways.
    pub const ALL: [Self; 8] =
        [Self::Api, Self::Page, Self::Link, Self::Sms, Self::Voice, Self::Slack, Self::PagerDuty, Self::CommandLine];

    /// Returns the name used in the store and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Page => "page",
            Self::Link => "link",
            Self::Sms => "sms",
            Self::Voice => "voice",
            Self::Slack => "slack",
            Self::PagerDuty => "pagerduty",
            Self::CommandLine => "command_line",
        }
    }

    /// Parses [`How::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|how| how.as_str() == text)
    }

    /// Returns the words that follow "acknowledged".
    pub fn words(self) -> &'static str {
        match self {
            Self::Api => "through the API",
            Self::Page => "on the page",
            Self::Link => "by the link in a message",
            Self::Sms => "by text message",
            Self::Voice => "by phone",
            Self::Slack => "in Slack",
            Self::PagerDuty => "in PagerDuty",
            Self::CommandLine => "on the command line",
        }
    }
}

/// Who acts, and how.
#[derive(Clone, Debug, PartialEq)]
pub struct Actor {
    /// The name of a person or a token. Shown to people.
    pub name: String,
    pub how: How,
    /// Where from, for the audit log: an address, or the way itself.
    pub origin: String,
    /// What the person says about it, for the audit log.
    pub note: Option<String>,
}

impl Actor {
    /// Returns a name that somebody gives as it is kept; none if it is blank.
    pub fn named(text: &str) -> Option<String> {
        let name: String = text.trim().chars().take(LONGEST_NAME).collect();
        Some(name).filter(|name| !name.is_empty())
    }

    /// Returns a note as it is kept.
    pub fn noted(text: &str) -> String {
        text.trim().chars().take(LONGEST_NOTE).collect()
    }
}

/// What a person may do to an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// The person works on it: nobody else need be told for a while.
    Acknowledge,
    /// The person wants to be told again then.
    Snooze { until: DateTime<Utc> },
    /// The person says that it is over.
    Resolve,
    /// The person wants the next step to be told now.
    Escalate,
}

impl Act {
    /// Returns the verb in the past tense, for the audit log.
    pub fn words(self) -> &'static str {
        match self {
            Self::Acknowledge => "acknowledged",
            Self::Snooze { .. } => "snoozed",
            Self::Resolve => "resolved",
            Self::Escalate => "escalated",
        }
    }
}

/// The state of an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    Open,
    Acknowledged,
    Snoozed,
    Resolved,
}

impl State {
    /// Returns the name used in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Acknowledged => "acknowledged",
            Self::Snoozed => "snoozed",
            Self::Resolved => "resolved",
        }
    }
}

impl Life {
    /// Returns the acknowledgement or snooze that holds now.
    pub fn held(&self) -> Option<&Hold> {
        self.hold.as_ref().filter(|hold| !hold.over)
    }

    /// Returns a fresh life for a new stage; only the count of acts goes on.
    pub fn anew(&self) -> Self {
        Self { acts: self.acts, ..Self::default() }
    }
}

impl AlertRow {
    /// Returns its state.
    pub fn state(&self) -> State {
        match (self.raised.resolved_as, self.life.held()) {
            (Some(_), _) => State::Resolved,
            (None, None) => State::Open,
            (None, Some(Hold { kind: HoldKind::Acknowledged, .. })) => State::Acknowledged,
            (None, Some(Hold { kind: HoldKind::Snoozed, .. })) => State::Snoozed,
        }
    }

    /// Returns when it changes next by the passing of time: a step is due, or a hold runs out.
    pub fn wakes_at(&self) -> Option<DateTime<Utc>> {
        match self.life.held() {
            _ if self.raised.resolved_as.is_some() => None,
            Some(hold) => hold.until,
            None => self.next_step_at,
        }
    }

    /// Returns the alert after `act`. None if that changes nothing: a repeat, or the alert is over.
    pub fn after(&self, act: Act, actor: &Actor, now: DateTime<Utc>) -> Option<Self> {
        let state = self.state();
        match act {
            _ if state == State::Resolved => None,
            Act::Acknowledge if state == State::Acknowledged => None,
            Act::Acknowledge => Some(self.held(HoldKind::Acknowledged, self.ack_until(now), actor, now)),
            Act::Snooze { until } if until <= now || self.snoozed_until() == Some(until) => None,
            Act::Snooze { until } => Some(self.held(HoldKind::Snoozed, Some(until), actor, now)),
            Act::Resolve => Some(self.closed(Closing::ByHand, now)),
            Act::Escalate if self.next_step_at.is_some_and(|at| at <= now) => None,
            Act::Escalate => Some(self.hurried(now)),
        }
    }

    /// Returns the alert closed as `closing`; its waiting steps are void.
    pub fn closed(&self, closing: Closing, now: DateTime<Utc>) -> Self {
        let raised = Raised { resolved_as: Some(closing), ..self.raised };
        Self { raised, changed_at: now, generation: self.generation + 1, next_step_at: None, ..self.clone() }
    }

    /// Returns the alert after its hold has run out. None if it has not, or nobody holds it.
    ///
    /// A ticket on which something happened meanwhile is being worked on: its
    /// acknowledgement lasts as long again from that moment.
    pub fn after_hold(&self, moved_at: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Option<Self> {
        let hold = self.life.held().filter(|hold| hold.until.is_some_and(|until| until <= now))?;
        let moved = moved_at.filter(|at| hold.kind == HoldKind::Acknowledged && *at > hold.at && *at <= now);
        if let Some(until) = moved.map(|at| at + self.ack_expires).filter(|until| *until > now) {
            let hold = Hold { until: Some(until), ..hold.clone() };
            return Some(Self { life: Life { hold: Some(hold), ..self.life.clone() }, ..self.clone() });
        }
        // A person who snoozed wants to be told again, so the last step runs once more.
        let step = if hold.kind == HoldKind::Snoozed { self.step.saturating_sub(1) } else { self.step };
        let life = Life { hold: Some(Hold { over: true, ..hold.clone() }), again: true, ..self.life };
        let (next_step_at, generation) = (Some(now), self.generation + 1);
        Some(Self { life, step, next_step_at, generation, told: true, changed_at: now, ..self.clone() })
    }

    /// Returns the alert after none of its messages got through: it starts over with its first step after a while, in a
    /// new episode, so that nobody counts as told. None while a step is left or somebody holds it.
    pub fn started_over(&self, now: DateTime<Utc>) -> Option<Self> {
        let is_left = self.state() == State::Open && self.told && self.step > 0 && self.next_step_at.is_none();
        let after = (now - self.changed_at).clamp(REFUSED_AGAIN, REPEATED_EVERY);
        let raised = Raised { episode: self.raised.episode + 1, ..self.raised };
        let (next_step_at, generation) = (Some(now + after), self.generation + 1);
        is_left.then(|| Self { raised, step: 0, next_step_at, generation, ..self.clone() })
    }

    /// Returns when an acknowledgement runs out. A warning rests until the breach; a breach must not rest forever.
    fn ack_until(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        // After one has run out, people were told again and are not told more often than this.
        let ran_out = self.life.hold.as_ref().is_some_and(|hold| hold.over && hold.kind == HoldKind::Acknowledged);
        let rests = if ran_out { self.ack_expires.max(REPEATED_EVERY) } else { self.ack_expires };
        (self.raised.stage == Stage::Breached && self.told).then(|| now + rests)
    }

    fn snoozed_until(&self) -> Option<DateTime<Utc>> {
        self.life.held().filter(|hold| hold.kind == HoldKind::Snoozed).and_then(|hold| hold.until)
    }

    fn held(&self, kind: HoldKind, until: Option<DateTime<Utc>>, actor: &Actor, now: DateTime<Utc>) -> Self {
        let hold = Hold { kind, by: actor.name.clone(), how: actor.how, at: now, until, over: false };
        let life = Life { hold: Some(hold), again: false, hurried: false, ..self.life };
        Self { life, next_step_at: None, generation: self.generation + 1, changed_at: now, ..self.clone() }
    }

    fn hurried(&self, now: DateTime<Utc>) -> Self {
        // A waiting step is only brought forward. Without one, people who were told before are told again.
        let again = self.life.again || self.next_step_at.is_none();
        let life = Life { hold: None, again, hurried: true, ..self.life };
        // Each repeat is a new notification.
        let generation = self.generation + u32::from(again);
        Self { life, generation, next_step_at: Some(now), told: true, changed_at: now, ..self.clone() }
    }
}

/// Returns when something last happened on a ticket: a reply, a change of status, an edit or a worklog. What we wrote
/// ourselves, `own`, is no sign of work.
pub fn last_moved(watched: &Watched, own: &[OwnTouch]) -> Option<DateTime<Utc>> {
    // The earliest possible moment: a change that may lie before the hold is no sign of work.
    let status = watched.status_since.map(|since| since.earliest);
    let ticket = &watched.ticket;
    [touched_by_others(ticket.updated_at, own), ticket.first_response.met_at, status, watched.replied_at]
        .into_iter()
        .flatten()
        .max()
}

#[cfg(test)]
mod tests;
