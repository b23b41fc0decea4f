//! The sweep over all open tickets. What changes by time alone need not touch the time of update, and a ticket that is
//! gone leaves no trace in any list.

use chrono::{DateTime, Utc};

use super::keep::{Pages, pages};
use super::missing::Search;
use super::{Answer, SyncError, TenantSync, TurnReport, pace};
use crate::store::sync::SyncState;
use crate::superops::{ApiError, Order, Seen, TicketAsk, Urgency};
use crate::ticket::StatusMeaning;

impl TenantSync {
    /// Reads all open tickets, if that is due.
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

    /// Reads the tickets in all statuses but these. Returns false if that does not work.
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

    /// Reads page after page. If the filter does not work, says how.
    async fn read_open(
        &self,
        mut ask: TicketAsk,
        now: DateTime<Utc>,
        pages: Pages,
    ) -> Result<Option<&'static str>, ApiError> {
        let mut seen = Seen::default();
        loop {
            let answer = match self.ask(&ask, Urgency::Routine).await {
                // The sort may be what was refused.
                Err(ApiError::RefusedQuery { .. }) if ask.order == Order::UpdatedDesc => {
                    (ask.order, seen) = (Order::Unsorted, Seen::default());
                    continue;
                }
                Err(ApiError::RefusedQuery { .. }) => return Ok(Some("refused")),
                Err(ApiError::TooDeep { page, .. }) => {
                    let state = SyncState { sweep_ends_at: Some(page - 1), ..self.swept(now) };
                    drop(pages.send((Answer::nothing(now), Some(state))).await);
                    return Ok(None);
                }
                answer => answer?,
            };
            let ignored = holds_any(&answer, &ask.leave_out_statuses);
            let last = !self.goes_on(&answer, &mut seen);
            let state = (last && !ignored).then(|| self.swept(now));
            // If saving has failed, the saving side reports why.
            let failed = pages.send((answer, state)).await.is_err();
            if ignored || last || failed {
                return Ok(ignored.then_some("ignored"));
            }
            ask.page += 1;
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

    /// Returns the names of closed statuses, as SuperOps writes them.
    async fn closed_names(&self) -> Result<Vec<String>, SyncError> {
        let directory = self.store.directory(&self.tenant).await?;
        let names = match directory.statuses.as_slice() {
            // Our token may not see the list: fall back on the statuses of the tickets seen so far.
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
