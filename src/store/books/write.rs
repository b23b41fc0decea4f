//! Writes entries for the bookkeeper: a revision where a decision changed, otherwise only new facts.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, NaiveDate, Utc};

use super::rows::{self, Stored, Withdrawn};
use super::{Marked, ROWS, changes, date_of, day_number, month_of, packed, sums};
use crate::report::entry::{Entry, Said, Share, by_day};
use crate::report::share::WHOLE;
use crate::sla::zone::Tz;
use crate::store::sql::{self, Connection, QueryBuilder};
use crate::store::{Store, StoreError, millis};
use crate::ticket::{ClockKind, TenantId};

/// A ticket to be booked.
#[derive(Clone, Debug)]
pub struct Booked {
    pub marked: Marked,
    /// None to leave them as they are.
    pub entries: Option<Vec<Entry>>,
    /// When to look at it again even if nothing changes; none if never.
    pub next: Option<DateTime<Utc>>,
}

/// The result of booking.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Decisions that were not in the books before.
    pub new: usize,
    /// Decisions that changed.
    pub revised: usize,
    /// How many of the new and revised ones belong to months that were already closed.
    pub corrections: usize,
    /// Decisions that hold, with new facts.
    pub filled_in: usize,
}

impl Written {
    /// Adds the counts of `other`.
    pub fn join(&mut self, other: Self) {
        self.new += other.new;
        self.revised += other.revised;
        self.corrections += other.corrections;
        self.filled_in += other.filled_in;
    }
}

/// How existing entries are treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum How {
    /// Unchanged ones are left alone.
    AsUsual,
    /// Their shares and overdue time are written again.
    Anew,
}

/// Days whose sums no longer hold.
type Touched = BTreeSet<i64>;

impl Store {
    /// Writes the entries of tickets of `tenant`, and marks the affected days to be summed up.
    pub async fn book(&self, tenant: &TenantId, booked: Vec<Booked>, zone: Tz) -> Result<Written, StoreError> {
        self.write_books(tenant, booked, zone, How::AsUsual).await
    }

    pub(super) async fn write_books(
        &self,
        tenant: &TenantId,
        booked: Vec<Booked>,
        zone: Tz,
        how: How,
    ) -> Result<Written, StoreError> {
        let tenant = tenant.clone();
        self.writer
            .write(move |tx: &mut Connection| Box::pin(async move { write(tx, &tenant, booked, (zone, how)).await }))
            .await
    }
}

async fn write(
    tx: &mut Connection,
    tenant: &TenantId,
    booked: Vec<Booked>,
    (zone, how): (Tz, How),
) -> Result<Written, sql::Error> {
    let mut page = Page {
        tenant,
        zone,
        how,
        closed: closed_months(tx, tenant).await?,
        withdrawn: HashMap::new(),
        touched: Touched::new(),
        changed: Touched::new(),
        months: BTreeSet::new(),
        differs: false,
        written: Written::default(),
    };
    for some in booked.chunks(ROWS) {
        let ids: Vec<&str> = some.iter().map(|one| one.marked.ticket.as_str()).collect();
        let mut known = by_ticket(rows::of_tickets(tx, tenant, ids.iter().copied()).await?);
        page.withdrawn = rows::withdrawn(tx, tenant, &ids).await?;
        let mut frozen = HashMap::new();
        if page.withdrawn.values().any(|before| before.counts) {
            frozen = by_ticket(rows::frozen(tx, tenant, &ids).await?);
        }
        for one in some {
            let before = known.remove(one.marked.ticket.as_str()).unwrap_or_default();
            let frozen = frozen.remove(one.marked.ticket.as_str()).unwrap_or_default();
            if let Some(entries) = &one.entries {
                page.ticket(tx, (before, frozen), entries).await?;
            }
            settle(tx, one).await?;
        }
    }
    sums::mark(tx, tenant, &page.touched).await?;
    for day in &page.changed {
        packed::unpack(tx, tenant, *day).await?;
    }
    for day in &page.touched {
        page.months.insert(month_of(date_of(*day).map_err(rows::decode)?));
    }
    changes::note(tx, tenant, &page.months).await?;
    Ok(page.written)
}

/// The writes in progress for one tenant.
struct Page<'a> {
    tenant: &'a TenantId,
    zone: Tz,
    how: How,
    closed: BTreeSet<i64>,
    /// What no longer holds, by ticket, clock and round.
    withdrawn: HashMap<(String, String, u32), Withdrawn>,
    touched: Touched,
    /// Days with changed entries.
    changed: Touched,
    /// Months with changed reports.
    months: BTreeSet<i64>,
    /// Whether anything of the current ticket changed.
    differs: bool,
    written: Written,
}

/// Entries of one ticket, by clock and round.
type Known = BTreeMap<(ClockKind, u32), Stored>;

/// Overdue time on one day: the day, its beginning and its end, and whether it counts as maintenance.
type Piece = (i64, i64, i64, i64);

impl Page<'_> {
    /// Books a ticket with its latest entries, and those replaced ones that still count, because their month is closed.
    async fn ticket(
        &mut self,
        tx: &mut Connection,
        (mut before, mut frozen): (Known, Known),
        entries: &[Entry],
    ) -> Result<(), sql::Error> {
        // The figures of one clock may show another clock of its ticket, so all months of the ticket change, or none.
        let all = before.values().chain(frozen.values()).map(|old| &old.entry).chain(entries);
        let months: BTreeSet<i64> =
            all.flat_map(|entry| [Some(entry.day), entry.stop_day]).flatten().map(month_of).collect();
        self.differs = false;
        for entry in entries {
            let key = (entry.clock, entry.round);
            match before.remove(&key) {
                None => self.enter(tx, entry).await?,
                Some(old) if self.stands(&old, entry) => self.fill_in(tx, &old, entry).await?,
                Some(old) => {
                    // An earlier revision of the clock may count in a closed month.
                    let is_frozen = self.replace(tx, &old).await?;
                    let counts = !is_frozen && !self.counts_before(entry) && !self.is_closed(entry.day);
                    self.written.revised += 1;
                    let said = rows::said_of(tx, self.tenant, entry).await?;
                    self.insert(tx, entry, old.revision + 1, counts, said.as_ref()).await?;
                    if is_frozen {
                        frozen.insert(key, old);
                    }
                }
            }
        }
        // What is left is undecided again, for example because the ticket was reopened soon after.
        for (key, old) in before {
            self.written.revised += 1;
            if self.replace(tx, &old).await? {
                frozen.insert(key, old);
            }
        }
        for (key, old) in &frozen {
            let newest = entries.iter().find(|entry| (entry.clock, entry.round) == *key);
            self.go_on(tx, old, newest).await?;
        }
        if self.differs {
            self.months.extend(months);
        }
        Ok(())
    }

    /// Whether `entry` says the same as `old`, and `old` counts as it should.
    fn stands(&self, old: &Stored, entry: &Entry) -> bool {
        let counts_once = !(old.counts && self.counts_before(entry));
        counts_once && (old.entry.is_same_decision(entry) || self.is_torn(old, entry))
    }

    fn before(&self, entry: &Entry) -> Option<Withdrawn> {
        self.withdrawn.get(&(entry.ticket.to_string(), entry.clock.as_str().to_owned(), entry.round)).copied()
    }

    /// Whether a revision of this clock that no longer holds still counts, because its month is closed.
    fn counts_before(&self, entry: &Entry) -> bool {
        self.before(entry).is_some_and(|before| before.counts)
    }

    /// Enters a decision where there is none: the first of its clock, or one after others that were withdrawn.
    async fn enter(&mut self, tx: &mut Connection, entry: &Entry) -> Result<(), sql::Error> {
        let before = self.before(entry);
        let counts = !self.is_closed(entry.day) && !self.counts_before(entry);
        self.written.revised += usize::from(before.is_some());
        let said = if before.is_some() { rows::said_of(tx, self.tenant, entry).await? } else { None };
        self.insert(tx, entry, before.map_or(1, |before| before.revision + 1), counts, said.as_ref()).await
    }

    /// Whether the same decision has lost its shares, which are then made again with everything else.
    fn is_torn(&self, old: &Stored, entry: &Entry) -> bool {
        let weight: i64 = old.entry.shares.iter().map(|share| share.weight).sum();
        let whole = || Entry { shares: entry.shares.clone(), ..old.entry.clone() };
        self.how == How::Anew && weight != WHOLE && whole().is_same_decision(entry)
    }

    fn is_closed(&self, day: NaiveDate) -> bool {
        self.closed.contains(&month_of(day))
    }

    /// Withdraws a decision; returns whether its month is closed, so that it still counts.
    async fn replace(&mut self, tx: &mut Connection, old: &Stored) -> Result<bool, sql::Error> {
        let frozen = old.counts && self.is_closed(old.entry.day);
        sql::query("UPDATE entries SET latest = 0, counts = $2 WHERE id = $1")
            .bind(old.id)
            .bind(i64::from(frozen))
            .execute(&mut *tx)
            .await?;
        self.differs = true;
        if !frozen {
            self.touched.insert(day_number(old.entry.day));
            self.changed.insert(day_number(old.entry.day));
            self.forget_overdue(tx, old.id, old.counts).await?;
        }
        Ok(frozen)
    }

    async fn insert(
        &mut self,
        tx: &mut Connection,
        entry: &Entry,
        revision: i64,
        counts: bool,
        said: Option<&Said>,
    ) -> Result<(), sql::Error> {
        let id = rows::insert(tx, self.tenant, entry, revision, counts, said).await?;
        self.written.new += usize::from(revision == 1);
        self.written.corrections += usize::from(!counts);
        rows::insert_shares(tx, id, entry).await?;
        self.differs = true;
        if counts {
            self.touched.insert(day_number(entry.day));
            self.changed.insert(day_number(entry.day));
        }
        self.note_overdue(tx, id, entry, counts).await
    }

    /// Fills in what happened since a decision that still holds.
    async fn fill_in(&mut self, tx: &mut Connection, old: &Stored, entry: &Entry) -> Result<(), sql::Error> {
        let same_facts = rows::facts(&old.entry) == rows::facts(entry);
        self.written.filled_in += usize::from(!same_facts);
        let same_facts = same_facts && self.how == How::AsUsual;
        if !same_facts {
            self.write_facts(tx, old, entry).await?;
        }
        if !same_facts || !entry.overdue.is_empty() && entry.stopped_at.is_none() {
            self.forget_overdue(tx, old.id, old.counts).await?;
            self.note_overdue(tx, old.id, entry, old.counts).await?;
        }
        Ok(())
    }

    async fn write_facts(&mut self, tx: &mut Connection, old: &Stored, entry: &Entry) -> Result<(), sql::Error> {
        rows::update(tx, old, entry).await?;
        sql::query("DELETE FROM shares WHERE entry = $1").bind(old.id).execute(&mut *tx).await?;
        rows::insert_shares(tx, old.id, entry).await?;
        self.differs = true;
        self.changed.insert(day_number(old.entry.day));
        Ok(())
    }

    /// Fills in what happened in open months to a replaced decision that counts in a closed one, as `newest` tells it,
    /// the revision that holds now: that one counts nowhere, so the open months would miss it.
    async fn go_on(&mut self, tx: &mut Connection, frozen: &Stored, newest: Option<&Entry>) -> Result<(), sql::Error> {
        let entry = self.with_stop(&frozen.entry, newest);
        if rows::facts(&frozen.entry) != rows::facts(&entry) {
            self.write_facts(tx, frozen, &entry).await?;
        }
        let query = sql::query_as("SELECT day, from_at, to_at, maintenance FROM overdue WHERE entry = $1");
        let stored: Vec<Piece> = query.bind(frozen.id).fetch_all(&mut *tx).await?;
        let stored: BTreeSet<Piece> = stored.into_iter().filter(|piece| self.is_in_open_month(piece)).collect();
        let known = newest.map_or_else(Vec::new, |newest| self.pieces(newest));
        let known: BTreeSet<Piece> = known.into_iter().filter(|piece| self.is_in_open_month(piece)).collect();
        for (day, from, ..) in stored.difference(&known) {
            let query = sql::query("DELETE FROM overdue WHERE entry = $1 AND from_at = $2");
            query.bind(frozen.id).bind(*from).execute(&mut *tx).await?;
            self.touched.insert(*day);
        }
        let new: Vec<Piece> = known.difference(&stored).copied().collect();
        self.insert_overdue(tx, frozen.id, &new, true).await
    }

    /// Returns `frozen` with the stop of `newest` and the times until then. A stop in a closed month stays as it is, and
    /// so does what is counted with the decision.
    fn with_stop(&self, frozen: &Entry, newest: Option<&Entry>) -> Entry {
        let is_settled = |entry: &Entry| entry.stop_day.is_some_and(|day| self.is_closed(day));
        if is_settled(frozen) {
            return frozen.clone();
        }
        let Some(newest) = newest.filter(|&newest| newest.brief().has_time() && !is_settled(newest)) else {
            return Entry { stopped_at: None, stop_day: None, ..frozen.clone() };
        };
        Entry {
            stopped_at: newest.stopped_at,
            stop_day: newest.stop_day,
            counted: newest.counted,
            over: newest.over,
            paused: newest.paused,
            answered_by: newest.answered_by.clone(),
            reopened_at: newest.reopened_at,
            shares: with_times(&frozen.shares, &newest.shares),
            ..frozen.clone()
        }
    }

    fn is_in_open_month(&self, (day, ..): &Piece) -> bool {
        date_of(*day).is_ok_and(|day| !self.is_closed(day))
    }

    async fn forget_overdue(&mut self, tx: &mut Connection, id: i64, counts: bool) -> Result<(), sql::Error> {
        let query = sql::query_scalar(match counts {
            true => "DELETE FROM overdue WHERE entry = $1 RETURNING day",
            false => "DELETE FROM overdue_corrected WHERE entry = $1 RETURNING day",
        });
        let days: Vec<i64> = query.bind(id).fetch_all(tx).await?;
        self.touched.extend(days);
        Ok(())
    }

    /// Overdue time that does not count is stored separately, for reports on what is known now.
    async fn note_overdue(
        &mut self,
        tx: &mut Connection,
        id: i64,
        entry: &Entry,
        counts: bool,
    ) -> Result<(), sql::Error> {
        let pieces = self.pieces(entry);
        self.insert_overdue(tx, id, &pieces, counts).await
    }

    fn pieces(&self, entry: &Entry) -> Vec<Piece> {
        let pieces = entry.overdue.iter().flat_map(|stretch| by_day(*stretch, self.zone));
        let maintenance = i64::from(entry.maintenance);
        pieces.map(|(day, from, to)| (day_number(day), millis(from), millis(to), maintenance)).collect()
    }

    async fn insert_overdue(
        &mut self,
        tx: &mut Connection,
        id: i64,
        pieces: &[Piece],
        counts: bool,
    ) -> Result<(), sql::Error> {
        for some in pieces.chunks(ROWS) {
            let mut query = QueryBuilder::new(match counts {
                true => "INSERT INTO overdue (entry, tenant, day, from_at, to_at, maintenance) ",
                false => "INSERT INTO overdue_corrected (entry, tenant, day, from_at, to_at, maintenance) ",
            });
            query.push_values(some, |mut row, (day, from, to, maintenance)| {
                row.push_bind(id).push_bind(self.tenant.as_str()).push_bind(*day);
                row.push_bind(*from).push_bind(*to).push_bind(*maintenance);
            });
            query.push(" ON CONFLICT (entry, from_at) DO NOTHING");
            query.build().execute(&mut *tx).await?;
        }
        self.touched.extend(pieces.iter().map(|(day, ..)| *day));
        Ok(())
    }
}

/// Returns the shares with the weights of `frozen` and the times of `newest`.
fn with_times(frozen: &[Share], newest: &[Share]) -> Vec<Share> {
    let without = |share: &Share| Share { counted: 0, over: 0, paused: 0, ..share.clone() };
    let mut shares: Vec<Share> = frozen.iter().map(without).collect();
    for new in newest {
        match shares.iter_mut().find(|share| share.holder == new.holder) {
            Some(share) => (share.counted, share.over, share.paused) = (new.counted, new.over, new.paused),
            None => shares.push(Share { weight: 0, ..new.clone() }),
        }
    }
    shares
}

/// Removes or postpones the mark, unless the ticket was marked again meanwhile.
async fn settle(tx: &mut Connection, one: &Booked) -> Result<(), sql::Error> {
    let Marked { tenant, ticket, marks } = &one.marked;
    let query = match one.next {
        Some(next) => sql::query("UPDATE to_book SET at = $4 WHERE tenant = $1 AND ticket = $2 AND marks = $3")
            .bind(tenant.as_str())
            .bind(ticket.as_str())
            .bind(marks)
            .bind(millis(next)),
        None => sql::query("DELETE FROM to_book WHERE tenant = $1 AND ticket = $2 AND marks = $3")
            .bind(tenant.as_str())
            .bind(ticket.as_str())
            .bind(marks),
    };
    query.execute(tx).await.map(drop)
}

pub(super) async fn closed_months(tx: &mut Connection, tenant: &TenantId) -> Result<BTreeSet<i64>, sql::Error> {
    let query = sql::query_scalar("SELECT month FROM months WHERE tenant = $1 ORDER BY month");
    let months: Vec<i64> = query.bind(tenant.as_str()).fetch_all(tx).await?;
    Ok(months.into_iter().collect())
}

/// Returns the entries of each ticket.
fn by_ticket(stored: Vec<Stored>) -> HashMap<String, Known> {
    let mut known: HashMap<String, Known> = HashMap::new();
    for one in stored {
        let key = (one.entry.clock, one.entry.round);
        known.entry(one.entry.ticket.to_string()).or_default().insert(key, one);
    }
    known
}
