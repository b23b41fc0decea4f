//! The pages in a real browser: Chromium, driven by WebDriver.
//!
//! Without `chromedriver` on the path these pass over, unless `CI` is set: then it must be there. Where
//! `SUPEROPS_SLA_AXE` names axe-core's script, each page is searched for what keeps people out; where
//! `SUPEROPS_SLA_PICTURES` names a folder, a picture of each is left there. `SUPEROPS_SLA_README_PICTURES=docs` makes the
//! pictures of README anew, from the demo.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use reqwest::Client;
use serde_json::{Value, json};
use superops_sla::simulator::NewTicket;
use superops_sla::store::tokens::Role;

use crate::life::served;
use crate::support::{TestApp, minutes, usual};

/// A page has so long to show what is expected of it.
const PATIENCE: Duration = Duration::from_secs(20);
/// Between two looks at a page.
const PAUSE: Duration = Duration::from_millis(100);
/// How WebDriver marks an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A driver on a port of its own, which ends with the test.
struct Driver {
    process: Child,
    url: String,
}

impl Driver {
    /// None where there is no driver, and none is demanded.
    fn start() -> Option<Self> {
        let spawned = Command::new("chromedriver").arg("--port=0").stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let mut process = match spawned {
            Ok(process) => process,
            Err(error) if std::env::var_os("CI").is_some() => panic!("chromedriver: {error}"),
            Err(_) => return None,
        };
        let lines = BufReader::new(process.stdout.take().unwrap()).lines().map_while(Result::ok);
        let port = lines
            .filter_map(|line| line.split("on port ").nth(1).map(str::to_owned))
            .find_map(|rest| rest.trim_end_matches('.').parse::<u16>().ok().filter(|port| *port != 0));
        Some(Self { process, url: format!("http://127.0.0.1:{}", port.unwrap()) })
    }

    async fn browser(&self, arguments: &[&str]) -> Browser {
        let common =
            ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--window-size=1280,900"];
        let arguments: Vec<_> = common.iter().chain(arguments).collect();
        // A page of many rows is looked through for longer than the half minute that is usual, on a busy machine.
        let patience = json!({ "script": 180_000 });
        let wanted =
            json!({ "browserName": "chrome", "goog:chromeOptions": { "args": arguments }, "timeouts": patience });
        let client = Client::new();
        let order = json!({ "capabilities": { "alwaysMatch": wanted } });
        let made: Value =
            client.post(format!("{}/session", self.url)).json(&order).send().await.unwrap().json().await.unwrap();
        let id = made["value"]["sessionId"].as_str().unwrap_or_else(|| panic!("{made}"));
        Browser { client, url: format!("{}/session/{id}", self.url) }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

struct Browser {
    client: Client,
    url: String,
}

impl Browser {
    async fn order(&self, what: &str, body: Value) -> Value {
        let sent = self.client.post(format!("{}/{what}", self.url)).json(&body).send().await.unwrap();
        let answer: Value = sent.json().await.unwrap();
        assert!(answer["value"]["error"].is_null(), "{what}: {answer}");
        answer["value"].clone()
    }

    async fn open(&self, url: &str) {
        self.order("url", json!({ "url": url })).await;
    }

    /// What `script` returns.
    async fn run(&self, script: &str) -> Value {
        self.order("execute/sync", json!({ "script": script, "args": [] })).await
    }

    /// Waits until `expression` is true on the page.
    async fn until(&self, expression: &str) {
        self.until_within(PATIENCE, expression).await;
    }

    async fn until_within(&self, patience: Duration, expression: &str) {
        let begun = Instant::now();
        while self.run(&format!("return Boolean({expression})")).await != json!(true) {
            if begun.elapsed() > patience {
                let text = self.run("return document.body.innerText").await;
                panic!("never true: {expression}\n{}", text.as_str().unwrap_or_default());
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn element(&self, css: &str) -> String {
        let found = self.order("element", json!({ "using": "css selector", "value": css })).await;
        found[ELEMENT].as_str().unwrap().to_owned()
    }

    async fn click(&self, css: &str) {
        let id = self.element(css).await;
        self.order(&format!("element/{id}/click"), json!({})).await;
    }

    async fn write(&self, css: &str, text: &str) {
        let id = self.element(css).await;
        self.order(&format!("element/{id}/value"), json!({ "text": text })).await;
    }

    /// Presses keys where the focus is.
    async fn press(&self, keys: &str) {
        let actions: Vec<_> = keys
            .chars()
            .flat_map(|key| [json!({ "type": "keyDown", "value": key }), json!({ "type": "keyUp", "value": key })])
            .collect();
        self.order("actions", json!({ "actions": [{ "type": "key", "id": "keys", "actions": actions }] })).await;
    }

    async fn size(&self, width: u32, height: u32) {
        self.order("window/rect", json!({ "width": width, "height": height })).await;
    }

    async fn enter(&self, url: &str, token: &str) {
        self.open(&format!("{url}/login")).await;
        self.write("#token", token).await;
        self.click("form button").await;
        self.until("location.pathname === '/' && document.querySelector('#rows tr')").await;
    }

    /// Leaves a picture of what is shown, where pictures are wanted.
    async fn picture(&self, name: &str) {
        if let Some(folder) = std::env::var_os("SUPEROPS_SLA_PICTURES") {
            self.shot("screenshot", &Path::new(&folder).join(format!("{name}.png"))).await;
        }
    }

    /// Writes a picture of the window, or of one element, to `path`.
    async fn shot(&self, of: &str, path: &Path) {
        use base64::Engine as _;
        let taken: Value = self.client.get(format!("{}/{of}", self.url)).send().await.unwrap().json().await.unwrap();
        let png = base64::engine::general_purpose::STANDARD.decode(taken["value"].as_str().unwrap()).unwrap();
        std::fs::write(path, png).unwrap();
    }

    /// What axe-core finds serious or critical on the page, a line each.
    async fn barriers(&self) -> Vec<String> {
        let Some(axe) = std::env::var_os("SUPEROPS_SLA_AXE") else { return Vec::new() };
        self.run(&std::fs::read_to_string(axe).unwrap()).await;
        let script = "const done = arguments[arguments.length - 1];
            axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) => done(violations
              .filter(({ impact }) => impact === 'serious' || impact === 'critical')
              .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 160)).slice(0, 3).join(' | ')}`)),
              (error) => done([String(error)]));";
        let found = self.order("execute/async", json!({ "script": script, "args": [] })).await;
        found.as_array().unwrap().iter().map(|line| line.as_str().unwrap().to_owned()).collect()
    }

    async fn close(self) {
        let _ = self.client.delete(&self.url).send().await;
    }
}

/// A desk with a few tickets, one of which has breached; where it is served, and tokens of a responder and an admin.
async fn desk() -> (TestApp, String, Vec<String>) {
    desk_with(&[30, 60, 240, 600]).await
}

/// The same with a ticket due in each of so many minutes.
async fn desk_with(dues: &[i64]) -> (TestApp, String, Vec<String>) {
    let mut app = TestApp::start().await;
    for &due in dues {
        app.ticket(minutes(due));
    }
    app.turn().await;
    app.wait(minutes(62)).await;
    let (url, tokens) = served(&mut app, &[(Role::Responder, None), (Role::Admin, None)]).await;
    (app, url, tokens)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn somebody_signs_in_finds_a_ticket_acknowledges_an_alert_and_sees_it_in_another_window() {
    let Some(driver) = Driver::start() else { return };
    let (_app, url, tokens) = desk().await;
    let (one, other) = (driver.browser(&[]).await, driver.browser(&[]).await);
    one.open(&format!("{url}/")).await;
    one.until("location.pathname === '/login'").await;
    one.write("#token", "sla_wrong").await;
    one.click("form button").await;
    one.until("document.querySelector('.complaint')").await;
    one.enter(&url, &tokens[0]).await;
    one.until("document.querySelectorAll('#rows tr').length === 4").await;

    let number = one.run("return document.querySelector('#rows .about').textContent.split(' ')[0]").await;
    one.press("/").await;
    one.press(number.as_str().unwrap()).await;
    one.until("document.querySelectorAll('#rows tr').length === 1").await;
    assert!(one.run("return location.hash").await.as_str().unwrap().contains("text="), "the filter is in the address");
    one.run("window.prompt = () => 'Mine'").await;
    one.click("#save").await;
    one.until("[...document.querySelector('#saved').options].some((view) => view.text === 'Mine')").await;
    one.click("#clear").await;
    one.until("document.querySelectorAll('#rows tr').length === 4").await;
    one.run("const saved = document.querySelector('#saved'); saved.value = [...saved.options].find((view) => view.text === 'Mine').value; saved.dispatchEvent(new Event('change'))").await;
    one.until("document.querySelectorAll('#rows tr').length === 1").await;
    one.click("#rows a.subject").await;
    one.until("document.querySelector('#drawer[open] .timeline svg rect.counted')").await;
    one.picture("drawer").await;
    one.press("\u{e00c}").await;
    one.until("!document.querySelector('#drawer').open && !history.state?.drawer").await;

    for browser in [&one, &other] {
        if std::ptr::eq(browser, &other) {
            other.enter(&url, &tokens[0]).await;
        }
        browser.open(&format!("{url}/alerts")).await;
        browser.until("document.querySelector('.alert.is-open .pick')").await;
    }
    let open = other.run("return document.querySelectorAll('.alert.is-open').length").await.as_u64().unwrap();
    // By keyboard alone: to the first, choose it, acknowledge what is chosen.
    one.press("jx").await;
    one.until("document.querySelector('#bulk-ack').textContent === 'Acknowledge 1 chosen'").await;
    one.press("a").await;
    let fewer = format!("document.querySelectorAll('.alert.is-open').length === {}", open - 1);
    one.until(&fewer).await;
    other.until(&fewer).await;
    one.close().await;
    other.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn which_alerts_are_shown_and_in_which_order_outlasts_a_reload() {
    let Some(driver) = Driver::start() else { return };
    let (_app, url, tokens) = desk().await;
    let browser = driver.browser(&[]).await;
    browser.enter(&url, &tokens[0]).await;
    browser.open(&format!("{url}/alerts")).await;
    browser.until("document.querySelector('.alert.is-open')").await;
    let shows = |state: &str, sort: &str| {
        format!(
            "document.querySelector('[data-state={state}]').ariaPressed === 'true' && document.querySelector('#order').value === '{sort}'"
        )
    };
    browser.run("const order = document.querySelector('#order'); order.value = 'due'; order.dispatchEvent(new Event('change'))").await;
    browser.click("[data-state=acknowledged]").await;
    browser.until("document.querySelector('#note').textContent === '0 acknowledged alerts.'").await;
    browser.order("refresh", json!({})).await;
    browser.until("document.querySelector('#note').textContent === '0 acknowledged alerts.'").await;
    browser.until(&shows("acknowledged", "due")).await;

    // Of the resolved ones, none is worse than another.
    browser.run("const order = document.querySelector('#order'); order.value = 'worst'; order.dispatchEvent(new Event('change'))").await;
    browser.click("[data-state=resolved]").await;
    browser.until(&shows("resolved", "-changed")).await;
    browser.until("document.querySelector('#order option[value=worst]').hidden").await;
    browser.click("[data-state=open]").await;
    browser.until(&shows("open", "worst")).await;
    browser.until("location.hash === '' && document.querySelector('.alert.is-open')").await;
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_shows_when_it_was_made_as_it_is_sorted_and_says_what_came_of_it_later() {
    let Some(driver) = Driver::start() else { return };
    let (_app, url, tokens) = desk().await;
    let browser = driver.browser(&[]).await;
    browser.enter(&url, &tokens[0]).await;
    browser.until("document.querySelector('#health li')").await;
    let message = |state: &str, due: &str, done: Option<&str>| {
        let at = |time: &str| format!("2020-01-06T{time}:00Z");
        let message = json!({
            "state": state, "kind": "alert", "stage": "breached", "channel": "email", "recipient": "Ada", "step": 0,
            "created_at": at("09:00"), "due_at": at(due), "done_at": done.map(at),
        });
        format!(
            "return import('/assets/messages.js').then(({{ messageItem }}) => {{ const item = messageItem({message}); \
             return [item.querySelector('time').dateTime, item.querySelector('.muted').textContent.replace(/^( · [a-z ]+) .*$/, '$1')] }})"
        )
    };
    for (state, due, done, later) in [
        ("cancelled", "10:00", Some("09:30"), " · cancelled"),
        ("sent", "10:00", Some("10:00"), " · sent"),
        ("sent", "09:00", Some("09:00"), ""),
        ("pending", "10:00", None, " · due"),
    ] {
        let shown = browser.run(&message(state, due, done)).await;
        assert_eq!(shown, json!(["2020-01-06T09:00:00Z", later]), "{state}");
    }
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_about_a_service_links_to_its_page_and_keeps_the_focus_when_another_comes() {
    let Some(driver) = Driver::start() else { return };
    let (_app, url, tokens) = desk().await;
    let browser = driver.browser(&[]).await;
    browser.enter(&url, &tokens[0]).await;
    browser.until("document.querySelector('#health li')").await;
    let message = |key: &str, component: Option<&str>| {
        json!({
            "key": key, "tenant": "acme", "ticket_id": "7", "component": component, "display_id": key, "state": "sent",
            "kind": "alert", "stage": "breached", "channel": "email", "recipient": "Ada", "step": 0,
            "created_at": "2020-01-06T09:00:00Z", "due_at": "2020-01-06T09:00:00Z", "outcomes": [],
        })
    };
    let (shop, ticket) = (message("Web shop", Some("shop")), message("112326-0008", None));
    let script = format!(
        "return Promise.all(['state', 'messages'].map((name) => import(`/assets/${{name}}.js`))).then(([{{ state }}, {{ drawMessages }}]) => {{ \
         const show = (messages) => {{ state.messages = messages; drawMessages() }}; \
         show([{shop}]); document.querySelector('#messages a').focus(); show([{ticket}, {shop}]); \
         return [document.activeElement.textContent, ...[...document.querySelectorAll('#messages a')].map((link) => link.getAttribute('href'))] }})"
    );
    let shown = browser.run(&script).await;
    assert_eq!(shown, json!(["Web shop", "/tickets/acme/7", "/services/shop"]));
    browser.close().await;
}

/// Which alert the focus is in.
const AT: &str = "document.activeElement.closest('.alert')?.querySelector('.what').textContent";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_focus_stays_with_its_alert_whatever_comes_and_goes_above_it() {
    let Some(driver) = Driver::start() else { return };
    let (_app, url, tokens) = desk_with(&[10, 20, 30, 40, 50, 60]).await;
    let (one, other) = (driver.browser(&[]).await, driver.browser(&[]).await);
    for browser in [&one, &other] {
        browser.enter(&url, &tokens[0]).await;
        browser.open(&format!("{url}/alerts")).await;
        browser.until("document.querySelectorAll('.alert.is-open').length > 5").await;
    }
    let open = one.run("return document.querySelectorAll('.alert.is-open').length").await.as_u64().unwrap();
    let shows = |fewer: u64| format!("document.querySelectorAll('.alert.is-open').length === {}", open - fewer);
    let name = |at: u32| format!("return document.querySelectorAll('.alert .what')[{at}].textContent");
    let first = |what: &str| format!(".alert.is-open [data-what={what}]");

    // Somebody else takes the first, while this one is at the third.
    one.press("jjj").await;
    let third = one.run(&name(2)).await;
    other.click(&first("ack")).await;
    one.until(&shows(1)).await;
    assert_eq!(one.run(&format!("return {AT}")).await, third);

    // The same at a list inside the card, with what was chosen in it.
    one.run("const list = document.activeElement.querySelector('select'); list.value = '4h'; list.focus()").await;
    other.until(&shows(1)).await;
    other.click(&first("ack")).await;
    one.until(&shows(2)).await;
    let at = format!("return [document.activeElement.localName, document.activeElement.value, {AT}]");
    assert_eq!(one.run(&at).await, json!(["select", "4h", third]));

    // Somebody else takes the very one, which goes to the end of the list: no key acts upon another.
    other.until(&shows(2)).await;
    other.click(&first("ack")).await;
    one.until(&shows(3)).await;
    assert_eq!(one.run(&at).await, json!(["select", "4h", third]), "its card was made anew");
    one.run("document.activeElement.closest('.alert').focus()").await;
    one.press("a").await;
    let acknowledged = "const asked = new XMLHttpRequest(); asked.open('GET', '/api/v1/alerts?state=acknowledged', false); asked.send();
        return JSON.parse(asked.responseText).total";
    assert_eq!(one.run(acknowledged).await, 3);

    // One's own doing leads on to the next.
    one.run("document.querySelector('.alert').focus()").await;
    let next = one.run(&name(1)).await;
    one.press("a").await;
    one.until(&shows(4)).await;
    assert_eq!(one.run(&format!("return {AT}")).await, next);

    // What has left the list leaves the focus to none, and the next step is from where it was.
    let next = one.run(&name(1)).await;
    other.until(&shows(4)).await;
    other.click(&first("resolve")).await;
    one.until(&shows(5)).await;
    assert_eq!(one.run("return document.activeElement.id").await, "alerts");
    one.press("a").await;
    one.press("j").await;
    assert_eq!(one.run(&format!("return {AT}")).await, next);
    assert_eq!(one.run(acknowledged).await, 4);
    one.picture("alerts-focus").await;
    one.close().await;
    other.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn escape_empties_the_search_with_its_filter_and_back_closes_the_drawer() {
    let Some(driver) = Driver::start() else { return };
    let (_app, url, tokens) = desk().await;
    let browser = driver.browser(&[]).await;
    browser.enter(&url, &tokens[0]).await;
    browser.until("document.querySelectorAll('#rows tr').length === 4").await;
    browser.press("/").await;
    browser.press("nothing of that name").await;
    browser.until("document.querySelectorAll('#rows tr').length === 0").await;
    browser.press("\u{e00c}").await;
    browser.until("document.querySelectorAll('#rows tr').length === 4").await;
    let turned = "return import('/assets/dom.js').then(({ el }) => el('p', {}, 'in\u{202e}voice').textContent)";
    assert_eq!(browser.run(turned).await, "invoice", "a subject does not turn the page round");
    assert_eq!(browser.run("return document.querySelector('#filters').elements.text.value + location.hash").await, "");

    // By Back, and by its own key: each time the page is where it was before.
    let before = browser.run("return history.length").await.as_u64().unwrap();
    for by_key in [false, true, false] {
        browser.click("#rows a.subject").await;
        browser.until("document.querySelector('#drawer[open] .timeline')").await;
        if by_key {
            browser.press("\u{e00c}").await;
        } else {
            browser.order("back", json!({})).await;
        }
        browser.until("!document.querySelector('#drawer').open && !history.state?.drawer").await;
        assert_eq!(browser.run("return location.pathname").await, "/");
    }
    assert_eq!(browser.run("return history.length").await, before + 1);
    browser.close().await;
}

/// Each page, by how its picture is called.
const PAGES: [(&str, &str); 20] = [
    ("tickets", "/"),
    ("people", "/people"),
    ("today", "/today"),
    ("room", "/technicians/room"),
    ("alerts", "/alerts"),
    ("on-call", "/on-call"),
    ("services", "/services"),
    ("reports", "/reports"),
    ("entries", "/reports/entries"),
    ("technicians", "/technicians"),
    ("clients", "/clients"),
    ("honesty", "/honesty"),
    ("forecast", "/forecast"),
    ("policies", "/policies"),
    ("audit", "/audit"),
    ("settings", "/settings"),
    ("system", "/system"),
    ("tokens", "/tokens"),
    ("api", "/api"),
    ("wall", "/wall"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_page_keeps_anybody_out_or_runs_out_of_a_phone() {
    let Some(driver) = Driver::start() else { return };
    let (_app, url, tokens) = desk().await;
    let mut found = Vec::new();
    for (look, arguments) in
        [("light", &[][..]), ("dark", &["--force-dark-mode", "--blink-settings=preferredColorScheme=0"][..])]
    {
        let browser = driver.browser(arguments).await;
        browser.size(1280, 900).await;
        browser.enter(&url, &tokens[1]).await;
        for (name, path) in PAGES {
            browser.open(&format!("{url}{path}")).await;
            browser.until("document.querySelector('main') && document.querySelector('#health li')").await;
            browser.picture(&format!("{name}-{look}")).await;
            found.extend(browser.barriers().await.into_iter().map(|line| format!("{path} ({look}) {line}")));
        }
        browser.size(500, 900).await;
        for (name, path) in PAGES.iter().filter(|_| look == "light") {
            browser.open(&format!("{url}{path}")).await;
            browser.until("document.querySelector('#health li')").await;
            browser.picture(&format!("{name}-phone")).await;
            let over = browser.run("return document.documentElement.scrollWidth - innerWidth").await;
            if over.as_i64().unwrap() > 1 {
                found.push(format!("{path} is {over} px wider than a phone"));
            }
        }
        browser.close().await;
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_says_so_when_the_server_has_gone() {
    let Some(driver) = Driver::start() else { return };
    let (_app, url, tokens) = desk().await;
    let browser = driver.browser(&[]).await;
    browser.enter(&url, &tokens[0]).await;
    // What the page asks from now on finds nobody.
    browser.run("window.fetch = () => Promise.reject(new Error('gone'))").await;
    browser.run("performance.now = ((real) => () => real() + 60000)(performance.now.bind(performance))").await;
    browser.until("document.body.classList.contains('stale') && !document.querySelector('#stale').hidden").await;
    browser.picture("stale").await;
    browser.close().await;
}

/// Makes a token as somebody else would, then has the page read itself anew.
fn made_elsewhere(name: &str) -> String {
    let order = json!({ "name": name, "role": "viewer" });
    format!(
        "return fetch('/api/v1/tokens', {{ method: 'POST', headers: {{ 'content-type': 'application/json' }}, body: '{order}' }})
           .then(() => import('/assets/refresh.js')).then(({{ refresh }}) => refresh()).then(() => true)"
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_chosen_in_a_form_outlasts_the_refresh_of_its_page() {
    let Some(driver) = Driver::start() else { return };
    let (_app, url, tokens) = desk().await;
    let browser = driver.browser(&[]).await;
    browser.enter(&url, &tokens[1]).await;

    // The page waits until nothing is chosen any more.
    browser.open(&format!("{url}/tokens")).await;
    browser.until("document.querySelector('#health li')").await;
    browser.run("document.querySelector('select[name=tenant]').value = 'acme'").await;
    browser.run(&made_elsewhere("of the wall")).await;
    assert_eq!(browser.run("return document.querySelector('select[name=tenant]').value").await, "acme");
    browser.run("document.querySelector('main form').reset()").await;
    browser.run(&made_elsewhere("of the door")).await;
    browser.until("document.querySelector('main table').textContent.includes('of the door')").await;

    // A filter is taken over, so that the page below it is never old.
    browser.open(&format!("{url}/audit?what=created")).await;
    browser.until("document.querySelector('#health li')").await;
    let rows = browser.run("return document.querySelectorAll('main tbody tr').length").await.as_u64().unwrap();
    browser.run("document.querySelector('select[name=sort]').value = 'at'").await;
    browser.run(&made_elsewhere("of the roof")).await;
    browser.until(&format!("document.querySelectorAll('main tbody tr').length === {}", rows + 1)).await;
    assert_eq!(browser.run("return document.querySelector('select[name=sort]').value").await, "at");
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_form_is_shown_as_it_was_typed_under_a_head_that_stays_fresh() {
    let Some(driver) = Driver::start() else { return };
    let backup = "[components.backup]\n[[checks]]\ncomponent = \"backup\"\nheartbeat = true\ninterval = \"1h\"\n\
                  token_env = \"HOOK\"\n";
    let mut app = TestApp::with(backup).await;
    app.ticket(minutes(60));
    app.turn().await;
    let (url, tokens) = served(&mut app, &[(Role::Admin, None)]).await;
    let browser = driver.browser(&[]).await;
    browser.enter(&url, &tokens[0]).await;
    browser.open(&format!("{url}/incidents")).await;
    browser.until("document.querySelector('#health li')").await;
    let typed = "const { elements } = document.querySelector('form[action=\"/maintenance\"]');
        elements.title.value = 'New disk';
        elements.components.checked = true;
        elements.from.value = '2027-03-02T10:00';
        elements.until.value = '2027-03-02T09:00';
        elements.title.form.submit()";
    browser.run(typed).await;
    browser.until("document.querySelector('.complaint') && document.querySelector('#health li')").await;
    let title = "return document.querySelector('form[action=\"/maintenance\"]').elements.title.value";
    assert_eq!(browser.run(title).await, "New disk");

    // Its address leads back to the page with the form.
    browser.order("refresh", json!({})).await;
    browser.until("location.pathname === '/incidents' && !document.querySelector('.complaint')").await;
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reloading_the_page_that_shows_a_new_token_makes_no_second_one() {
    let Some(driver) = Driver::start() else { return };
    let (_app, url, tokens) = desk().await;
    let browser = driver.browser(&[]).await;
    browser.enter(&url, &tokens[1]).await;
    browser.open(&format!("{url}/tokens")).await;
    browser.write("main input[name=name]", "of the wall").await;
    browser.click("main form.filters button").await;
    browser.until("document.querySelector('.said code') && document.querySelector('#health li')").await;
    browser.order("refresh", json!({})).await;
    browser.until("document.querySelector('main table') && !document.querySelector('.said')").await;
    let made = "return [...document.querySelectorAll('main tbody tr')].filter((row) => row.textContent.includes('of the wall')).length";
    assert_eq!(browser.run(made).await, 1);
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_end_of_a_session_costs_nobody_what_they_are_typing() {
    let Some(driver) = Driver::start() else { return };
    let (_app, url, tokens) = desk().await;
    let browser = driver.browser(&[]).await;
    browser.enter(&url, &tokens[1]).await;
    browser.open(&format!("{url}/tokens")).await;
    browser.until("document.querySelector('#health li')").await;
    browser.write("main input[name=name]", "of the wall").await;
    browser
        .run("return fetch('/logout', { method: 'POST' }).then(() => document.dispatchEvent(new Event('acted')))")
        .await;
    browser.until("document.querySelector('#stale').textContent.startsWith('You have been signed out.')").await;
    let typed = "return location.pathname + ' ' + document.querySelector('main input[name=name]').value";
    assert_eq!(browser.run(typed).await, "/tokens of the wall");
    let refused = "return import('/assets/state.js').then(({ send }) => send('POST', '/api/v1/silences', {})).catch((error) => error.message)";
    assert!(browser.run(refused).await.as_str().unwrap().starts_with("You have been signed out: sign in again"));
    // Nothing is lost any more.
    browser
        .run("const field = document.querySelector('main input[name=name]'); field.value = ''; field.blur(); document.dispatchEvent(new Event('acted'))")
        .await;
    browser.until("location.pathname === '/login'").await;
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_with_filters_shows_what_they_leave_after_the_login() {
    let Some(driver) = Driver::start() else { return };
    let (_app, url, tokens) = desk().await;
    let browser = driver.browser(&[]).await;
    browser.open(&format!("{url}/#text=nothing+of+that+name")).await;
    browser.until("location.pathname === '/login'").await;
    browser.write("#token", "sla_wrong").await;
    browser.click("form button").await;
    browser.until("document.querySelector('.complaint')").await;
    browser.write("#token", &tokens[0]).await;
    browser.click("form button").await;
    browser.until("location.pathname === '/' && document.querySelector('#filters')?.elements.text.value === 'nothing of that name'").await;

    // A session that has ended, while the page is open.
    browser
        .run("return fetch('/logout', { method: 'POST' }).then(() => document.dispatchEvent(new Event('acted')))")
        .await;
    browser.until("location.pathname === '/login' && document.querySelector('input[name=next]').value === '/#text=nothing+of+that+name'").await;

    // A link of another site, whose reader is signed in.
    browser.write("#token", &tokens[0]).await;
    browser.click("form button").await;
    browser.until("location.pathname === '/' && document.querySelector('#health li')").await;
    browser.open(&format!("data:text/html,<a href='{url}/reports?by=client%23figures'>there</a>")).await;
    browser.click("a").await;
    browser.until("location.pathname + location.search + location.hash === '/reports?by=client#figures'").await;
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ticket_that_nobody_has_is_found_on_a_desk_of_more_than_a_page_holds() {
    let Some(driver) = Driver::start() else { return };
    let mut app = TestApp::start().await;
    for _ in 0..500 {
        app.ticket(TimeDelta::days(40));
    }
    let last = NewTicket {
        technician: None,
        client: Some("Harbour Dental Group".to_owned()),
        resolution_due_in: Some(TimeDelta::days(80)),
        ..usual()
    };
    app.superops.add(last);
    app.turn().await;
    let (url, tokens) = served(&mut app, &[(Role::Responder, None)]).await;
    let browser = driver.browser(&[]).await;
    browser.enter(&url, &tokens[0]).await;
    let choices =
        |name: &str| format!("[...document.querySelector('#filters').elements.{name}.options].map((one) => one.value)");
    browser.until(&format!("{}.includes('Harbour Dental Group')", choices("client"))).await;
    browser.until(&format!("{}.includes('—')", choices("technician"))).await;
    let notes = |words: &str| format!("document.querySelector('#note').textContent.startsWith('{words}')");
    browser.until(&notes("The worst 500 of 501 open tickets")).await;
    // The page is there already, and only what follows `#` changes.
    browser.open(&format!("{url}/#technician=%E2%80%94")).await;
    browser.until("document.querySelectorAll('#rows tr').length === 1").await;
    browser.until(&notes("1 of 501 open tickets")).await;
    // More match than the page holds, and the number is that of all.
    browser.open(&format!("{url}/#priority=High")).await;
    browser.until(&notes("The worst 500 of 501 that match")).await;
    // Leaves the page, so that the address is read anew.
    browser.open("about:blank").await;
    browser.open(&format!("{url}/#technician=%E2%80%94")).await;
    browser.until("document.querySelectorAll('#rows tr').length === 1").await;
    browser.close().await;
}

/// The demo, which ends with the test, and the address of its page.
struct Demo(Child, String);

impl Demo {
    fn start() -> Self {
        let mut program = Command::new(env!("CARGO_BIN_EXE_superops-sla"));
        program.args(["demo", "--listen", "127.0.0.1:0"]).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut process = program.spawn().unwrap();
        let lines = BufReader::new(process.stderr.take().unwrap()).lines().map_while(Result::ok);
        let mut urls = lines.filter_map(|line| Some(line[line.find("http://127.0.0.1:")?..].trim().to_owned()));
        let url = urls.next().unwrap();
        // It goes on saying what it does, and somebody has to listen.
        std::thread::spawn(move || urls.count());
        Self(process, url)
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_pictures_of_readme_are_made_where_they_are_wanted() {
    let Some(folder) = std::env::var_os("SUPEROPS_SLA_README_PICTURES") else { return };
    let folder = Path::new(&folder);
    let _ = rustls::crypto::ring::default_provider().install_default();
    let Some(driver) = Driver::start() else { return };
    let Demo(_, url) = &Demo::start();
    let browser = driver.browser(&[]).await;
    // As high as the window's own frame leaves 900.
    browser.size(1400, 1043).await;
    browser.open(&format!("{url}/")).await;
    let long = Duration::from_secs(300);
    browser.until_within(long, "document.querySelectorAll('#caught li').length > 9").await;
    browser.shot("screenshot", &folder.join("dashboard.png")).await;
    // The month before is entered in the books while the demo runs.
    for _ in 0..300 {
        browser.open(&format!("{url}/reports")).await;
        browser.until("document.querySelector('figure.chart svg')").await;
        // Two of them stand beside the names of the lines.
        let lines = browser.run("return document.querySelectorAll('figure.chart polyline.series').length").await;
        if lines.as_u64() > Some(2) {
            break;
        }
    }
    browser.run("document.querySelector('figure.chart svg').scrollIntoView({ block: 'center' })").await;
    let chart = browser.element("figure.chart svg").await;
    browser.shot(&format!("element/{chart}/screenshot"), &folder.join("report-chart.png")).await;
    browser.close().await;
    let pdf = reqwest::get(format!("{url}/api/v1/reports/sla?format=pdf")).await.unwrap().bytes().await.unwrap();
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("report.pdf");
    std::fs::write(&file, pdf).unwrap();
    let page = ["-r", "72", "-f", "1", "-l", "1", "-png", "-singlefile"];
    let drawn = Command::new("pdftoppm").args(page).arg(&file).arg(folder.join("report-page")).status();
    assert!(drawn.unwrap().success());
}
