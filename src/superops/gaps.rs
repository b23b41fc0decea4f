//! Which nulls of an answer are no values: an error explains them, or we did
//! not ask for the field. Of these the last known value stands.

use std::collections::BTreeSet;

use super::json::Value;

/// One step of the way to a place in an answer.
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

/// What an answer could not tell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Gaps {
    /// Where errors point, below the operation.
    places: Vec<Vec<Step>>,
    /// An error did not say where: it may explain any null.
    anywhere: bool,
    /// Fields that were not asked for, since a record broke the answer with them.
    broken: BTreeSet<String>,
    /// Fields that were not asked for, since this SuperOps does not know them.
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
    /// The same, without `fields` that a record broke.
    pub fn broken(mut self, fields: impl IntoIterator<Item = String>) -> Self {
        self.broken.extend(fields);
        self
    }

    /// The same, without `fields` that are not known.
    pub fn unknown(mut self, fields: impl IntoIterator<Item = String>) -> Self {
        self.unknown.extend(fields);
        self
    }

    /// Whether all that was asked for is as SuperOps has it.
    pub fn is_none(&self) -> bool {
        self.places.is_empty() && !self.anywhere
    }

    /// Whether an error may stand in the place of all rows of `list`.
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

    /// The ways to the fields that errors point at, without the rows: `tickets/subject`.
    pub fn fields(&self) -> BTreeSet<String> {
        self.places.iter().filter_map(|place| field(place)).collect()
    }

    /// The fields that took a whole row of `list` with them, which is null in `data`.
    pub fn fields_of_lost_rows(&self, data: &Value, list: &str) -> BTreeSet<String> {
        let lost = |place: &&Vec<Step>| match place.as_slice() {
            [Step::Field(name), Step::Row(row), _, ..] if name == list => {
                data.get(list).and_then(|rows| rows.as_array()?.get(*row)).is_some_and(Value::is_null)
            }
            _ => false,
        };
        self.places.iter().filter(lost).filter_map(|place| field(place)).collect()
    }

    /// What is not known of row `index` of `list`; of a single record with none.
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

/// The rest of the way once it has come to that row; a way that ends before it is about all rows.
fn below<'a>(place: &'a [Step], list: &str, index: usize) -> Option<&'a [Step]> {
    match place {
        [] => Some(&[]),
        [Step::Field(name)] if name == list => Some(&[]),
        [Step::Field(name), Step::Row(row), rest @ ..] if name == list && *row == index => Some(rest),
        _ => None,
    }
}

/// None if it ends at a row: there is no field to do without.
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
    /// An error may explain each of its nulls.
    whole: bool,
    fields: BTreeSet<&'a str>,
    gaps: &'a Gaps,
}

impl RowGaps<'_> {
    /// Whether nothing is known of `field`, which is null or absent, because SuperOps failed to give it.
    pub fn failed(&self, field: &str) -> bool {
        let asked = !self.gaps.unknown.contains(field);
        asked && (self.whole || self.fields.contains(field) || self.gaps.broken.contains(field))
    }

    /// Whether `field` was not asked for, since this SuperOps does not know it.
    pub fn unasked(&self, field: &str) -> bool {
        self.gaps.unknown.contains(field)
    }
}
