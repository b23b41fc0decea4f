//! Who is on call at the moment of a turn, asked each time so that a step reaches the person who has taken over.

use chrono::{DateTime, Utc};

use super::{Evaluate, Meanwhile};
use crate::alert::on_call::{Duty, duty};
use crate::config::Tenant;
use crate::store::StoreError;

impl Evaluate {
    /// Returns who is on call for the tickets of `tenant` at `now`.
    pub(super) async fn duty(
        &mut self,
        tenant: &Tenant,
        meanwhile: &Meanwhile,
        now: DateTime<Utc>,
    ) -> Result<Duty, StoreError> {
        if self.config.on_call.is_empty() {
            return Ok(Duty::new());
        }
        self.stand_ins.keep_up(&self.store, meanwhile.last_change, now).await?;
        Ok(duty(self.config.on_call.values(), &tenant.id, &self.stand_ins.overrides, now))
    }
}
