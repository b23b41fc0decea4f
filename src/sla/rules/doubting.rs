//! Data that is missing or cannot be right: one safe reading, or a clock that says what it does not know.

use super::*;
use crate::sla::clock::Doubt;
use crate::sla::tests::{between, change, mins, seen, status, watched};
use crate::ticket::watch::ChangeKind as K;

/// Returns the standing and the doubts of the clock that SuperOps reports.
fn reported(watched: &Watched, minute: i64) -> (Standing, Vec<Doubt>) {
    let rules = rules(Vec::new());
    let clock = assess(watched, ClockKind::Resolution, &rules, at(minute));
    (clock.standing, clock.doubts.iter().collect())
}

#[test]
fn what_happened_before_the_creation_happened_at_once() {
    let mut early = watched("Closed");
    early.ticket.resolution.met_at = Some(at(-60));
    early.ticket.first_response.met_at = Some(at(-90));
    let rules = rules(vec![policy(Counts::Business)]);
    for kind in ClockKind::REPORTED {
        let clock = assess(&early, kind, &rules, at(100));
        assert_eq!((clock.standing, clock.used), (Standing::Met, Some(mins(0))), "{kind:?}");
        assert!(clock.doubts.has(Doubt::MetBeforeCreated), "{kind:?}");
    }
}

#[test]
fn answered_after_it_was_resolved_leaves_out_the_closed_time() {
    let mut odd = watched("Closed");
    odd.ticket.first_response.met_at = Some(at(300));
    let rules = rules(vec![policy(Counts::Business)]);
    let closed = having(&odd, &[status("Open", "Closed", 50)]);
    let clock = assess(&closed, ClockKind::FirstResponse, &rules, at(500));
    assert_eq!((clock.standing, clock.used), (Standing::Met, Some(mins(50))));
    assert!(clock.doubts.has(Doubt::AnsweredAfterResolved));
}

#[test]
fn resolved_before_it_was_answered_both_clocks_have_their_own_stop() {
    let mut odd = watched("Closed");
    odd.ticket.resolution.met_at = Some(at(30));
    odd.ticket.first_response.met_at = Some(at(50));
    let changes = [status("Open", "Closed", 30), change(K::Resolved, "", "2026-11-23T09:30:00Z", 30)];
    assert_eq!(resolution(&odd, &changes, 500).counted, mins(30));
    assert_eq!(of(&odd, &changes, ClockKind::FirstResponse, 500).counted, mins(30), "closed time is left out");
}

#[test]
fn a_due_time_before_the_creation_is_not_believed() {
    let mut early = watched("Open");
    early.ticket.resolution.due = Some(at(-5));
    assert_eq!(reported(&early, 10), (Standing::Unknown, vec![Doubt::DueBeforeCreated]));
}

#[test]
fn a_clock_without_a_due_time_is_partial_and_says_why() {
    assert_eq!(reported(&watched("Open"), 10), (Standing::Unknown, vec![Doubt::NoDueTime]));
}

#[test]
fn a_pause_that_ends_before_it_begins_has_no_length() {
    let turned =
        [seen(K::Status, "Open", "On Hold", between(30, 20)), seen(K::Status, "On Hold", "Open", between(40, 10))];
    on_clock(vec![policy(Counts::Business)], &watched("Open"), &turned, 100, |clock| {
        let counted = clock.counted;
        assert!(mins(0) <= counted.least && counted.least <= counted.likely && counted.likely <= counted.most);
        assert_eq!(counted.most, mins(100), "it may have had no length at all");
    });
}

#[test]
fn events_out_of_order_or_doubled_are_read_once_and_in_order() {
    let changes = [status("Open", "On Hold", 30), status("On Hold", "Open", 60)];
    let mut muddled = changes.to_vec();
    muddled.reverse();
    muddled.extend(changes.clone());
    assert_eq!(resolution(&watched("Open"), &muddled, 100), resolution(&watched("Open"), &changes, 100));
}
