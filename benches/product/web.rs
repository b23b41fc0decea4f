//! What the API answers under load, and what the load does to the alerts: 100,000 tickets in the store, 10,000 of them open.
//!
//! The program runs as a process of its own beside a look-alike in this one. Each question is asked at a fixed rate, and the
//! same bytes are asked of a bare axum handler, also a process of its own, at the same rate right after. A time counts from
//! when the question was to be asked: an answer that keeps the next question waiting counts for both. Then all questions
//! are asked at once, with 500 listeners, while tickets fall due. What `wrk` says of the same questions stands beside.

pub mod bare;
mod load;
mod streams;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, Utc};
use superops_sla::clock::{Clock, SystemClock};
use superops_sla::simulator::receivers::CaughtKind;
use superops_sla::store::audit::Author;
use superops_sla::store::tokens::{Role, Token};

use self::bare::Bare;
use self::load::{Question, Taken, cpu_seconds, wrk};
use self::streams::listen;
use super::figure::{Figure, millis};
use super::lateness;
use super::program::{Process, listening, status_mb};
use super::world::{Product, World, all_read, all_sent, without_budget};
use super::years::{add_past, connect};

const OPEN: usize = 10_000;
const PAST: usize = 90_000;
const STREAMS: usize = 500;
const STREAMS_MB: u64 = 60;
/// How long each question is asked.
const TAKEN: Duration = Duration::from_secs(15);
/// As many as the configuration allows one caller.
const SERVER: &str = "[server]\nrequests_per_second = 100000\n";
/// Each breach is told by mail and text at once, and nothing before.
const ALERTS: &str = "[alerts]\nwarn_at = []\n[alerts.pace]\nsingly = true\nnight = \"none\"\n[alerts.limits]\n\
                      sms_per_number = []\nsms_per_day = 0\nbundle_from = 1000000\n[[alerts.steps]]\nafter = \"0s\"\n\
                      notify = [\"technician\"]\nchannels = [\"email\", \"sms\"]\n";

/// One kind of question, how often it is asked a second, and within what time 99 of 100 are answered.
struct Asked {
    name: &'static str,
    paths: Vec<String>,
    /// Whether the asker shows what it has already.
    polls: bool,
    a_second: u32,
    limit: Duration,
}

/// The desk, and the program that serves it.
struct Desk {
    world: World,
    program: Process,
    address: SocketAddr,
    token: Token,
    asked: Vec<Asked>,
}

pub async fn measure() -> anyhow::Result<Vec<Figure>> {
    let folder = tempfile::tempdir()?;
    let desk = Desk::open(folder.path()).await?;
    let mut figures = Vec::new();
    for asked in &desk.asked {
        figures.extend(desk.alone(asked).await?);
    }
    figures.extend(desk.all_at_once().await?);
    Ok(figures)
}

impl Desk {
    /// Reads a desk, makes it old, and starts the program before it.
    async fn open(folder: &Path) -> anyhow::Result<Self> {
        let world = World::open(OPEN - lateness::DUE, 0, 0).await?;
        let path = world.receivers.write_config(folder, &world.endpoint(), "5s", "msp", ALERTS)?;
        let text = std::fs::read_to_string(&path)?;
        std::fs::write(&path, text.replace("[server]\n", SERVER))?;
        let token = Token::generate()?;
        read_all(&world, &path, &token).await?;
        let mut connection = connect(&folder.join("desk.db")).await?;
        add_past(&mut connection, "desk", PAST, SystemClock.now()).await?;
        drop(connection);
        let (program, address) = listening(path).await?;
        let asked = asked(&world);
        let desk = Self { world, program, address, token, asked };
        desk.question(&desk.asked[0], desk.address).warm_up().await?;
        Ok(desk)
    }

    fn question(&self, asked: &Asked, address: SocketAddr) -> Question {
        Question {
            address,
            paths: asked.paths.clone(),
            token: self.token.expose().to_owned(),
            polls: asked.polls,
            a_second: asked.a_second,
        }
    }

    /// One kind of question by itself, to the program and to a bare handler.
    async fn alone(&self, asked: &Asked) -> anyhow::Result<[Figure; 2]> {
        let ours = self.question(asked, self.address);
        let bare = Bare::start(&ours.one_answer().await?).await?;
        let theirs = self.question(asked, bare.address);
        let (ours_taken, ours_cpu) = with_cpu(&self.program, ours.ask_for(TAKEN)).await?;
        let (bare_taken, bare_cpu) = with_cpu(&bare.process, theirs.ask_for(TAKEN)).await?;
        let times = ours_taken.times_of(asked.polls);
        let (most, bare_most) = (times.at(99.0), bare_taken.times_of(asked.polls).at(99.0));
        let measured = format!(
            "p99 {} (p50 {}, worst {}), {:.0} µs of processor time; a bare handler p99 {}, {:.0} µs",
            millis(most),
            millis(times.at(50.0)),
            millis(times.at(100.0)),
            ours_cpu / ours_taken.count() as f64 * 1e6,
            millis(bare_most),
            bare_cpu / bare_taken.count() as f64 * 1e6,
        );
        let goal = format!("p99 under {}", millis(asked.limit));
        let what = format!("{}, {} a second", asked.name, asked.a_second);
        let by_wrk = match (wrk(&ours).await?, wrk(&theirs).await?) {
            (Some(ours), Some(bare)) => format!(
                "{:.0} a second, p99 {}; a bare handler {:.0}, p99 {}: 1 to {:.0}",
                ours.a_second,
                ours.p99,
                bare.a_second,
                bare.p99,
                bare.a_second / ours.a_second
            ),
            _ => "wrk is not installed".to_owned(),
        };
        Ok([
            Figure::new(what, measured, goal, most < asked.limit),
            Figure::plain(format!("{}, as fast as four connections ask, by wrk", asked.name), by_wrk),
        ])
    }

    /// Many listen, all ask, and tickets fall due meanwhile.
    async fn all_at_once(&self) -> anyhow::Result<Vec<Figure>> {
        let before = status_mb(&self.program, "VmRSS:")?;
        let listeners = listen(self.address, self.token.expose(), STREAMS).await?;
        tokio::time::sleep(Duration::from_secs(20)).await;
        let more = status_mb(&self.program, "VmRSS:")?.saturating_sub(before);
        let told = listeners.told();
        let met = more < STREAMS_MB && told == STREAMS;
        let measured = format!("{more} MB more than {before} MB, {told} of {STREAMS} hear of changes");
        let mut figures =
            vec![Figure::new(format!("{STREAMS} event streams"), measured, format!("under {STREAMS_MB} MB"), met)];

        let dues = lateness::add_due(&self.world);
        let lasts = lateness::LASTS;
        let questions = self.asked.iter().map(|asked| self.question(asked, self.address));
        let asking: Vec<_> =
            questions.map(|question| tokio::spawn(async move { question.ask_for(lasts).await })).collect();
        for (asked, asking) in self.asked.iter().zip(asking) {
            figures.push(under_load(asked, &asking.await??));
        }
        figures.extend(self.lateness(&dues).await);
        Ok(figures)
    }

    async fn lateness(&self, dues: &HashMap<String, DateTime<Utc>>) -> [Figure; 2] {
        // The last ones may be on the way.
        tokio::time::sleep(Duration::from_secs(5)).await;
        let late = |kind| lateness::lateness(&self.world, dues, kind);
        [(CaughtKind::Email, "mail server, during that load"), (CaughtKind::Sms, "SMS gateway, during that load")]
            .map(|(kind, name)| lateness::figure(name, late(kind)))
    }
}

/// What is asked: the status of three open tickets to one that is closed, the first page of the list, the overview, and the
/// list again by somebody who has it.
fn asked(world: &World) -> Vec<Asked> {
    let open: Vec<_> = world.superops.tickets().into_iter().map(|ticket| ticket.display_id).collect();
    let mut shuffled = fastrand::Rng::with_seed(14);
    let status = (0..8_000).map(|nth| match nth % 4 {
        3 => format!("/api/v1/tickets/desk-past-{}/sla", shuffled.usize(1..=PAST)),
        _ => format!("/api/v1/tickets/{}/sla", open[shuffled.usize(..open.len())]),
    });
    let asked = |name, paths, polls, a_second, limit_ms| Asked {
        name,
        paths,
        polls,
        a_second,
        limit: Duration::from_millis(limit_ms),
    };
    let list = || vec!["/api/v1/tickets".to_owned()];
    vec![
        asked("status of a ticket", status.collect(), false, 1_000, 5),
        asked("the list, 100 tickets", list(), false, 50, 10),
        asked("the overview", vec!["/api/v1/overview".to_owned()], false, 100, 5),
        asked("the list, unchanged (304)", list(), true, 200, 1),
    ]
}

/// The product reads all, tells what is to be told, and stops.
async fn read_all(world: &World, config: &Path, token: &Token) -> anyhow::Result<()> {
    let mut config = superops_sla::config::Config::load(config, &superops_sla::config::ProcessEnvironment)?;
    without_budget(&mut config);
    let parts = superops_sla::app::Parts::build(config, std::sync::Arc::new(SystemClock)).await?;
    let author = Author { who: "bench".to_owned(), origin: "bench".to_owned() };
    parts.store.add_token(token, Role::Viewer, None, author, SystemClock.now()).await?;
    let product = Product::start(parts).await?;
    all_read(&product.store).await?;
    all_sent(&product.store).await?;
    product.running.stop().await;
    anyhow::ensure!(!world.receivers.caught.newest_first(1).is_empty(), "nobody was told of anything");
    Ok(())
}

fn under_load(asked: &Asked, taken: &Taken) -> Figure {
    let times = taken.times_of(asked.polls);
    let what = format!("{}, {} a second, while all is asked and {STREAMS} listen", asked.name, asked.a_second);
    let measured = format!(
        "p99 {} (p50 {}, worst {}){}",
        millis(times.at(99.0)),
        millis(times.at(50.0)),
        millis(times.at(100.0)),
        if asked.polls { format!(", {} of {} unchanged", times.count(), taken.count()) } else { String::new() }
    );
    Figure::plain(what, measured)
}

/// Seconds of processor time that `process` takes meanwhile.
async fn with_cpu<T>(process: &Process, work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<(T, f64)> {
    let before = cpu_seconds(process)?;
    let done = work.await?;
    Ok((done, cpu_seconds(process)? - before))
}
