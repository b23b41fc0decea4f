//! Sorts an answer of SuperOps: the data asked for, or what to do next.
//!
//! Errors come in two families, both in HTTP 200: the official one, a list of
//! codes and no `message`; and that of the GraphQL engine, a message and no
//! code. Both are told apart here, before anybody looks at the data.

use serde_json::Value;

use super::error::ApiError;

/// The value under `data.<operation>`.
///
/// A list with holes is still a list: data that came with an error of the
/// engine is used, and what is missing shows up record by record.
pub(super) fn read(operation: &'static str, body: &[u8]) -> Result<Value, ApiError> {
    let mut answer: Value =
        serde_json::from_slice(body).map_err(|_| ApiError::transient("the answer is not whole JSON"))?;
    let data = answer.pointer_mut("/data").and_then(|data| data.get_mut(operation)).map(Value::take);
    let errors = answer.get("errors").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    if let Some(code) = errors.iter().find_map(client_code) {
        return Err(of_code(operation, code));
    }
    match (data, errors.first()) {
        (Some(data), None) => Ok(data),
        (Some(data), Some(_)) if !data.is_null() => Ok(data),
        (_, Some(error)) => Err(of_engine(operation, error)),
        (None, None) => Err(ApiError::transient("the answer holds neither data nor errors")),
    }
}

/// Sorts a status other than 200; `location` is where a redirect points.
pub(super) fn of_status(status: u16, body: &[u8], subdomain: &str, location: Option<&str>) -> ApiError {
    match status {
        400 if body.is_empty() => ApiError::WrongSubdomain { subdomain: subdomain.to_owned() },
        300..=399 => ApiError::Redirected { to: host_of(location) },
        // Not seen live; it can only mean what `rate_limit_exceeded` means.
        429 => ApiError::Throttled,
        408 | 425 | 500..=599 => ApiError::transient(format!("HTTP {status}")),
        _ => ApiError::WrongEndpoint { status },
    }
}

/// Only the host: a path or a query could hold anything.
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
        other => ApiError::RefusedQuery { operation, why: clipped(other) },
    }
}

fn of_engine(operation: &'static str, error: &Value) -> ApiError {
    let message = error.get("message").and_then(Value::as_str).unwrap_or_default();
    let class = error.pointer("/extensions/classification").and_then(Value::as_str).unwrap_or_default();
    let invalid = class == "ValidationError" || class == "InvalidSyntax" || message.starts_with("Validation error");
    if invalid { ApiError::RefusedQuery { operation, why: clipped(message) } } else { ApiError::Internal { operation } }
}

/// Enough of a message to find the fault by; an error text is no place for a page.
fn clipped(text: &str) -> String {
    const ENOUGH: usize = 200;
    text.chars().filter(|c| !c.is_control()).take(ENOUGH).collect()
}
