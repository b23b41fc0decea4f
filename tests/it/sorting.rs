//! Lists in the order that is asked for, whole and page by page.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use superops_sla::alert::life::{Act, Actor, How};
use superops_sla::service::alerts::AlertQuery;
use superops_sla::service::audit::AuditQuery;
use superops_sla::service::breaches::BreachQuery;
use superops_sla::service::described::ORDERS;
use superops_sla::service::{Reach, TicketQuery};
use superops_sla::simulator::NewTicket;
use superops_sla::store::latest::Way;

use crate::support::{TestApp, minutes, usual};
use crate::web::{served, token};

/// Five alerts, two of them over, three acknowledged one after the other.
async fn desk() -> TestApp {
    let mut app = TestApp::start().await;
    let tickets: Vec<_> = [60, 61, 62, 63, 64].into_iter().map(|length| app.ticket(minutes(length))).collect();
    app.turn().await;
    app.wait(minutes(65)).await;
    for ticket in &tickets[1..3] {
        app.superops.change_status(ticket, "Resolved");
        app.wait(minutes(1)).await;
    }
    let actor = Actor { name: "Mia".to_owned(), how: How::Page, origin: "a test".to_owned(), note: None };
    for alert in app.parts().service.alerts(&Reach::All, &AlertQuery::default()).await.unwrap().alerts {
        app.parts().service.act_on_alert(&Reach::All, &alert.id, Act::Acknowledge, &actor).await.unwrap().unwrap();
        app.wait(minutes(1)).await;
    }
    app
}

fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn is_in_order(times: &[DateTime<Utc>], way: Way) -> bool {
    match way {
        Way::EarliestFirst => times.is_sorted(),
        Way::LatestFirst => times.is_sorted_by(|a, b| a >= b),
    }
}

#[tokio::test]
async fn alerts_go_by_due_time_or_change_in_either_direction_whether_they_are_over_or_not() {
    let mut app = desk().await;
    let service = app.parts().service.clone();
    for (sort, way) in [
        ("due", Way::EarliestFirst),
        ("-due", Way::LatestFirst),
        ("changed", Way::EarliestFirst),
        ("-changed", Way::LatestFirst),
    ] {
        let query = AlertQuery { state: text("all"), sort: text(sort), ..AlertQuery::default() };
        let whole = service.alerts(&Reach::All, &query).await.unwrap();
        let time = |due, changed_at| if sort.ends_with("due") { due } else { changed_at };
        let times: Vec<_> = whole.alerts.iter().map(|alert| time(alert.due, alert.changed_at)).collect();
        assert!(is_in_order(&times, way) && times.len() == 5 && whole.total == 5, "{sort}: {times:?}");
        let (mut one_by_one, mut cursor) = (Vec::new(), None);
        loop {
            let page = AlertQuery { limit: Some(2), cursor, ..query.clone() };
            let page = service.alerts(&Reach::All, &page).await.unwrap();
            one_by_one.extend(page.alerts.into_iter().map(|alert| alert.id));
            cursor = page.next_cursor;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(one_by_one, whole.alerts.into_iter().map(|alert| alert.id).collect::<Vec<_>>(), "{sort}");
    }
    let refused = AlertQuery { sort: text("sideways"), ..AlertQuery::default() };
    assert!(service.alerts(&Reach::All, &refused).await.unwrap_err().to_string().contains("must be one of worst, due"));
    let page = AlertQuery { sort: text("due"), limit: Some(1), ..AlertQuery::default() };
    let cursor = service.alerts(&Reach::All, &page).await.unwrap().next_cursor;
    let other = AlertQuery { sort: text("-due"), cursor, ..AlertQuery::default() };
    assert!(service.alerts(&Reach::All, &other).await.is_err(), "a cursor is of its order");
}

#[tokio::test]
async fn breaches_and_the_audit_log_go_in_either_direction_page_by_page() {
    let mut app = desk().await;
    let service = app.parts().service.clone();
    for (sort, way) in [("due", Way::EarliestFirst), ("-due", Way::LatestFirst)] {
        let (mut times, mut cursor) = (Vec::new(), None);
        loop {
            let query = BreachQuery { sort: text(sort), limit: Some(2), cursor, ..BreachQuery::default() };
            let page = service.breaches(&Reach::All, &query).await.unwrap();
            assert_eq!(page.total, 5);
            times.extend(page.breaches.into_iter().map(|breach| breach.breach_time));
            cursor = page.next_cursor;
            if cursor.is_none() {
                break;
            }
        }
        assert!(is_in_order(&times, way) && times.len() == 5, "{sort}: {times:?}");
    }
    for way in [Way::EarliestFirst, Way::LatestFirst] {
        let (mut times, mut cursor) = (Vec::new(), None);
        loop {
            let (from, until) = (DateTime::UNIX_EPOCH, app.now() + TimeDelta::days(1));
            let query = AuditQuery { from, until, who: None, what: None, ticket: None, way, limit: 2, cursor };
            let page = service.audit(&Reach::All, &query).await.unwrap().unwrap();
            times.extend(page.changes.into_iter().map(|change| change.at));
            cursor = page.next_cursor;
            if cursor.is_none() {
                break;
            }
        }
        assert!(is_in_order(&times, way) && times.len() >= 3, "{way:?}: {times:?}");
    }
}

/// The ids of all tickets, two to a page, with a minute between two pages.
async fn paged(app: &mut TestApp, sort: &str) -> Vec<String> {
    let service = app.parts().service.clone();
    let (mut seen, mut cursor) = (Vec::new(), None);
    loop {
        let query = TicketQuery { sort: text(sort), limit: Some(2), cursor, ..TicketQuery::default() };
        let page = service.tickets(&Reach::All, &query).await.unwrap();
        seen.extend(page.tickets.into_iter().map(|ticket| ticket.ticket_id));
        cursor = page.next_cursor;
        if cursor.is_none() {
            return seen;
        }
        app.wait(minutes(1)).await;
    }
}

#[tokio::test]
async fn pages_of_tickets_hold_each_one_once_though_superops_was_asked_again_between_them() {
    let mut app = TestApp::start().await;
    for _ in 0..5 {
        app.ticket(minutes(600));
    }
    app.turn().await;
    for sort in ORDERS {
        let mut seen = paged(&mut app, sort).await;
        seen.sort_unstable();
        let all = seen.len();
        seen.dedup();
        assert_eq!((all, seen.len()), (5, 5), "{sort}: {seen:?}");
    }
}

#[tokio::test]
async fn pages_read_after_hours_hold_each_one_once_though_time_passes_and_clocks_stand_still() {
    let mut app = TestApp::with_office("").await;
    for length in [60, 70, 80, 90, 100, 900, 910, 920] {
        app.ticket(minutes(length));
    }
    app.turn().await;
    app.wait(TimeDelta::hours(10)).await;
    assert_eq!(app.now().format("%H:%M").to_string(), "19:00");
    let service = app.parts().service.clone();
    for sort in ["worst", "-worst"] {
        let seen = paged(&mut app, sort).await;
        assert_eq!((seen.len(), seen.iter().collect::<BTreeSet<_>>().len()), (8, 8), "{sort}: {seen:?}");
    }
    let (mut seen, mut cursor) = (Vec::new(), None);
    loop {
        let query = AlertQuery { limit: Some(2), cursor, ..AlertQuery::default() };
        let page = service.alerts(&Reach::All, &query).await.unwrap();
        seen.extend(page.alerts.into_iter().map(|alert| alert.id));
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
        app.wait(minutes(1)).await;
    }
    assert_eq!((seen.len(), seen.iter().collect::<BTreeSet<_>>().len()), (5, 5), "{seen:?}");
}

/// One service for acme and globex, where only acme has any tickets.
async fn two_tenants() -> (TestApp, String, [String; 2]) {
    let globex = "[tenants.globex]\nsubdomain = \"globex\"\nregion = \"eu\"\ntoken_env = \"TWILIO\"\n";
    let mut app = TestApp::with(globex).await;
    app.parts().syncs.pop();
    let new = |client: &str, technician: &str| NewTicket {
        client: text(client),
        technician: text(technician),
        resolution_due_in: Some(minutes(60)),
        ..usual()
    };
    app.superops.add(new("Globex Corporation", "Mateo Alvarez"));
    app.superops.add(new("Globex Corporation", "Mateo Alvarez"));
    app.superops.add(new("Initech Hosting", "Yuki Tanaka"));
    app.turn().await;
    app.wait(minutes(30)).await;
    app.wait(minutes(90)).await;
    let now = app.now();
    while app.parts().bookkeeping.turn(now).await.unwrap().tickets > 0 {}
    let (url, acme) = served(&mut app, Some("acme")).await;
    let globex = token(&mut app, Some("globex")).await;
    (app, url, [acme, globex])
}

async fn asked(url: &str, path: &str, token: &str) -> serde_json::Value {
    let answer = reqwest::Client::new().get(format!("{url}{path}")).bearer_auth(token).send().await.unwrap();
    assert_eq!(answer.status(), 200, "{path}");
    answer.json().await.unwrap()
}

/// What `path` lists, one on each page, as `of` reads it; and the cursor of the second page.
async fn one_by_one(
    (url, path, token): (&str, &str, &str),
    list: &str,
    of: impl Fn(&serde_json::Value) -> String,
) -> (Vec<String>, String) {
    let (mut found, mut cursors) = (Vec::new(), vec![String::new()]);
    while let Some(cursor) = cursors.last().filter(|cursor| *cursor != "null") {
        let page = asked(url, &format!("{path}&limit=1&cursor={cursor}"), token).await;
        found.extend(page[list].as_array().unwrap().iter().map(&of));
        cursors.push(page["next_cursor"].as_str().unwrap_or("null").to_owned());
    }
    (found, cursors.swap_remove(1))
}

#[tokio::test]
async fn messages_technicians_and_clients_are_sorted_page_by_page_and_show_nothing_of_another_tenant() {
    let (_app, url, [acme, globex]) = two_tenants().await;
    let name = |one: &serde_json::Value, key: &str| one[key].as_str().unwrap_or("none").to_owned();
    let key = |one: &serde_json::Value| format!("{} {}", name(one, "created_at"), name(one, "key"));
    let technician = |one: &serde_json::Value| name(one, "technician_name");
    let client = |one: &serde_json::Value| name(one, "client_name");
    let (latest, _) = one_by_one((&url, "/api/v1/messages?sort=-created", &acme), "messages", key).await;
    let (mut earliest, _) = one_by_one((&url, "/api/v1/messages?sort=created", &acme), "messages", key).await;
    assert!(earliest.is_sorted() && earliest.len() > 3, "{earliest:?}");
    earliest.reverse();
    assert_eq!(earliest, latest);
    let lists: [(&str, &str, &[&str]); 5] = [
        ("/api/v1/technicians?sort=name", "technicians", &["Mateo Alvarez", "Yuki Tanaka"]),
        ("/api/v1/technicians?sort=total", "technicians", &["Yuki Tanaka", "Mateo Alvarez"]),
        ("/api/v1/clients?sort=-name", "clients", &["Initech Hosting", "Globex Corporation"]),
        ("/api/v1/clients?sort=-breaches", "clients", &["Globex Corporation", "Initech Hosting"]),
        ("/api/v1/clients?anonymize=false", "clients", &["Globex Corporation", "Initech Hosting"]),
    ];
    for (path, list, expected) in lists {
        let of = |one: &serde_json::Value| if list == "clients" { client(one) } else { technician(one) };
        let (mut found, cursor) = one_by_one((&url, path, &acme), list, of).await;
        // The account has tickets of others as well.
        found.retain(|name| expected.contains(&name.as_str()));
        assert_eq!(found, expected, "{path}");
        let foreign = asked(&url, &format!("{path}&cursor={cursor}"), &globex).await;
        assert_eq!((&foreign[list], &foreign["next_cursor"]), (&json!([]), &json!(null)), "{path}");
        let unknown = reqwest::Client::new().get(format!("{url}{path}&cursor=7")).bearer_auth(&acme);
        let unknown = unknown.send().await.unwrap();
        assert_eq!(unknown.status(), 400, "{path}");
        assert_eq!(unknown.json::<serde_json::Value>().await.unwrap()["field"], "cursor", "{path}");
    }
    assert_eq!(asked(&url, "/api/v1/messages?sort=created", &globex).await["messages"], json!([]));
}

#[tokio::test]
async fn the_page_of_clients_sorts_by_a_click_on_a_head() {
    let (_app, url, [acme, _]) = two_tenants().await;
    let ask = async |path: &str| {
        let answer = reqwest::Client::new().get(format!("{url}{path}")).bearer_auth(&acme).send().await.unwrap();
        answer.text().await.unwrap()
    };
    let page = ask("/clients?sort=-name").await;
    assert!(page.find("Initech Hosting") < page.find("Globex Corporation"), "{page}");
    assert!(page.contains(r#"aria-sort="descending""#), "{page}");
    assert!(page.contains(r#"href="/clients?sort=name""#), "a second click turns it round: {page}");
    assert!(page.contains(r#"href="/clients?sort=%2Dbreaches""#), "{page}");
    assert!(page.contains(r#"name="sort" value="-name""#), "another period keeps the order: {page}");
    assert!(ask("/clients?sort=sideways").await.contains("must be one of tenant, name"));
}
