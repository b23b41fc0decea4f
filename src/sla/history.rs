//! A ticket's history: which status it had when, who held it, what moved its targets, and its cycles.
//!
//! Told from the changes that watching it has shown. Each moment is known only
//! to lie between two others; the later one, SuperOps' own time of update where
//! there is one, is the likely one. There is one reading for whatever makes no sense:
//! - changes are read in the order of their later end, and one that comes twice counts once;
//! - bounds that are turned round are turned back;
//! - nothing ends before it begins: such a stretch has no length;
//! - where a change was missed, the ticket as last read has the last word.

use std::cmp::Reverse;

use chrono::{DateTime, TimeDelta, Utc};

use super::calendar::Calendar;
use crate::ticket::watch::{Bounds, Change, ChangeKind, Watched, ends};
use crate::ticket::{ClockKind, StatusMeaning};

/// A ticket first read this soon after its creation cannot have been parked and taken up again.
const SOON: TimeDelta = TimeDelta::minutes(5);

/// Moments are kept to this.
const TICK: TimeDelta = TimeDelta::milliseconds(1);

/// A stretch of one status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusPeriod<S = String> {
    /// None: blank, or from before the ticket was watched.
    pub status: Option<S>,
    pub meaning: StatusMeaning,
    pub from: Bounds,
    /// None: it lasts.
    pub to: Option<Bounds>,
}

/// A stretch in one technician's hands, or in nobody's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holding {
    pub who: Option<String>,
    pub from: Bounds,
    pub to: Option<Bounds>,
}

/// A change that brings another target: of priority, SLA or client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retarget {
    pub what: ChangeKind,
    pub from: Option<String>,
    pub to: Option<String>,
    pub at: Bounds,
}

/// Another policy came to hold, or to be a runner-up; in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtherChoice {
    /// None: no policy matched any more.
    pub to: Option<String>,
    pub at: Bounds,
}

/// SuperOps moved a due time.
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

/// How much standing still is assumed where moments are uncertain.
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

    /// When a stretch of standing still begins that begins within `bounds`.
    pub fn beginning(self, bounds: Bounds) -> DateTime<Utc> {
        self.pick(bounds.latest, bounds.latest, bounds.earliest)
    }

    /// When a stretch of standing still ends that ends within `bounds`.
    pub fn ending(self, bounds: Bounds) -> DateTime<Utc> {
        self.pick(bounds.earliest, bounds.latest, bounds.latest)
    }
}

/// A stretch in which a clock stood still; no end: it still does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pause {
    pub from: DateTime<Utc>,
    pub to: Option<DateTime<Utc>>,
}

/// The history of one ticket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History {
    pub created_at: Option<DateTime<Utc>>,
    /// Without gaps, from the creation on; the first is never closed, the last has no end.
    pub periods: Vec<StatusPeriod>,
    pub holdings: Vec<Holding>,
    pub retargets: Vec<Retarget>,
    pub due_moves: Vec<DueMove>,
    /// Other policies that came to hold.
    pub choices: Vec<OtherChoice>,
    /// When it vanished, if it is gone.
    pub gone: Option<Bounds>,
    /// Time before the ticket was watched, in which it may have been paused.
    pub unseen: Option<Pause>,
}

impl History {
    /// Tells the history of `watched` from its `changes`, in whatever order; `meaning` says what a status means.
    ///
    /// The periods are told from what is kept with the ticket, which the alerts go by as well.
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

    /// What of the history makes its clocks run and stand still.
    pub fn status_history(&self) -> StatusHistory<'_, String> {
        StatusHistory { periods: &self.periods, gone: self.gone, unseen: self.unseen }
    }

    /// When the ticket closed for good, as far as we know.
    pub fn closed(&self) -> Option<Bounds> {
        self.status_history().closed()
    }

    /// Work and rest in turn: one cycle, and one more for each reopening.
    pub fn cycles(&self) -> Vec<Cycle> {
        let closed = |period: &StatusPeriod| period.meaning == StatusMeaning::Closed;
        let runs = self.periods.chunk_by(|a, b| closed(a) == closed(b));
        let work = runs.filter_map(|run| run.first().filter(|first| !closed(first)).zip(run.last()));
        work.map(|(first, last)| Cycle { from: first.from, resolved: last.to }).collect()
    }

    /// When clock `kind` stood still, paused or closed: sorted, and no moment twice.
    pub fn pauses(&self, kind: ClockKind, reading: Reading) -> Vec<Pause> {
        self.status_history().pauses(kind, reading)
    }

    /// The working time that each technician held the ticket, up to `until`; longest first.
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

/// What of a ticket's history makes its clocks run and stand still.
pub struct StatusHistory<'s, S> {
    pub periods: &'s [StatusPeriod<S>],
    pub gone: Option<Bounds>,
    pub unseen: Option<Pause>,
}

impl<S> StatusHistory<'_, S> {
    /// When the ticket closed for good, as far as we know.
    pub fn closed(&self) -> Option<Bounds> {
        let last = self.periods.iter().rev().take_while(|period| period.meaning == StatusMeaning::Closed).last();
        last.map(|period| period.from)
    }

    /// When clock `kind` stood still, paused or closed: sorted, and no moment twice.
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

/// The statuses of `watched`, one after the other.
pub fn periods<'a>(
    watched: &'a Watched,
    meaning: &dyn Fn(Option<&str>) -> StatusMeaning,
) -> Vec<StatusPeriod<&'a str>> {
    let past = in_order(&watched.past);
    Teller::new(watched, &past, meaning).tell()
}

/// When it vanished, if it is gone: after it was last read.
pub fn gone(watched: &Watched) -> Option<Bounds> {
    watched.vanished_at.map(|at| Bounds { earliest: watched.read_at.min(at), latest: at })
}

/// Whether clock `kind` stands still during `period`.
pub fn stands<S>(kind: ClockKind, period: &StatusPeriod<S>) -> bool {
    period.meaning == StatusMeaning::Closed || period.meaning.pauses(kind)
}

/// A moment that is known.
pub fn exactly(at: DateTime<Utc>) -> Bounds {
    Bounds { earliest: at, latest: at }
}

/// A change, with its bounds the right way round.
#[derive(Clone, Copy)]
struct Seen<'a> {
    change: &'a Change,
    at: Bounds,
}

/// Each change once, by its later end, with its bounds the right way round.
fn in_order(changes: &[Change]) -> Vec<Seen<'_>> {
    let turned = |change| {
        let Change { at, .. }: &Change = change;
        Seen { change, at: Bounds { earliest: at.earliest.min(at.latest), latest: at.earliest.max(at.latest) } }
    };
    let mut changes: Vec<Seen<'_>> = changes.iter().map(turned).collect();
    changes.sort_by_key(|seen| (seen.at.latest, seen.at.earliest));
    let same = |a: &Change, b: &Change| a.kind == b.kind && a.from == b.from && a.to == b.to;
    let mut once: Vec<Seen<'_>> = Vec::with_capacity(changes.len());
    for seen in changes {
        if !once.iter().rev().take_while(|known| known.at == seen.at).any(|known| same(known.change, seen.change)) {
            once.push(seen);
        }
    }
    once
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

/// When the ticket begins, for us; a creation that lies ahead cannot be right.
pub fn beginning(watched: &Watched) -> DateTime<Utc> {
    let created = watched.ticket.created_at.filter(|created| *created <= watched.first_seen_at);
    created.unwrap_or(watched.first_seen_at)
}

/// Time before the ticket was watched, in which it may have been paused.
pub fn unseen(watched: &Watched) -> Option<Pause> {
    let (from, to) = (beginning(watched), watched.first_seen_at);
    let never_edited = watched.ticket.updated_at.is_some_and(|updated| updated <= from);
    (to - from > SOON && !never_edited).then_some(Pause { from, to: Some(to) })
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

fn time_of(text: &Option<String>) -> Option<DateTime<Utc>> {
    text.as_deref()?.parse().ok()
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

fn not_before(at: Bounds, floor: Bounds) -> Bounds {
    Bounds { earliest: at.earliest.max(floor.earliest), latest: at.latest.max(floor.latest) }
}

/// Tells the periods one by one.
struct Teller<'a, 'c> {
    watched: &'a Watched,
    changes: &'c [Seen<'a>],
    meaning: &'c dyn Fn(Option<&str>) -> StatusMeaning,
    /// Never empty.
    periods: Vec<StatusPeriod<&'a str>>,
    /// Where the present cycle begins among them.
    cycle: usize,
    /// A change away from a status that the ticket did not have.
    early: Option<&'a Change>,
}

impl<'a, 'c> Teller<'a, 'c> {
    fn new(watched: &'a Watched, changes: &'c [Seen<'a>], meaning: &'c dyn Fn(Option<&str>) -> StatusMeaning) -> Self {
        let moved = changes.iter().find(|seen| seen.change.kind == ChangeKind::Status);
        let first = match moved {
            Some(seen) => seen.change.from.as_deref(),
            // It had another status, of which nothing is recorded.
            None if watched.status_since.is_some() => None,
            None => watched.ticket.status.as_deref(),
        };
        let start = beginning(watched);
        let means = meaning(first);
        let open = StatusPeriod { status: None, meaning: StatusMeaning::Open, from: exactly(start), to: None };
        let mut teller = Self { watched, changes, meaning, periods: vec![open], cycle: 0, early: None };
        if means == StatusMeaning::Open {
            teller.periods[0].status = first;
        } else {
            teller.enter(first, means, Bounds { earliest: start, latest: watched.first_seen_at.max(start) });
        }
        teller
    }

    fn tell(mut self) -> Vec<StatusPeriod<&'a str>> {
        for seen in self.changes {
            match seen.change.kind {
                ChangeKind::Status => self.status(*seen),
                ChangeKind::Resolved => self.resolved(time_of(&seen.change.to), seen.at),
                ChangeKind::Reopened => self.reopened(seen.at),
                _ => {}
            }
        }
        self.as_last_read();
        self.periods
    }

    /// A change away from a status that comes before the change to it leaves that status no time.
    fn status(&mut self, seen: Seen<'a>) {
        let early = self.early.take();
        let Seen { change, at } = seen;
        let to = change.to.as_deref();
        let means = (self.meaning)(to);
        if self.last().status == to && self.last().meaning == means {
            let before = self.periods.len().checked_sub(2).map(|index| &self.periods[index]);
            let doubled = before.is_some_and(|period| period.status == change.from.as_deref());
            self.early = Some(change).filter(|_| !doubled);
            return;
        }
        self.enter(to, means, at);
        if let Some(early) = early.filter(|early| early.from == change.to) {
            self.enter(early.to.as_deref(), (self.meaning)(early.to.as_deref()), at);
        }
    }

    fn last(&self) -> &StatusPeriod<&'a str> {
        self.periods.last().expect("it begins with one")
    }

    fn enter(&mut self, status: Option<&'a str>, meaning: StatusMeaning, at: Bounds) {
        let last = self.periods.last_mut().expect("it begins with one");
        if last.status == status && last.meaning == meaning {
            return;
        }
        let at = not_before(at, last.from);
        last.to = Some(at);
        if last.meaning == StatusMeaning::Closed && meaning != StatusMeaning::Closed {
            self.cycle = self.periods.len();
        }
        self.periods.push(StatusPeriod { status, meaning, from: at, to: None });
    }

    /// A time of resolution that SuperOps gives is believed where it lies in the
    /// present cycle; what followed it was no work, unless a status that is no
    /// closed one came well after it: then the ticket was reopened meanwhile.
    fn resolved(&mut self, told: Option<DateTime<Utc>>, seen: Bounds) {
        let told = told.filter(|at| *at <= seen.latest && self.is_of_this_cycle(*at));
        let at = told.map_or(seen, exactly);
        if self.last().meaning == StatusMeaning::Closed && told.is_none() {
            return;
        }
        let StatusPeriod { status, meaning, from, .. } = *self.last();
        let came_later = self.periods.len() > 1 && !ends(at.latest, from.latest);
        while self.periods.len() > self.cycle + 1
            && (self.last().meaning == StatusMeaning::Closed || self.last().from.latest > at.latest)
        {
            self.periods.pop();
        }
        self.enter(status, StatusMeaning::Closed, at);
        if meaning != StatusMeaning::Closed && came_later {
            self.enter(status, meaning, Bounds { earliest: at.latest + TICK, latest: from.latest });
        }
    }

    fn reopened(&mut self, at: Bounds) {
        if self.last().meaning == StatusMeaning::Closed {
            let status = self.watched.ticket.status.as_deref().filter(|_| self.last().status.is_none());
            let status = status.or(self.last().status);
            let means = match (self.meaning)(status) {
                StatusMeaning::Closed => StatusMeaning::Open,
                means => means,
            };
            self.enter(status, means, at);
        }
    }

    /// The ticket as last read is what holds, whatever the changes say.
    fn as_last_read(&mut self) {
        let ticket = &self.watched.ticket;
        let status = ticket.status.as_deref();
        let means = (self.meaning)(status);
        let closed = means == StatusMeaning::Closed;
        let solved = self.last().meaning == StatusMeaning::Closed && self.last().status == status;
        if self.last().status != status || (self.last().meaning != means && !solved) {
            let unknown = Bounds { earliest: self.last().from.latest, latest: self.watched.read_at };
            self.enter(status, means, self.watched.status_since.unwrap_or(unknown));
        }
        let told = ticket.resolution.met_at;
        let never_changed = self.periods.len() == 1;
        let told = told.filter(|at| closed || never_changed || ends(*at, self.last().from.latest));
        if let Some(at) = told.filter(|at| self.is_of_this_cycle(*at)) {
            self.resolved(Some(at), exactly(at));
        }
    }

    /// SuperOps may keep the time of a resolution after the ticket was reopened.
    fn is_of_this_cycle(&self, at: DateTime<Utc>) -> bool {
        self.cycle == 0 || self.periods[self.cycle].from.earliest <= at
    }
}

#[cfg(test)]
pub(super) mod tests;
