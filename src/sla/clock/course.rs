//! When a clock ran and when it stood still, by one reading of the ticket's history.

use chrono::{DateTime, TimeDelta, Utc};

use super::Stop;
use crate::sla::calendar::Calendar;
use crate::sla::history::{Pause, Reading, StatusHistory};
use crate::ticket::ClockKind;

/// How much later than a due time the first moment after it is.
const TICK: TimeDelta = TimeDelta::milliseconds(1);

/// The state of a clock at the end of its known history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    Running,
    Paused,
    Stopped,
}

/// The stretches in which a clock ran.
#[derive(Clone)]
pub struct Course {
    start: DateTime<Utc>,
    /// When it stopped; none while it has not.
    stopped: Option<DateTime<Utc>>,
    pauses: Vec<Pause>,
}

impl Course {
    pub fn new<S>(
        statuses: &StatusHistory<'_, S>,
        kind: ClockKind,
        start: DateTime<Utc>,
        stop: Option<Stop>,
        reading: Reading,
    ) -> Self {
        let at = |stop: Stop| if reading == Reading::Most { stop.at.earliest } else { stop.at.latest };
        let stopped = stop.map(|stop| at(stop).max(start));
        let mut pauses = statuses.pauses(kind, reading);
        pauses.retain(|pause| stopped.is_none_or(|until| pause.from < until));
        Self { start, stopped, pauses }
    }

    pub fn phase(&self) -> Phase {
        let waits = self.pauses.last().is_some_and(|pause| pause.to.is_none());
        match self.stopped {
            Some(_) => Phase::Stopped,
            None if waits => Phase::Paused,
            None => Phase::Running,
        }
    }

    /// Returns when it last changed: started, stopped, paused or resumed.
    pub fn since(&self) -> DateTime<Utc> {
        let last = self.pauses.last().map(|pause| pause.to.unwrap_or(pause.from));
        self.stopped.or(last).map_or(self.start, |at| at.max(self.start))
    }

    /// Returns the stretches in which the clock runs; the last has no end unless the clock stands still.
    pub fn runs(&self) -> impl Iterator<Item = (DateTime<Utc>, Option<DateTime<Utc>>)> + '_ {
        let begins = [Some(self.start)].into_iter().chain(self.pauses.iter().map(|pause| pause.to));
        let ends = self.pauses.iter().map(|pause| Some(pause.from)).chain([None]);
        begins.zip(ends).filter_map(|(from, to)| from.map(|from| (from.max(self.start), to)))
    }

    /// Returns the working time counted by `until`.
    pub fn counted(&self, calendar: &Calendar, until: DateTime<Utc>) -> TimeDelta {
        let length = |(from, to): (DateTime<Utc>, Option<DateTime<Utc>>)| {
            let to = to.map_or(until, |to| to.min(until));
            if from < to { calendar.between(from, to) } else { TimeDelta::zero() }
        };
        self.runs().map(length).sum()
    }

    /// Returns the earliest instant by which `target` has been counted.
    pub fn due(&self, calendar: &Calendar, target: TimeDelta) -> Option<DateTime<Utc>> {
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

    /// Returns the first instant at which more than `target` has been counted.
    pub fn first_over(&self, calendar: &Calendar, target: TimeDelta) -> Option<DateTime<Utc>> {
        self.due(calendar, target + TICK)
    }

    /// Returns the course as if the pause or closing that still lasts had not begun.
    pub fn running_on(mut self) -> Self {
        self.pauses.retain(|pause| pause.to.is_some());
        self
    }
}
