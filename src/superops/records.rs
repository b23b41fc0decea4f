//! What is asked of SuperOps and what it answers, in our words.

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};

use super::operations::PAGE_SIZE;
use crate::ticket::{RefId, Ticket, TicketId};

/// Which tickets to ask for, and in which order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TicketAsk {
    /// From 1.
    pub page: u32,
    pub order: Order,
    /// Status names; empty: tickets of every status.
    pub leave_out_statuses: Vec<String>,
    /// Only tickets last updated before; then no status is left out. Few tenants can do it.
    pub older_than: Option<DateTime<Utc>>,
}

impl TicketAsk {
    /// A page of all tickets.
    pub fn all(page: u32, order: Order) -> Self {
        Self { page, order, ..Self::default() }
    }

    /// Whether it has neither a sort nor a filter.
    pub(super) fn is_plain(&self) -> bool {
        self.order == Order::Unsorted && self.leave_out_statuses.is_empty() && self.older_than.is_none()
    }
}

/// The order of a list of tickets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// What changed last comes first. Not every tenant can do it.
    UpdatedDesc,
    /// As SuperOps likes; not by age.
    #[default]
    Unsorted,
}

/// Updates at nearly the same moment need not be listed in their order.
const DISORDER: TimeDelta = TimeDelta::minutes(10);

/// Whether these times of update come newest first, but for pairs that lie closer together than ten minutes.
pub fn is_newest_first(times: impl IntoIterator<Item = DateTime<Utc>>) -> bool {
    let mut oldest: Option<DateTime<Utc>> = None;
    times.into_iter().all(|at| {
        let fits = oldest.is_none_or(|oldest| at - oldest < DISORDER);
        oldest = Some(oldest.map_or(at, |oldest| oldest.min(at)));
        fits
    })
}

/// One page of tickets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TicketPage {
    pub tickets: Vec<Ticket>,
    pub rejects: Vec<Reject>,
    pub has_more: bool,
    /// All tickets that fit, on all pages.
    pub total: Option<u64>,
    /// What SuperOps failed to tell of some of them.
    pub gaps: BTreeMap<TicketId, Gap>,
}

impl TicketPage {
    /// Whether there are tickets after this page, the one of that number.
    pub fn goes_on_after(&self, page: u32) -> bool {
        goes_on(page, self.tickets.len() + self.rejects.len(), self.has_more, self.total)
    }

    /// Whether SuperOps' count of the tickets says otherwise than its word on whether there are more.
    pub fn disagrees_after(&self, page: u32) -> bool {
        self.total.is_some_and(|total| is_counted(page, total) != self.has_more)
    }
}

impl<T> Page<T> {
    /// Whether there are records after this page, the one of that number.
    pub fn goes_on_after(&self, page: u32) -> bool {
        goes_on(page, self.items.len() + self.rejects.len(), self.has_more, self.total)
    }
}

/// Either word is believed that there are more. An empty page is the last, whatever it says: else a reading might
/// never end.
fn goes_on(page: u32, rows: usize, has_more: bool, total: Option<u64>) -> bool {
    rows > 0 && (has_more || total.is_some_and(|total| is_counted(page, total)))
}

/// Whether so many records reach beyond that page.
fn is_counted(page: u32, total: u64) -> bool {
    u64::from(page) * u64::from(PAGE_SIZE) < total
}

/// Fields of a ticket that are blank because nobody knows them, by SuperOps' names for them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gap {
    pub fields: Vec<&'static str>,
    /// Whether another question may bring them: SuperOps failed, and does not lack the field.
    pub may_be_asked: bool,
}

/// One page of anything else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// Records left out, and single fields left blank (then the record is among the items).
    pub rejects: Vec<Reject>,
    pub has_more: bool,
    /// All records, on all pages.
    pub total: Option<u64>,
}

/// A record, or a field of it, that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reject {
    pub id: Option<String>,
    pub field: String,
    pub why: String,
}

impl Reject {
    pub(super) fn new(id: Option<String>, field: &str, why: impl Into<String>) -> Self {
        Self { id, field: field.to_owned(), why: why.into() }
    }
}

/// Somebody wrote on a ticket. What was written is not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conversation {
    pub kind: ConversationKind,
    pub at: DateTime<Utc>,
    pub author: Option<RefId>,
}

/// What a conversation entry is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConversationKind {
    /// The body of the ticket; of a phone ticket the technician writes it.
    Description,
    RequesterReply,
    /// A mail to the requester that nobody wrote by hand.
    RequesterNotice,
    /// A technician's answer: the first one ends the first-response clock.
    TechnicianReply,
    TechnicianNotice,
    /// A kind that SuperOps added later.
    Other(String),
}

/// A note on a ticket.
#[derive(Clone, PartialEq, Eq)]
pub struct Note {
    pub id: RefId,
    pub added_at: Option<DateTime<Utc>>,
    /// HTML, and anybody's words.
    pub content: String,
}

impl fmt::Debug for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Note").field("id", &self.id).field("added_at", &self.added_at).finish_non_exhaustive()
    }
}

/// One field of a ticket to be changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TicketEdit {
    /// Gives it to this technician.
    Technician(RefId),
    /// Sets this priority, by name.
    Priority(String),
}

impl TicketEdit {
    /// What `ticket` has in that field: a technician's id, or a priority's name.
    pub fn present<'a>(&self, ticket: &'a Ticket) -> Option<&'a str> {
        match self {
            Self::Technician(_) => ticket.technician.as_ref().map(|person| person.id.as_str()),
            Self::Priority(_) => ticket.priority.as_deref(),
        }
    }

    /// Whether `ticket` is as the edit would make it.
    pub fn is_made(&self, ticket: &Ticket) -> bool {
        let wanted = match self {
            Self::Technician(person) => person.as_str(),
            Self::Priority(name) => name,
        };
        self.present(ticket).is_some_and(|present| present.eq_ignore_ascii_case(wanted))
    }
}
