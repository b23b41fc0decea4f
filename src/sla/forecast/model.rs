//! The model in force: what counts before any fit, and what a logistic model and trees make of the rest.
//!
//! Each of the two is fitted by itself on what has been decided, and the mean of both is said. The line is steadier where
//! little is known, the trees see what it cannot say; they err differently.

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
    /// The trees' share in the mean of both.
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
    /// Fits `decided`; none if there is nothing to tell breaches from others by.
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

    /// The log-odds of a breach, before calibration.
    pub(super) fn score(&self, inputs: &[f32; INPUTS]) -> f32 {
        let (line, trees) = (self.logistic.score(inputs), self.boosting.score(inputs));
        prior(inputs) + (1.0 - self.trees) * line + self.trees * trees
    }

    /// What each input adds to the log-odds, trees left out.
    pub(super) fn contributions(&self, inputs: &[f32; INPUTS]) -> [f32; INPUTS] {
        let fitted = self.logistic.contributions(inputs);
        std::array::from_fn(|input| inputs[input] * PRIOR[input] + (1.0 - self.trees) * fitted[input])
    }
}
