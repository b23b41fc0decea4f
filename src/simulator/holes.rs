//! Answers that are correct except for some tickets: a value or a row is null, and an error's path says which.

use std::collections::BTreeSet;

use apollo_compiler::response::JsonValue;
use apollo_compiler::response::serde_json_bytes::json;

/// Some of the tickets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Which {
    #[default]
    None,
    All,
    /// Those whose id is a multiple of this; 0 means none.
    OneIn(u64),
    Ids(BTreeSet<u64>),
}

impl Which {
    /// Selects the tickets with these ids; anything that is not a number is ignored.
    pub fn ids<'a>(ids: impl IntoIterator<Item = &'a str>) -> Self {
        Self::Ids(ids.into_iter().filter_map(|id| id.parse().ok()).collect())
    }

    /// Whether the ticket is one of them.
    pub fn holds(&self, id: u64) -> bool {
        match self {
            Self::None => false,
            Self::All => true,
            Self::OneIn(number) => *number > 0 && id.is_multiple_of(*number),
            Self::Ids(ids) => ids.contains(&id),
        }
    }
}

/// What is null, and what becomes null with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hole {
    /// This field; the error names it.
    Field(String),
    /// The whole ticket; the error names its row.
    Row,
    /// This field, which may not be null, so its row becomes null; the error names the field.
    BrokenRow(String),
    /// The same, but the whole list becomes null with it, or the single ticket.
    BrokenPage(String),
}

impl Hole {
    /// Returns the field that could not be read. A query that does not ask for it does not hit the hole.
    pub fn field(&self) -> Option<&str> {
        match self {
            Self::Row => None,
            Self::Field(field) | Self::BrokenRow(field) | Self::BrokenPage(field) => Some(field),
        }
    }

    fn message(&self, place: &str) -> String {
        match self {
            Self::Field(_) | Self::Row => super::graphql::INTERNAL.to_owned(),
            Self::BrokenRow(field) | Self::BrokenPage(field) => {
                format!("Cannot return null for non-nullable type: 'String' within parent 'Ticket' (/{place}/{field})")
            }
        }
    }
}

/// A hole in some tickets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holes {
    pub which: Which,
    pub hole: Hole,
}

/// Puts the holes into a correct answer to `root`.
pub(super) fn pierce(all: &[Holes], root: &str, body: &mut JsonValue) {
    let mut errors = Vec::new();
    for holes in all {
        let Some(data) = body.get_mut("data") else { return };
        let place = data.get_mut(root).filter(|place| !place.is_null());
        let Some(place) = place.filter(|_| matches!(root, "getTicket" | "getTicketList")) else { break };
        let broken = match place.get_mut("tickets") {
            Some(JsonValue::Array(rows)) => pierce_rows(holes, root, rows, &mut errors),
            Some(_) => false,
            None => pierce_single(holes, root, place, &mut errors),
        };
        if broken {
            *place = JsonValue::Null;
        }
    }
    if let (false, Some(body)) = (errors.is_empty(), body.as_object_mut()) {
        body.insert("errors", errors.into());
    }
}

/// Puts holes into rows. Returns whether the whole list is null now.
fn pierce_rows(holes: &Holes, root: &str, rows: &mut [JsonValue], errors: &mut Vec<JsonValue>) -> bool {
    for (index, row) in rows.iter_mut().enumerate().filter(|(_, row)| is_meant(holes, row)) {
        let place = format!("{root}/tickets[{index}]");
        let path = holes
            .hole
            .field()
            .map_or_else(|| json!([root, "tickets", index]), |field| json!([root, "tickets", index, field]));
        errors.push(error(&holes.hole, &place, path));
        match &holes.hole {
            Hole::Field(field) => row[field.as_str()] = JsonValue::Null,
            Hole::Row | Hole::BrokenRow(_) => *row = JsonValue::Null,
            Hole::BrokenPage(_) => return true,
        }
    }
    false
}

/// Puts a hole into a single ticket. Returns whether the ticket is null now.
fn pierce_single(holes: &Holes, root: &str, ticket: &mut JsonValue, errors: &mut Vec<JsonValue>) -> bool {
    if !is_meant(holes, ticket) {
        return false;
    }
    let path = holes.hole.field().map_or_else(|| json!([root]), |field| json!([root, field]));
    errors.push(error(&holes.hole, root, path));
    let Hole::Field(field) = &holes.hole else { return true };
    ticket[field.as_str()] = JsonValue::Null;
    false
}

/// Whether a row gets the hole. A ticket is recognised by its id, so one that was queried without it has no holes.
fn is_meant(holes: &Holes, row: &JsonValue) -> bool {
    let id = row.get("ticketId").and_then(JsonValue::as_str).and_then(|id| id.parse().ok());
    let asked_for = holes.hole.field().is_none_or(|field| row.get(field).is_some());
    asked_for && id.is_some_and(|id| holes.which.holds(id))
}

fn error(hole: &Hole, place: &str, path: JsonValue) -> JsonValue {
    json!({"message": hole.message(place), "path": path, "extensions": {"classification": "DataFetchingException"}})
}
