//! The figures that Prometheus collects, and the only place that names them.
//!
//! Labels hold names from the configuration and fixed words, never a ticket, a person or an address.

pub mod desk;
mod figures;
pub mod process;
pub mod web;

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use desk::DeskFigures;
use figures::Figures;
use process::ProcessFigures;
use web::WebFigures;

/// One call of an operation at SuperOps, and how it ended.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct RequestLabels {
    pub tenant: String,
    pub operation: &'static str,
    pub outcome: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct TenantLabels {
    pub tenant: String,
}

/// Which time zone rules are in force.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct ZoneRulesLabels {
    pub version: String,
    /// `program` or `machine`.
    pub source: &'static str,
}

/// How a ticket stands as a whole.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct TicketLabels {
    pub tenant: String,
    pub standing: &'static str,
}

/// How one clock of a ticket stands.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct StandingLabels {
    pub tenant: String,
    pub clock: &'static str,
    pub standing: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct AlertLabels {
    pub tenant: String,
    pub clock: &'static str,
    pub stage: &'static str,
}

/// One figure of the present week.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct WeekLabels {
    pub tenant: String,
    pub figure: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct DeliveryLabels {
    pub channel: &'static str,
    pub outcome: &'static str,
}

/// One call of a provider to one of our hooks, and what came of it.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct HookLabels {
    pub hook: &'static str,
    pub outcome: &'static str,
}

/// A connection to the page that we closed, and why.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct ConnectionLabels {
    pub why: &'static str,
}

/// One attempt to write on a ticket at SuperOps, and what came of it.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct WriteBackLabels {
    pub kind: &'static str,
    pub outcome: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct ChannelLabels {
    pub channel: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct CacheLabels {
    pub cache: &'static str,
    pub result: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct CacheName {
    pub cache: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct LoopName {
    pub name: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct ClockLabels {
    pub tenant: String,
    pub clock: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct JudgedLabels {
    pub tenant: String,
    pub clock: &'static str,
    pub outcome: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct MismatchLabels {
    pub kind: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct SetAsideLabels {
    pub kind: &'static str,
}

type FloatGauge = Gauge<f64, AtomicU64>;

/// All figures. Shared as an `Arc`; each module writes its own.
#[derive(Debug)]
pub struct Telemetry {
    registry: Registry,
    /// The names of all figures, without their common prefix.
    names: Vec<String>,
    pub web: WebFigures,
    pub desk: DeskFigures,
    pub process: ProcessFigures,
    pub requests: Family<RequestLabels, Counter>,
    pub budget: Family<TenantLabels, FloatGauge>,
    pub throttles: Family<TenantLabels, Counter>,
    pub leader: Gauge,
    pub sync_age_seconds: Family<TenantLabels, FloatGauge>,
    pub tickets: Family<TicketLabels, Gauge>,
    pub open_tickets: Family<StandingLabels, Gauge>,
    pub quarantined: Family<TenantLabels, Counter>,
    pub set_aside: Family<SetAsideLabels, Counter>,
    pub alerts: Family<AlertLabels, Counter>,
    pub deliveries: Family<DeliveryLabels, Counter>,
    pub channel_open: Family<ChannelLabels, Gauge>,
    pub hooks: Family<HookLabels, Counter>,
    pub audit_mismatches: Family<MismatchLabels, Gauge>,
    pub outbox_pending: Gauge,
    pub week: Family<WeekLabels, Gauge>,
    pub lateness_seconds: Histogram,
    pub cache_lookups: Family<CacheLabels, Counter>,
    pub cache_entries: Family<CacheName, Gauge>,
    pub loop_seconds: Family<LoopName, Histogram, fn() -> Histogram>,
    pub forecast_outcomes: Family<ClockLabels, Gauge>,
    pub forecast_error: Family<ClockLabels, FloatGauge>,
    pub forecast_trusted: Family<ClockLabels, Gauge>,
    pub predicted_alerts_judged: Family<JudgedLabels, Counter>,
    pub write_backs: Family<WriteBackLabels, Counter>,
    pub zone_rules: Family<ZoneRulesLabels, Gauge>,
    pub zone_rules_age_seconds: Gauge,
    pub uptime_looks: Counter,
    pub uptime_lag: Histogram,
    pub web_connections: Gauge,
    pub web_connections_closed: Family<ConnectionLabels, Counter>,
}

/// Returns buckets that range from a quick table look-up to a first sync of a large account.
fn loop_buckets() -> Histogram {
    Histogram::new([0.001, 0.005, 0.02, 0.1, 0.5, 2.0, 10.0, 60.0, 600.0])
}

impl Default for Telemetry {
    fn default() -> Self {
        let mut figures = Figures::default();
        macro_rules! family {
            ($name:literal, $help:literal, $metric:expr) => {
                figures.add($name, $help, $metric)
            };
        }
        let requests = family!("superops_requests", "Calls to SuperOps", Family::default());
        let budget = family!("superops_budget_per_minute", "Calls a minute we allow ourselves now", Family::default());
        let throttles = family!("superops_throttles", "Times SuperOps said we were over its limit", Family::default());
        let tickets = family!("tickets", "Open tickets by standing, each counted once", Family::default());
        let open_tickets = family!("open_tickets", "Clocks of open tickets, by clock and standing", Family::default());
        let quarantined = family!("quarantined_records", "Records that could not be read", Family::default());
        let set_aside = family!("set_aside", "Stored rows that could not be read, by kind", Family::default());
        let alerts = family!("alerts", "Alerts raised, by clock and stage", Family::default());
        let deliveries = family!("deliveries", "Attempts to deliver, by channel and outcome", Family::default());
        let channel_open = family!("channel_open", "1 while a channel is out of order", Family::default());
        let hooks = family!("hooks", "Calls from providers, by hook and outcome", Family::default());
        let audit_mismatches =
            family!("audit_mismatches", "Discrepancies that the audit of alerts found", Family::default());
        let outbox_pending = family!("outbox_pending", "Notifications waiting to be sent", Gauge::default());
        let week = family!("alerts_this_week", "Alerts first sent this week, and what came of them", Family::default());
        let cache_lookups = family!("cache_lookups", "Cache look-ups, by hit or miss", Family::default());
        let cache_entries = family!("cache_entries", "Entries held by each cache", Family::default());
        let forecast_outcomes =
            family!("forecast_outcomes", "Decided clocks that the forecast has learned from", Family::default());
        let forecast_error =
            family!("forecast_error", "How far off the latest 500 probabilities were", Family::default());
        let forecast_trusted =
            family!("forecast_trusted", "1: alerts go by the forecast too; 0: by the clock alone", Family::default());
        let predicted_alerts_judged = family!(
            "predicted_alerts_judged",
            "Predicted alerts whose clock is decided, by outcome",
            Family::default()
        );
        let zone_rules = family!("time_zone_rules", "1 for the time zone rules in force", Family::default());
        let zone_rules_age_seconds = Gauge::default();
        figures.seconds("time_zone_rules_age", "Age of the time zone rules in force", zone_rules_age_seconds.clone());
        let write_backs =
            family!("write_backs", "Attempts to write on tickets, by kind and outcome", Family::default());
        let uptime_looks = family!("uptime_looks", "Looks at services", Counter::default());
        // Goal: 99 in 100 within 50 ms.
        let uptime_lag = Histogram::new([0.005, 0.02, 0.05, 0.1, 0.5, 2.0, 10.0, 60.0]);
        figures.seconds("uptime_lag", "From the moment a look was due to its beginning", uptime_lag.clone());
        let leader = family!("leader", "1: this process runs the loops; 0: it follows one that does", Gauge::default());
        let web_connections = family!("web_connections", "Connections to the page and the hooks", Gauge::default());
        let web_connections_closed =
            family!("web_connections_closed", "Connections to the page that we closed, by reason", Family::default());
        let sync_age_seconds = Family::default();
        figures.seconds("sync_age", "Time since the last good read of open tickets", sync_age_seconds.clone());
        // Goal: 99 in 100 within 250 ms of the moment they were due.
        let lateness_seconds = Histogram::new([0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0, 120.0]);
        figures.seconds(
            "notification_lateness",
            "From the moment a notification was due to its hand-over",
            lateness_seconds.clone(),
        );
        let loop_seconds = Family::new_with_constructor(loop_buckets as fn() -> Histogram);
        figures.seconds("loop_turn", "How long one turn of a loop took", loop_seconds.clone());
        let (web, desk) = (WebFigures::register(&mut figures), DeskFigures::register(&mut figures));
        let process = ProcessFigures::register(&mut figures);
        let (registry, names) = figures.done();
        Self {
            registry,
            names,
            web,
            desk,
            process,
            requests,
            budget,
            throttles,
            leader,
            sync_age_seconds,
            tickets,
            open_tickets,
            quarantined,
            set_aside,
            alerts,
            deliveries,
            channel_open,
            hooks,
            audit_mismatches,
            outbox_pending,
            week,
            lateness_seconds,
            cache_lookups,
            cache_entries,
            loop_seconds,
            forecast_outcomes,
            forecast_error,
            forecast_trusted,
            predicted_alerts_judged,
            write_backs,
            zone_rules,
            zone_rules_age_seconds,
            uptime_looks,
            uptime_lag,
            web_connections,
            web_connections_closed,
        }
    }
}

impl Telemetry {
    /// Returns the entries, hits and misses of the cache of that name.
    pub fn cache_figures(&self, cache: &'static str) -> (&'static str, u64, u64, u64) {
        let looked = |result| self.cache_lookups.get_or_create(&CacheLabels { cache, result }).get();
        let entries = self.cache_entries.get_or_create(&CacheName { cache }).get();
        (cache, u64::try_from(entries).unwrap_or_default(), looked("hit"), looked("miss"))
    }

    /// Returns the names of all figures, without their common prefix.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Returns all figures in Prometheus' text form (OpenMetrics).
    pub fn render(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns all figure names in `text`, without their common prefix and the suffixes of a histogram's parts.
    fn spoken_of(text: &str) -> Vec<&str> {
        let rest = text.split("superops_sla_").skip(1);
        rest.map(|rest| {
            let end = rest.find(|c: char| !c.is_ascii_lowercase() && c != '_').unwrap_or(rest.len());
            let name = &rest[..end];
            ["_bucket", "_count", "_sum"].iter().find_map(|part| name.strip_suffix(part)).unwrap_or(name)
        })
        .collect()
    }

    #[test]
    fn every_figure_is_documented_and_there_are_enough_to_see_what_goes_on() {
        let telemetry = Telemetry::default();
        let documented = include_str!("../docs/operations.md");
        for name in telemetry.names() {
            assert!(documented.contains(&format!("`{name}`")), "docs/operations.md says nothing of `{name}`");
        }
        assert!(telemetry.names().len() >= 50, "{}", telemetry.names().len());
    }

    #[test]
    fn rules_and_board_ask_for_figures_that_there_are() {
        let telemetry = Telemetry::default();
        for text in [include_str!("../docs/prometheus-rules.yml"), include_str!("../docs/grafana.json")] {
            let asked = spoken_of(text);
            assert!(asked.len() > 10);
            for name in asked {
                assert!(telemetry.names().iter().any(|known| known == name), "there is no `{name}`");
            }
        }
    }
}
