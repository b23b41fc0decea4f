//! What to do about a ticket that is likely to breach: who could take it on, and what is ahead of it.

use std::collections::{BTreeSet, HashMap};

use crate::alert::on_call::Duty;
use crate::alert::prediction::{GroupMember, with_room};
use crate::notify::{Advice, FreeTechnician};
use crate::store::tickets::OpenTickets;
use crate::ticket::{Directory, RefId, Technician, Ticket};

/// How much work each technician has.
pub struct Load<'a> {
    people: &'a Directory,
    open: &'a OpenTickets,
    counts: HashMap<&'a RefId, usize>,
    on_call: BTreeSet<&'a RefId>,
    staffed: bool,
}

impl<'a> Load<'a> {
    /// Counts the open tickets. `duty` is who is on call; `staffed` is true unless the tenant's hours are known to be
    /// over.
    pub fn of(people: &'a Directory, open: &'a OpenTickets, duty: &Duty, staffed: bool) -> Self {
        let mut counts = HashMap::new();
        for watched in open.values() {
            if let Some(owner) = &watched.ticket.technician {
                *counts.entry(&owner.id).or_default() += 1;
            }
        }
        let on_call = duty.values().filter_map(|person| Some(&person.technician(people)?.id)).collect();
        Self { people, open, counts, on_call, staffed }
    }

    /// Returns what to do about `ticket`.
    pub fn advice(&self, ticket: &Ticket) -> Advice {
        let members = ticket.group.iter().flat_map(|group| self.people.members(&group.id));
        let team: Vec<_> = members.map(|person| self.hand(person)).collect();
        let owner = ticket.technician.as_ref().map(|owner| owner.name.as_str());
        let room = with_room(&team, owner, self.staffed);
        Advice {
            room: room.map(|GroupMember { name, open, on_call }| FreeTechnician {
                name: name.to_owned(),
                open,
                on_call,
            }),
            group: ticket.group.as_ref().map(|group| group.name.clone()),
            ahead: self.ahead(ticket),
        }
    }

    fn hand<'p>(&self, person: &'p Technician) -> GroupMember<'p> {
        let open = self.counts.get(&person.id).copied().unwrap_or_default();
        GroupMember { name: &person.name, open, on_call: self.on_call.contains(&person.id) }
    }

    /// Returns how many open tickets of its group are older.
    fn ahead(&self, ticket: &Ticket) -> usize {
        let Some(group) = &ticket.group else { return 0 };
        let same = |other: &Ticket| other.group.as_ref().is_some_and(|theirs| theirs.id == group.id);
        let others = self.open.values().map(|watched| &watched.ticket);
        others.filter(|other| same(other) && other.created_at < ticket.created_at).count()
    }
}
