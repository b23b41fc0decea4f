//! From a ticket to an email and a text message, told once.

use chrono::TimeDelta;
use superops_sla::simulator::NewTicket;

use crate::support::{TestApp, minutes, usual};

const TICK: TimeDelta = TimeDelta::milliseconds(1);

#[tokio::test]
async fn a_ticket_is_warned_about_by_email_and_its_breach_told_by_email_and_text() {
    let mut app = TestApp::start().await;
    app.ticket(minutes(60));
    app.turn().await;
    assert_eq!(app.said(), "", "nothing is wrong yet");

    app.wait(minutes(45)).await;
    insta::assert_snapshot!(app.said(), @"email mateo.alvarez@example.com: At risk: 15 min left, resolution due 10:00 UTC");
    app.wait(minutes(15) + TICK).await;
    insta::assert_snapshot!(app.said(), @r"
    email mateo.alvarez@example.com: Just breached: resolution was due 10:00 UTC
    text +15005550101: SLA BREACHED: High, Globex Corporation: resolution was due 10:00 UTC. 112326-0008 Mail server down. Mateo Alvarez #12dc64
    ");
}

#[tokio::test]
async fn what_was_told_is_not_told_again() {
    let mut app = TestApp::start().await;
    app.ticket(minutes(60));
    app.turn().await;
    app.wait(minutes(45)).await;
    assert_eq!(app.heard().len(), 1);
    for _ in 0..3 {
        app.wait(minutes(1)).await;
        app.restart().await;
        app.turn().await;
    }
    assert_eq!(app.said(), "");
}

#[tokio::test]
async fn an_alert_is_raised_at_the_instant_its_clock_calls_for_it_and_not_before() {
    let mut app = TestApp::start().await;
    app.ticket(minutes(60));
    app.turn().await;
    let risky = app.now() + minutes(45);
    assert_eq!(app.evaluate().await.next, Some(risky));
    app.clock.set(risky - TICK);
    assert_eq!(app.evaluate().await.raised, 0);
    app.clock.set(risky);
    assert_eq!(app.evaluate().await.raised, 1);
    app.clock.set(risky + minutes(15));
    let at_due = app.evaluate().await;
    assert_eq!((at_due.raised, at_due.next), (0, Some(app.now() + TICK)), "what is met at its due time is met");
    app.clock.advance(TICK);
    assert_eq!(app.evaluate().await.raised, 1);
}

#[tokio::test]
async fn both_clocks_of_a_ticket_are_watched() {
    let mut app = TestApp::start().await;
    let due = |minutes| Some(TimeDelta::minutes(minutes));
    let id = app.superops.add(NewTicket { response_due_in: due(20), resolution_due_in: due(80), ..usual() });
    app.turn().await;
    app.wait(minutes(15)).await;
    insta::assert_snapshot!(app.said(), @"email mateo.alvarez@example.com: At risk: 5 min left, first response due 09:20 UTC");
    let now = app.now();
    app.superops.patch(&id, |ticket| ticket.first_response.met_at = Some(now));
    app.wait(minutes(45)).await;
    insta::assert_snapshot!(app.said(), @r"
    email mateo.alvarez@example.com: At risk: 20 min left, resolution due 10:20 UTC
    email mateo.alvarez@example.com: OK: first response given 5 min before it was due
    ");
}

#[tokio::test]
async fn a_warning_reads_well() {
    let mut app = TestApp::start().await;
    app.ticket(minutes(60));
    app.turn().await;
    app.wait(minutes(45)).await;
    let mail = app.heard().remove(0);
    let (_, token) = mail.text.split_once("/a/").unwrap();
    let token = token.lines().next().unwrap();
    insta::assert_snapshot!(mail.text.replace(token, "TOKEN"), @r"
    At risk: 15 min left, resolution due 10:00 UTC
    112326-0008 Mail server down
    High priority, Globex Corporation

    Due: Mon 23 Nov 2026 10:00 UTC
    Technician: Mateo Alvarez
    Status: Open
    SLA: Gold 24x7

    Why
    - 75 % of its working time has passed
    - the due time is the one that SuperOps reports
    - Working time is counted round the clock.

    Acknowledge:
    https://sla.example.com/a/TOKEN
    Open in SuperOps:
    https://acme.superops.ai/#/tickets/7712049386651025416/ticket
    How this was worked out:
    https://sla.example.com/tickets/acme/7712049386651025416

    You get this because you own this ticket.
    ");
    assert_eq!(mail.header("auto-submitted"), Some("auto-generated"));
}
