//! The pass over all tickets: the first reading of an account, and after that once a night for what the shorter
//! readings cannot see (imports with an old time of update, restored tickets, quiet edits).
//!
//! Each page is saved with the number of the next one, so that after a crash the pass resumes where it was. In order of
//! update, the pass stops at the end of the wanted history. If SuperOps does not give all pages, the rest is read in
//! parts, with whichever filter works: tickets older than the last page, or else one status after another.

use chrono::{DateTime, Utc};
use tracing::{info, warn};

use super::changes::{Scan, Step};
use super::keep::{Pages, pages};
use super::missing::Search;
use super::pace::ListSupport;
use super::progress::Progress;
use super::{Answer, SyncError, TenantSync, TurnReport, pace};
use crate::sla::night::Night;
use crate::sla::zone::Tz;
use crate::store::sync::{Coverage, FullPass, Part, SyncState};
use crate::superops::{ApiError, Order, Seen, TicketAsk, Urgency};
use crate::ticket::Directory;

/// The most pages in one turn; fewer if the next turn is due, so that changes do not have to wait.
pub(super) const PAGES: usize = 10;

/// How far to read in one go.
#[derive(Clone, Copy, Debug)]
pub(super) struct ReadLimit {
    pub now: DateTime<Utc>,
    /// When something else is due.
    pub until: DateTime<Utc>,
    /// The most pages; at least one is read.
    pub most: usize,
}

impl TenantSync {
    /// Reads the next pages of the current pass; begins a pass when it is due.
    pub(super) async fn read_pass(&mut self, limit: ReadLimit, report: &mut TurnReport) -> Result<(), SyncError> {
        let now = limit.now;
        self.begin_pass_if_due(now).await?;
        while let Some(pass) = self.state.full.clone() {
            let begin = || Progress::begin(&self.tenant, pass.next_page - 1, now);
            let mut progress = self.progress.take().unwrap_or_else(begin);
            let names = self.store.directory(&self.tenant).await?.statuses.clone();
            let (pages, waiting) = pages();
            let mut seen = std::mem::take(&mut self.seen);
            let reading = self.read_pages(limit, &names, pages, &mut progress, &mut seen);
            let (read, kept) = tokio::join!(reading, self.keep_pages(waiting));
            self.progress = Some(progress);
            self.settle(kept, report)?;
            // Not after a failure: pages that could not be saved are read again, and must not look like a repetition.
            self.seen = seen;
            if let Some(how) = read? {
                self.give_up_sort(how, now).await?;
                continue;
            }
            if self.state.full.is_none() {
                self.end_pass(pass.started_at, now, report).await?;
            }
            break;
        }
        report.pass_under_way = self.state.full.is_some();
        Ok(())
    }

    /// Reads page after page. If the sort does not work, says how.
    async fn read_pages(
        &self,
        limit: ReadLimit,
        names: &[String],
        pages: Pages,
        progress: &mut Progress,
        seen: &mut Seen,
    ) -> Result<Option<&'static str>, ApiError> {
        let mut state = self.state.clone();
        let mut left = limit.most;
        while let Some(pass) = state.full.take().filter(|_| left > 0) {
            left = if self.is_wanted(limit.until) { 0 } else { left - 1 };
            if pass.next_page == 1 {
                *seen = Seen::default();
            }
            let answer = match self.ask_page(&pass, names).await {
                Err(ApiError::RefusedQuery { .. }) if pass.part == Part::All && pass.sorted => {
                    return Ok(Some("refused"));
                }
                Err(ApiError::RefusedQuery { .. }) if pass.part != Part::All => {
                    state = self.after_part(state, pass, names, Ended::Refused);
                    Answer::nothing(limit.now)
                }
                Err(ApiError::TooDeep { page, .. }) => {
                    state = self.after_part(state, pass, names, Ended::TooDeep(page - 1));
                    Answer::nothing(limit.now)
                }
                answer => {
                    let answer = answer?;
                    if pass.sorted && is_out_of_order(&answer, limit.now) {
                        return Ok(Some("ignored"));
                    }
                    let goes_on = self.goes_on(&answer, seen);
                    state = self.after_page(state, &answer, goes_on, pass, names, limit.now);
                    answer
                }
            };
            self.show_progress(progress, &state);
            if pages.send((answer, Some(state.clone()))).await.is_err() {
                // Saving has failed, and its side reports why.
                break;
            }
        }
        Ok(None)
    }

    async fn begin_pass_if_due(&mut self, now: DateTime<Utc>) -> Result<(), SyncError> {
        if self.state.full.is_some() {
            return Ok(());
        }
        let sort = self.state.sort_broken_at.is_none();
        let filter = self.state.filter_broken_at.is_none() && self.state.swept_at.is_some();
        let tickets = self.state.total.unwrap_or(0);
        let zone = zone_of_most(&*self.store.directory(&self.tenant).await?);
        let night = Night::new(self.nightly, self.rules_config.msp.as_ref(), zone);
        let budget = self.client.budget();
        let due = |last| pace::next_pass(last, tickets, budget, ListSupport { sort, filter }, &night) <= now;
        if self.state.passed_at.is_none_or(due) {
            self.state.full = Some(FullPass::begin(now, self.may_sort(now)));
        }
        Ok(())
    }

    async fn ask_page(&self, pass: &FullPass, names: &[String]) -> Result<Answer, ApiError> {
        let order = if pass.sorted { Order::UpdatedDesc } else { Order::Unsorted };
        let all = TicketAsk::all(pass.next_page, order);
        let ask = match &pass.part {
            Part::All => all,
            Part::Before(at) => TicketAsk { older_than: Some(*at), ..all },
            Part::Status(index) => {
                let others = names.iter().enumerate().filter(|(other, _)| other != index);
                TicketAsk { leave_out_statuses: others.map(|(_, name)| name.clone()).collect(), ..all }
            }
        };
        self.ask(&ask, Urgency::Background).await
    }

    fn show_progress(&self, progress: &mut Progress, state: &SyncState) {
        let Some(pass) = state.full.as_ref().filter(|pass| pass.part == Part::All) else { return };
        progress.page_read(pass.next_page - 1, pass.total, self.clock.now());
        let reading = Some((u64::from(pass.next_page - 1) * 100, pass.total));
        self.health.send_if_modified(|health| {
            health.reading = reading;
            // Worth showing, but not worth waking anybody.
            false
        });
    }

    async fn end_pass(
        &mut self,
        started_at: DateTime<Utc>,
        now: DateTime<Utc>,
        report: &mut TurnReport,
    ) -> Result<(), SyncError> {
        self.seen = Seen::default();
        if let Some(progress) = self.progress.take() {
            progress.end();
        }
        match self.state.coverage.as_ref().filter(|coverage| !coverage.others_read) {
            None => info!(tenant = %self.tenant, "all tickets of `{}` have been read", self.tenant),
            Some(coverage) => {
                warn!(tenant = %self.tenant, "tickets of `{}` have been read as far as possible: {}", self.tenant, super::coverage_words(coverage));
            }
        }
        self.show_health(|health| health.reading = None);
        let whole = self.state.coverage.is_none();
        // Closed tickets beyond the history were not meant to be read; and where the sweep works, it looks after the
        // open ones.
        if whole && !self.state.bounded {
            let search = Search { since: started_at, only_open: false, whole };
            return self.look_for_missing(search, now, report).await;
        }
        if self.state.filter_broken_at.is_some() {
            let search = Search { since: started_at, only_open: true, whole };
            return self.look_for_missing(search, now, report).await;
        }
        Ok(())
    }

    /// Returns the state of the sync after a page of `pass`, from the state `before` it.
    fn after_page(
        &self,
        before: SyncState,
        answer: &Answer,
        goes_on: bool,
        mut pass: FullPass,
        names: &[String],
        now: DateTime<Utc>,
    ) -> SyncState {
        let mut state = before;
        let updates = || answer.page.tickets.iter().filter_map(|ticket| ticket.updated_at);
        if pass.part == Part::All {
            pass.total = answer.page.total.or(pass.total);
            if pass.next_page == 1 && state.watermark.is_none() && pass.sorted {
                // Every update from here on is a change; everything before lies on these pages.
                let mut scan = Scan::down_to(None, pass.started_at);
                scan.take(&answer.page.tickets, true);
                state.watermark = scan.newest;
            }
        }
        if let Part::Before(at) = pass.part
            && updates().any(|updated| updated >= at + super::changes::OVERLAP)
        {
            return self.after_part(state, pass, names, Ended::Refused);
        }
        let oldest = updates().min();
        // Each status starts again at the newest ticket.
        if pass.sorted && !matches!(pass.part, Part::Status(_)) {
            pass.reached = pass.reached.into_iter().chain(oldest).min();
        }
        // Where the sweep does not work, the pass has to find old open tickets as well.
        let may_end = pass.sorted && state.filter_broken_at.is_none() && state.swept_at.is_some();
        let beyond = may_end && oldest.is_some_and(|oldest| oldest < now - self.history);
        if goes_on && !beyond {
            state.full = Some(FullPass { next_page: pass.next_page + 1, ..pass });
            return state;
        }
        pass.bounded |= beyond;
        self.after_part(state, pass, names, Ended::Whole)
    }

    /// Returns the state of the sync at the end of a part of `pass`: with the next part, or none.
    fn after_part(&self, before: SyncState, mut pass: FullPass, names: &[String], ended: Ended) -> SyncState {
        let mut state = before;
        if let (Part::All, Ended::TooDeep(pages)) = (&pass.part, ended) {
            pass.ends_at = Some(pages);
        }
        let by_status = |index: usize| {
            let can = self.state.filter_broken_at.is_none() && names.len() > 1;
            (can && index < names.len()).then_some(Part::Status(index))
        };
        let next = match (&pass.part, ended) {
            (Part::All | Part::Before(_), Ended::Whole) => None,
            (Part::All, Ended::Refused) => None,
            (Part::All, Ended::TooDeep(_)) => match pass.reached.filter(|_| pass.sorted) {
                Some(reached) => Some(Part::Before(reached)),
                None => by_status(0),
            },
            // Continue from the point reached, if this part got any further.
            (Part::Before(at), Ended::TooDeep(_)) if pass.reached.is_some_and(|reached| reached < *at) => {
                pass.reached.map(Part::Before)
            }
            (Part::Before(_), _) => by_status(0),
            (Part::Status(index), Ended::Whole) => by_status(index + 1),
            (Part::Status(index), Ended::TooDeep(_)) => {
                pass.blind = true;
                by_status(index + 1)
            }
            (Part::Status(_), Ended::Refused) => {
                pass.blind = true;
                None
            }
        };
        // The statuses could not be asked for at all: nothing beyond the last page was read.
        pass.blind |= next.is_none() && ended != Ended::Whole;
        match next {
            Some(part) => state.full = Some(FullPass { part, next_page: 1, ..pass }),
            None => {
                state.full = None;
                state.passed_at = Some(pass.started_at);
                state.good_at = state.good_at.max(Some(pass.started_at));
                state.total = pass.total;
                state.bounded = pass.bounded;
                let back_to = pass.reached;
                state.coverage = pass.ends_at.map(|pages| Coverage { pages, back_to, others_read: !pass.blind });
            }
        }
        state
    }
}

/// How the reading of a part ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    Whole,
    /// There are more than this many pages, but they cannot be read.
    TooDeep(u32),
    /// The part cannot be asked for.
    Refused,
}

/// Returns the time zone of most of the sites; UTC if none is known.
fn zone_of_most(directory: &Directory) -> Tz {
    let mut counts: Vec<(Tz, usize)> = Vec::new();
    for zone in directory.sites.values().filter_map(|site| site.timezone.as_deref()?.parse::<Tz>().ok()) {
        match counts.iter_mut().find(|(known, _)| *known == zone) {
            Some((_, count)) => *count += 1,
            None => counts.push((zone, 1)),
        }
    }
    counts.into_iter().max_by_key(|(_, count)| *count).map_or(Tz::UTC, |(zone, _)| zone)
}

fn is_out_of_order(answer: &Answer, now: DateTime<Utc>) -> bool {
    // Nothing can be said across pages: many tickets may have moved between two turns.
    Scan::down_to(None, now).take(&answer.page.tickets, true) == Step::OutOfOrder
}
