//! One line of the table: what was measured, against which bound.

use std::time::Duration;

pub const HEAD: &str = "fault                                      holds  measured (bound)";

/// What came of a fault.
pub struct Figure {
    pub measured: String,
    pub bound: String,
    pub holds: bool,
}

impl Figure {
    pub fn new(measured: impl Into<String>, bound: impl Into<String>, holds: bool) -> Self {
        Self { measured: measured.into(), bound: bound.into(), holds }
    }

    /// The fault could not be played to its end.
    pub fn unplayed(error: &anyhow::Error) -> Self {
        Self::new(format!("{error}"), "to be played to its end", false)
    }

    pub fn line(&self, number: u32, name: &str, took: Duration) -> String {
        let holds = if self.holds { "yes" } else { "NO" };
        let took = took.as_secs();
        format!("{number:>2} {name:<39} {holds:<6} {} ({}) in {took} s", self.measured, self.bound)
    }
}

/// The value below which `share` of the sorted `values` lie.
pub fn percentile(values: &[i64], share: f64) -> i64 {
    let index = ((values.len() as f64 * share) as usize).min(values.len().saturating_sub(1));
    values.get(index).copied().unwrap_or(i64::MAX)
}
