//! Whether the time that may be lost in a period is being lost too fast.
//!
//! The pairs of windows are those of Google's Site Reliability Workbook: the long one shows that it matters, the short
//! one that it still goes on.

use serde::Serialize;

use super::credit::WHOLE;
use super::{DAY, HOUR, MINUTE, Millis};

/// A burn rate, in tenths of what the budget allows, over two windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Pair {
    pub tenfold_rate: u32,
    pub long: Millis,
    pub short: Millis,
}

/// The fastest first.
pub const PAIRS: [Pair; 3] = [
    Pair { tenfold_rate: 144, long: HOUR, short: 5 * MINUTE },
    Pair { tenfold_rate: 60, long: 6 * HOUR, short: 30 * MINUTE },
    Pair { tenfold_rate: 10, long: 3 * DAY, short: 6 * HOUR },
];

/// Returns the pair that shows that the budget of a `target` burns too fast, if any. `lost` returns the time lost and
/// the time counted in a window of that many milliseconds before now; `counts` says whether a pair is considered at
/// all.
pub fn burning(target: u32, lost: impl Fn(Millis) -> (Millis, Millis), counts: impl Fn(&Pair) -> bool) -> Option<Pair> {
    let exceeds = |window: Millis, tenfold_rate: u32| {
        let (lost, counted) = lost(window);
        let allowed = i128::from(counted) * i128::from(WHOLE.saturating_sub(target)) * i128::from(tenfold_rate);
        lost > 0 && i128::from(lost) * i128::from(WHOLE) * 10 >= allowed
    };
    let burns = |pair: &Pair| exceeds(pair.long, pair.tenfold_rate) && exceeds(pair.short, pair.tenfold_rate);
    PAIRS.into_iter().find(|pair| burns(pair) && counts(pair))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::uptime::SECOND;

    /// Returns the rate found if it was down for the last `down` seconds.
    fn after(down: i64) -> Option<u32> {
        burning(99_900, |window| ((down * SECOND).min(window), window), |_| true).map(|pair| pair.tenfold_rate)
    }

    #[test]
    fn the_fastest_rate_that_matters_and_goes_on_is_named() {
        assert_eq!(after(0), None);
        assert_eq!(after(51), None, "at 14.4 times, an hour allows 51.84 s");
        assert_eq!(after(52), Some(144));
        assert_eq!(
            burning(99_900, |window| (if window > 5 * MINUTE { 60 * SECOND } else { 0 }, window), |_| true),
            None
        );
        let slow = burning(99_900, |window| (window / 900, window), |_| true).map(|pair| pair.tenfold_rate);
        assert_eq!(slow, Some(10), "a little over what is allowed, for days");
        assert_eq!(burning(99_900, |_| (0, 0), |_| true), None, "nothing was counted");
    }

    #[test]
    fn a_promise_of_everything_burns_with_the_first_loss() {
        assert!(burning(100_000, |window| (1, window), |_| true).is_some());
        assert!(burning(100_000, |window| (0, window), |_| true).is_none());
    }
}
