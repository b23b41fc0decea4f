//! The first reading of an account, against a bare download of the same pages.
//!
//! Both ask the same look-alike in the same process; the sync reads, compares,
//! stores, and wakes the evaluation, which runs beside it as it always does.

use std::time::{Duration, Instant};

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use serde_json::{Value, json};
use superops_sla::simulator::SimOptions;

use super::figure::{Figure, median, millis};
use super::world::{Product, World, all_read, without_budget};

const OPEN: usize = 2_000;
const CLOSED: usize = 18_000;
const PAGE: usize = 100;
const ROUNDS: usize = 5;
const QUERY: &str = include_str!("../../graphql/getTicketList.graphql");

pub async fn measure() -> anyhow::Result<Vec<Figure>> {
    let world = World::open(OPEN, CLOSED, 0).await?;
    download(&world).await?;
    let (mut bare, mut ours) = (Vec::new(), Vec::new());
    let mut lists = 0;
    for _ in 0..ROUNDS {
        bare.push(download(&world).await?);
        let before = lists_asked(&world);
        ours.push(first_sync(&world).await?);
        lists = lists_asked(&world) - before;
    }
    let (bare, ours) = (median(bare), median(ours));
    let ratio = ours.as_secs_f64() / bare.as_secs_f64();
    let what = format!("first sync of {} tickets, {lists} pages, against a bare download of them", OPEN + CLOSED);
    let measured = format!("{ratio:.2} times ({} against {})", millis(ours), millis(bare));
    Ok(vec![Figure::new(what, measured, "at most 1.5 times", ratio <= 1.5)])
}

fn lists_asked(world: &World) -> u64 {
    world.superops.requests().by_operation.get("getTicketList").copied().unwrap_or(0)
}

/// The time in which an empty store has read all there is.
async fn first_sync(world: &World) -> anyhow::Result<Duration> {
    let folder = tempfile::tempdir()?;
    let parts = world.product(&folder, "60s", without_budget).await?;
    let started = Instant::now();
    let product = Product::start(parts).await?;
    all_read(&product.store).await?;
    let took = started.elapsed();
    product.running.stop().await;
    Ok(took)
}

/// The time in which the same pages arrive, and nothing is done with them.
async fn download(world: &World) -> anyhow::Result<Duration> {
    let options = SimOptions::default();
    // Fails only if one is there already, which serves as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::new();
    let started = Instant::now();
    for input in pages() {
        let body = json!({ "query": QUERY, "operationName": "GetTicketList", "variables": { "input": input } });
        let request = client.post(world.endpoint()).header("CustomerSubDomain", &options.subdomain);
        let request = request.header(AUTHORIZATION, format!("Bearer {}", options.token));
        let response = request.header(CONTENT_TYPE, "application/json").body(body.to_string()).send().await?;
        anyhow::ensure!(response.bytes().await?.len() > PAGE, "a page is missing");
    }
    Ok(started.elapsed())
}

/// The open tickets, then all of them, as the sync asks for them.
fn pages() -> impl Iterator<Item = Value> {
    let sort = json!([{ "attribute": "updatedTime", "order": "DESC" }]);
    let closed = json!(["Resolved", "Closed", "Closed (no response)"]);
    let open = json!({ "attribute": "status", "operator": "notIncludes", "value": closed });
    let swept = (1..=OPEN.div_ceil(PAGE)).map({
        let sort = sort.clone();
        move |page| json!({ "page": page, "pageSize": PAGE, "condition": open, "sort": sort })
    });
    let all =
        (1..=(OPEN + CLOSED).div_ceil(PAGE)).map(move |page| json!({ "page": page, "pageSize": PAGE, "sort": sort }));
    swept.chain(all)
}
