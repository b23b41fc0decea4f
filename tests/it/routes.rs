//! Who may ask and change what over HTTP: on-call rotations, breaches and the weekly figure.

use chrono::TimeDelta;
use reqwest::{Client, Method, Response, StatusCode};
use serde_json::{Value, json};
use superops_sla::store::tokens::Role;

use crate::life::{call, served, sign_in};
use crate::support::{TestApp, minutes};

/// Two tenants; acme has a rotation of its own that rests at night and at weekends, and all share another.
const MORE: &str = "
[tenants.globex]
subdomain = \"globex\"
region = \"eu\"
token_env = \"TWILIO\"
[on_call.office]
timezone = \"UTC\"
tenant = \"acme\"
[[on_call.office.layers]]
people = [\"email:ann@example.com\"]
starts = \"2026-11-02T09:00\"
every = \"1w\"
mon = [\"09:00-17:00\"]
tue = [\"09:00-17:00\"]
[on_call.shared]
timezone = \"UTC\"
[[on_call.shared.layers]]
people = [\"email:bob@example.com\"]
starts = \"2026-11-02T09:00\"
every = \"1w\"
";

/// Whose token stands where in [`ROLES`].
const VIEWER: usize = 0;
const ACME: usize = 1;
const GLOBEX: usize = 2;
const EVERYWHERE: usize = 3;

const ROLES: [(Role, Option<&str>); 4] =
    [(Role::Viewer, None), (Role::Responder, Some("acme")), (Role::Responder, Some("globex")), (Role::Responder, None)];

/// A service of two tenants, of which only acme can be read, and a way to ask it.
struct Asked {
    app: TestApp,
    url: String,
    tokens: Vec<String>,
}

impl Asked {
    async fn start() -> Self {
        let mut app = TestApp::with(MORE).await;
        app.parts().syncs.pop();
        app.turn().await;
        let (url, tokens) = served(&mut app, &ROLES).await;
        Self { app, url, tokens }
    }

    /// As the holder of the token that stands at `who` in [`ROLES`].
    async fn call(&self, who: usize, method: Method, path: &str, body: Value) -> (StatusCode, Value) {
        call(method, &format!("{}{path}", self.url), &self.tokens[who], body).await
    }

    async fn get(&self, who: usize, path: &str) -> (StatusCode, Value) {
        self.call(who, Method::GET, path, json!({})).await
    }

    /// As somebody with a browser, who comes from a page of `site`.
    async fn browse(&self, who: usize, method: Method, path: &str, site: &str) -> Response {
        let client = Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let request = client.request(method, format!("{}{path}", self.url)).header("sec-fetch-site", site);
        request.header("cookie", sign_in(&self.url, &self.tokens[who]).await).send().await.unwrap()
    }

    /// Has somebody stand in for two hours in `rotation`; gives the id.
    async fn stand_in(&self, who: usize, rotation: &str) -> String {
        let (status, made) = self.call(who, Method::POST, "/api/v1/on-call", wish(rotation)).await;
        assert_eq!(status, StatusCode::CREATED, "{made}");
        made["id"].as_str().unwrap().to_owned()
    }

    /// What was changed in the rotations, as the audit log has it.
    async fn audited(&self) -> Vec<String> {
        let rows = "SELECT COALESCE(tenant, 'all') || ': ' || what || ' from ' || origin FROM audit
                    WHERE what LIKE '%on-call%' ORDER BY id";
        self.app.database.texts(rows).await
    }
}

fn wish(rotation: &str) -> Value {
    json!({"rotation": rotation, "person": "email:eve@example.com", "from": "2026-11-23T10:00", "until": "2026-11-23T12:00"})
}

#[tokio::test]
async fn people_of_a_rotation_stand_in_and_take_it_back_and_each_change_is_written_down() {
    let asked = Asked::start().await;
    assert_eq!(
        asked.call(VIEWER, Method::POST, "/api/v1/on-call", wish("office")).await.0,
        StatusCode::FORBIDDEN,
        "a viewer only looks"
    );
    let id = asked.stand_in(ACME, "office").await;
    let (_, shown) = asked.get(VIEWER, "/api/v1/on-call").await;
    assert_eq!(shown["rotations"][0]["overrides"][0]["id"], json!(id));

    let one = format!("/api/v1/on-call/{id}");
    assert_eq!(asked.call(VIEWER, Method::DELETE, &one, json!({})).await.0, StatusCode::FORBIDDEN);
    assert_eq!(asked.call(ACME, Method::DELETE, &one, json!({})).await.0, StatusCode::NO_CONTENT);
    assert_eq!(asked.call(ACME, Method::DELETE, &one, json!({})).await.0, StatusCode::NOT_FOUND, "it is gone");
    let expected = [
        format!(
            "acme: override {id} of on-call office from 2026-11-23T10:00:00+00:00 until 2026-11-23T12:00:00+00:00: \
             email:eve@example.com in place of email:ann@example.com from 127.0.0.1"
        ),
        format!(
            "acme: took back on-call override {id} of office: email:ann@example.com in place of email:eve@example.com \
             from 127.0.0.1"
        ),
    ];
    assert_eq!(asked.audited().await, expected);
}

#[tokio::test]
async fn another_tenants_rotation_is_not_there_and_a_shared_one_is_not_changed_by_one_tenant() {
    let asked = Asked::start().await;
    let (_, seen) = asked.get(GLOBEX, "/api/v1/on-call").await;
    let names: Vec<_> = seen["rotations"].as_array().unwrap().iter().map(|one| &one["name"]).collect();
    assert_eq!(names, ["shared"]);
    let add =
        async |who: usize, rotation: &str| asked.call(who, Method::POST, "/api/v1/on-call", wish(rotation)).await.0;
    assert_eq!(add(GLOBEX, "office").await, StatusCode::NOT_FOUND);
    assert_eq!(add(GLOBEX, "shared").await, StatusCode::FORBIDDEN);

    let (office, shared) = (asked.stand_in(ACME, "office").await, asked.stand_in(EVERYWHERE, "shared").await);
    for (who, id, expected) in [
        (GLOBEX, &office, StatusCode::NOT_FOUND),
        (GLOBEX, &shared, StatusCode::FORBIDDEN),
        (EVERYWHERE, &office, StatusCode::NO_CONTENT),
        (EVERYWHERE, &shared, StatusCode::NO_CONTENT),
    ] {
        let (status, _) = asked.call(who, Method::DELETE, &format!("/api/v1/on-call/{id}"), json!({})).await;
        assert_eq!(status, expected, "{who} and {id}");
    }
}

#[tokio::test]
async fn the_page_takes_an_override_back_for_those_who_may_and_no_other_site_can() {
    let asked = Asked::start().await;
    let id = asked.stand_in(ACME, "office").await;
    let button = format!("action=\"/on-call/{id}/remove\"");
    let page = async |who: usize| asked.browse(who, Method::GET, "/on-call", "same-origin").await.text().await.unwrap();
    let own = page(ACME).await;
    assert!(own.contains(&button) && own.contains("Take back") && own.contains("eve@example.com"), "{own}");
    assert!(!own.contains("value=\"shared\""), "nobody of one tenant changes what all share");
    let viewers = page(VIEWER).await;
    assert!(viewers.contains("eve@example.com") && !viewers.contains("Take back"), "{viewers}");
    assert!(!page(GLOBEX).await.contains("eve@example.com"));

    let path = format!("/on-call/{id}/remove");
    let press = async |who: usize, site: &str| asked.browse(who, Method::POST, &path, site).await.status();
    assert_eq!(press(ACME, "cross-site").await, StatusCode::FORBIDDEN);
    assert_eq!(press(VIEWER, "same-origin").await, StatusCode::FORBIDDEN);
    assert_eq!(press(GLOBEX, "same-origin").await, StatusCode::NOT_FOUND);
    assert_eq!(press(ACME, "same-origin").await, StatusCode::SEE_OTHER);
    assert!(!page(ACME).await.contains("Take back"), "it is taken back");
    assert_eq!(asked.audited().await.len(), 2);
}

#[tokio::test]
async fn a_name_that_nobody_has_leaves_the_form_as_it_was_with_the_complaint() {
    let asked = Asked::start().await;
    let form = [
        ("rotation", "office"),
        ("person", "Mateo Alvares"),
        ("from", "2026-11-24T09:00"),
        ("until", "2026-11-24T12:00"),
    ];
    let request =
        Client::new().post(format!("{}/on-call", asked.url)).form(&form).header("sec-fetch-site", "same-origin");
    let answer = request.header("cookie", sign_in(&asked.url, &asked.tokens[ACME]).await).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
    assert!(answer.headers()["content-type"].to_str().unwrap().starts_with("text/html"));
    let html = answer.text().await.unwrap();
    assert!(html.contains("`person` is nobody whom SuperOps knows"), "{html}");
    assert!(html.contains("value=\"Mateo Alvares\"") && html.contains("value=\"2026-11-24T09:00\""), "{html}");
}

#[tokio::test]
async fn an_address_of_nobody_in_superops_is_flagged() {
    let asked = Asked::start().await;
    let html = asked.browse(EVERYWHERE, Method::GET, "/on-call", "none").await.text().await.unwrap();
    assert!(html.contains("check its spelling: email:bob@example.com"), "{html}");
    let own = asked.browse(ACME, Method::GET, "/on-call", "none").await.text().await.unwrap();
    assert!(own.contains("somebody of another tenant") && !own.contains("bob@example.com"), "{own}");
    let (_, shown) = asked.get(VIEWER, "/api/v1/on-call").await;
    let foreign: Vec<_> = shown["rotations"].as_array().unwrap().iter().map(|one| &one["foreign_addresses"]).collect();
    assert!(foreign.contains(&&json!(["email:bob@example.com"])), "{foreign:?}");
}

#[tokio::test]
async fn the_page_lists_when_nobody_is_on_call() {
    let asked = Asked::start().await;
    let html = asked.browse(ACME, Method::GET, "/on-call", "none").await.text().await.unwrap();
    assert!(html.contains("Tue 24 Nov 17:00 to Mon 30 Nov 09:00"), "{html}");
    assert!(html.contains("None in 30 days."), "the shared one has no gap: {html}");
}

#[tokio::test]
async fn every_day_of_the_calendar_says_who_is_on_call_though_it_is_past_or_weeks_ahead() {
    let asked = Asked::start().await;
    let html = asked.browse(EVERYWHERE, Method::GET, "/on-call", "none").await.text().await.unwrap();
    assert_eq!(html.matches("aria-current=\"date\"").count(), 2, "one calendar for each rotation: {html}");
    assert!(!html.contains("</b></td>"), "a day without a word: {html}");
    let handovers = html.matches("09:00–24:00 email:bob@example.com").count();
    assert_eq!(handovers, 3, "the shared one is handed over on Mondays, and ends at no other time: {html}");
    assert_eq!(html.matches("–24:00 email:bob@example.com").count(), handovers, "{html}");
}

#[tokio::test]
async fn breaches_and_the_weekly_figure_are_read_by_viewers_and_only_of_their_own_tenant() {
    let mut asked = Asked::start().await;
    let ticket = asked.app.ticket(minutes(60));
    asked.app.turn().await;
    asked.app.wait(minutes(62)).await;
    asked.app.clock.advance(TimeDelta::minutes(1));
    for (path, list, own) in
        [("/api/v1/breaches", "breaches", ticket.as_str()), ("/api/v1/alerts/weekly", "weeks", "acme")]
    {
        for who in [VIEWER, ACME, EVERYWHERE] {
            let (status, found) = asked.get(who, path).await;
            assert_eq!((status, found[list].as_array().unwrap().len()), (StatusCode::OK, 1), "{path} {who}");
            assert!(found.to_string().contains(own), "{path} {who}: {found}");
        }
        let (status, found) = asked.get(GLOBEX, path).await;
        assert_eq!((status, &found[list]), (StatusCode::OK, &json!([])), "{path}");
        assert_eq!(asked.get(GLOBEX, &format!("{path}?tenant=acme")).await.0, StatusCode::NOT_FOUND, "{path}");
        assert_eq!(asked.get(EVERYWHERE, &format!("{path}?tenant=acme")).await.1[list].as_array().unwrap().len(), 1);
        let stranger = call(Method::GET, &format!("{}{path}", asked.url), "sla_nobody", json!({})).await;
        assert_eq!(stranger.0, StatusCode::UNAUTHORIZED, "{path}");
        let wrong = asked.get(VIEWER, &format!("{path}?wekks=3")).await;
        assert_eq!((wrong.0, &wrong.1["status"]), (StatusCode::BAD_REQUEST, &json!(400)), "{path}");
    }
}

/// All that `path` lists, page by page, by the field `id` of each.
async fn paged(url: &str, token: &str, path: &str, list: &str, id: &str) -> Vec<String> {
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let (status, page) = call(Method::GET, &format!("{url}{path}&cursor={cursor}"), token, json!({})).await;
        assert_eq!(status, StatusCode::OK, "{page}");
        seen.extend(page[list].as_array().unwrap().iter().map(|one| one[id].to_string()));
        let Some(next) = page["next_cursor"].as_str() else { return seen };
        next.clone_into(&mut cursor);
    }
}

#[tokio::test]
async fn pages_of_alerts_breaches_and_messages_hold_each_once_though_all_came_at_one_moment() {
    let mut app = TestApp::start().await;
    for _ in 0..5 {
        app.ticket(minutes(60));
    }
    app.turn().await;
    app.wait(minutes(61)).await;
    let (url, tokens) = served(&mut app, &[(Role::Viewer, None)]).await;
    for (list, id) in [("alerts", "id"), ("breaches", "id"), ("messages", "key")] {
        let whole = paged(&url, &tokens[0], &format!("/api/v1/{list}?limit=500"), list, id).await;
        assert!(whole.len() >= 5, "{list}: {whole:?}");
        for limit in [1, 2, 5] {
            let pages = paged(&url, &tokens[0], &format!("/api/v1/{list}?limit={limit}"), list, id).await;
            assert_eq!(pages, whole, "{list} by {limit}");
        }
        let foreign = format!("{url}/api/v1/{list}?cursor=bm90IG91cnM");
        assert_eq!(call(Method::GET, &foreign, &tokens[0], json!({})).await.0, StatusCode::BAD_REQUEST);
    }
}
