//! How groups, technicians, categories and the like have done lately: decayed, shrunk rates.
//!
//! A rate is kept as an effect: how far the log-odds of a breach differ from what
//! the survival curve expects of a ticket at that share. So tickets at different
//! shares of their clocks are comparable, and a group with three tickets has an
//! effect near zero.

use chrono::{DateTime, Utc};

use super::decay::Decay;
use super::names::{NameId, NumberMap};

/// Identifies a rate: its family and the names it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct RateKey(u64);

impl RateKey {
    pub(super) fn new(family: usize, first: NameId, second: NameId) -> Self {
        Self((family as u64) << 56 | u64::from(first & 0x0fff_ffff) << 28 | u64::from(second & 0x0fff_ffff))
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    surprise: f64,
    information: f64,
    outcomes: f64,
    breaches: f64,
}

/// An outcome that rates learn from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outcome {
    pub(super) breached: bool,
    /// The chance of a breach that was expected before.
    pub(super) expected: f64,
    /// Its weight: the notes of one ticket share the weight of one ticket.
    pub(super) counts: f64,
}

/// A rate in plain figures.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct PlainRate {
    /// How many outcomes it rests on, decayed.
    pub(super) outcomes: f64,
    /// The share of them that breached.
    pub(super) breached: f64,
}

/// All rates of one kind of outcome.
#[derive(Debug)]
pub(super) struct Rates {
    decay: Decay,
    shrink: f64,
    sums: NumberMap<RateKey, Sums>,
}

impl Rates {
    /// Creates rates; `shrink` is how much information about a name moves its effect halfway from zero.
    pub(super) fn new(decay: Decay, shrink: f64) -> Self {
        Self { decay, shrink, sums: NumberMap::default() }
    }

    /// Learns one outcome for each of `keys`.
    pub(super) fn learn(&mut self, keys: &[RateKey], outcome: Outcome, at: DateTime<Utc>) {
        let Outcome { breached, expected, counts } = outcome;
        let weight = self.decay.weight(at) * counts;
        let happened = f64::from(u8::from(breached));
        for key in keys {
            let sums = self.sums.entry(*key).or_default();
            sums.surprise += weight * (happened - expected);
            sums.information += weight * expected * (1.0 - expected);
            sums.outcomes += weight;
            sums.breaches += weight * happened;
        }
    }

    /// Returns the weight of one fresh entry at `now`, for [`Self::effect`].
    pub(super) fn unit(&self, now: DateTime<Utc>) -> f64 {
        self.decay.weight(now)
    }

    /// Returns the effect of `key` in log-odds; 0 if nothing is known.
    pub(super) fn effect(&self, key: RateKey, unit: f64) -> f64 {
        self.sums.get(&key).map_or(0.0, |sums| sums.surprise / (sums.information + self.shrink * unit))
    }

    /// Returns the rate of `key` as people would count it.
    pub(super) fn plain(&self, key: RateKey, unit: f64) -> Option<PlainRate> {
        let sums = self.sums.get(&key)?;
        Some(PlainRate { outcomes: sums.outcomes / unit, breached: sums.breaches / sums.outcomes })
    }
}
