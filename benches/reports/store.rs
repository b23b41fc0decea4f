//! Questions about the books of many tickets, asked of the service as pages and programs ask them.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{Days, NaiveTime, TimeDelta};
use superops_sla::app::Parts;
use superops_sla::clock::ManualClock;
use superops_sla::config::{Config, ProcessEnvironment};
use superops_sla::formats::Format;
use superops_sla::service::reports::{ComplianceQuery, ReportQuery, TechnicianQuery};
use superops_sla::ticket::Reach;

use super::books::{LAST, fill};
use super::figure::{Figure, median, millis};
use super::memory;
use super::world::World;

const TICKETS: usize = 100_000;
const YEAR: usize = 365;
/// Questions of which the last percentile is told.
const ROUNDS: u64 = 100;
/// And of those that take longer, of which the middle is told.
const FEW: u64 = 9;
const DAYS_COLD: Duration = Duration::from_millis(10);
const DAYS_CACHED: Duration = Duration::from_millis(1);
const TECHNICIANS_COLD: Duration = Duration::from_millis(80);
const YEARLY: Duration = Duration::from_secs(2);
/// Megabytes beyond those of the program that answers.
const YEARLY_MEMORY: u64 = 200;

/// The product with the books of `tickets` tickets of the last `days` days, with nothing left to be done for them.
async fn product(folder: &Path, tickets: usize, days: usize) -> anyhow::Result<Parts> {
    let world = World::open(0, 0, 0).await?;
    let path = world.receivers.write_config(folder, &world.endpoint(), "1m", "site", "")?;
    fill(&folder.join("desk.db"), tickets, days).await?;
    let now = (LAST + Days::new(1)).and_time(NaiveTime::MIN).and_utc() + TimeDelta::hours(9);
    let clock = Arc::new(ManualClock::at(now));
    let parts = Parts::build(Config::load(&path, &ProcessEnvironment)?, clock).await?;
    // What the bookkeeper does in the background once nothing waits.
    while parts.bookkeeping.turn(now).await?.packed > 0 {}
    Ok(parts)
}

/// The p-th of a hundred.
fn percentile(times: &mut [Duration], share: usize) -> Duration {
    times.sort();
    times.get((times.len() * share).div_ceil(100).saturating_sub(1)).copied().unwrap_or_default()
}

/// A period of `length` days that ends so many days before the last.
fn period(back: u64, length: u64) -> [Option<String>; 2] {
    let to = LAST - Days::new(back);
    [to - Days::new(length - 1), to].map(|day| Some(day.to_string()))
}

pub async fn questions() -> anyhow::Result<Vec<Figure>> {
    let folder = tempfile::tempdir()?;
    let parts = product(folder.path(), TICKETS, YEAR).await?;
    let bytes = std::fs::metadata(folder.path().join("desk.db"))?.len();
    let mut figures = vec![Figure::plain(format!("the books of {TICKETS} tickets"), format!("{} MB", bytes >> 20))];
    let (mut cold, mut cached) = (Vec::new(), Vec::new());
    for back in 0..ROUNDS {
        let [from_date, to_date] = period(back, 90);
        let query = ComplianceQuery { from_date, to_date, ..ComplianceQuery::default() };
        for times in [&mut cold, &mut cached] {
            let begun = Instant::now();
            parts.service.compliance(&Reach::All, &query).await?;
            times.push(begun.elapsed());
        }
    }
    for (what, mut times, goal) in [("cold", cold, DAYS_COLD), ("cached", cached, DAYS_CACHED)] {
        let (p50, p99) = (percentile(&mut times, 50), percentile(&mut times, 99));
        let measured = format!("p99 {} (p50 {})", millis(p99), millis(p50));
        let words = format!("p99 under {}", millis(goal));
        figures.push(Figure::new(format!("90 days of daily compliance, {what}"), measured, words, p99 < goal));
    }
    let took = technicians(&parts).await?;
    let words = format!("under {}", millis(TECHNICIANS_COLD));
    figures.push(Figure::new("a year by technician, cold", millis(took), words, took < TECHNICIANS_COLD));
    for by in ["day", "client", "technician"] {
        let took = report(&parts, by, FEW / 3).await?;
        figures.push(Figure::plain(format!("a report on the year by {by}, as JSON"), millis(took)));
    }
    Ok(figures)
}

/// The middle of some years by technician, none of which was asked for before.
async fn technicians(parts: &Parts) -> anyhow::Result<Duration> {
    let mut times = Vec::new();
    for back in 0..FEW {
        let [from, to] = period(back, YEAR as u64);
        let query = TechnicianQuery { from, to, ..TechnicianQuery::default() };
        let begun = Instant::now();
        let page = parts.service.technicians(&Reach::All, &query).await?;
        times.push(begun.elapsed());
        anyhow::ensure!(page.technicians.len() > 10, "there is nobody");
    }
    Ok(median(times))
}

async fn report(parts: &Parts, by: &str, rounds: u64) -> anyhow::Result<Duration> {
    let mut times = Vec::new();
    for back in 0..rounds {
        let [from, to] = period(back, YEAR as u64);
        let query = ReportQuery { from, to, by: Some(by.to_owned()), ..ReportQuery::default() };
        let begun = Instant::now();
        parts.service.report_file(&Reach::All, &query, Format::Json, "bench").await?;
        times.push(begun.elapsed());
    }
    Ok(median(times))
}

/// A report on a year of twice as many tickets, asked for as a spreadsheet.
pub async fn yearly() -> anyhow::Result<Vec<Figure>> {
    let folder = tempfile::tempdir()?;
    let parts = product(folder.path(), TICKETS * 2, YEAR).await?;
    let [from, to] = period(0, YEAR as u64);
    let query = ReportQuery { from, to, by: Some("client".to_owned()), ..ReportQuery::default() };
    memory::forget_peak();
    let (before, begun) = (memory::now(), Instant::now());
    let file = parts.service.report_file(&Reach::All, &query, Format::Xlsx, "bench").await?;
    let (took, peak) = (begun.elapsed(), memory::peak().saturating_sub(before));
    let measured = format!("{}, {} kB, {peak} MB of memory", millis(took), file.bytes.len() >> 10);
    let words = format!("under {} and {YEARLY_MEMORY} MB", millis(YEARLY));
    let met = took < YEARLY && peak < YEARLY_MEMORY;
    Ok(vec![Figure::new("a yearly report of 200000 tickets as XLSX, read, made and written", measured, words, met)])
}

/// The same questions of half, all and twice the tickets.
pub async fn growth() -> anyhow::Result<Vec<Figure>> {
    let mut rows: BTreeMap<&str, Vec<Duration>> = BTreeMap::new();
    for tickets in [TICKETS / 2, TICKETS, TICKETS * 2] {
        let folder = tempfile::tempdir()?;
        let parts = product(folder.path(), tickets, YEAR).await?;
        rows.entry("a year by technician").or_default().push(technicians(&parts).await?);
        rows.entry("a report on the year").or_default().push(report(&parts, "day", 3).await?);
    }
    let figure = |(what, times): (&str, Vec<Duration>)| {
        let measured: Vec<_> = times.iter().map(|time| millis(*time)).collect();
        let ratio =
            times.last().zip(times.first()).map_or(0.0, |(last, first)| last.as_secs_f64() / first.as_secs_f64());
        let what = format!("{what}, of 50, 100 and 200 thousand tickets");
        let measured = format!("{}: {ratio:.1} times", measured.join(", "));
        Figure::new(what, measured, "no more than 5 times for 4 times the tickets", ratio <= 5.0)
    };
    Ok(rows.into_iter().map(figure).collect())
}
