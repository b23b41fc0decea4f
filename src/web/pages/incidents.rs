//! The pages of incidents and announced work: what happened, what was said of it, and forms to say more.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use chrono::{DateTime, Utc};
use maud::{Markup, html};

use super::{Sheet, frame};
use crate::service::incidents::{IncidentQuery, IncidentView, WorkView};
use crate::service::uptime::ComponentView;
use crate::status_page::model::length;
use crate::store::tokens::Role;
use crate::uptime::incident::{Impact, Progress};
use crate::web::auth::Caller;
use crate::web::{Problem, Web};

/// GET /incidents
pub async fn incidents(State(web): State<Arc<Web>>, caller: Caller) -> Result<Html<String>, Problem> {
    list_page(&web, &caller, None)
}

/// GET /incidents/{id}
pub async fn incident(
    State(web): State<Arc<Web>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    one_page(&web, &caller, &id, None).map(IntoResponse::into_response)
}

/// All of them, with what was wrong with a form.
pub fn list_page(web: &Web, caller: &Caller, complaint: Option<&str>) -> Result<Html<String>, Problem> {
    let all = web.service.incidents(&caller.scope, &IncidentQuery::default());
    let works = web.service.planned_work(&caller.scope);
    let components = web.service.uptime_now(&caller.scope);
    let (open, past): (Vec<_>, Vec<_>) = all.iter().partition(|one| one.resolved_at.is_none());
    let content = html! {
        main.made.services {
            p { a.back href="/services" { "All services" } }
            h1 { "Incidents and maintenance" }
            p.muted { "Times are in UTC. Downtime is counted from what was seen, never from what stands here." }
            @if let Some(why) = complaint { p.complaint role="alert" { (why) } }
            h2 { "Open" }
            @if open.is_empty() { p.muted { "No open incidents." } } @else { (table(&open, web.service.now())) }
            h2 { "Maintenance" }
            @if works.is_empty() { p.muted { "No work is announced." } } @else { (works_table(&works, caller, web.service.now())) }
            @if caller.role >= Role::Responder && !components.is_empty() { (open_form(&components)) }
            @if caller.role >= Role::Admin && !components.is_empty() { (work_form(&components)) }
            h2 { "Past" }
            @if past.is_empty() { p.muted { "No incident is over yet." } } @else { (table(&past, web.service.now())) }
        }
    };
    Ok(frame(web, caller, &Sheet { title: "Incidents", kind: "made", here: "/services" }, &content))
}

/// One of them, with what was wrong with its form.
pub fn one_page(web: &Web, caller: &Caller, id: &str, complaint: Option<&str>) -> Result<Response, Problem> {
    let Some(one) = web.service.incident(&caller.scope, id) else {
        let content = html! { main.alone { h1 { "No such incident" } p { a href="/incidents" { "All incidents" } } } };
        let page = frame(web, caller, &Sheet { title: "No such incident", kind: "none", here: "/services" }, &content);
        return Ok((StatusCode::NOT_FOUND, page).into_response());
    };
    let content = html! {
        main.made.services {
            p { a.back href="/incidents" { "All incidents" } }
            h1 { (one.title) }
            p { (state(&one)) " · impact " (one.impact) " · " (time(&one, web.service.now())) " · " (if one.public { "public" } else { "not public" }) }
            p { @for component in &one.components { a href={ "/services/" (component) } { (component) } " " } }
            @if let Some(cause) = &one.cause { p { b { "Cause: " } (cause) } }
            @else if one.resolved_at.is_some() { p.muted { "Nobody has said why it came to that." } }
            @if let Some(why) = complaint { p.complaint role="alert" { (why) } }
            @if caller.role >= Role::Responder { (say_form(&one)) }
            h2 { "What was said" }
            (updates(&one))
        }
    };
    Ok(frame(web, caller, &Sheet { title: &one.title, kind: "made", here: "/services" }, &content).into_response())
}

fn at(time: DateTime<Utc>) -> String {
    time.format("%-d %b %Y %H:%M").to_string()
}

fn state(one: &IncidentView) -> Markup {
    let tone = match one.status {
        "resolved" => "on_track",
        "monitoring" => "paused",
        _ if matches!(one.impact, "major" | "critical") => "breached",
        _ => "at_risk",
    };
    html! { span.badge.(tone) { (one.status) } }
}

fn time(one: &IncidentView, now: DateTime<Utc>) -> String {
    let lasted = length((one.resolved_at.unwrap_or(now) - one.started_at).num_milliseconds());
    match one.resolved_at {
        Some(end) => format!("from {} until {}, {lasted}", at(one.started_at), at(end)),
        None => format!("since {}, for {lasted}", at(one.started_at)),
    }
}

fn table(all: &[&IncidentView], now: DateTime<Utc>) -> Markup {
    html! {
        div.scroll { table {
            thead { tr { @for head in ["Incident", "State", "Impact", "When", "Touches", "Public", "Cause"] { th scope="col" { (head) } } } }
            tbody { @for one in all { tr {
                td.what { a href={ "/incidents/" (one.id) } { (one.title) } @if one.automatic { span.id { "opened by itself" } } }
                td { (state(one)) }
                td { (one.impact) }
                td { (time(one, now)) }
                td { (one.components.join(", ")) }
                td { (if one.public { "yes" } else { "no" }) }
                td { (one.cause.as_deref().unwrap_or("")) }
            } } }
        } }
    }
}

fn updates(one: &IncidentView) -> Markup {
    html! {
        div.scroll { table {
            thead { tr { @for head in ["At", "State", "In public", "Among us", "By"] { th scope="col" { (head) } } } }
            tbody { @for update in &one.updates { tr {
                td { (at(update.at)) }
                td { (update.status) }
                td { (update.text) }
                td { (update.note.as_deref().unwrap_or("")) }
                td { (update.author) }
            } } }
        } }
    }
}

fn works_table(works: &[WorkView], caller: &Caller, now: DateTime<Utc>) -> Markup {
    html! {
        div.scroll { table {
            thead { tr { @for head in ["Work", "From", "Until", "Announced", "Touches", ""] { th scope="col" { (head) } } } }
            tbody { @for one in works { tr {
                td.what { (one.title) @if !one.text.is_empty() { div.muted { (one.text) } } }
                td { (at(one.from)) }
                td { (at(one.until)) }
                td { (at(one.announced_at)) }
                td { (one.components.join(", ")) }
                td {
                    @if one.cancelled { "called off" }
                    @else if one.until <= now { "done" }
                    @else if caller.role >= Role::Admin {
                        form method="post" action={ "/maintenance/" (one.id) "/call-off" } { button.quiet { (if one.from <= now { "End now" } else { "Call off" }) } }
                    }
                    @else if one.from <= now { "under way" }
                }
            } } }
        } }
    }
}

fn choose(components: &[ComponentView]) -> Markup {
    html! {
        fieldset { legend { "Touches" } @for one in components {
            label { input type="checkbox" name="components" value=(one.id); " " (one.name) } " "
        } }
    }
}

fn open_form(components: &[ComponentView]) -> Markup {
    html! {
        details.say { summary { "Open an incident" }
            form method="post" action="/incidents" {
                label { "What is wrong" input name="title" required maxlength="200"; }
                (choose(components))
                label { "Impact" select name="impact" { @for one in Impact::ALL { option value=(one.as_str()) selected[one == Impact::default()] { (one.as_str()) } } } }
                label { "What everybody is told" textarea name="text" rows="3" maxlength="4000" {} }
                label { "Among us" textarea name="note" rows="2" maxlength="4000" {} }
                label.check { input type="checkbox" name="public" value="yes" checked; " on the public page" }
                button { "Open it" }
            }
        }
    }
}

fn say_form(one: &IncidentView) -> Markup {
    html! {
        details.say open[one.resolved_at.is_none()] { summary { "Say more of it" }
            form method="post" action={ "/incidents/" (one.id) } {
                label { "It is" select name="status" { @for each in Progress::ALL { option value=(each.as_str()) selected[each.as_str() == one.status] { (each.as_str()) } } } }
                label { "Impact" select name="impact" { @for each in Impact::ALL { option value=(each.as_str()) selected[each.as_str() == one.impact] { (each.as_str()) } } } }
                label { "What everybody is told" textarea name="text" rows="3" maxlength="4000" {} }
                label { "Among us" textarea name="note" rows="2" maxlength="4000" {} }
                label { "Root cause" input name="cause" maxlength="4000" value=[&one.cause]; }
                label.check { input type="checkbox" name="public" value="yes" checked[one.public]; " on the public page" }
                button { "Say it" }
            }
        }
    }
}

fn work_form(components: &[ComponentView]) -> Markup {
    html! {
        details.say { summary { "Announce maintenance" }
            form method="post" action="/maintenance" {
                label { "What is done" input name="title" required maxlength="200"; }
                (choose(components))
                label { "From (UTC)" input type="datetime-local" name="from" required; }
                label { "Until (UTC)" input type="datetime-local" name="until" required; }
                label { "What everybody is told" textarea name="text" rows="3" maxlength="4000" {} }
                label.check { input type="checkbox" name="public" value="yes" checked; " on the public page" }
                button { "Announce it" }
            }
        }
    }
}
