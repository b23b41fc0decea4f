//! What a provider refuses or cannot take now is not lost.

use chrono::TimeDelta;
use superops_sla::simulator::receivers::{MailReply, SmsReply};

use crate::support::{TestApp, minutes};

const BY_TEXT: &str = "[[alerts.steps]]\nafter = '0s'\nnotify = ['technician']\nchannels = ['sms']\n";
const THEN_DUTY: &str = "[[alerts.steps]]\nafter = '0s'\nnotify = ['technician']\nchannels = ['email']\n\
    [[alerts.steps]]\nafter = '30m'\nnotify = ['email:duty@example.com']\n";
/// Longer than any wait between the first attempts.
const NEXT_TRY: TimeDelta = TimeDelta::seconds(75);

/// With a ticket of eight hours, six of them over: its warning is due.
async fn about_to_warn(more: &str) -> TestApp {
    let mut app = TestApp::with(more).await;
    app.ticket(TimeDelta::hours(8));
    app.turn().await;
    app.clock.advance(TimeDelta::hours(6));
    app
}

/// How many messages were refused.
async fn failed(app: &mut TestApp) -> usize {
    app.states().await.get("failed").copied().unwrap_or_default()
}

#[tokio::test]
async fn a_number_that_said_stop_is_told_by_email_after_one_try() {
    let mut app = about_to_warn(BY_TEXT).await;
    app.sms.reply(SmsReply::Code(21610));
    app.turn().await;
    insta::assert_snapshot!(app.said(), @"email mateo.alvarez@example.com: At risk: 2 h left, resolution due 17:00 UTC");
    let refused = app.outbox().await.into_iter().find(|row| row.state == "failed").unwrap();
    assert_eq!(refused.leased.attempt, 1);
    insta::assert_snapshot!(refused.last_error.unwrap(), @"the SMS provider reported error `21610`: the recipient has opted out");
}

#[tokio::test]
async fn a_later_mail_in_place_of_a_text_is_no_repeat_of_the_first() {
    let mut app = about_to_warn(BY_TEXT).await;
    app.sms.reply(SmsReply::Code(21610));
    app.turn().await;
    app.wait(minutes(121)).await;
    let ids: Vec<_> = app.heard().iter().map(|mail| mail.header("message-id").unwrap().to_owned()).collect();
    assert_eq!(ids.len(), 2);
    assert_ne!(ids[0], ids[1], "a receiver would drop the breach as a repeat of the warning");
}

#[tokio::test]
async fn an_address_that_does_not_exist_is_told_by_text() {
    let mut app = about_to_warn("").await;
    app.mail.reply(MailReply::NoSuchUser);
    app.turn().await;
    insta::assert_snapshot!(app.said(), @"text +15005550101: SLA at risk: High, Globex Corporation: resolution due 17:00 UTC. 112326-0008 Mail server down. 2 h left. Mateo Alvarez #467cbc");
}

#[tokio::test]
async fn when_every_channel_refuses_the_next_step_is_run_at_once() {
    let mut app = about_to_warn("").await;
    app.mail.reply(MailReply::NoSuchUser);
    app.sms.reply(SmsReply::Code(21610));
    app.evaluate().await;
    app.dispatch().await;
    assert_eq!(app.said(), "");
    app.mail.reply(MailReply::Accept);
    app.settle().await;
    insta::assert_snapshot!(app.said(), @"email dana.whitfield@example.com: At risk: 2 h left, resolution due 17:00 UTC");
    app.wait(minutes(16)).await;
    assert_eq!(app.said(), "", "the manager is not told twice");
    app.wait(minutes(14)).await;
    assert_eq!(app.heard().len(), 1, "and the account manager in time");
}

#[tokio::test]
async fn what_is_refused_by_everybody_stays_to_be_seen() {
    let mut app = about_to_warn("").await;
    app.mail.reply(MailReply::NoSuchUser);
    app.sms.reply(SmsReply::Code(21610));
    app.turn().await;
    assert_eq!(app.said(), "");
    assert_eq!(app.states().await, [("failed".to_owned(), 6)].into(), "three people, two channels");
}

#[tokio::test]
async fn what_everybody_refused_is_said_anew_from_the_first_step_on_more_and_more_seldom() {
    let mut app = about_to_warn(THEN_DUTY).await;
    app.mail.reply(MailReply::NoSuchUser);
    app.sms.reply(SmsReply::Code(21610));
    app.settle().await;
    app.wait(minutes(4)).await;
    assert_eq!(failed(&mut app).await, 3, "the technician by mail and text, and duty");
    app.wait(minutes(1)).await;
    app.settle().await;
    assert_eq!(failed(&mut app).await, 6, "again after five minutes");
    app.wait(minutes(4)).await;
    assert_eq!((failed(&mut app).await, app.said().as_str()), (6, ""));
    app.mail.reply(MailReply::Accept);
    app.wait(minutes(2)).await;
    insta::assert_snapshot!(app.said(), @"email mateo.alvarez@example.com: At risk: 1 h 49 min left, resolution due 17:00 UTC");
    app.wait(minutes(29)).await;
    assert_eq!(app.said(), "", "the steps lie as far apart as ever");
    app.wait(minutes(2)).await;
    assert!(app.said().contains("email duty@example.com"));
    app.wait(minutes(40)).await;
    assert_eq!(app.said(), "", "somebody was told");
}

#[tokio::test]
async fn a_mail_server_that_is_down_is_tried_again_under_the_same_name() {
    let mut app = about_to_warn("").await;
    app.mail.reply(MailReply::CloseAfterData);
    app.turn().await;
    let first = app.heard();
    app.mail.reply(MailReply::TryLater);
    app.wait(TimeDelta::seconds(10)).await;
    assert_eq!((app.said().as_str(), app.states().await), ("", [("pending".to_owned(), 1)].into()));
    app.mail.reply(MailReply::Accept);
    app.wait(TimeDelta::seconds(10)).await;
    assert_eq!(app.said(), "", "a server that asks for time gets it");
    app.wait(NEXT_TRY).await;
    let last = app.heard();
    assert_eq!((first.len(), last.len()), (1, 1));
    assert_eq!(first[0].header("message-id"), last[0].header("message-id"));
    app.wait(NEXT_TRY).await;
    assert_eq!((app.said().as_str(), app.states().await), ("", [("sent".to_owned(), 1)].into()));
}

#[tokio::test]
async fn a_gateway_that_is_down_gets_the_message_later_and_once() {
    let mut app = about_to_warn(BY_TEXT).await;
    app.sms.reply(SmsReply::Error500);
    app.turn().await;
    assert_eq!(app.states().await, [("pending".to_owned(), 1)].into());
    app.sms.reply(SmsReply::Accept);
    app.wait(NEXT_TRY).await;
    insta::assert_snapshot!(app.said(), @"text +15005550101: SLA at risk: High, Globex Corporation: resolution due 17:00 UTC. 112326-0008 Mail server down. 1 h 58 min left. Mateo Alvarez #250ae8");
    app.wait(NEXT_TRY).await;
    assert_eq!(app.said(), "");
}

#[tokio::test]
async fn a_gateway_that_asks_for_time_gets_it() {
    let mut app = about_to_warn(BY_TEXT).await;
    app.sms.reply(SmsReply::TooMany { retry_after: 120 });
    app.turn().await;
    app.sms.reply(SmsReply::Accept);
    app.wait(TimeDelta::seconds(119)).await;
    assert_eq!(app.said(), "");
    app.wait(TimeDelta::seconds(1)).await;
    assert_eq!(app.heard().len(), 1);
}

#[tokio::test]
async fn after_three_vain_tries_the_other_channel_says_it_too() {
    let mut app = about_to_warn("").await;
    app.mail.reply(MailReply::TryLater);
    app.turn().await;
    app.wait(NEXT_TRY).await;
    assert_eq!(app.said(), "");
    app.wait(NEXT_TRY).await;
    insta::assert_snapshot!(app.said(), @"text +15005550101: SLA at risk: High, Globex Corporation: resolution due 17:00 UTC. 112326-0008 Mail server down. 1 h 57 min left. Mateo Alvarez #467cbc");
    app.wait(NEXT_TRY).await;
    assert_eq!(app.said(), "", "and only once");
}

#[tokio::test]
async fn a_breach_is_said_by_the_other_channel_at_once_if_the_first_asks_for_more_than_half_a_minute() {
    for (channel, wait, said) in [("sms", 3600, true), ("sms", 20, false), ("email", 60, true)] {
        let steps = format!("[[alerts.steps]]\nafter = '0s'\nnotify = ['technician']\nchannels = ['{channel}']\n");
        let mut app = about_to_warn(&steps).await;
        app.turn().await;
        app.clock.advance(minutes(120) + TimeDelta::seconds(1));
        app.heard();
        app.sms.reply(if channel == "sms" { SmsReply::TooMany { retry_after: wait } } else { SmsReply::Accept });
        app.mail.reply(if channel == "email" { MailReply::TryLater } else { MailReply::Accept });
        app.turn().await;
        assert_eq!(app.heard().len(), usize::from(said), "{channel}, {wait} s");
    }
}

#[tokio::test]
async fn a_strange_answer_of_the_gateway_is_still_one_message() {
    for body in ["", "<html>", "{\"sid\": null}", "[1]"] {
        let mut app = about_to_warn(BY_TEXT).await;
        app.sms.reply(SmsReply::OddBody(body.to_owned()));
        app.turn().await;
        app.wait(NEXT_TRY).await;
        assert_eq!(app.heard().len(), 1, "{body}");
    }
}

#[tokio::test]
async fn what_waits_for_a_channel_that_was_taken_out_moves_on_to_the_next() {
    let mut app = about_to_warn("").await;
    app.mail.reply(MailReply::TryLater);
    app.turn().await;
    app.stop().await;
    app.clock.advance(NEXT_TRY);
    app.resume_without_email().await;
    app.turn().await;
    insta::assert_snapshot!(app.said(), @"text +15005550101: SLA at risk: High, Globex Corporation: resolution due 17:00 UTC. 112326-0008 Mail server down. 1 h 58 min left. Mateo Alvarez #467cbc");
}
