//! Checks the whole store: whether it is intact, and what in it is inconsistent.
//!
//! Nothing is written, so the service may be running. Each check reports what it found and what to do about it; one
//! that finds nothing reports nothing. Rows that a running service writes meanwhile may be seen by one check and not by
//! the next, so findings beside a running service should be checked again.

mod references;
mod rows;
mod tables;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use sqlx::sqlite::SqliteConnectOptions;

pub use self::tables::TableSize;
use super::audit::chain;
use super::sql::{self, Connection};
use super::{At, Place, StoreError, books, with_causes};

/// The most findings listed per check; all of them are counted.
pub const TOLD: usize = 20;

/// The kinds of checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Look {
    /// The file, or the server's indexes and constraints.
    Integrity,
    /// The migrations of the tables.
    Migrations,
    /// Each row, read as the program reads it.
    Rows,
    /// Days, closed months and shares, against the entries they are made from.
    Books,
    /// The entries against the histories of their tickets.
    Histories,
    /// The chain of the audit log.
    Audit,
    /// Rows that refer to others.
    References,
}

impl Look {
    pub const ALL: [Self; 7] =
        [Self::Integrity, Self::Migrations, Self::Rows, Self::Books, Self::Histories, Self::Audit, Self::References];

    /// The name used in the answer.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Integrity => "integrity",
            Self::Migrations => "migrations",
            Self::Rows => "rows",
            Self::Books => "books",
            Self::Histories => "histories",
            Self::Audit => "audit",
            Self::References => "references",
        }
    }
}

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub look: Look,
    pub what: String,
    /// What to do about it.
    pub remedy: &'static str,
}

/// The result of checking the whole store.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Checked {
    /// Where the store is.
    pub store: String,
    /// The checks that were made; if the version of the tables is unknown, nothing else can be checked.
    pub looks: BTreeSet<Look>,
    /// At most [`TOLD`] of each check.
    pub findings: Vec<Finding>,
    /// How many more there are, by check.
    pub more: BTreeMap<Look, usize>,
    pub tables: Vec<TableSize>,
    /// How many rows of the audit log are intact, and the hash of the last.
    pub audit_rows: u64,
    pub audit_last: Option<String>,
}

impl Checked {
    /// Whether nothing was found.
    pub fn is_good(&self) -> bool {
        self.findings.is_empty()
    }

    /// Whether the database itself finds nothing wrong with its pages.
    pub fn is_sound(&self) -> bool {
        self.findings.iter().all(|finding| finding.look != Look::Integrity)
    }

    /// How many things were found.
    pub fn count(&self) -> usize {
        self.findings.len() + self.more.values().sum::<usize>()
    }

    /// Records that `look` found `what`.
    pub fn found(&mut self, look: Look, what: String, remedy: &'static str) {
        if self.findings.iter().filter(|finding| finding.look == look).count() < TOLD {
            self.findings.push(Finding { look, what, remedy });
        } else {
            *self.more.entry(look).or_default() += 1;
        }
    }
}

const RESTORE: &str =
    "restore a backup, or bring the database into order with its own tools, before the service goes on";

/// Checks the store at `place`, without changing anything.
pub async fn look(at: impl Into<At>) -> Result<Checked, StoreError> {
    let At { place, keys } = at.into();
    let mut connection = connect(&place).await?.with_keys(keys);
    let mut checked = Checked { store: place.to_string(), ..Checked::default() };
    integrity(&mut connection, &mut checked).await;
    match beyond_integrity(&mut connection, &mut checked).await {
        Ok(()) => {}
        // A damaged page makes every read of it fail.
        Err(error) if !checked.is_sound() => checked.found(Look::Integrity, with_causes(&error), RESTORE),
        Err(error) => return Err(error),
    }
    connection.close().await?;
    Ok(checked)
}

async fn beyond_integrity(connection: &mut Connection, checked: &mut Checked) -> Result<(), StoreError> {
    migrations(connection, checked).await?;
    if checked.findings.iter().all(|finding| finding.look != Look::Migrations) {
        rows::look(connection, checked).await?;
        books::look::look(connection, checked).await?;
        audit(connection, checked).await?;
        references::look(connection, checked).await?;
    }
    checked.tables = tables::sizes(connection).await?;
    Ok(())
}

/// Opens a connection that only reads and has no time limit; sealed values are read as they are stored.
pub(super) async fn connect(place: &Place) -> Result<Connection, StoreError> {
    match place {
        Place::File(path) if !path.is_file() => {
            Err(StoreError::Unopened { path: path.clone(), source: std::io::ErrorKind::NotFound.into() })
        }
        Place::File(path) => {
            let options = SqliteConnectOptions::new().filename(path).read_only(true).busy_timeout(super::BUSY_TIMEOUT);
            Ok(Connection::to_file(&options).await?)
        }
        Place::Server(server) => {
            let mut connection = Connection::to_server(server).await?;
            for setting in ["SET default_transaction_read_only = on", "SET statement_timeout = 0"] {
                sql::query(setting).execute(&mut connection).await?;
            }
            Ok(connection)
        }
    }
}

async fn integrity(connection: &mut Connection, checked: &mut Checked) {
    checked.looks.insert(Look::Integrity);
    let statement = if connection.is_postgres() { UNSOUND_AT_THE_SERVER } else { "PRAGMA quick_check(21)" };
    // Anything found before it could read no further counts as well.
    let mut faults = Vec::new();
    let read: Result<Vec<()>, sql::Error> = sql::query(statement)
        .fetch_each(connection, |row| {
            faults.push(row.try_get::<String, _>(0)?);
            Ok(())
        })
        .await;
    faults.extend(read.err().map(|error| error.to_string()));
    for fault in faults.into_iter().filter(|fault| fault != "ok") {
        checked.found(Look::Integrity, fault, RESTORE);
    }
}

/// Selects what PostgreSQL itself knows to be invalid.
const UNSOUND_AT_THE_SERVER: &str = "SELECT 'the index ' || c.relname || ' is not valid: REINDEX it'
     FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = current_schema() AND NOT (i.indisvalid AND i.indisready)
   UNION ALL SELECT 'the constraint ' || k.conname || ' is not validated'
     FROM pg_constraint k JOIN pg_namespace n ON n.oid = k.connamespace
     WHERE n.nspname = current_schema() AND NOT k.convalidated
   UNION ALL SELECT checksum_failures || ' pages of the database failed their checksum'
     FROM pg_stat_database WHERE datname = current_database() AND checksum_failures > 0";

/// An applied migration: its number, whether it was finished, and the checksum of its text.
type Step = (i64, i64, Vec<u8>);

pub(super) const NEWER: &str = "run a version of superops-sla that is as new as the one that wrote it";
const UNFINISHED: &str = "restore a backup from before the upgrade, and upgrade again";
const CHANGED: &str = "the program or the store was changed by hand: install a released version";
const OLDER: &str = "start the service with this version; or, if none runs, any command that reads the store: it brings \
     the tables up to date";
pub const NO_STORE: &str = "check [store] url in the configuration; the first `run` makes a store";

async fn migrations(connection: &mut Connection, checked: &mut Checked) -> Result<(), StoreError> {
    checked.looks.insert(Look::Migrations);
    let Some(steps) = steps(connection).await? else {
        checked.found(Look::Migrations, "there is no store here".to_owned(), NO_STORE);
        return Ok(());
    };
    for (what, remedy) in judged(&steps) {
        checked.found(Look::Migrations, what, remedy);
    }
    Ok(())
}

/// Returns the migrations that were applied, in order; none if there is no store.
async fn steps(connection: &mut Connection) -> Result<Option<Vec<Step>>, StoreError> {
    let there = match connection.is_postgres() {
        true => "SELECT COUNT(*) FROM pg_tables WHERE schemaname = current_schema() AND tablename = '_sqlx_migrations'",
        false => "SELECT COUNT(*) FROM sqlite_schema WHERE name = '_sqlx_migrations'",
    };
    let there: i64 = sql::query_scalar(there).fetch_one(&mut *connection).await?;
    if there == 0 {
        return Ok(None);
    }
    let steps = "SELECT version, CAST(CASE WHEN success THEN 1 ELSE 0 END AS BIGINT), checksum FROM _sqlx_migrations ORDER BY version";
    Ok(Some(sql::query_as(steps).fetch_all(connection).await?))
}

/// Whether migrations of this program are still to be applied to the store at `place`. Changes nothing.
pub(super) async fn is_older(place: &Place) -> Result<bool, StoreError> {
    let mut connection = connect(place).await?;
    let steps = steps(&mut connection).await?;
    connection.close().await?;
    let is_missing = |version: i64| steps.iter().flatten().all(|(step, ..)| *step != version);
    Ok(steps.is_some() && sqlx::migrate!().iter().any(|step| is_missing(step.version)))
}

/// Returns what is wrong with the migrations of a store.
fn judged(steps: &[Step]) -> Vec<(String, &'static str)> {
    let known: BTreeMap<i64, _> = sqlx::migrate!().iter().map(|step| (step.version, step.checksum.clone())).collect();
    let judge = |(version, finished, checksum): &Step| match known.get(version) {
        _ if *finished == 0 => Some((format!("migration {version} was begun and not finished"), UNFINISHED)),
        None => Some((format!("migration {version} is of a later version of the program"), NEWER)),
        Some(own) if **own != checksum[..] => {
            Some((format!("migration {version} differs from the one in this program"), CHANGED))
        }
        Some(_) => None,
    };
    let missing = known.keys().filter(|version| !steps.iter().any(|(step, ..)| step == *version)).count();
    let missing = (missing > 0).then(|| (format!("migrations of this program that are not applied: {missing}"), OLDER));
    steps.iter().filter_map(judge).chain(missing).collect()
}

const CHANGED_LOG: &str =
    "find out who changed the database directly; compare with a backup, or with a hash of the log that you noted";

async fn audit(connection: &mut Connection, checked: &mut Checked) -> Result<(), StoreError> {
    checked.looks.insert(Look::Audit);
    let verified = chain::verify(connection).await?;
    if let Some(broken) = verified.broken {
        checked.found(Look::Audit, format!("row {} of {}: {}", broken.id, broken.at, broken.why), CHANGED_LOG);
    }
    (checked.audit_rows, checked.audit_last) = (verified.rows, verified.last);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_step_that_is_not_as_it_should_be_is_named() {
        let good: Vec<Step> = sqlx::migrate!().iter().map(|step| (step.version, 1, step.checksum.to_vec())).collect();
        assert_eq!(judged(&good), []);
        let after = |change: fn(&mut Vec<Step>)| {
            let mut steps = good.clone();
            change(&mut steps);
            judged(&steps).into_iter().map(|(what, _)| what).collect::<Vec<_>>()
        };
        assert_eq!(after(|steps| drop(steps.pop())), ["migrations of this program that are not applied: 1"]);
        assert_eq!(after(|steps| steps[0].1 = 0), ["migration 1 was begun and not finished"]);
        assert_eq!(after(|steps| steps[0].2[0] ^= 1), ["migration 1 differs from the one in this program"]);
        assert_eq!(
            after(|steps| steps.push((9_999, 1, Vec::new()))),
            ["migration 9999 is of a later version of the program"]
        );
    }
}
