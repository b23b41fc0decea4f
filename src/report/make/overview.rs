//! The parts of a report that everybody reads: the figures in short, and day by day.

use super::super::day::Day;
use super::super::figures::Summary;
use super::super::interval::{Confidence, wilson};
use super::super::rate::{Goal, Rate};
use super::super::spread::Spread;
use super::super::trend::{Change, change};
use super::super::{Cell, Chart, ChartKind, Column, ColumnKind, Figure, Opens, Row, Section, Series, Table, Unit};
use super::Material;
use crate::ticket::ClockKind;

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

pub(super) fn overview(material: &Material<'_>, sum: &Summary, earlier: Rate) -> Section {
    let of_clock = |kind: ClockKind| Opens { clock: Some(kind.as_str().to_owned()), ..material.opens() };
    let mut figures = vec![rate_figure("compliance", "Compliance", sum.all, material.opens())];
    let titles = ["First response", "First resolution", "Next response"];
    for ((kind, rate), title) in ClockKind::ALL.into_iter().zip(sum.clocks).zip(titles) {
        if rate.of > 0 {
            figures.push(rate_figure(kind.as_str(), title, rate, of_clock(kind)));
        }
    }
    let length = |value: Option<i64>| value.map_or(Cell::Blank, Cell::Duration);
    let between = |spread: &Spread| Some(format!("of {}", spread.n)).filter(|_| spread.n > 0);
    figures.extend([
        figure(
            "all_kept",
            "Tickets with every clock kept",
            Cell::percent(sum.all_kept.tenths()),
            note_of(sum.all_kept),
        ),
        figure("response_median", "Median first response", length(sum.response.median), between(&sum.response)),
        figure("resolution_median", "Median resolution", length(sum.resolution.median), between(&sum.resolution)),
        figure("reopened", "Reopened", Cell::percent(sum.reopened.tenths()), note_of(sum.reopened)),
        figure("breaches", "Breaches", Cell::Count(sum.all.of - sum.all.met), open_note(sum)),
    ]);
    let text = vec![against_goal(sum.all, material.goal), against_before(sum.all, earlier)];
    Section { key: "overview".into(), title: "In short".into(), text, figures, ..Section::default() }
}

fn open_note(sum: &Summary) -> Option<String> {
    match sum.open_breaches {
        0 => None,
        1 => Some("1 is still open".to_owned()),
        more => Some(format!("{more} are still open")),
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
        return "There is no comparison with the period before: too little was decided.".to_owned();
    };
    let said = if is_sure { "more than chance explains" } else { "which may be noise" };
    format!(
        "In the period before, of the same length, it was {} %: a difference of {points:+.1} points, {said}.",
        before.percent().unwrap_or_default()
    )
}

pub(super) fn course(material: &Material<'_>) -> Section {
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
        Column::new("overdue", "Time with overdue clocks", ColumnKind::Duration),
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
