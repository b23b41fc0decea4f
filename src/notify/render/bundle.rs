//! Many notifications in one message: how many of what, and which is the worst.

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;

use super::letter::{Letter, Row, links, outcome};
use super::{Urgency, local, sane, shown, standing};
use crate::notify::{BundleFacts, BundleRow, Message, TicketFacts, left_or_over};

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
        (
            "After quiet hours: ",
            "All of this waited for the end of the quiet hours, so it is one message, the worst first.",
        )
    } else {
        ("", "All of this waited for you at once, so it is one message, the worst first.")
    };
    let mut letter = Letter::new(format!("[SLA] {occasion}{headline}"), headline, urgency);
    letter.rows = facts.rows.iter().map(|row| line_of(row, message, now)).collect();
    if facts.more > 0 {
        letter.closing.push(format!("And {} more.", facts.more));
    }
    letter.closing.push(why.to_owned());
    letter
}

/// `14 tickets: 12 breached, 2 breach before 17:00 GMT`.
pub(super) fn sum(facts: &BundleFacts, now: DateTime<Utc>, zone: Tz) -> String {
    let number = u32::try_from(facts.rows.len()).unwrap_or(u32::MAX).saturating_add(facts.more);
    let ahead = number.saturating_sub(facts.breached).saturating_sub(facts.recovered);
    // A ticket has two clocks; where each is told of one, they can be counted as tickets.
    let noun = if facts.tickets == number { "tickets" } else { "SLA targets" };
    let before = match facts.last_due.map(sane) {
        Some(due) if due > now => format!("breach before {}", local(due, now, zone)),
        _ => "past due".to_owned(),
    };
    let parts: Vec<_> = [(facts.breached, "breached"), (ahead, before.as_str()), (facts.recovered, "done")]
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .collect();
    match parts.as_slice() {
        [(_, only)] => format!("{number} {noun} {only}"),
        parts => {
            let words: Vec<_> = parts.iter().map(|(count, what)| format!("{count} {what}")).collect();
            format!("{number} {noun}: {}", words.join(", "))
        }
    }
}

/// The client that all of it is about, if it is one.
pub(super) fn one_client(facts: &BundleFacts) -> Option<String> {
    shown(facts.client.as_deref(), 80).filter(|_| facts.clients == 1)
}

/// `062822-0005 resolution, 12 min over (due 14:30 GMT)`.
pub(super) fn worst(facts: &BundleFacts, now: DateTime<Utc>, zone: Tz) -> Option<String> {
    let row = facts.rows.first()?;
    let words = match row {
        BundleRow::Alert { clock, due, .. } => standing(clock.words(), urgency(row, now), *due, now, zone),
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
        BundleRow::Alert { stage, due, .. } => Urgency::of(*stage, *due, now),
        BundleRow::Recovery(_) => Urgency::Met,
    }
}

fn line_of(row: &BundleRow, message: &Message, now: DateTime<Utc>) -> Row {
    let ticket = ticket(row);
    let (over, what) = match row {
        BundleRow::Alert { clock, due, .. } => {
            let urgency = urgency(row, now);
            let due = sane(*due);
            // SuperOps may call a clock breached before its due time; then no time is said to be left.
            let timely = urgency != Urgency::Breached || due - sane(now) < TimeDelta::zero();
            let over = if timely {
                format!("{}, {}", urgency.words(), left_or_over(due, sane(now)))
            } else {
                urgency.words().to_owned()
            };
            (over, format!("{}, due {}", clock.words(), local(due, now, message.timezone)))
        }
        BundleRow::Recovery(facts) => {
            let (word, standing) = outcome(facts);
            (word.to_owned(), standing)
        }
    };
    Row {
        over,
        title: format!("{} {}", ticket.shown_id(), ticket.shown_subject()),
        details: format!("{what}, {}, {}", ticket.shown_client(), ticket.shown_technician()),
        link: links(ticket).into_iter().next().map(|link| link.url),
    }
}
