//! Whatever SuperOps answers, the service lives, says what is wrong, and recovers.

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
    let mut said = Vec::new();
    for fault in faults {
        let mut app = TestApp::start().await;
        app.ticket(minutes(60));
        app.turn().await;
        app.superops.fail(fault.clone(), 1_000);
        app.clock.advance(minutes(2));
        said.push(format!("{fault:?}\n  {}", app.trouble().await));
        app.superops.recover();
        app.turn().await;
        app.parts().service.ready().await.unwrap();
    }
    insta::assert_snapshot!(said.join("\n"), @"");
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
    insta::assert_snapshot!(reasons.replace(&app.token_file().display().to_string(), "TOKEN_FILE"), @"");
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
