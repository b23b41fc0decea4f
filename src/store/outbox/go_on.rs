//! How an alert continues when its messages were refused: with its next step at once, or, if none is left and nobody
//! was told, with all steps again after a while. A breach also goes on when its messages only wait.

use chrono::{DateTime, TimeDelta, Utc};
use tracing::error;

use super::withdraw::STAGE;
use super::{json, millis};
use crate::store::acts::numbered;
use crate::store::alerts::{alert_row, rewrite};
use crate::store::sql::{self, AssertSqlSafe, Connection};

/// If nothing is to tell of a breach sooner than this, the next people are told of it now.
pub(super) const SOON: TimeDelta = TimeDelta::minutes(15);

/// Brings forward the step after that of each of the notifications `refused`, unless it has run already, or another
/// message of the same stage and step tells the same to a person: a webhook is none. True if there is a step to run.
pub(super) async fn go_on(
    tx: &mut Connection,
    refused: &[impl AsRef<str>],
    now: DateTime<Utc>,
) -> Result<bool, sql::Error> {
    let refused: Vec<&str> = refused.iter().map(AsRef::as_ref).collect();
    let hurried = sql::query(
        "UPDATE alerts SET next_step_at = $2, hurried = 1 WHERE state = 'open' AND next_step_at > $2 AND key IN (
           SELECT m.alert_key FROM notifications m WHERE m.key IN (SELECT value FROM json_each($1))
           AND alerts.step <= m.step + 1 AND NOT EXISTS (SELECT 1 FROM notifications n WHERE n.alert_key = m.alert_key
             AND n.stage = m.stage AND n.step = m.step AND n.channel <> 'webhook'
             AND n.state IN ('pending', 'sending', 'bundled', 'sent')))",
    );
    let hurried = hurried.bind(json(&refused)).bind(millis(now)).execute(&mut *tx).await?.rows_affected();
    let past_stuck = go_past_stuck(tx, &refused, now).await?;
    Ok(start_over(tx, &refused, now).await? || past_stuck || hurried > 0)
}

/// Brings forward the step after that of each breach told by the notifications `stuck`, or by the members of these,
/// unless it has run already, or something else of the same stage and step tells of it soon: not what was tried in vain,
/// waits for a channel that is out of order, or is held for long. True if there is a step to run.
pub(super) async fn go_past_stuck(tx: &mut Connection, stuck: &[&str], now: DateTime<Utc>) -> Result<bool, sql::Error> {
    let hurried = sql::query(
        "UPDATE alerts SET next_step_at = $2, hurried = 1 WHERE state = 'open' AND next_step_at > $2 AND key IN (
           SELECT m.alert_key FROM notifications m JOIN alerts a ON a.key = m.alert_key WHERE m.key IN (
             SELECT value FROM json_each($1)
             UNION ALL SELECT b.key FROM notifications b WHERE b.bundle IN (SELECT value FROM json_each($1)))
           AND m.stage LIKE 'breached%' AND m.state <> 'cancelled' AND a.step <= m.step + 1
           AND NOT EXISTS (SELECT 1 FROM notifications n WHERE n.alert_key = m.alert_key AND n.stage = m.stage
             AND n.step = m.step AND n.channel <> 'webhook' AND (n.state = 'sent' OR (n.state IN ('pending', 'sending', 'bundled')
               AND n.last_error IS NULL AND n.diverted_at IS NULL
               AND (n.state <> 'pending' OR n.due_at <= $3 OR n.held_by = 'pace')
               AND NOT EXISTS (SELECT 1 FROM notifications b WHERE b.key = n.bundle AND b.last_error IS NOT NULL)))))",
    );
    let hurried = hurried.bind(json(&stuck)).bind(millis(now)).bind(millis(now + SOON)).execute(tx).await?;
    Ok(hurried.rows_affected() > 0)
}

/// Restarts those alerts of the notifications `refused` whose stage nobody was told of or is about to be. True if there
/// is one.
async fn start_over(tx: &mut Connection, refused: &[&str], now: DateTime<Utc>) -> Result<bool, sql::Error> {
    let untold = format!(
        "SELECT * FROM alerts a WHERE key IN (SELECT m.alert_key FROM notifications m
           WHERE m.key IN (SELECT value FROM json_each($1))) AND state = 'open' AND told = 1 AND next_step_at IS NULL
         AND NOT EXISTS (SELECT 1 FROM notifications n WHERE n.alert_key = a.key
           AND n.kind = 'alert' AND n.stage = {STAGE} AND n.state IN ('pending', 'sending', 'bundled', 'sent'))"
    );
    let rows = sql::query(AssertSqlSafe(untold)).bind(json(&refused)).fetch_all(&mut *tx).await?;
    let mut any = false;
    // One that cannot be read is set aside when all alerts are read.
    for again in rows.iter().filter_map(|row| alert_row(row).ok()?.started_over(now)) {
        let alert = numbered(tx, again).await?;
        rewrite(tx, &alert).await?;
        let (key, minutes) = (&alert.key, alert.next_step_at.map_or(0, |at| (at - now).num_minutes()));
        error!(tenant = %key.tenant, ticket.id = %key.subject, alert.id = %key.id(),
            "nobody was told of alert {}: everything sent was refused, for the reasons in the lines above, and no step \
             is left; it is sent again in {minutes} minutes", key.id());
        any = true;
    }
    Ok(any)
}
