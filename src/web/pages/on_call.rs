//! The page of the on-call rotations: who is on call now, who comes next, and when nobody does.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Html;
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use maud::{Markup, html};

use super::super::auth::Visitor;
use super::super::{Problem, Web};
use super::{bar, layout};
use crate::service::on_call::{RotationView, ShiftView};

/// GET /on-call
pub async fn on_call(State(web): State<Arc<Web>>, Visitor(caller): Visitor) -> Result<Html<String>, Problem> {
    let known = web.service.on_call(&caller.scope).await?;
    let body = html! {
        (bar(&web, &caller))
        main.single {
            a.back href="/" { "← All open tickets" }
            h1 { "On call" }
            @if known.rotations.is_empty() { p.muted { "No rotation is configured: see [on_call.NAME] in the example." } }
            @for rotation in &known.rotations { (section(rotation)) }
        }
    };
    Ok(layout("On call · SLA watch", "none", body))
}

fn section(rotation: &RotationView) -> Markup {
    let zone = rotation.timezone.parse().unwrap_or(Tz::UTC);
    html! {
        article.ticket {
            h2 { (rotation.name) " " span.muted { (rotation.timezone) } }
            p { b { "Now: " } (rotation.on_call.as_ref().map_or("nobody".to_owned(), |shift| words(shift, zone))) }
            p { b { "Next: " } (rotation.next.as_ref().map_or("nobody".to_owned(), |shift| words(shift, zone))) }
            @if !rotation.unknown.is_empty() { p.error { "Not known to SuperOps: " (rotation.unknown.join(", ")) } }
            h3 { "The coming two weeks" }
            ul { @for shift in &rotation.shifts { li { (words(shift, zone)) } } }
            h3 { "Nobody is on call" }
            @if rotation.gaps.is_empty() { p.muted { "At no time in the coming 30 days." } }
            ul { @for gap in &rotation.gaps { li.error { (span(gap.from, gap.until, zone)) } } }
            (form(rotation))
        }
    }
}

fn form(rotation: &RotationView) -> Markup {
    html! {
        h3 { "Stand in" }
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
