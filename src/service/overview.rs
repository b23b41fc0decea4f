//! How the desk stands as a whole, and whether that can be known: is SuperOps
//! read, do the channels work, can the store be written.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use super::view::Class;
use super::{Scope, Service, ServiceError};
use crate::config::{ChannelKind, Tenant};
use crate::descriptors;
use crate::notify;
use crate::store::StoreError;
use crate::sync::SyncHealth;
use crate::telemetry::{ChannelLabels, TenantLabels};
use crate::ticket::TenantId;
use crate::ticket::unlisted::{Unlisted, unlisted};
use crate::vigil::counted;

/// A tenant not read for this many polls, or this long, is not ready.
const STALE_POLLS: i32 = 5;
const STALE_AT_LEAST: TimeDelta = TimeDelta::minutes(5);

/// The head of the page: how the desk stands, and whether we can know it.
#[derive(Clone, Debug, Serialize)]
pub struct Overview {
    pub now: DateTime<Utc>,
    /// How many times faster than the wall the clock runs: 1 but in a demo.
    pub speed: u32,
    pub open: usize,
    pub breached: usize,
    pub at_risk: usize,
    pub paused: usize,
    pub on_track: usize,
    pub tenants: Vec<TenantHealth>,
    pub channels: Vec<ChannelHealth>,
    pub outbox_pending: i64,
    pub sent_last_day: i64,
    pub failed_last_day: i64,
    /// What should have happened to alerts and did not, by kind; empty while all is well.
    pub mismatches: BTreeMap<&'static str, usize>,
}

/// Whether one tenant's data is fresh.
#[derive(Clone, Debug, Serialize)]
pub struct TenantHealth {
    pub tenant: String,
    /// The zone of its calendar, by its name in the IANA database; UTC if it has none.
    pub timezone: &'static str,
    pub last_good_sync: Option<DateTime<Utc>>,
    /// What is wrong and what to do, in words; none while all is well.
    pub trouble: Option<String>,
    pub quarantined: usize,
    /// What SuperOps does not let us do, and what is done instead.
    pub limits: Vec<String>,
    /// Why alerts go by the clock alone for now, if so.
    pub forecast: Option<String>,
    /// Statuses of open tickets that look closed or paused and are not listed, a sentence each. Names in it are text
    /// from outside.
    pub unlisted_statuses: Vec<String>,
}

/// Whether one way of reaching people works.
#[derive(Clone, Debug, Serialize)]
pub struct ChannelHealth {
    pub channel: &'static str,
    /// up | down; down: nobody answers there, and what waits is tried one message at a time.
    pub state: &'static str,
}

impl Service {
    /// How the desk stands as a whole.
    pub async fn overview(&self, scope: &Scope) -> Result<Overview, ServiceError> {
        let now = self.clock.now();
        let seen = self.open(scope, now).await?;
        let count = |class: Class| seen.iter().filter(|one| one.class == class).count();
        let mut tenants = Vec::new();
        for tenant in self.tenants(scope) {
            tenants.push(self.health(tenant, now).await?);
        }
        let tally = self.store.tally(scope.tenant(), now - TimeDelta::days(1)).await?;
        Ok(Overview {
            now,
            speed: self.clock.speed(),
            open: seen.len(),
            breached: count(Class::Breached),
            at_risk: count(Class::AtRisk),
            paused: count(Class::Paused),
            on_track: count(Class::OnTrack),
            tenants,
            channels: self.channels(),
            outbox_pending: tally.pending,
            sent_last_day: tally.sent,
            failed_last_day: tally.failed,
            mismatches: counted(&self.found.borrow(), scope.tenant()),
        })
    }

    fn channels(&self) -> Vec<ChannelHealth> {
        let health = |kind: ChannelKind| {
            let channel = kind.as_str();
            let open = self.telemetry.channel_open.get_or_create(&ChannelLabels { channel }).get() != 0;
            ChannelHealth { channel, state: if open { "down" } else { "up" } }
        };
        self.config.notify.kinds().into_iter().map(health).collect()
    }

    /// Whether the store can be written, the loops do their work and each tenant's data is fresh; else why not.
    pub async fn ready(&self) -> Result<(), Vec<String>> {
        let now = self.clock.now();
        let mut reasons = Vec::new();
        if let Err(error) = self.store.prove_writable(now).await {
            reasons.push(error.to_string());
        }
        if let Err(error) = descriptors::spare() {
            reasons.push(format!("no connection or file can be opened, so nobody can be told: {error}"));
        }
        reasons.extend(self.pulses.troubles());
        for tenant in self.config.tenants.values() {
            let health = self.sync_health(&tenant.id);
            reasons.extend(health.alarms().map(|alarm| format!("{}: {alarm}", tenant.id)));
            match (health.age(now), health.trouble) {
                (Some(age), _) if age <= longest_silence(tenant) => {}
                (_, Some(trouble)) => reasons.push(format!("{}: {trouble}", tenant.id)),
                (None, None) => reasons.push(format!("{}: SuperOps has not been read yet", tenant.id)),
                (Some(age), None) => {
                    reasons.push(format!("{}: SuperOps was last read {} ago", tenant.id, notify::words(age)));
                }
            }
        }
        if reasons.is_empty() { Ok(()) } else { Err(reasons) }
    }

    /// Brings the figures that age by themselves up to now.
    pub fn refresh_gauges(&self) {
        let now = self.clock.now();
        for tenant in self.config.tenants.keys() {
            let labels = TenantLabels { tenant: tenant.to_string() };
            if let Some(age) = self.sync_health(tenant).age(now) {
                self.telemetry.sync_age_seconds.get_or_create(&labels).set(age.as_seconds_f64());
            }
        }
    }

    async fn health(&self, tenant: &Tenant, now: DateTime<Utc>) -> Result<TenantHealth, StoreError> {
        let health = self.sync_health(&tenant.id);
        let last_good = match health.last_good {
            Some(at) => Some(at),
            // Asked from the command line, beside the service that reads.
            None => self.store.sync_state(&tenant.id).await?.good_at,
        };
        let troubles: Vec<_> = health.trouble.iter().chain(health.alarms()).map(ToString::to_string).collect();
        let trouble = (!troubles.is_empty()).then(|| troubles.join(". "));
        let stale = last_good.is_some_and(|at| now - at > longest_silence(tenant));
        let trouble = trouble.or_else(|| stale.then(|| "no fresh data: is the service running?".to_owned()));
        let quarantined = self.store.quarantined(&tenant.id).await?.len();
        Ok(TenantHealth {
            tenant: tenant.id.to_string(),
            timezone: self.desks.of(tenant).await?.1.msp_timezone().name(),
            last_good_sync: last_good,
            trouble,
            quarantined,
            limits: health.limits,
            forecast: self.stepped_back(&tenant.id),
            unlisted_statuses: self.unlisted(tenant).await?,
        })
    }

    async fn unlisted(&self, tenant: &Tenant) -> Result<Vec<String>, StoreError> {
        let open = self.store.open_tickets(&tenant.id).await?;
        let found = unlisted(&tenant.statuses, [], open.values().map(Arc::as_ref));
        Ok(found.iter().map(Unlisted::words).collect())
    }

    fn sync_health(&self, tenant: &TenantId) -> SyncHealth {
        self.sync.health.get(tenant).map(|health| health.borrow().clone()).unwrap_or_default()
    }
}

/// Without news for longer than this, a tenant's data is stale.
fn longest_silence(tenant: &Tenant) -> TimeDelta {
    (tenant.poll_interval * STALE_POLLS).max(STALE_AT_LEAST)
}
