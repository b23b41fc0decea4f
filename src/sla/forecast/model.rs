//! The model in force: a logistic model and trees, each fitted by itself on what has been decided; their mean is said.
//!
//! The line is steadier where little is known, the trees see what it cannot say; they err differently.

use std::collections::VecDeque;

use chrono::{DateTime, Utc};

use super::boosting::{Boosting, Growth};
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
    /// What the trees start from.
    base: f32,
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
        let (hit, total) = rows
            .iter()
            .fold((0.0, 0.0), |(hit, total), row| (hit + row.weight * f64::from(row.label), total + row.weight));
        let base = super::logistic::log_odds(hit / total) as f32;
        let boosting = Boosting::fit(&rows, base, &recipe.growth);
        Some(Self { logistic, boosting, trees: recipe.trees, base })
    }

    /// The log-odds of a breach, before calibration.
    pub(super) fn score(&self, inputs: &[f32]) -> f32 {
        let line = self.logistic.score(inputs);
        let trees = self.base + self.boosting.score(inputs);
        (1.0 - self.trees) * line + self.trees * trees
    }

    /// What each input adds to the log-odds in the logistic part.
    pub(super) fn contributions(&self, inputs: &[f32]) -> Vec<f32> {
        self.logistic.contributions(inputs)
    }
}
