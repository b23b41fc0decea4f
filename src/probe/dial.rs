//! The only way out: resolve, refuse, and connect to exactly the address that was judged.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::address::{AddressRules, Refusal};
use super::certificate::Certificate;
use super::{Fault, since};
use crate::uptime::Millis;

/// Finds the addresses of a name.
#[async_trait]
pub trait Resolve: Send + Sync {
    async fn addresses(&self, host: &str) -> io::Result<Vec<IpAddr>>;
}

/// Resolves names as this machine does.
#[derive(Clone, Copy, Debug)]
pub struct SystemResolver;

#[async_trait]
impl Resolve for SystemResolver {
    async fn addresses(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        Ok(tokio::net::lookup_host((host, 0)).await?.map(|address| address.ip()).collect())
    }
}

/// What a look is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    Resolving,
    Connecting,
    Securing,
    Waiting,
    Reading,
}

impl Phase {
    pub fn words(self) -> &'static str {
        match self {
            Self::Resolving => "resolving the name",
            Self::Connecting => "connecting",
            Self::Securing => "agreeing on TLS",
            Self::Waiting => "waiting for the answer",
            Self::Reading => "reading the answer",
        }
    }
}

/// How long each phase of a look took; zero for phases it did not reach.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Phases {
    pub resolve: Duration,
    pub connect: Duration,
    pub tls: Duration,
    /// From the question to the beginning of the answer.
    pub wait: Duration,
    pub whole: Duration,
}

/// What happened during a look, even one that never finished.
pub struct Trace {
    begun: Instant,
    inner: Mutex<Inner>,
}

struct Inner {
    phase: Phase,
    entered: Instant,
    phases: Phases,
    certificate: Option<Certificate>,
    /// The first address it connected to.
    went_to: Option<IpAddr>,
}

impl Trace {
    pub fn begin() -> Self {
        let begun = Instant::now();
        let (phase, phases) = (Phase::Resolving, Phases::default());
        let inner = Inner { phase, entered: begun, phases, certificate: None, went_to: None };
        Self { begun, inner: Mutex::new(inner) }
    }

    /// Starts `phase`.
    pub fn enter(&self, phase: Phase) {
        let mut inner = self.inner();
        inner.close();
        (inner.phase, inner.entered) = (phase, Instant::now());
    }

    pub fn phase(&self) -> Phase {
        self.inner().phase
    }

    pub fn show(&self, certificate: Certificate) {
        // Keep the first one: redirects lead elsewhere.
        self.inner().certificate.get_or_insert(certificate);
    }

    pub fn certificate(&self) -> Option<Certificate> {
        self.inner().certificate.clone()
    }

    fn go_to(&self, address: IpAddr) {
        self.inner().went_to.get_or_insert(address);
    }

    /// Returns the address it went to before any redirect.
    pub fn went_to(&self) -> Option<IpAddr> {
        self.inner().went_to
    }

    pub fn phases(&self) -> Phases {
        let mut inner = self.inner();
        inner.close();
        inner.entered = Instant::now();
        Phases { whole: since(self.begun), ..inner.phases }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Adds the time since the phase was entered to that phase.
    fn close(&mut self) {
        let spent = since(self.entered);
        let phases = &mut self.phases;
        match self.phase {
            Phase::Resolving => phases.resolve += spent,
            Phase::Connecting => phases.connect += spent,
            Phase::Securing => phases.tls += spent,
            Phase::Waiting => phases.wait += spent,
            Phase::Reading => {}
        }
    }
}

/// Connects, for one look.
pub struct Connector<'a> {
    pub resolver: &'a dyn Resolve,
    pub rules: &'a AddressRules,
    /// Selects one of several addresses.
    pub turn: usize,
    pub trace: &'a Trace,
    /// The wall time, for certificates.
    pub now: Millis,
}

impl Connector<'_> {
    /// Returns the address at which to ask `host` at `port`.
    pub async fn find(&self, host: &str, port: u16) -> Result<SocketAddr, Fault> {
        self.trace.enter(Phase::Resolving);
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let found = match bare.parse() {
            Ok(address) => vec![address],
            Err(_) => self.resolver.addresses(bare).await.map_err(|error| Fault::down(unresolved(&error)))?,
        };
        let judged: Vec<_> = found.into_iter().map(|address| (address, self.rules.judge(address, port))).collect();
        let allowed: Vec<_> =
            judged.iter().filter(|(_, verdict)| verdict.is_ok()).map(|(address, _)| *address).collect();
        match (allowed.get(self.turn % allowed.len().max(1)), judged.first()) {
            (Some(address), _) => {
                self.trace.go_to(*address);
                Ok(SocketAddr::new(*address, port))
            }
            (None, Some((address, Err(refusal)))) => Err(Fault::refused(*address, *refusal)),
            _ => Err(Fault::down("the name has no address")),
        }
    }

    /// Connects to `host`.
    pub async fn dial(&self, host: &str, port: u16) -> Result<TcpStream, Fault> {
        let address = self.find(host, port).await?;
        self.trace.enter(Phase::Connecting);
        let stream = TcpStream::connect(address).await.map_err(|error| Fault::down(unconnected(&error)))?;
        if stream.local_addr().is_ok_and(|own| self.rules.is_ourselves(own, address)) {
            return Err(Fault::refused(address.ip(), Refusal::Ourselves));
        }
        // A question is only a line or two: send it at once.
        let _ = stream.set_nodelay(true);
        Ok(stream)
    }
}

fn unresolved(error: &io::Error) -> String {
    format!("the name cannot be resolved: {error}")
}

fn unconnected(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "the connection was refused".to_owned(),
        _ => format!("cannot connect: {error}"),
    }
}
