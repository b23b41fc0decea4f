//! Reports from services that could not be handled where they arrived: a follower stores them, and the leader takes
//! them from here.

use std::collections::{BTreeMap, BTreeSet};

use super::others::tell;
use super::{Store, StoreError};
use crate::store::sql::{self, Connection};
use crate::ticket::TenantId;
use crate::uptime::{Condition, DAY, Millis, Outcome};

/// The most reports of one check that may wait; the sender of any more has to repeat them later.
const MOST_OF_A_CHECK: i64 = 5000;
/// The most reports that are taken at once.
pub const AT_ONCE: usize = 1000;
/// How long reports are kept: an older one that nobody has taken is worthless.
const KEPT: Millis = DAY;

/// A report on a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pushed {
    pub check: String,
    pub outcome: Outcome,
    pub micros: i64,
}

type Row = (String, i64, i64, i64, Option<String>);

impl Store {
    /// Stores reports on checks, each of a tenant, until the leader takes them, and notifies it. Stores all of them and
    /// returns true, or, if too many are waiting already, none.
    pub async fn keep_pushed(&self, told: Vec<(TenantId, Pushed)>) -> Result<bool, StoreError> {
        self.writer
            .write(move |tx: &mut Connection| {
                Box::pin(async move {
                    let mut more: BTreeMap<&str, i64> = BTreeMap::new();
                    told.iter().for_each(|(_, pushed)| *more.entry(&pushed.check).or_default() += 1);
                    for (check, more) in more {
                        if waiting(tx, check).await? + more > MOST_OF_A_CHECK {
                            return Ok(false);
                        }
                    }
                    for (_, pushed) in &told {
                        keep(tx, pushed).await?;
                    }
                    let tenants: BTreeSet<_> = told.iter().map(|(tenant, _)| tenant).collect();
                    for tenant in tenants {
                        tell(tx, tenant).await?;
                    }
                    Ok(true)
                })
            })
            .await
    }

    /// Returns the waiting reports, oldest first.
    pub async fn pushed(&self) -> Result<Vec<Pushed>, StoreError> {
        let rows: Vec<Row> = sql::query_as(
            "SELECT check_id, at, verdict, micros, detail FROM uptime_pushed WHERE at > $1
             ORDER BY at, check_id LIMIT $2",
        )
        .bind(0)
        .bind(i64::try_from(AT_ONCE).unwrap_or(i64::MAX))
        .fetch_all(&self.reads)
        .await?;
        let pushed = |(check, at, verdict, micros, detail): Row| Pushed {
            check,
            outcome: Outcome { at, verdict: verdict_of(verdict), detail },
            micros,
        };
        Ok(rows.into_iter().map(pushed).collect())
    }
}

async fn waiting(tx: &mut Connection, check: &str) -> Result<i64, sql::Error> {
    let query = "SELECT COUNT(*) FROM uptime_pushed WHERE check_id = $1";
    sql::query_scalar(query).bind(check).fetch_one(tx).await
}

async fn keep(tx: &mut Connection, pushed: &Pushed) -> Result<(), sql::Error> {
    sql::query(
        "INSERT INTO uptime_pushed (check_id, at, verdict, micros, detail) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (check_id, at) DO NOTHING",
    )
    .bind(&pushed.check)
    .bind(pushed.outcome.at)
    .bind(number_of(pushed.outcome.verdict))
    .bind(pushed.micros)
    .bind(&pushed.outcome.detail)
    .execute(tx)
    .await
    .map(drop)
}

/// Deletes a report that was taken in.
pub(super) async fn taken(tx: &mut Connection, check: &str, at: Millis) -> Result<(), sql::Error> {
    let taken = sql::query("DELETE FROM uptime_pushed WHERE check_id = $1 AND at = $2");
    taken.bind(check).bind(at).execute(tx).await.map(drop)
}

/// Deletes reports that nobody has taken.
pub(super) async fn forget(tx: &mut Connection, now: Millis) -> Result<(), sql::Error> {
    sql::query("DELETE FROM uptime_pushed WHERE at < $1").bind(now - KEPT).execute(tx).await.map(drop)
}

/// Converts a verdict to the short form for tables with many rows.
pub(super) fn number_of(verdict: Condition) -> i64 {
    match verdict {
        Condition::Up => 0,
        Condition::Unknown => 1,
        Condition::Degraded => 2,
        Condition::Down => 3,
    }
}

/// Converts it back.
pub(super) fn verdict_of(number: i64) -> Condition {
    match number {
        0 => Condition::Up,
        1 => Condition::Unknown,
        2 => Condition::Degraded,
        _ => Condition::Down,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_was_told_waits_in_order_until_it_is_taken_and_what_is_too_much_is_refused_and_not_lost() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("sla.db"), std::sync::Arc::default()).await.unwrap();
        let tenant = TenantId::parse("acme").unwrap();
        let pushed = |check: &str, at| Pushed { check: check.to_owned(), outcome: Outcome::up(at), micros: 0 };
        let keep = async |all: Vec<Pushed>| {
            store.keep_pushed(all.into_iter().map(|one| (tenant.clone(), one)).collect()).await.unwrap()
        };
        assert!(keep((1..=150).rev().map(|at| pushed("backup/heartbeat", at)).collect()).await);
        assert!(keep(vec![pushed("other/heartbeat", 7)]).await);
        assert!(keep(vec![pushed("other/heartbeat", 7)]).await, "it is there already");
        let waiting = store.pushed().await.unwrap();
        assert_eq!((waiting.len(), waiting[0].outcome.at, waiting[150].outcome.at), (151, 1, 150));
        assert!(keep((151..=MOST_OF_A_CHECK).map(|at| pushed("backup/heartbeat", at)).collect()).await);
        let full = vec![pushed("other/heartbeat", 8), pushed("backup/heartbeat", MOST_OF_A_CHECK + 1)];
        assert!(!keep(full).await, "nothing of it is kept, so all of it can be told again");
        let mut taken = 0;
        loop {
            let waiting = store.pushed().await.unwrap();
            if waiting.is_empty() {
                break;
            }
            taken += waiting.len();
            let taken = waiting.iter().map(|one| (one.check.clone(), one.outcome.at)).collect();
            let change = crate::store::uptime::UptimeChange { taken, ..Default::default() };
            store.uptime_write(change).await.unwrap();
        }
        assert_eq!(taken as i64, MOST_OF_A_CHECK + 1);
        assert!(keep(vec![pushed("backup/heartbeat", MOST_OF_A_CHECK + 1)]).await, "there is room again");
    }
}
