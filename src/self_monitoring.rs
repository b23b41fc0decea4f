//! The loop that watches the watch: whether our data is fresh, whether outposts are heard from, and whether everything
//! that should have been sent was sent. It also sends a heartbeat to whoever watches us.
//!
//! It runs each minute. After a start, or when the machine has slept, it first gives the other loops time to catch up:
//! what they are about to do is not a fault.

mod audit;
mod heartbeat;
mod silent;
mod stale;
mod teller;

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::{Notify, watch};
use tracing::{error, info};

use self::audit::Audit;
pub use self::audit::{Mismatch, MismatchKind, Mismatches};
use self::heartbeat::Heartbeat;
use self::silent::OutpostWatch;
use self::stale::StaleWatch;
use self::teller::Teller;
use crate::clock::SharedClock;
use crate::config::Config;
use crate::descriptors;
use crate::monitor::board::MonitorState;
use crate::rules_cache::RulesCache;
use crate::store::{Store, StoreError};
use crate::sync::SyncHealth;
use crate::telemetry::{LoopName, Telemetry};
use crate::ticket::TenantId;
use crate::zone_rules::ZoneWatch;

const EVERY: TimeDelta = TimeDelta::minutes(1);
/// How long the other loops get to catch up.
const SETTLE: TimeDelta = TimeDelta::minutes(2);
/// If the loop wakes this much too late, the machine was stopped in the meantime.
const LEAP: TimeDelta = TimeDelta::seconds(30);

/// Whether alerts would be sent now.
#[async_trait]
pub trait Readiness: Send + Sync {
    /// As reported by `/readyz`.
    async fn is_ready(&self) -> bool;
}

/// What the loop depends on.
pub struct Wiring {
    pub config: Arc<Config>,
    pub rules_cache: Arc<RulesCache>,
    pub store: Store,
    pub clock: SharedClock,
    pub telemetry: Arc<Telemetry>,
    /// Says whether all is well.
    pub readiness: Arc<dyn Readiness>,
    pub health: BTreeMap<TenantId, watch::Receiver<SyncHealth>>,
    /// Wakes dispatch.
    pub outbox: Arc<Notify>,
    /// Passes what the audit found on to the page.
    pub found: watch::Sender<Mismatches>,
    pub zones: ZoneWatch,
    /// Shows whether outposts are heard from.
    pub monitor_state: Arc<MonitorState>,
}

/// Watches the watch.
pub struct SelfMonitoring {
    store: Store,
    clock: SharedClock,
    readiness: Arc<dyn Readiness>,
    telemetry: Arc<Telemetry>,
    stale: StaleWatch,
    outposts: OutpostWatch,
    audit: Audit,
    /// None if nobody listens for it.
    heartbeat: Option<Heartbeat>,
    zones: ZoneWatch,
}

impl SelfMonitoring {
    pub fn new(wiring: Wiring) -> anyhow::Result<Self> {
        let Wiring { config, rules_cache, store, clock, telemetry, readiness, health, found, zones, .. } = wiring;
        let teller = Teller { config: config.clone(), store: store.clone(), outbox: wiring.outbox };
        let heartbeat = config.watch.heartbeat_url.as_ref().map(Heartbeat::new).transpose()?;
        let stale = StaleWatch::new(teller.clone(), health, clock.now());
        let outposts = OutpostWatch::new(teller, wiring.monitor_state, clock.now());
        let audit = Audit::new(config, rules_cache, store.clone(), telemetry.clone(), found, clock.speed());
        let mut watch = Self { store, clock, readiness, telemetry, stale, outposts, audit, heartbeat, zones };
        watch.renew_zones(watch.clock.now());
        Ok(watch)
    }

    /// Runs turns until `stop` is true.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) {
        tokio::select! {
            () = self.turn_for_ever() => {}
            // What was not told is found again and told by the next run.
            _ = stop.wait_for(|stop| *stop) => {}
        }
    }

    async fn turn_for_ever(&mut self) {
        let speed = i32::try_from(self.clock.speed()).unwrap_or(i32::MAX);
        let mut next = self.clock.now() + SETTLE;
        loop {
            self.clock.sleep_until(next).await;
            let now = self.clock.now();
            if now - next > LEAP * speed {
                next = now + SETTLE;
                continue;
            }
            if let Err(error) = self.turn(now).await {
                error!(error = %error, "self-monitoring failed; trying again in a minute");
            }
            next = self.clock.now() + EVERY;
        }
    }

    /// Switches to newer time zone rules if the machine has some.
    fn renew_zones(&mut self, now: DateTime<Utc>) {
        match self.zones.turn(now) {
            Ok(true) => info!("time zone rules now in force: {}", self.zones.held().words(now)),
            Ok(false) => {}
            Err(error) => error!(error = %error, "the machine's time zone rules cannot be read; the old ones apply"),
        }
        self.zones.show(&self.telemetry, now);
    }

    /// Runs one turn: each part runs, whatever the outcome of the others.
    pub async fn turn(&mut self, now: DateTime<Utc>) -> Result<(), StoreError> {
        let started = tokio::time::Instant::now();
        if let Err(error) = descriptors::spare() {
            error!(error = %error, "no connection or file can be opened: nobody can be told, and SuperOps cannot be asked");
        }
        for id in self.store.missing_keys().await.unwrap_or_default() {
            error!(key = id, "{}", StoreError::KeyMissing(id.clone()));
        }
        self.renew_zones(now);
        let told = self.stale.turn(now).await.and(self.outposts.turn(now).await);
        let audited = self.audit.turn(now).await;
        let took = started.elapsed().as_secs_f64();
        self.telemetry.loop_seconds.get_or_create(&LoopName { name: "vigil" }).observe(took);
        if let Some(heartbeat) = &mut self.heartbeat {
            // As in `/readyz`: the store accepts a write, and each tenant's data is fresh.
            let is_well = told.is_ok() && audited.is_ok() && self.readiness.is_ready().await;
            heartbeat.beat(is_well, now).await;
        }
        told.and(audited)
    }
}
