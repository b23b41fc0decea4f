//! Finds what has changed: SuperOps keeps no history, so each snapshot of a ticket is compared with the last.

#[cfg(test)]
mod tests;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

use super::periods::{StatusPeriod, is_of_this_cycle, is_over_by, is_taken_up, is_untouched, periods};
use super::watch::{Bounds, Change, ChangeKind, Watched, past};
use super::{ClockKind, Named, StatusMeaning, StatusWords, Ticket};

/// Compares `ticket`, read within `read`, with what we knew.
///
/// The changes come in the order a person would list them. A ticket closed and
/// reopened between two reads shows neither: there is no way to know.
pub fn observe(before: Option<&Watched>, ticket: Ticket, words: &StatusWords, read: Bounds) -> (Watched, Vec<Change>) {
    let Some(before) = before else { return first_seen(ticket, read) };
    let changes = Difference::new(before, &ticket, read).list(words);
    let status = changes.iter().find(|change| change.kind == ChangeKind::Status);
    let reopened = changes.iter().any(|change| change.kind == ChangeKind::Reopened);
    let watched = Watched {
        first_seen_at: before.first_seen_at,
        untouched: before.untouched,
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

/// Records that SuperOps no longer shows a ticket.
pub fn vanish(before: &Watched, read: Bounds) -> (Watched, Change) {
    let at = between(before, read);
    let watched = Watched { vanished_at: Some(read.latest), ..before.clone() };
    (watched, Change { kind: ChangeKind::Vanished, from: before.ticket.status.clone(), to: None, at })
}

/// How long after a read an older state of the ticket counts as a copy that lags behind. After that it is believed: the
/// update may have been taken back on purpose.
const LAG: TimeDelta = TimeDelta::minutes(10);

/// Whether `ticket` is an earlier state of what we hold, from an index or a replica that lags behind. Taken as new, it
/// would undo what has happened since. A time of update ahead of our clock proves nothing.
pub fn is_outdated(before: &Watched, ticket: &Ticket, read: Bounds) -> bool {
    let Some((held, came)) = before.ticket.updated_at.zip(ticket.updated_at) else { return false };
    let is_recent = read.latest.signed_duration_since(before.read_at) < LAG;
    came < held && held <= read.latest && is_recent && before.vanished_at.is_none()
}

fn first_seen(ticket: Ticket, read: Bounds) -> (Watched, Vec<Change>) {
    let created = ticket.created_at.filter(|created| *created <= read.latest);
    let at = Bounds { earliest: created.unwrap_or(read.earliest), latest: read.latest };
    let change = Change { kind: ChangeKind::FirstSeen, from: None, to: ticket.status.clone(), at };
    let watched = Watched::new(ticket, read);
    (Watched { untouched: Some(is_untouched(&watched)), ..watched }, vec![change])
}

fn between(before: &Watched, read: Bounds) -> Bounds {
    // A system clock that was set back must not swap the bounds.
    Bounds { earliest: before.read_at.min(read.latest), latest: read.latest }
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
            // A due date may move by time alone, without a change of the time of update.
            self.time(ChangeKind::DueMoved(clock), was, became, self.any_time());
        }
        self.time(ChangeKind::FirstResponse, old.first_response.met_at, new.first_response.met_at, self.edited());
        if old.status != new.status || old.resolution.met_at != new.resolution.met_at {
            let before = periods(self.before, &|status| words.meaning(status));
            let was_over = before.last().is_some_and(|last| last.meaning == StatusMeaning::Closed);
            let meaning = words.meaning(new.status.as_deref());
            let is_over = meaning == StatusMeaning::Closed || self.is_over_by_its_time(&before, was_over, meaning);
            self.ending(was_over, is_over);
        }
        self.changes
    }

    /// Whether it is over although its status is not a closed one. A ticket that was over after the periods `before`
    /// stays over while its resolution stands, unless it went to a status in which it is taken up again, however soon
    /// after. One that was not is over by a resolution in its present status and cycle.
    fn is_over_by_its_time(&self, before: &[StatusPeriod<&str>], was_over: bool, meaning: StatusMeaning) -> bool {
        let Some(resolved) = self.new.resolution.met_at else { return false };
        let status = self.new.status.as_deref();
        let changed = self.changes.iter().find(|change| change.kind == ChangeKind::Status).map(|change| change.at);
        let entered = changed.or(self.before.status_since).map(|since| since.latest);
        let is_over = is_over_by(self.before, status, meaning, entered, resolved);
        let stands = self.old.resolution.met_at == Some(resolved);
        match (was_over, changed) {
            (true, Some(_)) => !is_taken_up(before, status, meaning) && (is_over || stands),
            (true, None) => true,
            (false, _) => is_over && is_of_this_cycle(before, resolved),
        }
    }

    /// Notes that it was resolved or reopened, by its status or by the time that SuperOps gives.
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

    /// Compares by id: a person or client that was only renamed is still the same.
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

    /// Returns the bounds of a person's edit. It sets the time of update, so it was not
    /// made later than that; it may be earlier if something else was edited since.
    fn edited(&self) -> Bounds {
        let bounds = self.any_time();
        match self.new.updated_at.filter(|updated| *updated <= bounds.latest) {
            Some(updated) if bounds.earliest <= updated => Bounds { latest: updated, ..bounds },
            Some(updated) if self.was_shown_late(updated, bounds) => Bounds { earliest: updated, latest: updated },
            _ => bounds,
        }
    }

    /// Whether an edit at `updated` was made before the last read, which came from a copy that lagged behind and did not
    /// show it yet. One that is older than what was seen last is no such edit.
    fn was_shown_late(&self, updated: DateTime<Utc>, bounds: Bounds) -> bool {
        let known = self.before.past.iter().map(|change| change.at.latest);
        let seen = known.chain(self.old.updated_at).chain([self.before.first_seen_at]).max();
        bounds.earliest - updated < LAG && seen.is_none_or(|seen| seen < updated)
    }
}

fn text_of(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}
