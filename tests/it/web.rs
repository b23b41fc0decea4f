//! What people and machines are told over HTTP, with the real loops behind it.

use std::sync::Arc;
use std::time::Duration;

use reqwest::StatusCode;
use superops_sla::alert::life::{Act, Actor, How};
use superops_sla::service::Reach;
use superops_sla::store::tokens::{Author, Role, Token};
use superops_sla::ticket::TenantId;
use superops_sla::web::{self, HttpServer};
use tokio::net::TcpListener;

use crate::support::{TestApp, minutes};

/// Where the service answers, and a token for `tenant` or for all.
pub async fn served(app: &mut TestApp, tenant: Option<&str>) -> (String, String) {
    let token = token(app, tenant).await;
    let parts = app.parts();
    let router = web::router(parts.web(parts.web_options()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(HttpServer::sized_beside(1, Arc::default()).serve(listener, router, std::future::pending()));
    (url, token)
}

/// A viewer's token for `tenant` or for all.
pub async fn token(app: &mut TestApp, tenant: Option<&str>) -> String {
    let now = app.now();
    let token = Token::generate().unwrap();
    let author = Author { who: "mia".to_owned(), origin: "a test".to_owned() };
    let tenant = tenant.map(|name| TenantId::parse(name).unwrap());
    app.parts().store.add_token(&token, Role::Viewer, tenant, author, now).await.unwrap();
    token.expose().to_owned()
}

pub async fn get(url: &str, token: &str) -> reqwest::Response {
    reqwest::Client::new().get(url).bearer_auth(token).send().await.unwrap()
}

/// Lets the others run until it is so, for at most `length` by the machine's own clock.
async fn comes_true(length: Duration, is_so: impl AsyncFn() -> bool) -> bool {
    let waiting = async {
        while !is_so().await {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(length, waiting).await.is_ok()
}

#[tokio::test]
async fn a_knock_with_the_secret_has_superops_read_at_once_and_nothing_else_does() {
    let mut app = TestApp::start().await;
    app.turn().await;
    let (url, _) = served(&mut app, None).await;
    let sync = app.parts().syncs.remove(0);
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let running = tokio::spawn(sync.run(stopped));
    let store = app.parts().store.clone();
    let acme = TenantId::parse("acme").unwrap();
    let hook = format!("{url}/hooks/superops/acme");
    let knock = |secret: &'static str| reqwest::Client::new().post(&hook).bearer_auth(secret).body("{}").send();

    // It reads once by itself, and then not before a minute is over: this clock stands still.
    let service = app.parts().service.clone();
    assert!(comes_true(Duration::from_secs(60), async || service.ready().await.is_ok()).await);
    let read_at = app.now();
    app.ticket(minutes(60));
    assert_eq!(knock("wrong").await.unwrap().status(), StatusCode::UNAUTHORIZED);
    assert_eq!(knock("").await.unwrap().status(), StatusCode::UNAUTHORIZED);
    assert_eq!(store.open_tickets(&acme).await.unwrap().len(), 0);

    assert_eq!(knock("knock-knock").await.unwrap().status(), StatusCode::ACCEPTED);
    // Two seconds after it last began to wait, which may be now; so let them pass more than once.
    let is_read = async || !store.open_tickets(&acme).await.unwrap().is_empty();
    for _ in 0..29 {
        app.clock.advance(chrono::TimeDelta::seconds(2));
        if comes_true(Duration::from_secs(2), &is_read).await {
            break;
        }
    }
    assert_eq!(store.open_tickets(&acme).await.unwrap().len(), 1);
    assert!(app.now() - read_at < minutes(1), "it would have been read by then anyway");
    stop.send_replace(true);
    running.await.unwrap();
}

#[tokio::test]
async fn the_figures_name_all_that_an_operator_watches() {
    let mut app = TestApp::start().await;
    app.ticket(minutes(60));
    app.turn().await;
    app.wait(minutes(45)).await;
    let (url, token) = served(&mut app, None).await;
    let text = get(&format!("{url}/metrics"), &token).await.text().await.unwrap();
    let lines = [
        "superops_sla_superops_requests_total{tenant=\"acme\",operation=\"getTicketList\",outcome=\"ok\"}",
        "superops_sla_superops_budget_per_minute{tenant=\"acme\"} 1000000",
        "superops_sla_sync_age_seconds{tenant=\"acme\"} 0",
        "superops_sla_open_tickets{tenant=\"acme\",clock=\"resolution\",standing=\"at_risk\"} 1",
        "superops_sla_alerts_total{tenant=\"acme\",clock=\"resolution\",stage=\"warning\"} 1",
        "superops_sla_deliveries_total{channel=\"email\",outcome=\"taken\"} 1",
        "superops_sla_notification_lateness_seconds_count 1",
        "superops_sla_outbox_pending 0",
        "superops_sla_superops_throttles_total{tenant=\"acme\"} 0",
        "superops_sla_cache_lookups_total{cache=",
        "superops_sla_cache_entries{cache=",
        "superops_sla_loop_turn_seconds_count{name=\"sync\"}",
        "superops_sla_loop_turn_seconds_count{name=\"evaluate\"}",
        "superops_sla_loop_turn_seconds_count{name=\"dispatch\"}",
    ];
    let missing: Vec<_> = lines.iter().filter(|line| !text.contains(*line)).collect();
    assert!(missing.is_empty(), "{missing:#?} in\n{text}");
    assert!(!text.contains("example.com") && !text.contains("+1500"), "no address, no number");
}

#[tokio::test]
async fn a_token_of_another_tenant_sees_nothing_of_this_one() {
    let more = "[tenants.globex]\nsubdomain = \"globex\"\nregion = \"eu\"\ntoken_env = \"TWILIO\"\n";
    let mut app = TestApp::with(more).await;
    let globex = app.parts().syncs.pop().unwrap();
    let id = app.ticket(minutes(60));
    app.turn().await;
    app.wait(minutes(45)).await;
    let (url, ours) = served(&mut app, Some("acme")).await;
    let (_, theirs) = served(&mut app, Some("globex")).await;
    let one = format!("{url}/api/v1/tickets/{id}/sla");
    assert_eq!(get(&one, &ours).await.status(), StatusCode::OK);
    assert_eq!(get(&one, &theirs).await.status(), StatusCode::NOT_FOUND);
    for path in ["/api/v1/tickets", "/api/v1/messages", "/api/v1/overview"] {
        let text = get(&format!("{url}{path}"), &theirs).await.text().await.unwrap();
        assert!(!text.contains(&id) && !text.contains("Mail server") && !text.contains("acme"), "{path}: {text}");
    }
    drop(globex);
}

#[tokio::test]
async fn alerts_that_stand_as_before_are_not_sent_again_until_something_happens_to_them() {
    let mut app = TestApp::start().await;
    app.ticket(minutes(60));
    app.turn().await;
    app.wait(minutes(45)).await;
    app.wait(chrono::TimeDelta::milliseconds(1)).await;
    let (url, token) = served(&mut app, None).await;
    let path = format!("{url}/api/v1/alerts");
    let first = get(&path, &token).await;
    let (etag, then) = (first.headers()["etag"].clone(), first.headers()["x-now"].clone());
    let body: serde_json::Value = first.json().await.unwrap();
    assert_eq!(body["alerts"].as_array().unwrap().len(), 1, "{body}");
    let again = || reqwest::Client::new().get(&path).bearer_auth(&token).header("if-none-match", &etag).send();
    app.clock.advance(chrono::TimeDelta::seconds(20));
    let second = again().await.unwrap();
    assert_eq!(second.status(), StatusCode::NOT_MODIFIED, "only its countdown went on");
    assert_ne!(second.headers()["x-now"], then, "what time it is, is told all the same");
    let id = crate::life::only_alert(&mut app).await.id;
    let actor = Actor { name: "Mia".to_owned(), how: How::Page, origin: "a test".to_owned(), note: None };
    app.parts().service.act_on_alert(&Reach::All, &id, Act::Acknowledge, &actor).await.unwrap().unwrap();
    assert_eq!(again().await.unwrap().status(), StatusCode::OK, "somebody took it on");
}
