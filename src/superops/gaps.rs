//! Tells which nulls in an answer are not values: an error explains them, or we did not ask for the field. For these,
//! the last known value stands.

use std::collections::BTreeSet;

use super::json::Value;

/// One step of the path to a place in an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Field(String),
    Row(usize),
}

impl Step {
    pub fn read(value: &Value) -> Option<Self> {
        match value {
            Value::String(name) => Some(Self::Field(name.to_string())),
            Value::Number(index) => Some(Self::Row(usize::try_from(index.as_u64()?).ok()?)),
            _ => None,
        }
    }
}

/// What an answer failed to tell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Gaps {
    /// Where errors point: paths below the operation.
    places: Vec<Vec<Step>>,
    /// An error gave no path, so it may explain any null.
    anywhere: bool,
    /// Fields left out of the query because a record broke the answer with them.
    broken: BTreeSet<String>,
    /// Fields left out of the query because this SuperOps does not know them.
    unknown: BTreeSet<String>,
}

impl FromIterator<Option<Vec<Step>>> for Gaps {
    fn from_iter<I: IntoIterator<Item = Option<Vec<Step>>>>(places: I) -> Self {
        let mut gaps = Self::default();
        for place in places {
            match place {
                Some(place) => gaps.places.push(place),
                None => gaps.anywhere = true,
            }
        }
        gaps
    }
}

impl Gaps {
    /// Also counts `fields` as left out because a record broke them.
    pub fn broken(mut self, fields: impl IntoIterator<Item = String>) -> Self {
        self.broken.extend(fields);
        self
    }

    /// Also counts `fields` as left out because SuperOps does not know them.
    pub fn unknown(mut self, fields: impl IntoIterator<Item = String>) -> Self {
        self.unknown.extend(fields);
        self
    }

    /// Whether no error came with the answer.
    pub fn is_none(&self) -> bool {
        self.places.is_empty() && !self.anywhere
    }

    /// Whether an error may stand in place of all rows of `list`.
    pub fn hides(&self, list: &str) -> bool {
        let above = |place: &Vec<Step>| match place.as_slice() {
            [] => true,
            [Step::Field(name)] => name == list,
            _ => false,
        };
        self.anywhere || self.places.iter().any(above)
    }

    /// Whether an error points below the operation itself.
    pub fn points_inside(&self) -> bool {
        self.places.iter().any(|place| !place.is_empty())
    }

    /// Returns the paths of the fields that errors point at, without row numbers: `tickets/subject`.
    pub fn fields(&self) -> BTreeSet<String> {
        self.places.iter().filter_map(|place| field(place)).collect()
    }

    /// Returns the fields whose errors took a whole row of `list` with them, so that it is null in `data`.
    pub fn fields_of_lost_rows(&self, data: &Value, list: &str) -> BTreeSet<String> {
        let lost = |place: &&Vec<Step>| match place.as_slice() {
            [Step::Field(name), Step::Row(row), _, ..] if name == list => {
                data.get(list).and_then(|rows| rows.as_array()?.get(*row)).is_some_and(Value::is_null)
            }
            _ => false,
        };
        self.places.iter().filter(lost).filter_map(|place| field(place)).collect()
    }

    /// Returns the gaps of one row, given as `(list, index)`; with `None`, those of a single record.
    pub fn of_row(&self, row: Option<(&str, usize)>) -> RowGaps<'_> {
        let mut gaps = RowGaps { whole: self.anywhere, fields: BTreeSet::new(), gaps: self };
        for place in &self.places {
            let below = match row {
                None => Some(place.as_slice()),
                Some((list, index)) => below(place, list, index),
            };
            match below {
                Some([]) => gaps.whole = true,
                Some([Step::Field(name), ..]) => drop(gaps.fields.insert(name.as_str())),
                _ => {}
            }
        }
        gaps
    }
}

/// Returns the rest of the path below that row. A path that ends above the row applies to all rows.
fn below<'a>(place: &'a [Step], list: &str, index: usize) -> Option<&'a [Step]> {
    match place {
        [] => Some(&[]),
        [Step::Field(name)] if name == list => Some(&[]),
        [Step::Field(name), Step::Row(row), rest @ ..] if name == list && *row == index => Some(rest),
        _ => None,
    }
}

/// Returns the path without row numbers. `None` if it ends at a row: then there is no field to leave out.
fn field(place: &[Step]) -> Option<String> {
    let Some(Step::Field(_)) = place.last() else { return None };
    let names = place.iter().filter_map(|step| match step {
        Step::Field(name) => Some(name.as_str()),
        Step::Row(_) => None,
    });
    Some(names.collect::<Vec<_>>().join("/"))
}

/// What is not known of one record.
#[derive(Clone, Debug)]
pub(super) struct RowGaps<'a> {
    /// An error may explain any of its nulls.
    whole: bool,
    fields: BTreeSet<&'a str>,
    gaps: &'a Gaps,
}

impl RowGaps<'_> {
    /// Whether `field`, null or absent, is unknown because SuperOps failed to give it.
    pub fn failed(&self, field: &str) -> bool {
        let asked = !self.gaps.unknown.contains(field);
        asked && (self.whole || self.fields.contains(field) || self.gaps.broken.contains(field))
    }

    /// Whether an error points at `field`, or at something within it.
    pub fn names(&self, field: &str) -> bool {
        self.fields.contains(field)
    }

    /// Whether `field` was not asked for because this SuperOps does not know it.
    pub fn unasked(&self, field: &str) -> bool {
        self.gaps.unknown.contains(field)
    }
}
