//! How a ticket as a whole stands, and how many tickets stand how: the single
//! definition that pages, API, command line and metrics count by.

use super::clock::{ClockState, Standing};

/// The standing of a ticket: that of its worst clock that still needs somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TicketStanding {
    /// A running clock is over its target. One that stopped late is history and needs nobody.
    Breached,
    AtRisk,
    OnTrack,
    /// No clock runs until somebody else has done something.
    Paused,
    /// There is no due time, or nothing is due any more.
    NothingDue,
}

impl TicketStanding {
    /// In the order of lists, the worst first.
    pub const ALL: [Self; 5] = [Self::Breached, Self::AtRisk, Self::OnTrack, Self::Paused, Self::NothingDue];

    /// Returns how the ticket with these clocks stands.
    pub fn of(clocks: &[ClockState<'_>]) -> Self {
        clocks.iter().map(Self::of_clock).min().unwrap_or(Self::NothingDue)
    }

    /// Whether a clock of the ticket is over its target and has not stopped, running or paused.
    pub fn is_late(clocks: &[ClockState<'_>]) -> bool {
        clocks.iter().any(|clock| matches!(clock.standing, Standing::Breached { .. }) && clock.stopped_at.is_none())
    }

    fn of_clock(clock: &ClockState<'_>) -> Self {
        match clock.standing {
            Standing::Breached { .. } if clock.running => Self::Breached,
            Standing::AtRisk { .. } => Self::AtRisk,
            Standing::OnTrack { .. } => Self::OnTrack,
            Standing::Paused { .. } => Self::Paused,
            Standing::Breached { .. } if clock.stopped_at.is_none() => Self::Paused,
            _ => Self::NothingDue,
        }
    }

    /// Returns the name used in the API and in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Breached => "breached",
            Self::AtRisk => "at_risk",
            Self::OnTrack => "on_track",
            Self::Paused => "paused",
            Self::NothingDue => "nothing_due",
        }
    }
}

/// How many tickets stand how. Each ticket counts once, so the numbers add up to all of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally([usize; TicketStanding::ALL.len()]);

impl Tally {
    pub fn add(&mut self, ticket: TicketStanding) {
        self.0[ticket as usize] += 1;
    }

    pub fn of(&self, standing: TicketStanding) -> usize {
        self.0[standing as usize]
    }

    pub fn total(&self) -> usize {
        self.0.iter().sum()
    }

    pub fn join(&mut self, other: &Self) {
        for (sum, number) in self.0.iter_mut().zip(other.0) {
            *sum += number;
        }
    }
}

/// All the names that a clock can be counted under.
pub const CLOCK_NAMES: [&str; 8] =
    ["on_track", "at_risk", "breached", "paused", "met", "met_late", "cancelled", "unknown"];

/// Returns the name a clock is counted under: [`Standing::as_str`], but `met_late` for one that stopped late.
pub fn clock_name(clock: &ClockState<'_>) -> &'static str {
    match clock.standing {
        Standing::Breached { .. } if clock.stopped_at.is_some() => "met_late",
        standing => standing.as_str(),
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta};

    use super::*;
    use crate::ticket::ClockKind;

    fn clock(standing: Standing, running: bool, stopped: bool) -> ClockState<'static> {
        let stopped_at = stopped.then_some(DateTime::UNIX_EPOCH);
        ClockState { standing, running, stopped_at, ..ClockState::blank(ClockKind::Resolution) }
    }

    #[test]
    fn a_ticket_stands_as_its_worst_clock_that_is_not_done() {
        use Standing::{Breached, Cancelled, Met, OnTrack, Paused, Unknown};
        let (over, left) = (TimeDelta::minutes(5), TimeDelta::minutes(5));
        let late = clock(Breached { over }, true, false);
        let answered_late = clock(Breached { over }, false, true);
        let waits_late = clock(Breached { over }, false, false);
        let on_track = clock(OnTrack { left }, true, false);
        let paused = clock(Paused { left }, false, false);
        let (met, none) = (clock(Met, false, true), clock(Unknown, false, false));
        let cases = [
            ("late now", vec![late, on_track], TicketStanding::Breached),
            ("answered late, resolution on track", vec![answered_late, on_track], TicketStanding::OnTrack),
            ("answered late, and nothing else is due", vec![answered_late, none], TicketStanding::NothingDue),
            ("late and waiting on the client", vec![met, waits_late], TicketStanding::Paused),
            ("paused", vec![met, paused], TicketStanding::Paused),
            ("without due times", vec![none, none], TicketStanding::NothingDue),
            ("cancelled by hand", vec![met, clock(Cancelled, false, false)], TicketStanding::NothingDue),
        ];
        for (name, clocks, expected) in cases {
            assert_eq!(TicketStanding::of(&clocks), expected, "{name}");
        }
    }

    #[test]
    fn a_clock_that_was_stopped_late_is_counted_apart() {
        let over = TimeDelta::minutes(5);
        assert_eq!(clock_name(&clock(Standing::Breached { over }, true, false)), "breached");
        assert_eq!(clock_name(&clock(Standing::Breached { over }, false, true)), "met_late");
    }
}
