//! The page of the on-call rotations: who is on call now, who comes next, and when nobody is.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Html;
use chrono::{DateTime, Utc};
use maud::{Markup, html};

use super::super::auth::Caller;
use super::super::{Problem, Web};
use super::month::calendar;
use super::{Sheet, frame};
use crate::service::Reach;
use crate::service::on_call::{OverrideRequest, OverrideView, RotationView, ShiftView};
use crate::sla::zone::Tz;
use crate::store::tokens::Role;

/// A form's request that was refused, and why.
pub struct Refused {
    pub request: OverrideRequest,
    pub complaint: String,
}

/// GET /on-call
pub async fn on_call(State(web): State<Arc<Web>>, caller: Caller) -> Result<Html<String>, Problem> {
    page(&web, &caller, None).await
}

/// Renders the page, with a form that was `refused` as it was sent.
pub async fn page(web: &Web, caller: &Caller, refused: Option<&Refused>) -> Result<Html<String>, Problem> {
    let known = web.service.on_call(&caller.scope).await?;
    // If the rotation does not exist, no form can show the complaint.
    let homeless = refused.filter(|one| known.rotations.iter().all(|rotation| rotation.name != one.request.rotation));
    let body = html! {
        main.single {
            h1 { "On call" }
            p.muted { a href="/people" { "How people are told" } ": channels, hours and daily digests that individual people have chosen" }
            @if known.rotations.is_empty() { p.muted { "No rotation is configured: see [on_call.NAME] in the example." } }
            @if let Some(one) = homeless { p.complaint role="alert" { (one.complaint) } }
            @for rotation in &known.rotations {
                (section(rotation, may_change(caller, rotation), refused.filter(|one| one.request.rotation == rotation.name), known.now))
            }
        }
    };
    Ok(frame(web, caller, &Sheet { title: "On call", kind: "made", here: "/on-call" }, &body))
}

/// Matches the API: somebody of one tenant may not change a rotation that all tenants share.
fn may_change(caller: &Caller, rotation: &RotationView) -> bool {
    caller.role >= Role::Responder && (caller.scope == Reach::All || rotation.tenant.is_some())
}

fn section(rotation: &RotationView, changeable: bool, refused: Option<&Refused>, now: DateTime<Utc>) -> Markup {
    let zone = rotation.timezone.parse().unwrap_or(Tz::UTC);
    let is_doubtful = !rotation.unknown.is_empty() || !rotation.foreign_addresses.is_empty();
    html! {
        article.ticket {
            h2 { (rotation.name) " " span.muted { (rotation.timezone) } }
            p { b { "Now: " } (rotation.on_call.as_ref().map_or("nobody".to_owned(), |shift| words(shift, zone))) }
            p { b { "Next: " } (rotation.next.as_ref().map_or("nobody".to_owned(), |shift| words(shift, zone))) }
            @if !rotation.unknown.is_empty() { p.error { "Not known to SuperOps: " (rotation.unknown.join(", ")) } }
            @if !rotation.foreign_addresses.is_empty() {
                p.error { "No technician has this address, so check its spelling: " (rotation.foreign_addresses.join(", ")) }
            }
            h3 { "This week and the next two" }
            (calendar(&rotation.calendar, zone, now))
            h3 { "Gaps, when nobody is on call" }
            @if rotation.gaps.is_empty() {
                p.muted { "None in 30 days." @if is_doubtful { " Those named above count as reachable." } }
            }
            ul { @for gap in &rotation.gaps { li.error { (span(gap.from, gap.until, zone)) } } }
            @if !rotation.overrides.is_empty() { h3 { "Standing in" } }
            @for stand_in in &rotation.overrides { (standing_in(stand_in, zone, changeable)) }
            @if changeable { (form(rotation, refused)) }
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

fn form(rotation: &RotationView, refused: Option<&Refused>) -> Markup {
    let request = refused.map(|one| &one.request);
    html! {
        h3 { "Have somebody stand in" }
        @if let Some(one) = refused { p.complaint role="alert" id="complaint" { (one.complaint) } }
        form.filters method="post" action="/on-call" {
            input type="hidden" name="rotation" value=(rotation.name);
            input name="person" required value=[request.map(|request| &request.person)] autofocus[refused.is_some()] placeholder="Email address or name" aria-label="Who stands in";
            input type="datetime-local" name="from" required value=[request.map(|request| &request.from)] aria-label="From";
            input type="datetime-local" name="until" required value=[request.map(|request| &request.until)] aria-label="Until";
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
