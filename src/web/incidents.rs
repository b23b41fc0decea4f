//! Incidents and announced maintenance over the API, and the forms of their pages.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};

use super::auth::Caller;
use super::fields::Fields;
use super::pages::incidents::{Form, Refused, list_page, one_page};
use super::pages::times::Times;
use super::{Problem, Web, body};
use crate::service::incidents::{IncidentOrder, IncidentQuery, IncidentView, SayingOrder, WorkOrder, WorkView};

/// GET /api/v1/incidents
pub async fn list(
    State(web): State<Arc<Web>>,
    caller: Caller,
    Query(query): Query<IncidentQuery>,
) -> Json<Vec<IncidentView>> {
    Json(web.service.incidents(&caller.scope, &query))
}

/// GET /api/v1/incidents/{id}
pub async fn one(
    State(web): State<Arc<Web>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<IncidentView>, Problem> {
    web.service.incident(&caller.scope, &id).map(Json).ok_or_else(|| Problem::not_found("incident"))
}

/// POST /api/v1/incidents
pub async fn open(
    State(web): State<Arc<Web>>,
    caller: Caller,
    body: Bytes,
) -> Result<(StatusCode, Json<IncidentView>), Problem> {
    let made = web.service.open_incident(&caller.scope, body::required(&body)?, caller.author()).await?;
    Ok((StatusCode::CREATED, Json(made)))
}

/// POST /api/v1/incidents/{id}/updates
pub async fn say(
    State(web): State<Arc<Web>>,
    caller: Caller,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Json<IncidentView>, Problem> {
    said(&web, &caller, &id, body::required(&body)?).await.map(Json)
}

/// GET /api/v1/uptime/maintenance
pub async fn works(State(web): State<Arc<Web>>, caller: Caller) -> Json<Vec<WorkView>> {
    Json(web.service.planned_work(&caller.scope))
}

/// POST /api/v1/uptime/maintenance
pub async fn announce(
    State(web): State<Arc<Web>>,
    caller: Caller,
    body: Bytes,
) -> Result<(StatusCode, Json<WorkView>), Problem> {
    let made = web.service.announce_work(&caller.scope, body::required(&body)?, caller.author()).await?;
    Ok((StatusCode::CREATED, Json(made)))
}

/// DELETE /api/v1/uptime/maintenance/{id}
pub async fn call_off(
    State(web): State<Arc<Web>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    called_off(&web, &caller, &id).await.map(|()| StatusCode::NO_CONTENT)
}

/// POST /incidents: the form of the page.
pub async fn submit(State(web): State<Arc<Web>>, caller: Caller, body: Bytes) -> Result<Response, Problem> {
    let known = ["title", "components", "impact", "text", "note", "public"];
    let fields = Fields::of(&body, |name| known.contains(&name))?;
    let order = IncidentOrder {
        title: fields.text("title").unwrap_or_default(),
        components: fields.all("components"),
        impact: fields.text("impact"),
        text: fields.text("text"),
        note: fields.text("note"),
        public: Some(fields.is_ticked("public")),
    };
    match web.service.open_incident(&caller.scope, order, caller.author()).await.map_err(Problem::from) {
        Ok(made) => Ok(Redirect::to(&caller.path(&format!("/incidents/{}", made.id))).into_response()),
        Err(problem) => {
            let complaint = complaint(problem)?;
            let how = Refused { form: Form::Incident, fields: &fields, complaint: &complaint };
            Ok((StatusCode::BAD_REQUEST, list_page(&web, &caller, Some(&how)).await?).into_response())
        }
    }
}

/// POST /incidents/{id}: the form of the page.
pub async fn submit_update(
    State(web): State<Arc<Web>>,
    caller: Caller,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Response, Problem> {
    let known = ["status", "text", "note", "title", "impact", "cause", "public"];
    let fields = Fields::of(&body, |name| known.contains(&name))?;
    let order = SayingOrder {
        status: fields.text("status"),
        text: fields.text("text"),
        note: fields.text("note"),
        title: fields.text("title"),
        impact: fields.text("impact"),
        cause: fields.text("cause"),
        public: Some(fields.is_ticked("public")),
    };
    match said(&web, &caller, &id, order).await {
        Ok(_) => Ok(Redirect::to(&caller.path(&format!("/incidents/{id}"))).into_response()),
        Err(problem) => {
            let complaint = complaint(problem)?;
            let how = Refused { form: Form::Saying, fields: &fields, complaint: &complaint };
            Ok((StatusCode::BAD_REQUEST, one_page(&web, &caller, &id, Some(&how)).await?).into_response())
        }
    }
}

/// POST /maintenance: the form of the page.
pub async fn submit_work(State(web): State<Arc<Web>>, caller: Caller, body: Bytes) -> Result<Response, Problem> {
    let known = ["title", "components", "text", "from", "until", "public"];
    let (fields, times) = (Fields::of(&body, |name| known.contains(&name))?, Times::of(&web, &caller).await?);
    let order = WorkOrder {
        title: fields.text("title").unwrap_or_default(),
        components: fields.all("components"),
        text: fields.text("text"),
        from: times.typed(fields.text("from").unwrap_or_default()),
        until: times.typed(fields.text("until").unwrap_or_default()),
        public: Some(fields.is_ticked("public")),
    };
    match web.service.announce_work(&caller.scope, order, caller.author()).await.map_err(Problem::from) {
        Ok(_) => Ok(Redirect::to(&caller.path("/incidents")).into_response()),
        Err(problem) => {
            let complaint = complaint(problem)?;
            let how = Refused { form: Form::Work, fields: &fields, complaint: &complaint };
            Ok((StatusCode::BAD_REQUEST, list_page(&web, &caller, Some(&how)).await?).into_response())
        }
    }
}

/// POST /maintenance/{id}/call-off: the button of the page.
pub async fn submit_call_off(
    State(web): State<Arc<Web>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Redirect, Problem> {
    called_off(&web, &caller, &id).await.map(|()| Redirect::to(&caller.path("/incidents")))
}

async fn said(web: &Web, caller: &Caller, id: &str, order: SayingOrder) -> Result<IncidentView, Problem> {
    let found = web.service.say_of_incident(&caller.scope, id, order, caller.author()).await?;
    found.ok_or_else(|| Problem::not_found("incident"))
}

async fn called_off(web: &Web, caller: &Caller, id: &str) -> Result<(), Problem> {
    let done = web.service.call_work_off(&caller.scope, id, caller.author()).await?;
    if done { Ok(()) } else { Err(Problem::not_found("maintenance")) }
}

/// Returns the complaint to show in a form; other problems are no fault of the form and stay errors.
fn complaint(problem: Problem) -> Result<String, Problem> {
    if problem.status() == StatusCode::BAD_REQUEST { Ok(as_the_form_says(problem.detail())) } else { Err(problem) }
}

/// Replaces the API's field names with the labels that a person sees.
fn as_the_form_says(complaint: &str) -> String {
    let labels = [
        ("say what it touches: `components`", "tick what it affects: at least one service"),
        (": `title`", ""),
        ("`text`", "“What everybody is told”"),
        ("`note`", "“Internal note”"),
        ("`cause`", "“Root cause”"),
        ("`from`", "“From”"),
        ("`until`", "“Until”"),
    ];
    labels.iter().fold(complaint.to_owned(), |text, (name, label)| text.replace(name, label))
}
