//! Very many tickets breach at one instant.

use std::collections::HashMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use superops_sla::clock::{Clock as _, SystemClock};

use crate::Run;
use crate::figure::{Figure, percentile};
use crate::stage::{By, COMES_TO_REST, Stage, until};

const MEMORY_MB: u64 = 150;

/// Fault 17.
pub async fn at_one_instant(run: Run) -> anyhow::Result<Vec<Figure>> {
    let tickets: usize = run.pick(1_000, 10_000);
    let ahead = TimeDelta::seconds(run.pick(12, 60));
    // With a warning just before, the caps would hold the texts about the breach for a minute, as they should.
    let stage = Stage::with(&format!("[alerts]\nwarn_at = []\n{}", By::Both.step())).await?;
    let due = SystemClock.now() + ahead;
    for nth in 0..tickets {
        stage.ticket(nth, due - SystemClock.now());
    }
    let wait = (due - SystemClock.now()).to_std()?;
    let wanted = i64::try_from(tickets)?;
    let read = async || Ok(stage.count("SELECT COUNT(*) FROM tickets").await? >= wanted);
    until("all tickets are read", wait, read).await?;
    tokio::time::sleep((due - SystemClock.now()).to_std().unwrap_or(Duration::ZERO)).await;
    let recorded = "SELECT COUNT(*) FROM alerts WHERE stage = 'breached'";
    until("all are durable", COMES_TO_REST, async || Ok(stage.count(recorded).await? >= wanted)).await?;
    let durable = seconds_since(due);
    stage.all_said(tickets).await?;
    let handed_over = seconds_since(due);
    let late = first_messages(&stage, due);
    let (p99, peak) = (percentile(&late, 0.99), stage.service().peak_mb()?);
    Ok(vec![Figure::timed(
        format!(
            "{tickets} at once: durable after {durable:.2} s, first messages p99 {p99} ms, all handed over after {handed_over:.1} s \
             in {} messages, {peak} MB at most",
            late.len()
        ),
        format!("1 s, 2 s, 10 s, {MEMORY_MB} MB"),
        peak < MEMORY_MB,
        durable < 1.0 && p99 < 2_000 && handed_over < 10.0,
    )])
}

fn seconds_since(instant: DateTime<Utc>) -> f64 {
    (SystemClock.now() - instant).num_milliseconds() as f64 / 1000.0
}

/// How late, in milliseconds, each person first heard of it on each channel.
fn first_messages(stage: &Stage, due: DateTime<Utc>) -> Vec<i64> {
    let mut first = HashMap::new();
    for caught in stage.caught.newest_first(usize::MAX).iter().filter(|caught| caught.at >= due) {
        // From the newest to the oldest: the last one put in is the first that came.
        first.insert((caught.kind, caught.to.clone()), (caught.at - due).num_milliseconds());
    }
    let mut late: Vec<i64> = first.into_values().collect();
    late.sort_unstable();
    late
}
