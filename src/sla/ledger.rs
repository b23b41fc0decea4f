//! Why a clock shows what it shows, line by line.
//!
//! Each line is a stretch of the ticket's life, or a moment that changed its
//! target. The time counted in the lines adds up to the time elapsed. With a
//! policy the ledger explains the computed clock; without one it shows what lies
//! between the ticket's creation and the due time that SuperOps reports.

pub mod words;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;

use super::calendar::{Calendar, StretchKind};
use super::clock::{ClockState, Standing};
use super::computed::{Computed, StopCause};
use super::desk::Hours;
use super::history::{DueMove, History, OtherChoice, Retarget, Spell, stands};
use crate::ticket::by_hand::Override;
use crate::ticket::watch::Bounds;
use crate::ticket::{ClockKind, StatusMeaning};

/// From here on the rest of a stretch of work is one line: nobody reads more.
const MOST_LINES: usize = 2_000;

/// What a line tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    Counted,
    /// Closed, by the calendar.
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
    /// Which policy holds from here on.
    Chosen(OtherChoice),
    /// A person decided about the clock.
    ByHand(Override),
}

/// One line; a moment's two ends are the same.
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

/// Whose reckoning a ledger explains, and how it ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Conclusion {
    Computed {
        policy: String,
        target: TimeDelta,
        standing: Standing,
        due: Option<DateTime<Utc>>,
        due_bounds: Option<Bounds>,
        due_if_resumed: Option<DateTime<Utc>>,
        breached_between: Option<Bounds>,
        stopped_at: Option<DateTime<Utc>>,
    },
    Reported {
        standing: Standing,
        due: Option<DateTime<Utc>>,
        /// Working time from creation to the due time.
        total: Option<TimeDelta>,
        /// How much of that the ticket was seen paused or closed.
        stood: TimeDelta,
    },
}

/// All lines of one clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ledger {
    pub kind: ClockKind,
    pub zone: Tz,
    /// Which hours count, by name.
    pub calendar: String,
    /// The version of what was promised that holds; none: nothing was recorded yet.
    pub version: Option<u32>,
    pub lines: Vec<Line>,
    /// What the lines add up to.
    pub counted: TimeDelta,
    pub conclusion: Conclusion,
}

impl Ledger {
    /// The same, naming the version of what was promised.
    pub fn of_version(self, version: Option<u32>) -> Self {
        Self { version, ..self }
    }

    /// Explains a computed clock at `now`.
    pub fn of_computed(computed: &Computed<'_>, history: &History, now: DateTime<Utc>) -> Self {
        let changes = computed.target_changes.iter().map(|change| Entry::Retargeted {
            change: change.change.clone(),
            old_due: change.old_due,
            new_due: change.new_due,
            made_late: change.made_late,
        });
        let changes = changes.chain(chosen(history)).chain(computed.decided.clone().map(Entry::ByHand));
        let life = Life::new(history, computed.kind, &computed.hours, computed.start, computed.until(now));
        let conclusion = Conclusion::Computed {
            policy: words::policy(computed.policy),
            target: computed.target,
            standing: computed.standing,
            due: computed.due,
            due_bounds: computed.due_bounds,
            due_if_resumed: computed.due_if_resumed,
            breached_between: computed.breached_between,
            stopped_at: computed.stop.filter(|stop| stop.cause != StopCause::Vanished).map(|stop| stop.at.latest),
        };
        life.ledger(changes.collect(), conclusion)
    }

    /// Explains a reported clock at `now`; none where the ticket's beginning or its hours are unknown.
    pub fn of_reported(
        clock: &ClockState<'_>,
        history: &History,
        decided: Option<&Override>,
        now: DateTime<Utc>,
    ) -> Option<Self> {
        let (hours, start) = clock.hours.zip(history.created_at)?;
        let until = clock.stopped_at.unwrap_or(now).max(start);
        let moved = history.due_moves.iter().filter(|moved| moved.clock == clock.kind);
        let retargeted = history.retargets.iter().map(|change| Entry::Retargeted {
            change: change.clone(),
            old_due: None,
            new_due: None,
            made_late: false,
        });
        let events = retargeted.chain(chosen(history)).chain(moved.copied().map(Entry::DueMoved));
        let events = events.chain(decided.cloned().map(Entry::ByHand)).collect();
        let to_due = clock.due.map(|due| Life::new(history, clock.kind, &hours, start, due.max(start)));
        let conclusion = Conclusion::Reported {
            standing: clock.standing,
            due: clock.due,
            total: clock.due.map(|due| hours.calendar.between(start, due)),
            stood: to_due.map_or(TimeDelta::zero(), |life| life.stood()),
        };
        Some(Life::new(history, clock.kind, &hours, start, until).ledger(events, conclusion))
    }
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
        hours: &Hours<'a>,
        start: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Self {
        Self { history, kind, calendar: hours.calendar, start, until }
    }

    fn ledger(self, events: Vec<Entry>, conclusion: Conclusion) -> Ledger {
        let spec = self.calendar.spec();
        let (zone, calendar) = (spec.timezone, spec.name.clone());
        let mut lines = self.lines(&events);
        lines.extend(events.into_iter().map(|entry| self.moment(entry)));
        // A stretch that ends at a moment comes before it, one that begins there after it.
        lines.sort_by_key(|line| (line.to, line.from));
        let counted = lines.iter().map(|line| line.counted).sum();
        Ledger { kind: self.kind, zone, calendar, version: None, lines, counted, conclusion }
    }

    fn lines(&self, events: &[Entry]) -> Vec<Line> {
        let mut lines = Vec::new();
        for (spell, from, to) in self.spells() {
            if stands(self.kind, spell) {
                lines.push(self.still(spell, from, to));
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

    /// The spells within this life, by their likely ends; none is empty.
    fn spells(&self) -> impl Iterator<Item = (&'a Spell, DateTime<Utc>, DateTime<Utc>)> + '_ {
        let within = |spell: &'a Spell| {
            let from = spell.from.latest.clamp(self.start, self.until);
            let to = spell.to.map_or(self.until, |to| to.latest.clamp(self.start, self.until));
            (spell, from, to)
        };
        self.history.spells.iter().map(within).filter(|(_, from, to)| from < to)
    }

    fn still(&self, spell: &Spell, from: DateTime<Utc>, to: DateTime<Utc>) -> Line {
        let status = spell.status.clone();
        let entry = match spell.meaning {
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

    /// Working time in which the clock stood still.
    fn stood(&self) -> TimeDelta {
        let still = self.spells().filter(|(spell, ..)| stands(self.kind, spell));
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
