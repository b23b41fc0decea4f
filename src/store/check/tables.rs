//! The size of each table, and how far back it goes.

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::store::sql::{self, AssertSqlSafe, Connection};
use crate::store::{StoreError, instant};

/// A table with its indexes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TableSize {
    pub table: String,
    pub rows: u64,
    /// None if the database does not tell.
    pub bytes: Option<u64>,
    /// The earliest time in its rows; none if it is empty or has no times.
    pub oldest: Option<DateTime<Utc>>,
}

/// Columns that tell since when a row exists, the most reliable first.
const SINCE: [&str; 20] = [
    "created_at",
    "first_seen_at",
    "raised_at",
    "made_at",
    "opened_at",
    "started_at",
    "begun_at",
    "given_at",
    "decided_at",
    "frozen_at",
    "closed_at",
    "used_at",
    "from_at",
    "from_time",
    "earliest",
    "since",
    "at",
    "changed_at",
    "seen_at",
    "read_at",
];

/// Returns all tables, by name.
pub(super) async fn sizes(connection: &mut Connection) -> Result<Vec<TableSize>, StoreError> {
    let names = match connection.is_postgres() {
        true => "SELECT CAST(tablename AS TEXT) FROM pg_tables WHERE schemaname = current_schema() ORDER BY tablename",
        false => "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name",
    };
    let names: Vec<String> = sql::query_scalar(names).fetch_all(&mut *connection).await?;
    let mut sizes = Vec::with_capacity(names.len());
    for table in names {
        sizes.push(size(connection, table).await?);
    }
    Ok(sizes)
}

async fn size(connection: &mut Connection, table: String) -> Result<TableSize, StoreError> {
    let rows = format!("SELECT COUNT(*) FROM {table}");
    let rows: i64 = sql::query_scalar(AssertSqlSafe(rows)).fetch_one(&mut *connection).await?;
    let bytes = match connection.is_postgres() {
        true => "SELECT pg_total_relation_size(to_regclass($1))",
        false => {
            "SELECT SUM(pgsize) FROM dbstat WHERE aggregate = 1
               AND name IN (SELECT name FROM sqlite_schema WHERE tbl_name = $1)"
        }
    };
    // A SQLite built without `dbstat` does not tell.
    let bytes = sql::query_scalar::<Option<i64>>(bytes).bind(&table).fetch_one(&mut *connection).await.ok().flatten();
    let oldest = oldest(connection, &table).await?;
    Ok(TableSize { table, rows: rows.unsigned_abs(), bytes: bytes.map(i64::unsigned_abs), oldest })
}

async fn oldest(connection: &mut Connection, table: &str) -> Result<Option<DateTime<Utc>>, StoreError> {
    let columns = match connection.is_postgres() {
        true => {
            "SELECT CAST(column_name AS TEXT) FROM information_schema.columns
               WHERE table_schema = current_schema() AND table_name = $1 AND data_type = 'bigint'"
        }
        false => "SELECT name FROM pragma_table_info($1) WHERE type IN ('BIGINT', 'INTEGER')",
    };
    let columns: Vec<String> = sql::query_scalar(columns).bind(table).fetch_all(&mut *connection).await?;
    let Some(since) = SINCE.iter().find(|name| columns.iter().any(|column| column == *name)) else { return Ok(None) };
    // Work to be done at once is marked with the beginning of time.
    let first = format!("SELECT MIN({since}) FROM {table} WHERE {since} > 1");
    let first: Option<i64> = sql::query_scalar(AssertSqlSafe(first)).fetch_one(connection).await?;
    Ok(first.and_then(|at| instant(at).ok()))
}
