//! A process that dies between a message's leaving and our remembering it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use superops_sla::alert::escalation::ChannelKind;
use superops_sla::dispatch::Dispatch;
use superops_sla::notify::{Message, Notifier, Receipt, SendError};
use superops_sla::simulator::receivers::{MailReply, SmsReply};
use tokio::sync::Notify;

use crate::support::TestApp;

const BY_TEXT: &str = "[[alerts.steps]]\nafter = '0s'\nnotify = ['technician']\nchannels = ['sms']\n";
/// A lease is shorter.
const LEASE_OVER: TimeDelta = TimeDelta::seconds(31);

/// With a ticket of eight hours, six of them over, and its warning in the outbox.
async fn about_to_send(more: &str) -> TestApp {
    let mut app = TestApp::with(more).await;
    app.ticket(TimeDelta::hours(8));
    app.turn().await;
    app.clock.advance(TimeDelta::hours(6));
    app.sync().await;
    app.evaluate().await;
    app
}

#[tokio::test]
async fn a_text_that_left_before_the_crash_is_looked_up_and_not_sent_again() {
    let mut app = about_to_send(BY_TEXT).await;
    app.sms.reply(SmsReply::Hang { taken: true });
    app.crash_while_sending().await;
    app.sms.reply(SmsReply::Accept);
    app.resume().await;
    app.dispatch().await;
    assert_eq!(app.states().await, [("sending".to_owned(), 1)].into(), "the lease has to run out first");
    app.wait(LEASE_OVER).await;
    assert_eq!((app.caught.total(), app.states().await), (1, [("sent".to_owned(), 1)].into()));
}

#[tokio::test]
async fn a_mail_that_left_before_the_crash_is_repeated_under_the_same_name() {
    let mut app = about_to_send("").await;
    app.mail.reply(MailReply::CloseAfterData);
    app.crash_while_sending().await;
    app.mail.reply(MailReply::Accept);
    app.resume().await;
    app.wait(LEASE_OVER).await;
    let mails = app.heard();
    assert_eq!(mails.len(), 2);
    assert_eq!(mails[0].header("message-id"), mails[1].header("message-id"), "a receiver drops the second");
    assert_eq!(app.states().await, [("sent".to_owned(), 1)].into());
}

#[tokio::test]
async fn after_a_long_stop_nothing_is_told_before_superops_was_asked_or_a_minute_is_over() {
    let mut app = TestApp::start().await;
    let [resolved, late] = [app.ticket(TimeDelta::hours(8)), app.ticket(TimeDelta::hours(8))];
    app.turn().await;
    app.stop().await;
    app.clock.advance(TimeDelta::hours(7));
    app.superops.change_status(&resolved, "Resolved");
    app.clock.advance(TimeDelta::hours(2));
    app.resume().await;
    let turn = app.evaluate().await;
    assert_eq!((turn.raised, turn.next), (0, Some(app.now() + TimeDelta::minutes(1))), "nobody knows yet");
    app.turn().await;
    let said = app.said();
    assert!(said.contains(&number(&app, &late)) && !said.contains(&number(&app, &resolved)), "{said}");

    let unheard = app.ticket(TimeDelta::hours(1));
    app.turn().await;
    app.said();
    app.stop().await;
    app.clock.advance(TimeDelta::hours(2));
    app.resume().await;
    assert_eq!(app.evaluate().await.raised, 0);
    app.clock.advance(TimeDelta::minutes(1));
    assert_eq!(app.evaluate().await.raised, 1, "SuperOps does not answer: what is known has to do");
    app.dispatch().await;
    let said = app.said();
    assert!(said.contains(&number(&app, &unheard)), "{said}");
}

#[tokio::test]
async fn after_a_short_stop_a_breach_waits_for_nobody() {
    let mut app = TestApp::start().await;
    app.ticket(TimeDelta::hours(8));
    app.turn().await;
    app.wait(TimeDelta::hours(8) - TimeDelta::seconds(30)).await;
    app.stop().await;
    app.clock.advance(TimeDelta::seconds(40));
    app.resume().await;
    assert_eq!(app.evaluate().await.raised, 1);
}

fn number(app: &TestApp, id: &str) -> String {
    app.superops.ticket(id).unwrap().display_id
}

#[tokio::test]
async fn what_another_computer_with_a_clock_ahead_left_waiting_goes_out_at_once() {
    let mut app = about_to_send("").await;
    app.clock.advance(-TimeDelta::minutes(5));
    app.stop().await;
    app.resume().await;
    app.dispatch().await;
    assert_eq!((app.caught.total(), app.states().await), (1, [("sent".to_owned(), 1)].into()));
}

/// A gateway that answers as told, and writes down what it was asked.
#[derive(Default)]
struct Scripted {
    answers: Mutex<VecDeque<Result<Receipt, SendError>>>,
    finds: Mutex<VecDeque<Result<Option<Receipt>, SendError>>>,
    asked: Mutex<Vec<&'static str>>,
}

#[async_trait]
impl Notifier for Scripted {
    fn channel(&self) -> ChannelKind {
        ChannelKind::Sms
    }

    async fn send(&self, _message: &Message) -> Result<Receipt, SendError> {
        self.asked.lock().unwrap().push("send");
        self.answers.lock().unwrap().pop_front().unwrap_or(Ok(Receipt { id: None }))
    }

    async fn already_sent(&self, _: &Message, _: DateTime<Utc>) -> Result<Option<Receipt>, SendError> {
        self.asked.lock().unwrap().push("look up");
        self.finds.lock().unwrap().pop_front().unwrap_or(Ok(None))
    }
}

fn unanswered() -> SendError {
    SendError::Unavailable { reason: "no answer".to_owned(), retry_after: None, maybe_taken: true, outage: true }
}

/// Has one text message sent through a gateway of these answers; gives what the gateway was asked.
async fn script(
    answers: impl IntoIterator<Item = Result<Receipt, SendError>>,
    finds: impl IntoIterator<Item = Result<Option<Receipt>, SendError>>,
) -> String {
    let mut app = about_to_send(BY_TEXT).await;
    let gateway = Arc::new(Scripted {
        answers: Mutex::new(answers.into_iter().collect()),
        finds: Mutex::new(finds.into_iter().collect()),
        ..Scripted::default()
    });
    let clock = Arc::new(app.clock.clone());
    let (outbox, news) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let parts = app.parts();
    let (store, telemetry) = (parts.store.clone(), parts.telemetry.clone());
    parts.dispatch = Dispatch::new(store, vec![gateway.clone()], clock, telemetry, Arc::default(), outbox, news);
    for _ in 0..12 {
        app.dispatch().await;
        app.clock.advance(TimeDelta::minutes(6));
    }
    let texts = app.outbox().await.into_iter().find(|row| row.leased.notification.channel == ChannelKind::Sms).unwrap();
    let asked = gateway.asked.lock().unwrap().join(", ");
    format!("{asked}: {}", texts.state)
}

#[tokio::test]
async fn an_attempt_without_an_answer_is_looked_up_before_it_is_repeated() {
    let taken = || Ok(Receipt { id: None });
    assert_eq!(script([Err(unanswered()), taken()], [Ok(None)]).await, "send, look up, send: sent");
    let found = Ok(Some(Receipt { id: None }));
    assert_eq!(script([Err(unanswered())], [found]).await, "send, look up: sent");
    let down = SendError::Unavailable {
        reason: "no connection".to_owned(),
        retry_after: None,
        maybe_taken: false,
        outage: true,
    };
    assert_eq!(script([Err(down)], []).await, "send, send: sent", "what never left needs no look-up");
}

#[tokio::test]
async fn a_look_up_that_fails_is_repeated_and_then_done_without() {
    let refused = || Err(SendError::Misconfigured { reason: "this key may not read".to_owned() });
    let asked = script([Err(unanswered())], [refused(), refused(), refused(), refused(), refused()]).await;
    assert_eq!(asked, "send, look up, look up, look up, look up, send: sent");
}
