//! How every answer is sent: with an id for finding it in the log, as 304 if the asker has it already, compressed, and
//! readable by scripts of other sites only if the configuration names them.

use axum::body::{Body, HttpBody, to_bytes};
use axum::extract::Request;
use axum::http::header::{
    ACCEPT, AUTHORIZATION, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, ETAG, IF_NONE_MATCH, LINK, RETRY_AFTER, VARY,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, SecondsFormat, Utc};
use sha2::{Digest, Sha256};
use tower_http::CompressionLevel;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{NotForContentType, Predicate, SizeAbove};
use tower_http::cors::CorsLayer;
use tracing::{Instrument, debug, info_span};

use crate::keys::hex;

/// The header with the id by which an answer is found in the log.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The header with our time, sent even when nothing has changed: countdowns go by it.
pub const NOW: HeaderName = HeaderName::from_static("x-now");
/// Longer ids from others are not used.
const LONGEST_ID: usize = 64;

/// Gives each request an id, or keeps the one that a proxy gave it, for the log and the answer.
pub async fn name(mut request: Request, next: Next) -> Response {
    let id = given(request.headers()).unwrap_or_else(|| format!("{:016x}", fastrand::u64(..)));
    let Ok(value) = HeaderValue::from_str(&id) else { return next.run(request).await };
    request.headers_mut().insert(REQUEST_ID, value.clone());
    let span = info_span!("request", request_id = %id);
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let began = tokio::time::Instant::now();
    let mut response = next.run(request).instrument(span.clone()).await;
    span.in_scope(|| {
        let (status, elapsed_ms) = (response.status().as_u16(), began.elapsed().as_millis());
        debug!(%method, path = shown(&path), status, elapsed_ms, "answered");
    });
    response.headers_mut().insert(REQUEST_ID, value);
    response
}

/// Returns the path for the log: what follows these prefixes is a secret.
fn shown(path: &str) -> &str {
    let secret = ["/a/", "/hooks/heartbeat/", "/status/for/", "/status/updates/"]
        .into_iter()
        .find(|start| path.starts_with(start));
    secret.unwrap_or(path)
}

fn given(headers: &HeaderMap) -> Option<String> {
    let id = headers.get(REQUEST_ID)?.to_str().ok()?;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':');
    (!id.is_empty() && id.len() <= LONGEST_ID && id.bytes().all(is_plain)).then(|| id.to_owned())
}

/// The parts of a request that decide how its answer is sent, however it was made.
pub struct Asked {
    is_read: bool,
    is_api: bool,
    known: Option<HeaderValue>,
    /// None where only programs ask.
    accept: Option<HeaderValue>,
}

impl Asked {
    pub fn of(request: &Request) -> Self {
        // HEAD is answered like GET; the router drops the body in the end.
        let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
        let (headers, path) = (request.headers(), request.uri().path());
        let is_api = path.starts_with("/api/");
        let accept = headers.get(ACCEPT).filter(|_| !is_api && !path.starts_with("/hooks/")).cloned();
        Self { is_read, is_api: is_read && is_api, known: headers.get(IF_NONE_MATCH).cloned(), accept }
    }

    /// Whether a page is wanted rather than JSON. A kind that is named goes before all kinds.
    pub fn prefers_page(&self) -> bool {
        let accept = self.accept.as_ref().and_then(|value| value.to_str().ok()).unwrap_or_default();
        let most = |kinds: &[&str]| {
            let named = accept.split(',').map(weighed).filter(|(kind, _)| kinds.contains(kind));
            named.fold(0.0, |most, (_, weight)| weight.max(most))
        };
        let page = most(&["text/html"]);
        page > most(&["application/json", "application/problem+json"]) && page >= most(&["*/*"])
    }

    /// Lets the asker keep an answer of the API and revalidate it; it varies with who asks.
    pub fn keep(&self, mut response: Response) -> Response {
        if self.is_api && response.status().is_success() {
            response.headers_mut().entry(CACHE_CONTROL).or_insert(REVALIDATED);
            response.headers_mut().append(VARY, HeaderValue::from_static("authorization, cookie"));
        }
        response
    }

    /// Answers with 304 if the asker already has this answer and it was made as a whole.
    pub async fn unless_known(&self, response: Response) -> Response {
        if !self.is_read || response.status() != StatusCode::OK || !is_kept(&response) {
            return response;
        }
        let (mut parts, body) = response.into_parts();
        // The body is complete already, so this only takes it.
        let Ok(bytes) = to_bytes(body, usize::MAX).await else {
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        };
        let etag = tag(&Sha256::digest(&bytes));
        let same = self.known.as_ref().is_some_and(|known| has(known, &etag));
        if let Ok(value) = HeaderValue::from_str(&etag) {
            parts.headers.insert(ETAG, value);
        }
        if same {
            parts.headers.remove(CONTENT_LENGTH);
            parts.headers.remove(CONTENT_TYPE);
            parts.status = StatusCode::NOT_MODIFIED;
            return Response::from_parts(parts, Body::empty());
        }
        Response::from_parts(parts, Body::from(bytes))
    }
}

/// Whether a browser may keep it and revalidate. Answers that must not be kept, or have a rule of their own, say so.
fn is_kept(response: &Response) -> bool {
    let headers = response.headers();
    let whole = response.body().size_hint().exact().is_some();
    whole && !headers.contains_key(ETAG) && headers.get(CACHE_CONTROL) == Some(&REVALIDATED)
}

/// Kept by the asker alone, who asks each time whether it is still valid.
pub const REVALIDATED: HeaderValue = HeaderValue::from_static("private, no-cache");

/// Returns a weak validator: the same content, whatever its compression.
pub fn tag(digest: &[u8]) -> String {
    format!("W/\"{}\"", hex(&digest[..12]))
}

/// Whether `If-None-Match` names `etag`.
pub fn has(known: &HeaderValue, etag: &str) -> bool {
    known.to_str().is_ok_and(|known| known.split(',').any(|one| one.trim() == "*" || bare(one) == bare(etag)))
}

/// Returns a validator without the mark that it is weak.
fn bare(tag: &str) -> &str {
    let tag = tag.trim();
    tag.strip_prefix("W/").unwrap_or(tag)
}

/// Reads one entry of `Accept` or `Accept-Encoding`: its name, and its weight from 0 to 1. A weight that cannot be read
/// counts as none given.
pub fn weighed(entry: &str) -> (&str, f32) {
    let (name, rest) = entry.split_once(';').unwrap_or((entry, ""));
    let weight = rest.split(';').find_map(|part| part.trim().strip_prefix(['q', 'Q'])?.strip_prefix('='));
    (name.trim(), weight.and_then(|weight| weight.trim().parse().ok()).unwrap_or(1.0))
}

/// Answers with `content`, which depends only on `ground`, or with 304 if the asker has an answer of the same ground.
/// Either way it tells the time, which moves on regardless.
pub fn resting_on<T: IntoResponse>(ground: &str, asked: &HeaderMap, now: DateTime<Utc>, content: T) -> Response {
    let head = Head::of(ground, now);
    if head.is_known(asked) { head.alone() } else { head.over(content) }
}

/// The headers of an answer that depends only on its ground.
pub struct Head {
    etag: String,
    now: DateTime<Utc>,
}

impl Head {
    /// Creates the headers for an answer that depends on `ground`, at `now`.
    pub fn of(ground: &str, now: DateTime<Utc>) -> Self {
        Self { etag: tag(&Sha256::digest(ground)), now }
    }

    /// Whether the asker has an answer of the same ground.
    pub fn is_known(&self, asked: &HeaderMap) -> bool {
        asked.get(IF_NONE_MATCH).is_some_and(|known| has(known, &self.etag))
    }

    /// Returns the answer for an asker who has it.
    pub fn alone(self) -> Response {
        (StatusCode::NOT_MODIFIED, self.fields()).into_response()
    }

    /// Returns the answer for any other asker.
    pub fn over<T: IntoResponse>(self, content: T) -> Response {
        (self.fields(), content).into_response()
    }

    fn fields(&self) -> [(HeaderName, String); 3] {
        let now = self.now.to_rfc3339_opts(SecondsFormat::Millis, true);
        [(ETAG, self.etag.clone()), (CACHE_CONTROL, "private, no-cache".to_owned()), (NOW, now)]
    }
}

/// Compresses what is worth it: neither streams nor formats that are compressed already.
pub fn packed() -> CompressionLayer<impl Predicate> {
    let worth = SizeAbove::new(1024)
        .and(NotForContentType::SSE)
        .and(NotForContentType::const_new("application/pdf"))
        .and(NotForContentType::const_new("application/vnd.openxmlformats"))
        .and(NotForContentType::const_new("image/png"));
    // Answers are made anew each time: stronger compression takes longer than the transfer it saves.
    CompressionLayer::new().gzip(true).quality(CompressionLevel::Fastest).compress_when(worth)
}

/// Lets scripts of these sites ask with a token; cookies are not sent.
pub fn shared_with(origins: &[String]) -> CorsLayer {
    let origins: Vec<HeaderValue> = origins.iter().filter_map(|origin| origin.parse().ok()).collect();
    CorsLayer::new()
        .allow_origin(origins)
        .allow_methods([Method::GET, Method::POST, Method::DELETE])
        .allow_headers([AUTHORIZATION, CONTENT_TYPE, IF_NONE_MATCH, HeaderName::from_static("last-event-id")])
        .expose_headers([ETAG, LINK, NOW, RETRY_AFTER, REQUEST_ID])
        .max_age(std::time::Duration::from_hours(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_known_whether_weak_or_not_and_among_others() {
        let has = |known: &'static str| has(&HeaderValue::from_static(known), "W/\"ab\"");
        assert!(has("W/\"ab\"") && has("\"ab\"") && has("\"cd\", W/\"ab\""));
        assert!(!has("W/\"abc\"") && !has(""));
    }

    #[test]
    fn a_weight_is_a_number_however_it_is_written() {
        for none in ["gzip;q=0", "gzip;q=0.0", " gzip ; q=0.000", "gzip;Q=0"] {
            assert_eq!(weighed(none), ("gzip", 0.0), "{none:?}");
        }
        assert_eq!(weighed("text/html;level=1;q=0.5"), ("text/html", 0.5));
        assert_eq!(weighed("gzip"), ("gzip", 1.0));
        assert_eq!(weighed("gzip;q=much"), ("gzip", 1.0));
    }

    #[test]
    fn a_page_is_for_whoever_prefers_one_outside_the_api() {
        let prefers_page = |path: &str, accept: &str| {
            let request = axum::http::Request::builder().uri(path).header(ACCEPT, accept).body(Body::empty()).unwrap();
            Asked::of(&request).prefers_page()
        };
        let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8";
        assert!(prefers_page("/nope", browser) && prefers_page("/nope", "text/html, */*"));
        for other in ["", "*/*", "application/json", "application/json, text/html;q=0.9", "text/html;q=0.5, */*"] {
            assert!(!prefers_page("/nope", other), "{other:?}");
        }
        assert!(!prefers_page("/api/v1/nope", browser) && !prefers_page("/hooks/nope", browser));
    }

    #[test]
    fn an_id_of_a_proxy_is_taken_over_only_if_it_can_do_no_harm_in_a_log() {
        let id = |text: &'static str| given(&HeaderMap::from_iter([(REQUEST_ID, HeaderValue::from_static(text))]));
        assert_eq!(id("7f-3_a.b:1").as_deref(), Some("7f-3_a.b:1"));
        assert_eq!(id("a b"), None);
        assert_eq!(id(""), None);
        assert_eq!(given(&HeaderMap::from_iter([(REQUEST_ID, "x".repeat(65).parse().unwrap())])), None);
    }

    #[test]
    fn no_secret_of_a_path_reaches_the_log() {
        assert_eq!(shown("/a/secret"), "/a/");
        assert_eq!(shown("/hooks/heartbeat/secret/ok"), "/hooks/heartbeat/");
        assert_eq!(shown("/status/for/secret/status.json"), "/status/for/");
        assert_eq!(shown("/api/v1/tickets"), "/api/v1/tickets");
    }
}
