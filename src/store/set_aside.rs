//! Rows that cannot be read: each is counted and named in the log, and none holds up the others.
//!
//! An alert is moved out of the way and raised anew; a ticket is passed over
//! until SuperOps has shown it again; a notification counts as refused.

use sqlx::sqlite::SqliteRow;
use sqlx::{Column, Row, SqliteConnection};
use tracing::error;

use super::{Store, StoreError};
use crate::telemetry::SetAsideLabels;

impl Store {
    /// Says that a row of `kind` cannot be read, and counts it.
    pub(super) fn tell_unreadable(&self, kind: &'static str, key: &str, why: &dyn std::fmt::Display) {
        self.telemetry.set_aside.get_or_create(&SetAsideLabels { kind }).inc();
        error!(kind, key, why = %why, "the stored {kind} `{key}` cannot be read and is set aside: {why}");
    }

    /// Moves an alert that cannot be read out of the way, as it is. If its danger lasts it is raised anew, under the
    /// same key: what was said of it is known by that, and not said again.
    pub(super) async fn set_alert_aside(&self, row: &SqliteRow, error: StoreError) -> Result<(), StoreError> {
        let (key, tenant): (String, String) = (row.try_get("key")?, row.try_get("tenant")?);
        let (why, content) = (error.to_string(), as_json(row));
        self.tell_unreadable("alert", &key, &why);
        self.writer
            .write(move |tx: &mut SqliteConnection| {
                Box::pin(async move {
                    let keep = sqlx::query(
                        // When, by the database's clock: nothing is decided by it.
                        "INSERT INTO set_aside (kind, tenant, key, content, why, at)
                         VALUES ('alert', $1, $2, $3, $4, CAST(unixepoch('subsec') * 1000 AS INTEGER))",
                    );
                    let keep = keep.bind(tenant).bind(&key).bind(content).bind(why);
                    keep.execute(&mut *tx).await?;
                    sqlx::query("DELETE FROM alerts WHERE key = $1").bind(&key).execute(tx).await.map(drop)
                })
            })
            .await
    }
}

/// The columns of `row` by their names, each as text.
fn as_json(row: &SqliteRow) -> String {
    let text = |column: &sqlx::sqlite::SqliteColumn| row.try_get_unchecked::<Option<String>, _>(column.ordinal()).ok();
    let columns = row.columns().iter().map(|column| (column.name().to_owned(), text(column).flatten().into()));
    serde_json::Value::Object(columns.collect()).to_string()
}
