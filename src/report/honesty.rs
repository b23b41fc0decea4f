//! What the figures of a period rest on: what the verdicts are based on, what was not watched, and where there is too
//! little to say anything.

use std::collections::BTreeMap;

use super::entry::{Entry, Holder};
use super::figures::Question;
use super::rate::Rate;
use super::trend::FEW;
use crate::sla::clock::Basis;

/// How sure the figures of a period can be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Honesty {
    /// Counted headline clocks, by what the verdict is based on.
    pub by_hand: u64,
    pub reported: u64,
    pub by_policy: u64,
    /// Clocks watched from their beginning, out of all.
    pub observed: Rate,
    /// The share of all clocks' weight with an unknown holder, and with none.
    pub unknown: Rate,
    pub nobody: Rate,
    /// Out of those with something decided, those with too little for a comparison with the period before.
    pub small_clients: Rate,
    pub small_technicians: Rate,
}

/// Sums up the entries of the period.
pub fn honesty<'a>(entries: impl Iterator<Item = &'a Entry>, question: &Question) -> Honesty {
    let mut found = Honesty::default();
    let (mut clients, mut technicians): (BTreeMap<_, u64>, BTreeMap<_, u64>) = (BTreeMap::new(), BTreeMap::new());
    for entry in entries.filter(|entry| question.decided(entry) && entry.is_headline()) {
        match entry.says {
            Some(Basis::ByHand) => found.by_hand += 1,
            Some(Basis::Reported) => found.reported += 1,
            _ => found.by_policy += 1,
        }
        found.observed.add(entry.observed);
        for share in &entry.shares {
            let weight = u64::try_from(share.weight).unwrap_or_default();
            let of = |holder: &Holder| Rate::new(if share.holder == *holder { weight } else { 0 }, weight);
            found.unknown.join(of(&Holder::Unknown));
            found.nobody.join(of(&Holder::Nobody));
        }
        *clients.entry(entry.client.as_deref()).or_default() += 1;
        if entry.holder.person().is_some() {
            *technicians.entry(&entry.holder).or_default() += 1;
        }
    }
    clients.values().for_each(|clocks| found.small_clients.add(*clocks < FEW));
    technicians.values().for_each(|clocks| found.small_technicians.add(*clocks < FEW));
    found
}

#[cfg(test)]
mod tests {
    use super::super::Period;
    use super::super::entry::tests::entries;
    use super::*;

    #[test]
    fn what_figures_rest_on_adds_up_to_what_is_counted() {
        let mut all = entries();
        all[0].observed = false;
        let period = Period::new("2026-10-01".parse().unwrap(), "2026-10-31".parse().unwrap()).unwrap();
        let found = honesty(all.iter(), &Question { period, with_maintenance: false });
        assert_eq!(found.by_hand + found.reported + found.by_policy, 14);
        assert_eq!((found.observed.of, found.unknown.of, found.nobody.of), (14, 14_000_000, 14_000_000));
        assert_eq!((found.nobody.met, found.unknown.met), (1_000_000, 0), "the response of 6 broke in nobody's hands");
        assert_eq!((found.small_technicians.met, found.small_technicians.of), (2, 2), "Ada and Ben have under twenty");
    }
}
