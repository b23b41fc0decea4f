//! Which forecasts are worth an alert, and when such an alert has had its day.
//!
//! A prediction only ever speaks up before the clock rules do: what is at risk
//! or breached by the clock is theirs. A clock is predicted to breach at most
//! once in a cycle, and the alert is taken back only when a breach has become
//! clearly less likely than it must be to be told, so that it does not flutter.

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
    /// The most probable first, as many as a day allows.
    Budget(Budget),
}

/// How much attention a day of predictions may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// At most so many alerts for one tenant in one local day.
    pub a_day: usize,
    /// Only clocks with at least so much working time left: with less, nobody can turn it round.
    pub least_left: TimeDelta,
}

/// Within a budget, a breach must be more likely than not: a day without danger spends nothing.
const LIKELY: f64 = 0.5;
/// An alert is taken back when its breach is this much less likely than it must be to be told.
const SLACK: f64 = 0.15;
/// The local hours between which the second half of a budget is earned.
const EARNING: (f64, f64) = (9.0, 17.0);

impl Rule {
    /// How likely a breach must be to be told.
    pub fn least(self) -> f64 {
        match self {
            Self::Threshold(at) => at,
            Self::Budget(_) => LIKELY,
        }
    }

    /// Whether a breach that was told has become unlikely enough to take that back.
    pub fn takes_back(self, probability: f64) -> bool {
        probability < (self.least() - SLACK).max(self.least() / 2.0)
    }
}

/// A running clock that is on track by the rules and has not been predicted to breach in this cycle.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    pub ticket: TicketId,
    pub clock: ClockKind,
    pub cycle: u32,
    pub probability: f64,
    /// Working time.
    pub left: TimeDelta,
}

/// Which of `candidates` are to be told at `now`, if `told_today` were already since midnight in `zone`.
///
/// Half of a budget may be spent from midnight on: what grew likely overnight is told at once. The other half is
/// earned evenly from nine to five, so that the morning's doubtful cases do not use up what the afternoon's certain
/// ones will need.
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

/// How much of a day's budget may have been spent by `now`.
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
    /// It was chosen to be told, with this probability.
    Tell(f64),
    /// It was told, and is no longer likely.
    TakeBack,
}

/// `decision`, which goes by the clock alone, with what the forecast calls for.
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
        // To the clock rules an alert on a clock that is on track has come to rest; this one has not.
        (Stage::Predicted, None, _) if decision == Decision::Resolve(Closing::Retargeted) => Decision::Keep,
        (Stage::Predicted, Some(closing), Some(Call::Tell(_))) if may_come_back(closing) => Decision::Reopen,
        _ => decision,
    }
}

/// Somebody of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupMember<'a> {
    pub name: &'a str,
    /// Tickets that are theirs and open.
    pub open: usize,
    /// On call now; false as well where nothing is known of shifts.
    pub on_call: bool,
}

/// Who could take a ticket on: of a group's people the one with the fewest open tickets, those on call before all others.
///
/// `owner` has it already and is passed over. `staffed`: nothing says that the group's hours are over; when they are,
/// only who is on call is asked. None: nobody has fewer than the owner, or nobody is there.
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
