//! Makes the alerts wait after a start until SuperOps was read once.
//!
//! While we were stopped, tickets were resolved and due times went by. Telling breaches by old data would alarm people
//! about what is over, so the alerts of a tenant wait for the first good read, or for a minute if there is none. A
//! start after a short stop does not wait: the data is as fresh as between two polls.

use std::collections::HashSet;

use chrono::{DateTime, TimeDelta, Utc};

use crate::config::Tenant;
use crate::store::{Store, StoreError};
use crate::ticket::TenantId;

/// The longest wait for SuperOps.
const LONGEST_WAIT: TimeDelta = TimeDelta::minutes(1);

/// Which tenants have been read since the loop began.
#[derive(Debug, Default)]
pub struct Start {
    began: Option<DateTime<Utc>>,
    read: HashSet<TenantId>,
}

impl Start {
    /// Returns until when the alerts of `tenant` wait at most; none if they do not.
    pub async fn waits(
        &mut self,
        store: &Store,
        tenant: &Tenant,
        now: DateTime<Utc>,
    ) -> Result<Option<DateTime<Utc>>, StoreError> {
        let began = self.began.map_or(now, |began| began.min(now));
        self.began = Some(began);
        if self.read.contains(&tenant.id) {
            return Ok(None);
        }
        let until = began + LONGEST_WAIT;
        let is_fresh = |at: DateTime<Utc>| began - at <= tenant.poll_interval * 2;
        // A tenant that was never read has nothing to tell before the first sync has settled.
        if now < until && !store.sync_state(&tenant.id).await?.good_at.is_none_or(is_fresh) {
            return Ok(Some(until));
        }
        self.read.insert(tenant.id.clone());
        Ok(None)
    }
}
