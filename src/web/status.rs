//! The public page and the private ones, from the documents that are kept ready: a request touches neither the store
//! nor a lock.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::header::{
    ACCEPT_ENCODING, ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY,
    CONTENT_TYPE, ETAG, IF_NONE_MATCH, REFERRER_POLICY, VARY,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};

use super::{Problem, Web, delivery};
use crate::status_page::{Document, Documents, OWN_ADDRESS, PublishedPages};

/// Caches may serve it for 15 seconds, and for a day if we cannot be reached.
const CACHING: HeaderValue =
    HeaderValue::from_static("public, max-age=15, stale-while-revalidate=60, stale-if-error=86400");
/// The style and the icon are inline; the page loads nothing else.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

const ROBOTS: HeaderName = HeaderName::from_static("x-robots-tag");

/// GET /status
pub async fn page(State(web): State<Arc<Web>>, headers: HeaderMap) -> Result<Response, Problem> {
    show(&web, "index.html", &headers)
}

/// GET /status/: there is one address of the page.
pub async fn to_page(State(web): State<Arc<Web>>) -> Result<Redirect, Problem> {
    published(&web).map(|_| Redirect::to("/status"))
}

/// GET /status/{name}
pub async fn document(
    State(web): State<Arc<Web>>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    show(&web, &name, &headers)
}

/// GET /api/v2/{name}
pub async fn api(
    State(web): State<Arc<Web>>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    show(&web, &format!("api/v2/{name}"), &headers)
}

/// GET /api/v2/incidents/{name}
pub async fn incidents(
    State(web): State<Arc<Web>>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    show(&web, &format!("api/v2/incidents/{name}"), &headers)
}

/// GET /status/for/{token}: redirects into the folder, because the page's links are relative to it.
pub async fn to_private(State(web): State<Arc<Web>>, Path(token): Path<String>) -> Result<Redirect, Problem> {
    private(&web, &token).map(|_| Redirect::to(&format!("/status/for/{token}/")))
}

/// GET /status/for/{token}/
pub async fn private_page(
    State(web): State<Arc<Web>>,
    Path(token): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    show_private(&web, &token, "index.html", &headers)
}

/// GET /status/for/{token}/{name}
pub async fn private_document(
    State(web): State<Arc<Web>>,
    Path((token, name)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    show_private(&web, &token, &name, &headers)
}

fn published(web: &Web) -> Result<&PublishedPages, Problem> {
    web.options.pages.as_deref().ok_or_else(|| Problem::not_found("page"))
}

fn private(web: &Web, token: &str) -> Result<Arc<Documents>, Problem> {
    published(web)?.private(token).ok_or_else(|| Problem::not_found("page"))
}

/// Shows a private page: not cached on the way, not indexed by search engines, its address not passed to other sites.
fn show_private(web: &Web, token: &str, path: &str, headers: &HeaderMap) -> Result<Response, Problem> {
    let documents = private(web, token)?;
    let document = documents.get(path).ok_or_else(|| Problem::not_found("page"))?;
    let is_feed = path.starts_with("history.");
    let mut response = if is_feed { feed(web, token, document) } else { body(document, headers) };
    let own = response.headers_mut();
    own.insert(CONTENT_TYPE, HeaderValue::from_static(document.content_type));
    own.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    own.insert(CONTENT_SECURITY_POLICY, POLICY);
    own.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    own.insert(ROBOTS, HeaderValue::from_static("noindex, nofollow, noarchive"));
    Ok(response)
}

/// Fills in a feed's own address, which only the request shows.
fn feed(web: &Web, token: &str, document: &Document) -> Response {
    let url = web.options.public_url.as_deref().unwrap_or_default();
    let text = String::from_utf8_lossy(&document.body);
    Body::from(text.replace(OWN_ADDRESS, &format!("{url}/status/for/{token}"))).into_response()
}

fn show(web: &Web, path: &str, headers: &HeaderMap) -> Result<Response, Problem> {
    let documents = published(web)?.public();
    let document = documents.get(path).ok_or_else(|| Problem::not_found("page"))?;
    let is_known = headers.get(IF_NONE_MATCH).is_some_and(|known| delivery::has(known, &document.etag));
    let mut response = if is_known { StatusCode::NOT_MODIFIED.into_response() } else { body(document, headers) };
    let own = response.headers_mut();
    own.insert(CONTENT_TYPE, HeaderValue::from_static(document.content_type));
    own.insert(CACHE_CONTROL, CACHING);
    own.insert(CONTENT_SECURITY_POLICY, POLICY);
    own.insert(VARY, HeaderValue::from_static("accept-encoding"));
    // Anybody may read it, and so may the scripts of any page.
    own.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    if let Ok(etag) = HeaderValue::from_str(&document.etag) {
        own.insert(ETAG, etag);
    }
    Ok(response)
}

fn body(document: &Document, headers: &HeaderMap) -> Response {
    if takes_gzip(headers) {
        return ([(CONTENT_ENCODING, "gzip")], Body::from(document.gzip.clone())).into_response();
    }
    Body::from(document.body.clone()).into_response()
}

fn takes_gzip(headers: &HeaderMap) -> bool {
    let taken = headers.get(ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or_default();
    taken.split(',').map(delivery::weighed).any(|(name, weight)| name.eq_ignore_ascii_case("gzip") && weight > 0.0)
}
