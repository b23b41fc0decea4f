//! Two and three replicas of the program on one PostgreSQL database: the leader dies, stands still, is stopped, or has a
//! wrong clock; the database goes away, takes no writes, or loses its connections. Breaches go on meanwhile.

use std::time::Duration;

use chrono::TimeDelta;
use superops_sla::simulator::receivers::{MailReply, SmsReply};
use tokio::time::sleep;

use crate::Run;
use crate::cluster::{Cluster, Due, IN_FLIGHT};
use crate::figure::Figure;

/// Breaches during each fault.
const BREACHES: i32 = 1_000;
/// After the death of a leader another leads within this time.
const AFTER_DEATH: Duration = Duration::from_secs(15);
/// After a clean stop.
const AFTER_STOP: Duration = Duration::from_secs(2);
/// The first breach of a storm is so far ahead: all its tickets are read by then.
const AHEAD: TimeDelta = TimeDelta::seconds(15);

fn unnamed() -> Vec<Figure> {
    vec![Figure::skipped("NOT PLAYED: SUPEROPS_SLA_TEST_POSTGRES names no server")]
}

fn seconds(times: &[Duration]) -> String {
    let mut sorted: Vec<f64> = times.iter().map(Duration::as_secs_f64).collect();
    sorted.sort_by(f64::total_cmp);
    let (middle, last) = (sorted.get(sorted.len() / 2), sorted.last());
    format!("{:.1} s at the median, {:.1} s at most", middle.unwrap_or(&0.0), last.unwrap_or(&0.0))
}

/// What a storm came to, and how soon others took over each time.
async fn figure(
    cluster: &Cluster,
    due: &[Due],
    what: &str,
    times: &[Duration],
    bound: Duration,
) -> anyhow::Result<Figure> {
    cluster.all_said(due).await?;
    let harm = cluster.harm(due).await?;
    let faults = times.len().max(1);
    let taken = if times.is_empty() { String::new() } else { format!("taken over after {}; ", seconds(times)) };
    Ok(Figure::timed(
        format!("{what}; {taken}{}", harm.words()),
        format!("{} s; 0, 0, 0, {}", bound.as_secs(), faults * IN_FLIGHT),
        harm.is_none(faults),
        times.iter().all(|time| *time <= bound),
    ))
}

/// Fault 20.
pub async fn leader_killed(run: Run) -> anyhow::Result<Vec<Figure>> {
    let Some(mut cluster) = Cluster::start(3).await? else { return Ok(unnamed()) };
    let kills = run.pick(3, 50);
    let mut random = fastrand::Rng::with_seed(run.seed);
    // About what a kill takes, with the wait before it.
    let due = cluster.storm(BREACHES, AHEAD, TimeDelta::seconds(i64::from(kills) * 13));
    sleep(AHEAD.to_std()?).await;
    let mut times = Vec::new();
    for _ in 0..kills {
        let leader = cluster.leader().await?;
        sleep(Duration::from_millis(random.u64(100..3_000))).await;
        cluster.kill(leader)?;
        times.push(cluster.taken_over().await?);
        cluster.start_replica(leader).await?;
    }
    Ok(vec![figure(&cluster, &due, &format!("3 replicas, {kills} kills"), &times, AFTER_DEATH).await?])
}

/// Fault 21.
pub async fn leader_stands_still(run: Run) -> anyhow::Result<Vec<Figure>> {
    let Some(mut cluster) = Cluster::start(2).await? else { return Ok(unnamed()) };
    let still: u64 = run.pick(18, 60);
    let due = cluster.storm(BREACHES, AHEAD, TimeDelta::try_seconds(i64::try_from(still)? + 10).unwrap_or(AHEAD));
    sleep(AHEAD.to_std()? + Duration::from_secs(2)).await;
    let leader = cluster.leader().await?;
    cluster.signal(leader, "STOP")?;
    let taken = cluster.taken_over().await?;
    sleep(Duration::from_secs(still).saturating_sub(taken)).await;
    cluster.signal(leader, "CONT")?;
    cluster.follows(leader).await?;
    Ok(vec![figure(&cluster, &due, &format!("2 replicas, stopped for {still} s"), &[taken], AFTER_DEATH).await?])
}

/// Fault 22: a rolling restart.
pub async fn leader_stopped(run: Run) -> anyhow::Result<Vec<Figure>> {
    let Some(mut cluster) = Cluster::start(2).await? else { return Ok(unnamed()) };
    let stops = run.pick(4, 20);
    let due = cluster.storm(BREACHES, AHEAD, TimeDelta::seconds(i64::from(stops) * 5));
    sleep(AHEAD.to_std()?).await;
    let mut times = Vec::new();
    for _ in 0..stops {
        let leader = cluster.leader().await?;
        sleep(Duration::from_secs(2)).await;
        times.push(cluster.stop(leader).await?);
        cluster.start_replica(leader).await?;
    }
    Ok(vec![figure(&cluster, &due, &format!("2 replicas, {stops} stops"), &times, AFTER_STOP).await?])
}

/// Fault 23. The whole server goes away, so nothing else is done meanwhile.
pub async fn database_restarted(run: Run) -> anyhow::Result<Vec<Figure>> {
    let Some(cluster) = Cluster::start(2).await? else { return Ok(unnamed()) };
    let restarts = run.pick(2, 10);
    let due = cluster.storm(BREACHES, AHEAD, TimeDelta::seconds(i64::from(restarts) * 10));
    sleep(AHEAD.to_std()?).await;
    let mut away = Vec::new();
    for _ in 0..restarts {
        sleep(Duration::from_secs(2)).await;
        away.push(cluster.restart_server().await?);
        sleep(Duration::from_secs(6)).await;
    }
    let what = format!("{restarts} restarts, the server back after {}", seconds(&away));
    cluster.all_said(&due).await?;
    let harm = cluster.harm(&due).await?;
    let bound = format!("0, 0, 0, {}", away.len() * IN_FLIGHT);
    Ok(vec![Figure::new(format!("{what}; {}", harm.words()), bound, harm.is_none(away.len()))])
}

/// Fault 24.
pub async fn connections_cut(run: Run) -> anyhow::Result<Vec<Figure>> {
    let Some(cluster) = Cluster::start(2).await? else { return Ok(unnamed()) };
    let cuts = run.pick(100, 600);
    let mut random = fastrand::Rng::with_seed(run.seed);
    let due = cluster.storm(BREACHES, AHEAD, TimeDelta::milliseconds(i64::from(cuts) * 150));
    sleep(AHEAD.to_std()?).await;
    let mut cut = 0;
    for _ in 0..cuts {
        sleep(Duration::from_millis(150)).await;
        cut += usize::from(cluster.cut_one(&mut random).await?);
    }
    cluster.all_said(&due).await?;
    let harm = cluster.harm(&due).await?;
    let measured = format!("2 replicas, {cut} connections cut one by one; {}", harm.words());
    Ok(vec![Figure::new(measured, format!("0, 0, 0, {IN_FLIGHT}"), harm.is_none(1))])
}

/// Fault 25.
pub async fn database_read_only(run: Run) -> anyhow::Result<Vec<Figure>> {
    let Some(cluster) = Cluster::start(2).await? else { return Ok(unnamed()) };
    let lasts: u64 = run.pick(15, 60);
    let due = cluster.storm(BREACHES, AHEAD, TimeDelta::try_seconds(i64::try_from(lasts)? + 10).unwrap_or(AHEAD));
    sleep(AHEAD.to_std()? + Duration::from_secs(3)).await;
    cluster.set_read_only(true).await?;
    sleep(Duration::from_secs(2)).await;
    let before = cluster.stage.caught.total();
    sleep(Duration::from_secs(lasts)).await;
    let unrecorded = cluster.stage.caught.total() - before;
    cluster.set_read_only(false).await?;
    cluster.all_said(&due).await?;
    let harm = cluster.harm(&due).await?;
    let measured = format!("2 replicas, read-only for {lasts} s: {unrecorded} sent without a record; {}", harm.words());
    Ok(vec![Figure::new(measured, format!("0; 0, 0, 0, {}", 2 * IN_FLIGHT), unrecorded == 0 && harm.is_none(2))])
}

/// Fault 26: the leader's clock is ahead and nothing it says is taken, then the other leads by the right time, then one
/// whose clock is behind, and then the right time again.
pub async fn clock_off(run: Run) -> anyhow::Result<Vec<Figure>> {
    const OFF: i64 = 300;
    let Some(mut cluster) = Cluster::bare(2).await? else { return Ok(unnamed()) };
    let (part, lasts) = (BREACHES / 3, TimeDelta::seconds(run.pick(10, 30)));
    cluster.start_off(0, OFF).await?;
    cluster.leader().await?;
    cluster.start_replica(1).await?;
    cluster.stage.mail.reply(MailReply::Close);
    cluster.stage.sms.reply(SmsReply::Error500);
    let mut due = cluster.storm(part, AHEAD, lasts);
    cluster.all_recorded(&due).await?;
    cluster.kill(0)?;
    cluster.stage.mail.reply(MailReply::Accept);
    cluster.stage.sms.reply(SmsReply::Accept);
    let mut times = vec![cluster.taken_over().await?];
    due.extend(cluster.storm(part, AHEAD, lasts));
    cluster.start_off(0, -OFF).await?;
    sleep(AHEAD.to_std()? + lasts.to_std()? / 2).await;
    cluster.kill(1)?;
    times.push(cluster.taken_over().await?);
    due.extend(cluster.storm(part, AHEAD, lasts));
    cluster.start_replica(1).await?;
    sleep(AHEAD.to_std()? + lasts.to_std()?).await;
    cluster.kill(0)?;
    times.push(cluster.taken_over().await?);
    let what = "2 replicas, the clock of one 5 min ahead, then 5 min behind, each time leading and then killed";
    Ok(vec![figure(&cluster, &due, what, &times, AFTER_DEATH).await?])
}
