//! How much of a budget a long sync uses, before a look-alike that counts every
//! request of a sliding minute, refused ones too.

use std::time::{Duration, Instant};

use super::figure::Figure;
use super::world::{Product, World, all_read};

const PER_MINUTE: u32 = 100;
const OPEN: usize = 2_000;
/// More pages than are read in the time that is measured.
const CLOSED: usize = 46_000;
const MINUTES: u64 = 4;

pub async fn measure() -> anyhow::Result<Vec<Figure>> {
    let world = World::open(OPEN, CLOSED, PER_MINUTE).await?;
    let folder = tempfile::tempdir()?;
    let parts = world
        .product(&folder, "60s", |config| {
            config.tenants.values_mut().for_each(|tenant| tenant.requests_per_minute = PER_MINUTE);
        })
        .await?;
    let product = Product::start(parts).await?;
    let took = tokio::select! {
        took = time_of_minutes(&world) => took,
        _ = all_read(&product.store) => anyhow::bail!("the sync was over before it could be measured"),
    };
    product.running.stop().await;
    let throttled = world.superops.requests().throttled;
    let share = (MINUTES * 60) as f64 / took.as_secs_f64();
    let what = format!("share of {PER_MINUTE} calls a minute that a long sync uses, over {MINUTES} minutes");
    let measured = format!("{:.1} %, throttled {throttled} times", share * 100.0);
    Ok(vec![Figure::new(what, measured, "98 %, never throttled", share >= 0.98 && throttled == 0)])
}

/// From the first request to the first one after the budget of so many minutes.
async fn time_of_minutes(world: &World) -> Duration {
    requests(world, 1).await;
    let started = Instant::now();
    requests(world, MINUTES * u64::from(PER_MINUTE) + 1).await;
    started.elapsed()
}

/// Waits for the `nth` request.
async fn requests(world: &World, nth: u64) {
    while world.superops.requests().total < nth {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
