//! What was promised about services, and how well it was kept.
//!
//! A component is what the promise is about: a shop, a gateway, or a group of them. A check is how it is looked at. The
//! state of both is kept as spans of one condition, never as counts of results, so that looking more often while
//! something is down does not weigh more. Times are milliseconds since 1970 in UTC, intervals are half-open, and
//! nothing here reads the clock: the same question always gets the same answer.

pub mod availability;
pub mod book;
pub mod budget;
pub mod burn;
pub mod combine;
pub mod credit;
pub mod days;
pub mod flap;
pub mod incident;
pub mod intervals;
pub mod objective;
pub mod observe;
pub mod places;
pub mod sketch;
pub mod spans;
pub mod statement;

use std::fmt;

use serde::{Deserialize, Serialize};

/// Milliseconds since 1970, UTC.
pub type Millis = i64;

pub const SECOND: Millis = 1000;
pub const MINUTE: Millis = 60 * SECOND;
pub const HOUR: Millis = 60 * MINUTE;
pub const DAY: Millis = 24 * HOUR;

/// How long conditions, and what was said about them, are kept.
pub const SPANS_KEPT: Millis = 800 * DAY;

/// The condition of a check or a component, ordered from good to bad. The order decides which of several shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Condition {
    Up,
    /// Nobody knows: we did not look, or could not.
    Unknown,
    /// It answers, but not as it should.
    Degraded,
    Down,
}

impl Condition {
    pub const ALL: [Self; 4] = [Self::Up, Self::Unknown, Self::Degraded, Self::Down];

    /// The word for it in the store and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Unknown => "unknown",
            Self::Degraded => "degraded",
            Self::Down => "down",
        }
    }

    /// Reads what [`Condition::as_str`] gave.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == text)
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The outcome of one look at a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// When the look began.
    pub at: Millis,
    /// `Unknown` if the look could not be made, or saw nothing at all.
    pub verdict: Condition,
    /// What was wrong, for those who fix it; never shown in public.
    pub detail: Option<String>,
}

/// What is wrong with a service that reports to us and says that it is not well.
pub const SAYS_IT_FAILED: &str = "it says that it failed";

impl Outcome {
    /// The service answered as it should.
    pub fn up(at: Millis) -> Self {
        Self { at, verdict: Condition::Up, detail: None }
    }

    /// The service did not answer as it should.
    pub fn bad(at: Millis, verdict: Condition, detail: impl Into<String>) -> Self {
        Self { at, verdict, detail: Some(detail.into()) }
    }
}

/// A time in which one condition held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    pub from: Millis,
    /// None while it still holds.
    pub until: Option<Millis>,
    pub condition: Condition,
}

impl Span {
    /// Returns when it ends, or `now` if it still holds.
    pub fn end(&self, now: Millis) -> Millis {
        self.until.unwrap_or(now)
    }
}
