//! Which tickets need a last look at their conversation before their first response is told as breached.
//!
//! SuperOps may not count a reply that is in the conversation. So when the time to respond is up, `evaluate` asks here
//! for a last look and lets the breach wait for it; the sync of the tenant looks and reports that. The wait is short:
//! after a few seconds the breach is raised in any case. Nothing of this is stored, so after a restart no breach waits.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use tokio::sync::Notify;

use crate::ticket::{TenantId, TicketId};

/// The most breaches of one tenant that wait at the same time: in a storm they could not all be looked at.
const MOST: usize = 20;

/// The last looks that are wanted, and those that were taken. Shared as an `Arc`.
#[derive(Debug, Default)]
pub struct LastLooks(Mutex<HashMap<TenantId, Looks>>);

#[derive(Debug, Default)]
struct Looks {
    wanted: HashSet<TicketId>,
    /// Tickets that are being looked at.
    begun: HashSet<TicketId>,
    /// When each ticket was last looked at or passed over.
    answered: HashMap<TicketId, DateTime<Utc>>,
    waker: Arc<Notify>,
}

impl LastLooks {
    /// Whether the breach of `ticket` at `breached_from` has to wait, because there was no look since. Asks for that
    /// look, unless too many are wanted already.
    pub fn waits(&self, tenant: &TenantId, ticket: &TicketId, breached_from: DateTime<Utc>) -> bool {
        let mut all = self.all();
        let looks = all.entry(tenant.clone()).or_default();
        if looks.answered.get(ticket).is_some_and(|at| *at >= breached_from) {
            return false;
        }
        if looks.wanted.contains(ticket) || looks.begun.contains(ticket) {
            return true;
        }
        if looks.wanted.len() + looks.begun.len() >= MOST {
            return false;
        }
        looks.wanted.insert(ticket.clone());
        looks.waker.notify_one();
        true
    }

    /// Returns a ticket of `tenant` as soon as one waits for a look that nobody has begun; the caller has begun it then.
    pub async fn begin(&self, tenant: &TenantId) -> TicketId {
        let waker = self.all().entry(tenant.clone()).or_default().waker.clone();
        loop {
            if let Some(ticket) = self.try_begin(tenant) {
                return ticket;
            }
            waker.notified().await;
        }
    }

    /// The same, if one waits now.
    pub fn try_begin(&self, tenant: &TenantId) -> Option<TicketId> {
        let mut all = self.all();
        let looks = all.get_mut(tenant)?;
        let ticket = looks.wanted.iter().next()?.clone();
        looks.wanted.remove(&ticket);
        looks.begun.insert(ticket.clone());
        Some(ticket)
    }

    /// Nobody is at the looks that were begun any more: they are wanted again.
    pub fn begin_anew(&self, tenant: &TenantId) {
        let mut all = self.all();
        let looks = all.entry(tenant.clone()).or_default();
        looks.wanted.extend(looks.begun.drain());
    }

    /// Records that `ticket` was looked at or passed over at `now`, so that its breach waits no longer.
    pub fn answer(&self, tenant: &TenantId, ticket: &TicketId, now: DateTime<Utc>) {
        let mut all = self.all();
        let looks = all.entry(tenant.clone()).or_default();
        looks.wanted.remove(ticket);
        looks.begun.remove(ticket);
        looks.answered.insert(ticket.clone(), now);
    }

    /// Forgets the tickets that are no longer `open`.
    pub fn tidy(&self, tenant: &TenantId, open: impl Fn(&TicketId) -> bool) {
        if let Some(looks) = self.all().get_mut(tenant) {
            looks.wanted.retain(|ticket| open(ticket));
            looks.begun.retain(|ticket| open(ticket));
            looks.answered.retain(|ticket, _| open(ticket));
        }
    }

    fn all(&self) -> MutexGuard<'_, HashMap<TenantId, Looks>> {
        // A panic under this lock causes at worst one look too many.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    #[test]
    fn a_breach_waits_until_somebody_has_looked_since_and_few_wait_at_a_time() {
        let (looks, acme) = (LastLooks::default(), TenantId::parse("acme").unwrap());
        let ticket = |number: usize| TicketId::parse(&number.to_string()).unwrap();
        let breached_from: DateTime<Utc> = "2027-01-15T09:00:00Z".parse().unwrap();
        let waits = |number| looks.waits(&acme, &ticket(number), breached_from);
        looks.answer(&acme, &ticket(0), breached_from - TimeDelta::milliseconds(1));
        assert!((0..MOST).all(waits));
        assert!(waits(0), "it still does");
        assert!(!waits(MOST));
        looks.answer(&acme, &ticket(0), breached_from);
        assert_eq!((waits(0), waits(MOST)), (false, true), "that makes room for another");
        looks.tidy(&acme, |_| false);
        assert_eq!((looks.try_begin(&acme), waits(0)), (None, true));
        assert_eq!((looks.try_begin(&acme), looks.try_begin(&acme)), (Some(ticket(0)), None));
        assert!(waits(0), "somebody is at it");
        looks.begin_anew(&acme);
        assert_eq!(looks.try_begin(&acme), Some(ticket(0)));
    }
}
