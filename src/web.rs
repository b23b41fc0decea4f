//! The web face: the dashboard, the API behind it, hooks and health.
//!
//! [`routes`] is the table of all routes: each row says how it is asked, which role it needs, whose data it shows and what
//! it takes and gives. One layer, [`gate`], holds every request to its row before the handler is asked, and hands it the
//! [`auth::Caller`] with a scope that is no wider than the row and the query allow: nothing else here chooses whose
//! data is shown.
//!
//! To add a route, write its handler, which takes a `Caller` and passes `caller.scope` to the service, and add a row:
//! `get("/api/v1/things", Viewer, things::list).about("…").query::<ThingQuery>().gives::<ThingPage>("…")`. What the row
//! says of queries and answers becomes the description of the API, so the types derive `IntoParams` and `ToSchema`.
//!
//! To add a page, write a handler that gives [`pages::frame`] a title and the content of `main`; it puts the head, the
//! navigation and the banners round it. Add a row with `page("/things", Viewer, pages::things)`, an entry in
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
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
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

/// No answer takes this long unless something hangs.
const ANSWER_DEADLINE: Duration = Duration::from_secs(15);

/// What may differ between one service and another.
#[derive(Default)]
pub struct Options {
    /// The tenants whose hook is on, with its shared secret.
    pub hooks: BTreeMap<TenantId, SecretString>,
    /// Where people reach the page; with `https` the cookie is sent over nothing else.
    pub public_url: Option<String>,
    /// Proxies before us, whose word on who asks is believed.
    pub trusted_proxies: Vec<Network>,
    /// Sites whose scripts may ask with a token, as `https://host`.
    pub cors_origins: Vec<String>,
    /// Of one caller; none: as many as they like.
    pub requests_per_second: Option<NonZeroU32>,
    /// What somebody without a token may do; none: nothing.
    pub anonymous: Option<Role>,
    /// Signs people in by an identity provider; none: by tokens only.
    pub sign_in: Option<Arc<SignIn>>,
    /// Takes answers to alerts; none: links and Twilio's hooks are off.
    pub answers: Option<Answers>,
    /// The status pages in all their forms; none: there are none.
    pub pages: Option<Arc<PublishedPages>>,
    /// Wakes dispatch.
    pub outbox: Arc<Notify>,
    /// What the demo's receivers caught.
    pub caught: Option<Arc<dyn Caught>>,
}

/// Messages that were caught instead of sent, for the demo to show.
pub trait Caught: Send + Sync {
    /// At most `limit`, newest first, as an array of `{at, kind: email | sms, to, subject, text}`.
    fn newest(&self, limit: usize) -> Value;
}

/// What the routes work with.
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

/// What the API is, for programs: made from the table of routes, once.
static DESCRIPTION: LazyLock<Value> = LazyLock::new(|| openapi::document(&routes::all()));
static DESCRIPTION_TEXT: LazyLock<String> = LazyLock::new(|| DESCRIPTION.to_string());

/// All routes, ready to serve.
pub fn router(web: Web) -> Router {
    let origins = web.options.cors_origins.clone();
    let web = Arc::new(web);
    routes::all()
        .into_iter()
        .map(|route| route.guarded(&web))
        .fold(Router::new(), |router, (path, methods)| router.route(path, methods))
        .fallback(async || Problem::not_found("page"))
        .method_not_allowed_fallback(async || Problem::new(StatusCode::METHOD_NOT_ALLOWED, "use another method"))
        // The outermost first. Each layer that is put on by itself costs every answer an allocation for each one within.
        .layer((from_fn(delivery::name), delivery::shared_with(&origins), delivery::packed(), from_fn(finish)))
        .with_state(web)
}

/// Every answer as we give it: in time, refusals explained, unsent if the asker has it already, and kept as it may be.
async fn finish(request: Request, next: Next) -> Response {
    let asked = delivery::Asked::of(&request);
    let answer = async {
        let answer = problem::explained(next.run(request).await).await;
        asked.unless_known(asked.keep(answer)).await
    };
    let mut answer = tokio::time::timeout(ANSWER_DEADLINE, answer).await.unwrap_or_else(|_| {
        Problem::unavailable(vec!["the answer took too long; ask again in a while".to_owned()]).into_response()
    });
    secure(answer.headers_mut());
    answer
}

/// No script, style, frame or form but our own, and nothing of it kept in caches.
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
