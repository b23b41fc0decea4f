//! The loop that sends scheduled reports.
//!
//! A schedule says on which periods, when and to whom; the core says which period is due. The report is made, kept and
//! put into the outbox as one, so that each period is sent once however often the process stops. From there it is a
//! message like any other: retried, given up, and shown in the list of messages. A new schedule begins with the period
//! that ends next.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::{Notify, watch};
use tracing::{error, info};

use crate::clock::SharedClock;
use crate::config::{ChannelKind, Config, ReportSchedule};
use crate::notify::{Body, FileFacts, Message, ReportFacts};
use crate::report::schedule::Every;
use crate::report::{CLOSES_AFTER, Period};
use crate::rules_cache::RulesCache;
use crate::sla::zone::Tz;
use crate::store::outbox::{NewNotification, Reader, notification_key};
use crate::store::reports::{ReportFile, Sent};
use crate::store::{Store, StoreError};
use crate::ticket::TenantId;

/// How often schedules are checked, besides the moments at which one is due.
const EVERY: TimeDelta = TimeDelta::minutes(5);
/// How long to wait for figures that can still become final: the books may have to catch up.
const PATIENCE: TimeDelta = TimeDelta::hours(24);
/// The most bytes of files in a mail: many mail servers take no more once they are encoded as text.
const MOST_BYTES: u64 = 7 << 20;

/// Makes reports.
#[async_trait]
pub trait Reporter: Send + Sync {
    /// Prepares what `schedule` sends on `period`, or says why there is nothing.
    async fn prepare(&self, schedule: &ReportSchedule, period: Period) -> Result<Prepared, String>;
}

/// A report that is ready to go.
#[derive(Debug)]
pub struct Prepared {
    pub files: Vec<Written>,
    /// Whether all of its months are closed.
    pub is_closed: bool,
    /// What the mail says, apart from the files.
    pub facts: ReportFacts,
}

/// A file of a report.
#[derive(Debug)]
pub struct Written {
    pub file: ReportFile,
    pub content_type: &'static str,
    pub bytes: Vec<u8>,
}

/// What the loop works with.
pub struct Wiring {
    pub config: Arc<Config>,
    pub rules_cache: Arc<RulesCache>,
    pub store: Store,
    pub clock: SharedClock,
    pub reporter: Arc<dyn Reporter>,
    /// Wakes dispatch.
    pub outbox: Arc<Notify>,
}

/// Sends reports by their schedules.
pub struct Reporting {
    wiring: Wiring,
    /// Schedules by tenant and name whose figures are not final yet, and since when they have been waiting.
    waiting: BTreeMap<(TenantId, String), DateTime<Utc>>,
    /// Schedules that failed last time, so that each error is logged once.
    failed: BTreeMap<(TenantId, String), String>,
}

impl Reporting {
    pub fn new(wiring: Wiring) -> Self {
        Self { wiring, waiting: BTreeMap::new(), failed: BTreeMap::new() }
    }

    /// Runs turns until `stop` is set.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) {
        tokio::select! {
            () = self.turn_for_ever() => {}
            // What was not sent is sent by the next run.
            _ = stop.wait_for(|stop| *stop) => {}
        }
    }

    async fn turn_for_ever(&mut self) {
        let clock = self.wiring.clock.clone();
        loop {
            let next = self.turn(clock.now()).await;
            clock.sleep_until(next).await;
        }
    }

    /// Sends what is due at `now`; returns when to look again.
    pub async fn turn(&mut self, now: DateTime<Utc>) -> DateTime<Utc> {
        let config = self.wiring.config.clone();
        let mut next = now + EVERY;
        for schedule in &config.reports.schedules {
            let key = (schedule.tenant.clone(), schedule.name.clone());
            match self.one(schedule, now).await {
                Ok(due) => {
                    self.failed.remove(&key);
                    next = due.map_or(next, |due| next.min(due));
                }
                Err(why) => self.complain(key, why),
            }
        }
        next.max(now + TimeDelta::milliseconds(1))
    }

    fn complain(&mut self, key: (TenantId, String), why: String) {
        if self.failed.get(&key) != Some(&why) {
            error!(tenant = %key.0, "the report `{}` cannot be sent, trying again: {why}", key.1);
            self.failed.insert(key, why);
        }
    }

    /// Sends the report of one schedule if it is due; returns when the next is.
    async fn one(&mut self, schedule: &ReportSchedule, now: DateTime<Utc>) -> Result<Option<DateTime<Utc>>, String> {
        let zone = self.zone(schedule).await.map_err(|error| error.to_string())?;
        let Some(zone) = zone else { return Ok(None) };
        let Some(period) = schedule.rhythm.due(zone, now) else { return Ok(None) };
        let next = schedule.rhythm.next(zone, now);
        let until = self.wiring.store.reported_until(&schedule.tenant, &schedule.name).await;
        match until.map_err(|error| error.to_string())? {
            Some(until) if until >= period.to => Ok(next),
            Some(_) => self.send(schedule, period, zone, now).await.map(|()| next),
            None => self.begin(schedule, zone, now).await.map_err(|error| error.to_string()).map(|()| next),
        }
    }

    async fn zone(&self, schedule: &ReportSchedule) -> Result<Option<Tz>, StoreError> {
        let Some(tenant) = self.wiring.config.tenants.get(&schedule.tenant) else { return Ok(None) };
        let (_, rules) = self.wiring.rules_cache.of(tenant).await?;
        Ok(Some(rules.msp_timezone()))
    }

    /// Marks what was over before the schedule existed as sent, even if it is not due yet.
    async fn begin(&self, schedule: &ReportSchedule, zone: Tz, now: DateTime<Utc>) -> Result<(), StoreError> {
        let Some(over) = schedule.rhythm.over(zone, now) else { return Ok(()) };
        let (tenant, name) = (schedule.tenant.clone(), schedule.name.clone());
        let sent = Sent { tenant, schedule: name, to: over.to, files: Vec::new(), mails: Vec::new() };
        self.wiring.store.send_reports(sent, now).await.map(drop)
    }

    async fn send(
        &mut self,
        schedule: &ReportSchedule,
        period: Period,
        zone: Tz,
        now: DateTime<Utc>,
    ) -> Result<(), String> {
        let prepared = self.wiring.reporter.prepare(schedule, period).await?;
        if self.may_become_final(schedule, &prepared, now) {
            return Ok(());
        }
        let (files, facts) = packed(prepared);
        let mails = schedule.to.iter().map(|to| mail(schedule, period, &facts, to, zone, now)).collect();
        let (tenant, name) = (schedule.tenant.clone(), schedule.name.clone());
        let sent = Sent { tenant, schedule: name, to: period.to, files, mails };
        let is_new = self.wiring.store.send_reports(sent, now).await.map_err(|error| error.to_string())?;
        self.waiting.remove(&(schedule.tenant.clone(), schedule.name.clone()));
        if is_new {
            let (name, from, to) = (&schedule.name, period.from, period.to);
            info!(tenant = %schedule.tenant, "the report `{name}` on {from} to {to} is sent to {} addresses", schedule.to.len());
            self.wiring.outbox.notify_one();
        }
        Ok(())
    }

    /// Whether it is worth waiting for the books to be closed.
    fn may_become_final(&mut self, schedule: &ReportSchedule, prepared: &Prepared, now: DateTime<Utc>) -> bool {
        let can_be = schedule.rhythm.every != Every::Week && schedule.rhythm.days_after >= CLOSES_AFTER;
        if prepared.is_closed || !can_be {
            return false;
        }
        let since = self.waiting.entry((schedule.tenant.clone(), schedule.name.clone())).or_insert(now);
        now - *since < PATIENCE
    }
}

/// Splits a report into what is kept and what the mail says: as many files are attached as a mail can carry.
fn packed(prepared: Prepared) -> (Vec<(ReportFile, Vec<u8>)>, ReportFacts) {
    let mut facts = prepared.facts;
    let mut room = MOST_BYTES;
    let mut files = Vec::with_capacity(prepared.files.len());
    for Written { file, content_type, bytes } in prepared.files {
        match room.checked_sub(file.size) {
            Some(left) => {
                room = left;
                let (id, name) = (file.id.clone(), file.name.clone());
                facts.files.push(FileFacts { id, name, content_type: content_type.to_owned() });
            }
            None => facts.too_large.push(file.name.clone()),
        }
        files.push((file, bytes));
    }
    (files, facts)
}

fn mail(
    schedule: &ReportSchedule,
    period: Period,
    facts: &ReportFacts,
    to: &str,
    zone: Tz,
    now: DateTime<Utc>,
) -> NewNotification {
    let about = format!("report:{}:{}:{}", schedule.tenant, schedule.name, period.from);
    let message = Message {
        key: notification_key(&[&about, to]),
        thread: format!("{about}:{to}"),
        continues_thread: false,
        to: to.to_owned(),
        to_name: None,
        timezone: zone,
        body: Body::Report(facts.clone()),
    };
    NewNotification {
        tenant: schedule.tenant.clone(),
        alert_key: about,
        ticket_id: None,
        kind: "report",
        stage: "report".to_owned(),
        step: 0,
        channel: ChannelKind::Email,
        recipient: to.to_owned(),
        fallback: Vec::new(),
        message,
        due_at: now,
        created_at: now,
        reader: Reader::default(),
    }
}
