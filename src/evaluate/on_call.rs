//! Who is on call at the moment of a turn: asked anew each time, so that a step reaches whoever has taken over.

use chrono::{DateTime, Utc};

use super::Evaluate;
use crate::alert::on_call::Duty;
use crate::config::Tenant;
use crate::store::StoreError;

impl Evaluate {
    /// Who is on call for the tickets of `tenant` at `now`.
    pub(super) async fn duty(&self, tenant: &Tenant, now: DateTime<Utc>) -> Result<Duty, StoreError> {
        if self.config.on_call.is_empty() {
            return Ok(Duty::new());
        }
        let overrides = self.store.overrides_from(now).await?;
        let rotations = self.config.on_call.values();
        let own = rotations.filter(|rotation| rotation.tenant.as_ref().is_none_or(|only| *only == tenant.id));
        let on_call = own.filter_map(|rotation| Some((rotation.name.clone(), rotation.who(&overrides, now)?.person)));
        Ok(on_call.collect())
    }
}
