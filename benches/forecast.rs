//! What the breach forecast costs, against its goals: `cargo bench --bench forecast`.
//!
//! A made-up desk of 30 groups takes in 30,000 tickets over half a year; then
//! 100,000 are open. On one core: the whole replay, as after a start, the slowest moment of it
//! (which is a fit), scoring all that is open, and the memory a tenant takes.

use std::collections::BTreeSet;
use std::hint::black_box;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use superops_sla::sla::calendar::{Calendar, CalendarSpec};
use superops_sla::sla::forecast::{Attribute, Change, Forecaster, Terms};

const HISTORY: usize = 30_000;
const OPEN: usize = 100_000;
/// A desk that takes in 30,000 tickets in half a year has some 2,000 open.
const USUALLY_OPEN: usize = 2_000;
const ROUNDS: usize = 7;

fn main() {
    fastrand::seed(11);
    let terms = terms();
    let now = at(HISTORY);
    let mut learned = None;
    let started = on_processor();
    let held = allocation_counter::measure(|| {
        let (mut forecaster, slowest) = replay(&terms);
        (0..USUALLY_OPEN).for_each(|n| open(&mut forecaster, &terms, HISTORY + n, now));
        learned = Some((forecaster, slowest));
    });
    let Some((mut forecaster, slowest)) = learned else { return };
    println!("replay of {HISTORY} tickets          {:>8.1} s", (on_processor() - started).as_secs_f64());
    println!("slowest moment of it, a fit         {:>8.2} s    goal 1 s", slowest.as_secs_f64());
    println!("memory of the tenant, {USUALLY_OPEN} open     {:>8.1} MB   goal 20 MB", held.bytes_current as f64 / 1e6);
    (USUALLY_OPEN..OPEN).for_each(|n| open(&mut forecaster, &terms, HISTORY + n, now));
    let asked = now + TimeDelta::hours(1);
    let quickest = (0..ROUNDS).map(|_| score(&forecaster, asked)).min().unwrap_or_default();
    println!("scores of {OPEN} open tickets      {:>8} ms   goal 200 ms", quickest.as_millis());
}

/// What this thread has had of a processor so far, where Linux tells it: on a busy machine the wall's clock says little.
fn on_processor() -> Duration {
    static BEGUN: LazyLock<Instant> = LazyLock::new(Instant::now);
    let spent = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let spent = spent.and_then(|text| text.split_whitespace().next()?.parse().ok());
    spent.map_or_else(|| BEGUN.elapsed(), Duration::from_nanos)
}

fn terms() -> Terms {
    let day = vec![(480, 1080)];
    let week = [day.clone(), day.clone(), day.clone(), day.clone(), day, vec![], vec![]];
    let spec = CalendarSpec { always: false, week, ..CalendarSpec::round_the_clock() };
    let calendar = Calendar::compile(spec).expect("the office hours are in order");
    Terms { allowed: TimeDelta::hours(30), calendar: Arc::new(calendar) }
}

/// When a ticket of the history is opened: every nine minutes one.
fn at(number: usize) -> DateTime<Utc> {
    let start = DateTime::from_timestamp(1_700_000_000, 0).expect("a moment of 2023");
    start + TimeDelta::minutes(9 * i64::try_from(number).expect("a ticket's number is small"))
}

/// Tells a forecaster of all tickets, and gives it with the time of the slowest step.
fn replay(terms: &Terms) -> (Forecaster, Duration) {
    let mut forecaster = Forecaster::new(at(0));
    forecaster.catches_up(at(HISTORY));
    let mut slowest = Duration::ZERO;
    let mut ends: BTreeSet<(DateTime<Utc>, usize)> = BTreeSet::new();
    for number in 0..HISTORY {
        let now = at(number);
        while let Some((end, done)) = ends.pop_first() {
            if end > now {
                ends.insert((end, done));
                break;
            }
            forecaster.stopped(&id(done), end);
        }
        let started = on_processor();
        forecaster.advance(now);
        slowest = slowest.max(on_processor() - started);
        open(&mut forecaster, terms, number, now);
        let pace = 20.0 + 6.0 * (number % 30) as f64;
        ends.insert((now + TimeDelta::minutes((60.0 * pace * fastrand::f64()) as i64), number));
    }
    (forecaster, slowest)
}

fn id(number: usize) -> String {
    format!("INC{number}")
}

fn open(forecaster: &mut Forecaster, terms: &Terms, number: usize, now: DateTime<Utc>) {
    let named = |what: &str, of: usize| Some(format!("{what} {of}"));
    let (group, technician) = (named("group", number % 30), named("technician", number % 150));
    let (category, client) = (named("category", fastrand::usize(..50)), named("client", fastrand::usize(..400)));
    forecaster.opened(&id(number), terms.clone(), Some("P3"), now);
    let changes = [
        Change::Became(Attribute::Group, group.as_deref()),
        Change::Became(Attribute::Technician, technician.as_deref()),
        Change::Became(Attribute::Category, category.as_deref()),
        Change::Became(Attribute::Client, client.as_deref()),
        Change::Became(Attribute::State, Some("Open")),
    ];
    forecaster.changed(&id(number), &changes, now);
}

fn score(forecaster: &Forecaster, now: DateTime<Utc>) -> Duration {
    let started = on_processor();
    black_box(forecaster.probabilities(now).map(|(_, probability)| probability).sum::<f64>());
    on_processor() - started
}
