//! Many notifications in one message: how many of what, when the first is due, and which is the worst.

use chrono::{DateTime, Utc};

use super::letter::{ENDED, Letter, Row, mark, outcome, same, service_over};
use super::{Told, Urgency, local, sane, shown};
use crate::alert::AlertKind;
use crate::notify::{BundleFacts, BundleRow, Message, TicketFacts, counted};
use crate::sla::zone::Tz;

/// Composes the mail that lists them.
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
    } else if facts.gathered {
        ("", "These were put together, so that it is one message, the worst first.")
    } else {
        ("", "All of this came up at about the same time, so it is one message, the worst first.")
    };
    let mark = mark(one_tenant(facts));
    let mut letter = Letter::new(format!("{mark} {occasion}{headline}"), headline, urgency);
    letter.rows = facts.rows.iter().map(|row| line_of(row, message, now)).collect();
    if facts.more > 0 {
        letter.closing.push(format!("And {} more.", facts.more));
    }
    // The others may have ended meanwhile.
    if facts.number() > 1 {
        letter.closing.push(why.to_owned());
    }
    letter
}

/// Sums them up: `12 breached, 2 at risk, next due 17:00 London`.
pub(super) fn sum(facts: &BundleFacts, now: DateTime<Utc>, zone: Tz) -> String {
    let ahead = facts.answerable().saturating_sub(facts.breached);
    let over = over(facts);
    if facts.more == 0 && !facts.rows.is_empty() && facts.rows.iter().all(|row| ticket(row).service.is_some()) {
        return counts(&[(facts.breached, "failing", ""), (ahead, "at risk", ""), (facts.recovered, over, "")]);
    }
    let first = first_due(facts, now).map(|due| {
        let which = match sane(due) < sane(now) {
            true => "first was due",
            // What has breached was due before.
            false if facts.breached > 0 => "next due",
            false => "first due",
        };
        format!(", {which} {}", local(due, now, zone))
    });
    let first = first.as_deref().unwrap_or_default();
    let likely = facts.likely.min(ahead);
    let said = match is_past(facts, now) {
        // Alerts that came due while they waited in a queue say so.
        true => counts(&[(facts.breached, "breached", first), (ahead, "past due", ""), (facts.recovered, over, "")]),
        false => counts(&[
            (facts.breached, "breached", ""),
            (ahead - likely, "at risk", if likely == 0 { first } else { "" }),
            (likely, "likely to breach", first),
            (facts.recovered, over, ""),
        ]),
    };
    // A ticket has more than one clock; where that shows, the tickets are counted as well.
    let number = facts.number();
    if facts.tickets == number || facts.tickets == 0 || has_services(facts) {
        return said;
    }
    format!("{said} ({})", counted(facts.tickets as usize, "ticket"))
}

/// Words what those have in common that are over. A ticket is done, unless only its alert ended; a service goes on.
fn over(facts: &BundleFacts) -> &'static str {
    let recovered =
        || facts.rows.iter().filter_map(|row| if let BundleRow::Recovery(facts) = row { Some(facts) } else { None });
    let are_all_known = recovered().count() >= facts.recovered as usize;
    if recovered().any(|one| one.ticket.service.is_some()) {
        "back to normal"
    } else if are_all_known && recovered().all(|one| outcome(one).0 != ENDED) {
        "done"
    } else {
        "ended"
    }
}

/// Returns the time that the headline names: when the first of those still ahead is due, or else when the first of
/// those that breached was due. A component has no due time.
pub(super) fn first_due(facts: &BundleFacts, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    match is_past(facts, now) {
        true => facts.breached_due.filter(|_| !has_services(facts)),
        false => facts.first_due.or(facts.last_due),
    }
}

/// Whether none of it is still ahead.
fn is_past(facts: &BundleFacts, now: DateTime<Utc>) -> bool {
    facts.last_due.is_none_or(|due| sane(due) <= sane(now))
}

fn has_services(facts: &BundleFacts) -> bool {
    facts.rows.iter().any(|row| ticket(row).service.is_some())
}

/// Returns the tenant that all of it is about, if there are several tenants but it is about one.
pub(super) fn one_tenant(facts: &BundleFacts) -> Option<&str> {
    same(facts.rows.iter().map(|row| ticket(row).tenant.as_deref()))
}

/// Lists the counts that are not zero.
fn counts(parts: &[(u32, &str, &str)]) -> String {
    let said = parts.iter().filter(|(count, ..)| *count > 0);
    said.map(|(count, what, when)| format!("{count} {what}{when}")).collect::<Vec<_>>().join(", ")
}

/// Returns the client that all of it is about, if it is one.
fn one_client(facts: &BundleFacts) -> Option<String> {
    shown(facts.client.as_deref(), 80).filter(|_| facts.clients == 1)
}

/// Words a row as `resolution was due 14:30 London`, or `resolution` if the `headline` names that time.
pub(super) fn brief(row: &BundleRow, headline: Option<DateTime<Utc>>, now: DateTime<Utc>, zone: Tz) -> String {
    match row {
        BundleRow::Alert { ticket, clock, due, .. }
            if ticket.service.is_none() && headline.map(|at| local(at, now, zone)) == Some(local(*due, now, zone)) =>
        {
            clock.words().to_owned()
        }
        BundleRow::Alert { .. } => standing(row, now, zone).unwrap_or_default(),
        BundleRow::Recovery(facts) if facts.ticket.service.is_some() => service_over(facts, now, zone),
        BundleRow::Recovery(facts) => match outcome(facts) {
            (ENDED, what) => format!("{}, {what}", facts.clock.words()),
            (_, what) => what,
        },
    }
}

/// Returns when it was due, if it is an alert.
pub(super) fn due(row: &BundleRow) -> Option<DateTime<Utc>> {
    match row {
        BundleRow::Alert { due, .. } => Some(*due),
        BundleRow::Recovery(_) => None,
    }
}

/// Returns the id by which people know the ticket.
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

/// Words how a row stands: `resolution due 14:30 London`, `failing since 14:05 London`.
pub(super) fn standing(row: &BundleRow, now: DateTime<Utc>, zone: Tz) -> Option<String> {
    let told = told(row, now)?;
    let what = match told.clock {
        // It may have stayed away, or called and said that it failed.
        AlertKind::Heartbeat => "failing",
        AlertKind::Objective => "outside its objectives",
        other => other.words(),
    };
    match &ticket(row).service {
        Some(_) if told.due > now => Some(format!("{what} until {}", local(told.due, now, zone))),
        Some(service) => Some(format!("{what} since {}", local(service.since, now, zone))),
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
