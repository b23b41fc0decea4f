//! Signing out with a browser, and listing who is signed in. No script can read the cookie of a session.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::SET_COOKIE;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::auth::Caller;
use super::{Problem, Web, cookie, sign_in};
use crate::service::Reach;
use crate::sign_in::access::Person;
use crate::store::sessions::Session;
use crate::store::tokens::Role;

/// POST /logout
pub async fn leave(State(web): State<Arc<Web>>, caller: Caller) -> Result<Response, Problem> {
    if let Some(id) = &caller.session {
        web.store.end_session(id, None, caller.author(), web.service.now()).await?;
    }
    let is_person = caller.token.as_deref().is_some_and(Person::is_id);
    let way_out = if is_person { sign_in::way_out(&web).await } else { None };
    let answer = way_out.unwrap_or_else(|| Redirect::to("/login").into_response());
    Ok(([(SET_COOKIE, cookie::set(&web, None))], answer).into_response())
}

/// The browsers that are signed in.
#[derive(Serialize, ToSchema)]
pub struct Sessions {
    sessions: Vec<Session>,
    /// The one that asks, by its id.
    current: Option<String>,
}

/// GET /api/v1/sessions
pub async fn list(State(web): State<Arc<Web>>, caller: Caller) -> Result<Json<Sessions>, Problem> {
    Ok(Json(Sessions { sessions: of(&web, &caller).await?, current: caller.session.clone() }))
}

/// Returns the sessions that the caller may see.
pub async fn of(web: &Web, caller: &Caller) -> Result<Vec<Session>, Problem> {
    let now = web.service.now();
    Ok(match whose(caller) {
        Whose::All => web.store.sessions(None, now).await?,
        Whose::Of(token) => web.store.sessions(Some(token), now).await?,
        Whose::Nobodys => Vec::new(),
    })
}

/// DELETE /api/v1/sessions/{id}
pub async fn end(State(web): State<Arc<Web>>, caller: Caller, Path(id): Path<String>) -> Result<StatusCode, Problem> {
    end_one(&web, &caller, &id).await.map(|()| StatusCode::NO_CONTENT)
}

/// Signs a browser out, if the caller may.
pub async fn end_one(web: &Web, caller: &Caller, id: &str) -> Result<(), Problem> {
    let token = match whose(caller) {
        Whose::All => None,
        Whose::Of(token) => Some(token),
        Whose::Nobodys => return Err(Problem::not_found("session")),
    };
    let ended = web.store.end_session(id, token, caller.author(), web.service.now()).await?;
    if ended { Ok(()) } else { Err(Problem::not_found("session")) }
}

enum Whose<'c> {
    All,
    Of(&'c str),
    Nobodys,
}

/// Callers see the sessions of their own token or person; administrators of all tenants see everybody's.
fn whose(caller: &Caller) -> Whose<'_> {
    match &caller.token {
        _ if caller.role == Role::Admin && caller.scope == Reach::All => Whose::All,
        Some(token) => Whose::Of(token),
        None => Whose::Nobodys,
    }
}
