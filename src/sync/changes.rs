//! Reads what changed since the last time: the list in order of update, newest first, down to the watermark.
//!
//! The watermark is SuperOps' time, never ours. It moves only when a scan has been read to its end. A scan reads some
//! way past it, because updates that happen at the same moment need not become visible at the same moment.

use chrono::{DateTime, TimeDelta, Utc};
use tracing::debug;

use super::{SyncError, TenantSync, TurnReport};
use crate::store::sync::SyncState;
use crate::superops::{ApiError, Order, Seen, TicketAsk, Urgency, is_newest_first};
use crate::ticket::Ticket;

/// How far below the watermark a scan reads: as far as the order may be disturbed.
pub(super) const OVERLAP: TimeDelta = TimeDelta::minutes(10);

/// How far ahead of our clock a time of update may be and still move the watermark. Importers can write such times, and
/// a watermark set by one further ahead would hide everything that comes after it.
const PLAUSIBLE: TimeDelta = TimeDelta::days(1);

/// A margin, because a pass is timed by our clock and an update by SuperOps'.
const UNSURE: TimeDelta = TimeDelta::hours(1);

/// What to do after a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The list is not in the order asked for.
    OutOfOrder,
    Further,
    Complete,
}

/// A scan of the list in order of update.
#[derive(Debug)]
pub struct Scan {
    floor: Option<DateTime<Utc>>,
    horizon: DateTime<Utc>,
    /// The newest plausible time of update.
    pub newest: Option<DateTime<Utc>>,
    /// The first time on the previous page.
    above: Option<DateTime<Utc>>,
}

impl Scan {
    /// Starts a scan down to `watermark`, or to the end of the list if there is none.
    pub fn down_to(watermark: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Self {
        Self { floor: watermark.map(|at| at - OVERLAP), horizon: now + PLAUSIBLE, newest: None, above: None }
    }

    /// Processes the next page. A ticket without a time of update has no place in the order; it is saved like the
    /// others and proves nothing.
    ///
    /// An update during the scan pushes tickets down to the next page, so that page may begin newer than this one
    /// ended, but not newer than it began.
    pub fn take(&mut self, tickets: &[Ticket], has_more: bool) -> Step {
        let times: Vec<DateTime<Utc>> = tickets.iter().filter_map(|ticket| ticket.updated_at).collect();
        let across = self.above.into_iter().chain(times.first().copied());
        if !is_newest_first(across) || !is_newest_first(times.iter().copied()) {
            return Step::OutOfOrder;
        }
        self.above = times.first().copied().or(self.above);
        let plausible = times.iter().copied().filter(|at| *at <= self.horizon);
        self.newest = self.newest.or_else(|| plausible.max());
        let below = times.last().zip(self.floor).is_some_and(|(last, floor)| *last < floor);
        if below || !has_more { Step::Complete } else { Step::Further }
    }
}

impl TenantSync {
    /// Reads what changed. Does nothing before the first pass over all tickets, when there is nothing to compare with.
    /// If that pass found no tickets, there is no watermark, and its time is used.
    pub(super) async fn read_changes(&mut self, now: DateTime<Utc>, report: &mut TurnReport) -> Result<(), SyncError> {
        let begin = self.state.watermark.or(self.state.passed_at.map(|at| at - UNSURE));
        if begin.is_none() || !self.may_sort(now) {
            return Ok(());
        }
        let (mut scan, mut seen) = (Scan::down_to(begin, now), Seen::default());
        for page in 1.. {
            self.change_pages = page;
            let ask = TicketAsk::all(page, Order::UpdatedDesc);
            let answer = match self.ask(&ask, Urgency::Routine).await {
                Err(ApiError::RefusedQuery { .. }) => return self.give_up_sort("refused", now).await,
                // More has changed than SuperOps has pages for; the rest is left to the pass.
                Err(ApiError::TooDeep { .. }) => {
                    self.state = self.absorbed(&scan, now);
                    return Ok(self.store.save_sync_state(&self.tenant, self.state.clone()).await?);
                }
                answer => answer?,
            };
            let untimed = answer.page.tickets.iter().filter(|ticket| ticket.updated_at.is_none()).count();
            if untimed > 0 {
                debug!(tenant = %self.tenant, untimed, "tickets without a time of update, compared by content");
            }
            let step = scan.take(&answer.page.tickets, self.goes_on(&answer, &mut seen));
            let state = (step == Step::Complete).then(|| self.absorbed(&scan, now));
            self.save(answer, state, report).await?;
            match step {
                Step::OutOfOrder => return self.give_up_sort("ignored", now).await,
                Step::Complete => return Ok(()),
                Step::Further => {}
            }
        }
        Ok(())
    }

    fn absorbed(&self, scan: &Scan, now: DateTime<Utc>) -> SyncState {
        let mut state = self.state.clone();
        // The newest ticket may have been deleted, so the watermark never falls.
        state.watermark = state.watermark.max(scan.newest);
        state.good_at = Some(now);
        // A pass that began without the sort continues without it.
        state.sort_broken_at = None;
        state
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::tests::desk::ticket;

    fn at(minute: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + minute * 60, 0).unwrap()
    }

    fn page(updated: &[Option<i64>]) -> Vec<Ticket> {
        let ticket = |minute: &Option<i64>| Ticket { updated_at: minute.map(at), ..ticket("1") };
        updated.iter().map(ticket).collect()
    }

    #[test]
    fn a_scan_ends_ten_minutes_below_the_watermark() {
        let cases: [(&str, &[Option<i64>], bool, Step); 8] = [
            ("all newer", &[Some(70), Some(60)], true, Step::Further),
            ("down to the overlap", &[Some(70), Some(50)], true, Step::Further),
            ("below it", &[Some(70), Some(49)], true, Step::Complete),
            ("the last page", &[Some(70)], false, Step::Complete),
            ("equal times are in order", &[Some(70), Some(70)], true, Step::Further),
            ("a ticket without a time proves nothing", &[Some(70), None, Some(60)], true, Step::Further),
            ("not in order", &[Some(60), Some(70)], true, Step::OutOfOrder),
            ("a pair swapped within the overlap", &[Some(70), Some(61), Some(70)], true, Step::Further),
        ];
        for (name, rows, has_more, expected) in cases {
            let mut scan = Scan::down_to(Some(at(60)), at(75));
            assert_eq!(scan.take(&page(rows), has_more), expected, "{name}");
        }
    }

    #[test]
    fn a_page_may_begin_newer_than_the_one_above_ended_but_not_than_it_began() {
        for (first, expected) in [(61, Step::Further), (70, Step::Further), (80, Step::OutOfOrder)] {
            let mut scan = Scan::down_to(Some(at(0)), at(75));
            assert_eq!(scan.take(&page(&[Some(70), Some(60)]), true), Step::Further);
            assert_eq!(scan.take(&page(&[Some(first)]), true), expected, "{first}");
        }
    }

    #[test]
    fn an_imported_time_far_ahead_does_not_become_the_watermark() {
        let mut scan = Scan::down_to(None, at(0));
        scan.take(&page(&[Some(3 * 24 * 60), None, Some(5), Some(4)]), true);
        assert_eq!(scan.newest, Some(at(5)));
    }
}
