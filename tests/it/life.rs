//! What people do to alerts: acknowledging, snoozing, resolving, escalating and asking for quiet.

use std::sync::Arc;

use chrono::TimeDelta;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use superops_sla::alert::life::{Act, Actor, How, State};
use superops_sla::alert::suppression::SuppressionKind;
use superops_sla::service::Reach;
use superops_sla::service::alerts::{AlertQuery, AlertView};
use superops_sla::service::suppressions::SuppressionOrder;
use superops_sla::simulator::NewTicket;
use superops_sla::simulator::receivers::{CaughtKind, MailReply};
use superops_sla::store::audit::Author;
use superops_sla::store::tokens::{Role, Token};
use superops_sla::ticket::TenantId;
use superops_sla::web::{self, HttpServer};
use tokio::net::TcpListener;

use crate::support::{TestApp, minutes, usual};

/// Warned at three quarters of these eight hours.
const LENGTH: TimeDelta = TimeDelta::hours(8);
const WARNED: TimeDelta = TimeDelta::hours(6);

async fn with_ticket(more: &str, ticket: NewTicket) -> (TestApp, String) {
    let mut app = TestApp::with(more).await;
    let id = app.superops.add(ticket);
    app.turn().await;
    (app, id)
}

/// With a ticket whose owner was just told that it is at risk.
async fn warned() -> (TestApp, String) {
    let (mut app, id) = with_ticket("", NewTicket { resolution_due_in: Some(LENGTH), ..usual() }).await;
    app.wait(WARNED).await;
    assert_eq!(app.heard().len(), 1);
    (app, id)
}

/// With a ticket whose owner was just told, by mail and by text, that it has breached.
async fn breached() -> (TestApp, String) {
    let (mut app, id) = warned().await;
    app.wait(LENGTH - WARNED).await;
    app.wait(minutes(1)).await;
    let owner = app.heard().iter().filter(|told| told.to.contains("mateo") || told.to.ends_with("101")).count();
    assert_eq!(owner, 2);
    (app, id)
}

fn mia() -> Actor {
    Actor { name: "Mia".to_owned(), how: How::Page, origin: "127.0.0.1".to_owned(), note: None }
}

pub async fn only_alert(app: &mut TestApp) -> AlertView {
    let query = AlertQuery { state: Some("all".to_owned()), ..AlertQuery::default() };
    let page = app.parts().service.alerts(&Reach::All, &query).await.unwrap();
    assert_eq!(page.total, 1);
    page.alerts.into_iter().next().unwrap()
}

async fn act(app: &mut TestApp, act: Act) -> AlertView {
    let id = only_alert(app).await.id;
    app.parts().service.act_on_alert(&Reach::All, &id, act, &mia()).await.unwrap().unwrap()
}

/// What was said in so many minutes, one after the other.
async fn said_in(app: &mut TestApp, length: i64) -> String {
    for _ in 0..length {
        app.wait(minutes(1)).await;
    }
    app.said()
}

#[tokio::test]
async fn an_acknowledged_warning_rests_until_it_is_a_breach() {
    let (mut app, _) = warned().await;
    let alert = act(&mut app, Act::Acknowledge).await;
    assert_eq!((alert.state, alert.next_step_at), (State::Acknowledged, None));
    assert_eq!(alert.hold.map(|hold| (hold.by, hold.until)), Some(("Mia".to_owned(), None)));
    assert_eq!(said_in(&mut app, 119).await, "", "neither the manager nor anybody else");
    let told = said_in(&mut app, 3).await;
    assert!(told.contains("email mateo.alvarez@example.com: Breached: "), "{told}");
    assert_eq!(only_alert(&mut app).await.state, State::Open);
}

#[tokio::test]
async fn an_acknowledged_breach_on_which_nothing_happens_goes_on_to_the_next_step() {
    let (mut app, _) = breached().await;
    let raised_at = only_alert(&mut app).await.raised_at;
    act(&mut app, Act::Acknowledge).await;
    assert_eq!(said_in(&mut app, 29).await, "");
    app.wait(minutes(1)).await;
    assert_eq!(only_alert(&mut app).await.raised_at, raised_at, "it was raised once");
    let told = app.heard();
    assert!(told.iter().all(|one| one.to.contains("dana") || one.to.ends_with("100")), "the manager is next");
    let mail = told.iter().find(|one| one.to.contains("dana")).unwrap();
    let words = "Mia acknowledged it on 23 Nov 17:01 UTC, which has run out";
    assert!(mail.text.replace('\n', " ").contains(words), "{}", mail.text);
    // The steps lie as far apart as ever: the account manager is a quarter of an hour behind the manager.
    assert_eq!(said_in(&mut app, 14).await, "");
    assert!(said_in(&mut app, 1).await.contains("ingrid.sorensen"));
}

#[tokio::test]
async fn an_alert_is_due_when_its_ticket_is_wherever_superops_moves_that_to() {
    for (wait, moved_by) in [(LENGTH + minutes(1), 6), (WARNED, 30)] {
        let (mut app, id) = with_ticket("", NewTicket { resolution_due_in: Some(LENGTH), ..usual() }).await;
        app.wait(wait).await;
        let before = only_alert(&mut app).await;
        app.superops
            .patch(&id, |ticket| ticket.resolution.due = ticket.resolution.due.map(|due| due - minutes(moved_by)));
        app.turn().await;
        let after = only_alert(&mut app).await;
        assert_eq!((after.due, after.stage), (before.due - minutes(moved_by), before.stage));
        assert_eq!(after.clock_status.and_then(|clock| clock.due), Some(after.due), "one time in one answer");
    }
}

#[tokio::test]
async fn who_is_told_later_hears_the_share_of_time_that_has_passed_by_then() {
    let (mut app, id) = with_ticket("", NewTicket { resolution_due_in: Some(LENGTH), ..usual() }).await;
    app.wait(WARNED).await;
    let share = |app: &mut TestApp| {
        let told = app.heard();
        let text = told.iter().filter(|one| one.kind == CaughtKind::Email).map(|one| one.text.replace('\n', " "));
        let shares =
            text.filter_map(|text| Some(text.split_once(" % of its working time")?.0.rsplit(' ').next()?.to_owned()));
        shares.collect::<Vec<_>>()
    };
    let before = share(&mut app);
    assert!(!before.is_empty());
    app.superops.patch(&id, |ticket| ticket.resolution.due = ticket.resolution.due.map(|due| due + minutes(5)));
    app.wait(minutes(15)).await;
    let after = share(&mut app);
    let clock = only_alert(&mut app).await.clock_status.unwrap();
    assert!(after.iter().all(|share| !before.contains(share)), "{before:?} {after:?} {clock:?}");
    assert!(!after.is_empty(), "{clock:?}");
}

#[tokio::test]
async fn a_breach_on_which_something_happens_stays_acknowledged() {
    let (mut app, id) = breached().await;
    act(&mut app, Act::Acknowledge).await;
    said_in(&mut app, 20).await;
    app.superops.change_status(&id, "In Progress");
    assert_eq!(said_in(&mut app, 29).await, "", "as long again from the change of status");
    assert_eq!(only_alert(&mut app).await.state, State::Acknowledged);
    app.wait(minutes(3)).await;
    let told = app.heard();
    let mail = told.iter().find(|one| one.to.contains("dana.whitfield")).expect("and no longer");
    let text = mail.text.replace('\n', " ");
    assert!(text.contains("Mia acknowledged it on") && !text.contains("nothing has happened"), "{text}");
}

#[tokio::test]
async fn when_no_step_is_left_those_of_the_last_one_are_told_again() {
    let more = "[alerts]\nack_expires = '10m'\n[[alerts.steps]]\nafter = '0s'\nnotify = ['technician']\nchannels = ['email']\n";
    let (mut app, _) = with_ticket(more, NewTicket { resolution_due_in: Some(LENGTH), ..usual() }).await;
    app.wait(WARNED).await;
    app.wait(LENGTH - WARNED + minutes(1)).await;
    assert_eq!(app.heard().len(), 2);
    // Once it has run out, an acknowledgement rests for an hour.
    for rests in [10, 60] {
        act(&mut app, Act::Acknowledge).await;
        assert_eq!(said_in(&mut app, rests - 1).await, "");
        assert!(said_in(&mut app, 1).await.contains("mateo.alvarez"), "told again that nothing has happened");
    }
}

#[tokio::test]
async fn a_snoozed_alert_is_back_by_itself_and_then_goes_on() {
    let (mut app, _) = warned().await;
    let until = app.now() + minutes(40);
    assert_eq!(act(&mut app, Act::Snooze { until }).await.state, State::Snoozed);
    assert_eq!(said_in(&mut app, 39).await, "");
    assert!(said_in(&mut app, 1).await.contains("email mateo.alvarez@example.com: At risk"), "the owner, again");
    assert_eq!(said_in(&mut app, 14).await, "");
    assert!(said_in(&mut app, 1).await.contains("dana.whitfield"));
}

#[tokio::test]
async fn the_audit_log_says_until_when_an_alert_is_snoozed() {
    let (mut app, _) = warned().await;
    let ends = [app.now() + minutes(15), app.now() + TimeDelta::days(30)];
    for until in ends {
        act(&mut app, Act::Snooze { until }).await;
    }
    let rows = app.database.texts("SELECT what FROM audit WHERE what LIKE 'snoozed alert %' ORDER BY id").await;
    assert_eq!(rows.len(), 2);
    for (row, until) in rows.iter().zip(ends) {
        assert!(row.contains(&format!(" until {} (", until.to_rfc3339())), "{row}");
    }
}

#[tokio::test]
async fn what_was_resolved_by_hand_is_raised_again_only_when_it_gets_worse() {
    let (mut app, _) = warned().await;
    let alert = act(&mut app, Act::Resolve).await;
    assert_eq!((alert.state, alert.closing), (State::Resolved, Some("by_hand")));
    assert_eq!(said_in(&mut app, 119).await, "");
    app.restart().await;
    let told = said_in(&mut app, 3).await;
    assert!(told.contains("Breached") && told.contains("mateo.alvarez"), "{told}");
    act(&mut app, Act::Resolve).await;
    assert_eq!(said_in(&mut app, 60).await, "", "there is nothing worse than a breach");
}

#[tokio::test]
async fn escalating_by_hand_runs_the_next_step_now() {
    let (mut app, _) = warned().await;
    act(&mut app, Act::Escalate).await;
    app.settle().await;
    assert!(app.said().contains("dana.whitfield"));
    act(&mut app, Act::Acknowledge).await;
    act(&mut app, Act::Escalate).await;
    app.settle().await;
    assert!(app.said().contains("ingrid.sorensen"), "also of what somebody had acknowledged");
}

#[tokio::test]
async fn escalating_once_more_tells_those_of_the_last_step_once_more() {
    let (mut app, _) = warned().await;
    said_in(&mut app, 31).await;
    for time in ["first", "second", "third"] {
        act(&mut app, Act::Escalate).await;
        app.settle().await;
        assert!(app.said().contains("ingrid.sorensen"), "the {time} time");
    }
}

#[tokio::test]
async fn a_repeated_act_changes_nothing_and_answers_the_same() {
    let (mut app, _) = warned().await;
    let first = act(&mut app, Act::Acknowledge).await;
    app.clock.advance(minutes(5));
    let again = act(&mut app, Act::Acknowledge).await;
    assert_eq!(first.hold.unwrap().at, again.hold.unwrap().at);
    act(&mut app, Act::Resolve).await;
    assert_eq!(act(&mut app, Act::Acknowledge).await.state, State::Resolved);
}

#[tokio::test]
async fn an_acknowledgement_withdraws_what_has_not_left_yet() {
    let (mut app, _) = with_ticket("", NewTicket { resolution_due_in: Some(LENGTH), ..usual() }).await;
    app.clock.advance(WARNED);
    app.evaluate().await;
    act(&mut app, Act::Acknowledge).await;
    app.dispatch().await;
    assert_eq!((app.said().as_str(), app.states().await), ("", [("cancelled".to_owned(), 1)].into()));
}

/// Fault 18 of the list: whichever comes first holds, and nothing is said after the acknowledgement was committed.
#[tokio::test]
async fn an_acknowledgement_that_races_an_escalation_wins_once_it_is_committed() {
    let mut escalated_first = 0;
    for round in 0..8 {
        let (mut app, _) = warned().await;
        let id = only_alert(&mut app).await.id;
        app.clock.advance(minutes(15));
        let now = app.now();
        let parts = app.parts();
        let store = parts.store.clone();
        let acknowledge = async {
            for _ in 0..round * 3 {
                tokio::task::yield_now().await;
            }
            store.act(&id, Act::Acknowledge, &mia(), now).await.unwrap();
            store.notifications(&Reach::All, None, 100).await.unwrap().len()
        };
        let (enqueued_when_committed, turn) = tokio::join!(acknowledge, parts.evaluate.turn(now));
        turn.unwrap();
        let rows = app.outbox().await;
        assert_eq!(rows.len(), enqueued_when_committed, "nothing is enqueued after the acknowledgement");
        escalated_first += usize::from(rows.len() == 2);
        assert_eq!(said_in(&mut app, 20).await, "");
        assert_eq!(only_alert(&mut app).await.state, State::Acknowledged);
    }
    assert!(escalated_first < 8, "the acknowledgement never came first");
}

#[tokio::test]
async fn an_acknowledgement_survives_a_restart() {
    let (mut app, _) = breached().await;
    act(&mut app, Act::Acknowledge).await;
    app.stop().await;
    app.clock.advance(minutes(10));
    app.resume().await;
    assert_eq!(said_in(&mut app, 19).await, "");
    assert!(said_in(&mut app, 1).await.contains("dana.whitfield"));
}

fn author() -> Author {
    Author { who: "mia".to_owned(), origin: "a test".to_owned() }
}

async fn quiet(app: &mut TestApp, kind: SuppressionKind, order: SuppressionOrder) -> i64 {
    let everything = order.client.is_none() && order.ticket.is_none() && order.technician.is_none();
    let order = SuppressionOrder { reason: "moving house".to_owned(), everything, ..order };
    app.parts().service.add_suppression(&Reach::All, kind, order, author()).await.unwrap().unwrap().id
}

#[tokio::test]
async fn a_silenced_alert_is_recorded_and_told_when_the_silence_ends() {
    let (mut app, _) = with_ticket("", NewTicket { resolution_due_in: Some(LENGTH), ..usual() }).await;
    let silence = SuppressionOrder {
        client: Some("globex corporation".to_owned()),
        length: Some("6h30m".to_owned()),
        ..SuppressionOrder::default()
    };
    quiet(&mut app, SuppressionKind::Silence, silence).await;
    app.wait(WARNED).await;
    let alert = only_alert(&mut app).await;
    assert_eq!((alert.state, alert.suppressions.len(), alert.notifications.len()), (State::Open, 1, 0));
    assert_eq!(said_in(&mut app, 29).await, "");
    insta::assert_snapshot!(said_in(&mut app, 1).await, @"email mateo.alvarez@example.com: At risk: 1 h 30 min left, resolution due 17:00 UTC");
}

#[tokio::test]
async fn a_maintenance_window_holds_the_steps_and_only_the_present_one_is_run_after_it() {
    let (mut app, id) = warned().await;
    let window =
        SuppressionOrder { ticket: Some(id.clone()), length: Some("50m".to_owned()), ..SuppressionOrder::default() };
    let number = quiet(&mut app, SuppressionKind::Maintenance, window).await;
    assert_eq!(said_in(&mut app, 40).await, "");
    let ended = app.parts().service.end_suppression(&Reach::All, SuppressionKind::Maintenance, number, author()).await;
    assert!(ended.unwrap(), "by hand, before its time");
    app.settle().await;
    assert!(!app.said().contains("dana") && app.outbox().await.len() == 2, "the third step, once; the second is past");
}

#[tokio::test]
async fn a_window_that_ends_before_it_begins_is_refused_with_these_words() {
    let mut app = TestApp::start().await;
    let now = app.now();
    let window = SuppressionOrder {
        from: Some(now + TimeDelta::hours(3)),
        until: Some(now + TimeDelta::hours(2)),
        everything: true,
        reason: "moving house".to_owned(),
        ..SuppressionOrder::default()
    };
    let service = &app.parts().service;
    let refused = service.add_suppression(&Reach::All, SuppressionKind::Maintenance, window, author()).await;
    assert_eq!(refused.unwrap_err().to_string(), "it ends before it begins");
}

#[tokio::test]
async fn what_waited_to_be_said_when_a_silence_began_waits_until_it_ends() {
    let (mut app, _) = with_ticket("", NewTicket { resolution_due_in: Some(LENGTH), ..usual() }).await;
    app.clock.advance(WARNED);
    app.mail.reply(MailReply::TryLater);
    app.turn().await;
    let silence = SuppressionOrder { length: Some("10m".to_owned()), ..SuppressionOrder::default() };
    let number = quiet(&mut app, SuppressionKind::Silence, silence).await;
    app.mail.reply(MailReply::Accept);
    assert_eq!(said_in(&mut app, 5).await, "");
    app.parts().service.end_suppression(&Reach::All, SuppressionKind::Silence, number, author()).await.unwrap();
    app.settle().await;
    assert!(app.said().contains("mateo.alvarez"));
}

#[tokio::test]
async fn what_is_over_when_the_silence_ends_is_told_to_nobody() {
    let (mut app, id) = with_ticket("", NewTicket { resolution_due_in: Some(LENGTH), ..usual() }).await;
    let silence = SuppressionOrder { length: Some("7h".to_owned()), ..SuppressionOrder::default() };
    quiet(&mut app, SuppressionKind::Silence, silence).await;
    app.wait(WARNED).await;
    app.superops.change_status(&id, "Resolved");
    assert_eq!(said_in(&mut app, 90).await, "");
}

#[tokio::test]
async fn a_breach_of_one_client_follows_its_own_escalation() {
    let more = "[[escalations]]\nname = 'globex-breaches'\nclient = 'Globex Corporation'\nstage = 'breached'\nack_expires = '5m'\n\
                [[escalations.steps]]\nafter = '0s'\nnotify = ['email:duty@example.com']\n";
    let (mut app, _) = with_ticket(more, NewTicket { resolution_due_in: Some(LENGTH), ..usual() }).await;
    app.wait(WARNED).await;
    assert!(app.said().contains("mateo.alvarez"));
    assert_eq!(only_alert(&mut app).await.escalation, "default");
    app.wait(minutes(14)).await;
    assert_eq!(app.said(), "");
    app.wait(LENGTH - WARNED - minutes(13)).await;
    let told = app.said();
    assert!(told.contains("duty@example.com") && !told.contains("mateo"), "{told}");
    assert_eq!(only_alert(&mut app).await.escalation, "globex-breaches");
    act(&mut app, Act::Acknowledge).await;
    assert!(said_in(&mut app, 5).await.contains("duty@example.com"), "its own time for acknowledgements");
}

/// Where the service answers, and a token of `role` for `tenant` or for all.
pub async fn served(app: &mut TestApp, roles: &[(Role, Option<&str>)]) -> (String, Vec<String>) {
    let now = app.now();
    let parts = app.parts();
    let mut tokens = Vec::new();
    for (role, tenant) in roles {
        let token = Token::generate().unwrap();
        let tenant = tenant.map(|name| TenantId::parse(name).unwrap());
        parts.store.add_token(&token, *role, tenant, author(), now).await.unwrap();
        tokens.push(token.expose().to_owned());
    }
    let router = web::router(parts.web(parts.web_options()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(HttpServer::sized_beside(1, Arc::default()).serve(listener, router, std::future::pending()));
    (url, tokens)
}

/// Signs in as a browser does, and returns its cookie.
pub async fn sign_in(url: &str, token: &str) -> String {
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let entered = client.post(format!("{url}/login")).form(&[("token", token)]).send().await.unwrap();
    entered.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned()
}

/// Asks as the holder of `token`.
pub async fn call(method: Method, url: &str, token: &str, body: Value) -> (StatusCode, Value) {
    let request = reqwest::Client::new().request(method, url).bearer_auth(token);
    let answer = request.json(&body).send().await.unwrap();
    (answer.status(), answer.json().await.unwrap_or_default())
}

#[tokio::test]
async fn alerts_are_acknowledged_over_http_by_those_who_may() {
    let more = "[tenants.globex]\nsubdomain = \"globex\"\nregion = \"eu\"\ntoken_env = \"TWILIO\"\n";
    let mut app = TestApp::with(more).await;
    let globex = app.parts().syncs.pop().unwrap();
    app.ticket(LENGTH);
    app.turn().await;
    app.wait(WARNED).await;
    assert_eq!(app.heard().len(), 1);
    let id = only_alert(&mut app).await.id;
    let roles = [(Role::Viewer, None), (Role::Responder, Some("acme")), (Role::Responder, Some("globex"))];
    let (url, tokens) = served(&mut app, &roles).await;
    let [viewer, responder, stranger] = [&tokens[0], &tokens[1], &tokens[2]];
    let ack = format!("{url}/api/v1/alerts/{id}/ack");

    let (status, problem) = call(Method::POST, &ack, viewer, json!({})).await;
    assert_eq!((status, problem["status"].as_i64()), (StatusCode::FORBIDDEN, Some(403)));
    assert_eq!(call(Method::POST, &ack, stranger, json!({})).await.0, StatusCode::NOT_FOUND, "another tenant's");
    assert_eq!(call(Method::POST, &ack, responder, json!({"who": "mia"})).await.0, StatusCode::BAD_REQUEST);
    let snooze = format!("{url}/api/v1/alerts/{id}/snooze");
    for wrong in [
        json!({}),
        json!({"for": "soon"}),
        json!({"for": "1h", "until": "2027-01-01T00:00:00Z"}),
        json!({"until": "2020-01-01T00:00:00Z"}),
    ] {
        assert_eq!(call(Method::POST, &snooze, responder, wrong.clone()).await.0, StatusCode::BAD_REQUEST, "{wrong}");
    }
    let (status, alert) = call(Method::POST, &ack, responder, json!({"by": "Mia"})).await;
    assert_eq!((status, &alert["state"]), (StatusCode::OK, &json!("acknowledged")));
    assert!(alert["hold"]["by"].as_str().unwrap().starts_with("Mia (token "), "{alert}");
    assert_eq!(alert["notifications"][0]["outcomes"][0]["outcome"], "taken");

    let (_, page) = call(Method::GET, &format!("{url}/api/v1/alerts?state=acknowledged"), viewer, json!({})).await;
    assert_eq!(page["total"], 1);
    assert!(!page.to_string().contains("@example.com") && !page.to_string().contains("+1500"), "no address, no number");
    let (_, page) = call(Method::GET, &format!("{url}/api/v1/alerts"), stranger, json!({})).await;
    assert_eq!(page["total"], 0);
    assert_eq!(said_in(&mut app, 30).await, "");
    drop(globex);
}

#[tokio::test]
async fn the_audit_log_of_a_ticket_tells_of_the_silences_of_it() {
    let (mut app, _) = warned().await;
    let (url, tokens) = served(&mut app, &[(Role::Admin, None)]).await;
    let admin = &tokens[0];
    let (_, page) = call(Method::GET, &format!("{url}/api/v1/tickets"), admin, json!({})).await;
    let number = page["tickets"][0]["display_id"].as_str().unwrap();
    let silences = format!("{url}/api/v1/silences");
    let order = json!({"ticket": number, "for": "1h", "reason": "moving racks"});
    let (status, made) = call(Method::POST, &silences, admin, order).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    assert_eq!(
        call(Method::DELETE, &format!("{silences}/{}", made["id"]), admin, json!({})).await.0,
        StatusCode::NO_CONTENT
    );
    let (_, page) = call(Method::GET, &format!("{url}/api/v1/audit?ticket={number}"), admin, json!({})).await;
    let changes = page["changes"].as_array().unwrap().iter();
    let begun: Vec<_> = changes.map(|change| change["what"].as_str().unwrap().split(',').next().unwrap()).collect();
    assert!(begun.contains(&"added silence 1") && begun.contains(&"ended silence 1"), "{page}");
}

#[tokio::test]
async fn silences_are_made_and_ended_over_http_and_every_change_is_written_down() {
    let (mut app, _) = warned().await;
    let (url, tokens) = served(&mut app, &[(Role::Responder, None), (Role::Admin, None)]).await;
    let [responder, admin] = [&tokens[0], &tokens[1]];
    let silences = format!("{url}/api/v1/silences");
    for wrong in [json!({"for": "1h"}), json!({"reason": "why not"}), json!({"for": "1h", "reason": " "})] {
        assert_eq!(call(Method::POST, &silences, responder, wrong.clone()).await.0, StatusCode::BAD_REQUEST, "{wrong}");
    }
    let order = json!({"technician": "Mateo Alvarez", "for": "1h", "reason": "on a plane", "author": "Mia"});
    let (status, made) = call(Method::POST, &silences, responder, order.clone()).await;
    assert_eq!((status, &made["technician"]), (StatusCode::CREATED, &json!("Mateo Alvarez")));
    let windows = format!("{url}/api/v1/maintenance-windows");
    assert_eq!(call(Method::POST, &windows, responder, order.clone()).await.0, StatusCode::FORBIDDEN);
    assert_eq!(call(Method::POST, &windows, admin, order).await.0, StatusCode::CREATED);
    let (_, listed) = call(Method::GET, &silences, responder, json!({})).await;
    assert_eq!(listed["silences"].as_array().unwrap().len(), 1);
    let one = format!("{silences}/{}", made["id"]);
    assert_eq!(call(Method::DELETE, &one, responder, json!({})).await.0, StatusCode::NO_CONTENT);
    assert_eq!(call(Method::DELETE, &one, responder, json!({})).await.0, StatusCode::NOT_FOUND, "it has ended");

    let of_acme = async |column: &str| {
        app.database.texts(&format!("SELECT {column} FROM audit WHERE tenant = 'acme' ORDER BY id")).await
    };
    let (whats, origins) = (of_acme("what").await, of_acme("origin").await);
    let begun: Vec<_> = whats.iter().map(|what| what.split(',').next().unwrap()).collect();
    assert_eq!(begun, ["added silence 1", "added maintenance window 1", "ended silence 1"]);
    assert_eq!(whats[2], "ended silence 1, of technician Mateo Alvarez, early");
    assert!(
        whats[0].contains("of technician Mateo Alvarez, from ") && whats[0].ends_with(" UTC: on a plane"),
        "{whats:?}"
    );
    assert!(origins.iter().all(|origin| origin == "127.0.0.1"), "{origins:?}");
    let whos = of_acme("who").await;
    let said: Vec<_> = whos.iter().map(|who| who.starts_with("Mia (")).collect();
    assert_eq!(said, [true, true, false], "who made it said a name: {whos:?}");
}

#[tokio::test]
async fn a_silence_of_nothing_known_or_of_everything_by_oversight_is_refused_with_what_is_meant() {
    let (mut app, _) = warned().await;
    let (url, tokens) = served(&mut app, &[(Role::Responder, None), (Role::Admin, None)]).await;
    let silences = format!("{url}/api/v1/silences");
    let refused = async |order: Value| {
        let (status, problem) = call(Method::POST, &silences, &tokens[0], order).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{problem}");
        problem["detail"].as_str().unwrap().to_owned()
    };
    insta::assert_snapshot!(
        refused(json!({"client": "Globex Corporatoin", "for": "1h", "reason": "moving"})).await,
        @"`client`: acme has no client called `Globex Corporatoin`; did you mean `Globex Corporation`?"
    );
    insta::assert_snapshot!(
        refused(json!({"technician": "Nobody", "for": "1h", "reason": "moving"})).await,
        @"`technician`: acme has no technician called `Nobody`"
    );
    insta::assert_snapshot!(
        refused(json!({"client": "Globex", "for": "1h", "reason": "moving"})).await,
        @"`client`: acme has no client called `Globex`; did you mean `Globex Corporation`?"
    );
    assert!(refused(json!({"ticket": "000000-0000", "for": "1h", "reason": "moving"})).await.contains("has no ticket"));
    insta::assert_snapshot!(
        refused(json!({"for": "1h", "reason": "moving"})).await,
        @"say what to be quiet about: `client`, `ticket`, `component`, `priority` or `technician`; to silence every alert of acme, say `everything`: true"
    );
    let (_, listed) = call(Method::GET, &silences, &tokens[0], json!({})).await;
    assert_eq!(listed["silences"], json!([]), "nothing was silenced meanwhile");
    for meant in [json!({"everything": true}), json!({"client": " GLOBEX corporation"}), json!({"priority": "high"})] {
        let mut order = json!({"for": "1h", "reason": "moving"});
        order.as_object_mut().unwrap().extend(meant.as_object().unwrap().clone());
        assert_eq!(call(Method::POST, &silences, &tokens[0], order).await.0, StatusCode::CREATED, "{meant}");
    }
    let windows = format!("{url}/api/v1/maintenance-windows");
    let all_night = json!({"for": "1h", "reason": "the whole desk moves"});
    assert_eq!(call(Method::POST, &windows, &tokens[1], all_night).await.0, StatusCode::CREATED);
}

#[tokio::test]
async fn another_site_cannot_make_a_browser_acknowledge() {
    let (mut app, _) = warned().await;
    let id = only_alert(&mut app).await.id;
    let (url, tokens) = served(&mut app, &[(Role::Responder, None)]).await;
    let ack = format!("{url}/api/v1/alerts/{id}/ack");
    let cookie = sign_in(&url, &tokens[0]).await;
    let post = |site: &'static str| {
        let cookie = cookie.clone();
        reqwest::Client::new().post(&ack).header("cookie", cookie).header("sec-fetch-site", site).send()
    };
    assert_eq!(post("cross-site").await.unwrap().status(), StatusCode::FORBIDDEN);
    assert_eq!(post("same-site").await.unwrap().status(), StatusCode::FORBIDDEN);
    assert_eq!(only_alert(&mut app).await.state, State::Open);
    assert_eq!(post("same-origin").await.unwrap().status(), StatusCode::OK);
    assert_eq!(only_alert(&mut app).await.hold.unwrap().how, How::Page);
}
