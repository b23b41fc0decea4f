//! A look-alike of a Teams workflow that waits for webhook requests: it takes Adaptive Cards, and refuses anything
//! else.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::Value;

use super::http::Behaviour;
use super::{Caught, CaughtKind, CaughtList, HttpReply};
use crate::clock::SharedClock;
use crate::simulator::{Served, serve};

/// The most bytes that Teams takes from a workflow.
const MOST_BYTES: usize = 28 * 1024;
const SPACINGS: [&str; 4] = ["None", "Small", "Default", "Medium"];
const COLOURS: [&str; 5] = ["Default", "Attention", "Warning", "Good", "Accent"];

struct Shared {
    clock: SharedClock,
    caught: Arc<CaughtList>,
    behaviour: Behaviour,
}

/// The workflow. It stops when dropped.
pub struct TeamsCatcher {
    served: Served,
    shared: Arc<Shared>,
}

impl TeamsCatcher {
    /// Serves at `addr`; what comes in goes to `caught`.
    pub async fn start(addr: SocketAddr, clock: SharedClock, caught: Arc<CaughtList>) -> io::Result<Self> {
        let shared = Arc::new(Shared { clock, caught, behaviour: Behaviour::default() });
        let router =
            Router::new().route("/workflows/w0/triggers/manual", post(trigger)).with_state(Arc::clone(&shared));
        Ok(Self { served: serve(addr, router).await?, shared })
    }

    /// The address to configure.
    pub fn url(&self) -> String {
        format!("{}/workflows/w0/triggers/manual?sig=s3cret", self.served.url())
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

async fn trigger(State(shared): State<Arc<Shared>>, body: Bytes) -> Response {
    if body.len() > MOST_BYTES {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    }
    let message: Value = serde_json::from_slice(&body).unwrap_or_default();
    let attachment = &message["attachments"][0];
    let card = &attachment["content"];
    let is_card =
        message["type"] == "message" && attachment["contentType"] == "application/vnd.microsoft.card.adaptive";
    if let Some(complaint) = complaint(card).or((!is_card).then_some("it is no message with a card")) {
        return (StatusCode::BAD_REQUEST, complaint).into_response();
    }
    let take = || {
        shared.take(card);
        StatusCode::ACCEPTED.into_response()
    };
    shared.behaviour.answer(take).await
}

/// Returns what keeps it from being an Adaptive Card of version 1.4: <https://adaptivecards.io/explorer/>.
fn complaint(card: &Value) -> Option<&'static str> {
    let blocks = card["body"].as_array().filter(|blocks| !blocks.is_empty());
    let actions = card["actions"].as_array().map_or(&[][..], Vec::as_slice);
    match blocks {
        _ if card["type"] != "AdaptiveCard" || card["version"] != "1.4" => Some("the card has no type or version"),
        None => Some("the card is empty"),
        Some(blocks) if !blocks.iter().all(is_block) => Some("an element is unknown"),
        _ if !actions.iter().all(|action| action["title"].is_string() && opens(action)) => Some("an action is unknown"),
        _ => None,
    }
}

fn is_block(block: &Value) -> bool {
    let inlines = block["inlines"].as_array();
    let known = block["type"] == "RichTextBlock" && is_one_of(&block["spacing"], &SPACINGS);
    known && inlines.is_some_and(|inlines| inlines.iter().all(is_run))
}

fn is_run(run: &Value) -> bool {
    run["type"] == "TextRun"
        && run["text"].is_string()
        && is_one_of(&run["weight"], &["Default", "Bolder", "Lighter"])
        && is_one_of(&run["size"], &["Default", "Small", "Medium", "Large"])
        && is_one_of(&run["color"], &COLOURS)
        && (run["isSubtle"].is_null() || run["isSubtle"].is_boolean())
        && (run["selectAction"].is_null() || opens(&run["selectAction"]))
}

fn opens(action: &Value) -> bool {
    let url = action["url"].as_str().unwrap_or_default();
    action["type"] == "Action.OpenUrl" && (url.starts_with("https://") || url.starts_with("http://"))
}

/// Whether it is absent, or one of `known`.
fn is_one_of(value: &Value, known: &[&str]) -> bool {
    value.is_null() || value.as_str().is_some_and(|text| known.contains(&text))
}

impl Shared {
    /// Keeps a card, with a line for each of its blocks.
    fn take(&self, card: &Value) {
        let texts = |block: &Value| -> String {
            block["inlines"].as_array().into_iter().flatten().filter_map(|run| run["text"].as_str()).collect()
        };
        let lines: Vec<_> = card["body"].as_array().into_iter().flatten().map(texts).collect();
        let button = card["actions"]
            .as_array()
            .into_iter()
            .flatten()
            .find(|action| action["title"].as_str().is_some_and(|title| title.starts_with("Acknowledge")));
        let button = button.and_then(|button| Some(("button".to_owned(), button["url"].as_str()?.to_owned())));
        self.caught.push(Caught {
            at: self.clock.now(),
            kind: CaughtKind::Teams,
            to: "workflow".to_owned(),
            subject: String::new(),
            text: lines.join("\n"),
            html: None,
            headers: button.into_iter().collect(),
        });
    }
}
