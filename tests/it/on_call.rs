//! A step that names an on-call rotation reaches whoever is on call when it fires.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use futures_util::future::join_all;
use superops_sla::alert::on_call::Person;
use superops_sla::store::audit::Author;
use superops_sla::store::on_call::NewOverride;

use superops_sla::alert::suppression::SuppressionKind;
use superops_sla::service::Reach;
use superops_sla::service::on_call::OverrideRequest;
use superops_sla::service::suppressions::SuppressionOrder;

use crate::support::{TestApp, minutes};

/// Ann until 09:30 on the Monday of the tests, then Bob; after five minutes the duty mailbox.
const ROTATION: &str = "
[[alerts.steps]]
after = \"0s\"
notify = [\"on-call:main\"]
channels = [\"email\"]
[[alerts.steps]]
after = \"5m\"
notify = [\"email:duty@example.com\"]
[on_call.main]
timezone = \"UTC\"
[[on_call.main.layers]]
people = [\"email:ann@example.com\", \"email:bob@example.com\"]
starts = \"STARTS\"
every = \"1d\"
";

async fn app(starts: &str) -> TestApp {
    TestApp::with(&ROTATION.replace("STARTS", starts)).await
}

#[tokio::test]
async fn whoever_has_taken_over_when_the_step_fires_is_told() {
    let mut app = app("2026-11-22T09:30").await;
    app.ticket(minutes(40));
    app.turn().await;
    app.wait(minutes(29)).await;
    assert_eq!(app.said(), "", "not at risk yet");
    app.wait(minutes(2)).await;
    let said = app.said();
    assert!(said.contains("bob@example.com") && !said.contains("ann@example.com"), "{said}");
}

#[tokio::test]
async fn with_nobody_on_call_the_next_step_is_run_at_once() {
    let mut app = app("2027-01-01T09:00").await;
    app.ticket(minutes(40));
    app.turn().await;
    app.wait(minutes(31)).await;
    let said = app.said();
    assert!(said.contains("duty@example.com"), "{said}");
}

#[tokio::test]
async fn a_stand_in_that_is_asked_for_several_times_at_once_is_made_once() {
    let mut app = app("2026-11-22T09:30").await;
    let (store, now) = (app.parts().store.clone(), app.now());
    let asked = |name: &str, hours| {
        let new = NewOverride {
            rotation: "main".to_owned(),
            tenant: None,
            person: Person::parse(name),
            from: now,
            until: now + TimeDelta::hours(hours),
            before: Vec::new(),
        };
        store.add_override(new, Author { who: "Mia".to_owned(), origin: "page".to_owned() }, now)
    };
    let made = join_all((0..6).map(|_| asked("email:eve@example.com", 8))).await;
    let ids: BTreeSet<String> = made.into_iter().map(|row| row.unwrap().stand_in.id).collect();
    assert_eq!(ids.len(), 1, "all are answered with the one");
    asked("email:eve@example.com", 9).await.unwrap();
    asked("email:bob@example.com", 8).await.unwrap();
    assert_eq!(store.overrides_from(now).await.unwrap().len(), 3);
    let audit = app.database.texts("SELECT what FROM audit WHERE what LIKE 'override %' ORDER BY id").await;
    assert_eq!(audit.len(), 3, "{audit:?}");
}

#[tokio::test]
async fn who_shares_a_name_or_mistypes_an_address_is_asked_who_is_meant() {
    let mut app = app("2026-11-22T09:30").await;
    app.turn().await;
    let known = app.database.texts("SELECT directory FROM directories").await.remove(0);
    app.stop().await;
    let two = known.replace("Yuki Tanaka", "Mateo Alvarez").replace('\'', "''");
    app.database.tamper(&format!("UPDATE directories SET directory = '{two}'")).await;
    app.resume().await;
    let service = app.parts().service.clone();
    let author = || Author { who: "Mia".to_owned(), origin: "a test".to_owned() };
    let refused = async |person: &str| {
        let (from, until) = ("2026-11-24T09:00".to_owned(), "2026-11-24T12:00".to_owned());
        let request = OverrideRequest { rotation: "main".to_owned(), person: person.to_owned(), from, until };
        service.add_override(&Reach::All, &request, author()).await.err().map(|error| error.to_string())
    };
    insta::assert_snapshot!(refused("mateo alvarez").await.unwrap(), @"`person` is the name of several technicians: give the email address, or the id (5120044817230462976, 5120044817230462978)");
    insta::assert_snapshot!(refused("mateo.alvares@example.com").await.unwrap(), @"`person` is not a technician's address: check its spelling, or write email:ADDRESS to use it anyway");
    assert_eq!(refused("mateo.alvarez@example.com").await, None, "one of them alone has it");
    assert_eq!(refused("email:duty@example.com").await, None, "it is meant");
    let order = SuppressionOrder {
        technician: Some("Mateo Alvarez".to_owned()),
        length: Some("1h".to_owned()),
        reason: "away".to_owned(),
        ..SuppressionOrder::default()
    };
    let silence = service.add_suppression(&Reach::All, SuppressionKind::Silence, order, author()).await;
    insta::assert_snapshot!(silence.unwrap_err(), @"`technician`: several of acme are called `Mateo Alvarez`: give the id (5120044817230462976, 5120044817230462978)");
}
