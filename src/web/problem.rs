//! The answer to a client that cannot have what it asked for: RFC 9457 problem details.

use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{Html, IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::delivery::Asked;
use super::rule::Audience;
use super::{body, pages};
use crate::service::{Complaint, ServiceError};
use crate::store::StoreError;

const PROBLEM_JSON: HeaderValue = HeaderValue::from_static("application/problem+json");

/// The longest explanation that is taken over from the framework, in bytes.
const LONGEST_DETAIL: usize = 4096;

/// What a program reads of an error answer.
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemDetails<'p> {
    /// Always `about:blank`: the status says what kind of trouble it is.
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    status: u16,
    /// What went wrong, and what to do about it.
    detail: &'p str,
    /// Which part of the request it is about, where it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'p str>,
    /// Each reason by itself, where there are several.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    reasons: &'p [String],
}

/// An error answer.
#[derive(Clone, Debug)]
pub struct Problem {
    status: StatusCode,
    detail: String,
    field: Option<String>,
    reasons: Vec<String>,
    header: Option<Box<(HeaderName, HeaderValue)>>,
}

impl Problem {
    /// Creates a problem whose `detail` tells the client what to do about it.
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into(), field: None, reasons: Vec::new(), header: None }
    }

    /// Answers that the request makes no sense.
    pub fn bad(complaint: &Complaint) -> Self {
        let field = complaint.field().map(str::to_owned);
        Self { field, ..Self::new(StatusCode::BAD_REQUEST, complaint.text()) }
    }

    /// Answers that the caller did not authenticate, or is not known here.
    pub fn unauthorized(detail: &str) -> Self {
        let header = Some(Box::new((WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))));
        Self { header, ..Self::new(StatusCode::UNAUTHORIZED, detail) }
    }

    /// Answers that there is no such thing, also if it belongs to another tenant.
    pub fn not_found(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, format!("there is no such {what}"))
    }

    /// Answers that there were too many requests, to be tried again after `wait`.
    pub fn too_much(wait: Duration, detail: &str) -> Self {
        let header = Some(Box::new((RETRY_AFTER, HeaderValue::from(wait.as_secs().max(1)))));
        Self { header, ..Self::new(StatusCode::TOO_MANY_REQUESTS, detail) }
    }

    /// Answers that this cannot be done now, for these `reasons`.
    pub fn unavailable(reasons: Vec<String>) -> Self {
        Self { reasons: reasons.clone(), ..Self::new(StatusCode::SERVICE_UNAVAILABLE, reasons.join("; ")) }
    }

    /// Returns the status of the answer.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// Returns the kind of problem, in a word or two.
    pub fn title(&self) -> &'static str {
        self.status.canonical_reason().unwrap_or("Error")
    }

    /// Returns what went wrong, for a person.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// Whether logging in would help.
    pub fn is_unauthorized(&self) -> bool {
        self.status == StatusCode::UNAUTHORIZED
    }

    fn body(&self) -> String {
        let details = ProblemDetails {
            kind: "about:blank",
            title: self.title(),
            status: self.status.as_u16(),
            detail: &self.detail,
            field: self.field.as_deref(),
            reasons: &self.reasons,
        };
        serde_json::to_string(&details).unwrap_or_default()
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = (self.status, [(CONTENT_TYPE, PROBLEM_JSON)], self.body()).into_response();
        response.headers_mut().extend(self.header.clone().map(|header| *header));
        response.extensions_mut().insert(self);
        response
    }
}

impl From<ServiceError> for Problem {
    fn from(error: ServiceError) -> Self {
        match error {
            ServiceError::BadQuestion(complaint) => Self::bad(&complaint),
            error @ ServiceError::Ambiguous { .. } => Self::new(StatusCode::CONFLICT, error.to_string()),
            ServiceError::Settled(detail) => Self::new(StatusCode::CONFLICT, detail),
            ServiceError::Store(error) => error.into(),
            ServiceError::NoRandomness(why) => Self::unavailable(vec![why]),
            ServiceError::Format(error) => Self::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        tracing::error!(error = &error as &dyn std::error::Error, "a question from the web could not be answered");
        match error {
            StoreError::Locked(_)
            | StoreError::Unwritable(_)
            | StoreError::Unreachable(_)
            | StoreError::Refused(_)
            | StoreError::Replaced
            | StoreError::Closed => Self {
                header: Some(Box::new((RETRY_AFTER, HeaderValue::from_static("5")))),
                ..Self::new(StatusCode::SERVICE_UNAVAILABLE, "the store does not answer now; ask again in a while")
            },
            // Nobody may do it again without looking, so no program is invited to.
            StoreError::Unconfirmed(_) => Self::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "the store was lost before it confirmed the change: it may have been made or not; look before you do it again",
            ),
            _ => Self::new(StatusCode::INTERNAL_SERVER_ERROR, "the store could not answer; the service's log says why"),
        }
    }
}

/// Returns which part of a query or a form the framework could not read. It names that part before what is wrong with
/// it, or in backticks as the missing or unknown key.
fn unread(detail: &str) -> Option<&str> {
    let (_, what) = detail.strip_prefix(NOT_READ)?.split_once(": ")?;
    what.split_once(": ").map(|(name, _)| name).filter(|name| is_name(name)).or_else(|| body::key(what))
}

/// The start of the framework's complaints about a query or a form.
const NOT_READ: &str = "Failed to deserialize ";

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.'))
}

/// Turns the framework's own plain refusals (a bad query, a wrong method, a body too large) into problem details,
/// whatever route they come from, and words refusals for people where it is a page that they asked for.
pub async fn explained(response: Response, asked: &Asked) -> Response {
    let refused = response.status().is_client_error() || response.status().is_server_error();
    if !refused || is_html(&response) {
        return response;
    }
    let is_page = response.extensions().get::<Audience>() == Some(&Audience::Page) || asked.prefers_page();
    if !is_page && is_problem(&response) {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let problem = match parts.extensions.remove::<Problem>() {
        Some(problem) => problem,
        None => worded(parts.status, body).await,
    };
    let own = if is_page { pages::refused(&problem) } else { problem.into_response() };
    parts.headers.remove(CONTENT_LENGTH);
    parts.headers.remove(CONTENT_TYPE);
    let (mut own, body) = own.into_parts();
    own.headers.extend(parts.headers);
    Response::from_parts(own, body)
}

/// Returns the framework's own refusal as a problem.
async fn worded(status: StatusCode, body: Body) -> Problem {
    if status == StatusCode::PAYLOAD_TOO_LARGE {
        return Problem::new(status, TOO_LONG);
    }
    let detail = to_bytes(body, LONGEST_DETAIL).await.unwrap_or_default();
    let detail = String::from_utf8_lossy(&detail);
    Problem { field: unread(&detail).map(str::to_owned), ..Problem::new(as_we_say(status), &*detail) }
}

const TOO_LONG: &str = "what you sent is too long, and nothing of it was saved; shorten it and send it again";

/// The framework distinguishes a form that cannot be read from one that makes no sense; we do not.
fn as_we_say(status: StatusCode) -> StatusCode {
    if status == StatusCode::UNPROCESSABLE_ENTITY { StatusCode::BAD_REQUEST } else { status }
}

/// Whether it is already worded for a program.
fn is_problem(response: &Response) -> bool {
    response.headers().get(CONTENT_TYPE) == Some(&PROBLEM_JSON)
}

/// Whether it is already worded for a person.
fn is_html(response: &Response) -> bool {
    response.headers().get(CONTENT_TYPE) == Html(()).into_response().headers().get(CONTENT_TYPE)
}

#[cfg(test)]
mod tests {
    use axum::http::StatusCode;
    use axum::http::header::RETRY_AFTER;
    use axum::response::IntoResponse as _;

    use super::{Problem, unread};
    use crate::store::StoreError;

    #[test]
    fn a_server_that_takes_no_writes_is_to_be_asked_again_and_a_change_without_confirmation_is_not() {
        let lost = || sqlx::Error::PoolTimedOut;
        for error in [StoreError::Unreachable(lost()), StoreError::Unwritable(lost()), StoreError::Replaced] {
            let answer = Problem::from(error).into_response();
            assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
            assert_eq!(answer.headers()[RETRY_AFTER], "5");
        }
        let unsure = Problem::from(StoreError::Unconfirmed(lost()));
        assert!(unsure.detail().ends_with("it may have been made or not; look before you do it again"));
        let answer = unsure.into_response();
        assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert!(!answer.headers().contains_key(RETRY_AFTER));
    }

    #[test]
    fn what_the_framework_could_not_read_is_named() {
        let query = |what: &str| unread(&format!("Failed to deserialize query string: {what}")).map(str::to_owned);
        assert_eq!(query("limit: invalid digit found in string").as_deref(), Some("limit"));
        assert_eq!(query("unknown field `lmit`, expected `limit`").as_deref(), Some("lmit"));
        assert_eq!(query("missing field `clock`").as_deref(), Some("clock"));
        assert_eq!(query("invalid type: string `docx`").as_deref(), None);
        assert_eq!(unread("Invalid URL: Cannot parse `id`"), None);
    }
}
