//! How figures are registered: each with its name and meaning, so that a test can check the documentation, the rules
//! and the board against them.

use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Metric, Registry, Unit};

/// The prefix of all names.
pub const PREFIX: &str = "superops_sla";

/// The registry, and the names of everything in it.
pub struct Figures {
    registry: Registry,
    names: Vec<String>,
}

impl Default for Figures {
    fn default() -> Self {
        Self { registry: Registry::with_prefix(PREFIX), names: Vec::new() }
    }
}

impl Figures {
    /// Registers `metric` as `name`, and returns it.
    pub fn add<M: Metric + Clone>(&mut self, name: &str, help: &str, metric: M) -> M {
        self.names.push(exported(name, &metric));
        self.registry.register(name, help, metric.clone());
        metric
    }

    /// Registers a figure in seconds, which becomes the end of its name.
    pub fn seconds<M: Metric + Clone>(&mut self, name: &str, help: &str, metric: M) -> M {
        self.names.push(exported(&format!("{name}_seconds"), &metric));
        self.registry.register_with_unit(name, help, Unit::Seconds, metric.clone());
        metric
    }

    /// Registers a figure in bytes, which becomes the end of its name.
    pub fn bytes<M: Metric + Clone>(&mut self, name: &str, help: &str, metric: M) -> M {
        self.names.push(exported(&format!("{name}_bytes"), &metric));
        self.registry.register_with_unit(name, help, Unit::Bytes, metric.clone());
        metric
    }

    /// Returns the registry, and the names of all figures in it, without their common prefix.
    pub fn done(self) -> (Registry, Vec<String>) {
        (self.registry, self.names)
    }
}

/// Returns the name that Prometheus uses.
fn exported(name: &str, metric: &impl Metric) -> String {
    match metric.metric_type() {
        MetricType::Counter => format!("{name}_total"),
        _ => name.to_owned(),
    }
}
