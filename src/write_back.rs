//! The loop that writes on tickets at SuperOps, one for each tenant that wants it.
//!
//! It works through what `evaluate` has queued, after everything else that asks SuperOps. SuperOps has no idempotency
//! key, so nothing is ever repeated blindly: before a note is written again, its reference is searched for among the
//! ticket's notes, and before a ticket is changed it is read. Changes that a person made meanwhile stand.

use std::collections::HashSet;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::watch;
use tracing::{debug, error, info, warn};

use crate::alert::on_call::Person;
use crate::alert::write_back::WriteBackAction;
use crate::clock::SharedClock;
use crate::store::write_backs::{DueWriteBack, Settled, WriteBackRow};
use crate::store::{Store, StoreError};
use crate::superops::{ApiError, SuperOps, TicketEdit, Urgency};
use crate::telemetry::{Telemetry, WriteBackLabels};
use crate::ticket::{TenantId, Ticket};

/// The urgency of all requests here: everything else that asks SuperOps goes first.
const LAST: Urgency = Urgency::Background;
/// How long to keep trying to write a note; after that it tells nobody anything new.
const GIVE_UP_AFTER: TimeDelta = TimeDelta::hours(6);
/// The pauses after the first attempts, in seconds; the last one is repeated.
const PAUSES: [i64; 6] = [30, 60, 120, 300, 900, 1_800];
/// After this time, whatever was under way when the process died has ended at SuperOps, one way or the other.
const UNDER_WAY: TimeDelta = TimeDelta::seconds(60);
/// The longest sleep of the loop, so that nothing depends on a single wake-up.
const LONGEST_SLEEP: TimeDelta = TimeDelta::minutes(1);
/// The pause after a failed turn.
const AFTER_FAILURE: TimeDelta = TimeDelta::seconds(5);

/// What the loop works with.
pub struct Wiring {
    pub client: Arc<SuperOps>,
    pub store: Store,
    pub clock: SharedClock,
    pub telemetry: Arc<Telemetry>,
    /// Changes when something is queued.
    pub queued: watch::Receiver<()>,
}

/// Writes on the tickets of one tenant.
pub struct WriteBacks {
    tenant: TenantId,
    wiring: Wiring,
    /// The kinds whose refusal was already logged, so that each is logged once.
    said: HashSet<&'static str>,
}

/// What is left to send, after a look at the ticket at SuperOps.
enum Plan<'a> {
    /// Nothing has to be sent, for this reason.
    Settled(Settled),
    Note(&'a str),
    Edit(TicketEdit, Option<DateTime<Utc>>),
}

impl WriteBacks {
    pub fn new(tenant: &TenantId, wiring: Wiring) -> Self {
        Self { tenant: tenant.clone(), wiring, said: HashSet::new() }
    }

    /// Runs turns until `stop` is set. What is under way then is looked up after the next start.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) {
        tokio::select! {
            () = self.turn_for_ever() => {}
            _ = stop.wait_for(|stop| *stop) => {}
        }
    }

    async fn turn_for_ever(&mut self) {
        loop {
            let now = self.wiring.clock.now();
            let wake = match self.turn().await {
                Ok(next) => next.map_or(now + LONGEST_SLEEP, |next| next.min(now + LONGEST_SLEEP)),
                Err(error) => {
                    error!(tenant = %self.tenant, error = %error, "nothing can be written back to superops now");
                    now + AFTER_FAILURE
                }
            };
            tokio::select! {
                () = self.wiring.clock.sleep_until(wake) => {}
                changed = self.wiring.queued.changed() => if changed.is_err() { return },
            }
        }
    }

    /// Works through what is due, one after the other; returns when the next is due.
    pub async fn turn(&mut self) -> Result<Option<DateTime<Utc>>, StoreError> {
        let now = self.wiring.clock.now();
        for due in self.wiring.store.due_write_backs(&self.tenant, now).await? {
            self.work_off(&due).await?;
        }
        self.wiring.store.next_write_back(&self.tenant).await
    }

    async fn work_off(&mut self, due: &DueWriteBack) -> Result<(), StoreError> {
        let job = &due.row;
        let (settled, wrote) = if due.is_moot {
            (Settled::Cancelled, false)
        } else if self.wiring.clock.now() - job.created_at >= GIVE_UP_AFTER {
            (Settled::Failed { why: gave_up(job) }, false)
        } else {
            self.attempt(job).await?
        };
        self.tell(job, &settled);
        let labels = WriteBackLabels { kind: job.action.kind(), outcome: settled.outcome() };
        self.wiring.telemetry.write_backs.get_or_create(&labels).inc();
        let now = self.wiring.clock.now();
        self.wiring.store.settle_write_back(&self.tenant, job, settled, wrote, now).await
    }

    /// Looks, and writes if needed. Also returns whether anything was sent.
    async fn attempt(&self, job: &WriteBackRow) -> Result<(Settled, bool), StoreError> {
        let plan = match self.plan(job).await? {
            Err(error) => return Ok((self.after(job, &error), false)),
            Ok(Plan::Settled(settled)) => return Ok((settled, false)),
            Ok(plan) => plan,
        };
        let Wiring { client, store, clock, .. } = &self.wiring;
        let touched = match &plan {
            Plan::Edit(_, touched) => *touched,
            _ => store.ticket(&self.tenant, &job.ticket).await?.and_then(|watched| watched.ticket.updated_at),
        };
        let now = clock.now();
        store.begin_write_back(job.id, touched, now + UNDER_WAY, now).await?;
        let written = match plan {
            Plan::Note(html) => client.add_note(&job.ticket, html, &job.reference, LAST).await,
            Plan::Edit(edit, _) => client.edit_ticket(&job.ticket, &edit, LAST).await,
            Plan::Settled(_) => Ok(()),
        };
        let settled = written.map_or_else(|error| self.after(job, &error), |()| Settled::Done);
        Ok((settled, true))
    }

    /// Decides what is still to be sent, given what SuperOps has now.
    async fn plan<'a>(&self, job: &'a WriteBackRow) -> Result<Result<Plan<'a>, ApiError>, StoreError> {
        let client = &self.wiring.client;
        if let WriteBackAction::Note { html } = &job.action {
            if job.attempts == 0 {
                return Ok(Ok(Plan::Note(html)));
            }
            let notes = client.notes(&job.ticket, LAST).await;
            let is_there = notes.map(|notes| notes.iter().any(|note| note.content.contains(&job.reference)));
            return Ok(is_there.map(|is_there| if is_there { Plan::Settled(Settled::Found) } else { Plan::Note(html) }));
        }
        let people = self.wiring.store.directory(&self.tenant).await?;
        Ok(client.ticket(&job.ticket, LAST).await.map(|ticket| match (ticket, &job.action) {
            (None, _) => failed("superops knows no such ticket any more"),
            (Some(ticket), WriteBackAction::Reassign { to, from }) => match Person::parse(to).technician(&people) {
                None => failed("`reassign_to` names nobody whom superops knows as a technician"),
                Some(person) => edit(TicketEdit::Technician(person.id.clone()), from.as_deref(), &ticket),
            },
            (Some(ticket), WriteBackAction::Priority { to, from }) => {
                let known = people.priorities.iter().find(|known| known.trim().eq_ignore_ascii_case(to.trim()));
                edit(TicketEdit::Priority(known.unwrap_or(to).clone()), from.as_deref(), &ticket)
            }
            (Some(_), WriteBackAction::Note { html }) => Plan::Note(html),
        }))
    }

    /// Decides what follows from a failed call.
    fn after(&self, job: &WriteBackRow, error: &ApiError) -> Settled {
        let why = error.to_string();
        match error {
            ApiError::Forbidden { .. } | ApiError::RefusedQuery { .. } | ApiError::NotFound { .. } => {
                Settled::Failed { why }
            }
            _ => {
                let tries = usize::try_from(job.attempts).unwrap_or(usize::MAX);
                let pause = PAUSES[tries.min(PAUSES.len() - 1)];
                Settled::Later { at: self.wiring.clock.now() + TimeDelta::seconds(pause), why }
            }
        }
    }

    fn tell(&mut self, job: &WriteBackRow, settled: &Settled) {
        let (kind, tenant, ticket) = (job.action.kind(), &self.tenant, &job.ticket);
        match settled {
            Settled::Done | Settled::Found => {
                self.said.remove(kind);
                info!(tenant = %tenant, ticket.id = %ticket, kind, "written back to superops");
            }
            Settled::Left | Settled::Cancelled => {
                info!(tenant = %tenant, ticket.id = %ticket, kind, "not written back: {}", settled.outcome());
            }
            Settled::Later { why, .. } => {
                warn!(tenant = %tenant, ticket.id = %ticket, kind, "not written back yet, trying again: {why}");
            }
            Settled::Failed { why } if self.said.insert(kind) => {
                error!(tenant = %tenant, ticket.id = %ticket, kind,
                    "not written back to superops; further failures of this kind are not reported: {why}");
            }
            Settled::Failed { why } => {
                debug!(tenant = %tenant, ticket.id = %ticket, kind, "not written back either: {why}");
            }
        }
    }
}

/// Plans how to make `ticket` as `edit` says, given what it was (`from`) when that was decided.
fn edit(edit: TicketEdit, from: Option<&str>, ticket: &Ticket) -> Plan<'static> {
    if edit.is_made(ticket) {
        return Plan::Settled(Settled::Found);
    }
    if edit.present(ticket) != from {
        return Plan::Settled(Settled::Left);
    }
    Plan::Edit(edit, ticket.updated_at)
}

fn failed(why: &str) -> Plan<'static> {
    Plan::Settled(Settled::Failed { why: why.to_owned() })
}

fn gave_up(job: &WriteBackRow) -> String {
    let hours = GIVE_UP_AFTER.num_hours();
    match &job.last_error {
        Some(last) => format!("given up after {hours} h: {last}"),
        None => format!("given up: it has waited {hours} h"),
    }
}
