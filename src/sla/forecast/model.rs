//! The model in use: a prior, and a logistic model and trees fitted to the rest.
//!
//! Each of the two is fitted on its own to the decided clocks, and their mean is the forecast. The line is steadier
//! where little is known, the trees see what it cannot express; their errors differ.

use std::collections::VecDeque;

use chrono::{DateTime, Utc};

use super::boosting::{Boosting, Growth};
use super::inputs::{INPUTS, PRIOR, prior};
use super::logistic::Logistic;
use super::sample::{Decided, Rows};

/// How a model is fitted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Recipe {
    pub(super) ridge: f64,
    pub(super) growth: Growth,
    /// The weight of the trees in the mean of both.
    pub(super) trees: f32,
}

/// A fitted model.
#[derive(Debug)]
pub(super) struct Model {
    logistic: Logistic,
    boosting: Boosting,
    trees: f32,
}

impl Model {
    /// Fits `decided`; none if there are too few breaches or too few others.
    pub(super) fn fit(
        decided: &VecDeque<Decided>,
        recipe: &Recipe,
        weight: impl Fn(DateTime<Utc>) -> f64,
    ) -> Option<Self> {
        let rows = Rows::weighed(decided, weight);
        let breached = rows.iter().filter(|row| row.label > 0.5).count();
        if breached < 10 || rows.len() - breached < 10 {
            return None;
        }
        let logistic = Logistic::fit(&rows, recipe.ridge);
        let boosting = Boosting::fit(&rows, &recipe.growth);
        Some(Self { logistic, boosting, trees: recipe.trees })
    }

    /// Returns the log-odds of a breach, before calibration.
    pub(super) fn score(&self, inputs: &[f32; INPUTS]) -> f32 {
        let (line, trees) = (self.logistic.score(inputs), self.boosting.score(inputs));
        prior(inputs) + (1.0 - self.trees) * line + self.trees * trees
    }

    /// Returns what each input adds to the log-odds, without the trees.
    pub(super) fn contributions(&self, inputs: &[f32; INPUTS]) -> [f32; INPUTS] {
        let fitted = self.logistic.contributions(inputs);
        std::array::from_fn(|input| inputs[input] * PRIOR[input] + (1.0 - self.trees) * fitted[input])
    }
}
