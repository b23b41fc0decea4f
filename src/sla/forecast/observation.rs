//! Turns what is known about an open clock at one moment into the inputs of a forecast.

use std::f64::consts::TAU;

use chrono::{DateTime, NaiveDateTime, Timelike, Utc};

use super::decay::hours;
use super::inputs::{FAMILIES, INPUTS, NUMBERS, PACES};
use super::logistic::log_odds;
use super::names::Attribute;
use super::rates::{RateKey, Rates};
use super::survival::Outlook;
use super::traits::{Traits, bucket, time_slot};
use super::workload::{Open, Queue, Workload};

/// Times of a clock that several inputs are computed from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    /// Working hours since the last change.
    silence: f64,
    due: DateTime<Utc>,
    due_local: NaiveDateTime,
    opened_local: NaiveDateTime,
}

impl Times {
    /// Computes the times of `open` at `now`.
    pub(super) fn of(open: &Open, now: DateTime<Utc>) -> Self {
        let due = open.reaches(1.0, now).unwrap_or(now);
        Self {
            silence: hours(open.terms.calendar.between(open.changed_at, now)),
            due,
            due_local: local(open, due),
            opened_local: local(open, open.opened_at),
        }
    }

    /// Returns the traits of `open` at these times.
    pub(super) fn traits(&self, open: &Open) -> Traits {
        Traits {
            facts: open.facts,
            state_before: open.state_before,
            reassignments: open.reassignments.min(6) as u8,
            events: open.events.min(12) as u8,
            silence: bucket(self.silence),
            due: time_slot(self.due_local),
            opened: time_slot(self.opened_local),
        }
    }
}

fn local(open: &Open, at: DateTime<Utc>) -> NaiveDateTime {
    at.with_timezone(&open.terms.calendar.spec().timezone).naive_local()
}

/// Returns whose pace is watched: the tenant's, the group's, the technician's, and the category's in the group.
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

/// All that is observed about one clock at one moment.
pub(super) struct Observation<'a> {
    pub(super) open: &'a Open,
    pub(super) workload: &'a Workload,
    pub(super) outlook: &'a Outlook,
    pub(super) rates: (&'a Rates, f64),
    pub(super) pace: (&'a Rates, f64),
    pub(super) times: Times,
    /// The keys of its rates.
    pub(super) keys: &'a [RateKey; FAMILIES],
    /// The tenant's flow of work as of now.
    pub(super) all_flow: [f64; 4],
    pub(super) now: DateTime<Utc>,
}

impl Observation<'_> {
    /// Returns the inputs, and the share of the clock that has run.
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

/// Returns the logarithm of the ratio of two counts, smoothed so that either may be zero.
fn balance(count: f64, other: f64) -> f64 {
    ((count + 1.0) / (other + 1.0)).ln()
}

/// Returns how long the queue would last at last week's pace, as a logarithm.
fn backlog(queue: &Queue, gone_in_a_week: f64) -> f64 {
    balance(queue.len() as f64, gone_in_a_week)
}

/// Returns the local time of day as a point on a circle.
fn hour(local: NaiveDateTime) -> [f64; 2] {
    let angle = f64::from(local.num_seconds_from_midnight()) / 86_400.0 * TAU;
    [angle.sin(), angle.cos()]
}
