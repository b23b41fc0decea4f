//! What-if: how the past would have gone under another configuration.

use std::collections::HashMap;

use chrono::{DateTime, Days, NaiveDate, NaiveTime, TimeZone, Utc};
use serde::Serialize;

use super::{Complaint, Reach, Service, ServiceError};
use crate::config::{Config, Tenant};
use crate::rules_cache::trial_terms;
use crate::sla::tenant_rules::TenantRules;
use crate::sla::tryout::{Comparison, Group, Pair, Tally};
use crate::sla::version::{closed_at, version_at};
use crate::sla::zone::Tz;
use crate::store::StoreError;
use crate::ticket::{ClockKind, Directory};

/// How one tenant's tickets came out, and how they would have.
#[derive(Clone, Debug, Serialize)]
pub struct Tryout {
    pub tenant: String,
    /// Tickets created on these dates, both included, in this zone.
    pub from: NaiveDate,
    pub to: NaiveDate,
    pub timezone: String,
    pub tickets: usize,
    pub rows: Vec<TryoutRow>,
}

/// One clock of one group of tickets.
#[derive(Clone, Debug, Serialize)]
pub struct TryoutRow {
    pub clock: ClockKind,
    /// all | client | priority
    pub by: &'static str,
    /// None: all of them, or those without one.
    pub name: Option<String>,
    pub before: TallyView,
    pub after: TallyView,
    /// How many come out differently.
    pub changed: usize,
}

/// How many came out in which way.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct TallyView {
    pub tickets: usize,
    pub met: usize,
    pub breached: usize,
    /// Not decided yet.
    pub open: usize,
    /// They depend on what was never seen.
    pub unknown: usize,
    /// Met, of those decided: 0 to 1.
    pub share: Option<f64>,
}

impl Service {
    /// Judges the tickets created from `from` to `to` by what they were promised and by `trial`.
    ///
    /// What `trial` leaves out stays as it is.
    pub async fn try_policies(
        &self,
        scope: &Reach,
        trial: &Config,
        from: NaiveDate,
        to: NaiveDate,
    ) -> Result<Vec<Tryout>, ServiceError> {
        let now = self.clock.now();
        let mut all = Vec::new();
        for tenant in self.tenants(scope) {
            all.push(self.try_for(tenant, trial, (from, to), now).await?);
        }
        Ok(all)
    }

    async fn try_for(
        &self,
        tenant: &Tenant,
        trial: &Config,
        (from, to): (NaiveDate, NaiveDate),
        now: DateTime<Utc>,
    ) -> Result<Tryout, ServiceError> {
        let (directory, present) = self.rules_cache.of(tenant).await?;
        let zone = present.msp_timezone();
        let (first, end) = (midnight(zone, from)?, midnight(zone, to.checked_add_days(Days::new(1)).unwrap_or(to))?);
        let after = self.rules_cache.rules_by(tenant, &trial_terms(&self.config, trial, tenant), &directory)?;
        let kept = self.kept_rules(tenant, &directory).await?;
        let versions = self.rules_cache.versions(&tenant.id).await?;
        let histories = self.store.histories(&tenant.id).await?;
        let mut comparison = Comparison::default();
        for watched in self.store.all_tickets(&tenant.id).await? {
            if !watched.ticket.created_at.is_some_and(|created| first <= created && created < end) {
                continue;
            }
            let version = closed_at(&watched, &tenant.statuses).and_then(|at| version_at(&versions, at));
            let before = version.and_then(|version| kept.get(&version.number)).unwrap_or(&present);
            let changes = histories.get(&watched.ticket.id).map_or(&[][..], Vec::as_slice);
            comparison.add(&watched, changes, before, &after, now);
        }
        let rows: Vec<_> = comparison.pairs.into_iter().map(|((clock, group), pair)| row(clock, group, pair)).collect();
        let tickets = rows.first().map_or(0, |row| row.before.tickets);
        Ok(Tryout { tenant: tenant.id.to_string(), from, to, timezone: zone.to_string(), tickets, rows })
    }

    /// The rules of earlier versions, by number.
    async fn kept_rules(
        &self,
        tenant: &Tenant,
        directory: &Directory,
    ) -> Result<HashMap<u32, TenantRules>, StoreError> {
        let versions = self.rules_cache.versions(&tenant.id).await?;
        let rules = |version: &crate::sla::version::Version| {
            Ok((version.number, self.rules_cache.rules_by(tenant, &version.terms, directory)?))
        };
        versions.iter().map(rules).collect()
    }
}

/// When `date` begins in `zone`; if the clocks skip its midnight, after the gap.
fn midnight(zone: Tz, date: NaiveDate) -> Result<DateTime<Utc>, ServiceError> {
    let local = date.and_time(NaiveTime::MIN);
    let candidates = (0..=24).map(|hour| local + chrono::TimeDelta::hours(hour));
    let first = candidates.filter_map(|local| zone.from_local_datetime(&local).earliest()).next();
    let bad = || ServiceError::BadQuestion(Complaint::whole(format!("`{date}` is not a valid date")));
    first.map(|at| at.to_utc()).ok_or_else(bad)
}

fn row(clock: ClockKind, group: Group, pair: Pair) -> TryoutRow {
    let (by, name) = match group {
        Group::All => ("all", None),
        Group::Client(name) => ("client", name),
        Group::Priority(name) => ("priority", name),
    };
    TryoutRow { clock, by, name, before: view(pair.before), after: view(pair.after), changed: pair.changed }
}

fn view(tally: Tally) -> TallyView {
    let Tally { met, breached, open, unknown } = tally;
    TallyView { tickets: tally.tickets(), met, breached, open, unknown, share: tally.share() }
}
