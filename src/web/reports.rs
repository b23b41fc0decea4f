//! Reports over HTTP: technicians, compliance day by day, whole reports, and the entries behind each figure.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Redirect, Response};
use axum::{Form, Json};
use serde::Deserialize;
use utoipa::ToSchema;

use super::auth::Caller;
use super::{Problem, Web, body};
use crate::formats::json;
use crate::service::reports::answers::CacheFigures;
use crate::service::reports::archive::{ArchivePage, ArchiveQuery};
use crate::service::reports::clients::ClientPage;
use crate::service::reports::credits::CreditView;
use crate::service::reports::file::ReportFile;
use crate::service::reports::honesty::HonestyView;
use crate::service::reports::listed::FigureListQuery;
use crate::service::reports::reasons::{ReasonOrder, ReasonView};
use crate::service::reports::{
    ComplianceDay, ComplianceQuery, EntryPage, EntryQuery, ReportQuery, TechnicianPage, TechnicianQuery, TechnicianView,
};
use crate::service::room::{RoomPage, RoomQuery};
use crate::ticket::ClockKind;

/// GET /api/v1/technicians
pub async fn technicians(
    State(web): State<Arc<Web>>,
    caller: Caller,
    Query(query): Query<FigureListQuery>,
) -> Result<Json<TechnicianPage>, Problem> {
    Ok(Json(web.service.technician_list(&caller.scope, &query).await?))
}

/// GET /api/v1/technicians/{id}/sla
pub async fn technician(
    State(web): State<Arc<Web>>,
    caller: Caller,
    Path(id): Path<String>,
    Query(query): Query<TechnicianQuery>,
) -> Result<Json<TechnicianView>, Problem> {
    let page = web.service.technicians(&caller.scope, &query).await?;
    let mut found = page.technicians.into_iter().filter(|one| one.technician_id == id);
    match (found.next(), found.next()) {
        (Some(one), None) => Ok(Json(one)),
        (None, _) => Err(Problem::not_found("technician with figures in this period")),
        (Some(one), Some(other)) => {
            let tenants = format!("`{}` and `{}`", one.tenant, other.tenant);
            Err(Problem::new(StatusCode::CONFLICT, format!("`{id}` is a technician of {tenants}: say which `tenant`")))
        }
    }
}

/// GET /api/v1/technicians/room
pub async fn room(
    State(web): State<Arc<Web>>,
    caller: Caller,
    Query(query): Query<RoomQuery>,
) -> Result<Json<RoomPage>, Problem> {
    Ok(Json(web.service.room(&caller.scope, &query).await?))
}

/// GET /api/v1/sla/compliance
pub async fn compliance(
    State(web): State<Arc<Web>>,
    caller: Caller,
    Query(query): Query<ComplianceQuery>,
) -> Result<Json<Arc<Vec<ComplianceDay>>>, Problem> {
    Ok(Json(web.service.compliance(&caller.scope, &query).await?))
}

/// GET /api/v1/clients
pub async fn clients(
    State(web): State<Arc<Web>>,
    caller: Caller,
    Query(query): Query<FigureListQuery>,
) -> Result<Json<ClientPage>, Problem> {
    Ok(Json(web.service.client_list(&caller.scope, &query).await?))
}

/// GET /api/v1/reports/honesty
pub async fn honesty(
    State(web): State<Arc<Web>>,
    caller: Caller,
    Query(query): Query<TechnicianQuery>,
) -> Result<Json<HonestyView>, Problem> {
    Ok(Json(web.service.honesty(&caller.scope, &query).await?))
}

/// GET /api/v1/sla/credits
pub async fn credits(
    State(web): State<Arc<Web>>,
    caller: Caller,
    Query(query): Query<TechnicianQuery>,
) -> Result<Json<Vec<CreditView>>, Problem> {
    Ok(Json(web.service.policy_credits(&caller.scope, &query).await?))
}

/// GET /api/v1/reports/sla
pub async fn report(
    State(web): State<Arc<Web>>,
    caller: Caller,
    Query(query): Query<ReportQuery>,
) -> Result<Response, Problem> {
    let format = query.form()?;
    Ok(handed_over(web.service.report_file(&caller.scope, &query, format, &caller.author().who).await?))
}

fn handed_over(file: ReportFile) -> Response {
    let heads = [(CONTENT_TYPE, file.content_type.to_owned()), (CONTENT_DISPOSITION, file.disposition)];
    (heads, file.bytes).into_response()
}

/// GET /api/v1/reports/archive
pub async fn archive(
    State(web): State<Arc<Web>>,
    caller: Caller,
    Query(query): Query<ArchiveQuery>,
) -> Result<Json<ArchivePage>, Problem> {
    Ok(Json(web.service.archive(&caller.scope, &query).await?))
}

/// GET /api/v1/reports/archive/{id}
pub async fn archived(
    State(web): State<Arc<Web>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let file = web.service.archived(&caller.scope, &id).await?;
    file.map(handed_over).ok_or_else(|| Problem::not_found("report in the archive"))
}

/// GET /api/v1/reports/schema
pub async fn schema(State(_): State<Arc<Web>>, _caller: Caller) -> Response {
    ([(CONTENT_TYPE, "application/schema+json")], json::SCHEMA).into_response()
}

/// GET /api/v1/reports/entries
pub async fn entries(
    State(web): State<Arc<Web>>,
    caller: Caller,
    Query(query): Query<EntryQuery>,
) -> Result<Json<EntryPage>, Problem> {
    Ok(Json(web.service.figure_entries(&caller.scope, &query).await?))
}

/// POST /api/v1/tickets/{id}/reason
pub async fn say_reason(
    State(web): State<Arc<Web>>,
    caller: Caller,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Json<ReasonView>, Problem> {
    let order: ReasonOrder = body::required(&body)?;
    let said = web.service.say_reason(&caller.scope, &id, &order, caller.author()).await?;
    said.map(Json).ok_or_else(|| Problem::not_found("breach of this ticket in the books"))
}

/// What the form of the page sends.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReasonForm {
    clock: ClockKind,
    round: u32,
    reason: String,
    /// Which list it was sent from: the query of that page.
    list: String,
}

/// POST /tickets/{tenant}/{id}/reason: the form of the page of entries.
pub async fn submit_reason(
    State(web): State<Arc<Web>>,
    caller: Caller,
    Path((_, id)): Path<(String, String)>,
    Form(form): Form<ReasonForm>,
) -> Result<Redirect, Problem> {
    let order = ReasonOrder { clock: form.clock, round: Some(form.round), reason: Some(form.reason) };
    let said = web.service.say_reason(&caller.scope, &id, &order, caller.author()).await?;
    said.ok_or_else(|| Problem::not_found("breach of this ticket in the books"))?;
    let list = Some(form.list).filter(|list| list.bytes().all(|byte| byte.is_ascii_graphic()));
    Ok(Redirect::to(&format!("/reports/entries?{}", list.unwrap_or_default())))
}

/// GET /api/v1/cache
pub async fn cache(State(web): State<Arc<Web>>, _caller: Caller) -> Json<Vec<CacheFigures>> {
    let others = ["open_tickets", "people", "tickets", "policies"].map(|name| web.telemetry.cache_figures(name));
    let others = others.map(|(name, entries, hits, misses)| CacheFigures {
        name: name.to_owned(),
        entries,
        hits,
        misses,
        ..CacheFigures::default()
    });
    Json(others.into_iter().chain([web.service.kept_answers()]).collect())
}
