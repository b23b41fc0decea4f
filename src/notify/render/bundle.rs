//! Many notifications in one message: how many of what, when the first is due, and which is the worst.

use chrono::{DateTime, Utc};

use super::letter::{Letter, Row, mark, outcome, same, service_over};
use super::{Told, Urgency, local, sane, shown};
use crate::notify::{BundleFacts, BundleRow, Message, TicketFacts, counted};
use crate::sla::zone::Tz;

/// The mail that lists them.
pub(super) fn letter(facts: &BundleFacts, message: &Message, now: DateTime<Utc>) -> Letter {
    let sum = sum(facts, now, message.timezone);
    let headline = match one_client(facts) {
        Some(client) => format!("{client}: {sum}"),
        None if facts.clients > 1 => format!("{} clients: {sum}", facts.clients),
        None => sum,
    };
    let urgency = facts.rows.first().map_or(Urgency::Plain, |row| urgency(row, now));
    let (occasion, why) = if facts.after_quiet_hours {
        ("After quiet hours: ", "All of this was held during the quiet hours, so it is one message, the worst first.")
    } else {
        ("", "All of this came up at about the same time, so it is one message, the worst first.")
    };
    let mark = mark(same(facts.rows.iter().map(|row| ticket(row).tenant.as_deref())));
    let mut letter = Letter::new(format!("{mark} {occasion}{headline}"), headline, urgency);
    letter.rows = facts.rows.iter().map(|row| line_of(row, message, now)).collect();
    if facts.more > 0 {
        letter.closing.push(format!("And {} more.", facts.more));
    }
    letter.closing.push(why.to_owned());
    letter
}

/// `12 breached, 2 at risk, first due 17:00 London`.
pub(super) fn sum(facts: &BundleFacts, now: DateTime<Utc>, zone: Tz) -> String {
    let number = u32::try_from(facts.rows.len()).unwrap_or(u32::MAX).saturating_add(facts.more);
    let ahead = number.saturating_sub(facts.breached).saturating_sub(facts.recovered);
    if facts.more == 0 && !facts.rows.is_empty() && facts.rows.iter().all(|row| ticket(row).service.is_some()) {
        return counts([(facts.breached, "failing", ""), (ahead, "at risk", ""), (facts.recovered, "OK again", "")]);
    }
    // What waited in a queue until its time had run out says so.
    let is_past = facts.last_due.is_none_or(|due| sane(due) <= sane(now));
    let first = facts.first_due.or(facts.last_due).filter(|_| !is_past);
    let first = first.map(|due| format!(", first due {}", local(due, now, zone))).unwrap_or_default();
    let risk = if is_past { "past due" } else { "at risk" };
    let said = counts([(facts.breached, "breached", ""), (ahead, risk, &first), (facts.recovered, "done", "")]);
    // A ticket has more than one clock; where that shows, the tickets are counted as well.
    let has_services = facts.rows.iter().any(|row| ticket(row).service.is_some());
    if facts.tickets == number || facts.tickets == 0 || has_services {
        return said;
    }
    format!("{said} ({})", counted(facts.tickets as usize, "ticket"))
}

/// Those of which there are any.
fn counts(parts: [(u32, &str, &str); 3]) -> String {
    let said = parts.into_iter().filter(|(count, ..)| *count > 0);
    said.map(|(count, what, when)| format!("{count} {what}{when}")).collect::<Vec<_>>().join(", ")
}

/// The client that all of it is about, if it is one.
pub(super) fn one_client(facts: &BundleFacts) -> Option<String> {
    shown(facts.client.as_deref(), 80).filter(|_| facts.clients == 1)
}

/// `062822-0005 resolution was due 14:30 London`.
pub(super) fn worst(facts: &BundleFacts, now: DateTime<Utc>, zone: Tz) -> Option<String> {
    let row = facts.rows.first()?;
    let words = match row {
        BundleRow::Alert { .. } => standing(row, now, zone)?,
        BundleRow::Recovery(facts) if facts.ticket.service.is_some() => return Some(service_over(facts, now, zone)),
        BundleRow::Recovery(facts) => outcome(facts).1,
    };
    Some(format!("{} {words}", id(row)))
}

/// The id that people know the ticket by.
pub(super) fn id(row: &BundleRow) -> String {
    ticket(row).shown_id()
}

pub(super) fn ticket(row: &BundleRow) -> &TicketFacts {
    match row {
        BundleRow::Alert { ticket, .. } => ticket,
        BundleRow::Recovery(facts) => &facts.ticket,
    }
}

fn urgency(row: &BundleRow, now: DateTime<Utc>) -> Urgency {
    match row {
        BundleRow::Alert { ticket, stage, .. } if ticket.service.is_some() => Urgency::of_service(*stage),
        BundleRow::Alert { stage, due, .. } => Urgency::of(*stage, *due, now),
        BundleRow::Recovery(_) => Urgency::Met,
    }
}

fn told(row: &BundleRow, now: DateTime<Utc>) -> Option<Told<'_>> {
    match row {
        BundleRow::Alert { clock, due, working, .. } => {
            Some(Told { clock: *clock, urgency: urgency(row, now), due: *due, working: working.as_ref() })
        }
        BundleRow::Recovery(_) => None,
    }
}

/// `resolution due 14:30 London`, `outage since 14:05 London`.
pub(super) fn standing(row: &BundleRow, now: DateTime<Utc>, zone: Tz) -> Option<String> {
    let told = told(row, now)?;
    match &ticket(row).service {
        Some(_) if told.due > now => Some(format!("{} until {}", told.clock.words(), local(told.due, now, zone))),
        Some(service) => Some(format!("{} since {}", told.clock.words(), local(service.since, now, zone))),
        None => Some(told.due(now, zone)),
    }
}

fn line_of(row: &BundleRow, message: &Message, now: DateTime<Utc>) -> Row {
    let (over, what) = match (row, told(row, now)) {
        (BundleRow::Recovery(facts), _) => {
            let (word, what) = outcome(facts);
            (word.to_owned(), what)
        }
        (_, told) => {
            let state = match (&ticket(row).service, told) {
                (Some(_), Some(told)) if told.urgency == Urgency::Breached => "Failing".to_owned(),
                (Some(_), Some(told)) => told.urgency.words().to_owned(),
                (_, told) => told.map(|told| told.state(now)).unwrap_or_default(),
            };
            (state, standing(row, now, message.timezone).unwrap_or_default())
        }
    };
    Row::of(ticket(row), urgency(row, now), over, &what)
}
