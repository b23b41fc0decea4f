//! Tests of what the sync promises, turn by turn, against a desk on a socket.

mod bad_minutes;
pub mod desk;
mod look_alike;

use std::time::Duration;

use desk::{Bench, Desk, Takes, at};
use serde_json::json;

use super::{ReadLimit, TurnReport};
use crate::sla::tenant_rules::RulesConfig;
use crate::store::Place;
use crate::ticket::TicketId;
use crate::ticket::conversation::Answerer;
use crate::ticket::watch::ChangeKind;

/// Adds `count` open tickets, one updated in each minute before the begin.
fn open_tickets(count: u64) -> impl FnOnce(&mut Desk) {
    move |desk| (1..=count).for_each(|id| desk.add(id, "Open", at(-i64::try_from(id).unwrap())))
}

const LISTS: usize = 7;

#[tokio::test]
async fn a_first_turn_reads_lists_then_open_tickets_then_all() {
    let mut bench = Bench::with(|desk| {
        desk.add(1, "Open", at(-1));
        desk.add(2, "Closed", at(-2));
    })
    .await;
    let report = bench.turn().await;
    assert_eq!((report.new, report.swept, report.pass_under_way), (2, true, false));
    let calls = bench.calls();
    assert_eq!(calls[..2], ["getStatusList", "getTechnicianList"]);
    assert_eq!(calls[LISTS..], ["getTicketList 1 open", "getTicketList 1"]);
    assert_eq!(bench.open_count().await, 1);
}

#[tokio::test]
async fn a_steady_tenant_costs_one_request_for_changes_and_one_a_page_of_open_tickets() {
    let mut bench = Bench::with(open_tickets(300)).await;
    bench.turn().await;
    bench.calls();
    bench.turn_at(1).await;
    assert_eq!(
        bench.calls(),
        ["getTicketList 1", "getTicketList 1 open", "getTicketList 2 open", "getTicketList 3 open"]
    );
}

#[tokio::test]
async fn quick_polls_do_not_sweep_each_time() {
    let mut bench = Bench::with(open_tickets(3)).await;
    bench.turn().await;
    bench.calls();
    for second in (2..=60).step_by(2) {
        bench.clock.set(at(0) + chrono::TimeDelta::seconds(second));
        bench.turn().await;
    }
    let sweeps = bench.calls().iter().filter(|call| call.ends_with("open")).count();
    assert_eq!(sweeps, 1);
}

#[tokio::test]
async fn a_change_is_seen_by_the_next_turn_and_rings_for_evaluation() {
    let mut bench = Bench::with(open_tickets(3)).await;
    bench.turn().await;
    bench.nudge.notified().await;
    bench.desk().edit(2, "On Hold", at(0));
    let report = bench.turn_at(1).await;
    assert_eq!(report.changed, 1);
    assert_eq!(bench.status(2).await.as_deref(), Some("On Hold"));
    assert_eq!(bench.kinds(2).await, [ChangeKind::FirstSeen, ChangeKind::Status]);
    bench.nudge.notified().await;
}

#[tokio::test]
async fn tickets_updated_at_the_same_moment_are_all_seen() {
    let mut bench = Bench::with(open_tickets(5)).await;
    bench.turn().await;
    bench.desk().edit(1, "On Hold", at(0));
    bench.turn_at(1).await;
    bench.desk().edit(2, "On Hold", at(0));
    bench.desk().edit(3, "On Hold", at(0));
    bench.turn_at(2).await;
    for id in [1, 2, 3] {
        assert_eq!(bench.status(id).await.as_deref(), Some("On Hold"), "{id}");
    }
}

#[tokio::test]
async fn a_change_that_does_not_touch_the_time_of_update_is_seen_by_the_sweep() {
    let mut bench = Bench::with(|desk| desk.add(1, "Open", at(-600))).await;
    bench.turn().await;
    bench.desk().set(1, "resolutionDueTime", "2027-01-15T18:00:00");
    assert_eq!(bench.turn_at(1).await.changed, 1);
}

#[tokio::test]
async fn a_burst_of_changes_is_read_to_its_end() {
    let mut bench = Bench::with(open_tickets(250)).await;
    bench.turn().await;
    for id in 1..=230 {
        bench.desk().edit(id, "Closed", at(1));
    }
    bench.calls();
    assert_eq!(bench.turn_at(2).await.closed, 230);
    let calls = bench.calls();
    assert_eq!(calls[..3], ["getTicketList 1", "getTicketList 2", "getTicketList 3"]);
    assert!(!calls.iter().any(|call| call.starts_with("getTicket ")), "none was read singly: {calls:?}");
}

#[tokio::test]
async fn a_scan_that_breaks_off_does_not_move_the_watermark() {
    let mut bench = Bench::with(open_tickets(250)).await;
    bench.turn().await;
    for id in 1..=250 {
        // From the first page to the last it is fifty minutes, far more than the overlap.
        bench.desk().edit(id, "Closed", at(100 - i64::try_from(id / 5).unwrap()));
    }
    // The second page is still answered; the third is not.
    bench.desk().meanwhile.insert(2, Box::new(|desk| desk.fail("getTicketList", "subscription_paused")));
    bench.clock.set(at(101));
    bench.try_turn().await.unwrap_err();
    bench.desk().errors.clear();
    bench.restart().await;
    bench.turn_at(102).await;
    assert_eq!(bench.open_count().await, 0);
}

#[tokio::test]
async fn a_ticket_hidden_by_a_removal_between_pages_is_caught() {
    // Ticket 101 moves to page 1 while page 2 is read; ticket 1 is gone.
    let mut bench = Bench::with(open_tickets(150)).await;
    bench.desk().fail("getStatusList", "forbidden");
    bench.desk().meanwhile.insert(2, Box::new(|desk| desk.remove(1)));
    bench.turn().await;
    assert_eq!(bench.held(101).await, None, "hidden by the drift");
    bench.turn_at(1).await;
    assert!(bench.held(101).await.is_some(), "and caught by the sweep");
}

#[tokio::test]
async fn an_order_that_is_ignored_is_noticed_and_done_without() {
    let mut bench = Bench::with(|desk| {
        desk.sort = Takes::Ignores;
        desk.add(1, "Open", at(-90));
        desk.add(2, "Open", at(-50));
        desk.add(3, "Closed", at(-70));
    })
    .await;
    assert_eq!(bench.turn().await.new, 3);
    assert_eq!(bench.health.borrow().limits.len(), 1);
    bench.desk().add(4, "Open", at(0));
    bench.desk().edit(1, "Closed", at(0));
    bench.calls();
    bench.turn_at(1).await;
    assert_eq!(bench.calls(), ["getTicketList 1 open", "getTicket 1"]);
    assert_eq!((bench.status(1).await.as_deref(), bench.open_count().await), (Some("Closed"), 2));
}

#[tokio::test]
async fn an_order_that_is_refused_is_tried_again_in_ten_minutes() {
    let mut bench = Bench::with(open_tickets(3)).await;
    bench.turn().await;
    bench.desk().sort = Takes::Refuses;
    bench.turn_at(1).await;
    assert_eq!(bench.health.borrow().limits.len(), 1);
    bench.desk().sort = Takes::Well;
    bench.turn_at(10).await;
    assert_eq!(bench.health.borrow().limits.len(), 1);
    bench.turn_at(11).await;
    assert_eq!(bench.health.borrow().limits.len(), 0);
}

#[tokio::test]
async fn a_filter_that_is_refused_or_ignored_is_done_without() {
    for takes in [Takes::Refuses, Takes::Ignores] {
        let mut bench = Bench::with(|desk| {
            desk.filter = takes;
            desk.add(1, "Open", at(-9));
            desk.add(2, "Closed", at(-5));
        })
        .await;
        assert_eq!(bench.turn().await.new, 2, "{takes:?}");
        bench.desk().set(1, "priority", "High");
        bench.calls();
        assert_eq!(bench.turn_at(1).await.changed, 1, "{takes:?}: all are read instead");
        assert!(!bench.calls().iter().any(|call| call.ends_with("open")), "{takes:?}");
        assert_eq!(bench.health.borrow().limits.len(), 1, "{takes:?}");
    }
}

#[tokio::test]
async fn a_ticket_has_vanished_after_two_misses_and_may_return() {
    let mut bench = Bench::with(open_tickets(3)).await;
    bench.turn().await;
    let gone = bench.desk().tickets.remove(1);
    assert_eq!(bench.turn_at(1).await.vanished, 0);
    assert_eq!(bench.open_count().await, 3, "one miss may be SuperOps' own stumble");
    assert_eq!(bench.turn_at(2).await.vanished, 1);
    assert_eq!(bench.open_count().await, 2);
    assert_eq!(bench.held(2).await.unwrap().vanished_at, Some(at(2)));
    bench.calls();
    bench.turn_at(3).await;
    assert!(!bench.calls().contains(&"getTicket 2".to_owned()), "and is not asked for again");
    bench.desk().tickets.push(gone);
    bench.turn_at(4).await;
    assert_eq!(bench.kinds(2).await, [ChangeKind::FirstSeen, ChangeKind::Vanished, ChangeKind::Returned]);
}

#[tokio::test]
async fn an_import_with_an_old_time_of_update_is_caught_by_the_nightly_pass() {
    let mut bench = Bench::with(open_tickets(150)).await;
    bench.turn().await;
    bench.desk().add(999, "Closed", at(-100_000));
    let night = 19 * 60;
    bench.turn_at(night - 1).await;
    assert_eq!(bench.held(999).await, None);
    bench.turn_at(night).await;
    assert!(bench.held(999).await.is_some());
}

#[tokio::test]
async fn a_pass_goes_on_after_a_crash_where_it_was() {
    let mut bench = Bench::with(|desk| {
        (1..=1_450).for_each(|id| desk.add(id, "Closed", at(-i64::try_from(id).unwrap())));
    })
    .await;
    assert!(bench.turn().await.pass_under_way);
    bench.calls();
    bench.restart().await;
    assert!(!bench.turn_at(1).await.pass_under_way);
    let pages: Vec<String> = (11..=15).map(|page| format!("getTicketList {page}")).collect();
    assert_eq!(bench.calls()[2..], pages, "after the changes and the sweep");
    assert!(bench.held(1_450).await.is_some());
}

#[tokio::test]
async fn a_crash_between_reading_pages_and_saving_them_repeats_them_and_leaves_none_out() {
    if Place::tests_have_a_server() {
        // It copies files of the store, which a server keeps to itself.
        return;
    }
    let mut bench = Bench::with(|desk| {
        (1..=1_450).for_each(|id| desk.add(id, "Closed", at(-i64::try_from(id).unwrap())));
    })
    .await;
    bench.turn().await;
    let (tell, told) = tokio::sync::oneshot::channel();
    bench.desk().meanwhile.insert(15, Box::new(|_| tell.send(()).unwrap()));
    let lock = bench.lock_store().await;
    let (limit, mut report) = (ReadLimit { now: at(0), until: at(1), most: usize::MAX }, TurnReport::default());
    tokio::select! {
        _ = bench.sync.read_pass(limit, &mut report) => panic!("nothing can be saved"),
        asked = told => asked.unwrap(),
    }
    bench.crash().await;
    drop(lock);
    bench.calls();
    assert!(!bench.turn_at(1).await.pass_under_way);
    let again: Vec<String> = (11..=15).map(|page| format!("getTicketList {page}")).collect();
    assert_eq!(bench.calls()[2..], again, "after the changes and the sweep");
    for id in 1..=1_450 {
        assert!(bench.held(id).await.is_some(), "{id}");
    }
}

#[tokio::test]
async fn a_run_that_follows_a_busy_one_waits_for_the_minute_to_pass() {
    let closed =
        |count: i64| move |desk: &mut Desk| (1..=count).for_each(|id| desk.add(id.unsigned_abs(), "Closed", at(-id)));
    for (tickets, minutes) in [(1_450, 1), (50, 0)] {
        let mut bench = Bench::with(closed(tickets)).await;
        bench.turn().await;
        bench.restart().await;
        assert_eq!(bench.sync.rested_at().max(at(0)), at(minutes), "{tickets} tickets");
    }
}

#[tokio::test]
async fn a_hint_interrupts_a_long_pass() {
    let mut bench = Bench::with(open_tickets(1_450)).await;
    bench.hints.hint(&bench.tenant().clone());
    bench.turn().await;
    let pages =
        bench.calls().iter().filter(|call| call.starts_with("getTicketList") && !call.ends_with("open")).count();
    assert_eq!(pages, 1);
}

#[tokio::test]
async fn what_changes_during_a_long_pass_is_seen_before_the_pass_ends() {
    let mut bench = Bench::with(open_tickets(1_450)).await;
    bench.turn().await;
    bench.desk().edit(1, "Closed", at(0));
    assert_eq!(bench.turn_at(1).await.closed, 1);
}

#[tokio::test]
async fn a_restart_within_the_hour_does_not_read_the_lists_again() {
    let mut bench = Bench::with(open_tickets(3)).await;
    bench.turn().await;
    bench.restart().await;
    bench.calls();
    bench.clock.advance(chrono::TimeDelta::seconds(10));
    bench.turn().await;
    assert_eq!(bench.calls(), ["getTicketList 1"]);
    bench.turn_at(60).await;
    assert_eq!(bench.calls().len(), LISTS + 2, "an hour later it does");
}

#[tokio::test]
async fn a_list_that_may_not_be_read_is_kept_as_it_was() {
    let mut bench = Bench::with(open_tickets(3)).await;
    bench.turn().await;
    bench.desk().fail("getTechnicianList", "forbidden");
    bench.turn_at(60).await;
    assert_eq!(bench.store.directory(bench.tenant()).await.unwrap().technicians.len(), 1);
    assert_eq!(bench.health.borrow().limits.len(), 1);
    bench.calls();
    bench.turn_at(66).await;
    assert!(!bench.calls().contains(&"getTechnicianList".to_owned()), "a right is not given every five minutes");
}

#[tokio::test]
async fn an_outage_is_told_with_what_to_do_and_then_over() {
    let mut bench = Bench::with(open_tickets(3)).await;
    bench.turn().await;
    bench.desk().fail("getTicketList", "subscription_paused");
    bench.clock.set(at(1));
    bench.try_turn().await.unwrap_err();
    let health = bench.health.borrow().clone();
    let problem = health.problem.clone().unwrap();
    assert!(problem.needs_a_person);
    assert_eq!(problem.advice, "renew the SuperOps subscription; the sync goes on by itself");
    assert_eq!((problem.since, health.last_good), (at(1), Some(at(0))));
    bench.desk().errors.clear();
    bench.turn_at(5).await;
    assert_eq!((bench.health.borrow().problem.clone(), bench.health.borrow().last_good), (None, Some(at(5))));
}

#[tokio::test]
async fn a_record_that_cannot_be_read_is_quarantined_and_the_page_goes_on() {
    let mut bench = Bench::with(|desk| {
        desk.tickets.push(json!({ "subject": "no id", "updatedTime": "2026-01-01T00:00:00" }));
        desk.add(2, "Open", at(-2));
    })
    .await;
    assert_eq!(bench.turn().await.new, 1);
    assert_eq!(bench.store.quarantined(bench.tenant()).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_reply_that_superops_did_not_count_is_found() {
    let mut bench = Bench::with(|desk| {
        desk.add(1, "Open", at(-30));
        desk.set(1, "createdTime", "2027-01-15T07:00:00");
        desk.set(1, "firstResponseDueTime", "2027-01-15T08:10:00");
        let entry = |kind, time| json!({ "type": kind, "time": time });
        desk.conversations =
            vec![entry("DESCRIPTION", "2027-01-15T07:00:00"), entry("TECH_REPLY", "2027-01-15T07:20:00")];
    })
    .await;
    bench.turn().await;
    assert_eq!(bench.held(1).await.unwrap().replied_at, Some(at(-40)));
    bench.calls();
    bench.turn_at(1).await;
    assert!(!bench.calls().contains(&"getTicketConversationList".to_owned()), "once is enough");
}

#[tokio::test]
async fn a_conversation_that_superops_failed_to_give_is_asked_for_again_a_minute_later() {
    let mut bench = Bench::with(|desk| {
        desk.add(1, "Open", at(-30));
        desk.set(1, "createdTime", "2027-01-15T07:00:00");
        desk.set(1, "firstResponseDueTime", "2027-01-15T08:10:00");
        desk.conversations = vec![json!({ "type": "TECH_REPLY", "time": "2027-01-15T07:20:00" })];
        desk.twist = Some(Box::new(|operation, _, mut answer| {
            if operation == "getTicketConversationList" {
                answer["errors"] = json!([{ "message": "Internal Server Error(s)" }]);
            }
            answer
        }));
    })
    .await;
    let is_asked = |calls: Vec<String>| calls.contains(&"getTicketConversationList".to_owned());
    bench.turn().await;
    assert_eq!((is_asked(bench.calls()), bench.held(1).await.unwrap().replied_at), (true, None));
    bench.clock.advance(chrono::TimeDelta::seconds(30));
    bench.turn().await;
    assert!(!is_asked(bench.calls()), "not at once");
    bench.turn_at(1).await;
    assert!(is_asked(bench.calls()), "a minute later");
    bench.turn_at(2).await;
    assert!(!is_asked(bench.calls()), "then twice as late");
    bench.desk().twist = None;
    bench.turn_at(3).await;
    assert_eq!(bench.held(1).await.unwrap().replied_at, Some(at(-40)));
}

#[tokio::test]
async fn an_automatic_mail_that_does_not_count_is_found_though_the_time_of_update_did_not_move() {
    let mut bench = Bench::with(|desk| {
        desk.add(1, "Open", at(-30));
        desk.set(1, "createdTime", "2027-01-15T07:30:00");
        desk.set(1, "firstResponseTime", "2027-01-15T07:30:00");
        desk.set(1, "firstResponseDueTime", "2027-01-15T08:10:00");
        desk.conversations = vec![json!({ "type": "REQ_NOTIFICATION", "time": "2027-01-15T07:30:00" })];
    })
    .await;
    let rules = RulesConfig { automation_answers: false, ..RulesConfig::bare(bench.tenant().clone()) };
    bench.sync = bench.sync.by_rules(rules);
    bench.turn().await;
    assert_eq!(bench.held(1).await.unwrap().conversation.first_answer, Some(Answerer::Automation));
    bench.calls();
    bench.turn_at(1).await;
    assert!(!bench.calls().contains(&"getTicketConversationList".to_owned()), "once is enough");
    bench.turn_at(11).await;
    assert!(bench.calls().contains(&"getTicketConversationList".to_owned()), "its clock runs on, to the last look");
}

#[tokio::test]
async fn a_conversation_that_a_breach_waits_for_is_read_beside_the_turns() {
    let mut bench = Bench::with(open_tickets(3)).await;
    bench.turn().await;
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let (looks, acme, desk) = (bench.sync.conversations.last_looks.clone(), bench.tenant().clone(), bench.desk.clone());
    let (mut health, nudge) = (bench.health.clone(), bench.nudge.clone());
    let running = tokio::spawn(bench.sync.run(stopped));
    health.wait_for(|health| health.next_try.is_some()).await.unwrap();
    desk.lock().unwrap().calls.clear();
    // The clock stands still, so no turn will come.
    let ids = ["1", "2", "3"].map(|id| TicketId::parse(id).unwrap());
    let wait = || ids.iter().filter(|id| looks.waits(&acme, id, at(0))).count();
    assert_eq!(wait(), 3);
    let looked = async {
        while wait() > 0 {
            nudge.notified().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), looked).await.unwrap();
    assert_eq!(desk.lock().unwrap().calls, ["getTicketConversationList"; 3]);
    stop.send_replace(true);
    running.await.unwrap();
}

#[tokio::test]
async fn a_hint_makes_a_turn_run_at_once() {
    let mut bench = Bench::with(open_tickets(1)).await;
    bench.turn().await;
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let (store, acme, clock, desk) =
        (bench.store.clone(), bench.tenant().clone(), bench.clock.clone(), bench.desk.clone());
    let hints = bench.hints.clone();
    let mut health = bench.health.clone();
    let running = tokio::spawn(bench.sync.run(stopped));
    health.wait_for(|health| health.next_try.is_some()).await.unwrap();
    desk.lock().unwrap().edit(1, "Closed", at(0));
    assert!(hints.hint(&acme));
    assert!(!hints.hint(&crate::ticket::TenantId::parse("nobody").unwrap()));
    clock.advance(chrono::TimeDelta::seconds(2));
    bench.nudge.notified().await;
    tokio::time::timeout(Duration::from_secs(5), async {
        while !store.open_tickets(&acme).await.unwrap().is_empty() {
            bench.nudge.notified().await;
        }
    })
    .await
    .unwrap();
    stop.send_replace(true);
    running.await.unwrap();
}
