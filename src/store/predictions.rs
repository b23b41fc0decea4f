//! What the forecast said at certain moments of a clock, and what came of it.
//!
//! A row is written once, when its moment comes, and completed once, when its
//! clock is decided. A prediction that was chosen to be told is written here
//! before anybody is told, so that a day's budget survives a restart.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Row, Sqlite, SqliteConnection};

use super::tickets::unreadable;
use super::{Store, StoreError, instant, millis};
use crate::ticket::{ClockKind, TenantId, TicketId};

/// SQLite takes 32,766 values in one statement; a row has nine.
const ROWS_A_STATEMENT: usize = 500;

/// When a forecast is noted, to be judged later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Moment {
    /// A quarter of the clock had run.
    Quarter,
    Half,
    ThreeQuarters,
    /// It was chosen to be told to people.
    Alert,
}

impl Moment {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Quarter, Self::Half, Self::ThreeQuarters, Self::Alert];

    /// The name used in the store and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Quarter => "quarter",
            Self::Half => "half",
            Self::ThreeQuarters => "three_quarters",
            Self::Alert => "alert",
        }
    }
}

/// Which clock a prediction is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Subject {
    pub ticket: TicketId,
    pub clock: ClockKind,
    pub cycle: u32,
}

/// What was said of a clock at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Prediction {
    pub subject: Subject,
    pub moment: Moment,
    pub at: DateTime<Utc>,
    pub probability: f64,
    /// Working time left at that moment.
    pub left: TimeDelta,
}

/// How a clock ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    pub breached: bool,
    pub at: DateTime<Utc>,
}

/// A prediction whose clock is decided.
#[derive(Clone, Debug, PartialEq)]
pub struct Judged {
    pub prediction: Prediction,
    pub outcome: Outcome,
}

impl Store {
    /// The predictions of `tenant` whose clocks are not decided yet.
    pub async fn undecided_predictions(&self, tenant: &TenantId) -> Result<Vec<Prediction>, StoreError> {
        let rows = sqlx::query("SELECT * FROM predictions WHERE tenant = $1 AND breached IS NULL")
            .bind(tenant.as_str())
            .fetch_all(&self.reads)
            .await?;
        rows.iter().map(prediction).collect()
    }

    /// The predictions of `tenant` made since `since` whose clocks are decided, oldest first.
    pub async fn judged_predictions(&self, tenant: &TenantId, since: DateTime<Utc>) -> Result<Vec<Judged>, StoreError> {
        let rows = sqlx::query(
            "SELECT * FROM predictions WHERE tenant = $1 AND breached IS NOT NULL AND at >= $2 ORDER BY at, ticket_id",
        )
        .bind(tenant.as_str())
        .bind(millis(since))
        .fetch_all(&self.reads)
        .await?;
        rows.iter().map(judged).collect()
    }

    /// How many of `tenant`'s clocks were chosen since `since` to be told as likely to breach.
    pub async fn predictions_told(&self, tenant: &TenantId, since: DateTime<Utc>) -> Result<usize, StoreError> {
        let query =
            sqlx::query_scalar("SELECT COUNT(*) FROM predictions WHERE tenant = $1 AND moment = 'alert' AND at >= $2");
        let count: i64 = query.bind(tenant.as_str()).bind(millis(since)).fetch_one(&self.reads).await?;
        Ok(usize::try_from(count).unwrap_or_default())
    }

    /// Notes `new` predictions, and how the clocks of `decided` ended; without an outcome they are dropped, for there
    /// was nothing to be right about.
    pub async fn save_predictions(
        &self,
        tenant: &TenantId,
        new: Vec<Prediction>,
        decided: Vec<(Subject, Option<Outcome>)>,
    ) -> Result<(), StoreError> {
        let tenant = tenant.clone();
        self.writer
            .write(move |tx: &mut SqliteConnection| {
                Box::pin(async move {
                    for some in new.chunks(ROWS_A_STATEMENT) {
                        insert(tx, &tenant, some).await?;
                    }
                    for (subject, outcome) in &decided {
                        decide(tx, &tenant, subject, *outcome).await?;
                    }
                    Ok(())
                })
            })
            .await
    }
}

async fn insert(tx: &mut SqliteConnection, tenant: &TenantId, new: &[Prediction]) -> Result<(), sqlx::Error> {
    let mut query = QueryBuilder::<Sqlite>::new(
        "INSERT INTO predictions (tenant, ticket_id, clock, cycle, moment, at, probability, left_ms) ",
    );
    query.push_values(new, |mut row, one| {
        row.push_bind(tenant.as_str())
            .push_bind(one.subject.ticket.as_str())
            .push_bind(one.subject.clock.as_str())
            .push_bind(i64::from(one.subject.cycle))
            .push_bind(one.moment.as_str())
            .push_bind(millis(one.at))
            .push_bind(one.probability)
            .push_bind(one.left.num_milliseconds());
    });
    query.push(" ON CONFLICT DO NOTHING");
    query.build().execute(tx).await.map(drop)
}

async fn decide(
    tx: &mut SqliteConnection,
    tenant: &TenantId,
    subject: &Subject,
    outcome: Option<Outcome>,
) -> Result<(), sqlx::Error> {
    let statement = match outcome {
        Some(_) => {
            "UPDATE predictions SET breached = $5, decided_at = $6
             WHERE tenant = $1 AND ticket_id = $2 AND clock = $3 AND cycle = $4 AND breached IS NULL"
        }
        None => {
            "DELETE FROM predictions
             WHERE tenant = $1 AND ticket_id = $2 AND clock = $3 AND cycle = $4 AND breached IS NULL"
        }
    };
    let query = sqlx::query(statement)
        .bind(tenant.as_str())
        .bind(subject.ticket.as_str())
        .bind(subject.clock.as_str())
        .bind(i64::from(subject.cycle));
    let query = match outcome {
        Some(outcome) => query.bind(i64::from(outcome.breached)).bind(millis(outcome.at)),
        None => query,
    };
    query.execute(tx).await.map(drop)
}

fn prediction(row: &SqliteRow) -> Result<Prediction, StoreError> {
    let (clock, moment): (&str, &str) = (row.try_get("clock")?, row.try_get("moment")?);
    let strange = |what: &str| StoreError::Unreadable(format!("a prediction's {what}"));
    Ok(Prediction {
        subject: Subject {
            ticket: TicketId::parse(row.try_get("ticket_id")?).map_err(unreadable)?,
            clock: ClockKind::ALL.into_iter().find(|kind| kind.as_str() == clock).ok_or_else(|| strange("clock"))?,
            cycle: row.try_get("cycle")?,
        },
        moment: Moment::ALL.into_iter().find(|known| known.as_str() == moment).ok_or_else(|| strange("moment"))?,
        at: instant(row.try_get("at")?)?,
        probability: row.try_get("probability")?,
        left: TimeDelta::milliseconds(row.try_get("left_ms")?),
    })
}

fn judged(row: &SqliteRow) -> Result<Judged, StoreError> {
    let breached: i64 = row.try_get("breached")?;
    let outcome = Outcome { breached: breached == 1, at: instant(row.try_get("decided_at")?)? };
    Ok(Judged { prediction: prediction(row)?, outcome })
}
