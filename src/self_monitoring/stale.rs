//! Announces when a tenant's data is too old to be trusted, and when it is fresh again.
//!
//! An episode is named after the time of the data. So it is the same one after a restart, and nobody is told of it
//! twice.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use tokio::sync::watch;
use tracing::{error, info};

use super::teller::Teller;
use crate::config::Tenant;
use crate::notify::StaleFacts;
use crate::store::StoreError;
use crate::sync::SyncHealth;
use crate::ticket::TenantId;

/// Watches the age of each tenant's data.
pub(super) struct StaleWatch {
    teller: Teller,
    health: BTreeMap<TenantId, watch::Receiver<SyncHealth>>,
    /// A tenant that was never read counts as stale from this start on.
    began: DateTime<Utc>,
    /// Since when each tenant's data has been stale; a tenant is absent until it has been looked up in the store.
    told: BTreeMap<TenantId, Option<DateTime<Utc>>>,
}

impl StaleWatch {
    pub fn new(teller: Teller, health: BTreeMap<TenantId, watch::Receiver<SyncHealth>>, began: DateTime<Utc>) -> Self {
        Self { teller, health, began, told: BTreeMap::new() }
    }

    /// Checks each tenant.
    pub async fn turn(&mut self, now: DateTime<Utc>) -> Result<(), StoreError> {
        let config = self.teller.config.clone();
        for tenant in config.tenants.values() {
            self.look_at(tenant, now).await?;
        }
        Ok(())
    }

    async fn look_at(&mut self, tenant: &Tenant, now: DateTime<Utc>) -> Result<(), StoreError> {
        let health = self.health.get(&tenant.id).map(|health| health.borrow().clone()).unwrap_or_default();
        let known = match self.told.get(&tenant.id) {
            Some(known) => *known,
            None => self.teller.store.stale_since(&subject(tenant)).await?,
        };
        let limit = self.teller.config.stale_after(tenant);
        let is_fresh = health.doubt.is_none() && health.last_good.is_some_and(|at| now - at <= limit);
        let since = health.last_good.unwrap_or(self.began);
        // A first reading may take longer than that: the data is stale only if the reading fails.
        let is_old = now - since > limit && (health.last_good.is_some() || health.problem.is_some());
        let is_stale = is_old || health.doubt.is_some();
        let told = match known {
            None if is_stale => {
                self.tell_stale(tenant, &health, since, now).await?;
                Some(since)
            }
            Some(since) if is_fresh => {
                self.tell_fresh(tenant, since, now).await?;
                None
            }
            known => known,
        };
        self.told.insert(tenant.id.clone(), told);
        Ok(())
    }

    async fn tell_stale(
        &self,
        tenant: &Tenant,
        health: &SyncHealth,
        since: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let facts = facts(tenant, health, since);
        error!(tenant = %tenant.id, "the data of `{}` has been stale since {since}: {}", tenant.id, facts.reason);
        self.teller.tell(tenant, &subject(tenant), &facts, now).await.map(drop)
    }

    async fn tell_fresh(&self, tenant: &Tenant, since: DateTime<Utc>, now: DateTime<Utc>) -> Result<(), StoreError> {
        info!(tenant = %tenant.id, stale_seconds = (now - since).num_seconds(), "the data of `{}` is fresh again", tenant.id);
        self.teller.tell_over(&subject(tenant), now).await
    }
}

fn subject(tenant: &Tenant) -> String {
    format!("{}:stale", tenant.id)
}

fn facts(tenant: &Tenant, health: &SyncHealth, since: DateTime<Utc>) -> StaleFacts {
    let (reason, advice) = match (&health.problem, &health.doubt) {
        (Some(problem), _) => (format!("SuperOps could not be read: {}", problem.what), Some(problem.advice.clone())),
        (None, Some(doubt)) => (doubt.what.clone(), Some(doubt.advice.clone())),
        (None, None) => ("SuperOps was not read, and no error says why".to_owned(), None),
    };
    StaleFacts { tenant: tenant.id.to_string(), since, reason, advice, fresh_at: None, outpost: None, because: None }
}
