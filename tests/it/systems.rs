//! What comes back from Slack and PagerDuty, and the order in which they are told.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::{Client, StatusCode};
use serde_json::json;
use superops_sla::alert::life::{Act, Actor, How};
use superops_sla::answers::signatures::sign;
use superops_sla::config::ChannelKind;
use superops_sla::simulator::receivers::CaughtKind;
use superops_sla::store::alerts::{AlertRow, id_of};
use superops_sla::store::outbox::{Attempted, Outcome, UnderWay};
use superops_sla::ticket::TenantId;
use url::form_urlencoded;

use crate::support::{PAGERDUTY_SECRET, SLACK_SECRET, TestApp, minutes};

const TO_BOTH: &str = "[[alerts.steps]]\nafter = '0s'\nnotify = ['slack', 'pagerduty']\n\
                       [[alerts.steps]]\nafter = '1h'\nnotify = ['email:next@example.com']\n";

/// A service whose one ticket has just breached, told to Slack and PagerDuty; and where it is served.
async fn breached() -> (TestApp, String) {
    let mut app = TestApp::with_systems(TO_BOTH).await;
    let reach = app.serve().await;
    app.ticket(minutes(60));
    app.turn().await;
    app.wait(minutes(60) + TimeDelta::seconds(1)).await;
    (app, reach)
}

async fn alert(app: &mut TestApp) -> AlertRow {
    let acme = TenantId::parse("acme").unwrap();
    app.parts().store.alerts(&acme).await.unwrap().remove(0)
}

async fn held(app: &mut TestApp) -> Option<(String, &'static str)> {
    alert(app).await.life.held().map(|hold| (hold.by.clone(), hold.how.as_str()))
}

/// The acknowledgements that the audit log has.
async fn acknowledged(app: &TestApp) -> Vec<String> {
    let rows = "SELECT who || ' ' || what || ' from ' || origin FROM audit WHERE what LIKE 'acknowledged%' ORDER BY id";
    app.database.texts(rows).await
}

fn counted(app: &mut TestApp, hook: &str, outcome: &str) -> bool {
    let line = format!("hooks_total{{hook=\"{hook}\",outcome=\"{outcome}\"}}");
    app.parts().telemetry.render().contains(&line)
}

/// An event as PagerDuty sends it.
fn event(id: &str, kind: &str, agent: &str, incident: &str, at: DateTime<Utc>) -> String {
    json!({ "event": {
        "id": id, "event_type": kind, "resource_type": "incident", "occurred_at": at, "client": null,
        "agent": { "id": "PLH1HKV", "type": agent, "summary": "Mia Brandt" },
        "data": { "id": "PGR0VU2", "type": "incident", "status": "acknowledged", "incident_key": incident },
    }})
    .to_string()
}

async fn from_pagerduty(reach: &str, secret: &str, body: &str) -> StatusCode {
    let signature = sign(&secret.to_owned().into(), "v1", &[body.as_bytes()]);
    let request = Client::new().post(format!("{reach}/hooks/pagerduty")).header("X-PagerDuty-Signature", signature);
    request.body(body.to_owned()).send().await.unwrap().status()
}

/// The press of a button as Slack sends it.
fn press(button: &str, nth: u32) -> String {
    let payload = json!({
        "type": "block_actions", "user": { "id": "U2CERLKJA", "username": "mia", "name": "mia" },
        "actions": [{ "type": "button", "action_id": "acknowledge", "value": button, "action_ts": format!("15480426.{nth}") }],
    });
    form_urlencoded::Serializer::new(String::new()).append_pair("payload", &payload.to_string()).finish()
}

async fn from_slack(reach: &str, secret: &str, body: &str, at: DateTime<Utc>) -> StatusCode {
    let sent = at.timestamp().to_string();
    let signature = sign(&secret.to_owned().into(), "v0", &[b"v0:", sent.as_bytes(), b":", body.as_bytes()]);
    let request = Client::new().post(format!("{reach}/hooks/slack")).header("X-Slack-Signature", signature);
    let request = request.header("X-Slack-Request-Timestamp", sent).body(body.to_owned());
    request.send().await.unwrap().status()
}

/// What the button of the newest message in Slack gives back.
fn button(app: &TestApp) -> String {
    let newest = app.caught.newest_first(100).into_iter().find(|caught| caught.kind == CaughtKind::Slack).unwrap();
    newest.header("button").expect("an alert carries a button").to_owned()
}

#[tokio::test]
async fn who_acknowledges_an_incident_in_pagerduty_acknowledges_its_alert_once() {
    let (mut app, reach) = breached().await;
    let (key, now) = (alert(&mut app).await.key.to_string(), app.now());
    let body = event("01", "incident.acknowledged", "user_reference", &key, now);
    for _ in 0..2 {
        assert_eq!(from_pagerduty(&reach, PAGERDUTY_SECRET, &body).await, StatusCode::OK);
    }
    assert_eq!(held(&mut app).await, Some(("Mia Brandt".to_owned(), "pagerduty")));
    let audit = acknowledged(&app).await;
    assert_eq!(audit, [format!("Mia Brandt acknowledged alert {key} (in PagerDuty) from PagerDuty")]);
    assert!(counted(&mut app, "pagerduty", "acknowledged") && counted(&mut app, "pagerduty", "repeated"));

    app.heard();
    app.wait(minutes(20)).await;
    assert!(app.said().contains("slack #sla: *Acknowledged: resolution, by Mia Brandt at 10:00 UTC*"));
    // It has run out, and everybody was told again: a recorded call does not silence that.
    app.wait(minutes(11)).await;
    assert_eq!(held(&mut app).await, None);
    assert_eq!(from_pagerduty(&reach, PAGERDUTY_SECRET, &body).await, StatusCode::OK);
    let late = event("02", "incident.acknowledged", "user_reference", &key, now);
    assert_eq!(from_pagerduty(&reach, PAGERDUTY_SECRET, &late).await, StatusCode::OK);
    assert_eq!(held(&mut app).await, None);
    assert!(counted(&mut app, "pagerduty", "too_old"));
}

#[tokio::test]
async fn what_pagerduty_did_not_sign_or_no_person_did_changes_nothing() {
    let (mut app, reach) = breached().await;
    let (key, now) = (alert(&mut app).await.key.to_string(), app.now());
    let body = event("01", "incident.acknowledged", "user_reference", &key, now);
    assert_eq!(from_pagerduty(&reach, "another secret", &body).await, StatusCode::FORBIDDEN);
    let unsigned = Client::new().post(format!("{reach}/hooks/pagerduty")).body(body).send().await.unwrap();
    assert_eq!(unsigned.status(), StatusCode::FORBIDDEN);
    for (id, kind, agent, incident) in [
        ("1", "incident.acknowledged", "service_reference", key.as_str()),
        ("2", "incident.resolved", "user_reference", &key),
        ("3", "incident.acknowledged", "user_reference", "acme:41:resolution:0"),
    ] {
        let body = event(id, kind, agent, incident, now);
        assert_eq!(from_pagerduty(&reach, PAGERDUTY_SECRET, &body).await, StatusCode::OK);
    }
    for odd in ["", "{}", "[[[[", "{\"event\":{\"id\":1}}"] {
        assert_eq!(from_pagerduty(&reach, PAGERDUTY_SECRET, odd).await, StatusCode::OK, "{odd}");
    }
    assert_eq!((held(&mut app).await, acknowledged(&app).await), (None, Vec::new()));
    for outcome in ["forged", "ignored", "unknown_alert", "unreadable"] {
        assert!(counted(&mut app, "pagerduty", outcome), "{outcome}");
    }
}

#[tokio::test]
async fn the_button_in_slack_acknowledges_once_in_the_name_of_whoever_pressed_it() {
    let (mut app, reach) = breached().await;
    let (pressed, now) = (press(&button(&app), 1), app.now());
    for _ in 0..2 {
        assert_eq!(from_slack(&reach, SLACK_SECRET, &pressed, now).await, StatusCode::OK);
    }
    assert_eq!(held(&mut app).await, Some(("mia (U2CERLKJA)".to_owned(), "slack")));
    assert_eq!(acknowledged(&app).await.len(), 1);
    assert!(counted(&mut app, "slack", "acknowledged") && counted(&mut app, "slack", "repeated"));
    app.heard();
    app.settle().await;
    assert!(app.said().contains("slack #sla: *Acknowledged: resolution, by mia (U2CERLKJA) at 10:00 UTC*"));
}

#[tokio::test]
async fn what_slack_did_not_sign_just_now_changes_nothing() {
    let (mut app, reach) = breached().await;
    let (pressed, now) = (press(&button(&app), 1), app.now());
    assert_eq!(from_slack(&reach, "another secret", &pressed, now).await, StatusCode::FORBIDDEN);
    assert_eq!(from_slack(&reach, SLACK_SECRET, &pressed, now - minutes(6)).await, StatusCode::FORBIDDEN);
    assert_eq!(from_slack(&reach, SLACK_SECRET, &pressed, now + minutes(6)).await, StatusCode::FORBIDDEN);
    for odd in ["", "payload=", "payload=%7B%7D", &press("no such message", 2)] {
        assert_eq!(from_slack(&reach, SLACK_SECRET, odd, now).await, StatusCode::OK, "{odd}");
    }
    assert_eq!((held(&mut app).await, acknowledged(&app).await), (None, Vec::new()));
    for outcome in ["forged", "unknown_alert", "unreadable"] {
        assert!(counted(&mut app, "slack", outcome), "{outcome}");
    }
}

#[tokio::test]
async fn a_resolve_waits_for_its_trigger() {
    let mut app = TestApp::with_systems("[[alerts.steps]]\nafter = '0s'\nnotify = ['pagerduty']\n").await;
    app.ticket(minutes(5));
    app.turn().await;
    app.heard();
    app.clock.advance(minutes(5) + TimeDelta::seconds(1));
    app.evaluate().await;
    // The trigger is on its way, and slow.
    let (now, store, lease) = (app.now(), app.parts().store.clone(), TimeDelta::seconds(30));
    let rules = Arc::new(app.parts().config.alerts.noise.clone());
    let round = store.lease_due(ChannelKind::PagerDuty, 16, lease, &rules, &UnderWay::default(), now).await.unwrap();
    let [trigger] = round.leased.try_into().unwrap();
    let id = id_of(&trigger.notification.alert_key);
    let actor = Actor { name: "Mia".to_owned(), how: How::Api, origin: "127.0.0.1".to_owned(), note: None };
    store.act(&id, Act::Resolve, &actor, now).await.unwrap();
    for _ in 0..3 {
        app.dispatch().await;
        app.clock.advance(TimeDelta::seconds(1));
    }
    assert_eq!(app.said(), "", "the resolve has overtaken its trigger");
    let outcome = Outcome::Taken { provider_id: None };
    store.record_attempts(vec![Attempted { leased: trigger, outcome, at: app.now() }].into()).await.unwrap();
    app.clock.advance(TimeDelta::seconds(1));
    app.dispatch().await;
    assert!(app.said().starts_with("pagerduty resolve acme:"), "and then it follows");
}

const TO_ALL: &str = "[[alerts.steps]]\nafter = '0s'\nnotify = ['slack', 'teams', 'pagerduty', 'webhook', 'email:ann@example.com']\n\
     [[alerts.steps]]\nafter = '8h'\nnotify = ['email:next@example.com']\n";

/// How many messages came by each way since last asked, and what PagerDuty and the webhook were told.
fn told(app: &mut TestApp) -> (usize, String) {
    let said = app.said();
    let words = |line: &str| line.split_whitespace().take(2).collect::<Vec<_>>().join(" ");
    let systems = said.lines().filter(|line| line.starts_with("pagerduty") || line.starts_with("webhook")).map(words);
    (said.lines().count(), systems.collect::<Vec<_>>().join(", "))
}

#[tokio::test]
async fn systems_hear_that_a_breach_goes_on_after_a_pause_and_of_its_last_end() {
    let mut app = TestApp::with_systems(TO_ALL).await;
    let id = app.ticket(minutes(60));
    app.turn().await;
    app.wait(minutes(60) + TimeDelta::seconds(1)).await;
    app.heard();
    for _ in 0..2 {
        app.superops.change_status(&id, "On Hold");
        app.wait(minutes(5)).await;
        assert_eq!(told(&mut app), (4, "pagerduty resolve, webhook sla.alert.resolved".to_owned()));
        app.superops.change_status(&id, "Open");
        app.wait(minutes(5)).await;
        // Ann knows of it.
        assert_eq!(told(&mut app), (4, "pagerduty trigger, webhook sla.alert.breached".to_owned()));
        app.restart().await;
        app.wait(minutes(5)).await;
        assert_eq!(told(&mut app), (0, String::new()), "it is said once");
    }
    app.superops.change_status(&id, "Closed");
    app.wait(minutes(5)).await;
    assert_eq!(told(&mut app), (4, "pagerduty resolve, webhook sla.alert.resolved".to_owned()));
}

#[tokio::test]
async fn a_breach_that_somebody_holds_is_triggered_again_once_the_hold_has_ended() {
    let mut app = TestApp::with_systems(TO_ALL).await;
    let id = app.ticket(minutes(60));
    app.turn().await;
    app.wait(minutes(60) + TimeDelta::seconds(1)).await;
    let (alert, now, store) = (alert(&mut app).await, app.now(), app.parts().store.clone());
    let actor = Actor { name: "Mia".to_owned(), how: How::Api, origin: "127.0.0.1".to_owned(), note: None };
    store.act(&alert.key.id(), Act::Acknowledge, &actor, now).await.unwrap();
    app.superops.change_status(&id, "On Hold");
    app.wait(minutes(2)).await;
    // The resolve follows what was still to be said of the acknowledgement.
    app.wait(TimeDelta::seconds(1)).await;
    assert!(told(&mut app).1.contains("pagerduty resolve"));
    app.superops.change_status(&id, "Open");
    app.wait(minutes(2)).await;
    assert_eq!(told(&mut app), (0, String::new()), "Mia has it");
    app.wait(minutes(31)).await;
    assert!(told(&mut app).1.starts_with("pagerduty trigger, webhook sla.alert.breached"));
}

#[tokio::test]
async fn who_may_have_taken_a_bundle_hears_the_end_of_all_that_it_said() {
    let mut app = TestApp::with_systems("[[alerts.steps]]\nafter = '0s'\nnotify = ['slack']\n").await;
    let ids: Vec<_> = (0..10).map(|_| app.ticket(minutes(60))).collect();
    app.turn().await;
    app.clock.advance(minutes(60) + TimeDelta::seconds(1));
    app.sync().await;
    app.evaluate().await;
    let (now, store, lease) = (app.now(), app.parts().store.clone(), TimeDelta::seconds(30));
    let rules = Arc::new(app.parts().config.alerts.noise.clone());
    let round = store.lease_due(ChannelKind::Slack, 16, lease, &rules, &UnderWay::default(), now).await.unwrap();
    let what: Vec<_> = round.leased.iter().map(|one| one.notification.kind).collect();
    assert_eq!(what, ["bundle"]);
    let [both] = round.leased.try_into().unwrap();
    // Slack shows it, and its answer is lost.
    let (at, why) = (now + minutes(10), "no answer".to_owned());
    let outcome = Outcome::Again { at, why, unreported: 1, next_channel_too: false, next_step_too: false };
    store.record_attempts(vec![Attempted { leased: both, outcome, at: now }].into()).await.unwrap();
    ids.iter().for_each(|id| app.superops.change_status(id, "Closed"));
    app.wait(minutes(2)).await;
    insta::assert_snapshot!(app.said(), @"slack #sla: *Globex Corporation: 10 done*");
    app.wait(minutes(30)).await;
    assert_eq!(app.said(), "");
}
