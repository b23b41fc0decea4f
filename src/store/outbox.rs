//! The outbox: what is to be said, to whom, and how each attempt went.
//!
//! A notification is stored before anything is sent. It is then leased to one
//! sender at a time; a lease that runs out, because the process died, makes it
//! due again under the same key.

mod bundle;
mod digest;
mod diversion;
mod heard;
mod record;
mod said;
mod shape;
mod under_way;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::latest::{LastShown, far_back};
use super::{Store, StoreError, instant, millis};
use crate::alert::escalation::ChannelKind;
use crate::alert::noise::Rules;
use crate::alert::{AlertKey, Closing};
pub use crate::keys::notification_key;
use crate::notify::{Body, Message};
use crate::sla::zone::Tz;
use crate::store::sealed::{ADDRESS, FALLBACK, LAST_ERROR, MESSAGE, PERSON, RECIPIENT};
use crate::store::sql::{self, AssertSqlSafe, Connection, QueryBuilder, Row};
use crate::ticket::{Reach, TenantId};
pub use record::Attempted;
pub(super) use record::record;
pub use said::Said;
pub use under_way::UnderWay;

/// SQLite takes 32,766 values in one statement; a row has fewer than 32.
const ROWS_A_STATEMENT: usize = 500;
/// What has to wait for an attempt under way is looked at again after this.
const TURN: TimeDelta = TimeDelta::milliseconds(250);

/// A notification to be stored.
#[derive(Clone, Debug)]
pub struct NewNotification {
    pub tenant: TenantId,
    pub alert_key: String,
    pub ticket_id: Option<String>,
    /// alert | recovery | acknowledged | digest | bundle | stale | fresh | report | update
    pub kind: &'static str,
    pub stage: String,
    pub step: u32,
    pub channel: ChannelKind,
    /// Who, whatever the channel.
    pub recipient: String,
    /// Where to turn if this channel refuses: each with its address.
    pub fallback: Vec<(ChannelKind, String)>,
    pub message: Message,
    pub due_at: DateTime<Utc>,
    pub created_at: DateTime<Utc>,
    pub reader: Reader,
}

/// Who reads a notification, and what it is to that person.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reader {
    /// By email address or else number, whatever the tenant and the channel. None: no single person.
    pub person: Option<String>,
    /// Where that person is, if it is known.
    pub zone: Option<Tz>,
    /// Whether the ticket is of one of the most urgent priorities.
    pub urgent: bool,
    /// Whether it changes what the person is doing.
    pub timely: bool,
}

/// A notification leased for one attempt.
#[derive(Clone, Debug)]
pub struct Leased {
    pub notification: NewNotification,
    /// This attempt's number, from 1.
    pub attempt: u32,
    /// 0, unless an attempt before this one may have been taken without our hearing of it: then 1, and one more for
    /// each time that it was looked up in vain.
    pub unreported: u32,
    /// When it was tried first since it was free to go, in the life of this process.
    pub tried_since: DateTime<Utc>,
}

/// What is to be sent now.
#[derive(Clone, Debug, Default)]
pub struct Round {
    pub leased: Vec<Leased>,
    /// Tenants for whom the day's budget of this channel holds something up.
    pub over_budget: HashSet<String>,
    /// The next step of an alert was brought forward, since what one said cannot be read.
    pub hurried: bool,
}

/// What became of an attempt.
#[derive(Clone, Debug)]
pub enum Outcome {
    Taken {
        provider_id: Option<String>,
    },
    Again {
        at: DateTime<Utc>,
        why: String,
        /// As [`Leased::unreported`] is to be next time.
        unreported: u32,
        /// The next channel takes it up as well, while this one goes on being tried.
        next_channel_too: bool,
    },
    /// Not on this channel; `misconfigured`: for nobody.
    Failed {
        why: String,
        misconfigured: bool,
    },
}

/// An alert that is over: those who were told of it are told so, people only if it came to a good end.
#[derive(Debug)]
pub struct Recovered {
    pub key: AlertKey,
    pub episode: u32,
    pub closing: Closing,
    /// `notify::Body::Recovery` as JSON.
    pub body: serde_json::Value,
    /// Who had taken it on and does not own the ticket, by name: that person is to hear at once.
    pub taker: Option<String>,
    pub at: DateTime<Utc>,
}

impl NewNotification {
    /// The notice that an alert came to a good end, to somebody who got `message` about it.
    /// None if the stored message cannot be read any more.
    pub fn recovery(
        recovered: &Recovered,
        recipient: String,
        channel: String,
        message: &str,
        reader: Reader,
        now: DateTime<Utc>,
    ) -> Option<Self> {
        let message: Message = serde_json::from_str(message).ok()?;
        let body: Body = serde_json::from_value(recovered.body.clone()).ok()?;
        let timely = recovered.taker.is_some() && recovered.taker == message.to_name;
        let alert_key = recovered.key.to_string();
        let episode = recovered.episode.to_string();
        let key = notification_key(&[&alert_key, &episode, "recovery", &recipient, &channel]);
        Some(Self {
            tenant: recovered.key.tenant.clone(),
            ticket_id: Some(recovered.key.subject.to_string()),
            kind: "recovery",
            stage: "resolved".to_owned(),
            step: 0,
            channel: ChannelKind::parse(&channel)?,
            recipient,
            fallback: Vec::new(),
            message: Message { key, continues_thread: true, body, ..message },
            due_at: recovered.at,
            created_at: now,
            reader: Reader { timely, ..reader },
            alert_key,
        })
    }

    /// The same in `thread`, if there is one to join.
    pub fn in_thread(mut self, thread: Option<String>) -> Self {
        if let Some(thread) = thread {
            self.message.thread = thread;
        }
        self
    }

    /// The same said on the next channel that reaches this person, if there is one.
    ///
    /// It never claims to be the first of its thread: if another mail was, this one would be dropped as its repeat.
    pub fn on_next_channel(&self, now: DateTime<Utc>) -> Option<Self> {
        let ((channel, address), rest) = self.fallback.split_first()?;
        let key = notification_key(&[&self.message.key, "instead by", channel.as_str()]);
        let message = Message { key, to: address.clone(), continues_thread: true, ..self.message.clone() };
        Some(Self { channel: *channel, fallback: rest.to_vec(), message, due_at: now, created_at: now, ..self.clone() })
    }
}

impl Store {
    /// Leases up to `limit` due notifications of `channel` until `now + lease`, by rank and then the longest due first;
    /// of what is `under_way` none.
    ///
    /// What falls due is first brought into shape by `rules`: put together, or held.
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
        for row in &rows {
            match self::leased(row) {
                Ok(one) => leased.push((row.try_get::<i64, _>("rank")?, one)),
                Err(error) => hurried |= self.set_aside(row.try_get("key")?, error.to_string(), now).await?,
            }
        }
        leased.sort_by_key(|(rank, row)| (*rank, row.notification.due_at));
        Ok(Round { leased: leased.into_iter().map(|(_, row)| row).collect(), over_budget: shaped.over_budget, hurried })
    }

    /// One row that cannot be read must not hold up all that come after it. It counts as refused: if nothing else says
    /// what it said, the next step of its alert is run at once. True if one is.
    async fn set_aside(&self, key: String, why: String, now: DateTime<Utc>) -> Result<bool, StoreError> {
        self.tell_unreadable("notification", &key, &why);
        self.writer
            .write(move |tx: &mut Connection| {
                Box::pin(async move {
                    let set_aside = sql::query(
                        "UPDATE notifications SET state = 'failed', last_error = $2, done_at = $3 WHERE key = $1
                         RETURNING alert_key, stage, step",
                    );
                    let set_aside =
                        set_aside.bind(key).bind(LAST_ERROR.word(why)).bind(millis(now)).fetch_one(&mut *tx).await?;
                    let (alert, stage): (String, String) = (set_aside.try_get(0)?, set_aside.try_get(1)?);
                    record::hurry(tx, &alert, &stage, set_aside.try_get(2)?, now).await
                })
            })
            .await
    }

    /// The channels on which something is due at `now`, or was leased to somebody who never reported; what is
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

    /// When the outbox has something to do next on other channels than `shut`: a row falls due, or a lease runs out.
    /// The end of what is `under_way` is heard of in another way.
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

    /// How many notifications wait or are being sent.
    pub async fn outbox_pending(&self) -> Result<i64, StoreError> {
        let count = sql::query_scalar(
            "SELECT (SELECT COUNT(*) FROM notifications WHERE state = 'pending')
                  + (SELECT COUNT(*) FROM notifications WHERE state = 'sending')",
        );
        Ok(count.fetch_one(&self.reads).await?)
    }
}

/// Takes back what was leased to somebody who never reported: it is due again, and may have been taken. If it holds no
/// longer, it is withdrawn: while it was leased nobody could.
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

/// What a notification `n` says of its alert `a` holds no longer: that is over, held by somebody, at another stage, or
/// not this person's concern any more.
const VOID: &str = "(n.void = 1 OR a.state = 'resolved' OR (a.acked_at IS NOT NULL AND a.hold_over = 0)
     OR n.stage <> CASE a.episode WHEN 0 THEN a.stage ELSE a.stage || '/' || a.episode END)";

/// What is due while something before it is still on its way about the same alert to the same system waits for that: a
/// resolve that overtakes its trigger leaves an incident that nobody closes.
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

/// The keys of what goes next. A bundle is worded here, at the last moment, and left out if nothing of it still holds.
async fn pick(
    tx: &mut Connection,
    channel: ChannelKind,
    limit: usize,
    under_way: &UnderWay,
    now: DateTime<Utc>,
) -> Result<Vec<String>, sql::Error> {
    // Named, since the planner would rather read and sort all that waits: slow when it is most urgent.
    let rows: Vec<Ready> = sql::query_as(
        "SELECT key, kind, alert_key, recipient, created_at FROM notifications INDEXED BY notifications_ready WHERE channel = $1 AND state = 'pending' AND released_at IS NOT NULL
         AND due_at <= $2 AND key NOT IN (SELECT value FROM json_each($4)) ORDER BY rank, due_at, key LIMIT $3",
    )
    .bind(channel.as_str())
    .bind(millis(now))
    .bind(i64::try_from(limit).unwrap_or(i64::MAX))
    .bind(under_way.keys())
    .fetch_all(&mut *tx)
    .await?;
    let mut keys = Vec::with_capacity(rows.len());
    for Ready { key, kind, .. } in in_turn(channel, rows) {
        if kind != "bundle" || bundle::word(tx, &key, now).await? {
            keys.push(key);
        }
    }
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

/// What goes to a system, without what has to wait for something earlier about the same alert.
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

/// Stores `rows`; those whose key is known already are left as they are, unless they were withdrawn before they left, or
/// while they did.
pub(super) async fn enqueue(tx: &mut Connection, rows: &[NewNotification]) -> Result<(), sql::Error> {
    let mut query: QueryBuilder = QueryBuilder::new(
        "INSERT INTO notifications (key, tenant, alert_key, ticket_id, kind, stage, step, channel, recipient, fallback,
         message, state, due_at, created_at, first_due_at, address, client, priority, breach_at, person, zone, urgent,
         timely) ",
    );
    query.push_values(rows, |mut row, new| {
        let about = About::of(&new.message.body);
        row.push_bind(new.message.key.as_str())
            .push_bind(new.tenant.as_str())
            .push_bind(new.alert_key.as_str())
            .push_bind(new.ticket_id.as_deref())
            .push_bind(new.kind)
            .push_bind(new.stage.as_str())
            .push_bind(i64::from(new.step))
            .push_bind(new.channel.as_str())
            .push_bind(RECIPIENT.word(new.recipient.as_str()))
            .push_bind(FALLBACK.seal(&[&new.message.key], json(&new.fallback)))
            .push_bind(MESSAGE.seal(&[&new.message.key], json(&new.message)))
            .push_bind("pending")
            .push_bind(millis(new.due_at))
            .push_bind(millis(new.created_at))
            .push_bind(millis(new.due_at))
            .push_bind(ADDRESS.word(new.message.to.as_str()))
            .push_bind(about.client)
            .push_bind(about.priority)
            .push_bind(about.breach_at.map(millis))
            .push_bind(new.reader.person.as_deref().map(|person| PERSON.word(person)))
            .push_bind(new.reader.zone.map(Tz::name))
            .push_bind(new.reader.urgent)
            .push_bind(new.reader.timely);
    });
    query.push(
        " ON CONFLICT (key) DO UPDATE SET void = 0, message = excluded.message, fallback = excluded.fallback,
         due_at = excluded.due_at, first_due_at = excluded.first_due_at, created_at = excluded.created_at,
         state = CASE notifications.state WHEN 'cancelled' THEN 'pending' ELSE notifications.state END,
         done_at = CASE WHEN notifications.state <> 'cancelled' THEN notifications.done_at END,
         released_at = CASE WHEN notifications.state <> 'cancelled' THEN notifications.released_at END,
         held_by = CASE WHEN notifications.state <> 'cancelled' THEN notifications.held_by END,
         bundle = CASE WHEN notifications.state <> 'cancelled' THEN notifications.bundle END,
         tried_since = CASE WHEN notifications.state <> 'cancelled' THEN notifications.tried_since END
         WHERE notifications.state = 'cancelled' OR (notifications.void = 1 AND notifications.state IN ('sending', 'bundled'))",
    );
    query.build().execute(&mut *tx).await?;
    let digests = rows.iter().filter(|row| row.kind == "digest").map(|row| row.message.key.as_str());
    note_members(tx, &digests.collect::<Vec<_>>()).await
}

/// Notes which alerts these digests tell whom of.
async fn note_members(tx: &mut Connection, digests: &[&str]) -> Result<(), sql::Error> {
    if digests.is_empty() {
        return Ok(());
    }
    let stored = sql::query(
        "SELECT key, message, alert_key, recipient, created_at FROM notifications
         WHERE key IN (SELECT value FROM json_each($1)) ORDER BY key",
    );
    for row in stored.bind(json(&digests)).fetch_all(&mut *tx).await? {
        let message: String = row.try_get("message")?;
        let recipient: String = row.try_get("recipient")?;
        sql::query(
            "INSERT INTO digested (alert_key, digest, recipient, at)
             SELECT value, $2, $3, $4 FROM json_each($1) AS said WHERE true ON CONFLICT DO NOTHING",
        )
        .bind(json(&digest::alerts_of(&message)))
        .bind(row.try_get::<String, _>("alert_key")?)
        .bind(RECIPIENT.word(recipient))
        .bind(row.try_get::<i64, _>("created_at")?)
        .execute(&mut *tx)
        .await?;
    }
    Ok(())
}

/// What a message is about, as far as it decides how it is shaped.
#[derive(Default)]
struct About<'a> {
    client: Option<&'a str>,
    priority: Option<&'a str>,
    breach_at: Option<DateTime<Utc>>,
}

impl<'a> About<'a> {
    fn of(body: &'a Body) -> Self {
        let (ticket, due) = match body {
            Body::Alert(facts) => (&facts.ticket, facts.due),
            Body::Recovery(facts) => (&facts.ticket, facts.due),
            _ => return Self::default(),
        };
        Self { client: ticket.client.as_deref(), priority: ticket.priority.as_deref(), breach_at: Some(due) }
    }
}

/// What an alert was about to say.
#[derive(Clone, Debug)]
pub struct Unsaid {
    pub key: String,
    pub stage: String,
    pub step: u32,
    pub recipient: String,
    pub channel: ChannelKind,
    /// It is being sent: it may arrive, or not.
    pub is_leaving: bool,
}

impl Store {
    /// What the alert of this key was to say and has not said yet; of one that is `reopened` now, also what is about to
    /// be taken up again.
    pub async fn unsaid(&self, alert: &AlertKey, reopened: bool) -> Result<Vec<Unsaid>, StoreError> {
        let rows = sql::query(
            "SELECT n.key, n.stage, n.step, n.recipient, n.channel, COALESCE(b.state, n.state) = 'sending' AS is_leaving
             FROM notifications n LEFT JOIN notifications b ON b.key = n.bundle
             WHERE n.alert_key = $1 AND n.kind = 'alert' AND (n.state IN ('pending', 'bundled', 'sending')
               OR (n.state = 'cancelled' AND n.void = 0 AND $2 <> 0)) ORDER BY n.key",
        )
        .bind(alert.to_string())
        .bind(reopened)
        .fetch_all(&self.reads)
        .await?;
        let unsaid = |row: &Row| {
            let channel: String = row.try_get("channel")?;
            let channel = ChannelKind::parse(&channel);
            Ok(Unsaid {
                key: row.try_get("key")?,
                stage: row.try_get("stage")?,
                step: row.try_get("step")?,
                recipient: row.try_get("recipient")?,
                channel: channel.ok_or_else(|| StoreError::Unreadable("a notification's channel".to_owned()))?,
                is_leaving: row.try_get("is_leaving")?,
            })
        };
        rows.iter().map(unsaid).collect()
    }
}

/// Withdraws what `alerts` have not said yet, also where an attempt was cut short, or where others were to say it as well.
pub(super) async fn withdraw(tx: &mut Connection, alerts: &[String], now: DateTime<Utc>) -> Result<(), sql::Error> {
    sql::query(
        "UPDATE notifications SET state = 'cancelled', done_at = $2
         WHERE alert_key IN (SELECT value FROM json_each($1)) AND kind = 'alert'
         AND (state = 'pending' OR (state = 'sending' AND lease_until <= $2) OR (state = 'bundled' AND EXISTS (
           SELECT 1 FROM notifications b WHERE b.key = notifications.bundle
           AND (b.state = 'pending' OR (b.state = 'sending' AND b.lease_until <= $2)))))",
    )
    .bind(json(&alerts))
    .bind(millis(now))
    .execute(tx)
    .await
    .map(drop)
}

/// Lets go from `from` on what `alert` was to say at `until`.
pub(super) async fn let_go(
    tx: &mut Connection,
    alert: &str,
    until: DateTime<Utc>,
    from: DateTime<Utc>,
) -> Result<(), sql::Error> {
    sql::query("UPDATE notifications SET due_at = $3 WHERE alert_key = $1 AND state = 'pending' AND due_at = $2")
        .bind(alert)
        .bind(millis(until))
        .bind(millis(from))
        .execute(tx)
        .await
        .map(drop)
}

/// Withdraws the notifications of these `keys` for good. One that is being sent is not repeated if that fails.
pub(super) async fn make_void(tx: &mut Connection, keys: &[String], now: DateTime<Utc>) -> Result<(), sql::Error> {
    let waits = "state = 'pending' OR (state = 'bundled' AND EXISTS (
         SELECT 1 FROM notifications b WHERE b.key = notifications.bundle AND b.state = 'pending'))";
    let query = format!(
        "UPDATE notifications SET void = 1, state = CASE WHEN {waits} THEN 'cancelled' ELSE state END,
         done_at = CASE WHEN {waits} THEN $2 ELSE done_at END
         WHERE key IN (SELECT value FROM json_each($1)) AND state IN ('pending', 'bundled', 'sending')"
    );
    sql::query(AssertSqlSafe(query)).bind(json(&keys)).bind(millis(now)).execute(tx).await.map(drop)
}

/// Has what waits on `channel` about alerts that nobody is to be told of wait until that is over, also where others were
/// to say it as well.
pub(super) async fn hold_covered(
    tx: &mut Connection,
    channel: ChannelKind,
    now: DateTime<Utc>,
) -> Result<(), sql::Error> {
    let covered: Vec<(String, i64)> =
        sql::query_as("SELECT key, covered_until FROM alerts INDEXED BY alerts_covered WHERE covered_until > $1")
            .bind(millis(now))
            .fetch_all(&mut *tx)
            .await?;
    if covered.is_empty() {
        return Ok(());
    }
    sql::query(
        "UPDATE notifications SET due_at = CAST(said.value ->> 1 AS BIGINT), state = 'pending', released_at = NULL,
         held_by = NULL, bundle = NULL, tried_since = NULL FROM json_each($2) AS said
         WHERE alert_key = said.value ->> 0 AND kind = 'alert' AND channel = $1 AND due_at < CAST(said.value ->> 1 AS BIGINT)
         AND (state = 'pending' OR (state = 'bundled' AND EXISTS (
           SELECT 1 FROM notifications b WHERE b.key = notifications.bundle AND b.state = 'pending')))",
    )
    .bind(channel.as_str())
    .bind(json(&covered))
    .execute(tx)
    .await
    .map(drop)
}

/// Takes up again what `alert` was about to say at `stage` when it was withdrawn.
pub(super) async fn take_up_again(
    tx: &mut Connection,
    alert: &str,
    stage: &str,
    now: DateTime<Utc>,
) -> Result<(), sql::Error> {
    sql::query(
        "UPDATE notifications SET state = 'pending', due_at = $3, first_due_at = $3, created_at = $3, done_at = NULL,
         released_at = NULL, held_by = NULL, bundle = NULL, tried_since = NULL
         WHERE alert_key = $1 AND stage = $2 AND kind = 'alert' AND state = 'cancelled' AND void = 0",
    )
    .bind(alert)
    .bind(stage)
    .bind(millis(now))
    .execute(tx)
    .await
    .map(drop)
}

pub(super) fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("our own types have text keys only")
}

pub(super) fn leased(row: &Row) -> Result<Leased, StoreError> {
    let unreadable = |what: &str| StoreError::Unreadable(format!("a notification's {what}"));
    let text = |name: &str| row.try_get::<String, _>(name);
    let number = |name: &str| row.try_get::<i64, _>(name);
    let notification = NewNotification {
        tenant: TenantId::parse(&text("tenant")?).map_err(|_| unreadable("tenant"))?,
        alert_key: text("alert_key")?,
        ticket_id: row.try_get("ticket_id")?,
        kind: match text("kind")?.as_str() {
            "recovery" => "recovery",
            "acknowledged" => "acknowledged",
            "digest" => "digest",
            "bundle" => "bundle",
            "stale" => "stale",
            "fresh" => "fresh",
            "report" => "report",
            "update" => "update",
            _ => "alert",
        },
        stage: text("stage")?,
        step: u32::try_from(number("step")?).map_err(|_| unreadable("step"))?,
        channel: ChannelKind::parse(&text("channel")?).ok_or_else(|| unreadable("channel"))?,
        recipient: text("recipient")?,
        fallback: serde_json::from_str(&text("fallback")?).map_err(|_| unreadable("fallback"))?,
        message: serde_json::from_str(&text("message")?).map_err(|_| unreadable("message"))?,
        due_at: instant(number("first_due_at")?)?,
        created_at: instant(number("created_at")?)?,
        reader: reader(row)?,
    };
    let attempt = u32::try_from(number("attempts")?).map_err(|_| unreadable("attempts"))?;
    let unreported = u32::try_from(number("unreported")?).map_err(|_| unreadable("look-ups"))?;
    let tried_since: Option<i64> = row.try_get("tried_since")?;
    let tried_since = tried_since.map_or(Ok(notification.due_at), instant)?;
    Ok(Leased { notification, attempt, unreported, tried_since })
}

/// Who reads the notification of `row`.
pub(super) fn reader(row: &Row) -> Result<Reader, sql::Error> {
    let zone: Option<String> = row.try_get("zone")?;
    Ok(Reader {
        person: row.try_get("person")?,
        zone: zone.and_then(|name| name.parse().ok()),
        urgent: row.try_get("urgent")?,
        timely: row.try_get("timely")?,
    })
}

/// A notification as people are shown it.
#[derive(Clone, Debug)]
pub struct Logged {
    pub leased: Leased,
    pub state: String,
    /// quiet_hours | cap | budget: the last thing that it waited for.
    pub held_by: Option<String>,
    /// The key of the message that says it together with others.
    pub bundle: Option<String>,
    pub done_at: Option<DateTime<Utc>>,
    pub last_error: Option<String>,
}

/// How many notifications ended how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub pending: i64,
    pub sent: i64,
    pub failed: i64,
}

impl Store {
    /// The notifications within `reach`, of one ticket if one is named with the digests that tell of it,
    /// newest first.
    pub async fn notifications(
        &self,
        reach: &Reach,
        ticket: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Logged>, StoreError> {
        self.notifications_after(&LastShown::nothing(), reach, ticket, limit).await
    }

    /// The same, those that stand `after` what was shown.
    pub async fn notifications_after(
        &self,
        after: &LastShown,
        reach: &Reach,
        ticket: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Logged>, StoreError> {
        let tenants = match reach.tenant() {
            Some(tenant) => vec![tenant.to_string()],
            None => self.tenants_told().await?,
        };
        let found = match ticket {
            Some(ticket) => self.latest_about(after, &tenants, ticket, limit).await?,
            None => self.latest_said(after, &tenants, limit).await?,
        };
        let keys: Vec<_> = found.into_iter().map(|(_, key)| key).collect();
        let rows = sql::query(
            "SELECT * FROM notifications WHERE key IN (SELECT value FROM json_each($1))
             ORDER BY created_at DESC, key DESC",
        );
        let rows = rows.bind(json(&keys)).fetch_all(&self.reads).await?;
        // One that cannot be read any more must not hide the others.
        Ok(self.legible("message", "key", &rows, logged))
    }

    async fn latest_about(
        &self,
        after: &LastShown,
        tenants: &[String],
        ticket: &str,
        limit: usize,
    ) -> Result<Vec<(i64, String)>, StoreError> {
        let query = sql::query_as(
            "SELECT DISTINCT n.created_at, n.key FROM alerts a LEFT JOIN digested d ON d.alert_key = a.key
             JOIN notifications n ON n.alert_key = a.key OR (n.alert_key = d.digest AND n.recipient = d.recipient)
             WHERE a.tenant IN (SELECT value FROM json_each($1)) AND a.ticket_id = $3 AND n.created_at <= $4 AND (n.created_at < $4 OR n.key < $5)
             ORDER BY n.created_at DESC, n.key DESC LIMIT $2",
        );
        let query = query.bind(json(&tenants)).bind(i64::try_from(limit).unwrap_or(i64::MAX)).bind(ticket);
        Ok(query.bind(after.at).bind(after.key.as_str()).fetch_all(&self.reads).await?)
    }

    async fn latest_said(
        &self,
        after: &LastShown,
        tenants: &[String],
        limit: usize,
    ) -> Result<Vec<(i64, String)>, StoreError> {
        let (newest, tenants) = (self.newest_said(tenants, after.at).await?, json(&tenants));
        let mut found = Vec::new();
        for since in newest.map(far_back).into_iter().flatten() {
            let query = sql::query_as(
                "SELECT created_at, key FROM notifications WHERE tenant IN (SELECT value FROM json_each($1))
                 AND created_at >= $3 AND created_at <= $4 AND (created_at < $4 OR key < $5)
                 ORDER BY created_at DESC, key DESC LIMIT $2",
            );
            let query = query.bind(tenants.as_str()).bind(i64::try_from(limit).unwrap_or(i64::MAX)).bind(since);
            found = query.bind(after.at).bind(after.key.as_str()).fetch_all(&self.reads).await?;
            if found.len() >= limit {
                break;
            }
        }
        Ok(found)
    }

    /// When the last of these tenants' notifications was made that were made `until` then; none if there is none.
    async fn newest_said(&self, tenants: &[String], until: i64) -> Result<Option<i64>, StoreError> {
        let newest = sql::query_scalar(
            "SELECT MAX(newest) FROM (SELECT (SELECT MAX(created_at) FROM notifications WHERE tenant = asked.value
             AND created_at <= $2) AS newest FROM json_each($1) AS asked) AS each_newest",
        );
        Ok(newest.bind(json(&tenants)).bind(until).fetch_one(&self.reads).await?)
    }

    /// Every tenant about whom anything was ever said.
    async fn tenants_told(&self) -> Result<Vec<String>, StoreError> {
        // From each to the next: not one row after the other.
        let tenants = sql::query_scalar(
            "WITH RECURSIVE named (tenant) AS (
               SELECT MIN(tenant) FROM notifications
               UNION ALL SELECT (SELECT MIN(tenant) FROM notifications WHERE tenant > named.tenant)
               FROM named WHERE named.tenant IS NOT NULL)
             SELECT tenant FROM named WHERE tenant IS NOT NULL",
        );
        Ok(tenants.fetch_all(&self.reads).await?)
    }

    /// What waits now, and what was sent or failed since `since`: messages, however many alerts one of them tells of.
    pub async fn tally(&self, reach: &Reach, since: DateTime<Utc>) -> Result<Tally, StoreError> {
        let row = sql::query(
            "SELECT (SELECT COUNT(*) FROM notifications WHERE state = 'pending' AND (tenant = $1 OR $1 IS NULL))
                  + (SELECT COUNT(*) FROM notifications WHERE state = 'sending' AND (tenant = $1 OR $1 IS NULL)) AS pending,
                    COUNT(CASE WHEN state = 'sent' THEN 1 END) AS sent,
                    COUNT(CASE WHEN state = 'failed' THEN 1 END) AS failed
             FROM notifications WHERE done_at >= $2 AND bundle IS NULL AND (tenant = $1 OR $1 IS NULL)",
        )
        .bind(reach.as_str())
        .bind(millis(since))
        .fetch_one(&self.reads)
        .await?;
        Ok(Tally { pending: row.try_get("pending")?, sent: row.try_get("sent")?, failed: row.try_get("failed")? })
    }
}

pub(super) fn logged(row: &Row) -> Result<Logged, StoreError> {
    let done_at: Option<i64> = row.try_get("done_at")?;
    Ok(Logged {
        leased: leased(row)?,
        state: row.try_get("state")?,
        held_by: row.try_get("held_by")?,
        bundle: row.try_get("bundle")?,
        done_at: done_at.map(instant).transpose()?,
        last_error: row.try_get("last_error")?,
    })
}
