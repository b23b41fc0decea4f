//! The figures of a period: what was kept of what was decided, how long it took, and what was left out and why.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use chrono::NaiveDate;

use super::Period;
use super::brief::Brief;
use super::entry::{Entry, Exclusion, Outcome, Reason, Sign};
use super::rate::Rate;
use super::spread::Spread;
use crate::ticket::ClockKind;

/// Which entries to count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question {
    pub period: Period,
    /// Whether clocks that met a maintenance window count like others.
    pub with_maintenance: bool,
}

impl Question {
    /// Whether the entry was decided in the period, and counts.
    pub fn decided(&self, entry: &Entry) -> bool {
        self.has_decision(&entry.brief())
    }

    /// The same for an entry in brief.
    pub fn has_decision(&self, brief: &Brief) -> bool {
        self.period.has(brief.day) && brief.counts(self.with_maintenance)
    }

    /// Whether its clock stopped in the period; one without a target took its time all the same.
    pub fn has_stop(&self, brief: &Brief) -> bool {
        let excluded = brief.outcome == Outcome::Excluded;
        let counts = if excluded { brief.has_time() } else { brief.counts(self.with_maintenance) };
        counts && brief.stop_day.is_some_and(|day| self.period.has(day))
    }

    fn excluded(&self, entry: &Entry) -> Option<Exclusion> {
        entry.excluded(self.with_maintenance).filter(|_| self.period.has(entry.day))
    }
}

/// The figures of a set of entries.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summary {
    /// All headline clocks.
    pub all: Rate,
    /// First response, first resolution, next response: in the order of [`ClockKind::ALL`].
    pub clocks: [Rate; ClockKind::ALL.len()],
    /// The last round's resolution, with the time of all rounds.
    pub final_resolution: Rate,
    /// Tickets with all headline clocks kept.
    pub all_kept: Rate,
    /// Headline clocks left out, by reason, and how many tickets they belong to.
    pub excluded: BTreeMap<Exclusion, (u64, u64)>,
    /// Working time until the first response, in milliseconds; automatic ones are separate.
    pub response: Spread,
    pub automatic_response: Spread,
    pub resolution: Spread,
    /// Time counted past the target, of breached clocks that have stopped.
    pub lateness: Spread,
    /// Breached clocks that have not stopped.
    pub open_breaches: u64,
    /// Paused time, out of paused and counted.
    pub paused: Rate,
    /// Resolutions whose ticket came back within a week, out of all.
    pub reopened: Rate,
    /// Automatic first responses, out of those whose author is known.
    pub automation: Rate,
    /// Clocks on which SuperOps' verdict and the policy's differ.
    pub differing: u64,
    /// Breaches by reason.
    pub reasons: BTreeMap<Reason, u64>,
    /// Breaches whose reason a person gave.
    pub said_reasons: u64,
    /// Signs of an attempt to improve the figures, out of the cases that could have shown them.
    pub signs: BTreeMap<Sign, Rate>,
    /// Clocks that were not watched from their beginning.
    pub unobserved: u64,
}

/// Sums up `entries`: those of the period and, for whole tickets, those of their other clocks.
pub fn summary<'a>(entries: impl Iterator<Item = &'a Entry> + Clone, question: &Question) -> Summary {
    let mut sum = Summary { all_kept: all_kept(entries.clone(), question), ..Summary::default() };
    sum.final_resolution = final_resolution(entries.clone(), question);
    let mut left_out: BTreeMap<Exclusion, (u64, BTreeSet<&Arc<str>>)> = BTreeMap::new();
    let mut stops = Stops::default();
    for entry in entries {
        if question.decided(entry) && entry.is_headline() {
            sum.count(entry);
        } else if let Some(why) = question.excluded(entry).filter(|_| entry.is_headline()) {
            let (clocks, tickets) = left_out.entry(why).or_default();
            *clocks += 1;
            tickets.insert(&entry.ticket);
        }
        stops.count(&entry.brief(), question);
    }
    sum.excluded = left_out.into_iter().map(|(why, (clocks, tickets))| (why, (clocks, tickets.len() as u64))).collect();
    let Stops { response, automatic, resolution, lateness, automation, paused, reopened } = stops;
    [sum.response, sum.automatic_response, sum.resolution, sum.lateness] =
        [response, automatic, resolution, lateness].map(Spread::of);
    Summary { automation, paused, reopened, ..sum }
}

impl Summary {
    fn count(&mut self, entry: &Entry) {
        let met = entry.outcome == Outcome::Met;
        self.all.add(met);
        let place = ClockKind::ALL.iter().position(|kind| *kind == entry.clock).unwrap_or_default();
        self.clocks[place].add(met);
        self.differing += u64::from(entry.reported.zip(entry.computed).is_some_and(|(a, b)| a != b));
        self.unobserved += u64::from(!entry.observed);
        if !met {
            *self.reasons.entry(entry.final_reason().unwrap_or(Reason::WorkedOn)).or_default() += 1;
            self.said_reasons += u64::from(entry.said.is_some());
            self.open_breaches += u64::from(entry.stopped_at.is_none());
        }
        for sign in Sign::ALL.into_iter().filter(|sign| entry.chances.has(*sign)) {
            self.signs.entry(sign).or_default().add(entry.signs.has(sign));
        }
    }
}

/// The figures of clocks that stopped in the period.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stops {
    /// How long each took, in milliseconds of working time.
    pub response: Vec<i64>,
    pub automatic: Vec<i64>,
    pub resolution: Vec<i64>,
    pub lateness: Vec<i64>,
    pub automation: Rate,
    pub paused: Rate,
    pub reopened: Rate,
}

impl Stops {
    /// Counts a clock if it stopped in the period.
    pub fn count(&mut self, one: &Brief, question: &Question) {
        if !question.has_stop(one) {
            return;
        }
        match one.clock {
            ClockKind::FirstResponse => {
                let automatic = one.automatic == Some(true);
                let lengths = if automatic { &mut self.automatic } else { &mut self.response };
                lengths.push(one.counted);
                if one.automatic.is_some() {
                    self.automation.add(automatic);
                }
            }
            ClockKind::Resolution if one.round == 1 => self.resolution.push(one.counted),
            _ => {}
        }
        if one.clock == ClockKind::Resolution {
            let [paused, counted] = [one.paused, one.counted].map(|length| u64::try_from(length).unwrap_or_default());
            self.paused.join(Rate::new(paused, paused + counted));
            self.reopened.add(one.came_back);
        }
        if one.outcome == Outcome::Breached {
            self.lateness.push(one.over);
        }
    }
}

/// The rate of all headline clocks of `entries` that were decided in the period.
pub fn compliance<'a>(entries: impl Iterator<Item = &'a Entry>, question: &Question) -> Rate {
    let mut rate = Rate::default();
    let decided = entries.filter(|entry| question.decided(entry) && entry.is_headline());
    decided.for_each(|entry| rate.add(entry.outcome == Outcome::Met));
    rate
}

/// How far a ticket has come.
#[derive(Clone, Copy, Default)]
struct Course {
    /// The day of its first breach.
    breach: Option<NaiveDate>,
    /// The day of the last decision that counts.
    last: Option<NaiveDate>,
    is_done: bool,
}

/// Tickets decided in the period: as breached at their first breached headline clock, as kept once all are kept.
fn all_kept<'a>(entries: impl Iterator<Item = &'a Entry>, question: &Question) -> Rate {
    let mut tickets: HashMap<&str, Course> = HashMap::new();
    for entry in entries.filter(|entry| entry.is_headline()) {
        let course = tickets.entry(&entry.ticket).or_default();
        course.is_done |= entry.clock == ClockKind::Resolution;
        if !entry.counts(question.with_maintenance) {
            continue;
        }
        course.last = course.last.max(Some(entry.day));
        if entry.outcome == Outcome::Breached {
            course.breach = Some(course.breach.map_or(entry.day, |first| first.min(entry.day)));
        }
    }
    let mut rate = Rate::default();
    for Course { breach, last, is_done } in tickets.into_values() {
        if breach.or(last.filter(|_| is_done)).is_some_and(|day| question.period.has(day)) {
            rate.add(breach.is_none());
        }
    }
    rate
}

/// The resolutions of last rounds: those after which the ticket did not come back.
fn final_resolution<'a>(entries: impl Iterator<Item = &'a Entry>, question: &Question) -> Rate {
    let mut rate = Rate::default();
    let last = entries.filter(|entry| entry.clock == ClockKind::Resolution && entry.reopened_at.is_none());
    last.filter(|entry| question.decided(entry)).for_each(|entry| rate.add(entry.outcome == Outcome::Met));
    rate
}
