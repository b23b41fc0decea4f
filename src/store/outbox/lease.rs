//! Leases what is due to one sender at a time, by rank and then the longest due first.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::go_on::go_on;
use super::withdraw::{VOID, hold_covered, wait_for_key};
use super::{Leased, UnderWay, bundle, instant, json, millis, shape};
use crate::alert::escalation::ChannelKind;
use crate::alert::noise::Rules;
use crate::store::sealed::LAST_ERROR;
use crate::store::sql::{self, AssertSqlSafe, Connection, FromRow as _, Row};
use crate::store::{Store, StoreError, missing_key};

/// How long something waits for an attempt in progress before it is looked at again.
const TURN: TimeDelta = TimeDelta::milliseconds(250);

/// What is to be sent now.
#[derive(Clone, Debug, Default)]
pub struct Round {
    pub leased: Vec<Leased>,
    /// Tenants whose daily budget for this channel holds something up.
    pub over_budget: HashSet<String>,
    /// The next step of an alert was brought forward, because one of its messages cannot be read.
    pub hurried: bool,
}

impl Store {
    /// Leases up to `limit` due notifications of `channel` until `now + lease`, by rank and then the longest due first,
    /// and none that is `under_way`.
    ///
    /// What falls due is first shaped by `rules`: bundled, or held.
    pub async fn lease_due(
        &self,
        channel: ChannelKind,
        limit: usize,
        lease: TimeDelta,
        rules: &Arc<Rules>,
        under_way: &UnderWay,
        now: DateTime<Utc>,
    ) -> Result<Round, StoreError> {
        let (rules, under_way) = (rules.clone(), under_way.clone());
        let (rows, shaped) = self
            .writer
            .write(move |tx: &mut Connection| {
                Box::pin(async move {
                    take_back(tx, channel, &under_way, now).await?;
                    hold_covered(tx, channel, now).await?;
                    let shaped = shape::shape_due(tx, channel, &rules, &under_way, now).await?;
                    if channel.is_system() {
                        wait_for_earlier(tx, channel, now).await?;
                    }
                    let keys = pick(tx, channel, limit, &under_way, now).await?;
                    let rows =
                        if keys.is_empty() { Vec::new() } else { lease_rows(tx, &keys, now + lease, now).await? };
                    Ok((rows, shaped))
                })
            })
            .await?;
        let (mut leased, mut hurried) = (Vec::with_capacity(rows.len()), shaped.hurried);
        let mut without_key = Vec::new();
        for row in &rows {
            match super::leased(row) {
                Ok(one) => leased.push((row.try_get::<i64, _>("rank")?, one)),
                Err(StoreError::KeyMissing(_)) => without_key.push(row.try_get::<String, _>("key")?),
                Err(error) => hurried |= self.set_aside(row.try_get("key")?, error.to_string(), now).await?,
            }
        }
        self.give_back(without_key, now).await?;
        leased.sort_by_key(|(rank, row)| (*rank, row.notification.due_at));
        Ok(Round { leased: leased.into_iter().map(|(_, row)| row).collect(), over_budget: shaped.over_budget, hurried })
    }

    /// Puts leased notifications whose key is missing back to waiting, as if they had not been leased.
    async fn give_back(&self, keys: Vec<String>, now: DateTime<Utc>) -> Result<(), StoreError> {
        if keys.is_empty() {
            return Ok(());
        }
        self.writer
            .write(move |tx: &mut Connection| {
                Box::pin(async move {
                    let not_leased = sql::query(
                        "UPDATE notifications SET state = 'pending', lease_until = NULL, attempts = attempts - 1
                         WHERE key IN (SELECT value FROM json_each($1)) AND state = 'sending'",
                    );
                    not_leased.bind(json(&keys)).execute(&mut *tx).await?;
                    wait_for_key(tx, &keys, now).await
                })
            })
            .await
    }

    /// Sets a row aside that cannot be read, so that it does not hold up all that come after it. It counts as refused:
    /// if nothing else tells the same, the next step of its alert is run at once. True if one is.
    async fn set_aside(&self, key: String, why: String, now: DateTime<Utc>) -> Result<bool, StoreError> {
        self.tell_unreadable("notification", &key, &why);
        self.writer
            .write(move |tx: &mut Connection| {
                Box::pin(async move {
                    let set_aside = sql::query(
                        "UPDATE notifications SET state = 'failed', last_error = $2, done_at = $3 WHERE key = $1",
                    );
                    set_aside.bind(&key).bind(LAST_ERROR.word(why)).bind(millis(now)).execute(&mut *tx).await?;
                    go_on(tx, &[key], now).await
                })
            })
            .await
    }

    /// Returns the channels on which something is due at `now`, or was leased to a sender that never reported; what is
    /// `under_way` does not count.
    pub async fn due_channels(&self, under_way: &UnderWay, now: DateTime<Utc>) -> Result<Vec<ChannelKind>, StoreError> {
        let channels: Vec<String> = sql::query_scalar(
            "SELECT asked.value FROM json_each($1) AS asked
             WHERE EXISTS (SELECT 1 FROM notifications WHERE state = 'pending' AND channel = asked.value
               AND due_at <= $2 AND key NOT IN (SELECT value FROM json_each($4)))
             OR EXISTS (SELECT 1 FROM notifications WHERE state = 'sending' AND channel = asked.value
               AND (lease_until <= $2 OR $3 = 1) AND key NOT IN (SELECT value FROM json_each($4)))",
        )
        .bind(json(&ChannelKind::ALL))
        .bind(millis(now))
        .bind(under_way.others_are_over())
        .bind(under_way.keys())
        .fetch_all(&self.reads)
        .await?;
        Ok(channels.iter().filter_map(|channel| ChannelKind::parse(channel)).collect())
    }

    /// Returns when the outbox next has something to do on channels other than `shut`: a row falls due, or a lease runs
    /// out. What is `under_way` reports its end in another way.
    pub async fn next_due(
        &self,
        shut: &[ChannelKind],
        under_way: &UnderWay,
    ) -> Result<Option<DateTime<Utc>>, StoreError> {
        let open: Vec<_> = ChannelKind::ALL.into_iter().filter(|kind| !shut.contains(kind)).collect();
        let next: Option<i64> = sql::query_scalar(
            "SELECT MIN(at) FROM (
               SELECT (SELECT due_at FROM notifications WHERE state = 'pending' AND channel = asked.value
                 AND key NOT IN (SELECT value FROM json_each($2)) ORDER BY due_at LIMIT 1) AS at FROM json_each($1) AS asked
               UNION ALL SELECT (SELECT lease_until FROM notifications WHERE state = 'sending' AND channel = asked.value
                 AND key NOT IN (SELECT value FROM json_each($2)) ORDER BY lease_until LIMIT 1) FROM json_each($1) AS asked) AS moments",
        )
        .bind(json(&open))
        .bind(under_way.keys())
        .fetch_one(&self.reads)
        .await?;
        next.map(instant).transpose()
    }

    /// Counts the notifications that wait or are being sent.
    pub async fn outbox_pending(&self) -> Result<i64, StoreError> {
        let count = sql::query_scalar(
            "SELECT (SELECT COUNT(*) FROM notifications WHERE state = 'pending')
                  + (SELECT COUNT(*) FROM notifications WHERE state = 'sending')",
        );
        Ok(count.fetch_one(&self.reads).await?)
    }
}

/// Takes back what was leased to a sender that never reported: it is due again, and may have been accepted. If it no
/// longer holds, it is withdrawn, which was not possible while it was leased.
async fn take_back(
    tx: &mut Connection,
    channel: ChannelKind,
    under_way: &UnderWay,
    now: DateTime<Utc>,
) -> Result<(), sql::Error> {
    let take_back = format!(
        "UPDATE notifications SET unreported = MAX(unreported, 1),
         state = CASE WHEN back.is_void THEN 'cancelled' ELSE 'pending' END,
         done_at = CASE WHEN back.is_void THEN $1 ELSE done_at END,
         due_at = CASE WHEN back.is_void THEN due_at ELSE MIN(lease_until, $1) END
         FROM (SELECT n.key, n.kind = 'alert'
                 AND EXISTS (SELECT 1 FROM alerts a WHERE a.key = n.alert_key AND {VOID}) AS is_void
               FROM notifications n WHERE n.state = 'sending' AND n.channel = $2 AND (n.lease_until <= $1 OR $3 = 1)
               AND n.key NOT IN (SELECT value FROM json_each($4))) AS back
         WHERE notifications.key = back.key"
    );
    let query = sql::query(AssertSqlSafe(take_back)).bind(millis(now)).bind(channel.as_str());
    query.bind(under_way.others_are_over()).bind(under_way.keys()).execute(tx).await.map(drop)
}

/// Delays what is due while something earlier about the same alert is still on its way to the same system: a resolve
/// that overtakes its trigger leaves an incident that nobody closes.
async fn wait_for_earlier(tx: &mut Connection, channel: ChannelKind, now: DateTime<Utc>) -> Result<(), sql::Error> {
    sql::query(
        "UPDATE notifications SET due_at = $3 WHERE key IN (
           SELECT later.key FROM notifications AS earlier JOIN notifications AS later
           ON later.alert_key = earlier.alert_key AND later.recipient = earlier.recipient
           AND later.channel = earlier.channel AND later.state = 'pending' AND later.due_at <= $2
           WHERE earlier.state = 'sending' AND earlier.channel = $1)",
    )
    .bind(channel.as_str())
    .bind(millis(now))
    .bind(millis(now + TURN))
    .execute(tx)
    .await
    .map(drop)
}

/// Returns the keys of what goes next. Bundles are worded here, at the last moment, or left out if nothing holds.
async fn pick(
    tx: &mut Connection,
    channel: ChannelKind,
    limit: usize,
    under_way: &UnderWay,
    now: DateTime<Utc>,
) -> Result<Vec<String>, sql::Error> {
    // Named because the planner would rather read and sort everything that waits: slow when it matters most.
    let rows = sql::query(
        "SELECT key, kind, alert_key, recipient, created_at FROM notifications INDEXED BY notifications_ready WHERE channel = $1 AND state = 'pending' AND released_at IS NOT NULL
         AND due_at <= $2 AND key NOT IN (SELECT value FROM json_each($4)) ORDER BY rank, due_at, key LIMIT $3",
    )
    .bind(channel.as_str())
    .bind(millis(now))
    .bind(i64::try_from(limit).unwrap_or(i64::MAX))
    .bind(under_way.keys())
    .fetch_all(&mut *tx)
    .await?;
    let (mut ready, mut without_key) = (Vec::with_capacity(rows.len()), Vec::new());
    for row in rows {
        match Ready::from_row(&row) {
            Ok(one) => ready.push(one),
            Err(error) if missing_key(&error).is_some() => without_key.push(row.try_get("key")?),
            Err(error) => return Err(error),
        }
    }
    let mut keys = Vec::with_capacity(ready.len());
    for Ready { key, kind, .. } in in_turn(channel, ready) {
        match if kind == "bundle" { bundle::word(tx, &key, now).await } else { Ok(true) } {
            Ok(true) => keys.push(key),
            Ok(false) => {}
            Err(error) if missing_key(&error).is_some() => without_key.push(key),
            Err(error) => return Err(error),
        }
    }
    wait_for_key(tx, &without_key, now).await?;
    Ok(keys)
}

/// A notification that may go now.
struct Ready {
    key: String,
    kind: String,
    alert_key: String,
    recipient: String,
    created_at: i64,
}

sql::from_row!(Ready { key, kind, alert_key, recipient, created_at });

/// Filters what goes to a system: removes what has to wait for something earlier about the same alert.
fn in_turn(channel: ChannelKind, mut rows: Vec<Ready>) -> Vec<Ready> {
    if channel.is_system() {
        let mut first: HashMap<(String, String), (i64, String)> = HashMap::new();
        for row in &rows {
            let (place, turn) = (row.place(), (row.created_at, row.key.clone()));
            first.entry(place).and_modify(|first| *first = turn.clone().min(first.clone())).or_insert(turn);
        }
        rows.retain(|row| first.get(&row.place()).is_some_and(|(_, key)| *key == row.key));
    }
    rows
}

impl Ready {
    fn place(&self) -> (String, String) {
        (self.alert_key.clone(), self.recipient.clone())
    }
}

async fn lease_rows(
    tx: &mut Connection,
    keys: &[String],
    until: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<Vec<Row>, sql::Error> {
    sql::query(
        "UPDATE notifications SET state = 'sending', lease_until = $1, attempts = attempts + 1,
         tried_since = COALESCE(tried_since, $3) WHERE key IN (SELECT value FROM json_each($2)) RETURNING *",
    )
    .bind(millis(until))
    .bind(json(&keys))
    .bind(millis(now))
    .fetch_all(tx)
    .await
}
