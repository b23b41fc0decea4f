//! The sweep over all open tickets: what time alone changes need not touch the
//! time of update, and what is gone leaves no trace in any list.

use chrono::{DateTime, Utc};

use super::keep::{Pages, pages};
use super::missing::Search;
use super::{Answer, SyncError, TenantSync, TurnReport, pace};
use crate::store::sync::SyncState;
use crate::superops::{ApiError, Order, TicketAsk, Urgency};
use crate::ticket::StatusMeaning;

/// How far the reading of the open tickets has come.
enum Reached {
    End,
    /// Something waits for a look at its conversation; it goes on with this page.
    Pause(TicketAsk),
    /// The filter does not work, as this word says.
    Nothing(&'static str),
}

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
            let whole = self.state.sweep_ends_at.is_none();
            self.look_for_missing(Search { since: now, only_open: true, whole }, now, report).await?;
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
        let mut ask = TicketAsk { leave_out_statuses, ..TicketAsk::all(1, order) };
        loop {
            let (pages, waiting) = pages();
            let (read, kept) = tokio::join!(self.read_open(ask, now, pages), self.keep_pages(waiting));
            self.settle(kept, report)?;
            match read? {
                Reached::End => return Ok(true),
                Reached::Nothing(how) => return self.give_up_filter(how, now).await,
                Reached::Pause(next) => {
                    self.take_last_looks(self.clock.now()).await?;
                    ask = next;
                }
            }
        }
    }

    /// Reads page after page, until the end or until a breach waits for a look at a conversation: a large desk has a
    /// hundred pages, and no breach is to wait for so many.
    async fn read_open(&self, mut ask: TicketAsk, now: DateTime<Utc>, pages: Pages) -> Result<Reached, ApiError> {
        loop {
            tokio::select! {
                // Where a page may go it does: however many looks are wanted, the reading comes to its end.
                biased;
                () = self.client.free_for(Urgency::Routine) => {}
                () = self.last_looks.one_is_wanted(&self.tenant) => return Ok(Reached::Pause(ask)),
            }
            let answer = match self.ask(&ask, Urgency::Routine).await {
                // It may have been the order that was refused.
                Err(ApiError::RefusedQuery { .. }) if ask.order == Order::UpdatedDesc => {
                    ask.order = Order::Unsorted;
                    continue;
                }
                Err(ApiError::RefusedQuery { .. }) => return Ok(Reached::Nothing("refused")),
                Err(ApiError::TooDeep { page, .. }) => {
                    let state = SyncState { sweep_ends_at: Some(page - 1), ..self.swept(now) };
                    drop(pages.send((Answer::nothing(now), Some(state))).await);
                    return Ok(Reached::End);
                }
                answer => answer?,
            };
            let ignored = holds_any(&answer, &ask.leave_out_statuses);
            let last = !answer.has_more();
            let state = (last && !ignored).then(|| self.swept(now));
            // If saving has failed, it says why.
            let failed = pages.send((answer, state)).await.is_err();
            if ignored {
                return Ok(Reached::Nothing("ignored"));
            }
            if last || failed {
                return Ok(Reached::End);
            }
            ask.page += 1;
            if !self.last_looks.wanted(&self.tenant).is_empty() {
                return Ok(Reached::Pause(ask));
            }
        }
    }

    fn swept(&self, now: DateTime<Utc>) -> SyncState {
        SyncState {
            swept_at: Some(now),
            good_at: Some(now),
            filter_broken_at: None,
            sweep_ends_at: None,
            ..self.state.clone()
        }
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
}

fn holds_any(answer: &Answer, statuses: &[String]) -> bool {
    answer.page.tickets.iter().any(|ticket| ticket.status.as_ref().is_some_and(|status| statuses.contains(status)))
}
