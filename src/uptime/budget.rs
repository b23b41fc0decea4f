//! How the time that a promise allows to be lost is being used up.
//!
//! A promise that is missed stays missed until its period is over. Before that, time that is lost too fast, mostly used
//! up, or not going to last is worth an alert while something can still be done.

use super::availability::{Record, Terms, allowed, figure, whole_period};
use super::burn::{PAIRS, Pair, burning};
use super::days::Period;
use super::intervals::Interval;
use super::{MINUTE, Millis};
use crate::alert::AlertKey;
use crate::alert::component::{promise_cycle, promise_of};

/// From this share used up on, in percent, little is left.
const MOSTLY: i64 = 75;
/// A little that was lost early in a period predicts nothing: at least this share must be gone, in percent.
const TELLING: i64 = 25;
/// And at least this share of the period must be over, in percent.
const SEEN: i64 = 10;
/// The least lost time worth an alert.
const LEAST: Millis = MINUTE;

/// What is wrong with a budget, the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spending {
    /// More was lost than allowed: the promise can no longer be kept.
    Missed,
    /// It is being lost faster than allowed, by this factor in tenths.
    Fast { tenfold_rate: u32 },
    /// This share of it is gone, in percent.
    Mostly { percent: i64 },
    /// At the rate of the period so far it will be used up before the end.
    WillNotLast,
}

/// The state of a budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    pub lost: Millis,
    pub allowed: Millis,
    /// None if nothing is wrong with it.
    pub spending: Option<Spending>,
    /// It was being lost too fast and has only just stopped; it is too early to call that over.
    pub is_cooling: bool,
}

/// Returns the state of the budget of the period `span` at `now`. `interval` is how often the service is looked at: one
/// failed look is no proof, however much of a budget it makes up.
pub fn budget(record: &Record<'_>, terms: &Terms, span: Interval, interval: Millis, now: Millis) -> Budget {
    let found = figure(record, terms, span, now);
    let whole = whole_period(record, terms, span);
    let allowed = allowed(terms, whole);
    let (lost, is_small) = (found.lost, found.lost < LEAST.min(2 * interval));
    let in_last = |window: Millis| {
        let figure = figure(record, terms, (now - window, now), now);
        // A service first watched within the window counts as not down before.
        (figure.lost, figure.counted + (record.since - (now - window)).max(0))
    };
    let proven = |window: Millis| {
        let (lost, counted) = in_last(window);
        (if lost < (3 * interval).min(window) { 0 } else { lost }, counted)
    };
    // A single outage was announced as such, and is over.
    let goes_on = |pair: &Pair| {
        let figure = figure(record, terms, (now - pair.long, now), now);
        figure.outages > 1 || figure.degraded > 0
    };
    let fast = burning(terms.target, proven, goes_on);
    let fast = fast.map(|pair| Spending::Fast { tenfold_rate: pair.tenfold_rate });
    let percent = i128::from(lost) * 100 / i128::from(allowed.max(1));
    let percent = i64::try_from(percent).unwrap_or(i64::MAX);
    let rate = |part: Millis, of: Millis| i128::from(part) * i128::from(of);
    let spending = match fast {
        _ if lost > allowed && lost > 0 => Some(Spending::Missed),
        Some(fast) => Some(fast),
        None if is_small => None,
        None if percent >= MOSTLY => Some(Spending::Mostly { percent }),
        None if rate(found.counted, 100) < rate(whole, SEEN) => None,
        None if percent >= TELLING && rate(lost, whole) > rate(allowed, found.counted) => Some(Spending::WillNotLast),
        None => None,
    };
    let still = burning(terms.target, |window| proven(long_of(window)), goes_on);
    let is_cooling = spending.is_none() && still.is_some();
    Budget { lost, allowed, spending, is_cooling }
}

/// Returns the long window of the pair whose short one is `window`, or `window` itself if it is a long one.
fn long_of(window: Millis) -> Millis {
    PAIRS.iter().find(|pair| pair.short == window).map_or(window, |pair| pair.long)
}

/// Returns the cycle, in seconds, that names the alerts on a promise by `period` whose present period began at `began`.
pub fn named_after(began: u32, period: Period) -> u32 {
    promise_cycle(began, number_of(period))
}

/// Whether an alert with this `key` is about a promise by `period`.
pub fn is_of_promise(key: &AlertKey, period: Period) -> bool {
    promise_of(key) == Some(number_of(period))
}

/// A component has at most one promise for each kind of period. Stored alerts contain these numbers.
fn number_of(period: Period) -> u32 {
    match period {
        Period::Month => 0,
        Period::Quarter => 1,
        Period::Year => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::AlertKind;
    use crate::alert::component::are_of_one_kind;
    use crate::sla::zone::Tz;
    use crate::uptime::spans::Timeline;
    use crate::uptime::{Condition, DAY, HOUR};

    /// The first of June 2026.
    const JUNE: Millis = 1_780_272_000_000;
    const SPAN: Interval = (JUNE, JUNE + 30 * DAY);

    /// Returns the budget at the moment `at` of June, after two outages of half of `down` each, a minute apart, that
    /// ended `ago` earlier.
    fn after(at: Millis, ago: Millis, down: Millis) -> Budget {
        let end = JUNE + at - ago;
        let mut line = Timeline::default();
        line.set(JUNE - DAY, Condition::Up);
        if down > 0 {
            line.set(end - MINUTE - down, Condition::Down);
            line.set(end - MINUTE - down / 2, Condition::Up);
            line.set(end - down / 2, Condition::Down);
            line.set(end, Condition::Up);
        }
        budget_of(&line, JUNE + at)
    }

    fn budget_of(line: &Timeline, now: Millis) -> Budget {
        let record = Record { spans: line.spans(), windows: &[], slow: &[], since: JUNE - DAY, ended: None };
        budget(&record, &Terms::usual(99_900, Tz::UTC), SPAN, MINUTE, now)
    }

    #[test]
    fn what_is_wrong_with_a_budget_is_named_by_the_worst_of_it() {
        let spending = |at, ago, down| after(at, ago, down).spending;
        // 43 min 12 s of June are allowed.
        assert_eq!(spending(10 * DAY, 0, 0), None);
        assert_eq!(spending(10 * DAY, 0, MINUTE), None, "one failed look, though it makes more than 14.4 times");
        assert_eq!(spending(10 * DAY, 0, 3 * MINUTE), Some(Spending::Fast { tenfold_rate: 144 }));
        assert_eq!(spending(20 * DAY, 5 * DAY, 33 * MINUTE), Some(Spending::Mostly { percent: 76 }));
        assert_eq!(spending(5 * DAY, 4 * DAY, 12 * MINUTE), Some(Spending::WillNotLast));
        assert_eq!(spending(2 * DAY, 30 * HOUR, 12 * MINUTE), None, "too early to tell");
        assert_eq!(spending(10 * DAY, HOUR, 8 * MINUTE), Some(Spending::Fast { tenfold_rate: 10 }), "for days");
        assert_eq!(spending(25 * DAY, 20 * DAY, 12 * MINUTE), None, "it lasts");
        assert_eq!(spending(25 * DAY, 20 * DAY, 43 * MINUTE + 12_000), Some(Spending::Mostly { percent: 100 }));
        assert_eq!(spending(25 * DAY, 20 * DAY, 43 * MINUTE + 12_001), Some(Spending::Missed), "one millisecond more");
    }

    #[test]
    fn one_outage_that_is_over_burns_no_more() {
        let mut line = Timeline::default();
        line.set(JUNE - DAY, Condition::Up);
        line.set(JUNE + 20 * DAY, Condition::Down);
        line.set(JUNE + 20 * DAY + 4 * MINUTE, Condition::Up);
        let found = budget_of(&line, JUNE + 20 * DAY + 5 * MINUTE);
        assert_eq!((found.spending, found.is_cooling, found.lost), (None, false, 4 * MINUTE));
    }

    #[test]
    fn one_outage_of_the_last_hour_hides_nothing_of_what_was_lost_in_the_hours_before() {
        let now = JUNE + 20 * DAY;
        let mut line = Timeline::default();
        line.set(JUNE - DAY, Condition::Up);
        for (ago, down) in [(20 * HOUR, 6), (3 * HOUR, 5), (6 * MINUTE, 5)] {
            line.set(now - ago, Condition::Down);
            line.set(now - ago + down * MINUTE, Condition::Up);
        }
        let found = budget_of(&line, now);
        assert_eq!(
            found.spending,
            Some(Spending::Fast { tenfold_rate: 60 }),
            "ten minutes of two outages in six hours"
        );
    }

    #[test]
    fn what_has_just_stopped_being_lost_is_not_over_yet() {
        let stopped = after(20 * DAY, 45 * MINUTE, 4 * MINUTE);
        assert_eq!((stopped.spending, stopped.is_cooling), (None, true));
        assert!(!after(29 * DAY, 4 * DAY, 4 * MINUTE).is_cooling);
        assert!(after(10 * DAY, HOUR, 0).spending.is_none());
    }

    #[test]
    fn promises_of_one_component_have_alerts_of_their_own_though_their_periods_begin_together() {
        let january: u32 = 1_798_761_600;
        let names = Period::ALL.map(|period| named_after(january, period));
        assert_eq!(names.iter().collect::<std::collections::BTreeSet<_>>().len(), 3);
        let subject =
            crate::alert::subject::ComponentId::parse("shop").map(crate::alert::SubjectId::Component).unwrap();
        let tenant = crate::ticket::TenantId::parse("acme").unwrap();
        let key = |cycle| AlertKey { tenant: tenant.clone(), subject: subject.clone(), kind: AlertKind::Budget, cycle };
        let february = named_after(january + 31 * 86_400, Period::Month);
        assert!(are_of_one_kind(&key(names[0]), &key(february)), "the same promise a month later");
        assert!(!are_of_one_kind(&key(names[0]), &key(names[2])));
        assert!(is_of_promise(&key(names[1]), Period::Quarter) && !is_of_promise(&key(names[1]), Period::Year));
    }
}
