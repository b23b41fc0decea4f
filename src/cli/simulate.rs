//! `simulate`: only the SuperOps look-alike, to try a configuration against.

use std::path::Path;
use std::sync::Arc;

use chrono::TimeDelta;

use super::{CliError, SimulateArgs, run};
use crate::clock::{Clock, FastClock, SharedClock, SystemClock};
use crate::history;
use crate::simulator::{Replay, SimOptions, Simulator};

/// How much of a replayed history is still to come when it starts.
const STILL_TO_COME: TimeDelta = TimeDelta::days(14);

/// Answers until it is told to stop.
pub async fn simulate(args: SimulateArgs) -> Result<(), CliError> {
    let clock = clock(args.speed);
    let options = SimOptions { tickets: args.tickets, requests_per_minute: args.requests_per_minute, ..SimOptions::default() };
    let look_alike = look_alike(args.replay.as_deref(), options.clone(), clock)?;
    for order in args.fault {
        look_alike.fail(order.fault, order.times);
    }
    let served = look_alike.serve(args.listen).await?;
    eprintln!("A SuperOps look-alike answers at {}. For the configuration:\n", served.url());
    println!("[tenants.look-alike]\nsubdomain = \"{}\"\nendpoint = \"{}\"", options.subdomain, served.url());
    println!("token_env = \"SUPEROPS_TOKEN\"   # export SUPEROPS_TOKEN={}", options.token);
    run::told_to_stop().await;
    Ok(())
}

/// The computer's clock, or a faster one.
pub fn clock(speed: u32) -> SharedClock {
    if speed == 1 { Arc::new(SystemClock) } else { Arc::new(FastClock::start(SystemClock.now(), speed)) }
}

/// A made-up desk, or a recorded one whose last two weeks are still to come.
pub fn look_alike(
    history: Option<&Path>,
    options: SimOptions,
    clock: SharedClock,
) -> Result<Arc<Simulator>, anyhow::Error> {
    let Some(path) = history else { return Ok(Simulator::new(options, clock)) };
    let records = history::read(path)?.collect::<Result<Vec<_>, _>>()?;
    let replay = Replay::new(records, clock.now() + STILL_TO_COME);
    Ok(Simulator::replaying(replay, options, clock))
}
