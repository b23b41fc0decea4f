//! What can go wrong on request: the misbehaviour of a service, its proxies and the network in between.

use std::convert::Infallible;
use std::io;
use std::str::FromStr;
use std::time::Duration;

use apollo_compiler::response::JsonValue;
use apollo_compiler::response::serde_json_bytes::json;
use axum::body::{Body, Bytes};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::stream;

use super::graphql::Refusal;
use super::habit::{self, HABITS};
use crate::config::duration;

/// The size in bytes of a body that nobody should read to the end.
const HUGE: u64 = 300 << 20;
const CHUNK: usize = 64 << 10;

/// One way of answering badly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A proxy's page, 502.
    Html502,
    /// 500 and a word.
    Http500,
    /// Half a JSON document in a complete HTTP answer.
    Truncated,
    /// The connection breaks in the middle of the body.
    Reset,
    /// No answer at all.
    Hang,
    /// This many bytes, streamed.
    HugeBody(u64),
    /// 401, whatever the token.
    Unauthorized,
    /// The rate limit's answer, whatever the rate.
    Throttle,
    /// "Internal Server Error(s)"; nothing was done.
    InternalError,
    /// The same answer, but a mutation was carried out even so.
    AppliedThenInternalError,
    /// The token may not do this.
    Forbidden,
    /// The subscription is paused.
    SubscriptionPaused,
    /// 200 with an empty body.
    EmptyBody,
    /// 200 with plain words.
    NotJson,
    /// A redirect to another host, which must not get the token.
    Redirect(String),
    /// The correct answer, one byte a second.
    Slow,
    /// The correct answer, but the first ticket has no id and the second an impossible time.
    BadRecord,
}

impl Fault {
    /// Returns every fault with its name on the command line.
    pub fn all() -> [(&'static str, Self); 17] {
        [
            ("html-502", Self::Html502),
            ("http-500", Self::Http500),
            ("truncated", Self::Truncated),
            ("reset", Self::Reset),
            ("hang", Self::Hang),
            ("huge-body", Self::HugeBody(HUGE)),
            ("unauthorized", Self::Unauthorized),
            ("throttle", Self::Throttle),
            ("internal-error", Self::InternalError),
            ("applied-then-internal-error", Self::AppliedThenInternalError),
            ("forbidden", Self::Forbidden),
            ("subscription-paused", Self::SubscriptionPaused),
            ("empty-body", Self::EmptyBody),
            ("not-json", Self::NotJson),
            ("redirect", Self::Redirect("https://elsewhere.example/msp".to_owned())),
            ("slow", Self::Slow),
            ("bad-record", Self::BadRecord),
        ]
    }

    /// Returns the whole answer, if this fault does not need a correct one to spoil.
    pub(super) fn answer(&self, root: &str) -> Option<Response> {
        let refuse = |code| Refusal::Client { code, attribute: None }.body(root);
        Some(match self {
            Self::Html502 => {
                let page = "<html><body><h1>502 Bad Gateway</h1></body></html>";
                (StatusCode::BAD_GATEWAY, [(header::CONTENT_TYPE, "text/html")], page).into_response()
            }
            Self::Http500 => (StatusCode::INTERNAL_SERVER_ERROR, "boom").into_response(),
            Self::HugeBody(bytes) => json_answer(Body::from_stream(spaces(*bytes))),
            Self::Unauthorized => StatusCode::UNAUTHORIZED.into_response(),
            Self::Throttle => ok(&refuse("rate_limit_exceeded")),
            Self::Forbidden => ok(&refuse("forbidden")),
            Self::SubscriptionPaused => ok(&refuse("subscription_paused")),
            Self::InternalError => ok(&Refusal::Internal.body(root)),
            Self::EmptyBody => json_answer(Body::empty()),
            Self::NotJson => json_answer(Body::from("Service is warming up")),
            Self::Redirect(url) => (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, url.clone())]).into_response(),
            Self::Truncated
            | Self::Reset
            | Self::Hang
            | Self::AppliedThenInternalError
            | Self::Slow
            | Self::BadRecord => {
                return None;
            }
        })
    }

    /// Spoils the correct answer.
    pub(super) async fn spoil(&self, root: &str, mut body: JsonValue) -> Response {
        match self {
            Self::AppliedThenInternalError => return ok(&Refusal::Internal.body(root)),
            Self::BadRecord => spoil_records(&mut body),
            _ => {}
        }
        let bytes = bytes(&body);
        match self {
            Self::Hang => std::future::pending().await,
            Self::Truncated => json_answer(Body::from(bytes.slice(..bytes.len() / 2))),
            Self::Reset => json_answer(Body::from_stream(broken(bytes))),
            Self::Slow => json_answer(Body::from_stream(drip(bytes))),
            _ => json_answer(Body::from(bytes)),
        }
    }
}

/// Lists the names, for the help and for error messages.
fn names() -> String {
    Fault::all().map(|(name, _)| name).join(", ")
}

/// Lists the names of the habits, each with an example of its value.
fn lasting() -> String {
    let written = |example: &str| if example.is_empty() { String::new() } else { format!(":{example}") };
    HABITS.map(|(name, example, _)| format!("{name}{}", written(example))).join(", ")
}

/// A text that does not name a fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadFault {
    #[error("unknown fault `{0}`; there are: {names}; and what lasts: {lasting}", names = names(), lasting = lasting())]
    Unknown(String),
    #[error("`{0}` is neither a number of times nor a length of time; write NAME, `http-500:3` or `http-500:75s`")]
    Extent(String),
    #[error("`{value}` is no value for `{name}`; write {name}{example}")]
    Value { name: String, value: String, example: String },
}

/// How often a fault strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// This many valid requests.
    Times(u32),
    /// All requests for this long, from the first one that it strikes.
    Lasting(TimeDelta),
    /// All requests before this moment.
    Until(DateTime<Utc>),
}

impl Extent {
    /// Returns whether it strikes a request at `now`, and what is left of it afterwards.
    pub(super) fn strike(self, now: DateTime<Utc>) -> (bool, Option<Self>) {
        match self {
            Self::Times(0) => (false, None),
            Self::Times(1) => (true, None),
            Self::Times(times) => (true, Some(Self::Times(times - 1))),
            Self::Lasting(length) => Self::Until(now + length).strike(now),
            Self::Until(end) if now < end => (true, Some(self)),
            Self::Until(_) => (false, None),
        }
    }
}

impl FromStr for Fault {
    type Err = BadFault;

    fn from_str(name: &str) -> Result<Self, BadFault> {
        let known = Self::all().into_iter().find(|(known, _)| *known == name);
        known.map(|(_, fault)| fault).ok_or_else(|| BadFault::Unknown(name.to_owned()))
    }
}

/// What a command line may order: a fault as `NAME`, `NAME:TIMES` or `NAME:TIME`, or a habit as `NAME` or `NAME:VALUE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FaultOrder {
    Fault(Fault, Extent),
    Habit { name: String, value: String },
}

impl FromStr for FaultOrder {
    type Err = BadFault;

    fn from_str(text: &str) -> Result<Self, BadFault> {
        let (name, value) = text.split_once(':').map_or((text, None), |(name, value)| (name, Some(value)));
        if let Some(habit) = habit::find(name, value.unwrap_or_default()) {
            let example = |example: &str| if example.is_empty() { String::new() } else { format!(":{example}") };
            let (name, value) = (name.to_owned(), value.unwrap_or_default().to_owned());
            return match habit {
                Ok(_) => Ok(Self::Habit { name, value }),
                Err(known) => Err(BadFault::Value { name, value, example: example(known) }),
            };
        }
        Ok(Self::Fault(name.parse()?, value.map_or(Ok(Extent::Times(1)), extent)?))
    }
}

fn extent(text: &str) -> Result<Extent, BadFault> {
    let lasting = || duration::parse(text).map(Extent::Lasting);
    text.parse().map(Extent::Times).or_else(|_| lasting()).map_err(|_| BadFault::Extent(text.to_owned()))
}

fn bytes(body: &JsonValue) -> Bytes {
    // A JSON value has text keys and finite numbers: writing it cannot fail.
    serde_json::to_vec(body).unwrap_or_default().into()
}

/// Answers 200 with a JSON body.
pub(super) fn ok(body: &JsonValue) -> Response {
    json_answer(Body::from(bytes(body)))
}

fn json_answer(body: Body) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}

/// Streams white space, which JSON may begin with for as long as it likes: a reader must count, not parse.
fn spaces(bytes: u64) -> impl futures_util::Stream<Item = Result<Bytes, Infallible>> {
    let chunk = Bytes::from_static(&[b' '; CHUNK]);
    let chunks = usize::try_from(bytes.div_ceil(CHUNK as u64)).unwrap_or(usize::MAX);
    stream::iter(std::iter::repeat_n(chunk, chunks).map(Ok))
}

fn broken(bytes: Bytes) -> impl futures_util::Stream<Item = io::Result<Bytes>> {
    stream::iter([Ok(bytes.slice(..bytes.len() / 2)), Err(io::ErrorKind::ConnectionReset.into())])
}

fn drip(bytes: Bytes) -> impl futures_util::Stream<Item = Result<Bytes, Infallible>> {
    stream::unfold(0, move |at| {
        let byte = (at < bytes.len()).then(|| bytes.slice(at..=at));
        async move {
            tokio::time::sleep(Duration::from_secs(1)).await;
            byte.map(|byte| (Ok(byte), at + 1))
        }
    })
}

fn spoil_records(body: &mut JsonValue) {
    let tickets =
        body.get_mut("data").and_then(|data| data.get_mut("getTicketList")).and_then(|list| list.get_mut("tickets"));
    let Some(JsonValue::Array(tickets)) = tickets else { return };
    for (ticket, (field, value)) in
        tickets.iter_mut().zip([("ticketId", JsonValue::Null), ("createdTime", json!("yesterday"))])
    {
        if let Some(slot) = ticket.get_mut(field) {
            *slot = value;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<FaultOrder, BadFault> {
        text.parse()
    }

    #[test]
    fn every_fault_is_known_by_its_name() {
        for (name, fault) in Fault::all() {
            assert_eq!(name.parse(), Ok(fault.clone()));
            assert_eq!(parsed(&format!("{name}:4")), Ok(FaultOrder::Fault(fault, Extent::Times(4))));
        }
        assert_eq!(parsed("hang"), Ok(FaultOrder::Fault(Fault::Hang, Extent::Times(1))));
        let minute = Extent::Lasting(TimeDelta::seconds(75));
        assert_eq!(parsed("internal-error:75s"), Ok(FaultOrder::Fault(Fault::InternalError, minute)));
    }

    #[test]
    fn every_habit_is_known_by_its_name_and_takes_the_example_of_its_value() {
        for (name, example, _) in HABITS {
            let text = if example.is_empty() { name.to_owned() } else { format!("{name}:{example}") };
            let order = FaultOrder::Habit { name: name.to_owned(), value: example.to_owned() };
            assert_eq!(parsed(&text), Ok(order));
            assert!(matches!(parsed(&format!("{name}:no such value")), Err(BadFault::Value { .. })), "{name}");
        }
    }

    #[test]
    fn a_wrong_name_is_told_the_right_ones() {
        let complaint = parsed("html502:2").unwrap_err().to_string();
        assert!(complaint.starts_with("unknown fault `html502`; there are: html-502, http-500,"), "{complaint}");
        assert!(complaint.contains("paging-depth:10000, never-more,"), "{complaint}");
        assert_eq!(parsed("hang:often"), Err(BadFault::Extent("often".to_owned())));
        let complaint = parsed("paging-depth").unwrap_err().to_string();
        assert_eq!(complaint, "`` is no value for `paging-depth`; write paging-depth:10000");
    }

    #[test]
    fn a_fault_strikes_for_its_time_from_its_first_request_on() {
        let at = |second: i64| DateTime::from_timestamp(1_800_000_000 + second, 0).unwrap();
        let (struck, left) = Extent::Lasting(TimeDelta::seconds(75)).strike(at(100));
        assert!(struck);
        assert_eq!(left.unwrap().strike(at(174)), (true, left));
        assert_eq!(left.unwrap().strike(at(175)), (false, None));
        assert_eq!(Extent::Times(2).strike(at(0)), (true, Some(Extent::Times(1))));
        assert_eq!(Extent::Times(1).strike(at(0)), (true, None));
    }
}
