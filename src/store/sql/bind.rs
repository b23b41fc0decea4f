//! The values that are bound to a statement.

use std::borrow::Cow;

use sqlx::Arguments;
use sqlx::sqlite::SqliteArguments;

use crate::keys::ring::KeyRing;
use crate::store::sealed::{Sealed, SealedBytes, harmless};

/// A bound value. A missing one keeps its type, since PostgreSQL wants to know it.
#[derive(Clone, Debug)]
pub enum Arg {
    Int(Option<i64>),
    Real(Option<f64>),
    Text(Option<String>),
    Bytes(Option<Vec<u8>>),
    /// A text as it stands in the database, possibly sealed.
    Stored(Option<String>),
    /// A text that is sealed with the keys of the connection on its way to the database.
    Sealed(Sealed),
    SealedBytes(SealedBytes),
}

/// What can be bound.
pub trait Bind {
    /// The value to bind for `None`.
    const MISSING: Arg;

    fn arg(self) -> Arg;
}

macro_rules! binds {
    ($kind:ident, $($from:ty => |$value:ident| $to:expr),+ $(,)?) => {$(
        impl Bind for $from {
            const MISSING: Arg = Arg::$kind(None);

            fn arg(self) -> Arg {
                let $value = self;
                Arg::$kind(Some($to))
            }
        }
    )+};
}

binds!(Int, i64 => |v| v, i32 => |v| v.into(), u32 => |v| v.into(), u16 => |v| v.into(), u8 => |v| v.into(),
    bool => |v| v.into(), &i64 => |v| *v, &i32 => |v| (*v).into(), &u32 => |v| (*v).into(), &bool => |v| (*v).into());
binds!(Real, f64 => |v| v, &f64 => |v| *v);
binds!(Text, String => |v| v, &str => |v| v.to_owned(), &&str => |v| (*v).to_owned(), &String => |v| v.clone(),
    Cow<'_, str> => |v| v.into_owned(), Box<str> => |v| v.into());
binds!(Bytes, Vec<u8> => |v| v, &[u8] => |v| v.to_vec(), &Vec<u8> => |v| v.clone());

impl<T: Bind> Bind for Option<T> {
    const MISSING: Arg = T::MISSING;

    fn arg(self) -> Arg {
        self.map_or(T::MISSING, T::arg)
    }
}

impl<'a, T> Bind for &'a Option<T>
where
    &'a T: Bind,
{
    const MISSING: Arg = <&'a T>::MISSING;

    fn arg(self) -> Arg {
        self.as_ref().arg()
    }
}

impl<const N: usize> Bind for &[u8; N] {
    const MISSING: Arg = Arg::Bytes(None);

    fn arg(self) -> Arg {
        Arg::Bytes(Some(self.to_vec()))
    }
}

impl Bind for Sealed {
    const MISSING: Arg = Arg::Text(None);

    fn arg(self) -> Arg {
        Arg::Sealed(self)
    }
}

/// A text as returned by [`super::Row::stored`].
#[derive(Clone, Debug)]
pub struct Stored(pub String);

impl Bind for Stored {
    const MISSING: Arg = Arg::Stored(None);

    fn arg(self) -> Arg {
        Arg::Stored(Some(self.0))
    }
}

impl Bind for SealedBytes {
    const MISSING: Arg = Arg::Bytes(None);

    fn arg(self) -> Arg {
        Arg::SealedBytes(self)
    }
}

/// Escapes a text that only looks sealed, for a database that may hold sealed ones. Without keys the text is left
/// alone: it was read from there.
pub(super) fn plain(text: Option<String>, keys: Option<&KeyRing>) -> Option<String> {
    if keys.is_some() { text.map(harmless) } else { text }
}

/// Encodes the values for SQLite.
pub(super) fn for_sqlite(args: Vec<Arg>, keys: Option<&KeyRing>) -> SqliteArguments {
    let mut taken = SqliteArguments::default();
    taken.reserve(args.len(), 0);
    for arg in args {
        // Encoding fails only for types that cannot be encoded, and all of these can.
        let _ = match arg {
            Arg::Int(value) => Arguments::add(&mut taken, value),
            Arg::Real(value) => Arguments::add(&mut taken, value),
            Arg::Text(value) => Arguments::add(&mut taken, plain(value, keys)),
            Arg::Stored(value) => Arguments::add(&mut taken, value),
            Arg::Sealed(sealed) => Arguments::add(&mut taken, sealed.settled(keys)),
            Arg::SealedBytes(sealed) => Arguments::add(&mut taken, sealed.settled(keys)),
            Arg::Bytes(value) => Arguments::add(&mut taken, value),
        };
    }
    taken
}
