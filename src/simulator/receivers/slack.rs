//! A Slack look-alike: `chat.postMessage` for a bot, and an incoming webhook.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::extract::State;
use axum::http::{HeaderMap, header};
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
    posted: AtomicU64,
}

/// The workspace. It stops when dropped.
pub struct SlackCatcher {
    served: Served,
    shared: Arc<Shared>,
}

impl SlackCatcher {
    /// Serves at `addr`; what comes in goes to `caught`.
    pub async fn start(addr: SocketAddr, clock: SharedClock, caught: Arc<CaughtList>) -> io::Result<Self> {
        let shared = Arc::new(Shared { clock, caught, behaviour: Behaviour::default(), posted: AtomicU64::new(0) });
        let router = Router::new()
            .route("/api/chat.postMessage", post(by_bot))
            .route("/services/T0/B0/hook", post(by_webhook))
            .with_state(Arc::clone(&shared));
        Ok(Self { served: serve(addr, router).await?, shared })
    }

    /// Returns the `base_url` to configure.
    pub fn url(&self) -> String {
        format!("{}/api", self.served.url())
    }

    /// Returns the address of the incoming webhook.
    pub fn webhook_url(&self) -> String {
        format!("{}/services/T0/B0/hook", self.served.url())
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

async fn by_bot(State(shared): State<Arc<Shared>>, headers: HeaderMap, Json(body): Json<Value>) -> Response {
    let token = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let refuse = |error: &str| Json(json!({ "ok": false, "error": error })).into_response();
    if !token.is_some_and(|token| token.starts_with("Bearer xoxb-")) {
        return refuse("invalid_auth");
    }
    let Some(channel) = body["channel"].as_str().filter(|channel| !channel.is_empty()) else {
        return refuse("channel_not_found");
    };
    if body["text"].as_str().is_none_or(str::is_empty) {
        return refuse("no_text");
    }
    let too_long = |block: &Value| block["text"]["text"].as_str().is_some_and(|text| text.chars().count() > 3_000);
    if body["blocks"].as_array().is_some_and(|blocks| blocks.len() > 50 || blocks.iter().any(too_long)) {
        return refuse("invalid_blocks");
    }
    let take = || {
        let ts = shared.take(channel, &body);
        Json(json!({ "ok": true, "channel": "C024BE91L", "ts": ts, "message": { "text": body["text"] } }))
            .into_response()
    };
    shared.behaviour.answer(take).await
}

async fn by_webhook(State(shared): State<Arc<Shared>>, Json(body): Json<Value>) -> Response {
    if body["text"].as_str().is_none_or(str::is_empty) {
        return (axum::http::StatusCode::BAD_REQUEST, "no_text").into_response();
    }
    let take = || {
        shared.take("incoming webhook", &body);
        "ok".into_response()
    };
    shared.behaviour.answer(take).await
}

impl Shared {
    /// Keeps a message, and returns its `ts`.
    fn take(&self, channel: &str, body: &Value) -> String {
        let (now, number) = (self.clock.now(), self.posted.fetch_add(1, Ordering::Relaxed));
        let ts = format!("{}.{number:06}", now.timestamp());
        let field = |name: &str| Some((name.to_owned(), body.get(name)?.to_string().trim_matches('"').to_owned()));
        let fields = ["thread_ts", "reply_broadcast"].into_iter().filter_map(field);
        self.caught.push(Caught {
            at: now,
            kind: CaughtKind::Slack,
            to: channel.to_owned(),
            subject: String::new(),
            text: body["text"].as_str().unwrap_or_default().to_owned(),
            html: None,
            headers: fields.chain(button(body)).chain([("ts".to_owned(), ts.clone())]).collect(),
        });
        ts
    }
}

/// Returns what Slack sends back when the message's button is pressed.
fn button(body: &Value) -> Option<(String, String)> {
    let blocks = body["blocks"].as_array()?;
    let button = blocks.iter().flat_map(|block| block["elements"].as_array()).flatten().next()?;
    Some(("button".to_owned(), button["value"].as_str()?.to_owned()))
}
