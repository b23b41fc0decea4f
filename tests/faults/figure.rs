//! One line of the table: what was measured, against which bound.

use std::time::Duration;

pub const HEAD: &str = "fault                                      holds  measured (bound)";

/// What came of a fault.
pub struct Figure {
    measured: String,
    bound: String,
    verdict: Verdict,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Holds,
    Missed,
    /// Only the times miss their bound, and a debug build is not what anybody runs.
    NotJudged,
    /// It could not be played on this machine.
    Skipped,
}

impl Figure {
    pub fn new(measured: impl Into<String>, bound: impl Into<String>, holds: bool) -> Self {
        Self::timed(measured, bound, holds, true)
    }

    /// A figure whose times count in a release build alone.
    pub fn timed(measured: impl Into<String>, bound: impl Into<String>, holds: bool, in_time: bool) -> Self {
        let verdict = match (holds, in_time) {
            (true, true) => Verdict::Holds,
            (true, false) if cfg!(debug_assertions) => Verdict::NotJudged,
            _ => Verdict::Missed,
        };
        Self { measured: measured.into(), bound: bound.into(), verdict }
    }

    /// The fault cannot be played here, and why.
    pub fn skipped(why: &str) -> Self {
        Self { measured: why.to_owned(), bound: "-".to_owned(), verdict: Verdict::Skipped }
    }

    /// The fault could not be played to its end.
    pub fn unplayed(error: &anyhow::Error) -> Self {
        Self::new(format!("{error}"), "to be played to its end", false)
    }

    pub fn is_missed(&self) -> bool {
        self.verdict == Verdict::Missed
    }

    pub fn line(&self, number: u32, name: &str, took: Duration) -> String {
        let (holds, remark) = match self.verdict {
            Verdict::Holds => ("yes", ""),
            Verdict::Missed => ("NO", ""),
            Verdict::Skipped => ("SKIP", ""),
            Verdict::NotJudged => ("-", "; times are not judged in a debug build"),
        };
        let took = took.as_secs();
        format!("{number:>2} {name:<39} {holds:<6} {} ({}) in {took} s{remark}", self.measured, self.bound)
    }
}

/// The value below which `share` of the sorted `values` lie.
pub fn percentile(values: &[i64], share: f64) -> i64 {
    let index = ((values.len() as f64 * share) as usize).min(values.len().saturating_sub(1));
    values.get(index).copied().unwrap_or(i64::MAX)
}
