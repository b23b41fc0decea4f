//! One message that replaces many.
//!
//! A bundle is itself a notification, named after its members, so that a repeat is recognized. Its contents are put
//! together when it is leased, from the members that still hold; without any, it is not sent. Members share the outcome
//! of their bundle: they are sent with it, and when it is refused each moves on as if refused itself.
//!
//! The digests of several tenants for one person are a bundle as well, see [`digest`].

use std::collections::HashSet;

use chrono::{DateTime, TimeDelta, Utc};

use super::go_on::go_on;
use super::instead::said_instead;
use super::withdraw::VOID;
use super::{Leased, NewNotification, ROWS_A_STATEMENT, digest, enqueue, json, leased, millis, notification_key};
use crate::alert::Stage;
use crate::alert::noise::place;
use crate::notify::{AlertFacts, Body, BundleFacts, BundleRow, Message};
use crate::store::sealed::{LAST_ERROR, MESSAGE};
use crate::store::sql::{self, Connection};

/// The most rows listed: nobody reads a longer list; the rest is given as a number.
const MOST_ROWS: i64 = 100;
/// What came up within this time came up at about the same time.
const TOGETHER: TimeDelta = TimeDelta::minutes(5);
/// The members that a bundle still stands for: one that was sent may turn out to have been lost.
const MEMBERS: &str = "bundle = $1 AND state IN ('bundled', 'sent')";

/// Makes one message of `rows`, given with their ranks, the earliest of which was due at `due`. Returns its key; none
/// if a row cannot be read.
pub(super) async fn form(
    tx: &mut Connection,
    rows: &[(String, u8)],
    due: i64,
    now: DateTime<Utc>,
) -> Result<Option<String>, sql::Error> {
    let first = sql::query("SELECT * FROM notifications WHERE key = $1").bind(&rows[0].0).fetch_one(&mut *tx).await?;
    let Ok(Leased { notification: first, .. }) = leased(&first) else { return Ok(None) };
    let mut names: Vec<&str> = rows.iter().map(|(key, _)| key.as_str()).collect();
    names.sort_unstable();
    let key = notification_key(&names);
    let thread = format!("{}:bundle:{key}", first.tenant);
    let body = Body::Bundle(BundleFacts::default());
    // Alone, each tells its own local times; a bundle uses the reader's time zone.
    let timezone = first.reader.zone.unwrap_or(first.message.timezone);
    let message =
        Message { key: key.clone(), thread: thread.clone(), continues_thread: false, timezone, body, ..first.message };
    let bundle = NewNotification {
        alert_key: thread,
        ticket_id: None,
        kind: "bundle",
        stage: "bundle".to_owned(),
        step: 0,
        fallback: Vec::new(),
        message,
        due_at: DateTime::from_timestamp_millis(due).unwrap_or(now),
        created_at: now,
        ..first
    };
    enqueue(tx, &[bundle]).await?;
    sql::query(
        "UPDATE notifications SET state = 'bundled', bundle = $1, released_at = $2, rank = CAST(said.value ->> 1 AS BIGINT)
         FROM json_each($3) AS said WHERE notifications.key = said.value ->> 0",
    )
    .bind(&key)
    .bind(millis(now))
    .bind(json(&rows))
    .execute(tx)
    .await?;
    Ok(Some(key))
}

/// Rewrites the bundle of `key` from the members that still hold. If none does, withdraws it and returns false.
pub(super) async fn word(tx: &mut Connection, key: &str, now: DateTime<Utc>) -> Result<bool, sql::Error> {
    leave_out_void(tx, key, now).await?;
    let body = match digest::joined(tx, key).await? {
        Some(digest) => Body::Digest(digest),
        None => Body::Bundle(facts(tx, key).await?),
    };
    if matches!(&body, Body::Bundle(facts) if facts.rows.is_empty() && facts.more == 0) {
        let withdraw = sql::query("UPDATE notifications SET state = 'cancelled', done_at = $2 WHERE key = $1");
        withdraw.bind(key).bind(millis(now)).execute(tx).await?;
        return Ok(false);
    }
    let before = sql::query_scalar("SELECT message, key FROM notifications WHERE key = $1");
    let before: String = before.bind(key).fetch_one(&mut *tx).await?;
    // One that cannot be read is found when it is leased.
    if let Ok(message) = serde_json::from_str::<Message>(&before) {
        let say = sql::query("UPDATE notifications SET message = $2 WHERE key = $1").bind(key);
        say.bind(MESSAGE.seal(&[key], json(&Message { body, ..message }))).execute(tx).await?;
    }
    Ok(true)
}

/// Withdraws the members that no longer hold: that was not possible while their bundle was being sent.
async fn leave_out_void(tx: &mut Connection, key: &str, now: DateTime<Utc>) -> Result<(), sql::Error> {
    let leave_out = format!(
        "UPDATE notifications AS n SET state = 'cancelled', done_at = $2 WHERE n.bundle = $1 AND n.state = 'bundled'
         AND n.kind = 'alert' AND EXISTS (SELECT 1 FROM alerts a WHERE a.key = n.alert_key AND {VOID})"
    );
    sql::query(sql::AssertSqlSafe(leave_out)).bind(key).bind(millis(now)).execute(tx).await.map(drop)
}

async fn facts(tx: &mut Connection, key: &str) -> Result<BundleFacts, sql::Error> {
    // Two steps, or an unanswered call and the mail that replaced it, may both have told this person of one alert.
    let sums = format!(
        "SELECT COUNT(*) AS members, COUNT(DISTINCT kind || ' ' || alert_key) AS number, COUNT(DISTINCT tenant || ':' || ticket_id) AS tickets,
                CASE WHEN COUNT(DISTINCT tenant || ':' || client) = 1 AND COUNT(client) < COUNT(*) THEN 0
                     ELSE COUNT(DISTINCT tenant || ':' || client) END AS clients,
                MIN(client) AS client,
                COUNT(DISTINCT CASE WHEN kind = 'alert' AND stage LIKE 'breached%' THEN alert_key END) AS breached,
                COUNT(DISTINCT CASE WHEN kind = 'alert' AND stage LIKE 'predicted%' THEN alert_key END) AS likely,
                COUNT(DISTINCT CASE WHEN kind = 'recovery' THEN alert_key END) AS recovered,
                COUNT(CASE WHEN held_by = 'quiet_hours' THEN 1 END) AS kept_quiet,
                COALESCE(MAX(created_at) - MIN(created_at), 0) AS apart,
                MIN(CASE WHEN kind = 'alert' AND stage NOT LIKE 'breached%' THEN breach_at END) AS first_due,
                MIN(CASE WHEN kind = 'alert' AND stage LIKE 'breached%' THEN breach_at END) AS breached_due,
                MAX(CASE WHEN kind = 'alert' AND stage NOT LIKE 'breached%' THEN breach_at END) AS last_due
         FROM notifications WHERE {MEMBERS}"
    );
    let sums = sql::query(sql::AssertSqlSafe(sums)).bind(key).fetch_one(&mut *tx).await?;
    // What is not breached yet goes by due time: what is due first can be saved first.
    let messages = format!(
        "SELECT message, urgent, kind || ' ' || alert_key AS said, key FROM notifications WHERE {MEMBERS}
         ORDER BY kind = 'recovery', stage NOT LIKE 'breached%', stage NOT LIKE 'warning%',
           CASE WHEN stage LIKE 'breached%' THEN -urgent ELSE 0 END, breach_at, -urgent, key LIMIT $2"
    );
    let messages = sql::query_as(sql::AssertSqlSafe(messages)).bind(key).bind(MOST_ROWS);
    let messages: Vec<(String, bool, String)> = messages.fetch_all(&mut *tx).await?;
    let mut known = HashSet::new();
    let read = messages.iter().filter_map(|(message, urgent, said)| Some((row(message)?, *urgent, said)));
    let mut rows: Vec<_> =
        read.filter(|(.., said)| known.insert(*said)).map(|(row, urgent, _)| (row, urgent)).collect();
    rows.sort_by_key(|(row, urgent)| gravity(row, *urgent));
    let rows: Vec<_> = rows.into_iter().map(|(row, _)| row).collect();
    let count = |name: &str| sums.try_get::<u32, _>(name);
    let number = count("number")?;
    let due = |name: &str| {
        Ok::<_, sql::Error>(sums.try_get::<Option<i64>, _>(name)?.and_then(DateTime::from_timestamp_millis))
    };
    Ok(BundleFacts {
        more: number.saturating_sub(u32::try_from(rows.len()).unwrap_or(u32::MAX)),
        rows,
        tickets: count("tickets")?,
        breached: count("breached")?,
        likely: count("likely")?,
        recovered: count("recovered")?,
        clients: count("clients")?,
        client: sums.try_get("client")?,
        after_quiet_hours: number > 0 && count("kept_quiet")? == count("members")?,
        gathered: sums.try_get::<i64, _>("apart")? > TOGETHER.num_milliseconds(),
        first_due: due("first_due")?,
        breached_due: due("breached_due")?,
        last_due: due("last_due")?,
    })
}

/// Sorts breaches first, by priority; the rest keeps its order.
fn gravity(row: &BundleRow, urgent: bool) -> (bool, bool, usize) {
    match row {
        BundleRow::Alert { stage: Stage::Breached, ticket, .. } => (false, !urgent, place(ticket.priority.as_deref())),
        _ => (true, false, 0),
    }
}

/// None for a member whose message cannot be read or is of another kind: it counts as one more.
fn row(message: &str) -> Option<BundleRow> {
    match serde_json::from_str::<Message>(message).ok()?.body {
        Body::Alert(AlertFacts { ticket, clock, stage, due, working, .. }) => {
            Some(BundleRow::Alert { ticket, clock, stage, due, working })
        }
        Body::Recovery(facts) => Some(BundleRow::Recovery(facts)),
        _ => None,
    }
}

/// Whether none of the members of `key` is to be told any more.
pub(super) async fn is_void(tx: &mut Connection, key: &str) -> Result<bool, sql::Error> {
    let none = format!("SELECT NOT EXISTS (SELECT 1 FROM notifications WHERE {MEMBERS})");
    sql::query_scalar(sql::AssertSqlSafe(none)).bind(key).fetch_one(tx).await
}

/// Sets the members to the outcome of their bundle: `sent` or `failed`.
pub(super) async fn settle(
    tx: &mut Connection,
    key: &str,
    state: &'static str,
    why: Option<&str>,
    now: DateTime<Utc>,
) -> Result<(), sql::Error> {
    let share = format!("UPDATE notifications SET state = $2, done_at = $3, last_error = $4 WHERE {MEMBERS}");
    let share = sql::query(sql::AssertSqlSafe(share)).bind(key).bind(state);
    share.bind(millis(now)).bind(why.map(|why| LAST_ERROR.word(why))).execute(tx).await.map(drop)
}

/// Sends what the members of `key` say, as far as it still holds, on the next channel of each.
pub(super) async fn take_up_next_channels(
    tx: &mut Connection,
    key: &str,
    now: DateTime<Utc>,
) -> Result<(), sql::Error> {
    let members = format!(
        "SELECT n.* FROM notifications n LEFT JOIN alerts a ON a.key = n.alert_key WHERE n.bundle = $1
         AND n.state <> 'cancelled' AND n.fallback <> '[]' AND (n.kind <> 'alert' OR NOT {VOID}) ORDER BY n.key"
    );
    let rows = sql::query(sql::AssertSqlSafe(members)).bind(key).fetch_all(&mut *tx).await?;
    let mut next = Vec::with_capacity(rows.len());
    for refused in rows.iter().filter_map(|row| leased(row).ok()).map(|row| row.notification) {
        let Some(instead) = refused.on_next_channel(now) else { continue };
        if said_instead(tx, &refused, instead.channel).await?.is_none() {
            next.push(instead);
        }
    }
    for rows in next.chunks(ROWS_A_STATEMENT) {
        enqueue(tx, rows).await?;
    }
    Ok(())
}

/// After a refusal, tries the next channel of each member, or else runs the next step of its alert at once. True if
/// there is a step to run.
pub(super) async fn move_on(tx: &mut Connection, key: &str, now: DateTime<Utc>) -> Result<bool, sql::Error> {
    take_up_next_channels(tx, key, now).await?;
    let refused =
        sql::query_scalar("SELECT key FROM notifications WHERE bundle = $1 AND kind = 'alert' AND state = 'failed'");
    let refused: Vec<String> = refused.bind(key).fetch_all(&mut *tx).await?;
    let hurried = go_on(tx, &refused, now).await?;
    let retold = digest::tell_members(tx, key, now).await?;
    Ok(hurried || retold)
}
