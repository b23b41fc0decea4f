//! What we learned by watching a ticket: SuperOps keeps no history, so each
//! snapshot is compared with the last.
//!
//! A change seen between two reads happened at some moment between them; both
//! ends are kept, so that a figure built on it can say how sure it is.

#[cfg(test)]
mod tests;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::conversation::ConversationSummary;
use super::manual_override::{ManualOverride, OverrideAction};
use super::{ClockKind, Named, StatusMeaning, StatusWords, Ticket};

/// A resolution that is noted this soon before a change of status belongs to it.
const SAME_MOMENT: TimeDelta = TimeDelta::minutes(1);

/// So many changes of its status are kept with a ticket: nobody works on one that had more.
const LONGEST_PAST: usize = 500;

/// A moment known only to lie between two others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Bounds {
    pub earliest: DateTime<Utc>,
    pub latest: DateTime<Utc>,
}

/// A ticket with what watching it has taught us.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watched {
    pub ticket: Ticket,
    pub first_seen_at: DateTime<Utc>,
    /// When SuperOps was last asked about it.
    pub read_at: DateTime<Utc>,
    /// Rises when the ticket is reopened; from 0.
    pub cycle: u32,
    /// When it entered its present status; none if it already had it when first seen.
    pub status_since: Option<Bounds>,
    /// What became of its status since it was first seen, oldest first: all that its clocks need of its events.
    pub past: Vec<Change>,
    /// The first reply of a technician, from the conversations: looked for only
    /// while SuperOps itself reports no first response.
    pub replied_at: Option<DateTime<Utc>>,
    /// When it was found to be gone (deleted, merged, or no longer ours to see).
    pub vanished_at: Option<DateTime<Utc>>,
    /// What its conversations told, where they were read.
    pub conversation: ConversationSummary,
    /// What people decided about its clocks, at most one of each.
    pub overrides: Vec<ManualOverride>,
}

impl Watched {
    /// A ticket that was never read before.
    pub fn new(ticket: Ticket, read: Bounds) -> Self {
        Self {
            ticket,
            first_seen_at: read.latest,
            read_at: read.earliest,
            cycle: 0,
            status_since: None,
            past: Vec::new(),
            replied_at: None,
            vanished_at: None,
            conversation: ConversationSummary::default(),
            overrides: Vec::new(),
        }
    }

    /// When `clock` began; none: not known, or nothing to answer.
    pub fn start(&self, clock: ClockKind) -> Option<DateTime<Utc>> {
        match clock {
            ClockKind::FirstResponse | ClockKind::Resolution => self.ticket.created_at,
            ClockKind::NextResponse => self.conversation.asked_at,
        }
    }

    /// What a person decided about `clock` as it runs now.
    ///
    /// A decision about the answer to one message does not speak of the next one.
    pub fn decided(&self, clock: ClockKind) -> Option<&ManualOverride> {
        let of_this = |one: &&ManualOverride| one.clock == clock && one.cycle == self.cycle;
        let found = self.overrides.iter().find(of_this)?;
        let newer =
            clock == ClockKind::NextResponse && self.conversation.asked_at.is_some_and(|asked| asked > found.at);
        (!newer).then_some(found)
    }

    /// What was ruled about `clock`.
    pub fn overridden(&self, clock: ClockKind) -> Option<OverrideAction> {
        self.decided(clock).map(|decided| decided.action)
    }

    /// Whether its clocks may still run: its status is not a closed one and it has not vanished.
    pub fn is_open(&self, words: &StatusWords) -> bool {
        self.vanished_at.is_none() && !is_closed(&self.ticket, words)
    }
}

/// What two snapshots of a ticket can differ in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ChangeKind {
    FirstSeen,
    Status,
    Assignee,
    Group,
    Priority,
    Sla,
    Client,
    DueMoved(ClockKind),
    FirstResponse,
    Resolved,
    Reopened,
    Vanished,
    /// It had vanished, and is back.
    Returned,
    /// Its clocks moved to another version of what was promised.
    PolicyVersion,
    /// Another policy holds for it, or is a runner-up.
    PolicyChoice,
    /// A person decided about a clock, or took that back.
    ByHand,
}

impl ChangeKind {
    const ALL: [Self; 18] = [
        Self::FirstSeen,
        Self::Status,
        Self::Assignee,
        Self::Group,
        Self::Priority,
        Self::Sla,
        Self::Client,
        Self::DueMoved(ClockKind::FirstResponse),
        Self::DueMoved(ClockKind::Resolution),
        Self::DueMoved(ClockKind::NextResponse),
        Self::FirstResponse,
        Self::Resolved,
        Self::Reopened,
        Self::Vanished,
        Self::Returned,
        Self::PolicyVersion,
        Self::PolicyChoice,
        Self::ByHand,
    ];

    /// The name used in the store and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::FirstSeen => "first_seen",
            Self::Status => "status",
            Self::Assignee => "assignee",
            Self::Group => "group",
            Self::Priority => "priority",
            Self::Sla => "sla",
            Self::Client => "client",
            Self::DueMoved(ClockKind::FirstResponse) => "first_response_due_moved",
            Self::DueMoved(ClockKind::Resolution) => "resolution_due_moved",
            Self::DueMoved(ClockKind::NextResponse) => "next_response_due_moved",
            Self::FirstResponse => "first_response",
            Self::Resolved => "resolved",
            Self::Reopened => "reopened",
            Self::Vanished => "vanished",
            Self::Returned => "returned",
            Self::PolicyVersion => "policy_version",
            Self::PolicyChoice => "policy_choice",
            Self::ByHand => "by_hand",
        }
    }

    /// The kind of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// One thing that changed, and when at the earliest and the latest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    pub kind: ChangeKind,
    pub from: Option<String>,
    pub to: Option<String>,
    pub at: Bounds,
}

/// Compares `ticket`, read between the two ends of `read`, with what we knew.
///
/// The changes come in the order a person would tell them. A ticket closed and
/// reopened between two reads shows neither: nobody can know.
pub fn observe(before: Option<&Watched>, ticket: Ticket, words: &StatusWords, read: Bounds) -> (Watched, Vec<Change>) {
    let Some(before) = before else { return first_seen(ticket, read) };
    let changes = Difference::new(before, &ticket, read).list(words);
    let status = changes.iter().find(|change| change.kind == ChangeKind::Status);
    let reopened = changes.iter().any(|change| change.kind == ChangeKind::Reopened);
    let watched = Watched {
        first_seen_at: before.first_seen_at,
        read_at: read.earliest,
        cycle: before.cycle + u32::from(reopened),
        status_since: status.map(|change| change.at).or(before.status_since),
        past: past(before.past.iter().chain(&changes)),
        replied_at: before.replied_at,
        vanished_at: None,
        conversation: before.conversation.clone(),
        overrides: before.overrides.clone(),
        ticket,
    };
    (watched, changes)
}

/// What is known of a ticket that SuperOps no longer shows.
pub fn vanish(before: &Watched, read: Bounds) -> (Watched, Change) {
    let at = between(before, read);
    let watched = Watched { vanished_at: Some(read.latest), ..before.clone() };
    (watched, Change { kind: ChangeKind::Vanished, from: before.ticket.status.clone(), to: None, at })
}

fn first_seen(ticket: Ticket, read: Bounds) -> (Watched, Vec<Change>) {
    let created = ticket.created_at.filter(|created| *created <= read.latest);
    let at = Bounds { earliest: created.unwrap_or(read.earliest), latest: read.latest };
    let change = Change { kind: ChangeKind::FirstSeen, from: None, to: ticket.status.clone(), at };
    (Watched::new(ticket, read), vec![change])
}

/// What a ticket's clocks need of its `changes`: how its status went, and when it was resolved and reopened.
///
/// Of a ticket that changes without end the latest are kept.
pub fn past<'a>(changes: impl IntoIterator<Item = &'a Change>) -> Vec<Change> {
    let counts = |kind: ChangeKind| matches!(kind, ChangeKind::Status | ChangeKind::Resolved | ChangeKind::Reopened);
    let mut past: Vec<Change> = changes.into_iter().filter(|change| counts(change.kind)).cloned().collect();
    past.drain(..past.len().saturating_sub(LONGEST_PAST));
    past
}

fn between(before: &Watched, read: Bounds) -> Bounds {
    // A clock that was set back must not turn the bounds round.
    Bounds { earliest: before.read_at.min(read.latest), latest: read.latest }
}

fn is_closed(ticket: &Ticket, words: &StatusWords) -> bool {
    words.meaning(ticket.status.as_deref()) == StatusMeaning::Closed
}

/// Whether a resolution at `resolved` is the end of the status that came at `since`. SuperOps may keep its time after
/// the ticket was reopened; then the status came later.
pub fn ends(resolved: DateTime<Utc>, since: DateTime<Utc>) -> bool {
    since - resolved <= SAME_MOMENT
}

/// Whether it was resolved in its present status, as one that nobody listed as closed may tell.
fn is_resolved(ticket: &Ticket, status_since: Option<Bounds>) -> bool {
    ticket.resolution.met_at.is_some_and(|at| status_since.is_none_or(|since| ends(at, since.latest)))
}

struct Difference<'a> {
    before: &'a Watched,
    old: &'a Ticket,
    new: &'a Ticket,
    read: Bounds,
    changes: Vec<Change>,
}

impl<'a> Difference<'a> {
    fn new(before: &'a Watched, new: &'a Ticket, read: Bounds) -> Self {
        Self { before, old: &before.ticket, new, read, changes: Vec::new() }
    }

    fn list(mut self, words: &StatusWords) -> Vec<Change> {
        let (old, new) = (self.old, self.new);
        if self.before.vanished_at.is_some() {
            self.push(ChangeKind::Returned, None, new.status.clone(), self.edited());
        }
        self.text(ChangeKind::Status, old.status.as_ref(), new.status.as_ref());
        self.named(ChangeKind::Assignee, old.technician.as_ref(), new.technician.as_ref());
        self.named(ChangeKind::Group, old.group.as_ref(), new.group.as_ref());
        self.text(ChangeKind::Priority, old.priority.as_ref(), new.priority.as_ref());
        self.named(ChangeKind::Sla, old.sla.as_ref(), new.sla.as_ref());
        self.named(ChangeKind::Client, old.client.as_ref(), new.client.as_ref());
        for clock in ClockKind::ALL {
            let (was, became) = (old.reported(clock).due, new.reported(clock).due);
            // Time alone may move a due date, without touching the time of update.
            self.time(ChangeKind::DueMoved(clock), was, became, self.any_time());
        }
        self.time(ChangeKind::FirstResponse, old.first_response.met_at, new.first_response.met_at, self.edited());
        let status = self.changes.iter().find(|change| change.kind == ChangeKind::Status).map(|change| change.at);
        let before = self.before.status_since;
        let (was_closed, is_closed) = (is_closed(old, words), is_closed(new, words));
        // Whoever leaves a closed status reopens the ticket, however soon after its resolution.
        let is_over = is_closed || (!was_closed && is_resolved(new, status.or(before)));
        self.ending(was_closed || is_resolved(old, before), is_over);
        self.changes
    }

    /// Resolved or reopened: by its status, or by the time SuperOps gives.
    fn ending(&mut self, was_over: bool, is_over: bool) {
        let (was, became) = (self.old.resolution.met_at, self.new.resolution.met_at);
        let cleared = was.is_some() && became.is_none();
        if !is_over && (was_over || cleared) {
            self.push(ChangeKind::Reopened, was.map(text_of), self.new.status.clone(), self.edited());
        } else if (!was_over && is_over) || (became.is_some() && was != became) {
            self.push(ChangeKind::Resolved, was.map(text_of), became.map(text_of), self.edited());
        }
    }

    fn text(&mut self, kind: ChangeKind, was: Option<&String>, became: Option<&String>) {
        if was != became {
            self.push(kind, was.cloned(), became.cloned(), self.edited());
        }
    }

    /// A person or client that was only renamed is still the same.
    fn named(&mut self, kind: ChangeKind, was: Option<&Named>, became: Option<&Named>) {
        if was.map(|named| &named.id) != became.map(|named| &named.id) {
            let name = |named: Option<&Named>| named.map(|named| named.name.clone());
            self.push(kind, name(was), name(became), self.edited());
        }
    }

    fn time(&mut self, kind: ChangeKind, was: Option<DateTime<Utc>>, became: Option<DateTime<Utc>>, at: Bounds) {
        if was != became {
            self.push(kind, was.map(text_of), became.map(text_of), at);
        }
    }

    fn push(&mut self, kind: ChangeKind, from: Option<String>, to: Option<String>, at: Bounds) {
        self.changes.push(Change { kind, from, to, at });
    }

    fn any_time(&self) -> Bounds {
        between(self.before, self.read)
    }

    /// A person's edit moves the time of update, so it was not made later than
    /// that; it may have been earlier, if something else was edited since.
    fn edited(&self) -> Bounds {
        let bounds = self.any_time();
        let updated = self.new.updated_at.filter(|at| bounds.earliest <= *at && *at <= bounds.latest);
        Bounds { latest: updated.unwrap_or(bounds.latest), ..bounds }
    }
}

fn text_of(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}
