//! An ntfy look-alike: takes pushes published as JSON, and refuses what ntfy would refuse.

use std::collections::HashSet;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};

use super::http::Behaviour;
use super::{Caught, CaughtKind, CaughtList, HttpReply};
use crate::clock::SharedClock;
use crate::simulator::{Served, serve};

/// The longest text, in bytes; a longer one becomes an attachment, which this server does not take.
const MOST_BYTES: usize = 4_096;
/// The topic that its senders may not write to.
pub const FORBIDDEN_TOPIC: &str = "forbidden";

struct Shared {
    clock: SharedClock,
    caught: Arc<CaughtList>,
    behaviour: Behaviour,
    /// The sequences that a phone already shows: a repeat replaces what is there.
    shown: Mutex<HashSet<String>>,
}

/// The server. It stops when dropped.
pub struct NtfyCatcher {
    served: Served,
    shared: Arc<Shared>,
}

impl NtfyCatcher {
    /// Serves at `addr`; what comes in goes to `caught`.
    pub async fn start(addr: SocketAddr, clock: SharedClock, caught: Arc<CaughtList>) -> io::Result<Self> {
        let shared = Arc::new(Shared { clock, caught, behaviour: Behaviour::default(), shown: Mutex::default() });
        let router = Router::new().route("/", post(publish)).with_state(Arc::clone(&shared));
        Ok(Self { served: serve(addr, router).await?, shared })
    }

    /// Returns the `base_url` to configure.
    pub fn url(&self) -> String {
        self.served.url()
    }

    /// Makes it answer like this from now on.
    pub fn reply(&self, reply: HttpReply) {
        self.shared.behaviour.set(reply);
    }

    /// Returns how many requests there have been.
    pub fn asked(&self) -> u64 {
        self.shared.behaviour.asked()
    }
}

async fn publish(State(shared): State<Arc<Shared>>, headers: HeaderMap, Json(push): Json<Value>) -> Response {
    let token = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    if !token.is_some_and(|token| token.starts_with("Bearer tk_")) {
        return refusal(StatusCode::UNAUTHORIZED, 40101, "unauthorized");
    }
    if push["topic"] == FORBIDDEN_TOPIC {
        return refusal(StatusCode::FORBIDDEN, 40301, "forbidden");
    }
    if let Some((code, complaint)) = complaint(&push) {
        return refusal(StatusCode::BAD_REQUEST, code, complaint);
    }
    if push["message"].as_str().is_some_and(|text| text.len() > MOST_BYTES) {
        return refusal(StatusCode::PAYLOAD_TOO_LARGE, 41301, "attachment too large");
    }
    let take = || Json(shared.take(&push)).into_response();
    shared.behaviour.answer(take).await
}

fn refusal(status: StatusCode, code: u32, error: &str) -> Response {
    (status, Json(json!({ "code": code, "http": status.as_u16(), "error": error }))).into_response()
}

/// Returns what ntfy would refuse about the push.
fn complaint(push: &Value) -> Option<(u32, &'static str)> {
    let is_name = |text: &str| {
        let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        (1..=64).contains(&text.len()) && text.bytes().all(known)
    };
    let named = |field: &str| push[field].as_str().is_some_and(is_name);
    let priority = push["priority"].as_u64().unwrap_or_default();
    match push["actions"].as_array().map(Vec::as_slice) {
        _ if !named("topic") => Some((40009, "invalid topic")),
        _ if !(1..=5).contains(&priority) => Some((40007, "invalid priority parameter")),
        _ if !named("sequence_id") => Some((40049, "invalid sequence id")),
        Some([_, _, _, _, ..]) => Some((40018, "only 3 actions allowed")),
        Some(actions) if actions.iter().any(|one| one["label"].is_null() || one["url"].is_null()) => {
            Some((40018, "label and url are required"))
        }
        _ => None,
    }
}

impl Shared {
    /// Keeps a push that no phone shows yet, and returns ntfy's answer.
    fn take(&self, push: &Value) -> Value {
        let text = |field: &str| push[field].as_str().unwrap_or_default().to_owned();
        let (now, sequence) = (self.clock.now(), text("sequence_id"));
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        if shown.insert(sequence.clone()) {
            let acknowledge = push["actions"].as_array().into_iter().flatten().find(|one| one["action"] == "http");
            let button =
                acknowledge.and_then(|one| one["url"].as_str()).map(|url| ("button".to_owned(), url.to_owned()));
            let fields = [("sequence_id", sequence.clone()), ("priority", push["priority"].to_string())];
            let fields = fields.map(|(name, value)| (name.to_owned(), value));
            self.caught.push(Caught {
                at: now,
                kind: CaughtKind::Ntfy,
                to: text("topic"),
                subject: text("title"),
                text: text("message"),
                html: None,
                headers: fields.into_iter().chain(button).collect(),
            });
        }
        let id = format!("m{:011}", shown.len());
        json!({ "id": id, "sequence_id": sequence, "time": now.timestamp(), "event": "message", "topic": push["topic"] })
    }
}
