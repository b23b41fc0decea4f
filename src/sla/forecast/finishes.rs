//! When clocks were said to stop, against when they did: what the interval promised, and how far it held.
//!
//! The survival curve is bent until it agrees with a probability, and nothing says that its ends hold as well. So they
//! are held against what happened: for each clock that stops, how far along the curve that was. Where one in ten of the
//! latest stopped sooner, and one in ten later, there the interval begins and ends from now on (conformal prediction).

use std::collections::VecDeque;

use chrono::TimeDelta;

/// The latest clocks that count.
const CLOCKS: usize = 500;
/// With fewer the curve is taken at its word.
const ENOUGH: usize = 200;
/// One in ten is done sooner, one in ten later.
const OUTER: [f64; 2] = [0.1, 0.9];

/// What was said of one clock when a share of its target had run: all in shares of the target.
#[derive(Clone, Copy, Debug)]
pub(super) struct Promised {
    pub(super) share: f32,
    /// The chance of a breach, by which the curve was bent.
    pub(super) breach: f32,
    pub(super) earliest: f32,
    pub(super) median: f32,
    /// Without end, if that lay beyond all experience.
    pub(super) latest: f32,
}

/// How the times that were said of the latest clocks held.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FinishRecord {
    /// Clocks that stopped, at most the latest 500.
    pub clocks: usize,
    /// The share of them that stopped within the interval of which 80 % was promised.
    pub covered: f64,
    /// The mean distance in working time between the expected and the true end.
    pub mean_off: TimeDelta,
}

/// One clock: its notes count together as one.
#[derive(Clone, Debug)]
struct Held {
    covered: f32,
    off_hours: f32,
    /// How far along the curve it stopped, note by note, from 0 to 1.
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
    /// A clock of which this was `promised` stopped when `share` of its target, which is `target_hours`, had run.
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

    /// Sets where the interval begins and ends by what was learned.
    pub(super) fn adjust(&mut self) {
        if self.latest.len() < ENOUGH {
            return;
        }
        let mut passed: Vec<f32> = self.latest.iter().flat_map(|held| held.passed.iter().copied()).collect();
        passed.sort_unstable_by(f32::total_cmp);
        let at = |quantile: f64| passed[(quantile * (passed.len() - 1) as f64).round() as usize];
        // The middle of the curve is left alone: it agrees with the probability.
        self.outer = [f64::from(at(OUTER[0])).clamp(0.001, 0.45), f64::from(at(OUTER[1])).clamp(0.55, 0.999)];
    }

    /// How the latest held; none before any clock has stopped of which something was said.
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
