//! Personal rules, over the API and by the form of their page.
//!
//! Responders may change them, not only admins: they decide how a person hears of alerts, never whether an alert goes
//! on to the next step.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};

use super::api::Within;
use super::auth::Caller;
use super::fields::Fields;
use super::pages::people::{Refused, person_page};
use super::{Problem, Web, body};
use crate::config::raw_personal_rules::{MOST_RULES, RawPersonalRule, RawPersonalRules};
use crate::service::on_call::Changed;
use crate::service::people::{PeoplePage, PeopleQuery, PersonView};

/// GET /api/v1/people
pub async fn list(
    State(web): State<Arc<Web>>,
    caller: Caller,
    Query(query): Query<PeopleQuery>,
) -> Result<Json<PeoplePage>, Problem> {
    Ok(Json(web.service.people((&caller.scope, &caller.sees), &query).await?))
}

/// GET /api/v1/people/{id}
pub async fn one(
    State(web): State<Arc<Web>>,
    caller: Caller,
    Path(id): Path<String>,
    _: Query<Within>,
) -> Result<Json<PersonView>, Problem> {
    web.service.person((&caller.scope, &caller.sees), &id).await?.map(Json).ok_or_else(|| Problem::not_found("person"))
}

/// POST /api/v1/people/{id}/rules
pub async fn set(
    State(web): State<Arc<Web>>,
    caller: Caller,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Json<PersonView>, Problem> {
    changed(&web, &caller, &id, Some(&body::required(&body)?)).await.map(Json)
}

/// DELETE /api/v1/people/{id}/rules
pub async fn clear(State(web): State<Arc<Web>>, caller: Caller, Path(id): Path<String>) -> Result<StatusCode, Problem> {
    changed(&web, &caller, &id, None).await.map(|_| StatusCode::NO_CONTENT)
}

/// POST /people/{id}: the form of the page.
pub async fn submit(
    State(web): State<Arc<Web>>,
    caller: Caller,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Response, Problem> {
    let fields = Fields::of(&body, is_known)?;
    let asked = asked(&fields);
    let done = match unclear(&fields) {
        Some(complaint) => Err(Problem::new(StatusCode::BAD_REQUEST, complaint)),
        None => changed(&web, &caller, &id, Some(&asked)).await,
    };
    match done {
        Ok(_) => Ok(Redirect::to("/people").into_response()),
        Err(problem) if problem.status() == StatusCode::BAD_REQUEST => {
            let refused = Refused { asked, complaint: problem.detail().to_owned() };
            Ok((problem.status(), person_page(&web, &caller, &id, Some(&refused)).await?).into_response())
        }
        Err(problem) => Err(problem),
    }
}

/// POST /people/{id}/clear: the button of the page.
pub async fn submit_clear(
    State(web): State<Arc<Web>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Redirect, Problem> {
    changed(&web, &caller, &id, None).await.map(|_| Redirect::to("/people"))
}

async fn changed(web: &Web, caller: &Caller, id: &str, ask: Option<&RawPersonalRules>) -> Result<PersonView, Problem> {
    match web.service.set_personal_rules((&caller.scope, &caller.sees), id, ask, caller.author()).await? {
        Changed::Done(view) => Ok(view),
        Changed::NoSuch => Err(Problem::not_found("person with rules of their own")),
        Changed::Shared => Err(Problem::new(
            StatusCode::FORBIDDEN,
            "this person works for other tenants as well; use a token made without `--tenant`",
        )),
    }
}

/// Reads the rules in the form, whose fields are called `rule0.tell`, `rule0.stages` and so on.
fn asked(fields: &Fields) -> RawPersonalRules {
    let rules = (0..MOST_RULES).filter_map(|number| {
        let field = |name: &str| format!("rule{number}.{name}");
        let tell = fields.text(&field("tell"))?;
        Some(RawPersonalRule {
            stages: fields.all(&field("stages")),
            from: fields.text(&field("from")),
            until: fields.text(&field("until")),
            days: Some(fields.all(&field("days"))).filter(|days| !days.is_empty()),
            channels: if tell == "nothing" { Vec::new() } else { fields.all(&field("channels")) },
        })
    });
    RawPersonalRules {
        timezone: fields.text("timezone"),
        channels: fields.all("channels"),
        digest_at: fields.text("digest_at"),
        rules: rules.collect(),
    }
}

/// Whether the form has a field of that name.
fn is_known(name: &str) -> bool {
    match name.strip_prefix("rule").and_then(|rest| rest.split_once('.')) {
        Some((number, field)) => {
            let is_rule = number.parse::<usize>().is_ok_and(|number| number < MOST_RULES);
            is_rule && ["tell", "stages", "from", "until", "days", "channels"].contains(&field)
        }
        None => ["timezone", "channels", "digest_at"].contains(&name),
    }
}

/// Complains of a rule that should tell by channels but names none: it would be read as one that tells nothing.
fn unclear(fields: &Fields) -> Option<String> {
    let names_none = |number: &usize| {
        let tells = fields.text(&format!("rule{number}.tell")).is_some_and(|tell| tell == "by");
        tells && fields.all(&format!("rule{number}.channels")).is_empty()
    };
    let number = (0..MOST_RULES).find(names_none)?;
    Some(format!("rule {} names no channel: tick one, or choose \"tell nothing\"", number + 1))
}
