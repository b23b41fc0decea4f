//! Both forecasters of a tenant: told what happens, in the order of time, and asked about every clock at once.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::training::{Fact, Shared, Start, TrainingEvent, What, ticket_of};
use crate::sla::forecast::{Change, FinishRecord, Forecast, Forecaster, Grounds};
use crate::ticket::{ClockKind, TicketId};

/// What is said of both clocks of a ticket, in the order of [`ClockKind::REPORTED`].
pub type Both = [Option<Arc<Forecast>>; 2];

/// One forecaster for each clock, in the order of [`ClockKind::REPORTED`].
#[derive(Debug)]
pub struct Forecasters([Forecaster; 2]);

/// How much one clock's forecasts are worth, and what they rest on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ForecastQuality {
    pub grounds: Grounds,
    /// How far what was said of the latest 500 outcomes was off; none before there are so many.
    pub error: Option<f64>,
    pub trusted: bool,
    /// How the times held that were said of the latest 500 clocks.
    pub finishes: Option<FinishRecord>,
}

impl Forecasters {
    /// Forecasters that know nothing yet, at `start`. What they are told of the time before `now` is past, and told at once.
    pub fn new(start: DateTime<Utc>, now: DateTime<Utc>) -> Self {
        let mut forecasters = Self(ClockKind::REPORTED.map(|_| Forecaster::new(start)));
        forecasters.0.iter_mut().for_each(|forecaster| forecaster.catches_up(now));
        forecasters
    }

    /// Tells what happened. What is ahead of the last told moment is told in its order.
    pub fn tell(&mut self, mut happened: Vec<TrainingEvent>) {
        // Stable: of one ticket at one moment, first things first.
        happened.sort_by_key(|event| event.at);
        happened.into_iter().for_each(|event| self.hear(event));
    }

    /// Tells one thing that happened.
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

    /// Lets time pass until `now`; refits what is due for it.
    pub fn advance(&mut self, now: DateTime<Utc>) {
        self.0.iter_mut().for_each(|forecaster| forecaster.advance(now));
    }

    /// Stops the first-response clocks of `tickets`: a reply that SuperOps does not count yet changes no field of theirs.
    pub fn stop(&mut self, tickets: &[TicketId], now: DateTime<Utc>) {
        for ticket in tickets {
            self.0[ClockKind::FirstResponse as usize].stopped(ticket.as_str(), now);
        }
    }

    /// What can be said now of every clock that runs or stands still.
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

    /// What the forecasts of each clock are worth.
    pub fn quality(&self) -> [ForecastQuality; 2] {
        self.0.each_ref().map(|forecaster| ForecastQuality {
            grounds: forecaster.grounds(),
            error: forecaster.recent_error(),
            trusted: forecaster.is_trusted(),
            finishes: forecaster.finish_record(),
        })
    }

    /// What was said of clocks that are decided by now, noted as it was said while walking through what happened.
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
