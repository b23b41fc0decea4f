//! Who is on call at the moment of a turn: asked anew each time, so that a step reaches whoever has taken over.

use chrono::{DateTime, Utc};

use super::Evaluate;
use crate::alert::on_call::{Duty, duty};
use crate::config::Tenant;
use crate::store::StoreError;

impl Evaluate {
    /// Who is on call for the tickets of `tenant` at `now`.
    pub(super) async fn duty(&self, tenant: &Tenant, now: DateTime<Utc>) -> Result<Duty, StoreError> {
        if self.config.on_call.is_empty() {
            return Ok(Duty::new());
        }
        let overrides = self.store.overrides_from(now).await?;
        Ok(duty(self.config.on_call.values(), &tenant.id, &overrides, now))
    }
}
