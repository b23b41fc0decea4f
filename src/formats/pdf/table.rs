//! Tables: columns as wide as they need, a head on each page, rows that no page end parts.

use krilla::tagging::{TableHeaderScope, Tag, TagKind};

use super::flow::{Flow, WIDTH};
use super::ink::Ink;
use super::words::{Line, Style};
use crate::formats::html::{missing, side};
use crate::formats::text::{LONGEST, bounded, shown};
use crate::report::{ColumnKind, Report, Table};

/// More rows than these are for a spreadsheet.
const MOST_ROWS: usize = 400;
const GAP: f32 = 14.0;
const HEAD: Style = Style { size: 7.5, bold: false, ink: Ink::Muted };
/// Above and below the words of a row.
const PADDING: f32 = 1.1;

struct Column {
    width: f32,
    right: bool,
}

/// Lays `table` out.
pub fn write(flow: &mut Flow, report: &Report, table: &Table) {
    let (rows, more) = table.to_read(MOST_ROWS);
    let columns = columns(flow, report, table);
    flow.keep(60.0);
    flow.text(Tag::P, &bounded(&table.title, LONGEST), Style::CAPTION, WIDTH);
    flow.group(Tag::Table, |flow| {
        flow.group(Tag::THead, |flow| head(flow, table, &columns, true));
        flow.group(Tag::TBody, |flow| {
            for row in rows {
                let texts: Vec<_> = row.cells.iter().map(|cell| shown(cell, report.zone)).collect();
                body(flow, table, &columns, &texts);
            }
        });
    });
    if let Some(missing) = missing(more) {
        flow.space(2.0);
        flow.text(Tag::P, &missing, Style::SMALL, WIDTH);
    }
    flow.space(8.0);
}

/// Figures take what they need, and words share what is left.
fn columns(flow: &mut Flow, report: &Report, table: &Table) -> Vec<Column> {
    let mut columns: Vec<_> = table
        .columns
        .iter()
        .enumerate()
        .map(|(at, column)| {
            let cells = table.to_read(MOST_ROWS).0.iter().filter_map(|row| row.cells.get(at));
            let widest = cells.map(|cell| flow.width(&shown(cell, report.zone), Style::CELL)).fold(0.0, f32::max);
            let title = flow.width(&bounded(&column.title, LONGEST), HEAD);
            Column { width: widest.max(title.min(90.0)) + GAP, right: side(column.kind).is_some() }
        })
        .collect();
    let is_text = |at: usize| table.columns[at].kind == ColumnKind::Text;
    let total: f32 = columns.iter().map(|column| column.width).sum();
    let words: f32 = columns.iter().enumerate().filter(|(at, _)| is_text(*at)).map(|(_, column)| column.width).sum();
    let figures = total - words;
    let left = (WIDTH - figures).max(words.min(WIDTH * 0.3));
    for (at, column) in columns.iter_mut().enumerate() {
        if is_text(at) && words > left {
            column.width *= left / words;
        }
    }
    squeezed(columns)
}

/// Narrower by one share, if they are too wide all the same.
fn squeezed(mut columns: Vec<Column>) -> Vec<Column> {
    let total: f32 = columns.iter().map(|column| column.width).sum();
    let share = (WIDTH / total.max(1.0)).min(1.0);
    columns.iter_mut().for_each(|column| column.width *= share);
    columns
}

fn head(flow: &mut Flow, table: &Table, columns: &[Column], first: bool) {
    let cells: Vec<_> = table
        .columns
        .iter()
        .zip(columns)
        .map(|(column, place)| flow.wrap(&bounded(&column.title, LONGEST), HEAD, place.width - GAP * 0.6))
        .collect();
    let tag = || Tag::TH(TableHeaderScope::Column).into();
    if first {
        flow.group(Tag::TR, |flow| row(flow, columns, cells, HEAD, Some(&tag)));
    } else {
        row(flow, columns, cells, HEAD, None);
    }
}

fn body(flow: &mut Flow, table: &Table, columns: &[Column], texts: &[String]) {
    let cells: Vec<_> =
        texts.iter().zip(columns).map(|(text, place)| flow.wrap(text, Style::CELL, place.width - GAP * 0.6)).collect();
    if flow.keep(height(&cells, Style::CELL)) {
        head(flow, table, columns, false);
    }
    let tag = || Tag::TD.into();
    flow.group(Tag::TR, |flow| row(flow, columns, cells, Style::CELL, Some(&tag)));
}

fn height(cells: &[Vec<Line>], style: Style) -> f32 {
    let lines = cells.iter().map(Vec::len).max().unwrap_or(1).max(1);
    lines as f32 * style.leading() + 2.0 * PADDING
}

/// One row with a line below; each cell is a `tag`, or all of it only adorns.
fn row(flow: &mut Flow, columns: &[Column], cells: Vec<Vec<Line>>, style: Style, tag: Option<&dyn Fn() -> TagKind>) {
    let (top, height) = (flow.y(), height(&cells, style));
    let mut x = 0.0;
    for (cell, column) in cells.into_iter().zip(columns) {
        flow.move_to(top + PADDING);
        let body = |flow: &mut Flow| lines(flow, cell, x, column, style);
        match tag {
            Some(tag) => flow.leaf(tag(), body),
            None => body(flow),
        }
        x += column.width;
    }
    flow.move_to(top + height);
    let y = top + height;
    flow.line(vec![(0.0, y), (x.max(1.0), y)], Ink::Line);
}

fn lines(flow: &mut Flow, cell: Vec<Line>, x: f32, column: &Column, style: Style) {
    for line in cell {
        let gap = if column.right { (column.width - GAP * 0.6 - line.width).max(0.0) } else { 0.0 };
        flow.put(line, x + gap, style);
        flow.space(style.leading());
    }
}
