//! A report made of entries: the figures of a period as sections, tables and charts.

mod credits;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{Datelike, NaiveDate, TimeDelta, Timelike, Weekday};
use serde::{Deserialize, Serialize};

use super::credit::CreditTerms;
use super::day::Day;
use super::entry::{Entry, Exclusion, Holder, Outcome, Reason};
use super::figures::{Question, Summary, summary};
use super::interval::{Confidence, wilson};
use super::rate::{Goal, Rate};
use super::technician::{Technician, technicians};
use super::trend::{Change, change};
use super::{
    Cell, Chart, ChartKind, ClosedMonth, Column, ColumnKind, Figure, Opens, People, Period, Report, Row, SCHEMA,
    Section, Series, Table, Unit,
};
use crate::sla::zone::Tz;
use crate::ticket::ClockKind;

/// Breaches that are listed one by one, and as many of them as a reader is shown.
const MOST_BREACHES: usize = 20_000;
const BREACHES_SHOWN: usize = 100;
/// Lines of one table, and as many of them as a reader is shown.
const MOST_GROUPS: usize = 5_000;
const GROUPS_SHOWN: usize = 400;

/// What the figures are told apart by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    #[default]
    Day,
    Week,
    Month,
    Weekday,
    Hour,
    Client,
    Technician,
    Priority,
    Policy,
    Category,
    Reason,
}

impl By {
    pub const ALL: [Self; 11] = [
        Self::Day,
        Self::Week,
        Self::Month,
        Self::Weekday,
        Self::Hour,
        Self::Client,
        Self::Technician,
        Self::Priority,
        Self::Policy,
        Self::Category,
        Self::Reason,
    ];

    /// The name used on the command line and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Weekday => "weekday",
            Self::Hour => "hour",
            Self::Client => "client",
            Self::Technician => "technician",
            Self::Priority => "priority",
            Self::Policy => "policy",
            Self::Category => "category",
            Self::Reason => "reason",
        }
    }

    /// The one of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|by| by.as_str() == name)
    }

    fn title(self) -> &'static str {
        match self {
            Self::Day => "Day",
            Self::Week => "Week of",
            Self::Month => "Month",
            Self::Weekday => "Weekday",
            Self::Hour => "Hour",
            Self::Client => "Client",
            Self::Technician => "Technician",
            Self::Priority => "Priority",
            Self::Policy => "Policy",
            Self::Category => "Category",
            Self::Reason => "Reason",
        }
    }
}

/// What people, clients and tickets are called: their names, or pseudonyms.
pub trait Names {
    fn person(&self, holder: &Holder) -> String;
    fn client(&self, id: &str) -> String;
    fn ticket(&self, id: &str) -> String;
    /// Policies may name clients.
    fn policy(&self, words: &str) -> String;
}

/// What a report is made of.
pub struct Material<'a> {
    pub tenant: String,
    pub zone: Tz,
    pub question: Question,
    pub by: By,
    /// The only client that is meant, by id.
    pub client: Option<String>,
    pub goal: Goal,
    /// The goals of those policies that have their own, by what they are called in the books.
    pub policy_goals: &'a BTreeMap<String, Goal>,
    /// What those policies give back that give something, by what they are called in the books.
    pub policy_credits: &'a BTreeMap<String, CreditTerms>,
    /// Those of the period and of the one before it, and the other clocks of their tickets.
    pub entries: &'a [Entry],
    /// Each day of the period.
    pub days: &'a [Day],
    pub months: Vec<ClosedMonth>,
    pub provisional_until: Option<chrono::DateTime<chrono::Utc>>,
    pub anonymous: bool,
    pub people: People,
    pub names: &'a dyn Names,
}

/// The report; its hash is left blank.
pub fn report(material: &Material<'_>) -> Report {
    let all: Vec<&Entry> = material.entries.iter().filter(|entry| material.is_meant(entry)).collect();
    let sum = summary(all.iter().copied(), &material.question);
    let before = Question { period: material.question.period.before(), ..material.question };
    let earlier = summary(all.iter().copied(), &before);
    let client = material.client.as_deref().map(|id| material.names.client(id));
    let whom = client.as_deref().unwrap_or(&material.tenant);
    let terms: BTreeSet<u32> =
        all.iter().filter(|entry| material.question.decided(entry)).map(|entry| entry.version).collect();
    let sections = [
        Some(overview(material, &sum, &earlier)),
        Some(course(material)),
        (material.by != By::Day).then(|| groups(material, &all)),
        credits::section(material, &all),
        Some(breaches(material, &all, &sum)),
        Some(left_out(&sum, material)),
    ];
    Report {
        schema: SCHEMA,
        title: format!("Service levels of {whom}"),
        tenant: material.tenant.clone(),
        zone: material.zone,
        period: material.question.period,
        client,
        months: material.months.clone(),
        provisional_until: material.provisional_until,
        terms: terms.into_iter().collect(),
        program: env!("CARGO_PKG_VERSION").to_owned(),
        anonymous: material.anonymous,
        sections: sections.into_iter().flatten().map(|section| withheld(section, material)).collect(),
        notes: notes(&sum, material),
        hash: String::new(),
    }
}

/// Without the ways to entries that would tell whom a pseudonym stands for.
fn withheld(mut section: Section, material: &Material<'_>) -> Section {
    let figures = section.figures.iter_mut().map(|figure| &mut figure.opens);
    let rows = section.tables.iter_mut().flat_map(|table| &mut table.rows).map(|row| &mut row.opens);
    for opens in figures.chain(rows) {
        if opens.as_ref().is_some_and(|opens| !material.may_open(opens)) {
            *opens = None;
        }
    }
    section
}

impl Material<'_> {
    fn may_open(&self, opens: &Opens) -> bool {
        let of_a_person = opens.person.as_deref().is_some_and(|id| !id.starts_with('@'));
        let of_a_client = opens.client.is_some() || opens.policy.is_some();
        !(of_a_person && (self.anonymous || self.people != People::Named) || of_a_client && self.anonymous)
    }

    fn is_meant(&self, entry: &Entry) -> bool {
        self.client.as_deref().is_none_or(|client| entry.client.as_deref() == Some(client))
    }

    /// What the policy that the books call `words` is to reach.
    fn goal_of(&self, words: Option<&str>) -> Goal {
        words.and_then(|words| self.policy_goals.get(words)).copied().unwrap_or(self.goal)
    }

    fn opens(&self) -> Opens {
        let Period { from, to } = self.question.period;
        Opens { from: Some(from), to: Some(to), client: self.client.clone(), ..Opens::default() }
    }
}

/// `11 of 14 · 95 % interval 52.4 to 92.4 %`
fn note_of(rate: Rate) -> Option<String> {
    let interval = wilson(rate, Confidence::P95)?;
    Some(format!(
        "{} of {} · 95 % interval {:.1} to {:.1} %",
        rate.met,
        rate.of,
        interval.low * 100.0,
        interval.high * 100.0
    ))
}

fn rate_figure(key: &str, title: &str, rate: Rate, opens: Opens) -> Figure {
    let (value, note) = (Cell::percent(rate.tenths()), note_of(rate));
    Figure { key: key.to_owned(), title: title.to_owned(), value, note, opens: Some(opens) }
}

fn figure(key: &str, title: &str, value: Cell, note: Option<String>) -> Figure {
    Figure { key: key.to_owned(), title: title.to_owned(), value, note, opens: None }
}

fn overview(material: &Material<'_>, sum: &Summary, earlier: &Summary) -> Section {
    let of_clock = |kind: ClockKind| Opens { clock: Some(kind.as_str().to_owned()), ..material.opens() };
    let mut figures = vec![rate_figure("compliance", "Compliance", sum.all, material.opens())];
    let titles = ["First response", "First resolution", "Next response"];
    for ((kind, rate), title) in ClockKind::ALL.into_iter().zip(sum.clocks).zip(titles) {
        if rate.of > 0 {
            figures.push(rate_figure(kind.as_str(), title, rate, of_clock(kind)));
        }
    }
    let length = |value: Option<i64>| value.map_or(Cell::Blank, Cell::Duration);
    let between = |spread: &super::spread::Spread| Some(format!("of {}", spread.n)).filter(|_| spread.n > 0);
    figures.extend([
        figure("all_kept", "Tickets with all kept", Cell::percent(sum.all_kept.tenths()), note_of(sum.all_kept)),
        figure("response_median", "Median first response", length(sum.response.median), between(&sum.response)),
        figure("resolution_median", "Median resolution", length(sum.resolution.median), between(&sum.resolution)),
        figure("reopened", "Reopened", Cell::percent(sum.reopened.tenths()), note_of(sum.reopened)),
        figure("breaches", "Breaches", Cell::Count(sum.all.of - sum.all.met), open_note(sum)),
    ]);
    let text = vec![against_goal(sum.all, material.goal), against_before(sum.all, earlier.all)];
    Section { key: "overview".into(), title: "In short".into(), text, figures, ..Section::default() }
}

fn open_note(sum: &Summary) -> Option<String> {
    match sum.open_breaches {
        0 => None,
        1 => Some("1 is not done yet".to_owned()),
        more => Some(format!("{more} are not done yet")),
    }
}

fn against_goal(rate: Rate, goal: Goal) -> String {
    let goal_words = format!("{} %", goal.as_percent());
    match rate.percent() {
        None => "Nothing was decided in this period.".to_owned(),
        Some(percent) if rate.reaches(goal) => {
            format!(
                "{} of {} clocks were kept: {percent} %, and the goal of {goal_words} is reached.",
                rate.met, rate.of
            )
        }
        Some(percent) => {
            format!(
                "{} of {} clocks were kept: {percent} %, and the goal of {goal_words} is missed.",
                rate.met, rate.of
            )
        }
    }
}

fn against_before(now: Rate, before: Rate) -> String {
    let Some(Change { points, is_sure }) = change(now, before) else {
        return "As many days before are no measure: too little was decided to compare the two.".to_owned();
    };
    let said = if is_sure { "more than chance explains" } else { "which may be noise" };
    format!(
        "In as many days before it was {} %: a difference of {points:+.1} points, {said}.",
        before.percent().unwrap_or_default()
    )
}

fn course(material: &Material<'_>) -> Section {
    let percent = |rate: Rate| rate.percent();
    let chart = Chart {
        key: "compliance".into(),
        title: "Compliance by day".into(),
        kind: ChartKind::Line,
        unit: Unit::Percent,
        labels: material.days.iter().map(|day| day.date.to_string()).collect(),
        series: vec![
            Series { name: "Day".into(), points: material.days.iter().map(|day| percent(day.rate)).collect() },
            Series { name: "Seven days".into(), points: material.days.iter().map(|day| percent(day.week)).collect() },
        ],
        target: Some(material.goal.as_percent()),
    };
    let columns = vec![
        Column::new("day", "Day", ColumnKind::Date),
        Column::new("clocks", "Clocks", ColumnKind::Count),
        Column::new("met", "Kept", ColumnKind::Count),
        Column::new("breached", "Breached", ColumnKind::Count),
        Column::new("compliance", "Compliance", ColumnKind::Percent),
        Column::new("seven_days", "Seven days", ColumnKind::Percent),
        Column::new("overdue", "Something overdue for", ColumnKind::Duration),
    ];
    let row = |day: &Day| Row {
        cells: vec![
            Cell::Date(day.date),
            Cell::Count(day.rate.of),
            Cell::Count(day.rate.met),
            Cell::Count(day.breaches()),
            Cell::percent(day.rate.tenths()),
            Cell::percent(day.week.tenths()),
            Cell::Duration(day.downtime.num_milliseconds()),
        ],
        opens: Some(Opens { from: Some(day.date), to: Some(day.date), ..material.opens() }),
    };
    let table = Table {
        key: "days".into(),
        title: "Day by day".into(),
        columns,
        rows: material.days.iter().map(row).collect(),
        left_out: 0,
        shown: None,
    };
    let (key, title) = ("days".to_owned(), "Day by day".to_owned());
    Section { key, title, charts: vec![chart], tables: vec![table], ..Section::default() }
}

/// A line of the table by groups: its order, what it is called, and what opens it, where its entries can be asked for.
type Group = (String, Cell, Option<Opens>);

fn group(material: &Material<'_>, entry: &Entry) -> Group {
    let opens = material.opens();
    let text = |text: Option<&str>| Cell::text(text.unwrap_or("–"));
    let local = entry.decided_at.with_timezone(&material.zone);
    let date = |first: NaiveDate, last: NaiveDate| {
        (first.to_string(), Cell::Date(first), Some(Opens { from: Some(first), to: Some(last), ..opens.clone() }))
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
            let name = entry.client.as_deref().map(|id| material.names.client(id));
            let found = entry.client.as_deref().map(|id| Opens { client: Some(id.to_owned()), ..opens });
            (name.clone().unwrap_or_default(), text(name.as_deref()), found)
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

fn groups(material: &Material<'_>, all: &[&Entry]) -> Section {
    let title = format!("By {}", material.by.as_str());
    let key = "groups".to_owned();
    let table = match material.by {
        By::Technician => technician_table(material, all),
        By::Reason => reason_table(material, all),
        _ => group_table(material, all),
    };
    Section { key, title, tables: vec![table], ..Section::default() }
}

fn group_table(material: &Material<'_>, all: &[&Entry]) -> Table {
    let mut groups: BTreeMap<String, (Cell, Option<Opens>, Vec<&Entry>)> = BTreeMap::new();
    for entry in all {
        let (order, name, opens) = group(material, entry);
        groups.entry(order).or_insert_with(|| (name, opens, Vec::new())).2.push(entry);
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

/// A goal, and whether it is reached; nothing is said where nothing was decided.
fn goal_cells(rate: Rate, goal: Goal) -> [Cell; 2] {
    let reached = match rate.of {
        0 => Cell::Blank,
        _ if rate.reaches(goal) => Cell::text("yes"),
        _ => Cell::text("no"),
    };
    [Cell::Number(goal.as_percent()), reached]
}

fn reason_table(material: &Material<'_>, all: &[&Entry]) -> Table {
    let sum = summary(all.iter().copied(), &material.question);
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
    let trend = if one.holder.person().is_some() { Cell::text(one.trend.as_str()) } else { Cell::Blank };
    vec![
        Cell::text(name),
        Cell::percent(one.weighted.tenths()),
        Cell::percent(one.breach_share.tenths()),
        Cell::Count(one.tickets.of),
        Cell::Count(one.tickets.met),
        Cell::percent(one.tickets.tenths()),
        Cell::Count(one.breaches),
        length(one.summary.response.median),
        length(one.summary.resolution.median),
        Cell::percent(one.summary.reopened.tenths()),
        trend,
    ]
}

fn breaches(material: &Material<'_>, all: &[&Entry], sum: &Summary) -> Section {
    let is_breach =
        |entry: &&&Entry| material.question.decided(entry) && entry.is_headline() && entry.outcome == Outcome::Breached;
    let mut breached: Vec<&&Entry> = all.iter().filter(is_breach).collect();
    breached.sort_by_key(|entry| (std::cmp::Reverse(entry.over), entry.ticket.clone(), entry.clock));
    let row = |entry: &&&Entry| {
        let mut cells = vec![
            Cell::text(material.names.ticket(&entry.ticket)),
            entry.client.as_deref().map_or(Cell::Blank, |id| Cell::text(material.names.client(id))),
            Cell::text(entry.clock.words()),
            Cell::Time(entry.decided_at),
            Cell::Duration(entry.over),
            Cell::text(entry.final_reason().unwrap_or(Reason::WorkedOn).words()),
        ];
        if material.people == People::Named {
            cells.push(Cell::text(material.names.person(&entry.holder)));
        }
        Row { cells, opens: None }
    };
    let mut columns = vec![
        Column::new("ticket", "Ticket", ColumnKind::Text),
        Column::new("client", "Client", ColumnKind::Text),
        Column::new("clock", "Clock", ColumnKind::Text),
        Column::new("breached_at", "Breached", ColumnKind::Time),
        Column::new("over", "Over by", ColumnKind::Duration),
        Column::new("reason", "Reason", ColumnKind::Text),
    ];
    if material.people == People::Named {
        columns.push(Column::new("technician", "In whose hands", ColumnKind::Text));
    }
    let table = Table {
        key: "breaches".into(),
        title: "Breaches, the longest overdue first".into(),
        columns,
        rows: breached.iter().take(MOST_BREACHES).map(row).collect(),
        left_out: breached.len().saturating_sub(MOST_BREACHES) as u64,
        shown: Some(BREACHES_SHOWN),
    };
    let reasons = (material.by != By::Reason && !sum.reasons.is_empty()).then(|| reason_table(material, all));
    let tables = reasons.into_iter().chain([table]).collect();
    let text = match sum.said_reasons {
        0 => Vec::new(),
        said => {
            let are = if said == 1 { "is" } else { "are" };
            vec![format!("{said} of the reasons {are} a person's word; the others follow from the tickets' histories.")]
        }
    };
    Section { key: "breaches".into(), title: "Breaches".into(), text, tables, ..Section::default() }
}

fn left_out(sum: &Summary, material: &Material<'_>) -> Section {
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

fn notes(sum: &Summary, material: &Material<'_>) -> Vec<String> {
    let mut notes = vec![
        "A clock counts on the day on which it was decided: kept when it stopped in time, breached at the first moment \
         at which it was over."
            .to_owned(),
    ];
    if sum.differing > 0 {
        notes.push(format!(
            "Of {} clocks SuperOps' verdict is not that of the policy; SuperOps' counts.",
            sum.differing
        ));
    }
    if sum.unobserved > 0 {
        notes.push(format!(
            "{} clocks were not watched from their beginning: earlier pauses and holders are unknown.",
            sum.unobserved
        ));
    }
    let corrections: u64 = material.months.iter().map(|month| month.corrections).sum();
    if corrections > 0 {
        notes.push(format!(
            "{corrections} decisions changed after their month was closed; its figures stay as they were."
        ));
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::super::entry::tests::entries;
    use super::*;
    use crate::uptime::credit::Tier;

    struct Plain;

    static NOTHING_BACK: BTreeMap<String, CreditTerms> = BTreeMap::new();

    impl Names for Plain {
        fn person(&self, holder: &Holder) -> String {
            format!("<{holder}>")
        }

        fn client(&self, id: &str) -> String {
            id.to_owned()
        }

        fn ticket(&self, id: &str) -> String {
            id.to_owned()
        }

        fn policy(&self, words: &str) -> String {
            words.to_owned()
        }
    }

    /// What the worked example gives, by technician.
    fn material<'a>(entries: &'a [Entry], policy_goals: &'a BTreeMap<String, Goal>) -> Material<'a> {
        let period = Period::new("2026-10-29".parse().unwrap(), "2026-11-02".parse().unwrap()).unwrap();
        Material {
            tenant: "acme".to_owned(),
            zone: Tz::named("America/New_York"),
            question: Question { period, with_maintenance: false },
            by: By::Technician,
            client: None,
            goal: Goal::default(),
            policy_goals,
            policy_credits: &NOTHING_BACK,
            entries,
            days: &[],
            months: Vec::new(),
            provisional_until: None,
            anonymous: false,
            people: People::Named,
            names: &Plain,
        }
    }

    /// The report on the worked example by technician, as JSON.
    fn told(people: People, anonymous: bool, entries: &[Entry]) -> String {
        let made = report(&Material { anonymous, people, ..material(entries, &BTreeMap::new()) });
        serde_json::to_string(&made).unwrap()
    }

    /// The table by policy: what each is called, its goal, and whether it is reached.
    fn goals_told(entries: &[Entry], policy_goals: &BTreeMap<String, Goal>) -> Vec<Vec<Cell>> {
        let made = report(&Material { by: By::Policy, ..material(entries, policy_goals) });
        let table = made.sections.into_iter().flat_map(|section| section.tables).find(|table| table.key == "policy");
        let rows = table.unwrap().rows.into_iter();
        rows.map(|row| {
            row.cells.into_iter().enumerate().filter(|(at, _)| [0, 9, 10].contains(at)).map(|(_, cell)| cell).collect()
        })
        .collect()
    }

    #[test]
    fn a_policy_is_held_to_its_own_goal_and_the_others_to_that_of_all() {
        let mut entries = entries();
        entries.iter_mut().for_each(|entry| entry.policy = Some("priority High".into()));
        assert_eq!(goals_told(&entries, &BTreeMap::new()), [[Cell::text("priority High")]], "nobody has one");
        let easy = BTreeMap::from([("priority High".to_owned(), Goal::percent(0.5).unwrap())]);
        let told = goals_told(&entries, &easy);
        assert_eq!(told, [[Cell::text("priority High"), Cell::Number(0.5), Cell::text("yes")]]);
        let other = BTreeMap::from([("priority Low".to_owned(), Goal::percent(0.5).unwrap())]);
        let told = goals_told(&entries, &other);
        assert_eq!(told, [[Cell::text("priority High"), Cell::Number(95.0), Cell::text("no")]]);
    }

    #[test]
    fn what_is_owed_stands_in_the_report_where_a_policy_gives_something_back() {
        let mut entries = entries();
        entries.iter_mut().for_each(|entry| entry.policy = Some("priority High".into()));
        let goals = BTreeMap::new();
        let period = Period::new("2026-10-01".parse().unwrap(), "2026-10-31".parse().unwrap()).unwrap();
        let month = ClosedMonth { month: "2026-10".into(), sha256: String::new(), corrections: 0 };
        let tiers = [(95_000, 0), (0, 10)].map(|(floor, percent)| Tier { floor, percent }).to_vec();
        let told = |min| {
            let credits = BTreeMap::from([("priority High".to_owned(), CreditTerms { tiers: tiers.clone(), min })]);
            let question = Question { period, with_maintenance: false };
            let months = vec![month.clone()];
            let made = report(&Material { question, months, policy_credits: &credits, ..material(&entries, &goals) });
            let section = made.sections.into_iter().find(|section| section.key == "credits").unwrap();
            section.tables[0].rows[0].cells[3..].to_vec()
        };
        let counted = [Cell::Count(14), Cell::Count(11), Cell::Percent(786)];
        assert_eq!(told(14)[..3], counted);
        assert_eq!(told(14)[3..], [Cell::Number(10.0), Cell::text("below all other tiers")]);
        assert_eq!(told(15)[3..], [Cell::Blank, Cell::text("too few")]);
        assert!(report(&material(&entries, &goals)).sections.iter().all(|section| section.key != "credits"));
    }

    #[test]
    fn technicians_are_told_apart_as_far_as_the_sender_wants() {
        let entries = entries();
        let person = entries.iter().find_map(|entry| entry.holder.person()).unwrap();
        let (cell, way) = (format!("\"<{person}>\""), format!("\"person\":\"{person}\""));
        let has = |people, anonymous| {
            let text = told(people, anonymous, &entries);
            (text.contains(&cell), text.contains(&way), text.contains("In whose hands"))
        };
        assert_eq!(has(People::Named, false), (true, true, true));
        assert_eq!(has(People::Named, true), (true, false, true), "no id of SuperOps behind a pseudonym");
        assert_eq!(has(People::Pseudonyms, false), (true, false, false), "no pseudonym beside a ticket");
        assert_eq!(has(People::Off, false), (false, false, false));
    }

    #[test]
    fn a_report_says_how_many_reasons_are_a_persons_word() {
        let mut entries = entries();
        assert!(!told(People::Named, false, &entries).contains("person's word"));
        let breached =
            |entry: &&mut Entry| entry.outcome == Outcome::Breached && entry.is_headline() && !entry.maintenance;
        let breach = entries.iter_mut().find(breached).unwrap();
        breach.said = Some(super::super::entry::Said { reason: Reason::Understaffed, by: "Mia".into() });
        let text = told(People::Named, false, &entries);
        assert!(
            text.contains("1 of the reasons is a person's word") && text.contains("more was due than could be done"),
            "{text}"
        );
    }
}
