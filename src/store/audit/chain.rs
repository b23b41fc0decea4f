//! The hash chain of the audit log: each row holds a hash of itself and of the row before, so that a row that was
//! changed or removed shows. Rows cut from the end show only if somebody has noted the last hash.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::super::{Store, StoreError, instant};
use crate::keys::hex;
use crate::store::sql::{self, Connection};

/// How many rows are checked at a time.
const BATCH: i64 = 1_000;

/// The hashed contents of a row.
pub(super) struct Link<'a> {
    pub tenant: Option<&'a str>,
    pub at: i64,
    pub who: &'a str,
    pub what: &'a str,
    pub origin: &'a str,
    pub alert: Option<&'a str>,
}

impl Link<'_> {
    /// Returns the hash of the row after one with the hash `prior`. Lengths keep one field from running into the next.
    pub fn hash(&self, prior: &str) -> String {
        let at = self.at.to_string();
        let absent = "\0";
        let fields =
            [prior, self.tenant.unwrap_or(absent), &at, self.who, self.what, self.origin, self.alert.unwrap_or(absent)];
        let mut digest = Sha256::new();
        for field in fields {
            digest.update(u64::try_from(field.len()).unwrap_or(u64::MAX).to_be_bytes());
            digest.update(field);
        }
        hex(&digest.finalize())
    }
}

/// Returns the hash of the last row; empty if there is none.
pub(in crate::store) async fn last(tx: &mut Connection) -> Result<String, sql::Error> {
    let last =
        sql::query_scalar("SELECT hash FROM audit WHERE id = (SELECT MAX(id) FROM audit)").fetch_optional(tx).await?;
    Ok(last.unwrap_or_default())
}

/// Rebuilds the chain, from the first row that had been chained.
pub(in crate::store) async fn anew(tx: &mut Connection) -> Result<(), sql::Error> {
    let (mut after, mut prior) = (0, None::<String>);
    loop {
        let rows: Vec<Row> = sql::query_as(
            "SELECT id, tenant, at, who, what, origin, alert, prior, hash FROM audit WHERE id > $1 ORDER BY id LIMIT $2",
        )
        .bind(after)
        .bind(BATCH)
        .fetch_all(&mut *tx)
        .await?;
        let Some(last) = rows.last() else { return Ok(()) };
        after = last.0;
        for (id, tenant, at, who, what, origin, alert, was, hash) in &rows {
            if hash.is_empty() && prior.is_none() {
                continue;
            }
            // What the first row holds about a row that is gone stays as it is.
            let before = prior.unwrap_or_else(|| was.clone());
            let link = Link { tenant: tenant.as_deref(), at: *at, who, what, origin, alert: alert.as_deref() };
            let hash = link.hash(&before);
            let change = sql::query("UPDATE audit SET prior = $2, hash = $3 WHERE id = $1");
            change.bind(*id).bind(before).bind(&hash).execute(&mut *tx).await?;
            prior = Some(hash);
        }
    }
}

/// The result of checking the whole chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// Rows that fit together.
    pub rows: u64,
    /// Rows from before the chain existed.
    pub unchained: u64,
    /// Whether the first row follows one that is gone, as after retention has deleted the oldest.
    pub begins_late: bool,
    /// The hash of the last row, by which anyone who notes it can tell later whether rows were cut from the end.
    pub last: Option<String>,
    /// The first row that does not fit; none if all do.
    pub broken: Option<Broken>,
}

/// A row that does not fit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Broken {
    pub id: i64,
    pub at: DateTime<Utc>,
    pub why: &'static str,
}

type Row = (i64, Option<String>, i64, String, String, String, Option<String>, String, String);

impl Store {
    /// Checks whether the audit log is as it was written.
    pub async fn verify_audit(&self) -> Result<Verified, StoreError> {
        verify(&mut self.reads.acquire().await?).await
    }
}

/// Checks whether the audit log behind `connection` is as it was written.
pub(in crate::store) async fn verify(connection: &mut Connection) -> Result<Verified, StoreError> {
    let mut found = Verified { rows: 0, unchained: 0, begins_late: false, last: None, broken: None };
    let mut after = 0;
    loop {
        let rows: Vec<Row> = sql::query_as(
            "SELECT id, tenant, at, who, what, origin, alert, prior, hash FROM audit WHERE id > $1 ORDER BY id LIMIT $2",
        )
        .bind(after)
        .bind(BATCH)
        .fetch_all(&mut *connection)
        .await?;
        let Some(last) = rows.last() else { return Ok(found) };
        after = last.0;
        for row in &rows {
            if let Some(why) = found.take(row) {
                found.broken = Some(Broken { id: row.0, at: instant(row.2)?, why });
                return Ok(found);
            }
        }
    }
}

impl Verified {
    /// Adds the next row, or returns why it does not fit.
    fn take(&mut self, (_, tenant, at, who, what, origin, alert, prior, hash): &Row) -> Option<&'static str> {
        if hash.is_empty() && self.last.is_none() {
            self.unchained += 1;
            return None;
        }
        let link = Link { tenant: tenant.as_deref(), at: *at, who, what, origin, alert: alert.as_deref() };
        if link.hash(prior) != *hash {
            return Some("it was changed after it was written");
        }
        match &self.last {
            Some(last) if last != prior => return Some("a row before it was taken out or put in"),
            // After rows that never had a hash, the chain begins with a row that has no predecessor in it.
            None if self.unchained > 0 && !prior.is_empty() => {
                return Some("the rows before it have lost their hashes");
            }
            _ => {}
        }
        self.begins_late |= self.last.is_none() && !prior.is_empty();
        self.rows += 1;
        self.last = Some(hash.clone());
        None
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::store::audit::Author;
    use crate::store::tokens::{Role, Token};

    /// Makes a store with a log of `number` rows.
    async fn store(folder: &tempfile::TempDir, number: i64) -> Store {
        let store = Store::open(&folder.path().join("sla.db"), Arc::default()).await.unwrap();
        for second in 0..number {
            let now = DateTime::from_timestamp(1_800_000_000 + second, 0).unwrap();
            let author = Author { who: "mia".to_owned(), origin: "command line".to_owned() };
            store.add_token(&Token::generate().unwrap(), Role::Viewer, None, author, now).await.unwrap();
        }
        store
    }

    /// Returns what the check finds after `what` was done to the table behind the service's back.
    async fn after(what: &'static str) -> Verified {
        let folder = tempfile::tempdir().unwrap();
        let store = store(&folder, 5).await;
        let write = store
            .writer
            .write(move |tx: &mut Connection| Box::pin(async move { sql::query(what).execute(tx).await.map(drop) }));
        write.await.unwrap();
        store.verify_audit().await.unwrap()
    }

    #[tokio::test]
    async fn a_log_that_nobody_touched_holds_together() {
        let found = after("SELECT 1").await;
        assert_eq!((found.rows, found.unchained, found.begins_late, found.broken), (5, 0, false, None));
        let aged = after("DELETE FROM audit WHERE id <= 2").await;
        assert_eq!((aged.rows, aged.begins_late, aged.broken), (3, true, None), "what is old goes from the front");
    }

    #[tokio::test]
    async fn a_zero_in_what_somebody_wrote_breaks_no_log_whatever_the_store_makes_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(&folder, 2).await;
        let author = Author { who: "Mi\0a".to_owned(), origin: "he\0re".to_owned() };
        store.note("did so\0mething", author, DateTime::UNIX_EPOCH).await.unwrap();
        let found = store.verify_audit().await.unwrap();
        assert_eq!((found.rows, found.broken), (3, None));
    }

    #[tokio::test]
    async fn a_row_that_was_changed_taken_out_or_put_in_shows() {
        let cases = [
            ("UPDATE audit SET who = 'tom' WHERE id = 3", 3),
            ("UPDATE audit SET at = at + 1 WHERE id = 3", 3),
            ("UPDATE audit SET tenant = 'acme' WHERE id = 3", 3),
            ("UPDATE audit SET hash = '', prior = '' WHERE id = 3", 3),
            ("UPDATE audit SET hash = '', prior = '', who = 'tom' WHERE id <= 2", 3),
            ("DELETE FROM audit WHERE id = 3", 4),
            ("INSERT INTO audit (at, who, what, origin) VALUES (1, 'tom', 'nothing', 'here')", 6),
        ];
        for (what, id) in cases {
            assert_eq!(after(what).await.broken.map(|broken| broken.id), Some(id), "{what}");
        }
    }
}
