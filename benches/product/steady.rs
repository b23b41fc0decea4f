//! Many alerts a second, each a message of its own, for a while: how long after
//! the decision the mail server has it.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use chrono::TimeDelta;
use superops_sla::clock::{Clock, SystemClock};

use super::figure::Figure;
use super::storm::{add, beside, count, sleep_until, started};
use super::world::World;

const A_SECOND: usize = 500;
const SECONDS: usize = 20;
const ALERTS: usize = A_SECOND * SECONDS;
const AHEAD: TimeDelta = TimeDelta::seconds(75);
const LIMIT_MS: i64 = 15;
/// Each breach is one mail, whatever else waits for the same person.
const ONE_BY_ONE: &str = "[alerts]\nwarn_at = []\n[alerts.pace]\nsingly = true\n[alerts.limits]\nbundle_from = 1000000\n\
                          [[alerts.steps]]\nafter = \"0s\"\nnotify = [\"technician\"]\nchannels = [\"email\"]\n";

pub async fn measure() -> anyhow::Result<Vec<Figure>> {
    let world = World::open(0, 0, 0).await?;
    let folder = tempfile::tempdir()?;
    let start = SystemClock.now() + AHEAD;
    for nth in 0..ALERTS {
        add(&world, nth, start + TimeDelta::milliseconds((nth * 1000 / A_SECOND) as i64));
    }
    let _service = started(&world, folder.path(), ONE_BY_ONE).await?;
    sleep_until(start).await?;
    tokio::time::sleep(Duration::from_secs(SECONDS as u64 + 1)).await;
    all_said(folder.path()).await?;
    let late = lateness(&world, folder.path()).await?;
    let at = |share: usize| late.get(late.len() * share / 100).copied().unwrap_or(i64::MAX);
    let (half, most, worst) = (at(50), at(99), late.last().copied().unwrap_or(i64::MAX));
    Ok(vec![Figure::new(
        format!("from the decision to hand-over at the mail server, {A_SECOND} alerts a second for {SECONDS} s"),
        format!("p99 {most} ms (p50 {half} ms, worst {worst} ms, {} of {ALERTS} told)", late.len()),
        format!("p99 under {LIMIT_MS} ms, all told"),
        most < LIMIT_MS && late.len() == ALERTS,
    )])
}

async fn all_said(folder: &Path) -> anyhow::Result<()> {
    let mut store = beside(folder).await?;
    while count(&mut store, "SELECT COUNT(*) FROM notifications WHERE state <> 'sent'").await? > 0 {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}

/// Milliseconds from the decision to the mail, of each ticket that was told of, in order.
async fn lateness(world: &World, folder: &Path) -> anyhow::Result<Vec<i64>> {
    let decided: Vec<(String, i64)> = sqlx::query_as(
        "SELECT t.display_id, n.created_at FROM notifications n
         JOIN tickets t ON t.tenant = n.tenant AND t.id = n.ticket_id WHERE n.stage = 'breached'",
    )
    .fetch_all(&mut beside(folder).await?)
    .await?;
    let decided: HashMap<String, i64> = decided.into_iter().collect();
    let caught = world.receivers.caught.newest_first(usize::MAX);
    let mut late: Vec<i64> = caught
        .iter()
        .filter_map(|mail| {
            let mut words = mail.subject.split(|c: char| !c.is_ascii_digit() && c != '-');
            Some(mail.at.timestamp_millis() - words.find_map(|word| decided.get(word))?)
        })
        .collect();
    late.sort_unstable();
    Ok(late)
}
