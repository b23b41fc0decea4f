//! Copies a whole store from a file to a PostgreSQL server.
//!
//! Rows are copied in the order of their keys, a few hundred at a time, and rows that exist already stay, so a copy
//! that was interrupted is simply begun again. At the end both sides are read once more, counted and summed; the copy
//! counts only if they agree.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use sqlx::sqlite::SqliteConnectOptions;

use super::sql::postgres::{self, Server};
use super::sql::{self, Arg, AssertSqlSafe, Connection, QueryBuilder, Row};
use super::{At, Place, Store, StoreError};
use crate::keys::ring::KeyRing;

/// How many rows are read, and written, at a time.
const AT_ONCE: usize = 200;
/// The tables that each store keeps for itself: which migrations ran, who leads, and how the leader's work goes.
const OWN: [&str; 3] = ["_sqlx_migrations", "leases", "leader_health"];

/// A table that was copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied {
    pub table: String,
    pub rows: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Int,
    Real,
    Bytes,
    Text,
}

struct Table {
    name: String,
    columns: Vec<(String, Kind)>,
    /// The positions of the columns that make up its key, in order.
    key: Vec<usize>,
    /// The column that the database numbers itself.
    numbered: Option<String>,
}

/// Copies the file at `from` to `server`; `told` is called with each table and how many of its rows were copied.
pub async fn copy(
    from: &Path,
    server: &Server,
    keys: &Arc<KeyRing>,
    mut told: impl FnMut(&str, u64),
) -> Result<Vec<Copied>, StoreError> {
    if !from.is_file() {
        let source = std::io::ErrorKind::NotFound.into();
        return Err(StoreError::Unopened { path: from.to_owned(), source });
    }
    let file = Place::File(PathBuf::from(from));
    let claim = Store::claim(At { place: file.clone(), keys: keys.clone() })?;
    // Both are brought to the same version first; sealed values are copied as they are.
    for place in [file, Place::Server(Box::new(server.clone()))] {
        let at = At { place, keys: keys.clone() };
        Store::open_by(at, Some(&claim), Default::default()).await?.close().await;
    }
    let mut source = Connection::to_file(&SqliteConnectOptions::new().filename(from)).await?;
    let mut target = Connection::to_server(server).await?;
    is_idle(&mut target).await?;
    let mut copied = Vec::new();
    for table in tables(&mut source).await? {
        copy_table(&mut source, &mut target, &table, &mut told).await?;
        let (ours, theirs) = (sum(&mut source, &table).await?, sum(&mut target, &table).await?);
        if ours != theirs {
            return Err(StoreError::NotCopied(differing(&table, ours.0, theirs.0, server)));
        }
        go_on_counting(&mut target, &table).await?;
        copied.push(Copied { table: table.name, rows: ours.0 });
    }
    source.close().await?;
    target.close().await?;
    Ok(copied)
}

/// Says that a table differs, and what to do: rows that are there already stay as an earlier copy brought them.
fn differing(table: &Table, ours: u64, theirs: u64, server: &Server) -> String {
    format!(
        "{} has {ours} rows here and {theirs} there, or they differ: if the service went on with the file after an \
         earlier copy, remove that (`DROP SCHEMA {} CASCADE`, and with it whatever was written there since), and copy \
         again with the service still stopped",
        table.name,
        server.schema()
    )
}

/// Checks that no service works on the target, since nobody else may write meanwhile.
async fn is_idle(target: &mut Connection) -> Result<(), StoreError> {
    let row = sql::query(postgres::LEASE).fetch_one(target).await?;
    if row.try_get::<i64, _>("until_at")? > row.try_get::<i64, _>("now")? {
        return Err(StoreError::NotCopied("a service works on the target: stop it first".to_owned()));
    }
    Ok(())
}

async fn tables(source: &mut Connection) -> Result<Vec<Table>, StoreError> {
    let names = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name";
    let names: Vec<String> = sql::query_scalar(names).fetch_all(&mut *source).await?;
    let mut tables = Vec::new();
    for name in names.into_iter().filter(|name| !OWN.contains(&name.as_str())) {
        let columns = sql::query("SELECT name, type, pk FROM pragma_table_info($1) ORDER BY cid").bind(&name);
        tables.push(table(name, &columns.fetch_all(&mut *source).await?)?);
    }
    Ok(tables)
}

fn table(name: String, rows: &[Row]) -> Result<Table, StoreError> {
    let (mut columns, mut key, mut numbered) = (Vec::new(), Vec::new(), None);
    for (place, row) in rows.iter().enumerate() {
        let (column, words): (String, String) = (row.try_get("name")?, row.try_get("type")?);
        let nth: i64 = row.try_get("pk")?;
        if nth > 0 {
            key.push((nth, place));
        }
        if nth > 0 && words == "INTEGER" {
            numbered = Some(column.clone());
        }
        let kind = match words.as_str() {
            "INTEGER" | "BIGINT" => Kind::Int,
            "REAL" => Kind::Real,
            "BLOB" => Kind::Bytes,
            _ => Kind::Text,
        };
        columns.push((column, kind));
    }
    key.sort_unstable();
    // The database assigns a number only if it is the whole key.
    let numbered = numbered.filter(|_| key.len() == 1);
    Ok(Table { name, columns, key: key.into_iter().map(|(_, place)| place).collect(), numbered })
}

impl Table {
    fn names(&self) -> String {
        self.columns.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ")
    }

    fn key_names(&self) -> String {
        self.key.iter().map(|place| self.columns[*place].0.as_str()).collect::<Vec<_>>().join(", ")
    }

    /// Reads the next rows after the one with this key.
    async fn rows(&self, from: &mut Connection, after: Option<&[Arg]>) -> Result<Vec<Vec<Arg>>, StoreError> {
        let mut query = QueryBuilder::new(format!("SELECT {} FROM {}", self.names(), self.name));
        if let Some(after) = after {
            query.push(format_args!(" WHERE ({}) > (", self.key_names()));
            let mut key = query.separated(", ");
            for value in after {
                key.push_arg(value.clone());
            }
            query.push(")");
        }
        query.push(format_args!(" ORDER BY {} LIMIT {AT_ONCE}", self.key_names()));
        let rows = query.build().fetch_all(from).await?;
        rows.iter().map(|row| self.values(row)).collect()
    }

    fn values(&self, row: &Row) -> Result<Vec<Arg>, StoreError> {
        let value = |(place, (column, kind)): (usize, &(String, Kind))| {
            let read = match kind {
                Kind::Int => row.try_get(place).map(Arg::Int),
                Kind::Real => row.try_get(place).map(Arg::Real),
                Kind::Bytes => row.try_get(place).map(Arg::Bytes),
                Kind::Text => row.try_get(place).map(|text: Option<String>| {
                    Arg::Stored(text.map(|text| postgres::without_zero(&text).into_owned()))
                }),
            };
            read.map_err(|error| StoreError::Unreadable(format!("{} of {}: {error}", column, self.name)))
        };
        self.columns.iter().enumerate().map(value).collect()
    }

    fn key_of(&self, row: &[Arg]) -> Vec<Arg> {
        self.key.iter().map(|place| row[*place].clone()).collect()
    }
}

async fn copy_table(
    source: &mut Connection,
    target: &mut Connection,
    table: &Table,
    told: &mut impl FnMut(&str, u64),
) -> Result<(), StoreError> {
    let (mut after, mut over) = (None, 0);
    loop {
        told(&table.name, over);
        let rows = table.rows(source, after.as_deref()).await?;
        let Some(last) = rows.last() else { return Ok(()) };
        after = Some(table.key_of(last));
        over += rows.len() as u64;
        let mut query = QueryBuilder::new(format!("INSERT INTO {} ({}) ", table.name, table.names()));
        query.push_values(rows, |mut row, values| {
            for value in values {
                row.push_arg(value);
            }
        });
        query.push(" ON CONFLICT DO NOTHING");
        query.build().execute(&mut *target).await?;
    }
}

/// Returns how many rows a table has, and a sum over all of them that does not depend on their order.
async fn sum(from: &mut Connection, table: &Table) -> Result<(u64, [u64; 4]), StoreError> {
    let (mut after, mut count, mut sum) = (None, 0, [0u64; 4]);
    loop {
        let rows = table.rows(from, after.as_deref()).await?;
        let Some(last) = rows.last() else { return Ok((count, sum)) };
        after = Some(table.key_of(last));
        count += rows.len() as u64;
        for row in &rows {
            let hash = Sha256::digest(format!("{row:?}"));
            for (total, part) in sum.iter_mut().zip(hash.chunks_exact(8)) {
                let part = part.iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
                *total = total.wrapping_add(part);
            }
        }
    }
}

/// Makes the database number new rows after the copied ones.
async fn go_on_counting(target: &mut Connection, table: &Table) -> Result<(), StoreError> {
    if let Some(column) = &table.numbered {
        let Table { name, .. } = table;
        let set = format!(
            "SELECT setval(pg_get_serial_sequence('{name}', '{column}'), COALESCE(MAX({column}), 0) + 1, false) FROM {name}"
        );
        sql::query(AssertSqlSafe(set)).fetch_one(target).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::audit::Author;
    use crate::store::tokens::{Role, Token};

    #[tokio::test]
    async fn a_copy_holds_the_same_and_may_be_broken_off_and_begun_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sla.db");
        let Some(server) = crate::store::place::tests::server(&path) else { return };
        let store = Store::open(Place::File(path.clone()), Default::default()).await.unwrap();
        let author = || Author { who: "mia".to_owned(), origin: "command line".to_owned() };
        let now = chrono::DateTime::UNIX_EPOCH;
        for _ in 0..450 {
            store.add_token(&Token::generate().unwrap(), Role::Viewer, None, author(), now).await.unwrap();
        }
        store.close().await;
        // Interrupted in the middle of the first large table.
        let (tell, told) = tokio::sync::oneshot::channel();
        let mut tell = Some(tell);
        let keys = Arc::default();
        let half = copy(&path, &server, &keys, |_, over| {
            if over >= 200 {
                tell.take().map(|tell| tell.send(()));
            }
        });
        tokio::select! {
            biased;
            half_way = told => half_way.unwrap(),
            _ = half => panic!("it was to be broken off"),
        }
        let copied = copy(&path, &server, &keys, |_, _| ()).await.unwrap();
        let rows = |name: &str| copied.iter().find(|one| one.table == name).map(|one| one.rows);
        assert_eq!((rows("tokens"), rows("audit")), (Some(450), Some(450)));
        let there = Store::open(server, Default::default()).await.unwrap();
        assert_eq!(there.verify_audit().await.unwrap().rows, 450, "the chain of the audit log holds over there");
        there.add_token(&Token::generate().unwrap(), Role::Viewer, None, author(), now).await.unwrap();
        assert_eq!(there.verify_audit().await.unwrap().rows, 451, "and goes on");
    }

    #[tokio::test]
    async fn a_copy_of_a_file_that_was_worked_on_since_the_last_copy_says_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sla.db");
        let Some(server) = crate::store::place::tests::server(&path) else { return };
        let (keys, now) = (Arc::default(), chrono::DateTime::UNIX_EPOCH);
        for at in [now, now + chrono::TimeDelta::hours(1)] {
            let store = Store::open(Place::File(path.clone()), Default::default()).await.unwrap();
            store.prove_writable(at).await.unwrap();
            store.close().await;
            let copied = copy(&path, &server, &keys, |_, _| ()).await;
            if at == now {
                copied.unwrap();
                continue;
            }
            let refused = copied.expect_err("the row there is older").to_string();
            assert!(refused.contains("heartbeats has 1 rows here and 1 there, or they differ"), "{refused}");
            assert!(refused.contains(&format!("DROP SCHEMA {} CASCADE", server.schema())), "{refused}");
        }
    }

    #[test]
    fn a_difference_is_told_with_the_schema_to_drop() {
        let table = Table { name: "alerts".to_owned(), columns: Vec::new(), key: Vec::new(), numbered: None };
        let told = differing(&table, 2, 1, &Server::of_tests("postgres://db.example.com/msp", "superops_sla"));
        assert!(
            told.starts_with("alerts has 2 rows here and 1 there")
                && told.contains("`DROP SCHEMA superops_sla CASCADE`")
        );
    }
}
