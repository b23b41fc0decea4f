//! The page behind the link in a message, and its button.
//!
//! It asks for no login: the link is the key. Opening it changes nothing, and
//! the page presses no button by itself, since mail scanners open every link and
//! run what scripts they find.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};

use super::{Problem, Web, pages};
use crate::alert::life::{HoldKind, State as Life};
use crate::answers::{Answers, Followed, LinkTrouble, Linked};
use crate::notify::link::LinkError;
use crate::notify::{Body, render};

/// GET /a/{token}
pub async fn show(State(web): State<Arc<Web>>, Path(token): Path<String>) -> Result<Response, Problem> {
    Ok(match answers(&web)?.look(&token).await {
        Ok(linked) => page("Acknowledge", offer(&linked)),
        Err(trouble) => trouble_page(trouble)?,
    })
}

/// POST /a/{token}
pub async fn follow(State(web): State<Arc<Web>>, Path(token): Path<String>) -> Result<Response, Problem> {
    Ok(match answers(&web)?.follow(&token).await {
        Ok(Followed::Acknowledged(linked)) => page("Acknowledged", done(&linked)),
        Ok(Followed::AsBefore(linked)) => page("Already answered", as_before(&linked)),
        Err(trouble) => trouble_page(trouble)?,
    })
}

fn answers(web: &Web) -> Result<&Answers, Problem> {
    web.options.answers.as_ref().ok_or_else(|| Problem::not_found("page"))
}

fn page(title: &str, body: Markup) -> Response {
    pages::layout(&format!("{title} · SLA watch"), "none", html! { main.alone { (body) } }).into_response()
}

/// How the alert stands, and the button if there is something to acknowledge.
fn offer(linked: &Linked) -> Markup {
    if linked.alert.state() != Life::Open {
        return as_before(linked);
    }
    html! {
        (facts(linked))
        form method="post" { button { "Acknowledge" } }
        p.muted { "You do so as " (linked.who) ". Nobody else is told while you work on it." }
    }
}

fn done(linked: &Linked) -> Markup {
    html! {
        (facts(linked))
        p role="status" { "Acknowledged by " (linked.who) ". Nobody else is told for now." }
    }
}

fn as_before(linked: &Linked) -> Markup {
    html! { (facts(linked)) p role="status" { (standing(linked)) } }
}

/// How the alert stands by what people did, in a sentence.
fn standing(linked: &Linked) -> String {
    let time = |at| render::time(&linked.message, at, linked.now);
    match linked.alert.life.held() {
        _ if linked.alert.state() == Life::Resolved => {
            format!("There is nothing to acknowledge any more: it was over at {}.", time(linked.alert.changed_at))
        }
        Some(hold) => {
            let word = if hold.kind == HoldKind::Acknowledged { "acknowledged" } else { "snoozed" };
            format!("Already {word} by {} at {} {}.", hold.by, time(hold.at), hold.how.words())
        }
        None => "This link was used before, and works once. A later message has a new one.".to_owned(),
    }
}

/// The ticket, the clock and its time; no more, since a link may be passed on.
fn facts(linked: &Linked) -> Markup {
    let about = render::about(&linked.message).unwrap_or_default();
    let stage = match linked.alert.raised.stage {
        crate::alert::Stage::Breached => "Breached",
        crate::alert::Stage::Warning => "At risk",
        crate::alert::Stage::Predicted => "Likely to breach",
    };
    html! {
        h1 { (about) }
        p { (stage) ", due " (render::time(&linked.message, linked.alert.raised.due, linked.now)) }
        @if let Body::Alert(facts) = &linked.message.body {
            @if let Some(url) = &facts.ticket.page_url { p { a href=(url) { "The whole ticket" } " (needs a login)" } }
        }
    }
}

fn trouble_page(trouble: LinkTrouble) -> Result<Response, Problem> {
    let (status, advice) = match trouble {
        LinkTrouble::Bad(LinkError::Expired) => {
            (StatusCode::GONE, "Links work for a day. Acknowledge it on the page, or by the link in a newer message.")
        }
        LinkTrouble::Bad(LinkError::Forged) => {
            (StatusCode::NOT_FOUND, "This is no link of ours, or a part of it is missing: copy the whole line.")
        }
        LinkTrouble::Gone => (StatusCode::NOT_FOUND, "What it was about is not kept any more."),
        LinkTrouble::Store(error) => return Err(error.into()),
    };
    let title = if status == StatusCode::GONE { "This link has expired" } else { "This link leads nowhere" };
    let body = html! { h1 { (title) } p { (advice) } p { a href="/" { "All open tickets" } } };
    Ok((status, page(title, body)).into_response())
}
