//! Nobody is forgotten, and nothing is said twice, too late, or to whom it does not concern any more.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use chrono::TimeDelta;
use superops_sla::alert::Stage;
use superops_sla::alert::escalation::ChannelKind;
use superops_sla::alert::life::{Act, Actor, How, State};
use superops_sla::alert::noise::Rules;
use superops_sla::alert::suppression::SuppressionKind;
use superops_sla::dispatch::Dispatch;
use superops_sla::notify::{Body, Message, Notifier, Receipt, SendError};
use superops_sla::service::Reach;
use superops_sla::service::suppressions::SuppressionOrder;
use superops_sla::simulator::NewTicket;
use superops_sla::simulator::receivers::MailReply;
use superops_sla::store::Store;
use superops_sla::store::alerts::id_of;
use superops_sla::store::audit::Author;
use tokio::sync::Notify;

use crate::life::only_alert;
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

/// Of the only alert.
async fn episode(app: &TestApp) -> i64 {
    app.database.texts("SELECT CAST(episode AS TEXT) FROM alerts").await[0].parse().unwrap()
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

/// The mail is taken, the answer lost, and the process dies; then it runs again.
async fn cut_short(app: &mut TestApp) {
    app.sync().await;
    app.evaluate().await;
    app.mail.reply(MailReply::CloseAfterData);
    app.crash_while_sending().await;
    app.mail.reply(MailReply::Accept);
    app.resume().await;
}

#[tokio::test]
async fn a_ticket_whose_owner_has_left_goes_to_its_group_and_says_so() {
    let (mut app, _) = about_to_warn(THEN_DUTY, of(Some("Greta Gone"))).await;
    app.turn().await;
    let mails = app.heard();
    let to: Vec<_> = mails.iter().map(|mail| mail.to.as_str()).collect();
    assert!(to.contains(&"mateo.alvarez@example.com") && to.contains(&"duty@example.com"), "the group, onward: {to:?}");
    let words = "its owner, Greta Gone, is no longer a technician, and it is in your group";
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
    app.database.take_nothing_more_into("attempts").await;
    app.dispatch().await;
    for _ in 0..3 {
        app.clock.advance(LEASE_OVER);
        app.dispatch().await;
    }
    assert_eq!(app.states().await, [("sending".to_owned(), 1)].into(), "its outcome could not be stored");
    app.database.take_again_into("attempts").await;
    app.dispatch().await;
    assert_eq!((app.caught.total(), app.states().await), (1, [("sent".to_owned(), 1)].into()));
}

#[tokio::test]
async fn what_was_acknowledged_while_an_attempt_was_cut_short_is_not_made_again() {
    let (mut app, _) = about_to_warn("", of(Some("Mateo Alvarez"))).await;
    cut_short(&mut app).await;
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
    assert!(again[0].subject.contains(": 3 at risk, first due"), "{}", again[0].subject);
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
    let wakers = || Arc::new(Notify::new());
    parts.dispatch =
        Dispatch::new(store, vec![mail.clone()], clock, telemetry, Arc::new(Rules::singly()), wakers(), wakers());
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

/// Gives the ticket to somebody else.
fn reassign(app: &TestApp, id: &str, technician: Option<&str>) {
    let other = app.superops.add(NewTicket { technician: technician.map(str::to_owned), ..NewTicket::default() });
    let owner = app.superops.ticket(&other).unwrap().technician;
    app.superops.patch(id, |ticket| ticket.technician = owner);
}

/// Asks for quiet about `ticket`; gives the number of the order.
async fn quiet(app: &mut TestApp, ticket: &str, length: &str) -> i64 {
    let (ticket, length) = (Some(ticket.to_owned()), Some(length.to_owned()));
    let order = SuppressionOrder {
        everything: ticket.is_none(),
        ticket,
        length,
        reason: "noise".to_owned(),
        ..SuppressionOrder::default()
    };
    let author = Author { who: "mia".to_owned(), origin: "a test".to_owned() };
    app.parts().service.add_suppression(&Reach::All, SuppressionKind::Silence, order, author).await.unwrap().unwrap().id
}

/// To whom something was sent since last asked, in order, each with the way.
fn told(app: &mut TestApp) -> Vec<String> {
    let mut to: Vec<_> = app.heard().iter().map(|one| one.to.split('@').next().unwrap().to_owned()).collect();
    to.sort();
    to
}

#[tokio::test]
async fn whoever_gets_a_ticket_is_told_at_once_and_the_steps_go_on_in_their_time() {
    let (mut app, id) = about_to_warn("", of(Some("Mateo Alvarez"))).await;
    app.turn().await;
    assert_eq!(told(&mut app), ["mateo.alvarez"]);
    reassign(&app, &id, Some("Yuki Tanaka"));
    app.wait(minutes(5)).await;
    let mails = app.heard();
    assert_eq!(mails.len(), 1);
    assert_eq!(mails[0].to, "yuki.tanaka@example.com");
    assert!(mails[0].text.contains("you own this ticket"), "{}", mails[0].text);
    app.wait(minutes(9)).await;
    assert_eq!(told(&mut app), Vec::<String>::new());
    app.wait(minutes(1)).await;
    assert_eq!(told(&mut app), ["dana.whitfield"], "a quarter of an hour after the alert, as ever");
    reassign(&app, &id, Some("Mateo Alvarez"));
    app.wait(minutes(1)).await;
    assert_eq!(told(&mut app), Vec::<String>::new(), "he knows");
    reassign(&app, &id, Some("Luca Bianchi"));
    app.wait(minutes(1)).await;
    assert_eq!(told(&mut app), ["luca.bianchi"], "also when a later step holds; their manager knows");
}

#[tokio::test]
async fn a_mail_that_waits_never_reaches_who_has_the_ticket_no_longer() {
    let (mut app, id) = about_to_warn("", of(Some("Mateo Alvarez"))).await;
    app.mail.reply(MailReply::TryLater);
    app.turn().await;
    reassign(&app, &id, Some("Yuki Tanaka"));
    app.wait(minutes(1)).await;
    app.mail.reply(MailReply::Accept);
    app.wait(NEXT_TRY).await;
    assert_eq!(told(&mut app), ["yuki.tanaka"]);
    app.mail.reply(MailReply::TryLater);
    reassign(&app, &id, Some("Luca Bianchi"));
    app.wait(minutes(1)).await;
    reassign(&app, &id, Some("Mateo Alvarez"));
    app.wait(minutes(1)).await;
    app.mail.reply(MailReply::Accept);
    app.wait(minutes(4)).await;
    assert_eq!(told(&mut app), ["mateo.alvarez"], "what was withdrawn is said when it concerns him again");
}

#[tokio::test]
async fn when_the_client_changes_its_account_manager_is_told_and_the_former_one_is_not() {
    let (mut app, id) = about_to_warn("", of(Some("Mateo Alvarez"))).await;
    app.turn().await;
    app.wait(minutes(15)).await;
    app.mail.reply(MailReply::TryLater);
    app.wait(minutes(15)).await;
    assert_eq!(told(&mut app), ["dana.whitfield", "mateo.alvarez"]);
    let client = Some("Lord Howe Lodge".to_owned());
    let other = app.superops.add(NewTicket { client, ..NewTicket::default() });
    let client = app.superops.ticket(&other).unwrap().client;
    app.superops.patch(&id, |ticket| ticket.client = client);
    app.wait(minutes(1)).await;
    app.mail.reply(MailReply::Accept);
    app.wait(NEXT_TRY).await;
    assert_eq!(told(&mut app), ["priyanka.rao"]);
}

#[tokio::test]
async fn what_is_withdrawn_while_it_leaves_is_not_tried_again() {
    let (mut app, id) = about_to_warn("", of(Some("Mateo Alvarez"))).await;
    cut_short(&mut app).await;
    assert_eq!(told(&mut app), ["mateo.alvarez"]);
    reassign(&app, &id, Some("Yuki Tanaka"));
    app.turn().await;
    app.wait(LEASE_OVER).await;
    assert_eq!(told(&mut app), ["yuki.tanaka"]);
}

#[tokio::test]
async fn a_ticket_that_changes_hands_while_it_rests_is_told_to_its_new_owner_only() {
    let (mut app, id) = about_to_warn("", of(Some("Mateo Alvarez"))).await;
    app.mail.reply(MailReply::TryLater);
    app.turn().await;
    app.superops.change_status(&id, "On Hold");
    app.wait(minutes(1)).await;
    reassign(&app, &id, Some("Yuki Tanaka"));
    app.superops.change_status(&id, "In Progress");
    app.mail.reply(MailReply::Accept);
    app.wait(NEXT_TRY).await;
    app.wait(NEXT_TRY).await;
    assert_eq!(told(&mut app), ["yuki.tanaka"]);
}

#[tokio::test]
async fn whoever_gets_it_by_our_own_reassignment_is_told_too() {
    let more = "[[alerts.steps]]\nafter = '0s'\nnotify = ['technician']\nreassign_to = 'priyanka.rao@example.com'\n\
                [tenants.acme.write_back]\nchanges = true\n";
    let (mut app, _) = about_to_warn(more, of(Some("Mateo Alvarez"))).await;
    app.turn().await;
    assert_eq!(told(&mut app), ["mateo.alvarez"]);
    app.write_back().await;
    app.wait(minutes(2)).await;
    assert_eq!(told(&mut app), ["priyanka.rao"]);
}

#[tokio::test]
async fn another_priority_has_another_escalation_and_nobody_is_told_twice() {
    let more = "[[escalations]]\nname = 'urgent'\npriority = 'Critical'\n\
                [[escalations.steps]]\nafter = '0s'\nnotify = ['technician', 'email:duty@example.com']\n\
                [[escalations.steps]]\nafter = '20m'\nnotify = ['email:chief@example.com']\n";
    let (mut app, id) = about_to_warn(more, of(Some("Mateo Alvarez"))).await;
    app.turn().await;
    assert_eq!(told(&mut app), ["mateo.alvarez"]);
    app.superops.patch(&id, |ticket| ticket.priority = Some("Critical".into()));
    app.wait(minutes(5)).await;
    assert_eq!(told(&mut app), ["duty"], "who is new in it; the owner knows");
    app.wait(minutes(14)).await;
    assert_eq!(told(&mut app), Vec::<String>::new(), "the manager is not of this escalation");
    app.wait(minutes(1)).await;
    assert_eq!(told(&mut app), ["chief"], "20 minutes after the alert, not after the change");
    app.superops.patch(&id, |ticket| ticket.priority = Some("Low".into()));
    app.wait(minutes(1)).await;
    assert_eq!(told(&mut app), ["dana.whitfield"], "whom the usual one would have told by now");
}

#[tokio::test]
async fn a_ticket_that_comes_late_already_is_an_alert_like_any_other() {
    let mut app = TestApp::start().await;
    app.turn().await;
    app.superops.add(NewTicket {
        created_in: TimeDelta::hours(-9),
        resolution_due_in: Some(TimeDelta::minutes(-30)),
        ..of(Some("Mateo Alvarez"))
    });
    app.wait(minutes(1)).await;
    assert!(app.said().contains("email mateo.alvarez@example.com: Breached: 31 min over, resolution was due"));
    app.wait(minutes(15)).await;
    assert!(app.said().contains("dana.whitfield"), "and its steps go on");
}

#[tokio::test]
async fn a_breach_of_a_time_when_nothing_ran_is_an_alert_like_any_other() {
    let mut app = TestApp::start().await;
    app.turn().await;
    app.stop().await;
    app.superops.add(NewTicket { resolution_due_in: Some(minutes(30)), ..of(Some("Mateo Alvarez")) });
    app.clock.advance(minutes(60));
    app.resume().await;
    app.turn().await;
    assert!(app.said().contains("email mateo.alvarez@example.com: Breached: 30 min over, resolution was due"));
}

#[tokio::test]
async fn what_was_late_at_the_first_sight_and_concerns_nobody_is_found_by_the_audit() {
    let mut app = TestApp::start().await;
    let id = app.superops.add(NewTicket {
        created_in: TimeDelta::hours(-9),
        resolution_due_in: Some(TimeDelta::minutes(-30)),
        group: None,
        client: None,
        ..of(None)
    });
    app.turn().await;
    app.wait(minutes(5)).await;
    app.look_after().await;
    let found = app.parts().service.overview(&Reach::All).await.unwrap().mismatches;
    assert_eq!((found.get("nobody_told"), app.said().as_str()), (Some(&1), ""));
    reassign(&app, &id, Some("Mateo Alvarez"));
    app.wait(minutes(6)).await;
    assert!(app.said().contains("mateo.alvarez"), "as soon as somebody has it");
}

#[tokio::test]
async fn what_two_silences_cover_stays_covered_when_one_of_them_ends() {
    let (mut app, id) =
        about_to_warn("", NewTicket { resolution_due_in: Some(TimeDelta::hours(40)), ..of(Some("Mateo Alvarez")) })
            .await;
    app.mail.reply(MailReply::TryLater);
    app.turn().await;
    let first = quiet(&mut app, &id, "2h").await;
    quiet(&mut app, &id, "1h").await;
    app.mail.reply(MailReply::Accept);
    app.settle().await;
    let author = Author { who: "mia".to_owned(), origin: "a test".to_owned() };
    assert!(app.parts().service.end_suppression(&Reach::All, SuppressionKind::Silence, first, author).await.unwrap());
    app.settle().await;
    for _ in 0..59 {
        app.wait(minutes(1)).await;
    }
    assert_eq!(told(&mut app), Vec::<String>::new());
    app.wait(minutes(1)).await;
    assert!(told(&mut app).contains(&"mateo.alvarez".to_owned()), "it need not wait for the one that was ended");
}

#[tokio::test]
async fn what_is_taken_up_again_after_a_pause_waits_for_the_end_of_the_silence() {
    let (mut app, id) =
        about_to_warn("", NewTicket { resolution_due_in: Some(TimeDelta::hours(40)), ..of(Some("Mateo Alvarez")) })
            .await;
    app.mail.reply(MailReply::TryLater);
    app.turn().await;
    app.superops.change_status(&id, "On Hold");
    app.wait(minutes(1)).await;
    app.mail.reply(MailReply::Accept);
    quiet(&mut app, &id, "1h").await;
    app.superops.change_status(&id, "In Progress");
    for _ in 0..59 {
        app.wait(minutes(1)).await;
    }
    assert_eq!(told(&mut app), Vec::<String>::new());
    app.wait(minutes(1)).await;
    assert!(told(&mut app).contains(&"mateo.alvarez".to_owned()));
}

#[tokio::test]
async fn what_is_silenced_while_a_bundle_is_cut_short_is_left_out_of_its_repeat() {
    let mut app = storm(4).await;
    let id = app.outbox().await.into_iter().find_map(|row| row.leased.notification.ticket_id).unwrap();
    app.mail.reply(MailReply::CloseAfterData);
    app.crash_while_sending().await;
    app.mail.reply(MailReply::Accept);
    app.heard();
    app.resume().await;
    quiet(&mut app, &id, "10m").await;
    app.wait(LEASE_OVER).await;
    let again = app.heard();
    assert_eq!(again.len(), 1);
    assert!(again[0].subject.contains(": 3 at risk, first due"), "{}", again[0].subject);
    app.wait(minutes(10)).await;
    assert_eq!(told(&mut app), ["mateo.alvarez"], "that one, when the silence is over");
}

#[tokio::test]
async fn six_hours_to_deliver_do_not_count_while_a_silence_lasts() {
    let (mut app, id) =
        about_to_warn("", NewTicket { resolution_due_in: Some(TimeDelta::hours(40)), ..of(Some("Mateo Alvarez")) })
            .await;
    app.mail.reply(MailReply::TryLater);
    app.turn().await;
    quiet(&mut app, &id, "7h").await;
    app.turn().await;
    app.wait(TimeDelta::hours(7)).await;
    app.mail.reply(MailReply::Accept);
    app.wait(NEXT_TRY).await;
    assert!(told(&mut app).contains(&"mateo.alvarez".to_owned()));
}

#[tokio::test]
async fn an_alert_that_cannot_be_read_is_raised_anew_and_nobody_is_told_twice() {
    let (mut app, _) = about_to_warn("", of(Some("Mateo Alvarez"))).await;
    app.turn().await;
    assert_eq!(told(&mut app), ["mateo.alvarez"]);
    app.stop().await;
    app.database.tamper("UPDATE alerts SET stage = 'odd', acts = 7").await;
    app.resume().await;
    app.wait(minutes(1)).await;
    assert_eq!(told(&mut app), Vec::<String>::new());
    app.wait(minutes(15)).await;
    assert_eq!(told(&mut app), ["dana.whitfield"]);
    let parts = app.parts();
    let figures = parts.telemetry.render();
    assert!(figures.contains("set_aside_total{kind=\"alert\"} 1"), "{figures}");
}

#[tokio::test]
async fn of_an_alert_that_cannot_be_read_episode_and_acknowledgement_are_kept() {
    for damage in ["asked = '{'", "stage = 'odd'", "due = 'odd', told = 'odd'"] {
        let (mut app, id) = about_to_warn("", of(Some("Mateo Alvarez"))).await;
        if damage.starts_with("due") && app.database.file().is_none() {
            // A server takes no text for a number.
            continue;
        }
        app.turn().await;
        app.superops.patch(&id, |ticket| ticket.resolution.due = ticket.resolution.due.map(|due| due + LENGTH));
        app.wait(minutes(1)).await;
        app.wait(TimeDelta::hours(6)).await;
        app.wait(TimeDelta::hours(4)).await;
        app.said();
        let before = only_alert(&mut app).await;
        assert_eq!((before.stage, episode(&app).await), (Stage::Breached, 1));
        let actor = Actor { name: "Mia".into(), how: How::Api, origin: "a test".into(), note: None };
        let now = app.now();
        app.parts().store.act(&before.id, Act::Acknowledge, &actor, now).await.unwrap();
        app.stop().await;
        app.database.tamper(&format!("UPDATE alerts SET {damage}")).await;
        app.resume().await;
        app.wait(minutes(1)).await;
        let after = only_alert(&mut app).await;
        assert_eq!((after.state, after.hold.unwrap().by), (State::Acknowledged, "Mia".to_owned()), "{damage}");
        assert_eq!((after.stage, episode(&app).await), (Stage::Breached, 1), "{damage}");
        app.wait(minutes(28)).await;
        assert_eq!(told(&mut app), Vec::<String>::new(), "{damage}");
        app.wait(minutes(1)).await;
        assert!(told(&mut app).contains(&"dana.whitfield".to_owned()), "{damage}: its time is up");
    }
}

#[tokio::test]
async fn a_ticket_that_cannot_be_read_silences_no_other_and_is_read_anew() {
    let (mut app, id) = about_to_warn("", of(Some("Mateo Alvarez"))).await;
    app.superops.add(NewTicket { resolution_due_in: Some(minutes(4)), ..of(Some("Yuki Tanaka")) });
    app.sync().await;
    app.stop().await;
    app.database.tamper(&format!("UPDATE tickets SET ticket = '0' WHERE id = '{id}'")).await;
    app.resume().await;
    // The start is soon after the stop, so nothing waits for SuperOps.
    app.settle().await;
    app.clock.advance(minutes(3));
    app.settle().await;
    assert_eq!(told(&mut app), ["yuki.tanaka"]);
    app.wait(minutes(30)).await;
    assert!(told(&mut app).contains(&"mateo.alvarez".to_owned()), "the next sweep shows it again");
}

#[tokio::test]
async fn what_is_wrong_with_one_tenant_keeps_no_other_waiting() {
    let mut app = TestApp::start().await;
    let text = app.config_text();
    let line = |name: &str| text.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
    let beta = format!("[tenants.beta]\nsubdomain = \"acme\"\n{}\n{}\n", line("endpoint"), line("token_file"));
    app.restart_with(&beta).await;
    app.ticket(minutes(60));
    app.turn().await;
    // An end that no calendar has.
    let broken = "INSERT INTO silences (tenant, from_at, until_at, author, reason) VALUES ('acme', 0, 9000000000000000000, 'x', 'x')";
    app.database.tamper(broken).await;
    // Longer than the store is believed to be as it was, where nobody is seen to change anything.
    app.clock.advance(minutes(61));
    app.sync().await;
    let turn = app.evaluate().await;
    assert_eq!((turn.failed, turn.next), (1, Some(app.now() + TimeDelta::seconds(2))));
    app.dispatch().await;
    let keys: Vec<_> = app.outbox().await.into_iter().map(|row| row.leased.notification.alert_key).collect();
    assert!(!keys.is_empty() && keys.iter().all(|key| key.starts_with("beta:")), "{keys:?}");
    let now = app.now();
    app.parts().self_monitoring.turn(now).await.unwrap_err();
    app.database.tamper("DELETE FROM silences").await;
    app.settle().await;
    assert!(app.outbox().await.iter().any(|row| row.leased.notification.alert_key.starts_with("acme:")));
}

#[tokio::test]
async fn when_all_that_was_said_has_failed_the_audit_says_that_nobody_was_told() {
    let only = "[[alerts.steps]]\nafter = '0s'\nnotify = ['technician']\n";
    let mut app = TestApp::with(only).await;
    app.ticket(minutes(60));
    app.turn().await;
    app.clock.advance(minutes(61));
    app.sync().await;
    app.evaluate().await;
    app.database.tamper("UPDATE notifications SET message = '{}'").await;
    app.dispatch().await;
    app.wait(minutes(4)).await;
    app.look_after().await;
    let found = app.parts().service.overview(&Reach::All).await.unwrap().mismatches;
    assert_eq!((found.get("nobody_told"), app.said().as_str()), (Some(&1), ""));
    app.wait(minutes(1)).await;
    assert!(app.said().contains("mateo.alvarez"), "and it is said again");
    app.look_after().await;
    assert!(app.parts().service.overview(&Reach::All).await.unwrap().mismatches.is_empty());
}

#[tokio::test]
async fn an_owner_who_is_listed_at_last_is_told() {
    let (mut app, _) = about_to_warn("", of(Some("Mateo Alvarez"))).await;
    app.sync().await;
    let known = app.database.texts("SELECT directory FROM directories").await.remove(0);
    app.stop().await;
    let mut listed: serde_json::Value = serde_json::from_str(&known).unwrap();
    listed["technicians"].as_object_mut().unwrap().retain(|_, person| person["name"] != "Mateo Alvarez");
    app.database
        .tamper(&format!("UPDATE directories SET directory = '{}'", listed.to_string().replace('\'', "''")))
        .await;
    app.resume().await;
    app.settle().await;
    let group = told(&mut app);
    assert!(group.contains(&"yuki.tanaka".to_owned()) && !group.contains(&"mateo.alvarez".to_owned()), "{group:?}");
    app.stop().await;
    app.database.tamper(&format!("UPDATE directories SET directory = '{}'", known.replace('\'', "''"))).await;
    app.resume().await;
    app.settle().await;
    assert_eq!(
        told(&mut app),
        ["dana.whitfield", "mateo.alvarez"],
        "and the manager, whom nobody knew without the owner"
    );
    app.wait(minutes(14)).await;
    assert_eq!(told(&mut app), Vec::<String>::new());
}
