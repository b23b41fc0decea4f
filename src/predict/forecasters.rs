//! Both forecasters of a tenant: told what happens in order of time, and asked about every clock at once.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::training::{Fact, Shared, Start, TrainingEvent, What, ticket_of};
use crate::sla::forecast::{Change, FinishRecord, Forecast, Forecaster, Grounds};
use crate::ticket::{ClockKind, TicketId};

/// The forecasts of both clocks of a ticket, in the order of [`ClockKind::REPORTED`].
pub type Both = [Option<Arc<Forecast>>; 2];

/// One forecaster for each clock, in the order of [`ClockKind::REPORTED`].
#[derive(Debug)]
pub struct Forecasters([Forecaster; 2]);

/// How reliable one clock's forecasts are, and what they rest on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ForecastQuality {
    pub grounds: Grounds,
    /// How far the forecasts of the latest 500 outcomes were off; none until there are that many.
    pub error: Option<f64>,
    pub trusted: bool,
    /// How well the finish times forecast for the latest 500 clocks held.
    pub finishes: Option<FinishRecord>,
}

impl Forecasters {
    /// Creates forecasters that know nothing yet, at `start`. What they are told of the time before `now` counts as
    /// history, replayed at once.
    pub fn new(start: DateTime<Utc>, now: DateTime<Utc>) -> Self {
        let mut forecasters = Self(ClockKind::REPORTED.map(|_| Forecaster::new(start)));
        forecasters.0.iter_mut().for_each(|forecaster| forecaster.catches_up(now));
        forecasters
    }

    /// Tells what happened, in order of time.
    pub fn tell(&mut self, mut happened: Vec<TrainingEvent>) {
        // The sort is stable: simultaneous events of one ticket keep their order.
        happened.sort_by_key(|event| event.at);
        happened.into_iter().for_each(|event| self.hear(event));
    }

    /// Tells of one event.
    pub fn hear(&mut self, TrainingEvent { at, clock, key, what, .. }: TrainingEvent) {
        let forecaster = &mut self.0[clock as usize];
        match what {
            What::Opened(start) => {
                let Start { terms, priority, since } = *start;
                forecaster.taken_up(&key, terms, priority.as_deref(), since, at);
            }
            What::Changed(facts) => forecaster.changed(&key, &facts.iter().map(change).collect::<Vec<_>>(), at),
            What::Stopped => forecaster.stopped(&key, at),
            What::Withdrawn => forecaster.withdrawn(&key, at),
        }
    }

    /// Lets time pass until `now`, and refits what is due.
    pub fn advance(&mut self, now: DateTime<Utc>) {
        self.0.iter_mut().for_each(|forecaster| forecaster.advance(now));
    }

    /// Stops the first-response clocks of `tickets`: a reply that SuperOps does not count yet changes none of their
    /// fields.
    pub fn stop(&mut self, tickets: &[TicketId], now: DateTime<Utc>) {
        for ticket in tickets {
            self.0[ClockKind::FirstResponse as usize].stopped(ticket.as_str(), now);
        }
    }

    /// Returns the forecasts of every clock that runs or is paused.
    pub fn forecasts(&self, now: DateTime<Utc>) -> HashMap<TicketId, Both> {
        let (mut all, mut reasons) = (HashMap::<TicketId, Both>::new(), Shared::default());
        for (clock, forecaster) in ClockKind::REPORTED.into_iter().zip(&self.0) {
            for (key, mut said) in forecaster.forecasts(now) {
                let Ok(id) = TicketId::parse(ticket_of(key)) else { continue };
                said.reasons.iter_mut().for_each(|reason| *reason = reasons.text(reason));
                all.entry(id).or_default()[clock as usize] = Some(Arc::new(said));
            }
        }
        all
    }

    /// Returns the quality of each clock's forecasts.
    pub fn quality(&self) -> [ForecastQuality; 2] {
        self.0.each_ref().map(|forecaster| ForecastQuality {
            grounds: forecaster.grounds(),
            error: forecaster.recent_error(),
            trusted: forecaster.is_trusted(),
            finishes: forecaster.finish_record(),
        })
    }

    /// Returns the forecasts of clocks that are decided by now, as they were noted while walking through the past.
    pub fn rehearsed(&self, clock: ClockKind) -> Vec<(DateTime<Utc>, f64, bool)> {
        self.0[clock as usize].said_and_happened().collect()
    }
}

fn change(fact: &Fact) -> Change<'_> {
    match fact {
        Fact::Became(attribute, name) => Change::Became(*attribute, name.as_deref()),
        Fact::Reassigned(times) => Change::Reassigned(*times),
        Fact::Reopened(times) => Change::Reopened(*times),
        Fact::Paused(paused) => Change::Paused(*paused),
    }
}
