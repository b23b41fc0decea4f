//! A row, and how a column of it is read.

use sqlx::sqlite::SqliteRow;
use sqlx::{Error, Row as _, ValueRef as _};

/// A row of an answer.
pub enum Row {
    Sqlite(SqliteRow),
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
        }
    }

    /// The columns' names, in order.
    pub fn names(&self) -> Vec<&str> {
        match self {
            Self::Sqlite(row) => row.columns().iter().map(sqlx::Column::name).collect(),
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
        }
    }
}

/// What a column can be read as.
pub trait Column<'r>: Sized {
    fn read(row: &'r Row, at: usize) -> Result<Self, Error>;
}

macro_rules! columns {
    ($($type:ty),+ $(,)?) => {$(
        impl<'r> Column<'r> for $type {
            fn read(row: &'r Row, at: usize) -> Result<Self, Error> {
                match row {
                    Row::Sqlite(row) => row.try_get(at),
                }
            }
        }
    )+};
}

columns!(i64, i32, u32, u16, u8, bool, f64, String, &'r str, Vec<u8>, &'r [u8]);

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
