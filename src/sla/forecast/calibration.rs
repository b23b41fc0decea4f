//! Calibrates probabilities by comparing earlier forecasts with what happened.
//!
//! Only forecasts made before the outcome was known go in. The result is a line in
//! log-odds (Platt), with a term for how far the clock had run, drawn towards no
//! correction while there is little evidence.

use std::collections::VecDeque;

use chrono::{DateTime, Utc};

use super::logistic::{chance, solve};
use super::sample::Decided;

/// How many outcomes the pull of the line towards no correction is worth.
const TRUST: f64 = 20_000.0;
const TURNS: usize = 5;
/// A step below which the line has settled: no probability shows the difference.
const SETTLED: f64 = 1e-7;
/// How many of the latest rows a correction must prove itself on.
const TRIAL: usize = 500;
/// The share of the loss without it that a correction's loss must stay below.
const PROOF: f64 = 0.99;

/// Turns the output of the model into a probability.
#[derive(Clone, Copy, Debug)]
pub(super) struct Calibration {
    shift: f64,
    slope: f64,
    by_share: f64,
}

/// A row as the fit sees it.
struct Weighed {
    weight: f64,
    said: f32,
    share: f32,
    breached: bool,
}

impl Weighed {
    fn of(row: &Decided, weight: f64) -> Self {
        Self { weight, said: row.sample.said, share: row.sample.share, breached: row.breached }
    }
}

impl Default for Calibration {
    fn default() -> Self {
        Self { shift: 0.0, slope: 1.0, by_share: 0.0 }
    }
}

impl Calibration {
    /// Learns from `decided`, weighted by `weight`.
    ///
    /// A correction must prove itself: fitted to the older rows, it has to do better than none on the [`TRIAL`] latest.
    /// A desk swings from week to week, and correcting for last week's swing does harm.
    pub(super) fn proven(decided: &VecDeque<Decided>, weight: impl Fn(DateTime<Utc>) -> f64) -> Self {
        // Morning notes are left out: the slower a ticket, the more of them it has.
        let rows = decided.iter().rev().filter(|row| !row.sample.of_a_morning);
        // A replayed past is calibrated day by day, so each row's weight is computed only once here.
        let rows: Vec<_> = rows.map(|row| Weighed::of(row, weight(row.sample.at))).collect();
        if rows.len() < 3 * TRIAL {
            return Self::default();
        }
        let (latest, older) = rows.split_at(TRIAL);
        let tried = Self::fit(older);
        let loss = |line: Self| latest.iter().map(|row| line.loss(row)).sum::<f64>();
        if loss(tried) < PROOF * loss(Self::default()) { Self::fit(&rows) } else { Self::default() }
    }

    fn loss(&self, row: &Weighed) -> f64 {
        let probability = f64::from(self.probability(row.said, row.share));
        -if row.breached { probability.ln() } else { (1.0 - probability).ln() }
    }

    fn fit(rows: &[Weighed]) -> Self {
        let mut line = Self::default();
        for _ in 0..TURNS {
            let mut matrix = vec![0.0; 9];
            let mut right: Vec<f64> =
                [line.shift, line.slope - 1.0, line.by_share].map(|off| -TRUST * 0.25 * off).to_vec();
            (0..3).for_each(|i| matrix[i * 4] = TRUST * 0.25);
            for row in rows {
                let inputs = [1.0, f64::from(row.said), f64::from(row.share) - 0.5];
                let chance = f64::from(line.probability(row.said, row.share));
                let slope = row.weight * (f64::from(u8::from(row.breached)) - chance);
                let curvature = row.weight * chance * (1.0 - chance);
                for i in 0..3 {
                    right[i] += slope * inputs[i];
                    (0..=i).for_each(|j| matrix[i * 3 + j] += curvature * inputs[i] * inputs[j]);
                }
            }
            let Some(step) = solve(matrix, right) else { return Self::default() };
            line.shift += step[0];
            line.slope += step[1];
            line.by_share += step[2];
            if step.iter().all(|part| part.abs() < SETTLED) {
                break;
            }
        }
        line.sane()
    }

    /// Keeps the slope positive and moderate, so that more likely never becomes less likely.
    fn sane(self) -> Self {
        Self { slope: self.slope.clamp(0.2, 2.0), ..self }
    }

    /// Returns the probability for the log-odds `said` when `share` of the clock had run.
    pub(super) fn probability(&self, said: f32, share: f32) -> f32 {
        let line = self.shift + self.slope * f64::from(said) + self.by_share * (f64::from(share) - 0.5);
        chance(line as f32).clamp(0.001, 0.999)
    }
}

/// Returns how far probabilities were off: the mean distance between forecast and outcome over ten bins of equal count.
pub fn expected_calibration_error(said_and_happened: &[(f64, bool)]) -> f64 {
    let mut sorted = said_and_happened.to_vec();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let count = sorted.len();
    let off = |bin: usize| {
        let bin = &sorted[bin * count / 10..(bin + 1) * count / 10];
        bin.iter().map(|(said, happened)| said - f64::from(u8::from(*happened))).sum::<f64>().abs()
    };
    if count == 0 { 0.0 } else { (0..10).map(off).sum::<f64>() / count as f64 }
}
