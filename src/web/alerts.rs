//! Alerts over HTTP: reading them, acting on them, and asking for quiet.
//!
//! Each act answers with the alert as it then stands; a repeat changes nothing and gets the same answer.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::api::Within;
use super::auth::Caller;
use super::{Problem, Web, body, delivery};
use crate::alert::life::Act;
use crate::alert::suppression::SuppressionKind;
use crate::service::alerts::{AlertQuery, AlertView, SnoozeOrder};
use crate::service::suppressions::{SuppressionOrder, SuppressionView};
use crate::service::weekly::{Weekly, WeeklyQuery};

/// Who acts, where one token serves several people, and what that one says about it.
#[derive(Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct By {
    by: Option<String>,
    note: Option<String>,
}

/// GET /api/v1/alerts
pub async fn list(
    State(web): State<Arc<Web>>,
    caller: Caller,
    headers: HeaderMap,
    Query(query): Query<AlertQuery>,
) -> Result<Response, Problem> {
    let page = web.service.alerts(&caller.scope, &query).await?;
    let ground = format!("{:?} {query:?} {}", caller.scope, page.ground());
    Ok(delivery::resting_on(&ground, &headers, page.now, Json(page)))
}

/// GET /api/v1/alerts/weekly
pub async fn weekly(
    State(web): State<Arc<Web>>,
    caller: Caller,
    Query(query): Query<WeeklyQuery>,
) -> Result<Json<Weekly>, Problem> {
    Ok(Json(web.service.weekly(&caller.scope, query.weeks).await?))
}

/// GET /api/v1/alerts/{id}
pub async fn one(
    State(web): State<Arc<Web>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<AlertView>, Problem> {
    let found = web.service.alert(&caller.scope, &id).await?;
    found.map(Json).ok_or_else(|| Problem::not_found("alert"))
}

/// POST /api/v1/alerts/{id}/ack
pub async fn acknowledge(
    State(web): State<Arc<Web>>,
    caller: Caller,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Json<AlertView>, Problem> {
    act(&web, caller, &id, Act::Acknowledge, body::optional(&body)?).await
}

/// POST /api/v1/alerts/{id}/resolve
pub async fn resolve(
    State(web): State<Arc<Web>>,
    caller: Caller,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Json<AlertView>, Problem> {
    act(&web, caller, &id, Act::Resolve, body::optional(&body)?).await
}

/// POST /api/v1/alerts/{id}/escalate
pub async fn escalate(
    State(web): State<Arc<Web>>,
    caller: Caller,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Json<AlertView>, Problem> {
    act(&web, caller, &id, Act::Escalate, body::optional(&body)?).await
}

/// POST /api/v1/alerts/{id}/snooze
pub async fn snooze(
    State(web): State<Arc<Web>>,
    caller: Caller,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Json<AlertView>, Problem> {
    let order: SnoozeOrder = body::optional(&body)?;
    let snooze = web.service.snooze(&order)?;
    act(&web, caller, &id, snooze, By { by: order.by, note: order.note }).await
}

async fn act(web: &Web, caller: Caller, id: &str, act: Act, by: By) -> Result<Json<AlertView>, Problem> {
    let actor = caller.actor(by.by.as_deref(), by.note.as_deref());
    let found = web.service.act_on_alert(&caller.scope, id, act, &actor).await?;
    found.map(Json).ok_or_else(|| Problem::not_found("alert"))
}

/// The silences of now and later.
#[derive(Serialize, ToSchema)]
pub struct Silences {
    silences: Vec<SuppressionView>,
}

/// The maintenance windows of now and later.
#[derive(Serialize, ToSchema)]
pub struct MaintenanceWindows {
    maintenance_windows: Vec<SuppressionView>,
}

/// GET /api/v1/silences
pub async fn silences(
    State(web): State<Arc<Web>>,
    caller: Caller,
    _: Query<Within>,
) -> Result<Json<Silences>, Problem> {
    Ok(Json(Silences { silences: suppressions(&web, &caller, SuppressionKind::Silence).await? }))
}

/// POST /api/v1/silences
pub async fn silence(
    State(web): State<Arc<Web>>,
    caller: Caller,
    body: Bytes,
) -> Result<(StatusCode, Json<SuppressionView>), Problem> {
    add(&web, caller, SuppressionKind::Silence, &body).await
}

/// DELETE /api/v1/silences/{id}
pub async fn end_silence(
    State(web): State<Arc<Web>>,
    caller: Caller,
    Path(id): Path<i64>,
) -> Result<StatusCode, Problem> {
    end(&web, caller, SuppressionKind::Silence, id).await
}

/// GET /api/v1/maintenance-windows
pub async fn maintenance_windows(
    State(web): State<Arc<Web>>,
    caller: Caller,
    _: Query<Within>,
) -> Result<Json<MaintenanceWindows>, Problem> {
    let maintenance_windows = suppressions(&web, &caller, SuppressionKind::Maintenance).await?;
    Ok(Json(MaintenanceWindows { maintenance_windows }))
}

/// POST /api/v1/maintenance-windows
pub async fn maintain(
    State(web): State<Arc<Web>>,
    caller: Caller,
    body: Bytes,
) -> Result<(StatusCode, Json<SuppressionView>), Problem> {
    add(&web, caller, SuppressionKind::Maintenance, &body).await
}

/// DELETE /api/v1/maintenance-windows/{id}
pub async fn end_maintenance(
    State(web): State<Arc<Web>>,
    caller: Caller,
    Path(id): Path<i64>,
) -> Result<StatusCode, Problem> {
    end(&web, caller, SuppressionKind::Maintenance, id).await
}

async fn suppressions(web: &Web, caller: &Caller, kind: SuppressionKind) -> Result<Vec<SuppressionView>, Problem> {
    Ok(web.service.suppressions(&caller.scope, kind).await?)
}

async fn add(
    web: &Web,
    caller: Caller,
    kind: SuppressionKind,
    body: &[u8],
) -> Result<(StatusCode, Json<SuppressionView>), Problem> {
    let order: SuppressionOrder = body::required(body)?;
    let added = web.service.add_suppression(&caller.scope, kind, order, caller.author()).await?;
    added.map(|added| (StatusCode::CREATED, Json(added))).ok_or_else(|| Problem::not_found("tenant"))
}

async fn end(web: &Web, caller: Caller, kind: SuppressionKind, id: i64) -> Result<StatusCode, Problem> {
    match web.service.end_suppression(&caller.scope, kind, id, caller.author()).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Problem::not_found(kind.words())),
    }
}
