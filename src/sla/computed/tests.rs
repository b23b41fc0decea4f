//! The rules of the computed clock, one test for each row of the specification.
//!
//! The ticket is made on Monday at 09:00 when the office opens; it has an hour to
//! be answered and four to be resolved.

use proptest::prelude::*;

use super::*;
use crate::sla::history::tests::{any_change, any_watched};
use crate::sla::policy::Counts;
use crate::sla::tests::{at, between, change, desk, for_priority, mins, policy, seen, status, told, watched};
use crate::ticket::watch::{Change, ChangeKind as K};

/// What most tests ask of a clock.
#[derive(Debug, PartialEq)]
struct Answer {
    standing: Standing,
    due: Option<DateTime<Utc>>,
    counted: TimeDelta,
}

fn of(watched: &Watched, changes: &[Change], kind: ClockKind, minute: i64) -> Answer {
    let desk = desk(vec![policy(Counts::Business)]);
    let clock = compute(watched, &told(watched, changes), kind, &desk, at(minute)).unwrap();
    Answer { standing: clock.standing, due: clock.due, counted: clock.counted.likely }
}

fn resolution(watched: &Watched, changes: &[Change], minute: i64) -> Answer {
    of(watched, changes, ClockKind::Resolution, minute)
}

/// Runs `check` on the resolution clock.
fn on_clock<T>(
    policies: Vec<Policy>,
    watched: &Watched,
    changes: &[Change],
    minute: i64,
    check: impl FnOnce(&Computed<'_>) -> T,
) -> T {
    let desk = desk(policies);
    check(&compute(watched, &told(watched, changes), ClockKind::Resolution, &desk, at(minute)).unwrap())
}

const MONDAY_CLOSING: i64 = 510;
const TUESDAY_OPENING: i64 = 24 * 60;

#[test]
fn counted_time_is_working_time_between_instants() {
    let mut evening = watched("Open");
    evening.ticket.created_at = Some(at(MONDAY_CLOSING - 60));
    let answer = resolution(&evening, &[], TUESDAY_OPENING + 30);
    assert_eq!(answer.counted, mins(90), "an hour on Monday and half an hour on Tuesday");
    assert_eq!(answer.due, Some(at(TUESDAY_OPENING + 180)));
}

#[test]
fn breached_is_more_than_the_target_and_equal_is_met() {
    let cases = [
        (179, Standing::OnTrack { left: mins(61) }),
        (180, Standing::AtRisk { left: mins(60) }),
        (240, Standing::AtRisk { left: mins(0) }),
        (241, Standing::Breached { over: mins(1) }),
    ];
    for (minute, expected) in cases {
        assert_eq!(resolution(&watched("Open"), &[], minute).standing, expected, "at {minute}");
    }
    let met = |minute| resolution(&watched("Closed"), &[status("Open", "Closed", minute)], 5_000).standing;
    assert_eq!(met(240), Standing::Met, "equal is met");
    assert_eq!(met(241), Standing::Breached { over: mins(1) });
}

#[test]
fn a_breach_never_happens_across_closed_hours() {
    let mut late = watched("Open");
    late.ticket.created_at = Some(at(MONDAY_CLOSING - 240));
    let standing = |minute| resolution(&late, &[], minute).standing;
    assert_eq!(standing(TUESDAY_OPENING - 1), Standing::AtRisk { left: mins(0) }, "due at closing, still night");
    assert_eq!(standing(TUESDAY_OPENING + 1), Standing::Breached { over: mins(1) });
}

#[test]
fn a_target_that_lands_on_closing_time_is_due_at_closing_time() {
    let mut late = watched("Open");
    late.ticket.created_at = Some(at(MONDAY_CLOSING - 240));
    assert_eq!(resolution(&late, &[], 300).due, Some(at(MONDAY_CLOSING)));
}

#[test]
fn the_clock_starts_at_creation_even_if_the_sla_came_later() {
    let answer = resolution(&watched("Open"), &[change(K::Sla, "", "Gold", 100)], 120);
    assert_eq!(
        answer,
        Answer { standing: Standing::OnTrack { left: mins(120) }, due: Some(at(240)), counted: mins(120) }
    );
}

#[test]
fn superops_time_of_response_stops_the_first_response() {
    let mut answered = watched("Open");
    answered.ticket.first_response.met_at = Some(at(60));
    answered.replied_at = Some(at(20));
    let answer = of(&answered, &[], ClockKind::FirstResponse, 500);
    assert_eq!((answer.standing, answer.counted), (Standing::Met, mins(60)), "SuperOps' time counts, not the reply");
}

#[test]
fn without_superops_time_the_first_reply_of_a_technician_stops_it() {
    let mut replied = watched("Open");
    assert_eq!(of(&replied, &[], ClockKind::FirstResponse, 61).standing, Standing::Breached { over: mins(1) });
    replied.replied_at = Some(at(55));
    assert_eq!(of(&replied, &[], ClockKind::FirstResponse, 61).standing, Standing::Met);
}

#[test]
fn a_ticket_closed_unanswered_stops_its_first_response_and_says_so() {
    let desk = desk(vec![policy(Counts::Business)]);
    let (closed, changes) = (watched("Closed"), [status("Open", "Closed", 30)]);
    let clock = compute(&closed, &told(&closed, &changes), ClockKind::FirstResponse, &desk, at(500)).unwrap();
    assert_eq!((clock.standing, clock.caveats.as_slice()), (Standing::Met, &[Caveat::ClosedUnanswered][..]));
}

#[test]
fn working_time_inside_a_pause_is_subtracted_once() {
    let changes = [
        status("Open", "On Hold", 30),
        status("On Hold", "Waiting on Vendor", 60),
        status("Waiting on Vendor", "Open", 90),
    ];
    let answer = resolution(&watched("Open"), &changes, 120);
    assert_eq!((answer.counted, answer.due), (mins(60), Some(at(300))));
}

#[test]
fn a_pause_overnight_costs_only_working_time() {
    let changes = [status("Open", "On Hold", MONDAY_CLOSING - 30), status("On Hold", "Open", TUESDAY_OPENING + 30)];
    let mut late = watched("Open");
    late.ticket.created_at = Some(at(MONDAY_CLOSING - 60));
    assert_eq!(resolution(&late, &changes, TUESDAY_OPENING + 60).counted, mins(60));
}

#[test]
fn a_pause_leaves_the_first_response_running() {
    let answer = of(&watched("On Hold"), &[status("Open", "On Hold", 10)], ClockKind::FirstResponse, 61);
    assert_eq!(answer.standing, Standing::Breached { over: mins(1) });
}

#[test]
fn while_paused_the_due_time_is_undefined_and_what_is_left_stands_still() {
    let changes = [status("Open", "On Hold", 100)];
    on_clock(vec![policy(Counts::Business)], &watched("On Hold"), &changes, 200, |clock| {
        assert_eq!((clock.standing, clock.due), (Standing::Paused { left: mins(140) }, None));
        assert_eq!(clock.due_if_resumed, Some(at(340)));
        assert_eq!(clock.due_running_on, Some(at(240)));
    });
    let years = resolution(&watched("On Hold"), &changes, 1_000_000).standing;
    assert_eq!(years, Standing::Paused { left: mins(140) }, "a paused clock never breaches");
}

#[test]
fn a_clock_paused_after_it_breached_stays_breached_by_as_much() {
    let changes = [status("Open", "On Hold", 250)];
    let answer = resolution(&watched("On Hold"), &changes, 5_000);
    assert_eq!(answer.standing, Standing::Breached { over: mins(10) });
    assert_eq!(answer.due, Some(at(240)));
}

#[test]
fn a_pause_from_before_it_was_watched_gives_bounds() {
    let mut late = watched("Open");
    late.first_seen_at = at(300);
    late.ticket.updated_at = Some(at(200));
    on_clock(vec![policy(Counts::Business)], &late, &[], 310, |clock| {
        assert_eq!(clock.counted, Counted { least: mins(10), likely: mins(310), most: mins(310) });
        assert_eq!(clock.breached, Verdict::Perhaps);
        assert_eq!(clock.caveats, [Caveat::UnseenBefore]);
    });
}

#[test]
fn a_pause_seen_by_polling_carries_its_uncertainty_into_the_breach() {
    let changes =
        [seen(K::Status, "Open", "On Hold", between(60, 62)), seen(K::Status, "On Hold", "Open", between(90, 93))];
    on_clock(vec![policy(Counts::Business)], &watched("Open"), &changes, 400, |clock| {
        assert_eq!(clock.due_bounds, Some(between(268, 273)), "paused for 28 to 33 minutes");
        let tick = TimeDelta::milliseconds(1);
        let wanted = Bounds { earliest: at(268) + tick, latest: at(273) + tick };
        assert_eq!((clock.breached, clock.breached_between), (Verdict::Yes, Some(wanted)));
    });
    on_clock(vec![policy(Counts::Business)], &watched("Open"), &changes, 270, |clock| {
        assert_eq!(clock.breached, Verdict::Perhaps);
    });
    on_clock(vec![policy(Counts::Business)], &watched("Open"), &changes, 268, |clock| {
        assert_eq!((clock.breached, clock.breached_between), (Verdict::No, None));
    });
}

#[test]
fn a_retarget_keeps_start_elapsed_and_pauses() {
    let changes =
        [status("Open", "On Hold", 30), status("On Hold", "Open", 60), change(K::Priority, "Low", "High", 100)];
    let policies = vec![for_priority("High", 120), for_priority("Low", 480)];
    on_clock(policies, &watched("Open"), &changes, 110, |clock| {
        assert_eq!((clock.start, clock.counted.likely, clock.target), (at(0), mins(80), mins(120)));
        assert_eq!(clock.due, Some(at(150)));
        let moved = &clock.target_changes[0];
        assert_eq!((moved.old, moved.new), (Some(mins(480)), mins(120)));
        assert_eq!(moved.old_due, Some(at(510)), "eight hours and half an hour of pause: closing time");
        assert_eq!((moved.new_due, moved.made_late), (Some(at(150)), false));
    });
}

#[test]
fn a_clock_made_late_by_the_change_alone_says_retargeted_already_late() {
    let policies = || vec![for_priority("High", 120), for_priority("Low", 480)];
    let late = |minute| {
        let changes = [change(K::Priority, "Low", "High", minute)];
        on_clock(policies(), &watched("Open"), &changes, 1_000, |clock| clock.target_changes[0].made_late)
    };
    assert!(!late(120), "just in time by the new target");
    assert!(late(121));
    assert!(late(480), "just in time by the old one");
    assert!(!late(TUESDAY_OPENING + 1), "late by the old one already");
}

#[test]
fn the_latest_of_several_targets_holds_for_the_whole_life() {
    let changes = [change(K::Priority, "Low", "Medium", 10), change(K::Priority, "Medium", "High", 20)];
    let policies = vec![for_priority("High", 120), for_priority("Medium", 240), for_priority("Low", 480)];
    on_clock(policies, &watched("Open"), &changes, 30, |clock| {
        let targets: Vec<_> = clock.target_changes.iter().map(|change| (change.old, change.new)).collect();
        assert_eq!(targets, [(Some(mins(480)), mins(240)), (Some(mins(240)), mins(120))]);
        assert_eq!(clock.due, Some(at(120)));
    });
}

#[test]
fn a_reopened_ticket_resumes_and_closed_time_is_left_out() {
    let changes = [
        status("Open", "Resolved", 100),
        change(K::Resolved, "", "", 100),
        status("Resolved", "Open", 200),
        change(K::Reopened, "", "Open", 200),
    ];
    let answer = resolution(&watched("Open"), &changes, 230);
    assert_eq!(
        answer,
        Answer { standing: Standing::OnTrack { left: mins(110) }, due: Some(at(340)), counted: mins(130) }
    );
}

#[test]
fn the_first_and_the_final_resolution_are_both_kept() {
    let changes = [status("Open", "Closed", 100), status("Closed", "Open", 200), status("Open", "Closed", 250)];
    let history = told(&watched("Closed"), &changes);
    let resolved: Vec<_> = history.cycles().iter().map(|cycle| cycle.resolved).collect();
    assert_eq!(resolved, [Some(between(100, 100)), Some(between(250, 250))]);
    assert_eq!(resolution(&watched("Closed"), &changes, 5_000).counted, mins(150));
}

#[test]
fn reassigning_never_restarts() {
    let changes = [change(K::Assignee, "Tom", "Mia", 100), change(K::Group, "One", "Two", 100)];
    assert_eq!(resolution(&watched("Open"), &changes, 120), resolution(&watched("Open"), &[], 120));
}

#[test]
fn a_ticket_that_was_merged_or_deleted_or_vanished_is_cancelled() {
    let mut gone = watched("Open");
    gone.vanished_at = Some(at(80));
    let answer = resolution(&gone, &[seen(K::Vanished, "Open", "", between(70, 80))], 5_000);
    assert_eq!((answer.standing, answer.counted), (Standing::Cancelled, mins(80)));
}

#[test]
fn a_due_time_moved_by_hand_is_superops_truth_and_not_ours() {
    let mut moved = watched("Open");
    moved.ticket.resolution.due = Some(at(1_000));
    let changes = [change(K::DueMoved(ClockKind::Resolution), "2026-11-23T13:00:00Z", "2026-11-24T01:40:00Z", 30)];
    assert_eq!(resolution(&moved, &changes, 40).due, Some(at(240)));
}

#[test]
fn what_happened_before_the_creation_happened_at_once() {
    let mut early = watched("Closed");
    early.ticket.resolution.met_at = Some(at(-60));
    early.ticket.first_response.met_at = Some(at(-90));
    let desk = desk(vec![policy(Counts::Business)]);
    for kind in ClockKind::REPORTED {
        let clock = compute(&early, &told(&early, &[]), kind, &desk, at(100)).unwrap();
        assert_eq!((clock.standing, clock.counted.likely), (Standing::Met, mins(0)), "{kind:?}");
        assert!(clock.caveats.contains(&Caveat::MetBeforeCreated), "{kind:?}");
    }
}

#[test]
fn answered_after_it_was_resolved_leaves_out_the_closed_time() {
    let mut odd = watched("Closed");
    odd.ticket.first_response.met_at = Some(at(300));
    let desk = desk(vec![policy(Counts::Business)]);
    let history = told(&odd, &[status("Open", "Closed", 50)]);
    let clock = compute(&odd, &history, ClockKind::FirstResponse, &desk, at(500)).unwrap();
    assert_eq!((clock.standing, clock.counted.likely), (Standing::Met, mins(50)));
    assert_eq!(clock.caveats, [Caveat::AnsweredAfterResolved]);
}

#[test]
fn the_first_policy_that_matches_holds_and_its_hours_count() {
    let policies = vec![Policy { priority: Some("High".into()), ..policy(Counts::Calendar) }, for_priority("High", 5)];
    let mut evening = watched("Open");
    evening.ticket.created_at = Some(at(MONDAY_CLOSING));
    on_clock(policies, &evening, &[], MONDAY_CLOSING + 60, |clock| {
        assert_eq!(clock.counted.likely, mins(60), "round the clock");
        assert_eq!(clock.due, Some(at(MONDAY_CLOSING + 240)));
    });
}

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
