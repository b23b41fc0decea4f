//! What others did between two turns: people, and channels that refused.
//!
//! Nearly always nobody did anything. So one question for all tenants tells whether anybody changed
//! anything, and each tenant is asked what only if so: every change by a person leaves a row in the audit
//! log, in the transaction that makes it.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use crate::alert::AlertKey;
use crate::alert::on_call::Override;
use crate::store::audit::{AsOf, LastChange};
use crate::store::{Store, StoreError};
use crate::ticket::TenantId;

/// What is known at the beginning of a turn.
pub(super) struct Meanwhile {
    /// What people did last; none if nobody ever did anything.
    pub last_change: Option<LastChange>,
    /// Each tenant's open alerts that have a step due.
    due: HashMap<TenantId, Vec<AlertKey>>,
}

impl Meanwhile {
    pub async fn ask(store: &Store, now: DateTime<Utc>) -> Result<Self, StoreError> {
        // The last change first: what is read after it is at least as new.
        let last_change = store.last_change().await?;
        let mut due: HashMap<TenantId, Vec<AlertKey>> = HashMap::new();
        for key in store.due_alerts(now).await? {
            due.entry(key.tenant.clone()).or_default().push(key);
        }
        Ok(Self { last_change, due })
    }

    /// The open alerts of `tenant` that have a step due, by the store.
    pub fn due_of(&self, tenant: &TenantId) -> Option<&[AlertKey]> {
        self.due.get(tenant).map(Vec::as_slice)
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
