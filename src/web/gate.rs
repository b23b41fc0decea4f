//! The one gate before every route: who is asking, may they, is it theirs, and does it come from our own pages.
//!
//! A handler behind it finds the [`Caller`] with a scope no wider than the route and the query allow, and decides
//! nothing of this by itself.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{ConnectInfo, FromRequestParts, RawPathParams, Request, State};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST, ORIGIN, TRANSFER_ENCODING};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use url::{Url, form_urlencoded};

use super::auth::{Caller, login_for};
use super::route::{Face, Needs, Rule, Takes, Tenants};
use super::{Problem, Web, pages};
use crate::service::Reach;
use crate::store::tokens::Role;
use crate::ticket::TenantId;

/// Lets a request through to its handler, if it keeps to `rule`.
pub async fn pass(State((web, rule)): State<(Arc<Web>, Rule)>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    match admit(&web, rule, &mut parts).await {
        Ok(()) => next.run(Request::from_parts(parts, body)).await,
        Err(problem) => refusal(rule.face, &parts, problem),
    }
}

async fn admit(web: &Arc<Web>, rule: Rule, parts: &mut Parts) -> Result<(), Problem> {
    if rule.needs != Needs::OwnProof && !parts.method.is_safe() {
        not_from_elsewhere(web, &parts.headers)?;
    }
    if let Needs::Role(role) = rule.needs {
        let caller = caller(web, role, rule.tenants, parts).await?;
        parts.extensions.insert(caller);
    }
    of_the_right_kind(rule.takes, &parts.headers)
}

/// Who asks, if one of `role` may ask it, about what they may see of it.
async fn caller(web: &Arc<Web>, role: Role, tenants: Tenants, parts: &mut Parts) -> Result<Caller, Problem> {
    let address = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip());
    let caller = Caller::identify(&parts.headers, address, web).await?;
    if caller.by_cookie && !parts.method.is_safe() {
        from_our_own_page(&parts.headers)?;
    }
    caller.needs(role)?;
    let scope = allowed(web, tenants, &caller, parts).await?;
    Ok(caller.within(scope))
}

/// What of the caller's scope the request is about.
async fn allowed(web: &Arc<Web>, tenants: Tenants, caller: &Caller, parts: &mut Parts) -> Result<Reach, Problem> {
    match tenants {
        Tenants::None => Ok(caller.scope.clone()),
        Tenants::All if caller.scope == Reach::All => Ok(Reach::All),
        Tenants::All => {
            let detail = "this is of all tenants; use a token made without `--tenant`";
            Err(Problem::new(StatusCode::FORBIDDEN, detail))
        }
        Tenants::Own => match wanted(web, parts).await {
            Some(name) => narrowed(web, &caller.scope, &name).ok_or_else(|| Problem::not_found("tenant")),
            None => Ok(caller.scope.clone()),
        },
    }
}

/// The tenant that the path or the query names. A form sends what was left empty as an empty text.
async fn wanted(web: &Arc<Web>, parts: &mut Parts) -> Option<String> {
    if let Ok(named) = RawPathParams::from_request_parts(parts, web).await
        && let Some((_, name)) = named.iter().find(|(key, _)| *key == "tenant")
    {
        return Some(name.to_owned());
    }
    let query = parts.uri.query().unwrap_or_default();
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    let (_, name) = pairs.find(|(key, _)| key == "tenant")?;
    Some(name.trim().to_owned()).filter(|name| !name.is_empty())
}

/// The one tenant `name`, if it is there and `scope` reaches it.
fn narrowed(web: &Web, scope: &Reach, name: &str) -> Option<Reach> {
    let wanted = TenantId::parse(name).ok().filter(|tenant| web.service.knows(tenant))?;
    scope.includes(&wanted).then_some(Reach::One(wanted))
}

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Refuses what a page of somebody else's made a browser send. Browsers say so, and no page can keep them from it.
fn not_from_elsewhere(web: &Web, headers: &HeaderMap) -> Result<(), Problem> {
    let text = |name: HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let ours = match (text(ORIGIN), text(FETCH_SITE)) {
        (Some(origin), _) => is_ours(web, origin, text(HOST).unwrap_or_default()),
        (None, Some(site)) => matches!(site, "same-origin" | "none"),
        (None, None) => true,
    };
    let detail = "another site may not make a browser change anything here; if this is our own page, see that \
                  `server.public_url` is the address that people use";
    if ours { Ok(()) } else { Err(Problem::new(StatusCode::FORBIDDEN, detail)) }
}

/// Whether `origin` is where our own pages come from: the address that was asked, or the one that people know.
fn is_ours(web: &Web, origin: &str, host: &str) -> bool {
    let asked =
        origin.split_once("://").is_some_and(|(scheme, rest)| matches!(scheme, "http" | "https") && rest == host);
    let known = web.options.public_url.as_deref().and_then(|url| Url::parse(url).ok());
    asked || known.is_some_and(|known| known.origin().ascii_serialization() == origin)
}

/// A cookie goes along by itself. A browser that does not say where a request comes from is not believed with one.
fn from_our_own_page(headers: &HeaderMap) -> Result<(), Problem> {
    if headers.contains_key(ORIGIN) || headers.contains_key(FETCH_SITE) {
        return Ok(());
    }
    let detail = "send `Origin` with a cookie, as browsers do, or use `Authorization: Bearer TOKEN`";
    Err(Problem::new(StatusCode::FORBIDDEN, detail))
}

/// A form of another site can send a body as plain text or as a form, but not as JSON.
fn of_the_right_kind(takes: Takes, headers: &HeaderMap) -> Result<(), Problem> {
    let wanted = match takes {
        Takes::Json => "application/json",
        Takes::Form => "application/x-www-form-urlencoded",
        Takes::Nothing | Takes::Anything => return Ok(()),
    };
    let is_empty =
        headers.get(CONTENT_LENGTH).is_none_or(|length| length == "0") && !headers.contains_key(TRANSFER_ENCODING);
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if is_empty || kind.eq_ignore_ascii_case(wanted) {
        return Ok(());
    }
    Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, format!("send `Content-Type: {wanted}`")))
}

/// A person is sent to the login page, or told in words on a page.
fn refusal(face: Face, parts: &Parts, problem: Problem) -> Response {
    match face {
        Face::Page if problem.is_unauthorized() => Redirect::to(&login_for(&parts.uri)).into_response(),
        Face::Page => pages::refused(&problem),
        Face::Api => problem.into_response(),
    }
}
