//! A share as two counts, and as a percentage that does not flatter.

use serde::Serialize;

/// `met` of `of`. Counts, or the weights of clocks in millionths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Rate {
    pub met: u64,
    pub of: u64,
}

impl Rate {
    pub fn new(met: u64, of: u64) -> Self {
        Self { met, of }
    }

    /// Tenths of a percent, rounded half up; 1000 only for all and 0 only for none. None if `of` is 0.
    pub fn tenths(self) -> Option<u32> {
        let (met, of) = (u128::from(self.met), u128::from(self.of));
        let rounded = (met * 2000 + of).checked_div(of * 2)?;
        let honest = match rounded {
            1000.. if met < of => 999,
            0 if met > 0 => 1,
            rounded => rounded.min(1000),
        };
        u32::try_from(honest).ok()
    }

    /// As a number from 0 to 100, with one decimal.
    pub fn percent(self) -> Option<f64> {
        self.tenths().map(|tenths| f64::from(tenths) / 10.0)
    }

    /// The exact share.
    pub fn exact(self) -> Option<f64> {
        (self.of > 0).then(|| self.met as f64 / self.of as f64)
    }

    /// Whether it reaches `goal`, compared without rounding. A rate of nothing reaches every goal.
    pub fn reaches(self, goal: Goal) -> bool {
        100_000 * u128::from(self.met) >= u128::from(goal.0) * u128::from(self.of)
    }

    pub fn add(&mut self, met: bool) {
        self.met += u64::from(met);
        self.of += 1;
    }

    pub fn join(&mut self, other: Self) {
        self.met += other.met;
        self.of += other.of;
    }
}

/// A goal, in thousandths of a percent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Goal(u32);

impl Goal {
    /// From a percentage above 0 and up to 100, with at most three decimals.
    pub fn percent(percent: f64) -> Option<Self> {
        let thousandths = (percent * 1_000.0).round();
        let is_one = percent > 0.0 && percent <= 100.0 && (percent * 1_000.0 - thousandths).abs() < 1e-6;
        is_one.then_some(Self(thousandths as u32))
    }

    pub fn as_percent(self) -> f64 {
        f64::from(self.0) / 1_000.0
    }
}

/// The goal unless a policy or the tenant sets another.
impl Default for Goal {
    fn default() -> Self {
        Self(95_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentage_is_rounded_half_up_and_never_to_all_or_none() {
        let cases = [
            ((11, 14), Some(786)),
            ((1, 8), Some(125)),
            ((1, 16), Some(63)),
            ((1, 3), Some(333)),
            ((2, 3), Some(667)),
            ((9_999, 10_000), Some(999)),
            ((1, 10_000), Some(1)),
            ((5, 5), Some(1000)),
            ((0, 5), Some(0)),
            ((0, 0), None),
        ];
        for ((met, of), tenths) in cases {
            assert_eq!(Rate::new(met, of).tenths(), tenths, "{met} of {of}");
        }
    }

    #[test]
    fn a_goal_is_compared_without_rounding() {
        let goal = Goal::percent(95.0).unwrap();
        assert!(Rate::new(19, 20).reaches(goal));
        let just_under = Rate::new(94_999, 100_000);
        assert_eq!(just_under.tenths(), Some(950));
        assert!(!just_under.reaches(goal));
        assert!(Rate::default().reaches(goal), "where nothing was decided nothing was missed");
        assert_eq!([0.0, 0.000_1, 99.999_9, 100.5, f64::NAN].map(Goal::percent), [None; 5]);
        let october = Rate::new(1_206, 1_318);
        let reached = [91.502, 91.503].map(|percent| october.reaches(Goal::percent(percent).unwrap()));
        assert_eq!(reached, [true, false], "of 91.50228 %");
    }
}
