//! Statements with a variable number of parts.

use std::fmt::{Display, Write as _};
use std::marker::PhantomData;

use super::{Arg, AssertSqlSafe, Bind, Query, QueryAs, QueryScalar, query};

/// A statement put together piece by piece. Each bound value is written as a plain `?`: SQLite looks up each numbered
/// one among all the others, and for the thousands in a long list that takes longer than the statement itself.
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

    /// Adds a bound value; it may come from anywhere.
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

    /// Returns a list to add to, whose pieces are separated by `separator`.
    pub fn separated(&mut self, separator: &'static str) -> Separated<'_> {
        Separated { query: self, separator, is_first: true }
    }

    /// Returns the finished statement.
    pub fn build(&mut self) -> Query {
        let (text, args) = (std::mem::take(&mut self.text), std::mem::take(&mut self.args));
        debug_assert_eq!(text.matches('?').count(), args.len(), "all that is bound is pushed: {text}");
        Query { args, by_place: true, ..query(AssertSqlSafe(text)) }
    }

    /// Returns the finished statement, with its rows read as `T`.
    pub fn build_query_as<T>(&mut self) -> QueryAs<T> {
        QueryAs(self.build(), PhantomData)
    }

    /// Returns the finished statement, with the first column of its rows read as `T`.
    pub fn build_query_scalar<T>(&mut self) -> QueryScalar<T> {
        QueryScalar(self.build(), PhantomData)
    }
}

/// A list of pieces with a separator between them.
#[derive(Debug)]
pub struct Separated<'q> {
    query: &'q mut QueryBuilder,
    separator: &'static str,
    is_first: bool,
}

impl Separated<'_> {
    /// Adds a bound value after the separator.
    pub fn push_bind(&mut self, value: impl Bind) -> &mut Self {
        self.separate();
        self.query.push_bind(value);
        self
    }

    /// Adds a value that is already an [`Arg`] after the separator.
    pub fn push_arg(&mut self, value: Arg) -> &mut Self {
        self.separate();
        self.query.args.push(value);
        self.query.text.push('?');
        self
    }

    /// Adds a value that is already an [`Arg`], without a separator.
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

    /// Adds `text` without a separator.
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

    /// SQLite looks up each named value, even a numbered one, among all names.
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
