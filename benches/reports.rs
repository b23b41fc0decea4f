//! How long a report takes to write: `cargo bench --bench reports`.

use std::time::Instant;

use superops_sla::formats::{Format, Letterhead};
use superops_sla::report::{Cell, Column, ColumnKind, Report, Row, Section, Table};

fn main() {
    for rows in [31, 50_000, 100_000, 200_000] {
        let report = report(rows);
        for format in Format::ALL {
            let begun = Instant::now();
            match format.write(&report, &Letterhead::default()) {
                Ok(bytes) => println!(
                    "{rows:>7} rows  {format:<5} {:>9.1?}  {:>9} bytes  peak {} kB",
                    begun.elapsed(),
                    bytes.len(),
                    peak()
                ),
                Err(error) => println!("{rows:>7} rows  {format:<5} {error}"),
            }
        }
    }
}

/// The most memory that the program has held so far.
fn peak() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.map(|line| line.trim().trim_end_matches(" kB").to_owned()).unwrap_or_default()
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
    let text = include_str!("../fixtures/reports/empty.json");
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
