//! What a forecast looks at: the numbers it knows of an open clock at one moment.

use std::f64::consts::TAU;

use chrono::{DateTime, Datelike, NaiveDateTime, Timelike, Utc};

use super::decay::hours;
use super::logistic::log_odds;
use super::names::{Attribute, Facts, NameId};
use super::rates::{RateKey, Rates};
use super::survival::Outlook;
use super::workload::{Open, Queue, Workload};

/// Plain numbers, in the order of [`Observation::numbers`].
#[derive(Clone, Copy, Debug)]
#[expect(dead_code, reason = "most stand only for their place in the list")]
pub(super) enum Number {
    Share,
    ShareSquared,
    Usual,
    Target,
    RoundTheClock,
    Silence,
    SilentShare,
    StateAge,
    Events,
    Reassignments,
    Reopened,
    HasTechnician,
    Paused,
    Pauses,
    Age,
    AheadInGroup,
    AheadOfTechnician,
    OpenInGroup,
    OpenOfTechnician,
    OpenInAll,
    GroupDay,
    GroupWeek,
    AllDay,
    AllWeek,
    TechnicianWeek,
    GroupBacklog,
    TechnicianBacklog,
    AheadBacklog,
    DueHourSin,
    DueHourCos,
    HourSin,
    HourCos,
    TimeToDue,
    OpenedHour,
}

const NUMBERS: usize = Number::OpenedHour as usize + 1;

/// The families of rates, in the order of [`Traits::keys`].
#[derive(Clone, Copy, Debug)]
#[expect(dead_code, reason = "most stand only for their place in the list")]
pub(super) enum Family {
    Group,
    CategoryInGroup,
    Category,
    Subcategory,
    Symptom,
    Location,
    Client,
    OpenedBy,
    Technician,
    By,
    StateAndSilence,
    StateAndBefore,
    GroupAndState,
    Reassignments,
    UrgencyAndImpact,
    DueTime,
    StateAndEvents,
    SubcategoryInGroup,
    TechnicianAndState,
    OpenedTime,
}

pub(super) const FAMILIES: usize = Family::OpenedTime as usize + 1;

/// How the first families do at each step of a clock lately; see [`paced`].
pub(super) const PACES: usize = 4;

/// How many inputs there are.
pub(super) const INPUTS: usize = NUMBERS + FAMILIES + PACES;

/// How far the survival curve is taken at its word before any fit: a desk's mood of three weeks swings back as often as not.
const USUAL_COUNTS: f32 = 0.5;
/// How much of each name's effect is: the families overlap, so in full they would say the same thing many times.
const EFFECT_COUNTS: f32 = 0.1;

/// What counts before any fit, as a weight for each input. A fit learns what differs from it, so that names which never
/// told anything apart are heeded from the day they do.
pub(super) const PRIOR: [f32; INPUTS] = {
    let mut weights = [0.0; INPUTS];
    weights[Number::Usual as usize] = USUAL_COUNTS;
    let mut effect = NUMBERS;
    while effect < NUMBERS + FAMILIES {
        weights[effect] = EFFECT_COUNTS;
        effect += 1;
    }
    weights
};

/// The log-odds by [`PRIOR`].
pub(super) fn prior(inputs: &[f32; INPUTS]) -> f32 {
    inputs.iter().zip(PRIOR).map(|(input, weight)| input * weight).sum()
}

/// Where the effect of `family` is among the inputs.
pub(super) const fn effect_input(family: Family) -> usize {
    NUMBERS + family as usize
}

/// The times of a clock that several inputs are made of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    /// Working hours since the last change.
    silence: f64,
    due: DateTime<Utc>,
    due_local: NaiveDateTime,
    opened_local: NaiveDateTime,
}

impl Times {
    /// Those of `open` at `now`.
    pub(super) fn of(open: &Open, now: DateTime<Utc>) -> Self {
        let due = open.reaches(1.0, now).unwrap_or(now);
        Self {
            silence: hours(open.terms.calendar.between(open.changed_at, now)),
            due,
            due_local: local(open, due),
            opened_local: local(open, open.opened_at),
        }
    }
}

fn local(open: &Open, at: DateTime<Utc>) -> NaiveDateTime {
    at.with_timezone(&open.terms.calendar.spec().timezone).naive_local()
}

/// What the rates tell clocks apart by, at one moment: kept with each note, for it is smaller than the keys made of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Traits {
    facts: Facts,
    state_before: NameId,
    reassignments: u8,
    events: u8,
    /// See [`bucket`].
    silence: u8,
    due: TimeSlot,
    opened: TimeSlot,
}

impl Traits {
    /// Those of `open`.
    pub(super) fn of(open: &Open, times: &Times) -> Self {
        Self {
            facts: open.facts,
            state_before: open.state_before,
            reassignments: open.reassignments.min(6) as u8,
            events: open.events.min(12) as u8,
            silence: bucket(times.silence),
            due: time_slot(times.due_local),
            opened: time_slot(times.opened_local),
        }
    }

    /// The rates that speak of it.
    pub(super) fn keys(&self) -> [RateKey; FAMILIES] {
        let name = |attribute| self.facts.get(attribute);
        let (group, state, category) = (name(Attribute::Group), name(Attribute::State), name(Attribute::Category));
        let subcategory = name(Attribute::Subcategory);
        let technician = name(Attribute::Technician);
        let pairs: [(NameId, NameId); FAMILIES] = [
            (group, 0),
            (category, group),
            (category, 0),
            (subcategory, 0),
            (name(Attribute::Symptom), 0),
            (name(Attribute::Location), 0),
            (name(Attribute::Client), 0),
            (name(Attribute::OpenedBy), 0),
            (technician, 0),
            (name(Attribute::By), 0),
            (state, self.silence.into()),
            (state, self.state_before),
            (group, state),
            (1 + u32::from(self.reassignments), u32::from(technician != 0)),
            (name(Attribute::Urgency), name(Attribute::Impact)),
            (self.due.0.into(), self.due.1.into()),
            (state, self.events.into()),
            (subcategory, group),
            (technician, state),
            (self.opened.0.into(), self.opened.1.into()),
        ];
        let mut family = 0;
        pairs.map(|(first, second)| {
            family += 1;
            RateKey::new(family - 1, first, second)
        })
    }
}

/// Whose pace is watched: the tenant, the group, the technician, the category in the group.
pub(super) fn paced(open: &Open) -> [RateKey; PACES] {
    let name = |attribute| open.facts.get(attribute);
    let (group, technician) = (name(Attribute::Group), name(Attribute::Technician));
    [
        RateKey::new(0, 0, 0),
        RateKey::new(1, group, 0),
        RateKey::new(2, technician, 0),
        RateKey::new(3, name(Attribute::Category), group),
    ]
}

/// Powers of two hours.
fn bucket(hours: f64) -> u8 {
    (1.0 + hours.max(0.0)).log2().round() as u8
}

/// The weekday and, in three-hour slots, the local time of day.
type TimeSlot = (u8, u8);

fn time_slot(local: NaiveDateTime) -> TimeSlot {
    (local.weekday().number_from_monday() as u8, (local.hour() / 3) as u8)
}

/// All that is observed of one clock at one moment.
pub(super) struct Observation<'a> {
    pub(super) open: &'a Open,
    pub(super) workload: &'a Workload,
    pub(super) outlook: &'a Outlook,
    pub(super) rates: (&'a Rates, f64),
    pub(super) pace: (&'a Rates, f64),
    pub(super) times: Times,
    /// The rates that speak of it.
    pub(super) keys: &'a [RateKey; FAMILIES],
    /// How work came and went in all, as of now.
    pub(super) all_flow: [f64; 4],
    pub(super) now: DateTime<Utc>,
}

impl Observation<'_> {
    /// The inputs, and the share of the clock that has run.
    pub(super) fn inputs(&self) -> ([f32; INPUTS], f64) {
        let share = self.open.share(self.now);
        let mut inputs = [0.0; INPUTS];
        inputs[..NUMBERS].copy_from_slice(&self.numbers(share));
        let effects = self.keys.map(|key| self.rates.0.effect(key, self.rates.1) as f32);
        inputs[NUMBERS..NUMBERS + FAMILIES].copy_from_slice(&effects);
        let paces = paced(self.open).map(|key| self.pace.0.effect(key, self.pace.1) as f32);
        inputs[NUMBERS + FAMILIES..].copy_from_slice(&paces);
        (inputs, share)
    }

    fn numbers(&self, share: f64) -> [f32; NUMBERS] {
        let (open, now) = (self.open, self.now);
        let calendar = &open.terms.calendar;
        let Times { silence, due, due_local, opened_local } = self.times;
        let target = hours(open.terms.allowed).max(0.01);
        let (group, technician) = (self.workload.group(&open.facts), self.workload.technician(&open.facts));
        let (flow, all_flow) = (group.flow.counts(now), self.all_flow);
        let technician_flow = technician.flow.counts(now);
        let (ahead, ahead_of_technician) = (group.ahead(open.opened_at), technician.ahead(open.opened_at));
        let [due_sin, due_cos] = hour(due_local);
        let [hour_sin, hour_cos] = hour(local(open, now));
        let yes = |is: bool| f64::from(u8::from(is));
        [
            share,
            share * share,
            log_odds(self.outlook.breach_from(share)),
            target.ln(),
            yes(calendar.is_seamless()),
            silence.max(0.0).ln_1p(),
            (silence / target).min(2.0),
            hours(calendar.between(open.state_since, now)).max(0.0).ln_1p(),
            f64::from(open.events).ln_1p(),
            f64::from(open.reassignments).ln_1p(),
            yes(open.reopens > 0),
            yes(open.facts.get(Attribute::Technician) != 0),
            yes(open.paused),
            f64::from(open.pauses).ln_1p(),
            hours(now - open.opened_at).max(0.0).ln_1p(),
            (ahead as f64).ln_1p(),
            (ahead_of_technician as f64).ln_1p(),
            (group.len() as f64).ln_1p(),
            (technician.len() as f64).ln_1p(),
            (self.workload.all.len() as f64).ln_1p(),
            balance(flow[1], flow[0]),
            balance(flow[3], flow[2]),
            balance(all_flow[1], all_flow[0]),
            balance(all_flow[3], all_flow[2]),
            balance(technician_flow[3], technician_flow[2]),
            backlog(group, flow[3]),
            backlog(technician, technician_flow[3]),
            balance(ahead as f64, flow[3]),
            due_sin,
            due_cos,
            hour_sin,
            hour_cos,
            hours(due - now).max(0.0).ln_1p(),
            hour(opened_local)[0],
        ]
        .map(|number| number as f32)
    }
}

/// How one count compares with another, as a logarithm that bears noughts.
fn balance(count: f64, other: f64) -> f64 {
    ((count + 1.0) / (other + 1.0)).ln()
}

/// How long the queue would last at last week's pace.
fn backlog(queue: &Queue, gone_in_a_week: f64) -> f64 {
    balance(queue.len() as f64, gone_in_a_week)
}

/// The local time of day on a circle.
fn hour(local: NaiveDateTime) -> [f64; 2] {
    let angle = f64::from(local.num_seconds_from_midnight()) / 86_400.0 * TAU;
    [angle.sin(), angle.cos()]
}
