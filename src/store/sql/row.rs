//! A row, and how a column of it is read.

use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{Error, Row as _, TypeInfo as _, ValueRef as _};

/// A row of an answer.
pub enum Row {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

impl Row {
    /// The column's value.
    ///
    /// # Panics
    /// If there is no such column or it holds something else; [`Row::try_get`] says so instead.
    #[track_caller]
    pub fn get<'r, T: Column<'r>, I: Index>(&'r self, column: I) -> T {
        self.try_get(column).expect("a column of this name and type")
    }

    /// The column's value.
    pub fn try_get<'r, T: Column<'r>, I: Index>(&'r self, column: I) -> Result<T, Error> {
        T::read(self, column.of(self)?)
    }

    /// Whether the column holds nothing.
    pub fn is_null(&self, column: impl Index) -> Result<bool, Error> {
        let at = column.of(self)?;
        match self {
            Self::Sqlite(row) => Ok(row.try_get_raw(at)?.is_null()),
            Self::Postgres(row) => Ok(row.try_get_raw(at)?.is_null()),
        }
    }

    /// The columns' names, in order.
    pub fn names(&self) -> Vec<&str> {
        match self {
            Self::Sqlite(row) => row.columns().iter().map(sqlx::Column::name).collect(),
            Self::Postgres(row) => row.columns().iter().map(sqlx::Column::name).collect(),
        }
    }

    /// What the column holds in words, whatever that is: text as it stands, bytes not at all.
    pub fn in_words(&self, column: impl Index) -> Option<String> {
        let at = column.of(self).ok()?;
        let whole = || self.try_get::<Option<i64>, _>(at).ok().flatten().map(|number| number.to_string());
        let part = || self.try_get::<Option<f64>, _>(at).ok().flatten().map(|number| number.to_string());
        self.try_get::<Option<String>, _>(at).ok().flatten().or_else(whole).or_else(part)
    }
}

/// How a column is named: by its name, or by its place from 0 on.
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
        match row {
            Row::Sqlite(row) => sqlx::ColumnIndex::index(self, row),
            Row::Postgres(row) => sqlx::ColumnIndex::index(self, row),
        }
    }
}

/// What a column can be read as.
pub trait Column<'r>: Sized {
    fn read(row: &'r Row, at: usize) -> Result<Self, Error>;
}

macro_rules! columns {
    ($($type:ty => $postgres:expr),+ $(,)?) => {$(
        impl<'r> Column<'r> for $type {
            fn read(row: &'r Row, at: usize) -> Result<Self, Error> {
                match row {
                    Row::Sqlite(row) => row.try_get(at),
                    Row::Postgres(row) => $postgres(row, at),
                }
            }
        }
    )+};
}

columns!(
    i64 => whole, i32 => whole, u32 => whole, u16 => whole, u8 => whole,
    bool => |row, at| whole::<i64>(row, at).map(|number| number != 0),
    f64 => number,
    String => PgRow::try_get, &'r str => PgRow::try_get,
    Vec<u8> => PgRow::try_get, &'r [u8] => PgRow::try_get,
);

/// A whole number of whichever of PostgreSQL's types it came as: a sum is wider than what it sums, and a comparison is
/// true or false.
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

/// A number in PostgreSQL's own form: how many digits to the base of 10,000, the first one's power, sign and scale, then
/// the digits. None: it is not a number.
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

impl<'r, T: Column<'r>> Column<'r> for Option<T> {
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
        impl<$($name: for<'r> Column<'r>),+> FromRow for ($($name,)+) {
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
