//! Private status pages over HTTP: administrators create, list and revoke the links to them.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;

use super::auth::Caller;
use super::{Problem, Web, body};
use crate::service::private_pages::{PrivatePageMade, PrivatePageView};

/// GET /api/v1/status-pages
pub async fn list(State(web): State<Arc<Web>>, caller: Caller) -> Result<Json<Vec<PrivatePageView>>, Problem> {
    Ok(Json(web.service.private_pages(&caller.scope).await?))
}

/// POST /api/v1/status-pages
pub async fn add(
    State(web): State<Arc<Web>>,
    caller: Caller,
    body: Bytes,
) -> Result<(StatusCode, Json<PrivatePageMade>), Problem> {
    let order = body::required(&body)?;
    let made = web.service.make_private_page(&caller.scope, &order, caller.author()).await?;
    made.map(|made| (StatusCode::CREATED, Json(made))).ok_or_else(|| Problem::not_found("tenant"))
}

/// DELETE /api/v1/status-pages/{id}
pub async fn revoke(
    State(web): State<Arc<Web>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let revoked = web.service.revoke_private_page(&caller.scope, &id, caller.author()).await?;
    revoked.map(|_| StatusCode::NO_CONTENT).ok_or_else(|| Problem::not_found("good link"))
}
