//! Opens the service's queries on its store, beside the service that fills it.

use std::sync::Arc;

use tokio::sync::watch;

use super::CliError;
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::predict::{self, Predict, PublishedForecasts};
use crate::rules_cache::RulesCache;
use crate::service::{Heard, Reach, Service, Syncs};
use crate::store::Store;
use crate::sync::SyncHealth;
use crate::telemetry::Telemetry;

/// Opens the queries on the store, beside the service that fills it.
pub(super) async fn offline_service(config: Config) -> Result<(Service, Store), CliError> {
    let telemetry = Arc::new(Telemetry::default());
    let config = Arc::new(config);
    let store = super::existing_store(&config, telemetry.clone()).await?;
    let rules_cache = Arc::new(RulesCache::new(config.clone(), store.clone(), telemetry.clone())?);
    let service = Service::new(config, rules_cache, store.clone(), Arc::new(SystemClock), telemetry, Syncs::default());
    Ok((hearing(service, &store).await?, store))
}

/// Does the same, with forecasts: they are computed anew, since the service keeps its own in memory.
pub(super) async fn foreseeing_service(config: Config, reach: &Reach) -> Result<(Service, Store), CliError> {
    let telemetry = Arc::new(Telemetry::default());
    let config = Arc::new(config);
    let store = super::existing_store(&config, telemetry.clone()).await?;
    let rules_cache = Arc::new(RulesCache::new(config.clone(), store.clone(), telemetry.clone())?);
    let published = Arc::new(PublishedForecasts::default());
    foresee(&config, reach, &rules_cache, &store, &telemetry, &published).await?;
    let service = Service::new(config, rules_cache, store.clone(), Arc::new(SystemClock), telemetry, Syncs::default());
    Ok((hearing(service.showing(published), &store).await?, store))
}

/// Lets the service know how the work of the leader goes, and how far its clock is off from ours.
async fn hearing(service: Service, store: &Store) -> Result<Service, CliError> {
    let heard = Heard::read(store).await?;
    // Only a leader among replicas tells how its work goes.
    if heard.is_none() {
        return Ok(service);
    }
    store.compare_clocks(|| SystemClock.now()).await?;
    Ok(service.hearing(watch::channel(heard).1))
}

/// Forecasts the open tickets once, as the service does all the time: what it has learned is in the store.
async fn foresee(
    config: &Arc<Config>,
    reach: &Reach,
    rules_cache: &Arc<RulesCache>,
    store: &Store,
    telemetry: &Arc<Telemetry>,
    published: &Arc<PublishedForecasts>,
) -> Result<(), CliError> {
    for tenant in config.tenants.keys().filter(|tenant| reach.includes(tenant)) {
        let wiring = predict::Wiring {
            config: config.clone(),
            rules_cache: rules_cache.clone(),
            store: store.clone(),
            clock: Arc::new(SystemClock),
            telemetry: telemetry.clone(),
            published: published.clone(),
            news: Arc::default(),
            synced: watch::channel(SyncHealth::default()).1,
        };
        Predict::new(tenant, wiring).glance(SystemClock.now()).await.map_err(anyhow::Error::from)?;
    }
    Ok(())
}
