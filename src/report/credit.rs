//! Service credits: what a client gets back for a closed month in which a policy was not kept.

use serde::{Deserialize, Serialize};

use super::rate::{Goal, Rate};

/// With fewer clocks counted there is no credit, unless a policy says otherwise.
pub const MIN: u64 = 20;

/// What is owed where compliance is below a level.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tier {
    /// A percentage.
    pub below: f64,
    /// Of the month's fee, in percent.
    pub credit: f64,
}

/// The credit for a month: that of the lowest tier that compliance is below. Equal is not below.
pub fn credit(rate: Rate, tiers: &[Tier], min: u64) -> Option<f64> {
    if rate.of < min {
        return None;
    }
    let missed = tiers.iter().filter(|tier| Goal::percent(tier.below).is_some_and(|goal| !rate.reaches(goal)));
    missed.min_by(|a, b| a.below.total_cmp(&b.below)).map(|tier| tier.credit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_tier_that_is_missed_holds() {
        let tiers = [Tier { below: 95.0, credit: 5.0 }, Tier { below: 90.0, credit: 10.0 }];
        let of = |met, of| credit(Rate::new(met, of), &tiers, MIN);
        assert_eq!([of(95, 100), of(94, 100), of(90, 100), of(89, 100)], [None, Some(5.0), Some(5.0), Some(10.0)]);
        assert_eq!(of(0, 19), None, "too few to judge a month by");
    }
}
