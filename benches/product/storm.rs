//! Ten thousand tickets breach at one instant, with the rules about noise as
//! they are by default: when all is safe in the store, when each person first
//! hears of it, and when nothing is left to be said.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use chrono::{DateTime, TimeDelta, Utc};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, SqliteConnection};
use superops_sla::clock::{Clock, SystemClock};
use superops_sla::simulator::NewTicket;
use superops_sla::simulator::msp::texted_technician;

use super::figure::Figure;
use super::program::{Process, service, status_mb};
use super::world::World;

const BREACHES: usize = 10_000;
/// Time enough to read them all, however few requests a minute are allowed.
const AHEAD: TimeDelta = TimeDelta::seconds(75);
const DURABLE: f64 = 0.6;
const FIRST_MESSAGE_MS: i64 = 1_500;
const ALL_HANDED_OVER: f64 = 10.0;
const MEMORY_MB: u64 = 150;
/// Nothing is said before the breach, and then by both channels.
const ALERTS: &str = "[alerts]\nwarn_at = []\n[[alerts.steps]]\nafter = \"0s\"\nnotify = [\"technician\"]\n\
                      channels = [\"email\", \"sms\"]\n";

// Whoever watches the store takes processor time from the program: these two are answered by an index.
const NEWEST: &str = "SELECT COALESCE(MAX(rowid), 0) FROM notifications";
const WAITING: &str = "SELECT EXISTS (SELECT 1 FROM notifications WHERE state = 'pending' AND channel IN ('email', 'sms'))
                            + EXISTS (SELECT 1 FROM notifications WHERE state = 'sending' AND channel IN ('email', 'sms'))";

pub async fn measure() -> anyhow::Result<Vec<Figure>> {
    let world = World::open(0, 0, 0).await?;
    let folder = tempfile::tempdir()?;
    let due = SystemClock.now() + AHEAD;
    (0..BREACHES).for_each(|nth| add(&world, nth, due));
    let service = started(&world, folder.path(), ALERTS).await?;
    let mut store = beside(folder.path()).await?;
    sleep_until(due).await?;
    // By mail and by text.
    let wanted = i64::try_from(2 * BREACHES)?;
    // Rows that bundle others are rows as well: all are counted once there can be enough.
    let breached = "SELECT COUNT(*) FROM notifications WHERE stage = 'breached'";
    let is_stored =
        async || Ok(count(&mut store, NEWEST).await? >= wanted && count(&mut store, breached).await? >= wanted);
    let durable = seconds_until(due, is_stored).await?;
    let said = seconds_until(due, async || Ok(count(&mut store, WAITING).await? == 0)).await?;
    let left = "SELECT COUNT(*) FROM notifications WHERE state IN ('pending', 'sending', 'bundled')";
    anyhow::ensure!(count(&mut store, left).await? == 0, "a message was left behind");
    let (first, messages) = first_heard(&world, due);
    let most = first.get(first.len() * 99 / 100).copied().context("nobody was told")?;
    let peak = status_mb(&service, "VmHWM:")?;
    let what = |what: &str| format!("{BREACHES} breaches at one instant: {what}");
    Ok(vec![
        Figure::new(what("all in the store"), format!("{durable:.2} s"), format!("{DURABLE} s"), durable <= DURABLE),
        Figure::new(
            what("the first message to each person on each channel"),
            format!("p99 {most} ms"),
            format!("p99 under {FIRST_MESSAGE_MS} ms"),
            most < FIRST_MESSAGE_MS,
        ),
        Figure::new(
            what("all handed over"),
            format!("{said:.2} s, in {messages} messages"),
            format!("within {ALL_HANDED_OVER} s"),
            said <= ALL_HANDED_OVER,
        ),
        Figure::new(what("memory"), format!("peak {peak} MB"), format!("under {MEMORY_MB} MB"), peak < MEMORY_MB),
    ])
}

/// Adds a ticket that is due at `due`.
pub fn add(world: &World, nth: usize, due: DateTime<Utc>) {
    world.superops.add(NewTicket {
        technician: Some(texted_technician(nth).to_owned()),
        // What was updated within the last minutes is read again at each poll: not all of it was.
        created_in: -TimeDelta::hours(1) - TimeDelta::seconds(i64::try_from(nth).unwrap_or(0)),
        resolution_due_in: Some(due - SystemClock.now()),
        ..NewTicket::default()
    });
}

/// The program, round the clock, once it has read all tickets.
pub async fn started(world: &World, folder: &Path, alerts: &str) -> anyhow::Result<Process> {
    service(world.receivers.write_config(folder, &world.endpoint(), "5s", "msp", alerts)?).await
}

/// Another program's way into the store.
pub async fn beside(folder: &Path) -> anyhow::Result<SqliteConnection> {
    Ok(SqliteConnectOptions::new().filename(folder.join("desk.db")).read_only(true).connect().await?)
}

/// Waits for `instant`, which must lie ahead.
pub async fn sleep_until(instant: DateTime<Utc>) -> anyhow::Result<()> {
    let ahead = (instant - SystemClock.now()).to_std().context("the tickets were read too late")?;
    tokio::time::sleep(ahead).await;
    Ok(())
}

pub async fn count(store: &mut SqliteConnection, query: &'static str) -> anyhow::Result<i64> {
    Ok(sqlx::query_scalar(query).fetch_one(store).await?)
}

/// How long after `start` it is `done`.
async fn seconds_until(
    start: DateTime<Utc>,
    mut done: impl AsyncFnMut() -> anyhow::Result<bool>,
) -> anyhow::Result<f64> {
    loop {
        let elapsed = (SystemClock.now() - start).num_milliseconds() as f64 / 1000.0;
        if done().await? {
            return Ok(elapsed);
        }
        anyhow::ensure!(elapsed < 120.0, "it is not done after two minutes");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// How late, in milliseconds, each person first heard of it on each channel, in order; and the number of messages.
fn first_heard(world: &World, due: DateTime<Utc>) -> (Vec<i64>, usize) {
    let caught = world.receivers.caught.newest_first(usize::MAX);
    let since: Vec<_> = caught.iter().filter(|caught| caught.at >= due).collect();
    // From the newest to the oldest: the last one put in is the first that came.
    let first: HashMap<_, _> =
        since.iter().map(|caught| ((caught.kind, &caught.to), (caught.at - due).num_milliseconds())).collect();
    let mut late: Vec<i64> = first.into_values().collect();
    late.sort_unstable();
    (late, since.len())
}
