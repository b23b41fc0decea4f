//! How alerts end: met in time, paused, moved, gone; and what comes after.

use std::sync::Arc;

use chrono::TimeDelta;
use superops_sla::alert::escalation::ChannelKind;
use superops_sla::alert::noise::Rules;
use superops_sla::service::Reach;
use superops_sla::service::alerts::AlertQuery;
use superops_sla::simulator::NewTicket;
use superops_sla::simulator::receivers::MailReply;
use superops_sla::store::outbox::{Attempted, Outcome};

use crate::support::{TestApp, minutes, usual};

/// With a ticket of eight hours, six of them over: its warning is due.
async fn about_to_warn() -> (TestApp, String) {
    let app = TestApp::start().await;
    warn_in(app, TimeDelta::hours(6)).await
}

async fn warn_in(mut app: TestApp, wait: TimeDelta) -> (TestApp, String) {
    let id = app.ticket(TimeDelta::hours(8));
    app.turn().await;
    app.clock.advance(wait);
    (app, id)
}

async fn warned() -> (TestApp, String) {
    let (mut app, id) = about_to_warn().await;
    app.turn().await;
    assert_eq!(app.heard().len(), 1);
    (app, id)
}

#[tokio::test]
async fn those_who_were_told_hear_that_it_was_resolved_in_time_in_the_same_thread() {
    let (mut app, id) = about_to_warn().await;
    app.turn().await;
    let warning = app.heard().remove(0);
    app.superops.change_status(&id, "Resolved");
    app.wait(minutes(1)).await;
    let notice = app.heard();
    insta::assert_snapshot!(notice[0].text.lines().next().unwrap(), @"OK: resolved 2 h before it was due");
    assert_eq!((notice.len(), &notice[0].to), (1, &warning.to), "the manager was not told, and hears nothing");
    assert_eq!(notice[0].header("in-reply-to"), warning.header("message-id"));
    assert_ne!(notice[0].header("message-id"), warning.header("message-id"));
    app.wait(minutes(60)).await;
    assert_eq!(app.said(), "");
}

#[tokio::test]
async fn a_clock_that_was_set_back_makes_nothing_safer_and_nothing_news() {
    for back in [TimeDelta::milliseconds(1), minutes(5)] {
        let (mut app, _) = warned().await;
        app.clock.advance(-back);
        app.turn().await;
        app.wait(back).await;
        assert_eq!(app.said(), "", "he knows");
        app.wait(minutes(15)).await;
        assert!(app.said().contains("dana.whitfield"), "and the steps go on in their time");
    }
}

#[tokio::test]
async fn what_a_clock_far_ahead_has_told_ends_and_is_told_again_in_its_time() {
    let (mut app, _) = warned().await;
    app.clock.advance(-minutes(40));
    app.restart().await;
    app.turn().await;
    let said = app.said();
    assert!(said.contains("Alert ended: alerted too early: our system clock was ahead"), "{said}");
    app.wait(minutes(38)).await;
    assert_eq!(app.said(), "", "it is not time yet");
    app.wait(minutes(3)).await;
    assert!(app.said().contains("At risk: "), "and now it is news");
}

#[tokio::test]
async fn nothing_is_said_of_what_was_resolved_before_anything_left() {
    let (mut app, id) = about_to_warn().await;
    app.mail.reply(MailReply::TryLater);
    app.turn().await;
    app.superops.change_status(&id, "Resolved");
    app.mail.reply(MailReply::Accept);
    app.wait(minutes(10)).await;
    assert_eq!((app.said().as_str(), app.states().await), ("", [("cancelled".to_owned(), 1)].into()));
}

#[tokio::test]
async fn resolved_too_late_is_no_recovery() {
    let (mut app, id) = warned().await;
    app.wait(TimeDelta::hours(2) + minutes(1)).await;
    app.heard();
    app.superops.change_status(&id, "Resolved");
    app.wait(minutes(1)).await;
    assert_eq!(app.said(), "");
}

#[tokio::test]
async fn a_pause_withdraws_and_a_resume_does_not_repeat() {
    let (mut app, id) = warned().await;
    app.superops.change_status(&id, "Waiting on Customer");
    app.wait(minutes(20)).await;
    assert_eq!(app.said(), "", "while it waits, nobody is to act");
    app.superops.change_status(&id, "In Progress");
    app.wait(minutes(1)).await;
    assert_eq!(app.said(), "", "the owner was told before");
}

#[tokio::test]
async fn what_a_pause_withdrew_before_it_left_is_told_when_work_goes_on() {
    let (mut app, id) = about_to_warn().await;
    app.mail.reply(MailReply::TryLater);
    app.turn().await;
    app.superops.change_status(&id, "Waiting on Customer");
    app.wait(minutes(20)).await;
    app.mail.reply(MailReply::Accept);
    app.wait(minutes(20)).await;
    assert_eq!(app.said(), "");
    app.superops.change_status(&id, "In Progress");
    app.wait(minutes(1)).await;
    insta::assert_snapshot!(app.said(), @"email mateo.alvarez@example.com: At risk: 1 h 19 min left, resolution due 17:00 UTC");
    app.restart().await;
    app.wait(minutes(1)).await;
    assert_eq!(app.said(), "");
}

#[tokio::test]
async fn more_time_ends_the_alert_and_the_next_danger_is_told_anew() {
    let (mut app, id) = warned().await;
    let later = app.now() + TimeDelta::hours(8);
    app.superops.patch(&id, |ticket| ticket.resolution.due = Some(later));
    app.wait(minutes(20)).await;
    assert_eq!(app.said(), "");
    app.wait(TimeDelta::hours(6)).await;
    insta::assert_snapshot!(app.said(), @"email mateo.alvarez@example.com: At risk: 1 h 40 min left, resolution due 23:00 UTC");
}

#[tokio::test]
async fn a_step_tells_the_due_time_that_holds_now() {
    let (mut app, id) = warned().await;
    let later = app.now() + TimeDelta::hours(2) + minutes(5);
    app.superops.patch(&id, |ticket| ticket.resolution.due = Some(later));
    app.wait(minutes(15)).await;
    insta::assert_snapshot!(app.said(), @"email dana.whitfield@example.com: At risk: 1 h 50 min left, resolution due 17:05 UTC");
}

#[tokio::test]
async fn a_reopened_ticket_is_warned_about_again() {
    let (mut app, id) = warned().await;
    app.superops.change_status(&id, "Resolved");
    app.wait(minutes(1)).await;
    app.heard();
    app.superops.change_status(&id, "Reopened");
    app.wait(minutes(1)).await;
    insta::assert_snapshot!(app.said(), @"email mateo.alvarez@example.com: At risk: 1 h 58 min left, resolution due 17:00 UTC");
}

#[tokio::test]
async fn an_alert_is_found_by_its_number_though_another_ticket_has_that_number_now() {
    let (mut app, id) = warned().await;
    app.superops.patch(&id, |ticket| ticket.display_id = "D70".to_owned());
    app.turn().await;
    app.superops.remove(&id);
    let twin = app.ticket(TimeDelta::hours(8));
    app.superops.patch(&twin, |ticket| ticket.display_id = "D70".to_owned());
    app.turn().await;
    for sort in [None, Some("due".to_owned())] {
        let query = AlertQuery { ticket: Some("D70".to_owned()), sort, ..AlertQuery::default() };
        let found = app.parts().service.alerts(&Reach::All, &query).await.unwrap();
        assert_eq!(found.alerts.iter().map(|alert| &alert.ticket_id).collect::<Vec<_>>(), [&id]);
    }
}

#[tokio::test]
async fn a_ticket_whose_status_says_that_it_was_merged_or_deleted_takes_its_alert_with_it() {
    for (status, closing) in [("Merged", "merged"), ("Deleted", "deleted")] {
        let (mut app, id) = warned().await;
        app.superops.patch(&id, |ticket| ticket.status = Some(status.into()));
        app.wait(minutes(1)).await;
        app.wait(TimeDelta::hours(3)).await;
        assert_eq!(app.said(), "", "no further step, no breach, and no recovery");
        let query = AlertQuery { state: Some("resolved".to_owned()), ..AlertQuery::default() };
        let page = app.parts().service.alerts(&Reach::All, &query).await.unwrap();
        assert_eq!(page.alerts.iter().map(|alert| alert.closing).collect::<Vec<_>>(), [Some(closing)]);
    }
}

#[tokio::test]
async fn a_resolved_ticket_that_moves_on_to_an_unlisted_status_is_neither_warned_of_nor_breached() {
    let mut app = TestApp::start().await;
    let id = app.ticket(TimeDelta::hours(8));
    app.turn().await;
    app.superops.change_status(&id, "Resolved");
    app.wait(minutes(10)).await;
    app.superops.patch(&id, |ticket| ticket.status = Some("Completed".into()));
    app.wait(TimeDelta::hours(9)).await;
    assert_eq!(app.said(), "");
    // Somebody works on it again, long past its due time.
    app.superops.change_status(&id, "In Progress");
    app.wait(minutes(1)).await;
    assert_ne!(app.said(), "");
}

#[tokio::test]
async fn a_ticket_that_vanishes_takes_its_alert_with_it_and_returns_quietly() {
    let (mut app, id) = warned().await;
    app.superops.remove(&id);
    for _ in 0..12 {
        app.wait(minutes(1)).await;
    }
    app.wait(minutes(20)).await;
    assert_eq!(app.said(), "", "no further step, and no recovery");
    app.superops.restore(&id);
    app.wait(minutes(5)).await;
    assert_eq!(app.said(), "", "its owner knows");
    app.wait(minutes(15)).await;
    insta::assert_snapshot!(app.said(), @"email dana.whitfield@example.com: At risk: 1 h 8 min left, resolution due 17:00 UTC");
}

#[tokio::test]
async fn what_is_withdrawn_while_an_attempt_is_under_way_is_not_tried_again() {
    let (mut app, id) = about_to_warn().await;
    app.sync().await;
    app.evaluate().await;
    let now = app.now();
    let store = app.parts().store.clone();
    let leased = store
        .lease_due(ChannelKind::Email, 9, minutes(1), &Arc::new(Rules::singly()), &Default::default(), now)
        .await
        .unwrap()
        .leased
        .remove(0);
    app.superops.change_status(&id, "Resolved");
    app.turn().await;
    let again =
        Outcome::Again { at: now, why: "451".to_owned(), unreported: 0, next_channel_too: true, next_step_too: true };
    store.record_attempts([Attempted { leased, outcome: again, at: now }].into()).await.unwrap();
    let alert_mails = |app: &mut TestApp| app.heard().iter().filter(|mail| mail.text.starts_with("At risk")).count();
    app.wait(minutes(5)).await;
    assert_eq!(alert_mails(&mut app), 0);
}

#[tokio::test]
async fn two_people_with_one_mailbox_do_not_lose_each_others_mail() {
    let mut app =
        TestApp::with("[[alerts.steps]]\nafter = '0s'\nnotify = ['technician']\nchannels = ['email']\n").await;
    let id = app.ticket(TimeDelta::hours(8));
    let other = app.superops.add(NewTicket { technician: Some("Yuki Tanaka".to_owned()), ..usual() });
    app.turn().await;
    app.wait(TimeDelta::hours(6)).await;
    let yuki = app.superops.ticket(&other).unwrap().technician;
    app.superops.patch(&id, |ticket| ticket.technician = yuki);
    app.wait(TimeDelta::hours(2) + minutes(1)).await;
    let ids: Vec<_> = app.heard().iter().map(|mail| mail.header("message-id").unwrap().to_owned()).collect();
    assert_eq!(ids.len(), 2);
    assert_ne!(ids[0], ids[1]);
}
