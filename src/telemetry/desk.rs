//! Figures of the desk as it stands: what waits, who is on call, and whether the watch does its work.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;

use super::TenantLabels;
use super::figures::Figures;

type Seconds = Gauge<f64, AtomicU64>;

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct AlertStateLabels {
    pub tenant: String,
    pub state: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct RotationLabels {
    pub rotation: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct RiskLabels {
    pub tenant: String,
    pub risk: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct SuppressionLabels {
    pub tenant: String,
    pub kind: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct LoopLabels {
    pub name: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct StatusLabels {
    pub status: &'static str,
}

/// How the desk and the watch stand.
#[derive(Debug)]
pub struct DeskFigures {
    pub ready: Gauge,
    pub loop_age: Family<LoopLabels, Seconds>,
    pub unassigned: Family<TenantLabels, Gauge>,
    pub oldest_unanswered: Family<TenantLabels, Seconds>,
    pub at_risk: Family<RiskLabels, Gauge>,
    pub open_alerts: Family<AlertStateLabels, Gauge>,
    pub oldest_breach: Family<TenantLabels, Seconds>,
    pub suppressions: Family<SuppressionLabels, Gauge>,
    pub on_call: Family<RotationLabels, Gauge>,
    pub on_call_gap: Family<RotationLabels, Seconds>,
    pub policies: Family<TenantLabels, Gauge>,
    pub policy_version: Family<TenantLabels, Gauge>,
    pub sent_last_day: Gauge,
    pub failed_last_day: Gauge,
    pub components: Family<StatusLabels, Gauge>,
}

impl DeskFigures {
    pub fn register(figures: &mut Figures) -> Self {
        Self {
            ready: figures.add("ready", "1 while alerts would go out", Gauge::default()),
            loop_age: figures.seconds("loop_age", "Since the last good turn of a loop", Family::default()),
            unassigned: figures.add("unassigned_tickets", "Open tickets that nobody owns", Family::default()),
            oldest_unanswered: figures.seconds(
                "oldest_unanswered",
                "The longest time that a client has waited for a first response",
                Family::default(),
            ),
            at_risk: figures.add("tickets_by_risk", "Open tickets by how likely they breach", Family::default()),
            open_alerts: figures.add("open_alerts", "Alerts that are not resolved, by state", Family::default()),
            oldest_breach: figures.seconds(
                "oldest_open_breach",
                "Time since the due time of the oldest breach that nobody has acknowledged",
                Family::default(),
            ),
            suppressions: figures.add("suppressions", "Silences and maintenance windows", Family::default()),
            on_call: figures.add("on_call", "1 while somebody is on call", Family::default()),
            on_call_gap: figures.seconds(
                "on_call_gap",
                "Time until the next gap in the rotation; 30 days if there is none before then",
                Family::default(),
            ),
            policies: figures.add("policies", "Policies in force", Family::default()),
            policy_version: figures.add("policy_version", "Version of the policies in force", Family::default()),
            sent_last_day: figures.add("sent_last_day", "Messages sent in the last day", Gauge::default()),
            failed_last_day: figures.add("failed_last_day", "Messages that failed in the last day", Gauge::default()),
            components: figures.add("uptime_components", "Services by status", Family::default()),
        }
    }
}
