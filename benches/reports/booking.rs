//! How long the books of an account take that was there before: all its tickets, in the background.

use std::time::{Duration, Instant};

use chrono::TimeDelta;
use superops_sla::app::Parts;
use superops_sla::clock::{Clock, SystemClock};
use superops_sla::config::{Config, ProcessEnvironment};

use super::figure::{Figure, millis};
use super::world::{World, without_budget};

const TICKETS: [usize; 3] = [50_000, 100_000, 200_000];
const GOAL: Duration = Duration::from_secs(60);

pub async fn measure() -> anyhow::Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for tickets in TICKETS {
        let (booked, took, longest) = book(tickets).await?;
        let what = format!("the books of {booked} tickets made, in the background");
        let each = took.as_secs_f64() * 1e6 / booked.max(1) as f64;
        let measured =
            format!("{:.1} s, {each:.0} µs a ticket; the longest turn {}", took.as_secs_f64(), millis(longest));
        figures.push(match tickets {
            100_000 => Figure::new(what, measured, format!("under {} s", GOAL.as_secs()), took < GOAL),
            _ => Figure::plain(what, measured),
        });
    }
    Ok(figures)
}

/// Reads an account with so many closed tickets, then books it turn by turn: how many, how long, and the longest turn.
async fn book(tickets: usize) -> anyhow::Result<(usize, Duration, Duration)> {
    let (folder, world) = (tempfile::tempdir()?, World::open(0, tickets, 0).await?);
    let path = world.receivers.write_config(folder.path(), &world.endpoint(), "1m", "site", "")?;
    let mut config = Config::load(&path, &ProcessEnvironment)?;
    without_budget(&mut config);
    // The archive is older than what is read by default.
    config.tenants.values_mut().for_each(|tenant| tenant.history = TimeDelta::days(10_000));
    let mut parts = Parts::build(config, std::sync::Arc::new(SystemClock)).await?;
    let sync = &mut parts.syncs[0];
    while parts.store.sync_state(&super::world::tenant()).await?.passed_at.is_none() {
        sync.turn(SystemClock.now()).await?;
    }
    let (mut booked, mut longest, begun) = (0, Duration::ZERO, Instant::now());
    loop {
        let began = Instant::now();
        let turn = parts.bookkeeping.turn(SystemClock.now()).await?;
        longest = longest.max(began.elapsed());
        if turn.tickets == 0 {
            return Ok((booked, begun.elapsed(), longest));
        }
        booked += turn.tickets;
    }
}
