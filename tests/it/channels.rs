//! Slack, Teams, PagerDuty and a webhook hear of an alert from its start to its end; a channel that is out of order holds up
//! nothing but its own messages.

use std::sync::Arc;

use chrono::TimeDelta;
use superops_sla::alert::life::{Act, Actor, How};
use superops_sla::config::ChannelKind;
use superops_sla::simulator::NewTicket;
use superops_sla::simulator::receivers::{CaughtKind, HttpReply, MailReply, SmsReply};
use superops_sla::store::alerts::id_of;

use crate::support::{TestApp, minutes, usual};

const TO_SYSTEMS: &str =
    "[[alerts.steps]]\nafter = '0s'\nnotify = ['slack', 'slack:#night', 'teams', 'pagerduty', 'webhook']\n";
const TO_WEBHOOK: &str = "[[alerts.steps]]\nafter = '0s'\nnotify = ['webhook']\n";
/// Each message by itself, however many there are.
const BY_TEXT: &str = "[alerts.limits]\nbundle_from = 1000\nsms_per_number = []\n[[alerts.steps]]\nafter = '0s'\nnotify = ['technician']\nchannels = ['sms']\n";

/// With a ticket of eight hours, six of them over: its warning has been told.
async fn warned(more: &str) -> (TestApp, String) {
    let mut app = TestApp::with_systems(more).await;
    let id = app.ticket(TimeDelta::hours(8));
    app.turn().await;
    app.wait(TimeDelta::hours(6)).await;
    (app, id)
}

/// With so many tickets that breach at this moment, found but not told of yet.
async fn breaching(more: &str, count: usize) -> TestApp {
    let mut app = TestApp::with_systems(more).await;
    for _ in 0..count {
        app.superops.add(NewTicket { resolution_due_in: Some(TimeDelta::minutes(5)), ..usual() });
    }
    app.turn().await;
    app.heard();
    app.clock.advance(TimeDelta::minutes(5) + TimeDelta::seconds(1));
    app
}

#[tokio::test]
async fn an_alert_is_told_to_each_system_and_so_is_all_that_becomes_of_it() {
    let (mut app, id) = warned(TO_SYSTEMS).await;
    insta::assert_snapshot!(app.said(), @r"
    pagerduty trigger acme:7712049386651025416:resolution:0: At risk: 2 h left, resolution due 17:00 UTC: 112326-0008 Mail server down (High priority, Globex Corporation)
    slack #night: *At risk: 2 h left, resolution due 17:00 UTC*
    slack #sla: *At risk: 2 h left, resolution due 17:00 UTC*
    teams: At risk: 2 h left, resolution due 17:00 UTC
    webhook sla.alert.warning
    ");
    app.wait(minutes(121)).await;
    insta::assert_snapshot!(app.said(), @r"
    pagerduty trigger acme:7712049386651025416:resolution:0: Breached: 1 min over, resolution was due 17:00 UTC: 112326-0008 Mail server down (High priority, Globex Corporation)
    slack #night: *Breached: 1 min over, resolution was due 17:00 UTC*
    slack #sla: *Breached: 1 min over, resolution was due 17:00 UTC*
    teams: Breached: 1 min over, resolution was due 17:00 UTC
    webhook sla.alert.breached
    ");
    acknowledge(&mut app).await;
    app.turn().await;
    insta::assert_snapshot!(app.said(), @r"
    pagerduty acknowledge acme:7712049386651025416:resolution:0: 
    slack #night: *Acknowledged: resolution, by Mia at 17:01 UTC*
    slack #sla: *Acknowledged: resolution, by Mia at 17:01 UTC*
    teams: Acknowledged: resolution, by Mia at 17:01 UTC
    webhook sla.alert.acknowledged
    ");
    app.superops.change_status(&id, "Resolved");
    app.wait(minutes(1)).await;
    insta::assert_snapshot!(app.said(), @r"
    pagerduty resolve acme:7712049386651025416:resolution:0: 
    slack #night: *Late: resolved 1 min after it was due*
    slack #sla: *Late: resolved 1 min after it was due*
    teams: Late: resolved 1 min after it was due
    webhook sla.alert.resolved
    ");
}

async fn acknowledge(app: &mut TestApp) {
    let key = app.outbox().await.remove(0).leased.notification.alert_key;
    let actor = Actor { name: "Mia".to_owned(), how: How::Api, origin: "127.0.0.1".to_owned(), note: None };
    let now = app.now();
    let acted = app.parts().store.act(&id_of(&key), Act::Acknowledge, &actor, now).await.unwrap();
    assert!(acted.unwrap().changed);
}

#[tokio::test]
async fn without_steps_the_systems_hear_of_it_with_the_technician() {
    let (mut app, _) = warned("").await;
    insta::assert_snapshot!(app.said(), @r"
    email mateo.alvarez@example.com: At risk: 2 h left, resolution due 17:00 UTC
    pagerduty trigger acme:7712049386651025416:resolution:0: At risk: 2 h left, resolution due 17:00 UTC: 112326-0008 Mail server down (High priority, Globex Corporation)
    slack #sla: *At risk: 2 h left, resolution due 17:00 UTC*
    teams: At risk: 2 h left, resolution due 17:00 UTC
    webhook sla.alert.warning
    ");
}

#[tokio::test]
async fn what_belongs_to_one_alert_hangs_under_its_first_slack_message() {
    let (mut app, _) = warned(TO_SYSTEMS).await;
    let slack = |app: &mut TestApp| {
        let mut messages = app.heard();
        messages.retain(|caught| caught.kind == CaughtKind::Slack && caught.to == "#sla");
        messages.remove(0)
    };
    let first = slack(&mut app);
    assert_eq!(first.header("thread_ts"), None);
    app.wait(minutes(121)).await;
    let breach = slack(&mut app);
    assert_eq!(breach.header("thread_ts"), first.header("ts"));
    assert_eq!(breach.header("reply_broadcast"), Some("true"), "a breach is seen outside its thread");
}

#[tokio::test]
async fn a_step_that_names_a_system_uses_it_whatever_its_channels() {
    let (mut app, _) =
        warned("[[alerts.steps]]\nafter = '0s'\nnotify = ['slack', 'technician']\nchannels = ['sms']\n").await;
    insta::assert_snapshot!(app.said(), @r"
    slack #sla: *At risk: 2 h left, resolution due 17:00 UTC*
    text +15005550101: SLA at risk: High, Globex Corporation: resolution due 17:00 UTC. 112326-0008 Mail server down. 2 h left. Mateo Alvarez #250ae8
    ");
}

#[tokio::test]
async fn a_provider_that_is_down_for_fifteen_seconds_gets_each_alert_once_soon_after() {
    const ALERTS: u64 = 60;
    let mut app = breaching(TO_WEBHOOK, ALERTS as usize).await;
    app.webhook.reply(HttpReply::Status(503));
    app.turn().await;
    for _ in 0..30 {
        app.clock.advance(TimeDelta::milliseconds(500));
        app.dispatch().await;
    }
    let during = app.webhook.asked();
    app.webhook.reply(HttpReply::Accept);
    let mut waited = 0;
    while app.caught.total() < ALERTS && waited < 60 {
        app.clock.advance(TimeDelta::milliseconds(500));
        app.dispatch().await;
        waited += 1;
    }
    let attempts = app.webhook.asked();
    println!("{ALERTS} alerts: {during} attempts in vain, {attempts} in all, drained {} ms after", waited * 500);
    assert_eq!(app.caught.total(), ALERTS);
    assert!(attempts <= 2 * ALERTS, "{attempts} attempts");
    assert!(waited <= 10, "drained {} ms after the recovery", waited * 500);
}

#[tokio::test]
async fn while_a_channel_is_out_of_order_a_breach_goes_to_the_next_at_once() {
    let mut app = breaching(BY_TEXT, 12).await;
    app.sms.reply(SmsReply::Error500);
    app.evaluate().await;
    app.dispatch().await;
    app.clock.advance(TimeDelta::milliseconds(900));
    app.dispatch().await;
    let mails = app.heard();
    assert_eq!(mails.len(), 12, "each breach by mail within a second");
    assert!(mails.iter().all(|mail| mail.kind == CaughtKind::Email));
    app.sms.reply(SmsReply::Accept);
    for _ in 0..10 {
        app.clock.advance(TimeDelta::milliseconds(500));
        app.dispatch().await;
    }
    let texts = app.heard();
    assert_eq!(texts.len(), 12, "and what waited is still said");
    assert!(texts.iter().all(|text| text.kind == CaughtKind::Sms));
}

#[tokio::test]
async fn breaches_that_wait_in_one_message_go_to_the_next_channel_too() {
    let mut app =
        breaching("[[alerts.steps]]\nafter = '0s'\nnotify = ['technician']\nchannels = ['email']\n", 12).await;
    app.mail.reply(MailReply::CloseAfterData);
    let mut texts = vec![];
    app.evaluate().await;
    for _ in 0..70 {
        app.dispatch().await;
        texts.extend(app.heard().into_iter().filter(|one| one.kind == CaughtKind::Sms));
        app.clock.advance(TimeDelta::seconds(1));
    }
    assert_eq!(texts.len(), 1, "one text for all of them");
    assert!(texts[0].text.contains("12 "), "{}", texts[0].text);
}

#[tokio::test]
async fn while_the_only_channel_of_a_step_takes_nothing_a_breach_is_told_to_the_next_people_at_once() {
    let steps = "[[alerts.steps]]\nafter = '0s'\nnotify = ['slack']\n\
                 [[alerts.steps]]\nafter = '30m'\nnotify = ['technician']\nchannels = ['email']\n\
                 [[alerts.steps]]\nafter = '60m'\nnotify = ['email:boss@example.com']\n";
    for count in [1, 7] {
        let mut app = breaching(steps, count).await;
        app.slack.reply(HttpReply::Status(503));
        let mut heard = vec![];
        for _ in 0..60 {
            app.turn().await;
            heard.extend(app.heard());
            app.clock.advance(TimeDelta::seconds(1));
        }
        let told: std::collections::BTreeSet<_> = heard.iter().map(|one| one.to.as_str()).collect();
        assert_eq!(told, ["mateo.alvarez@example.com"].into(), "{count} in a minute, and nobody after that");
        app.slack.reply(HttpReply::Accept);
        app.wait(minutes(5)).await;
        let said = app.said();
        assert!(said.contains("slack #sla") && !said.contains("email"), "what waited is still sent: {said}");
    }
}

#[tokio::test]
async fn a_channel_that_is_out_of_order_for_seconds_wakes_nobody_else() {
    let steps = "[[alerts.steps]]\nafter = '0s'\nnotify = ['slack']\n\
                 [[alerts.steps]]\nafter = '30m'\nnotify = ['email:boss@example.com']\n";
    for count in [1, 7] {
        let mut app = breaching(steps, count).await;
        app.slack.reply(HttpReply::Status(503));
        for _ in 0..15 {
            app.turn().await;
            app.clock.advance(TimeDelta::seconds(1));
        }
        app.slack.reply(HttpReply::Accept);
        app.heard();
        app.wait(minutes(5)).await;
        let said = app.said();
        assert!(said.contains("slack #sla") && !said.contains("email"), "{count}: {said}");
    }
}

#[tokio::test]
async fn a_webhook_is_nobody_who_hears_of_a_breach() {
    let steps = "[[alerts.steps]]\nafter = '0s'\nnotify = ['slack', 'webhook']\n\
                 [[alerts.steps]]\nafter = '30m'\nnotify = ['email:boss@example.com']\n";
    let mut app = breaching(steps, 1).await;
    app.slack.reply(HttpReply::Status(404));
    app.turn().await;
    app.turn().await;
    let said = app.said();
    assert!(said.contains("email boss@example.com") && !said.contains("slack"), "{said}");
}

#[tokio::test]
async fn the_overview_shows_which_channel_is_out_of_order() {
    let mut app = breaching(BY_TEXT, 6).await;
    let states = async |app: &mut TestApp| {
        let overview = app.parts().service.overview(&superops_sla::service::Reach::All).await.unwrap();
        let down = overview.channels.into_iter().filter(|channel| channel.state == "down");
        down.map(|channel| channel.channel).collect::<Vec<_>>()
    };
    app.sms.reply(SmsReply::Error500);
    app.turn().await;
    assert_eq!(states(&mut app).await, ["sms"]);
    assert!(app.parts().telemetry.render().contains("superops_sla_channel_open{channel=\"sms\"} 1"));
    app.sms.reply(SmsReply::Accept);
    app.clock.advance(TimeDelta::seconds(2));
    app.dispatch().await;
    assert_eq!(states(&mut app).await, [""; 0]);
}

#[tokio::test]
async fn one_bad_number_opens_no_breaker_and_is_tried_once() {
    let mut app = breaching(BY_TEXT, 12).await;
    app.sms.reply(SmsReply::Code(21211));
    app.turn().await;
    let mails = app.heard();
    assert_eq!(mails.len(), 12, "each went to the next channel at once");
    let texts = app.outbox().await.into_iter().filter(|row| row.leased.notification.channel == ChannelKind::Sms);
    assert!(texts.map(|row| row.leased.attempt).all(|attempts| attempts == 1));
    assert!(!app.parts().telemetry.render().contains("channel_open{channel=\"sms\"} 1"));
}

#[tokio::test]
async fn a_channel_is_given_no_more_than_its_limit() {
    let mut app =
        breaching("[alerts.limits]\nbundle_from = 1000\n[[alerts.steps]]\nafter = '0s'\nnotify = ['slack']\n", 25)
            .await;
    let mut said = vec![];
    app.evaluate().await;
    for _ in 0..4 {
        app.dispatch().await;
        said.push(app.heard().len());
        app.clock.advance(TimeDelta::seconds(1));
    }
    assert_eq!(said, [10, 10, 5, 0], "600 a minute are ten a second");
}

#[tokio::test]
async fn a_receiver_that_hangs_holds_up_no_other() {
    let app = breaching(TO_SYSTEMS, 3).await;
    let caught = Arc::clone(&app.caught);
    app.webhook.reply(HttpReply::Hang { taken: false });
    let mut app = app;
    app.evaluate().await;
    let others = async {
        while caught.newest_first(99).iter().filter(|one| one.kind == CaughtKind::PagerDuty).count() < 3 {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        () = app.dispatch() => panic!("the webhook hangs"),
        () = others => {}
    }
}
