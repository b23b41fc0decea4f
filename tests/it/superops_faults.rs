//! Whatever SuperOps answers, the service lives, says what is wrong, and recovers.

use futures_util::future::join_all;
use superops_sla::simulator::fault::Fault;

use crate::support::{TOKEN, TestApp, minutes};

impl TestApp {
    /// One turn of the sync while SuperOps misbehaves; gives what the readiness says some minutes later.
    async fn trouble(&mut self) -> String {
        let now = self.now();
        let turn = self.parts().syncs[0].turn(now).await;
        assert!(turn.is_err(), "{turn:?}");
        self.clock.advance(minutes(30));
        self.parts().service.ready().await.unwrap_err().join("\n")
    }
}

#[tokio::test]
async fn strange_answers_are_named_and_outlived() {
    let faults = [
        Fault::Html502,
        Fault::NotJson,
        Fault::EmptyBody,
        Fault::Truncated,
        Fault::Reset,
        Fault::HugeBody(300 << 20),
        Fault::Redirect("https://elsewhere.example/msp".to_owned()),
        Fault::Unauthorized,
        Fault::SubscriptionPaused,
    ];
    // Each on the heap: together they are too large for the stack of a test.
    let said = join_all(faults.map(|fault| Box::pin(outlived(fault)))).await;
    insta::assert_snapshot!(said.join("\n"), @r#"
    Html502
      acme: superops cannot be reached, or gave an invalid answer: HTTP 502; wait: it is tried again automatically
    NotJson
      acme: superops cannot be reached, or gave an invalid answer: the answer is not complete JSON; wait: it is tried again automatically
    EmptyBody
      acme: superops cannot be reached, or gave an invalid answer: the answer is not complete JSON; wait: it is tried again automatically
    Truncated
      acme: superops cannot be reached, or gave an invalid answer: the answer is not complete JSON; wait: it is tried again automatically
    Reset
      acme: superops cannot be reached, or gave an invalid answer: connection closed before message completed; wait: it is tried again automatically
    HugeBody(314572800)
      acme: the answer to `getTicketList` is over 32 MB; wait: it is tried again automatically
    Redirect("https://elsewhere.example/msp")
      acme: superops redirects to the host `elsewhere.example`, which is not followed: the token would go along; correct `region` or `endpoint` in the configuration and restart
    Unauthorized
      acme: superops refused the token (401), also after reading it again from file `TOKEN_FILE`; put a valid token where the configuration says; it is read again at each try, a restart is needed only for an environment variable
    SubscriptionPaused
      acme: the superops subscription is paused; renew the SuperOps subscription; the sync goes on by itself
    "#);
}

/// What is said of `fault`, which has passed when this returns.
async fn outlived(fault: Fault) -> String {
    let mut app = TestApp::start().await;
    app.ticket(minutes(60));
    app.turn().await;
    app.superops.fail(fault.clone(), 1_000);
    app.clock.advance(minutes(2));
    let said = app.trouble().await;
    app.superops.recover();
    app.turn().await;
    app.parts().service.ready().await.unwrap();
    format!("{fault:?}\n  {}", said.replace(&app.token_file().display().to_string(), "TOKEN_FILE"))
}

#[tokio::test]
async fn alerts_go_on_while_superops_is_down() {
    let mut app = TestApp::start().await;
    app.ticket(minutes(60));
    app.turn().await;
    app.superops.fail(Fault::Html502, 1_000);
    app.clock.advance(minutes(45));
    app.settle().await;
    assert_eq!(app.heard().len(), 1);
}

#[tokio::test]
async fn a_token_file_that_vanishes_and_comes_back_needs_no_restart() {
    let mut app = TestApp::start().await;
    app.turn().await;
    std::fs::remove_file(app.token_file()).unwrap();
    app.superops.set_token("rotated");
    app.clock.advance(minutes(2));
    let reasons = app.trouble().await;
    assert!(!reasons.contains(TOKEN), "{reasons}");
    insta::assert_snapshot!(reasons.replace(&app.token_file().display().to_string(), "TOKEN_FILE"), @"acme: no token: file `TOKEN_FILE` cannot be read: there is no such file; put a valid token where the configuration says; it is read again at each try, a restart is needed only for an environment variable");
    std::fs::write(app.token_file(), "rotated\n").unwrap();
    app.turn().await;
    app.parts().service.ready().await.unwrap();
}

#[tokio::test]
async fn a_record_that_makes_no_sense_is_set_aside_and_the_others_are_watched() {
    let mut app = TestApp::start().await;
    for _ in 0..3 {
        app.ticket(minutes(60));
    }
    app.turn().await;
    app.superops.fail(Fault::BadRecord, 1);
    app.wait(minutes(45)).await;
    assert_eq!(app.heard().len(), 3);
}
