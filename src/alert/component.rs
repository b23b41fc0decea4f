//! Decides which alerts a component calls for, given what was raised before.
//!
//! One alert stands for one trouble of one component: an outage, a budget that
//! runs out, a certificate that expires. It is named after the moment at which the
//! trouble began, so that it is the same alert even after a restart. Its stage only
//! rises, and a state that is not known changes nothing.

use super::{AlertKey, AlertKind, Closing, Raised, Stage};

/// How a trouble stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// There is none, or none any more.
    Over,
    /// It is not known, or told with another: what was raised stays as it is, and nothing new is raised.
    Unsaid,
    /// It calls for an alert at this stage.
    At(Stage),
}

/// What to do about a trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    Keep,
    /// Tell people, from the first step on.
    Raise {
        stage: Stage,
        episode: u32,
    },
    Resolve,
}

/// Decides what to do about a trouble with this `standing`, given what was `raised` before.
pub fn decide(standing: Standing, raised: Option<&Raised>) -> Decision {
    match (standing, raised) {
        (Standing::Unsaid, _) | (Standing::Over, None | Some(Raised { resolved_as: Some(_), .. })) => Decision::Keep,
        (Standing::Over, Some(_)) => Decision::Resolve,
        (Standing::At(stage), None) => Decision::Raise { stage, episode: 0 },
        (Standing::At(stage), Some(raised)) => match raised.resolved_as {
            None if stage > raised.stage => Decision::Raise { stage, episode: raised.episode },
            Some(Closing::ByHand) if stage > raised.stage => Decision::Raise { stage, episode: raised.episode + 1 },
            // After somebody resolved it, the same is not told again.
            None | Some(Closing::ByHand) => Decision::Keep,
            Some(_) => Decision::Raise { stage, episode: raised.episode + 1 },
        },
    }
}

/// Whether a trouble that began at `began` is the one named after `cycle`, both in seconds. One that turns out to have
/// begun earlier is still the same.
pub fn is_same(began: u32, cycle: u32) -> bool {
    began <= cycle
}

/// Returns what the budget alert of a component's promise number `nth` is named after, for the period that began at
/// `began`. A component may have several promises with periods that begin together. They begin on a full minute, so the
/// seconds can tell the promises apart.
pub fn promise_cycle(began: u32, nth: u32) -> u32 {
    began - began % 60 + nth
}

/// Returns which promise of its component a budget alert is about.
pub fn promise_of(key: &AlertKey) -> Option<u32> {
    (key.kind == AlertKind::Budget).then_some(key.cycle % 60)
}

/// Whether both alerts of one component are about the same kind of trouble, and about the same promise.
pub fn are_of_one_kind(one: &AlertKey, other: &AlertKey) -> bool {
    one.kind == other.kind && promise_of(one) == promise_of(other)
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    fn raised(stage: Stage, resolved_as: Option<Closing>) -> Raised {
        Raised { stage, due: DateTime::UNIX_EPOCH, target: None, episode: 2, resolved_as }
    }

    #[test]
    fn a_trouble_is_raised_once_at_each_stage_and_ends_once() {
        use Stage::{Breached, Warning};
        use Standing::{At, Over, Unsaid};
        let raise = |stage, episode| Decision::Raise { stage, episode };
        let cases = [
            ("nothing is wrong", Over, None, Decision::Keep),
            ("it is degraded", At(Warning), None, raise(Warning, 0)),
            ("told already", At(Warning), Some(raised(Warning, None)), Decision::Keep),
            ("now it is down", At(Breached), Some(raised(Warning, None)), raise(Breached, 2)),
            ("a little better", At(Warning), Some(raised(Breached, None)), Decision::Keep),
            ("nobody knows", Unsaid, Some(raised(Breached, None)), Decision::Keep),
            ("told with another", Unsaid, None, Decision::Keep),
            ("over", Over, Some(raised(Breached, None)), Decision::Resolve),
            ("over for long", Over, Some(raised(Breached, Some(Closing::Met))), Decision::Keep),
            ("back", At(Breached), Some(raised(Breached, Some(Closing::Met))), raise(Breached, 3)),
            ("closed by hand", At(Breached), Some(raised(Breached, Some(Closing::ByHand))), Decision::Keep),
            ("closed, and worse", At(Breached), Some(raised(Warning, Some(Closing::ByHand))), raise(Breached, 3)),
        ];
        for (name, standing, before, expected) in cases {
            assert_eq!(decide(standing, before.as_ref()), expected, "{name}");
        }
    }
}
