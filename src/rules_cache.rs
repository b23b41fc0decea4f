//! Keeps the rules of every tenant at hand: built from the configuration and the
//! tenant's directory, and rebuilt only when one of them changes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use chrono::{DateTime, Utc};
use moka::sync::Cache;
use tracing::info;

use crate::config::{Config, Hours, Tenant};
use crate::sla::calendar::{Calendar, CalendarError, CalendarSpec};
use crate::sla::tenant_rules::{RulesConfig, TenantRules, Warn};
use crate::sla::version::{Terms, Version, closed_at, version_at};
use crate::sla::zone;
use crate::store::versions::Adopted;
use crate::store::{Store, StoreError};
use crate::telemetry::{CacheLabels, CacheName, Telemetry};
use crate::ticket::watch::Watched;
use crate::ticket::{Directory, TenantId};

/// How long a list of versions is kept: the replica that leads may have made another one.
const VERSIONS_FOR: Duration = Duration::from_secs(5);

/// The rules of all tenants. Shared as an `Arc`.
pub struct RulesCache {
    config: Arc<Config>,
    store: Store,
    calendars: ArcSwap<Calendars>,
    cache: Cache<TenantId, Made>,
    versions: Cache<TenantId, Arc<Vec<Version>>>,
    /// The rules of versions that no longer hold.
    past: Cache<(TenantId, u32), Made>,
    /// The directory that the last version was made with.
    kept: Cache<TenantId, Arc<Directory>>,
    telemetry: Arc<Telemetry>,
}

/// Rules with what they were built from.
#[derive(Clone)]
struct Made {
    directory: Arc<Directory>,
    calendars: Arc<Calendars>,
    rules: Arc<TenantRules>,
}

impl Made {
    fn is_of(&self, directory: &Arc<Directory>, calendars: &Arc<Calendars>) -> bool {
        Arc::ptr_eq(&self.directory, directory) && Arc::ptr_eq(&self.calendars, calendars)
    }
}

impl RulesCache {
    /// Compiles the configured calendars.
    pub fn new(config: Arc<Config>, store: Store, telemetry: Arc<Telemetry>) -> Result<Self, CalendarError> {
        let calendars = ArcSwap::from_pointee(Calendars::compile(&config)?);
        Ok(Self {
            config,
            store,
            calendars,
            cache: Cache::new(1_000),
            versions: Cache::builder().max_capacity(1_000).time_to_live(VERSIONS_FOR).build(),
            past: Cache::new(1_000),
            kept: Cache::new(1_000),
            telemetry,
        })
    }

    /// Returns the rules of `tenant`, with the directory they were built from.
    pub async fn of(&self, tenant: &Tenant) -> Result<(Arc<Directory>, Arc<TenantRules>), StoreError> {
        let directory = self.store.directory(&tenant.id).await?;
        let calendars = self.calendars()?;
        let held = self.cache.get(&tenant.id).filter(|made| made.is_of(&directory, &calendars));
        let result = if held.is_some() { "hit" } else { "miss" };
        self.telemetry.cache_lookups.get_or_create(&CacheLabels { cache: "policies", result }).inc();
        if let Some(made) = held {
            return Ok((directory, made.rules));
        }
        let rules = Arc::new(TenantRules::new(self.rules_config(tenant), &directory));
        let made = Made { directory: directory.clone(), calendars, rules: rules.clone() };
        self.cache.insert(tenant.id.clone(), made);
        self.cache.run_pending_tasks();
        let entries = i64::try_from(self.cache.entry_count()).unwrap_or(i64::MAX);
        self.telemetry.cache_entries.get_or_create(&CacheName { cache: "policies" }).set(entries);
        Ok((directory, rules))
    }

    /// Returns the configured calendars, compiled again if zone rules have changed.
    fn calendars(&self) -> Result<Arc<Calendars>, StoreError> {
        let held = self.calendars.load_full();
        if held.generation == zone::generation() {
            return Ok(held);
        }
        let anew = Calendars::compile(&self.config).map_err(|error| StoreError::Unreadable(error.to_string()))?;
        let anew = Arc::new(anew);
        self.calendars.store(anew.clone());
        Ok(anew)
    }

    /// Returns the rules of `tenant` by the MSP's own hours, and by those of its clients' sites.
    pub async fn by_either_hours(&self, tenant: &Tenant) -> Result<[TenantRules; 2], StoreError> {
        let directory = self.store.directory(&tenant.id).await?;
        Ok([false, true]
            .map(|site_hours| TenantRules::new(RulesConfig { site_hours, ..self.rules_config(tenant) }, &directory)))
    }

    /// Makes what is configured the version in force from `now` on, if it is not yet.
    pub async fn adopt(&self, now: DateTime<Utc>) -> Result<(), StoreError> {
        for tenant in self.config.tenants.values() {
            self.keep_version(tenant, now).await?;
            self.store.adopt_credits(&tenant.id, &self.config.reports.credits_of(&tenant.id), now).await?;
        }
        Ok(())
    }

    /// Records the terms of `tenant` as a version if they are new: SuperOps may have other hours for a site.
    pub async fn keep_version(&self, tenant: &Tenant, now: DateTime<Utc>) -> Result<(), StoreError> {
        let directory = self.store.directory(&tenant.id).await?;
        let kept = self.kept.get(&tenant.id).is_some_and(|known| Arc::ptr_eq(&known, &directory));
        // Sites that have not been read yet do not make a version.
        if kept || (tenant.hours == Hours::Site && directory.sites.is_empty()) {
            return Ok(());
        }
        let Adopted { version, is_new, moved } =
            self.store.adopt_terms(&tenant.id, &terms(&self.config, tenant, &directory), now).await?;
        if is_new {
            self.versions.invalidate(&tenant.id);
        }
        if is_new && version > 1 {
            info!(tenant = %tenant.id, version, moved, "new terms are in force: version {version}");
        }
        self.kept.insert(tenant.id.clone(), directory);
        Ok(())
    }

    /// Returns the rules by which `watched` is judged, and the number of the version it
    /// follows: a closed ticket keeps the one that held when it was closed.
    pub async fn judging(
        &self,
        tenant: &Tenant,
        watched: &Watched,
    ) -> Result<(Arc<TenantRules>, Option<u32>), StoreError> {
        let (directory, present) = self.of(tenant).await?;
        let versions = self.versions(&tenant.id).await?;
        let Some(last) = versions.last().map(|last| last.number) else { return Ok((present, None)) };
        let kept = closed_at(watched, &tenant.statuses).and_then(|at| version_at(&versions, at));
        // By the status words of that version it may still be open, if its status was listed later: its clock would
        // never stop.
        let is_closed =
            |kept: &&Version| kept.terms.words.as_ref().is_none_or(|words| closed_at(watched, words).is_some());
        match kept.filter(|kept| kept.number != last).filter(is_closed) {
            None => Ok((present, Some(last))),
            Some(kept) => Ok((self.past(tenant, kept, &directory)?, Some(kept.number))),
        }
    }

    /// Returns the rules of `tenant` by a version that no longer holds.
    fn past(
        &self,
        tenant: &Tenant,
        version: &Version,
        directory: &Arc<Directory>,
    ) -> Result<Arc<TenantRules>, StoreError> {
        let key = (tenant.id.clone(), version.number);
        let calendars = self.calendars()?;
        let held = self.past.get(&key).filter(|made| made.is_of(directory, &calendars));
        if let Some(made) = held {
            return Ok(made.rules);
        }
        let rules = Arc::new(self.rules_by(tenant, &version.terms, directory)?);
        self.past.insert(key, Made { directory: directory.clone(), calendars, rules: rules.clone() });
        Ok(rules)
    }

    /// Returns the rules of every version of what `tenant` promised, oldest first, each with its number and its start.
    /// What is configured but not yet a version has judged nothing, and is left out.
    pub async fn eras(&self, tenant: &Tenant) -> Result<Vec<(Arc<TenantRules>, u32, DateTime<Utc>)>, StoreError> {
        let (directory, present) = self.of(tenant).await?;
        let versions = self.versions(&tenant.id).await?;
        let Some(last) = versions.last() else { return Ok(vec![(present, 0, DateTime::UNIX_EPOCH)]) };
        let configured = terms(&self.config, tenant, &directory);
        let mut eras = Vec::with_capacity(versions.len());
        for version in versions.iter() {
            let is_present = version.number == last.number && version.terms == configured;
            let rules = if is_present { present.clone() } else { self.past(tenant, version, &directory)? };
            eras.push((rules, version.number, version.from));
        }
        Ok(eras)
    }

    /// Returns every version of what `tenant` promised, oldest first; empty if the service has not run yet.
    pub async fn versions(&self, tenant: &TenantId) -> Result<Arc<Vec<Version>>, StoreError> {
        if let Some(held) = self.versions.get(tenant) {
            return Ok(held);
        }
        let versions = Arc::new(self.store.policy_versions(tenant).await?);
        self.versions.insert(tenant.clone(), versions.clone());
        Ok(versions)
    }

    /// Returns the rules of `tenant` by other terms.
    pub fn rules_by(&self, tenant: &Tenant, terms: &Terms, directory: &Directory) -> Result<TenantRules, StoreError> {
        let compile = |spec: &CalendarSpec| Calendar::compile(spec.clone()).map(Arc::new);
        let msp = terms.calendar.as_ref().map(compile).transpose();
        let msp = msp.map_err(|error| StoreError::Unreadable(error.to_string()))?;
        let rules = RulesConfig {
            site_hours: terms.site_hours,
            msp,
            holiday_lists: terms.holiday_lists.clone(),
            policies: terms.policies.clone(),
            words: terms.words.clone().unwrap_or_else(|| tenant.statuses.clone()),
            ..self.rules_config(tenant)
        };
        let Some(sites) = &terms.sites else { return Ok(TenantRules::new(rules, directory)) };
        let sites = sites.iter().map(|site| (site.id.clone(), site.clone())).collect();
        Ok(TenantRules::new(rules, &Directory { sites, ..directory.clone() }))
    }

    /// Returns the configured rules of `tenant`.
    pub fn rules_config(&self, tenant: &Tenant) -> RulesConfig {
        let alerts = &self.config.alerts;
        let Terms { policies, site_hours, holiday_lists, .. } = terms(&self.config, tenant, &Directory::default());
        RulesConfig {
            tenant: tenant.id.clone(),
            words: tenant.statuses.clone(),
            site_hours,
            msp: tenant.calendar.as_ref().and_then(|name| self.calendars.load().by_name.get(name).cloned()),
            holiday_lists,
            policies,
            warn: Warn { at: alerts.warn_at.clone(), left: alerts.warn_left.clone() },
            automation_answers: tenant.automation_answers,
        }
    }
}

/// The configured calendars, compiled by one set of zone rules.
struct Calendars {
    by_name: BTreeMap<String, Arc<Calendar>>,
    generation: u32,
}

impl Calendars {
    fn compile(config: &Config) -> Result<Self, CalendarError> {
        let generation = zone::generation();
        let compile = |(name, spec): (&String, _)| Ok((name.clone(), Arc::new(Calendar::compile(Clone::clone(spec))?)));
        Ok(Self { by_name: config.calendars.iter().map(compile).collect::<Result<_, CalendarError>>()?, generation })
    }
}

/// Returns what `config` promises the tickets of `tenant`, whose sites are those of `directory`.
pub fn terms(config: &Config, tenant: &Tenant, directory: &Directory) -> Terms {
    Terms {
        policies: config.policies_of(&tenant.id).map(|(_, policy)| policy.clone()).collect(),
        site_hours: tenant.hours == Hours::Site,
        calendar: tenant.calendar.as_ref().and_then(|name| config.calendars.get(name)).cloned(),
        holiday_lists: config.holiday_lists.clone(),
        words: Some(tenant.statuses.clone()),
        sites: (tenant.hours == Hours::Site).then(|| directory.sites.values().cloned().collect()),
    }
}

/// Returns what the tickets of `tenant` would be promised if `trial` were added to `config`: what it leaves out stays.
pub fn trial_terms(config: &Config, trial: &Config, tenant: &Tenant) -> Terms {
    let present = terms(config, tenant, &Directory::default());
    let tried = trial.tenants.get(&tenant.id);
    let name = tried.map_or(&tenant.calendar, |tried| &tried.calendar).as_ref();
    let calendar = name.and_then(|name| trial.calendars.get(name).or_else(|| config.calendars.get(name)));
    let policies: Vec<_> = trial.policies_of(&tenant.id).map(|(_, policy)| policy.clone()).collect();
    Terms {
        policies: if trial.policies.is_empty() { present.policies } else { policies },
        site_hours: tried.map_or(present.site_hours, |tried| tried.hours == Hours::Site),
        calendar: calendar.cloned(),
        holiday_lists: if trial.holiday_lists.is_empty() { present.holiday_lists } else { trial.holiday_lists.clone() },
        words: present.words,
        sites: None,
    }
}
