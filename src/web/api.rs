//! The read routes of the API: each passes its question to the service, within the caller's scope.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{Redirect, Response};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::auth::Caller;
use super::{Problem, Web, delivery};
use crate::answers::NoMoreTexts;
use crate::service::breaches::{BreachPage, BreachQuery};
use crate::service::described::MessageOrderWord;
use crate::service::messages::MessagePage;
use crate::service::policies::TenantPolicies;
use crate::service::today::Today;
use crate::service::{Complaint, Differences, ForecastRecord, Reach, TicketLedger, TicketQuery, TicketSla};

/// The most entries of any list in one answer.
const LIMIT_MAX: usize = 500;
const LIMIT_USUAL: usize = 100;

/// Which tenant is meant: the gate has heeded it before a handler is asked.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct Within {
    /// Only this tenant's.
    #[expect(dead_code, reason = "read by the gate; here it is only a key that may stand in the query")]
    tenant: Option<String>,
}

/// Which messages are asked for.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct MessageQuery {
    #[expect(dead_code, reason = "read by the gate; here it is only a key that may stand in the query")]
    tenant: Option<String>,
    /// A ticket's id or display id.
    ticket: Option<String>,
    /// By default, the latest first.
    #[param(inline, value_type = Option<MessageOrderWord>)]
    sort: Option<String>,
    /// 1 to 500, by default 100.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<usize>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// GET /api/v1/breaches
pub async fn breaches(
    State(web): State<Arc<Web>>,
    caller: Caller,
    Query(query): Query<BreachQuery>,
) -> Result<Json<BreachPage>, Problem> {
    Ok(Json(web.service.breaches(&caller.scope, &query).await?))
}

/// GET /api/v1/tickets
pub async fn tickets(
    State(web): State<Arc<Web>>,
    caller: Caller,
    uri: Uri,
    headers: HeaderMap,
    Query(query): Query<TicketQuery>,
) -> Result<Response, Problem> {
    limit(query.limit)?;
    let ground = format!("{}?{}", web.service.ground_of(&caller.scope).await?, uri.query().unwrap_or_default());
    let head = delivery::Head::of(&ground, web.service.now());
    if head.is_known(&headers) {
        return Ok(head.alone());
    }
    Ok(head.over(Json(web.service.tickets(&caller.scope, &query).await?)))
}

/// GET /api/v1/tickets/{id}/sla
pub async fn ticket(
    State(web): State<Arc<Web>>,
    caller: Caller,
    Path(id): Path<String>,
    _: Query<Within>,
) -> Result<Json<TicketSla>, Problem> {
    let found = web.service.ticket(&caller.scope, &id).await?;
    found.map(Json).ok_or_else(|| Problem::not_found("ticket"))
}

/// What is promised, tenant by tenant.
#[derive(Serialize, ToSchema)]
pub struct Promises {
    tenants: Vec<TenantPolicies>,
}

/// GET /api/v1/policies
pub async fn policies(
    State(web): State<Arc<Web>>,
    caller: Caller,
    _: Query<Within>,
) -> Result<Json<Promises>, Problem> {
    Ok(Json(Promises { tenants: web.service.policies(&caller.scope).await? }))
}

/// GET /api/v1/tickets/{id}/ledger
pub async fn ledger(
    State(web): State<Arc<Web>>,
    caller: Caller,
    Path(id): Path<String>,
    _: Query<Within>,
) -> Result<Json<TicketLedger>, Problem> {
    let found = web.service.ledger(&caller.scope, &id).await?;
    found.map(Json).ok_or_else(|| Problem::not_found("ticket"))
}

/// GET /api/v1/discrepancies
pub async fn discrepancies(
    State(web): State<Arc<Web>>,
    caller: Caller,
    _: Query<Within>,
) -> Result<Json<Differences>, Problem> {
    Ok(Json(web.service.differences(&caller.scope).await?))
}

/// GET /api/v1/forecast/record
pub async fn forecast_record(
    State(web): State<Arc<Web>>,
    caller: Caller,
    _: Query<Within>,
) -> Result<Json<ForecastRecord>, Problem> {
    Ok(Json(web.service.forecast_record(&caller.scope).await?))
}

/// GET /api/v1/overview
pub async fn overview(State(web): State<Arc<Web>>, caller: Caller, headers: HeaderMap) -> Result<Response, Problem> {
    let overview = web.service.overview(&caller.scope).await?;
    let ground = format!("{:?} {}", caller.scope, overview.ground());
    Ok(delivery::resting_on(&ground, &headers, overview.now, Json(overview)))
}

/// GET /api/v1/today
pub async fn today(State(web): State<Arc<Web>>, caller: Caller, _: Query<Within>) -> Result<Json<Today>, Problem> {
    Ok(Json(web.service.today(&caller.scope).await?))
}

/// GET /api/v1/messages
pub async fn messages(
    State(web): State<Arc<Web>>,
    caller: Caller,
    Query(query): Query<MessageQuery>,
) -> Result<Json<MessagePage>, Problem> {
    let limit = limit(query.limit)?;
    Ok(Json(
        web.service
            .message_page(
                &caller.scope,
                query.ticket.as_deref(),
                limit,
                (query.sort.as_deref(), query.cursor.as_deref()),
            )
            .await?,
    ))
}

/// Returns the people within `scope` who get no text messages, and why.
pub(super) async fn not_texted(web: &Web, scope: &Reach) -> Result<Vec<NoMoreTexts>, Problem> {
    match &web.options.answers {
        Some(answers) => Ok(answers.no_more_texts(scope).await?),
        None => Ok(Vec::new()),
    }
}

/// Who is sent no text messages.
#[derive(Serialize, ToSchema)]
pub struct NoTexts {
    people: Vec<NoMoreTexts>,
}

/// GET /api/v1/no-texts
pub async fn no_texts(State(web): State<Arc<Web>>, caller: Caller) -> Result<Json<NoTexts>, Problem> {
    Ok(Json(NoTexts { people: not_texted(&web, &caller.scope).await? }))
}

/// DELETE /api/v1/no-texts/{id}
pub async fn text_again(
    State(web): State<Arc<Web>>,
    caller: Caller,
    Path(id): Path<i64>,
) -> Result<StatusCode, Problem> {
    clear_number(&web, &caller, id).await.map(|()| StatusCode::NO_CONTENT)
}

/// POST /alerts/no-texts/{id}/clear: the button of the page.
pub async fn submit_text_again(
    State(web): State<Arc<Web>>,
    caller: Caller,
    Path(id): Path<i64>,
) -> Result<Redirect, Problem> {
    clear_number(&web, &caller, id).await.map(|()| Redirect::to("/alerts"))
}

async fn clear_number(web: &Web, caller: &Caller, id: i64) -> Result<(), Problem> {
    let cleared = match &web.options.answers {
        Some(answers) => answers.text_again(&caller.scope, id, caller.author()).await?,
        None => false,
    };
    if cleared { Ok(()) } else { Err(Problem::not_found("number")) }
}

/// GET /api/v1/demo/messages: what the demo's own mail and text message receivers caught.
pub async fn caught(State(web): State<Arc<Web>>, _: Caller) -> Result<Json<Value>, Problem> {
    let caught = web.options.caught.as_ref().ok_or_else(|| Problem::not_found("page; only the demo has it"))?;
    Ok(Json(caught.newest(LIMIT_USUAL)))
}

fn limit(asked: Option<usize>) -> Result<usize, Problem> {
    match asked.unwrap_or(LIMIT_USUAL) {
        limit @ 1..=LIMIT_MAX => Ok(limit),
        _ => Err(Problem::bad(&Complaint::of("limit", format!("must be from 1 to {LIMIT_MAX}")))),
    }
}
