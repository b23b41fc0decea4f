//! What every page has round its content: head, navigation, freshness and banners.

use axum::response::{Html, IntoResponse, Response};
use maud::{Markup, html};

use crate::formats::page::document;
use crate::service::Reach;
use crate::store::tokens::Role;
use crate::web::auth::Caller;
use crate::web::{Problem, Web};

/// The pages that each page leads to: path, name, and who may see it.
const NAVIGATION: &[(&str, &str, Role)] = &[
    ("/", "Tickets", Role::Viewer),
    ("/alerts", "Alerts", Role::Viewer),
    ("/services", "Services", Role::Viewer),
    ("/on-call", "On call", Role::Viewer),
    ("/reports", "Reports", Role::Viewer),
    ("/clients", "Clients", Role::Viewer),
    ("/technicians", "Technicians", Role::Viewer),
    ("/forecast", "Forecast", Role::Viewer),
    ("/policies", "Policies", Role::Viewer),
    ("/audit", "Audit", Role::Admin),
    ("/system", "System", Role::Viewer),
];

/// What is particular to one page.
pub struct Sheet<'a> {
    /// What the browser's tab says; `SLA watch` is added.
    pub title: &'a str,
    /// What the script does on it, beside the clock and the freshness: see `app.js`.
    pub kind: &'static str,
    /// Which entry of the navigation it is; a page below it names that.
    pub here: &'static str,
}

/// A page for somebody who is signed in, with `content` from `main` on.
pub fn frame(web: &Web, caller: &Caller, sheet: &Sheet<'_>, content: &Markup) -> Html<String> {
    let title = format!("{} · SLA watch", sheet.title);
    layout(&title, sheet.kind, html! { (bar(web, caller, sheet)) (content) })
}

/// A whole page; `kind` tells the script what to fill in.
pub fn layout(title: &str, kind: &str, body: Markup) -> Html<String> {
    let head = html! { (look()) script type="module" src="/assets/app.js" {} };
    Html(document(title, &head, &html! { body data-page=(kind) { (body) } }).into_string())
}

/// What makes a page look like one of ours.
pub fn look() -> Markup {
    html! {
        link rel="icon" href="/assets/icon.svg";
        link rel="stylesheet" href="/assets/app.css";
    }
}

fn bar(web: &Web, caller: &Caller, sheet: &Sheet<'_>) -> Markup {
    html! {
        header.bar {
            a.brand href="/" { img src="/assets/icon.svg" alt="" width="22" height="22"; "SLA watch" }
            nav.pages aria-label="Pages" {
                @for (path, name, role) in NAVIGATION {
                    @if caller.role >= *role { a href=(path) aria-current=[(*path == sheet.here).then_some("page")] { (name) } }
                }
            }
            ul.health id="health" aria-label="Freshness of the data" {}
            span.now id="now" {}
            @if web.options.anonymous.is_none() {
                form method="post" action="/logout" { button.quiet title=(who(caller)) { "Log out" } }
            }
        }
        div.banner id="stale" hidden {}
        // It is said once: the banner counts seconds.
        p.spoken id="stale-spoken" role="alert" {}
        div id="troubles" {}
        (without_script(sheet.kind))
    }
}

/// What a page lacks where no script runs.
fn without_script(kind: &str) -> Markup {
    html! {
        noscript { @match kind {
            "dashboard" | "alerts" | "ticket" => div.banner { "This page needs JavaScript. The same data is in " a href="/api" { "the API" } "." },
            _ => div.banner.trouble { "Without JavaScript this page stays as it is now: load it anew to see what has changed." },
        } }
    }
}

/// As what somebody is logged in.
fn who(caller: &Caller) -> String {
    let (role, name) = (caller.role.as_str(), caller.who());
    match &caller.scope {
        Reach::All => format!("You are {name}, a {role} of all tenants"),
        Reach::One(tenant) => format!("You are {name}, a {role} of {tenant}"),
    }
}

/// A page that says why the page that was wanted is not shown.
pub fn refused(problem: &Problem) -> Response {
    let content = html! {
        main.alone {
            h1 { (problem.title()) }
            p { (problem.detail()) }
            p { a href="/" { "All open tickets" } }
        }
    };
    (problem.status(), layout("SLA watch", "none", content)).into_response()
}
