//! How the work of the loops goes. The process that runs them knows it by itself; among replicas it tells the others,
//! which show it as their own.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{Reach, Service};
use crate::config::ChannelKind;
use crate::self_monitoring::MismatchKind;
use crate::store::{Store, StoreError};
use crate::sync::SyncHealth;
use crate::telemetry::ChannelLabels;
use crate::ticket::TenantId;

/// How the work goes, without names of people and without secrets. Channels and kinds are told by name: a replica of
/// another version may know more of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LeaderHealth {
    /// How each tenant is read.
    pub syncs: BTreeMap<TenantId, SyncHealth>,
    /// The channels that are out of order.
    pub down: BTreeSet<String>,
    /// How many mismatches of each kind the audit has found.
    pub mismatches: BTreeMap<TenantId, BTreeMap<String, usize>>,
    /// By how many seconds its clock is ahead of the database's.
    pub seconds_ahead: i64,
}

impl LeaderHealth {
    /// Counts the mismatches of each kind within `reach`.
    pub fn mismatches_within(&self, reach: &Reach) -> BTreeMap<&'static str, usize> {
        let count = |name: &str| {
            let within = self.mismatches.iter().filter(|(tenant, _)| reach.includes(tenant));
            within.filter_map(|(_, counts)| counts.get(name)).sum::<usize>()
        };
        let names = MismatchKind::ALL.into_iter().map(MismatchKind::as_str);
        names.map(|name| (name, count(name))).filter(|(_, count)| *count > 0).collect()
    }
}

/// What a process that does not run the loops was told by the one that does.
#[derive(Clone, Debug)]
pub struct Heard {
    pub at: DateTime<Utc>,
    pub health: LeaderHealth,
}

impl Heard {
    /// Reads what the leader told last; none if no leader ever told anything. From now on `store` tells the time by its
    /// clock.
    pub async fn read(store: &Store) -> Result<Option<Self>, StoreError> {
        let heard = store.leader_health().await?.map(|(at, health)| Self { at, health });
        if let Some(heard) = &heard {
            store.note_leader_ahead(heard.health.seconds_ahead);
        }
        Ok(heard)
    }
}

impl Service {
    /// How the work goes: that of this process, or of the leader as it told last.
    pub(super) fn work(&self) -> LeaderHealth {
        match &self.heard {
            Some(heard) => heard.borrow().as_ref().map(|heard| heard.health.clone()).unwrap_or_default(),
            None => self.own_work(),
        }
    }

    /// How the work of this process goes, as its followers show it.
    pub fn own_work(&self) -> LeaderHealth {
        let syncs = self.sync.health.iter();
        let syncs = syncs.map(|(tenant, health)| (tenant.clone(), health.borrow().clone().for_followers())).collect();
        let is_open = |kind: &ChannelKind| {
            let channel = kind.as_str();
            self.telemetry.channel_open.get_or_create(&ChannelLabels { channel }).get() != 0
        };
        let down = self.config.notify.kinds().into_iter().filter(is_open);
        let down = down.map(|kind| kind.as_str().to_owned()).collect();
        let mut mismatches: BTreeMap<TenantId, BTreeMap<String, usize>> = BTreeMap::new();
        for one in self.found.borrow().iter() {
            let counts = mismatches.entry(one.tenant.clone()).or_default();
            *counts.entry(one.kind.as_str().to_owned()).or_default() += 1;
        }
        LeaderHealth { syncs, down, mismatches, seconds_ahead: self.store.clock_ahead().num_seconds() }
    }

    /// The present time by the leader's clock, which judges what is reported, silenced and acknowledged.
    pub(super) fn leaders_now(&self) -> DateTime<Utc> {
        self.store.leaders_time(self.clock.now())
    }
}
