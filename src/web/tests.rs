//! Tests of the web's promises over a real connection.

mod documented;
mod roles;

use std::sync::Arc;

use axum::http::StatusCode;
use axum::http::header::{
    ACCEPT, ALLOW, AUTHORIZATION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, COOKIE, LOCATION, SET_COOKIE, WWW_AUTHENTICATE,
};
use chrono::{DateTime, TimeDelta, Utc};
use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::*;
use crate::clock::{Clock, ManualClock};
use crate::config::{Config, GivenEnvironment};
use crate::rules_cache::RulesCache;
use crate::service::Syncs;
use crate::store::tickets::Batch;
use crate::store::tokens::{Author, Token, TokenRecord};
use crate::ticket::tests::sample;
use crate::ticket::watch::Bounds;
use crate::ticket::{Reported, Ticket};

/// A running service on its own port.
struct TestWeb {
    url: String,
    store: Store,
    service: Service,
    clock: ManualClock,
    client: reqwest::Client,
    _folder: tempfile::TempDir,
}

impl TestWeb {
    async fn start() -> Self {
        Self::start_with(Options::default()).await
    }

    async fn start_with(options: Options) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = tempfile::tempdir().unwrap();
        let telemetry = Arc::new(Telemetry::default());
        let store = Store::open(&folder.path().join("sla.db"), telemetry.clone()).await.unwrap();
        let clock = ManualClock::at(DateTime::from_timestamp(1_800_000_000, 0).unwrap());
        let service = service(&store, &clock, 8).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = HttpServer::sized_beside(1, telemetry.clone());
        let router = router(Web::new(service.clone(), store.clone(), telemetry, options));
        tokio::spawn(server.serve(listener, router, std::future::pending()));
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self { url, store, service, clock, client, _folder: folder }
    }

    async fn token(&self, tenant: Option<&str>) -> (Token, TokenRecord) {
        let token = Token::generate().unwrap();
        let tenant = tenant.map(|name| TenantId::parse(name).unwrap());
        let record = self.store.add_token(&token, Role::Viewer, tenant, author(), self.clock.now()).await.unwrap();
        (token, record)
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url))
    }

    async fn get(&self, path: &str, token: Option<&Token>) -> Response {
        let request = self.request(Method::GET, path);
        let request = token.into_iter().fold(request, |request, token| request.bearer_auth(token.expose()));
        request.send().await.unwrap()
    }

    /// Returns some ticket of `tenant` as the API gives it to a caller who sees everything.
    async fn ticket_of(&self, tenant: &str) -> Value {
        let (token, _) = self.token(None).await;
        let page: Value =
            self.get(&format!("/api/v1/tickets?tenant={tenant}"), Some(&token)).await.json().await.unwrap();
        page["tickets"][0].clone()
    }
}

/// Two tenants; acme promises for every ticket to respond within one hour and to resolve within two.
const CONFIG: &str = "
[tenants.acme]
subdomain = 'acme'
region = 'us'
token_env = 'TOKEN'
[tenants.globex]
subdomain = 'globex'
region = 'eu'
token_env = 'TOKEN'
[notify.email]
smtp_url = 'smtp://127.0.0.1:2525'
from = 'sla@example.com'
[[policies]]
tenant = 'acme'
response = '1h'
resolution = '2h'
clock = 'calendar'
[[policies]]
client = 'Globex Bank'
resolution = '8h'
clock = 'calendar'
";

/// Builds a service over `store`, with `tickets` open tickets for each of its two tenants.
async fn service(store: &Store, clock: &ManualClock, tickets: i64) -> Service {
    let environment = GivenEnvironment::default().with_var("TOKEN", "secret");
    let config = Arc::new(Config::parse("config.toml".as_ref(), CONFIG, &environment).unwrap());
    for tenant in config.tenants.values() {
        let now = clock.now();
        let tickets = (0..tickets).map(|number| ticket(&tenant.id, number, now)).collect();
        let read = Bounds { earliest: now, latest: now };
        let batch = Batch { tickets, unread: Vec::new(), read, state: None, policies: [].into() };
        store.save_tickets(&tenant.id, vec![batch], &tenant.statuses).await.unwrap();
    }
    let telemetry = Arc::new(Telemetry::default());
    let rules_cache = Arc::new(RulesCache::new(config.clone(), store.clone(), telemetry.clone()).unwrap());
    Service::new(config, rules_cache, store.clone(), Arc::new(clock.clone()), telemetry, Syncs::default())
}

fn ticket(tenant: &TenantId, number: i64, now: DateTime<Utc>) -> Ticket {
    let due = |minutes| Reported { due: Some(now + TimeDelta::minutes(minutes)), ..Reported::default() };
    Ticket {
        display_id: format!("{tenant}/{number}"),
        subject: "<script>alert(1)</script> \u{1F5A8} printer".into(),
        status: Some("Open".into()),
        created_at: Some(now - TimeDelta::hours(1)),
        updated_at: Some(now),
        first_response: due(number * 10 - 20),
        resolution: due(number * 60),
        ..sample(&format!("{tenant}-{number}"))
    }
}

fn author() -> Author {
    Author { who: "mia".into(), origin: "command line".into() }
}

/// Checks that `response` is a problem of `status`, and returns its detail.
async fn problem(response: Response, status: StatusCode) -> String {
    assert_eq!(response.status(), status);
    assert_eq!(response.headers()[CONTENT_TYPE], "application/problem+json", "{}", response.url());
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["status"], status.as_u16());
    assert_eq!(body["title"], status.canonical_reason().unwrap());
    body["detail"].as_str().unwrap().to_owned()
}

const READS: [&str; 7] = [
    "/api/v1/tickets",
    "/api/v1/tickets/1/sla",
    "/api/v1/tickets/1/ledger",
    "/api/v1/discrepancies",
    "/api/v1/overview",
    "/api/v1/messages",
    "/metrics",
];

#[tokio::test]
async fn without_a_good_token_there_is_no_data() {
    let web = TestWeb::start().await;
    let stranger = Token::generate().unwrap();
    for path in READS {
        for token in [None, Some(&stranger)] {
            let response = web.get(path, token).await;
            assert_eq!(response.headers()[WWW_AUTHENTICATE], "Bearer", "{path}");
            problem(response, StatusCode::UNAUTHORIZED).await;
        }
    }
    let basic = web.request(Method::GET, READS[0]).header(AUTHORIZATION, "Basic c2xhOnNsYQ==").send().await.unwrap();
    problem(basic, StatusCode::UNAUTHORIZED).await;
}

#[tokio::test]
async fn a_revoked_token_stops_working_at_once() {
    let web = TestWeb::start().await;
    let (token, record) = web.token(None).await;
    assert_eq!(web.get("/api/v1/tickets", Some(&token)).await.status(), StatusCode::OK);
    web.store.revoke_token(&record.id, author(), web.clock.now()).await.unwrap();
    problem(web.get("/api/v1/tickets", Some(&token)).await, StatusCode::UNAUTHORIZED).await;
}

#[tokio::test]
async fn another_tenants_ticket_is_not_there() {
    let web = TestWeb::start().await;
    let id = web.ticket_of("globex").await["ticket_id"].as_str().unwrap().to_owned();
    let ((acme, _), (globex, _)) = (web.token(Some("acme")).await, web.token(Some("globex")).await);
    let (api, page) = (format!("/api/v1/tickets/{id}/sla"), format!("/tickets/globex/{id}"));
    assert_eq!(web.get(&api, Some(&globex)).await.status(), StatusCode::OK);
    assert_eq!(web.get(&page, Some(&globex)).await.status(), StatusCode::OK);
    problem(web.get(&api, Some(&acme)).await, StatusCode::NOT_FOUND).await;
    problem(web.get(&format!("{api}?tenant=globex"), Some(&acme)).await, StatusCode::NOT_FOUND).await;
    let ledger = format!("/api/v1/tickets/{id}/ledger");
    assert_eq!(web.get(&ledger, Some(&globex)).await.status(), StatusCode::OK);
    problem(web.get(&ledger, Some(&acme)).await, StatusCode::NOT_FOUND).await;
    problem(web.get("/api/v1/discrepancies?tenant=globex", Some(&acme)).await, StatusCode::NOT_FOUND).await;
    assert_eq!(web.get(&page, Some(&acme)).await.status(), StatusCode::NOT_FOUND);
    problem(web.get("/api/v1/messages?tenant=globex", Some(&acme)).await, StatusCode::NOT_FOUND).await;
}

#[tokio::test]
async fn a_ledger_adds_up_and_says_whose_reckoning_it_is() {
    let web = TestWeb::start().await;
    let (token, _) = web.token(None).await;
    let ledger: Value = web.get("/api/v1/tickets/acme-3/ledger?tenant=acme", Some(&token)).await.json().await.unwrap();
    let clock = &ledger["clocks"][1];
    assert_eq!(
        (&clock["truth"], &clock["target"], &clock["counted"]),
        (&json!("reported"), &json!(14_400), &json!(3600))
    );
    let counted: i64 = clock["lines"].as_array().unwrap().iter().map(|line| line["counted"].as_i64().unwrap()).sum();
    assert_eq!(counted, 3600);
    let resolution = &ledger["discrepancies"][1];
    assert_eq!((&resolution["cause"], &resolution["seconds"]), (&json!("target"), &json!(7200)));

    let reported: Value =
        web.get("/api/v1/tickets/globex-3/ledger?tenant=globex", Some(&token)).await.json().await.unwrap();
    assert_eq!(reported["clocks"][1]["truth"], "reported");
    assert_eq!(reported["discrepancies"], json!([]), "nothing of our own to compare with");
}

#[tokio::test]
async fn differences_are_summed_up_by_client_and_policy() {
    let web = TestWeb::start().await;
    let (all, _) = web.token(None).await;
    let found: Value = web.get("/api/v1/discrepancies", Some(&all)).await.json().await.unwrap();
    assert_eq!((&found["compared"], &found["groups"].as_array().unwrap().len()), (&json!(16), &1));
    let group = &found["groups"][0];
    assert_eq!((&group["tenant"], &group["client"]), (&json!("acme"), &Value::Null));
    assert_eq!(group["differing"], 13, "two are due as promised, and one may have paused before it was watched");
    let globex: Value = web.get("/api/v1/discrepancies?tenant=globex", Some(&all)).await.json().await.unwrap();
    assert_eq!(globex["compared"], 0);
}

#[tokio::test]
async fn the_figures_of_all_tenants_need_a_token_for_all_tenants() {
    let web = TestWeb::start().await;
    let ((all, _), (acme, _)) = (web.token(None).await, web.token(Some("acme")).await);
    let response = web.get("/metrics", Some(&all)).await;
    assert!(response.headers()[CONTENT_TYPE].to_str().unwrap().starts_with("application/openmetrics-text"));
    assert!(response.text().await.unwrap().ends_with("# EOF\n"));
    let detail = problem(web.get("/metrics", Some(&acme)).await, StatusCode::FORBIDDEN).await;
    assert!(detail.contains("--tenant"), "{detail}");
}

#[tokio::test]
async fn a_bad_question_is_told_what_is_wrong_with_it() {
    let web = TestWeb::start().await;
    let (token, _) = web.token(None).await;
    let cases = [
        ("/api/v1/tickets?limt=5", StatusCode::BAD_REQUEST, "`limt`"),
        ("/api/v1/tickets?limit=0", StatusCode::BAD_REQUEST, "from 1 to 500"),
        ("/api/v1/tickets?limit=501", StatusCode::BAD_REQUEST, "from 1 to 500"),
        ("/api/v1/tickets?limit=many", StatusCode::BAD_REQUEST, "limit"),
        ("/api/v1/messages?limit=-1", StatusCode::BAD_REQUEST, "limit"),
        ("/api/v1/messages?who=mia", StatusCode::BAD_REQUEST, "`who`"),
        ("/api/v1/tickets/%FF/sla", StatusCode::BAD_REQUEST, "UTF-8"),
        ("/api/v1/tickets/none/sla", StatusCode::NOT_FOUND, "no such ticket"),
        ("/api/v1/nothing", StatusCode::NOT_FOUND, "no such page"),
        ("/assets/..%2f..%2fconfig.toml", StatusCode::NOT_FOUND, "no such asset"),
    ];
    for (path, status, hint) in cases {
        let detail = problem(web.get(path, Some(&token)).await, status).await;
        assert!(detail.contains(hint), "{path}: {detail}");
    }
}

#[tokio::test]
async fn a_person_at_a_mistyped_address_gets_a_page_and_a_program_a_problem() {
    let web = TestWeb::start().await;
    let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    let ask =
        async |path: &str, accept: &str| web.request(Method::GET, path).header("accept", accept).send().await.unwrap();
    for path in ["/nope", "/login/", "/status/nope"] {
        let page = ask(path, browser).await;
        assert_eq!(page.status(), StatusCode::NOT_FOUND, "{path}");
        assert!(page.headers()[CONTENT_TYPE].to_str().unwrap().starts_with("text/html"), "{path}");
        assert!(page.text().await.unwrap().contains("there is no such page"), "{path}");
        problem(ask(path, "*/*").await, StatusCode::NOT_FOUND).await;
    }
    problem(ask("/api/nope", browser).await, StatusCode::NOT_FOUND).await;
}

#[tokio::test]
async fn a_wrong_method_is_a_problem_that_names_the_right_ones() {
    let web = TestWeb::start().await;
    let response = web.request(Method::DELETE, "/api/v1/tickets").send().await.unwrap();
    assert_eq!(response.headers()[ALLOW], "GET,HEAD");
    problem(response, StatusCode::METHOD_NOT_ALLOWED).await;
}

#[tokio::test]
async fn the_path_of_a_form_leads_whoever_asks_for_it_to_the_page_with_the_form() {
    let web = TestWeb::start().await;
    let mut pages = routes::all();
    pages.retain(|route| route.rule.audience == route::Audience::Page);
    let gets: Vec<_> = pages.iter().filter(|route| route.method == Method::GET).map(|route| route.path).collect();
    for form in pages.iter().filter(|route| !gets.contains(&route.path)) {
        let path = form.path.replace(['{', '}'], "");
        let ask = || web.request(Method::GET, &format!("{path}?tenant=acme"));
        assert_eq!(ask().send().await.unwrap().status(), StatusCode::METHOD_NOT_ALLOWED, "a program asks for {path}");
        let answer = ask().header(ACCEPT, "text/html").send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::SEE_OTHER, "{path}");
        let to = answer.headers()[LOCATION].to_str().unwrap();
        let page = to.strip_suffix("?tenant=acme").unwrap();
        let template = page.replace("/id", "/{id}").replace("/tenant", "/{tenant}");
        assert!(gets.contains(&template.as_str()), "{path} leads to {to}");
    }
    let incidents = web.request(Method::GET, "/maintenance").header(ACCEPT, "text/html").send().await.unwrap();
    assert_eq!(incidents.headers()[LOCATION], "/incidents");
}

#[tokio::test]
async fn blank_filters_ask_for_everything() {
    let web = TestWeb::start().await;
    let (token, _) = web.token(None).await;
    let all: Value = web.get("/api/v1/tickets", Some(&token)).await.json().await.unwrap();
    let blank: Value = web.get("/api/v1/tickets?tenant=&standing=&cursor=", Some(&token)).await.json().await.unwrap();
    assert!(all["total"].as_u64() > Some(0));
    assert_eq!(all["total"], blank["total"]);
    let twice = web.get("/api/v1/tickets?tenant=&tenant=globex&text=+", Some(&token)).await;
    let globex = web.get("/api/v1/tickets?tenant=globex", Some(&token)).await;
    assert_eq!(twice.json::<Value>().await.unwrap()["total"], globex.json::<Value>().await.unwrap()["total"]);
}

#[tokio::test]
async fn a_page_of_tickets_names_what_all_can_be_filtered_by_if_asked() {
    let web = TestWeb::start().await;
    let (token, _) = web.token(None).await;
    let ask = async |query: &str| -> Value {
        web.get(&format!("/api/v1/tickets?limit=1{query}"), Some(&token)).await.json().await.unwrap()
    };
    let all = ask("").await;
    assert!(all["choices"].is_null() && all["total"].as_u64() > Some(1));
    let unassigned = ask("&technician=%E2%80%94&choices=true").await;
    assert_eq!(unassigned["total"], all["total"], "nobody has any of them");
    let choices = json!({ "technician": ["—"], "client": ["—"], "priority": ["—"] });
    let none = ask("&technician=mia&choices=true").await;
    assert_eq!((&none["total"], &none["choices"]), (&json!(0), &choices));
}

fn hooked() -> Options {
    let hooks = [("acme", "knock knock"), ("blank", "")];
    let hooks = hooks.into_iter().map(|(name, secret)| (TenantId::parse(name).unwrap(), secret.into())).collect();
    Options { hooks, ..Options::default() }
}

#[tokio::test]
async fn a_hook_wants_its_secret_and_nothing_else() {
    let web = TestWeb::start_with(hooked()).await;
    let post = |tenant: &str| web.request(Method::POST, &format!("/hooks/superops/{tenant}")).body("{half a json");
    let good = post("acme").header("X-Superops-Sla-Secret", "knock knock").send().await.unwrap();
    assert_eq!(good.status(), StatusCode::ACCEPTED);
    assert_eq!(post("acme").bearer_auth("knock knock").send().await.unwrap().status(), StatusCode::ACCEPTED);

    let (token, _) = web.token(None).await;
    for wrong in ["", "knock", "knock knock knock", token.expose()] {
        let response = post("acme").header("X-Superops-Sla-Secret", wrong).send().await.unwrap();
        problem(response, StatusCode::UNAUTHORIZED).await;
    }
    problem(post("acme").send().await.unwrap(), StatusCode::UNAUTHORIZED).await;
    problem(post("blank").bearer_auth("").send().await.unwrap(), StatusCode::UNAUTHORIZED).await;
    problem(post("globex").bearer_auth("knock knock").send().await.unwrap(), StatusCode::NOT_FOUND).await;
}

#[tokio::test]
async fn a_page_runs_only_our_own_scripts_and_in_no_frame() {
    let web = TestWeb::start().await;
    for path in ["/login", "/", "/nothing", "/assets/app.js"] {
        let response = web.get(path, None).await;
        let policy = response.headers()[CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.contains("default-src 'self'") && policy.contains("frame-ancestors 'none'"), "{path}");
        assert!(!policy.contains("unsafe"), "{path}");
        assert_eq!(response.headers()[X_CONTENT_TYPE_OPTIONS], "nosniff", "{path}");
        assert_eq!(response.headers()[REFERRER_POLICY], "same-origin", "{path}");
    }
}

#[tokio::test]
async fn a_hostile_subject_reaches_the_page_only_as_text() {
    let web = TestWeb::start().await;
    let (token, _) = web.token(None).await;
    let page: Value = web.get("/api/v1/tickets", Some(&token)).await.json().await.unwrap();
    let hostile = |ticket: &&Value| ticket["subject"].as_str().is_some_and(|subject| subject.contains("<script>alert"));
    let ticket = page["tickets"].as_array().unwrap().iter().find(hostile).unwrap();
    let path = format!("/tickets/{}/{}", ticket["tenant"].as_str().unwrap(), ticket["ticket_id"].as_str().unwrap());
    let html = web.get(&path, Some(&token)).await.text().await.unwrap();
    assert!(html.contains("&lt;script&gt;alert"), "{html}");
    assert!(!html.contains("<script>alert") && !html.contains("<img src=x"), "{html}");
    for (name, text) in pages::ASSETS {
        assert!(!text.contains("innerHTML") && !text.contains("insertAdjacentHTML"), "{name}");
    }
}

#[tokio::test]
async fn a_browser_logs_in_with_a_token_and_comes_back_to_where_it_was() {
    let options = Options { public_url: Some("https://sla.example.com".into()), ..Options::default() };
    let web = TestWeb::start_with(options).await;
    let ticket = web.ticket_of("acme").await;
    let id = ticket["ticket_id"].as_str().unwrap();
    let wanted = format!("/tickets/acme/{id}?from=mail&as=of");
    let stranger = web.get(&wanted, None).await;
    assert_eq!(stranger.status(), StatusCode::SEE_OTHER);
    let login = format!("/login?next=%2Ftickets%2Facme%2F{id}%3Ffrom%3Dmail%26as%3Dof");
    assert_eq!(stranger.headers()[LOCATION], login);

    let (token, _) = web.token(Some("acme")).await;
    let form = [("token", token.expose()), ("next", wanted.as_str())];
    let entered = web.request(Method::POST, "/login").form(&form).send().await.unwrap();
    assert_eq!(entered.headers()[LOCATION], wanted);
    let cookie = entered.headers()[SET_COOKIE].to_str().unwrap();
    assert!(cookie.starts_with("__Host-sla_session=sla_") && !cookie.contains(token.expose()), "{cookie}");
    for property in ["HttpOnly", "SameSite=Strict", "Secure", "Path=/"] {
        assert!(cookie.split("; ").any(|part| part == property), "{property}");
    }
    let cookie = format!("theme=dark; {}", cookie.split(';').next().unwrap());
    let page = web.request(Method::GET, &wanted).header(COOKIE, cookie).send().await.unwrap();
    assert_eq!(page.status(), StatusCode::OK);
    assert!(!page.text().await.unwrap().contains(token.expose()));
}

#[tokio::test]
async fn over_tls_a_cookie_under_the_plain_name_neither_counts_nor_is_in_the_way() {
    let options = Options { public_url: Some("https://sla.example.com".into()), ..Options::default() };
    let web = TestWeb::start_with(options).await;
    let (token, _) = web.token(Some("acme")).await;
    let cookie = web.sign_in(&token).await;
    let sees = async |cookie: &str| {
        web.request(Method::GET, "/api/v1/overview").header(COOKIE, cookie).send().await.unwrap().status()
    };
    assert_eq!(sees(&cookie.replace("__Host-", "")).await, StatusCode::UNAUTHORIZED);
    assert_eq!(sees(&format!("sla_session=planted; {cookie}")).await, StatusCode::OK);
}

#[tokio::test]
async fn a_form_of_nobody_and_a_page_for_a_wrong_token_are_refused_and_not_sent_to_the_login() {
    let web = TestWeb::start().await;
    let form = || web.request(Method::POST, "/incidents").form(&[("public", "true")]);
    let refused = form().send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    assert!(refused.text().await.unwrap().contains("nothing that you sent was saved"));
    let shown = form().send().await.unwrap().text().await.unwrap();
    assert!(shown.contains("<a href=\"/login\" target=\"_blank\">Sign in"), "the form stays to go back to: {shown}");
    assert_eq!(form().bearer_auth("sla_wrong").send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
    let page = web.request(Method::GET, "/incidents").bearer_auth("sla_wrong").send().await.unwrap();
    assert_eq!(page.status(), StatusCode::UNAUTHORIZED);
}

impl TestWeb {
    /// Signs in with `token` and returns the cookie.
    async fn sign_in(&self, token: &Token) -> String {
        let form = [("token", token.expose()), ("next", "/")];
        let entered = self.request(Method::POST, "/login").form(&form).send().await.unwrap();
        entered.headers()[SET_COOKIE].to_str().unwrap().split(';').next().unwrap().to_owned()
    }
}

#[tokio::test]
async fn signing_out_ends_the_session_and_the_token_lives_on() {
    let web = TestWeb::start().await;
    let (token, record) = web.token(Some("acme")).await;
    let (cookie, other) = (web.sign_in(&token).await, web.sign_in(&token).await);
    let with =
        |method, path: &str, cookie: &str| web.request(method, path).header(COOKIE, cookie).header("origin", &web.url);
    let sees = async |cookie: &str| with(Method::GET, "/api/v1/overview", cookie).send().await.unwrap().status();
    assert_eq!((sees(&cookie).await, sees(&other).await), (StatusCode::OK, StatusCode::OK));

    let list: Value = web.get("/api/v1/sessions", Some(&token)).await.json().await.unwrap();
    assert_eq!(list["sessions"].as_array().unwrap().len(), 2);
    let out = with(Method::POST, "/logout", &cookie).send().await.unwrap();
    assert_eq!(out.headers()[LOCATION], "/login");
    assert!(out.headers()[SET_COOKIE].to_str().unwrap().contains("Max-Age=0"));
    let again = with(Method::POST, "/logout", &cookie).send().await.unwrap();
    assert_eq!(again.headers()[LOCATION], "/login", "what was pressed is no page to come back to");
    assert_eq!((sees(&cookie).await, sees(&other).await), (StatusCode::UNAUTHORIZED, StatusCode::OK));
    assert_eq!(web.get("/api/v1/overview", Some(&token)).await.status(), StatusCode::OK);

    let list: Value = web.get("/api/v1/sessions", Some(&token)).await.json().await.unwrap();
    let one = format!("/api/v1/sessions/{}", list["sessions"][0]["id"].as_str().unwrap());
    let (stranger, _) = web.token(Some("acme")).await;
    let end = async |token: &Token| {
        web.request(Method::DELETE, &one).bearer_auth(token.expose()).send().await.unwrap().status()
    };
    assert_eq!(end(&stranger).await, StatusCode::NOT_FOUND, "another token's session");
    assert_eq!(end(&token).await, StatusCode::NO_CONTENT);
    assert_eq!(sees(&other).await, StatusCode::UNAUTHORIZED);

    let last = web.sign_in(&token).await;
    web.store.revoke_token(&record.id, author(), web.clock.now()).await.unwrap();
    assert_eq!(sees(&last).await, StatusCode::UNAUTHORIZED, "its token is revoked");
}

#[tokio::test]
async fn whoever_guesses_tokens_has_to_wait_and_a_good_token_from_there_does_not() {
    let web = TestWeb::start().await;
    let (token, _) = web.token(None).await;
    let mut last = StatusCode::OK;
    for _ in 0..12 {
        last = web.get("/api/v1/overview", Some(&Token::generate().unwrap())).await.status();
    }
    assert_eq!(last, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(web.get("/api/v1/overview", Some(&token)).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn who_asks_too_much_is_told_when_to_ask_again() {
    let options = Options { requests_per_second: std::num::NonZeroU32::new(3), ..Options::default() };
    let web = TestWeb::start_with(options).await;
    let ((token, _), (other, _)) = (web.token(None).await, web.token(None).await);
    let mut refused = None;
    for _ in 0..10 {
        let answer = web.get("/api/v1/policies", Some(&token)).await;
        refused = refused.or((answer.status() == StatusCode::TOO_MANY_REQUESTS).then_some(answer));
    }
    let refused = refused.expect("ten at once are more than three a second");
    assert_eq!(refused.headers()["retry-after"], "1");
    assert_eq!(web.get("/api/v1/policies", Some(&other)).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn an_address_without_a_token_asks_only_so_often_except_for_what_everybody_may_look_at() {
    let limited = || Options { requests_per_second: std::num::NonZeroU32::new(3), ..Options::default() };
    let refused = async |path: &str| {
        let web = TestWeb::start_with(limited()).await;
        let mut refused = 0;
        for _ in 0..10 {
            refused += usize::from(web.get(path, None).await.status() == StatusCode::TOO_MANY_REQUESTS);
        }
        refused
    };
    for path in ["/login", "/", "/api/openapi.json", "/api/v1/overview"] {
        assert_ne!(refused(path).await, 0, "{path}: ten at once are more than three a second");
    }
    for path in ["/healthz", "/readyz", "/status", "/status/summary.json", "/assets/live.js"] {
        assert_eq!(refused(path).await, 0, "{path}");
    }
}

#[tokio::test]
async fn a_demo_answers_under_no_name_of_a_stranger() {
    let demo = TestWeb::start_with(Options { anonymous: Some(Role::Admin), ..Options::default() }).await;
    let named = async |host: &str| demo.request(Method::GET, "/").header("host", host).send().await.unwrap().status();
    assert_eq!(named("evil.example").await, StatusCode::MISDIRECTED_REQUEST);
    for good in ["localhost:8080", "127.0.0.1:1", "[::1]:8080"] {
        assert_eq!(named(good).await, StatusCode::OK, "{good}");
    }
}

#[tokio::test]
async fn a_number_that_two_tenants_have_needs_to_be_said_whose() {
    let web = TestWeb::start().await;
    for name in ["acme", "globex"] {
        let (tenant, now) = (TenantId::parse(name).unwrap(), web.clock.now());
        let twin = Ticket { display_id: "062822-1".into(), ..ticket(&tenant, 90, now) };
        let read = Bounds { earliest: now, latest: now };
        let batch = Batch { tickets: vec![twin], unread: Vec::new(), read, state: None, policies: [].into() };
        let statuses = crate::ticket::StatusWords::default();
        web.store.save_tickets(&tenant, vec![batch], &statuses).await.unwrap();
    }
    let ((all, _), (acme, _)) = (web.token(None).await, web.token(Some("acme")).await);
    let one = "/api/v1/tickets/062822-1/sla";
    let detail = problem(web.get(one, Some(&all)).await, StatusCode::CONFLICT).await;
    assert!(detail.contains("acme, globex") && detail.contains("`tenant`"), "{detail}");
    assert_eq!(web.get(&format!("{one}?tenant=globex"), Some(&all)).await.status(), StatusCode::OK);
    assert_eq!(web.get(one, Some(&acme)).await.status(), StatusCode::OK, "there is only one for whoever sees one");
}

#[tokio::test]
async fn a_wrong_token_at_the_login_page_gets_no_cookie() {
    let web = TestWeb::start().await;
    let form = [("token", "sla_wrong"), ("next", "\"><script>alert(1)</script>")];
    let response = web.request(Method::POST, "/login").form(&form).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    assert!(response.headers().get(SET_COOKIE).is_none());
    let html = response.text().await.unwrap();
    assert!(
        html.contains("expired or has been revoked") && !html.contains("<script>alert") && !html.contains("sla_wrong")
    );
    let large = web.request(Method::POST, "/login").form(&[("token", "x".repeat(100_000))]).send().await.unwrap();
    assert_eq!(large.status(), StatusCode::BAD_REQUEST);
    assert!(large.text().await.unwrap().contains("send the form of the login page"), "said on a page");
}

#[tokio::test]
async fn what_is_too_long_is_refused_in_our_own_words() {
    let web = TestWeb::start().await;
    let admin = web.token_of(Role::Admin, None).await;
    let post = |path: &str| web.request(Method::POST, path).bearer_auth(admin.expose());
    let name = "x".repeat(100_000);
    let order = post("/api/v1/tokens").json(&json!({"name": name, "role": "viewer"})).send().await.unwrap();
    let detail = problem(order, StatusCode::PAYLOAD_TOO_LARGE).await;
    assert!(detail.contains("too long, and nothing of it was saved"), "{detail}");
    let form = post("/tokens").form(&[("name", name.as_str()), ("role", "viewer")]).send().await.unwrap();
    assert_eq!(form.status(), StatusCode::PAYLOAD_TOO_LARGE);
    let page = form.text().await.unwrap();
    assert!(page.contains("too long, and nothing of it was saved") && !page.contains("buffer"), "{page}");
}

#[tokio::test]
async fn an_administrator_makes_and_revokes_tokens_for_no_more_than_they_may_see() {
    let web = TestWeb::start().await;
    let all = web.token_of(Role::Admin, None).await;
    let acme = web.token_of(Role::Admin, Some("acme")).await;
    let order = async |who: &Token, order: Value| {
        let request = web.request(Method::POST, "/api/v1/tokens").bearer_auth(who.expose()).json(&order);
        request.send().await.unwrap()
    };
    let made = order(&acme, json!({"name": "wall screen", "role": "viewer", "for": "90d"})).await;
    assert_eq!((made.status(), &made.headers()["cache-control"]), (StatusCode::CREATED, &"no-store".parse().unwrap()));
    let made: Value = made.json().await.unwrap();
    assert_eq!((&made["tenant"], &made["role"]), (&json!("acme"), &json!("viewer")), "of the maker's tenant");
    let token = Token::presented(made["token"].as_str().unwrap());
    assert_eq!(web.get("/api/v1/tickets", Some(&token)).await.status(), StatusCode::OK);

    let elsewhere = order(&acme, json!({"name": "x", "role": "viewer", "tenant": "globex"})).await;
    problem(elsewhere, StatusCode::NOT_FOUND).await;
    for wrong in [json!({"name": " ", "role": "viewer"}), json!({"name": "x", "role": "root"}), json!([])] {
        problem(order(&all, wrong).await, StatusCode::BAD_REQUEST).await;
    }

    let list = async |who: &Token| web.get("/api/v1/tokens", Some(who)).await.text().await.unwrap();
    let (own, every) = (list(&acme).await, list(&all).await);
    assert!(own.contains("wall screen") && !own.contains(token.expose()), "{own}");
    assert!(own.matches("\"id\"").count() < every.matches("\"id\"").count(), "acme's are not all");
    let revoke = async |who: &Token, id: &str| {
        web.request(Method::DELETE, &format!("/api/v1/tokens/{id}")).bearer_auth(who.expose()).send().await.unwrap()
    };
    let (foreign, _) = web.token(Some("globex")).await;
    let foreign = web.store.living_token(&foreign, web.clock.now()).await.unwrap().unwrap();
    problem(revoke(&acme, &foreign.id).await, StatusCode::NOT_FOUND).await;
    assert_eq!(revoke(&acme, made["id"].as_str().unwrap()).await.status(), StatusCode::NO_CONTENT);
    problem(web.get("/api/v1/tickets", Some(&token)).await, StatusCode::UNAUTHORIZED).await;
}

#[tokio::test]
async fn the_page_of_tokens_shows_a_new_one_once() {
    let web = TestWeb::start().await;
    let cookie = web.sign_in(&web.token_of(Role::Admin, None).await).await;
    let browse =
        |method: Method, path: &str| web.request(method, path).header(COOKIE, &cookie).header("origin", &web.url);
    let form = [("name", "<Mia>"), ("role", "responder"), ("tenant", ""), ("for", "")];
    let made = browse(Method::POST, "/tokens").form(&form).send().await.unwrap().text().await.unwrap();
    let (_, rest) = made.split_once("<code>sla_").unwrap();
    let token = Token::presented(&format!("sla_{}", rest.split('<').next().unwrap()));
    assert_eq!(web.get("/api/v1/tickets", Some(&token)).await.status(), StatusCode::OK);
    let page = browse(Method::GET, "/tokens").send().await.unwrap().text().await.unwrap();
    assert!(page.contains("&lt;Mia&gt;") && !page.contains(token.expose()), "{page}");
    let nameless = [("name", " "), ("role", "viewer")];
    let refused = browse(Method::POST, "/tokens").form(&nameless).send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
    assert!(refused.text().await.unwrap().contains("must say who or what the token is for"));
}

#[tokio::test]
async fn pages_of_a_list_in_any_order_hold_each_ticket_once_though_others_come_and_go() {
    let web = TestWeb::start().await;
    let (token, _) = web.token(None).await;
    for sort in ["worst", "-worst", "created", "-number", "client"] {
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let path = format!("/api/v1/tickets?limit=5&sort={sort}&cursor={cursor}");
            let page: Value = web.get(&path, Some(&token)).await.json().await.unwrap();
            seen.extend(page["tickets"].as_array().unwrap().iter().map(|one| one["display_id"].to_string()));
            let Some(next) = page["next_cursor"].as_str() else { break };
            cursor = next.to_owned();
            // Meanwhile another ticket arrives: it shifts the others, but none is repeated.
            web.something_happens("acme", 100 + i64::try_from(seen.len()).unwrap()).await;
        }
        let mut once = seen.clone();
        once.sort();
        once.dedup();
        assert_eq!(once.len(), seen.len(), "{sort}: {seen:?}");
        assert!((0..8).all(|number| once.contains(&format!("\"globex/{number}\""))), "{sort}: {once:?}");
        if sort == "-number" {
            assert!(seen.is_sorted_by(|a, b| a >= b), "{seen:?}");
        }
    }
    problem(web.get("/api/v1/tickets?sort=sideways", Some(&token)).await, StatusCode::BAD_REQUEST).await;
    problem(web.get("/api/v1/tickets?cursor=7", Some(&token)).await, StatusCode::BAD_REQUEST).await;
}

#[tokio::test]
async fn a_refusal_names_the_part_of_the_request_and_never_what_stood_in_it() {
    let web = TestWeb::start().await;
    let admin = web.token_of(Role::Admin, None).await;
    let field = async |answer: Response| {
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{}", answer.url());
        answer.json::<Value>().await.unwrap()["field"].clone()
    };
    for (path, expected) in [
        ("/api/v1/reports/sla?tenant=acme&format=docx", "format"),
        ("/api/v1/reports/sla?tenant=acme&client=docx", "client"),
        ("/api/v1/reports/sla?tenant=acme&from=docx", "from"),
        ("/api/v1/reports/sla", "tenant"),
        ("/api/v1/tickets?limit=0", "limit"),
        ("/api/v1/tickets?limit=docx", "limit"),
        ("/api/v1/tickets?lmit=1", "lmit"),
        ("/api/v1/tickets?risk=docx", "risk"),
        ("/api/v1/messages?sort=docx", "sort"),
        ("/api/v1/alerts?cursor=docx", "cursor"),
        ("/api/v1/audit?format=docx", "format"),
        ("/api/v1/uptime/statements?period=nosuch", "period"),
    ] {
        assert_eq!(field(web.get(path, Some(&admin)).await).await, expected, "{path}");
    }
    for (order, expected) in [
        (json!({"client": "docx", "for": "1h", "reason": "r"}), json!("tenant")),
        (json!({"tenant": "acme", "everything": true, "for": "docx", "reason": "r"}), json!("for")),
        (json!({"tenant": "acme", "everything": true, "for": "1h", "reason": " "}), json!("reason")),
        (json!({"tenant": "acme", "everything": true, "for": "1h"}), json!("reason")),
        (json!({"tenant": "acme", "everything": "docx", "for": "1h", "reason": "r"}), json!("everything")),
        (json!({"tenant": "acme", "for": "1h", "reason": "r"}), Value::Null),
    ] {
        let answer = web.request(Method::POST, "/api/v1/silences").bearer_auth(admin.expose()).json(&order);
        assert_eq!(field(answer.send().await.unwrap()).await, expected, "{order}");
    }
    let reason = web.request(Method::POST, "/api/v1/tickets/1/reason").bearer_auth(admin.expose());
    let forgotten = reason.json(&json!({"clock": "resolution"})).send().await.unwrap();
    assert_eq!(field(forgotten).await, "reason", "who forgets the reason takes none back");
}

#[tokio::test]
async fn pages_of_the_audit_log_hold_each_change_once_though_all_were_made_at_one_moment() {
    let web = TestWeb::start().await;
    let admin = web.token_of(Role::Admin, None).await;
    for _ in 0..6 {
        web.token(None).await;
    }
    let (mut seen, mut path) = (Vec::new(), "/api/v1/audit?limit=2".to_owned());
    loop {
        let page: Value = web.get(&path, Some(&admin)).await.json().await.unwrap();
        seen.extend(page["changes"].as_array().unwrap().iter().map(|one| one["what"].to_string()));
        let Some(next) = page["next_cursor"].as_str() else { break };
        path = format!("/api/v1/audit?limit=2&cursor={next}");
        // Meanwhile another token is added, which shifts nothing.
        web.token(None).await;
    }
    let mut once = seen.clone();
    once.sort();
    once.dedup();
    assert_eq!((once.len(), seen.len()), (7, 7), "{seen:?}");
    problem(web.get("/api/v1/audit?cursor=7", Some(&admin)).await, StatusCode::BAD_REQUEST).await;
}

#[tokio::test]
async fn the_audit_log_is_searched_in_either_case_and_for_letters_of_any_alphabet() {
    let web = TestWeb::start().await;
    let admin = web.token_of(Role::Admin, None).await;
    let author = Author { who: "Ölaf Über".to_owned(), ..author() };
    web.store.add_token(&Token::generate().unwrap(), Role::Viewer, None, author, web.clock.now()).await.unwrap();
    for (who, expected) in [("Über", 1), ("ÖLAF ÜBER", 1), ("lAf", 1), ("Unter", 0)] {
        let answer = web.get(&format!("/api/v1/audit?who={who}"), Some(&admin)).await;
        let page: Value = answer.json().await.unwrap();
        assert_eq!(page["changes"].as_array().unwrap().len(), expected, "{who}");
    }
}

#[tokio::test]
async fn a_file_of_the_audit_log_leads_to_the_next_and_each_link_of_its_page_keeps_what_is_asked_for() {
    let web = TestWeb::start().await;
    let admin = web.token_of(Role::Admin, None).await;
    for tenant in ["acme", "acme", "globex", "acme"] {
        web.token(Some(tenant)).await;
    }
    let (mut lines, mut path) = (0, "/api/v1/audit?tenant=acme&what=created&limit=2&format=csv".to_owned());
    loop {
        let file = web.get(&path, Some(&admin)).await;
        let link = file.headers().get("link").map(|link| link.to_str().unwrap().to_owned());
        lines += file.text().await.unwrap().lines().skip(1).count();
        let Some(link) = link else { break };
        path = link.strip_prefix('<').unwrap().strip_suffix(">; rel=\"next\"").unwrap().to_owned();
    }
    assert_eq!(lines, 3);
    let page = web.get("/audit?tenant=acme&what=created&limit=2", Some(&admin)).await.text().await.unwrap();
    for link in [
        "/api/v1/audit?tenant=acme&amp;what=created&amp;limit=1000&amp;format=csv\"",
        "/audit?tenant=acme&amp;what=created&amp;limit=2&amp;cursor=",
        "name=\"tenant\" value=\"acme\"",
    ] {
        assert!(page.contains(link), "{link}: {page}");
    }
}

#[tokio::test]
async fn a_policy_for_all_that_names_somebody_elses_client_is_not_shown() {
    let web = TestWeb::start().await;
    for (tenant, client) in [("acme", "Acme Works"), ("globex", "Globex Bank")] {
        let id = crate::ticket::RefId::parse(client).unwrap();
        let client = crate::ticket::Client { id: id.clone(), name: client.to_owned(), account_manager: None };
        let people = crate::ticket::Directory { clients: [(id, client)].into(), ..Default::default() };
        web.store
            .save_directory(&TenantId::parse(tenant).unwrap(), people, Vec::new(), Default::default(), web.clock.now())
            .await
            .unwrap();
    }
    for (tenant, sees) in [(Some("acme"), false), (Some("globex"), true), (None, true)] {
        let (token, _) = web.token(tenant).await;
        for path in ["/api/v1/policies", "/policies"] {
            let text = web.get(path, Some(&token)).await.text().await.unwrap();
            assert_eq!(text.contains("Globex Bank"), sees, "{tenant:?} {path}");
        }
    }
}

#[tokio::test]
async fn what_somebody_has_already_is_not_sent_again() {
    let web = TestWeb::start().await;
    let (token, _) = web.token(None).await;
    let live = ["/api/v1/tickets", "/api/v1/overview", "/api/v1/alerts"];
    for path in ["/api/v1/policies", "/api/openapi.json", "/assets/app.css"].into_iter().chain(live) {
        let first = web.get(path, Some(&token)).await;
        assert_eq!(first.headers()["cache-control"], "private, no-cache", "{path}");
        let etag = first.headers()["etag"].clone();
        let again = || web.request(Method::GET, path).bearer_auth(token.expose()).header("if-none-match", &etag);
        let any = web.request(Method::GET, path).bearer_auth(token.expose()).header("if-none-match", "*");
        assert_eq!(any.send().await.unwrap().status(), StatusCode::NOT_MODIFIED, "{path}");
        web.clock.advance(TimeDelta::seconds(1));
        let second = again().send().await.unwrap();
        assert_eq!(second.headers().get("x-now") != first.headers().get("x-now"), live.contains(&path), "{path}");
        assert_eq!(
            (second.status(), second.headers()["etag"].clone()),
            (StatusCode::NOT_MODIFIED, etag.clone()),
            "{path}"
        );
        assert!(second.bytes().await.unwrap().is_empty());
        let head = || web.request(Method::HEAD, path).bearer_auth(token.expose());
        assert_eq!(head().send().await.unwrap().headers()["etag"], etag, "{path}");
        let head = head().header("if-none-match", &etag).send().await.unwrap();
        assert_eq!(head.status(), StatusCode::NOT_MODIFIED, "{path}");
        if path == "/api/v1/alerts" {
            let other = web.request(Method::GET, "/api/v1/alerts?state=all").bearer_auth(token.expose());
            let other = other.header("if-none-match", &etag).send().await.unwrap();
            assert_eq!(other.status(), StatusCode::OK, "another question");
        } else if path == "/api/v1/overview" {
            web.something_happens("acme", 61).await;
            web.clock.advance(TimeDelta::seconds(2));
            assert_eq!(again().send().await.unwrap().status(), StatusCode::OK, "something happened");
        } else if path == "/api/v1/tickets" {
            let other = web.request(Method::GET, "/api/v1/tickets?limit=2").bearer_auth(token.expose());
            let other = other.header("if-none-match", &etag).send().await.unwrap();
            assert_eq!(other.status(), StatusCode::OK, "another question");
            web.something_happens("acme", 60).await;
            web.clock.advance(TimeDelta::seconds(2));
            assert_eq!(again().send().await.unwrap().status(), StatusCode::OK, "something happened");
        }
    }
    let (acme, _) = web.token(Some("acme")).await;
    for path in live {
        let [all, own] = [&token, &acme].map(|token| web.get(path, Some(token)));
        assert_ne!(all.await.headers()["etag"], own.await.headers()["etag"], "each sees their own: {path}");
    }
}

#[tokio::test]
async fn answers_carry_an_id_and_are_packed_and_streams_are_not() {
    let web = TestWeb::start().await;
    let (token, _) = web.token(None).await;
    let plain = reqwest::Client::builder().no_gzip().build().unwrap();
    let asked = plain.get(format!("{}/api/openapi.json", web.url)).header("accept-encoding", "gzip");
    let packed = asked.header("x-request-id", "from-the-proxy").send().await.unwrap();
    assert_eq!(packed.headers()["x-request-id"], "from-the-proxy");
    assert_eq!(packed.headers()["content-encoding"], "gzip");
    assert_eq!(web.get("/healthz", None).await.headers()["x-request-id"].len(), 16);
    let stream =
        web.request(Method::GET, "/api/v1/events").bearer_auth(token.expose()).header("accept-encoding", "gzip");
    let stream = stream.send().await.unwrap();
    assert!(!stream.headers().contains_key("content-encoding") && !stream.headers().contains_key("etag"));
}

#[tokio::test]
async fn scripts_of_other_sites_ask_with_a_token_where_they_are_named_and_nowhere_else() {
    let named = "https://intranet.example.com";
    let web = TestWeb::start_with(Options { cors_origins: vec![named.to_owned()], ..Options::default() }).await;
    let preflight = async |origin: &str| {
        let request = web.request(Method::OPTIONS, "/api/v1/silences").header("origin", origin);
        let request = request.header("access-control-request-method", "POST");
        request.send().await.unwrap().headers().get("access-control-allow-origin").cloned()
    };
    assert_eq!(preflight(named).await.unwrap(), named);
    assert_eq!(preflight("https://evil.example").await, None);
    let token = web.token_of(Role::Responder, None).await;
    let post = |origin: &str| web.request(Method::POST, "/api/v1/silences").header("origin", origin).json(&json!({}));
    let with_token = post(named).bearer_auth(token.expose()).send().await.unwrap();
    assert_eq!(with_token.status(), StatusCode::BAD_REQUEST, "it came as far as the order, which says nothing");
    let cookie = web.sign_in(&token).await;
    assert_eq!(post(named).header(COOKIE, &cookie).send().await.unwrap().status(), StatusCode::FORBIDDEN);
    let elsewhere = post("https://evil.example").bearer_auth(token.expose()).send().await.unwrap();
    assert_eq!(elsewhere.status(), StatusCode::FORBIDDEN);
}

/// Returns the next event of a stream: its name, id and data.
async fn next_event(stream: &mut Response) -> Option<(String, Option<String>, Value)> {
    let mut text = String::new();
    while !text.contains("\n\n") {
        text.push_str(std::str::from_utf8(&stream.chunk().await.ok()??).unwrap());
    }
    let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).map(|value| value.trim().to_owned());
    Some((field("event:")?, field("id:"), serde_json::from_str(&field("data:")?).unwrap()))
}

impl TestWeb {
    /// Adds a new ticket of `tenant` and lets the service notice it.
    async fn something_happens(&self, tenant: &str, number: i64) {
        let (tenant, now) = (TenantId::parse(tenant).unwrap(), self.clock.now());
        let read = Bounds { earliest: now, latest: now };
        let tickets = vec![ticket(&tenant, number, now)];
        let batch = Batch { tickets, unread: Vec::new(), read, state: None, policies: [].into() };
        self.store.save_tickets(&tenant, vec![batch], &crate::ticket::StatusWords::default()).await.unwrap();
        self.service.look_for_changes().await.unwrap();
    }
}

#[tokio::test]
async fn who_listens_hears_of_changes_of_their_own_tenant_until_the_token_is_revoked() {
    let web = TestWeb::start().await;
    web.service.look_for_changes().await.unwrap();
    let (token, record) = web.token(Some("acme")).await;
    let mut stream = web.get("/api/v1/events", Some(&token)).await;
    assert!(stream.headers()[CONTENT_TYPE].to_str().unwrap().starts_with("text/event-stream"));
    let (name, _, hello) = next_event(&mut stream).await.unwrap();
    assert_eq!((name.as_str(), hello["tenants"].as_object().unwrap().len()), ("hello", 1));

    web.something_happens("globex", 70).await;
    web.something_happens("acme", 71).await;
    let (name, id, change) = next_event(&mut stream).await.unwrap();
    assert_eq!((name.as_str(), &change["tenant"], &change["changed"]), ("change", &json!("acme"), &json!(["acme-71"])));

    web.something_happens("acme", 72).await;
    let again = web.request(Method::GET, "/api/v1/events").bearer_auth(token.expose());
    let mut again = again.header("last-event-id", id.unwrap()).send().await.unwrap();
    let (name, _, missed) = next_event(&mut again).await.unwrap();
    assert_eq!((name.as_str(), &missed["changed"]), ("change", &json!(["acme-72"])), "what was missed, and no more");

    assert_eq!(next_event(&mut stream).await.unwrap().2["changed"], json!(["acme-72"]));
    web.store.revoke_token(&record.id, author(), web.clock.now()).await.unwrap();
    web.something_happens("acme", 73).await;
    assert_eq!(next_event(&mut stream).await, None, "the token is revoked");
}

#[tokio::test]
async fn a_ticket_that_was_read_again_and_is_as_it_was_is_no_news() {
    let web = TestWeb::start().await;
    let (token, _) = web.token(None).await;
    let (tenant, first) = (TenantId::parse("acme").unwrap(), web.clock.now());
    let read = async |ticket: Ticket| {
        let at = web.clock.now();
        let read = Bounds { earliest: at, latest: at };
        let batch = Batch { tickets: vec![ticket], unread: Vec::new(), read, state: None, policies: [].into() };
        web.store.save_tickets(&tenant, vec![batch], &crate::ticket::StatusWords::default()).await.unwrap();
        web.clock.advance(TimeDelta::seconds(2));
        web.get("/api/v1/tickets", Some(&token)).await.headers()["etag"].clone()
    };
    let before = read(ticket(&tenant, 71, first)).await;
    assert_eq!(read(ticket(&tenant, 71, first)).await, before, "nothing but the time of the reading changed");
    let renamed = Ticket { subject: "Another subject".into(), ..ticket(&tenant, 71, first) };
    assert_ne!(read(renamed).await, before);
}

#[tokio::test]
async fn the_login_page_leads_on_only_if_another_site_has_led_to_it() {
    let web = TestWeb::start().await;
    let page = async |site: &str| {
        let asked = web.request(Method::GET, "/login").header("sec-fetch-site", site);
        asked.send().await.unwrap().text().await.unwrap()
    };
    assert!(page("cross-site").await.contains("data-page=\"login\""), "its cookie may have been kept back");
    for site in ["none", "same-origin"] {
        assert!(page(site).await.contains("data-page=\"none\""), "there is none, and nothing is asked in vain");
    }
}

struct OneCaught;

impl Caught for OneCaught {
    fn newest(&self, limit: usize) -> Value {
        json!([{ "kind": "sms", "text": format!("at most {limit}") }])
    }
}

#[tokio::test]
async fn a_demo_shows_everybody_what_it_caught_and_a_real_service_has_no_such_page() {
    let options = Options { anonymous: Some(Role::Viewer), caught: Some(Arc::new(OneCaught)), ..Options::default() };
    let demo = TestWeb::start_with(options).await;
    let caught: Value = demo.get("/api/v1/demo/messages", None).await.json().await.unwrap();
    assert_eq!(caught[0]["text"], "at most 100");
    assert_eq!(demo.get("/", None).await.status(), StatusCode::OK);
    let left_over =
        demo.request(Method::GET, "/").header(COOKIE, "sla_session=sla_of_another_service").send().await.unwrap();
    assert_eq!(left_over.status(), StatusCode::OK);

    let real = TestWeb::start().await;
    let (token, _) = real.token(None).await;
    problem(real.get("/api/v1/demo/messages", Some(&token)).await, StatusCode::NOT_FOUND).await;
}

#[tokio::test]
async fn a_service_that_is_not_ready_lives_and_says_why() {
    let web = TestWeb::start().await;
    assert_eq!(web.get("/healthz", None).await.status(), StatusCode::OK);
    let ready = async |token| problem(web.get("/readyz", token).await, StatusCode::SERVICE_UNAVAILABLE).await;
    let ((all, _), (acme, _)) = (web.token(None).await, web.token(Some("acme")).await);
    assert!(ready(Some(&all)).await.contains("globex"));
    for who in [None, Some(&acme)] {
        let detail = ready(who).await;
        assert!(detail.contains("2 reasons") && !detail.contains("globex"), "{detail}");
    }
}

#[tokio::test]
async fn a_stop_lets_the_server_end() {
    let web = TestWeb::start().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let service = service(&web.store, &web.clock, 0).await;
    let idle = Web::new(service, web.store.clone(), Arc::default(), Options::default());
    HttpServer::sized_beside(1, Arc::default()).serve(listener, router(idle), std::future::ready(())).await;
}

#[test]
fn the_description_lists_every_route_and_no_other() {
    let document = &*DESCRIPTION;
    for route in routes::all() {
        let operation = &document["paths"][route.path][route.method.as_str().to_lowercase()];
        assert!(operation["summary"].is_string(), "{} {}", route.method, route.path);
    }
    let operations = document["paths"].as_object().unwrap().values().map(|one| one.as_object().unwrap().len());
    assert_eq!(operations.sum::<usize>(), routes::all().len());
}

#[test]
fn every_route_says_what_it_is_for_and_what_it_answers() {
    let document = &*DESCRIPTION;
    for route in routes::all() {
        let operation = &document["paths"][route.path][route.method.as_str().to_lowercase()];
        let what = format!("{} {}", route.method, route.path);
        assert!(!operation["summary"].as_str().unwrap().is_empty(), "{what}");
        let answers = operation["responses"].as_object().unwrap();
        assert!(answers.keys().any(|status| status.starts_with('2') || status == "303"), "{what}: {answers:?}");
        let takes = route.rule.takes == route::Takes::Json;
        assert!(!takes || operation["requestBody"]["content"]["application/json"].is_object(), "{what}");
    }
}

#[test]
fn no_two_types_go_by_one_name() {
    let mut schemas = Vec::new();
    for route in routes::all() {
        route.operation(&mut schemas);
    }
    let mut known = BTreeMap::new();
    for (name, schema) in schemas {
        let schema = serde_json::to_value(schema).unwrap();
        let before = known.entry(name.clone()).or_insert_with(|| schema.clone());
        assert_eq!(*before, schema, "{name}");
    }
}

#[test]
fn every_type_that_the_description_speaks_of_is_described() {
    let document = DESCRIPTION.to_string();
    let parsed: Value = serde_json::from_str(&document).unwrap();
    for reference in document.split("\"$ref\":\"#").skip(1) {
        let pointer = reference.split('"').next().unwrap();
        assert!(parsed.pointer(pointer).is_some(), "{pointer}");
    }
}

#[test]
fn every_script_that_a_page_asks_for_is_served() {
    for (name, text) in pages::ASSETS.iter().filter(|(name, _)| name.ends_with(".js")) {
        for import in text.lines().filter_map(|line| line.split(" from './").nth(1)) {
            let wanted = import.trim_end_matches("';");
            assert!(pages::ASSETS.iter().any(|(known, _)| *known == wanted), "{name} wants {wanted}");
        }
    }
}
