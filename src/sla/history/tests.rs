//! A history always comes out the same, in whatever order the changes come.

use proptest::prelude::*;

use super::*;
use crate::sla::tests::{at, between, change, mins, office, seen, status, told, watched};
use crate::ticket::StatusWords;
use crate::ticket::observe::observe;
use crate::ticket::watch::ChangeKind as K;

fn periods(history: &History) -> Vec<(&str, i64, Option<i64>)> {
    let minute = |at: DateTime<Utc>| (at - super::super::tests::at(0)).num_minutes();
    let told = |period: &'_ StatusPeriod| (minute(period.from.latest), period.to.map(|to| minute(to.latest)));
    let name = |period: &StatusPeriod| told(period);
    history
        .periods
        .iter()
        .map(|period| {
            let (from, to) = name(period);
            (period.status.as_deref().unwrap_or("?"), from, to)
        })
        .collect()
}

fn pause(from: i64, to: i64) -> Pause {
    Pause { from: at(from), to: Some(at(to)) }
}

fn pauses(history: &History) -> Vec<Pause> {
    history.pauses(ClockKind::Resolution, Reading::Likely)
}

#[test]
fn statuses_follow_each_other_without_a_gap() {
    let changes = [change(K::FirstSeen, "", "Open", 1), status("Open", "On Hold", 10), status("On Hold", "Open", 20)];
    let history = told(&watched("Open"), &changes);
    assert_eq!(periods(&history), [("Open", 0, Some(10)), ("On Hold", 10, Some(20)), ("Open", 20, None)]);
    assert_eq!(pauses(&history), [pause(10, 20)]);
    assert_eq!(
        history.pauses(ClockKind::FirstResponse, Reading::Most),
        [],
        "a pause leaves the first response running"
    );
}

#[test]
fn changes_out_of_order_or_doubled_tell_the_same_story() {
    let changes = vec![
        change(K::FirstSeen, "", "Open", 1),
        status("Open", "On Hold", 10),
        status("On Hold", "Open", 20),
        change(K::Assignee, "Mia", "Tom", 30),
        change(K::Assignee, "Tom", "Mia", 40),
    ];
    let wanted = told(&watched("Open"), &changes);
    let mut muddled = changes.clone();
    muddled.reverse();
    muddled.extend(changes);
    assert_eq!(told(&watched("Open"), &muddled), wanted);
}

#[test]
fn a_pause_that_ends_before_it_begins_has_no_length() {
    let resumed_first = [
        status("New", "Open", 5),
        status("On Hold", "Open", 10),
        status("Open", "On Hold", 20),
        status("Open", "Closed", 90),
    ];
    let history = told(&watched("Closed"), &resumed_first);
    assert_eq!(pauses(&history), [Pause { from: at(90), to: None }]);
    let turned_round =
        [seen(K::Status, "Open", "On Hold", between(30, 20)), seen(K::Status, "On Hold", "Open", between(40, 10))];
    let history = told(&watched("Open"), &turned_round);
    assert_eq!(history.pauses(ClockKind::Resolution, Reading::Least), [], "it may have had none");
    assert_eq!(history.pauses(ClockKind::Resolution, Reading::Most), [pause(20, 40)]);
}

#[test]
fn a_pause_seen_by_polling_has_an_earliest_and_a_latest_length() {
    let changes = [
        change(K::FirstSeen, "", "Open", 1),
        seen(K::Status, "Open", "On Hold", between(10, 15)),
        seen(K::Status, "On Hold", "Waiting on Vendor", between(20, 25)),
        seen(K::Status, "Waiting on Vendor", "Open", between(30, 35)),
    ];
    let history = told(&watched("Open"), &changes);
    let read = |reading| history.pauses(ClockKind::Resolution, reading);
    assert_eq!(read(Reading::Least), [pause(15, 30)], "it stood still when it went from one pause to the next");
    assert_eq!(read(Reading::Likely), [pause(15, 35)]);
    assert_eq!(read(Reading::Most), [pause(10, 35)]);
}

#[test]
fn a_change_that_was_missed_is_made_good_by_the_last_read() {
    let mut held = watched("On Hold");
    held.status_since = Some(between(40, 50));
    let history = told(&held, &[change(K::FirstSeen, "", "Open", 1)]);
    assert_eq!(periods(&history), [("?", 0, Some(50)), ("On Hold", 50, None)]);
}

#[test]
fn without_any_change_the_ticket_itself_is_the_story() {
    assert_eq!(periods(&told(&watched("Open"), &[])), [("Open", 0, None)]);
    let closed = told(&watched("Closed"), &[]);
    assert_eq!(periods(&closed), [("?", 0, Some(1)), ("Closed", 1, None)]);
}

#[test]
fn what_was_before_it_was_watched_is_unknown_unless_nothing_was_ever_edited() {
    let mut late = watched("Open");
    late.first_seen_at = at(500);
    assert_eq!(told(&late, &[]).unseen, None, "never edited since it was made");
    late.ticket.updated_at = Some(at(400));
    let history = told(&late, &[]);
    assert_eq!(history.unseen, Some(pause(0, 500)));
    assert_eq!(history.pauses(ClockKind::Resolution, Reading::Most), [pause(0, 500)]);
    assert_eq!(history.pauses(ClockKind::Resolution, Reading::Least), []);
    late.first_seen_at = at(4);
    assert_eq!(told(&late, &[]).unseen, None, "read too soon for a pause");
}

#[test]
fn a_past_that_was_known_when_the_ticket_was_first_read_stays_known_whatever_is_edited_later() {
    let words = StatusWords::default();
    let mut ticket = watched("Open").ticket;
    let (first, _) = observe(None, ticket.clone(), &words, between(500, 500));
    ticket.updated_at = Some(at(600));
    let (edited, changes) = observe(Some(&first), ticket.clone(), &words, between(610, 610));
    assert_eq!(told(&edited, &changes).unseen, None, "edited while it was watched");
    let (late, changes) = observe(None, ticket, &words, between(610, 610));
    assert_eq!(told(&late, &changes).unseen, Some(pause(0, 610)), "edited before");
}

#[test]
fn a_reopened_ticket_has_a_cycle_more_and_keeps_both_resolutions() {
    let changes = [
        change(K::FirstSeen, "", "Open", 1),
        status("Open", "Resolved", 62),
        seen(K::Resolved, "", "2026-11-23T10:00:00Z", between(60, 62)),
        status("Resolved", "Open", 100),
        change(K::Reopened, "2026-11-23T10:00:00Z", "Open", 100),
        status("Open", "Closed", 130),
        change(K::Resolved, "", "2026-11-23T11:10:00Z", 130),
    ];
    let history = told(&watched("Closed"), &changes);
    let cycles = history.cycles();
    assert_eq!(
        cycles.iter().map(|cycle| cycle.resolved).collect::<Vec<_>>(),
        [Some(between(60, 60)), Some(between(130, 130))]
    );
    assert_eq!(cycles[1].from, between(100, 100));
    assert_eq!(pauses(&history), [pause(60, 100), Pause { from: at(130), to: None }], "closed time is no work");
}

#[test]
fn a_time_of_resolution_from_before_the_reopening_is_not_believed() {
    let mut closed = watched("Closed");
    closed.ticket.resolution.met_at = Some(at(60));
    let changes = [status("Open", "Closed", 60), status("Closed", "Open", 100), status("Open", "Closed", 130)];
    assert_eq!(told(&closed, &changes).closed(), Some(between(130, 130)));
}

#[test]
fn a_ticket_solved_while_its_status_stays_is_closed() {
    let mut solved = watched("Open");
    solved.ticket.resolution.met_at = Some(at(50));
    assert_eq!(told(&solved, &[]).closed(), Some(between(50, 50)));
}

#[test]
fn a_ticket_first_seen_at_work_with_a_time_of_resolution_was_reopened_before() {
    for name in ["Open", "In Progress", "Reopened", "Customer Replied", "Waiting on Customer"] {
        let mut ticket = watched(name);
        (ticket.ticket.resolution.met_at, ticket.first_seen_at) = (Some(at(50)), at(80));
        assert_eq!(told(&ticket, &[]).closed(), None, "{name}");
        ticket.ticket.status = Some("Assigned".into());
        assert_eq!(told(&ticket, &[status(name, "Assigned", 90)]).closed(), None, "{name}");
    }
    let mut completed = watched("Completed");
    (completed.ticket.resolution.met_at, completed.first_seen_at) = (Some(at(50)), at(80));
    assert_eq!(told(&completed, &[]).closed(), Some(between(50, 50)), "it may be another name for done");
}

/// Returns the history of a ticket that went to an unlisted status, with a resolution noted `seconds_before`.
fn gone_to(status_name: &str, seconds_before: i64) -> History {
    let mut ticket = watched(status_name);
    let resolved = at(50) - TimeDelta::seconds(seconds_before);
    ticket.ticket.resolution.met_at = Some(resolved);
    let changes = [
        seen(K::Status, "Open", status_name, between(20, 50)),
        seen(K::Resolved, "", &resolved.to_rfc3339(), between(20, 50)),
    ];
    told(&ticket, &changes)
}

#[test]
fn an_unlisted_status_with_a_resolution_just_before_it_is_a_closed_one() {
    let closed = gone_to("Completed", 1).closed().unwrap();
    assert_eq!(closed.latest, at(50) - TimeDelta::seconds(1));
    assert_eq!(gone_to("Completed", 60).closed().map(|closed| closed.latest), Some(at(49)));
}

#[test]
fn a_status_that_came_well_after_the_resolution_is_a_reopening_that_nobody_saw() {
    let history = gone_to("In Progress", 600);
    assert_eq!(history.closed(), None);
    assert_eq!(pauses(&history), [pause(40, 50)], "the time it was closed is no work");
}

#[test]
fn a_ticket_that_leaves_an_unlisted_closed_status_is_open_again() {
    let mut back = watched("In Progress");
    back.ticket.resolution.met_at = Some(at(50));
    let changes = [
        seen(K::Status, "Open", "Completed", between(20, 50)),
        seen(K::Resolved, "", &at(50).to_rfc3339(), between(20, 50)),
        seen(K::Status, "Completed", "In Progress", between(51, 52)),
    ];
    assert_eq!(pauses(&told(&back, &changes)), [pause(50, 52)]);
}

#[test]
fn a_ticket_that_was_over_in_an_unlisted_status_when_first_seen_is_over_in_the_next_and_open_in_one_of_work() {
    let mut ticket = watched("Archived");
    (ticket.ticket.resolution.met_at, ticket.first_seen_at) = (Some(at(50)), at(80));
    assert_eq!(told(&ticket, &[status("Completed", "Archived", 90)]).closed(), Some(between(50, 50)));
    ticket.ticket.status = Some("In Progress".into());
    let history = told(&ticket, &[status("Completed", "In Progress", 90)]);
    assert_eq!((history.closed(), pauses(&history)), (None, vec![pause(50, 90)]));
}

/// Returns a ticket resolved in time that moved on to the unlisted `Done`, and was `falsely` taken as reopened or not.
fn moved_on(falsely: bool) -> (Watched, Vec<Change>) {
    let mut done = watched("Done");
    done.ticket.resolution.met_at = Some(at(50));
    let mut changes = vec![
        status("Open", "Resolved", 50),
        seen(K::Resolved, "", &at(50).to_rfc3339(), between(48, 50)),
        status("Resolved", "Done", 90),
    ];
    if falsely {
        changes.push(change(K::Reopened, &at(50).to_rfc3339(), "Done", 90));
    }
    (done, changes)
}

#[test]
fn a_ticket_that_moves_on_to_an_unlisted_status_while_its_resolution_stands_stays_closed() {
    let (done, changes) = moved_on(false);
    assert_eq!(told(&done, &changes).closed(), Some(between(50, 50)));
    assert_eq!(told(&done, &changes).cycles().len(), 1);
    let mut unseen = done.clone();
    unseen.first_seen_at = at(80);
    assert_eq!(told(&unseen, &changes[2..]).closed(), Some(between(50, 50)), "closed before it was watched");
    let (mut cleared, changes) = moved_on(true);
    cleared.ticket.resolution.met_at = None;
    assert_eq!(told(&cleared, &changes).closed(), None, "reopened in earnest");
}

#[test]
fn what_was_falsely_taken_for_a_reopening_is_none_once_that_is_known() {
    let (done, mut changes) = moved_on(true);
    assert_eq!(told(&done, &changes).closed(), Some(between(50, 50)), "its resolution stands");
    let with_done = |status: Option<&str>| match status {
        Some("Resolved" | "Done") => StatusMeaning::Closed,
        _ => StatusMeaning::Open,
    };
    assert_eq!(History::tell(&done, &changes, with_done).closed(), Some(between(50, 50)), "`Done` is listed by now");
    changes.push(status("Done", "Resolved", 120));
    changes.push(change(K::Resolved, &at(50).to_rfc3339(), &at(50).to_rfc3339(), 120));
    let mut back = done;
    back.ticket.status = Some("Resolved".into());
    assert_eq!(told(&back, &changes).closed(), Some(between(50, 50)), "its old name came back");
    changes.extend([
        status("Resolved", "In Progress", 150),
        change(K::Reopened, &at(50).to_rfc3339(), "In Progress", 150),
    ]);
    back.ticket.status = Some("In Progress".into());
    assert_eq!(told(&back, &changes).closed(), None);
}

#[test]
fn each_technician_is_given_the_time_they_held_the_ticket() {
    let changes = [change(K::Assignee, "", "Tom", 60), change(K::Assignee, "Tom", "Mia", 90)];
    let history = told(&watched("Open"), &changes);
    let office = office();
    let held = history.ownership(&office, at(210));
    assert_eq!(held, [(Some("Mia"), mins(120)), (None, mins(60)), (Some("Tom"), mins(30))]);
}

#[test]
fn a_ticket_that_vanished_says_when() {
    let mut gone = watched("Open");
    (gone.read_at, gone.vanished_at) = (at(70), Some(at(80)));
    let history = told(&gone, &[]);
    assert_eq!(history.gone, Some(between(70, 80)));
}

#[test]
fn what_moved_the_target_is_kept() {
    let moved = K::DueMoved(ClockKind::Resolution);
    let changes =
        [change(K::Priority, "Low", "High", 20), change(moved, "2026-11-23T17:00:00Z", "2026-11-23T13:00:00Z", 20)];
    let history = told(&watched("Open"), &changes);
    assert_eq!(history.retargets[0].from.as_deref(), Some("Low"));
    assert_eq!((history.due_moves[0].from, history.due_moves[0].to), (Some(at(480)), Some(at(240))));
}

pub fn any_change() -> impl Strategy<Value = Change> {
    let statuses = || prop::sample::select(vec!["Open", "On Hold", "Waiting on Vendor", "Closed", "Resolved", ""]);
    let kinds = prop::sample::select(vec![
        K::FirstSeen,
        K::Status,
        K::Status,
        K::Status,
        K::Resolved,
        K::Reopened,
        K::Assignee,
        K::Priority,
        K::Vanished,
        K::Returned,
        K::DueMoved(ClockKind::Resolution),
    ]);
    (kinds, statuses(), statuses(), -500i64..9_000, -500i64..9_000).prop_map(|(kind, from, to, a, b)| {
        let text = match kind {
            K::Resolved | K::DueMoved(_) if a % 2 == 0 => at(b).to_rfc3339(),
            _ => to.to_owned(),
        };
        seen(kind, from, &text, between(a, b))
    })
}

pub fn any_watched() -> impl Strategy<Value = Watched> {
    let now = prop::sample::select(vec!["Open", "On Hold", "Closed"]);
    let moment = || prop::option::of(-500i64..9_000);
    (now, moment(), moment(), moment(), moment(), 1i64..4_000).prop_map(
        |(now, created, met, answered, since, first)| {
            let mut watched = watched(now);
            watched.first_seen_at = at(first);
            watched.ticket.created_at = created.map(at);
            watched.ticket.updated_at = since.map(at);
            watched.ticket.resolution.met_at = met.map(at);
            watched.ticket.first_response.met_at = answered.map(at);
            watched.status_since = since.map(|since| between(since, since + 5));
            watched
        },
    )
}

proptest! {
    /// Whatever the input, the periods follow each other, the first is open, and pauses are sorted and do not touch.
    #[test]
    fn every_story_can_be_told(watched in any_watched(), changes in prop::collection::vec(any_change(), 0..14)) {
        let history = told(&watched, &changes);
        prop_assert_ne!(history.periods[0].meaning, StatusMeaning::Closed);
        for pair in history.periods.windows(2) {
            prop_assert_eq!(pair[0].to, Some(pair[1].from));
            prop_assert!(pair[0].from.latest <= pair[1].from.latest && pair[0].from.earliest <= pair[1].from.earliest);
        }
        prop_assert_eq!(history.periods.last().unwrap().to, None);
        for reading in [Reading::Least, Reading::Likely, Reading::Most] {
            let pauses = history.pauses(ClockKind::Resolution, reading);
            for pair in pauses.windows(2) {
                prop_assert!(pair[0].to.is_some_and(|to| to < pair[1].from));
            }
            prop_assert!(pauses.iter().all(|pause| pause.to.is_none_or(|to| pause.from < to)));
        }
    }

    #[test]
    fn the_order_in_which_changes_come_makes_no_difference(
        changes in prop::collection::vec(any_change(), 0..10), seed in any::<u64>(),
    ) {
        // Changes of the same moment are read in the order in which they were written.
        let mut apart = changes;
        apart.sort_by_key(|change| change.at.earliest.max(change.at.latest));
        apart.dedup_by_key(|change| change.at.earliest.max(change.at.latest));
        let mut muddled = apart.clone();
        muddled.sort_by_key(|change| change.at.latest.timestamp().wrapping_mul(seed as i64 | 1));
        prop_assert_eq!(told(&watched("Open"), &apart), told(&watched("Open"), &muddled));
    }
}
