//! What is bound to a statement.

use std::borrow::Cow;

use sqlx::Arguments;
use sqlx::sqlite::SqliteArguments;

/// A bound value. That one is missing does not hide its type: PostgreSQL wants to know.
#[derive(Clone, Debug, PartialEq)]
pub enum Arg {
    Int(Option<i64>),
    Real(Option<f64>),
    Text(Option<String>),
    Bytes(Option<Vec<u8>>),
}

/// What can be bound.
pub trait Bind {
    /// What stands for a missing one.
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

/// The same, as SQLite takes it.
pub(super) fn for_sqlite(args: Vec<Arg>) -> SqliteArguments {
    let mut taken = SqliteArguments::default();
    taken.reserve(args.len(), 0);
    for arg in args {
        // Only types that cannot be encoded fail here, and these four can.
        let _ = match arg {
            Arg::Int(value) => Arguments::add(&mut taken, value),
            Arg::Real(value) => Arguments::add(&mut taken, value),
            Arg::Text(value) => Arguments::add(&mut taken, value),
            Arg::Bytes(value) => Arguments::add(&mut taken, value),
        };
    }
    taken
}
