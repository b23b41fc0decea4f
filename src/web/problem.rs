//! What a client is told when it cannot have what it asked for: RFC 9457 problem details.

use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Response};
use serde_json::{Value, json};

use crate::service::ServiceError;
use crate::store::StoreError;

const PROBLEM_JSON: HeaderValue = HeaderValue::from_static("application/problem+json");

/// The longest explanation that is taken over from the framework.
const LONGEST_DETAIL: usize = 4096;

/// An error answer.
#[derive(Debug)]
pub struct Problem {
    status: StatusCode,
    detail: String,
    reasons: Vec<String>,
    header: Option<Box<(HeaderName, HeaderValue)>>,
}

impl Problem {
    /// `detail` tells the client what to do about it.
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into(), reasons: Vec::new(), header: None }
    }

    /// Nobody said who is asking, or it is not known here.
    pub fn unauthorized(detail: &str) -> Self {
        let header = Some(Box::new((WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))));
        Self { header, ..Self::new(StatusCode::UNAUTHORIZED, detail) }
    }

    /// There is no such thing, or it is another tenant's: the answer is the same.
    pub fn not_found(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, format!("there is no such {what}"))
    }

    /// Too much was asked; again after `wait`.
    pub fn too_much(wait: Duration, detail: &str) -> Self {
        let header = Some(Box::new((RETRY_AFTER, HeaderValue::from(wait.as_secs().max(1)))));
        Self { header, ..Self::new(StatusCode::TOO_MANY_REQUESTS, detail) }
    }

    /// Not now, for these `reasons`.
    pub fn unavailable(reasons: Vec<String>) -> Self {
        Self { reasons: reasons.clone(), ..Self::new(StatusCode::SERVICE_UNAVAILABLE, reasons.join("; ")) }
    }

    /// The status that it is answered with.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The kind of trouble, in a word or two.
    pub fn title(&self) -> &'static str {
        self.status.canonical_reason().unwrap_or("Error")
    }

    /// What went wrong, for a person.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// Whether logging in would help.
    pub fn is_unauthorized(&self) -> bool {
        self.status == StatusCode::UNAUTHORIZED
    }

    fn body(&self) -> Value {
        let mut body = json!({
            "type": "about:blank", "title": self.title(), "status": self.status.as_u16(), "detail": self.detail,
        });
        if !self.reasons.is_empty() {
            body["reasons"] = json!(self.reasons);
        }
        body
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = self.body().to_string();
        let mut response = (self.status, [(CONTENT_TYPE, PROBLEM_JSON)], body).into_response();
        response.headers_mut().extend(self.header.map(|header| *header));
        response
    }
}

impl From<ServiceError> for Problem {
    fn from(error: ServiceError) -> Self {
        match error {
            ServiceError::BadQuestion(detail) => Self::new(StatusCode::BAD_REQUEST, detail),
            ServiceError::Ambiguous(detail) => Self::new(StatusCode::CONFLICT, detail),
            ServiceError::Store(error) => error.into(),
            ServiceError::Format(error) => Self::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        tracing::error!(error = &error as &dyn std::error::Error, "a question from the web could not be answered");
        match error {
            StoreError::Locked(_) | StoreError::Unwritable(_) | StoreError::Closed => Self {
                header: Some(Box::new((RETRY_AFTER, HeaderValue::from_static("5")))),
                ..Self::new(StatusCode::SERVICE_UNAVAILABLE, "the store does not answer now; ask again in a while")
            },
            _ => Self::new(StatusCode::INTERNAL_SERVER_ERROR, "the store could not answer; the service's log says why"),
        }
    }
}

/// Turns the framework's own plain refusals (a bad query, a wrong method, a body
/// too large) into problem details, whatever route they come from.
pub async fn explain_refusals(request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    let refused = response.status().is_client_error() || response.status().is_server_error();
    if !refused || is_worded(&response) {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let detail = to_bytes(body, LONGEST_DETAIL).await.unwrap_or_default();
    let problem = Problem::new(parts.status, String::from_utf8_lossy(&detail));
    parts.headers.insert(CONTENT_TYPE, PROBLEM_JSON);
    parts.headers.remove(CONTENT_LENGTH);
    Response::from_parts(parts, Body::from(problem.body().to_string()))
}

/// Whether a response was worded by us, for a program or for a person.
fn is_worded(response: &Response) -> bool {
    let html = Html(()).into_response();
    let kind = response.headers().get(CONTENT_TYPE);
    kind == Some(&PROBLEM_JSON) || kind == html.headers().get(CONTENT_TYPE)
}
