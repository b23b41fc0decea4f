use chrono::TimeDelta;
use insta::assert_snapshot;
use proptest::prelude::*;

use super::*;
use crate::notify::{
    Advice, AlertFacts, Body, BundleFacts, BundleRow, DigestFacts, DigestRow, FreeTechnician, RecoveryFacts,
};
use crate::ticket::ClockKind;

mod several;

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn now() -> DateTime<Utc> {
    at("2026-06-03T12:48:00Z")
}

fn ticket() -> TicketFacts {
    TicketFacts {
        tenant: None,
        id: "7021498342349561856".into(),
        display_id: "030626-0005".into(),
        subject: "Mail server down".into(),
        client: Some("Harbour Dental".into()),
        priority: Some("High".into()),
        status: Some("Open".into()),
        technician: Some("Ann Lee".into()),
        group: Some("Service Desk".into()),
        sla: Some("Gold 24x7".into()),
        superops_url: Some("https://acme.superops.ai/#/tickets/7021498342349561856".into()),
        page_url: Some("https://sla.example.com/tickets/7021498342349561856".into()),
        service: None,
    }
}

fn alert(stage: Stage, due: &str) -> AlertFacts {
    AlertFacts {
        working: None,
        ticket: ticket(),
        clock: ClockKind::FirstResponse.into(),
        stage,
        due: at(due),
        reasons: vec!["75 % of the working time has passed.".into(), "SuperOps reports this due time.".into()],
        step: 0,
        because: "you own this ticket".into(),
        hours: "counted in the hours of head-office (Europe/London)".into(),
        advice: None,
    }
}

fn message(body: Body) -> Message {
    Message {
        key: "a1b2c3d4e5f60718293a4b5c6d7e8f90".into(),
        thread: "acme:7021498342349561856:first_response:0".into(),
        continues_thread: false,
        to: "ann@msp.example".into(),
        to_name: Some("Ann Lee".into()),
        timezone: Tz::named("Europe/London"),
        body,
    }
}

fn warning() -> Message {
    message(Body::Alert(alert(Stage::Warning, "2026-06-03T13:30:00Z")))
}

fn text(message: &Message) -> String {
    let email = email(message, now());
    format!("Subject: {}\n\n{}", email.subject, email.text)
}

#[test]
fn a_prediction_says_what_to_do_and_why_it_is_made() {
    let mut facts = alert(Stage::Predicted, "2026-06-03T16:30:00Z");
    facts.reasons =
        vec!["a breach is 83 % likely".into(), "Network has lately resolved 31 % of such tickets in time".into()];
    let room = Some(FreeTechnician { name: "Bob Moss".into(), open: 2, on_call: false });
    facts.advice = Some(Advice { room, group: Some("Network".into()), ahead: 14 });
    let message = message(Body::Alert(facts));
    insta::assert_snapshot!(email(&message, at("2026-06-03T12:48:00Z")).text);
    insta::assert_snapshot!(sms(&message, at("2026-06-03T12:48:00Z")), @"SLA likely to breach: High, Harbour Dental: first response due 17:30 London. 030626-0005 Mail server down. Bob Moss has room. 3 h 42 min left. Ann Lee #a1b2c3");
}

#[test]
fn what_to_do_is_always_something_to_do() {
    let advised = |ahead| {
        let advice = Some(Advice { room: None, group: Some("Network".into()), ahead });
        let facts = AlertFacts { advice, ..alert(Stage::Predicted, "2026-06-03T16:30:00Z") };
        email(&message(Body::Alert(facts)), now()).text
    };
    let (text, what) = (advised(1), "see if it can be done first; 1 older ticket is ahead of it in the group");
    assert!(text.contains(&format!("\nWhat to do: {what}\n")), "{text}");
    assert!(!advised(0).contains("What to do"));
}

#[test]
fn a_warning_says_what_who_how_long_and_why() {
    assert_snapshot!(text(&warning()));
    assert_snapshot!(sms(&warning(), now()), @"SLA at risk: High, Harbour Dental: first response due 14:30 London. 030626-0005 Mail server down. 42 min left. Ann Lee #a1b2c3");
}

#[test]
fn the_html_of_a_warning_is_one_column_without_images() {
    let html = email(&warning(), now()).html;
    assert!(!html.contains("<img") && !html.contains("background:#fff"));
    assert_snapshot!(html.replace("><", ">\n<"));
}

#[test]
fn a_breach_tells_the_manager_why_it_is_theirs_now() {
    let mut facts = alert(Stage::Breached, "2026-06-03T12:36:00Z");
    facts.step = 1;
    facts.because = "you are the manager of Ann Lee, who owns this ticket".into();
    facts.reasons = vec!["The target was missed and nobody has acknowledged it for 15 min.".into()];
    let message = message(Body::Alert(facts));
    assert_snapshot!(text(&message));
    assert_snapshot!(sms(&message, now()), @"SLA BREACHED: High, Harbour Dental: first response was due 13:36 London. 030626-0005 Mail server down. 12 min over. Ann Lee #a1b2c3");
}

#[test]
fn an_unassigned_ticket_names_its_group() {
    let mut facts = alert(Stage::Predicted, "2026-06-04T08:30:00Z");
    facts.ticket.technician = None;
    facts.clock = ClockKind::Resolution.into();
    facts.because = "you belong to Service Desk, and nobody has this ticket".into();
    let message = message(Body::Alert(facts));
    assert_snapshot!(text(&message));
    assert_snapshot!(sms(&message, now()), @"SLA likely to breach: High, Harbour Dental: resolution due Thu 09:30 London. 030626-0005 Mail server down. 19 h 42 min left. Unassigned #a1b2c3");
}

/// A message that leaves on Wednesday evening, with Thursday's first half hour of working time left.
fn over_night() -> Message {
    let mut facts = alert(Stage::Warning, "2026-06-04T08:30:00Z");
    let open = vec![
        (at("2026-06-03T12:00:00Z"), at("2026-06-03T16:30:00Z")),
        (at("2026-06-04T08:00:00Z"), at("2026-06-04T16:30:00Z")),
    ];
    facts.working = Some(WorkingTime { left_seconds: 5 * 3600, at: at("2026-06-03T12:00:00Z"), open });
    message(Body::Alert(facts))
}

#[test]
fn a_message_counts_the_working_time_of_the_moment_it_leaves_and_the_wall_clock_stands_beside() {
    let evening = at("2026-06-03T19:00:00Z");
    let mail = email(&over_night(), evening);
    assert_eq!(
        mail.text.lines().next(),
        Some("At risk: 30 min of working time left, first response due Thu 09:30 London")
    );
    let due = "\nDue: Thu 4 Jun 2026 09:30 London, in 13 h 30 min, closed hours included\n";
    assert!(mail.text.contains(due), "{}", mail.text);
    assert_snapshot!(sms(&over_night(), evening), @"SLA at risk: High, Harbour Dental: first response due Thu 09:30 London. 030626-0005 Mail server down. 30 min of working time left. Ann Lee #a1b2c3");
    let at_noon = email(&over_night(), at("2026-06-03T12:00:00Z")).text;
    assert!(at_noon.starts_with("At risk: 5 h of working time left,"), "{at_noon}");
}

#[test]
fn a_breach_of_this_minute_is_called_just_breached() {
    let message = message(Body::Alert(alert(Stage::Breached, "2026-06-03T12:47:30Z")));
    let first = email(&message, now()).text;
    assert!(first.starts_with("Just breached: first response was due 13:47 London\n"), "{first}");
}

#[test]
fn where_there_are_several_tenants_each_message_names_its_own() {
    let mut facts = alert(Stage::Warning, "2026-06-03T13:30:00Z");
    facts.ticket.tenant = Some("north".into());
    let of_north = message(Body::Alert(facts));
    let mail = email(&of_north, now());
    assert!(mail.subject.starts_with("[SLA north] 030626-0005 "), "{}", mail.subject);
    assert!(mail.text.contains("\nnorth, High priority, Harbour Dental\n"), "{}", mail.text);
    assert!(sms(&of_north, now()).starts_with("SLA at risk (north): High, Harbour Dental: "));
    let row = |tenant: &str| {
        let ticket = TicketFacts { tenant: Some(tenant.into()), ..ticket() };
        DigestRow { ticket, clock: ClockKind::Resolution.into(), due: at("2026-06-03T12:00:00Z"), working: None }
    };
    let digest = |rows| email(&message(Body::Digest(DigestFacts { rows, more: 0, alerts: Vec::new() })), now());
    let of_one = digest(vec![row("north")]);
    assert_eq!(of_one.subject, "[SLA north] 1 ticket was overdue when monitoring began");
    let of_two = digest(vec![row("north"), row("south")]);
    assert_eq!(of_two.subject, "[SLA] 2 tickets were overdue when monitoring began");
    assert!(of_two.text.contains("south, High priority, Harbour Dental: resolution was due"), "{}", of_two.text);
}

#[test]
fn an_alert_that_ended_says_so_and_why() {
    let facts = RecoveryFacts {
        working: None,
        ticket: ticket(),
        clock: ClockKind::Resolution.into(),
        met_at: at("2026-06-03T12:47:00Z"),
        due: at("2026-06-03T13:30:00Z"),
        closing: crate::alert::Closing::Paused,
    };
    let message = message(Body::Recovery(facts));
    assert_eq!(email(&message, now()).text.lines().next(), Some("Alert ended: clock paused"));
    assert_snapshot!(sms(&message, now()), @"SLA alert ended: High, Harbour Dental: resolution, clock paused. 030626-0005 Mail server down #a1b2c3");
}

#[test]
fn a_recovery_says_that_it_was_in_time() {
    let message = message(Body::Recovery(RecoveryFacts {
        working: None,
        ticket: ticket(),
        clock: ClockKind::FirstResponse.into(),
        met_at: at("2026-06-03T12:47:00Z"),
        due: at("2026-06-03T13:30:00Z"),
        closing: crate::alert::Closing::Met,
    }));
    assert_snapshot!(text(&message));
    assert_snapshot!(sms(&message, now()), @"SLA OK: High, Harbour Dental: first response given 43 min before it was due. 030626-0005 Mail server down #a1b2c3");
}

#[test]
fn a_digest_lists_the_worst_first_and_counts_the_rest() {
    let row =
        |due: &str, clock: ClockKind| DigestRow { ticket: ticket(), clock: clock.into(), due: at(due), working: None };
    let rows =
        vec![row("2026-05-31T08:00:00Z", ClockKind::Resolution), row("2026-06-03T12:00:00Z", ClockKind::FirstResponse)];
    let message = message(Body::Digest(DigestFacts { rows, more: 12, alerts: Vec::new() }));
    assert_snapshot!(text(&message));
    assert_snapshot!(sms(&message, now()), @"SLA: 14 targets were overdue when monitoring began. Worst: 030626-0005 resolution was due Sun 09:00 London, High priority, Harbour Dental. Mail server.. #a1b2c3");
}

#[test]
fn a_test_message_says_so() {
    assert_snapshot!(text(&message(Body::Test)));
    assert_snapshot!(sms(&message(Body::Test), now()), @"Test: text messages from the SLA watch reach you #a1b2c3");
}

#[test]
fn a_warning_that_waited_past_the_due_time_does_not_claim_time_is_left() {
    let late = now() + TimeDelta::hours(1);
    assert_eq!(
        email(&warning(), late).text.lines().next(),
        Some("Past due: 18 min over, first response was due 14:30 London")
    );
    assert!(
        sms(&warning(), late).starts_with("SLA past due: High, Harbour Dental: first response was due 14:30 London.")
    );
}

#[test]
fn a_breach_that_superops_flags_early_claims_no_time_left() {
    let message = message(Body::Alert(alert(Stage::Breached, "2026-06-03T13:30:00Z")));
    assert!(sms(&message, now()).starts_with("SLA BREACHED: High, Harbour Dental: first response due 14:30 London."));
}

#[test]
fn all_mails_of_a_thread_have_one_subject() {
    let breach = message(Body::Alert(alert(Stage::Breached, "2026-06-03T12:36:00Z")));
    let recovery = message(Body::Recovery(RecoveryFacts {
        working: None,
        ticket: ticket(),
        clock: ClockKind::FirstResponse.into(),
        met_at: now(),
        due: now(),
        closing: crate::alert::Closing::Met,
    }));
    let subjects = [&warning(), &breach, &recovery].map(|message| email(message, now()).subject);
    assert_eq!(subjects[0], subjects[1]);
    assert_eq!(subjects[0], subjects[2]);
}

#[test]
fn a_hostile_subject_stays_one_line_and_is_escaped() {
    let mut facts = alert(Stage::Warning, "2026-06-03T13:30:00Z");
    facts.ticket.subject = format!("Hi\r\nBcc: all@x.example\u{202e}<script>alert(1)</script>{}", "A".repeat(10_000));
    facts.ticket.page_url = Some("javascript:alert(1)".into());
    facts.ticket.superops_url = Some("https://x.example/\"onclick=\"evil".into());
    let mail = email(&message(Body::Alert(facts)), now());
    assert!(mail.subject.starts_with("[SLA] 030626-0005 first response: Hi Bcc: all@x.example<script>"));
    assert!(mail.subject.chars().count() < 300);
    assert!(!mail.html.contains("<script") && !mail.html.contains("javascript:") && !mail.html.contains("onclick"));
    assert!(!mail.text.contains('\u{202e}'));
}

#[test]
fn a_subject_in_another_script_is_left_out_of_a_text_message() {
    let mut facts = alert(Stage::Warning, "2026-06-03T13:30:00Z");
    facts.ticket.subject = "メールサーバーが停止".into();
    assert_snapshot!(sms(&message(Body::Alert(facts)), now()), @"SLA at risk: High, Harbour Dental: first response due 14:30 London. 030626-0005. 42 min left. Ann Lee #a1b2c3");
}

#[test]
fn a_client_in_another_script_stays_and_costs_two_segments() {
    let mut facts = alert(Stage::Warning, "2026-06-03T13:30:00Z");
    facts.ticket.client = Some("港歯科クリニック".into());
    let text = sms(&message(Body::Alert(facts)), now());
    assert_snapshot!(text, @"SLA at risk: High, 港歯科クリニック: first response due 14:30 London. 030626-0005 Mail server down. 42 min left. Ann Lee #a1b2c3");
    assert!(text.encode_utf16().count() <= 134);
}

#[test]
fn accents_and_quotes_do_not_cost_a_second_segment() {
    let mut facts = alert(Stage::Warning, "2026-06-03T13:30:00Z");
    facts.ticket.client = Some("Café Łódź".into());
    facts.ticket.subject = "“Can’t print” – again 🔥".into();
    assert_snapshot!(sms(&message(Body::Alert(facts)), now()), @r#"SLA at risk: High, Café Lodz: first response due 14:30 London. 030626-0005 "Can't print" - again. 42 min left. Ann Lee #a1b2c3"#);
}

#[test]
fn how_to_answer_fits_the_one_segment_beside_all_that_matters() {
    let text = sms_with(&warning(), Some(12), now());
    assert_snapshot!(text, @"SLA at risk: High, Harbour Dental: first response due 14:30 London. 030626-0005 Mail server down. 42 min left. Reply 12a to ack, 12c to stop alerts #a1b2c3");
    let mut facts = alert(Stage::Predicted, "2026-06-04T08:30:00Z");
    facts.ticket.client = Some("Harbour Dental and Orthodontics of Portsmouth".into());
    let longest = sms_with(&message(Body::Alert(facts)), Some(99), now());
    assert_snapshot!(longest, @"SLA likely to breach: High, Harbour Dental and Orthodonti...: first response due Thu 09:30 London. 030626-0005. Reply 99a to ack, 99c to stop alerts #a1b2c3");
    for text in [text, longest] {
        assert!(gsm7::septets(&text).is_some_and(|septets| septets <= 160), "{text}");
    }
}

#[test]
fn the_link_that_acknowledges_is_the_first_thing_to_do() {
    let url = "https://sla.example.com/a/AbC-_123";
    let mail = email_with(&warning(), Some(url), now());
    let links: Vec<_> = mail.text.lines().filter(|line| line.starts_with("https://")).collect();
    assert_eq!((links.len(), links[0]), (3, url));
    assert!(mail.text.contains("Acknowledge:\n") && mail.html.contains(&format!("href=\"{url}\"")));
}

#[test]
fn an_answer_of_ours_is_one_plain_segment_whatever_is_in_it() {
    assert_eq!(plain("Schon best\u{e4}tigt von Żaneta"), "Schon bestätigt von Zaneta");
    for text in ["日本".repeat(200), "x".repeat(500), "€".repeat(500), "🔥 done".into()] {
        assert!(gsm7::septets(&plain(&text)).is_some_and(|septets| septets <= 160), "{text}");
    }
}

fn hostile_text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[\\PC\r\n\t\u{202e}\u{200b}]{0,300}",
        "[a-z€\\[\\]{}~ ]{0,400}",
        "[a-zA-Zéüł’“ ]{0,60}",
        "[\u{4e00}-\u{4e20}🔥]{0,300}",
        Just("x\r\n.\r\nMAIL FROM:<a@b>".to_owned()),
    ]
}

fn hostile_time() -> impl Strategy<Value = DateTime<Utc>> {
    prop_oneof![
        (-100_000_i64..100_000).prop_map(|seconds| now() + TimeDelta::seconds(seconds)),
        Just(DateTime::<Utc>::MIN_UTC),
        Just(DateTime::<Utc>::MAX_UTC),
        Just(at("0001-01-01T00:00:00Z")),
    ]
}

prop_compose! {
    fn hostile_ticket()(
        texts in proptest::collection::vec(hostile_text(), 10),
        optional in proptest::collection::vec(any::<bool>(), 8),
    ) -> TicketFacts {
        let mut texts = texts.into_iter();
        let mut text = || texts.next().unwrap_or_default();
        let (id, display_id, subject) = (text(), text(), text());
        let mut optional = optional.into_iter();
        let mut maybe = || optional.next().unwrap_or_default().then(&mut text);
        TicketFacts {
            tenant: None,
            id, display_id, subject,
            client: maybe(), priority: maybe(), status: maybe(), technician: maybe(), group: maybe(), sla: maybe(),
            superops_url: maybe(), page_url: None, service: None,
        }
    }
}

prop_compose! {
    fn hostile_message()(
        ticket in hostile_ticket(),
        kind in 0..5_u8,
        stage in prop_oneof![Just(Stage::Predicted), Just(Stage::Warning), Just(Stage::Breached)],
        clock in prop_oneof![Just(ClockKind::FirstResponse.into()), Just(ClockKind::Resolution.into())],
        due in hostile_time(),
        met_at in hostile_time(),
        text in hostile_text(),
        zone in prop_oneof![Just(Tz::UTC), Just(Tz::named("Asia/Kolkata")), Just(Tz::named("America/St_Johns"))],
        step in any::<u32>(),
    ) -> Message {
        let body = match kind {
            0 => Body::Recovery(RecoveryFacts { ticket, clock, met_at, due, working: None, closing: crate::alert::Closing::Met }),
            1 => Body::Digest(DigestFacts { rows: vec![DigestRow { ticket, clock, due, working: None }], more: step, alerts: Vec::new() }),
            2 => Body::Bundle(BundleFacts {
                clients: 1, client: ticket.client.clone(), tickets: step, first_due: Some(due), last_due: Some(due), more: step,
                breached_due: Some(met_at), likely: step / 3,
                rows: vec![BundleRow::Alert { ticket, clock, stage, due, working: None }], ..BundleFacts::default()
            }),
            _ => Body::Alert(AlertFacts {
                working: None,
                ticket, clock, stage, due,
                reasons: vec![text.clone()], step, because: text.clone(), hours: text.clone(),
                advice: Some(Advice { room: Some(FreeTechnician { name: text.clone(), open: 2, on_call: true }), group: Some(text), ahead: 3 }),
            }),
        };
        Message { timezone: zone, ..message(body) }
    }
}

proptest! {
    #[test]
    fn any_text_message_is_one_segment_or_two_wide_ones(
        message in hostile_message(),
        at in hostile_time(),
        code in 1..100_u8,
    ) {
        let text = sms(&message, at);
        let coded = sms_with(&message, Some(code), at);
        prop_assert!(gsm7::septets(&coded).map_or(coded.encode_utf16().count() <= 134, |used| used <= 160), "{coded}");
        prop_assert!(coded.ends_with(" #a1b2c3"), "{coded}");
        match gsm7::septets(&text) {
            Some(septets) => prop_assert!(septets <= 160, "{septets}: {text}"),
            None => prop_assert!(text.encode_utf16().count() <= 134, "{text}"),
        }
        prop_assert!(!text.chars().any(|c| c.is_control() || is_invisible(c)), "{text:?}");
        prop_assert!(text.ends_with(" #a1b2c3"), "{text}");
        prop_assert!(text.starts_with("SLA ") || text.starts_with("SLA: "), "{text}");
    }

    #[test]
    fn only_an_id_or_a_client_in_another_script_makes_a_wide_message(message in hostile_message()) {
        let text = sms(&message, now());
        if gsm7::septets(&text).is_none() {
            let ticket = match &message.body {
                Body::Alert(facts) => &facts.ticket,
                Body::Recovery(facts) => &facts.ticket,
                Body::Digest(facts) => &facts.rows[0].ticket,
                Body::Bundle(facts) => bundle::ticket(&facts.rows[0]),
                Body::Acknowledged(_) | Body::Stale(_) | Body::Report(_) | Body::Update(_) | Body::Test => {
                    unreachable!("not made by the strategy")
                }
            };
            let plain = |text: String| gsm7::fold(&text).is_some();
            prop_assert!(!plain(ticket.shown_id()) || !plain(line(&ticket.shown_client(), 30)), "{text}");
        }
    }

    #[test]
    fn no_text_breaks_a_mail(message in hostile_message(), at in hostile_time()) {
        let mail = email(&message, at);
        prop_assert!(!mail.subject.chars().any(|c| c.is_control() || is_invisible(c)), "{:?}", mail.subject);
        prop_assert!(mail.subject.chars().count() <= 300);
        prop_assert!(!mail.text.chars().any(|c| (c.is_control() && c != '\n') || is_invisible(c)), "{:?}", mail.text);
        prop_assert!(mail.text.len() < 20_000);
    }
}
