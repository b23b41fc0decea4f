//! An entry in brief: whether it is counted and as what, without any names.
//!
//! Hundreds of thousands of entries are summed up from this, so that nobody has to build whole entries of them.

use chrono::{DateTime, NaiveDate, Utc};

use super::entry::{Entry, Exclusion, Holder, Outcome, SETTLE};
use crate::ticket::ClockKind;

/// An entry in brief. Lengths of time are milliseconds of counted time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Brief {
    pub clock: ClockKind,
    pub round: u32,
    pub outcome: Outcome,
    pub why: Option<Exclusion>,
    pub day: NaiveDate,
    pub stop_day: Option<NaiveDate>,
    pub maintenance: bool,
    pub counted: i64,
    pub over: i64,
    pub paused: i64,
    /// Whether automation gave the response; none: it is not known who did.
    pub automatic: Option<bool>,
    /// Whether the ticket came back within a week.
    pub came_back: bool,
}

impl Brief {
    /// Whether its outcome counts, with or without maintenance.
    pub fn counts(&self, with_maintenance: bool) -> bool {
        self.outcome != Outcome::Excluded && (with_maintenance || !self.maintenance)
    }

    /// Whether its time until the stop says something: one without a target took its time all the same.
    pub fn has_time(&self) -> bool {
        let without_target = matches!(self.why, Some(Exclusion::NoTarget | Exclusion::NoDueTime));
        self.outcome != Outcome::Excluded || without_target
    }

    /// Whether it is one of the clocks that compliance is about: resolutions of later rounds are not.
    pub fn is_headline(&self) -> bool {
        self.clock != ClockKind::Resolution || self.round == 1
    }
}

impl Entry {
    /// Returns the entry without names.
    pub fn brief(&self) -> Brief {
        Brief {
            clock: self.clock,
            round: self.round,
            outcome: self.outcome,
            why: self.why,
            day: self.day,
            stop_day: self.stop_day,
            maintenance: self.maintenance,
            counted: self.counted,
            over: self.over,
            paused: self.paused,
            automatic: self.answered_by.as_ref().map(|by| *by == Holder::Automation),
            came_back: came_back(self.stopped_at, self.reopened_at),
        }
    }
}

/// Whether a ticket came back so soon after its clock stopped that the work was not done.
pub fn came_back(stopped_at: Option<DateTime<Utc>>, reopened_at: Option<DateTime<Utc>>) -> bool {
    reopened_at.zip(stopped_at).is_some_and(|(back, stop)| back - stop <= SETTLE * 7)
}
