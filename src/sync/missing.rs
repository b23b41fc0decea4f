//! Looks for tickets that a reading should have shown and did not, and asks for each by its id. A ticket that SuperOps
//! twice does not know has vanished. But if many are missing at once, that is not believed: a permission may have been
//! lost, or a filter may have failed. Then everything stays as it was, and people are told.

use std::collections::HashSet;

use chrono::{DateTime, TimeDelta, Utc};
use tracing::{error, info, warn};

use super::{Answer, SyncError, TenantSync, TurnReport};
use crate::superops::{ApiError, Urgency};
use crate::ticket::watch::Bounds;
use crate::ticket::{StatusMeaning, TicketId};

/// How many tickets are asked for one by one after a reading; the rest wait for the next one.
const SINGLES: usize = 20;
/// How many in a row may fail before the rest is put off.
const FAILURES: usize = 3;
/// How often a ticket must be absent from a reading and unknown when asked for, to count as vanished.
const MISSES: i64 = 2;
/// How long missing tickets are doubted, so that people have time to act. After that they are believed gone.
const DOUBTED_FOR: TimeDelta = TimeDelta::days(1);
/// This few may well have been deleted or merged, so they are believed gone sooner.
const FEW: usize = 2;
const FEW_DOUBTED_FOR: TimeDelta = TimeDelta::hours(1);
/// From this many tickets on that are open when asked for, the filter is what hides them.
const HIDDEN: usize = 3;

/// Which tickets a search expects to have been seen.
#[derive(Clone, Copy, Debug)]
pub(super) struct Search {
    /// Seen by any reading since then.
    pub since: DateTime<Utc>,
    pub only_open: bool,
    /// Whether the reading reached its end; if not, missing tickets are no surprise.
    pub whole: bool,
}

/// The outcome of asking one by one.
#[derive(Debug, Default)]
struct Asked {
    found: Vec<TicketId>,
    /// How many of those found are not closed, so that a sweep should have shown them.
    still_open: usize,
    unknown: Vec<TicketId>,
    /// Tickets for which SuperOps answered with an error.
    failed: Vec<TicketId>,
}

impl Asked {
    /// Whether all that were asked for are there.
    fn is_all_found(&self) -> bool {
        !self.found.is_empty() && self.unknown.is_empty() && self.failed.is_empty()
    }
}

impl TenantSync {
    /// Asks one by one for the tickets that should have been seen and were not, starting with those not asked for the
    /// longest.
    pub(super) async fn look_for_missing(
        &mut self,
        search: Search,
        now: DateTime<Utc>,
        report: &mut TurnReport,
    ) -> Result<(), SyncError> {
        let mut missing = self.store.unseen_since(&self.tenant, search.since, search.only_open).await?;
        let ids: HashSet<_> = missing.iter().cloned().collect();
        self.asked.retain(|id, _| ids.contains(id));
        missing.sort_by_key(|id| self.asked.get(id).copied());
        let open = self.store.open_tickets(&self.tenant).await?;
        let asked = self.ask_for(&missing, &ids, now, report).await?;
        let is_lost = |id: &&TicketId| open.contains_key(*id) && !asked.found.contains(*id);
        // If all that were asked for are there, merely closed by now, the rest will be too.
        let open_missing = if asked.is_all_found() { 0 } else { missing.iter().filter(is_lost).count() };
        if search.whole && search.only_open && asked.still_open >= HIDDEN && asked.unknown.is_empty() {
            return self.give_up_filter("hides open tickets when", now).await.map(drop);
        }
        if !(search.whole && is_many(open_missing, open.len())) {
            self.believe().await?;
        } else if self.is_to_be_doubted(open_missing, now) {
            return self.doubt(open_missing, now).await;
        }
        for id in asked.unknown.iter().chain(&asked.failed) {
            self.count_miss(id, report).await?;
        }
        Ok(())
    }

    async fn ask_for(
        &mut self,
        missing: &[TicketId],
        all_missing: &HashSet<TicketId>,
        now: DateTime<Utc>,
        report: &mut TurnReport,
    ) -> Result<Asked, SyncError> {
        let (mut asked, mut failures) = (Asked::default(), 0);
        for id in missing.iter().take(SINGLES) {
            self.asked.insert(id.clone(), now);
            match self.read_single(id, report).await {
                Ok(Some(meaning)) => {
                    failures = 0;
                    asked.found.push(id.clone());
                    asked.still_open += usize::from(meaning != StatusMeaning::Closed);
                }
                Ok(None) => {
                    failures = 0;
                    asked.unknown.push(id.clone());
                }
                // One ticket that cannot be read must not hold up the others or the turn.
                Err(SyncError::Api(error)) if !error.needs_a_person() && error != ApiError::Throttled => {
                    failures += 1;
                    warn!(tenant = %self.tenant, ticket = %id, %error, "ticket `{id}` is missing and could not be asked for");
                    if matches!(
                        error,
                        ApiError::Internal { .. } | ApiError::Forbidden { .. } | ApiError::RefusedQuery { .. }
                    ) {
                        asked.failed.push(id.clone());
                    }
                }
                Err(error) => return Err(error),
            }
            if failures == FAILURES {
                break;
            }
        }
        let is_any_answered = !(asked.found.is_empty() && asked.unknown.is_empty());
        if !asked.failed.is_empty() && !is_any_answered && !self.singles_work(all_missing).await {
            // The tickets are not to blame: no ticket can be asked for now.
            asked.failed.clear();
        }
        Ok(asked)
    }

    /// Whether a ticket that was seen just now can be asked for by its id.
    async fn singles_work(&self, missing: &HashSet<TicketId>) -> bool {
        let Ok(open) = self.store.open_tickets(&self.tenant).await else { return false };
        let Some(seen) = open.keys().find(|id| !missing.contains(*id)) else { return false };
        self.client.single(seen, Urgency::Routine).await.is_ok()
    }

    /// Reads one ticket. Returns what its status means. `None` if SuperOps does not know it.
    async fn read_single(
        &mut self,
        id: &TicketId,
        report: &mut TurnReport,
    ) -> Result<Option<StatusMeaning>, SyncError> {
        let earliest = self.clock.now();
        let page = self.client.single(id, Urgency::Routine).await?;
        let read = Bounds { earliest, latest: self.clock.now() };
        let Some(ticket) = page.tickets.first() else { return Ok(None) };
        let meaning = self.words.meaning(ticket.status.as_deref());
        self.save(Answer { number: 1, page, read }, None, report).await?;
        Ok(Some(meaning))
    }

    async fn count_miss(&mut self, id: &TicketId, report: &mut TurnReport) -> Result<(), SyncError> {
        if self.store.mark_missed(&self.tenant, id).await? >= MISSES {
            let now = self.clock.now();
            self.store.mark_vanished(&self.tenant, id, Bounds { earliest: now, latest: now }).await?;
            report.vanished += 1;
            self.nudge.notify_one();
            info!(tenant = %self.tenant, ticket = %id, "ticket `{id}` has vanished: deleted, merged, or no longer visible to us");
        }
        Ok(())
    }

    /// Returns since when missing tickets have been doubted, if they still are.
    pub(super) fn doubted_since(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let length = if self.state.missing <= FEW { FEW_DOUBTED_FOR } else { DOUBTED_FOR };
        self.state.doubted_since.filter(|since| now < *since + length)
    }

    /// Whether to doubt that these tickets are gone: the loss is new, is still doubted, or has grown.
    fn is_to_be_doubted(&self, missing: usize, now: DateTime<Utc>) -> bool {
        let is_new = self.state.doubted_since.is_none() || missing > self.state.missing;
        is_new || self.doubted_since(now).is_some()
    }

    async fn doubt(&mut self, missing: usize, now: DateTime<Utc>) -> Result<(), SyncError> {
        let since = self.doubted_since(now);
        if since.is_none() {
            error!(tenant = %self.tenant, missing, "{missing} open tickets of `{}` are missing at once: their alerts stay as they were", self.tenant);
        }
        self.state.doubted_since = since.or(Some(now));
        self.state.missing = missing;
        Ok(self.store.save_sync_state(&self.tenant, self.state.clone()).await?)
    }

    /// Ends the doubt: few tickets are missing, or few again.
    async fn believe(&mut self) -> Result<(), SyncError> {
        if self.state.doubted_since.take().is_none() {
            return Ok(());
        }
        self.state.missing = 0;
        info!(tenant = %self.tenant, "the open tickets read from `{}` are trusted again", self.tenant);
        Ok(self.store.save_sync_state(&self.tenant, self.state.clone()).await?)
    }
}

/// Whether this many open tickets are unlikely to go at once. Single ones are deleted or merged any day, but not more
/// than half of a desk, nor a quarter of a large one.
fn is_many(missing: usize, open: usize) -> bool {
    (missing >= 2 && missing * 2 > open) || (missing >= 10 && missing * 4 >= open)
}
