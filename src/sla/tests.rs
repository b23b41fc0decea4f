//! A desk and a ticket for the tests of the clocks: created on a Monday at 09:00 UTC, when the office opens.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

use super::calendar::{Calendar, CalendarSpec};
use super::clock::{Explained, Truth, explain};
use super::history::History;
use super::policy::{Counts, Policy};
use super::tenant_rules::{RulesConfig, TenantRules, Warn};
use crate::sla::zone::Tz;
pub use crate::ticket::tests::named;
use crate::ticket::tests::sample;
use crate::ticket::watch::{Bounds, Change, ChangeKind, Watched, past};
use crate::ticket::{ClockKind, Directory, StatusWords, TenantId, Ticket};

/// Returns a moment in minutes after the ticket's creation, Monday 23 November 2026, 09:00 UTC.
pub fn at(minutes: i64) -> DateTime<Utc> {
    "2026-11-23T09:00:00Z".parse::<DateTime<Utc>>().unwrap() + TimeDelta::minutes(minutes)
}

pub fn mins(minutes: i64) -> TimeDelta {
    TimeDelta::minutes(minutes)
}

pub fn between(earliest: i64, latest: i64) -> Bounds {
    Bounds { earliest: at(earliest), latest: at(latest) }
}

/// Returns a change that is known to have happened at one minute.
pub fn change(kind: ChangeKind, from: &str, to: &str, minute: i64) -> Change {
    seen(kind, from, to, between(minute, minute))
}

pub fn seen(kind: ChangeKind, from: &str, to: &str, at: Bounds) -> Change {
    let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    Change { kind, from: text(from), to: text(to), at }
}

pub fn status(from: &str, to: &str, minute: i64) -> Change {
    change(ChangeKind::Status, from, to, minute)
}

/// Returns a ticket created at 0, first read at 1, last read at 10,000, and now in `status`.
pub fn watched(status: &str) -> Watched {
    let ticket = Ticket {
        display_id: "231126-0007".into(),
        subject: "Mail server down".into(),
        status: Some(status.into()),
        priority: Some("High".into()),
        client: Some(named("Initech")),
        technician: Some(named("Mia")),
        sla: Some(named("Gold")),
        created_at: Some(at(0)),
        updated_at: Some(at(0)),
        ..sample("7")
    };
    Watched { first_seen_at: at(1), ..Watched::new(ticket, between(10_000, 10_000)) }
}

/// Returns a calendar open Monday to Friday, 09:00 to 17:30 London time, but not on 25 December.
pub fn office() -> Arc<Calendar> {
    let mut week: [Vec<(u16, u16)>; 7] = Default::default();
    week[..5].fill(vec![(540, 1050)]);
    Arc::new(
        Calendar::compile(CalendarSpec {
            name: "head-office".into(),
            timezone: Tz::named("Europe/London"),
            always: false,
            week,
            holidays: BTreeSet::from([NaiveDate::from_ymd_opt(2023, 12, 25).unwrap()]),
            yearly: BTreeSet::new(),
        })
        .unwrap(),
    )
}

/// Returns a policy for every ticket: one hour to answer and four to resolve.
pub fn policy(counts: Counts) -> Policy {
    Policy {
        tenant: None,
        sla: None,
        priority: None,
        client: None,
        category: None,
        response: Some(mins(60)),
        resolution: Some(mins(240)),
        next_response: None,
        counts,
    }
}

/// Returns a policy for tickets of `priority`, with the minutes to resolve in office hours.
pub fn for_priority(priority: &str, resolution: i64) -> Policy {
    Policy { priority: Some(priority.into()), resolution: Some(mins(resolution)), ..policy(Counts::Business) }
}

/// Returns rules that warn when three quarters of the time have passed.
pub fn rules(policies: Vec<Policy>) -> TenantRules {
    rules_with(StatusWords::default(), policies)
}

pub fn rules_with(words: StatusWords, policies: Vec<Policy>) -> TenantRules {
    TenantRules::new(RulesConfig { words, ..rules_config(policies) }, &Directory::default())
}

/// Returns the rules of the desk.
pub fn rules_config(policies: Vec<Policy>) -> RulesConfig {
    RulesConfig {
        tenant: TenantId::parse("acme").unwrap(),
        words: StatusWords::default(),
        site_hours: false,
        msp: Some(office()),
        holiday_lists: BTreeMap::new(),
        policies,
        warn: Warn { at: vec![0.75], left: Vec::new() },
        automation_answers: true,
    }
}

/// Returns the ticket with `changes` seen.
pub fn having(watched: &Watched, changes: &[Change]) -> Watched {
    Watched { past: past(changes), ..watched.clone() }
}

/// Returns the history of `watched` with `changes` seen.
pub fn told(watched: &Watched, changes: &[Change]) -> History {
    let words = StatusWords::default();
    History::tell(&having(watched, changes), changes, |status| words.meaning(status))
}

/// Explains the clock that people are told about.
pub fn on_record<'a>(
    watched: &Watched,
    changes: &[Change],
    kind: ClockKind,
    rules: &'a TenantRules,
    now: DateTime<Utc>,
) -> Option<Explained<'a>> {
    explain(watched, &told(watched, changes), kind, rules, Truth::Record, now)
}

/// Explains the clock by the policy alone.
pub fn by_policy<'a>(
    watched: &Watched,
    changes: &[Change],
    kind: ClockKind,
    rules: &'a TenantRules,
    now: DateTime<Utc>,
) -> Option<Explained<'a>> {
    explain(watched, &told(watched, changes), kind, rules, Truth::Policy, now)
}
