//! Finds replies that SuperOps has not counted: a ticket that looks unanswered may have an answer from a technician in
//! its conversation.
//!
//! A conversation is read only if that matters and the ticket was touched since the last look: if more than half of its
//! response time has passed, or all of it; if its policy promises an answer to each message of the client; or if its
//! first response came while we watched and it is not known yet whether a technician gave it. Where an automatic one
//! does not count, that matters for every first response, also on a ticket that was never touched. It is read once more,
//! touched or not, when the time is up by the clock that alerts go by, so that an answered ticket is not called
//! breached. That breach waits for the look, so it is taken at once, beside the turns, and within a few seconds or not
//! at all. If SuperOps fails, the conversation is asked for again a minute later, and then less and less often.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::{SyncError, TenantSync};
use crate::sla::clock;
use crate::sla::policy::{self, Traits};
use crate::sla::tenant_rules::TenantRules;
use crate::store::StoreError;
use crate::superops::Urgency;
use crate::ticket::watch::Watched;
use crate::ticket::{ClockKind, Ticket};

/// How many tickets are looked at in one turn, the most pressing first.
const A_TURN: usize = 3;

/// How soon a conversation should be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum ReadPriority {
    /// The time is up: a breach waits for the look.
    LastLook,
    Unanswered,
    PromisedNext,
    Unattributed,
}

impl TenantSync {
    /// Looks for replies on the few tickets where one would matter most.
    pub(super) async fn look_for_replies(&mut self, now: DateTime<Utc>) -> Result<(), SyncError> {
        self.conversations.take_last_looks(now).await;
        let open = self.store.open_tickets(&self.tenant).await?;
        self.conversations.tidy(|id| open.contains_key(id));
        let rules = self.rules().await?;
        let mut pressing: Vec<_> =
            open.values().filter_map(|one| Some((self.press(one, &rules, now)?, one.clone()))).collect();
        // Conversations that were never read come before those to be read again: a month cannot be closed without them.
        // Those that failed come last, in turns, or a few that always fail would hide all others.
        pressing.sort_by_key(|(press, one)| {
            let failed = self.conversations.last_read(&one.ticket.id).and_then(|last| last.again_at);
            (failed, *press, one.conversation.read_of.is_some(), one.ticket.first_response.due, one.ticket.id.clone())
        });
        self.note_unheard(pressing.iter().map(|(_, watched)| &**watched)).await?;
        for (index, (press, watched)) in pressing.into_iter().enumerate() {
            match press {
                _ if index >= A_TURN => break,
                ReadPriority::LastLook => self.conversations.take_last_look(&watched, now).await?,
                _ => self.conversations.look_at(&watched, Urgency::Background, now).await?,
            }
        }
        Ok(())
    }

    /// Stores since when a conversation has been waiting for its first reading, which comes in this turn at the
    /// earliest.
    async fn note_unheard(&mut self, pressing: impl Iterator<Item = &Watched>) -> Result<(), StoreError> {
        let unheard = pressing.filter(|watched| watched.conversation.read_of.is_none());
        let since = unheard.filter_map(|watched| watched.ticket.created_at).min();
        if self.state.unheard_since == since {
            return Ok(());
        }
        self.state.unheard_since = since;
        self.store.save_sync_state(&self.tenant, self.state.clone()).await
    }

    /// Returns the rules that the tenant's clocks follow.
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

    /// Returns how soon a ticket's conversation should be read. `None` if not at all.
    fn press(&self, watched: &Watched, rules: &TenantRules, now: DateTime<Utc>) -> Option<ReadPriority> {
        let ticket = &watched.ticket;
        let last = self.conversations.last_read(&ticket.id);
        let awaits = self.conversations.awaits_response(watched);
        let clock = awaits.then(|| clock::assess(watched, ClockKind::FirstResponse, rules, now));
        // A poll may come late; a breach older than this has long been announced.
        let lately = now - self.poll_interval * 2;
        let is_due_again = last.is_some_and(|last| last.is_due_again(now));
        let is_missed = |from: DateTime<Utc>| is_due_again || last.is_none_or(|last| last.at < from);
        let is_up = |from: &DateTime<Utc>| *from <= now && *from >= lately && is_missed(*from);
        if clock.and_then(|clock| clock.breached_from).is_some_and(|from| is_up(&from)) {
            return Some(ReadPriority::LastLook);
        }
        let looked = last.is_some_and(|last| last.update == ticket.updated_at) && !is_due_again;
        let reported = ticket.first_response.met_at;
        // An automatic mail need not move the time of update.
        let may_be_automatic = reported.is_some() && !self.rules_config.automation_answers;
        let untouched = ticket.updated_at <= ticket.created_at && !may_be_automatic;
        if looked || untouched || watched.conversation.read_of == ticket.updated_at {
            return None;
        }
        if clock.and_then(|clock| clock.elapsed_share()).is_some_and(|share| share >= 0.5) {
            return Some(ReadPriority::Unanswered);
        }
        if self.promises_next(ticket) {
            return Some(ReadPriority::PromisedNext);
        }
        let matters = |at: DateTime<Utc>| at >= watched.first_seen_at || may_be_automatic;
        let unread = watched.conversation.read_of.is_none();
        let unattributed = clock.is_none() && unread && reported.is_some_and(matters);
        unattributed.then_some(ReadPriority::Unattributed)
    }

    fn promises_next(&self, ticket: &Ticket) -> bool {
        let policy = policy::applicable(&self.policies, &self.tenant, &Traits::of(ticket));
        policy.is_some_and(|policy| policy.next_response.is_some())
    }
}
