//! What a person decided about a clock, against what SuperOps or a policy says.
//!
//! A decision holds for the cycle in which it was made: a ticket that comes back
//! is watched again. It is never without a reason and the name of who made it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::ClockKind;

/// What was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ruling {
    /// It is due then, whatever anybody else says.
    Due(DateTime<Utc>),
    /// It was met, or came to its end, then.
    StoppedAt(DateTime<Utc>),
    /// There is nothing to keep.
    Cancelled,
}

impl Ruling {
    /// The name used in the store and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Due(_) => "due",
            Self::StoppedAt(_) => "stopped_at",
            Self::Cancelled => "cancelled",
        }
    }

    /// The moment that it names.
    pub fn time(self) -> Option<DateTime<Utc>> {
        match self {
            Self::Due(at) | Self::StoppedAt(at) => Some(at),
            Self::Cancelled => None,
        }
    }
}

/// A decision about one clock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Override {
    pub clock: ClockKind,
    /// The cycle of the ticket that it speaks of.
    pub cycle: u32,
    pub ruling: Ruling,
    /// Text of a person: escape before showing.
    pub reason: String,
    /// Who decided: the name of a token.
    pub by: String,
    /// When it was decided.
    pub at: DateTime<Utc>,
}

impl Override {
    /// Clock and ruling in words, as the ticket's story and the audit log tell them.
    pub fn words(&self) -> String {
        let time = self.ruling.time().map(|at| format!(" {}", at.to_rfc3339())).unwrap_or_default();
        format!("{} {}{time}", self.clock.words(), self.ruling.as_str())
    }
}

/// What [`Override::words`] told.
pub fn told(words: &str) -> Option<(ClockKind, Ruling)> {
    let of = |clock: ClockKind| Some((clock, words.strip_prefix(clock.words())?.trim_start()));
    let (clock, ruling) = ClockKind::ALL.into_iter().find_map(of)?;
    let (name, time) = ruling.split_once(' ').unwrap_or((ruling, ""));
    let time = || time.parse().ok();
    let known = [time().map(Ruling::Due), time().map(Ruling::StoppedAt), Some(Ruling::Cancelled)];
    Some((clock, known.into_iter().flatten().find(|known| known.as_str() == name)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_of_a_decision_can_be_read_again() {
        let at: DateTime<Utc> = "2026-11-23T09:00:00.250Z".parse().unwrap();
        for clock in ClockKind::ALL {
            for ruling in [Ruling::Due(at), Ruling::StoppedAt(at), Ruling::Cancelled] {
                let decided = Override { clock, cycle: 0, ruling, reason: "agreed".into(), by: "Ada".into(), at };
                assert_eq!(told(&decided.words()), Some((clock, ruling)));
            }
        }
        assert_eq!(told("resolution due soon"), None);
        assert_eq!(told("lunch due 2026-11-23T09:00:00Z"), None);
    }
}
