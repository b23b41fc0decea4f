//! What services report about themselves, and what others have seen of them.

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::ExposeSecret;
use serde::Deserialize;
use subtle::ConstantTimeEq;
use utoipa::ToSchema;

use super::super::{Complaint, Service, ServiceError};
use crate::config::uptime::Check;
use crate::monitor::board::{TOLD_AHEAD, Told};
use crate::probe::spec::Ask;
use crate::store::millis;
use crate::store::pushed::Pushed;
use crate::uptime::{Condition, Millis, Outcome, SAYS_IT_FAILED};

/// How old a result may be: an older one says nothing about now.
const LATEST: TimeDelta = TimeDelta::minutes(10);
/// How far another clock may be ahead of ours.
pub(super) const AHEAD: TimeDelta = TimeDelta::milliseconds(TOLD_AHEAD);
/// The longest time to an answer, in milliseconds.
const LONGEST_ANSWER: f64 = 3_600_000.0;
/// The most characters of a text that are kept.
const LONGEST_TEXT: usize = 300;

/// What somebody else has seen of a service.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PushedResult {
    /// up | degraded | down
    pub status: String,
    /// How long its answer took.
    pub latency_ms: Option<f64>,
    /// What was wrong, for those who mend it. Never shown in public.
    pub text: Option<String>,
    /// When the look began: up to ten minutes ago; now by default.
    pub at: Option<DateTime<Utc>>,
}

impl Service {
    /// The check that a heartbeat with `token` is about.
    pub fn heartbeat_check(&self, token: &str) -> Option<String> {
        self.told_check(token, |ask| matches!(ask, Ask::Heartbeat(_))).map(|check| check.id.clone())
    }

    /// The check whose results are sent with `token`.
    pub fn pushed_check(&self, token: &str) -> Option<String> {
        self.told_check(token, |ask| matches!(ask, Ask::Pushed(_))).map(|check| check.id.clone())
    }

    fn told_check(&self, token: &str, is_meant: impl Fn(&Ask) -> bool) -> Option<&Check> {
        let is_it = |check: &&Check| {
            let expected = check.probe.ask.token().filter(|_| is_meant(&check.probe.ask));
            let expected = expected.map(|token| token.expose_secret().as_bytes()).unwrap_or_default();
            !expected.is_empty() && bool::from(expected.ct_eq(token.as_bytes()))
        };
        self.config.uptime.checks.iter().find(is_it)
    }

    /// Records that `check` has called, and how; false if not even the store took it.
    pub async fn heartbeat(&self, check: String, failed: bool) -> bool {
        let now = millis(self.leaders_now());
        let outcome = if failed { Outcome::bad(now, Condition::Down, SAYS_IT_FAILED) } else { Outcome::up(now) };
        self.take_told(vec![(Pushed { check, outcome, micros: 0 }, None)]).await
    }

    /// Records what somebody else has seen of `check`; false if not even the store took it.
    pub async fn pushed(&self, check: String, result: PushedResult) -> Result<bool, ServiceError> {
        let now = self.leaders_now();
        let at = result.at.unwrap_or(now);
        if !(now - LATEST..=now + AHEAD).contains(&at) {
            let rule = "must be in the last ten minutes: older results say nothing about now";
            return Err(ServiceError::BadQuestion(Complaint::of("at", rule)));
        }
        let told = Condition::parse(&result.status).filter(|told| *told != Condition::Unknown);
        let told = told.ok_or_else(|| {
            let status = result.status.chars().take(20).collect::<String>();
            ServiceError::BadQuestion(Complaint::of(
                "status",
                format!("is `{status}`, and must be up, degraded or down"),
            ))
        })?;
        let latency = result.latency_ms.unwrap_or_default();
        if !(0.0..=LONGEST_ANSWER).contains(&latency) {
            return Err(ServiceError::BadQuestion(Complaint::of("latency_ms", "must be from 0 to 3600000")));
        }
        let outcome = self.outcome(&check, told, latency, result.text.as_deref(), millis(at.min(now)));
        let told = Pushed { check, outcome, micros: (latency * 1000.0) as Millis };
        Ok(self.take_told(vec![(told, None)]).await)
    }

    /// The sender's verdict, unless the answer took longer than it may.
    fn outcome(&self, check: &str, told: Condition, latency: f64, text: Option<&str>, at: Millis) -> Outcome {
        let text = text.map(one_line).filter(|text| !text.is_empty() && told != Condition::Up);
        let slow = self.config.uptime.check(check).and_then(|check| check.probe.slow);
        let slow = slow.map(|slow| slow.as_secs_f64() * 1000.0).filter(|slow| latency > *slow);
        match (told, slow) {
            (Condition::Up, Some(slow)) => {
                let detail = format!("answered after {latency:.0} ms, and {slow:.0} ms is slow");
                Outcome::bad(at, Condition::Degraded, detail)
            }
            _ => Outcome { at, verdict: told, detail: text },
        }
    }

    /// Hands `told` to the loop that looks. Where it does not run, as on a follower, it is stored for the leader.
    pub(super) async fn take_told(&self, told: Vec<Told>) -> bool {
        if let Some(monitor_state) = &self.monitor_state
            && monitor_state.report(told.clone()).await
        {
            return true;
        }
        let of = |id: &str| self.config.uptime.component(&self.config.uptime.check(id)?.component);
        let with_tenant = |(told, _): Told| Some((of(&told.check)?.tenant.clone(), told));
        let told: Option<Vec<_>> = told.into_iter().map(with_tenant).collect();
        match told {
            Some(told) => self.store.keep_pushed(told).await.unwrap_or(false),
            None => false,
        }
    }
}

/// Makes text from outside fit to be shown: one line, and not too long.
pub(super) fn one_line(text: &str) -> String {
    let plain = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    plain.take(LONGEST_TEXT).collect::<String>().trim().to_owned()
}
