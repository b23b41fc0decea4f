//! The store says clearly what is wrong with it, and nothing that was accepted is lost.

use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use chrono::TimeDelta;
use superops_sla::alert::life::{Act, Actor, How};
use superops_sla::service::alerts::AlertQuery;
use superops_sla::service::audit::AuditQuery;
use superops_sla::service::breaches::BreachQuery;
use superops_sla::service::incidents::{IncidentOrder, SayingOrder};
use superops_sla::service::people::PeopleQuery;
use superops_sla::service::{Reach, TicketQuery};
use superops_sla::store::StoreError;
use superops_sla::store::latest::Way;
use superops_sla::store::tokens::Author;
use superops_sla::uptime::Condition;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::support::{TestApp, minutes};

#[tokio::test]
async fn a_second_service_on_one_store_is_refused() {
    let app = TestApp::start().await;
    // On a server, who comes second follows.
    let Some(file) = app.database.file() else { return };
    let refused = app.build().await.err().unwrap().to_string();
    let text = refused.replace(&file.display().to_string(), "sla.db");
    insta::assert_snapshot!(text, @"another superops-sla is already running on `sla.db`; stop it first, or give this one a store of its own");
}

#[tokio::test]
async fn a_locked_database_is_said_and_what_was_due_is_told_afterwards() {
    let mut app = TestApp::start().await;
    // On a server nobody can lock everything.
    if app.database.file().is_none() {
        return;
    }
    app.ticket(minutes(60));
    app.turn().await;
    app.parts().service.ready().await.unwrap();
    app.clock.advance(minutes(45));
    let mut other = app.database.beside().await;
    other.run("BEGIN IMMEDIATE").await;

    let now = app.now();
    let parts = app.parts();
    // Both wait for the lock at the same time, as they do in the service.
    let (turn, ready) = tokio::join!(parts.evaluate.turn(now), parts.service.ready());
    assert!(matches!(turn, Err(StoreError::Locked(_))), "{turn:?}");
    insta::assert_snapshot!(ready.unwrap_err().join("\n"), @r"
    the database is locked by another process; nothing was changed; try again
    acme: SuperOps was last read 45 min ago
    ");

    other.run("ROLLBACK").await;
    app.turn().await;
    app.parts().service.ready().await.unwrap();
    insta::assert_snapshot!(app.said(), @"email mateo.alvarez@example.com: At risk: 15 min left, resolution due 10:00 UTC");
}

#[tokio::test]
async fn an_alert_whose_message_cannot_be_stored_is_not_stored_either_and_is_told_later() {
    let mut app = TestApp::start().await;
    app.ticket(minutes(60));
    app.turn().await;
    app.clock.advance(minutes(45));
    app.database.take_nothing_more_into("notifications").await;
    let now = app.now();
    for _ in 0..2 {
        app.parts().evaluate.turn(now).await.unwrap_err();
        app.dispatch().await;
    }
    assert_eq!((app.said().as_str(), app.states().await.len()), ("", 0), "what is not stored is not sent");
    app.database.take_again_into("notifications").await;
    app.turn().await;
    assert_eq!(app.heard().len(), 1);
    let (url, token) = crate::web::served(&mut app, None).await;
    let text = crate::web::get(&format!("{url}/metrics"), &token).await.text().await.unwrap();
    let counted = "superops_sla_alerts_total{tenant=\"acme\",clock=\"resolution\",stage=\"warning\"} 1\n";
    assert!(text.contains(counted), "it was raised once: {text}");
}

#[tokio::test]
async fn a_notification_that_cannot_be_read_does_not_hold_up_the_others() {
    let mut app = TestApp::start().await;
    app.ticket(TimeDelta::hours(8));
    app.turn().await;
    app.clock.advance(TimeDelta::hours(6));
    app.sync().await;
    app.evaluate().await;
    app.database.tamper("UPDATE notifications SET message = '{}'").await;
    app.dispatch().await;
    app.settle().await;
    insta::assert_snapshot!(app.said(), @"email dana.whitfield@example.com: At risk: 2 h left, resolution due 17:00 UTC");
}

#[tokio::test]
async fn rows_that_cannot_be_read_are_left_out_of_lists_and_the_overview_counts_them() {
    let mut app = TestApp::start().await;
    for length in [60, 61, 62] {
        app.ticket(minutes(length));
    }
    app.turn().await;
    app.wait(minutes(63)).await;
    let alerts = AlertQuery { state: Some("all".to_owned()), ..AlertQuery::default() };
    let found = app.parts().service.alerts(&Reach::All, &alerts).await.unwrap().alerts;
    let mia = Actor { name: "Mia".to_owned(), how: How::Page, origin: "a test".to_owned(), note: None };
    for alert in &found[..2] {
        app.parts().service.act_on_alert(&Reach::All, &alert.id, Act::Acknowledge, &mia).await.unwrap().unwrap();
    }
    for damage in [
        "UPDATE tickets SET ticket = '{}' WHERE id = (SELECT MIN(id) FROM tickets WHERE open = 1)",
        "UPDATE alerts SET stage = 'odd' WHERE key = (SELECT MAX(key) FROM alerts)",
        "UPDATE events SET kind = 'odd' WHERE id = (SELECT MIN(id) FROM events WHERE ticket_id = (SELECT MAX(id) FROM tickets WHERE open = 1))",
        "INSERT INTO personal_rules (person, rules, set_by, set_at) VALUES ('mateo.alvarez@example.com', 'odd', 'mia', 0),
         ('who@example.com', '{}', 'mia', 9000000000000000000)",
    ] {
        app.database.tamper(damage).await;
    }
    let is_file = app.database.file().is_some();
    if is_file {
        app.database
            .tamper("UPDATE audit SET who = X'ff' WHERE id = (SELECT MAX(id) FROM audit WHERE alert IS NOT NULL)")
            .await;
    }
    // Another process, which has not read anything yet.
    app.stop().await;
    app.resume().await;
    let service = app.parts().service.clone();
    let tickets = service.tickets(&Reach::All, &TicketQuery::default()).await.unwrap();
    assert_eq!((tickets.total, tickets.tickets.len()), (2, 2));
    for one in &tickets.tickets {
        assert!(service.ticket(&Reach::All, &one.ticket_id).await.unwrap().is_some(), "one event less is no reason");
    }
    assert!(service.alerts(&Reach::All, &alerts).await.unwrap().alerts.len() < found.len());
    assert!(!service.breaches(&Reach::All, &BreachQuery::default()).await.unwrap().breaches.is_empty());
    let all = AuditQuery {
        from: chrono::DateTime::UNIX_EPOCH,
        until: app.now() + TimeDelta::days(1),
        who: None,
        what: None,
        ticket: None,
        way: Way::EarliestFirst,
        limit: 100,
        cursor: None,
    };
    let changes = service.audit(&Reach::All, &all).await.unwrap().unwrap().changes;
    let acts = changes.iter().filter(|one| one.alert_id.is_some()).count();
    assert_eq!(acts, if is_file { 1 } else { 2 });
    let people = service.people((&Reach::All, &Reach::All), &PeopleQuery::default()).await.unwrap().people;
    assert!(people.iter().any(|one| one.email == "mateo.alvarez@example.com" && one.unreadable));
    let left_out = service.overview(&Reach::All).await.unwrap().left_out;
    let kinds: Vec<_> = left_out.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
    let expected = ["1 alert", "1 change", "1 event", "1 personal rule", "1 ticket"];
    let expected: Vec<_> = expected.into_iter().filter(|kind| is_file || *kind != "1 change").collect();
    assert_eq!(kinds, expected);
}

/// A service that fails, counts who looks, and is watched.
async fn failing_service() -> (String, watch::Receiver<usize>) {
    let (looks, seen) = watch::channel(0);
    let answer = async move || {
        looks.send_modify(|looks| *looks += 1);
        StatusCode::INTERNAL_SERVER_ERROR
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, Router::new().route("/", get(answer))).await });
    (format!("[components.shop]\n[[checks]]\ncomponent = \"shop\"\nurl = \"{url}\"\n"), seen)
}

#[tokio::test]
async fn a_locked_database_keeps_no_look_waiting_and_what_was_seen_meanwhile_is_written_down_afterwards() {
    let (config, mut looks) = failing_service().await;
    let mut app = TestApp::with(&config).await;
    let mut other = app.database.beside().await;
    match app.database.file() {
        Some(_) => other.run("BEGIN IMMEDIATE").await,
        None => other.run("BEGIN; SELECT epoch FROM leases FOR UPDATE").await,
    }
    let began = app.now();
    let monitor = app.parts().monitor.take().unwrap();
    let stop = watch::Sender::new(false);
    let looking = tokio::spawn(monitor.run(stop.subscribe()));
    let service = app.parts().service.clone();
    let is_down = || service.uptime_now(&Reach::All)[0].status == "down";
    let clock = app.clock.clone();
    // A write waits for five seconds or longer before it fails.
    let six_looks = async {
        while *looks.borrow_and_update() < 6 || !is_down() {
            clock.advance(TimeDelta::seconds(1));
            let _ = tokio::time::timeout(Duration::from_millis(50), looks.changed()).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), six_looks).await.expect("looks go on, and are shown");
    other.run("ROLLBACK").await;
    stop.send_replace(true);
    looking.await.unwrap();
    let spans = app.parts().store.uptime_spans("shop").await.unwrap();
    let last = spans.last().unwrap();
    assert_eq!((last.condition, last.until), (Condition::Down, None), "{spans:?}");
    assert!(last.from - began.timestamp_millis() < 15_000, "from the first look that found it down: {spans:?}");
}

#[tokio::test]
async fn what_is_said_of_a_service_on_one_replica_is_known_on_the_other_at_once_and_nothing_of_it_is_overwritten() {
    let (config, _looks) = failing_service().await;
    let mut app = TestApp::with(&config).await;
    if app.database.file().is_some() {
        return; // there are no others
    }
    let other = app.build().await.unwrap();
    let author = || Author { who: "Mia".to_owned(), origin: "a test".to_owned() };
    let order = IncidentOrder {
        title: "Orders are slow".to_owned(),
        components: vec!["shop".to_owned()],
        ..IncidentOrder::default()
    };
    let made = other.service.open_incident(&Reach::All, order, author()).await.unwrap();
    let say = |status: &str| SayingOrder { status: Some(status.to_owned()), ..SayingOrder::default() };
    let service = app.parts().service.clone();
    let said = service.say_of_incident(&Reach::All, &made.id, say("identified"), author()).await.unwrap();
    assert_eq!(said.unwrap().updates.len(), 2, "it was opened elsewhere a moment ago");
    let said = other.service.say_of_incident(&Reach::All, &made.id, say("monitoring"), author()).await.unwrap();
    assert_eq!(said.unwrap().updates.len(), 3, "and the other knows what was said here");

    let monitor = app.parts().monitor.take().unwrap();
    let mut news = app.parts().store.news_of_others();
    let stop = watch::Sender::new(false);
    let looking = tokio::spawn(monitor.run(stop.subscribe()));
    let status = || service.incident(&Reach::All, &made.id).unwrap().status;
    let heard = async {
        while status() != "monitoring" {
            // The listener may not have stood yet when it was said.
            other.service.say_of_incident(&Reach::All, &made.id, say("monitoring"), author()).await.unwrap();
            let _ = tokio::time::timeout(Duration::from_secs(1), news.changed()).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), heard).await.expect("its clock stands still, and it hears of it");
    stop.send_replace(true);
    looking.await.unwrap();
}
