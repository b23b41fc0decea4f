//! Not too much: what is not pressing waits for company, nights are left in peace, and a breach still waits for nothing.

use chrono::TimeDelta;
use superops_sla::alert::life::{Act, Actor, How};
use superops_sla::alert::suppression::SuppressionKind;
use superops_sla::cli::check::last_week;
use superops_sla::service::Reach;
use superops_sla::service::alerts::AlertQuery;
use superops_sla::service::suppressions::SuppressionOrder;
use superops_sla::simulator::NewTicket;
use superops_sla::simulator::receivers::{CaughtKind, SmsReply};
use superops_sla::store::audit::Author;

use crate::first_sight::beta;
use crate::life::only_alert;
use crate::support::{TestApp, minutes, usual};

const TICK: TimeDelta = TimeDelta::milliseconds(1);
const ONE_STEP: &str = "[[alerts.steps]]\nafter = '0s'\nnotify = ['technician']\n";
/// Without texts, and without the account manager.
const TWO_STEPS: &str = "[[alerts.steps]]\nafter = '0s'\nnotify = ['technician']\nchannels = ['email']\n\
    [[alerts.steps]]\nafter = '15m'\nnotify = ['manager']\nchannels = ['email']\n";
const MATEO: &str = "mateo.alvarez@example.com";
const DANA: &str = "dana.whitfield@example.com";

fn ticket(priority: &str, due_in: TimeDelta) -> NewTicket {
    NewTicket { priority: Some(priority.to_owned()), resolution_due_in: Some(due_in), ..usual() }
}

/// Lets so many minutes pass, one after the other. What was said, with the minute: `+5 email mateo…: the first words`.
async fn pass(app: &mut TestApp, length: i64) -> Vec<String> {
    let mut said = Vec::new();
    for minute in 1..=length {
        app.wait(minutes(1)).await;
        said.extend(app.said().lines().map(|line| format!("+{minute} {line}")));
    }
    said
}

fn by_page(name: &str) -> Actor {
    Actor { name: name.to_owned(), how: How::Page, origin: "a test".to_owned(), note: None }
}

/// Somebody acknowledges the only alert.
async fn acknowledge(app: &mut TestApp, name: &str) {
    let id = only_alert(app).await.id;
    let actor = by_page(name);
    app.parts().service.act_on_alert(&Reach::All, &id, Act::Acknowledge, &actor).await.unwrap().unwrap();
}

#[tokio::test]
async fn warnings_of_one_person_that_fall_within_minutes_are_one_message() {
    let mut app = TestApp::paced(TWO_STEPS).await;
    for later in [0, 2, 4] {
        app.superops.add(ticket("Medium", minutes(240 + later)));
    }
    app.turn().await;
    // Three quarters of four hours.
    app.wait(minutes(179)).await;
    let said = pass(&mut app, 10).await;
    assert_eq!(said.len(), 1, "{said:#?}");
    assert!(said[0].starts_with("+4 ") && said[0].contains(MATEO) && said[0].contains("3 at risk"), "{said:#?}");
}

#[tokio::test]
async fn warnings_of_one_person_in_two_tenants_are_one_message_as_well() {
    let mut app = TestApp::paced("").await;
    let two_tenants = format!("{TWO_STEPS}{}", beta(&app, ""));
    app.restart_with(&two_tenants).await;
    app.superops.add(ticket("Medium", minutes(240)));
    app.turn().await;
    app.wait(minutes(179)).await;
    let said = pass(&mut app, 10).await;
    assert!(matches!(&said[..], [line] if line.contains(MATEO) && line.contains("2 at risk")), "{said:#?}");
}

#[tokio::test]
async fn what_a_later_step_says_by_several_channels_leaves_by_all_of_them_at_once() {
    let mut app = TestApp::paced(
        "[[alerts.steps]]\nafter = '0s'\nnotify = ['technician']\nchannels = ['email']\n\
         [[alerts.steps]]\nafter = '15m'\nnotify = ['manager']\nchannels = ['email', 'sms']\n",
    )
    .await;
    app.superops.add(ticket("High", minutes(60)));
    app.turn().await;
    let said = pass(&mut app, 80).await;
    let of_breach: Vec<_> = said.iter().filter(|line| line.contains("16 min over")).collect();
    let [mail, text] = of_breach.as_slice() else { panic!("{said:#?}") };
    assert!(mail.starts_with(&format!("+76 email {DANA}")) && text.starts_with("+76 text "), "{said:#?}");
}

#[tokio::test]
async fn a_warning_that_is_due_soon_hardly_waits_for_company() {
    let mut app = TestApp::paced(ONE_STEP).await;
    app.ticket(minutes(60));
    app.turn().await;
    app.wait(minutes(45)).await;
    app.wait(minutes(1)).await;
    assert_eq!(app.said().lines().count(), 1);
}

#[tokio::test]
async fn what_nobody_took_on_is_told_together_at_most_each_quarter_of_an_hour() {
    let mut app = TestApp::paced(TWO_STEPS).await;
    for later in [0, 3, 6, 9, 12] {
        app.superops.add(ticket("High", minutes(60 + later)));
    }
    app.turn().await;
    app.wait(minutes(44)).await;
    let said = pass(&mut app, 60).await;
    let minute = |line: &String| line[1..].split(' ').next().unwrap().parse::<i64>().unwrap();
    let of_dana: Vec<i64> = said.iter().filter(|line| line.contains(DANA)).map(minute).collect();
    assert!(!of_dana.is_empty() && of_dana.windows(2).all(|pair| pair[1] - pair[0] >= 15), "{said:#?}");
    let breaches = said.iter().filter(|line| line.contains(MATEO) && line.contains("reached")).count();
    assert!(breaches >= 5, "each breach of an urgent priority is told to its owner at once: {said:#?}");
}

#[tokio::test]
async fn what_somebody_escalates_is_told_at_once_however_lately_the_next_person_was_told_of_another() {
    let mut app = TestApp::paced(TWO_STEPS).await;
    app.superops.add(ticket("High", minutes(60)));
    let second = app.superops.add(ticket("High", minutes(70)));
    app.turn().await;
    let said = pass(&mut app, 76).await;
    assert!(said.iter().any(|line| line.contains(DANA)), "{said:#?}");
    let of_second = AlertQuery { ticket: Some(second.to_string()), ..AlertQuery::default() };
    let service = app.parts().service.clone();
    let id = service.alerts(&Reach::All, &of_second).await.unwrap().alerts.remove(0).id;
    service.act_on_alert(&Reach::All, &id, Act::Escalate, &by_page("Mia")).await.unwrap().unwrap();
    let said = pass(&mut app, 1).await;
    assert!(matches!(&said[..], [line] if line.contains(DANA)), "the phone and the page say so: {said:#?}");
}

#[tokio::test]
async fn good_news_goes_along_with_the_next_message() {
    let mut app = TestApp::paced(ONE_STEP).await;
    let solved = app.ticket(minutes(60));
    app.superops.add(ticket("Medium", minutes(80)));
    app.turn().await;
    app.wait(minutes(45)).await;
    app.wait(minutes(1)).await;
    assert_eq!(app.said().lines().count(), 1);
    app.superops.change_status(&solved, "Resolved");
    app.wait(minutes(1)).await;
    assert_eq!(app.said(), "", "who solved it knows");
    app.wait(minutes(13)).await;
    app.wait(minutes(1)).await;
    let mails = app.heard();
    assert_eq!(mails.len(), 1);
    assert!(mails[0].text.contains("1 done") && mails[0].text.contains("1 at risk"), "{}", mails[0].text);
}

#[tokio::test]
async fn good_news_reaches_at_once_whoever_had_taken_it_on() {
    let mut app = TestApp::paced(TWO_STEPS).await;
    let solved = app.ticket(minutes(120));
    app.turn().await;
    app.wait(minutes(90)).await;
    let said = pass(&mut app, 16).await.join("\n");
    assert!(said.contains(DANA), "{said}");
    acknowledge(&mut app, "Dana Whitfield").await;
    app.superops.change_status(&solved, "Resolved");
    app.turn().await;
    let said = app.said();
    assert!(said.contains(DANA) && !said.contains(MATEO), "{said}");
}

#[tokio::test]
async fn at_night_a_breach_is_mailed_at_once_and_texted_in_the_morning_unless_it_is_urgent() {
    for (priority, at_once) in [("Medium", 0), ("High", 1), ("Critical", 1)] {
        let mut app = TestApp::paced_office(ONE_STEP).await;
        // Half past ten at night.
        app.superops.add(ticket(priority, minutes(13 * 60 + 30)));
        app.turn().await;
        app.wait(minutes(13 * 60)).await;
        app.heard();
        app.wait(minutes(30) + TICK).await;
        let count = |heard: &[std::sync::Arc<superops_sla::simulator::receivers::Caught>], kind| {
            heard.iter().filter(|one| one.kind == kind).count()
        };
        let heard = app.heard();
        assert_eq!((count(&heard, CaughtKind::Email), count(&heard, CaughtKind::Sms)), (1, at_once), "{priority}");
        app.wait(minutes(8 * 60 + 29)).await;
        assert_eq!(count(&app.heard(), CaughtKind::Sms), 0, "{priority}: it is not seven yet");
        app.wait(minutes(1)).await;
        assert_eq!(count(&app.heard(), CaughtKind::Sms), 1 - at_once, "{priority}");
    }
}

#[tokio::test]
async fn what_waits_for_the_morning_is_told_at_once_if_its_ticket_becomes_urgent() {
    let quiet = "[alerts.quiet_hours]\nfrom = '22:00'\nuntil = '07:00'\ntimezone = 'UTC'\nexcept = ['Critical']\n";
    let other = "[[escalations]]\nname = 'worst'\npriority = 'Critical'\n[[escalations.steps]]\nafter = '0s'\nnotify = ['technician']\n";
    for more in [quiet.to_owned(), format!("{quiet}{other}"), String::new()] {
        let mut app =
            TestApp::paced_office(&format!("[alerts]\nwarn_at = []\npredict_per_day = 0\n{ONE_STEP}{more}")).await;
        // Half past ten at night.
        let id = app.superops.add(ticket("Medium", minutes(13 * 60 + 30)));
        app.turn().await;
        app.wait(minutes(13 * 60 + 30) + TICK).await;
        let texts = |app: &mut TestApp| app.heard().iter().filter(|one| one.kind == CaughtKind::Sms).count();
        assert_eq!(texts(&mut app), 0, "{more}: it waits for the morning");
        app.wait(minutes(10)).await;
        app.superops.patch(&id, |ticket| ticket.priority = Some("Critical".into()));
        app.turn().await;
        let heard = app.heard();
        let told: Vec<_> =
            heard.iter().filter(|one| one.kind == CaughtKind::Sms).map(|one| one.text.as_str()).collect();
        assert!(told.len() == 1 && told[0].contains("Critical"), "{more}: {told:?}");
        app.wait(minutes(9 * 60)).await;
        assert_eq!(texts(&mut app), 0, "{more}: once");
    }
}

#[tokio::test]
async fn what_waits_for_the_morning_says_when_its_ticket_is_due_by_then() {
    let mut app = TestApp::paced_office(&format!("[alerts]\nwarn_at = []\npredict_per_day = 0\n{ONE_STEP}")).await;
    // Half past ten at night.
    let id = app.superops.add(ticket("Medium", minutes(13 * 60 + 30)));
    app.turn().await;
    app.wait(minutes(13 * 60 + 30) + TICK).await;
    app.heard();
    app.superops.patch(&id, |ticket| ticket.resolution.due = ticket.resolution.due.map(|due| due - minutes(90)));
    app.turn().await;
    app.wait(minutes(9 * 60)).await;
    let heard = app.heard();
    let texts: Vec<_> = heard.iter().filter(|one| one.kind == CaughtKind::Sms).map(|one| one.text.as_str()).collect();
    assert!(texts.len() == 1 && texts[0].contains("21:00"), "{texts:?}");
}

#[tokio::test]
async fn who_can_only_be_texted_is_left_to_sleep_and_the_next_step_is_told_at_once() {
    let steps = "[[alerts.steps]]\nafter = '0s'\nnotify = ['sms:+15005550199']\n\
        [[alerts.steps]]\nafter = '15m'\nnotify = ['technician']\nchannels = ['email']\n";
    let mut app = TestApp::paced_office(&format!("[alerts]\nwarn_at = []\npredict_per_day = 0\n{steps}")).await;
    app.superops.add(ticket("Medium", minutes(13 * 60 + 30)));
    app.turn().await;
    app.wait(minutes(13 * 60 + 30) + TICK).await;
    let said = app.said();
    assert!(said.contains(MATEO) && !said.contains("+15005550199"), "{said}");
}

#[tokio::test]
async fn after_a_few_messages_a_text_is_not_followed_by_a_mail_that_says_the_same_unless_it_cannot_be_sent() {
    let news = format!("[alerts]\nwarn_at = []\npredict_per_day = 0\n{ONE_STEP}");
    for is_refused in [false, true] {
        let mut app = TestApp::paced(&news).await;
        for length in [60, 62, 64, 66] {
            app.superops.add(ticket("Medium", minutes(length)));
        }
        app.turn().await;
        app.wait(minutes(60) + TICK).await;
        app.wait(minutes(2)).await;
        let heard = app.heard();
        let count = |kind| heard.iter().filter(|one| one.kind == kind).count();
        assert_eq!((count(CaughtKind::Email), count(CaughtKind::Sms)), (2, 2), "the first two by both");
        if is_refused {
            app.sms.reply(SmsReply::Code(21211));
        }
        app.wait(minutes(2)).await;
        let kinds: Vec<_> = app.heard().iter().map(|one| one.kind).collect();
        let expected = if is_refused { vec![CaughtKind::Email] } else { vec![CaughtKind::Sms] };
        assert_eq!(kinds, expected, "refused: {is_refused}");
    }
}

#[tokio::test]
async fn a_repeat_after_an_acknowledgement_ran_out_is_told_once_and_then_hourly() {
    let mut app =
        TestApp::paced("[[alerts.steps]]\nafter = '0s'\nnotify = ['technician']\nchannels = ['email']\n").await;
    app.ticket(minutes(60));
    app.turn().await;
    app.wait(minutes(60) + TICK).await;
    app.said();
    for length in [30, 60, 60] {
        acknowledge(&mut app, "Mateo Alvarez").await;
        app.wait(minutes(length) - TICK).await;
        assert_eq!(app.said(), "", "it rests for {length} minutes");
        app.wait(TICK).await;
        assert_eq!(app.said().lines().count(), 1, "and is told again after {length}");
    }
}

#[tokio::test]
async fn who_keeps_an_evening_free_hears_in_the_morning_and_a_breach_goes_on_to_the_next_step_at_once() {
    let free = format!(
        "[people.\"{MATEO}\"]\ntimezone = 'Europe/Moscow'\n[[people.\"{MATEO}\".rules]]\n\
         from = '18:00'\nuntil = '07:00'\nchannels = []\n"
    );
    let mut app =
        TestApp::paced_office(&format!("[alerts]\nwarn_at = []\npredict_per_day = 0\n{TWO_STEPS}{free}")).await;
    // Half past eight in the evening in London.
    app.superops.add(ticket("Critical", minutes(11 * 60 + 30)));
    app.turn().await;
    app.wait(minutes(11 * 60 + 30) + TICK).await;
    let said = app.said();
    assert!(said.contains(DANA) && !said.contains(MATEO), "{said}");
    // It is seven in Moscow.
    app.wait(minutes(7 * 60 + 30)).await;
    app.wait(minutes(1)).await;
    let heard = app.heard();
    assert_eq!(heard.iter().filter(|one| one.to == MATEO).count(), 1);
    assert!(heard[0].text.contains("Moscow"), "times are in the reader's zone: {}", heard[0].text);
}

#[tokio::test]
async fn who_wants_a_daily_digest_gets_warnings_in_one_message_and_breaches_at_once() {
    let daily =
        format!("[people.\"{MATEO}\"]\ntimezone = 'Europe/London'\ndigest_at = '10:30'\nchannels = ['email']\n");
    let mut app = TestApp::paced_office(&format!("{ONE_STEP}{daily}")).await;
    for length in [60, 90, 400, 410] {
        app.superops.add(ticket("Medium", minutes(length)));
    }
    app.turn().await;
    let said = pass(&mut app, 100).await;
    let of_mateo: Vec<_> = said.iter().filter(|line| line.contains(MATEO)).collect();
    assert!(of_mateo.iter().all(|line| line.contains("email")), "no text, as asked: {said:#?}");
    assert_eq!(of_mateo.len(), 3, "two breaches at once, and the digest at half past ten: {said:#?}");
}

#[tokio::test]
async fn the_last_week_played_through_the_same_configuration_says_what_was_said_and_through_another_what_would_have_been()
 {
    let mut app = TestApp::paced(TWO_STEPS).await;
    for length in [60, 75, 120] {
        app.superops.add(ticket("Medium", minutes(length)));
    }
    let latest = app.superops.add(ticket("Medium", minutes(160)));
    app.turn().await;
    let solved = app.ticket(minutes(90));
    app.wait(minutes(30)).await;
    pass(&mut app, 40).await;
    app.superops.change_status(&solved, "Resolved");
    pass(&mut app, 8).await;
    // Somebody takes on what is breached already, and silences what is due last.
    let service = &app.parts().service;
    let open = service.alerts(&Reach::All, &AlertQuery::default()).await.unwrap().alerts;
    service
        .act_on_alert(&Reach::All, &open[0].id, Act::Acknowledge, &by_page("Dana Whitfield"))
        .await
        .unwrap()
        .unwrap();
    let (length, reason) = (Some("1h".to_owned()), "known".to_owned());
    let order = SuppressionOrder { ticket: Some(latest), length, reason, ..SuppressionOrder::default() };
    let author = Author { who: "Dana Whitfield".to_owned(), origin: "a test".to_owned() };
    service.add_suppression(&Reach::All, SuppressionKind::Silence, order, author).await.unwrap().unwrap();
    pass(&mut app, 282).await;
    let now = app.now();
    let tenant = superops_sla::ticket::TenantId::parse("acme").unwrap();
    let said = app.parts().store.said_in(&[&tenant], 7, now).await.unwrap().unwrap();
    assert!(said.people >= 2 && said.most_in_a_day >= 4, "{said:?}");
    let config = std::sync::Arc::new(app.config());
    let week = last_week::play(&config, now).await.unwrap().unwrap();
    assert_eq!(week.as_answered, Some(said));
    assert!(week.unanswered.unwrap().most_in_a_day >= said.most_in_a_day, "{week:?}");

    app.restart_with("[[alerts.steps]]\nafter = '0s'\nnotify = ['technician']\nchannels = ['email']\n").await;
    let fewer = last_week::play(&std::sync::Arc::new(app.config()), now).await.unwrap().unwrap().as_answered.unwrap();
    assert_eq!(fewer.people, 1, "{fewer:?}");
}
