//! Turns what was observed of a ticket into training events for one of its clocks.
//!
//! SuperOps keeps no history. For a ticket watched from its first minutes we know what changed and when. For one first
//! read later, only its opening, its present attributes and its end are known: the attributes are assumed to have held
//! from the beginning, early pauses and moves are missing, and nothing is invented in their place.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use crate::sla::calendar::{Calendar, CalendarSpec};
use crate::sla::clock::assess;
use crate::sla::forecast::{Attribute, Terms};
use crate::sla::tenant_rules::TenantRules;
use crate::ticket::manual_override::{self, OverrideAction};
use crate::ticket::watch::{Change, ChangeKind, Watched};
use crate::ticket::{ClockKind, Named, StatusMeaning, Ticket};

/// A ticket first read this soon after its opening counts as watched from the start.
const SOON: TimeDelta = TimeDelta::minutes(15);
/// Separates a ticket's id from how often its clock was restarted. No id contains a line break.
const AGAIN: char = '\n';

/// A text shared by many training events.
pub type Name = Arc<str>;

/// One thing that happens to a clock.
#[derive(Clone, Debug)]
pub struct TrainingEvent {
    pub at: DateTime<Utc>,
    pub clock: ClockKind,
    /// Names the clock: its ticket, and the cycle if it was started again.
    pub key: Name,
    /// How many of the ticket's changes must be known before this is.
    pub after: usize,
    pub what: What,
}

/// What happens.
#[derive(Clone, Debug)]
pub enum What {
    Opened(Box<Start>),
    Changed(Box<[Fact]>),
    Stopped,
    /// It is no longer a promise: nothing should be learned from it.
    Withdrawn,
}

/// A clock starts, or changes so that it counts as another one from now on.
#[derive(Clone, Debug)]
pub struct Start {
    pub terms: Terms,
    pub priority: Option<Name>,
    /// When it began to run.
    pub since: DateTime<Utc>,
}

/// What changed on a ticket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    Became(Attribute, Option<Name>),
    Reassigned(u32),
    Reopened(u32),
    Paused(bool),
}

/// Returns the ticket that a clock's key names.
pub fn ticket_of(key: &str) -> &str {
    key.split(AGAIN).next().unwrap_or(key)
}

/// Values that many share: there are many training events and forecasts, but few names, reasons and calendars.
#[derive(Debug, Default)]
pub struct Shared {
    calendars: HashMap<CalendarSpec, Option<Arc<Calendar>>>,
    texts: HashSet<Name>,
}

impl Shared {
    fn calendar(&mut self, calendar: &Calendar) -> Option<Arc<Calendar>> {
        if let Some(held) = self.calendars.get(calendar.spec()) {
            return held.clone();
        }
        let shared = Calendar::compile(calendar.spec().clone()).ok().map(Arc::new);
        self.calendars.insert(calendar.spec().clone(), shared.clone());
        shared
    }

    /// Returns the shared copy of `text`.
    pub fn text(&mut self, text: &str) -> Name {
        if let Some(held) = self.texts.get(text) {
            return held.clone();
        }
        let shared: Name = text.into();
        self.texts.insert(shared.clone());
        shared
    }
}

/// Returns the training events of one clock of a ticket; none if nothing was ever promised for it.
pub fn training_events(
    watched: &Watched,
    changes: &[Change],
    kind: ClockKind,
    rules: &TenantRules,
    shared: &mut Shared,
) -> Vec<TrainingEvent> {
    let Some(created) = watched.ticket.created_at else { return Vec::new() };
    let now = watched.read_at.max(watched.first_seen_at);
    let clock = assess(watched, kind, rules, now);
    let reported = first_due(changes, kind).or(watched.ticket.reported(kind).due);
    let Some(promised) = reported.or_else(|| due_by_policy(watched, kind, rules, now)) else { return Vec::new() };
    let mut teller = Teller {
        watched,
        changes,
        kind,
        rules,
        key: watched.ticket.id.as_str().into(),
        looks: opening(&watched.ticket, changes, shared),
        shared,
        created,
        reassigned: 0,
        reopened: 0,
        promised,
        by_hand: None,
        paused: false,
        has_paused: false,
        stopped: false,
        ended_by_hand: false,
        told: Vec::new(),
    };
    teller.open(created, 0);
    if teller.told.is_empty() {
        return Vec::new();
    }
    for (index, change) in changes.iter().enumerate() {
        teller.change(index, change);
    }
    if let (Some(at), false) = (clock.stopped_at, teller.stopped) {
        teller.stop(at, changes.len());
    }
    teller.told
}

/// Returns the due time by policy, as if nobody had overridden it and it had never paused: pauses are told separately.
fn due_by_policy(watched: &Watched, kind: ClockKind, rules: &TenantRules, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let undecided = Watched { overrides: Vec::new(), ..watched.clone() };
    let clock = assess(&undecided, kind, rules, now);
    clock.hours?.calendar.add(clock.start?, clock.total?)
}

/// Returns the due time that was promised first, if it was moved since.
fn first_due(changes: &[Change], kind: ClockKind) -> Option<DateTime<Utc>> {
    let moved = changes.iter().find(|change| change.kind == ChangeKind::DueMoved(kind))?;
    moment(moved.from.as_ref()).or(moment(moved.to.as_ref()))
}

fn moment(text: Option<&String>) -> Option<DateTime<Utc>> {
    text?.parse().ok()
}

/// Returns how a ticket looked when it was opened, as far as its changes tell.
fn opening(ticket: &Ticket, changes: &[Change], shared: &mut Shared) -> Vec<(Attribute, Option<Name>)> {
    let name = |named: &'_ Option<Named>| named.as_ref().map(|named| named.name.clone());
    let before = |kind: ChangeKind, present: Option<String>| {
        changes.iter().find(|change| change.kind == kind).map_or(present, |change| change.from.clone())
    };
    let looks = [
        (Attribute::Group, before(ChangeKind::Group, name(&ticket.group))),
        (Attribute::Technician, before(ChangeKind::Assignee, name(&ticket.technician))),
        (Attribute::Priority, before(ChangeKind::Priority, ticket.priority.clone())),
        (Attribute::Client, before(ChangeKind::Client, name(&ticket.client))),
        (Attribute::Category, ticket.category.clone()),
        (Attribute::Location, name(&ticket.site)),
        (Attribute::Channel, ticket.request_type.clone()),
        (Attribute::State, None),
    ];
    looks.into_iter().map(|(attribute, text)| (attribute, text.as_deref().map(|text| shared.text(text)))).collect()
}

struct Teller<'a> {
    watched: &'a Watched,
    changes: &'a [Change],
    kind: ClockKind,
    rules: &'a TenantRules,
    shared: &'a mut Shared,
    key: Name,
    /// How the ticket looks at this point.
    looks: Vec<(Attribute, Option<Name>)>,
    created: DateTime<Utc>,
    reassigned: u32,
    reopened: u32,
    /// The due time by SuperOps or the policy.
    promised: DateTime<Utc>,
    /// The due time set by a person.
    by_hand: Option<DateTime<Utc>>,
    paused: bool,
    has_paused: bool,
    stopped: bool,
    /// A person stopped or cancelled it.
    ended_by_hand: bool,
    told: Vec<TrainingEvent>,
}

impl Teller<'_> {
    fn tell(&mut self, at: DateTime<Utc>, after: usize, what: What) {
        self.told.push(TrainingEvent { at, clock: self.kind, key: self.key.clone(), after, what });
    }

    /// Tells at `at` of a clock that has run since the ticket was opened, if any of its time is left.
    fn open(&mut self, at: DateTime<Utc>, after: usize) {
        let due = self.by_hand.unwrap_or(self.promised);
        let (hours, _) = self.rules.hours(&self.watched.ticket, due);
        let allowed = hours.calendar.between(self.created, due);
        let is_left = hours.calendar.between(at, due) > TimeDelta::zero();
        let Some(calendar) = self.shared.calendar(hours.calendar).filter(|_| is_left) else { return };
        let (terms, priority) = (Terms { allowed, calendar }, self.known(Attribute::Priority));
        self.tell(at, after, What::Opened(Box::new(Start { terms, priority, since: self.created })));
        // Blanks and zeros need not be told: there are as many of these lists as clocks.
        let looks = self.looks.iter().filter(|(_, name)| name.is_some()).cloned();
        let looks = looks.map(|(attribute, name)| Fact::Became(attribute, name));
        let reassigned = (self.reassigned > 0).then_some(Fact::Reassigned(self.reassigned));
        let reopened = (self.reopened > 0).then_some(Fact::Reopened(self.reopened));
        let facts = looks.chain(reassigned).chain(reopened).chain(self.paused.then_some(Fact::Paused(true))).collect();
        self.tell(at, after, What::Changed(facts));
    }

    /// Restarts the clock with what is promised from `at` on.
    fn open_anew(&mut self, at: DateTime<Utc>, after: usize) {
        if !self.stopped {
            self.tell(at, after, What::Withdrawn);
            self.open(at, after);
        }
    }

    fn stop(&mut self, at: DateTime<Utc>, after: usize) {
        let at = self.watched.ticket.created_at.map_or(at, |created| at.max(created));
        self.tell(at, after, What::Stopped);
        self.stopped = true;
    }

    fn known(&self, attribute: Attribute) -> Option<Name> {
        self.looks.iter().find(|(known, _)| *known == attribute).and_then(|(_, name)| name.clone())
    }

    fn became(&mut self, attribute: Attribute, text: &Option<String>) -> Fact {
        let name = text.as_deref().map(|text| self.shared.text(text));
        if let Some((_, known)) = self.looks.iter_mut().find(|(known, _)| *known == attribute) {
            known.clone_from(&name);
        }
        Fact::Became(attribute, name)
    }

    fn change(&mut self, index: usize, change: &Change) {
        let (at, after) = (change.at.latest, index + 1);
        let facts = match change.kind {
            ChangeKind::FirstSeen => return self.first_seen(change, after),
            ChangeKind::Status => return self.status_changed(change, after),
            ChangeKind::Assignee => {
                self.reassigned += u32::from(change.from.is_some());
                vec![self.became(Attribute::Technician, &change.to), Fact::Reassigned(self.reassigned)]
            }
            ChangeKind::Group => vec![self.became(Attribute::Group, &change.to)],
            ChangeKind::Priority => vec![self.became(Attribute::Priority, &change.to)],
            ChangeKind::Client => vec![self.became(Attribute::Client, &change.to)],
            ChangeKind::DueMoved(kind) if kind == self.kind => return self.due_moved(change, after),
            ChangeKind::FirstResponse if self.kind == ClockKind::FirstResponse => {
                return self.ended(moment(change.to.as_ref()).unwrap_or(at), after);
            }
            ChangeKind::Resolved => return self.ended(moment(change.to.as_ref()).unwrap_or(at), after),
            ChangeKind::Reopened if self.kind == ClockKind::Resolution => return self.reopen(at, after),
            ChangeKind::ByHand => return self.decided(change, after),
            ChangeKind::Vanished => return self.tell(at, after, What::Withdrawn),
            _ => return,
        };
        self.tell(at, after, What::Changed(facts.into()));
    }

    fn status_changed(&mut self, change: &Change, after: usize) {
        let (at, stood_still) = (change.at.latest, self.paused);
        let facts = self.status(&change.to);
        self.tell(at, after, What::Changed(facts.into()));
        if stood_still && !self.paused && self.by_hand.is_some() {
            // A pause does not move a due time that a person has set, so less of it is left now.
            self.open_anew(at, after);
        }
    }

    fn status(&mut self, status: &Option<String>) -> Vec<Fact> {
        let became = self.became(Attribute::State, status);
        self.paused = match self.rules.meaning_of(status.as_deref()) {
            StatusMeaning::Paused => self.kind == ClockKind::Resolution,
            StatusMeaning::PausedThroughout => true,
            StatusMeaning::Open | StatusMeaning::ListedOpen | StatusMeaning::Closed => false,
        };
        self.has_paused |= self.paused;
        vec![became, Fact::Paused(self.paused)]
    }

    /// The status that a ticket was first seen with held from its opening only if that was just before.
    fn first_seen(&mut self, change: &Change, after: usize) {
        let seen = change.at.latest;
        let created = self.watched.ticket.created_at.unwrap_or(seen);
        if self.rules.meaning_of(change.to.as_deref()) == StatusMeaning::Closed {
            return self.closed_when_first_seen(after);
        }
        if self.kind == ClockKind::FirstResponse
            && let Some(at) = self.answered_when_first_seen()
        {
            return self.stop(at, after);
        }
        let facts = self.status(&change.to);
        self.tell(if seen - created <= SOON { created } else { seen }, after, What::Changed(facts.into()));
    }

    fn closed_when_first_seen(&mut self, after: usize) {
        let ticket = &self.watched.ticket;
        let ended = |kind: ChangeKind| self.changes.iter().find(|change| change.kind == kind);
        let at = match self.kind {
            ClockKind::FirstResponse | ClockKind::NextResponse => self.answered_when_first_seen(),
            ClockKind::Resolution => match ended(ChangeKind::Reopened).or(ended(ChangeKind::Resolved)) {
                Some(change) => moment(change.from.as_ref()),
                None => ticket.resolution.met_at,
            },
        };
        let last_touched = || ticket.updated_at.unwrap_or(self.watched.first_seen_at);
        self.stop(at.unwrap_or_else(last_touched), after);
    }

    fn answered_when_first_seen(&self) -> Option<DateTime<Utc>> {
        match self.changes.iter().find(|change| change.kind == ChangeKind::FirstResponse) {
            Some(change) => moment(change.from.as_ref()),
            None => self.watched.ticket.first_response.met_at,
        }
    }

    fn ended(&mut self, at: DateTime<Utc>, after: usize) {
        if !self.stopped {
            self.stop(at, after);
        }
    }

    /// Lets the clock run on; to a forecaster that is another clock, which has run since the ticket was opened.
    fn reopen(&mut self, at: DateTime<Utc>, after: usize) {
        self.reopened += 1;
        self.by_hand = None;
        if self.stopped {
            (self.stopped, self.ended_by_hand) = (false, false);
            self.key = format!("{}{AGAIN}{}", self.watched.ticket.id, self.reopened).into();
            self.open(at, after);
        }
    }

    /// A due time moves because the clock was paused, which is counted already, or because something else was promised.
    fn due_moved(&mut self, change: &Change, after: usize) {
        let Some(due) = moment(change.to.as_ref()) else { return };
        self.promised = due;
        let promised_anew = self.changes.iter().any(|other| {
            let retargets = matches!(other.kind, ChangeKind::Priority | ChangeKind::Sla | ChangeKind::Client);
            retargets && change.at.earliest <= other.at.latest && other.at.latest <= change.at.latest
        });
        if (promised_anew || !self.has_paused) && self.by_hand.is_none() {
            self.open_anew(change.at.latest, after);
        }
    }

    /// A person overrode the clock, or took that back: the alerts follow the override, and so does the forecast.
    fn decided(&mut self, change: &Change, after: usize) {
        let words = change.to.as_ref().or(change.from.as_ref());
        let told = words.and_then(|words| manual_override::told(words)).filter(|(clock, _)| *clock == self.kind);
        let Some((_, action)) = told else { return };
        if std::mem::take(&mut self.ended_by_hand) {
            self.stopped = false;
        }
        self.by_hand = None;
        let at = change.at.latest;
        match change.to.as_ref().map(|_| action) {
            _ if self.stopped => {}
            Some(OverrideAction::StoppedAt(stopped)) => {
                self.stop(stopped, after);
                self.ended_by_hand = true;
            }
            Some(OverrideAction::Cancelled) => {
                self.tell(at, after, What::Withdrawn);
                (self.stopped, self.ended_by_hand) = (true, true);
            }
            Some(OverrideAction::Due(due)) => {
                self.by_hand = Some(due);
                self.open_anew(at, after);
            }
            None => self.open_anew(at, after),
        }
    }
}

#[cfg(test)]
mod tests;
