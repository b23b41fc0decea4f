//! Reports that go out by themselves, and the archive of those that went out.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Timelike, Utc};
use superops_sla::alert::life::{Act, Actor, How};
use superops_sla::config::Past;
use superops_sla::formats::Format;
use superops_sla::report::entry::Reason;
use superops_sla::service::Reach;
use superops_sla::service::alerts::AlertQuery;
use superops_sla::service::breaches::{BreachQuery, BreachState};
use superops_sla::service::overrides::OverrideOrder;
use superops_sla::service::reports::archive::{ArchiveQuery, ArchivedReport};
use superops_sla::service::reports::reasons::ReasonOrder;
use superops_sla::service::reports::{ComplianceQuery, ReportQuery, TechnicianQuery};
use superops_sla::service::room::RoomQuery;
use superops_sla::simulator::NewTicket;
use superops_sla::simulator::receivers::{Caught, CaughtKind, MailReply};
use superops_sla::store::audit::Author;
use superops_sla::ticket::{ClockKind, TenantId};

use crate::support::{TestApp, usual};
use crate::web::served;

const WEEKLY: &str = "[[reports.schedules]]\nname = \"Weekly\"\nevery = \"week\"\nformats = [\"pdf\", \"csv\"]\n\
    to = [\"boss@example.com\", \"it@client.example\"]\n";
const MONTHLY: &str = "[[reports.schedules]]\nname = \"Monthly\"\nevery = \"month\"\nto = [\"boss@example.com\"]\n";

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// Books all that is to be booked, closes what can be, and sends the reports that are due.
async fn report(app: &mut TestApp) -> Vec<Arc<Caught>> {
    let now = app.now();
    while app.parts().bookkeeping.turn(now).await.unwrap().tickets > 0 {}
    app.parts().reporting.turn(now).await;
    mails(app).await
}

async fn mails(app: &mut TestApp) -> Vec<Arc<Caught>> {
    app.dispatch().await;
    app.heard().into_iter().filter(|one| one.kind == CaughtKind::Email && one.subject.contains("] Report")).collect()
}

async fn archive(app: &mut TestApp) -> Vec<ArchivedReport> {
    app.parts().service.archive(&Reach::All, &ArchiveQuery::default()).await.unwrap().reports
}

/// A ticket that breaches, in the books.
async fn breach(app: &mut TestApp) {
    app.ticket(TimeDelta::hours(1));
    app.turn().await;
    app.wait(TimeDelta::hours(2)).await;
}

#[tokio::test]
async fn a_report_goes_out_once_for_each_period_with_its_files_and_is_kept_to_the_byte() {
    let mut app = TestApp::with(WEEKLY).await;
    assert_eq!(report(&mut app).await.len(), 0, "what was over before the schedule was there is not sent");
    breach(&mut app).await;
    app.clock.set(at("2026-11-30T06:59:59Z"));
    assert_eq!(report(&mut app).await.len(), 0, "a second early");
    app.clock.set(at("2026-11-30T07:00:00Z"));
    let sent = report(&mut app).await;
    // Several leave at once, so the order in which they arrive is anyone's.
    let to: BTreeSet<_> = sent.iter().map(|mail| mail.to.as_str()).collect();
    assert_eq!((sent.len(), to), (2, BTreeSet::from(["boss@example.com", "it@client.example"])));
    assert_eq!(sent[0].subject, "[SLA] Report, 23 November to 29 November 2026");
    assert!(sent[0].text.contains("Compliance: 0.0 % (0 of 1"), "{}", sent[0].text);
    assert!(sent[0].text.contains("may still move until 8 December 2026"), "{}", sent[0].text);
    for _ in 0..2 {
        assert_eq!(report(&mut app).await.len(), 0);
        app.restart().await;
    }
    let kept = archive(&mut app).await;
    let files: Vec<String> = kept.iter().map(|one| format!("{} {}", one.name, one.id)).collect();
    let attached = |mail: &Caught| -> Vec<String> {
        let files = mail.headers.iter().filter(|(name, _)| name == "attachment");
        let mut files: Vec<String> = files.map(|(_, file)| file.clone()).collect();
        files.sort();
        files
    };
    assert_eq!(files.len(), 2);
    assert!(sent.iter().all(|mail| attached(mail) == files), "{files:?} {:?}", attached(&sent[0]));
    let pdf = app.parts().service.archived(&Reach::All, &kept[1].id).await.unwrap().unwrap();
    assert!(pdf.bytes.starts_with(b"%PDF") && pdf.disposition.contains("sla-acme-2026-11-23-2026-11-29.pdf"));
    app.clock.set(at("2026-12-07T07:00:00Z"));
    assert_eq!(report(&mut app).await.len(), 2, "the next week");
    app.clock.set(at("2027-01-13T12:00:00Z"));
    let after = report(&mut app).await;
    assert_eq!(after.len(), 2, "after a downtime the latest alone");
    assert!(after[0].subject.ends_with("4 January to 10 January 2027"), "{}", after[0].subject);
}

#[tokio::test]
async fn a_mail_that_the_server_cannot_take_now_is_tried_again() {
    let mut app = TestApp::with(WEEKLY).await;
    report(&mut app).await;
    app.clock.set(at("2026-11-30T07:00:00Z"));
    app.mail.reply(MailReply::TryLater);
    assert_eq!(report(&mut app).await.len(), 0);
    app.mail.reply(MailReply::Accept);
    app.clock.advance(TimeDelta::minutes(1));
    let again = mails(&mut app).await;
    assert_eq!(again.len(), 2);
    assert_eq!(again[0].headers.iter().filter(|(name, _)| name == "attachment").count(), 2);
    app.clock.advance(TimeDelta::hours(1));
    assert_eq!(mails(&mut app).await.len(), 0);
}

#[tokio::test]
async fn a_month_is_reported_on_once_its_figures_are_final_or_after_a_day_of_waiting_for_that() {
    for is_read in [true, false] {
        let mut app = TestApp::with(MONTHLY).await;
        report(&mut app).await;
        breach(&mut app).await;
        report(&mut app).await;
        app.clock.set(at("2026-12-08T07:00:00Z"));
        assert_eq!(report(&mut app).await.len(), 0, "nobody has read the tickets since the month ended");
        if is_read {
            app.turn().await;
            app.heard();
            let sent = report(&mut app).await;
            assert!(sent[0].text.contains("Figures: final"), "{}", sent[0].text);
            assert!(archive(&mut app).await[0].closed);
        } else {
            app.clock.advance(TimeDelta::hours(23));
            assert_eq!(report(&mut app).await.len(), 0);
            app.clock.advance(TimeDelta::hours(1));
            let sent = report(&mut app).await;
            assert!(sent[0].text.contains("may still move"), "{}", sent[0].text);
            assert!(!archive(&mut app).await[0].closed);
        }
    }
}

#[tokio::test]
async fn a_report_that_cannot_be_made_is_made_once_it_can_be() {
    let unknown = format!("{WEEKLY}client = \"Nobody Ltd\"\n");
    let mut app = TestApp::with(WEEKLY).await;
    report(&mut app).await;
    app.restart_with(&unknown).await;
    app.clock.set(at("2026-11-30T07:00:00Z"));
    assert_eq!(report(&mut app).await.len(), 0);
    app.restart_with(WEEKLY).await;
    assert_eq!(report(&mut app).await.len(), 2);
}

#[tokio::test]
async fn a_report_on_closed_months_is_kept_when_somebody_asks_and_goes_at_its_age() {
    let mut app = TestApp::start().await;
    breach(&mut app).await;
    let query = ReportQuery {
        from: Some("2026-11-01".to_owned()),
        to: Some("2026-11-30".to_owned()),
        by: Some("technician".to_owned()),
        ..ReportQuery::default()
    };
    let ask = async |app: &mut TestApp| {
        app.parts().service.report_file(&Reach::All, &query, Format::Html, "Mia").await.unwrap().bytes
    };
    ask(&mut app).await;
    assert_eq!(archive(&mut app).await.len(), 0, "its figures may still move");
    app.clock.set(at("2026-12-08T07:00:00Z"));
    app.turn().await;
    report(&mut app).await;
    let first = ask(&mut app).await;
    assert_eq!(ask(&mut app).await, first);
    let kept = archive(&mut app).await;
    assert_eq!(kept.len(), 1, "the same is kept once");
    assert_eq!((kept[0].made_for.as_str(), kept[0].closed), ("Mia", true));
    let id = kept[0].id.clone();
    assert_eq!(app.parts().service.archived(&Reach::All, &id).await.unwrap().unwrap().bytes, first);

    app.restart_with("[reports]\npeople = \"pseudonyms\"\n").await;
    assert_eq!(archive(&mut app).await.len(), 0, "it tells persons apart by name");
    assert!(app.parts().service.archived(&Reach::All, &id).await.unwrap().is_none());
    app.restart_with("").await;
    let old = app.now() + TimeDelta::days(3 * 365);
    assert_eq!(app.parts().retention.turn(old).await.unwrap()[&Past::Reports], 0);
    assert_eq!(app.parts().retention.turn(old + TimeDelta::days(1)).await.unwrap()[&Past::Reports], 1);
    assert!(app.parts().service.archived(&Reach::All, &id).await.unwrap().is_none());
}

#[tokio::test]
async fn a_period_from_before_the_books_is_final_once_their_months_are_closed_and_never_moves_until_a_past_day() {
    let mut app = TestApp::start().await;
    let until = async |app: &mut TestApp, (from, to): (&str, &str)| {
        let query =
            TechnicianQuery { from: Some(from.to_owned()), to: Some(to.to_owned()), ..TechnicianQuery::default() };
        app.parts().service.honesty(&Reach::All, &query).await.unwrap().provisional_until
    };
    // The books begin in January 2020.
    let (over, now) = ([("2019-10-01", "2020-01-31"), ("2019-06-01", "2019-06-30")], ("2026-11-01", "2026-11-30"));
    for period in over.into_iter().chain([now]) {
        assert!(until(&mut app, period).await > Some(app.now()), "nothing is booked yet: {period:?}");
    }
    breach(&mut app).await;
    report(&mut app).await;
    for period in over {
        assert_eq!(until(&mut app, period).await, None, "{period:?}");
    }
    app.clock.set(at("2026-12-09T07:00:00Z"));
    assert!(until(&mut app, now).await > Some(app.now()), "nobody has read the tickets since");
    app.turn().await;
    report(&mut app).await;
    assert_eq!(until(&mut app, now).await, None);
}

/// A report on November, which is asked for twice, as text.
async fn on_november(app: &mut TestApp, query: ReportQuery) -> String {
    let (from, to) = (Some("2026-11-01".to_owned()), Some("2026-11-30".to_owned()));
    let query = ReportQuery { from, to, ..query };
    let first = app.parts().service.report(&Reach::All, &query).await.unwrap();
    let hits = app.parts().service.kept_answers().hits;
    let again = app.parts().service.report(&Reach::All, &query).await.unwrap();
    assert_eq!((app.parts().service.kept_answers().hits, &first), (hits + 1, &again), "it is kept");
    serde_json::to_string(&first).unwrap()
}

/// November with a ticket that breached in it, closed.
async fn closed_november(app: &mut TestApp) -> String {
    let ticket = app.ticket(TimeDelta::hours(1));
    app.turn().await;
    app.wait(TimeDelta::hours(2)).await;
    app.clock.set(at("2026-12-08T07:00:00Z"));
    app.turn().await;
    report(app).await;
    ticket
}

async fn call_off(app: &mut TestApp, ticket: &str) {
    let reason = "a test of ours".to_owned();
    let order = OverrideOrder { clock: ClockKind::Resolution, due: None, stopped_at: None, cancelled: true, reason };
    app.parts().service.decide(&Reach::All, ticket, order, mia()).await.unwrap().unwrap();
    report(app).await;
}

fn mia() -> Author {
    Author { who: "Mia".to_owned(), origin: "a test".to_owned() }
}

#[tokio::test]
async fn what_is_kept_of_a_closed_month_is_void_once_something_of_it_changes() {
    let mut app = TestApp::start().await;
    let ticket = closed_november(&mut app).await;
    let query = || ReportQuery { by: Some("reason".to_owned()), ..ReportQuery::default() };
    let first = on_november(&mut app, query()).await;
    assert!(!first.contains("more was due") && !first.contains("changed after"), "{first}");
    let order = ReasonOrder {
        clock: ClockKind::Resolution,
        round: None,
        reason: Some(Reason::Understaffed.as_str().to_owned()),
    };
    app.parts().service.say_reason(&Reach::All, &ticket, &order, mia()).await.unwrap().unwrap();
    let said = on_november(&mut app, query()).await;
    assert!(said.contains("more was due than could be done"), "{said}");
    call_off(&mut app, &ticket).await;
    let corrected = on_november(&mut app, query()).await;
    assert!(corrected.contains("Decisions that changed after their month was closed"), "{corrected}");
}

#[tokio::test]
async fn a_persons_word_on_a_breach_outlasts_a_decision_that_is_taken_back() {
    let mut app = TestApp::start().await;
    let ticket = closed_november(&mut app).await;
    let (clock, round) = (ClockKind::Resolution, None);
    let order = ReasonOrder { clock, round, reason: Some(Reason::Understaffed.as_str().to_owned()) };
    app.parts().service.say_reason(&Reach::All, &ticket, &order, mia()).await.unwrap().unwrap();
    call_off(&mut app, &ticket).await;
    app.parts().service.undecide(&Reach::All, &ticket, clock, mia()).await.unwrap().unwrap();
    report(&mut app).await;
    let query =
        ReportQuery { as_of: Some("latest".to_owned()), by: Some("reason".to_owned()), ..ReportQuery::default() };
    let said = on_november(&mut app, query).await;
    assert!(said.contains("more was due than could be done"), "{said}");
}

/// Clocks, breaches and overdue milliseconds of all days.
fn days(report: &str) -> [i64; 3] {
    let report: serde_json::Value = serde_json::from_str(report).unwrap();
    let sections = report["sections"].as_array().unwrap();
    let rows = &sections.iter().find(|section| section["key"] == "days").unwrap()["tables"][0]["rows"];
    let number = |cell: &serde_json::Value| cell.as_object().unwrap().values().next().unwrap().as_i64().unwrap();
    [1, 3, 6].map(|place| rows.as_array().unwrap().iter().map(|row| number(&row["cells"][place])).sum())
}

#[tokio::test]
async fn a_month_as_is_known_now_is_restated_day_by_day_as_well() {
    let mut app = TestApp::start().await;
    let ticket = closed_november(&mut app).await;
    let of_one = || ReportQuery { client: Some("Globex Corporation".to_owned()), ..ReportQuery::default() };
    let latest = |query| ReportQuery { as_of: Some("latest".to_owned()), ..query };
    for query in [ReportQuery::default, of_one] {
        let closed = on_november(&mut app, query()).await;
        assert_eq!(days(&on_november(&mut app, latest(query())).await), days(&closed));
    }
    let before = days(&on_november(&mut app, of_one()).await);
    assert!(before[1] == 1 && before[2] > 0, "{before:?}");
    let all_before = days(&on_november(&mut app, ReportQuery::default()).await);
    call_off(&mut app, &ticket).await;
    assert_eq!(days(&on_november(&mut app, of_one()).await), before, "it is closed");
    assert_eq!(days(&on_november(&mut app, latest(of_one())).await), [before[0] - 1, 0, 0]);
    let closed = on_november(&mut app, ReportQuery::default()).await;
    assert_eq!(days(&closed)[..2], all_before[..2]);
    let known = on_november(&mut app, latest(ReportQuery::default())).await;
    assert_eq!(days(&known)[..2], [all_before[0] - 1, all_before[1] - 1]);
    assert!(closed.contains("its figures stay as they were"), "{closed}");
    assert!(known.contains("these figures are what is known now"), "{known}");
    let month = |as_of| ComplianceQuery {
        from_date: Some("2026-11-01".to_owned()),
        to_date: Some("2026-11-30".to_owned()),
        as_of,
        ..ComplianceQuery::default()
    };
    let breaches = async |app: &mut TestApp, as_of: Option<&str>| {
        let query = month(as_of.map(str::to_owned));
        let days = app.parts().service.compliance(&Reach::All, &query).await.unwrap();
        days.iter().map(|day| i64::try_from(day.sla_breaches).unwrap()).sum::<i64>()
    };
    assert_eq!(
        (breaches(&mut app, None).await, breaches(&mut app, Some("latest")).await),
        (all_before[1], all_before[1] - 1)
    );
}

#[tokio::test]
async fn each_breach_that_a_report_lists_has_the_number_that_people_know_however_late_other_clients_are() {
    let mut app = TestApp::start().await;
    let due = |client: &str, hours| NewTicket {
        client: Some(client.to_owned()),
        resolution_due_in: Some(TimeDelta::hours(hours)),
        ..usual()
    };
    for _ in 0..401 {
        app.superops.add(due("Initech Hosting", 1));
    }
    app.superops.add(due("Globex Corporation", 2));
    app.sync().await;
    app.clock.advance(TimeDelta::hours(4));
    report(&mut app).await;
    let known: BTreeSet<_> = app.database.texts("SELECT display_id FROM tickets").await.into_iter().collect();
    for (client, least) in [(Some("Globex Corporation".to_owned()), 1), (None, 402)] {
        let made = on_november(&mut app, ReportQuery { client: client.clone(), ..ReportQuery::default() }).await;
        let made: serde_json::Value = serde_json::from_str(&made).unwrap();
        let mut tables = made["sections"].as_array().unwrap().iter().flat_map(|it| it["tables"].as_array().unwrap());
        let rows = tables.find(|table| table["key"] == "breaches").unwrap()["rows"].as_array().unwrap();
        let shown: Vec<_> = rows.iter().map(|row| row["cells"][0]["text"].as_str().unwrap()).collect();
        assert!(shown.len() >= least, "{client:?}: {}", shown.len());
        assert!(shown.iter().all(|number| known.contains(*number)), "{client:?}: {shown:?}");
    }
}

#[tokio::test]
async fn a_report_as_known_now_says_so_and_is_not_kept_with_those_of_closed_months() {
    let mut app = TestApp::start().await;
    let ticket = closed_november(&mut app).await;
    call_off(&mut app, &ticket).await;
    for (as_of, ending) in [(Some("latest"), "-2026-11-30-latest.html\""), (None, "-2026-11-30.html\"")] {
        let query = ReportQuery {
            from: Some("2026-11-01".to_owned()),
            to: Some("2026-11-30".to_owned()),
            as_of: as_of.map(str::to_owned),
            ..ReportQuery::default()
        };
        let file = app.parts().service.report_file(&Reach::All, &query, Format::Html, "Mia").await.unwrap();
        assert!(file.disposition.ends_with(ending), "{}", file.disposition);
        let text = String::from_utf8(file.bytes).unwrap();
        assert_eq!(text.contains(", as known now"), as_of.is_some(), "{text}");
        assert_eq!(text.contains("came later and is not counted"), as_of.is_none(), "{text}");
        assert_eq!(archive(&mut app).await.len(), usize::from(as_of.is_none()), "{as_of:?}");
    }
}

#[tokio::test]
async fn the_form_of_a_page_on_figures_keeps_the_tenant_that_was_chosen() {
    let mut app =
        TestApp::with("[tenants.globex]\nsubdomain = \"globex\"\nregion = \"eu\"\ntoken_env = \"TWILIO\"\n").await;
    app.parts().syncs.pop();
    app.turn().await;
    let (url, token) = served(&mut app, None).await;
    let (_, bound) = served(&mut app, Some("globex")).await;
    let page = async |path: &str, token: &str| {
        let answer = reqwest::Client::new().get(format!("{url}{path}")).bearer_auth(token).send().await.unwrap();
        answer.text().await.unwrap()
    };
    for path in ["/reports", "/technicians", "/clients", "/honesty"] {
        let chosen = page(&format!("{path}?tenant=globex"), &token).await;
        assert!(chosen.contains("<option value=\"globex\" selected>"), "{path}: {chosen}");
        assert!(chosen.contains("<option value=\"acme\">"), "{path}: the way to the other one: {chosen}");
        let plain = page(path, &token).await;
        assert_eq!(plain.contains("<option value=\"\">all"), path == "/clients", "{path}: {plain}");
        let bound = page(path, &bound).await;
        assert!(!bound.contains("acme") && !bound.contains("name=\"tenant\""), "{path}: {bound}");
    }
}

#[tokio::test]
async fn clients_and_what_figures_rest_on_have_pages_and_answers_of_their_own() {
    let mut app = TestApp::start().await;
    breach(&mut app).await;
    report(&mut app).await;
    let (url, token) = served(&mut app, None).await;
    let ask = async |path: &str| {
        let answer = reqwest::Client::new().get(format!("{url}{path}")).bearer_auth(&token).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        answer.text().await.unwrap()
    };
    let period = "from=2026-11-01&to=2026-11-30";
    let clients: serde_json::Value = serde_json::from_str(&ask(&format!("/api/v1/clients?{period}")).await).unwrap();
    let listed = clients["clients"].as_array().unwrap();
    let one = listed.iter().find(|one| one["client_name"] == "Globex Corporation").unwrap();
    assert_eq!(one["breaches"], 1, "{one}");
    assert_eq!((&one["change"], &one["change_is"]), (&serde_json::Value::Null, &"too_few".into()));
    let page = ask(&format!("/clients?{period}")).await;
    assert!(page.contains("Globex Corporation") && page.contains("too few"), "{page}");
    assert!(page.contains("/reports/entries?tenant=acme&amp;outcome=breached&amp;client="), "{page}");
    let overdue = async |of: &str| {
        let report = ask(&format!("/api/v1/reports/sla?{period}{of}")).await;
        let report: serde_json::Value = serde_json::from_str(&report).unwrap();
        let sections = report["sections"].as_array().unwrap();
        let days = &sections.iter().find(|section| section["key"] == "days").unwrap()["tables"][0]["rows"];
        let length = |row: &serde_json::Value| row["cells"][6].as_object().unwrap().values().next().unwrap().as_i64();
        days.as_array().unwrap().iter().filter_map(length).sum::<i64>()
    };
    let (of_all, of_one) = (overdue("").await, overdue("&client=Globex%20Corporation").await);
    assert!(of_one == 3_600_000 && of_all > of_one, "{of_one} ms of {of_all} ms: others were late too");
    let counted_so = ask(&format!("/reports?{period}&as_of=latest&exclude_maintenance=false")).await;
    assert!(counted_so.contains("&amp;as_of=latest&amp;exclude_maintenance=false&amp;from="), "{counted_so}");
    assert!(counted_so.contains(" · as known now"), "{counted_so}");
    let so = format!("{period}&as_of=latest&exclude_maintenance=false");
    for (path, way) in [
        ("/reports", "/honesty?"),
        ("/clients", "/honesty?"),
        ("/clients", "/reports/entries?"),
        ("/clients", "/reports?"),
        ("/clients", "/api/v1/reports/sla?"),
    ] {
        let page = ask(&format!("{path}?{so}")).await;
        let link = format!("href=\"{way}");
        let links: Vec<_> = page.split(link.as_str()).skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
        let alike = ["as_of=latest", "exclude_maintenance=false", "from=2026%2D11%2D01"];
        let is_alike = |link: &&str| alike.iter().all(|part| link.contains(part));
        assert!(!links.is_empty() && links.iter().all(is_alike), "{path} to {way}: {links:?}");
    }
    let page = ask(&format!("/honesty?{so}")).await;
    let entries = page.matches("/reports/entries?").count();
    assert_eq!(page.matches("&amp;as_of=latest&amp;exclude_maintenance=false\"").count(), entries, "{page}");
    for path in ["/clients", "/honesty"] {
        let plain = ask(path).await;
        let empty =
            plain.contains("type=\"date\" name=\"from\" value=\"\"") || !plain.contains("name=\"to\" value=\"20");
        assert!(!empty, "{path} names the days that it shows: {plain}");
    }
    let plain = ask("/reports").await;
    assert!(plain.contains("type=\"date\" name=\"from\" value=\"20"), "the days that are shown: {plain}");
    assert!(plain.contains("<noscript>") && !plain.contains("needs JavaScript"), "it does not: {plain}");
    let unnamed = ask(&format!("/clients?{period}&anonymize=true")).await;
    assert!(!unnamed.contains("Globex") && !unnamed.contains("outcome=breached"), "{unnamed}");
    let honesty: serde_json::Value =
        serde_json::from_str(&ask(&format!("/api/v1/reports/honesty?{period}")).await).unwrap();
    let clocks: u64 = listed.iter().map(|one| one["clocks"].as_u64().unwrap()).sum();
    let verdicts = ["by_hand", "by_superops", "by_policy"].map(|key| honesty[key].as_u64().unwrap());
    assert_eq!((honesty["clocks"].as_u64(), verdicts.iter().sum()), (Some(clocks), clocks), "{honesty}");
    assert_eq!(honesty["waiting"], 0);
    assert!(honesty["small_clients"]["count"].as_u64().unwrap() > 0, "{honesty}");
    let page = ask(&format!("/honesty?{period}")).await;
    for words in ["clocks are counted", "Said by SuperOps", "Clients with too few", "All that is known has been booked"]
    {
        assert!(page.contains(words), "{words}: {page}");
    }
    assert_eq!(ask(&format!("/api/v1/sla/credits?{period}")).await, "[]", "no policy gives anything back");
    let page = async |path: &str| {
        let text = ask(path).await;
        let more =
            text.split("<a class=\"button\" href=\"").nth(1).map(|rest| rest.split('"').next().unwrap().to_owned());
        (text.matches("<td><a href=\"/tickets/").count() as u64, more.map(|more| more.replace("&amp;", "&")))
    };
    let (mut listed, mut next) = (0, Some(format!("/reports/entries?tenant=acme&limit=2&{period}")));
    while let Some(path) = next {
        let (number, more) = page(&path).await;
        (listed, next) = (listed + number, more);
    }
    let all = page(&format!("/reports/entries?tenant=acme&limit=1000&{period}")).await;
    assert_eq!((listed, None), all, "one page leads to the next");
    assert!(listed > 2, "{listed}");
    let bad = reqwest::Client::new().get(format!("{url}/clients?from=2026-12-01&to=2026-11-01")).bearer_auth(&token);
    let bad = bad.send().await.unwrap();
    assert_eq!(bad.status(), 400);
    assert!(bad.text().await.unwrap().contains("begins on 2026-12-01 and ends before that"));
}

#[tokio::test]
async fn a_new_schedule_says_nothing_of_a_period_that_was_over_though_its_report_was_not_due() {
    let mut app = TestApp::start().await;
    breach(&mut app).await;
    app.clock.set(at("2026-12-03T12:00:00Z"));
    app.restart_with(MONTHLY).await;
    for (now, mails) in [
        ("2026-12-03T12:05:00Z", 0),
        ("2026-12-08T07:00:00Z", 0),
        ("2026-12-09T07:00:00Z", 0),
        ("2027-01-08T07:00:00Z", 1),
    ] {
        app.clock.set(at(now));
        app.turn().await;
        app.heard();
        assert_eq!(report(&mut app).await.len(), mails, "{now}");
    }
}

#[tokio::test]
async fn a_closed_breach_tells_persons_apart_no_further_than_reports_do() {
    let mut app = TestApp::start().await;
    app.turn().await;
    let directory = app.parts().store.directory(&TenantId::parse("acme").unwrap()).await.unwrap();
    let name = directory.technicians.values().next().unwrap().name.clone();
    let given =
        || NewTicket { technician: Some(name.clone()), resolution_due_in: Some(TimeDelta::hours(1)), ..usual() };
    let (closed, _open) = (app.superops.add(given()), app.superops.add(given()));
    app.turn().await;
    app.wait(TimeDelta::hours(2)).await;
    app.superops.change_status(&closed, "Resolved");
    app.wait(TimeDelta::minutes(5)).await;
    report(&mut app).await;
    for (people, expected) in [("named", Some(&*name)), ("pseudonyms", Some("a technician")), ("off", None)] {
        app.restart_with(&format!("[reports]\npeople = \"{people}\"\n")).await;
        let told = async |app: &mut TestApp, state| {
            let query = BreachQuery { state: Some(state), ..BreachQuery::default() };
            let breaches = app.parts().service.breaches(&Reach::All, &query).await.unwrap().breaches;
            let breach = breaches.into_iter().find(|one| one.technician_name.is_some() || people == "off");
            breach.and_then(|one| one.technician_name.map(|name| (name, one.technician_id.is_some())))
        };
        let expected = expected.map(|name| (name.to_owned(), people == "named"));
        assert_eq!(told(&mut app, BreachState::Closed).await, expected, "{people}");
        assert_eq!(told(&mut app, BreachState::Open).await, Some((name.clone(), true)), "who has it now: {people}");
    }
}

#[tokio::test]
async fn a_closed_breach_names_neither_who_was_told_nor_who_took_it_on_where_reports_name_nobody() {
    let mut app = TestApp::start().await;
    let ticket = app.ticket(TimeDelta::hours(1));
    app.turn().await;
    app.wait(TimeDelta::hours(2)).await;
    let query = |state| BreachQuery { state: Some(state), ..BreachQuery::default() };
    let open = app.parts().service.breaches(&Reach::All, &query(BreachState::Open)).await.unwrap().breaches;
    let taker = Actor { name: "Mia".to_owned(), how: How::Page, origin: "a test".to_owned(), note: None };
    app.parts().service.act_on_alert(&Reach::All, &open[0].id, Act::Acknowledge, &taker).await.unwrap().unwrap();
    app.superops.change_status(&ticket, "Resolved");
    app.wait(TimeDelta::minutes(5)).await;
    for people in ["named", "pseudonyms", "off"] {
        app.restart_with(&format!("[reports]\npeople = \"{people}\"\n")).await;
        let closed = app.parts().service.breaches(&Reach::All, &query(BreachState::Closed)).await.unwrap().breaches;
        let told: BTreeSet<_> = closed[0].notifications.iter().map(|told| told.recipient.as_str()).collect();
        let taken = closed[0].acknowledged_by.as_deref();
        if people == "named" {
            assert!(taken == Some("Mia") && !told.is_empty() && !told.contains("a technician"), "{taken:?} {told:?}");
        } else {
            assert_eq!((taken, told), (Some("a technician"), BTreeSet::from(["a technician"])), "{people}");
        }
    }
}

#[tokio::test]
async fn a_resolved_alert_names_people_no_further_than_reports_do() {
    let mut app = TestApp::start().await;
    app.turn().await;
    let directory = app.parts().store.directory(&TenantId::parse("acme").unwrap()).await.unwrap();
    let name = directory.technicians.values().next().unwrap().name.clone();
    let given =
        || NewTicket { technician: Some(name.clone()), resolution_due_in: Some(TimeDelta::hours(1)), ..usual() };
    let (resolved, open) = (app.superops.add(given()), app.superops.add(given()));
    app.turn().await;
    app.wait(TimeDelta::hours(2)).await;
    let of = |ticket: &str| AlertQuery {
        state: Some("all".to_owned()),
        ticket: Some(ticket.to_owned()),
        ..AlertQuery::default()
    };
    let raised = app.parts().service.alerts(&Reach::All, &of(&resolved)).await.unwrap().alerts;
    let taker = Actor { name: "Mia".to_owned(), how: How::Page, origin: "a test".to_owned(), note: None };
    app.parts().service.act_on_alert(&Reach::All, &raised[0].id, Act::Acknowledge, &taker).await.unwrap().unwrap();
    app.superops.change_status(&resolved, "Resolved");
    app.wait(TimeDelta::minutes(5)).await;
    for (people, expected) in [("named", Some(&*name)), ("pseudonyms", Some("a technician")), ("off", None)] {
        app.restart_with(&format!("[reports]\npeople = \"{people}\"\n")).await;
        let service = &app.parts().service;
        let listed = service.alerts(&Reach::All, &of(&resolved)).await.unwrap().alerts;
        assert!(!listed.is_empty() && listed.iter().all(|alert| alert.technician.as_deref() == expected), "{people}");
        let alone = service.alert(&Reach::All, &raised[0].id).await.unwrap().unwrap();
        assert_eq!(alone.hold.as_ref().unwrap().by == "Mia", people == "named", "who took it on: {people}");
        let told = serde_json::to_string(&(&listed, &alone)).unwrap();
        assert_eq!(told.contains("Mia") || told.contains(&name), people == "named", "{people}: {told}");
        let now = service.alerts(&Reach::All, &of(&open)).await.unwrap().alerts;
        assert_eq!(now[0].technician.as_deref(), Some(&*name), "who has it now: {people}");
    }
}

#[tokio::test]
async fn who_has_room_is_told_from_what_is_open_and_from_what_was_resolved_lately() {
    let mut app = TestApp::start().await;
    app.turn().await;
    let directory = app.parts().store.directory(&TenantId::parse("acme").unwrap()).await.unwrap();
    let name = directory.technicians.values().next().unwrap().name.clone();
    let given = |hours| NewTicket {
        technician: Some(name.clone()),
        resolution_due_in: Some(TimeDelta::hours(hours)),
        ..usual()
    };
    let tickets: Vec<String> = (0..13).map(|number| app.superops.add(given(40 + 100 * number))).collect();
    app.turn().await;
    app.wait(TimeDelta::hours(2)).await;
    for id in &tickets[2..] {
        app.superops.change_status(id, "Resolved");
    }
    app.wait(TimeDelta::minutes(5)).await;
    report(&mut app).await;
    let page = app.parts().service.room(&Reach::All, &RoomQuery::default()).await.unwrap();
    let busy = page.technicians.iter().find(|one| one.technician_name == name && one.open > 0).unwrap();
    // Round the clock, eleven in 28 days and today so far: each takes two and a half, and the first of the two is due in
    // less.
    let pace = (28 * 86_400 + i64::from(app.now().num_seconds_from_midnight())) / 11;
    assert_eq!((busy.open, busy.pace, busy.pace_of), (2, Some(pace), Some("own")));
    let left = TimeDelta::hours(38) - TimeDelta::minutes(5);
    assert_eq!(busy.least_slack, Some(left.num_seconds() - pace - 1));
    assert_eq!((busy.first_late.is_some(), busy.fits), (true, Some(0)));
    let idle = page.technicians.iter().find(|one| one.technician_name != name).unwrap();
    assert_eq!((idle.open, idle.pace_of, idle.first_late.as_ref()), (0, Some("all"), None));
    let (url, token) = served(&mut app, None).await;
    for path in ["/api/v1/technicians/room", "/technicians/room", "/reports/archive", "/api/v1/reports/archive"] {
        let answer = reqwest::Client::new().get(format!("{url}{path}")).bearer_auth(&token).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
    }
    app.restart_with("[reports]\npeople = \"pseudonyms\"\n").await;
    let error = app.parts().service.room(&Reach::All, &RoomQuery::default()).await.unwrap_err();
    assert_eq!(error.to_string(), "who has room is not shown here: `people` in [reports] is `pseudonyms`");
}

#[tokio::test]
async fn the_day_is_told_hour_by_hour_and_stands_beside_the_same_weekday_a_week_later() {
    let mut app = TestApp::start().await;
    let ticket = app.ticket(TimeDelta::hours(1));
    app.turn().await;
    app.wait(TimeDelta::hours(2)).await;
    app.superops.change_status(&ticket, "Resolved");
    app.wait(TimeDelta::minutes(5)).await;
    report(&mut app).await;
    let counts =
        |hour: Option<superops_sla::service::today::Happened>| hour.map(|one| (one.opened, one.closed, one.breached));
    let day = app.parts().service.today(&Reach::All).await.unwrap();
    assert_eq!(counts(Some(day.today)), Some((1, 1, 1)), "{day:?}");
    let hours: Vec<_> = day.hours.iter().filter_map(|hour| Some((hour.hour, counts(hour.today)?))).collect();
    assert_eq!(hours[9..], [(9, (1, 0, 0)), (10, (0, 0, 1)), (11, (0, 1, 0))]);
    assert_eq!(counts(Some(day.before)), Some((0, 0, 0)));

    app.clock.set(at("2026-11-30T10:30:00Z"));
    let (url, token) = served(&mut app, None).await;
    let client = reqwest::Client::new();
    let ask = |path: &str| client.get(format!("{url}{path}")).bearer_auth(&token).send();
    let day: serde_json::Value = ask("/api/v1/today").await.unwrap().json().await.unwrap();
    let then = |opened, closed, breached| serde_json::json!({"opened": opened, "closed": closed, "breached": breached});
    assert_eq!((&day["today"], &day["before"]), (&then(0, 0, 0), &then(1, 1, 1)), "{day}");
    assert_eq!(day["before_by_now"], then(1, 0, 1));
    let page = ask("/today").await.unwrap().text().await.unwrap();
    assert!(
        page.contains("Today: 0 opened, 0 closed, 0 targets missed; last Monday by this time: 1, 0 and 1."),
        "{page}"
    );
    assert!(page.contains("<svg") && page.contains("<th scope=\"row\">11:00</th>"), "{page}");
}
