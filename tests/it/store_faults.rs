//! The store says clearly what is wrong with it, and nothing that was accepted is lost.

use chrono::TimeDelta;
use superops_sla::store::StoreError;

use crate::support::{TestApp, minutes};

#[tokio::test]
async fn a_second_service_on_one_store_is_refused() {
    let app = TestApp::start().await;
    // On a server, who comes second follows.
    let Some(file) = app.database.file() else { return };
    let refused = app.build().await.err().unwrap().to_string();
    let text = refused.replace(&file.display().to_string(), "sla.db");
    insta::assert_snapshot!(text, @"another superops-sla is already running on `sla.db`; stop it first, or give this one a store of its own");
}

#[tokio::test]
async fn a_locked_database_is_said_and_what_was_due_is_told_afterwards() {
    let mut app = TestApp::start().await;
    // On a server nobody can lock everything.
    if app.database.file().is_none() {
        return;
    }
    app.ticket(minutes(60));
    app.turn().await;
    app.parts().service.ready().await.unwrap();
    app.clock.advance(minutes(45));
    let mut other = app.database.beside().await;
    other.run("BEGIN IMMEDIATE").await;

    let now = app.now();
    let parts = app.parts();
    // Both wait for the lock at the same time, as they do in the service.
    let (turn, ready) = tokio::join!(parts.evaluate.turn(now), parts.service.ready());
    assert!(matches!(turn, Err(StoreError::Locked(_))), "{turn:?}");
    insta::assert_snapshot!(ready.unwrap_err().join("\n"), @r"
    the database is locked by another process; what was asked is not done, and can be asked again
    acme: SuperOps was last read 45 min ago
    ");

    other.run("ROLLBACK").await;
    app.turn().await;
    app.parts().service.ready().await.unwrap();
    insta::assert_snapshot!(app.said(), @"email mateo.alvarez@example.com: At risk: 15 min left, resolution due 10:00 UTC");
}

#[tokio::test]
async fn an_alert_whose_message_cannot_be_stored_is_not_stored_either_and_is_told_later() {
    let mut app = TestApp::start().await;
    app.ticket(minutes(60));
    app.turn().await;
    app.clock.advance(minutes(45));
    app.database.take_nothing_more_into("notifications").await;
    let now = app.now();
    for _ in 0..2 {
        app.parts().evaluate.turn(now).await.unwrap_err();
        app.dispatch().await;
    }
    assert_eq!((app.said().as_str(), app.states().await.len()), ("", 0), "what is not stored is not sent");
    app.database.take_again_into("notifications").await;
    app.turn().await;
    assert_eq!(app.heard().len(), 1);
}

#[tokio::test]
async fn a_notification_that_cannot_be_read_does_not_hold_up_the_others() {
    let mut app = TestApp::start().await;
    app.ticket(TimeDelta::hours(8));
    app.turn().await;
    app.clock.advance(TimeDelta::hours(6));
    app.sync().await;
    app.evaluate().await;
    app.database.tamper("UPDATE notifications SET message = '{}'").await;
    app.dispatch().await;
    app.settle().await;
    insta::assert_snapshot!(app.said(), @"email dana.whitfield@example.com: At risk: 2 h left, resolution due 17:00 UTC");
}
