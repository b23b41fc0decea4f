//! Books of many tickets, written as the bookkeeper writes them.

use std::path::Path;
use std::sync::Arc;

use chrono::{DateTime, Days, NaiveDate, NaiveTime, TimeDelta, Utc};
use superops_sla::report::entry::{Entry, Exclusion, Holder, Outcome, Reason, Share, Signs};
use superops_sla::sla::clock::Basis;
use superops_sla::sla::zone::Tz;
use superops_sla::store::Store;
use superops_sla::store::books::{Booked, Marked};
use superops_sla::ticket::{ClockKind, RefId, TicketId};

use super::world::tenant;

const TECHNICIANS: usize = 20;
const CLIENTS: usize = 80;
const PRIORITIES: [&str; 4] = ["Critical", "High", "Medium", "Low"];
const CATEGORIES: [&str; 5] = ["Hardware", "Software", "Network", "Access", "Other"];
/// Tickets that are written in one transaction.
const AT_ONCE: usize = 500;
/// The last day on which something is decided.
pub const LAST: NaiveDate = NaiveDate::from_ymd_opt(2026, 10, 31).expect("there is such a day");

/// A store in `folder` with the books of `tickets` tickets that were opened in the `days` days up to [`LAST`].
pub async fn fill(path: &Path, tickets: usize, days: usize) -> anyhow::Result<()> {
    let store = Store::open(path, Arc::default()).await?;
    let mut chance = fastrand::Rng::with_seed(7);
    let first = LAST - Days::new(days as u64 - 1);
    for from in (0..tickets).step_by(AT_ONCE) {
        let some = from..(from + AT_ONCE).min(tickets);
        let mut booked = Vec::with_capacity(AT_ONCE);
        for nth in some {
            let opened = first + Days::new((nth * days / tickets) as u64);
            let ticket = TicketId::parse(&format!("{}", 4_217_000_000_000_000_000 + nth as u64 * 7_919))?;
            let entries = ticket_entries(&mut chance, ticket.as_str(), opened)?;
            let marked = Marked { tenant: tenant(), ticket, marks: 1 };
            booked.push(Booked { marked, entries: Some(entries), next: None });
        }
        store.book(&tenant(), booked, Tz::UTC).await?;
    }
    while store.sum_up_a_day().await? {}
    store.close().await;
    Ok(())
}

/// A first response and a resolution; of one in eight a further message of the client, of one in thirty a second round.
fn ticket_entries(chance: &mut fastrand::Rng, ticket: &str, opened: NaiveDate) -> anyhow::Result<Vec<Entry>> {
    let at = opened.and_time(NaiveTime::MIN).and_utc() + TimeDelta::seconds(chance.i64(8 * 3600..18 * 3600));
    let priority = chance.usize(..PRIORITIES.len());
    let common = Common {
        ticket: ticket.into(),
        holder: Holder::Person(RefId::parse(&format!("88{:04}", chance.usize(..TECHNICIANS)))?),
        other: Holder::Person(RefId::parse(&format!("88{:04}", chance.usize(..TECHNICIANS)))?),
        client: format!("51{:04}", chance.usize(..CLIENTS)).into(),
        category: CATEGORIES[chance.usize(..CATEGORIES.len())].into(),
        priority: PRIORITIES[priority].into(),
        policy: format!("priority {}", PRIORITIES[priority]).into(),
    };
    let hours = 1 << priority;
    let mut entries = vec![common.entry(chance, (ClockKind::FirstResponse, 1), at, hours)];
    let resolution = common.entry(chance, (ClockKind::Resolution, 1), at, hours * 6);
    if chance.u8(..8) == 0 {
        entries.push(common.entry(chance, (ClockKind::NextResponse, 1), at + TimeDelta::hours(1), hours));
    }
    if chance.u8(..30) == 0 {
        let back = at + TimeDelta::hours(hours * 6 + 30);
        entries.push(common.entry(chance, (ClockKind::Resolution, 2), back, hours * 6));
        entries.push(Entry { reopened_at: Some(back), ..resolution });
    } else {
        entries.push(resolution);
    }
    Ok(entries)
}

/// What is the same for all clocks of a ticket.
struct Common {
    ticket: Arc<str>,
    holder: Holder,
    other: Holder,
    client: Arc<str>,
    priority: Arc<str>,
    category: Arc<str>,
    policy: Arc<str>,
}

impl Common {
    /// One in ten is missed, one in fifty is left out; one in four was in two people's hands.
    fn entry(
        &self,
        chance: &mut fastrand::Rng,
        (clock, round): (ClockKind, u32),
        begun: DateTime<Utc>,
        hours: i64,
    ) -> Entry {
        let target = hours * 3_600_000;
        let outcome = match chance.u8(..100) {
            0..10 => Outcome::Breached,
            10..12 => Outcome::Excluded,
            _ => Outcome::Met,
        };
        let late = outcome == Outcome::Breached;
        let counted = if late { target + chance.i64(1..target) } else { chance.i64(60_000..=target) };
        let stopped_at = begun + TimeDelta::milliseconds(counted);
        let decided_at = begun + TimeDelta::milliseconds(counted.min(target));
        let over = (counted - target).max(0);
        let shares = match chance.u8(..4) {
            0 if self.other != self.holder => vec![(&self.holder, 700_000), (&self.other, 300_000)],
            _ => vec![(&self.holder, 1_000_000)],
        };
        let share = |(holder, weight): (&Holder, i64)| Share {
            holder: holder.clone(),
            weight,
            counted: counted / 1000 * weight / 1000,
            over: over / 1000 * weight / 1000,
            paused: 0,
        };
        Entry {
            ticket: self.ticket.clone(),
            clock,
            round,
            outcome,
            why: (outcome == Outcome::Excluded).then_some(Exclusion::Merged),
            decided_at,
            day: decided_at.date_naive(),
            stopped_at: Some(stopped_at),
            stop_day: Some(stopped_at.date_naive()),
            target: Some(target),
            counted,
            over,
            paused: if chance.u8(..3) == 0 { chance.i64(0..3_600_000) } else { 0 },
            says: Some(Basis::Reported),
            reported: Some(late),
            computed: Some(late),
            observed: true,
            answered_by: (clock == ClockKind::FirstResponse).then(|| self.holder.clone()),
            holder: self.holder.clone(),
            client: Some(self.client.clone()),
            priority: Some(self.priority.clone()),
            category: Some(self.category.clone()),
            policy: Some(self.policy.clone()),
            version: 1,
            maintenance: chance.u8(..100) == 0,
            reason: late.then_some(Reason::WorkedOn),
            said: None,
            reopened_at: None,
            signs: Signs::default(),
            chances: Signs::default(),
            shares: shares.into_iter().map(share).collect(),
            overdue: if late { vec![(decided_at, stopped_at)] } else { Vec::new() },
        }
    }
}
