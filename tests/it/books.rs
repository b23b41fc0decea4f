//! The books and the store that they are in: made anew they are the same, and what does not fit is found and named.

use std::collections::BTreeSet;
use std::process::{Command, Output};
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use superops_sla::alert::suppression::SuppressionKind;
use superops_sla::bookkeeping::{Bookkeeping, Rebuilt};
use superops_sla::rules_cache::RulesCache;
use superops_sla::service::reports::{ComplianceQuery, ReportQuery, TechnicianQuery};
use superops_sla::service::suppressions::SuppressionOrder;
use superops_sla::simulator::NewTicket;
use superops_sla::simulator::ticket::{ConversationEntry, EntryKind};
use superops_sla::store::audit::Author;
use superops_sla::store::check::{self, Checked};
use superops_sla::store::tokens::{Role, Token};
use superops_sla::ticket::{Reach, TenantId};

use crate::support::{TestApp, minutes, usual};

/// What stands in the books, without the numbers of rows; and of what counts on, not how long it has.
const BOOKS: [&str; 4] = [
    "SELECT e.tenant || ' ' || e.ticket || ' ' || e.clock || ' ' || e.round || ' ' || e.outcome || ' ' ||
       COALESCE(e.why, '') || ' ' || e.day || ' ' || e.decided_at || ' ' || COALESCE(e.stop_day, 0) || ' ' ||
       COALESCE(e.stopped_at, 0) || ' ' || COALESCE(e.target, 0) || ' ' || e.counted || ' ' || e.over || ' ' ||
       e.paused || ' ' || COALESCE(e.says, '') || ' ' || COALESCE(e.reported, 2) || ' ' || COALESCE(e.computed, 2) ||
       ' ' || e.observed || ' ' || e.holder || ' ' || COALESCE(e.client, '') || ' ' || COALESCE(e.priority, '') || ' ' ||
       COALESCE(e.policy, '') || ' ' || e.version || ' ' || e.maintenance || ' ' || COALESCE(e.reason, '') || ' ' ||
       e.signs || ' ' || e.chances || ' ' || e.counts
     FROM entries e WHERE e.latest = 1 ORDER BY e.ticket, e.clock, e.round",
    "SELECT e.ticket || ' ' || e.clock || ' ' || e.round || ' ' || s.place || ' ' || s.holder || ' ' || s.weight || ' ' ||
       s.counted || ' ' || s.over || ' ' || s.paused
     FROM shares s JOIN entries e ON e.id = s.entry WHERE e.latest = 1 ORDER BY e.ticket, e.clock, e.round, s.place",
    "SELECT e.ticket || ' ' || e.clock || ' ' || e.round || ' ' || o.day || ' ' || o.from_at || ' ' || o.to_at || ' ' ||
       o.maintenance
     FROM overdue o JOIN entries e ON e.id = o.entry ORDER BY e.ticket, e.clock, e.round, o.from_at",
    "SELECT tenant || ' ' || day || ' ' || clock || ' ' || met || ' ' || breached || ' ' || excluded || ' ' ||
       met_in_maintenance || ' ' || breached_in_maintenance || ' ' || overdue || ' ' || overdue_in_all
     FROM days WHERE met + breached + excluded + met_in_maintenance + breached_in_maintenance + overdue_in_all > 0
     ORDER BY tenant, day, clock",
];

async fn books(app: &TestApp) -> Vec<Vec<String>> {
    let mut books = Vec::new();
    for query in BOOKS {
        books.push(app.database.texts(query).await);
    }
    books
}

/// Books all that is to be booked, and closes what can be.
async fn book(app: &mut TestApp) {
    let now = app.now();
    while app.parts().bookkeeping.turn(now).await.unwrap().tickets > 0 {}
}

async fn rebuild(app: &mut TestApp) -> Rebuilt {
    let now = app.now();
    let mut last = None;
    let rebuilt = app.parts().bookkeeping.rebuild(&Reach::All, now, |progress| last = Some(progress)).await.unwrap();
    assert!(last.is_none_or(|last| last.done == last.of && last.done == rebuilt.tickets), "{last:?} {rebuilt:?}");
    rebuilt
}

/// Histories are kept for longer than the oldest ticket of the look-alike is old.
const KEPT: &str = "[retention]\nevents = \"3600d\"\naudit = \"3600d\"\n";

/// A desk at which anything may happen to a ticket for some days.
async fn desk(app: &mut TestApp, seed: u64) {
    const STATUSES: [&str; 5] = ["Open", "Waiting on Customer", "Resolved", "Closed", "Open"];
    let mut chance = fastrand::Rng::with_seed(seed);
    let mut ids: Vec<String> = Vec::new();
    for _ in 0..45 {
        let which = chance.usize(..ids.len().max(1));
        match chance.u8(..7) {
            0 | 1 => ids.push(
                app.superops.add(NewTicket { resolution_due_in: Some(TimeDelta::hours(chance.i64(1..30))), ..usual() }),
            ),
            2 | 3 if !ids.is_empty() => app.superops.change_status(&ids[which], STATUSES[chance.usize(..5)]),
            4 if !ids.is_empty() => {
                let from = app.superops.ticket(&ids[chance.usize(..ids.len())]).unwrap().technician;
                let to = from.filter(|_| chance.bool());
                app.superops.patch(&ids[which], |ticket| ticket.technician = to);
            }
            5 if !ids.is_empty() => {
                let now = app.now();
                app.superops.patch(&ids[which], |ticket| {
                    ticket.first_response.met_at.get_or_insert(now);
                });
            }
            _ => app.clock.advance(minutes(chance.i64(5..700))),
        }
        app.clock.advance(minutes(1));
        app.sync().await;
        if chance.u8(..3) == 0 {
            book(app).await;
        }
    }
    book(app).await;
}

#[tokio::test]
async fn books_that_are_made_anew_are_the_same_whatever_happened_at_the_desk() {
    for seed in [3, 17, 40] {
        let mut app = TestApp::with(KEPT).await;
        desk(&mut app, seed).await;
        let now = app.now();
        let differing = app.parts().bookkeeping.differing(&Reach::All, now, |_| ()).await.unwrap();
        assert_eq!(differing, [], "{seed}: bit by bit they are what they are in one go");
        let first = rebuild(&mut app).await;
        assert_eq!((first.new, first.revised, first.corrections), (0, 0, 0), "{seed}: {first:?}");
        let before = books(&app).await;
        assert!(before[0].len() > 5 && !before[3].is_empty(), "{seed}: there is something to make anew");
        app.database.tamper("DELETE FROM entries").await;
        app.database.tamper("DELETE FROM days").await;
        // Into a closed month nothing new is counted.
        app.database.tamper("DELETE FROM months").await;
        let anew = rebuild(&mut app).await;
        assert_eq!((anew.new, anew.left), (before[0].len(), 0), "{seed}");
        assert!(anew.dropped > 0, "{seed}: shares of entries that were gone");
        assert_eq!(books(&app).await, before, "{seed}");
    }
}

#[tokio::test]
async fn what_superops_and_the_policy_say_each_by_itself_is_booked_when_its_time_comes() {
    let policy = "[[policies]]\nresponse = \"2h\"\nresolution = \"9h\"\n";
    let mut app = TestApp::with(&format!("{KEPT}{policy}")).await;
    let id = app.superops.add(NewTicket {
        response_due_in: Some(minutes(30)),
        resolution_due_in: Some(minutes(60)),
        responded_in: None,
        ..usual()
    });
    let verdicts = format!(
        "SELECT clock || ' ' || reported || ' ' || computed FROM entries WHERE latest = 1 AND ticket = '{id}' ORDER BY clock"
    );
    for (later, expected) in [
        (40, vec!["first_response 1 0"]),
        (30, vec!["first_response 1 0", "resolution 1 0"]),
        (60, vec!["first_response 1 1", "resolution 1 0"]),
        (460, vec!["first_response 1 1", "resolution 1 1"]),
    ] {
        app.wait(minutes(later)).await;
        book(&mut app).await;
        assert_eq!(app.database.texts(&verdicts).await, expected, "{later} minutes later");
        assert_eq!(look(&mut app).await, Vec::<String>::new(), "{later} minutes later");
    }
}

#[tokio::test]
async fn a_decision_by_hand_comes_out_the_same_each_time_to_the_part_of_a_second() {
    let mut app = TestApp::with(KEPT).await;
    let id = app.ticket(TimeDelta::hours(8));
    app.turn().await;
    app.clock.advance(TimeDelta::nanoseconds(1_234_567));
    let order = serde_json::from_value(serde_json::json!({
        "clock": "resolution", "cancelled": true, "reason": "a test of ours"
    }));
    let author = Author { who: "Mia".to_owned(), origin: "here".to_owned() };
    app.parts().service.decide(&Reach::All, &id, order.unwrap(), author).await.unwrap();
    app.wait(minutes(5)).await;
    book(&mut app).await;
    assert_eq!(look(&mut app).await, Vec::<String>::new());
    for _ in 0..2 {
        let rebuilt = rebuild(&mut app).await;
        assert_eq!((rebuilt.new, rebuilt.revised, rebuilt.corrections), (0, 0, 0), "{rebuilt:?}");
    }
}

#[tokio::test]
async fn a_month_does_not_wait_for_ever_for_conversations_that_cannot_be_read_and_keeps_its_zone() {
    let mut app = TestApp::with(KEPT).await;
    desk(&mut app, 5).await;
    let november = format!("SELECT zone FROM months WHERE month = {}", 2026 * 12 + 10);
    let unheard = async |app: &mut TestApp| {
        let acme = TenantId::parse("acme").unwrap();
        let mut state = app.parts().store.sync_state(&acme).await.unwrap();
        state.unheard_since = Some(at("2026-11-25T12:00:00Z"));
        app.parts().store.save_sync_state(&acme, state).await.unwrap();
    };
    for (day, closed) in
        [("2026-12-08T07:00:00Z", false), ("2026-12-14T07:00:00Z", false), ("2026-12-15T07:00:00Z", true)]
    {
        app.clock.set(at(day));
        app.turn().await;
        unheard(&mut app).await;
        book(&mut app).await;
        assert_eq!(!app.database.texts(&november).await.is_empty(), closed, "{day}");
    }
    let zone = async |app: &mut TestApp| {
        let query =
            ReportQuery { from: Some("2026-11-01".into()), to: Some("2026-11-30".into()), ..Default::default() };
        app.parts().service.report(&Reach::All, &query).await.unwrap().zone.to_string()
    };
    let before = zone(&mut app).await;
    assert_eq!(app.database.texts(&november).await, std::slice::from_ref(&before));
    app.database.tamper("UPDATE months SET zone = 'Asia/Tokyo'").await;
    app.restart().await;
    assert_eq!(
        (before.as_str() != "Asia/Tokyo", zone(&mut app).await.as_str()),
        (true, "Asia/Tokyo"),
        "that of the month"
    );
    app.database.tamper("DELETE FROM packed_days").await;
    rebuild(&mut app).await;
    assert!(!app.database.texts("SELECT 'packed' FROM packed_days").await.is_empty(), "a rebuild packs days as well");
}

#[tokio::test]
async fn a_rebuild_leaves_closed_months_as_they_were_closed_and_mends_what_belongs_to_their_entries() {
    let mut app = TestApp::with(KEPT).await;
    desk(&mut app, 5).await;
    app.clock.set(at("2026-12-08T07:00:00Z"));
    app.turn().await;
    book(&mut app).await;
    let hash = "SELECT month || ' ' || sha256 FROM months ORDER BY month";
    let closed = app.database.texts(hash).await;
    assert!(closed.iter().any(|month| month.starts_with(&format!("{} ", 2026 * 12 + 10))), "November: {closed:?}");
    rebuild(&mut app).await;
    let (before, rows) = (books(&app).await, "SELECT id || ' ' || revision || ' ' || counts FROM entries ORDER BY id");
    let numbers = app.database.texts(rows).await;
    for spoil in ["DELETE FROM days", "DELETE FROM shares", "DELETE FROM overdue", "UPDATE entries SET counted = 1"] {
        app.database.tamper(spoil).await;
        rebuild(&mut app).await;
        assert_eq!(books(&app).await, before, "{spoil}");
    }
    assert_eq!(app.database.texts(rows).await, numbers, "no entry was written anew");
    assert_eq!(look(&mut app).await, Vec::<String>::new(), "the months have the hashes that they were closed with");
    // A history that tells something else: the month stays, and the correction stands beside it.
    app.database.tamper("UPDATE entries SET target = target + 1").await;
    let corrected = rebuild(&mut app).await;
    assert!(corrected.corrections > 0, "{corrected:?}");
    assert_eq!(app.database.texts(hash).await, closed);
}

#[tokio::test]
async fn a_month_is_closed_once_the_conversations_of_its_tickets_are_read() {
    let mut app = TestApp::with("[[policies]]\nresolution = \"90h\"\nnext_response = \"1h\"\n").await;
    let ids: Vec<String> = (0..8).map(|_| app.superops.add(usual())).collect();
    for (id, answered) in ids.iter().zip([30, 90].iter().cycle()) {
        let (asked, answered) = (app.now() + minutes(10), app.now() + minutes(10 + answered));
        app.clock.advance(minutes(1));
        app.superops.patch(id, |ticket| {
            ticket.first_response.met_at = Some(asked - minutes(5));
            for (at, kind) in [(asked, EntryKind::RequesterReply), (answered, EntryKind::TechnicianReply)] {
                ticket.conversation.push(ConversationEntry { at, kind, by: None });
            }
        });
    }
    app.clock.set(at("2026-12-08T07:00:00Z"));
    let november = format!("SELECT 'closed' FROM months WHERE month = {}", 2026 * 12 + 10);
    let of_ours = |tickets: Vec<String>| ids.iter().filter(|id| tickets.contains(id)).count();
    for turn in 0..12 {
        app.sync().await;
        book(&mut app).await;
        let closed = !app.database.texts(&november).await.is_empty();
        assert!(turn > 1 || !closed, "three conversations are read in a turn");
        if closed {
            let answers = "SELECT ticket FROM entries WHERE clock = 'next_response' AND counts = 1";
            assert_eq!(of_ours(app.database.texts(answers).await), ids.len());
            let corrected = "SELECT ticket FROM entries WHERE counts <> latest";
            assert_eq!(of_ours(app.database.texts(corrected).await), 0);
            return;
        }
        app.clock.advance(minutes(1));
    }
    panic!("the month stays open");
}

#[tokio::test]
async fn what_is_owed_for_a_closed_month_stays_whatever_is_configured_later() {
    let policy =
        |priority: &str, credits: &str| format!("{KEPT}[[policies]]\nresolution = \"9h\"\n{priority}{credits}");
    let credits = |percent| format!("credits = {{ \"0\" = \"{percent}\" }}\ncredits_min = 1\n");
    let mut app = TestApp::with(&policy("", &credits(10))).await;
    app.ticket(TimeDelta::hours(1));
    app.turn().await;
    app.wait(TimeDelta::hours(12)).await;
    app.clock.set(at("2026-12-08T07:00:00Z"));
    app.ticket(TimeDelta::hours(1));
    app.turn().await;
    let now = app.now();
    let turn = app.parts().bookkeeping.turn(now).await.unwrap();
    assert!(turn.tickets > 0 && turn.closed > 0, "a busy desk closes its months too: {turn:?}");
    let november = || ("2026-11-01".to_owned(), "2026-11-30".to_owned());
    let owed = async |app: &mut TestApp, (from, to): (String, String)| {
        let query = TechnicianQuery { from: Some(from.clone()), to: Some(to.clone()), ..Default::default() };
        let told = app.parts().service.policy_credits(&Reach::All, &query).await.unwrap();
        let query = ReportQuery { from: Some(from), to: Some(to), ..Default::default() };
        let report = app.parts().service.report(&Reach::All, &query).await.unwrap();
        let table = report.sections.iter().find(|section| section.key == "credits").map(|one| one.tables[0].rows.len());
        (told.iter().map(|one| one.credit_percentage).collect::<Vec<_>>(), table)
    };
    let closed = owed(&mut app, november()).await;
    assert!(!closed.0.is_empty() && closed.0.iter().all(|credit| *credit == Some(10)), "{closed:?}");
    for later in [policy("", &credits(50)), policy("", ""), policy("priority = \"High\"\n", &credits(50))] {
        app.restart_with(&later).await;
        assert_eq!(owed(&mut app, november()).await, closed, "{later}");
    }
    app.restart_with(&policy("", &credits(25))).await;
    app.ticket(TimeDelta::hours(1));
    app.turn().await;
    app.wait(TimeDelta::hours(12)).await;
    app.clock.set(at("2027-01-08T07:00:00Z"));
    app.turn().await;
    book(&mut app).await;
    let december = ("2026-12-01".to_owned(), "2026-12-31".to_owned());
    assert_eq!(owed(&mut app, december).await.0, [Some(25)], "the next month goes by what is promised by then");
}

#[tokio::test]
async fn what_is_still_open_is_counted_on_and_a_day_has_no_more_minutes_than_have_passed() {
    let mut app = TestApp::with(KEPT).await;
    let id = app.ticket(TimeDelta::hours(1));
    app.turn().await;
    app.wait(minutes(61)).await;
    book(&mut app).await;
    app.wait(minutes(45)).await;
    book(&mut app).await;
    let over = format!(
        "SELECT 'over ' || (over / 60000) FROM entries WHERE latest = 1 AND clock = 'resolution' AND ticket = '{id}'"
    );
    let over = app.database.texts(&over).await;
    assert!(["over 45", "over 46"].contains(&over[0].as_str()), "{over:?}");
    let query = ComplianceQuery {
        from_date: Some("2026-11-23".to_owned()),
        to_date: Some("2026-11-24".to_owned()),
        ..Default::default()
    };
    let days = app.parts().service.compliance(&Reach::All, &query).await.unwrap();
    let told: Vec<_> =
        days.iter().map(|day| (day.uptime_minutes + day.downtime_minutes, day.downtime_minutes)).collect();
    assert!([[(646, 45), (0, 0)], [(646, 46), (0, 0)]].contains(&[told[0], told[1]]), "at 10:46: {told:?}");
}

#[tokio::test]
async fn maintenance_while_something_is_overdue_is_taken_from_the_day_once_and_is_no_downtime() {
    let mut app = TestApp::with(KEPT).await;
    app.ticket(TimeDelta::hours(1));
    app.turn().await;
    app.wait(minutes(61)).await;
    book(&mut app).await;
    let author = Author { who: "Mia".to_owned(), origin: "a test".to_owned() };
    let window =
        SuppressionOrder { length: Some("20m".to_owned()), reason: "patching".to_owned(), ..Default::default() };
    let service = app.parts().service.clone();
    service.add_suppression(&Reach::All, SuppressionKind::Maintenance, window, author).await.unwrap();
    app.wait(minutes(45)).await;
    book(&mut app).await;
    for (as_of, exclude_maintenance, day, down) in
        [(None, true, 626, [25, 26]), (Some("latest"), true, 626, [25, 26]), (None, false, 646, [45, 46])]
    {
        let query = ComplianceQuery {
            from_date: Some("2026-11-23".to_owned()),
            to_date: Some("2026-11-23".to_owned()),
            exclude_maintenance: Some(exclude_maintenance),
            as_of: as_of.map(str::to_owned),
            ..Default::default()
        };
        let days = service.compliance(&Reach::All, &query).await.unwrap();
        let (up, downtime) = (days[0].uptime_minutes, days[0].downtime_minutes);
        assert!(up + downtime == day && down.contains(&downtime), "at 10:46, {query:?}: {:?}", days[0]);
    }
}

#[tokio::test]
async fn a_policy_that_the_service_never_ran_with_judges_nothing_again() {
    let policy = "[[policies]]\nresponse = \"2h\"\nresolution = \"9h\"\n";
    let mut app = TestApp::with(&format!("{KEPT}{policy}")).await;
    app.superops.add(NewTicket { responded_in: None, ..usual() });
    app.turn().await;
    app.wait(TimeDelta::hours(10)).await;
    book(&mut app).await;
    let before = books(&app).await;
    let mut config = app.config();
    config.policies[0].response = Some(TimeDelta::days(2));
    config.policies[0].resolution = Some(TimeDelta::days(2));
    let (config, store) = (Arc::new(config), app.parts().store.clone());
    let rules = Arc::new(RulesCache::new(config.clone(), store.clone(), Arc::default()).unwrap());
    let offline = Bookkeeping::new(config, rules, store, Arc::new(app.clock.clone()));
    assert_eq!(offline.differing(&Reach::All, app.now(), |_| ()).await.unwrap(), []);
    let rebuilt = offline.rebuild(&Reach::All, app.now(), |_| ()).await.unwrap();
    assert_eq!((rebuilt.new, rebuilt.revised), (0, 0), "{rebuilt:?}");
    assert_eq!(books(&app).await, before);
}

#[tokio::test]
async fn an_open_ticket_is_booked_by_other_terms_as_soon_as_they_hold() {
    let policy = |resolution: &str| format!("{KEPT}[[policies]]\nresolution = \"{resolution}\"\n");
    let mut app = TestApp::with(&policy("9h")).await;
    let id = app.superops.add(usual());
    app.turn().await;
    book(&mut app).await;
    let breached = format!("SELECT outcome FROM entries WHERE ticket = '{id}' AND clock = 'resolution' AND latest = 1");
    app.wait(TimeDelta::hours(3)).await;
    assert_eq!(app.database.texts(&breached).await, Vec::<String>::new());
    app.restart_with(&policy("2h")).await;
    app.evaluate().await;
    book(&mut app).await;
    assert_eq!(app.database.texts(&breached).await, ["breached"]);
    assert_eq!(look(&mut app).await, Vec::<String>::new());
}

#[tokio::test]
async fn what_breached_while_its_tenant_was_not_configured_is_booked_once_it_is_again() {
    let mut app = TestApp::with(KEPT).await;
    let id = app.ticket(TimeDelta::hours(1));
    app.turn().await;
    book(&mut app).await;
    app.resume_with_changed(|config| config.tenants.clear()).await;
    app.clock.advance(TimeDelta::hours(2));
    book(&mut app).await;
    app.restart().await;
    app.turn().await;
    book(&mut app).await;
    let entries = format!("SELECT outcome FROM entries WHERE ticket = '{id}' AND clock = 'resolution' AND latest = 1");
    assert_eq!(app.database.texts(&entries).await, ["breached"]);
    assert_eq!(look(&mut app).await, Vec::<String>::new());
}

#[tokio::test]
async fn what_a_clock_that_was_ahead_has_booked_is_booked_anew_once_it_is_right() {
    let mut app = TestApp::with(KEPT).await;
    let id = app.ticket(TimeDelta::hours(1));
    app.turn().await;
    app.clock.advance(TimeDelta::hours(2));
    app.turn().await;
    book(&mut app).await;
    let breached =
        format!("SELECT decided_at FROM entries WHERE ticket = '{id}' AND clock = 'resolution' AND latest = 1");
    assert_eq!(app.database.texts(&format!("SELECT 'one' FROM ({breached}) AS found")).await, ["one"]);
    app.clock.advance(-TimeDelta::hours(2));
    app.restart().await;
    book(&mut app).await;
    assert_eq!(app.database.texts(&format!("SELECT 'one' FROM ({breached}) AS found")).await, Vec::<String>::new());
    assert_eq!(look(&mut app).await, Vec::<String>::new());
    app.clock.advance(TimeDelta::hours(1) + minutes(1));
    app.turn().await;
    book(&mut app).await;
    assert_eq!(app.database.texts(&format!("SELECT 'one' FROM ({breached}) AS found")).await, ["one"], "in its time");
}

#[tokio::test]
async fn an_edit_of_a_ticket_that_was_untouched_when_first_read_takes_nothing_from_who_had_it() {
    let mut app = TestApp::with(KEPT).await;
    let late = NewTicket { created_in: -TimeDelta::hours(3), resolution_due_in: Some(-TimeDelta::hours(1)), ..usual() };
    let id = app.superops.add(late);
    app.turn().await;
    book(&mut app).await;
    let entry = format!(
        "SELECT holder || ' ' || reason FROM entries WHERE ticket = '{id}' AND clock = 'resolution' AND latest = 1"
    );
    let before = app.database.texts(&entry).await;
    assert!(before.len() == 1 && !before[0].starts_with("@unknown"), "{before:?}");
    app.restart().await;
    app.clock.advance(minutes(3));
    app.superops.patch(&id, |ticket| ticket.subject = "Mail server slow".to_owned());
    app.wait(minutes(2)).await;
    book(&mut app).await;
    assert_eq!(app.database.texts(&entry).await, before);
}

#[tokio::test]
async fn what_is_older_than_the_histories_that_are_kept_stays_as_it_is_booked() {
    let mut app = TestApp::start().await;
    desk(&mut app, 5).await;
    let before = books(&app).await;
    app.clock.advance(TimeDelta::days(500));
    app.database.tamper("DELETE FROM events").await;
    let rebuilt = rebuild(&mut app).await;
    assert!(rebuilt.tickets > 0 && rebuilt.left == rebuilt.tickets, "{rebuilt:?}");
    assert_eq!(books(&app).await, before);
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

async fn checked(app: &TestApp) -> Checked {
    check::look(&app.config().store).await.unwrap()
}

/// What a look at the store finds, a line each: by which look, and what.
async fn look(app: &mut TestApp) -> Vec<String> {
    let now = app.now();
    let differing = app.parts().bookkeeping.differing(&Reach::All, now, |_| ()).await.unwrap();
    let found = checked(app).await.findings;
    let found = found.into_iter().map(|finding| format!("{}: {}", finding.look.as_str(), finding.what));
    found.chain(differing.into_iter().map(|one| format!("histories: {}", one.ticket))).collect()
}

#[tokio::test]
async fn a_look_at_the_store_finds_what_does_not_fit() {
    let mut app = TestApp::start().await;
    desk(&mut app, 17).await;
    app.settle().await;
    let author = || Author { who: "mia".to_owned(), origin: "command line".to_owned() };
    for _ in 0..3 {
        let now = app.now();
        let store = app.parts().store.clone();
        store.add_token(&Token::generate().unwrap(), Role::Viewer, None, author(), now).await.unwrap();
    }
    assert_eq!(look(&mut app).await, Vec::<String>::new(), "nothing is wrong with a store that nobody touched");
    // Each is undone before the next.
    let cases = [
        ("UPDATE days SET met = met + 1", "UPDATE days SET met = met - 1", "books: acme: the sums of"),
        (
            "UPDATE packed_days SET day = day + 100000",
            "UPDATE packed_days SET day = day - 100000",
            "books: acme: the packed entries of",
        ),
        (
            "UPDATE shares SET weight = weight + 1",
            "UPDATE shares SET weight = weight - 1",
            "books: the shares of entry",
        ),
        (
            "UPDATE entries SET latest = 1 - latest",
            "UPDATE entries SET latest = 1 - latest",
            "books: acme: an entry of ticket",
        ),
        ("UPDATE entries SET target = target + 1", "UPDATE entries SET target = target - 1", "histories: "),
        (
            "UPDATE entries SET outcome = 'x' || outcome",
            "UPDATE entries SET outcome = SUBSTR(outcome, 2)",
            "books: entry ",
        ),
        (
            "UPDATE tickets SET past = 'x' || COALESCE(past, '')",
            "UPDATE tickets SET past = NULLIF(SUBSTR(past, 2), '')",
            "rows: tickets `acme ",
        ),
        ("UPDATE events SET kind = 'x' || kind", "UPDATE events SET kind = SUBSTR(kind, 2)", "rows: events `acme "),
        (
            "UPDATE audit SET who = who || 'x'",
            "UPDATE audit SET who = SUBSTR(who, 1, LENGTH(who) - 1)",
            "audit: row 1 of ",
        ),
        ("UPDATE shares SET entry = entry + 1000000", "UPDATE shares SET entry = entry - 1000000", "references: "),
        (
            "UPDATE _sqlx_migrations SET version = version + 1000000",
            "UPDATE _sqlx_migrations SET version = version - 1000000",
            "migrations: migration 1000001 is of a later version",
        ),
    ];
    for (spoil, undo, found) in cases {
        app.database.tamper(spoil).await;
        // A ticket that cannot be read keeps the entries from being judged: only the look at rows is taken.
        let told = match found.starts_with("histories") {
            true => look(&mut app).await,
            false => {
                let findings = checked(&app).await.findings;
                findings.into_iter().map(|one| format!("{}: {}", one.look.as_str(), one.what)).collect()
            }
        };
        assert!(told.iter().any(|line| line.starts_with(found)), "{spoil}: {told:?}");
        app.database.tamper(undo).await;
    }
    assert_eq!(look(&mut app).await, Vec::<String>::new(), "all was undone");
    let sizes = checked(&app).await.tables;
    let tickets = sizes.iter().find(|one| one.table == "tickets").unwrap();
    assert!(tickets.rows > 3 && tickets.bytes.unwrap() > 1000, "{tickets:?}");
    assert!(tickets.oldest.unwrap() >= crate::support::begin());
    let with_entries: BTreeSet<_> = sizes.iter().filter(|one| one.rows > 0).map(|one| one.table.as_str()).collect();
    assert!(["entries", "shares", "days", "audit", "events"].iter().all(|table| with_entries.contains(table)));
}

/// What the program answers to `args` about the store of `app`.
pub fn program(app: &TestApp, args: &[&str]) -> Output {
    let file = app.token_file().with_file_name("config.toml");
    std::fs::write(&file, app.config_text()).unwrap();
    let mut program = Command::new(env!("CARGO_BIN_EXE_superops-sla"));
    program.arg("-c").arg(file).args(args).env_remove("RUST_LOG").output().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn store_check_ends_in_one_when_something_does_not_fit_and_says_what_to_do() {
    let mut app = TestApp::start().await;
    app.turn().await;
    app.stop().await;
    let good = program(&app, &["store", "check"]);
    let text = String::from_utf8_lossy(&good.stdout);
    assert!(good.status.success(), "{text} {}", String::from_utf8_lossy(&good.stderr));
    for line in ["integrity   good", "migrations  good", "histories   good", "references  good"] {
        assert!(text.contains(line), "{text}");
    }
    let tampered = "INSERT INTO shares (entry, place, holder, weight, counted, over, paused)
                    VALUES (7, 0, 'x', 1000000, 0, 0, 0)";
    app.database.tamper(tampered).await;
    let bad = program(&app, &["store", "check", "--json"]);
    assert_eq!(bad.status.code(), Some(1));
    let told: serde_json::Value = serde_json::from_slice(&bad.stdout).unwrap();
    assert_eq!(told["findings"][0]["look"], "references", "{told}");
    assert!(told["findings"][0]["remedy"].as_str().unwrap().contains("report rebuild"), "{told}");
    assert!(String::from_utf8_lossy(&bad.stderr).contains("one thing in the store is wrong"));
    let rebuilt = program(&app, &["report", "rebuild", "--json"]);
    let told: serde_json::Value = serde_json::from_slice(&rebuilt.stdout).unwrap();
    assert_eq!(told["dropped"], 1, "{told}");
    assert!(program(&app, &["store", "check"]).status.success());
    let same = program(&app, &["report", "rebuild", "--dry-run"]);
    assert_eq!(String::from_utf8_lossy(&same.stdout), "all entries match the histories of their tickets\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_page_is_found_and_named_with_what_to_do() {
    let mut app = TestApp::start().await;
    desk(&mut app, 3).await;
    let Some(file) = app.database.file().map(ToOwned::to_owned) else { return };
    app.stop().await;
    app.database.tamper("PRAGMA wal_checkpoint(TRUNCATE)").await;
    let whole = std::fs::read(&file).unwrap();
    const PAGE: usize = 4096;
    for page in (20..whole.len() / PAGE).step_by(37) {
        let mut damaged = whole.clone();
        damaged[page * PAGE..(page + 1) * PAGE].fill(0xff);
        std::fs::write(&file, damaged).unwrap();
        let looked = program(&app, &["store", "check", "--json"]);
        let told: serde_json::Value = serde_json::from_slice(&looked.stdout).unwrap();
        assert_eq!(looked.status.code(), Some(1), "page {page}");
        assert_eq!(told["findings"][0]["look"], "integrity", "page {page}: {told}");
        assert!(told["findings"][0]["remedy"].as_str().unwrap().contains("restore a backup"), "{told}");
    }
}

#[tokio::test]
async fn while_people_are_to_be_told_something_the_books_leave_the_store_to_that_again_and_again() {
    let mut app = TestApp::start().await;
    for _ in 0..200 {
        app.ticket(minutes(60));
    }
    app.turn().await;
    book(&mut app).await;
    app.clock.advance(minutes(61));
    app.sync().await;
    app.evaluate().await;
    let (now, began) = (app.now(), Instant::now());
    assert_eq!(app.parts().bookkeeping.turn(now).await.unwrap().tickets, 200);
    assert!(began.elapsed() >= Duration::from_millis(700), "a tenth of a second after each 25 of them");
}
