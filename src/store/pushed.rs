//! What services have told of themselves where nobody could take it in: a follower stores it, and the replica that leads
//! takes it from here.

use super::others::tell;
use super::{Store, StoreError};
use crate::store::sql::{self, Connection};
use crate::ticket::TenantId;
use crate::uptime::{Condition, DAY, Millis, Outcome};

/// No more of one check wait; the oldest go first.
const MOST_OF_A_CHECK: i64 = 100;
/// No more are taken at once.
const MOST: i64 = 1000;
/// Nobody has taken what is older than this: it tells nothing any more.
const KEPT: Millis = DAY;

/// What was told of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pushed {
    pub check: String,
    pub outcome: Outcome,
    pub micros: i64,
}

type Row = (String, i64, i64, i64, Option<String>);

impl Store {
    /// Keeps what was told of a check of `tenant` until the leader takes it, and has it hear of that.
    pub async fn keep_pushed(&self, tenant: TenantId, pushed: Pushed) -> Result<(), StoreError> {
        self.writer
            .write(move |tx: &mut Connection| {
                Box::pin(async move {
                    sql::query(
                        "INSERT INTO uptime_pushed (check_id, at, verdict, micros, detail) VALUES ($1, $2, $3, $4, $5)
                         ON CONFLICT (check_id, at) DO NOTHING",
                    )
                    .bind(&pushed.check)
                    .bind(pushed.outcome.at)
                    .bind(number_of(pushed.outcome.verdict))
                    .bind(pushed.micros)
                    .bind(&pushed.outcome.detail)
                    .execute(&mut *tx)
                    .await?;
                    let surplus = sql::query(
                        "DELETE FROM uptime_pushed WHERE check_id = $1 AND at <= (
                           SELECT at FROM uptime_pushed WHERE check_id = $1 ORDER BY at DESC LIMIT 1 OFFSET $2)",
                    );
                    surplus.bind(&pushed.check).bind(MOST_OF_A_CHECK).execute(&mut *tx).await?;
                    tell(tx, &tenant).await
                })
            })
            .await
    }

    /// What waits to be taken in, oldest first.
    pub async fn pushed(&self) -> Result<Vec<Pushed>, StoreError> {
        let rows: Vec<Row> = sql::query_as(
            "SELECT check_id, at, verdict, micros, detail FROM uptime_pushed WHERE at > $1
             ORDER BY at, check_id LIMIT $2",
        )
        .bind(0)
        .bind(MOST)
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

/// Lets go of what was taken in.
pub(super) async fn taken(tx: &mut Connection, check: &str, at: Millis) -> Result<(), sql::Error> {
    let taken = sql::query("DELETE FROM uptime_pushed WHERE check_id = $1 AND at = $2");
    taken.bind(check).bind(at).execute(tx).await.map(drop)
}

/// Lets go of what nobody has taken.
pub(super) async fn forget(tx: &mut Connection, now: Millis) -> Result<(), sql::Error> {
    sql::query("DELETE FROM uptime_pushed WHERE at < $1").bind(now - KEPT).execute(tx).await.map(drop)
}

/// A verdict as it stands where there are many rows.
pub(super) fn number_of(verdict: Condition) -> i64 {
    match verdict {
        Condition::Up => 0,
        Condition::Unknown => 1,
        Condition::Degraded => 2,
        Condition::Down => 3,
    }
}

/// What [`number_of`] gave.
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
    async fn what_was_told_waits_in_order_until_it_is_taken_and_no_flood_fills_the_store() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("sla.db"), std::sync::Arc::default()).await.unwrap();
        let tenant = TenantId::parse("acme").unwrap();
        let pushed = |check: &str, at| Pushed { check: check.to_owned(), outcome: Outcome::up(at), micros: 0 };
        for at in (0..150).rev() {
            store.keep_pushed(tenant.clone(), pushed("backup/heartbeat", at)).await.unwrap();
        }
        store.keep_pushed(tenant.clone(), pushed("other/heartbeat", 7)).await.unwrap();
        store.keep_pushed(tenant.clone(), pushed("other/heartbeat", 7)).await.unwrap();
        let waiting = store.pushed().await.unwrap();
        assert_eq!((waiting.len(), waiting[0].check.as_str()), (101, "other/heartbeat"));
        assert!(waiting.iter().any(|one| one.outcome.at == 149), "the newest are kept");
        let taken = waiting.iter().map(|one| (one.check.clone(), one.outcome.at)).collect();
        let change = crate::store::uptime::UptimeChange { taken, ..Default::default() };
        store.uptime_write(change).await.unwrap();
        assert!(store.pushed().await.unwrap().is_empty());
    }
}
