use std::sync::Arc;

use crate::sla::zone::Tz;

use super::*;
use crate::clock::ManualClock;
use crate::simulator::receivers::{Caught, CaughtList, HttpReply, SlackCatcher};

struct Desk {
    slack: SlackCatcher,
    caught: Arc<CaughtList>,
    clock: SharedClock,
}

impl Desk {
    async fn open() -> Self {
        let clock: SharedClock = Arc::new(ManualClock::at("2026-06-03T12:48:00Z".parse().unwrap()));
        let caught = CaughtList::new(9);
        let addr = "127.0.0.1:0".parse().unwrap();
        Self { slack: SlackCatcher::start(addr, clock.clone(), caught.clone()).await.unwrap(), caught, clock }
    }

    fn bot(&self, token: &str) -> SlackNotifier {
        let slack = settings::Slack {
            way: settings::SlackWay::Bot {
                token: token.into(),
                channel: "#sla".to_owned(),
                base_url: self.slack.url(),
            },
            signing_secret: None,
        };
        SlackNotifier::new(&slack, self.clock.clone()).unwrap()
    }

    fn hook(&self) -> SlackNotifier {
        let slack = settings::Slack {
            way: settings::SlackWay::IncomingWebhook { url: self.slack.webhook_url().into() },
            signing_secret: None,
        };
        SlackNotifier::new(&slack, self.clock.clone()).unwrap()
    }

    fn last(&self) -> Arc<Caught> {
        self.caught.newest_first(1).remove(0)
    }
}

fn message(to: &str) -> Message {
    Message {
        key: "a1b2c3d4e5f60718293a4b5c6d7e8f90".to_owned(),
        thread: format!("acme:7:resolution:1:{to}"),
        continues_thread: false,
        to: to.to_owned(),
        to_name: None,
        timezone: Tz::UTC,
        body: Body::Test,
    }
}

#[tokio::test]
async fn a_bot_writes_to_its_channel_and_the_receipt_is_where_the_thread_hangs() {
    let desk = Desk::open().await;
    let first = desk.bot("xoxb-1").send(&message("slack")).await.unwrap();
    assert_eq!((desk.last().to.as_str(), first.id.as_deref()), ("#sla", desk.last().header("ts")));
    desk.bot("xoxb-1").answer(&message("slack"), &first).await.unwrap();
    assert_eq!(desk.last().header("thread_ts"), first.id.as_deref());
}

#[tokio::test]
async fn a_step_may_name_a_channel_of_its_own() {
    let desk = Desk::open().await;
    desk.bot("xoxb-1").send(&message("slack:#night")).await.unwrap();
    assert_eq!(desk.last().to, "#night");
}

#[tokio::test]
async fn an_incoming_webhook_answers_with_a_word() {
    let desk = Desk::open().await;
    assert_eq!(desk.hook().send(&message("slack")).await, Ok(Receipt { id: None }));
    desk.slack.reply(HttpReply::Status(404));
    assert!(matches!(desk.hook().send(&message("slack")).await, Err(SendError::Misconfigured { .. })));
    desk.slack.reply(HttpReply::Body { taken: false, body: "<html>".to_owned() });
    assert!(matches!(desk.hook().send(&message("slack")).await, Err(SendError::Unavailable { .. })));
}

#[tokio::test]
async fn a_token_that_slack_does_not_know_is_a_matter_for_the_operator() {
    let desk = Desk::open().await;
    let error = desk.bot("xapp-1").send(&message("slack")).await.unwrap_err();
    assert_eq!(error, SendError::misconfigured("Slack reported `invalid_auth`"));
}

#[tokio::test]
async fn two_hundred_is_no_yes() {
    let desk = Desk::open().await;
    let cases = [
        (r#"{"ok": false, "error": "channel_not_found"}"#, "slack", "misconfigured"),
        (r#"{"ok": false, "error": "is_archived"}"#, "slack:#old", "refused"),
        (r#"{"ok": false, "error": "token_revoked"}"#, "slack:#old", "misconfigured"),
        (r#"{"ok": false, "error": "ratelimited"}"#, "slack", "again"),
        (r#"{"ok": false, "error": "internal_error"}"#, "slack", "outage"),
        (r#"{"ok": false, "error": "msg_too_long"}"#, "slack", "refused"),
        (r#"{"ok": false, "error": "<@channel> xoxb-1"}"#, "slack", "refused"),
        (r#"{"ok": false}"#, "slack", "outage"),
        (r#"{"ok": "true"}"#, "slack", "outage"),
        ("[]", "slack", "outage"),
        ("", "slack", "outage"),
        ("<html>maintenance</html>", "slack", "outage"),
        (r#"{"ok": true}"#, "slack", "taken"),
        (r#"{"ok": true, "ts": {"a": 1}}"#, "slack", "taken"),
    ];
    for (body, to, expected) in cases {
        desk.slack.reply(HttpReply::Body { taken: false, body: body.to_owned() });
        let result = desk.bot("xoxb-1").send(&message(to)).await;
        if let Err(error) = &result {
            assert!(!error.to_string().contains("xoxb"), "{error}");
        }
        let sorted = match result {
            Ok(_) => "taken",
            Err(SendError::Unavailable { outage: true, .. }) => "outage",
            Err(SendError::Unavailable { .. }) => "again",
            Err(SendError::Refused { .. }) => "refused",
            Err(SendError::Misconfigured { .. }) => "misconfigured",
        };
        assert_eq!(sorted, expected, "{body}");
    }
}

#[tokio::test]
async fn http_itself_says_when_to_come_back() {
    let desk = Desk::open().await;
    desk.slack.reply(HttpReply::TooMany { retry_after: 30 });
    match desk.bot("xoxb-1").send(&message("slack")).await {
        Err(SendError::Unavailable { retry_after, outage: false, .. }) => {
            assert_eq!(retry_after, Some(std::time::Duration::from_secs(30)));
        }
        other => panic!("{other:?}"),
    }
    desk.slack.reply(HttpReply::Redirect("http://127.0.0.1:9/elsewhere".to_owned()));
    assert!(matches!(desk.bot("xoxb-1").send(&message("slack")).await, Err(SendError::Misconfigured { .. })));
}
