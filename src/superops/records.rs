//! What we ask of SuperOps and what it answers, in our own types.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::hash::{BuildHasher, Hash, RandomState};

use chrono::{DateTime, TimeDelta, Utc};

use super::operations::PAGE_SIZE;
use crate::ticket::{RefId, Ticket, TicketId};

/// Which tickets to ask for, and in which order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TicketAsk {
    /// Counted from 1.
    pub page: u32,
    pub order: Order,
    /// Names of statuses to leave out; if empty, tickets of every status are listed.
    pub leave_out_statuses: Vec<String>,
    /// Only tickets last updated before this; then `leave_out_statuses` is ignored. Few tenants support it.
    pub older_than: Option<DateTime<Utc>>,
}

impl TicketAsk {
    /// A page of all tickets.
    pub fn all(page: u32, order: Order) -> Self {
        Self { page, order, ..Self::default() }
    }

    /// Whether the query has neither a sort nor a filter.
    pub(super) fn is_plain(&self) -> bool {
        self.order == Order::Unsorted && self.leave_out_statuses.is_empty() && self.older_than.is_none()
    }
}

/// The order of a list of tickets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// Most recently updated first. Not every tenant supports it.
    UpdatedDesc,
    /// In SuperOps' own order, which is not by age.
    #[default]
    Unsorted,
}

/// How far apart updates must be to count as out of order: near-simultaneous ones may be listed either way.
const DISORDER: TimeDelta = TimeDelta::minutes(10);

/// Whether these update times come newest first, ignoring pairs less than ten minutes apart.
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
    /// How many tickets match, on all pages.
    pub total: Option<u64>,
    /// What SuperOps failed to tell of some of the tickets.
    pub gaps: BTreeMap<TicketId, Gap>,
}

impl TicketPage {
    /// Whether there are tickets after this page, whose number is `page`.
    pub fn goes_on_after(&self, page: u32) -> bool {
        goes_on(page, self.tickets.len() + self.rejects.len(), self.has_more, self.total)
    }

    /// Whether this page brings nothing that its reading has not `seen`, and so do all after it.
    pub fn repeats(&self, seen: &mut Seen) -> bool {
        seen.is_repeated_by(self.tickets.iter().map(|ticket| &ticket.id), &self.rejects, self.total)
    }

    /// Whether SuperOps' count of the tickets contradicts its `hasMore`.
    pub fn disagrees_after(&self, page: u32) -> bool {
        self.total.is_some_and(|total| is_counted(page, total) != self.has_more)
    }
}

impl<T> Page<T> {
    /// Whether there are records after this page, whose number is `page`.
    pub fn goes_on_after(&self, page: u32) -> bool {
        goes_on(page, self.items.len() + self.rejects.len(), self.has_more, self.total)
    }
}

impl<T: Listed> Page<T> {
    /// Whether this page brings nothing that its reading has not `seen`, and so do all after it.
    pub fn repeats(&self, seen: &mut Seen) -> bool {
        seen.is_repeated_by(self.items.iter().map(T::id), &self.rejects, self.total)
    }
}

/// How many pages in a row may bring nothing new if there must be more to come: rows move down while one reads.
const IDLE_PAGES: u32 = 5;

/// What the pages of one reading have brought. A list whose pages only repeat others has ended, whatever it says.
#[derive(Debug, Default)]
pub struct Seen {
    /// Hashes of the ids: a list may be long.
    ids: HashSet<u64>,
    hasher: RandomState,
    /// How many pages in a row brought nothing new.
    idle: u32,
}

impl Seen {
    /// Takes the next page. Returns whether the list only repeats itself.
    fn is_repeated_by<'a, Id: Hash + 'a>(
        &mut self,
        ids: impl Iterator<Item = &'a Id>,
        rejects: &[Reject],
        total: Option<u64>,
    ) -> bool {
        let before = self.ids.len();
        for id in ids {
            self.ids.insert(self.hasher.hash_one(id));
        }
        if self.ids.len() > before {
            self.idle = 0;
            return false;
        }
        self.idle += 1;
        let is_counted = total.is_some_and(|total| (self.ids.len() as u64) < total);
        // A row without an id may well be a new one.
        let may_bring_more = is_counted || rejects.iter().any(Reject::is_lost);
        self.idle > if may_bring_more { IDLE_PAGES } else { 0 }
    }
}

/// Believes either sign that there are more. An empty page is always the last; otherwise reading might never end.
fn goes_on(page: u32, rows: usize, has_more: bool, total: Option<u64>) -> bool {
    rows > 0 && (has_more || total.is_some_and(|total| is_counted(page, total)))
}

/// Whether `total` records reach beyond that page.
fn is_counted(page: u32, total: u64) -> bool {
    u64::from(page) * u64::from(PAGE_SIZE) < total
}

/// Fields of a ticket that are blank because their values are unknown, by SuperOps' names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gap {
    pub fields: Vec<&'static str>,
    /// Whether asking again may bring them: SuperOps failed to give them, rather than lacking the fields.
    pub may_be_asked: bool,
}

/// One page of anything else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// Records left out, and single fields left blank (then the record is among the items).
    pub rejects: Vec<Reject>,
    pub has_more: bool,
    /// How many records there are, on all pages.
    pub total: Option<u64>,
}

/// A record of a list that tickets refer to.
pub trait Listed {
    fn id(&self) -> &RefId;

    /// Takes over `field`, by SuperOps' name, from what was known `before`.
    fn keep(&mut self, field: &str, before: &Self);
}

/// A record, or a field of it, that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reject {
    pub id: Option<String>,
    pub field: String,
    pub why: String,
}

impl Reject {
    /// Whether a whole row is lost: not even an id could be read from it.
    pub fn is_lost(&self) -> bool {
        self.id.is_none()
    }

    pub(super) fn new(id: Option<String>, field: &str, why: impl Into<String>) -> Self {
        Self { id, field: field.to_owned(), why: why.into() }
    }
}

/// An entry in a ticket's conversation: who wrote and when. The text is not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conversation {
    pub kind: ConversationKind,
    pub at: DateTime<Utc>,
    pub author: Option<RefId>,
}

/// What a conversation entry is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConversationKind {
    /// The body of the ticket; for a phone ticket, the technician writes it.
    Description,
    RequesterReply,
    /// A mail to the requester that was sent automatically.
    RequesterNotice,
    /// A technician's answer: the first one ends the first-response clock.
    TechnicianReply,
    TechnicianNotice,
    /// A kind that SuperOps has added since.
    Other(String),
}

/// A note on a ticket.
#[derive(Clone, PartialEq, Eq)]
pub struct Note {
    pub id: RefId,
    pub added_at: Option<DateTime<Utc>>,
    /// HTML that anybody may have written.
    pub content: String,
}

impl fmt::Debug for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Note").field("id", &self.id).field("added_at", &self.added_at).finish_non_exhaustive()
    }
}

/// A change of one field of a ticket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TicketEdit {
    /// Assigns it to this technician.
    Technician(RefId),
    /// Sets this priority, by name.
    Priority(String),
}

impl TicketEdit {
    /// Returns what `ticket` now has in that field: a technician's id, or a priority's name.
    pub fn present<'a>(&self, ticket: &'a Ticket) -> Option<&'a str> {
        match self {
            Self::Technician(_) => ticket.technician.as_ref().map(|person| person.id.as_str()),
            Self::Priority(_) => ticket.priority.as_deref(),
        }
    }

    /// Whether `ticket` already is as the edit would make it.
    pub fn is_made(&self, ticket: &Ticket) -> bool {
        let wanted = match self {
            Self::Technician(person) => person.as_str(),
            Self::Priority(name) => name,
        };
        self.present(ticket).is_some_and(|present| present.eq_ignore_ascii_case(wanted))
    }
}
