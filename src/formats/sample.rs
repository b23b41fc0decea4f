//! Sample reports for trying the formats.

use chrono::{DateTime, NaiveDate};

use crate::report::{
    Cell, Chart, ChartKind, ClosedMonth, Column, ColumnKind, Figure, Period, Report, Row, SCHEMA, Section, Series,
    Table, Unit,
};
use crate::sla::zone::Tz;

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn figure(key: &str, title: &str, value: Cell, note: &str) -> Figure {
    Figure { key: key.into(), title: title.into(), value, note: Some(note.into()), opens: None }
}

fn row(cells: Vec<Cell>) -> Row {
    Row { cells, opens: None }
}

fn met_and_breached(day: u32) -> (u64, u64) {
    let breached = if day.is_multiple_of(5) { 2 } else { u64::from(day.is_multiple_of(3)) };
    (9 + u64::from(day % 4) - u64::from(day == 1), breached)
}

fn tenths((met, breached): (u64, u64)) -> u32 {
    u32::try_from(met * 1000 / (met + breached)).unwrap()
}

/// A month of a client as the service makes it.
pub fn month() -> Report {
    let period = Period::new(day("2026-10-01"), day("2026-10-31")).unwrap();
    Report {
        schema: SCHEMA,
        title: "SLA report for October 2026".into(),
        tenant: "acme".into(),
        zone: Tz::named("America/New_York"),
        period,
        client: Some("Müller & Söhne GmbH".into()),
        months: vec![ClosedMonth { month: "2026-10".into(), sha256: "9f86d081884c7d65".repeat(4), corrections: 1 }],
        provisional_until: None,
        as_known_now: false,
        terms: vec![3, 4],
        program: "0.1.0".into(),
        anonymous: false,
        sections: vec![compliance(period), technicians(NAMES), excluded()],
        notes: vec!["Percentages have one decimal; durations are working time.".into()],
        hash: "60303ae22b998861".repeat(4),
    }
}

const NAMES: &[&str] =
    &["Ada Lovelace", "محمد بن موسى", "田中 太郎", "Jürgen Weiß", "Ελένη Παπαδοπούλου", "Наталья Ковалёва"];

fn compliance(period: Period) -> Section {
    let days: Vec<_> = period.days().zip(1..).collect();
    let line = |of: fn(u32) -> Option<f64>| days.iter().map(|(_, number)| of(*number)).collect();
    let daily = |number| (number != 11).then(|| f64::from(tenths(met_and_breached(number))) / 10.0);
    let rows = days.iter().map(|(date, number)| {
        let (met, breached) = met_and_breached(*number);
        row(vec![
            Cell::Date(*date),
            Cell::Count(met),
            Cell::Count(breached),
            Cell::Percent(tenths((met, breached))),
            Cell::Duration(i64::try_from(breached).unwrap() * 1_830_000),
        ])
    });
    Section {
        key: "compliance".into(),
        title: "Compliance".into(),
        text: vec!["Of the clocks that were decided in October, 91.4 % were kept; the target is 95 %.".into()],
        figures: vec![
            figure("compliance", "Compliance", Cell::Percent(914), "318 of 348 · 88.0 to 93.9 %"),
            figure("response", "First response", Cell::Duration(3_133_000), "mean of 173; median 40 min"),
            figure("resolution", "Resolution", Cell::Duration(19_150_000), "mean of 175; median 4 h 30 min"),
            figure("breaches", "Breaches", Cell::Count(30), "12 of first response, 18 of resolution"),
        ],
        charts: vec![Chart {
            key: "days".into(),
            title: "Compliance by day".into(),
            kind: ChartKind::Line,
            unit: Unit::Percent,
            labels: days.iter().map(|(date, _)| date.to_string()).collect(),
            series: vec![
                Series { name: "By day".into(), points: line(daily) },
                Series { name: "Seven days".into(), points: line(|number| Some(88.0 + f64::from(number % 7))) },
            ],
            target: Some(95.0),
        }],
        tables: vec![Table {
            key: "days".into(),
            title: "By day".into(),
            columns: vec![
                Column::new("day", "Day", ColumnKind::Date),
                Column::new("met", "Met", ColumnKind::Count),
                Column::new("breached", "Breached", ColumnKind::Count),
                Column::new("compliance", "Compliance", ColumnKind::Percent),
                Column::new("downtime", "Past target", ColumnKind::Duration),
            ],
            rows: rows.collect(),
            left_out: 0,
            shown: None,
        }],
    }
}

fn technicians(names: &[&str]) -> Section {
    let rows = names.iter().zip(1u64..).map(|(name, number)| {
        row(vec![
            Cell::text(*name),
            Cell::Count(40 + number),
            Cell::Percent(900 + u32::try_from(number).unwrap()),
            if number == 3 { Cell::Blank } else { Cell::Duration(2_400_000) },
            Cell::Time(DateTime::from_timestamp(1_793_000_000, 0).unwrap()),
        ])
    });
    Section {
        key: "technicians".into(),
        title: "Technicians".into(),
        charts: vec![Chart {
            key: "reasons".into(),
            title: "Why targets were missed".into(),
            kind: ChartKind::Bar,
            unit: Unit::Count,
            labels: ["Out of hours", "Nobody had it", "Paused late", "Waiting"].map(str::to_owned).to_vec(),
            series: vec![Series { name: "Breaches".into(), points: [12.0, 9.0, 2.0, 7.0].map(Some).to_vec() }],
            target: None,
        }],
        tables: vec![Table {
            key: "technicians".into(),
            title: "By technician".into(),
            columns: vec![
                Column::new("technician", "Technician", ColumnKind::Text),
                Column::new("tickets", "Tickets", ColumnKind::Count),
                Column::new("compliance", "Compliance", ColumnKind::Percent),
                Column::new("response", "First response", ColumnKind::Duration),
                Column::new("last", "Last decided", ColumnKind::Time),
            ],
            rows: rows.collect(),
            left_out: 0,
            shown: None,
        }],
        ..Section::default()
    }
}

fn excluded() -> Section {
    let rows = [("merged", 3), ("no target", 2), ("maintenance", 11)];
    Section {
        key: "excluded".into(),
        title: "What was left out, and why".into(),
        text: vec!["These clocks count neither for nor against the figures above.".into()],
        tables: vec![Table {
            key: "excluded".into(),
            title: "Excluded clocks by reason".into(),
            columns: vec![
                Column::new("reason", "Reason", ColumnKind::Text),
                Column::new("clocks", "Clocks", ColumnKind::Count),
            ],
            rows: rows.map(|(reason, count)| row(vec![Cell::text(reason), Cell::Count(count)])).to_vec(),
            left_out: 4,
            shown: None,
        }],
        ..Section::default()
    }
}

/// A month with malicious names.
pub fn hostile() -> Report {
    let long = "長".repeat(10_000);
    let names = [
        "=HYPERLINK(\"http://evil.example\",\"a\")",
        "<script>alert(1)</script>",
        "in\u{202e}fdp.exe\u{0}\u{7}\u{200f}",
        &long,
        "O'Neil, \"Ada\"\r\nline two",
        "]]>--><!--&amp;\u{fffe}\u{e000}🦀",
        "",
    ];
    let mut report = month();
    report.title = "<b>=1+1</b> \u{202e}".into();
    report.tenant = "../../etc/\"\r\n<x>".into();
    report.client = Some("</title><script>x</script>".into());
    report.sections[1] = technicians(&names);
    report.sections[1].charts[0].labels[0] = "</text><script>".into();
    report.sections[1].title = "[Bad]:*?/\\ name that is much too long for a sheet".into();
    report.sections[1].tables[0].title = report.sections[1].title.clone();
    report
}
