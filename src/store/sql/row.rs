//! A row of a result, and how its columns are read.

use std::sync::Arc;

use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{Error, Row as _, TypeInfo as _, ValueRef as _};

use crate::keys::ring::{KeyRing, SealError};
use crate::store::sealed::{self, Column, PREFIX};

/// A row of a result.
pub struct Row {
    held: Held,
    /// The keys for sealed columns; if none, those are read as they are stored.
    keys: Option<Arc<KeyRing>>,
}

enum Held {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

impl Row {
    pub(super) fn of_file(row: SqliteRow, keys: Option<Arc<KeyRing>>) -> Self {
        Self { held: Held::Sqlite(row), keys }
    }

    pub(super) fn of_server(row: PgRow, keys: Option<Arc<KeyRing>>) -> Self {
        Self { held: Held::Postgres(row), keys }
    }

    /// Returns the column's value.
    ///
    /// # Panics
    /// If there is no such column or it holds another type; [`Row::try_get`] returns an error instead.
    #[track_caller]
    pub fn get<'r, T: Readable<'r>, I: Index>(&'r self, column: I) -> T {
        self.try_get(column).expect("a column of this name and type")
    }

    /// Returns the column's value.
    pub fn try_get<'r, T: Readable<'r>, I: Index>(&'r self, column: I) -> Result<T, Error> {
        T::read(self, column.of(self)?)
    }

    /// Whether the column is null.
    pub fn is_null(&self, column: impl Index) -> Result<bool, Error> {
        let at = column.of(self)?;
        match &self.held {
            Held::Sqlite(row) => Ok(row.try_get_raw(at)?.is_null()),
            Held::Postgres(row) => Ok(row.try_get_raw(at)?.is_null()),
        }
    }

    /// Returns the names of the columns, in order.
    pub fn names(&self) -> Vec<&str> {
        match &self.held {
            Held::Sqlite(row) => row.columns().iter().map(sqlx::Column::name).collect(),
            Held::Postgres(row) => row.columns().iter().map(sqlx::Column::name).collect(),
        }
    }

    /// Returns what the column holds as text: text unchanged, numbers written out, bytes not at all.
    pub fn in_words(&self, column: impl Index) -> Option<String> {
        let at = column.of(self).ok()?;
        let whole = || self.try_get::<Option<i64>, _>(at).ok().flatten().map(|number| number.to_string());
        let part = || self.try_get::<Option<f64>, _>(at).ok().flatten().map(|number| number.to_string());
        self.try_get::<Option<String>, _>(at).ok().flatten().or_else(whole).or_else(part)
    }

    /// Returns the text of a column as it is stored, sealed or not.
    pub fn stored(&self, column: impl Index) -> Result<String, Error> {
        self.as_it_stands(column.of(self)?).map(str::to_owned)
    }

    /// Returns the column and the row that a text was sealed for; none if it is plain.
    pub fn sealed_for(&self, column: impl Index) -> Result<Option<(&'static Column, String)>, Error> {
        let at = column.of(self)?;
        let text = if self.is_null(at)? { None } else { Some(self.as_it_stands(at)?) };
        let (Some(text), Some(keys)) = (text, &self.keys) else { return Ok(None) };
        let found = sealed::open(keys, text).map_err(decode)?;
        Ok(found.and_then(|found| Some((Column::labelled(&found.label)?, found.row))))
    }

    /// Returns the text of a column, opened if it is sealed.
    fn text(&self, at: usize) -> Result<String, Error> {
        let text = self.as_it_stands(at)?;
        let Some(keys) = self.keys.as_ref().filter(|_| text.starts_with(PREFIX)) else { return Ok(text.to_owned()) };
        let Some(found) = sealed::open(keys, text).map_err(decode)? else { return Ok(text.to_owned()) };
        if self.is_at_home(&found, at) {
            found.text().map_err(decode)
        } else {
            Err(decode(SealError::Broken(found.label)))
        }
    }

    /// Returns the bytes of a column, opened if they are sealed.
    fn bytes(&self, at: usize) -> Result<Vec<u8>, Error> {
        let bytes: Vec<u8> = match &self.held {
            Held::Sqlite(row) => row.try_get(at)?,
            Held::Postgres(row) => row.try_get(at)?,
        };
        let Some(keys) = self.keys.as_ref().filter(|_| bytes.starts_with(PREFIX.as_bytes())) else { return Ok(bytes) };
        let Ok(text) = std::str::from_utf8(&bytes) else { return Ok(bytes) };
        match sealed::open(keys, text).map_err(decode)? {
            Some(found) if self.is_at_home(&found, at) => Ok(found.bytes),
            Some(found) => Err(decode(SealError::Broken(found.label))),
            None => Ok(bytes),
        }
    }

    /// Whether a value in column `at` was sealed for it and for this row, as far as the result identifies the row.
    fn is_at_home(&self, found: &sealed::Found, at: usize) -> bool {
        let Some(column) = Column::labelled(&found.label) else { return false };
        let names = self.names();
        if names.get(at) != Some(&column.name) {
            return false;
        }
        let part = |name: &&str| names.contains(name).then(|| self.in_words(*name).unwrap_or_default());
        let parts: Option<Vec<String>> = column.row.iter().map(part).collect();
        parts.is_none_or(|parts| sealed::name_of(&parts.iter().map(String::as_str).collect::<Vec<_>>()) == found.row)
    }

    fn as_it_stands(&self, at: usize) -> Result<&str, Error> {
        match &self.held {
            Held::Sqlite(row) => row.try_get(at),
            Held::Postgres(row) => row.try_get(at),
        }
    }
}

fn decode(error: SealError) -> Error {
    Error::Decode(error.into())
}

/// How a column is named: by its name, or by its position from 0.
pub trait Index {
    fn of(&self, row: &Row) -> Result<usize, Error>;
}

impl Index for usize {
    fn of(&self, _: &Row) -> Result<usize, Error> {
        Ok(*self)
    }
}

impl Index for &str {
    fn of(&self, row: &Row) -> Result<usize, Error> {
        match &row.held {
            Held::Sqlite(row) => sqlx::ColumnIndex::index(self, row),
            Held::Postgres(row) => sqlx::ColumnIndex::index(self, row),
        }
    }
}

/// What a column can be read as.
pub trait Readable<'r>: Sized {
    fn read(row: &'r Row, at: usize) -> Result<Self, Error>;
}

macro_rules! columns {
    ($($type:ty => $postgres:expr),+ $(,)?) => {$(
        impl<'r> Readable<'r> for $type {
            fn read(row: &'r Row, at: usize) -> Result<Self, Error> {
                match &row.held {
                    Held::Sqlite(row) => row.try_get(at),
                    Held::Postgres(row) => $postgres(row, at),
                }
            }
        }
    )+};
}

columns!(
    i64 => whole, i32 => whole, u32 => whole, u16 => whole, u8 => whole,
    bool => |row, at| whole::<i64>(row, at).map(|number| number != 0),
    f64 => number,
    &'r [u8] => PgRow::try_get,
);

impl Readable<'_> for Vec<u8> {
    fn read(row: &Row, at: usize) -> Result<Self, Error> {
        row.bytes(at)
    }
}

impl Readable<'_> for String {
    fn read(row: &Row, at: usize) -> Result<Self, Error> {
        row.text(at)
    }
}

/// For columns that are never sealed: an opened text cannot be borrowed from the row.
impl<'r> Readable<'r> for &'r str {
    fn read(row: &'r Row, at: usize) -> Result<Self, Error> {
        let text = row.as_it_stands(at)?;
        match row.keys.is_some() && text.starts_with(PREFIX) {
            true => Err(Error::Decode(format!("column {at} is sealed, and read as if it were not").into())),
            false => Ok(text),
        }
    }
}

/// Reads an integer from any of PostgreSQL's types: a sum is wider than what it adds up, and a comparison is a boolean.
fn whole<T: TryFrom<i64>>(row: &PgRow, at: usize) -> Result<T, Error> {
    let raw = row.try_get_raw(at)?;
    let number = match &*raw.type_info().name().to_owned() {
        "BOOL" => row.try_get::<bool, _>(at)?.into(),
        "INT2" => row.try_get::<i16, _>(at)?.into(),
        "INT4" => row.try_get::<i32, _>(at)?.into(),
        "NUMERIC" => {
            let sum = numeric(raw.as_bytes().map_err(Error::Decode)?).filter(|sum| sum.fract() == 0.0);
            // Beyond 2^53 a sum is not exact; none of ours comes near.
            sum.map(|sum| sum as i64).ok_or_else(|| unlike(at))?
        }
        _ => row.try_get::<i64, _>(at)?,
    };
    T::try_from(number).map_err(|_| unlike(at))
}

fn number(row: &PgRow, at: usize) -> Result<f64, Error> {
    let raw = row.try_get_raw(at)?;
    match &*raw.type_info().name().to_owned() {
        "FLOAT8" => row.try_get(at),
        "NUMERIC" => numeric(raw.as_bytes().map_err(Error::Decode)?).ok_or_else(|| unlike(at)),
        _ => whole::<i64>(row, at).map(|number| number as f64),
    }
}

fn unlike(at: usize) -> Error {
    Error::Decode(format!("column {at} holds no number of the kind that was expected").into())
}

/// Reads PostgreSQL's binary form of a number: how many digits in base 10,000, the power of the first one, sign and
/// scale, then the digits. None if it is not a number.
fn numeric(bytes: &[u8]) -> Option<f64> {
    let mut parts = bytes.chunks_exact(2).map(|pair| i16::from_be_bytes([pair[0], pair[1]]));
    let (_, weight, sign, _) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let size: f64 = (0i16..).zip(parts).map(|(n, digit)| f64::from(digit) * 10_000f64.powi((weight - n).into())).sum();
    match sign {
        0 => Some(size),
        0x4000 => Some(-size),
        _ => None,
    }
}

impl<'r, T: Readable<'r>> Readable<'r> for Option<T> {
    fn read(row: &'r Row, at: usize) -> Result<Self, Error> {
        if row.is_null(at)? { Ok(None) } else { T::read(row, at).map(Some) }
    }
}

/// What a whole row can be read as.
pub trait FromRow: Sized {
    fn from_row(row: &Row) -> Result<Self, Error>;
}

macro_rules! tuples {
    ($($($name:ident $at:literal),+);+ $(;)?) => {$(
        impl<$($name: for<'r> Readable<'r>),+> FromRow for ($($name,)+) {
            fn from_row(row: &Row) -> Result<Self, Error> {
                Ok(($($name::read(row, $at)?,)+))
            }
        }
    )+};
}

tuples!(
    A 0;
    A 0, B 1;
    A 0, B 1, C 2;
    A 0, B 1, C 2, D 3;
    A 0, B 1, C 2, D 3, E 4;
    A 0, B 1, C 2, D 3, E 4, F 5;
    A 0, B 1, C 2, D 3, E 4, F 5, G 6;
    A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7;
    A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8;
    A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9;
);

/// Makes a struct readable from a row that has a column for each of its fields.
macro_rules! from_row {
    ($type:ty { $($field:ident),+ $(,)? }) => {
        impl $crate::store::sql::FromRow for $type {
            fn from_row(row: &$crate::store::sql::Row) -> Result<Self, $crate::store::sql::Error> {
                Ok(Self { $($field: row.try_get(stringify!($field))?),+ })
            }
        }
    };
}
pub(crate) use from_row;
