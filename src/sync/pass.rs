//! The pass over all tickets: the first reading of an account, and once a day
//! after that for what the shorter ways cannot see (imports with an old time of
//! update, restored tickets, quiet edits).
//!
//! Pages are read one after the other, and saved meanwhile: what has arrived
//! while others were saved is saved next, all at once, and with it the number of
//! the page to go on with. A crash has the pages read again that were not yet
//! saved; it never leaves one out.

use chrono::{DateTime, Utc};
use tokio::sync::mpsc;
use tracing::info;

use super::changes::{Scan, Step};
use super::progress::Progress;
use super::{Answer, SyncError, TenantSync, TurnReport, pace};
use crate::store::StoreError;
use crate::store::sync::{FullPass, SyncState};
use crate::store::tickets::Saved;
use crate::superops::{ApiError, Order, TicketAsk, Urgency};

/// Pages of one turn at the most; fewer if the next turn is due, so that changes are not kept waiting.
pub(super) const PAGES: usize = 10;
/// Pages that may wait to be saved: more would not make a flush to the disk noticeably cheaper.
const WAITING: usize = 8;

/// A page that was read, and where the sync stands once it is saved.
type Read = (Answer, SyncState);

/// Why no more pages are read for now.
enum Halt {
    /// The pass is over, or something else comes first.
    Enough,
    /// The order that was asked for was `refused`, or `ignored`.
    Disordered(&'static str),
    Api(ApiError),
}

/// What became of the pages that were read.
#[derive(Default)]
struct Kept {
    saved: Vec<Saved>,
    /// Where the sync stands by what was saved; none: nothing was.
    state: Option<SyncState>,
    failure: Option<StoreError>,
}

impl TenantSync {
    /// Reads the next pages of the pass under way, at least one and `most` at the most; begins a pass when it is time to.
    pub(super) async fn read_pass(
        &mut self,
        now: DateTime<Utc>,
        until: DateTime<Utc>,
        most: usize,
        report: &mut TurnReport,
    ) -> Result<(), SyncError> {
        self.begin_pass_if_due(now);
        while let Some(pass) = self.state.full.clone() {
            let order = if self.may_sort(now) { Order::UpdatedDesc } else { Order::Unsorted };
            let (pages, waiting) = mpsc::channel(WAITING);
            let begin = || Progress::begin(&self.tenant, pass.next_page - 1, now);
            let mut progress = self.progress.take().unwrap_or_else(begin);
            let (halt, kept) =
                tokio::join!(self.read_pages(order, now, until, most, pages), self.save_pages(waiting, &mut progress));
            self.progress = Some(progress);
            self.settle(kept, report)?;
            match halt {
                Halt::Api(error) => return Err(error.into()),
                Halt::Disordered(how) => self.give_up_sort(how, now).await?,
                Halt::Enough => {
                    if self.state.full.is_none() {
                        self.end_pass(&pass, report).await?;
                    }
                    break;
                }
            }
        }
        report.pass_under_way = self.state.full.is_some();
        Ok(())
    }

    /// Reads page after page and hands each on to be saved.
    async fn read_pages(
        &self,
        order: Order,
        now: DateTime<Utc>,
        until: DateTime<Utc>,
        most: usize,
        pages: mpsc::Sender<Read>,
    ) -> Halt {
        let mut state = self.state.clone();
        let mut left = most;
        while let Some(pass) = state.full.take().filter(|_| left > 0) {
            left = if self.is_wanted(until) { 0 } else { left - 1 };
            let answer = match self.ask_page(pass.next_page, order).await {
                Err(ApiError::RefusedQuery { .. }) if order == Order::UpdatedDesc => {
                    return Halt::Disordered("refused");
                }
                Err(error) => return Halt::Api(error),
                Ok(answer) if order == Order::UpdatedDesc && is_out_of_order(&answer, now) => {
                    return Halt::Disordered("ignored");
                }
                Ok(answer) => answer,
            };
            state = after_page(state, &answer, pass, order);
            if pages.send((answer, state.clone())).await.is_err() {
                // Saving has failed, and says why.
                break;
            }
        }
        Halt::Enough
    }

    /// Saves the pages that arrive, as many at once as are waiting.
    async fn save_pages(&self, mut waiting: mpsc::Receiver<Read>, progress: &mut Progress) -> Kept {
        let mut kept = Kept::default();
        let mut pages = Vec::with_capacity(WAITING);
        while waiting.recv_many(&mut pages, WAITING).await > 0 {
            let (answers, mut states): (Vec<_>, Vec<_>) = pages.drain(..).unzip();
            let state = states.pop();
            match self.write(answers, state.clone()).await {
                Ok(saved) => kept.saved.push(saved),
                Err(error) => {
                    kept.failure = Some(error);
                    break;
                }
            }
            if let Some(pass) = state.as_ref().and_then(|state| state.full.as_ref()) {
                self.show_progress(progress, pass);
            }
            kept.state = state;
        }
        kept
    }

    fn settle(&mut self, kept: Kept, report: &mut TurnReport) -> Result<(), StoreError> {
        for saved in &kept.saved {
            self.take_note(saved, report);
        }
        self.state = kept.state.unwrap_or_else(|| std::mem::take(&mut self.state));
        kept.failure.map_or(Ok(()), Err)
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

    fn show_progress(&self, progress: &mut Progress, pass: &FullPass) {
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
