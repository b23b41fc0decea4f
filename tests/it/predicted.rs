//! Breaches that are foreseen: learned from the desk's own past, told early, once, and within a day's budget.

use chrono::TimeDelta;
use superops_sla::service::Scope;
use superops_sla::simulator::NewTicket;

use crate::support::{TestApp, minutes, usual};

/// Every ticket of the tests is promised this.
const PROMISED: TimeDelta = TimeDelta::hours(8);
/// More than the forecast needs before it speaks.
const PAST: i32 = 900;

fn of_trade(slow: bool) -> NewTicket {
    let (category, technician) = if slow { ("Backup", "Luca Bianchi") } else { ("Email", "Mateo Alvarez") };
    NewTicket { category: Some(category.into()), technician: Some(technician.into()), ..usual() }
}

/// A ticket that was done `ago`; slow ones take longer than was promised, nine times in ten.
fn done(number: i32) -> NewTicket {
    let slow = number % 2 == 0;
    let late = slow != (number % 20 < 2);
    let created = -TimeDelta::hours(1400) + minutes(92) * number;
    let took = if late { TimeDelta::hours(11) } else { TimeDelta::hours(3) } + minutes(i64::from(number % 7) * 5);
    NewTicket {
        status: Some("Closed".into()),
        created_in: created,
        resolution_due_in: Some(created + PROMISED),
        resolved_in: Some(created + took),
        ..of_trade(slow)
    }
}

/// A ticket opened an hour ago.
fn open(slow: bool) -> NewTicket {
    let created = -minutes(60);
    NewTicket { created_in: created, resolution_due_in: Some(created + PROMISED), ..of_trade(slow) }
}

/// With a past to learn from, and `slow` and `quick` open tickets that have been read.
async fn desk(more: &str, slow: usize, quick: usize) -> TestApp {
    let mut app = TestApp::with(more).await;
    for number in 0..PAST {
        app.superops.add(done(number));
    }
    for number in 0..slow + quick {
        app.superops.add(open(number < slow));
    }
    app.sync().await;
    app.settle().await;
    app.heard();
    app
}

async fn foresee(app: &mut TestApp) -> Vec<String> {
    app.predict().await;
    app.settle().await;
    app.heard().iter().filter(|mail| mail.text.contains("Likely to breach")).map(|mail| mail.text.clone()).collect()
}

#[tokio::test]
async fn a_likely_breach_is_told_once_with_what_to_do_and_rises_to_a_warning() {
    let mut app = desk("", 1, 3).await;
    let told = foresee(&mut app).await;
    let page = app.parts().service.tickets(&Scope::All, &Default::default()).await.unwrap();
    let chances: Vec<_> =
        page.tickets.iter().map(|ticket| (ticket.technician.clone(), ticket.breach_probability)).collect();
    assert_eq!(told.len(), 1, "the slow one, and none of the quick: {chances:?}");
    assert!(told[0].contains("% likely"), "{}", told[0]);
    assert!(told[0].contains("What to do"), "{}", told[0]);
    assert_eq!(foresee(&mut app).await.len(), 0, "once is enough");

    app.clock.advance(TimeDelta::hours(5) + minutes(1));
    app.turn().await;
    assert!(app.said().contains("At risk"), "the clock speaks for itself when its time has come");
}

#[tokio::test]
async fn half_of_the_budget_is_spent_in_the_morning_and_a_restart_does_not_renew_it() {
    let mut app = desk("[alerts]\npredict_per_day = 4\n", 6, 2).await;
    // Each is told to its owner; the rungs after that come later.
    assert_eq!(foresee(&mut app).await.len(), 2);
    app.restart().await;
    assert_eq!(foresee(&mut app).await.len(), 0);
    app.clock.advance(TimeDelta::hours(4));
    app.sync().await;
    app.predict().await;
    let record = app.parts().store.predictions_told(&"acme".to_owned().try_into().unwrap(), app_midnight()).await;
    assert_eq!(record.unwrap(), 3, "half of the other half is earned by one o'clock");
}

fn app_midnight() -> chrono::DateTime<chrono::Utc> {
    "2026-11-23T00:00:00Z".parse().unwrap()
}

#[tokio::test]
async fn a_threshold_tells_all_that_are_likely_enough() {
    let mut app = desk("[alerts]\npredict_at = 0.6\n", 6, 2).await;
    foresee(&mut app).await;
    // One message tells of all six: a storm is bundled.
    let acme = "acme".to_owned().try_into().unwrap();
    assert_eq!(app.parts().store.predictions_told(&acme, app_midnight()).await.unwrap(), 6);
}

#[tokio::test]
async fn a_desk_without_a_past_is_not_predicted() {
    let mut app = TestApp::start().await;
    app.superops.add(open(true));
    app.sync().await;
    assert_eq!(foresee(&mut app).await, Vec::<String>::new());
    let page = app.parts().service.tickets(&Scope::All, &Default::default()).await.unwrap();
    let said = page.tickets[0].clocks[1].forecast.as_ref().unwrap();
    assert_eq!(said.basis, "survival", "what it says rests on next to nothing, and it says so");
}

#[tokio::test]
async fn the_record_holds_what_was_told_and_what_came_of_it() {
    let mut app = desk("", 1, 0).await;
    assert_eq!(foresee(&mut app).await.len(), 1);
    app.clock.advance(TimeDelta::hours(8));
    app.sync().await;
    app.predict().await;
    let record = app.parts().service.forecast_record(&Scope::All).await.unwrap();
    let tenant = &record.tenants[0];
    assert_eq!((tenant.alerts.told, tenant.alerts.came_true), (1, 1));
    assert_eq!(tenant.alerts.median_lead, Some(7 * 3600));
    assert!(tenant.clocks[1].rehearsed.predictions > 0, "the past was rehearsed");
}
