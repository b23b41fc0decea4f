//! Rounds: the work from a ticket's creation or reopening to its resolution.
//!
//! A closing shorter than a day ends no round: somebody closed too early, or pressed the wrong button. The clock stood
//! still meanwhile, as on the ticket's page, and goes on with what was left.

use chrono::{DateTime, TimeDelta, Utc};

use crate::sla::history::StatusPeriod;
use crate::ticket::StatusMeaning;

/// How long a closing must last to end a round.
pub const SETTLE: TimeDelta = TimeDelta::hours(24);

/// One round of a ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Round {
    pub from: DateTime<Utc>,
    /// When it was resolved; none: work goes on.
    pub end: Option<DateTime<Utc>>,
    /// How many of the ticket's status periods belong to it and the rounds before it, the closing one included.
    pub periods: usize,
    /// When the ticket came back.
    pub reopened_at: Option<DateTime<Utc>>,
}

/// Returns the rounds in `periods`; there is always one.
pub fn rounds<S>(periods: &[StatusPeriod<S>], settle: TimeDelta) -> Vec<Round> {
    let mut rounds: Vec<Round> = Vec::new();
    let mut from = periods.first().map_or(DateTime::<Utc>::MIN_UTC, |first| first.from.latest);
    let mut at = 0;
    for run in periods.chunk_by(|a, b| is_closed(a) == is_closed(b)) {
        let first = at;
        at += run.len();
        let (Some(closing), Some(last)) = (run.first().filter(|first| is_closed(first)), run.last()) else { continue };
        let end = closing.from.latest;
        let back = last.to.map(|to| to.latest);
        if back.is_some_and(|back| back - end < settle) {
            continue;
        }
        rounds.push(Round { from, end: Some(end), periods: first + 1, reopened_at: back });
        from = back.unwrap_or(end);
    }
    if rounds.last().is_none_or(|last| last.reopened_at.is_some()) {
        rounds.push(Round { from, end: None, periods: periods.len(), reopened_at: None });
    }
    rounds
}

fn is_closed<S>(period: &StatusPeriod<S>) -> bool {
    period.meaning == StatusMeaning::Closed
}
