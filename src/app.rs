//! Builds everything from the configuration, starts the loops, and stops them in order.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tracing::{info, warn};

use crate::answers::receipts::ReceiptWatch;
use crate::answers::{Answers, Bells};
use crate::clock::SharedClock;
use crate::config::Config;
use crate::desks::Desks;
use crate::dispatch::Dispatch;
use crate::evaluate::Evaluate;
use crate::notify;
use crate::predict::{self, Board, Predict};
use crate::service::{Service, Syncs};
use crate::store::{Claim, Store, StoreError};
use crate::superops::SuperOps;
use crate::sync::{Hints, SyncHealth, TenantSync, Wiring};
use crate::telemetry::Telemetry;
use crate::vigil::{self, Vigil};
use crate::web::{self, Web};
use crate::write_back::{self, WriteBacks};

/// A stop takes no longer than this; what is not done by then is done after the next start.
const STOP_DEADLINE: Duration = Duration::from_secs(9);

/// How long a store that is in use is asked for again.
const CLAIM_TRIES: u32 = 10;
const CLAIM_PAUSE: Duration = Duration::from_millis(100);

/// All parts, built and joined, not yet running. A test turns them by hand.
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
    pub vigil: Vigil,
    claim: Claim,
}

impl Parts {
    /// Opens the store and joins the parts. Nothing is asked of SuperOps yet.
    pub async fn build(config: Config, clock: SharedClock) -> anyhow::Result<Self> {
        let config = Arc::new(config);
        let telemetry = Arc::new(Telemetry::default());
        let claim = claim(&config.store.path).await?;
        let store = Store::open(&config.store.path, telemetry.clone()).await?;
        let desks = Arc::new(Desks::new(config.clone(), store.clone(), telemetry.clone())?);
        desks.adopt(clock.now()).await?;
        let (news, outbox) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let hints = Hints::new(config.tenants.keys().cloned());
        let mut health = BTreeMap::new();
        let (mut syncs, mut predicts) = (Vec::new(), Vec::new());
        let board = Arc::new(Board::default());
        let mut clients = Vec::new();
        for tenant in config.tenants.values() {
            let report = watch::Sender::new(SyncHealth::default());
            health.insert(tenant.id.clone(), report.subscribe());
            let forecasting = predict::Wiring {
                config: config.clone(),
                desks: desks.clone(),
                store: store.clone(),
                clock: clock.clone(),
                telemetry: telemetry.clone(),
                board: board.clone(),
                news: news.clone(),
                synced: report.subscribe(),
            };
            predicts.push(Predict::new(&tenant.id, forecasting));
            let client = Arc::new(SuperOps::new(tenant, telemetry.clone())?);
            clients.push((tenant, client.clone()));
            let wiring = Wiring {
                client,
                store: store.clone(),
                clock: clock.clone(),
                telemetry: telemetry.clone(),
                nudge: news.clone(),
                hints: hints.listen(&tenant.id).context("every tenant has its hint")?,
                health: report,
            };
            let policies = config.policies_of(&tenant.id).map(|(_, policy)| policy.clone()).collect();
            syncs.push(TenantSync::open(tenant, wiring).await?.promising(policies));
        }
        let bells = Bells { outbox: outbox.clone(), news: news.clone() };
        let answers =
            Answers::open(config.clone(), store.clone(), clock.clone(), telemetry.clone(), bells.clone()).await?;
        let channels = notify::connect_offering(&config.notify, &clock, &answers.ways())?;
        let receipts = ReceiptWatch::new(store.clone(), &channels, clock.clone(), bells.clone());
        let rules = Arc::new(config.alerts.noise.clone());
        let dispatch = Dispatch::new(
            store.clone(),
            channels,
            clock.clone(),
            telemetry.clone(),
            rules,
            outbox.clone(),
            news.clone(),
        )
        .with_limits(&config.notify.per_minute);
        let evaluate =
            Evaluate::new(config.clone(), desks.clone(), store.clone(), clock.clone(), telemetry.clone(), news, outbox)
                .heeding(board.clone());
        let writing = clients.into_iter().filter(|(tenant, _)| tenant.write_back.is_on()).map(|(tenant, client)| {
            let (store, clock, telemetry) = (store.clone(), clock.clone(), telemetry.clone());
            let wiring = write_back::Wiring { client, store, clock, telemetry, queued: evaluate.writings() };
            WriteBacks::new(&tenant.id, wiring)
        });
        let write_backs = writing.collect();
        let found = watch::Sender::default();
        let sync = Syncs { hints, health: health.clone() };
        let service =
            Service::new(config.clone(), desks.clone(), store.clone(), clock.clone(), telemetry.clone(), sync);
        let service = service.showing(board).audited(found.subscribe()).with_bells(bells.news, bells.outbox.clone());
        let vigil = Vigil::new(vigil::Wiring {
            config: config.clone(),
            desks,
            store: store.clone(),
            clock,
            telemetry: telemetry.clone(),
            service: service.clone(),
            health,
            outbox: bells.outbox,
            found,
        })?;
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
            vigil,
            claim,
        })
    }

    /// What the web is to serve.
    pub fn web(&self, options: web::Options) -> Web {
        Web { service: self.service.clone(), store: self.store.clone(), telemetry: self.telemetry.clone(), options }
    }

    /// What the configuration says of the web.
    pub fn web_options(&self) -> web::Options {
        let hooks = self.config.tenants.values();
        web::Options {
            hooks: hooks.filter_map(|tenant| Some((tenant.id.clone(), tenant.hook_secret.clone()?))).collect(),
            public_url: self.config.server.public_url.clone(),
            answers: Some(self.answers.clone()),
            ..web::Options::default()
        }
    }

    /// Starts the loops and the web.
    pub async fn start(self, options: web::Options) -> anyhow::Result<Running> {
        let listen = self.config.server.listen;
        let listener = TcpListener::bind(listen)
            .await
            .with_context(|| format!("cannot listen on `{listen}`; is another program there already?"))?;
        let address = listener.local_addr()?;
        let stop = watch::Sender::new(false);
        let router = web::router(self.web(options));
        let mut loops = JoinSet::new();
        for sync in self.syncs {
            loops.spawn(sync.run(stop.subscribe()));
        }
        loops.spawn(self.evaluate.run(stop.subscribe()));
        for predict in self.predicts {
            loops.spawn(predict.run(stop.subscribe()));
        }
        loops.spawn(self.dispatch.run(stop.subscribe()));
        loops.spawn(self.receipts.run(stop.subscribe()));
        for write_back in self.write_backs {
            loops.spawn(write_back.run(stop.subscribe()));
        }
        loops.spawn(self.vigil.run(stop.subscribe()));
        let mut stopped = stop.subscribe();
        loops.spawn(async move {
            let until = async move { drop(stopped.wait_for(|stop| *stop).await) };
            if let Err(error) = web::serve(listener, router, until).await {
                tracing::error!(error = %error, "the web has stopped");
            }
        });
        info!(address = %address, "listening on http://{address}");
        Ok(Running { address, stop, loops, store: self.store, _claim: self.claim })
    }
}

/// Claims the store, with some patience: the service before this one may be about to end.
async fn claim(path: &Path) -> Result<Claim, StoreError> {
    for _ in 0..CLAIM_TRIES {
        match Store::claim(path) {
            Err(StoreError::InUse(_)) => tokio::time::sleep(CLAIM_PAUSE).await,
            claimed_or_hopeless => return claimed_or_hopeless,
        }
    }
    Store::claim(path)
}

/// The running service.
pub struct Running {
    pub address: SocketAddr,
    stop: watch::Sender<bool>,
    loops: JoinSet<()>,
    store: Store,
    _claim: Claim,
}

impl Running {
    /// Stops taking in, lets what is under way end, and closes the store.
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

    /// Returns if a loop ends that should not; none ever does by itself.
    pub async fn failed(&mut self) {
        self.loops.join_next().await;
    }
}
