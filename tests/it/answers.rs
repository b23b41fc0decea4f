//! What comes back: clicks on links, replies by text message, and the SMS
//! provider's word on what was delivered.

use chrono::TimeDelta;
use reqwest::{Client, StatusCode};
use superops_sla::alert::life::State;
use superops_sla::simulator::receivers::{Caught, CaughtKind, DeliveryOutcome, Reports};
use superops_sla::store::alerts::AlertRow;
use superops_sla::ticket::TenantId;

use crate::support::{PUBLIC_URL, TestApp, minutes};

/// The owner's phone, and the manager's.
const OWNER: &str = "+15005550101";

/// A service whose one ticket has just breached, with what was said of it; and where it is served.
async fn breached() -> (TestApp, String) {
    let mut app = TestApp::with_replies("").await;
    let reach = app.serve().await;
    breach(&mut app).await;
    (app, reach)
}

async fn breach(app: &mut TestApp) {
    app.ticket(minutes(60));
    app.turn().await;
    app.wait(minutes(60) + TimeDelta::seconds(1)).await;
}

async fn alert(app: &mut TestApp) -> AlertRow {
    let acme = TenantId::parse("acme").unwrap();
    app.parts().store.alerts(&acme).await.unwrap().remove(0)
}

/// Who holds the alert and by which way, if anybody does.
async fn held(app: &mut TestApp) -> Option<(String, &'static str)> {
    alert(app).await.life.held().map(|hold| (hold.by.clone(), hold.how.as_str()))
}

/// The link to acknowledge by that a mail carries, as a path.
fn link(mail: &Caught) -> String {
    let url = mail.text.lines().find(|line| line.contains("/a/")).expect("an alert's mail carries a link");
    url.strip_prefix(PUBLIC_URL).unwrap().to_owned()
}

fn newest_mail(app: &TestApp) -> std::sync::Arc<Caught> {
    app.caught.newest_first(100).into_iter().find(|caught| caught.kind == CaughtKind::Email).unwrap()
}

async fn body(response: reqwest::Response) -> (StatusCode, String) {
    (response.status(), response.text().await.unwrap())
}

async fn get(url: &str) -> (StatusCode, String) {
    body(Client::new().get(url).send().await.unwrap()).await
}

async fn post(url: &str) -> (StatusCode, String) {
    body(Client::new().post(url).send().await.unwrap()).await
}

/// Who did what, as the audit log has it.
async fn audited(app: &TestApp) -> Vec<String> {
    app.database.texts("SELECT who || ' ' || what FROM audit ORDER BY id").await
}

#[tokio::test]
async fn opening_a_link_changes_nothing_and_its_button_acknowledges_once() {
    let (mut app, reach) = breached().await;
    let url = format!("{reach}{}", link(&newest_mail(&app)));
    for _ in 0..3 {
        let (status, page) = get(&url).await;
        assert_eq!(status, StatusCode::OK);
        assert!(page.contains("Breached, due 10:00 UTC") && page.contains("<button>Acknowledge"), "{page}");
        assert!(page.contains("Mail server") && page.contains("Globex"), "it names subject and client: {page}");
        assert!(!page.contains("mateo.alvarez@") && !page.contains(OWNER), "a link may be passed on: {page}");
    }
    assert_eq!(held(&mut app).await, None);

    let (status, page) = post(&url).await;
    assert!(status == StatusCode::OK && page.contains("Acknowledged by Mateo Alvarez"), "{page}");
    assert_eq!(held(&mut app).await, Some(("Mateo Alvarez".to_owned(), "link")));
    let (_, again) = post(&url).await;
    assert!(again.contains("Already acknowledged by Mateo Alvarez at 10:00 UTC by the link in a message."), "{again}");
    let seen = app.parts().store.highlights().await.unwrap();
    assert_eq!((seen.by_link, seen.by_text, seen.digests), (1, 0, 0));
    let acts: Vec<_> = audited(&app).await.into_iter().filter(|row| row.contains("acknowledged alert")).collect();
    assert_eq!(acts.len(), 1, "{acts:?}");

    app.heard();
    app.wait(minutes(20)).await;
    assert_eq!(app.said(), "", "nobody else is told of what somebody works on");
}

#[tokio::test]
async fn the_link_of_a_message_about_several_tickets_acknowledges_all_of_them_once() {
    let mut app = TestApp::with_replies("").await;
    let reach = app.serve().await;
    for _ in 0..5 {
        app.ticket(minutes(60));
    }
    app.turn().await;
    app.wait(minutes(60) + TimeDelta::seconds(1)).await;
    let mail = newest_mail(&app);
    assert!(mail.text.contains("Acknowledge all 5:"), "{}", mail.text);
    let url = format!("{reach}{}", link(&mail));
    let acme = TenantId::parse("acme").unwrap();
    for _ in 0..3 {
        let (status, page) = get(&url).await;
        assert!(status == StatusCode::OK && page.contains("<button>Acknowledge all</button>"), "{page}");
        assert!(page.contains("5 alerts") && page.matches("Globex Corporation: resolution").count() == 5, "{page}");
    }
    let untouched = app.parts().store.alerts(&acme).await.unwrap();
    assert!(untouched.iter().all(|alert| alert.state() == State::Open), "opening it changes nothing");

    let (_, page) = post(&url).await;
    assert!(page.contains("Acknowledged by Mateo Alvarez. Escalation paused until 10:30 UTC."), "{page}");
    let held = app.parts().store.alerts(&acme).await.unwrap();
    assert_eq!(held.len(), 5);
    assert!(held.iter().all(|alert| alert.state() == State::Acknowledged), "{held:?}");
    let (_, again) = post(&url).await;
    assert!(again.contains("Already acknowledged by Mateo Alvarez"), "{again}");
    let acts = audited(&app).await.into_iter().filter(|row| row.contains("acknowledged alert")).count();
    assert_eq!(acts, 5, "each has its own row in the audit log, once");
}

#[tokio::test]
async fn a_link_survives_a_restart_and_ends_after_a_day() {
    let (mut app, _) = breached().await;
    let path = link(&newest_mail(&app));
    app.restart().await;
    let reach = app.serve().await;
    assert_eq!(get(&format!("{reach}{path}")).await.0, StatusCode::OK);
    app.clock.advance(TimeDelta::hours(24));
    let (status, page) = post(&format!("{reach}{path}")).await;
    assert!(status == StatusCode::GONE && page.contains("expired"), "{status} {page}");
    assert_eq!(held(&mut app).await, None);
}

#[tokio::test]
async fn a_forged_link_opens_nothing() {
    let (mut app, reach) = breached().await;
    let path = link(&newest_mail(&app));
    for forged in
        ["/a/x".to_owned(), format!("{path}A"), path.replace("/a/", "/a/A"), path[..path.len() - 2].to_owned()]
    {
        assert_eq!(get(&format!("{reach}{forged}")).await.0, StatusCode::NOT_FOUND, "{forged}");
        assert_eq!(post(&format!("{reach}{forged}")).await.0, StatusCode::NOT_FOUND, "{forged}");
    }
    assert_eq!(held(&mut app).await, None);
}

#[tokio::test]
async fn a_link_that_was_used_does_not_acknowledge_what_has_come_up_again() {
    let (mut app, reach) = breached().await;
    let url = format!("{reach}{}", link(&newest_mail(&app)));
    post(&url).await;
    app.wait(minutes(31)).await;
    assert_eq!(alert(&mut app).await.state(), State::Open, "nothing happened on the ticket: it has run out");
    let (_, page) = post(&url).await;
    assert!(page.contains("works only once"), "{page}");
    assert_eq!(alert(&mut app).await.state(), State::Open);
}

#[tokio::test]
async fn a_text_says_how_to_answer_and_the_answer_acknowledges() {
    let (mut app, _) = breached().await;
    let text = app.caught.newest_first(9).into_iter().find(|caught| caught.kind == CaughtKind::Sms).unwrap();
    assert!(text.text.contains("Reply 1a to ack, 1c to stop alerts #"), "{}", text.text);
    let answer = app.sms.text_in("SM1", OWNER, " 1A. ").await.unwrap().1;
    insta::assert_snapshot!(answer, @r#"<?xml version="1.0" encoding="UTF-8"?><Response><Message>Acknowledged: 112326-0008 resolution. Escalation paused until 10:30 UTC.</Message></Response>"#);
    assert_eq!(held(&mut app).await, Some(("Mateo Alvarez".to_owned(), "sms")));
    let again = app.sms.text_in("SM2", OWNER, "ack").await.unwrap().1;
    insta::assert_snapshot!(again, @r#"<?xml version="1.0" encoding="UTF-8"?><Response><Message>Already acknowledged by Mateo Alvarez at 10:00 UTC: 112326-0008 resolution.</Message></Response>"#);
}

#[tokio::test]
async fn a_text_closes_the_alert() {
    let (mut app, _) = breached().await;
    let answer = app.sms.text_in("SM1", OWNER, "1c").await.unwrap().1;
    insta::assert_snapshot!(answer, @r#"<?xml version="1.0" encoding="UTF-8"?><Response><Message>Alerts stopped: 112326-0008 resolution. You hear no more unless it gets worse.</Message></Response>"#);
    assert_eq!(alert(&mut app).await.state(), State::Resolved);
    app.heard();
    app.wait(minutes(40)).await;
    assert!(!app.said().contains("BREACHED"), "it is over");
    let late = app.sms.text_in("SM2", OWNER, "1a").await.unwrap().1;
    insta::assert_snapshot!(late, @r#"<?xml version="1.0" encoding="UTF-8"?><Response><Message>Already ended: 112326-0008 resolution.</Message></Response>"#);
}

#[tokio::test]
async fn ack_alone_means_the_latest_alert_of_that_phone() {
    let (mut app, _) = breached().await;
    breach(&mut app).await;
    app.sms.text_in("SM1", OWNER, "ack").await.unwrap();
    let acme = TenantId::parse("acme").unwrap();
    let mut alerts = app.parts().store.alerts(&acme).await.unwrap();
    alerts.sort_by_key(|alert| alert.raised.due);
    let states: Vec<_> = alerts.iter().map(AlertRow::state).collect();
    assert_eq!(states, [State::Open, State::Acknowledged]);
}

#[tokio::test]
async fn a_reply_that_comes_twice_is_dealt_with_once_and_answered_alike() {
    let (mut app, _) = breached().await;
    let first = app.sms.text_in("SM1", OWNER, "1a").await.unwrap();
    app.wait(minutes(31)).await;
    assert_eq!(held(&mut app).await, None, "it has run out meanwhile");
    assert_eq!(app.sms.text_in("SM1", OWNER, "1a").await.unwrap(), first);
    assert_eq!(held(&mut app).await, None);
}

#[tokio::test]
async fn an_unknown_sender_gets_no_answer_and_a_known_one_acts_on_no_alert_but_his_own() {
    let (mut app, _) = breached().await;
    let (status, answer) = app.sms.text_in("SM1", "+15005559999", "1a").await.unwrap();
    assert_eq!(status, 200);
    assert!(answer.ends_with("<Response></Response>"), "{answer}");
    assert!(audited(&app).await.iter().any(|row| row.contains("an unknown number")));
    let (_, answer) = app.sms.text_in("SM2", "+15005550102", "1a").await.unwrap();
    insta::assert_snapshot!(answer, @r#"<?xml version="1.0" encoding="UTF-8"?><Response><Message>No alert has the code 1 on this phone. Reply with a code from a message, like 1a.</Message></Response>"#);
    let (_, answer) = app.sms.text_in("SM3", OWNER, "who is <this>?").await.unwrap();
    insta::assert_snapshot!(answer, @r#"<?xml version="1.0" encoding="UTF-8"?><Response><Message>Reply ACK for your latest alert, or the code in a message: 1a to ack, 1c to stop alerts. STOP ends text messages, START resumes them.</Message></Response>"#);
    assert_eq!(held(&mut app).await, None);
}

#[tokio::test]
async fn a_phone_that_said_stop_is_texted_no_more_until_it_says_start() {
    let (mut app, reach) = breached().await;
    let (_, answer) = app.sms.text_in("SM1", OWNER, "Stop").await.unwrap();
    assert!(answer.ends_with("<Response></Response>"), "after a STOP nothing may be sent: {answer}");
    app.heard();
    breach(&mut app).await;
    assert!(!app.said().contains(&format!("text {OWNER}")));
    let why: Vec<_> = app.outbox().await.into_iter().filter_map(|row| row.last_error).collect();
    assert_eq!(why, ["the recipient said STOP to text messages"]);
    let shown = stopped(&mut app, &reach).await;
    assert!(shown.contains("Mateo Alvarez") && !shown.contains("555"), "{shown}");

    app.sms.text_in("SM2", OWNER, "START").await.unwrap();
    breach(&mut app).await;
    assert!(app.said().contains(&format!("text {OWNER}")));
    assert_eq!(stopped(&mut app, &reach).await, r#"{"people":[]}"#);
}

#[tokio::test]
async fn a_phone_that_only_a_rotation_or_the_watch_names_may_say_stop_and_start() {
    let more = "[watch]\nnotify = ['sms:+15005550199']\n[on_call.duty]\ntimezone = 'Europe/London'\n\
                [[on_call.duty.layers]]\npeople = ['sms:+15005550160']\nstarts = '2026-01-05T09:00'\nevery = '1w'\n";
    let mut app = TestApp::with_replies(more).await;
    let reach = app.serve().await;
    for phone in ["+15005550199", "+15005550160"] {
        app.sms.text_in(&format!("SM1{phone}"), phone, "STOP").await.unwrap();
        assert!(stopped(&mut app, &reach).await.contains("said STOP"), "{phone}");
        app.sms.text_in(&format!("SM2{phone}"), phone, "START").await.unwrap();
        assert_eq!(stopped(&mut app, &reach).await, r#"{"people":[]}"#, "{phone}");
    }
}

async fn stopped(app: &mut TestApp, reach: &str) -> String {
    let token = crate::web::token(app, None).await;
    let response = Client::new().get(format!("{reach}/api/v1/no-texts")).bearer_auth(token).send().await.unwrap();
    response.text().await.unwrap()
}

#[tokio::test]
async fn forged_calls_are_refused_and_change_nothing() {
    let (mut app, reach) = breached().await;
    let key = app.outbox().await.into_iter().find(|row| row.leased.notification.channel.as_str() == "sms").unwrap();
    let key = key.leased.notification.message.key;
    let status = format!("{reach}/hooks/twilio/status?n={key}");
    let report = [
        ("MessageSid", "SM00000000000000000000000000000001"),
        ("MessageStatus", "undelivered"),
        ("ErrorCode", "30003"),
    ];
    let reply = [("MessageSid", "SM7"), ("From", OWNER), ("Body", "1a")];
    let outbox = app.states().await;
    for signature in [None, Some(""), Some("0/KCTR6DLpKmkAf8muzZqo1nDgQ="), Some("not base64")] {
        for (url, form) in [(&status, &report), (&format!("{reach}/hooks/twilio/sms"), &reply)] {
            let request = Client::new().post(url).form(form);
            let request =
                signature.into_iter().fold(request, |request, value| request.header("X-Twilio-Signature", value));
            assert_eq!(request.send().await.unwrap().status(), StatusCode::FORBIDDEN, "{url} {signature:?}");
        }
    }
    app.settle().await;
    assert_eq!(app.states().await, outbox);
    assert_eq!(held(&mut app).await, None);
    // Genuine, and meant for another address: the signature does not fit this one.
    let genuine = app.sms.text_in("SM7", OWNER, "1a").await.unwrap();
    assert_eq!(genuine.0, 200, "nothing of the forged one was remembered");
    assert!(held(&mut app).await.is_some());
}

/// Only the phone of the owner is told, and his mail if that fails.
const TEXT_FIRST: &str = "[[alerts.steps]]\nafter = \"0s\"\nnotify = [\"technician\"]\nchannels = [\"sms\"]\n";

#[tokio::test]
async fn what_was_not_delivered_is_said_by_mail_in_the_same_turn() {
    let mut app = TestApp::with_replies(TEXT_FIRST).await;
    app.serve().await;
    app.sms.carrier(DeliveryOutcome::Undelivered(30003), Reports::InOrder);
    breach(&mut app).await;
    let texts = app.said();
    assert!(texts.contains("text ") && !texts.contains("email"), "{texts}");
    assert_eq!(app.sms.deliver().await, [204; 3]);
    app.dispatch().await;
    insta::assert_snapshot!(app.said(), @"email mateo.alvarez@example.com: Just breached: resolution was due 10:00 UTC");
    let failed: Vec<_> = app.outbox().await.into_iter().filter_map(|row| row.last_error).collect();
    insta::assert_snapshot!(failed.join("\n"), @"taken, but not delivered: the SMS provider reported error `30003`; try another channel");
}

#[tokio::test]
async fn reports_that_come_five_fold_or_backwards_change_nothing_twice() {
    for reports in [Reports::FiveFold, Reports::Reversed] {
        for (outcome, mails) in [(DeliveryOutcome::Undelivered(30006), 1), (DeliveryOutcome::Delivered, 0)] {
            let mut app = TestApp::with_replies(TEXT_FIRST).await;
            app.serve().await;
            app.ticket(minutes(60));
            app.turn().await;
            app.wait(minutes(45)).await;
            app.sms.carrier(outcome, reports);
            app.heard();
            assert!(app.sms.deliver().await.iter().all(|status| *status == 204));
            app.settle().await;
            assert_eq!(app.heard().len(), mails, "{reports:?} {outcome:?}");
            let attempts: u32 = app.outbox().await.iter().map(|row| row.leased.attempt).sum();
            assert_eq!(attempts as usize, 1 + mails);
        }
    }
}

#[tokio::test]
async fn a_report_that_comes_before_the_answer_is_known_still_counts() {
    let mut app = TestApp::with_replies(TEXT_FIRST).await;
    app.serve().await;
    app.sms.carrier(DeliveryOutcome::Undelivered(30005), Reports::InOrder);
    app.ticket(minutes(60));
    app.turn().await;
    app.clock.advance(minutes(45));
    app.sync().await;
    app.evaluate().await;
    app.crash_while_sending().await;
    app.resume().await;
    app.serve().await;
    assert_eq!(app.sms.deliver().await, [204; 3], "the row is still leased");
    app.heard();
    app.wait(TimeDelta::seconds(31)).await;
    insta::assert_snapshot!(app.said(), @"email mateo.alvarez@example.com: At risk: 14 min left, resolution due 10:00 UTC");
}

#[tokio::test]
async fn a_message_that_stays_silent_is_asked_about_and_said_by_mail_if_lost() {
    let mut app = TestApp::with_replies(TEXT_FIRST).await;
    app.sms.carrier(DeliveryOutcome::Undelivered(30003), Reports::Never);
    app.ticket(minutes(60));
    app.turn().await;
    app.wait(minutes(45)).await;
    app.sms.deliver().await;
    app.heard();
    app.clock.advance(minutes(2) - TimeDelta::seconds(1));
    app.ask_for_receipts().await;
    app.dispatch().await;
    assert_eq!(app.said(), "", "not silent for long enough");
    app.clock.advance(TimeDelta::seconds(1));
    app.ask_for_receipts().await;
    app.dispatch().await;
    insta::assert_snapshot!(app.said(), @"email mateo.alvarez@example.com: At risk: 13 min left, resolution due 10:00 UTC");
}

#[tokio::test]
async fn a_message_that_nobody_hears_of_is_asked_about_a_few_times_and_then_no_more() {
    let mut app = TestApp::with_replies(TEXT_FIRST).await;
    app.ticket(minutes(60));
    app.turn().await;
    app.wait(minutes(45)).await;
    let mut asked = Vec::new();
    for minute in 0..120 {
        let before = app.parts().store.next_silent().await.unwrap();
        app.ask_for_receipts().await;
        if app.parts().store.next_silent().await.unwrap() != before {
            asked.push(minute);
        }
        app.clock.advance(minutes(1));
    }
    assert_eq!(asked, [2, 6, 14, 30]);
}

#[tokio::test]
async fn without_a_public_address_hooks_and_links_are_off() {
    let mut app = TestApp::start().await;
    app.resume_without_public_url().await;
    let reach = app.serve().await;
    breach(&mut app).await;
    assert!(!newest_mail(&app).text.contains("/a/"));
    for path in ["/hooks/twilio/status", "/hooks/twilio/sms"] {
        assert_eq!(post(&format!("{reach}{path}")).await.0, StatusCode::NOT_FOUND);
    }
}
