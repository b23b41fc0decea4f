//! Uptime statements and their credits over the API, and the buttons of their page.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Redirect, Response};
use axum::{Form, Json};

use super::auth::Caller;
use super::{Problem, Web, body};
use crate::formats::Format;
use crate::service::Complaint;
use crate::service::statements::{CreditOrder, StatementFileQuery, StatementQuery, StatementView};

/// GET /api/v1/uptime/statements
pub async fn list(
    State(web): State<Arc<Web>>,
    caller: Caller,
    Query(query): Query<StatementQuery>,
) -> Result<Json<Vec<StatementView>>, Problem> {
    Ok(Json(web.service.statements(&caller.scope, &query).await?))
}

/// GET /api/v1/uptime/statements/{id}
pub async fn file(
    State(web): State<Arc<Web>>,
    caller: Caller,
    Path(id): Path<String>,
    Query(query): Query<StatementFileQuery>,
) -> Result<Response, Problem> {
    let format = query.format.as_deref().unwrap_or("json").parse::<Format>();
    let format = format.map_err(|unknown| Problem::bad(&Complaint::about("format", unknown.to_string())))?;
    let file = web.service.statement_file(&caller.scope, &id, format, query.table).await?;
    let file = file.ok_or_else(|| Problem::not_found("statement"))?;
    let heads = [(CONTENT_TYPE, file.content_type.to_owned()), (CONTENT_DISPOSITION, file.disposition)];
    Ok((heads, file.bytes).into_response())
}

/// POST /api/v1/uptime/statements/{id}/credit
pub async fn decide(
    State(web): State<Arc<Web>>,
    caller: Caller,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Json<StatementView>, Problem> {
    decided(&web, &caller, &id, body::required(&body)?).await.map(Json)
}

/// POST /statements/{id}/credit: the buttons of the page.
pub async fn submit(
    State(web): State<Arc<Web>>,
    caller: Caller,
    Path(id): Path<String>,
    Form(order): Form<CreditOrder>,
) -> Result<Redirect, Problem> {
    decided(&web, &caller, &id, order).await.map(|_| Redirect::to("/statements"))
}

async fn decided(web: &Web, caller: &Caller, id: &str, order: CreditOrder) -> Result<StatementView, Problem> {
    let found = web.service.decide_credit(&caller.scope, id, order, caller.author()).await?;
    found.ok_or_else(|| Problem::not_found("statement"))
}
