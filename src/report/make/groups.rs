//! The part of a report that groups its figures: a line for each client, technician, week or whatever was asked for.

use std::collections::{BTreeMap, HashMap};

use chrono::{Datelike, NaiveDate, TimeDelta, Timelike, Weekday};

use super::super::clients::NO_CLIENT;
use super::super::entry::{Entry, Outcome, Reason};
use super::super::figures::{Summary, summary};
use super::super::interval::{Confidence, wilson};
use super::super::rate::{Goal, Rate};
use super::super::technician::{Technician, technicians};
use super::super::{Cell, Column, ColumnKind, Opens, People, Row, Section, Table};
use super::{By, GROUPS_SHOWN, MOST_GROUPS, Material};

/// A line of the table by groups: its sort key, its name, and what opens it, if its entries can be asked for.
type Group = (String, Cell, Option<Opens>);

fn group(material: &Material<'_>, entry: &Entry) -> Group {
    let opens = material.opens();
    let text = |text: Option<&str>| Cell::text(text.unwrap_or("–"));
    let local = entry.decided_at.with_timezone(&material.zone);
    let period = material.question.period;
    let date = |first: NaiveDate, last: NaiveDate| {
        // A week or month that is only partly in the period is named and opened only as far as it counts.
        let (from, to) = (first.max(period.from), last.min(period.to));
        (first.to_string(), Cell::Date(from), Some(Opens { from: Some(from), to: Some(to), ..opens.clone() }))
    };
    match material.by {
        By::Day => date(entry.day, entry.day),
        By::Week => {
            let first = entry.day.week(Weekday::Mon).first_day();
            date(first, first + TimeDelta::days(6))
        }
        By::Month => {
            let first = entry.day.with_day(1).unwrap_or(entry.day);
            let last =
                first.checked_add_months(chrono::Months::new(1)).and_then(|next| next.pred_opt()).unwrap_or(first);
            date(first, last)
        }
        By::Weekday => {
            let day = entry.day.weekday();
            (day.num_days_from_monday().to_string(), Cell::text(entry.day.format("%A").to_string()), None)
        }
        By::Hour => {
            let hour = local.hour();
            (format!("{hour:02}"), Cell::text(format!("{hour:02}:00")), None)
        }
        By::Client => {
            // Those of no client come last; clients with the same name stay apart, each with a line of its own.
            let Some(id) = entry.client.as_deref() else { return ("1".to_owned(), Cell::text(NO_CLIENT), None) };
            let name = material.names.client(id);
            let found = Opens { client: Some(id.to_owned()), ..opens };
            (format!("0{name}\0{id}"), Cell::text(name), Some(found))
        }
        By::Technician => {
            let name = material.names.person(&entry.holder);
            let found = Opens { person: Some(entry.holder.as_str().to_owned()), ..opens };
            (name.clone(), Cell::text(name), Some(found))
        }
        By::Priority => {
            let key = entry.priority.as_deref();
            let found = key.map(|key| Opens { priority: Some(key.to_owned()), ..opens });
            (key.unwrap_or_default().to_owned(), text(key), found)
        }
        By::Category => {
            let key = entry.category.as_deref();
            let found = key.map(|key| Opens { category: Some(key.to_owned()), ..opens });
            (key.unwrap_or_default().to_owned(), text(key), found)
        }
        By::Policy => {
            let name = entry.policy.as_deref().map(|words| material.names.policy(words));
            let found = entry.policy.as_deref().map(|words| Opens { policy: Some(words.to_owned()), ..opens });
            (name.clone().unwrap_or_default(), text(name.as_deref()), found)
        }
        By::Reason => {
            let reason = entry.final_reason().filter(|_| entry.outcome == Outcome::Breached);
            let (reason, outcome) = (reason.map(|reason| reason.as_str().to_owned()), Some("breached".to_owned()));
            let words = entry.final_reason().map(Reason::words);
            (reason.clone().unwrap_or_default(), text(words), Some(Opens { reason, outcome, ..opens }))
        }
    }
}

/// What the entries of one line have in common, before names are looked up.
type Alike<'a> = (Option<&'a str>, i64);

fn alike<'a>(material: &Material<'_>, entry: &'a Entry) -> Alike<'a> {
    let number = |number: i32| (None, i64::from(number));
    match material.by {
        By::Day | By::Week | By::Month | By::Weekday => number(entry.day.num_days_from_ce()),
        By::Hour => number(entry.decided_at.with_timezone(&material.zone).hour() as i32),
        By::Client => (entry.client.as_deref(), 0),
        By::Technician => (Some(entry.holder.as_str()), 0),
        By::Priority => (entry.priority.as_deref(), 0),
        By::Category => (entry.category.as_deref(), 0),
        By::Policy => (entry.policy.as_deref(), 0),
        By::Reason => (entry.final_reason().map(Reason::as_str), entry.outcome as i64),
    }
}

pub(super) fn groups(material: &Material<'_>, all: &[&Entry], sum: &Summary) -> Section {
    let title = format!("By {}", material.by.as_str());
    let key = "groups".to_owned();
    let table = match material.by {
        By::Technician => technician_table(material, all),
        By::Reason => reason_table(material, sum),
        _ => group_table(material, all),
    };
    Section { key, title, tables: vec![table], ..Section::default() }
}

fn group_table(material: &Material<'_>, all: &[&Entry]) -> Table {
    let mut alike: HashMap<Alike<'_>, Vec<&Entry>> = HashMap::new();
    for entry in all {
        alike.entry(self::alike(material, entry)).or_default().push(entry);
    }
    // A line opens what its first ticket has, whatever the order of the map.
    let mut named: Vec<Vec<&Entry>> = alike.into_values().collect();
    named.sort_by_key(|entries| entries.first().copied().map(|entry| (&entry.ticket, entry.clock, entry.round)));
    let mut groups: BTreeMap<String, (Cell, Option<Opens>, Vec<&Entry>)> = BTreeMap::new();
    for entries in named {
        let (order, name, opens) = group(material, entries[0]);
        groups.entry(order).or_insert_with(|| (name, opens, Vec::new())).2.extend(entries);
    }
    let lines = groups.into_values().map(|(name, opens, entries)| {
        let goal = material.goal_of(entries.first().and_then(|entry| entry.policy.as_deref()));
        let sum = summary(entries.into_iter(), &material.question);
        (name, opens, goal, sum)
    });
    let lines: Vec<_> = lines.filter(|(.., sum)| sum.all.of > 0 || !sum.excluded.is_empty()).collect();
    let with_goals = material.by == By::Policy && !material.policy_goals.is_empty();
    let row = |(name, opens, goal, sum): &(Cell, Option<Opens>, Goal, Summary)| {
        let mut cells = group_cells(name, sum);
        if with_goals {
            cells.extend(goal_cells(sum.all, *goal));
        }
        Row { cells, opens: opens.clone() }
    };
    let kind = match material.by {
        By::Day | By::Week | By::Month => ColumnKind::Date,
        _ => ColumnKind::Text,
    };
    let mut columns = vec![
        Column::new(material.by.as_str(), material.by.title(), kind),
        Column::new("clocks", "Clocks", ColumnKind::Count),
        Column::new("breached", "Breached", ColumnKind::Count),
        Column::new("compliance", "Compliance", ColumnKind::Percent),
        Column::new("from", "At least", ColumnKind::Percent),
        Column::new("to", "At most", ColumnKind::Percent),
        Column::new("response", "Median response", ColumnKind::Duration),
        Column::new("resolution", "Median resolution", ColumnKind::Duration),
        Column::new("excluded", "Left out", ColumnKind::Count),
    ];
    if with_goals {
        columns.push(Column::new("goal", "Goal, %", ColumnKind::Number));
        columns.push(Column::new("reached", "Goal reached", ColumnKind::Text));
    }
    Table {
        key: material.by.as_str().to_owned(),
        title: format!("By {}", material.by.as_str()),
        columns,
        rows: lines.iter().take(MOST_GROUPS).map(row).collect(),
        left_out: lines.len().saturating_sub(MOST_GROUPS) as u64,
        shown: Some(GROUPS_SHOWN),
    }
}

fn group_cells(name: &Cell, sum: &Summary) -> Vec<Cell> {
    let length = |value: Option<i64>| value.map_or(Cell::Blank, Cell::Duration);
    let interval = wilson(sum.all, Confidence::P95);
    let tenths = |end: f64| Cell::Percent((end * 1000.0).round() as u32);
    vec![
        name.clone(),
        Cell::Count(sum.all.of),
        Cell::Count(sum.all.of - sum.all.met),
        Cell::percent(sum.all.tenths()),
        interval.map_or(Cell::Blank, |interval| tenths(interval.low)),
        interval.map_or(Cell::Blank, |interval| tenths(interval.high)),
        length(sum.response.median),
        length(sum.resolution.median),
        Cell::Count(sum.excluded.values().map(|(clocks, _)| clocks).sum()),
    ]
}

/// A goal, and whether it is reached; blank where nothing was decided.
fn goal_cells(rate: Rate, goal: Goal) -> [Cell; 2] {
    let reached = match rate.of {
        0 => Cell::Blank,
        _ if rate.reaches(goal) => Cell::text("yes"),
        _ => Cell::text("no"),
    };
    [Cell::Number(goal.as_percent()), reached]
}

pub(super) fn reason_table(material: &Material<'_>, sum: &Summary) -> Table {
    let breaches: u64 = sum.reasons.values().sum();
    let row = |(reason, count): (&Reason, &u64)| Row {
        cells: vec![
            Cell::text(reason.words()),
            Cell::Count(*count),
            Cell::percent(Rate::new(*count, breaches).tenths()),
        ],
        opens: Some(Opens {
            reason: Some(reason.as_str().to_owned()),
            outcome: Some("breached".to_owned()),
            ..material.opens()
        }),
    };
    Table {
        key: "reason".into(),
        title: "Breaches by reason".into(),
        columns: vec![
            Column::new("reason", "Reason", ColumnKind::Text),
            Column::new("breached", "Breached", ColumnKind::Count),
            Column::new("share", "Of all breaches", ColumnKind::Percent),
        ],
        rows: sum.reasons.iter().map(row).collect(),
        left_out: 0,
        shown: None,
    }
}

fn technician_table(material: &Material<'_>, all: &[&Entry]) -> Table {
    let mut people = technicians(all.iter().copied(), &material.question);
    people.retain(|one| material.people != People::Off || one.holder.person().is_none());
    people.sort_by_cached_key(|one| (one.holder.person().is_none(), material.names.person(&one.holder)));
    let row = |one: &Technician| Row {
        cells: technician_cells(one, material.names.person(&one.holder)),
        opens: Some(Opens { person: Some(one.holder.as_str().to_owned()), ..material.opens() }),
    };
    Table {
        key: "technician".into(),
        title: "By technician".into(),
        columns: vec![
            Column::new("technician", "Technician", ColumnKind::Text),
            Column::new("weighted", "Compliance by held time", ColumnKind::Percent),
            Column::new("breach_share", "Share of breaches", ColumnKind::Percent),
            Column::new("tickets", "Tickets", ColumnKind::Count),
            Column::new("compliant", "Without breach", ColumnKind::Count),
            Column::new("plain", "Plain compliance", ColumnKind::Percent),
            Column::new("breached", "Breaches", ColumnKind::Count),
            Column::new("response", "Median response", ColumnKind::Duration),
            Column::new("resolution", "Median resolution", ColumnKind::Duration),
            Column::new("reopened", "Reopened", ColumnKind::Percent),
            Column::new("trend", "Trend", ColumnKind::Text),
        ],
        rows: people.iter().take(MOST_GROUPS).map(row).collect(),
        left_out: people.len().saturating_sub(MOST_GROUPS) as u64,
        shown: Some(GROUPS_SHOWN),
    }
}

fn technician_cells(one: &Technician, name: String) -> Vec<Cell> {
    let length = |value: Option<i64>| value.map_or(Cell::Blank, Cell::Duration);
    let trend = if one.holder.person().is_some() { Cell::text(one.trend.words()) } else { Cell::Blank };
    vec![
        Cell::text(name),
        Cell::percent(one.weighted.tenths()),
        Cell::percent(one.breach_share.tenths()),
        Cell::Count(one.tickets.of),
        Cell::Count(one.tickets.met),
        Cell::percent(one.tickets.tenths()),
        Cell::Count(one.breaches),
        length(one.response.median),
        length(one.resolution.median),
        Cell::percent(one.reopened.tenths()),
        trend,
    ]
}
