//! The loop that forecasts, one per tenant: it learns from what sync brings, says how likely each open clock is to
//! breach, and chooses which of that people are told.
//!
//! It runs beside `evaluate` and never holds it up: forecasting and fitting run on their own threads, and the results
//! are published ([`PublishedForecasts`]) for all to read. What was learned is not stored. After a start the whole past
//! is read and walked through again, so that nothing can be learned twice or lost. What was chosen to be told is stored
//! before anybody is told.

mod advice;
mod forecasters;
mod open_forecasts;
mod published;
mod record;
pub mod reliability;
mod training;
mod walk;

use std::num::NonZero;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use chrono::{DateTime, NaiveTime, TimeDelta, Utc};
use tokio::sync::{Notify, Semaphore, oneshot, watch};
use tracing::{debug, error, info, warn};

use crate::alert::on_call::{Duty, duty};
use crate::alert::prediction::{Candidate, choose};
use crate::clock::SharedClock;
use crate::config::Config;
use crate::rules_cache::RulesCache;
use crate::sla::forecast::{Basis, RELIABLE_FROM};
use crate::sla::tenant_rules::TenantRules;
use crate::sla::zone::Tz;
use crate::store::predictions::{Moment, PredictedClock, Prediction};
use crate::store::tickets::OpenTickets;
use crate::store::{Store, StoreError};
use crate::sync::SyncHealth;
use crate::telemetry::{ClockLabels, JudgedLabels, LoopName, Telemetry};
use crate::ticket::watch::{Change, Watched};
use crate::ticket::{ClockKind, Directory, TenantId, TicketId};

pub use forecasters::ForecastQuality;
pub use published::{Forecasts, PublishedForecasts};

use advice::Load;
use forecasters::Forecasters;
use open_forecasts::OpenForecasts;
use record::{Entries, Record};
use reliability::{Reliability, reliability};
use training::{Shared, TrainingEvent, What, training_events};
use walk::Walk;

/// How often all forecasts are renewed.
const EVERY: TimeDelta = TimeDelta::minutes(1);
/// How many tickets of the past are walked through, the latest ones: half a year of a desk with 150 a day. Older ones
/// no longer matter to rates that forget half within three weeks.
const WALKED: u32 = 30_000;
/// How many of them are read at a time.
const PAGE: u32 = 250;
/// With more news than this, the news is not told one by one; the past is walked through again instead.
const MUCH: usize = 500;
/// How often a long walk through the past logs its progress.
const SAY_EVERY: Duration = Duration::from_secs(2);
/// The age from which a ticket that is first read now is too old for its turn: it belongs among those of its time.
const LATE: TimeDelta = TimeDelta::days(2);
/// The shortest time between two walks through the past, unless there is much more of it than before.
const AGAIN: TimeDelta = TimeDelta::minutes(10);
/// The niceness of the thread that learns: where cores are short, it gets a tenth of one.
#[cfg(target_os = "linux")]
const GIVES_WAY: i32 = 10;

/// Why a turn could not be finished.
#[derive(Debug, thiserror::Error)]
pub enum PredictError {
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The next turn starts again with the past.
    #[error("the forecaster's thread ended unexpectedly")]
    Lost(#[source] oneshot::error::RecvError),
    /// The system has no room for another thread.
    #[error("the forecaster's thread cannot be started: {0}")]
    NoThread(#[source] std::io::Error),
}

/// What the loop depends on.
pub struct Wiring {
    pub config: Arc<Config>,
    pub rules_cache: Arc<RulesCache>,
    pub store: Store,
    pub clock: SharedClock,
    pub telemetry: Arc<Telemetry>,
    pub published: Arc<PublishedForecasts>,
    /// Wakes `evaluate`.
    pub news: Arc<Notify>,
    /// Changes after each turn of sync.
    pub synced: watch::Receiver<SyncHealth>,
}

/// How many tenants may walk through their past at once. At a start they all do. Half of the cores are left to alerts
/// and pages, and the other tenants wait: fifty at a time kept everything else from its work for a quarter of a minute.
static WALKERS: LazyLock<Semaphore> = LazyLock::new(|| {
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    Semaphore::new((cores / 2).max(1))
});

/// What a turn works with, as of one moment.
struct TurnContext {
    people: Arc<Directory>,
    rules: Arc<TenantRules>,
    open: Arc<OpenTickets>,
    current: OpenForecasts,
    quality: [ForecastQuality; 2],
}

/// Forecasts the tickets of one tenant.
pub struct Predict {
    tenant: TenantId,
    wiring: Wiring,
    forecasters: Option<Forecasters>,
    shared: Shared,
    /// The number of the last event told to the forecasters.
    told: i64,
    /// How many tickets of the past were read too late to be told in order.
    late: usize,
    /// How many tickets were known at the last walk through the past, and when that was.
    walked: (usize, DateTime<Utc>),
    record: Option<Record>,
    rehearsed: Option<(usize, Arc<[Reliability; 2]>)>,
    trusted: [bool; 2],
}

impl Predict {
    pub fn new(tenant: &TenantId, wiring: Wiring) -> Self {
        Self {
            tenant: tenant.clone(),
            wiring,
            forecasters: None,
            shared: Shared::default(),
            told: 0,
            late: 0,
            walked: (0, DateTime::UNIX_EPOCH),
            record: None,
            rehearsed: None,
            trusted: [true; 2],
        }
    }

    /// Runs turns until `stop` is true: each minute, and after each turn of sync. A turn that walks through the past
    /// takes seconds, or minutes with many tickets; a stop does not wait for it.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) {
        while !*stop.borrow() {
            let now = self.wiring.clock.now();
            let turned = tokio::select! {
                turned = self.turn(now) => turned,
                _ = stop.wait_for(|stop| *stop) => return,
            };
            if let Err(error) = turned {
                error!(tenant = %self.tenant, error = %error, "the forecast for `{}` is not renewed; trying again", self.tenant);
            }
            let clock = self.wiring.clock.clone();
            tokio::select! {
                () = clock.sleep_until(now + EVERY) => {}
                Ok(()) = self.wiring.synced.changed() => {}
                _ = stop.wait_for(|stop| *stop) => {}
            }
        }
    }

    /// Learns what is new and forecasts the open clocks, but changes nothing except the published forecasts.
    pub async fn glance(&mut self, now: DateTime<Utc>) -> Result<(), PredictError> {
        if let Some(context) = self.context(now).await? {
            self.publish(context, now).await?;
        }
        Ok(())
    }

    /// Learns what is new, says how likely each open clock is to breach, and chooses what to tell.
    pub async fn turn(&mut self, now: DateTime<Utc>) -> Result<(), PredictError> {
        let started = tokio::time::Instant::now();
        let Some(context) = self.context(now).await? else { return Ok(()) };
        self.tell_quality(&context.quality);
        let entries = self.judge(&context, now).await?;
        let told = entries.new.iter().any(|one| one.moment == Moment::Alert);
        self.publish(context, now).await?;
        if told {
            self.wiring.news.notify_one();
        }
        let took = started.elapsed().as_secs_f64();
        self.wiring.telemetry.loop_seconds.get_or_create(&LoopName { name: "forecast" }).observe(took);
        Ok(())
    }

    /// Learns what is new and forecasts all open tickets. `None` while there is nothing to learn from.
    async fn context(&mut self, now: DateTime<Utc>) -> Result<Option<TurnContext>, PredictError> {
        let config = self.wiring.config.clone();
        let Some(tenant) = config.tenants.get(&self.tenant) else { return Ok(None) };
        if !self.has_a_past().await? {
            return Ok(None);
        }
        let (people, rules) = self.wiring.rules_cache.of(tenant).await?;
        let open = self.wiring.store.open_tickets(&self.tenant).await?;
        self.learn(&rules, now).await?;
        let (current, quality) = self.forecast_open(&rules, &open, now).await?;
        Ok(Some(TurnContext { people, rules, open, current, quality }))
    }

    /// Whether all tickets were read once. A part of them is not a fair sample, because open and new ones are read
    /// first.
    async fn has_a_past(&self) -> Result<bool, StoreError> {
        Ok(self.wiring.store.sync_state(&self.tenant).await?.passed_at.is_some())
    }

    /// Tells the forecasters what happened since the last turn; everything, after a start or when much is new.
    async fn learn(&mut self, rules: &Arc<TenantRules>, now: DateTime<Utc>) -> Result<(), PredictError> {
        let last = self.wiring.store.last_event().await?;
        let news = match self.forecasters {
            Some(_) if last > self.told => self.wiring.store.news_since(&self.tenant, self.told).await?,
            _ => Vec::new(),
        };
        let (known, walked_at) = self.walked;
        let much = news.len() > MUCH;
        let worth_it = (self.late + news.len()) * 2 > known || now - walked_at >= AGAIN;
        if self.forecasters.is_none() || ((much || self.late > 0) && worth_it) {
            return self.walk_again(rules, last, now).await;
        }
        if much {
            // It is told at the next walk through the past.
            return Ok(());
        }
        self.tell(&news, rules, now).await?;
        self.told = last;
        Ok(())
    }

    /// Walks through the past: the tickets opened last, and the older ones that are still open.
    async fn walk_again(
        &mut self,
        rules: &Arc<TenantRules>,
        last: i64,
        now: DateTime<Utc>,
    ) -> Result<(), PredictError> {
        let _turn = WALKERS.acquire().await;
        let store = self.wiring.store.clone();
        let from = store.oldest_of_latest(&self.tenant, WALKED).await?.unwrap_or(DateTime::UNIX_EPOCH);
        let mut page = self.open_from_before(from, &store).await?;
        let (mut after, mut known) = ((from, String::new()), 0);
        let mut progress = Progress::of(&self.tenant);
        // Drop the old forecasters first: two sets take twice the memory.
        self.forecasters = None;
        let mut walk = None;
        loop {
            page.extend(store.past(&self.tenant, &after, PAGE).await?);
            let Some((last, _)) = page.last() else { break };
            after = (last.ticket.created_at.unwrap_or(from), last.ticket.id.as_str().to_owned());
            known += page.len();
            walk = Some(self.walk_on(walk, std::mem::take(&mut page), rules, now).await?);
            progress.at(known, after.0);
        }
        let arrived = apart(move || walk.map(Walk::arrive)).await?;
        self.forecasters = Some(arrived.unwrap_or_else(|| Forecasters::new(now, now)));
        let seconds = progress.began.elapsed().as_secs();
        debug!(tenant = %self.tenant, tickets = known, seconds, "the forecast of `{}` has learned from {known} tickets in {seconds} s", self.tenant);
        (self.told, self.late, self.walked) = (last, 0, (known, now));
        Ok(())
    }

    /// Returns the open tickets that were opened before `from`, oldest first, each with its changes.
    async fn open_from_before(
        &self,
        from: DateTime<Utc>,
        store: &Store,
    ) -> Result<Vec<(Watched, Vec<Change>)>, StoreError> {
        let open = store.open_tickets(&self.tenant).await?;
        let mut old = Vec::new();
        for watched in open.values().filter(|watched| watched.ticket.created_at.is_some_and(|created| created < from)) {
            old.push((Watched::clone(watched), store.events(&self.tenant, &watched.ticket.id).await?));
        }
        old.sort_by_key(|(one, _)| one.ticket.created_at);
        Ok(old)
    }

    /// Continues the walk through the tickets of `page`, which are in order of opening.
    async fn walk_on(
        &mut self,
        walk: Option<Walk>,
        page: Vec<(Watched, Vec<Change>)>,
        rules: &Arc<TenantRules>,
        now: DateTime<Utc>,
    ) -> Result<Walk, PredictError> {
        let (rules, mut shared) = (rules.clone(), std::mem::take(&mut self.shared));
        let (walk, shared) = apart(move || {
            let opened =
                |ticket: Option<&(Watched, Vec<Change>)>| ticket.and_then(|(watched, _)| watched.ticket.created_at);
            let mut walk = walk.unwrap_or_else(|| Walk::new(opened(page.first()).unwrap_or(now), now));
            for (watched, changes) in &page {
                for kind in ClockKind::REPORTED {
                    training_events(watched, changes, kind, &rules, &mut shared)
                        .into_iter()
                        .for_each(|one| walk.add(one));
                }
            }
            if let Some(until) = opened(page.last()) {
                walk.go_to(until);
            }
            (walk, shared)
        })
        .await?;
        self.shared = shared;
        Ok(walk)
    }

    /// Tells the forecasters what happened to the tickets in `news`.
    async fn tell(&mut self, news: &[TicketId], rules: &TenantRules, now: DateTime<Utc>) -> Result<(), StoreError> {
        let mut happened = Vec::new();
        for id in news {
            let Some(watched) = self.wiring.store.ticket(&self.tenant, id).await? else { continue };
            let changes = self.wiring.store.events(&self.tenant, id).await?;
            let known = self.wiring.store.events_until(&self.tenant, id, self.told).await?;
            for kind in ClockKind::REPORTED {
                let told = training_events(&watched, &changes, kind, rules, &mut self.shared);
                happened.extend(told.into_iter().filter(|one| known == 0 || one.after > known));
            }
        }
        let opened_late = |one: &TrainingEvent| matches!(one.what, What::Opened(_)) && one.at < now - LATE;
        let late: Vec<_> = happened.iter().filter(|one| opened_late(one)).map(|one| one.key.clone()).collect();
        self.late += late.len();
        happened.retain(|one| !late.contains(&one.key));
        if let Some(forecasters) = &mut self.forecasters {
            forecasters.tell(happened);
        }
        Ok(())
    }

    /// Forecasts all open tickets.
    async fn forecast_open(
        &mut self,
        rules: &Arc<TenantRules>,
        open: &Arc<OpenTickets>,
        now: DateTime<Utc>,
    ) -> Result<(OpenForecasts, [ForecastQuality; 2]), PredictError> {
        // If the thread is lost, so are the forecasters; the next turn makes new ones.
        let mut forecasters = self.forecasters.take().unwrap_or_else(|| Forecasters::new(now, now));
        let rehearsed = self.rehearsed.take();
        let (rules, open) = (rules.clone(), open.clone());
        let (forecasters, current, quality, rehearsed) = apart(move || {
            forecasters.advance(now);
            let current = open_forecasts::forecast_open(&forecasters, &open, &rules, now);
            forecasters.stop(&current.answered, now);
            let quality = forecasters.quality();
            let outcomes = quality.iter().map(|quality| quality.grounds.outcomes).sum();
            let known = rehearsed.filter(|(then, _)| *then == outcomes);
            let anew =
                || (outcomes, Arc::new(ClockKind::REPORTED.map(|clock| reliability(&forecasters.rehearsed(clock)))));
            let rehearsed = known.unwrap_or_else(anew);
            (forecasters, current, quality, rehearsed)
        })
        .await?;
        (self.forecasters, self.rehearsed) = (Some(forecasters), Some(rehearsed));
        Ok((current, quality))
    }

    /// Records the forecasts, how clocks ended, and what people should be told.
    async fn judge(&mut self, context: &TurnContext, now: DateTime<Utc>) -> Result<Entries, PredictError> {
        let TurnContext { rules, open, current, quality, .. } = context;
        let store = self.wiring.store.clone();
        if self.record.is_none() {
            self.record = Some(Record::load(&store, &self.tenant).await?);
        }
        let Some(record) = &self.record else { return Ok(Entries::default()) };
        let decided = record.ended(&store, &self.tenant, rules, open, current, now).await?;
        let mut entries = Entries { decided, new: record.due(current, now) };
        entries.new.extend(self.chosen(record, rules.msp_timezone(), current, quality, now).await?);
        if !entries.new.is_empty() || !entries.decided.is_empty() {
            store.save_predictions(&self.tenant, entries.new.clone(), entries.decided.clone()).await?;
        }
        self.count(&entries);
        if let Some(record) = &mut self.record {
            record.keep(&entries);
        }
        Ok(entries)
    }

    /// Returns what people should be told now.
    async fn chosen(
        &self,
        record: &Record,
        zone: Tz,
        current: &OpenForecasts,
        quality: &[ForecastQuality; 2],
        now: DateTime<Utc>,
    ) -> Result<Vec<Prediction>, StoreError> {
        let known = |clock: ClockKind| quality.get(clock as usize).is_some_and(ForecastQuality::speaks);
        let running = current
            .running
            .iter()
            .filter(|seen| seen.on_track && seen.share >= RELIABLE_FROM && known(seen.subject.clock));
        let new = running.filter(|seen| !record.is_told(&seen.subject));
        let candidates: Vec<_> = new
            .map(|seen| Candidate {
                ticket: seen.subject.ticket.clone(),
                clock: seen.subject.clock,
                cycle: seen.subject.cycle,
                probability: seen.probability,
                left: seen.left,
            })
            .collect();
        let rule = self.wiring.config.alerts.predict;
        let told_today = self.wiring.store.predictions_told(&self.tenant, midnight(now, zone)).await?;
        let chosen = choose(rule, candidates, told_today, now, zone);
        Ok(chosen.into_iter().map(|one| prediction(one, now)).collect())
    }

    /// Returns who is on call for the tenant at `now`.
    async fn duty(&self, now: DateTime<Utc>) -> Result<Duty, StoreError> {
        let rotations = &self.wiring.config.on_call;
        if rotations.is_empty() {
            return Ok(Duty::new());
        }
        let overrides = self.wiring.store.overrides_from(now).await?;
        Ok(duty(rotations.values(), &self.tenant, &overrides, now))
    }

    async fn publish(&self, context: TurnContext, now: DateTime<Utc>) -> Result<(), StoreError> {
        let TurnContext { people, rules, open, current, quality } = context;
        let load = Load::of(&people, &open, &self.duty(now).await?, rules.is_staffed(now));
        let calls = self.record.as_ref().map(|record| record.calls(self.wiring.config.alerts.predict, &current));
        let mut calls = calls.unwrap_or_default();
        for call in calls.values_mut() {
            for (call, quality) in call.iter_mut().zip(&quality) {
                call.take_if(|_| !quality.speaks());
            }
        }
        let told = calls.keys().filter_map(|id| Some((id.clone(), load.advice(&open.get(id)?.ticket))));
        let rehearsed = self.rehearsed.as_ref().map(|(_, rehearsed)| rehearsed.clone());
        let advice = told.collect();
        let forecasts = Forecasts { at: Some(now), of: current.of, quality: Some(quality), calls, advice, rehearsed };
        self.wiring.published.publish(&self.tenant, forecasts);
        Ok(())
    }

    /// Logs once when a forecast is no longer trusted, and once when it is again.
    fn tell_quality(&mut self, quality: &[ForecastQuality; 2]) {
        for ((clock, quality), before) in ClockKind::REPORTED.into_iter().zip(quality).zip(&mut self.trusted) {
            let (tenant, words, error) = (&self.tenant, clock.words(), quality.error.unwrap_or_default());
            match (*before, quality.trusted) {
                (true, false) => warn!(%tenant, clock = clock.as_str(), error,
                    "predictions of the {words} of `{tenant}` are paused: recently inaccurate (error {error:.3})"),
                (false, true) => info!(%tenant, clock = clock.as_str(), error,
                    "predictions of the {words} of `{tenant}` are resumed: accurate again"),
                _ => {}
            }
            *before = quality.trusted;
            let labels = ClockLabels { tenant: tenant.to_string(), clock: clock.as_str() };
            let telemetry = &self.wiring.telemetry;
            telemetry.forecast_trusted.get_or_create(&labels).set(i64::from(quality.trusted));
            let outcomes = i64::try_from(quality.grounds.outcomes).unwrap_or(i64::MAX);
            telemetry.forecast_outcomes.get_or_create(&labels).set(outcomes);
            if let Some(error) = quality.error {
                telemetry.forecast_error.get_or_create(&labels).set(error);
            }
        }
    }

    fn count(&self, entries: &Entries) {
        for one in entries.new.iter().filter(|one| one.moment == Moment::Alert) {
            let PredictedClock { ticket, clock, .. } = &one.subject;
            info!(tenant = %self.tenant, ticket.id = %ticket, clock = clock.as_str(), probability = one.probability,
                "the {} of ticket `{ticket}` is likely to breach: {:.0} %", clock.words(), one.probability * 100.0);
        }
        let record = |subject| self.record.as_ref().is_some_and(|record| record.is_told(subject));
        for (subject, outcome) in entries.decided.iter().filter(|(subject, _)| record(subject)) {
            let Some(outcome) = outcome else { continue };
            let labels = JudgedLabels {
                tenant: self.tenant.to_string(),
                clock: subject.clock.as_str(),
                outcome: if outcome.breached { "breached" } else { "kept" },
            };
            self.wiring.telemetry.predicted_alerts_judged.get_or_create(&labels).inc();
        }
    }
}

impl ForecastQuality {
    /// Whether alerts of breaches go by it. Until it has learned this tenant's own patterns, it knows no more than the
    /// clock does.
    pub fn speaks(&self) -> bool {
        self.trusted && self.grounds.basis == Basis::Learned
    }
}

/// Logs how far a walk through the past has come, if it takes long.
struct Progress {
    tenant: TenantId,
    began: Instant,
    said: Duration,
}

impl Progress {
    fn of(tenant: &TenantId) -> Self {
        Self { tenant: tenant.clone(), began: Instant::now(), said: Duration::ZERO }
    }

    /// Notes that `tickets` have been told, the last of them opened at `opened`.
    fn at(&mut self, tickets: usize, opened: DateTime<Utc>) {
        let took = self.began.elapsed();
        if took >= self.said + SAY_EVERY {
            self.said = took;
            info!(tenant = %self.tenant, tickets, "the forecast of `{}` is learning: {tickets} tickets so far, up to {}",
                self.tenant, opened.format("%-d %b %Y"));
        }
    }
}

/// Runs `work` on its own thread, which yields to everything else that wants a core: alerts and answers do not wait for
/// learning.
async fn apart<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, PredictError> {
    let (hand_over, done) = oneshot::channel();
    let work = move || {
        // Elsewhere this would slow the whole process. A thread that may not lower its priority works on as it is.
        #[cfg(target_os = "linux")]
        let _ = rustix::process::nice(GIVES_WAY);
        let _ = hand_over.send(work());
    };
    std::thread::Builder::new().name("forecast".to_owned()).spawn(work).map_err(PredictError::NoThread)?;
    done.await.map_err(PredictError::Lost)
}

fn prediction(one: Candidate, now: DateTime<Utc>) -> Prediction {
    let subject = PredictedClock { ticket: one.ticket, clock: one.clock, cycle: one.cycle };
    Prediction { subject, moment: Moment::Alert, at: now, probability: one.probability, left: one.left }
}

/// Returns when the local day of `now` began.
fn midnight(now: DateTime<Utc>, zone: Tz) -> DateTime<Utc> {
    let today = now.with_timezone(&zone).date_naive();
    let begins = today.and_time(NaiveTime::MIN).and_local_timezone(zone).earliest();
    begins.map_or(now - TimeDelta::days(1), |begins| begins.to_utc())
}
