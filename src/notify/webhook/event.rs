//! The JSON that a webhook receives: versioned, documented, and under 20 kB.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::alert::Stage;
use crate::keys::id_of;
use crate::notify::{
    AcknowledgedFacts, AlertFacts, Body, DigestFacts, DigestRow, Message, RecoveryFacts, StaleFacts, TicketFacts,
    WorkingTime, render,
};

/// The version of the format. It rises when a field changes its meaning or is removed, not when one is added.
const VERSION: u32 = 1;
/// The room for the rows of a digest, so that the whole stays under 20 kB.
const ROWS_BYTES: usize = 18_000;

/// Returns `message` as it goes over the wire.
pub(super) fn body(message: &Message, now: DateTime<Utc>) -> Vec<u8> {
    let (kind, data) = match &message.body {
        Body::Alert(facts) => (alert_type(facts.stage), alert(facts, message, now)),
        Body::Recovery(facts) => ("sla.alert.resolved", recovery(facts, message)),
        Body::Acknowledged(facts) => ("sla.alert.acknowledged", acknowledged(facts, message)),
        Body::Digest(facts) => ("sla.digest", digest(facts, message, now)),
        // Only people get bundles, but a row written by an older version may still be one.
        Body::Bundle(_) => ("sla.digest", json!({ "text": render::brief(message, now) })),
        Body::Stale(facts) => (stale_type(facts), stale(facts)),
        // Reports and updates to subscribers go out by mail only.
        Body::Report(_) | Body::Update(_) => ("sla.report", json!({ "text": render::brief(message, now) })),
        Body::Test => ("sla.test", json!({ "text": "Somebody ran `superops-sla check --send-test webhook`." })),
    };
    let data = about_service(data, &message.body);
    let event = json!({ "type": kind, "version": VERSION, "timestamp": now, "data": data });
    event.to_string().into_bytes()
}

/// Returns `data` with the component in place of a ticket if it is about one; a component has no due time.
fn about_service(mut data: Value, body: &Body) -> Value {
    let ticket = match body {
        Body::Alert(facts) => &facts.ticket,
        Body::Recovery(facts) => &facts.ticket,
        Body::Acknowledged(facts) => &facts.ticket,
        _ => return data,
    };
    if let (Some(service), Some(fields)) = (&ticket.service, data.as_object_mut()) {
        fields.retain(|name, _| !["ticket", "due", "seconds_left", "working_seconds_left", "hours"].contains(&&**name));
        fields.insert("component".to_owned(), render::service_json(ticket, service));
    }
    data
}

fn alert_type(stage: Stage) -> &'static str {
    match stage {
        Stage::Predicted => "sla.alert.predicted",
        Stage::Warning => "sla.alert.warning",
        Stage::Breached => "sla.alert.breached",
    }
}

fn alert(facts: &AlertFacts, message: &Message, now: DateTime<Utc>) -> Value {
    let reasons: Vec<_> = facts.reasons.iter().take(8).map(|reason| render::line(reason, 200)).collect();
    json!({
        "alert_id": alert_id(message),
        "alert_key": message.alert_key(),
        "tenant": tenant(message),
        "clock": facts.clock,
        "stage": facts.stage,
        "due": facts.due,
        "seconds_left": (facts.due - now).num_seconds(),
        "working_seconds_left": working_left(facts.working.as_ref(), facts.due, now),
        "escalation_step": facts.step,
        "reasons": reasons,
        "hours": render::line(&facts.hours, 200),
        "ticket": ticket(&facts.ticket),
    })
}

fn recovery(facts: &RecoveryFacts, message: &Message) -> Value {
    json!({
        "alert_id": alert_id(message),
        "alert_key": message.alert_key(),
        "tenant": tenant(message),
        "clock": facts.clock,
        "due": facts.due,
        "closing": facts.closing.as_str(),
        "ended_at": facts.met_at,
        "ticket": ticket(&facts.ticket),
    })
}

fn acknowledged(facts: &AcknowledgedFacts, message: &Message) -> Value {
    json!({
        "alert_id": alert_id(message),
        "alert_key": message.alert_key(),
        "tenant": tenant(message),
        "clock": facts.clock,
        "stage": facts.stage,
        "due": facts.due,
        "by": render::line(&facts.by, 80),
        "at": facts.at,
        "until": facts.until,
        "ticket": ticket(&facts.ticket),
    })
}

fn stale_type(facts: &StaleFacts) -> &'static str {
    match (&facts.outpost, facts.fresh_at) {
        (None, None) => "sla.data.stale",
        (None, Some(_)) => "sla.data.fresh",
        (Some(_), None) => "sla.outpost.silent",
        (Some(_), Some(_)) => "sla.outpost.heard",
    }
}

fn stale(facts: &StaleFacts) -> Value {
    let mut data = json!({
        "tenant": facts.tenant,
        "since": facts.since,
        "reason": render::line(&facts.reason, 300),
        "advice": facts.advice.as_deref().map(|advice| render::line(advice, 300)),
        "fresh_at": facts.fresh_at,
    });
    if let Some(outpost) = &facts.outpost {
        data["outpost"] = render::line(outpost, 80).into();
    }
    data
}

fn digest(facts: &DigestFacts, message: &Message, now: DateTime<Utc>) -> Value {
    let mut room = ROWS_BYTES;
    let mut rows = Vec::new();
    for row in &facts.rows {
        let row = digest_row(row, now);
        let Some(left) = room.checked_sub(row.to_string().len() + 1) else { break };
        room = left;
        rows.push(row);
    }
    let more = facts.more as usize + facts.rows.len() - rows.len();
    json!({ "tenant": tenant(message), "rows": rows, "more": more })
}

/// Returns the seconds of working time left, counted as on the pages and in the API; negative once overdue.
fn working_left(working: Option<&WorkingTime>, due: DateTime<Utc>, now: DateTime<Utc>) -> i64 {
    working.map_or(due - now, |working| working.left(now)).num_seconds()
}

fn digest_row(row: &DigestRow, now: DateTime<Utc>) -> Value {
    let seconds_left = (row.due - now).num_seconds();
    json!({
        "clock": row.clock,
        "due": row.due,
        "seconds_left": seconds_left,
        "working_seconds_left": working_left(row.working.as_ref(), row.due, now),
        "ticket": ticket(&row.ticket),
    })
}

fn ticket(ticket: &TicketFacts) -> Value {
    let url = |url: &Option<String>| json!(url.as_deref().and_then(render::web_address));
    let mut shown = render::ticket_json(ticket);
    shown["id"] = render::line(&ticket.id, 80).into();
    shown["display_id"] = render::line(&ticket.display_id, 80).into();
    shown["superops_url"] = url(&ticket.superops_url);
    shown["page_url"] = url(&ticket.page_url);
    shown
}

/// Returns the id by which the API knows the alert.
fn alert_id(message: &Message) -> Option<String> {
    message.alert_key().map(id_of)
}

/// Returns the tenant, whose name begins every thread's.
fn tenant(message: &Message) -> &str {
    message.thread.split(':').next().unwrap_or_default()
}
