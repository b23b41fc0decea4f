//! The forecaster: follows the clocks of one tenant, learns from the decided ones, and answers for the others.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

use super::boosting::Growth;
use super::calibration::{Calibration, expected_calibration_error};
use super::decay::{Decay, hours, seconds};
use super::finishes::{FinishRecord, Finishes, Promised};
use super::inputs::{INPUTS, Number};
use super::logistic::chance;
use super::model::{Model, Recipe};
use super::names::{Attribute, NameId, Names, NumberMap};
use super::observation::{Observation, Times, paced};
use super::rates::{Outcome, Rates};
use super::reasons;
use super::sample::{Decided, Packed, Sample};
use super::schedule::{Item, Place, Schedule};
use super::survival::{Outlook, STEPS, Survival};
use super::traits::Traits;
use super::workload::{Open, Terms, Workload};
use super::{Basis, Finish, Forecast, Grounds, Risk};

/// The half-life of rates and survival curves.
const HALF_LIFE: TimeDelta = TimeDelta::days(21);
/// The half-life of the recent pace, shorter because it is there to show a change.
const PACE_HALF_LIFE: TimeDelta = TimeDelta::days(7);
/// The half-life of the weight of rows.
const ROW_HALF_LIFE: TimeDelta = TimeDelta::days(90);
/// The information that moves a name's effect halfway from zero.
const SHRINK: f64 = 0.25;
/// How many clocks must be decided before a model is fitted.
pub const ENOUGH: usize = 200;
/// The most rows kept to learn from: 30,000 take some 5 MB.
const KEPT: usize = 30_000;
/// How many rows to reserve at a time: doubling the capacity would leave megabytes unused.
const MORE_ROWS: usize = 1_000;
const REFIT: TimeDelta = TimeDelta::days(7);
/// The time to the next fit if drift shows.
const REFIT_IN_DRIFT: TimeDelta = TimeDelta::days(3);
/// While catching up with the past, a model is kept for its age divided by this.
const AGES: i32 = 4;
/// The recent error that shows drift. Half of it comes and goes as a desk swings, and refitting after such swings ranks
/// tickets worse.
const DRIFT: f64 = 0.12;
/// How many of the latest notes drift is measured on. Outcomes would take longer to gather: a needless refit costs only
/// time, one too late means a week of wrong forecasts.
const DRIFT_SHOWS_IN: usize = 500;
/// How many new outcomes a refit needs to be worthwhile.
const NEW: usize = 50;
/// The mean error beyond which the forecast is not trusted for now.
const UNTRUSTED: f64 = 0.08;
/// How many of the latest outcomes that error is measured on. Notes would not do: a slow clock has five of them, which
/// are right or wrong together, so 500 notes can be as few as a hundred outcomes, and the error of a hundred is chance.
const RECENT: usize = 500;
const RECALIBRATE: TimeDelta = TimeDelta::days(1);

/// Set by trial on the first 60 % of three real histories; docs/forecast.md says how.
const RECIPE: Recipe = Recipe {
    ridge: 0.1,
    growth: Growth { trees: 80, depth: 3, rate: 0.04, leaf: 25.0, ridge: 20.0, row_share: 0.6, input_share: 0.3 },
    trees: 0.5,
};

/// Something that changed on a ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change<'a> {
    /// The new value of an attribute; none if it is blank.
    Became(Attribute, Option<&'a str>),
    /// How often it has been reassigned so far.
    Reassigned(u32),
    /// How often it has been reopened so far.
    Reopened(u32),
    /// Whether the clock stands still from now on.
    Paused(bool),
}

/// Learns one clock of one tenant's tickets. It must be told of events in the order of time.
#[derive(Debug)]
pub struct Forecaster {
    names: Names,
    places: HashMap<Arc<str>, Place>,
    next_place: Place,
    /// Boxed: half of a table's places may be free, and an entry is large.
    open: NumberMap<Place, Box<Open>>,
    workload: Workload,
    schedule: Schedule,
    survival: Survival,
    rates: Rates,
    pace: Rates,
    rows: VecDeque<Decided>,
    outcomes: usize,
    outcomes_fitted: usize,
    since: Option<DateTime<Utc>>,
    model: Option<Model>,
    calibration: Calibration,
    finishes: Finishes,
    row_decay: Decay,
    fitted_at: DateTime<Utc>,
    refit_at: DateTime<Utc>,
    calibrate_at: DateTime<Utc>,
    /// Events before this are history that is replayed at once.
    present: DateTime<Utc>,
}

/// What all clocks share at one moment.
struct Moment {
    now: DateTime<Utc>,
    rates: f64,
    pace: f64,
    flow: [f64; 4],
    outlooks: NumberMap<NameId, Outlook>,
}

/// The model's output for one clock at one moment.
struct Judged {
    share: f32,
    /// Log-odds, before calibration.
    said: f32,
    probability: f32,
    inputs: [f32; INPUTS],
    traits: Traits,
}

impl Forecaster {
    /// Creates a forecaster that knows nothing yet, at `start`.
    pub fn new(start: DateTime<Utc>) -> Self {
        Self {
            names: Names::default(),
            places: HashMap::new(),
            next_place: 0,
            open: NumberMap::default(),
            workload: Workload::default(),
            schedule: Schedule::default(),
            survival: Survival::new(Decay::new(start, HALF_LIFE)),
            rates: Rates::new(Decay::new(start, HALF_LIFE), SHRINK),
            pace: Rates::new(Decay::new(start, PACE_HALF_LIFE), SHRINK),
            rows: VecDeque::new(),
            outcomes: 0,
            outcomes_fitted: 0,
            since: None,
            model: None,
            calibration: Calibration::default(),
            finishes: Finishes::default(),
            row_decay: Decay::new(start, ROW_HALF_LIFE),
            fitted_at: start,
            refit_at: start,
            calibrate_at: start,
            present: start,
        }
    }

    /// Announces that the events up to `now` are history, replayed at once. Fits in it are a quarter of their age
    /// apart, since an old fit only shows what it would have forecast then; the last four weeks run as they did live.
    pub fn catches_up(&mut self, now: DateTime<Utc>) {
        self.present = now;
    }

    /// Learns that a ticket is opened and its clock starts. What is known about it follows with [`Self::changed`].
    pub fn opened(&mut self, ticket: &str, terms: Terms, priority: Option<&str>, at: DateTime<Utc>) {
        self.taken_up(ticket, terms, priority, at, at);
    }

    /// Learns at `at` of a clock that has run since `since`, because its ticket has another due time from now on.
    pub fn taken_up(
        &mut self,
        ticket: &str,
        terms: Terms,
        priority: Option<&str>,
        since: DateTime<Utc>,
        at: DateTime<Utc>,
    ) {
        self.pass_time(at, false);
        // Two tickets with the same id cannot be told apart: the later one counts.
        self.withdrawn(ticket, at);
        let priority = self.names.id(priority);
        let place = self.next_place;
        self.next_place += 1;
        let ticket: Arc<str> = ticket.into();
        let mut open = Open::new(ticket.clone(), since, terms, priority);
        let share = open.share(at);
        open.step = STEPS.partition_point(|begins| *begins <= share).saturating_sub(1);
        if open.step >= BREACH {
            (open.breached, open.learned) = (Some(true), true);
        }
        self.workload.join(since, &open.facts, true, at);
        self.places.insert(ticket, place);
        self.schedule.add(next_morning(&open, at), Item::Morning { place });
        self.open.insert(place, Box::new(open));
        self.plan(place, at);
    }

    /// Learns that something on a ticket changes.
    pub fn changed(&mut self, ticket: &str, changes: &[Change<'_>], at: DateTime<Utc>) {
        self.pass_time(at, false);
        let Some(place) = self.waiting(ticket) else { return };
        let Some(open) = self.open.get_mut(&place) else { return };
        let before = open.facts;
        let paused = open.paused;
        for change in changes {
            apply(open, change, &mut self.names, at);
        }
        open.events += 1;
        open.changed_at = at;
        self.workload.pass_on(open.opened_at, &before, &open.facts, at);
        if open.paused != paused {
            self.plan(place, at);
        }
    }

    /// Learns that a ticket's clock stops: it is answered or resolved.
    pub fn stopped(&mut self, ticket: &str, at: DateTime<Utc>) {
        self.pass_time(at, false);
        let Some(place) = self.waiting(ticket) else { return };
        let Some(open) = self.open.get_mut(&place) else { return };
        open.set_paused(open.paused, at);
        open.stopped_at = Some(at);
        let (share, outlook) = (open.share(at), self.survival.outlook(open.priority, at));
        let passed = |said: &Promised| outlook.resolved_before(said.share.into(), said.breach.into(), share);
        let promised = std::mem::take(&mut open.promised);
        self.finishes.learn(&promised, share as f32, hours(open.terms.allowed), passed);
        self.workload.leave(open.opened_at, &open.facts, true, at);
        if open.breached.is_none() {
            open.breached = Some(false);
            self.schedule.add(open.nominal_due.max(at), Item::Learn { place });
        }
        self.plan(place, at);
    }

    /// Drops a ticket's clock: the ticket is gone, or something else was promised. Nothing is learned from it.
    pub fn withdrawn(&mut self, ticket: &str, at: DateTime<Utc>) {
        self.pass_time(at, false);
        let Some(open) = self.places.remove(ticket).and_then(|place| self.open.remove(&place)) else { return };
        if open.is_waiting() {
            self.workload.leave(open.opened_at, &open.facts, false, at);
        }
    }

    /// Lets time pass until `now`: clocks run, outcomes come in, and the model is refitted when that is due.
    pub fn advance(&mut self, now: DateTime<Utc>) {
        self.pass_time(now, true);
    }

    /// Returns the probability that an open ticket breaches; none if its clock is decided or not known.
    pub fn probability(&self, ticket: &str, now: DateTime<Utc>) -> Option<f64> {
        let open = self.undecided(ticket)?;
        let moment = self.moment(now, [open.priority]);
        Some(self.judge(open, &moment).probability.into())
    }

    /// Returns the probabilities of all open tickets whose clocks are not decided, in no order.
    pub fn probabilities(&self, now: DateTime<Utc>) -> impl Iterator<Item = (&str, f64)> {
        let moment = self.moment(now, self.open.values().map(|open| open.priority));
        let undecided = self.open.values().filter(|open| open.breached.is_none());
        undecided.map(move |open| (&*open.ticket, self.judge(open, &moment).probability.into()))
    }

    /// Returns the forecast for an open ticket; none if its clock is decided or not known.
    pub fn forecast(&self, ticket: &str, now: DateTime<Utc>) -> Option<Forecast> {
        let open = self.undecided(ticket)?;
        Some(self.say(open, &self.moment(now, [open.priority])))
    }

    /// Returns [`Self::forecast`] for all open tickets whose clocks are not decided, in no order.
    pub fn forecasts(&self, now: DateTime<Utc>) -> impl Iterator<Item = (&str, Forecast)> {
        let moment = self.moment(now, self.open.values().map(|open| open.priority));
        let undecided = self.open.values().filter(|open| open.breached.is_none());
        undecided.map(move |open| (&*open.ticket, self.say(open, &moment)))
    }

    fn say(&self, open: &Open, moment: &Moment) -> Forecast {
        let said = self.judge(open, moment);
        let probability = f64::from(said.probability);
        let outlook = &moment.outlooks[&open.priority];
        Forecast {
            probability,
            risk: Risk::of(probability),
            finish: self.promise(&said, outlook).map(|promised| finish(open, promised)),
            reasons: reasons::strongest(&reasons::Case {
                open,
                workload: &self.workload,
                names: &self.names,
                rates: &self.rates,
                unit: moment.rates,
                contributions: self.model.as_ref().map(|model| model.contributions(&said.inputs)),
                usual: outlook.breach_from(f64::from(said.share)),
                share: f64::from(said.share),
                likely: probability >= 0.5,
                keys: &said.traits.keys(),
                now: moment.now,
            }),
            grounds: self.grounds(),
        }
    }

    /// Returns when the judged clock is likely to stop; none if that lies beyond the survival curve.
    fn promise(&self, judged: &Judged, outlook: &Outlook) -> Option<Promised> {
        let Judged { share, probability: breach, .. } = *judged;
        let by = |quantile| Some(outlook.resolved_by(share.into(), breach.into(), quantile)? as f32);
        let [sooner, later] = self.finishes.outer;
        let latest = by(later).unwrap_or(f32::INFINITY);
        Some(Promised { share, breach, earliest: by(sooner)?, median: by(0.5)?, latest })
    }

    /// Returns how well the forecast ends of the latest clocks held; none before any has stopped.
    pub fn finish_record(&self) -> Option<FinishRecord> {
        self.finishes.record()
    }

    /// Returns what forecasts rest on now.
    pub fn grounds(&self) -> Grounds {
        let basis = if self.model.is_some() { Basis::Learned } else { Basis::Survival };
        Grounds { outcomes: self.outcomes, since: self.since, basis }
    }

    /// Returns the forecasts noted at fixed shares of clocks that are decided by now: when, the probability, and
    /// whether it breached.
    pub fn said_and_happened(&self) -> impl Iterator<Item = (DateTime<Utc>, f64, bool)> {
        self.notes().map(|row| (row.sample.at, f64::from(row.sample.probability), row.breached))
    }

    /// Returns how far the forecasts of fitted models were off for the latest 500 decided clocks; none before there are
    /// that many with such a forecast.
    pub fn recent_error(&self) -> Option<f64> {
        let (mut outcomes, mut latest, mut pairs) = (0, None, Vec::new());
        for note in self.notes().filter(|note| note.sample.by_model) {
            if latest != Some(note.outcome) {
                if outcomes == RECENT {
                    break;
                }
                (outcomes, latest) = (outcomes + 1, Some(note.outcome));
            }
            pairs.push((f64::from(note.sample.probability), note.breached));
        }
        (outcomes == RECENT).then(|| expected_calibration_error(&pairs))
    }

    /// Returns the notes taken at shares of decided clocks, latest first.
    fn notes(&self) -> impl Iterator<Item = &Decided> + Clone {
        self.rows.iter().rev().filter(|row| !row.sample.of_a_morning)
    }

    /// Whether to use the forecast; if not, the clock rules alone should decide.
    pub fn is_trusted(&self) -> bool {
        self.recent_error().is_none_or(|error| error <= UNTRUSTED)
    }

    fn waiting(&self, ticket: &str) -> Option<Place> {
        let place = *self.places.get(ticket)?;
        self.open.get(&place).filter(|open| open.is_waiting()).map(|_| place)
    }

    fn undecided(&self, ticket: &str) -> Option<&Open> {
        let open = self.open.get(self.places.get(ticket)?)?;
        Some(&**open).filter(|open| open.breached.is_none())
    }

    fn moment(&self, now: DateTime<Utc>, priorities: impl IntoIterator<Item = NameId>) -> Moment {
        let mut outlooks = NumberMap::default();
        for priority in priorities {
            outlooks.entry(priority).or_insert_with(|| self.survival.outlook(priority, now));
        }
        let flow = self.workload.all.flow.counts(now);
        Moment { now, rates: self.rates.unit(now), pace: self.pace.unit(now), flow, outlooks }
    }

    /// Applies the model to `open`. `moment` must have the outlook of its priority.
    fn judge(&self, open: &Open, moment: &Moment) -> Judged {
        let times = Times::of(open, moment.now);
        let traits = times.traits(open);
        let observation = Observation {
            open,
            workload: &self.workload,
            outlook: &moment.outlooks[&open.priority],
            rates: (&self.rates, moment.rates),
            pace: (&self.pace, moment.pace),
            times,
            keys: &traits.keys(),
            all_flow: moment.flow,
            now: moment.now,
        };
        let (inputs, share) = observation.inputs();
        let usual = inputs[Number::Usual as usize];
        let said = self.model.as_ref().map_or(usual, |model| model.score(&inputs));
        let share = share as f32;
        Judged { share, said, probability: self.calibration.probability(said, share), inputs, traits }
    }

    /// Plans the next step of a clock, from `at` on.
    fn plan(&mut self, place: Place, at: DateTime<Utc>) {
        let Some(open) = self.open.get_mut(&place) else { return };
        if open.walked {
            self.drop_if_done(place);
            return;
        }
        open.plan += 1;
        let end = STEPS.get(open.step + 1);
        if open.paused && open.is_waiting() {
            return;
        }
        if let Some(due) = end.and_then(|end| open.reaches(*end, at)) {
            self.schedule.add(due, Item::Step { place, plan: open.plan });
        } else {
            open.walked = true;
            self.drop_if_done(place);
        }
    }

    fn pass_time(&mut self, until: DateTime<Utc>, included: bool) {
        while let Some((at, item)) = self.schedule.next(until, included) {
            self.keep_model(at);
            match item {
                Item::Step { place, plan } => self.step(place, plan, at),
                Item::Morning { place } => self.morning(place, at),
                Item::Learn { place } => self.learn(place, at),
            }
        }
        self.keep_model(until);
    }

    /// Moves a clock from one step to the next, or ends its walk if it has stopped by then.
    fn step(&mut self, place: Place, plan: u32, at: DateTime<Utc>) {
        let Some(open) = self.open.get_mut(&place).filter(|open| open.plan == plan) else { return };
        let resolved = !open.is_waiting();
        let step = open.step;
        if (FIRST_SAMPLED..BREACH).contains(&step) {
            let outlook = self.survival.outlook(open.priority, at);
            let stays = outlook.open_at(STEPS[step + 1]) / outlook.open_at(STEPS[step]);
            let outcome = Outcome { breached: !resolved, expected: stays.clamp(0.05, 0.95), counts: 1.0 };
            self.pace.learn(&paced(open), outcome, at);
        }
        self.survival.learn(open.priority, step, resolved, at);
        if resolved {
            open.walked = true;
            self.drop_if_done(place);
            return;
        }
        open.step += 1;
        if open.step == BREACH && open.breached.is_none() {
            open.breached = Some(true);
            self.schedule.add(open.nominal_due.max(at), Item::Learn { place });
        }
        if is_sampled(open.step) {
            self.sample(place, false, at);
        }
        self.plan(place, at);
    }

    /// Takes a note each morning too: a clock that stands still reaches no share, yet needs forecasts all the same.
    fn morning(&mut self, place: Place, at: DateTime<Utc>) {
        let Some(open) = self.open.get(&place).filter(|open| open.breached.is_none()) else { return };
        let last = open.opened_at + MORNINGS;
        let next = next_morning(open, at);
        self.sample(place, true, at);
        if next <= last {
            self.schedule.add(next, Item::Morning { place });
        }
    }

    /// Notes what is known about a clock.
    fn sample(&mut self, place: Place, of_a_morning: bool, at: DateTime<Utc>) {
        let Some(open) = self.open.get(&place) else { return };
        let moment = self.moment(at, [open.priority]);
        let judged = self.judge(open, &moment);
        let promised = self.promise(&judged, &moment.outlooks[&open.priority]).filter(|_| !of_a_morning);
        let Judged { share, said, probability, inputs, traits } = judged;
        let by_model = self.model.is_some();
        let sample = Sample { at, share, said, probability, of_a_morning, by_model, inputs: Packed::of(&inputs) };
        if let Some(open) = self.open.get_mut(&place) {
            // Most notes wait like this, so spare capacity would add up.
            open.samples.reserve_exact(1);
            open.samples.push((sample, traits));
            if let Some(promised) = promised {
                open.promised.reserve_exact(1);
                open.promised.push(promised);
            }
        }
    }

    /// Learns an outcome: updates its rates and turns its notes into rows.
    fn learn(&mut self, place: Place, at: DateTime<Utc>) {
        let Some(open) = self.open.get_mut(&place) else { return };
        let Some(breached) = open.breached else { return };
        open.learned = true;
        self.outcomes += 1;
        self.since = Some(self.since.map_or(open.opened_at, |since| since.min(open.opened_at)));
        let samples = std::mem::take(&mut open.samples);
        let counts = 1.0 / samples.len().max(1) as f64;
        let outcome = u32::try_from(self.outcomes).unwrap_or(u32::MAX);
        if self.rows.capacity() - self.rows.len() < samples.len() {
            self.rows.reserve_exact(samples.len().max(MORE_ROWS));
        }
        for (sample, traits) in samples {
            let expected = f64::from(chance(sample.inputs.get(Number::Usual as usize)));
            self.rates.learn(&traits.keys(), Outcome { breached, expected, counts }, at);
            self.rows.push_back(Decided { sample, breached, outcome });
        }
        let surplus = self.rows.len().saturating_sub(KEPT);
        self.rows.drain(..surplus);
        self.drop_if_done(place);
    }

    fn drop_if_done(&mut self, place: Place) {
        let done = |open: &Open| open.learned && open.stopped_at.is_some() && open.walked;
        if self.open.get(&place).is_some_and(|open| done(open))
            && let Some(open) = self.open.remove(&place)
        {
            self.places.remove(&open.ticket);
        }
    }

    /// Refits and recalibrates when that is due.
    fn keep_model(&mut self, now: DateTime<Utc>) {
        if now >= self.refit_at && self.outcomes >= ENOUGH && self.outcomes >= self.outcomes_fitted + NEW {
            self.refit(now);
        }
        if now >= self.calibrate_at {
            self.mind_drift();
            self.finishes.adjust();
            self.calibrate_at = now + RECALIBRATE;
            let latest = self.row_decay.weight(now);
            self.calibration = Calibration::proven(&self.rows, |at| self.row_decay.weight(at) / latest);
        }
    }

    /// Brings the next fit forward if the model no longer holds. So it does the first fit, if the forecasts before it
    /// show that the desk differs from its survival curve.
    fn mind_drift(&mut self) {
        let latest = self.notes().take(DRIFT_SHOWS_IN);
        let pairs: Vec<_> = latest.map(|row| (f64::from(row.sample.probability), row.breached)).collect();
        if pairs.len() == DRIFT_SHOWS_IN && expected_calibration_error(&pairs) > DRIFT {
            let soon = REFIT_IN_DRIFT.max((self.present - self.fitted_at) / AGES);
            self.refit_at = self.refit_at.min(self.fitted_at + soon);
        }
    }

    fn refit(&mut self, now: DateTime<Utc>) {
        let latest = self.row_decay.weight(now);
        self.model = Model::fit(&self.rows, &RECIPE, |at| self.row_decay.weight(at) / latest);
        self.outcomes_fitted = self.outcomes;
        self.fitted_at = now;
        self.refit_at = now + REFIT.max((self.present - now) / AGES);
    }
}

/// The step at whose beginning a clock breaches.
const BREACH: usize = 18;
/// The first step of which the pace is learned.
const FIRST_SAMPLED: usize = 2;

/// How long after its opening notes are taken of a clock each morning.
const MORNINGS: TimeDelta = TimeDelta::days(14);
/// The local hour of the morning notes.
const MORNING: u32 = 9;

/// The share of a clock from which on its forecast can be relied on: the first note is taken there, so whatever stops
/// sooner is not learned from.
pub const RELIABLE_FROM: f64 = STEPS[FIRST_NOTED];
const FIRST_NOTED: usize = 4;

/// Whether a note is taken when `step` begins: when a tenth, a quarter, a half and so on of the clock has run.
fn is_sampled(step: usize) -> bool {
    matches!(step, FIRST_NOTED | 6 | 10 | 14 | 16)
}

/// Returns the first morning after `at`.
fn next_morning(open: &Open, at: DateTime<Utc>) -> DateTime<Utc> {
    let zone = open.terms.calendar.spec().timezone;
    let today = at.with_timezone(&zone).date_naive();
    let morning = |day: NaiveDate| day.and_hms_opt(MORNING, 0, 0)?.and_local_timezone(zone).earliest();
    let mornings = today.iter_days().take(2).filter_map(morning).map(|morning| morning.to_utc());
    mornings.into_iter().find(|morning| *morning > at).unwrap_or(at + TimeDelta::days(1))
}

fn apply(open: &mut Open, change: &Change<'_>, names: &mut Names, at: DateTime<Utc>) {
    match *change {
        Change::Became(attribute, name) => {
            let name = names.id(name);
            if attribute == Attribute::State && open.facts.get(attribute) != name {
                open.state_before = open.facts.get(attribute);
                open.state_since = at;
            }
            open.facts.set(attribute, name);
        }
        Change::Reassigned(times) => open.reassignments = times,
        Change::Reopened(times) => open.reopens = times,
        Change::Paused(paused) => open.set_paused(paused, at),
    }
}

/// Converts a forecast end from shares of the target to working time from now.
fn finish(open: &Open, promised: Promised) -> Finish {
    let after = |share: f32| {
        TimeDelta::milliseconds((f64::from(share - promised.share) * seconds(open.terms.allowed) * 1000.0) as i64)
    };
    let latest = promised.latest.is_finite().then(|| after(promised.latest));
    Finish { median: after(promised.median), earliest: after(promised.earliest), latest }
}
