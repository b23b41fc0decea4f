//! What a forecaster is told of one clock of a ticket, from what watching the ticket has shown.
//!
//! SuperOps keeps no history. Of a ticket that was watched from its first
//! minutes we know what changed and when. Of one that was read later only its
//! opening, its present attributes and its end are known: those attributes are
//! taken to have been so from the beginning, its early pauses and moves are
//! missing, and nothing is made up in their place.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use crate::sla::calendar::{Calendar, CalendarSpec};
use crate::sla::clock::assess;
use crate::sla::desk::Desk;
use crate::sla::forecast::{Attribute, Terms};
use crate::ticket::watch::{Change, ChangeKind, Watched};
use crate::ticket::{ClockKind, Named, StatusMeaning, Ticket};

/// A ticket first read this soon after its opening was watched from the start.
const SOON: TimeDelta = TimeDelta::minutes(15);
/// Stands between a ticket's id and the number of times its clock was started again. No id has a line break.
const AGAIN: char = '\n';

/// One thing that happens to a clock.
#[derive(Clone, Debug)]
pub struct Happening {
    pub at: DateTime<Utc>,
    pub clock: ClockKind,
    /// Names the clock: its ticket, and the cycle if it was started again.
    pub key: Arc<str>,
    /// How many of the ticket's changes must be known to know this.
    pub after: usize,
    pub what: What,
}

/// What happens.
#[derive(Clone, Debug)]
pub enum What {
    Opened(Terms, Option<String>),
    Changed(Vec<Fact>),
    Stopped,
    /// It is no promise any more: nothing is to be learned from it.
    Withdrawn,
}

/// What changed on a ticket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    Became(Attribute, Option<String>),
    Reassigned(u32),
    Reopened(u32),
    Paused(bool),
}

/// The ticket that a clock's key names.
pub fn ticket_of(key: &str) -> &str {
    key.split(AGAIN).next().unwrap_or(key)
}

/// Calendars as forecasters share them.
#[derive(Debug, Default)]
pub struct Calendars(HashMap<CalendarSpec, Option<Arc<Calendar>>>);

impl Calendars {
    fn share(&mut self, calendar: &Calendar) -> Option<Arc<Calendar>> {
        if let Some(held) = self.0.get(calendar.spec()) {
            return held.clone();
        }
        let shared = Calendar::compile(calendar.spec().clone()).ok().map(Arc::new);
        self.0.insert(calendar.spec().clone(), shared.clone());
        shared
    }
}

/// The story of clock `kind` of a ticket: nothing, if it was never promised anything.
pub fn story(
    watched: &Watched,
    changes: &[Change],
    kind: ClockKind,
    desk: &Desk,
    calendars: &mut Calendars,
) -> Vec<Happening> {
    let Some(created) = watched.ticket.created_at else { return Vec::new() };
    let now = watched.read_at.max(watched.first_seen_at);
    let clock = assess(watched, kind, desk, now);
    let promised = first_due(changes, kind).or(watched.ticket.reported(kind).due).or(clock.due);
    let Some(due) = promised else { return Vec::new() };
    let mut teller = Teller {
        watched,
        changes,
        kind,
        desk,
        calendars,
        opened: opening(&watched.ticket, changes),
        reassigned: 0,
        reopened: 0,
        due,
        stopped: false,
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

/// The due time that was promised first, if it was moved since.
fn first_due(changes: &[Change], kind: ClockKind) -> Option<DateTime<Utc>> {
    let moved = changes.iter().find(|change| change.kind == ChangeKind::DueMoved(kind))?;
    moment(moved.from.as_ref()).or(moment(moved.to.as_ref()))
}

fn moment(text: Option<&String>) -> Option<DateTime<Utc>> {
    text?.parse().ok()
}

/// How a ticket looked when it was opened, as far as its changes tell.
fn opening(ticket: &Ticket, changes: &[Change]) -> Vec<(Attribute, Option<String>)> {
    let name = |named: &Option<Named>| named.as_ref().map(|named| named.name.clone());
    let before = |kind: ChangeKind, present: Option<String>| {
        changes.iter().find(|change| change.kind == kind).map_or(present, |change| change.from.clone())
    };
    vec![
        (Attribute::Group, before(ChangeKind::Group, name(&ticket.group))),
        (Attribute::Technician, before(ChangeKind::Assignee, name(&ticket.technician))),
        (Attribute::Priority, before(ChangeKind::Priority, ticket.priority.clone())),
        (Attribute::Client, before(ChangeKind::Client, name(&ticket.client))),
        (Attribute::Category, ticket.category.clone()),
        (Attribute::Location, name(&ticket.site)),
        (Attribute::Channel, ticket.request_type.clone()),
        (Attribute::State, None),
    ]
}

struct Teller<'a> {
    watched: &'a Watched,
    changes: &'a [Change],
    kind: ClockKind,
    desk: &'a Desk,
    calendars: &'a mut Calendars,
    /// How the ticket looks by now.
    opened: Vec<(Attribute, Option<String>)>,
    reassigned: u32,
    reopened: u32,
    due: DateTime<Utc>,
    stopped: bool,
    told: Vec<Happening>,
}

impl Teller<'_> {
    fn tell(&mut self, at: DateTime<Utc>, after: usize, what: What) {
        let id = self.watched.ticket.id.as_str();
        let key = if self.reopened == 0 { id.into() } else { format!("{id}{AGAIN}{}", self.reopened).into() };
        self.told.push(Happening { at, clock: self.kind, key, after, what });
    }

    /// A clock starts at `at`, with what is left until it is due.
    fn open(&mut self, at: DateTime<Utc>, after: usize) {
        let (hours, _) = self.desk.hours(&self.watched.ticket, self.due);
        let allowed = hours.calendar.between(at, self.due);
        let Some(calendar) = self.calendars.share(hours.calendar).filter(|_| allowed > TimeDelta::zero()) else {
            return;
        };
        let priority = self.known(Attribute::Priority);
        self.tell(at, after, What::Opened(Terms { allowed, calendar }, priority));
        let looks = self.opened.iter().cloned().map(|(attribute, name)| Fact::Became(attribute, name));
        let counts = [Fact::Reassigned(self.reassigned), Fact::Reopened(self.reopened)];
        let facts = looks.chain(counts).collect();
        self.tell(at, after, What::Changed(facts));
    }

    fn stop(&mut self, at: DateTime<Utc>, after: usize) {
        let at = self.watched.ticket.created_at.map_or(at, |created| at.max(created));
        self.tell(at, after, What::Stopped);
        self.stopped = true;
    }

    fn known(&self, attribute: Attribute) -> Option<String> {
        self.opened.iter().find(|(known, _)| *known == attribute).and_then(|(_, name)| name.clone())
    }

    fn became(&mut self, attribute: Attribute, name: &Option<String>) -> Fact {
        if let Some((_, known)) = self.opened.iter_mut().find(|(known, _)| *known == attribute) {
            known.clone_from(name);
        }
        Fact::Became(attribute, name.clone())
    }

    fn change(&mut self, index: usize, change: &Change) {
        let (at, after) = (change.at.latest, index + 1);
        let facts = match change.kind {
            ChangeKind::FirstSeen => return self.first_seen(change, after),
            ChangeKind::Status => self.status(&change.to),
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
            ChangeKind::Vanished => return self.tell(at, after, What::Withdrawn),
            _ => return,
        };
        self.tell(at, after, What::Changed(facts));
    }

    fn status(&mut self, status: &Option<String>) -> Vec<Fact> {
        let mut facts = vec![self.became(Attribute::State, status)];
        if self.kind == ClockKind::Resolution {
            let paused = self.desk.meaning_of(status.as_deref()) == StatusMeaning::Paused;
            facts.push(Fact::Paused(paused));
        }
        facts
    }

    /// The status a ticket was first seen with held from its opening only if that was a moment before.
    fn first_seen(&mut self, change: &Change, after: usize) {
        let seen = change.at.latest;
        let created = self.watched.ticket.created_at.unwrap_or(seen);
        if self.desk.meaning_of(change.to.as_deref()) == StatusMeaning::Closed {
            return self.closed_when_first_seen(after);
        }
        if self.kind == ClockKind::FirstResponse
            && let Some(at) = self.answered_when_first_seen()
        {
            return self.stop(at, after);
        }
        let facts = self.status(&change.to);
        self.tell(if seen - created <= SOON { created } else { seen }, after, What::Changed(facts));
    }

    fn closed_when_first_seen(&mut self, after: usize) {
        let ticket = &self.watched.ticket;
        let ended = |kind: ChangeKind| self.changes.iter().find(|change| change.kind == kind);
        let at = match self.kind {
            ClockKind::FirstResponse => self.answered_when_first_seen(),
            ClockKind::Resolution => match ended(ChangeKind::Reopened).or(ended(ChangeKind::Resolved)) {
                Some(change) => moment(change.from.as_ref()),
                None => ticket.resolution.met_at,
            },
            // SuperOps reports no such clock, and nothing is foreseen of it.
            ClockKind::NextResponse => None,
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

    /// The clock runs on; to a forecaster that is another clock, with what is left of the promise.
    fn reopen(&mut self, at: DateTime<Utc>, after: usize) {
        self.reopened += 1;
        if self.stopped {
            self.stopped = false;
            self.open(at, after);
        }
    }

    /// A due time moves because the clock stood still, which is counted already; or because something else was promised.
    fn due_moved(&mut self, change: &Change, after: usize) {
        let Some(due) = moment(change.to.as_ref()) else { return };
        let promised_anew = self.changes.iter().any(|other| {
            let retargets = matches!(other.kind, ChangeKind::Priority | ChangeKind::Sla | ChangeKind::Client);
            retargets && change.at.earliest <= other.at.latest && other.at.latest <= change.at.latest
        });
        if promised_anew && !self.stopped {
            self.due = due;
            self.tell(change.at.latest, after, What::Withdrawn);
            if let Some(created) = self.watched.ticket.created_at {
                self.open(created, after);
            }
        }
    }
}
