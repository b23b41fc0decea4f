//! Decisions of people about a clock that override SuperOps and the policies.
//!
//! A decision holds for the cycle in which it was made: a reopened ticket is
//! watched again. It always has a reason and the name of the person who made it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::ClockKind;

/// What was decided about a clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OverrideAction {
    /// It is due then, whatever SuperOps or a policy says.
    Due(DateTime<Utc>),
    /// It was met, or ended, then.
    StoppedAt(DateTime<Utc>),
    /// There is no promise to keep.
    Cancelled,
}

impl OverrideAction {
    /// Returns the name used in the store and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Due(_) => "due",
            Self::StoppedAt(_) => "stopped_at",
            Self::Cancelled => "cancelled",
        }
    }

    /// Returns the moment that it names, if any.
    pub fn time(self) -> Option<DateTime<Utc>> {
        match self {
            Self::Due(at) | Self::StoppedAt(at) => Some(at),
            Self::Cancelled => None,
        }
    }
}

/// A decision about one clock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManualOverride {
    pub clock: ClockKind,
    /// The cycle of the ticket that it holds for.
    pub cycle: u32,
    #[serde(rename = "ruling")]
    pub action: OverrideAction,
    /// Text that a person wrote: escape it before showing it.
    pub reason: String,
    /// Who decided: the name of an API token.
    pub by: String,
    /// When it was decided.
    pub at: DateTime<Utc>,
}

impl ManualOverride {
    /// Returns clock and action in words, as recorded in the ticket's history and the audit log.
    pub fn words(&self) -> String {
        let time = self.action.time().map(|at| format!(" {}", at.to_rfc3339())).unwrap_or_default();
        format!("{} {}{time}", self.clock.words(), self.action.as_str())
    }
}

/// Parses what [`ManualOverride::words`] wrote.
pub fn told(words: &str) -> Option<(ClockKind, OverrideAction)> {
    let of = |clock: ClockKind| Some((clock, words.strip_prefix(clock.words())?.trim_start()));
    let (clock, action) = ClockKind::ALL.into_iter().find_map(of)?;
    let (name, time) = action.split_once(' ').unwrap_or((action, ""));
    let time = || time.parse().ok();
    let known =
        [time().map(OverrideAction::Due), time().map(OverrideAction::StoppedAt), Some(OverrideAction::Cancelled)];
    Some((clock, known.into_iter().flatten().find(|known| known.as_str() == name)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_of_a_decision_can_be_read_again() {
        let at: DateTime<Utc> = "2026-11-23T09:00:00.250Z".parse().unwrap();
        for clock in ClockKind::ALL {
            for action in [OverrideAction::Due(at), OverrideAction::StoppedAt(at), OverrideAction::Cancelled] {
                let decided = ManualOverride { clock, cycle: 0, action, reason: "agreed".into(), by: "Ada".into(), at };
                assert_eq!(told(&decided.words()), Some((clock, action)));
            }
        }
        assert_eq!(told("resolution due soon"), None);
        assert_eq!(told("lunch due 2026-11-23T09:00:00Z"), None);
    }
}
