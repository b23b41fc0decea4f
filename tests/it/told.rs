//! Nobody is forgotten, and nothing is said twice, too late, or to whom it does not concern any more.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use chrono::TimeDelta;
use sqlx::{Connection, Executor, SqliteConnection};
use superops_sla::alert::escalation::ChannelKind;
use superops_sla::alert::life::{Act, Actor, How};
use superops_sla::dispatch::Dispatch;
use superops_sla::notify::{Body, Message, Notifier, Receipt, SendError};
use superops_sla::simulator::NewTicket;
use superops_sla::simulator::receivers::MailReply;
use superops_sla::store::Store;
use superops_sla::store::alerts::id_of;
use tokio::sync::Notify;

use crate::support::{TestApp, minutes, usual};

/// At risk after three quarters of these eight hours.
const LENGTH: TimeDelta = TimeDelta::hours(8);
/// A lease is shorter.
const LEASE_OVER: TimeDelta = TimeDelta::seconds(31);
/// Longer than any wait between two attempts.
const NEXT_TRY: TimeDelta = TimeDelta::minutes(7);
const THEN_DUTY: &str = "[[alerts.steps]]\nafter = '0s'\nnotify = ['technician']\n\
    [[alerts.steps]]\nafter = '1h'\nnotify = ['email:duty@example.com']\n";

fn of(technician: Option<&str>) -> NewTicket {
    NewTicket { technician: technician.map(str::to_owned), resolution_due_in: Some(LENGTH), ..usual() }
}

/// With a ticket whose warning is due, and nothing said yet.
async fn about_to_warn(more: &str, ticket: NewTicket) -> (TestApp, String) {
    let mut app = TestApp::with(more).await;
    let due_in = ticket.resolution_due_in.unwrap();
    let id = app.superops.add(ticket);
    app.turn().await;
    app.clock.advance(due_in * 3 / 4);
    (app, id)
}

/// With so many tickets whose warnings are in the outbox.
async fn storm(number: usize) -> TestApp {
    let mut app = TestApp::start().await;
    for _ in 0..number {
        app.ticket(minutes(60));
    }
    app.turn().await;
    app.clock.advance(minutes(45));
    app.evaluate().await;
    app
}

/// Does to the store what no part of the product does.
async fn tamper(app: &TestApp, sql: &str) {
    let url = format!("sqlite://{}", app.database().display());
    let mut beside = SqliteConnection::connect(&url).await.unwrap();
    beside.execute(sqlx::AssertSqlSafe(sql.to_owned())).await.unwrap();
}

fn mia() -> Actor {
    Actor { name: "Mia".to_owned(), how: How::Api, origin: "a test".to_owned(), note: None }
}

/// Acknowledges the first alert of the outbox.
async fn acknowledge(app: &mut TestApp) {
    let mut rows = app.outbox().await;
    rows.retain(|row| row.leased.notification.kind == "alert");
    let now = app.now();
    let id = id_of(&rows[0].leased.notification.alert_key);
    assert!(app.parts().store.act(&id, Act::Acknowledge, &mia(), now).await.unwrap().unwrap().changed);
}

#[tokio::test]
async fn a_ticket_whose_owner_has_left_goes_to_its_group_and_says_so() {
    let (mut app, _) = about_to_warn(THEN_DUTY, of(Some("Greta Gone"))).await;
    app.turn().await;
    let mails = app.heard();
    let to: Vec<_> = mails.iter().map(|mail| mail.to.as_str()).collect();
    assert!(to.contains(&"mateo.alvarez@example.com") && to.contains(&"duty@example.com"), "the group, onward: {to:?}");
    let words = "its owner, Greta Gone, is not among the technicians any more and it is in your group";
    let of_group = mails.iter().filter(|mail| mail.to != "duty@example.com");
    assert!(
        of_group.clone().count() > 0 && of_group.into_iter().all(|mail| mail.text.replace('\n', " ").contains(words))
    );
}

#[tokio::test]
async fn onward_at_once_is_in_the_next_turn_and_that_is_now() {
    let (mut app, _) = about_to_warn(THEN_DUTY, of(None)).await;
    app.sync().await;
    let turn = app.evaluate().await;
    assert_eq!(turn.next, Some(app.now()), "there is more to do now");
    let turn = app.evaluate().await;
    app.dispatch().await;
    assert!(app.said().contains("duty@example.com"));
    assert!(turn.next > Some(app.now()), "no step is left");
}

#[tokio::test]
async fn what_cannot_be_recorded_is_kept_and_not_sent_again() {
    let (mut app, _) = about_to_warn("", of(Some("Mateo Alvarez"))).await;
    app.sync().await;
    app.evaluate().await;
    tamper(&app, "CREATE TRIGGER deaf BEFORE INSERT ON attempts BEGIN SELECT RAISE(ABORT, 'deaf'); END").await;
    app.dispatch().await;
    for _ in 0..3 {
        app.clock.advance(LEASE_OVER);
        app.dispatch().await;
    }
    assert_eq!(app.states().await, [("sending".to_owned(), 1)].into(), "its outcome could not be stored");
    tamper(&app, "DROP TRIGGER deaf").await;
    app.dispatch().await;
    assert_eq!((app.caught.total(), app.states().await), (1, [("sent".to_owned(), 1)].into()));
}

#[tokio::test]
async fn what_was_acknowledged_while_an_attempt_was_cut_short_is_not_made_again() {
    let (mut app, _) = about_to_warn("", of(Some("Mateo Alvarez"))).await;
    app.sync().await;
    app.evaluate().await;
    app.mail.reply(MailReply::CloseAfterData);
    app.crash_while_sending().await;
    app.mail.reply(MailReply::Accept);
    app.resume().await;
    acknowledge(&mut app).await;
    app.wait(LEASE_OVER).await;
    app.wait(minutes(10)).await;
    assert_eq!(app.caught.total(), 1, "once, before the acknowledgement");
}

#[tokio::test]
async fn who_acknowledges_while_a_bundle_is_cut_short_is_left_out_of_its_repeat() {
    let mut app = storm(4).await;
    app.mail.reply(MailReply::CloseAfterData);
    app.crash_while_sending().await;
    app.mail.reply(MailReply::Accept);
    app.heard();
    app.resume().await;
    acknowledge(&mut app).await;
    app.wait(LEASE_OVER).await;
    let again = app.heard();
    assert_eq!(again.len(), 1);
    assert!(again[0].subject.contains("3 tickets"), "{}", again[0].subject);
}

/// A mail server that is down at first. Meanwhile somebody acknowledges.
struct DownWhile {
    store: Store,
    alert: String,
    at: chrono::DateTime<chrono::Utc>,
    taken: Mutex<Vec<Message>>,
    is_down: Mutex<bool>,
}

#[async_trait]
impl Notifier for DownWhile {
    fn channel(&self) -> ChannelKind {
        ChannelKind::Email
    }

    async fn send(&self, message: &Message) -> Result<Receipt, SendError> {
        if std::mem::replace(&mut *self.is_down.lock().unwrap(), false) {
            self.store.act(&self.alert, Act::Acknowledge, &mia(), self.at).await.unwrap();
            let reason = "down".to_owned();
            return Err(SendError::Unavailable { reason, retry_after: None, maybe_taken: false, outage: true });
        }
        self.taken.lock().unwrap().push(message.clone());
        Ok(Receipt { id: None })
    }
}

#[tokio::test]
async fn a_bundle_that_goes_back_to_waiting_leaves_out_what_was_acknowledged_meanwhile() {
    let mut app = storm(4).await;
    let alert = id_of(&app.outbox().await.remove(0).leased.notification.alert_key);
    let (now, clock) = (app.now(), Arc::new(app.clock.clone()));
    let parts = app.parts();
    let (store, telemetry) = (parts.store.clone(), parts.telemetry.clone());
    let (taken, is_down) = (Mutex::default(), Mutex::new(true));
    let mail = Arc::new(DownWhile { store: store.clone(), alert, at: now, taken, is_down });
    let bells = || Arc::new(Notify::new());
    parts.dispatch = Dispatch::new(store, vec![mail.clone()], clock, telemetry, Arc::default(), bells(), bells());
    app.dispatch().await;
    app.clock.advance(NEXT_TRY);
    app.dispatch().await;
    let taken = mail.taken.lock().unwrap();
    let rows = |message: &Message| if let Body::Bundle(facts) = &message.body { facts.rows.len() } else { 0 };
    assert_eq!(taken.iter().map(rows).collect::<Vec<_>>(), [3]);
}

#[tokio::test]
async fn six_hours_to_deliver_do_not_count_while_no_process_ran() {
    let (mut app, _) =
        about_to_warn("", NewTicket { resolution_due_in: Some(TimeDelta::hours(40)), ..of(Some("Mateo Alvarez")) })
            .await;
    app.mail.reply(MailReply::TryLater);
    app.sync().await;
    app.evaluate().await;
    app.dispatch().await;
    app.stop().await;
    app.clock.advance(TimeDelta::hours(7));
    app.resume().await;
    app.dispatch().await;
    assert_eq!(app.states().await, [("pending".to_owned(), 1)].into(), "it is not given up after two attempts");
    app.mail.reply(MailReply::Accept);
    app.clock.advance(NEXT_TRY);
    app.dispatch().await;
    assert!(app.said().contains("mateo.alvarez"));
}

#[tokio::test]
async fn after_six_hours_of_vain_attempts_a_message_is_given_up() {
    let (mut app, _) = about_to_warn(
        "[[alerts.steps]]\nafter = '0s'\nnotify = ['email:duty@example.com']\n",
        NewTicket { resolution_due_in: Some(TimeDelta::hours(40)), ..of(Some("Mateo Alvarez")) },
    )
    .await;
    app.mail.reply(MailReply::TryLater);
    app.sync().await;
    app.evaluate().await;
    for _ in 0..52 {
        app.dispatch().await;
        app.clock.advance(NEXT_TRY);
    }
    assert_eq!(app.states().await, [("pending".to_owned(), 1)].into(), "almost");
    app.dispatch().await;
    assert_eq!(app.states().await, [("failed".to_owned(), 1)].into());
}
