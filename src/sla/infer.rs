//! Infers which targets SuperOps seems to promise from its own due times.
//!
//! SuperOps shows when a ticket is due, but never the rule behind it. Tickets of
//! one SLA and priority were promised the same working time, so the commonest
//! time between creation and due date, counted by the right calendar, is the
//! target. A wrong calendar scatters the times; the right one gathers them. The
//! result is a proposal, with the number of tickets that agree, for a person to adopt.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, TimeDelta, Utc};

use super::calendar::Calendar;
use super::policy::Counts;
use super::tenant_rules::TenantRules;
use crate::ticket::watch::{Change, ChangeKind, Watched};
use crate::ticket::{ClockKind, StatusWords};

/// The fewest tickets whose agreement is not put down to chance.
const FEW: usize = 3;

/// The hours that a promise may have been counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reading {
    RoundTheClock,
    /// The MSP's own hours.
    MspHours,
    /// The hours of the client's site.
    SiteHours,
}

impl Reading {
    /// Returns what a policy must say to be counted in these hours.
    pub fn counts(self) -> Counts {
        match self {
            Self::RoundTheClock => Counts::Calendar,
            Self::MspHours | Self::SiteHours => Counts::Business,
        }
    }

    /// Returns the name used in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RoundTheClock => "round_the_clock",
            Self::MspHours => "msp_hours",
            Self::SiteHours => "site_hours",
        }
    }

    /// Returns the readings, the simplest first: of equally good ones the earlier is chosen.
    fn by_simplicity(own: Self) -> [Self; 3] {
        match own {
            Self::SiteHours => [Self::RoundTheClock, Self::SiteHours, Self::MspHours],
            _ => [Self::RoundTheClock, Self::MspHours, Self::SiteHours],
        }
    }
}

/// The evidence of one ticket: its creation, its due times, and the hours they may have been counted in.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'a> {
    pub sla: &'a str,
    pub priority: Option<&'a str>,
    pub created_at: DateTime<Utc>,
    /// In the order of [`ClockKind::REPORTED`].
    pub due: [Option<DateTime<Utc>>; 2],
    pub msp: &'a Calendar,
    pub site: &'a Calendar,
}

impl<'a> Evidence<'a> {
    /// Returns the evidence of `watched`, unless it vanished or has no SLA, no creation or no due time.
    ///
    /// `msp` and `site` are the same rules with the hours of the MSP and of the site.
    pub fn of(watched: &'a Watched, msp: &'a TenantRules, site: &'a TenantRules) -> Option<Self> {
        let ticket = &watched.ticket;
        let due = ClockKind::REPORTED.map(|clock| ticket.reported(clock).due);
        if watched.vanished_at.is_some() || due.iter().all(Option::is_none) {
            return None;
        }
        Some(Self {
            sla: ticket.sla.as_ref()?.name.trim(),
            priority: ticket.priority.as_deref().map(str::trim),
            created_at: ticket.created_at?,
            due,
            msp: msp.working_hours(ticket).0.calendar,
            site: site.working_hours(ticket).0.calendar,
        })
    }

    /// Returns the minutes that `clock` was given by `reading`; none unless they are more than zero.
    fn minutes(&self, clock: usize, reading: Reading) -> Option<i64> {
        let due = self.due[clock]?;
        let counted = match reading {
            Reading::RoundTheClock => due - self.created_at,
            Reading::MspHours => self.msp.between(self.created_at, due),
            Reading::SiteHours => self.site.between(self.created_at, due),
        };
        let half = if counted < TimeDelta::zero() { -30 } else { 30 };
        Some((counted.num_seconds() + half) / 60).filter(|minutes| *minutes > 0)
    }
}

/// Whether the ticket was ever seen paused, which may have moved its due time.
pub fn was_paused(watched: &Watched, history: &[Change], words: &StatusWords) -> bool {
    let paused = |status: Option<&str>| words.meaning(status).is_paused();
    let of_status = history.iter().filter(|change| matches!(change.kind, ChangeKind::Status | ChangeKind::FirstSeen));
    paused(watched.ticket.status.as_deref())
        || of_status.flat_map(|change| [&change.from, &change.to]).any(|status| paused(status.as_deref()))
}

/// The commonest target of one clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Guess {
    pub target: TimeDelta,
    /// How many of the `of` tickets with a due time have exactly this target.
    pub agree: usize,
    pub of: usize,
}

impl Guess {
    /// Returns the share of the tickets that agree.
    pub fn share(&self) -> f64 {
        self.agree as f64 / self.of as f64
    }

    /// Whether the agreement could well be chance.
    pub fn is_weak(&self) -> bool {
        self.agree < FEW || self.agree * 2 < self.of
    }
}

/// What one SLA seems to promise for one priority.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    pub sla: String,
    /// None for the tickets without a priority.
    pub priority: Option<String>,
    pub reading: Reading,
    /// In the order of [`ClockKind::REPORTED`].
    pub targets: [Option<Guess>; 2],
    pub tickets: usize,
}

impl Proposal {
    /// Whether too few tickets agree to adopt it without a second look.
    pub fn is_weak(&self) -> bool {
        self.targets.iter().flatten().any(Guess::is_weak)
    }

    /// Returns the target that `clock` seems to have.
    pub fn target(&self, clock: ClockKind) -> Option<Guess> {
        self.targets.get(clock as usize).copied().flatten()
    }

    fn agreement(&self) -> usize {
        self.targets.iter().flatten().map(|guess| guess.agree).sum()
    }
}

/// Infers what each SLA seems to promise for each priority; by SLA, then the shortest target first.
///
/// `own` is the hours that the tenant is configured to count. Of two readings that
/// gather equally many tickets the simpler wins, and the tenant's own hours before others.
pub fn infer<'a>(evidence: impl IntoIterator<Item = Evidence<'a>>, own: Reading) -> Vec<Proposal> {
    let mut groups: BTreeMap<(String, Option<String>), Vec<Evidence<'a>>> = BTreeMap::new();
    for one in evidence {
        let key = (one.sla.to_lowercase(), one.priority.map(str::to_lowercase));
        groups.entry(key).or_default().push(one);
    }
    let mut proposals: Vec<Proposal> = groups.values().filter_map(|group| best(group, own)).collect();
    proposals.sort_by_cached_key(rank);
    proposals
}

/// Returns the sort key. A policy without a priority matches every ticket of its SLA, so it comes last.
fn rank(proposal: &Proposal) -> (String, bool, [Option<TimeDelta>; 2], Option<String>) {
    let targets = proposal.targets.map(|guess| guess.map(|guess| guess.target));
    (proposal.sla.to_lowercase(), proposal.priority.is_none(), targets, proposal.priority.clone())
}

/// Returns the proposal of the reading by which most tickets agree.
fn best(group: &[Evidence<'_>], own: Reading) -> Option<Proposal> {
    let mut found: Option<Proposal> = None;
    for reading in Reading::by_simplicity(own) {
        let proposal = read(group, reading)?;
        if found.as_ref().is_none_or(|best| best.agreement() < proposal.agreement()) {
            found = Some(proposal);
        }
    }
    found.filter(|proposal| proposal.agreement() > 0)
}

fn read(group: &[Evidence<'_>], reading: Reading) -> Option<Proposal> {
    let first = group.first()?;
    Some(Proposal {
        sla: first.sla.to_owned(),
        priority: first.priority.map(str::to_owned),
        reading,
        targets: [0, 1].map(|clock| commonest(group.iter().filter_map(|one| one.minutes(clock, reading)))),
        tickets: group.len(),
    })
}

/// Returns the commonest of `minutes`; the shortest of a tie, so that the answer is always the same.
fn commonest(minutes: impl Iterator<Item = i64>) -> Option<Guess> {
    let mut tally: HashMap<i64, usize> = HashMap::new();
    for minutes in minutes {
        *tally.entry(minutes).or_default() += 1;
    }
    let of = tally.values().sum();
    let (minutes, agree) = tally.into_iter().max_by_key(|(minutes, count)| (*count, -minutes))?;
    Some(Guess { target: TimeDelta::minutes(minutes), agree, of })
}

#[cfg(test)]
mod tests;
