//! Each cause is found, and nothing is reported where there is no difference.

use super::*;
use crate::sla::policy::Counts;
use crate::sla::tests::{at, between, by_policy, change, for_priority, policy, rules, seen, status, told, watched};
use crate::ticket::watch::{Change, ChangeKind as K};

/// Returns what is found on the resolution clock, due four hours after creation, if SuperOps reports `due`.
fn found(due: i64, changes: &[Change], policies: Vec<Policy>) -> Option<(Cause, i64, String)> {
    let mut watched = watched("Open");
    watched.ticket.resolution.due = Some(at(due));
    let rules = rules(policies);
    let history = told(&watched, changes);
    let computed = by_policy(&watched, changes, ClockKind::Resolution, &rules, at(500)).unwrap();
    find(&watched, &history, &computed, &rules).map(|found| (found.cause, found.seconds, found.words))
}

fn business(due: i64, changes: &[Change]) -> Option<(Cause, i64, String)> {
    found(due, changes, vec![policy(Counts::Business)])
}

fn half_an_hour() -> [Change; 2] {
    [status("Open", "On Hold", 30), status("On Hold", "Open", 60)]
}

#[test]
fn up_to_a_minute_is_no_difference() {
    assert_eq!(business(240, &[]), None);
    assert_eq!(business(241, &[]), None);
    assert_eq!(business(239, &[]), None);
    assert!(business(242, &[]).is_some());
}

#[test]
fn what_polling_leaves_open_is_no_difference() {
    let changes =
        [seen(K::Status, "Open", "On Hold", between(20, 30)), seen(K::Status, "On Hold", "Open", between(60, 70))];
    assert_eq!(business(271, &changes), None, "paused for 30 to 50 minutes");
    assert_eq!(business(290, &changes), None);
    assert!(business(292, &changes).is_some());
}

#[test]
fn each_cause_is_named() {
    let moved = [change(K::DueMoved(ClockKind::Resolution), "2026-11-23T13:00:00Z", "2026-11-23T14:17:00Z", 40)];
    let promised = || vec![policy(Counts::Business), Policy { sla: Some("Silver".into()), ..for_priority("Low", 337) }];
    let overnight = Policy { resolution: Some(TimeDelta::minutes(600)), ..policy(Counts::Business) };
    let retargeted = vec![for_priority("High", 120), for_priority("Low", 480)];
    let priority = [change(K::Priority, "Low", "High", 30)];
    let cases = [
        (found(240, &half_an_hour(), vec![policy(Counts::Business)]), Cause::Pause, "did not move it"),
        (found(255, &half_an_hour(), vec![policy(Counts::Business)]), Cause::Pause, "only a part"),
        (found(600, &[], vec![overnight]), Cause::Calendar, "it fits 10h counted round the clock"),
        (found(480, &priority, retargeted), Cause::Target, "kept the target of 8h that held before, with `Low`"),
        (found(317, &moved, vec![policy(Counts::Business)]), Cause::Moved, "it was moved in SuperOps, seen Mon 09:40"),
        (found(337, &[], promised()), Cause::Target, "it fits the target of 5h37 of Silver/Low"),
        (found(480, &[], vec![policy(Counts::Business)]), Cause::Target, "a target of 8h for Gold would fit"),
        (found(247, &[], vec![policy(Counts::Business)]), Cause::Unknown, "not known"),
    ];
    for (found, cause, words) in cases {
        let (named, _, said) = found.unwrap();
        assert_eq!(named, cause, "{said}");
        assert!(said.contains(words), "{said}");
    }
}

#[test]
fn a_difference_of_just_the_zones_offset_is_a_matter_of_zones() {
    let mut watched = watched("Open");
    // London's summer time is an hour ahead of UTC.
    watched.ticket.created_at = Some("2026-07-06T08:10:00Z".parse().unwrap());
    watched.ticket.resolution.due = Some("2026-07-06T13:10:00Z".parse().unwrap());
    watched.first_seen_at = "2026-07-06T08:10:30Z".parse().unwrap();
    let rules = rules(vec![policy(Counts::Business)]);
    let history = told(&watched, &[]);
    let now = "2026-07-06T09:00:00Z".parse().unwrap();
    let computed = by_policy(&watched, &[], ClockKind::Resolution, &rules, now).unwrap();
    let found = find(&watched, &history, &computed, &rules).unwrap();
    assert_eq!((found.cause, found.seconds), (Cause::Zone, 3600));
    assert_eq!(
        found.words,
        "resolution: SuperOps says due Mon 14:10 (Europe/London), 1h later than the Mon 13:10 we compute; the difference \
         is exactly the UTC offset of Europe/London: one side treats local time as UTC"
    );
}

#[test]
fn while_paused_the_due_time_from_before_the_pause_is_compared() {
    let mut held = watched("On Hold");
    held.ticket.resolution.due = Some(at(240));
    let rules = rules(vec![policy(Counts::Business)]);
    let changes = [status("Open", "On Hold", 30)];
    let history = told(&held, &changes);
    let computed = by_policy(&held, &changes, ClockKind::Resolution, &rules, at(100)).unwrap();
    assert_eq!(find(&held, &history, &computed, &rules), None);
}
