//! The cookie of a session: its name, how it is read, and how it is given out and taken back.

use axum::http::HeaderMap;
use axum::http::header::COOKIE;

use super::Web;
use crate::store::sessions::LONGEST;

/// The cookie that holds a session's secret. Browsers keep the one with the prefix to this host, whatever others set.
pub const SECURE_NAME: &str = "__Host-sla_session";
/// Where there is no TLS, the prefix is not allowed.
const PLAIN_NAME: &str = "sla_session";

/// The secret in a browser's cookie.
pub fn read(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| matches!(*name, SECURE_NAME | PLAIN_NAME)).map(|(_, value)| value)
}

/// What has a browser keep `secret`, or drop what it keeps. Strict, so that no other site can make it act with it.
pub fn set(web: &Web, secret: Option<&str>) -> String {
    let https = web.options.public_url.as_deref().is_some_and(|url| url.starts_with("https://"));
    let (name, secure) = if https { (SECURE_NAME, "; Secure") } else { (PLAIN_NAME, "") };
    let seconds = secret.map_or(0, |_| LONGEST.num_seconds());
    let value = secret.unwrap_or_default();
    format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}")
}
