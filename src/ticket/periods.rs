//! Works out from the changes seen which status a ticket had when, and when it was over.
//!
//! Data that makes no sense is read in one fixed way:
//! - changes are read in the order of their later bound, and one that comes twice counts once;
//! - swapped bounds are swapped back;
//! - nothing ends before it begins: such a stretch has no length;
//! - if a change was missed, the ticket as last read decides.

use chrono::{DateTime, TimeDelta, Utc};

use super::StatusMeaning;
use super::status_names::{is_at_work, looks_closed};
use super::watch::{Bounds, Change, ChangeKind, Watched, ends};

/// The precision that moments are kept to.
const TICK: TimeDelta = TimeDelta::milliseconds(1);

/// A stretch of one status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusPeriod<S = String> {
    /// None if it was blank, or from before the ticket was watched.
    pub status: Option<S>,
    pub meaning: StatusMeaning,
    pub from: Bounds,
    /// None while it lasts.
    pub to: Option<Bounds>,
}

/// Returns the statuses of `watched`, one after the other.
pub fn periods<'a>(
    watched: &'a Watched,
    meaning: &dyn Fn(Option<&str>) -> StatusMeaning,
) -> Vec<StatusPeriod<&'a str>> {
    let past = in_order(&watched.past);
    Teller::new(watched, &past, meaning).tell()
}

/// Whether a ticket that was over after `periods` is worked on again in `status`, which means `meaning`.
///
/// Only a status known to mean work proves that: known by the lists, by its name, or because the ticket was worked on
/// in it before. While the time of resolution stands, any other status is just another name for done.
pub fn is_taken_up(periods: &[StatusPeriod<&str>], status: Option<&str>, meaning: StatusMeaning) -> bool {
    let worked_in = |period: &StatusPeriod<&str>| period.meaning != StatusMeaning::Closed && period.status == status;
    let is_unclear = meaning == StatusMeaning::Open && status.is_some_and(|name| !looks_closed(name));
    means_work(status, meaning) || (is_unclear && periods.iter().any(worked_in))
}

/// Whether `status`, which means `meaning`, is known to mean work or waiting, by the lists or by its name.
fn means_work(status: Option<&str>, meaning: StatusMeaning) -> bool {
    match meaning {
        StatusMeaning::Closed => false,
        StatusMeaning::ListedOpen | StatusMeaning::Paused | StatusMeaning::PausedThroughout => true,
        StatusMeaning::Open => status.is_some_and(is_at_work),
    }
}

/// Whether a resolution at `resolved` ended the work on `watched` in `status`, which means `meaning` and which it
/// `entered` then, or had when it was first seen.
///
/// SuperOps may keep the time after the ticket was reopened. So a status of work that came after it, however soon, is a
/// reopening, and so is any other that came well after it. As the clocks may differ a little, a resolution at the moment
/// of entering counts as an earlier one in a status of work, and as its own in any other.
pub fn is_over_by(
    watched: &Watched,
    status: Option<&str>,
    meaning: StatusMeaning,
    entered: Option<DateTime<Utc>>,
    resolved: DateTime<Utc>,
) -> bool {
    match (meaning, entered) {
        (StatusMeaning::ListedOpen, _) => false,
        _ if means_work(status, meaning) => !ends(entered.unwrap_or(watched.first_seen_at), resolved),
        (_, Some(entered)) => ends(resolved, entered),
        (_, None) => true,
    }
}

/// Whether a resolution at `at` belongs to the present cycle. SuperOps may keep its time after the ticket was reopened.
pub fn is_of_this_cycle(periods: &[StatusPeriod<&str>], at: DateTime<Utc>) -> bool {
    let is_closed = |period: &StatusPeriod<&str>| period.meaning == StatusMeaning::Closed;
    let reopening = periods.windows(2).rev().find(|pair| is_closed(&pair[0]) && !is_closed(&pair[1]));
    reopening.is_none_or(|pair| pair[0].from.latest < at && pair[1].from.earliest <= at)
}

/// Returns the bounds of a moment that is known exactly.
pub fn exactly(at: DateTime<Utc>) -> Bounds {
    Bounds { earliest: at, latest: at }
}

/// A change, with its bounds in the right order.
#[derive(Clone, Copy)]
pub struct Seen<'a> {
    pub change: &'a Change,
    pub at: Bounds,
}

/// Returns each change once, sorted by its later bound, with its bounds in the right order.
pub fn in_order(changes: &[Change]) -> Vec<Seen<'_>> {
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

/// Returns when the ticket begins for us; a creation after it was first seen cannot be right.
pub fn beginning(watched: &Watched) -> DateTime<Utc> {
    let created = watched.ticket.created_at.filter(|created| *created <= watched.first_seen_at);
    created.unwrap_or(watched.first_seen_at)
}

/// Whether nobody has edited the ticket since it began.
pub fn is_untouched(watched: &Watched) -> bool {
    watched.ticket.updated_at.is_some_and(|updated| updated <= beginning(watched))
}

/// Parses the moment that a change records.
pub fn time_of(text: &Option<String>) -> Option<DateTime<Utc>> {
    text.as_deref()?.parse().ok()
}

/// Returns `at`, moved up so that it does not come before `floor`.
pub fn not_before(at: Bounds, floor: Bounds) -> Bounds {
    Bounds { earliest: at.earliest.max(floor.earliest), latest: at.latest.max(floor.latest) }
}

/// Whether it records that a time of resolution came, changed or went.
fn is_ending(seen: &Seen<'_>) -> bool {
    matches!(seen.change.kind, ChangeKind::Resolved | ChangeKind::Reopened)
}

/// Builds the periods one by one.
struct Teller<'a, 'c> {
    watched: &'a Watched,
    changes: &'c [Seen<'a>],
    meaning: &'c dyn Fn(Option<&str>) -> StatusMeaning,
    /// Never empty.
    periods: Vec<StatusPeriod<&'a str>>,
    /// The index of the period in which the present cycle begins.
    cycle: usize,
    /// A change away from a status that the ticket did not have.
    early: Option<&'a Change>,
}

impl<'a, 'c> Teller<'a, 'c> {
    fn new(watched: &'a Watched, changes: &'c [Seen<'a>], meaning: &'c dyn Fn(Option<&str>) -> StatusMeaning) -> Self {
        let moved = changes.iter().find(|seen| seen.change.kind == ChangeKind::Status);
        let first = match moved {
            Some(seen) => seen.change.from.as_deref(),
            // It had another status, which was not recorded.
            None if watched.status_since.is_some() => None,
            None => watched.ticket.status.as_deref(),
        };
        let start = beginning(watched);
        let means = meaning(first);
        let open = StatusPeriod { status: None, meaning: StatusMeaning::Open, from: exactly(start), to: None };
        let mut teller = Self { watched, changes, meaning, periods: vec![open], cycle: 0, early: None };
        if !matches!(means, StatusMeaning::Open | StatusMeaning::ListedOpen) {
            teller.enter(first, means, Bounds { earliest: start, latest: watched.first_seen_at.max(start) });
            return teller;
        }
        (teller.periods[0].status, teller.periods[0].meaning) = (first, means);
        let may_be_over = moved.is_some() && !means_work(first, means);
        if let Some(at) = teller.resolved_before(0).filter(|at| may_be_over && *at <= watched.first_seen_at) {
            // It was over when it was first seen, though in a status that is not listed.
            teller.resolved(Some(at), exactly(at));
        }
        teller
    }

    fn tell(mut self) -> Vec<StatusPeriod<&'a str>> {
        for (place, seen) in self.changes.iter().enumerate() {
            match seen.change.kind {
                ChangeKind::Status => self.status(*seen, place),
                ChangeKind::Resolved => self.resolved(time_of(&seen.change.to), seen.at),
                ChangeKind::Reopened => self.reopened(*seen, place),
                _ => {}
            }
        }
        self.as_last_read();
        self.periods
    }

    /// Reads a change of status. If the change away from a status comes before the one to it, that status gets no time.
    fn status(&mut self, seen: Seen<'a>, place: usize) {
        let early = self.early.take();
        let Seen { change, at } = seen;
        let to = change.to.as_deref();
        let means = if self.stays_over(to, place) { StatusMeaning::Closed } else { (self.meaning)(to) };
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

    /// Whether the ticket is still over in `to`, the status that it went to with the change at `place`.
    fn stays_over(&self, to: Option<&str>, place: usize) -> bool {
        self.last().meaning == StatusMeaning::Closed
            && !is_taken_up(&self.periods, to, (self.meaning)(to))
            && self.resolution_stands(place)
    }

    /// Whether the time of resolution survives the change at `place`, or is set again with it.
    fn resolution_stands(&self, place: usize) -> bool {
        let at = self.changes[place].at;
        let beside = self.changes[place..].iter().take_while(|seen| seen.at == at).position(|seen| is_ending(seen));
        let Some(beside) = beside.map(|further| place + further) else { return self.resolved_before(place).is_some() };
        let Change { kind, from, .. } = self.changes[beside].change;
        let (was, became) = (time_of(from), self.resolved_before(beside + 1));
        *kind == ChangeKind::Resolved || (was.is_some() && was == became)
    }

    /// Returns the time of resolution that SuperOps gave before the change at `place`, as the next resolution or
    /// reopening records it.
    fn resolved_before(&self, place: usize) -> Option<DateTime<Utc>> {
        let next = self.changes[place..].iter().find(|seen| is_ending(seen));
        next.map_or(self.watched.ticket.resolution.met_at, |seen| time_of(&seen.change.from))
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

    /// Reads a resolution. A time of resolution that SuperOps gives is believed if it lies in the present cycle. What
    /// followed it was not work, unless the present status shows that the ticket was reopened meanwhile.
    fn resolved(&mut self, given: Option<DateTime<Utc>>, seen: Bounds) {
        let is_earlier = given.is_some_and(|at| !is_of_this_cycle(&self.periods, at));
        let told = given.filter(|at| *at <= seen.latest && !is_earlier);
        let at = told.map_or(seen, exactly);
        if told.is_none() && (is_earlier || self.last().meaning == StatusMeaning::Closed) {
            return;
        }
        let StatusPeriod { status, meaning, from, .. } = *self.last();
        let came_later = !self.is_over_by(at.latest);
        while self.periods.len() > self.cycle + 1
            && (self.last().meaning == StatusMeaning::Closed || self.last().from.latest > at.latest)
        {
            self.periods.pop();
        }
        self.enter(status, StatusMeaning::Closed, at);
        if meaning != StatusMeaning::Closed && came_later {
            let earliest = at.latest + TICK;
            self.enter(status, meaning, Bounds { earliest, latest: from.latest.max(earliest) });
        }
    }

    /// Whether a resolution at `resolved` ended the work in the last period.
    fn is_over_by(&self, resolved: DateTime<Utc>) -> bool {
        let StatusPeriod { status, meaning, from, .. } = *self.last();
        let entered = (self.periods.len() > 1).then_some(from.latest);
        is_over_by(self.watched, status, meaning, entered, resolved)
    }

    /// Reads a reopening. It was none if its status is known by now to be closed, or if the resolution stands in it.
    fn reopened(&mut self, seen: Seen<'a>, place: usize) {
        let Seen { change, at } = seen;
        let to = change.to.as_deref();
        if (self.meaning)(to) == StatusMeaning::Closed || self.stays_over(to, place) {
            return;
        }
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

    /// Makes the ticket as last read hold, whatever the changes say.
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
        if let Some(at) = told.filter(|at| closed || solved || self.is_over_by(*at)) {
            self.resolved(Some(at), exactly(at));
        }
    }
}
