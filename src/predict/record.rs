//! The forecast's own record: what was forecast at set moments of a clock, and later how that clock ended.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use super::open_forecasts::{OpenForecasts, Seen, outcome, reached};
use crate::alert::prediction::{Call, Rule};
use crate::sla::clock::assess;
use crate::sla::tenant_rules::TenantRules;
use crate::store::predictions::{Moment, Outcome, PredictedClock, Prediction};
use crate::store::tickets::OpenTickets;
use crate::store::{Store, StoreError};
use crate::ticket::{TenantId, TicketId};

/// What was forecast for clocks that are not decided yet: each moment with its probability.
pub struct Record(HashMap<PredictedClock, Vec<(Moment, f64)>>);

/// What is to be stored.
#[derive(Default)]
pub struct Entries {
    pub new: Vec<Prediction>,
    pub decided: Vec<(PredictedClock, Option<Outcome>)>,
}

impl Record {
    /// Loads what is stored for `tenant`.
    pub async fn load(store: &Store, tenant: &TenantId) -> Result<Self, StoreError> {
        let mut noted: HashMap<PredictedClock, Vec<(Moment, f64)>> = HashMap::new();
        for one in store.undecided_predictions(tenant).await? {
            noted.entry(one.subject).or_default().push((one.moment, one.probability));
        }
        Ok(Self(noted))
    }

    /// Whether people were told, or are to be told, that this clock is likely to breach.
    pub fn is_told(&self, subject: &PredictedClock) -> bool {
        self.has(subject, Moment::Alert)
    }

    fn has(&self, subject: &PredictedClock, moment: Moment) -> bool {
        self.0.get(subject).is_some_and(|noted| noted.iter().any(|(known, _)| *known == moment))
    }

    /// Returns the running clocks that have just reached a moment that is not recorded yet.
    pub fn due(&self, current: &OpenForecasts, now: DateTime<Utc>) -> Vec<Prediction> {
        let due = |seen: &Seen| {
            let moment = reached(seen.share).filter(|moment| !self.has(&seen.subject, *moment))?;
            let Seen { subject, probability, left, .. } = seen.clone();
            Some(Prediction { subject, moment, at: now, probability, left })
        };
        current.running.iter().filter_map(due).collect()
    }

    /// Returns how the recorded clocks ended: those of open tickets from `current`, the others from the store.
    pub async fn ended(
        &self,
        store: &Store,
        tenant: &TenantId,
        rules: &TenantRules,
        open: &OpenTickets,
        current: &OpenForecasts,
        now: DateTime<Utc>,
    ) -> Result<Vec<(PredictedClock, Option<Outcome>)>, StoreError> {
        let noted = |(subject, outcome): &(PredictedClock, Outcome)| {
            self.0.contains_key(subject).then(|| (subject.clone(), Some(*outcome)))
        };
        let mut ended: Vec<_> = current.decided.iter().filter_map(noted).collect();
        let gone =
            |subject: &&PredictedClock| open.get(&subject.ticket).is_none_or(|watched| watched.cycle != subject.cycle);
        for subject in self.0.keys().filter(gone) {
            ended.push((subject.clone(), end(store, tenant, rules, subject, now).await?));
        }
        Ok(ended)
    }

    /// Takes over what was stored.
    pub fn keep(&mut self, entries: &Entries) {
        for one in &entries.new {
            self.0.entry(one.subject.clone()).or_default().push((one.moment, one.probability));
        }
        for (subject, _) in &entries.decided {
            self.0.remove(subject);
        }
    }

    /// Returns what the alerts of clocks that people were told of should do now.
    pub fn calls(&self, rule: Rule, current: &OpenForecasts) -> HashMap<TicketId, [Option<Call>; 2]> {
        let mut calls: HashMap<TicketId, [Option<Call>; 2]> = HashMap::new();
        for (subject, noted) in &self.0 {
            let Some((_, told)) = noted.iter().find(|(moment, _)| *moment == Moment::Alert) else { continue };
            let said = current.of.get(&subject.ticket).and_then(|both| both[subject.clock as usize].as_ref());
            let unlikely = said.is_some_and(|said| rule.takes_back(said.probability));
            let call = if unlikely { Call::TakeBack } else { Call::Tell(*told) };
            calls.entry(subject.ticket.clone()).or_default()[subject.clock as usize] = Some(call);
        }
        calls
    }
}

/// Returns how a clock ended whose ticket is no longer open, or is open in another cycle. `None` if there is no end to
/// judge by.
async fn end(
    store: &Store,
    tenant: &TenantId,
    rules: &TenantRules,
    subject: &PredictedClock,
    now: DateTime<Utc>,
) -> Result<Option<Outcome>, StoreError> {
    let watched = store.ticket(tenant, &subject.ticket).await?;
    let same_cycle = watched.filter(|watched| watched.cycle == subject.cycle);
    Ok(same_cycle.and_then(|watched| outcome(&assess(&watched, subject.clock, rules, now), now)))
}
