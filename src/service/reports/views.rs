//! The figures of technicians and of days, as programs get them.

use chrono::NaiveDate;
use serde::Serialize;
use utoipa::ToSchema;

use super::names::Called;
use crate::report::Period;
use crate::report::day::Day;
use crate::report::make::Names;
use crate::report::technician::Technician;
use crate::report::trend::Trend;
use crate::ticket::TenantId;

/// The figures of one technician, or of nobody, unknown or automation, so that the sums are those of all.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TechnicianView {
    pub tenant: String,
    /// A person's id, or @nobody | @unknown | @automation.
    pub technician_id: String,
    pub technician_name: String,
    /// Tickets with a headline clock decided in these hands.
    pub total_tickets: u64,
    /// Those of them with no such clock breached.
    pub sla_compliant_tickets: u64,
    /// Percent; null if there are none.
    pub compliance_rate: Option<f64>,
    /// Percent, by the time that each held the tickets: the fairer figure.
    pub weighted_compliance_rate: Option<f64>,
    /// Percent of the weight of all breaches.
    pub breach_share: Option<f64>,
    /// Percent of all time past targets.
    pub lateness_share: Option<f64>,
    /// Working time, in seconds; null if there are none.
    pub average_response_time: Option<i64>,
    pub median_response_time: Option<i64>,
    pub average_resolution_time: Option<i64>,
    pub median_resolution_time: Option<i64>,
    pub p90_resolution_time: Option<i64>,
    pub breach_count: u64,
    /// Percent of resolutions that came back within a week.
    pub reopen_rate: Option<f64>,
    /// Percent of the time in these hands in which it was paused.
    pub pause_share: Option<f64>,
    /// IMPROVING | DECLINING | STABLE | TOO_FEW
    pub performance_trend: &'static str,
    #[serde(skip)]
    pub trend: Trend,
    /// Breaches that others would have had with the same kinds of clocks; null where there is nobody to compare with.
    pub expected_breaches: Option<f64>,
    /// Whether the breaches differ from that by more than chance explains.
    pub differs: bool,
    pub period_start: NaiveDate,
    pub period_end: NaiveDate,
}

/// Technicians, by name unless asked for in another order.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TechnicianPage {
    pub period_start: NaiveDate,
    pub period_end: NaiveDate,
    pub technicians: Vec<TechnicianView>,
    pub next_cursor: Option<String>,
}

/// One local day.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ComplianceDay {
    pub date: NaiveDate,
    /// Null where nothing was decided.
    pub compliance_percentage: Option<f64>,
    pub target_percentage: f64,
    /// Of the seven days that end with it.
    pub seven_day_percentage: Option<f64>,
    pub uptime_minutes: i64,
    /// Minutes in which something was overdue.
    pub downtime_minutes: i64,
    pub sla_breaches: u64,
    pub clocks: u64,
}

impl TechnicianView {
    /// Shows `one`.
    pub(super) fn of(tenant: &TenantId, one: &Technician, names: &Called, period: Period) -> Self {
        let seconds = |length: Option<i64>| length.map(|length| length / 1000);
        Self {
            tenant: tenant.to_string(),
            technician_id: names.person_id(&one.holder),
            technician_name: names.person(&one.holder),
            total_tickets: one.tickets.of,
            sla_compliant_tickets: one.tickets.met,
            compliance_rate: one.tickets.percent(),
            weighted_compliance_rate: one.weighted.percent(),
            breach_share: one.breach_share.percent(),
            lateness_share: one.lateness.percent(),
            average_response_time: seconds(one.response.mean),
            median_response_time: seconds(one.response.median),
            average_resolution_time: seconds(one.resolution.mean),
            median_resolution_time: seconds(one.resolution.median),
            p90_resolution_time: seconds(one.resolution.p90),
            breach_count: one.breaches,
            reopen_rate: one.reopened.percent(),
            pause_share: one.paused.percent(),
            performance_trend: one.trend.as_str(),
            trend: one.trend,
            expected_breaches: one.funnel.map(|funnel| (funnel.expected * 10.0).round() / 10.0),
            differs: one.funnel.is_some_and(|funnel| funnel.differs),
            period_start: period.from,
            period_end: period.to,
        }
    }
}

impl ComplianceDay {
    /// Shows `day`, on which `goal` percent are to be reached.
    pub(super) fn of(day: &Day, goal: f64) -> Self {
        Self {
            date: day.date,
            compliance_percentage: day.rate.percent(),
            target_percentage: goal,
            seven_day_percentage: day.week.percent(),
            // So that the two add up to the whole day.
            uptime_minutes: (day.uptime + day.downtime).num_minutes() - day.downtime.num_minutes(),
            downtime_minutes: day.downtime.num_minutes(),
            sla_breaches: day.breaches(),
            clocks: day.rate.of,
        }
    }
}
