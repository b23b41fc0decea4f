//! Reads the conversations of tickets: in turns of sync, and beside them when a breach waits for a last look.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::stream::FuturesUnordered;
use futures_util::{StreamExt, stream};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use tokio::sync::Notify;
use tracing::debug;

use super::{SyncError, Wiring};
use crate::clock::SharedClock;
use crate::config;
use crate::last_looks::LastLooks;
use crate::store::Store;
use crate::superops::{ApiError, Conversation, ConversationKind, SuperOps, Urgency};
use crate::ticket::conversation::{Answerer, ConversationSummary, Said, Voice};
use crate::ticket::watch::Watched;
use crate::ticket::{TenantId, TicketId};

/// One in this many of a minute's requests may be a last look, and as many again after a quiet minute.
const A_SHARE: u32 = 4;
/// The most last looks that are under way at a time: each waits for an answer.
const AT_ONCE: usize = 8;
/// A last look takes no longer than this on the wall: a breach waits for it.
const LONGEST_LOOK: Duration = Duration::from_secs(4);

/// How soon a conversation that could not be read for a passing reason is asked for again; each time twice as late.
const AGAIN: TimeDelta = TimeDelta::minutes(1);
/// The longest time until it is asked for again.
const LATEST_AGAIN: TimeDelta = TimeDelta::hours(1);

/// When the conversations of a ticket were last read, or asked for in vain.
#[derive(Clone, Copy, Debug)]
pub(super) struct LastRead {
    /// The time of the ticket's update then.
    pub update: Option<DateTime<Utc>>,
    pub at: DateTime<Utc>,
    /// When to ask again, though the ticket was not updated, because SuperOps failed.
    pub again_at: Option<DateTime<Utc>>,
}

impl LastRead {
    /// Whether it is time to ask again after a failure.
    pub fn is_due_again(&self, now: DateTime<Utc>) -> bool {
        self.again_at.is_some_and(|at| at <= now)
    }
}

/// Reads the conversations of one tenant's tickets. Cheap to clone; the clones share what they know.
#[derive(Clone)]
pub(super) struct ConversationReader {
    tenant: TenantId,
    client: Arc<SuperOps>,
    store: Store,
    /// Notified after each read, for the evaluation.
    nudge: Arc<Notify>,
    pub last_looks: Arc<LastLooks>,
    /// Whether an automatic first response counts.
    pub automation_answers: bool,
    last_reads: Arc<Mutex<HashMap<TicketId, LastRead>>>,
    /// The requests that last looks may take.
    share: Arc<DefaultDirectRateLimiter>,
}

impl ConversationReader {
    pub fn new(tenant: &config::Tenant, wiring: &Wiring) -> Self {
        let a_minute = NonZeroU32::new(wiring.client.budget() / A_SHARE).unwrap_or(NonZeroU32::MIN);
        Self {
            tenant: tenant.id.clone(),
            client: wiring.client.clone(),
            store: wiring.store.clone(),
            nudge: wiring.nudge.clone(),
            last_looks: wiring.last_looks.clone(),
            automation_answers: tenant.automation_answers,
            last_reads: Arc::default(),
            share: Arc::new(RateLimiter::direct(Quota::per_minute(a_minute))),
        }
    }

    /// Reads conversations whenever a breach waits for one. Never returns.
    pub async fn look_whenever_wanted(&self, clock: &SharedClock) {
        self.last_looks.begin_anew(&self.tenant);
        let mut looks = FuturesUnordered::new();
        loop {
            tokio::select! {
                ticket = self.last_looks.begin(&self.tenant), if looks.len() < AT_ONCE => {
                    looks.push(self.answer(ticket, clock.now()));
                }
                Some(()) = looks.next() => {}
            }
        }
    }

    /// Takes the last looks that are wanted now.
    pub async fn take_last_looks(&self, now: DateTime<Utc>) {
        let wanted = stream::iter(std::iter::from_fn(|| self.last_looks.try_begin(&self.tenant)));
        wanted.for_each_concurrent(AT_ONCE, |ticket| self.answer(ticket, now)).await;
    }

    /// Lets the breach of `ticket` wait no longer: after a look, if the budget has one left.
    async fn answer(&self, ticket: TicketId, now: DateTime<Utc>) {
        let looked = match self.store.open_tickets(&self.tenant).await {
            Ok(open) => match open.get(&ticket).filter(|_| self.share.check().is_ok()) {
                Some(watched) => self.look_briefly(watched, now).await,
                None => Ok(()),
            },
            Err(error) => Err(error.into()),
        };
        if let Err(error) = looked {
            debug!(tenant = %self.tenant, %ticket, %error, "the conversations of `{ticket}` could not be read once more");
        }
        self.let_go(&ticket, now);
    }

    /// Reads a conversation once more before a breach is raised. The breach stops waiting, whatever the outcome.
    pub async fn take_last_look(&self, watched: &Watched, now: DateTime<Utc>) -> Result<(), SyncError> {
        let looked = self.look_briefly(watched, now).await;
        self.let_go(&watched.ticket.id, now);
        looked
    }

    /// Lets the breach of `ticket` wait no longer.
    fn let_go(&self, ticket: &TicketId, now: DateTime<Utc>) {
        self.last_looks.answer(&self.tenant, ticket, now);
        self.nudge.notify_one();
    }

    /// Reads a conversation that a breach waits for. If no answer comes in time, or there is no budget for one, SuperOps'
    /// own time of response has to do.
    async fn look_briefly(&self, watched: &Watched, now: DateTime<Utc>) -> Result<(), SyncError> {
        let look = self.look_at(watched, Urgency::Urgent, now);
        tokio::time::timeout(LONGEST_LOOK, look).await.unwrap_or(Ok(()))
    }

    /// Reads the conversation of a ticket, and stores who said what.
    pub async fn look_at(&self, watched: &Watched, urgency: Urgency, now: DateTime<Utc>) -> Result<(), SyncError> {
        let ticket = &watched.ticket;
        let look = LastRead { update: ticket.updated_at, at: now, again_at: None };
        let conversations = match self.client.conversations(&ticket.id, urgency).await {
            Ok(conversations) => conversations,
            Err(error) if error.needs_a_person() || error == ApiError::Throttled => return Err(error.into()),
            // Whatever is wrong with this one, SuperOps' own time of response has to do.
            Err(error) => {
                debug!(tenant = %self.tenant, ticket = %ticket.id, %error, "the conversations of `{}` cannot be read", ticket.id);
                let again_at = error.retryable().then(|| now + self.wait_after_failure(&ticket.id));
                self.last_reads().insert(ticket.id.clone(), LastRead { again_at, ..look });
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

    /// Returns when the conversations of `ticket` were last read.
    pub fn last_read(&self, ticket: &TicketId) -> Option<LastRead> {
        self.last_reads().get(ticket).copied()
    }

    /// Returns how long to wait before asking once more for what SuperOps has just failed to give.
    fn wait_after_failure(&self, ticket: &TicketId) -> TimeDelta {
        let waited = self.last_read(ticket).and_then(|last| Some(last.again_at? - last.at));
        waited.map_or(AGAIN, |waited| (waited * 2).min(LATEST_AGAIN))
    }

    /// Forgets the tickets that are no longer `open`.
    pub fn tidy(&self, open: impl Fn(&TicketId) -> bool) {
        self.last_reads().retain(|id, _| open(id));
        self.last_looks.tidy(&self.tenant, open);
    }

    /// Whether no first response that counts is known.
    pub fn awaits_response(&self, watched: &Watched) -> bool {
        let reported = watched.ticket.first_response.met_at.is_some();
        watched.replied_at.is_none() && (!reported || self.is_ignored(&watched.conversation))
    }

    /// Whether the response that SuperOps counts was automatic and does not count here.
    fn is_ignored(&self, conversation: &ConversationSummary) -> bool {
        conversation.first_answer == Some(Answerer::Automation) && !self.automation_answers
    }

    fn last_reads(&self) -> MutexGuard<'_, HashMap<TicketId, LastRead>> {
        // A panic under this lock costs one read too many at worst.
        self.last_reads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns whose words an entry is. `None` if it counts as nobody's.
fn said(entry: &Conversation) -> Option<Said> {
    let voice = match entry.kind {
        ConversationKind::RequesterReply => Voice::Client,
        ConversationKind::TechnicianReply => Voice::Technician,
        ConversationKind::RequesterNotice => Voice::Automation,
        _ => return None,
    };
    Some(Said { at: entry.at, voice, by: entry.author.clone() })
}
