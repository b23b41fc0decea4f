//! Looks for the message that replaces a refused one on another channel.

use super::NewNotification;
use crate::alert::escalation::ChannelKind;
use crate::store::sql::{self, Connection};

/// Returns the state of the message that says the same as `refused` on `channel`, sent because another channel refused
/// too; none if there is no such message.
pub(super) async fn said_instead(
    tx: &mut Connection,
    refused: &NewNotification,
    channel: ChannelKind,
) -> Result<Option<String>, sql::Error> {
    if refused.kind != "alert" {
        return Ok(None);
    }
    sql::query_scalar(
        "SELECT n.state FROM notifications r JOIN notifications n ON n.alert_key = r.alert_key AND n.stage = r.stage
         AND n.step = r.step AND n.recipient = r.recipient AND n.created_at >= r.created_at
         WHERE r.key = $1 AND n.key <> r.key AND n.kind = 'alert' AND n.channel = $2 AND n.state <> 'cancelled' LIMIT 1",
    )
    .bind(&refused.message.key)
    .bind(channel.as_str())
    .fetch_optional(tx)
    .await
}
