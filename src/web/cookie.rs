//! The cookie of a session: its name, how it is read, and how it is given out and taken back.

use axum::http::HeaderMap;
use axum::http::header::COOKIE;
use chrono::TimeDelta;

use super::Web;
use crate::store::sessions::LONGEST;
use crate::store::sign_ins::LASTS;

/// The cookie that holds a session's secret. Browsers bind the prefix to this host, whatever other hosts set.
pub const SECURE_NAME: &str = "__Host-sla_session";
/// Without TLS, the prefix is not allowed.
const PLAIN_NAME: &str = "sla_session";

/// The cookie that holds a sign-in begun at the identity provider.
const SECURE_ATTEMPT: &str = "__Host-sla_sign_in";
const PLAIN_ATTEMPT: &str = "sla_sign_in";

/// Returns the secret in a browser's cookie.
pub fn read(headers: &HeaderMap) -> Option<&str> {
    find(headers, [SECURE_NAME, PLAIN_NAME])
}

/// Returns the sign-in that a browser has begun.
pub fn read_attempt(headers: &HeaderMap) -> Option<&str> {
    find(headers, [SECURE_ATTEMPT, PLAIN_ATTEMPT])
}

fn find<'h>(headers: &'h HeaderMap, names: [&str; 2]) -> Option<&'h str> {
    let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| names.contains(name)).map(|(_, value)| value)
}

/// Returns the header that makes a browser keep `secret`, or drop what it keeps. Strict, so that no other site can make
/// the browser act with it.
pub fn set(web: &Web, secret: Option<&str>) -> String {
    given(web, [SECURE_NAME, PLAIN_NAME], secret, LONGEST, "Strict")
}

/// Does the same for a sign-in at the identity provider. Lax: the browser comes back from another site and must bring
/// it.
pub fn set_attempt(web: &Web, secret: Option<&str>) -> String {
    given(web, [SECURE_ATTEMPT, PLAIN_ATTEMPT], secret, LASTS, "Lax")
}

fn given(web: &Web, [prefixed, plain]: [&str; 2], secret: Option<&str>, length: TimeDelta, same_site: &str) -> String {
    let https = web.options.public_url.as_deref().is_some_and(|url| url.starts_with("https://"));
    let (name, secure) = if https { (prefixed, "; Secure") } else { (plain, "") };
    let seconds = secret.map_or(0, |_| length.num_seconds());
    let value = secret.unwrap_or_default();
    format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite={same_site}{secure}")
}
