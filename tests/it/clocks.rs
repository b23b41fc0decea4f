//! Clocks in the running product: what a person decides about one, the answer to
//! a further message, statuses that halt the responses, and promises that change.

use chrono::TimeDelta;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use superops_sla::service::Reach;
use superops_sla::simulator::NewTicket;
use superops_sla::simulator::habit::Which;
use superops_sla::simulator::holes::{Hole, Holes};
use superops_sla::simulator::ticket::{ConversationEntry, EntryKind, Ref};
use superops_sla::store::tokens::Role;
use superops_sla::ticket::watch::ChangeKind;
use superops_sla::ticket::{TenantId, TicketId};

use crate::life::{call, only_alert, served};
use crate::support::{TestApp, minutes, usual};

const HOURS: fn(i64) -> TimeDelta = TimeDelta::hours;

#[tokio::test]
async fn time_over_in_a_message_leaves_out_a_pause_after_the_breach_round_the_clock_too() {
    let mut app = TestApp::with(
        "[[alerts.steps]]\nafter = '0s'\nnotify = ['technician']\nchannels = ['email']\n\
        [[alerts.steps]]\nafter = '20m'\nnotify = ['manager']\nchannels = ['email']\n",
    )
    .await;
    let id = app.superops.add(NewTicket { resolution_due_in: Some(minutes(60)), ..usual() });
    app.turn().await;
    app.wait(minutes(65)).await;
    app.superops.change_status(&id, "On Hold");
    app.turn().await;
    app.wait(minutes(30)).await;
    app.superops.change_status(&id, "Open");
    app.turn().await;
    app.said();
    app.wait(minutes(20)).await;
    let said = app.said();
    let over = app.parts().service.tickets(&Reach::All, &Default::default()).await.unwrap();
    assert!(said.contains("25 min of working time over"), "{said}; {over:?}");
}

/// Somebody writes on the ticket, now.
fn say(app: &TestApp, id: &str, kind: EntryKind) {
    let at = app.now();
    app.superops.patch(id, |ticket| ticket.conversation.push(ConversationEntry { at, kind, by: None }));
}

/// What became of the ticket, of one kind, in words.
async fn told_of(app: &mut TestApp, id: &str, kind: ChangeKind) -> Vec<(Option<String>, Option<String>)> {
    let (tenant, id) = (TenantId::parse("acme").unwrap(), TicketId::parse(id).unwrap());
    let events = app.parts().store.events(&tenant, &id).await.unwrap();
    events.into_iter().filter(|event| event.kind == kind).map(|event| (event.from, event.to)).collect()
}

async fn ledger(app: &mut TestApp, id: &str) -> Value {
    let ledger = app.parts().service.ledger(&Reach::All, id).await.unwrap();
    serde_json::to_value(ledger).unwrap()
}

/// The words of all lines of one kind in the first ledger that has any.
fn lines(ledger: &Value, kind: &str) -> Vec<String> {
    let clocks = ledger["clocks"].as_array().unwrap().iter();
    let of = |clock: &Value| {
        let lines = clock["lines"].as_array().unwrap().iter().filter(|line| line["kind"] == kind);
        lines.map(|line| line["words"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    clocks.map(of).find(|lines| !lines.is_empty()).unwrap_or_default()
}

async fn audited(app: &TestApp) -> Vec<String> {
    let rows = "SELECT what FROM audit WHERE tenant = 'acme' AND what LIKE 'ticket %' ORDER BY id";
    app.database.texts(rows).await
}

#[tokio::test]
async fn an_administrator_decides_about_a_clock_and_its_alert_follows() {
    let more = "[tenants.globex]\nsubdomain = \"globex\"\nregion = \"eu\"\ntoken_env = \"TWILIO\"\n";
    let mut app = TestApp::with(more).await;
    let globex = app.parts().syncs.pop().unwrap();
    let id = app.ticket(HOURS(8));
    app.turn().await;
    app.wait(HOURS(6)).await;
    assert_eq!(app.heard().len(), 1, "it is at risk");
    let roles = [(Role::Responder, None), (Role::Admin, Some("globex")), (Role::Admin, Some("acme"))];
    let (url, tokens) = served(&mut app, &roles).await;
    let [responder, stranger, admin] = [&tokens[0], &tokens[1], &tokens[2]];
    let place = format!("{url}/api/v1/tickets/{id}/override");
    let due = app.now() + HOURS(40);
    let order = json!({ "clock": "resolution", "due": due, "reason": "agreed with the client" });

    assert_eq!(call(Method::POST, &place, responder, order.clone()).await.0, StatusCode::FORBIDDEN);
    assert_eq!(call(Method::POST, &place, stranger, order.clone()).await.0, StatusCode::NOT_FOUND);
    let blank = json!({ "clock": "resolution", "due": due, "reason": " " });
    assert_eq!(call(Method::POST, &place, admin, blank).await.0, StatusCode::BAD_REQUEST);
    let far = json!({ "clock": "resolution", "due": "9026-11-23T09:00:00Z", "reason": "a slip" });
    assert_eq!(call(Method::POST, &place, admin, far).await.0, StatusCode::BAD_REQUEST);
    let both = json!({ "clock": "resolution", "due": due, "cancelled": true, "reason": "x" });
    assert_eq!(call(Method::POST, &place, admin, both).await.0, StatusCode::BAD_REQUEST);
    assert_eq!(audited(&app).await, Vec::<String>::new(), "what was refused is not in the audit log");

    let (status, ticket) = call(Method::POST, &place, admin, order).await;
    assert_eq!((status, &ticket["overrides"][0]["ruling"]), (StatusCode::OK, &json!("due")), "{ticket}");
    app.wait(minutes(1)).await;
    assert_eq!(only_alert(&mut app).await.closing, Some("retargeted"));
    app.wait(HOURS(3)).await;
    assert_eq!(app.said(), "", "past SuperOps' due time, but not past the one agreed on");
    let ledger = ledger(&mut app, &id).await;
    let by_hand = lines(&ledger, "by_hand");
    assert!(by_hand.len() == 1 && by_hand[0].ends_with("agreed with the client"), "{by_hand:?}");
    let conclusion = ledger["clocks"][0]["conclusion"].as_str().unwrap();
    assert!(conclusion.starts_with("due Wed 07:00 as set by hand"), "{conclusion}");
    assert_eq!(told_of(&mut app, &id, ChangeKind::ByHand).await.len(), 1);

    let (status, ticket) = call(Method::DELETE, &format!("{place}?clock=resolution"), admin, json!({})).await;
    assert_eq!((status, &ticket["overrides"]), (StatusCode::OK, &json!([])));
    app.wait(minutes(1)).await;
    assert!(app.said().contains("over, resolution was due"), "left to itself it is late");
    let entries = audited(&app).await;
    let number = ticket["display_id"].as_str().unwrap();
    let decided = format!("ticket {number}: resolution due ");
    assert!(
        entries.len() == 2 && entries[0].starts_with(&decided) && entries[1].contains("no longer overridden"),
        "{entries:?}"
    );
    assert!(entries[0].ends_with("(agreed with the client)"), "{entries:?}");
    let asked = async |more: &str| {
        let (_, page) = call(Method::GET, &format!("{url}/api/v1/audit?ticket={number}{more}"), admin, json!({})).await;
        let changes = page["changes"].as_array().unwrap().iter();
        Vec::from_iter(changes.map(|change| change["display_id"].as_str().unwrap_or("none").to_owned()))
    };
    assert_eq!(asked("").await, [number, number], "what was done to that ticket, and its number");
    assert_eq!(asked("&what=AGREED").await, [number], "both conditions hold");
    assert_eq!(asked("&what=nothing%20like%20it").await, Vec::<String>::new());
    drop(globex);
}

#[tokio::test]
async fn a_decision_is_a_line_of_the_ledger() {
    let mut app = TestApp::with("[[policies]]\nresponse = \"8h\"\nresolution = \"8h\"\n").await;
    let id = app.superops.add(usual());
    app.turn().await;
    let (url, tokens) = served(&mut app, &[(Role::Admin, None)]).await;
    let order = json!({ "clock": "resolution", "cancelled": true, "reason": "a test of ours" });
    let place = format!("{url}/api/v1/tickets/{id}/override");
    assert_eq!(call(Method::POST, &place, &tokens[0], order).await.0, StatusCode::OK);
    let ledger = ledger(&mut app, &id).await;
    let by_hand = lines(&ledger, "by_hand");
    assert!(by_hand.len() == 1 && by_hand[0].contains("a test of ours"), "{by_hand:?}");
    assert_eq!(ledger["clocks"][1]["standing"], "cancelled");
}

const ANSWERS_WITHIN_AN_HOUR: &str = "[[policies]]\nresponse = \"1h\"\nresolution = \"90h\"\nnext_response = \"1h\"\n";

/// Answered once, and the client has just written again.
async fn asked_again() -> (TestApp, String) {
    let mut app = TestApp::with(ANSWERS_WITHIN_AN_HOUR).await;
    let id = app.superops.add(NewTicket { responded_in: Some(TimeDelta::zero()), ..usual() });
    app.wait(minutes(10)).await;
    say(&app, &id, EntryKind::RequesterReply);
    app.turn().await;
    assert_eq!(app.said(), "");
    (app, id)
}

#[tokio::test]
async fn a_further_message_of_the_client_is_warned_about_and_a_technicians_reply_ends_it() {
    let (mut app, id) = asked_again().await;
    app.wait(minutes(44)).await;
    assert_eq!(app.said(), "");
    app.wait(minutes(1)).await;
    assert!(app.said().contains("At risk: 15 min left, next response due"));
    say(&app, &id, EntryKind::RequesterNotification);
    app.wait(minutes(1)).await;
    assert_eq!(only_alert(&mut app).await.closing, None, "an automatic mail is no answer");
    say(&app, &id, EntryKind::TechnicianReply);
    app.wait(minutes(1)).await;
    assert_eq!(only_alert(&mut app).await.closing, Some("met"));
}

#[tokio::test]
async fn a_further_message_that_is_not_answered_in_time_is_a_breach() {
    let (mut app, id) = asked_again().await;
    app.wait(minutes(45)).await;
    app.heard();
    app.wait(minutes(15)).await;
    assert!(!app.said().contains("Breached"), "equal is met");
    app.wait(minutes(1)).await;
    let told = app.said();
    assert!(told.contains("reached: 1 min over, next response was due"), "{told}");
    say(&app, &id, EntryKind::TechnicianReply);
    app.wait(minutes(1)).await;
    assert_eq!(only_alert(&mut app).await.closing, Some("closed_late"));
}

#[tokio::test]
async fn a_further_message_is_watched_though_superops_gives_no_time_of_the_first_response() {
    for response in ["response = \"8h\"\n", ""] {
        let settings = format!("[[policies]]\n{response}resolution = \"90h\"\nnext_response = \"1h\"\n");
        let mut app = TestApp::with(&settings).await;
        let id = app.superops.add(usual());
        app.wait(minutes(10)).await;
        say(&app, &id, EntryKind::TechnicianReply);
        app.wait(minutes(10)).await;
        say(&app, &id, EntryKind::RequesterReply);
        app.wait(minutes(1)).await;
        app.wait(minutes(44)).await;
        let told = app.said();
        assert!(told.contains("next response due"), "{response}: {told}");
    }
}

#[tokio::test]
async fn a_status_may_halt_the_first_response() {
    let more = "[tenants.acme.statuses]\npauses_response = [\"Bank Holiday\"]\n";
    for (status, heard) in [("On Hold", true), ("Bank Holiday", false)] {
        let mut app = TestApp::with(more).await;
        let id = app.superops.add(NewTicket { response_due_in: Some(HOURS(1)), ..usual() });
        app.wait(minutes(10)).await;
        app.superops.change_status(&id, status);
        app.turn().await;
        app.wait(HOURS(3)).await;
        let told = app.said();
        assert_eq!(told.contains("first response"), heard, "{status}: {told}");
    }
}

const EIGHT_HOURS: &str = "[[policies]]\npriority = \"High\"\nresponse = \"90h\"\nresolution = \"8h\"\n[[policies]]\nresponse = \"90h\"\nresolution = \"80h\"\n";
const EIGHTY_MINUTES: &str = "[[policies]]\nresponse = \"90h\"\nresolution = \"80m\"\n";

#[tokio::test]
async fn other_promises_hold_at_once_for_what_is_open_and_never_for_what_was_closed() {
    let mut app = TestApp::with(EIGHT_HOURS).await;
    let open = app.superops.add(usual());
    let closed = app.superops.add(usual());
    app.turn().await;
    app.wait(minutes(30)).await;
    app.superops.change_status(&closed, "Closed");
    app.wait(minutes(30)).await;
    assert_eq!(app.said(), "");

    app.restart_with(EIGHTY_MINUTES).await;
    app.turn().await;
    assert!(app.said().contains("At risk: 20 min left, resolution due"), "an hour of eighty minutes is gone");
    let versions = [ledger(&mut app, &open).await, ledger(&mut app, &closed).await].map(|one| one["version"].clone());
    assert_eq!(versions, [json!(2), json!(1)]);
    let moved = told_of(&mut app, &open, ChangeKind::PolicyVersion).await;
    assert_eq!(moved, [(Some("1".into()), Some("2".into()))]);
    assert_eq!(told_of(&mut app, &closed, ChangeKind::PolicyVersion).await, []);
}

#[tokio::test]
async fn which_policy_holds_is_a_part_of_the_tickets_story() {
    let mut app = TestApp::with(EIGHT_HOURS).await;
    let id = app.superops.add(usual());
    app.turn().await;
    app.wait(minutes(1)).await;
    app.superops.patch(&id, |ticket| ticket.priority = Some("Low".into()));
    app.wait(minutes(1)).await;
    app.restart_with(EIGHTY_MINUTES).await;

    let text = |text: &str| Some(text.to_owned());
    let high = text("policy 1 of 2 `High`; also matched: the default policy");
    let low = text("policy 2 of 2 `the default policy`");
    let only = text("policy 1 of 1 `the default policy`");
    let told = told_of(&mut app, &id, ChangeKind::PolicyChoice).await;
    assert_eq!(told, [(None, high.clone()), (high, low.clone()), (low, only)]);
    let told = lines(&ledger(&mut app, &id).await, "policy_choice");
    assert_eq!(told.len(), 3, "{told:?}");
    assert!(told[0].ends_with("by policy 1 of 2 `High`; also matched: the default policy"), "{told:?}");
}

const AN_HOUR_TO_SOLVE: &str = "[[policies]]\nresponse = \"90h\"\nresolution = \"1h\"\n";

/// Promised an hour by a policy alone, of which ten minutes are used when it goes to `status` for `length`, and then on.
async fn interrupted(status: &str, length: TimeDelta) -> (TestApp, String) {
    let mut app = TestApp::with(AN_HOUR_TO_SOLVE).await;
    let id = app.superops.add(usual());
    app.turn().await;
    app.wait(minutes(10)).await;
    app.superops.change_status(&id, status);
    app.turn().await;
    app.wait(length).await;
    app.superops.change_status(&id, "In Progress");
    app.turn().await;
    (app, id)
}

#[tokio::test]
async fn what_a_policy_promises_goes_on_after_a_pause_or_a_closing_with_what_was_left() {
    for status in ["On Hold", "Closed"] {
        let (mut app, _) = interrupted(status, HOURS(3)).await;
        app.wait(minutes(34)).await;
        assert_eq!(app.said(), "", "{status}: 44 minutes are used");
        app.wait(minutes(1)).await;
        let told = app.said();
        assert!(told.contains("At risk: 15 min left, resolution due"), "{status}: {told}");
        app.wait(minutes(15)).await;
        assert!(!app.said().contains("Breached"), "{status}: equal is met");
        app.wait(minutes(1)).await;
        assert!(app.said().contains("reached: 1 min over, resolution was due"), "{status}");
    }
}

#[tokio::test]
async fn a_warning_is_told_once_whatever_a_pause_does_to_the_due_time() {
    let mut app = TestApp::with(AN_HOUR_TO_SOLVE).await;
    let id = app.superops.add(usual());
    app.turn().await;
    app.wait(minutes(46)).await;
    assert!(app.said().contains("At risk: 14 min left, resolution due"));
    app.superops.change_status(&id, "On Hold");
    app.turn().await;
    app.wait(HOURS(3)).await;
    app.superops.change_status(&id, "In Progress");
    app.turn().await;
    app.wait(minutes(13)).await;
    let told = app.said();
    assert!(!told.contains("mateo") && !told.contains("At risk"), "nothing of it is news: {told}");
    app.wait(minutes(2)).await;
    assert!(app.said().contains("Breached: 1 min over, resolution was due"));
}

#[tokio::test]
async fn a_ticket_that_is_reopened_from_a_status_nobody_listed_is_told_of_anew() {
    let mut app = TestApp::with("").await;
    let id = app.ticket(HOURS(1));
    app.turn().await;
    app.wait(minutes(61)).await;
    assert!(app.said().contains("Breached: 1 min over, resolution was due"));
    let resolved = app.now();
    app.superops.patch(&id, |ticket| {
        ticket.status = Some("Completed".into());
        ticket.resolution.met_at = Some(resolved);
    });
    app.wait(minutes(5)).await;
    assert_eq!(only_alert(&mut app).await.closing, Some("closed_late"));
    app.superops.patch(&id, |ticket| ticket.status = Some("In Progress".into()));
    app.wait(minutes(5)).await;
    let told = app.said();
    assert!(told.contains("over, resolution was due"), "{told}");
    assert_eq!(told_of(&mut app, &id, ChangeKind::Reopened).await.len(), 1);
}

#[tokio::test]
async fn while_paused_it_is_due_if_resumed_now() {
    let mut app = TestApp::with(AN_HOUR_TO_SOLVE).await;
    let id = app.superops.add(usual());
    app.turn().await;
    app.wait(minutes(10)).await;
    app.superops.change_status(&id, "On Hold");
    app.turn().await;
    app.wait(HOURS(3)).await;
    let due = app.now() + minutes(50);
    let ticket = app.parts().service.ticket(&Reach::All, &id).await.unwrap().unwrap();
    let clock = &ticket.clocks[1];
    assert_eq!((clock.standing, clock.due, clock.due_if_resumed_now), ("paused", None, Some(due)));
}

#[tokio::test]
async fn a_status_that_nobody_listed_with_a_resolution_just_before_it_is_closed_and_is_named() {
    let mut app = TestApp::with("").await;
    let id = app.ticket(HOURS(1));
    app.turn().await;
    app.wait(minutes(10)).await;
    let resolved = app.now() - TimeDelta::seconds(1);
    app.superops.patch(&id, |ticket| {
        ticket.status = Some("Completed".into());
        ticket.resolution.met_at = Some(resolved);
    });
    app.turn().await;
    app.wait(HOURS(3)).await;
    assert_eq!(app.said(), "");
    let overview = app.parts().service.overview(&Reach::All).await.unwrap();
    let named = &overview.tenants[0].unlisted_statuses;
    assert!(named.len() == 1 && named[0].contains("`Completed` looks closed"), "{named:?}");
    assert!(named[0].contains("1 open ticket carries it"), "{named:?}");
}

#[tokio::test]
async fn another_sla_keeps_the_cycle_and_what_a_person_decided() {
    let mut app = TestApp::with(AN_HOUR_TO_SOLVE).await;
    let id = app.superops.add(usual());
    app.turn().await;
    let (url, tokens) = served(&mut app, &[(Role::Admin, None)]).await;
    let order = json!({ "clock": "resolution", "cancelled": true, "reason": "a test of ours" });
    let place = format!("{url}/api/v1/tickets/{id}/override");
    assert_eq!(call(Method::POST, &place, &tokens[0], order).await.0, StatusCode::OK);
    app.wait(minutes(1)).await;
    for name in ["Silver", "Bronze"] {
        let sla = Ref { id: 4_711 + name.len() as u64, name: name.into() };
        app.superops.patch(&id, |ticket| ticket.sla = Some(sla));
        app.wait(minutes(1)).await;
    }
    app.wait(HOURS(3)).await;
    assert_eq!(app.said(), "");
    let ticket = app.parts().service.ticket(&Reach::All, &id).await.unwrap().unwrap();
    assert_eq!(ticket.clocks[1].standing, "cancelled");
}

#[tokio::test]
async fn a_reply_that_superops_does_not_count_meets_what_only_a_policy_promises() {
    let promises = "[[policies]]\nresponse = \"1h\"\nresolution = \"90h\"\n";
    let mut app = TestApp::with(promises).await;
    let (answered, late) = (app.superops.add(usual()), app.superops.add(usual()));
    app.turn().await;
    app.wait(minutes(20)).await;
    say(&app, &answered, EntryKind::TechnicianReply);
    app.wait(minutes(20)).await;
    app.wait(minutes(21)).await;
    let told = app.said();
    assert!(told.contains("over, first response was due"), "{told}");
    assert_eq!(only_alert(&mut app).await.ticket_id, late, "the other one was answered");
    say(&app, &late, EntryKind::TechnicianReply);
    app.wait(minutes(1)).await;
    assert_eq!(only_alert(&mut app).await.closing, Some("closed_late"), "also after it was due");
}

const TWO_OPEN_HOURS: &str = "[[policies]]\nresponse = \"2h\"\nresolution = \"90h\"\nclock = \"business\"\n";

/// Two open hours are promised, and they are up: on Tuesday at ten, for a ticket of Monday at half past four. Nothing
/// has touched it since; somebody answered it at nine, or nobody did.
async fn time_to_respond_is_up(answered: bool) -> TestApp {
    let mut app = TestApp::with_office(TWO_OPEN_HOURS).await;
    app.clock.advance(minutes(450));
    let id = app.superops.add(usual());
    if answered {
        let at = app.now() + minutes(990);
        app.superops.patch(&id, |ticket| {
            ticket.conversation.push(ConversationEntry { at, kind: EntryKind::TechnicianReply, by: None })
        });
    }
    app.turn().await;
    app.wait(minutes(120)).await;
    app.wait(minutes(929)).await;
    app.wait(minutes(1)).await;
    assert_eq!(looks(&app), 0, "two hours by the wall are no two open hours");
    app.said();
    app.clock.advance(TimeDelta::milliseconds(1));
    app
}

/// How often a conversation was asked for.
fn looks(app: &TestApp) -> u64 {
    app.superops.requests().by_operation.get("getTicketConversationList").copied().unwrap_or_default()
}

#[tokio::test]
async fn before_a_first_response_is_called_breached_the_conversation_is_read_once_more() {
    for (answered, heard) in [(true, false), (false, true)] {
        let mut app = time_to_respond_is_up(answered).await;
        app.settle().await;
        assert_eq!((looks(&app), app.said().as_str()), (0, ""), "the breach waits for the look");
        app.sync().await;
        app.settle().await;
        assert_eq!(looks(&app), 1);
        let said = app.said();
        assert_eq!(said.contains("Just breached: first response"), heard, "{said}");
        app.wait(minutes(1)).await;
        app.wait(minutes(10)).await;
        assert_eq!((looks(&app), app.said().contains("Breached")), (1, false), "it is read once, and told once");
    }
}

#[tokio::test]
async fn a_breach_does_not_wait_for_a_look_that_does_not_come() {
    let mut app = time_to_respond_is_up(false).await;
    app.settle().await;
    app.clock.advance(TimeDelta::milliseconds(4_999));
    app.settle().await;
    assert_eq!(app.said(), "");
    app.clock.advance(TimeDelta::milliseconds(1));
    app.settle().await;
    let said = app.said();
    assert!(said.contains("Just breached: first response"), "{said}");
}

#[tokio::test]
async fn the_running_sync_takes_a_look_that_a_breach_waits_for_at_once() {
    let mut app = time_to_respond_is_up(true).await;
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let sync = app.parts().syncs.pop().unwrap();
    // It has just looked: its next turn is a minute away.
    let running = tokio::spawn(sync.run(stopped));
    app.settle().await;
    tokio::time::timeout(std::time::Duration::from_secs(20), async {
        while looks(&app) == 0 {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    })
    .await
    .unwrap();
    stop.send_replace(true);
    running.await.unwrap();
    app.settle().await;
    // Whoever was warned may hear that it was answered in time.
    let said = app.said();
    assert!(!said.to_lowercase().contains("breached"), "{said}");
}

#[tokio::test]
async fn what_superops_fails_to_tell_of_a_new_ticket_raises_no_alarm_and_is_found_by_the_audit() {
    for field in ["status", "firstResponseTime"] {
        let mut app = TestApp::start().await;
        app.turn().await;
        let id = app.superops.add(NewTicket { response_due_in: Some(HOURS(1)), ..usual() });
        let holes = vec![Holes { which: Which::ids([id.as_str()]), hole: Hole::Field(field.to_owned()) }];
        app.superops.habits(|habits| habits.holes = holes);
        app.wait(minutes(1)).await;
        app.wait(HOURS(3)).await;
        assert_eq!(app.said(), "", "{field}");
        app.look_after().await;
        let found = app.parts().service.overview(&Reach::All).await.unwrap().mismatches;
        assert_eq!(found.get("unknown_clock"), Some(&1), "{field}");
        let ticket = app.parts().service.ticket(&Reach::All, &id).await.unwrap().unwrap();
        let clock = &ticket.clocks[0];
        assert_eq!(clock.standing, "unknown", "{field}");
        assert!(
            clock.partial.iter().any(|why| why.contains("returned an error instead of the data")),
            "{:?}",
            clock.partial
        );
        app.superops.recover();
        app.wait(minutes(1)).await;
        let said = app.said();
        assert!(said.contains("Breached: 2 h 2 min over, first response"), "{field}: it is known now: {said}");
    }
}

#[tokio::test]
async fn a_status_that_is_listed_as_closed_later_stops_the_clocks_of_those_who_have_it() {
    let mut app = TestApp::start().await;
    let id = app.ticket(TimeDelta::hours(1));
    app.turn().await;
    app.wait(TimeDelta::minutes(50)).await;
    app.superops.patch(&id, |ticket| ticket.status = Some("Parked for good".into()));
    app.turn().await;
    app.clock.advance(TimeDelta::minutes(5));
    app.restart_with("[tenants.acme.statuses]\nclosed = [\"Parked for good\"]\n").await;
    app.turn().await;
    app.wait(TimeDelta::hours(2)).await;
    let ticket = app.parts().service.ticket(&Reach::All, &id).await.unwrap().unwrap();
    assert!(!ticket.clocks[1].counting, "{:?}", ticket.clocks[1]);
}
