//! How services and promises are shown.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::report::day;
use crate::uptime::credit;

use super::super::described::{PeriodWord, RangeWord};
use super::outposts::OutpostView;

/// All services that may be seen.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct UptimeOverview {
    pub now: DateTime<Utc>,
    /// The worst status of the components that are not part of another: up | unknown | degraded | down
    pub overall_status: &'static str,
    pub components: Vec<ComponentView>,
    /// Outposts that look at services for us, besides this place.
    pub outposts: Vec<OutpostView>,
}

/// One service, or a group of them.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ComponentView {
    pub id: String,
    pub name: String,
    pub description: Option<String>,
    pub tenant: String,
    pub client: Option<String>,
    /// up | unknown | degraded | down
    pub status: &'static str,
    pub status_since: DateTime<Utc>,
    /// What it is made of, if it is a group.
    pub members: Vec<String>,
    /// What it depends on that is down itself.
    pub behind: Option<String>,
    pub public: bool,
    /// The end of the announced maintenance; none: there is none.
    pub maintenance_until: Option<DateTime<Utc>>,
    pub uptime: UptimeShares,
    pub checks: Vec<CheckView>,
    /// How the promise stands in its present period; none: nothing was promised.
    pub sla: Option<SlaView>,
    pub objectives: Vec<ObjectiveView>,
}

/// Percent of the time that it was there, cut off after three decimals; none: nothing was measured.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct UptimeShares {
    #[serde(rename = "24h")]
    pub day: Option<f64>,
    #[serde(rename = "7d")]
    pub week: Option<f64>,
    #[serde(rename = "30d")]
    pub month: Option<f64>,
    #[serde(rename = "90d")]
    pub quarter: Option<f64>,
}

/// One way of looking at a service.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CheckView {
    pub id: String,
    /// https, tcp, heartbeat and so on.
    pub kind: &'static str,
    /// The outpost that looks; none: we do.
    pub place: Option<String>,
    /// How many of the places that look at it must find it bad; none: there is only one.
    pub quorum: Option<usize>,
    pub status: &'static str,
    /// Something was seen that is to be confirmed first.
    pub in_doubt: bool,
    pub last_look: Option<DateTime<Utc>>,
    pub response_ms: Option<f64>,
    /// What is wrong. It can name hosts and errors, so it is for those with a token only.
    pub detail: Option<String>,
    pub interval_seconds: i64,
    /// Whole days until the certificate ends.
    pub certificate_days: Option<i64>,
    /// Whether its chain will still be good in 14 days.
    pub certificate_holds: Option<bool>,
    /// Doubts that came to nothing.
    pub blips: u64,
}

/// How well a service is to answer, and does.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ObjectiveView {
    /// p50, p95 or p99, in milliseconds; errors, in percent of the looks.
    pub measure: &'static str,
    pub window_seconds: i64,
    /// None: too little was seen.
    pub value: Option<f64>,
    /// Over this it is a warning.
    pub warn: Option<f64>,
    /// Over this it is missed.
    pub breach: f64,
    /// kept | near | warning | missed | unknown
    pub status: &'static str,
}

/// How a promise stands in one period.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SlaView {
    pub component: String,
    /// 2026-11, 2026-Q4 or 2026
    pub period: String,
    pub from: DateTime<Utc>,
    pub until: DateTime<Utc>,
    pub target_percent: f64,
    /// None: nothing was counted.
    pub uptime_percent: Option<f64>,
    /// Whether the period is over. Until then `kept`, `tier` and `service_credit` are what comes of it if nothing more is lost.
    pub over: bool,
    /// Whether the promise is kept. None: nothing was counted yet.
    pub kept: Option<bool>,
    /// The floor of the tier that is reached, in percent.
    pub tier: Option<f64>,
    pub downtime_minutes: Downtime,
    pub outages: u32,
    pub unknown_minutes: f64,
    pub maintenance_minutes: f64,
    /// How much of the time in question was measured.
    pub measured_percent: f64,
    /// Under 95 % measured, nothing is owed on the figure.
    pub conclusive: bool,
    /// No figure is finer than the interval at which somebody looks.
    pub uncertainty_seconds: i64,
    pub service_credit: Option<Credit>,
}

/// Minutes that were lost, and that may be.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Downtime {
    pub used: f64,
    /// Of the real month, quarter or year.
    pub allowed: f64,
    pub remaining: f64,
}

/// What is owed.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Credit {
    pub percent: u32,
    /// In the minor unit of the currency.
    pub amount_minor: Option<i64>,
    pub currency: Option<String>,
}

impl Credit {
    /// `45.00 EUR`; none: no fee is known.
    pub fn money(&self) -> Option<String> {
        Some(credit::money(self.amount_minor?, self.currency.as_deref()?))
    }
}

/// Which part of a component's past is asked for.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct HistoryQuery {
    pub tenant: Option<String>,
    #[param(inline, value_type = Option<RangeWord>)]
    pub range: Option<String>,
}

/// A component's past.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ComponentHistory {
    pub now: DateTime<Utc>,
    pub id: String,
    pub range: &'static str,
    pub uptime_percent: Option<f64>,
    pub p50_ms: Option<i64>,
    pub p95_ms: Option<i64>,
    pub p99_ms: Option<i64>,
    pub spans: Vec<SpanView>,
    pub latency: Vec<LatencyPoint>,
}

/// A time in which nothing changed.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SpanView {
    pub from: DateTime<Utc>,
    /// None: it still holds.
    pub until: Option<DateTime<Utc>>,
    pub status: &'static str,
}

/// How long answers took in one stretch of time.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct LatencyPoint {
    pub at: DateTime<Utc>,
    pub looks: i64,
    pub failed: i64,
    pub p50_ms: Option<i64>,
    pub p95_ms: Option<i64>,
}

/// How many looks are asked for.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct LooksQuery {
    pub tenant: Option<String>,
    /// 60 by default, 1000 at most.
    #[param(minimum = 1, maximum = 1000)]
    pub limit: Option<u32>,
}

/// What one look found.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct LookView {
    pub at: DateTime<Utc>,
    pub check: String,
    /// up | degraded | down
    pub status: &'static str,
    pub response_ms: Option<f64>,
    /// What was wrong. It can name hosts and errors, so it is for those with a token only.
    pub detail: Option<String>,
}

/// Which promises are asked for.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct SlaQuery {
    pub tenant: Option<String>,
    /// As agreed, by default.
    #[param(inline, value_type = Option<PeriodWord>)]
    pub period: Option<String>,
    /// A day of the period, like 2026-11-30; else today.
    #[serde(default, deserialize_with = "day::asked")]
    pub date: Option<NaiveDate>,
    pub component: Option<String>,
}

/// How promises stand.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SlaReport {
    pub now: DateTime<Utc>,
    pub promises: Vec<SlaView>,
}

/// Which days are asked for.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct DailyQuery {
    pub tenant: Option<String>,
    pub component: String,
    #[serde(default, deserialize_with = "day::asked")]
    pub from: Option<NaiveDate>,
    #[serde(default, deserialize_with = "day::asked")]
    pub to: Option<NaiveDate>,
    /// In percent, with at most three decimals; else what was promised.
    #[param(minimum = 0, maximum = 100)]
    pub target: Option<f64>,
    pub exclude_maintenance: Option<bool>,
}

/// A component day by day.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DailySeries {
    pub component: String,
    pub timezone: String,
    pub days: Vec<DayView>,
}

/// One day.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DayView {
    pub date: NaiveDate,
    /// None: nothing was measured.
    pub compliance_percentage: Option<f64>,
    pub target_percentage: f64,
    pub uptime_minutes: f64,
    pub downtime_minutes: f64,
    pub unknown_minutes: f64,
    pub sla_breaches: u32,
}
