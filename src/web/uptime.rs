//! Services over the API: how they stand, their past and the promises; and the looks that others report.

use std::net::IpAddr;
use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};

use super::auth::{Caller, bearer, guessed};
use super::gate::Asked;
use super::{Problem, Web, body};
use crate::config::uptime::Outpost;
use crate::outpost::wire::{OutpostOrders, OutpostReceipt};
use crate::service::uptime::{
    ComponentHistory, ComponentView, DailyQuery, DailySeries, HistoryQuery, LookView, LooksQuery, SlaQuery, SlaReport,
    UptimeOverview,
};

/// GET /api/v1/uptime
pub async fn overview(State(web): State<Arc<Web>>, caller: Caller) -> Result<Json<UptimeOverview>, Problem> {
    Ok(Json(web.service.uptime(&caller.scope).await?))
}

/// GET /api/v1/uptime/components/{id}
pub async fn component(
    State(web): State<Arc<Web>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<ComponentView>, Problem> {
    let found = web.service.component(&caller.scope, &id).await?;
    found.map(Json).ok_or_else(|| Problem::not_found("component"))
}

/// GET /api/v1/uptime/components/{id}/history
pub async fn history(
    State(web): State<Arc<Web>>,
    caller: Caller,
    Path(id): Path<String>,
    Query(query): Query<HistoryQuery>,
) -> Result<Json<ComponentHistory>, Problem> {
    let found = web.service.component_history(&caller.scope, &id, &query).await?;
    found.map(Json).ok_or_else(|| Problem::not_found("component"))
}

/// GET /api/v1/uptime/components/{id}/looks
pub async fn looks(
    State(web): State<Arc<Web>>,
    caller: Caller,
    Path(id): Path<String>,
    Query(query): Query<LooksQuery>,
) -> Result<Json<Vec<LookView>>, Problem> {
    let found = web.service.component_looks(&caller.scope, &id, &query).await?;
    found.map(Json).ok_or_else(|| Problem::not_found("component"))
}

/// GET /api/v1/uptime/sla
pub async fn sla(
    State(web): State<Arc<Web>>,
    caller: Caller,
    Query(query): Query<SlaQuery>,
) -> Result<Json<SlaReport>, Problem> {
    Ok(Json(web.service.uptime_sla(&caller.scope, &query).await?))
}

/// GET /api/v1/uptime/daily
pub async fn daily(
    State(web): State<Arc<Web>>,
    caller: Caller,
    Query(query): Query<DailyQuery>,
) -> Result<Json<DailySeries>, Problem> {
    let found = web.service.uptime_daily(&caller.scope, &query).await?;
    found.map(Json).ok_or_else(|| Problem::not_found("component"))
}

/// POST /api/v1/uptime/results: a look of somebody else, with the token of the check.
pub async fn result(
    State(web): State<Arc<Web>>,
    Asked(address): Asked,
    headers: HeaderMap,
    body: Bytes,
) -> Result<StatusCode, Problem> {
    let Some(check) = bearer(&headers).and_then(|token| web.service.pushed_check(token)) else {
        return Err(guessed(
            &web,
            address,
            "send `Authorization: Bearer TOKEN` with the token of a check with `pushed = true`",
        ));
    };
    let too_often = |wait| Problem::too_much(wait, "a check takes one result a second, and 100 at once: send fewer");
    web.limits.takes_result(&check).map_err(too_often)?;
    kept(web.service.pushed(check, body::required(&body)?).await?)
}

/// GET /api/v1/uptime/outpost/checks: the checks that an outpost must run.
pub async fn outpost_checks(
    State(web): State<Arc<Web>>,
    Asked(address): Asked,
    headers: HeaderMap,
) -> Result<Json<OutpostOrders>, Problem> {
    let outpost = known_outpost(&web, address, &headers)?;
    Ok(Json(web.service.outpost_orders(outpost)))
}

/// POST /api/v1/uptime/outpost/results: the looks of an outpost.
pub async fn outpost_results(
    State(web): State<Arc<Web>>,
    Asked(address): Asked,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<OutpostReceipt>, Problem> {
    let outpost = known_outpost(&web, address, &headers)?;
    let taken = web.service.outpost_results(outpost, body::required(&body)?).await?;
    taken.map(Json).ok_or_else(unkept)
}

fn known_outpost<'a>(web: &'a Web, address: Option<IpAddr>, headers: &HeaderMap) -> Result<&'a Outpost, Problem> {
    let shown = bearer(headers).and_then(|token| web.service.outpost_of(token));
    let Some(outpost) = shown else {
        return Err(guessed(web, address, "send `Authorization: Bearer TOKEN` with the token of an [outposts.NAME]"));
    };
    let too_often = |wait| Problem::too_much(wait, "ask less often; a batch holds 100 results");
    web.limits.take(&format!("outpost:{}", outpost.id)).map_err(too_often)?;
    Ok(outpost)
}

/// Confirms a result once it is stored, or else asks for it again.
fn kept(is_kept: bool) -> Result<StatusCode, Problem> {
    match is_kept {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(unkept()),
    }
}

fn unkept() -> Problem {
    Problem::unavailable(vec!["it could not be written down now; call again".to_owned()])
}

/// The kinds of heartbeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum HeartbeatKind {
    Ok,
    Start,
    Fail,
}

/// GET or POST /hooks/heartbeat/{token}: the service is well.
pub async fn beat(State(web): State<Arc<Web>>, Path(token): Path<String>) -> Result<StatusCode, Problem> {
    heard(&web, &token, HeartbeatKind::Ok).await
}

/// GET or POST /hooks/heartbeat/{token}/{how}, with ok, start or fail
pub async fn beat_how(
    State(web): State<Arc<Web>>,
    Path((token, how)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    let beat = match how.as_str() {
        "ok" => HeartbeatKind::Ok,
        "start" => HeartbeatKind::Start,
        "fail" => HeartbeatKind::Fail,
        _ => return Err(Problem::not_found("heartbeat")),
    };
    heard(&web, &token, beat).await
}

async fn heard(web: &Web, token: &str, beat: HeartbeatKind) -> Result<StatusCode, Problem> {
    // A start does not say yet how it ends.
    let failed = match beat {
        HeartbeatKind::Start => return known(web, token).map(|_| StatusCode::NO_CONTENT),
        HeartbeatKind::Ok => false,
        HeartbeatKind::Fail => true,
    };
    let check = known(web, token)?;
    kept(web.service.heartbeat(check, failed).await)
}

fn known(web: &Web, token: &str) -> Result<String, Problem> {
    web.service.heartbeat_check(token).ok_or_else(|| Problem::not_found("heartbeat"))
}
