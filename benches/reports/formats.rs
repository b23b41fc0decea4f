//! How long a report takes to write, in each format.

use std::time::{Duration, Instant};

use superops_sla::formats::{Format, Letterhead};
use superops_sla::report::{Cell, Column, ColumnKind, Report, Row, Section, Table};

use super::figure::{Figure, millis};
use super::memory;

/// Rows of the one table, twelve columns wide. The first is a month; the last a year with a line for each ticket.
const ROWS: [usize; 4] = [31, 50_000, 100_000, 200_000];
const FIRST_PDF: Duration = Duration::from_millis(100);
const LARGE_XLSX: Duration = Duration::from_secs(2);
/// Megabytes beyond what the program and the report hold.
const LARGE_XLSX_MEMORY: u64 = 200;

pub fn measure() -> anyhow::Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for rows in ROWS {
        let report = report(rows);
        for format in Format::ALL {
            memory::forget_peak();
            let (before, begun) = (memory::now(), Instant::now());
            let written = format.write(&report, &Letterhead::default());
            let (took, peak) = (begun.elapsed(), memory::peak().saturating_sub(before));
            let what = format!("{rows} rows as {format}");
            figures.push(match (written, rows, format) {
                (Err(error), ..) => Figure::plain(what, error.to_string()),
                (Ok(_), 31, Format::Pdf) => {
                    let words = format!("the first of a run under {}", millis(FIRST_PDF));
                    Figure::new(what, millis(took), words, took < FIRST_PDF)
                }
                (Ok(bytes), 200_000, Format::Xlsx) => {
                    let words = format!("under {} and {LARGE_XLSX_MEMORY} MB", millis(LARGE_XLSX));
                    let met = took < LARGE_XLSX && peak < LARGE_XLSX_MEMORY;
                    Figure::new(what, told(took, bytes.len(), peak), words, met)
                }
                (Ok(bytes), ..) => Figure::plain(what, told(took, bytes.len(), peak)),
            });
        }
    }
    Ok(figures)
}

fn told(took: Duration, bytes: usize, peak: u64) -> String {
    format!("{}, {} kB, {peak} MB of memory", millis(took), bytes >> 10)
}

/// A report with one table of twelve columns.
fn report(rows: usize) -> Report {
    let kinds = [
        ColumnKind::Text,
        ColumnKind::Count,
        ColumnKind::Percent,
        ColumnKind::Duration,
        ColumnKind::Date,
        ColumnKind::Time,
    ];
    let columns =
        (0..12).map(|at| Column::new(&format!("column_{at}"), &format!("Column {at}"), kinds[at % 6])).collect();
    let text = include_str!("../../fixtures/reports/empty.json");
    let Ok(mut report) = serde_json::from_str::<Report>(text) else { unreachable!("the fixture is a report") };
    let rows =
        (0..rows).map(|row| Row { cells: (0..12).map(|at| cell(row, at, report.period.from)).collect(), opens: None });
    let table =
        Table { key: "tickets".into(), title: "Tickets".into(), columns, rows: rows.collect(), ..Table::default() };
    report.sections =
        vec![Section { key: "tickets".into(), title: "Tickets".into(), tables: vec![table], ..Section::default() }];
    report
}

fn cell(row: usize, at: usize, day: chrono::NaiveDate) -> Cell {
    match at % 6 {
        0 => Cell::text(format!("Ticket {row} of somebody {at}")),
        1 => Cell::Count(row as u64),
        2 => Cell::Percent(786),
        3 => Cell::Duration(row as i64 * 1000),
        4 => Cell::Date(day),
        _ => Cell::Time(chrono::DateTime::from_timestamp(1_793_000_000 + row as i64, 0).unwrap_or_default()),
    }
}
