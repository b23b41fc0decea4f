//! The browser's way in: a token is pasted once, and kept in a cookie no script can read.

use std::sync::Arc;

use axum::Form;
use axum::extract::rejection::FormRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::http::header::SET_COOKIE;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::auth::COOKIE_NAME;
use super::{Problem, Web, pages};
use crate::store::tokens::Token;

/// How long a browser keeps the cookie; the token itself ends when it is revoked.
const COOKIE_SECONDS: u32 = 30 * 24 * 3600;

#[derive(Deserialize)]
pub struct Arrival {
    /// The page that was wanted before.
    next: Option<String>,
}

#[derive(Deserialize)]
pub struct Login {
    token: String,
    next: Option<String>,
}

/// GET /login
pub async fn show(Query(arrival): Query<Arrival>) -> Response {
    pages::login(local(arrival.next.as_deref()), None).into_response()
}

/// POST /login
pub async fn enter(
    State(web): State<Arc<Web>>,
    login: Result<Form<Login>, FormRejection>,
) -> Result<Response, Problem> {
    let Ok(Form(Login { token, next })) = login else {
        return Err(Problem::new(StatusCode::BAD_REQUEST, "send the form of the login page"));
    };
    let (token, next) = (Token::presented(&token), local(next.as_deref()).to_owned());
    if web.store.living_token(&token).await?.is_none() {
        let page = pages::login(&next, Some("This token is unknown or has been revoked."));
        return Ok((StatusCode::UNAUTHORIZED, page).into_response());
    }
    Ok(([(SET_COOKIE, cookie(&web, token.expose(), COOKIE_SECONDS))], Redirect::to(&next)).into_response())
}

/// POST /logout
pub async fn leave(State(web): State<Arc<Web>>) -> Response {
    ([(SET_COOKIE, cookie(&web, "", 0))], Redirect::to("/login")).into_response()
}

/// Strict, so that no other site can make a browser act with it.
fn cookie(web: &Web, value: &str, seconds: u32) -> String {
    let https = web.options.public_url.as_deref().is_some_and(|url| url.starts_with("https://"));
    let secure = if https { "; Secure" } else { "" };
    format!("{COOKIE_NAME}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}")
}

/// `next` if it is a page of ours: a link must not lead through our login to a stranger's site.
fn local(next: Option<&str>) -> &str {
    let ours = |path: &&str| path.starts_with('/') && !path.starts_with("//") && path.bytes().all(is_plain);
    next.filter(ours).unwrap_or("/")
}

/// Browsers read a backslash as a slash and drop control characters; both could hide a host.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_graphic() && byte != b'\\'
}

#[cfg(test)]
mod tests {
    use super::local;

    #[test]
    fn login_leads_only_to_pages_of_ours() {
        assert_eq!(local(Some("/tickets/acme/41")), "/tickets/acme/41");
        for elsewhere in ["//evil.example", "/\\evil.example", "https://evil.example", "/\t/evil.example", ""] {
            assert_eq!(local(Some(elsewhere)), "/", "{elsewhere:?}");
        }
    }
}
