//! The public page, from the set of documents that is kept ready: a request touches neither the store nor a lock.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::header::{
    ACCEPT_ENCODING, ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY,
    CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use super::{Problem, Web};

/// Caches may show it for a quarter of a minute, and for a day if we cannot be reached.
const CACHING: HeaderValue =
    HeaderValue::from_static("public, max-age=15, stale-while-revalidate=60, stale-if-error=86400");
/// Its style stands in the page; it needs nothing else, from nowhere.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'unsafe-inline'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

/// GET /status
pub async fn page(State(web): State<Arc<Web>>, headers: HeaderMap) -> Result<Response, Problem> {
    show(&web, "index.html", &headers)
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

fn show(web: &Web, path: &str, headers: &HeaderMap) -> Result<Response, Problem> {
    let documents = web.options.documents.as_ref().ok_or_else(|| Problem::not_found("page"))?.load();
    let document = documents.get(path).ok_or_else(|| Problem::not_found("page"))?;
    let known = headers.get(IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let mut response = if known.is_some_and(|known| known.split(',').any(|one| one.trim() == document.etag)) {
        StatusCode::NOT_MODIFIED.into_response()
    } else if takes_gzip(headers) {
        ([(CONTENT_ENCODING, "gzip")], Body::from(document.gzip.clone())).into_response()
    } else {
        Body::from(document.body.clone()).into_response()
    };
    let own = response.headers_mut();
    own.insert(CONTENT_TYPE, HeaderValue::from_static(document.content_type));
    own.insert(CACHE_CONTROL, CACHING);
    own.insert(CONTENT_SECURITY_POLICY, POLICY);
    own.insert(VARY, HeaderValue::from_static("accept-encoding"));
    // Anybody may read it, so may any page's script.
    own.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    if let Ok(etag) = HeaderValue::from_str(&document.etag) {
        own.insert(ETAG, etag);
    }
    Ok(response)
}

fn takes_gzip(headers: &HeaderMap) -> bool {
    let taken = headers.get(ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or_default();
    taken.split(',').any(|one| {
        let (name, weight) = one.split_once(';').unwrap_or((one, ""));
        name.trim() == "gzip" && weight.trim() != "q=0"
    })
}
