//! What holds of every computed clock. Its rules, one by one, stand in [`crate::sla::rules`].

use proptest::prelude::*;

use super::*;
use crate::sla::history::tests::{any_change, any_watched};
use crate::sla::policy::Counts;
use crate::sla::tests::{at, desk, mins, policy, told, watched};

#[test]
fn what_cannot_be_computed_says_why() {
    let why = |policies, watched: &Watched| {
        let desk = desk(policies);
        compute(watched, &told(watched, &[]), ClockKind::Resolution, &desk, at(0)).map(|_| ()).unwrap_err()
    };
    let mut timeless = watched("Open");
    timeless.ticket.created_at = None;
    assert_eq!(why(vec![], &watched("Open")), Uncomputed::NoPolicy);
    assert_eq!(
        why(vec![Policy { resolution: None, ..policy(Counts::Business) }], &watched("Open")),
        Uncomputed::NoTarget
    );
    assert_eq!(why(vec![policy(Counts::Business)], &timeless), Uncomputed::NoCreatedTime);
}

/// The straightforward way: count minute by minute.
fn minute_by_minute(calendar: &Calendar, history: &History, from: i64, to: i64) -> i64 {
    let stalls = history.stalls(ClockKind::Resolution, Reading::Likely);
    let still = |minute| stalls.iter().any(|stall| stall.from <= minute && stall.to.is_none_or(|to| minute < to));
    (from..to).filter(|minute| calendar.is_open(at(*minute)) && !still(at(*minute))).count() as i64
}

proptest! {
    /// Whatever a ticket says and whatever was seen, there is an answer, and its bounds hold.
    #[test]
    fn every_ticket_has_an_answer_within_its_bounds(
        watched in any_watched(), changes in prop::collection::vec(any_change(), 0..14), now in 0i64..12_000,
        round_the_clock in any::<bool>(),
    ) {
        let counts = if round_the_clock { Counts::Calendar } else { Counts::Business };
        let desk = desk(vec![policy(counts)]);
        let history = told(&watched, &changes);
        for kind in ClockKind::ALL {
            let Ok(clock) = compute(&watched, &history, kind, &desk, at(now)) else { continue };
            let Counted { least, likely, most } = clock.counted;
            prop_assert!(TimeDelta::zero() <= least && least <= likely && likely <= most);
            if let (Some(due), Some(bounds)) = (clock.due, clock.due_bounds) {
                prop_assert!(bounds.earliest <= due && due <= bounds.latest, "{bounds:?} {due}");
            }
            if let Some(between) = clock.breached_between {
                prop_assert!(between.earliest <= between.latest);
            }
            prop_assert_eq!(clock.breached_between.is_some(), clock.breached != Verdict::No);
        }
    }

    #[test]
    fn counting_agrees_with_counting_minute_by_minute(
        changes in prop::collection::vec(any_change(), 0..8), now in 0i64..6_000,
    ) {
        let desk = desk(vec![policy(Counts::Business)]);
        let open = watched("Open");
        let history = told(&open, &changes);
        let clock = compute(&open, &history, ClockKind::Resolution, &desk, at(now)).unwrap();
        let until = (clock.until(at(now)) - at(0)).num_minutes();
        let wanted = minute_by_minute(clock.hours.calendar, &history, 0, until);
        prop_assert_eq!(clock.counted.likely, mins(wanted));
    }

    /// The due time is the earliest instant at which the target has been counted, if nothing more happens.
    #[test]
    fn at_its_due_time_just_the_target_has_been_counted(changes in prop::collection::vec(any_change(), 0..8)) {
        let desk = desk(vec![policy(Counts::Business)]);
        let open = watched("Open");
        let history = told(&open, &changes);
        let compute_at = |now| compute(&open, &history, ClockKind::Resolution, &desk, now).unwrap();
        let clock = compute_at(at(20_000));
        if let (Some(due), None) = (clock.due, clock.stop) {
            prop_assert_eq!(compute_at(due).counted.likely, clock.target);
            prop_assert!(compute_at(due - TimeDelta::milliseconds(1)).counted.likely < clock.target);
        }
    }
}
