//! Handles what SuperOps failed to tell of a ticket: where it may matter, the ticket is asked for once by itself;
//! otherwise the last known value stands, so that a failure is never taken for a change.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, Utc};
use tracing::debug;

use super::TenantSync;
use crate::store::StoreError;
use crate::superops::{ApiError, TicketPage, Urgency, completed, lacks};
use crate::ticket::watch::Watched;
use crate::ticket::{StatusMeaning, Ticket, TicketId};

/// How many tickets of one page are asked for by themselves.
const A_PAGE: usize = 20;
/// How many tickets asked for in vain are remembered.
const REMEMBERED: usize = 10_000;

/// For each ticket, the time of update at which it was last asked for by itself.
#[derive(Debug, Default)]
pub(super) struct Tried(Mutex<HashMap<TicketId, Option<DateTime<Utc>>>>);

impl Tried {
    /// Whether the ticket has not been tried at its present update; marks it as tried.
    fn begins(&self, ticket: &Ticket) -> bool {
        // A panic under this lock leaves one ticket untried at worst.
        let mut tried = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if tried.len() >= REMEMBERED {
            tried.clear();
        }
        tried.insert(ticket.id.clone(), ticket.updated_at) != Some(ticket.updated_at)
    }
}

impl TenantSync {
    /// Asks by themselves for the open tickets of `page` that lack something that was never known, or that may have
    /// changed.
    pub(super) async fn fill_gaps(&self, page: &mut TicketPage, urgency: Urgency) -> Result<(), ApiError> {
        let mut left = A_PAGE;
        for index in 0..page.tickets.len() {
            let ticket = &page.tickets[index];
            let gap = page.gaps.get(&ticket.id).filter(|gap| gap.may_be_asked);
            let Some(gap) = gap.filter(|_| left > 0) else { continue };
            let is_closed = self.words.meaning(ticket.status.as_deref()) == StatusMeaning::Closed;
            let before = self.store.ticket(&self.tenant, &ticket.id).await.ok().flatten();
            let is_known = before.as_deref().is_some_and(|before| is_known(before, ticket, &gap.fields));
            if is_closed || is_known || !self.tried.begins(ticket) {
                continue;
            }
            left -= 1;
            let id = ticket.id.clone();
            match self.client.single(&id, urgency).await {
                Ok(mut single) => {
                    let Some(ticket) = single.tickets.pop() else { continue };
                    page.tickets[index] = ticket;
                    page.gaps.remove(&id);
                    page.gaps.append(&mut single.gaps);
                }
                Err(error) if error.needs_a_person() || error == ApiError::Throttled => return Err(error),
                Err(error) => {
                    debug!(tenant = %self.tenant, ticket = %id, %error, "`{id}` cannot be read on its own")
                }
            }
        }
        Ok(())
    }

    /// Replaces what SuperOps failed to tell with what was last known.
    pub(super) async fn keep_known(&self, page: &mut TicketPage) -> Result<(), StoreError> {
        for ticket in &mut page.tickets {
            let Some(gap) = page.gaps.get(&ticket.id) else { continue };
            if let Some(before) = self.store.ticket(&self.tenant, &ticket.id).await? {
                *ticket = completed(ticket.clone(), gap, &before.ticket);
            }
        }
        Ok(())
    }
}

/// Whether what is missing can be taken from `before`, because nothing has happened since.
fn is_known(before: &Watched, ticket: &Ticket, missing: &[&str]) -> bool {
    let untouched = before.ticket.updated_at == ticket.updated_at && !missing.contains(&"updatedTime");
    untouched && !lacks(&before.ticket)
}
