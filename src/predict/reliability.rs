//! How well probabilities agreed with what happened: by probability, and by week.

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike, NaiveDate, TimeDelta, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::sla::forecast::expected_calibration_error;
use crate::store::predictions::{Shown, Sums};

/// A forecast probability, when it was given, and whether the breach came.
pub type Said = (DateTime<Utc>, f64, bool);

/// Probabilities compared with what happened.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct Reliability {
    pub predictions: usize,
    pub breached: usize,
    /// Mean squared distance between said and happened; 0.25 is what a coin gets.
    pub brier: Option<f64>,
    /// Mean distance between said and happened over ten bins of equal count.
    pub ece: Option<f64>,
    /// By tenths of what was said, empty ones left out.
    pub bins: Vec<Bin>,
    /// By the week in which it was said, oldest first.
    pub weeks: Vec<Week>,
}

/// Predictions that said about the same.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, ToSchema)]
pub struct Bin {
    pub from: f64,
    pub to: f64,
    pub predictions: usize,
    /// The mean of what was said.
    pub said: f64,
    /// The share that breached.
    pub happened: f64,
}

/// Predictions of one week.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, ToSchema)]
pub struct Week {
    /// A Monday.
    pub begins: NaiveDate,
    pub predictions: usize,
    pub said: f64,
    pub happened: f64,
    pub brier: f64,
}

/// The number of bins: one for each tenth.
const BINS: usize = 10;

/// Compares forecasts with what happened.
pub fn reliability(said: &[Said]) -> Reliability {
    let single = |(_, probability, breached): &Said| Sums {
        predictions: 1,
        breached: usize::from(*breached),
        said: *probability,
        squares: (probability - f64::from(u8::from(*breached))).powi(2),
    };
    let pairs: Vec<_> = said.iter().map(|(_, probability, breached)| (*probability, *breached)).collect();
    let ece = (!said.is_empty()).then(|| expected_calibration_error(&pairs));
    let weeks = said.iter().map(|one| (monday(one.0), single(one)));
    Reliability { ece, ..counted(said.iter().map(single), weeks) }
}

/// Compares forecasts that were shown with what happened, from counters.
pub fn reliability_of(shown: &Shown) -> Reliability {
    let Shown { by_chance, by_week } = shown;
    Reliability { ece: calibration_error(by_chance), ..counted(by_chance.iter().copied(), by_week.iter().copied()) }
}

/// Computes everything but the calibration error.
fn counted(by_chance: impl Iterator<Item = Sums>, by_week: impl Iterator<Item = (NaiveDate, Sums)>) -> Reliability {
    let mut bins = [Sum::default(); BINS];
    let mut all = Sum::default();
    for one in by_chance.filter(|one| one.predictions > 0) {
        let said = one.said / one.predictions as f64;
        bins[((said * BINS as f64) as usize).min(BINS - 1)].add(&one);
        all.add(&one);
    }
    let mut weeks: BTreeMap<NaiveDate, Sum> = BTreeMap::new();
    for (monday, one) in by_week.filter(|(_, one)| one.predictions > 0) {
        weeks.entry(monday).or_default().add(&one);
    }
    Reliability {
        predictions: all.count,
        breached: all.breached,
        brier: (all.count > 0).then(|| all.mean(all.squares)),
        ece: None,
        bins: bins.iter().enumerate().filter(|(_, sum)| sum.count > 0).map(|(tenth, sum)| sum.bin(tenth)).collect(),
        weeks: weeks.into_iter().map(|(begins, sum)| sum.week(begins)).collect(),
    }
}

/// Like [`expected_calibration_error`], over ten bins of about equal count; predictions of one counter stay together.
fn calibration_error(shown: &[Sums]) -> Option<f64> {
    let mut sorted: Vec<&Sums> = shown.iter().filter(|one| one.predictions > 0).collect();
    sorted.sort_by(|a, b| (a.said / a.predictions as f64).total_cmp(&(b.said / b.predictions as f64)));
    let all: usize = sorted.iter().map(|one| one.predictions).sum();
    let mut off = [0.0; BINS];
    let mut passed = 0;
    for one in sorted {
        let middle = passed + one.predictions / 2;
        off[(middle * BINS / all).min(BINS - 1)] += one.said - one.breached as f64;
        passed += one.predictions;
    }
    (all > 0).then(|| off.iter().map(|off| off.abs()).sum::<f64>() / all as f64)
}

/// Returns the Monday of the week of `at`.
pub fn monday(at: DateTime<Utc>) -> NaiveDate {
    let date = at.date_naive();
    date - TimeDelta::days(date.weekday().num_days_from_monday().into())
}

#[derive(Clone, Copy, Default)]
struct Sum {
    count: usize,
    breached: usize,
    said: f64,
    squares: f64,
}

impl Sum {
    fn add(&mut self, shown: &Sums) {
        self.count += shown.predictions;
        self.breached += shown.breached;
        self.said += shown.said;
        self.squares += shown.squares;
    }

    fn mean(&self, sum: f64) -> f64 {
        sum / self.count.max(1) as f64
    }

    fn bin(&self, tenth: usize) -> Bin {
        let edge = |tenth: usize| tenth as f64 / BINS as f64;
        Bin {
            from: edge(tenth),
            to: edge(tenth + 1),
            predictions: self.count,
            said: self.mean(self.said),
            happened: self.mean(self.breached as f64),
        }
    }

    fn week(&self, begins: NaiveDate) -> Week {
        Week {
            begins,
            predictions: self.count,
            said: self.mean(self.said),
            happened: self.mean(self.breached as f64),
            brier: self.mean(self.squares),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on(day: &str) -> DateTime<Utc> {
        format!("{day}T12:00:00Z").parse().unwrap()
    }

    #[test]
    fn what_was_said_is_compared_by_tenth_and_by_week() {
        let said = [
            (on("2026-11-22"), 0.9, true), // a Sunday
            (on("2026-11-23"), 0.92, false),
            (on("2026-11-29"), 0.1, false),
            (on("2026-11-29"), 1.0, true),
        ];
        let found = reliability(&said);
        assert_eq!((found.predictions, found.breached), (4, 2));
        let bins: Vec<_> = found.bins.iter().map(|bin| (bin.from, bin.predictions, bin.happened)).collect();
        assert_eq!(bins, [(0.1, 1, 0.0), (0.9, 3, 2.0 / 3.0)]);
        let weeks: Vec<_> = found.weeks.iter().map(|week| (week.begins.to_string(), week.predictions)).collect();
        assert_eq!(weeks, [("2026-11-16".to_owned(), 1), ("2026-11-23".to_owned(), 3)]);
        let brier = (0.01 + 0.92f64.powi(2) + 0.01 + 0.0) / 4.0;
        assert!((found.brier.unwrap() - brier).abs() < 1e-12);
    }

    #[test]
    fn counters_of_a_week_say_what_the_single_predictions_say() {
        let said: Vec<Said> = (0..400).map(|n| (on("2026-11-23"), f64::from(n) / 400.0, n % 3 == 0)).collect();
        let cell = |cell: usize| {
            let of_cell: Vec<_> = said.iter().filter(|(_, chance, _)| (chance * 50.0) as usize == cell).collect();
            let happened = |breached: &bool| f64::from(u8::from(*breached));
            Sums {
                predictions: of_cell.len(),
                breached: of_cell.iter().filter(|(.., breached)| *breached).count(),
                said: of_cell.iter().map(|(_, chance, _)| chance).sum(),
                squares: of_cell.iter().map(|(_, chance, breached)| (chance - happened(breached)).powi(2)).sum(),
            }
        };
        let by_chance: Vec<_> = (0..50).map(cell).collect();
        let by_week = by_chance.iter().map(|sums| (monday(on("2026-11-23")), *sums)).collect();
        let (single, counted) = (reliability(&said), reliability_of(&Shown { by_chance, by_week }));
        assert_eq!((single.predictions, single.breached), (counted.predictions, counted.breached));
        assert!((single.brier.unwrap() - counted.brier.unwrap()).abs() < 1e-9);
        assert!((single.ece.unwrap() - counted.ece.unwrap()).abs() < 0.01, "{:?} {:?}", single.ece, counted.ece);
        assert_eq!(single.bins.len(), counted.bins.len());
        assert_eq!(single.weeks.len(), counted.weeks.len());
    }

    #[test]
    fn of_nothing_nothing_is_claimed() {
        assert_eq!(reliability(&[]), Reliability::default());
        assert_eq!(reliability_of(&Shown::default()), Reliability::default());
    }
}
