//! A Twilio look-alike: takes text messages as Twilio's Messages API does, and lists them; takes calls as well.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Json;
use axum::Router;
use axum::extract::{Form, Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use chrono::{DateTime, NaiveDate, SubsecRound, Utc};
use serde_json::{Value, json};

use super::calls::{Callee, Exchange};
use super::twilio::{Fields, field, has_credentials, is_number, refusal};
use super::{Caller, Caught, CaughtKind, CaughtList, DeliveryOutcome, Reports};
use crate::clock::SharedClock;
use crate::simulator::{Served, serve};

/// How many messages the listing remembers.
const REMEMBERED: usize = 10_000;

/// How a message is answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum SmsReply {
    #[default]
    Accept,
    /// 500 and a word.
    Error500,
    /// 429 with a Retry-After of this many seconds.
    TooMany { retry_after: u32 },
    /// 400 with one of Twilio's codes; 21610 means that the recipient said STOP.
    Code(u32),
    /// Silence, whether the message was taken or not.
    Hang { taken: bool },
    /// Taken, with 201 and this body.
    OddBody(String),
}

pub(super) struct Shared {
    pub clock: SharedClock,
    pub caught: Arc<CaughtList>,
    state: Mutex<Sent>,
}

#[derive(Default)]
pub(super) struct Sent {
    reply: SmsReply,
    count: u64,
    pub messages: VecDeque<Kept>,
    pub outcome: DeliveryOutcome,
    pub reports: Reports,
    pub caller: Option<Caller>,
}

/// A message that was taken.
pub(super) struct Kept {
    /// The message as Twilio shows it.
    pub message: Value,
    /// Where the product wants reports on it.
    pub callback: Option<String>,
}

impl Kept {
    /// Whether the carrier has not dealt with it yet.
    pub fn waits(&self) -> bool {
        matches!(self.message["status"].as_str(), Some("queued" | "accepted"))
    }
}

/// The text-message gateway. It stops when dropped.
pub struct SmsCatcher {
    served: Served,
    pub(super) shared: Arc<Shared>,
    exchange: Arc<Exchange>,
}

impl SmsCatcher {
    /// Serves at `addr`; what comes in goes to `caught`.
    pub async fn start(addr: SocketAddr, clock: SharedClock, caught: Arc<CaughtList>) -> io::Result<Self> {
        let exchange = Arc::new(Exchange::new(clock.clone(), caught.clone()));
        let shared = Arc::new(Shared { clock, caught, state: Mutex::default() });
        let path = "/2010-04-01/Accounts/{sid}/Messages.json";
        let one = "/2010-04-01/Accounts/{sid}/Messages/{name}";
        let router = Router::new().route(path, post(send).get(list)).route(one, get(fetch));
        let router = router.with_state(Arc::clone(&shared)).merge(exchange.clone().routes());
        Ok(Self { served: serve(addr, router).await?, shared, exchange })
    }

    /// Returns the base URL to configure.
    pub fn url(&self) -> String {
        self.served.url()
    }

    /// Makes it answer like this from now on.
    pub fn reply(&self, reply: SmsReply) {
        self.shared.sent().reply = reply;
    }

    /// Makes it answer orders of calls like this from now on.
    pub fn reply_to_calls(&self, reply: SmsReply) {
        self.exchange.reply(reply);
    }

    /// Puts through all waiting calls; everybody acts as `callee`. Returns the product's answers, each with its text.
    pub async fn ring(&self, callee: Callee, reports: Reports) -> Vec<(u16, String)> {
        let caller = self.shared.sent().caller.clone();
        let mut answers = Vec::new();
        for (url, form) in self.exchange.put_through(callee, reports) {
            if let Some(caller) = &caller {
                answers.extend(caller.call(&url, &form).await);
            }
        }
        answers
    }
}

impl Shared {
    pub(super) fn sent(&self) -> MutexGuard<'_, Sent> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn send(
    State(shared): State<Arc<Shared>>,
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
    let reply = shared.sent().reply.clone();
    match reply {
        SmsReply::Error500 => (StatusCode::INTERNAL_SERVER_ERROR, "oops").into_response(),
        SmsReply::TooMany { retry_after } => {
            let refusal = refusal(StatusCode::TOO_MANY_REQUESTS, 20429, "Too Many Requests");
            ([(header::RETRY_AFTER, retry_after.to_string())], refusal).into_response()
        }
        SmsReply::Code(code) => refusal(StatusCode::BAD_REQUEST, code, "The message cannot be sent"),
        SmsReply::Hang { taken: false } => std::future::pending().await,
        SmsReply::Hang { taken: true } => {
            shared.take(&account, form);
            std::future::pending().await
        }
        SmsReply::OddBody(body) => {
            shared.take(&account, form);
            (StatusCode::CREATED, body).into_response()
        }
        SmsReply::Accept => (StatusCode::CREATED, Json(shared.take(&account, form))).into_response(),
    }
}

/// Returns what Twilio would refuse about the form, with its code.
fn complaint(form: &Fields) -> Option<(u32, &'static str)> {
    if !field(form, "To").is_some_and(is_number) {
        return Some((21211, "Invalid 'To' Phone Number"));
    }
    if field(form, "From").or(field(form, "MessagingServiceSid")).is_none() {
        return Some((21603, "A 'From' phone number is required"));
    }
    match field(form, "Body").map(|body| body.chars().count()) {
        None => Some((21602, "Message body is required")),
        Some(1601..) => Some((21617, "The message body exceeds the 1600 character limit")),
        Some(_) => None,
    }
}

impl Shared {
    /// Keeps a message, and returns it as Twilio shows it.
    fn take(&self, account: &str, form: Fields) -> Value {
        let now = self.clock.now();
        let text = |name: &str| field(&form, name).unwrap_or_default().to_owned();
        let mut sent = self.sent();
        sent.count += 1;
        let message = shown(account, &form, sent.count, now);
        if sent.messages.len() == REMEMBERED {
            sent.messages.pop_front();
        }
        let callback = field(&form, "StatusCallback").map(str::to_owned);
        sent.messages.push_back(Kept { message: message.clone(), callback });
        self.caught.push(Caught {
            at: now,
            kind: CaughtKind::Sms,
            to: text("To"),
            subject: String::new(),
            text: text("Body"),
            html: None,
            headers: form,
        });
        message
    }
}

/// Returns a new message in Twilio's JSON: most of it is null until the carrier has acted.
fn shown(account: &str, form: &Fields, count: u64, now: DateTime<Utc>) -> Value {
    let sid = format!("SM{count:032x}");
    let service = field(form, "MessagingServiceSid");
    let date = now.to_rfc2822();
    json!({
        "sid": sid,
        "account_sid": account,
        "to": field(form, "To"),
        "from": field(form, "From"),
        "body": field(form, "Body"),
        "status": if service.is_some() { "accepted" } else { "queued" },
        "messaging_service_sid": service,
        "num_segments": "1",
        "num_media": "0",
        "direction": "outbound-api",
        "api_version": "2010-04-01",
        "price": null,
        "price_unit": "USD",
        "error_code": null,
        "error_message": null,
        "date_created": date,
        "date_updated": date,
        "date_sent": null,
        "uri": format!("/2010-04-01/Accounts/{account}/Messages/{sid}.json"),
        "subresource_uris": {},
    })
}

/// Answers with one message, by `{sid}.json`.
async fn fetch(
    State(shared): State<Arc<Shared>>,
    Path((_, name)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    if !has_credentials(&headers) {
        return refusal(StatusCode::UNAUTHORIZED, 20003, "Authenticate");
    }
    let sent = shared.sent();
    let sid = name.strip_suffix(".json").unwrap_or(&name);
    match sent.messages.iter().find(|kept| kept.message["sid"] == sid) {
        Some(kept) => Json(kept.message.clone()).into_response(),
        None => refusal(StatusCode::NOT_FOUND, 20404, "The requested resource was not found"),
    }
}

async fn list(State(shared): State<Arc<Shared>>, headers: HeaderMap, Query(wanted): Query<Fields>) -> Response {
    if !has_credentials(&headers) {
        return refusal(StatusCode::UNAUTHORIZED, 20003, "Authenticate");
    }
    let sent = shared.sent();
    let newest = sent.messages.iter().rev().map(|kept| &kept.message);
    let messages: Vec<&Value> = newest.filter(|message| matches(message, &wanted)).take(50).collect();
    Json(json!({"messages": messages, "page": 0, "page_size": 50, "next_page_uri": null})).into_response()
}

/// Applies `To=`, `DateSent=`, and `DateSent>=` and `DateSent<=`, whose names end in the angle bracket.
fn matches(message: &Value, wanted: &Fields) -> bool {
    // A message that is still queued has not been sent.
    let sent =
        message["date_sent"].as_str().and_then(|date| DateTime::parse_from_rfc2822(date).ok()).map(|at| at.to_utc());
    wanted.iter().all(|(name, value)| match name.as_str() {
        "To" => message["to"] == value.as_str(),
        "DateSent" => sent.zip(moment(value)).is_some_and(|(sent, day)| sent.date_naive() == day.date_naive()),
        "DateSent>" => sent.zip(moment(value)).is_some_and(|(sent, since)| sent >= since),
        "DateSent<" => sent.zip(moment(value)).is_some_and(|(sent, until)| sent <= until),
        _ => true,
    })
}

/// Reads a day or a moment. Twilio's dates have whole seconds.
fn moment(text: &str) -> Option<DateTime<Utc>> {
    let day = || text.parse::<NaiveDate>().ok().and_then(|day| day.and_hms_opt(0, 0, 0)).map(|start| start.and_utc());
    DateTime::parse_from_rfc3339(text).ok().map(|at| at.to_utc().trunc_subsecs(0)).or_else(day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;
    use std::time::Duration;

    struct Phone {
        catcher: SmsCatcher,
        list: Arc<CaughtList>,
        clock: ManualClock,
        http: reqwest::Client,
    }

    impl Phone {
        async fn start() -> Self {
            let _ = rustls::crypto::ring::default_provider().install_default();
            let clock = ManualClock::at(DateTime::from_timestamp(1_800_000_000, 0).unwrap());
            let list = CaughtList::new(100);
            let addr = "127.0.0.1:0".parse().unwrap();
            let catcher = SmsCatcher::start(addr, Arc::new(clock.clone()), Arc::clone(&list)).await.unwrap();
            Self { catcher, list, clock, http: reqwest::Client::new() }
        }

        fn url(&self) -> String {
            format!("{}/2010-04-01/Accounts/AC1/Messages.json", self.catcher.url())
        }

        fn post(&self, to: &str, body: &str) -> reqwest::RequestBuilder {
            let form = [("To", to), ("From", "+15005550006"), ("Body", body)];
            self.http.post(self.url()).basic_auth("AC1", Some("secret")).form(&form)
        }

        async fn answer(&self) -> (u16, Value) {
            let response = self.post("+15005550101", "SLA").send().await.unwrap();
            (response.status().as_u16(), response.json().await.unwrap_or_default())
        }
    }

    #[tokio::test]
    async fn a_message_is_queued_caught_and_listed() {
        let phone = Phone::start().await;
        let (status, message) = phone.answer().await;
        assert_eq!((status, &message["status"], &message["price"]), (201, &json!("queued"), &Value::Null));
        phone.clock.advance(chrono::TimeDelta::minutes(5));
        phone.post("+15005550102", "Søren: 30 min 🔥").send().await.unwrap();
        assert_eq!(phone.list.newest_first(1)[0].text, "Søren: 30 min 🔥");
        assert_eq!(phone.list.newest_first(1)[0].header("From"), Some("+15005550006"));
        let list = async |query: &[(&str, &str)]| {
            let request = phone.http.get(phone.url()).basic_auth("AC1", Some("secret")).query(query);
            let found: Value = request.send().await.unwrap().json().await.unwrap();
            found["messages"].as_array().unwrap().len()
        };
        assert_eq!(list(&[]).await, 2);
        assert_eq!(list(&[("To", "+15005550101")]).await, 1);
        assert_eq!(list(&[("DateSent>", "2027-01-15")]).await, 0, "both are queued still");
        phone.catcher.deliver().await;
        assert_eq!(list(&[("To", "+15005550101"), ("DateSent>", "2027-01-15")]).await, 1);
        assert_eq!(list(&[("DateSent>", "2027-01-15T08:01:00Z")]).await, 1);
        assert_eq!(list(&[("DateSent", "2027-01-14")]).await, 0);
    }

    #[tokio::test]
    async fn what_twilio_refuses_is_refused_with_its_code() {
        let phone = Phone::start().await;
        let code = async |request: reqwest::RequestBuilder| {
            let response: Value = request.send().await.unwrap().json().await.unwrap();
            response["code"].clone()
        };
        assert_eq!(code(phone.http.post(phone.url()).form(&[("To", "+15005550101")])).await, 20003);
        assert_eq!(code(phone.post("0800", "x")).await, 21211);
        assert_eq!(code(phone.post("+15005550101", "")).await, 21602);
        assert_eq!(code(phone.post("+15005550101", &"x".repeat(1_601))).await, 21617);
        assert_eq!(phone.list.total(), 0);
    }

    #[tokio::test]
    async fn answers_are_as_ordered() {
        let phone = Phone::start().await;
        phone.catcher.reply(SmsReply::Error500);
        assert_eq!(phone.answer().await.0, 500);
        phone.catcher.reply(SmsReply::Code(21610));
        assert_eq!(phone.answer().await.1["code"], 21610);
        phone.catcher.reply(SmsReply::TooMany { retry_after: 7 });
        let slow_down = phone.post("+15005550101", "SLA").send().await.unwrap();
        assert_eq!((slow_down.status().as_u16(), slow_down.headers()["retry-after"].as_bytes()), (429, &b"7"[..]));
        assert_eq!(phone.list.total(), 0);
        phone.catcher.reply(SmsReply::OddBody("<html>".to_owned()));
        assert_eq!(phone.answer().await, (201, Value::Null));
        phone.catcher.reply(SmsReply::Hang { taken: true });
        let silence = phone.post("+15005550101", "SLA").timeout(Duration::from_millis(50)).send().await;
        assert!(silence.unwrap_err().is_timeout());
        assert_eq!(phone.list.total(), 2);
    }
}
