//! The webhooks for PagerDuty and Slack: somebody acknowledged an alert there.
//!
//! As with Twilio, a call is trusted only for its signature, which covers the raw body.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};

use super::{Problem, Web};
use crate::answers::signatures::{PAGERDUTY_HEADER, SLACK_HEADER, SLACK_TIME_HEADER};
use crate::answers::{Answers, Hook};

/// POST /hooks/pagerduty
pub async fn pagerduty(State(web): State<Arc<Web>>, headers: HeaderMap, body: Bytes) -> Result<StatusCode, Problem> {
    let answers = switched_on(&web, Hook::PagerDuty, "`webhook_secret_env` in [notify.pagerduty]")?;
    let is_genuine = answers.pagerduty(header(&headers, PAGERDUTY_HEADER), &body).await?;
    accepted(is_genuine, "PagerDuty")
}

/// POST /hooks/slack
pub async fn slack(State(web): State<Arc<Web>>, headers: HeaderMap, body: Bytes) -> Result<StatusCode, Problem> {
    let answers = switched_on(&web, Hook::Slack, "`signing_secret_env` in [notify.slack]")?;
    let (signature, sent) = (header(&headers, SLACK_HEADER), header(&headers, SLACK_TIME_HEADER));
    accepted(answers.slack(signature, sent, &body).await?, "Slack")
}

fn switched_on<'w>(web: &'w Web, hook: Hook, needed: &str) -> Result<&'w Answers, Problem> {
    let answers = web.options.answers.as_ref().filter(|answers| answers.hook_is_on(hook));
    answers.ok_or_else(|| Problem::not_found(&format!("hook; it needs {needed}")))
}

fn header<'h>(headers: &'h HeaderMap, name: &str) -> &'h str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// Slack understands an empty 200 as accepted.
fn accepted(is_genuine: bool, sender: &str) -> Result<StatusCode, Problem> {
    if is_genuine {
        return Ok(StatusCode::OK);
    }
    Err(Problem::new(StatusCode::FORBIDDEN, format!("this request was not signed by {sender}, or too long ago")))
}
