//! Technicians: what was decided in whose hands, by tickets and by the time that each held them.
//!
//! No ranks: people are listed by name, and where the numbers are too few to tell, that is said.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::entry::{Entry, Holder, Outcome};
use super::fairness::{Cell, Funnel, funnel};
use super::figures::{Question, Summary, summary};
use super::interval::Confidence;
use super::rate::Rate;
use super::trend::{Stratum, Trend, trend};
use crate::ticket::ClockKind;

/// The figures of one holder; of people, and of nobody, unknown and automation, so that sums are those of all.
#[derive(Clone, Debug, PartialEq)]
pub struct Technician {
    pub holder: Holder,
    /// Tickets with a headline clock decided in these hands, and those of them with none breached.
    pub tickets: Rate,
    /// Headline clocks breached in these hands.
    pub breaches: u64,
    /// Kept and all, in millionths of clocks: by the time each was held.
    pub weighted: Rate,
    /// Of the weight of all breaches.
    pub breach_share: Rate,
    /// Counted past the target while it was held, in milliseconds, and that of all.
    pub lateness: Rate,
    /// Paused, of counted and paused, in milliseconds, while it was held.
    pub paused: Rate,
    pub summary: Summary,
    pub trend: Trend,
    pub funnel: Option<Funnel>,
}

/// Everybody who has a part in the entries of the period, in the order of their ids. `entries` reach back to the period
/// before, for the trend.
pub fn technicians<'a>(entries: impl Iterator<Item = &'a Entry> + Clone, question: &Question) -> Vec<Technician> {
    let decided = |entry: &&'a Entry| question.decided(entry) && entry.is_headline();
    let now: Vec<&Entry> = entries.clone().filter(decided).collect();
    let before = Question { period: question.period.before(), ..*question };
    let earlier: Vec<&Entry> = entries.clone().filter(|entry| before.decided(entry) && entry.is_headline()).collect();
    let mut holders: BTreeSet<&Holder> = now.iter().map(|entry| &entry.holder).collect();
    holders.extend(now.iter().flat_map(|entry| entry.shares.iter().map(|share| &share.holder)));
    let all_cells = cells(&now);
    let weights = weights(&now);
    let late_of = stops(entries.clone(), question);
    let breach_weight: u64 = weights.values().map(|(rate, _)| rate.of - rate.met).sum();
    let lateness: u64 = late_of.values().map(|(over, ..)| over).sum();
    let (of_now, of_earlier, of_all) = (by_holder(now), by_holder(earlier), by_holder(entries.collect()));
    let of_one = |holder: &&'a Holder| {
        let own = |of: &'_ BTreeMap<&'a Holder, Vec<&'a Entry>>| of.get(*holder).cloned().unwrap_or_default();
        let (own_now, own_earlier, own_all) = (own(&of_now), own(&of_earlier), own(&of_all));
        let (tickets, breaches) = by_ticket(own_now.iter().copied());
        let (weighted, _) = weights.get(*holder).copied().unwrap_or_default();
        let (over, counted, paused) = late_of.get(*holder).copied().unwrap_or_default();
        let is_person = holder.person().is_some();
        let strata = strata(own_now.iter().copied(), own_earlier.iter().copied());
        Technician {
            holder: (*holder).clone(),
            tickets,
            breaches,
            weighted,
            breach_share: Rate::new(weighted.of - weighted.met, breach_weight),
            lateness: Rate::new(over, lateness),
            paused: Rate::new(paused, counted + paused),
            summary: summary(own_all.iter().copied(), question),
            trend: if is_person { trend(&strata, Confidence::P99) } else { Trend::TooFew },
            funnel: if is_person { funnel(&with_own(&all_cells, own_now.iter().copied())) } else { None },
        }
    };
    holders.iter().map(of_one).collect()
}

fn by_holder(entries: Vec<&Entry>) -> BTreeMap<&Holder, Vec<&Entry>> {
    let mut all: BTreeMap<&Holder, Vec<&Entry>> = BTreeMap::new();
    for entry in entries {
        all.entry(&entry.holder).or_default().push(entry);
    }
    all
}

/// Tickets without a breach, of all; and the breaches.
fn by_ticket<'a>(entries: impl Iterator<Item = &'a Entry>) -> (Rate, u64) {
    let mut tickets: BTreeMap<&Arc<str>, u64> = BTreeMap::new();
    for entry in entries {
        *tickets.entry(&entry.ticket).or_default() += u64::from(entry.outcome == Outcome::Breached);
    }
    let kept = tickets.values().filter(|breaches| **breaches == 0).count() as u64;
    (Rate::new(kept, tickets.len() as u64), tickets.values().sum())
}

/// The weight that each holder has in the clocks, with that of those kept.
fn weights<'a>(entries: &[&'a Entry]) -> BTreeMap<&'a Holder, (Rate, u64)> {
    let mut sums: BTreeMap<&Holder, (Rate, u64)> = BTreeMap::new();
    for entry in entries {
        for share in &entry.shares {
            let weight = u64::try_from(share.weight).unwrap_or_default();
            let (rate, clocks) = sums.entry(&share.holder).or_default();
            rate.join(Rate::new(if entry.outcome == Outcome::Met { weight } else { 0 }, weight));
            *clocks += 1;
        }
    }
    sums
}

/// Of the clocks that stopped: counted past their targets, and, of resolutions, counted and paused; by holder.
fn stops<'a>(entries: impl Iterator<Item = &'a Entry>, question: &Question) -> BTreeMap<&'a Holder, (u64, u64, u64)> {
    let mut sums: BTreeMap<&Holder, (u64, u64, u64)> = BTreeMap::new();
    for entry in entries.filter(|entry| question.stopped(entry)) {
        for share in &entry.shares {
            let (over, counted, paused) = sums.entry(&share.holder).or_default();
            if entry.outcome == Outcome::Breached {
                *over += u64::try_from(share.over).unwrap_or_default();
            }
            if entry.clock == ClockKind::Resolution {
                *counted += u64::try_from(share.counted).unwrap_or_default();
                *paused += u64::try_from(share.paused).unwrap_or_default();
            }
        }
    }
    sums
}

/// Tickets without a breach by priority, in both periods.
pub fn strata<'a>(now: impl Iterator<Item = &'a Entry>, before: impl Iterator<Item = &'a Entry>) -> Vec<Stratum> {
    let mut tickets: BTreeMap<(Option<&str>, &str, bool), bool> = BTreeMap::new();
    let both = now.map(|entry| (entry, true)).chain(before.map(|entry| (entry, false)));
    for (entry, is_now) in both {
        let kept = tickets.entry((entry.priority.as_deref(), &entry.ticket, is_now)).or_insert(true);
        *kept &= entry.outcome == Outcome::Met;
    }
    let mut strata: BTreeMap<Option<&str>, Stratum> = BTreeMap::new();
    for ((priority, _, is_now), kept) in tickets {
        let stratum = strata.entry(priority).or_default();
        if is_now { stratum.now.add(kept) } else { stratum.before.add(kept) }
    }
    strata.into_values().collect()
}

type Kind<'a> = (ClockKind, Option<&'a Arc<str>>, Option<&'a Arc<str>>);

fn kind(entry: &Entry) -> Kind<'_> {
    (entry.clock, entry.priority.as_ref(), entry.policy.as_ref())
}

fn cells<'a>(entries: &[&'a Entry]) -> BTreeMap<Kind<'a>, Cell> {
    let mut cells: BTreeMap<Kind<'a>, Cell> = BTreeMap::new();
    for entry in entries {
        cells.entry(kind(entry)).or_default().all.add(entry.outcome == Outcome::Met);
    }
    cells
}

fn with_own<'a>(all: &BTreeMap<Kind<'a>, Cell>, own: impl Iterator<Item = &'a Entry>) -> BTreeMap<Kind<'a>, Cell> {
    let mut cells = all.clone();
    for entry in own {
        cells.entry(kind(entry)).or_default().own.add(entry.outcome == Outcome::Met);
    }
    cells
}
