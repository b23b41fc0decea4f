//! A tiny SuperOps on a socket that does what a test tells it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::DATE;
use axum::response::IntoResponse;
use axum::routing::post;
use axum::{Json, Router};
use chrono::{DateTime, TimeDelta, Utc};
use secrecy::SecretString;
use serde_json::{Value, json};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, SqliteConnection};
use tempfile::TempDir;
use tokio::sync::{Notify, watch};

use crate::clock::{Clock, ManualClock, SystemClock};
use crate::config::{Hours, Tenant, TokenSource};
use crate::store::Store;
use crate::superops::SuperOps;
use crate::sync::{Hints, SyncError, SyncHealth, TenantSync, TurnReport, Wiring};
use crate::telemetry::Telemetry;
pub use crate::ticket::tests::sample as ticket;
use crate::ticket::watch::{ChangeKind, Watched};
use crate::ticket::{StatusWords, TenantId, TicketId};

/// How the desk handles a sort or a filter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Takes {
    #[default]
    Well,
    Refuses,
    Ignores,
}

/// What happens before a certain page of tickets is answered.
pub type Meanwhile = Box<dyn FnOnce(&mut Desk) + Send>;

/// Rewrites an answer: takes the operation, its input, and what would have been answered.
pub type Twist = Box<dyn FnMut(&str, &Value, Value) -> Value + Send>;

/// SuperOps' answer when it has an internal error.
pub fn internal(operation: &str) -> Value {
    json!({ "errors": [{ "message": "Internal Server Error(s) while executing query" }], "data": { operation: null } })
}

/// What SuperOps knows.
#[derive(Default)]
pub struct Desk {
    pub tickets: Vec<Value>,
    pub sort: Takes,
    pub filter: Takes,
    /// The code of the error that each operation answers with.
    pub errors: HashMap<&'static str, &'static str>,
    /// What happens just before a page of an unfiltered list is answered, by page.
    pub meanwhile: HashMap<u64, Meanwhile>,
    pub conversations: Vec<Value>,
    /// How it handles a filter by date.
    pub dates: Takes,
    /// The deepest page; each later one is an internal error.
    pub deepest: Option<u64>,
    /// How far its clock is ahead of ours.
    pub ahead: TimeDelta,
    pub twist: Option<Twist>,
    /// A field that the schema lacks, and the message about it.
    pub unknown: Option<(&'static str, &'static str)>,
    /// The calls since last asked: `getTicketList 1`, `getTicketList 1 open`, `getTicket 7`.
    pub calls: Vec<String>,
}

impl Desk {
    pub fn add(&mut self, id: u64, status: &str, updated: DateTime<Utc>) {
        let created = time(updated - TimeDelta::minutes(1));
        self.tickets.push(json!({
            "ticketId": id.to_string(), "displayId": format!("D-{id}"), "subject": "s", "status": status,
            "createdTime": created, "updatedTime": time(updated),
        }));
    }

    pub fn remove(&mut self, id: u64) {
        let id = json!(id.to_string());
        self.tickets.retain(|ticket| ticket["ticketId"] != id);
    }

    pub fn set(&mut self, id: u64, field: &str, value: impl Into<Value>) {
        let id = json!(id.to_string());
        self.tickets.iter_mut().find(|ticket| ticket["ticketId"] == id).unwrap()[field] = value.into();
    }

    pub fn edit(&mut self, id: u64, status: &str, updated: DateTime<Utc>) {
        self.set(id, "status", status);
        self.set(id, "updatedTime", time(updated));
    }

    /// Makes each call of `operation` answer with this error.
    pub fn fail(&mut self, operation: &'static str, code: &'static str) {
        self.errors.insert(operation, code);
    }

    fn answer(&mut self, operation: &'static str, input: &Value, query: &str) -> Value {
        let mut answer = self.plain(operation, input);
        match &mut answer["data"][operation] {
            Value::Object(list) if list.contains_key("tickets") => {
                let rows = list["tickets"].as_array_mut().unwrap();
                rows.iter_mut().for_each(|row| choose(row, query));
            }
            ticket if operation == "getTicket" => choose(ticket, query),
            _ => {}
        }
        let Some(mut twist) = self.twist.take() else { return answer };
        let answer = twist(operation, input, answer);
        self.twist = Some(twist);
        answer
    }

    fn plain(&mut self, operation: &'static str, input: &Value) -> Value {
        let id = input["ticketId"].as_str().unwrap_or_default();
        match operation {
            "getTicketList" => return self.list(input),
            "getTicket" => self.calls.push(format!("getTicket {id}")),
            other => self.calls.push(other.to_owned()),
        }
        match (self.errors.get(operation), operation) {
            (Some(code), _) => json!({ "errors": [{ "extensions": { "clientError": [{ "code": code }] } }] }),
            (_, "getTicket") => {
                let ticket = self.tickets.iter().find(|ticket| ticket["ticketId"] == id);
                json!({ "data": { operation: ticket } })
            }
            (_, "getTicketConversationList") => json!({ "data": { operation: self.conversations } }),
            (_, "getStatusList") => json!({ "data": { operation: [{ "name": "Open" }, { "name": "Closed" }] } }),
            (_, "getTechnicianList") => json!({ "data": { operation: {
                "userList": [{ "userId": 1, "name": "Ann", "email": "ann@example.com" }], "listInfo": {} } } }),
            (_, "getClientList") => json!({ "data": { operation: { "clients": [], "listInfo": {} } } }),
            (_, "getClientSiteList") => json!({ "data": { operation: { "sites": [], "listInfo": {} } } }),
            _ => json!({ "data": { operation: [] } }),
        }
    }

    fn list(&mut self, input: &Value) -> Value {
        let page = input["page"].as_u64().unwrap();
        let filtered = !input["condition"].is_null();
        self.calls.push(format!("getTicketList {page}{}", if filtered { " open" } else { "" }));
        if let Some(code) = self.errors.get("getTicketList") {
            return json!({ "errors": [{ "extensions": { "clientError": [{ "code": code }] } }] });
        }
        let sorted = !input["sort"].is_null();
        let condition = &input["condition"];
        let by_date = condition["attribute"] == "updatedTime";
        if self.deepest.is_some_and(|deepest| page > deepest) || (by_date && self.dates == Takes::Refuses) {
            return internal("getTicketList");
        }
        if (sorted && self.sort == Takes::Refuses) || (filtered && self.filter == Takes::Refuses) {
            return json!({ "errors": [{ "message": "no", "extensions": { "classification": "ValidationError" } }] });
        }
        if let Some(happens) = self.meanwhile.remove(&page).filter(|_| !filtered) {
            happens(self);
        }
        let mut tickets = self.tickets.clone();
        if by_date && self.dates == Takes::Well {
            tickets.retain(|ticket| ticket["updatedTime"].as_str() < condition["value"].as_str());
        }
        if filtered && !by_date && self.filter == Takes::Well {
            let left_out = input["condition"]["value"].as_array().unwrap().clone();
            tickets.retain(|ticket| !left_out.contains(&ticket["status"]));
        }
        if sorted && self.sort == Takes::Well {
            tickets.sort_by(|a, b| b["updatedTime"].as_str().cmp(&a["updatedTime"].as_str()));
        }
        let size = usize::try_from(input["pageSize"].as_u64().unwrap()).unwrap();
        let begin = (usize::try_from(page).unwrap() - 1) * size;
        let rest = tickets.get(begin..).unwrap_or_default();
        let has_more = if rest.len() > size { json!(true) } else { Value::Null };
        let info = json!({ "hasMore": has_more, "totalCount": tickets.len() });
        json!({ "data": { "getTicketList": { "tickets": rest[..rest.len().min(size)], "listInfo": info } } })
    }
}

/// Keeps only the fields that were asked for.
fn choose(row: &mut Value, query: &str) {
    if let Some(fields) = row.as_object_mut() {
        fields.retain(|field, _| query.contains(field.as_str()));
    }
}

fn time(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%dT%H:%M:%S").to_string()
}

async fn answer(State(desk): State<Arc<Mutex<Desk>>>, body: Bytes) -> impl IntoResponse {
    let ahead = desk.lock().unwrap().ahead;
    let date = (SystemClock.now() + ahead).format("%a, %d %b %Y %H:%M:%S GMT").to_string();
    ([(DATE, date)], answer_to(&desk, &body))
}

fn answer_to(desk: &Mutex<Desk>, body: &[u8]) -> Json<Value> {
    const OPERATIONS: [&str; 11] = [
        "getTicketList",
        "getTicketConversationList",
        "getTicket",
        "getTechnicianList",
        "getTechnicianGroupList",
        "getClientList",
        "getClientSiteList",
        "getSLAList",
        "getPriorityList",
        "getStatusList",
        "__schema",
    ];
    let body: Value = serde_json::from_slice(body).unwrap();
    let query = body["query"].as_str().unwrap();
    let asks = |name: &&str| query.contains(&format!("{name}(")) || query.contains(&format!("{name} {{"));
    let operation = OPERATIONS.into_iter().find(asks).unwrap();
    let unknown = desk.lock().unwrap().unknown;
    if let Some((_, says)) = unknown.filter(|(field, _)| query.contains(field)) {
        let class = json!({ "classification": "ValidationError" });
        return Json(json!({ "errors": [{ "message": says, "extensions": class }] }));
    }
    Json(desk.lock().unwrap().answer(operation, &body["variables"]["input"], query))
}

/// A desk on a socket, a store on a disk, and a sync between them.
pub struct Bench {
    pub desk: Arc<Mutex<Desk>>,
    pub clock: ManualClock,
    pub store: Store,
    pub sync: TenantSync,
    pub nudge: Arc<Notify>,
    pub hints: Hints,
    pub health: watch::Receiver<SyncHealth>,
    tenant: Tenant,
    folder: TempDir,
}

/// What the token file says.
pub const TOKEN: &str = "secret";

/// When every test begins.
pub fn begin() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap()
}

/// That many minutes after the begin, or before it if negative.
pub fn at(minute: i64) -> DateTime<Utc> {
    begin() + TimeDelta::minutes(minute)
}

impl Bench {
    /// Creates a sync that has not run a turn yet, against a desk set up by `prepare`.
    pub async fn with(prepare: impl FnOnce(&mut Desk)) -> Self {
        let mut desk = Desk::default();
        prepare(&mut desk);
        let desk = Arc::new(Mutex::new(desk));
        let endpoint = serve(desk.clone()).await;
        Self::before(endpoint, desk, ManualClock::at(begin())).await
    }

    /// Creates a sync that has not run a turn yet, against the server at `endpoint`.
    pub async fn before(endpoint: String, desk: Arc<Mutex<Desk>>, clock: ManualClock) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let tenant = tenant(endpoint, &folder);
        let hints = Hints::new([tenant.id.clone()]);
        let store = open(&folder).await;
        let nudge = Arc::new(Notify::new());
        let (sync, health) = start(&tenant, &store, &clock, &nudge, &hints).await;
        Self { desk, clock, store, sync, nudge, hints, health, tenant, folder }
    }

    /// Restarts as after a crash: everything in memory is gone.
    pub async fn restart(&mut self) {
        self.store = open(&self.folder).await;
        (self.sync, self.health) = start(&self.tenant, &self.store, &self.clock, &self.nudge, &self.hints).await;
    }

    /// Crashes at this moment: the new start finds what is on the disk, and nothing else.
    pub async fn crash(&mut self) {
        let folder = tempfile::tempdir().unwrap();
        for file in std::fs::read_dir(self.folder.path()).unwrap() {
            let file = file.unwrap();
            std::fs::copy(file.path(), folder.path().join(file.file_name())).unwrap();
        }
        self.tenant.token = TokenSource::File(folder.path().join("token"));
        self.folder = folder;
        self.restart().await;
    }

    /// Locks the store: while the connection is held, nothing more can be saved.
    pub async fn lock_store(&self) -> SqliteConnection {
        let options = SqliteConnectOptions::new().filename(self.folder.path().join("store.db"));
        let mut connection = options.connect().await.unwrap();
        sqlx::query("BEGIN IMMEDIATE").execute(&mut connection).await.unwrap();
        connection
    }

    pub fn desk(&self) -> std::sync::MutexGuard<'_, Desk> {
        self.desk.lock().unwrap()
    }

    /// Runs one turn, which must succeed.
    pub async fn turn(&mut self) -> TurnReport {
        self.try_turn().await.unwrap()
    }

    pub async fn try_turn(&mut self) -> Result<TurnReport, SyncError> {
        self.sync.turn(self.clock.now()).await
    }

    /// Runs one turn at that many minutes after the begin.
    pub async fn turn_at(&mut self, minute: i64) -> TurnReport {
        self.clock.set(at(minute));
        self.turn().await
    }

    /// Returns the calls since this was last asked.
    pub fn calls(&self) -> Vec<String> {
        std::mem::take(&mut self.desk().calls)
    }

    pub async fn held(&self, id: u64) -> Option<Arc<Watched>> {
        self.store.ticket(&self.tenant.id, &TicketId::parse(&id.to_string()).unwrap()).await.unwrap()
    }

    pub async fn status(&self, id: u64) -> Option<String> {
        self.held(id).await.and_then(|watched| watched.ticket.status.clone())
    }

    pub async fn open_count(&self) -> usize {
        self.store.open_tickets(&self.tenant.id).await.unwrap().len()
    }

    pub async fn kinds(&self, id: u64) -> Vec<ChangeKind> {
        let id = TicketId::parse(&id.to_string()).unwrap();
        let events = self.store.events(&self.tenant.id, &id).await.unwrap();
        events.iter().map(|event| event.kind).collect()
    }

    pub fn tenant(&self) -> &TenantId {
        &self.tenant.id
    }
}

async fn serve(desk: Arc<Mutex<Desk>>) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().route("/msp", post(answer)).with_state(desk);
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}/msp")
}

fn tenant(endpoint: String, folder: &TempDir) -> Tenant {
    let token = folder.path().join("token");
    std::fs::write(&token, TOKEN).unwrap();
    Tenant {
        id: TenantId::parse("acme").unwrap(),
        subdomain: "acme".into(),
        endpoint,
        token: TokenSource::File(token),
        requests_per_minute: 60_000,
        poll_interval: TimeDelta::seconds(60),
        history: TimeDelta::days(400),
        nightly: None,
        hours: Hours::Msp,
        calendar: None,
        automation_answers: true,
        statuses: StatusWords::default(),
        hook_secret: None::<SecretString>,
        ticket_url: String::new(),
        write_back: crate::config::WriteBack::default(),
        allow_networks: Vec::new(),
    }
}

async fn open(folder: &TempDir) -> Store {
    Store::open(&folder.path().join("store.db"), Arc::new(Telemetry::default())).await.unwrap()
}

async fn start(
    tenant: &Tenant,
    store: &Store,
    clock: &ManualClock,
    nudge: &Arc<Notify>,
    hints: &Hints,
) -> (TenantSync, watch::Receiver<SyncHealth>) {
    let telemetry = Arc::new(Telemetry::default());
    let (health, watcher) = watch::channel(SyncHealth::default());
    let wiring = Wiring {
        client: Arc::new(SuperOps::new(tenant, telemetry.clone()).unwrap()),
        store: store.clone(),
        clock: Arc::new(clock.clone()),
        telemetry,
        nudge: nudge.clone(),
        hints: hints.listen(&tenant.id).unwrap(),
        health,
        last_looks: Arc::default(),
    };
    (TenantSync::open(tenant, wiring).await.unwrap(), watcher)
}
