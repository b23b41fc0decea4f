//! Carries out decisions about alerts: raises, reopens or ends them.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use tracing::info;

use super::about::About;
use super::{Evaluate, TurnContext, escalate, facts, memory, write_back};
use crate::alert::life::Asked;
use crate::alert::{self, AlertKey, Closing, Decision, Stage};
use crate::sla::clock::{self, ClockState};
use crate::store::StoreError;
use crate::store::alerts::{AlertRow, AlertTurn, Recovered};
use crate::store::tickets::OpenTickets;
use crate::telemetry::AlertLabels;
use crate::ticket::watch::Watched;

/// How far ahead our clock must have been for an alert to count as told too early: it ends, and is told again in time.
const SET_BACK: TimeDelta = TimeDelta::minutes(10);

impl Evaluate {
    /// Carries out a decision about a ticket.
    pub(super) fn apply(
        &mut self,
        context: &TurnContext<'_>,
        watched: &Watched,
        clock: &ClockState<'_>,
        key: AlertKey,
        decision: Decision,
        work: &mut AlertTurn,
    ) {
        let early = self.is_early(&key, clock, context.now);
        match decision {
            Decision::Keep | Decision::Move | Decision::Resolve(Closing::Retargeted) if early > SET_BACK => {
                self.end_of(context, watched, clock, key, Closing::TooEarly, work);
            }
            Decision::Resolve(Closing::Retargeted) if early > TimeDelta::zero() => {}
            Decision::Keep | Decision::Known { .. } => {}
            Decision::Raise { stage, episode, reason } => {
                if self.memory.get(&key).is_some() {
                    work.cancelled.push(key.clone());
                }
                self.note_raised(&watched.ticket.display_id, &key, stage);
                let escalation = self.config.escalation_for(context.subject(watched), stage);
                let asked = Asked::of(context.subject(watched), context.people);
                let raised = memory::raised_for(clock, stage, episode, context.now);
                let row = self.memory.raise(key, raised, reason.to_string(), escalation, asked, context.now);
                write_back::breached(context, clock, &row, work);
                work.alerts.push(row);
            }
            Decision::Reopen => {
                let Some(before) = self.memory.get(&key) else { return };
                let steps = &escalate::escalation_of(&self.config, before, context.subject(watched)).steps;
                let Some(row) = self.memory.reopen(&key, clock.due, steps, context.now) else { return };
                work.opened_again.push(key.clone());
                if row.life.held().is_none() {
                    work.reopened.push((key, memory::stage_of(&row)));
                }
                work.alerts.push(row);
            }
            Decision::Move => work.alerts.extend(self.memory.note_due(&key, clock)),
            Decision::Resolve(closing) => {
                let closing = closing.told_by(watched.ticket.status.as_deref());
                self.end_of(context, watched, clock, key, closing, work);
            }
        }
    }

    fn end_of(
        &mut self,
        context: &TurnContext<'_>,
        watched: &Watched,
        clock: &ClockState<'_>,
        key: AlertKey,
        closing: Closing,
        work: &mut AlertTurn,
    ) {
        let Some(row) = self.memory.resolve(&key, closing, context.now) else { return };
        let alert = About::Ticket(watched).alert_words(&key);
        info!(tenant = %key.tenant, ticket.number = %watched.ticket.display_id, alert.id = %key.id(),
            clock = key.kind.as_str(), closing = closing.as_str(), "{alert} is over: {}", closing.words());
        work.cancelled.push(key);
        work.recovered.extend(self.recovered(context, watched, clock, &row, closing));
        work.alerts.push(row);
    }

    /// Returns how far the computer's clock is behind the moment at which this alert was raised; zero if it is not.
    /// That makes nothing safer, and when the moment comes again it is not news.
    fn is_early(&self, key: &AlertKey, clock: &ClockState<'_>, now: DateTime<Utc>) -> TimeDelta {
        let row =
            self.memory.get(key).filter(|row| row.raised.resolved_as.is_none() && clock.due == Some(row.raised.due));
        row.map_or(TimeDelta::zero(), |row| (row.raised_at.max(row.changed_at) - now).max(TimeDelta::zero()))
    }

    fn recovered(
        &self,
        context: &TurnContext<'_>,
        watched: &Watched,
        clock: &ClockState<'_>,
        row: &AlertRow,
        closing: alert::Closing,
    ) -> Option<Recovered> {
        if !row.told {
            return None;
        }
        let body = facts::recovery(self.links(context.tenant), watched, clock, row, closing)?;
        let owner = watched.ticket.technician.as_ref().map(|owner| &owner.name);
        let taker = row.life.held().map(|hold| &hold.by).filter(|by| Some(*by) != owner).cloned();
        let (key, episode, generation) = (row.key.clone(), row.raised.episode, row.generation);
        Some(Recovered { key, episode, generation, closing, body, taker, at: context.now })
    }

    /// Resolves alerts whose ticket is no longer open: closed or gone.
    pub(super) async fn resolve_gone(
        &mut self,
        context: &TurnContext<'_>,
        open: &Arc<OpenTickets>,
        work: &mut AlertTurn,
    ) -> Result<(), StoreError> {
        for key in self.memory.open_without_ticket(&context.tenant.id, open, context.now) {
            let Some((ticket, kind)) = key.clock() else { continue };
            let Some(watched) = self.store.ticket(&key.tenant, ticket).await? else { continue };
            let clock = clock::assess(&watched, kind, context.rules, context.now);
            let raised = self.memory.get(&key).map(|row| row.raised);
            let decision = if key.cycle == watched.cycle {
                alert::decide(&clock, context.known_by(&watched), raised.as_ref())
            } else {
                Decision::Resolve(alert::Closing::Retargeted)
            };
            if let Decision::Resolve(_) = decision {
                self.apply(context, &watched, &clock, key, decision, work);
            }
        }
        Ok(())
    }

    pub(super) fn note_raised(&mut self, called: &str, key: &AlertKey, stage: Stage) {
        self.raised.push(Raising { called: called.to_owned(), key: key.clone(), stage });
    }

    /// Counts and logs what was raised, now that it is written.
    pub(super) fn count_raised(&mut self) {
        for Raising { called, key, stage } in std::mem::take(&mut self.raised) {
            let (tenant, clock) = (key.tenant.to_string(), key.kind.as_str());
            let labels = AlertLabels { tenant, clock, stage: stage.as_str() };
            self.telemetry.alerts.get_or_create(&labels).inc();
            let (id, what, how) = (key.id(), key.kind.words(), stage_words(stage));
            if key.ticket().is_some() {
                info!(tenant = %key.tenant, ticket.number = %called, alert.id = %id, clock, stage = stage.as_str(),
                    "alert {id}: {what} of ticket {called}: {how}");
            } else {
                info!(tenant = %key.tenant, component = %key.subject, alert.id = %id, kind = clock, stage = stage.as_str(),
                    "alert {id}: {what} of `{}`: {}", key.subject, stage.as_str());
            }
        }
    }
}

/// An alert that a turn has raised.
pub(super) struct Raising {
    /// The name by which people know the ticket or the service.
    called: String,
    key: AlertKey,
    stage: Stage,
}

/// Returns the stage in the words of a log line.
fn stage_words(stage: Stage) -> &'static str {
    match stage {
        Stage::Predicted => "likely to breach",
        Stage::Warning => "at risk",
        Stage::Breached => "breached",
    }
}
