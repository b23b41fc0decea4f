//! What single people ask for, by the page and by the API: it holds from the next decision on, the configuration file
//! goes first, and no escalation waits for it.

use std::sync::Arc;

use reqwest::{Client, Method, Response, StatusCode};
use serde_json::{Value, json};
use superops_sla::alert::Stage;
use superops_sla::alert::noise::{Personal, PersonalRule};
use superops_sla::store::tokens::Role;
use superops_sla::ticket::{Directory, TenantId};

use crate::life::{call, served, sign_in};
use crate::support::{TestApp, minutes};

const QUIET: &str = "[alerts]\nwarn_at = []\npredict_per_day = 0\n\
    [[alerts.steps]]\nafter = '0s'\nnotify = ['technician']\nchannels = ['email']\n\
    [[alerts.steps]]\nafter = '15m'\nnotify = ['manager']\nchannels = ['email']\n";
const MATEO: &str = "mateo.alvarez@example.com";
const DANA: &str = "dana.whitfield@example.com";
const VIEWER: usize = 0;
const ACME: usize = 1;
const GLOBEX: usize = 2;
const ALL: usize = 3;

struct Asked {
    app: TestApp,
    url: String,
    tokens: Vec<String>,
}

impl Asked {
    async fn of(mut app: TestApp) -> Self {
        let roles = [
            (Role::Viewer, None),
            (Role::Responder, Some("acme")),
            (Role::Responder, Some("globex")),
            (Role::Responder, None),
        ];
        let (url, tokens) = served(&mut app, &roles).await;
        Self { app, url, tokens }
    }

    async fn call(&self, who: usize, method: Method, path: &str, body: Value) -> (StatusCode, Value) {
        call(method, &format!("{}/api/v1/people{path}", self.url), &self.tokens[who], body).await
    }

    async fn person(&self, who: usize, address: &str) -> Value {
        self.call(who, Method::GET, &format!("?text={address}"), json!({})).await.1["people"][0].clone()
    }

    async fn browse(&self, who: usize, path: &str, form: Option<&[(&str, &str)]>) -> Response {
        let client = Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let url = format!("{}/people{path}", self.url);
        let request = form.map_or_else(|| client.get(&url), |form| client.post(&url).form(form));
        let request = request.header("sec-fetch-site", "same-origin");
        request.header("cookie", sign_in(&self.url, &self.tokens[who]).await).send().await.unwrap()
    }

    async fn audited(&self) -> Vec<String> {
        let rows = "SELECT COALESCE(tenant, 'all') || ': ' || what FROM audit WHERE what LIKE 'personal%' ORDER BY id";
        self.app.database.texts(rows).await
    }
}

#[tokio::test]
async fn an_evening_kept_free_by_the_page_is_kept_and_a_breach_in_it_goes_on_to_the_next_step_at_once() {
    let mut app = TestApp::paced_office(QUIET).await;
    // Half past eight in the evening in London.
    let ticket = superops_sla::simulator::NewTicket {
        priority: Some("Critical".to_owned()),
        resolution_due_in: Some(minutes(11 * 60 + 30)),
        ..crate::support::usual()
    };
    app.superops.add(ticket);
    app.turn().await;
    let mut asked = Asked::of(app).await;
    let id = asked.person(ACME, "mateo").await["id"].as_str().unwrap().to_owned();
    let form =
        [("timezone", "Europe/Moscow"), ("rule0.tell", "nothing"), ("rule0.from", "18:00"), ("rule0.until", "07:00")];
    assert_eq!(asked.browse(ACME, &format!("/{id}"), Some(&form)).await.status(), StatusCode::SEE_OTHER);
    let page = asked.browse(VIEWER, "", None).await.text().await.unwrap();
    assert!(page.contains("not told, 18:00 to 07:00 (Europe/Moscow); times in Europe/Moscow"), "{page}");
    assert!(!page.contains(">Change<"), "a viewer only looks");

    asked.app.wait(minutes(11 * 60 + 30) + chrono::TimeDelta::milliseconds(1)).await;
    let said = asked.app.said();
    assert!(said.contains(DANA) && !said.contains(MATEO), "{said}");
    // It is seven in Moscow.
    asked.app.wait(minutes(7 * 60 + 30)).await;
    asked.app.wait(minutes(1)).await;
    let heard = asked.app.heard();
    assert_eq!(heard.iter().filter(|one| one.to == MATEO).count(), 1);
    assert!(heard[0].text.contains("Moscow"), "times are in the reader's zone: {}", heard[0].text);
}

/// Somebody who wants to hear of nothing at `stage`, at no hour: of breaches that is refused wherever it is said.
fn deaf_to(stage: Stage) -> Arc<Personal> {
    let never = PersonalRule { stages: vec![stage], hours: None, channels: Vec::new() };
    Arc::new(Personal { zone: None, channels: Vec::new(), digest: None, rules: vec![never] })
}

#[tokio::test]
async fn a_breach_that_its_step_may_tell_nobody_is_told_by_the_next_and_is_tried_again_where_none_is_left() {
    let mut app = TestApp::with(QUIET).await;
    let deaf = |names: &'static [&'static str]| {
        move |config: &mut superops_sla::config::Config| {
            config.alerts.noise.people.extend(names.iter().map(|name| ((*name).to_owned(), deaf_to(Stage::Breached))));
        }
    };
    app.resume_with_changed(deaf(&[MATEO])).await;
    app.ticket(minutes(5));
    app.turn().await;
    app.wait(minutes(5) + chrono::TimeDelta::seconds(1)).await;
    let said = app.said();
    assert!(said.contains(DANA) && !said.contains(MATEO), "{said}");

    app.resume_with_changed(deaf(&[MATEO, DANA])).await;
    app.ticket(minutes(5));
    app.turn().await;
    app.wait(minutes(5) + chrono::TimeDelta::seconds(1)).await;
    assert_eq!(app.said(), "");
    app.resume_with_changed(|_| ()).await;
    app.wait(minutes(6)).await;
    assert!(app.said().contains(MATEO), "told as soon as somebody may be");
}

#[tokio::test]
async fn a_wish_is_set_and_taken_back_by_those_who_may_and_each_change_is_written_down() {
    let mut app = TestApp::with(&format!(
        "{QUIET}[tenants.globex]\nsubdomain = \"globex\"\nregion = \"eu\"\ntoken_env = \"TWILIO\"\n"
    ))
    .await;
    app.parts().syncs.pop();
    app.turn().await;
    let asked = Asked::of(app).await;
    let before = asked.person(VIEWER, "mateo").await;
    assert_eq!((&before["set_in"], &before["words"]), (&json!("none"), &json!("as the steps say")));
    let rules = format!("/{}/rules", before["id"].as_str().unwrap());
    let wish = json!({"channels": ["sms"]});
    assert_eq!(asked.call(VIEWER, Method::POST, &rules, wish.clone()).await.0, StatusCode::FORBIDDEN);
    assert_eq!(asked.call(GLOBEX, Method::POST, &rules, wish.clone()).await.0, StatusCode::NOT_FOUND);
    assert_eq!(asked.person(GLOBEX, "mateo").await, Value::Null);

    let narrowed = asked.call(ALL, Method::GET, "?text=mateo&tenant=acme", json!({})).await.1["people"][0].clone();
    assert_eq!(narrowed["fixed"], json!(null), "who asks about one tenant still sees all");
    let (status, set) = asked.call(ALL, Method::POST, &rules, wish.clone()).await;
    assert_eq!((status, &set["words"]), (StatusCode::OK, &json!("told by SMS")), "{set}");
    assert_eq!((&set["rules"]["channels"], &set["set_in"]), (&json!(["sms"]), &json!("page")));
    let (status, problem) = asked.call(ACME, Method::POST, &rules, json!({"digest_at": "08:30"})).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(problem["detail"].as_str().unwrap().contains("`timezone` is needed"), "{problem}");
    let (status, problem) = asked.call(ACME, Method::POST, &rules, json!({"channels": ["voice"]})).await;
    assert_eq!((status, &problem["field"]), (StatusCode::BAD_REQUEST, &json!("channels")), "{problem}");

    assert_eq!(asked.call(ACME, Method::DELETE, &rules, json!({})).await.0, StatusCode::NO_CONTENT);
    assert_eq!(asked.call(ACME, Method::DELETE, &rules, json!({})).await.0, StatusCode::NOT_FOUND, "it is gone");
    let expected = [
        format!("acme: personal rules of {MATEO}: told by SMS; before: as the steps say"),
        format!("acme: personal rules of {MATEO}: as the steps say; before: told by SMS"),
    ];
    assert_eq!(asked.audited().await, expected);
}

#[tokio::test]
async fn who_sees_one_tenant_is_shown_the_name_that_somebody_has_there_and_not_the_one_that_another_tenant_has() {
    let mut app = TestApp::with(&format!(
        "{QUIET}[tenants.globex]\nsubdomain = \"globex\"\nregion = \"eu\"\ntoken_env = \"TWILIO\"\n"
    ))
    .await;
    app.parts().syncs.pop();
    app.turn().await;
    let [acme, globex] = ["acme", "globex"].map(|name| TenantId::parse(name).unwrap());
    let (store, now) = (app.parts().store.clone(), app.now());
    let mut theirs = Directory::clone(&store.directory(&acme).await.unwrap());
    theirs.technicians.retain(|_, technician| technician.email.as_deref() == Some(MATEO));
    theirs.technicians.values_mut().for_each(|technician| technician.name = "Mateo at Globex".to_owned());
    store.save_directory(&globex, theirs, Vec::new(), Default::default(), now).await.unwrap();
    let asked = Asked::of(app).await;
    let seen = async |who| asked.person(who, "mateo").await["name"].clone();
    assert_eq!((seen(ACME).await, seen(GLOBEX).await), (json!("Mateo Alvarez"), json!("Mateo at Globex")));
}

#[tokio::test]
async fn the_file_goes_before_what_was_set_and_the_page_shows_both() {
    let mut app = TestApp::with(QUIET).await;
    app.turn().await;
    let asked = Asked::of(app).await;
    let rules = format!("/{}/rules", asked.person(ACME, "mateo").await["id"].as_str().unwrap());
    assert_eq!(asked.call(ACME, Method::POST, &rules, json!({"channels": ["sms"]})).await.0, StatusCode::OK);
    let mut app = asked.app;
    app.restart_with(&format!("{QUIET}[people.\"{MATEO}\"]\nchannels = ['email']\n")).await;
    app.turn().await;
    let asked = Asked::of(app).await;
    let shown = asked.person(ACME, "mateo").await;
    assert_eq!((&shown["set_in"], &shown["words"]), (&json!("file"), &json!("told by email")));
    assert_eq!(shown["unheeded"]["channels"], json!(["sms"]));
    let (status, problem) = asked.call(ACME, Method::POST, &rules, json!({"channels": ["sms"]})).await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert!(problem["detail"].as_str().unwrap().contains("configuration file"), "{problem}");
    let page = asked.browse(ACME, "", None).await.text().await.unwrap();
    assert!(page.contains("the configuration file") && page.contains("is ignored"), "{page}");
}

#[tokio::test]
async fn a_form_that_is_refused_comes_back_as_it_was_filled_in() {
    let mut app = TestApp::with(QUIET).await;
    app.turn().await;
    let asked = Asked::of(app).await;
    let id = asked.person(ACME, "mateo").await["id"].as_str().unwrap().to_owned();
    let form =
        [("timezone", "Europe/Londn"), ("rule0.tell", "by"), ("rule0.channels", "email"), ("rule0.stages", "warning")];
    let refused = asked.browse(ACME, &format!("/{id}"), Some(&form)).await;
    assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
    let page = refused.text().await.unwrap();
    assert!(page.contains("value=\"Europe/Londn\"") && page.contains("class=\"complaint\""), "{page}");
    assert!(page.contains("name=\"rule0.stages\" value=\"warning\" checked"), "{page}");
    let none = [("rule0.tell", "by"), ("rule0.stages", "warning")];
    let page = asked.browse(ACME, &format!("/{id}"), Some(&none)).await.text().await.unwrap();
    assert!(page.contains("rule 1 names no channel"), "{page}");
}
