//! Tokens over HTTP: administrators create, list and revoke them.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::{Form, Json};
use serde::Serialize;
use utoipa::ToSchema;

use super::auth::Caller;
use super::pages::tokens::{Outcome, page};
use super::{Problem, Web, body};
use crate::service::tokens::{TokenMade, TokenOrder};
use crate::store::tokens::TokenRecord;

/// Tokens, without their texts.
#[derive(Serialize, ToSchema)]
pub struct Tokens {
    tokens: Vec<TokenRecord>,
}

/// GET /api/v1/tokens
pub async fn list(State(web): State<Arc<Web>>, caller: Caller) -> Result<Json<Tokens>, Problem> {
    Ok(Json(Tokens { tokens: web.service.tokens(&caller.scope).await? }))
}

/// POST /api/v1/tokens
pub async fn add(
    State(web): State<Arc<Web>>,
    caller: Caller,
    body: Bytes,
) -> Result<(StatusCode, Json<TokenMade>), Problem> {
    Ok((StatusCode::CREATED, Json(make(&web, &caller, &body::required(&body)?).await?)))
}

/// POST /tokens: the form of the page. Only the answering page ever shows the text of the new token.
pub async fn submit(
    State(web): State<Arc<Web>>,
    caller: Caller,
    Form(order): Form<TokenOrder>,
) -> Result<Response, Problem> {
    let (status, outcome) = match make(&web, &caller, &order).await {
        Ok(made) => (StatusCode::OK, Outcome::Made(made)),
        Err(problem) if problem.status() == StatusCode::BAD_REQUEST => (problem.status(), Outcome::Refused(problem)),
        Err(problem) => return Err(problem),
    };
    Ok((status, page(&web, &caller, Some(&outcome)).await?).into_response())
}

/// DELETE /api/v1/tokens/{id}
pub async fn revoke(
    State(web): State<Arc<Web>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    end(&web, &caller, &id).await.map(|()| StatusCode::NO_CONTENT)
}

/// POST /tokens/{id}/revoke: the button of the page.
pub async fn submit_revocation(
    State(web): State<Arc<Web>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Redirect, Problem> {
    end(&web, &caller, &id).await.map(|()| Redirect::to("/tokens"))
}

async fn make(web: &Web, caller: &Caller, order: &TokenOrder) -> Result<TokenMade, Problem> {
    let made = web.service.make_token(&caller.scope, order, caller.author()).await?;
    made.ok_or_else(|| Problem::not_found("tenant"))
}

async fn end(web: &Web, caller: &Caller, id: &str) -> Result<(), Problem> {
    match web.service.revoke_token(&caller.scope, id, caller.author()).await? {
        true => Ok(()),
        false => Err(Problem::not_found("valid token")),
    }
}
