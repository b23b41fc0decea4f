//! Where a clock stands by our own policy, calendar and what we saw happen.
//!
//! The clock starts at creation, whenever the policy was assigned. It stands
//! still while the ticket is closed and, for the resolution, while its status is
//! a paused one; working time in between is counted once. Another priority, SLA
//! or client brings another target for the whole life of the ticket. What was
//! seen by polling has happened between two moments, and the answer carries both
//! ends. The same input gives the same answer.

use chrono::{DateTime, TimeDelta, Utc};

use super::calendar::Calendar;
use super::clock::Standing;
use super::desk::{Desk, Hours, Warn};
use super::history::{History, Reading, Retarget, Stall, exactly};
use super::policy::Policy;
use crate::ticket::by_hand::{Override, Ruling};
use crate::ticket::watch::{Bounds, ChangeKind, Watched};
use crate::ticket::{ClockKind, Named, RefId, Ticket};

/// The first moment after a due time is this much later.
const TICK: TimeDelta = TimeDelta::milliseconds(1);

/// Why there is no computed clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Uncomputed {
    NoPolicy,
    NoTarget,
    NoCreatedTime,
    NothingAsked,
}

impl Uncomputed {
    /// The reason in words.
    pub fn words(self) -> &'static str {
        match self {
            Self::NoPolicy => "no policy is configured for this ticket",
            Self::NoTarget => "the policy for this ticket sets no target for this clock",
            Self::NoCreatedTime => "SuperOps gives no time of creation",
            Self::NothingAsked => "the client has written nothing that waits for an answer",
        }
    }
}

/// What makes a computed clock less than certain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caveat {
    /// Bounds are known, the rest is not.
    UnseenBefore,
    MetBeforeCreated,
    ClosedUnanswered,
    AnsweredAfterResolved,
}

impl Caveat {
    /// The caveat in words.
    pub fn words(self) -> &'static str {
        match self {
            Self::UnseenBefore => "it may have been paused before it was watched",
            Self::MetBeforeCreated => "it was met before the ticket's creation: taken as met at once",
            Self::ClosedUnanswered => "it was closed without a first response: the clock stops there",
            Self::AnsweredAfterResolved => "it was answered after it was resolved: closed time is left out",
        }
    }
}

/// What stopped a clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopCause {
    /// SuperOps' own time of the first response.
    Reported,
    /// The first reply of a technician, where SuperOps gives no time.
    TechnicianReply,
    Closed,
    Vanished,
    /// A person stopped or cancelled it.
    ByHand,
}

/// When a clock stopped, and by what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stop {
    pub at: Bounds,
    pub cause: StopCause,
}

/// Working time that is known to lie between two figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted {
    pub least: TimeDelta,
    pub likely: TimeDelta,
    pub most: TimeDelta,
}

/// Whether counted time exceeds the target; equal is met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    No,
    Perhaps,
    Yes,
}

/// Another target, brought by a change of the ticket; none: no policy held then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetChange {
    pub change: Retarget,
    pub old: Option<TimeDelta>,
    pub new: TimeDelta,
    pub old_due: Option<DateTime<Utc>>,
    pub new_due: Option<DateTime<Utc>>,
    /// It was in time by the old target and is late by the new one: retargeted, already late.
    pub made_late: bool,
}

/// One clock of one ticket at one moment, by our own reckoning.
#[derive(Clone, Debug)]
pub struct Computed<'a> {
    pub kind: ClockKind,
    pub policy: &'a Policy,
    pub hours: Hours<'a>,
    pub target: TimeDelta,
    pub start: DateTime<Utc>,
    pub stop: Option<Stop>,
    pub paused: bool,
    pub counted: Counted,
    pub standing: Standing,
    pub breached: Verdict,
    /// None while paused, unless it had run out before.
    pub due: Option<DateTime<Utc>>,
    pub due_bounds: Option<Bounds>,
    /// While paused: when it would be due if work went on now.
    pub due_if_resumed: Option<DateTime<Utc>>,
    /// When it would be due, had the present pause or closing not come.
    pub due_running_on: Option<DateTime<Utc>>,
    /// The first moment at which counted time exceeds the target, if it has come.
    pub breached_between: Option<Bounds>,
    pub target_changes: Vec<TargetChange>,
    pub caveats: Vec<Caveat>,
    /// What a person decided about it.
    pub decided: Option<Override>,
}

impl Computed<'_> {
    /// Working time left, negative once over.
    pub fn left(&self) -> TimeDelta {
        self.target - self.counted.likely
    }

    /// The moment up to which time is counted.
    pub fn until(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        self.stop.map_or(now, |stop| stop.at.latest).max(self.start)
    }
}

/// Computes clock `kind` of `watched`, whose story is `history`, at `now`.
pub fn compute<'a>(
    watched: &Watched,
    history: &History,
    kind: ClockKind,
    desk: &'a Desk,
    now: DateTime<Utc>,
) -> Result<Computed<'a>, Uncomputed> {
    let ticket = &watched.ticket;
    let policy = desk.policy(ticket).ok_or(Uncomputed::NoPolicy)?;
    let target = policy.target(kind).ok_or(Uncomputed::NoTarget)?;
    let start = watched.start(kind).ok_or(match kind {
        ClockKind::NextResponse => Uncomputed::NothingAsked,
        _ => Uncomputed::NoCreatedTime,
    })?;
    let mut caveats = Vec::new();
    let stop = stop(watched, history, kind, start, &mut caveats);
    if history.unseen.is_some() && kind == ClockKind::Resolution {
        caveats.push(Caveat::UnseenBefore);
    }
    let (hours, _) = desk.hours(ticket, start);
    let clock = Clock { history, kind, start, stop, now };
    let decided = watched.decided(kind);
    let mut computed = match decided.map(|decided| decided.ruling) {
        Some(Ruling::Due(due)) => clock.due_by_hand(policy, hours, due, desk),
        Some(Ruling::Cancelled) => {
            Computed { standing: Standing::Cancelled, ..clock.read(policy, hours, target, desk) }
        }
        _ => clock.read(policy, hours, target, desk),
    };
    computed.target_changes = target_changes(&clock, &computed, ticket, desk);
    computed.caveats = caveats;
    computed.decided = decided.cloned();
    Ok(computed)
}

fn stop(
    watched: &Watched,
    history: &History,
    kind: ClockKind,
    start: DateTime<Utc>,
    caveats: &mut Vec<Caveat>,
) -> Option<Stop> {
    if let Some(at) = stop_by_hand(watched, kind) {
        return Some(Stop { at: exactly(at.max(start)), cause: StopCause::ByHand });
    }
    let mut stop = first_stop(watched, history, kind)?;
    if kind == ClockKind::FirstResponse && stop.cause == StopCause::Closed {
        caveats.push(Caveat::ClosedUnanswered);
    }
    let answered = matches!(stop.cause, StopCause::Reported | StopCause::TechnicianReply);
    if answered && history.closed().is_some_and(|closed| closed.latest < stop.at.earliest) {
        caveats.push(Caveat::AnsweredAfterResolved);
    }
    let told = watched.ticket.reported(kind).met_at.is_some_and(|at| at < start);
    if kind != ClockKind::NextResponse && (told || stop.at.latest < start) {
        caveats.push(Caveat::MetBeforeCreated);
    }
    stop.at = Bounds { earliest: stop.at.earliest.max(start), latest: stop.at.latest.max(start) };
    Some(stop)
}

fn stop_by_hand(watched: &Watched, kind: ClockKind) -> Option<DateTime<Utc>> {
    let decided = watched.decided(kind)?;
    match decided.ruling {
        Ruling::StoppedAt(at) => Some(at),
        Ruling::Cancelled => Some(decided.at),
        Ruling::Due(_) => None,
    }
}

fn first_stop(watched: &Watched, history: &History, kind: ClockKind) -> Option<Stop> {
    let of = |cause| move |at| Stop { at, cause };
    let answered = match kind {
        ClockKind::FirstResponse => {
            let reported = watched.ticket.first_response.met_at.map(exactly).map(of(StopCause::Reported));
            reported.or_else(|| watched.replied_at.map(exactly).map(of(StopCause::TechnicianReply)))
        }
        ClockKind::NextResponse => watched.talk.answered_at.map(exactly).map(of(StopCause::TechnicianReply)),
        ClockKind::Resolution => None,
    };
    let closed = || history.closed().map(of(StopCause::Closed));
    answered.or_else(closed).or_else(|| history.gone.map(of(StopCause::Vanished)))
}

/// A clock before it is read by a calendar and a target.
struct Clock<'h> {
    history: &'h History,
    kind: ClockKind,
    start: DateTime<Utc>,
    stop: Option<Stop>,
    now: DateTime<Utc>,
}

impl<'h> Clock<'h> {
    /// Read as if the target were the time counted by a moment that a person chose, which no pause moves.
    fn due_by_hand<'a>(&self, policy: &'a Policy, hours: Hours<'a>, due: DateTime<Utc>, desk: &Desk) -> Computed<'a> {
        let due = due.max(self.start);
        let target = self.target_by_hand(hours.calendar, due);
        Computed {
            due: Some(due),
            due_bounds: None,
            due_running_on: Some(due),
            ..self.read(policy, hours, target, desk)
        }
    }

    fn target_by_hand(&self, calendar: &Calendar, due: DateTime<Utc>) -> TimeDelta {
        let course = self.course(Reading::Likely);
        let waits = course.stalls.last().is_some_and(|stall| stall.to.is_none() && stall.from < due);
        if self.stop.is_none() && waits {
            // However long it waits, work that goes on now has only what is left until then.
            return course.counted(calendar) + calendar.between(self.now.min(due), due);
        }
        Course { until: due, ..course.running_on() }.counted(calendar)
    }

    fn read<'a>(&self, policy: &'a Policy, hours: Hours<'a>, target: TimeDelta, desk: &Desk) -> Computed<'a> {
        let calendar = hours.calendar;
        let [least, likely, most] =
            [Reading::Most, Reading::Likely, Reading::Least].map(|reading| self.course(reading));
        let counted =
            Counted { least: least.counted(calendar), likely: likely.counted(calendar), most: most.counted(calendar) };
        let due = likely.due(calendar, target);
        let paused = self.stop.is_none() && self.history.is_paused(self.kind);
        let left = target - counted.likely;
        let resumed = paused && left >= TimeDelta::zero();
        let breached = verdict(counted, target);
        Computed {
            kind: self.kind,
            policy,
            hours,
            target,
            start: self.start,
            stop: self.stop,
            paused,
            counted,
            standing: self.standing(counted.likely, target, paused, desk.warn()),
            breached,
            due,
            due_bounds: bounds([most.due(calendar, target), due, least.due(calendar, target)]),
            due_if_resumed: calendar.add(self.now, left).filter(|_| resumed),
            due_running_on: likely.running_on().due(calendar, target),
            breached_between: self.breach(calendar, breached, target, &most, &least),
            target_changes: Vec::new(),
            caveats: Vec::new(),
            decided: None,
        }
    }

    fn standing(&self, counted: TimeDelta, target: TimeDelta, paused: bool, warn: &Warn) -> Standing {
        let left = target - counted;
        match self.stop {
            _ if self.history.gone.is_some() => Standing::Cancelled,
            _ if left < TimeDelta::zero() => Standing::Breached { over: -left },
            Some(_) => Standing::Met,
            None if paused => Standing::Paused { left },
            None if warn.elapsed(target).is_some_and(|from| from <= counted) => Standing::AtRisk { left },
            None => Standing::OnTrack { left },
        }
    }

    fn course(&self, reading: Reading) -> Course {
        let until = match (self.stop, reading) {
            (Some(stop), Reading::Most) => stop.at.earliest,
            (Some(stop), _) => stop.at.latest,
            (None, _) => self.now,
        };
        let until = until.max(self.start);
        let mut stalls = self.history.stalls(self.kind, reading);
        let stopped = self.stop.is_some();
        stalls.retain(|stall| stall.from < until || (!stopped && stall.from == until));
        Course { start: self.start, until, stalls }
    }

    fn breach(
        &self,
        calendar: &Calendar,
        breached: Verdict,
        target: TimeDelta,
        most: &Course,
        least: &Course,
    ) -> Option<Bounds> {
        let earliest = most.first_over(calendar, target).filter(|_| breached != Verdict::No)?;
        let latest = least.first_over(calendar, target).filter(|at| *at <= least.until).unwrap_or(least.until);
        Some(Bounds { earliest: earliest.min(latest), latest })
    }
}

fn verdict(counted: Counted, target: TimeDelta) -> Verdict {
    if counted.least > target {
        Verdict::Yes
    } else if counted.most > target {
        Verdict::Perhaps
    } else {
        Verdict::No
    }
}

/// What encloses all three readings. A pause that only one of them puts before the
/// stop can make the likely reading the outermost.
fn bounds(readings: [Option<DateTime<Utc>>; 3]) -> Option<Bounds> {
    let [a, b, c] = readings;
    let (a, b, c) = (a?, b?, c?);
    Some(Bounds { earliest: a.min(b).min(c), latest: a.max(b).max(c) })
}

/// When a clock ran, by one reading.
#[derive(Clone)]
struct Course {
    start: DateTime<Utc>,
    until: DateTime<Utc>,
    stalls: Vec<Stall>,
}

impl Course {
    /// The stretches in which the clock runs, the last without an end unless it stands still.
    fn runs(&self) -> impl Iterator<Item = (DateTime<Utc>, Option<DateTime<Utc>>)> + '_ {
        let begins = [Some(self.start)].into_iter().chain(self.stalls.iter().map(|stall| stall.to));
        let ends = self.stalls.iter().map(|stall| Some(stall.from)).chain([None]);
        begins.zip(ends).filter_map(|(from, to)| from.map(|from| (from.max(self.start), to)))
    }

    fn counted(&self, calendar: &Calendar) -> TimeDelta {
        let length = |(from, to): (DateTime<Utc>, Option<DateTime<Utc>>)| {
            let to = to.map_or(self.until, |to| to.min(self.until));
            if from < to { calendar.between(from, to) } else { TimeDelta::zero() }
        };
        self.runs().map(length).sum()
    }

    /// The earliest instant by which `target` has been counted.
    fn due(&self, calendar: &Calendar, target: TimeDelta) -> Option<DateTime<Utc>> {
        let mut wanted = target;
        for (from, to) in self.runs() {
            let Some(to) = to else { return calendar.add(from, wanted) };
            let counted = if from < to { calendar.between(from, to) } else { TimeDelta::zero() };
            if counted >= wanted && from < to {
                return calendar.add(from, wanted);
            }
            wanted -= counted;
        }
        None
    }

    /// The first instant at which more than `target` has been counted.
    fn first_over(&self, calendar: &Calendar, target: TimeDelta) -> Option<DateTime<Utc>> {
        self.due(calendar, target + TICK)
    }

    /// The same without the pause or closing that lasts.
    fn running_on(mut self) -> Self {
        self.stalls.retain(|stall| stall.to.is_some());
        self
    }
}

/// What each change of priority, SLA or client did to the clock, oldest first.
fn target_changes(clock: &Clock<'_>, computed: &Computed<'_>, ticket: &Ticket, desk: &Desk) -> Vec<TargetChange> {
    let mut after = ticket.clone();
    let mut changes = Vec::new();
    for change in clock.history.retargets.iter().rev() {
        let before = undone(&after, change);
        changes.extend(target_change(clock, computed, change, (&before, &after), desk));
        after = before;
    }
    changes.reverse();
    changes
}

fn target_change(
    clock: &Clock<'_>,
    computed: &Computed<'_>,
    change: &Retarget,
    (before, after): (&Ticket, &Ticket),
    desk: &Desk,
) -> Option<TargetChange> {
    let of = |ticket: &Ticket| {
        let target = desk.policy(ticket)?.target(clock.kind)?;
        Some((target, desk.hours(ticket, computed.start).0.calendar))
    };
    let (new, calendar) = of(after)?;
    let old = of(before);
    let course = clock.course(Reading::Likely);
    let then = Course { until: change.at.latest.clamp(clock.start, course.until), ..course.clone() };
    let was_in_time = old.is_some_and(|(target, calendar)| then.counted(calendar) <= target);
    let running_on = course.running_on();
    Some(TargetChange {
        change: change.clone(),
        old: old.map(|(target, _)| target),
        new,
        old_due: old.and_then(|(target, calendar)| running_on.due(calendar, target)),
        new_due: running_on.due(calendar, new),
        made_late: was_in_time && then.counted(calendar) > new,
    })
}

/// The ticket as it was before `change`.
fn undone(ticket: &Ticket, change: &Retarget) -> Ticket {
    let mut before = ticket.clone();
    let named = || {
        let name = change.from.as_ref()?;
        // Policies go by name; the id of old is not recorded.
        Some(Named { id: RefId::parse(name).ok()?, name: name.clone() })
    };
    match change.what {
        ChangeKind::Priority => before.priority = change.from.clone(),
        ChangeKind::Sla => before.sla = named(),
        _ => before.client = named(),
    }
    before
}

#[cfg(test)]
mod tests;
