//! What the parts share, and how each part is built from it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::answers::Wakers;
use crate::bookkeeping::Bookkeeping;
use crate::clock::SharedClock;
use crate::config::{self, Config, Tenant};
use crate::dispatch::Dispatch;
use crate::evaluate::Evaluate;
use crate::last_looks::LastLooks;
use crate::loop_health::LoopHealths;
use crate::monitor::board::MonitorState;
use crate::notify::Notifier;
use crate::predict::{self, Predict, PublishedForecasts};
use crate::reporting::{self, Reporter, Reporting};
use crate::rules_cache::RulesCache;
use crate::self_monitoring::{self, Mismatches, Readiness, SelfMonitoring};
use crate::service::{Service, Syncs};
use crate::store::lease::Role;
use crate::store::{Claim, Store, StoreError};
use crate::superops::SuperOps;
use crate::sync::{SyncHealth, TenantSync, Wiring};
use crate::telemetry::Telemetry;
use crate::ticket::TenantId;
use crate::write_back::{self, WriteBacks};
use crate::zone_rules::ZoneWatch;

/// How many times to try again while the store is in use.
const CLAIM_TRIES: u32 = 10;
const CLAIM_PAUSE: Duration = Duration::from_millis(100);

/// What all parts share.
pub struct AppContext {
    pub config: Arc<Config>,
    rules_cache: Arc<RulesCache>,
    pub store: Store,
    pub clock: SharedClock,
    pub telemetry: Arc<Telemetry>,
    published: Arc<PublishedForecasts>,
    last_looks: Arc<LastLooks>,
    pub wakers: Wakers,
    pub loop_healths: LoopHealths,
    pub role: Role,
}

impl AppContext {
    /// Claims and opens the store that `config` names.
    pub async fn open(config: Arc<Config>, clock: SharedClock, role: Role) -> anyhow::Result<(Self, Claim)> {
        let telemetry = Arc::new(Telemetry::default());
        let claim = claim(&config.store).await?;
        let store = Store::open_by(&config.store, Some(&claim), telemetry.clone()).await?;
        let store = if let Role::Leader { epoch } = role { store.of_leader(epoch) } else { store };
        store.listen_to_others();
        let rules_cache = Arc::new(RulesCache::new(config.clone(), store.clone(), telemetry.clone())?);
        if role.leads() {
            rules_cache.adopt(clock.now()).await?;
        }
        let wakers = Wakers { dispatch: Arc::default(), evaluate: Arc::default() };
        let (published, last_looks, loop_healths) = (Arc::default(), Arc::default(), LoopHealths::default());
        Ok((
            Self { config, rules_cache, store, clock, telemetry, published, last_looks, wakers, loop_healths, role },
            claim,
        ))
    }

    pub async fn sync(
        &self,
        tenant: &Tenant,
        client: Arc<SuperOps>,
        hints: watch::Receiver<u64>,
        health: watch::Sender<SyncHealth>,
    ) -> Result<TenantSync, StoreError> {
        let wiring = Wiring {
            client,
            store: self.store.clone(),
            clock: self.clock.clone(),
            telemetry: self.telemetry.clone(),
            nudge: self.wakers.evaluate.clone(),
            hints,
            health,
            last_looks: self.last_looks.clone(),
        };
        Ok(TenantSync::open(tenant, wiring).await?.by_rules(self.rules_cache.rules_config(tenant)))
    }

    pub fn predict(&self, tenant: &Tenant, synced: watch::Receiver<SyncHealth>) -> Predict {
        let wiring = predict::Wiring {
            config: self.config.clone(),
            rules_cache: self.rules_cache.clone(),
            store: self.store.clone(),
            clock: self.clock.clone(),
            telemetry: self.telemetry.clone(),
            published: self.published.clone(),
            news: self.wakers.evaluate.clone(),
            synced,
        };
        Predict::new(&tenant.id, wiring)
    }

    pub fn write_back(&self, tenant: &Tenant, client: Arc<SuperOps>, queued: watch::Receiver<()>) -> WriteBacks {
        let (store, clock, telemetry) = (self.store.clone(), self.clock.clone(), self.telemetry.clone());
        WriteBacks::new(&tenant.id, write_back::Wiring { client, store, clock, telemetry, queued })
    }

    pub fn bookkeeping(&self) -> Bookkeeping {
        let (config, rules) = (self.config.clone(), self.rules_cache.clone());
        Bookkeeping::new(config, rules, self.store.clone(), self.clock.clone())
    }

    pub fn reporting(&self, reporter: Arc<dyn Reporter>) -> Reporting {
        Reporting::new(reporting::Wiring {
            config: self.config.clone(),
            rules_cache: self.rules_cache.clone(),
            store: self.store.clone(),
            clock: self.clock.clone(),
            reporter,
            outbox: self.wakers.dispatch.clone(),
        })
    }

    pub fn evaluate(&self) -> Evaluate {
        Evaluate::new(
            self.config.clone(),
            self.rules_cache.clone(),
            self.store.clone(),
            self.clock.clone(),
            self.telemetry.clone(),
            self.wakers.evaluate.clone(),
            self.wakers.dispatch.clone(),
        )
        .heeding(self.published.clone())
        .looking_once_more(self.last_looks.clone())
        .with_health(self.loop_healths.evaluate.clone())
    }

    pub fn dispatch(&self, channels: Vec<Arc<dyn Notifier>>) -> Dispatch {
        Dispatch::new(
            self.store.clone(),
            channels,
            self.clock.clone(),
            self.telemetry.clone(),
            Arc::new(self.config.alerts.noise.clone()),
            self.wakers.dispatch.clone(),
            self.wakers.evaluate.clone(),
        )
        .with_limits(&self.config.notify.per_minute)
        .with_health(self.loop_healths.dispatch.clone())
    }

    pub fn service(&self, sync: Syncs, found: watch::Receiver<Mismatches>) -> Service {
        Service::new(
            self.config.clone(),
            self.rules_cache.clone(),
            self.store.for_pages(),
            self.clock.clone(),
            self.telemetry.clone(),
            sync,
        )
        .showing(self.published.clone())
        .audited(found)
        .with_loop_healths(self.loop_healths.clone())
        .in_role(self.role)
        .with_wakers(self.wakers.evaluate.clone(), self.wakers.dispatch.clone())
    }

    pub fn self_monitoring(
        &self,
        readiness: Arc<dyn Readiness>,
        health: BTreeMap<TenantId, watch::Receiver<SyncHealth>>,
        found: watch::Sender<Mismatches>,
        monitor_state: Arc<MonitorState>,
    ) -> anyhow::Result<SelfMonitoring> {
        let wiring = self_monitoring::Wiring {
            config: self.config.clone(),
            rules_cache: self.rules_cache.clone(),
            store: self.store.clone(),
            clock: self.clock.clone(),
            telemetry: self.telemetry.clone(),
            readiness,
            health,
            outbox: self.wakers.dispatch.clone(),
            found,
            zones: ZoneWatch::of_this_machine(),
            monitor_state,
        };
        SelfMonitoring::new(wiring)
    }
}

/// Claims the store, and tries again for a moment while it is in use: the service that holds it may be about to end.
async fn claim(place: &config::Store) -> Result<Claim, StoreError> {
    for _ in 0..CLAIM_TRIES {
        match Store::claim(place) {
            Err(StoreError::InUse(_)) => tokio::time::sleep(CLAIM_PAUSE).await,
            claimed_or_hopeless => return claimed_or_hopeless,
        }
    }
    Store::claim(place)
}
