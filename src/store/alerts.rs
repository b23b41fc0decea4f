//! Alerts and their timers in the store.
//!
//! Whatever one turn of `evaluate` decides is written in one transaction: the alerts, the notifications they cause, and
//! the ones they make void. A notification's key is unique, so repeating a turn enqueues nothing twice.

mod salvage;
mod saving;

use std::collections::HashSet;

use chrono::{DateTime, TimeDelta, Utc};

pub use super::outbox::Recovered;
use super::outbox::{MAY_BE_KNOWN, NewNotification, json};
use super::write_backs::NewWriteBack;
use super::{Store, StoreError, instant, millis};
use crate::alert::escalation::ChannelKind;
pub use crate::alert::life::AlertRow;
use crate::alert::life::{Asked, Hold, HoldKind, How, Life};
use crate::alert::{AlertKey, AlertKind, Closing, Raised, Stage};
pub use crate::keys::id_of;
use crate::store::sealed::{ACKED_BY, ASKED, REASON};
use crate::store::sql::{self, Connection, QueryBuilder, Row};
use crate::ticket::TenantId;
pub(super) use salvage::salvaged;
pub use saving::Saving;

/// How many rows one statement writes: SQLite takes 32,766 values in one, and a row has at most 32.
const ROWS_A_STATEMENT: usize = 500;

impl AlertKey {
    /// The alert's name in addresses and links: it reveals nothing of the ticket and never changes.
    pub fn id(&self) -> String {
        id_of(&self.to_string())
    }
}

/// Selects the number of the last act on an alert of tenant `$1`.
pub(super) const LAST_ACT: &str = "SELECT acts FROM alerts WHERE tenant = $1 AND acts > 0 ORDER BY acts DESC LIMIT 1";

/// The decisions of one turn of `evaluate` for one tenant.
#[derive(Debug, Default)]
pub struct AlertTurn {
    pub alerts: Vec<AlertRow>,
    pub notifications: Vec<NewNotification>,
    /// Alerts whose waiting notifications are void.
    pub cancelled: Vec<AlertKey>,
    /// Alerts that are open again, each with the stage whose withdrawn notifications are wanted again.
    pub reopened: Vec<(AlertKey, String)>,
    /// Alerts that are open again, held or not: notices of their end that have not reached systems yet are void.
    pub opened_again: Vec<AlertKey>,
    pub recovered: Vec<Recovered>,
    /// Alerts whose quiet ends early: what waits until the first time may go from the second on.
    pub let_go: Vec<(AlertKey, DateTime<Utc>, DateTime<Utc>)>,
    /// Keys of notifications that tell people about tickets that are no longer theirs.
    pub withdrawn: Vec<String>,
    /// Changes to write to tickets at SuperOps.
    pub write_backs: Vec<NewWriteBack>,
}

impl AlertTurn {
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.alerts.is_empty()
            && self.notifications.is_empty()
            && self.cancelled.is_empty()
            && self.reopened.is_empty()
            && self.opened_again.is_empty()
            && self.recovered.is_empty()
            && self.let_go.is_empty()
            && self.withdrawn.is_empty()
            && self.write_backs.is_empty()
    }
}

/// Who was told of an alert, at which stage and by which channel.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Told {
    pub alert: String,
    pub stage: String,
    pub recipient: String,
    pub channel: String,
}

/// How many alerts there are of a kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlertCount {
    pub clock: AlertKind,
    pub stage: String,
    /// `open`, or how they were resolved.
    pub state: String,
    pub number: i64,
}

impl Store {
    /// Counts all alerts by clock, stage and state.
    pub async fn alert_counts(&self) -> Result<Vec<AlertCount>, StoreError> {
        let rows = sql::query(
            "SELECT clock, stage, COALESCE(resolved_as, state) AS state, COUNT(*) AS number FROM alerts
             GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
        )
        .fetch_all(&self.reads)
        .await?;
        let count = |row: &Row| {
            let clock: String = row.try_get("clock")?;
            let known = AlertKind::parse(&clock);
            Ok(AlertCount {
                clock: known.ok_or_else(|| StoreError::Unreadable("an alert's clock".to_owned()))?,
                stage: row.try_get("stage")?,
                state: row.try_get("state")?,
                number: row.try_get("number")?,
            })
        };
        rows.iter().map(count).collect()
    }

    /// Returns the alerts of `tenant` that are open or whose ticket is. One that cannot be read is set aside and goes
    /// on with whatever can be read of it.
    pub async fn alerts(&self, tenant: &TenantId) -> Result<Vec<AlertRow>, StoreError> {
        let rows = sql::query(
            "SELECT * FROM alerts WHERE key IN (SELECT key FROM alerts WHERE tenant = $1 AND state = 'open'
               UNION SELECT a.key FROM tickets t CROSS JOIN alerts a
               WHERE t.tenant = $1 AND t.open = 1 AND a.tenant = t.tenant AND a.ticket_id = t.id) ORDER BY key",
        )
        .bind(tenant.as_str());
        self.readable_alerts(rows).await
    }

    /// Returns the number of the last human act on an alert of `tenant`; 0 if there was none yet.
    pub async fn last_act(&self, tenant: &TenantId) -> Result<i64, StoreError> {
        let last = sql::query_scalar(LAST_ACT).bind(tenant.as_str()).fetch_optional(&self.reads);
        Ok(last.await?.unwrap_or_default())
    }

    /// Returns those of [`Store::alerts`] that people acted on after the act number `acts`.
    pub async fn alerts_acted_on(&self, tenant: &TenantId, acts: i64) -> Result<Vec<AlertRow>, StoreError> {
        let rows = sql::query(
            "SELECT a.* FROM alerts a LEFT JOIN tickets t ON t.tenant = a.tenant AND t.id = a.ticket_id
             WHERE a.tenant = $1 AND a.acts > 0 AND a.acts > $2 AND (a.state = 'open' OR t.open = 1 OR t.id IS NULL)
             ORDER BY a.key",
        )
        .bind(tenant.as_str())
        .bind(acts);
        self.readable_alerts(rows).await
    }

    async fn readable_alerts(&self, rows: sql::Query) -> Result<Vec<AlertRow>, StoreError> {
        let (mut alerts, mut unreadable) = (Vec::new(), Vec::new());
        let read = |row: Row| {
            match alert_row(&row) {
                Ok(alert) => alerts.push(alert),
                Err(error) => unreadable.push((alerts.len(), row, error)),
            }
            Ok::<_, StoreError>(())
        };
        rows.fetch_each(&self.reads, read).await?;
        if let Some(at) = unreadable.iter().position(|(.., error)| matches!(error, StoreError::KeyMissing(_))) {
            return Err(unreadable.swap_remove(at).2);
        }
        // From the last to the first, so that each is inserted where it was found.
        for (place, row, error) in unreadable.into_iter().rev() {
            if let Some(salvaged) = self.set_alert_aside(&row, error).await? {
                alerts.insert(place, salvaged);
            }
        }
        Ok(alerts)
    }

    /// Returns the alert with that id, open or not.
    pub async fn alert(&self, id: &str) -> Result<Option<AlertRow>, StoreError> {
        let row = sql::query("SELECT * FROM alerts WHERE id = $1 AND id <> ''").bind(id);
        row.fetch_optional(&self.reads).await?.as_ref().map(alert_row).transpose()
    }

    /// Returns who was told of these alerts, or is about to be.
    pub async fn told(&self, alerts: &HashSet<String>) -> Result<HashSet<Told>, StoreError> {
        let rows = sql::query(
            "SELECT DISTINCT alert_key, stage, recipient, channel FROM notifications
             WHERE alert_key IN (SELECT value FROM json_each($1)) AND state <> 'cancelled'",
        )
        .bind(json(&alerts))
        .fetch_all(&self.reads)
        .await?;
        let told = |row: &Row| {
            Ok(Told {
                alert: row.try_get("alert_key")?,
                stage: row.try_get("stage")?,
                recipient: row.try_get("recipient")?,
                channel: row.try_get("channel")?,
            })
        };
        rows.iter().map(told).collect()
    }

    /// Returns the open alerts of all tenants that have a step due.
    pub async fn due_alerts(&self, now: DateTime<Utc>) -> Result<Vec<AlertKey>, StoreError> {
        let due = sql::query(
            "SELECT tenant, ticket_id, clock, cycle FROM alerts WHERE state = 'open' AND next_step_at <= $1 \
             ORDER BY next_step_at, key",
        );
        let rows = due.bind(millis(now)).fetch_all(&self.reads).await?;
        // One that cannot be read is skipped; its tenant finds out when it reads its alerts.
        Ok(rows.iter().filter_map(|row| alert_key(row).ok()).collect())
    }
}

fn alert_key(row: &Row) -> Result<AlertKey, StoreError> {
    let unreadable = |what: &str| StoreError::Unreadable(format!("an alert's {what}"));
    let text = |name: &str| row.try_get::<String, _>(name);
    let kind = AlertKind::parse(&text("clock")?).ok_or_else(|| unreadable("clock"))?;
    Ok(AlertKey {
        tenant: TenantId::parse(&text("tenant")?).map_err(|_| unreadable("tenant"))?,
        subject: kind.subject(&text("ticket_id")?).ok_or_else(|| unreadable("ticket"))?,
        kind,
        cycle: u32::try_from(row.try_get::<i64, _>("cycle")?).map_err(|_| unreadable("cycle"))?,
    })
}

pub(super) fn alert_row(row: &Row) -> Result<AlertRow, StoreError> {
    let unreadable = |what: &str| StoreError::Unreadable(format!("an alert's {what}"));
    let text = |name: &str| row.try_get::<String, _>(name);
    let number = |name: &str| row.try_get::<i64, _>(name);
    let small = |name: &'static str| u32::try_from(number(name)?).map_err(|_| unreadable(name));
    let stage = text("stage")?;
    let resolved: Option<String> = row.try_get("resolved_as")?;
    let next_step_at: Option<i64> = row.try_get("next_step_at")?;
    let asked: Option<String> = row.try_get("asked")?;
    let covered_until: Option<i64> = row.try_get("covered_until")?;
    let steps_from: Option<i64> = row.try_get("steps_from")?;
    Ok(AlertRow {
        key: alert_key(row)?,
        raised: Raised {
            stage: Stage::parse(&stage).ok_or_else(|| unreadable("stage"))?,
            due: instant(number("due")?)?,
            target: row.try_get::<Option<i64>, _>("target")?.map(TimeDelta::milliseconds),
            episode: small("episode")?,
            resolved_as: resolved.map(|text| Closing::parse(&text).ok_or_else(|| unreadable("closing"))).transpose()?,
        },
        reason: text("reason")?,
        raised_at: instant(number("raised_at")?)?,
        steps_from: instant(steps_from.map_or_else(|| number("raised_at"), Ok)?)?,
        changed_at: instant(number("changed_at")?)?,
        step: small("step")?,
        next_step_at: next_step_at.map(instant).transpose()?,
        generation: small("generation")?,
        told: number("told")? == 1,
        escalation: text("escalation")?,
        ack_expires: TimeDelta::milliseconds(number("ack_expires")?),
        asked: asked.map(|text| serde_json::from_str::<Asked>(&text).map_err(|_| unreadable("owner"))).transpose()?,
        covered_until: covered_until.map(instant).transpose()?,
        life: Life {
            hold: hold(row)?,
            again: number("again")? == 1,
            hurried: number("hurried")? == 1,
            acts: number("acts")?,
        },
    })
}

fn hold(row: &Row) -> Result<Option<Hold>, StoreError> {
    let time = |name: &str| row.try_get::<Option<i64>, _>(name)?.map(instant).transpose();
    let how: Option<String> = row.try_get("acked_how")?;
    let by: Option<String> = row.try_get("acked_by")?;
    let Some(at) = time("acked_at")? else { return Ok(None) };
    let snoozed_until = time("snoozed_until")?;
    let kind = if snoozed_until.is_some() { HoldKind::Snoozed } else { HoldKind::Acknowledged };
    let how = how.as_deref().and_then(How::parse);
    Ok(Some(Hold {
        kind,
        by: by.unwrap_or_default(),
        how: how.ok_or_else(|| StoreError::Unreadable("an alert's way of acknowledgement".to_owned()))?,
        at,
        until: snoozed_until.or(time("ack_until")?),
        over: row.try_get::<i64, _>("hold_over")? == 1,
    }))
}

/// Writes `alerts`, each only if nobody acted on it since it was read, and its digest was not refused; the error is
/// `RowNotFound` otherwise.
async fn upsert(tx: &mut Connection, alerts: &[AlertRow]) -> Result<(), sql::Error> {
    let mut query: QueryBuilder = QueryBuilder::new(
        "INSERT INTO alerts (key, tenant, ticket_id, clock, cycle, episode, stage, state, reason, due, raised_at,
         changed_at, step, next_step_at, generation, told, resolved_as, id, escalation, ack_expires, acked_at,
         acked_by, acked_how, ack_until, snoozed_until, hold_over, again, hurried, acts, asked, covered_until, target,
         steps_from) ",
    );
    query.push_values(alerts, |mut row, alert| {
        let state = if alert.raised.resolved_as.is_some() { "resolved" } else { "open" };
        row.push_bind(alert.key.to_string())
            .push_bind(alert.key.tenant.as_str())
            .push_bind(alert.key.subject.as_str())
            .push_bind(alert.key.kind.as_str())
            .push_bind(i64::from(alert.key.cycle))
            .push_bind(i64::from(alert.raised.episode))
            .push_bind(alert.raised.stage.as_str())
            .push_bind(state)
            .push_bind(REASON.seal(&[&alert.key.to_string()], alert.reason.as_str()))
            .push_bind(millis(alert.raised.due))
            .push_bind(millis(alert.raised_at))
            .push_bind(millis(alert.changed_at))
            .push_bind(i64::from(alert.step))
            .push_bind(alert.next_step_at.map(millis))
            .push_bind(i64::from(alert.generation))
            .push_bind(i64::from(alert.told))
            .push_bind(alert.raised.resolved_as.map(Closing::as_str))
            .push_bind(alert.key.id())
            .push_bind(alert.escalation.as_str())
            .push_bind(alert.ack_expires.num_milliseconds());
        push_life(&mut row, alert);
        let asked = alert.asked.as_ref().map(json);
        row.push_bind(asked.map(|asked| ASKED.seal(&[&alert.key.to_string()], asked)))
            .push_bind(alert.covered_until.map(millis));
        row.push_bind(alert.raised.target.map(|target| target.num_milliseconds())).push_bind(millis(alert.steps_from));
    });
    query.push(
        " ON CONFLICT (key) DO UPDATE SET episode = excluded.episode, stage = excluded.stage, state = excluded.state,
         reason = excluded.reason, due = excluded.due, raised_at = excluded.raised_at, changed_at = excluded.changed_at,
         step = excluded.step, next_step_at = excluded.next_step_at, generation = excluded.generation,
         told = excluded.told, resolved_as = excluded.resolved_as, escalation = excluded.escalation,
         ack_expires = excluded.ack_expires, acked_at = excluded.acked_at, acked_by = excluded.acked_by,
         acked_how = excluded.acked_how, ack_until = excluded.ack_until, snoozed_until = excluded.snoozed_until,
         hold_over = excluded.hold_over, again = excluded.again, hurried = excluded.hurried, asked = excluded.asked,
         covered_until = excluded.covered_until, target = excluded.target, steps_from = excluded.steps_from
         WHERE alerts.acts = excluded.acts AND alerts.told <= excluded.told",
    );
    let written = query.build().execute(tx).await?.rows_affected();
    if written == alerts.len() as u64 { Ok(()) } else { Err(sql::Error::RowNotFound) }
}

fn push_life(row: &mut sql::Separated<'_>, alert: &AlertRow) {
    let life = &alert.life;
    let hold = life.hold.as_ref();
    let until = |kind| hold.filter(|hold| hold.kind == kind).and_then(|hold| hold.until).map(millis);
    row.push_bind(hold.map(|hold| millis(hold.at)))
        .push_bind(hold.map(|hold| ACKED_BY.seal(&[&alert.key.to_string()], hold.by.as_str())))
        .push_bind(hold.map(|hold| hold.how.as_str()))
        .push_bind(until(HoldKind::Acknowledged))
        .push_bind(until(HoldKind::Snoozed))
        .push_bind(i64::from(hold.is_some_and(|hold| hold.over)))
        .push_bind(i64::from(life.again))
        .push_bind(i64::from(life.hurried))
        .push_bind(life.acts);
}

/// Overwrites what is there with `alert`, even if somebody has read it before.
pub(super) async fn rewrite(tx: &mut Connection, alert: &AlertRow) -> Result<(), sql::Error> {
    let set = sql::query("UPDATE alerts SET acts = $1 WHERE key = $2").bind(alert.life.acts);
    set.bind(alert.key.to_string()).execute(&mut *tx).await?;
    upsert(tx, std::slice::from_ref(alert)).await
}

/// Fills in the ids of alerts from older versions.
pub(super) async fn fill_ids(connection: &mut Connection) -> Result<(), sql::Error> {
    let keys: Vec<String> =
        sql::query_scalar("SELECT key FROM alerts WHERE id = ''").fetch_all(&mut *connection).await?;
    for key in keys {
        let fill = sql::query("UPDATE alerts SET id = $1 WHERE key = $2").bind(id_of(&key)).bind(key);
        fill.execute(&mut *connection).await?;
    }
    Ok(())
}

/// Tells those who were told that it is over, on the same channel and in the same thread. An end that is not good news
/// is told to systems only.
pub(super) async fn recover(tx: &mut Connection, recovered: &Recovered, now: DateTime<Utc>) -> Result<(), sql::Error> {
    // Those who were told only in bundles find its end in the thread of one of them, named after the bundle.
    let told = format!(
        "SELECT n.recipient, n.channel, MAX(n.message) AS message, MAX(n.person) AS person, MAX(n.zone) AS zone,
                MAX(n.urgent) AS urgent, 0 AS timely,
                MAX(CASE WHEN n.state IN ('sent', 'sending') OR (n.state = 'bundled' AND whole.state = 'sending')
                    THEN 1 ELSE 0 END) AS told,
                CASE WHEN COUNT(whole.key) = COUNT(*) THEN MAX(whole.alert_key) END AS thread
         FROM notifications n LEFT JOIN notifications whole ON whole.key = n.bundle
         WHERE n.alert_key = $1 AND n.kind = 'alert' AND {MAY_BE_KNOWN}
         GROUP BY n.recipient, n.channel ORDER BY n.recipient, n.channel"
    );
    let told = sql::query(sql::AssertSqlSafe(told)).bind(recovered.key.to_string());
    let rows = told.fetch_all(&mut *tx).await?;
    let mut notices: Vec<NewNotification> = Vec::with_capacity(rows.len());
    for row in rows {
        let (message, channel): (String, String) = (row.try_get("message")?, row.try_get("channel")?);
        let kind = ChannelKind::parse(&channel);
        // No phone rings for good news.
        if kind == Some(ChannelKind::Voice) {
            continue;
        }
        let is_system = kind.is_some_and(ChannelKind::is_system);
        // A system may have accepted a message that we never heard back about: its incident would stay open for ever.
        let told: bool = row.try_get("told")?;
        if is_system || (told && matches!(recovered.closing, Closing::Met | Closing::TooEarly)) {
            let (recipient, reader) = (row.try_get("recipient")?, super::outbox::reader(&row)?);
            let notice = NewNotification::recovery(recovered, recipient, channel, &message, reader, now);
            let thread: Option<String> = row.try_get("thread")?;
            // Good news by email needs no text message as well. Email comes first in the alphabet.
            let is_said = |notice: &NewNotification| {
                let same = |known: &NewNotification| {
                    known.recipient == notice.recipient && known.channel == ChannelKind::Email
                };
                notice.channel == ChannelKind::Sms && notices.iter().any(same)
            };
            let notice = notice.filter(|notice| !is_said(notice));
            notices.extend(notice.map(|notice| notice.in_thread(thread)));
        }
    }
    if notices.is_empty() { Ok(()) } else { super::outbox::enqueue(tx, &notices).await }
}
