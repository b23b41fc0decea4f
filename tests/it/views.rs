//! Saved views of the list of tickets: one's own are one's own, and shared ones are those of a tenant.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use superops_sla::store::tokens::Role;

use crate::life::{call, served};
use crate::support::TestApp;

const VIEWER: usize = 0;
const ACME: usize = 1;
const GLOBEX: usize = 2;
const ALL: usize = 3;

#[tokio::test]
async fn a_view_is_seen_by_its_owner_or_by_those_it_is_shared_with_and_is_forgotten_by_those_who_may() {
    let mut app =
        TestApp::with("[tenants.globex]\nsubdomain = \"globex\"\nregion = \"eu\"\ntoken_env = \"TWILIO\"\n").await;
    let roles = [
        (Role::Viewer, Some("acme")),
        (Role::Responder, Some("acme")),
        (Role::Responder, Some("globex")),
        (Role::Responder, None),
    ];
    let (url, tokens) = served(&mut app, &roles).await;
    let ask = async |who: usize, method, path: &str, body| {
        call(method, &format!("{url}/api/v1/views{path}"), &tokens[who], body).await
    };
    let names = async |who: usize| {
        let (_, found) = ask(who, Method::GET, "", json!({})).await;
        let views = found["views"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap().to_owned());
        views.collect::<Vec<_>>().join(", ")
    };
    let late = json!({"standing": "breached"});
    let order = |name: &str, shared: bool| json!({"name": name, "filters": late, "shared": shared});
    let id = |made: (StatusCode, Value)| {
        assert_eq!(made.0, StatusCode::CREATED, "{}", made.1);
        format!("/{}", made.1["id"].as_str().unwrap())
    };

    let own = id(ask(VIEWER, Method::POST, "", order("  My   late ones ", false)).await);
    assert_eq!(
        ask(VIEWER, Method::POST, "", order("Ours", true)).await.0,
        StatusCode::FORBIDDEN,
        "a viewer keeps its own"
    );
    let ours = id(ask(ACME, Method::POST, "", order("Ours", true)).await);
    id(ask(ALL, Method::POST, "", order("Everywhere", true)).await);
    assert_eq!(names(VIEWER).await, "My late ones, Ours");
    assert_eq!(names(ACME).await, "Ours");
    assert_eq!(names(GLOBEX).await, "");
    assert_eq!(names(ALL).await, "Everywhere, Ours");

    // The same name replaces.
    let changed = json!({"name": "My late ones", "filters": {"client": "Acme", "text": " "}});
    let own_again = id(ask(VIEWER, Method::POST, "", changed).await);
    assert_eq!(ask(VIEWER, Method::DELETE, &own, json!({})).await.0, StatusCode::NOT_FOUND);
    let (_, found) = ask(VIEWER, Method::GET, "", json!({})).await;
    assert_eq!(found["views"][0]["filters"], json!({"client": "Acme"}));
    assert_eq!(ask(ACME, Method::DELETE, &own_again, json!({})).await.0, StatusCode::NOT_FOUND, "somebody else's");
    assert_eq!(ask(VIEWER, Method::DELETE, &ours, json!({})).await.0, StatusCode::FORBIDDEN);
    assert_eq!(ask(GLOBEX, Method::DELETE, &ours, json!({})).await.0, StatusCode::NOT_FOUND);
    assert_eq!(ask(ACME, Method::DELETE, &ours, json!({})).await.0, StatusCode::NO_CONTENT);
    assert_eq!(names(VIEWER).await, "My late ones");

    let rows =
        "SELECT COALESCE(NULLIF(tenant, ''), 'all') || ': ' || what FROM audit WHERE what LIKE '%view `%' ORDER BY id";
    let expected = [
        "all: saved view `My late ones`",
        "acme: saved shared view `Ours`",
        "all: saved shared view `Everywhere`",
        "all: saved view `My late ones`",
        "acme: forgot shared view `Ours`",
    ];
    assert_eq!(app.database.texts(rows).await, expected);
}

#[tokio::test]
async fn a_view_that_shows_all_or_nothing_is_refused() {
    let mut app = TestApp::start().await;
    let (url, tokens) = served(&mut app, &[(Role::Viewer, None)]).await;
    for (order, field) in [
        (json!({"name": " ", "filters": {"client": "Acme"}}), "name"),
        (json!({"name": "All", "filters": {"client": " "}}), "filters"),
        (json!({"name": "Whose", "filters": {"tenant": "nope"}}), "tenant"),
        (json!({"name": "Odd", "filters": {"standing": "sideways"}}), "standing"),
    ] {
        let (status, problem) = call(Method::POST, &format!("{url}/api/v1/views"), &tokens[0], order).await;
        assert_eq!((status, &problem["field"]), (StatusCode::BAD_REQUEST, &json!(field)), "{problem}");
    }
}
