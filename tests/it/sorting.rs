//! Lists in the order that is asked for, whole and page by page.

use chrono::{DateTime, TimeDelta, Utc};
use superops_sla::alert::life::{Act, Actor, How};
use superops_sla::service::alerts::AlertQuery;
use superops_sla::service::audit::AuditQuery;
use superops_sla::service::breaches::BreachQuery;
use superops_sla::service::described::ORDERS;
use superops_sla::service::{Reach, TicketQuery};
use superops_sla::store::latest::Way;

use crate::support::{TestApp, minutes};

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

#[tokio::test]
async fn pages_of_tickets_hold_each_one_once_though_superops_was_asked_again_between_them() {
    let mut app = TestApp::start().await;
    for _ in 0..5 {
        app.ticket(minutes(600));
    }
    app.turn().await;
    let service = app.parts().service.clone();
    for sort in ORDERS {
        let (mut seen, mut cursor) = (Vec::new(), None);
        loop {
            let query = TicketQuery { sort: text(sort), limit: Some(2), cursor, ..TicketQuery::default() };
            let page = service.tickets(&Reach::All, &query).await.unwrap();
            seen.extend(page.tickets.into_iter().map(|ticket| ticket.ticket_id));
            cursor = page.next_cursor;
            if cursor.is_none() {
                break;
            }
            app.wait(minutes(1)).await;
        }
        seen.sort_unstable();
        let all = seen.len();
        seen.dedup();
        assert_eq!((all, seen.len()), (5, 5), "{sort}: {seen:?}");
    }
}
