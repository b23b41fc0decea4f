//! Saved views of the ticket list, over the API and for the page's script.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::api::Within;
use super::auth::Caller;
use super::{Problem, Web, body};
use crate::service::views::{ViewOrder, ViewView};
use crate::store::saved_views::Owner;
use crate::store::tokens::Role;

/// The owner of views saved without a token, where that is allowed.
const ANYBODY: &str = "anybody";

/// Saved views.
#[derive(Serialize, ToSchema)]
pub struct Views {
    views: Vec<ViewView>,
}

/// GET /api/v1/views
pub async fn list(State(web): State<Arc<Web>>, caller: Caller, _: Query<Within>) -> Result<Json<Views>, Problem> {
    Ok(Json(Views { views: web.service.views(&caller.scope, owner(&caller)).await? }))
}

/// POST /api/v1/views
pub async fn save(
    State(web): State<Arc<Web>>,
    caller: Caller,
    body: Bytes,
) -> Result<(StatusCode, Json<ViewView>), Problem> {
    let order: ViewOrder = body::required(&body)?;
    if order.shared {
        caller.needs(Role::Responder)?;
    }
    let saved = web.service.save_view(&caller.scope, owner(&caller), &order, caller.author()).await?;
    Ok((StatusCode::CREATED, Json(saved)))
}

/// DELETE /api/v1/views/{id}
pub async fn forget(
    State(web): State<Arc<Web>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let none = || Problem::not_found("view");
    let view = web.service.view(&caller.scope, owner(&caller), &id).await?.ok_or_else(none)?;
    if matches!(view.owner, Owner::Shared(_)) {
        caller.needs(Role::Responder)?;
    }
    let forgotten = web.service.forget_view(view, caller.author()).await?;
    if forgotten { Ok(StatusCode::NO_CONTENT) } else { Err(none()) }
}

fn owner(caller: &Caller) -> &str {
    caller.token.as_deref().unwrap_or(ANYBODY)
}
