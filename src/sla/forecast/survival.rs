//! How long tickets stay open, by priority: a decayed Kaplan-Meier estimate.
//!
//! A clock's life is cut into steps at fixed shares of its target. A ticket that
//! entered a step counts once the step is over, resolved in it or not, so that
//! quick ones do not count before slow ones. A priority with few tickets leans on
//! the curve of all.

use chrono::{DateTime, Utc};

use super::decay::Decay;
use super::names::{NameId, NumberMap};

/// Where the steps begin, as shares of the target. Beyond 1 it has breached and is still open.
pub(super) const STEPS: [f64; 24] = [
    0.0, 0.01, 0.03, 0.06, 0.1, 0.175, 0.25, 0.3125, 0.375, 0.4375, 0.5, 0.5625, 0.625, 0.6875, 0.75, 0.8125, 0.875,
    0.9375, 1.0, 1.25, 1.75, 3.0, 6.0, 12.0,
];

/// The weight, in tickets, of the tenant's overall curve in that of a priority.
const LEANING: f64 = 10.0;
/// The share of a step's tickets assumed to be resolved in it before any data.
const PRIOR_HAZARD: f64 = 0.1;

#[derive(Clone, Copy, Debug, Default)]
struct Step {
    entered: f64,
    resolved: f64,
}

type Curve = [Step; STEPS.len()];

/// Decayed steps, for each priority and for all.
#[derive(Debug)]
pub(super) struct Survival {
    decay: Decay,
    all: Curve,
    priorities: NumberMap<NameId, Curve>,
}

impl Survival {
    pub(super) fn new(decay: Decay) -> Self {
        Self { decay, all: Curve::default(), priorities: NumberMap::default() }
    }

    /// Learns that a step is over, and whether its ticket was resolved in it.
    pub(super) fn learn(&mut self, priority: NameId, step: usize, resolved: bool, at: DateTime<Utc>) {
        let weight = self.decay.weight(at);
        for curve in [&mut self.all, self.priorities.entry(priority).or_default()] {
            curve[step].entered += weight;
            curve[step].resolved += if resolved { weight } else { 0.0 };
        }
    }

    /// Returns the survival curve of a priority, as of `now`.
    pub(super) fn outlook(&self, priority: NameId, now: DateTime<Utc>) -> Outlook {
        let unit = self.decay.weight(now);
        let own = self.priorities.get(&priority);
        let mut reach = [1.0; STEPS.len() + 1];
        for step in 0..STEPS.len() {
            let all = self.all[step];
            let usual = (all.resolved + PRIOR_HAZARD * unit) / (all.entered + unit);
            let own = own.map(|curve| curve[step]).unwrap_or_default();
            let hazard = (own.resolved + LEANING * unit * usual) / (own.entered + LEANING * unit);
            reach[step + 1] = reach[step] * (1.0 - hazard.clamp(0.001, 0.999));
        }
        Outlook { reach }
    }
}

/// The survival curve of one priority at one moment.
#[derive(Clone, Debug)]
pub(super) struct Outlook {
    /// The chance of still being open at the beginning of each step; the last entry is the end of the last step.
    reach: [f64; STEPS.len() + 1],
}

impl Outlook {
    /// Returns the chance of still being open when `share` of the target has run.
    pub(super) fn open_at(&self, share: f64) -> f64 {
        let step = STEPS.partition_point(|start| *start <= share).saturating_sub(1);
        let (start, end) = (STEPS[step], step_end(step));
        let part = ((share - start) / (end - start)).clamp(0.0, 1.0);
        self.reach[step].powf(1.0 - part) * self.reach[step + 1].powf(part)
    }

    /// Returns the chance that a ticket open at `share` breaches.
    pub(super) fn breach_from(&self, share: f64) -> f64 {
        let last = STEPS.iter().position(|start| *start >= 1.0).unwrap_or(STEPS.len());
        (self.reach[last] / self.open_at(share.min(1.0))).clamp(0.001, 0.999)
    }

    /// Returns how much to bend the curve (proportional hazards) so that it agrees with `breach`, the chance that a
    /// ticket open at `share` breaches.
    fn bend(&self, share: f64, breach: f64) -> f64 {
        if share < 1.0 { breach.clamp(0.001, 0.999).ln() / self.breach_from(share).ln() } else { 1.0 }
    }

    /// Returns the chance that a ticket open at `share`, which breaches with the chance `breach`, is resolved by `end`.
    pub(super) fn resolved_before(&self, share: f64, breach: f64, end: f64) -> f64 {
        1.0 - (self.open_at(end) / self.open_at(share)).clamp(0.0, 1.0).powf(self.bend(share, breach))
    }

    /// Returns the share by which a ticket open at `share` is resolved with the chance `quantile`, if it breaches with
    /// the chance `breach`. None if that lies beyond the curve.
    pub(super) fn resolved_by(&self, share: f64, breach: f64, quantile: f64) -> Option<f64> {
        let wanted = self.open_at(share) * (1.0 - quantile).powf(1.0 / self.bend(share, breach));
        let step = (0..STEPS.len()).find(|step| self.reach[step + 1] <= wanted)?;
        let (from, to) = (self.reach[step].ln(), self.reach[step + 1].ln());
        let part = ((wanted.ln() - from) / (to - from)).clamp(0.0, 1.0);
        Some((STEPS[step] + part * (step_end(step) - STEPS[step])).max(share))
    }
}

/// Returns where a step ends; the last one is assumed to double the share.
pub(super) fn step_end(step: usize) -> f64 {
    STEPS.get(step + 1).copied().unwrap_or(STEPS[STEPS.len() - 1] * 2.0)
}
