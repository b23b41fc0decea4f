//! Pushes to phones: who gets which, and what their button does.

use chrono::TimeDelta;
use reqwest::Client;
use superops_sla::simulator::NewTicket;
use superops_sla::simulator::receivers::{CaughtKind, HttpReply};

use crate::support::{PUBLIC_URL, TestApp, minutes, usual};

const MATEOS: &str = "[notify.ntfy.topics]\n\"Mateo.Alvarez@example.com\" = 'sla-mateo'\n";
const TO_A_TOPIC: &str = "[[alerts.steps]]\nafter = '0s'\nnotify = ['ntfy:sla-night']\n";
const BY_PUSH: &str = "[[alerts.steps]]\nafter = '0s'\nnotify = ['technician']\nchannels = ['ntfy']\n\
                       [notify.ntfy.topics]\n\"mateo.alvarez@example.com\" = 'sla-mateo'\n";

/// With one ticket that has just breached; what it said before is forgotten.
async fn breached(more: &str) -> TestApp {
    let mut app = TestApp::with_systems(more).await;
    app.ticket(minutes(60));
    app.turn().await;
    app.heard();
    app.clock.advance(minutes(60) + TimeDelta::seconds(1));
    app
}

#[tokio::test]
async fn a_technician_with_a_topic_hears_of_a_breach_by_push_as_well() {
    let mut app = breached(&format!("{MATEOS}[[alerts.steps]]\nafter = '0s'\nnotify = ['technician']\n")).await;
    app.turn().await;
    insta::assert_snapshot!(app.said());
}

#[tokio::test]
async fn a_topic_that_a_step_names_hears_of_everything_and_of_its_end() {
    let mut app = TestApp::with_systems(TO_A_TOPIC).await;
    let id = app.ticket(TimeDelta::hours(8));
    app.turn().await;
    app.wait(TimeDelta::hours(6)).await;
    assert!(app.said().starts_with("push sla-night: At risk: 2 h left, resolution due"));
    app.superops.change_status(&id, "Resolved");
    app.wait(minutes(1)).await;
    let said = app.said();
    assert!(said.starts_with("push sla-night: OK: resolved"), "{said}");
}

#[tokio::test]
async fn the_button_of_a_push_acknowledges_its_alert_once() {
    let mut app = breached(TO_A_TOPIC).await;
    let reach = app.serve().await;
    app.turn().await;
    let push = app.heard().remove(0);
    let url = push.header("button").unwrap().replace(PUBLIC_URL, &reach);
    for _ in 0..2 {
        assert!(Client::new().post(&url).send().await.unwrap().status().is_success());
    }
    let acme = superops_sla::ticket::TenantId::parse("acme").unwrap();
    let alert = app.parts().store.alerts(&acme).await.unwrap().remove(0);
    let hold = alert.life.held().unwrap();
    assert_eq!((hold.by.as_str(), hold.how.as_str(), alert.life.acts), ("a shared push topic", "link", 1));
    let forged = format!("{reach}/a/{}", "A".repeat(75));
    assert_eq!(Client::new().post(forged).send().await.unwrap().status(), 404);
}

#[tokio::test]
async fn a_push_that_left_before_the_crash_is_shown_once() {
    let mut app = breached(TO_A_TOPIC).await;
    app.sync().await;
    app.evaluate().await;
    app.ntfy.reply(HttpReply::Hang { taken: true });
    app.crash_while_sending().await;
    app.ntfy.reply(HttpReply::Accept);
    app.resume().await;
    app.wait(TimeDelta::seconds(31)).await;
    assert_eq!((app.ntfy.asked(), app.heard().len()), (2, 1), "the app replaces what it shows already");
    assert!(app.outbox().await.iter().all(|row| row.state == "sent" || row.state == "cancelled"));
}

#[tokio::test]
async fn many_breaches_are_one_push() {
    let mut app = TestApp::with_systems(BY_PUSH).await;
    for _ in 0..12 {
        app.superops.add(NewTicket { resolution_due_in: Some(minutes(5)), ..usual() });
    }
    app.turn().await;
    app.heard();
    app.wait(minutes(5) + TimeDelta::seconds(1)).await;
    let heard = app.heard();
    assert_eq!(heard.len(), 1, "{}", heard.len());
    assert_eq!((heard[0].kind, heard[0].header("priority")), (CaughtKind::Ntfy, Some("5")));
    assert!(heard[0].subject.contains("12 "), "{}", heard[0].subject);
}

#[tokio::test]
async fn a_topic_that_refuses_sends_its_person_a_mail_at_once() {
    let mut app = breached(BY_PUSH).await;
    app.ntfy.reply(HttpReply::Status(413));
    app.turn().await;
    let heard = app.heard();
    assert_eq!((heard.len(), heard[0].kind, app.ntfy.asked()), (1, CaughtKind::Email, 1));
}
