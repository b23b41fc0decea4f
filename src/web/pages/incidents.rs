//! The pages of incidents and announced maintenance, with their updates and forms.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use chrono::{DateTime, Utc};
use maud::{Markup, html};

use super::times::Times;
use super::{Sheet, frame};
use crate::service::incidents::{IncidentQuery, IncidentView, TEXT_MOST, TITLE_MOST, WorkView};
use crate::service::uptime::ComponentView;
use crate::status_page::model::length;
use crate::store::tokens::Role;
use crate::uptime::incident::{Impact, Progress};
use crate::web::auth::Caller;
use crate::web::fields::Fields;
use crate::web::{Problem, Web};

/// A form that was refused: which one, what was typed in it, and what was wrong.
pub struct Refused<'a> {
    pub form: Form,
    pub fields: &'a Fields,
    pub complaint: &'a str,
}

/// The forms of these pages.
#[derive(Clone, Copy, PartialEq)]
pub enum Form {
    Incident,
    Saying,
    Work,
}

/// The content of one form: what was typed if it was refused, or else its initial values.
#[derive(Clone, Copy)]
struct Typed<'a>(Option<&'a Refused<'a>>);

impl<'a> Typed<'a> {
    fn of(form: Form, refused: Option<&'a Refused<'a>>) -> Self {
        Self(refused.filter(|one| one.form == form))
    }

    fn text(self, name: &str, else_it_is: Option<&str>) -> Option<String> {
        self.0.map_or_else(|| else_it_is.map(str::to_owned), |one| one.fields.text(name))
    }

    fn is(self, name: &str, value: &str, else_it_is: bool) -> bool {
        self.0.map_or(else_it_is, |one| one.fields.all(name).iter().any(|typed| typed == value))
    }

    fn complaint(self) -> Markup {
        html! { @if let Some(one) = self.0 { p.complaint role="alert" { (one.complaint) } } }
    }
}

/// GET /incidents
pub async fn incidents(State(web): State<Arc<Web>>, caller: Caller) -> Result<Html<String>, Problem> {
    list_page(&web, &caller, None).await
}

/// GET /incidents/{id}
pub async fn incident(
    State(web): State<Arc<Web>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    one_page(&web, &caller, &id, None).await.map(IntoResponse::into_response)
}

/// Renders the list, with a form that was `refused` as it was sent.
pub async fn list_page(web: &Web, caller: &Caller, refused: Option<&Refused<'_>>) -> Result<Html<String>, Problem> {
    let times = Times::of(web, caller).await?;
    let all = web.service.incidents(&caller.scope, &IncidentQuery::default());
    let works = web.service.planned_work(&caller.scope);
    let components = web.service.uptime_now(&caller.scope);
    let (open, past): (Vec<_>, Vec<_>) = all.iter().partition(|one| one.resolved_at.is_none());
    let content = html! {
        main.made.services {
            p { a.back href="/services" { "All services" } }
            h1 { "Incidents and maintenance" }
            p.muted { "Times are in " (times.zone()) ". Downtime is counted from what was measured, never from what is written here." }
            h2 { "Open" }
            @if open.is_empty() { p.muted { "No open incidents." } } @else { (table(&open, &components, web.service.now(), times)) }
            h2 { "Maintenance" }
            @if works.is_empty() { p.muted { "No work is announced." } } @else { (works_table(&works, &components, caller, web.service.now(), times)) }
            @if caller.role >= Role::Responder && !components.is_empty() { (open_form(&components, caller, Typed::of(Form::Incident, refused))) }
            @if caller.role >= Role::Admin && !components.is_empty() { (work_form(&components, caller, Typed::of(Form::Work, refused), times.zone())) }
            h2 { "Past" }
            @if past.is_empty() { p.muted { "No incident is over yet." } } @else { (table(&past, &components, web.service.now(), times)) }
        }
    };
    Ok(frame(web, caller, &Sheet { title: "Incidents", kind: "made", here: "/services" }, &content))
}

/// Renders one incident, with a form that was `refused` as it was sent.
pub async fn one_page(
    web: &Web,
    caller: &Caller,
    id: &str,
    refused: Option<&Refused<'_>>,
) -> Result<Response, Problem> {
    let Some(one) = web.service.incident(&caller.scope, id) else {
        let content = html! { main.alone { h1 { "No such incident" } p { a href="/incidents" { "All incidents" } } } };
        let page = frame(web, caller, &Sheet { title: "No such incident", kind: "none", here: "/services" }, &content);
        return Ok((StatusCode::NOT_FOUND, page).into_response());
    };
    let components = web.service.uptime_now(&caller.scope);
    let times = Times::of(web, caller).await?;
    let content = html! {
        main.made.services {
            p { a.back href="/incidents" { "All incidents" } }
            h1 { (one.title) }
            p { (state(&one)) " · impact " (one.impact) " · " (time(&one, web.service.now(), times)) " · " (if one.public { "public" } else { "not public" }) }
            p { @for component in &one.components { a href={ "/services/" (component) } { (name(component, &components)) } " " } }
            @if let Some(cause) = &one.cause { p { b { "Cause: " } (cause) } }
            @else if one.resolved_at.is_some() { p.muted { "No root cause has been recorded." } }
            @if caller.role >= Role::Responder { (say_form(&one, caller, Typed::of(Form::Saying, refused))) }
            h2 { "What was said" }
            (updates(&one, times))
            p.muted { "Times are in " (times.zone()) "." }
        }
    };
    Ok(frame(web, caller, &Sheet { title: &one.title, kind: "made", here: "/services" }, &content).into_response())
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

fn time(one: &IncidentView, now: DateTime<Utc>, times: Times) -> String {
    let lasted = length((one.resolved_at.unwrap_or(now) - one.started_at).num_milliseconds());
    match one.resolved_at {
        Some(end) => format!("from {} until {}, {lasted}", times.at(one.started_at), times.at(end)),
        None => format!("since {}, for {lasted}", times.at(one.started_at)),
    }
}

fn table(all: &[&IncidentView], components: &[ComponentView], now: DateTime<Utc>, times: Times) -> Markup {
    html! {
        div.scroll { table {
            thead { tr { @for head in ["Incident", "State", "Impact", "When", "Affects", "Public", "Cause"] { th scope="col" { (head) } } } }
            tbody { @for one in all { tr {
                td.what { a href={ "/incidents/" (one.id) } { (one.title) } @if one.automatic { span.id { "opened automatically" } } }
                td { (state(one)) }
                td { (one.impact) }
                td { (time(one, now, times)) }
                td { (names(&one.components, components)) }
                td { (if one.public { "yes" } else { "no" }) }
                td { (one.cause.as_deref().unwrap_or("")) }
            } } }
        } }
    }
}

/// Returns the display name, or the id of a component that is no longer watched.
fn name<'a>(id: &'a str, components: &'a [ComponentView]) -> &'a str {
    components.iter().find(|one| one.id == id).map_or(id, |one| &one.name)
}

fn names(ids: &[String], components: &[ComponentView]) -> String {
    ids.iter().map(|id| name(id, components)).collect::<Vec<_>>().join(", ")
}

fn updates(one: &IncidentView, times: Times) -> Markup {
    html! {
        div.scroll { table {
            thead { tr { @for head in ["At", "State", "In public", "Internal note", "By"] { th scope="col" { (head) } } } }
            tbody { @for update in &one.updates { tr {
                td { (times.at(update.at)) }
                td { (update.status) }
                td { (update.text) }
                td { (update.note.as_deref().unwrap_or("")) }
                td { (update.author) }
            } } }
        } }
    }
}

fn works_table(
    works: &[WorkView],
    components: &[ComponentView],
    caller: &Caller,
    now: DateTime<Utc>,
    times: Times,
) -> Markup {
    html! {
        div.scroll { table {
            thead { tr { @for head in ["Work", "From", "Until", "Announced", "Affects", ""] { th scope="col" { (head) } } } }
            tbody { @for one in works { tr {
                td.what { (one.title) @if !one.text.is_empty() { div.muted { (one.text) } } }
                td { (times.at(one.from)) }
                td { (times.at(one.until)) }
                td { (times.at(one.announced_at)) }
                td { (names(&one.components, components)) }
                td {
                    @if one.cancelled { "called off" }
                    @else if one.until <= now { "done" }
                    @else if caller.role >= Role::Admin {
                        form method="post" action=(caller.path(&format!("/maintenance/{}/call-off", one.id))) { button.quiet { (if one.from <= now { "End now" } else { "Call off" }) } }
                    }
                    @else if one.from <= now { "under way" }
                }
            } } }
        } }
    }
}

fn choose(components: &[ComponentView], typed: Typed<'_>) -> Markup {
    html! {
        fieldset { legend { "Affects" } @for one in components {
            label { input type="checkbox" name="components" value=(one.id) checked[typed.is("components", &one.id, false)]; " " (one.name) } " "
        } }
    }
}

fn open_form(components: &[ComponentView], caller: &Caller, typed: Typed<'_>) -> Markup {
    html! {
        details.say open[typed.0.is_some()] { summary { "Open an incident" }
            form method="post" action=(caller.path("/incidents")) {
                (typed.complaint())
                label { "What is wrong" input name="title" required maxlength=(TITLE_MOST) value=[typed.text("title", None)]; }
                (choose(components, typed))
                (impact_field(typed, Impact::default().as_str()))
                (told_field(typed))
                (note_field(typed))
                (public_field(typed, true))
                button { "Open it" }
            }
        }
    }
}

fn say_form(one: &IncidentView, caller: &Caller, typed: Typed<'_>) -> Markup {
    html! {
        details.say open[typed.0.is_some() || one.resolved_at.is_none()] { summary { "Post an update" }
            form method="post" action=(caller.path(&format!("/incidents/{}", one.id))) {
                (typed.complaint())
                label { "State" select name="status" { @for each in Progress::ALL { option value=(each.as_str()) selected[typed.is("status", each.as_str(), each.as_str() == one.status)] { (each.as_str()) } } } }
                (impact_field(typed, one.impact))
                (told_field(typed))
                (note_field(typed))
                label { "Root cause" input name="cause" maxlength=(TEXT_MOST) value=[typed.text("cause", one.cause.as_deref())]; }
                (public_field(typed, one.public))
                button { "Post it" }
            }
        }
    }
}

fn work_form(components: &[ComponentView], caller: &Caller, typed: Typed<'_>, zone: &str) -> Markup {
    html! {
        details.say open[typed.0.is_some()] { summary { "Announce maintenance" }
            form method="post" action=(caller.path("/maintenance")) {
                (typed.complaint())
                label { "What is done" input name="title" required maxlength=(TITLE_MOST) value=[typed.text("title", None)]; }
                (choose(components, typed))
                label { "From (" (zone) ")" input type="datetime-local" name="from" required value=[typed.text("from", None)]; }
                label { "Until (" (zone) ")" input type="datetime-local" name="until" required value=[typed.text("until", None)]; }
                (told_field(typed))
                (public_field(typed, true))
                button { "Announce it" }
            }
        }
    }
}

fn impact_field(typed: Typed<'_>, impact: &str) -> Markup {
    html! {
        label { "Impact" select name="impact" { @for one in Impact::ALL {
            option value=(one.as_str()) selected[typed.is("impact", one.as_str(), one.as_str() == impact)] { (one.as_str()) }
        } } }
    }
}

fn told_field(typed: Typed<'_>) -> Markup {
    html! { label { "What everybody is told" textarea name="text" rows="3" maxlength=(TEXT_MOST) { (typed.text("text", None).unwrap_or_default()) } } }
}

fn note_field(typed: Typed<'_>) -> Markup {
    html! { label { "Internal note" textarea name="note" rows="2" maxlength=(TEXT_MOST) { (typed.text("note", None).unwrap_or_default()) } } }
}

fn public_field(typed: Typed<'_>, public: bool) -> Markup {
    html! { label.check { input type="checkbox" name="public" value="yes" checked[typed.is("public", "yes", public)]; " on the public page" } }
}
