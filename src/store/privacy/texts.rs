//! Reads and rewrites the texts of one place, a few rows at a time.

use super::places::{Key, Place};
use super::words::{Replacement, Whose};
use crate::store::sealed::{Column, Sealed};
use crate::store::sql::{self, Connection, On, Query, Row, Stored};
use crate::ticket::TenantId;

/// A row's key, with its texts in the order of their columns.
pub(super) type TextRow = (Key, Vec<Words>);

/// The contents of a column.
pub(super) struct Words {
    pub text: Option<String>,
    /// The column and the row that it is sealed for; none if it is plain.
    sealed: Option<(&'static Column, String)>,
    /// Whether it was reworded.
    is_new: bool,
}

impl Words {
    fn read(row: &Row, at: usize) -> Result<Self, sql::Error> {
        Ok(Self { text: row.try_get(at)?, sealed: row.sealed_for(at)?, is_new: false })
    }

    /// Returns the text to be written sealed as it was before.
    fn sealed(&self) -> Option<Sealed> {
        let ((column, row), text) = self.sealed.as_ref().zip(self.text.as_ref())?;
        Some(column.seal_for(row.clone(), text.clone()))
    }
}

/// Reads the next rows of `place`, and where they end; none when there are no more.
pub(super) async fn next_rows(
    on: impl Into<On<'_>>,
    place: &Place,
    tenant: &TenantId,
    after: &Key,
) -> Result<Option<(Vec<TextRow>, Key)>, sql::Error> {
    let mut found = Vec::new();
    for row in of_row(place.page, place, tenant, after).fetch_all(on).await? {
        let key = match after {
            Key::Number(_) => Key::Number(row.try_get(0)?),
            // A key may be sealed itself.
            Key::Text(_) => Key::Text(row.stored(0)?),
        };
        let texts: Result<Vec<Words>, _> = (1..=place.columns.len()).map(|at| Words::read(&row, at)).collect();
        found.push((key, texts?));
    }
    let last = found.last().map(|(key, _)| key.clone());
    Ok(last.map(|last| (found, last)))
}

/// Returns those of `rows` that contain what `instead` replaces, with it replaced.
pub(super) fn reworded(place: &Place, rows: Vec<TextRow>, instead: &Replacement) -> Vec<TextRow> {
    let mut changed = Vec::new();
    for (key, texts) in rows {
        let whose = whose(place, &key, instead);
        let other: Vec<Option<String>> = texts.iter().map(|was| instead.of(was.text.as_deref()?, whose)).collect();
        if other.iter().any(Option::is_some) {
            let reworded = |(was, other): (Words, Option<String>)| match other {
                Some(text) => Words { text: Some(text), is_new: true, ..was },
                None => was,
            };
            changed.push((key, texts.into_iter().zip(other).map(reworded).collect()));
        }
    }
    changed
}

/// Counts the texts that were reworded.
pub(super) fn count_new(rows: &[TextRow]) -> u64 {
    rows.iter().flat_map(|(_, texts)| texts).map(|words| u64::from(words.is_new)).sum()
}

/// Returns whom a row is about, as far as its key says.
pub(super) fn whose(place: &Place, key: &Key, instead: &Replacement) -> Whose {
    match key {
        Key::Text(id) if place.is_of_people() => instead.row_of(id),
        Key::Text(_) | Key::Number(_) => Whose::Unclear,
    }
}

/// Writes the changed `rows`.
pub(super) async fn write(
    tx: &mut Connection,
    place: &Place,
    tenant: &TenantId,
    rows: &[TextRow],
) -> Result<(), sql::Error> {
    for (key, texts) in rows {
        let query = of_row(place.change, place, tenant, key);
        let bound = texts.iter().fold(query, |query, words| match words.sealed() {
            Some(sealed) => query.bind(sealed),
            None => query.bind(&words.text),
        });
        bound.execute(&mut *tx).await?;
    }
    Ok(())
}

/// Binds a statement to the row `key`, or to the rows after it.
fn of_row(statement: &'static str, place: &Place, tenant: &TenantId, key: &Key) -> Query {
    let query = sql::query(statement);
    let query = match key {
        Key::Number(number) => query.bind(*number),
        Key::Text(text) => query.bind(Stored(text.clone())),
    };
    if place.of_tenant() { query.bind(tenant.as_str()) } else { query }
}
