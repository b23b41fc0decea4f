//! Rows to learn from: what was known about a clock at some moment, and how it ended.

use std::collections::VecDeque;

use chrono::{DateTime, Utc};

use super::inputs::{INPUTS, prior};

/// The weight of a morning note. Slow tickets have many of them, all alike. They are there so that the model knows
/// clocks that stand still; with more weight they would make all clocks look slow.
const MORNING_WEIGHT: f64 = 0.01;

/// What was known about one clock at one moment.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    pub(super) at: DateTime<Utc>,
    pub(super) share: f32,
    /// The log-odds that the model of that moment gave, before calibration.
    pub(super) said: f32,
    /// The probability that was given in the end.
    pub(super) probability: f32,
    /// Whether it was taken in the morning rather than at a share of the clock.
    pub(super) of_a_morning: bool,
    /// Whether a fitted model made the forecast, rather than the survival curve alone.
    pub(super) by_model: bool,
    pub(super) inputs: Packed,
}

/// The inputs of a sample in half the space, because every note keeps them.
///
/// Each is stored in steps of [`STEP`], from -16 to 16. All of them are logarithms, shares and sines: e^16 hours are a
/// thousand years.
#[derive(Clone, Debug)]
pub(super) struct Packed([i16; INPUTS]);

/// The step of packed inputs, finer than any difference a model sees.
const STEP: f32 = 1.0 / 2048.0;

impl Packed {
    pub(super) fn of(inputs: &[f32; INPUTS]) -> Self {
        // `as` clamps a value beyond the ends to the nearer one.
        Self(inputs.map(|input| (input / STEP).round() as i16))
    }

    pub(super) fn get(&self, input: usize) -> f32 {
        f32::from(self.0[input]) * STEP
    }

    pub(super) fn all(&self) -> [f32; INPUTS] {
        self.0.map(|input| f32::from(input) * STEP)
    }
}

/// A sample whose clock has been decided.
#[derive(Clone, Debug)]
pub(super) struct Decided {
    pub(super) sample: Sample,
    pub(super) breached: bool,
    /// The number of its clock, in the order in which clocks were decided.
    pub(super) outcome: u32,
}

/// One row as a fit sees it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row<'a> {
    pub(super) inputs: &'a Packed,
    pub(super) label: f32,
    pub(super) weight: f64,
    /// The log-odds of the prior; a fit explains the rest.
    pub(super) start: f32,
}

/// The rows of a fit.
#[derive(Debug)]
pub(super) struct Rows<'a>(Vec<Row<'a>>);

impl<'a> Rows<'a> {
    /// Makes rows of all of `decided`, weighted by `weight` of their moments.
    pub(super) fn weighed(decided: &'a VecDeque<Decided>, weight: impl Fn(DateTime<Utc>) -> f64) -> Self {
        let row = |row: &'a Decided| Row {
            inputs: &row.sample.inputs,
            label: f32::from(u8::from(row.breached)),
            start: prior(&row.sample.inputs.all()),
            weight: weight(row.sample.at) * if row.sample.of_a_morning { MORNING_WEIGHT } else { 1.0 },
        };
        Self(decided.iter().map(row).collect())
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Row<'a>> + Clone + '_ {
        self.0.iter().copied()
    }
}
