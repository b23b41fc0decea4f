//! One ticket's clock from its opening to its end, including pauses, as only the judge may know it.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use crate::history::{Event, Field, Record};
use crate::sla::calendar::Calendar;
use crate::sla::forecast::Terms;

/// The shares of a clock at which the forecast is asked.
pub const CHECKPOINTS: [f64; 3] = [0.25, 0.5, 0.75];

/// What the judge must know about the desk.
pub trait Promises {
    /// Returns what was promised for a ticket, judging by how it looked when it was opened.
    fn terms(&self, record: &Record) -> Option<Terms>;
    /// Whether a clock is paused in `state`.
    fn pauses(&self, state: &str) -> bool;
    /// Whether a ticket in `state` is resolved.
    fn resolves(&self, state: &str) -> bool;
}

/// One ticket's clock.
#[derive(Clone, Debug)]
pub struct Path {
    pub record: Arc<Record>,
    pub terms: Terms,
    pub resolved_at: Option<DateTime<Utc>>,
    /// When it breached; none if it never did.
    pub breached_at: Option<DateTime<Utc>>,
    /// When each of [`CHECKPOINTS`] was reached with the ticket still open.
    pub checkpoints: [Option<DateTime<Utc>>; 3],
}

impl Path {
    /// Follows the clock of `record`. `None` if nothing was promised.
    pub fn of(record: Arc<Record>, promises: &dyn Promises) -> Option<Self> {
        let terms = promises.terms(&record)?;
        let resolved_at = resolution(&record, promises);
        let runs = Runs::of(&record, &terms.calendar, resolved_at, promises);
        let reached = |share: f64| {
            let wanted = TimeDelta::milliseconds((share * terms.allowed.num_milliseconds() as f64).round() as i64);
            runs.reach(wanted).filter(|at| resolved_at.is_none_or(|resolved| *at < resolved))
        };
        let (checkpoints, breached_at) = (CHECKPOINTS.map(reached), reached(1.0));
        Some(Self { record, resolved_at, breached_at, checkpoints, terms })
    }

    /// Returns the working time left at `now`.
    pub fn left(&self, now: DateTime<Utc>, promises: &dyn Promises) -> TimeDelta {
        let runs = Runs::of(&self.record, &self.terms.calendar, self.resolved_at, promises);
        self.terms.allowed - runs.elapsed(now)
    }
}

/// Returns the time of the first resolution.
fn resolution(record: &Record, promises: &dyn Promises) -> Option<DateTime<Utc>> {
    let resolves = |event: &&Event| event.change(Field::State).flatten().is_some_and(|state| promises.resolves(state));
    let first = record.events.iter().find(resolves).map(|event| event.at);
    first.or(record.resolved_at).map(|at| at.max(record.opened_at))
}

/// The stretches in which a clock ran; the last may have no end.
struct Runs<'a> {
    calendar: &'a Calendar,
    stretches: Vec<(DateTime<Utc>, Option<DateTime<Utc>>)>,
}

impl<'a> Runs<'a> {
    fn of(record: &Record, calendar: &'a Calendar, end: Option<DateTime<Utc>>, promises: &dyn Promises) -> Self {
        let mut stretches = Vec::new();
        let mut running = Some(record.opened_at);
        for event in record.events.iter().filter(|event| end.is_none_or(|end| event.at < end)) {
            let Some(state) = event.change(Field::State) else { continue };
            let pauses = state.is_some_and(|state| promises.pauses(state));
            match running {
                Some(since) if pauses => {
                    stretches.push((since, Some(event.at.max(since))));
                    running = None;
                }
                None if !pauses => running = Some(event.at),
                _ => {}
            }
        }
        if let Some(since) = running {
            stretches.push((since, end));
        }
        Self { calendar, stretches }
    }

    /// Returns when `wanted` of working time had run.
    fn reach(&self, wanted: TimeDelta) -> Option<DateTime<Utc>> {
        let mut wanted = wanted;
        for (from, to) in &self.stretches {
            let ran = to.map(|to| self.calendar.between(*from, to));
            if ran.is_none_or(|ran| ran >= wanted) {
                return self.calendar.add(*from, wanted);
            }
            wanted -= ran.unwrap_or_default();
        }
        None
    }

    fn elapsed(&self, now: DateTime<Utc>) -> TimeDelta {
        let begun = self.stretches.iter().filter(|(from, _)| *from < now);
        begun.map(|(from, to)| self.calendar.between(*from, to.map_or(now, |to| to.min(now)))).sum()
    }
}
