//! Runs the demo's desk, or a history, as fast as the machine can: the loops are turned by hand and the clock is moved.
//!
//! The product, SuperOps' look-alike and the receivers are those of the demo, so what is counted went through the real
//! sending code. Nothing waits for the wall clock: a day takes a minute or two, and is the same each time.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use chrono::{DateTime, Days, NaiveTime, TimeDelta, Utc};
use tokio::net::TcpListener;

use super::{CAUGHT_ROOM, DESK, DESK_ALERTS, DemoArgs, Figures, REPLAY, SMS_TOKEN, World, desk_options, policies};
use crate::app::Parts;
use crate::clock::{Clock, ManualClock, SystemClock};
use crate::config::Config;
use crate::history;
use crate::simulator::receivers::Caller;
use crate::simulator::responders::Responders;
use crate::simulator::{Replay, SimOptions, Simulator, lively_end};
use crate::store::tokens::Role;
use crate::web::{self, HttpServer};

/// How often the loops are turned at least. SuperOps is asked as often.
const EVERY: TimeDelta = TimeDelta::minutes(1);
/// After how many turns the forecast is renewed, and people look at their phones.
const NOW_AND_THEN: u32 = 5;
/// The most rounds of evaluation and dispatch at one moment.
const MOST_ROUNDS: usize = 20;
/// More calls a minute than are ever made, since minutes are counted by the wall clock.
const NO_BUDGET: u32 = 10_000_000;
/// The most caught messages: room for all that are sent.
const ROOM: usize = 50 * CAUGHT_ROOM;

/// Which desk is played, and with which alerts.
#[derive(Clone, Debug, PartialEq)]
pub enum Desk {
    /// The made-up desk, with the alerts that the demo has.
    Demo,
    /// The made-up desk, with the default alerts.
    Usual,
    /// A recorded history, with the default alerts.
    Replay(PathBuf),
}

/// What to play.
#[derive(Clone, Debug, PartialEq)]
pub struct DemoRun {
    pub desk: Desk,
    pub tickets: usize,
    pub seed: u64,
    /// How long, by the desk's clock.
    pub lasts: TimeDelta,
    /// Whether some of the alerts are answered, as in the demo.
    pub answered: bool,
}

impl DemoRun {
    pub(in crate::cli) fn of(args: &DemoArgs, lasts: Duration) -> anyhow::Result<Self> {
        let desk = args.replay.clone().map_or(Desk::Demo, Desk::Replay);
        let lasts = TimeDelta::from_std(lasts).context("that is too long")?;
        Ok(Self { desk, tickets: args.tickets, seed: SimOptions::default().seed, lasts, answered: true })
    }
}

/// Plays the desk, and returns what happened.
pub async fn play(play: &DemoRun) -> anyhow::Result<Figures> {
    let (figures, parts, _world) = played(play, |_| ()).await?;
    parts.store.close().await;
    Ok(figures)
}

/// Does the same, with the configuration changed by `adapt`. Leaves the store open, in the world's folder.
async fn played(play: &DemoRun, adapt: impl FnOnce(&mut Config)) -> anyhow::Result<(Figures, Parts, World)> {
    let options = SimOptions { tickets: play.tickets, seed: play.seed, ..desk_options() };
    let (clock, look_alike) = open(play, &options)?;
    let begins = clock.now();
    let world = World::round(look_alike, options, Arc::new(clock.clone()), ROOM).await?;
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let listen = listener.local_addr()?;
    let mut config = world.config(listen, &settings(&play.desk))?;
    config.tenants.values_mut().for_each(|tenant| tenant.requests_per_minute = NO_BUDGET);
    adapt(&mut config);
    let mut parts = Parts::build(config, Arc::new(clock.clone())).await?;
    let options = web::Options { anonymous: Some(Role::Admin), ..parts.web_options() };
    let server = HttpServer::sized_beside(1, Arc::default());
    let served = tokio::spawn(server.serve(listener, web::router(parts.web(options)), std::future::pending()));
    let url = format!("http://{listen}");
    world.sms.calls(Caller { auth_token: SMS_TOKEN.to_owned().into(), public_url: url.clone(), reach: url });
    let mut responders = Responders::new(&world.caught, &world.sms);
    let ends = begins + play.lasts;
    let mut turns = 0;
    while clock.now() < ends {
        let now_and_then = turns % NOW_AND_THEN == 0;
        let next = turn(&mut parts, &clock, now_and_then).await?;
        if play.answered && now_and_then {
            responders.turn().await;
        }
        clock.set(next.min(ends));
        turns += 1;
    }
    let zone = super::zone_of(&parts);
    let figures = Figures::take(&parts.service, &parts.store, &world, zone, begins).await;
    served.abort();
    Ok((figures?, parts, world))
}

/// Turns all loops at one moment. Returns when to turn them next.
async fn turn(parts: &mut Parts, clock: &ManualClock, foresee: bool) -> anyhow::Result<DateTime<Utc>> {
    let now = clock.now();
    for sync in &mut parts.syncs {
        sync.turn(now).await?;
    }
    if foresee {
        for predict in &mut parts.predicts {
            predict.turn(now).await?;
        }
    }
    let mut next = now + EVERY;
    for _ in 0..MOST_ROUNDS {
        let turn = parts.evaluate.turn(now).await?;
        parts.dispatch.turn(now).await?;
        if turn.notifications == 0 && turn.next.is_none_or(|next| next > now) {
            next = turn.next.into_iter().chain([next]).min().unwrap_or(next);
            break;
        }
    }
    parts.receipts.turn(now).await?;
    for write_back in &mut parts.write_backs {
        write_back.turn().await?;
    }
    parts.self_monitoring.turn(now).await?;
    // Text messages are paced: those that may go before the next turn are sent at their time.
    let (mut at, mut free) = (now, parts.dispatch.turn(now).await?);
    while free > at && free < next {
        at = free;
        clock.set(at);
        free = parts.dispatch.turn(at).await?;
    }
    Ok(next)
}

/// Opens the desk, with a clock that stands at its beginning.
fn open(play: &DemoRun, options: &SimOptions) -> anyhow::Result<(ManualClock, Arc<Simulator>)> {
    let Desk::Replay(path) = &play.desk else {
        let clock = ManualClock::at(super::working_morning(SystemClock.now()));
        return Ok((clock.clone(), Simulator::new(options.clone(), Arc::new(clock))));
    };
    let records = history::read(path).collect::<Result<Vec<_>, _>>()?;
    let end = records.iter().map(|record| record.opened_at).max().context("the history is empty")?;
    // A history keeps its own dates, so that its weekdays match the calendar.
    let lively = end - (lively_end(&records, end) - end);
    let seven = NaiveTime::from_hms_opt(7, 0, 0).unwrap_or_default();
    let morning = lively.date_naive().and_time(seven).and_utc();
    let begins = if morning > lively { morning - Days::new(1) } else { morning };
    let clock = ManualClock::at(begins);
    Ok((clock.clone(), Simulator::replaying(Replay::new(records, end), options.clone(), Arc::new(clock))))
}

fn settings(desk: &Desk) -> String {
    match desk {
        Desk::Demo => format!("{DESK}{DESK_ALERTS}{}", policies()),
        Desk::Usual => format!("{DESK}{}", policies()),
        Desk::Replay(_) => format!("calendar = \"office\"{REPLAY}{OFFICE}"),
    }
}

/// The promises for histories, and the hours in which they count.
const OFFICE: &str = r#"
[calendars.office]
timezone = "UTC"
mon = ["08:00-18:00"]
tue = ["08:00-18:00"]
wed = ["08:00-18:00"]
thu = ["08:00-18:00"]
fri = ["08:00-18:00"]
[[policies]]
priority = "P1"
resolution = "4h"
clock = "calendar"
[[policies]]
priority = "P2"
resolution = "8h"
clock = "calendar"
[[policies]]
priority = "P4"
resolution = "50h"
[[policies]]
resolution = "30h"
"#;

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::keys::ring::KeyRing;
    use crate::store::Store;
    use crate::store::sealed::TABLES;
    use crate::ticket::Directory;

    /// Returns where any of `words` can be seen in the encrypted columns, or anywhere in the bytes of the files.
    async fn shown(folder: &Path, words: &[String], addresses: &[String]) -> Vec<String> {
        let mut found = Vec::new();
        let pool = sqlx::SqlitePool::connect(&format!("sqlite://{}", folder.join("demo.db").display())).await.unwrap();
        for table in TABLES {
            for column in table.columns {
                let texts = format!("SELECT CAST({0} AS TEXT) FROM {1} WHERE {0} IS NOT NULL", column.name, table.name);
                let texts: Vec<String> = sqlx::query_scalar(sqlx::AssertSqlSafe(texts)).fetch_all(&pool).await.unwrap();
                let names = |word: &&String| texts.iter().any(|text| text.contains(word.as_str()));
                let named: Vec<_> = words.iter().chain(addresses).filter(names).collect();
                found.extend((!named.is_empty()).then(|| format!("{}.{}: {named:?}", table.name, column.name)));
            }
        }
        pool.close().await;
        for file in std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()) {
            let name = file.file_name().unwrap().to_string_lossy().into_owned();
            if name.starts_with("demo.db") {
                let bytes = std::fs::read(&file).unwrap();
                let is_there = |word: &&String| holds(&bytes, word.as_bytes());
                found.extend(addresses.iter().filter(is_there).map(|word| format!("{name}: {word}")));
            }
        }
        found
    }

    fn holds(bytes: &[u8], word: &[u8]) -> bool {
        bytes.windows(word.len()).any(|part| part == word)
    }

    fn of(directory: &Directory) -> (Vec<String>, Vec<String>) {
        let people = || directory.technicians.values();
        let addresses = people().flat_map(|one| [one.email.clone(), one.phone.clone()]).flatten().collect();
        (people().map(|one| one.name.clone()).collect(), addresses)
    }

    /// The whole product at work on an encrypted store: two hours of the demo, with its alerts, mails, texts and answers.
    #[tokio::test(flavor = "multi_thread")]
    async fn an_encrypted_store_of_the_demo_names_nobody_in_its_encrypted_columns() {
        if std::env::var("SUPEROPS_SLA_TEST_POSTGRES").is_ok() {
            // It searches the bytes of a file.
            return;
        }
        let play = DemoRun {
            desk: Desk::Demo,
            tickets: 60,
            seed: SimOptions::default().seed,
            lasts: TimeDelta::minutes(90),
            answered: true,
        };
        let keys = Arc::new(KeyRing::parse(&"07".repeat(32)).unwrap());
        let sealed = keys.clone();
        let (figures, parts, world) = played(&play, |config| config.store.keys = sealed).await.unwrap();
        let tenant = parts.config.tenants.keys().next().unwrap().clone();
        let (names, addresses) = of(&parts.store.directory(&tenant).await.unwrap());
        assert!(names.len() > 5 && addresses.len() > 5, "{names:?} {addresses:?}");
        let nothing: [&str; 0] = [];
        assert_eq!(shown(world.folder.path(), &names, &addresses).await, nothing, "with the log beside the file");
        parts.store.close().await;
        assert_eq!(shown(world.folder.path(), &names, &addresses).await, nothing);
        let place = crate::store::Place::File(world.folder.path().join("demo.db"));
        let standing = Store::standing(&place, &keys, |_, _| ()).await.unwrap();
        for (column, standing) in &standing {
            assert!(standing.plain == 0 && standing.broken.is_empty(), "{column}: {standing:?}");
        }
        for column in ["tickets.ticket", "notifications.message", "address", "directories.directory", "people.name"] {
            assert!(standing[column].all() > 0, "{column}");
        }
        let figures = serde_json::to_value(figures).unwrap();
        assert!(figures["alerts"].as_array().is_some_and(|alerts| !alerts.is_empty()), "{figures}");
    }
}
