//! The calls of the Twilio look-alike: ordered, put through or not, and reported.
//!
//! Nothing rings by itself: a test decides what the people who are called do, and a demo makes them do something now
//! and then.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::{Form, Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};

use super::twilio::{Fields, field, has_credentials, is_number, refusal};
use super::{Caught, CaughtKind, CaughtList, Reports, SmsReply};
use crate::clock::SharedClock;

/// How many calls the listing remembers.
const REMEMBERED: usize = 10_000;
/// The longest markup that Twilio takes with an order, in bytes.
const LONGEST_TWIML: usize = 4_000;

/// What the person called does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Callee {
    /// Picks up, and presses this key if any.
    PicksUp(Option<char>),
    Busy,
    NoAnswer,
    /// The number is not in service.
    Failed,
    /// A mailbox picks up.
    Machine,
    /// Picks up, is reported to be a machine, and presses this key after that.
    TakenForMachine(char),
    /// Picks up, presses this key, and is reported to be a machine after that.
    MistakenForMachine(char),
}

#[derive(Default)]
struct Calls {
    count: u64,
    reply: SmsReply,
    ordered: VecDeque<Ordered>,
}

/// A call that was accepted.
struct Ordered {
    /// The call as Twilio shows it.
    call: Value,
    form: Fields,
}

impl Callee {
    /// Returns how the call ends, and who took it.
    fn end(self) -> (&'static str, Option<&'static str>) {
        match self {
            Self::PicksUp(_) => ("completed", Some("human")),
            Self::Busy => ("busy", None),
            Self::NoAnswer => ("no-answer", None),
            Self::Failed => ("failed", None),
            Self::Machine | Self::TakenForMachine(_) | Self::MistakenForMachine(_) => {
                ("completed", Some("machine_start"))
            }
        }
    }
}

/// Where calls are ordered, listed and put through.
pub(super) struct Exchange {
    clock: SharedClock,
    caught: Arc<CaughtList>,
    calls: Mutex<Calls>,
}

impl Exchange {
    pub(super) fn new(clock: SharedClock, caught: Arc<CaughtList>) -> Self {
        Self { clock, caught, calls: Mutex::default() }
    }

    pub(super) fn routes(self: Arc<Self>) -> Router {
        let path = "/2010-04-01/Accounts/{sid}/Calls.json";
        let router = Router::new().route(path, post(order).get(list));
        router.route("/2010-04-01/Accounts/{sid}/Calls/{name}", get(fetch)).with_state(self)
    }

    /// Makes it answer orders like this from now on.
    pub(super) fn reply(&self, reply: SmsReply) {
        self.calls().reply = reply;
    }

    fn calls(&self) -> MutexGuard<'_, Calls> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps an order, and returns the call as Twilio shows it.
    fn order(&self, account: &str, form: Fields) -> Value {
        let now = self.clock.now();
        let text = |name: &str| field(&form, name).unwrap_or_default().to_owned();
        let mut calls = self.calls();
        calls.count += 1;
        let sid = format!("CA{:032x}", calls.count);
        let date = now.to_rfc2822();
        let call = json!({
            "sid": sid, "account_sid": account, "to": text("To"), "from": text("From"), "status": "queued",
            "direction": "outbound-api", "answered_by": null, "start_time": null, "end_time": null, "duration": null,
            "price": null, "date_created": date, "date_updated": date,
            "uri": format!("/2010-04-01/Accounts/{account}/Calls/{sid}.json"), "subresource_uris": {},
        });
        self.caught.push(Caught {
            at: now,
            kind: CaughtKind::Voice,
            to: text("To"),
            subject: String::new(),
            text: first_said(&text("Twiml")),
            html: None,
            headers: form.clone(),
        });
        if calls.ordered.len() == REMEMBERED {
            calls.ordered.pop_front();
        }
        calls.ordered.push_back(Ordered { call: call.clone(), form });
        call
    }

    /// Ends each waiting call. Returns the requests that report this to the product.
    pub(super) fn put_through(&self, callee: Callee, reports: Reports) -> Vec<(String, Fields)> {
        let now = self.clock.now().to_rfc2822();
        let mut calls = self.calls();
        let mut told = Vec::new();
        for one in calls.ordered.iter_mut().filter(|one| one.call["status"] == "queued") {
            let (status, by) = callee.end();
            one.call["status"] = status.into();
            one.call["answered_by"] = by.into();
            one.call["start_time"] = now.clone().into();
            told.extend(one.told(callee, reports));
        }
        told
    }
}

/// Returns the words of the first sentence of `twiml`.
fn first_said(twiml: &str) -> String {
    let said = twiml.split_once("<Say").and_then(|(_, rest)| rest.split_once('>')).map(|(_, rest)| rest);
    unescaped(said.and_then(|said| said.split_once("</Say>")).map(|(said, _)| said).unwrap_or_default())
}

/// Returns where keys are reported to.
fn action(twiml: &str) -> Option<String> {
    let (_, rest) = twiml.split_once("action=\"")?;
    Some(unescaped(rest.split_once('"')?.0))
}

fn unescaped(text: &str) -> String {
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&")
}

async fn order(
    State(exchange): State<Arc<Exchange>>,
    Path(account): Path<String>,
    headers: HeaderMap,
    Form(form): Form<Fields>,
) -> Response {
    if !has_credentials(&headers) {
        return refusal(StatusCode::UNAUTHORIZED, 20003, "Authenticate");
    }
    if let Some((code, complaint)) = complaint(&form) {
        return refusal(StatusCode::BAD_REQUEST, code, complaint);
    }
    let reply = exchange.calls().reply.clone();
    match reply {
        SmsReply::Error500 => (StatusCode::SERVICE_UNAVAILABLE, "oops").into_response(),
        SmsReply::TooMany { retry_after } => {
            let refusal = refusal(StatusCode::TOO_MANY_REQUESTS, 20429, "Too Many Requests");
            ([(header::RETRY_AFTER, retry_after.to_string())], refusal).into_response()
        }
        SmsReply::Code(code) => refusal(StatusCode::BAD_REQUEST, code, "The call cannot be made"),
        SmsReply::Hang { taken } => {
            if taken {
                exchange.order(&account, form);
            }
            std::future::pending().await
        }
        SmsReply::OddBody(body) => {
            exchange.order(&account, form);
            (StatusCode::CREATED, body).into_response()
        }
        SmsReply::Accept => (StatusCode::CREATED, Json(exchange.order(&account, form))).into_response(),
    }
}

/// Returns what Twilio would refuse about the order, with its code.
fn complaint(form: &Fields) -> Option<(u32, &'static str)> {
    let twiml = field(form, "Twiml").unwrap_or_default();
    match (field(form, "To"), field(form, "From")) {
        (to, _) if !to.is_some_and(is_number) => Some((21211, "Invalid 'To' Phone Number")),
        (_, from) if !from.is_some_and(is_number) => Some((21212, "Invalid 'From' Phone Number")),
        _ if !twiml.contains("<Response>") || twiml.len() > LONGEST_TWIML => Some((21205, "Url or Twiml is not valid")),
        _ => None,
    }
}

async fn list(State(exchange): State<Arc<Exchange>>, headers: HeaderMap, Query(wanted): Query<Fields>) -> Response {
    if !has_credentials(&headers) {
        return refusal(StatusCode::UNAUTHORIZED, 20003, "Authenticate");
    }
    let calls = exchange.calls();
    let is_wanted = |call: &&Value| {
        let same = |name: &str, key: &str| field(&wanted, name).is_none_or(|wanted| call[key] == wanted);
        same("To", "to") && same("From", "from")
    };
    let found: Vec<&Value> = calls.ordered.iter().rev().map(|one| &one.call).filter(is_wanted).take(20).collect();
    Json(json!({"calls": found, "page": 0, "page_size": 20, "next_page_uri": null})).into_response()
}

async fn fetch(
    State(exchange): State<Arc<Exchange>>,
    Path((_, name)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    if !has_credentials(&headers) {
        return refusal(StatusCode::UNAUTHORIZED, 20003, "Authenticate");
    }
    let calls = exchange.calls();
    let sid = name.strip_suffix(".json").unwrap_or(&name);
    match calls.ordered.iter().find(|one| one.call["sid"] == sid) {
        Some(one) => Json(one.call.clone()).into_response(),
        None => refusal(StatusCode::NOT_FOUND, 20404, "The requested resource was not found"),
    }
}

impl Ordered {
    fn told(&self, callee: Callee, reports: Reports) -> Vec<(String, Fields)> {
        let (end, by) = callee.end();
        let callback = |name: &str| field(&self.form, name).map(str::to_owned);
        let status = |status: &'static str| {
            let by = by.filter(|_| status == end).map(|by| ("AnsweredBy", by));
            Some((callback("StatusCallback")?, self.fields([Some(("CallStatus", status)), by])))
        };
        let detected = by
            .and_then(|by| Some((callback("AsyncAmdStatusCallback")?, self.fields([Some(("AnsweredBy", by)), None]))));
        let steps: Vec<_> = [status("initiated"), detected, status(end)].into_iter().flatten().collect();
        let steps = match reports {
            Reports::InOrder => steps,
            Reports::FiveFold => steps.into_iter().flat_map(|step| std::iter::repeat_n(step, 5)).collect(),
            Reports::Reversed => steps.into_iter().rev().collect(),
            Reports::Never => Vec::new(),
        };
        let times = if reports == Reports::FiveFold { 5 } else { 1 };
        let key = match callee {
            Callee::PicksUp(Some(key)) | Callee::TakenForMachine(key) | Callee::MistakenForMachine(key) => {
                action(field(&self.form, "Twiml").unwrap_or_default()).map(|url| (url, key))
            }
            _ => None,
        };
        let pressed = key.map(|(url, key)| (url, self.fields([Some(("Digits", key.to_string().as_str())), None])));
        let pressed = pressed.into_iter().flat_map(|pressed| std::iter::repeat_n(pressed, times));
        match callee {
            Callee::TakenForMachine(_) => steps.into_iter().chain(pressed).collect(),
            _ => pressed.chain(steps).collect(),
        }
    }

    fn fields(&self, more: [Option<(&str, &str)>; 2]) -> Fields {
        let text = |name: &str| self.call[name].as_str().unwrap_or_default();
        let usual =
            [("CallSid", text("sid")), ("AccountSid", text("account_sid")), ("To", text("to")), ("From", text("from"))];
        usual
            .into_iter()
            .chain(more.into_iter().flatten())
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    }
}
