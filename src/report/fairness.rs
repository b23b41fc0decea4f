//! Whether a person's breaches can be told from those that anybody would have had with the same tickets.
//!
//! The expected breaches are those of everybody else at the same clock, priority and policy. How many there may be by
//! chance is the Poisson-binomial distribution, computed exactly. Outside its 99.8 % limits the numbers differ; within
//! them nothing is said.

use std::collections::BTreeMap;

use serde::Serialize;

use super::rate::Rate;

/// Cells with fewer clocks of others are pooled.
const FEW: u64 = 20;

/// The clocks of one kind that were met: in a person's hands, and overall.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cell {
    pub own: Rate,
    pub all: Rate,
}

/// A person's breaches against what chance allows.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Funnel {
    pub clocks: u64,
    pub breaches: u64,
    pub expected: f64,
    /// How many breaches chance alone gives 95 times in 100.
    pub usual: (u64, u64),
    /// The same for 998 times in 1000.
    pub limits: (u64, u64),
    /// Outside of `limits`: the numbers differ, whatever the cause.
    pub differs: bool,
}

/// Returns the funnel of one person; none without clocks, or without others to compare with.
pub fn funnel<K: Ord>(cells: &BTreeMap<K, Cell>) -> Option<Funnel> {
    let pooled = others(cells.values());
    let mut chances = Vec::new();
    let mut own = Rate::default();
    for cell in cells.values() {
        let other = of_others(cell);
        let rate = if other.of < FEW { pooled } else { other };
        let breach = 1.0 - rate.exact()?;
        chances.push((breach, cell.own.of));
        own.join(cell.own);
    }
    if own.of == 0 {
        return None;
    }
    let breaches = own.of - own.met;
    let distribution = poisson_binomial(&chances);
    let limits = limits(&distribution, 0.998);
    Some(Funnel {
        clocks: own.of,
        breaches,
        expected: chances.iter().map(|(chance, clocks)| chance * *clocks as f64).sum(),
        usual: self::limits(&distribution, 0.95),
        limits,
        differs: breaches < limits.0 || breaches > limits.1,
    })
}

fn of_others(cell: &Cell) -> Rate {
    Rate::new(cell.all.met - cell.own.met, cell.all.of - cell.own.of)
}

/// Pools all cells that are too small by themselves; if even these are too few, all cells.
fn others<'a>(cells: impl Iterator<Item = &'a Cell> + Clone) -> Rate {
    let join = |mut sum: Rate, rate: Rate| {
        sum.join(rate);
        sum
    };
    let small = cells.clone().map(of_others).filter(|rate| rate.of < FEW).fold(Rate::default(), join);
    if small.of >= FEW { small } else { cells.map(of_others).fold(Rate::default(), join) }
}

/// Less likely than this counts as never: far below any tail that is looked at, however many are left out.
const NOTHING: f64 = 1e-18;

/// How likely each number of successes is in independent trials; each item is a chance and its number of trials.
fn poisson_binomial(chances: &[(f64, u64)]) -> Vec<f64> {
    // Only what is likely at all is kept: for ten thousand clocks, a few hundred numbers.
    let (mut low, mut likely) = (0, vec![1.0]);
    for (chance, trials) in chances {
        let (more, alike) = binomial(*chance, *trials);
        let mut sum = vec![0.0; likely.len() + alike.len() - 1];
        for (at, one) in likely.iter().enumerate() {
            for (to, other) in sum[at..].iter_mut().zip(&alike) {
                *to += one * other;
            }
        }
        (low, likely) = trimmed(low + more, sum);
    }
    let trials: u64 = chances.iter().map(|(_, trials)| trials).sum();
    let mut whole = vec![0.0; trials as usize + 1];
    whole[low..low + likely.len()].copy_from_slice(&likely);
    whole
}

/// How likely each number of successes is in `trials` of one chance, and the first of these numbers.
fn binomial(chance: f64, trials: u64) -> (usize, Vec<f64>) {
    let n = trials as f64;
    if chance <= 0.0 || chance >= 1.0 {
        return (if chance < 0.5 { 0 } else { trials as usize }, vec![1.0]);
    }
    // Goes outwards from the likeliest, in units of it: a chance to the power of thousands underflows.
    let middle = ((n + 1.0) * chance).floor().min(n);
    let odds = chance / (1.0 - chance);
    let mut likely = vec![1.0];
    let (mut one, mut at) = (1.0, middle);
    while at > 0.0 && one >= NOTHING {
        one *= at / ((n - at + 1.0) * odds);
        at -= 1.0;
        likely.push(one);
    }
    let low = at as usize;
    likely.reverse();
    (one, at) = (1.0, middle);
    while at < n && one >= NOTHING {
        one *= (n - at) / (at + 1.0) * odds;
        at += 1.0;
        likely.push(one);
    }
    let sum: f64 = likely.iter().sum();
    likely.iter_mut().for_each(|one| *one /= sum);
    (low, likely)
}

/// Cuts off what is as good as impossible at both ends.
fn trimmed(low: usize, mut likely: Vec<f64>) -> (usize, Vec<f64>) {
    while likely.len() > 1 && likely.last().is_some_and(|last| *last < NOTHING) {
        likely.pop();
    }
    let unlikely = likely[..likely.len() - 1].iter().take_while(|one| **one < NOTHING).count();
    likely.drain(..unlikely);
    (low + unlikely, likely)
}

/// The lowest and the highest number with less than half of what `within` leaves beyond it.
fn limits(distribution: &[f64], within: f64) -> (u64, u64) {
    let tail = (1.0 - within) / 2.0;
    let reach = |numbers: &mut dyn Iterator<Item = &f64>| {
        let mut sum = 0.0;
        numbers
            .take_while(|likely| {
                sum += **likely;
                sum <= tail
            })
            .count() as u64
    };
    let low = reach(&mut distribution.iter());
    let high = distribution.len() as u64 - 1 - reach(&mut distribution.iter().rev());
    (low, high)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn equal_chances_give_the_binomial_distribution() {
        let likely = poisson_binomial(&[(0.5, 3), (0.5, 1)]);
        let expected = [0.0625, 0.25, 0.375, 0.25, 0.0625];
        assert!(likely.iter().zip(expected).all(|(one, other)| (one - other).abs() < 1e-15), "{likely:?}");
        assert_eq!(limits(&poisson_binomial(&[(0.5, 10)]), 0.95), (2, 8));
        let mixed = poisson_binomial(&[(0.1, 1), (0.9, 1)]);
        assert!((mixed[1] - 0.82).abs() < 1e-12 && (mixed.iter().sum::<f64>() - 1.0).abs() < 1e-12);
    }

    proptest! {
        #[test]
        fn chances_taken_together_come_to_the_same_as_one_trial_after_the_other(
            chances in prop::collection::vec((0.0f64..=1.0, 0u64..40), 0..6),
        ) {
            let mut one_by_one = vec![1.0];
            for (chance, trials) in &chances {
                for _ in 0..*trials {
                    let after = |count: usize| {
                        let stays = one_by_one.get(count).copied().unwrap_or_default();
                        let rises = count.checked_sub(1).map_or(0.0, |before| one_by_one[before]);
                        stays * (1.0 - chance) + rises * chance
                    };
                    one_by_one = (0..=one_by_one.len()).map(after).collect();
                }
            }
            let together = poisson_binomial(&chances);
            prop_assert_eq!(together.len(), one_by_one.len());
            prop_assert!(together.iter().zip(&one_by_one).all(|(a, b)| (a - b).abs() < 1e-12));
        }
    }

    #[test]
    fn of_very_many_the_unlikely_numbers_may_be_left_out() {
        let likely = poisson_binomial(&[(0.1, 12_000), (0.1, 8_000)]);
        assert!((likely.iter().sum::<f64>() - 1.0).abs() < 1e-9);
        let mean: f64 = likely.iter().enumerate().map(|(count, likely)| count as f64 * likely).sum();
        assert!((mean - 2_000.0).abs() < 1e-6, "{mean}");
        // By the normal distribution: 2000 and 3.09 times 42.4.
        assert_eq!(limits(&likely, 0.998), (1_870, 2_132));
        assert!(likely[0] < 1e-300 && likely[20_000] < 1e-300);
    }

    #[test]
    fn harder_tickets_are_expected_to_breach_more() {
        let cell =
            |own: (u64, u64), all: (u64, u64)| Cell { own: Rate::new(own.0, own.1), all: Rate::new(all.0, all.1) };
        // Half of the hard ones breach whoever has them.
        let hard = BTreeMap::from([("hard", cell((20, 40), (220, 440))), ("easy", cell((0, 0), (900, 1000)))]);
        let funnel = funnel(&hard).unwrap();
        assert!((funnel.expected - 20.0).abs() < 1e-9 && !funnel.differs, "{funnel:?}");
        let worse = BTreeMap::from([("hard", cell((5, 40), (205, 440)))]);
        assert!(super::funnel(&worse).unwrap().differs);
        assert_eq!(super::funnel(&BTreeMap::from([("a", cell((3, 4), (3, 4)))])), None, "nobody to compare with");
        assert_eq!(super::funnel::<u8>(&BTreeMap::new()), None);
    }

    #[test]
    fn small_cells_are_pooled() {
        let cell =
            |own: (u64, u64), all: (u64, u64)| Cell { own: Rate::new(own.0, own.1), all: Rate::new(all.0, all.1) };
        let cells: BTreeMap<_, _> = (0..10).map(|key| (key, cell((1, 2), (9, 12)))).collect();
        let funnel = funnel(&cells).unwrap();
        assert!((funnel.expected - 20.0 * 0.2).abs() < 1e-9, "8 of 10 others kept in each, 80 of 100 in all");
    }
}
