//! Measures how good a set of probabilities was.

use chrono::TimeDelta;
use serde::Serialize;

use crate::sla::forecast::{Finish, expected_calibration_error};

/// The figures of one checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Figures {
    pub tickets: usize,
    /// The share of the tickets that breached.
    pub breached: f64,
    /// The probability that a breach was given a higher probability than a ticket that met its target.
    pub auc: Option<f64>,
    pub average_precision: Option<f64>,
    pub brier: f64,
    /// Over ten bins of equal count.
    pub ece: f64,
    /// Of the resolved tickets, the share that was resolved within its 80 % interval.
    pub covered: Option<f64>,
    /// The mean distance in working hours between the expected and the true time of resolution.
    pub finish_off_hours: Option<f64>,
}

/// Judges pairs of a forecast probability and what happened.
pub fn figures(said_and_happened: &[(f64, bool)]) -> Figures {
    let tickets = said_and_happened.len();
    let breaches = said_and_happened.iter().filter(|(_, happened)| *happened).count();
    let share = |sum: f64| if tickets == 0 { 0.0 } else { sum / tickets as f64 };
    let squares = said_and_happened.iter().map(|(said, happened)| (said - f64::from(u8::from(*happened))).powi(2));
    Figures {
        tickets,
        breached: share(breaches as f64),
        auc: auc(said_and_happened, breaches),
        average_precision: average_precision(said_and_happened, breaches),
        brier: share(squares.sum()),
        ece: expected_calibration_error(said_and_happened),
        covered: None,
        finish_off_hours: None,
    }
}

/// When a ticket was expected to be resolved, and when it was, in working time from the moment it was asked about.
#[derive(Clone, Copy, Debug)]
pub struct Awaited {
    pub expected: Finish,
    pub took: TimeDelta,
}

impl Figures {
    /// Adds how well the forecast times of the resolved tickets held.
    pub fn with_times(self, awaited: &[Awaited]) -> Self {
        let mean = |of: &dyn Fn(&Awaited) -> f64| {
            (!awaited.is_empty()).then(|| awaited.iter().map(of).sum::<f64>() / awaited.len() as f64)
        };
        let is_within = |Awaited { expected, took }: &Awaited| {
            *took >= expected.earliest && expected.latest.is_none_or(|latest| *took <= latest)
        };
        let off = |Awaited { expected, took }: &Awaited| (*took - expected.median).num_seconds().abs() as f64 / 3600.0;
        let covered = mean(&|one| f64::from(u8::from(is_within(one))));
        Self { covered, finish_off_hours: mean(&off), ..self }
    }
}

/// Computes the area by ranks; equal values share theirs. `None` unless both outcomes occur.
fn auc(pairs: &[(f64, bool)], breaches: usize) -> Option<f64> {
    let others = pairs.len() - breaches;
    if breaches == 0 || others == 0 {
        return None;
    }
    let mut sorted = pairs.to_vec();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut below, mut rank_sum) = (0, 0.0);
    for equals in sorted.chunk_by(|a, b| a.0 == b.0) {
        let rank = below as f64 + (equals.len() as f64 + 1.0) / 2.0;
        rank_sum += rank * equals.iter().filter(|(_, happened)| *happened).count() as f64;
        below += equals.len();
    }
    let breaches = breaches as f64;
    Some((rank_sum - breaches * (breaches + 1.0) / 2.0) / (breaches * others as f64))
}

/// Returns the mean over breaches of the precision down to each; equal values are taken together.
fn average_precision(pairs: &[(f64, bool)], breaches: usize) -> Option<f64> {
    let mut sorted = pairs.to_vec();
    sorted.sort_by(|a, b| b.0.total_cmp(&a.0));
    let (mut seen, mut hits, mut sum) = (0, 0, 0.0);
    for equals in sorted.chunk_by(|a, b| a.0 == b.0) {
        let new = equals.iter().filter(|(_, happened)| *happened).count();
        seen += equals.len();
        hits += new;
        sum += new as f64 * hits as f64 / seen as f64;
    }
    (breaches > 0).then(|| sum / breaches as f64)
}

/// Returns the median. `None` if there are no values.
pub(super) fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let upper = *values.get(values.len() / 2)?;
    Some(if values.len() % 2 == 1 { upper } else { (upper + values[values.len() / 2 - 1]) / 2.0 })
}
