//! What is owed to a client for a promise that was not kept.
//!
//! Tiers are lower bounds, so that no availability falls between two of them, and whole numbers are compared before
//! anything is rounded.

use serde::{Deserialize, Serialize};

use super::Millis;

/// What is owed from a certain availability on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tier {
    /// The lowest availability, in thousandths of a percent: 99 900 for 99.9 %.
    pub floor: u32,
    /// In percent of the fee.
    pub percent: u32,
}

/// 100 %, in thousandths of a percent.
pub const WHOLE: u32 = 100_000;

/// The usual tiers: 10 % below 99.9, 50 % below 99, all of it below 95.
pub const USUAL: [Tier; 4] = [
    Tier { floor: 99_900, percent: 0 },
    Tier { floor: 99_000, percent: 10 },
    Tier { floor: 95_000, percent: 50 },
    Tier { floor: 0, percent: 100 },
];

/// Returns the first of `tiers`, given in falling order, that `up` out of `counted` reaches. `None` if nothing was
/// counted.
pub fn tier(tiers: &[Tier], up: Millis, counted: Millis) -> Option<Tier> {
    (counted > 0).then(|| tiers.iter().copied().find(|tier| reaches(up, counted, tier.floor)))?
}

/// Whether `up` out of `counted` is at least `floor` thousandths of a percent.
pub fn reaches(up: Millis, counted: Millis, floor: u32) -> bool {
    i128::from(up) * i128::from(WHOLE) >= i128::from(floor) * i128::from(counted)
}

/// Returns `percent` of `fee`, in the minor unit of its currency; halves are rounded up.
pub fn of_fee(fee: i64, percent: u32) -> i64 {
    let hundredfold = i128::from(fee) * i128::from(percent);
    i64::try_from((hundredfold + 50).div_euclid(100)).unwrap_or(i64::MAX)
}

/// Formats an amount in the minor unit of its currency: `45.00 EUR`.
pub fn money(minor: i64, currency: &str) -> String {
    format!("{}.{:02} {currency}", minor / 100, minor % 100)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::uptime::{DAY, HOUR, MINUTE, SECOND};

    #[test]
    fn a_credit_begins_with_the_millisecond_that_is_too_much() {
        let month = 30 * DAY;
        let percent = |down: Millis| tier(&USUAL, month - down, month).map(|tier| tier.percent);
        let cases = [
            (0, 0),
            (43 * MINUTE + 12 * SECOND, 0),
            (43 * MINUTE + 12 * SECOND + 1, 10),
            (7 * HOUR + 12 * MINUTE, 10),
            (7 * HOUR + 12 * MINUTE + 1, 50),
            (36 * HOUR, 50),
            (36 * HOUR + 1, 100),
            (month, 100),
        ];
        for (down, expected) in cases {
            assert_eq!(percent(down), Some(expected), "{down} ms");
        }
        assert_eq!(tier(&USUAL, 0, 0), None, "nothing was counted");
    }

    #[test]
    fn money_is_rounded_once_and_a_half_goes_up() {
        assert_eq!([of_fee(12_345, 10), of_fee(12_344, 10), of_fee(5, 10), of_fee(0, 100)], [1235, 1234, 1, 0]);
        assert_eq!(of_fee(i64::MAX, 100), i64::MAX);
    }

    proptest::proptest! {
        #[test]
        fn more_downtime_never_lowers_the_credit(counted in 1i64..40 * DAY, a in 0i64..40 * DAY, b in 0i64..40 * DAY) {
            let (less, more) = (a.min(b).min(counted), a.max(b).min(counted));
            let percent = |down: Millis| tier(&USUAL, counted - down, counted).unwrap().percent;
            proptest::prop_assert!(percent(less) <= percent(more));
        }
    }
}
