//! What counts as a change, and when it happened.

use super::*;
use crate::ticket::manual_override::{ManualOverride, OverrideAction};
use crate::ticket::tests::sample;
use crate::ticket::watch::LONGEST_PAST;
use crate::ticket::{RefId, Reported};

fn at(minute: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000 + minute * 60, 0).unwrap()
}

fn named(id: &str) -> Named {
    Named { id: RefId::parse(id).unwrap(), name: format!("name of {id}") }
}

/// Returns a ticket opened at 0, last updated at 1, first read at 10.
fn ticket() -> Ticket {
    Ticket {
        status: Some("Open".into()),
        priority: Some("High".into()),
        client: Some(named("c1")),
        group: Some(named("g1")),
        sla: Some(named("gold")),
        created_at: Some(at(0)),
        updated_at: Some(at(1)),
        first_response: Reported { due: Some(at(60)), ..Reported::default() },
        resolution: Reported { due: Some(at(480)), ..Reported::default() },
        ..sample("7")
    }
}

fn read(minute: i64) -> Bounds {
    Bounds { earliest: at(minute), latest: at(minute) }
}

fn seen(ticket: Ticket) -> Watched {
    observe(None, ticket, &StatusWords::default(), read(10)).0
}

fn next(before: &Watched, ticket: Ticket, minute: i64) -> (Watched, Vec<Change>) {
    observe(Some(before), ticket, &StatusWords::default(), read(minute))
}

fn kinds(changes: &[Change]) -> Vec<ChangeKind> {
    changes.iter().map(|change| change.kind).collect()
}

#[test]
fn each_difference_is_named_once() {
    use ChangeKind as K;
    type Edit = fn(&mut Ticket);
    let cases: [(&str, Edit, &[ChangeKind], u32); 16] = [
        ("nothing", |_| {}, &[], 0),
        ("a new subject is no event", |t| t.subject = "scanner".into(), &[], 0),
        ("status", |t| t.status = Some("On Hold".into()), &[K::Status], 0),
        ("status cleared", |t| t.status = None, &[K::Status], 0),
        ("assigned", |t| t.technician = Some(named("t1")), &[K::Assignee], 0),
        ("a renamed group is the same group", |t| t.group.as_mut().unwrap().name = "new".into(), &[], 0),
        ("group", |t| t.group = Some(named("g2")), &[K::Group], 0),
        ("priority", |t| t.priority = None, &[K::Priority], 0),
        ("another SLA is the same cycle", |t| t.sla = Some(named("silver")), &[K::Sla], 0),
        ("an SLA taken away leaves the cycle", |t| t.sla = None, &[K::Sla], 0),
        ("client", |t| t.client = None, &[K::Client], 0),
        ("response due moved", |t| t.first_response.due = None, &[K::DueMoved(ClockKind::FirstResponse)], 0),
        ("resolution due moved", |t| t.resolution.due = Some(at(500)), &[K::DueMoved(ClockKind::Resolution)], 0),
        ("answered", |t| t.first_response.met_at = Some(at(12)), &[K::FirstResponse], 0),
        ("closed without a time", |t| t.status = Some("Closed".into()), &[K::Status, K::Resolved], 0),
        ("solved while its status stays", |t| t.resolution.met_at = Some(at(12)), &[K::Resolved], 0),
    ];
    for (name, edit, expected, cycle) in cases {
        let mut after = ticket();
        edit(&mut after);
        let (watched, changes) = next(&seen(ticket()), after, 20);
        assert_eq!(kinds(&changes), expected, "{name}");
        assert_eq!(watched.cycle, cycle, "{name}");
    }
}

#[test]
fn a_reopened_ticket_begins_another_cycle() {
    use ChangeKind as K;
    type Edit = fn(&mut Ticket);
    let cases: [(&str, Edit, &[ChangeKind], u32); 4] = [
        ("by its status", |t| t.status = Some("Reopened".into()), &[K::Status, K::Reopened], 1),
        (
            "by status and time at once, counted once",
            |t| {
                t.status = Some("Reopened".into());
                t.resolution.met_at = None;
            },
            &[K::Status, K::Reopened],
            1,
        ),
        ("closed differently is still closed", |t| t.status = Some("Cancelled".into()), &[K::Status], 0),
        ("solved at another time", |t| t.resolution.met_at = Some(at(9)), &[K::Resolved], 0),
    ];
    let mut closed = ticket();
    closed.status = Some("Closed".into());
    closed.resolution.met_at = Some(at(8));
    for (name, edit, expected, cycle) in cases {
        let mut after = closed.clone();
        edit(&mut after);
        let (watched, changes) = next(&seen(closed.clone()), after, 20);
        assert_eq!(kinds(&changes), expected, "{name}");
        assert_eq!(watched.cycle, cycle, "{name}");
    }
}

#[test]
fn a_cleared_resolution_reopens_a_ticket_whose_status_was_never_closed() {
    let mut solved = ticket();
    solved.resolution.met_at = Some(at(8));
    let (watched, changes) = next(&seen(solved), ticket(), 20);
    assert_eq!(kinds(&changes), [ChangeKind::Reopened]);
    assert_eq!(watched.cycle, 1);
}

#[test]
fn a_ticket_that_was_over_in_a_status_nobody_listed_is_reopened_like_any_other() {
    let completed = Ticket { status: Some("Completed".into()), updated_at: Some(at(12)), ..ticket() };
    let completed = Ticket { resolution: Reported { met_at: Some(at(12)), ..ticket().resolution }, ..completed };
    let (over, changes) = next(&seen(ticket()), completed.clone(), 20);
    assert_eq!(kinds(&changes), [ChangeKind::Status, ChangeKind::Resolved]);
    // SuperOps may keep the time of the resolution, or clear it.
    for met_at in [Some(at(12)), None] {
        let open = Ticket { status: Some("In Progress".into()), updated_at: Some(at(25)), ..completed.clone() };
        let open = Ticket { resolution: Reported { met_at, ..open.resolution.clone() }, ..open };
        let (watched, changes) = next(&over, open, 30);
        assert_eq!((kinds(&changes), watched.cycle), (vec![ChangeKind::Status, ChangeKind::Reopened], 1));
    }
    let (again, changes) = next(&over, Ticket { priority: None, ..completed }, 30);
    assert_eq!((kinds(&changes), again.cycle), (vec![ChangeKind::Priority], 0));
}

/// Returns a ticket that was closed at 8, before it was first read.
fn closed() -> Ticket {
    let resolution = Reported { met_at: Some(at(8)), ..ticket().resolution };
    Ticket { status: Some("Closed".into()), resolution, ..ticket() }
}

fn gone_to(status: &str, ticket: Ticket) -> Ticket {
    Ticket { status: Some(status.into()), updated_at: Some(at(18)), ..ticket }
}

#[test]
fn a_ticket_whose_resolution_stands_is_over_still_in_a_status_that_nobody_listed() {
    let mut last = seen(closed());
    for (minute, status) in [(20, "Done"), (30, "Abgerechnet"), (40, "Archived")] {
        let (watched, changes) = next(&last, gone_to(status, closed()), minute);
        assert_eq!((kinds(&changes), watched.cycle), (vec![ChangeKind::Status], 0), "{status}");
        last = watched;
    }
    let (corrected, changes) = next(&last, Ticket { resolution: resolved_at(7), ..last.ticket.clone() }, 45);
    assert_eq!(kinds(&changes), [ChangeKind::Resolved], "another time is no reopening either");
    let (watched, changes) = next(&corrected, gone_to("In Progress", corrected.ticket.clone()), 50);
    assert_eq!((kinds(&changes), watched.cycle), (vec![ChangeKind::Status, ChangeKind::Reopened], 1));
}

fn resolved_at(minute: i64) -> Reported {
    Reported { met_at: Some(at(minute)), ..ticket().resolution }
}

#[test]
fn a_closed_ticket_is_reopened_by_a_resolution_that_is_cleared_or_by_a_status_of_work() {
    let reopened = |before: &Watched, after: Ticket| {
        let (watched, changes) = next(before, after, 90);
        (watched.cycle == 1, kinds(&changes).contains(&ChangeKind::Reopened))
    };
    let cleared = Ticket { resolution: ticket().resolution, ..gone_to("Done", closed()) };
    assert_eq!(reopened(&seen(closed()), cleared), (true, true));
    let later = Ticket { resolution: resolved_at(15), ..gone_to("Done", closed()) };
    assert_eq!(reopened(&seen(closed()), later.clone()), (true, true), "a time of three minutes before is not of this");
    let now = Ticket { updated_at: Some(at(15)), ..later };
    assert_eq!(reopened(&seen(closed()), now), (false, false), "resolved again, in it");
    for status in
        ["Open", "New", "Re-opened", "Customer Replied", "Assigned", "Not resolved", "On Hold", "Awaiting parts"]
    {
        assert_eq!(reopened(&seen(closed()), gone_to(status, closed())), (true, true), "{status}");
    }
    let (worked, _) = next(&seen(gone_to("In Arbeit", ticket())), closed(), 20);
    assert_eq!(reopened(&worked, gone_to("In Arbeit", closed())), (true, true), "work was done on it there before");
    assert_eq!(reopened(&worked, gone_to("Abgerechnet", closed())), (false, false));
}

/// Whether `watched` counts as over, where `Tier 2` is listed as open.
fn is_over(watched: &Watched) -> bool {
    let words = tier_2_is_open();
    periods(watched, &|status| words.meaning(status)).last().is_some_and(|last| last.meaning == StatusMeaning::Closed)
}

fn tier_2_is_open() -> StatusWords {
    StatusWords::default().staying_open(&["Tier 2".into()])
}

#[test]
fn a_ticket_resolved_and_taken_up_again_between_two_reads_is_open_however_soon_after() {
    let cases = [
        ("In Progress", false),
        ("Open", false),
        ("Tier 2", false),
        ("Waiting on Customer", false),
        ("Completed", true),
        ("Abgerechnet", true),
    ];
    for (status, expected) in cases {
        let before = seen(gone_to("Assigned", ticket()));
        let after = Ticket { resolution: resolved_at(18), ..gone_to(status, ticket()) };
        let (watched, changes) = observe(Some(&before), after, &tier_2_is_open(), read(20));
        assert_eq!(kinds(&changes), [ChangeKind::Status, ChangeKind::Resolved], "{status}");
        assert_eq!((is_over(&watched), watched.cycle), (expected, 0), "{status}");
    }
}

#[test]
fn a_resolution_from_before_a_reopening_closes_no_status_that_follows_within_the_minute() {
    let moment = |seconds| at(18) + TimeDelta::seconds(seconds);
    let to = |before: &Watched, status: &str, seconds| {
        let ticket = Ticket { status: Some(status.into()), updated_at: Some(moment(seconds)), ..before.ticket.clone() };
        let read = Bounds { earliest: moment(seconds), latest: moment(seconds) };
        observe(Some(before), Ticket { resolution: resolved_at(18), ..ticket }, &tier_2_is_open(), read)
    };
    for status in ["In Progress", "Tier 2", "Waiting on Customer", "Open", "Tier 3"] {
        let (resolved, _) = to(&seen(ticket()), "Resolved", 0);
        let (reopened, changes) = to(&resolved, "Reopened", 20);
        assert_eq!((kinds(&changes), is_over(&reopened)), (vec![ChangeKind::Status, ChangeKind::Reopened], false));
        let (watched, changes) = to(&reopened, status, 40);
        assert_eq!((kinds(&changes), is_over(&watched)), (vec![ChangeKind::Status], false), "{status}");
    }
}

#[test]
fn a_status_listed_as_open_is_open_whatever_time_of_resolution_comes() {
    let before = seen(gone_to("Tier 2", ticket()));
    let after = Ticket { resolution: resolved_at(18), ..before.ticket.clone() };
    let (watched, changes) = observe(Some(&before), after, &tier_2_is_open(), read(20));
    assert_eq!((kinds(&changes), is_over(&watched)), (vec![ChangeKind::Resolved], false));
}

#[test]
fn a_first_sla_does_not_begin_another_cycle() {
    let mut without = ticket();
    without.sla = None;
    let (watched, changes) = next(&seen(without), ticket(), 20);
    assert_eq!(kinds(&changes), [ChangeKind::Sla]);
    assert_eq!(watched.cycle, 0);
}

#[test]
fn what_its_clocks_need_is_kept_with_the_ticket() {
    let held = Ticket { status: Some("On Hold".into()), technician: Some(named("t1")), ..ticket() };
    let (second, changes) = next(&seen(ticket()), held, 20);
    assert_eq!(second.past, changes[..1], "the status, but not who has it");
    let (third, _) = next(&second, Ticket { status: Some("Closed".into()), ..ticket() }, 30);
    assert_eq!(kinds(&third.past), [ChangeKind::Status, ChangeKind::Status, ChangeKind::Resolved]);
    let many = vec![third.past[0].clone(); 2 * LONGEST_PAST];
    assert_eq!(past(&many).len(), LONGEST_PAST);
}

#[test]
fn a_change_lies_between_the_last_read_and_the_update() {
    let bounds = |earliest, latest| Bounds { earliest: at(earliest), latest: at(latest) };
    let cases = [
        ("updated between the reads", Some(at(12)), bounds(10, 12)),
        ("updated at the last read", Some(at(10)), bounds(10, 10)),
        ("updated at this read", Some(at(20)), bounds(10, 20)),
        ("an update before the last read tells nothing", Some(at(9)), bounds(10, 20)),
        ("a time of update in the future tells nothing", Some(at(21)), bounds(10, 20)),
        ("no time of update", None, bounds(10, 20)),
    ];
    for (name, updated, expected) in cases {
        let after = Ticket { status: Some("On Hold".into()), updated_at: updated, ..ticket() };
        let (watched, changes) = next(&seen(ticket()), after, 20);
        assert_eq!(changes[0].at, expected, "{name}");
        assert_eq!(watched.status_since, Some(expected), "{name}");
    }
}

#[test]
fn an_edit_that_a_lagging_list_showed_late_is_dated_to_its_update() {
    // Read at 10 and 20; at 22, with an edit at 21; and unchanged at 30.
    let closer = |updated| Ticket { updated_at: Some(at(updated)), ..ticket() };
    let (second, _) = next(&seen(ticket()), ticket(), 20);
    let (third, _) = next(&second, Ticket { status: Some("In Progress".into()), ..closer(21) }, 22);
    let (fourth, _) = next(&third, third.ticket.clone(), 30);
    let bounds = |earliest, latest| Bounds { earliest: at(earliest), latest: at(latest) };
    let cases = [
        ("shown late", 25, bounds(25, 25)),
        ("longer ago than any list lags behind", 20, bounds(30, 40)),
        ("before the latest that is known of it", 21, bounds(30, 40)),
        ("after the last read", 31, bounds(30, 31)),
    ];
    for (name, updated, expected) in cases {
        let (_, changes) = next(&fourth, Ticket { status: Some("On Hold".into()), ..closer(updated) }, 40);
        assert_eq!(changes[0].at, expected, "{name}");
    }
}

#[test]
fn a_due_time_may_move_without_an_update() {
    let mut after = Ticket { updated_at: Some(at(12)), ..ticket() };
    after.resolution.due = Some(at(500));
    let (_, changes) = next(&seen(ticket()), after, 20);
    assert_eq!(changes[0].at, Bounds { earliest: at(10), latest: at(20) });
    assert_eq!(changes[0].to.as_deref(), Some("2027-01-15T16:20:00Z"));
}

#[test]
fn a_read_that_took_long_widens_the_bounds_on_both_sides() {
    let slow = |from, to| Bounds { earliest: at(from), latest: at(to) };
    let words = StatusWords::default();
    let (before, _) = observe(None, ticket(), &words, slow(10, 13));
    let after = Ticket { status: Some("On Hold".into()), ..ticket() };
    let (_, changes) = observe(Some(&before), after, &words, slow(20, 24));
    assert_eq!(changes[0].at, slow(10, 24));
}

#[test]
fn the_time_in_a_status_is_unknown_at_first_and_kept_while_it_stays() {
    let first = seen(ticket());
    assert_eq!(first.status_since, None);
    let held = Ticket { status: Some("On Hold".into()), ..ticket() };
    let (second, _) = next(&first, held.clone(), 20);
    let (third, changes) = next(&second, held, 30);
    assert_eq!(changes, []);
    assert_eq!(third.status_since, second.status_since);
    assert_eq!(third.read_at, at(30));
}

#[test]
fn a_clock_that_was_set_back_does_not_turn_the_bounds_round() {
    let after = Ticket { status: Some("On Hold".into()), ..ticket() };
    let (_, changes) = next(&seen(ticket()), after, 5);
    assert_eq!(changes[0].at, read(5));
}

#[test]
fn a_ticket_that_vanished_is_not_open_until_it_returns() {
    let words = StatusWords::default();
    let (gone, change) = vanish(&seen(ticket()), read(20));
    assert_eq!((change.kind, change.at), (ChangeKind::Vanished, Bounds { earliest: at(10), latest: at(20) }));
    assert!(!gone.is_open(&words));
    let (back, changes) = next(&gone, ticket(), 30);
    assert_eq!(kinds(&changes), [ChangeKind::Returned]);
    assert!(back.is_open(&words));
}

#[test]
fn every_kind_is_found_by_its_name() {
    for kind in ChangeKind::ALL {
        assert_eq!(ChangeKind::parse(kind.as_str()), Some(kind));
    }
    assert_eq!(ChangeKind::parse("resurrected"), None);
}

#[test]
fn a_decision_by_hand_holds_for_its_cycle_and_its_message_only() {
    let mut watched = seen(ticket());
    watched.overrides = vec![cancelled(ClockKind::Resolution), cancelled(ClockKind::NextResponse)];
    watched.conversation.asked_at = Some(at(40));
    assert!(ClockKind::ALL.map(|clock| watched.overridden(clock).is_some()) == [false, true, true]);
    watched.conversation.asked_at = Some(at(60));
    assert_eq!(watched.overridden(ClockKind::NextResponse), None, "the client wrote again");
    watched.cycle = 1;
    assert_eq!(watched.overridden(ClockKind::Resolution), None, "it was reopened");
}

#[test]
fn a_decision_by_hand_survives_a_change_of_the_sla() {
    let mut before = seen(ticket());
    before.overrides = vec![cancelled(ClockKind::Resolution)];
    let silver = Ticket { sla: Some(named("silver")), updated_at: Some(at(70)), ..ticket() };
    let (after, changes) = next(&before, silver, 71);
    assert_eq!(kinds(&changes), [ChangeKind::Sla]);
    assert_eq!(after.overridden(ClockKind::Resolution), Some(OverrideAction::Cancelled));
}

/// Returns a manual override in the first cycle.
fn cancelled(clock: ClockKind) -> ManualOverride {
    let (reason, by) = ("a test".into(), "mia".into());
    ManualOverride { clock, cycle: 0, action: OverrideAction::Cancelled, reason, by, at: at(50) }
}

#[test]
fn a_row_that_is_older_than_what_is_held_is_left_out_for_ten_minutes() {
    let of = |updated| Ticket { updated_at: updated, ..ticket() };
    let held = seen(of(Some(at(9))));
    let cases = [
        ("the same update", at(9), 11, false),
        ("an earlier one", at(8), 11, true),
        ("a later one", at(11), 11, false),
        ("an earlier one, still after ten minutes", at(8), 20, false),
    ];
    for (name, updated, now, expected) in cases {
        assert_eq!(is_outdated(&held, &of(Some(updated)), read(now)), expected, "{name}");
    }
    assert!(!is_outdated(&held, &of(None), read(11)), "nobody says when");
    let ahead = seen(of(Some(at(90))));
    assert!(!is_outdated(&ahead, &of(Some(at(11))), read(12)), "its clock runs ahead of ours");
    let (gone, _) = vanish(&held, read(11));
    assert!(!is_outdated(&gone, &of(Some(at(8))), read(12)), "it is shown again");
}
