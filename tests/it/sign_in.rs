//! People sign in by an identity provider, and nobody gets in who should not: each attack is a test of its own.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use reqwest::header::{LOCATION, SET_COOKIE};
use reqwest::redirect::Policy;
use reqwest::{Client, Method, Response, StatusCode};
use serde_json::{Value, json};
use superops_sla::store::tokens::Role;
use superops_sla::web::{self, HttpServer};
use tokio::net::TcpListener;

use crate::identity_provider::{CLIENT, IdentityProvider, Key, SECRET, Signs};
use crate::life::{call, served};
use crate::support::{PUBLIC_URL, TestApp, any_port, minutes};

const DESK: &str = "groups = [\"desk\"]\nrole = \"responder\"\ntenant = \"acme\"\n";
const MIA: &str = "emails = [\"mia@example.com\"]\nrole = \"responder\"\n";

/// A service that signs people in by a provider, and both of them.
struct Stage {
    app: TestApp,
    provider: IdentityProvider,
    url: String,
    folder: tempfile::TempDir,
}

/// One browser: the cookies that it keeps of us.
#[derive(Clone, Default)]
struct Browser(BTreeMap<String, String>);

impl Stage {
    /// With these rules of access.
    async fn with(rules: &[&str]) -> Self {
        let (provider, folder) = (IdentityProvider::start().await, tempfile::tempdir().unwrap());
        std::fs::write(folder.path().join("secret"), SECRET).unwrap();
        let mut app = TestApp::with(&config(&provider, &folder, rules)).await;
        provider.tells_time_by(app.clock.clone());
        let url = app.serve().await;
        Self { app, provider, url, folder }
    }

    async fn start() -> Self {
        Self::with(&[MIA]).await
    }

    /// Starts the service again, with these rules.
    async fn restart_with(&mut self, rules: &[&str]) {
        let more = config(&self.provider, &self.folder, rules);
        self.app.restart_with(&more).await;
        self.url = self.app.serve().await;
    }

    async fn get(&self, browser: &mut Browser, path: &str) -> Response {
        browser.ask(Method::GET, &format!("{}{path}", self.url)).await
    }

    /// Leaves for the provider, which lets the person in; gives the way back.
    async fn way_back(&self, browser: &mut Browser, begin: &str) -> String {
        let there = location(&self.get(browser, begin).await);
        assert!(there.starts_with(&self.provider.issuer), "{there}");
        let back = location(&client().get(there).send().await.unwrap());
        back.strip_prefix(PUBLIC_URL).expect("the way back leads to us").to_owned()
    }

    async fn sign_in(&self, browser: &mut Browser) -> Response {
        let back = self.way_back(browser, "/login/oidc").await;
        self.get(browser, &back).await
    }

    /// Signs in, which is refused; gives what the page says.
    async fn refused(&self, status: StatusCode) -> String {
        let mut browser = Browser::default();
        let answer = self.sign_in(&mut browser).await;
        assert_eq!(answer.status(), status);
        let page = answer.text().await.unwrap();
        assert!(!browser.is_signed_in() && page.contains("or with a token"), "{page}");
        page
    }

    /// Signs in, which succeeds.
    async fn let_in(&self) -> Browser {
        let mut browser = Browser::default();
        let answer = self.sign_in(&mut browser).await;
        let (status, page) = (answer.status(), answer.text().await.unwrap());
        assert!(status == StatusCode::OK && browser.is_signed_in(), "{status} {page}");
        browser
    }

    async fn may_read(&self, browser: &mut Browser) -> bool {
        self.get(browser, "/api/v1/overview").await.status() == StatusCode::OK
    }

    /// What the audit log says, by whom.
    async fn audited(&self) -> Vec<String> {
        self.app.database.texts("SELECT who || ': ' || what FROM audit ORDER BY id").await
    }
}

impl Browser {
    async fn ask(&mut self, method: Method, url: &str) -> Response {
        let cookies: Vec<_> = self.0.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request =
            client().request(method, url).header("cookie", cookies.join("; ")).header("sec-fetch-site", "same-origin");
        let answer = request.send().await.unwrap();
        for cookie in answer.headers().get_all(SET_COOKIE) {
            let (name, value) = cookie.to_str().unwrap().split(';').next().unwrap().split_once('=').unwrap();
            self.0.insert(name.to_owned(), value.to_owned());
        }
        self.0.retain(|_, value| !value.is_empty());
        answer
    }

    fn is_signed_in(&self) -> bool {
        self.0.contains_key("__Host-sla_session")
    }
}

fn client() -> Client {
    Client::builder().redirect(Policy::none()).build().unwrap()
}

fn location(answer: &Response) -> String {
    answer.headers().get(LOCATION).expect("it leads on").to_str().unwrap().to_owned()
}

fn config(provider: &IdentityProvider, folder: &tempfile::TempDir, rules: &[&str]) -> String {
    let rules: String = rules.iter().map(|rule| format!("[[sign_in.oidc.access]]\n{rule}")).collect();
    format!(
        "[tenants.globex]\nsubdomain = \"globex\"\nregion = \"eu\"\ntoken_env = \"TWILIO\"\n\
         [sign_in.oidc]\nname = \"Example ID\"\nissuer = \"{}\"\nclient_id = \"{CLIENT}\"\n\
         client_secret_file = \"{}\"\nsession_length = \"8h\"\n{rules}",
        provider.issuer,
        folder.path().join("secret").display(),
    )
}

#[tokio::test]
async fn a_person_signs_in_and_comes_back_to_the_page_that_was_wanted_with_the_role_of_the_rules() {
    for key in [Key::rsa("first", 0), Key::p256("curve")] {
        let stage = Stage::start().await;
        stage.provider.now().published = vec![key];
        let mut browser = Browser::default();
        let login = stage.get(&mut browser, "/login?next=/alerts").await.text().await.unwrap();
        assert!(login.contains("Sign in with Example ID") && login.contains("/login/oidc?next=%2Falerts"), "{login}");
        let back = stage.way_back(&mut browser, "/login/oidc?next=%2Falerts").await;
        let page = stage.get(&mut browser, &back).await.text().await.unwrap();
        assert!(page.contains("0;url=/alerts"), "{page}");

        assert!(stage.may_read(&mut browser).await);
        assert_eq!(stage.get(&mut browser, "/api/v1/audit").await.status(), StatusCode::FORBIDDEN, "a responder");
        let sessions: Value = stage.get(&mut browser, "/api/v1/sessions").await.json().await.unwrap();
        assert_eq!(sessions["sessions"][0]["person"], "Mia Meyer");
        let audited = stage.audited().await;
        let who = audited.last().unwrap();
        assert!(who.starts_with("Mia Meyer (mia@example.com, person-") && who.contains("signed in"), "{who}");
    }
}

#[tokio::test]
async fn a_group_opens_one_tenant_and_no_other() {
    let stage = Stage::with(&[DESK]).await;
    stage.provider.claims("groups", json!(["desk", "canteen"]));
    let mut browser = stage.let_in().await;
    assert_eq!(stage.get(&mut browser, "/api/v1/tickets?tenant=acme").await.status(), StatusCode::OK);
    assert_eq!(stage.get(&mut browser, "/api/v1/tickets?tenant=globex").await.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn whom_no_rule_names_is_told_so_and_not_let_in() {
    let stage = Stage::with(&[DESK]).await;
    let page = stage.refused(StatusCode::FORBIDDEN).await;
    assert!(page.contains("neither your address nor any of your groups"), "{page}");
    stage.provider.claims("_claim_names", json!({"groups": "src1"}));
    let page = stage.refused(StatusCode::FORBIDDEN).await;
    assert!(page.contains("you are in too many of them"), "{page}");
}

#[tokio::test]
async fn an_address_that_nobody_has_verified_opens_nothing() {
    let stage = Stage::start().await;
    for verified in [json!(false), json!("false"), Value::Null] {
        stage.provider.claims("email_verified", verified);
        stage.refused(StatusCode::FORBIDDEN).await;
    }
}

#[tokio::test]
async fn a_role_is_what_the_rules_say_now_and_not_what_they_said_when_the_session_began() {
    let mut stage = Stage::with(&[MIA]).await;
    let mut browser = stage.let_in().await;
    stage.restart_with(&["emails = [\"mia@example.com\"]\nrole = \"admin\"\n"]).await;
    assert_eq!(stage.get(&mut browser, "/api/v1/audit").await.status(), StatusCode::OK, "an admin now");
    stage.restart_with(&["emails = [\"tom@example.com\"]\nrole = \"admin\"\n"]).await;
    assert!(!stage.may_read(&mut browser).await, "nobody any more");
}

#[tokio::test]
async fn a_session_ends_when_the_provider_is_to_be_asked_again_however_much_it_is_used() {
    let stage = Stage::start().await;
    let mut browser = stage.let_in().await;
    for _ in 0..15 {
        stage.app.clock.advance(minutes(30));
        assert!(stage.may_read(&mut browser).await);
    }
    stage.app.clock.advance(minutes(30));
    assert!(!stage.may_read(&mut browser).await);
}

#[tokio::test]
async fn keys_that_the_provider_changes_are_read_once_more_and_not_for_every_made_up_key() {
    let stage = Stage::start().await;
    stage.let_in().await;
    assert_eq!(stage.provider.now().times_keys_were_read, 1);
    stage.app.clock.advance(minutes(2));
    stage.provider.now().published = vec![Key::rsa("second", 1), Key::p256("third")];
    stage.let_in().await;
    assert_eq!(stage.provider.now().times_keys_were_read, 2);
    stage.provider.now().signing = 1;
    stage.let_in().await;
    assert_eq!(stage.provider.now().times_keys_were_read, 2, "it was published beside");

    stage.provider.now().published = vec![Key::rsa("fourth", 0)];
    stage.provider.now().signing = 0;
    for _ in 0..3 {
        stage.refused(StatusCode::BAD_GATEWAY).await;
    }
    assert_eq!(stage.provider.now().times_keys_were_read, 2, "asked a moment ago");
    stage.app.clock.advance(minutes(2));
    stage.let_in().await;
}

#[tokio::test]
async fn a_key_that_the_provider_replaces_under_its_name_is_read_once_more() {
    let stage = Stage::start().await;
    stage.let_in().await;
    stage.app.clock.advance(minutes(2));
    stage.provider.now().published = vec![Key::rsa("first", 1)];
    stage.let_in().await;
    assert_eq!(stage.provider.now().times_keys_were_read, 2);
}

/// Signs in with tokens that say `value` for `claim`; gives what the page says.
async fn with_claim(stage: &Stage, claim: &str, value: Value) -> String {
    let before = stage.provider.now().claims.clone();
    stage.provider.claims(claim, value);
    let page = stage.refused(StatusCode::BAD_GATEWAY).await;
    stage.provider.now().claims = before;
    page
}

#[tokio::test]
async fn an_expired_token_is_refused_and_a_clock_a_little_off_is_not() {
    let stage = Stage::start().await;
    let now = stage.app.now().timestamp();
    let page = with_claim(&stage, "exp", json!(now - 61)).await;
    assert!(page.contains("it has expired"), "{page}");
    assert!(with_claim(&stage, "exp", Value::Null).await.contains("it has expired"));
    stage.provider.claims("exp", json!(now - 59));
    stage.let_in().await;
}

#[tokio::test]
async fn a_token_of_the_future_is_refused_and_a_clock_a_little_off_is_not() {
    let stage = Stage::start().await;
    let now = stage.app.now().timestamp();
    for claim in ["iat", "nbf"] {
        assert!(with_claim(&stage, claim, json!(now + 61)).await.contains("not valid yet"));
    }
    stage.provider.claims("iat", json!(now + 59));
    stage.let_in().await;
}

#[tokio::test]
async fn a_token_for_another_service_is_refused() {
    let stage = Stage::start().await;
    for audience in [json!("another"), json!(["another"]), json!([]), Value::Null, json!([CLIENT, "another"])] {
        let page = with_claim(&stage, "aud", audience).await;
        assert!(page.contains("meant for another service"), "{page}");
    }
    with_claim(&stage, "azp", json!("another")).await;
    stage.provider.claims("aud", json!([CLIENT, "another"]));
    stage.provider.claims("azp", json!(CLIENT));
    stage.let_in().await;
}

#[tokio::test]
async fn a_token_of_another_issuer_is_refused() {
    let stage = Stage::start().await;
    for issuer in [json!("https://evil.example"), json!(format!("{}/", stage.provider.issuer)), Value::Null] {
        assert!(with_claim(&stage, "iss", issuer).await.contains("another issuer"));
    }
}

#[tokio::test]
async fn a_token_that_answers_another_sign_in_is_refused() {
    let stage = Stage::start().await;
    for nonce in [json!("of another sign-in"), Value::Null] {
        assert!(with_claim(&stage, "nonce", nonce).await.contains("answers another sign-in"));
    }
}

#[tokio::test]
async fn a_token_about_nobody_is_refused() {
    let stage = Stage::start().await;
    for subject in [json!(""), Value::Null, json!("x".repeat(256))] {
        assert!(with_claim(&stage, "sub", subject).await.contains("whom it is about"));
    }
}

#[tokio::test]
async fn a_token_without_a_signature_is_refused() {
    let stage = Stage::start().await;
    stage.provider.now().signs = Signs::WithNothing;
    assert!(stage.refused(StatusCode::BAD_GATEWAY).await.contains("signed in a way that is not accepted"));
}

#[tokio::test]
async fn a_token_signed_by_hmac_with_the_public_key_is_refused() {
    let stage = Stage::start().await;
    stage.provider.now().signs = Signs::WithThePublicKey;
    assert!(stage.refused(StatusCode::BAD_GATEWAY).await.contains("signed in a way that is not accepted"));
}

#[tokio::test]
async fn a_token_signed_with_a_key_that_is_not_the_providers_is_refused() {
    let stage = Stage::start().await;
    stage.provider.now().hidden = Some(Key::rsa("first", 1));
    stage.provider.now().signs = Signs::WithAnotherKey;
    assert!(stage.refused(StatusCode::BAD_GATEWAY).await.contains("its signature is wrong"));
}

#[tokio::test]
async fn a_way_back_works_once() {
    let stage = Stage::start().await;
    let mut browser = Browser::default();
    let back = stage.way_back(&mut browser, "/login/oidc").await;
    let mut copy = browser.clone();
    assert_eq!(stage.get(&mut browser, &back).await.status(), StatusCode::OK);
    assert_eq!(stage.get(&mut copy, &back).await.status(), StatusCode::BAD_REQUEST);
    assert!(!copy.is_signed_in());
}

#[tokio::test]
async fn a_way_back_works_for_ten_minutes() {
    let stage = Stage::start().await;
    let mut browser = Browser::default();
    let back = stage.way_back(&mut browser, "/login/oidc").await;
    stage.app.clock.advance(minutes(10));
    assert_eq!(stage.get(&mut browser, &back).await.status(), StatusCode::BAD_REQUEST);
    assert!(!browser.is_signed_in());
}

/// Else somebody could sign a victim's browser in as themselves, or end a sign-in that they overheard.
#[tokio::test]
async fn a_way_back_works_in_the_browser_alone_that_began_it() {
    let stage = Stage::start().await;
    let (mut one, mut other) = (Browser::default(), Browser::default());
    let back = stage.way_back(&mut one, "/login/oidc").await;
    assert_eq!(stage.get(&mut other, &back).await.status(), StatusCode::BAD_REQUEST, "without a cookie");
    stage.way_back(&mut other, "/login/oidc").await;
    assert_eq!(stage.get(&mut other, &back).await.status(), StatusCode::BAD_REQUEST, "with the cookie of its own");
    assert!(!other.is_signed_in());
    assert_eq!(stage.get(&mut one, &back).await.status(), StatusCode::OK, "and nothing of it is spoilt");
}

/// Another host of the domain could have set it.
#[tokio::test]
async fn a_way_back_does_not_work_with_a_cookie_under_the_plain_name() {
    let stage = Stage::start().await;
    let mut browser = Browser::default();
    let back = stage.way_back(&mut browser, "/login/oidc").await;
    let secret = browser.0.remove("__Host-sla_sign_in").unwrap();
    browser.0.insert("sla_sign_in".to_owned(), secret);
    assert_eq!(stage.get(&mut browser, &back).await.status(), StatusCode::BAD_REQUEST);
    assert!(!browser.is_signed_in());
}

#[tokio::test]
async fn an_answer_of_another_provider_is_refused() {
    let stage = Stage::start().await;
    stage.provider.now().names_itself = Some("https://evil.example".to_owned());
    assert!(stage.refused(StatusCode::BAD_GATEWAY).await.contains("another identity provider"));
    stage.provider.now().names_itself = None;
    let mut browser = Browser::default();
    let back = stage.way_back(&mut browser, "/login/oidc").await;
    let (nameless, _) = back.split_once("&iss=").unwrap();
    assert_eq!(stage.get(&mut browser, nameless).await.status(), StatusCode::BAD_GATEWAY, "one that always says who");
}

#[tokio::test]
async fn a_made_up_code_is_worth_nothing() {
    let stage = Stage::start().await;
    let mut browser = Browser::default();
    let back = stage.way_back(&mut browser, "/login/oidc").await.replace("code-1", "code-7");
    let answer = stage.get(&mut browser, &back).await;
    assert_eq!(answer.status(), StatusCode::BAD_GATEWAY);
    assert!(answer.text().await.unwrap().contains("did not take the code (`invalid_grant`)"));
    assert!(!browser.is_signed_in());
}

#[tokio::test]
async fn who_gives_up_at_the_provider_may_begin_again_and_its_words_are_not_repeated() {
    let stage = Stage::start().await;
    for (error, told) in [("access_denied", "`access_denied`"), ("<b>call+0900</b>", "an error without a proper name")]
    {
        let mut browser = Browser::default();
        let back =
            stage.way_back(&mut browser, "/login/oidc").await.replace("code=code-", &format!("error={error}&was="));
        let answer = stage.get(&mut browser, &back).await;
        assert_eq!(answer.status(), StatusCode::FORBIDDEN);
        assert!(answer.text().await.unwrap().contains(told));
    }
}

#[tokio::test]
async fn nobody_is_led_from_the_sign_in_to_a_page_of_somebody_else() {
    let stage = Stage::start().await;
    for elsewhere in ["https%3A%2F%2Fevil.example", "%2F%2Fevil.example", "%2F%5Cevil.example"] {
        let mut browser = Browser::default();
        let back = stage.way_back(&mut browser, &format!("/login/oidc?next={elsewhere}")).await;
        let page = stage.get(&mut browser, &back).await.text().await.unwrap();
        assert!(page.contains("0;url=/\"") && !page.contains("evil"), "{page}");
    }
}

#[tokio::test]
async fn a_provider_that_calls_itself_otherwise_is_not_used() {
    let stage = Stage::start().await;
    stage.provider.now().says_of_itself.insert("issuer".to_owned(), json!("https://evil.example"));
    let answer = stage.get(&mut Browser::default(), "/login/oidc").await;
    assert_eq!(answer.status(), StatusCode::BAD_GATEWAY);
    assert!(answer.text().await.unwrap().contains("calls itself `https://evil.example`"));
}

#[tokio::test]
async fn a_provider_that_would_have_the_secret_sent_in_the_clear_is_not_used() {
    let stage = Stage::start().await;
    stage.provider.now().says_of_itself.insert("token_endpoint".to_owned(), json!("http://id.example/token"));
    let answer = stage.get(&mut Browser::default(), "/login/oidc").await;
    assert!(answer.text().await.unwrap().contains("does not start with https://"));
}

#[tokio::test]
async fn while_the_provider_is_down_a_page_says_so_and_tokens_still_sign_in() {
    let mut stage = Stage::start().await;
    stage.provider.now().is_down = true;
    let answer = stage.get(&mut Browser::default(), "/login/oidc").await;
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    let page = answer.text().await.unwrap();
    assert!(page.contains("Example ID cannot be asked now") && page.contains("Access token"), "{page}");
    let (url, tokens) = served(&mut stage.app, &[(Role::Viewer, None)]).await;
    let cookie = crate::life::sign_in(&url, &tokens[0]).await;
    let asked = client().get(format!("{url}/api/v1/overview")).header("cookie", cookie);
    assert_eq!(asked.send().await.unwrap().status(), StatusCode::OK);

    stage.provider.now().is_down = false;
    stage.app.clock.advance(TimeDelta::seconds(6));
    stage.let_in().await;
    stage.provider.now().is_down = true;
    stage.app.clock.advance(minutes(90));
    let back = stage.get(&mut Browser::default(), "/login/oidc").await;
    assert_eq!(back.status(), StatusCode::SEE_OTHER, "what was learnt before still leads there");
}

#[tokio::test]
async fn wrong_tokens_from_an_address_hold_up_nobody_who_signs_in_from_there() {
    let stage = Stage::start().await;
    let mut last = StatusCode::OK;
    for _ in 0..12 {
        last = call(Method::GET, &format!("{}/api/v1/overview", stage.url), "sla_revoked", json!({})).await.0;
    }
    assert_eq!(last, StatusCode::TOO_MANY_REQUESTS);
    stage.let_in().await;
}

#[tokio::test]
async fn a_provider_that_takes_the_secret_in_the_body_alone_gets_it_there() {
    let stage = Stage::start().await;
    stage.provider.now().wants_secret_in_body = true;
    stage.let_in().await;
}

#[tokio::test]
async fn a_sign_in_that_began_at_one_replica_ends_at_another() {
    let mut stage = Stage::start().await;
    let parts = stage.app.parts();
    let own = superops_sla::sign_in::SignIn::new(parts.config.sign_in.clone().unwrap(), PUBLIC_URL).unwrap();
    let options = web::Options { sign_in: Some(std::sync::Arc::new(own)), ..parts.web_options() };
    let router = web::router(parts.web(options));
    let listener = TcpListener::bind(any_port()).await.unwrap();
    let other = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(HttpServer::sized_beside(1, std::sync::Arc::default()).serve(
        listener,
        router,
        std::future::pending(),
    ));
    let mut browser = Browser::default();
    let back = stage.way_back(&mut browser, "/login/oidc").await;
    assert_eq!(browser.ask(Method::GET, &format!("{other}{back}")).await.status(), StatusCode::OK);
    assert!(stage.may_read(&mut browser).await, "and the session is good at the first");
}

#[tokio::test]
async fn who_signs_out_is_out_here_and_led_to_where_the_provider_ends_its_own_session() {
    let stage = Stage::start().await;
    let mut browser = stage.let_in().await;
    let mut copy = browser.clone();
    let answer = browser.ask(Method::POST, &format!("{}/logout", stage.url)).await;
    let page = answer.text().await.unwrap();
    assert!(page.contains(&format!("0;url={}/leave?client_id=sla+watch", stage.provider.issuer)), "{page}");
    assert!(page.contains("post_logout_redirect_uri=https%3A%2F%2Fsla.example.com%2Flogin"), "{page}");
    assert!(!browser.is_signed_in() && !stage.may_read(&mut copy).await);
}

#[tokio::test]
async fn a_cookie_of_a_sign_in_is_kept_from_scripts_and_from_other_hosts() {
    let stage = Stage::start().await;
    let answer = stage.get(&mut Browser::default(), "/login/oidc").await;
    let cookie = answer.headers()[SET_COOKIE].to_str().unwrap();
    assert!(
        cookie.starts_with("__Host-sla_sign_in=") && cookie.ends_with("; HttpOnly; SameSite=Lax; Secure"),
        "{cookie}"
    );
    let there = location(&answer);
    let secret = cookie.split(['=', ';']).nth(1).unwrap();
    assert!(!there.contains(secret) && !there.contains("code_verifier"), "{there}");
}

#[tokio::test]
async fn without_a_provider_there_is_no_way_in_by_one() {
    let mut app = TestApp::start().await;
    let (url, tokens) = served(&mut app, &[(Role::Viewer, None)]).await;
    for path in ["/login/oidc", "/login/oidc/callback?code=1&state=2"] {
        let (status, _) = call(Method::GET, &format!("{url}{path}"), &tokens[0], json!({})).await;
        assert_eq!(status, StatusCode::NOT_FOUND);
    }
    let login = client().get(format!("{url}/login")).send().await.unwrap().text().await.unwrap();
    assert!(!login.contains("/login/oidc"));
}
