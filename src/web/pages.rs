//! The pages for people. They are frames that `app.js` fills from the API, as text only.

mod alerts;
pub mod api;
pub mod archive;
pub mod clients;
mod forecast;
mod frame;
mod heads;
pub mod honesty;
pub mod incidents;
mod month;
pub mod on_call;
pub mod people;
mod period;
pub mod records;
pub mod reports;
pub mod room;
pub mod services;
pub mod sign_in;
mod sorted;
pub mod statements;
pub mod system;
pub mod timeline;
pub mod times;
pub mod today;
pub mod tokens;

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{Html, IntoResponse, Response};
use maud::{Markup, html};
use url::form_urlencoded;

pub use self::alerts::alerts;
pub use self::forecast::forecast;
pub use self::frame::{Sheet, frame, layout, refused};
use super::auth::Caller;
use super::delivery::REVALIDATED;
use super::{Problem, Web};
use crate::notify::counted;
use crate::service::TicketSla;
use crate::store::tokens::Role;

/// GET /
pub async fn dashboard(State(web): State<Arc<Web>>, caller: Caller) -> Html<String> {
    frame(&web, &caller, &Sheet { title: "Tickets", kind: "dashboard", here: "/" }, &dashboard_content(&web, &caller))
}

/// GET /tickets/{tenant}/{id}
pub async fn ticket(
    State(web): State<Arc<Web>>,
    caller: Caller,
    Path((_, id)): Path<(String, String)>,
) -> Result<Response, Problem> {
    Ok(match web.service.ticket(&caller.scope, &id).await? {
        Some(ticket) => {
            let sheet = Sheet { title: &title(&ticket), kind: "ticket", here: "/" };
            frame(&web, &caller, &sheet, &ticket_content(&ticket, &caller)).into_response()
        }
        None => {
            let sheet = Sheet { title: "No such ticket", kind: "none", here: "/" };
            (
                StatusCode::NOT_FOUND,
                frame(&web, &caller, &sheet, &missing(web.service.left_out(&caller.scope).get("ticket").copied())),
            )
                .into_response()
        }
    })
}

/// Renders the login page, with the complaint about an earlier try.
pub fn login(web: &Web, next: &str, complaint: Option<&str>, leads_on: bool) -> Html<String> {
    // If the browser withheld its cookie, `app.js` goes on to the wanted page at once.
    let kind = if leads_on { "login" } else { "none" };
    let provider = web.options.sign_in.as_ref().map(|sign_in| sign_in.name());
    layout("Log in · SLA watch", kind, login_frame(next, complaint, provider))
}

macro_rules! assets {
    ($($name:literal)*) => { &[$(($name, include_str!(concat!("assets/", $name)))),*] };
}

/// The scripts, styles and images of the pages, by name.
pub const ASSETS: &[(&str, &str)] = assets![
    "acts.js" "alerts.js" "app.css" "app.js" "clocks.js" "day.js" "dom.js" "freshness.js" "head.js" "holds.js" "icon.svg" "ledger.js" "live.js" "messages.js" "quiet.js" "refresh.js" "saved.js"
    "state.js" "table.js" "ticket.js" "time.js" "written.js"
];

/// GET /assets/{name}. A browser revalidates each time, so a page never runs with an older version's script.
pub async fn asset(Path(name): Path<String>) -> Result<impl IntoResponse, Problem> {
    let (name, text) = ASSETS.iter().find(|(known, _)| *known == name).ok_or_else(|| Problem::not_found("asset"))?;
    let kind = match name.rsplit('.').next() {
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "text/javascript; charset=utf-8",
    };
    let kind = HeaderValue::from_static(kind);
    Ok(([(CONTENT_TYPE, kind), (CACHE_CONTROL, REVALIDATED)], *text))
}

fn title(ticket: &TicketSla) -> String {
    format!("{} · {}", ticket.display_id, ticket.subject)
}

fn dashboard_content(web: &Web, caller: &Caller) -> Markup {
    html! {
        main.desk data-view="tickets" data-caught=(web.options.caught.is_some()) data-may-act=(caller.role >= Role::Responder) {
            section.tickets aria-label="Open tickets" {
                div.tiles id="tiles" role="group" aria-label="Show by standing" {}
                (filters())
                p.muted id="desk" {}
                details.today id="today" hidden { summary id="today-words" {} div id="today-picture" {} }
                p.note id="note" aria-live="polite" {}
                details.differences id="differences" hidden {}
                (ticket_table())
                div.empty id="empty" hidden {}
            }
            aside.side aria-label="Messages" {
                nav.views id="views" role="tablist" aria-label="Views" {}
                div.panel id="messages" role="tabpanel" aria-label="Messages" {}
                div.panel id="caught" role="tabpanel" aria-label="Caught messages" {}
            }
        }
        dialog.drawer id="drawer" aria-label="Ticket" {
            button.close type="button" aria-label="Close" { "×" }
            div id="opened" {}
        }
    }
}

fn filters() -> Markup {
    html! {
        form.filters id="filters" method="get" role="search" {
            input type="search" name="text" placeholder="Find a ticket, client, technician…" aria-label="Find" autocomplete="off";
            @for (name, label) in [("tenant", "tenants"), ("client", "clients"), ("technician", "technicians"), ("priority", "priorities")] {
                select name=(name) aria-label={ "Only these " (label) } { option value="" { "All " (label) } }
            }
            button.quiet type="reset" id="clear" hidden { "Clear" }
            button.quiet type="button" id="save" hidden { "Save view" }
            button.quiet type="button" id="share" hidden { "Share view" }
            select id="saved" aria-label="Saved views" hidden { option value="" { "Saved views…" } }
        }
    }
}

/// The column of the third clock is hidden unless a policy asks for it.
const COLUMNS: [(&str, &str); 6] = [
    ("what", "Ticket"),
    ("clock", "First response"),
    ("clock", "Resolution"),
    ("clock next", "Next response"),
    ("who", "Technician, status"),
    ("how", "Priority, SLA"),
];

fn ticket_table() -> Markup {
    html! {
        table id="table" {
            thead {
                tr {
                    @for (class, name) in COLUMNS {
                        th scope="col" class=(class) { (name) }
                    }
                }
            }
            tbody id="rows" {}
        }
    }
}

fn ticket_content(ticket: &TicketSla, caller: &Caller) -> Markup {
    html! {
        main.single data-may-act=(caller.role >= Role::Responder) {
            a.back href="/" { "← All open tickets" }
            p.note id="note" aria-live="polite" {}
            article.ticket id="ticket" data-tenant=(ticket.tenant) data-id=(ticket.ticket_id) {
                h1 { span.id { (ticket.display_id) } " " (ticket.subject) }
            }
        }
    }
}

/// `unread` is the number of tickets in the store that cannot be read; this may be one of them.
fn missing(unread: Option<usize>) -> Markup {
    html! {
        main.alone {
            h1 { "No such ticket" }
            p { "It is unknown here, or your token may not see it. A new ticket appears after the next read of SuperOps." }
            @if let Some(unread) = unread {
                p.complaint { (counted(unread, "ticket")) " cannot be read from the store; if this is one, it comes back when SuperOps shows it again. The log names each." }
            }
            p { a href="/" { "All open tickets" } }
        }
    }
}

fn login_frame(next: &str, complaint: Option<&str>, provider: Option<&str>) -> Markup {
    html! {
        main.alone {
            img src="/assets/icon.svg" alt="" width="44" height="44";
            h1 { "SLA watch" }
            @if let Some(name) = provider {
                @if let Some(complaint) = complaint { p.complaint role="alert" { (complaint) } }
                a.enter href={ "/login/oidc?" (form_urlencoded::Serializer::new(String::new()).append_pair("next", next).finish()) } { "Sign in with " (name) }
                p.or { "or with a token" }
            }
            form method="post" action="/login" {
                input type="hidden" name="next" value=(next);
                label for="token" { "Access token" }
                input id="token" name="token" type="password" placeholder="sla_…" autocomplete="current-password" required autofocus[provider.is_none()];
                @if let (Some(complaint), None) = (complaint, provider) { p.complaint role="alert" { (complaint) } }
                button.second[provider.is_some()] { "Log in" }
            }
            p.muted { "Your administrator makes one with " code { "superops-sla token create --role viewer" } "." }
        }
    }
}
