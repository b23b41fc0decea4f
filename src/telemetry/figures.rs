//! How figures are registered: each with its name and what it means, so that a test can hold the documentation, the rules
//! and the board to them.

use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Metric, Registry, Unit};

/// What all names begin with.
pub const PREFIX: &str = "superops_sla";

/// The registry, and the names of all that is in it.
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
    /// Registers `metric` as `name`, and gives it back.
    pub fn add<M: Metric + Clone>(&mut self, name: &str, help: &str, metric: M) -> M {
        self.names.push(exported(name, &metric));
        self.registry.register(name, help, metric.clone());
        metric
    }

    /// The same, of a figure in seconds, which its name says at the end.
    pub fn seconds<M: Metric + Clone>(&mut self, name: &str, help: &str, metric: M) -> M {
        self.names.push(exported(&format!("{name}_seconds"), &metric));
        self.registry.register_with_unit(name, help, Unit::Seconds, metric.clone());
        metric
    }

    /// The same, in bytes.
    pub fn bytes<M: Metric + Clone>(&mut self, name: &str, help: &str, metric: M) -> M {
        self.names.push(exported(&format!("{name}_bytes"), &metric));
        self.registry.register_with_unit(name, help, Unit::Bytes, metric.clone());
        metric
    }

    /// The registry, and the names of all figures in it, without what they begin with.
    pub fn done(self) -> (Registry, Vec<String>) {
        (self.registry, self.names)
    }
}

/// What Prometheus calls it.
fn exported(name: &str, metric: &impl Metric) -> String {
    match metric.metric_type() {
        MetricType::Counter => format!("{name}_total"),
        _ => name.to_owned(),
    }
}
