//! What a start waits for: that SuperOps was asked once since.
//!
//! While we were stopped, tickets were resolved and due times went by. To tell of breaches from what is known of before
//! alarms people of what is over, so the alerts of a tenant wait for the first good read, or for a minute where there is
//! none. A start after a short stop waits for nothing: what is known is as fresh as between two polls.

use std::collections::HashSet;

use chrono::{DateTime, TimeDelta, Utc};

use crate::config::Tenant;
use crate::store::{Store, StoreError};
use crate::ticket::TenantId;

/// Longer than this nobody waits for SuperOps.
const LONGEST_WAIT: TimeDelta = TimeDelta::minutes(1);

/// Which tenants have been read since the loop began.
#[derive(Debug, Default)]
pub struct Start {
    began: Option<DateTime<Utc>>,
    read: HashSet<TenantId>,
}

impl Start {
    /// Until when the alerts of `tenant` wait at the most; none: they do not.
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
        // Of what was never read nothing is told before the first sync has settled.
        if now < until && !store.sync_state(&tenant.id).await?.good_at.is_none_or(is_fresh) {
            return Ok(Some(until));
        }
        self.read.insert(tenant.id.clone());
        Ok(None)
    }
}
