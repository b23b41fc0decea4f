//! Replies that SuperOps has not counted: does a ticket that looks unanswered
//! have an answer from a technician among its conversations?
//!
//! Asked only when it matters and the ticket was touched since we last looked:
//! it is past half of its time to respond, or late; or its policy promises an answer to each message of the client; or its
//! first response came while we watched, and nobody knows yet whether a
//! technician gave it. And once more, touched or not, shortly before it is due:
//! what was answered is not to be called breached.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use tracing::debug;

use super::{SyncError, TenantSync};
use crate::sla::policy::{self, Traits};
use crate::superops::{ApiError, Conversation, ConversationKind, Urgency};
use crate::ticket::talk::{Answerer, Talk, Voice};
use crate::ticket::watch::Watched;
use crate::ticket::{Ticket, TicketId};

/// Tickets looked at in one turn, the most pressing first.
const A_TURN: usize = 3;

/// When the conversations of each ticket were last read.
pub type Looked = HashMap<TicketId, LastLook>;

#[derive(Clone, Copy, Debug)]
pub struct LastLook {
    /// The ticket's update as of then.
    update: Option<DateTime<Utc>>,
    at: DateTime<Utc>,
}

impl TenantSync {
    /// Looks for replies on the few tickets where one would matter most.
    pub(super) async fn look_for_replies(&mut self, now: DateTime<Utc>) -> Result<(), SyncError> {
        let open = self.store.open_tickets(&self.tenant).await?;
        self.looked.retain(|id, _| open.contains_key(id));
        let mut pressing: Vec<_> =
            open.values().filter_map(|one| Some((self.urgency_of_look(one, now)?, one))).collect();
        pressing.sort_by_key(|(urgency, one)| (*urgency, one.ticket.first_response.due, one.ticket.id.clone()));
        for (_, watched) in pressing.into_iter().take(A_TURN) {
            self.look_at(watched, now).await?;
        }
        Ok(())
    }

    /// How soon its conversations are to be read, 0 first; none: not at all.
    fn urgency_of_look(&self, watched: &Watched, now: DateTime<Utc>) -> Option<u8> {
        let ticket = &watched.ticket;
        let last = self.looked.get(&ticket.id);
        let awaits = self.awaits_response(watched);
        let due = self.response_due(ticket).filter(|_| awaits);
        // A poll may come late: the last look is taken up to two of them before.
        let from = due.map(|due| due - self.poll_interval * 2).filter(|from| *from <= now);
        if from.is_some_and(|from| last.is_none_or(|last| last.at < from)) && due.is_some_and(|due| now <= due) {
            return Some(0);
        }
        let looked = last.is_some_and(|last| last.update == ticket.updated_at);
        if looked || ticket.updated_at <= ticket.created_at || watched.talk.read_of == ticket.updated_at {
            return None;
        }
        if awaits {
            return is_past_half(ticket, due, now).then_some(0);
        }
        if self.promises_next(ticket) {
            return Some(1);
        }
        let reported = ticket.first_response.met_at;
        let matters = |at: DateTime<Utc>| at >= watched.first_seen_at || !self.automation_answers;
        let unattributed = watched.talk.read_of.is_none() && reported.is_some_and(matters);
        unattributed.then_some(2)
    }

    /// Whether no first response is known that counts.
    fn awaits_response(&self, watched: &Watched) -> bool {
        let reported = watched.ticket.first_response.met_at.is_some();
        watched.replied_at.is_none() && (!reported || self.is_ignored(&watched.talk))
    }

    /// Whether the response that SuperOps counts was automatic, and does not count here.
    fn is_ignored(&self, talk: &Talk) -> bool {
        talk.first_answer == Some(Answerer::Automation) && !self.automation_answers
    }

    /// When the first response is due: as SuperOps says, or at the earliest that a policy allows.
    fn response_due(&self, ticket: &Ticket) -> Option<DateTime<Utc>> {
        let promised = || {
            let policy = policy::applicable(&self.policies, &self.tenant, &Traits::of(ticket))?;
            Some(ticket.created_at? + policy.response?)
        };
        ticket.first_response.due.or_else(promised)
    }

    fn promises_next(&self, ticket: &Ticket) -> bool {
        let policy = policy::applicable(&self.policies, &self.tenant, &Traits::of(ticket));
        policy.is_some_and(|policy| policy.next_response.is_some())
    }

    async fn look_at(&mut self, watched: &Watched, now: DateTime<Utc>) -> Result<(), SyncError> {
        let ticket = &watched.ticket;
        let look = LastLook { update: ticket.updated_at, at: now };
        let conversations = match self.client.conversations(&ticket.id, Urgency::Background).await {
            Ok(conversations) => conversations,
            Err(error) if error.needs_a_person() || error == ApiError::Throttled => return Err(error.into()),
            // Whatever it is about this one, SuperOps' own time of response has to do.
            Err(error) => {
                debug!(tenant = %self.tenant, ticket = %ticket.id, %error, "the conversations of `{}` cannot be read", ticket.id);
                self.looked.insert(ticket.id.clone(), look);
                return Ok(());
            }
        };
        self.looked.insert(ticket.id.clone(), look);
        let said: Vec<_> = conversations.iter().filter_map(voice).collect();
        let talk = Talk { read_of: ticket.updated_at, ..Talk::of(said, ticket.first_response.met_at) };
        self.store.save_talk(&self.tenant, &ticket.id, talk).await?;
        let replies = conversations.iter().filter(|entry| entry.kind == ConversationKind::TechnicianReply);
        let unanswered = self.awaits_response(&Watched { talk, ..watched.clone() });
        if let Some(at) = replies.map(|entry| entry.at).min().filter(|_| unanswered) {
            self.store.save_reply(&self.tenant, &ticket.id, at).await?;
        }
        self.nudge.notify_one();
        Ok(())
    }
}

/// Whose words an entry is; none where it is nobody's answer.
fn voice(entry: &Conversation) -> Option<(DateTime<Utc>, Voice)> {
    let voice = match entry.kind {
        ConversationKind::RequesterReply => Voice::Client,
        ConversationKind::TechnicianReply => Voice::Technician,
        ConversationKind::RequesterNotice => Voice::Automation,
        _ => return None,
    };
    Some((entry.at, voice))
}

/// Whether half of the time to respond is over; where nothing is promised there is no such half.
fn is_past_half(ticket: &Ticket, due: Option<DateTime<Utc>>, now: DateTime<Utc>) -> bool {
    let Some((created, due)) = ticket.created_at.zip(due) else { return false };
    created + (due - created) / 2 <= now
}
