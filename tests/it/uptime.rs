//! Services are watched, told of truly, and shown to clients, with real servers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use chrono::TimeDelta;
use reqwest::{Client, Method};
use serde_json::{Value, json};
use superops_sla::keys::Secret;
use superops_sla::service::Reach;
use superops_sla::simulator::receivers::Caught;
use superops_sla::store::pushed::Pushed;
use superops_sla::store::tokens::{Author, Role};
use superops_sla::ticket::TenantId;
use superops_sla::uptime::incident::Work;
use superops_sla::uptime::{Condition, Outcome};
use tokio::net::TcpListener;

use crate::binary::Place;
use crate::life::{call, served};
use crate::support::{PUBLIC_URL, TestApp};

/// A shop that answers with whatever status it is told to.
struct Shop {
    status: Arc<AtomicU16>,
    url: String,
}

impl Shop {
    async fn open() -> Self {
        let status = Arc::new(AtomicU16::new(200));
        let answer = status.clone();
        let answer = async move || StatusCode::from_u16(answer.load(Ordering::SeqCst)).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let router = Router::new().route("/", get(answer));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { status, url }
    }

    fn answers(&self, status: u16) {
        self.status.store(status, Ordering::SeqCst);
    }

    fn config(&self) -> String {
        format!(
            "[components.shop]\nname = \"Web shop\"\n[[checks]]\ncomponent = \"shop\"\nurl = \"{}\"\n\
             [[promises]]\ncomponent = \"shop\"\ntarget = \"99.9\"\nfee = \"450.00 EUR\"\n[status_page]\ntitle = \"Acme\"\n\
             [components.backup]\npublic = false\n[[checks]]\ncomponent = \"backup\"\nheartbeat = true\ninterval = \"1h\"\n\
             token_env = \"HOOK\"\n",
            self.url
        )
    }
}

/// Looks whenever a look is due, for so long.
async fn watch(app: &mut TestApp, length: TimeDelta) {
    app.look_at_services(length).await;
    app.parts().publisher.as_ref().unwrap().render();
}

/// The backup calls.
async fn beat(app: &mut TestApp) {
    call_in(app, false).await;
}

/// The backup calls, and says whether it has failed.
async fn call_in(app: &mut TestApp, failed: bool) {
    let check = app.parts().service.heartbeat_check("knock-knock").unwrap();
    let service = app.parts().service.clone();
    let call = tokio::spawn(async move { service.heartbeat(check, failed).await });
    while !call.is_finished() {
        app.parts().monitor.as_mut().unwrap().turn().await;
        tokio::task::yield_now().await;
    }
    assert!(call.await.unwrap());
}

fn seconds(seconds: i64) -> TimeDelta {
    TimeDelta::seconds(seconds)
}

/// The titles of all incidents, the latest first.
fn incidents(app: &mut TestApp) -> Vec<String> {
    let query = superops_sla::service::incidents::IncidentQuery::default();
    let all = app.parts().service.incidents(&Reach::All, &query);
    all.into_iter().map(|one| one.title).collect()
}

/// The spans of a component, as they are stored, in seconds from `begin`.
async fn spans(app: &mut TestApp, id: &str) -> Vec<(i64, String)> {
    let begin = crate::support::begin().timestamp();
    let spans = app.parts().store.uptime_spans(id).await.unwrap();
    let spans = spans.iter().map(|span| (span.from / 1000 - begin, span.condition.to_string()));
    // Nobody knew anything before the first look.
    spans.skip_while(|(_, condition)| id == "shop" && condition == "unknown").collect()
}

#[tokio::test]
async fn an_outage_counts_from_its_first_failure_and_shows_everywhere() {
    let shop = Shop::open().await;
    let mut app = TestApp::with(&shop.config()).await;
    watch(&mut app, seconds(600)).await;
    let (url, tokens) = served(&mut app, &[(Role::Viewer, None)]).await;
    let ask = async |path: &str| call(Method::GET, &format!("{url}{path}"), &tokens[0], json!({})).await.1;
    let seen = ask("/api/v1/uptime").await;
    assert_eq!(seen["overall_status"], "unknown", "the backup has not called yet: {seen}");
    assert_eq!(
        (&seen["components"][1]["id"], &seen["components"][1]["status"]),
        (&json!("shop"), &json!("up")),
        "{seen}"
    );

    shop.answers(503);
    watch(&mut app, seconds(300)).await;
    shop.answers(200);
    watch(&mut app, seconds(300)).await;
    let stood = spans(&mut app, "shop").await;
    let words: Vec<_> = stood.iter().map(|(_, condition)| condition.as_str()).collect();
    assert_eq!(words, ["up", "down", "up"], "{stood:?}");
    let down = stood[2].0 - stood[1].0;
    assert!((240..=360).contains(&down), "{down} s, give or take an interval");

    let seen = ask("/api/v1/uptime/components/shop").await;
    assert_eq!(
        seen["sla"]["downtime_minutes"]["used"].as_f64().unwrap().round(),
        (down as f64 / 60.0).round(),
        "{seen}"
    );
    let sla = &seen["sla"];
    assert_eq!((&sla["over"], &sla["kept"]), (&json!(false), &json!(true)), "five minutes of a month: {seen}");
    assert_ne!(sla["service_credit"]["amount_minor"], 45000, "nothing is owed while it can still be kept: {seen}");
    let history = ask("/api/v1/uptime/components/shop/history?range=24h").await;
    assert_eq!(history["spans"].as_array().unwrap().len(), 4, "{history}");
    let looks = ask("/api/v1/uptime/components/shop/looks?limit=500").await;
    let found = |status: &str| looks.as_array().unwrap().iter().filter(|look| look["status"] == status).count();
    assert!(found("down") >= 10 && found("up") >= 10, "each look is told: {looks}");
    let page = async |path: &str| {
        let request = Client::new().get(format!("{url}{path}")).bearer_auth(&tokens[0]);
        request.send().await.unwrap().text().await.unwrap()
    };
    let all = page("/services").await;
    assert!(all.contains("href=\"/services/shop\"") && all.contains("<svg class=\"bars\""), "{all}");
    let one = page("/services/shop?range=7d").await;
    for part in [
        "What was promised",
        "Credit, if nothing more is lost",
        "shop/http",
        "status 503",
        "aria-current=\"true\">7d",
        "resolved, from 23 Nov 2026 09:",
    ] {
        assert!(one.contains(part), "{part} is not in {one}");
    }
    let backwards = "/api/v1/uptime/daily?component=shop&from=2026-11-20&to=2026-11-10";
    assert!(ask(backwards).await.to_string().contains("`from` lies after `to`"));
    for target in ["99.9999", "100.001", "-1", "NaN"] {
        let path = format!("/api/v1/uptime/daily?component=shop&target={target}");
        let refused = ask(&path).await.to_string();
        assert!(refused.contains("`target` must be a percentage"), "{target} is not rounded to another: {refused}");
    }
    let nearly = ask("/api/v1/uptime/daily?component=shop&target=99.999").await;
    assert_eq!(nearly["days"][0]["target_percentage"], 99.999, "{nearly}");
    let daily = ask("/api/v1/uptime/daily?component=shop").await;
    assert_eq!(daily["days"].as_array().unwrap().last().unwrap()["sla_breaches"], 1, "{daily}");
    assert_eq!(
        call(Method::GET, &format!("{url}/api/v1/uptime/components/nothing"), &tokens[0], json!({})).await.0,
        404
    );

    shop.answers(503);
    watch(&mut app, seconds(900)).await;
    let seen = ask("/api/v1/uptime/components/shop").await;
    assert_eq!((&seen["sla"]["over"], &seen["sla"]["kept"]), (&json!(false), &json!(false)), "past saving: {seen}");
    assert!(seen["sla"]["service_credit"]["amount_minor"].as_i64() > Some(0), "{seen}");
}

#[tokio::test]
async fn the_public_page_needs_no_token_and_names_no_host() {
    let shop = Shop::open().await;
    let mut app = TestApp::with(&shop.config()).await;
    shop.answers(503);
    watch(&mut app, seconds(300)).await;
    let (url, _) = served(&mut app, &[]).await;
    let get = async |path: &str| Client::new().get(format!("{url}{path}")).send().await.unwrap();
    let page = get("/status").await;
    let etag = page.headers()["etag"].clone();
    let html = page.text().await.unwrap();
    assert!(html.contains("Web shop") && html.contains("Some services are down"), "{html}");
    let mut all = html;
    for path in
        ["status.json", "compact.json", "metrics.json", "history.atom", "history.rss", "maintenance.ics", "badge.svg"]
    {
        let answer = get(&format!("/status/{path}")).await;
        assert_eq!(answer.status(), 200, "{path}");
        all.push_str(&answer.text().await.unwrap());
    }
    let summary: Value = get("/api/v2/summary.json").await.json().await.unwrap();
    assert_eq!(summary["components"][0]["status"], "major_outage", "{summary}");
    assert_eq!(summary["status"]["indicator"], "critical", "{summary}");
    all.push_str(&summary.to_string());
    for secret in ["127.0.0.1", "503", "backup", "status 5"] {
        assert!(!all.contains(secret), "{secret} is nobody's business");
    }
    let again = Client::new().get(format!("{url}/status")).header("if-none-match", etag).send().await.unwrap();
    assert_eq!(again.status(), 304);
    assert_eq!(get("/status/nothing").await.status(), 404);
    let slashed = get("/status/").await;
    assert_eq!((slashed.url().path(), slashed.status().as_u16()), ("/status", 200));
}

#[tokio::test]
async fn the_public_page_is_sent_as_the_asker_can_use_it() {
    let shop = Shop::open().await;
    let mut app = TestApp::with(&shop.config()).await;
    watch(&mut app, seconds(120)).await;
    let (url, _) = served(&mut app, &[]).await;
    let client = Client::builder().no_gzip().build().unwrap();
    let ask = async |method: Method, name: &str, value: &str| {
        client.request(method, format!("{url}/status")).header(name, value).send().await.unwrap()
    };
    let packed = ask(Method::GET, "accept-encoding", "br, GZIP;q=0.5").await;
    assert_eq!(packed.headers()["content-encoding"], "gzip");
    let plain = ask(Method::GET, "accept-encoding", "gzip;q=0.0, identity").await;
    assert!(!plain.headers().contains_key("content-encoding"));
    // A cache that packs it marks the validator as weak.
    let weak = format!("W/{}", plain.headers()["etag"].to_str().unwrap());
    for method in [Method::GET, Method::HEAD] {
        assert_eq!(ask(method, "if-none-match", &weak).await.status(), 304);
    }
}

#[tokio::test]
async fn a_restart_while_down_goes_on_and_a_long_stop_is_unknown() {
    let shop = Shop::open().await;
    let mut app = TestApp::with(&shop.config()).await;
    watch(&mut app, seconds(120)).await;
    shop.answers(500);
    watch(&mut app, seconds(120)).await;
    app.restart().await;
    watch(&mut app, seconds(120)).await;
    assert_eq!(spans(&mut app, "shop").await.len(), 2, "up, and down without a break");
    app.stop().await;
    app.clock.advance(seconds(7200));
    app.resume().await;
    shop.answers(200);
    watch(&mut app, seconds(60)).await;
    let words: Vec<_> = spans(&mut app, "shop").await.into_iter().map(|(_, condition)| condition).collect();
    assert_eq!(words, ["up", "down", "unknown", "up"]);
}

#[tokio::test]
async fn a_heartbeat_that_stays_away_is_down_and_our_own_absence_is_forgiven_once() {
    let shop = Shop::open().await;
    let mut app = TestApp::with(&shop.config()).await;
    let standing = async |app: &mut TestApp| spans(app, "backup").await.pop().map(|(_, condition)| condition);
    watch(&mut app, seconds(7200)).await;
    assert_eq!(standing(&mut app).await.as_deref(), Some("unknown"), "it has never called");
    beat(&mut app).await;
    assert_eq!(standing(&mut app).await.as_deref(), Some("up"));
    watch(&mut app, seconds(3600)).await;
    assert_eq!(standing(&mut app).await.as_deref(), Some("up"), "within its grace");
    watch(&mut app, seconds(120)).await;
    assert_eq!(standing(&mut app).await.as_deref(), Some("down"));
    beat(&mut app).await;
    assert_eq!(standing(&mut app).await.as_deref(), Some("up"));
    app.stop().await;
    app.clock.advance(seconds(7200));
    app.resume().await;
    watch(&mut app, seconds(3600)).await;
    assert_eq!(standing(&mut app).await.as_deref(), Some("unknown"), "it may have called while nobody was there");
    app.restart().await;
    watch(&mut app, seconds(30)).await;
    assert_eq!(standing(&mut app).await.as_deref(), Some("unknown"));
    watch(&mut app, seconds(120)).await;
    assert_eq!(standing(&mut app).await.as_deref(), Some("down"), "a second start puts it off no further");
    let spans = spans(&mut app, "backup").await;
    let [.., (up, _), (unknown, _), (down, _)] = &spans[..] else { panic!("{spans:?}") };
    assert_eq!((unknown - up, down - unknown), (3660, 7200), "up for as long as its last call holds: {spans:?}");
}

#[tokio::test]
async fn a_look_is_late_until_it_begins_not_until_it_is_in_line() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let check = |id| format!("[components.{id}]\n[[checks]]\ncomponent = \"{id}\"\nurl = \"{url}\"\n");
    let mut app = TestApp::with(&["shop", "mail", "desk"].map(check).concat()).await;
    let clock = app.clock.clone();
    let answer = async move || {
        clock.advance(seconds(40));
        "at last"
    };
    tokio::spawn(async move { axum::serve(listener, Router::new().route("/", get(answer))).await });
    app.clock.advance(seconds(10));
    app.parts().monitor.as_mut().unwrap().turn().await;
    let figures = app.parts().telemetry.render();
    let sum = figures.lines().find_map(|line| line.strip_prefix("superops_sla_uptime_lag_seconds_sum "));
    let late: f64 = sum.unwrap().parse().unwrap();
    assert!(late >= 40.0, "the third waits for one of the two that may be at a host, not for {late} s");
}

#[tokio::test]
async fn a_heartbeat_that_is_heard_does_not_prove_that_our_own_line_works() {
    let shop = Shop::open().await;
    let mut app = TestApp::with(&format!("{}[uptime]\ncanaries = [\"127.0.0.1:1\"]\n", shop.config())).await;
    beat(&mut app).await;
    app.look_at_services(seconds(120)).await;
    shop.answers(503);
    for _ in 0..12 {
        beat(&mut app).await;
        app.look_at_services(seconds(10)).await;
    }
    let spans = spans(&mut app, "shop").await;
    let conditions: Vec<_> = spans.iter().map(|(_, condition)| condition.as_str()).collect();
    assert_eq!(conditions, ["up", "unknown"], "no canary answers either");
}

#[tokio::test]
async fn a_heartbeat_that_may_be_missed_twice_is_down_at_the_third_from_the_first() {
    let shop = Shop::open().await;
    let more = shop.config().replace("interval = \"1h\"\n", "interval = \"1h\"\nfailures = 3\n");
    let mut app = TestApp::with(&more).await;
    watch(&mut app, seconds(60)).await;
    beat(&mut app).await;
    watch(&mut app, seconds(3 * 3600 + 30)).await;
    assert_eq!(spans(&mut app, "backup").await.pop().unwrap().1, "up", "the third call may come a minute late");
    watch(&mut app, seconds(60)).await;
    let stood = spans(&mut app, "backup").await;
    let [.., (up, _), (down, last)] = &stood[..] else { panic!("{stood:?}") };
    assert_eq!((last.as_str(), down - up), ("down", 3660), "from the first that was missed: {stood:?}");
    beat(&mut app).await;
    watch(&mut app, seconds(2 * 3600)).await;
    beat(&mut app).await;
    watch(&mut app, seconds(2 * 3600)).await;
    assert_eq!(spans(&mut app, "backup").await.pop().unwrap().1, "up", "the two that were missed were not in a row");
}

#[tokio::test]
async fn a_restart_while_a_member_of_a_group_is_down_tells_neither_its_end_nor_the_same_again() {
    let (good, bad) = (Shop::open().await, Shop::open().await);
    let steps = "[[alerts.steps]]\nafter = \"0s\"\nnotify = [\"email:duty@example.com\"]\n";
    let check = |id: &str, url: &str| format!("[components.{id}]\n[[checks]]\ncomponent = \"{id}\"\nurl = \"{url}\"\n");
    let group = "[components.duo]\nany_of = [\"good\", \"bad\"]\n";
    let mut app = TestApp::with(&format!("{steps}{}{}{group}", check("good", &good.url), check("bad", &bad.url))).await;
    app.look_at_services(seconds(120)).await;
    bad.answers(500);
    app.look_at_services(seconds(300)).await;
    app.settle().await;
    let said = app.said();
    assert!(said.contains("duo is degraded"), "{said}");
    app.stop().await;
    app.clock.advance(seconds(600));
    app.resume().await;
    for _ in 0..20 {
        app.look_at_services(seconds(3)).await;
        app.settle().await;
        let said = app.said();
        assert!(!said.contains("duo"), "{said}");
    }
    bad.answers(200);
    app.look_at_services(seconds(60)).await;
    app.settle().await;
    let said = app.said();
    assert!(said.contains("duo is up again"), "{said}");
}

#[tokio::test]
async fn what_may_not_be_asked_is_unknown_says_why_and_accuses_nobody() {
    let shop = Shop::open().await;
    let away = "[components.away]\n[[checks]]\ncomponent = \"away\"\nurl = \"http://169.254.169.254/\"\n";
    let mut app = TestApp::with(&format!("{}{away}", shop.config())).await;
    watch(&mut app, seconds(300)).await;
    let found = app.parts().service.component(&Reach::All, "away").await.unwrap().unwrap();
    assert_eq!((found.status, found.checks[0].status), ("unknown", "unknown"));
    let detail = found.checks[0].detail.as_deref().unwrap_or_default();
    assert!(detail.starts_with("not asked: 169.254.169.254 is "), "{detail}");
    app.settle().await;
    let said = app.said();
    assert!(!said.contains("away"), "nobody is told of an outage: {said}");
}

#[tokio::test]
async fn a_heartbeat_that_comes_where_nobody_looks_is_kept_for_the_replica_that_does() {
    let shop = Shop::open().await;
    let mut app = TestApp::with(&shop.config()).await;
    watch(&mut app, seconds(60)).await;
    app.parts().monitor = None;
    let service = app.parts().service.clone();
    let check = service.heartbeat_check("knock-knock").unwrap();
    assert!(service.heartbeat(check, false).await, "it is not turned away");
    app.restart().await;
    watch(&mut app, seconds(1)).await;
    assert_eq!(spans(&mut app, "backup").await.pop().unwrap().1, "up");
    assert!(app.parts().store.pushed().await.unwrap().is_empty(), "and taken once");
}

#[tokio::test]
async fn a_report_that_another_replica_dated_ahead_of_us_hides_no_later_one() {
    let shop = Shop::open().await;
    let mut app = TestApp::with(&shop.config()).await;
    watch(&mut app, seconds(60)).await;
    let check = app.parts().service.heartbeat_check("knock-knock").unwrap();
    let outcome = Outcome::up((app.now() + seconds(300)).timestamp_millis());
    let report = (TenantId::parse("acme").unwrap(), Pushed { check, outcome, micros: 0 });
    assert!(app.parts().store.keep_pushed(vec![report]).await.unwrap());
    app.restart().await;
    watch(&mut app, seconds(5)).await;
    assert_eq!(spans(&mut app, "backup").await.pop().unwrap().1, "up");
    app.clock.advance(seconds(5));
    call_in(&mut app, true).await;
    assert_eq!(spans(&mut app, "backup").await.pop().unwrap().1, "down");
}

#[tokio::test]
async fn an_outage_is_told_once_step_by_step_and_so_is_its_end() {
    let shop = Shop::open().await;
    let steps = "[[alerts.steps]]\nafter = \"0s\"\nnotify = [\"email:duty@example.com\"]\n\
                 [[alerts.steps]]\nafter = \"30m\"\nnotify = [\"email:boss@example.com\"]\n";
    let mut app = TestApp::with(&format!("{steps}{}", shop.config())).await;
    watch(&mut app, seconds(120)).await;
    app.settle().await;
    app.said();
    shop.answers(503);
    watch(&mut app, seconds(300)).await;
    app.settle().await;
    let said = app.said();
    assert!(said.contains("duty@example.com") && said.contains("Web shop is down"), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    app.restart().await;
    watch(&mut app, seconds(60)).await;
    app.settle().await;
    assert_eq!(app.said(), "", "a restart tells nobody twice");
    shop.answers(200);
    watch(&mut app, seconds(120)).await;
    app.settle().await;
    let said = app.said();
    assert!(said.contains("duty@example.com") && said.contains("is up again"), "{said}");
    watch(&mut app, seconds(3600)).await;
    app.settle().await;
    assert_eq!(app.said(), "", "the later step has nothing to say any more");
}

#[tokio::test]
async fn what_keeps_going_up_and_down_is_told_as_such_while_it_is_down_and_is_up_again_only_when_it_stays_so() {
    let shop = Shop::open().await;
    let steps = "[[alerts.steps]]\nafter = \"0s\"\nnotify = [\"email:duty@example.com\"]\n\
                 [[alerts.steps]]\nafter = \"27m\"\nnotify = [\"email:boss@example.com\"]\n";
    let config = shop.config().replace("99.9", "10");
    let mut app = TestApp::with(&format!("{steps}{config}")).await;
    watch(&mut app, seconds(120)).await;
    app.settle().await;
    app.said();
    let mut said = Vec::new();
    for _ in 0..8 {
        for (status, length) in [(503, 120), (200, 240)] {
            shop.answers(status);
            watch(&mut app, seconds(length)).await;
            app.settle().await;
            said.push(app.said());
        }
    }
    let all = said.concat();
    assert!(!all.contains("is up since"), "{said:#?}");
    assert_eq!(all.matches("is up again").count(), 2, "from the sixth change on its end is no news: {said:#?}");
    assert_eq!(said[5..14].concat(), "", "nobody is told further while it is up: {said:#?}");
    assert!(said[14].contains("boss@example.com: Web shop keeps going up and down (15 changes within an hour)"));
    assert!(said[14].contains("and is down since"), "{said:#?}");

    shop.answers(503);
    watch(&mut app, TimeDelta::minutes(20)).await;
    app.settle().await;
    assert_eq!(app.said(), "", "it is down for good, and was not up in between");
    shop.answers(200);
    watch(&mut app, seconds(180)).await;
    app.settle().await;
    let over = app.said();
    assert!(over.contains("duty@example.com: Web shop is up again") && over.contains("boss@example.com"), "{over}");
    assert!(over.contains("of going up and down"), "{over}");
}

#[tokio::test]
async fn a_step_that_waits_while_a_service_that_flaps_is_up_is_not_called_late() {
    let shop = Shop::open().await;
    let steps = "[[alerts.steps]]\nafter = \"0s\"\nnotify = [\"email:duty@example.com\"]\n\
                 [[alerts.steps]]\nafter = \"27m\"\nnotify = [\"email:boss@example.com\"]\n";
    let mut app = TestApp::with(&format!("{steps}{}", shop.config().replace("99.9", "10"))).await;
    watch(&mut app, seconds(120)).await;
    let mut said = String::new();
    for _ in 0..8 {
        for (status, length) in [(503, 120), (200, 240)] {
            shop.answers(status);
            watch(&mut app, seconds(length)).await;
            app.settle().await;
            said.push_str(&app.said());
            app.look_after().await;
            let found = app.parts().service.overview(&Reach::All).await.unwrap().mismatches;
            assert!(found.is_empty(), "{found:?} after {said}");
        }
    }
    assert!(said.contains("boss@example.com"), "it waited, and ran: {said}");
}

#[tokio::test]
async fn an_outage_is_an_alert_like_any_other_acknowledged_in_one_click_and_told_no_further() {
    let shop = Shop::open().await;
    let steps = "[[alerts.steps]]\nafter = \"0s\"\nnotify = [\"email:duty@example.com\"]\n\
                 [[alerts.steps]]\nafter = \"10m\"\nnotify = [\"email:boss@example.com\"]\n";
    let config = shop.config().replace("99.9", "90");
    let mut app = TestApp::with(&format!("{steps}{config}")).await;
    watch(&mut app, seconds(120)).await;
    app.settle().await;
    app.said();
    let (url, tokens) = served(&mut app, &[(Role::Responder, None)]).await;
    shop.answers(503);
    watch(&mut app, seconds(300)).await;
    app.settle().await;
    assert!(app.said().contains("duty@example.com"));
    let ask = async |method: Method, path: &str, body: Value| {
        call(method, &format!("{url}/api/v1{path}"), &tokens[0], body).await.1
    };
    let seen = ask(Method::GET, "/alerts", json!({})).await;
    let alert = &seen["alerts"][0];
    assert_eq!((&seen["total"], &alert["clock"], &alert["stage"]), (&json!(1), &json!("outage"), &json!("breached")));
    assert_eq!((&alert["display_id"], &alert["component"]), (&json!("Web shop"), &json!("shop")), "{alert}");
    assert!(alert["reason"].as_str().unwrap().contains("status 503"), "{alert}");
    let path = format!("/alerts/{}/ack", alert["id"].as_str().unwrap());
    let held = ask(Method::POST, &path, json!({ "by": "Mia" })).await;
    assert_eq!(held["state"], "acknowledged", "{held}");
    assert!(held["hold"]["by"].as_str().unwrap().starts_with("Mia"), "{held}");
    watch(&mut app, TimeDelta::minutes(20)).await;
    app.settle().await;
    assert_eq!(app.said(), "", "somebody is on it");
    let path = path.strip_suffix("/ack").unwrap();
    let acts = &ask(Method::GET, path, json!({})).await["acts"];
    assert!(acts[0]["what"].as_str().unwrap().starts_with("acknowledged alert"), "{acts}");
    app.restart().await;
    app.settle().await;
    assert_eq!(app.said(), "", "and still is");
}

#[tokio::test]
async fn whoever_closes_an_outage_by_hand_is_not_told_of_it_again_even_after_a_restart() {
    let shop = Shop::open().await;
    let steps = "[[alerts.steps]]\nafter = \"0s\"\nnotify = [\"email:duty@example.com\"]\n";
    let mut app = TestApp::with(&format!("{steps}{}", shop.config())).await;
    watch(&mut app, seconds(120)).await;
    shop.answers(404);
    watch(&mut app, seconds(300)).await;
    app.settle().await;
    let (url, tokens) = served(&mut app, &[(Role::Responder, None)]).await;
    let said = app.said();
    assert!(said.contains("Web shop is degraded"), "{said}");
    let seen = call(Method::GET, &format!("{url}/api/v1/alerts"), &tokens[0], json!({})).await.1;
    let id = seen["alerts"][0]["id"].as_str().unwrap();
    call(Method::POST, &format!("{url}/api/v1/alerts/{id}/resolve"), &tokens[0], json!({})).await;
    app.settle().await;
    watch(&mut app, seconds(300)).await;
    app.settle().await;
    app.restart().await;
    watch(&mut app, seconds(60)).await;
    app.settle().await;
    assert_eq!(app.said(), "", "it was closed");
    shop.answers(503);
    watch(&mut app, seconds(300)).await;
    app.settle().await;
    assert!(app.said().contains("Web shop is down"), "what is worse is news");
}

#[tokio::test]
async fn an_outage_that_is_silenced_is_recorded_and_told_only_when_the_silence_ends() {
    let shop = Shop::open().await;
    let steps = "[[alerts.steps]]\nafter = \"0s\"\nnotify = [\"email:duty@example.com\"]\n";
    let config = shop.config().replace("99.9", "10");
    let mut app = TestApp::with(&format!("{steps}{config}")).await;
    watch(&mut app, seconds(120)).await;
    let (url, tokens) = served(&mut app, &[(Role::Responder, None)]).await;
    let order = json!({ "component": "Web shop", "for": "1h", "reason": "they move" });
    let (status, made) = call(Method::POST, &format!("{url}/api/v1/silences"), &tokens[0], order).await;
    assert_eq!(status, 201, "{made}");
    shop.answers(503);
    watch(&mut app, TimeDelta::minutes(30)).await;
    app.settle().await;
    assert_eq!(app.said(), "", "nobody wants to hear of it");
    let seen = call(Method::GET, &format!("{url}/api/v1/alerts"), &tokens[0], json!({})).await.1;
    assert_eq!(seen["alerts"][0]["overlays"].as_array().unwrap().len(), 1, "{seen}");
    watch(&mut app, TimeDelta::minutes(31)).await;
    app.settle().await;
    assert!(app.said().contains("Web shop is down"), "and it still is");
}

#[tokio::test]
async fn a_heartbeat_that_stays_away_is_told_as_one_and_reaches_who_answers_where_no_step_names_anybody() {
    let shop = Shop::open().await;
    let mut app = TestApp::with(&shop.config()).await;
    app.sync().await;
    watch(&mut app, seconds(60)).await;
    beat(&mut app).await;
    app.settle().await;
    app.said();
    watch(&mut app, TimeDelta::hours(3)).await;
    app.settle().await;
    let said = app.said();
    assert!(said.contains("backup is overdue since"), "{said}");
    beat(&mut app).await;
    watch(&mut app, seconds(60)).await;
    app.settle().await;
    app.said();
    call_in(&mut app, true).await;
    watch(&mut app, seconds(60)).await;
    app.settle().await;
    let said = app.said();
    assert!(said.contains("backup is failing since"), "it has come in time: {said}");
    let (url, tokens) = served(&mut app, &[(Role::Viewer, None)]).await;
    let page = Client::new().get(format!("{url}/services/backup")).bearer_auth(&tokens[0]).send().await.unwrap();
    let page = page.text().await.unwrap();
    assert!(page.contains("No answer times") && !page.contains("<svg class=\"chart\""), "it is never asked: {page}");
}

#[tokio::test]
async fn alerts_on_what_the_file_has_no_longer_end_when_it_starts_with_another() {
    let shop = Shop::open().await;
    let objective = "[[objectives]]\ncomponent = \"shop\"\nmeasure = \"errors\"\nwindow = \"10m\"\nbreach = \"10\"\n";
    let config =
        shop.config().replace("[[checks]]\ncomponent = \"shop\"", "[[checks]]\ncomponent = \"shop\"\nfailures = 20");
    let mut app = TestApp::with(&format!("{config}{objective}")).await;
    watch(&mut app, TimeDelta::minutes(15)).await;
    beat(&mut app).await;
    shop.answers(503);
    watch(&mut app, seconds(100)).await;
    app.settle().await;
    shop.answers(200);
    watch(&mut app, TimeDelta::minutes(4)).await;
    app.settle().await;
    let open = async |app: &mut TestApp| {
        let all = app.parts().service.alerts(&Reach::All, &Default::default()).await.unwrap();
        all.alerts.into_iter().map(|one| one.clock.as_str()).collect::<Vec<&str>>()
    };
    assert_eq!(open(&mut app).await, ["objective"]);
    app.restart_with(&config).await;
    app.settle().await;
    assert!(open(&mut app).await.is_empty(), "it has no objectives any more");
    watch(&mut app, TimeDelta::hours(3)).await;
    app.settle().await;
    assert_eq!(open(&mut app).await, ["heartbeat"]);
    let looked_at = format!("[[checks]]\ncomponent = \"backup\"\nname = \"web\"\nurl = \"{}\"\n", shop.url);
    app.restart_with(&format!("{config}{looked_at}")).await;
    beat(&mut app).await;
    watch(&mut app, seconds(120)).await;
    app.settle().await;
    assert!(open(&mut app).await.is_empty(), "it is up, and no more seen by its heartbeats alone");
}

#[tokio::test]
async fn a_promise_that_is_missed_is_told_once_though_the_service_is_up_again() {
    let shop = Shop::open().await;
    let steps = "[[alerts.steps]]\nafter = \"0s\"\nnotify = [\"email:duty@example.com\"]\n";
    let mut app = TestApp::with(&format!("{steps}{}", shop.config())).await;
    watch(&mut app, seconds(120)).await;
    shop.answers(503);
    watch(&mut app, TimeDelta::minutes(9)).await;
    app.settle().await;
    app.said();
    shop.answers(200);
    watch(&mut app, TimeDelta::minutes(5)).await;
    app.settle().await;
    let said = app.said();
    assert!(said.contains("is up again") && said.contains("% of its downtime budget"), "{said}");
    shop.answers(503);
    watch(&mut app, TimeDelta::minutes(8)).await;
    app.settle().await;
    let said = app.said();
    assert!(said.contains("Web shop has missed its promise of 99.9 %"), "{said}");
    app.restart().await;
    shop.answers(200);
    watch(&mut app, TimeDelta::hours(2)).await;
    app.settle().await;
    let said = app.said();
    assert!(!said.contains("budget") && !said.contains("promise"), "once is enough: {said}");
    let open = app.parts().service.alerts(&Reach::All, &Default::default()).await.unwrap();
    assert_eq!((open.total, open.alerts[0].clock.as_str()), (1, "budget"), "until its month is over: {open:?}");
}

#[tokio::test]
async fn each_promise_of_a_service_is_told_and_listed_by_itself() {
    let shop = Shop::open().await;
    let second = "[[promises]]\ncomponent = \"shop\"\ntarget = \"99.99\"\nperiod = \"month\"\n[status_page]\n";
    let config = shop.config().replace("target = \"99.9\"\n", "target = \"50\"\nperiod = \"year\"\n");
    let steps = "[[alerts.steps]]\nafter = \"0s\"\nnotify = [\"email:duty@example.com\"]\n";
    let mut app = TestApp::with(&format!("{steps}{}", config.replace("[status_page]\n", second))).await;
    watch(&mut app, seconds(120)).await;
    shop.answers(503);
    watch(&mut app, TimeDelta::minutes(9)).await;
    app.settle().await;
    let said = app.said();
    assert!(said.contains("has missed its promise of 99.99 %") && !said.contains("50 %"), "{said}");
    app.restart().await;
    watch(&mut app, seconds(60)).await;
    app.settle().await;
    assert!(!app.said().contains("promise"), "once");
    let sla = async |app: &mut TestApp, period: Option<&str>| {
        let query = superops_sla::service::uptime::SlaQuery { period: period.map(str::to_owned), ..Default::default() };
        let found = app.parts().service.uptime_sla(&Reach::All, &query).await.unwrap();
        found.promises.iter().map(|one| (one.target_percent, one.kept)).collect::<Vec<_>>()
    };
    assert_eq!(sla(&mut app, None).await, [(50.0, Some(true)), (99.99, Some(false))]);
    assert_eq!(sla(&mut app, Some("month")).await, [(99.99, Some(false))]);
}

#[tokio::test]
async fn a_form_that_is_refused_comes_back_open_with_all_that_was_typed() {
    let shop = Shop::open().await;
    let mut app = TestApp::with(&shop.config()).await;
    watch(&mut app, seconds(120)).await;
    let (url, tokens) = served(&mut app, &[(Role::Admin, None)]).await;
    let fill = async |path: &str, fields: &[(&str, &str)]| {
        let sent =
            Client::new().post(format!("{url}{path}")).bearer_auth(&tokens[0]).form(fields).send().await.unwrap();
        (sent.status().as_u16(), sent.text().await.unwrap())
    };
    // Nothing is ticked.
    let typed =
        [("title", "Orders & bills"), ("impact", "critical"), ("text", "We look into it."), ("note", "db-7 is full")];
    let (status, page) = fill("/incidents", &typed).await;
    let form = page.split("<details").find(|form| form.contains("action=\"/incidents\"")).unwrap();
    assert_eq!(status, 400);
    assert!(form.contains("class=\"say\" open") && form.contains("tick what it affects"), "{form}");
    assert!(form.contains("value=\"Orders &amp; bills\"") && form.contains(">We look into it.<"), "{form}");
    assert!(form.contains(">db-7 is full<") && form.contains("value=\"critical\" selected"), "{form}");
    assert!(!form.contains("value=\"yes\" checked") && !page.contains("`components`"), "{form}");
    assert_eq!(page.matches("Orders &amp; bills").count(), 1, "the other form has nothing of it");

    // It ends before it begins.
    let work = [
        ("title", "New switch"),
        ("components", "shop"),
        ("from", "2035-01-01T10:00"),
        ("until", "2035-01-01T09:00"),
        ("public", "yes"),
    ];
    let (status, page) = fill("/maintenance", &work).await;
    let form = page.split("<details").find(|form| form.contains("action=\"/maintenance\"")).unwrap();
    assert_eq!(status, 400);
    assert!(form.contains("class=\"say\" open") && form.contains("must end after it begins"), "{form}");
    assert!(form.contains("value=\"2035-01-01T10:00\"") && form.contains("value=\"2035-01-01T09:00\""), "{form}");
    assert!(form.contains("value=\"shop\" checked") && form.contains("value=\"yes\" checked"), "{form}");
}

#[tokio::test]
async fn every_text_of_an_incident_may_be_as_long_as_its_field_in_any_script() {
    let shop = Shop::open().await;
    let mut app = TestApp::with(&shop.config()).await;
    watch(&mut app, seconds(120)).await;
    let (url, tokens) = served(&mut app, &[(Role::Admin, None)]).await;
    let (title, text) = ("\u{1F5A8}".repeat(200), "\u{1F5A8}".repeat(4000));
    let (title, text) = (title.as_str(), text.as_str());
    let fill = async |path: &str, fields: &[(&str, &str)]| {
        Client::new().post(format!("{url}{path}")).bearer_auth(&tokens[0]).form(fields).send().await.unwrap()
    };
    let opened = fill("/incidents", &[("title", title), ("components", "shop"), ("text", text), ("note", text)]).await;
    assert_eq!(opened.status().as_u16(), 200);
    let incident = opened.url().path().to_owned();
    let said = fill(&incident, &[("title", title), ("text", text), ("note", text), ("cause", text)]).await;
    assert_eq!(said.status().as_u16(), 200);
    assert!(said.text().await.unwrap().matches(text).count() >= 5, "nothing is lost");
    let (from, until) = (("from", "2026-12-01T10:00"), ("until", "2026-12-01T11:00"));
    let work = fill("/maintenance", &[("title", title), ("components", "shop"), ("text", text), from, until]).await;
    assert_eq!(work.status().as_u16(), 200);
    let order = json!({ "title": title, "components": ["shop"], "text": text, "note": text });
    assert_eq!(call(Method::POST, &format!("{url}/api/v1/incidents"), &tokens[0], order).await.0, 201);
}

#[tokio::test]
async fn times_typed_on_the_page_of_one_tenant_are_of_the_zone_that_it_names() {
    let shop = Shop::open().await;
    let components = shop.config().replace("]\nname = ", "]\ntenant = \"acme\"\nname = ");
    let components = components.replace("public = false\n", "tenant = \"acme\"\npublic = false\n");
    let other = "[tenants.globex]\nsubdomain = \"globex\"\nregion = \"eu\"\ntoken_env = \"TWILIO\"\n";
    let mut app = TestApp::with_office(&format!("{other}{components}")).await;
    watch(&mut app, seconds(120)).await;
    let (url, tokens) = served(&mut app, &[(Role::Admin, None)]).await;
    let client = Client::new();
    let page = client.get(format!("{url}/incidents?tenant=acme")).bearer_auth(&tokens[0]).send().await.unwrap();
    let page = page.text().await.unwrap();
    let form = page.split("<form").find(|form| form.contains("From (Europe/London)")).unwrap();
    let action = form.split_once("action=\"").unwrap().1.split_once('"').unwrap().0;
    let work = [
        ("title", "New switch"),
        ("components", "shop"),
        ("from", "2027-07-01T22:00"),
        ("until", "2027-07-01T23:00"),
        ("public", "yes"),
    ];
    let sent = client.post(format!("{url}{action}")).bearer_auth(&tokens[0]).form(&work).send().await.unwrap();
    assert_eq!(sent.url().as_str(), format!("{url}/incidents?tenant=acme"));
    assert!(sent.text().await.unwrap().contains("1 Jul 2027 22:00"));
    let works = app.parts().service.planned_work(&Reach::All);
    assert_eq!(works[0].from.to_rfc3339(), "2027-07-01T21:00:00+00:00");
}

#[tokio::test]
async fn incidents_are_listed_with_the_names_of_what_they_touch() {
    let shop = Shop::open().await;
    let mut app = TestApp::with(&shop.config()).await;
    watch(&mut app, seconds(120)).await;
    let (url, tokens) = served(&mut app, &[(Role::Responder, None)]).await;
    let order = json!({ "title": "Orders are slow", "components": ["shop"] });
    assert_eq!(call(Method::POST, &format!("{url}/api/v1/incidents"), &tokens[0], order).await.0, 201);
    let page = Client::new().get(format!("{url}/incidents")).bearer_auth(&tokens[0]).send().await.unwrap();
    let page = page.text().await.unwrap();
    assert!(page.contains("<td>Web shop</td>") && !page.contains("<td>shop</td>"), "{page}");
}

#[tokio::test]
async fn an_incident_is_worked_through_and_what_is_said_among_us_stays_among_us() {
    let shop = Shop::open().await;
    let mut app = TestApp::with(&shop.config()).await;
    watch(&mut app, seconds(120)).await;
    let (url, tokens) = served(&mut app, &[(Role::Responder, None), (Role::Viewer, None)]).await;
    let ask =
        async |method: Method, path: &str, body: Value| call(method, &format!("{url}{path}"), &tokens[0], body).await;
    let order = json!({ "title": "Orders are slow", "components": ["shop"], "impact": "major", "text": "We look into it.", "note": "db-7 is full" });
    assert_eq!(call(Method::POST, &format!("{url}/api/v1/incidents"), &tokens[1], order.clone()).await.0, 403);
    let (status, made) = ask(Method::POST, "/api/v1/incidents", order).await;
    assert_eq!(status, 201, "{made}");
    let id = made["id"].as_str().unwrap();
    let path = format!("/api/v1/incidents/{id}/updates");
    let resolved = json!({ "status": "resolved", "text": "Orders are quick again." });
    let (status, why) = ask(Method::POST, &path, resolved.clone()).await;
    assert_eq!(status, 400, "{why}");
    assert!(why["detail"].as_str().unwrap().contains("cause"), "{why}");

    let public = async |app: &mut TestApp, path: &str| {
        app.parts().publisher.as_ref().unwrap().render();
        Client::new().get(format!("{url}{path}")).send().await.unwrap().text().await.unwrap()
    };
    assert!(public(&mut app, "/status").await.contains("Orders are slow"));
    let unresolved: Value = serde_json::from_str(&public(&mut app, "/api/v2/incidents/unresolved.json").await).unwrap();
    assert_eq!(unresolved["incidents"][0]["status"], "investigating", "{unresolved}");
    ask(Method::POST, &path, json!({ "status": "identified", "text": "A disk is full." })).await;
    let mut resolved = resolved;
    resolved["cause"] = json!("nobody watched the disk");
    let (status, over) = ask(Method::POST, &path, resolved).await;
    assert_eq!((status.as_u16(), over["updates"].as_array().unwrap().len()), (200, 3), "{over}");
    let page = public(&mut app, "/status").await;
    assert!(page.contains("Past incidents") && page.contains("Orders are quick again."), "{page}");
    let atom = public(&mut app, "/status/history.atom").await;
    assert_eq!(atom.matches("<entry>").count(), 3, "{atom}");
    for (what, text) in [("page", page), ("feed", atom), ("rss", public(&mut app, "/status/history.rss").await)] {
        assert!(!text.contains("db-7") && !text.contains("nobody watched"), "the {what} tells too much");
    }
    app.restart().await;
    let kept = app.parts().service.incident(&Reach::All, id).unwrap();
    assert_eq!((kept.status, kept.updates.len()), ("resolved", 3), "{kept:?}");
}

#[tokio::test]
async fn the_audit_log_says_what_was_changed_of_an_incident_and_when_work_takes_place() {
    let shop = Shop::open().await;
    let mut app = TestApp::with(&shop.config()).await;
    watch(&mut app, seconds(120)).await;
    let (url, tokens) = served(&mut app, &[(Role::Admin, None)]).await;
    let post = async |path: &str, body: Value| {
        let (status, made) = call(Method::POST, &format!("{url}{path}"), &tokens[0], body).await;
        assert!(status.is_success(), "{made}");
        made["id"].as_str().unwrap().to_owned()
    };
    let id = post("/api/v1/incidents", json!({ "title": "Orders are slow", "components": ["shop"] })).await;
    let updates = format!("/api/v1/incidents/{id}/updates");
    for change in [
        json!({ "title": "Orders fail" }),
        json!({ "impact": "major", "public": false }),
        json!({ "note": "db-7 is full" }),
        json!({ "cause": "nobody watched the disk" }),
        json!({ "status": "resolved", "text": "x".repeat(600), "cause": "no alarm" }),
        json!({}),
    ] {
        post(&updates, change).await;
    }
    let work = json!({ "title": "New disk", "components": ["shop"], "from": "2026-11-30T22:00:00+01:00", "until": "2026-11-30T23:00:00Z" });
    let work = post("/api/v1/uptime/maintenance", work).await;

    let audited = app.database.texts("SELECT what FROM audit WHERE what LIKE 'updated%' ORDER BY id").await;
    let expected = [
        "(public): the title was `Orders are slow` and is `Orders fail`".to_owned(),
        "(not public): it was public and is not public; the impact was minor and is major".to_owned(),
        "(not public): an internal note was added".to_owned(),
        "(not public): the root cause was given".to_owned(),
        format!(
            "(not public): it was investigating and is resolved; the root cause was changed; said: {}…",
            "x".repeat(500)
        ),
        "(not public): nothing changed".to_owned(),
    ];
    assert_eq!(audited, expected.map(|change| format!("updated the incident {id} {change}")));
    let audited = app.database.texts("SELECT what FROM audit WHERE what LIKE 'announced%' ORDER BY id").await;
    let times = "from 2026-11-30T21:00:00+00:00 until 2026-11-30T23:00:00+00:00";
    assert_eq!(audited, [format!("announced work {work} on shop {times}: New disk")]);
}

#[tokio::test]
async fn announced_work_is_left_out_and_wakes_nobody_and_what_is_entered_late_counts() {
    let shop = Shop::open().await;
    let steps = "[[alerts.steps]]\nafter = \"0s\"\nnotify = [\"email:duty@example.com\"]\n";
    let config = shop.config().replace("fee =", "maintenance_notice = \"1h\"\nfee =");
    let mut app = TestApp::with(&format!("{steps}{config}")).await;
    watch(&mut app, seconds(120)).await;
    let (url, tokens) = served(&mut app, &[(Role::Admin, None)]).await;
    let work = |from: TimeDelta, app: &TestApp| {
        let (from, until) = (app.now() + from, app.now() + from + TimeDelta::hours(1));
        json!({ "title": "A new database", "components": ["shop"], "from": from, "until": until, "text": "Orders wait." })
    };
    let announce =
        async |body: Value| call(Method::POST, &format!("{url}/api/v1/uptime/maintenance"), &tokens[0], body).await;
    let (status, made) = announce(work(TimeDelta::minutes(61), &app)).await;
    assert_eq!(status, 201, "{made}");
    app.settle().await;
    app.said();
    watch(&mut app, TimeDelta::minutes(61)).await;
    shop.answers(503);
    watch(&mut app, TimeDelta::minutes(50)).await;
    app.settle().await;
    assert_eq!((app.said().as_str(), incidents(&mut app).len()), ("", 0), "it was announced");
    let sla = async |app: &mut TestApp| {
        let report = app.parts().service.uptime_sla(&Reach::All, &Default::default()).await;
        report.unwrap().promises[0].clone()
    };
    let found = sla(&mut app).await;
    assert!(found.downtime_minutes.used < 0.1, "{found:?}");
    assert!((49.0..=51.0).contains(&found.maintenance_minutes), "{found:?}");
    let calendar =
        Client::new().get(format!("{url}/status/maintenance.ics")).send().await.unwrap().text().await.unwrap();
    assert!(calendar.contains("SUMMARY:A new database: Web shop"), "{calendar}");
    watch(&mut app, TimeDelta::minutes(11)).await;
    app.settle().await;
    assert!(app.said().contains("Web shop is down"), "the work is over, and it is still down");
    assert_eq!(incidents(&mut app), ["Outage of Web shop"]);

    let (status, made) = announce(work(TimeDelta::seconds(1), &app)).await;
    assert_eq!(status, 201, "{made}");
    watch(&mut app, TimeDelta::minutes(20)).await;
    let late = sla(&mut app).await;
    assert!(late.downtime_minutes.used > 19.0, "entered afterwards, it does not count: {late:?}");
    let path = format!("{url}/api/v1/uptime/maintenance/{}", made["id"].as_str().unwrap());
    assert_eq!(call(Method::DELETE, &path, &tokens[0], json!({})).await.0, 204);
    assert_eq!(call(Method::DELETE, &path, &tokens[0], json!({})).await.0, 404, "it is over");
}

#[tokio::test]
async fn what_another_process_announces_is_known_two_seconds_later() {
    let shop = Shop::open().await;
    let mut app = TestApp::with(&shop.config()).await;
    watch(&mut app, seconds(90)).await;
    let now = app.now().timestamp_millis();
    let work = Work {
        id: "patches".to_owned(),
        tenant: "acme".to_owned(),
        title: "Patches".to_owned(),
        text: String::new(),
        components: vec!["shop".to_owned()],
        public: true,
        from: now,
        until: now + 3_600_000,
        announced_at: now,
        changed_at: now,
        revision: 0,
        cancelled: false,
        author: "mia".to_owned(),
    };
    let author = Author { who: "mia".to_owned(), origin: "command line".to_owned() };
    // The command line writes it into the store, and tells nobody.
    app.parts().store.save_work(work, author, "announced work: Patches".to_owned()).await.unwrap();
    watch(&mut app, seconds(2)).await;
    let known = app.parts().service.planned_work(&Reach::All);
    assert_eq!(known.iter().map(|work| work.title.as_str()).collect::<Vec<_>>(), ["Patches"]);
}

#[tokio::test]
async fn announced_work_on_a_member_of_a_group_wakes_nobody_and_costs_the_promise_of_the_group_nothing() {
    let (left, right) = (Shop::open().await, Shop::open().await);
    let check = |id: &str, shop: &Shop| {
        format!("[components.{id}]\n[[checks]]\ncomponent = \"{id}\"\nurl = \"{}\"\n", shop.url)
    };
    let promise = |id: &str| {
        format!(
            "[[promises]]\ncomponent = \"{id}\"\ntarget = \"99.9\"\nmaintenance_notice = \"1h\"\npartial_outage = \"50\"\n"
        )
    };
    let groups =
        "[components.vpn]\nany_of = [\"left\", \"right\"]\n[components.chain]\nall_of = [\"left\", \"right\"]\n";
    let steps =
        "[[alerts.steps]]\nafter = \"0s\"\nnotify = [\"email:duty@example.com\"]\n[status_page]\ntitle = \"Acme\"\n";
    let services = [check("left", &left), check("right", &right), promise("vpn"), promise("chain")].concat();
    let mut app = TestApp::with(&format!("{steps}{groups}{services}")).await;
    watch(&mut app, seconds(120)).await;
    let (url, tokens) = served(&mut app, &[(Role::Admin, None)]).await;
    let (from, until) = (app.now() + TimeDelta::minutes(61), app.now() + TimeDelta::minutes(121));
    let work = json!({ "title": "Patches", "components": ["left"], "from": from, "until": until, "text": "" });
    let (status, made) = call(Method::POST, &format!("{url}/api/v1/uptime/maintenance"), &tokens[0], work).await;
    assert_eq!(status, 201, "{made}");
    watch(&mut app, TimeDelta::minutes(61)).await;
    app.settle().await;
    app.said();
    left.answers(503);
    watch(&mut app, TimeDelta::minutes(40)).await;
    app.settle().await;
    assert_eq!((app.said().as_str(), incidents(&mut app).len()), ("", 0), "one of two gateways is patched");
    let report = app.parts().service.uptime_sla(&superops_sla::service::Reach::All, &Default::default()).await.unwrap();
    for one in &report.promises {
        assert!(one.downtime_minutes.used < 0.1, "{one:?}");
        assert!((39.0..=41.0).contains(&one.maintenance_minutes), "{one:?}");
    }
    watch(&mut app, TimeDelta::minutes(30)).await;
    app.settle().await;
    assert!(app.said().contains("vpn is degraded"), "it outlasts the work");
}

#[tokio::test]
async fn an_outage_opens_an_incident_by_itself_and_the_next_one_soon_after_joins_it() {
    let shop = Shop::open().await;
    let mut app = TestApp::with(&shop.config()).await;
    watch(&mut app, seconds(120)).await;
    let incidents = |app: &mut TestApp| {
        let query = superops_sla::service::incidents::IncidentQuery::default();
        app.parts().service.incidents(&Reach::All, &query)
    };
    shop.answers(503);
    watch(&mut app, seconds(300)).await;
    let seen = incidents(&mut app);
    assert_eq!((seen.len(), seen[0].status, seen[0].public), (1, "investigating", false), "{seen:?}");
    app.restart().await;
    shop.answers(200);
    watch(&mut app, seconds(120)).await;
    assert_eq!(incidents(&mut app)[0].status, "resolved");
    shop.answers(503);
    watch(&mut app, seconds(300)).await;
    let seen = incidents(&mut app);
    assert_eq!((seen.len(), seen[0].status, seen[0].updates.len()), (1, "investigating", 3), "{seen:?}");
    assert_eq!(seen[0].updates[0].text, "It has stopped answering again.");
    shop.answers(200);
    watch(&mut app, TimeDelta::minutes(40)).await;
    shop.answers(503);
    watch(&mut app, seconds(300)).await;
    assert_eq!(incidents(&mut app).len(), 2, "half an hour later it is another");
}

#[tokio::test]
async fn a_month_is_settled_once_and_its_credit_is_decided_by_an_admin() {
    let shop = Shop::open().await;
    let hourly = format!("url = \"{}\"\ninterval = \"1h\"\n", shop.url);
    let config = shop.config().replace(&format!("url = \"{}\"\n", shop.url), &hourly);
    let mut app = TestApp::with(&config).await;
    watch(&mut app, TimeDelta::hours(3)).await;
    shop.answers(503);
    watch(&mut app, TimeDelta::minutes(80)).await;
    shop.answers(200);
    let (url, tokens) = served(&mut app, &[(Role::Admin, None), (Role::Responder, None)]).await;
    let list = async || call(Method::GET, &format!("{url}/api/v1/uptime/statements"), &tokens[0], json!({})).await.1;
    assert_eq!(list().await, json!([]), "the month is not over");
    watch(&mut app, TimeDelta::days(12)).await;
    let all = list().await;
    assert_eq!((&all[0]["credit"], &all[0]["kept"]), (&json!("proposed"), &json!(false)), "{all}");
    let (id, sum) = (all[0]["id"].as_str().unwrap(), all[0]["sha256"].clone());
    let decide = async |token: &str, becomes: &str| {
        let path = format!("{url}/api/v1/uptime/statements/{id}/credit");
        call(Method::POST, &path, token, json!({ "credit": becomes, "note": "as agreed" })).await.0.as_u16()
    };
    assert_eq!(decide(&tokens[1], "approved").await, 403, "an admin decides");
    assert_eq!(decide(&tokens[0], "issued").await, 400, "nobody has approved it");
    assert_eq!((decide(&tokens[0], "approved").await, decide(&tokens[0], "issued").await), (200, 200));
    assert_eq!(decide(&tokens[0], "waived").await, 400, "it was issued");
    let file = async |format: &str| {
        let path = format!("{url}/api/v1/uptime/statements/{id}?format={format}");
        let answer = Client::new().get(path).bearer_auth(&tokens[0]).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{format}");
        answer.bytes().await.unwrap()
    };
    for (format, begins) in [("json", "{"), ("csv", ""), ("html", "<!DOCTYPE"), ("xlsx", "PK"), ("pdf", "%PDF")] {
        let bytes = file(format).await;
        assert!(bytes.len() > 40 && bytes.starts_with(begins.as_bytes()), "{format}: {} bytes", bytes.len());
        assert_eq!(bytes, file(format).await, "{format}: the same statement gives the same bytes");
    }
    let table = String::from_utf8(file("csv").await.to_vec()).unwrap();
    let (head, row) = table.trim_end().split_once("\r\n").unwrap();
    let of = |key: &str| row.split(',').nth(head.split(',').position(|name| name == key).unwrap()).unwrap();
    assert_eq!((of("kept"), of("outages"), of("credit_percent")), ("no", "1", "10"), "{table}");
    let outages = String::from_utf8(file("csv&table=outages").await.to_vec()).unwrap();
    assert_eq!(outages.lines().count(), 2, "{outages}");
    app.restart().await;
    watch(&mut app, TimeDelta::hours(1)).await;
    let again = app.parts().service.statements(&Reach::All, &Default::default()).await.unwrap();
    assert_eq!((again.len(), again[0].credit, json!(again[0].sha256)), (1, "issued", sum));
    assert!(!again[0].differs_now, "the same past gives the same figure");
    let monday = "[calendars.monday]\ntimezone = \"UTC\"\nmon = [\"09:00-17:00\"]\n";
    let narrow = config.replace("target = \"99.9\"\n", "target = \"99.9\"\ncalendar = \"monday\"\n");
    app.restart_with(&format!("{narrow}{monday}")).await;
    watch(&mut app, TimeDelta::hours(1)).await;
    let again = app.parts().service.statements(&Reach::All, &Default::default()).await.unwrap();
    assert_eq!((again.len(), again[0].differs_now), (1, false), "other terms are for other periods");

    let mut more = app.parts().store.statements(&Reach::All, |_| true).await.unwrap().remove(0).statement;
    more.period = "2026-Q4".to_owned();
    more.figure.lost *= 5;
    let owed = more.owed.as_mut().unwrap();
    (owed.percent, owed.minor) = (50, Some(22_500));
    let now = app.now().timestamp_millis();
    app.parts().store.freeze_statements(vec![more], now).await.unwrap();
    let all = app.parts().service.statements(&Reach::All, &Default::default()).await.unwrap();
    let more = all.iter().find(|one| one.period == "2026-Q4").unwrap();
    let later = more.now.as_ref().unwrap();
    assert_eq!((more.differs_now, more.credit_minor, later.credit_minor), (true, Some(22_500), Some(4_500)));
    let (url, tokens) = served(&mut app, &[(Role::Admin, None)]).await;
    let page = Client::new().get(format!("{url}/statements")).bearer_auth(&tokens[0]).send().await.unwrap();
    let page = page.text().await.unwrap();
    assert!(page.contains("50 %, 225.00 EUR") && page.contains("now: 10 %, 45.00 EUR"), "{page}");
}

#[tokio::test]
async fn a_month_for_part_of_which_nothing_was_promised_is_not_settled() {
    let shop = Shop::open().await;
    let hourly = format!("url = \"{}\"\ninterval = \"1h\"\n", shop.url);
    let config = shop.config().replace(&format!("url = \"{}\"\n", shop.url), &hourly);
    let promise = "[[promises]]\ncomponent = \"shop\"\ntarget = \"99.9\"\nfee = \"450.00 EUR\"\n";
    let mut app = TestApp::with(&config.replace(promise, "")).await;
    watch(&mut app, TimeDelta::hours(3)).await;
    shop.answers(503);
    watch(&mut app, TimeDelta::minutes(80)).await;
    shop.answers(200);
    app.restart_with(&config).await;
    watch(&mut app, TimeDelta::days(12)).await;
    let all = app.parts().service.statements(&Reach::All, &Default::default()).await.unwrap();
    assert_eq!(all.len(), 0, "the outage was before the promise");
}

/// Somebody with a monitor of their own tells of the shop.
async fn told(app: &mut TestApp, url: &str, token: &str, result: Value) -> (StatusCode, Value) {
    let (address, token) = (format!("{url}/api/v1/uptime/results"), token.to_owned());
    let call = tokio::spawn(async move { call(Method::POST, &address, &token, result).await });
    while !call.is_finished() {
        app.parts().monitor.as_mut().unwrap().turn().await;
        tokio::task::yield_now().await;
    }
    call.await.unwrap()
}

const PUSHED: &str = "[components.shop]\nname = \"Web shop\"\n[[checks]]\ncomponent = \"shop\"\npushed = true\n\
                      interval = \"5m\"\nslow = \"2s\"\ntoken_env = \"HOOK\"\n[status_page]\n\
                      [[alerts.steps]]\nafter = \"0s\"\nnotify = [\"email:duty@example.com\"]\n";

#[tokio::test]
async fn another_monitor_tells_how_a_service_stands_and_its_silence_is_unknown() {
    let mut app = TestApp::with(PUSHED).await;
    let (url, _) = served(&mut app, &[]).await;
    let tell = async |app: &mut TestApp, result: Value| told(app, &url, "knock-knock", result).await.0;
    assert_eq!(tell(&mut app, json!({ "status": "up", "latency_ms": 120.5 })).await, 204);
    watch(&mut app, seconds(60)).await;
    assert_eq!(tell(&mut app, json!({ "status": "up", "latency_ms": 2300 })).await, 204);
    watch(&mut app, seconds(60)).await;
    assert_eq!(tell(&mut app, json!({ "status": "down", "text": "no\nanswer" })).await, 204);
    app.settle().await;
    let said = app.said();
    assert!(said.contains("Web shop is down"), "{said}");
    let late = app.now() - seconds(100);
    assert_eq!(tell(&mut app, json!({ "status": "up", "at": late })).await, 204, "late, but no fault");
    watch(&mut app, seconds(60)).await;
    assert_eq!(tell(&mut app, json!({ "status": "up" })).await, 204);
    watch(&mut app, seconds(601)).await;
    let words: Vec<_> = spans(&mut app, "shop").await.into_iter().map(|(_, condition)| condition).collect();
    assert_eq!(words, ["up", "degraded", "down", "up", "unknown"]);
    let looks = app.parts().store.uptime_looks(1, 0, i64::MAX, 9).await.unwrap();
    assert_eq!((looks.len(), looks[1].detail.as_deref()), (4, Some("no answer")), "the late one is not among them");
}

#[tokio::test]
async fn a_result_without_its_token_or_sense_is_refused_and_one_for_a_follower_is_kept() {
    let down = PUSHED.replace("slow =", "silence = \"down\"\nslow =");
    let mut app = TestApp::with(&down).await;
    let (url, tokens) = served(&mut app, &[(Role::Admin, None)]).await;
    for token in ["wrong", "", tokens[0].as_str()] {
        assert_eq!(told(&mut app, &url, token, json!({ "status": "up" })).await.0, 401);
    }
    let (old, ahead) = (app.now() - seconds(601), app.now() + seconds(120));
    for wrong in [
        json!({ "status": "fine" }),
        json!({ "status": "unknown" }),
        json!({ "status": "up", "at": old }),
        json!({ "status": "up", "at": ahead }),
        json!({ "status": "up", "latency_ms": -1 }),
        json!({ "status": "up", "unheard": 1 }),
    ] {
        let (status, problem) = told(&mut app, &url, "knock-knock", wrong.clone()).await;
        assert_eq!(status, 400, "{wrong}: {problem}");
    }
    app.parts().monitor = None;
    let address = format!("{url}/api/v1/uptime/results");
    let answer = call(Method::POST, &address, "knock-knock", json!({ "status": "up" })).await;
    assert_eq!(answer.0, 204, "nobody looks here, so it is stored");
    app.restart().await;
    watch(&mut app, seconds(1)).await;
    assert_eq!(spans(&mut app, "shop").await.pop().unwrap().1, "up");
    watch(&mut app, seconds(700)).await;
    assert_eq!(spans(&mut app, "shop").await.pop().unwrap().1, "down", "here silence is down");
}

#[tokio::test]
async fn a_service_that_fails_too_often_is_told_once_before_it_is_down_and_so_is_its_end() {
    let shop = Shop::open().await;
    let config = format!(
        "[[alerts.steps]]\nafter = \"0s\"\nnotify = [\"email:duty@example.com\"]\n[status_page]\n\
         [components.shop]\nname = \"Web shop\"\n[[checks]]\ncomponent = \"shop\"\nurl = \"{}\"\ninterval = \"10s\"\n\
         failures = 20\n[[objectives]]\ncomponent = \"shop\"\nmeasure = \"errors\"\nwindow = \"10m\"\nwarn = \"5\"\n\
         breach = \"10\"\n",
        shop.url
    );
    let mut app = TestApp::with(&config).await;
    watch(&mut app, seconds(900)).await;
    app.settle().await;
    assert_eq!(app.said(), "");
    shop.answers(503);
    watch(&mut app, seconds(120)).await;
    app.settle().await;
    let said = app.said();
    assert!(said.contains("duty@example.com") && said.contains("Web shop fails too often"), "{said}");
    let (url, tokens) = served(&mut app, &[(Role::Viewer, None)]).await;
    let seen = call(Method::GET, &format!("{url}/api/v1/uptime/components/shop"), &tokens[0], json!({})).await.1;
    assert_eq!((&seen["status"], &seen["objectives"][0]["status"]), (&json!("up"), &json!("missed")), "{seen}");
    app.restart().await;
    watch(&mut app, seconds(40)).await;
    app.settle().await;
    assert_eq!(app.said(), "", "a restart tells nothing twice");
    shop.answers(200);
    watch(&mut app, seconds(900)).await;
    app.settle().await;
    let said = app.said();
    assert!(said.contains("within its limits again") && said.lines().count() == 1, "{said}");
}

#[tokio::test]
async fn a_client_reads_a_page_of_their_own_by_a_link_until_it_is_revoked() {
    let shop = Shop::open().await;
    let more = shop.config().replace("[components.backup]\n", "[components.backup]\nclient = \"Globex\"\n");
    let more = more.replace("[status_page]\n", "[status_page]\nincidents = \"auto\"\n");
    let mut app = TestApp::with(&more).await;
    shop.answers(503);
    watch(&mut app, seconds(300)).await;
    beat(&mut app).await;
    let (secret, now) = (Secret::generate().unwrap(), app.now());
    let author = || Author { who: "mia".to_owned(), origin: "command line".to_owned() };
    let (acme, globex) = (TenantId::parse("acme").unwrap(), "Globex".to_owned());
    let made = app.parts().store.add_private_page(&secret, acme, globex, author(), now).await.unwrap();
    app.parts().publisher.as_ref().unwrap().turn().await;
    let (url, _) = served(&mut app, &[]).await;
    let link = format!("{url}/status/for/{}", secret.expose());
    let get = async |address: String| Client::new().get(address).send().await.unwrap();
    let answer = get(link.clone()).await;
    let header = |name: &str| answer.headers().get(name).unwrap().to_str().unwrap().to_owned();
    assert!(header("cache-control").contains("no-store") && header("x-robots-tag").contains("noindex"));
    assert_eq!((header("referrer-policy"), answer.url().path().ends_with('/')), ("no-referrer".to_owned(), true));
    let page = answer.text().await.unwrap();
    assert!(page.contains("backup") && page.contains("Globex"), "{page}");
    let json: Value = get(format!("{link}/status.json")).await.json().await.unwrap();
    assert_eq!((&json["components"][0]["id"], &json["overall_status"]), (&json!("backup"), &json!("up")), "{json}");
    for (what, other) in
        [("Web shop", page.clone()), ("shop", json.to_string()), (secret.expose(), page + &json.to_string())]
    {
        assert!(!other.contains(what), "{what} is not for them");
    }
    assert!(!get(format!("{url}/status")).await.text().await.unwrap().contains("backup"));
    for feed in ["history.atom", "history.rss"] {
        let answer = get(format!("{link}/{feed}")).await;
        assert!(answer.headers()["cache-control"].to_str().unwrap().contains("no-store"), "{feed}");
        let feed = answer.text().await.unwrap();
        let own = format!("{PUBLIC_URL}/status/for/{}", secret.expose());
        assert!(feed.contains(&format!("\"{own}/history.")) && !feed.contains("own-address"), "{feed}");
    }
    for wrong in [format!("{link}x"), format!("{url}/status/for/{}", made.id)] {
        assert_eq!(get(wrong.clone()).await.status(), 404, "{wrong}");
    }
    watch(&mut app, seconds(3 * 3600)).await;
    app.parts().publisher.as_ref().unwrap().turn().await;
    let theirs: Value = get(format!("{link}/status.json")).await.json().await.unwrap();
    let title = theirs["incidents"][0]["name"].as_str().unwrap_or_default();
    assert_eq!(title, "Outage of backup", "the page of its client alone tells of it at once: {theirs}");
    assert!(!get(format!("{url}/status/history.atom")).await.text().await.unwrap().contains("backup"));
    let revoked = app.parts().store.revoke_private_page(&made.id, author(), now).await.unwrap();
    assert_eq!(revoked.map(|page| page.client).as_deref(), Some("Globex"));
    app.parts().publisher.as_ref().unwrap().turn().await;
    assert_eq!(get(link).await.status(), 404);
}

/// The address in the latest mail that leads below `path`, as it is reached in the test.
fn link_of(mail: &str, path: &str, url: &str) -> String {
    let line = mail.lines().find(|line| line.contains(path)).unwrap_or_else(|| panic!("no {path} in {mail}"));
    line.replace(PUBLIC_URL, url)
}

/// Tells subscribers what there is, and empties the outbox; gives the mails.
async fn mailed(app: &mut TestApp) -> Vec<Arc<Caught>> {
    let now = app.now();
    app.parts().subscriptions.as_ref().unwrap().turn(now).await.unwrap();
    app.dispatch().await;
    app.heard()
}

#[tokio::test]
async fn news_go_by_mail_to_those_who_confirmed_once_and_end_with_a_click() {
    let shop = Shop::open().await;
    let more = shop.config().replace("[status_page]\n", "[status_page]\nsubscriptions = true\n");
    let mut app = TestApp::with(&more).await;
    watch(&mut app, seconds(60)).await;
    let (url, tokens) = served(&mut app, &[(Role::Admin, None)]).await;
    assert!(page_text(&url, "/status").await.contains("href=\"/status/updates\""));
    assert!(page_text(&url, "/status/updates").await.contains("<form"));
    let subscribe = async |email: &str| {
        let form = Client::new().post(format!("{url}/status/updates")).form(&[("email", email)]);
        let answer = form.send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    assert_eq!(subscribe("nonsense").await.0, 400);
    let (status, first) = subscribe("Mia@Example.com").await;
    let (again, second) = subscribe("mia@example.com").await;
    assert_eq!((status, again, first == second), (200, 200, true), "who is known already is nobody's business");
    let asked = mailed(&mut app).await;
    assert_eq!((asked.len(), asked[0].to.as_str()), (1, "mia@example.com"), "asked once");
    assert!(asked[0].header("list-unsubscribe").is_none());
    let confirm = link_of(&asked[0].text, "/status/updates/confirm/", &url);

    let open = async |title: &str| {
        let order = json!({ "title": title, "components": ["shop"], "text": "We look into it." });
        call(Method::POST, &format!("{url}/api/v1/incidents"), &tokens[0], order).await.1["id"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    open("Too early").await;
    assert!(mailed(&mut app).await.is_empty(), "she has not confirmed");
    let page = Client::new().get(&confirm).send().await.unwrap().text().await.unwrap();
    assert!(page.contains("<form method=\"post\"") && mailed(&mut app).await.is_empty(), "opening it changes nothing");
    let answer = Client::new().post(&confirm).send().await.unwrap();
    assert_eq!(answer.status(), 200);

    let id = open("Orders are slow").await;
    call(
        Method::POST,
        &format!("{url}/api/v1/incidents"),
        &tokens[0],
        json!({ "title": "Backup late", "components": ["backup"], "text": "Not for the public page." }),
    )
    .await;
    let told = mailed(&mut app).await;
    assert_eq!(told.len(), 1, "what the page does not show is not told");
    assert!(told[0].text.starts_with("Investigating: Orders are slow"), "{}", told[0].text);
    assert!(told[0].text.contains("We look into it.") && told[0].text.contains("Web shop"), "{}", told[0].text);
    assert!(!told[0].text.contains("127.0.0.1:"), "{}", told[0].text);
    let stop = link_of(&told[0].text, "/status/updates/stop/", &url);
    let header = told[0].header("list-unsubscribe").unwrap();
    assert_eq!(header.replace(PUBLIC_URL, &url), format!("<{stop}>"));
    assert_eq!(told[0].header("list-unsubscribe-post"), Some("List-Unsubscribe=One-Click"));
    assert!(mailed(&mut app).await.is_empty(), "nothing twice");

    let say = async |text: &str| {
        let path = format!("{url}/api/v1/incidents/{id}/updates");
        call(Method::POST, &path, &tokens[0], json!({ "status": "identified", "text": text })).await
    };
    for text in ["A disk.", "A full disk."] {
        assert_eq!(say(text).await.0, 200);
    }
    let told = mailed(&mut app).await;
    assert_eq!(told.len(), 1, "the last of several");
    assert!(told[0].text.contains("A full disk."), "{}", told[0].text);
    for _ in 0..2 {
        let click = Client::new().post(&stop).form(&[("List-Unsubscribe", "One-Click")]).send().await.unwrap();
        assert_eq!(click.status(), 200);
    }
    say("It is over soon.").await;
    assert!(mailed(&mut app).await.is_empty(), "she wants no more");
    assert_eq!(Client::new().post(&confirm).send().await.unwrap().status(), 404, "an old link brings nobody back");
    assert_eq!(Client::new().post(stop.replace("/stop/", "/confirm/")).send().await.unwrap().status(), 404);
}

async fn page_text(url: &str, path: &str) -> String {
    Client::new().get(format!("{url}{path}")).send().await.unwrap().text().await.unwrap()
}

#[tokio::test]
async fn who_was_told_of_an_outage_hears_its_end_though_the_service_is_taken_out() {
    let shop = Shop::open().await;
    let page = "[status_page]\nsubscriptions = true\nincidents = \"auto\"\n";
    let config = shop.config().replace("[status_page]\n", page);
    let mut app = TestApp::with(&config).await;
    watch(&mut app, seconds(60)).await;
    let (url, _) = served(&mut app, &[(Role::Admin, None)]).await;
    let form = Client::new().post(format!("{url}/status/updates")).form(&[("email", "mia@example.com")]);
    assert_eq!(form.send().await.unwrap().status(), 200);
    let asked = mailed(&mut app).await;
    Client::new().post(link_of(&asked[0].text, "/status/updates/confirm/", &url)).send().await.unwrap();
    shop.answers(503);
    watch(&mut app, seconds(300)).await;
    assert!(mailed(&mut app).await[0].text.starts_with("Investigating: Outage of Web shop"));
    app.restart_with(&config.replace("shop", "store")).await;
    watch(&mut app, seconds(1)).await;
    let query = superops_sla::service::incidents::IncidentQuery::default();
    let seen = app.parts().service.incidents(&Reach::All, &query);
    let of_shop = seen.iter().find(|one| one.updates.len() == 2).unwrap();
    assert_eq!((of_shop.status, of_shop.updates[0].text.as_str()), ("resolved", "It is no longer watched here."));
    let told = mailed(&mut app).await;
    let ends: Vec<_> = told.iter().filter(|mail| mail.text.starts_with("Resolved: Outage of Web shop")).collect();
    assert_eq!((ends.len(), ends[0].to.as_str()), (1, "mia@example.com"));
    assert!(mailed(&mut app).await.iter().all(|mail| !mail.text.starts_with("Resolved")), "once");
}

#[tokio::test]
async fn whoever_does_not_confirm_is_forgotten_and_a_flood_of_wishes_is_turned_away() {
    let shop = Shop::open().await;
    let more = shop.config().replace("[status_page]\n", "[status_page]\nsubscriptions = true\n");
    let mut app = TestApp::with(&more).await;
    let (url, _) = served(&mut app, &[]).await;
    let mut answers = Vec::new();
    for number in 0..8 {
        let form = [("email", format!("user{number}@example.com"))];
        answers.push(
            Client::new().post(format!("{url}/status/updates")).form(&form).send().await.unwrap().status().as_u16(),
        );
    }
    assert_eq!(answers, [200, 200, 200, 200, 200, 429, 429, 429]);
    let asked = mailed(&mut app).await;
    assert_eq!(asked.len(), 5);
    let confirm = link_of(&asked[0].text, "/status/updates/confirm/", &url);
    app.clock.advance(TimeDelta::hours(48));
    assert_eq!(Client::new().post(&confirm).send().await.unwrap().status(), 404, "two days are over");
    mailed(&mut app).await;
    let elsewhere = Client::new().post(format!("{url}/status/updates")).header("origin", "https://evil.example");
    assert_eq!(elsewhere.form(&[("email", "a@example.com")]).send().await.unwrap().status(), 403);
}

#[tokio::test]
async fn news_of_a_clients_page_go_to_its_readers_alone_until_its_link_is_revoked() {
    let shop = Shop::open().await;
    let more = shop.config().replace("[status_page]\n", "[status_page]\nsubscriptions = true\n");
    let more = more.replace("[components.backup]\n", "[components.backup]\nclient = \"Globex\"\n");
    let mut app = TestApp::with(&more).await;
    watch(&mut app, seconds(60)).await;
    let (secret, now) = (Secret::generate().unwrap(), app.now());
    let author = || Author { who: "mia".to_owned(), origin: "command line".to_owned() };
    let (acme, globex) = (TenantId::parse("acme").unwrap(), "Globex".to_owned());
    let made = app.parts().store.add_private_page(&secret, acme, globex, author(), now).await.unwrap();
    app.parts().publisher.as_ref().unwrap().turn().await;
    let (url, tokens) = served(&mut app, &[(Role::Admin, None)]).await;
    let page = format!("{url}/status/for/{}/updates", secret.expose());
    let answer = Client::new().post(&page).form(&[("email", "it@globex.example")]).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let asked = mailed(&mut app).await;
    let confirm = link_of(&asked[0].text, "/status/updates/confirm/", &url);
    assert_eq!(Client::new().post(confirm).send().await.unwrap().status(), 200);
    let open = async |component: &str| {
        let order = json!({ "title": format!("Trouble with {component}"), "components": [component], "text": "Seen." });
        call(Method::POST, &format!("{url}/api/v1/incidents"), &tokens[0], order).await
    };
    open("shop").await;
    open("backup").await;
    let told = mailed(&mut app).await;
    let texts: Vec<_> = told.iter().map(|mail| mail.text.lines().next().unwrap().to_owned()).collect();
    assert_eq!(texts, ["Investigating: Trouble with backup"], "the shop is not theirs");
    assert!(!told[0].text.contains(secret.expose()) && !told[0].text.contains("/status\r"), "{}", told[0].text);
    let now = app.now();
    app.parts().store.revoke_private_page(&made.id, author(), now).await.unwrap();
    open("backup").await;
    assert!(mailed(&mut app).await.is_empty(), "whose link is revoked is told no more");
    assert!(app.parts().store.subscribers(&made.id, "", 9).await.unwrap().is_empty());
}

#[tokio::test]
async fn whoever_chose_single_services_is_told_of_these_and_may_choose_anew_by_confirming_it() {
    let shop = Shop::open().await;
    let more = shop.config().replace("[status_page]\n", "[status_page]\nsubscriptions = true\n");
    let more = more.replace("[components.backup]\npublic = false\n", "[components.backup]\n");
    let mut app = TestApp::with(&more).await;
    watch(&mut app, seconds(60)).await;
    let (url, tokens) = served(&mut app, &[(Role::Admin, None)]).await;
    let form = page_text(&url, "/status/updates").await;
    assert!(form.contains("value=\"shop\"") && form.contains("value=\"backup\""), "{form}");
    let subscribe = async |fields: &[(&str, &str)]| {
        let answer = Client::new().post(format!("{url}/status/updates")).form(fields).send().await.unwrap();
        answer.status().as_u16()
    };
    let mia = ("email", "mia@example.com");
    assert_eq!(subscribe(&[mia, ("component", "nonsense")]).await, 400);
    assert_eq!(subscribe(&[mia, ("component", "backup")]).await, 200);
    let asked = mailed(&mut app).await;
    let confirm = link_of(&asked[0].text, "/status/updates/confirm/", &url);
    assert_eq!(Client::new().post(&confirm).send().await.unwrap().status(), 200);
    let open = async |component: &str, title: &str| {
        let order = json!({ "title": title, "components": [component], "text": "Seen." });
        call(Method::POST, &format!("{url}/api/v1/incidents"), &tokens[0], order).await
    };
    let titles = |mails: Vec<Arc<Caught>>| -> Vec<String> {
        mails.iter().map(|mail| mail.text.lines().next().unwrap().to_owned()).collect()
    };
    open("shop", "Orders are slow").await;
    open("backup", "Backup late").await;
    assert_eq!(titles(mailed(&mut app).await), ["Investigating: Backup late"]);

    app.clock.advance(TimeDelta::minutes(11));
    assert_eq!(subscribe(&[mia, ("component", "backup")]).await, 200);
    assert!(mailed(&mut app).await.is_empty(), "it is as it was");
    assert_eq!(subscribe(&[mia, ("component", "shop")]).await, 200);
    let asked = mailed(&mut app).await;
    assert_eq!(asked.len(), 1, "anybody could have asked for that");
    open("shop", "Orders are lost").await;
    assert!(mailed(&mut app).await.is_empty(), "it is not confirmed");
    let confirm = link_of(&asked[0].text, "/status/updates/confirm/", &url);
    assert_eq!(Client::new().post(&confirm).send().await.unwrap().status(), 200);
    open("shop", "Orders are back").await;
    open("backup", "Backup later").await;
    assert_eq!(titles(mailed(&mut app).await), ["Investigating: Orders are back"]);

    app.clock.advance(seconds(60));
    assert_eq!(subscribe(&[mia, ("component", "backup")]).await, 200);
    assert_eq!(mailed(&mut app).await.len(), 1, "the last link was followed, so another is sent at once");
    app.clock.advance(TimeDelta::hours(49));
    assert_eq!(Client::new().get(&confirm).send().await.unwrap().status(), 404, "it offers nothing any more");
    assert_eq!(Client::new().post(&confirm).send().await.unwrap().status(), 404, "it is older than two days");
    open("backup", "Backup lost").await;
    assert!(mailed(&mut app).await.is_empty(), "and changes nothing");
}

#[tokio::test]
async fn whoever_corrects_the_choice_before_confirming_it_gets_the_last_one_by_the_link_that_was_sent() {
    let shop = Shop::open().await;
    let more = shop.config().replace("[status_page]\n", "[status_page]\nsubscriptions = true\n");
    let more = more.replace("[components.backup]\npublic = false\n", "[components.backup]\n");
    let mut app = TestApp::with(&more).await;
    watch(&mut app, seconds(60)).await;
    let (url, _) = served(&mut app, &[]).await;
    for component in ["shop", "backup"] {
        let form = [("email", "mia@example.com"), ("component", component)];
        let answer = Client::new().post(format!("{url}/status/updates")).form(&form).send().await.unwrap();
        assert_eq!(answer.status(), 200);
    }
    let asked = mailed(&mut app).await;
    assert_eq!(asked.len(), 1, "one question is enough");
    let confirm = link_of(&asked[0].text, "/status/updates/confirm/", &url);
    assert_eq!(Client::new().post(&confirm).send().await.unwrap().status(), 200);
    let told = app.parts().store.subscribers("", "", 9).await.unwrap();
    assert_eq!(told[0].components, ["backup"]);
}

#[tokio::test]
async fn links_to_pages_of_clients_are_made_listed_and_revoked_over_the_api_by_those_who_may() {
    let shop = Shop::open().await;
    let more = shop.config().replace("[components.backup]\n", "[components.backup]\nclient = \"Globex\"\n");
    let mut app = TestApp::with(&more).await;
    watch(&mut app, seconds(60)).await;
    let (url, tokens) = served(&mut app, &[(Role::Admin, None), (Role::Viewer, None)]).await;
    let pages = format!("{url}/api/v1/status-pages");
    let globex = json!({ "client": "Globex" });
    let elsewhere = json!({ "client": "Globex", "tenant": "initech" });
    assert_eq!(call(Method::POST, &pages, &tokens[0], elsewhere).await.0, 404, "as everywhere");
    assert_eq!(call(Method::POST, &pages, &tokens[1], globex.clone()).await.0, 403);
    let (status, problem) = call(Method::POST, &pages, &tokens[0], json!({ "client": "Initech" })).await;
    assert!(status == 400 && problem.to_string().contains("`Globex`"), "{problem}");
    let (status, made) = call(Method::POST, &pages, &tokens[0], globex).await;
    assert_eq!((status, &made["client"]), (StatusCode::CREATED, &json!("Globex")), "{made}");
    let link = made["link"].as_str().unwrap().replace(PUBLIC_URL, &url);
    app.parts().publisher.as_ref().unwrap().turn().await;
    assert!(Client::new().get(&link).send().await.unwrap().text().await.unwrap().contains("backup"));
    let listed = call(Method::GET, &pages, &tokens[0], json!({})).await.1;
    assert_eq!((&listed[0]["id"], &listed[0]["revoked_at"]), (&made["id"], &Value::Null));
    let secret = link.trim_end_matches('/').rsplit('/').next().unwrap().to_owned();
    assert!(!listed.to_string().contains(&secret), "a link is shown once");
    let own = format!("{pages}/{}", made["id"].as_str().unwrap());
    assert_eq!(call(Method::DELETE, &own, &tokens[1], json!({})).await.0, 403);
    assert_eq!(call(Method::DELETE, &own, &tokens[0], json!({})).await.0, 204);
    assert_eq!(call(Method::DELETE, &own, &tokens[0], json!({})).await.0, 404);
    app.parts().publisher.as_ref().unwrap().turn().await;
    assert_eq!(Client::new().get(link).send().await.unwrap().status(), 404);
}

#[tokio::test]
async fn who_fails_first_waits_until_it_is_known_whether_what_it_depends_on_has_failed_as_well() {
    let (line, site) = (Shop::open().await, Shop::open().await);
    let check = |id: &str, shop: &Shop, every: &str| {
        format!("[[checks]]\ncomponent = \"{id}\"\nurl = \"{}\"\ninterval = \"{every}\"\n", shop.url)
    };
    let more = format!(
        "[components.vpn]\nname = \"VPN\"\n{}[components.leeds]\nname = \"Leeds\"\ndepends_on = [\"vpn\"]\n{}\
         [[alerts.steps]]\nafter = \"0s\"\nnotify = [\"email:duty@example.com\"]\n",
        check("vpn", &line, "10m"),
        check("leeds", &site, "10s"),
    );
    let mut app = TestApp::with(&more).await;
    app.look_at_services(seconds(30)).await;
    site.answers(503);
    line.answers(503);
    app.look_at_services(seconds(60)).await;
    app.settle().await;
    let said = app.said();
    assert!(said.contains("VPN is down") && !said.contains("Leeds"), "{said}");
    site.answers(200);
    line.answers(200);
    app.look_at_services(seconds(120)).await;
    app.settle().await;
    app.said();
    site.answers(503);
    app.look_at_services(seconds(60)).await;
    app.settle().await;
    let said = app.said();
    assert!(said.contains("Leeds is down") && !said.contains("VPN"), "{said}");
}

#[tokio::test]
async fn who_stays_down_after_what_it_depends_on_is_up_again_is_told_and_has_an_incident() {
    let (line, site) = (Shop::open().await, Shop::open().await);
    let check = |id: &str, shop: &Shop| {
        format!("[[checks]]\ncomponent = \"{id}\"\nurl = \"{}\"\ninterval = \"10s\"\n", shop.url)
    };
    let more = format!(
        "[components.vpn]\nname = \"VPN\"\n{}[components.leeds]\nname = \"Leeds\"\ndepends_on = [\"vpn\"]\n{}\
         [[alerts.steps]]\nafter = \"0s\"\nnotify = [\"email:duty@example.com\"]\n",
        check("vpn", &line),
        check("leeds", &site),
    );
    let mut app = TestApp::with(&more).await;
    app.look_at_services(seconds(30)).await;
    site.answers(503);
    line.answers(503);
    app.look_at_services(seconds(60)).await;
    app.settle().await;
    app.said();
    assert_eq!(incidents(&mut app), ["Outage of VPN"]);
    line.answers(200);
    app.look_at_services(seconds(60)).await;
    app.settle().await;
    let said = app.said();
    assert!(said.contains("Leeds is down"), "{said}");
    assert_eq!(incidents(&mut app), ["Outage of Leeds", "Outage of VPN"]);
}

#[tokio::test]
async fn an_outage_after_the_clock_was_set_back_is_seen_at_once() {
    let shop = Shop::open().await;
    let mut app = TestApp::with(&shop.config()).await;
    watch(&mut app, seconds(300)).await;
    app.clock.advance(TimeDelta::hours(-1));
    shop.answers(503);
    watch(&mut app, seconds(120)).await;
    let spans = app.parts().store.uptime_spans("shop").await.unwrap();
    assert_eq!(spans.last().unwrap().condition, Condition::Down, "nobody waits for an hour: {spans:?}");
    shop.answers(200);
    watch(&mut app, seconds(7200)).await;
    let spans = app.parts().store.uptime_spans("shop").await.unwrap();
    let down = spans.iter().filter(|span| span.condition == Condition::Down);
    let down: i64 = down.map(|span| span.end(i64::MAX) - span.from).sum();
    assert!(down < 300_000, "time that passes twice counts once: {spans:?}");
}

#[tokio::test]
async fn who_tells_of_itself_after_the_clock_was_set_back_is_heard_and_its_silence_noticed() {
    let shop = Shop::open().await;
    let mut app = TestApp::with(&shop.config()).await;
    watch(&mut app, seconds(60)).await;
    beat(&mut app).await;
    let leap = async |app: &mut TestApp| {
        app.clock.advance(TimeDelta::minutes(50));
        beat(app).await;
        app.clock.advance(TimeDelta::minutes(-50));
    };
    leap(&mut app).await;
    watch(&mut app, seconds(10)).await;
    call_in(&mut app, true).await;
    assert_eq!(spans(&mut app, "backup").await.pop().unwrap().1, "down", "it says that it failed");
    beat(&mut app).await;
    leap(&mut app).await;
    watch(&mut app, TimeDelta::minutes(85)).await;
    assert_eq!(spans(&mut app, "backup").await.pop().unwrap().1, "down", "it has stayed silent for longer than it may");
}

#[tokio::test]
async fn what_nobody_could_hear_while_the_machine_slept_is_forgiven_once() {
    let shop = Shop::open().await;
    let mut app = TestApp::with(&shop.config()).await;
    watch(&mut app, seconds(60)).await;
    beat(&mut app).await;
    let monitor = app.parts().monitor.take().unwrap();
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let running = tokio::spawn(monitor.run(stopped));
    app.clock.advance(TimeDelta::hours(8));
    let (now, store) = (app.now().timestamp_millis(), app.parts().store.clone());
    let number = store.uptime_checks().await.unwrap()["shop/http"].0;
    // Once a look of after that is written down, so is all that was missed before.
    while store.uptime_looks(number, now, i64::MAX, 1).await.unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    stop.send(true).unwrap();
    running.await.unwrap();
    let backup = spans(&mut app, "backup").await;
    assert!(backup.iter().all(|(_, condition)| condition != "down"), "{backup:?}");
}

/// Asks for `link` until it is answered with `status`.
async fn until_answered(link: &str, status: u16) {
    while Client::new().get(link).send().await.unwrap().status() != status {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_is_made_or_revoked_at_the_command_line_works_or_stops_within_seconds() {
    let place = Place::new().await;
    let services = "[components.backup]\nclient = \"Globex\"\n[[checks]]\ncomponent = \"backup\"\nheartbeat = true\n\
                    interval = \"1h\"\ntoken_env = \"TWILIO_AUTH_TOKEN\"\n[status_page]\n";
    std::fs::write(place.store().with_file_name("config.toml"), place.config() + services).unwrap();
    let mut running = place.run();
    let url = running.url();
    // The page is read at the start, and each minute: neither may help.
    until_answered(&format!("{url}/status"), 200).await;
    let asked = |arguments: &[&str]| String::from_utf8(place.ask(arguments).stdout).unwrap();
    let link = format!("{url}{}", asked(&["status-page", "link", "--client", "Globex"]).trim());
    let soon = Duration::from_secs(20);
    tokio::time::timeout(soon, until_answered(&link, 200)).await.expect("the link works");
    let links: Value = serde_json::from_str(&asked(&["status-page", "links", "--json"])).unwrap();
    let revoked = asked(&["status-page", "revoke", links[0]["id"].as_str().unwrap()]);
    assert!(revoked.contains("Globex"), "{revoked}");
    tokio::time::timeout(soon, until_answered(&link, 404)).await.expect("the link leads nowhere");
    running.terminate();
}
