//! HTML: one self-contained file without scripts or network access, which prints as the PDF does.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use maud::{Markup, PreEscaped, html};

use super::page::document;
use super::text::{LONGEST, bounded, grouped, period, provenance, shown};
use super::{Letterhead, svg};
use crate::report::{Cell, ColumnKind, Figure, Report, Section, Table};

/// The most rows of a table on a page; more are for a spreadsheet.
pub const MOST_ROWS: usize = 2000;

const STYLE: &str = include_str!("formats.css");

/// Writes `report` as a page.
pub fn write(report: &Report, letterhead: &Letterhead) -> Vec<u8> {
    let head = html! {
        meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:";
        style { (PreEscaped(STYLE)) }
    };
    let body = html! {
        body { main { (self::head(report, letterhead)) @for section in &report.sections { (part(report, section)) } (foot(report)) } }
    };
    document(&heading(report), &head, &body).into_string().into_bytes()
}

/// The title, with the client if the report is about one.
pub fn heading(report: &Report) -> String {
    let title = bounded(&report.title, LONGEST);
    report.client.as_ref().map_or(title.clone(), |client| format!("{title} · {}", bounded(client, LONGEST)))
}

fn head(report: &Report, letterhead: &Letterhead) -> Markup {
    html! {
        header {
            div {
                h1 { bdi { (bounded(&report.title, LONGEST)) } }
                @if let Some(client) = &report.client { p.client { bdi { (bounded(client, LONGEST)) } } }
                p.quiet { (period(report)) }
            }
            @if let Some(logo) = &letterhead.logo {
                img.logo alt="" src=(format!("data:{};base64,{}", logo.content_type(), STANDARD.encode(&logo.bytes)));
            }
        }
    }
}

fn part(report: &Report, section: &Section) -> Markup {
    html! {
        section {
            h2 { bdi { (bounded(&section.title, LONGEST)) } }
            @for text in &section.text { p { (bounded(text, 2000)) } }
            @if !section.figures.is_empty() { dl.figures { @for figure in &section.figures { (headline(report, figure)) } } }
            @for chart in &section.charts {
                figure { figcaption { (bounded(&chart.title, LONGEST)) } (svg::write(chart)) }
            }
            @for table in &section.tables { (rows(report, table)) }
        }
    }
}

fn headline(report: &Report, figure: &Figure) -> Markup {
    html! {
        div {
            dt { (bounded(&figure.title, LONGEST)) }
            dd { bdi { (shown(&figure.value, report.zone)) } }
            @if let Some(note) = &figure.note { dd.quiet { (bounded(note, LONGEST)) } }
        }
    }
}

fn rows(report: &Report, table: &Table) -> Markup {
    let (shown, more) = table.to_read(MOST_ROWS);
    html! {
        div.wide {
            table {
                caption { bdi { (bounded(&table.title, LONGEST)) } }
                thead { tr { @for column in &table.columns { th scope="col" class=[side(column.kind)] { (bounded(&column.title, LONGEST)) } } } }
                tbody { @for row in shown { tr { @for cell in &row.cells { (field(report, cell)) } } } }
            }
            @if let Some(missing) = missing(more) { p.quiet { (missing) } }
        }
    }
}

/// A note on `more` rows that are not shown.
pub fn missing(more: u64) -> Option<String> {
    match more {
        0 => None,
        1 => Some("1 more row is not shown.".to_owned()),
        many => Some(format!("{} more rows are not shown.", grouped(many))),
    }
}

/// The CSS class of a column: figures are aligned by their last digit.
pub fn side(kind: ColumnKind) -> Option<&'static str> {
    (!matches!(kind, ColumnKind::Text | ColumnKind::Date | ColumnKind::Time)).then_some("number")
}

fn field(report: &Report, cell: &Cell) -> Markup {
    let number = matches!(cell, Cell::Count(_) | Cell::Percent(_) | Cell::Duration(_) | Cell::Number(_) | Cell::Blank);
    html! { td class=[number.then_some("number")] { bdi { (shown(cell, report.zone)) } } }
}

fn foot(report: &Report) -> Markup {
    html! {
        footer {
            @for note in &report.notes { p { (bounded(note, 2000)) } }
            @for line in provenance(report) { p.quiet { (bounded(&line, 2000)) } }
        }
    }
}
