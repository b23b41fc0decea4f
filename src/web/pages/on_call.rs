//! The page of the on-call rotations: who is on call now, who comes next, and when nobody does.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Html;
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use maud::{Markup, html};

use super::super::auth::{Caller, Visitor};
use super::super::{Problem, Web};
use super::{bar, layout};
use crate::service::Scope;
use crate::service::on_call::{OverrideView, RotationView, ShiftView};
use crate::store::tokens::Role;

/// GET /on-call
pub async fn on_call(State(web): State<Arc<Web>>, Visitor(caller): Visitor) -> Result<Html<String>, Problem> {
    let known = web.service.on_call(&caller.scope).await?;
    let body = html! {
        (bar(&web, &caller))
        main.single {
            a.back href="/" { "← All open tickets" }
            h1 { "On call" }
            @if known.rotations.is_empty() { p.muted { "No rotation is configured: see [on_call.NAME] in the example." } }
            @for rotation in &known.rotations { (section(rotation, may_change(&caller, rotation))) }
        }
    };
    Ok(layout("On call · SLA watch", "none", body))
}

/// As the API has it: a rotation that all tenants share is not changed by somebody of one.
fn may_change(caller: &Caller, rotation: &RotationView) -> bool {
    caller.role >= Role::Responder && (caller.scope == Scope::All || rotation.tenant.is_some())
}

fn section(rotation: &RotationView, changeable: bool) -> Markup {
    let zone = rotation.timezone.parse().unwrap_or(Tz::UTC);
    html! {
        article.ticket {
            h2 { (rotation.name) " " span.muted { (rotation.timezone) } }
            p { b { "Now: " } (rotation.on_call.as_ref().map_or("nobody".to_owned(), |shift| words(shift, zone))) }
            p { b { "Next: " } (rotation.next.as_ref().map_or("nobody".to_owned(), |shift| words(shift, zone))) }
            @if !rotation.unknown.is_empty() { p.error { "Not known to SuperOps: " (rotation.unknown.join(", ")) } }
            h3 { "The coming two weeks" }
            ul { @for shift in &rotation.shifts { li { (words(shift, zone)) } } }
            h3 { "Gaps, when nobody is on call" }
            @if rotation.gaps.is_empty() { p.muted { "None in 30 days." } }
            ul { @for gap in &rotation.gaps { li.error { (span(gap.from, gap.until, zone)) } } }
            @if !rotation.overrides.is_empty() { h3 { "Standing in" } }
            @for stand_in in &rotation.overrides { (standing_in(stand_in, zone, changeable)) }
            @if changeable { (form(rotation)) }
        }
    }
}

fn standing_in(stand_in: &OverrideView, zone: Tz, changeable: bool) -> Markup {
    html! {
        form.filters method="post" action={ "/on-call/" (stand_in.id) "/remove" } {
            span { (stand_in.person) ", " (span(stand_in.from, stand_in.until, zone)) }
            span.muted { "by " (stand_in.made_by) }
            @if changeable { button.quiet { "Take back" } }
        }
    }
}

fn form(rotation: &RotationView) -> Markup {
    html! {
        h3 { "Have somebody stand in" }
        form.filters method="post" action="/on-call" {
            input type="hidden" name="rotation" value=(rotation.name);
            input name="person" required placeholder="Email address or name" aria-label="Who stands in";
            input type="datetime-local" name="from" required aria-label="From";
            input type="datetime-local" name="until" required aria-label="Until";
            button { "Stand in" }
        }
    }
}

fn words(shift: &ShiftView, zone: Tz) -> String {
    let by = if shift.override_id.is_some() { ", standing in" } else { "" };
    format!("{}, {}{by}", shift.name.as_ref().unwrap_or(&shift.person), span(shift.from, shift.until, zone))
}

fn span(from: DateTime<Utc>, until: DateTime<Utc>, zone: Tz) -> String {
    let time = |at: DateTime<Utc>| at.with_timezone(&zone).format("%a %-d %b %H:%M").to_string();
    format!("{} to {}", time(from), time(until))
}
