//! What makes a clock stand still, and what is known about it meanwhile.

use super::*;
use crate::sla::clock::{Counted, Doubt, Verdict};
use crate::sla::tests::{between, mins, rules_with, seen, status, watched};
use crate::ticket::StatusWords;
use crate::ticket::watch::{Bounds, ChangeKind as K};

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
fn while_paused_what_is_left_stands_still_and_the_due_time_is_that_of_a_resumption() {
    let changes = [status("Open", "On Hold", 100)];
    on_clock(vec![policy(Counts::Business)], &watched("On Hold"), &changes, 200, |clock| {
        assert_eq!(clock.state.standing, Standing::Paused { left: mins(140) });
        assert_eq!(clock.state.due_if_resumed, Some(at(340)));
        assert_eq!(clock.state.due, Some(at(240)), "had the pause not come");
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
        assert!(clock.state.doubts.has(Doubt::UnseenBefore));
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
fn each_clock_pauses_in_the_statuses_that_pause_it() {
    let words = StatusWords::default().pausing_response(&["Bank Holiday".into()]);
    let rules = rules_with(words, vec![policy(Counts::Business)]);
    let counted = |name: &str| {
        let open = having(&watched("Open"), &[status("Open", name, 10), status(name, "Open", 40)]);
        ClockKind::REPORTED.map(|kind| assess(&open, kind, &rules, at(50)).used.unwrap())
    };
    assert_eq!(counted("In Progress"), [mins(50), mins(50)]);
    assert_eq!(counted("On Hold"), [mins(50), mins(20)], "a pause is the resolution's");
    assert_eq!(counted("Bank Holiday"), [mins(20), mins(20)], "unless it is listed for the responses too");
}

#[test]
fn a_due_time_that_moves_with_a_pause_leaves_the_share_used_as_it_was() {
    let changes = [status("Open", "On Hold", 30), status("On Hold", "Open", 230)];
    let mut moved = watched("Open");
    moved.ticket.resolution.due = Some(at(320));
    let rules = rules(Vec::new());
    let share = |minute| {
        let clock = assess(&having(&moved, &changes), ClockKind::Resolution, &rules, at(minute));
        (clock.standing, clock.elapsed_share())
    };
    assert_eq!(share(230), (Standing::OnTrack { left: mins(90) }, Some(0.25)), "30 of 120 minutes are used");
    assert_eq!(share(290), (Standing::AtRisk { left: mins(30) }, Some(0.75)));
    assert_eq!(share(321).0, Standing::Breached { over: mins(1) });
}
