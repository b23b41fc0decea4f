//! What the forecast says about a clock, and its own record: what it said against what happened.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Reach, Service, ServiceError};
use crate::config::Tenant;
use crate::predict::ForecastQuality;
use crate::predict::reliability::{Reliability, monday, reliability_of};
use crate::sla::calendar::Calendar;
use crate::sla::forecast::{Basis, FinishRecord, Forecast, Risk};
use crate::store::StoreError;
use crate::store::predictions::Told;
use crate::ticket::{ClockKind, TenantId};

/// How far back the record goes.
const RECORD: TimeDelta = TimeDelta::weeks(26);

/// The forecast of one clock.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ClockForecast {
    /// Of a breach, from 0 to 1.
    pub probability: f64,
    /// LOW | MEDIUM | HIGH | CRITICAL
    pub risk_level: &'static str,
    /// When the clock is likely to stop; none if that lies beyond all experience.
    pub likely: Option<Likely>,
    /// The strongest first, at most three. Names in them are text from outside.
    pub reasons: Vec<String>,
    /// Decided clocks learned from, and when the first of them was opened.
    pub outcomes: usize,
    pub since: Option<DateTime<Utc>>,
    /// learned | survival: by this tenant's own ways, or only by how long such tickets stay open
    pub basis: &'static str,
    /// Whether the ticket's risk and alerts go by it: neither before the tenant's own ways are known, nor while it was
    /// inaccurate of late.
    pub relied_on: bool,
}

/// When a clock is likely to stop. Lengths are seconds of working time from now; moments are none while it stands still.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Likely {
    pub median: i64,
    pub earliest: i64,
    pub latest: Option<i64>,
    pub median_at: Option<DateTime<Utc>>,
    pub earliest_at: Option<DateTime<Utc>>,
    pub latest_at: Option<DateTime<Utc>>,
}

impl ClockForecast {
    /// Shows `said` at `at`, for a clock that runs by `calendar`; `relied_on` by risk and alerts, or not.
    pub fn new(said: &Forecast, relied_on: bool, calendar: Option<&Calendar>, at: Option<DateTime<Utc>>) -> Self {
        let moment = |length: TimeDelta| calendar?.add(at?, length);
        let likely = said.finish.map(|finish| Likely {
            median: finish.median.num_seconds(),
            earliest: finish.earliest.num_seconds(),
            latest: finish.latest.map(|latest| latest.num_seconds()),
            median_at: moment(finish.median),
            earliest_at: moment(finish.earliest),
            latest_at: finish.latest.and_then(moment),
        });
        Self {
            probability: said.probability,
            risk_level: said.risk.as_str(),
            likely,
            reasons: said.reasons.iter().map(|reason| reason.to_string()).collect(),
            outcomes: said.grounds.outcomes,
            since: said.grounds.since,
            basis: basis(said.grounds.basis),
            relied_on,
        }
    }

    /// The risk level.
    pub fn risk(&self) -> Risk {
        Risk::of(self.probability)
    }

    /// What it is based on, in words.
    pub fn grounds(&self) -> String {
        match (self.basis, self.since) {
            ("learned", Some(since)) => format!("{} outcomes since {}", self.outcomes, since.format("%-d %b %Y")),
            _ => format!("only how long such tickets stay open: {} outcomes are known yet", self.outcomes),
        }
    }
}

fn basis(basis: Basis) -> &'static str {
    match basis {
        Basis::Survival => "survival",
        Basis::Learned => "learned",
    }
}

/// The forecast's own record, tenant by tenant.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ForecastRecord {
    pub now: DateTime<Utc>,
    pub tenants: Vec<TenantRecord>,
}

/// The record of one tenant.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TenantRecord {
    pub tenant: String,
    /// In the order of a ticket's life: first response, resolution.
    pub clocks: Vec<ClockRecord>,
    /// Alerts that were raised because a breach was likely.
    pub alerts: AlertRecord,
    /// What was shown when a quarter, a half and three quarters of a clock had run, against what happened.
    pub shown: Reliability,
}

/// What the forecasts of one clock are worth now.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ClockRecord {
    pub clock: ClockKind,
    pub outcomes: usize,
    pub since: Option<DateTime<Utc>>,
    /// learned | survival
    pub basis: &'static str,
    /// The forecast error over the latest 500 outcomes; none before there are that many.
    pub recent_error: Option<f64>,
    pub trusted: bool,
    /// How well the expected times of the latest clocks held; none before any has stopped.
    pub finishes: Option<Finishes>,
    /// What the forecast would have said while walking through the past that was read, against what happened.
    pub rehearsed: Reliability,
}

/// When clocks were said to stop, against when they did.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct Finishes {
    /// Clocks that stopped, at most the latest 500.
    pub clocks: usize,
    /// The share of them that stopped within the interval promised to hold 80 %.
    pub covered: f64,
    /// The mean distance between the expected and the true end, in seconds of working time.
    pub mean_off: i64,
}

/// Predicted alerts, against what happened.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct AlertRecord {
    /// Those whose clocks are decided.
    pub told: usize,
    pub came_true: usize,
    /// Of the alerts that came true: working seconds that were left when they were raised.
    pub median_lead: Option<i64>,
    /// By the week in which they were raised, oldest first.
    pub weeks: Vec<AlertWeek>,
}

/// What was predicted of a tenant's clocks, and what happened.
pub(super) struct Predicted {
    alerts: AlertRecord,
    shown: Reliability,
}

/// The predicted alerts of one week.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct AlertWeek {
    /// A Monday.
    pub begins: NaiveDate,
    pub raised: usize,
    pub came_true: usize,
    /// Those without a breach; the rest is not decided yet, or ended without a verdict.
    pub did_not: usize,
}

impl Service {
    /// What the forecasts said, and what happened.
    pub async fn forecast_record(&self, scope: &Reach) -> Result<ForecastRecord, ServiceError> {
        let now = self.clock.now();
        let predicted = self.predicted(scope, now).await?;
        let record = |(tenant, predicted): (&Tenant, &Predicted)| TenantRecord {
            tenant: tenant.id.to_string(),
            clocks: self.clock_records(&tenant.id),
            alerts: predicted.alerts.clone(),
            shown: predicted.shown.clone(),
        };
        Ok(ForecastRecord { now, tenants: self.tenants(scope).zip(predicted.iter()).map(record).collect() })
    }

    /// Reads what was predicted of the clocks of each of `tenants`, and what happened.
    pub(super) async fn read_predicted(
        &self,
        tenants: &[&TenantId],
        now: DateTime<Utc>,
    ) -> Result<Vec<Predicted>, StoreError> {
        let mut shown = self.store.shown_predictions(tenants, now - RECORD).await?;
        let mut told = self.store.told_predictions(tenants, now - RECORD).await?;
        let predicted = |tenant: &&TenantId| Predicted {
            alerts: alert_record(&told.remove(*tenant).unwrap_or_default()),
            shown: reliability_of(&shown.remove(*tenant).unwrap_or_default()),
        };
        Ok(tenants.iter().map(predicted).collect())
    }

    fn clock_records(&self, tenant: &TenantId) -> Vec<ClockRecord> {
        let forecasts = self.published.of(tenant);
        let Some(quality) = forecasts.quality else { return Vec::new() };
        let record = |clock: ClockKind| {
            let quality = quality[clock as usize];
            let rehearsed = forecasts.rehearsed.as_ref().map(|both| both[clock as usize].clone());
            ClockRecord {
                clock,
                outcomes: quality.grounds.outcomes,
                since: quality.grounds.since,
                basis: basis(quality.grounds.basis),
                recent_error: quality.error,
                trusted: quality.trusted,
                finishes: quality.finishes.map(finishes),
                rehearsed: rehearsed.unwrap_or_default(),
            }
        };
        ClockKind::REPORTED.map(record).into()
    }

    /// Says that the alerts of `tenant` go by the clock alone for now, if so: the words first, then the figures.
    pub(super) fn stepped_back(&self, tenant: &TenantId) -> Option<String> {
        let quality = self.published.of(tenant).quality?;
        let off = ClockKind::REPORTED.into_iter().zip(quality).filter(|(_, quality)| !quality.trusted);
        let figures = |(clock, quality): (ClockKind, ForecastQuality)| {
            format!("{}: error {:.2}", clock.words(), quality.error.unwrap_or_default())
        };
        let figures = off.map(figures).collect::<Vec<_>>().join(", ");
        (!figures.is_empty()).then(|| format!("Predictions paused: recently inaccurate ({figures})"))
    }
}

fn finishes(record: FinishRecord) -> Finishes {
    Finishes { clocks: record.clocks, covered: record.covered, mean_off: record.mean_off.num_seconds() }
}

fn alert_record(told: &[Told]) -> AlertRecord {
    let mut weeks: BTreeMap<NaiveDate, AlertWeek> = BTreeMap::new();
    for one in told {
        let begins = monday(one.at);
        let empty = AlertWeek { begins, raised: 0, came_true: 0, did_not: 0 };
        let week = weeks.entry(begins).or_insert(empty);
        week.raised += 1;
        week.came_true += usize::from(one.breached == Some(true));
        week.did_not += usize::from(one.breached == Some(false));
    }
    let came_true = told.iter().filter(|one| one.breached == Some(true));
    let mut leads: Vec<_> = came_true.map(|one| one.left.num_seconds()).collect();
    leads.sort_unstable();
    AlertRecord {
        told: told.iter().filter(|one| one.breached.is_some()).count(),
        came_true: leads.len(),
        median_lead: leads.get(leads.len() / 2).copied(),
        weeks: weeks.into_values().collect(),
    }
}
