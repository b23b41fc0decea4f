//! What the tickets themselves show of how this account works: what closes, what pauses, what changes by itself.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::super::{SuperOps, Urgency};
use super::Finding;
use crate::ticket::{ClockKind, StatusMeaning, StatusWords, Ticket};

/// How many tickets have their conversations and notes read.
const READ: usize = 3;
/// How far apart an update and what caused it may be recorded.
const SAME_MOMENT: TimeDelta = TimeDelta::seconds(5);

/// Returns findings from the newest tickets.
pub(super) fn habits(tickets: &[Ticket], words: &StatusWords, now: DateTime<Utc>) -> Vec<Finding> {
    let meaning = |ticket: &Ticket| words.meaning(ticket.status.as_deref());
    let of = |wanted: fn(StatusMeaning) -> bool| tickets.iter().filter(move |ticket| wanted(meaning(ticket)));
    let open: Vec<_> = of(|meaning| matches!(meaning, StatusMeaning::Open | StatusMeaning::ListedOpen)).collect();
    let paused: Vec<_> = of(StatusMeaning::is_paused).collect();
    let closed: Vec<_> = of(|meaning| meaning == StatusMeaning::Closed).collect();
    vec![closing(&open, &closed), pausing(&paused, now), flags(&open, now)]
}

fn resolved(tickets: &[&Ticket]) -> usize {
    tickets.iter().filter(|ticket| ticket.resolution.met_at.is_some()).count()
}

/// An open ticket with a time of resolution either kept it when it was reopened, or has a status that means closed and
/// is not configured so.
fn closing(open: &[&Ticket], closed: &[&Ticket]) -> Finding {
    let fact = format!("{} of {} closed and {} of {} open", resolved(closed), closed.len(), resolved(open), open.len());
    let mut suspects: BTreeMap<&str, usize> = BTreeMap::new();
    for ticket in open.iter().filter(|ticket| ticket.resolution.met_at.is_some()) {
        *suspects.entry(ticket.status.as_deref().unwrap_or("(none)")).or_default() += 1;
    }
    let name = "have_a_time_of_resolution";
    if suspects.is_empty() {
        return Finding::ok(format!("of the newest tickets, {fact} have a time of resolution")).told_as(name, fact);
    }
    let statuses: Vec<_> = suspects.iter().map(|(status, count)| format!("{status} ({count})")).collect();
    let what = format!("open tickets have a time of resolution in the statuses {}", statuses.join(", "));
    let consequence = "if such a status closes a ticket, name it under `statuses.closed`";
    Finding::degraded(what, consequence).told_as(name, fact)
}

/// Shows what happens to the due times of paused tickets.
fn pausing(paused: &[&Ticket], now: DateTime<Utc>) -> Finding {
    let with_due: Vec<_> = paused.iter().filter(|ticket| ticket.resolution.due.is_some()).collect();
    let past: Vec<_> = with_due.iter().filter(|ticket| ticket.resolution.due.is_some_and(|due| due < now)).collect();
    let flagged = past.iter().filter(|ticket| ticket.resolution.breached == Some(true)).count();
    let fact = format!(
        "{} paused, {} with a due time, {} of these past, {flagged} of these flagged",
        paused.len(),
        with_due.len(),
        past.len()
    );
    Finding::new(
        super::Verdict::Ok,
        format!("of the newest tickets: {fact}"),
        "a due time that is past and not flagged means that SuperOps' clock stands still",
    )
    .told_as("pausing", fact)
}

/// Whether the breach flag turns when a due time passes, and whether that counts as an update.
fn flags(open: &[&Ticket], now: DateTime<Utc>) -> Finding {
    let mut counts = [0; 3];
    for ticket in open {
        for clock in ClockKind::REPORTED {
            let reported = ticket.reported(clock);
            let Some(due) = reported.due.filter(|due| *due < now && reported.met_at.is_none()) else { continue };
            counts[0] += 1;
            if reported.breached == Some(true) {
                counts[1] += 1;
                counts[2] += usize::from(ticket.updated_at.is_some_and(|updated| updated < due));
            }
        }
    }
    let [past, flagged, untouched] = counts;
    let fact = format!("{past} past their due time and unmet, {flagged} flagged, {untouched} without an update since");
    Finding::new(
        super::Verdict::Ok,
        format!("of the clocks of the newest open tickets: {fact}"),
        "flags that turn without an update are seen by the sweep",
    )
    .told_as("flags", fact)
}

/// Whether replies and notes change the time of update.
pub(super) async fn touches(client: &SuperOps, tickets: &[Ticket]) -> Vec<Finding> {
    let (mut replies, mut notes) = ([0; 2], [0; 2]);
    for ticket in tickets.iter().filter(|ticket| ticket.updated_at.is_some()).take(READ) {
        let updated = ticket.updated_at.unwrap_or_default();
        let moved = |at: DateTime<Utc>| usize::from(at <= updated + SAME_MOMENT);
        if let Ok(entries) = client.conversations(&ticket.id, Urgency::Urgent).await
            && let Some(at) = entries.iter().map(|entry| entry.at).max()
        {
            replies = [replies[0] + 1, replies[1] + moved(at)];
        }
        if let Ok(found) = client.notes(&ticket.id, Urgency::Urgent).await
            && let Some(at) = found.iter().filter_map(|note| note.added_at).max()
        {
            notes = [notes[0] + 1, notes[1] + moved(at)];
        }
    }
    let finding = |what: &str, name: &'static str, [tried, moved]: [usize; 2]| {
        let fact = format!("{moved} of {tried}");
        Finding::ok(format!("the time of update is not older than the last {what} on {fact} tickets"))
            .told_as(name, fact)
    };
    vec![finding("message", "updated_with_message", replies), finding("note", "updated_with_note", notes)]
}
