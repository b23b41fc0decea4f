//! Exponential decay: what happened a half-life ago counts half.
//!
//! Instead of shrinking every sum as time passes, each new entry weighs more
//! than the ones before it. Ratios come out the same, and nothing needs updating
//! while nothing happens.

use chrono::{DateTime, TimeDelta, Utc};

/// How fast weights decay, and the moment at which a weight is 1.
#[derive(Clone, Copy, Debug)]
pub(super) struct Decay {
    start: DateTime<Utc>,
    half_life: f64,
}

impl Decay {
    pub(super) fn new(start: DateTime<Utc>, half_life: TimeDelta) -> Self {
        Self { start, half_life: seconds(half_life).max(1.0) }
    }

    /// Returns the weight of an entry made at `at`, which is also the weight of one fresh entry at that moment.
    pub(super) fn weight(&self, at: DateTime<Utc>) -> f64 {
        // 2^500 leaves room for sums; with a half-life of three weeks it is reached after 28 years.
        (seconds(at - self.start) / self.half_life).clamp(-500.0, 500.0).exp2()
    }
}

/// Returns a length of time in seconds.
pub(super) fn seconds(length: TimeDelta) -> f64 {
    length.num_milliseconds() as f64 / 1000.0
}

/// Returns a length of time in hours.
pub(super) fn hours(length: TimeDelta) -> f64 {
    seconds(length) / 3600.0
}
