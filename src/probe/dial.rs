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
/// The most addresses of which one look awaits an answer at once, each of which may hold a connection open.
const MOST_AWAITED: usize = 8;

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

    /// Returns the addresses at which `host` may be asked at `port`, in the order in which to try them: beginning with
    /// the one whose turn it is, IPv6 and IPv4 by turns.
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
        Ok(by_turns(&allowed))
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

/// Returns `addresses` with those of IPv6 and those of IPv4 by turns, beginning with the kind of the first one (RFC 8305,
/// section 4): where one kind cannot be reached at all, the other need not wait for all of them.
fn by_turns(addresses: &[SocketAddr]) -> Vec<SocketAddr> {
    let begins = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (one, other): (Vec<SocketAddr>, Vec<_>) =
        addresses.iter().copied().partition(|address| address.is_ipv6() == begins);
    let pairs = (0..one.len().max(other.len())).flat_map(|place| [one.get(place), other.get(place)]);
    pairs.flatten().copied().collect()
}

/// Connects to the first of `addresses` that answers. As in browsers, the next one is tried when one fails or is silent
/// for a while: what can be reached at any of its addresses is there.
async fn first_to_answer(addresses: &[SocketAddr]) -> io::Result<(SocketAddr, TcpStream)> {
    let mut untried = addresses.iter();
    let mut tried = FuturesUnordered::new();
    let mut failed = None;
    loop {
        let next = if tried.len() < MOST_AWAITED { untried.next() } else { None };
        let answer = match next {
            Some(address) => {
                tried.push(connected(*address));
                timeout(HEAD_START, tried.next()).await
            }
            None => Ok(tried.next().await),
        };
        match answer {
            Ok(Some(Ok(found))) => return Ok(found),
            Ok(Some(Err(error))) => failed = failed.or(Some(error)),
            Ok(None) => return Err(failed.unwrap_or_else(|| io::ErrorKind::AddrNotAvailable.into())),
            // It is silent so far.
            Err(_) => {}
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    struct Known(Vec<IpAddr>);

    #[async_trait]
    impl Resolve for Known {
        async fn addresses(&self, _: &str) -> io::Result<Vec<IpAddr>> {
            Ok(self.0.clone())
        }
    }

    /// Returns the addresses in `known` in the order in which a look tries them.
    async fn tried(known: &str, turn: usize) -> String {
        let resolver = Known(known.split(' ').map(|address| address.parse().unwrap()).collect());
        let rules = AddressRules { allowed: Vec::new(), own_port: None };
        let trace = Trace::begin();
        let connector = Connector { resolver: &resolver, rules: &rules, turn, trace: &trace, now: 0 };
        let allowed = connector.allowed("shop.example", 443).await.unwrap();
        allowed.iter().map(|address| address.ip().to_string()).collect::<Vec<_>>().join(" ")
    }

    #[tokio::test]
    async fn both_kinds_of_addresses_are_tried_by_turns_beginning_with_the_one_whose_turn_it_is() {
        let known = "2606:4700::1 2606:4700::2 2606:4700::3 2606:4700::4 1.1.1.1 1.1.1.2";
        assert_eq!(tried(known, 0).await, "2606:4700::1 1.1.1.1 2606:4700::2 1.1.1.2 2606:4700::3 2606:4700::4");
        assert_eq!(tried(known, 3).await, "2606:4700::4 1.1.1.1 2606:4700::1 1.1.1.2 2606:4700::2 2606:4700::3");
        assert_eq!(tried(known, 5).await, "1.1.1.2 2606:4700::1 1.1.1.1 2606:4700::2 2606:4700::3 2606:4700::4");
        assert_eq!(tried("1.1.1.1 1.1.1.2 1.1.1.3", 1).await, "1.1.1.2 1.1.1.3 1.1.1.1");
    }
}
