//! Signing in with a browser: a token, pasted once, opens a session; or the identity provider says who it is
//! ([`super::sign_in`]).

use std::net::IpAddr;
use std::sync::Arc;

use axum::Form;
use axum::extract::rejection::FormRejection;
use axum::extract::{Query, State};
use axum::http::header::{SET_COOKIE, USER_AGENT};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::auth::{LONGEST_NEXT, known_token, words};
use super::gate::Asked;
use super::{Problem, Web, cookie, pages};
use crate::store::sessions::Opener;
use crate::store::tokens::{Author, Token};
use crate::telemetry::web::OutcomeLabels;

/// Where somebody comes from.
#[derive(Deserialize, IntoParams)]
pub struct Arrival {
    /// The page that was wanted before: its path, query and fragment, 2,000 bytes at most.
    pub next: Option<String>,
}

/// What the form of the login page sends.
#[derive(Deserialize, ToSchema)]
pub struct Login {
    token: String,
    next: Option<String>,
}

/// GET /login
pub async fn show(State(web): State<Arc<Web>>, headers: HeaderMap, Query(arrival): Query<Arrival>) -> Response {
    // A browser that another site leads to us withholds its cookie, but sends it when our own page leads on.
    let kept_back = headers.get("sec-fetch-site").is_some_and(|site| site == "cross-site");
    pages::login(&web, local(arrival.next.as_deref()), None, kept_back).into_response()
}

/// POST /login
pub async fn enter(
    State(web): State<Arc<Web>>,
    Asked(address): Asked,
    headers: HeaderMap,
    login: Result<Form<Login>, FormRejection>,
) -> Result<Response, Problem> {
    let Ok(Form(Login { token, next })) = login else {
        return Err(Problem::new(StatusCode::BAD_REQUEST, "send the form of the login page"));
    };
    let (next, now) = (local(next.as_deref()).to_owned(), web.service.now());
    let token = match known_token(&web, &token, address, now).await {
        Ok(token) => token,
        Err(problem) if problem.status().is_client_error() => {
            count(&web, "refused");
            let complaint = if problem.is_unauthorized() { UNKNOWN } else { WAIT };
            return Ok((problem.status(), pages::login(&web, &next, Some(complaint), false)).into_response());
        }
        Err(problem) => return Err(problem),
    };
    let cookie = open(&web, Opener::Token(&token), &headers, address, now).await?;
    Ok(([(SET_COOKIE, cookie)], Redirect::to(&next)).into_response())
}

/// Opens a session and returns its cookie.
pub async fn open(
    web: &Web,
    opener: Opener<'_>,
    headers: &HeaderMap,
    address: Option<IpAddr>,
    now: DateTime<Utc>,
) -> Result<String, Problem> {
    let secret = Token::generate().map_err(|_| no_randomness())?;
    let browser = headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default();
    let author = Author { who: opener.who(), origin: words(address) };
    web.store.open_session(&secret, opener, browser, author, now).await?;
    count(web, "let_in");
    Ok(cookie::set(web, Some(secret.expose())))
}

pub fn no_randomness() -> Problem {
    Problem::unavailable(vec!["there is no randomness".to_owned()])
}

/// Counts a successful or failed sign-in.
pub fn count(web: &Web, outcome: &'static str) {
    web.telemetry.web.sign_ins.get_or_create(&OutcomeLabels { outcome }).inc();
}

const UNKNOWN: &str = "This token is unknown, expired or has been revoked.";
const WAIT: &str = "Too many wrong tokens came from your address. Wait a while before the next.";

/// Returns `next` if it is one of our pages: no link may lead through our login to another site.
pub fn local(next: Option<&str>) -> &str {
    let ours = |path: &&str| {
        let is_path = path.starts_with('/') && !path.starts_with("//");
        is_path && path.len() <= LONGEST_NEXT && path.bytes().all(is_plain)
    };
    next.filter(ours).unwrap_or("/")
}

/// Browsers read a backslash as a slash and drop control characters; both could hide a host.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_graphic() && byte != b'\\'
}

#[cfg(test)]
mod tests {
    use super::{LONGEST_NEXT, local};
    use crate::web::auth::login_for;

    #[test]
    fn login_leads_only_to_pages_of_ours() {
        for ours in ["/tickets/acme/41", "/reports?tenant=beta&client=A%26B", "/#client=Globex&text=a+b"] {
            assert_eq!(local(Some(ours)), ours);
        }
        for elsewhere in ["//evil.example", "/\\evil.example", "https://evil.example", "/\t/evil.example", ""] {
            assert_eq!(local(Some(elsewhere)), "/", "{elsewhere:?}");
        }
    }

    #[test]
    fn a_page_is_come_back_to_with_its_query_unless_that_is_too_long() {
        let next = |wanted: &str| login_for(&wanted.parse().unwrap());
        assert_eq!(next("/"), "/login");
        assert_eq!(next("/reports?tenant=beta&by=client"), "/login?next=%2Freports%3Ftenant%3Dbeta%26by%3Dclient");
        assert_eq!(next("/?text=a%26b"), "/login?next=%2F%3Ftext%3Da%2526b");
        let long = format!("/reports?client={}", "x".repeat(LONGEST_NEXT));
        assert_eq!((next(&long).as_str(), local(Some(&long))), ("/login?next=%2Freports", "/"));
    }
}
