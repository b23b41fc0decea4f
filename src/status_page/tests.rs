//! A copy of the page works wherever it is served from.

use super::*;
use crate::uptime::Condition;
use crate::uptime::incident::Impact;

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
