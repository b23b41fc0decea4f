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
pub fn read<'h>(web: &Web, headers: &'h HeaderMap) -> Option<&'h str> {
    find(headers, name(web, [SECURE_NAME, PLAIN_NAME]))
}

/// Returns the sign-in that a browser has begun.
pub fn read_attempt<'h>(web: &Web, headers: &'h HeaderMap) -> Option<&'h str> {
    find(headers, name(web, [SECURE_ATTEMPT, PLAIN_ATTEMPT]))
}

fn find<'h>(headers: &'h HeaderMap, wanted: &str) -> Option<&'h str> {
    let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == wanted).map(|(_, value)| value)
}

/// Returns the only name that counts here: with TLS, other hosts of the domain could have set the plain one.
fn name(web: &Web, [prefixed, plain]: [&'static str; 2]) -> &'static str {
    if is_secure(web) { prefixed } else { plain }
}

fn is_secure(web: &Web) -> bool {
    web.options.public_url.as_deref().is_some_and(|url| url.starts_with("https://"))
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

fn given(web: &Web, names: [&'static str; 2], secret: Option<&str>, length: TimeDelta, same_site: &str) -> String {
    let name = name(web, names);
    let secure = if is_secure(web) { "; Secure" } else { "" };
    let seconds = secret.map_or(0, |_| length.num_seconds());
    let value = secret.unwrap_or_default();
    format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite={same_site}{secure}")
}
