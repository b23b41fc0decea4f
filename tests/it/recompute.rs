//! The program's figures of ticket histories are those that `tests/recompute/recompute.py` works out without the program.
//!
//! A sample is in `fixtures/recompute`. The real histories are not in the repository: where `SUPEROPS_SLA_HISTORIES` names
//! the folder that holds them, they are held to their committed figures as well, and the reports are left in
//! `target/recompute` for the script to compare.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Map, Value, json};
use superops_sla::app::Parts;
use superops_sla::clock::ManualClock;
use superops_sla::config::{Config, GivenEnvironment};
use superops_sla::history::{self, Field, Name, Record};
use superops_sla::report::Report;
use superops_sla::service::Reach;
use superops_sla::service::reports::ReportQuery;
use superops_sla::store::tickets::Lived;
use superops_sla::ticket::observe::observe;
use superops_sla::ticket::watch::Bounds;
use superops_sla::ticket::{Named, RefId, Reported, StatusMeaning, StatusWords, Ticket, TicketId};
use tempfile::TempDir;

use crate::database::Database;

/// What is written about closed tickets, and opens none of them.
const REMARKS: [&str; 2] = ["Caused By CI", "Quality Indicator Fixed"];
/// So long after the last event the books are made.
const AFTER: TimeDelta = TimeDelta::days(60);

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A ticket of a history as it stands at one moment.
struct Standing<'a> {
    record: &'a Record,
    status: Name,
    assignee: Option<Name>,
    resolved_at: Option<DateTime<Utc>>,
}

impl Standing<'_> {
    fn ticket(&self, at: DateTime<Utc>) -> Ticket {
        let named = |name: &Name| Named { id: RefId::parse(name).unwrap(), name: name.to_string() };
        let nothing = || Reported { due: None, met_at: None, breached: None };
        Ticket {
            id: TicketId::parse(&self.record.ticket_id).unwrap(),
            display_id: self.record.ticket_id.clone(),
            subject: String::new(),
            request_type: None,
            status: Some(self.status.to_string()),
            priority: self.record.priority.as_deref().map(str::to_owned),
            category: None,
            client: None,
            site: None,
            group: None,
            technician: self.assignee.as_ref().map(named),
            sla: None,
            created_at: Some(self.record.opened_at),
            updated_at: Some(at),
            first_response: nothing(),
            resolution: Reported { met_at: self.resolved_at, ..nothing() },
            flaws: Vec::new(),
            unknown: Vec::new(),
        }
    }
}

/// The life of a ticket, as if it had been looked at at each of its events.
fn lived(record: &Record, words: &StatusWords) -> Lived {
    let mut standing = Standing { record, status: "New".into(), assignee: record.assignee.clone(), resolved_at: None };
    let seen = |standing: &Standing<'_>, at| (standing.ticket(at), Bounds { earliest: at, latest: at });
    let (ticket, read) = seen(&standing, record.opened_at);
    let (watched, changes) = observe(None, ticket, words, read);
    let mut life = Lived { watched, changes, handed: Vec::new() };
    for event in &record.events {
        let is_status = |name: &&Name| !REMARKS.contains(&&***name);
        if let Some(status) = event.change(Field::State).flatten().filter(is_status) {
            standing.status = status.clone();
            let closed = words.meaning(Some(status)) == StatusMeaning::Closed;
            standing.resolved_at = closed.then(|| standing.resolved_at.unwrap_or(event.at));
        }
        if let Some(assignee) = event.change(Field::Assignee) {
            standing.assignee = assignee.cloned();
        }
        let (ticket, read) = seen(&standing, event.at);
        let hands = (life.watched.ticket.technician.clone(), ticket.technician.clone());
        let (watched, changes) = observe(Some(&life.watched), ticket, words, read);
        if hands.0 != hands.1 {
            life.handed.push((hands.0, hands.1, event.at));
        }
        life.watched = watched;
        life.changes.extend(changes);
    }
    life
}

/// A history in the books of a service.
struct Booked {
    parts: Parts,
    _folder: TempDir,
}

/// Books the history at `path` by the promises of `config`.
async fn booked(path: &Path, config: &Path) -> Booked {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let folder = tempfile::tempdir().unwrap();
    let promises = std::fs::read_to_string(config).unwrap().replace("token_env", "region = \"us\"\ntoken_env");
    let text = format!(
        "[store]\n{}[notify.email]\nsmtp_url = \"smtp://127.0.0.1:9\"\nfrom = \"sla@msp.example\"\n{promises}",
        Database::of_a_test(folder.path()).settings()
    );
    let environment = GivenEnvironment::default().with_var("UNUSED", "unused");
    let config = Config::parse(Path::new("history.toml"), &text, &environment).unwrap();
    let records: Vec<Record> = history::read(path).collect::<Result<_, _>>().unwrap();
    let times = records
        .iter()
        .flat_map(|record| record.events.last().map(|event| event.at).into_iter().chain([record.opened_at]));
    let now = times.max().unwrap() + AFTER;
    let parts = Parts::build(config, Arc::new(ManualClock::at(now))).await.unwrap();
    let tenant = parts.config.tenants.values().next().unwrap();
    for some in records.chunks(500) {
        let lives = some.iter().map(|record| lived(record, &tenant.statuses)).collect();
        parts.store.save_past(&tenant.id, lives, &tenant.statuses).await.unwrap();
    }
    while parts.bookkeeping.turn(now).await.unwrap().tickets > 0 {}
    Booked { parts, _folder: folder }
}

impl Booked {
    async fn report(&self, figures: &Value, by: &str) -> Arc<Report> {
        let text = |key: &str| figures[key].as_str().map(str::to_owned);
        let query =
            ReportQuery { from: text("from"), to: text("to"), by: Some(by.to_owned()), ..ReportQuery::default() };
        self.parts.service.report(&Reach::All, &query).await.unwrap()
    }
}

/// What stands in a cell, without its type.
fn value(cell: &Value) -> Value {
    cell.as_object().and_then(|cell| cell.values().next()).cloned().unwrap_or(Value::Null)
}

/// The rows of a table by their first cells: those of the columns at `places`.
fn rows(report: &Value, key: &str, places: &[usize]) -> Value {
    let mut tables =
        report["sections"].as_array().unwrap().iter().flat_map(|section| section["tables"].as_array().unwrap());
    let table = tables.find(|table| table["key"] == key).unwrap();
    let row = |row: &Value| {
        let cells: Vec<Value> = row["cells"].as_array().unwrap().iter().map(value).collect();
        let name = cells[0].as_str().unwrap().to_owned();
        (name, Value::Array(places.iter().map(|place| cells[*place].clone()).collect()))
    };
    // Of technicians the first is a share, and none for those who had only what was decided before; of all else it is how
    // many were decided.
    let decided = |(_, cells): &(String, Value)| match key {
        "technician" => !cells[0].is_null() || cells[2] != 0,
        _ => cells[0] != 0,
    };
    Value::Object(table["rows"].as_array().unwrap().iter().map(row).filter(decided).collect::<Map<_, _>>())
}

/// The numbers in the note on a figure.
fn counts(report: &Value, key: &str) -> Vec<u64> {
    let figures = report["sections"][0]["figures"].as_array().unwrap();
    let note = figures.iter().find(|figure| figure["key"] == key).unwrap()["note"].as_str().unwrap();
    note.split(" · ").next().unwrap().split(' ').filter_map(|word| word.parse().ok()).collect()
}

/// Holds the program to the figures that were worked out for `name`.
async fn hold(name: &str, history: &Path, config: &Path, leave: bool) {
    let figures = root().join(format!("tests/recompute/figures/{name}.json"));
    let figures: Value = serde_json::from_str(&std::fs::read_to_string(figures).unwrap()).unwrap();
    let booked = booked(history, config).await;
    for by in ["month", "priority", "technician"] {
        let report = booked.report(&figures, by).await;
        if leave {
            let folder = root().join("target/recompute");
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(folder.join(format!("{name}-{by}.json")), serde_json::to_string(&*report).unwrap()).unwrap();
        }
        let report = serde_json::to_value(&*report).unwrap();
        let told = match by {
            "month" => rows(&report, by, &[1, 2, 3, 4, 5]),
            "priority" => rows(&report, by, &[1, 2, 3, 4, 5, 7]),
            _ => rows(&report, by, &[1, 2, 3, 4, 6]),
        };
        let own = &figures[format!("by_{by}")];
        let names = own.as_object().unwrap().keys().chain(told.as_object().unwrap().keys());
        for key in names {
            assert_eq!(told[key], own[key], "{name} by {by}: {key}");
        }
        assert_eq!(json!(counts(&report, "reopened")), figures["reopened"], "{name}: reopened");
        assert_eq!(json!(counts(&report, "resolution_median")), json!([figures["resolutions"]]), "{name}: resolutions");
    }
    booked.parts.store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn figures_of_a_history_are_those_that_are_worked_out_without_the_program() {
    let folder = root().join("fixtures/recompute");
    hold("sample", &folder.join("sample.jsonl"), &folder.join("sample.toml"), false).await;
    let Some(folder) = std::env::var_os("SUPEROPS_SLA_HISTORIES").filter(|name| !name.is_empty()) else { return };
    let folder = PathBuf::from(folder);
    for (name, file) in [("italian", "italian_helpdesk"), ("uci", "uci_servicenow"), ("rabobank", "rabobank_bpic14f")] {
        let history = folder.join(format!("train/{file}.jsonl.zst"));
        hold(name, &history, &folder.join(format!("biz-{name}.toml")), true).await;
    }
}
