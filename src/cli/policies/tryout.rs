//! The table of `policies try`: what was, and what would have been.

use std::fmt::{Display, Write};

use super::super::status::table;
use crate::service::tryout::{Tryout, TryoutRow};
use crate::ticket::ClockKind;

/// Every tenant's comparison.
pub fn text(tried: &[Tryout]) -> String {
    tried.iter().map(one).collect::<Vec<_>>().join("\n")
}

fn one(tried: &Tryout) -> String {
    let Tryout { tenant, from, to, timezone, tickets, rows } = tried;
    let mut text = format!("{tenant}: {tickets} tickets created from {from} to {to} ({timezone})\n");
    for clock in ClockKind::ALL {
        let rows: Vec<&TryoutRow> = rows.iter().filter(|row| row.clock == clock).collect();
        let Some(all) = rows.first() else { continue };
        let _ = writeln!(text, "\n{}: {} of {} come out differently", clock.words(), all.changed, all.before.tickets);
        let cells: Vec<[String; 7]> = rows.iter().map(|row| line(row)).collect();
        text.push_str(&table(["", "TICKETS", "MET", "BREACHED", "OPEN", "UNKNOWN", "SHARE"], &cells, |_| ("", "")));
    }
    if rows.iter().any(|row| row.before.unknown + row.after.unknown > 0) {
        text.push_str("\nunknown: it depends on something never seen, such as a pause before the ticket was watched\n");
    }
    text
}

fn line(row: &TryoutRow) -> [String; 7] {
    let (before, after) = (&row.before, &row.after);
    let name = match (row.by, &row.name) {
        ("all", _) => "all".to_owned(),
        (by, Some(name)) => format!("{by} {}", super::super::status::printable(name)),
        (by, None) => format!("no {by}"),
    };
    [
        name,
        before.tickets.to_string(),
        arrow(before.met, after.met),
        arrow(before.breached, after.breached),
        arrow(before.open, after.open),
        arrow(before.unknown, after.unknown),
        arrow(percent(before.share), percent(after.share)),
    ]
}

fn arrow<T: PartialEq + Display>(before: T, after: T) -> String {
    if before == after { before.to_string() } else { format!("{before} → {after}") }
}

fn percent(share: Option<f64>) -> String {
    share.map_or("–".to_owned(), |share| format!("{:.1} %", share * 100.0))
}
