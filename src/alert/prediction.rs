//! Decides which forecasts are worth an alert, and when to take such an alert back.
//!
//! A prediction only comes before the clock rules: what is at risk or breached by
//! the clock is left to them. A clock is predicted to breach at most once in a
//! cycle, and the alert is taken back only when a breach has become clearly less
//! likely than it must be for an alert, so that it does not flap.

use chrono::{DateTime, TimeDelta, Timelike, Utc};

use super::{Closing, Decision, Raised, Reason, Stage, may_come_back};
use crate::sla::clock::{ClockState, Standing};
use crate::sla::zone::Tz;
use crate::ticket::{ClockKind, TicketId};

/// What makes a forecast worth an alert.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rule {
    /// Every clock whose breach is at least this likely.
    Threshold(f64),
    /// The most probable ones, as many as a day allows.
    Budget(Budget),
}

/// How much attention predictions may take in a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// The most alerts for one tenant in one local day.
    pub a_day: usize,
    /// The least working time a clock must have left: with less, nobody can prevent the breach.
    pub least_left: TimeDelta,
}

/// The least probability within a budget, so that a day without danger spends nothing.
const LIKELY: f64 = 0.5;
/// How far below the probability for an alert a breach must fall for the alert to be taken back.
const SLACK: f64 = 0.15;
/// The local hours between which the second half of a budget is earned.
const EARNING: (f64, f64) = (9.0, 17.0);

impl Rule {
    /// Returns how likely a breach must be for an alert.
    pub fn least(self) -> f64 {
        match self {
            Self::Threshold(at) => at,
            Self::Budget(_) => LIKELY,
        }
    }

    /// Whether a breach has become unlikely enough to take its alert back.
    pub fn takes_back(self, probability: f64) -> bool {
        probability < (self.least() - SLACK).max(self.least() / 2.0)
    }
}

/// A running clock that is on track and has not been predicted to breach in this cycle.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    pub ticket: TicketId,
    pub clock: ClockKind,
    pub cycle: u32,
    pub probability: f64,
    /// The working time left.
    pub left: TimeDelta,
}

/// Chooses which of `candidates` to tell at `now`, if `told_today` were told since midnight in `zone`.
///
/// Half of a budget may be spent from midnight on, so that what became likely overnight is told at once. The other
/// half is earned evenly from nine to five, so that doubtful cases in the morning do not use up what certain ones in
/// the afternoon will need.
pub fn choose(
    rule: Rule,
    mut candidates: Vec<Candidate>,
    told_today: usize,
    now: DateTime<Utc>,
    zone: Tz,
) -> Vec<Candidate> {
    candidates.retain(|candidate| candidate.probability >= rule.least());
    let room = match rule {
        Rule::Threshold(_) => candidates.len(),
        Rule::Budget(budget) => {
            candidates.retain(|candidate| candidate.left >= budget.least_left);
            earned(budget.a_day, now, zone).saturating_sub(told_today)
        }
    };
    candidates.sort_by(|a, b| {
        b.probability.total_cmp(&a.probability).then_with(|| (&a.ticket, a.clock).cmp(&(&b.ticket, b.clock)))
    });
    candidates.truncate(room);
    candidates
}

/// Returns how much of a day's budget may have been spent by `now`.
fn earned(a_day: usize, now: DateTime<Utc>, zone: Tz) -> usize {
    let local = now.with_timezone(&zone);
    let hour = f64::from(local.num_seconds_from_midnight()) / 3600.0;
    let (from, to) = EARNING;
    let day = ((hour - from) / (to - from)).clamp(0.0, 1.0);
    (a_day as f64 * (0.5 + 0.5 * day)).ceil() as usize
}

/// What the forecast calls for on one clock.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Call {
    /// A breach of this probability is to be told.
    Tell(f64),
    /// A breach was told and is no longer likely.
    TakeBack,
}

/// Adds what the forecast calls for to `decision`, which goes by the clock alone.
pub fn refine(decision: Decision, clock: &ClockState<'_>, raised: Option<&Raised>, call: Option<Call>) -> Decision {
    if !matches!(clock.standing, Standing::OnTrack { .. }) {
        return decision;
    }
    let Some(raised) = raised else {
        return match call {
            Some(Call::Tell(probability)) => {
                Decision::Raise { stage: Stage::Predicted, episode: 0, reason: Reason::Predicted(probability) }
            }
            _ => decision,
        };
    };
    match (raised.stage, raised.resolved_as, call) {
        (Stage::Predicted, None, Some(Call::TakeBack)) => Decision::Resolve(Closing::Unlikely),
        // By the clock rules an alert on a clock that is on track has ended; this one has not.
        (Stage::Predicted, None, _) if decision == Decision::Resolve(Closing::Retargeted) => Decision::Keep,
        (Stage::Predicted, Some(closing), Some(Call::Tell(_))) if may_come_back(closing) => Decision::Reopen,
        _ => decision,
    }
}

/// A member of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupMember<'a> {
    pub name: &'a str,
    /// How many open tickets they have.
    pub open: usize,
    /// Whether they are on call now; also false if nothing is known about shifts.
    pub on_call: bool,
}

/// Returns who could take a ticket on: the member with the fewest open tickets, those on call before all others.
///
/// `owner` already has it and is passed over. `staffed` is false if the group's hours are over; then only people on
/// call are considered. None if nobody has fewer than the owner, or nobody is there.
pub fn with_room<'a>(team: &[GroupMember<'a>], owner: Option<&str>, staffed: bool) -> Option<GroupMember<'a>> {
    let owners = team.iter().find(|hand| owner == Some(hand.name)).filter(|hand| staffed || hand.on_call);
    let has_room = |hand: &GroupMember<'_>| owners.is_none_or(|owners| hand.open < owners.open);
    let fewest = |on_call: bool| {
        let others = team.iter().filter(|hand| owner != Some(hand.name) && (hand.on_call || !on_call));
        others.min_by_key(|hand| (hand.open, hand.name)).filter(|hand| has_room(hand)).copied()
    };
    fewest(true).or_else(|| fewest(false).filter(|_| staffed))
}

#[cfg(test)]
mod tests;
