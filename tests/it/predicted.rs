//! Breaches that are foreseen: learned from the desk's own past, told early, once, and within a day's budget.

use chrono::TimeDelta;
use superops_sla::service::Reach;
use superops_sla::service::forecast::AlertWeek;
use superops_sla::service::overrides::OverrideOrder;
use superops_sla::simulator::NewTicket;
use superops_sla::store::tokens::Author;
use superops_sla::ticket::ClockKind;

use crate::support::{TestApp, minutes, usual};

/// Every ticket of the tests is promised this.
const PROMISED: TimeDelta = TimeDelta::hours(8);
/// More than the forecast needs before it speaks.
const PAST: i32 = 500;

fn of_trade(slow: bool) -> NewTicket {
    let (category, technician, group) =
        if slow { ("Backup", "Luca Bianchi", "Network") } else { ("Email", "Mateo Alvarez", "Service Desk L1") };
    let text = |text: &str| Some(text.to_owned());
    NewTicket { category: text(category), technician: text(technician), group: text(group), ..usual() }
}

/// A ticket that is done; slow ones took longer than was promised, nine times in ten.
fn done(number: i32) -> NewTicket {
    let slow = number % 2 == 0;
    worked(number, -TimeDelta::hours(1400) + minutes(92) * number, slow != (number % 20 < 2))
}

fn worked(number: i32, created: TimeDelta, late: bool) -> NewTicket {
    let took = if late { TimeDelta::hours(11) } else { TimeDelta::hours(3) } + minutes(i64::from(number % 7) * 5);
    NewTicket {
        status: Some("Closed".into()),
        created_in: created,
        resolution_due_in: Some(created + PROMISED),
        resolved_in: Some(created + took),
        ..of_trade(number % 2 == 0)
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
    let page = app.parts().service.tickets(&Reach::All, &Default::default()).await.unwrap();
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
async fn who_is_given_a_likely_breach_hears_what_the_forecast_says_of_it_now() {
    let mut app = desk("", 1, 0).await;
    assert_eq!(foresee(&mut app).await.len(), 1);
    let id = app.parts().service.tickets(&Reach::All, &Default::default()).await.unwrap().tickets[0].ticket_id.clone();
    let ingrid = NewTicket { technician: Some("Ingrid Sørensen".into()), ..NewTicket::default() };
    let ingrid = app.superops.add(ingrid);
    let owner = app.superops.ticket(&ingrid).unwrap().technician;
    app.superops.patch(&id, |ticket| ticket.technician = owner);
    app.clock.advance(minutes(5));
    app.sync().await;
    app.settle().await;
    assert_eq!(app.said(), "", "what the forecast says is still about the former owner");
    let told = foresee(&mut app).await;
    let found = app.parts().service.ticket(&Reach::All, &id).await.unwrap().unwrap();
    let clock = found.clocks.into_iter().find(|clock| clock.clock == ClockKind::Resolution).unwrap();
    let said = clock.forecast.unwrap();
    assert_eq!(told.len(), 1, "{told:?}");
    let words = told[0].split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains(&format!("a breach is {:.0} % likely", said.probability * 100.0)), "{words}");
    assert!(said.reasons.iter().all(|reason| words.contains(&**reason)), "{:?}: {words}", said.reasons);
}

#[tokio::test]
async fn half_of_the_budget_is_spent_in_the_morning_and_a_restart_does_not_renew_it() {
    let mut app = desk("[alerts]\npredict_per_day = 4\n", 6, 2).await;
    // Each is told to its owner; the steps after that come later.
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
    let page = app.parts().service.tickets(&Reach::All, &Default::default()).await.unwrap();
    let said = page.tickets[0].clocks[1].forecast.as_ref().unwrap();
    assert_eq!(said.basis, "survival", "what it says rests on next to nothing, and it says so");
}

#[tokio::test]
async fn the_record_holds_what_was_told_and_what_came_of_it_and_outlives_a_restart() {
    let mut app = desk("", 1, 0).await;
    assert_eq!(foresee(&mut app).await.len(), 1);
    // A quarter of its time has run: what is said now is noted.
    app.clock.advance(TimeDelta::hours(1));
    app.predict().await;
    app.clock.advance(TimeDelta::hours(7));
    app.sync().await;
    app.predict().await;
    let record = app.parts().service.forecast_record(&Reach::All).await.unwrap();
    let tenant = &record.tenants[0];
    assert_eq!((tenant.alerts.told, tenant.alerts.came_true), (1, 1));
    assert_eq!(tenant.alerts.median_lead, Some(7 * 3600));
    let monday = "2026-11-23".parse().unwrap();
    assert_eq!(tenant.alerts.weeks, [AlertWeek { begins: monday, raised: 1, came_true: 1, did_not: 0 }]);
    assert_eq!((tenant.shown.predictions, tenant.shown.breached), (1, 1));
    assert_eq!((tenant.shown.weeks[0].begins, tenant.shown.weeks[0].predictions), (monday, 1));
    assert!(tenant.clocks[1].rehearsed.predictions > 0, "the past was rehearsed");
    let finishes = tenant.clocks[1].finishes.unwrap();
    assert!(finishes.clocks > 200 && (0.0..=1.0).contains(&finishes.covered) && finishes.mean_off > 0, "{finishes:?}");

    app.restart().await;
    let again = app.parts().service.forecast_record(&Reach::All).await.unwrap();
    assert_eq!(again.tenants[0].alerts.weeks, tenant.alerts.weeks);
    assert_eq!(again.tenants[0].shown, tenant.shown);
}

#[tokio::test]
async fn an_alert_whose_clock_was_called_off_stays_on_the_record() {
    let mut app = desk("", 1, 0).await;
    assert_eq!(foresee(&mut app).await.len(), 1);
    let acme = "acme".to_owned().try_into().unwrap();
    let store = app.parts().store.clone();
    let open = store.undecided_predictions(&acme).await.unwrap();
    assert_eq!(open.len(), 1);
    store.save_predictions(&acme, Vec::new(), vec![(open[0].subject.clone(), None)]).await.unwrap();
    assert_eq!(store.undecided_predictions(&acme).await.unwrap(), [], "it waits for nothing any more");
    let record = app.parts().service.forecast_record(&Reach::All).await.unwrap();
    let week = &record.tenants[0].alerts.weeks[0];
    assert_eq!((week.raised, week.came_true, week.did_not), (1, 0, 0));
}

/// `count` tickets up to now, one every `apart`, of which those of the quick trade are late and the slow ones in time.
fn upside_down(count: i32, apart: TimeDelta) -> impl Iterator<Item = NewTicket> {
    (0..count).map(move |number| worked(number, -TimeDelta::hours(14) - apart * (count - number), number % 2 == 1))
}

/// Whether the forecast of the resolution is trusted: by the record, the front page's figures and Prometheus.
async fn trusted(app: &mut TestApp) -> bool {
    let service = app.parts().service.clone();
    let record = service.forecast_record(&Reach::All).await.unwrap().tenants.remove(0).clocks.remove(1);
    let health = service.overview(&Reach::All).await.unwrap().tenants.remove(0);
    let figures = app.parts().telemetry.render();
    let figure = figures
        .lines()
        .find(|line| line.starts_with("superops_sla_forecast_trusted") && line.contains("clock=\"resolution\""));
    assert!(figure.unwrap().ends_with(if record.trusted { " 1" } else { " 0" }), "{figure:?}");
    let words = health.forecast.unwrap_or_default();
    assert_eq!(
        words.starts_with("Predictions paused: recently inaccurate (resolution: error "),
        !record.trusted,
        "{words}"
    );
    assert_eq!(record.recent_error.is_some_and(|error| error > 0.08), !record.trusted);
    record.trusted
}

#[tokio::test]
async fn a_forecast_that_was_wrong_lately_steps_back_says_so_and_comes_back() {
    let mut app = TestApp::with("").await;
    // It is judged on the latest 500 outcomes of which a model said something, and the first 200 make the model.
    (0..PAST + 300).for_each(|number| drop(app.superops.add(done(number))));
    app.superops.add(open(true));
    app.sync().await;
    app.settle().await;
    assert_eq!(foresee(&mut app).await.len(), 1);
    assert!(trusted(&mut app).await);

    app.clock.advance(TimeDelta::days(8));
    upside_down(400, minutes(2)).for_each(|ticket| drop(app.superops.add(ticket)));
    (0..3).for_each(|number| drop(app.superops.add(open(number < 2))));
    app.turn().await;
    app.heard();
    assert_eq!(foresee(&mut app).await.len(), 0, "nobody is told by a forecast that is not trusted");
    assert!(!trusted(&mut app).await);
    app.clock.advance(TimeDelta::days(35));
    upside_down(600, minutes(80)).for_each(|ticket| drop(app.superops.add(ticket)));
    app.superops.add(open(false));
    app.turn().await;
    app.heard();
    assert_eq!(foresee(&mut app).await.len(), 1, "it has learned which trade is slow now");
    assert!(trusted(&mut app).await);
}

/// Luca's group is Network; out of its hours only Ingrid is on call.
const SHIFTS: &str = "
[on_call.nights]
timezone = \"UTC\"
[[on_call.nights.layers]]
people = [\"Ingrid Sørensen\"]
starts = \"2026-11-01T00:00\"
every = \"7d\"
";

#[tokio::test]
async fn the_advice_names_who_is_on_call_and_says_so() {
    let mut app = desk(SHIFTS, 1, 0).await;
    let told = foresee(&mut app).await;
    assert!(
        told[0].contains("hand it to Ingrid Sørensen of Network, who is on call and has 0 open tickets"),
        "{}",
        told[0]
    );
}

#[tokio::test]
async fn of_shifts_that_nobody_wrote_down_nothing_is_said() {
    let mut app = desk("", 1, 0).await;
    let told = foresee(&mut app).await;
    assert!(told[0].contains("hand it to Ingrid Sørensen of Network, who has 0 open tickets"), "{}", told[0]);
}

#[tokio::test]
async fn a_due_time_set_by_hand_is_the_forecasts_as_well() {
    let mut app = desk("", 1, 0).await;
    app.predict().await;
    let page = app.parts().service.tickets(&Reach::All, &Default::default()).await.unwrap();
    let ticket = page.tickets[0].ticket_id.clone();
    let first_reason = async |app: &mut TestApp| {
        let found = app.parts().service.ticket(&Reach::All, &ticket).await.unwrap().unwrap();
        let clock = found.clocks.into_iter().find(|clock| clock.clock == ClockKind::Resolution).unwrap();
        (clock.elapsed_share.unwrap(), clock.forecast.unwrap().reasons)
    };
    let (share, _) = first_reason(&mut app).await;
    assert_eq!(format!("{share:.3}"), "0.125");
    let order = OverrideOrder {
        clock: ClockKind::Resolution,
        due: Some(app.now() + TimeDelta::hours(1)),
        stopped_at: None,
        cancelled: false,
        reason: "agreed with the client".to_owned(),
    };
    let author = Author { who: "mia".to_owned(), origin: "a test".to_owned() };
    app.parts().service.decide(&Reach::All, &ticket, order, author).await.unwrap().unwrap();
    app.predict().await;
    let (share, reasons) = first_reason(&mut app).await;
    assert_eq!(format!("{share:.3}"), "0.500");
    assert!(
        reasons.iter().all(|reason| !reason.contains("of the time has run") || reason.contains("50 %")),
        "{reasons:?}"
    );
}
