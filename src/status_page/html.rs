//! The page for people: no script, and nothing that must be fetched separately.

use maud::{Markup, PreEscaped, html};

use super::bars::{self, Bar};
use super::model::{Model, PublicComponent, PublicDay, PublicIncident, PublicMaintenance, length, moment, rfc3339};
use crate::formats::page::document;
use crate::uptime::Condition;
use crate::uptime::availability::percent;
use crate::uptime::incident::Impact;

/// Inlined into the page: its readers may be unable to reach anything else of ours.
pub const STYLE: &str = include_str!("style.css");

/// The icon, inlined for the same reason; without one, a browser asks the host for `/favicon.ico`.
const ICON: &str = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'%3E\
    %3Crect width='32' height='32' rx='8' fill='%231d4ed8'/%3E\
    %3Cpath d='M9 17l5 5 9-11' fill='none' stroke='%23fff' stroke-width='3.5'/%3E%3C/svg%3E";

pub(super) fn page(model: &Model) -> String {
    let body = html! {
        header.top {
            h1 { (model.title) @if let Some(client) = &model.client { " · " (client) } }
            p.overall.(class(model.overall())) role="status" { span.dot {} (overall_words(model)) }
            p.asof { "As of " time datetime=(rfc3339(model.at)) { (moment(model.at)) } }
        }
        main {
            @let open: Vec<_> = model.incidents.iter().filter(|one| one.resolved_at.is_none()).collect();
            @if !open.is_empty() { section aria-label="Now" { h2 { "Now" } @for one in &open { (incident(model, one)) } } }
            @if model.maintenance.iter().any(|one| !one.cancelled) { section aria-label="Maintenance" {
                h2 { "Maintenance" } @for one in model.maintenance.iter().filter(|one| !one.cancelled) { (maintenance(model, one)) }
            } }
            section aria-label="Services" {
                h2 { "Services" }
                (legend())
                @if model.components.is_empty() { p.quiet { "No service is shown here yet." } }
                @for one in model.top() { (component(model, one)) }
            }
            @let past: Vec<_> = model.incidents.iter().filter(|one| one.resolved_at.is_some()).collect();
            @if !past.is_empty() { section aria-label="Past incidents" {
                h2 { "Past incidents" } @for one in &past { (incident(model, one)) }
            } }
        }
        footer {
            @let base = base(model);
            p {
                @if model.subscriptions { a href={ (base) "updates" } { "News by mail" } " · " }
                a href={ (base) "history.atom" } { "Atom" } " · " a href={ (base) "history.rss" } { "RSS" } " · "
                a href={ (base) "maintenance.ics" } { "Calendar" } " · " a href={ (base) "status.json" } { "JSON" }
            }
            @if let Some(contact) = &model.contact { p { (contact) } }
            p.quiet { "Percentages are cut off, never rounded up. Grey is time that nobody measured; it counts neither way." }
        }
    };
    let head = html! {
        meta http-equiv="refresh" content="60";
        link rel="icon" href=(ICON);
        link rel="alternate" type="application/atom+xml" title=(model.title) href={ (base(model)) "history.atom" };
        @if model.client.is_some() { meta name="robots" content="noindex, nofollow, noarchive"; }
        style { (PreEscaped(STYLE)) }
    };
    let title = format!("{} · {}", model.title, overall_words(model));
    document(&title, &head, &html! { body { (body) } }).into_string()
}

/// Returns where the other documents are: beside the page if it is a copy or a private page.
fn base(model: &Model) -> &'static str {
    if model.client.is_some() || model.is_copy { "" } else { "/status/" }
}

/// Returns the CSS class of a condition.
fn class(condition: Condition) -> &'static str {
    condition.as_str()
}

fn overall_words(model: &Model) -> &'static str {
    if model.overall() > model.measured {
        return match model.impact {
            Impact::Critical => "A critical incident is open",
            Impact::Major => "A major incident is open",
            Impact::Minor | Impact::None => "A minor incident is open",
        };
    }
    match model.measured {
        Condition::Up if model.components.iter().any(|one| one.worked_on_until.is_some()) => "Maintenance is under way",
        Condition::Up => "All services are operational",
        Condition::Unknown => "Some services are not measured now",
        Condition::Degraded => "Some services are impaired",
        Condition::Down => "Some services are down",
    }
}

fn legend() -> Markup {
    html! {
        ul.legend aria-label="Colours" {
            @for (class, words) in [("up", "operational"), ("degraded", "impaired"), ("down", "outage"), ("unknown", "not measured")] {
                li { span.dot.(class) {} (words) }
            }
        }
    }
}

fn component(model: &Model, one: &PublicComponent) -> Markup {
    html! {
        article.component {
            div.head {
                h3 { (one.name) }
                span.state.(if one.worked_on_until.is_some() { "unknown" } else { class(one.condition) }) { span.dot {} (one.words()) }
            }
            @if let Some(text) = &one.description { p.quiet { (text) } }
            (bars(one))
            @if !one.members.is_empty() {
                div.members { @for member in model.members(one) { (component(model, member)) } }
            }
        }
    }
}

fn bars(one: &PublicComponent) -> Markup {
    let share = one.uptime.map_or("not measured".to_owned(), |share| format!("{} %", percent(share)));
    let bad = one.days.iter().filter(|day| day.worst == Some(Condition::Down)).count();
    let label = format!("The last {} days: {share} up, outages on {bad} days", one.days.len());
    let days: Vec<_> = one.days.iter().map(|day| Bar { worst: day.worst, words: day_words(day) }).collect();
    html! {
        (bars::picture(&label, &days, days.len()))
        p.scale { span { (one.days.len()) " days ago" } span { (share) } span { "today" } }
    }
}

/// `12 Nov: 99.95 % up, 43 min down`
fn day_words(day: &PublicDay) -> String {
    let mut words = format!("{}: ", day.date.format("%-d %b"));
    match day.figure.availability() {
        Some(share) => words.push_str(&format!("{} % up", percent(share))),
        None => words.push_str("not measured"),
    }
    for (time, what) in
        [(day.figure.down, "down"), (day.figure.degraded, "impaired"), (day.figure.maintenance, "maintenance")]
    {
        if time > 0 {
            words.push_str(&format!(", {} {what}", length(time)));
        }
    }
    if day.figure.unknown > 0 && day.figure.counted > 0 {
        words.push_str(&format!(", {} not measured", length(day.figure.unknown)));
    }
    words
}

fn incident(model: &Model, one: &PublicIncident) -> Markup {
    let names: Vec<_> = one.components.iter().map(|id| model.name_of(id)).collect();
    html! {
        article.incident.(one.impact) id=(one.id) {
            h3 { (one.title) }
            p.quiet {
                (names.join(", ")) " · " (moment(one.started_at))
                @match one.resolved_at {
                    Some(end) => { " · over after " (length(end - one.started_at)) }
                    None => { " · for " (length(model.at - one.started_at)) }
                }
            }
            ol { @for update in &one.updates {
                li { b { (sentence_case(update.status)) } " – " (update.text) " " time datetime=(rfc3339(update.at)) { (moment(update.at)) } }
            } }
        }
    }
}

fn maintenance(model: &Model, one: &PublicMaintenance) -> Markup {
    let names: Vec<_> = one.components.iter().map(|id| model.name_of(id)).collect();
    html! {
        article.incident.maintenance id=(one.id) {
            h3 { (one.title) }
            p.quiet { (names.join(", ")) " · " (moment(one.from)) " to " (moment(one.until)) }
            @if !one.text.is_empty() { p { (one.text) } }
        }
    }
}

fn sentence_case(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// Renders a small badge to embed in other pages.
pub(super) fn badge(model: &Model) -> String {
    let (words, colour) = match model.overall() {
        Condition::Up => ("operational", "#1a7f37"),
        Condition::Unknown => ("not measured", "#6e7781"),
        Condition::Degraded => ("impaired", "#9a6700"),
        Condition::Down => ("outage", "#cf222e"),
    };
    let width = 60 + words.len() * 7;
    let badge = html! {
        svg xmlns="http://www.w3.org/2000/svg" width=(width) height="20" role="img" aria-label={ "status: " (words) } {
            title { "status: " (words) }
            rect width="50" height="20" fill="#444c56" {}
            rect x="50" width=(width - 50) height="20" fill=(colour) {}
            g fill="#fff" font-family="Verdana,Geneva,sans-serif" font-size="11" {
                text x="8" y="14" { "status" }
                text x="56" y="14" { (words) }
            }
        }
    };
    badge.into_string()
}
