//! Stored silences and maintenance windows.

use chrono::{DateTime, Utc};

use super::audit::{Author, audit};
use super::books::changes::note_all;
use super::outbox::{hold_covered, let_go};
use super::{Store, StoreError, instant, millis};
use crate::alert::Subject;
use crate::alert::escalation::ChannelKind;
use crate::alert::suppression::{Matchers, Suppression, SuppressionKind, covered_until};
use crate::store::sql::{self, AssertSqlSafe, Connection, Row};
use crate::ticket::{Reach, TenantId, Ticket};

/// A silence or a maintenance window to be stored.
#[derive(Clone, Debug)]
pub struct NewSuppression {
    pub kind: SuppressionKind,
    pub tenant: TenantId,
    pub matchers: Matchers,
    pub from: DateTime<Utc>,
    pub until: DateTime<Utc>,
    pub author: String,
    pub reason: String,
}

fn table(kind: SuppressionKind) -> &'static str {
    match kind {
        SuppressionKind::Silence => "silences",
        SuppressionKind::Maintenance => "maintenance_windows",
    }
}

impl Store {
    /// Stores `new`. If its time has come, it holds once this returns: waiting notifications wait for its end.
    pub async fn add_suppression(
        &self,
        new: NewSuppression,
        author: Author,
        now: DateTime<Utc>,
    ) -> Result<Suppression, StoreError> {
        self.writer
            .write(move |tx: &mut Connection| {
                Box::pin(async move {
                    let id = insert(tx, &new).await?;
                    let what = told(&new, id);
                    audit(tx, Some(&new.tenant), &what, &author, now).await?;
                    cover(tx, &new.tenant, now).await?;
                    note(tx, new.kind, &new.tenant).await?;
                    let NewSuppression { kind, tenant, matchers, from, until, author, reason } = new;
                    Ok(Suppression { kind, id, tenant, matchers, from, until, author, reason, ended_at: None })
                })
            })
            .await
    }

    /// Ends a suppression early, within `reach` only. Returns false if there is none that could be ended. Notifications
    /// that only it kept back may go.
    pub async fn end_suppression(
        &self,
        kind: SuppressionKind,
        reach: &Reach,
        id: i64,
        author: Author,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let reach = reach.clone();
        self.writer
            .write(move |tx: &mut Connection| {
                Box::pin(async move {
                    let Some((tenant, matchers)) = end(tx, kind, &reach, id, now).await? else {
                        return Ok(false);
                    };
                    let tenant = TenantId::parse(&tenant).map_err(|error| sql::Error::Decode(error.into()))?;
                    cover(tx, &tenant, now).await?;
                    note(tx, kind, &tenant).await?;
                    let what = format!("ended {} {id}, of {matchers}, early", kind.words());
                    audit(tx, Some(&tenant), &what, &author, now).await?;
                    Ok(true)
                })
            })
            .await
    }

    /// Returns the suppressions within `reach` that hold at `now` or later, of both kinds, the first to end first.
    pub async fn suppressions(&self, reach: &Reach, now: DateTime<Utc>) -> Result<Vec<Suppression>, StoreError> {
        read(&mut self.reads.acquire().await?, reach, now).await
    }
}

impl Store {
    /// Returns the suppressions that held after `since`, of both kinds, including ended ones.
    pub async fn suppressions_since(&self, since: DateTime<Utc>) -> Result<Vec<Suppression>, StoreError> {
        let mut found = Vec::new();
        for kind in SuppressionKind::ALL {
            let table = table(kind);
            let query = format!(
                "SELECT * FROM {table} WHERE until_at > $1 AND (ended_at IS NULL OR ended_at > $1) ORDER BY until_at, id"
            );
            let rows = sql::query(AssertSqlSafe(query)).bind(millis(since)).fetch_all(&self.reads).await?;
            found.extend(self.legible(kind.words(), "id", &rows, |row| suppression(kind, row))?);
        }
        Ok(found)
    }
}

/// Marks reports as outdated: a maintenance window does not count as uptime in them, not even for closed months.
async fn note(tx: &mut Connection, kind: SuppressionKind, tenant: &TenantId) -> Result<(), sql::Error> {
    match kind {
        SuppressionKind::Maintenance => note_all(tx, tenant).await,
        SuppressionKind::Silence => Ok(()),
    }
}

/// `added silence 4, of client Globex, from 2026-11-22 12:00 to 14:00 UTC: moving racks`, for the audit log.
fn told(new: &NewSuppression, id: i64) -> String {
    let NewSuppression { kind, matchers, from, until, reason, .. } = new;
    let until_form = if from.date_naive() == until.date_naive() { "%H:%M" } else { "%Y-%m-%d %H:%M" };
    let (from, until) = (from.format("%Y-%m-%d %H:%M"), until.format(until_form));
    let reason = if reason.is_empty() { String::new() } else { format!(": {reason}") };
    format!("added {} {id}, of {matchers}, from {from} to {until} UTC{reason}", kind.words())
}

async fn read(connection: &mut Connection, reach: &Reach, now: DateTime<Utc>) -> Result<Vec<Suppression>, StoreError> {
    let mut found = Vec::new();
    for kind in SuppressionKind::ALL {
        let table = table(kind);
        let query = format!(
            "SELECT * FROM {table} WHERE (tenant = $1 OR $1 IS NULL) AND until_at > $2 AND ended_at IS NULL
             ORDER BY until_at, id"
        );
        let rows =
            sql::query(AssertSqlSafe(query)).bind(reach.as_str()).bind(millis(now)).fetch_all(&mut *connection).await?;
        for row in &rows {
            found.push(suppression(kind, row)?);
        }
    }
    Ok(found)
}

/// Stores with each open alert of `tenant` until when nobody is to be told of it, and releases notifications that need
/// not wait that long any more. The evaluation does the same each turn, as tickets change and time passes.
async fn cover(tx: &mut Connection, tenant: &TenantId, now: DateTime<Utc>) -> Result<(), sql::Error> {
    let suppressions =
        read(tx, &Reach::One(tenant.clone()), now).await.map_err(|error| sql::Error::Decode(error.into()))?;
    let alerts: Vec<(String, Option<i64>, String, String, String)> = sql::query_as(
        "SELECT a.key, a.covered_until, t.ticket, t.tenant, t.id FROM alerts a
         JOIN tickets t ON t.tenant = a.tenant AND t.id = a.ticket_id WHERE a.tenant = $1 AND a.state = 'open'",
    )
    .bind(tenant.as_str())
    .fetch_all(&mut *tx)
    .await?;
    for (key, before, ticket, ..) in alerts {
        let Ok(ticket) = serde_json::from_str::<Ticket>(&ticket) else { continue };
        let until = covered_until(&suppressions, Subject::of_ticket(tenant, &ticket), now);
        if until.map(millis) == before {
            continue;
        }
        let note = sql::query("UPDATE alerts SET covered_until = $2 WHERE key = $1");
        note.bind(&key).bind(until.map(millis)).execute(&mut *tx).await?;
        let before = before.and_then(DateTime::from_timestamp_millis);
        let from = until.unwrap_or(now);
        if let Some(before) = before.filter(|before| from < *before) {
            let_go(tx, &key, before, from).await?;
        }
    }
    for channel in ChannelKind::ALL {
        hold_covered(tx, channel, now).await?;
    }
    Ok(())
}

async fn insert(tx: &mut Connection, new: &NewSuppression) -> Result<i64, sql::Error> {
    let query = format!(
        "INSERT INTO {} (tenant, client, ticket, priority, technician, from_at, until_at, author, reason, component)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) RETURNING id",
        table(new.kind)
    );
    sql::query_scalar(AssertSqlSafe(query))
        .bind(new.tenant.as_str())
        .bind(new.matchers.client.as_deref())
        .bind(new.matchers.ticket.as_deref())
        .bind(new.matchers.priority.as_deref())
        .bind(new.matchers.technician.as_deref())
        .bind(millis(new.from))
        .bind(millis(new.until))
        .bind(&new.author)
        .bind(&new.reason)
        .bind(new.matchers.component.as_deref())
        .fetch_one(tx)
        .await
}

async fn end(
    tx: &mut Connection,
    kind: SuppressionKind,
    reach: &Reach,
    id: i64,
    now: DateTime<Utc>,
) -> Result<Option<(String, Matchers)>, sql::Error> {
    let query = format!(
        "UPDATE {} SET ended_at = $3 WHERE id = $1 AND (tenant = $2 OR $2 IS NULL) AND ended_at IS NULL
         AND until_at > $3 RETURNING tenant, client, ticket, component, priority, technician",
        table(kind)
    );
    let ended = sql::query(AssertSqlSafe(query)).bind(id).bind(reach.as_str()).bind(millis(now));
    let Some(row) = ended.fetch_optional(tx).await? else { return Ok(None) };
    Ok(Some((row.try_get("tenant")?, matchers(&row)?)))
}

fn matchers(row: &Row) -> Result<Matchers, sql::Error> {
    Ok(Matchers {
        client: row.try_get("client")?,
        ticket: row.try_get("ticket")?,
        component: row.try_get("component")?,
        priority: row.try_get("priority")?,
        technician: row.try_get("technician")?,
    })
}

/// Reads a stored maintenance window.
pub(super) fn window(row: &Row) -> Result<Suppression, StoreError> {
    suppression(SuppressionKind::Maintenance, row)
}

fn suppression(kind: SuppressionKind, row: &Row) -> Result<Suppression, StoreError> {
    let tenant: String = row.try_get("tenant")?;
    let ended_at: Option<i64> = row.try_get("ended_at")?;
    Ok(Suppression {
        kind,
        id: row.try_get("id")?,
        tenant: TenantId::parse(&tenant).map_err(super::tickets::unreadable)?,
        matchers: matchers(row)?,
        from: instant(row.try_get("from_at")?)?,
        until: instant(row.try_get("until_at")?)?,
        author: row.try_get("author")?,
        reason: row.try_get("reason")?,
        ended_at: ended_at.map(instant).transpose()?,
    })
}
