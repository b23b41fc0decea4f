//! How the store queries its database: each statement has one text, for both kinds of database.
//!
//! The rest of the store uses these functions, never sqlx itself. They bind 64-bit integers, reals, texts and bytes,
//! run the statement, and read a column as the type that is wanted. Sealed columns are sealed and opened here, with the
//! keys of the connection.

mod bind;
mod builder;
pub mod postgres;
mod row;

use std::sync::Arc;
use std::time::Duration;

use futures_util::TryStreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use sqlx::pool::PoolConnection;
use sqlx::postgres::PgArguments;
use sqlx::sqlite::{SqliteArguments, SqliteConnectOptions};
use sqlx::{PgConnection, PgPool, Postgres, SqlSafeStr, SqlStr, Sqlite, SqliteConnection, SqlitePool};
use tokio::time::timeout;

use crate::keys::ring::KeyRing;

pub use bind::{Arg, Bind, Stored};
pub use builder::{QueryBuilder, Separated};
pub(crate) use row::from_row;
pub use row::{FromRow, Index, Readable, Row};
pub use sqlx::{AssertSqlSafe, Error};

/// The keys that a statement or a row uses.
type Keys = Option<Arc<KeyRing>>;

/// One connection to the database.
#[derive(Debug)]
pub struct Connection {
    link: Link,
    /// The keys for sealed columns; if none, those are read and written as they are stored.
    keys: Option<Arc<KeyRing>>,
    /// How long a server may take for a statement. One that is lost without a word would keep us waiting for ever.
    limit: Duration,
}

#[derive(Debug)]
enum Link {
    Sqlite(SqliteConnection),
    /// A connection that returns to its [`Pool`] when dropped.
    SqliteOfPool(PoolConnection<Sqlite>),
    Postgres(PgConnection),
    /// A connection that returns to its [`Pool`] when dropped.
    PostgresOfPool(PoolConnection<Postgres>),
}

/// A pool of connections. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Pool {
    links: Links,
    keys: Arc<KeyRing>,
    limit: Duration,
}

#[derive(Clone, Debug)]
enum Links {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

impl Pool {
    /// Makes a pool of connections to a file.
    pub fn of_file(pool: SqlitePool, keys: Arc<KeyRing>) -> Self {
        Self { links: Links::Sqlite(pool), keys, limit: Duration::MAX }
    }

    /// Makes a pool of connections to `server`, which only read.
    pub fn of_server(server: &postgres::Server, keys: Arc<KeyRing>) -> Self {
        Self { links: Links::Postgres(server.pool()), keys, limit: server.limit() }
    }

    /// The keys that its connections seal and open with.
    pub fn keys(&self) -> &Arc<KeyRing> {
        &self.keys
    }

    /// Closes all connections, once the statements that run on them have ended.
    pub async fn close(&self) {
        match &self.links {
            Links::Sqlite(pool) => pool.close().await,
            Links::Postgres(pool) => pool.close().await,
        }
    }

    /// Whether the pool was closed.
    pub fn is_closed(&self) -> bool {
        match &self.links {
            Links::Sqlite(pool) => pool.is_closed(),
            Links::Postgres(pool) => pool.is_closed(),
        }
    }

    /// Takes a connection from the pool, waiting for one to be free.
    pub async fn acquire(&self) -> Result<Connection, Error> {
        let link = match &self.links {
            Links::Sqlite(pool) => pool.acquire().await.map(Link::SqliteOfPool),
            Links::Postgres(pool) => pool.acquire().await.map(Link::PostgresOfPool),
        };
        Ok(Connection { link: link?, keys: Some(self.keys.clone()), limit: self.limit })
    }

    /// Takes a connection from the pool, if one is free.
    pub fn try_acquire(&self) -> Option<Connection> {
        let link = match &self.links {
            Links::Sqlite(pool) => pool.try_acquire().map(Link::SqliteOfPool),
            Links::Postgres(pool) => pool.try_acquire().map(Link::PostgresOfPool),
        };
        Some(Connection { link: link?, keys: Some(self.keys.clone()), limit: self.limit })
    }
}

impl Connection {
    /// Connects to the file that `options` name; sealed columns are read and written as they are stored.
    pub async fn to_file(options: &SqliteConnectOptions) -> Result<Self, Error> {
        sqlx::ConnectOptions::connect(options).await.map(Self::of_file)
    }

    /// Wraps an open connection; sealed columns are read and written as they are stored.
    pub fn of_file(connection: SqliteConnection) -> Self {
        Self { link: Link::Sqlite(connection), keys: None, limit: Duration::MAX }
    }

    /// Connects to the server; sealed columns are read and written as they are stored.
    pub async fn to_server(server: &postgres::Server) -> Result<Self, Error> {
        let connection = sqlx::ConnectOptions::connect(&server.options()).await?;
        Ok(Self { link: Link::Postgres(connection), keys: None, limit: server.limit() })
    }

    /// Returns the same connection, sealing and opening with `keys`.
    #[must_use]
    pub fn with_keys(self, keys: Arc<KeyRing>) -> Self {
        Self { keys: Some(keys), ..self }
    }

    /// The keys that it seals and opens with.
    pub fn keys(&self) -> Option<&Arc<KeyRing>> {
        self.keys.as_ref()
    }

    /// Whether it is a connection to a server.
    pub fn is_postgres(&self) -> bool {
        matches!(self.link, Link::Postgres(_) | Link::PostgresOfPool(_))
    }

    /// Calls `changed` for each row of `table` written from now on. False if the database cannot tell.
    pub async fn heed(&mut self, table: &'static str, mut changed: impl FnMut() + Send + 'static) -> bool {
        let Link::Sqlite(connection) = &mut self.link else { return false };
        let Ok(mut handle) = connection.lock_handle().await else { return false };
        handle.set_update_hook(move |row| {
            if row.table == table {
                changed();
            }
        });
        true
    }

    /// Closes the connection cleanly.
    pub async fn close(self) -> Result<(), Error> {
        match self.link {
            Link::Sqlite(connection) => sqlx::Connection::close(connection).await,
            Link::SqliteOfPool(connection) => connection.close().await,
            Link::Postgres(connection) => sqlx::Connection::close(connection).await,
            Link::PostgresOfPool(connection) => connection.close().await,
        }
    }
}

/// Where a statement runs.
#[derive(Debug)]
pub enum On<'c> {
    Connection(&'c mut Connection),
    Pool(&'c Pool),
}

impl<'c> On<'c> {
    /// Returns the connection; from a pool one is taken and put into `taken`.
    async fn connection<'t>(self, taken: &'t mut Option<Connection>) -> Result<&'t mut Connection, Error>
    where
        'c: 't,
    {
        match self {
            Self::Connection(connection) => Ok(connection),
            Self::Pool(pool) => Ok(taken.insert(pool.acquire().await?)),
        }
    }

    fn keys(&self) -> Option<Arc<KeyRing>> {
        match self {
            Self::Connection(connection) => connection.keys.clone(),
            Self::Pool(pool) => Some(pool.keys.clone()),
        }
    }
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

/// A statement with its bound values.
#[must_use = "a query does nothing until it is run"]
#[derive(Debug)]
pub struct Query {
    text: SqlStr,
    args: Vec<Arg>,
    /// Whether values are bound to each `?` in turn, instead of to `$1` and so on.
    by_place: bool,
}

/// A statement whose rows are read as `T`.
#[must_use = "a query does nothing until it is run"]
#[derive(Debug)]
pub struct QueryAs<T>(Query, std::marker::PhantomData<fn() -> T>);

/// A statement that reads only the first column of its rows.
#[must_use = "a query does nothing until it is run"]
#[derive(Debug)]
pub struct QueryScalar<T>(Query, std::marker::PhantomData<fn() -> T>);

/// Makes a statement; `$1` stands for the first bound value.
pub fn query(text: impl SqlSafeStr) -> Query {
    Query { text: text.into_sql_str(), args: Vec::new(), by_place: false }
}

/// Makes a statement whose rows are read as `T`.
pub fn query_as<T>(text: impl SqlSafeStr) -> QueryAs<T> {
    QueryAs(query(text), std::marker::PhantomData)
}

/// Makes a statement that reads only the first column of its rows.
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

/// Runs one method of sqlx on whichever connection `$on` is; `$sqlite` and `$postgres` convert its result to ours.
macro_rules! run {
    ($query:expr, $on:expr, $keys:expr, $method:ident, $sqlite:expr, $postgres:expr) => {{
        let Query { text, args, by_place } = $query;
        let mut taken = None;
        let Connection { link, limit, .. } = $on.connection(&mut taken).await?;
        match link {
            Link::Sqlite(one) => sqlite(text, args, $keys).$method(one).await.map($sqlite),
            Link::SqliteOfPool(one) => sqlite(text, args, $keys).$method(&mut **one).await.map($sqlite),
            Link::Postgres(one) => {
                let done = timeout(*limit, postgres(text, args, by_place, $keys).$method(one)).await;
                done.unwrap_or_else(|_| Err(unanswered(*limit))).map($postgres)
            }
            Link::PostgresOfPool(one) => {
                let done = timeout(*limit, postgres(text, args, by_place, $keys).$method(&mut **one)).await;
                let done = done.unwrap_or_else(|_| {
                    one.close_on_drop();
                    Err(unanswered(*limit))
                });
                done.map($postgres)
            }
        }
    }};
}

fn unanswered(limit: Duration) -> Error {
    let why = format!("no answer within {limit:?}");
    Error::Io(std::io::Error::new(std::io::ErrorKind::TimedOut, why))
}

fn sqlite(text: SqlStr, args: Vec<Arg>, keys: &Keys) -> sqlx::query::Query<'static, Sqlite, SqliteArguments> {
    sqlx::query_with(text, bind::for_sqlite(args, keys.as_deref()))
}

fn postgres(
    text: SqlStr,
    args: Vec<Arg>,
    by_place: bool,
    keys: &Keys,
) -> sqlx::query::Query<'static, Postgres, PgArguments> {
    sqlx::query_with(postgres::statement(text, by_place), postgres::bound(args, keys.as_deref()))
}

/// Reads each row as it arrives: the raw row of the database takes several times the memory of its values.
async fn read_each<R, T, E: From<Error>>(
    mut rows: BoxStream<'_, Result<R, Error>>,
    keys: &Keys,
    kind: fn(R, Keys) -> Row,
    mut read: impl FnMut(Row) -> Result<T, E>,
) -> Result<Vec<T>, E> {
    let mut found = Vec::new();
    while let Some(row) = rows.try_next().await? {
        found.push(read(kind(row, keys.clone()))?);
    }
    Ok(found)
}

impl Query {
    /// Binds the value of the next `$n`.
    pub fn bind(mut self, value: impl Bind) -> Self {
        self.args.push(value.arg());
        self
    }

    /// Runs the statement.
    pub fn execute<'c>(self, on: impl Into<On<'c>>) -> BoxFuture<'c, Result<Done, Error>> {
        let on = on.into();
        let keys = on.keys();
        Box::pin(async move {
            run!(self, on, &keys, execute, |done| Done { rows: done.rows_affected() }, |done| Done {
                rows: done.rows_affected()
            })
        })
    }

    /// Returns all rows.
    pub fn fetch_all<'c>(self, on: impl Into<On<'c>>) -> BoxFuture<'c, Result<Vec<Row>, Error>> {
        self.fetch_each(on, Ok)
    }

    /// Returns what `read` makes of each row, one after the other.
    pub fn fetch_each<'c, T: Send + 'c, E: From<Error> + Send + 'c>(
        self,
        on: impl Into<On<'c>>,
        read: impl FnMut(Row) -> Result<T, E> + Send + 'c,
    ) -> BoxFuture<'c, Result<Vec<T>, E>> {
        let (on, Self { text, args, by_place }) = (on.into(), self);
        let keys = on.keys();
        Box::pin(async move {
            let mut taken = None;
            let Connection { link, limit, .. } = on.connection(&mut taken).await?;
            let keys = &keys;
            match link {
                Link::Sqlite(one) => read_each(sqlite(text, args, keys).fetch(one), keys, Row::of_file, read).await,
                Link::SqliteOfPool(one) => {
                    read_each(sqlite(text, args, keys).fetch(&mut **one), keys, Row::of_file, read).await
                }
                Link::Postgres(one) => {
                    let rows = postgres(text, args, by_place, keys).fetch(one);
                    let done = timeout(*limit, read_each(rows, keys, Row::of_server, read)).await;
                    done.unwrap_or_else(|_| Err(unanswered(*limit).into()))
                }
                Link::PostgresOfPool(one) => {
                    let rows = postgres(text, args, by_place, keys).fetch(&mut **one);
                    let done = timeout(*limit, read_each(rows, keys, Row::of_server, read)).await;
                    done.unwrap_or_else(|_| {
                        one.close_on_drop();
                        Err(unanswered(*limit).into())
                    })
                }
            }
        })
    }

    /// Returns the first row, if there is one.
    pub fn fetch_optional<'c>(self, on: impl Into<On<'c>>) -> BoxFuture<'c, Result<Option<Row>, Error>> {
        let on = on.into();
        let keys = on.keys();
        Box::pin(async move {
            run!(self, on, &keys, fetch_optional, |row| row.map(|row| Row::of_file(row, keys.clone())), |row| row
                .map(|row| Row::of_server(row, keys.clone())))
        })
    }

    /// Returns the first row; it is an error if there is none.
    pub fn fetch_one<'c>(self, on: impl Into<On<'c>>) -> BoxFuture<'c, Result<Row, Error>> {
        let on = on.into();
        let keys = on.keys();
        Box::pin(async move {
            run!(self, on, &keys, fetch_one, |row| Row::of_file(row, keys.clone()), |row| Row::of_server(
                row,
                keys.clone()
            ))
        })
    }
}

/// Adds the same methods for rows that are read as a type: `$read` makes a `T` of a row.
macro_rules! reading {
    ($name:ident, $bound:path, $read:expr) => {
        impl<T: $bound + Send + 'static> $name<T> {
            /// Binds the value of the next `$n`.
            pub fn bind(mut self, value: impl Bind) -> Self {
                self.0.args.push(value.arg());
                self
            }

            /// Returns all rows.
            pub fn fetch_all<'c>(self, on: impl Into<On<'c>>) -> BoxFuture<'c, Result<Vec<T>, Error>> {
                self.0.fetch_each(on, |row| $read(&row))
            }

            /// Returns the first row, if there is one.
            pub fn fetch_optional<'c>(self, on: impl Into<On<'c>>) -> BoxFuture<'c, Result<Option<T>, Error>> {
                let row = self.0.fetch_optional(on);
                Box::pin(async move { row.await?.as_ref().map($read).transpose() })
            }

            /// Returns the first row; it is an error if there is none.
            pub fn fetch_one<'c>(self, on: impl Into<On<'c>>) -> BoxFuture<'c, Result<T, Error>> {
                let row = self.0.fetch_one(on);
                Box::pin(async move { $read(&row.await?) })
            }
        }
    };
}

/// What a column can be read as without borrowing from its row.
pub trait ForAny: for<'r> Readable<'r> {}

impl<T: for<'r> Readable<'r>> ForAny for T {}

reading!(QueryAs, FromRow, T::from_row);
reading!(QueryScalar, ForAny, |row: &Row| row.try_get(0));
