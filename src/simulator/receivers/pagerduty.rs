//! A PagerDuty look-alike: takes events as the Events API v2 does, and refuses what that would refuse.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};

use super::http::Behaviour;
use super::{Caught, CaughtKind, CaughtList, HttpReply};
use crate::clock::SharedClock;
use crate::simulator::{Served, serve};

struct Shared {
    clock: SharedClock,
    caught: Arc<CaughtList>,
    behaviour: Behaviour,
}

/// The events endpoint. It stops when dropped.
pub struct PagerDutyCatcher {
    served: Served,
    shared: Arc<Shared>,
}

impl PagerDutyCatcher {
    /// Serves at `addr`; what comes in goes to `caught`.
    pub async fn start(addr: SocketAddr, clock: SharedClock, caught: Arc<CaughtList>) -> io::Result<Self> {
        let shared = Arc::new(Shared { clock, caught, behaviour: Behaviour::default() });
        let router = Router::new().route("/v2/enqueue", post(enqueue)).with_state(Arc::clone(&shared));
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

async fn enqueue(State(shared): State<Arc<Shared>>, Json(event): Json<Value>) -> Response {
    if let Some(complaint) = complaint(&event) {
        let body = json!({ "status": "invalid event", "message": "Event object is invalid", "errors": [complaint] });
        return (StatusCode::BAD_REQUEST, Json(body)).into_response();
    }
    let take = || {
        shared.take(&event);
        let body = json!({ "status": "success", "message": "Event processed", "dedup_key": event["dedup_key"] });
        (StatusCode::ACCEPTED, Json(body)).into_response()
    };
    shared.behaviour.answer(take).await
}

/// Returns what PagerDuty would refuse about the event.
fn complaint(event: &Value) -> Option<&'static str> {
    let length = |value: &Value| value.as_str().map_or(0, |text| text.chars().count());
    let payload = &event["payload"];
    let severity = payload["severity"].as_str().unwrap_or_default();
    match event["event_action"].as_str() {
        _ if length(&event["routing_key"]) != 32 => {
            Some("Length of 'routing_key' is incorrect (should be 32 characters)")
        }
        _ if !(1..=255).contains(&length(&event["dedup_key"])) => Some("'dedup_key' is missing or too long"),
        Some("acknowledge" | "resolve") => None,
        Some("trigger") if !(1..=1024).contains(&length(&payload["summary"])) => Some("'payload.summary' is invalid"),
        Some("trigger") if length(&payload["source"]) == 0 => Some("'payload.source' is missing or blank"),
        Some("trigger") if !["critical", "error", "warning", "info"].contains(&severity) => {
            Some("'payload.severity' is invalid")
        }
        Some("trigger") => None,
        _ => Some("'event_action' is invalid (must be one of acknowledge, resolve, trigger)"),
    }
}

impl Shared {
    fn take(&self, event: &Value) {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let (action, payload) = (text(&event["event_action"]), &event["payload"]);
        self.caught.push(Caught {
            at: self.clock.now(),
            kind: CaughtKind::PagerDuty,
            to: text(&event["dedup_key"]),
            subject: action,
            text: text(&payload["summary"]),
            html: None,
            headers: vec![("severity".to_owned(), text(&payload["severity"]))],
        });
    }
}
