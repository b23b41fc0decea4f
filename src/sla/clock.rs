//! Where the clocks of a ticket stand at a moment.
//!
//! There is one clock for each promise: alerts, pages, forecasts and ledgers all
//! read the same one. It is computed from the ticket's history and counts active
//! working time only: it stands still while the ticket waits for somebody else or
//! is closed, then goes on with what was left, and stops when its target is met.
//!
//! SuperOps' own due time, the record that the client sees, decides when a clock
//! is due. A manual override comes before it, and the configured policy counts
//! where SuperOps says nothing. A fixed due time works as a target: the working
//! time that will have been used by then. Nothing undoes a breach. Data that
//! SuperOps leaves out or gets wrong makes the clock partial, and it says why.
//! Nothing here reads the time, a file or the network: the same input gives the
//! same answer.

mod course;
mod doubt;
mod explained;
mod reckoning;
#[cfg(test)]
mod tests;
mod told;

use chrono::{DateTime, TimeDelta, Utc};

pub use self::doubt::{Doubt, Doubts};
pub use self::explained::{Counted, Explained, TargetChange, Verdict, explain, why_not_by_policy};
pub use self::reckoning::{Reckoning, reckon};
use self::told::Question;
pub use self::told::{Told, Truth};
use super::history::{Reading, StatusHistory, gone, periods, unseen};
use super::tenant_rules::{Hours, TenantRules};
use crate::ticket::ClockKind;
use crate::ticket::watch::{Bounds, Watched};

/// How one clock stands. Time left and time over are working time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    OnTrack {
        left: TimeDelta,
    },
    AtRisk {
        left: TimeDelta,
    },
    Breached {
        over: TimeDelta,
    },
    Paused {
        left: TimeDelta,
    },
    Met,
    Cancelled,
    /// There is no due time, or none that makes sense.
    Unknown,
}

impl Standing {
    /// Returns the name used in the API and in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OnTrack { .. } => "on_track",
            Self::AtRisk { .. } => "at_risk",
            Self::Breached { .. } => "breached",
            Self::Paused { .. } => "paused",
            Self::Met => "met",
            Self::Cancelled => "cancelled",
            Self::Unknown => "unknown",
        }
    }
}

/// Where a due time comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    ByHand,
    Reported,
    Policy,
}

impl Basis {
    /// Returns the name used in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ByHand => "by_hand",
            Self::Reported => "reported",
            Self::Policy => "policy",
        }
    }
}

/// What stopped a clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopCause {
    /// SuperOps' own time of the first response.
    Reported,
    /// The first reply of a technician, if SuperOps gives no time that counts.
    TechnicianReply,
    Closed,
    Vanished,
    /// A person stopped or cancelled it.
    ByHand,
}

/// When a clock stopped, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stop {
    pub at: Bounds,
    pub cause: StopCause,
}

/// One clock of one ticket at one moment.
#[derive(Clone, Copy, Debug)]
pub struct ClockState<'a> {
    pub kind: ClockKind,
    pub standing: Standing,
    /// Stays set: a clock may be met and breached, or paused and breached.
    pub breached: bool,
    /// When it began; none if that is not known.
    pub start: Option<DateTime<Utc>>,
    /// Where the due time comes from.
    pub basis: Option<Basis>,
    /// When it is due; while it is paused, when it would be due without the pause.
    pub due: Option<DateTime<Utc>>,
    /// When it would be due if work went on now; only while it is paused and not late.
    pub due_if_resumed: Option<DateTime<Utc>>,
    pub stop: Option<Stop>,
    /// When it stopped because it was met or closed.
    pub stopped_at: Option<DateTime<Utc>>,
    /// The end of its history: the present, or when it stopped.
    pub until: Option<DateTime<Utc>>,
    /// Active working time so far, without pauses, closed hours and the time the ticket was closed.
    pub used: Option<TimeDelta>,
    /// The active working time allowed; none if its start is unknown.
    pub total: Option<TimeDelta>,
    /// Working time left, negative once over; it does not change while paused or stopped.
    pub left: Option<TimeDelta>,
    /// When the first warning threshold is reached, if it goes on running.
    pub at_risk_from: Option<DateTime<Utc>>,
    /// The first instant at which it counts as breached, if it goes on running.
    pub breached_from: Option<DateTime<Utc>>,
    /// When the standing changes next by the passing of time alone.
    pub next_change: Option<DateTime<Utc>>,
    pub hours: Option<Hours<'a>>,
    /// Why the hours that should count could not be used.
    pub hours_flaw: Option<&'a str>,
    pub doubts: Doubts,
    /// Neither stopped nor paused, so somebody is expected to act.
    pub running: bool,
}

impl ClockState<'_> {
    /// Returns the share of the allowed working time that is used: 0 to 1 and beyond.
    pub fn elapsed_share(&self) -> Option<f64> {
        let total = self.total.filter(|total| *total > TimeDelta::zero())?;
        Some(1.0 - self.left?.num_milliseconds() as f64 / total.num_milliseconds() as f64)
    }

    /// Whether there is such a clock: a next response has one only if a policy asks for it and the client has written.
    pub fn is_kept(&self) -> bool {
        self.kind != ClockKind::NextResponse || self.standing != Standing::Unknown
    }

    /// Returns a clock about which nothing is known.
    pub fn blank(kind: ClockKind) -> Self {
        Self {
            kind,
            standing: Standing::Unknown,
            breached: false,
            start: None,
            basis: None,
            due: None,
            due_if_resumed: None,
            stop: None,
            stopped_at: None,
            until: None,
            used: None,
            total: None,
            left: None,
            at_risk_from: None,
            breached_from: None,
            next_change: None,
            hours: None,
            hours_flaw: None,
            doubts: Doubts::default(),
            running: false,
        }
    }
}

/// All clocks of a ticket as its history determines them, apart from what the passing of time changes.
#[derive(Clone, Copy, Debug)]
pub struct Clocks([Told; ClockKind::ALL.len()]);

impl Clocks {
    /// Walks the history of `watched` by `rules`.
    pub fn of(watched: &Watched, rules: &TenantRules) -> Self {
        let periods = periods(watched, &|status| rules.meaning_of(status));
        let statuses = StatusHistory { periods: &periods, gone: gone(watched), unseen: unseen(watched) };
        let question = Question { watched, statuses, terms: rules.terms(&watched.ticket), rules, truth: Truth::Record };
        Self(ClockKind::ALL.map(|kind| question.told(kind, Reading::Likely)))
    }

    /// Returns how they stand at `now`, in the order of [`ClockKind::ALL`]; `watched` and `rules` must be the same
    /// as in [`Clocks::of`].
    pub fn at<'a>(
        &self,
        watched: &Watched,
        rules: &'a TenantRules,
        now: DateTime<Utc>,
    ) -> [ClockState<'a>; ClockKind::ALL.len()] {
        self.0.map(|told| told.at(&watched.ticket, rules, now))
    }
}

/// Returns how clock `kind` of a ticket stands at `now`.
pub fn assess<'a>(watched: &Watched, kind: ClockKind, rules: &'a TenantRules, now: DateTime<Utc>) -> ClockState<'a> {
    let [first, resolution, next] = assess_all(watched, rules, now);
    match kind {
        ClockKind::FirstResponse => first,
        ClockKind::Resolution => resolution,
        ClockKind::NextResponse => next,
    }
}

/// Returns how all clocks of a ticket stand at `now`, in the order of [`ClockKind::ALL`].
pub fn assess_all<'a>(
    watched: &Watched,
    rules: &'a TenantRules,
    now: DateTime<Utc>,
) -> [ClockState<'a>; ClockKind::ALL.len()] {
    Clocks::of(watched, rules).at(watched, rules, now)
}
