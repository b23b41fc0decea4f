//! Subscribing to a status page by mail: the form of the page, the link that confirms it, and the way out.
//!
//! Opening a link changes nothing but shows a button, since mail scanners open every link. Nobody learns whether an
//! address is subscribed: the form always gets the same answer.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Path, RawForm, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};
use url::form_urlencoded;
use utoipa::ToSchema;

use super::gate::Asked;
use super::{Problem, Web, pages};
use crate::config::checks::email_address;
use crate::config::uptime::{Component, StatusPage};
use crate::keys::Secret;
use crate::notify::link::SubscriberAction;
use crate::store::private_pages::page_of;
use crate::store::subscribers::{Subscribed, Subscriber};
use crate::subscriptions::Question;

/// The longest possible address (RFC 5321).
const LONGEST_ADDRESS: usize = 254;

/// What the form says.
#[derive(ToSchema)]
pub struct SubscribeForm {
    /// Where news are to be sent.
    email: String,
    /// Of which services, by their ids; none: of all that the page shows. The key is repeated for each.
    component: Vec<String>,
}

impl SubscribeForm {
    fn read(bytes: &[u8]) -> Self {
        let mut form = Self { email: String::new(), component: Vec::new() };
        for (key, value) in form_urlencoded::parse(bytes) {
            match key.as_ref() {
                "email" => form.email = value.into_owned(),
                "component" => form.component.push(value.into_owned()),
                _ => {}
            }
        }
        form
    }
}

/// GET /status/updates
pub async fn offer_subscribe(State(web): State<Arc<Web>>) -> Result<Response, Problem> {
    let page = open(&web)?;
    form(page, &on_public_page(&web))
}

/// GET /status/for/{token}/updates
pub async fn offer_private(State(web): State<Arc<Web>>, Path(token): Path<String>) -> Result<Response, Problem> {
    let page = open(&web)?;
    form(page, &on_private_page(&web, &token).await?)
}

fn on_public_page(web: &Web) -> Vec<&Component> {
    web.service.config().uptime.components.iter().filter(|one| one.public).collect()
}

/// Returns the components on the private page of `token`.
async fn on_private_page<'a>(web: &'a Web, token: &str) -> Result<Vec<&'a Component>, Problem> {
    let published = web.options.pages.as_ref().ok_or_else(|| Problem::not_found("page"))?;
    published.private(token).ok_or_else(|| Problem::not_found("page"))?;
    let (id, pages) = (page_of(token), web.store.private_pages().await?);
    let page = pages.into_iter().find(|page| page.id == id).ok_or_else(|| Problem::not_found("page"))?;
    let all = web.service.config().uptime.components.iter();
    Ok(all.filter(|one| one.tenant == page.tenant && one.client.as_ref() == Some(&page.client)).collect())
}

fn form(page: &StatusPage, shown: &[&Component]) -> Result<Response, Problem> {
    let body = html! {
        h1 { "News by mail" }
        p { (page.title) ": incidents and announced work." }
        form method="post" {
            label for="email" { "Email address" }
            input id="email" name="email" type="email" required autocomplete="email" maxlength=(LONGEST_ADDRESS);
            @if shown.len() > 1 {
                fieldset {
                    legend { "Which services? All of them, unless you choose." }
                    @for one in shown {
                        label.choice { input type="checkbox" name="component" value=(one.id); " " (one.name) }
                    }
                }
            }
            button { "Subscribe" }
        }
        p.muted { "A mail asks you to confirm it. Each later one has a link to unsubscribe, which deletes the address." }
    };
    Ok(page_of_its_own("News by mail", body))
}

/// POST /status/updates
pub async fn subscribe(
    State(web): State<Arc<Web>>,
    Asked(address): Asked,
    RawForm(form): RawForm,
) -> Result<Response, Problem> {
    let shown = on_public_page(&web);
    ask(&web, (String::new(), &shown), SubscribeForm::read(&form), address).await
}

/// POST /status/for/{token}/updates
pub async fn subscribe_private(
    State(web): State<Arc<Web>>,
    Path(token): Path<String>,
    Asked(address): Asked,
    RawForm(form): RawForm,
) -> Result<Response, Problem> {
    let shown = on_private_page(&web, &token).await?;
    ask(&web, (page_of(&token), &shown), SubscribeForm::read(&form), address).await
}

/// Returns the chosen components in the order of the page; empty if all are chosen.
fn chosen(shown: &[&Component], form: &SubscribeForm) -> Result<Vec<String>, Problem> {
    if form.component.iter().any(|id| shown.iter().all(|one| one.id != *id)) {
        return Err(Problem::new(StatusCode::BAD_REQUEST, "this page shows no such service; go back and choose anew"));
    }
    let chosen: Vec<_> =
        shown.iter().filter(|one| form.component.contains(&one.id)).map(|one| one.id.clone()).collect();
    Ok(if chosen.len() == shown.len() { Vec::new() } else { chosen })
}

async fn ask(
    web: &Web,
    (page, of): (String, &[&Component]),
    form: SubscribeForm,
    address: Option<IpAddr>,
) -> Result<Response, Problem> {
    let shown = open(web)?;
    let wrong = || Problem::new(StatusCode::BAD_REQUEST, "this is not an email address; go back and check it");
    let email = email_address(&form.email).map_err(|_| wrong())?.to_lowercase();
    if email.len() > LONGEST_ADDRESS {
        return Err(wrong());
    }
    let components = chosen(of, &form)?;
    let too_much = |wait| Problem::too_much(wait, "too many people are subscribing just now; try again later");
    web.limits.subscribes(address).map_err(too_much)?;
    let question = Question::of(web.service.config(), shown, page.is_empty());
    let question = question.ok_or_else(|| Problem::not_found("page"))?;
    let id = Secret::generate_id().map_err(|_| Problem::unavailable(vec!["there are no random bytes".to_owned()]))?;
    let (now, wish) = (web.service.now(), Subscriber { id, page, email, components });
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
        h1 { "Check your mail" }
        p role="status" {
            "Unless this address is subscribed already, a mail is on its way to it. Follow the link in it within two \
             days: until then nothing else is sent."
        }
    };
    Ok(page_of_its_own("Check your mail", body))
}

/// Returns the status page if people can subscribe to it.
fn open(web: &Web) -> Result<&StatusPage, Problem> {
    let page = web.service.config().uptime.status_page.as_ref();
    page.filter(|page| page.subscriptions).ok_or_else(|| Problem::not_found("page"))
}

/// GET /status/updates/confirm/{token}
pub async fn offer_confirm(State(web): State<Arc<Web>>, Path(token): Path<String>) -> Result<Response, Problem> {
    let id = whose(&web, SubscriberAction::Confirm, &token)?;
    if !web.store.can_confirm(&id, web.service.now()).await? {
        return Err(gone());
    }
    Ok(offer(&web, "Do you want news by mail?", "Yes, subscribe me"))
}

/// POST /status/updates/confirm/{token}
pub async fn confirm(State(web): State<Arc<Web>>, Path(token): Path<String>) -> Result<Response, Problem> {
    let id = whose(&web, SubscriberAction::Confirm, &token)?;
    let known = web.store.confirm_subscriber(&id, web.service.now()).await?;
    known.ok_or_else(gone)?;
    let body = html! {
        h1 { "You are subscribed" }
        p role="status" { "You get incidents and announced work by mail. Each mail has a link to unsubscribe." }
    };
    Ok(page_of_its_own("You are subscribed", body))
}

/// GET /status/updates/stop/{token}
pub async fn offer_stop(State(web): State<Arc<Web>>, Path(token): Path<String>) -> Result<Response, Problem> {
    whose(&web, SubscriberAction::Stop, &token)?;
    Ok(offer(&web, "Do you want to unsubscribe?", "Unsubscribe"))
}

/// POST /status/updates/stop/{token}: from the page's button, or from that of a mail program (RFC 8058). A repeat gets
/// the same answer.
pub async fn stop(State(web): State<Arc<Web>>, Path(token): Path<String>) -> Result<Response, Problem> {
    let id = whose(&web, SubscriberAction::Stop, &token)?;
    web.store.unsubscribe(&id).await?;
    let body = html! {
        h1 { "You are unsubscribed" }
        p role="status" { "Your address is deleted. A mail that is already on its way may still arrive." }
    };
    Ok(page_of_its_own("You are unsubscribed", body))
}

fn whose(web: &Web, wish: SubscriberAction, token: &str) -> Result<String, Problem> {
    web.options.answers.as_ref().and_then(|answers| answers.subscriber(wish, token)).ok_or_else(gone)
}

fn gone() -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "this link does not work: it is older than two days, was used before, or is incomplete",
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
