//! What is past goes at its age, and what still matters stays.

use chrono::TimeDelta;
use serde_json::Value;
use superops_sla::config::Past;
use superops_sla::keys::ring::KeyRing;
use superops_sla::service::Reach;
use superops_sla::store::{At, Place as StorePlace, Store};

use crate::binary::Place;
use crate::database;
use crate::support::TestApp;

#[tokio::test]
async fn in_its_turn_goes_what_was_said_of_a_closed_ticket_long_ago_and_nothing_of_an_open_one() {
    let mut app = TestApp::start().await;
    let (closed, open) = (app.ticket(TimeDelta::hours(4)), app.ticket(TimeDelta::hours(4)));
    app.turn().await;
    app.wait(TimeDelta::hours(3)).await;
    app.superops.change_status(&closed, "Resolved");
    app.wait(TimeDelta::minutes(1)).await;
    let said_of = async |app: &mut TestApp, id: &str| {
        app.outbox().await.iter().filter(|row| row.leased.notification.ticket_id.as_deref() == Some(id)).count()
    };
    let (said, said_before) = (said_of(&mut app, &closed).await, said_of(&mut app, &open).await);
    assert!(said > 0 && said_before > 0);
    let weeks = app.parts().service.weekly(&Reach::All, None).await.unwrap().weeks;
    assert!(!weeks.is_empty());

    let young = app.now() + TimeDelta::days(399);
    assert!(app.parts().retention.turn(young).await.unwrap().values().all(|rows| *rows == 0), "nothing is old yet");
    let gone = app.parts().retention.turn(young + TimeDelta::days(2)).await.unwrap();
    assert_eq!(gone[&Past::Messages], said as u64, "{gone:?}");
    assert!(gone[&Past::Events] > 0 && gone[&Past::Attempts] > 0, "{gone:?}");
    assert_eq!((said_of(&mut app, &closed).await, said_of(&mut app, &open).await), (0, said_before));
    let kept = app.parts().service.weekly(&Reach::All, None).await.unwrap().weeks;
    assert_eq!(format!("{kept:?}"), format!("{weeks:?}"), "the figures of a week need nothing of what they counted");
    app.wait(TimeDelta::minutes(1)).await;
    assert_eq!(said_of(&mut app, &closed).await, 0, "and nothing of it is said again");
}

#[tokio::test]
async fn what_was_stored_before_there_was_a_key_is_encrypted_in_the_night_and_then_left_alone() {
    let mut app = TestApp::start().await;
    let ticket = app.ticket(TimeDelta::hours(4));
    app.turn().await;
    let key = "1f".repeat(32);
    let id = KeyRing::parse(&key).unwrap().first().unwrap().to_owned();
    let others = format!("SELECT id FROM tickets WHERE ticket NOT LIKE 'sealed:1:{id}:%'");
    app.resume_with_keys(&key).await;
    let plain = app.database.texts(&others).await;
    assert!(plain.contains(&ticket), "{plain:?}");

    let night = app.now();
    app.parts().retention.night(night).await;
    assert!(app.database.texts(&others).await.is_empty());
    let directories = "SELECT directory FROM directories";
    assert!(app.database.texts(directories).await.iter().all(|text| text.starts_with(&format!("sealed:1:{id}:"))));
    assert_eq!(app.parts().store.turned_to(&id).await.unwrap(), Some(night));

    // Under another first key it begins anew.
    let other = "2f".repeat(32);
    app.resume_with_keys(&format!("{other},{key}")).await;
    assert_eq!(app.parts().store.turned_to(&id).await.unwrap(), None);
    app.parts().retention.night(night).await;
    assert_eq!(app.database.texts(&others).await.len(), plain.len());
}

#[tokio::test]
async fn nothing_is_encrypted_at_night_with_a_key_that_a_service_at_work_does_not_hold() {
    let mut app = TestApp::start().await;
    app.ticket(TimeDelta::hours(4));
    app.turn().await;
    let key = "1f".repeat(32);
    let id = KeyRing::parse(&key).unwrap().first().unwrap().to_owned();
    app.resume_with_keys(&key).await;
    // On a server this takes a second replica.
    let Some(file) = app.database.file() else { return };
    let lock = file.with_added_extension("lock");
    let held = std::fs::read_to_string(&lock).unwrap();
    assert!(held.lines().any(|line| line == id), "{held}");
    std::fs::write(&lock, "0a0b0c0d\n").unwrap();
    let night = app.now();
    app.parts().retention.night(night).await;
    assert_eq!(app.parts().store.turned_to(&id).await.unwrap(), None);
    std::fs::write(&lock, held).unwrap();
    app.parts().retention.night(night).await;
    assert_eq!(app.parts().store.turned_to(&id).await.unwrap(), Some(night));
}

#[tokio::test]
async fn messages_whose_key_a_service_does_not_hold_wait_for_it_and_readiness_says_which() {
    let mut app = TestApp::start().await;
    let (old, both) = ("1f".repeat(32), format!("{}\n{}", "2f".repeat(32), "1f".repeat(32)));
    let new = KeyRing::parse(&both).unwrap().first().unwrap().to_owned();
    app.resume_with_keys(&old).await;
    app.ticket(TimeDelta::hours(1));
    app.turn().await;
    app.heard();
    app.clock.advance(TimeDelta::minutes(61));
    app.sync().await;
    app.evaluate().await;
    let states = "SELECT DISTINCT state || ' ' || attempts FROM notifications WHERE stage = 'breached'";
    assert_eq!(app.database.texts(states).await, ["pending 0"]);

    // Somebody turns all of it to another key meanwhile, and does not ask who is at work.
    if let Some(file) = app.database.file() {
        std::fs::write(file.with_added_extension("lock"), format!("{new}\n")).unwrap();
    }
    let keys = format!("{both}\n{}", database::key().unwrap_or_default());
    let at = At { place: StorePlace::from(&app.config().store), keys: KeyRing::parse(&keys).unwrap().into() };
    let beside = Store::open(at.clone(), Default::default()).await.unwrap();
    assert!(beside.turn_to_first_key(&at.place, &at.keys, |_, _| ()).await.unwrap().is_whole());
    beside.close().await;
    app.dispatch().await;
    app.clock.advance(TimeDelta::minutes(1));
    app.dispatch().await;
    assert_eq!((app.said(), app.database.texts(states).await), (String::new(), vec!["pending 0".to_owned()]));
    let reasons = app.parts().service.ready().await.unwrap_err().join("; ");
    assert!(reasons.contains(&new), "{reasons}");

    // What was read of old is not taken for broken either.
    let acme = superops_sla::ticket::TenantId::parse("acme").unwrap();
    assert!(app.parts().store.alerts(&acme).await.is_err());
    assert!(app.database.texts("SELECT kind FROM set_aside").await.is_empty());

    app.resume_with_keys(&both).await;
    app.clock.advance(TimeDelta::minutes(1));
    app.dispatch().await;
    assert!(app.said().contains("email "), "once the key is there it goes out");
    assert_eq!(app.database.texts(states).await, ["sent 1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_says_what_would_go_then_lets_it_go_and_then_finds_nothing() {
    let place = Place::new().await;
    // Each of these leaves a row in the audit log.
    for _ in 0..3 {
        assert!(place.ask(&["token", "create", "--role", "viewer"]).status.success());
    }
    let store = format!("sqlite://{}", place.store().display());
    let pool = sqlx::SqlitePool::connect(&store).await.unwrap();
    sqlx::query("UPDATE audit SET at = 0 WHERE id <= 2").execute(&pool).await.unwrap();
    pool.close().await;
    let audit = |arguments: &[&str]| -> (bool, u64) {
        let output = place.ask(arguments);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
        let line = answer["past"].as_array().unwrap().iter().find(|line| line["what"] == "audit").unwrap();
        (answer["dry_run"].as_bool().unwrap(), line["rows"].as_u64().unwrap())
    };
    for _ in 0..2 {
        assert_eq!(audit(&["retention", "--dry-run", "--json"]), (true, 2), "to ask takes nothing away");
    }
    assert_eq!(audit(&["retention", "--json"]), (false, 2));
    assert_eq!(audit(&["retention", "--json"]), (false, 0));
    let said = String::from_utf8(place.ask(&["retention", "--dry-run"]).stdout).unwrap();
    assert!(said.starts_with("WHAT") && said.contains("ROWS THAT WOULD GO"), "{said}");
}
