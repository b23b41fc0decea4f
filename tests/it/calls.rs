//! Calls: who is rung up, what the keys do, and what becomes of a call that nobody takes.

use chrono::TimeDelta;
use reqwest::Client;
use superops_sla::alert::life::{Act, Actor, How, State};
use superops_sla::config::ChannelKind;
use superops_sla::service::Reach;
use superops_sla::simulator::NewTicket;
use superops_sla::simulator::receivers::{Callee, CaughtKind, DeliveryOutcome, Reports, SmsReply};
use superops_sla::store::alerts::AlertRow;
use superops_sla::ticket::TenantId;

use crate::support::{TestApp, minutes, usual};

const VOICE: &str = "[notify.voice]\nfrom = '+15005550007'\nlanguage = 'en-GB'\n";
const BY_CALL: &str = "[[alerts.steps]]\nafter = '0s'\nnotify = ['technician']\nchannels = ['voice']\n\
                       [[alerts.steps]]\nafter = '1h'\nnotify = ['email:next@example.com']\n";
/// A lease is shorter.
const LEASE_OVER: TimeDelta = TimeDelta::seconds(31);

/// With one ticket that breaches at this moment; nobody was told yet.
async fn breaching(steps: &str) -> TestApp {
    let mut app = TestApp::with(&format!("{VOICE}{steps}")).await;
    app.serve().await;
    app.ticket(minutes(60));
    app.turn().await;
    app.heard();
    app.clock.advance(minutes(60) + TimeDelta::seconds(1));
    app
}

async fn alert(app: &mut TestApp) -> AlertRow {
    let acme = TenantId::parse("acme").unwrap();
    app.parts().store.alerts(&acme).await.unwrap().remove(0)
}

async fn called(app: &mut TestApp) -> Vec<String> {
    let rows = app.outbox().await.into_iter().filter(|row| row.leased.notification.channel == ChannelKind::Voice);
    rows.map(|row| row.state).collect()
}

#[tokio::test]
async fn a_breach_is_told_by_a_call_as_well_and_a_warning_is_not() {
    let mut app = TestApp::with(VOICE).await;
    app.serve().await;
    app.ticket(TimeDelta::hours(8));
    app.turn().await;
    app.wait(TimeDelta::hours(6)).await;
    assert_eq!(app.heard().iter().map(|one| one.kind).collect::<Vec<_>>(), [CaughtKind::Email]);
    app.wait(minutes(121)).await;
    let call = app.heard().into_iter().find(|one| one.kind == CaughtKind::Voice).unwrap();
    assert_eq!(call.to, "+15005550101");
    insta::assert_snapshot!(call.text);
}

#[tokio::test]
async fn a_step_that_names_calls_makes_them_for_a_warning_too() {
    let mut app = TestApp::with(&format!("{VOICE}{BY_CALL}")).await;
    app.ticket(TimeDelta::hours(8));
    app.turn().await;
    app.wait(TimeDelta::hours(6)).await;
    let said = app.said();
    assert!(said.starts_with("call +15005550101: S L A alert: At risk: 2 hours left, resolution due at 17:00 UTC"));
}

#[tokio::test]
async fn a_number_that_a_step_names_is_kept_for_the_breach() {
    let steps = "[[alerts.steps]]\nafter = '0s'\nnotify = ['call:+15005550123']\n\
                 [[alerts.steps]]\nafter = '4h'\nnotify = ['email:next@example.com']\n";
    let mut app = TestApp::with(&format!("{VOICE}{steps}")).await;
    app.ticket(TimeDelta::hours(8));
    app.turn().await;
    app.wait(TimeDelta::hours(6)).await;
    assert_eq!(app.said(), "", "nobody is rung up for a warning, and nobody else is told earlier for that");
    app.wait(minutes(121)).await;
    assert!(app.said().starts_with("call +15005550123: "));
}

#[tokio::test]
async fn a_one_acknowledges_once_however_often_it_is_passed_on() {
    let mut app = breaching(BY_CALL).await;
    app.turn().await;
    let answers = app.sms.ring(Callee::PicksUp(Some('1')), Reports::FiveFold).await;
    assert_eq!(answers.len(), 20);
    assert!(answers[..5].iter().all(|(status, said)| *status == 200 && said.contains("Acknowledged.")), "{answers:?}");
    let alert = alert(&mut app).await;
    let hold = alert.life.held().unwrap();
    assert_eq!((hold.by.as_str(), hold.how.as_str(), alert.life.acts), ("Mateo Alvarez", "voice", 1));
    app.heard();
    app.wait(minutes(20)).await;
    assert_eq!(app.said(), "", "nobody else is told");
    assert_eq!(called(&mut app).await, ["sent"]);
    let metrics = app.parts().telemetry.render();
    assert!(metrics.contains("hooks_total{hook=\"twilio_voice\",outcome=\"repeated\"} 4"), "{metrics}");
}

#[tokio::test]
async fn a_key_that_changes_nothing_says_so_however_often_it_is_passed_on() {
    for key in ['1', '2'] {
        let mut app = breaching(BY_CALL).await;
        app.turn().await;
        let id = crate::life::only_alert(&mut app).await.id;
        let dana = Actor { name: "Dana".to_owned(), how: How::Page, origin: "a test".to_owned(), note: None };
        let act = if key == '1' { Act::Acknowledge } else { Act::Resolve };
        app.parts().service.act_on_alert(&Reach::All, &id, act, &dana).await.unwrap().unwrap();
        let answers = app.sms.ring(Callee::PicksUp(Some(key)), Reports::FiveFold).await;
        assert!(answers[..5].iter().all(|(_, said)| said.contains("Nothing was changed")), "{answers:?}");
    }
}

#[tokio::test]
async fn a_two_tells_the_next_step_at_once() {
    let mut app = breaching(BY_CALL).await;
    app.turn().await;
    let answers = app.sms.ring(Callee::PicksUp(Some('2')), Reports::InOrder).await;
    assert!(answers[0].1.contains("Escalated"), "{answers:?}");
    app.heard();
    app.turn().await;
    assert!(app.said().starts_with("email next@example.com: "));
    assert_eq!(alert(&mut app).await.state(), State::Open);
}

#[tokio::test]
async fn another_key_is_asked_again_and_does_nothing() {
    let mut app = breaching(BY_CALL).await;
    app.turn().await;
    let answers = app.sms.ring(Callee::PicksUp(Some('7')), Reports::InOrder).await;
    assert!(answers[0].1.contains("<Gather") && answers[0].1.contains("Press 1"), "{answers:?}");
    assert_eq!(alert(&mut app).await.state(), State::Open);
}

#[tokio::test]
async fn whoever_only_listens_was_told_and_has_not_acknowledged() {
    let mut app = breaching(BY_CALL).await;
    app.turn().await;
    app.sms.ring(Callee::PicksUp(None), Reports::InOrder).await;
    app.heard();
    app.turn().await;
    assert_eq!((app.said().as_str(), alert(&mut app).await.state()), ("", State::Open));
    app.wait(minutes(61)).await;
    assert!(app.said().contains("email next@example.com: Breached"), "the escalation goes on");
}

#[tokio::test]
async fn a_call_that_nobody_takes_is_said_by_the_next_channel_at_once() {
    for callee in [Callee::Busy, Callee::NoAnswer, Callee::Failed, Callee::Machine] {
        for reports in [Reports::InOrder, Reports::FiveFold, Reports::Reversed] {
            let mut app = breaching(BY_CALL).await;
            app.turn().await;
            app.heard();
            app.sms.ring(callee, reports).await;
            app.dispatch().await;
            let heard = app.heard();
            assert_eq!(heard.len(), 1, "{callee:?}, {reports:?}");
            assert_eq!(heard[0].kind, CaughtKind::Email);
            assert_eq!(called(&mut app).await, ["failed"]);
        }
    }
}

#[tokio::test]
async fn a_call_of_which_nothing_is_heard_is_asked_about() {
    let mut app = breaching(BY_CALL).await;
    app.turn().await;
    app.sms.ring(Callee::NoAnswer, Reports::Never).await;
    app.heard();
    app.clock.advance(minutes(2));
    app.ask_for_receipts().await;
    app.dispatch().await;
    assert_eq!(app.heard().len(), 1);
    assert_eq!(called(&mut app).await, ["failed"]);
}

#[tokio::test]
async fn a_call_that_was_made_before_the_crash_is_not_made_again() {
    for reported in [false, true] {
        let mut app = breaching(BY_CALL).await;
        app.sync().await;
        app.evaluate().await;
        app.sms.reply_to_calls(SmsReply::Hang { taken: true });
        app.crash_while_sending().await;
        app.sms.reply_to_calls(SmsReply::Accept);
        app.resume().await;
        app.serve().await;
        if reported {
            app.sms.ring(Callee::PicksUp(None), Reports::InOrder).await;
        }
        app.wait(LEASE_OVER).await;
        assert_eq!(app.heard().len(), 1, "reported: {reported}");
        assert_eq!(called(&mut app).await, ["sent"]);
    }
}

#[tokio::test]
async fn what_twilio_did_not_sign_is_refused_and_changes_nothing() {
    let mut app = breaching(BY_CALL).await;
    let reach = app.serve().await;
    app.turn().await;
    let told = app.outbox().await.into_iter().find(|row| row.leased.notification.channel == ChannelKind::Voice);
    let key = told.unwrap().leased.notification.message.key;
    for (path, field) in [("voice", ("Digits", "1")), ("status", ("CallStatus", "busy"))] {
        let form = [("CallSid", "CA00000000000000000000000000000001"), field];
        let request = Client::new().post(format!("{reach}/hooks/twilio/{path}?n={key}"));
        let forged = request.header("X-Twilio-Signature", "Zm9yZ2Vk").form(&form).send().await.unwrap();
        assert_eq!(forged.status(), 403, "{path}");
    }
    assert_eq!((alert(&mut app).await.state(), called(&mut app).await), (State::Open, vec!["sent".to_owned()]));
}

#[tokio::test]
async fn many_breaches_are_one_call_and_a_one_acknowledges_them_all() {
    let mut app = TestApp::with(&format!("{VOICE}{BY_CALL}")).await;
    app.serve().await;
    for _ in 0..12 {
        app.superops.add(NewTicket { resolution_due_in: Some(minutes(5)), ..usual() });
    }
    app.turn().await;
    app.heard();
    app.wait(minutes(5) + TimeDelta::seconds(1)).await;
    let heard = app.heard();
    assert_eq!((heard.len(), heard[0].kind), (1, CaughtKind::Voice));
    assert!(heard[0].text.contains("12 "), "{}", heard[0].text);
    app.sms.ring(Callee::PicksUp(Some('1')), Reports::InOrder).await;
    let acme = TenantId::parse("acme").unwrap();
    let alerts = app.parts().store.alerts(&acme).await.unwrap();
    assert_eq!(alerts.iter().filter(|alert| alert.state() == State::Acknowledged).count(), 12);
}

#[tokio::test]
async fn a_one_pressed_in_a_call_that_is_reported_to_have_met_a_machine_acknowledges_all_its_alerts() {
    let mut app = TestApp::with(&format!("{VOICE}{BY_CALL}")).await;
    app.serve().await;
    for _ in 0..12 {
        app.superops.add(NewTicket { resolution_due_in: Some(minutes(5)), ..usual() });
    }
    app.turn().await;
    app.wait(minutes(5) + TimeDelta::seconds(1)).await;
    let answers = app.sms.ring(Callee::TakenForMachine('1'), Reports::InOrder).await;
    assert!(answers.last().is_some_and(|(_, answer)| answer.contains("Acknowledged.")), "{answers:?}");
    assert!(called(&mut app).await.iter().all(|state| state == "failed"), "it is told another way all the same");
    let acme = TenantId::parse("acme").unwrap();
    let alerts = app.parts().store.alerts(&acme).await.unwrap();
    assert_eq!(alerts.iter().filter(|alert| alert.state() == State::Acknowledged).count(), 12);
}

#[tokio::test]
async fn whoever_has_pressed_a_key_is_no_machine_whatever_is_reported_later() {
    for key in ['1', '2'] {
        let mut app = breaching(BY_CALL).await;
        app.turn().await;
        app.heard();
        app.sms.ring(Callee::MistakenForMachine(key), Reports::InOrder).await;
        app.dispatch().await;
        assert_eq!((app.said().as_str(), called(&mut app).await), ("", vec!["sent".to_owned()]), "{key}");
        let told = app.outbox().await.remove(0).leased.notification.message.key;
        let words = app.parts().store.delivery_words(std::slice::from_ref(&told)).await.unwrap();
        assert_eq!(words.get(&told).map(String::as_str), Some("answered"), "{key}");
    }
}

#[tokio::test]
async fn a_recovery_rings_no_phone() {
    let mut app = TestApp::with(&format!("{VOICE}{BY_CALL}")).await;
    let id = app.ticket(TimeDelta::hours(8));
    app.turn().await;
    app.wait(TimeDelta::hours(6)).await;
    assert_eq!(app.heard().len(), 1);
    app.superops.change_status(&id, "Resolved");
    app.wait(minutes(1)).await;
    assert_eq!(app.said(), "");
}

#[tokio::test]
async fn a_text_and_a_call_that_both_come_to_nothing_are_said_once_by_mail() {
    let steps = BY_CALL.replace("['voice']", "['sms', 'voice']");
    let mut app = breaching(&steps).await;
    app.sms.carrier(DeliveryOutcome::Undelivered(30003), Reports::InOrder);
    app.turn().await;
    app.heard();
    app.sms.deliver().await;
    app.dispatch().await;
    app.sms.ring(Callee::NoAnswer, Reports::InOrder).await;
    app.dispatch().await;
    let heard = app.heard();
    assert_eq!(heard.iter().map(|one| one.kind).collect::<Vec<_>>(), [CaughtKind::Email]);
}

#[tokio::test]
async fn a_text_that_is_lost_after_the_next_step_has_run_brings_no_later_step_forward() {
    let steps = "[[alerts.steps]]\nafter = '0s'\nnotify = ['sms:+15005550160']\n\
                 [[alerts.steps]]\nafter = '10m'\nnotify = ['email:next@example.com']\n\
                 [[alerts.steps]]\nafter = '2h'\nnotify = ['email:last@example.com']\n";
    let mut app = breaching(steps).await;
    app.sms.carrier(DeliveryOutcome::Undelivered(30003), Reports::InOrder);
    app.turn().await;
    app.wait(minutes(11)).await;
    assert!(app.said().contains("email next@example.com"));
    app.sms.deliver().await;
    app.wait(minutes(30)).await;
    assert_eq!(app.said(), "", "who comes after ten minutes was told");
    app.wait(minutes(90)).await;
    assert!(app.said().contains("email last@example.com"), "and the last in their time");
}

#[tokio::test]
async fn a_number_that_nothing_reached_of_late_is_tried_all_the_same_where_nobody_else_is_told() {
    let steps = "[[alerts.steps]]\nafter = '0s'\nnotify = ['sms:+15005550160']\n";
    let mut app = breaching(steps).await;
    app.sms.carrier(DeliveryOutcome::Undelivered(30005), Reports::InOrder);
    app.turn().await;
    app.sms.deliver().await;
    app.settle().await;
    app.heard();
    app.ticket(minutes(5));
    app.turn().await;
    app.wait(minutes(6)).await;
    let said = app.said();
    assert!(said.contains("text +15005550160"), "there is no other way: {said}");
}
