//! Reads what was told about alerts, and how each attempt went, for people to see.

use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

use chrono::{DateTime, Utc};

use super::alerts::{AlertRow, alert_row};
use super::latest::LastShown;
use super::outbox::{Logged, json, logged};
use super::{Store, StoreError, instant};
use crate::alert::life::{How, State};
use crate::alert::{AlertKey, AlertKind, Stage};
use crate::store::sql::{self, FromRow};
use crate::ticket::{TenantId, TicketId};

/// An open alert, with only what lists are sorted by.
#[derive(Clone, Debug)]
pub struct OpenAlert {
    pub key: AlertKey,
    pub stage: Stage,
    pub due: DateTime<Utc>,
    pub changed_at: DateTime<Utc>,
    pub state: State,
}

type OpenRow = (String, String, String, u32, String, i64, bool, bool, i64);

/// Which time of an alert a list is sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlertTime {
    Changed,
    Due,
}

impl AlertTime {
    pub(super) fn column(self) -> &'static str {
        match self {
            Self::Changed => "changed_at",
            Self::Due => "due",
        }
    }
}

impl OpenAlert {
    fn read(
        (tenant, subject, kind, cycle, stage, due, held, snoozed, changed_at): OpenRow,
    ) -> Result<Self, StoreError> {
        let strange = || StoreError::Unreadable("an alert of no known kind, subject or stage".to_owned());
        let kind = AlertKind::parse(&kind).ok_or_else(strange)?;
        let (tenant, subject) = (TenantId::parse(&tenant).ok(), kind.subject(&subject));
        let (tenant, subject) = tenant.zip(subject).ok_or_else(strange)?;
        let key = AlertKey { tenant, subject, kind, cycle };
        let state = match (held, snoozed) {
            (false, _) => State::Open,
            (true, false) => State::Acknowledged,
            (true, true) => State::Snoozed,
        };
        let (due, changed_at) = (instant(due)?, instant(changed_at)?);
        Ok(Self { key, stage: Stage::parse(&stage).ok_or_else(strange)?, due, changed_at, state })
    }

    /// Takes the same from `row`.
    pub fn of(row: &AlertRow) -> Self {
        let (due, changed_at) = (row.raised.due, row.changed_at);
        Self { key: row.key.clone(), stage: row.raised.stage, due, changed_at, state: row.state() }
    }

    /// Returns its position in a list by `time`.
    pub fn place(&self, time: AlertTime) -> LastShown {
        let at = match time {
            AlertTime::Changed => self.changed_at,
            AlertTime::Due => self.due,
        };
        LastShown { at: at.timestamp_millis(), key: self.key.to_string() }
    }
}

/// How one attempt to send a notification went.
#[derive(Clone, Debug)]
pub struct LoggedAttempt {
    pub number: u32,
    pub at: DateTime<Utc>,
    /// taken | unavailable | refused | misconfigured
    pub outcome: String,
    pub detail: Option<String>,
}

/// The most interesting events of a run, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Highlights {
    /// Later steps of an escalation that told somebody.
    pub escalations: i64,
    /// Alerts acknowledged by the link in a message.
    pub by_link: i64,
    /// Alerts acknowledged by a reply to a text message.
    pub by_text: i64,
    /// Messages at the end of quiet hours.
    pub digests: i64,
    pub recoveries: i64,
}

sql::from_row!(Highlights { escalations, by_link, by_text, digests, recoveries });

/// A breach that was seen to happen.
#[derive(Clone, Copy, Debug)]
pub struct BreachTold {
    /// When it was found.
    pub at: DateTime<Utc>,
    /// When a person was first sent something about its alert.
    pub told_at: Option<DateTime<Utc>>,
}

impl Store {
    /// Returns every alert that rose to a breach while watched, with when a person was first told of it.
    pub async fn breaches_told(&self) -> Result<Vec<BreachTold>, StoreError> {
        let rows: Vec<(i64, Option<i64>)> = sql::query_as(
            "SELECT COALESCE(MIN(CASE WHEN n.stage LIKE 'breached%' THEN n.created_at END), a.raised_at),
                    MIN(CASE WHEN n.state = 'sent' AND n.channel <> 'webhook' THEN n.done_at END)
             FROM alerts a LEFT JOIN notifications n ON n.alert_key = a.key
             WHERE a.stage = 'breached' AND a.told = 1 GROUP BY a.key",
        )
        .fetch_all(&self.reads)
        .await?;
        let breach = |(at, told_at): (i64, Option<i64>)| {
            Ok(BreachTold { at: instant(at)?, told_at: told_at.map(instant).transpose()? })
        };
        rows.into_iter().map(breach).collect()
    }

    /// Returns the most interesting events, in numbers.
    pub async fn highlights(&self) -> Result<Highlights, StoreError> {
        let counts = sql::query_as(
            "SELECT COUNT(DISTINCT CASE WHEN kind = 'alert' AND step > 0 THEN alert_key || stage || step END) AS escalations,
                    COUNT(DISTINCT CASE WHEN held_by = 'quiet_hours' THEN bundle END) AS digests,
                    COUNT(CASE WHEN kind = 'recovery' THEN 1 END) AS recoveries,
                    (SELECT COUNT(*) FROM audit WHERE what LIKE 'acknowledged alert%' AND what LIKE $1) AS by_link,
                    (SELECT COUNT(*) FROM audit WHERE what LIKE 'acknowledged alert%' AND what LIKE $2) AS by_text
             FROM notifications WHERE state = 'sent'",
        );
        let by = |how: How| format!("%({})%", how.words());
        Ok(counts.bind(by(How::Link)).bind(by(How::Sms)).fetch_one(&self.reads).await?)
    }

    /// Returns what lists sort by of the open alerts of `tenants`, including acknowledged and snoozed ones.
    pub async fn open_alerts(&self, tenants: &[&TenantId]) -> Result<Vec<OpenAlert>, StoreError> {
        let rows = sql::query(
            "SELECT tenant, ticket_id, clock, cycle, stage, due, acked_at IS NOT NULL AND hold_over = 0,
                    snoozed_until IS NOT NULL, changed_at, key
             FROM alerts WHERE tenant IN (SELECT value FROM json_each($1)) AND state = 'open'",
        )
        .bind(json(&tenants))
        .fetch_all(&self.reads)
        .await?;
        self.legible("alert", "key", &rows, |row| OpenAlert::read(OpenRow::from_row(row)?))
    }

    /// Returns a number that changes when anything about the open alerts of `tenant` changes.
    pub async fn alert_mark(&self, tenant: &TenantId) -> Result<u64, StoreError> {
        type Row = (String, i64, i64, i64, i64, i64, Option<i64>, Option<i64>);
        let rows: Vec<Row> = sql::query_as(
            "SELECT key, changed_at, step, generation, told, acts, next_step_at, covered_until FROM alerts
             WHERE tenant = $1 AND state = 'open' ORDER BY key",
        )
        .bind(tenant.as_str())
        .fetch_all(&self.reads)
        .await?;
        Ok(BuildHasherDefault::<DefaultHasher>::default().hash_one(rows))
    }

    /// Returns the open alerts of `tenants` that somebody acknowledged or snoozed, the first held first.
    pub async fn held_alerts(&self, tenants: &[&TenantId]) -> Result<Vec<AlertRow>, StoreError> {
        let rows = sql::query(
            "SELECT * FROM alerts WHERE tenant IN (SELECT value FROM json_each($1)) AND acked_at IS NOT NULL
             AND hold_over = 0 AND state = 'open' ORDER BY acked_at, key",
        );
        self.readable(&rows.bind(json(&tenants)).fetch_all(&self.reads).await?)
    }

    /// Returns all alerts of one ticket.
    pub async fn alerts_of(&self, tenant: &TenantId, ticket: &TicketId) -> Result<Vec<AlertRow>, StoreError> {
        let rows = sql::query("SELECT * FROM alerts WHERE tenant = $1 AND ticket_id = $2 ORDER BY key");
        let rows = rows.bind(tenant.as_str()).bind(ticket.as_str()).fetch_all(&self.reads).await?;
        self.readable(&rows)
    }

    /// Returns the alerts with these keys, as far as they can be read.
    pub async fn alerts_by_key(&self, keys: &[String]) -> Result<Vec<AlertRow>, StoreError> {
        let rows = sql::query("SELECT * FROM alerts WHERE key IN (SELECT value FROM json_each($1))");
        self.readable(&rows.bind(json(&keys)).fetch_all(&self.reads).await?)
    }

    /// Returns what was told about each of these alerts, by its key, oldest first: alone, in a bundle or in a digest.
    pub async fn said_of(&self, alerts: &[String]) -> Result<HashMap<String, Vec<Logged>>, StoreError> {
        let mut said: HashMap<String, Vec<Logged>> = HashMap::new();
        let rows = sql::query(
            "SELECT alert_key AS about, * FROM notifications WHERE alert_key IN (SELECT value FROM json_each($1))
             UNION ALL SELECT d.alert_key AS about, n.* FROM digested d
             JOIN notifications n ON n.alert_key = d.digest AND n.recipient = d.recipient
             WHERE d.alert_key IN (SELECT value FROM json_each($1)) ORDER BY created_at, key",
        );
        let rows = rows.bind(json(&alerts)).fetch_all(&self.reads).await?;
        // One that can no longer be read must not hide the others.
        let about = |row: &sql::Row| Ok::<_, StoreError>((row.try_get("about")?, logged(row)?));
        for (alert, found) in self.legible::<(String, _), _>("message", "key", &rows, about)? {
            said.entry(alert).or_default().push(found);
        }
        Ok(said)
    }

    /// Returns the attempts to send each of these notifications, by its key, in order.
    pub async fn attempts_of(&self, keys: &[String]) -> Result<HashMap<String, Vec<LoggedAttempt>>, StoreError> {
        let mut attempts: HashMap<String, Vec<LoggedAttempt>> = HashMap::new();
        let rows =
            sql::query("SELECT * FROM attempts WHERE notification IN (SELECT value FROM json_each($1)) ORDER BY id");
        let rows = rows.bind(json(&keys)).fetch_all(&self.reads).await?;
        for (key, one) in self.legible("attempt", "id", &rows, attempt)? {
            attempts.entry(key).or_default().push(one);
        }
        Ok(attempts)
    }

    /// Skips alerts that cannot be read: one must not hide the others.
    fn readable(&self, rows: &[sql::Row]) -> Result<Vec<AlertRow>, StoreError> {
        self.legible("alert", "key", rows, alert_row)
    }
}

/// Returns the attempt with the key of its notification.
fn attempt(row: &sql::Row) -> Result<(String, LoggedAttempt), StoreError> {
    let attempt = LoggedAttempt {
        number: row.try_get("number")?,
        at: instant(row.try_get("at")?)?,
        outcome: row.try_get("outcome")?,
        detail: row.try_get("detail")?,
    };
    Ok((row.try_get("notification")?, attempt))
}
