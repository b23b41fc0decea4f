//! Signing in with a browser through the identity provider: to the provider, and back with a code.
//!
//! The answer to the way back is a page of ours that leads on, because a browser withholds the session cookie as long
//! as another site is leading it.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{AppendHeaders, IntoResponse, Redirect, Response};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use tracing::warn;
use utoipa::IntoParams;

use super::gate::Asked;
use super::login::{Arrival, count, local, no_randomness, open};
use super::{Problem, Web, cookie, pages};
use crate::sign_in::attempt::Attempt;
use crate::sign_in::provider::ProviderError;
use crate::sign_in::{Returned, SignIn, SignInError};
use crate::store::sessions::Opener;

/// What the identity provider sends a browser back with.
#[derive(Deserialize, IntoParams)]
pub struct Return {
    /// What is redeemed for a token that says who signs in.
    code: Option<String>,
    /// Which sign-in this is.
    state: Option<String>,
    /// Which provider says so.
    iss: Option<String>,
    /// Why there is no code.
    error: Option<String>,
}

/// GET /login/oidc
pub async fn begin(State(web): State<Arc<Web>>, Query(arrival): Query<Arrival>) -> Result<Response, Problem> {
    let (sign_in, now) = (provider(&web)?, web.service.now());
    let attempt = Attempt::generate().map_err(|_| no_randomness())?;
    let wanted = local(arrival.next.as_deref());
    let there = match sign_in.address(&attempt, now).await {
        Ok(there) => there,
        Err(error) => return Ok(refused(&web, sign_in, wanted, &error)),
    };
    web.store.begin_sign_in(attempt.key(), wanted.to_owned(), now).await?;
    let cookie = cookie::set_attempt(&web, Some(attempt.expose()));
    Ok(([(SET_COOKIE, cookie)], Redirect::to(there.as_str())).into_response())
}

/// GET /login/oidc/callback
pub async fn end(
    State(web): State<Arc<Web>>,
    Asked(address): Asked,
    headers: HeaderMap,
    Query(back): Query<Return>,
) -> Result<Response, Problem> {
    let (sign_in, now) = (provider(&web)?, web.service.now());
    let Some((attempt, wanted)) = begun(&web, &headers, &back, now).await? else {
        count(&web, "refused");
        return Ok((StatusCode::BAD_REQUEST, pages::login(&web, "/", Some(NOT_BEGUN), false)).into_response());
    };
    let returned = Returned { code: back.code.as_deref(), issuer: back.iss.as_deref(), error: back.error.as_deref() };
    let answer = match sign_in.finish(&attempt, returned, now).await {
        Ok((person, access)) => {
            let opener = Opener::Person(&person, &access, sign_in.settings().session_length);
            let cookie = open(&web, opener, &headers, address, now).await?;
            ([(SET_COOKIE, cookie)], pages::sign_in::signed_in(&wanted)).into_response()
        }
        Err(error) => refused(&web, sign_in, &wanted, &error),
    };
    Ok((AppendHeaders([(SET_COOKIE, cookie::set_attempt(&web, None))]), answer).into_response())
}

/// Returns the page that leads to signing out of the identity provider as well; `None` if there is no such place.
pub async fn way_out(web: &Web) -> Option<Response> {
    let sign_in = web.options.sign_in.as_ref()?;
    let there = sign_in.way_out(web.service.now()).await?;
    Some(pages::sign_in::signed_out(there.as_str(), sign_in.name()).into_response())
}

fn provider(web: &Web) -> Result<&SignIn, Problem> {
    web.options.sign_in.as_deref().ok_or_else(|| Problem::not_found("page"))
}

/// Returns the sign-in that this browser began and that now comes back, with the page that was wanted, and ends it.
async fn begun(
    web: &Web,
    headers: &HeaderMap,
    back: &Return,
    now: DateTime<Utc>,
) -> Result<Option<(Attempt, String)>, Problem> {
    let attempt = cookie::read_attempt(web, headers).map(Attempt::presented);
    let state = back.state.as_deref().unwrap_or_default();
    let Some(attempt) = attempt.filter(|attempt| attempt.is_named(state)) else { return Ok(None) };
    let wanted = web.store.take_sign_in(&attempt.key(), now).await?;
    Ok(wanted.map(|wanted| (attempt, wanted)))
}

const NOT_BEGUN: &str =
    "This sign-in was not started in this browser, is already over, or took more than ten minutes. Start again.";

/// Shows the login page with the reason why the provider did not help. Tokens still work.
fn refused(web: &Web, sign_in: &SignIn, wanted: &str, error: &SignInError) -> Response {
    count(web, "refused");
    let name = sign_in.name();
    let (status, complaint) = match error {
        SignInError::Provider(ProviderError::Unavailable(_)) => (
            StatusCode::SERVICE_UNAVAILABLE,
            format!("{name} cannot be asked now: {error}. Try again, or use a token."),
        ),
        SignInError::Provider(_) | SignInError::Elsewhere | SignInError::NoCode => (
            StatusCode::BAD_GATEWAY,
            format!("{name} gave no valid answer: {error}. Ask your administrator, or use a token."),
        ),
        SignInError::Denied(_) => (StatusCode::FORBIDDEN, format!("{error}. Start again, or use a token.")),
        SignInError::NoAccess { person, groups_left_out } => {
            (StatusCode::FORBIDDEN, no_access(name, &person.who(), *groups_left_out))
        }
    };
    match error {
        SignInError::NoAccess { person, .. } => {
            warn!(person = person.id(), "somebody signed in, but no rule of sign_in.oidc.access lets them in")
        }
        SignInError::Denied(_) => {}
        error => warn!(error = %error, "nobody could be signed in by the identity provider"),
    }
    (status, pages::login(web, wanted, Some(&complaint), false)).into_response()
}

fn no_access(name: &str, who: &str, groups_left_out: bool) -> String {
    let why = if groups_left_out {
        format!("{name} left your groups out, since you are in too many of them")
    } else {
        "neither your address nor any of your groups has a role here".to_owned()
    };
    format!("{name} knows you as {who}, but {why}. Ask your administrator, or use a token.")
}
