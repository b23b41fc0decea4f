//! One look at a service: connect, ask, and judge the answer.
//!
//! Every kind of look goes through one dialler, which resolves a name, refuses addresses that must not be asked, and
//! connects to exactly the address that it judged. A look ends by its deadline whatever the other side does, and reads
//! no more of an answer than it needs. It makes one attempt, and keeps no state.

pub mod address;
pub mod certificate;
pub mod dial;
mod dns;
mod http;
mod icmp;
mod postgres;
mod smtp;
pub mod spec;
mod tcp;
#[cfg(test)]
mod tests;
pub mod tls;
mod websocket;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::uptime::{Condition, Millis};
use address::Refusal;
use dial::{Connector, Resolve, SystemResolver, Trace};
use spec::{Ask, Probe};

pub use certificate::Certificate;
pub use dial::{Phase, Phases};
pub use dns::{is_dns_name, is_record_type};
pub use icmp::is_allowed as may_ping;

/// The outcome of a look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    pub verdict: Condition,
    /// What was wrong, for those who fix it.
    pub detail: Option<String>,
    pub phases: Phases,
    /// The certificate that the server showed, if it showed one.
    pub certificate: Option<Certificate>,
    /// The address that was reached, before any redirect.
    pub went_to: Option<IpAddr>,
}

/// Why an answer is not as it should be, or why nothing was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub verdict: Condition,
    pub detail: String,
    /// Why the address was not asked, if that is the reason.
    pub refusal: Option<Refusal>,
}

impl Fault {
    fn of(verdict: Condition, detail: impl Into<String>) -> Self {
        Self { verdict, detail: detail.into(), refusal: None }
    }

    /// There is no answer, or none that can be used.
    pub fn down(detail: impl Into<String>) -> Self {
        Self::of(Condition::Down, detail)
    }

    /// We could not ask, so the state of the service is unknown.
    pub fn unasked(detail: impl Into<String>) -> Self {
        Self::of(Condition::Unknown, detail)
    }

    /// The rules forbid asking this address.
    pub fn refused(address: IpAddr, refusal: Refusal) -> Self {
        Self { refusal: Some(refusal), ..Self::unasked(format!("not asked: {address} is {refusal}")) }
    }

    /// There is an answer, but the wrong one.
    pub fn degraded(detail: impl Into<String>) -> Self {
        Self::of(Condition::Degraded, detail)
    }
}

/// The longest detail that is kept.
const LONGEST_DETAIL: usize = 300;

/// Looks at services.
#[derive(Clone)]
pub struct Prober {
    resolver: Arc<dyn Resolve>,
    trusts: Arc<tls::Trusts>,
}

impl Prober {
    /// Creates a prober that resolves names and trusts certificates as the system does.
    pub fn new() -> Result<Self, rustls::Error> {
        Ok(Self { resolver: Arc::new(SystemResolver), trusts: Arc::new(tls::Trusts::new()?) })
    }

    /// Resolves names with `resolver`.
    pub fn resolving_by(self, resolver: Arc<dyn Resolve>) -> Self {
        Self { resolver, ..self }
    }

    /// Looks once, at the wall time `now`. `turn` selects the address of a name to begin with.
    pub async fn look(&self, probe: &Probe, turn: usize, now: Millis) -> Look {
        let trace = Trace::begin();
        let trust = self.trusts.and(&probe.extra_roots);
        let dialler = Connector { resolver: &*self.resolver, rules: &probe.addresses, turn, trace: &trace, now };
        let answer = async {
            let trust = trust.map_err(|error| Fault::unasked(format!("the certificates of `ca_file`: {error}")))?;
            ask(&probe.ask, &dialler, &trust).await
        };
        let answer = tokio::time::timeout(probe.deadline, answer).await;
        let phases = trace.phases();
        let answer = answer.unwrap_or_else(|_| Err(late(&probe.ask, &trace, probe.deadline)));
        judge(answer, phases, &trace, probe.slow)
    }
}

async fn ask(ask: &Ask, dialler: &Connector<'_>, trust: &tls::Trust) -> Result<(), Fault> {
    match ask {
        Ask::Http(ask) => http::look(ask, dialler, trust).await,
        Ask::WebSocket(ask) => websocket::look(ask, dialler, trust).await,
        Ask::Tcp(ask) => tcp::look(ask, dialler, trust).await,
        Ask::Smtp(ask) => smtp::look(ask, dialler, trust).await,
        Ask::Dns(ask) => dns::look(ask, dialler).await,
        Ask::Postgres(ask) => postgres::look(ask, dialler, trust).await,
        Ask::Icmp(ask) => icmp::look(ask, dialler).await,
        Ask::Heartbeat(_) | Ask::Pushed(_) => Err(Fault::down("this check is only reported from outside")),
    }
}

fn late(ask: &Ask, trace: &Trace, deadline: Duration) -> Fault {
    let seconds = deadline.as_secs_f32();
    match (ask, trace.phase()) {
        // Most servers of line-based protocols keep the connection open for the next question, whatever they answered.
        (Ask::Tcp(_), Phase::Reading) => {
            Fault::degraded(format!("the expected text is not in what was received within {seconds} s"))
        }
        (_, phase) => Fault::down(format!("no answer within {seconds} s: still {}", phase.words())),
    }
}

fn judge(answer: Result<(), Fault>, phases: Phases, trace: &Trace, slow: Option<Duration>) -> Look {
    let certificate = trace.certificate();
    let slow = slow.filter(|slow| phases.whole > *slow);
    let fault = match (answer, slow) {
        (Err(fault), _) => Some(fault),
        (Ok(()), Some(slow)) => Some(Fault::degraded(format!(
            "answered after {} ms, and {} ms is slow",
            phases.whole.as_millis(),
            slow.as_millis()
        ))),
        (Ok(()), None) => None,
    };
    let verdict = fault.as_ref().map_or(Condition::Up, |fault| fault.verdict);
    let detail = fault.map(|fault| one_line(&fault.detail));
    Look { verdict, detail, phases, certificate, went_to: trace.went_to() }
}

/// Makes text from outside fit to be shown: one line, and not too long.
fn one_line(text: &str) -> String {
    text.chars().take(LONGEST_DETAIL).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// Returns the time since `begun`.
fn since(begun: Instant) -> Duration {
    begun.elapsed()
}
