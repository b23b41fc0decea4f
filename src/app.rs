//! Builds everything from the configuration, starts the loops, and stops them in order.

mod context;
pub mod replicas;
pub mod service_manager;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::net::TcpListener;
use tokio::runtime::{self, Runtime};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing::{info, warn};

use self::context::AppContext;
use self::replicas::{Following, Telling};
use crate::answers::receipts::ReceiptWatch;
use crate::answers::{Answers, Wakers};
use crate::bookkeeping::Bookkeeping;
use crate::clock::SharedClock;
use crate::config::Config;
use crate::descriptors;
use crate::dispatch::Dispatch;
use crate::evaluate::Evaluate;
use crate::loop_health::LoopHealths;
use crate::monitor::board::MonitorState;
use crate::monitor::{self, Monitor};
use crate::notify;
use crate::predict::Predict;
use crate::probe::Prober;
use crate::reporting::Reporting;
use crate::retention::Retention;
use crate::self_monitoring::SelfMonitoring;
use crate::service::{Service, Syncs};
use crate::sign_in::SignIn;
use crate::status_page::Publisher;
use crate::store::lease::Role;
use crate::store::{Claim, Place, Store};
use crate::subscriptions::Subscriptions;
use crate::superops::SuperOps;
use crate::sync::{Hints, SyncHealth, TenantSync};
use crate::telemetry::Telemetry;
use crate::web::{self, HttpServer, Web};
use crate::write_back::WriteBacks;

/// The longest a stop takes. Work unfinished by then resumes after the next start.
const STOP_DEADLINE: Duration = Duration::from_secs(9);

/// All parts, built and connected but not yet running. Tests run their loops by hand.
pub struct Parts {
    pub config: Arc<Config>,
    pub store: Store,
    pub telemetry: Arc<Telemetry>,
    pub service: Service,
    pub answers: Answers,
    pub syncs: Vec<TenantSync>,
    pub evaluate: Evaluate,
    pub predicts: Vec<Predict>,
    pub dispatch: Dispatch,
    pub receipts: ReceiptWatch,
    pub write_backs: Vec<WriteBacks>,
    pub self_monitoring: SelfMonitoring,
    pub retention: Retention,
    pub bookkeeping: Bookkeeping,
    pub reporting: Reporting,
    /// `None` if no service is watched.
    pub monitor: Option<Monitor>,
    /// `None` if there is no public page.
    pub publisher: Option<Publisher>,
    /// `None` if nobody can subscribe to a status page.
    pub subscriptions: Option<Subscriptions>,
    /// `None` if people sign in by tokens only.
    sign_in: Option<Arc<SignIn>>,
    role: Role,
    /// Also woken when another replica has written something.
    wakers: Wakers,
    loop_healths: LoopHealths,
    /// Keeps a follower up to date; `None` on the leader.
    pub following: Option<Following>,
    claim: Claim,
}

fn sign_in(config: &Config) -> anyhow::Result<Option<Arc<SignIn>>> {
    let (Some(oidc), Some(public_url)) = (&config.sign_in, &config.server.public_url) else { return Ok(None) };
    Ok(Some(Arc::new(SignIn::new(oidc.clone(), public_url)?)))
}

impl Parts {
    /// Opens the store and connects the parts. Does not call SuperOps yet.
    pub async fn build(config: impl Into<Arc<Config>>, clock: SharedClock) -> anyhow::Result<Self> {
        Self::build_as(Role::Alone, config, clock).await
    }

    /// Like [`Parts::build`], for one of several replicas. A follower gets none of the parts that work for all
    /// replicas.
    pub async fn build_as(role: Role, config: impl Into<Arc<Config>>, clock: SharedClock) -> anyhow::Result<Self> {
        let (context, claim) = AppContext::open(config.into(), clock, role).await?;
        let AppContext { config, store, clock, telemetry, wakers, .. } = &context;
        let (monitor_state, reports) = MonitorState::open();
        let evaluate = context.evaluate().watching(monitor_state.clone());
        let hints = Hints::new(config.tenants.keys().cloned());
        let (mut syncs, mut predicts, mut write_backs) = (Vec::new(), Vec::new(), Vec::new());
        let mut health = BTreeMap::new();
        let mut following = (!role.leads()).then(|| Following::new(&context));
        for tenant in config.tenants.values().filter(|_| role.leads()) {
            let client = Arc::new(SuperOps::new(tenant, telemetry.clone())?.by_clock(clock.clone()));
            let report = watch::Sender::new(SyncHealth::default());
            health.insert(tenant.id.clone(), report.subscribe());
            predicts.push(context.predict(tenant, report.subscribe()));
            if tenant.write_back.is_on() {
                write_backs.push(context.write_back(tenant, client.clone(), evaluate.writings()));
            }
            let heard = hints.listen(&tenant.id).context("every tenant has its hint")?;
            syncs.push(context.sync(tenant, client, heard, report).await?);
        }
        let answers =
            Answers::open(config.clone(), store.for_pages(), clock.clone(), telemetry.clone(), wakers.clone()).await?;
        let channels = notify::connect_offering(&config.notify, clock, &answers.ways())?;
        let receipts = ReceiptWatch::new(store.clone(), &channels, clock.clone(), wakers.clone());
        let dispatch = context.dispatch(channels);
        let found = watch::Sender::default();
        let service = context.service(Syncs { hints, health: health.clone() }, found.subscribe());
        let mut service = service.watching(monitor_state.clone());
        if let Some(following) = &mut following {
            service = service.hearing(following.heard());
            following.show_services(monitor_state.clone()).await;
        }
        let self_monitoring =
            context.self_monitoring(Arc::new(service.clone()), health, found, monitor_state.clone())?;
        let retention = Retention::new(&context.config, context.store.clone(), context.clock.clone())?;
        let bookkeeping = context.bookkeeping();
        let reporting = context.reporting(Arc::new(service.clone()));
        let to_wake = context.wakers.clone();
        let AppContext { config, store, telemetry, clock, wakers, loop_healths, .. } = context;
        let sign_in = sign_in(&config)?;
        let publisher = Publisher::new(config.clone(), clock.clone(), monitor_state.clone(), store.for_pages());
        let subscriptions = Subscriptions::new(config.clone(), store.clone(), clock.clone(), wakers.dispatch.clone());
        let monitor = if config.uptime.components.is_empty() || !role.leads() {
            None
        } else {
            let (config, store, telemetry) = (config.clone(), store.clone(), telemetry.clone());
            let news = wakers.evaluate.clone();
            let wiring =
                monitor::Wiring { config, store, clock, telemetry, prober: Prober::new()?, monitor_state, news };
            Some(Monitor::open(wiring, reports).await?)
        };
        Ok(Self {
            config,
            store,
            telemetry,
            service,
            answers,
            syncs,
            evaluate,
            predicts,
            dispatch,
            receipts,
            write_backs,
            self_monitoring,
            retention,
            bookkeeping,
            reporting,
            monitor,
            publisher,
            subscriptions,
            sign_in,
            role,
            wakers: to_wake,
            loop_healths,
            following,
            claim,
        })
    }

    /// Builds the web server's state.
    pub fn web(&self, options: web::Options) -> Web {
        Web::new(self.service.clone(), self.store.for_pages(), self.telemetry.clone(), options)
    }

    /// Returns the web options that the configuration sets.
    pub fn web_options(&self) -> web::Options {
        let hooks = self.config.tenants.values();
        web::Options {
            hooks: hooks.filter_map(|tenant| Some((tenant.id.clone(), tenant.hook_secret.clone()?))).collect(),
            public_url: self.config.server.public_url.clone(),
            trusted_proxies: self.config.server.trusted_proxies.clone(),
            cors_origins: self.config.server.cors_origins.clone(),
            requests_per_second: Some(self.config.server.requests_per_second),
            answers: Some(self.answers.clone()),
            sign_in: self.sign_in.clone(),
            pages: self.publisher.as_ref().map(Publisher::published),
            outbox: self.wakers.dispatch.clone(),
            ..web::Options::default()
        }
    }

    /// Starts the loops and the web server.
    pub async fn start(self, options: web::Options) -> anyhow::Result<Running> {
        let listen = self.config.server.listen;
        let listener = TcpListener::bind(listen)
            .await
            .with_context(|| format!("cannot listen on `{listen}`; is another program there already?"))?;
        let address = listener.local_addr()?;
        let stop = watch::Sender::new(false);
        let tenants = self.config.tenants.len();
        if let Some(shortage) = descriptors::shortage(tenants) {
            warn!("{shortage}");
        }
        let server = HttpServer::sized_beside(tenants, self.telemetry.clone());
        let (connections, router) = (server.places, web::router(self.web(options)));
        let work = WorkThreads::start()?;
        let mut loops = JoinSet::new();
        let heard = (self.store.news_of_others(), self.wakers.clone());
        loops.spawn(replicas::pass_on(heard.0, heard.1, stop.subscribe()));
        if let Some(following) = self.following {
            loops.spawn(following.run(stop.subscribe()));
        } else {
            if self.role != Role::Alone {
                let telling = Telling::new(self.store.clone(), self.service.clone());
                loops.spawn(telling.run(stop.subscribe()));
            }
            for sync in self.syncs {
                loops.spawn_on(sync.run(stop.subscribe()), work.handle());
            }
            loops.spawn_on(self.evaluate.run(stop.subscribe()), work.handle());
            for predict in self.predicts {
                loops.spawn_on(predict.run(stop.subscribe()), work.handle());
            }
            loops.spawn(self.dispatch.run(stop.subscribe()));
            loops.spawn(self.receipts.run(stop.subscribe()));
            for write_back in self.write_backs {
                loops.spawn_on(write_back.run(stop.subscribe()), work.handle());
            }
            loops.spawn_on(self.self_monitoring.run(stop.subscribe()), work.handle());
            loops.spawn_on(self.retention.run(stop.subscribe()), work.handle());
            loops.spawn_on(self.bookkeeping.run(stop.subscribe()), work.handle());
            loops.spawn_on(self.reporting.run(stop.subscribe()), work.handle());
            if let Some(subscriptions) = self.subscriptions {
                loops.spawn(subscriptions.run(stop.subscribe()));
            }
        }
        if self.role != Role::Alone {
            loops.spawn(replicas::compare_clocks(self.store.clone(), self.service.clone(), stop.subscribe()));
        }
        let place = Place::from(&self.config.store);
        loops.spawn(replicas::take_up_first_key(self.store.clone(), place, stop.subscribe()));
        loops.spawn(self.service.clone().tell_changes(stop.subscribe()));
        if let Some(publisher) = self.publisher {
            loops.spawn(publisher.run(stop.subscribe()));
        }
        if let Some(monitor) = self.monitor {
            loops.spawn(monitor.run(stop.subscribe()));
        }
        let mut stopped = stop.subscribe();
        loops.spawn(async move {
            let until = async move { drop(stopped.wait_for(|stop| *stop).await) };
            server.serve(listener, router, until).await;
        });
        info!(address = %address, connections, "listening on http://{address}");
        loops.spawn(service_manager::show_life(self.loop_healths, stop.subscribe()));
        service_manager::ready(self.role.word().unwrap_or("at work"));
        Ok(Running { address, stop, loops, _work: work, store: self.store, _claim: self.claim })
    }
}

/// The running service.
pub struct Running {
    pub address: SocketAddr,
    stop: watch::Sender<bool>,
    loops: JoinSet<()>,
    _work: WorkThreads,
    store: Store,
    _claim: Claim,
}

/// Threads of their own for the loops that read and compute: work that keeps one busy for a while, such as ten thousand
/// tickets, then delays no answer and no message.
struct WorkThreads {
    handle: runtime::Handle,
    /// None once it is dropped.
    runtime: Option<Runtime>,
}

impl WorkThreads {
    fn start() -> anyhow::Result<Self> {
        let runtime = runtime::Builder::new_multi_thread().thread_name("work").enable_all().build();
        let runtime = runtime.context("the threads of the loops cannot be started")?;
        Ok(Self { handle: runtime.handle().clone(), runtime: Some(runtime) })
    }

    fn handle(&self) -> &runtime::Handle {
        &self.handle
    }
}

impl Drop for WorkThreads {
    fn drop(&mut self) {
        // An async caller must not block here until the threads end.
        self.runtime.take().into_iter().for_each(Runtime::shutdown_background);
    }
}

impl Running {
    /// Accepts no new work, lets running work end, and closes the store.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        let orderly = async {
            while self.loops.join_next().await.is_some() {}
            self.store.close().await;
        };
        if tokio::time::timeout(STOP_DEADLINE, orderly).await.is_err() {
            warn!("not everything ended in time; what was under way is taken up at the next start");
        }
        info!("stopped");
    }

    /// Returns once a loop has ended before the stop, which none does by itself.
    pub async fn failed(&mut self) {
        self.loops.join_next().await;
    }
}
