//! How often to query: as often as the next due time deserves and the budget allows.

use chrono::{DateTime, TimeDelta, Utc};

use crate::sla::night::Night;

/// The number of tickets on SuperOps' largest page.
const PAGE: usize = 100;

/// Sweeping more often would find little that the changes have not shown.
const SHORTEST_SWEEP: TimeDelta = TimeDelta::minutes(1);
/// The longest time until an open ticket that left without a trace is noticed, however large the account.
const LONGEST_SWEEP: TimeDelta = TimeDelta::minutes(5);
/// How often all tickets are read, if the shorter readings work.
const DAY: TimeDelta = TimeDelta::days(1);
/// A night sooner than this after a pass does not count as the next one.
const BETWEEN_PASSES: TimeDelta = TimeDelta::hours(6);
/// The longest delay until edits of closed tickets are seen, if sorting by update does not work.
const WITHOUT_SORT: TimeDelta = TimeDelta::hours(1);
/// The longest wait between two tries while SuperOps does not answer.
const LONGEST_BACKOFF: TimeDelta = TimeDelta::minutes(5);
const SHORTEST_BACKOFF: TimeDelta = TimeDelta::seconds(5);

/// Returns the time between two sweeps of `open` tickets, which take a quarter of the budget at most.
pub fn sweep_interval(open: usize, budget: u32) -> TimeDelta {
    pages_in_a_quarter(open, budget).clamp(SHORTEST_SWEEP, LONGEST_SWEEP)
}

/// Returns when the next pass over all `tickets` is due, after the one that began at `last`. That is a quiet hour of
/// the next night, unless the pass has to stand in for the sweep or for the changes; then it is as often as a quarter
/// of the budget allows.
pub fn next_pass(last: DateTime<Utc>, tickets: u64, budget: u32, works: ListSupport, night: &Night) -> DateTime<Utc> {
    let affordable = pages_in_a_quarter(usize::try_from(tickets).unwrap_or(usize::MAX), budget).min(DAY);
    match (works.filter, works.sort) {
        (true, true) => night.next(last + BETWEEN_PASSES),
        (true, false) => last + affordable.max(WITHOUT_SORT),
        (false, _) => last + affordable.max(SHORTEST_SWEEP),
    }
}

/// Which options of a list SuperOps supports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListSupport {
    pub sort: bool,
    pub filter: bool,
}

/// Returns how long a quarter of the budget takes to read that many tickets.
fn pages_in_a_quarter(tickets: usize, budget: u32) -> TimeDelta {
    let pages = i64::try_from(tickets.div_ceil(PAGE).max(1)).unwrap_or(i64::MAX);
    let share = i64::from(budget / 4).max(1);
    TimeDelta::try_seconds(pages.saturating_mul(60) / share).unwrap_or(DAY)
}

/// Returns when to ask for changes again.
///
/// Every `interval`; four times as often, but not more than once a second,
/// while a ticket is due within the next two intervals. Never so often that
/// this alone takes more than half the budget, where the changes fill `pages`
/// as they did last.
pub fn next_poll(
    interval: TimeDelta,
    budget: u32,
    pages: u32,
    now: DateTime<Utc>,
    next_due: Option<DateTime<Utc>>,
) -> DateTime<Utc> {
    let near = next_due.is_some_and(|due| due - now <= interval * 2);
    let wanted = if near { (interval / 4).max(TimeDelta::seconds(1)).min(interval) } else { interval };
    let affordable = TimeDelta::milliseconds(2 * 60_000 * i64::from(pages) / i64::from(budget.max(1)));
    now + wanted.max(affordable)
}

/// Returns how long to wait after that many failed turns in a row.
pub fn backoff(interval: TimeDelta, failures: u32) -> TimeDelta {
    let first = interval.clamp(SHORTEST_BACKOFF, LONGEST_BACKOFF);
    let factor = 1 << failures.saturating_sub(1).min(6);
    (first * factor).min(LONGEST_BACKOFF)
}

#[cfg(test)]
mod tests {
    use crate::sla::zone::Tz;

    use super::*;

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + second, 0).unwrap()
    }

    #[test]
    fn a_sweep_takes_a_quarter_of_the_budget_at_the_most() {
        let cases = [
            ("a small desk: each minute", 300, 60, 60),
            ("1,500 tickets: 15 pages, a quarter of 60", 1_500, 60, 60),
            ("one page more", 1_501, 60, 64),
            ("5,000 tickets", 5_000, 60, 200),
            ("a larger budget", 5_000, 100, 120),
            ("never rarer than each five minutes", 20_000, 60, 300),
            ("a budget that has shrunk to nothing", 500, 1, 300),
        ];
        for (name, open, budget, seconds) in cases {
            assert_eq!(sweep_interval(open, budget), TimeDelta::seconds(seconds), "{name}");
        }
    }

    #[test]
    fn a_pass_that_stands_in_for_others_runs_more_often() {
        let works = |filter, sort| ListSupport { sort, filter };
        let cases = [
            ("no filter: 100 pages, 15 a minute", 10_000, works(false, true), TimeDelta::seconds(400)),
            ("neither", 10_000, works(false, false), TimeDelta::seconds(400)),
            ("no order, but the sweep works", 10_000, works(true, false), TimeDelta::hours(1)),
            ("a large account without a filter", 100_000_000, works(false, true), TimeDelta::days(1)),
        ];
        for (name, tickets, works, expected) in cases {
            assert_eq!(
                next_pass(at(0), tickets, 60, works, &Night::new(None, None, Tz::UTC)),
                at(0) + expected,
                "{name}"
            );
        }
    }

    #[test]
    fn the_pass_over_all_tickets_runs_at_three_in_the_night_of_the_desk() {
        let works = ListSupport { sort: true, filter: true };
        let cases = [
            ("begun in the morning", "2027-01-15T09:00:00Z"),
            ("begun at two: the next night", "2027-01-15T02:00:00Z"),
            ("begun in the evening", "2027-01-15T20:00:00Z"),
        ];
        for (name, last) in cases {
            let expected: DateTime<Utc> = "2027-01-16T03:00:00Z".parse().unwrap();
            let night = Night::new(None, None, Tz::UTC);
            assert_eq!(next_pass(last.parse().unwrap(), 10_000, 60, works, &night), expected, "{name}");
        }
    }

    #[test]
    fn a_due_time_that_is_near_is_watched_more_closely() {
        let cases = [
            ("nothing due", 60, 60, 1, None, 60_000),
            ("due in just over two intervals", 60, 60, 1, Some(121), 60_000),
            ("due in two intervals", 60, 60, 1, Some(120), 15_000),
            ("due now", 60, 60, 1, Some(0), 15_000),
            ("half the budget is the limit", 60, 6, 1, Some(60), 20_000),
            ("also when nothing is due", 1, 60, 1, None, 2_000),
            ("not more than once a second", 2, 1_000, 1, Some(3), 1_000),
            ("ten thousand changed tickets, which are read again each time", 5, 800, 101, None, 15_150),
        ];
        for (name, interval, budget, pages, due, expected) in cases {
            let next = next_poll(TimeDelta::seconds(interval), budget, pages, at(0), due.map(at));
            assert_eq!(next - at(0), TimeDelta::milliseconds(expected), "{name}");
        }
    }

    #[test]
    fn an_outage_is_tried_ever_more_rarely() {
        let waits: Vec<i64> = (1..=5).map(|n| backoff(TimeDelta::seconds(60), n).num_seconds()).collect();
        assert_eq!(waits, [60, 120, 240, 300, 300]);
        assert_eq!(backoff(TimeDelta::seconds(2), 1), TimeDelta::seconds(5));
        assert_eq!(backoff(TimeDelta::seconds(2), u32::MAX), TimeDelta::minutes(5));
    }
}
