//! Answers those who watch the watcher: is it alive, can it do its work, what are its metrics.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::{Extension, Json};
use serde::Serialize;
use tokio::sync::Mutex;
use tokio::time::Instant;
use utoipa::ToSchema;

use super::auth::Caller;
use super::{Problem, Web};
use crate::config::StorePlace;
use crate::notify::counted;
use crate::service::{Reach, Service, ServiceError};

const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// That the process lives.
#[derive(Serialize, ToSchema)]
pub struct Alive {
    /// ok
    status: &'static str,
}

/// GET /healthz: answers as long as the process lives.
pub async fn alive() -> Json<Alive> {
    Json(Alive { status: "ok" })
}

/// That alerts would go out now.
#[derive(Serialize, ToSchema)]
pub struct ReadyView {
    /// ready
    status: &'static str,
    /// Of each loop that runs.
    last_good_turn_seconds_ago: BTreeMap<&'static str, u64>,
    /// Among replicas: leader or follower.
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
}

/// How long an answer to `/readyz` is reused: finding out writes to the disk, and anybody may ask.
const HOLDS: Duration = Duration::from_secs(2);

/// `Ok` if ready, or else the reasons why not.
type Ready = Result<(), Vec<String>>;

/// The last known readiness, and since when.
#[derive(Default)]
pub struct Readiness(Mutex<Option<(Instant, Ready)>>);

impl Readiness {
    async fn of(&self, service: &Service) -> Ready {
        let mut known = self.0.lock().await;
        match &*known {
            Some((at, ready)) if at.elapsed() < HOLDS => ready.clone(),
            _ => known.insert((Instant::now(), service.ready().await)).1.clone(),
        }
    }
}

/// GET /readyz: whether alerts would go out now. Open to all, like `/healthz`, as monitoring may have no token. The
/// reasons name tenants, so only callers who may see all tenants get them.
pub async fn ready(State(web): State<Arc<Web>>, caller: Option<Extension<Caller>>) -> Result<Json<ReadyView>, Problem> {
    let sees_all = web.options.anonymous.is_some() || caller.is_some_and(|caller| caller.scope == Reach::All);
    match web.readiness.of(&web.service).await {
        Ok(()) => {
            let ages: BTreeMap<_, _> = web.service.last_good_turns().collect();
            let role = web.service.role().word();
            Ok(Json(ReadyView { status: "ready", last_good_turn_seconds_ago: ages, role }))
        }
        Err(reasons) if sees_all => Err(Problem::unavailable(reasons)),
        Err(reasons) => {
            let many = counted(reasons.len(), "reason");
            Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, format!("not ready, for {many}; a token shows which")))
        }
    }
}

/// GET /metrics. The metrics cover all tenants, so the table of routes asks for a token for all.
pub async fn metrics(State(web): State<Arc<Web>>) -> Result<impl IntoResponse, Problem> {
    web.service.refresh_gauges();
    web.service.refresh_standings().await.map_err(ServiceError::from)?;
    web.service.refresh_week().await.map_err(ServiceError::from)?;
    web.service.refresh_desk().await?;
    let file = match &web.service.config().store.place {
        StorePlace::File(path) => Some(path.as_path()),
        StorePlace::Postgres(_) => None,
    };
    web.telemetry.process.look(file);
    Ok(([(CONTENT_TYPE, OPENMETRICS)], web.telemetry.render()))
}
