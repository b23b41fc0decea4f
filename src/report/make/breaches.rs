//! The parts of a report about single clocks: what was breached and why, and what was left out and why.

use super::super::entry::{Entry, Exclusion, Outcome, Reason};
use super::super::figures::{Question, Summary};
use super::super::{Cell, Column, ColumnKind, Opens, People, Row, Section, Table};
use super::groups::reason_table;
use super::{By, Material};

/// The most breaches listed one by one, and how many of them a reader is shown.
pub(super) const MOST_BREACHES: usize = 20_000;
const BREACHES_SHOWN: usize = 100;

/// Returns the breaches that count, the longest overdue first.
pub(super) fn breached<'a>(all: impl Iterator<Item = &'a Entry>, question: &Question) -> Vec<&'a Entry> {
    let is_breach =
        |entry: &&Entry| question.decided(entry) && entry.is_headline() && entry.outcome == Outcome::Breached;
    let mut breached: Vec<&Entry> = all.filter(is_breach).collect();
    breached.sort_by_key(|entry| (std::cmp::Reverse(entry.over), entry.ticket.clone(), entry.clock));
    breached
}

pub(super) fn breaches(material: &Material<'_>, all: &[&Entry], sum: &Summary) -> Section {
    let breached = breached(all.iter().copied(), &material.question);
    let row = |entry: &&Entry| {
        let mut cells = vec![Cell::text(material.names.ticket(&entry.ticket))];
        if material.client.is_none() {
            cells.push(entry.client.as_deref().map_or(Cell::Blank, |id| Cell::text(material.names.client(id))));
        }
        cells.extend([
            Cell::text(entry.clock.words()),
            Cell::Time(entry.decided_at),
            Cell::Duration(entry.over),
            Cell::text(entry.final_reason().unwrap_or(Reason::WorkedOn).words()),
        ]);
        if material.people == People::Named {
            cells.push(Cell::text(material.names.person(&entry.holder)));
        }
        Row { cells, opens: None }
    };
    let mut columns = vec![Column::new("ticket", "Ticket", ColumnKind::Text)];
    // A report of one client names it above.
    if material.client.is_none() {
        columns.push(Column::new("client", "Client", ColumnKind::Text));
    }
    columns.extend([
        Column::new("clock", "Clock", ColumnKind::Text),
        Column::new("breached_at", "Breached", ColumnKind::Time),
        Column::new("over", "Over by", ColumnKind::Duration),
        Column::new("reason", "Reason", ColumnKind::Text),
    ]);
    if material.people == People::Named {
        columns.push(Column::new("technician", "Held by", ColumnKind::Text));
    }
    let table = Table {
        key: "breaches".into(),
        title: "Breaches, the longest overdue first".into(),
        columns,
        rows: breached.iter().take(MOST_BREACHES).map(row).collect(),
        left_out: breached.len().saturating_sub(MOST_BREACHES) as u64,
        shown: Some(BREACHES_SHOWN),
    };
    let reasons = (material.by != By::Reason && !sum.reasons.is_empty()).then(|| reason_table(material, sum));
    let tables = reasons.into_iter().chain([table]).collect();
    let text = match sum.said_reasons {
        0 => Vec::new(),
        said => {
            let are = if said == 1 { "is" } else { "are" };
            vec![format!(
                "{said} of the reasons {are} given by a person; the others follow from the tickets' histories."
            )]
        }
    };
    Section { key: "breaches".into(), title: "Breaches".into(), text, tables, ..Section::default() }
}

pub(super) fn left_out(sum: &Summary, material: &Material<'_>) -> Section {
    let row = |(why, (clocks, tickets)): (&Exclusion, &(u64, u64))| Row {
        cells: vec![Cell::text(why.words()), Cell::Count(*clocks), Cell::Count(*tickets)],
        opens: Some(Opens {
            outcome: Some("excluded".to_owned()),
            reason: Some(why.as_str().to_owned()),
            ..material.opens()
        }),
    };
    let table = Table {
        key: "excluded".into(),
        title: "What was left out, and why".into(),
        columns: vec![
            Column::new("why", "Why", ColumnKind::Text),
            Column::new("clocks", "Clocks", ColumnKind::Count),
            Column::new("tickets", "Tickets", ColumnKind::Count),
        ],
        rows: sum.excluded.iter().map(row).collect(),
        left_out: 0,
        shown: None,
    };
    let (key, title) = ("excluded".to_owned(), "Left out".to_owned());
    Section { key, title, tables: vec![table], ..Section::default() }
}
