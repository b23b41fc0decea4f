//! Alerts under a budget of K a day: how many come true, and how long in advance.

use std::collections::HashSet;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use super::figures::median;
use super::path::Path;

/// Only tickets with at least this much working time left are worth an early alert.
pub const HOURS_LEFT: TimeDelta = TimeDelta::hours(8);

/// The figures of one way of choosing alerts.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BudgetLine {
    pub rule: String,
    pub alerts: usize,
    /// The share of alerts that came true.
    pub precision: Option<f64>,
    /// The share of the breaches in the file that was alerted.
    pub recall: Option<f64>,
    /// Hours from alert to breach, round the clock, over the alerts that came true.
    pub median_lead_hours: Option<f64>,
}

impl BudgetLine {
    /// Judges `alerts`: when each was raised, and for which ticket.
    pub(super) fn of<'a>(
        rule: String,
        alerts: impl Iterator<Item = (DateTime<Utc>, &'a Path)>,
        breaches: usize,
    ) -> Self {
        let leads: Vec<_> = alerts.map(|(at, path)| path.breached_at.map(|breach| breach - at)).collect();
        let came_true: Vec<f64> = leads.iter().flatten().map(|lead| lead.num_seconds() as f64 / 3600.0).collect();
        let share = |of: usize| (of > 0).then(|| came_true.len() as f64 / of as f64);
        Self {
            rule,
            alerts: leads.len(),
            precision: share(leads.len()),
            recall: share(breaches),
            median_lead_hours: median(came_true.clone()),
        }
    }
}

/// Alerts chosen day by day, with a limit per day.
#[derive(Debug)]
pub(super) struct Budget {
    a_day: usize,
    pub(super) alerts: Vec<(DateTime<Utc>, usize)>,
    alerted: HashSet<usize>,
}

impl Budget {
    pub(super) fn new(a_day: usize) -> Self {
        Self { a_day, alerts: Vec::new(), alerted: HashSet::new() }
    }

    pub(super) fn a_day(&self) -> usize {
        self.a_day
    }

    /// Spends a day's alerts on the first tickets of `ranked` that have none yet.
    pub(super) fn spend(&mut self, ranked: &[usize], now: DateTime<Utc>) {
        let fresh = ranked.iter().copied().filter(|path| !self.alerted.contains(path));
        let chosen: Vec<usize> = fresh.take(self.a_day).collect();
        self.alerts.extend(chosen.iter().map(|path| (now, *path)));
        self.alerted.extend(chosen);
    }
}
