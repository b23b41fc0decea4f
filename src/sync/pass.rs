//! The pass over all tickets: the first reading of an account, and once a day
//! after that for what the shorter ways cannot see (imports with an old time of
//! update, restored tickets, quiet edits).
//!
//! Each page is saved with the number of the next one, so that after a crash
//! the pass goes on where it was.

use chrono::{DateTime, Utc};
use tracing::info;

use super::changes::{Scan, Step};
use super::keep::{Pages, pages};
use super::progress::Progress;
use super::{Answer, SyncError, TenantSync, TurnReport, pace};
use crate::store::sync::{FullPass, SyncState};
use crate::superops::{ApiError, Order, TicketAsk, Urgency};

/// Pages of one turn at the most; fewer if the next turn is due, so that changes are not kept waiting.
pub(super) const PAGES: usize = 10;

/// How far to read in one go.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stint {
    pub now: DateTime<Utc>,
    /// At that time something else is due.
    pub until: DateTime<Utc>,
    /// Pages at the most; at least one is read.
    pub most: usize,
}

impl TenantSync {
    /// Reads the next pages of the pass under way; begins a pass when it is time to.
    pub(super) async fn read_pass(&mut self, stint: Stint, report: &mut TurnReport) -> Result<(), SyncError> {
        let now = stint.now;
        self.begin_pass_if_due(now);
        while let Some(pass) = self.state.full.clone() {
            let order = if pass.sorted { Order::UpdatedDesc } else { Order::Unsorted };
            let begin = || Progress::begin(&self.tenant, pass.next_page - 1, now);
            let mut progress = self.progress.take().unwrap_or_else(begin);
            let (pages, waiting) = pages();
            let reading = self.read_pages(stint, order, pages, &mut progress);
            let (read, kept) = tokio::join!(reading, self.keep_pages(waiting));
            self.progress = Some(progress);
            self.settle(kept, report)?;
            if let Some(how) = read? {
                self.give_up_sort(how, now).await?;
                continue;
            }
            if self.state.full.is_none() {
                self.end_pass(&pass, report).await?;
            }
            break;
        }
        report.pass_under_way = self.state.full.is_some();
        Ok(())
    }

    /// Reads page after page; says how the order was not kept, if so.
    async fn read_pages(
        &self,
        stint: Stint,
        order: Order,
        pages: Pages,
        progress: &mut Progress,
    ) -> Result<Option<&'static str>, ApiError> {
        let mut state = self.state.clone();
        let mut left = stint.most;
        while let Some(pass) = state.full.take().filter(|_| left > 0) {
            left = if self.is_wanted(stint.until) { 0 } else { left - 1 };
            let answer = match self.ask_page(pass.next_page, order).await {
                Err(ApiError::RefusedQuery { .. }) if order == Order::UpdatedDesc => return Ok(Some("refused")),
                answer => answer?,
            };
            if order == Order::UpdatedDesc && is_out_of_order(&answer, stint.now) {
                return Ok(Some("ignored"));
            }
            state = after_page(state, &answer, pass, order);
            self.show_progress(progress, &state);
            if pages.send((answer, Some(state.clone()))).await.is_err() {
                // Saving has failed, and says why.
                break;
            }
        }
        Ok(None)
    }

    fn begin_pass_if_due(&mut self, now: DateTime<Utc>) {
        let sorts = self.state.sort_broken_at.is_none();
        let filters = self.state.filter_broken_at.is_none() && self.state.swept_at.is_some();
        let tickets = self.state.total.unwrap_or(0);
        let interval = pace::pass_interval(tickets, self.client.budget(), sorts, filters);
        let due = self.state.passed_at.is_none_or(|at| at + interval <= now);
        if due && self.state.full.is_none() {
            self.state.full = Some(FullPass { started_at: now, next_page: 1, total: None, sorted: self.may_sort(now) });
        }
    }

    async fn ask_page(&self, page: u32, order: Order) -> Result<Answer, ApiError> {
        self.ask(&TicketAsk::all(page, order), Urgency::Background).await
    }

    fn show_progress(&self, progress: &mut Progress, state: &SyncState) {
        let Some(pass) = &state.full else { return };
        progress.page_read(pass.next_page - 1, pass.total, self.clock.now());
        let reading = Some((u64::from(pass.next_page - 1) * 100, pass.total));
        self.health.send_if_modified(|health| {
            health.reading = reading;
            // Worth a look, but not worth waking anybody for.
            false
        });
    }

    async fn end_pass(&mut self, pass: &FullPass, report: &mut TurnReport) -> Result<(), SyncError> {
        if let Some(progress) = self.progress.take() {
            progress.end();
        }
        info!(tenant = %self.tenant, "all tickets of `{}` have been read", self.tenant);
        self.show_health(|health| health.reading = None);
        self.look_for_missing(pass.started_at, false, report).await
    }
}

/// Where the sync stands after a page of `pass`, if it stood at `before`.
fn after_page(before: SyncState, answer: &Answer, pass: FullPass, order: Order) -> SyncState {
    let mut state = before;
    let total = answer.page.total.or(pass.total);
    if pass.next_page == 1 && state.watermark.is_none() && order == Order::UpdatedDesc {
        // All that is updated from here on is a change; all before lies on these pages.
        let mut scan = Scan::down_to(None, pass.started_at);
        scan.take(&answer.page.tickets, true);
        state.watermark = scan.newest;
    }
    if answer.has_more() {
        state.full = Some(FullPass { next_page: pass.next_page + 1, total, ..pass });
    } else {
        state.full = None;
        state.passed_at = Some(pass.started_at);
        state.good_at = state.good_at.max(Some(pass.started_at));
        state.total = total;
    }
    state
}

fn is_out_of_order(answer: &Answer, now: DateTime<Utc>) -> bool {
    // Across pages nothing can be said: between two turns many tickets may have moved.
    Scan::down_to(None, now).take(&answer.page.tickets, true) == Step::OutOfOrder
}
