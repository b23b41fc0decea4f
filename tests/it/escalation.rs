//! Who hears of an alert, and when: the people whom SuperOps knows, or those the configuration names.

use chrono::TimeDelta;
use superops_sla::simulator::NewTicket;

use crate::support::{TestApp, minutes, usual};

/// A ticket of eight hours is at risk after six.
const WARNED: TimeDelta = TimeDelta::hours(6);

fn long() -> NewTicket {
    NewTicket { resolution_due_in: Some(TimeDelta::hours(8)), ..usual() }
}

fn unowned() -> NewTicket {
    NewTicket { technician: None, ..long() }
}

/// With a ticket that is at risk now, and everything said about that.
async fn warned(more: &str, ticket: NewTicket) -> TestApp {
    let mut app = TestApp::with(more).await;
    app.superops.add(ticket);
    app.turn().await;
    app.wait(WARNED).await;
    app
}

#[tokio::test]
async fn the_owner_is_told_first_then_the_manager_then_the_account_manager() {
    let mut app = warned("", long()).await;
    insta::assert_snapshot!(app.said(), @"email mateo.alvarez@example.com: At risk: 2 h left, resolution due 17:00 UTC");
    app.wait(minutes(14)).await;
    assert_eq!(app.said(), "");
    app.wait(minutes(1)).await;
    insta::assert_snapshot!(app.said(), @"email dana.whitfield@example.com: At risk: 1 h 45 min left, resolution due 17:00 UTC");
    app.wait(minutes(14)).await;
    assert_eq!(app.said(), "");
    app.wait(minutes(1)).await;
    insta::assert_snapshot!(app.said(), @"email ingrid.sorensen@example.com: At risk: 1 h 30 min left, resolution due 17:00 UTC");
    app.wait(minutes(50)).await;
    assert_eq!(app.said(), "", "no step is left");
}

#[tokio::test]
async fn a_message_says_why_it_came_to_this_person() {
    let mut app = warned("", long()).await;
    app.wait(minutes(15)).await;
    app.wait(minutes(15)).await;
    let mails = app.heard();
    let why = |text: &str| text.lines().find(|line| line.starts_with("You get this")).unwrap().to_owned();
    let reasons: Vec<_> = mails.iter().map(|mail| why(&mail.text)).collect();
    assert_eq!(mails[1].text.lines().nth(1), Some(reasons[1].as_str()), "after the first step it comes at once");
    insta::assert_snapshot!(reasons.join("\n"), @r"
    You get this because you own this ticket.
    You get this because you manage Mateo Alvarez, who owns this ticket (escalation step 2).
    You get this because you manage this client's account (escalation step 3).
    ");
}

#[tokio::test]
async fn configured_steps_replace_the_usual_ones() {
    let steps = "[[alerts.steps]]\nafter = '0s'\nnotify = ['email:duty@example.com', 'sms:+15005550199']\n\
                 [[alerts.steps]]\nafter = '5m'\nnotify = ['manager']\nchannels = ['sms']\n";
    let mut app = warned(steps, long()).await;
    insta::assert_snapshot!(app.said(), @r"
    email duty@example.com: At risk: 2 h left, resolution due 17:00 UTC
    text +15005550199: SLA at risk: High, Globex Corporation: resolution due 17:00 UTC. 112326-0008 Mail server down. 2 h left. Mateo Alvarez #649710
    ");
    app.wait(minutes(5)).await;
    insta::assert_snapshot!(app.said(), @"text +15005550100: SLA at risk: High, Globex Corporation: resolution due 17:00 UTC. 112326-0008 Mail server down. 1 h 55 min left. Mateo Alvarez #31893b");
    app.wait(minutes(60)).await;
    assert_eq!(app.said(), "");
}

#[tokio::test]
async fn a_first_step_may_wait() {
    let steps = "[[alerts.steps]]\nafter = '10m'\nnotify = ['technician']\n";
    let mut app = warned(steps, long()).await;
    assert_eq!(app.said(), "");
    app.wait(minutes(10)).await;
    assert_eq!(app.heard().len(), 1);
}

#[tokio::test]
async fn a_later_step_may_tell_the_same_person_on_another_channel() {
    let steps = "[[alerts.steps]]\nafter = '0s'\nnotify = ['technician']\nchannels = ['email']\n\
                 [[alerts.steps]]\nafter = '5m'\nnotify = ['technician']\nchannels = ['email', 'sms']\n";
    let mut app = warned(steps, long()).await;
    assert_eq!(app.heard().len(), 1);
    app.wait(minutes(5)).await;
    insta::assert_snapshot!(app.said(), @"text +15005550101: SLA at risk: High, Globex Corporation: resolution due 17:00 UTC. 112326-0008 Mail server down. 1 h 55 min left. Mateo Alvarez #9ffa05");
}

#[tokio::test]
async fn whoever_is_named_by_an_address_as_well_is_told_once_by_each_channel() {
    let steps = "[[alerts.steps]]\nafter = '0s'\n\
                 notify = ['email:Mateo.Alvarez@example.com', 'technician', 'sms:+15005550101']\n\
                 [[alerts.steps]]\nafter = '5m'\nnotify = ['email:MATEO.ALVAREZ@example.com']\n\
                 [[alerts.steps]]\nafter = '10m'\nnotify = ['email:Boss@example.com', 'email:boss@example.com']\n";
    let mut app = warned(steps, long()).await;
    let heard = app.heard();
    let mut ways: Vec<_> = heard.iter().map(|one| format!("{:?} {}", one.kind, one.to)).collect();
    ways.sort();
    assert_eq!(ways, ["Email mateo.alvarez@example.com", "Sms +15005550101"]);
    assert!(heard.iter().any(|one| one.text.contains("You get this because you own this ticket.")));
    app.wait(minutes(5)).await;
    assert_eq!(app.said(), "", "he knows by mail");
    app.wait(minutes(5)).await;
    let said = app.said();
    assert!(said.starts_with("email Boss@example.com: At risk") && said.lines().count() == 1, "{said}");
}

#[tokio::test]
async fn a_number_of_the_owner_that_is_named_to_be_called_is_kept_for_the_breach() {
    let steps = "[notify.voice]\nfrom = '+15005550007'\n\
                 [[alerts.steps]]\nafter = '0s'\nnotify = ['call:+15005550101']\n\
                 [[alerts.steps]]\nafter = '5h'\nnotify = ['email:next@example.com']\n";
    let mut app = warned(steps, long()).await;
    assert_eq!(app.said(), "", "he is not rung up for a warning, nor told another way");
    app.wait(minutes(121)).await;
    let said = app.said();
    assert!(said.starts_with("call +15005550101: ") && said.lines().count() == 1, "{said}");
}

#[tokio::test]
async fn a_ticket_that_nobody_owns_goes_to_its_group_and_onward_at_once() {
    let mut app = warned("", unowned()).await;
    insta::assert_snapshot!(app.said(), @r"
    email ingrid.sorensen@example.com: At risk: 2 h left, resolution due 17:00 UTC
    email mateo.alvarez@example.com: At risk: 2 h left, resolution due 17:00 UTC
    email soren.odegard@example.com: At risk: 2 h left, resolution due 17:00 UTC
    email yuki.tanaka@example.com: At risk: 2 h left, resolution due 17:00 UTC
    email zoe.obrien@example.com: At risk: 2 h left, resolution due 17:00 UTC
    ");
}

#[tokio::test]
async fn an_alert_that_reaches_nobody_is_told_as_soon_as_somebody_can_be_reached() {
    let nobodys = NewTicket { group: None, client: None, ..unowned() };
    let mut app = warned("", nobodys).await;
    app.wait(minutes(50)).await;
    assert_eq!(app.said(), "");

    let id = app.superops.tickets().last().unwrap().id.to_string();
    let owned = app.superops.add(NewTicket::default());
    let owner = app.superops.ticket(&owned).unwrap().technician;
    app.superops.patch(&id, |ticket| ticket.technician = owner);
    app.wait(minutes(5)).await;
    insta::assert_snapshot!(app.said(), @"email mateo.alvarez@example.com: At risk: 1 h 5 min left, resolution due 17:00 UTC");
    app.wait(minutes(14)).await;
    assert_eq!(app.said(), "");
    app.wait(minutes(1)).await;
    insta::assert_snapshot!(app.said(), @"email dana.whitfield@example.com: At risk: 50 min left, resolution due 17:00 UTC");
}

#[tokio::test]
async fn after_a_pause_the_steps_lie_as_far_apart_as_before() {
    let mut app = warned("", long()).await;
    assert_eq!(app.heard().len(), 1);
    let id = app.superops.tickets().last().unwrap().id.to_string();
    app.superops.change_status(&id, "On Hold");
    app.wait(minutes(60)).await;
    app.superops.change_status(&id, "In Progress");
    app.wait(minutes(1)).await;
    app.wait(minutes(14)).await;
    assert_eq!(app.said(), "");
    app.wait(minutes(1)).await;
    insta::assert_snapshot!(app.said(), @"email dana.whitfield@example.com: At risk: 44 min left, resolution due 17:00 UTC");
    app.wait(minutes(15)).await;
    insta::assert_snapshot!(app.said(), @"email ingrid.sorensen@example.com: At risk: 29 min left, resolution due 17:00 UTC");
}

#[tokio::test]
async fn after_a_downtime_only_the_step_that_holds_now_runs_and_once() {
    let mut app = warned("", long()).await;
    assert_eq!(app.heard().len(), 1);
    app.stop().await;
    app.clock.advance(minutes(40));
    app.resume().await;
    app.turn().await;
    insta::assert_snapshot!(app.said(), @"email ingrid.sorensen@example.com: At risk: 1 h 20 min left, resolution due 17:00 UTC");
    app.wait(minutes(30)).await;
    assert_eq!(app.said(), "");
}
