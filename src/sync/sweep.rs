//! The sweep over all open tickets: what time alone changes need not touch the
//! time of update, and what is gone leaves no trace in any list.

use chrono::{DateTime, Utc};
use tracing::{info, warn};

use super::keep::{Pages, pages};
use super::{Answer, SyncError, TenantSync, TurnReport, pace};
use crate::store::sync::SyncState;
use crate::superops::{ApiError, Order, TicketAsk, Urgency};
use crate::ticket::watch::Bounds;
use crate::ticket::{StatusMeaning, TicketId};

/// Tickets read one by one after a sweep; the rest wait for the next one.
const SINGLES: usize = 20;
/// So many single reads may fail before the rest is put off.
const FAILURES: usize = 3;
/// Not seen by so many sweeps, and unknown when asked for: it has vanished.
const MISSES: i64 = 2;

impl TenantSync {
    /// Reads all open tickets, if it is time to.
    pub(super) async fn sweep_if_due(&mut self, now: DateTime<Utc>, report: &mut TurnReport) -> Result<(), SyncError> {
        if !self.may_filter(now) {
            return Ok(());
        }
        let open = self.store.open_tickets(&self.tenant).await?.len();
        let interval = pace::sweep_interval(open, self.client.budget());
        if self.state.swept_at.is_some_and(|at| now < at + interval) {
            return Ok(());
        }
        let leave_out = self.closed_names().await?;
        if leave_out.is_empty() {
            return Ok(());
        }
        if self.sweep(leave_out, now, report).await? {
            report.swept = true;
            self.look_for_missing(now, true, report).await?;
        }
        Ok(())
    }

    /// Reads the tickets of all statuses but these; false if that cannot be done.
    async fn sweep(
        &mut self,
        leave_out_statuses: Vec<String>,
        now: DateTime<Utc>,
        report: &mut TurnReport,
    ) -> Result<bool, SyncError> {
        let order = if self.state.sort_broken_at.is_none() { Order::UpdatedDesc } else { Order::Unsorted };
        let ask = TicketAsk { leave_out_statuses, ..TicketAsk::all(1, order) };
        let (pages, waiting) = pages();
        let (read, kept) = tokio::join!(self.read_open(ask, now, pages), self.keep_pages(waiting));
        self.settle(kept, report)?;
        match read? {
            Some(how) => self.give_up_filter(how, now).await,
            None => Ok(true),
        }
    }

    /// Reads page after page; says how the filter does not work, if so.
    async fn read_open(
        &self,
        mut ask: TicketAsk,
        now: DateTime<Utc>,
        pages: Pages,
    ) -> Result<Option<&'static str>, ApiError> {
        loop {
            let answer = match self.ask(&ask, Urgency::Routine).await {
                // It may have been the order that was refused.
                Err(ApiError::RefusedQuery { .. }) if ask.order == Order::UpdatedDesc => {
                    ask.order = Order::Unsorted;
                    continue;
                }
                Err(ApiError::RefusedQuery { .. }) => return Ok(Some("refused")),
                answer => answer?,
            };
            let ignored = holds_any(&answer, &ask.leave_out_statuses);
            let last = !answer.has_more();
            let state = (last && !ignored).then(|| self.swept(now));
            // If saving has failed, it says why.
            let failed = pages.send((answer, state)).await.is_err();
            if ignored || last || failed {
                return Ok(ignored.then_some("ignored"));
            }
            ask.page += 1;
        }
    }

    fn swept(&self, now: DateTime<Utc>) -> SyncState {
        SyncState { swept_at: Some(now), good_at: Some(now), filter_broken_at: None, ..self.state.clone() }
    }

    /// The names of closed statuses, as SuperOps writes them.
    async fn closed_names(&self) -> Result<Vec<String>, SyncError> {
        let directory = self.store.directory(&self.tenant).await?;
        let names = match directory.statuses.as_slice() {
            // The list may be closed to our token: then by the tickets we have seen.
            [] => self.store.statuses_seen(&self.tenant).await?,
            listed => listed.to_vec(),
        };
        let closed = |name: &String| self.words.meaning(Some(name)) == StatusMeaning::Closed;
        Ok(names.into_iter().filter(closed).collect())
    }

    /// Asks one by one for the tickets that should have been seen since `since` and were not.
    pub(super) async fn look_for_missing(
        &mut self,
        since: DateTime<Utc>,
        only_open: bool,
        report: &mut TurnReport,
    ) -> Result<(), SyncError> {
        let missing = self.store.unseen_since(&self.tenant, since, only_open).await?;
        let mut failures = 0;
        for id in missing.into_iter().take(SINGLES) {
            match self.read_single(&id, report).await {
                // One ticket that cannot be read must not hold up the others, nor the turn.
                Err(SyncError::Api(error)) if !error.needs_a_person() && error != ApiError::Throttled => {
                    failures += 1;
                    warn!(tenant = %self.tenant, ticket = %id, %error, "ticket `{id}` is missing and could not be asked for");
                }
                result => result?,
            }
            if failures == FAILURES {
                break;
            }
        }
        Ok(())
    }

    async fn read_single(&mut self, id: &TicketId, report: &mut TurnReport) -> Result<(), SyncError> {
        let earliest = self.clock.now();
        let page = self.client.single(id, Urgency::Routine).await?;
        let read = Bounds { earliest, latest: self.clock.now() };
        if !page.tickets.is_empty() {
            return self.save(Answer { number: 1, page, read }, None, report).await;
        }
        if self.store.mark_missed(&self.tenant, id).await? >= MISSES {
            self.store.mark_vanished(&self.tenant, id, read).await?;
            report.vanished += 1;
            self.nudge.notify_one();
            info!(tenant = %self.tenant, ticket = %id, "ticket `{id}` has vanished: deleted, merged, or no longer ours to see");
        }
        Ok(())
    }
}

fn holds_any(answer: &Answer, statuses: &[String]) -> bool {
    answer.page.tickets.iter().any(|ticket| ticket.status.as_ref().is_some_and(|status| statuses.contains(status)))
}
