//! The walk through time: tells the forecaster what happens, and asks it at the moments that are judged.

use std::collections::HashMap;

use chrono::{DateTime, NaiveTime, Utc};
use serde::Serialize;

use super::budget::{Budget, BudgetLine, HOURS_LEFT};
use super::figures::{Awaited, Figures, figures};
use super::path::{CHECKPOINTS, Path, Promises};
use crate::history::{Event, Field, Record};
use crate::sla::forecast::{Attribute, Change, Finish, Forecaster};

/// When the day's alerts are chosen.
const MORNING: NaiveTime = NaiveTime::from_hms_opt(9, 0, 0).expect("nine is an hour");
const BUDGETS: [usize; 3] = [10, 25, 50];

/// A forecast at one checkpoint.
#[derive(Clone, Debug, PartialEq)]
pub struct Said {
    pub ticket: usize,
    /// Which of [`CHECKPOINTS`].
    pub checkpoint: usize,
    pub at: DateTime<Utc>,
    pub probability: f64,
    /// When it was expected to be resolved; none if that was beyond all experience.
    pub finish: Option<Finish>,
}

/// All figures of a walk.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Tickets judged.
    pub tickets: usize,
    /// At each of [`CHECKPOINTS`].
    pub checkpoints: Vec<Figures>,
    /// The budgets first, then what they are compared with.
    pub budgets: Vec<BudgetLine>,
    #[serde(skip)]
    pub said: Vec<Said>,
}

/// A stop on the way. Events come before questions at the same moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stop {
    Opened,
    Changed(usize),
    Resolved,
    Checkpoint(usize),
    Morning,
}

/// Walks through `paths`. Those from `judged` on are judged; the ones before are only learned from. `progress` is told
/// the steps done and all steps, after each step.
pub fn walk(paths: &[Path], judged: usize, promises: &dyn Promises, mut progress: impl FnMut(usize, usize)) -> Report {
    let stops = itinerary(paths, judged);
    let start = stops.first().map_or(DateTime::UNIX_EPOCH, |(at, ..)| *at);
    let mut walk = Walk {
        paths,
        judged,
        promises,
        forecaster: Forecaster::new(start),
        places: paths.iter().enumerate().map(|(place, path)| (path.record.ticket_id.as_str(), place)).collect(),
        said: Vec::new(),
        budgets: BUDGETS.map(Budget::new),
        soonest: Budget::new(BUDGETS[0]),
    };
    for (done, (at, stop, ticket)) in stops.iter().enumerate() {
        walk.visit(*stop, *ticket, *at);
        progress(done + 1, stops.len());
    }
    walk.report()
}

fn itinerary(paths: &[Path], judged: usize) -> Vec<(DateTime<Utc>, Stop, usize)> {
    let mut stops = Vec::new();
    for (ticket, path) in paths.iter().enumerate() {
        let record = &path.record;
        stops.push((record.opened_at, Stop::Opened, ticket));
        let events = record.events.iter().enumerate();
        stops.extend(events.map(|(n, event)| (event.at.max(record.opened_at), Stop::Changed(n), ticket)));
        stops.extend(path.resolved_at.map(|at| (at, Stop::Resolved, ticket)));
        if ticket >= judged {
            let reached = path.checkpoints.iter().enumerate();
            stops.extend(reached.filter_map(|(n, at)| Some(((*at)?, Stop::Checkpoint(n), ticket))));
        }
    }
    stops.extend(mornings(&paths[judged.min(paths.len())..]).map(|at| (at, Stop::Morning, 0)));
    // Within one moment a ticket's own order is kept: opened, then its events one by one, then resolved.
    stops.sort_by_key(|(at, stop, ticket)| (*at, matches!(stop, Stop::Checkpoint(_) | Stop::Morning), *ticket, *stop));
    // What happens after the last question makes no difference.
    let last = stops.iter().rposition(|(_, stop, _)| matches!(stop, Stop::Checkpoint(_) | Stop::Morning));
    stops.truncate(last.map_or(0, |last| last + 1));
    stops
}

/// Returns every morning on which the desk still gets tickets; later ones would spend their alerts on leftovers.
fn mornings(paths: &[Path]) -> impl Iterator<Item = DateTime<Utc>> + use<> {
    let opened = || paths.iter().map(|path| path.record.opened_at);
    let span = opened().min().zip(opened().max());
    span.into_iter().flat_map(|(first, last)| {
        let mornings = first.date_naive().iter_days().map(|day| day.and_time(MORNING).and_utc());
        mornings.skip_while(move |at| *at < first).take_while(move |at| *at <= last)
    })
}

struct Walk<'a> {
    paths: &'a [Path],
    judged: usize,
    promises: &'a dyn Promises,
    forecaster: Forecaster,
    places: HashMap<&'a str, usize>,
    said: Vec<Said>,
    budgets: [Budget; 3],
    soonest: Budget,
}

impl Walk<'_> {
    fn visit(&mut self, stop: Stop, ticket: usize, at: DateTime<Utc>) {
        let path = &self.paths[ticket];
        let record = &path.record;
        match stop {
            Stop::Opened => {
                self.forecaster.opened(&record.ticket_id, path.terms.clone(), record.priority.as_deref(), at)
            }
            Stop::Changed(number) => {
                let changes = self.changes(record, number);
                self.forecaster.changed(&record.ticket_id, &changes, at);
            }
            Stop::Resolved => self.forecaster.stopped(&record.ticket_id, at),
            Stop::Checkpoint(checkpoint) => {
                self.forecaster.advance(at);
                if let Some(said) = self.forecaster.forecast(&record.ticket_id, at) {
                    let (probability, finish) = (said.probability, said.finish);
                    self.said.push(Said { ticket, checkpoint, at, probability, finish });
                }
            }
            Stop::Morning => self.alert(at),
        }
    }

    /// Returns the changes of event `number`. The first also brings what the record says of the ticket "as of the first
    /// event".
    fn changes<'r>(&self, record: &'r Record, number: usize) -> Vec<Change<'r>> {
        let event = &record.events[number];
        let mut changes = if number == 0 { first_look(record) } else { Vec::new() };
        changes.extend(told(event));
        if let Some(state) = event.change(Field::State) {
            changes.push(Change::Paused(state.is_some_and(|state| self.promises.pauses(state))));
        }
        changes
    }

    /// Chooses the day's alerts.
    fn alert(&mut self, now: DateTime<Utc>) {
        self.forecaster.advance(now);
        let all = self.forecaster.probabilities(now);
        let judged = all.filter_map(|(id, chance)| Some((*self.places.get(id)?, chance)));
        let mut candidates: Vec<_> = judged
            .filter(|(ticket, _)| *ticket >= self.judged)
            .map(|(ticket, chance)| (ticket, chance, self.paths[ticket].left(now, self.promises)))
            .filter(|(_, _, left)| *left >= HOURS_LEFT)
            .collect();
        candidates.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        let ranked: Vec<usize> = candidates.iter().map(|candidate| candidate.0).collect();
        self.budgets.iter_mut().for_each(|budget| budget.spend(&ranked, now));
        candidates.sort_by_key(|candidate| (candidate.2, candidate.0));
        let ranked: Vec<usize> = candidates.iter().map(|candidate| candidate.0).collect();
        self.soonest.spend(&ranked, now);
    }

    /// Returns what was expected of a ticket that was resolved, and how long it took.
    fn awaited(&self, said: &Said) -> Option<Awaited> {
        let path = &self.paths[said.ticket];
        let left = |at| path.left(at, self.promises);
        Some(Awaited { expected: said.finish?, took: left(said.at) - left(path.resolved_at?) })
    }

    fn report(self) -> Report {
        let paths = self.paths;
        let judged = &paths[self.judged.min(paths.len())..];
        let breaches = judged.iter().filter(|path| path.breached_at.is_some()).count();
        let line = |rule: String, budget: &Budget| {
            BudgetLine::of(rule, budget.alerts.iter().map(|(at, ticket)| (*at, &paths[*ticket])), breaches)
        };
        let mut budgets: Vec<_> =
            self.budgets.iter().map(|budget| line(format!("forecast, {} a day", budget.a_day()), budget)).collect();
        budgets.push(line(format!("soonest due first, {} a day", self.soonest.a_day()), &self.soonest));
        let at_75 = judged.iter().filter_map(|path| Some((path.checkpoints[2]?, path)));
        budgets.push(BudgetLine::of("at 75 % of the clock".to_owned(), at_75, breaches));
        let checkpoint = |checkpoint| {
            let said = || self.said.iter().filter(move |said| said.checkpoint == checkpoint);
            let pairs = said().map(|said| (said.probability, paths[said.ticket].breached_at.is_some()));
            figures(&pairs.collect::<Vec<_>>())
                .with_times(&said().filter_map(|said| self.awaited(said)).collect::<Vec<_>>())
        };
        Report {
            tickets: judged.len(),
            checkpoints: (0..CHECKPOINTS.len()).map(checkpoint).collect(),
            budgets,
            said: self.said,
        }
    }
}

/// Returns what was known of a ticket as of its first event.
fn first_look(record: &Record) -> Vec<Change<'_>> {
    let known = [
        (Attribute::Impact, &record.impact),
        (Attribute::Urgency, &record.urgency),
        (Attribute::Category, &record.category),
        (Attribute::Subcategory, &record.subcategory),
        (Attribute::Symptom, &record.symptom),
        (Attribute::Location, &record.location),
        (Attribute::Client, &record.client),
        (Attribute::Channel, &record.channel),
        (Attribute::OpenedBy, &record.opened_by),
        (Attribute::Group, &record.group),
        (Attribute::Technician, &record.assignee),
    ];
    known.into_iter().map(|(attribute, name)| Change::Became(attribute, name.as_deref())).collect()
}

/// Returns the changes of one event alone.
fn told(event: &Event) -> impl Iterator<Item = Change<'_>> {
    let became = event.changes.iter().map(|(field, name)| Change::Became(attribute(*field), name.as_deref()));
    let reassigned = event.reassignments.map(Change::Reassigned);
    became.chain(reassigned).chain(event.reopens.map(Change::Reopened))
}

fn attribute(field: Field) -> Attribute {
    match field {
        Field::State => Attribute::State,
        Field::Group => Attribute::Group,
        Field::Assignee => Attribute::Technician,
        Field::Priority => Attribute::Priority,
        Field::Impact => Attribute::Impact,
        Field::Urgency => Attribute::Urgency,
        Field::Category => Attribute::Category,
        Field::Subcategory => Attribute::Subcategory,
        Field::Symptom => Attribute::Symptom,
        Field::Location => Attribute::Location,
        Field::By => Attribute::By,
    }
}
