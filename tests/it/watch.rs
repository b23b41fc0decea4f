//! The watch is watched: stale data is told, a heartbeat goes out while all is well, and what did not happen is found.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::routing::get;
use chrono::TimeDelta;
use superops_sla::cli::breaches::page_text;
use superops_sla::service::Reach;
use superops_sla::service::breaches::{BreachPage, BreachQuery, BreachState};
use superops_sla::simulator::fault::Fault;
use superops_sla::simulator::receivers::{CaughtKind, MailReply};
use superops_sla::ticket::TenantId;
use tokio::net::TcpListener;

use crate::support::{TestApp, any_port, minutes};

const EVERYBODY: &str = "[watch]\nstale_after = \"10m\"\n\
    notify = [\"email:duty@example.com\", \"sms:+15005550123\", \"slack\", \"pagerduty\", \"webhook\"]\n";
/// Nobody is to be told anything, ever.
const ALWAYS_QUIET: &str = "[alerts.quiet_hours]\nfrom = \"00:00\"\nuntil = \"23:59\"\ntimezone = \"UTC\"\n";

impl TestApp {
    /// Lets time pass while SuperOps cannot be read, then looks at the watch.
    async fn blind_for(&mut self, length: TimeDelta) {
        self.superops.fail(Fault::Html502, 1_000);
        self.clock.advance(length);
        let now = self.now();
        assert!(self.parts().syncs[0].turn(now).await.is_err());
        self.look_after().await;
        self.settle().await;
    }

    /// SuperOps can be read again.
    async fn see_again(&mut self) {
        self.superops.recover();
        self.clock.advance(minutes(6));
        self.sync().await;
        self.look_after().await;
        self.settle().await;
    }

    /// What the audit has found, by kind.
    async fn mismatches(&mut self) -> String {
        self.look_after().await;
        let found = self.parts().service.overview(&Reach::All).await.unwrap().mismatches;
        found.iter().map(|(kind, count)| format!("{count} {kind}")).collect::<Vec<_>>().join(", ")
    }

    /// Does to the store what no part of the product does.
    async fn tamper(&self, sql: &str) {
        self.database.tamper(sql).await;
    }

    async fn breaches(&mut self, state: Option<BreachState>) -> BreachPage {
        let query = BreachQuery { state, ..BreachQuery::default() };
        self.parts().service.breaches(&Reach::All, &query).await.unwrap()
    }
}

/// With a ticket that breached a quarter of an hour ago, of which its owner was told.
async fn breached() -> TestApp {
    let mut app = TestApp::start().await;
    app.ticket(minutes(60));
    app.turn().await;
    app.wait(minutes(45)).await;
    app.wait(minutes(16)).await;
    app.wait(minutes(10)).await;
    assert!(!app.said().is_empty());
    app
}

#[tokio::test]
async fn stale_data_is_told_once_by_each_channel_at_any_hour_and_so_is_its_end() {
    let mut app = TestApp::with_systems(&format!("{EVERYBODY}{ALWAYS_QUIET}")).await;
    app.turn().await;
    app.blind_for(minutes(9)).await;
    assert_eq!(app.said(), "", "it is not stale yet");
    app.blind_for(minutes(2)).await;
    insta::assert_snapshot!(app.said(), @r"
    email duty@example.com: SLA data of acme is stale since 09:00 UTC: SuperOps could not be read: superops cannot be reached, or gave an invalid answer: HTTP 502
    pagerduty trigger acme:stale:1795424400000: SLA data of acme is stale since 09:00 UTC: SuperOps could not be read: superops cannot be reached, or gave an invalid answer: HTTP 502
    slack #sla: *SLA data of acme is stale since 09:00 UTC: SuperOps could not be read: superops cannot be reached, or gave an invalid answer: HTTP 502*
    text +15005550123: SLA data of acme is stale since 09:00 UTC: SuperOps could not be read: superops cannot be reached, or gave an invalid answer: HTTP 502 #f1afdd
    webhook sla.data.stale
    ");
    app.blind_for(minutes(30)).await;
    assert_eq!(app.said(), "", "it was said");

    app.see_again().await;
    insta::assert_snapshot!(app.said(), @r"
    email duty@example.com: SLA data of acme is fresh again since 09:47 UTC, after 47 min
    pagerduty resolve acme:stale:1795424400000: 
    slack #sla: *SLA data of acme is fresh again since 09:47 UTC, after 47 min*
    text +15005550123: SLA data of acme is fresh again since 09:47 UTC, after 47 min #f3a0ac
    webhook sla.data.fresh
    ");
    app.look_after().await;
    app.settle().await;
    assert_eq!(app.said(), "", "it was said");

    app.blind_for(minutes(11)).await;
    assert_eq!(app.said().lines().count(), 5, "another episode is told anew");
}

#[tokio::test]
async fn a_restart_tells_nobody_of_the_same_stale_data_again_and_its_end_is_still_told() {
    let mut app = TestApp::with(EVERYBODY.replace(", \"slack\", \"pagerduty\", \"webhook\"", "").as_str()).await;
    app.turn().await;
    app.blind_for(minutes(11)).await;
    assert_eq!(app.said().lines().count(), 2);
    app.restart().await;
    app.blind_for(minutes(5)).await;
    assert_eq!(app.said(), "");
    app.see_again().await;
    insta::assert_snapshot!(app.said(), @r"
    email duty@example.com: SLA data of acme is fresh again since 09:22 UTC, after 22 min
    text +15005550123: SLA data of acme is fresh again since 09:22 UTC, after 22 min #f3a0ac
    ");
}

#[tokio::test]
async fn with_nothing_configured_those_who_manage_people_are_told_of_stale_data() {
    let mut app = TestApp::start().await;
    app.turn().await;
    app.blind_for(minutes(11)).await;
    let told = app.heard();
    assert!(told.iter().all(|one| one.kind == CaughtKind::Email && one.text.starts_with("SLA data of acme is stale")));
    let why = "You get this because you manage people of this desk, and the configuration names nobody";
    assert!(told.iter().all(|one| one.text.replace('\n', " ").contains(why)), "{}", told[0].text);
    let names: Vec<_> = told.iter().map(|one| one.to.as_str()).collect();
    assert_eq!(names, ["dana.whitfield@example.com"], "she manages the others");
    app.see_again().await;
    assert!(app.said().contains("email dana.whitfield@example.com: "), "and hears that it is over");
}

#[tokio::test]
async fn who_was_not_told_that_data_is_stale_hears_nothing_when_it_is_fresh() {
    let mut app = TestApp::with("[watch]\nnotify = [\"email:duty@example.com\"]\n").await;
    app.turn().await;
    app.mail.reply(MailReply::TryLater);
    app.blind_for(minutes(11)).await;
    app.mail.reply(MailReply::Accept);
    app.see_again().await;
    assert_eq!(app.said(), "");
    assert_eq!(app.states().await.into_keys().collect::<Vec<_>>(), ["cancelled"]);
}

#[tokio::test]
async fn what_nobody_else_would_tell_of_stale_data_waits_until_its_channel_is_mended() {
    let mut app = TestApp::with("[watch]\nnotify = [\"email:duty@example.com\"]\n").await;
    app.turn().await;
    app.mail.reply(MailReply::NotYourAddress);
    app.blind_for(minutes(11)).await;
    assert_eq!((app.said().as_str(), app.states().await), ("", [("pending".to_owned(), 1)].into()));
    app.mail.reply(MailReply::Accept);
    app.clock.advance(minutes(6));
    app.dispatch().await;
    assert!(app.said().starts_with("email duty@example.com: SLA data of acme is stale since 09:00 UTC"));
    let metrics = app.parts().telemetry.render();
    assert!(metrics.contains("deliveries_total{channel=\"email\",outcome=\"misconfigured\"} 1"), "{metrics}");
}

#[tokio::test]
async fn the_heartbeat_is_sent_once_a_minute_while_all_is_well_and_not_otherwise() {
    let beats = Arc::new(AtomicUsize::new(0));
    let counted = beats.clone();
    let count = async move || {
        counted.fetch_add(1, Ordering::Relaxed);
    };
    let listener = TcpListener::bind(any_port()).await.unwrap();
    let url = format!("http://{}/ping", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, Router::new().route("/ping", get(count))).await });
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("heartbeat");
    std::fs::write(&file, url).unwrap();

    let mut app = TestApp::with(&format!("[watch]\nheartbeat_url_file = \"{}\"\n", file.display())).await;
    app.look_after().await;
    assert_eq!(beats.load(Ordering::Relaxed), 0, "nothing was read yet");
    app.turn().await;
    app.look_after().await;
    app.look_after().await;
    assert_eq!(beats.load(Ordering::Relaxed), 1);
    app.wait(minutes(1)).await;
    app.look_after().await;
    assert_eq!(beats.load(Ordering::Relaxed), 2);
    app.blind_for(minutes(11)).await;
    assert_eq!(beats.load(Ordering::Relaxed), 2, "the data is stale");
    app.see_again().await;
    assert_eq!(beats.load(Ordering::Relaxed), 3);
}

#[tokio::test]
async fn nothing_is_amiss_while_the_loops_do_their_work() {
    let mut app = breached().await;
    assert_eq!(app.mismatches().await, "");
}

#[tokio::test]
async fn the_audit_finds_a_step_that_did_not_run() {
    let mut app = breached().await;
    let late = app.now() - minutes(3);
    app.tamper(&format!("UPDATE alerts SET next_step_at = {}", late.timestamp_millis())).await;
    assert_eq!(app.mismatches().await, "1 late_step");
    app.tamper("UPDATE alerts SET next_step_at = NULL").await;
    assert_eq!(app.mismatches().await, "", "it is over as soon as it is");
}

#[tokio::test]
async fn the_audit_finds_a_breach_without_an_alert_and_one_that_nobody_was_told_of() {
    let mut app = breached().await;
    app.tamper("DELETE FROM notifications").await;
    assert_eq!(app.mismatches().await, "1 nobody_told");
    app.tamper("DELETE FROM alerts").await;
    assert_eq!(app.mismatches().await, "1 no_alert");
    let service = app.parts().service.clone();
    let elsewhere = Reach::One(TenantId::parse("globex").unwrap());
    assert!(service.overview(&elsewhere).await.unwrap().mismatches.is_empty(), "another tenant's are not shown");
    let figures = app.parts().telemetry.render();
    assert!(figures.contains("superops_sla_audit_mismatches{kind=\"no_alert\"} 1"), "{figures}");
}

#[tokio::test]
async fn the_audit_finds_a_message_that_is_stuck() {
    let mut app = breached().await;
    let late = app.now() - minutes(11);
    let stuck = format!(
        "UPDATE notifications SET state = 'pending', due_at = {} WHERE key = (SELECT MIN(key) FROM notifications)",
        late.timestamp_millis()
    );
    app.tamper(&stuck).await;
    assert_eq!(app.mismatches().await, "1 late_notification");
}

#[tokio::test]
async fn the_breach_ledger_says_who_was_told_and_how_each_attempt_went() {
    let mut app = TestApp::start().await;
    app.ticket(minutes(60));
    app.turn().await;
    app.mail.reply(MailReply::TryLater);
    app.wait(minutes(61)).await;
    app.mail.reply(MailReply::Accept);
    app.wait(minutes(1)).await;

    let page = app.breaches(Some(BreachState::Open)).await;
    let breach = &page.breaches[0];
    assert!(breach.escalation_required);
    assert_eq!(breach.customer_impact, "Globex Corporation has waited 2 min longer than promised for a resolution");
    let mail = breach.notifications.iter().find(|told| told.channel == "email").unwrap();
    let outcomes: Vec<_> = mail.attempts.iter().map(|attempt| attempt.outcome.as_str()).collect();
    assert_eq!(outcomes, ["unavailable", "taken"]);
    let table = page_text(&page).replace(&breach.id, "BREACH-ID-OF-20-HEXX");
    insta::assert_snapshot!(table, @r"
    BREACH                STATE  DUE                   TICKET       CLOCK       SEVERITY  TECHNICIAN     CLIENT              REASON  TOLD
    BREACH-ID-OF-20-HEXX  open   2026-11-23 10:00 UTC  112326-0008  resolution  HIGH      Mateo Alvarez  Globex Corporation  –       2 of 2 sent, 3 attempts
    ");
    assert_eq!(app.breaches(Some(BreachState::Closed)).await.total, 0);
    let later = BreachQuery { from: Some(app.now()), ..BreachQuery::default() };
    assert_eq!(app.parts().service.breaches(&Reach::All, &later).await.unwrap().total, 0);
}
