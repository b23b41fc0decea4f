//! A ticket's history: which status it had when, who held it, what moved its targets, and its cycles.
//!
//! It is put together from the changes seen by polling. Each moment is only known
//! to lie between two others; the later of them, SuperOps' own time of update if
//! there is one, is taken as the likely one.

use std::cmp::Reverse;

use chrono::{DateTime, TimeDelta, Utc};

use super::calendar::Calendar;
use crate::ticket::periods::{Seen, in_order, is_untouched, not_before, time_of};
pub use crate::ticket::periods::{StatusPeriod, beginning, exactly, periods};
use crate::ticket::watch::{Bounds, Change, ChangeKind, Watched};
use crate::ticket::{ClockKind, StatusMeaning};

/// A ticket first read this soon after its creation cannot have been paused and resumed before.
const SOON: TimeDelta = TimeDelta::minutes(5);

/// A stretch in which one technician, or nobody, held the ticket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holding {
    pub who: Option<String>,
    pub from: Bounds,
    pub to: Option<Bounds>,
}

/// A change of priority, SLA or client, which may bring another target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retarget {
    pub what: ChangeKind,
    pub from: Option<String>,
    pub to: Option<String>,
    pub at: Bounds,
}

/// The moment when another policy took over or the runners-up changed, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtherChoice {
    /// None if no policy matched any more.
    pub to: Option<String>,
    pub at: Bounds,
}

/// A move of a due time by SuperOps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DueMove {
    pub clock: ClockKind,
    pub from: Option<DateTime<Utc>>,
    pub to: Option<DateTime<Utc>>,
    pub at: Bounds,
}

/// Work on a ticket from its creation or reopening until it is resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cycle {
    pub from: Bounds,
    pub resolved: Option<Bounds>,
}

/// How much standing still to assume where moments are uncertain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// Only what is certain.
    Least,
    Likely,
    /// All that is possible.
    Most,
}

impl Reading {
    fn pick(self, least: DateTime<Utc>, likely: DateTime<Utc>, most: DateTime<Utc>) -> DateTime<Utc> {
        match self {
            Self::Least => least,
            Self::Likely => likely,
            Self::Most => most,
        }
    }

    /// Returns when a stretch of standing still begins, if it begins within `bounds`.
    pub fn beginning(self, bounds: Bounds) -> DateTime<Utc> {
        self.pick(bounds.latest, bounds.latest, bounds.earliest)
    }

    /// Returns when a stretch of standing still ends, if it ends within `bounds`.
    pub fn ending(self, bounds: Bounds) -> DateTime<Utc> {
        self.pick(bounds.earliest, bounds.latest, bounds.latest)
    }
}

/// A stretch in which a clock stood still; without an end while it still does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pause {
    pub from: DateTime<Utc>,
    pub to: Option<DateTime<Utc>>,
}

/// The history of one ticket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History {
    pub created_at: Option<DateTime<Utc>>,
    /// Without gaps since the creation; the first is never closed, the last has no end.
    pub periods: Vec<StatusPeriod>,
    pub holdings: Vec<Holding>,
    pub retargets: Vec<Retarget>,
    pub due_moves: Vec<DueMove>,
    /// The changes of the policy that holds.
    pub choices: Vec<OtherChoice>,
    /// When the ticket vanished, if it did.
    pub gone: Option<Bounds>,
    /// Time before the ticket was watched, in which it may have been paused.
    pub unseen: Option<Pause>,
}

impl History {
    /// Builds the history of `watched` from its `changes`, in any order; `meaning` says what a status means.
    ///
    /// The periods come from what is stored with the ticket, which the alerts use as well.
    pub fn tell(watched: &Watched, changes: &[Change], meaning: impl Fn(Option<&str>) -> StatusMeaning) -> Self {
        let changes = in_order(changes);
        let own = |period: StatusPeriod<&str>| StatusPeriod {
            status: period.status.map(str::to_owned),
            meaning: period.meaning,
            from: period.from,
            to: period.to,
        };
        Self {
            created_at: watched.ticket.created_at,
            periods: periods(watched, &meaning).into_iter().map(own).collect(),
            holdings: holdings(watched, &changes),
            retargets: changes.iter().filter_map(retarget).collect(),
            due_moves: changes.iter().filter_map(due_move).collect(),
            choices: changes.iter().filter_map(other_choice).collect(),
            gone: gone(watched),
            unseen: unseen(watched),
        }
    }

    /// Returns the part of the history that makes clocks run and stand still.
    pub fn status_history(&self) -> StatusHistory<'_, String> {
        StatusHistory { periods: &self.periods, gone: self.gone, unseen: self.unseen }
    }

    /// Returns when the ticket closed for good, as far as we know.
    pub fn closed(&self) -> Option<Bounds> {
        self.status_history().closed()
    }

    /// Returns the cycles: the first, and one more for each reopening.
    pub fn cycles(&self) -> Vec<Cycle> {
        let closed = |period: &StatusPeriod| period.meaning == StatusMeaning::Closed;
        let runs = self.periods.chunk_by(|a, b| closed(a) == closed(b));
        let work = runs.filter_map(|run| run.first().filter(|first| !closed(first)).zip(run.last()));
        work.map(|(first, last)| Cycle { from: first.from, resolved: last.to }).collect()
    }

    /// Returns when clock `kind` stood still, paused or closed; sorted, without overlaps.
    pub fn pauses(&self, kind: ClockKind, reading: Reading) -> Vec<Pause> {
        self.status_history().pauses(kind, reading)
    }

    /// Returns how much working time each technician held the ticket, up to `until`; longest first.
    pub fn ownership(&self, calendar: &Calendar, until: DateTime<Utc>) -> Vec<(Option<&str>, TimeDelta)> {
        let mut shares: Vec<(Option<&str>, TimeDelta)> = Vec::new();
        for holding in &self.holdings {
            let to = holding.to.map_or(until, |to| to.latest.min(until));
            let held = calendar.between(holding.from.latest.min(to), to);
            match shares.iter_mut().find(|(who, _)| *who == holding.who.as_deref()) {
                Some((_, sum)) => *sum += held,
                None => shares.push((holding.who.as_deref(), held)),
            }
        }
        shares.sort_by_key(|(_, held)| Reverse(*held));
        shares
    }
}

/// The part of a ticket's history that makes its clocks run and stand still.
pub struct StatusHistory<'s, S> {
    pub periods: &'s [StatusPeriod<S>],
    pub gone: Option<Bounds>,
    pub unseen: Option<Pause>,
}

impl<S> StatusHistory<'_, S> {
    /// Returns when the ticket closed for good, as far as we know.
    pub fn closed(&self) -> Option<Bounds> {
        let last = self.periods.iter().rev().take_while(|period| period.meaning == StatusMeaning::Closed).last();
        last.map(|period| period.from)
    }

    /// Returns when clock `kind` stood still, paused or closed; sorted, without overlaps.
    pub fn pauses(&self, kind: ClockKind, reading: Reading) -> Vec<Pause> {
        let runs = self.periods.chunk_by(|a, b| stands(kind, a) == stands(kind, b));
        let still = runs.filter_map(|run| run.first().filter(|first| stands(kind, first)).zip(run.last()));
        let seen = still.map(|(first, last)| Pause {
            from: reading.beginning(first.from),
            to: last.to.map(|to| reading.ending(to)),
        });
        let unseen = self.unseen.filter(|_| reading == Reading::Most && StatusMeaning::Paused.pauses(kind));
        merged(unseen.into_iter().chain(seen).collect())
    }
}

/// Returns when the ticket vanished, if it did: between the last read of it and when it was missed.
pub fn gone(watched: &Watched) -> Option<Bounds> {
    watched.vanished_at.map(|at| Bounds { earliest: watched.read_at.min(at), latest: at })
}

/// Whether clock `kind` stands still during `period`.
pub fn stands<S>(kind: ClockKind, period: &StatusPeriod<S>) -> bool {
    period.meaning == StatusMeaning::Closed || period.meaning.pauses(kind)
}

/// Sorts `pauses`, drops the empty ones and joins those that touch.
fn merged(mut pauses: Vec<Pause>) -> Vec<Pause> {
    pauses.retain(|pause| pause.to.is_none_or(|to| pause.from < to));
    pauses.sort_by_key(|pause| pause.from);
    let mut joined: Vec<Pause> = Vec::with_capacity(pauses.len());
    for pause in pauses {
        match joined.last_mut() {
            Some(last) if last.to.is_none_or(|to| pause.from <= to) => {
                last.to = last.to.zip(pause.to).map(|(a, b)| a.max(b));
            }
            _ => joined.push(pause),
        }
    }
    joined
}

/// Returns the time before the ticket was watched, in which it may have been paused.
pub fn unseen(watched: &Watched) -> Option<Pause> {
    let (from, to) = (beginning(watched), watched.first_seen_at);
    let is_known = watched.untouched.unwrap_or_else(|| is_untouched(watched));
    (to - from > SOON && !is_known).then_some(Pause { from, to: Some(to) })
}

fn retarget(seen: &Seen<'_>) -> Option<Retarget> {
    let Seen { change, at } = *seen;
    let counts = matches!(change.kind, ChangeKind::Priority | ChangeKind::Sla | ChangeKind::Client);
    let (from, to) = (change.from.clone(), change.to.clone());
    counts.then_some(Retarget { what: change.kind, from, to, at })
}

fn other_choice(seen: &Seen<'_>) -> Option<OtherChoice> {
    let chosen = seen.change.kind == ChangeKind::PolicyChoice;
    chosen.then(|| OtherChoice { to: seen.change.to.clone(), at: seen.at })
}

fn due_move(seen: &Seen<'_>) -> Option<DueMove> {
    let ChangeKind::DueMoved(clock) = seen.change.kind else { return None };
    Some(DueMove { clock, from: time_of(&seen.change.from), to: time_of(&seen.change.to), at: seen.at })
}

fn holdings(watched: &Watched, changes: &[Seen<'_>]) -> Vec<Holding> {
    let moves = || changes.iter().filter(|seen| seen.change.kind == ChangeKind::Assignee);
    let today = watched.ticket.technician.as_ref().map(|named| named.name.clone());
    let first = moves().next().map_or(today, |seen| seen.change.from.clone());
    let mut holdings = vec![Holding { who: first, from: exactly(beginning(watched)), to: None }];
    for seen in moves() {
        let last = holdings.last_mut().expect("it begins with one");
        if last.who != seen.change.to {
            let at = not_before(seen.at, last.from);
            last.to = Some(at);
            holdings.push(Holding { who: seen.change.to.clone(), from: at, to: None });
        }
    }
    holdings
}

#[cfg(test)]
pub(super) mod tests;
