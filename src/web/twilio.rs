//! The webhooks for Twilio: reports on messages and calls, replies, and keys that were pressed.
//!
//! A call is trusted only for its signature. Without one it is refused before anything is read or written for it.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use maud::html;
use url::form_urlencoded;

use super::{Problem, Web};
use crate::answers::{Answers, Hook};
use crate::notify::sms::signature::HEADER;

type Form = Vec<(String, String)>;

/// POST /hooks/twilio/status: what became of a message or a call.
pub async fn status(
    State(web): State<Arc<Web>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Result<StatusCode, Problem> {
    let (answers, form) = genuine(&web, Hook::Status, query.as_deref(), &headers, &body)?;
    if let Some(notification) = notification(query.as_deref()) {
        answers.report(&notification, &form).await?;
    }
    Ok(StatusCode::NO_CONTENT)
}

/// POST /hooks/twilio/sms: what somebody replied. The answer goes to that phone.
pub async fn reply(
    State(web): State<Arc<Web>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let (answers, form) = genuine(&web, Hook::Reply, query.as_deref(), &headers, &body)?;
    let answer = answers.reply(&form).await?;
    Ok(([(CONTENT_TYPE, "text/xml; charset=utf-8")], twiml(answer.as_deref())).into_response())
}

/// POST /hooks/twilio/voice: which key somebody pressed during a call. The answer is what it says next.
pub async fn key(
    State(web): State<Arc<Web>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let (answers, form) = genuine(&web, Hook::Voice, query.as_deref(), &headers, &body)?;
    let notification = notification(query.as_deref()).unwrap_or_default();
    let twiml = answers.key(&notification, &form).await?;
    Ok(([(CONTENT_TYPE, "text/xml; charset=utf-8")], twiml).into_response())
}

/// Returns the notification that a hook call is about: we wrote it into the address that Twilio calls.
fn notification(query: Option<&str>) -> Option<String> {
    let mut query = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    query.find(|(name, _)| name == "n").map(|(_, key)| key.into_owned())
}

/// Returns the form if Twilio signed it.
fn genuine<'w>(
    web: &'w Web,
    hook: Hook,
    query: Option<&str>,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<(&'w Answers, Form), Problem> {
    let answers = web.options.answers.as_ref().filter(|answers| answers.hooks_are_on());
    let answers = answers.ok_or_else(|| {
        Problem::not_found(
            "hook; it needs `server.public_url`, and the account's auth token in [notify.sms] or [notify.voice]",
        )
    })?;
    let form: Form = form_urlencoded::parse(body).into_owned().collect();
    let signature = headers.get(HEADER).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !answers.is_genuine(hook, query, &form, signature) {
        // Counted as forged. Anybody can send these, so they are not logged one by one.
        tracing::debug!("a call of a Twilio hook does not fit `server.public_url` and the auth token");
        return Err(Problem::new(StatusCode::FORBIDDEN, "this request was not signed by Twilio"));
    }
    Ok((answers, form))
}

/// Renders the answer as TwiML: one message, or none.
fn twiml(answer: Option<&str>) -> String {
    // maud escapes text, and writes both names as they are.
    let message = answer.map(|answer| html! { (answer) }.into_string());
    let message = message.map(|text| format!("<Message>{text}</Message>")).unwrap_or_default();
    format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response>{message}</Response>")
}

#[cfg(test)]
mod tests {
    use super::twiml;

    #[test]
    fn an_answer_is_escaped_and_no_answer_is_an_empty_one() {
        assert_eq!(twiml(None), "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response></Response>");
        let hostile = twiml(Some("a < b & \"c\"</Message><Redirect>"));
        assert!(
            hostile.ends_with(
                "<Message>a &lt; b &amp; &quot;c&quot;&lt;/Message&gt;&lt;Redirect&gt;</Message></Response>"
            ),
            "{hostile}"
        );
    }
}
