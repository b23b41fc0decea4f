//! Never noise: storms are one message, nights end in one digest, and no limit loses anything.

use chrono::TimeDelta;
use superops_sla::simulator::receivers::{CaughtKind, MailReply, SmsReply};

use crate::support::{TestApp, minutes};

const TICK: TimeDelta = TimeDelta::milliseconds(1);
const BY_TEXT: &str = "[[alerts.steps]]\nafter = '0s'\nnotify = ['technician']\nchannels = ['sms']\n";
const ONE_STEP: &str = "[[alerts.steps]]\nafter = '0s'\nnotify = ['technician']\n";
const BY_NIGHT: &str = "[alerts.quiet_hours]\nfrom = '09:30'\nuntil = '11:00'\ntimezone = 'UTC'\n";
/// A lease is shorter.
const LEASE_OVER: TimeDelta = TimeDelta::seconds(31);

/// With `number` tickets of an hour each, and their warnings in the outbox.
async fn storm(number: usize, more: &str) -> (TestApp, Vec<String>) {
    let mut app = TestApp::with(more).await;
    let ids = (0..number).map(|_| app.ticket(minutes(60))).collect();
    app.turn().await;
    app.clock.advance(minutes(45));
    app.evaluate().await;
    (app, ids)
}

async fn display_ids(app: &mut TestApp) -> Vec<String> {
    let scope = superops_sla::service::Reach::All;
    let tickets = app.parts().service.tickets(&scope, &Default::default()).await.unwrap().tickets;
    tickets.into_iter().map(|ticket| ticket.display_id).collect()
}

#[tokio::test]
async fn a_storm_is_one_message_on_each_channel_that_names_every_ticket() {
    let (mut app, _) = storm(14, "").await;
    app.dispatch().await;
    let mails = app.heard();
    assert_eq!(mails.len(), 1);
    assert_eq!(mails[0].subject, "[SLA] Globex Corporation: 14 at risk, first due 10:00 UTC");
    for id in display_ids(&mut app).await {
        assert!(mails[0].text.contains(&id), "{id} is named");
    }
    app.wait(minutes(15) + TICK).await;
    insta::assert_snapshot!(app.said(), @r"
    email mateo.alvarez@example.com: Globex Corporation: 14 breached, first was due 10:00 UTC
    text +15005550101: SLA: 14 breached, first was due 10:00 UTC. Worst: High, Globex Corporation: resolution. 112326-0009 Mail server down. Also 112326-0008, 112326-0015 #f5ca38
    ");
    let rows_and_bundles = (14 + 1) + 2 * (14 + 1);
    assert_eq!(app.states().await, [("sent".to_owned(), rows_and_bundles)].into());
}

#[tokio::test]
async fn those_told_in_a_bundle_are_told_of_the_recovery_too() {
    let (mut app, ids) = storm(4, "").await;
    app.dispatch().await;
    let bundle = app.heard().remove(0);
    app.superops.change_status(&ids[0], "Resolved");
    app.wait(minutes(1)).await;
    let notice = app.heard().remove(0);
    insta::assert_snapshot!(notice.text.lines().next().unwrap(), @"OK: resolved 15 min before it was due");
    assert_eq!(notice.to, bundle.to);
    assert_eq!(notice.header("in-reply-to"), bundle.header("message-id"), "in the thread in which it was told");
}

#[tokio::test]
async fn what_resolves_before_its_bundle_is_taken_is_left_out_of_it() {
    let (mut app, ids) = storm(4, "").await;
    app.mail.reply(MailReply::TryLater);
    app.dispatch().await;
    app.mail.reply(MailReply::Accept);
    app.superops.change_status(&ids[0], "Resolved");
    app.wait(minutes(1)).await;
    let mails = app.heard();
    assert_eq!(mails.len(), 1);
    assert!(mails[0].subject.contains(": 3 at risk, first due"), "{}", mails[0].subject);
}

#[tokio::test]
async fn a_bundle_of_which_nothing_holds_any_more_is_not_sent() {
    let (mut app, ids) = storm(4, "").await;
    app.mail.reply(MailReply::TryLater);
    app.dispatch().await;
    app.mail.reply(MailReply::Accept);
    ids.iter().for_each(|id| app.superops.change_status(id, "Resolved"));
    app.wait(minutes(1)).await;
    assert_eq!(app.said(), "");
    assert_eq!(app.states().await, [("cancelled".to_owned(), 5)].into());
}

#[tokio::test]
async fn a_bundle_that_left_before_a_crash_is_repeated_under_the_same_name() {
    let (mut app, _) = storm(5, "").await;
    app.mail.reply(MailReply::CloseAfterData);
    app.crash_while_sending().await;
    app.mail.reply(MailReply::Accept);
    app.resume().await;
    app.wait(LEASE_OVER).await;
    let mails = app.heard();
    assert_eq!(mails.len(), 2);
    assert_eq!(mails[0].header("message-id"), mails[1].header("message-id"), "a receiver drops the second");
    assert_eq!(app.states().await, [("sent".to_owned(), 6)].into());
}

#[tokio::test]
async fn a_bundled_text_that_left_before_a_crash_is_looked_up_and_not_sent_again() {
    let (mut app, _) = storm(5, BY_TEXT).await;
    app.sms.reply(SmsReply::Hang { taken: true });
    app.crash_while_sending().await;
    app.sms.reply(SmsReply::Accept);
    app.resume().await;
    app.wait(LEASE_OVER).await;
    assert_eq!((app.caught.total(), app.states().await), (1, [("sent".to_owned(), 6)].into()));
}

#[tokio::test]
async fn a_bundle_that_is_refused_moves_on_to_the_next_channel_as_one() {
    let (mut app, _) = storm(5, BY_TEXT).await;
    app.sms.reply(SmsReply::Code(21610));
    app.dispatch().await;
    app.settle().await;
    let heard = app.heard();
    assert_eq!(heard.len(), 1);
    assert_eq!((heard[0].kind, heard[0].subject.contains(": 5 at risk, first due")), (CaughtKind::Email, true));
    assert_eq!(app.states().await, [("failed".to_owned(), 6), ("sent".to_owned(), 6)].into());
}

#[tokio::test]
async fn quiet_hours_end_in_one_digest_to_each_person_without_what_resolved() {
    let mut app = TestApp::with(BY_NIGHT).await;
    let ids: Vec<_> = (0..3).map(|nth| app.ticket(minutes(60 + 5 * nth))).collect();
    app.turn().await;
    for _ in 0..3 {
        app.wait(minutes(25)).await;
        assert_eq!(app.said(), "", "it is night");
    }
    app.superops.change_status(&ids[0], "Resolved");
    app.wait(minutes(44)).await;
    assert_eq!(app.said(), "", "the last minute of it");
    let held = app.outbox().await.into_iter().filter(|row| row.state == "pending").collect::<Vec<_>>();
    assert!(held.iter().all(|row| row.held_by.as_deref() == Some("quiet_hours")), "the page says why they wait");
    app.wait(minutes(1)).await;
    let digest = app.caught.newest_first(9).into_iter().find(|one| one.to == "mateo.alvarez@example.com").unwrap();
    assert_eq!(digest.subject, "[SLA] After quiet hours: Globex Corporation: 2 breached, first was due 10:05 UTC");
    let seen = app.parts().store.highlights().await.unwrap();
    assert_eq!((seen.digests, seen.recoveries, seen.by_link), (4, 0, 0));
    insta::assert_snapshot!(app.said(), @r"
    email ingrid.sorensen@example.com: Globex Corporation: 2 breached, first was due 10:05 UTC
    email mateo.alvarez@example.com: Globex Corporation: 2 breached, first was due 10:05 UTC
    text +15005550101: SLA: 2 breached, first was due 10:05 UTC. Worst: High, Globex Corporation: resolution. 112326-0009 Mail server down. Also 112326-0010 #5f4c05
    text +15005550102: SLA: 2 breached, first was due 10:05 UTC. Worst: High, Globex Corporation: resolution. 112326-0009 Mail server down. Also 112326-0010 #6bc6a4
    ");
}

#[tokio::test]
async fn a_breach_whose_mail_is_refused_while_texts_are_quiet_is_told_to_the_next_people_at_once() {
    let steps = "[[escalations]]\nname = 'late'\nstage = 'breached'\n\
                 [[escalations.steps]]\nafter = '0s'\nnotify = ['technician']\nchannels = ['email']\n\
                 [[escalations.steps]]\nafter = '30m'\nnotify = ['email:boss@example.com']\n";
    for is_refused in [true, false] {
        let mut app = TestApp::with(&format!("{BY_NIGHT}channels = ['sms']\n{steps}")).await;
        app.ticket(minutes(60));
        app.turn().await;
        app.wait(minutes(45)).await;
        app.heard();
        app.clock.advance(minutes(15) + TICK);
        app.sync().await;
        app.evaluate().await;
        app.mail.reply(if is_refused { MailReply::NoSuchUser } else { MailReply::Accept });
        app.dispatch().await;
        app.mail.reply(MailReply::Accept);
        app.settle().await;
        let said = app.said();
        assert_eq!((said.contains("email boss"), said.contains("email mateo")), (is_refused, !is_refused), "{said}");
        assert!(!said.contains("text"), "{said}");
    }
}

#[tokio::test]
async fn a_priority_that_is_excepted_is_told_at_any_hour() {
    let mut app = TestApp::with(&format!("{BY_NIGHT}except = ['High']\n{ONE_STEP}")).await;
    app.ticket(minutes(60));
    app.turn().await;
    app.wait(minutes(45)).await;
    assert_eq!(app.said().lines().count(), 1);
}

#[tokio::test]
async fn the_second_text_within_a_minute_waits_until_the_minute_is_over() {
    let mut app = TestApp::with(BY_TEXT).await;
    for seconds in [0, 20, 25] {
        app.ticket(minutes(60) + TimeDelta::seconds(seconds));
    }
    app.turn().await;
    app.wait(minutes(45)).await;
    assert_eq!(app.said().lines().count(), 1, "the first is told at once");
    app.wait(TimeDelta::seconds(30)).await;
    assert_eq!(app.said(), "");
    app.wait(TimeDelta::seconds(29)).await;
    assert_eq!(app.said(), "");
    app.wait(TimeDelta::seconds(1)).await;
    insta::assert_snapshot!(app.said(), @"text +15005550101: SLA: 2 at risk, first due 10:00 UTC. Worst: High, Globex Corporation: resolution. 112326-0009 Mail server down. Also 112326-0010 #5998b4");
}

#[tokio::test]
async fn over_the_days_budget_an_email_says_it_and_what_has_no_email_waits() {
    let limits = "[alerts.limits]\nsms_per_number = []\nsms_per_day = 1\n";
    let mut app =
        TestApp::with(&format!("{limits}{BY_TEXT}[[alerts.steps]]\nafter = '5m'\nnotify = ['sms:+15005550199']\n"))
            .await;
    app.ticket(minutes(60));
    app.ticket(minutes(64));
    app.turn().await;
    app.wait(minutes(45)).await;
    assert_eq!(app.said().lines().count(), 1);
    app.wait(minutes(3)).await;
    insta::assert_snapshot!(app.said(), @"email mateo.alvarez@example.com: At risk: 16 min left, resolution due 10:04 UTC");
    app.wait(minutes(2)).await;
    assert_eq!(app.said(), "", "a number without an address waits");
    let texts = |app: &mut TestApp| app.heard().iter().filter(|caught| caught.kind == CaughtKind::Sms).count();
    for some in [20, 6] {
        app.wait(minutes(some)).await;
    }
    app.wait(TimeDelta::hours(24) - minutes(32)).await;
    assert_eq!(texts(&mut app), 0, "a minute before the first is a day old");
    app.wait(minutes(1)).await;
    assert_eq!(texts(&mut app), 1, "one message says all that waited");
}

#[tokio::test]
async fn a_breach_that_waits_for_tomorrows_text_messages_is_told_to_the_next_people_at_once() {
    let steps = "[[escalations]]\nname = 'late'\nstage = 'breached'\n\
                 [[escalations.steps]]\nafter = '0s'\nnotify = ['sms:+15005550199']\n\
                 [[escalations.steps]]\nafter = '2h'\nnotify = ['email:boss@example.com']\n";
    let limits = "[alerts.limits]\nsms_per_number = []\nsms_per_day = 1\n";
    let mut app = TestApp::with(&format!("{limits}{steps}")).await;
    app.ticket(minutes(60));
    app.ticket(minutes(70));
    app.turn().await;
    app.wait(minutes(65)).await;
    let said = app.said();
    assert!(said.contains("text +15005550199") && !said.contains("boss"), "{said}");
    app.wait(minutes(6)).await;
    let said = app.said();
    assert!(said.contains("email boss@example.com") && !said.contains("text +15005550199"), "{said}");
}

#[tokio::test]
async fn the_weekly_figure_says_what_came_of_the_alerts() {
    let (mut app, ids) = storm(5, ONE_STEP).await;
    app.dispatch().await;
    app.clock.advance(minutes(1));
    app.superops.change_status(&ids[0], "In Progress");
    app.wait(minutes(5)).await;
    app.superops.change_status(&ids[1], "Resolved");
    app.wait(minutes(5)).await;
    app.wait(minutes(61)).await;
    let scope = superops_sla::service::Reach::All;
    let weeks = app.parts().service.weekly(&scope, None).await.unwrap().weeks;
    assert_eq!(weeks.len(), 1);
    let week = &weeks[0];
    assert_eq!((week.week.as_str(), week.from), ("2026-W48", "2026-11-23T00:00:00Z".parse().unwrap()));
    assert_eq!((week.alerts, week.acknowledged, week.acted_before_breach, week.ignored), (5, 0, 2, 3));
    let sent = app.outbox().await.into_iter().filter(|row| row.state == "sent" && row.bundle.is_none()).count();
    assert_eq!(week.messages, i64::try_from(sent).unwrap());
}

#[tokio::test]
async fn five_hundred_breaches_are_one_message_to_each_person_on_each_channel() {
    let mut app = TestApp::with(ONE_STEP).await;
    for _ in 0..500 {
        app.ticket(minutes(60));
    }
    app.turn().await;
    app.wait(minutes(60) + TICK).await;
    let heard = app.heard();
    let kinds: Vec<_> = heard.iter().map(|caught| (caught.kind, caught.text.contains("500 breached"))).collect();
    assert_eq!(heard.len(), 2, "{kinds:?}");
    assert!(kinds.iter().all(|(_, counted)| *counted), "{kinds:?}");
}
