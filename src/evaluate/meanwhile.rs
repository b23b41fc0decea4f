//! What happened between two turns: acts of people, and refusals by channels.
//!
//! Nearly always nothing did. So one query for all tenants tells whether anybody changed anything, and
//! only if so is each tenant queried for what. This works because every change by a person leaves a row
//! in the audit log, in the same transaction.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use crate::alert::AlertKey;
use crate::alert::on_call::Override;
use crate::store::audit::{AsOf, LastChange};
use crate::store::{Store, StoreError};
use crate::ticket::TenantId;

/// What is known at the beginning of a turn.
pub(super) struct Meanwhile {
    /// The last act of people; none if there was none yet.
    pub last_change: Option<LastChange>,
    /// The open alerts of each tenant that have a step due.
    due: HashMap<TenantId, Vec<AlertKey>>,
}

impl Meanwhile {
    pub async fn ask(store: &Store, now: DateTime<Utc>) -> Result<Self, StoreError> {
        // Read the last change first, so that everything read after it is at least as new.
        let last_change = store.last_change().await?;
        let mut due: HashMap<TenantId, Vec<AlertKey>> = HashMap::new();
        for key in store.due_alerts(now).await? {
            due.entry(key.tenant.clone()).or_default().push(key);
        }
        Ok(Self { last_change, due })
    }

    /// Returns the open alerts of `tenant` that have a step due according to the store.
    pub fn due_of(&self, tenant: &TenantId) -> Option<&[AlertKey]> {
        self.due.get(tenant).map(Vec::as_slice)
    }
}

/// The stand-ins for people on call.
#[derive(Default)]
pub(super) struct StandIns {
    as_of: Option<AsOf>,
    pub overrides: Vec<Override>,
}

impl StandIns {
    /// Reads them again if people did something since.
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
