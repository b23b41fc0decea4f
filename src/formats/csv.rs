//! CSV: one table of the report, for spreadsheets and for programs.
//!
//! Columns are named by their keys, with the unit where there is one; durations are seconds, percentages
//! plain numbers, times RFC 3339 in UTC. A spreadsheet takes text that begins like a formula for one, so
//! such text gets an apostrophe in front.

use chrono::SecondsFormat;

use super::FormatError;
use crate::report::{Cell, Column, ColumnKind, Report, Table};

/// Writes the table named `asked`, or else the first.
pub fn write(report: &Report, asked: Option<&str>) -> Result<Vec<u8>, FormatError> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    if let Some(table) = table(report, asked)? {
        writer.write_record(table.columns.iter().map(name))?;
        for row in &table.rows {
            writer.write_record(row.cells.iter().map(value))?;
        }
    }
    Ok(writer.into_inner().map_err(|error| csv::Error::from(error.into_error()))?)
}

/// Writes rows of text, none of which a spreadsheet runs.
pub fn rows(rows: impl IntoIterator<Item = Vec<String>>) -> Result<Vec<u8>, FormatError> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    for row in rows {
        writer.write_record(row.iter().map(|cell| harmless(cell)))?;
    }
    Ok(writer.into_inner().map_err(|error| csv::Error::from(error.into_error()))?)
}

fn table<'a>(report: &'a Report, asked: Option<&str>) -> Result<Option<&'a Table>, FormatError> {
    let mut tables = report.sections.iter().flat_map(|section| &section.tables);
    let Some(asked) = asked else { return Ok(tables.next()) };
    let found = tables.find(|table| table.key == asked);
    found.map(Some).ok_or_else(|| FormatError::NoSuchTable { asked: asked.to_owned(), there: keys(report) })
}

fn keys(report: &Report) -> String {
    let tables = report.sections.iter().flat_map(|section| &section.tables);
    tables.map(|table| format!("`{}`", table.key)).collect::<Vec<_>>().join(", ")
}

/// The key, with its unit unless it ends with that already.
fn name(column: &Column) -> String {
    let unit = match column.kind {
        ColumnKind::Duration => "_seconds",
        ColumnKind::Percent => "_percent",
        _ => "",
    };
    if column.key.ends_with(unit) { column.key.clone() } else { format!("{}{unit}", column.key) }
}

fn value(cell: &Cell) -> String {
    match cell {
        Cell::Blank => String::new(),
        Cell::Text(text) => harmless(text),
        Cell::Count(count) => count.to_string(),
        Cell::Percent(tenths) => format!("{}.{}", tenths / 10, tenths % 10),
        Cell::Duration(ms) => ms.div_euclid(1000).to_string(),
        Cell::Date(date) => date.to_string(),
        Cell::Time(time) => time.to_rfc3339_opts(SecondsFormat::Secs, true),
        Cell::Number(number) => number.to_string(),
    }
}

/// Keeps a spreadsheet from taking text for a formula.
fn harmless(text: &str) -> String {
    const FORMULA: [char; 11] = ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'];
    // Some readers take a zero byte for the end of the file, and no name has one.
    let text = text.replace('\0', "");
    // Some spreadsheets skip blanks and invisible marks before they look.
    let seen =
        text.trim_start_matches(|c: char| c == ' ' || c == '\u{a0}' || super::text::visible(&c.to_string()).is_empty());
    if text.starts_with(FORMULA) || seen.starts_with(FORMULA) { format!("'{text}") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::sample;

    fn read(bytes: &[u8]) -> Vec<Vec<String>> {
        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(bytes);
        reader.records().map(|record| record.unwrap().iter().map(str::to_owned).collect()).collect()
    }

    #[test]
    fn text_that_begins_like_a_formula_is_kept_from_being_one() {
        for text in
            ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1", "＋1", "－1", "＠x", " =1", "\u{202e}=1"]
        {
            assert!(harmless(text).starts_with('\''), "{text:?}");
        }
        for text in ["Ada", "a=1", "", "3-4", "'quoted'", "Ünal"] {
            assert_eq!(harmless(text), text);
        }
    }

    #[test]
    fn a_program_gets_all_rows_where_a_reader_is_shown_the_first() {
        let mut report = sample::month();
        report.sections[0].tables[0].shown = Some(2);
        let all = report.sections[0].tables[0].rows.len();
        assert_eq!(read(&write(&report, None).unwrap()).len(), 1 + all);
        let page =
            String::from_utf8(crate::formats::Format::Html.write(&report, &Default::default()).unwrap()).unwrap();
        assert!(page.contains(&format!("{} more rows are not shown.", all - 2)), "{page}");
    }

    #[test]
    fn a_table_reads_back_with_its_units_in_the_names() {
        let rows = read(&write(&sample::month(), None).unwrap());
        assert_eq!(rows[0], ["day", "met", "breached", "compliance_percent", "downtime_seconds"]);
        assert_eq!(rows[1], ["2026-10-01", "9", "0", "100.0", "0"]);
        assert_eq!(rows.len(), 32);
    }

    #[test]
    fn a_hostile_name_stays_in_its_cell() {
        let rows = read(&write(&sample::hostile(), Some("technicians")).unwrap());
        assert_eq!(rows[1][0], "'=HYPERLINK(\"http://evil.example\",\"a\")");
        assert_eq!(rows[2][0], "<script>alert(1)</script>");
        assert_eq!(rows[4][0].chars().count(), 10_000);
        assert_eq!(rows[5][0], "O'Neil, \"Ada\"\r\nline two");
        assert!(rows.iter().all(|row| row.len() == rows[0].len()));
    }

    #[test]
    fn another_table_is_asked_for_by_name() {
        assert!(write(&sample::month(), Some("technicians")).unwrap().starts_with(b"technician,"));
        let error = write(&sample::month(), Some("x")).unwrap_err().to_string();
        assert_eq!(error, "the report has no table `x`; it has `days`, `technicians`, `excluded`");
    }
}
