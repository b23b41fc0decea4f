//! The texts that answer a reply: each is one text message of one segment.

use chrono::{DateTime, Utc};

use crate::alert::life::{Act, HoldKind, State};
use crate::notify::{Message, counted, render};
use crate::store::alerts::AlertRow;

/// Explains what can be replied.
pub fn help() -> String {
    "Reply ACK for your latest alert, or the code in a message: 1a to ack, 1c to stop alerts. STOP ends text \
     messages, START resumes them."
        .to_owned()
}

/// Says that no alert has that code on this phone.
pub fn no_such_code(code: Option<u8>) -> String {
    match code {
        Some(code) => format!("No alert has the code {code} on this phone. Reply with a code from a message, like 1a."),
        None => "No alert was sent to this phone, so there is nothing to acknowledge.".to_owned(),
    }
}

/// Says that the alert no longer exists.
pub fn unknown_alert() -> String {
    "That alert is not known any more.".to_owned()
}

/// Says what has just been done to `alert`, the alert of `message`.
pub fn done(alert: &AlertRow, message: &Message, now: DateTime<Utc>) -> String {
    let about = about(message);
    match alert.state() {
        State::Resolved => format!("Alerts stopped: {about}. You hear no more unless it gets worse."),
        _ => format!("Acknowledged: {about}. {}.", paused(std::slice::from_ref(alert), message, now)),
    }
}

/// Says until when `alerts`, just acknowledged, rest: `Escalation paused until 15:02 London`.
pub fn paused(alerts: &[AlertRow], message: &Message, now: DateTime<Utc>) -> String {
    match alerts.iter().filter_map(|alert| alert.life.held()?.until).min() {
        Some(until) => format!("Escalation paused until {}", render::time(message, until, now)),
        None => "Escalation paused until the breach".to_owned(),
    }
}

/// Says what has just been done to the `changed` alerts of one message.
pub fn all_done(act: Act, changed: usize) -> String {
    match (act, changed) {
        (_, 0) => "Nothing was changed: they were acknowledged before, or have ended.".to_owned(),
        (Act::Resolve, _) => format!("Stopped: {}. You hear no more unless it gets worse.", counted(changed, "alert")),
        _ => format!("Acknowledged: {}. Escalation paused.", counted(changed, "alert")),
    }
}

/// Says how `alert` stood already; nothing was changed.
pub fn was_so(alert: &AlertRow, message: &Message, now: DateTime<Utc>) -> String {
    let about = about(message);
    match alert.life.held() {
        _ if alert.raised.resolved_as.is_some() => format!("Already ended: {about}."),
        Some(hold) => {
            let word = if hold.kind == HoldKind::Acknowledged { "acknowledged" } else { "snoozed" };
            format!("Already {word} by {} at {}: {about}.", hold.by, render::time(message, hold.at, now))
        }
        None => format!("Nothing was changed: {about}."),
    }
}

fn about(message: &Message) -> String {
    render::about(message).unwrap_or_else(|| "the alert".to_owned())
}
