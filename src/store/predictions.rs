//! What the forecast said at certain points of a clock, and what came of it.
//!
//! A row is written once, when its moment comes. When its clock is decided, predictions told to people are completed
//! and kept; the rest, thousands a week, goes into counters per week, so that the record stays short however old the
//! store grows. A prediction chosen to be told is written here before anybody is told, so that a day's budget survives
//! a restart.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::Ordering;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

use super::outbox::json;
use super::tickets::unreadable;
use super::{Store, StoreError, instant, millis};
use crate::store::sql::{self, AssertSqlSafe, Connection, QueryBuilder, Row};
use crate::ticket::{ClockKind, TenantId, TicketId};

/// How many rows are written at a time: few, so that an alert need not wait long, while a forecast is in no hurry.
const AT_ONCE: usize = 250;

/// Selects the predictions `p` of tenant `$1` about the clocks listed in `$2`, each as ticket, clock, cycle, whether it
/// breached, and when it was decided.
const SAID_OF: &str = "json_each($2) AS said CROSS JOIN predictions AS p WHERE p.tenant = $1
     AND p.ticket_id = said.value ->> 0 AND p.clock = said.value ->> 1 AND p.cycle = CAST(said.value ->> 2 AS BIGINT)";

/// When a forecast is noted, to be judged later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Moment {
    /// A quarter of the clock had run.
    Quarter,
    Half,
    ThreeQuarters,
    /// The forecast was chosen to be told to people.
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
pub struct PredictedClock {
    pub ticket: TicketId,
    pub clock: ClockKind,
    pub cycle: u32,
}

/// A forecast for a clock at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Prediction {
    pub subject: PredictedClock,
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

/// A prediction that was told to people.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Told {
    pub at: DateTime<Utc>,
    /// Working time left at that moment.
    pub left: TimeDelta,
    /// None if it is not decided yet, or its clock had no end to judge it by.
    pub breached: Option<bool>,
}

/// Forecasts compared with what happened, counted in two ways.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Shown {
    /// By the probability of a breach in steps of a fiftieth, the least likely first.
    pub by_chance: Vec<Sums>,
    /// By the week of the forecast, each with its Monday, the oldest first.
    pub by_week: Vec<(NaiveDate, Sums)>,
}

/// Sums over several predictions and their outcomes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sums {
    pub predictions: usize,
    pub breached: usize,
    /// The sum of the probabilities.
    pub said: f64,
    /// The sum of the squared differences between probability and outcome.
    pub squares: f64,
}

impl Store {
    /// Returns the predictions of `tenant` whose clocks are not decided yet.
    pub async fn undecided_predictions(&self, tenant: &TenantId) -> Result<Vec<Prediction>, StoreError> {
        let query = sql::query("SELECT * FROM predictions WHERE tenant = $1 AND decided_at IS NULL");
        query.bind(tenant.as_str()).fetch_each(&self.reads, |row| prediction(&row)).await
    }

    /// Returns the predictions of `tenants` that people were told of since `since`, oldest first.
    pub async fn told_predictions(
        &self,
        tenants: &[&TenantId],
        since: DateTime<Utc>,
    ) -> Result<HashMap<TenantId, Vec<Told>>, StoreError> {
        let mut found: HashMap<TenantId, Vec<Told>> = HashMap::new();
        let query = sql::query(
            "SELECT tenant, at, left_ms, breached FROM predictions
             WHERE tenant IN (SELECT value FROM json_each($1)) AND moment = 'alert' AND at >= $2 ORDER BY at",
        );
        let add = |row: Row| {
            let tenant = TenantId::parse(row.try_get("tenant")?).map_err(unreadable)?;
            found.entry(tenant).or_default().push(told(&row)?);
            Ok::<_, StoreError>(())
        };
        query.bind(json(&tenants)).bind(millis(since)).fetch_each(&self.reads, add).await?;
        Ok(found)
    }

    /// Counts how often this process has stored new or decided predictions.
    pub fn predictions_written(&self) -> u64 {
        self.caches.predictions.load(Ordering::Relaxed)
    }

    /// Returns the decided forecasts for the clocks of `tenants` from the week of `since` on.
    pub async fn shown_predictions(
        &self,
        tenants: &[&TenantId],
        since: DateTime<Utc>,
    ) -> Result<HashMap<TenantId, Shown>, StoreError> {
        let mut shown: HashMap<TenantId, Shown> = HashMap::new();
        // A store of years has a row for each tenant, week and fiftieth: thousands for each one that is needed here.
        let by_chance = "SELECT tenant, cell AS part, SUM(predictions) AS predictions, SUM(breached) AS breached,
               SUM(said) AS said, SUM(squares) AS squares
             FROM prediction_weeks WHERE tenant IN (SELECT value FROM json_each($1)) AND week >= $2
             GROUP BY tenant, cell ORDER BY tenant, cell";
        let by_week = "SELECT tenant, week AS part, SUM(predictions) AS predictions, SUM(breached) AS breached,
               SUM(said) AS said, SUM(squares) AS squares
             FROM prediction_weeks WHERE tenant IN (SELECT value FROM json_each($1)) AND week >= $2
             GROUP BY tenant, week ORDER BY tenant, week";
        for query in [by_chance, by_week] {
            let add = |row: Row| {
                let of = shown.entry(TenantId::parse(row.try_get("tenant")?).map_err(unreadable)?).or_default();
                match query == by_week {
                    true => of.by_week.push((monday(row.try_get("part")?)?, sums(&row)?)),
                    false => of.by_chance.push(sums(&row)?),
                }
                Ok::<_, StoreError>(())
            };
            let query = sql::query(query).bind(json(&tenants)).bind(week(millis(since)));
            query.fetch_each(&self.reads, add).await?;
        }
        Ok(shown)
    }

    /// Counts the clocks of `tenant` that were chosen since `since` to be told as likely to breach.
    pub async fn predictions_told(&self, tenant: &TenantId, since: DateTime<Utc>) -> Result<usize, StoreError> {
        let query =
            sql::query_scalar("SELECT COUNT(*) FROM predictions WHERE tenant = $1 AND moment = 'alert' AND at >= $2");
        let count: i64 = query.bind(tenant.as_str()).bind(millis(since)).fetch_one(&self.reads).await?;
        Ok(usize::try_from(count).unwrap_or_default())
    }

    /// Stores `new` predictions, and how the clocks of `decided` ended; one without an outcome cannot be judged. Writes
    /// in parts: if one fails, the parts already written can safely be saved again.
    pub async fn save_predictions(
        &self,
        tenant: &TenantId,
        new: Vec<Prediction>,
        mut decided: Vec<(PredictedClock, Option<Outcome>)>,
    ) -> Result<(), StoreError> {
        for some in new.chunks(AT_ONCE) {
            let (tenant, some) = (tenant.clone(), some.to_vec());
            self.writer
                .write(move |tx: &mut Connection| Box::pin(async move { insert(tx, &tenant, &some).await }))
                .await?;
        }
        // A clock counts once, however often it is listed.
        let mut known = HashSet::with_capacity(decided.len());
        decided.retain(|(subject, _)| known.insert(subject.clone()));
        for some in decided.chunks(AT_ONCE) {
            let (tenant, some) = (tenant.clone(), listed(some));
            self.writer
                .write(move |tx: &mut Connection| Box::pin(async move { decide(tx, &tenant, &some).await }))
                .await?;
        }
        self.caches.predictions.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

async fn insert(tx: &mut Connection, tenant: &TenantId, new: &[Prediction]) -> Result<(), sql::Error> {
    let mut query = QueryBuilder::new(
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

/// Lists the clocks of `decided` in the form that [`SAID_OF`] reads.
fn listed(decided: &[(PredictedClock, Option<Outcome>)]) -> String {
    let row = |(subject, outcome): &(PredictedClock, Option<Outcome>)| {
        let PredictedClock { ticket, clock, cycle } = subject;
        let (breached, at) = outcome.map(|outcome| (i64::from(outcome.breached), millis(outcome.at))).unzip();
        (ticket.as_str().to_owned(), clock.as_str(), *cycle, breached, at)
    };
    json(&decided.iter().map(row).collect::<Vec<_>>())
}

/// Counts what came true and what did not, except for clocks without an end to judge by; what people were told stays on
/// record in any case.
async fn decide(tx: &mut Connection, tenant: &TenantId, clocks: &str) -> Result<(), sql::Error> {
    // Cells are a fiftieth wide; the sums within each are exact.
    let count = format!(
        "INSERT INTO prediction_weeks (tenant, week, cell, predictions, breached, said, squares)
         SELECT $1, (p.at / 86400000 + 3) / 7, MIN(CAST(p.probability * 50000000 AS BIGINT) / 1000000, 49), COUNT(*),
                SUM(CAST(said.value ->> 3 AS BIGINT)), SUM(p.probability),
                SUM((p.probability - CAST(said.value ->> 3 AS BIGINT)) * (p.probability - CAST(said.value ->> 3 AS BIGINT)))
         FROM {SAID_OF} AND p.moment <> 'alert' AND said.value ->> 3 IS NOT NULL GROUP BY 2, 3
         ON CONFLICT (tenant, week, cell) DO UPDATE SET
           predictions = prediction_weeks.predictions + excluded.predictions,
           breached = prediction_weeks.breached + excluded.breached,
           said = prediction_weeks.said + excluded.said, squares = prediction_weeks.squares + excluded.squares"
    );
    let drop_counted = format!(
        "DELETE FROM predictions WHERE (tenant, ticket_id, clock, cycle, moment) IN (
           SELECT p.tenant, p.ticket_id, p.clock, p.cycle, p.moment FROM {SAID_OF} AND p.moment <> 'alert')"
    );
    let complete = format!(
        "WITH one AS MATERIALIZED (
           SELECT p.tenant, p.ticket_id, p.clock, p.cycle, p.moment, CAST(said.value ->> 3 AS BIGINT) AS breached,
                  COALESCE(CAST(said.value ->> 4 AS BIGINT), p.at) AS decided_at
           FROM {SAID_OF} AND +p.decided_at IS NULL)
         UPDATE predictions SET breached = one.breached, decided_at = one.decided_at
         FROM one WHERE predictions.tenant = one.tenant AND predictions.ticket_id = one.ticket_id
         AND predictions.clock = one.clock AND predictions.cycle = one.cycle AND predictions.moment = one.moment"
    );
    for statement in [count, drop_counted, complete] {
        sql::query(AssertSqlSafe(statement)).bind(tenant.as_str()).bind(clocks).execute(&mut *tx).await?;
    }
    Ok(())
}

/// Returns the number of the week of a time in milliseconds; each week begins on a Monday.
fn week(at: i64) -> i64 {
    (at.div_euclid(86_400_000) + 3).div_euclid(7)
}

pub(super) fn prediction(row: &Row) -> Result<Prediction, StoreError> {
    let (clock, moment): (&str, &str) = (row.try_get("clock")?, row.try_get("moment")?);
    let strange = |what: &str| StoreError::Unreadable(format!("a prediction's {what}"));
    Ok(Prediction {
        subject: PredictedClock {
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

fn told(row: &Row) -> Result<Told, StoreError> {
    let breached: Option<i64> = row.try_get("breached")?;
    let left = TimeDelta::milliseconds(row.try_get("left_ms")?);
    Ok(Told { at: instant(row.try_get("at")?)?, left, breached: breached.map(|breached| breached == 1) })
}

/// Returns the Monday of the week with this number.
fn monday(week: i64) -> Result<NaiveDate, StoreError> {
    Ok(instant((week * 7 - 3) * 86_400_000)?.date_naive())
}

fn sums(row: &Row) -> Result<Sums, StoreError> {
    let count = |column: &str| Ok::<_, sql::Error>(usize::try_from(row.try_get::<i64, _>(column)?).unwrap_or_default());
    Ok(Sums {
        predictions: count("predictions")?,
        breached: count("breached")?,
        said: row.try_get("said")?,
        squares: row.try_get("squares")?,
    })
}
