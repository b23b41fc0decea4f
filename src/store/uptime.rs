//! The states of services over time, and the looks at them.

use std::collections::BTreeMap;

use super::incidents::{self, follow_outage};
use super::private_pages;
use super::pushed::{self, number_of, verdict_of};
use super::subscribers;
use super::{Store, StoreError};
use crate::store::sql::{self, Connection};
use crate::uptime::book::{Remembered, Rewrite};
use crate::uptime::incident::Outage;
use crate::uptime::observe::CheckState;
use crate::uptime::sketch::Sketch;
use crate::uptime::{Condition, DAY, HOUR, MINUTE, Millis, SPANS_KEPT, Span};

/// One look, kept for some days.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LookRow {
    pub number: i64,
    pub at: Millis,
    pub micros: i64,
    pub verdict: Condition,
    pub detail: Option<String>,
}

impl LookRow {
    /// The time to answer in microseconds; none if there was no answer or it is unknown, as for reported looks.
    pub fn took(&self) -> Option<u64> {
        (self.verdict != Condition::Down && self.micros > 0).then_some(self.micros.unsigned_abs())
    }
}

/// The changes that follow from one look, or from something that was not seen.
#[derive(Clone, Debug, Default)]
pub struct UptimeChange {
    pub looks: Vec<LookRow>,
    /// By check: its state, and what the latest look found, as JSON.
    pub states: BTreeMap<String, (CheckState, Option<String>)>,
    pub rewrites: Vec<Rewrite>,
    /// Outages that have their own incident, as they began and ended, in that order.
    pub outages: Vec<Outage>,
    /// Reports that were waiting and have been taken in: check and time.
    pub taken: Vec<(String, Millis)>,
}

impl UptimeChange {
    /// Appends all of `later`.
    #[must_use]
    pub fn followed_by(mut self, later: Self) -> Self {
        self.looks.extend(later.looks);
        for (check, (state, latest)) in later.states {
            let before = self.states.remove(&check).and_then(|(_, latest)| latest);
            self.states.insert(check, (state, latest.or(before)));
        }
        self.rewrites.extend(later.rewrites);
        self.outages.extend(later.outages);
        self.taken.extend(later.taken);
        self
    }
}

/// The summary of the looks of one stretch of time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rollup {
    pub at: Millis,
    pub good: i64,
    pub bad: i64,
    pub sketch: Sketch,
}

/// The lengths of summarized stretches, and how long each kind is kept. Each is made from the one before it.
pub const WIDTHS: [(Millis, Millis); 3] = [(5 * MINUTE, 8 * DAY), (HOUR, 92 * DAY), (DAY, 400 * DAY)];
/// How long each look is kept.
pub const LOOKS_KEPT: Millis = 2 * DAY;
/// The most rows of any kind that are read, or deleted, at once.
const MOST: i64 = 5000;

impl Store {
    /// Reads what is stored about checks and components.
    pub async fn uptime_remembered(&self) -> Result<Remembered, StoreError> {
        let mut remembered = Remembered::default();
        let states = sql::query_as::<(String, String)>("SELECT id, state FROM uptime_checks ORDER BY number");
        for (id, state) in states.fetch_all(&self.reads).await? {
            // A state that cannot be read is skipped: the next looks make a new one.
            remembered.states.extend(serde_json::from_str(&state).ok().map(|state| (id, state)));
        }
        let since = sql::query_as::<(String, i64)>("SELECT id, since FROM uptime_components ORDER BY id");
        remembered.since = since.fetch_all(&self.reads).await?.into_iter().collect();
        let subjects = remembered.states.keys().chain(remembered.since.keys()).cloned().collect::<Vec<_>>();
        for subject in subjects {
            let spans = self.uptime_spans(&subject).await?;
            remembered.spans.insert(subject, spans);
        }
        Ok(remembered)
    }

    /// Returns the states of one component or check over time, in order.
    pub async fn uptime_spans(&self, subject: &str) -> Result<Vec<Span>, StoreError> {
        let rows = sql::query_as::<(i64, Option<i64>, String)>(
            "SELECT from_at, until_at, standing FROM uptime_spans WHERE subject = $1 ORDER BY from_at",
        );
        let rows = rows.bind(subject).fetch_all(&self.reads).await?;
        let span = |(from, until, standing): (i64, Option<i64>, String)| Span {
            from,
            until,
            condition: Condition::parse(&standing).unwrap_or(Condition::Unknown),
        };
        Ok(rows.into_iter().map(span).collect())
    }

    /// Stores what is watched from now on; what is no longer watched has ended. Returns the number of each check.
    pub async fn uptime_adopt(
        &self,
        components: Vec<(String, String)>,
        checks: Vec<(String, CheckState)>,
        now: Millis,
    ) -> Result<BTreeMap<String, i64>, StoreError> {
        self.writer
            .write(move |tx: &mut Connection| {
                Box::pin(async move {
                    let old: Vec<String> = sql::query_scalar("SELECT id FROM uptime_components WHERE ended IS NULL")
                        .fetch_all(&mut *tx)
                        .await?;
                    for gone in old.iter().filter(|id| components.iter().all(|(kept, _)| kept != *id)) {
                        let end = sql::query("UPDATE uptime_components SET ended = $2 WHERE id = $1");
                        end.bind(gone).bind(now).execute(&mut *tx).await?;
                    }
                    for (id, tenant) in &components {
                        sql::query(
                            "INSERT INTO uptime_components (id, tenant, since) VALUES ($1, $2, $3)
                             ON CONFLICT (id) DO UPDATE SET ended = NULL, tenant = excluded.tenant",
                        )
                        .bind(id)
                        .bind(tenant)
                        .bind(now)
                        .execute(&mut *tx)
                        .await?;
                    }
                    for (id, state) in &checks {
                        let state = serde_json::to_string(state).unwrap_or_default();
                        let query = "INSERT INTO uptime_checks (id, state) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING";
                        sql::query(query).bind(id).bind(state).execute(&mut *tx).await?;
                    }
                    let numbers = sql::query_as::<(String, i64)>("SELECT id, number FROM uptime_checks");
                    Ok(numbers.fetch_all(&mut *tx).await?.into_iter().collect())
                })
            })
            .await
    }

    /// Stores the looks and their effects, all of them or nothing.
    pub async fn uptime_write(&self, change: UptimeChange) -> Result<(), StoreError> {
        self.writer.write(move |tx: &mut Connection| Box::pin(async move { write(tx, &change).await })).await
    }

    /// Returns the looks of check `number` in `[from, until)`, the latest first.
    pub async fn uptime_looks(
        &self,
        number: i64,
        from: Millis,
        until: Millis,
        most: i64,
    ) -> Result<Vec<LookRow>, StoreError> {
        let rows = sql::query_as::<(i64, i64, i64, Option<String>)>(
            "SELECT at, micros, verdict, detail FROM uptime_results WHERE number = $1 AND at >= $2 AND at < $3
             ORDER BY at DESC LIMIT $4",
        );
        let rows = rows.bind(number).bind(from).bind(until).bind(most.min(MOST)).fetch_all(&self.reads).await?;
        let row = |(at, micros, verdict, detail)| LookRow { number, at, micros, verdict: verdict_of(verdict), detail };
        Ok(rows.into_iter().map(row).collect())
    }

    /// Returns the summaries of a check for stretches of `width` that began in `[from, until)`, in order.
    pub async fn uptime_rollups(
        &self,
        number: i64,
        width: Millis,
        from: Millis,
        until: Millis,
    ) -> Result<Vec<Rollup>, StoreError> {
        let rows = sql::query_as::<(i64, i64, i64, Vec<u8>)>(
            "SELECT at, good, bad, sketch FROM uptime_rollups WHERE number = $1 AND width = $2 AND at >= $3 AND at < $4
             ORDER BY at LIMIT $5",
        );
        let rows = rows.bind(number).bind(width).bind(from).bind(until).bind(MOST).fetch_all(&self.reads).await?;
        let row = |(at, good, bad, sketch): (i64, i64, i64, Vec<u8>)| Rollup {
            at,
            good,
            bad,
            sketch: Sketch::decode(&sketch).unwrap_or_default(),
        };
        Ok(rows.into_iter().map(row).collect())
    }

    /// Returns all checks that were ever watched: the number of each, and what the latest look found, as JSON.
    pub async fn uptime_checks(&self) -> Result<BTreeMap<String, (i64, Option<String>)>, StoreError> {
        let rows = sql::query_as::<(String, i64, Option<String>)>("SELECT id, number, latest FROM uptime_checks");
        let rows = rows.fetch_all(&self.reads).await?;
        Ok(rows.into_iter().map(|(id, number, latest)| (id, (number, latest))).collect())
    }

    /// Returns until when the looks of a check are summarized in stretches of `width` that were over by `now`; none if
    /// not yet. Later ones come from a clock that was ahead.
    pub async fn uptime_rolled_until(
        &self,
        number: i64,
        width: Millis,
        now: Millis,
    ) -> Result<Option<Millis>, StoreError> {
        let query = "SELECT MAX(at) FROM uptime_rollups WHERE number = $1 AND width = $2 AND at <= $3";
        let query = sql::query_scalar(query).bind(number).bind(width).bind(now - width);
        let last: Option<i64> = query.fetch_one(&self.reads).await?;
        Ok(last.map(|at| at + width))
    }

    /// Returns the time of the first look of a check that is still kept.
    pub async fn uptime_first_look(&self, number: i64) -> Result<Option<Millis>, StoreError> {
        let query = "SELECT MIN(at) FROM uptime_results WHERE number = $1";
        Ok(sql::query_scalar(query).bind(number).fetch_one(&self.reads).await?)
    }

    /// Stores summaries of the looks of a check, and deletes its old looks and summaries.
    pub async fn uptime_roll_up(
        &self,
        number: i64,
        rollups: Vec<(Millis, Rollup)>,
        now: Millis,
    ) -> Result<(), StoreError> {
        self.writer
            .write(move |tx: &mut Connection| {
                Box::pin(async move {
                    for (width, rollup) in &rollups {
                        sql::query(
                            "INSERT INTO uptime_rollups (number, width, at, good, bad, sketch)
                             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (number, width, at) DO UPDATE
                             SET good = excluded.good, bad = excluded.bad, sketch = excluded.sketch",
                        )
                        .bind(number)
                        .bind(width)
                        .bind(rollup.at)
                        .bind(rollup.good)
                        .bind(rollup.bad)
                        .bind(rollup.sketch.encode())
                        .execute(&mut *tx)
                        .await?;
                    }
                    let old = sql::query("DELETE FROM uptime_results WHERE number = $1 AND at < $2");
                    old.bind(number).bind(now - LOOKS_KEPT).execute(&mut *tx).await?;
                    for (width, kept) in WIDTHS {
                        let old = "DELETE FROM uptime_rollups WHERE number = $1 AND width = $2 AND at < $3";
                        sql::query(old).bind(number).bind(width).bind(now - kept).execute(&mut *tx).await?;
                    }
                    Ok(())
                })
            })
            .await
    }

    /// Deletes what ended long ago.
    pub async fn uptime_forget(&self, now: Millis) -> Result<(), StoreError> {
        self.writer
            .write(move |tx: &mut Connection| {
                Box::pin(async move {
                    let old = sql::query("DELETE FROM uptime_spans WHERE until_at < $1");
                    old.bind(now - SPANS_KEPT).execute(&mut *tx).await?;
                    incidents::forget(tx, now - SPANS_KEPT).await?;
                    pushed::forget(tx, now).await?;
                    private_pages::forget(tx, now - SPANS_KEPT).await?;
                    subscribers::forget(tx, now).await?;
                    Ok(())
                })
            })
            .await
    }
}

async fn write(tx: &mut Connection, change: &UptimeChange) -> Result<(), sql::Error> {
    for look in &change.looks {
        sql::query(
            "INSERT INTO uptime_results (number, at, micros, verdict, detail) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (number, at) DO NOTHING",
        )
        .bind(look.number)
        .bind(look.at)
        .bind(look.micros)
        .bind(number_of(look.verdict))
        .bind(&look.detail)
        .execute(&mut *tx)
        .await?;
    }
    for (id, (state, latest)) in &change.states {
        let state = serde_json::to_string(state).unwrap_or_default();
        let query = sql::query("UPDATE uptime_checks SET state = $2, latest = COALESCE($3, latest) WHERE id = $1");
        query.bind(id).bind(state).bind(latest).execute(&mut *tx).await?;
    }
    for rewrite in &change.rewrites {
        write_spans(tx, rewrite).await?;
    }
    for (check, at) in &change.taken {
        pushed::taken(tx, check, *at).await?;
    }
    for outage in &change.outages {
        follow_outage(tx, outage).await?;
    }
    Ok(())
}

/// Replaces the subject's spans, beginning with the first of the new ones.
async fn write_spans(tx: &mut Connection, rewrite: &Rewrite) -> Result<(), sql::Error> {
    let Some(first) = rewrite.spans.first() else { return Ok(()) };
    let replaced = sql::query("DELETE FROM uptime_spans WHERE subject = $1 AND from_at >= $2");
    replaced.bind(&rewrite.subject).bind(first.from).execute(&mut *tx).await?;
    for span in &rewrite.spans {
        let query = "INSERT INTO uptime_spans (subject, from_at, until_at, standing) VALUES ($1, $2, $3, $4)";
        sql::query(query)
            .bind(&rewrite.subject)
            .bind(span.from)
            .bind(span.until)
            .bind(span.condition.as_str())
            .execute(&mut *tx)
            .await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn spans_are_replaced_from_the_first_that_changed_and_come_back_as_they_were() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("sla.db"), std::sync::Arc::default()).await.unwrap();
        let span = |from, until, condition| Span { from, until, condition };
        let rewrite = |spans: &[Span]| UptimeChange {
            rewrites: vec![Rewrite { subject: "shop".to_owned(), spans: spans.to_vec() }],
            ..UptimeChange::default()
        };
        store.uptime_write(rewrite(&[span(0, None, Condition::Up)])).await.unwrap();
        let later = [span(0, Some(50), Condition::Up), span(50, None, Condition::Down)];
        store.uptime_write(rewrite(&later)).await.unwrap();
        assert_eq!(store.uptime_spans("shop").await.unwrap(), later);
        store.uptime_write(rewrite(&[span(50, None, Condition::Unknown)])).await.unwrap();
        assert_eq!(store.uptime_spans("shop").await.unwrap().len(), 2);
        assert_eq!(store.uptime_spans("other").await.unwrap(), []);
    }

    #[tokio::test]
    async fn what_is_no_longer_configured_has_ended_until_it_comes_back() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("sla.db"), std::sync::Arc::default()).await.unwrap();
        let adopt = async |ids: &[&str], now| {
            let components = ids.iter().map(|id| ((*id).to_owned(), "acme".to_owned())).collect();
            let checks = ids.iter().map(|id| (format!("{id}/https"), CheckState::new(now))).collect();
            store.uptime_adopt(components, checks, now).await.unwrap()
        };
        let numbers = adopt(&["shop", "mail"], 10).await;
        assert_eq!(adopt(&["shop"], 20).await, numbers, "numbers stay");
        let remembered = store.uptime_remembered().await.unwrap();
        assert_eq!(remembered.since["mail"], 10);
        assert_eq!(remembered.states["shop/https"], CheckState::new(10));
    }
}
