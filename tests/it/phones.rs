//! What is known of phones: numbers that no text reaches, one code for many alerts, and how long a text is worth sending.

use reqwest::{Client, Method, StatusCode};
use serde_json::json;
use superops_sla::alert::life::State;
use superops_sla::service::Reach;
use superops_sla::service::alerts::{AlertPage, AlertQuery};
use superops_sla::simulator::receivers::{Caught, CaughtKind, DeliveryOutcome, Reports, SmsReply};
use superops_sla::store::tokens::Role;

use crate::life::{call, served, sign_in};
use crate::support::{TestApp, minutes};

const OWNER: &str = "+15005550101";
const TEXT_FIRST: &str = "[[alerts.steps]]\nafter = '0s'\nnotify = ['technician']\nchannels = ['sms']\n";
const GLOBEX: &str = "[tenants.globex]\nsubdomain = 'globex'\nregion = 'eu'\ntoken_env = 'TWILIO'\n";

/// Has `count` tickets warned of at once.
async fn warn_of(app: &mut TestApp, count: usize) {
    for _ in 0..count {
        app.ticket(minutes(60));
    }
    app.turn().await;
    app.wait(minutes(45)).await;
}

fn kinds(messages: &[std::sync::Arc<Caught>]) -> Vec<CaughtKind> {
    messages.iter().map(|one| one.kind).collect()
}

async fn alerts(app: &mut TestApp) -> AlertPage {
    let query = AlertQuery { state: Some("all".to_owned()), ..AlertQuery::default() };
    app.parts().service.alerts(&Reach::All, &query).await.unwrap()
}

/// With the owner's number marked, because the provider refused it or reported so later.
async fn marked(code: u32, by_report: bool) -> TestApp {
    let mut app = TestApp::with_replies(&format!("{TEXT_FIRST}{GLOBEX}")).await;
    app.parts().syncs.pop();
    app.serve().await;
    if by_report {
        app.sms.carrier(DeliveryOutcome::Undelivered(code), Reports::InOrder);
    } else {
        app.sms.reply(SmsReply::Code(code));
    }
    warn_of(&mut app, 1).await;
    app.sms.deliver().await;
    app.settle().await;
    assert_eq!(app.heard().last().map(|one| one.kind), Some(CaughtKind::Email), "{code}");
    app.sms.reply(SmsReply::Accept);
    app.sms.carrier(DeliveryOutcome::Delivered, Reports::InOrder);
    app
}

#[tokio::test]
async fn a_number_that_no_text_reaches_is_asked_once_and_then_passed_over() {
    for (code, by_report) in [(21211, false), (21614, false), (30005, true), (30006, true)] {
        let mut app = marked(code, by_report).await;
        warn_of(&mut app, 1).await;
        let told = app.heard();
        let by_mail = told.iter().filter(|one| one.kind == CaughtKind::Email).count();
        assert_eq!((by_mail, told.len()), (2, 2), "{code}: a breach and a warning, both without asking the provider");
        let days = if code == 30005 { 7 } else { 30 };
        app.clock.advance(chrono::TimeDelta::days(days));
        warn_of(&mut app, 1).await;
        assert!(kinds(&app.heard()).contains(&CaughtKind::Sms), "{code}: after {days} days it is tried again");
    }
}

#[tokio::test]
async fn a_phone_that_is_merely_off_is_texted_the_next_time() {
    let mut app = marked(30003, true).await;
    warn_of(&mut app, 1).await;
    assert_eq!(kinds(&app.heard()), [CaughtKind::Sms]);
}

#[tokio::test]
async fn who_is_not_texted_is_shown_and_an_admin_has_the_number_texted_again() {
    let mut app = marked(30006, true).await;
    let roles = [
        (Role::Viewer, None),
        (Role::Responder, Some("acme")),
        (Role::Admin, Some("globex")),
        (Role::Admin, Some("acme")),
    ];
    let (url, tokens) = served(&mut app, &roles).await;
    let list = format!("{url}/api/v1/no-texts");
    let (_, shown) = call(Method::GET, &list, &tokens[0], json!({})).await;
    let person = &shown["people"][0];
    assert_eq!(person["who"], "Mateo Alvarez");
    assert!(person["why"].as_str().unwrap().contains("landline") && !shown.to_string().contains("555"), "{shown}");
    assert_eq!(person["until"], "2026-12-23T09:45:00Z");
    assert_eq!(call(Method::GET, &list, &tokens[2], json!({})).await.1["people"], json!([]), "another tenant's");

    let page = async |token: &str, path: &str, method: Method| {
        let cookie = sign_in(&url, token).await;
        let client = Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        client
            .request(method, format!("{url}{path}"))
            .header("cookie", cookie)
            .header("sec-fetch-site", "same-origin")
            .send()
            .await
    };
    let html = page(&tokens[3], "/alerts", Method::GET).await.unwrap().text().await.unwrap();
    assert!(html.contains("Mateo Alvarez") && html.contains("Text again"), "{html}");
    let html = page(&tokens[1], "/alerts", Method::GET).await.unwrap().text().await.unwrap();
    assert!(html.contains("Mateo Alvarez") && !html.contains("Text again"), "{html}");

    let one = format!("{list}/{}", person["id"]);
    let clear = async |who: usize| call(Method::DELETE, &one, &tokens[who], json!({})).await.0;
    assert_eq!(clear(1).await, StatusCode::FORBIDDEN);
    assert_eq!(clear(2).await, StatusCode::NOT_FOUND);
    let button = format!("/alerts/no-texts/{}/clear", person["id"]);
    assert_eq!(page(&tokens[1], &button, Method::POST).await.unwrap().status(), StatusCode::FORBIDDEN);
    assert_eq!(page(&tokens[3], &button, Method::POST).await.unwrap().status(), StatusCode::SEE_OTHER);
    assert_eq!(clear(3).await, StatusCode::NOT_FOUND, "it is cleared already");
    warn_of(&mut app, 1).await;
    assert_eq!(kinds(&app.heard()), [CaughtKind::Sms]);
    let rows = "SELECT what FROM audit WHERE what LIKE '%number%' ORDER BY id";
    let audited = app.database.texts(rows).await;
    assert_eq!(
        audited,
        [
            "refuses the number of Mateo Alvarez with error 30006: not texted for 30 days",
            "allowed text messages to number 1 again"
        ]
    );
}

#[tokio::test]
async fn a_phone_that_writes_to_us_is_texted_again() {
    let mut app = marked(30005, true).await;
    app.sms.text_in("SM1", OWNER, "ack").await.unwrap();
    warn_of(&mut app, 1).await;
    assert_eq!(kinds(&app.heard()), [CaughtKind::Sms]);
}

#[tokio::test]
async fn one_code_acknowledges_all_that_a_text_told_of() {
    let mut app = TestApp::with_replies(TEXT_FIRST).await;
    app.serve().await;
    warn_of(&mut app, 14).await;
    let text = app.heard().remove(0).text.clone();
    assert!(text.contains("14 at risk") && text.contains("Reply 1a to ack all #"), "{text}");
    assert!(text.len() <= 160, "{text}");
    app.clock.advance(minutes(1));
    let (_, answer) = app.sms.text_in("SM1", OWNER, "1a").await.unwrap();
    assert!(answer.contains("Acknowledged: 14 alerts."), "{answer}");
    let page = alerts(&mut app).await;
    let held = |alert: &superops_sla::service::alerts::AlertView| {
        alert.state == State::Acknowledged && alert.hold.as_ref().is_some_and(|hold| hold.by == "Mateo Alvarez")
    };
    assert!(page.total == 14 && page.alerts.iter().all(held));
    let (_, again) = app.sms.text_in("SM2", OWNER, "ack").await.unwrap();
    assert!(again.contains("Nothing was changed"), "{again}");
}

#[tokio::test]
async fn a_text_that_is_reported_undelivered_can_be_answered_for_all_that_it_told_of() {
    let mut app = TestApp::with_replies(TEXT_FIRST).await;
    app.serve().await;
    app.sms.carrier(DeliveryOutcome::Undelivered(30003), Reports::InOrder);
    warn_of(&mut app, 14).await;
    app.sms.deliver().await;
    let (_, answer) = app.sms.text_in("SM1", OWNER, "1a").await.unwrap();
    assert!(answer.contains("Acknowledged: 14 alerts."), "{answer}");
    assert!(alerts(&mut app).await.alerts.iter().all(|alert| alert.state == State::Acknowledged));
}

#[tokio::test]
async fn what_the_provider_reports_of_a_text_is_shown_with_the_alert_and_with_each_that_a_text_told_of() {
    for count in [1, 14] {
        let mut app = TestApp::with_replies(TEXT_FIRST).await;
        app.serve().await;
        warn_of(&mut app, count).await;
        app.sms.deliver().await;
        let page = alerts(&mut app).await;
        let said: Vec<_> = page.alerts.iter().flat_map(|alert| &alert.notifications).collect();
        assert_eq!(said.len(), count);
        assert!(said.iter().all(|said| said.message.delivery.as_deref() == Some("delivered")), "{said:?}");
    }
}

#[tokio::test]
async fn a_text_is_worth_sending_until_the_next_step() {
    let steps = format!("{TEXT_FIRST}[[alerts.steps]]\nafter = '4m'\nnotify = ['manager']\n");
    for (more, expected) in [(steps.as_str(), "240"), (TEXT_FIRST, "600")] {
        let mut app = TestApp::with(more).await;
        warn_of(&mut app, 1).await;
        assert_eq!(app.heard()[0].header("ValidityPeriod"), Some(expected));
    }
}
