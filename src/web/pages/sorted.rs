//! Report tables that sort by a click on a column head: reads the requested order and sorts the rows.

use std::cmp::Ordering;

use axum::extract::Query;
use axum::http::{StatusCode, Uri};
use maud::Markup;
use url::form_urlencoded;

use super::heads::head;
use crate::report::{Cell, Column, Row};
use crate::service::reports::ReportQuery;
use crate::web::Problem;

/// The requested order, and the page to show in it.
pub struct Order {
    /// The key of a column, after a minus for descending order; empty for the report's own order.
    word: String,
    /// The rest of the page's query.
    others: String,
}

/// Splits `query` into the report query and the order of its rows.
pub fn sorted(query: &str) -> Result<(ReportQuery, Option<Order>), Problem> {
    let (word, rest): (Vec<_>, Vec<_>) = form_urlencoded::parse(query.as_bytes()).partition(|(name, _)| name == "sort");
    let others = form_urlencoded::Serializer::new(String::new()).extend_pairs(rest).finish();
    let unclear = |why: String| Problem::new(StatusCode::BAD_REQUEST, why);
    let uri = format!("/?{others}").parse::<Uri>().map_err(|error| unclear(error.to_string()))?;
    let Query(asked) = Query::try_from_uri(&uri).map_err(|error| unclear(error.body_text()))?;
    let word = word.into_iter().next().map(|(_, word)| word.into_owned()).unwrap_or_default();
    Ok((asked, Some(Order { word, others })))
}

impl Order {
    /// Renders the head of `column` at `place`. A first click sorts names ascending and figures descending.
    pub fn head(&self, column: &Column, place: usize) -> Markup {
        let first = if place == 0 { column.key.clone() } else { format!("-{}", column.key) };
        let way = |word: &str| {
            let before = if self.others.is_empty() { String::new() } else { format!("{}&", self.others) };
            format!("?{before}sort={word}")
        };
        head(&column.title, Some(&first), &self.word, way)
    }

    /// Returns `rows` in this order; rows without the figure come last.
    pub fn of<'a>(&self, rows: &'a [Row], columns: &[Column]) -> Vec<&'a Row> {
        let mut sorted: Vec<&Row> = rows.iter().collect();
        let key = self.word.trim_start_matches('-');
        let Some(place) = columns.iter().position(|column| column.key == key) else { return sorted };
        let falls = self.word.starts_with('-');
        sorted.sort_by(|a, b| by(a.cells.get(place), b.cells.get(place), falls));
        sorted
    }
}

fn by(a: Option<&Cell>, b: Option<&Cell>, falls: bool) -> Ordering {
    let is_blank = |cell: Option<&Cell>| matches!(cell, None | Some(Cell::Blank));
    let order = match (a, b) {
        (Some(Cell::Text(a)), Some(Cell::Text(b))) => a.to_lowercase().cmp(&b.to_lowercase()),
        (Some(Cell::Date(a)), Some(Cell::Date(b))) => a.cmp(b),
        (Some(a), Some(b)) => number(a).total_cmp(&number(b)),
        _ => Ordering::Equal,
    };
    is_blank(a).cmp(&is_blank(b)).then(if falls { order.reverse() } else { order })
}

fn number(cell: &Cell) -> f64 {
    match cell {
        Cell::Count(count) => *count as f64,
        Cell::Percent(tenths) => f64::from(*tenths),
        Cell::Duration(millis) => *millis as f64,
        Cell::Time(at) => at.timestamp_millis() as f64,
        Cell::Number(number) => *number,
        Cell::Blank | Cell::Text(_) | Cell::Date(_) => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::ColumnKind;

    #[test]
    fn rows_stand_as_is_asked_for_and_what_is_not_known_comes_last() {
        let column = |key: &str| Column { key: key.to_owned(), title: key.to_owned(), kind: ColumnKind::Text };
        let columns = [column("technician"), column("kept")];
        let row = |name: &str, kept| Row { cells: vec![Cell::Text(name.to_owned()), kept], opens: None };
        let rows = [row("ben", Cell::Percent(900)), row("Cyd", Cell::Blank), row("Ada", Cell::Percent(950))];
        let shown = |query: &str| {
            let rows = sorted(query).unwrap().1.unwrap().of(&rows, &columns).into_iter();
            rows.map(|row| format!("{:?}", row.cells[0])).collect::<String>()
        };
        let order = |words: [&str; 3]| words.map(|word| format!("Text(\"{word}\")")).concat();
        assert_eq!(shown("by=technician"), order(["ben", "Cyd", "Ada"]));
        assert_eq!(shown("sort=technician"), order(["Ada", "ben", "Cyd"]));
        assert_eq!(shown("sort=-kept"), order(["Ada", "ben", "Cyd"]));
        assert_eq!(shown("tenant=acme&sort=kept"), order(["ben", "Ada", "Cyd"]));
        let head = sorted("tenant=acme&sort=-kept").unwrap().1.unwrap().head(&columns[1], 1).into_string();
        assert!(head.contains("?tenant=acme&amp;sort=kept") && head.contains("descending"), "{head}");
        assert!(sorted("nobody=knows").is_err());
    }
}
