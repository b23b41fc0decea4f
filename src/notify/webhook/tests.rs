use std::sync::Arc;

use serde_json::Value;

use super::*;
use crate::alert::Stage;
use crate::clock::ManualClock;
use crate::notify::{AlertFacts, Body, DigestFacts, DigestRow, TicketFacts};
use crate::simulator::receivers::{CaughtList, HttpReply, WEBHOOK_SECRET, WebhookCatcher};
use crate::sla::zone::Tz;
use crate::ticket::ClockKind;

struct Desk {
    receiver: WebhookCatcher,
    caught: Arc<CaughtList>,
    clock: ManualClock,
}

impl Desk {
    async fn open() -> Self {
        let clock = ManualClock::at("2026-06-03T12:48:00Z".parse().unwrap());
        let caught = CaughtList::new(9);
        let addr = "127.0.0.1:0".parse().unwrap();
        let receiver = WebhookCatcher::start(addr, Arc::new(clock.clone()), caught.clone()).await.unwrap();
        Self { receiver, caught, clock }
    }

    fn notifier(&self, secret: &str) -> WebhookNotifier {
        let webhook = settings::Webhook { url: self.receiver.url(), secret: secret.into() };
        WebhookNotifier::new(&webhook, Arc::new(self.clock.clone())).unwrap()
    }
}

fn message(body: Body) -> Message {
    Message {
        key: "a1b2c3d4e5f60718293a4b5c6d7e8f90".to_owned(),
        thread: "acme:7:resolution:1:webhook".to_owned(),
        continues_thread: false,
        to: "webhook".to_owned(),
        to_name: None,
        timezone: Tz::UTC,
        body,
    }
}

fn ticket(text: &str) -> TicketFacts {
    let some = || Some(text.to_owned());
    TicketFacts {
        tenant: None,
        id: "7".to_owned(),
        display_id: "060326-0007".to_owned(),
        subject: text.to_owned(),
        client: some(),
        priority: some(),
        status: some(),
        technician: some(),
        group: some(),
        sla: some(),
        superops_url: Some("https://acme.superops.ai/#/tickets/7/ticket".to_owned()),
        page_url: Some("javascript:alert(1)".to_owned()),
        service: None,
    }
}

fn alert(text: &str) -> Body {
    Body::Alert(AlertFacts {
        working: None,
        ticket: ticket(text),
        clock: ClockKind::Resolution.into(),
        stage: Stage::Breached,
        due: "2026-06-03T12:30:00Z".parse().unwrap(),
        reasons: vec![text.to_owned(); 30],
        step: 1,
        because: String::new(),
        hours: text.to_owned(),
        advice: None,
    })
}

#[test]
fn the_signature_is_that_of_standard_webhooks() {
    let at = DateTime::from_timestamp(1_614_265_330, 0).unwrap();
    for secret in ["MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"] {
        let signature = signature(&secret.into(), "msg_p5jXN8AQM9LWM0D4loKWxJek", at, br#"{"test": 2432232314}"#);
        assert_eq!(signature.as_deref(), Some("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="));
    }
}

#[test]
fn a_secret_that_is_too_short_or_no_base64_is_none() {
    for bad in ["", "whsec_", "hunter2", "c2hvcnQ=", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS!"] {
        assert!(signing_key(&bad.into()).is_none(), "{bad}");
    }
}

#[tokio::test]
async fn a_message_arrives_signed_and_says_what_it_is() {
    let desk = Desk::open().await;
    desk.notifier(WEBHOOK_SECRET).send(&message(alert("Mail server down"))).await.unwrap();
    let caught = desk.caught.newest_first(1).remove(0);
    assert_eq!(caught.header("webhook-id"), Some("a1b2c3d4e5f60718293a4b5c6d7e8f90"));
    let event: Value = serde_json::from_str(&caught.text).unwrap();
    let data = &event["data"];
    assert_eq!((event["type"].as_str(), event["version"].as_u64()), (Some("sla.alert.breached"), Some(1)));
    assert_eq!(data["alert_key"], "acme:7:resolution:1");
    assert_eq!(data["alert_id"].as_str().map(str::len), Some(20));
    assert_eq!(
        (&data["tenant"], &data["clock"], &data["stage"]),
        (&"acme".into(), &"resolution".into(), &"breached".into())
    );
    assert_eq!((&data["seconds_left"], &data["working_seconds_left"]), (&(-1080).into(), &(-1080).into()));
    assert_eq!(data["ticket"]["page_url"], Value::Null, "no address that a browser would run");
}

#[tokio::test]
async fn a_repeat_is_known_by_its_id_and_signed_anew() {
    let desk = Desk::open().await;
    let notifier = desk.notifier(WEBHOOK_SECRET);
    notifier.send(&message(Body::Test)).await.unwrap();
    desk.clock.advance(chrono::TimeDelta::hours(2));
    notifier.send(&message(Body::Test)).await.unwrap();
    assert_eq!((desk.receiver.asked(), desk.caught.total()), (2, 1));
}

#[tokio::test]
async fn another_secret_is_refused_as_a_matter_for_the_operator() {
    let desk = Desk::open().await;
    let error = desk.notifier("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA").send(&message(Body::Test)).await.unwrap_err();
    assert!(matches!(error, SendError::Misconfigured { .. }), "{error}");
}

#[test]
fn no_body_reaches_twenty_kilobytes() {
    let now = "2026-06-03T12:48:00Z".parse().unwrap();
    let hostile = "\"\\🔥".repeat(4000);
    let row = DigestRow { ticket: ticket(&hostile), clock: ClockKind::Resolution.into(), due: now, working: None };
    let digest = Body::Digest(DigestFacts { rows: vec![row; 40], more: 2, alerts: Vec::new() });
    for body in [alert(&hostile), digest] {
        let bytes = event::body(&message(body), now);
        assert!(bytes.len() < 20_000, "{}", bytes.len());
        let event: Value = serde_json::from_slice(&bytes).unwrap();
        let data = &event["data"];
        if let Some(rows) = data["rows"].as_array() {
            assert_eq!(rows.len() as u64 + data["more"].as_u64().unwrap(), 42, "none is lost");
        }
    }
}

#[tokio::test]
async fn after_410_nothing_more_is_sent() {
    let desk = Desk::open().await;
    let notifier = desk.notifier(WEBHOOK_SECRET);
    desk.receiver.reply(HttpReply::Status(410));
    for _ in 0..3 {
        assert!(matches!(notifier.send(&message(Body::Test)).await, Err(SendError::Misconfigured { .. })));
    }
    assert_eq!(desk.receiver.asked(), 1);
}

#[tokio::test]
async fn answers_are_sorted_by_what_to_do_next() {
    let desk = Desk::open().await;
    let elsewhere = Desk::open().await;
    let notifier = desk.notifier(WEBHOOK_SECRET);
    let cases = [
        (HttpReply::Status(500), "outage"),
        (HttpReply::Status(503), "outage"),
        (HttpReply::TooMany { retry_after: 7 }, "again"),
        (HttpReply::Status(400), "refused"),
        (HttpReply::Status(404), "misconfigured"),
        (HttpReply::Redirect(elsewhere.receiver.url()), "misconfigured"),
        (HttpReply::Body { taken: true, body: "<html>".repeat(20_000) }, "taken"),
    ];
    for (reply, expected) in cases {
        desk.receiver.reply(reply.clone());
        let sorted = match notifier.send(&message(Body::Test)).await {
            Ok(_) => "taken",
            Err(SendError::Unavailable { outage: true, .. }) => "outage",
            Err(SendError::Unavailable { .. }) => "again",
            Err(SendError::Refused { .. }) => "refused",
            Err(SendError::Misconfigured { .. }) => "misconfigured",
        };
        assert_eq!(sorted, expected, "{expected}");
    }
    assert_eq!(elsewhere.receiver.asked(), 0, "a redirect is not followed");
}

#[tokio::test]
async fn nobody_there_is_an_outage() {
    let webhook = settings::Webhook { url: "http://127.0.0.1:9/hook".to_owned(), secret: WEBHOOK_SECRET.into() };
    let clock = ManualClock::at("2026-06-03T12:48:00Z".parse().unwrap());
    let notifier = WebhookNotifier::new(&webhook, Arc::new(clock)).unwrap();
    let error = notifier.send(&message(Body::Test)).await.unwrap_err();
    assert_eq!(error, SendError::unreached("no connection to the webhook"));
}
