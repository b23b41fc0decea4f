use super::*;
use crate::sla::policy::Counts;
use crate::sla::tests::{at, between, change, for_priority, having, named, policy, rules, seen, status, watched};
use crate::ticket::Reported;
use crate::ticket::watch::ChangeKind;

/// Returns a history first read as `Open` within a minute of the creation, followed by `changes`.
fn history(changes: impl IntoIterator<Item = Change>) -> Vec<Change> {
    [seen(ChangeKind::FirstSeen, "", "Open", between(0, 1))].into_iter().chain(changes).collect()
}

/// Returns a ticket closed this many minutes after its creation.
fn closed(minute: i64) -> (Watched, Vec<Change>) {
    let mut ticket = watched("Closed");
    ticket.ticket.resolution.met_at = Some(at(minute));
    let resolved = change(ChangeKind::Resolved, "", &at(minute).to_rfc3339(), minute);
    (ticket, history([status("Open", "Closed", minute), resolved]))
}

fn judged((watched, changes): &(Watched, Vec<Change>), resolution: i64) -> Outcome {
    let rules = rules(vec![for_priority("High", resolution)]);
    outcome(&having(watched, changes), changes, ClockKind::Resolution, &rules, at(5_000))
}

#[test]
fn equal_to_the_target_is_met_and_a_minute_over_is_not() {
    assert_eq!(judged(&closed(120), 120), Outcome::Met);
    assert_eq!(judged(&closed(121), 120), Outcome::Breached);
}

#[test]
fn paused_time_is_given_back() {
    let (ticket, _) = closed(200);
    let paused =
        history([status("Open", "On Hold", 20), status("On Hold", "Open", 120), status("Open", "Closed", 200)]);
    assert_eq!(judged(&(ticket.clone(), paused), 100), Outcome::Met);
    let (_, worked) = closed(200);
    assert_eq!(judged(&(ticket, worked), 100), Outcome::Breached);
}

#[test]
fn what_hangs_on_an_unseen_moment_is_unknown() {
    let (ticket, _) = closed(200);
    let paused = history([
        seen(ChangeKind::Status, "Open", "On Hold", between(20, 40)),
        status("On Hold", "Open", 120),
        status("Open", "Closed", 200),
    ]);
    let case = (ticket, paused);
    let outcomes = [99, 100, 119, 120].map(|target| judged(&case, target));
    assert_eq!(outcomes, [Outcome::Breached, Outcome::Unknown, Outcome::Unknown, Outcome::Met]);
}

#[test]
fn a_ticket_that_is_still_open_has_not_met_anything_yet() {
    let case = (watched("Open"), history([]));
    let rules = rules(vec![for_priority("High", 120)]);
    let by = |minute| outcome(&case.0, &case.1, ClockKind::Resolution, &rules, at(minute));
    assert_eq!([by(120), by(121)], [Outcome::Open, Outcome::Breached]);
}

#[test]
fn where_no_policy_speaks_superops_own_due_time_decides() {
    let none = rules(Vec::new());
    let by = |due: Option<i64>, met: Option<i64>| {
        let mut ticket = watched(if met.is_some() { "Closed" } else { "Open" });
        ticket.ticket.resolution = Reported { due: due.map(at), met_at: met.map(at), breached: None };
        outcome(&ticket, &history([]), ClockKind::Resolution, &none, at(100))
    };
    let cases = [
        ("met", Some(60), Some(60), Outcome::Met),
        ("late", Some(60), Some(61), Outcome::Breached),
        ("open", Some(101), None, Outcome::Open),
        ("overdue", Some(99), None, Outcome::Breached),
        ("nothing due", None, Some(60), Outcome::Unknown),
    ];
    for (name, due, met, expected) in cases {
        assert_eq!(by(due, met), expected, "{name}");
    }
}

#[test]
fn tickets_are_counted_once_in_each_of_their_groups_and_vanished_ones_nowhere() {
    let (before, after) = (rules(vec![policy(Counts::Business)]), rules(vec![for_priority("High", 120)]));
    let mut comparison = Comparison::default();
    for minute in [100, 150, 300] {
        let (ticket, changes) = closed(minute);
        comparison.add(&ticket, &changes, &before, &after, at(5_000));
    }
    let (mut other, changes) = closed(100);
    other.ticket.client = Some(named("Globex"));
    comparison.add(&other, &changes, &before, &after, at(5_000));
    other.vanished_at = Some(at(101));
    comparison.add(&other, &changes, &before, &after, at(5_000));

    let pair = |group: Group| comparison.pairs[&(ClockKind::Resolution, group)];
    let tally = |met, breached| Tally { met, breached, ..Tally::default() };
    assert_eq!(pair(Group::All), Pair { before: tally(3, 1), after: tally(2, 2), changed: 1 });
    let globex = pair(Group::Client(Some("Globex".into())));
    assert_eq!(globex, Pair { before: tally(1, 0), after: tally(1, 0), changed: 0 });
    assert_eq!(pair(Group::Priority(Some("High".into()))).before.tickets(), 4);
    assert_eq!(pair(Group::All).after.share(), Some(0.5));
    assert_eq!(Tally::default().share(), None, "nothing decided is no share");
}
