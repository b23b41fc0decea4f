//! How late a breach is told: from the moment it happens to the hand-over at
//! the mail server and the SMS gateway, by the receivers' own clock.

use std::collections::HashMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use superops_sla::alert::noise::Rules;
use superops_sla::config::Config;
use superops_sla::simulator::NewTicket;
use superops_sla::simulator::msp::texted_technician;
use superops_sla::simulator::receivers::CaughtKind;

use super::figure::Figure;
use super::world::{Product, World, all_read, all_sent, tenant, without_budget};

const OPEN: usize = 10_000;
/// Of them these fall due while we watch, so many in a second.
pub const DUE: usize = 600;
const A_SECOND: usize = 10;
const APART: TimeDelta = TimeDelta::milliseconds(1000 / A_SECOND as i64);
/// Time enough for the sync to learn of them.
const AHEAD: TimeDelta = TimeDelta::seconds(30);
const LIMIT_MS: i64 = 250;
/// From when the tickets are added until the last is due.
pub const LASTS: Duration = Duration::from_secs(AHEAD.num_seconds().unsigned_abs() + (DUE / A_SECOND) as u64);

pub async fn measure() -> anyhow::Result<Vec<Figure>> {
    let world = World::open(OPEN - DUE, 0, 0).await?;
    let folder = tempfile::tempdir()?;
    let product = Product::start(world.product(&folder, "5s", breaches_only).await?).await?;
    all_read(&product.store).await?;
    all_sent(&product.store).await?;
    let dues = add_due(&world);
    while product.store.open_tickets(&tenant()).await?.len() < OPEN {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    tokio::time::sleep(LASTS).await;
    all_sent(&product.store).await?;
    product.running.stop().await;
    let channels = [(CaughtKind::Email, "mail server"), (CaughtKind::Sms, "SMS gateway")];
    Ok(channels.map(|(kind, name)| figure(name, lateness(&world, &dues, kind))).into())
}

/// Round the clock, and no warnings: what is due is due, and nothing else is said.
fn breaches_only(config: &mut Config) {
    without_budget(config);
    config.alerts.warn_at.clear();
    // Each breach by itself: what waits for a cap, or goes out with others, is late on purpose.
    config.alerts.noise = Rules {
        caps: Default::default(),
        sms_per_day: None,
        bundle_from: usize::MAX,
        quiet: None,
        pace: None,
        ..Rules::default()
    };
    config.tenants.values_mut().for_each(|tenant| tenant.hours = superops_sla::config::Hours::Msp);
}

/// The tickets that fall due while we watch; by what people call them.
pub fn add_due(world: &World) -> HashMap<String, DateTime<Utc>> {
    add_tickets(world, AHEAD, APART, DUE)
}

/// So many tickets that fall due one after the other, `apart`, the first of them after `ahead`; by what people call them.
pub fn add_tickets(world: &World, ahead: TimeDelta, apart: TimeDelta, count: usize) -> HashMap<String, DateTime<Utc>> {
    let add = |nth: usize| {
        let left = ahead + apart * i32::try_from(nth).ok()?;
        let id = world.superops.add(NewTicket {
            technician: Some(texted_technician(nth).to_owned()),
            response_due_in: Some(left),
            resolution_due_in: Some(left + TimeDelta::hours(8)),
            ..NewTicket::default()
        });
        let ticket = world.superops.ticket(&id)?;
        Some((ticket.display_id, ticket.first_response.due?))
    };
    (0..count).filter_map(add).collect()
}

/// Milliseconds from due to caught, of each message about one of `dues`, in order.
pub fn lateness(world: &World, dues: &HashMap<String, DateTime<Utc>>, kind: CaughtKind) -> Vec<i64> {
    let caught = world.receivers.caught.newest_first(usize::MAX);
    let late = caught.iter().filter(|message| message.kind == kind).filter_map(|message| {
        let text = format!("{} {}", message.subject, message.text);
        let due = text.split(|c: char| !c.is_ascii_digit() && c != '-').find_map(|word| dues.get(word))?;
        Some((message.at - *due).num_milliseconds())
    });
    let mut late: Vec<i64> = late.collect();
    late.sort_unstable();
    late
}

pub fn figure(receiver: &str, late: Vec<i64>) -> Figure {
    let at = |share: f64| late.get(((late.len() as f64 * share) as usize).min(late.len().saturating_sub(1))).copied();
    let [half, most, last] = [0.5, 0.99, 1.0].map(|share| at(share).unwrap_or(i64::MAX));
    let what = format!("from due to hand-over at the {receiver}, {OPEN} open tickets, {A_SECOND} due a second");
    let measured = format!("p99 {most} ms (p50 {half} ms, worst {last} ms, {} of {DUE} told)", late.len());
    Figure::new(what, measured, format!("p99 under {LIMIT_MS} ms, all told"), most < LIMIT_MS && late.len() == DUE)
}
