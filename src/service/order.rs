//! The order of a list of tickets, and where its next page begins: after the place of the last ticket shown, so that
//! what comes or goes meanwhile repeats none and skips none. Tickets stand as of the first page: time alone moves none.

use std::cmp::Ordering;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::described::ORDERS;
use super::paging::AsOf;
use super::snapshot::{Row, Snapshot};
use super::{Complaint, ServiceError};
use crate::ticket::{Named, TenantId};

/// What tickets are sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SortBy {
    /// By how they stand, then by the least time left.
    #[default]
    Worst,
    Created,
    Updated,
    Client,
    Technician,
    Priority,
    Number,
}

/// An order; `-` before its name reverses it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    by: SortBy,
    turned: bool,
}

impl Order {
    /// Reads the order that `text` names; blank: the worst first.
    pub fn parse(text: Option<&str>) -> Result<Self, ServiceError> {
        let text = text.map(str::trim).unwrap_or_default();
        let (turned, name) = text.strip_prefix('-').map_or((false, text), |name| (true, name));
        let by = match name {
            "" | "worst" => SortBy::Worst,
            "created" => SortBy::Created,
            "updated" => SortBy::Updated,
            "client" => SortBy::Client,
            "technician" => SortBy::Technician,
            "priority" => SortBy::Priority,
            "number" => SortBy::Number,
            _ => {
                let names = ORDERS.join(", ");
                return Err(ServiceError::BadQuestion(Complaint::of(
                    "sort",
                    format!("is `{text}`, and must be one of {names}"),
                )));
            }
        };
        Ok(Self { by, turned })
    }

    /// Whether one tenant's rows are in this order already.
    pub fn is_usual(self) -> bool {
        self == Self::default()
    }

    /// Tickets without what is asked for are last, also in the reversed order.
    pub fn compare(self, a: &Key, b: &Key) -> Ordering {
        if self.turned { a.none.cmp(&b.none).then_with(|| b.cmp(a)) } else { a.cmp(b) }
    }

    /// The place of `row` of `snapshot`, of `tenant`, as of `as_of`.
    pub fn key(self, tenant: &TenantId, snapshot: &Snapshot, row: &Row, as_of: DateTime<Utc>) -> Key {
        let ticket = &row.watched.ticket;
        let words = |name: Option<&String>| (name.is_none(), 0, 0, name.map(|name| name.to_lowercase()));
        let name = |named: Option<&Named>| words(named.map(|named| &named.name));
        let time = |at: Option<DateTime<Utc>>| (at.is_none(), at.map_or(0, |at| at.timestamp_millis()), 0, None);
        let (none, first, second, text) = match self.by {
            SortBy::Worst => {
                let (standing, left) = snapshot.stands_at(row, as_of);
                (false, standing as i64, left.num_milliseconds(), None)
            }
            SortBy::Created => time(ticket.created_at),
            SortBy::Updated => time(ticket.updated_at),
            SortBy::Client => name(ticket.client.as_ref()),
            SortBy::Technician => name(ticket.technician.as_ref()),
            SortBy::Priority => words(ticket.priority.as_ref()),
            SortBy::Number => (false, 0, 0, Some(ticket.display_id.clone())),
        };
        // Among equals, the one opened later comes first.
        let tie = ticket.created_at.map_or(i64::MAX, |at| -at.timestamp_millis());
        Key { none, first, second, text, tie, id: ticket.id.to_string(), tenant: tenant.to_string() }
    }
}

/// The place of a ticket in an order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Key {
    /// Whether it has no such name or time.
    none: bool,
    first: i64,
    second: i64,
    text: Option<String>,
    tie: i64,
    id: String,
    tenant: String,
}

/// The contents of a cursor: the order, and the last ticket shown.
#[derive(Serialize, Deserialize)]
struct Written {
    order: Order,
    as_of: AsOf,
    after: Key,
}

/// The cursor of the page after `after`, which had that place at `as_of`.
pub fn cursor(order: Order, as_of: AsOf, after: Key) -> String {
    let text = serde_json::to_vec(&Written { order, as_of, after }).unwrap_or_default();
    URL_SAFE_NO_PAD.encode(text)
}

/// Reads the ticket after which a page begins, and the moment of the first page; none: it is the first.
pub fn begins_after(order: Order, cursor: Option<&str>) -> Result<Option<(AsOf, Key)>, ServiceError> {
    let Some(text) = cursor else { return Ok(None) };
    let bad = || ServiceError::BadQuestion(Complaint::of("cursor", format!("`{text}` is not a cursor of this list")));
    let written = URL_SAFE_NO_PAD.decode(text).ok().and_then(|text| serde_json::from_slice::<Written>(&text).ok());
    let written = written.ok_or_else(bad)?;
    if written.order != order {
        return Err(ServiceError::BadQuestion(Complaint::of("cursor", "was made for a different `sort`")));
    }
    Ok(Some((written.as_of, written.after)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_order_that_is_described_is_understood() {
        for name in ORDERS {
            assert_eq!(Order::parse(Some(name)).unwrap().turned, name.starts_with('-'), "{name}");
        }
        assert!(Order::parse(Some(" ")).unwrap().is_usual());
        assert!(Order::parse(Some("sideways")).unwrap_err().to_string().starts_with("`sort` is `sideways`"));
    }

    #[test]
    fn tickets_without_the_name_are_last_in_both_directions() {
        let key = |text: Option<&str>| {
            let (none, text) = (text.is_none(), text.map(str::to_owned));
            Key { none, first: 0, second: 0, text, tie: 0, id: String::new(), tenant: String::new() }
        };
        for (sort, expected) in [("client", [Some("a"), Some("b"), None]), ("-client", [Some("b"), Some("a"), None])] {
            let order = Order::parse(Some(sort)).unwrap();
            let mut keys = [key(None), key(Some("b")), key(Some("a"))];
            keys.sort_by(|a, b| order.compare(a, b));
            assert_eq!(keys.each_ref().map(|key| key.text.as_deref()), expected, "{sort}");
        }
    }

    #[test]
    fn a_cursor_is_of_its_order_and_of_nobody_elses_making() {
        let key = Key { first: 1, second: -5, none: true, text: None, tie: 0, id: "7".into(), tenant: "acme".into() };
        let order = Order::parse(Some("-client")).unwrap();
        let as_of = AsOf::new(DateTime::UNIX_EPOCH);
        let text = cursor(order, as_of, key.clone());
        assert_eq!(begins_after(order, Some(&text)).unwrap(), Some((as_of, key)));
        assert!(begins_after(Order::default(), Some(&text)).is_err());
        for wrong in ["7", "", "AAAA", "%"] {
            assert!(begins_after(order, Some(wrong)).is_err(), "{wrong}");
        }
    }
}
