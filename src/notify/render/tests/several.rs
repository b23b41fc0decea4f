//! Messages about several alerts at once, or about a service.

use super::*;

#[test]
fn a_bundle_says_how_many_of_what_and_names_the_worst() {
    let row = |id: &str, stage, due: &str| {
        let ticket = TicketFacts { display_id: id.to_owned(), ..ticket() };
        BundleRow::Alert { ticket, clock: ClockKind::Resolution.into(), stage, due: at(due), working: None }
    };
    let met = RecoveryFacts {
        working: None,
        ticket: ticket(),
        clock: ClockKind::FirstResponse.into(),
        met_at: at("2026-06-03T12:00:00Z"),
        due: at("2026-06-03T12:30:00Z"),
        closing: crate::alert::Closing::Met,
    };
    let facts = BundleFacts {
        rows: vec![
            row("030626-0001", Stage::Breached, "2026-06-03T12:00:00Z"),
            row("030626-0002", Stage::Warning, "2026-06-03T13:30:00Z"),
            BundleRow::Recovery(met),
        ],
        more: 11,
        tickets: 14,
        breached: 10,
        recovered: 1,
        clients: 1,
        client: Some("Harbour Dental".into()),
        first_due: Some(at("2026-06-03T13:30:00Z")),
        last_due: Some(at("2026-06-03T16:00:00Z")),
        ..BundleFacts::default()
    };
    let mixed = message(Body::Bundle(facts.clone()));
    assert_snapshot!(text(&mixed));
    assert_snapshot!(sms(&mixed, now()), @"SLA: 10 breached, 3 at risk, next due 14:30 London, 1 done. Worst: High, Harbour Dental: resolution was due 13:00 London. 030626-0001 Mail server down #a1b2c3");
    let ahead = BundleFacts { breached: 0, recovered: 0, rows: facts.rows[1..2].to_vec(), more: 13, ..facts.clone() };
    let subject = email(&message(Body::Bundle(ahead.clone())), now()).subject;
    assert_eq!(subject, "[SLA] Harbour Dental: 14 at risk, first due 14:30 London");
    let several = BundleFacts { clients: 3, tickets: 9, likely: 4, ..ahead };
    let subject = email(&message(Body::Bundle(several)), now()).subject;
    assert_eq!(subject, "[SLA] 3 clients: 10 at risk, 4 likely to breach, first due 14:30 London (9 tickets)");
    let breached = BundleFacts {
        rows: facts.rows[..1].to_vec(),
        more: 1,
        tickets: 2,
        breached: 2,
        breached_due: Some(at("2026-06-03T12:00:00Z")),
        ..BundleFacts::default()
    };
    let breached = message(Body::Bundle(breached));
    assert_eq!(email(&breached, now()).subject, "[SLA] 2 breached, first was due 13:00 London");
    assert_snapshot!(sms_with(&breached, Some(2), now()), @"SLA: 2 breached, first was due 13:00 London. Worst: High, Harbour Dental: resolution. 030626-0001 Mail server down. Reply 2a to ack all #a1b2c3");
    assert_snapshot!(spoken(&breached, now()), @"S L A alert: 2 breached, first was due at 13:00 London time, worst: High priority, Harbour Dental, resolution, ticket 0 3 0 6 2 6, 0 0 0 1 Mail server down.");
}

#[test]
fn the_html_of_several_is_one_column_and_its_button_stands_before_a_long_list() {
    let row = |nth: usize| {
        let ticket = TicketFacts { display_id: format!("030626-{nth:04}"), ..ticket() };
        let stage = if nth < 3 { Stage::Breached } else { Stage::Warning };
        let due = at("2026-06-03T12:00:00Z") + TimeDelta::minutes(20 * i64::try_from(nth).unwrap());
        BundleRow::Alert { ticket, clock: ClockKind::Resolution.into(), stage, due, working: None }
    };
    let facts = BundleFacts {
        rows: (1..7).map(row).collect(),
        tickets: 6,
        breached: 2,
        clients: 1,
        client: Some("Harbour Dental".into()),
        first_due: Some(at("2026-06-03T13:00:00Z")),
        last_due: Some(at("2026-06-03T14:00:00Z")),
        ..BundleFacts::default()
    };
    let html = email_with(&message(Body::Bundle(facts)), Some("https://sla.example.com/a/AbC-_123"), now()).html;
    assert!(!html.contains("<table") && !html.contains("nowrap"), "two columns leave a phone no room");
    assert_eq!(html.matches("Acknowledge all 6").count(), 2, "before the list and after it");
    assert_snapshot!(html.replace("><", ">\n<"));
}

#[test]
fn several_of_different_tenants_say_whose_the_worst_is_and_those_of_one_tenant_say_it_first() {
    let row = |tenant: &str, id: &str| {
        let ticket = TicketFacts { tenant: Some(tenant.into()), display_id: id.into(), technician: None, ..ticket() };
        let (clock, due) = (ClockKind::Resolution.into(), at("2026-06-03T12:00:00Z"));
        BundleRow::Alert { ticket, clock, stage: Stage::Breached, due, working: None }
    };
    let said = |rows: Vec<BundleRow>| {
        let due = Some(at("2026-06-03T12:00:00Z"));
        let facts = BundleFacts { rows, tickets: 2, breached: 2, breached_due: due, ..BundleFacts::default() };
        sms(&message(Body::Bundle(facts)), now())
    };
    assert_snapshot!(said(vec![row("north", "D603"), row("north", "D601")]), @"SLA (north): 2 breached, first was due 13:00 London. Worst: High, Harbour Dental: resolution. D603 Mail server down. Also D601 #a1b2c3");
    assert_snapshot!(said(vec![row("north", "D603"), row("south", "D604")]), @"SLA: 2 breached, first was due 13:00 London. Worst: north, High, Harbour Dental: resolution. D603 Mail server down. Also D604 #a1b2c3");
}

#[test]
fn a_text_about_a_service_and_that_of_a_digest_name_the_tenant() {
    let service = ServiceFacts { since: at("2026-06-03T12:00:00Z"), detail: None };
    let vpn = TicketFacts {
        tenant: Some("north".into()),
        display_id: "VPN".into(),
        subject: "is down".into(),
        service: Some(service),
        ..ticket()
    };
    let outage = AlertFacts { ticket: vpn, clock: AlertKind::Outage, ..alert(Stage::Breached, "2026-06-03T12:00:00Z") };
    let said = sms(&message(Body::Alert(outage)), now());
    assert!(said.starts_with("SLA (north): VPN is down since 13:00 London (High, Harbour Dental)"), "{said}");
    let late = TicketFacts { tenant: Some("north".into()), ..ticket() };
    let row =
        DigestRow { ticket: late, clock: ClockKind::Resolution.into(), due: at("2026-06-03T12:00:00Z"), working: None };
    let digest = DigestFacts { rows: vec![row], more: 0, alerts: Vec::new() };
    let said = sms(&message(Body::Digest(digest)), now());
    assert!(said.starts_with("SLA (north): 1 ticket was overdue when monitoring began"), "{said}");
}

#[test]
fn services_are_told_by_what_happened_and_are_back_to_normal() {
    let service = ServiceFacts { since: at("2026-06-03T12:00:00Z"), detail: None };
    let backup = TicketFacts {
        display_id: "Nightly backup".into(),
        subject: "is overdue".into(),
        client: None,
        priority: None,
        service: Some(service),
        ..ticket()
    };
    let (clock, stage, due) = (AlertKind::Heartbeat, Stage::Breached, at("2026-06-03T12:00:00Z"));
    let facts = AlertFacts { ticket: backup.clone(), clock, ..alert(stage, "2026-06-03T12:00:00Z") };
    let mail = email(&message(Body::Alert(facts)), now());
    assert_eq!(mail.subject, "[SLA] Nightly backup: heartbeat missed");
    assert_eq!(mail.text.lines().next(), Some("Nightly backup is overdue since 13:00 London"));
    let shop = TicketFacts { display_id: "Web shop".into(), subject: "is up".into(), ..backup.clone() };
    let met = RecoveryFacts {
        working: None,
        ticket: shop,
        clock: AlertKind::Outage,
        met_at: at("2026-06-03T12:30:00Z"),
        due,
        closing: crate::alert::Closing::Met,
    };
    let rows = vec![BundleRow::Alert { ticket: backup, clock, stage, due, working: None }, BundleRow::Recovery(met)];
    let facts = BundleFacts { rows, breached: 1, recovered: 1, ..BundleFacts::default() };
    let mail = email_with(&message(Body::Bundle(facts)), Some("https://sla.example.com/a/AbC-_123"), now());
    assert_eq!(mail.subject, "[SLA] 1 failing, 1 back to normal");
    assert!(mail.text.contains("\nfailing since 13:00 London\n"), "{}", mail.text);
    assert!(mail.text.contains("\nAcknowledge:\n"), "only one of the two: {}", mail.text);
}

#[test]
fn what_has_ended_without_an_answer_is_not_called_done_and_what_was_put_together_not_simultaneous() {
    let over = |closing| {
        BundleRow::Recovery(RecoveryFacts {
            working: None,
            ticket: ticket(),
            clock: ClockKind::Resolution.into(),
            met_at: at("2026-06-03T11:30:00Z"),
            due: at("2026-06-03T12:00:00Z"),
            closing,
        })
    };
    let (met, paused) = (crate::alert::Closing::Met, crate::alert::Closing::Paused);
    let told = |rows: Vec<BundleRow>, more, gathered| {
        let recovered = 2 + more;
        let facts = BundleFacts { rows, more, recovered, gathered, tickets: recovered, ..BundleFacts::default() };
        email(&message(Body::Bundle(facts)), now())
    };
    let done = told(vec![over(met), over(met)], 0, false);
    assert_eq!(done.subject, "[SLA] 2 done");
    assert!(done.text.contains("came up at about the same time"), "{}", done.text);
    assert_eq!(told(vec![over(met), over(paused)], 0, false).subject, "[SLA] 2 ended");
    let long = told(vec![over(met), over(met)], 1, true);
    assert_eq!(long.subject, "[SLA] 3 ended", "the third is not known");
    assert!(long.text.contains("These were put together"), "{}", long.text);
}

#[test]
fn an_acknowledged_service_is_named_and_no_client_is_missed() {
    let service = ServiceFacts { since: at("2026-06-03T12:00:00Z"), detail: None };
    let ticket = TicketFacts {
        display_id: "Orders API".into(),
        subject: "is down".into(),
        client: None,
        priority: None,
        service: Some(service),
        ..ticket()
    };
    let facts = AcknowledgedFacts {
        ticket,
        clock: AlertKind::Outage,
        stage: Stage::Breached,
        due: at("2026-06-03T12:00:00Z"),
        by: "Ann Lee".into(),
        how: crate::alert::life::How::Slack,
        at: at("2026-06-03T12:36:00Z"),
        until: None,
    };
    let said = slack(&message(Body::Acknowledged(facts)), now());
    assert!(said.starts_with("*Acknowledged: Orders API outage, by Ann Lee at 13:36 London*\n"), "{said}");
    assert!(!said.contains("no client"), "{said}");
}
