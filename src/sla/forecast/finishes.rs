//! Compares when clocks were forecast to stop with when they did, and adjusts the forecast interval.
//!
//! The survival curve is bent until it agrees with a probability, which does not make its ends right. So they are
//! checked against what happened: for each clock that stops, how far along the curve that was. From then on the
//! interval begins where one in ten of the latest stopped sooner and ends where one in ten stopped later (conformal
//! prediction).

use std::collections::VecDeque;

use chrono::TimeDelta;

/// How many of the latest clocks count.
const CLOCKS: usize = 500;
/// How many clocks are needed before the curve is adjusted.
const ENOUGH: usize = 200;
/// The quantiles of the interval: one in ten is done sooner, one in ten later.
const OUTER: [f64; 2] = [0.1, 0.9];

/// The forecast of one clock's end, made when a share of its target had run. All in shares of the target.
#[derive(Clone, Copy, Debug)]
pub(super) struct Promised {
    pub(super) share: f32,
    /// The chance of a breach that the curve was bent to.
    pub(super) breach: f32,
    pub(super) earliest: f32,
    pub(super) median: f32,
    /// Infinite if it lay beyond the survival curve.
    pub(super) latest: f32,
}

/// How well the forecast ends of the latest clocks held.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FinishRecord {
    /// How many clocks stopped, at most the latest 500.
    pub clocks: usize,
    /// The share of them that stopped within the interval, which promises 80 %.
    pub covered: f64,
    /// The mean distance in working time between the expected and the true end.
    pub mean_off: TimeDelta,
}

/// The result of one clock; its notes together count as one.
#[derive(Clone, Debug)]
struct Held {
    covered: f32,
    off_hours: f32,
    /// How far along the curve it stopped, for each note, from 0 to 1.
    passed: Box<[f32]>,
}

/// The record of the latest clocks, and what follows from it.
#[derive(Debug)]
pub(super) struct Finishes {
    latest: VecDeque<Held>,
    /// How far along the curve the interval begins and ends.
    pub(super) outer: [f64; 2],
}

impl Default for Finishes {
    fn default() -> Self {
        Self { latest: VecDeque::new(), outer: OUTER }
    }
}

impl Finishes {
    /// Learns that a clock with these forecasts stopped when `share` of its target of `target_hours` had run.
    pub(super) fn learn(
        &mut self,
        promised: &[Promised],
        share: f32,
        target_hours: f64,
        passed: impl Fn(&Promised) -> f64,
    ) {
        if promised.is_empty() {
            return;
        }
        let mean = |of: &dyn Fn(&Promised) -> f32| promised.iter().map(of).sum::<f32>() / promised.len() as f32;
        self.latest.push_back(Held {
            covered: mean(&|said| f32::from(u8::from((said.earliest..=said.latest).contains(&share)))),
            off_hours: mean(&|said| (said.median - share).abs()) * target_hours as f32,
            passed: promised.iter().map(|said| passed(said) as f32).collect(),
        });
        let surplus = self.latest.len().saturating_sub(CLOCKS);
        self.latest.drain(..surplus);
    }

    /// Sets the ends of the interval from what was learned.
    pub(super) fn adjust(&mut self) {
        if self.latest.len() < ENOUGH {
            return;
        }
        let mut passed: Vec<f32> = self.latest.iter().flat_map(|held| held.passed.iter().copied()).collect();
        passed.sort_unstable_by(f32::total_cmp);
        let at = |quantile: f64| passed[(quantile * (passed.len() - 1) as f64).round() as usize];
        // The middle of the curve is kept: it agrees with the probability.
        self.outer = [f64::from(at(OUTER[0])).clamp(0.001, 0.45), f64::from(at(OUTER[1])).clamp(0.55, 0.999)];
    }

    /// Returns how well the latest forecasts held; none before any clock with a forecast has stopped.
    pub(super) fn record(&self) -> Option<FinishRecord> {
        let mean = |of: fn(&Held) -> f32| {
            self.latest.iter().map(|held| f64::from(of(held))).sum::<f64>() / self.latest.len() as f64
        };
        let hours = mean(|held| held.off_hours);
        (!self.latest.is_empty()).then(|| FinishRecord {
            clocks: self.latest.len(),
            covered: mean(|held| held.covered),
            mean_off: TimeDelta::seconds((hours * 3600.0) as i64),
        })
    }
}
