//! How likely an open clock is to breach, when its ticket will be done, and why we think so.
//!
//! One [`Forecaster`] learns one clock of one tenant's tickets from training
//! events in the order of time: opened, changed, stopped. It follows every clock
//! itself, so it can answer for any moment. At fixed shares of each clock it
//! notes what was known then; once the clock is decided and its nominal due time
//! has passed, the notes become rows to learn from. Waiting for the nominal due
//! time matters: otherwise tickets resolved quickly would count before the slow
//! ones opened at the same time.
//!
//! Nothing here knows the future: later events change no answer given earlier.
//! The same events give the same answers.

mod boosting;
mod calibration;
mod decay;
mod finishes;
mod inputs;
mod learner;
mod logistic;
mod model;
mod names;
mod observation;
mod rates;
mod reasons;
mod sample;
mod schedule;
mod survival;
#[cfg(test)]
mod tests;
mod traits;
mod workload;

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

pub use self::calibration::expected_calibration_error;
pub use self::finishes::FinishRecord;
pub use self::learner::{Change, ENOUGH, Forecaster, RELIABLE_FROM};
pub use self::names::Attribute;
pub use self::workload::Terms;
use super::clock::{ClockState, Standing};

/// The forecast for one clock at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Forecast {
    /// The probability of a breach, from 0 to 1.
    pub probability: f64,
    pub risk: Risk,
    /// When the clock is likely to stop; none if that lies beyond the survival curve.
    pub finish: Option<Finish>,
    /// At most three, the strongest first. Shared, since many clocks have the same.
    pub reasons: Vec<Arc<str>>,
    pub grounds: Grounds,
}

/// The level of risk of a clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Risk {
    Low,
    Medium,
    High,
    Critical,
}

impl Risk {
    /// Returns the level for a probability of a breach.
    pub fn of(probability: f64) -> Self {
        match probability {
            p if p >= 0.75 => Self::Critical,
            p if p >= 0.5 => Self::High,
            p if p >= 0.25 => Self::Medium,
            _ => Self::Low,
        }
    }

    /// Returns the level of a clock without a forecast, by what is left of it.
    pub fn of_clock(clock: &ClockState<'_>) -> Self {
        match clock.standing {
            Standing::Breached { .. } if clock.stopped_at.is_none() => Self::Critical,
            Standing::AtRisk { .. } => Self::High,
            Standing::OnTrack { .. } if clock.elapsed_share().is_some_and(|share| share >= 0.5) => Self::Medium,
            _ => Self::Low,
        }
    }

    /// Returns the name used in the API and on the page.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Low => "LOW",
            Self::Medium => "MEDIUM",
            Self::High => "HIGH",
            Self::Critical => "CRITICAL",
        }
    }
}

/// When a clock is likely to stop, in working time from now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finish {
    /// Half are done sooner.
    pub median: TimeDelta,
    /// One in ten is done sooner.
    pub earliest: TimeDelta,
    /// One in ten is done later; none if that lies beyond the survival curve.
    pub latest: Option<TimeDelta>,
}

/// What a forecast rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grounds {
    /// How many decided clocks it learned from.
    pub outcomes: usize,
    /// When the first of them was opened.
    pub since: Option<DateTime<Utc>>,
    pub basis: Basis,
}

/// The source of a forecast's probability.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    /// Only how long tickets of this priority stay open, since too few clocks are decided yet.
    Survival,
    /// A model fitted to this tenant's own outcomes.
    Learned,
}
