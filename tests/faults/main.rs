//! The faults that alerts must survive, each with its figure.
//!
//! The real program, as a process of its own, works against a real mail server
//! and a real SMS gateway; each fault is then done to it and the harm counted:
//! how many alerts were lost, how many told twice, how many attempts it took.
//!
//! `cargo test --test faults` runs the short form of each, a minute or two;
//! `cargo test --release --test faults -- --long` the long one, some twenty.
//! `--only 4,7` chooses, `--seed N` repeats a run. Most of a fault's time is
//! waiting, so some are done side by side; those that are about speed are not.
//! Replicas need PostgreSQL: `SUPEROPS_SLA_TEST_POSTGRES` names a server, and whose
//! user is a superuser there.

mod answers;
mod channels;
mod clocks;
mod cluster;
mod crashes;
#[path = "../it/database.rs"]
#[expect(dead_code, clippy::unwrap_used, reason = "made for tests, and for more than is played here")]
mod database;
mod figure;
mod providers;
mod replicas;
mod service;
mod services;
mod stage;
mod storage;
mod storm;
#[path = "../it/support.rs"]
#[expect(dead_code, clippy::unwrap_used, reason = "made for tests, and for more than is played here")]
mod support;
mod words;

use std::pin::Pin;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use figure::Figure;
use futures_util::StreamExt as _;
use futures_util::stream;

/// So many faults are done side by side.
const SIDE_BY_SIDE: usize = 5;

/// How long and how hard a run is.
#[derive(Clone, Copy)]
pub struct Run {
    pub long: bool,
    pub seed: u64,
}

impl Run {
    /// The first in a short run, the second in a long one.
    pub fn pick<T>(self, short: T, long: T) -> T {
        if self.long { long } else { short }
    }
}

type Played = Pin<Box<dyn Future<Output = anyhow::Result<Vec<Figure>>>>>;

/// A fault, by its number in the list of those that must be survived.
struct Fault {
    number: u32,
    name: &'static str,
    /// Nothing else is done meanwhile: its figure is one of speed.
    alone: bool,
    play: fn(Run) -> Played,
}

macro_rules! fault {
    ($number:literal, $name:literal, $play:path) => {
        Fault { number: $number, name: $name, alone: false, play: |run| Box::pin($play(run)) }
    };
    (alone $number:literal, $name:literal, $play:path) => {
        Fault { alone: true, ..fault!($number, $name, $play) }
    };
}

fn faults() -> Vec<Fault> {
    vec![
        fault!(1, "kill -9 at random points", crashes::killed_at_random),
        fault!(alone 2, "restart with open alerts", crashes::restarted_with_open_alerts),
        fault!(3, "killed while the providers are down", crashes::killed_while_providers_are_down),
        fault!(4, "the gateway answers 5xx for a while", providers::down_for_a_while),
        fault!(5, "permanent codes of the gateway", providers::permanent_codes),
        fault!(6, "Retry-After", providers::asked_to_wait),
        fault!(7, "providers that hang, drip and hang up", providers::silent),
        fault!(8, "strange answers of 201", providers::strange_answers),
        fault!(9, "texts that are not delivered", answers::undelivered),
        fault!(10, "reports doubled, re-ordered and forged", answers::strange_reports),
        fault!(11, "the disk is full", storage::disk_full),
        fault!(11, "the file system is read-only", storage::read_only),
        fault!(12, "the database is locked", storage::locked),
        fault!(13, "the clock jumps", clocks::jumps),
        fault!(14, "the process stands still", crashes::stopped_and_continued),
        fault!(15, "hostile JSON", words::hostile_json),
        fault!(16, "hostile words in a ticket", words::hostile_words),
        fault!(alone 17, "many breaches at one instant", storm::at_one_instant),
        fault!(18, "acknowledged while it escalates", answers::acknowledged_while_it_escalates),
        fault!(19, "push, Teams and calls: down, forged", channels::down_forged_and_doubled),
        fault!(20, "kill -9 of the leader", replicas::leader_killed),
        fault!(21, "the leader stands still", replicas::leader_stands_still),
        fault!(22, "rolling restarts", replicas::leader_stopped),
        fault!(alone 23, "the database is restarted", replicas::database_restarted),
        fault!(24, "connections to the database are cut", replicas::connections_cut),
        fault!(25, "the database takes no writes", replicas::database_read_only),
        fault!(26, "the clock of one replica is wrong", replicas::clock_off),
        fault!(27, "killed while it watches services", services::killed_while_it_watches),
    ]
}

fn main() -> anyhow::Result<ExitCode> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let (run, only) = arguments()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    println!("{} run, --seed {}\n{}", run.pick("short", "long"), run.seed, figure::HEAD);
    let chosen = faults().into_iter().filter(|fault| only.is_empty() || only.contains(&fault.number));
    let (alone, others): (Vec<_>, Vec<_>) = chosen.partition(|fault| fault.alone);
    let missed = runtime.block_on(async { play_all(others, SIDE_BY_SIDE, run).await + play_all(alone, 1, run).await });
    if missed > 0 {
        eprintln!("{missed} figures miss their bound");
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

/// Does each of `faults`, some of them side by side, and says how it went. Gives how many figures miss their bound.
async fn play_all(faults: Vec<Fault>, side_by_side: usize, run: Run) -> usize {
    let mut played = stream::iter(faults).map(|fault| play(fault, run)).buffered(side_by_side);
    let mut missed = 0;
    while let Some((fault, figures, took)) = played.next().await {
        for figure in &figures {
            println!("{}", figure.line(fault.number, fault.name, took));
        }
        missed += figures.iter().filter(|figure| figure.is_missed()).count();
    }
    missed
}

async fn play(fault: Fault, run: Run) -> (Fault, Vec<Figure>, Duration) {
    let started = Instant::now();
    let figures = (fault.play)(run).await.unwrap_or_else(|error| vec![Figure::unplayed(&error)]);
    (fault, figures, started.elapsed())
}

/// Cargo's own options for tests are passed over.
fn arguments() -> anyhow::Result<(Run, Vec<u32>)> {
    let mut run = Run { long: false, seed: fastrand::u64(..1_000_000) };
    let mut only = Vec::new();
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--long" => run.long = true,
            "--seed" => run.seed = words.next().context("--seed needs a number")?.parse()?,
            "--only" => {
                let numbers = words.next().context("--only needs numbers such as 4,7")?;
                only = numbers.split(',').map(str::parse).collect::<Result<_, _>>()?;
            }
            _ => {}
        }
    }
    Ok((run, only))
}
