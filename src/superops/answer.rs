//! Classifies an answer of SuperOps: the data asked for, or what to do next.
//!
//! There are two families of errors, both sent with HTTP 200: the official one has a list of codes and no `message`;
//! the GraphQL engine's has a message and no code. Both are told apart here, before anyone looks at the data. An error
//! of the engine beside data tells which of its nulls are not values.

use std::collections::BTreeSet;

use super::error::ApiError;
use super::gaps::{Gaps, Step};
use super::json::Value;

/// How many messages about one query are read, and how many characters of each.
const MESSAGES: usize = 50;
const MESSAGE: usize = 500;

/// What SuperOps answered.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Answered {
    /// The value under `data.<operation>`.
    pub data: Value,
    /// Which nulls in the data are not values.
    pub gaps: Gaps,
}

impl Answered {
    /// Notes that the query was made without these fields.
    pub fn without(self, unknown: BTreeSet<String>, others: &BTreeSet<String>) -> Self {
        let Self { data, gaps } = self;
        Self { data, gaps: gaps.unknown(names(&unknown)).broken(names(others)) }
    }
}

/// Returns the names of fields that are given as paths.
fn names(ways: &BTreeSet<String>) -> impl Iterator<Item = String> {
    ways.iter().filter_map(|way| way.rsplit('/').next()).map(str::to_owned)
}

/// Reads the value under `data.<operation>`.
///
/// A list with holes is still a list: data beside an error of the engine is used, and nothing is known of the places
/// that the error points at.
pub(super) fn read(operation: &'static str, body: &[u8]) -> Result<Answered, ApiError> {
    let mut answer = Value::of_body(body).ok_or_else(|| ApiError::transient("the answer is not complete JSON"))?;
    let data = answer.take("data").and_then(|mut data| data.take(operation));
    let errors = answer.get("errors").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    if let Some(code) = errors.iter().find_map(client_code) {
        return Err(of_code(operation, code));
    }
    match data {
        Some(data) if errors.is_empty() => Ok(Answered { data, gaps: Gaps::default() }),
        Some(data) if !data.is_null() => Ok(Answered { data, gaps: gaps(operation, errors) }),
        _ if errors.is_empty() => Err(ApiError::transient("the answer holds neither data nor errors")),
        _ => Err(of_engine(operation, errors)),
    }
}

/// Classifies a status other than 200; `location` is where a redirect points.
pub(super) fn of_status(
    operation: &'static str,
    status: u16,
    body: &[u8],
    subdomain: &str,
    location: Option<&str>,
) -> Result<Answered, ApiError> {
    match status {
        400 if body.is_empty() => Err(ApiError::WrongSubdomain { subdomain: subdomain.to_owned() }),
        // Never seen live; whatever the body says, it can only mean the same as `rate_limit_exceeded`.
        429 => Err(ApiError::Throttled),
        // GraphQL over HTTP lets a server refuse a query with such a status.
        400..=499 if is_graphql(body) => read(operation, body),
        300..=399 => Err(ApiError::Redirected { to: host_of(location) }),
        408 | 425 | 500..=599 => Err(ApiError::transient(format!("HTTP {status}"))),
        _ => Err(ApiError::WrongEndpoint { status }),
    }
}

fn is_graphql(body: &[u8]) -> bool {
    let answer = Value::of_body(body);
    let errors = answer.as_ref().and_then(|answer| answer.get("errors")?.as_array());
    errors.is_some_and(|errors| !errors.is_empty() && errors.iter().all(Value::is_object))
}

/// Returns only the host: a path or query could hold anything.
fn host_of(location: Option<&str>) -> String {
    let host = location
        .and_then(|to| reqwest::Url::parse(to).ok())
        .and_then(|to| to.host_str().map(|host| format!("the host `{host}`")));
    host.unwrap_or_else(|| "another address".to_owned())
}

fn client_code(error: &Value) -> Option<&str> {
    error.pointer("/extensions/clientError/0/code").and_then(Value::as_str)
}

fn of_code(operation: &'static str, code: &str) -> ApiError {
    match code {
        "rate_limit_exceeded" => ApiError::Throttled,
        "forbidden" => ApiError::Forbidden { operation },
        "entity_does_not_exist" => ApiError::NotFound { operation },
        "subscription_trial_expired" => ApiError::Subscription { state: "a trial that has ended" },
        "subscription_paused" => ApiError::Subscription { state: "paused" },
        "subscription_cancelled" => ApiError::Subscription { state: "cancelled" },
        other => ApiError::RefusedQuery { operation, why: clipped(other, 200) },
    }
}

/// Classifies errors of the engine without data: a query it does not understand, a null that broke the answer, or an
/// internal error.
fn of_engine(operation: &'static str, errors: &[Value]) -> ApiError {
    let says: Vec<_> = errors.iter().filter(|error| is_invalid(error)).take(MESSAGES).map(message).collect();
    if !says.is_empty() {
        return ApiError::Misfit { operation, says };
    }
    let gaps = gaps(operation, errors);
    if gaps.points_inside() {
        return ApiError::Broken { operation, fields: gaps.fields() };
    }
    ApiError::Internal { operation }
}

fn is_invalid(error: &Value) -> bool {
    let class = error.pointer("/extensions/classification").and_then(Value::as_str).unwrap_or_default();
    let message = error.get("message").and_then(Value::as_str).unwrap_or_default();
    class == "ValidationError" || class == "InvalidSyntax" || message.starts_with("Validation error")
}

fn message(error: &Value) -> String {
    clipped(error.get("message").and_then(Value::as_str).unwrap_or_default(), MESSAGE)
}

fn gaps(operation: &str, errors: &[Value]) -> Gaps {
    errors.iter().map(|error| path(operation, error)).collect()
}

/// Returns where in the answer to `operation` an error points. `None` if it does not say.
fn path(operation: &str, error: &Value) -> Option<Vec<Step>> {
    let path = error.get("path")?.as_array()?;
    let (first, rest) = path.split_first()?;
    if first.as_str() != Some(operation) {
        return None;
    }
    rest.iter().map(Step::read).collect()
}

/// Cuts a message to enough of it to find the fault; an error text is no place for a whole page.
pub(super) fn clipped(text: &str, most: usize) -> String {
    text.chars().filter(|c| !c.is_control()).take(most).collect()
}
