//! What is past already when the product first sees it is known, not news.

use chrono::TimeDelta;
use superops_sla::simulator::NewTicket;
use superops_sla::simulator::fault::Fault;

use crate::support::{TestApp, minutes, usual};

fn late_by(minutes: i64, technician: &str) -> NewTicket {
    NewTicket {
        technician: Some(technician.to_owned()),
        created_in: TimeDelta::hours(-9),
        resolution_due_in: Some(TimeDelta::minutes(-minutes)),
        ..usual()
    }
}

#[tokio::test]
async fn each_person_gets_one_digest_and_nothing_else() {
    let mut app = TestApp::start().await;
    for minutes in [30, 10, 20] {
        app.superops.add(late_by(minutes, "Yuki Tanaka"));
    }
    app.superops.add(late_by(5, "Luca Bianchi"));
    app.turn().await;
    let mut digests = app.heard();
    digests.sort_by(|a, b| a.to.cmp(&b.to));
    let texts: Vec<_> = digests.iter().map(|mail| format!("To {}\n{}", mail.to, mail.text.trim_end())).collect();
    insta::assert_snapshot!(texts.join("\n---\n"), @"");

    app.wait(minutes(20)).await;
    app.restart().await;
    app.wait(minutes(40)).await;
    assert_eq!(app.said(), "");
}

#[tokio::test]
async fn there_is_still_time_to_act_on_what_is_only_at_risk() {
    let mut app = TestApp::start().await;
    app.superops.add(late_by(-10, "Yuki Tanaka"));
    app.turn().await;
    insta::assert_snapshot!(app.said(), @"");
}

#[tokio::test]
async fn resolving_what_was_late_all_along_is_no_news_either() {
    let mut app = TestApp::start().await;
    let id = app.superops.add(late_by(30, "Yuki Tanaka"));
    app.turn().await;
    assert_eq!(app.heard().len(), 1);
    app.superops.change_status(&id, "Resolved");
    app.wait(minutes(5)).await;
    assert_eq!(app.said(), "");
}

#[tokio::test]
async fn the_digest_waits_until_it_is_known_who_is_who() {
    let mut app = TestApp::start().await;
    app.superops.add(late_by(30, "Yuki Tanaka"));
    // Statuses, priorities and groups may be read; then comes the list of people.
    let now = app.now();
    app.superops.fail(Fault::InternalError, 40);
    let _ = app.parts().syncs[0].turn(now).await;
    app.superops.recover();
    app.settle().await;
    assert_eq!(app.said(), "");
    app.wait(minutes(6)).await;
    insta::assert_snapshot!(app.said(), @"");
}
