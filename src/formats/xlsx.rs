//! XLSX: a summary sheet and one for each table, with typed columns.
//!
//! Text goes in as text and never as a formula or a link. The date in the file is the period's last day.

use chrono::{DateTime, NaiveDateTime, NaiveTime};
use rust_xlsxwriter::{DocProperties, ExcelDateTime, Format, FormatAlign, Workbook, Worksheet, XlsxError};

use super::FormatError;
use super::text::{LONGEST, bounded, grouped, period, provenance};
use crate::report::{Cell, ColumnKind, Report, Row, Table};

/// The most rows of a table on a sheet, below its head.
const MOST_ROWS: usize = 1_048_570;
/// The most characters in a cell.
const MOST_CHARACTERS: usize = 32_000;
/// Larger tables go through a file instead of memory.
const LARGE: usize = 5_000;

/// Writes `report` as a workbook.
pub fn write(report: &Report) -> Result<Vec<u8>, FormatError> {
    let mut book = Workbook::new();
    let title = bounded(&report.title, LONGEST);
    let date = excel_date(report.period.to)?;
    book.set_properties(&DocProperties::new().set_title(title).set_creation_datetime(&date));
    let looks = Looks::new();
    summary(book.add_worksheet(), report, &looks)?;
    let mut names = vec!["summary".to_owned()];
    for table in report.sections.iter().flat_map(|section| &section.tables) {
        let sheet = if table.rows.len() > LARGE { book.add_worksheet_with_low_memory()? } else { book.add_worksheet() };
        sheet.set_name(sheet_name(&table.title, &mut names))?;
        rows(sheet, report, table, &looks)?;
    }
    Ok(book.save_to_buffer()?)
}

/// The format of each type.
struct Looks {
    title: Format,
    head: Format,
    plain: Format,
    count: Format,
    percent: Format,
    duration: Format,
    date: Format,
    time: Format,
    number: Format,
}

impl Looks {
    fn new() -> Self {
        let number = |code: &str| Format::new().set_num_format(code);
        Self {
            title: Format::new().set_bold().set_font_size(14),
            head: Format::new().set_bold().set_text_wrap().set_align(FormatAlign::Top),
            plain: Format::new(),
            count: number("#,##0"),
            percent: number("0.0%"),
            duration: number("[h]:mm:ss"),
            date: number("yyyy-mm-dd"),
            time: number("yyyy-mm-dd hh:mm:ss"),
            number: number("0.00"),
        }
    }

    fn of(&self, kind: ColumnKind) -> &Format {
        match kind {
            ColumnKind::Text => &self.plain,
            ColumnKind::Count => &self.count,
            ColumnKind::Percent => &self.percent,
            ColumnKind::Duration => &self.duration,
            ColumnKind::Date => &self.date,
            ColumnKind::Time => &self.time,
            ColumnKind::Number => &self.number,
        }
    }
}

/// Title, period, headline figures, notes, and where the figures come from.
fn summary(sheet: &mut Worksheet, report: &Report, looks: &Looks) -> Result<(), XlsxError> {
    sheet.set_name("Summary")?.set_column_width(0, 34)?.set_column_width(1, 18)?.set_column_width(2, 60)?;
    sheet.write_string_with_format(0, 0, text(&report.title), &looks.title)?;
    let mut row = 1;
    for line in report.client.iter().cloned().chain([period(report)]) {
        sheet.write_string(row, 0, text(&line))?;
        row += 1;
    }
    for figure in report.sections.iter().flat_map(|section| &section.figures) {
        row += 1;
        sheet.write_string(row, 0, text(&figure.title))?;
        cell(sheet, report, (row, 1), (&figure.value, ColumnKind::Text), looks)?;
        sheet.write_string(row, 2, text(figure.note.as_deref().unwrap_or_default()))?;
    }
    row += 1;
    let said = report.sections.iter().flat_map(|section| &section.text);
    for line in said.chain(&report.notes).cloned().chain(provenance(report)) {
        row += 1;
        sheet.write_string(row, 0, text(&line))?;
    }
    Ok(())
}

fn rows(sheet: &mut Worksheet, report: &Report, table: &Table, looks: &Looks) -> Result<(), XlsxError> {
    for (column, at) in table.columns.iter().zip(0u16..) {
        sheet.set_column_width(at, if column.kind == ColumnKind::Text { 32 } else { 17 })?;
        sheet.set_column_format(at, looks.of(column.kind))?;
        sheet.write_string_with_format(0, at, head(report, &column.title, column.kind), &looks.head)?;
    }
    sheet.set_freeze_panes(1, 0)?.set_repeat_rows(0, 0)?.set_landscape().set_paper_size(9).set_print_fit_to_pages(1, 0);
    let last = u16::try_from(table.columns.len()).unwrap_or(1).max(1) - 1;
    let shown = table.rows.len().min(MOST_ROWS);
    let end = u32::try_from(shown).unwrap_or(u32::MAX);
    sheet.autofilter(0, 0, end, last)?;
    for (row, at) in table.rows.iter().take(MOST_ROWS).zip(1u32..) {
        fields(sheet, report, (at, table), row, looks)?;
    }
    if let Some(missing) = super::html::missing(table.left_out + (table.rows.len() - shown) as u64) {
        sheet.write_string(end + 2, 0, missing)?;
    }
    Ok(())
}

/// The head of a column of times names their time zone.
fn head(report: &Report, title: &str, kind: ColumnKind) -> String {
    let title = text(title);
    if kind == ColumnKind::Time { format!("{title} ({})", report.zone) } else { title }
}

fn fields(
    sheet: &mut Worksheet,
    report: &Report,
    (at, table): (u32, &Table),
    row: &Row,
    looks: &Looks,
) -> Result<(), XlsxError> {
    let cells = row.cells.iter().zip(&table.columns).zip(0u16..);
    cells.into_iter().try_for_each(|((value, of), column)| cell(sheet, report, (at, column), (value, of.kind), looks))
}

/// Writes `value` into a column formatted as `column_kind`.
fn cell(
    sheet: &mut Worksheet,
    report: &Report,
    (row, column): (u32, u16),
    (value, column_kind): (&Cell, ColumnKind),
    looks: &Looks,
) -> Result<(), XlsxError> {
    let (kind, number) = match value {
        Cell::Blank => return Ok(()),
        Cell::Text(words) => return sheet.write_string(row, column, text(words)).map(drop),
        // A spreadsheet cannot show a negative time.
        Cell::Duration(ms @ ..0) => return sheet.write_string(row, column, super::text::duration(*ms)).map(drop),
        Cell::Count(count) => (ColumnKind::Count, *count as f64),
        Cell::Percent(tenths) => (ColumnKind::Percent, f64::from(*tenths) / 1000.0),
        Cell::Duration(ms) => (ColumnKind::Duration, (ms / 1000) as f64 / DAY),
        Cell::Date(date) => (ColumnKind::Date, serial(date.and_time(NaiveTime::MIN))),
        Cell::Time(time) => (ColumnKind::Time, serial(time.with_timezone(&report.zone).naive_local())),
        Cell::Number(number) => (ColumnKind::Number, *number),
    };
    // Naming the format of each of a million cells takes longer than writing them.
    match kind == column_kind {
        true => sheet.write_number(row, column, number)?,
        false => sheet.write_number_with_format(row, column, number, looks.of(kind))?,
    };
    Ok(())
}

/// Seconds in a day.
const DAY: f64 = 86_400.0;

/// The days since the end of 1899, as a spreadsheet counts time.
fn serial(time: NaiveDateTime) -> f64 {
    (time - DateTime::UNIX_EPOCH.naive_utc()).num_seconds() as f64 / DAY + 25_569.0
}

fn excel_date(date: chrono::NaiveDate) -> Result<ExcelDateTime, XlsxError> {
    use chrono::Datelike;
    let part = |number: u32| u8::try_from(number).unwrap_or(1);
    ExcelDateTime::from_ymd(u16::try_from(date.year()).unwrap_or(1900), part(date.month()), part(date.day()))
}

/// Text that XML can hold and a cell has room for.
fn text(text: &str) -> String {
    bounded(text, MOST_CHARACTERS)
}

/// Returns a valid sheet name that no other sheet has yet.
fn sheet_name(title: &str, taken: &mut Vec<String>) -> String {
    let allowed = |c: &char| !matches!(c, '[' | ']' | ':' | '*' | '?' | '/' | '\\' | '\'');
    let plain: String = bounded(title, LONGEST).chars().filter(allowed).take(26).collect();
    let plain = match plain.trim() {
        "" => "Table",
        "History" | "history" => "History of tickets",
        name => name,
    };
    let numbered = (2..).map(|number| format!("{plain} {}", grouped(number)));
    let name = [plain.to_owned()].into_iter().chain(numbered).find(|name| !taken.contains(&name.to_lowercase()));
    let name = name.unwrap_or_else(|| plain.to_owned());
    taken.push(name.to_lowercase());
    name
}

#[cfg(test)]
mod tests {
    use calamine::{Data, Reader, Xlsx};

    use super::*;
    use crate::formats::sample;

    fn opened(report: &Report) -> Xlsx<std::io::Cursor<Vec<u8>>> {
        Xlsx::new(std::io::Cursor::new(write(report).unwrap())).unwrap()
    }

    #[test]
    fn columns_keep_their_types() {
        let mut book = opened(&sample::month());
        assert_eq!(book.sheet_names(), ["Summary", "By day", "By technician", "Excluded clocks by reason"]);
        let sheet = book.worksheet_range("By day").unwrap();
        let Some(Data::DateTime(day)) = sheet.get((3, 0)) else { panic!("{:?}", sheet.get((3, 0))) };
        assert_eq!((day.is_datetime(), day.to_ymd_hms_milli()), (true, (2026, 10, 3, 0, 0, 0, 0)));
        assert_eq!(sheet.get((3, 1)), Some(&Data::Float(12.0)));
        assert_eq!(sheet.get((3, 3)), Some(&Data::Float(0.923)));
        let Some(Data::DateTime(past)) = sheet.get((3, 4)) else { panic!("{:?}", sheet.get((3, 4))) };
        assert!(past.is_duration() && (past.as_f64() * 86_400.0 - 1830.0).abs() < 1e-6, "{past:?}");
    }

    #[test]
    fn times_are_those_of_the_zone() {
        let mut book = opened(&sample::month());
        let sheet = book.worksheet_range("By technician").unwrap();
        assert_eq!(sheet.get((0, 4)), Some(&Data::String("Last decided (America/New_York)".into())));
        let Some(Data::DateTime(time)) = sheet.get((1, 4)) else { panic!("{:?}", sheet.get((1, 4))) };
        assert_eq!(time.to_ymd_hms_milli(), (2026, 10, 26, 3, 33, 20, 0));
    }

    #[test]
    fn hostile_names_are_text() {
        let mut book = opened(&sample::hostile());
        let names = book.sheet_names();
        let sheet = book.worksheet_range(&names[2]).unwrap();
        assert_eq!(sheet.get((1, 0)), Some(&Data::String("=HYPERLINK(\"http://evil.example\",\"a\")".into())));
        assert_eq!(sheet.get((3, 0)), Some(&Data::String("infdp.exe".into())));
        assert!(matches!(sheet.get((4, 0)), Some(Data::String(long)) if long.chars().count() == 10_000));
        let formulas = book.worksheet_formula(&names[2]).unwrap();
        assert_eq!(formulas.used_cells().count(), 0);
    }

    #[test]
    fn sheets_get_names_that_they_may_have_and_no_two_the_same() {
        let mut taken = Vec::new();
        let names = ["a/b:c", "AB:C", "", "History", &"x".repeat(80)].map(|title| sheet_name(title, &mut taken));
        assert_eq!(names, ["abc", "ABC 2", "Table", "History of tickets", &"x".repeat(26)]);
    }
}
