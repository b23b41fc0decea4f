use std::sync::Arc;

use async_trait::async_trait;
use chrono::TimeDelta;

use super::*;
use crate::clock::{ManualClock, SharedClock};
use crate::notify::Body;
use crate::notify::ways::{Line, Offer, Phones};
use crate::simulator::receivers::{Callee, CaughtList, Reports, SmsCatcher, SmsReply};
use crate::sla::zone::Tz;

struct Desk {
    twilio: SmsCatcher,
    caught: Arc<CaughtList>,
    clock: ManualClock,
}

/// A store that knows of these calls, and of one report.
#[derive(Default)]
struct Known {
    calls: Vec<&'static str>,
    reported: Option<&'static str>,
    /// Another call to the number is in doubt as well.
    crowded: bool,
}

#[async_trait]
impl Phones for Known {
    async fn line(&self, _: &str, _: &Message, _: DateTime<Utc>) -> Line {
        Line::Open(Offer::default())
    }

    async fn refused(&self, _: &str, _: &Message, _: u32, _: DateTime<Utc>) {}

    async fn reported(&self, _: &Message) -> Option<String> {
        self.reported.map(str::to_owned)
    }

    async fn is_recorded(&self, id: &str) -> bool {
        self.calls.contains(&id)
    }

    async fn is_only_doubt(&self, _: &Message) -> bool {
        !self.crowded
    }
}

impl Desk {
    async fn open() -> Self {
        let clock = ManualClock::at("2026-06-03T12:48:00Z".parse().unwrap());
        let caught = CaughtList::new(9);
        let addr = "127.0.0.1:0".parse().unwrap();
        let twilio = SmsCatcher::start(addr, Arc::new(clock.clone()), caught.clone()).await.unwrap();
        Self { twilio, caught, clock }
    }

    fn notifier(&self, known: Known) -> VoiceNotifier {
        let account = settings::Twilio {
            account_sid: "AC01".to_owned(),
            api_key_sid: None,
            secret: "hunter2".into(),
            base_url: self.twilio.url(),
            hook_tokens: Vec::new(),
        };
        let voice = settings::Voice { account, from: "+15005550006".to_owned(), language: "en-GB".to_owned() };
        let clock: SharedClock = Arc::new(self.clock.clone());
        let ways = Ways {
            phones: Some(Arc::new(known)),
            status_url: Some("https://sla.example.com/hooks/twilio/status".to_owned()),
            keys_url: Some("https://sla.example.com/hooks/twilio/voice".to_owned()),
            ..Ways::default()
        };
        VoiceNotifier::new(&voice, clock).unwrap().offering(ways)
    }

    async fn call(&self) -> Result<Receipt, SendError> {
        self.notifier(Known::default()).send(&message()).await
    }
}

fn message() -> Message {
    Message {
        key: "a1b2c3d4e5f60718293a4b5c6d7e8f90".to_owned(),
        thread: "test".to_owned(),
        continues_thread: false,
        to: "+1 (500) 555-0101".to_owned(),
        to_name: None,
        timezone: Tz::UTC,
        body: Body::Test,
    }
}

fn sorted(result: Result<Receipt, SendError>) -> &'static str {
    match result {
        Ok(_) => "taken",
        Err(SendError::Unavailable { outage: true, .. }) => "outage",
        Err(SendError::Unavailable { retry_after: Some(_), .. }) => "again, when asked to",
        Err(SendError::Unavailable { .. }) => "again",
        Err(SendError::Refused { .. }) => "refused",
        Err(SendError::Misconfigured { .. }) => "misconfigured",
    }
}

#[tokio::test]
async fn a_call_is_ordered_as_twilio_documents_it() {
    let desk = Desk::open().await;
    let receipt = desk.call().await.unwrap();
    assert!(receipt.id.unwrap().starts_with("CA"));
    let call = desk.caught.newest_first(1).remove(0);
    let field = |name: &str| call.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
    assert_eq!((call.to.as_str(), call.text.as_str()), ("+15005550101", "This is a test call of the SLA watch."));
    let url = "https://sla.example.com/hooks/twilio/status?n=a1b2c3d4e5f60718293a4b5c6d7e8f90";
    assert_eq!(field("StatusCallback").as_deref(), Some(url));
    assert_eq!((field("MachineDetection").as_deref(), field("AsyncAmd").as_deref()), (Some("Enable"), Some("true")));
    let secrets = call.headers.iter().filter(|(_, value)| value.contains("hunter2")).count();
    assert_eq!(secrets, 0);
}

#[tokio::test]
async fn answers_are_sorted_by_what_to_do_next() {
    let desk = Desk::open().await;
    let cases = [
        (SmsReply::Error500, "outage"),
        (SmsReply::TooMany { retry_after: 7 }, "again, when asked to"),
        (SmsReply::Code(10004), "again"),
        (SmsReply::Code(20003), "misconfigured"),
        (SmsReply::Code(21212), "misconfigured"),
        (SmsReply::Code(20005), "misconfigured"),
        (SmsReply::Code(21659), "misconfigured"),
        (SmsReply::Code(21660), "misconfigured"),
        (SmsReply::Code(21211), "refused"),
        (SmsReply::Code(21215), "refused"),
        (SmsReply::OddBody("<html>".to_owned()), "taken"),
        (SmsReply::OddBody("null".to_owned()), "taken"),
        (SmsReply::OddBody(r#"{"sid": 7, "status": {}}"#.to_owned()), "taken"),
        (SmsReply::OddBody(r#"{"sid": "CA1", "status": "failed"}"#.to_owned()), "refused"),
    ];
    for (reply, expected) in cases {
        desk.twilio.reply_to_calls(reply.clone());
        assert_eq!(sorted(desk.call().await), expected, "{reply:?}");
    }
    let nowhere = Message { to: "0500 1".to_owned(), ..message() };
    assert_eq!(sorted(desk.notifier(Known::default()).send(&nowhere).await), "refused");
}

#[tokio::test]
async fn a_call_whose_answer_was_lost_is_found_again_and_no_other_is_taken_for_it() {
    let desk = Desk::open().await;
    let since = crate::clock::Clock::now(&desk.clock);
    let found = async |known: Known| desk.notifier(known).already_sent(&message(), since).await.unwrap();
    assert_eq!(found(Known::default()).await, None, "nobody was called");
    let id = desk.call().await.unwrap().id.unwrap();
    let first = "CA00000000000000000000000000000001";
    assert_eq!(id, first);
    assert_eq!(found(Known::default()).await.and_then(|receipt| receipt.id).as_deref(), Some(first));
    let others = Known { calls: vec![first], ..Known::default() };
    assert_eq!(found(others).await, None, "it was another notification's");
    let crowded = Known { crowded: true, ..Known::default() };
    assert_eq!(found(crowded).await, None, "it may be another's, and one that is told is lost to nobody");
    let told = found(Known { calls: vec![first], reported: Some("CA9"), crowded: true }).await;
    assert_eq!(told.and_then(|receipt| receipt.id).as_deref(), Some("CA9"), "a report named it");
    let elsewhere = Message { to: "+15005550999".to_owned(), ..message() };
    assert_eq!(desk.notifier(Known::default()).already_sent(&elsewhere, since).await, Ok(None));
    let later = since + TimeDelta::minutes(10);
    assert_eq!(desk.notifier(Known::default()).already_sent(&message(), later).await, Ok(None), "it is too old");
}

#[tokio::test]
async fn what_became_of_a_call_is_asked() {
    let cases = [
        (Callee::PicksUp(None), "answered", None),
        (Callee::Busy, "busy", Some("refused")),
        (Callee::NoAnswer, "no-answer", Some("refused")),
        (Callee::Failed, "failed", Some("refused")),
        (Callee::Machine, "machine", Some("refused")),
    ];
    for (callee, status, sort) in cases {
        let desk = Desk::open().await;
        let id = desk.call().await.unwrap().id.unwrap();
        desk.twilio.ring(callee, Reports::Never).await;
        let delivery = desk.notifier(Known::default()).delivery(&id).await.unwrap().unwrap();
        assert_eq!(delivery.status, status);
        assert_eq!(failure(&delivery).map(|error| sorted(Err(error))), sort, "{callee:?}");
    }
    let desk = Desk::open().await;
    assert_eq!(desk.notifier(Known::default()).delivery("../Messages").await, Ok(None));
}
