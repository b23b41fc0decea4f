//! The pass over all tickets: the first reading of an account, and once a day
//! after that for what the shorter ways cannot see (imports with an old time of
//! update, restored tickets, quiet edits).
//!
//! Each page is saved with the number of the next one, so that after a crash
//! the pass goes on where it was.

use chrono::{DateTime, Utc};
use tracing::info;

use super::changes::{Scan, Step};
use super::progress::Progress;
use super::{Answer, SyncError, TenantSync, TurnReport, pace};
use crate::store::sync::{FullPass, SyncState};
use crate::superops::{ApiError, Order, TicketAsk, Urgency};

/// Pages of one turn at the most; fewer if the next turn is due, so that changes are not kept waiting.
const PAGES: usize = 10;

impl TenantSync {
    /// Reads the next pages of the pass under way, at least one; begins a pass when it is time to.
    pub(super) async fn read_pass(
        &mut self,
        now: DateTime<Utc>,
        until: DateTime<Utc>,
        report: &mut TurnReport,
    ) -> Result<(), SyncError> {
        self.begin_pass_if_due(now);
        let mut ahead = None;
        let mut left = PAGES;
        while let Some(pass) = self.state.full.clone().filter(|_| left > 0) {
            left = if self.is_wanted(until) { 0 } else { left - 1 };
            let order = if self.may_sort(now) { Order::UpdatedDesc } else { Order::Unsorted };
            let answer = match ahead.take() {
                Some(answer) => answer,
                None => self.ask_page(pass.next_page, order).await,
            };
            let Some(answer) = self.in_order(answer, order, now).await? else { continue };
            ahead = self.save_page(answer, &pass, order, left > 0, report).await?;
            if self.state.full.is_none() {
                self.look_for_missing(pass.started_at, false, report).await?;
            }
        }
        report.pass_under_way = self.state.full.is_some();
        Ok(())
    }

    /// The answer, if it came in the order that was asked for; if not, the pass
    /// begins again without one.
    async fn in_order(
        &mut self,
        answer: Result<Answer, ApiError>,
        order: Order,
        now: DateTime<Utc>,
    ) -> Result<Option<Answer>, SyncError> {
        let fault = match &answer {
            _ if order == Order::Unsorted => None,
            Err(ApiError::RefusedQuery { .. }) => Some("refused"),
            Ok(answer) if is_out_of_order(answer, now) => Some("ignored"),
            _ => None,
        };
        if let Some(how) = fault {
            self.give_up_sort(how, now).await?;
            return Ok(None);
        }
        Ok(Some(answer?))
    }

    fn begin_pass_if_due(&mut self, now: DateTime<Utc>) {
        let sorts = self.state.sort_broken_at.is_none();
        let filters = self.state.filter_broken_at.is_none() && self.state.swept_at.is_some();
        let tickets = self.state.total.unwrap_or(0);
        let interval = pace::pass_interval(tickets, self.client.budget(), sorts, filters);
        let due = self.state.passed_at.is_none_or(|at| at + interval <= now);
        if due && self.state.full.is_none() {
            self.state.full = Some(FullPass { started_at: now, next_page: 1, total: None });
        }
    }

    async fn ask_page(&self, page: u32, order: Order) -> Result<Answer, ApiError> {
        self.ask(&TicketAsk { page, order, leave_out_statuses: Vec::new() }, Urgency::Background).await
    }

    /// Saves a page, and reads the next one meanwhile if that is `wanted`.
    async fn save_page(
        &mut self,
        answer: Answer,
        pass: &FullPass,
        order: Order,
        wanted: bool,
        report: &mut TurnReport,
    ) -> Result<Option<Result<Answer, ApiError>>, SyncError> {
        let state = self.after_page(&answer, pass, order);
        let next = state.full.as_ref().filter(|_| wanted).map(|pass| pass.next_page);
        let read_on = async {
            match next {
                Some(page) => Some(self.ask_page(page, order).await),
                None => None,
            }
        };
        let (saved, ahead) = tokio::join!(self.write(answer, Some(state.clone())), read_on);
        let saved = saved?;
        self.tell_conflicts(&saved);
        report.add(&saved);
        self.state = state;
        self.show_progress(pass);
        Ok(ahead)
    }

    fn after_page(&self, answer: &Answer, pass: &FullPass, order: Order) -> SyncState {
        let mut state = self.state.clone();
        let total = answer.page.total.or(pass.total);
        if pass.next_page == 1 && state.watermark.is_none() && order == Order::UpdatedDesc {
            // All that is updated from here on is a change; all before lies on these pages.
            let mut scan = Scan::down_to(None, pass.started_at);
            scan.take(&answer.page.tickets, true);
            state.watermark = scan.newest;
        }
        if answer.has_more() {
            state.full = Some(FullPass { next_page: pass.next_page + 1, total, ..pass.clone() });
        } else {
            state.full = None;
            state.passed_at = Some(pass.started_at);
            state.good_at = state.good_at.max(Some(pass.started_at));
            state.total = total;
        }
        state
    }

    fn show_progress(&mut self, pass: &FullPass) {
        let now = self.clock.now();
        let progress = self.progress.get_or_insert_with(|| Progress::begin(&self.tenant, pass.next_page - 1, now));
        match &self.state.full {
            Some(pass) => progress.page_read(pass.next_page - 1, pass.total, now),
            None => {
                progress.end();
                self.progress = None;
                info!(tenant = %self.tenant, pages = pass.next_page, "all tickets of `{}` have been read", self.tenant);
            }
        }
        let reading = self.state.full.as_ref().map(|pass| (u64::from(pass.next_page - 1) * 100, pass.total));
        self.health.send_modify(|health| health.reading = reading);
    }
}

fn is_out_of_order(answer: &Answer, now: DateTime<Utc>) -> bool {
    // Across pages nothing can be said: between two turns many tickets may have moved.
    Scan::down_to(None, now).take(&answer.page.tickets, true) == Step::OutOfOrder
}
