//! What a ticket's history determines about one clock: everything that the passing of time does not change.
//!
//! The history is walked once, when the ticket or the rules of its tenant are new. The standing of the
//! clock at a moment then takes one question to the calendar.

use chrono::{DateTime, TimeDelta, Utc};

use super::course::{Course, Phase};
use super::doubt::{Doubt, Doubts};
use super::{Basis, ClockState, Standing, Stop, StopCause};
use crate::sla::history::{Reading, StatusHistory, beginning, exactly};
use crate::sla::tenant_rules::{HoursOf, TenantRules, Terms};
use crate::ticket::conversation::Answerer;
use crate::ticket::manual_override::OverrideAction;
use crate::ticket::watch::{Bounds, Watched};
use crate::ticket::{ClockKind, Ticket, Unknown};

/// What decides when a clock is due. A manual override comes before either.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Truth {
    /// What SuperOps reports, or else what the policy says. This is the clock that people are told about.
    Record,
    /// What the policy says, whatever SuperOps reports.
    Policy,
}

/// A question to the history of a ticket.
pub struct Question<'q, 'd, S> {
    pub watched: &'q Watched,
    pub statuses: StatusHistory<'q, S>,
    pub terms: Terms<'d>,
    pub rules: &'d TenantRules,
    pub truth: Truth,
}

/// What was promised: an amount of working time, and when it is used up if nothing more happens.
#[derive(Clone, Copy, Debug)]
pub struct Promise {
    pub basis: Basis,
    pub target: TimeDelta,
    /// While the clock stands still, when it would be due had it gone on. None: never.
    pub due: Option<DateTime<Utc>>,
    pub hours: HoursOf,
}

/// One clock as the history of its ticket determines it.
#[derive(Clone, Copy, Debug)]
pub struct Told {
    kind: ClockKind,
    standing: Fixed,
    start: Option<DateTime<Utc>>,
    stop: Option<Stop>,
    phase: Phase,
    /// The moment up to which `used` is counted.
    since: DateTime<Utc>,
    used: TimeDelta,
    promise: Option<Promise>,
    at_risk_from: Option<DateTime<Utc>>,
    breached_from: Option<DateTime<Utc>>,
    flagged: bool,
    doubts: Doubts,
}

/// A standing that does not depend on the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fixed {
    No,
    Cancelled,
    /// No message waits for an answer, or no policy promises one.
    Unkept,
}

impl<S> Question<'_, '_, S> {
    /// Returns what the history determines about clock `kind`, by one `reading`.
    pub fn told(&self, kind: ClockKind, reading: Reading) -> Told {
        let watched = self.watched;
        let start = watched.start(kind);
        let mut doubts = Doubts::default();
        if kind == ClockKind::NextResponse && !self.awaits_next() {
            return Told::unkept(kind, watched.first_seen_at);
        }
        let stop = self.stop(kind, &mut doubts);
        let reported = self.reported_due(kind, &mut doubts);
        let from = start.unwrap_or_else(|| reported.map_or(watched.first_seen_at, |due| due.min(beginning(watched))));
        let course = Course::new(&self.statuses, kind, from, stop, reading);
        let phase = course.phase();
        doubts.add_if(phase == Phase::Paused && self.has_one_status(), Doubt::PausedBeforeWatched);
        let promise = self.promise(kind, &course, start, reported, &mut doubts);
        let cancelled = self.statuses.gone.is_some() || watched.overridden(kind) == Some(OverrideAction::Cancelled);
        let since = match (phase, self.statuses.periods.last()) {
            // By any reading, the present is not before the last change seen.
            (Phase::Running, Some(last)) => course.since().max(last.from.latest),
            _ => course.since(),
        };
        let told = Told {
            kind,
            standing: if cancelled { Fixed::Cancelled } else { Fixed::No },
            start,
            stop,
            phase,
            since,
            used: TimeDelta::zero(),
            promise,
            at_risk_from: None,
            breached_from: None,
            // SuperOps does not know of manual overrides.
            flagged: watched.overridden(kind).is_none() && watched.ticket.reported(kind).breached == Some(true),
            doubts,
        };
        match promise {
            Some(promise) => self.counted(told, course, promise),
            None => told,
        }
    }

    /// Whether it has, as far as is known, always had its present status since it was first seen.
    fn has_one_status(&self) -> bool {
        let first_is_unknown = self.statuses.periods.first().is_some_and(|period| period.status.is_none());
        self.watched.status_since.is_none() && self.statuses.periods.len() == 2 && first_is_unknown
    }

    fn counted(&self, told: Told, course: Course, promise: Promise) -> Told {
        let calendar = self.terms.hours_of(promise.hours).0.calendar;
        let used = course.counted(calendar, told.since);
        if told.phase != Phase::Running {
            return Told { used, ..told };
        }
        let warn = self.rules.warn();
        let at_risk_from = match told.start {
            Some(_) => warn.elapsed(promise.target).and_then(|elapsed| course.due(calendar, elapsed)),
            // Without a start there is no share; the time left is counted back in wall time.
            None => warn.left.iter().max().and_then(|left| Some(promise.due? - *left)),
        };
        Told { used, at_risk_from, breached_from: course.first_over(calendar, promise.target), ..told }
    }

    /// Whether a policy promises an answer to a message that the client has sent.
    pub(super) fn awaits_next(&self) -> bool {
        let asked = self.terms.policy.is_some_and(|policy| policy.next_response.is_some());
        asked && self.watched.conversation.asked_at.is_some()
    }

    /// Returns the due time that SuperOps reports, unless it lies before the creation.
    pub(super) fn reported_due(&self, kind: ClockKind, doubts: &mut Doubts) -> Option<DateTime<Utc>> {
        let ticket = &self.watched.ticket;
        let due = ticket.reported(kind).due.filter(|_| self.truth == Truth::Record)?;
        let early = ticket.created_at.is_some_and(|created| due < created);
        doubts.add_if(early, Doubt::DueBeforeCreated);
        (!early).then_some(due)
    }

    /// Returns what was promised: the due time set by hand decides, then the reported one, then the policy.
    pub(super) fn promise(
        &self,
        kind: ClockKind,
        course: &Course,
        start: Option<DateTime<Utc>>,
        reported: Option<DateTime<Utc>>,
        doubts: &mut Doubts,
    ) -> Option<Promise> {
        let by_hand = match self.watched.overridden(kind) {
            Some(OverrideAction::Due(due)) => Some(due),
            _ => None,
        };
        if by_hand.is_none() && self.truth == Truth::Record && self.is_unread(kind, reported) {
            doubts.add(Doubt::Unread);
            return None;
        }
        let fixed = by_hand.map(|due| (due, Basis::ByHand)).or(reported.map(|due| (due, Basis::Reported)));
        doubts.add_if(fixed.is_some() && start.is_none(), Doubt::NoCreatedTime);
        doubts.add_if(by_hand.is_some(), Doubt::DueByHand);
        if let Some((due, basis)) = fixed {
            let hours = self.terms.hours_for(due);
            let calendar = self.terms.hours_of(hours).0.calendar;
            let target = course.clone().running_on().counted(calendar, due);
            return Some(Promise { basis, target, due: Some(due), hours });
        }
        let target = self.terms.policy.and_then(|policy| policy.target(kind)).zip(start).map(|(target, _)| target);
        let on_record = ClockKind::REPORTED.contains(&kind) && self.truth == Truth::Record;
        let silent = on_record && self.watched.ticket.reported(kind).due.is_none();
        doubts.add_if(on_record && target.is_some(), Doubt::DueFromPolicy);
        doubts.add_if(silent && target.is_none(), Doubt::NoDueTime);
        let unseen = self.statuses.unseen.is_some() && kind == ClockKind::Resolution;
        doubts.add_if(target.is_some() && unseen, Doubt::UnseenBefore);
        let hours = self.terms.hours_promised();
        let due = course.clone().running_on().due(self.terms.hours_of(hours).0.calendar, target?);
        Some(Promise { basis: Basis::Policy, target: target?, due, hours })
    }

    /// Whether what the clock needs is unknown: the state of the ticket or, without a due time, its terms.
    fn is_unread(&self, kind: ClockKind, reported: Option<DateTime<Utc>>) -> bool {
        let ticket = &self.watched.ticket;
        ticket.is_unknown(kind) || (reported.is_none() && ticket.unknown.contains(&Unknown::Terms))
    }

    /// Returns when the clock stopped and by what, if it has.
    pub(super) fn stop(&self, kind: ClockKind, doubts: &mut Doubts) -> Option<Stop> {
        let start = self.watched.start(kind);
        let not_before_start = |at: DateTime<Utc>| start.map_or(at, |start| at.max(start));
        if let Some((at, doubt)) = self.stop_by_hand(kind) {
            doubts.add(doubt);
            return Some(Stop { at: exactly(not_before_start(at)), cause: StopCause::ByHand });
        }
        let stop = self.first_stop(kind, doubts)?;
        self.doubt(kind, stop, doubts);
        let Bounds { earliest, latest } = stop.at;
        let at = Bounds { earliest: not_before_start(earliest), latest: not_before_start(latest) };
        Some(Stop { at, ..stop })
    }

    fn stop_by_hand(&self, kind: ClockKind) -> Option<(DateTime<Utc>, Doubt)> {
        let decided = self.watched.decided(kind)?;
        match decided.action {
            OverrideAction::StoppedAt(at) => Some((at, Doubt::StoppedByHand)),
            OverrideAction::Cancelled => Some((decided.at, Doubt::CancelledByHand)),
            OverrideAction::Due(_) => None,
        }
    }

    fn first_stop(&self, kind: ClockKind, doubts: &mut Doubts) -> Option<Stop> {
        let of = |cause| move |at| Stop { at, cause };
        let answered = match kind {
            ClockKind::FirstResponse => self.first_response(doubts),
            ClockKind::NextResponse => {
                self.watched.conversation.answered_at.map(exactly).map(of(StopCause::TechnicianReply))
            }
            ClockKind::Resolution => None,
        };
        let closed = || self.statuses.closed().map(of(StopCause::Closed));
        answered.or_else(closed).or_else(|| self.statuses.gone.map(of(StopCause::Vanished)))
    }

    /// Returns SuperOps' own time of the first response if it counts, or else the first reply that we saw.
    fn first_response(&self, doubts: &mut Doubts) -> Option<Stop> {
        let watched = self.watched;
        let reported = watched.ticket.first_response.met_at;
        let automatic = reported.is_some() && watched.conversation.first_answer == Some(Answerer::Automation);
        let ignored = automatic && !self.rules.automation_answers();
        doubts.add_if(ignored, Doubt::AutomationNotCounted);
        if let Some(at) = reported.filter(|_| !ignored) {
            return Some(Stop { at: exactly(at), cause: StopCause::Reported });
        }
        let at = watched.replied_at?;
        doubts.add_if(reported.is_none(), Doubt::ReplyUnconfirmed);
        Some(Stop { at: exactly(at), cause: StopCause::TechnicianReply })
    }

    fn doubt(&self, kind: ClockKind, stop: Stop, doubts: &mut Doubts) {
        let ticket = &self.watched.ticket;
        let closed = stop.cause == StopCause::Closed;
        doubts.add_if(closed && kind == ClockKind::FirstResponse, Doubt::ClosedUnanswered);
        doubts.add_if(closed && ticket.resolution.met_at.is_none(), Doubt::ClosingTimeUnknown);
        let answered = matches!(stop.cause, StopCause::Reported | StopCause::TechnicianReply);
        let late = answered && self.statuses.closed().is_some_and(|closed| closed.latest < stop.at.earliest);
        doubts.add_if(late, Doubt::AnsweredAfterResolved);
        doubts.add_if(met_before_created(ticket, kind, stop), Doubt::MetBeforeCreated);
    }
}

/// Whether SuperOps' times contradict each other. A next response is exempt: on a closed ticket none is due.
fn met_before_created(ticket: &Ticket, kind: ClockKind, stop: Stop) -> bool {
    let Some(created) = ticket.created_at.filter(|_| kind != ClockKind::NextResponse) else { return false };
    ticket.reported(kind).met_at.is_some_and(|at| at < created) || stop.at.latest < created
}

impl Told {
    fn unkept(kind: ClockKind, since: DateTime<Utc>) -> Self {
        Self {
            kind,
            standing: Fixed::Unkept,
            start: None,
            stop: None,
            phase: Phase::Stopped,
            since,
            used: TimeDelta::zero(),
            promise: None,
            at_risk_from: None,
            breached_from: None,
            flagged: false,
            doubts: Doubts::default(),
        }
    }

    /// Returns how it stands at `now`; a `now` before its last known change counts as that change.
    pub fn at<'a>(&self, ticket: &Ticket, rules: &'a TenantRules, now: DateTime<Utc>) -> ClockState<'a> {
        let blank = ClockState { start: self.start, doubts: self.doubts, ..ClockState::blank(self.kind) };
        let cancelled = self.standing == Fixed::Cancelled;
        if self.standing == Fixed::Unkept {
            return blank;
        }
        let stop = self.stop.filter(|stop| stop.cause != StopCause::Vanished && !cancelled);
        let (stop, stopped_at) = (self.stop, stop.map(|stop| stop.at.latest));
        let Some(promise) = self.promise else {
            let standing = match stopped_at {
                _ if cancelled => Standing::Cancelled,
                Some(_) => Standing::Met,
                None => Standing::Unknown,
            };
            return ClockState { standing, stop, stopped_at, ..blank };
        };
        let (hours, hours_flaw) = rules.hours_of(ticket, promise.hours);
        let until = if self.phase == Phase::Stopped { self.since } else { now.max(self.since) };
        let used = match self.phase {
            Phase::Running => self.used + hours.calendar.between(self.since, until),
            Phase::Paused | Phase::Stopped => self.used,
        };
        let counted = ClockState {
            stop,
            stopped_at,
            until: Some(until),
            used: Some(used),
            basis: Some(promise.basis),
            hours: Some(hours),
            hours_flaw,
            ..blank
        };
        if cancelled {
            return ClockState { standing: Standing::Cancelled, total: Some(promise.target), ..counted };
        }
        self.judged(counted, promise, used, now.max(self.since))
    }

    fn judged<'a>(
        &self,
        counted: ClockState<'a>,
        promise: Promise,
        used: TimeDelta,
        now: DateTime<Utc>,
    ) -> ClockState<'a> {
        let target = self.target(&counted, promise, now);
        let mut left = target - used;
        if self.phase == Phase::Paused && self.doubts.has(Doubt::PausedBeforeWatched) {
            // Nobody knows whether it was late before it was paused.
            left = left.max(TimeDelta::zero());
        }
        let late = left < TimeDelta::zero();
        let breached = late || self.flagged;
        let mut doubts = self.doubts;
        doubts.add_if(breached && !late, Doubt::FlaggedThoughDueAhead);
        let at_risk = self.at_risk_from.is_some_and(|from| from <= now);
        let standing = match self.phase {
            _ if breached => Standing::Breached { over: (-left).max(TimeDelta::zero()) },
            Phase::Stopped => Standing::Met,
            Phase::Paused => Standing::Paused { left },
            Phase::Running if at_risk => Standing::AtRisk { left },
            Phase::Running => Standing::OnTrack { left },
        };
        let resumes = self.phase == Phase::Paused && !late;
        let next = if at_risk { self.breached_from } else { self.at_risk_from.or(self.breached_from) };
        ClockState {
            standing,
            breached,
            due: promise.due,
            due_if_resumed: counted.hours.filter(|_| resumes).and_then(|hours| hours.calendar.add(now, left)),
            total: self.start.map(|_| target),
            left: Some(left),
            at_risk_from: self.at_risk_from,
            breached_from: self.breached_from,
            next_change: next.filter(|_| self.phase == Phase::Running && !breached),
            doubts,
            running: self.phase == Phase::Running,
            ..counted
        }
    }

    /// Returns the target. A due time set by hand does not move with a pause, so only what is left until then remains.
    fn target(&self, counted: &ClockState<'_>, promise: Promise, now: DateTime<Utc>) -> TimeDelta {
        match (promise.basis, promise.due, counted.hours) {
            (Basis::ByHand, Some(due), Some(hours)) if self.phase == Phase::Paused && self.since < due => {
                self.used + hours.calendar.between(now.clamp(self.since, due), due)
            }
            _ => promise.target,
        }
    }
}
