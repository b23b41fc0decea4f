//! From a ticket to an email and a text message, told once.

use crate::support::{TestApp, minutes};

#[tokio::test]
async fn a_ticket_is_warned_about_by_email_and_its_breach_told_by_email_and_text() {
    let mut app = TestApp::start().await;
    app.ticket(minutes(60));
    app.turn().await;
    assert_eq!(app.said(), "", "nothing is wrong yet");

    app.wait(minutes(45)).await;
    insta::assert_snapshot!(app.said(), @"");
    app.wait(minutes(15) + chrono::TimeDelta::milliseconds(1)).await;
    insta::assert_snapshot!(app.said(), @"");
}
