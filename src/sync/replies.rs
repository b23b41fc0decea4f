//! Replies that SuperOps has not counted: does a ticket that looks unanswered
//! have an answer from a technician among its conversations?
//!
//! Asked only when it matters and the ticket was touched since we last looked:
//! it is past half of its time to respond, or late; or its policy promises an answer to each message of the client; or its
//! first response came while we watched, and nobody knows yet whether a
//! technician gave it. And once more, touched or not, when its time is up, by the clock that is alarmed by: what was
//! answered is not to be called breached. That breach waits for the look, so it is taken at once and in a few seconds,
//! or not at all.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tracing::debug;

use super::{SyncError, TenantSync};
use crate::sla::clock;
use crate::sla::policy::{self, Traits};
use crate::sla::tenant_rules::TenantRules;
use crate::store::StoreError;
use crate::superops::{ApiError, Conversation, ConversationKind, Urgency};
use crate::ticket::conversation::{Answerer, ConversationSummary, Said, Voice};
use crate::ticket::watch::Watched;
use crate::ticket::{ClockKind, Ticket, TicketId};

/// Tickets looked at in one turn, the most pressing first.
const A_TURN: usize = 3;
/// One in so many of a minute's requests may be a last look.
const A_SHARE: u32 = 6;
/// A last look takes no longer than this on the wall: a breach waits for it.
const LONGEST_LOOK: Duration = Duration::from_secs(4);

/// When the conversations of each ticket were last read.
pub type LastReads = HashMap<TicketId, LastRead>;

#[derive(Clone, Copy, Debug)]
pub struct LastRead {
    /// The ticket's update as of then.
    update: Option<DateTime<Utc>>,
    at: DateTime<Utc>,
}

/// How soon a conversation is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum ReadPriority {
    /// Its time is up: the breach waits for the look.
    LastLook,
    Unanswered,
    PromisedNext,
    Unattributed,
}

impl TenantSync {
    /// Looks for replies on the few tickets where one would matter most.
    pub(super) async fn look_for_replies(&mut self, now: DateTime<Utc>) -> Result<(), SyncError> {
        self.take_last_looks(now).await?;
        let open = self.store.open_tickets(&self.tenant).await?;
        self.last_reads.retain(|id, _| open.contains_key(id));
        self.last_looks.tidy(&self.tenant, |id| open.contains_key(id));
        let rules = self.rules().await?;
        let mut pressing: Vec<_> =
            open.values().filter_map(|one| Some((self.press(one, &rules, now)?, one.clone()))).collect();
        // What was never read comes before what is to be read again: months wait for it.
        pressing.sort_by_key(|(press, one)| {
            (*press, one.conversation.read_of.is_some(), one.ticket.first_response.due, one.ticket.id.clone())
        });
        self.note_unheard(pressing.iter().map(|(_, watched)| &**watched)).await?;
        let (last_looks, tenant) = (self.last_looks.clone(), self.tenant.clone());
        for (index, (press, watched)) in pressing.into_iter().enumerate() {
            match press {
                ReadPriority::LastLook if index < A_TURN => self.take_last_look(&watched, now).await?,
                ReadPriority::LastLook => self.last_looks.answer(&self.tenant, &watched.ticket.id, now),
                // Where the budget is short, this one may wait for half a minute: no breach waits for that.
                _ if index < A_TURN => tokio::select! {
                    looked = self.look_at(&watched, Urgency::Background, now) => looked?,
                    () = last_looks.one_is_wanted(&tenant) => return self.take_last_looks(self.clock.now()).await,
                },
                _ => break,
            }
        }
        Ok(())
    }

    /// Remembers since when there is something to be read that never was. It is read in this turn at the earliest.
    async fn note_unheard(&mut self, pressing: impl Iterator<Item = &Watched>) -> Result<(), StoreError> {
        let unheard = pressing.filter(|watched| watched.conversation.read_of.is_none());
        let since = unheard.filter_map(|watched| watched.ticket.created_at).min();
        if self.state.unheard_since == since {
            return Ok(());
        }
        self.state.unheard_since = since;
        self.store.save_sync_state(&self.tenant, self.state.clone()).await
    }

    /// Reads the conversations that a breach waits for, as far as the budget allows; the others wait no longer.
    pub(super) async fn take_last_looks(&mut self, now: DateTime<Utc>) -> Result<(), SyncError> {
        let wanted = self.last_looks.wanted(&self.tenant);
        if wanted.is_empty() {
            return Ok(());
        }
        let open = self.store.open_tickets(&self.tenant).await?;
        let most = usize::try_from(self.client.budget() / A_SHARE).unwrap_or(usize::MAX).max(1);
        let mut looked = Ok(());
        for (index, id) in wanted.iter().enumerate() {
            match open.get(id).filter(|_| index < most && looked.is_ok()) {
                Some(watched) => looked = self.take_last_look(&watched.clone(), now).await,
                None => self.last_looks.answer(&self.tenant, id, now),
            }
        }
        self.nudge.notify_one();
        looked
    }

    /// Reads a conversation once more before a breach is raised. Whatever comes of it, that waits no longer.
    async fn take_last_look(&mut self, watched: &Watched, now: DateTime<Utc>) -> Result<(), SyncError> {
        let look = tokio::time::timeout(LONGEST_LOOK, self.look_at(watched, Urgency::Urgent, now)).await;
        self.last_looks.answer(&self.tenant, &watched.ticket.id, now);
        // With neither an answer nor the budget for one in that time, SuperOps' own word has to do.
        look.unwrap_or(Ok(()))
    }

    /// The rules by which the clocks of the tenant's tickets are told.
    async fn rules(&mut self) -> Result<Arc<TenantRules>, StoreError> {
        let directory = self.store.directory(&self.tenant).await?;
        if let Some((known, rules)) = &self.rules
            && Arc::ptr_eq(known, &directory)
        {
            return Ok(rules.clone());
        }
        let rules = Arc::new(TenantRules::new(self.rules_config.clone(), &directory));
        self.rules = Some((directory, rules.clone()));
        Ok(rules)
    }

    /// How soon its conversations are to be read; none: not at all.
    fn press(&self, watched: &Watched, rules: &TenantRules, now: DateTime<Utc>) -> Option<ReadPriority> {
        let ticket = &watched.ticket;
        let last = self.last_reads.get(&ticket.id);
        let awaits = self.awaits_response(watched);
        let clock = awaits.then(|| clock::assess(watched, ClockKind::FirstResponse, rules, now));
        // A poll may come late; what is breached for longer was told of long ago.
        let lately = now - self.poll_interval * 2;
        let is_up = |from: &DateTime<Utc>| *from <= now && *from >= lately && last.is_none_or(|last| last.at < *from);
        if clock.and_then(|clock| clock.breached_from).is_some_and(|from| is_up(&from)) {
            return Some(ReadPriority::LastLook);
        }
        let looked = last.is_some_and(|last| last.update == ticket.updated_at);
        if looked || ticket.updated_at <= ticket.created_at || watched.conversation.read_of == ticket.updated_at {
            return None;
        }
        if let Some(clock) = clock {
            let is_past_half = clock.elapsed_share().is_some_and(|share| share >= 0.5);
            return is_past_half.then_some(ReadPriority::Unanswered);
        }
        if self.promises_next(ticket) {
            return Some(ReadPriority::PromisedNext);
        }
        let reported = ticket.first_response.met_at;
        let matters = |at: DateTime<Utc>| at >= watched.first_seen_at || !self.rules_config.automation_answers;
        let unattributed = watched.conversation.read_of.is_none() && reported.is_some_and(matters);
        unattributed.then_some(ReadPriority::Unattributed)
    }

    /// Whether no first response is known that counts.
    fn awaits_response(&self, watched: &Watched) -> bool {
        let reported = watched.ticket.first_response.met_at.is_some();
        watched.replied_at.is_none() && (!reported || self.is_ignored(&watched.conversation))
    }

    /// Whether the response that SuperOps counts was automatic, and does not count here.
    fn is_ignored(&self, conversation: &ConversationSummary) -> bool {
        conversation.first_answer == Some(Answerer::Automation) && !self.rules_config.automation_answers
    }

    fn promises_next(&self, ticket: &Ticket) -> bool {
        let policy = policy::applicable(&self.policies, &self.tenant, &Traits::of(ticket));
        policy.is_some_and(|policy| policy.next_response.is_some())
    }

    async fn look_at(&mut self, watched: &Watched, urgency: Urgency, now: DateTime<Utc>) -> Result<(), SyncError> {
        let ticket = &watched.ticket;
        let look = LastRead { update: ticket.updated_at, at: now };
        let conversations = match self.client.conversations(&ticket.id, urgency).await {
            Ok(conversations) => conversations,
            Err(error) if error.needs_a_person() || error == ApiError::Throttled => return Err(error.into()),
            // Whatever it is about this one, SuperOps' own time of response has to do.
            Err(error) => {
                debug!(tenant = %self.tenant, ticket = %ticket.id, %error, "the conversations of `{}` cannot be read", ticket.id);
                self.last_reads.insert(ticket.id.clone(), look);
                return Ok(());
            }
        };
        let said: Vec<_> = conversations.iter().filter_map(said).collect();
        let conversation = ConversationSummary {
            read_of: ticket.updated_at,
            ..ConversationSummary::by_authors(said, ticket.first_response.met_at)
        };
        self.store.save_conversation(&self.tenant, &ticket.id, conversation.clone()).await?;
        let replies = conversations.iter().filter(|entry| entry.kind == ConversationKind::TechnicianReply);
        let unanswered = self.awaits_response(&Watched { conversation, ..watched.clone() });
        if let Some(at) = replies.map(|entry| entry.at).min().filter(|_| unanswered) {
            self.store.save_reply(&self.tenant, &ticket.id, at).await?;
        }
        self.last_reads.insert(ticket.id.clone(), look);
        self.nudge.notify_one();
        Ok(())
    }
}

/// Whose words an entry is; none where it is nobody's answer.
fn said(entry: &Conversation) -> Option<Said> {
    let voice = match entry.kind {
        ConversationKind::RequesterReply => Voice::Client,
        ConversationKind::TechnicianReply => Voice::Technician,
        ConversationKind::RequesterNotice => Voice::Automation,
        _ => return None,
    };
    Some(Said { at: entry.at, voice, by: entry.author.clone() })
}
