//! The digest of what was already past when the watch of a tenant began.
//!
//! Digests of several tenants for one person are bundled and sent as one message. If no channel takes it, each of its
//! alerts is told like any other.

use chrono::{DateTime, Utc};
use tracing::error;

use super::{Leased, json, leased, millis};
use crate::notify::{Body, DigestFacts, Message};
use crate::store::sql::{self, Connection};

/// Joins the digests among the members of the bundle of `key` into one for all tenants; none if there are none.
pub(super) async fn joined(tx: &mut Connection, key: &str) -> Result<Option<DigestFacts>, sql::Error> {
    let members = "SELECT message, key FROM notifications WHERE bundle = $1 AND state IN ('bundled', 'sent') AND kind = 'digest' ORDER BY key";
    let members = sql::query_scalar(members).bind(key);
    let members: Vec<String> = members.fetch_all(tx).await?;
    let digests: Vec<_> = members.iter().filter_map(|message| facts(message)).collect();
    Ok((!digests.is_empty()).then(|| DigestFacts::joined(digests)))
}

/// Reads what a digest tells; none if the message is something else or cannot be read.
fn facts(message: &str) -> Option<DigestFacts> {
    match serde_json::from_str::<Message>(message).ok()?.body {
        Body::Digest(facts) => Some(facts),
        _ => None,
    }
}

/// Returns the keys of the alerts that a digest tells of.
pub(super) fn alerts_of(message: &str) -> Vec<String> {
    facts(message).map(|facts| facts.alerts).unwrap_or_default()
}

/// After a refusal of the bundle of `key`, tells the alerts of digests without another channel like any other. True if
/// there are any.
pub(super) async fn tell_members(tx: &mut Connection, key: &str, now: DateTime<Utc>) -> Result<bool, sql::Error> {
    let refused = "SELECT * FROM notifications WHERE bundle = $1 AND kind = 'digest' AND state = 'failed'
                   AND fallback = '[]' ORDER BY key";
    let rows = sql::query(refused).bind(key).fetch_all(&mut *tx).await?;
    let mut any = false;
    for Leased { notification, .. } in rows.iter().filter_map(|row| leased(row).ok()) {
        if let Body::Digest(facts) = &notification.message.body {
            any |= tell_one_by_one(tx, &notification.alert_key, &facts.alerts, now).await?;
        }
    }
    Ok(any)
}

/// No channel has taken the `digest` of these alerts: those that no other of its messages covers become alerts like any
/// other. True if there are any.
pub(super) async fn tell_one_by_one(
    tx: &mut Connection,
    digest: &str,
    alerts: &[String],
    now: DateTime<Utc>,
) -> Result<bool, sql::Error> {
    let others = sql::query_scalar(
        "SELECT message, key FROM notifications
         WHERE alert_key = $1 AND kind = 'digest' AND state IN ('pending', 'sending', 'bundled', 'sent') ORDER BY key",
    );
    let others: Vec<String> = others.bind(digest).fetch_all(&mut *tx).await?;
    let told_by_others: Vec<String> = others.iter().flat_map(|message| alerts_of(message)).collect();
    let told = sql::query(
        "UPDATE alerts SET told = 1, step = 0, steps_from = $3, changed_at = $3, next_step_at = $3,
         generation = generation + 1
         WHERE key IN (SELECT value FROM json_each($1)) AND state = 'open' AND told = 0
         AND key NOT IN (SELECT value FROM json_each($2))",
    );
    let told =
        told.bind(json(&alerts)).bind(json(&told_by_others)).bind(millis(now)).execute(tx).await?.rows_affected();
    if told > 0 {
        error!(alerts = told, "the digest `{digest}` could not be delivered: its {told} alerts are told one by one");
    }
    Ok(told > 0)
}
