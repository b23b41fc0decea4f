//! The pages of services: all of them with their current state, and one of them with its past.

mod latency;
mod one;

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use maud::{Markup, html};

use super::times::Times;
use super::{Sheet, frame};
use crate::service::incidents::IncidentQuery;
use crate::service::uptime::{
    CheckView, ComponentHistory, ComponentView, DailyQuery, HistoryQuery, LookView, LooksQuery, OutpostView, SlaView,
};
use crate::status_page::bars::{self, Bar};
use crate::status_page::model::length;
use crate::uptime::Condition;
use crate::web::auth::Caller;
use crate::web::{Problem, Web};

/// The number of latest looks shown beside each service.
const LATEST_LOOKS: u32 = 30;
/// The number of past days on a service's page.
const DAYS: u64 = 90;

/// GET /services
pub async fn services(State(web): State<Arc<Web>>, caller: Caller) -> Result<Html<String>, Problem> {
    let seen = web.service.uptime(&caller.scope).await?;
    let times = Times::of(&web, &caller).await?;
    let mut rows = Vec::new();
    for (one, depth) in in_groups(&seen.components) {
        let looks = LooksQuery { limit: Some(LATEST_LOOKS), ..LooksQuery::default() };
        let looks = web.service.component_looks(&caller.scope, &one.id, &looks).await?.unwrap_or_default();
        let history = web.service.component_history(&caller.scope, &one.id, &HistoryQuery::default()).await?;
        rows.push(row(one, depth, &looks, history.as_ref(), times));
    }
    let content = html! {
        main.made.services {
            h1 { "Services" }
            p.muted {
                "As of " (times.brief(seen.now)) " (" (times.zone()) "). Shares are cut off, never rounded up; what nobody measured counts neither way."
                " " a href="/incidents" { "Incidents and maintenance" } " · " a href="/statements" { "Statements and credits" }
                @if web.options.pages.is_some() { " ·" " " a href="/status" { "The public page" } }
            }
            @if rows.is_empty() { p.empty { "No service is watched: see [components.NAME] in config.example.toml." } }
            @else { (table(&rows)) }
            @if !seen.outposts.is_empty() { h2 { "Outposts" } (outposts(&seen.outposts, times)) }
        }
    };
    Ok(frame(&web, &caller, &Sheet { title: "Services", kind: "made", here: "/services" }, &content))
}

/// GET /services/{id}
pub async fn service(
    State(web): State<Arc<Web>>,
    caller: Caller,
    Path(id): Path<String>,
    Query(query): Query<HistoryQuery>,
) -> Result<Response, Problem> {
    let Some(found) = web.service.component(&caller.scope, &id).await? else {
        let content = html! { main.alone { h1 { "No such service" } p { a href="/services" { "All services" } } } };
        let page = frame(&web, &caller, &Sheet { title: "No such service", kind: "none", here: "/services" }, &content);
        return Ok((StatusCode::NOT_FOUND, page).into_response());
    };
    let history = web.service.component_history(&caller.scope, &id, &query).await?;
    let looks = web.service.component_looks(&caller.scope, &id, &LooksQuery::default()).await?.unwrap_or_default();
    let times = Times::of(&web, &caller).await?;
    let today = times.day(web.service.now());
    let daily = DailyQuery { component: id, from: Some(today - chrono::Days::new(DAYS - 1)), ..DailyQuery::default() };
    let days = web.service.uptime_daily(&caller.scope, &daily).await?;
    let incidents = IncidentQuery { component: Some(found.id.clone()), ..IncidentQuery::default() };
    let incidents = web.service.incidents(&caller.scope, &incidents);
    let content = one::page(&found, history.as_ref(), days.as_ref(), &looks, &incidents, times);
    let sheet = Sheet { title: &found.name, kind: "made", here: "/services" };
    Ok(frame(&web, &caller, &sheet, &content).into_response())
}

/// Returns each group followed by its members, with their depth. A member of two groups is listed in the first.
fn in_groups(all: &[ComponentView]) -> Vec<(&ComponentView, usize)> {
    let is_member = |one: &ComponentView| all.iter().any(|other| other.members.contains(&one.id));
    let mut rows = Vec::with_capacity(all.len());
    for top in all.iter().filter(|one| !is_member(one)) {
        with_members(all, top, 0, &mut rows);
    }
    rows
}

fn with_members<'a>(
    all: &'a [ComponentView],
    one: &'a ComponentView,
    depth: usize,
    rows: &mut Vec<(&'a ComponentView, usize)>,
) {
    if rows.iter().any(|(known, _)| known.id == one.id) {
        return;
    }
    rows.push((one, depth));
    for member in all.iter().filter(|other| one.members.contains(&other.id)) {
        with_members(all, member, depth + 1, rows);
    }
}

fn table(rows: &[Markup]) -> Markup {
    html! {
        div.scroll { table {
            thead { tr {
                th scope="col" { "Service" } th scope="col" { "State" } th scope="col" { "Last looks" }
                @for head in ["24 h", "7 d", "30 d", "90 d"] { th.number scope="col" { (head) } }
                th.number scope="col" { "p50 / p95 / p99" } th.number scope="col" { "Certificate" } th.number scope="col" { "Budget left" }
            } }
            tbody { @for row in rows { (row) } }
        } }
    }
}

/// Shows the outposts, and whether they are heard from.
fn outposts(all: &[OutpostView], times: Times) -> Markup {
    html! {
        div.scroll { table {
            thead { tr {
                @for head in ["Place", "State", "Latest look"] { th scope="col" { (head) } }
                th.number scope="col" { "Checks" }
            } }
            tbody { @for one in all { tr {
                td { (one.name) @if one.id != one.name { div.muted { (one.id) } } }
                td { span.badge.(if one.status == "heard" { "on_track" } else { "paused" }) { (one.status) } }
                td { (one.last_look.map_or_else(|| "never".to_owned(), |at| times.second(at))) }
                td.number { (one.checks) }
            } } }
        } }
    }
}

fn row(
    one: &ComponentView,
    depth: usize,
    looks: &[LookView],
    history: Option<&ComponentHistory>,
    times: Times,
) -> Markup {
    let shares = [one.uptime.day, one.uptime.week, one.uptime.month, one.uptime.quarter];
    html! {
        tr.{ "standing-" (tone(one.status)) } {
            td.what.(if depth > 0 { "member" } else { "top" }) {
                a href={ "/services/" (one.id) } { (one.name) }
                @if let Some(client) = &one.client { span.id { (client) } }
            }
            td { (state(one, times)) div.muted { "since " (times.brief(one.status_since)) } }
            td { (latest(looks, times)) }
            @for share in shares { td.number { (percent(share)) } }
            td.number { (percentiles(history)) }
            td.number { (certificate(&one.checks)) }
            td.number { (budget(one.sla.as_ref())) }
        }
    }
}

/// Returns the page's colour for a condition.
fn tone(status: &str) -> &'static str {
    match Condition::parse(status) {
        Some(Condition::Up) => "on_track",
        Some(Condition::Degraded) => "at_risk",
        Some(Condition::Down) => "breached",
        Some(Condition::Unknown) | None => "paused",
    }
}

/// Shows how it stands, with a sign and a word, never by colour alone.
fn state(one: &ComponentView, times: Times) -> Markup {
    let (tone, sign) = match tone(one.status) {
        tone @ "on_track" => (tone, "✓"),
        tone @ "breached" => (tone, "✕"),
        tone @ "at_risk" => (tone, "!"),
        tone => (tone, "?"),
    };
    let in_doubt = one.checks.iter().any(|check| check.in_doubt);
    html! {
        span.badge.(tone) { span.mark.(tone) aria-hidden="true" { (sign) } (one.status) }
        @if in_doubt { " " span.muted { "in doubt" } }
        @if let Some(until) = one.maintenance_until { div.muted { "maintenance until " (times.brief(until)) } }
        @if let Some(parent) = &one.behind { div.muted { "behind " a href={ "/services/" (parent) } { (parent) } } }
    }
}

/// Shows the latest looks as small bars, the newest at the right.
fn latest(looks: &[LookView], times: Times) -> Markup {
    let words = |look: &LookView| format!("{} {}: {}", times.second(look.at), look.check, look.status);
    let bar = |look: &LookView| Bar { worst: Condition::parse(look.status), words: words(look) };
    let shown: Vec<_> = looks.iter().rev().map(bar).collect();
    let bad = looks.iter().filter(|look| look.status != "up").count();
    let label = format!("The last {} looks: {bad} of them were not well", looks.len());
    html! { @if shown.is_empty() { span.muted { "none" } } @else { (bars::picture(&label, &shown, LATEST_LOOKS as usize)) } }
}

fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| "–".to_owned(), |share| format!("{share} %"))
}

fn percentiles(history: Option<&ComponentHistory>) -> String {
    let all = history.and_then(|one| Some([one.p50_ms?, one.p95_ms?, one.p99_ms?]));
    all.map_or_else(|| "–".to_owned(), |[p50, p95, p99]| format!("{p50} / {p95} / {p99} ms"))
}

/// Shows the certificate that expires first.
fn certificate(checks: &[CheckView]) -> Markup {
    let first = checks.iter().filter_map(|one| Some((one.certificate_days?, one.certificate_holds))).min();
    html! {
        @match first {
            None => { "–" }
            Some((days, holds)) => {
                @if holds == Some(false) { strong.error { (days) " d" } } @else { (days) " d" }
            }
        }
    }
}

fn budget(sla: Option<&SlaView>) -> Markup {
    let left = sla.map(|sla| (sla.downtime_minutes.remaining, sla.target_percent));
    html! {
        @match left {
            None => { "–" }
            Some((left, target)) => {
                @if left < 0.0 { strong.error { (minutes(-left)) " over" } } @else { (minutes(left)) }
                div.muted { "of " (target) " %" }
            }
        }
    }
}

/// Formats minutes for people.
fn minutes(minutes: f64) -> String {
    if minutes == 0.0 { "none".to_owned() } else { length((minutes * 60_000.0) as i64) }
}
