//! The workload: what is open now, who has it, and how work has come and gone lately.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::decay::seconds;
use super::finishes::Promised;
use super::names::{Attribute, Facts, NameId, NumberMap};
use super::sample::Sample;
use super::traits::Traits;
use crate::sla::calendar::Calendar;

/// What a clock was promised.
#[derive(Clone, Debug)]
pub struct Terms {
    /// Working time until it breaches.
    pub allowed: TimeDelta,
    /// The hours it counts in.
    pub calendar: Arc<Calendar>,
}

/// One ticket whose clock is still followed.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) ticket: Arc<str>,
    pub(super) opened_at: DateTime<Utc>,
    pub(super) terms: Terms,
    /// When it would have been due, had it never been paused.
    pub(super) nominal_due: DateTime<Utc>,
    pub(super) priority: NameId,
    pub(super) facts: Facts,
    pub(super) state_before: NameId,
    pub(super) reassignments: u32,
    pub(super) reopens: u32,
    pub(super) events: u32,
    pub(super) pauses: u32,
    pub(super) changed_at: DateTime<Utc>,
    pub(super) state_since: DateTime<Utc>,
    pub(super) paused: bool,
    /// Working time that had run at `counted_at`.
    elapsed: TimeDelta,
    counted_at: DateTime<Utc>,
    pub(super) stopped_at: Option<DateTime<Utc>>,
    /// How it ended, once that is certain.
    pub(super) breached: Option<bool>,
    /// Whether the outcome has been learned.
    pub(super) learned: bool,
    /// The step of the survival curve that it is in.
    pub(super) step: usize,
    /// The number of the latest plan, to skip steps that were planned before a pause.
    pub(super) plan: u32,
    /// Whether it has left the survival curve.
    pub(super) walked: bool,
    pub(super) samples: Vec<(Sample, Traits)>,
    /// The forecasts of its end.
    pub(super) promised: Vec<Promised>,
}

impl Open {
    pub(super) fn new(ticket: Arc<str>, at: DateTime<Utc>, terms: Terms, priority: NameId) -> Self {
        let nominal_due = terms.calendar.add(at, terms.allowed).unwrap_or(at);
        let mut facts = Facts::default();
        facts.set(Attribute::Priority, priority);
        Self {
            ticket,
            opened_at: at,
            terms,
            nominal_due,
            priority,
            facts,
            state_before: 0,
            reassignments: 0,
            reopens: 0,
            events: 0,
            pauses: 0,
            changed_at: at,
            state_since: at,
            paused: false,
            elapsed: TimeDelta::zero(),
            counted_at: at,
            stopped_at: None,
            breached: None,
            learned: false,
            step: 0,
            plan: 0,
            walked: false,
            samples: Vec::new(),
            promised: Vec::new(),
        }
    }

    /// Returns the working time run by `now`.
    pub(super) fn elapsed(&self, now: DateTime<Utc>) -> TimeDelta {
        if self.paused || self.counted_at >= now {
            return self.elapsed;
        }
        self.elapsed + self.terms.calendar.between(self.counted_at, now)
    }

    /// Returns the share of its target that has run by `now`.
    pub(super) fn share(&self, now: DateTime<Utc>) -> f64 {
        seconds(self.elapsed(now)) / seconds(self.terms.allowed).max(1.0)
    }

    /// Makes the clock stand still or run on from `at`.
    pub(super) fn set_paused(&mut self, paused: bool, at: DateTime<Utc>) {
        self.elapsed = self.elapsed(at);
        self.counted_at = at;
        self.pauses += u32::from(paused && !self.paused);
        self.paused = paused;
    }

    /// Returns when `share` of the target will have run, if it runs on from `now`.
    pub(super) fn reaches(&self, share: f64, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let wanted = TimeDelta::milliseconds((share * self.terms.allowed.num_milliseconds() as f64).round() as i64);
        self.terms.calendar.add(now, wanted - self.elapsed(now))
    }

    pub(super) fn is_waiting(&self) -> bool {
        self.stopped_at.is_none()
    }
}

/// How much work came and went, fading over a day and over a week.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Flow {
    /// Came in the last day, went in the last day, came in the last week, went in the last week.
    fading: [f64; 4],
    at: Option<DateTime<Utc>>,
}

const DAY: f64 = 86_400.0;
const FADES: [f64; 4] = [DAY, DAY, 7.0 * DAY, 7.0 * DAY];

impl Flow {
    /// Returns the four counts at `now`.
    pub(super) fn counts(&self, now: DateTime<Utc>) -> [f64; 4] {
        let Some(at) = self.at else { return self.fading };
        let passed = seconds(now - at);
        let (day, week) = ((-passed / FADES[0]).exp(), (-passed / FADES[2]).exp());
        [self.fading[0] * day, self.fading[1] * day, self.fading[2] * week, self.fading[3] * week]
    }

    fn note(&mut self, gone: bool, at: DateTime<Utc>) {
        self.fading = self.counts(at);
        self.at = Some(at);
        self.fading[usize::from(gone)] += 1.0;
        self.fading[2 + usize::from(gone)] += 1.0;
    }
}

/// One queue: the opening times of its tickets, oldest first, and its flow.
#[derive(Clone, Debug, Default)]
pub(super) struct Queue {
    waiting: Vec<i64>,
    pub(super) flow: Flow,
}

impl Queue {
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Returns how many tickets were opened before `opened_at`.
    pub(super) fn ahead(&self, opened_at: DateTime<Utc>) -> usize {
        let opened_at = opened_at.timestamp_millis();
        self.waiting.partition_point(|other| *other < opened_at)
    }

    fn join(&mut self, opened_at: i64) {
        let place = self.waiting.partition_point(|other| *other <= opened_at);
        self.waiting.insert(place, opened_at);
    }

    fn leave(&mut self, opened_at: i64) {
        let place = self.waiting.partition_point(|other| *other < opened_at);
        if self.waiting.get(place) == Some(&opened_at) {
            self.waiting.remove(place);
        }
    }
}

/// All queues of a tenant.
#[derive(Debug, Default)]
pub(super) struct Workload {
    pub(super) all: Queue,
    groups: NumberMap<NameId, Queue>,
    technicians: NumberMap<NameId, Queue>,
    nobody: Queue,
}

impl Workload {
    pub(super) fn group(&self, facts: &Facts) -> &Queue {
        self.groups.get(&facts.get(Attribute::Group)).unwrap_or(&self.nobody)
    }

    pub(super) fn technician(&self, facts: &Facts) -> &Queue {
        self.technicians.get(&facts.get(Attribute::Technician)).unwrap_or(&self.nobody)
    }

    /// Adds a ticket to the queues of its group and technician. A new one counts as come.
    pub(super) fn join(&mut self, opened_at: DateTime<Utc>, facts: &Facts, new: bool, at: DateTime<Utc>) {
        self.each(facts, |queue| {
            queue.join(opened_at.timestamp_millis());
            if new {
                queue.flow.note(false, at);
            }
        });
    }

    /// Removes a ticket from its queues. A resolved one counts as gone.
    pub(super) fn leave(&mut self, opened_at: DateTime<Utc>, facts: &Facts, resolved: bool, at: DateTime<Utc>) {
        self.each(facts, |queue| {
            queue.leave(opened_at.timestamp_millis());
            if resolved {
                queue.flow.note(true, at);
            }
        });
    }

    /// Moves a ticket between queues; for the new one it counts as come.
    pub(super) fn pass_on(&mut self, opened_at: DateTime<Utc>, from: &Facts, to: &Facts, at: DateTime<Utc>) {
        let opened_at = opened_at.timestamp_millis();
        for (queues, attribute) in
            [(&mut self.groups, Attribute::Group), (&mut self.technicians, Attribute::Technician)]
        {
            let (from, to) = (from.get(attribute), to.get(attribute));
            if from == to {
                continue;
            }
            if let Some(queue) = queues.get_mut(&from) {
                queue.leave(opened_at);
            }
            // Unassigned tickets form no queue.
            if to != 0 || attribute == Attribute::Group {
                let queue = queues.entry(to).or_default();
                queue.join(opened_at);
                queue.flow.note(false, at);
            }
        }
    }

    fn each(&mut self, facts: &Facts, mut act: impl FnMut(&mut Queue)) {
        act(&mut self.all);
        act(self.groups.entry(facts.get(Attribute::Group)).or_default());
        let technician = facts.get(Attribute::Technician);
        // Unassigned tickets form no queue.
        if technician != 0 {
            act(self.technicians.entry(technician).or_default());
        }
    }
}
