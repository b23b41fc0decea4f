//! Tells pages at once what has changed since they last looked: by version numbers, never by contents.
//!
//! Snapshots are compared only while somebody listens. Each change has a number; a listener that was away for a moment
//! names the last it heard, and is told the rest.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;
use tokio::sync::{broadcast, watch};
use tracing::warn;
use utoipa::ToSchema;

use super::snapshot::{Row, Snapshot};
use super::{Reach, Service, ServiceError};
use crate::ticket::TenantId;

/// How often to look for changes: a page hears of one within about this time.
const LOOK_EVERY: Duration = Duration::from_millis(700);
/// How many changes are kept for listeners that were away.
const KEPT: usize = 256;
/// The most tickets that one change names; beyond that it only says that there are more.
const MOST_NAMED: usize = 50;

/// How often each kind of thing of a tenant has changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Versions {
    pub tickets: u64,
    pub alerts: u64,
    pub counts: u64,
}

/// That something changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Change {
    pub tenant: String,
    #[serde(flatten)]
    pub versions: Versions,
    /// The ids of tickets that changed, came or went; at most 50.
    pub changed: Vec<String>,
    /// There are more of them.
    pub more: bool,
}

/// A change and its number.
#[derive(Clone, Debug)]
pub struct Numbered {
    pub number: u64,
    pub tenant: TenantId,
    pub change: Arc<Change>,
}

/// What was seen of a tenant the last time.
#[derive(Default)]
struct Seen {
    snapshot: Option<Arc<Snapshot>>,
    alerts: u64,
    versions: Versions,
}

#[derive(Default)]
struct Past {
    number: u64,
    latest: VecDeque<Numbered>,
    seen: BTreeMap<TenantId, Seen>,
}

/// The changes of all tenants, and their listeners.
pub struct Live {
    past: Mutex<Past>,
    news: broadcast::Sender<Numbered>,
    /// Differs at each start of the service: numbers of another start are not ours.
    epoch: u32,
    closed: watch::Sender<bool>,
}

impl Default for Live {
    fn default() -> Self {
        let (news, closed) = (broadcast::Sender::new(KEPT), watch::Sender::new(false));
        Self { past: Mutex::default(), news, epoch: fastrand::u32(..), closed }
    }
}

/// What a listener is told first, and how it hears the rest.
pub struct Listening {
    /// The present versions of the tenants that it may see.
    pub versions: BTreeMap<TenantId, Versions>,
    /// What it missed; none: that is no longer known, and everything may have changed.
    pub missed: Option<Vec<Numbered>>,
    pub number: u64,
    pub news: broadcast::Receiver<Numbered>,
    /// Becomes true when the service stops.
    pub closed: watch::Receiver<bool>,
}

impl Live {
    fn past(&self) -> MutexGuard<'_, Past> {
        self.past.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes a number as the id of an event.
    pub fn id(&self, number: u64) -> String {
        format!("{:08x}-{number}", self.epoch)
    }

    /// Reads the number in the id of an event; none if it is from another start.
    fn number(&self, id: &str) -> Option<u64> {
        let (epoch, number) = id.split_once('-')?;
        (u32::from_str_radix(epoch, 16).ok()? == self.epoch).then(|| number.parse().ok()).flatten()
    }

    /// Listens to changes within `scope` from now on, and to those after the event `last`.
    pub fn listen(&self, scope: &Reach, last: Option<&str>) -> Listening {
        let past = self.past();
        // While the lock is held nothing is told, so nothing is told twice and nothing is missed.
        let news = self.news.subscribe();
        let is_theirs = |tenant: &TenantId| scope.tenant().is_none_or(|own| own == tenant);
        let known = last.and_then(|last| self.number(last)).filter(|number| *number <= past.number);
        let is_kept = |number: &u64| past.latest.front().is_none_or(|first| first.number <= number + 1);
        let missed = known.filter(is_kept).map(|number| {
            past.latest.iter().filter(|one| one.number > number && is_theirs(&one.tenant)).cloned().collect()
        });
        let versions = past.seen.iter().filter(|(tenant, _)| is_theirs(tenant));
        let versions = versions.map(|(tenant, seen)| (tenant.clone(), seen.versions)).collect();
        Listening { versions, missed, number: past.number, news, closed: self.closed.subscribe() }
    }

    /// How many listeners there are.
    pub fn listeners(&self) -> usize {
        self.news.receiver_count()
    }

    /// Compares what is seen of `tenant` now with what was seen before, and tells the difference.
    fn saw(&self, tenant: &TenantId, snapshot: Arc<Snapshot>, alerts: u64) -> Versions {
        let mut past = self.past();
        let seen = past.seen.entry(tenant.clone()).or_default();
        let (changed, more) = difference(seen.snapshot.as_deref(), &snapshot);
        let is_counted = seen.snapshot.as_ref().is_none_or(|before| before.tally != snapshot.tally);
        let before = seen.versions;
        seen.versions.tickets += u64::from(more || !changed.is_empty());
        seen.versions.alerts += u64::from(seen.alerts != alerts);
        seen.versions.counts += u64::from(is_counted);
        (seen.snapshot, seen.alerts) = (Some(snapshot), alerts);
        let versions = seen.versions;
        if versions == before {
            return versions;
        }
        let change = Change { tenant: tenant.to_string(), versions, changed, more };
        past.number += 1;
        let one = Numbered { number: past.number, tenant: tenant.clone(), change: Arc::new(change) };
        if past.latest.len() == KEPT {
            past.latest.pop_front();
        }
        past.latest.push_back(one.clone());
        // Nobody may be listening.
        let _ = self.news.send(one);
        versions
    }
}

/// The tickets that changed, came or went.
fn difference(before: Option<&Snapshot>, now: &Snapshot) -> (Vec<String>, bool) {
    let Some(before) = before else { return (Vec::new(), !now.rows.is_empty()) };
    if std::ptr::eq(before, now) {
        return (Vec::new(), false);
    }
    // Nearly all are the very same, which their address tells without comparing ids.
    let mut gone: HashMap<_, _> = before.rows.iter().map(|row| (Arc::as_ptr(&row.watched), row)).collect();
    let is_still = |before: Option<&Arc<Row>>, row: &Row| before.is_some_and(|before| before.standing == row.standing);
    let others = now.rows.iter().filter(|row| !is_still(gone.remove(&Arc::as_ptr(&row.watched)), row));
    let others: Vec<_> = others.collect();
    let mut known: HashMap<_, _> = gone.into_values().map(|row| (&row.watched.ticket.id, row)).collect();
    let is_other =
        |row: &&&Arc<Row>| known.remove(&row.watched.ticket.id).is_none_or(|before| !before.shows_the_same(row));
    let mut changed: Vec<_> = others.iter().filter(is_other).map(|row| row.watched.ticket.id.to_string()).collect();
    changed.extend(known.into_keys().map(ToString::to_string));
    let more = changed.len() > MOST_NAMED;
    changed.truncate(MOST_NAMED);
    (changed, more)
}

impl Service {
    /// The changes, for those who listen.
    pub fn live(&self) -> &Live {
        &self.live
    }

    /// Checks once whether anything has changed.
    pub async fn look_for_changes(&self) -> Result<(), ServiceError> {
        let now = self.clock.now();
        let version = self.alerts_version(now).await?;
        for (tenant, snapshot) in self.standing_snapshots(self.config.tenants.values(), now).await? {
            let alerts = self.alert_mark(&tenant.id, version).await?;
            self.live.saw(&tenant.id, snapshot, alerts);
        }
        Ok(())
    }

    /// What the list of open tickets within `scope` depends on: while it is the same, so is the list, except for
    /// countdowns that its reader continues. Working hours begin and end on a minute, so it holds no longer than that.
    pub async fn ground_of(&self, scope: &Reach) -> Result<String, ServiceError> {
        let now = self.clock.now();
        let version = self.alerts_version(now).await?;
        let mut ground = format!("{:x}/{}", self.live.epoch, now.timestamp().div_euclid(60));
        for (tenant, snapshot) in self.standing_snapshots(self.tenants(scope), now).await? {
            let alerts = self.alert_mark(&tenant.id, version).await?;
            let foreseen = snapshot.foreseen_at().map_or(0, |at| at.timestamp_millis());
            let seen = self.live.saw(&tenant.id, snapshot, alerts);
            ground += &format!("/{}:{}:{}:{}:{foreseen}", tenant.id, seen.tickets, seen.alerts, seen.counts);
        }
        Ok(ground)
    }

    /// Looks for changes while somebody listens, until `stop` is set; then lets the listeners go.
    pub async fn tell_changes(self, mut stop: watch::Receiver<bool>) {
        loop {
            tokio::select! {
                () = tokio::time::sleep(LOOK_EVERY) => {}
                _ = stop.wait_for(|stop| *stop) => break,
            }
            if self.live.listeners() == 0 {
                continue;
            }
            if let Err(error) = self.look_for_changes().await {
                warn!(error = %error, "changes could not be read; meanwhile pages poll for them");
            }
        }
        self.live.closed.send_replace(true);
    }
}
