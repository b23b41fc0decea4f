//! Parts of the books: what a statement selects of them, and how the rows are read.

use super::rows::{self, COLUMNS, Stored};
use crate::store::StoreError;
use crate::store::sql::{self, AssertSqlSafe, Connection};
use crate::ticket::TenantId;

/// The entries of a period: those decided in it, those stopped in it, and the other clocks of those tickets.
pub(super) const OF_PERIOD: &str = "FROM entries e WHERE e.tenant = $1 AND e.counts = 1 AND e.day BETWEEN $2 AND $3";
pub(super) const STOPPED: &str = "FROM entries e WHERE e.tenant = $1 AND e.counts = 1 AND e.stop_day BETWEEN $2 AND $3 AND e.stop_day <> e.day AND e.day NOT BETWEEN $2 AND $3";
pub(super) const BESIDE: &str = "FROM entries e WHERE e.tenant = $1 AND e.counts = 1 AND e.headline = 1 AND e.ticket IN \
     (SELECT ticket FROM entries WHERE tenant = $1 AND counts = 1 AND day BETWEEN $2 AND $3) \
     AND e.day NOT BETWEEN $2 AND $3 AND (e.stop_day IS NULL OR e.stop_day NOT BETWEEN $2 AND $3)";
const SHARES: &str = "SELECT s.entry, s.holder, s.weight, s.counted, s.over, s.paused";

/// Returns the first and the last day that have sums.
pub(super) async fn booked_days(reads: &mut Connection, tenant: &TenantId) -> Result<Option<(i64, i64)>, sql::Error> {
    let first = "SELECT day FROM days WHERE tenant = $1 ORDER BY day LIMIT 1";
    let last = "SELECT day FROM days WHERE tenant = $1 ORDER BY day DESC LIMIT 1";
    let first: Option<i64> = sql::query_scalar(first).bind(tenant.as_str()).fetch_optional(&mut *reads).await?;
    let last: Option<i64> = sql::query_scalar(last).bind(tenant.as_str()).fetch_optional(reads).await?;
    Ok(first.zip(last))
}

/// Reads the entries of a part, with their shares.
pub(super) async fn read_rows(
    connection: &mut Connection,
    part: &'static str,
    tenant: &TenantId,
    (from, to): (i64, i64),
) -> Result<Vec<Stored>, StoreError> {
    let query = format!("SELECT {COLUMNS} {part}");
    let bound = sql::query(AssertSqlSafe(query)).bind(tenant.as_str()).bind(from).bind(to);
    let mut all = bound.fetch_each(&mut *connection, |row| rows::stored(&row)).await?;
    let joined = part.replacen("FROM entries e", "FROM entries e JOIN shares s ON s.entry = e.id", 1);
    let query = format!("{SHARES} {joined} ORDER BY s.entry, s.place");
    let bound = sql::query(AssertSqlSafe(query)).bind(tenant.as_str()).bind(from).bind(to);
    let places = rows::places(&all);
    bound.fetch_each(connection, |row| rows::give_share(&mut all, &places, &row)).await?;
    Ok(all)
}
