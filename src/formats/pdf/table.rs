//! Tables: columns as wide as they need, a head on each page, and rows that no page break splits.

use std::collections::BTreeSet;

use krilla::tagging::{TableHeaderScope, Tag, TagKind};

use super::flow::{Flow, WIDTH};
use super::ink::Ink;
use super::words::{Line, Style};
use crate::formats::html::{missing, side};
use crate::formats::text::{LONGEST, bounded, shown};
use crate::report::{ColumnKind, Report, Table};

/// The most rows of a table; more are for a spreadsheet.
const MOST_ROWS: usize = 400;
const GAP: f32 = 14.0;
/// The gap in a table with little room.
const LEAST_GAP: f32 = 5.0;
/// A wider word is split.
const LONGEST_WORD: f32 = 120.0;
const HEAD: Style = Style { size: 7.5, bold: false, ink: Ink::Muted };
/// Above and below the words of a row.
const PADDING: f32 = 1.1;

struct Column {
    /// The room for words.
    words: f32,
    /// The same with the gap after it.
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

/// Gives each column the width it wants, if all fit. If not, none is narrower than its longest word or figure as far as
/// possible, and what is left is shared by what each wants beyond that.
fn columns(flow: &mut Flow, report: &Report, table: &Table) -> Vec<Column> {
    let wishes: Vec<_> = (0..table.columns.len()).map(|at| wish(flow, report, table, at)).collect();
    let sum = |of: fn(&Wish) -> f32| wishes.iter().map(of).sum::<f32>();
    let (least, most) = (sum(|wish| wish.least), sum(|wish| wish.most));
    let gap = ((WIDTH - least) / wishes.len().max(1) as f32).clamp(LEAST_GAP, GAP);
    let room = WIDTH - gap * wishes.len() as f32;
    let width = |wish: &Wish| match room {
        room if most <= room => wish.most,
        room if least >= room => wish.least * room / least,
        room => wish.least + (wish.most - wish.least) * (room - least) / (most - least),
    };
    let column = |(wish, column): (&Wish, &crate::report::Column)| Column {
        // Rounding must not make it too narrow for the word it was made for.
        words: width(wish) + 0.1,
        width: width(wish) + gap,
        right: side(column.kind).is_some(),
    };
    wishes.iter().zip(&table.columns).map(column).collect()
}

/// How wide a column should be, without the gap after it.
struct Wish {
    least: f32,
    most: f32,
}

fn wish(flow: &mut Flow, report: &Report, table: &Table, at: usize) -> Wish {
    let column = &table.columns[at];
    let cells = table.to_read(MOST_ROWS).0.iter().filter_map(|row| row.cells.get(at));
    let texts: BTreeSet<String> = cells.map(|cell| shown(cell, report.zone)).collect();
    let title = bounded(&column.title, LONGEST);
    let widest = texts.iter().map(|text| flow.width(text, Style::CELL)).fold(0.0, f32::max);
    // Only words are split, never figures or dates.
    let least = match column.kind {
        ColumnKind::Text => texts.iter().map(|text| flow.longest(text, Style::CELL)).fold(0.0, f32::max),
        _ => widest,
    };
    let head = flow.longest(&title, HEAD);
    Wish { least: least.min(LONGEST_WORD).max(head), most: widest.max(flow.width(&title, HEAD).min(90.0)).max(head) }
}

fn head(flow: &mut Flow, table: &Table, columns: &[Column], first: bool) {
    let cells: Vec<_> = table
        .columns
        .iter()
        .zip(columns)
        .map(|(column, place)| flow.wrap(&bounded(&column.title, LONGEST), HEAD, place.words))
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
        texts.iter().zip(columns).map(|(text, place)| flow.wrap(text, Style::CELL, place.words)).collect();
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

/// Draws one row with a line below; each cell is a `tag`, or the whole row is decoration.
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
        let gap = if column.right { (column.words - line.width).max(0.0) } else { 0.0 };
        flow.put(line, x + gap, style);
        flow.space(style.leading());
    }
}
