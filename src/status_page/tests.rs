//! A copy of the page works wherever it is served from.

use super::*;
use crate::config::{Config, GivenEnvironment};
use crate::monitor::board::StatusBoard;
use crate::uptime::book::{Book, Remembered};
use crate::uptime::incident::{Announcements, Impact};
use crate::uptime::observe::Connectivity;
use crate::uptime::{Condition, Outcome, SECOND};

fn page() -> Model {
    Model {
        title: "Acme".to_owned(),
        contact: None,
        subscriptions: true,
        client: None,
        url: Some("https://sla.internal.example/status".to_owned()),
        is_copy: false,
        at: 1_800_000_000_000,
        measured: Condition::Up,
        impact: Impact::None,
        components: Vec::new(),
        incidents: Vec::new(),
        maintenance: Vec::new(),
    }
}

fn texts(model: &Model) -> String {
    let documents = Documents::render(model);
    documents.iter().map(|(_, document)| String::from_utf8_lossy(&document.body).into_owned()).collect()
}

#[cfg(unix)]
#[test]
fn the_files_of_a_copy_can_be_read_like_any_new_file() {
    let mode = |path: &std::path::Path| {
        let permissions = std::fs::metadata(path).unwrap().permissions();
        std::os::unix::fs::PermissionsExt::mode(&permissions) & 0o777
    };
    let folder = tempfile::tempdir().unwrap();
    let other = folder.path().join("other");
    std::fs::write(&other, "").unwrap();
    publish::write_to(&Documents::render(&page().copied(None)), folder.path()).unwrap();
    for path in ["index.html", "api/v2/summary.json"] {
        assert_eq!(mode(&folder.path().join(path)), mode(&other) & 0o644, "{path}");
    }
}

#[test]
fn the_page_brings_its_icon_so_that_no_browser_asks_for_another() {
    for model in [page(), page().copied(None)] {
        assert!(texts(&model).contains("<link rel=\"icon\" href=\"data:image/svg+xml,"));
    }
}

#[test]
fn a_copy_links_to_what_stands_beside_it_and_never_to_the_service() {
    let here = texts(&page());
    assert!(here.contains("href=\"/status/history.atom\"") && here.contains("https://sla.internal.example/status"));
    for url in [None, Some("https://status.example.com/".to_owned())] {
        let copy = texts(&page().copied(url.clone()));
        assert!(copy.contains("href=\"history.atom\"") && !copy.contains("\"/status/"), "{copy}");
        assert!(!copy.contains("sla.internal.example"), "{copy}");
        assert_eq!(copy.contains("href=\"https://status.example.com/history.atom\""), url.is_some(), "{copy}");
    }
}

#[test]
fn an_open_incident_makes_the_headline_worse_whatever_is_measured() {
    for (impact, measured, words, indicator, status) in [
        (Impact::None, Condition::Up, "All services are operational", "none", "up"),
        (Impact::Minor, Condition::Up, "A minor incident is open", "minor", "degraded"),
        (Impact::Major, Condition::Up, "A major incident is open", "major", "degraded"),
        (Impact::Critical, Condition::Degraded, "A critical incident is open", "critical", "down"),
        (Impact::Minor, Condition::Down, "Some services are down", "minor", "down"),
    ] {
        let model = Model { measured, impact, ..page() };
        let html = html::page(&model);
        assert!(html.contains(words) && html.contains(&format!("class=\"overall {status}\"")), "{html}");
        assert_eq!(json::status(&model)["status"]["indicator"], indicator, "{impact:?}");
        assert_eq!(json::compact(&model)["status"], status, "{impact:?}");
        assert_eq!(json::full(&model)["overall_status"], status, "{impact:?}");
        assert_eq!(html::badge(&model).contains("operational"), status == "up");
    }
}

#[test]
fn a_group_with_a_slow_member_is_degraded_and_in_a_partial_outage_once_one_is_down() {
    const GROUP: &str = r#"
[tenants.acme]
subdomain = "acme"
region = "eu"
token_env = "SUPEROPS_TOKEN"
[components.left]
[components.right]
[components.pair]
of = ["left", "right"]
at_least = 1
[[checks]]
component = "left"
url = "https://left.example.com/"
[[checks]]
component = "right"
url = "https://right.example.com/"
[status_page]
"#;
    let config = Config::parse_offline("c.toml".as_ref(), GROUP, &GivenEnvironment::default()).unwrap();
    let (components, mut checks) = config.uptime.plans();
    checks.iter_mut().for_each(|check| (check.rules.failures, check.rules.successes) = (1, 1));
    let mut board =
        StatusBoard { book: Book::open(components, checks, &Remembered::default(), 0), ..Default::default() };
    let mut words = |check, second: i64, verdict| {
        let outcome = Outcome { at: second * SECOND, verdict, detail: None };
        board.book.observe(check, &outcome, Connectivity::Online);
        let page = config.uptime.status_page.as_ref().unwrap();
        let model = Model::of(&config, page, &board, &Announcements::default(), |_| true, outcome.at);
        let pair = model.components.iter().find(|one| one.id == "pair").unwrap();
        (pair.words(), json::components(&model)["components"].to_string().contains("partial_outage"))
    };
    for check in 0..2 {
        words(check, 1, Condition::Up);
    }
    assert_eq!(words(0, 2, Condition::Degraded), ("Degraded", false));
    assert_eq!(words(1, 3, Condition::Down), ("Partial outage", true));
    assert_eq!(words(1, 4, Condition::Up), ("Degraded", false));
}
