//! Whether a person or a whole desk got better or worse since the period before, where the numbers can tell.

use serde::Serialize;

use super::interval::{Confidence, newcombe};
use super::rate::Rate;

/// The fewest tickets, or clocks, in each period that tell anything.
pub const FEW: u64 = 20;
/// A difference surely within this counts as none.
const SAME: f64 = 0.15;

/// The word for how a share changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Trend {
    Improving,
    Declining,
    Stable,
    /// Nothing can be said.
    TooFew,
}

impl Trend {
    /// The name used in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Improving => "IMPROVING",
            Self::Declining => "DECLINING",
            Self::Stable => "STABLE",
            Self::TooFew => "TOO_FEW",
        }
    }

    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Improving => "improving",
            Self::Declining => "declining",
            Self::Stable => "stable",
            Self::TooFew => "too few",
        }
    }
}

/// How a share changed since the period before.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Change {
    /// Percentage points.
    pub points: f64,
    /// Chance does not explain it: the interval of the difference does not contain 0.
    pub is_sure: bool,
}

/// Returns how `now` differs from `before`; none if there is too little to say.
pub fn change(now: Rate, before: Rate) -> Option<Change> {
    if now.of < FEW || before.of < FEW {
        return None;
    }
    let points = (now.exact()? - before.exact()?) * 100.0;
    let is_sure = newcombe(now, before, Confidence::P95).is_some_and(|interval| !interval.has(0.0));
    Some(Change { points, is_sure })
}

/// The same kind of tickets in both periods: a priority.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stratum {
    pub before: Rate,
    pub now: Rate,
}

/// Judges `strata`: better or worse only if the overall difference is sure and not due to another mix of tickets.
pub fn trend(strata: &[Stratum], confidence: Confidence) -> Trend {
    let mut all = Stratum::default();
    for one in strata {
        all.before.join(one.before);
        all.now.join(one.now);
    }
    if all.before.of < FEW || all.now.of < FEW {
        return Trend::TooFew;
    }
    let Some(interval) = newcombe(all.now, all.before, confidence) else { return Trend::TooFew };
    let adjusted = mantel_haenszel(strata).unwrap_or_default();
    if interval.low > 0.0 && adjusted > 0.0 {
        Trend::Improving
    } else if interval.high < 0.0 && adjusted < 0.0 {
        Trend::Declining
    } else if -SAME <= interval.low && interval.high <= SAME {
        Trend::Stable
    } else {
        Trend::TooFew
    }
}

/// The weighted difference of the shares, now less before; none if no stratum has both.
pub fn mantel_haenszel(strata: &[Stratum]) -> Option<f64> {
    let weighed = strata.iter().filter_map(|one| {
        let weight = one.now.of as f64 * one.before.of as f64 / (one.now.of + one.before.of) as f64;
        Some((weight, one.now.exact()? - one.before.exact()?))
    });
    let (weights, sum) = weighed.fold((0.0, 0.0), |(weights, sum), (w, d)| (weights + w, sum + w * d));
    (weights > 0.0).then(|| sum / weights)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stratum(before: (u64, u64), now: (u64, u64)) -> Stratum {
        Stratum { before: Rate::new(before.0, before.1), now: Rate::new(now.0, now.1) }
    }

    #[test]
    fn a_trend_is_said_only_where_the_numbers_say_so() {
        let of = |strata: &[Stratum]| trend(strata, Confidence::P95);
        assert_eq!(of(&[stratum((19, 19), (100, 100))]), Trend::TooFew);
        assert_eq!(of(&[stratum((48, 80), (56, 70))]), Trend::Improving);
        assert_eq!(of(&[stratum((56, 70), (48, 80))]), Trend::Declining);
        let narrow = [stratum((50, 80), (56, 70))];
        assert_eq!((of(&narrow), trend(&narrow, Confidence::P99)), (Trend::Improving, Trend::TooFew), "of a person");
        assert_eq!(of(&[stratum((450, 500), (455, 500))]), Trend::Stable);
        assert_eq!(of(&[stratum((15, 20), (16, 20))]), Trend::TooFew, "wide enough for anything");
    }

    #[test]
    fn easier_tickets_are_no_improvement() {
        // Within each priority it got worse; there are only more of the easy ones.
        let mixed = [stratum((90, 100), (850, 1000)), stratum((500, 1000), (40, 100))];
        assert!(mantel_haenszel(&mixed).unwrap() < 0.0);
        assert_eq!(trend(&mixed, Confidence::P95), Trend::TooFew);
    }
}
