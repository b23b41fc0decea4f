//! The frame around every page's content: head, navigation, freshness and banners.

use axum::response::{Html, IntoResponse, Response};
use maud::{Markup, html};

use crate::formats::page::document;
use crate::service::Reach;
use crate::store::tokens::Role;
use crate::web::auth::Caller;
use crate::web::{Problem, Web};

/// The pages in the navigation: path, name, and the role needed to see it.
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

/// What differs from page to page.
pub struct Sheet<'a> {
    /// The title in the browser's tab; `SLA watch` is added.
    pub title: &'a str,
    /// Tells the script what to do beside the clock and the freshness: see `app.js`.
    pub kind: &'static str,
    /// The entry of the navigation that is current; a page below an entry names that entry.
    pub here: &'static str,
}

/// Renders a page for somebody who is signed in, with `content` from `main` on.
pub fn frame(web: &Web, caller: &Caller, sheet: &Sheet<'_>, content: &Markup) -> Html<String> {
    let title = format!("{} · SLA watch", sheet.title);
    layout(&title, sheet.kind, html! { (bar(web, caller, sheet)) (content) })
}

/// Renders a whole page; `kind` tells the script what to fill in.
pub fn layout(title: &str, kind: &str, body: Markup) -> Html<String> {
    let head = html! { (look()) script type="module" src="/assets/app.js" {} };
    Html(document(title, &head, &html! { body data-page=(kind) { (body) } }).into_string())
}

/// Returns the links that give a page our look.
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
        // Announced only once, because the banner itself counts seconds.
        p.spoken id="stale-spoken" role="alert" {}
        div id="troubles" {}
        (without_script(sheet.kind))
    }
}

/// Says what the page lacks without JavaScript.
fn without_script(kind: &str) -> Markup {
    html! {
        noscript { @match kind {
            "dashboard" | "alerts" | "ticket" => div.banner { "This page needs JavaScript. The same data is in " a href="/api" { "the API" } "." },
            _ => div.banner.trouble { "Without JavaScript this page does not update: reload it to see what has changed." },
        } }
    }
}

/// Says who is logged in, and with which role.
fn who(caller: &Caller) -> String {
    let (role, name) = (caller.role.as_str(), caller.who());
    match &caller.scope {
        Reach::All => format!("You are {name}, with the role {role} for all tenants"),
        Reach::One(tenant) => format!("You are {name}, with the role {role} for {tenant}"),
    }
}

/// Renders a page that says why the requested page is not shown.
pub fn refused(problem: &Problem) -> Response {
    let content = html! {
        main.alone {
            h1 { (problem.title()) }
            p { (problem.detail()) }
            // In a tab of its own, so that whoever goes back finds the form as they filled it in.
            @if problem.is_unauthorized() { p { a href="/login" target="_blank" { "Sign in (in a new tab)" } ", then go back to what you have typed." } }
            p { a href="/" { "All open tickets" } }
        }
    };
    (problem.status(), layout("SLA watch", "none", content)).into_response()
}
