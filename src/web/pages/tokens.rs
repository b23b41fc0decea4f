//! The page of tokens: who may use the API and the pages, since when, and when each was last used.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Html;
use chrono::{DateTime, Utc};
use maud::{Markup, html};

use super::times::Times;
use super::{Sheet, frame};
use crate::service::tokens::TokenMade;
use crate::store::tokens::TokenRecord;
use crate::web::auth::Caller;
use crate::web::{Problem, Web};

/// The result of the form.
pub enum Outcome {
    Made(TokenMade),
    Refused(Problem),
}

/// GET /tokens
pub async fn tokens(State(web): State<Arc<Web>>, caller: Caller) -> Result<Html<String>, Problem> {
    page(&web, &caller, None).await
}

/// Renders the page with the result of its form.
pub async fn page(web: &Web, caller: &Caller, outcome: Option<&Outcome>) -> Result<Html<String>, Problem> {
    let (known, now) = (web.service.tokens(&caller.scope).await?, web.service.now());
    let times = Times::of(web, caller).await?;
    let content = html! {
        main.made {
            h1 { "Tokens" }
            p.muted { "A token gives access to what its role and tenant allow, in the API and on these pages. Only its hash is stored. Times are in " (times.zone()) "." }
            @match outcome {
                Some(Outcome::Made(made)) => (shown_once(made)),
                Some(Outcome::Refused(problem)) => { p.complaint role="alert" { (problem.detail()) } }
                None => {}
            }
            (form(&web.service.tenant_names(&caller.scope), caller.tenant().is_none()))
            @if known.is_empty() { p.empty { "There are no tokens yet. Make one above for each person, screen or program that asks." } }
            @else { (table(&known, caller, now, times)) }
        }
    };
    // A new token is shown only once, so the page must not refresh itself.
    let kind = if outcome.is_some() { "reports" } else { "made" };
    Ok(frame(web, caller, &Sheet { title: "Tokens", kind, here: "/system" }, &content))
}

fn shown_once(made: &TokenMade) -> Markup {
    html! {
        div.said role="status" {
            p { "The token of " b { (made.record.name) } ". It is shown only once: save it now." }
            p { code { (made.token) } }
        }
    }
}

fn form(tenants: &[String], may_see_all: bool) -> Markup {
    html! {
        form.filters method="post" action="/tokens" {
            input name="name" required maxlength="60" placeholder="Who or what it is for" aria-label="Who or what it is for" autocomplete="off";
            select name="role" aria-label="Role" {
                @for role in ["viewer", "responder", "admin"] { option value=(role) { (role) } }
            }
            select name="tenant" aria-label="Tenant" {
                @if may_see_all { option value="" { "all tenants" } }
                @for tenant in tenants { option value=(tenant) { (tenant) } }
            }
            select name="for" aria-label="How long it lasts" {
                @for (value, words) in [("90d", "for 90 days"), ("7d", "for a week"), ("365d", "for a year"), ("", "until revoked")] {
                    option value=(value) { (words) }
                }
            }
            button { "Make a token" }
        }
    }
}

fn table(known: &[TokenRecord], caller: &Caller, now: DateTime<Utc>, times: Times) -> Markup {
    let time = |at: Option<DateTime<Utc>>| at.map_or("never".to_owned(), |at| times.at(at));
    html! {
        div.scroll { table {
            thead { tr { th scope="col" { "For" } th scope="col" { "Role" } th scope="col" { "Tenant" } th scope="col" { "Made" } th scope="col" { "Last used" } th scope="col" { "State" } th scope="col" {} } }
            tbody { @for token in known { tr {
                td { (if token.name.is_empty() { &token.id } else { &token.name }) }
                td { (token.role.as_str()) }
                td { (token.reach()) }
                td { (time(Some(token.created_at))) }
                td { (time(token.last_used_at)) }
                td { (state(token, now, times)) }
                td { @if token.is_good(now) && caller.token.as_ref() != Some(&token.id) {
                    form method="post" action={ "/tokens/" (token.id) "/revoke" } { button.quiet { "Revoke" } }
                } @else if token.is_good(now) { span.muted { "yours" } } }
            } } }
        } }
    }
}

fn state(token: &TokenRecord, now: DateTime<Utc>, times: Times) -> String {
    let day = |at: DateTime<Utc>| times.day(at);
    match (token.revoked_at, token.expires_at) {
        (Some(at), _) => format!("revoked {}", day(at)),
        (None, Some(at)) if at <= now => format!("expired {}", day(at)),
        (None, Some(at)) => format!("✓ good until {}", day(at)),
        (None, None) => "✓ good".to_owned(),
    }
}
