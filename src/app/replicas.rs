//! Several of these services on one PostgreSQL database: one leads, the others serve and wait.
//!
//! The leader runs the loops. A follower serves pages, the API and hooks; what people do there is stored as usual, and
//! the leader hears of it at once. When the lease changes hands, the parts are rebuilt in their new role from what is
//! stored: nothing that the earlier role held in memory is kept.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::watch;
use tracing::{error, info, warn};

use super::context::AppContext;
use super::service_manager;
use super::{Parts, Running};
use crate::answers::Wakers;
use crate::clock::{SharedClock, set_back};
use crate::config::{Config, StorePlace};
use crate::monitor::board::{MonitorState, StatusBoard};
use crate::monitor::objectives;
use crate::predict::Predict;
use crate::service::{Heard, LeaderHealth, Service};
use crate::store::lease::{LeaderElection, Role};
use crate::store::sql::postgres::Server;
use crate::store::{Place, Store, StoreError, millis, with_causes};
use crate::sync::SyncHealth;

/// How often the leader tells what has changed in how its work goes, and how often a follower reads that: the length of
/// one turn.
const TOLD_TURN: Duration = Duration::from_secs(5);
/// How often it tells that nothing has changed.
const TOLD_AGAIN: TimeDelta = TimeDelta::minutes(1);
/// A follower forecasts from the stored data once in this many turns.
const FORECASTS_EVERY: u32 = 12;
/// The shortest time between two reads of announcements after other replicas have written something.
const TOLD_EVERY: Duration = Duration::from_millis(500);
/// A follower reads how services stand once in this many turns.
const SERVICES_EVERY: u32 = 3;
/// How often to ask whether every running service holds the first key.
const FIRST_KEY_EVERY: Duration = Duration::from_secs(30);
/// How long to wait before another try when a change of roles has failed.
const AGAIN: Duration = Duration::from_secs(1);

/// Runs the service until it is told to stop; on PostgreSQL as one of the replicas there.
pub async fn run(config: Config, clock: SharedClock, told_to_stop: impl Future<Output = ()>) -> anyhow::Result<()> {
    let config = Arc::new(config);
    let mut told_to_stop = pin!(told_to_stop);
    let election = match &config.store.place {
        StorePlace::Postgres(settings) => {
            let server = Server::of(settings).with_keys(&config.store.keys);
            Some(LeaderElection::start(&server, wait_for_older).await?)
        }
        StorePlace::File(_) => None,
    };
    let mut role = election.as_ref().map(LeaderElection::role);
    let mut is_first = true;
    let ended = loop {
        let now = role.as_mut().map_or(Role::Alone, |role| *role.borrow_and_update());
        let changed = async {
            match &mut role {
                Some(role) => drop(role.changed().await),
                None => std::future::pending().await,
            }
        };
        match run_as(now, &config, &clock, &mut told_to_stop, changed).await {
            Ok(Ended::Told) => break Ok(()),
            Ok(Ended::RoleChanged) => {}
            Ok(Ended::ClockSetBack) => {
                warn!("this computer's clock was set back: all timers start over, as after a restart");
            }
            Err(error) if is_first || election.is_none() => break Err(error),
            Err(error) => {
                warn!(error = with_causes(error.as_ref()), "this replica could not take up its work; trying again");
                tokio::select! {
                    () = &mut told_to_stop => break Ok(()),
                    () = tokio::time::sleep(AGAIN) => {}
                }
            }
        }
        is_first = false;
    };
    if let Some(election) = election {
        election.stop().await;
    }
    ended
}

fn wait_for_older(replicas: i64) {
    let status = format!("waiting for {replicas} replicas of an older version to stop: the tables are changed then");
    warn!("{status}");
    service_manager::waiting(&status);
}

/// Why a run has ended.
enum Ended {
    Told,
    RoleChanged,
    /// The loops would wait too long, for moments that are now further off.
    ClockSetBack,
}

async fn run_as(
    role: Role,
    config: &Arc<Config>,
    clock: &SharedClock,
    told_to_stop: impl Future<Output = ()>,
    role_changed: impl Future<Output = ()>,
) -> anyhow::Result<Ended> {
    let parts = Parts::build_as(role, config.clone(), clock.clone()).await?;
    let options = parts.web_options();
    let mut running: Running = parts.start(options).await?;
    if let Some(word) = role.word() {
        info!("this replica is a {word}");
    }
    let ended = tokio::select! {
        () = told_to_stop => Ok(Ended::Told),
        () = role_changed => Ok(Ended::RoleChanged),
        () = set_back(clock.as_ref()) => Ok(Ended::ClockSetBack),
        () = running.failed() => Err(anyhow::anyhow!("a loop ended unexpectedly; the log says which")),
    };
    running.stop().await;
    ended
}

/// Wakes the loops when another replica has written something.
pub(super) async fn pass_on(mut others: watch::Receiver<()>, wakers: Wakers, mut stop: watch::Receiver<bool>) {
    loop {
        tokio::select! {
            heard = others.changed() => {
                if heard.is_err() {
                    // The store was closed: no more news will come.
                    break;
                }
                wakers.evaluate.notify_one();
                wakers.dispatch.notify_one();
            }
            _ = stop.wait_for(|stop| *stop) => return,
        }
    }
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Lets the store encrypt with its first key as soon as every running service holds that key.
pub(super) async fn take_up_first_key(store: Store, place: Place, mut stop: watch::Receiver<bool>) {
    let taken_up = async {
        loop {
            match store.take_up_first_key(&place).await {
                Ok(true) => return,
                Ok(false) => {}
                Err(error) => {
                    warn!(error = %error, "cannot find out whether the first key may encrypt; trying again")
                }
            }
            tokio::time::sleep(FIRST_KEY_EVERY).await;
        }
    };
    tokio::select! {
        () = taken_up => {}
        _ = stop.wait_for(|stop| *stop) => return,
    }
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Compares our clock with the database's again and again, and logs once when it is wrong.
pub(super) async fn compare_clocks(store: Store, service: Service, mut stop: watch::Receiver<bool>) {
    let mut is_known = false;
    while !*stop.borrow() {
        // What cannot be asked now is asked at the next turn; the loops say that the store cannot be read.
        let _ = store.compare_clocks(|| service.now()).await;
        let problem = service.clock_problem();
        if let Some(problem) = &problem
            && !is_known
        {
            error!("{problem}");
        }
        is_known = problem.is_some();
        tokio::select! {
            () = tokio::time::sleep(TOLD_TURN) => {}
            _ = stop.changed() => {}
        }
    }
}

/// Tells the followers how the leader's work goes.
pub struct Telling {
    store: Store,
    service: Service,
    /// What was told last, and when.
    told: Option<(DateTime<Utc>, LeaderHealth)>,
}

impl Telling {
    pub fn new(store: Store, service: Service) -> Self {
        Self { store, service, told: None }
    }

    pub(super) async fn run(mut self, mut stop: watch::Receiver<bool>) {
        while !*stop.borrow() {
            // What was not stored is told at the next turn; the loops say that the store cannot be written.
            let _ = self.turn().await;
            tokio::select! {
                () = tokio::time::sleep(TOLD_TURN) => {}
                _ = stop.changed() => {}
            }
        }
    }

    /// Tells what has changed, or that nothing has: silence means that the leader does not work.
    pub async fn turn(&mut self) -> Result<(), StoreError> {
        let (now, health) = (self.service.now(), self.service.own_work());
        let is_told = self.told.as_ref().is_some_and(|(at, told)| *told == health && now - *at < TOLD_AGAIN);
        if !is_told {
            self.store.note_leader_health(&health, now).await?;
            self.told = Some((now, health));
        }
        Ok(())
    }
}

/// Keeps a follower up to date with the leader's work.
pub struct Following {
    store: Store,
    clock: SharedClock,
    heard: watch::Sender<Option<Heard>>,
    predicts: Vec<Predict>,
    config: Arc<Config>,
    /// The board that shows services as the leader stored them.
    services: Option<Arc<MonitorState>>,
}

impl Following {
    pub(super) fn new(context: &AppContext) -> Self {
        let (store, clock) = (context.store.clone(), context.clock.clone());
        let config = context.config.clone();
        // Until the leader has told how its clock goes, the database's counts.
        store.note_leader_ahead(0);
        let predict = |tenant| context.predict(tenant, watch::channel(SyncHealth::default()).1);
        let predicts = config.tenants.values().map(predict).collect();
        Self { store, clock, heard: watch::Sender::new(None), predicts, config, services: None }
    }

    /// Returns what the leader told last.
    pub(super) fn heard(&self) -> watch::Receiver<Option<Heard>> {
        self.heard.subscribe()
    }

    /// Shows services on `monitor_state` from now on.
    pub(super) async fn show_services(&mut self, monitor_state: Arc<MonitorState>) {
        self.services = Some(monitor_state);
        self.look_at_services().await;
    }

    pub(super) async fn run(mut self, mut stop: watch::Receiver<bool>) {
        tokio::select! {
            () = self.follow() => {}
            _ = stop.wait_for(|stop| *stop) => {}
        }
    }

    async fn follow(&mut self) {
        let mut others = self.store.news_of_others();
        for turn in (0..FORECASTS_EVERY).cycle() {
            if let Err(error) = self.look().await {
                warn!(error = %error, "cannot read how the leader's work goes; trying again");
            }
            if turn % SERVICES_EVERY == 0 {
                self.look_at_services().await;
            }
            if turn == 0 {
                self.forecast().await;
            }
            tokio::select! {
                () = tokio::time::sleep(TOLD_TURN) => {}
                () = self.hear_what_is_told(&mut others) => {}
            }
        }
    }

    /// Reads announcements about services again whenever another replica has written something.
    async fn hear_what_is_told(&self, others: &mut watch::Receiver<()>) {
        while others.changed().await.is_ok() {
            if let Some(monitor_state) = self.monitor_state() {
                let now = millis(self.clock.now());
                match self.store.announcements(now).await {
                    Ok(announcements) => monitor_state.announce(announcements, now),
                    Err(error) => warn!(error = %error, "announcements about services could not be read; trying again"),
                }
            }
            tokio::time::sleep(TOLD_EVERY).await;
        }
        // The store was closed: no more news will come.
        std::future::pending().await
    }

    /// Returns the board that shows services; `None` if no service is watched.
    fn monitor_state(&self) -> Option<&Arc<MonitorState>> {
        self.services.as_ref().filter(|_| !self.config.uptime.components.is_empty())
    }

    /// Reads what the leader told last.
    pub async fn look(&self) -> Result<(), StoreError> {
        self.heard.send_replace(Heard::read(&self.store).await?);
        Ok(())
    }

    async fn look_at_services(&self) {
        let Some(monitor_state) = self.monitor_state() else { return };
        let now = millis(self.clock.now());
        let read = async {
            Ok((StatusBoard::read(&self.config, &self.store, now).await?, self.store.announcements(now).await?))
        };
        let read: Result<_, StoreError> = read.await;
        match read {
            Ok((board, announcements)) => {
                monitor_state.show(board, true);
                monitor_state.announce(announcements, now);
                if let Err(error) = objectives::measure(&self.config, &self.store, monitor_state, now).await {
                    warn!(error = %error, "the state of objectives could not be worked out; trying again");
                }
            }
            Err(error) => warn!(error = %error, "the state of services could not be read; trying again"),
        }
    }

    async fn forecast(&mut self) {
        let now = self.clock.now();
        for predict in &mut self.predicts {
            if let Err(error) = predict.glance(now).await {
                warn!(error = %error, "the open tickets could not be forecast; trying again");
            }
        }
    }
}
