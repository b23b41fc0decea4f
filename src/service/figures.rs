//! The figures that are computed when somebody asks for them: how the desk and the watch stand.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::snapshot::Snapshot;
use super::view::risk_word;
use super::{Reach, Service, ServiceError};
use crate::alert::Stage;
use crate::alert::life::State;
use crate::config::Tenant;
use crate::sla::forecast::Risk;
use crate::store::record::OpenAlert;
use crate::store::tokens::Role;
use crate::telemetry::TenantLabels;
use crate::telemetry::desk::{
    AlertStateLabels, LoopLabels, RiskLabels, RotationLabels, StatusLabels, SuppressionLabels,
};
use crate::telemetry::web::RoleLabels;
use crate::ticket::TenantId;

/// How far ahead gaps of a rotation are looked for.
const FORESEEN: TimeDelta = TimeDelta::days(30);
const RISKS: [Option<Risk>; 5] = [None, Some(Risk::Low), Some(Risk::Medium), Some(Risk::High), Some(Risk::Critical)];
const UNRESOLVED: [State; 3] = [State::Open, State::Acknowledged, State::Snoozed];

impl Service {
    /// Brings the figures of the desk and of the watch up to now.
    pub async fn refresh_desk(&self) -> Result<(), ServiceError> {
        let now = self.clock.now();
        let desk = &self.telemetry.desk;
        desk.ready.set(i64::from(self.ready().await.is_ok()));
        for (name, age) in self.loop_healths.ages() {
            desk.loop_age.get_or_create(&LoopLabels { name }).set(seconds(age));
        }
        let mut open: HashMap<&TenantId, Vec<&OpenAlert>> = HashMap::new();
        let alerts = self.open_alerts(&Reach::All, now).await?;
        alerts.iter().for_each(|alert| open.entry(&alert.key.tenant).or_default().push(alert));
        for (tenant, snapshot) in self.snapshots(self.config.tenants.values(), now).await? {
            self.count_tickets(tenant, &snapshot, now);
            self.count_alerts(tenant, &open.remove(&tenant.id).unwrap_or_default(), now);
        }
        self.count_policies().await?;
        self.count_quiet(now).await?;
        self.look_at_rotations(now).await?;
        self.count_components().await?;
        let told = self.store.tally(&Reach::All, now - TimeDelta::days(1)).await?;
        desk.sent_last_day.set(told.sent);
        desk.failed_last_day.set(told.failed);
        self.count_callers(now).await
    }

    fn count_tickets(&self, tenant: &Tenant, snapshot: &Snapshot, now: DateTime<Utc>) {
        let (desk, labels) = (&self.telemetry.desk, of(tenant));
        desk.unassigned.get_or_create(&labels).set(number(snapshot.unassigned));
        let longest = snapshot.waiting_since.map_or(TimeDelta::zero(), |since| now - since);
        desk.oldest_unanswered.get_or_create(&labels).set(longest.as_seconds_f64());
        for risk in RISKS {
            let labels = RiskLabels { tenant: tenant.id.to_string(), risk: risk_word(risk) };
            let found = snapshot.rows.iter().filter(|row| row.risk() == risk).count();
            desk.at_risk.get_or_create(&labels).set(number(found));
        }
    }

    fn count_alerts(&self, tenant: &Tenant, open: &[&OpenAlert], now: DateTime<Utc>) {
        let desk = &self.telemetry.desk;
        for state in UNRESOLVED {
            let labels = AlertStateLabels { tenant: tenant.id.to_string(), state: state.as_str() };
            desk.open_alerts.get_or_create(&labels).set(number(open.iter().filter(|one| one.state == state).count()));
        }
        let untaken = open.iter().filter(|one| one.stage == Stage::Breached && one.state == State::Open);
        let oldest = untaken.map(|one| one.due).min().map_or(TimeDelta::zero(), |due| now - due);
        desk.oldest_breach.get_or_create(&of(tenant)).set(oldest.as_seconds_f64());
    }

    async fn count_policies(&self) -> Result<(), ServiceError> {
        for tenant in self.config.tenants.values() {
            let version = self.rules_cache.versions(&tenant.id).await?.last().map_or(0, |last| last.number);
            let desk = &self.telemetry.desk;
            desk.policies.get_or_create(&of(tenant)).set(number(self.config.policies_of(&tenant.id).count()));
            desk.policy_version.get_or_create(&of(tenant)).set(i64::from(version));
        }
        Ok(())
    }

    async fn count_quiet(&self, now: DateTime<Utc>) -> Result<(), ServiceError> {
        let found = self.store.suppressions(&Reach::All, now).await?;
        self.telemetry.desk.suppressions.clear();
        for one in found.iter().filter(|one| one.from <= now) {
            let labels = SuppressionLabels { tenant: one.tenant.to_string(), kind: one.kind.words() };
            self.telemetry.desk.suppressions.get_or_create(&labels).inc();
        }
        Ok(())
    }

    async fn look_at_rotations(&self, now: DateTime<Utc>) -> Result<(), ServiceError> {
        for rotation in self.on_call(&Reach::All).await?.rotations {
            let labels = RotationLabels { rotation: rotation.name };
            let gap = rotation.gaps.iter().map(|gap| gap.from.max(now) - now).min().unwrap_or(FORESEEN);
            self.telemetry.desk.on_call.get_or_create(&labels).set(i64::from(rotation.on_call.is_some()));
            self.telemetry.desk.on_call_gap.get_or_create(&labels).set(gap.as_seconds_f64());
        }
        Ok(())
    }

    async fn count_components(&self) -> Result<(), ServiceError> {
        let found = self.uptime(&Reach::All).await?;
        self.telemetry.desk.components.clear();
        for one in found.components {
            self.telemetry.desk.components.get_or_create(&StatusLabels { status: one.status }).inc();
        }
        Ok(())
    }

    async fn count_callers(&self, now: DateTime<Utc>) -> Result<(), ServiceError> {
        let (web, good) = (&self.telemetry.web, self.store.tokens().await?);
        for role in [Role::Viewer, Role::Responder, Role::Admin] {
            let found = good.iter().filter(|token| token.role == role && token.is_good(now)).count();
            web.tokens.get_or_create(&RoleLabels { role: role.as_str() }).set(number(found));
        }
        web.sessions.set(number(self.store.sessions(None, now).await?.len()));
        web.streams.set(number(self.live.listeners()));
        Ok(())
    }
}

fn of(tenant: &Tenant) -> TenantLabels {
    TenantLabels { tenant: tenant.id.to_string() }
}

fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn seconds(whole: u64) -> f64 {
    whole as f64
}
