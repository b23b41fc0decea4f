//! The loop that keeps the books: it takes the marked tickets and writes the entries of their clocks.
//!
//! A ticket is marked by whatever changes it, and marks itself for the moment its next clock is over: a breach is in
//! the books when it happens, not when somebody touches the ticket. Tickets older than the books are booked in the
//! background, a few hundred at a time. One turn is [`Bookkeeping::turn`].

mod rebuild;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Datelike, Days, Months, TimeDelta, Utc};
use futures_util::future::try_join_all;
use tokio::sync::{OnceCell, watch};
use tracing::{debug, error, info, warn};

use crate::alert::subject::Subject;
use crate::alert::suppression::Suppression;
use crate::clock::SharedClock;
use crate::config::{Config, Tenant};
use crate::report::CLOSES_AFTER;
use crate::report::entry::{Era, Exchange, Facts, Handover, Holder, book, held, next_decision};
use crate::rules_cache::RulesCache;
use crate::sla::calendar::midnight;
use crate::sla::history::{History, beginning};
use crate::sla::tenant_rules::TenantRules;
use crate::sla::zone::Tz;
use crate::store::books::{Booked, Marked, RESTING, Written, month_of};
use crate::store::outbox::UnderWay;
use crate::store::{Store, StoreError};
use crate::ticket::watch::{Change, ChangeKind, Watched};
use crate::ticket::{RefId, TenantId};

/// The most tickets booked in one turn. Others write between two turns.
const A_TURN: u32 = 250;
/// How many of them go into one transaction: messages to people wait for its end.
const AT_ONCE: usize = 25;
/// How many tickets are read at a time.
const READS_AT_ONCE: usize = 4;
/// How long to pause after each of these transactions while messages to people are due: the books can wait.
const WHILE_TELLING: Duration = Duration::from_millis(100);
/// The most days of a tenant packed in one turn.
const DAYS_A_TURN: usize = 10;
/// The pause between two turns while there is much to do.
const PAUSE: Duration = Duration::from_millis(20);
/// How often the books are checked while nothing is marked.
const EVERY: TimeDelta = TimeDelta::seconds(5);
/// What is overdue is booked again at each multiple of this.
const OVERDUE_AGAIN: TimeDelta = TimeDelta::minutes(15);
/// How long after its end a month is closed.
pub const CLOSE_AFTER: Days = Days::new(CLOSES_AFTER as u64);
/// How much longer closing waits for conversations not read by then: some can never be read.
const UNHEARD_FOR: Days = Days::new(7);

pub use self::rebuild::{Differing, Progress, Rebuilt};

/// Keeps the books of all tenants.
pub struct Bookkeeping {
    config: Arc<Config>,
    rules: Arc<RulesCache>,
    store: Store,
    clock: SharedClock,
    /// Set once `wake_up` has run.
    awake: OnceCell<()>,
}

/// The result of one turn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Turn {
    /// Tickets that were booked.
    pub tickets: usize,
    pub written: Written,
    /// Months that were closed.
    pub closed: usize,
    /// Days that were packed.
    pub packed: usize,
}

/// What all tickets of a tenant share.
struct TenantBooks {
    eras: Vec<(Arc<TenantRules>, u32, DateTime<Utc>)>,
    /// People by name; none: more than one person has that name.
    by_name: BTreeMap<String, Option<RefId>>,
    maintenance: Vec<Suppression>,
    zone: Tz,
}

impl Bookkeeping {
    pub fn new(config: Arc<Config>, rules: Arc<RulesCache>, store: Store, clock: SharedClock) -> Self {
        Self { config, rules, store, clock, awake: OnceCell::new() }
    }

    /// Books until `stop` is set.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        tokio::select! {
            () = self.turn_for_ever() => {}
            _ = stop.wait_for(|stop| *stop) => {}
        }
    }

    async fn turn_for_ever(&self) {
        let (mut in_a_row, mut failed) = (0, false);
        loop {
            let now = self.clock.now();
            match self.turn(now).await {
                Ok(turn) => {
                    failed = false;
                    in_a_row = if turn.tickets >= A_TURN as usize { in_a_row + turn.tickets } else { 0 };
                    if in_a_row > 0 && in_a_row % 10_000 < turn.tickets {
                        info!(tickets = in_a_row, "the books are being made: {in_a_row} tickets so far");
                    }
                    if turn.tickets >= A_TURN as usize || turn.packed >= DAYS_A_TURN {
                        tokio::time::sleep(PAUSE).await;
                        continue;
                    }
                }
                Err(error) if !failed => {
                    failed = true;
                    error!(error = %error, "the books could not be kept; trying again");
                }
                Err(_) => {}
            }
            self.clock.sleep_until(now + EVERY).await;
        }
    }

    /// Books what is due at `now`, as much as fits in one turn, and closes the months whose time has come.
    pub async fn turn(&self, now: DateTime<Utc>) -> Result<Turn, StoreError> {
        self.awake.get_or_try_init(|| self.wake_up(now)).await?;
        let mut turn = Turn::default();
        let mut by_tenant: BTreeMap<TenantId, Vec<Marked>> = BTreeMap::new();
        for marked in self.store.to_book(now, A_TURN).await? {
            by_tenant.entry(marked.tenant.clone()).or_default().push(marked);
        }
        for (id, marked) in &by_tenant {
            // Nothing is known any more about a tenant that is no longer configured: its books rest.
            let tenant = self.config.tenants.get(id);
            turn.tickets += marked.len();
            let written = match tenant {
                Some(tenant) => self.book(tenant, marked, now).await?,
                None => self.rest(id, marked).await?,
            };
            turn.written.join(written);
        }
        // With room left in the turn, everything due by now has been booked.
        if turn.tickets < A_TURN as usize {
            while self.store.sum_up_a_day().await? {
                self.let_messages_go_first().await?;
            }
            for tenant in self.config.tenants.values() {
                turn.closed += self.close_months(tenant, now).await?;
                turn.packed += self.pack_days(tenant, now).await?;
            }
        }
        Ok(turn)
    }

    /// Books anew what the books missed while nobody kept them, or while the clock was wrong.
    async fn wake_up(&self, now: DateTime<Utc>) -> Result<(), StoreError> {
        // A tenant that is configured again has missed changes, without which its months would be closed wrongly.
        self.store.end_rest().await?;
        for tenant in self.config.tenants.keys() {
            let tickets = self.store.book_what_lies_ahead(tenant, now).await?;
            if tickets > 0 {
                info!(tenant = %tenant, tickets, "the clock was ahead: {tickets} tickets are booked anew");
            }
        }
        Ok(())
    }

    async fn rest(&self, id: &TenantId, marked: &[Marked]) -> Result<Written, StoreError> {
        let next = Some(RESTING);
        let later = |marked: &Marked| Booked { marked: marked.clone(), entries: None, next };
        self.write(id, marked.iter().map(later).collect(), Tz::UTC).await
    }

    /// Writes `booked` a few at a time, and lets messages that are due to people go first.
    async fn write(&self, tenant: &TenantId, booked: Vec<Booked>, zone: Tz) -> Result<Written, StoreError> {
        let mut written = Written::default();
        for (nth, some) in booked.chunks(AT_ONCE).enumerate() {
            if nth > 0 {
                self.let_messages_go_first().await?;
            }
            written.join(self.store.book(tenant, some.to_vec(), zone).await?);
        }
        Ok(written)
    }

    async fn let_messages_go_first(&self) -> Result<(), StoreError> {
        if !self.store.due_channels(&UnderWay::default(), self.clock.now()).await?.is_empty() {
            tokio::time::sleep(WHILE_TELLING).await;
        }
        Ok(())
    }

    async fn book(&self, tenant: &Tenant, marked: &[Marked], now: DateTime<Utc>) -> Result<Written, StoreError> {
        let (booked, zone) = self.judge(tenant, marked, now).await?;
        self.write(&tenant.id, booked, zone).await
    }

    /// Returns the entries of these tickets as of `now`, and the zone whose days are meant.
    async fn judge(
        &self,
        tenant: &Tenant,
        marked: &[Marked],
        now: DateTime<Utc>,
    ) -> Result<(Vec<Booked>, Tz), StoreError> {
        let ids: Vec<&str> = marked.iter().map(|marked| marked.ticket.as_str()).collect();
        let mut events = self.store.events_of(&tenant.id, &ids).await?;
        let mut handovers = self.store.handovers_of(&tenant.id, &ids).await?;
        let mut watched = Vec::with_capacity(marked.len());
        for some in marked.chunks(READS_AT_ONCE) {
            watched.extend(try_join_all(some.iter().map(|one| self.store.ticket(&tenant.id, &one.ticket))).await?);
        }
        let tickets: Vec<_> = marked
            .iter()
            .zip(watched)
            .map(|(one, watched)| {
                let changes = events.remove(&one.ticket).unwrap_or_default();
                let handovers = handovers.remove(&one.ticket).unwrap_or_default();
                (one, watched, changes, handovers)
            })
            .collect();
        let since =
            tickets.iter().filter_map(|(_, watched, ..)| watched.as_deref().map(beginning)).min().unwrap_or(now);
        let books = self.books_of(tenant, since).await?;
        let booked = tickets.into_iter().map(|(marked, watched, changes, handovers)| match watched {
            Some(watched) => books.book(marked, &watched, &changes, handovers, now),
            None => Booked { marked: marked.clone(), entries: None, next: None },
        });
        Ok((booked.collect(), books.zone))
    }

    async fn books_of(&self, tenant: &Tenant, since: DateTime<Utc>) -> Result<TenantBooks, StoreError> {
        let eras = self.rules.eras(tenant).await?;
        let zone = eras.last().map_or(Tz::UTC, |(rules, ..)| rules.msp_timezone());
        let mut by_name: BTreeMap<String, Option<RefId>> = BTreeMap::new();
        for ((kind, id), name) in self.store.called(&tenant.id).await? {
            if kind == "technician" {
                by_name.entry(name).and_modify(|known| *known = None).or_insert_with(|| RefId::parse(&id).ok());
            }
        }
        let maintenance = self.store.maintenance_since(&tenant.id, since).await?;
        Ok(TenantBooks { eras, by_name, maintenance, zone })
    }

    /// Packs days on which nothing more will be decided, for queries that read many of them.
    async fn pack_days(&self, tenant: &Tenant, now: DateTime<Utc>) -> Result<usize, StoreError> {
        let (_, rules) = self.rules.of(tenant).await?;
        let today = now.with_timezone(&rules.msp_timezone()).date_naive();
        self.store.pack_days(&tenant.id, today, DAYS_A_TURN).await
    }

    /// Closes the months that ended long enough ago, once all tickets and the conversations of that time have been read
    /// since, and nothing waits to be booked.
    async fn close_months(&self, tenant: &Tenant, now: DateTime<Utc>) -> Result<usize, StoreError> {
        let Some((first, _)) = self.store.booked_days(&tenant.id).await? else { return Ok(0) };
        let (_, rules) = self.rules.of(tenant).await?;
        let zone = rules.msp_timezone();
        let today = now.with_timezone(&zone).date_naive();
        let done = self.store.closed_months(&tenant.id, (first, today)).await?;
        let state = self.store.sync_state(&tenant.id).await?;
        let mut closed = 0;
        let mut month = first.with_day(1).unwrap_or(first);
        while let Some(next) = month.checked_add_months(Months::new(1)).filter(|next| *next + CLOSE_AFTER <= today) {
            let end = midnight(zone, next);
            let was_read = end.zip(state.passed_at).is_some_and(|(end, read)| read >= end);
            let is_heard = || end.zip(state.unheard_since).is_none_or(|(end, since)| since >= end);
            let waited = || next + CLOSE_AFTER + UNHEARD_FOR <= today;
            if was_read && (is_heard() || waited()) && !done.iter().any(|(number, _)| *number == month_of(month)) {
                if !is_heard() {
                    warn!(tenant = %tenant.id, "{} is closed although conversations of its tickets were not read: what they tell is a correction", month.format("%B %Y"));
                }
                let hash = self.store.close_month(&tenant.id, (month, zone), now).await?;
                debug!(tenant = %tenant.id, "{} is closed: its figures do not move any more (SHA-256 {hash})", month.format("%B %Y"));
                closed += 1;
            }
            month = next;
        }
        if closed > 0 {
            info!(tenant = %tenant.id, months = closed, "months closed, whose figures do not change any more: {closed}");
        }
        Ok(closed)
    }
}

/// When overdue clocks are booked again, so that the books know how late they are: all at the same moments, since each
/// write invalidates kept answers. Days begin at such moments too, in any zone.
fn next_look(now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let step = OVERDUE_AGAIN.num_milliseconds();
    DateTime::from_timestamp_millis((now.timestamp_millis().div_euclid(step) + 1) * step)
}

impl TenantBooks {
    fn book(
        &self,
        marked: &Marked,
        watched: &Watched,
        changes: &[Change],
        handovers: Vec<Handover>,
        now: DateTime<Utc>,
    ) -> Booked {
        let eras: Vec<Era<'_>> =
            self.eras.iter().map(|(rules, version, from)| Era { rules, version: *version, from: *from }).collect();
        let Some(present) = eras.last() else { return Booked { marked: marked.clone(), entries: None, next: None } };
        let history = History::tell(watched, changes, |status| present.rules.meaning_of(status));
        let unseen = history.unseen.and_then(|unseen| unseen.to);
        let holder = watched.ticket.technician.as_ref().map_or(Holder::Nobody, |who| Holder::Person(who.id.clone()));
        let held = held(beginning(watched), unseen, &self.all_handovers(handovers, changes), holder);
        let exchanges: Vec<Exchange> = watched
            .conversation
            .exchanges
            .iter()
            .map(|one| Exchange { asked_at: one.asked_at, answered_at: one.answered_at, by: one.by.clone() })
            .collect();
        let subject = Subject::of_ticket(&marked.tenant, &watched.ticket);
        let windows = self.maintenance.iter().filter(|window| window.matchers.matches(subject));
        let maintenance: Vec<_> = windows
            .map(|window| (window.from, window.ended_at.map_or(window.until, |at| at.min(window.until))))
            .collect();
        let facts = Facts {
            watched,
            history: &history,
            held: &held,
            exchanges: &exchanges,
            first_answer_by: watched.conversation.first_answer_by.as_ref(),
            eras: &eras,
            maintenance: &maintenance,
            zone: self.zone,
        };
        let entries = book(&facts, now);
        let is_overdue = entries.iter().any(|entry| !entry.overdue.is_empty() && entry.stopped_at.is_none());
        let again = is_overdue.then(|| next_look(now)).flatten();
        let next = next_decision(&facts, &entries, now).into_iter().chain(again).min();
        Booked { marked: marked.clone(), entries: Some(entries), next }
    }

    /// Returns the handovers recorded with ids, and earlier ones, which are known only by name.
    fn all_handovers(&self, mut known: Vec<Handover>, changes: &[Change]) -> Vec<Handover> {
        let holder = |name: &Option<String>| match name {
            None => Holder::Nobody,
            Some(name) => self.by_name.get(name).cloned().flatten().map_or(Holder::Unknown, Holder::Person),
        };
        let moved = changes.iter().filter(|change| change.kind == ChangeKind::Assignee);
        let unknown: Vec<Handover> = moved
            .filter(|change| !known.iter().any(|one| one.at == change.at.latest))
            .map(|change| Handover { from: holder(&change.from), to: holder(&change.to), at: change.at.latest })
            .collect();
        known.extend(unknown);
        known.sort_by_key(|one| one.at);
        known
    }
}
