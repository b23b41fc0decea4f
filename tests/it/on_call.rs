//! A step that names an on-call rotation reaches whoever is on call when it fires.

use crate::support::{TestApp, minutes};

/// Ann until 09:30 on the Monday of the tests, then Bob; after five minutes the duty mailbox.
const ROTATION: &str = "
[[alerts.steps]]
after = \"0s\"
notify = [\"on-call:main\"]
channels = [\"email\"]
[[alerts.steps]]
after = \"5m\"
notify = [\"email:duty@example.com\"]
[on_call.main]
timezone = \"UTC\"
[[on_call.main.layers]]
people = [\"email:ann@example.com\", \"email:bob@example.com\"]
starts = \"STARTS\"
every = \"1d\"
";

async fn app(starts: &str) -> TestApp {
    TestApp::with(&ROTATION.replace("STARTS", starts)).await
}

#[tokio::test]
async fn whoever_has_taken_over_when_the_step_fires_is_told() {
    let mut app = app("2026-11-22T09:30").await;
    app.ticket(minutes(40));
    app.turn().await;
    app.wait(minutes(29)).await;
    assert_eq!(app.said(), "", "not at risk yet");
    app.wait(minutes(2)).await;
    let said = app.said();
    assert!(said.contains("bob@example.com") && !said.contains("ann@example.com"), "{said}");
}

#[tokio::test]
async fn with_nobody_on_call_the_next_step_is_run_at_once() {
    let mut app = app("2027-01-01T09:00").await;
    app.ticket(minutes(40));
    app.turn().await;
    app.wait(minutes(31)).await;
    let said = app.said();
    assert!(said.contains("duty@example.com"), "{said}");
}
