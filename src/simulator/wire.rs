//! The look-alike's HTTP entrance: it checks headers and limits, and returns an answer or a fault.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use apollo_compiler::response::JsonValue;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use chrono::{DateTime, TimeDelta, Utc};

use super::Simulator;
use super::commands::Commands;
use super::fault::{Fault, ok};
use super::graphql::{Engine, Prepared, Refusal, Request, no_introspection};
use super::holes::pierce;
use super::resolve::{Questions, Verdict};

/// What has been asked so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Requests {
    /// All requests, including refused ones.
    pub total: u64,
    /// Refused because there were too many.
    pub throttled: u64,
    /// Refused because of their token or subdomain.
    pub turned_away: u64,
    /// Refused because they do not fit the schema. Our own client should never have any.
    pub invalid: u64,
    /// Executed, by the first field: `getTicketList`, ...
    pub by_operation: BTreeMap<String, u64>,
}

/// The rate limit: a sliding minute that includes refused requests.
#[derive(Debug, Default)]
pub(super) struct Limit(VecDeque<DateTime<Utc>>);

impl Limit {
    /// Whether a request at `now` is one too many for `per_minute`; 0 means no limit.
    fn exceeds(&mut self, per_minute: u32, now: DateTime<Utc>) -> bool {
        while self.0.front().is_some_and(|first| *first <= now - TimeDelta::seconds(60)) {
            self.0.pop_front();
        }
        if per_minute == 0 {
            return false;
        }
        self.0.push_back(now);
        self.0.len() > per_minute as usize
    }
}

pub(super) fn router(simulator: Arc<Simulator>) -> Router {
    Router::new().route("/msp", post(msp)).with_state(simulator)
}

/// Answers a request with the time of the account's own clock, which need not be the machine's.
async fn msp(State(simulator): State<Arc<Simulator>>, headers: HeaderMap, body: Bytes) -> Response {
    let mut answer = take(&simulator, &headers, &body).await;
    let date = simulator.world().habits().date_header(simulator.clock.now());
    if let Ok(date) = date.parse() {
        answer.headers_mut().insert(header::DATE, date);
    }
    answer
}

async fn take(simulator: &Simulator, headers: &HeaderMap, body: &[u8]) -> Response {
    simulator.tick();
    simulator.count(|requests| requests.total += 1);
    if let Some(status) = simulator.turn_away(headers) {
        simulator.count(|requests| requests.turned_away += 1);
        return status.into_response();
    }
    if simulator.is_over_limit() {
        simulator.count(|requests| requests.throttled += 1);
        return ok(&Refusal::Client { code: "rate_limit_exceeded", attribute: None }.body(""));
    }
    let Ok(request) = serde_json::from_slice::<Request>(body) else { return StatusCode::BAD_REQUEST.into_response() };
    let engine = simulator.engine();
    match engine.prepare(request).and_then(|prepared| simulator.allow(prepared)) {
        Ok(prepared) => simulator.answer(&engine, &prepared).await,
        Err(refusal) => {
            simulator.count(|requests| requests.invalid += 1);
            let status = simulator.world().habits().bad_requests.then_some(StatusCode::BAD_REQUEST);
            (status.unwrap_or_default(), ok(&refusal)).into_response()
        }
    }
}

impl Simulator {
    fn turn_away(&self, headers: &HeaderMap) -> Option<StatusCode> {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        if text("CustomerSubDomain") != Some(&self.options.subdomain) {
            return Some(StatusCode::BAD_REQUEST);
        }
        let token = text(header::AUTHORIZATION.as_str()).and_then(|value| value.strip_prefix("Bearer "));
        (token != Some(&self.desk().token)).then_some(StatusCode::UNAUTHORIZED)
    }

    fn is_over_limit(&self) -> bool {
        let now = self.clock.now();
        self.desk().limit.exceeds(self.options.requests_per_minute, now)
    }

    /// Refuses introspection of the schema, if the account does.
    fn allow(&self, prepared: Prepared) -> Result<Prepared, JsonValue> {
        let asks = matches!(&*prepared.root, "__schema" | "__type");
        if asks && self.world().habits().no_introspection {
            return Err(no_introspection(&prepared.root));
        }
        Ok(prepared)
    }

    async fn answer(&self, engine: &Engine, prepared: &Prepared) -> Response {
        self.count(|requests| *requests.by_operation.entry(prepared.root.clone()).or_default() += 1);
        let fault = self.next_fault();
        if let Some(answer) = fault.as_ref().and_then(|fault| fault.answer(&prepared.root)) {
            return answer;
        }
        let body = self.execute(engine, prepared);
        match fault {
            Some(fault) => fault.spoil(&prepared.root, body).await,
            None => ok(&body),
        }
    }

    fn execute(&self, engine: &Engine, prepared: &Prepared) -> JsonValue {
        let (now, verdict) = (self.clock.now(), Verdict::default());
        if prepared.is_mutation {
            let commands = Commands { world: &self.world, now, verdict };
            let done = engine.execute(prepared, &commands);
            return done.unwrap_or_else(|_| commands.verdict.take().body(&prepared.root));
        }
        let world = self.world();
        let questions = Questions { world: &world, now, verdict };
        let answer = engine.execute(prepared, &questions);
        let mut body = answer.unwrap_or_else(|_| questions.verdict.take().body(&prepared.root));
        pierce(&world.habits().holes, &prepared.root, &mut body);
        body
    }

    /// Returns the fault that this request gets, if one is on order.
    fn next_fault(&self) -> Option<Fault> {
        let (mut desk, now) = (self.desk(), self.clock.now());
        while let Some((fault, extent)) = desk.faults.pop_front() {
            let (strikes, left) = extent.strike(now);
            if let Some(left) = left {
                desk.faults.push_front((fault.clone(), left));
            }
            if strikes {
                return Some(fault);
            }
        }
        None
    }

    fn count(&self, add: impl FnOnce(&mut Requests)) {
        add(&mut self.desk().requests);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asking_while_over_the_limit_keeps_the_minute_from_ending() {
        let start = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let mut limit = Limit::default();
        let mut ask = |second: i64| limit.exceeds(2, start + TimeDelta::seconds(second));
        assert_eq!([ask(0), ask(1), ask(2)], [false, false, true]);
        assert!(ask(59), "still within the minute");
        assert!(ask(61), "the refused ones at 2 and 59 have not aged out");
        assert!(!ask(121), "a minute of silence ends it");
    }
}
