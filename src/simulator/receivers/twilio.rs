//! How Twilio is asked, for texts and calls alike: forms with the account's credentials, and its refusals.

use axum::Json;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

pub(super) type Fields = Vec<(String, String)>;

/// Whether there is basic authentication with any user and password.
pub(super) fn has_credentials(headers: &HeaderMap) -> bool {
    let value = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let decoded = value.and_then(|value| value.strip_prefix("Basic ")).and_then(|coded| STANDARD.decode(coded).ok());
    let text = decoded.and_then(|bytes| String::from_utf8(bytes).ok());
    text.and_then(|text| text.split_once(':').map(|(user, password)| !user.is_empty() && !password.is_empty()))
        .unwrap_or(false)
}

pub(super) fn field<'a>(form: &'a Fields, name: &str) -> Option<&'a str> {
    form.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
}

/// Whether `text` is an international phone number.
pub(super) fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('+').unwrap_or_default();
    (7..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
}

pub(super) fn refusal(status: StatusCode, code: u32, message: &str) -> Response {
    let more = format!("https://www.twilio.com/docs/errors/{code}");
    let body = json!({"code": code, "message": message, "more_info": more, "status": status.as_u16()});
    (status, Json(body)).into_response()
}
