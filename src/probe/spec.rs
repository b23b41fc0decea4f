//! What is asked of a service, and what counts as an answer.

use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use secrecy::SecretString;

use super::address::AddressRules;
use crate::uptime::Millis;

/// Looks under way at once at one host.
pub const AT_ONE_HOST: usize = 2;

/// One way of looking at a service.
#[derive(Clone, Debug)]
pub struct Probe {
    pub ask: Ask,
    /// What one look may take, all of it.
    pub deadline: Duration,
    /// An answer that takes longer is degraded.
    pub slow: Option<Duration>,
    /// Which addresses may be asked.
    pub addresses: Arc<AddressRules>,
    /// Certificate authorities that are trusted beside the system's.
    pub extra_roots: Arc<Vec<CertificateDer<'static>>>,
}

/// What is asked, by its kind.
#[derive(Clone, Debug)]
pub enum Ask {
    Http(HttpAsk),
    WebSocket(HttpAsk),
    Tcp(TcpAsk),
    Smtp(SmtpAsk),
    Dns(DnsAsk),
    Postgres(PostgresAsk),
    Icmp(IcmpAsk),
    /// The service calls us; we wait.
    Heartbeat(HeartbeatAsk),
    /// Somebody else looks, and tells us what was found.
    Pushed(PushedAsk),
}

impl Ask {
    /// The word for it on pages and in the API.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Http(ask) if ask.url.scheme() == "https" => "https",
            Self::Http(_) => "http",
            Self::WebSocket(_) => "websocket",
            Self::Tcp(ask) if ask.tls => "tls",
            Self::Tcp(_) => "tcp",
            Self::Smtp(_) => "smtp",
            Self::Dns(_) => "dns",
            Self::Postgres(_) => "postgres",
            Self::Icmp(_) => "icmp",
            Self::Heartbeat(_) => "heartbeat",
            Self::Pushed(_) => "pushed",
        }
    }

    /// Whether we look ourselves.
    pub fn is_active(&self) -> bool {
        !matches!(self, Self::Heartbeat(_) | Self::Pushed(_))
    }

    /// How much later than each interval something may be heard of it before it is called down; none: who stays silent is
    /// not known to be down, or it is we who look.
    pub fn silence(&self) -> Option<Millis> {
        match self {
            Self::Heartbeat(ask) => Some(ask.grace),
            Self::Pushed(ask) if ask.silent_is_down => Some(ask.grace),
            _ => None,
        }
    }

    /// What whoever tells us of it has to show.
    pub fn token(&self) -> Option<&SecretString> {
        match self {
            Self::Heartbeat(ask) => Some(&ask.token),
            Self::Pushed(ask) => Some(&ask.token),
            _ => None,
        }
    }

    /// The port that is asked; none: there is none to ask.
    pub fn port(&self) -> Option<u16> {
        match self {
            Self::Http(ask) | Self::WebSocket(ask) => ask.url.port_or_known_default(),
            Self::Tcp(ask) => Some(ask.port),
            Self::Smtp(ask) => Some(ask.port),
            Self::Dns(ask) => Some(ask.port),
            Self::Postgres(ask) => Some(ask.port),
            Self::Icmp(_) | Self::Heartbeat(_) | Self::Pushed(_) => None,
        }
    }

    /// The host that is asked, so that none is asked too much at once.
    pub fn host(&self) -> &str {
        match self {
            Self::Http(ask) | Self::WebSocket(ask) => ask.url.host_str().unwrap_or_default(),
            Self::Tcp(ask) => &ask.host,
            Self::Smtp(ask) => &ask.host,
            Self::Dns(ask) => &ask.server,
            Self::Postgres(ask) => &ask.host,
            Self::Icmp(ask) => &ask.host,
            Self::Heartbeat(_) | Self::Pushed(_) => "",
        }
    }
}

/// So many are followed, unless told otherwise.
pub const REDIRECTS: u32 = 5;

/// An HTTP request, and what is expected of its answer.
#[derive(Clone)]
pub struct HttpAsk {
    pub url: url::Url,
    pub method: http_method::Method,
    pub headers: Vec<(String, String)>,
    /// Sent to the first host only.
    pub secret_headers: Vec<(String, SecretString)>,
    pub body: Option<String>,
    /// The statuses that are right; empty: 200 to 299.
    pub statuses: Vec<RangeInclusive<u16>>,
    pub contains: Option<String>,
    pub json: Option<JsonCondition>,
    pub redirects: u32,
}

pub use axum::http as http_method;

impl HttpAsk {
    /// A plain GET, whose answer is right if its status is one of 200 to 299.
    pub fn get(url: url::Url) -> Self {
        Self {
            url,
            method: http_method::Method::GET,
            headers: Vec::new(),
            secret_headers: Vec::new(),
            body: None,
            statuses: Vec::new(),
            contains: None,
            json: None,
            redirects: REDIRECTS,
        }
    }
}

impl fmt::Debug for HttpAsk {
    /// Without headers and body, which may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpAsk").field("url", &self.url.as_str()).field("method", &self.method).finish_non_exhaustive()
    }
}

/// A place in a JSON document, and what must stand there.
#[derive(Clone, Debug)]
pub struct JsonCondition {
    /// As RFC 6901 writes it: `/checks/0/status`.
    pub pointer: String,
    /// None: anything.
    pub equals: Option<String>,
}

/// A connection, and perhaps a word each way.
#[derive(Clone, Debug)]
pub struct TcpAsk {
    pub host: String,
    pub port: u16,
    pub tls: bool,
    pub send: Option<String>,
    pub expect: Option<String>,
}

/// A mail server: its greeting, EHLO, and TLS.
#[derive(Clone, Debug)]
pub struct SmtpAsk {
    pub host: String,
    pub port: u16,
    pub tls: SmtpTls,
}

/// How a mail server is to be spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SmtpTls {
    /// From the first byte.
    Wrapped,
    /// It must offer STARTTLS.
    Start,
    /// STARTTLS if it is offered.
    IfOffered,
}

/// A question to a name server.
#[derive(Clone, Debug)]
pub struct DnsAsk {
    /// The name server, by name or address.
    pub server: String,
    pub port: u16,
    pub name: String,
    /// `A`, `AAAA`, `MX` and so on.
    pub record: String,
    /// A part of one of the records.
    pub expect: Option<String>,
}

/// A PostgreSQL server.
#[derive(Clone, Debug)]
pub struct PostgresAsk {
    pub host: String,
    pub port: u16,
    pub user: String,
    pub database: String,
    /// None: that it asks for one is answer enough.
    pub password: Option<SecretString>,
    /// Whether it must speak TLS.
    pub tls: bool,
}

/// A host that answers to an echo request.
#[derive(Clone, Debug)]
pub struct IcmpAsk {
    pub host: String,
}

/// A service that calls us.
#[derive(Clone, Debug)]
pub struct HeartbeatAsk {
    /// What the address it calls ends in.
    pub token: SecretString,
    /// How late it may be.
    pub grace: Millis,
}

/// Results that somebody else sends us.
#[derive(Clone, Debug)]
pub struct PushedAsk {
    /// What the sender has to show.
    pub token: SecretString,
    /// How late the next one may be.
    pub grace: Millis,
    /// Whether it is down if nothing is heard; else nobody knows.
    pub silent_is_down: bool,
}
