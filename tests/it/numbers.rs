//! One number for one thing, whoever is asked: API, command line, metrics and
//! messages, on desks made by chance.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::sync::Arc;

use chrono::TimeDelta;
use reqwest::Method;
use serde_json::{Value, json};
use superops_sla::cli;
use superops_sla::service::alerts::AlertQuery;
use superops_sla::service::{Reach, TicketQuery};
use superops_sla::simulator::NewTicket;
use superops_sla::simulator::receivers::CaughtKind;
use superops_sla::store::tokens::Role;
use superops_sla::web::{self, HttpServer};
use tokio::net::TcpListener;

use crate::life::{call, served};
use crate::support::{TestApp, minutes, usual};

/// The desks that are tried: what was once found wrong stays among them.
const SEEDS: [u64; 4] = [1, 7, 12, 2026];
const TICKETS: usize = 40;
const STANDINGS: [&str; 5] = ["breached", "at_risk", "on_track", "paused", "nothing_due"];

/// A desk of all sorts: late or not, answered in time, late or not at all, paused, and without due times.
async fn desk(seed: u64) -> TestApp {
    let app = TestApp::with_office("").await;
    let mut chance = fastrand::Rng::with_seed(seed);
    for _ in 0..TICKETS {
        app.superops.add(ticket(&mut chance));
    }
    app
}

fn ticket(chance: &mut fastrand::Rng) -> NewTicket {
    let created = chance.i64(30..6000);
    let mut due = |share: u8| chance.u8(0..10).ge(&share).then(|| minutes(chance.i64(-created + 10..3000)));
    let (response_due_in, resolution_due_in) = (due(3), due(3));
    let responded = chance.bool().then(|| minutes(chance.i64(-created + 1..0)));
    let statuses = ["Open", "Open", "Open", "Waiting on Customer", "On Hold"];
    let people = [Some("Yuki Tanaka"), Some("Luca Bianchi"), None];
    NewTicket {
        status: chance.choice(statuses).map(str::to_owned),
        technician: chance.choice(people).flatten().map(str::to_owned),
        created_in: minutes(-created),
        response_due_in,
        resolution_due_in,
        responded_in: responded.filter(|_| response_due_in.is_some()),
        ..usual()
    }
}

/// What the API answers.
struct Api {
    url: String,
    token: String,
}

impl Api {
    async fn of(app: &mut TestApp) -> Self {
        let (url, mut tokens) = served(app, &[(Role::Responder, None)]).await;
        Self { url, token: tokens.remove(0) }
    }

    async fn get(&self, path: &str) -> Value {
        call(Method::GET, &format!("{}{path}", self.url), &self.token, json!({})).await.1
    }

    async fn metrics(&self) -> String {
        let url = format!("{}/metrics", self.url);
        reqwest::Client::new().get(url).bearer_auth(&self.token).send().await.unwrap().text().await.unwrap()
    }
}

fn number(counts: &Value, name: &str) -> u64 {
    counts[name].as_u64().unwrap_or_else(|| panic!("no `{name}` in {counts}"))
}

/// What one metric of all tenants says, by its label of that name.
fn figures(metrics: &str, name: &str, label: &str) -> BTreeMap<String, u64> {
    let mut figures = BTreeMap::new();
    for line in metrics.lines().filter(|line| line.starts_with(&format!("superops_sla_{name}{{"))) {
        let (labels, value) = line.rsplit_once(' ').unwrap();
        let found = labels.split_once(&format!("{label}=\"")).and_then(|(_, rest)| rest.split_once('"'));
        *figures.entry(found.unwrap().0.to_owned()).or_default() += value.parse::<u64>().unwrap();
    }
    figures
}

#[tokio::test]
async fn every_open_ticket_is_counted_once_and_the_same_everywhere() {
    for seed in SEEDS {
        let mut app = desk(seed).await;
        app.turn().await;
        let api = Api::of(&mut app).await;
        for _ in 0..3 {
            app.wait(minutes(97)).await;
            let overview = api.get("/api/v1/overview").await;
            let all = api.get("/api/v1/tickets?limit=500").await;
            let metrics = figures(&api.metrics().await, "tickets", "standing");
            let mut sum = 0;
            for standing in STANDINGS {
                let of_page = api.get(&format!("/api/v1/tickets?standing={standing}")).await;
                let tickets = all["tickets"].as_array().unwrap().iter();
                let shown = tickets.filter(|ticket| ticket["standing"] == standing).count() as u64;
                let expected = number(&overview, standing);
                let found = [number(&of_page, "total"), number(&all["counts"], standing), metrics[standing], shown];
                assert_eq!(found, [expected; 4], "{standing} of desk {seed}");
                sum += expected;
            }
            assert_eq!([sum, number(&all, "total")], [number(&overview, "open"); 2], "desk {seed}");
            assert_eq!(sum, TICKETS as u64, "desk {seed}");
            assert_eq!(status(&mut app).await.lines().next().unwrap(), headline(&overview), "desk {seed}");
        }
    }
}

/// What `status` prints.
async fn status(app: &mut TestApp) -> String {
    let service = app.parts().service.clone();
    let overview = service.overview(&Reach::All).await.unwrap();
    let query = TicketQuery { limit: Some(500), ..TicketQuery::default() };
    let page = service.tickets(&Reach::All, &query).await.unwrap();
    cli::status::page_text(&overview, &[], &page, false, None)
}

fn headline(overview: &Value) -> String {
    let of = |name: &str| number(overview, name);
    format!(
        "{} open: {} breached, {} at risk, {} on track, {} paused, {} with nothing due",
        of("open"),
        of("breached"),
        of("at_risk"),
        of("on_track"),
        of("paused"),
        of("nothing_due")
    )
}

#[tokio::test]
async fn what_was_answered_late_is_no_open_breach_and_without_due_times_there_is_no_risk() {
    let mut app = TestApp::start().await;
    let hours = TimeDelta::hours;
    let late = NewTicket {
        created_in: hours(-9),
        response_due_in: Some(hours(-8)),
        responded_in: Some(hours(-7)),
        resolution_due_in: Some(hours(9)),
        ..usual()
    };
    let late = app.superops.add(late);
    let undated = app.superops.add(usual());
    app.turn().await;
    let api = Api::of(&mut app).await;
    let breached = api.get("/api/v1/tickets?standing=breached").await;
    assert_eq!(number(&breached, "total"), 0);
    let late = api.get(&format!("/api/v1/tickets/{late}/sla")).await;
    assert_eq!((&late["standing"], &late["is_response_breached"]), (&json!("on_track"), &json!(true)));
    let undated = api.get(&format!("/api/v1/tickets/{undated}/sla")).await;
    assert_eq!((&undated["standing"], &undated["breach_risk_level"]), (&json!("nothing_due"), &json!("NONE")));
    let clocks = figures(&api.metrics().await, "open_tickets", "standing");
    assert_eq!((clocks["breached"], clocks["met_late"]), (0, 1));
    let none = api.get("/api/v1/tickets?risk=none").await;
    assert_eq!(number(&none, "total"), 1);
}

/// The picture that answers are read from is never older than what it shows.
#[tokio::test]
async fn a_standing_changes_for_all_at_the_moment_at_which_it_does() {
    let mut app = TestApp::start().await;
    app.ticket(minutes(60));
    app.turn().await;
    let service = app.parts().service.clone();
    app.clock.advance(minutes(60));
    let on_time = service.overview(&Reach::All).await.unwrap().counts;
    app.clock.advance(TimeDelta::milliseconds(1));
    let late = service.overview(&Reach::All).await.unwrap().counts;
    assert_eq!([(on_time.at_risk, on_time.breached), (late.at_risk, late.breached)], [(1, 0), (0, 1)]);
    let again = service.tickets(&Reach::All, &TicketQuery::default()).await.unwrap();
    assert_eq!(again.tickets[0].resolution_time_remaining, Some(0));
    app.clock.advance(TimeDelta::milliseconds(999));
    let again = service.tickets(&Reach::All, &TicketQuery::default()).await.unwrap();
    assert_eq!(again.tickets[0].resolution_time_remaining, Some(-1), "what is shown ticks, however old the picture");
}

/// A length of time as the command line and messages say it.
fn words(clock: &Value, seconds: i64) -> String {
    let minutes = seconds / 60;
    let (days, hours, minutes) = match clock["round_the_clock"].as_bool().unwrap() {
        true => (minutes / 1440, minutes / 60 % 24, minutes % 60),
        false => (0, minutes / 60, minutes % 60),
    };
    let parts = match (days, hours, minutes) {
        (0, 0, 0) => return "under a minute".to_owned(),
        (0, ..) => [(hours, "h"), (minutes, "min")],
        _ => [(days, "d"), (hours, "h")],
    };
    let parts = parts.iter().filter(|(number, _)| *number > 0).map(|(number, unit)| format!("{number} {unit}"));
    parts.collect::<Vec<_>>().join(" ")
}

/// What the command line says of a clock of the API.
fn said(clock: &Value) -> String {
    let over = clock["over"].as_i64().map(|over| words(clock, over));
    let left = clock["remaining"].as_i64();
    match (clock["standing"].as_str().unwrap(), left) {
        ("breached", None) => format!("met late, {} over", over.unwrap()),
        ("breached", Some(-59..0)) => "just breached".to_owned(),
        ("breached", Some(left)) if left < 0 => format!("{} over", over.unwrap()),
        ("paused", Some(left)) => format!("paused, {} left", words(clock, left)),
        ("on_track" | "at_risk", Some(left)) => format!("{} left", words(clock, left)),
        (standing, _) => standing.to_owned(),
    }
}

#[tokio::test]
async fn the_time_of_a_clock_is_working_time_and_the_same_wherever_it_is_shown() {
    for seed in SEEDS {
        let mut app = desk(seed).await;
        app.turn().await;
        let api = Api::of(&mut app).await;
        let mut overdue_by_the_wall = 0;
        for _ in 0..3 {
            app.wait(minutes(131)).await;
            let alerts = api.get("/api/v1/alerts?state=all&limit=500").await;
            let breaches = api.get("/api/v1/breaches?limit=500").await;
            let (of_tickets, of_alerts) = (status(&mut app).await, listed(&mut app).await);
            for alert in alerts["alerts"].as_array().unwrap() {
                let ticket = api.get(&format!("/api/v1/tickets/{}/sla", alert["ticket_id"].as_str().unwrap())).await;
                let clocks = ticket["clocks"].as_array().unwrap();
                let clock = clocks.iter().find(|clock| clock["clock"] == alert["clock"]).unwrap();
                let shown = &alert["clock_status"];
                for field in ["standing", "due", "remaining", "remaining_wall", "over", "counting", "met_at"] {
                    assert_eq!(shown[field], clock[field], "{field} of {alert} on desk {seed}");
                }
                overdue_by_the_wall += usize::from(
                    clock["remaining_wall"].as_i64().is_some_and(|wall| wall < 0)
                        && clock["remaining"] != clock["remaining_wall"],
                );
                let row = of_alerts.lines().find(|line| line.starts_with(alert["id"].as_str().unwrap())).unwrap();
                assert!(row.contains(&said(clock)), "{} is not in {row}", said(clock));
                let display_id = ticket["display_id"].as_str().unwrap();
                if let Some(row) = of_tickets.lines().find(|line| line.starts_with(display_id)) {
                    assert!(row.contains(&said(clock)), "{} is not in {row}", said(clock));
                }
                let breaches = breaches["breaches"].as_array().unwrap();
                if let Some(breach) = breaches.iter().find(|breach| breach["id"] == alert["id"])
                    && let Some(over) = clock["over"].as_i64()
                {
                    let impact = breach["customer_impact"].as_str().unwrap();
                    assert!(impact.contains(&words(clock, over)), "{impact}: {clock}");
                }
            }
        }
        assert!(overdue_by_the_wall > 0, "desk {seed} has no clock that tells working time from wall time");
    }
}

/// What `alerts` prints.
async fn listed(app: &mut TestApp) -> String {
    let query = AlertQuery { state: Some("all".to_owned()), limit: Some(500), ..AlertQuery::default() };
    let page = app.parts().service.alerts(&Reach::All, &query).await.unwrap();
    cli::alerts::page_text(&page)
}

#[tokio::test]
async fn an_acknowledgement_shows_on_the_ticket_in_the_list_and_in_status_until_it_runs_out() {
    let mut app = TestApp::start().await;
    let id = app.ticket(minutes(60));
    app.turn().await;
    app.wait(minutes(61)).await;
    let api = Api::of(&mut app).await;
    let alerts = api.get("/api/v1/alerts").await;
    let alert = alerts["alerts"][0]["id"].as_str().unwrap();
    let ack = format!("{}/api/v1/alerts/{alert}/ack", api.url);
    call(Method::POST, &ack, &api.token, json!({ "by": "Mia" })).await;
    let held = |ticket: Value| {
        let held = ticket["held"].as_array().unwrap().clone();
        let by = |hold: &Value| hold["by"].as_str().unwrap().split(" (token").next().unwrap().to_owned();
        held.iter().map(|hold| format!("{} {} {}", hold["clock"], by(hold), hold["until"])).collect::<Vec<_>>()
    };
    let expected = r#""resolution" Mia "2026-11-23T10:31:00Z""#;
    assert_eq!(held(api.get(&format!("/api/v1/tickets/{id}/sla")).await), [expected]);
    assert_eq!(held(api.get("/api/v1/tickets").await["tickets"][0].clone()), [expected]);
    let row = status(&mut app).await;
    assert!(row.contains("Mateo Alvarez, acknowledged by Mia (token "), "{row}");
    assert!(row.contains(") until 10:31 UTC"), "{row}");
    app.clock.advance(minutes(30));
    assert_eq!(held(api.get("/api/v1/tickets").await["tickets"][0].clone()), [""; 0], "its time is up");
    app.turn().await;
    assert_eq!(held(api.get(&format!("/api/v1/tickets/{id}/sla")).await), [""; 0]);
}

#[tokio::test]
async fn what_was_ignored_in_a_week_stays_ignored() {
    let mut ignored = 0;
    for seed in SEEDS {
        let mut app = TestApp::start().await;
        let ids: Vec<_> = (0..12).map(|ticket| app.ticket(minutes(30 + 7 * ticket))).collect();
        app.turn().await;
        let api = Api::of(&mut app).await;
        let mut chance = fastrand::Rng::with_seed(seed);
        let mut before = 0;
        for _ in 0..25 {
            app.wait(minutes(chance.i64(1..20))).await;
            let alerts = api.get("/api/v1/alerts?limit=500").await;
            let acts = chance.u8(0..3) == 0;
            if let Some(alert) = chance.choice(alerts["alerts"].as_array().unwrap()).filter(|_| acts) {
                let ack = format!("{}/api/v1/alerts/{}/ack", api.url, alert["id"].as_str().unwrap());
                call(Method::POST, &ack, &api.token, json!({})).await;
            }
            if chance.u8(0..3) == 0 {
                let touched = chance.choice(&ids).unwrap();
                app.superops.change_status(touched, chance.choice(["In Progress", "Open"]).unwrap());
            }
            let weeks = api.get("/api/v1/alerts/weekly").await;
            let now = weeks["weeks"][0]["ignored"].as_i64().unwrap_or_default();
            assert!(now >= before, "{now} ignored after {before} on desk {seed}");
            let metrics = figures(&api.metrics().await, "alerts_this_week", "figure");
            assert_eq!(metrics.get("ignored").copied().unwrap_or_default(), now as u64, "desk {seed}");
            before = now;
        }
        ignored += before;
    }
    assert!(ignored > 0, "nothing is ignored on any desk");
}

/// A ticket, by its display id, and somebody who was told of it by email.
type Told = BTreeSet<(String, String)>;

#[tokio::test]
async fn whoever_was_told_of_a_ticket_by_whatever_message_stands_on_it_and_nobody_else() {
    for seed in SEEDS {
        let mut app = desk(seed).await;
        app.turn().await;
        let api = Api::of(&mut app).await;
        let all = api.get("/api/v1/tickets?limit=500").await;
        let tickets = all["tickets"].as_array().unwrap().clone();
        let mut got = Told::new();
        for round in 0..4 {
            app.wait(minutes(37)).await;
            for mail in app.heard().iter().filter(|caught| caught.kind == CaughtKind::Email) {
                assert!(!mail.text.contains("\nAnd "), "all tickets are named: {}", mail.text);
                let named = tickets.iter().filter_map(|ticket| ticket["display_id"].as_str());
                let whole = format!("{}\n{}", mail.subject, mail.text);
                got.extend(named.filter(|id| whole.contains(id)).map(|id| (id.to_owned(), mail.to.clone())));
            }
            assert_eq!(on_tickets(&api, &tickets).await, got, "desk {seed}, round {round}");
            let alerts = api.get("/api/v1/alerts?state=all&limit=500").await;
            let alerts = alerts["alerts"].as_array().unwrap().clone();
            let by_alert: Told = alerts
                .iter()
                .flat_map(|alert| told(alert["display_id"].as_str().unwrap(), &alert["notifications"]))
                .collect();
            assert_eq!(by_alert, got, "desk {seed}, round {round}");
        }
        assert!(got.len() > 5, "desk {seed} tells nobody of anything");
    }
}

async fn on_tickets(api: &Api, tickets: &[Value]) -> Told {
    let mut shown = Told::new();
    for ticket in tickets {
        let id = ticket["ticket_id"].as_str().unwrap();
        let messages = api.get(&format!("/api/v1/messages?limit=500&ticket={id}")).await;
        shown.extend(told(ticket["display_id"].as_str().unwrap(), &messages["messages"]));
    }
    shown
}

/// Who got these messages by email; the look-alike's addresses are made of names.
fn told(display_id: &str, messages: &Value) -> Told {
    let sent = messages.as_array().unwrap().iter();
    let sent = sent.filter(|message| message["state"] == "sent" && message["channel"] == "email");
    let address = |message: &Value| {
        let name = message["recipient"].as_str().unwrap().to_lowercase().replace(' ', ".").replace('\'', "");
        format!("{}@example.com", name.replace('ø', "o").replace(['å', 'ä'], "a").replace(['ë', 'é'], "e"))
    };
    sent.map(|message| (display_id.to_owned(), address(message))).collect()
}

#[tokio::test]
async fn a_ticket_told_in_the_digest_says_so_wherever_it_is_shown() {
    let mut app = TestApp::start().await;
    let hours = TimeDelta::hours;
    let late = NewTicket { created_in: hours(-9), resolution_due_in: Some(hours(-1)), ..usual() };
    let id = app.superops.add(late);
    app.turn().await;
    let api = Api::of(&mut app).await;
    let messages = api.get(&format!("/api/v1/messages?ticket={id}")).await;
    let [of_ticket] = messages["messages"].as_array().unwrap().as_slice() else { panic!("{messages}") };
    let alerts = api.get("/api/v1/alerts").await;
    let alert = &alerts["alerts"][0];
    let [of_alert] = alert["notifications"].as_array().unwrap().as_slice() else { panic!("{alert}") };
    for told in [of_ticket, of_alert] {
        let words = ["kind", "recipient", "channel", "state"].map(|field| told[field].as_str().unwrap());
        assert_eq!(words, ["digest", "Mateo Alvarez", "email", "sent"]);
        assert_eq!(told["outcomes"][0]["outcome"], "taken", "{told}");
    }
    let scope = Reach::All;
    let ticket = app.parts().service.ticket(&scope, &id).await.unwrap().unwrap();
    let said = app.parts().service.messages(&scope, Some(&id), 50).await.unwrap();
    let text = cli::status::ticket_text(&ticket, &said);
    assert!(text.contains("digest to Mateo Alvarez by email: sent"), "{text}");
    let by_number = api.get(&format!("/api/v1/messages?ticket={}", ticket.display_id)).await;
    assert_eq!(by_number, messages, "a ticket's display id does as well as its id");
    let document = api.get("/api/openapi.json").await;
    let parameters = document["paths"]["/api/v1/messages"]["get"]["parameters"].as_array().unwrap();
    let described = parameters.iter().find(|one| one["name"] == "ticket").unwrap();
    assert_eq!(described["description"], "A ticket's id or display id.");
    app.superops.add(NewTicket { created_in: hours(-9), resolution_due_in: Some(hours(9)), ..usual() });
    app.wait(minutes(5)).await;
    assert_eq!(app.states().await.get("sent"), Some(&1), "the other ticket was told to nobody");
}

#[tokio::test]
async fn a_message_says_the_time_that_the_page_shows_at_the_moment_it_leaves() {
    let mut in_working_time = 0;
    for seed in SEEDS {
        let mut app = desk(seed).await;
        app.turn().await;
        let api = Api::of(&mut app).await;
        for _ in 0..5 {
            let mails: Vec<_> = app.heard().into_iter().filter(|caught| caught.kind == CaughtKind::Email).collect();
            let all = api.get("/api/v1/tickets?limit=500").await;
            for ticket in all["tickets"].as_array().unwrap() {
                for (clock, line) in mails.iter().flat_map(|mail| times(&mail.text, ticket)) {
                    let expected = in_message(clock);
                    assert!(line.contains(&expected), "{expected} is not in {line}: {clock} on desk {seed}");
                    in_working_time += usize::from(expected.contains("working time"));
                }
            }
            app.wait(minutes(113)).await;
        }
    }
    assert!(in_working_time > 20, "only {in_working_time} clocks tell working time from wall time");
}

/// The clocks of `ticket` of which a mail tells the time, each with the line that does. It stands over the ticket.
fn times<'t, 'm>(mail: &'m str, ticket: &'t Value) -> Vec<(&'t Value, &'m str)> {
    // Why they are told stands under the headline from the second step on.
    let lines: Vec<&str> = mail.lines().filter(|line| !line.starts_with("You get this because")).collect();
    let id = ticket["display_id"].as_str().unwrap();
    let mut found = Vec::new();
    for at in (1..lines.len()).filter(|at| lines[*at].starts_with(id)) {
        let about = format!("{} {}", lines[at - 1], lines.get(at + 1).unwrap_or(&""));
        let kind = if about.contains("first response") { "first_response" } else { "resolution" };
        let clock = ticket["clocks"].as_array().unwrap().iter().find(|clock| clock["clock"] == kind).unwrap();
        let left = clock["remaining"].as_i64();
        // Of one that was stopped, or that SuperOps calls breached before it is due, no time is told.
        if left.is_some_and(|left| left < 0 || clock["standing"] != "breached") {
            found.push((clock, lines[at - 1]));
        }
    }
    found
}

fn in_message(clock: &Value) -> String {
    let unit = if clock["round_the_clock"].as_bool().unwrap() { "" } else { " of working time" };
    match clock["remaining"].as_i64().unwrap() {
        left @ 0.. => format!("{}{unit} left", words(clock, left)),
        -59..0 => "just breached".to_owned(),
        left => format!("{}{unit} over", words(clock, -left)),
    }
}

/// Needs a browser; on a machine without one there is no page to be seen.
#[tokio::test]
async fn the_pages_show_what_the_api_says() {
    let Some(browser) = ["chromium", "chromium-browser", "google-chrome"].into_iter().find(|name| is_there(name))
    else {
        return eprintln!("no browser is found: the pages are not looked at");
    };
    let mut app = desk(SEEDS[0]).await;
    app.turn().await;
    app.wait(minutes(120)).await;
    let api = Api::of(&mut app).await;
    let parts = app.parts();
    let router = web::router(parts.web(web::Options { anonymous: Some(Role::Viewer), ..parts.web_options() }));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(HttpServer::sized_beside(1, Arc::default()).serve(listener, router, std::future::pending()));

    let desk = page(browser, &url).await;
    let overview = api.get("/api/v1/overview").await;
    for (standing, tile) in STANDINGS.iter().zip(STANDINGS).chain([(&"open", "all")]) {
        let shown = after(&desk, &format!("class=\"tile {tile}")).split_once("<b>").unwrap().1;
        let shown = shown.split('<').next().unwrap().parse::<u64>().unwrap();
        assert_eq!(shown, number(&overview, standing), "the tile {tile}");
    }
    let tickets = api.get("/api/v1/tickets?limit=500").await;
    for ticket in tickets["tickets"].as_array().unwrap() {
        let id = format!(">{} · ", ticket["display_id"].as_str().unwrap());
        let row = desk.split("<tr ").find(|row| row.contains(&id)).unwrap_or_else(|| panic!("no row {id}"));
        assert!(row.contains(&format!("standing-{}", ticket["standing"].as_str().unwrap())), "{row}");
        assert_eq!(row.contains(">Unassigned<"), ticket["technician"].is_null(), "{row}");
        for (clock, cell) in ticket["clocks"].as_array().unwrap().iter().zip(row.split("<td class=\"clock").skip(1)) {
            same_time(clock, cell.split_once("class=\"figure\">").unwrap().1);
        }
    }
    let alerts = api.get("/api/v1/alerts?limit=500").await;
    let page = page(browser, &format!("{url}/alerts")).await;
    for alert in alerts["alerts"].as_array().unwrap() {
        let id = format!(">{}<", alert["display_id"].as_str().unwrap());
        let clock = &alert["clock_status"];
        let what = if clock["clock"] == "resolution" { ">Resolution · " } else { ">First response · " };
        let card = page.split("<li class=\"alert ").find(|card| card.contains(&id) && card.contains(what)).unwrap();
        same_time(clock, card.split_once("<b class=\"due\"").unwrap().1.split_once('>').unwrap().1);
        assert_eq!(card.contains("digest"), alert["in_digest"].as_bool().unwrap(), "{card}");
    }
}

fn is_there(browser: &str) -> bool {
    Command::new(browser).arg("--version").output().is_ok_and(|output| output.status.success())
}

/// The page at `url` as a browser shows it after two seconds, before its stream of changes opens: time that the browser
/// makes up stands still while a request is open.
async fn page(browser: &'static str, url: &str) -> String {
    let (profile, url) = (tempfile::tempdir().unwrap(), url.to_owned());
    let look = move || {
        let mut command = Command::new("timeout");
        command.args(["120", browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic"]);
        command.args(["--disable-dev-shm-usage", "--no-first-run", "--disable-background-networking"]);
        command.args(["--disable-component-update", "--disable-sync", "--virtual-time-budget=2000", "--dump-dom"]);
        command.arg(format!("--user-data-dir={}", profile.path().display())).arg(url).output().unwrap().stdout
    };
    String::from_utf8(tokio::task::spawn_blocking(look).await.unwrap()).unwrap()
}

fn after<'p>(page: &'p str, mark: &str) -> &'p str {
    page.split_once(mark).unwrap_or_else(|| panic!("no {mark} in {page}")).1
}

/// Whether `shown`, a text that begins with `6:28:00`, is the time of `clock`, but for the seconds since it was read.
fn same_time(clock: &Value, shown: &str) {
    let shown = shown.split(['<', ' ']).next().unwrap();
    let stopped = !clock["met_at"].is_null();
    let of_clock = if stopped { &clock["over"] } else { &clock["remaining"] };
    // Of what SuperOps calls breached before it is due no time is told.
    let told = |left: &i64| stopped || *left < 0 || clock["standing"] != "breached";
    let Some(seconds) = of_clock.as_i64().filter(told) else {
        return assert!(!shown.contains(':'), "{shown}: {clock}");
    };
    let parts = shown.split(':').map(|part| part.parse::<i64>().unwrap_or_else(|_| panic!("{shown}: {clock}")));
    let parts: Vec<_> = parts.collect();
    let unit = if parts.len() == 1 { 3600 } else { 1 };
    let shown = parts.iter().fold(0, |sum, part| sum * 60 + part) * unit;
    let off = (seconds.abs() - shown).abs();
    assert!(off < unit.max(20), "{shown} s is shown for {clock}");
}
