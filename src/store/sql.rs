//! How the store asks its database: one text of each statement, whichever database that is.
//!
//! The rest of the store asks by these functions, never by sqlx itself. They bind integers of 64 bits, reals, texts
//! and bytes, run the statement, and read a column as the type that is wanted.

mod bind;
mod builder;
mod row;

use futures_util::future::BoxFuture;
use sqlx::pool::PoolConnection;
use sqlx::sqlite::{SqliteArguments, SqliteConnectOptions};
use sqlx::{SqlSafeStr, SqlStr, Sqlite, SqliteConnection, SqlitePool};

pub use bind::{Arg, Bind};
pub use builder::{QueryBuilder, Separated};
pub(crate) use row::from_row;
pub use row::{Column, FromRow, Index, Row};
pub use sqlx::{AssertSqlSafe, Error};

/// One connection to the database.
#[derive(Debug)]
pub enum Connection {
    Sqlite(SqliteConnection),
    /// One that goes back to its [`Pool`] when dropped.
    SqliteOfPool(PoolConnection<Sqlite>),
}

/// Connections that take turns. Cheap to clone.
#[derive(Clone, Debug)]
pub enum Pool {
    Sqlite(SqlitePool),
}

impl Pool {
    /// Closes all connections, once what runs on them has ended.
    pub async fn close(&self) {
        match self {
            Self::Sqlite(pool) => pool.close().await,
        }
    }

    /// Takes a connection out, as soon as one is free.
    pub async fn acquire(&self) -> Result<Connection, Error> {
        match self {
            Self::Sqlite(pool) => pool.acquire().await.map(Connection::SqliteOfPool),
        }
    }

    /// Takes a connection out, if one is free.
    pub fn try_acquire(&self) -> Option<Connection> {
        match self {
            Self::Sqlite(pool) => pool.try_acquire().map(Connection::SqliteOfPool),
        }
    }
}

impl Connection {
    /// Connects to the file that `options` name.
    pub async fn to_file(options: &SqliteConnectOptions) -> Result<Self, Error> {
        sqlx::ConnectOptions::connect(options).await.map(Self::Sqlite)
    }

    /// Brings the tables up to date.
    pub async fn migrate(&mut self) -> Result<(), sqlx::migrate::MigrateError> {
        match self {
            Self::Sqlite(connection) => sqlx::migrate!().run(connection).await,
            Self::SqliteOfPool(connection) => sqlx::migrate!().run(&mut **connection).await,
        }
    }

    /// Says goodbye and closes.
    pub async fn close(self) -> Result<(), Error> {
        match self {
            Self::Sqlite(connection) => sqlx::Connection::close(connection).await,
            Self::SqliteOfPool(connection) => connection.close().await,
        }
    }
}

/// What a statement runs on.
#[derive(Debug)]
pub enum On<'c> {
    Connection(&'c mut Connection),
    Pool(&'c Pool),
}

impl<'c> From<&'c mut Connection> for On<'c> {
    fn from(connection: &'c mut Connection) -> Self {
        Self::Connection(connection)
    }
}

impl<'c> From<&'c Pool> for On<'c> {
    fn from(pool: &'c Pool) -> Self {
        Self::Pool(pool)
    }
}

/// A statement with what is bound to it.
#[must_use = "a query does nothing until it is run"]
#[derive(Debug)]
pub struct Query {
    text: SqlStr,
    args: Vec<Arg>,
}

/// A statement whose rows are read as `T`.
#[must_use = "a query does nothing until it is run"]
#[derive(Debug)]
pub struct QueryAs<T>(Query, std::marker::PhantomData<fn() -> T>);

/// A statement of whose rows the first column is read.
#[must_use = "a query does nothing until it is run"]
#[derive(Debug)]
pub struct QueryScalar<T>(Query, std::marker::PhantomData<fn() -> T>);

/// A statement; `$1` stands for what is bound first.
pub fn query(text: impl SqlSafeStr) -> Query {
    Query { text: text.into_sql_str(), args: Vec::new() }
}

/// A statement whose rows are read as `T`.
pub fn query_as<T>(text: impl SqlSafeStr) -> QueryAs<T> {
    QueryAs(query(text), std::marker::PhantomData)
}

/// A statement of whose rows the first column is read.
pub fn query_scalar<T>(text: impl SqlSafeStr) -> QueryScalar<T> {
    QueryScalar(query(text), std::marker::PhantomData)
}

/// What a statement did.
#[derive(Clone, Copy, Debug)]
pub struct Done {
    rows: u64,
}

impl Done {
    /// How many rows it wrote or deleted.
    pub fn rows_affected(&self) -> u64 {
        self.rows
    }
}

/// Runs one method of sqlx on whatever `$on` is; each arm makes the result of its database ours.
macro_rules! run {
    ($query:expr, $on:expr, $method:ident, $sqlite:expr) => {{
        let Query { text, args } = $query;
        let sqlite = |args| sqlx::query_with::<Sqlite, SqliteArguments>(text, bind::for_sqlite(args));
        match $on {
            On::Connection(Connection::Sqlite(connection)) => sqlite(args).$method(connection).await.map($sqlite),
            On::Pool(Pool::Sqlite(pool)) => sqlite(args).$method(pool).await.map($sqlite),
            On::Connection(Connection::SqliteOfPool(one)) => sqlite(args).$method(&mut **one).await.map($sqlite),
        }
    }};
}

impl Query {
    /// Binds the next `$n`.
    pub fn bind(mut self, value: impl Bind) -> Self {
        self.args.push(value.arg());
        self
    }

    /// Runs it.
    pub fn execute<'c>(self, on: impl Into<On<'c>>) -> BoxFuture<'c, Result<Done, Error>> {
        let on = on.into();
        Box::pin(async move { run!(self, on, execute, |done| Done { rows: done.rows_affected() }) })
    }

    /// All its rows.
    pub fn fetch_all<'c>(self, on: impl Into<On<'c>>) -> BoxFuture<'c, Result<Vec<Row>, Error>> {
        let on = on.into();
        Box::pin(async move { run!(self, on, fetch_all, |rows| rows.into_iter().map(Row::Sqlite).collect()) })
    }

    /// Its first row, if there is one.
    pub fn fetch_optional<'c>(self, on: impl Into<On<'c>>) -> BoxFuture<'c, Result<Option<Row>, Error>> {
        let on = on.into();
        Box::pin(async move { run!(self, on, fetch_optional, |row| row.map(Row::Sqlite)) })
    }

    /// Its first row, which there must be.
    pub fn fetch_one<'c>(self, on: impl Into<On<'c>>) -> BoxFuture<'c, Result<Row, Error>> {
        let on = on.into();
        Box::pin(async move { run!(self, on, fetch_one, Row::Sqlite) })
    }
}

/// The same calls for rows that are read as something: `$read` makes a `T` of a row.
macro_rules! reading {
    ($name:ident, $bound:path, $read:expr) => {
        impl<T: $bound + Send + 'static> $name<T> {
            /// Binds the next `$n`.
            pub fn bind(mut self, value: impl Bind) -> Self {
                self.0.args.push(value.arg());
                self
            }

            /// All its rows.
            pub fn fetch_all<'c>(self, on: impl Into<On<'c>>) -> BoxFuture<'c, Result<Vec<T>, Error>> {
                let rows = self.0.fetch_all(on);
                Box::pin(async move { rows.await?.iter().map($read).collect() })
            }

            /// Its first row, if there is one.
            pub fn fetch_optional<'c>(self, on: impl Into<On<'c>>) -> BoxFuture<'c, Result<Option<T>, Error>> {
                let row = self.0.fetch_optional(on);
                Box::pin(async move { row.await?.as_ref().map($read).transpose() })
            }

            /// Its first row, which there must be.
            pub fn fetch_one<'c>(self, on: impl Into<On<'c>>) -> BoxFuture<'c, Result<T, Error>> {
                let row = self.0.fetch_one(on);
                Box::pin(async move { $read(&row.await?) })
            }
        }
    };
}

/// What a column can be read as, whatever row it stands in.
pub trait ForAny: for<'r> Column<'r> {}

impl<T: for<'r> Column<'r>> ForAny for T {}

reading!(QueryAs, FromRow, T::from_row);
reading!(QueryScalar, ForAny, |row: &Row| row.try_get(0));
