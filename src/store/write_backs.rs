//! Changes to be written to tickets at SuperOps, and what became of them.
//!
//! A row is queued in the transaction that stores the alert's turn, under a unique key, so repeating a turn requests
//! nothing twice. It is marked as being done before anything is sent: after a crash it is clear that SuperOps has to be
//! asked before repeating it.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};

use super::audit::{Author, audit};
use super::outbox::json;
use super::{Store, StoreError, instant, millis};
use crate::alert::AlertKey;
use crate::alert::write_back::{OwnTouch, WriteBackAction};
use crate::keys::hex;
use crate::store::sealed::WRITTEN;
use crate::store::sql::{self, Connection, Row};
use crate::ticket::{TenantId, TicketId};

/// How many are handled in one turn.
const A_TURN: i64 = 50;

/// A change to be written.
#[derive(Clone, Debug)]
pub struct NewWriteBack {
    pub alert: AlertKey,
    /// The part of the alert's life that asks for it: stage, episode and step. One action of a kind for each.
    pub occasion: String,
    pub action: WriteBackAction,
    pub created_at: DateTime<Utc>,
}

impl NewWriteBack {
    fn key(&self) -> String {
        format!("{}:{}:{}", self.alert, self.occasion, self.action.kind())
    }
}

/// A change to be written, and its state.
#[derive(Clone, Debug)]
pub struct WriteBackRow {
    pub id: i64,
    /// Appears in the text of a note: `[sla:0123456789]`.
    pub reference: String,
    pub ticket: TicketId,
    pub alert_key: String,
    pub action: WriteBackAction,
    /// pending | doing | done | left | failed | cancelled
    pub state: String,
    /// Attempts that sent something.
    pub attempts: u32,
    pub created_at: DateTime<Utc>,
    pub due_at: DateTime<Utc>,
    pub settled_at: Option<DateTime<Utc>>,
    pub last_error: Option<String>,
}

/// A row that is due.
#[derive(Clone, Debug)]
pub struct DueWriteBack {
    pub row: WriteBackRow,
    /// Its alert is over, so nobody needs it any more.
    pub is_moot: bool,
}

/// The result of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settled {
    /// Written now.
    Done,
    /// It was so already, through an earlier attempt of ours or somebody else.
    Found,
    /// A person has changed it to something else meanwhile, and that stands.
    Left,
    /// Its alert was over before.
    Cancelled,
    /// To be retried at that time.
    Later { at: DateTime<Utc>, why: String },
    /// Not to be retried.
    Failed { why: String },
}

impl Settled {
    /// The name used in the metrics.
    pub fn outcome(&self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Found => "found",
            Self::Left => "left",
            Self::Cancelled => "cancelled",
            Self::Later { .. } => "retry",
            Self::Failed { .. } => "failed",
        }
    }

    fn state(&self) -> &'static str {
        match self {
            Self::Done | Self::Found => "done",
            Self::Left => "left",
            Self::Cancelled => "cancelled",
            Self::Later { .. } => "pending",
            Self::Failed { .. } => "failed",
        }
    }
}

impl Store {
    /// Returns the write-backs of `tenant` that are due, and all that have become moot.
    pub async fn due_write_backs(
        &self,
        tenant: &TenantId,
        now: DateTime<Utc>,
    ) -> Result<Vec<DueWriteBack>, StoreError> {
        let rows = sql::query(
            "SELECT w.*, COALESCE(a.state, '') = 'resolved' AS moot FROM write_backs w LEFT JOIN alerts a ON a.key = w.alert_key
             WHERE w.tenant = $1 AND w.state IN ('pending', 'doing') AND (w.due_at <= $2 OR a.state = 'resolved')
             ORDER BY w.due_at, w.id LIMIT $3",
        )
        .bind(tenant.as_str())
        .bind(millis(now))
        .bind(A_TURN)
        .fetch_all(&self.reads)
        .await?;
        let due = |found: &Row| Ok(DueWriteBack { row: row(found)?, is_moot: found.try_get("moot")? });
        rows.iter().map(due).collect()
    }

    /// Returns when the next write-back of `tenant` is due.
    pub async fn next_write_back(&self, tenant: &TenantId) -> Result<Option<DateTime<Utc>>, StoreError> {
        let next: Option<i64> = sql::query_scalar(
            "SELECT MIN(due_at) FROM write_backs WHERE tenant = $1 AND state IN ('pending', 'doing')",
        )
        .bind(tenant.as_str())
        .fetch_one(&self.reads)
        .await?;
        next.map(instant).transpose()
    }

    /// Returns what was to be written for each of these alerts, by its key, oldest first.
    pub async fn write_backs_of(&self, alerts: &[String]) -> Result<HashMap<String, Vec<WriteBackRow>>, StoreError> {
        let mut found: HashMap<String, Vec<WriteBackRow>> = HashMap::new();
        let rows =
            sql::query("SELECT * FROM write_backs WHERE alert_key IN (SELECT value FROM json_each($1)) ORDER BY id");
        for read in rows.bind(json(&alerts)).fetch_all(&self.reads).await?.iter().map(row) {
            let read = read?;
            found.entry(read.alert_key.clone()).or_default().push(read);
        }
        Ok(found)
    }

    /// Returns our own changes of a ticket.
    pub async fn own_touches(&self, tenant: &TenantId, ticket: &TicketId) -> Result<Vec<OwnTouch>, StoreError> {
        let rows: Vec<(i64, Option<i64>, Option<i64>)> = sql::query_as(
            "SELECT begun_at, answered_at, touched_before FROM write_backs
             WHERE tenant = $1 AND ticket_id = $2 AND begun_at IS NOT NULL ORDER BY begun_at DESC",
        )
        .bind(tenant.as_str())
        .bind(ticket.as_str())
        .fetch_all(&self.reads)
        .await?;
        let touch = |(begun, answered, before): (i64, Option<i64>, Option<i64>)| {
            Ok(OwnTouch {
                begun_at: instant(begun)?,
                answered_at: answered.map(instant).transpose()?,
                before: before.map(instant).transpose()?,
            })
        };
        rows.into_iter().map(touch).collect()
    }

    /// Marks a row as being done; unless it is settled by then, it is looked at again at `again_at`.
    pub async fn begin_write_back(
        &self,
        id: i64,
        touched_before: Option<DateTime<Utc>>,
        again_at: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        self.writer
            .write(move |tx: &mut Connection| {
                Box::pin(async move {
                    sql::query(
                        "UPDATE write_backs SET state = 'doing', attempts = attempts + 1, begun_at = $2,
                         answered_at = NULL, touched_before = $3, due_at = $4 WHERE id = $1",
                    )
                    .bind(id)
                    .bind(millis(now))
                    .bind(touched_before.map(millis))
                    .bind(millis(again_at))
                    .execute(tx)
                    .await
                    .map(drop)
                })
            })
            .await
    }

    /// Stores the result of a row; changes at SuperOps add a row to the audit log. `wrote` says whether something was
    /// sent just now.
    pub async fn settle_write_back(
        &self,
        tenant: &TenantId,
        job: &WriteBackRow,
        settled: Settled,
        wrote: bool,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let (tenant, id) = (tenant.clone(), job.id);
        let ours = settled == Settled::Done || (settled == Settled::Found && job.attempts > 0);
        let what = ours.then(|| audit_words(job));
        self.writer
            .write(move |tx: &mut Connection| {
                Box::pin(async move {
                    settle(tx, id, &settled, wrote, now).await?;
                    if let Some(what) = what {
                        let author = Author { who: "superops-sla".to_owned(), origin: "write-back".to_owned() };
                        audit(tx, Some(&tenant), &what, &author, now).await?;
                    }
                    Ok(())
                })
            })
            .await
    }
}

async fn settle(
    tx: &mut Connection,
    id: i64,
    settled: &Settled,
    wrote: bool,
    now: DateTime<Utc>,
) -> Result<(), sql::Error> {
    let (again_at, why) = match settled {
        Settled::Later { at, why } => (Some(*at), Some(why)),
        Settled::Failed { why } => (None, Some(why)),
        _ => (None, None),
    };
    sql::query(
        "UPDATE write_backs SET state = $2, due_at = COALESCE($3, due_at), last_error = COALESCE($4, last_error),
         settled_at = $5, answered_at = COALESCE($6, answered_at) WHERE id = $1",
    )
    .bind(id)
    .bind(settled.state())
    .bind(again_at.map(millis))
    .bind(why)
    .bind(again_at.is_none().then(|| millis(now)))
    .bind(wrote.then(|| millis(now)))
    .execute(tx)
    .await
    .map(drop)
}

fn audit_words(job: &WriteBackRow) -> String {
    let ticket = &job.ticket;
    match &job.action {
        WriteBackAction::Note { .. } => format!("wrote note {} on ticket {ticket} at SuperOps", job.reference),
        WriteBackAction::Reassign { .. } => {
            format!("reassigned ticket {ticket} at SuperOps, as a step of `{}` says", job.alert_key)
        }
        WriteBackAction::Priority { to, .. } => format!("set the priority of ticket {ticket} to {to} at SuperOps"),
    }
}

/// Queues those of `rows` that were not queued before.
pub(super) async fn enqueue(tx: &mut Connection, rows: &[NewWriteBack]) -> Result<(), sql::Error> {
    for row in rows {
        let key = row.key();
        let content = serde_json::to_string(&row.action).map_err(|error| sql::Error::Encode(Box::new(error)))?;
        sql::query(
            "INSERT INTO write_backs (key, reference, tenant, ticket_id, alert_key, kind, content, state, created_at, due_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, 'pending', $8, $8) ON CONFLICT (key) DO NOTHING",
        )
        .bind(&key)
        .bind(reference(&key))
        .bind(row.alert.tenant.as_str())
        .bind(row.alert.subject.as_str())
        .bind(row.alert.to_string())
        .bind(row.action.kind())
        .bind(WRITTEN.seal(&[&key], content))
        .bind(millis(row.created_at))
        .execute(&mut *tx)
        .await?;
    }
    Ok(())
}

/// 10 hex digits: a reference only has to be unique among the notes of one ticket.
fn reference(key: &str) -> String {
    format!("[sla:{}]", hex(&Sha256::digest(key)[..5]))
}

pub(super) fn row(row: &Row) -> Result<WriteBackRow, StoreError> {
    let unreadable = |what: &str| StoreError::Unreadable(format!("a write-back's {what}"));
    let time = |name: &str| row.try_get::<Option<i64>, _>(name)?.map(instant).transpose();
    let content: String = row.try_get("content")?;
    Ok(WriteBackRow {
        id: row.try_get("id")?,
        reference: row.try_get("reference")?,
        ticket: TicketId::parse(row.try_get("ticket_id")?).map_err(|_| unreadable("ticket"))?,
        alert_key: row.try_get("alert_key")?,
        action: serde_json::from_str(&content).map_err(|_| unreadable("content"))?,
        state: row.try_get("state")?,
        attempts: u32::try_from(row.try_get::<i64, _>("attempts")?).map_err(|_| unreadable("attempts"))?,
        created_at: instant(row.try_get("created_at")?)?,
        due_at: instant(row.try_get("due_at")?)?,
        settled_at: time("settled_at")?,
        last_error: row.try_get("last_error")?,
    })
}
