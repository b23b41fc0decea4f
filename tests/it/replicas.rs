//! A follower shows how the work of the leader goes as the leader itself does, and says so when it does not know.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use superops_sla::alert::suppression::SuppressionKind;
use superops_sla::answers::Followed;
use superops_sla::service::incidents::{IncidentOrder, SayingOrder};
use superops_sla::service::suppressions::SuppressionOrder;
use superops_sla::service::{LeaderHealth, Reach};
use superops_sla::simulator::NewTicket;
use superops_sla::simulator::fault::Fault;
use superops_sla::simulator::receivers::{CaughtKind, SmsReply};
use superops_sla::store::audit::Author;

use crate::support::{TestApp, minutes, usual};

/// Each message by itself, however many there are.
const BY_TEXT: &str = "[alerts.limits]\nbundle_from = 1000\nsms_per_number = []\n[[alerts.steps]]\nafter = '0s'\nnotify = ['technician']\nchannels = ['sms']\n";

/// A service that reports about itself.
const BACKUP: &str = "[components.backup]\n[[checks]]\ncomponent = \"backup\"\nheartbeat = true\ninterval = \"1h\"\n\
                      token_env = \"HOOK\"\n";

/// The channels that do not work, what is wrong with reading SuperOps, and what the audit has found.
type Shown = (Vec<String>, Option<String>, BTreeMap<&'static str, usize>);

async fn shown(app: &mut TestApp) -> Shown {
    let overview = app.parts().service.overview(&Reach::All).await.unwrap();
    let bad = overview.channels.iter().filter(|one| one.state != "up");
    let bad = bad.map(|one| format!("{} {}", one.channel, one.state)).collect();
    (bad, overview.tenants[0].trouble.clone(), overview.mismatches)
}

#[tokio::test]
async fn a_follower_shows_which_channel_is_down_why_superops_is_not_read_and_what_the_audit_found() {
    let mut app = TestApp::with_systems(BY_TEXT).await;
    for _ in 0..6 {
        app.superops.add(NewTicket { resolution_due_in: Some(minutes(5)), ..usual() });
    }
    app.turn().await;
    app.clock.advance(minutes(5) + TimeDelta::seconds(1));
    app.sms.reply(SmsReply::Error500);
    app.turn().await;
    app.superops.fail(Fault::Unauthorized, 1_000);
    app.clock.advance(minutes(2));
    let now = app.now();
    app.parts().syncs[0].turn(now).await.unwrap_err();
    let late = (now - minutes(3)).timestamp_millis();
    app.database.tamper(format!("UPDATE alerts SET next_step_at = {late}")).await;
    app.look_after().await;

    let by_leader = shown(&mut app).await;
    let (down, trouble, mismatches) = &by_leader;
    assert_eq!(*down, ["sms down"]);
    assert!(trouble.as_ref().is_some_and(|words| words.contains("put a valid token")), "{trouble:?}");
    assert!(mismatches.contains_key("late_step"), "{mismatches:?}");
    app.telling().turn().await.unwrap();
    app.resume_as_follower().await;
    assert_eq!(shown(&mut app).await, by_leader);
    app.clock.advance(minutes(4));
    let reasons = app.parts().service.ready().await.unwrap_err();
    assert!(reasons[0].contains("put a valid token"), "{reasons:?}");
}

#[tokio::test]
async fn a_follower_whose_leader_is_silent_says_so_and_not_that_channels_work() {
    let mut app = TestApp::start().await;
    app.turn().await;
    app.resume_as_follower().await;
    let never = "no replica has told yet how its work goes; check that one leads, and read its log";
    let both = ["email unknown", "sms unknown"].map(str::to_owned).to_vec();
    assert_eq!(shown(&mut app).await, (both.clone(), Some(never.to_owned()), BTreeMap::new()));

    app.restart().await;
    app.sync().await;
    app.telling().turn().await.unwrap();
    app.resume_as_follower().await;
    assert_eq!(shown(&mut app).await, (Vec::new(), None, BTreeMap::new()));
    app.parts().service.ready().await.unwrap();

    app.clock.advance(minutes(6));
    let silent = "the leading replica has not told for 6 min how its work goes; check that it runs, and read its log";
    assert_eq!(shown(&mut app).await, (both, Some(silent.to_owned()), BTreeMap::new()));
    let reasons = app.parts().service.ready().await.unwrap_err();
    assert!(reasons.contains(&silent.to_owned()), "{reasons:?}");
}

#[tokio::test]
async fn a_replica_whose_clock_is_far_off_from_the_databases_says_so_and_is_not_ready() {
    let mut app = TestApp::start().await;
    app.sync().await;
    app.telling().turn().await.unwrap();
    app.resume_as_follower().await;
    app.parts().store.note_clock_ahead(TimeDelta::seconds(-60));
    app.parts().service.ready().await.unwrap();
    app.parts().store.note_clock_ahead(TimeDelta::seconds(61));
    let reasons = app.parts().service.ready().await.unwrap_err();
    assert!(reasons[0].starts_with("this machine's clock is 61 s ahead of the database's;"), "{reasons:?}");
    assert_eq!(shown(&mut app).await.1.as_ref(), Some(&reasons[0]));
}

#[tokio::test]
async fn a_leader_whose_clock_is_far_behind_is_not_called_silent() {
    let mut app = TestApp::start().await;
    app.sync().await;
    app.parts().store.note_clock_ahead(-minutes(6));
    app.telling().turn().await.unwrap();
    // The follower's clock is right.
    app.clock.advance(minutes(6));
    app.resume_as_follower().await;
    assert_eq!(shown(&mut app).await, (Vec::new(), None, BTreeMap::new()));
    app.parts().service.ready().await.unwrap();
    app.clock.advance(minutes(6));
    let reasons = app.parts().service.ready().await.unwrap_err();
    assert!(reasons.iter().any(|one| one.starts_with("the leading replica has not told for 6 min")), "{reasons:?}");
}

#[tokio::test]
async fn what_is_reported_to_a_follower_is_stored_by_the_clock_of_the_leader() {
    let mut app = TestApp::with(BACKUP).await;
    app.parts().store.note_clock_ahead(TimeDelta::seconds(10));
    app.telling().turn().await.unwrap();
    app.resume_as_follower().await;
    app.parts().store.note_clock_ahead(TimeDelta::seconds(50));
    let (service, now) = (app.parts().service.clone(), app.now());
    let check = service.heartbeat_check("knock-knock").unwrap();
    assert!(service.heartbeat(check, false).await);
    let stored = app.parts().store.pushed().await.unwrap();
    assert_eq!(stored[0].outcome.at, (now - TimeDelta::seconds(40)).timestamp_millis());
}

#[tokio::test]
async fn a_silence_entered_on_a_follower_whose_clock_is_ahead_begins_at_once() {
    let mut app = TestApp::start().await;
    app.telling().turn().await.unwrap();
    app.resume_as_follower().await;
    app.parts().store.note_clock_ahead(TimeDelta::seconds(50));
    let order = SuppressionOrder {
        length: Some("1h".to_owned()),
        everything: true,
        reason: "the desk moves".to_owned(),
        ..SuppressionOrder::default()
    };
    let author = Author { who: "mia".to_owned(), origin: "127.0.0.1".to_owned() };
    let (service, now) = (app.parts().service.clone(), app.now());
    let silence = service.add_suppression(&Reach::All, SuppressionKind::Silence, order, author).await.unwrap().unwrap();
    assert_eq!(silence.from, now - TimeDelta::seconds(50));
}

#[tokio::test]
async fn an_answer_that_reaches_a_follower_is_stored_by_the_clock_of_the_leader() {
    let mut app = TestApp::with_replies("").await;
    app.ticket(minutes(60));
    app.turn().await;
    app.wait(minutes(60) + TimeDelta::seconds(1)).await;
    let mail = app.caught.newest_first(100).into_iter().find(|caught| caught.kind == CaughtKind::Email).unwrap();
    let token = mail.text.split_once("/a/").and_then(|(_, after)| after.split_whitespace().next()).unwrap();
    app.telling().turn().await.unwrap();
    app.resume_as_follower().await;
    app.clock.advance(minutes(2));
    app.parts().store.note_clock_ahead(TimeDelta::seconds(50));
    let (answers, at) = (app.parts().answers.clone(), app.now() - TimeDelta::seconds(50));
    let Followed::Acknowledged(linked) = answers.follow(token).await.unwrap() else { panic!("it was not used before") };
    assert_eq!(linked.now, at);
    let audited = app.database.texts("SELECT CAST(MAX(at) AS TEXT) FROM audit").await;
    assert_eq!(audited, [at.timestamp_millis().to_string()]);
}

#[tokio::test]
async fn an_incident_entered_on_a_follower_is_stored_by_the_clock_of_the_leader() {
    let mut app = TestApp::with(BACKUP).await;
    app.telling().turn().await.unwrap();
    app.resume_as_follower().await;
    app.parts().store.note_clock_ahead(TimeDelta::seconds(50));
    let (service, at) = (app.parts().service.clone(), app.now() - TimeDelta::seconds(50));
    let author = || Author { who: "mia".to_owned(), origin: "127.0.0.1".to_owned() };
    let order = IncidentOrder {
        title: "The backup is slow".to_owned(),
        components: vec!["backup".to_owned()],
        ..IncidentOrder::default()
    };
    let opened = service.open_incident(&Reach::All, order, author()).await.unwrap();
    assert_eq!((opened.started_at, opened.updates[0].at), (at, at));
    let order = SayingOrder { status: Some("resolved".to_owned()), ..SayingOrder::default() };
    let ended = service.say_of_incident(&Reach::All, &opened.id, order, author()).await.unwrap().unwrap();
    assert_eq!(ended.resolved_at, Some(at));
}

#[tokio::test]
async fn a_leader_tells_at_once_what_changes_and_once_a_minute_that_nothing_does() {
    let mut app = TestApp::start().await;
    app.turn().await;
    let (mut telling, store) = (app.telling(), app.parts().store.clone());
    let told_at = async || store.leader_health::<LeaderHealth>().await.unwrap().map(|(at, _)| at);
    assert_eq!(told_at().await, None);
    let began = app.now();
    telling.turn().await.unwrap();
    assert_eq!(told_at().await, Some(began));
    app.clock.advance(TimeDelta::seconds(59));
    telling.turn().await.unwrap();
    assert_eq!(told_at().await, Some(began), "nothing is written in vain");
    app.clock.advance(TimeDelta::seconds(1));
    telling.turn().await.unwrap();
    assert_eq!(told_at().await, Some(app.now()));

    app.clock.advance(TimeDelta::seconds(5));
    app.superops.fail(Fault::Unauthorized, 1_000);
    let now = app.now();
    app.parts().syncs[0].turn(now).await.unwrap_err();
    telling.turn().await.unwrap();
    assert_eq!(told_at().await, Some(now));
}
