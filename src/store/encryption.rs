//! The keys of a store: which ones it needs, and bringing everything it holds under the first of them.
//!
//! A store notes every key before anything is sealed with it, and opens only if all noted keys are at hand: a service
//! with a wrong or missing key does not start. While a running service does not hold the first key, another key that
//! all of them hold is used for sealing, so that a service with a new key locks out nobody. A turn to another key goes
//! through the tables a few hundred rows at a time. A row that another process changed meanwhile is left to it, and
//! finished work stays done whatever happens, so a turn that was interrupted is simply begun again. Sealing what is
//! plain, and making sealed values plain, work the same way.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::Serialize;
use tracing::{info, warn};

use super::check::connect;
use super::sealed::{self, Column, PROOF, REPORT, TABLES, Table};
use super::sql::{self, Arg, Bind as _, Connection, QueryBuilder, Row, Stored};
use super::{Place, Store, StoreError, instant, millis};
use crate::keys::ring::{KeyRing, SealError};

/// How many rows are read, and written, at a time.
const AT_ONCE: usize = 200;
/// The same for files, each of which may take megabytes.
const FILES_AT_ONCE: usize = 4;
/// The plain text of each key's proof.
const SAID: &str = "superops-sla";

/// Lets the first of `keys` seal that every service at work on `place` holds; there may be none.
pub(super) async fn choose(place: &Place, keys: &KeyRing) -> Result<(), StoreError> {
    let Some(first) = keys.first() else { return Ok(()) };
    for id in keys.ids() {
        if place.services_without_key(id).await? == 0 {
            keys.seal_by(Some(id));
            if id != first {
                warn!(key = first, "a running service does not have the key `{first}`: `{id}` encrypts until it does");
            }
            return Ok(());
        }
    }
    keys.seal_by(None);
    warn!(key = first, "a running service does not have the key `{first}`: nothing is encrypted until it does");
    Ok(())
}

/// Opens the store of `connection`, which has no keys itself, with `keys`: checks that all noted keys are there, and
/// notes the one that seals.
pub(super) async fn admit(connection: &mut Connection, keys: &KeyRing) -> Result<(), StoreError> {
    let noted: Vec<(String, String)> =
        sql::query_as("SELECT id, proof FROM encryption_keys ORDER BY id").fetch_all(&mut *connection).await?;
    for (id, proof) in &noted {
        match sealed::open(keys, proof) {
            Ok(Some(found)) if found.bytes == SAID.as_bytes() && found.row == *id => {}
            Err(SealError::UnknownKey(id)) => return Err(StoreError::KeyMissing(id)),
            _ => return Err(StoreError::KeyUnproved(id.clone())),
        }
    }
    if keys.is_held_back() && keys.sealing().is_none() {
        // What was encrypted so far stays encrypted, even beside a service that does not say which keys it holds:
        // without this key it could not have opened the store.
        keys.seal_by(keys.ids().find(|id| noted.iter().any(|(noted, _)| noted == id)));
    }
    Ok(note(connection, keys, keys.sealing()).await?)
}

/// Notes that the key `id` of `keys` seals from now on; with none, nothing is sealed.
async fn note(connection: &mut Connection, keys: &KeyRing, id: Option<&str>) -> Result<(), sql::Error> {
    let known = sql::query_as("SELECT id, turned_at FROM encryption_keys ORDER BY id");
    let known: Vec<(String, Option<i64>)> = known.fetch_all(&mut *connection).await?;
    // Where everything stood under another key alone, something will now stand under this one.
    // Who only reads may not be allowed to write, so nothing is written in vain.
    if known.iter().any(|(known, turned_at)| turned_at.is_some() && Some(known.as_str()) != id) {
        let forget = "UPDATE encryption_keys SET turned_at = NULL WHERE turned_at IS NOT NULL AND id <> $1";
        sql::query(forget).bind(id.unwrap_or_default()).execute(&mut *connection).await?;
    }
    let id = id.filter(|id| known.iter().all(|(known, _)| known != id));
    let Some((id, proof)) = id.and_then(|id| Some((id, PROOF.sealed_with(keys, id, id, SAID)?))) else { return Ok(()) };
    let note = sql::query("INSERT INTO encryption_keys (id, proof) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING");
    note.bind(id).bind(Stored(proof)).execute(connection).await.map(drop)
}

/// How the values of one column are stored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Standing {
    /// Not sealed.
    pub plain: u64,
    /// Sealed, by key.
    pub sealed: BTreeMap<String, u64>,
    /// Values that do not open, or were sealed for another row; only the first few are named.
    pub broken: Vec<String>,
}

impl Standing {
    /// How many values there are.
    pub fn all(&self) -> u64 {
        self.plain + self.sealed.values().sum::<u64>() + self.broken.len() as u64
    }
}

/// The result of turning to the first key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Turned {
    /// Rows that were sealed again, or made plain.
    pub rows: u64,
    /// Rows that another process changed at the same moment: they stay as it wrote them.
    pub overtaken: u64,
    /// Rows that do not open, and stay as they were.
    pub left: Vec<String>,
}

impl Turned {
    /// Whether everything is under the first key now.
    pub fn is_whole(&self) -> bool {
        self.overtaken == 0 && self.left.is_empty()
    }
}

/// A turn in progress: it may be stopped after any batch.
pub struct Turn {
    reads: Connection,
    keys: Arc<KeyRing>,
    /// The tables that are left; the first is the current one.
    tables: &'static [Table],
    /// The key of the last row that was read of the current table.
    after: Option<Vec<Arg>>,
    /// How many rows of the current table were read.
    read: u64,
    turned: Turned,
}

impl Turn {
    /// Begins to bring everything at `place` under the first of `keys`.
    pub async fn begin(place: &Place, keys: Arc<KeyRing>) -> Result<Self, StoreError> {
        let reads = connect(place).await?;
        Ok(Self { reads, keys, tables: TABLES, after: None, read: 0, turned: Turned::default() })
    }

    async fn next(&mut self) -> Result<Option<(&'static Table, Vec<Found>)>, StoreError> {
        while let Some((table, others)) = self.tables.split_first() {
            if let Some(found) = bite(&mut self.reads, table, self.after.as_deref()).await? {
                self.after = found.last().map(|row| row.key.clone());
                self.read += found.len() as u64;
                return Ok(Some((table, found)));
            }
            (self.tables, self.after, self.read) = (others, None, 0);
        }
        Ok(None)
    }

    /// Ends the turn and returns its result.
    pub async fn end(self) -> Result<Turned, StoreError> {
        self.reads.close().await?;
        Ok(self.turned)
    }
}

/// The value of a column as it is stored.
#[derive(Clone)]
enum Held {
    Text(String),
    Bytes(Vec<u8>),
}

impl Held {
    fn read(row: &Row, at: usize) -> Result<Option<Self>, sql::Error> {
        match row.try_get::<Option<String>, _>(at) {
            Ok(text) => Ok(text.map(Self::Text)),
            Err(_) => Ok(row.try_get::<Option<Vec<u8>>, _>(at)?.map(Self::Bytes)),
        }
    }

    /// Returns the sealed text; none if the value is plain.
    fn sealed(&self) -> Option<&str> {
        let text = match self {
            Self::Text(text) => text,
            Self::Bytes(bytes) => std::str::from_utf8(bytes).ok()?,
        };
        text.starts_with(sealed::PREFIX).then_some(text)
    }

    /// Returns the key that sealed the value.
    fn key(&self) -> Option<&str> {
        self.sealed().and_then(sealed::key_of)
    }

    /// Whether the value must not stay plain.
    fn is_due(&self, column: &Column, row: &str) -> bool {
        match self {
            Self::Text(text) => self.key().is_some() || (column.only)(row, text),
            Self::Bytes(_) => true,
        }
    }

    fn into_arg(self) -> Arg {
        match self {
            Self::Text(text) => Arg::Stored(Some(text)),
            Self::Bytes(bytes) => Arg::Bytes(Some(bytes)),
        }
    }

    /// Seals the value with the first key, or makes it plain; it must have been sealed for this column and `row`.
    fn anew(&self, column: &'static Column, keys: &KeyRing, row: &str) -> Result<Arg, SealError> {
        let opened = match self.sealed().map(|text| sealed::open(keys, text)).transpose()?.flatten() {
            Some(found) if found.row != row || found.label != column.label => {
                return Err(SealError::Broken(found.label));
            }
            found => found,
        };
        let row = row.to_owned();
        Ok(match (self, opened) {
            (Self::Text(_), Some(found)) => column.seal_for(row, found.text()?).arg(),
            (Self::Text(text), None) => column.seal_for(row, text.clone()).arg(),
            (Self::Bytes(_), Some(found)) => column.seal_bytes_for(row, found.bytes).arg(),
            (Self::Bytes(bytes), None) => column.seal_bytes_for(row, bytes.clone()).arg(),
        })
    }
}

/// A row with its sealed columns, as they are stored.
struct Found {
    key: Vec<Arg>,
    held: Vec<Option<Held>>,
    /// The row name that each column is to be sealed for.
    rows: Vec<String>,
}

impl Store {
    /// Counts the values of each column by key; `told` is called with the rows read of a table so far.
    pub async fn standing(
        place: &Place,
        keys: &KeyRing,
        mut told: impl FnMut(&str, u64),
    ) -> Result<BTreeMap<&'static str, Standing>, StoreError> {
        let mut connection = connect(place).await?;
        let mut all: BTreeMap<&'static str, Standing> = BTreeMap::new();
        for table in TABLES {
            let (mut after, mut read) = (None, 0);
            while let Some(found) = bite(&mut connection, table, after.as_deref()).await? {
                read += found.len() as u64;
                told(table.name, read);
                for row in &found {
                    for (column, (held, of)) in table.columns.iter().zip(row.held.iter().zip(&row.rows)) {
                        if let Some(held) = held {
                            judge(all.entry(column.label).or_default(), keys, column, of, held);
                        }
                    }
                }
                after = found.last().map(|row| row.key.clone());
            }
        }
        connection.close().await?;
        Ok(all)
    }

    /// Brings everything under the first key, or makes it plain if no key comes first.
    pub async fn turn_to_first_key(
        &self,
        place: &Place,
        keys: &Arc<KeyRing>,
        mut told: impl FnMut(&str, u64),
    ) -> Result<Turned, StoreError> {
        let mut turn = Turn::begin(place, keys.clone()).await?;
        while let Some((table, read)) = self.turn_on(&mut turn).await? {
            told(table, read);
        }
        turn.end().await
    }

    /// Brings the next rows under the first key; returns their table, and how many rows of it have been read. None when
    /// there are no more.
    pub async fn turn_on(&self, turn: &mut Turn) -> Result<Option<(&'static str, u64)>, StoreError> {
        let Some((table, found)) = turn.next().await? else { return Ok(None) };
        let mut changes = Vec::new();
        for row in found {
            match row.turned(table, &turn.keys) {
                Ok(change) => changes.extend(change),
                Err(error) => turn.turned.left.push(format!("{} `{}`: {error}", table.name, row.name())),
            }
        }
        let (all, done) = (changes.len() as u64, self.write_turned(table, changes).await?);
        turn.turned.rows += done;
        turn.turned.overtaken += all - done;
        Ok(Some((table.name, turn.read)))
    }

    /// Lets the first key seal from now on, once every service at work on `place` holds it; returns whether it does.
    pub async fn take_up_first_key(&self, place: &Place) -> Result<bool, StoreError> {
        let keys = self.reads.keys().clone();
        let Some(first) = keys.first().filter(|_| keys.is_held_back()).map(str::to_owned) else { return Ok(true) };
        if place.services_without_key(&first).await? > 0 {
            return Ok(false);
        }
        let (noted, ring) = (first.clone(), keys.clone());
        let writer = self.writer.of_anybody();
        writer.write(move |tx: &mut Connection| Box::pin(async move { note(tx, &ring, Some(&noted)).await })).await?;
        keys.seal_by(Some(&first));
        info!(key = %first, "every running service has the key `{first}`: it encrypts from now on");
        Ok(true)
    }

    /// Returns the ids of the keys that the store was encrypted with since this service began and that this service
    /// lacks. What they encrypt has to wait.
    pub async fn missing_keys(&self) -> Result<Vec<String>, StoreError> {
        let noted: Vec<String> =
            sql::query_scalar("SELECT id FROM encryption_keys ORDER BY id").fetch_all(&self.reads).await?;
        let keys = self.reads.keys();
        Ok(noted.into_iter().filter(|id| keys.ids().all(|held| held != id)).collect())
    }

    /// Returns when everything was found to be under the key `id`, the first ever since; none if that is not certain.
    pub async fn turned_to(&self, id: &str) -> Result<Option<DateTime<Utc>>, StoreError> {
        let at = sql::query_scalar("SELECT turned_at FROM encryption_keys WHERE id = $1").bind(id);
        let at: Option<Option<i64>> = at.fetch_optional(&self.reads).await?;
        at.flatten().map(instant).transpose()
    }

    /// Whether what an erasure freed is still to be wiped from the file.
    pub async fn is_wipe_due(&self) -> Result<bool, StoreError> {
        let noted = sql::query_scalar("SELECT at FROM heartbeats WHERE name = $1").bind(WIPE_DUE);
        let noted: Option<i64> = noted.fetch_optional(&self.reads).await?;
        // The note may have come to a server with a copy, which has no freed room.
        Ok(noted.is_some() && self.server.is_none())
    }

    /// Notes that everything is under the key `id`, which is the first.
    pub async fn note_turned(&self, id: String, now: DateTime<Utc>) -> Result<(), StoreError> {
        self.writer
            .write(move |tx: &mut Connection| {
                Box::pin(async move {
                    let note = sql::query("UPDATE encryption_keys SET turned_at = $2 WHERE id = $1");
                    note.bind(id).bind(millis(now)).execute(tx).await.map(drop)
                })
            })
            .await
    }

    /// Writes the rows that nobody has changed since they were read; returns how many.
    async fn write_turned(&self, table: &'static Table, changes: Vec<Change>) -> Result<u64, StoreError> {
        if changes.is_empty() {
            return Ok(0);
        }
        self.writer
            .write(move |tx: &mut Connection| {
                Box::pin(async move {
                    let mut done = 0;
                    for change in changes {
                        done += change.statement(table).build().execute(&mut *tx).await?.rows_affected();
                    }
                    Ok(done)
                })
            })
            .await
    }

    /// Forgets the keys that no longer seal anything: `needed` are those that do. Nobody else may write meanwhile.
    pub async fn forget_keys(&self, needed: Vec<String>) -> Result<u64, StoreError> {
        let needed = serde_json::to_string(&needed).expect("a list of texts");
        self.writer
            .write(move |tx: &mut Connection| {
                Box::pin(async move {
                    let gone =
                        sql::query("DELETE FROM encryption_keys WHERE id NOT IN (SELECT value FROM json_each($1))");
                    Ok(gone.bind(needed).execute(tx).await?.rows_affected())
                })
            })
            .await
    }
}

/// Rewrites the file, so that nothing changed or deleted is left in it. Nobody else may use it. On a server this is up
/// to the server's own tools.
pub async fn wipe_freed(place: &Place) -> Result<(), StoreError> {
    let Place::File(path) = place else { return Ok(()) };
    let mut connection = Connection::to_file(&super::options(path)).await?;
    for statement in ["VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"] {
        sql::query(statement).execute(&mut connection).await?;
    }
    sql::query("DELETE FROM heartbeats WHERE name = $1").bind(WIPE_DUE).execute(&mut connection).await?;
    Ok(connection.close().await?)
}

/// The name of the note that what was freed is still to be wiped.
const WIPE_DUE: &str = "wipe due";

/// Notes that what this transaction frees is to be wiped from the file. A server's freed room is left to its own tools.
pub(super) async fn note_wipe(tx: &mut Connection, now: DateTime<Utc>) -> Result<(), sql::Error> {
    if tx.is_postgres() {
        return Ok(());
    }
    let note = "INSERT INTO heartbeats (name, at) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET at = excluded.at";
    sql::query(note).bind(WIPE_DUE).bind(millis(now)).execute(tx).await.map(drop)
}

/// A change of a row: its key, and the old and new values of its columns.
struct Change {
    key: Vec<Arg>,
    was: Vec<Option<Held>>,
    becomes: Vec<Option<Arg>>,
}

impl Found {
    /// The row's name for messages.
    fn name(&self) -> String {
        self.rows.first().map(|row| row.replace('\u{1f}', " ")).unwrap_or_default()
    }

    /// Returns the change that brings the row under the first key; none if it is there already.
    fn turned(&self, table: &'static Table, keys: &KeyRing) -> Result<Option<Change>, SealError> {
        let mut becomes = Vec::with_capacity(self.held.len());
        for ((column, held), row) in table.columns.iter().zip(&self.held).zip(&self.rows) {
            becomes.push(match held {
                Some(held) if held.key() != keys.sealing() && held.is_due(column, row) => {
                    Some(held.anew(column, keys, row)?)
                }
                _ => None,
            });
        }
        if becomes.iter().all(Option::is_none) {
            return Ok(None);
        }
        Ok(Some(Change { key: self.key.clone(), was: self.held.clone(), becomes }))
    }
}

impl Change {
    fn statement(self, table: &Table) -> QueryBuilder {
        let mut query = QueryBuilder::new(format!("UPDATE {} SET ", table.name));
        let changed: Vec<_> = table.columns.iter().zip(self.was).zip(self.becomes).collect();
        let mut set = query.separated(", ");
        for ((column, _), becomes) in &changed {
            if let Some(becomes) = becomes {
                set.push(column.name).push_unseparated(" = ").push_arg_unseparated(becomes.clone());
            }
        }
        query.push(" WHERE ");
        let mut same = query.separated(" AND ");
        for (name, value) in table.key.iter().zip(self.key) {
            same.push(name).push_unseparated(" = ").push_arg_unseparated(value);
        }
        for ((column, was), becomes) in changed {
            if let Some((was, _)) = was.zip(becomes) {
                same.push(column.name).push_unseparated(" = ").push_arg_unseparated(was.into_arg());
            }
        }
        query
    }
}

/// Reads the next rows of `table` after the one with this key; none when there are no more.
async fn bite(
    from: &mut Connection,
    table: &'static Table,
    after: Option<&[Arg]>,
) -> Result<Option<Vec<Found>>, StoreError> {
    let names = table.columns.iter().flat_map(|column| column.row.iter().copied().chain([column.name]));
    let list: Vec<&str> = table.key.iter().copied().chain(names).collect();
    let key = table.key.join(", ");
    let mut query = QueryBuilder::new(format!("SELECT {} FROM {}", list.join(", "), table.name));
    if let Some(after) = after {
        query.push(format_args!(" WHERE ({key}) > ("));
        let mut values = query.separated(", ");
        for value in after {
            values.push_arg(value.clone());
        }
        query.push(")");
    }
    let most = if table.columns.iter().any(|column| std::ptr::eq(*column, &REPORT)) { FILES_AT_ONCE } else { AT_ONCE };
    query.push(format_args!(" ORDER BY {key} LIMIT {most}"));
    let found = query.build().fetch_each(from, |row| read(table, &row)).await?;
    Ok((!found.is_empty()).then_some(found))
}

fn read(table: &'static Table, row: &Row) -> Result<Found, StoreError> {
    let key = |at: usize| match row.try_get::<i64, _>(at) {
        Ok(number) => Ok(Arg::Int(Some(number))),
        Err(_) => row.try_get(at).map(Arg::Stored),
    };
    let mut at = table.key.len();
    let (mut held, mut rows) = (Vec::new(), Vec::new());
    for column in table.columns {
        let parts: Vec<String> = (at..at + column.row.len()).map(|at| row.in_words(at).unwrap_or_default()).collect();
        rows.push(sealed::name_of(&parts.iter().map(String::as_str).collect::<Vec<_>>()));
        held.push(Held::read(row, at + column.row.len())?);
        at += column.row.len() + 1;
    }
    Ok(Found { key: (0..table.key.len()).map(key).collect::<Result<_, _>>()?, held, rows })
}

/// Counts how one value is stored.
fn judge(standing: &mut Standing, keys: &KeyRing, column: &Column, row: &str, held: &Held) {
    /// The most broken values that are named.
    const NAMED: usize = 20;
    let Some(text) = held.sealed() else {
        standing.plain += u64::from(held.is_due(column, row));
        return;
    };
    match sealed::open(keys, text) {
        Ok(Some(found)) if found.row == row && found.label == column.label => {
            *standing.sealed.entry(sealed::key_of(text).unwrap_or_default().to_owned()).or_default() += 1;
        }
        _ if standing.broken.len() < NAMED => standing.broken.push(row.replace('\u{1f}', " ")),
        _ => {}
    }
}

#[cfg(test)]
mod tests;
