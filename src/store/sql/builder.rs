//! A statement of as many parts as there are things to say.

use std::fmt::{Display, Write as _};
use std::marker::PhantomData;

use super::{Arg, AssertSqlSafe, Bind, Query, QueryAs, QueryScalar, query};

/// A statement put together piece by piece. What is bound stands for itself as `?`: SQLite looks for the name of each
/// numbered one among all others, and of the thousands in a long list that takes longer than the list.
#[derive(Debug)]
pub struct QueryBuilder {
    text: String,
    args: Vec<Arg>,
}

impl QueryBuilder {
    /// Begins with `text`, which must not come from outside.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), args: Vec::new() }
    }

    /// Adds `text`, which must not come from outside.
    pub fn push(&mut self, text: impl Display) -> &mut Self {
        let _ = write!(self.text, "{text}");
        self
    }

    /// Adds a value from wherever.
    pub fn push_bind(&mut self, value: impl Bind) -> &mut Self {
        self.args.push(value.arg());
        self.text.push('?');
        self
    }

    /// Adds `VALUES (...), (...)`: one pair of brackets for each of `rows`.
    pub fn push_values<T>(
        &mut self,
        rows: impl IntoIterator<Item = T>,
        mut each: impl FnMut(Separated<'_>, T),
    ) -> &mut Self {
        self.push("VALUES ");
        for (number, row) in rows.into_iter().enumerate() {
            self.push(if number == 0 { "(" } else { ", (" });
            each(self.separated(", "), row);
            self.push(")");
        }
        self
    }

    /// What is added by the result stands apart by `separator`.
    pub fn separated(&mut self, separator: &'static str) -> Separated<'_> {
        Separated { query: self, separator, is_first: true }
    }

    /// The finished statement.
    pub fn build(&mut self) -> Query {
        let (text, args) = (std::mem::take(&mut self.text), std::mem::take(&mut self.args));
        debug_assert_eq!(text.matches('?').count(), args.len(), "all that is bound is pushed: {text}");
        Query { args, by_place: true, ..query(AssertSqlSafe(text)) }
    }

    /// The finished statement, its rows read as `T`.
    pub fn build_query_as<T>(&mut self) -> QueryAs<T> {
        QueryAs(self.build(), PhantomData)
    }

    /// The finished statement, the first column of its rows read as `T`.
    pub fn build_query_scalar<T>(&mut self) -> QueryScalar<T> {
        QueryScalar(self.build(), PhantomData)
    }
}

/// Pieces that stand apart by a separator.
#[derive(Debug)]
pub struct Separated<'q> {
    query: &'q mut QueryBuilder,
    separator: &'static str,
    is_first: bool,
}

impl Separated<'_> {
    /// Adds a value after the separator.
    pub fn push_bind(&mut self, value: impl Bind) -> &mut Self {
        self.separate();
        self.query.push_bind(value);
        self
    }

    /// Adds a value that is one already after the separator.
    pub fn push_arg(&mut self, value: Arg) -> &mut Self {
        self.separate();
        self.query.args.push(value);
        self.query.text.push('?');
        self
    }

    /// Adds a value that is one already right here.
    pub fn push_arg_unseparated(&mut self, value: Arg) -> &mut Self {
        self.query.args.push(value);
        self.query.text.push('?');
        self
    }

    /// Adds `text` after the separator.
    pub fn push(&mut self, text: impl Display) -> &mut Self {
        self.separate();
        self.query.push(text);
        self
    }

    /// Adds `text` right here.
    pub fn push_unseparated(&mut self, text: impl Display) -> &mut Self {
        self.query.push(text);
        self
    }

    fn separate(&mut self) {
        if !std::mem::take(&mut self.is_first) {
            self.query.push(self.separator);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What SQLite calls by a name, even by a number, it looks for among all names, once for each.
    #[test]
    fn nothing_in_a_long_list_has_a_name_to_be_looked_for() {
        let mut query = QueryBuilder::new("INSERT INTO t (a, b) ");
        query.push_values(["x", "y"], |mut row, text| {
            row.push_bind(text).push_arg(Arg::Int(Some(1)));
        });
        let query = query.push(" ON CONFLICT DO NOTHING").build();
        assert_eq!(query.text.as_str(), "INSERT INTO t (a, b) VALUES (?, ?), (?, ?) ON CONFLICT DO NOTHING");
        assert_eq!(query.args.len(), 4);
    }
}
