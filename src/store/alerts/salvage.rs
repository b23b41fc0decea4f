//! Saves what can still be read of an alert whose row is damaged.
//!
//! Lost values are replaced so that people are told once too often rather than never; the episode keeps them from being
//! told the same again, and a hold on the alert stays.

use chrono::{DateTime, TimeDelta, Utc};

use super::instant;
use crate::alert::life::{ACK_EXPIRES, AlertRow, Hold, HoldKind, How, Life};
use crate::alert::{AlertKey, AlertKind, Closing, Raised, Stage};
use crate::store::sql::{self, Row};
use crate::ticket::TenantId;

/// Returns what can still be read of an alert's row; `said` is the stage that its last message told, as stored with
/// notifications. None if it is unknown which alert it is.
pub fn salvaged(row: &Row, said: Option<&str>) -> Option<AlertRow> {
    let found = Found(row);
    let (said_stage, said_episode) = said.map(told_stage).unwrap_or_default();
    let state: Option<String> = found.get("state");
    let resolved_as = found.text("resolved_as").and_then(|text| Closing::parse(&text));
    // An alert that ended for an unknown reason is quietly reopened if its danger lasts.
    let resolved_as = resolved_as.or((state.as_deref() == Some("resolved")).then_some(Closing::Paused));
    let some_time = ["changed_at", "raised_at", "due"].into_iter().find_map(|column| found.time(column));
    let some_time = some_time.unwrap_or_default();
    let raised_at = found.time("raised_at").unwrap_or(some_time);
    let next_step_at = found.time("next_step_at").or((!found.is_null("next_step_at")).then_some(some_time));
    Some(AlertRow {
        key: key(&found)?,
        raised: Raised {
            stage: found.text("stage").and_then(|text| stage(&text)).or(said_stage).unwrap_or(Stage::Predicted),
            due: found.time("due").unwrap_or(raised_at),
            target: found.get("target").and_then(TimeDelta::try_milliseconds),
            episode: found.small("episode").unwrap_or(said_episode),
            resolved_as,
        },
        reason: found.text("reason").unwrap_or_else(|| "why it was raised cannot be read any more".to_owned()),
        raised_at,
        steps_from: found.time("steps_from").unwrap_or(raised_at),
        changed_at: some_time,
        step: found.small("step").unwrap_or_default(),
        next_step_at: next_step_at.filter(|_| resolved_as.is_none()),
        generation: found.small("generation").unwrap_or_default() + 1,
        told: found.get::<i64>("told") != Some(0),
        escalation: found.text("escalation").unwrap_or_default(),
        ack_expires: found.get("ack_expires").and_then(TimeDelta::try_milliseconds).unwrap_or(ACK_EXPIRES),
        asked: found.text("asked").and_then(|text| serde_json::from_str(&text).ok()),
        covered_until: found.time("covered_until"),
        life: Life {
            hold: hold(&found),
            again: found.get::<i64>("again") == Some(1),
            hurried: found.get::<i64>("hurried") == Some(1),
            acts: found.get("acts").unwrap_or_default(),
        },
    })
}

/// Reads the columns of a row one by one.
struct Found<'r>(&'r Row);

impl Found<'_> {
    fn get<T: sql::ForAny>(&self, column: &str) -> Option<T> {
        self.0.try_get::<Option<T>, _>(column).ok().flatten()
    }

    fn is_null(&self, column: &str) -> bool {
        self.0.is_null(column).unwrap_or_default()
    }

    fn text(&self, column: &str) -> Option<String> {
        self.get(column)
    }

    fn small(&self, column: &str) -> Option<u32> {
        self.get::<i64>(column).and_then(|number| u32::try_from(number).ok())
    }

    fn time(&self, column: &str) -> Option<DateTime<Utc>> {
        self.get(column).and_then(|millis| instant(millis).ok())
    }
}

fn key(found: &Found<'_>) -> Option<AlertKey> {
    let kind = AlertKind::parse(&found.text("clock")?)?;
    let key = AlertKey {
        tenant: TenantId::parse(&found.text("tenant")?).ok()?,
        subject: kind.subject(&found.text("ticket_id")?)?,
        kind,
        cycle: found.small("cycle")?,
    };
    // If they disagree, the row belongs to another alert.
    (found.text("key")? == key.to_string()).then_some(key)
}

fn stage(text: &str) -> Option<Stage> {
    [Stage::Predicted, Stage::Warning, Stage::Breached].into_iter().find(|known| known.as_str() == text)
}

/// `breached/2` is the breach of episode 2.
fn told_stage(text: &str) -> (Option<Stage>, u32) {
    let (name, episode) = text.split_once('/').unwrap_or((text, "0"));
    (stage(name), episode.parse().unwrap_or_default())
}

fn hold(found: &Found<'_>) -> Option<Hold> {
    let at = found.time("acked_at")?;
    let snoozed_until = found.time("snoozed_until");
    Some(Hold {
        kind: if snoozed_until.is_some() { HoldKind::Snoozed } else { HoldKind::Acknowledged },
        by: found.text("acked_by").unwrap_or_else(|| "somebody".to_owned()),
        how: found.text("acked_how").and_then(|text| How::parse(&text)).unwrap_or(How::Page),
        at,
        until: snoozed_until.or(found.time("ack_until")),
        over: found.get::<i64>("hold_over") == Some(1),
    })
}
