//! What to do about a ticket that is likely to breach: who could take it on, and what is ahead of it.

use std::collections::HashMap;

use crate::alert::prediction::with_room;
use crate::notify::{Advice, Room};
use crate::store::tickets::OpenTickets;
use crate::ticket::{Directory, RefId, Ticket};

/// How much each technician has to do.
pub struct Load<'a> {
    people: &'a Directory,
    open: &'a OpenTickets,
    counts: HashMap<&'a RefId, usize>,
}

impl<'a> Load<'a> {
    /// Counts the open tickets.
    pub fn of(people: &'a Directory, open: &'a OpenTickets) -> Self {
        let mut counts = HashMap::new();
        for watched in open.values() {
            if let Some(owner) = &watched.ticket.technician {
                *counts.entry(&owner.id).or_default() += 1;
            }
        }
        Self { people, open, counts }
    }

    /// What to do about `ticket`.
    pub fn advice(&self, ticket: &Ticket) -> Advice {
        let members = ticket.group.iter().flat_map(|group| self.people.members(&group.id));
        let team = members.map(|person| (person.name.as_str(), self.count(&person.id)));
        let owner = ticket.technician.as_ref().map(|owner| owner.name.as_str());
        let room = with_room(team, owner);
        Advice {
            room: room.map(|(name, open)| Room { name: name.to_owned(), open }),
            group: ticket.group.as_ref().map(|group| group.name.clone()),
            ahead: self.ahead(ticket),
        }
    }

    fn count(&self, person: &RefId) -> usize {
        self.counts.get(person).copied().unwrap_or_default()
    }

    /// How many open tickets of its group are older.
    fn ahead(&self, ticket: &Ticket) -> usize {
        let Some(group) = &ticket.group else { return 0 };
        let same = |other: &Ticket| other.group.as_ref().is_some_and(|theirs| theirs.id == group.id);
        let others = self.open.values().map(|watched| &watched.ticket);
        others.filter(|other| same(other) && other.created_at < ticket.created_at).count()
    }
}
