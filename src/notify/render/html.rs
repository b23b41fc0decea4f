//! A letter as HTML: one column, inline styles, no images.
//!
//! Text and background keep the reader's own colours, so a dark screen stays dark; only the bar beside the headline and
//! the main button have fixed colours, which read well on black and on white.

use maud::{DOCTYPE, Markup, html};

use super::Urgency;
use super::letter::{Letter, Link, Row};

const PAGE: &str = "margin:0;padding:16px;font:16px/1.5 -apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif";
const COLUMN: &str = "max-width:560px;margin:0 auto;overflow-wrap:anywhere";
const PREHEADER: &str = "display:none;max-height:0;max-width:0;overflow:hidden;opacity:0;font-size:1px;line-height:1px";
const TABLE: &str = "border-collapse:collapse;margin:0 0 16px";
const LABEL: &str =
    "padding:2px 16px 2px 0;text-align:left;vertical-align:top;font-weight:normal;opacity:.7;white-space:nowrap";
const CELL: &str = "padding:2px 0;vertical-align:top";
/// Rows are stacked: two columns would leave a phone no room for the subject.
const ROW: &str = "padding:0 0 0 10px;margin:0 0 14px";
const BUTTON: &str =
    "display:block;margin:0 0 8px;padding:11px 16px;border-radius:6px;text-align:center;text-decoration:none;";
/// One button is filled: the one to press first.
const MAIN: &str = "border:1px solid #1d4ed8;background:#1d4ed8;color:#ffffff;font-weight:bold";
const OTHER: &str = "border:1px solid #6b7280;color:inherit";
const SMALL: &str = "margin:16px 0 0;font-size:14px;opacity:.8";

/// With more rows than this, the buttons also come before them, so that nobody has to scroll to find what to do.
const MANY: usize = 4;

/// Renders the HTML part of a mail. maud escapes every value.
pub(super) fn html(letter: &Letter) -> String {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width,initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="supported-color-schemes" content="light dark";
                title { (letter.subject) }
            }
            body style=(PAGE) {
                div style=(PREHEADER) { (letter.preheader) }
                div style=(COLUMN) { (content(letter)) }
            }
        }
    }
    .into_string()
}

fn content(letter: &Letter) -> Markup {
    html! {
        div style={ "border-left:6px solid " (colour(letter.urgency)) ";padding:0 0 0 12px;margin:0 0 16px" } {
            h1 style="margin:0;font-size:20px;line-height:1.3" { (letter.headline) }
            @if let Some(why_you) = &letter.why_you { p style="margin:4px 0 0;opacity:.8" { (why_you) } }
            @if let Some(about) = &letter.about { p style="margin:4px 0 0" { (about) } }
            @if let Some(whose) = &letter.whose { p style="margin:4px 0 0;opacity:.8" { (whose) } }
        }
        @if !letter.facts.is_empty() { (facts(&letter.facts)) }
        @if !letter.why.is_empty() { (why(&letter.why)) }
        @if letter.rows.len() > MANY { (buttons(&letter.links)) }
        @for row in &letter.rows { (worst(row)) }
        (buttons(&letter.links))
        @for sentence in &letter.closing { p style=(SMALL) { (sentence) } }
        @if let Some(link) = &letter.unsubscribe { p style=(SMALL) { a href=(link.url) { (link.label) } } }
    }
}

fn facts(facts: &[(&str, String)]) -> Markup {
    html! {
        table style=(TABLE) {
            @for (label, fact) in facts { tr { th style=(LABEL) { (label) } td style=(CELL) { (fact) } } }
        }
    }
}

fn why(reasons: &[String]) -> Markup {
    html! {
        p style="margin:0;font-weight:bold" { "Why" }
        ul style="margin:0 0 16px;padding:0 0 0 20px" { @for reason in reasons { li { (reason) } } }
    }
}

fn worst(row: &Row) -> Markup {
    html! {
        div style={ "border-left:4px solid " (colour(row.urgency)) ";" (ROW) } {
            div style="font-weight:bold" { (row.over) }
            div { @if let Some(url) = &row.link { a href=(url) { (row.title) } } @else { (row.title) } }
            div style="font-size:14px;opacity:.8" { (row.details) }
        }
    }
}

fn buttons(links: &[Link]) -> Markup {
    let looks = std::iter::once(MAIN).chain(std::iter::repeat(OTHER));
    html! {
        @for (link, look) in links.iter().zip(looks) {
            a href=(link.url) style={ (BUTTON) (look) } { (link.label) }
        }
    }
}

fn colour(urgency: Urgency) -> &'static str {
    match urgency {
        Urgency::Met => "#16a34a",
        Urgency::Plain => "#6b7280",
        Urgency::Likely | Urgency::AtRisk => "#d97706",
        Urgency::PastDue | Urgency::Breached => "#dc2626",
    }
}
