//! What `evaluate` remembers between turns: the alerts of open tickets and who
//! was told of them. It is a copy of the store, read at the start and after any
//! failed write.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::moments::Moments;
use super::tellings::Tellings;
use crate::alert::component::are_of_one_kind;
use crate::alert::escalation::{ChannelKind, Step};
use crate::alert::life::{Asked, Life};
use crate::alert::policy::Escalation;
use crate::alert::suppression::Suppression;
use crate::alert::{AlertKey, AlertKind, Closing, Raised, Reason, Stage, SubjectId};
use crate::sla::clock::ClockState;
use crate::store::alerts::{AlertRow, Told};
use crate::store::audit::{AsOf, LastChange};
use crate::store::outbox::Unsaid;
use crate::store::tickets::OpenTickets;
use crate::store::{Store, StoreError};
use crate::ticket::watch::Watched;
use crate::ticket::{ClockKind, Reach, TenantId, TicketId};

/// How long the alerts of a vanished ticket are remembered.
const MAY_COME_BACK: TimeDelta = TimeDelta::days(7);

/// The alerts of one tenant. Most tickets have none, so one lookup settles all clocks of a ticket.
type Alerts = HashMap<SubjectId, Vec<AlertRow>>;

#[derive(Default)]
pub struct Memory {
    /// The alerts of each tenant that was read.
    alerts: HashMap<TenantId, Alerts>,
    /// When each alert changes by the passing of time: of ten thousand, a handful are due.
    wakes: HashMap<TenantId, Moments<AlertKey>>,
    /// The open tickets among which the tickets of all open alerts were last found.
    found: HashMap<TenantId, Arc<OpenTickets>>,
    /// The number of the last human act known here.
    acts: HashMap<TenantId, i64>,
    /// When the first sync of each tenant had settled.
    settled: HashMap<TenantId, DateTime<Utc>>,
    /// The open alerts of each tenant that a silence or a maintenance window covers.
    covered: HashMap<TenantId, HashSet<AlertKey>>,
    /// The silences and maintenance windows of each tenant that had not ended when they were read.
    suppressions: HashMap<TenantId, Arc<[Suppression]>>,
    /// The point at which each tenant was last read.
    read: HashMap<TenantId, AsOf>,
    /// Tenants whose alerts were read again.
    read_anew: HashSet<TenantId>,
    told: HashMap<TenantId, Tellings>,
}

/// Returns what was raised for each clock of a ticket in its present cycle, in the order of `ClockKind::ALL`; `rows` are
/// the ticket's alerts.
pub fn raised(rows: &[AlertRow], watched: &Watched) -> [Option<Raised>; ClockKind::ALL.len()] {
    let present =
        |clock| rows.iter().find(|row| row.key.kind == AlertKind::Clock(clock) && row.key.cycle == watched.cycle);
    ClockKind::ALL.map(|clock| present(clock).map(|row| row.raised))
}

impl Memory {
    /// Reads what is stored of `tenant`: everything the first time, later what people changed since. It reads at once
    /// if `last_change` is new.
    pub async fn load(
        &mut self,
        store: &Store,
        tenant: &TenantId,
        last_change: Option<LastChange>,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        if self.read.get(tenant).is_some_and(|as_of| as_of.holds(last_change, now)) {
            return Ok(());
        }
        self.load_alerts(store, tenant).await?;
        self.suppressions.insert(tenant.clone(), store.suppressions(&Reach::One(tenant.clone()), now).await?.into());
        self.read.insert(tenant.clone(), AsOf { last_change, at: now });
        Ok(())
    }

    async fn load_alerts(&mut self, store: &Store, tenant: &TenantId) -> Result<(), StoreError> {
        let acts = self.acts.get(tenant).copied();
        // Read this first: later acts are then asked for next time.
        let latest = store.last_act(tenant).await?;
        let rows = match acts {
            Some(acts) if acts == latest => Vec::new(),
            Some(acts) => store.alerts_acted_on(tenant, acts).await?,
            None => store.alerts(tenant).await?,
        };
        let latest = rows.iter().map(|row| row.life.acts).chain([latest]).max().unwrap_or_default();
        self.acts.insert(tenant.clone(), latest);
        if rows.is_empty() && acts.is_some() {
            return Ok(());
        }
        // An act withdraws what is still unsent, so its recipients have not been told.
        let keys: HashSet<String> = rows.iter().map(|row| row.key.to_string()).collect();
        let known = self.told.entry(tenant.clone()).or_default();
        keys.iter().for_each(|key| known.withdraw_all(key));
        store.told(&keys).await?.into_iter().for_each(|told| known.add(told));
        self.found.remove(tenant);
        self.read_anew.insert(tenant.clone());
        self.alerts.entry(tenant.clone()).or_default();
        for row in rows {
            self.put(row);
        }
        Ok(())
    }

    /// Forgets all of `tenant`, so that it is read again.
    pub fn forget(&mut self, tenant: &TenantId) {
        self.alerts.remove(tenant);
        self.wakes.remove(tenant);
        self.found.remove(tenant);
        self.acts.remove(tenant);
        self.settled.remove(tenant);
        self.covered.remove(tenant);
        self.suppressions.remove(tenant);
        self.read.remove(tenant);
        self.told.remove(tenant);
    }

    /// Takes over steps that refusals brought forward, and alerts told on their own because nobody took their digest.
    /// `hurried` are the alerts of a tenant that have a step due according to the store.
    pub async fn hurry(&mut self, store: &Store, hurried: &[AlertKey], now: DateTime<Utc>) -> Result<(), StoreError> {
        let rows = hurried.iter().filter_map(|key| self.get(key));
        let (told, untold): (Vec<_>, Vec<_>) =
            rows.filter(|row| row.raised.resolved_as.is_none()).partition(|row| row.told);
        let untold: Vec<String> = untold.into_iter().map(|row| row.key.to_string()).collect();
        let waiting = told.into_iter().filter(|row| row.next_step_at.is_some_and(|at| at > now));
        let at_once = |row: &AlertRow| {
            let life = Life { hurried: true, ..row.life.clone() };
            AlertRow { next_step_at: Some(now), life, ..row.clone() }
        };
        let waiting: Vec<_> = waiting.map(at_once).collect();
        for row in waiting {
            self.put(row);
        }
        if !untold.is_empty() {
            store.alerts_by_key(&untold).await?.into_iter().for_each(|row| drop(self.put(row)));
        }
        Ok(())
    }

    pub fn get(&self, key: &AlertKey) -> Option<&AlertRow> {
        self.of(&key.tenant, &key.subject).iter().find(|row| row.key == *key)
    }

    pub fn of_ticket(&self, tenant: &TenantId, ticket: &TicketId) -> &[AlertRow] {
        self.of(tenant, &SubjectId::Ticket(ticket.clone()))
    }

    fn of(&self, tenant: &TenantId, subject: &SubjectId) -> &[AlertRow] {
        self.alerts.get(tenant).and_then(|alerts| alerts.get(subject)).map_or(&[], Vec::as_slice)
    }

    /// Returns the alerts of `tenant` that are not resolved.
    fn open(&self, tenant: &TenantId) -> impl Iterator<Item = &AlertRow> {
        let rows = self.alerts.get(tenant).into_iter().flat_map(HashMap::values).flatten();
        rows.filter(|row| row.raised.resolved_as.is_none())
    }

    /// Returns the alerts of the same subject and kind as `key`.
    fn of_kind(&self, key: &AlertKey) -> impl Iterator<Item = &AlertRow> {
        self.of(&key.tenant, &key.subject).iter().filter(|row| are_of_one_kind(&row.key, key))
    }

    /// Returns the unresolved alerts of the same subject and kind as `key`.
    pub fn open_of(&self, key: &AlertKey) -> impl Iterator<Item = &AlertRow> {
        self.of_kind(key).filter(|row| row.raised.resolved_as.is_none())
    }

    /// Returns the latest alert of the same subject and kind as `key`.
    pub fn latest_of(&self, key: &AlertKey) -> Option<&AlertRow> {
        self.of_kind(key).max_by_key(|row| row.key.cycle)
    }

    /// Whether `subject` has an unresolved alert.
    pub fn has_open(&self, tenant: &TenantId, subject: &SubjectId) -> bool {
        self.of(tenant, subject).iter().any(|row| row.raised.resolved_as.is_none())
    }

    /// Whether the alerts of `tenant` were read again since the last call.
    pub fn has_new_rows(&mut self, tenant: &TenantId) -> bool {
        self.read_anew.remove(tenant)
    }

    /// Raises a new alert, or an old one at a new stage or in a new episode, from its first step on.
    pub fn raise(
        &mut self,
        key: AlertKey,
        raised: Raised,
        reason: String,
        escalation: &Escalation,
        asked: Asked,
        now: DateTime<Utc>,
    ) -> AlertRow {
        let before = self.get(&key);
        let generation = before.map_or(0, |row| row.generation + 1);
        let life = before.map(|row| row.life.anew()).unwrap_or_default();
        let row = AlertRow {
            raised,
            reason,
            raised_at: now,
            steps_from: now,
            changed_at: now,
            step: 0,
            next_step_at: escalation.steps.first().map(|first| now + first.after),
            generation,
            told: true,
            escalation: escalation.name.clone(),
            ack_expires: escalation.ack_expires,
            asked: Some(asked),
            covered_until: before.and_then(|row| row.covered_until),
            life,
            key: key.clone(),
        };
        self.put(row)
    }

    /// Records an alert that was already missed when the watch began: it is told only in the digest.
    pub fn known(
        &mut self,
        key: AlertKey,
        clock: &ClockState<'_>,
        reason: Reason,
        escalation: &Escalation,
        asked: Asked,
        now: DateTime<Utc>,
    ) -> AlertRow {
        let raised = raised_for(clock, Stage::Breached, 0, now);
        let row = self.raise(key, raised, reason.to_string(), escalation, asked, now);
        self.put(AlertRow { told: false, next_step_at: None, ..row })
    }

    /// Reopens an alert with the same danger that people were told of; its steps go on from here. Its clock may be
    /// `due` at another time by now.
    pub fn reopen(
        &mut self,
        key: &AlertKey,
        due: Option<DateTime<Utc>>,
        steps: &[Step],
        now: DateTime<Utc>,
    ) -> Option<AlertRow> {
        let mut row = self.get(key)?.clone();
        row.raised.resolved_as = None;
        row.raised.due = due.unwrap_or(row.raised.due);
        row.changed_at = now;
        row.generation += 1;
        // The time in which nobody had to act does not count: the steps stay as far apart as before.
        row.steps_from = now - after_before(steps, row.step);
        let next = usize::try_from(row.step).ok().and_then(|index| steps.get(index));
        let may_go_on = row.told && row.life.held().is_none();
        row.next_step_at = next.filter(|_| may_go_on).map(|next| row.steps_from + next.after);
        Some(self.put(row))
    }

    /// Notes when the clock of an open alert is due now, and what it promises.
    pub fn note_due(&mut self, key: &AlertKey, clock: &ClockState<'_>) -> Option<AlertRow> {
        let mut row = self.get(key)?.clone();
        row.raised.due = clock.due?;
        row.raised.target = clock.total;
        Some(self.put(row))
    }

    /// Closes an alert; its waiting steps are void.
    pub fn resolve(&mut self, key: &AlertKey, closing: Closing, now: DateTime<Utc>) -> Option<AlertRow> {
        let row = self.get(key)?.closed(closing, now);
        Some(self.put(row))
    }

    /// Stores `row` and returns it.
    pub fn put(&mut self, row: AlertRow) -> AlertRow {
        let alerts = self.alerts.entry(row.key.tenant.clone()).or_default();
        let rows = alerts.entry(row.key.subject.clone()).or_default();
        let known = rows.iter_mut().find(|known| known.key == row.key);
        let wakes = self.wakes.entry(row.key.tenant.clone()).or_default();
        if let Some(at) = known.as_ref().and_then(|known| known.wakes_at()) {
            wakes.remove(at, row.key.clone());
        }
        if let Some(at) = row.wakes_at() {
            wakes.insert(at, row.key.clone());
        }
        let covered = self.covered.entry(row.key.tenant.clone()).or_default();
        match row.covered_until.filter(|_| row.raised.resolved_as.is_none()) {
            Some(_) => drop(covered.insert(row.key.clone())),
            None => drop(covered.remove(&row.key)),
        }
        match known {
            Some(known) => known.clone_from(&row),
            None => {
                // Most tickets have one alert, and a row is large.
                rows.reserve_exact(1);
                rows.push(row.clone());
            }
        }
        row
    }

    /// Returns the present and future silences and maintenance windows of `tenant`.
    pub fn suppressions(&self, tenant: &TenantId) -> Arc<[Suppression]> {
        self.suppressions.get(tenant).cloned().unwrap_or_default()
    }

    /// Whether a silence or a maintenance window was found to cover an open alert of `tenant`.
    pub fn has_covered(&self, tenant: &TenantId) -> bool {
        self.covered.get(tenant).is_some_and(|covered| !covered.is_empty())
    }

    /// Returns when the first sync of `tenant` had settled, if that is known.
    pub fn settled_at(&self, tenant: &TenantId) -> Option<DateTime<Utc>> {
        self.settled.get(tenant).copied()
    }

    /// Remembers when the first sync of `tenant` had settled.
    pub fn settle(&mut self, tenant: &TenantId, at: DateTime<Utc>) {
        self.settled.insert(tenant.clone(), at);
    }

    /// Returns the keys of the open alerts of `tenant`.
    pub fn open_keys(&self, tenant: &TenantId) -> Vec<AlertKey> {
        self.open(tenant).map(|row| row.key.clone()).collect()
    }

    /// Returns the open alerts of `tenant` whose step is due, in the order they are due.
    pub fn due_steps(&self, tenant: &TenantId, now: DateTime<Utc>) -> Vec<AlertKey> {
        self.woken(tenant, now).filter(|row| row.life.held().is_none()).map(|row| row.key.clone()).collect()
    }

    /// Returns the open alerts of `tenant` whose acknowledgement or snooze has run out.
    pub fn ended_holds(&self, tenant: &TenantId, now: DateTime<Utc>) -> Vec<AlertKey> {
        self.woken(tenant, now).filter(|row| row.life.held().is_some()).map(|row| row.key.clone()).collect()
    }

    fn woken(&self, tenant: &TenantId, now: DateTime<Utc>) -> impl Iterator<Item = &AlertRow> {
        let wakes = self.wakes.get(tenant).into_iter().flat_map(move |wakes| wakes.until(now));
        wakes.filter_map(|key| self.get(key))
    }

    /// Returns when, after `now`, the next step of `tenant` is due or a hold runs out.
    pub fn next_step(&self, tenant: &TenantId, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.wakes.get(tenant)?.next_after(now)
    }

    /// Returns the open alerts of `tenant` whose ticket, in that cycle, is not among `open`; forgets closed ones.
    pub fn open_without_ticket(
        &mut self,
        tenant: &TenantId,
        open: &Arc<OpenTickets>,
        now: DateTime<Utc>,
    ) -> Vec<AlertKey> {
        // New alerts are about open tickets: only if these have changed can an alert be without one.
        if self.found.get(tenant).is_some_and(|known| Arc::ptr_eq(known, open)) {
            return Vec::new();
        }
        let gone = |key: &AlertKey| {
            key.ticket().is_some_and(|ticket| open.get(ticket).is_none_or(|watched| watched.cycle != key.cycle))
        };
        // An alert of a component is found again in the store if it is needed.
        let is_past = |key: &AlertKey| key.ticket().is_none() || gone(key);
        let closed = |row: &AlertRow| match row.raised.resolved_as {
            None => false,
            Some(Closing::Vanished) => now - row.changed_at > MAY_COME_BACK,
            Some(_) => true,
        };
        if let Some(alerts) = self.alerts.get_mut(tenant) {
            let told = self.told.entry(tenant.clone()).or_default();
            alerts.retain(|_, rows| {
                let over = rows.extract_if(.., |row| closed(row) && is_past(&row.key));
                over.for_each(|row| told.forget(&row.key.to_string()));
                !rows.is_empty()
            });
        }
        let without: Vec<_> = self.open(tenant).map(|row| &row.key).filter(|key| gone(key)).cloned().collect();
        if without.is_empty() {
            self.found.insert(tenant.clone(), open.clone());
        }
        without
    }

    /// Whether this person was already told of this stage by this channel.
    pub fn was_told(&self, row: &AlertRow, recipient: &str, channel: ChannelKind) -> bool {
        let told = self.told.get(&row.key.tenant);
        told.is_some_and(|told| told.holds(&row.key.to_string(), &stage_of(row), recipient, channel))
    }

    /// Whether anything about this alert went to this person before, by any channel, since each may have fallen back on
    /// another. An email that wrongly claims to be the first is lost as a repeat; the opposite mistake does no harm.
    pub fn continues_thread(&self, row: &AlertRow, recipient: &str) -> bool {
        self.told.get(&row.key.tenant).is_some_and(|told| told.has_thread(&row.key.to_string(), recipient))
    }

    /// Remembers that somebody is about to be told.
    pub fn tell(&mut self, row: &AlertRow, recipient: &str, channel: ChannelKind) {
        self.told.entry(row.key.tenant.clone()).or_default().add(Told {
            alert: row.key.to_string(),
            stage: stage_of(row),
            recipient: recipient.to_owned(),
            channel: channel.as_str().to_owned(),
        });
    }

    /// Forgets that somebody was to be told: it was withdrawn before it left.
    pub fn untell(&mut self, row: &AlertRow, unsaid: &Unsaid) {
        if let Some(told) = self.told.get_mut(&row.key.tenant) {
            told.withdraw(&row.key.to_string(), unsaid);
        }
    }
}

/// Returns what is remembered of an alert raised for `clock`.
pub fn raised_for(clock: &ClockState<'_>, stage: Stage, episode: u32, now: DateTime<Utc>) -> Raised {
    Raised { stage, due: clock.due.unwrap_or(now), target: clock.total, episode, resolved_as: None }
}

/// Returns the stage as notifications name it, different for each episode.
pub fn stage_of(row: &AlertRow) -> String {
    match row.raised.episode {
        0 => row.raised.stage.as_str().to_owned(),
        episode => format!("{}/{episode}", row.raised.stage.as_str()),
    }
}

/// Returns how long after the alert the step before `step` runs.
fn after_before(steps: &[Step], step: u32) -> TimeDelta {
    let before = usize::try_from(step).ok().and_then(|index| index.checked_sub(1)).and_then(|index| steps.get(index));
    before.map_or(TimeDelta::zero(), |step| step.after)
}
