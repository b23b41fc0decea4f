//! The web face: the dashboard, the API behind it, hooks and health.
//!
//! Every route but health, hooks, links and login asks who is there, and hands that
//! one's scope to the service: nothing here chooses whose data is shown.

mod alerts;
mod api;
mod auth;
mod connections;
mod health;
mod hooks;
mod link;
mod login;
mod on_call;
mod overrides;
mod pages;
mod problem;
mod systems;
#[cfg(test)]
mod tests;
mod twilio;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, delete, get, post};
use secrecy::SecretString;
use serde_json::Value;

use crate::alert::life::Act;
use crate::answers::Answers;
use crate::service::Service;
use crate::store::Store;
use crate::store::tokens::Role;
use crate::telemetry::Telemetry;
use crate::ticket::TenantId;
use problem::Problem;

pub use connections::Door;

/// The largest body that is read anywhere: a login form.
const BODY_MAX: usize = 16 * 1024;

/// No answer takes this long unless something hangs.
const ANSWER_DEADLINE: Duration = Duration::from_secs(15);

/// What may differ between one service and another.
#[derive(Default)]
pub struct Options {
    /// The tenants whose hook is on, with its shared secret.
    pub hooks: BTreeMap<TenantId, SecretString>,
    /// Where people reach the page; with `https` the cookie is sent over nothing else.
    pub public_url: Option<String>,
    /// What somebody without a token may do; none: nothing.
    pub anonymous: Option<Role>,
    /// Takes answers to alerts; none: links and Twilio's hooks are off.
    pub answers: Option<Answers>,
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
}

/// All routes, ready to serve.
pub fn router(web: Web) -> Router {
    routes()
        .into_iter()
        .fold(Router::new(), |router, (path, methods)| router.route(path, methods))
        .fallback(async || Problem::not_found("page"))
        .method_not_allowed_fallback(async || Problem::new(StatusCode::METHOD_NOT_ALLOWED, "use another method"))
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .layer(from_fn(problem::explain_refusals))
        .layer(from_fn(answer_in_time))
        .layer(from_fn(secure))
        .with_state(Arc::new(web))
}

fn routes() -> Vec<(&'static str, MethodRouter<Arc<Web>>)> {
    vec![
        ("/", get(pages::dashboard)),
        ("/alerts", get(pages::alerts)),
        ("/forecast", get(pages::forecast)),
        ("/on-call", get(pages::on_call::on_call).post(on_call::submit)),
        ("/on-call/{id}/remove", post(on_call::submit_removal)),
        ("/tickets/{tenant}/{id}", get(pages::ticket)),
        ("/login", get(login::show).post(login::enter)),
        ("/logout", post(login::leave)),
        ("/assets/{name}", get(pages::asset)),
        ("/api/v1/tickets", get(api::tickets)),
        ("/api/v1/tickets/{id}/sla", get(api::ticket)),
        ("/api/v1/policies", get(api::policies)),
        ("/api/v1/forecast/record", get(api::forecast_record)),
        ("/api/v1/tickets/{id}/ledger", get(api::ledger)),
        ("/api/v1/tickets/{id}/override", post(overrides::decide).delete(overrides::undecide)),
        ("/api/v1/discrepancies", get(api::discrepancies)),
        ("/api/v1/overview", get(api::overview)),
        ("/api/v1/breaches", get(api::breaches)),
        ("/api/v1/messages", get(api::messages)),
        ("/api/v1/alerts", get(alerts::list)),
        ("/api/v1/alerts/weekly", get(alerts::weekly)),
        ("/api/v1/alerts/{id}", get(alerts::one)),
        ("/api/v1/alerts/{id}/ack", alerts::doing(Act::Acknowledge)),
        ("/api/v1/alerts/{id}/resolve", alerts::doing(Act::Resolve)),
        ("/api/v1/alerts/{id}/snooze", post(alerts::snooze)),
        ("/api/v1/alerts/{id}/escalate", alerts::doing(Act::Escalate)),
        ("/api/v1/silences", get(alerts::silences).post(alerts::silence)),
        ("/api/v1/silences/{id}", delete(alerts::end_silence)),
        ("/api/v1/maintenance-windows", get(alerts::maintenance_windows).post(alerts::maintain)),
        ("/api/v1/maintenance-windows/{id}", delete(alerts::end_maintenance)),
        ("/api/v1/on-call", get(on_call::list).post(on_call::add)),
        ("/api/v1/on-call/{id}", delete(on_call::remove)),
        ("/api/v1/demo/messages", get(api::caught)),
        ("/api/openapi.json", get(api::openapi)),
        ("/hooks/superops/{tenant}", post(hooks::superops)),
        ("/hooks/twilio/status", post(twilio::status)),
        ("/hooks/twilio/sms", post(twilio::reply)),
        ("/hooks/twilio/voice", post(twilio::key)),
        ("/hooks/pagerduty", systems::pagerduty()),
        ("/hooks/slack", systems::slack()),
        ("/a/{token}", get(link::show).post(link::follow)),
        ("/api/v1/no-texts", get(api::no_texts)),
        ("/api/v1/no-texts/{id}", delete(api::text_again)),
        ("/alerts/no-texts/{id}/clear", post(api::submit_text_again)),
        ("/healthz", get(health::alive)),
        ("/readyz", get(health::ready)),
        ("/metrics", get(health::metrics)),
    ]
}

async fn answer_in_time(request: Request, next: Next) -> Response {
    let answer = tokio::time::timeout(ANSWER_DEADLINE, next.run(request)).await;
    answer.unwrap_or_else(|_| {
        Problem::unavailable(vec!["the answer took too long; ask again in a while".to_owned()]).into_response()
    })
}

/// No script, style, frame or form but our own, and nothing of it kept in caches.
const SECURITY: [(HeaderName, &str); 5] = [
    (
        CONTENT_SECURITY_POLICY,
        "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'",
    ),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (REFERRER_POLICY, "no-referrer"),
    (X_FRAME_OPTIONS, "DENY"),
    (CACHE_CONTROL, "no-store"),
];

async fn secure(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    for (name, value) in SECURITY {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}
