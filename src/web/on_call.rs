//! On-call rotations over HTTP: who is on call, and who stands in for whom.
//!
//! Responders may change overrides, not only admins: people on call swap shifts among themselves every day, and each
//! swap is in the audit log.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::{Form, Json};

use super::auth::Caller;
use super::pages::on_call::{Refused, page};
use super::{Problem, Web, body};
use crate::service::on_call::{Changed, OnCall, OverrideRequest, OverrideView};

/// GET /api/v1/on-call
pub async fn list(State(web): State<Arc<Web>>, caller: Caller) -> Result<Json<OnCall>, Problem> {
    Ok(Json(web.service.on_call(&caller.scope).await?))
}

/// POST /api/v1/on-call
pub async fn add(
    State(web): State<Arc<Web>>,
    caller: Caller,
    body: Bytes,
) -> Result<(StatusCode, Json<OverrideView>), Problem> {
    let request = body::required(&body)?;
    Ok((StatusCode::CREATED, Json(stand_in(&web, &caller, &request).await?)))
}

/// POST /on-call: the form of the page.
pub async fn submit(
    State(web): State<Arc<Web>>,
    caller: Caller,
    Form(request): Form<OverrideRequest>,
) -> Result<Response, Problem> {
    match stand_in(&web, &caller, &request).await {
        Ok(_) => Ok(Redirect::to("/on-call").into_response()),
        Err(problem) if problem.status().is_client_error() && !problem.is_unauthorized() => {
            let refused = Refused { complaint: problem.detail().to_owned(), request };
            Ok((problem.status(), page(&web, &caller, Some(&refused)).await?).into_response())
        }
        Err(problem) => Err(problem),
    }
}

/// DELETE /api/v1/on-call/{id}
pub async fn remove(
    State(web): State<Arc<Web>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    take_back(&web, &caller, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// POST /on-call/{id}/remove: the button of the page, where a form can send nothing but a POST.
pub async fn submit_removal(
    State(web): State<Arc<Web>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    take_back(&web, &caller, &id).await?;
    Ok(Redirect::to("/on-call").into_response())
}

async fn stand_in(web: &Web, caller: &Caller, request: &OverrideRequest) -> Result<OverrideView, Problem> {
    done(web.service.add_override(&caller.scope, request, caller.author()).await?, "rotation")
}

async fn take_back(web: &Web, caller: &Caller, id: &str) -> Result<(), Problem> {
    done(web.service.remove_override(&caller.scope, id, caller.author()).await?, "override")
}

fn done<T>(changed: Changed<T>, what: &str) -> Result<T, Problem> {
    match changed {
        Changed::Done(value) => Ok(value),
        Changed::NoSuch => Err(Problem::not_found(what)),
        Changed::Shared => Err(Problem::new(
            StatusCode::FORBIDDEN,
            "this rotation is shared by all tenants; use a token made without `--tenant`",
        )),
    }
}
