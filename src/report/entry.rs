//! Entries: the decided clocks of tickets, from which all figures are counted.
//!
//! An entry is one clock of one round of one ticket. A clock that was kept is decided when it stops. A missed one is
//! decided at the first instant at which more than its target had been counted, even while the ticket is still open, so
//! that no old breach hides. A cancelled one is excluded, with the reason. What happens to a missed clock after that,
//! its stop and how late it was, is filled in once and belongs to the day of the stop.

mod book;
mod holding;
mod reason;
mod round;
mod stretch;
#[cfg(test)]
pub mod tests;

use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

pub use self::book::{Era, Exchange, Facts, book, next_decision};
pub use self::holding::{Handover, Held, held};
pub use self::reason::Reason;
pub use self::round::{Round, SETTLE, rounds};
pub use self::stretch::by_day;
use crate::sla::clock::Basis;
use crate::ticket::{ClockKind, RefId};

/// Who had a ticket, or gave an answer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", from = "String")]
pub enum Holder {
    /// A person, by the id that SuperOps has.
    Person(RefId),
    /// It was assigned to nobody.
    Nobody,
    /// It was not watched then.
    Unknown,
    /// An automatic answer.
    Automation,
}

impl Holder {
    /// How it is stored. No SuperOps id begins with such a sign.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Person(id) => id.as_str(),
            Self::Nobody => "@nobody",
            Self::Unknown => "@unknown",
            Self::Automation => "@automation",
        }
    }

    /// The person's id, if it is one.
    pub fn person(&self) -> Option<&RefId> {
        match self {
            Self::Person(id) => Some(id),
            _ => None,
        }
    }

    /// In words; a person by the id.
    pub fn words(&self) -> &str {
        match self {
            Self::Person(id) => id.as_str(),
            Self::Nobody => "nobody",
            Self::Unknown => "unknown",
            Self::Automation => "automation",
        }
    }
}

impl From<String> for Holder {
    fn from(text: String) -> Self {
        match text.as_str() {
            "@nobody" => Self::Nobody,
            "@automation" => Self::Automation,
            other => RefId::parse(other).ok().filter(|_| other != "@unknown").map_or(Self::Unknown, Self::Person),
        }
    }
}

impl From<Holder> for String {
    fn from(holder: Holder) -> Self {
        holder.as_str().to_owned()
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.words())
    }
}

/// The result of a clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Met,
    Breached,
    /// It counts neither way.
    Excluded,
}

impl Outcome {
    pub const ALL: [Self; 3] = [Self::Met, Self::Breached, Self::Excluded];

    /// The name used in the store and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Met => "met",
            Self::Breached => "breached",
            Self::Excluded => "excluded",
        }
    }

    /// The outcome of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == name)
    }
}

/// Why a clock counts neither way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exclusion {
    NoTarget,
    NoDueTime,
    Merged,
    Deleted,
    Vanished,
    SlaRemoved,
    ByHand,
    /// Its counted time met a maintenance window: it is excluded by default.
    Maintenance,
}

impl Exclusion {
    pub const ALL: [Self; 8] = [
        Self::NoTarget,
        Self::NoDueTime,
        Self::Merged,
        Self::Deleted,
        Self::Vanished,
        Self::SlaRemoved,
        Self::ByHand,
        Self::Maintenance,
    ];

    /// The name used in the store and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoTarget => "no_target",
            Self::NoDueTime => "no_due_time",
            Self::Merged => "merged",
            Self::Deleted => "deleted",
            Self::Vanished => "vanished",
            Self::SlaRemoved => "sla_removed",
            Self::ByHand => "by_hand",
            Self::Maintenance => "maintenance",
        }
    }

    /// The reason in words.
    pub fn words(self) -> &'static str {
        match self {
            Self::NoTarget => "no policy sets a target",
            Self::NoDueTime => "SuperOps gives no due time",
            Self::Merged => "merged into another ticket",
            Self::Deleted => "deleted",
            Self::Vanished => "no longer in SuperOps",
            Self::SlaRemoved => "the SLA was removed",
            Self::ByHand => "cancelled by hand",
            Self::Maintenance => "maintenance",
        }
    }

    /// The exclusion of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == name)
    }
}

/// One holder's part of a clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    pub holder: Holder,
    /// Out of [`super::share::WHOLE`], by the time counted until the decision.
    pub weight: i64,
    /// Milliseconds, like the next two: up to the stop, or the last known moment.
    pub counted: i64,
    /// Counted past the target.
    pub over: i64,
    pub paused: i64,
}

/// Something about a clock that may be an attempt to improve the figures, or may be nothing: a question, not a verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sign {
    /// Paused with under a tenth of its time left, and kept.
    PausedLate,
    /// Its target was raised after three quarters of the time, or after the breach.
    Raised,
    /// Resolved in the last tenth of its time, and reopened.
    ResolvedLate,
    /// Closed without a reply.
    Unanswered,
    /// Its ticket was removed after the breach.
    Removed,
}

impl Sign {
    pub const ALL: [Self; 5] = [Self::PausedLate, Self::Raised, Self::ResolvedLate, Self::Unanswered, Self::Removed];

    fn bit(self) -> u32 {
        1 << self as u32
    }

    /// The name used in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PausedLate => "paused_late",
            Self::Raised => "raised",
            Self::ResolvedLate => "resolved_late",
            Self::Unanswered => "unanswered",
            Self::Removed => "removed",
        }
    }

    /// What it is, and which cases could have shown it.
    pub fn words(self) -> [&'static str; 2] {
        match self {
            Self::PausedLate => ["paused with under 10 % left, and kept", "kept clocks that were paused"],
            Self::Raised => ["target raised after 75 % of the time or the breach", "clocks whose target was raised"],
            Self::ResolvedLate => ["resolved in the last 10 % of the time, and reopened", "tickets that were reopened"],
            Self::Unanswered => ["closed without a reply", "first responses"],
            Self::Removed => ["removed after the breach", "breaches"],
        }
    }
}

/// A small set of signs, kept as a number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Signs(pub u32);

impl Signs {
    pub fn add_if(&mut self, holds: bool, sign: Sign) {
        if holds {
            self.0 |= sign.bit();
        }
    }

    pub fn has(self, sign: Sign) -> bool {
        self.0 & sign.bit() != 0
    }
}

/// A person's word on why a clock was missed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    pub reason: Reason,
    pub by: Arc<str>,
}

/// One decided clock of one round of one ticket. Lengths of time are milliseconds of counted time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// SuperOps' id.
    pub ticket: Arc<str>,
    pub clock: ClockKind,
    /// From 1: work from the creation or a reopening on; for a next response, the number of the exchange.
    pub round: u32,
    pub outcome: Outcome,
    pub why: Option<Exclusion>,
    pub decided_at: DateTime<Utc>,
    /// The local date of the decision.
    pub day: NaiveDate,
    pub stopped_at: Option<DateTime<Utc>>,
    /// The local date of the stop.
    pub stop_day: Option<NaiveDate>,
    pub target: Option<i64>,
    pub counted: i64,
    pub over: i64,
    pub paused: i64,
    /// What the verdict is based on.
    pub says: Option<Basis>,
    /// Whether SuperOps calls it breached; none: it does not say.
    pub reported: Option<bool>,
    /// Whether it is breached by the policy; none: no policy says.
    pub computed: Option<bool>,
    /// Whether all of its time was watched.
    pub observed: bool,
    /// Who gave the response, where that is known.
    pub answered_by: Option<Holder>,
    /// To whom the plain figures attribute it.
    pub holder: Holder,
    /// SuperOps' id.
    pub client: Option<Arc<str>>,
    pub priority: Option<Arc<str>>,
    pub category: Option<Arc<str>>,
    /// The policy in words, or else the name of the SLA.
    pub policy: Option<Arc<str>>,
    /// The version of the terms that it was judged by.
    pub version: u32,
    /// Whether its counted time met a maintenance window.
    pub maintenance: bool,
    /// Why it was missed, as far as the ticket's history tells.
    pub reason: Option<Reason>,
    /// Why it was missed, according to a person.
    pub said: Option<Said>,
    /// When the ticket came back after this round.
    pub reopened_at: Option<DateTime<Utc>>,
    pub signs: Signs,
    /// The signs it could have shown.
    pub chances: Signs,
    pub shares: Vec<Share>,
    /// When it counted past its target, until it stopped or until now.
    pub overdue: Vec<(DateTime<Utc>, DateTime<Utc>)>,
}

impl Entry {
    /// Whether it is one of the clocks that compliance is about: resolutions of later rounds are not.
    pub fn is_headline(&self) -> bool {
        self.brief().is_headline()
    }

    /// Why it was missed: a person's word comes before what the history tells.
    pub fn final_reason(&self) -> Option<Reason> {
        self.said.as_ref().map(|said| said.reason).or(self.reason)
    }

    /// Whether its outcome counts, with or without maintenance.
    pub fn counts(&self, with_maintenance: bool) -> bool {
        self.brief().counts(with_maintenance)
    }

    /// Why it does not count, if it does not.
    pub fn excluded(&self, with_maintenance: bool) -> Option<Exclusion> {
        match self.outcome {
            Outcome::Excluded => Some(self.why.unwrap_or(Exclusion::Vanished)),
            _ => (self.maintenance && !with_maintenance).then_some(Exclusion::Maintenance),
        }
    }

    /// Whether all that makes up the decision is the same.
    pub fn is_same_decision(&self, other: &Self) -> bool {
        let of = |entry: &Self| {
            let whole = |share: &Share| (share.holder.clone(), share.weight);
            (
                (entry.outcome, entry.why, entry.decided_at, entry.target, entry.says, entry.holder.clone()),
                (entry.client.clone(), entry.priority.clone(), entry.category.clone(), entry.policy.clone()),
                (entry.version, entry.maintenance, entry.reported, entry.computed),
                entry.shares.iter().filter(|share| share.weight > 0).map(whole).collect::<Vec<_>>(),
            )
        };
        of(self) == of(other)
    }
}
