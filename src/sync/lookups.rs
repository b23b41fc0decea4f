//! Reads the lists that tickets refer to, every hour: statuses and other words, people, clients, sites.
//!
//! Each list is read independently: if the token may not see one, or SuperOps fails to give it, the others and the
//! tickets are unaffected, and what was known of that one is kept. Only the very first turn of a new account ends there:
//! without its people and sites, alerts could be wrong.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use tracing::warn;

use super::{SyncError, TenantSync};
use crate::store::sync::{Lookup, LookupState, Unread};
use crate::superops::{ApiError, Listed, Reject, Urgency, all_pages};
use crate::telemetry::TenantLabels;
use crate::ticket::{Directory, Named, RefId};

const EVERY: TimeDelta = TimeDelta::hours(1);
/// How soon a list is asked for again if it could not be read for a passing reason, at the earliest.
const AGAIN: TimeDelta = TimeDelta::minutes(1);
/// It is left alone for so many times as long as the attempt took: the tickets waited all the while.
const REST: i32 = 4;
/// How long records that are missing are kept because they may be among the rows that cannot be read.
const KEPT_FOR: TimeDelta = TimeDelta::days(1);

impl TenantSync {
    /// Reads the lists that are due.
    pub(super) async fn read_lookups(&mut self, now: DateTime<Utc>) -> Result<(), SyncError> {
        for lookup in self.due_lookups(now) {
            if !self.read_lookup(lookup, now).await? {
                break;
            }
        }
        Ok(())
    }

    /// Returns the lists whose time has come. Those that failed come last, in turns, so that they never keep the others
    /// from being read.
    fn due_lookups(&self, now: DateTime<Utc>) -> Vec<Lookup> {
        let state = |lookup: &Lookup| self.state.lookups.get(lookup);
        let is_due = |lookup: &Lookup| state(lookup).is_none_or(|state| state.due_at <= now);
        let mut due: Vec<_> = Lookup::ALL.into_iter().filter(is_due).collect();
        due.sort_by_key(|lookup| state(lookup).filter(|state| state.trouble.is_some()).map(|state| state.due_at));
        due
    }

    /// Reads one list. Returns false if the others had better wait for the next turn.
    async fn read_lookup(&mut self, lookup: Lookup, now: DateTime<Utc>) -> Result<bool, SyncError> {
        let began = self.clock.now();
        // The first time, alerts wait for it; later nothing does.
        let first = !self.state.lookups.contains_key(&lookup);
        let urgency = if first { Urgency::Routine } else { Urgency::Background };
        let before = self.store.directory(&self.tenant).await?;
        let keeps_lost = self.lost_since(lookup).is_none_or(|since| now < since + KEPT_FOR);
        match self.fetch(lookup, &before, keeps_lost, urgency).await {
            Ok((directory, _)) if is_emptied(lookup, &before, &directory) => {
                let had = size(lookup, &before);
                let why = format!("it is empty now, though it had {had} before: a right may have been lost");
                self.leave(lookup, why, self.again_after(began)).await?;
                Ok(true)
            }
            Ok((directory, rejects)) => self.keep(lookup, directory, rejects, now).await.map(|()| true),
            Err(error) if error.needs_a_person() || error == ApiError::Throttled => Err(error.into()),
            Err(error) => self.go_without(lookup, error, began).await,
        }
    }

    /// Returns when to repeat an attempt that `began` then and has just failed.
    fn again_after(&self, began: DateTime<Utc>) -> DateTime<Utc> {
        let now = self.clock.now();
        now + AGAIN.max((now - began) * REST).min(EVERY)
    }

    /// Reads this list and returns the directory with it.
    async fn fetch(
        &self,
        lookup: Lookup,
        before: &Directory,
        keeps_lost: bool,
        urgency: Urgency,
    ) -> Result<(Directory, Vec<Reject>), ApiError> {
        let mut directory = before.clone();
        let mut rejects = Vec::new();
        match lookup {
            Lookup::Statuses => directory.statuses = self.client.statuses(urgency).await?,
            Lookup::Priorities => directory.priorities = self.client.priorities(urgency).await?,
            Lookup::Groups => directory.groups = by_id(self.client.groups(urgency).await?),
            Lookup::Slas => directory.slas = by_id(self.client.slas(urgency).await?),
            Lookup::Technicians => {
                let (people, unread) = all_pages(&self.tenant, |page| self.client.technicians(page, urgency)).await?;
                directory.technicians = completed(people, &before.technicians, &unread, keeps_lost);
                rejects = unread;
            }
            Lookup::Clients => {
                let (clients, unread) = all_pages(&self.tenant, |page| self.client.clients(page, urgency)).await?;
                directory.clients = completed(clients, &before.clients, &unread, keeps_lost);
                rejects = unread;
            }
            Lookup::Sites => {
                let (sites, unread) = all_pages(&self.tenant, |page| self.client.sites(page, urgency)).await?;
                directory.sites = completed(sites, &before.sites, &unread, keeps_lost);
                rejects = unread;
            }
        }
        Ok((directory, rejects))
    }

    async fn keep(
        &mut self,
        lookup: Lookup,
        directory: Directory,
        rejects: Vec<Reject>,
        now: DateTime<Utc>,
    ) -> Result<(), SyncError> {
        let lost_since = rejects.iter().any(Reject::is_lost).then(|| self.lost_since(lookup).unwrap_or(now));
        let unread = rejects.into_iter().map(|reject| unread(lookup, reject)).collect();
        let mut state = self.state.clone();
        state.lookups.insert(lookup, LookupState { due_at: now + EVERY, trouble: None, lost_since });
        let quarantined = self.store.save_directory(&self.tenant, directory, unread, state.clone(), now).await?;
        self.state = state;
        self.count_quarantined(quarantined);
        if quarantined > 0 {
            let list = lookup.as_str();
            warn!(tenant = %self.tenant, list, quarantined, "{quarantined} more entries in the list of {list} cannot be read, or not in full; what was known of them is kept");
        }
        Ok(())
    }

    /// Returns since when the list has held rows that are lost.
    fn lost_since(&self, lookup: Lookup) -> Option<DateTime<Utc>> {
        self.state.lookups.get(&lookup).and_then(|state| state.lost_since)
    }

    async fn go_without(&mut self, lookup: Lookup, error: ApiError, began: DateTime<Utc>) -> Result<bool, SyncError> {
        let lasting = matches!(error, ApiError::Forbidden { .. } | ApiError::RefusedQuery { .. });
        let due_at = if lasting { began + EVERY } else { self.again_after(began) };
        self.leave(lookup, error.to_string(), due_at).await?;
        match error {
            ApiError::Transient { .. } if !self.state.is_settled() && self.failures == 0 => Err(error.into()),
            // If the network is down, the other lists would fail too, each after a long wait.
            ApiError::Transient { .. } => Ok(false),
            _ => Ok(true),
        }
    }

    /// Keeps a list as it was before, and records why.
    async fn leave(&mut self, lookup: Lookup, why: String, due_at: DateTime<Utc>) -> Result<(), SyncError> {
        let list = lookup.as_str();
        warn!(tenant = %self.tenant, list, "the list of {list} cannot be read now; the one from before is kept: {why}");
        let lost_since = self.lost_since(lookup);
        self.state.lookups.insert(lookup, LookupState { due_at, trouble: Some(why), lost_since });
        self.store.save_sync_state(&self.tenant, self.state.clone()).await?;
        Ok(())
    }

    pub(super) fn count_quarantined(&self, records: usize) {
        let labels = TenantLabels { tenant: self.tenant.to_string() };
        self.telemetry.quarantined.get_or_create(&labels).inc_by(records as u64);
    }
}

/// A list with more entries than this never becomes empty within an hour.
const FEW: usize = 2;

/// Whether a list lost all of its entries at once. There is always a technician: the one who owns the token.
fn is_emptied(lookup: Lookup, before: &Directory, now: &Directory) -> bool {
    let had = size(lookup, before);
    size(lookup, now) == 0 && (had > FEW || (had > 0 && lookup == Lookup::Technicians))
}

fn size(lookup: Lookup, directory: &Directory) -> usize {
    match lookup {
        Lookup::Statuses => directory.statuses.len(),
        Lookup::Priorities => directory.priorities.len(),
        Lookup::Groups => directory.groups.len(),
        Lookup::Slas => directory.slas.len(),
        Lookup::Technicians => directory.technicians.len(),
        Lookup::Clients => directory.clients.len(),
        Lookup::Sites => directory.sites.len(),
    }
}

/// Fills into `list` what was known before: of fields that could not be read, and, if `keeps_lost`, of records that may be
/// among the rows that could not be read at all.
fn completed<T: Listed + Clone>(
    list: Vec<T>,
    before: &BTreeMap<RefId, T>,
    rejects: &[Reject],
    keeps_lost: bool,
) -> BTreeMap<RefId, T> {
    let mut list: BTreeMap<_, _> = list.into_iter().map(|record| (record.id().clone(), record)).collect();
    for reject in rejects {
        let Some(id) = reject.id.as_deref().and_then(|id| RefId::parse(id).ok()) else { continue };
        if let (Some(record), Some(known)) = (list.get_mut(&id), before.get(&id)) {
            record.keep(&reject.field, known);
        }
    }
    if keeps_lost && rejects.iter().any(Reject::is_lost) {
        for (id, known) in before {
            list.entry(id.clone()).or_insert_with(|| known.clone());
        }
    }
    list
}

fn by_id(list: Vec<Named>) -> BTreeMap<RefId, Named> {
    list.into_iter().map(|named| (named.id.clone(), named)).collect()
}

fn unread(lookup: Lookup, reject: Reject) -> Unread {
    let id = reject.id.as_deref().unwrap_or("without an id");
    Unread { record: format!("{} {id}", lookup.as_str()), field: reject.field, why: reject.why }
}
