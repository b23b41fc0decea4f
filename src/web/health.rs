//! What those who watch the watcher ask: does it live, can it do its work, what are its figures.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use serde_json::{Value, json};

use super::{Problem, Web};
use crate::service::ServiceError;

const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// GET /healthz: answers as long as the process lives.
pub async fn alive() -> Json<Value> {
    Json(json!({ "status": "ok" }))
}

/// GET /readyz: whether alerts would go out now. Open to all, like `/healthz`: what asks has no token.
pub async fn ready(State(web): State<Arc<Web>>) -> Result<Json<Value>, Problem> {
    web.service.ready().await.map_err(Problem::unavailable)?;
    let ages: BTreeMap<_, _> = web.service.pulse_ages().collect();
    Ok(Json(json!({ "status": "ready", "last_good_turn_seconds_ago": ages })))
}

/// GET /metrics. The figures are of all tenants, so the table of routes asks for a token of all.
pub async fn metrics(State(web): State<Arc<Web>>) -> Result<impl IntoResponse, Problem> {
    web.service.refresh_gauges();
    web.service.refresh_standings().await.map_err(ServiceError::from)?;
    web.service.refresh_week().await.map_err(ServiceError::from)?;
    Ok(([(CONTENT_TYPE, OPENMETRICS)], web.telemetry.render()))
}
