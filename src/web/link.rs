//! The page behind the link in a message, and its button.
//!
//! It asks for no login: the link is the key. Opening it changes nothing and the page never presses its own button,
//! because mail scanners open every link and run the scripts they find. One link may stand for several alerts.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};

use super::{Problem, Web, pages};
use crate::alert::life::{HoldKind, State as Life};
use crate::answers::{Answers, Followed, LinkRefusal, Linked, texts};
use crate::notify::link::LinkError;
use crate::notify::{AlertFacts, Body, counted, render};
use crate::store::alerts::AlertRow;

/// GET /a/{token}
pub async fn show(State(web): State<Arc<Web>>, Path(token): Path<String>) -> Result<Response, Problem> {
    Ok(match answers(&web)?.look(&token).await {
        Ok(linked) => page("Acknowledge", offer(&linked)),
        Err(refusal) => refusal_page(refusal)?,
    })
}

/// POST /a/{token}
pub async fn follow(State(web): State<Arc<Web>>, Path(token): Path<String>) -> Result<Response, Problem> {
    Ok(match answers(&web)?.follow(&token).await {
        Ok(Followed::Acknowledged(linked)) => page("Acknowledged", done(&linked)),
        Ok(Followed::AsBefore(linked)) => page("Already answered", as_before(&linked)),
        Err(refusal) => refusal_page(refusal)?,
    })
}

fn answers(web: &Web) -> Result<&Answers, Problem> {
    web.options.answers.as_ref().ok_or_else(|| Problem::not_found("page"))
}

fn page(title: &str, body: Markup) -> Response {
    pages::layout(&format!("{title} · SLA watch"), "none", html! { main.alone { (body) } }).into_response()
}

/// Shows how the alerts stand, with the button if there is something to acknowledge.
fn offer(linked: &Linked) -> Markup {
    let open = linked.alerts.iter().filter(|alert| alert.state() == Life::Open).count();
    if open == 0 {
        return as_before(linked);
    }
    html! {
        (facts(linked))
        form method="post" { button { @if linked.alerts.len() > 1 { "Acknowledge all" } @else { "Acknowledge" } } }
        p.muted { "You acknowledge as " (linked.who) ". The escalation pauses while you work on it." }
    }
}

fn done(linked: &Linked) -> Markup {
    html! {
        (facts(linked))
        p role="status" { "Acknowledged by " (linked.who) ". " (texts::paused(&linked.alerts, &linked.message, linked.now)) "." }
    }
}

fn as_before(linked: &Linked) -> Markup {
    html! { (facts(linked)) p role="status" { (standing(linked)) } }
}

/// Says in a sentence how the alerts stand because of what people did.
fn standing(linked: &Linked) -> String {
    let time = |at| render::time(&linked.message, at, linked.now);
    let is_over = |alert: &&AlertRow| alert.state() == Life::Resolved;
    let held = linked.alerts.iter().find_map(|alert| alert.life.held());
    match (held, linked.alerts.iter().filter(is_over).map(|alert| alert.changed_at).max()) {
        (_, Some(last)) if linked.alerts.iter().all(|alert| is_over(&alert)) => {
            format!("There is nothing to acknowledge any more: it ended at {}.", time(last))
        }
        (Some(hold), _) => {
            let word = if hold.kind == HoldKind::Acknowledged { "acknowledged" } else { "snoozed" };
            format!("Already {word} by {} at {} {}.", hold.by, time(hold.at), hold.how.words())
        }
        _ => "This link works only once and was used before. A later message has a new one.".to_owned(),
    }
}

/// Shows what the message was about, and no more, since a link may be passed on.
fn facts(linked: &Linked) -> Markup {
    match &linked.message.body {
        Body::Bundle(bundle) => html! {
            h1 { (counted(linked.alerts.len(), "alert")) }
            ul { @for row in &bundle.rows { @if let Some(about) = render::about_row(row, &linked.message, linked.now) {
                li { (about) }
            } } }
        },
        Body::Alert(alert) => single(linked, alert),
        _ => html! {},
    }
}

fn single(linked: &Linked, facts: &AlertFacts) -> Markup {
    let raised = linked.alerts.first().map(|alert| alert.raised);
    let (stage, due) = raised.map_or((facts.stage, facts.due), |raised| (raised.stage, raised.due));
    let (subject, whose) = render::subject_and_client(&facts.ticket);
    html! {
        h1 { (render::about(&linked.message).unwrap_or_default()) }
        p { b { (subject) } br; (whose) }
        @if facts.ticket.service.is_some() {
            p { @if due > linked.now { "Until " } @else { "Since " } (render::time(&linked.message, due, linked.now)) }
            @if let Some(url) = &facts.ticket.page_url { p { a href=(url) { "The service" } " (needs a login)" } }
        } @else {
            p { (render::stage_words(stage)) ", due " (render::time(&linked.message, due, linked.now)) }
            @if let Some(url) = &facts.ticket.page_url { p { a href=(url) { "The whole ticket" } " (needs a login)" } }
        }
    }
}

fn refusal_page(refusal: LinkRefusal) -> Result<Response, Problem> {
    let (status, advice) = match refusal {
        LinkRefusal::Bad(LinkError::Expired) => {
            (StatusCode::GONE, "Links work for a day. Acknowledge it on the page, or by the link in a newer message.")
        }
        LinkRefusal::Bad(LinkError::Forged) => {
            (StatusCode::NOT_FOUND, "This link is not ours, or part of it is missing: copy the whole line.")
        }
        LinkRefusal::Gone => (StatusCode::NOT_FOUND, "The alert it refers to is no longer kept."),
        LinkRefusal::Store(error) => return Err(error.into()),
    };
    let title = if status == StatusCode::GONE { "This link has expired" } else { "This link does not work" };
    let body = html! { h1 { (title) } p { (advice) } p { a href="/" { "All open tickets" } } };
    Ok((status, page(title, body)).into_response())
}
