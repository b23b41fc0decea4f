//! Rows that cannot be read: each is counted and logged, and none holds up the others.
//!
//! An alert is copied aside and goes on with whatever can be read of it; a ticket is skipped until SuperOps has sent it
//! again; a notification counts as refused. Rows that lists leave out are counted, so that pages can say that something
//! is missing. A row whose key is missing is not treated like this: it stays as it is until the key is available.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::{Mutex, PoisonError};

use tracing::error;

use super::alerts::{AlertRow, rewrite, salvaged};
use super::{Store, StoreError};
use crate::store::sealed::SET_ASIDE;
use crate::store::sql::{self, Connection, Row};
use crate::telemetry::SetAsideLabels;
use crate::ticket::Reach;

/// How many are told apart at most.
const MOST: usize = 1_000;

/// Rows that lists leave out because they cannot be read, by kind and key, each with its tenant.
#[derive(Default)]
pub(super) struct LeftOut(Mutex<BTreeMap<(&'static str, String), Option<String>>>);

impl LeftOut {
    /// Adds a row; true if it was not known yet.
    fn add(&self, kind: &'static str, key: &str, tenant: Option<String>) -> bool {
        let mut rows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = !rows.contains_key(&(kind, key.to_owned()));
        if is_new && rows.len() < MOST {
            rows.insert((kind, key.to_owned()), tenant);
        }
        is_new
    }

    /// Removes a row that was written anew.
    pub(super) fn remove(&self, kind: &'static str, key: &str) {
        let mut rows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !rows.is_empty() {
            rows.remove(&(kind, key.to_owned()));
        }
    }
}

impl Store {
    /// Counts, by kind, the rows in `reach` that lists leave out because they cannot be read, since the service began.
    pub fn left_out(&self, reach: &Reach) -> BTreeMap<&'static str, usize> {
        let mut counts = BTreeMap::new();
        let rows = self.left_out.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_theirs = |tenant: &Option<String>| match (reach.tenant(), tenant) {
            (None, _) => true,
            (Some(own), tenant) => tenant.as_deref() == Some(own.as_str()),
        };
        for ((kind, _), _) in rows.iter().filter(|(_, tenant)| is_theirs(tenant)) {
            *counts.entry(*kind).or_default() += 1;
        }
        counts
    }

    /// Returns those of `rows` that can be read. The others are left out and reported: a row of `kind`, by its column
    /// `key`. A row whose key is missing is an error instead, since it can be read once the key is there.
    pub(super) fn legible<'r, T, E: Into<StoreError>>(
        &self,
        kind: &'static str,
        key: &str,
        rows: impl IntoIterator<Item = &'r Row>,
        read: impl Fn(&Row) -> Result<T, E>,
    ) -> Result<Vec<T>, StoreError> {
        let mut legible = Vec::new();
        for row in rows {
            match read(row).map_err(Into::into) {
                Ok(one) => legible.push(one),
                Err(error @ StoreError::KeyMissing(_)) => return Err(error),
                Err(error) => {
                    self.leave_out(kind, &row.in_words(key).unwrap_or_default(), row.in_words("tenant"), &error);
                }
            }
        }
        Ok(legible)
    }

    /// Reports, once, that the row of `kind` with this `key` cannot be read and is left out of lists.
    pub(super) fn leave_out(&self, kind: &'static str, key: &str, tenant: Option<String>, why: &dyn Display) {
        if self.left_out.add(kind, key, tenant) {
            self.tell_unreadable(kind, key, why);
        }
    }

    /// Logs that a row of `kind` cannot be read, and counts it.
    pub(super) fn tell_unreadable(&self, kind: &'static str, key: &str, why: &dyn Display) {
        self.telemetry.set_aside.get_or_create(&SetAsideLabels { kind }).inc();
        error!(kind, key, why = %why, "the stored {kind} `{key}` cannot be read and is set aside: {why}");
    }

    /// Copies an alert that cannot be read aside, as it is, and returns what can be read of it, which replaces it. None
    /// if it is not even known which alert it is: it is then raised anew if its danger lasts. Either way, the
    /// notifications already sent are known by the key and not repeated.
    pub(super) async fn set_alert_aside(&self, row: &Row, error: StoreError) -> Result<Option<AlertRow>, StoreError> {
        let (key, tenant): (String, String) = (row.try_get("key")?, row.try_get("tenant")?);
        let (why, content) = (error.to_string(), as_json(row));
        self.tell_unreadable("alert", &key, &why);
        let said = self.last_stage_said(&key).await?;
        let salvaged = salvaged(row, said.as_deref());
        self.writer
            .write(move |tx: &mut Connection| {
                Box::pin(async move {
                    let keep = sql::query(
                        // The time comes from the database's clock: nothing is decided by it.
                        "INSERT INTO set_aside (kind, tenant, key, content, why, at)
                         VALUES ('alert', $1, $2, $3, $4, CAST(unixepoch('subsec') * 1000 AS BIGINT))",
                    );
                    let content = SET_ASIDE.seal(&["alert", &tenant, &key], content);
                    let keep = keep.bind(tenant).bind(&key).bind(content).bind(why);
                    keep.execute(&mut *tx).await?;
                    let Some(alert) = salvaged else {
                        sql::query("DELETE FROM alerts WHERE key = $1").bind(&key).execute(tx).await?;
                        return Ok(None);
                    };
                    // A part that cannot be read must not block the parts that can.
                    sql::query("UPDATE alerts SET told = 0 WHERE key = $1").bind(&key).execute(&mut *tx).await?;
                    rewrite(tx, &alert).await?;
                    Ok(Some(alert))
                })
            })
            .await
    }

    /// Returns the stage that was last told of the alert with that key.
    async fn last_stage_said(&self, key: &str) -> Result<Option<String>, StoreError> {
        let stage = sql::query_scalar(
            "SELECT stage FROM notifications WHERE alert_key = $1 AND kind = 'alert' ORDER BY created_at DESC LIMIT 1",
        );
        Ok(stage.bind(key).fetch_optional(&self.reads).await?)
    }
}

/// Returns the columns of `row` by name, each as text.
fn as_json(row: &Row) -> String {
    let columns = row.names().into_iter().enumerate().map(|(at, name)| (name.to_owned(), row.in_words(at).into()));
    serde_json::Value::Object(columns.collect()).to_string()
}
