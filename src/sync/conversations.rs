//! Reads the conversations of tickets: in turns of sync, and beside them when a breach waits for a look.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::{StreamExt, stream};
use tokio::sync::Notify;
use tracing::debug;

use super::SyncError;
use crate::clock::SharedClock;
use crate::last_looks::LastLooks;
use crate::sla::tenant_rules::RulesConfig;
use crate::store::Store;
use crate::superops::{ApiError, Conversation, ConversationKind, SuperOps, Urgency};
use crate::ticket::conversation::{Answerer, ConversationSummary, Said, Voice};
use crate::ticket::watch::Watched;
use crate::ticket::{TenantId, TicketId};

/// One in so many of a minute's requests may be a last look.
const A_SHARE: u32 = 6;
/// So many last looks are under way at a time: each waits for an answer.
const AT_ONCE: usize = 4;
/// A last look takes no longer than this on the wall: a breach waits for it.
const LONGEST_LOOK: Duration = Duration::from_secs(4);

/// When the conversations of a ticket were last read.
#[derive(Clone, Copy, Debug)]
pub(super) struct LastRead {
    /// The ticket's update as of then.
    pub update: Option<DateTime<Utc>>,
    pub at: DateTime<Utc>,
}

/// Reads the conversations of one tenant's tickets. Shared as an `Arc`.
pub(super) struct ConversationReader {
    pub tenant: TenantId,
    pub client: Arc<SuperOps>,
    pub store: Store,
    /// Rung after each read, for whoever evaluates.
    pub nudge: Arc<Notify>,
    pub last_looks: Arc<LastLooks>,
    pub last_reads: Mutex<HashMap<TicketId, LastRead>>,
    /// Whether an automatic first response counts.
    pub automation_answers: bool,
}

impl ConversationReader {
    /// The same, by these rules.
    pub fn by_rules(&self, rules: &RulesConfig) -> Arc<Self> {
        Arc::new(Self {
            tenant: self.tenant.clone(),
            client: self.client.clone(),
            store: self.store.clone(),
            nudge: self.nudge.clone(),
            last_looks: self.last_looks.clone(),
            last_reads: Mutex::default(),
            automation_answers: rules.automation_answers,
        })
    }

    /// Reads conversations whenever a breach waits for that. It never ends.
    pub async fn look_whenever_wanted(&self, clock: &SharedClock) {
        self.last_looks.begin_anew(&self.tenant);
        loop {
            self.last_looks.one_is_wanted(&self.tenant).await;
            if let Err(error) = self.take_last_looks(clock.now()).await {
                debug!(tenant = %self.tenant, %error, "conversations could not be read once more");
            }
        }
    }

    /// Reads the conversations that a breach waits for, as far as the budget allows; the others wait no longer.
    pub async fn take_last_looks(&self, now: DateTime<Utc>) -> Result<(), SyncError> {
        let wanted = self.last_looks.begin(&self.tenant);
        if wanted.is_empty() {
            return Ok(());
        }
        let open = self.store.open_tickets(&self.tenant).await;
        let most = usize::try_from(self.client.budget() / A_SHARE).unwrap_or(usize::MAX).max(1);
        let failed = OnceLock::new();
        let look = async |(index, id): (usize, &TicketId)| {
            let watched = open.as_ref().ok().and_then(|open| open.get(id));
            match watched.filter(|_| index < most && failed.get().is_none()) {
                Some(watched) => {
                    if let Err(error) = self.take_last_look(watched, now).await {
                        let _ = failed.set(error);
                    }
                }
                None => self.last_looks.answer(&self.tenant, id, now),
            }
        };
        stream::iter(wanted.iter().enumerate()).for_each_concurrent(AT_ONCE, look).await;
        self.nudge.notify_one();
        open?;
        failed.into_inner().map_or(Ok(()), Err)
    }

    /// Reads a conversation once more before a breach is raised. Whatever comes of it, that waits no longer.
    pub async fn take_last_look(&self, watched: &Watched, now: DateTime<Utc>) -> Result<(), SyncError> {
        let look = tokio::time::timeout(LONGEST_LOOK, self.look_at(watched, Urgency::Urgent, now)).await;
        self.last_looks.answer(&self.tenant, &watched.ticket.id, now);
        self.nudge.notify_one();
        // With neither an answer nor the budget for one in that time, SuperOps' own word has to do.
        look.unwrap_or(Ok(()))
    }

    /// Reads the conversation of a ticket, and remembers who said what.
    pub async fn look_at(&self, watched: &Watched, urgency: Urgency, now: DateTime<Utc>) -> Result<(), SyncError> {
        let ticket = &watched.ticket;
        let look = LastRead { update: ticket.updated_at, at: now };
        let conversations = match self.client.conversations(&ticket.id, urgency).await {
            Ok(conversations) => conversations,
            Err(error) if error.needs_a_person() || error == ApiError::Throttled => return Err(error.into()),
            // Whatever it is about this one, SuperOps' own time of response has to do.
            Err(error) => {
                debug!(tenant = %self.tenant, ticket = %ticket.id, %error, "the conversations of `{}` cannot be read", ticket.id);
                self.last_reads().insert(ticket.id.clone(), look);
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
        self.last_reads().insert(ticket.id.clone(), look);
        self.nudge.notify_one();
        Ok(())
    }

    /// When the conversations of `ticket` were last read.
    pub fn last_read(&self, ticket: &TicketId) -> Option<LastRead> {
        self.last_reads().get(ticket).copied()
    }

    /// Forgets the tickets that are not `open` any more.
    pub fn tidy(&self, open: impl Fn(&TicketId) -> bool) {
        self.last_reads().retain(|id, _| open(id));
        self.last_looks.tidy(&self.tenant, open);
    }

    /// Whether no first response is known that counts.
    pub fn awaits_response(&self, watched: &Watched) -> bool {
        let reported = watched.ticket.first_response.met_at.is_some();
        watched.replied_at.is_none() && (!reported || self.is_ignored(&watched.conversation))
    }

    /// Whether the response that SuperOps counts was automatic, and does not count here.
    fn is_ignored(&self, conversation: &ConversationSummary) -> bool {
        conversation.first_answer == Some(Answerer::Automation) && !self.automation_answers
    }

    fn last_reads(&self) -> MutexGuard<'_, HashMap<TicketId, LastRead>> {
        // A panic under this lock leaves at worst one read too many.
        self.last_reads.lock().unwrap_or_else(PoisonError::into_inner)
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
