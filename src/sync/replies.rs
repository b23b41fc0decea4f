//! Replies that SuperOps has not counted: does a ticket that looks unanswered
//! have an answer from a technician among its conversations?
//!
//! Asked only when it matters: the ticket is past half of its time to respond,
//! not yet late, and was touched since we last looked.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use tracing::debug;

use super::{SyncError, TenantSync};
use crate::superops::{ApiError, ConversationKind, Urgency};
use crate::ticket::watch::Watched;
use crate::ticket::{Ticket, TicketId};

/// Tickets looked at in one turn, the most pressing first.
const A_TURN: usize = 3;

/// The update of each ticket at which its conversations were last read.
pub type Looked = HashMap<TicketId, Option<DateTime<Utc>>>;

impl TenantSync {
    /// Looks for replies on the few tickets where one would matter most.
    pub(super) async fn look_for_replies(&mut self, now: DateTime<Utc>) -> Result<(), SyncError> {
        let open = self.store.open_tickets(&self.tenant).await?;
        self.looked.retain(|id, _| open.contains_key(id));
        let mut pressing: Vec<&Ticket> =
            open.values().filter(|one| self.is_worth_a_look(one, now)).map(|one| &one.ticket).collect();
        pressing.sort_by_key(|ticket| (ticket.first_response.due, ticket.id.clone()));
        for ticket in pressing.into_iter().take(A_TURN) {
            self.look_at(ticket).await?;
        }
        Ok(())
    }

    fn is_worth_a_look(&self, watched: &Watched, now: DateTime<Utc>) -> bool {
        let ticket = &watched.ticket;
        let unanswered = ticket.first_response.met_at.is_none() && watched.replied_at.is_none();
        let touched = ticket.updated_at > ticket.created_at && self.looked.get(&ticket.id) != Some(&ticket.updated_at);
        unanswered && touched && is_past_half(ticket, now)
    }

    async fn look_at(&mut self, ticket: &Ticket) -> Result<(), SyncError> {
        let conversations = match self.client.conversations(&ticket.id, Urgency::Background).await {
            Ok(conversations) => conversations,
            Err(error) if error.needs_a_person() || error == ApiError::Throttled => return Err(error.into()),
            // Whatever it is about this one, SuperOps' own time of response has to do.
            Err(error) => {
                debug!(tenant = %self.tenant, ticket = %ticket.id, %error, "the conversations of `{}` cannot be read", ticket.id);
                Vec::new()
            }
        };
        self.looked.insert(ticket.id.clone(), ticket.updated_at);
        let replies = conversations.iter().filter(|entry| entry.kind == ConversationKind::TechnicianReply);
        if let Some(at) = replies.map(|entry| entry.at).min() {
            self.store.save_reply(&self.tenant, &ticket.id, at).await?;
            self.nudge.notify_one();
        }
        Ok(())
    }
}

fn is_past_half(ticket: &Ticket, now: DateTime<Utc>) -> bool {
    let Some((created, due)) = ticket.created_at.zip(ticket.first_response.due) else { return false };
    created + (due - created) / 2 <= now && now < due
}
