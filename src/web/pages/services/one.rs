//! The page of one service: its current state, days, promise, response times, past states and latest looks.

use maud::{Markup, html};

use super::super::times::Times;
use super::latency;
use super::{budget, certificate, minutes, percent, percentiles, state, tone};
use crate::service::incidents::IncidentView;
use crate::service::uptime::{
    CheckView, ComponentHistory, ComponentView, DailySeries, DayView, LookView, ObjectiveView, SlaView, SpanView,
};
use crate::status_page::bars::{self, Bar};
use crate::status_page::model::length;
use crate::uptime::Condition;

/// The ranges that a page can show.
const RANGES: [&str; 4] = ["24h", "7d", "30d", "90d"];
/// The most past states, and below the most incidents, on the page.
const SPANS_MOST: usize = 100;
const INCIDENTS_MOST: usize = 20;

pub(super) fn page(
    one: &ComponentView,
    history: Option<&ComponentHistory>,
    days: Option<&DailySeries>,
    looks: &[LookView],
    incidents: &[IncidentView],
    times: Times,
) -> Markup {
    html! {
        main.made.services {
            p { a.back href="/services" { "All services" } }
            h1 { (one.name) }
            p { (state(one, times)) " since " (times.at(one.status_since)) " (" (times.zone()) ")" @if let Some(client) = &one.client { " · " (client) } }
            @if let Some(text) = &one.description { p.muted { (text) } }
            (figures(one, history))
            @if let Some(days) = days { (daily(days)) }
            @if let Some(sla) = &one.sla { h2 { "What was promised" } (promise(sla)) }
            @if !one.objectives.is_empty() { h2 { "Objectives" } (objectives(&one.objectives)) }
            @if !incidents.is_empty() { h2 { "Incidents" } (told(incidents, times)) }
            @if !one.checks.is_empty() { h2 { "Checks" } (checks(&one.checks, times)) }
            @if let Some(history) = history { (past(one, history, times)) }
            h2 { "Latest looks" }
            (looks_table(looks, times))
        }
    }
}

fn figures(one: &ComponentView, history: Option<&ComponentHistory>) -> Markup {
    let shares = [
        ("24 hours", one.uptime.day),
        ("7 days", one.uptime.week),
        ("30 days", one.uptime.month),
        ("90 days", one.uptime.quarter),
    ];
    let range = history.map_or("24h", |history| history.range);
    html! {
        div.figures {
            @for (name, share) in shares { div.figure { span.name { (name) } strong { (percent(share)) } } }
            div.figure { span.name { "p50 / p95 / p99, " (range) } strong { (percentiles(history)) } }
            @if one.checks.iter().any(|check| check.certificate_days.is_some()) {
                div.figure { span.name { "Certificate ends in" } strong { (certificate(&one.checks)) } }
            }
            @if one.sla.is_some() { div.figure { span.name { "Budget left" } strong { (budget(one.sla.as_ref())) } } }
        }
    }
}

fn daily(series: &DailySeries) -> Markup {
    let bar = |day: &DayView| Bar { worst: worst(day), words: day_words(day) };
    let days: Vec<_> = series.days.iter().map(bar).collect();
    let bad = series.days.iter().filter(|day| day.downtime_minutes > 0.0).count();
    html! {
        h2 { "The last " (days.len()) " days" }
        (bars::picture(&format!("The last {} days, with outages on {bad} of them", days.len()), &days, days.len()))
        p.muted { "Days of " (series.timezone) ". Grey: nobody measured." }
    }
}

fn worst(day: &DayView) -> Option<Condition> {
    let share = day.compliance_percentage?;
    Some(if day.downtime_minutes == 0.0 {
        Condition::Up
    } else if share >= day.target_percentage {
        Condition::Degraded
    } else {
        Condition::Down
    })
}

fn day_words(day: &DayView) -> String {
    let mut words = format!("{}: {}", day.date.format("%-d %b"), percent(day.compliance_percentage));
    for (time, what) in [(day.downtime_minutes, "lost"), (day.unknown_minutes, "not measured")] {
        if time > 0.0 {
            words.push_str(&format!(", {} {what}", minutes(time)));
        }
    }
    words
}

fn promise(sla: &SlaView) -> Markup {
    let credit = sla.service_credit.as_ref().filter(|credit| credit.percent > 0);
    let rows = [
        ("Period", sla.period.clone()),
        ("Promised", format!("{} %", sla.target_percent)),
        ("So far", percent(sla.uptime_percent)),
        ("Lost", minutes(sla.downtime_minutes.used)),
        ("May be lost", minutes(sla.downtime_minutes.allowed)),
        ("Outages", sla.outages.to_string()),
        ("Not measured", minutes(sla.unknown_minutes)),
        ("Maintenance left out", minutes(sla.maintenance_minutes)),
        ("Measured", format!("{} % of the time, to {} s", sla.measured_percent, sla.uncertainty_seconds)),
    ];
    html! {
        div.scroll { table {
            tbody {
                @for (name, value) in rows { tr { th scope="row" { (name) } td { (value) } } }
                tr { th scope="row" { @if sla.over { "Credit" } @else { "Credit, if nothing more is lost" } } td {
                    @match credit {
                        Some(credit) => { (credit.percent) " %" @if let Some(amount) = credit.money() { ", " (amount) } }
                        None => { "none" }
                    }
                    @if !sla.conclusive { " (too little was measured to owe anything)" }
                } }
            }
        } }
    }
}

fn objectives(all: &[ObjectiveView]) -> Markup {
    html! {
        div.scroll { table {
            thead { tr { @for head in ["Measure", "Over the last", "Now", "Warning over", "Missed over", "State"] { th scope="col" { (head) } } } }
            tbody { @for one in all { tr {
                td { (one.measure) }
                td { (length(one.window_seconds * 1000)) }
                td { (measured(one, one.value)) }
                td { (measured(one, one.warn)) }
                td { (measured(one, Some(one.breach))) }
                td { span.badge.(objective_tone(one.status)) { (one.status) } }
            } } }
        } }
    }
}

fn measured(one: &ObjectiveView, value: Option<f64>) -> String {
    let unit = if one.measure == "errors" { "%" } else { "ms" };
    value.map_or_else(|| "–".to_owned(), |value| format!("{value} {unit}"))
}

fn objective_tone(status: &str) -> &'static str {
    match status {
        "missed" => tone("down"),
        "warning" => tone("degraded"),
        "unknown" => tone("unknown"),
        _ => tone("up"),
    }
}

fn told(incidents: &[IncidentView], times: Times) -> Markup {
    html! {
        ul { @for one in incidents.iter().take(INCIDENTS_MOST) { li {
            a href={ "/incidents/" (one.id) } { (one.title) } " "
            span.muted { (when(one, times)) }
        } } }
        @if incidents.len() > INCIDENTS_MOST { p.muted { "and " (incidents.len() - INCIDENTS_MOST) " more" } }
    }
}

/// `monitoring, since 24 Nov 2026 10:28`, or `resolved, from 24 Nov 2026 10:28 until 24 Nov 2026 10:38`.
fn when(one: &IncidentView, times: Times) -> String {
    let began = times.at(one.started_at);
    match one.resolved_at {
        Some(end) => format!("{}, from {began} until {}", one.status, times.at(end)),
        None => format!("{}, since {began}", one.status),
    }
}

fn checks(all: &[CheckView], times: Times) -> Markup {
    html! {
        div.scroll { table {
            thead { tr { @for head in ["Check", "From", "State", "Last look", "Took", "Every", "Blips", "What is wrong"] { th scope="col" { (head) } } } }
            tbody { @for one in all { tr {
                td { (one.id) }
                td { (one.place.as_deref().unwrap_or("here")) @if let Some(quorum) = one.quorum { div.muted { (quorum) " must agree" } } }
                td { span.badge.(tone(one.status)) { (one.status) } @if one.in_doubt { " " span.muted { "in doubt" } } }
                td { (one.last_look.map_or_else(|| "never".to_owned(), |at| times.second(at))) }
                td { (milliseconds(one.response_ms)) }
                td { (every(one.interval_seconds)) }
                td { (one.blips) }
                td { (one.detail.as_deref().unwrap_or("")) }
            } } }
        } }
    }
}

/// Formats short times to the second: a look every five seconds promises more than one every fifty.
fn every(seconds: i64) -> String {
    if seconds < 60 { format!("{seconds} s") } else { length(seconds * 1000) }
}

fn past(one: &ComponentView, history: &ComponentHistory, times: Times) -> Markup {
    html! {
        h2 { "The past" }
        p { @for range in RANGES {
            a.button href={ "/services/" (one.id) "?range=" (range) } aria-current=[(range == history.range).then_some("true")] { (range) } " "
        } }
        (latency::chart(&history.latency, times))
        h3 { "How it stood" }
        (spans(history, times))
    }
}

fn spans(history: &ComponentHistory, times: Times) -> Markup {
    html! {
        @if history.spans.len() > SPANS_MOST { p.muted { "The latest " (SPANS_MOST) " of " (history.spans.len()) "." } }
        div.scroll { table {
            thead { tr { @for head in ["State", "From", "Until", "For"] { th scope="col" { (head) } } } }
            tbody { @for one in history.spans.iter().rev().take(SPANS_MOST) { (span(one, history, times)) } }
        } }
    }
}

fn span(one: &SpanView, history: &ComponentHistory, times: Times) -> Markup {
    let time = one.until.unwrap_or(history.now) - one.from;
    html! {
        tr {
            td { span.badge.(tone(one.status)) { (one.status) } }
            td { (times.second(one.from)) }
            td { (one.until.map_or_else(|| "now".to_owned(), |at| times.second(at))) }
            td { (length(time.num_milliseconds())) }
        }
    }
}

fn looks_table(looks: &[LookView], times: Times) -> Markup {
    html! {
        @if looks.is_empty() { p.empty { "Nobody has looked in the last two days." } }
        @else { div.scroll { table {
            thead { tr { @for head in ["At", "Check", "Found", "Took", "What was wrong"] { th scope="col" { (head) } } } }
            tbody { @for look in looks { tr {
                td { (times.second(look.at)) }
                td { (look.check) }
                td { span.badge.(tone(look.status)) { (look.status) } }
                td { (milliseconds(look.response_ms)) }
                td { (look.detail.as_deref().unwrap_or("")) }
            } } }
        } } }
    }
}

fn milliseconds(time: Option<f64>) -> String {
    time.map_or_else(|| "–".to_owned(), |time| format!("{time:.0} ms"))
}
