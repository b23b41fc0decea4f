//! What is past already when the product first sees it is known, not news.

use chrono::TimeDelta;
use superops_sla::service::Reach;
use superops_sla::simulator::NewTicket;
use superops_sla::simulator::fault::Fault;
use superops_sla::simulator::receivers::{CaughtKind, MailReply};

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
    insta::assert_snapshot!(texts.join("\n---\n"), @r"
    To luca.bianchi@example.com
    1 ticket was overdue when monitoring began

    5 min over
    112326-0011 Mail server down
    High priority, Globex Corporation: resolution was due 08:55 UTC, Luca Bianchi
    https://acme.superops.ai/#/tickets/7712049386651025419/ticket

    You are told of it only once.
    ---
    To yuki.tanaka@example.com
    3 tickets were overdue when monitoring began

    30 min over
    112326-0008 Mail server down
    High priority, Globex Corporation: resolution was due 08:30 UTC, Yuki Tanaka
    https://acme.superops.ai/#/tickets/7712049386651025416/ticket

    20 min over
    112326-0010 Mail server down
    High priority, Globex Corporation: resolution was due 08:40 UTC, Yuki Tanaka
    https://acme.superops.ai/#/tickets/7712049386651025418/ticket

    10 min over
    112326-0009 Mail server down
    High priority, Globex Corporation: resolution was due 08:50 UTC, Yuki Tanaka
    https://acme.superops.ai/#/tickets/7712049386651025417/ticket

    You are told of them only once, all together, earliest due first.
    ");

    app.wait(minutes(20)).await;
    app.restart().await;
    app.wait(minutes(40)).await;
    assert_eq!(app.said(), "");
}

/// Another tenant, `beta`, with the account of the first at `endpoint`.
pub fn beta(app: &TestApp, endpoint: &str) -> String {
    let text = app.config_text();
    let line = |name: &str| text.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
    let endpoint = if endpoint.is_empty() { line("endpoint") } else { format!("endpoint = \"{endpoint}\"") };
    format!("[tenants.beta]\nsubdomain = \"acme\"\n{endpoint}\n{}\n", line("token_file"))
}

#[tokio::test]
async fn who_has_chosen_channels_gets_the_digest_by_them() {
    let mut app = TestApp::with("[people.\"yuki.tanaka@example.com\"]\nchannels = ['sms']\n").await;
    for person in ["Yuki Tanaka", "Luca Bianchi"] {
        app.superops.add(late_by(5, person));
    }
    app.turn().await;
    let mut told: Vec<_> = app.heard().iter().map(|one| (one.kind == CaughtKind::Email, one.to.clone())).collect();
    told.sort();
    let number = told.first().map(|(_, to)| to.clone()).unwrap_or_default();
    assert!(number.starts_with('+'), "{told:?}");
    assert_eq!(told, [(false, number), (true, "luca.bianchi@example.com".to_owned())]);
}

#[tokio::test]
async fn whoever_works_for_two_tenants_gets_one_digest_over_both() {
    let mut app = TestApp::start().await;
    let beta = beta(&app, "");
    app.restart_with(&beta).await;
    app.superops.add(late_by(30, "Yuki Tanaka"));
    app.turn().await;
    app.wait(TimeDelta::seconds(10)).await;
    let digests = app.heard();
    let [digest] = digests.as_slice() else { panic!("{} messages", digests.len()) };
    insta::assert_snapshot!(format!("{}\n{}", digest.subject, digest.text.trim_end()), @r"
    [SLA] 2 tickets were overdue when monitoring began
    2 tickets were overdue when monitoring began

    30 min over
    112326-0008 Mail server down
    acme, High priority, Globex Corporation: resolution was due 08:30 UTC, Yuki Tanaka
    https://acme.superops.ai/#/tickets/7712049386651025416/ticket

    30 min over
    112326-0008 Mail server down
    beta, High priority, Globex Corporation: resolution was due 08:30 UTC, Yuki Tanaka
    https://acme.superops.ai/#/tickets/7712049386651025416/ticket

    You are told of them only once, all together, earliest due first.
    ");
    app.restart().await;
    app.wait(minutes(20)).await;
    assert_eq!(app.said(), "");
}

#[tokio::test]
async fn a_tenant_that_cannot_be_read_keeps_the_others_waiting_for_five_minutes() {
    let mut app = TestApp::start().await;
    let beta = beta(&app, "http://127.0.0.1:9/msp");
    app.restart_with(&beta).await;
    app.superops.add(late_by(30, "Yuki Tanaka"));
    for (passes, said) in [(0, 0), (240, 0), (60, 0), (10, 1)] {
        app.clock.advance(TimeDelta::seconds(passes));
        let now = app.now();
        for sync in &mut app.parts().syncs {
            // That of `beta` fails.
            drop(sync.turn(now).await);
        }
        app.settle().await;
        assert_eq!(app.said().matches("1 ticket was overdue when monitoring began").count(), said, "{passes} s");
    }
}

#[tokio::test]
async fn when_nobody_takes_a_digest_over_two_tenants_its_alerts_are_told_by_another_channel() {
    let mut app = TestApp::start().await;
    let beta = beta(&app, "");
    app.restart_with(&beta).await;
    app.superops.add(late_by(30, "Zoë O'Brien"));
    app.mail.reply(MailReply::NoSuchUser);
    app.turn().await;
    app.wait(TimeDelta::seconds(10)).await;
    app.settle().await;
    // A phone gets one text message in a minute.
    let said = app.said();
    assert_eq!(said.matches("SLA: 2 breached").count(), 1, "{said}");
}

#[tokio::test]
async fn there_is_still_time_to_act_on_what_is_only_at_risk() {
    let mut app = TestApp::start().await;
    app.superops.add(late_by(-10, "Yuki Tanaka"));
    app.turn().await;
    insta::assert_snapshot!(app.said(), @"email yuki.tanaka@example.com: At risk: 10 min left, resolution due 09:10 UTC");
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
async fn what_a_digest_told_that_nobody_took_is_told_like_any_other_alert() {
    // A manager who can be texted, and an owner with a mailbox alone.
    let mut app = TestApp::start().await;
    app.superops.add(late_by(30, "Zoë O'Brien"));
    app.superops.add(late_by(10, "Mateo Alvarez"));
    app.mail.reply(MailReply::NoSuchUser);
    app.turn().await;
    let said = app.said();
    assert!(said.starts_with("text +15005550100: SLA BREACHED: ") && said.contains("30 min over"), "{said}");
    assert!(said.contains("text +15005550101: SLA: 1 ticket was overdue"), "he got his digest another way: {said}");
    app.restart().await;
    app.wait(minutes(1)).await;
    assert_eq!(app.said(), "", "each once");
}

#[tokio::test]
async fn that_nobody_takes_a_digest_is_found_by_the_audit_where_nothing_else_reaches_anybody() {
    let only = "[[alerts.steps]]\nafter = '0s'\nnotify = ['technician']\n";
    let mut app = TestApp::with(only).await;
    app.superops.add(late_by(30, "Zoë O'Brien"));
    app.mail.reply(MailReply::NoSuchUser);
    app.turn().await;
    app.wait(minutes(4)).await;
    app.look_after().await;
    let found = app.parts().service.overview(&Reach::All).await.unwrap().mismatches;
    assert_eq!((found.get("nobody_told"), app.said().as_str()), (Some(&1), ""));
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
    insta::assert_snapshot!(app.said(), @"email yuki.tanaka@example.com: 1 ticket was overdue when monitoring began");
}
