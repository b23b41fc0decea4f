//! Where all that was said of an alert was refused and no step is left, it is said again after a while.

use chrono::{DateTime, Utc};
use tracing::error;

use super::json;
use super::withdraw::STAGE;
use crate::store::acts::numbered;
use crate::store::alerts::{alert_row, rewrite};
use crate::store::sql::{self, AssertSqlSafe, Connection};

/// Has those of `alerts` start over of whose stage nobody was told, or is about to be. True if there is one.
pub(super) async fn start_over(tx: &mut Connection, alerts: &[String], now: DateTime<Utc>) -> Result<bool, sql::Error> {
    let untold = format!(
        "SELECT * FROM alerts a WHERE key IN (SELECT value FROM json_each($1)) AND state = 'open' AND told = 1
         AND next_step_at IS NULL AND NOT EXISTS (SELECT 1 FROM notifications n WHERE n.alert_key = a.key
           AND n.kind = 'alert' AND n.stage = {STAGE} AND n.state IN ('pending', 'sending', 'bundled', 'sent'))"
    );
    let rows = sql::query(AssertSqlSafe(untold)).bind(json(&alerts)).fetch_all(&mut *tx).await?;
    let mut any = false;
    // One that cannot be read is set aside by whoever reads all of them.
    for again in rows.iter().filter_map(|row| alert_row(row).ok()?.started_over(now)) {
        let alert = numbered(tx, again).await?;
        rewrite(tx, &alert).await?;
        let (key, minutes) = (&alert.key, alert.next_step_at.map_or(0, |at| (at - now).num_minutes()));
        error!(tenant = %key.tenant, ticket.id = %key.subject, alert.id = %key.id(),
            "nobody was told of alert {}: all that was sent was refused, for the reasons in the lines before, and no step is \
             left; it is sent again in {minutes} minutes", key.id());
        any = true;
    }
    Ok(any)
}
