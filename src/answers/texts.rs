//! What a reply is answered with: one text message, one segment.

use chrono::{DateTime, Utc};

use crate::alert::life::{Act, HoldKind, State};
use crate::notify::{Message, render};
use crate::store::alerts::AlertRow;

/// What can be replied.
pub fn help() -> String {
    "Reply ACK for your latest alert, or the code in a message: 1a to ack, 1c to close. STOP ends text messages, START \
     resumes them."
        .to_owned()
}

/// No alert goes by that code on this phone.
pub fn no_such_code(code: Option<u8>) -> String {
    match code {
        Some(code) => format!("No alert has the code {code} on this phone. Reply with a code from a message, like 1a."),
        None => "No alert was sent to this phone, so there is nothing to acknowledge.".to_owned(),
    }
}

/// The alert is gone.
pub fn unknown_alert() -> String {
    "That alert is not known any more.".to_owned()
}

/// What has just been done to `alert`, of which `message` told.
pub fn done(alert: &AlertRow, message: &Message) -> String {
    let about = about(message);
    match alert.state() {
        State::Resolved => format!("Closed: {about}. You hear no more of it unless it gets worse."),
        _ => format!("Acknowledged: {about}. Nobody else is told for now."),
    }
}

/// What has just been done to `changed` alerts that one message told of.
pub fn all_done(act: Act, changed: usize) -> String {
    match (act, changed) {
        (_, 0) => "Nothing was changed: somebody took them all on before, or they are over.".to_owned(),
        (Act::Resolve, _) => format!("Closed: {changed} alerts. You hear no more of them unless they get worse."),
        _ => format!("Acknowledged: {changed} alerts. Nobody else is told of them for now."),
    }
}

/// How `alert` stood before: nothing was changed.
pub fn was_so(alert: &AlertRow, message: &Message, now: DateTime<Utc>) -> String {
    let about = about(message);
    match alert.life.held() {
        _ if alert.raised.resolved_as.is_some() => format!("It is over already: {about}."),
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
