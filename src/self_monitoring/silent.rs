//! Announces when an outpost has reported nothing for too long, and when it is heard from again: meanwhile nothing is
//! looked at from there, and people who rely on that should know before it matters.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use tracing::{info, warn};

use super::teller::Teller;
use crate::config::Tenant;
use crate::config::uptime::{Check, Outpost};
use crate::monitor::board::{Heard, MonitorState, SILENT_AFTER};
use crate::notify::StaleFacts;
use crate::store::StoreError;
use crate::uptime::Millis;

/// How long an outpost that was never heard from may still be being set up.
const NEVER_HEARD: TimeDelta = TimeDelta::hours(1);

/// Watches whether outposts are heard.
pub(super) struct OutpostWatch {
    teller: Teller,
    monitor_state: Arc<MonitorState>,
    /// While we were off, nobody could report to us.
    began: DateTime<Utc>,
    /// Since when each outpost has been silent; an outpost is absent until it has been looked up in the store.
    told: BTreeMap<String, Option<DateTime<Utc>>>,
}

impl OutpostWatch {
    pub fn new(teller: Teller, monitor_state: Arc<MonitorState>, began: DateTime<Utc>) -> Self {
        Self { teller, monitor_state, began, told: BTreeMap::new() }
    }

    /// Checks each outpost.
    pub async fn turn(&mut self, now: DateTime<Utc>) -> Result<(), StoreError> {
        let config = self.teller.config.clone();
        for outpost in &config.uptime.outposts {
            let checks: Vec<_> = config.uptime.checks_of_outpost(&outpost.id).collect();
            let component = checks.first().and_then(|check| config.uptime.component(&check.component));
            if let Some(tenant) = component.and_then(|component| config.tenants.get(&component.tenant)) {
                self.look_at(outpost, tenant, &checks, now).await?;
            }
        }
        Ok(())
    }

    async fn look_at(
        &mut self,
        outpost: &Outpost,
        tenant: &Tenant,
        checks: &[&Check],
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let Some(heard) = self.monitor_state.board().heard(checks.iter().map(|check| check.id.as_str())) else {
            return Ok(());
        };
        let subject = format!("{}:outpost:{}", tenant.id, outpost.id);
        let known = match self.told.get(&outpost.id) {
            Some(known) => *known,
            None => self.teller.store.stale_since(&subject).await?,
        };
        let told = match known {
            None if self.is_silent(&heard, now) => {
                let facts = facts(outpost, tenant, checks.len(), &heard);
                let recipients = self.teller.tell(tenant, &subject, &facts, now).await?;
                warn!(outpost = outpost.id, recipients, "outpost `{}` silent since {}", outpost.id, facts.since);
                Some(facts.since)
            }
            Some(since) if heard.holds || heard.is_recent(now.timestamp_millis()) => {
                info!(outpost = outpost.id, "outpost `{}` heard again; it was silent since {since}", outpost.id);
                self.teller.tell_over(&subject, now).await?;
                None
            }
            known => known,
        };
        self.told.insert(outpost.id.clone(), told);
        Ok(())
    }

    fn is_silent(&self, heard: &Heard, now: DateTime<Utc>) -> bool {
        let patience = if heard.last.is_some() { TimeDelta::milliseconds(SILENT_AFTER) } else { NEVER_HEARD };
        !heard.holds && now - instant(heard.last.unwrap_or(heard.since)).max(self.began) > patience
    }
}

fn facts(outpost: &Outpost, tenant: &Tenant, checks: usize, heard: &Heard) -> StaleFacts {
    let nothing = if heard.last.is_some() { "nothing comes from it any more" } else { "nothing ever came from it" };
    let unmade = if checks == 1 { "1 check is".to_owned() } else { format!("{checks} checks are") };
    let reason = format!("{nothing}, and {unmade} not made from there");
    let advice = "check that `superops-sla outpost` runs there and can reach this watch; its log says what is wrong";
    StaleFacts {
        tenant: tenant.id.to_string(),
        since: instant(heard.last.unwrap_or(heard.since)),
        reason,
        advice: Some(advice.to_owned()),
        fresh_at: None,
        outpost: Some(outpost.name.clone()),
        because: None,
    }
}

fn instant(at: Millis) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(at).unwrap_or_default()
}
