//! A figure as a row of the table.

use std::fmt;
use std::time::Duration;

/// The table's head.
pub const HEAD: &str = "| what | measured | goal | |\n|---|---|---|---|";

/// Those of `parts` that the command line names; all of them if it names none.
pub fn asked(parts: &[&'static str]) -> anyhow::Result<Vec<&'static str>> {
    // Cargo adds options of its own, like `--bench`.
    let asked: Vec<String> = std::env::args().skip(1).filter(|name| !name.starts_with('-')).collect();
    if let Some(unknown) = asked.iter().find(|name| !parts.contains(&name.as_str())) {
        anyhow::bail!("there is no `{unknown}` to measure; there is {}", parts.join(", "));
    }
    Ok(parts.iter().copied().filter(|part| asked.is_empty() || asked.iter().any(|name| name == part)).collect())
}

/// What was measured, beside what it should be.
pub struct Figure {
    pub what: String,
    pub measured: String,
    /// None: there is no goal, it is here to be compared with.
    pub goal: Option<Goal>,
}

/// What a figure should be, and whether it is.
pub struct Goal {
    pub words: String,
    pub met: bool,
}

impl Figure {
    /// A figure that is to be compared with another.
    pub fn plain(what: impl Into<String>, measured: impl Into<String>) -> Self {
        Self { what: what.into(), measured: measured.into(), goal: None }
    }

    /// A figure with a goal.
    pub fn new(what: impl Into<String>, measured: impl Into<String>, goal: impl Into<String>, met: bool) -> Self {
        Self { goal: Some(Goal { words: goal.into(), met }), ..Self::plain(what, measured) }
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, measured, goal } = self;
        match goal {
            None => write!(f, "| {what} | {measured} | | |"),
            Some(Goal { words, met }) => {
                write!(f, "| {what} | {measured} | {words} | {} |", if *met { "met" } else { "missed" })
            }
        }
    }
}

/// The middle one; of an even number the upper of the two.
pub fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// In milliseconds, as a reader wants them.
pub fn millis(time: Duration) -> String {
    let millis = time.as_secs_f64() * 1000.0;
    if millis < 10.0 { format!("{millis:.2} ms") } else { format!("{millis:.0} ms") }
}
