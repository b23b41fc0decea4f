//! Subscribing to a status page by mail: the form of the page, the link that confirms it, and the way out.
//!
//! Opening a link changes nothing, since mail scanners open every link: it shows a button. Whether an address is
//! subscribed is told to nobody: every answer to the form is the same.

use std::net::IpAddr;
use std::sync::Arc;

use axum::Form;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};
use serde::Deserialize;
use utoipa::ToSchema;

use super::gate::Asked;
use super::{Problem, Web, pages};
use crate::config::checks::email_address;
use crate::config::uptime::StatusPage;
use crate::keys::Secret;
use crate::notify::link::SubscriberAction;
use crate::store::private_pages::page_of;
use crate::store::subscribers::{Subscribed, Subscriber};
use crate::subscriptions::Question;

/// No address is longer (RFC 5321).
const LONGEST_ADDRESS: usize = 254;

/// What the form says.
#[derive(Deserialize, ToSchema)]
pub struct SubscribeForm {
    /// Where news are to be sent.
    email: String,
}

/// GET /status/updates
pub async fn offer_subscribe(State(web): State<Arc<Web>>) -> Result<Response, Problem> {
    form(open(&web)?)
}

/// GET /status/for/{token}/updates
pub async fn offer_private(State(web): State<Arc<Web>>, Path(token): Path<String>) -> Result<Response, Problem> {
    private(&web, &token)?;
    form(open(&web)?)
}

fn form(page: &StatusPage) -> Result<Response, Problem> {
    let body = html! {
        h1 { "News by mail" }
        p { (page.title) ": incidents and announced work." }
        form method="post" {
            label for="email" { "Email address" }
            input id="email" name="email" type="email" required autocomplete="email" maxlength=(LONGEST_ADDRESS);
            button { "Subscribe" }
        }
        p.muted { "A mail asks you to confirm it. Each later one has a link to end it; then the address is forgotten." }
    };
    Ok(page_of_its_own("News by mail", body))
}

/// Whether `token` leads to the page of a client.
fn private(web: &Web, token: &str) -> Result<(), Problem> {
    let published = web.options.pages.as_ref().ok_or_else(|| Problem::not_found("page"))?;
    published.private(token).map(drop).ok_or_else(|| Problem::not_found("page"))
}

/// POST /status/updates
pub async fn subscribe(
    State(web): State<Arc<Web>>,
    Asked(address): Asked,
    Form(form): Form<SubscribeForm>,
) -> Result<Response, Problem> {
    ask(&web, String::new(), &form, address).await
}

/// POST /status/for/{token}/updates
pub async fn subscribe_private(
    State(web): State<Arc<Web>>,
    Path(token): Path<String>,
    Asked(address): Asked,
    Form(form): Form<SubscribeForm>,
) -> Result<Response, Problem> {
    private(&web, &token)?;
    ask(&web, page_of(&token), &form, address).await
}

async fn ask(web: &Web, page: String, form: &SubscribeForm, address: Option<IpAddr>) -> Result<Response, Problem> {
    let shown = open(web)?;
    let wrong = || Problem::new(StatusCode::BAD_REQUEST, "this is no email address; go back and check it");
    let email = email_address(&form.email).map_err(|_| wrong())?.to_lowercase();
    if email.len() > LONGEST_ADDRESS {
        return Err(wrong());
    }
    let too_much = |wait| Problem::too_much(wait, "too many have asked for news just now; try again later");
    web.limits.subscribes(address).map_err(too_much)?;
    let question = Question::of(web.service.config(), shown, page.is_empty());
    let question = question.ok_or_else(|| Problem::not_found("page"))?;
    let id = Secret::generate_id().map_err(|_| Problem::unavailable(vec!["there are no random bytes".to_owned()]))?;
    let (now, wish) = (web.service.now(), Subscriber { id, page, email });
    let asked = wish.clone();
    let mail = move |id: String| question.mail(&Subscriber { id, ..asked }, now);
    match web.store.subscribe(wish, mail, now).await? {
        Subscribed::Full => {
            return Err(Problem::unavailable(vec!["nobody else can subscribe now; try again tomorrow".to_owned()]));
        }
        Subscribed::Asked => web.options.outbox.notify_one(),
        Subscribed::AsBefore => {}
    }
    let body = html! {
        h1 { "Look into your mail" }
        p role="status" {
            "Unless this address is subscribed already, a mail is on its way to it. Follow the link in it within two \
             days: until then nothing else is sent."
        }
    };
    Ok(page_of_its_own("Look into your mail", body))
}

/// The page, if people can subscribe to it.
fn open(web: &Web) -> Result<&StatusPage, Problem> {
    let page = web.service.config().uptime.status_page.as_ref();
    page.filter(|page| page.subscriptions).ok_or_else(|| Problem::not_found("page"))
}

/// GET /status/updates/confirm/{token}
pub async fn offer_confirm(State(web): State<Arc<Web>>, Path(token): Path<String>) -> Result<Response, Problem> {
    whose(&web, SubscriberAction::Confirm, &token)?;
    Ok(offer(&web, "Do you want to be told by mail?", "Yes, tell me"))
}

/// POST /status/updates/confirm/{token}
pub async fn confirm(State(web): State<Arc<Web>>, Path(token): Path<String>) -> Result<Response, Problem> {
    let id = whose(&web, SubscriberAction::Confirm, &token)?;
    let known = web.store.confirm_subscriber(&id, web.service.now()).await?;
    known.ok_or_else(gone)?;
    let body = html! {
        h1 { "You are subscribed" }
        p role="status" { "You are told of incidents and of announced work by mail. Each mail has a link to end it." }
    };
    Ok(page_of_its_own("You are subscribed", body))
}

/// GET /status/updates/stop/{token}
pub async fn offer_stop(State(web): State<Arc<Web>>, Path(token): Path<String>) -> Result<Response, Problem> {
    whose(&web, SubscriberAction::Stop, &token)?;
    Ok(offer(&web, "Do you want no more mails?", "No more mails"))
}

/// POST /status/updates/stop/{token}: by the button of the page, or by that of a mail program (RFC 8058). A second time
/// ends as well as the first.
pub async fn stop(State(web): State<Arc<Web>>, Path(token): Path<String>) -> Result<Response, Problem> {
    let id = whose(&web, SubscriberAction::Stop, &token)?;
    web.store.unsubscribe(&id).await?;
    let body = html! {
        h1 { "You are not told any more" }
        p role="status" { "Your address is forgotten. A mail that is under way already may still arrive." }
    };
    Ok(page_of_its_own("You are not told any more", body))
}

fn whose(web: &Web, wish: SubscriberAction, token: &str) -> Result<String, Problem> {
    web.options.answers.as_ref().and_then(|answers| answers.subscriber(wish, token)).ok_or_else(gone)
}

fn gone() -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "this link leads nowhere: it is older than two days, was used up, or is not whole",
    )
}

fn offer(web: &Web, title: &str, button: &str) -> Response {
    let name = web.service.config().uptime.status_page.as_ref().map(|page| page.title.as_str()).unwrap_or_default();
    let body = html! {
        h1 { (title) }
        p { (name) }
        form method="post" { button { (button) } }
    };
    page_of_its_own(title, body)
}

fn page_of_its_own(title: &str, body: Markup) -> Response {
    pages::layout(title, "none", html! { main.alone { (body) } }).into_response()
}
