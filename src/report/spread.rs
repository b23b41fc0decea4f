//! How long things took: the mean, the median with its interval, and percentiles that are the lengths of real tickets.
//!
//! Lengths of time are milliseconds of working time. The 90th and 95th percentiles are lengths that
//! occurred, at rank ⌈q·n⌉, so that the ticket behind one can be opened.

use serde::Serialize;

/// The fewest lengths that give an interval of the median.
const FEW: usize = 6;

/// The figures of a set of lengths; all none if it is empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Spread {
    pub n: u64,
    pub mean: Option<i64>,
    pub median: Option<i64>,
    /// 95 % interval of the median, by order statistics.
    pub median_between: Option<(i64, i64)>,
    pub p90: Option<i64>,
    pub p95: Option<i64>,
}

impl Spread {
    /// The spread of `lengths`, in any order.
    pub fn of(mut lengths: Vec<i64>) -> Self {
        lengths.sort_unstable();
        let n = lengths.len();
        Self {
            n: n as u64,
            mean: mean(&lengths),
            median: median(&lengths),
            median_between: between(&lengths),
            p90: at_rank(&lengths, (9 * n).div_ceil(10)),
            p95: at_rank(&lengths, (19 * n).div_ceil(20)),
        }
    }
}

/// The mean, rounded half up.
fn mean(lengths: &[i64]) -> Option<i64> {
    let (sum, n) = (lengths.iter().map(|length| i128::from(*length)).sum::<i128>(), lengths.len() as i128);
    (n > 0).then(|| (2 * sum + n).div_euclid(2 * n)).and_then(|mean| i64::try_from(mean).ok())
}

/// For an even number of lengths, the mean of the middle two, rounded half up.
fn median(sorted: &[i64]) -> Option<i64> {
    let n = sorted.len();
    match n % 2 {
        1 => Some(sorted[n / 2]),
        _ if n == 0 => None,
        _ => mean(&sorted[n / 2 - 1..=n / 2]),
    }
}

/// Ranks count from 1.
fn at_rank(sorted: &[i64], rank: usize) -> Option<i64> {
    sorted.get(rank.checked_sub(1)?).copied()
}

/// The narrowest pair of lengths, equally far from both ends, that holds the median 95 times in 100.
fn between(sorted: &[i64]) -> Option<(i64, i64)> {
    let n = sorted.len();
    if n < FEW {
        return None;
    }
    let rank = lower_rank(n);
    Some((sorted[rank - 1], sorted[n - rank]))
}

/// The highest rank, from 1, that fewer than 2.5 % of samples have their median below.
fn lower_rank(n: usize) -> usize {
    // Logarithms, since a half to the power of a thousand underflows.
    let mut log_term = -(n as f64) * std::f64::consts::LN_2;
    let (mut sum, mut rank) = (log_term.exp(), 0);
    while sum <= 0.025 && rank < n / 2 {
        rank += 1;
        log_term += (((n - rank + 1) as f64) / rank as f64).ln();
        sum += log_term.exp();
    }
    rank.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_lengths_have_no_interval_and_none_have_nothing() {
        assert_eq!(Spread::of(Vec::new()), Spread::default());
        let two = Spread::of(vec![7, 4]);
        assert_eq!((two.mean, two.median, two.median_between, two.p90), (Some(6), Some(6), None, Some(7)));
        assert_eq!(Spread::of(vec![5; 5]).median_between, None);
        assert_eq!(Spread::of(vec![6, 1, 5, 2, 4, 3]).median_between, Some((1, 6)));
    }

    #[test]
    fn the_ranks_of_the_interval_are_those_of_the_tables() {
        // Conover, Practical Nonparametric Statistics, table of the binomial distribution with p = 0.5.
        for (n, rank) in [(6, 1), (8, 1), (9, 2), (15, 4), (20, 6), (25, 8), (50, 18), (100, 40), (1000, 469)] {
            assert_eq!(lower_rank(n), rank, "{n}");
        }
    }

    #[test]
    fn a_tail_is_a_length_that_occurred() {
        let lengths: Vec<i64> = (1..=10).map(|n| n * 10).collect();
        let spread = Spread::of(lengths);
        assert_eq!((spread.p90, spread.p95, spread.median, spread.mean), (Some(90), Some(100), Some(55), Some(55)));
        assert_eq!(Spread::of((1..=20).collect()).p95, Some(19));
    }
}
