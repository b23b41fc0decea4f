//! Other targets, reopened tickets, new owners, and tickets that are gone.

use super::*;
use crate::sla::tests::{between, by_policy, change, for_priority, mins, named, office, rules, seen, status, watched};
use crate::sla::tryout::{Comparison, Group};
use crate::ticket::Reported;
use crate::ticket::manual_override::{ManualOverride, OverrideAction};
use crate::ticket::watch::ChangeKind as K;

#[test]
fn a_retarget_keeps_start_elapsed_and_pauses() {
    let changes =
        [status("Open", "On Hold", 30), status("On Hold", "Open", 60), change(K::Priority, "Low", "High", 100)];
    let policies = vec![for_priority("High", 120), for_priority("Low", 480)];
    on_clock(policies, &watched("Open"), &changes, 110, |clock| {
        assert_eq!((clock.start, clock.counted.likely, clock.target), (at(0), mins(80), mins(120)));
        assert_eq!(clock.state.due, Some(at(150)));
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
        assert_eq!(clock.state.due, Some(at(120)));
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
fn a_due_time_moved_in_superops_holds_and_the_policys_own_is_kept_to_compare() {
    let mut moved = watched("Open");
    moved.ticket.resolution.due = Some(at(400));
    let changes = [change(K::DueMoved(ClockKind::Resolution), "2026-11-23T13:00:00Z", "2026-11-23T15:40:00Z", 30)];
    let answer = resolution(&moved, &changes, 40);
    assert_eq!((answer.standing, answer.due), (Standing::OnTrack { left: mins(360) }, Some(at(400))));
    let rules = rules(vec![policy(Counts::Business)]);
    let ours = by_policy(&moved, &changes, ClockKind::Resolution, &rules, at(40)).unwrap();
    assert_eq!(ours.state.due, Some(at(240)));
}

#[test]
fn another_sla_or_client_is_another_target_too() {
    let by_sla = Policy { sla: Some("Gold".into()), resolution: Some(mins(120)), ..policy(Counts::Business) };
    let by_client = Policy { client: Some("Initech".into()), ..by_sla.clone() };
    for (kind, narrow, was) in [(K::Sla, by_sla, "Silver"), (K::Client, Policy { sla: None, ..by_client }, "Globex")] {
        let now = if kind == K::Sla { "Gold" } else { "Initech" };
        let policies = vec![narrow, policy(Counts::Business)];
        on_clock(policies, &watched("Open"), &[change(kind, was, now, 30)], 40, |clock| {
            let moved = &clock.target_changes[0];
            assert_eq!(
                (moved.old, moved.new, clock.state.due),
                (Some(mins(240)), mins(120), Some(at(120))),
                "{kind:?}"
            );
        });
    }
}

#[test]
fn the_time_that_each_technician_held_the_ticket_is_kept() {
    let changes = [change(K::Assignee, "", "Tom", 60), change(K::Assignee, "Tom", "Mia", 90)];
    let history = told(&watched("Open"), &changes);
    let office = office();
    let held = history.ownership(&office, at(210));
    assert_eq!(held, [(Some("Mia"), mins(120)), (None, mins(60)), (Some("Tom"), mins(30))]);
}

#[test]
fn a_ticket_that_is_gone_is_in_no_denominator() {
    let rules = rules(vec![policy(Counts::Business)]);
    let mut comparison = Comparison::default();
    let mut gone = watched("Open");
    gone.vanished_at = Some(at(80));
    comparison.add(&watched("Open"), &[], &rules, &rules, at(500));
    comparison.add(&gone, &[], &rules, &rules, at(500));
    let tally = comparison.pairs[&(ClockKind::Resolution, Group::Client(Some(named("Initech").name)))].before;
    assert_eq!((tally.tickets(), tally.breached), (1, 1));
}

#[test]
fn what_a_person_decided_beats_what_superops_says() {
    let decided = |action| {
        let mut watched = watched("Open");
        watched.ticket.resolution = Reported { due: Some(at(60)), met_at: None, breached: Some(true) };
        let (reason, by) = ("agreed".to_owned(), "mia".to_owned());
        watched.overrides =
            vec![ManualOverride { clock: ClockKind::Resolution, cycle: 0, action, reason, by, at: at(50) }];
        let rules = rules(Vec::new());
        assess(&watched, ClockKind::Resolution, &rules, at(70)).standing
    };
    assert_eq!(decided(OverrideAction::Due(at(200))), Standing::OnTrack { left: mins(130) });
    assert_eq!(decided(OverrideAction::StoppedAt(at(60))), Standing::Met);
    assert_eq!(decided(OverrideAction::StoppedAt(at(61))), Standing::Breached { over: mins(1) });
    assert_eq!(decided(OverrideAction::Cancelled), Standing::Cancelled);
}

#[test]
fn a_due_time_set_by_hand_is_not_moved_by_a_pause() {
    let mut held = watched("On Hold");
    let (reason, by, action) = ("agreed".to_owned(), "mia".to_owned(), OverrideAction::Due(at(300)));
    held.overrides = vec![ManualOverride { clock: ClockKind::Resolution, cycle: 0, action, reason, by, at: at(50) }];
    let changes = [status("Open", "On Hold", 100)];
    let at_minute = |minute| {
        on_clock(vec![policy(Counts::Business)], &held, &changes, minute, |clock| {
            (clock.state.standing, clock.state.due_if_resumed)
        })
    };
    assert_eq!(at_minute(180), (Standing::Paused { left: mins(120) }, Some(at(300))));
    assert_eq!(at_minute(400), (Standing::Paused { left: mins(0) }, Some(at(400))), "nothing is left, but it waits");
    let resumed = [changes[0].clone(), status("On Hold", "Open", 180)];
    let open = Watched { ticket: watched("Open").ticket, ..held.clone() };
    on_clock(vec![policy(Counts::Business)], &open, &resumed, 200, |clock| {
        assert_eq!((clock.state.standing, clock.state.due), (Standing::OnTrack { left: mins(100) }, Some(at(300))));
    });
}
