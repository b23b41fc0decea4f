//! Packs the entries of one day into one value, column by column, so that a few columns can be read alone.
//!
//! First come the ids of the tickets and all other texts, each once; then the columns, each with its length in bytes. A
//! value is a variable-length integer: 0 for none, otherwise its zigzag form plus one. Values that usually equal
//! another are stored as the difference. People's words are not packed, since they change and are erased.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, Utc};

use super::rows::Stored;
use super::{date_of, day_number};
use crate::report::brief::{Brief, came_back};
use crate::report::entry::{Entry, Exclusion, Holder, Outcome, Reason, Share, Signs};
use crate::report::share::WHOLE;
use crate::report::technician::{Count, Part, Whose};
use crate::sla::clock::Basis;
use crate::store::{StoreError, instant, millis};
use crate::ticket::ClockKind;

/// The version of this format. It rises when a column is added, removed or read differently.
pub(super) const VERSION: i64 = 1;

/// The milliseconds of a day.
const MILLIS: i64 = 86_400_000;

/// Every value is smaller than this, so that the sum of two cannot overflow.
const MOST: u64 = 1 << 56;

/// The columns, in the order in which they are written; those of shares have one value per share.
#[derive(Clone, Copy)]
enum Column {
    Id,
    Ticket,
    Clock,
    Round,
    Revision,
    Outcome,
    Why,
    DecidedAt,
    StoppedAt,
    StopDay,
    Target,
    Counted,
    Over,
    Paused,
    Says,
    Reported,
    Computed,
    Observed,
    AnsweredBy,
    Holder,
    Client,
    Priority,
    Category,
    Policy,
    Version,
    Maintenance,
    Reason,
    ReopenedAt,
    Signs,
    Chances,
    Shares,
    ShareHolder,
    ShareWeight,
    ShareCounted,
    ShareOver,
    SharePaused,
}

const COLUMNS: usize = Column::SharePaused as usize + 1;

/// The texts of a page while it is written.
#[derive(Default)]
struct Texts<'a> {
    numbers: HashMap<&'a str, i64>,
    all: Vec<&'a str>,
}

impl<'a> Texts<'a> {
    fn number(&mut self, text: &'a str) -> i64 {
        *self.numbers.entry(text).or_insert_with(|| {
            self.all.push(text);
            self.all.len() as i64 - 1
        })
    }

    fn write(&self, page: &mut Vec<u8>) {
        put(page, self.all.len() as u64);
        for text in &self.all {
            put(page, text.len() as u64);
            page.extend_from_slice(text.as_bytes());
        }
    }
}

fn put(to: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        to.push(number as u8 | 0x80);
        number >>= 7;
    }
    to.push(number as u8);
}

/// Packs the entries of `day`.
pub(super) fn pack(day: NaiveDate, all: &[Stored]) -> Vec<u8> {
    let (mut tickets, mut texts) = (Texts::default(), Texts::default());
    let mut columns: Vec<Vec<u8>> = vec![Vec::new(); COLUMNS];
    let midnight = day_number(day) * MILLIS;
    let mut last_id = 0;
    for stored in all {
        let entry = &stored.entry;
        let mut set = |column: Column, value: Option<i64>| {
            let zigzag = |value: i64| ((value << 1) ^ (value >> 63)) as u64;
            put(&mut columns[column as usize], value.map_or(0, |value| zigzag(value).wrapping_add(1)));
        };
        let decided = millis(entry.decided_at);
        set(Column::Id, Some(stored.id - last_id));
        last_id = stored.id;
        set(Column::Ticket, Some(tickets.number(&entry.ticket)));
        set(Column::Clock, Some(texts.number(entry.clock.as_str())));
        set(Column::Round, Some(entry.round.into()));
        set(Column::Revision, Some(stored.revision));
        set(Column::Outcome, Some(texts.number(entry.outcome.as_str())));
        set(Column::Why, entry.why.map(|why| texts.number(why.as_str())));
        set(Column::DecidedAt, Some(decided - midnight));
        set(Column::StoppedAt, entry.stopped_at.map(|at| millis(at) - decided));
        set(Column::StopDay, entry.stop_day.map(|stop| day_number(stop) - day_number(day)));
        set(Column::Target, entry.target);
        set(Column::Counted, Some(entry.counted));
        set(Column::Over, Some(entry.over));
        set(Column::Paused, Some(entry.paused));
        set(Column::Says, entry.says.map(|says| texts.number(says.as_str())));
        set(Column::Reported, entry.reported.map(i64::from));
        set(Column::Computed, entry.computed.map(i64::from));
        set(Column::Observed, Some(entry.observed.into()));
        set(Column::AnsweredBy, entry.answered_by.as_ref().map(|by| texts.number(by.as_str())));
        set(Column::Holder, Some(texts.number(entry.holder.as_str())));
        set(Column::Client, entry.client.as_deref().map(|text| texts.number(text)));
        set(Column::Priority, entry.priority.as_deref().map(|text| texts.number(text)));
        set(Column::Category, entry.category.as_deref().map(|text| texts.number(text)));
        set(Column::Policy, entry.policy.as_deref().map(|text| texts.number(text)));
        set(Column::Version, Some(entry.version.into()));
        set(Column::Maintenance, Some(entry.maintenance.into()));
        set(Column::Reason, entry.reason.map(|reason| texts.number(reason.as_str())));
        set(Column::ReopenedAt, entry.reopened_at.map(|at| millis(at) - decided));
        set(Column::Signs, Some(entry.signs.0.into()));
        set(Column::Chances, Some(entry.chances.0.into()));
        set(Column::Shares, Some(entry.shares.len() as i64));
        for share in &entry.shares {
            set(Column::ShareHolder, Some(texts.number(share.holder.as_str())));
            set(Column::ShareWeight, Some(share.weight - WHOLE));
            set(Column::ShareCounted, Some(share.counted - entry.counted));
            set(Column::ShareOver, Some(share.over - entry.over));
            set(Column::SharePaused, Some(share.paused - entry.paused));
        }
    }
    let mut page = Vec::new();
    put(&mut page, all.len() as u64);
    tickets.write(&mut page);
    texts.write(&mut page);
    for column in columns {
        put(&mut page, column.len() as u64);
        page.extend_from_slice(&column);
    }
    page
}

/// Bytes that are read from the front.
#[derive(Clone, Copy)]
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn number(&mut self) -> Option<u64> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        if *first < 0x80 {
            return Some((*first).into());
        }
        let mut number = u64::from(first & 0x7f);
        for shift in (7..64).step_by(7) {
            let (next, rest) = self.0.split_first()?;
            self.0 = rest;
            number |= u64::from(next & 0x7f) << shift;
            if *next < 0x80 {
                return Some(number);
            }
        }
        None
    }

    fn piece(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.number()?).ok()?;
        let (piece, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(piece)
    }

    fn texts(&mut self) -> Option<Vec<&'a str>> {
        let count = usize::try_from(self.number()?).ok()?;
        // Each text takes at least one byte, for its length.
        let mut texts = Vec::with_capacity(count.min(self.0.len()));
        for _ in 0..count {
            texts.push(std::str::from_utf8(self.piece()?).ok()?);
        }
        Some(texts)
    }
}

/// A packed day that is being read, each column from its front. None from any method means that it is broken.
pub(super) struct Page<'a> {
    day: NaiveDate,
    count: usize,
    tickets: Vec<&'a str>,
    texts: Vec<&'a str>,
    columns: [Bytes<'a>; COLUMNS],
}

impl<'a> Page<'a> {
    fn open(day: NaiveDate, packed: &'a [u8]) -> Option<Self> {
        let mut bytes = Bytes(packed);
        let count = usize::try_from(bytes.number()?).ok().filter(|count| *count <= packed.len())?;
        let (tickets, texts) = (bytes.texts()?, bytes.texts()?);
        let mut columns = [Bytes(&[]); COLUMNS];
        for column in &mut columns {
            *column = Bytes(bytes.piece()?);
        }
        Some(Self { day, count, tickets, texts, columns })
    }

    /// Reads the next value of the column, which may be none.
    fn next(&mut self, column: Column) -> Option<Option<i64>> {
        let found = self.columns[column as usize].number().filter(|number| *number < MOST)?.checked_sub(1);
        Some(found.map(|number| (number >> 1) as i64 ^ -((number & 1) as i64)))
    }

    /// Reads the next value of a column that always has one.
    fn value(&mut self, column: Column) -> Option<i64> {
        self.next(column)?
    }

    fn small(&mut self, column: Column) -> Option<u32> {
        u32::try_from(self.value(column)?).ok()
    }

    /// Returns the item of `all` that the next value of the column points to.
    fn of<T: Clone>(&mut self, column: Column, all: &[T]) -> Option<T> {
        Option::flatten(self.perhaps(column, all))
    }

    fn perhaps<T: Clone>(&mut self, column: Column, all: &[T]) -> Option<Option<T>> {
        match self.next(column)? {
            None => Some(None),
            Some(number) => Some(Some(all.get(usize::try_from(number).ok()?)?.clone())),
        }
    }

    /// Interprets every text as another type; none where it is no such thing.
    fn as_all<T>(&self, read: impl Fn(&str) -> T) -> Vec<T> {
        self.texts.iter().map(|text| read(text)).collect()
    }

    fn stop_day(&mut self) -> Option<Option<NaiveDate>> {
        match self.next(Column::StopDay)? {
            None => Some(None),
            Some(0) => Some(Some(self.day)),
            Some(later) => date_of(day_number(self.day) + later).ok().map(Some),
        }
    }

    /// Reads a time that is stored as the difference from another.
    fn later(&mut self, column: Column, than: i64) -> Option<Option<DateTime<Utc>>> {
        match self.next(column)? {
            None => Some(None),
            Some(later) => instant(than + later).ok().map(Some),
        }
    }
}

fn clock_named(name: &str) -> Option<ClockKind> {
    ClockKind::ALL.into_iter().find(|kind| kind.as_str() == name)
}

fn broken(day: NaiveDate) -> StoreError {
    StoreError::Unreadable(format!("the packed entries of {day} are broken: run `superops-sla report rebuild`"))
}

/// Whether one of the entries of a packed day is of a ticket that `has` accepts. Broken data is reported by [`unpack`].
pub(super) fn is_of(packed: &[u8], has: impl Fn(&str) -> bool) -> bool {
    let mut bytes = Bytes(packed);
    let tickets = bytes.number().and_then(|_| bytes.texts());
    tickets.is_none_or(|tickets| tickets.into_iter().any(has))
}

/// Reads the entries of a packed day, without people's words and overdue time.
pub(super) fn unpack(day: NaiveDate, packed: &[u8], to: &mut Vec<Stored>) -> Result<(), StoreError> {
    entries(day, packed, to).ok_or_else(|| broken(day))
}

fn entries(day: NaiveDate, packed: &[u8], to: &mut Vec<Stored>) -> Option<()> {
    let mut page = Page::open(day, packed)?;
    let tickets: Vec<Arc<str>> = page.tickets.iter().map(|id| Arc::from(*id)).collect();
    let texts: Vec<Arc<str>> = page.as_all(|text| Arc::from(text));
    let holders = page.as_all(|text| Holder::from(text.to_owned()));
    let clocks = page.as_all(clock_named);
    let outcomes = page.as_all(Outcome::parse);
    let whys = page.as_all(Exclusion::parse);
    let reasons = page.as_all(Reason::parse);
    let says = page
        .as_all(|text| [Basis::ByHand, Basis::Reported, Basis::Policy].into_iter().find(|one| one.as_str() == text));
    let midnight = day_number(day) * MILLIS;
    let mut id = 0;
    to.reserve(page.count);
    for _ in 0..page.count {
        id = page.value(Column::Id)?.checked_add(id)?;
        let decided = midnight + page.value(Column::DecidedAt)?;
        let (counted, over, paused) =
            (page.value(Column::Counted)?, page.value(Column::Over)?, page.value(Column::Paused)?);
        let shares = usize::try_from(page.value(Column::Shares)?).ok().filter(|shares| *shares <= packed.len())?;
        let entry = Entry {
            ticket: page.of(Column::Ticket, &tickets)?,
            clock: page.of(Column::Clock, &clocks)??,
            round: page.small(Column::Round)?,
            outcome: page.of(Column::Outcome, &outcomes)??,
            why: page.perhaps(Column::Why, &whys)?.flatten(),
            decided_at: instant(decided).ok()?,
            day,
            stopped_at: page.later(Column::StoppedAt, decided)?,
            stop_day: page.stop_day()?,
            target: page.next(Column::Target)?,
            counted,
            over,
            paused,
            says: page.perhaps(Column::Says, &says)?.flatten(),
            reported: page.next(Column::Reported)?.map(|flag| flag != 0),
            computed: page.next(Column::Computed)?.map(|flag| flag != 0),
            observed: page.value(Column::Observed)? != 0,
            answered_by: page.perhaps(Column::AnsweredBy, &holders)?,
            holder: page.of(Column::Holder, &holders)?,
            client: page.perhaps(Column::Client, &texts)?,
            priority: page.perhaps(Column::Priority, &texts)?,
            category: page.perhaps(Column::Category, &texts)?,
            policy: page.perhaps(Column::Policy, &texts)?,
            version: page.small(Column::Version)?,
            maintenance: page.value(Column::Maintenance)? != 0,
            reason: page.perhaps(Column::Reason, &reasons)?.flatten(),
            said: None,
            reopened_at: page.later(Column::ReopenedAt, decided)?,
            signs: Signs(page.small(Column::Signs)?),
            chances: Signs(page.small(Column::Chances)?),
            shares: Vec::with_capacity(shares),
            overdue: Vec::new(),
        };
        let mut stored = Stored { id, revision: page.value(Column::Revision)?, counts: true, entry };
        for _ in 0..shares {
            let share = Share {
                holder: page.of(Column::ShareHolder, &holders)?,
                weight: WHOLE + page.value(Column::ShareWeight)?,
                counted: counted + page.value(Column::ShareCounted)?,
                over: over + page.value(Column::ShareOver)?,
                paused: paused + page.value(Column::SharePaused)?,
            };
            stored.entry.shares.push(share);
        }
        to.push(stored);
    }
    Some(())
}

/// Counts the entries of a packed day.
pub(super) fn count(day: NaiveDate, packed: &[u8], count: &mut Count) -> Result<(), StoreError> {
    count_each(day, packed, count).ok_or_else(|| broken(day))
}

fn count_each(day: NaiveDate, packed: &[u8], count: &mut Count) -> Option<()> {
    let mut page = Page::open(day, packed)?;
    let tickets: Vec<u32> = page.tickets.iter().map(|id| count.ticket(id)).collect();
    let clocks = page.as_all(clock_named);
    let outcomes = page.as_all(Outcome::parse);
    let whys = page.as_all(Exclusion::parse);
    let automatic = page.as_all(|text| text == Holder::Automation.as_str());
    // Only texts that are used as a holder, a priority or a policy get a number as such.
    let (mut holders, mut texts) = (vec![None; page.texts.len()], vec![None; page.texts.len()]);
    let mut parts = Vec::new();
    for _ in 0..page.count {
        let (stopped, reopened) = (page.next(Column::StoppedAt)?, page.next(Column::ReopenedAt)?);
        let moment = |later: Option<i64>| later.and_then(DateTime::from_timestamp_millis);
        let one = Brief {
            clock: page.of(Column::Clock, &clocks)??,
            round: page.small(Column::Round)?,
            outcome: page.of(Column::Outcome, &outcomes)??,
            why: page.perhaps(Column::Why, &whys)?.flatten(),
            day,
            stop_day: page.stop_day()?,
            maintenance: page.value(Column::Maintenance)? != 0,
            counted: page.value(Column::Counted)?,
            over: page.value(Column::Over)?,
            paused: page.value(Column::Paused)?,
            automatic: page.perhaps(Column::AnsweredBy, &automatic)?,
            // Both are relative to the decision.
            came_back: reopened.is_some() && came_back(moment(stopped), moment(reopened)),
        };
        let whose = Whose {
            ticket: page.of(Column::Ticket, &tickets)?,
            holder: page
                .numbered(Column::Holder, &mut holders, |text| count.holder(&Holder::from(text.to_owned())))??,
            priority: page.numbered(Column::Priority, &mut texts, |text| count.text(text))?,
            policy: page.numbered(Column::Policy, &mut texts, |text| count.text(text))?,
        };
        parts.clear();
        for _ in 0..page.value(Column::Shares)? {
            let holder =
                page.numbered(Column::ShareHolder, &mut holders, |text| count.holder(&Holder::from(text.to_owned())))??;
            parts.push(Part {
                holder,
                weight: WHOLE + page.value(Column::ShareWeight)?,
                counted: one.counted + page.value(Column::ShareCounted)?,
                over: one.over + page.value(Column::ShareOver)?,
                paused: one.paused + page.value(Column::SharePaused)?,
            });
        }
        count.add(&one, whose, &parts);
    }
    Some(())
}

impl Page<'_> {
    /// Returns the number of the text that the column's next value points to; `number` is called once for each text.
    fn numbered(
        &mut self,
        column: Column,
        numbers: &mut [Option<u32>],
        number: impl FnOnce(&str) -> u32,
    ) -> Option<Option<u32>> {
        let Some(place) = self.next(column)? else { return Some(None) };
        let place = usize::try_from(place).ok()?;
        let known = numbers.get_mut(place)?;
        Some(Some(*known.get_or_insert_with(|| number(self.texts[place]))))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use proptest::prelude::*;

    use super::*;

    static OF_EXAMPLE: LazyLock<Vec<Entry>> = LazyLock::new(crate::report::entry::tests::entries);

    /// Makes an entry of the worked example with other numbers.
    fn strange(chance: &mut fastrand::Rng) -> Stored {
        let all = &*OF_EXAMPLE;
        let mut entry = all[chance.usize(..all.len())].clone();
        let sizes = [0, 1, -1, 63, 64, -65, 1 << 20, -(1 << 40), 1 << 50];
        let mut number = || sizes[chance.usize(..sizes.len())];
        (entry.counted, entry.over, entry.paused, entry.target) = (number(), number(), number(), Some(number()));
        entry.shares.iter_mut().for_each(|share| (share.weight, share.counted) = (number(), number()));
        (entry.overdue, entry.said) = (Vec::new(), None);
        if chance.bool() {
            (entry.client, entry.priority, entry.policy) = (Some("Ünïcode ©".into()), None, Some("".into()));
            (entry.stopped_at, entry.stop_day, entry.why) = (None, None, Some(Exclusion::Merged));
        }
        Stored { id: chance.i64(1..1 << 40), revision: chance.i64(1..300), counts: true, entry }
    }

    fn day() -> NaiveDate {
        "2026-10-30".parse().unwrap()
    }

    proptest! {
        #[test]
        fn what_is_packed_comes_out_as_it_went_in(seed in 0u64.., size in 0usize..40) {
            let mut chance = fastrand::Rng::with_seed(seed);
            let all: Vec<Stored> = (0..size).map(|_| strange(&mut chance)).collect();
            let on_a_day = |stored: &Stored| Stored { entry: Entry { day: day(), ..stored.entry.clone() }, ..stored.clone() };
            let all: Vec<Stored> = all.iter().map(on_a_day).collect();
            let mut found = Vec::new();
            unpack(day(), &pack(day(), &all), &mut found).unwrap();
            let told = |all: &[Stored]| all.iter().map(|one| (one.id, one.revision, one.entry.clone())).collect::<Vec<_>>();
            prop_assert_eq!(told(&found), told(&all));
        }

        #[test]
        fn what_is_broken_is_refused_or_read_as_something_else_and_nothing_falls_over(
            seed in 0u64..,
            at in any::<prop::sample::Index>(),
            byte in any::<u8>(),
        ) {
            let mut chance = fastrand::Rng::with_seed(seed);
            let all: Vec<Stored> = (0..4).map(|_| strange(&mut chance)).collect();
            let mut packed = pack(day(), &all);
            let at = at.index(packed.len());
            prop_assert!(unpack(day(), &packed[..at], &mut Vec::new()).is_err());
            packed[at] = byte;
            let _ = unpack(day(), &packed, &mut Vec::new());
            let period = crate::report::Period { from: day(), to: day() };
            let question = crate::report::figures::Question { period, with_maintenance: true };
            let mut counted = Count::new(question);
            let _ = count(day(), &packed, &mut counted);
        }
    }
}
