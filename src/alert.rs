//! Decides which alerts are due, given what was raised before.
//!
//! One alert stands for one clock of one ticket in one cycle. Its stage only
//! rises; it is resolved when the clock stops, pauses or gets more time, and
//! each decision names its reason. What was already missed when the watch of a
//! desk began is known rather than news: it is told in a digest.

pub mod component;
pub mod escalation;
pub mod life;
pub mod noise;
pub mod on_call;
pub mod policy;
pub mod prediction;
pub mod subject;
pub mod suppression;
pub mod write_back;

use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

pub use self::subject::{AlertKind, Subject, SubjectId};
use crate::sla::clock::{ClockState, Doubt, Standing};
use crate::ticket::{ClockKind, Gone, TenantId, TicketId};

/// How bad it is. It only rises within one episode of an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// The forecast says it will breach.
    Predicted,
    /// A warning threshold has passed.
    Warning,
    /// The target was missed.
    Breached,
}

impl Stage {
    /// All stages, the worst last.
    pub const ALL: [Self; 3] = [Self::Predicted, Self::Warning, Self::Breached];

    /// Parses [`Stage::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stage| stage.as_str() == text)
    }

    /// Returns the name used in keys, in the store and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Predicted => "predicted",
            Self::Warning => "warning",
            Self::Breached => "breached",
        }
    }
}

/// What an alert is about. Shown as `{tenant}:{subject}:{kind}:{cycle}`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AlertKey {
    pub tenant: TenantId,
    pub subject: SubjectId,
    pub kind: AlertKind,
    pub cycle: u32,
}

impl fmt::Display for AlertKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}:{}", self.tenant, self.subject, self.kind.as_str(), self.cycle)
    }
}

impl AlertKey {
    /// Returns the key of the alert for a ticket's clock.
    pub fn of_clock(tenant: &TenantId, ticket: &TicketId, clock: ClockKind, cycle: u32) -> Self {
        let subject = SubjectId::Ticket(ticket.clone());
        Self { tenant: tenant.clone(), subject, kind: AlertKind::Clock(clock), cycle }
    }

    /// Returns the ticket; none if it is about a component.
    pub fn ticket(&self) -> Option<&TicketId> {
        self.subject.ticket()
    }

    /// Returns the ticket and its clock; none if it is about a component.
    pub fn clock(&self) -> Option<(&TicketId, ClockKind)> {
        self.ticket().zip(self.kind.clock())
    }
}

/// Why an alert ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Closing {
    /// Answered or resolved in time after all.
    Met,
    /// Answered or resolved, but too late.
    ClosedLate,
    Paused,
    /// The due time moved.
    Retargeted,
    /// It was raised because our computer's clock was far ahead.
    TooEarly,
    /// Deleted, merged, or no longer visible to us.
    Vanished,
    /// Its status says that it was merged into another ticket.
    Merged,
    /// Its status says that it was deleted.
    Deleted,
    /// There is no due time any more.
    SlaRemoved,
    /// It was predicted and has become unlikely.
    Unlikely,
    /// Somebody resolved it. It is not raised again for the same due time and stage.
    ByHand,
}

impl Closing {
    /// Returns the name used in the store and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Met => "met",
            Self::ClosedLate => "closed_late",
            Self::Paused => "paused",
            Self::Retargeted => "retargeted",
            Self::TooEarly => "too_early",
            Self::Vanished => "vanished",
            Self::Merged => "merged",
            Self::Deleted => "deleted",
            Self::SlaRemoved => "sla_removed",
            Self::Unlikely => "unlikely",
            Self::ByHand => "by_hand",
        }
    }

    /// Returns the words that follow "Alert ended:".
    pub fn words(self) -> &'static str {
        match self {
            Self::Met => "met in time",
            Self::ClosedLate => "done, too late",
            Self::Paused => "clock paused",
            Self::Retargeted => "due time moved",
            Self::TooEarly => "alerted too early: our system clock was ahead",
            Self::Vanished => "ticket gone",
            Self::Merged => "ticket merged into another",
            Self::Deleted => "ticket deleted",
            Self::SlaRemoved => "no due time any more",
            Self::ByHand => "resolved by hand",
            Self::Unlikely => "breach no longer likely",
        }
    }

    /// Returns the closing, made more precise by a status that says more.
    pub fn told_by(self, status: Option<&str>) -> Self {
        match (self, Gone::said_by(status)) {
            (Self::Met | Self::ClosedLate | Self::Vanished, Some(Gone::Merged)) => Self::Merged,
            (Self::Met | Self::ClosedLate | Self::Vanished, Some(Gone::Deleted)) => Self::Deleted,
            (other, _) => other,
        }
    }

    const ALL: [Self; 11] = [
        Self::Met,
        Self::ClosedLate,
        Self::Paused,
        Self::Retargeted,
        Self::TooEarly,
        Self::Vanished,
        Self::Merged,
        Self::Deleted,
        Self::SlaRemoved,
        Self::ByHand,
        Self::Unlikely,
    ];

    /// Parses [`Closing::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|closing| closing.as_str() == text)
    }
}

/// The alert that was raised before for a clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Raised {
    pub stage: Stage,
    /// The due time it was raised for.
    pub due: DateTime<Utc>,
    /// The working time that was allowed then; none if that is not known.
    pub target: Option<TimeDelta>,
    /// Rises when a clock is in danger again after it was safe.
    pub episode: u32,
    /// None while it is open.
    pub resolved_as: Option<Closing>,
}

/// Why an alert is raised now.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Reason {
    /// This share of the working time has passed.
    Elapsed(f64),
    /// A warning threshold has passed; the share is unknown.
    LittleLeft,
    Missed,
    /// SuperOps flags it as breached, whatever its due time.
    Flagged,
    /// The forecast gives a breach this probability.
    Predicted(f64),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Elapsed(share) => write!(f, "{:.0} % of its working time has passed", (share * 100.0).floor()),
            Self::LittleLeft => f.write_str("little working time is left"),
            Self::Missed => f.write_str("its target was missed"),
            Self::Flagged => f.write_str("SuperOps calls it breached"),
            Self::Predicted(probability) => write!(f, "a breach is {:.0} % likely", probability * 100.0),
        }
    }
}

/// What to do about one clock.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Decision {
    /// Nothing has changed.
    Keep,
    /// Tell people, from the first step on.
    Raise {
        stage: Stage,
        episode: u32,
        reason: Reason,
    },
    /// It was already missed when the watch began: remember it, and tell it in the digest.
    Known {
        reason: Reason,
    },
    /// The same danger is back and people were told of it before: open it again, quietly.
    Reopen,
    /// It goes on, and is due at another time: that is noted.
    Move,
    Resolve(Closing),
}

/// The precision to which the ends of a pause are known: targets closer than this count as the same.
const SAME_TARGET: TimeDelta = TimeDelta::minutes(1);

/// Decides what to do about `clock`, given what was `raised` before. What was missed by `known_by`, when the watch of
/// this desk began, is known and not news; with none, everything is news.
pub fn decide(clock: &ClockState<'_>, known_by: Option<DateTime<Utc>>, raised: Option<&Raised>) -> Decision {
    let Some((stage, reason)) = danger(clock) else {
        return match raised {
            Some(Raised { resolved_as: None, .. }) => Decision::Resolve(closing(clock)),
            _ => Decision::Keep,
        };
    };
    let Some(raised) = raised else {
        return match clock.breached_from {
            Some(from) if stage == Stage::Breached && known_by.is_some_and(|by| from <= by) => {
                Decision::Known { reason }
            }
            _ => Decision::Raise { stage, episode: 0, reason },
        };
    };
    let moved = has_moved(clock, raised);
    let again = Decision::Raise { stage, episode: raised.episode + 1, reason };
    match raised.resolved_as {
        None if stage > raised.stage => Decision::Raise { stage, episode: raised.episode, reason },
        None if stage < raised.stage && moved => again,
        None => Decision::Keep,
        Some(closing) if !moved && stage <= raised.stage && closing == Closing::ByHand => Decision::Keep,
        Some(closing) if !moved && stage <= raised.stage && may_come_back(closing) => Decision::Reopen,
        Some(_) => again,
    }
}

/// Returns what to do where `decision` is to keep an open alert as it was `raised`, if its clock is due at another time by
/// now.
pub fn note_move(decision: Decision, clock: &ClockState<'_>, raised: Option<&Raised>) -> Decision {
    let is_open = |raised: &&Raised| raised.resolved_as.is_none();
    let has_moved = raised.filter(is_open).is_some_and(|raised| clock.due.is_some_and(|due| due != raised.due));
    if decision == Decision::Keep && has_moved { Decision::Move } else { decision }
}

/// Whether `clock` is due by another promise than the one it was raised for. A pause moves the due time but not the
/// working time allowed, so it leaves the promise the same.
fn has_moved(clock: &ClockState<'_>, raised: &Raised) -> bool {
    let is_same = |(now, then): (TimeDelta, TimeDelta)| (now - then).abs() <= SAME_TARGET;
    clock.due != Some(raised.due) && !clock.total.zip(raised.target).is_some_and(is_same)
}

/// Whether the same danger can come back after this closing without being news.
fn may_come_back(closing: Closing) -> bool {
    use Closing::{Deleted, Merged, Paused, SlaRemoved, Vanished};
    matches!(closing, Paused | Vanished | Merged | Deleted | SlaRemoved)
}

/// Returns the stage that a running clock calls for.
fn danger(clock: &ClockState<'_>) -> Option<(Stage, Reason)> {
    match clock.standing {
        Standing::Breached { .. } if clock.running && clock.doubts.has(Doubt::FlaggedThoughDueAhead) => {
            Some((Stage::Breached, Reason::Flagged))
        }
        Standing::Breached { .. } if clock.running => Some((Stage::Breached, Reason::Missed)),
        Standing::AtRisk { .. } => {
            Some((Stage::Warning, clock.elapsed_share().map_or(Reason::LittleLeft, Reason::Elapsed)))
        }
        _ => None,
    }
}

/// Returns the reason why the clock still calls for an alert of `stage`; none if it does not.
pub fn reason_now(clock: &ClockState<'_>, stage: Stage) -> Option<Reason> {
    danger(clock).filter(|(now, _)| *now == stage).map(|(_, reason)| reason)
}

fn closing(clock: &ClockState<'_>) -> Closing {
    match clock.standing {
        Standing::Cancelled if clock.doubts.has(Doubt::CancelledByHand) => Closing::SlaRemoved,
        Standing::Cancelled => Closing::Vanished,
        Standing::Unknown => Closing::SlaRemoved,
        Standing::Paused { .. } => Closing::Paused,
        Standing::Met => Closing::Met,
        Standing::Breached { .. } if clock.stopped_at.is_some() => Closing::ClosedLate,
        Standing::Breached { .. } => Closing::Paused,
        Standing::OnTrack { .. } | Standing::AtRisk { .. } => Closing::Retargeted,
    }
}

#[cfg(test)]
mod tests;
