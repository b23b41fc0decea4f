use std::sync::Arc;

use crate::sla::zone::Tz;

use super::*;
use crate::alert::Closing;
use crate::clock::ManualClock;
use crate::notify::RecoveryFacts;
use crate::simulator::receivers::{CaughtList, HttpReply, PagerDutyCatcher};
use crate::ticket::ClockKind;

const KEY: &str = "0123456789abcdef0123456789abcdef";

struct Desk {
    pagerduty: PagerDutyCatcher,
    caught: Arc<CaughtList>,
    clock: SharedClock,
}

impl Desk {
    async fn open() -> Self {
        let clock: SharedClock = Arc::new(ManualClock::at("2026-06-03T12:48:00Z".parse().unwrap()));
        let caught = CaughtList::new(9);
        let addr = "127.0.0.1:0".parse().unwrap();
        Self { pagerduty: PagerDutyCatcher::start(addr, clock.clone(), caught.clone()).await.unwrap(), caught, clock }
    }

    async fn send(&self, key: &str, body: Body) -> Result<Receipt, SendError> {
        let pagerduty =
            settings::PagerDuty { routing_key: key.into(), base_url: self.pagerduty.url(), webhook_secret: None };
        PagerDutyNotifier::new(&pagerduty, self.clock.clone()).unwrap().send(&message(body)).await
    }

    /// Returns what came in, oldest first: action and incident.
    fn events(&self) -> Vec<String> {
        let mut events = self.caught.newest_first(9);
        events.reverse();
        events.iter().map(|event| format!("{} {}", event.subject, event.to)).collect()
    }
}

fn message(body: Body) -> Message {
    Message {
        key: "a1b2c3d4e5f60718293a4b5c6d7e8f90".to_owned(),
        thread: "acme:7:resolution:1:pagerduty".to_owned(),
        continues_thread: false,
        to: "pagerduty".to_owned(),
        to_name: None,
        timezone: Tz::UTC,
        body,
    }
}

fn ticket(subject: &str) -> TicketFacts {
    TicketFacts {
        tenant: None,
        id: "7".to_owned(),
        display_id: "060326-0007".to_owned(),
        subject: subject.to_owned(),
        client: Some("Harbour Dental".to_owned()),
        priority: Some("High".to_owned()),
        status: None,
        technician: None,
        group: None,
        sla: None,
        superops_url: Some("https://acme.superops.ai/#/tickets/7/ticket".to_owned()),
        page_url: None,
        service: None,
    }
}

fn alert(stage: Stage, subject: &str) -> Body {
    Body::Alert(AlertFacts {
        working: None,
        ticket: ticket(subject),
        clock: ClockKind::Resolution.into(),
        stage,
        due: "2026-06-03T13:30:00Z".parse().unwrap(),
        reasons: vec!["75 % of the time is used".to_owned()],
        step: 0,
        because: String::new(),
        hours: String::new(),
        advice: None,
    })
}

#[tokio::test]
async fn an_alert_opens_one_incident_and_its_end_resolves_that() {
    let desk = Desk::open().await;
    let recovery = RecoveryFacts {
        working: None,
        ticket: ticket("Mail server down"),
        clock: ClockKind::Resolution.into(),
        met_at: "2026-06-03T13:00:00Z".parse().unwrap(),
        due: "2026-06-03T13:30:00Z".parse().unwrap(),
        closing: Closing::Met,
    };
    desk.send(KEY, alert(Stage::Warning, "Mail server down")).await.unwrap();
    desk.send(KEY, alert(Stage::Breached, "Mail server down")).await.unwrap();
    let receipt = desk.send(KEY, Body::Recovery(recovery)).await.unwrap();
    assert_eq!(receipt.id.as_deref(), Some("acme:7:resolution:1"));
    insta::assert_snapshot!(desk.events().join("\n"), @r"
    trigger acme:7:resolution:1
    trigger acme:7:resolution:1
    resolve acme:7:resolution:1
    ");
    let severities: Vec<_> =
        desk.caught.newest_first(9).iter().map(|one| one.header("severity").unwrap_or_default().to_owned()).collect();
    assert_eq!(severities, ["", "critical", "warning"], "newest first");
}

#[tokio::test]
async fn a_test_wakes_nobody_for_long() {
    let desk = Desk::open().await;
    desk.send(KEY, Body::Test).await.unwrap();
    let actions: Vec<_> = desk.events().iter().map(|event| event.split(' ').next().unwrap().to_owned()).collect();
    assert_eq!(actions, ["trigger", "resolve"]);
}

#[tokio::test]
async fn a_subject_of_any_length_fits_the_summary() {
    let desk = Desk::open().await;
    desk.send(KEY, alert(Stage::Breached, &"🔥 down ".repeat(2000))).await.unwrap();
    assert!(desk.caught.newest_first(1)[0].text.chars().count() <= LONGEST_SUMMARY);
}

#[tokio::test]
async fn answers_are_sorted_by_what_to_do_next() {
    let desk = Desk::open().await;
    let error = desk.send("short", Body::Test).await.unwrap_err();
    assert!(matches!(error, SendError::Misconfigured { .. }), "{error}");
    let cases = [
        (HttpReply::Status(400), "refused"),
        (HttpReply::Status(403), "misconfigured"),
        (HttpReply::Status(404), "misconfigured"),
        (HttpReply::Status(503), "outage"),
        (HttpReply::TooMany { retry_after: 7 }, "again"),
        (HttpReply::Redirect("http://127.0.0.1:9/".to_owned()), "misconfigured"),
        (HttpReply::Body { taken: true, body: "<html>".to_owned() }, "taken"),
    ];
    for (reply, expected) in cases {
        desk.pagerduty.reply(reply.clone());
        let sorted = match desk.send(KEY, Body::Test).await {
            Ok(_) => "taken",
            Err(SendError::Unavailable { outage: true, .. }) => "outage",
            Err(SendError::Unavailable { .. }) => "again",
            Err(SendError::Refused { .. }) => "refused",
            Err(SendError::Misconfigured { .. }) => "misconfigured",
        };
        assert_eq!(sorted, expected, "{reply:?}");
    }
}
