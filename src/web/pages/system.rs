//! The page of the service itself: whether SuperOps is read, whether the channels work, who is signed in; and the page
//! for a wall screen.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::{Html, Redirect};
use chrono::{DateTime, Utc};
use maud::{Markup, html};

use super::times::Times;
use super::{Sheet, frame};
use crate::formats::text::{LONGEST, bounded};
use crate::notify::words;
use crate::service::{Overview, Reach, TenantHealth, TicketQuery, TicketSla};
use crate::store::sessions::Session;
use crate::store::tokens::Role;
use crate::web::auth::Caller;
use crate::web::{Problem, Web, sessions};

/// The most tickets that can be read from across the room.
const ON_THE_WALL: usize = 10;

/// GET /system
pub async fn system(State(web): State<Arc<Web>>, caller: Caller) -> Result<Html<String>, Problem> {
    let overview = web.service.overview(&caller.scope).await?;
    let signed_in = sessions::of(&web, &caller).await?;
    let times = Times::of(&web, &caller).await?;
    let time = |at: DateTime<Utc>| times.brief(at);
    let content = html! {
        main.made {
            h1 { "System" }
            p.muted { a href="/wall" { "For a screen on the wall" } " · " a href="/api" { "The API" } @if caller.role == Role::Admin && caller.scope == Reach::All { " · " a href="/settings" { "Settings as read" } } @if caller.role == Role::Admin { " · " a href="/tokens" { "Tokens" } } }
            p.muted { "superops-sla " (env!("CARGO_PKG_VERSION")) ". Times are in " (times.zone()) "." }
            h2 { "Reading SuperOps" }
            (tenants(&overview, &time))
            h2 { "Loops" }
            ul { @for (name, age) in web.service.last_good_turns() { li { (name) ": last good turn " (age) " s ago" } } }
            h2 { "Messages" }
            p { (overview.outbox_pending) " waiting, " (overview.sent_last_day) " sent and " (overview.failed_last_day) " failed in the last day." }
            (channels(&overview))
            h2 { "Pages" }
            p { (web.telemetry.web_connections.get()) " connections, " (web.service.live().listeners()) " listening to changes." }
            h2 { "Signed in" }
            (browsers(&signed_in, caller.session.as_deref(), &time))
        }
    };
    Ok(frame(&web, &caller, &Sheet { title: "System", kind: "made", here: "/system" }, &content))
}

fn tenants(overview: &Overview, time: &dyn Fn(DateTime<Utc>) -> String) -> Markup {
    let trouble = |tenant: &TenantHealth| {
        let one = tenant.trouble.iter().chain(&tenant.forecast);
        one.chain(&tenant.limits).chain(&tenant.unlisted_statuses).cloned().collect::<Vec<_>>()
    };
    html! {
        div.scroll { table {
            thead { tr { th scope="col" { "Tenant" } th scope="col" { "Last good read" } th scope="col" { "Unreadable" } th scope="col" { "Trouble" } } }
            tbody { @for tenant in &overview.tenants { tr {
                td { (tenant.tenant) }
                td { (tenant.last_good_sync.map_or_else(|| "not yet".to_owned(), |at| format!("{}, {} ago", time(at), words(overview.now - at)))) }
                td { (tenant.quarantined) }
                td { @for line in trouble(tenant) { p { (line) } } }
            } } }
        } }
    }
}

fn channels(overview: &Overview) -> Markup {
    html! {
        @if overview.channels.is_empty() { p.empty { "No channel is configured, so nobody can be told: see [notify] in config.example.toml." } }
        ul { @for channel in &overview.channels {
            li { (channel.channel) ": " @if channel.state == "up" { "✓ works" } @else if channel.state == "down" { strong { "! does not answer; messages wait and are tried one at a time" } } @else { strong { "? not known: the replica that sends has not told lately" } } }
        } }
    }
}

fn browsers(known: &[Session], own: Option<&str>, time: &dyn Fn(DateTime<Utc>) -> String) -> Markup {
    html! {
        @if known.is_empty() { p.empty { "No browser is signed in." } }
        @else { div.scroll { table {
            thead { tr { th scope="col" { "Since" } th scope="col" { "Last used" } th scope="col" { "From" } th scope="col" { "Who" } th scope="col" { "Browser" } th scope="col" {} } }
            tbody { @for one in known { tr {
                td { (time(one.opened_at)) }
                td { (time(one.used_at)) }
                td { (one.origin) }
                td { @if let Some(person) = &one.person { (person) br; span.muted { (one.token) } } @else { "token " (one.token) } }
                td { (one.browser) }
                td { @if own == Some(&one.id) { "this one" } @else {
                    form method="post" action={ "/sessions/" (one.id) "/end" } { button.quiet { "Sign out" } }
                } }
            } } }
        } } }
    }
}

/// POST /sessions/{id}/end: the button of the page.
pub async fn end_session(
    State(web): State<Arc<Web>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Redirect, Problem> {
    sessions::end_one(&web, &caller, &id).await.map(|()| Redirect::to("/system"))
}

/// GET /wall
pub async fn wall(State(web): State<Arc<Web>>, caller: Caller) -> Result<Html<String>, Problem> {
    let query = TicketQuery { limit: Some(ON_THE_WALL), ..TicketQuery::default() };
    let page = web.service.tickets(&caller.scope, &query).await?;
    let is_blind = web.service.overview(&caller.scope).await?.tenants.iter().any(|tenant| tenant.trouble.is_some());
    let counts = page.counts;
    let tiles = [
        ("breached", "Breached", counts.breached),
        ("at_risk", "At risk", counts.at_risk),
        ("on_track", "On track", counts.on_track),
        ("paused", "Paused", counts.paused),
        ("nothing_due", "Nothing due", counts.nothing_due),
        ("", "Open", counts.open),
    ];
    // As on the page of tickets: on most desks there are none of these.
    let tiles = tiles.into_iter().filter(|(class, _, number)| *class != "nothing_due" || *number > 0);
    let content = html! {
        main.wall {
            div.tiles { @for (class, name, number) in tiles { div class={ "tile " (class) } { b { (number) } span { (name) } } } }
            @if page.tickets.is_empty() { p.empty { @if is_blind { "No open tickets are known, but not everything could be read." } @else { "No open tickets. The worst ten appear here by themselves." } } }
            @else { table { tbody { @for ticket in &page.tickets { (wall_row(ticket)) } } } }
        }
    };
    Ok(frame(&web, &caller, &Sheet { title: "Wall", kind: "made", here: "/wall" }, &content))
}

fn wall_row(ticket: &TicketSla) -> Markup {
    let running = ticket.clocks.iter().filter(|clock| clock.remaining.is_some() && clock.met_at.is_none());
    let worst = running.min_by_key(|clock| clock.remaining);
    html! {
        tr class={ "standing-" (ticket.standing) } {
            td { div.subject dir="auto" { (bounded(&ticket.subject, LONGEST)) } div.muted { (ticket.display_id) " · " (ticket.client.as_deref().unwrap_or("no client")) } }
            td { (ticket.standing.replace('_', " ")) @if let Some(clock) = worst { div { (clock.time_words()) } } }
            td { (ticket.technician.as_deref().unwrap_or("Unassigned")) }
        }
    }
}
