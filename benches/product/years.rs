//! A store that has lived for three years: how long each page and each turn of a loop takes before it.
//!
//! The product first reads a small desk and tells of its alerts. What it has stored by then is repeated for three years
//! and fifty tenants, with other names and other times, by the database itself: so the rows are the product's own.

use std::num::NonZeroU32;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use chrono::{DateTime, TimeDelta, Utc};
use sqlx::sqlite::{SqliteConnectOptions, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions, SqliteConnection};
use superops_sla::app::Parts;
use superops_sla::clock::{Clock, SystemClock};
use superops_sla::config::{Config, ProcessEnvironment};
use superops_sla::store::Store;
use superops_sla::store::audit::Author;
use superops_sla::store::tokens::{Role, Token};

use super::figure::{Figure, millis};
use super::world::{Product, World, all_read, all_sent, without_budget};

const OPEN: usize = 100;
/// Of the first tenant; the others have a fiftieth of it each.
const PAST: usize = 100_000;
const TENANTS: usize = 50;
const YEARS: TimeDelta = TimeDelta::days(3 * 365);
const ROUNDS: usize = 100;
const LIMIT: Duration = Duration::from_millis(50);
const READY: Duration = Duration::from_secs(5);

const PAGES: [&str; 14] = [
    "/",
    "/api/v1/overview",
    "/api/v1/tickets",
    "/api/v1/tickets/desk-past-5/sla?tenant=desk",
    "/api/v1/tickets/desk-past-5/ledger?tenant=desk",
    "/api/v1/alerts",
    "/api/v1/alerts?state=resolved",
    "/api/v1/alerts/weekly?weeks=53",
    "/api/v1/breaches",
    "/api/v1/messages",
    "/api/v1/discrepancies",
    "/api/v1/forecast/record",
    "/api/v1/on-call",
    "/metrics",
];

pub async fn measure() -> anyhow::Result<Vec<Figure>> {
    let world = World::open(OPEN, 0, 0).await?;
    let folder = tempfile::tempdir()?;
    let product = Product::start(world.product(&folder, "60s", without_budget).await?).await?;
    all_read(&product.store).await?;
    all_sent(&product.store).await?;
    product.running.stop().await;
    let path = folder.path().join("desk.db");
    let began = Instant::now();
    fill(&path, SystemClock.now()).await?;
    let filled = began.elapsed();
    let bytes = std::fs::metadata(&path)?.len();
    let tickets = PAST + (TENANTS - 1) * PAST / TENANTS;
    let mut figures = vec![Figure::plain(
        format!("a store of three years: {tickets} tickets of {TENANTS} tenants, {PAST} of them of one"),
        format!(
            "{} MB, {:.1} kB a ticket; filled in {:.0} s",
            bytes >> 20,
            bytes as f64 / 1024.0 / tickets as f64,
            filled.as_secs_f64()
        ),
    )];
    let config =
        || -> anyhow::Result<Config> { Ok(Config::load(&write_config(&world, folder.path())?, &ProcessEnvironment)?) };
    figures.extend(pages(config()?).await?);
    figures.extend(loops(config()?).await?);
    Ok(figures)
}

fn write_config(world: &World, folder: &Path) -> anyhow::Result<std::path::PathBuf> {
    let path = world.receivers.write_config(folder, &world.endpoint(), "60s", "site", "")?;
    let text = std::fs::read_to_string(&path)?;
    let (_, tenant) = text.split_once("[tenants.desk]\n").context("there is the first tenant")?;
    let (tenant, _) = tenant.split_once('[').context("there are channels")?;
    let others: String = (1..TENANTS).map(|nth| format!("[tenants.desk-{nth}]\n{tenant}")).collect();
    std::fs::write(&path, format!("{text}{others}"))?;
    Ok(path)
}

/// From the start until it is ready, then each page.
async fn pages(mut config: Config) -> anyhow::Result<Vec<Figure>> {
    without_budget(&mut config);
    // One caller asks for page after page, quicker than callers may.
    config.server.requests_per_second = NonZeroU32::MAX;
    let began = Instant::now();
    let parts = Parts::build(config, Arc::new(SystemClock)).await?;
    let token = Token::generate()?;
    let author = Author { who: "bench".to_owned(), origin: "bench".to_owned() };
    parts.store.add_token(&token, Role::Viewer, None, author, SystemClock.now()).await?;
    let product = Product::start(parts).await?;
    let base = format!("http://{}", product.running.address);
    let client = reqwest::Client::new();
    while !client.get(format!("{base}/readyz")).send().await?.status().is_success() {
        anyhow::ensure!(began.elapsed() < READY * 20, "it is not ready");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let ready = began.elapsed();
    let goal = format!("under {} s", READY.as_secs());
    let mut figures = vec![Figure::new("three years: from the start to ready", millis(ready), goal, ready < READY)];
    'pages: for page in PAGES {
        let mut times = Vec::with_capacity(ROUNDS);
        for round in 0..ROUNDS + 5 {
            let began = Instant::now();
            let answer = client.get(format!("{base}{page}")).bearer_auth(token.expose()).send().await?;
            let status = answer.status();
            answer.bytes().await?;
            if !status.is_success() {
                let (what, measured) =
                    (format!("three years: `{page}`"), format!("{status} after {}", millis(began.elapsed())));
                figures.push(Figure::new(what, measured, format!("p99 under {}", millis(LIMIT)), false));
                continue 'pages;
            }
            // The first ones warm it.
            times.extend((round >= 5).then(|| began.elapsed()));
        }
        figures.push(p99(&format!("three years: `{page}`"), times));
    }
    product.running.stop().await;
    Ok(figures)
}

/// One turn of each loop at which nothing new happens, which is what nearly every turn is.
async fn loops(config: Config) -> anyhow::Result<Vec<Figure>> {
    let mut parts = Parts::build(config, Arc::new(SystemClock)).await?;
    let (mut evaluate, mut dispatch, mut self_monitoring) = (Vec::new(), Vec::new(), Vec::new());
    let began = Instant::now();
    parts.evaluate.turn(SystemClock.now()).await?;
    let first = began.elapsed();
    for _ in 0..ROUNDS {
        let now = SystemClock.now();
        evaluate.push(timed(parts.evaluate.turn(now)).await?);
        dispatch.push(timed(parts.dispatch.turn(now)).await?);
        self_monitoring.push(timed(parts.self_monitoring.turn(now)).await?);
    }
    let began = Instant::now();
    let predict = parts.predicts.first_mut().context("there is a tenant")?;
    predict.turn(SystemClock.now()).await?;
    let walk = began.elapsed();
    let figures = vec![
        Figure::plain("three years: the first turn of the evaluation, and any after one that failed", millis(first)),
        p99("three years: a turn of the evaluation", evaluate),
        p99("three years: a turn of the dispatch", dispatch),
        p99("three years: a turn of the audit", self_monitoring),
        Figure::plain(format!("three years: the forecast learns from {PAST} tickets"), millis(walk)),
    ];
    parts.store.close().await;
    Ok(figures)
}

async fn timed<T, E>(turn: impl Future<Output = Result<T, E>>) -> Result<Duration, E> {
    let began = Instant::now();
    turn.await?;
    Ok(began.elapsed())
}

fn p99(what: &str, mut times: Vec<Duration>) -> Figure {
    times.sort();
    let at = |share: usize| times.get(times.len() * share / 100).or(times.last()).copied().unwrap_or_default();
    let measured = format!("p99 {} (p50 {})", millis(at(99)), millis(at(50)));
    Figure::new(what, measured, format!("p99 under {}", millis(LIMIT)), at(99) < LIMIT)
}

/// Repeats what is stored for three years and for all tenants.
async fn fill(path: &Path, now: DateTime<Utc>) -> anyhow::Result<()> {
    Store::open(path, Arc::default()).await?.close().await;
    let mut connection = connect(path).await?;
    run(&mut connection, "BEGIN").await?;
    for nth in 0..TENANTS {
        let (tenant, past) = if nth == 0 { ("desk".to_owned(), PAST) } else { (format!("desk-{nth}"), PAST / TENANTS) };
        if nth > 0 {
            copy_desk(&mut connection, &tenant).await?;
        }
        add_past(&mut connection, &tenant, past, now).await?;
    }
    run(&mut connection, "COMMIT").await?;
    run(&mut connection, "PRAGMA wal_checkpoint(TRUNCATE)").await
}

/// A connection that writes much at once, and need not outlive the machine.
pub async fn connect(path: &Path) -> anyhow::Result<SqliteConnection> {
    let options = SqliteConnectOptions::new().filename(path).synchronous(SqliteSynchronous::Off);
    Ok(options.pragma("cache_size", "-200000").connect().await?)
}

/// Repeats what is stored of `tenant` for `past` tickets of three years.
pub async fn add_past(
    connection: &mut SqliteConnection,
    tenant: &str,
    past: usize,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let step = YEARS.num_milliseconds() / i64::try_from(past)?;
    let numbers = format!(
        "CREATE TEMP TABLE n AS WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {past})
         SELECT i, {start} + i * {step} AS at, '{tenant}-past-' || i AS id FROM n",
        start = (now - YEARS).timestamp_millis()
    );
    run(connection, &numbers).await?;
    for statement in PAST_ROWS {
        let statement = statement.replace("TENANT", &format!("'{tenant}'"));
        run(connection, &statement).await.with_context(|| statement)?;
    }
    run(connection, "DROP TABLE n").await
}

async fn run(connection: &mut SqliteConnection, statement: &str) -> anyhow::Result<()> {
    sqlx::query(AssertSqlSafe(statement.to_owned())).execute(connection).await?;
    Ok(())
}

/// Another tenant that has read the same desk.
async fn copy_desk(connection: &mut SqliteConnection, tenant: &str) -> anyhow::Result<()> {
    for statement in [
        "INSERT INTO sync_states SELECT TENANT, state FROM sync_states WHERE tenant = 'desk'",
        "INSERT INTO directories SELECT TENANT, directory, read_at FROM directories WHERE tenant = 'desk'",
        "INSERT INTO tickets (tenant, id, display_id, status, open, ticket, first_seen_at, read_at, cycle, status_earliest,
           status_latest, replied_at, conversation, overrides, past, opened)
         SELECT TENANT, id, display_id, status, open, ticket, first_seen_at, read_at, cycle, status_earliest,
           status_latest, replied_at, conversation, overrides, past, opened
         FROM tickets WHERE tenant = 'desk' AND open = 1",
    ] {
        run(connection, &statement.replace("TENANT", &format!("'{tenant}'"))).await?;
    }
    Ok(())
}

/// What a closed ticket of each row of `n` leaves behind.
const PAST_ROWS: [&str; 10] = [
    "INSERT INTO tickets (tenant, id, display_id, status, open, ticket, first_seen_at, read_at, cycle, status_earliest,
       status_latest, opened) SELECT TENANT, n.id, n.id, 'Closed', 0,
       json_set(t.ticket, '$.id', n.id, '$.display_id', n.id, '$.status', 'Closed',
         '$.created_at', strftime('%Y-%m-%dT%H:%M:%SZ', n.at / 1000, 'unixepoch'),
         '$.updated_at', strftime('%Y-%m-%dT%H:%M:%SZ', n.at / 1000 + 20000, 'unixepoch'),
         '$.first_response.due', strftime('%Y-%m-%dT%H:%M:%SZ', n.at / 1000 + 3600, 'unixepoch'),
         '$.first_response.met_at', strftime('%Y-%m-%dT%H:%M:%SZ', n.at / 1000 + 1800, 'unixepoch'),
         '$.resolution.due', strftime('%Y-%m-%dT%H:%M:%SZ', n.at / 1000 + 28800, 'unixepoch'),
         '$.resolution.met_at', strftime('%Y-%m-%dT%H:%M:%SZ', n.at / 1000 + 18000 + n.i % 20000, 'unixepoch')),
       n.at, n.at, 0, n.at, n.at, strftime('%Y-%m-%dT%H:%M:%SZ', n.at / 1000, 'unixepoch')
       FROM n, (SELECT ticket FROM tickets WHERE tenant = 'desk' AND open = 1 LIMIT 1) t",
    "INSERT INTO events (tenant, ticket_id, kind, was, became, earliest, latest)
       SELECT TENANT, n.id, k.value ->> 0, k.value ->> 1, k.value ->> 2, n.at + 3000000 * k.key, n.at + 3000000 * k.key
       FROM n, json_each('[[\"first_seen\",null,\"Open\"],[\"assignee\",null,\"Mia\"],[\"status\",\"Open\",\"Waiting\"],
         [\"status\",\"Waiting\",\"Open\"],[\"status\",\"Open\",\"Closed\"],[\"policy_version\",\"1\",\"2\"]]') k",
    "INSERT INTO alerts (key, tenant, ticket_id, clock, cycle, episode, stage, state, reason, due, raised_at, changed_at,
       step, generation, told, resolved_as, id, acts, told_at, touched_at)
       SELECT TENANT || ':' || n.id || ':resolution:0', TENANT, n.id, 'resolution', 0, 0, 'breached', 'resolved',
       'the resolution was due', n.at + 28800000, n.at + 20000000, n.at + 30000000, 1, 1, 1, 'met', 'past' || n.id, n.i % 3,
       n.at + 20000000, n.at + 21000000 FROM n WHERE n.i % 2 = 0",
    "INSERT INTO notifications (key, tenant, alert_key, ticket_id, kind, stage, step, channel, recipient, fallback, message,
       state, due_at, first_due_at, created_at, done_at, released_at, attempts, address, client, priority, breach_at)
       SELECT n.id || '-' || k.value, TENANT, TENANT || ':' || n.id || ':resolution:0', n.id, 'alert', 'breached', k.value,
       m.channel, m.recipient, '[]', json_set(m.message, '$.key', n.id || '-' || k.value), 'sent', n.at + 20000000,
       n.at + 20000000, n.at + 20000000, n.at + 20000100, n.at + 20000000, 1, m.address, m.client, m.priority, m.breach_at
       FROM n, json_each('[0, 1]') k,
         (SELECT * FROM notifications WHERE tenant = 'desk' AND kind = 'alert' AND key NOT LIKE '%past%' LIMIT 1) m
       WHERE n.i % 2 = 0",
    "INSERT INTO attempts (tenant, notification, number, at, outcome)
       SELECT TENANT, n.id || '-' || k.value, 1, n.at + 20000100, 'taken' FROM n, json_each('[0, 1]') k WHERE n.i % 2 = 0",
    "INSERT INTO receipts (provider_id, notification, status, rank, changed_at)
       SELECT 'SM' || n.id, n.id || '-1', 'delivered', 4, n.at + 20000100 FROM n WHERE n.i % 4 = 0",
    "INSERT INTO audit (tenant, at, who, what, origin)
       SELECT TENANT, n.at, 'Mia', 'acknowledged alert ' || n.id || ' (link)', '127.0.0.1' FROM n WHERE n.i % 3 = 0",
    "INSERT INTO predictions (tenant, ticket_id, clock, cycle, moment, at, probability, left_ms, breached, decided_at)
       SELECT TENANT, n.id, 'resolution', 0, 'alert', n.at + 10000000, (n.i % 100) / 100.0, 10000000, n.i % 2, n.at + 28800000
       FROM n WHERE n.i % 10 = 0",
    "INSERT INTO prediction_weeks (tenant, week, cell, predictions, breached, said, squares)
       SELECT TENANT, (n.at / 86400000 + 3) / 7, n.i % 50, 3, 1, 1.5, 0.5 FROM n WHERE true ON CONFLICT DO NOTHING",
    "INSERT INTO weekly_figures (tenant, week, messages, alerts, acknowledged, acted_before_breach, answered)
       SELECT tenant, told_at - (told_at - 345600000) % 604800000, 2 * COUNT(*), COUNT(*), SUM(acts > 0), COUNT(*), COUNT(*)
       FROM alerts WHERE tenant = TENANT AND told_at IS NOT NULL GROUP BY 1, 2 ON CONFLICT (tenant, week) DO NOTHING",
];
