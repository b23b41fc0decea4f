//! Where the tests' stores are, and a way into them beside the product.
//!
//! Each is a file of its own, or a schema of its own on the server that `SUPEROPS_SLA_TEST_POSTGRES` names. With
//! `SUPEROPS_SLA_TEST_SEALED` all of them are encrypted.

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection};
use superops_sla::keys::ring::KeyRing;
use superops_sla::store::sealed;

/// A store, and how others than the product reach it.
#[derive(Clone, Debug)]
pub enum Database {
    File(PathBuf),
    Server { url: String, schema: String },
}

/// One connection to it.
pub enum Beside {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

impl Database {
    /// In `folder`, unless there is a server.
    pub fn of_a_test(folder: &Path) -> Self {
        match std::env::var("SUPEROPS_SLA_TEST_POSTGRES") {
            Ok(url) if !url.is_empty() => Self::Server { url, schema: format!("it_{:016x}", fastrand::u64(..)) },
            _ => Self::File(folder.join("sla.db")),
        }
    }

    /// What stands in the table `store` of a configuration.
    pub fn settings(&self) -> String {
        format!("{}{}", self.address(), sealing())
    }

    fn address(&self) -> String {
        match self {
            Self::File(path) => format!("url = \"sqlite://{}\"\n", path.display()),
            Self::Server { url, schema } => format!("url = \"{url}\"\nschema = \"{schema}\"\n"),
        }
    }

    /// None: it is on a server, and what is said of files does not hold.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            Self::Server { .. } => None,
        }
    }

    pub async fn beside(&self) -> Beside {
        match self {
            Self::File(path) => {
                let url = format!("sqlite://{}", path.display());
                Beside::Sqlite(SqliteConnection::connect(&url).await.unwrap())
            }
            Self::Server { url, schema } => {
                let mut connection = Beside::Postgres(PgConnection::connect(url).await.unwrap());
                connection.run(format!("SET search_path = {schema}")).await;
                connection
            }
        }
    }

    /// The only column of what `query` finds, opened if the key of the tests has sealed it.
    pub async fn texts(&self, query: &str) -> Vec<String> {
        let texts: Vec<String> = match &mut self.beside().await {
            Beside::Sqlite(file) => sqlx::query_scalar(AssertSqlSafe(query)).fetch_all(file).await.unwrap(),
            Beside::Postgres(server) => sqlx::query_scalar(AssertSqlSafe(query)).fetch_all(server).await.unwrap(),
        };
        let Some(keys) = key().map(|key| KeyRing::parse(&key).unwrap()) else { return texts };
        let opened = |text: String| match sealed::open(&keys, &text) {
            Ok(Some(found)) => found.text().unwrap(),
            _ => text,
        };
        texts.into_iter().map(opened).collect()
    }

    /// Does to the store what no part of the product does.
    pub async fn tamper(&self, statement: impl Display) {
        self.beside().await.run(statement).await;
    }

    /// Has the store refuse new rows of `table`.
    pub async fn take_nothing_more_into(&self, table: &str) {
        let refuse = match self {
            Self::File(_) => {
                format!("CREATE TRIGGER full BEFORE INSERT ON {table} BEGIN SELECT RAISE(ABORT, 'full'); END")
            }
            Self::Server { .. } => format!(
                "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE ''full''; END';
                 CREATE TRIGGER \"full\" BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION refuse()"
            ),
        };
        self.tamper(refuse).await;
    }

    pub async fn take_again_into(&self, table: &str) {
        let allow = match self {
            Self::File(_) => "DROP TRIGGER full".to_owned(),
            Self::Server { .. } => format!("DROP TRIGGER \"full\" ON {table}; DROP FUNCTION refuse()"),
        };
        self.tamper(allow).await;
    }
}

/// The key of the tests' stores, if they are to be encrypted.
pub fn key() -> Option<String> {
    let sealed = std::env::var("SUPEROPS_SLA_TEST_SEALED").is_ok_and(|text| !text.is_empty());
    sealed.then(|| "5e".repeat(32))
}

/// Names the file of that key, which stands in none of a configuration.
fn sealing() -> String {
    static WRITTEN: OnceLock<()> = OnceLock::new();
    let Some(key) = key() else { return String::new() };
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("store-keys");
    WRITTEN.get_or_init(|| std::fs::write(&file, key).unwrap());
    format!("encryption_keys_file = \"{}\"\n", file.display())
}

impl Beside {
    pub async fn run(&mut self, statement: impl Display) {
        let statement = AssertSqlSafe(statement.to_string());
        match self {
            Self::Sqlite(file) => drop(sqlx::raw_sql(statement).execute(file).await.unwrap()),
            Self::Postgres(server) => drop(sqlx::raw_sql(statement).execute(server).await.unwrap()),
        }
    }
}
