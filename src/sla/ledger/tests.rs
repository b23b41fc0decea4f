//! The lines of a ledger add up, and read as a person would tell them.

use proptest::prelude::*;

use super::*;
use crate::sla::history::tests::{any_change, any_watched};
use crate::sla::ledger::words::Local;
use crate::sla::policy::{Counts, Policy};
use crate::sla::tests::{at, change, for_priority, mins, named, on_record, policy, rules, status, told, watched};
use crate::ticket::Ticket;
use crate::ticket::watch::{Change, ChangeKind as K, Watched};

fn ledger_at(policies: Vec<Policy>, watched: &Watched, changes: &[Change], now: DateTime<Utc>) -> Ledger {
    let rules = rules(policies);
    let clock = on_record(watched, changes, ClockKind::Resolution, &rules, now).unwrap();
    Ledger::of(&clock, &told(watched, changes))
}

fn time(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// Returns a ticket created on the Friday before Christmas 2023, which was a Monday.
fn before_christmas() -> Watched {
    let mut watched = watched("Open");
    watched.ticket.created_at = Some(time("2023-12-22T16:00:00Z"));
    watched.first_seen_at = time("2023-12-22T16:01:00Z");
    watched
}

fn paused_on_tuesday() -> [Change; 2] {
    let at = |text: &str| (time(text) - at(0)).num_minutes();
    [
        status("Open", "Waiting on Customer", at("2023-12-26T09:10:00Z")),
        status("Waiting on Customer", "Open", at("2023-12-26T11:40:00Z")),
    ]
}

#[test]
fn a_due_time_over_christmas_is_told_line_by_line() {
    let gold = Policy { sla: Some("Gold".into()), priority: Some("High".into()), ..policy(Counts::Business) };
    let ledger = ledger_at(vec![gold], &before_christmas(), &paused_on_tuesday(), time("2023-12-26T13:00:00Z"));
    assert_eq!(
        ledger.sentence(),
        "Fri 16:00-17:30 counted 1h30 · weekend · Mon 25 Dec holiday · Tue 09:00-09:10 counted 10m · \
         Tue 09:10-11:40 paused \"Waiting on Customer\" · Tue 11:40-13:00 counted 1h20 · \
         due Tue 14:00 (target 4h, Gold/High, calendar head-office)"
    );
    assert_eq!(ledger.counted, mins(180));
    let pause = ledger.lines.iter().find(|line| matches!(line.entry, Entry::Paused { .. })).unwrap();
    assert_eq!((pause.working, pause.counted), (mins(150), mins(0)));
}

#[test]
fn closed_hours_are_lines_though_the_sentence_leaves_them_out() {
    let ledger = ledger_at(vec![policy(Counts::Business)], &watched("Open"), &[], at(24 * 60 + 10));
    let lines: Vec<String> = ledger.lines.iter().map(|line| ledger.line(line)).collect();
    assert_eq!(
        lines,
        ["Mon 09:00-17:30 counted 8h30", "Mon 17:30-Tue 09:00 closed hours", "Tue 09:00-09:10 counted 10m"]
    );
}

#[test]
fn local_times_are_those_of_the_calendars_zone() {
    let mut summer = watched("Open");
    summer.ticket.created_at = Some(time("2026-07-06T09:00:00Z"));
    summer.first_seen_at = time("2026-07-06T09:00:30Z");
    let ledger = ledger_at(vec![policy(Counts::Business)], &summer, &[], time("2026-07-06T09:30:05Z"));
    assert_eq!(
        ledger.sentence(),
        "Mon 10:00-10:30 counted 30m05s · due Mon 14:00 (target 4h, the default policy, calendar head-office)"
    );
}

#[test]
fn what_is_read_long_after_it_happened_is_told_with_dates() {
    let ledger = ledger_at(vec![policy(Counts::Business)], &watched("Open"), &[], at(10));
    let day = 24 * 60;
    let read = |now| ledger.clone().read_at(now).sentence();
    assert!(read(at(6 * day)).starts_with("Mon 09:00-09:10 counted 10m · due Mon 13:00"), "{}", read(at(6 * day)));
    let later = read(at(7 * day));
    assert!(later.starts_with("Mon 23 Nov 09:00-09:10 counted 10m · due Mon 23 Nov 13:00"), "{later}");
}

#[test]
fn seconds_are_told_only_where_the_minutes_are_the_same() {
    let local = Local::new(Tz::UTC, time("2026-07-06T09:00:00Z"), time("2026-07-06T10:00:00Z"));
    let stretch = |to| local.stretch(time("2026-07-06T09:00:05Z"), time(to));
    assert_eq!(stretch("2026-07-06T09:01:00Z"), "Mon 09:00-09:01");
    assert_eq!(stretch("2026-07-06T09:00:40Z"), "Mon 09:00:05-09:00:40");
    assert_eq!(local.moment(time("2026-07-06T09:00:40Z")), "Mon 09:00");
}

#[test]
fn what_counts_round_the_clock_is_told_in_the_desks_own_zone() {
    let mut summer = watched("Open");
    summer.ticket.created_at = Some(time("2026-07-04T20:00:00Z"));
    summer.first_seen_at = time("2026-07-04T20:00:30Z");
    let ledger = ledger_at(vec![policy(Counts::Calendar)], &summer, &[], time("2026-07-04T21:00:00Z"));
    assert!(ledger.sentence().starts_with("Sat 21:00-22:00 counted 1h · due Sun 01:00"), "{}", ledger.sentence());
}

#[test]
fn a_retarget_stands_between_the_lines() {
    let changes = [change(K::Priority, "Low", "High", 121)];
    let policies = vec![for_priority("High", 120), for_priority("Low", 480)];
    let ledger = ledger_at(policies, &watched("Open"), &changes, at(130));
    assert_eq!(
        ledger.sentence(),
        "Mon 09:00-11:01 counted 2h01 · Mon 11:01 priority changed from \"Low\" to \"High\", due Mon 11:00 instead of \
         Mon 17:00, retargeted, already late · Mon 11:01-11:10 counted 9m · due Mon 11:00 (target 2h, High, calendar \
         head-office) · breached at Mon 11:00"
    );
}

#[test]
fn the_end_says_how_the_clock_stands() {
    let end = |now, watched: &Watched, changes: &[Change]| {
        ledger_at(vec![policy(Counts::Business)], watched, changes, at(now)).end()
    };
    let basis = "(target 4h, the default policy, calendar head-office)";
    let paused = end(200, &watched("On Hold"), &[status("Open", "On Hold", 100)]);
    assert_eq!(paused, format!("paused, 2h20 left, due Mon 14:40 if resumed now {basis}"));
    let closed = end(900, &watched("Closed"), &[status("Open", "Closed", 100)]);
    assert_eq!(closed, format!("due Mon 13:00 {basis} · resolved Mon 10:40 after 1h40"));
    let mut gone = watched("Open");
    gone.vanished_at = Some(at(70));
    assert_eq!(end(900, &gone, &[]), format!("cancelled: SuperOps no longer shows the ticket {basis}"));
}

#[test]
fn without_a_policy_it_shows_what_lies_between_creation_and_the_reported_due_time() {
    let mut reported = watched("Open");
    reported.ticket.resolution.due = Some(at(270));
    let changes = [
        status("Open", "On Hold", 30),
        status("On Hold", "Open", 60),
        change(K::DueMoved(ClockKind::Resolution), "2026-11-23T13:00:00Z", "2026-11-23T13:30:00Z", 60),
    ];
    let ledger = ledger_at(Vec::new(), &reported, &changes, at(90));
    assert_eq!(
        ledger.sentence(),
        "Mon 09:00-09:30 counted 30m · Mon 09:30-10:00 paused \"On Hold\" · Mon 10:00 SuperOps moved the due time from \
         Mon 13:00 to Mon 13:30 · Mon 10:00-10:30 counted 30m · due Mon 13:30 as SuperOps reports (4h of work after \
         creation and 30m standing still, calendar head-office)"
    );
}

#[test]
fn a_paused_clock_that_superops_reports_says_both_due_times() {
    let mut held = watched("On Hold");
    held.ticket.resolution.due = Some(at(240));
    let ledger = ledger_at(Vec::new(), &held, &[status("Open", "On Hold", 30)], at(90));
    assert_eq!(
        ledger.end(),
        "paused, 3h30 left, due Mon 14:00 if resumed now (due Mon 13:00 as SuperOps reports, 4h of work after creation, \
         calendar head-office)"
    );
}

#[test]
fn a_ticket_open_for_fifty_years_has_an_end() {
    let ledger = ledger_at(vec![policy(Counts::Business)], &watched("Open"), &[], time("2076-01-01T00:00:00Z"));
    assert_eq!(ledger.lines.len(), MOST_LINES + 1);
    assert_eq!(ledger.counted, ledger.lines.iter().map(|line| line.counted).sum());
}

fn renamed(ticket: Ticket, client: &str) -> Ticket {
    Ticket { client: Some(named(client)), ..ticket }
}

proptest! {
    #[test]
    fn the_lines_add_up_to_the_time_elapsed(
        watched in any_watched(), changes in prop::collection::vec(any_change(), 0..14), now in 0i64..12_000,
        round_the_clock in any::<bool>(), due in prop::option::of(0i64..9_000),
    ) {
        let counts = if round_the_clock { Counts::Calendar } else { Counts::Business };
        let rules = rules(vec![policy(counts)]);
        let mut watched = Watched { ticket: renamed(watched.ticket.clone(), "Globex"), ..watched };
        watched.ticket.resolution.due = due.map(at);
        let history = told(&watched, &changes);
        for kind in ClockKind::ALL {
            let Some(clock) = on_record(&watched, &changes, kind, &rules, at(now)) else { continue };
            let ledger = Ledger::of(&clock, &history);
            prop_assert_eq!(ledger.counted, clock.counted.likely);
            let stretches: Vec<&Line> = ledger.lines.iter().filter(|line| line.from < line.to).collect();
            for pair in stretches.windows(2) {
                prop_assert_eq!(pair[0].to, pair[1].from, "no gap and no overlap");
            }
            for line in &ledger.lines {
                prop_assert_eq!(line.working, clock.calendar.between(line.from, line.to));
                prop_assert!(!ledger.line(line).is_empty());
            }
            if let Some((first, last)) = stretches.first().zip(stretches.last()) {
                prop_assert_eq!((first.from, last.to), (clock.start, clock.until));
            }
        }
    }
}
