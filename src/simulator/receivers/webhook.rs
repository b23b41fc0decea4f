//! A receiver of signed webhooks: it checks the signature and the time as Standard Webhooks requires, and drops
//! repeats.

use std::collections::HashSet;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::Value;
use sha2::Sha256;

use super::http::Behaviour;
use super::{Caught, CaughtKind, CaughtList, HttpReply};
use crate::clock::SharedClock;
use crate::simulator::{Served, serve};

/// The secret that its senders share with it, in base64.
pub const WEBHOOK_SECRET: &str = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
/// How far off a message's time may be; a message further off is a replay.
const TOLERANCE_SECONDS: i64 = 300;
const MOST_BYTES: usize = 20_000;

struct Shared {
    clock: SharedClock,
    caught: Arc<CaughtList>,
    behaviour: Behaviour,
    /// The ids of the messages taken.
    known: Mutex<HashSet<String>>,
}

/// The receiver. It stops when dropped.
pub struct WebhookCatcher {
    served: Served,
    shared: Arc<Shared>,
}

impl WebhookCatcher {
    /// Serves at `addr`; what comes in goes to `caught`.
    pub async fn start(addr: SocketAddr, clock: SharedClock, caught: Arc<CaughtList>) -> io::Result<Self> {
        let shared = Arc::new(Shared { clock, caught, behaviour: Behaviour::default(), known: Mutex::default() });
        let router = Router::new().route("/hook", post(receive)).with_state(Arc::clone(&shared));
        Ok(Self { served: serve(addr, router).await?, shared })
    }

    /// Returns the address to configure.
    pub fn url(&self) -> String {
        format!("{}/hook", self.served.url())
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

async fn receive(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let (id, timestamp) = (header("webhook-id"), header("webhook-timestamp"));
    if !is_signed(&id, &timestamp, &body, &header("webhook-signature")) {
        return (StatusCode::UNAUTHORIZED, "the signature does not fit").into_response();
    }
    let age = timestamp.parse().map_or(i64::MAX, |at: i64| shared.clock.now().timestamp().saturating_sub(at));
    if age.abs() > TOLERANCE_SECONDS || body.len() > MOST_BYTES {
        return (StatusCode::BAD_REQUEST, "too old, or too long").into_response();
    }
    let take = || {
        shared.take(&id, &timestamp, &body);
        StatusCode::NO_CONTENT.into_response()
    };
    shared.behaviour.answer(take).await
}

/// Whether one of the signatures covers this id, time and body.
fn is_signed(id: &str, timestamp: &str, body: &[u8], signatures: &str) -> bool {
    let Some(key) = STANDARD.decode(WEBHOOK_SECRET).ok().filter(|_| !id.is_empty()) else { return false };
    signatures.split(' ').filter_map(|one| STANDARD.decode(one.strip_prefix("v1,")?).ok()).any(|signature| {
        Hmac::<Sha256>::new_from_slice(&key).is_ok_and(|mac| {
            let mac = mac.chain_update(id).chain_update(".").chain_update(timestamp).chain_update(".");
            mac.chain_update(body).verify_slice(&signature).is_ok()
        })
    })
}

impl Shared {
    /// Keeps a message that is not a repeat.
    fn take(&self, id: &str, timestamp: &str, body: &[u8]) {
        if !self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(id.to_owned()) {
            return;
        }
        let event: Value = serde_json::from_slice(body).unwrap_or_default();
        let headers = [("webhook-id", id), ("webhook-timestamp", timestamp)];
        self.caught.push(Caught {
            at: self.clock.now(),
            kind: CaughtKind::Webhook,
            to: "/hook".to_owned(),
            subject: event["type"].as_str().unwrap_or_default().to_owned(),
            text: String::from_utf8_lossy(body).into_owned(),
            html: None,
            headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        });
    }
}
