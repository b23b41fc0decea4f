//! What groups, technicians, categories and the like make of their tickets lately: decayed, shrunk rates.
//!
//! A rate is kept as an effect: by how much the odds of a breach differ from
//! what the survival curve expects of a ticket that far on. So tickets at
//! different shares of their clocks speak of the same thing, and a group with
//! three tickets has an effect near nought.

use chrono::{DateTime, Utc};

use super::decay::Decay;
use super::names::{NameId, NumberMap};

/// Which rate: a family of them, and for which names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct RateKey(u64);

impl RateKey {
    pub(super) fn new(family: usize, first: NameId, second: NameId) -> Self {
        Self((family as u64) << 56 | u64::from(first & 0x0fff_ffff) << 28 | u64::from(second & 0x0fff_ffff))
    }

    /// Whether no name is known. The first family is spared: where nothing has a group, its blank stands for all.
    fn is_blank(self) -> bool {
        self.0 >> 56 != 0 && self.0 & 0x00ff_ffff_ffff_ffff == 0
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    surprise: f64,
    information: f64,
    outcomes: f64,
    breaches: f64,
}

/// What a rate learns from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outcome {
    pub(super) breached: bool,
    /// The chance of it, before it was known.
    pub(super) expected: f64,
    /// How much it counts: the notes of one ticket share one ticket's weight.
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
    /// `shrink` is how much information about a name moves its effect half way from nought.
    pub(super) fn new(decay: Decay, shrink: f64) -> Self {
        Self { decay, shrink, sums: NumberMap::default() }
    }

    /// One outcome for each of `keys`; those of no name learn nothing.
    pub(super) fn learn(&mut self, keys: &[RateKey], outcome: Outcome, at: DateTime<Utc>) {
        let Outcome { breached, expected, counts } = outcome;
        let weight = self.decay.weight(at) * counts;
        let happened = f64::from(u8::from(breached));
        for key in keys.iter().filter(|key| !key.is_blank()) {
            let sums = self.sums.entry(*key).or_default();
            sums.surprise += weight * (happened - expected);
            sums.information += weight * expected * (1.0 - expected);
            sums.outcomes += weight;
            sums.breaches += weight * happened;
        }
    }

    /// What "one fresh entry" weighs at `now`; see [`Self::effect`].
    pub(super) fn unit(&self, now: DateTime<Utc>) -> f64 {
        self.decay.weight(now)
    }

    /// The effect of `key` in log-odds: 0 where nothing is known.
    pub(super) fn effect(&self, key: RateKey, unit: f64) -> f64 {
        self.sums.get(&key).map_or(0.0, |sums| sums.surprise / (sums.information + self.shrink * unit))
    }

    /// The rate of `key` as people would count it.
    pub(super) fn plain(&self, key: RateKey, unit: f64) -> Option<PlainRate> {
        let sums = self.sums.get(&key)?;
        Some(PlainRate { outcomes: sums.outcomes / unit, breached: sums.breaches / sums.outcomes })
    }
}
