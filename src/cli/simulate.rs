//! `simulate`: only the SuperOps look-alike, to try a configuration against.

use std::net::SocketAddr;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;

use super::{CliError, run};
use crate::clock::{Clock, FastClock, SharedClock, SystemClock};
use crate::history;
use crate::simulator::{FaultOrder, Replay, SimOptions, Simulator, lively_end};

#[derive(Debug, Args)]
pub(super) struct SimulateArgs {
    /// Where it answers, like 127.0.0.1:4000
    #[arg(long, value_name = "ADDR")]
    listen: SocketAddr,
    /// Open tickets at the start; 0: an account without any ticket
    #[arg(long, value_name = "N", default_value_t = 300)]
    tickets: usize,
    /// Play a real ticket history instead of the simulated service desk
    #[arg(long, value_name = "FILE")]
    replay: Option<PathBuf>,
    /// Requests a minute before it says `rate_limit_exceeded`; 0: no limit
    #[arg(long, value_name = "N", default_value_t = 100)]
    requests_per_minute: u32,
    /// Misbehave for some requests (throttle:3), for a time (internal-error:75s) or permanently (blind,
    /// paging-depth:10000); may be repeated. A wrong name lists all of them
    #[arg(long, value_name = "FAULT")]
    fault: Vec<FaultOrder>,
    /// Simulated seconds that pass in one second
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=3600))]
    speed: u32,
}

/// Answers until it is told to stop.
pub async fn simulate(args: SimulateArgs) -> Result<(), CliError> {
    let clock = clock(args.speed);
    let options = SimOptions {
        tickets: args.tickets,
        empty: args.tickets == 0,
        requests_per_minute: args.requests_per_minute,
        ..SimOptions::default()
    };
    let look_alike = look_alike(args.replay.as_deref(), options.clone(), clock)?;
    for order in args.fault {
        look_alike.order(order);
    }
    let served = look_alike.serve(args.listen).await?;
    let url = format!("{}/msp", served.url());
    eprintln!("A SuperOps look-alike answers at {url}. For the configuration:\n");
    super::print(&format!(
        "[tenants.look-alike]\nsubdomain = \"{}\"\nendpoint = \"{url}\"\n\
         token_env = \"SUPEROPS_TOKEN\"   # export SUPEROPS_TOKEN={}\n",
        options.subdomain, options.token
    ))?;
    if let Some(words) = speed_words(args.speed) {
        eprintln!("\n{words}");
    }
    eprintln!(
        "\nWhile it runs, type a fault and press Enter: `internal-error:75s`, `blind`. `sound` ends all of them."
    );
    std::thread::spawn(move || take_orders(&look_alike));
    run::told_to_stop().await;
    Ok(())
}

/// Says how a desk whose time passes faster looks to a service with a real clock.
fn speed_words(speed: u32) -> Option<String> {
    (speed > 1).then(|| {
        format!(
            "Its clock runs {speed} times as fast as a real one. A service that runs against it keeps its own time: \
             after a minute it finds SuperOps {} minutes ahead, reports that the clocks differ, and sees tickets as \
             late or early by that much. To see a whole day with both clocks in step, use `superops-sla demo --speed \
             {speed}`.",
            speed - 1
        )
    })
}

/// Follows the orders on standard input, line by line, until it ends.
fn take_orders(look_alike: &Simulator) {
    for line in std::io::stdin().lines().map_while(Result::ok) {
        match line.trim() {
            "" => {}
            "sound" => look_alike.recover(),
            text => match text.parse::<FaultOrder>() {
                Ok(order) => look_alike.order(order),
                Err(complaint) => eprintln!("{complaint}"),
            },
        }
    }
}

/// The computer's clock, or a faster one.
pub fn clock(speed: u32) -> SharedClock {
    if speed == 1 { Arc::new(SystemClock) } else { Arc::new(FastClock::start(SystemClock.now(), speed)) }
}

/// Opens a made-up desk, or a recorded one at a moment when much comes due.
pub fn look_alike(
    history: Option<&Path>,
    options: SimOptions,
    clock: SharedClock,
) -> Result<Arc<Simulator>, anyhow::Error> {
    let Some(path) = history else { return Ok(Simulator::new(options, clock)) };
    let records = history::read(path).collect::<Result<Vec<_>, _>>()?;
    let ends_at = lively_end(&records, clock.now());
    let replay = Replay::new(records, ends_at);
    Ok(Simulator::replaying(replay, options, clock))
}
