//! Where the clocks of a ticket stand at a moment.
//!
//! SuperOps reports when a clock is due and when it was met; that is the record
//! the client sees, and it is followed. A clock runs while work is expected,
//! stands still while the ticket waits on somebody else, and stops when its
//! target is met. A breach outlives everything else. What SuperOps leaves out
//! or gets wrong makes the clock partial, and it says why. Nothing here reads
//! the time, a file or the network: the same input gives the same answer.

use chrono::{DateTime, TimeDelta, Utc};

use super::desk::{Desk, Hours, Terms};
use crate::ticket::by_hand::Ruling;
use crate::ticket::watch::Watched;
use crate::ticket::{ClockKind, StatusMeaning, Ticket};

/// Due times and targets are kept to this: the first moment after a due time is this much later.
const TICK: TimeDelta = TimeDelta::milliseconds(1);

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
    /// The name used in the API and in figures.
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

/// Why a clock cannot be fully known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    NoDueTime,
    NoCreatedTime,
    DueBeforeCreated,
    MetBeforeCreated,
    ClosingTimeUnknown,
    FlaggedThoughDueAhead,
    PausedBeforeWatched,
    DueFromPolicy,
    ReplyUnconfirmed,
    DueByHand,
    StoppedByHand,
    CancelledByHand,
}

impl Doubt {
    const ALL: [Self; 12] = [
        Self::NoDueTime,
        Self::NoCreatedTime,
        Self::DueBeforeCreated,
        Self::MetBeforeCreated,
        Self::ClosingTimeUnknown,
        Self::FlaggedThoughDueAhead,
        Self::PausedBeforeWatched,
        Self::DueFromPolicy,
        Self::ReplyUnconfirmed,
        Self::DueByHand,
        Self::StoppedByHand,
        Self::CancelledByHand,
    ];

    /// The doubt in words.
    pub fn words(self) -> &'static str {
        match self {
            Self::NoDueTime => "SuperOps gives no due time",
            Self::NoCreatedTime => "SuperOps gives no time of creation, so the share elapsed is unknown",
            Self::DueBeforeCreated => "the due time lies before the ticket's creation",
            Self::MetBeforeCreated => "it was met before the ticket's creation: taken as met at once",
            Self::ClosingTimeUnknown => "the ticket is closed and SuperOps does not say when: taken as last seen",
            Self::FlaggedThoughDueAhead => "SuperOps calls it breached though its due time was not missed",
            Self::PausedBeforeWatched => "it was already paused when first seen: since when is unknown",
            Self::DueFromPolicy => "SuperOps gives no due time: this one follows from the configured policy",
            Self::ReplyUnconfirmed => {
                "a technician has replied, which SuperOps does not yet count as the first response"
            }
            Self::DueByHand => "its due time was set by hand",
            Self::StoppedByHand => "it was stopped by hand",
            Self::CancelledByHand => "it was cancelled by hand",
        }
    }
}

/// A small set of doubts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Doubts(u16);

impl Doubts {
    fn add(&mut self, doubt: Doubt) {
        self.0 |= 1 << doubt as u16;
    }

    /// Whether `doubt` is among them.
    pub fn has(self, doubt: Doubt) -> bool {
        self.0 & (1 << doubt as u16) != 0
    }

    /// All of them, in one fixed order.
    pub fn iter(self) -> impl Iterator<Item = Doubt> {
        Doubt::ALL.into_iter().filter(move |doubt| self.has(*doubt))
    }
}

/// One clock of one ticket at one moment.
#[derive(Clone, Copy, Debug)]
pub struct ClockState<'a> {
    pub kind: ClockKind,
    pub standing: Standing,
    /// Sticky: a clock may be met and breached, or paused and breached.
    pub breached: bool,
    pub due: Option<DateTime<Utc>>,
    /// When it stopped, met or closed.
    pub stopped_at: Option<DateTime<Utc>>,
    /// Working time from creation to the due time.
    pub total: Option<TimeDelta>,
    /// Working time to the due time, negative once over; frozen when stopped.
    pub left: Option<TimeDelta>,
    /// When the first warning threshold is reached.
    pub at_risk_from: Option<DateTime<Utc>>,
    /// The first instant at which it counts as breached, if it goes on running.
    pub breached_from: Option<DateTime<Utc>>,
    /// When the standing changes next by the passing of time alone.
    pub next_change: Option<DateTime<Utc>>,
    pub hours: Option<Hours<'a>>,
    /// Why better hours could not be used.
    pub hours_flaw: Option<&'a str>,
    pub doubts: Doubts,
    /// Neither stopped nor paused: somebody is expected to act.
    pub running: bool,
}

impl ClockState<'_> {
    /// Share of the working time elapsed: 0 to 1 and beyond.
    pub fn elapsed_share(&self) -> Option<f64> {
        let total = self.total.filter(|total| *total > TimeDelta::zero())?;
        Some(1.0 - self.left?.num_milliseconds() as f64 / total.num_milliseconds() as f64)
    }

    /// Whether there is such a clock: one for the next response runs only where a policy asks and the client has written.
    pub fn is_kept(&self) -> bool {
        self.kind != ClockKind::NextResponse || self.standing != Standing::Unknown
    }

    fn blank(kind: ClockKind, standing: Standing) -> Self {
        Self {
            kind,
            standing,
            breached: false,
            due: None,
            stopped_at: None,
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

/// How clock `kind` of a ticket stands at `now`.
pub fn assess<'a>(watched: &Watched, kind: ClockKind, desk: &'a Desk, now: DateTime<Utc>) -> ClockState<'a> {
    assess_by(&desk.terms(&watched.ticket), watched, kind, desk, now)
}

/// How all clocks of a ticket stand at `now`, in the order of [`ClockKind::ALL`].
pub fn assess_all<'a>(watched: &Watched, desk: &'a Desk, now: DateTime<Utc>) -> [ClockState<'a>; ClockKind::ALL.len()] {
    let terms = desk.terms(&watched.ticket);
    ClockKind::ALL.map(|kind| assess_by(&terms, watched, kind, desk, now))
}

fn assess_by<'a>(
    terms: &Terms<'a>,
    watched: &Watched,
    kind: ClockKind,
    desk: &'a Desk,
    now: DateTime<Utc>,
) -> ClockState<'a> {
    if watched.vanished_at.is_some() {
        return ClockState::blank(kind, Standing::Cancelled);
    }
    if kind == ClockKind::NextResponse && !awaits_next(watched, terms) {
        return ClockState::blank(kind, Standing::Unknown);
    }
    let mut doubts = Doubts::default();
    if watched.ruling(kind) == Some(Ruling::Cancelled) {
        doubts.add(Doubt::CancelledByHand);
        return ClockState { doubts, ..ClockState::blank(kind, Standing::Cancelled) };
    }
    let stopped_at = stop(watched, kind, terms.meaning, &mut doubts);
    let Some(due) = due(watched, kind, terms, &mut doubts) else {
        let standing = if stopped_at.is_some() { Standing::Met } else { Standing::Unknown };
        return ClockState { stopped_at, doubts, ..ClockState::blank(kind, standing) };
    };
    let (hours, hours_flaw) = terms.hours(due);
    let mut clock = ClockState {
        due: Some(due),
        stopped_at,
        hours: Some(hours),
        hours_flaw,
        doubts,
        ..ClockState::blank(kind, Standing::Unknown)
    };
    if let Some(at) = stopped_at {
        clock.stopped(due, at, flagged(watched, kind));
    } else if terms.meaning.pauses(kind) {
        clock.paused(due, watched, now);
    } else {
        clock.running(due, watched, desk, now);
    }
    clock
}

impl<'a> ClockState<'a> {
    fn stopped(&mut self, due: DateTime<Utc>, at: DateTime<Utc>, flagged: bool) {
        let left = self.signed_left(due, at);
        self.left = Some(left);
        let late = left < TimeDelta::zero();
        self.breached = late || flagged;
        if self.breached && !late {
            self.doubts.add(Doubt::FlaggedThoughDueAhead);
        }
        self.standing = if self.breached { breached(left) } else { Standing::Met };
    }

    /// A paused clock never breaches; one that had breached before stays so, and its overrun is frozen.
    fn paused(&mut self, due: DateTime<Utc>, watched: &Watched, now: DateTime<Utc>) {
        let since = watched.status_since.map(|since| since.earliest);
        if since.is_none() {
            self.doubts.add(Doubt::PausedBeforeWatched);
        }
        let frozen_at = since.unwrap_or(watched.first_seen_at).min(now);
        // A message of the client may have come while the status stood.
        let frozen_at = watched.start(self.kind).map_or(frozen_at, |start| frozen_at.max(start));
        let left = self.signed_left(due, frozen_at);
        self.breached = flagged(watched, self.kind) || (since.is_some() && left < TimeDelta::zero());
        self.left = Some(if self.breached { left } else { left.max(TimeDelta::zero()) });
        self.standing =
            if self.breached { breached(left) } else { Standing::Paused { left: left.max(TimeDelta::zero()) } };
    }

    fn running(&mut self, due: DateTime<Utc>, watched: &Watched, desk: &Desk, now: DateTime<Utc>) {
        self.running = true;
        let left = self.signed_left(due, now);
        self.left = Some(left);
        let breached_from = self.first_instant_over(due);
        self.breached_from = breached_from;
        let late = left < TimeDelta::zero();
        self.breached = late || flagged(watched, self.kind);
        let start = watched.start(self.kind);
        self.total = self.total_of(due, start);
        self.at_risk_from = self.first_warning(due, start, desk);
        if self.breached {
            if !late {
                self.doubts.add(Doubt::FlaggedThoughDueAhead);
            }
            self.standing = breached(left);
            return;
        }
        let at_risk = self.at_risk_from.is_some_and(|from| from <= now);
        self.standing = if at_risk { Standing::AtRisk { left } } else { Standing::OnTrack { left } };
        self.next_change = if at_risk { breached_from } else { self.at_risk_from.or(breached_from) };
    }

    /// Working time from `at` to `due`, negative once over.
    fn signed_left(&self, due: DateTime<Utc>, at: DateTime<Utc>) -> TimeDelta {
        self.hours.map_or(due - at, |hours| hours.calendar.between(at, due))
    }

    /// Counted time exceeds the target only once working time passes after the due
    /// time: a target that lands on closing time is not missed before the next opening.
    fn first_instant_over(&self, due: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.hours?.calendar.opening_from(due).map(|opening| opening + TICK)
    }

    fn total_of(&mut self, due: DateTime<Utc>, start: Option<DateTime<Utc>>) -> Option<TimeDelta> {
        let Some(start) = start else {
            self.doubts.add(Doubt::NoCreatedTime);
            return None;
        };
        self.hours.map(|hours| hours.calendar.between(start, due))
    }

    /// The earliest moment at which any warning threshold holds.
    fn first_warning(&self, due: DateTime<Utc>, start: Option<DateTime<Utc>>, desk: &Desk) -> Option<DateTime<Utc>> {
        let calendar = self.hours?.calendar;
        let warn = desk.warn();
        let (Some(total), Some(start)) = (self.total, start) else {
            // Without a beginning there is no share; time left is counted back by the wall.
            return warn.left.iter().max().map(|left| due - *left);
        };
        calendar.add(start, warn.elapsed(total)?)
    }
}

/// Whether SuperOps calls it breached. It does not know what a person decided.
fn flagged(watched: &Watched, kind: ClockKind) -> bool {
    watched.ruling(kind).is_none() && watched.ticket.reported(kind).breached == Some(true)
}

fn breached(left: TimeDelta) -> Standing {
    Standing::Breached { over: (-left).max(TimeDelta::zero()) }
}

/// Whether a policy promises an answer to a message that the client has sent.
fn awaits_next(watched: &Watched, terms: &Terms<'_>) -> bool {
    let asked = terms.policy.is_some_and(|policy| policy.next_response.is_some());
    asked && watched.talk.asked_at.is_some()
}

/// The due time that holds: the one set by hand, the reported one, or else what a configured policy says.
fn due(watched: &Watched, kind: ClockKind, terms: &Terms<'_>, doubts: &mut Doubts) -> Option<DateTime<Utc>> {
    if let Some(Ruling::Due(due)) = watched.ruling(kind) {
        doubts.add(Doubt::DueByHand);
        return Some(due);
    }
    if kind == ClockKind::NextResponse {
        return computed_due(watched, kind, terms);
    }
    reported_due(&watched.ticket, kind, doubts, || computed_due(watched, kind, terms))
}

fn reported_due(
    ticket: &Ticket,
    kind: ClockKind,
    doubts: &mut Doubts,
    computed: impl FnOnce() -> Option<DateTime<Utc>>,
) -> Option<DateTime<Utc>> {
    if let Some(due) = ticket.reported(kind).due {
        if ticket.created_at.is_some_and(|created_at| due < created_at) {
            doubts.add(Doubt::DueBeforeCreated);
            return None;
        }
        return Some(due);
    }
    let computed = computed();
    doubts.add(if computed.is_some() { Doubt::DueFromPolicy } else { Doubt::NoDueTime });
    computed
}

/// When the configured policy makes `kind` due, as if the ticket had never paused.
fn computed_due(watched: &Watched, kind: ClockKind, terms: &Terms<'_>) -> Option<DateTime<Utc>> {
    let target = terms.policy?.target(kind)?;
    let start = watched.start(kind)?;
    // A policy fixes the hours whatever the due time, so the beginning serves as well.
    let (hours, _) = terms.hours(start);
    hours.calendar.add(start, target)
}

/// When the clock stopped, if it has.
fn stop(watched: &Watched, kind: ClockKind, meaning: StatusMeaning, doubts: &mut Doubts) -> Option<DateTime<Utc>> {
    if let Some(Ruling::StoppedAt(at)) = watched.ruling(kind) {
        doubts.add(Doubt::StoppedByHand);
        return Some(at);
    }
    let ticket = &watched.ticket;
    let met_at = match kind {
        ClockKind::FirstResponse => first_response(watched, doubts),
        ClockKind::NextResponse => watched.talk.answered_at,
        // A resolution from before the ticket came back into work is not this cycle's.
        ClockKind::Resolution => ticket.resolution.met_at.filter(|at| {
            meaning == StatusMeaning::Closed || watched.status_since.is_none_or(|since| since.latest <= *at)
        }),
    };
    let stopped = met_at.or_else(|| (meaning == StatusMeaning::Closed).then(|| closing_time(watched, doubts)));
    let (at, start) = (stopped?, watched.start(kind));
    if start.is_some_and(|start| at < start) {
        // To write to a closed ticket is no mistake: nothing waits for an answer there.
        if kind != ClockKind::NextResponse {
            doubts.add(Doubt::MetBeforeCreated);
        }
        return start;
    }
    Some(at)
}

/// SuperOps' own time of the first response, or else the first reply that we saw.
fn first_response(watched: &Watched, doubts: &mut Doubts) -> Option<DateTime<Utc>> {
    let reported = watched.ticket.first_response.met_at;
    if reported.is_none() && watched.replied_at.is_some() {
        doubts.add(Doubt::ReplyUnconfirmed);
    }
    reported.or(watched.replied_at)
}

/// When a closed ticket was closed, as well as we can know.
fn closing_time(watched: &Watched, doubts: &mut Doubts) -> DateTime<Utc> {
    if let Some(at) = watched.ticket.resolution.met_at {
        return at;
    }
    doubts.add(Doubt::ClosingTimeUnknown);
    let seen = watched.status_since.map(|since| since.latest);
    seen.or(watched.ticket.updated_at).unwrap_or(watched.first_seen_at)
}

#[cfg(test)]
mod tests;
