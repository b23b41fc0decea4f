//! The confidence intervals of a share and of the difference of two: Wilson's and Newcombe's.
//!
//! Wilson 1927; Newcombe 1998, "Interval estimation for the difference between independent
//! proportions", method 10.

use super::rate::Rate;

/// How often an interval may miss the true value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Confidence {
    P95,
    /// For people: a false statement about somebody weighs more.
    P99,
}

impl Confidence {
    fn z(self) -> f64 {
        match self {
            Self::P95 => 1.959_963_984_540_054,
            Self::P99 => 2.575_829_303_548_901,
        }
    }
}

/// From a lower to an upper end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    pub low: f64,
    pub high: f64,
}

impl Interval {
    pub fn has(self, value: f64) -> bool {
        self.low <= value && value <= self.high
    }
}

/// The interval of the share behind `rate`, 0 to 1; none if `of` is 0.
pub fn wilson(rate: Rate, confidence: Confidence) -> Option<Interval> {
    let (share, n, z) = (rate.exact()?, rate.of as f64, confidence.z());
    let centre = share + z * z / (2.0 * n);
    let reach = z * (share * (1.0 - share) / n + z * z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + z * z / n;
    // For all and none an end is exact, which rounding above would miss.
    let low = if rate.met == 0 { 0.0 } else { (centre - reach) / scale };
    let high = if rate.met == rate.of { 1.0 } else { (centre + reach) / scale };
    Some(Interval { low, high })
}

/// The interval of the difference of the shares behind `a` and `b`.
pub fn newcombe(a: Rate, b: Rate, confidence: Confidence) -> Option<Interval> {
    let (share_a, share_b) = (a.exact()?, b.exact()?);
    let (of_a, of_b) = (wilson(a, confidence)?, wilson(b, confidence)?);
    let difference = share_a - share_b;
    let down = ((share_a - of_a.low).powi(2) + (of_b.high - share_b).powi(2)).sqrt();
    let up = ((of_a.high - share_a).powi(2) + (share_b - of_b.low).powi(2)).sqrt();
    Some(Interval { low: difference - down, high: difference + up })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn near(a: f64, b: f64) -> bool {
        (a - b).abs() < 0.000_05
    }

    #[test]
    fn the_published_examples_come_out() {
        let wilson = wilson(Rate::new(11, 14), Confidence::P95).unwrap();
        assert!((wilson.low * 1000.0).round() == 524.0 && (wilson.high * 1000.0).round() == 924.0, "{wilson:?}");
        let all = super::wilson(Rate::new(10, 10), Confidence::P95).unwrap();
        assert!(near(all.low, 0.7225) && near(all.high, 1.0), "{all:?}");
        assert_eq!(all.high, 1.0);
        let newcombe = newcombe(Rate::new(56, 70), Rate::new(48, 80), Confidence::P95).unwrap();
        assert!(near(newcombe.low, 0.0524) && near(newcombe.high, 0.3339), "{newcombe:?}");
    }

    proptest! {
        #[test]
        fn an_interval_holds_its_share_and_swapped_periods_negate_it(
            (a, m) in (1u64..400).prop_flat_map(|m| (0..=m, Just(m))),
            (b, n) in (1u64..400).prop_flat_map(|n| (0..=n, Just(n))),
        ) {
            let (a, b) = (Rate::new(a, m), Rate::new(b, n));
            prop_assert!(wilson(a, Confidence::P95).unwrap().has(a.exact().unwrap()));
            let (there, back) = (newcombe(a, b, Confidence::P95).unwrap(), newcombe(b, a, Confidence::P95).unwrap());
            prop_assert!((there.low + back.high).abs() < 1e-12 && (there.high + back.low).abs() < 1e-12);
            let wider = newcombe(a, b, Confidence::P99).unwrap();
            prop_assert!(wider.low <= there.low && there.high <= wider.high);
        }
    }
}
