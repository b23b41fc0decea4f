//! The rules of a clock, each with its edge case. The ticket is created at minute 0 and due at minute 60.

mod counter;

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::sla::calendar::{Calendar, CalendarSpec};
use crate::sla::policy::{Counts, Policy};
use crate::sla::tenant_rules::{RulesConfig, Warn};
use crate::ticket::Ticket;
use crate::ticket::tests::sample;
use crate::ticket::watch::Bounds;
use crate::ticket::{Directory, Reported, StatusWords, TenantId, Unknown};

/// Returns a moment in minutes after Monday, 09:00 UTC, when the office opens.
fn at(minutes: i64) -> DateTime<Utc> {
    "2026-11-23T09:00:00Z".parse::<DateTime<Utc>>().unwrap() + TimeDelta::minutes(minutes)
}

fn mins(minutes: i64) -> TimeDelta {
    TimeDelta::minutes(minutes)
}

fn ticket() -> Ticket {
    Ticket {
        status: Some("Open".into()),
        priority: Some("High".into()),
        created_at: Some(at(0)),
        updated_at: Some(at(0)),
        resolution: Reported { due: Some(at(60)), ..Reported::default() },
        ..sample("7")
    }
}

fn watched(ticket: Ticket) -> Watched {
    Watched::new(ticket, Bounds { earliest: at(1), latest: at(1) })
}

/// Returns a calendar open Monday to Friday, 09:00 to 17:30.
fn office() -> Arc<Calendar> {
    let mut week: [Vec<(u16, u16)>; 7] = Default::default();
    week[..5].fill(vec![(540, 1050)]);
    let spec = CalendarSpec { name: "office".into(), always: false, week, ..CalendarSpec::round_the_clock() };
    Arc::new(Calendar::compile(spec).unwrap())
}

fn rules_with(msp: Option<Arc<Calendar>>, policies: Vec<Policy>, warn: Warn) -> TenantRules {
    let rules = RulesConfig {
        tenant: TenantId::parse("acme").unwrap(),
        words: StatusWords::default(),
        site_hours: false,
        msp,
        holiday_lists: BTreeMap::new(),
        policies,
        warn,
        automation_answers: true,
    };
    TenantRules::new(rules, &Directory::default())
}

/// Returns rules that warn when three quarters of the time have passed.
fn rules() -> TenantRules {
    rules_with(None, Vec::new(), Warn { at: vec![0.75], left: Vec::new() })
}

fn standing(watched: &Watched, minute: i64) -> Standing {
    assess(watched, ClockKind::Resolution, &rules(), at(minute)).standing
}

fn with(change: impl FnOnce(&mut Watched)) -> Watched {
    let mut watched = watched(ticket());
    change(&mut watched);
    watched
}

#[test]
fn a_running_clock_warns_breaches_and_stops() {
    let met = |minute| with(|w| w.ticket.resolution.met_at = Some(at(minute)));
    let cases = [
        ("just made", watched(ticket()), 0, Standing::OnTrack { left: mins(60) }),
        ("a minute before the warning", watched(ticket()), 44, Standing::OnTrack { left: mins(16) }),
        ("the warning itself", watched(ticket()), 45, Standing::AtRisk { left: mins(15) }),
        ("the last instant is not a breach", watched(ticket()), 60, Standing::AtRisk { left: mins(0) }),
        ("a minute over", watched(ticket()), 61, Standing::Breached { over: mins(1) }),
        ("met in time", met(60), 500, Standing::Met),
        ("met late stays breached, by as much as it was", met(65), 500, Standing::Breached { over: mins(5) }),
    ];
    for (name, watched, minute, expected) in cases {
        assert_eq!(standing(&watched, minute), expected, "{name}");
    }
}

#[test]
fn a_paused_clock_never_breaches() {
    let paused = |since: Option<(i64, i64)>| {
        with(|w| {
            w.ticket.status = Some("Waiting on Customer".into());
            w.status_since = since.map(|(earliest, latest)| Bounds { earliest: at(earliest), latest: at(latest) });
        })
    };
    let cases = [
        ("paused in time", paused(Some((10, 11))), Standing::Paused { left: mins(49) }),
        (
            "paused before it was watched: what was left then is all we know",
            paused(None),
            Standing::Paused { left: mins(59) },
        ),
        (
            "paused after it had breached: the overrun is frozen",
            paused(Some((70, 71))),
            Standing::Breached { over: mins(11) },
        ),
    ];
    for (name, watched, expected) in cases {
        assert_eq!(standing(&watched, 500), expected, "{name}");
    }
}

#[test]
fn a_pause_leaves_the_first_response_running() {
    let watched = with(|w| {
        w.ticket.status = Some("On Hold".into());
        w.ticket.first_response.due = Some(at(30));
    });
    let rules = rules();
    let clock = assess(&watched, ClockKind::FirstResponse, &rules, at(31));
    assert_eq!(clock.standing, Standing::Breached { over: mins(1) });
    assert!(clock.running);
}

#[test]
fn what_superops_flags_is_breached_whatever_its_due_time() {
    let rules = rules();
    let clock_of = |watched: &Watched| {
        let clock = assess(watched, ClockKind::Resolution, &rules, at(10));
        (clock.breached, clock.doubts.has(Doubt::FlaggedThoughDueAhead))
    };
    assert_eq!(clock_of(&with(|w| w.ticket.resolution.breached = Some(true))), (true, true), "still running");
    let met = with(|w| w.ticket.resolution = Reported { due: Some(at(60)), met_at: Some(at(5)), breached: Some(true) });
    assert_eq!(clock_of(&met), (true, true), "met in time by its times");
}

#[test]
fn a_resolution_from_before_a_reopening_is_not_this_cycles() {
    let reopened = with(|w| {
        w.ticket.resolution.met_at = Some(at(20));
        w.status_since = Some(Bounds { earliest: at(30), latest: at(31) });
    });
    assert_eq!(standing(&reopened, 50), Standing::AtRisk { left: mins(10) });
}

#[test]
fn missing_and_impossible_data_says_why() {
    let resolved_before_its_creation = with(|w| {
        w.ticket.status = Some("Closed".into());
        w.ticket.resolution.met_at = Some(at(-5));
    });
    let cases = [
        (with(|w| w.ticket.resolution.due = None), Standing::Unknown, Doubt::NoDueTime),
        (with(|w| w.ticket.resolution.due = Some(at(-5))), Standing::Unknown, Doubt::DueBeforeCreated),
        (with(|w| w.ticket.created_at = None), Standing::OnTrack { left: mins(10) }, Doubt::NoCreatedTime),
        (resolved_before_its_creation, Standing::Met, Doubt::MetBeforeCreated),
        (with(|w| w.ticket.status = Some("Closed".into())), Standing::Met, Doubt::ClosingTimeUnknown),
    ];
    let rules = rules();
    for (watched, expected, doubt) in cases {
        let clock = assess(&watched, ClockKind::Resolution, &rules, at(50));
        assert_eq!(clock.standing, expected, "{doubt:?}");
        assert!(clock.doubts.has(doubt), "{doubt:?} is not among {:?}", clock.doubts.iter().collect::<Vec<_>>());
    }
}

#[test]
fn a_clock_of_which_something_is_unknown_is_unknown() {
    let policy = Policy { resolution: Some(mins(60)), ..crate::sla::tests::policy(Counts::Calendar) };
    let rules = rules_with(None, vec![policy], Warn::default());
    let cases = [
        (Unknown::Status, true, true),
        (Unknown::Resolution, true, true),
        (Unknown::FirstResponse, false, false),
        // What policies match on matters only if SuperOps gives no due time.
        (Unknown::Terms, false, true),
    ];
    for (unknown, with_due, without) in cases {
        for (due, expected) in [(Some(at(60)), with_due), (None, without)] {
            let watched = with(|w| {
                w.ticket.resolution.due = due;
                w.ticket.unknown = vec![unknown];
            });
            let clock = assess(&watched, ClockKind::Resolution, &rules, at(90));
            assert_eq!(
                (clock.standing == Standing::Unknown, clock.doubts.has(Doubt::Unread)),
                (expected, expected),
                "{unknown:?}"
            );
            assert_eq!(matches!(clock.standing, Standing::Breached { .. }), !expected, "{unknown:?}");
        }
    }
}

#[test]
fn a_vanished_ticket_is_cancelled() {
    assert_eq!(standing(&with(|w| w.vanished_at = Some(at(5))), 61), Standing::Cancelled);
}

/// The ticket is due on Monday 09:30, and the office is closed at the weekend.
#[test]
fn warnings_come_while_somebody_is_there() {
    let friday = "2026-11-20T14:00:00Z".parse::<DateTime<Utc>>().unwrap();
    let watched = with(|w| {
        w.ticket.created_at = Some(friday);
        w.ticket.resolution.due = Some(at(30));
    });
    let rules = rules_with(Some(office()), Vec::new(), Warn { at: vec![0.75], left: vec![mins(90)] });
    let clock = assess(&watched, ClockKind::Resolution, &rules, friday);
    assert_eq!(clock.total, Some(mins(240)), "210 minutes on Friday and 30 on Monday");
    let friday_afternoon = "2026-11-20T16:30:00Z".parse().unwrap();
    assert_eq!(clock.at_risk_from, Some(friday_afternoon), "90 working minutes before it is due");
}

#[test]
fn a_target_that_lands_on_closing_time_is_not_missed_overnight() {
    let closing = at(510);
    let watched = with(|w| w.ticket.resolution.due = Some(closing));
    let rules = rules_with(Some(office()), Vec::new(), Warn::default());
    let standing = |at| assess(&watched, ClockKind::Resolution, &rules, at).standing;
    let next_opening = at(24 * 60);
    assert_eq!(standing(closing + TimeDelta::hours(5)), Standing::OnTrack { left: mins(0) });
    assert_eq!(standing(next_opening), Standing::OnTrack { left: mins(0) });
    assert_eq!(standing(next_opening + mins(1)), Standing::Breached { over: mins(1) });
}

#[test]
fn a_due_time_in_closed_hours_was_counted_round_the_clock() {
    let saturday = "2026-11-28T12:00:00Z".parse::<DateTime<Utc>>().unwrap();
    let watched = with(|w| w.ticket.resolution.due = Some(saturday));
    let rules = rules_with(Some(office()), Vec::new(), Warn::default());
    let clock = assess(&watched, ClockKind::Resolution, &rules, saturday - mins(10));
    assert_eq!(clock.left, Some(mins(10)));
    assert_eq!(clock.hours.unwrap().to_string(), "counted round the clock, since it is due in closed hours of office");
}

#[test]
fn without_a_reported_due_time_a_configured_policy_says_it() {
    let policy = Policy {
        tenant: None,
        sla: None,
        priority: Some("high".into()),
        client: None,
        category: None,
        response: None,
        resolution: Some(TimeDelta::hours(9)),
        next_response: None,
        counts: Counts::Business,
    };
    let watched = with(|w| w.ticket.resolution.due = None);
    let rules = rules_with(Some(office()), vec![policy], Warn::default());
    let clock = assess(&watched, ClockKind::Resolution, &rules, at(0));
    assert_eq!(clock.due, Some(at(24 * 60 + 30)), "8.5 hours today and half an hour tomorrow");
    assert!(clock.doubts.has(Doubt::DueFromPolicy));
}

#[test]
fn what_time_alone_changes_is_answered_without_allocating() {
    let open = with(|w| w.ticket.first_response.due = Some(at(30)));
    let paused = with(|w| {
        w.ticket.status = Some("On Hold".into());
        w.status_since = Some(Bounds { earliest: at(10), latest: at(11) });
    });
    let rules = RulesConfig {
        tenant: TenantId::parse("acme").unwrap(),
        words: StatusWords::default(),
        site_hours: false,
        msp: Some(office()),
        holiday_lists: BTreeMap::new(),
        policies: Vec::new(),
        warn: Warn { at: vec![0.75], left: vec![mins(20)] },
        automation_answers: true,
    };
    let statuses = vec!["Open".to_owned(), "On Hold".to_owned()];
    let rules = TenantRules::new(rules, &Directory { statuses, ..Directory::default() });
    let both = [&open, &paused].map(|watched| (watched, Clocks::of(watched, &rules)));
    let look = || both.map(|(watched, clocks)| clocks.at(watched, &rules, at(40))).len();
    look(); // Compiles the year.
    let allocations = allocation_counter::measure(|| {
        look();
    });
    assert_eq!(allocations.count_total, 0);
}

proptest! {
    /// Whatever a ticket says, its standing changes by time alone only when `next_change` said so.
    #[test]
    fn nothing_changes_before_it_was_said_to(
        due in -100i64..3000, met in prop::option::of(-100i64..3000), flagged in prop::option::of(any::<bool>()),
        status in prop::sample::select(vec!["Open", "On Hold", "Closed"]), now in 0i64..3000, later in 0i64..3000,
        in_office in any::<bool>(),
    ) {
        let watched = with(|w| {
            w.ticket.status = Some(status.into());
            w.ticket.resolution = Reported { due: Some(at(due)), met_at: met.map(at), breached: flagged };
        });
        let rules = rules_with(in_office.then(office), Vec::new(), Warn { at: vec![0.5, 0.75], left: vec![mins(20)] });
        let name = |at| assess(&watched, ClockKind::Resolution, &rules, at).standing.as_str();
        let clock = assess(&watched, ClockKind::Resolution, &rules, at(now));
        prop_assert!(clock.next_change.is_none_or(|change| change > at(now)));
        let until = clock.next_change.map_or(at(now + later), |change| (change - TimeDelta::milliseconds(1)).min(at(now + later)));
        prop_assert_eq!(name(at(now)), name(until.max(at(now))));
        if let Some(change) = clock.next_change {
            prop_assert_ne!(name(at(now)), name(change));
        }
    }
}

#[test]
fn a_reply_that_superops_does_not_count_yet_stops_the_first_response() {
    let watched = with(|w| {
        w.ticket.first_response.due = Some(at(30));
        w.replied_at = Some(at(20));
    });
    let rules = rules();
    let clock = assess(&watched, ClockKind::FirstResponse, &rules, at(40));
    assert_eq!(clock.standing, Standing::Met);
    assert!(clock.doubts.has(Doubt::ReplyUnconfirmed));
}
