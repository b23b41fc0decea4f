use std::sync::Arc;

use crate::sla::zone::Tz;

use super::*;
use crate::alert::Stage;
use crate::clock::ManualClock;
use crate::notify::link::LinkKey;
use crate::notify::{AlertFacts, Body, DigestFacts, DigestRow, TicketFacts};
use crate::simulator::receivers::{Caught, CaughtList, FORBIDDEN_TOPIC, HttpReply, NtfyCatcher};
use crate::ticket::ClockKind;

const KEY: &str = "a1b2c3d4e5f60718293a4b5c6d7e8f90";

struct Desk {
    ntfy: NtfyCatcher,
    caught: Arc<CaughtList>,
    clock: SharedClock,
}

impl Desk {
    async fn open() -> Self {
        let clock: SharedClock = Arc::new(ManualClock::at("2026-06-03T12:48:00Z".parse().unwrap()));
        let caught = CaughtList::new(9);
        let addr = "127.0.0.1:0".parse().unwrap();
        Self { ntfy: NtfyCatcher::start(addr, clock.clone(), caught.clone()).await.unwrap(), caught, clock }
    }

    fn notifier(&self, token: Option<&str>) -> NtfyNotifier {
        let base_url = self.ntfy.url();
        let ntfy = settings::Ntfy { base_url, token: token.map(Into::into), topics: Default::default() };
        let links = Some(("https://sla.example.com".to_owned(), LinkKey::new([7; 32])));
        let ways = Ways { links, ..Ways::default() };
        NtfyNotifier::new(&ntfy, self.clock.clone()).unwrap().offering(ways)
    }

    async fn send(&self, to: &str, body: Body) -> Result<Receipt, SendError> {
        self.notifier(Some("tk_1")).send(&message(to, body)).await
    }

    fn last(&self) -> Arc<Caught> {
        self.caught.newest_first(1).remove(0)
    }
}

fn message(to: &str, body: Body) -> Message {
    Message {
        key: KEY.to_owned(),
        thread: format!("acme:7:resolution:1:ntfy:{to}"),
        continues_thread: false,
        to: to.to_owned(),
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
        page_url: Some("https://sla.example.com/tickets/acme/7".to_owned()),
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
async fn an_alert_is_a_push_that_names_its_ticket_and_carries_a_button() {
    let desk = Desk::open().await;
    let receipt = desk.send("sla-mia", alert(Stage::Warning, "Mail server down")).await.unwrap();
    assert_eq!(receipt.id.as_deref(), Some("m00000000001"));
    let push = desk.last();
    assert_eq!((push.to.as_str(), push.header("priority")), ("sla-mia", Some("4")));
    assert!(push.subject.starts_with("At risk: 42 min left, resolution due"), "{}", push.subject);
    assert!(push.text.starts_with("060326-0007 Mail server down\n") && push.text.contains("Harbour Dental"));
    let button = push.header("button").unwrap();
    let token = button.strip_prefix("https://sla.example.com/a/").unwrap();
    let claim = LinkKey::new([7; 32]).verify(token, desk.clock.now()).unwrap();
    assert_eq!(claim.notification, KEY, "the button is the link of a mail");
}

#[tokio::test]
async fn the_worse_it_is_the_louder_it_is_said() {
    for (stage, priority) in [(Stage::Predicted, "3"), (Stage::Warning, "4"), (Stage::Breached, "5")] {
        let desk = Desk::open().await;
        desk.send("sla", alert(stage, "Mail")).await.unwrap();
        assert_eq!(desk.last().header("priority"), Some(priority), "{stage:?}");
    }
    let desk = Desk::open().await;
    desk.send("sla", Body::Test).await.unwrap();
    assert_eq!((desk.last().header("priority"), desk.last().header("button")), (Some("3"), None));
}

#[tokio::test]
async fn a_repeat_replaces_what_it_repeats() {
    let desk = Desk::open().await;
    desk.ntfy.reply(HttpReply::Body { taken: true, body: "<html>".to_owned() });
    let lost = desk.send("sla", alert(Stage::Breached, "Mail")).await;
    assert!(matches!(lost, Err(SendError::Unavailable { maybe_taken: true, .. })), "{lost:?}");
    desk.ntfy.reply(HttpReply::Accept);
    desk.send("sla", alert(Stage::Breached, "Mail")).await.unwrap();
    assert_eq!((desk.ntfy.asked(), desk.caught.total()), (2, 1));
}

#[tokio::test]
async fn whatever_a_ticket_is_called_it_is_one_push_within_the_limit() {
    let desk = Desk::open().await;
    for subject in ["🔥 down ".repeat(2_000), "a\r\nPriority: 1\n\u{202e}txt.exe".to_owned(), "\u{0}".to_owned()] {
        let desk = Desk::open().await;
        desk.send("sla", alert(Stage::Breached, &subject)).await.unwrap();
        assert!(!desk.last().text.contains(['\r', '\u{202e}', '\u{0}']), "{subject:?}");
    }
    let row = || DigestRow {
        working: None,
        ticket: ticket(&"🔥 down ".repeat(40)),
        clock: ClockKind::Resolution.into(),
        due: "2026-06-03T11:30:00Z".parse().unwrap(),
    };
    let rows = std::iter::repeat_with(row).take(40).collect();
    desk.send("sla", Body::Digest(DigestFacts { rows, more: 3, alerts: Vec::new() })).await.unwrap();
    let text = desk.last().text.clone();
    assert!(text.len() <= 4_096 && text.len() > 3_000 && text.ends_with('…'), "{} bytes", text.len());
}

#[tokio::test]
async fn answers_are_sorted_by_what_to_do_next() {
    let desk = Desk::open().await;
    let error = desk.notifier(None).send(&message("sla", Body::Test)).await.unwrap_err();
    assert!(matches!(error, SendError::Misconfigured { .. }), "{error}");
    let error = desk.send(FORBIDDEN_TOPIC, Body::Test).await.unwrap_err();
    assert!(matches!(error, SendError::Refused { .. }), "{error}");
    let cases = [
        (HttpReply::Status(400), "refused"),
        (HttpReply::Status(413), "refused"),
        (HttpReply::Status(401), "misconfigured"),
        (HttpReply::Status(404), "misconfigured"),
        (HttpReply::Status(503), "outage"),
        (HttpReply::Status(507), "outage"),
        (HttpReply::TooMany { retry_after: 7 }, "again"),
        (HttpReply::Redirect("http://127.0.0.1:9/".to_owned()), "misconfigured"),
        (HttpReply::Body { taken: false, body: "<html>".to_owned() }, "outage"),
        (HttpReply::Body { taken: true, body: r#"{"id": "x y\u0000"}"#.to_owned() }, "taken"),
    ];
    for (reply, expected) in cases {
        desk.ntfy.reply(reply.clone());
        let sorted = match desk.send("sla", Body::Test).await {
            Ok(_) => "taken",
            Err(SendError::Unavailable { outage: true, .. }) => "outage",
            Err(SendError::Unavailable { .. }) => "again",
            Err(SendError::Refused { .. }) => "refused",
            Err(SendError::Misconfigured { .. }) => "misconfigured",
        };
        assert_eq!(sorted, expected, "{reply:?}");
    }
}
