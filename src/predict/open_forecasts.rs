//! All open tickets at one moment: the forecast of each clock, and how each stands by the rules.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::forecasters::{Both, Forecasters};
use crate::sla::clock::{ClockState, Standing, assess_all};
use crate::sla::tenant_rules::TenantRules;
use crate::store::predictions::{Moment, Outcome, PredictedClock};
use crate::store::tickets::OpenTickets;
use crate::ticket::{ClockKind, TicketId};

/// A running clock with its forecast.
#[derive(Clone, Debug)]
pub struct Seen {
    pub subject: PredictedClock,
    pub probability: f64,
    pub left: TimeDelta,
    /// Not yet at risk by the rules.
    pub on_track: bool,
    /// The share of the working time that has run.
    pub share: f64,
}

/// What the forecasters and the rules say about the open tickets at one moment.
pub struct OpenForecasts {
    pub of: HashMap<TicketId, Both>,
    pub running: Vec<Seen>,
    /// Tickets answered by the rules, which the forecaster does not know yet.
    pub answered: Vec<TicketId>,
    /// Clocks of open tickets that are decided.
    pub decided: Vec<(PredictedClock, Outcome)>,
}

/// Forecasts all tickets in `open` at `now`.
pub fn forecast_open(
    forecasters: &Forecasters,
    open: &OpenTickets,
    rules: &TenantRules,
    now: DateTime<Utc>,
) -> OpenForecasts {
    let of = forecasters.forecasts(now);
    let (mut running, mut answered, mut decided) = (Vec::new(), Vec::new(), Vec::new());
    for watched in open.values() {
        let clocks = assess_all(watched, rules, now);
        for clock in clocks.into_iter().filter(|clock| ClockKind::REPORTED.contains(&clock.kind)) {
            let ticket = watched.ticket.id.clone();
            let subject = PredictedClock { ticket, clock: clock.kind, cycle: watched.cycle };
            let said = of.get(&watched.ticket.id).and_then(|both| both.get(clock.kind as usize)?.as_ref());
            if said.is_some() && clock.stopped_at.is_some() && clock.kind == ClockKind::FirstResponse {
                answered.push(watched.ticket.id.clone());
            }
            if let Some(outcome) = outcome(&clock, now) {
                decided.push((subject, outcome));
            } else if let Some(said) = said {
                running.extend(seen(subject, said.probability, &clock));
            }
        }
    }
    OpenForecasts { of, running, answered, decided }
}

fn seen(subject: PredictedClock, probability: f64, clock: &ClockState<'_>) -> Option<Seen> {
    let left = clock.left.filter(|_| clock.running)?;
    let on_track = matches!(clock.standing, Standing::OnTrack { .. });
    Some(Seen { subject, probability, left, on_track, share: clock.elapsed_share()? })
}

/// Returns how a clock ended, if it has: by the first breach or the stop, whichever came first.
pub fn outcome(clock: &ClockState<'_>, now: DateTime<Utc>) -> Option<Outcome> {
    if clock.breached {
        return Some(Outcome { breached: true, at: clock.breached_from.or(clock.due).unwrap_or(now).min(now) });
    }
    clock.stopped_at.filter(|_| clock.standing == Standing::Met).map(|at| Outcome { breached: false, at })
}

/// How far past its share a moment may still be recorded. After an interruption it may have been missed.
const WITHIN: f64 = 0.05;
const SHARES: [(f64, Moment); 3] = [(0.25, Moment::Quarter), (0.5, Moment::Half), (0.75, Moment::ThreeQuarters)];

/// Returns the moment that a clock has just reached when `share` of it has run.
pub fn reached(share: f64) -> Option<Moment> {
    SHARES.into_iter().find(|(from, _)| (*from..*from + WITHIN).contains(&share)).map(|(_, moment)| moment)
}
