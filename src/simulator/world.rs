//! All tickets of the look-alike and the account around them, in every order they are listed in.
//!
//! Everything happens at a moment that the caller names. A requested list is remembered until something changes, so
//! that reading a large account page by page does not sort it again each time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use chrono::{DateTime, TimeDelta, Utc};

use super::habit::Habits;
use super::hours::Hours;
use super::listing::{self, Query, Unsupported};
use super::msp::{COMPLETED, Msp, PARKED};
use super::ticket::{ConversationEntry, EntryKind, Ref, SimClock, SimNote, SimTicket, Text};
use crate::ticket::StatusMeaning;

const FIRST_TICKET: u64 = 7_712_049_386_651_025_408;
const FIRST_REQUESTER: u64 = 6_841_203_960_001_536_000;
const UNLISTED_TECHNICIAN: u64 = 5_120_044_817_999_000_000;
const FIRST_NOTE: u64 = 7_712_049_391_002_000_001;

/// The most lists remembered. A client asks for a handful; a hostile one must not fill the memory.
const LISTS_KEPT: usize = 16;

/// A ticket to be added by a test or a demo. Times count from now; fields that are `None` stay blank.
#[derive(Clone, Debug)]
pub struct NewTicket {
    pub subject: String,
    pub status: Option<String>,
    pub priority: Option<String>,
    pub category: Option<String>,
    /// By name; a name that is not in the account becomes a technician whom no list shows.
    pub technician: Option<String>,
    pub group: Option<String>,
    /// By name; brings its site.
    pub client: Option<String>,
    pub sla: Option<String>,
    pub created_in: TimeDelta,
    /// If unset: at creation, or at the latest of the other events.
    pub updated_in: Option<TimeDelta>,
    pub response_due_in: Option<TimeDelta>,
    pub resolution_due_in: Option<TimeDelta>,
    pub responded_in: Option<TimeDelta>,
    pub resolved_in: Option<TimeDelta>,
}

impl Default for NewTicket {
    fn default() -> Self {
        let text = |text: &str| Some(text.to_owned());
        Self {
            subject: "Mail server down".to_owned(),
            status: text("Open"),
            priority: text("High"),
            category: text("Email"),
            technician: text("Mateo Alvarez"),
            group: text("Service Desk L1"),
            client: text("Harbour Dental Group"),
            sla: text(super::targets::GOLD),
            created_in: TimeDelta::zero(),
            updated_in: None,
            response_due_in: None,
            resolution_due_in: None,
            responded_in: None,
            resolved_in: None,
        }
    }
}

/// The indices of a list's tickets.
pub type Indices = Arc<Vec<u32>>;

/// A list, and the version of the world that it belongs to.
type Remembered = (u64, Indices);

/// The account and its tickets.
pub struct World {
    pub msp: Msp,
    habits: Habits,
    tickets: Vec<SimTicket>,
    by_id: HashMap<u64, usize>,
    notes: u64,
    version: u64,
    lists: Mutex<HashMap<String, Remembered>>,
    /// What tickets go through, while that is wanted.
    lived: Option<Vec<(DateTime<Utc>, SimTicket)>>,
}

impl World {
    /// Creates an account without tickets.
    pub fn new(msp: Msp, habits: Habits) -> Self {
        let (tickets, by_id) = (Vec::new(), HashMap::new());
        Self { msp, habits, tickets, by_id, notes: 0, version: 0, lists: Mutex::default(), lived: None }
    }

    /// Returns how it answers.
    pub fn habits(&self) -> &Habits {
        &self.habits
    }

    /// Returns the same to be changed, which invalidates remembered lists.
    pub fn habits_mut(&mut self) -> &mut Habits {
        self.version += 1;
        &mut self.habits
    }

    /// Returns all tickets, even deleted ones, in order of creation.
    pub fn tickets(&self) -> &[SimTicket] {
        &self.tickets
    }

    /// Returns the ticket at `index`.
    pub fn ticket(&self, index: usize) -> &SimTicket {
        &self.tickets[index]
    }

    /// Returns the ticket at `index` to be changed, which invalidates remembered lists.
    pub fn ticket_mut(&mut self, index: usize) -> &mut SimTicket {
        self.version += 1;
        &mut self.tickets[index]
    }

    /// Returns the index of the ticket with that id.
    pub fn find(&self, id: &str) -> Option<usize> {
        self.by_id.get(&id.parse().ok()?).copied()
    }

    /// Keeps `ticket` under a new id, and returns its index.
    pub fn keep(&mut self, mut ticket: SimTicket) -> usize {
        let index = self.tickets.len();
        ticket.id = FIRST_TICKET + index as u64;
        if ticket.display_id.is_empty() {
            ticket.display_id = format!("{}-{index:04}", ticket.created_at.format("%m%d%y"));
        }
        self.by_id.insert(ticket.id, index);
        self.tickets.push(ticket);
        self.version += 1;
        index
    }

    /// Begins to keep what tickets go through.
    pub fn remember(&mut self) {
        self.lived = Some(Vec::new());
    }

    /// Keeps a copy of the ticket at `index` as it became at `at`, if that is wanted.
    pub fn live(&mut self, index: usize, at: DateTime<Utc>) {
        if let Some(lived) = &mut self.lived
            && let Some(ticket) = self.tickets.get(index)
        {
            lived.push((at, ticket.clone()));
        }
    }

    /// Returns what tickets went through, and stops keeping it.
    pub fn take_lived(&mut self) -> Vec<(DateTime<Utc>, SimTicket)> {
        self.lived.take().unwrap_or_default()
    }

    /// Forgets the youngest ticket, as if it had never existed.
    pub fn forget_last(&mut self) {
        if let Some(ticket) = self.tickets.pop() {
            if let Some(lived) = &mut self.lived {
                lived.truncate(lived.iter().rposition(|(_, one)| one.id != ticket.id).map_or(0, |last| last + 1));
            }
            self.by_id.remove(&ticket.id);
            self.version += 1;
        }
    }

    /// Adds the ticket that `spec` describes.
    pub fn add(&mut self, spec: NewTicket, now: DateTime<Utc>) -> usize {
        let client =
            spec.client.as_deref().and_then(|name| self.msp.customers.iter().find(|row| *row.client.name == *name));
        let text = |text: Option<String>| text.map(Text::from);
        let after = |delta: Option<TimeDelta>| delta.map(|delta| now + delta);
        let created_at = now + spec.created_in;
        let last_event = after(spec.resolved_in).max(after(spec.responded_in)).unwrap_or(created_at).max(created_at);
        let mut ticket = SimTicket {
            subject: spec.subject,
            priority: text(spec.priority),
            category: text(spec.category),
            technician: spec.technician.map(|name| self.technician(&name)),
            client: client.map(|row| row.client.clone()),
            site: client.map(|row| row.site.clone()),
            group: spec.group.as_deref().and_then(|name| named(&self.msp.groups, name)),
            sla: spec.sla.as_deref().and_then(|name| named(&self.msp.slas, name)),
            first_response: SimClock { due: after(spec.response_due_in), met_at: after(spec.responded_in) },
            resolution: SimClock { due: after(spec.resolution_due_in), met_at: None },
            ..blank_ticket(created_at)
        };
        if let Some(status) = text(spec.status) {
            let meaning = self.msp.words.meaning(Some(&status));
            ticket.move_to(status, meaning, after(spec.resolved_in).unwrap_or(created_at), self.habits.due_on_pause);
        }
        ticket.resolution.met_at = after(spec.resolved_in).or(ticket.resolution.met_at);
        ticket.updated_at = after(spec.updated_in).unwrap_or(last_event);
        let index = self.keep(ticket);
        self.welcome(index, created_at);
        index
    }

    /// Lets the machine answer a new ticket, if there is one.
    pub fn welcome(&mut self, index: usize, at: DateTime<Utc>) {
        if self.habits.automatic_responses {
            let ticket = self.ticket_mut(index);
            ticket.conversation.push(ConversationEntry { at, kind: EntryKind::RequesterNotification, by: None });
            ticket.first_response.met_at.get_or_insert(at);
        }
    }

    fn technician(&self, name: &str) -> Ref {
        let letters: u64 = name.bytes().map(u64::from).sum();
        let unlisted = || Ref { id: UNLISTED_TECHNICIAN + letters, name: name.into() };
        self.msp.person(name).map_or_else(unlisted, |person| person.who.clone())
    }

    /// Gives a ticket another status, with every consequence. A desk with odd words uses those.
    pub fn change_status(&mut self, index: usize, status: &str, at: DateTime<Utc>) {
        let status = if self.habits.odd_statuses { odd_status(status) } else { status };
        let meaning = self.msp.words.meaning(Some(status));
        let status =
            self.msp.statuses.iter().find(|known| &***known == status).cloned().unwrap_or_else(|| status.into());
        let rule = self.habits.due_on_pause;
        self.ticket_mut(index).move_to(status, meaning, at, rule);
    }

    /// Returns the names of statuses, as the lists show them.
    pub fn statuses(&self) -> Vec<Text> {
        let odd = [COMPLETED, PARKED].into_iter().filter(|_| self.habits.odd_statuses);
        self.msp.statuses.iter().cloned().chain(odd.map(Text::from)).collect()
    }

    /// Adds a reply by the ticket's technician; the first one is its first response.
    pub fn reply(&mut self, index: usize, at: DateTime<Utc>) {
        let ticket = self.ticket_mut(index);
        let by = ticket.technician.clone();
        ticket.conversation.push(ConversationEntry { at, kind: EntryKind::TechnicianReply, by });
        ticket.first_response.met_at.get_or_insert(at);
        ticket.updated_at = at;
    }

    /// Writes a note. This does not touch the ticket's updated time: whether it does in the real service is unknown,
    /// and this is the harder case for a reader.
    pub fn note(&mut self, index: usize, content: String, privacy: Text, at: DateTime<Utc>) -> SimNote {
        let note = SimNote { id: FIRST_NOTE + self.notes, at, content, privacy };
        self.notes += 1;
        self.tickets[index].notes.push(note.clone());
        note
    }

    /// Returns what the ticket's status means to this account.
    pub fn meaning(&self, index: usize) -> StatusMeaning {
        self.msp.words.meaning(self.ticket(index).status.as_deref())
    }

    /// Returns the tickets that `query` asks for, in its order.
    pub fn list(&self, query: &Query, now: DateTime<Utc>) -> Result<Indices, Unsupported> {
        let Ok(mut lists) = self.lists.lock() else { return Err(Unsupported) };
        if let Some((_, list)) = lists.get(&query.key).filter(|(version, _)| *version == self.version) {
            return Ok(Arc::clone(list));
        }
        let list = Arc::new(listing::select(&self.tickets, query, &self.habits, now)?);
        if lists.len() >= LISTS_KEPT {
            lists.clear();
        }
        if !query.asks_the_time {
            lists.insert(query.key.clone(), (self.version, Arc::clone(&list)));
        }
        Ok(list)
    }
}

/// Returns what some desks say instead of `status`: words that no list of common names contains.
fn odd_status(status: &str) -> &str {
    match status {
        "Resolved" => COMPLETED,
        "On Hold" => PARKED,
        other => other,
    }
}

fn named(refs: &[Ref], name: &str) -> Option<Ref> {
    refs.iter().find(|known| *known.name == *name).cloned()
}

/// Returns a ticket that says nothing except when it was created.
pub fn blank_ticket(created_at: DateTime<Utc>) -> SimTicket {
    let requester = Ref { id: FIRST_REQUESTER, name: "Priya Nair".into() };
    SimTicket {
        id: 0,
        display_id: String::new(),
        subject: String::new(),
        request_type: Some("Incident".into()),
        source: "EMAIL",
        client: None,
        site: None,
        requester: Some(requester.clone()),
        group: None,
        technician: None,
        sla: None,
        status: None,
        priority: None,
        category: None,
        created_at,
        updated_at: created_at,
        first_response: SimClock::default(),
        resolution: SimClock::default(),
        conversation: vec![ConversationEntry { at: created_at, kind: EntryKind::Description, by: Some(requester) }],
        notes: Vec::new(),
        deleted: false,
        hours: Arc::new(Hours::always()),
        paused_since: None,
    }
}
