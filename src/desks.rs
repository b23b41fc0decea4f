//! The rules of every tenant's desk at hand: made from the configuration and
//! the tenant's directory, and made anew only when one of them changes.

use std::collections::BTreeMap;
use std::sync::Arc;

use moka::sync::Cache;

use crate::config::{Config, Hours, Tenant};
use crate::sla::calendar::{Calendar, CalendarError};
use crate::sla::desk::{Desk, DeskRules, Warn};
use crate::store::{Store, StoreError};
use crate::telemetry::{CacheLabels, CacheName, Telemetry};
use crate::ticket::{Directory, TenantId};

/// The desks of all tenants. Shared as an `Arc`.
pub struct Desks {
    config: Arc<Config>,
    store: Store,
    calendars: BTreeMap<String, Arc<Calendar>>,
    cache: Cache<TenantId, (Arc<Directory>, Arc<Desk>)>,
    telemetry: Arc<Telemetry>,
}

impl Desks {
    /// Compiles the configured calendars.
    pub fn new(config: Arc<Config>, store: Store, telemetry: Arc<Telemetry>) -> Result<Self, CalendarError> {
        let compile = |(name, spec): (&String, _)| Ok((name.clone(), Arc::new(Calendar::compile(Clone::clone(spec))?)));
        let calendars = config.calendars.iter().map(compile).collect::<Result<_, CalendarError>>()?;
        Ok(Self { config, store, calendars, cache: Cache::new(1_000), telemetry })
    }

    /// The rules of `tenant`'s desk, with the directory they were made from.
    pub async fn of(&self, tenant: &Tenant) -> Result<(Arc<Directory>, Arc<Desk>), StoreError> {
        let directory = self.store.directory(&tenant.id).await?;
        let held = self.cache.get(&tenant.id).filter(|(known, _)| Arc::ptr_eq(known, &directory));
        let result = if held.is_some() { "hit" } else { "miss" };
        self.telemetry.cache_lookups.get_or_create(&CacheLabels { cache: "policies", result }).inc();
        if let Some(held) = held {
            return Ok(held);
        }
        let desk = Arc::new(Desk::new(self.rules(tenant), &directory));
        self.cache.insert(tenant.id.clone(), (directory.clone(), desk.clone()));
        self.cache.run_pending_tasks();
        let entries = i64::try_from(self.cache.entry_count()).unwrap_or(i64::MAX);
        self.telemetry.cache_entries.get_or_create(&CacheName { cache: "policies" }).set(entries);
        Ok((directory, desk))
    }

    fn rules(&self, tenant: &Tenant) -> DeskRules {
        let alerts = &self.config.alerts;
        DeskRules {
            tenant: tenant.id.clone(),
            words: tenant.statuses.clone(),
            site_hours: tenant.hours == Hours::Site,
            msp: tenant.calendar.as_ref().and_then(|name| self.calendars.get(name)).cloned(),
            holiday_lists: self.config.holiday_lists.clone(),
            policies: self.config.policies.clone(),
            warn: Warn { at: alerts.warn_at.clone(), left: alerts.warn_left.clone() },
        }
    }
}
