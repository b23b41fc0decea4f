//! A turn of the evaluation over many open tickets at which nothing changes,
//! which is what nearly every turn is, and one that looks at all of them anew,
//! against the core alone.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use chrono::{DateTime, TimeDelta, Utc};
use superops_sla::clock::{Clock, SystemClock};
use superops_sla::config::Config;
use superops_sla::rules_cache::RulesCache;
use superops_sla::sla::clock::assess_all;
use superops_sla::sla::tenant_rules::TenantRules;
use superops_sla::store::tickets::OpenTickets;
use tokio::sync::watch;

use super::figure::{Figure, median, millis};
use super::world::{World, all_read, tenant, without_budget};

const OPEN: usize = 100_000;
const ROUNDS: usize = 31;
const LIMIT: Duration = Duration::from_millis(50);
const ROUNDS_ANEW: i64 = 7;
const LIMIT_ANEW: Duration = Duration::from_millis(300);

pub async fn measure() -> anyhow::Result<Vec<Figure>> {
    let world = World::open(OPEN, 0, 0).await?;
    let folder = tempfile::tempdir()?;
    let mut parts = world.product(&folder, "60s", without_budget).await?;
    let stop = watch::Sender::new(false);
    let sync = parts.syncs.pop().context("there is one tenant")?;
    let reading = tokio::spawn(sync.run(stop.subscribe()));
    all_read(&parts.store).await?;
    stop.send_replace(true);
    reading.await?;
    drop(world);

    let now = SystemClock.now();
    while parts.evaluate.turn(now).await? != quiet(parts.evaluate.turn(now).await?.next) {}
    let mut turns = Vec::new();
    for _ in 0..ROUNDS {
        let started = Instant::now();
        parts.evaluate.turn(now).await?;
        turns.push(started.elapsed());
    }
    let mut anew = Vec::new();
    for back in 1..=ROUNDS_ANEW {
        let started = Instant::now();
        // On a clock that was set back nothing holds that was found before.
        parts.evaluate.turn(now - TimeDelta::milliseconds(back)).await?;
        anew.push(started.elapsed());
    }
    let open = parts.store.open_tickets(&tenant()).await?;
    let rules = rules(&parts.config, &parts).await?;
    let core = (0..ROUNDS).map(|_| core_alone(&open, &rules, now)).collect();
    let (turn, anew, core) = (median(turns), median(anew), median(core));
    let tickets = open.len();
    Ok(vec![
        Figure::plain(format!("standings of both clocks of {tickets} open tickets, the core alone"), millis(core)),
        Figure::new(
            format!("a whole turn of the evaluation over {tickets} open tickets when nothing changes"),
            millis(turn),
            format!("under {}", millis(LIMIT)),
            turn < LIMIT,
        ),
        Figure::new(
            format!("a whole turn over {tickets} open tickets that looks at all of them anew"),
            millis(anew),
            format!("under {}", millis(LIMIT_ANEW)),
            anew < LIMIT_ANEW,
        ),
    ])
}

fn quiet(next: Option<DateTime<Utc>>) -> superops_sla::evaluate::Turn {
    superops_sla::evaluate::Turn { next, ..Default::default() }
}

async fn rules(config: &Arc<Config>, parts: &superops_sla::app::Parts) -> anyhow::Result<Arc<TenantRules>> {
    let rules_cache = RulesCache::new(config.clone(), parts.store.clone(), parts.telemetry.clone())?;
    let tenant = config.tenants.get(&tenant()).context("the tenant is configured")?;
    Ok(rules_cache.of(tenant).await?.1)
}

fn core_alone(open: &OpenTickets, rules: &TenantRules, now: DateTime<Utc>) -> Duration {
    let started = Instant::now();
    for watched in open.values() {
        std::hint::black_box(assess_all(watched, rules, now));
    }
    started.elapsed()
}
