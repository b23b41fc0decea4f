//! How the account answers until it is told otherwise: what works there, what it hides, where it is wrong.
//!
//! A [`Fault`](super::fault::Fault) strikes some requests and is over; a habit stays. Each can be switched while the
//! account is in use, so that a test can begin and end a bad minute.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};

use super::graphql;
pub use super::holes::Which;
use super::holes::{Hole, Holes};
use super::ticket::DueOnPause;
use crate::config::duration;

/// A habit from the command line affects one in this many tickets.
const ONE_IN: u64 = 10;

/// What the look-alike does with a sort.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sorting {
    #[default]
    Works,
    Ignored,
    Refused,
}

/// What the look-alike does with a condition on a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DateFilters {
    Work,
    #[default]
    Refused,
    Ignored,
}

/// What a list of tickets says about how many there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TotalCount {
    #[default]
    True,
    Null,
    /// This many more than there are; if negative, fewer.
    Off(i64),
}

/// What `getTicket` answers for a ticket that was deleted, or that the token may not see.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Missing {
    #[default]
    Null,
    /// `entity_does_not_exist`.
    Refused,
    InternalError,
}

/// All habits of an account.
#[derive(Clone, Debug)]
pub struct Habits {
    pub seed: u64,
    pub sort: Sorting,
    pub date_filters: DateFilters,
    pub due_on_pause: DueOnPause,
    /// In a sorted list, two neighbours in every ten are swapped.
    pub swapped_pairs: bool,
    /// A page that ends beyond this many tickets is an internal error.
    pub deepest_row: Option<usize>,
    /// `hasMore` is null on each page.
    pub never_more: bool,
    pub total_count: TotalCount,
    /// Tickets that the token may not see: they are in no list.
    pub hidden: Which,
    pub missing: Missing,
    /// Tickets for which `getTicket` is an internal error, although the lists have them.
    pub unreadable: Which,
    /// What is null in tickets, and what becomes null with it.
    pub holes: Vec<Holes>,
    /// What the schema lacks: a field of a ticket, or `Type.field`.
    pub unknown_fields: BTreeSet<String>,
    /// A query that does not fit the schema is answered with HTTP 400 and the same body.
    pub bad_requests: bool,
    pub no_introspection: bool,
    /// How far the `Date` of the answers is ahead of the account's clock.
    pub date_ahead: TimeDelta,
    /// A machine answers each new ticket at once, which stops its first-response clock.
    pub automatic_responses: bool,
    /// The desk says "Completed" and "Parked" for resolved and on hold.
    pub odd_statuses: bool,
}

impl Default for Habits {
    fn default() -> Self {
        Self {
            seed: 0,
            sort: Sorting::default(),
            date_filters: DateFilters::default(),
            due_on_pause: DueOnPause::default(),
            swapped_pairs: false,
            deepest_row: None,
            never_more: false,
            total_count: TotalCount::default(),
            hidden: Which::None,
            missing: Missing::default(),
            unreadable: Which::None,
            holes: Vec::new(),
            unknown_fields: BTreeSet::new(),
            bad_requests: false,
            no_introspection: false,
            date_ahead: TimeDelta::zero(),
            automatic_responses: false,
            odd_statuses: false,
        }
    }
}

impl Habits {
    /// Returns the `Date` header of an answer at `now`.
    pub fn date_header(&self, now: DateTime<Utc>) -> String {
        (now + self.date_ahead).format("%a, %d %b %Y %H:%M:%S GMT").to_string()
    }
}

/// Applies a habit with this value, if the value makes sense.
type TakeOn = fn(&mut Habits, &str) -> Option<()>;

/// Every habit that the command line knows: its name, an example value if it takes one, and what it does.
pub(super) const HABITS: [(&str, &str, TakeOn); 21] = [
    ("sort", "ignored", |habits, value| {
        habits.sort =
            choice(value, &[("works", Sorting::Works), ("ignored", Sorting::Ignored), ("refused", Sorting::Refused)])?;
        Some(())
    }),
    ("swapped-pairs", "", |habits, value| switch(&mut habits.swapped_pairs, value)),
    ("paging-depth", "10000", |habits, value| {
        habits.deepest_row = Some(value.parse().ok()?);
        Some(())
    }),
    ("never-more", "", |habits, value| switch(&mut habits.never_more, value)),
    ("total-count", "-50", |habits, value| {
        let off = |number| TotalCount::Off(number);
        habits.total_count = if value == "null" { TotalCount::Null } else { off(value.parse().ok()?) };
        Some(())
    }),
    ("null-field", "status", |habits, value| pierce(habits, Hole::Field(value.to_owned()))),
    ("null-row", "", |habits, value| value.is_empty().then_some(()).and_then(|()| pierce(habits, Hole::Row))),
    ("broken-row", "subject", |habits, value| pierce(habits, Hole::BrokenRow(value.to_owned()))),
    ("broken-page", "subject", |habits, value| pierce(habits, Hole::BrokenPage(value.to_owned()))),
    ("unknown-field", "requestType", |habits, value| {
        graphql::is_field(value).then(|| habits.unknown_fields.insert(value.to_owned())).map(|_| ())
    }),
    ("bad-requests", "", |habits, value| switch(&mut habits.bad_requests, value)),
    ("no-introspection", "", |habits, value| switch(&mut habits.no_introspection, value)),
    ("unreadable", "10", |habits, value| which(&mut habits.unreadable, value)),
    ("blind", "", |habits, value| switch(&mut false, value).map(|()| habits.hidden = Which::All)),
    ("hidden", "2", |habits, value| which(&mut habits.hidden, value)),
    ("missing", "refused", |habits, value| {
        let choices =
            [("null", Missing::Null), ("refused", Missing::Refused), ("internal-error", Missing::InternalError)];
        habits.missing = choice(value, &choices)?;
        Some(())
    }),
    ("date-ahead", "90s", |habits, value| {
        habits.date_ahead = duration::parse(value).ok()?;
        Some(())
    }),
    ("date-behind", "90s", |habits, value| {
        habits.date_ahead = -duration::parse(value).ok()?;
        Some(())
    }),
    ("due-on-pause", "never", |habits, value| {
        let (resume, paused) = (DueOnPause::MovesOnResume, DueOnPause::MovesWhilePaused);
        habits.due_on_pause =
            choice(value, &[("resume", resume), ("while-paused", paused), ("never", DueOnPause::Never)])?;
        Some(())
    }),
    ("automatic-responses", "", |habits, value| switch(&mut habits.automatic_responses, value)),
    ("odd-statuses", "", |habits, value| switch(&mut habits.odd_statuses, value)),
];

fn switch(habit: &mut bool, value: &str) -> Option<()> {
    *habit = true;
    value.is_empty().then_some(())
}

fn choice<T: Copy>(value: &str, choices: &[(&str, T)]) -> Option<T> {
    choices.iter().find(|(name, _)| *name == value).map(|(_, choice)| *choice)
}

/// Selects one ticket in this many.
fn which(habit: &mut Which, value: &str) -> Option<()> {
    *habit = Which::OneIn(value.parse().ok().filter(|number| *number > 0)?);
    Some(())
}

fn pierce(habits: &mut Habits, hole: Hole) -> Option<()> {
    hole.field().is_none_or(graphql::is_field).then(|| habits.holes.push(Holes { which: Which::OneIn(ONE_IN), hole }))
}

/// Returns the habit of that name with that value, if there is one and the value makes sense.
pub(super) fn find(name: &str, value: &str) -> Option<Result<TakeOn, &'static str>> {
    let (_, example, take_on) = HABITS.iter().find(|(known, ..)| *known == name)?;
    let fits = take_on(&mut Habits::default(), value).is_some();
    Some(if fits { Ok(*take_on) } else { Err(example) })
}
