//! One clock with all that the books need: when it counted, its target, and when that was exceeded.
//!
//! It is the same clock that pages show and alerts go by, with more than its present standing.

use chrono::{DateTime, TimeDelta, Utc};

use super::course::Course;
use super::doubt::Doubts;
use super::told::{Question, Truth};
use super::{Basis, Stop};
use crate::sla::calendar::{Calendar, StretchKind};
use crate::sla::history::{Reading, StatusHistory};
use crate::sla::tenant_rules::TenantRules;
use crate::ticket::ClockKind;
use crate::ticket::watch::Watched;

/// A clock over its whole course.
pub struct Reckoning<'a> {
    pub start: DateTime<Utc>,
    pub stop: Option<Stop>,
    /// Where the target comes from; none if there is no target.
    pub basis: Option<Basis>,
    pub target: Option<TimeDelta>,
    /// The hours in which it counts.
    pub calendar: &'a Calendar,
    /// The policy that holds for the ticket, in words.
    pub policy: Option<String>,
    course: Course,
}

/// Reckons clock `kind` of a ticket with the history `statuses`; none if it has no start or nobody promised it.
pub fn reckon<'d, S>(
    watched: &Watched,
    statuses: StatusHistory<'_, S>,
    kind: ClockKind,
    rules: &'d TenantRules,
    truth: Truth,
) -> Option<Reckoning<'d>> {
    let start = watched.start(kind)?;
    let terms = rules.terms(&watched.ticket);
    let question = Question { watched, statuses, terms, rules, truth };
    if kind == ClockKind::NextResponse && !question.awaits_next() {
        return None;
    }
    let mut doubts = Doubts::default();
    let stop = question.stop(kind, &mut doubts);
    let course = Course::new(&question.statuses, kind, start, stop, Reading::Likely);
    let reported = question.reported_due(kind, &mut doubts);
    let promise = question.promise(kind, &course, Some(start), reported, &mut doubts);
    let hours = promise.map_or(terms.hours_promised(), |promise| promise.hours);
    Some(Reckoning {
        start,
        stop,
        basis: promise.map(|promise| promise.basis),
        target: promise.map(|promise| promise.target),
        calendar: terms.hours_of(hours).0.calendar,
        policy: terms.policy.map(|policy| policy.words()),
        course,
    })
}

impl Reckoning<'_> {
    /// Returns when it stopped, by the likely reading.
    pub fn stopped_at(&self) -> Option<DateTime<Utc>> {
        self.stop.map(|stop| stop.at.latest.max(self.start))
    }

    /// Returns the time counted by `until`; nothing counts after its stop.
    pub fn counted(&self, until: DateTime<Utc>) -> TimeDelta {
        let until = self.stopped_at().map_or(until, |stop| stop.min(until));
        self.course.counted(self.calendar, until)
    }

    /// Returns the time counted from `from` to `to`.
    pub fn between(&self, from: DateTime<Utc>, to: DateTime<Utc>) -> TimeDelta {
        self.counted(to) - self.counted(from.min(to))
    }

    /// Returns the first instant at which more than its target was counted; none if it stops first or never gets there.
    pub fn over_from(&self) -> Option<DateTime<Utc>> {
        let over = self.course.first_over(self.calendar, self.target?)?;
        self.stopped_at().is_none_or(|stop| over <= stop).then_some(over)
    }

    /// Returns the stretches between `from` and `to` in which it counted.
    pub fn stretches(&self, from: DateTime<Utc>, to: DateTime<Utc>) -> Vec<(DateTime<Utc>, DateTime<Utc>)> {
        let to = self.stopped_at().map_or(to, |stop| stop.min(to));
        let runs = self.course.runs().map(|(begin, end)| (begin.max(from), end.map_or(to, |end| end.min(to))));
        let open = runs.filter(|(begin, end)| begin < end).flat_map(|(begin, end)| self.calendar.stretches(begin, end));
        open.filter(|one| one.kind == StretchKind::Open).map(|one| (one.from, one.to)).collect()
    }
}
