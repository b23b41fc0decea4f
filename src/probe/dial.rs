//! The only way out: resolve, refuse, and connect to exactly the address that was judged.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use super::address::{AddressRules, Refusal};
use super::certificate::Certificate;
use super::{Fault, since};
use crate::uptime::Millis;

/// How long an address may be silent before the next one is tried as well (as in RFC 8305).
const HEAD_START: Duration = Duration::from_millis(300);
/// The most addresses that one look tries, each of which may hold a connection open.
const MOST_TRIED: usize = 8;

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
    /// The first address it connected to, or sent a datagram to.
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
    /// Selects the address to begin with, if there are several.
    pub turn: usize,
    pub trace: &'a Trace,
    /// The wall time, for certificates.
    pub now: Millis,
}

impl Connector<'_> {
    /// Returns the address at which to ask `host` at `port`.
    pub async fn find(&self, host: &str, port: u16) -> Result<SocketAddr, Fault> {
        let allowed = self.allowed(host, port).await?;
        let address = *allowed.first().ok_or_else(no_address)?;
        self.trace.go_to(address.ip());
        Ok(address)
    }

    /// Returns the addresses at which `host` may be asked at `port`, beginning with the one whose turn it is.
    async fn allowed(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, Fault> {
        self.trace.enter(Phase::Resolving);
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let found = match bare.parse() {
            Ok(address) => vec![address],
            Err(_) => self.resolver.addresses(bare).await.map_err(|error| Fault::down(unresolved(&error)))?,
        };
        let (mut allowed, mut refused) = (Vec::new(), None);
        for address in found {
            match self.rules.judge(address, port) {
                Ok(()) => allowed.push(SocketAddr::new(address, port)),
                Err(refusal) => refused = refused.or(Some(Fault::refused(address, refusal))),
            }
        }
        if allowed.is_empty() {
            return Err(refused.unwrap_or_else(no_address));
        }
        let first = self.turn % allowed.len();
        allowed.rotate_left(first);
        Ok(allowed)
    }

    /// Connects to `host`, at whichever of its addresses answers.
    pub async fn dial(&self, host: &str, port: u16) -> Result<TcpStream, Fault> {
        let allowed = self.allowed(host, port).await?;
        self.trace.enter(Phase::Connecting);
        let (address, stream) = first_to_answer(&allowed).await.map_err(|error| Fault::down(unconnected(&error)))?;
        self.trace.go_to(address.ip());
        if stream.local_addr().is_ok_and(|own| self.rules.is_ourselves(own, address)) {
            return Err(Fault::refused(address.ip(), Refusal::Ourselves));
        }
        // A question is only a line or two: send it at once.
        let _ = stream.set_nodelay(true);
        Ok(stream)
    }
}

/// Connects to the first of `addresses` that answers. As in browsers, the next one is tried when one fails or is silent
/// for a while: what can be reached at any of its addresses is there.
async fn first_to_answer(addresses: &[SocketAddr]) -> io::Result<(SocketAddr, TcpStream)> {
    let mut tried = FuturesUnordered::new();
    let mut failed = None;
    for address in addresses.iter().take(MOST_TRIED) {
        tried.push(connected(*address));
        match timeout(HEAD_START, tried.next()).await {
            Ok(Some(Ok(found))) => return Ok(found),
            Ok(Some(Err(error))) => failed = failed.or(Some(error)),
            Ok(None) | Err(_) => {}
        }
    }
    while let Some(answer) = tried.next().await {
        match answer {
            Ok(found) => return Ok(found),
            Err(error) => failed = failed.or(Some(error)),
        }
    }
    Err(failed.unwrap_or_else(|| io::ErrorKind::AddrNotAvailable.into()))
}

async fn connected(address: SocketAddr) -> io::Result<(SocketAddr, TcpStream)> {
    Ok((address, TcpStream::connect(address).await?))
}

fn no_address() -> Fault {
    Fault::down("the name has no address")
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
