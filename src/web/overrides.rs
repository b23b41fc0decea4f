//! Manual overrides of a ticket's clocks over HTTP, for administrators.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use serde::Deserialize;
use utoipa::IntoParams;

use super::api::Within;
use super::auth::Caller;
use super::{Problem, Web, body};
use crate::service::TicketSla;
use crate::service::overrides::OverrideOrder;
use crate::ticket::ClockKind;

/// Whose ticket, and which of its clocks.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct Which {
    #[expect(dead_code, reason = "read by the gate; here it is only a key that may stand in the query")]
    tenant: Option<String>,
    #[param(inline)]
    clock: ClockKind,
}

/// POST /api/v1/tickets/{id}/override
pub async fn decide(
    State(web): State<Arc<Web>>,
    caller: Caller,
    Path(id): Path<String>,
    _: Query<Within>,
    body: Bytes,
) -> Result<Json<TicketSla>, Problem> {
    let order: OverrideOrder = body::required(&body)?;
    let author = caller.author();
    let found = web.service.decide(&caller.scope, &id, order, author).await?;
    found.map(Json).ok_or_else(|| Problem::not_found("ticket"))
}

/// DELETE /api/v1/tickets/{id}/override?clock=
pub async fn undecide(
    State(web): State<Arc<Web>>,
    caller: Caller,
    Path(id): Path<String>,
    Query(which): Query<Which>,
) -> Result<Json<TicketSla>, Problem> {
    let author = caller.author();
    let found = web.service.undecide(&caller.scope, &id, which.clock, author).await?;
    found.map(Json).ok_or_else(|| Problem::not_found("ticket"))
}
