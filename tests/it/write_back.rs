//! What is written on tickets at SuperOps: nothing unless asked for, and each thing once, whatever fails.

use std::io;
use std::sync::{Arc, Mutex};

use chrono::TimeDelta;
use reqwest::Method;
use serde_json::{Value, json};
use superops_sla::alert::life::{Act, Actor, How, State};
use superops_sla::service::Reach;
use superops_sla::service::alerts::{AlertQuery, AlertView};
use superops_sla::simulator::fault::Fault;
use superops_sla::store::tokens::Role;

use crate::life::{call, served};
use crate::support::{TestApp, minutes};

const NOTES: &str = "[tenants.acme.write_back]\nnote_on = ['breached', 'escalated']\n";
const CHANGES: &str = "
[[alerts.steps]]
after = '0s'
notify = ['technician']
reassign_to = 'priyanka.rao@example.com'
set_priority = 'critical'
[tenants.acme.write_back]
changes = true
";

/// With a ticket that has just breached and whose technician was told; nothing is written yet.
async fn breached(more: &str) -> (TestApp, String) {
    let mut app = TestApp::with(more).await;
    let id = app.ticket(minutes(60));
    app.turn().await;
    app.wait(minutes(61)).await;
    (app, id)
}

fn notes(app: &TestApp, id: &str) -> Vec<String> {
    app.superops.ticket(id).unwrap().notes.iter().map(|note| note.content.clone()).collect()
}

/// Who has the ticket, and its priority.
fn held(app: &TestApp, id: &str) -> (String, String) {
    let ticket = app.superops.ticket(id).unwrap();
    (ticket.technician.unwrap().name.to_string(), ticket.priority.unwrap().to_string())
}

fn asked(app: &TestApp, operation: &str) -> u64 {
    app.superops.requests().by_operation.get(operation).copied().unwrap_or_default()
}

async fn alert(app: &mut TestApp) -> AlertView {
    let query = AlertQuery { state: Some("all".to_owned()), ..AlertQuery::default() };
    app.parts().service.alerts(&Reach::All, &query).await.unwrap().alerts.remove(0)
}

/// What was to be written, a line each: kind, state and attempts.
async fn states(app: &mut TestApp) -> Vec<String> {
    let written = alert(app).await.write_backs;
    written.iter().map(|one| format!("{} {} {}", one.kind, one.state, one.attempts)).collect()
}

async fn act(app: &mut TestApp, act: Act) {
    let mia = Actor { name: "Mia".to_owned(), how: How::Page, origin: "127.0.0.1".to_owned(), note: None };
    let id = alert(app).await.id;
    app.parts().service.act_on_alert(&Reach::All, &id, act, &mia).await.unwrap().unwrap();
}

#[tokio::test]
async fn nothing_is_written_unless_it_is_asked_for() {
    let (mut app, id) = breached("").await;
    assert!(app.parts().write_backs.is_empty());
    app.wait(minutes(31)).await;
    assert_eq!((notes(&app, &id).len(), asked(&app, "createTicketNote"), asked(&app, "updateTicket")), (0, 0, 0));
    assert_eq!(states(&mut app).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_breach_and_each_later_step_leave_one_private_note() {
    let (mut app, id) = breached(NOTES).await;
    app.write_back().await;
    let written = notes(&app, &id);
    assert_eq!(written.len(), 1);
    let said = "<p>SLA watch: the resolution was due Mon 23 Nov 2026 10:00 UTC and is breached.</p>\
                <p>Telling Mateo Alvarez by email and SMS.</p><p>[sla:";
    assert!(written[0].starts_with(said), "{written:?}");
    assert_eq!(&*app.superops.ticket(&id).unwrap().notes[0].privacy, "PRIVATE");
    for _ in 0..60 {
        app.wait(minutes(1)).await;
        app.write_back().await;
    }
    let written = notes(&app, &id);
    assert_eq!(written.len(), 3, "the manager's step and the account manager's: {written:?}");
    assert!(written[1].contains("step 2 of the escalation") && written[2].contains("step 3"), "{written:?}");
    let references = alert(&mut app).await.write_backs.into_iter().filter_map(|one| one.what);
    assert!(references.zip(written).all(|(reference, note)| note.contains(&reference)));
}

#[tokio::test]
async fn a_note_is_written_at_the_moments_that_were_chosen() {
    for (chosen, number, words) in [("breached", 1, "is breached"), ("escalated", 2, "step 2")] {
        let (mut app, id) = breached(&format!("[tenants.acme.write_back]\nnote_on = ['{chosen}']\n")).await;
        app.wait(minutes(15)).await;
        app.wait(minutes(15)).await;
        app.write_back().await;
        let written = notes(&app, &id);
        assert_eq!((written.len(), written[0].contains(words)), (number, true), "{chosen}: {written:?}");
    }
}

#[tokio::test]
async fn a_note_that_was_written_behind_an_error_is_found_and_not_written_again() {
    let (mut app, id) = breached(NOTES).await;
    app.superops.fail(Fault::AppliedThenInternalError, 1);
    app.write_back().await;
    assert_eq!((notes(&app, &id).len(), states(&mut app).await), (1, vec!["note done 1".to_owned()]));
}

#[tokio::test]
async fn a_note_that_could_not_be_looked_up_at_once_is_looked_up_later() {
    let (mut app, id) = breached(NOTES).await;
    app.superops.fail(Fault::AppliedThenInternalError, 1);
    app.superops.fail(Fault::SubscriptionPaused, 1);
    app.write_back().await;
    assert_eq!(states(&mut app).await, ["note pending 1"]);
    app.restart().await;
    app.clock.advance(minutes(1));
    app.write_back().await;
    assert_eq!((notes(&app, &id).len(), states(&mut app).await), (1, vec!["note done 1".to_owned()]));
}

#[tokio::test]
async fn a_note_that_left_before_the_crash_is_found_after_it() {
    let (mut app, id) = breached(NOTES).await;
    app.crash_while_writing(&id).await;
    app.resume().await;
    assert_eq!(states(&mut app).await, ["note doing 1"]);
    app.clock.advance(minutes(1));
    app.write_back().await;
    assert_eq!((notes(&app, &id).len(), states(&mut app).await), (1, vec!["note done 1".to_owned()]));
}

#[tokio::test]
async fn a_note_that_was_not_written_is_written_at_the_next_try() {
    let (mut app, id) = breached(NOTES).await;
    app.superops.fail(Fault::InternalError, 1);
    app.write_back().await;
    assert_eq!((notes(&app, &id).len(), states(&mut app).await), (0, vec!["note pending 1".to_owned()]));
    app.clock.advance(minutes(1));
    app.write_back().await;
    assert_eq!((notes(&app, &id).len(), states(&mut app).await), (1, vec!["note done 2".to_owned()]));
}

#[tokio::test]
async fn a_step_reassigns_and_sets_the_priority_once() {
    let (mut app, id) = breached(CHANGES).await;
    app.write_back().await;
    assert_eq!(held(&app, &id), ("Priyanka Rao".to_owned(), "Critical".to_owned()));
    app.wait(minutes(40)).await;
    app.write_back().await;
    assert_eq!((asked(&app, "updateTicket"), notes(&app, &id).len()), (2, 0));
}

#[tokio::test]
async fn what_a_person_changed_meanwhile_stands() {
    let (mut app, id) = breached(CHANGES).await;
    app.superops.patch(&id, |ticket| ticket.priority = Some("Low".into()));
    app.write_back().await;
    assert_eq!(held(&app, &id), ("Priyanka Rao".to_owned(), "Low".to_owned()));
    assert_eq!(states(&mut app).await, ["reassign done 1", "priority left 0"]);
}

#[tokio::test]
async fn a_token_that_may_not_write_costs_no_alert() {
    let (mut app, id) = breached(NOTES).await;
    app.superops.fail(Fault::Forbidden, 1);
    app.write_back().await;
    app.heard();
    app.wait(minutes(15)).await;
    assert!(app.said().contains("email"), "the manager is told all the same");
    let first = alert(&mut app).await.write_backs.remove(0);
    assert_eq!((first.state.as_str(), first.attempts), ("failed", 1));
    assert_eq!(first.last_error.as_deref(), Some("the token's user may not call `createTicketNote`"));
    app.clock.advance(TimeDelta::hours(1));
    app.write_back().await;
    assert_eq!(notes(&app, &id).len(), 1, "that of step 2; what was refused is not tried again");
}

/// What is logged, for a test to read.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn that_a_token_may_not_write_is_an_error_once_and_again_after_it_could() {
    let (mut app, _) = breached(NOTES).await;
    let log = Log::default();
    let lines = log.clone();
    let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::ERROR).with_writer(move || lines.clone());
    let _guard = tracing::subscriber::set_default(subscriber.finish());
    let errors = || String::from_utf8(log.0.lock().unwrap().clone()).unwrap().matches("ERROR").count();
    for (refuses, expected) in [(true, 1), (true, 1), (false, 1), (true, 2)] {
        if refuses {
            app.superops.fail(Fault::Forbidden, 1);
        }
        app.write_back().await;
        assert_eq!(errors(), expected);
        app.ticket(minutes(1));
        app.turn().await;
        app.wait(minutes(2)).await;
    }
}

#[tokio::test]
async fn what_was_written_and_what_was_refused_is_listed_by_ticket_with_its_time() {
    let (mut app, id) = breached(NOTES).await;
    app.superops.fail(Fault::Forbidden, 1);
    app.write_back().await;
    app.wait(minutes(15)).await;
    app.clock.advance(minutes(1));
    app.write_back().await;
    let (url, tokens) = served(&mut app, &[(Role::Viewer, Some("acme"))]).await;
    let path = format!("{url}/api/v1/alerts?tenant=acme&ticket={id}&state=all");
    let (_, page) = call(Method::GET, &path, &tokens[0], json!({})).await;
    let shown = |one: &Value| (one["kind"].clone(), one["state"].clone(), one["settled_at"].clone());
    let written: Vec<_> = page["alerts"][0]["write_backs"].as_array().unwrap().iter().map(shown).collect();
    let expected = [("note", "failed", "2026-11-23T10:01:00Z"), ("note", "done", "2026-11-23T10:17:00Z")];
    assert_eq!(written, expected.map(|(kind, state, at)| (json!(kind), json!(state), json!(at))));
}

#[tokio::test]
async fn what_waited_for_six_hours_is_given_up() {
    let (mut app, id) = breached(NOTES).await;
    app.clock.advance(TimeDelta::hours(6));
    app.write_back().await;
    assert_eq!((notes(&app, &id).len(), states(&mut app).await), (0, vec!["note failed 0".to_owned()]));
}

#[tokio::test]
async fn nothing_is_written_of_an_alert_that_is_over() {
    let (mut app, id) = breached(NOTES).await;
    act(&mut app, Act::Resolve).await;
    app.write_back().await;
    assert_eq!((notes(&app, &id).len(), states(&mut app).await), (0, vec!["note cancelled 0".to_owned()]));
}

#[tokio::test]
async fn our_own_change_does_not_prolong_an_acknowledgement() {
    for (by_a_person, state) in [(false, State::Open), (true, State::Acknowledged)] {
        let (mut app, id) = breached(CHANGES).await;
        act(&mut app, Act::Acknowledge).await;
        app.wait(minutes(5)).await;
        if by_a_person {
            app.superops.patch(&id, |ticket| ticket.category = Some("Network".into()));
            app.sync().await;
        }
        app.wait(minutes(5)).await;
        app.write_back().await;
        app.wait(minutes(20)).await;
        assert_eq!(alert(&mut app).await.state, state, "touched by a person: {by_a_person}");
    }
}

#[tokio::test]
async fn each_change_at_superops_stands_in_the_audit_log() {
    let (mut app, _) = breached(CHANGES).await;
    app.write_back().await;
    let what = app.database.texts("SELECT what FROM audit WHERE origin = 'write-back' ORDER BY id").await;
    assert_eq!(what.len(), 2);
    assert!(what[0].starts_with("reassigned ticket") && what[1].contains("priority"), "{what:?}");
}
