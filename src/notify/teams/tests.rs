use std::sync::Arc;

use crate::sla::zone::Tz;

use super::*;
use crate::alert::{Closing, Stage};
use crate::clock::ManualClock;
use crate::notify::link::LinkKey;
use crate::notify::{AlertFacts, Body, DigestFacts, DigestRow, RecoveryFacts, TicketFacts};
use crate::simulator::receivers::{Caught, CaughtList, HttpReply, TeamsCatcher};
use crate::ticket::ClockKind;

struct Desk {
    teams: TeamsCatcher,
    caught: Arc<CaughtList>,
    clock: SharedClock,
}

impl Desk {
    async fn open() -> Self {
        let clock: SharedClock = Arc::new(ManualClock::at("2026-06-03T12:48:00Z".parse().unwrap()));
        let caught = CaughtList::new(9);
        let addr = "127.0.0.1:0".parse().unwrap();
        Self { teams: TeamsCatcher::start(addr, clock.clone(), caught.clone()).await.unwrap(), caught, clock }
    }

    async fn send(&self, message: &Message) -> Result<Receipt, SendError> {
        let teams = settings::Teams { webhook_url: self.teams.url().into() };
        let links = Some(("https://sla.example.com".to_owned(), LinkKey::new([7; 32])));
        let ways = Ways { links, ..Ways::default() };
        TeamsNotifier::new(&teams, self.clock.clone()).unwrap().offering(ways).send(message).await
    }

    fn last(&self) -> Arc<Caught> {
        self.caught.newest_first(1).remove(0)
    }
}

fn message(body: Body) -> Message {
    Message {
        key: "a1b2c3d4e5f60718293a4b5c6d7e8f90".to_owned(),
        thread: "acme:7:resolution:1:teams".to_owned(),
        continues_thread: false,
        to: "teams".to_owned(),
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

fn alert(subject: &str) -> Message {
    message(Body::Alert(AlertFacts {
        working: None,
        ticket: ticket(subject),
        clock: ClockKind::Resolution.into(),
        stage: Stage::Breached,
        due: "2026-06-03T12:30:00Z".parse().unwrap(),
        reasons: vec!["it was due".to_owned()],
        step: 0,
        because: "the escalation steps name this channel".to_owned(),
        hours: String::new(),
        advice: None,
    }))
}

#[tokio::test]
async fn a_breach_is_a_card_with_a_button_that_leads_to_the_page_of_a_mail() {
    let desk = Desk::open().await;
    assert_eq!(desk.send(&alert("Mail server down")).await, Ok(Receipt { id: None }));
    let card = desk.last();
    assert!(card.text.contains("\n060326-0007 Mail server down\n"), "{}", card.text);
    assert!(card.text.contains("Harbour Dental") && card.text.starts_with("Breached: 18 min over"), "{}", card.text);
    let token = card.header("button").unwrap().strip_prefix("https://sla.example.com/a/").unwrap();
    assert!(LinkKey::new([7; 32]).verify(token, desk.clock.now()).is_ok());
}

#[tokio::test]
async fn what_becomes_of_an_alert_names_its_first_card() {
    let desk = Desk::open().await;
    desk.send(&alert("Mail server down")).await.unwrap();
    let first = desk.last().text.lines().last().unwrap().to_owned();
    let mark = first.strip_prefix("Alert ").unwrap();
    let recovery = RecoveryFacts {
        working: None,
        ticket: ticket("Mail server down"),
        clock: ClockKind::Resolution.into(),
        met_at: "2026-06-03T12:40:00Z".parse().unwrap(),
        due: "2026-06-03T12:30:00Z".parse().unwrap(),
        closing: Closing::ClosedLate,
    };
    let end = Message { continues_thread: true, ..message(Body::Recovery(recovery)) };
    desk.send(&end).await.unwrap();
    let last = desk.last().text.lines().last().unwrap().to_owned();
    assert!(last.starts_with(&format!("Alert {mark} is over.")), "{last}");
    assert_eq!(desk.last().header("button"), None, "there is nothing left to acknowledge");
}

#[tokio::test]
async fn hostile_words_are_shown_as_they_are_and_call_nobody() {
    let desk = Desk::open().await;
    let hostile = "<at>everyone</at> [pay](https://evil.example) **x** {{DATE(2026-01-01T00:00:00Z)}} \u{202e}\"}],";
    desk.send(&alert(hostile)).await.unwrap();
    let text = desk.last().text.clone();
    assert!(text.contains("<at>everyone</at> [pay](https://evil.example) **x** { {DATE("), "{text}");
    assert!(!text.contains('\u{202e}'));
    let card = render::card(&alert(hostile), None, desk.clock.now());
    let card = &card["attachments"][0]["content"];
    assert!(card["msteams"]["entities"].is_null(), "without an entity nobody is mentioned");
    assert!(!card.to_string().contains("\"TextBlock\""), "only a text block knows Markdown");
}

#[tokio::test]
async fn a_list_of_any_length_fits_the_limit() {
    let desk = Desk::open().await;
    let row = |subject: &str| DigestRow {
        working: None,
        ticket: ticket(subject),
        clock: ClockKind::Resolution.into(),
        due: "2026-06-03T11:30:00Z".parse().unwrap(),
    };
    for subject in ["Mail server down ".repeat(40), "🔥".repeat(400), "\u{4e2d}".repeat(400)] {
        let rows = std::iter::repeat_with(|| row(&subject)).take(40).collect();
        desk.send(&message(Body::Digest(DigestFacts { rows, more: 3, alerts: Vec::new() }))).await.unwrap();
        let card = render::card(
            &message(Body::Digest(DigestFacts { rows: vec![row(&subject); 40], more: 3, alerts: Vec::new() })),
            None,
            desk.clock.now(),
        );
        assert!(2 * card.to_string().encode_utf16().count() < 28 * 1024, "however it is counted");
        assert!(desk.last().text.contains("more than fits"), "{}", desk.last().text.len());
    }
}

#[tokio::test]
async fn answers_are_sorted_by_what_to_do_next() {
    let desk = Desk::open().await;
    let cases = [
        (HttpReply::Status(200), "taken"),
        (HttpReply::Status(400), "refused"),
        (HttpReply::Status(413), "refused"),
        (HttpReply::Status(401), "misconfigured"),
        (HttpReply::Status(403), "misconfigured"),
        (HttpReply::Status(404), "misconfigured"),
        (HttpReply::Status(410), "misconfigured"),
        (HttpReply::Status(502), "outage"),
        (HttpReply::TooMany { retry_after: 7 }, "again in 7 s"),
        (HttpReply::Redirect("http://127.0.0.1:9/".to_owned()), "misconfigured"),
    ];
    for (reply, expected) in cases {
        desk.teams.reply(reply.clone());
        let sorted = match desk.send(&message(Body::Test)).await {
            Ok(_) => "taken",
            Err(SendError::Unavailable { outage: true, .. }) => "outage",
            Err(SendError::Unavailable { retry_after: Some(wait), .. }) if wait.as_secs() == 7 => "again in 7 s",
            Err(SendError::Unavailable { .. }) => "again",
            Err(SendError::Refused { reason }) => {
                assert!(!reason.contains("s3cret"), "{reason}");
                "refused"
            }
            Err(SendError::Misconfigured { reason }) => {
                assert!(!reason.contains("s3cret"), "{reason}");
                "misconfigured"
            }
        };
        assert_eq!(sorted, expected, "{reply:?}");
    }
}
