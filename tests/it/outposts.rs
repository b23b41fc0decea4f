//! Services are looked at from other places as well: an outpost asks for its checks, looks, and tells; places agree before
//! anybody is told; and a place that is silent accuses nobody.

use std::collections::BTreeMap;
use std::net::TcpListener as StdListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use chrono::TimeDelta;
use reqwest::Method;
use serde_json::{Value, json};
use superops_sla::store::Store;
use superops_sla::store::pushed::Pushed;
use superops_sla::store::tokens::Role;
use superops_sla::ticket::TenantId;
use superops_sla::uptime::{Condition, Outcome};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::binary::{Place, Running};
use crate::life::{call, served};
use crate::support::TestApp;

const TOKEN: &str = "knock-knock";

/// A shop that answers with whatever status it is told to.
async fn shop() -> (Arc<AtomicU16>, String) {
    let (status, _, url) = counting_shop().await;
    (status, url)
}

/// The same, with how often it was asked.
async fn counting_shop() -> (Arc<AtomicU16>, watch::Receiver<u64>, String) {
    let (status, asked) = (Arc::new(AtomicU16::new(200)), watch::Sender::new(0));
    let (answer, heard) = (status.clone(), asked.subscribe());
    let answer = async move || {
        asked.send_modify(|asked| *asked += 1);
        StatusCode::from_u16(answer.load(Ordering::SeqCst)).unwrap()
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, Router::new().route("/", get(answer))).await });
    (status, heard, url)
}

/// Returns once the shop was asked `more` times from now on.
async fn asked(heard: &mut watch::Receiver<u64>, more: u64) {
    let known = *heard.borrow();
    heard.wait_for(|asked| *asked >= known + more).await.unwrap();
}

fn config(url: &str) -> String {
    format!(
        "[outposts.berlin]\nname = \"Berlin\"\ntoken_env = \"HOOK\"\n[components.shop]\nname = \"Web shop\"\n\
         [[checks]]\ncomponent = \"shop\"\nurl = \"{url}\"\nplaces = [\"here\", \"berlin\"]\nquorum = 2\n\
         headers_env = {{ X-Watch = \"WEBHOOK\" }}\n[status_page]\n\
         [[alerts.steps]]\nafter = \"0s\"\nnotify = [\"email:duty@example.com\"]\n"
    )
}

/// Looks from here whenever a look is due, for so long.
async fn wait(app: &mut TestApp, seconds: i64) {
    app.look_at_services(TimeDelta::seconds(seconds)).await;
}

/// Berlin sends what it has seen.
async fn sends(app: &mut TestApp, url: &str, results: &[Value]) -> (StatusCode, Value) {
    let (address, body) = (format!("{url}/api/v1/uptime/outpost/results"), json!({ "results": results }));
    let call = tokio::spawn(async move { call(Method::POST, &address, TOKEN, body).await });
    while !call.is_finished() {
        app.parts().monitor.as_mut().unwrap().turn().await;
        tokio::task::yield_now().await;
    }
    call.await.unwrap()
}

/// What Berlin has seen so many seconds ago.
fn seen(app: &TestApp, ago: i64, status: &str) -> Value {
    let at = app.now() - TimeDelta::seconds(ago);
    json!({ "check": "shop/http@berlin", "at": at, "status": status, "micros": 21000, "text": "status 503" })
}

async fn condition(app: &mut TestApp) -> String {
    let shown = app.parts().service.component(&superops_sla::service::Reach::All, "shop").await.unwrap().unwrap();
    shown.status.to_owned()
}

#[tokio::test]
async fn two_places_have_to_agree_and_a_silent_one_counts_for_nothing() {
    let (status, shop) = shop().await;
    let mut app = TestApp::with(&config(&shop)).await;
    wait(&mut app, 30).await;
    let (url, tokens) = served(&mut app, &[(Role::Viewer, None)]).await;
    let up = seen(&app, 1, "up");
    let (answer, receipt) = sends(&mut app, &url, &[up]).await;
    assert_eq!((answer, &receipt["taken"]), (StatusCode::OK, &json!(1)), "{receipt}");

    status.store(503, Ordering::SeqCst);
    for _ in 0..3 {
        wait(&mut app, 60).await;
        let up = seen(&app, 0, "up");
        sends(&mut app, &url, &[up]).await;
    }
    app.settle().await;
    assert_eq!((condition(&mut app).await.as_str(), app.said().as_str()), ("up", ""), "only one place finds it bad");
    wait(&mut app, 40).await;
    let bad: Vec<_> = [30, 20, 10].map(|ago| seen(&app, ago, "down")).into();
    sends(&mut app, &url, &bad).await;
    app.settle().await;
    assert_eq!(condition(&mut app).await, "down");
    assert!(app.said().contains("Web shop is down"));
    let ask = async |path: &str| call(Method::GET, &format!("{url}{path}"), &tokens[0], json!({})).await.1;
    let overview = ask("/api/v1/uptime").await;
    assert_eq!(
        (&overview["outposts"][0]["id"], &overview["outposts"][0]["status"]),
        (&json!("berlin"), &json!("heard"))
    );
    let places: Vec<_> =
        overview["components"][0]["checks"].as_array().unwrap().iter().map(|one| &one["place"]).collect();
    assert_eq!(places, [&Value::Null, &json!("berlin")]);

    status.store(200, Ordering::SeqCst);
    wait(&mut app, 120).await;
    assert_eq!(condition(&mut app).await, "up", "one of two that must agree finds it well");
    wait(&mut app, 600).await;
    let overview = ask("/api/v1/uptime").await;
    assert_eq!((&overview["outposts"][0]["status"], &overview["overall_status"]), (&json!("silent"), &json!("up")));
    status.store(503, Ordering::SeqCst);
    wait(&mut app, 120).await;
    assert_eq!(condition(&mut app).await, "down", "a silent place covers up nothing");
}

/// The incidents, the latest first: how far each has come, and how often something was said of it.
fn incidents(app: &mut TestApp) -> Vec<(&'static str, usize)> {
    let query = superops_sla::service::incidents::IncidentQuery::default();
    let all = app.parts().service.incidents(&superops_sla::service::Reach::All, &query);
    all.iter().map(|one| (one.status, one.updates.len())).collect()
}

/// When the latest outage of the shop began, in seconds.
async fn outage_began(app: &mut TestApp) -> Option<i64> {
    let spans = app.parts().store.uptime_spans("shop").await.unwrap();
    spans.iter().rfind(|span| span.condition.to_string() == "down").map(|span| span.from / 1000)
}

#[tokio::test]
async fn an_incident_ends_though_its_outage_began_earlier_than_was_thought_or_there_was_none() {
    let (status, shop) = shop().await;
    let mut app = TestApp::with(&config(&shop)).await;
    wait(&mut app, 30).await;
    let (url, _) = served(&mut app, &[]).await;
    let up = seen(&app, 1, "up");
    sends(&mut app, &url, &[up]).await;
    wait(&mut app, 600).await;
    // What Berlin has seen since shortly before that moment, handed over late.
    let late = |app: &TestApp, since: i64, status: &str| -> Vec<Value> {
        let ago = (1..=app.now().timestamp() - since + 20).rev().step_by(15);
        ago.map(|ago| seen(app, ago, status)).collect()
    };

    status.store(503, Ordering::SeqCst);
    wait(&mut app, 120).await;
    assert_eq!(incidents(&mut app), [("investigating", 1)]);
    let began = outage_began(&mut app).await.unwrap();
    let bad = late(&app, began, "down");
    sends(&mut app, &url, &bad).await;
    assert!(outage_began(&mut app).await.unwrap() < began, "Berlin saw it first");
    status.store(200, Ordering::SeqCst);
    wait(&mut app, 120).await;
    assert_eq!(incidents(&mut app), [("resolved", 2)]);

    wait(&mut app, 2400).await;
    status.store(503, Ordering::SeqCst);
    wait(&mut app, 120).await;
    assert_eq!(incidents(&mut app), [("investigating", 1), ("resolved", 2)]);
    let known = outage_began(&mut app).await.unwrap();
    let good = late(&app, known, "up");
    sends(&mut app, &url, &good).await;
    assert_eq!(condition(&mut app).await, "up", "only we could not reach it");
    assert!(outage_began(&mut app).await.unwrap() < known, "nobody else has seen an outage");
    wait(&mut app, 1).await;
    assert_eq!(incidents(&mut app), [("resolved", 2), ("resolved", 2)]);
}

#[tokio::test]
async fn what_our_own_cut_line_spoiled_counts_for_no_objective_though_another_place_sees_it_well() {
    let (status, shop) = shop().await;
    let more = "[uptime]\ncanaries = [\"127.0.0.1:1\"]\n[[objectives]]\ncomponent = \"shop\"\nmeasure = \"errors\"\n\
                window = \"20m\"\nbreach = \"20\"\n";
    let mut app = TestApp::with(&format!("{}{more}", config(&shop))).await;
    wait(&mut app, 30).await;
    let (url, _) = served(&mut app, &[]).await;
    // Nothing answers us, nor do the canaries.
    status.store(503, Ordering::SeqCst);
    for _ in 0..40 {
        wait(&mut app, 30).await;
        let up = seen(&app, 0, "up");
        sends(&mut app, &url, &[up]).await;
    }
    app.settle().await;
    assert_eq!((condition(&mut app).await.as_str(), app.said().as_str()), ("up", ""));
}

#[tokio::test]
async fn what_an_outpost_sends_again_late_or_blind_accuses_nobody_and_fills_only_what_was_missing() {
    let (_, shop) = shop().await;
    let only_there = config(&shop).replace("[\"here\", \"berlin\"]\nquorum = 2", "[\"berlin\"]");
    let mut app = TestApp::with(&only_there).await;
    let (url, _) = served(&mut app, &[]).await;
    wait(&mut app, 3600).await;
    assert_eq!(condition(&mut app).await, "unknown", "nobody has told of it");
    // The line was cut for twenty minutes: all of it comes at once, and comes again, since the answer was lost.
    let backlog: Vec<_> = (0..20).rev().map(|minute| seen(&app, minute * 60, "up")).collect();
    for taken in [20, 20] {
        let (status, receipt) = sends(&mut app, &url, &backlog).await;
        assert_eq!((status, &receipt["taken"]), (StatusCode::OK, &json!(taken)), "{receipt}");
    }
    let begin = crate::support::begin().timestamp_millis();
    let spans = app.parts().store.uptime_spans("shop").await.unwrap();
    let spans: Vec<_> = spans.iter().map(|span| ((span.from - begin) / 60_000, span.condition.to_string())).collect();
    assert_eq!(spans.last().unwrap(), &(41, "up".to_owned()), "{spans:?}");
    let number = app.parts().store.uptime_checks().await.unwrap()["shop/http@berlin"].0;
    let looks = app.parts().store.uptime_looks(number, 0, i64::MAX, 99).await.unwrap();
    assert_eq!(looks.len(), 20, "none is there twice");

    wait(&mut app, 60).await;
    let old = seen(&app, 90_000, "down");
    let other = json!({ "check": "shop/http", "at": app.now(), "status": "down" });
    let (status, receipt) = sends(&mut app, &url, &[old, other]).await;
    assert_eq!((status, &receipt["taken"]), (StatusCode::OK, &json!(0)), "too old, and not its affair: {receipt}");
    let blind: Vec<_> = [("down", 30), ("down", 20), ("unknown", 10)].map(|(found, ago)| seen(&app, ago, found)).into();
    sends(&mut app, &url, &blind).await;
    assert_eq!(condition(&mut app).await, "unknown", "its own line was cut");
    let nonsense = seen(&app, 0, "fine");
    assert_eq!(sends(&mut app, &url, &[nonsense]).await.0, StatusCode::BAD_REQUEST);
    let many: Vec<_> = (0..101).map(|second| seen(&app, second, "up")).collect();
    assert_eq!(sends(&mut app, &url, &many).await.0, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn what_reached_a_follower_comes_before_what_is_told_later_and_nothing_of_it_is_lost() {
    let (_, shop) = shop().await;
    let only_there = config(&shop).replace("[\"here\", \"berlin\"]\nquorum = 2", "[\"berlin\"]");
    let mut app = TestApp::with(&only_there).await;
    let (url, _) = served(&mut app, &[]).await;
    wait(&mut app, 7200).await;
    let begun = app.now().timestamp_millis() - 1_500_000;
    let told = (0..1500).map(|second| {
        let (check, outcome) = ("shop/http@berlin".to_owned(), Outcome::up(begun + second * 1000));
        (TenantId::parse("acme").unwrap(), Pushed { check, outcome, micros: 21_000 })
    });
    assert!(app.parts().store.keep_pushed(told.collect()).await.unwrap());
    let up = seen(&app, 0, "up");
    assert_eq!(sends(&mut app, &url, &[up]).await.0, StatusCode::OK);
    let number = app.parts().store.uptime_checks().await.unwrap()["shop/http@berlin"].0;
    assert_eq!(app.parts().store.uptime_looks(number, 0, i64::MAX, 5000).await.unwrap().len(), 1501);
    assert!(app.parts().store.pushed().await.unwrap().is_empty());
    let spans = app.parts().store.uptime_spans("shop").await.unwrap();
    assert_eq!(spans.last().map(|span| (span.from, span.condition)), Some((begun, Condition::Up)), "{spans:?}");
}

/// Looks after the watch itself, and gives what was said.
async fn looked_after(app: &mut TestApp) -> String {
    app.look_after().await;
    app.dispatch().await;
    app.said()
}

#[tokio::test]
async fn a_silent_outpost_is_told_of_once_and_so_is_that_it_is_heard_again() {
    let (_, shop) = shop().await;
    let mut app = TestApp::with(&config(&shop)).await;
    wait(&mut app, 30).await;
    let (url, _) = served(&mut app, &[]).await;
    let up = seen(&app, 0, "up");
    sends(&mut app, &url, &[up]).await;
    wait(&mut app, 280).await;
    assert_eq!(looked_after(&mut app).await, "", "it may be starting anew");
    wait(&mut app, 60).await;
    insta::assert_snapshot!(looked_after(&mut app).await, @"email duty@example.com: Outpost Berlin is silent since 09:00 UTC: nothing comes from it any more, and 1 check is not made from there");
    wait(&mut app, 600).await;
    assert_eq!(looked_after(&mut app).await, "", "it was said");
    app.restart().await;
    wait(&mut app, 600).await;
    assert_eq!(looked_after(&mut app).await, "", "it was said before the restart");
    let (url, _) = served(&mut app, &[]).await;
    let up = seen(&app, 0, "up");
    sends(&mut app, &url, &[up]).await;
    insta::assert_snapshot!(looked_after(&mut app).await, @"email duty@example.com: Outpost Berlin is heard again since 09:26 UTC, after 25 min");
    assert_eq!(looked_after(&mut app).await, "", "it was said");
}

#[tokio::test]
async fn an_outpost_that_was_never_heard_is_told_of_after_an_hour() {
    let (_, shop) = shop().await;
    let mut app = TestApp::with(&config(&shop)).await;
    wait(&mut app, 3500).await;
    assert_eq!(looked_after(&mut app).await, "", "it may still be set up");
    wait(&mut app, 200).await;
    let said = looked_after(&mut app).await;
    assert!(said.contains("Outpost Berlin is silent since 09:00 UTC: nothing ever came from it"), "{said}");
}

#[tokio::test]
async fn an_outpost_is_told_its_own_checks_and_no_secret_and_nobody_else_is() {
    let (_, shop) = shop().await;
    let mut app = TestApp::with(&config(&shop)).await;
    let (url, tokens) = served(&mut app, &[(Role::Admin, None)]).await;
    let address = format!("{url}/api/v1/uptime/outpost/checks");
    for wrong in ["", "knock", &tokens[0]] {
        assert_eq!(call(Method::GET, &address, wrong, json!({})).await.0, StatusCode::UNAUTHORIZED, "{wrong}");
    }
    let (status, orders) = call(Method::GET, &address, TOKEN, json!({})).await;
    assert_eq!((status, &orders["name"]), (StatusCode::OK, &json!("Berlin")));
    assert_eq!(orders["checks"].as_array().unwrap().len(), 1);
    assert_eq!(orders["checks"][0]["id"], "shop/http@berlin");
    let toml = orders["checks"][0]["toml"].as_str().unwrap();
    assert!(toml.contains(&shop) && toml.contains("WEBHOOK") && !toml.contains("places"), "{toml}");
    assert!(!orders.to_string().contains(superops_sla::simulator::receivers::WEBHOOK_SECRET), "{orders}");
}

/// The spans of the shop as the watch has stored them.
async fn spans_of_shop(place: &Place) -> Vec<(i64, Option<i64>, String)> {
    let store = Store::open(&place.store(), Arc::default()).await.unwrap();
    let spans = store.uptime_spans("shop").await.unwrap();
    store.close().await;
    spans.into_iter().map(|span| (span.from, span.until, span.condition.to_string())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outpost_that_is_a_process_of_its_own_sees_an_outage_and_keeps_what_it_sees_while_the_watch_is_off() {
    let place = Place::new().await;
    let (status, mut heard, shop) = counting_shop().await;
    let free = StdListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let watched = format!(
        "[outposts.berlin]\ntoken_env = \"BERLIN\"\n[components.shop]\n[[checks]]\ncomponent = \"shop\"\nurl = \"{shop}\"\n\
         places = [\"berlin\"]\ninterval = \"1s\"\nheaders_env = {{ X-Watch = \"SHOP_KEY\" }}\n[status_page]\n"
    );
    let config = place.config().replace("listen = \"127.0.0.1:0\"", &format!("listen = \"{free}\"")) + &watched;
    std::fs::write(place.store().with_file_name("config.toml"), config).unwrap();
    let run = || {
        let mut command = place.command(&["run"]);
        command.env("BERLIN", "the-token-of-berlin").env("SHOP_KEY", "never sent from here");
        Running::start(command)
    };
    let mut command = place.command(&["outpost", "--watch", &format!("http://{free}"), "--allow-network", "127.0.0.1"]);
    command.env("SUPEROPS_SLA_OUTPOST_TOKEN", "the-token-of-berlin").env("SHOP_KEY", "open sesame");
    let mut outpost = Running::start(command);
    outpost.until("cannot be reached");
    let mut first = run();
    outpost.until("looking at 1 checks as `berlin`");
    first.until("`shop` was unknown and is up");
    status.store(503, Ordering::SeqCst);
    first.until("`shop` was up and is down");
    status.store(200, Ordering::SeqCst);
    first.until("`shop` was down and is up");
    first.terminate();
    let told = outpost.heard("cannot be reached");
    outpost.until_again("cannot be reached", told);
    // While the watch is off the shop fails and comes back, and nobody but the outpost can know.
    status.store(503, Ordering::SeqCst);
    let failed_at = now();
    asked(&mut heard, 4).await;
    status.store(200, Ordering::SeqCst);
    asked(&mut heard, 4).await;
    let mut again = run();
    again.until("`shop` was down and is up");
    again.terminate();
    outpost.terminate();
    let spans = spans_of_shop(&place).await;
    let known: Vec<_> = spans.iter().skip_while(|(_, _, condition)| condition == "unknown").collect();
    let mut counts = BTreeMap::new();
    known.iter().for_each(|(_, _, condition)| *counts.entry(condition.as_str()).or_insert(0) += 1);
    assert_eq!(counts.get("down"), Some(&2), "{spans:?}");
    let second = known.iter().filter(|(_, _, condition)| condition == "down").nth(1).unwrap();
    assert!((failed_at - 1000..failed_at + 3000).contains(&second.0), "{spans:?} {failed_at}");
}

fn now() -> i64 {
    use superops_sla::clock::{Clock, SystemClock};
    SystemClock.now().timestamp_millis()
}
