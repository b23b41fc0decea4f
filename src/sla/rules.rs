//! Tests of the rules of a clock, one for each rule, so that their names read as the list of the rules.
//!
//! - `counting`: what time counts, and when it is up;
//! - `stopping`: when a clock starts and what stops it;
//! - `pausing`: what makes it stand still;
//! - `changing`: other targets, reopened tickets, new owners, tickets that are gone;
//! - `promising`: which policy holds, and which version of it;
//! - `doubting`: data that is missing or cannot be right;
//! - `standing`: the standing of a clock and its level of risk.
//!
//! The tests of `superops` cover how SuperOps' times are written (up to nine digits
//! of a second, no offset, the year 1).
//!
//! The ticket is created on Monday at 09:00, when the office opens; its targets are
//! one hour for the answer and four for the resolution.

mod changing;
mod counting;
mod doubting;
mod pausing;
mod promising;
mod standing;
mod stopping;

use chrono::{DateTime, TimeDelta, Utc};

use super::clock::{Explained, Standing, assess};
use super::policy::{Counts, Policy};
use super::tests::{at, having, on_record, policy, rules, told};
use crate::ticket::ClockKind;
use crate::ticket::watch::{Change, Watched};

const MONDAY_CLOSING: i64 = 510;
const TUESDAY_OPENING: i64 = 24 * 60;

/// The part of a clock that most tests check.
#[derive(Debug, PartialEq)]
struct Answer {
    standing: Standing,
    due: Option<DateTime<Utc>>,
    counted: TimeDelta,
}

fn of(watched: &Watched, changes: &[Change], kind: ClockKind, minute: i64) -> Answer {
    let rules = rules(vec![policy(Counts::Business)]);
    let clock = assess(&having(watched, changes), kind, &rules, at(minute));
    Answer { standing: clock.standing, due: clock.due, counted: clock.used.unwrap() }
}

fn resolution(watched: &Watched, changes: &[Change], minute: i64) -> Answer {
    of(watched, changes, ClockKind::Resolution, minute)
}

/// Runs `check` on the resolution clock.
fn on_clock<T>(
    policies: Vec<Policy>,
    watched: &Watched,
    changes: &[Change],
    minute: i64,
    check: impl FnOnce(&Explained<'_>) -> T,
) -> T {
    let rules = rules(policies);
    check(&on_record(watched, changes, ClockKind::Resolution, &rules, at(minute)).unwrap())
}

fn time(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}
