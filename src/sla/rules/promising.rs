//! Which policy holds for a ticket, and which version of what was promised.

use super::*;
use crate::sla::policy::{Choice, choose};
use crate::sla::tests::{for_priority, mins, watched};
use crate::sla::version::{Version, bare_versions, closed_at, version_at};
use crate::ticket::{StatusWords, TenantId};

/// Returns versions in force since each of these minutes, oldest first.
fn versions(since: &[i64]) -> Vec<Version> {
    bare_versions(since.iter().map(|minute| at(*minute)))
}

/// Returns the version that `watched` is judged by.
fn judged_by(watched: &Watched, versions: &[Version]) -> u32 {
    let kept = closed_at(watched, &StatusWords::default()).and_then(|at| version_at(versions, at));
    kept.or(versions.last()).unwrap().number
}

#[test]
fn the_first_policy_that_matches_holds_and_its_hours_count() {
    let policies = vec![Policy { priority: Some("High".into()), ..policy(Counts::Calendar) }, for_priority("High", 5)];
    let mut evening = watched("Open");
    evening.ticket.created_at = Some(at(MONDAY_CLOSING));
    on_clock(policies, &evening, &[], MONDAY_CLOSING + 60, |clock| {
        assert_eq!(clock.counted.likely, mins(60), "round the clock");
        assert_eq!(clock.state.due, Some(at(MONDAY_CLOSING + 240)));
    });
}

#[test]
fn of_several_policies_the_first_match_wins_and_the_runners_up_are_named() {
    let policies = [for_priority("Low", 480), for_priority("High", 120), policy(Counts::Business)];
    let acme = TenantId::parse("acme").unwrap();
    let choice = choose(&policies, &acme, &watched("Open").ticket).unwrap();
    assert_eq!(choice, Choice { winner: 1, runners_up: vec![2] });
    let words = choice.words(&policies, &["a:1", "a:5", "a:9"]);
    assert_eq!(words, "policy 2 of 3 `High` (a:5); also matched: the default policy");
}

#[test]
fn open_clocks_move_to_a_new_version() {
    assert_eq!(judged_by(&watched("Open"), &versions(&[0, 60])), 2);
    assert_eq!(judged_by(&watched("On Hold"), &versions(&[0, 60, 9_000])), 3);
}

#[test]
fn closed_clocks_keep_the_version_that_held_when_they_closed() {
    let mut closed = watched("Closed");
    for (minute, version) in [(59, 1), (60, 2), (61, 2), (200, 3)] {
        closed.ticket.resolution.met_at = Some(at(minute));
        assert_eq!(judged_by(&closed, &versions(&[0, 60, 100])), version, "closed at {minute}");
    }
    let mut gone = watched("Open");
    gone.vanished_at = Some(at(70));
    assert_eq!(judged_by(&gone, &versions(&[0, 60, 100])), 2, "what vanished is judged as of then");
}
