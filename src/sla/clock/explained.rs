//! How sure a clock is and what changed its target, for a person who asks why.
//!
//! Polling shows only that a change happened between two moments. So the clock
//! is read three times, with as little standing still as possible, as much as is
//! likely, and as much as possible; the answer carries all three.

use chrono::{DateTime, TimeDelta, Utc};

use super::course::Course;
use super::told::{Question, Truth};
use super::{Basis, ClockState};
use crate::sla::calendar::Calendar;
use crate::sla::history::{History, Reading, Retarget};
use crate::sla::policy::Policy;
use crate::sla::tenant_rules::TenantRules;
use crate::ticket::manual_override::ManualOverride;
use crate::ticket::watch::{Bounds, ChangeKind, Watched};
use crate::ticket::{ClockKind, Named, RefId, Ticket};

/// Counted working time, known to lie between two figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted {
    pub least: TimeDelta,
    pub likely: TimeDelta,
    pub most: TimeDelta,
}

/// Whether the counted time exceeds the target; if it equals it, the target is met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    No,
    Perhaps,
    Yes,
}

/// A change of the ticket that changed its target. An `old` of none: no policy held before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetChange {
    pub change: Retarget,
    pub old: Option<TimeDelta>,
    pub new: TimeDelta,
    pub old_due: Option<DateTime<Utc>>,
    pub new_due: Option<DateTime<Utc>>,
    /// It was in time by the old target and was late by the new one when that came.
    pub made_late: bool,
}

/// One clock of one ticket at one moment, and how sure that is.
#[derive(Clone, Debug)]
pub struct Explained<'a> {
    pub state: ClockState<'a>,
    pub policy: Option<&'a Policy>,
    pub calendar: &'a Calendar,
    pub start: DateTime<Utc>,
    /// The end of its history: the present, or when it stopped.
    pub until: DateTime<Utc>,
    /// The active working time allowed.
    pub target: TimeDelta,
    pub counted: Counted,
    pub breached: Verdict,
    /// The moments between which a policy makes it due.
    pub due_bounds: Option<Bounds>,
    /// The first moment at which it was late, if it is.
    pub breached_between: Option<Bounds>,
    /// What each change of priority, SLA or client did to a policy's target, oldest first.
    pub target_changes: Vec<TargetChange>,
    /// The manual override that holds.
    pub decided: Option<ManualOverride>,
}

/// Explains clock `kind` of `watched`, whose history is `history`, at `now`; none if its start or target is unknown.
pub fn explain<'a>(
    watched: &Watched,
    history: &History,
    kind: ClockKind,
    rules: &'a TenantRules,
    truth: Truth,
    now: DateTime<Utc>,
) -> Option<Explained<'a>> {
    let terms = rules.terms(&watched.ticket);
    let question = Question { watched, statuses: history.status_history(), terms, rules, truth };
    let start = watched.start(kind)?;
    let read = |reading| Read::new(&question, start, kind, reading, now);
    // The least standing still means the most counted time.
    let most = read(Reading::Least)?;
    let likely = read(Reading::Likely)?;
    let least = read(Reading::Most)?;
    let breached = verdict(&[&least, &likely, &most]);
    let explained = Explained {
        policy: terms.policy,
        calendar: likely.calendar,
        start,
        until: likely.until,
        target: likely.target,
        counted: Counted { least: least.used, likely: likely.used, most: most.used },
        breached,
        due_bounds: due_bounds([&most, &likely, &least]),
        breached_between: breached_between(breached, &most, &least),
        target_changes: target_changes(&likely, kind, history, &watched.ticket, rules),
        decided: watched.decided(kind).cloned(),
        state: likely.state,
    };
    Some(explained)
}

/// Returns why the policy gives no clock, if it gives none.
pub fn why_not_by_policy(watched: &Watched, kind: ClockKind, rules: &TenantRules) -> Option<&'static str> {
    let Some(policy) = rules.policy(&watched.ticket) else { return Some("no policy is configured for this ticket") };
    if policy.target(kind).is_none() {
        return Some("the policy for this ticket sets no target for this clock");
    }
    let missing = match kind {
        ClockKind::NextResponse => "the client has written nothing that waits for an answer",
        ClockKind::FirstResponse | ClockKind::Resolution => "SuperOps gives no time of creation",
    };
    watched.start(kind).is_none().then_some(missing)
}

/// The clock by one reading.
struct Read<'a> {
    state: ClockState<'a>,
    course: Course,
    calendar: &'a Calendar,
    start: DateTime<Utc>,
    until: DateTime<Utc>,
    used: TimeDelta,
    target: TimeDelta,
}

impl<'a> Read<'a> {
    fn new<S>(
        question: &Question<'_, 'a, S>,
        start: DateTime<Utc>,
        kind: ClockKind,
        reading: Reading,
        now: DateTime<Utc>,
    ) -> Option<Self> {
        let state = question.told(kind, reading).at(&question.watched.ticket, question.rules, now);
        let (until, used, target) = (state.until?, state.used?, state.total?);
        let course = Course::new(&question.statuses, kind, start, state.stop, reading);
        Some(Self { course, calendar: state.hours?.calendar, start, until, used, target, state })
    }

    fn due(&self) -> Option<DateTime<Utc>> {
        self.course.due(self.calendar, self.target)
    }

    fn first_over(&self) -> Option<DateTime<Utc>> {
        self.course.first_over(self.calendar, self.target)
    }
}

fn verdict(readings: &[&Read<'_>]) -> Verdict {
    let late = |read: &&&Read<'_>| read.used > read.target;
    match readings.iter().filter(late).count() {
        0 => Verdict::No,
        all if all == readings.len() => Verdict::Yes,
        _ => Verdict::Perhaps,
    }
}

/// Returns the bounds that enclose all three readings. A pause that only one of them
/// puts before the stop can make the likely reading the outermost.
fn due_bounds(readings: [&Read<'_>; 3]) -> Option<Bounds> {
    let by_policy = readings[1].state.basis == Some(Basis::Policy);
    let [a, b, c] = readings.map(Read::due);
    let (a, b, c) = (a?, b?, c?);
    by_policy.then(|| Bounds { earliest: a.min(b).min(c), latest: a.max(b).max(c) })
}

fn breached_between(breached: Verdict, most: &Read<'_>, least: &Read<'_>) -> Option<Bounds> {
    let earliest = most.first_over().filter(|_| breached != Verdict::No)?;
    let latest = least.first_over().filter(|at| *at <= least.until).unwrap_or(least.until);
    Some(Bounds { earliest: earliest.min(latest), latest })
}

/// Returns what each change of priority, SLA or client did to the clock, oldest first.
fn target_changes(
    read: &Read<'_>,
    kind: ClockKind,
    history: &History,
    ticket: &Ticket,
    rules: &TenantRules,
) -> Vec<TargetChange> {
    if read.state.basis != Some(Basis::Policy) {
        return Vec::new();
    }
    let mut after = ticket.clone();
    let mut changes = Vec::new();
    for change in history.retargets.iter().rev() {
        let before = undone(&after, change);
        changes.extend(target_change(read, kind, change, (&before, &after), rules));
        after = before;
    }
    changes.reverse();
    changes
}

fn target_change(
    read: &Read<'_>,
    kind: ClockKind,
    change: &Retarget,
    (before, after): (&Ticket, &Ticket),
    rules: &TenantRules,
) -> Option<TargetChange> {
    let of = |ticket: &Ticket| {
        let terms = rules.terms(ticket);
        let target = terms.policy?.target(kind)?;
        Some((target, terms.hours_of(terms.hours_promised()).0.calendar))
    };
    let (new, calendar) = of(after)?;
    let old = of(before);
    let then = change.at.latest.clamp(read.start, read.until);
    let was_in_time = old.is_some_and(|(target, calendar)| read.course.counted(calendar, then) <= target);
    let running_on = read.course.clone().running_on();
    Some(TargetChange {
        change: change.clone(),
        old: old.map(|(target, _)| target),
        new,
        old_due: old.and_then(|(target, calendar)| running_on.due(calendar, target)),
        new_due: running_on.due(calendar, new),
        made_late: was_in_time && read.course.counted(calendar, then) > new,
    })
}

/// Returns the ticket as it was before `change`.
fn undone(ticket: &Ticket, change: &Retarget) -> Ticket {
    let mut before = ticket.clone();
    let named = || {
        let name = change.from.as_ref()?;
        // Policies match by name; the old id is not recorded.
        Some(Named { id: RefId::parse(name).ok()?, name: name.clone() })
    };
    match change.what {
        ChangeKind::Priority => before.priority = change.from.clone(),
        ChangeKind::Sla => before.sla = named(),
        _ => before.client = named(),
    }
    before
}
