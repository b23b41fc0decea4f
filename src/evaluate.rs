//! The loop that watches the clocks: it asks the core how every open ticket
//! stands, puts what is due in the outbox, and sleeps until something can change.
//!
//! It wakes when a standing changes by the passing of time, when an escalation
//! step is due, or when sync has news, so an alert is never late by a poll. Troubles
//! of services, which the monitor finds, are handled in the same way.

mod about;
mod attend;
mod carry_out;
mod commit;
mod cores;
mod digest;
mod escalate;
mod facts;
mod follow;
mod look;
mod meanwhile;
mod memory;
mod moments;
mod objectives;
mod on_call;
mod promises;
mod quiet;
mod services;
mod start;
mod steps;
mod suppressions;
mod tellings;
mod trouble;
mod write_back;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::watch;
use tracing::{error, info};

use crate::alert::AlertKey;
use crate::alert::on_call::Duty;
use crate::alert::suppression::Suppression;
use crate::clock::SharedClock;
use crate::config::{ChannelKind, Config, Tenant};
use crate::last_looks::LastLooks;
use crate::loop_health::LoopHealth;
use crate::monitor::board::MonitorState;
use crate::personal_rules::PersonalRules;
use crate::predict::{Forecasts, PublishedForecasts};
use crate::rules_cache::RulesCache;
use crate::sla::tenant_rules::TenantRules;
use crate::sla::zone::Tz;
use crate::store::audit::LastChange;
use crate::store::{Store, StoreError};
use crate::telemetry::{LoopName, Telemetry};
use crate::ticket::watch::Watched;
use crate::ticket::{ClockKind, Directory, TenantId};
use commit::{Commit, Sums};
use look::Findings;
use meanwhile::{Meanwhile, StandIns};
use memory::Memory;
use promises::Budgets;
use quiet::Quiet;
use services::Services;
use start::Start;
use tokio::sync::Notify;

/// The longest sleep of the loop, so that nothing depends on a single wake-up.
const LONGEST_SLEEP: TimeDelta = TimeDelta::minutes(1);
/// How often to check whether somebody ran a command beside the service, which does not wake the loop.
const OTHERS_EVERY: TimeDelta = TimeDelta::seconds(3);
/// The time from a failed turn to the next.
const AFTER_FAILURE: TimeDelta = TimeDelta::seconds(2);
/// How often in a row people may act in the middle of a turn before it counts as failed.
const OVERTAKEN_TRIES: u32 = 20;
/// How long known breaches of a tenant wait for the other tenants, to be told together.
const FOR_OTHER_TENANTS: TimeDelta = TimeDelta::minutes(5);

/// Watches the clocks of all tenants.
pub struct Evaluate {
    config: Arc<Config>,
    rules_cache: Arc<RulesCache>,
    store: Store,
    clock: SharedClock,
    telemetry: Arc<Telemetry>,
    /// Notified when sync has news.
    news: Arc<Notify>,
    /// Wakes dispatch.
    outbox: Arc<Notify>,
    channels: Vec<ChannelKind>,
    memory: Memory,
    start: Start,
    stand_ins: StandIns,
    /// The personal rules.
    personal_rules: PersonalRules,
    published: Arc<PublishedForecasts>,
    last_looks: Arc<LastLooks>,
    /// The state of services, as the monitor shows it.
    monitor_state: Arc<MonitorState>,
    budgets: Budgets,
    /// Notified when something is to be written to tickets.
    written: watch::Sender<()>,
    /// The last act of people when the last turn began.
    last_change: Option<LastChange>,
    quiet: HashMap<TenantId, Quiet>,
    /// The predicted alerts whose new owners are told once the forecast knows of them, each with when that was read.
    awaiting_forecasts: BTreeMap<AlertKey, DateTime<Utc>>,
    /// What the turn has raised, to be counted once it is written.
    raised: Vec<carry_out::Raising>,
    health: LoopHealth,
}

/// The result of a turn.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Turn {
    pub raised: usize,
    pub resolved: usize,
    pub notifications: usize,
    /// How many tenants could not be evaluated; they are tried again soon.
    pub failed: usize,
    /// When a standing or an escalation changes next, if nothing else happens.
    pub next: Option<DateTime<Utc>>,
}

impl Turn {
    fn add(&mut self, other: Self) {
        self.raised += other.raised;
        self.resolved += other.resolved;
        self.notifications += other.notifications;
        self.failed += other.failed;
        self.next = self.next.into_iter().chain(other.next).min();
    }
}

/// What is known about one tenant during one turn.
struct TurnContext<'a> {
    tenant: &'a Tenant,
    rules: &'a TenantRules,
    people: &'a Directory,
    /// Who is on call.
    duty: Duty,
    /// When all open tickets had been read once; known breaches are not told before.
    settled_at: Option<DateTime<Utc>>,
    /// Whether known breaches may be told by now: people who work for several tenants hear of all in one message.
    may_tell_known: bool,
    /// The present and future silences and maintenance windows.
    suppressions: &'a [Suppression],
    forecasts: &'a Forecasts,
    services: &'a Services,
    /// The time zone of the tenant's hours.
    zone: Tz,
    now: DateTime<Utc>,
}

impl Evaluate {
    pub fn new(
        config: Arc<Config>,
        rules_cache: Arc<RulesCache>,
        store: Store,
        clock: SharedClock,
        telemetry: Arc<Telemetry>,
        news: Arc<Notify>,
        outbox: Arc<Notify>,
    ) -> Self {
        let channels = config.notify.kinds();
        let (memory, stand_ins) = (Memory::default(), StandIns::default());
        let (quiet, published, last_looks) = (HashMap::new(), Arc::default(), Arc::default());
        let written = watch::Sender::default();
        let (monitor_state, _) = MonitorState::open();
        let personal_rules = PersonalRules::new(store.clone(), Arc::new(config.alerts.noise.clone()));
        let health = LoopHealth::default();
        Self {
            config,
            rules_cache,
            store,
            clock,
            telemetry,
            news,
            outbox,
            channels,
            memory,
            start: Start::default(),
            stand_ins,
            personal_rules,
            published,
            last_looks,
            monitor_state,
            budgets: Budgets::default(),
            written,
            last_change: None,
            quiet,
            awaiting_forecasts: BTreeMap::new(),
            raised: Vec::new(),
            health,
        }
    }

    /// Reports to `health` how turns end.
    pub fn with_health(self, health: LoopHealth) -> Self {
        Self { health, ..self }
    }

    /// Makes it raise what the forecasts in `published` call for as well.
    pub fn heeding(self, published: Arc<PublishedForecasts>) -> Self {
        Self { published, ..self }
    }

    /// Asks `last_looks` for a last look before a first response is told as breached.
    pub fn looking_once_more(self, last_looks: Arc<LastLooks>) -> Self {
        Self { last_looks, ..self }
    }

    /// Makes it raise what services call for as well, as shown in `monitor_state`.
    pub fn watching(self, monitor_state: Arc<MonitorState>) -> Self {
        Self { monitor_state, ..self }
    }

    /// Returns a receiver that changes when something is to be written to tickets.
    pub fn writings(&self) -> watch::Receiver<()> {
        self.written.subscribe()
    }

    /// Runs turns until `stop` is set.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) {
        self.health.turned_well();
        while !*stop.borrow() {
            let now = self.clock.now();
            let wake = match self.turn(now).await {
                Ok(turn) => {
                    if turn.failed == 0 {
                        self.health.turned_well();
                    } else {
                        self.health.turned_badly();
                    }
                    turn.next.map_or(now + LONGEST_SLEEP, |next| next.min(now + LONGEST_SLEEP))
                }
                Err(error) => {
                    self.health.turned_badly();
                    error!(error = %error, "the tickets could not be evaluated; trying again");
                    now + AFTER_FAILURE
                }
            };
            tokio::select! {
                () = self.clock.sleep_until(wake) => {}
                () = self.news.notified() => {}
                () = self.somebody_acted() => {}
                _ = stop.changed() => {}
            }
        }
    }

    /// Returns once people did something that the last turn did not know of. It goes on waiting if the store fails: the
    /// next turn reports that.
    async fn somebody_acted(&self) {
        loop {
            self.clock.sleep_until(self.clock.now() + OTHERS_EVERY).await;
            match self.store.last_change().await {
                Ok(last) if last != self.last_change => return,
                Ok(_) | Err(_) => {}
            }
        }
    }

    /// Runs one turn over all tenants at `now`. Bad data of one tenant does not hold up the others: it is an error only
    /// if no tenant could be evaluated, or the store as a whole is at fault.
    pub async fn turn(&mut self, now: DateTime<Utc>) -> Result<Turn, StoreError> {
        let started = tokio::time::Instant::now();
        let config = self.config.clone();
        let mut whole = Turn::default();
        let mut last = None;
        let meanwhile = Meanwhile::ask(&self.store, now).await?;
        self.last_change = meanwhile.last_change;
        let all_settled = self.all_settled(now).await;
        for tenant in config.tenants.values() {
            match self.turn_of_one(tenant, &meanwhile, all_settled, now).await {
                Ok(turn) => whole.add(turn),
                Err(error) if error.is_of_all() => return Err(error),
                Err(error) => {
                    error!(tenant = %tenant.id, error = %error, "the tickets of `{}` could not be evaluated; trying again", tenant.id);
                    whole.add(Turn { failed: 1, next: Some(now + AFTER_FAILURE), ..Turn::default() });
                    last = Some(error);
                }
            }
        }
        let took = started.elapsed().as_secs_f64();
        self.telemetry.loop_seconds.get_or_create(&LoopName { name: "evaluate" }).observe(took);
        last.filter(|_| whole.failed == config.tenants.len()).map_or(Ok(whole), Err)
    }

    async fn turn_of_one(
        &mut self,
        tenant: &Tenant,
        meanwhile: &Meanwhile,
        all_settled: bool,
        now: DateTime<Utc>,
    ) -> Result<Turn, StoreError> {
        let mut tries = 1;
        let mut turn = self.turn_of(tenant, meanwhile, all_settled, now).await;
        loop {
            if turn.is_err() {
                // What memory holds may not be stored, so it is read again next time.
                self.memory.forget(&tenant.id);
                self.quiet.remove(&tenant.id);
            }
            match turn {
                // Somebody acted while we decided: nothing was written, so decide again.
                Err(StoreError::Overtaken) if tries < OVERTAKEN_TRIES => tries += 1,
                turn => return turn,
            }
            let meanwhile = Meanwhile::ask(&self.store, now).await?;
            turn = self.turn_of(tenant, &meanwhile, all_settled, now).await;
        }
    }

    async fn turn_of(
        &mut self,
        tenant: &Tenant,
        meanwhile: &Meanwhile,
        all_settled: bool,
        now: DateTime<Utc>,
    ) -> Result<Turn, StoreError> {
        self.rules_cache.keep_version(tenant, now).await?;
        if let Some(until) = self.start.waits(&self.store, tenant, now).await? {
            return Ok(Turn { next: Some(until), ..Turn::default() });
        }
        let (people, rules) = self.rules_cache.of(tenant).await?;
        let open = self.store.open_tickets(&tenant.id).await?;
        let settled_at = self.settled_at(tenant, now).await?;
        self.memory.load(&self.store, &tenant.id, meanwhile.last_change, now).await?;
        self.personal_rules.keep_up(meanwhile.last_change, now).await?;
        if let Some(due) = meanwhile.due_of(&tenant.id) {
            self.memory.hurry(&self.store, due, now).await?;
        }
        let suppressions = self.memory.suppressions(&tenant.id);
        let forecasts = self.published.of(&tenant.id);
        let duty = self.duty(tenant, meanwhile, now).await?;
        let (suppressions, forecasts) = (suppressions.as_ref(), forecasts.as_ref());
        let services = self.services(&tenant.id, now);
        let zone = self.zone_of_tenant(tenant).unwrap_or_default();
        let may_tell_known = settled_at.is_some_and(|at| all_settled || now >= at + FOR_OTHER_TENANTS);
        let context = TurnContext {
            tenant,
            rules: rules.as_ref(),
            people: people.as_ref(),
            duty,
            settled_at,
            may_tell_known,
            suppressions,
            forecasts,
            services: &services,
            zone,
            now,
        };
        // A turn that could not be written counts as not having happened.
        self.raised.clear();
        let mut quiet = self.quiet.remove(&tenant.id).unwrap_or_default();
        quiet.begin(&rules, now);
        let mut found = Findings::default();
        // A forecast that has a say in it may have changed while the ticket did not.
        let due = quiet.due(&open, forecasts.calls.keys());
        self.look_at_all(&context, &due, &mut quiet, &mut found);
        let mut next = quiet.next_change();
        quiet.tidy(&open);
        self.quiet.insert(tenant.id.clone(), quiet);
        let Findings { mut work, known, mut changed, moved, mut raised } = found;
        raised += self.attend(&context, &mut work).await?;
        self.resolve_gone(&context, &open, &mut work).await?;
        work.notifications.extend(self.digests(&context, &known));
        let ended = self.end_holds(&context, &open, &mut work).await?;
        let again = work.opened_again.iter().chain(&ended).cloned().collect();
        self.tell_systems_again(&context, &open, again, &mut work).await?;
        changed.extend(ended);
        let awaited = self.follow(&context, &open, changed, &moved, &mut work).await?;
        self.cover(&context, &open, &mut work);
        let mut commit = Commit::new(self.store.clone(), now);
        let (last, onward) = self.escalate(&context, &open, work, &mut commit).await;
        next = next.into_iter().chain(awaited).min();
        next = next.into_iter().chain(self.memory.next_step(&tenant.id, now)).chain(context.next_quiet_change()).min();
        if onward {
            next = Some(now);
        }
        let sums = commit.finish(last).await?;
        self.count_raised();
        self.tell_loops(&sums);
        let Sums { resolved, notifications, .. } = sums;
        if raised + resolved + notifications > 0 {
            info!(tenant = %tenant.id, raised, resolved, notifications, "alerts of `{}`: {raised} raised, {resolved} over", tenant.id);
        }
        Ok(Turn { raised, resolved, notifications, failed: 0, next })
    }

    /// Whether the open tickets of each tenant have been read once. False if that cannot be found out.
    async fn all_settled(&mut self, now: DateTime<Utc>) -> bool {
        let config = self.config.clone();
        for tenant in config.tenants.values() {
            if !matches!(self.settled_at(tenant, now).await, Ok(Some(_))) {
                return false;
            }
        }
        true
    }

    /// Returns when the first sync of `tenant` had settled; none while it is under way.
    async fn settled_at(&mut self, tenant: &Tenant, now: DateTime<Utc>) -> Result<Option<DateTime<Utc>>, StoreError> {
        if let Some(at) = self.memory.settled_at(&tenant.id) {
            return Ok(Some(at));
        }
        if !self.store.sync_state(&tenant.id).await?.is_settled() {
            return Ok(None);
        }
        let at = self.store.settled_at(&tenant.id, now).await?;
        self.memory.settle(&tenant.id, at);
        Ok(Some(at))
    }

    /// Wakes the loops that have something to do now.
    fn tell_loops(&self, sums: &Sums) {
        if sums.to_write {
            self.written.send_replace(());
        }
        if sums.to_send {
            self.outbox.notify_one();
        }
    }

    /// Returns the time zone of the hours of `tenant`.
    fn zone_of_tenant(&self, tenant: &Tenant) -> Option<Tz> {
        let calendar = tenant.calendar.as_ref().and_then(|name| self.config.calendars.get(name));
        calendar.map(|calendar| calendar.timezone)
    }

    fn links<'a>(&'a self, tenant: &'a Tenant) -> facts::Links<'a> {
        let (several, public_url) = (self.config.tenants.len() > 1, self.config.server.public_url.as_deref());
        facts::Links { tenant, several, public_url }
    }
}

fn key_of(context: &TurnContext<'_>, watched: &Watched, clock: ClockKind) -> AlertKey {
    AlertKey::of_clock(&context.tenant.id, &watched.ticket.id, clock, watched.cycle)
}
