//! Computes the entries of one ticket from what is known of it: a pure function, so that a rebuild gives the same.
//!
//! Each round is judged as the ticket stood at its end, by the clock that pages show and alerts use. Of several
//! versions of the terms, the one in force when the clock was decided holds: a newer policy judges nothing again.

mod page;
mod shares;
mod why;

use chrono::{DateTime, TimeDelta, Utc};

use super::{Entry, Held, Round, SETTLE, rounds};
use crate::sla::clock::{Truth, reckon};
use crate::sla::history::{History, StatusHistory};
use crate::sla::tenant_rules::TenantRules;
use crate::sla::zone::Tz;
use crate::ticket::conversation::ConversationSummary;
use crate::ticket::manual_override::ManualOverride;
use crate::ticket::watch::Watched;
use crate::ticket::{ClockKind, RefId, Reported};

/// A clock is over this long after its target.
const TICK: TimeDelta = TimeDelta::milliseconds(1);

/// A message of the client after the first response, and the answer to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    pub asked_at: DateTime<Utc>,
    pub answered_at: Option<DateTime<Utc>>,
    /// Who answered, where that is known.
    pub by: Option<RefId>,
}

/// The rules of a tenant, and from when they hold.
#[derive(Clone, Copy, Debug)]
pub struct Era<'a> {
    pub rules: &'a TenantRules,
    /// The number of the version of the terms.
    pub version: u32,
    pub from: DateTime<Utc>,
}

/// What is known of one ticket.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    pub watched: &'a Watched,
    pub history: &'a History,
    pub held: &'a [Held],
    /// Oldest first.
    pub exchanges: &'a [Exchange],
    /// The technician who gave the first response.
    pub first_answer_by: Option<&'a RefId>,
    /// Oldest first, at least one; the first holds for everything before it as well.
    pub eras: &'a [Era<'a>],
    /// The maintenance windows that match this ticket.
    pub maintenance: &'a [(DateTime<Utc>, DateTime<Utc>)],
    /// The zone whose days are meant.
    pub zone: Tz,
}

/// Returns the entries of the ticket decided by `now`: round by round, at most one of each clock.
pub fn book(facts: &Facts<'_>, now: DateTime<Utc>) -> Vec<Entry> {
    let rounds = rounds(&facts.history.periods, SETTLE);
    let mut entries = Vec::new();
    for (index, round) in rounds.iter().enumerate() {
        let is_last = index + 1 == rounds.len();
        let watched = as_of(facts, &rounds, index);
        let kinds: &[_] = if index == 0 { &ClockKind::REPORTED } else { &[ClockKind::Resolution] };
        let number = u32::try_from(index + 1).unwrap_or(u32::MAX);
        for kind in kinds {
            let page = Page { facts, watched: &watched, round: *round, is_last, kind: *kind, number, by: None };
            entries.extend(page.entry(now));
        }
    }
    for (index, exchange) in facts.exchanges.iter().enumerate() {
        let place = rounds.iter().rposition(|round| round.from <= exchange.asked_at).unwrap_or_default();
        let mut watched = as_of(facts, &rounds, place);
        watched.conversation = ConversationSummary {
            asked_at: Some(exchange.asked_at),
            answered_at: exchange.answered_at,
            ..watched.conversation
        };
        let number = u32::try_from(index + 1).unwrap_or(u32::MAX);
        let (round, is_last) = (rounds[place], place + 1 == rounds.len());
        let page = Page {
            facts,
            watched: &watched,
            round: Round { reopened_at: None, ..round },
            is_last,
            kind: ClockKind::NextResponse,
            number,
            by: exchange.by.as_ref(),
        };
        entries.extend(page.entry(now));
    }
    entries
}

/// Returns the ticket as it stood at the end of round `index`; in the last round, as it is.
fn as_of(facts: &Facts<'_>, rounds: &[Round], index: usize) -> Watched {
    let mut watched = facts.watched.clone();
    let last = rounds.len() - 1;
    let (own, cycle) = (cycles_of(facts.history, rounds, index), watched.cycle);
    let count = u32::try_from(facts.history.cycles().len()).unwrap_or(u32::MAX);
    // The present cycle is the last one in the history.
    let number = |decided: &ManualOverride| (count + decided.cycle).checked_sub(cycle + 1);
    watched.overrides.retain(|decided| number(decided).map_or(index == 0, |number| own.contains(&number)));
    watched.overrides.iter_mut().for_each(|decided| decided.cycle = cycle);
    if index < last {
        let end = rounds[index].end.unwrap_or(DateTime::<Utc>::MAX_UTC);
        watched.vanished_at = None;
        watched.ticket.resolution = Reported { due: due_at(facts, end), met_at: Some(end), breached: None };
        let answer = &mut watched.ticket.first_response;
        answer.met_at = answer.met_at.filter(|at| *at <= end);
        watched.replied_at = watched.replied_at.filter(|at| *at <= end);
    }
    watched
}

/// Returns the numbers, from 0, of the cycles of round `index`: a short closing separates two cycles of one round.
fn cycles_of(history: &History, rounds: &[Round], index: usize) -> std::ops::Range<u32> {
    let cycles = history.cycles();
    let from = |round: &Round| cycles.iter().filter(|cycle| cycle.from.latest < round.from).count();
    let next = rounds.get(index + 1).map_or(cycles.len(), from);
    let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let first = if index == 0 { 0 } else { from(&rounds[index]) };
    number(first)..number(next)
}

/// Returns when, according to SuperOps at `end`, the resolution was due.
fn due_at(facts: &Facts<'_>, end: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let mut moves = facts.history.due_moves.iter().filter(|moved| moved.clock == ClockKind::Resolution);
    match moves.find(|moved| moved.at.latest > end) {
        Some(later) => later.from,
        None => facts.watched.ticket.resolution.due,
    }
}

/// One clock of one round, about to be entered.
struct Page<'f, 'a> {
    facts: &'f Facts<'a>,
    watched: &'f Watched,
    round: Round,
    is_last: bool,
    kind: ClockKind,
    number: u32,
    by: Option<&'f RefId>,
}

/// Returns the next moment after `now` at which something is decided though nothing changes: when the first running
/// clock is over. `entries` are those already decided.
pub fn next_decision(facts: &Facts<'_>, entries: &[Entry], now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let era = facts.eras.last()?;
    let rounds = rounds(&facts.history.periods, SETTLE);
    let last = rounds.len() - 1;
    let first = last == 0;
    let is_open = |kind: &ClockKind| match kind {
        ClockKind::FirstResponse if !first => false,
        ClockKind::NextResponse => facts.watched.conversation.asked_at.is_some(),
        kind => !entries.iter().any(|entry| entry.clock == *kind && entry.round as usize == last + 1),
    };
    let over = |kind: ClockKind| {
        let history = facts.history;
        let statuses = StatusHistory { periods: &history.periods[..], gone: history.gone, unseen: history.unseen };
        reckon(facts.watched, statuses, kind, era.rules, Truth::Record)?.over_from()
    };
    let verdicts = entries.iter().flat_map(|entry| later_verdicts(facts, entry));
    ClockKind::ALL.into_iter().filter(is_open).filter_map(over).chain(verdicts).filter(|at| *at > now).min()
}

/// When SuperOps and the policy, each on its own, find that a decided clock that still runs is late.
fn later_verdicts(facts: &Facts<'_>, entry: &Entry) -> impl Iterator<Item = DateTime<Utc>> {
    let history = facts.history;
    let statuses = StatusHistory { periods: &history.periods[..], gone: history.gone, unseen: history.unseen };
    let reported = facts.watched.ticket.reported(entry.clock);
    let by_superops = reported.due.filter(|_| reported.breached.is_none()).map(|due| due + TICK);
    let era = facts.eras.iter().find(|era| era.version == entry.version);
    let by_policy = era.and_then(|era| reckon(facts.watched, statuses, entry.clock, era.rules, Truth::Policy));
    let both = [by_superops, by_policy.and_then(|clock| clock.over_from())];
    both.into_iter().flatten().filter(|_| entry.stopped_at.is_none())
}
