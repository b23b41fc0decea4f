//! `demo`: the whole product against the look-alike, with every message caught and shown.
//!
//! The service is the real one, and so is the sending: only SuperOps, the mail server and the SMS gateway are our own.
//! The desk's clock runs faster than the wall clock.

mod at_once;
mod desk;
mod figures;
mod past;
mod portal;
mod said;
mod services;
mod shown;
mod world;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use chrono::{DateTime, Utc};
use clap::Args;
use tokio::net::TcpListener;
use tokio::sync::watch;

use self::desk::{DESK, DESK_ALERTS, REPLAY, desk_options, policies, working_morning};
use self::shown::{Shown, show};
use self::world::World;
use super::{CliError, run, simulate};
use crate::app::Parts;
use crate::clock::{Clock as _, FastClock, SharedClock, SystemClock};
use crate::config::{Config, LogFormat, StorePlace};
use crate::descriptors;
use crate::simulator::SimOptions;
use crate::simulator::receivers::Caller;
use crate::simulator::responders::Responders;
use crate::sla::zone::Tz;
use crate::store::Store;
use crate::store::sql::postgres::Server;
use crate::store::tokens::Role;
use crate::web;

pub use at_once::{DemoRun, Desk, play};
pub use figures::Figures;
pub use said::{Person, Said};

#[derive(Debug, Args)]
pub(super) struct DemoArgs {
    /// Where the page is served; else 127.0.0.1:8080, or any free port if that is taken
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// Open tickets at the start
    #[arg(long, value_name = "N", default_value_t = 80)]
    tickets: usize,
    /// Stop after this time and say what happened
    #[arg(long = "for", value_name = "TIME", value_parser = super::time)]
    lasts: Option<Duration>,
    /// Run this much simulated time as fast as this machine can, without a page, and say what happened
    #[arg(long, value_name = "TIME", value_parser = super::time, conflicts_with_all = ["lasts", "speed", "listen"])]
    at_once: Option<Duration>,
    /// Say what happened as JSON, for other programs
    #[arg(long)]
    json: bool,
    /// Play a real ticket history (.jsonl, .jsonl.gz or .jsonl.zst) instead of the simulated service desk
    #[arg(long, value_name = "FILE")]
    replay: Option<PathBuf>,
    /// Simulated seconds that pass in one second
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=3600))]
    speed: Option<u32>,
    /// Keep everything in this PostgreSQL database (postgres://USER@HOST/NAME), in a schema that is removed at the end;
    /// its password is taken from PGPASSWORD
    #[arg(long, value_name = "URL", conflicts_with = "at_once")]
    store: Option<String>,
}

/// A minute of the desk per second: one minute is enough to see warnings, breaches, escalations and recoveries.
const USUAL_SPEED: u32 = 60;
const USUAL_PORT: u16 = 8080;
/// The most caught messages that the page can hold.
const CAUGHT_ROOM: usize = 2_000;
/// How often people look at their phones.
const ANSWER_EVERY: Duration = Duration::from_secs(4);
/// The auth token of the account at the SMS gateway.
const SMS_TOKEN: &str = "demo";

/// Runs until told to stop, or for as long as asked.
pub(super) async fn demo(args: DemoArgs) -> Result<(), CliError> {
    super::log(LogFormat::Text, "error");
    descriptors::raise();
    if let Some(length) = args.at_once {
        let figures = play(&DemoRun::of(&args, length)?).await?;
        return tell(&figures, args.json);
    }
    let wall = SystemClock.now();
    let begins = if args.replay.is_some() { wall } else { working_morning(wall) };
    let clock: SharedClock = Arc::new(FastClock::start(begins, args.speed.unwrap_or(USUAL_SPEED)));
    eprintln!("Setting up the desk …");
    let (settings, authority) = settings(&args, &clock).await?;
    let world = world(&args, &clock).await?.trusting(authority);
    let config = world.config(free_address(args.listen).await?, &settings)?;
    let server = match &config.store.place {
        StorePlace::Postgres(settings) => Some(Server::of(settings)),
        StorePlace::File(_) => None,
    };
    let own_page = remember_services(&config, &clock).await?;
    let parts = Parts::build(config, clock.clone()).await?;
    for tenant in parts.config.tenants.values() {
        past::remember(&parts.store, &world.look_alike, &tenant.id, &tenant.statuses).await?;
    }
    let figures = watch_desk(parts, &args, &world, &clock, (begins, own_page)).await;
    if let Some(server) = server {
        server.remove().await.context("the schema of the demo could not be removed")?;
    }
    tell(&figures?, args.json)
}

fn tell(figures: &Figures, json: bool) -> Result<(), CliError> {
    super::print(&format!("{}\n", if json { serde_json::to_string_pretty(figures)? } else { figures.in_words() }))
}

/// Starts SuperOps, and everything that catches messages.
async fn world(args: &DemoArgs, clock: &SharedClock) -> Result<World, CliError> {
    let options = SimOptions { tickets: args.tickets, remembered: true, ..desk_options() };
    let look_alike = simulate::look_alike(args.replay.as_deref(), options.clone(), clock.clone())?;
    Ok(World::round(look_alike, options, clock.clone(), CAUGHT_ROOM).await?.on_server(args.store.clone()))
}

/// Returns the desk's part of the configuration, and the authority that signed its services' certificates, in PEM. A
/// history has no services.
async fn settings(args: &DemoArgs, clock: &SharedClock) -> Result<(String, String), CliError> {
    if args.replay.is_some() {
        return Ok((REPLAY.to_owned(), String::new()));
    }
    let (watched, authority) = services::start_all(clock).await?;
    Ok((format!("allow_networks = [\"127.0.0.1\"]\n{DESK}{DESK_ALERTS}{}{watched}", policies()), authority))
}

/// Gives the services a past and one client a page; returns the secret of that page, or none if there are no services.
async fn remember_services(config: &Config, clock: &SharedClock) -> Result<Option<String>, CliError> {
    if config.uptime.components.is_empty() {
        return Ok(None);
    }
    let store = Store::open(&config.store, Arc::default()).await?;
    services::remember(config, &store, clock.now()).await?;
    let own_page = services::give_page(config, &store, clock.now()).await?;
    store.close().await;
    Ok(own_page)
}

/// Runs the service until the demo ends, and says what happened since it `began`.
async fn watch_desk(
    parts: Parts,
    args: &DemoArgs,
    world: &World,
    clock: &SharedClock,
    (began, own_page): (DateTime<Utc>, Option<String>),
) -> anyhow::Result<Figures> {
    let (service, store, zone) = (parts.service.clone(), parts.store.clone(), zone_of(&parts));
    let options = web::Options {
        anonymous: Some(Role::Admin),
        caught: Some(Arc::new(Shown(world.caught.clone()))),
        ..parts.web_options()
    };
    let running = parts.start(options).await?;
    welcome(args, clock, running.address, own_page.as_deref());
    let (url, outpost_runs) = (format!("http://{}", running.address), watch::Sender::new(false));
    if own_page.is_some() {
        services::start_outpost(url.clone(), clock.clone(), outpost_runs.subscribe())?;
    }
    tokio::select! {
        () = show(&world.caught) => {}
        () = answer(world, running.address) => {}
        () = services::tell_of_payments(url, clock.clone()), if own_page.is_some() => {}
        () = run::told_to_stop() => {}
        () = ended(args.lasts) => {}
    }
    outpost_runs.send_replace(true);
    let figures = Figures::take(&service, &store, world, zone, began).await;
    running.stop().await;
    figures
}

/// Waits for the time that was asked for, or for ever.
async fn ended(lasts: Option<Duration>) {
    match lasts {
        Some(length) => tokio::time::sleep(length).await,
        None => std::future::pending().await,
    }
}

/// Lets the desk's people answer some of what they are told, for ever.
async fn answer(world: &World, address: SocketAddr) {
    let url = format!("http://{address}");
    world.sms.calls(Caller { auth_token: SMS_TOKEN.to_owned().into(), public_url: url.clone(), reach: url });
    let mut responders = Responders::new(&world.caught, &world.sms);
    loop {
        tokio::time::sleep(ANSWER_EVERY).await;
        for done in responders.turn().await {
            eprintln!("          ←      {done}");
        }
    }
}

/// Returns the address asked for, else the usual one, or any if that is taken. Links name it, so port 0 is resolved.
async fn free_address(asked: Option<SocketAddr>) -> anyhow::Result<SocketAddr> {
    match asked {
        Some(address) if address.port() != 0 => return Ok(address),
        Some(address) => return Ok(TcpListener::bind(address).await?.local_addr()?),
        None => {}
    }
    let usual = SocketAddr::from((Ipv4Addr::LOCALHOST, USUAL_PORT));
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let listener = match TcpListener::bind(usual).await {
        Ok(listener) => listener,
        Err(_) => TcpListener::bind(any).await?,
    };
    Ok(listener.local_addr()?)
}

fn welcome(args: &DemoArgs, clock: &SharedClock, address: SocketAddr, own_page: Option<&str>) {
    let speed = match clock.speed() {
        1 => "in real time".to_owned(),
        60 => "a minute in a second".to_owned(),
        speed => format!("{speed} times as fast as real time"),
    };
    let desk = match &args.replay {
        Some(path) => format!("the history {}", path.display()),
        None => format!("a simulated service desk with {} open tickets", args.tickets),
    };
    eprintln!("\n  The page:  http://{address}\n");
    if let Some(secret) = own_page {
        eprintln!("  What clients see:             http://{address}/status");
        eprintln!("  What one of them sees alone:  http://{address}/status/for/{secret}/\n");
    }
    eprintln!("Watching {desk}, {speed}. Nothing leaves this machine: every message is caught and shown.");
    eprintln!("{}\n", if args.lasts.is_some() { "It ends by itself." } else { "Ctrl-C ends it." });
}

/// Returns the zone of the head office, in which days are counted.
fn zone_of(parts: &Parts) -> Tz {
    parts.config.calendars.values().next().map_or(Tz::UTC, |calendar| calendar.timezone)
}
