//! What PostgreSQL needs to run the same statements as SQLite.
//!
//! Some functions and operators of SQLite are created in the store's own schema (`postgres.sql`), the migrations are
//! translated as they run, and hints to SQLite's planner are removed. Everything lives in one schema, so that the
//! database can be shared with other programs.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use sqlx::migrate::{MigrateError, Migration, Migrator};
use sqlx::postgres::{PgArguments, PgConnectOptions, PgPoolOptions};
use sqlx::{Arguments, AssertSqlSafe, PgConnection, SqlSafeStr, SqlStr};

use secrecy::ExposeSecret as _;

use super::Connection;
use super::bind::{Arg, plain};
use crate::config;
use crate::keys::id_of;
use crate::keys::ring::KeyRing;

/// The functions of SQLite that the statements use.
const FUNCTIONS: &str = include_str!("postgres.sql");

/// The functions as they are in the store's schema: another version may have replaced some.
const BODIES: &str = "SELECT COALESCE(string_agg(prosrc, '' ORDER BY proname, pronargs, oid), '') FROM pg_proc
                      WHERE pronamespace = (SELECT oid FROM pg_namespace WHERE nspname = current_schema())";

/// What was noted when the functions were created.
const NOTED: &str = "SELECT obj_description(to_regprocedure('unixepoch(text)'), 'pg_proc')";

/// The last migration that was written for SQLite alone: of those up to it, PostgreSQL runs only what creates tables,
/// since every store there began empty.
const SQLITE_ALONE: i64 = 49;

/// The encodings of databases that take every text. The second stores bytes as they come.
const HOLDS_EVERY_TEXT: [&str; 2] = ["UTF8", "SQL_ASCII"];

/// How many prepared statements of the store a connection keeps.
const PREPARED: usize = 400;

/// Where a store in PostgreSQL is, and how to talk to it.
#[derive(Clone)]
pub struct Server {
    options: PgConnectOptions,
    schema: String,
    /// Connections for the loops; pages get as many again.
    pub connections: u32,
    /// How long a transaction may be idle; a lock may take twice as long, a statement six times. After eight times as
    /// long the server counts as lost.
    pub patience: Duration,
    /// The name that this process gives its connections.
    pub replica: Arc<str>,
    /// The ids of the keys that this process reads with.
    pub keys: Arc<[String]>,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}

/// Shows the server, database and schema, never the password.
impl std::fmt::Display for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let database = self.options.get_database().unwrap_or_else(|| self.options.get_username());
        let (host, port) = (self.options.get_host(), self.options.get_port());
        write!(f, "postgres://{host}:{port}/{database} (schema {})", self.schema)
    }
}

/// How long a transaction may be idle before the server ends it, so that a process that stopped or was cut off in the
/// middle of one keeps nobody waiting.
const PATIENCE: Duration = Duration::from_secs(8);

impl Server {
    /// Returns the server that the configuration names.
    pub fn of(settings: &config::Postgres) -> Self {
        let options = settings.url.parse::<PgConnectOptions>().expect("the configuration was checked when it was read");
        let options = match &settings.password {
            Some(password) => options.password(password.expose_secret()),
            None => options,
        };
        Self { connections: settings.connections, ..Self::new(options, &settings.schema) }
    }

    /// Returns the place of a store for tests.
    #[cfg(test)]
    pub fn of_tests(url: &str, schema: &str) -> Self {
        Self::new(url.parse().expect("a URL of PostgreSQL"), schema)
    }

    /// Returns the same server, reached by other options.
    #[cfg(test)]
    #[must_use]
    pub fn at(self, change: impl FnOnce(PgConnectOptions) -> PgConnectOptions) -> Self {
        Self { options: change(self.options), ..self }
    }

    fn new(options: PgConnectOptions, schema: &str) -> Self {
        Self {
            options,
            schema: schema.to_owned(),
            connections: 4,
            patience: PATIENCE,
            replica: replica_name(),
            keys: Arc::default(),
        }
    }

    /// The schema that holds everything.
    pub fn schema(&self) -> &str {
        &self.schema
    }

    /// Returns the same server for a process that reads with `keys`.
    #[must_use]
    pub fn with_keys(self, keys: &KeyRing) -> Self {
        Self { keys: keys.ids().map(str::to_owned).collect(), ..self }
    }

    /// The options of each connection. The server ends idle transactions: a process that was stopped or cut off holds
    /// no lock for longer than `patience`.
    pub fn options(&self) -> PgConnectOptions {
        let millis = |times: u32| (self.patience * times).as_millis().to_string();
        let (once, twice, long) = (millis(1), millis(2), millis(6));
        let schema = self.quoted_schema();
        self.options.clone().application_name(&self.replica).statement_cache_capacity(PREPARED).options([
            ("search_path", schema.as_str()),
            ("statement_timeout", long.as_str()),
            ("lock_timeout", twice.as_str()),
            ("idle_in_transaction_session_timeout", once.as_str()),
            ("tcp_user_timeout", once.as_str()),
            ("TimeZone", "UTC"),
            ("client_min_messages", "warning"),
        ])
    }

    /// The schema's name in a statement: unquoted, it might be a word of SQL.
    fn quoted_schema(&self) -> String {
        format!("\"{}\"", self.schema)
    }

    /// How long to wait for the answer to a statement: longer than the server lets one run.
    pub(super) fn limit(&self) -> Duration {
        self.patience * 8
    }

    /// Makes a pool of connections that only read.
    pub(super) fn pool(&self) -> sqlx::PgPool {
        let options = self.options().options([("default_transaction_read_only", "on")]);
        let pool = PgPoolOptions::new().max_connections(self.connections).acquire_timeout(self.patience);
        pool.connect_lazy_with(options)
    }

    /// Makes a pool of one connection, which only listens.
    pub(in crate::store) fn pool_of_one(&self) -> sqlx::PgPool {
        PgPoolOptions::new().max_connections(1).acquire_timeout(self.patience).connect_lazy_with(self.options())
    }

    /// The channel on which replicas tell each other of changes.
    pub(in crate::store) fn channel(&self) -> String {
        format!("sla {}", self.schema)
    }

    /// Brings the tables up to date, one program at a time while the others wait. Refuses while replicas are at work
    /// that need the tables as they are. Writes nothing if all is as it should be: a command that only reads also works
    /// on a server that takes no writes, and for a user who may only read.
    pub async fn migrate(&self) -> Result<(), Unmigrated> {
        let patient = self.options().options([("statement_timeout", "0"), ("lock_timeout", "0")]);
        let mut connection: PgConnection = sqlx::ConnectOptions::connect(&patient).await?;
        self.make_schema(&mut connection).await?;
        let steps = steps_taken(&mut connection).await?;
        if steps.as_deref().is_some_and(are_ours) && has_functions(&mut connection).await? {
            return Ok(sqlx::Connection::close(connection).await?);
        }
        if steps.as_deref().is_some_and(are_older) && !self.is_free(&mut connection).await? {
            return Err(Unmigrated::OlderAtWork(self.at_work(&mut connection).await?));
        }
        run(&mut connection, FUNCTIONS.to_owned()).await?;
        let bodies: String = sqlx::query_scalar(BODIES).fetch_one(&mut connection).await?;
        run(&mut connection, format!("COMMENT ON FUNCTION unixepoch(TEXT) IS '{}'", note_of(&bodies))).await?;
        let translated = sqlx::migrate!().iter().map(translated).collect();
        let mut migrator = Migrator::with_migrations(translated);
        // The lock above covers this schema only: stores in one database do not wait for each other.
        migrator.set_locking(false);
        migrator.run(&mut connection).await?;
        sqlx::Connection::close(connection).await?;
        Ok(())
    }

    /// Makes the schema if there is none. From here on, until `connection` ends, other programs wait.
    async fn make_schema(&self, connection: &mut PgConnection) -> Result<(), Unmigrated> {
        check_encoding(connection).await?;
        let lock = format!("SELECT pg_advisory_lock(hashtextextended('superops-sla migrates {}', 0))", self.schema);
        run(connection, lock).await?;
        let exists = "SELECT 1 FROM pg_namespace WHERE nspname = $1";
        if sqlx::query(exists).bind(&self.schema).fetch_optional(&mut *connection).await?.is_none() {
            run(connection, format!("CREATE SCHEMA {}", self.quoted_schema())).await?;
        }
        Ok(())
    }

    /// Makes the beginning of a store and takes it back, to learn whether the server lets us.
    pub(in crate::store) async fn try_making(&self) -> Result<(), Unmigrated> {
        let mut connection: PgConnection = sqlx::ConnectOptions::connect(&self.options()).await?;
        run(&mut connection, "BEGIN".to_owned()).await?;
        self.make_schema(&mut connection).await?;
        run(&mut connection, FUNCTIONS.to_owned()).await?;
        run(&mut connection, "ROLLBACK".to_owned()).await?;
        Ok(sqlx::Connection::close(connection).await?)
    }

    /// Whether a store was made here. Changes nothing.
    pub(in crate::store) async fn has_store(&self) -> Result<bool, Unmigrated> {
        let mut connection: PgConnection = sqlx::ConnectOptions::connect(&self.options()).await?;
        check_encoding(&mut connection).await?;
        let has_store = is_made(&mut connection).await?;
        sqlx::Connection::close(connection).await?;
        Ok(has_store)
    }

    /// Removes the schema and everything in it.
    pub async fn remove(&self) -> Result<(), sqlx::Error> {
        let mut connection: PgConnection = sqlx::ConnectOptions::connect(&self.options()).await?;
        run(&mut connection, format!("DROP SCHEMA {} CASCADE", self.quoted_schema())).await?;
        sqlx::Connection::close(connection).await
    }

    /// Announces, for as long as this connection lasts, that a replica is at work and which keys it holds.
    pub(in crate::store) async fn work(&self, connection: &mut Connection) -> Result<(), sqlx::Error> {
        let lock = "SELECT CAST(pg_advisory_lock_shared(hashtextextended($1, 0)) AS TEXT)";
        let holds = self.keys.iter().map(|id| self.holds(id));
        for name in holds.chain([self.works()]) {
            super::query(lock).bind(name).execute(&mut *connection).await?;
        }
        Ok(())
    }

    /// Counts the replicas at work that have not announced that they hold the key `id`.
    pub(in crate::store) async fn replicas_without_key(&self, id: &str) -> Result<i64, sqlx::Error> {
        let mut connection: PgConnection = sqlx::ConnectOptions::connect(&self.options()).await?;
        let (all, with) =
            (shared(&mut connection, self.works()).await?, shared(&mut connection, self.holds(id)).await?);
        sqlx::Connection::close(connection).await?;
        Ok((all - with).max(0))
    }

    /// Whether no replica is at work; if so, none can start while `connection` lasts.
    async fn is_free(&self, connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
        let lock = sqlx::query_scalar("SELECT pg_try_advisory_lock(hashtextextended($1, 0))");
        lock.bind(self.works()).fetch_one(connection).await
    }

    /// Counts the replicas at work.
    async fn at_work(&self, connection: &mut PgConnection) -> Result<i64, sqlx::Error> {
        shared(connection, self.works()).await
    }

    fn holds(&self, id: &str) -> String {
        format!("superops-sla holds the key {id} {}", self.schema)
    }

    pub(in crate::store) fn works(&self) -> String {
        format!("superops-sla works {}", self.schema)
    }
}

/// Counts the connections to this database that share the lock called `name`. The view shows the locks of all
/// databases, and another one may have a store of the same name.
async fn shared(connection: &mut PgConnection, name: String) -> Result<i64, sqlx::Error> {
    let locks = "SELECT COUNT(*) FROM pg_locks
                 WHERE locktype = 'advisory' AND mode = 'ShareLock' AND granted
                   AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
                   AND (CAST(classid AS BIGINT) << 32) | CAST(objid AS BIGINT) = hashtextextended($1, 0)";
    sqlx::query_scalar(locks).bind(name).fetch_one(connection).await
}

/// Why the tables were not brought up to date.
#[derive(Debug)]
pub enum Unmigrated {
    Failed(MigrateError),
    /// How many replicas work with the tables as they are.
    OlderAtWork(i64),
    /// The encoding of a database that cannot hold every text.
    Encoding(String),
}

impl From<MigrateError> for Unmigrated {
    fn from(error: MigrateError) -> Self {
        Self::Failed(error)
    }
}

impl From<sqlx::Error> for Unmigrated {
    fn from(error: sqlx::Error) -> Self {
        Self::Failed(error.into())
    }
}

async fn check_encoding(connection: &mut PgConnection) -> Result<(), Unmigrated> {
    let encoding: String = sqlx::query_scalar("SHOW server_encoding").fetch_one(connection).await?;
    if HOLDS_EVERY_TEXT.contains(&encoding.as_str()) { Ok(()) } else { Err(Unmigrated::Encoding(encoding)) }
}

/// Whether the tables exist.
async fn is_made(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("SELECT to_regclass('_sqlx_migrations') IS NOT NULL").fetch_one(connection).await
}

/// A migration that was run: its version, its checksum, and whether it succeeded.
type StepTaken = (i64, Vec<u8>, bool);

/// Returns the migrations that were run, in order; none if there are no tables yet.
async fn steps_taken(connection: &mut PgConnection) -> Result<Option<Vec<StepTaken>>, sqlx::Error> {
    if !is_made(connection).await? {
        return Ok(None);
    }
    let steps = sqlx::query_as("SELECT version, checksum, success FROM _sqlx_migrations ORDER BY version");
    steps.fetch_all(connection).await.map(Some)
}

/// Whether the tables are of our version.
fn are_ours(steps: &[StepTaken]) -> bool {
    let ours = sqlx::migrate!();
    let ours = ours.iter().map(|step| (step.version, &*step.checksum, true));
    steps.iter().map(|(version, checksum, succeeded)| (*version, checksum.as_slice(), *succeeded)).eq(ours)
}

/// Whether the tables are of an older version than ours.
fn are_older(steps: &[StepTaken]) -> bool {
    let theirs = steps.last().map(|(version, ..)| *version);
    theirs < sqlx::migrate!().iter().map(|step| step.version).max()
}

/// Whether the functions are as this version creates them.
async fn has_functions(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    let noted: Option<String> = sqlx::query_scalar(NOTED).fetch_one(&mut *connection).await?;
    let bodies: String = sqlx::query_scalar(BODIES).fetch_one(connection).await?;
    Ok(noted == Some(note_of(&bodies)))
}

/// Returns the note on functions that were created from our text, and were `bodies` then.
fn note_of(bodies: &str) -> String {
    id_of(&format!("{FUNCTIONS}{bodies}"))
}

/// Returns a name that no other replica has or will have.
fn replica_name() -> Arc<str> {
    format!("superops-sla {:016x}", fastrand::u64(..)).into()
}

async fn run(connection: &mut PgConnection, text: String) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(AssertSqlSafe(text)).execute(connection).await.map(drop)
}

/// Translates a migration for PostgreSQL. It keeps its checksum, so that it counts as the same.
fn translated(step: &Migration) -> Migration {
    let text = step.sql.as_str().lines().map(without_remark).collect::<Vec<_>>().join("\n");
    let wanted = |statement: &&str| step.version > SQLITE_ALONE || makes_tables(statement);
    let statements = text.split(';').map(str::trim).filter(|statement| !statement.is_empty());
    let text = statements.filter(wanted).map(|statement| in_types(statement) + ";\n").collect::<String>();
    Migration { sql: AssertSqlSafe(text).into_sql_str(), ..step.clone() }
}

fn without_remark(line: &str) -> &str {
    line.split_once("--").map_or(line, |(before, _)| before)
}

fn makes_tables(statement: &str) -> bool {
    ["CREATE ", "ALTER ", "DROP "].iter().any(|word| statement.starts_with(word))
}

/// Replaces SQLite's names of types and kinds of table by those of PostgreSQL.
fn in_types(statement: &str) -> String {
    const NUMBERED: &str = "BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY";
    let words = [
        ("INTEGER PRIMARY KEY AUTOINCREMENT", NUMBERED),
        ("INTEGER NOT NULL PRIMARY KEY", NUMBERED),
        ("INTEGER PRIMARY KEY", NUMBERED),
        ("INTEGER", "BIGINT"),
        (" REAL ", " DOUBLE PRECISION "),
        (" BLOB", " BYTEA"),
        // Sorted by bytes, as SQLite does.
        (" TEXT", " TEXT COLLATE \"C\""),
        (") WITHOUT ROWID", ")"),
        (") STRICT", ")"),
        ("ticket ->> '$.created_at'", "(ticket ->> '$.created_at')"),
    ];
    words.iter().fold(statement.to_owned(), |text, (theirs, ours)| text.replace(theirs, ours))
}

/// Removes hints to SQLite's planner and, if values are bound `by_place`, numbers them.
pub(super) fn statement(statement: SqlStr, by_place: bool) -> SqlStr {
    let statement = match by_place {
        true => AssertSqlSafe(numbered(statement.as_str())).into_sql_str(),
        false => statement,
    };
    if statement.as_str().contains(HINT) { AssertSqlSafe(text(statement.as_str())).into_sql_str() } else { statement }
}

/// Replaces the first `?` by `$1`, and so on.
fn numbered(statement: &str) -> String {
    let mut parts = statement.split('?');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for (before, part) in parts.enumerate() {
        text.push_str(&format!("${}{part}", before + 1));
    }
    text
}

/// How a statement tells SQLite which index to use.
const HINT: &str = " INDEXED BY ";

/// Removes the hints.
pub(in crate::store) fn text(statement: &str) -> String {
    let mut parts = statement.split(HINT);
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        text.push_str(part.trim_start_matches(|c: char| c.is_alphanumeric() || c == '_'));
    }
    text
}

/// Locks the lease and reads it with the database's time in milliseconds. After a wait for the lock the row is current,
/// but the time may be from before the wait, which only makes a lease shorter.
pub(in crate::store) const LEASE: &str = "SELECT holder, epoch, until_at,
            CAST(floor(extract(epoch FROM clock_timestamp()) * 1000) AS BIGINT) AS now
     FROM leases WHERE name = 'leader' FOR UPDATE";

/// The database's time in milliseconds.
pub(in crate::store) const NOW: &str = "SELECT CAST(floor(extract(epoch FROM clock_timestamp()) * 1000) AS BIGINT)";

/// Notifies the other replicas, with the writer's name and the tenant whose tickets or people changed.
pub(in crate::store) const TELL: &str =
    "SELECT pg_notify('sla ' || current_schema(), current_setting('application_name') || '|' || $1)";

/// Whether the error means that the connection can no longer be used.
pub(in crate::store) fn is_cut_off(error: &sqlx::Error) -> bool {
    // 08: connection exceptions; 25P: a transaction that was left idle; 57P: shut down.
    const CLASSES: [&str; 3] = ["08", "25P", "57P"];
    match error.as_database_error() {
        Some(error) => error.code().is_some_and(|code| CLASSES.iter().any(|class| code.starts_with(class))),
        None => true,
    }
}

/// Begins a transaction once no other replica is writing, and returns the epoch of the leader. Writes thus happen one
/// after the other, as they do on SQLite.
pub(in crate::store) async fn begin_in_turn(connection: &mut Connection) -> Result<i64, sqlx::Error> {
    super::query("BEGIN").execute(&mut *connection).await?;
    let row = super::query_scalar("SELECT epoch FROM leases WHERE name = 'leader' FOR UPDATE");
    let locked = row.fetch_one(&mut *connection).await;
    if locked.is_err() {
        let _ = super::query("ROLLBACK").execute(&mut *connection).await;
    }
    locked
}

/// Notifies the other replicas of a change, as part of the commit.
pub(in crate::store) async fn tell_all_others(connection: &mut Connection) -> Result<(), sqlx::Error> {
    super::query(TELL).bind("").execute(connection).await.map(drop)
}

/// Encodes the values for PostgreSQL.
pub(super) fn bound(args: Vec<Arg>, keys: Option<&KeyRing>) -> PgArguments {
    let mut taken = PgArguments::default();
    taken.reserve(args.len(), 0);
    for arg in args {
        // Encoding fails only for types that cannot be encoded, and all of these can.
        let _ = match arg {
            Arg::Int(value) => Arguments::add(&mut taken, value),
            Arg::Real(value) => Arguments::add(&mut taken, value),
            Arg::Text(value) => Arguments::add(&mut taken, plain(value, keys).as_deref().map(without_zero)),
            Arg::Stored(value) => Arguments::add(&mut taken, value),
            Arg::Sealed(sealed) => Arguments::add(&mut taken, without_zero(&sealed.settled(keys))),
            Arg::SealedBytes(sealed) => Arguments::add(&mut taken, sealed.settled(keys)),
            Arg::Bytes(value) => Arguments::add(&mut taken, value),
        };
    }
    taken
}

/// Replaces zero characters, raw or escaped in JSON, by the replacement character: PostgreSQL accepts none in a text,
/// and SuperOps may send one.
pub(in crate::store) fn without_zero(text: &str) -> Cow<'_, str> {
    if text.contains('\0') || text.contains("\\u0000") {
        return text.replace('\0', "\u{FFFD}").replace("\\u0000", "\\ufffd").into();
    }
    text.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Store, StoreError};

    #[test]
    fn hints_to_sqlite_are_left_out() {
        assert_eq!(text("SELECT a FROM t INDEXED BY t_a WHERE a = 1"), "SELECT a FROM t WHERE a = 1");
    }

    #[test]
    fn what_stands_for_itself_gets_its_number() {
        assert_eq!(numbered("VALUES (?, ?), (?, 1)"), "VALUES ($1, $2), ($3, 1)");
        assert_eq!(numbered("SELECT 1"), "SELECT 1");
    }

    /// The place of a store on the tests' server; none without one.
    fn of_tests(folder: &tempfile::TempDir) -> Option<Server> {
        crate::store::place::tests::server(&folder.path().join("sla.db"))
    }

    #[tokio::test]
    async fn who_only_reads_opens_the_store_while_the_server_takes_no_writes() {
        let folder = tempfile::tempdir().unwrap();
        let Some(server) = of_tests(&folder) else { return };
        let read_only = server.clone().at(|options| options.options([("default_transaction_read_only", "on")]));
        assert!(Store::open(read_only.clone(), Arc::default()).await.is_err(), "there are no tables yet");
        Store::open(server, Arc::default()).await.unwrap();
        let store = Store::open(read_only, Arc::default()).await.unwrap();
        assert!(store.missing_keys().await.unwrap().is_empty());
        store.prove_writable(chrono::DateTime::UNIX_EPOCH).await.expect_err("nothing can be written");
    }

    #[tokio::test]
    async fn a_trial_fails_as_the_making_of_a_store_does_and_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let Some(server) = of_tests(&folder) else { return };
        // A role that every server has, and that may make nothing.
        let unable = server.clone().at(|options| options.options([("role", "pg_monitor")]));
        let place = crate::store::Place::from(unable.clone());
        let refused = place.try_making().await.unwrap_err();
        assert!(matches!(refused, StoreError::Forbidden(_)), "{refused:?}");
        assert!(!refused.to_string().contains(" at line "), "of no use to the reader: {refused}");
        let opened = Store::open(unable.clone(), Arc::default()).await.err().unwrap();
        assert_eq!(opened.to_string(), refused.to_string());
        let place = crate::store::Place::from(server.clone());
        place.try_making().await.unwrap();
        assert!(!place.is_there().await.unwrap());
        let mut beside: PgConnection = sqlx::ConnectOptions::connect(&server.options()).await.unwrap();
        let schema = sqlx::query_scalar("SELECT CAST(current_schema() AS TEXT)").fetch_one(&mut beside);
        let schema: Option<String> = schema.await.unwrap();
        assert_eq!(schema, None);
        run(&mut beside, format!("CREATE SCHEMA {}", server.quoted_schema())).await.unwrap();
        let refused = crate::store::Place::from(unable).try_making().await.unwrap_err();
        assert!(matches!(refused, StoreError::Forbidden(_)), "the schema is another's: {refused:?}");
        server.remove().await.unwrap();
    }

    #[tokio::test]
    async fn a_server_behind_a_balancer_that_hangs_up_at_once_cannot_be_reached() {
        use tokio::io::AsyncReadExt as _;
        let balancer = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("postgres://sla@{}/msp?sslmode=prefer", balancer.local_addr().unwrap());
        let hang_up = async {
            let (mut connection, _) = balancer.accept().await.unwrap();
            // The request for TLS.
            connection.read_exact(&mut [0; 8]).await.unwrap();
        };
        let place = crate::store::Place::from(Server::of_tests(&url, "watch"));
        let (asked, ()) = tokio::join!(place.is_there(), hang_up);
        let refused = asked.unwrap_err();
        assert!(matches!(refused, StoreError::Unreachable(_)), "{refused:?}");
    }

    #[tokio::test]
    async fn a_schema_may_be_called_like_a_word_of_sql() {
        let folder = tempfile::tempdir().unwrap();
        let Some(server) = of_tests(&folder) else { return };
        let server = Server { schema: "order".to_owned(), ..server };
        server.migrate().await.unwrap();
        let mut beside: PgConnection = sqlx::ConnectOptions::connect(&server.options()).await.unwrap();
        let schema = sqlx::query_scalar("SELECT CAST(current_schema() AS TEXT)").fetch_one(&mut beside);
        let schema: String = schema.await.unwrap();
        assert_eq!(schema, "order");
        server.remove().await.unwrap();
    }

    #[tokio::test]
    async fn functions_of_another_version_are_replaced_by_ours() {
        let folder = tempfile::tempdir().unwrap();
        let Some(server) = of_tests(&folder) else { return };
        server.migrate().await.unwrap();
        let mut beside: PgConnection = sqlx::ConnectOptions::connect(&server.options()).await.unwrap();
        let other = "CREATE OR REPLACE FUNCTION instr(whole TEXT, part TEXT) RETURNS BIGINT
                     LANGUAGE SQL IMMUTABLE PARALLEL SAFE STRICT AS $$ SELECT 0::bigint $$";
        run(&mut beside, other.to_owned()).await.unwrap();
        server.migrate().await.unwrap();
        let found: i64 = sqlx::query_scalar("SELECT instr('abc', 'c')").fetch_one(&mut beside).await.unwrap();
        assert_eq!(found, 3);
    }

    #[test]
    fn a_server_never_shows_its_password() {
        let server = Server::new("postgres://sla:hunter2@db.example.com/msp".parse().unwrap(), "watch");
        let shown = format!("{server} {server:?}");
        assert_eq!(server.to_string(), "postgres://db.example.com:5432/msp (schema watch)");
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}
