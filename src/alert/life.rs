//! What people do to an alert, and what follows from it.
//!
//! An acknowledgement or a snooze holds the escalation still. It ends when its
//! time is up and nothing happened on the ticket meanwhile, or when the danger
//! rises to a higher stage; then the escalation goes on. What was resolved by
//! hand stays resolved for the same due time and stage. Nothing here reads the
//! time, a file or the network: the same input gives the same answer.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::escalation::owner;
use super::subject::Subject;
use super::write_back::{OwnTouch, touched_by_others};
use super::{AlertKey, Closing, Raised, Stage};
use crate::ticket::watch::Watched;
use crate::ticket::{Directory, Named};

/// How long an acknowledged breach may rest where nothing else is configured.
pub const ACK_EXPIRES: TimeDelta = TimeDelta::minutes(30);
/// An alert all of whose messages were refused is said again after this at the earliest, and after [`REPEATED_EVERY`] at
/// the latest: the longer it lasts, the more seldom.
const REFUSED_AGAIN: TimeDelta = TimeDelta::minutes(5);
/// Once one of its acknowledgements has run out, an alert is told again at most this often.
const REPEATED_EVERY: TimeDelta = TimeDelta::hours(1);

/// An alert as it is remembered.
#[derive(Clone, Debug, PartialEq)]
pub struct AlertRow {
    pub key: AlertKey,
    pub raised: Raised,
    pub reason: String,
    pub raised_at: DateTime<Utc>,
    pub changed_at: DateTime<Utc>,
    /// The next step to run, from 0.
    pub step: u32,
    /// None: no step is left, or somebody holds the alert.
    pub next_step_at: Option<DateTime<Utc>>,
    /// Rises with each change that makes older notifications void.
    pub generation: u32,
    /// False: known of when first seen, and told only in the digest.
    pub told: bool,
    /// The name of the escalation that it follows.
    pub escalation: String,
    /// How long an acknowledgement lasts once it is breached.
    pub ack_expires: TimeDelta,
    /// For whom its steps were run last; none: not known any more.
    pub asked: Option<Asked>,
    /// Nobody is told before then: a silence or a maintenance window lies over it.
    pub covered_until: Option<DateTime<Utc>>,
    /// What people did about it.
    pub life: Life,
}

/// Who had the ticket when its people were told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    pub technician: Option<Named>,
    pub group: Option<Named>,
    #[serde(default)]
    pub client: Option<Named>,
}

impl Asked {
    /// Who has `subject`; an owner who is not among the `people` is none.
    pub fn of(subject: Subject<'_>, people: &Directory) -> Self {
        let technician = subject.owner.cloned().filter(|_| owner(subject, people).is_some());
        Self { technician, group: subject.group.cloned(), client: subject.client.cloned() }
    }

    /// Whether others have `subject` now. That its owner is not listed at this moment changes nothing, since lists come
    /// in parts; that a new one is listed at last does.
    pub fn differs(&self, subject: Subject<'_>, people: &Directory) -> bool {
        let now = Self::of(subject, people);
        let is_owners = self.technician.as_ref() == subject.owner || self.technician == now.technician;
        self.group != now.group || self.client != now.client || !is_owners
    }

    /// `subject` as it was when these had it.
    pub fn had<'a>(&'a self, subject: Subject<'a>) -> Subject<'a> {
        let Self { technician, group, client } = self;
        Subject { owner: technician.as_ref(), group: group.as_ref(), client: client.as_ref(), ..subject }
    }
}

/// What people did about an alert.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Life {
    /// The last acknowledgement or snooze at this stage.
    pub hold: Option<Hold>,
    /// The next step is told even to those who were told before.
    pub again: bool,
    /// The next step is told now, since a person wants it or the one before reached nobody: what it says waits for no company.
    pub hurried: bool,
    /// The tenant's number of the last human act on this alert.
    pub acts: i64,
}

/// Somebody's word that the alert may rest for a while.
#[derive(Clone, Debug, PartialEq)]
pub struct Hold {
    pub kind: HoldKind,
    pub by: String,
    pub how: How,
    pub at: DateTime<Utc>,
    /// None: until the stage rises.
    pub until: Option<DateTime<Utc>>,
    /// It has run out: kept, so that the next to be told hear of it.
    pub over: bool,
}

/// Whether somebody works on it, or only wants to hear of it later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HoldKind {
    Acknowledged,
    Snoozed,
}

/// By which way a person acted.
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
    /// All there are.
    pub const ALL: [Self; 8] =
        [Self::Api, Self::Page, Self::Link, Self::Sms, Self::Voice, Self::Slack, Self::PagerDuty, Self::CommandLine];

    /// The name used in the store and in the API.
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

    /// The reading of [`How::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|how| how.as_str() == text)
    }

    /// As it follows "acknowledged".
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

/// Who acts, and by which way.
#[derive(Clone, Debug, PartialEq)]
pub struct Actor {
    /// A person's name, or that of a token. Shown to people.
    pub name: String,
    pub how: How,
    /// From where, for the audit log: an address, or the way itself.
    pub origin: String,
    /// What the person says about it, for the audit log.
    pub note: Option<String>,
}

/// What a person may do to an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Works on it: nobody else need be told, for a while.
    Acknowledge,
    /// Wants to be told again then.
    Snooze { until: DateTime<Utc> },
    /// Says that it is over.
    Resolve,
    /// Wants the next step to be told now.
    Escalate,
}

impl Act {
    /// What was done, in the past: for the audit log.
    pub fn words(self) -> &'static str {
        match self {
            Self::Acknowledge => "acknowledged",
            Self::Snooze { .. } => "snoozed",
            Self::Resolve => "resolved",
            Self::Escalate => "escalated",
        }
    }
}

/// Where an alert stands in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    Open,
    Acknowledged,
    Snoozed,
    Resolved,
}

impl State {
    /// The name used in the API.
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
    /// The acknowledgement or snooze that holds now.
    pub fn held(&self) -> Option<&Hold> {
        self.hold.as_ref().filter(|hold| !hold.over)
    }

    /// At a new stage everybody starts anew; the count of acts goes on.
    pub fn anew(&self) -> Self {
        Self { acts: self.acts, ..Self::default() }
    }
}

impl AlertRow {
    /// Where it stands in its life.
    pub fn state(&self) -> State {
        match (self.raised.resolved_as, self.life.held()) {
            (Some(_), _) => State::Resolved,
            (None, None) => State::Open,
            (None, Some(Hold { kind: HoldKind::Acknowledged, .. })) => State::Acknowledged,
            (None, Some(Hold { kind: HoldKind::Snoozed, .. })) => State::Snoozed,
        }
    }

    /// When it changes next by the passing of time: a step is due, or a hold runs out.
    pub fn wakes_at(&self) -> Option<DateTime<Utc>> {
        match self.life.held() {
            _ if self.raised.resolved_as.is_some() => None,
            Some(hold) => hold.until,
            None => self.next_step_at,
        }
    }

    /// What `act` makes of it. None if it changes nothing: a repeat, or the alert is over.
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

    /// Closed as `closing`; its waiting steps are void.
    pub fn closed(&self, closing: Closing, now: DateTime<Utc>) -> Self {
        let raised = Raised { resolved_as: Some(closing), ..self.raised };
        Self { raised, changed_at: now, generation: self.generation + 1, next_step_at: None, ..self.clone() }
    }

    /// What becomes of it when its hold's time is up. None if it is not, or nobody holds it.
    ///
    /// A ticket on which something happened meanwhile is being worked on: its
    /// acknowledgement lasts as long again, from that moment.
    pub fn after_hold(&self, moved_at: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Option<Self> {
        let hold = self.life.held().filter(|hold| hold.until.is_some_and(|until| until <= now))?;
        let moved = moved_at.filter(|at| hold.kind == HoldKind::Acknowledged && *at > hold.at && *at <= now);
        if let Some(until) = moved.map(|at| at + self.ack_expires).filter(|until| *until > now) {
            let hold = Hold { until: Some(until), ..hold.clone() };
            return Some(Self { life: Life { hold: Some(hold), ..self.life.clone() }, ..self.clone() });
        }
        // Who snoozed wants to be told again: the step that was told last is the one to run.
        let step = if hold.kind == HoldKind::Snoozed { self.step.saturating_sub(1) } else { self.step };
        let life = Life { hold: Some(Hold { over: true, ..hold.clone() }), again: true, ..self.life };
        let (next_step_at, generation) = (Some(now), self.generation + 1);
        Some(Self { life, step, next_step_at, generation, told: true, changed_at: now, ..self.clone() })
    }

    /// What becomes of it when all that was said of it came to nothing: it starts over with its first step after a while,
    /// in an episode of its own, so that nobody counts as told. None while a step is left, or somebody holds it.
    pub fn started_over(&self, now: DateTime<Utc>) -> Option<Self> {
        let is_left = self.state() == State::Open && self.told && self.step > 0 && self.next_step_at.is_none();
        let after = (now - self.changed_at).clamp(REFUSED_AGAIN, REPEATED_EVERY);
        let raised = Raised { episode: self.raised.episode + 1, ..self.raised };
        let (next_step_at, generation) = (Some(now + after), self.generation + 1);
        is_left.then(|| Self { raised, step: 0, next_step_at, generation, ..self.clone() })
    }

    /// An acknowledged warning rests until the breach; a breach must not rest unattended for ever.
    fn ack_until(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        // Who let one run out was told again, and is not told so more often than this.
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
        // With a step to wait for it is only brought forward. Else those who were told before are told again.
        let again = self.life.again || self.next_step_at.is_none();
        let life = Life { hold: None, again, hurried: true, ..self.life };
        // What is told again is something new to tell, each time.
        let generation = self.generation + u32::from(again);
        Self { life, generation, next_step_at: Some(now), told: true, changed_at: now, ..self.clone() }
    }
}

/// When something last happened on a ticket: a reply, a change of status, an edit or a worklog. What we wrote on it
/// ourselves, `own`, is no sign of work.
pub fn last_moved(watched: &Watched, own: &[OwnTouch]) -> Option<DateTime<Utc>> {
    // The earliest it can have been: what may have happened before is no sign of work.
    let status = watched.status_since.map(|since| since.earliest);
    let ticket = &watched.ticket;
    [touched_by_others(ticket.updated_at, own), ticket.first_response.met_at, status, watched.replied_at]
        .into_iter()
        .flatten()
        .max()
}

#[cfg(test)]
mod tests;
