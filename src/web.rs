//! The web server: the dashboard, the API behind it, hooks and health checks.
//!
//! [`routes`] is the table of all routes: each row says how it is called, which role it needs, whose data it shows and
//! what it takes and returns. One layer, [`gate`], checks every request against its row before the handler runs, and
//! hands the handler the [`auth::Caller`] with a scope no wider than the row and the query allow: nothing else here
//! decides whose data is shown.
//!
//! To add a route, write its handler, which takes a `Caller` and passes `caller.scope` to the service, and add a row:
//! `get("/api/v1/things", Viewer, things::list).about("…").query::<ThingQuery>().gives::<ThingPage>("…")`. The row's
//! queries and answers become part of the API description, so their types derive `IntoParams` and `ToSchema`.
//!
//! To add a page, write a handler that passes a title and the content of `main` to [`pages::frame`], which adds the
//! head, the navigation and the banners. Add a row with `page("/things", Viewer, pages::things)`, an entry in
//! [`pages::NAVIGATION`], and each script or style to [`pages::ASSETS`].

mod alerts;
mod api;
mod audit;
mod auth;
mod body;
mod connections;
mod cookie;
mod delivery;
mod events;
mod fields;
mod gate;
mod health;
mod hooks;
mod incidents;
mod limits;
mod link;
mod login;
mod on_call;
mod openapi;
mod overrides;
mod pages;
mod people;
mod private_pages;
mod problem;
mod reports;
mod route;
mod routes;
mod rule;
mod sessions;
mod sign_in;
mod statements;
mod status;
mod subscriptions;
mod systems;
#[cfg(test)]
mod tests;
mod tokens;
mod twilio;
mod uptime;
mod views;

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Redirect, Response};
use secrecy::SecretString;
use serde_json::Value;
use tokio::sync::Notify;

use crate::answers::Answers;
use crate::config::Network;
use crate::service::Service;
use crate::sign_in::SignIn;
use crate::status_page::PublishedPages;
use crate::store::Store;
use crate::store::tokens::Role;
use crate::telemetry::Telemetry;
use crate::ticket::TenantId;
use limits::Limits;
use problem::Problem;

pub use connections::HttpServer;

/// The most time that an answer may take; only a hanging request takes longer.
const ANSWER_DEADLINE: Duration = Duration::from_secs(15);

/// The options that may differ between services.
#[derive(Default)]
pub struct Options {
    /// The tenants whose hook is on, each with its shared secret.
    pub hooks: BTreeMap<TenantId, SecretString>,
    /// The address at which people reach the page; with `https` the cookie is sent over nothing else.
    pub public_url: Option<String>,
    /// Proxies in front of us that are trusted to say who asks.
    pub trusted_proxies: Vec<Network>,
    /// Sites whose scripts may send requests with a token, as `https://host`.
    pub cors_origins: Vec<String>,
    /// The limit per caller; `None` means no limit.
    pub requests_per_second: Option<NonZeroU32>,
    /// What somebody without a token may do; `None` means nothing.
    pub anonymous: Option<Role>,
    /// Signs people in by an identity provider; `None` if by tokens only.
    pub sign_in: Option<Arc<SignIn>>,
    /// Takes answers to alerts; `None` if links and Twilio's hooks are off.
    pub answers: Option<Answers>,
    /// The status pages in all their forms; `None` if there are none.
    pub pages: Option<Arc<PublishedPages>>,
    /// Wakes dispatch.
    pub outbox: Arc<Notify>,
    /// The messages that the demo's receivers caught.
    pub caught: Option<Arc<dyn Caught>>,
}

/// Messages that were caught instead of sent, for the demo to show.
pub trait Caught: Send + Sync {
    /// Returns at most `limit` messages, newest first, as an array of `{at, kind: email | sms, to, subject, text}`.
    fn newest(&self, limit: usize) -> Value;
}

/// The state that the routes work with.
pub struct Web {
    pub service: Service,
    pub store: Store,
    pub telemetry: Arc<Telemetry>,
    pub options: Options,
    limits: Limits,
    readiness: health::Readiness,
}

impl Web {
    pub fn new(service: Service, store: Store, telemetry: Arc<Telemetry>, options: Options) -> Self {
        let limits = Limits::new(options.requests_per_second);
        Self { service, store, telemetry, options, limits, readiness: health::Readiness::default() }
    }
}

/// The OpenAPI description, built once from the table of routes.
static DESCRIPTION: LazyLock<Value> = LazyLock::new(|| openapi::document(&routes::all()));
static DESCRIPTION_TEXT: LazyLock<String> = LazyLock::new(|| DESCRIPTION.to_string());

/// Builds the router of all routes.
pub fn router(web: Web) -> Router {
    let origins = web.options.cors_origins.clone();
    let web = Arc::new(web);
    routes::all()
        .into_iter()
        .map(|route| route.guarded(&web))
        .fold(Router::new(), |router, (path, methods)| router.route(path, methods))
        .fallback(async || Problem::not_found("page"))
        .method_not_allowed_fallback(wrong_method)
        // Outermost first. Each layer added separately would cost every answer an allocation for each layer inside it.
        .layer((from_fn(delivery::name), delivery::shared_with(&origins), delivery::packed(), from_fn(finish)))
        .with_state(web)
}

/// Refuses a method that a path does not take. A browser that asks for the path of a form, as when somebody presses Enter
/// in its address bar, is led to the page with that form.
async fn wrong_method(request: Request) -> Response {
    let (method, uri) = (request.method(), request.uri());
    let is_of_person = method == Method::GET && delivery::Asked::of(&request).prefers_page();
    match page_of_form(uri.path()).filter(|_| is_of_person) {
        Some(page) => {
            let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
            Redirect::to(&format!("{page}{query}")).into_response()
        }
        None => Problem::new(StatusCode::METHOD_NOT_ALLOWED, "use another method").into_response(),
    }
}

/// Returns the page with the form that is sent to `path`, if that is not a page itself.
fn page_of_form(path: &str) -> Option<String> {
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let page = match parts.as_slice() {
        ["maintenance", ..] => "/incidents",
        ["statements", _, "credit"] => "/statements",
        ["tokens", _, "revoke"] => "/tokens",
        ["sessions", _, "end"] => "/system",
        ["on-call", _, "remove"] => "/on-call",
        ["alerts", "no-texts", _, "clear"] => "/alerts",
        ["people", id, "clear"] => return Some(format!("/people/{id}")),
        ["tickets", tenant, id, "reason"] => return Some(format!("/tickets/{tenant}/{id}")),
        ["logout"] => "/",
        _ => return None,
    };
    Some(page.to_owned())
}

/// Finishes every answer: enforces the deadline, explains refusals, saves sending what the asker has, and sets headers.
async fn finish(request: Request, next: Next) -> Response {
    let asked = delivery::Asked::of(&request);
    let answer = async {
        let answer = problem::explained(next.run(request).await, &asked).await;
        asked.unless_known(asked.keep(answer)).await
    };
    let mut answer = tokio::time::timeout(ANSWER_DEADLINE, answer).await.unwrap_or_else(|_| {
        Problem::unavailable(vec!["the answer took too long; ask again in a while".to_owned()]).into_response()
    });
    secure(answer.headers_mut());
    answer
}

/// Allows only our own scripts, styles, frames and forms, and keeps answers out of caches.
const SECURITY: [(HeaderName, &str); 5] = [
    (
        CONTENT_SECURITY_POLICY,
        "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'",
    ),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (REFERRER_POLICY, "same-origin"),
    (X_FRAME_OPTIONS, "DENY"),
    (CACHE_CONTROL, "no-store"),
];

fn secure(headers: &mut HeaderMap) {
    for (name, value) in SECURITY {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
}
