//! What is asked of SuperOps and what it answers, in our words.

use std::fmt;

use chrono::{DateTime, Utc};

use crate::ticket::{RefId, Ticket};

/// Which tickets to ask for, and in which order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TicketAsk {
    /// From 1.
    pub page: u32,
    pub order: Order,
    /// Status names; empty: tickets of every status.
    pub leave_out_statuses: Vec<String>,
}

/// The order of a list of tickets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// What changed last comes first. Not every tenant can do it.
    UpdatedDesc,
    /// As SuperOps likes; not by age.
    Unsorted,
}

/// One page of tickets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TicketPage {
    pub tickets: Vec<Ticket>,
    pub rejects: Vec<Reject>,
    pub has_more: bool,
    /// All tickets that fit, on all pages.
    pub total: Option<u64>,
}

/// One page of anything else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// Records left out, and single fields left blank (then the record is among the items).
    pub rejects: Vec<Reject>,
    pub has_more: bool,
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
