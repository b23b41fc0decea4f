//! What others did between two turns: people, and channels that refused.
//!
//! Nearly always nobody did anything. So one question for all tenants tells whether anybody changed
//! anything, and each tenant is asked what only if so: every change by a person leaves a row in the audit
//! log, in the transaction that makes it.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};

use crate::alert::on_call::Override;
use crate::store::audit::{AsOf, LastChange};
use crate::store::{Store, StoreError};
use crate::ticket::TenantId;

/// What is known at the beginning of a turn.
pub(super) struct Meanwhile {
    /// What people did last; none if nobody ever did anything.
    pub last_change: Option<LastChange>,
    /// The keys of each tenant's open alerts that have a step due.
    due: HashMap<String, HashSet<String>>,
}

impl Meanwhile {
    pub async fn ask(store: &Store, now: DateTime<Utc>) -> Result<Self, StoreError> {
        // The last change first: what is read after it is at least as new.
        let last_change = store.last_change().await?;
        let mut due: HashMap<String, HashSet<String>> = HashMap::new();
        for (tenant, key) in store.due_alerts(now).await? {
            due.entry(tenant).or_default().insert(key);
        }
        Ok(Self { last_change, due })
    }

    /// The keys of the open alerts of `tenant` that have a step due, by the store.
    pub fn due_of(&self, tenant: &TenantId) -> Option<&HashSet<String>> {
        self.due.get(tenant.as_str())
    }
}

/// The stand-ins of those on call.
#[derive(Default)]
pub(super) struct StandIns {
    as_of: Option<AsOf>,
    pub overrides: Vec<Override>,
}

impl StandIns {
    /// Reads them anew if people did something since.
    pub async fn keep_up(
        &mut self,
        store: &Store,
        last_change: Option<LastChange>,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        if !self.as_of.is_some_and(|as_of| as_of.holds(last_change, now)) {
            self.overrides = store.overrides_from(now).await?;
            self.as_of = Some(AsOf { last_change, at: now });
        }
        Ok(())
    }
}
