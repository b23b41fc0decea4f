//! Restores a ticket as it was by undoing the changes seen, the last first.
//!
//! Fields whose changes are not recorded, such as the subject, are shown as they are now. SuperOps' own flag that a
//! target was missed is left out: it says nothing about earlier moments.

use chrono::{DateTime, Utc};

use super::watch::{Bounds, Change, ChangeKind, Watched, past};
use super::{ClockKind, Directory, Named, RefId, Ticket};

/// The state of a ticket from one moment on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Was {
    /// As SuperOps showed it.
    Shown(Box<Ticket>),
    /// SuperOps did not show it any more.
    Gone,
}

/// Returns the states of `watched` in order, from when it was first seen.
pub fn rewind(watched: &Watched, changes: &[Change], people: &Directory) -> Vec<(DateTime<Utc>, Was)> {
    let mut ticket = Ticket { flaws: Vec::new(), ..watched.ticket.clone() };
    (ticket.first_response.breached, ticket.resolution.breached) = (None, None);
    let mut story = Vec::new();
    for together in changes.chunk_by(|a, b| a.at.latest == b.at.latest).rev() {
        let Some(at) = together.first().map(|change| change.at.latest) else { continue };
        let gone = together.iter().any(|change| change.kind == ChangeKind::Vanished);
        ticket.updated_at = Some(at);
        story.push((at, if gone { Was::Gone } else { Was::Shown(Box::new(ticket.clone())) }));
        together.iter().rev().for_each(|change| take_back(&mut ticket, change, people));
    }
    story.reverse();
    story
}

/// Returns `watched` as it was known at `at`; none if it was not known yet, or not shown any more.
pub fn as_of(watched: &Watched, changes: &[Change], people: &Directory, at: DateTime<Utc>) -> Option<Watched> {
    let (_, was) = rewind(watched, changes, people).into_iter().rfind(|(from, _)| *from <= at)?;
    let Was::Shown(ticket) = was else { return None };
    let known: Vec<_> = changes.iter().filter(|change| change.at.latest <= at).collect();
    let count = |kind| known.iter().filter(|change| change.kind == kind).count();
    let status = known.iter().rfind(|change| change.kind == ChangeKind::Status);
    Some(Watched {
        untouched: watched.untouched,
        read_at: at,
        cycle: u32::try_from(count(ChangeKind::Reopened)).unwrap_or(u32::MAX),
        status_since: status.map(|change| change.at),
        past: past(known.iter().copied()),
        replied_at: watched.replied_at.filter(|replied| *replied <= at),
        vanished_at: None,
        conversation: Default::default(),
        overrides: Vec::new(),
        ..Watched::new(*ticket, Bounds { earliest: watched.first_seen_at, latest: watched.first_seen_at })
    })
}

fn take_back(ticket: &mut Ticket, change: &Change, people: &Directory) {
    let was = change.from.clone();
    let moment = || change.from.as_deref().and_then(|text| text.parse().ok());
    match change.kind {
        ChangeKind::Status => ticket.status = was,
        ChangeKind::Priority => ticket.priority = was,
        ChangeKind::Assignee => {
            let known = people.technicians.values().map(|one| (&one.id, &one.name));
            ticket.technician = was.and_then(|name| named(&name, known));
        }
        ChangeKind::Group => ticket.group = was.and_then(|name| named(&name, pairs(people.groups.values()))),
        ChangeKind::Sla => ticket.sla = was.and_then(|name| named(&name, pairs(people.slas.values()))),
        ChangeKind::Client => {
            let known = people.clients.values().map(|one| (&one.id, &one.name));
            ticket.client = was.and_then(|name| named(&name, known));
        }
        ChangeKind::DueMoved(ClockKind::FirstResponse) => ticket.first_response.due = moment(),
        ChangeKind::DueMoved(ClockKind::Resolution) => ticket.resolution.due = moment(),
        ChangeKind::FirstResponse => ticket.first_response.met_at = moment(),
        ChangeKind::Resolved | ChangeKind::Reopened => ticket.resolution.met_at = moment(),
        ChangeKind::DueMoved(ClockKind::NextResponse)
        | ChangeKind::FirstSeen
        | ChangeKind::Vanished
        | ChangeKind::Returned
        | ChangeKind::PolicyVersion
        | ChangeKind::PolicyChoice
        | ChangeKind::ByHand => {}
    }
}

fn pairs<'a>(named: impl Iterator<Item = &'a Named>) -> impl Iterator<Item = (&'a RefId, &'a String)> {
    named.map(|one| (&one.id, &one.name))
}

/// Finds the id for a name, since changes record names only. If the name is no longer known, it serves as the id.
fn named<'a>(name: &str, mut known: impl Iterator<Item = (&'a RefId, &'a String)>) -> Option<Named> {
    let id = known.find(|(_, known)| *known == name).map(|(id, _)| id.clone());
    Some(Named { id: id.or_else(|| RefId::parse(name).ok())?, name: name.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ticket::StatusWords;
    use crate::ticket::observe::observe;
    use crate::ticket::tests::sample;

    fn at(minute: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + minute * 60, 0).unwrap()
    }

    #[test]
    fn what_was_watched_is_told_again_as_it_was() {
        let words = StatusWords::default();
        let first = Ticket { status: Some("Open".into()), priority: Some("Low".into()), ..sample("7") };
        let mut second = Ticket { status: Some("On Hold".into()), priority: Some("High".into()), ..first.clone() };
        second.resolution.due = Some(at(90));
        let mut third = Ticket { status: Some("Resolved".into()), ..second.clone() };
        third.resolution.met_at = Some(at(60));
        let (mut watched, mut changes) = (None, Vec::new());
        for (minute, seen) in [(0, &first), (30, &second), (60, &third)] {
            let read = Bounds { earliest: at(minute), latest: at(minute) };
            let (now, seen) = observe(watched.as_ref(), seen.clone(), &words, read);
            changes.extend(seen);
            watched = Some(now);
        }
        let watched = watched.unwrap();
        let people = Directory::default();
        let story = rewind(&watched, &changes, &people);
        let shown = |place: usize| match &story[place].1 {
            Was::Shown(ticket) => {
                (story[place].0, ticket.status.clone(), ticket.priority.clone(), ticket.resolution.clone())
            }
            Was::Gone => panic!("it was there"),
        };
        let of = |ticket: &Ticket, minute| {
            (at(minute), ticket.status.clone(), ticket.priority.clone(), ticket.resolution.clone())
        };
        assert_eq!([shown(0), shown(1), shown(2)], [of(&first, 0), of(&second, 30), of(&third, 60)]);
        let then = as_of(&watched, &changes, &people, at(45)).unwrap();
        assert_eq!((then.ticket.status.as_deref(), then.past.len()), (Some("On Hold"), 1));
        assert_eq!(as_of(&watched, &changes, &people, at(-1)), None, "nobody had seen it");
    }
}
