//! Weekly figures: how many messages were sent, and what came of them.
//!
//! The figures are counters, updated in the transaction in which a message is sent, a person acts on an alert, or a
//! ticket is seen to have changed. A query therefore reads one row per week, and the figures outlive what was counted.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, TimeDelta, Utc};

use super::outbox::{Attempted, Outcome, json};
use super::{Store, StoreError, instant, millis};
use crate::alert::life::AlertRow;
use crate::store::sql::{self, Connection};
use crate::ticket::watch::{Change, ChangeKind};
use crate::ticket::{TenantId, TicketId};

/// The first Monday of 1970.
const FIRST_MONDAY: i64 = 4 * 24 * 3_600_000;
const WEEK: i64 = TimeDelta::weeks(1).num_milliseconds();
/// How long after it was told an alert without any reaction counts as ignored. It stays so: a figure once shown is not
/// taken back.
const TIME_TO_ACT: TimeDelta = TimeDelta::hours(1);

/// What was sent in one week and what came of it. An alert counts in the week in which it was first told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Week {
    /// Messages of every kind that were handed over.
    pub messages: i64,
    /// Alerts that somebody was told of.
    pub alerts: i64,
    /// Those of them that a person acknowledged, snoozed, escalated or resolved here.
    pub acknowledged: i64,
    /// Those whose ticket was touched after the first message and before it was due.
    pub acted_before_breach: i64,
    /// Those without any reaction within an hour, neither here nor on the ticket.
    pub ignored: i64,
}

/// The weeks of tenants, by when they began.
pub type Weeks = BTreeMap<(TenantId, DateTime<Utc>), Week>;

/// Increments for the counters of one week.
#[derive(Clone, Copy, Default)]
struct Count {
    messages: i64,
    alerts: i64,
    acknowledged: i64,
    acted_before_breach: i64,
    /// Acknowledged, or touched.
    answered: i64,
    /// Those of them that had been left alone for too long.
    answered_late: i64,
}

/// Increments by tenant and beginning of the week.
#[derive(Default)]
struct Counts(HashMap<(String, i64), Count>);

/// Returns the Monday, at midnight UTC, on which the week of `at` began.
pub fn week_of(at: DateTime<Utc>) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(week(millis(at))).unwrap_or(at)
}

fn week(at: i64) -> i64 {
    at - (at - FIRST_MONDAY).rem_euclid(WEEK)
}

impl Store {
    /// Returns the weeks of `tenants` that began at `from` or later.
    pub async fn weeks(
        &self,
        tenants: &[&TenantId],
        from: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<Weeks, StoreError> {
        let fresh = self.unanswered_since(now - TIME_TO_ACT).await?;
        let rows = sql::query(
            "SELECT tenant, week, messages, alerts, acknowledged, acted_before_breach, answered - answered_late AS in_time
             FROM weekly_figures
             WHERE tenant IN (SELECT value FROM json_each($1)) AND week >= $2",
        )
        .bind(json(&tenants))
        .bind(millis(from))
        .fetch_all(&self.reads)
        .await?;
        let mut weeks = Weeks::new();
        for row in rows {
            let number = |name: &str| row.try_get::<i64, _>(name);
            let key: (String, i64) = (row.try_get("tenant")?, number("week")?);
            let waiting = fresh.get(&key).copied().unwrap_or_default();
            let figures = Week {
                messages: number("messages")?,
                alerts: number("alerts")?,
                acknowledged: number("acknowledged")?,
                acted_before_breach: number("acted_before_breach")?,
                ignored: (number("alerts")? - number("in_time")? - waiting).max(0),
            };
            let tenant = TenantId::parse(&key.0).map_err(super::tickets::unreadable)?;
            weeks.insert((tenant, instant(key.1)?), figures);
        }
        Ok(weeks)
    }

    /// Counts the alerts that were told at `since` or later and not answered yet, by tenant and week.
    async fn unanswered_since(&self, since: DateTime<Utc>) -> Result<HashMap<(String, i64), i64>, StoreError> {
        let rows: Vec<(String, i64)> =
            sql::query_as("SELECT tenant, told_at FROM alerts WHERE told_at >= $1 AND acts = 0 AND touched_at IS NULL")
                .bind(millis(since))
                .fetch_all(&self.reads)
                .await?;
        let mut fresh = HashMap::new();
        for (tenant, told_at) in rows {
            *fresh.entry((tenant, week(told_at))).or_default() += 1;
        }
        Ok(fresh)
    }
}

impl Count {
    /// Counts the first reaction since somebody was told, seen at `at`.
    fn answer(&mut self, told_at: i64, at: DateTime<Utc>) {
        self.answered += 1;
        self.answered_late += i64::from(millis(at - TIME_TO_ACT) > told_at);
    }
}

impl Counts {
    fn of(&mut self, tenant: &str, at: i64) -> &mut Count {
        self.0.entry((tenant.to_owned(), week(at))).or_default()
    }

    async fn add(self, tx: &mut Connection) -> Result<(), sql::Error> {
        for ((tenant, week), count) in self.0 {
            sql::query(
                "INSERT INTO weekly_figures (tenant, week, messages, alerts, acknowledged, acted_before_breach, answered,
                 answered_late) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (tenant, week) DO UPDATE SET
                 messages = weekly_figures.messages + excluded.messages, alerts = weekly_figures.alerts + excluded.alerts,
                 acknowledged = weekly_figures.acknowledged + excluded.acknowledged,
                 acted_before_breach = weekly_figures.acted_before_breach + excluded.acted_before_breach,
                 answered = weekly_figures.answered + excluded.answered,
                 answered_late = weekly_figures.answered_late + excluded.answered_late",
            )
            .bind(tenant)
            .bind(week)
            .bind(count.messages)
            .bind(count.alerts)
            .bind(count.acknowledged)
            .bind(count.acted_before_breach)
            .bind(count.answered)
            .bind(count.answered_late)
            .execute(&mut *tx)
            .await?;
        }
        Ok(())
    }
}

/// Counts the accepted messages, and the alerts that somebody was told of by them for the first time.
pub(super) async fn count_sent(tx: &mut Connection, attempts: &[Attempted]) -> Result<(), sql::Error> {
    let is_taken = |one: &&Attempted| matches!(one.outcome, Outcome::Taken { .. });
    let taken: Vec<_> = attempts.iter().filter(is_taken).collect();
    let Some(at) = taken.iter().map(|one| millis(one.at)).max() else { return Ok(()) };
    let mut counts = Counts::default();
    for one in &taken {
        counts.of(one.leased.notification.tenant.as_str(), at).messages += 1;
    }
    let told: Vec<(String, i64)> = sql::query_as(
        "UPDATE alerts SET told_at = $1 WHERE key IN (SELECT value FROM json_each($2)) AND told_at IS NULL
         RETURNING tenant, acts",
    )
    .bind(at)
    .bind(json(&alerts_of(tx, &taken).await?))
    .fetch_all(&mut *tx)
    .await?;
    for (tenant, acts) in told {
        let count = counts.of(&tenant, at);
        count.alerts += 1;
        count.acknowledged += i64::from(acts > 0);
        count.answered += i64::from(acts > 0);
    }
    counts.add(tx).await
}

/// Returns the keys of the alerts that the `taken` messages told of, alone or in bundles.
async fn alerts_of(tx: &mut Connection, taken: &[&Attempted]) -> Result<Vec<String>, sql::Error> {
    let of = |kind: &'static str| {
        let sent = taken.iter().map(|one| &one.leased.notification);
        sent.filter(move |sent| sent.kind == kind)
    };
    let mut alerts: Vec<String> = of("alert").map(|alone| alone.alert_key.clone()).collect();
    for bundle in of("bundle") {
        let members: Vec<String> = sql::query_scalar(
            "SELECT alert_key FROM notifications WHERE bundle = $1 AND kind = 'alert' AND state = 'sent'",
        )
        .bind(&bundle.message.key)
        .fetch_all(&mut *tx)
        .await?;
        alerts.extend(members);
    }
    Ok(alerts)
}

/// Counts that a person acts at `now` on an alert; `before` is the alert before that.
pub(super) async fn count_act(tx: &mut Connection, before: &AlertRow, now: DateTime<Utc>) -> Result<(), sql::Error> {
    if before.life.acts > 0 {
        return Ok(());
    }
    let row: Option<(Option<i64>, Option<i64>)> =
        sql::query_as("SELECT told_at, touched_at FROM alerts WHERE key = $1")
            .bind(before.key.to_string())
            .fetch_optional(&mut *tx)
            .await?;
    // An alert acknowledged before anybody was told is counted when somebody is.
    let Some((Some(told_at), touched_at)) = row else { return Ok(()) };
    let mut counts = Counts::default();
    let count = counts.of(before.key.tenant.as_str(), told_at);
    count.acknowledged = 1;
    if touched_at.is_none() {
        count.answer(told_at, now);
    }
    counts.add(tx).await
}

/// Counts the alerts whose tickets somebody worked on for the first time since somebody was told, as seen at `seen_at`.
pub(super) async fn count_changes(
    tx: &mut Connection,
    tenant: &TenantId,
    changes: &[(&TicketId, &Change)],
    seen_at: DateTime<Utc>,
) -> Result<(), sql::Error> {
    let actions = changes.iter().filter(|(_, change)| is_action(change.kind));
    // The last change of each ticket: all changes in one answer of SuperOps have the same time.
    let actions: BTreeMap<&str, (i64, i64)> =
        actions.map(|(id, change)| (id.as_str(), (millis(change.at.earliest), millis(change.at.latest)))).collect();
    if actions.is_empty() {
        return Ok(());
    }
    let untouched: Vec<(String, String, i64, i64, i64)> = sql::query_as(
        "SELECT key, ticket_id, told_at, due, acts FROM alerts WHERE tenant = $1
         AND ticket_id IN (SELECT value FROM json_each($2)) AND told_at IS NOT NULL AND touched_at IS NULL",
    )
    .bind(tenant.as_str())
    .bind(json(&actions.keys().collect::<Vec<_>>()))
    .fetch_all(&mut *tx)
    .await?;
    let mut counts = Counts::default();
    for (key, ticket, told_at, due, acts) in untouched {
        let Some((earliest, _)) = actions.get(ticket.as_str()).filter(|(_, latest)| told_at < *latest) else {
            continue;
        };
        let touched_at = told_at.max(*earliest);
        let touch = sql::query("UPDATE alerts SET touched_at = $2 WHERE key = $1").bind(key).bind(touched_at);
        touch.execute(&mut *tx).await?;
        let count = counts.of(tenant.as_str(), told_at);
        count.acted_before_breach += i64::from(touched_at < due);
        if acts == 0 {
            count.answer(told_at, seen_at);
        }
    }
    counts.add(tx).await
}

/// Whether somebody did something to the ticket.
fn is_action(kind: ChangeKind) -> bool {
    use ChangeKind::{Assignee, FirstResponse, Group, Priority, Resolved, Status};
    matches!(kind, Status | Assignee | Group | Priority | FirstResponse | Resolved)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_week_begins_on_monday_at_midnight_in_utc() {
        let of = |text: &str| week_of(text.parse().unwrap()).to_rfc3339();
        assert_eq!(of("2026-11-22T23:59:59.999Z"), "2026-11-16T00:00:00+00:00");
        assert_eq!(of("2026-11-23T00:00:00Z"), "2026-11-23T00:00:00+00:00");
        assert_eq!(of("1969-12-31T12:00:00Z"), "1969-12-29T00:00:00+00:00");
    }
}
