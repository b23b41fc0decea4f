//! Why a clock shows what it shows, line by line.
//!
//! Each line is a stretch of the ticket's life, or a moment that changed its
//! target. The counted times of the lines add up to the time that the clock has used.

pub mod words;

use chrono::{DateTime, TimeDelta, Utc};

use super::calendar::{Calendar, StretchKind};
use super::clock::{Basis, Explained, Standing};
use super::history::{DueMove, History, OtherChoice, Retarget, StatusPeriod, stands};
use crate::sla::zone::Tz;
use crate::ticket::manual_override::ManualOverride;
use crate::ticket::watch::Bounds;
use crate::ticket::{ClockKind, StatusMeaning};

/// After this many lines, the rest of a stretch of work is one line: nobody reads more.
const MOST_LINES: usize = 2_000;

/// What a line says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    Counted,
    /// Closed by the calendar.
    Shut(StretchKind),
    Paused {
        status: Option<String>,
    },
    /// Resolved; work goes on in the next cycle, if there is one.
    Resolved {
        status: Option<String>,
    },
    Retargeted {
        change: Retarget,
        old_due: Option<DateTime<Utc>>,
        new_due: Option<DateTime<Utc>>,
        made_late: bool,
    },
    DueMoved(DueMove),
    /// Another policy holds from here on.
    Chosen(OtherChoice),
    /// A manual override of the clock.
    ByHand(ManualOverride),
}

/// One line; `from` and `to` of a moment are the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub entry: Entry,
    pub from: DateTime<Utc>,
    pub to: DateTime<Utc>,
    /// Working time by the calendar.
    pub working: TimeDelta,
    /// How much of it counts.
    pub counted: TimeDelta,
}

/// How the clock of a ledger stands, and on what basis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conclusion {
    pub basis: Basis,
    /// The policy that holds for the ticket, in words.
    pub policy: Option<String>,
    /// The active working time allowed.
    pub target: TimeDelta,
    pub standing: Standing,
    /// When it is due; while it is paused, when it would be due without the pause.
    pub due: Option<DateTime<Utc>>,
    pub due_bounds: Option<Bounds>,
    pub due_if_resumed: Option<DateTime<Utc>>,
    pub breached_between: Option<Bounds>,
    pub stopped_at: Option<DateTime<Utc>>,
    /// The working time between start and due time in which the clock stood still.
    pub stood: TimeDelta,
}

/// All lines of one clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ledger {
    pub kind: ClockKind,
    pub zone: Tz,
    /// The name of the calendar it is counted by.
    pub calendar: String,
    /// The version of what was promised; none if none is recorded yet.
    pub version: Option<u32>,
    pub lines: Vec<Line>,
    /// What the lines add up to.
    pub counted: TimeDelta,
    pub conclusion: Conclusion,
    /// When it is read, if that is known: a weekday alone names no day of long ago.
    pub read_at: Option<DateTime<Utc>>,
}

impl Ledger {
    /// Returns the ledger with the version of what was promised.
    pub fn of_version(self, version: Option<u32>) -> Self {
        Self { version, ..self }
    }

    /// Returns the ledger as it is read at `now`.
    pub fn read_at(self, now: DateTime<Utc>) -> Self {
        Self { read_at: Some(now), ..self }
    }

    /// Writes the ledger of a clock.
    pub fn of(clock: &Explained<'_>, history: &History) -> Self {
        let state = &clock.state;
        let basis = state.basis.unwrap_or(Basis::Policy);
        let moved = history.due_moves.iter().filter(|moved| basis != Basis::Policy && moved.clock == state.kind);
        let events = retargeted(clock, history).chain(chosen(history)).chain(moved.copied().map(Entry::DueMoved));
        let events = events.chain(clock.decided.clone().map(Entry::ByHand)).collect();
        let life = |until| Life::new(history, state.kind, clock.calendar, clock.start, until);
        let conclusion = Conclusion {
            basis,
            policy: clock.policy.map(words::policy),
            target: clock.target,
            standing: state.standing,
            due: state.due,
            due_bounds: clock.due_bounds,
            due_if_resumed: state.due_if_resumed,
            breached_between: clock.breached_between,
            stopped_at: state.stopped_at,
            stood: state.due.map_or(TimeDelta::zero(), |due| life(due.max(clock.start)).stood()),
        };
        life(clock.until).ledger(events, conclusion)
    }
}

fn retargeted<'a>(clock: &'a Explained<'_>, history: &'a History) -> impl Iterator<Item = Entry> + 'a {
    history.retargets.iter().map(|change| {
        let told = clock.target_changes.iter().find(|told| told.change == *change);
        Entry::Retargeted {
            change: change.clone(),
            old_due: told.and_then(|told| told.old_due),
            new_due: told.and_then(|told| told.new_due),
            made_late: told.is_some_and(|told| told.made_late),
        }
    })
}

/// A ticket's life as one clock counts it.
struct Life<'a> {
    history: &'a History,
    kind: ClockKind,
    calendar: &'a Calendar,
    start: DateTime<Utc>,
    until: DateTime<Utc>,
}

impl<'a> Life<'a> {
    fn new(
        history: &'a History,
        kind: ClockKind,
        calendar: &'a Calendar,
        start: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Self {
        Self { history, kind, calendar, start, until }
    }

    fn ledger(self, events: Vec<Entry>, conclusion: Conclusion) -> Ledger {
        let spec = self.calendar.spec();
        let (zone, calendar) = (spec.timezone, spec.name.clone());
        let mut lines = self.lines(&events);
        lines.extend(events.into_iter().map(|entry| self.moment(entry)));
        // A stretch that ends at a moment comes before it; one that begins there comes after it.
        lines.sort_by_key(|line| (line.to, line.from));
        let counted = lines.iter().map(|line| line.counted).sum();
        Ledger { kind: self.kind, zone, calendar, version: None, lines, counted, conclusion, read_at: None }
    }

    fn lines(&self, events: &[Entry]) -> Vec<Line> {
        let mut lines = Vec::new();
        for (period, from, to) in self.periods() {
            if stands(self.kind, period) {
                lines.push(self.still(period, from, to));
            } else {
                let mut cuts: Vec<_> = events.iter().map(moment_of).filter(|at| from < *at && *at < to).collect();
                cuts.sort_unstable();
                cuts.push(to);
                let mut from = from;
                for to in cuts {
                    self.work(from, to, &mut lines);
                    from = to;
                }
            }
        }
        lines
    }

    /// Returns the non-empty periods within this life, by their likely ends.
    fn periods(&self) -> impl Iterator<Item = (&'a StatusPeriod, DateTime<Utc>, DateTime<Utc>)> + '_ {
        let within = |period: &'a StatusPeriod| {
            let from = period.from.latest.clamp(self.start, self.until);
            let to = period.to.map_or(self.until, |to| to.latest.clamp(self.start, self.until));
            (period, from, to)
        };
        self.history.periods.iter().map(within).filter(|(_, from, to)| from < to)
    }

    fn still(&self, period: &StatusPeriod, from: DateTime<Utc>, to: DateTime<Utc>) -> Line {
        let status = period.status.clone();
        let entry = match period.meaning {
            StatusMeaning::Closed => Entry::Resolved { status },
            _ => Entry::Paused { status },
        };
        Line { entry, from, to, working: self.calendar.between(from, to), counted: TimeDelta::zero() }
    }

    fn work(&self, from: DateTime<Utc>, to: DateTime<Utc>, lines: &mut Vec<Line>) {
        for stretch in self.calendar.stretches(from, to) {
            let open = stretch.kind == StretchKind::Open;
            let full = lines.len() >= MOST_LINES;
            let end = if full { to } else { stretch.to };
            let counted = self.calendar.between(stretch.from, end);
            let entry = if open || full { Entry::Counted } else { Entry::Shut(stretch.kind) };
            lines.push(Line { entry, from: stretch.from, to: end, working: counted, counted });
            if full {
                break;
            }
        }
    }

    fn moment(&self, entry: Entry) -> Line {
        let at = moment_of(&entry).clamp(self.start, self.until);
        Line { entry, from: at, to: at, working: TimeDelta::zero(), counted: TimeDelta::zero() }
    }

    /// Returns the working time in which the clock stood still, without a pause or closing that still lasts.
    fn stood(&self) -> TimeDelta {
        let still = self.periods().filter(|(period, ..)| stands(self.kind, period) && period.to.is_some());
        still.map(|(_, from, to)| self.calendar.between(from, to)).sum()
    }
}

fn chosen(history: &History) -> impl Iterator<Item = Entry> + '_ {
    history.choices.iter().cloned().map(Entry::Chosen)
}

fn moment_of(entry: &Entry) -> DateTime<Utc> {
    match entry {
        Entry::Retargeted { change, .. } => change.at.latest,
        Entry::DueMoved(moved) => moved.at.latest,
        Entry::Chosen(choice) => choice.at.latest,
        Entry::ByHand(decided) => decided.at,
        _ => DateTime::<Utc>::MIN_UTC,
    }
}

#[cfg(test)]
mod tests;
