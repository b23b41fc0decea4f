//! One number for one thing, whoever is asked: API, command line, metrics and
//! messages, on desks made by chance.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use reqwest::Method;
use serde_json::{Value, json};
use superops_sla::cli;
use superops_sla::service::{Scope, TicketQuery};
use superops_sla::simulator::NewTicket;
use superops_sla::store::tokens::Role;

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
    let overview = service.overview(&Scope::All).await.unwrap();
    let query = TicketQuery { limit: Some(500), ..TicketQuery::default() };
    let page = service.tickets(&Scope::All, &query).await.unwrap();
    cli::status::page_text(&overview, &[], &page, false)
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
    let on_time = service.overview(&Scope::All).await.unwrap().counts;
    app.clock.advance(TimeDelta::milliseconds(1));
    let late = service.overview(&Scope::All).await.unwrap().counts;
    assert_eq!([(on_time.at_risk, on_time.breached), (late.at_risk, late.breached)], [(1, 0), (0, 1)]);
    let again = service.tickets(&Scope::All, &TicketQuery::default()).await.unwrap();
    assert_eq!(again.tickets[0].resolution_time_remaining, Some(0));
    app.clock.advance(TimeDelta::milliseconds(999));
    let again = service.tickets(&Scope::All, &TicketQuery::default()).await.unwrap();
    assert_eq!(again.tickets[0].resolution_time_remaining, Some(-1), "what is shown ticks, however old the picture");
}
