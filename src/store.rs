//! The store: the only way to the database and to the caches in front of it.
//!
//! All writes go through one writer, which commits whatever is waiting in one transaction: a write has happened once
//! its call returns, and not before. Reads have their own connections and never wait for a write; reads of pages never
//! keep the loops waiting either.

pub mod acts;
pub mod alerts;
pub mod audit;
pub mod books;
mod budget_share;
mod cache;
pub mod check;
mod checkpoint;
pub mod copy;
mod credit_terms;
pub mod encryption;
pub mod ended;
pub mod incidents;
pub mod latest;
mod leader_health;
pub mod lease;
pub mod links;
pub mod on_call;
mod opened;
mod others;
pub mod outbox;
mod overrides;
pub mod past;
pub mod personal_rules;
pub mod phones;
mod place;
#[cfg(test)]
mod plans;
pub mod predictions;
pub mod privacy;
pub mod private_pages;
pub mod promises;
pub mod pushed;
pub mod receipts;
pub mod record;
pub mod reports;
pub mod retention;
pub mod saved_views;
pub mod sealed;
mod self_monitoring;
mod server_clock;
pub mod sessions;
mod set_aside;
pub mod sign_ins;
pub mod sql;
pub mod statements;
pub mod subscribers;
pub mod suppressions;
pub mod sync;
pub mod tickets;
pub mod today;
pub mod tokens;
pub mod unreachable_numbers;
pub mod uptime;
pub mod versions;
pub mod weekly;
pub mod write_backs;
mod writer;

use std::fs::File;
use std::future::Future;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::postgres::PgDatabaseError;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use tokio::sync::watch;

use crate::keys::ring::{KeyRing, SealError};
use crate::telemetry::Telemetry;
use cache::Caches;
use checkpoint::{Checkpoints, LONGEST_LOG, USUAL_LOG};
use opened::Opened;
pub use place::{At, Place};
use sql::postgres::{Server, Unmigrated};
use sql::{Connection, Pool};
pub use writer::Write;
use writer::{Target, Writer};

/// How many rows are read ahead of the consumer: the fewer, the more often the two threads wait for each other.
const ROWS_AHEAD: usize = 256;
/// How long a write waits for another process to release the file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Connections for the loops; pages get as many again.
const READERS: u32 = 4;

/// 8 MB, in SQLite's notation: with less, a storm's transaction spills pages to disk that it soon touches again.
const WRITER_CACHE: &str = "-8000";

/// Why the store could not do what was asked, grouped by what to do next.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("the database is locked by another process; nothing was changed; try again")]
    Locked(#[source] sqlx::Error),
    #[error("the database cannot be written: {}; check the disk's free space and the file's permissions", in_words(.0))]
    Unwritable(#[source] sqlx::Error),
    #[error("another superops-sla is already running on `{}`; stop it first, or give this one a store of its own", .0.display())]
    InUse(PathBuf),
    #[error("cannot open `{}`: {source}", path.display())]
    Unopened { path: PathBuf, source: std::io::Error },
    #[error(
        "the database server cannot be reached, or takes no writes: {}; nothing was changed; try again",
        in_words(.0)
    )]
    Unreachable(#[source] sqlx::Error),
    #[error(
        "the database server refuses us: {}; correct `url` or the password in [store], or what the server allows; \
         nothing was changed",
        in_words(.0)
    )]
    Refused(#[source] sqlx::Error),
    #[error(
        "the database's user lacks a right: {}; let it create the store's schema (`GRANT CREATE ON DATABASE … TO …`), \
         or give it the rights on that schema and its tables; nothing was changed",
        in_words(.0)
    )]
    Forbidden(#[source] sqlx::Error),
    #[error(
        "the database server was lost before it confirmed the change ({}): it may have been made or not; look before \
         you do it again",
        in_words(.0)
    )]
    Unconfirmed(#[source] sqlx::Error),
    #[error("another replica leads now; the request was not carried out")]
    Replaced,
    #[error("the copy is not whole: {0}")]
    NotCopied(String),
    #[error("the database answered with an error")]
    Broken(#[source] sqlx::Error),
    #[error("the database could not be brought up to date")]
    Migration(#[source] sqlx::migrate::MigrateError),
    #[error(
        "the store's file `{}` was deleted or replaced while this service runs, which still writes to the old one: \
         restart it, or stop it first if that file is to be put back",
        .0.display()
    )]
    Displaced(PathBuf),
    #[error(
        "the database is encoded in {0}, which cannot hold all that SuperOps sends: make one with \
         `CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0`"
    )]
    Encoding(String),
    #[error("the store was written by a later version: {}", check::NEWER)]
    OfLater,
    #[error("the store is of an older version, with {0} of its replicas running: stop them, or use their version")]
    OlderAtWork(i64),
    #[error(
        "the store is of an older version, whose service is running on it: restart that with this version, or use its \
         version; nothing was changed"
    )]
    OlderServed,
    #[error("a stored record cannot be read: {0}")]
    Unreadable(String),
    #[error("somebody acted on an alert in the meantime; the decision is void and has to be made again")]
    Overtaken,
    #[error(
        "the store holds data encrypted with the key `{0}`, which [store] encryption_keys_env or encryption_keys_file \
         does not give: put it there, after a newer one or alone, and restart; nothing was changed"
    )]
    KeyMissing(String),
    #[error(
        "the key `{0}` is not the one that the store was encrypted with, or the store was changed: nothing was done"
    )]
    KeyUnproved(String),
    #[error("the store has been closed")]
    Closed,
}

/// Returns the database's message. An error that several callers wait for is passed on as text only.
fn in_words(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Protocol(words) => words.clone(),
        sqlx::Error::Database(said) => match said.try_downcast_ref::<PgDatabaseError>() {
            // Its text ends with a line of the server's source.
            Some(said) => said.message().to_owned(),
            None => said.to_string(),
        },
        error => error.to_string(),
    }
}

/// Returns the text of `error` with its causes. Many a text ends with that of its cause, which is not said twice.
pub fn with_causes(error: &dyn std::error::Error) -> String {
    let (mut text, mut cause) = (error.to_string(), error.source());
    while let Some(error) = cause {
        let of_database = error.downcast_ref::<sqlx::Error>();
        let why = of_database.map_or_else(|| error.to_string(), in_words);
        if !text.contains(&why) {
            text = format!("{text}: {why}");
        }
        // What the database said has no further cause, only another wording.
        cause = if matches!(of_database, Some(sqlx::Error::Database(_))) { None } else { error.source() };
    }
    text
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match missing_key(&error) {
            Some(id) => Self::KeyMissing(id),
            None => Self::sorter(&error)(error),
        }
    }
}

/// Returns the id of the key that was missing when a row was read; none if something else failed. What is encrypted
/// with that key is intact and can be read once the key is available.
fn missing_key(error: &sqlx::Error) -> Option<String> {
    let sqlx::Error::Decode(source) = error else { return None };
    match source.downcast_ref() {
        Some(SealError::UnknownKey(id)) => Some(id.clone()),
        _ => None,
    }
}

impl StoreError {
    /// Whether the store as a whole failed, and not just the data of one tenant.
    pub fn is_of_all(&self) -> bool {
        matches!(
            self,
            Self::Locked(_)
                | Self::Unwritable(_)
                | Self::Unreachable(_)
                | Self::Refused(_)
                | Self::Forbidden(_)
                | Self::Unconfirmed(_)
                | Self::Replaced
                | Self::Closed
        )
    }

    /// Returns the variant for this kind of failure; it can wrap `error` itself or only its text.
    fn sorter(error: &sqlx::Error) -> fn(sqlx::Error) -> Self {
        let Some(known) = error.as_database_error() else {
            return Self::without_answer(error);
        };
        if known.try_downcast_ref::<PgDatabaseError>().is_some() {
            return Self::of_server(&known.code().unwrap_or_default());
        }
        // https://www.sqlite.org/rescode.html: the low byte is the primary code.
        let code = known.code().and_then(|c| c.parse::<u32>().ok());
        match code.map(|code| code & 0xff) {
            Some(5 | 6) => Self::Locked,
            Some(8 | 10 | 13 | 14) => Self::Unwritable,
            _ => Self::Broken,
        }
    }

    fn migrating(error: Unmigrated) -> Self {
        let error = match error {
            Unmigrated::Failed(error) => error,
            Unmigrated::OlderAtWork(replicas) => return Self::OlderAtWork(replicas),
            Unmigrated::Encoding(encoding) => return Self::Encoding(encoding),
        };
        match error {
            sqlx::migrate::MigrateError::Execute(error) => error.into(),
            sqlx::migrate::MigrateError::VersionMissing(_) => Self::OfLater,
            error => Self::Migration(error),
        }
    }

    fn without_answer(error: &sqlx::Error) -> fn(sqlx::Error) -> Self {
        use sqlx::Error::{Io, PoolClosed, PoolTimedOut, Protocol, Tls, WorkerCrashed};
        match error {
            // Protocol: who answered is not the database, such as a balancer that has no server behind it.
            Io(_) | Tls(_) | Protocol(_) | PoolTimedOut | PoolClosed | WorkerCrashed => Self::Unreachable,
            _ => Self::Broken,
        }
    }

    /// https://www.postgresql.org/docs/current/errcodes-appendix.html
    fn of_server(code: &str) -> fn(sqlx::Error) -> Self {
        match code {
            // A conflict with another transaction, a lock that was not available, a statement that took too long.
            "40001" | "40P01" | "55P03" | "57014" => Self::Locked,
            // Read-only: a standby, or a server whose disk is full.
            "25006" | "25P02" | "25P03" => Self::Unreachable,
            // No right; no schema that the user may use.
            "42501" | "3F000" => Self::Forbidden,
            // Access refused; no such database.
            _ if ["28", "3D"].iter().any(|class| code.starts_with(class)) => Self::Refused,
            // Connection lost, out of resources, shut down, disk failure.
            _ if ["08", "53", "57P", "58"].iter().any(|class| code.starts_with(class)) => Self::Unreachable,
            _ => Self::Broken,
        }
    }
}

/// The store. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    reads: Pool,
    /// The connections of [`Store::for_pages`].
    pages: Pool,
    writer: Writer,
    caches: Arc<Caches>,
    telemetry: Arc<Telemetry>,
    left_out: Arc<set_aside::LeftOut>,
    /// Changes when another replica has written something.
    others: Arc<watch::Sender<()>>,
    /// By how many seconds our clock is ahead of the server's.
    seconds_ahead: Arc<AtomicI64>,
    /// By how many seconds the clock of the leader, another process, is ahead of the server's; none if no other leads.
    leader_seconds_ahead: Arc<watch::Sender<Option<i64>>>,
    /// None if the store is a file.
    server: Option<Arc<Server>>,
    /// None if the store is on a server.
    file: Option<Arc<Opened>>,
}

/// Holds the store for one running service; the lock is released when this is dropped.
#[derive(Debug)]
pub struct Claim {
    /// None on a server, where a lease says who leads.
    lock: Option<File>,
}

impl Claim {
    /// Writes the ids of this service's keys into the locked file, for others to read before they encrypt with a key.
    fn note_keys(&self, keys: &KeyRing) -> std::io::Result<()> {
        let Some(mut lock) = self.lock.as_ref() else { return Ok(()) };
        let ids: String = keys.ids().map(|id| format!("{id}\n")).collect();
        lock.write_all(ids.as_bytes())
    }
}

impl Store {
    /// Opens the store at `place`, creates it if it does not exist, and brings its tables up to date. Fails if a key is
    /// missing that something in it was sealed with.
    pub async fn open(at: impl Into<At>, telemetry: Arc<Telemetry>) -> Result<Self, StoreError> {
        Self::open_by(at, None, telemetry).await
    }

    /// Opens the store in the same way for the holder of `claim`, if any: tables of an older version that a service
    /// works with are left as they are, unless it is this one.
    pub async fn open_by(
        at: impl Into<At>,
        claim: Option<&Claim>,
        telemetry: Arc<Telemetry>,
    ) -> Result<Self, StoreError> {
        let At { place, keys } = at.into();
        encryption::choose(&place, &keys).await?;
        match place {
            Place::File(path) => Self::open_file(&path, claim, keys, telemetry).await,
            Place::Server(server) => Self::open_server(*server, keys, telemetry).await,
        }
    }

    async fn open_file(
        path: &Path,
        claim: Option<&Claim>,
        keys: Arc<KeyRing>,
        telemetry: Arc<Telemetry>,
    ) -> Result<Self, StoreError> {
        keep_private(path).map_err(|source| StoreError::Unopened { path: path.to_owned(), source })?;
        let options = options(path);
        let writing = options.clone().pragma("cache_size", WRITER_CACHE);
        let writing = writing.pragma("wal_autocheckpoint", LONGEST_LOG).pragma("journal_size_limit", USUAL_LOG);
        let mut connection: sqlx::SqliteConnection = sqlx::ConnectOptions::connect(&writing).await?;
        let unserved = if claim.is_some() { None } else { keep_unserved(path).await? };
        sqlx::migrate!().run(&mut connection).await.map_err(|error| StoreError::migrating(error.into()))?;
        drop(unserved);
        let mut connection = Connection::of_file(connection);
        encryption::admit(&mut connection, &keys).await?;
        let mut connection = connection.with_keys(keys.clone());
        alerts::fill_ids(&mut connection).await?;
        let checkpoints = Checkpoints::start(sqlx::ConnectOptions::connect(&options).await?);
        // A file cannot hang up: there is no need to test a connection before each read.
        let few = SqlitePoolOptions::new().max_connections(READERS).test_before_acquire(false);
        let reads = few.clone().connect_lazy_with(options.clone().read_only(true));
        let pages = few.connect_lazy_with(options.read_only(true));
        let pools = (Pool::of_file(reads, keys.clone()), Pool::of_file(pages, keys));
        let writer = Writer::start(Target::File(connection, checkpoints));
        Ok(Self { file: Some(Arc::new(Opened::new(path))), ..Self::of(pools, writer, telemetry) })
    }

    async fn open_server(server: Server, keys: Arc<KeyRing>, telemetry: Arc<Telemetry>) -> Result<Self, StoreError> {
        server.migrate().await.map_err(StoreError::migrating)?;
        let mut connection = Connection::to_server(&server).await?;
        encryption::admit(&mut connection, &keys).await?;
        let mut connection = connection.with_keys(keys.clone());
        alerts::fill_ids(&mut connection).await?;
        let pools = (Pool::of_server(&server, keys.clone()), Pool::of_server(&server, keys));
        let writer = Writer::start(Target::Server(connection, Box::new(server.clone())));
        Ok(Self { server: Some(Arc::new(server)), ..Self::of(pools, writer, telemetry) })
    }

    fn of((reads, pages): (Pool, Pool), writer: Writer, telemetry: Arc<Telemetry>) -> Self {
        let caches = Arc::new(Caches::new(telemetry.clone()));
        let (left_out, others) = (Arc::default(), Arc::default());
        let (seconds_ahead, leader_seconds_ahead) = (Arc::default(), Arc::default());
        Self {
            reads,
            pages,
            writer,
            caches,
            telemetry,
            left_out,
            others,
            seconds_ahead,
            leader_seconds_ahead,
            server: None,
            file: None,
        }
    }

    /// Returns the same store over other connections, so that busy pages never keep the loops from reading. What people
    /// write is valid no matter which replica leads.
    pub fn for_pages(&self) -> Self {
        Self { reads: self.pages.clone(), writer: self.writer.of_anybody(), ..self.clone() }
    }

    /// Returns the same store for the leader of `epoch`: once another replica leads, its writes are refused.
    #[must_use]
    pub fn of_leader(&self, epoch: i64) -> Self {
        Self { writer: self.writer.of_leader(epoch), ..self.clone() }
    }

    /// Claims the store for one service, so that no second one sends everything twice, and notes which keys it holds.
    pub fn claim(at: impl Into<At>) -> Result<Claim, StoreError> {
        let At { place: Place::File(path), keys } = at.into() else { return Ok(Claim { lock: None }) };
        let lock_path = lock_of(&path);
        let unopened = |source| StoreError::Unopened { path: lock_path.clone(), source };
        let lock = File::options().create(true).append(true).open(&lock_path).map_err(unopened)?;
        match lock.try_lock() {
            // The keys of the previous holder say nothing about this one.
            Ok(()) => {
                lock.set_len(0).map_err(unopened)?;
                let claim = Claim { lock: Some(lock) };
                claim.note_keys(&keys).map_err(unopened)?;
                Ok(claim)
            }
            Err(std::fs::TryLockError::WouldBlock) => Err(StoreError::InUse(path)),
            Err(std::fs::TryLockError::Error(source)) => Err(StoreError::Unopened { path: lock_path, source }),
        }
    }

    /// Counts the writes: while the count stays the same, what was read is still valid, unless another process has
    /// changed the file.
    pub fn times_written(&self) -> u64 {
        self.writer.written().times()
    }

    /// Counts the writes that changed alerts, in the same way.
    pub fn alerts_written(&self) -> u64 {
        self.writer.written().times_alerts()
    }

    /// Proves that a write reaches the disk, in the file that others find there.
    pub async fn prove_writable(&self, now: DateTime<Utc>) -> Result<(), StoreError> {
        if let Some(file) = &self.file {
            file.is_in_place()?;
        }
        self.writer
            .write(move |tx: &mut Connection| {
                Box::pin(async move {
                    sql::query("INSERT INTO heartbeats (name, at) VALUES ('ready', $1) ON CONFLICT (name) DO UPDATE SET at = excluded.at")
                        .bind(millis(now))
                        .execute(tx)
                        .await?;
                    Ok(())
                })
            })
            .await
    }

    /// Finishes the writes under way and closes the file.
    pub async fn close(&self) {
        // The writer last: the last connection to close on a WAL database also removes its extra files.
        self.reads.close().await;
        self.pages.close().await;
        self.writer.close().await;
    }
}

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .row_buffer_size(ROWS_AHEAD)
        .busy_timeout(BUSY_TIMEOUT)
}

/// The lock file that claims a store in a file.
fn lock_of(path: &Path) -> PathBuf {
    path.with_added_extension("lock")
}

/// Refuses to have the tables of an older version changed under its service, which could not be started again. While
/// the lock that is returned is held, none starts.
async fn keep_unserved(path: &Path) -> Result<Option<File>, StoreError> {
    if !check::is_older(&Place::File(path.to_owned())).await? {
        return Ok(None);
    }
    // Each service makes the file first.
    let Ok(lock) = File::open(lock_of(path)) else { return Ok(None) };
    match lock.try_lock_shared() {
        Err(std::fs::TryLockError::WouldBlock) => Err(StoreError::OlderServed),
        _ => Ok(Some(lock)),
    }
}

/// Makes the file readable by its owner only: it holds people's names, addresses and numbers.
fn keep_private(path: &Path) -> std::io::Result<()> {
    let mut options = File::options();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}

/// Runs `work` to its end even if the caller stops waiting: a write that happened must reach the caches too.
async fn to_the_end<T: Send + 'static>(
    work: impl Future<Output = Result<T, StoreError>> + Send + 'static,
) -> Result<T, StoreError> {
    tokio::spawn(work).await.map_err(|_| StoreError::Closed)?
}

/// Converts a time to its stored form.
pub(crate) fn millis(at: DateTime<Utc>) -> i64 {
    at.timestamp_millis()
}

/// Converts a stored time back.
pub(crate) fn instant(millis: i64) -> Result<DateTime<Utc>, StoreError> {
    DateTime::from_timestamp_millis(millis)
        .ok_or_else(|| StoreError::Unreadable(format!("time `{millis}` is out of range")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn pages_that_take_all_their_connections_keep_no_loop_waiting() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("sla.db"), Arc::default()).await.unwrap();
        let pages = store.for_pages();
        let mut slow = Vec::new();
        for _ in 0..READERS {
            slow.push(pages.reads.acquire().await.unwrap());
        }
        assert!(pages.reads.try_acquire().is_none(), "another page would have to wait");
        let read = tokio::time::timeout(Duration::from_secs(5), store.outbox_pending()).await;
        assert_eq!(read.expect("a loop reads at once").unwrap(), 0);
    }

    #[tokio::test]
    async fn a_store_of_a_later_version_is_called_so_with_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("sla.db"), Arc::default()).await.unwrap();
        let later = "UPDATE _sqlx_migrations SET version = version + 1000000
                     WHERE version = (SELECT MAX(version) FROM _sqlx_migrations)";
        let write = store
            .writer
            .write(move |tx: &mut Connection| Box::pin(async move { sql::query(later).execute(tx).await.map(drop) }));
        write.await.unwrap();
        store.close().await;
        let refused = Store::open(&folder.path().join("sla.db"), Arc::default()).await.err().unwrap();
        assert_eq!(
            with_causes(&refused),
            "the store was written by a later version: run a version of superops-sla that is as new as the one that wrote it"
        );
    }

    #[tokio::test]
    async fn a_newer_version_leaves_the_tables_of_a_running_older_service_as_they_are() {
        let folder = tempfile::tempdir().unwrap();
        let place = || Place::File(folder.path().join("sla.db"));
        let store = Store::open(place(), Arc::default()).await.unwrap();
        // As if our last step came with the newer version.
        let last = "DELETE FROM _sqlx_migrations WHERE version = (SELECT MAX(version) FROM _sqlx_migrations)";
        let write = store
            .writer
            .write(move |tx: &mut Connection| Box::pin(async move { sql::query(last).execute(tx).await.map(drop) }));
        write.await.unwrap();
        store.close().await;
        let claim = Store::claim(place()).unwrap();
        let refused = Store::open(place(), Arc::default()).await.err();
        assert!(matches!(refused, Some(StoreError::OlderServed)), "{refused:?}");
        assert!(check::is_older(&place()).await.unwrap(), "nothing was changed");
        // The step may be refused because its tables exist already; what matters is that it was tried.
        let tried = Store::open_by(place(), Some(&claim), Arc::default()).await.err();
        assert!(!matches!(tried, Some(StoreError::OlderServed)), "the service itself: {tried:?}");
        drop(claim);
        let tried = Store::open(place(), Arc::default()).await.err();
        assert!(!matches!(tried, Some(StoreError::OlderServed)), "nobody is at work: {tried:?}");
    }

    #[tokio::test]
    async fn a_store_whose_file_was_deleted_or_replaced_is_not_ready() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sla.db");
        let store = Store::open(Place::File(path.clone()), Arc::default()).await.unwrap();
        store.prove_writable(DateTime::UNIX_EPOCH).await.unwrap();
        let copy = folder.path().join("backup.db");
        std::fs::copy(&path, &copy).unwrap();
        let refused =
            async || matches!(store.prove_writable(DateTime::UNIX_EPOCH).await, Err(StoreError::Displaced(_)));
        std::fs::remove_file(&path).unwrap();
        assert!(refused().await, "it is gone");
        std::fs::rename(&copy, &path).unwrap();
        assert!(refused().await, "it is another one");
    }

    #[test]
    fn a_cause_that_the_text_before_it_holds_is_not_said_again() {
        let full = || std::io::Error::other("no space left");
        let unopened = StoreError::Unopened { path: PathBuf::from("sla.db"), source: full() };
        assert_eq!(with_causes(&unopened), "cannot open `sla.db`: no space left");
        assert_eq!(
            with_causes(&StoreError::Broken(sqlx::Error::Io(full()))),
            "the database answered with an error: error communicating with database: no space left"
        );
    }

    #[test]
    fn what_a_server_says_is_said_once_with_what_to_do() {
        let said = || sqlx::Error::Protocol("permission denied for database msp".into());
        let told = |code| with_causes(&StoreError::of_server(code)(said()));
        for code in ["42501", "28P01", "3D000", "25006", "53300", "42601"] {
            assert_eq!(told(code).matches("permission denied for database msp").count(), 1, "{}", told(code));
        }
        assert!(told("42501").contains("`GRANT CREATE ON DATABASE … TO …`"), "{}", told("42501"));
        assert!(told("25006").contains("try again"));
        for code in ["28P01", "3D000"] {
            assert!(told(code).contains("correct `url`") && !told(code).contains("try again"), "{}", told(code));
        }
    }

    #[tokio::test]
    async fn it_is_told_whether_alerts_were_among_what_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("sla.db"), Arc::default()).await.unwrap();
        let times = || (store.times_written(), store.alerts_written());
        let (all, before) = times();
        store.prove_writable(DateTime::UNIX_EPOCH).await.unwrap();
        // A server does not say which tables a write changed, so any write may have changed alerts.
        let alerts = before + u64::from(store.server.is_some());
        assert_eq!(times(), (all + 1, alerts));
        let alert =
            "INSERT INTO alerts (key, tenant, ticket_id, clock, cycle, episode, stage, state, reason, due, raised_at,
                       changed_at, step, generation, told, id)
                     VALUES ('a', 'acme', '1', 'resolution', 0, 0, 'breached', 'open', '', 0, 0, 0, 1, 0, 1, '1')";
        for (nth, statement) in (1..).zip([alert, "UPDATE alerts SET step = 2", "DELETE FROM alerts WHERE key = 'a'"]) {
            let write = store.writer.write(move |tx: &mut Connection| {
                Box::pin(async move { sql::query(statement).execute(tx).await.map(drop) })
            });
            write.await.unwrap();
            assert_eq!(times(), (all + 1 + nth, alerts + nth), "{statement}");
        }
    }
}
