//! Judges stored history by other promises, to show how those would have done.
//!
//! Each ticket is judged by the rules that held for it and by the ones on trial,
//! both times from the same changes. A ticket that no policy applies to is judged
//! by SuperOps' own due time. One that vanished is left out; one whose outcome
//! depends on what was never seen is unknown, neither met nor breached.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::clock::{Standing, Truth, Verdict, assess, explain};
use super::history::History;
use super::tenant_rules::TenantRules;
use crate::ticket::ClockKind;
use crate::ticket::watch::{Change, Watched};

/// How one clock came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Met,
    Breached,
    /// Still in time, so it may go either way.
    Open,
    Unknown,
}

/// Returns how clock `kind` of a ticket came out by `now`, judged by `rules`.
pub fn outcome(
    watched: &Watched,
    changes: &[Change],
    kind: ClockKind,
    rules: &TenantRules,
    now: DateTime<Utc>,
) -> Outcome {
    let history = History::tell(watched, changes, |status| rules.meaning_of(status));
    match explain(watched, &history, kind, rules, Truth::Policy, now) {
        Some(clock) => match clock.breached {
            Verdict::Yes => Outcome::Breached,
            Verdict::Perhaps => Outcome::Unknown,
            Verdict::No if clock.state.stop.is_some() => Outcome::Met,
            Verdict::No => Outcome::Open,
        },
        None => reported(watched, kind, rules, now),
    }
}

fn reported(watched: &Watched, kind: ClockKind, rules: &TenantRules, now: DateTime<Utc>) -> Outcome {
    let clock = assess(watched, kind, rules, now);
    match clock.standing {
        // Without a due time there is nothing to meet.
        _ if clock.due.is_none() => Outcome::Unknown,
        _ if clock.breached => Outcome::Breached,
        Standing::Met => Outcome::Met,
        Standing::Unknown | Standing::Cancelled => Outcome::Unknown,
        _ => Outcome::Open,
    }
}

/// How many clocks came out how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub met: usize,
    pub breached: usize,
    pub open: usize,
    pub unknown: usize,
}

impl Tally {
    fn count(&mut self, outcome: Outcome) {
        *match outcome {
            Outcome::Met => &mut self.met,
            Outcome::Breached => &mut self.breached,
            Outcome::Open => &mut self.open,
            Outcome::Unknown => &mut self.unknown,
        } += 1;
    }

    /// Returns the number of all tickets.
    pub fn tickets(&self) -> usize {
        self.met + self.breached + self.open + self.unknown
    }

    /// Returns the share met of those that are decided.
    pub fn share(&self) -> Option<f64> {
        let decided = self.met + self.breached;
        (decided > 0).then(|| self.met as f64 / decided as f64)
    }
}

/// The group that a tally is for, in the order of a report.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    All,
    /// None for tickets without a client.
    Client(Option<String>),
    Priority(Option<String>),
}

/// One group's clocks by the promises that held and by those on trial.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pair {
    pub before: Tally,
    pub after: Tally,
    /// How many come out differently.
    pub changed: usize,
}

/// The comparison of many tickets, by clock and group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    pub pairs: BTreeMap<(ClockKind, Group), Pair>,
}

impl Comparison {
    /// Counts a ticket, judged by `before` and by `after`.
    pub fn add(
        &mut self,
        watched: &Watched,
        changes: &[Change],
        before: &TenantRules,
        after: &TenantRules,
        now: DateTime<Utc>,
    ) {
        if watched.vanished_at.is_some() {
            return;
        }
        for kind in ClockKind::ALL {
            let was = outcome(watched, changes, kind, before, now);
            let would_be = outcome(watched, changes, kind, after, now);
            // Without a message that waits for an answer there is nothing to compare.
            if kind == ClockKind::NextResponse && (was, would_be) == (Outcome::Unknown, Outcome::Unknown) {
                continue;
            }
            for group in groups(watched) {
                let pair = self.pairs.entry((kind, group)).or_default();
                pair.before.count(was);
                pair.after.count(would_be);
                pair.changed += usize::from(was != would_be);
            }
        }
    }
}

fn groups(watched: &Watched) -> [Group; 3] {
    let client = watched.ticket.client.as_ref().map(|client| client.name.clone());
    [Group::All, Group::Client(client), Group::Priority(watched.ticket.priority.clone())]
}

#[cfg(test)]
mod tests;
