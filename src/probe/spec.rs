//! What is asked of a service, and what counts as an answer.

use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use secrecy::SecretString;

use super::address::AddressRules;
use crate::uptime::Millis;

/// How many looks may run at one host at a time.
pub const AT_ONE_HOST: usize = 2;

/// One way of looking at a service.
#[derive(Clone, Debug)]
pub struct Probe {
    pub ask: Ask,
    /// How long one whole look may take.
    pub deadline: Duration,
    /// If an answer takes longer than this, the service is degraded.
    pub slow: Option<Duration>,
    /// Which addresses may be asked.
    pub addresses: Arc<AddressRules>,
    /// Certificate authorities that are trusted in addition to the system's.
    pub extra_roots: Arc<Vec<CertificateDer<'static>>>,
}

/// What is asked, by kind.
#[derive(Clone, Debug)]
pub enum Ask {
    Http(HttpAsk),
    WebSocket(HttpAsk),
    Tcp(TcpAsk),
    Smtp(SmtpAsk),
    Dns(DnsAsk),
    Postgres(PostgresAsk),
    Icmp(IcmpAsk),
    /// The service calls us; we only wait.
    Heartbeat(HeartbeatAsk),
    /// Somebody else looks and reports the results to us.
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

    /// Returns how late, after each interval, a report may be before the service is called down. `None` if silence does
    /// not mean down, or if we look ourselves.
    pub fn silence(&self) -> Option<Millis> {
        match self {
            Self::Heartbeat(ask) => Some(ask.grace),
            Self::Pushed(ask) if ask.silent_is_down => Some(ask.grace),
            _ => None,
        }
    }

    /// Returns the token that whoever reports to us must present.
    pub fn token(&self) -> Option<&SecretString> {
        match self {
            Self::Heartbeat(ask) => Some(&ask.token),
            Self::Pushed(ask) => Some(&ask.token),
            _ => None,
        }
    }

    /// Returns the port that is asked. `None` if there is none.
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

    /// Returns the host that is asked; it is used to limit the looks at one host.
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

/// How many redirects are followed by default.
pub const REDIRECTS: u32 = 5;

/// An HTTP request, and what is expected of its answer.
#[derive(Clone)]
pub struct HttpAsk {
    pub url: url::Url,
    pub method: http_method::Method,
    pub headers: Vec<(String, String)>,
    /// Sent to the first host only, while the others are sent wherever it redirects.
    pub secret_headers: Vec<(String, SecretString)>,
    pub body: Option<String>,
    /// The right statuses; if empty, 200 to 299.
    pub statuses: Vec<RangeInclusive<u16>>,
    pub contains: Option<String>,
    pub json: Option<JsonCondition>,
    pub redirects: u32,
}

pub use axum::http as http_method;

impl HttpAsk {
    /// Returns a plain GET, for which any status from 200 to 299 is right.
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
    /// Omits headers and body, which may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpAsk").field("url", &self.url.as_str()).field("method", &self.method).finish_non_exhaustive()
    }
}

/// A place in a JSON document, and the value expected there.
#[derive(Clone, Debug)]
pub struct JsonCondition {
    /// A pointer as in RFC 6901: `/checks/0/status`.
    pub pointer: String,
    /// None if any value will do.
    pub equals: Option<String>,
}

/// A connection, and optionally text to send and text to expect.
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

/// How TLS is used with a mail server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SmtpTls {
    /// TLS from the first byte.
    Wrapped,
    /// The server must offer STARTTLS.
    Start,
    /// STARTTLS is used if it is offered.
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
    /// Text that one of the records must contain.
    pub expect: Option<String>,
}

/// A PostgreSQL server.
#[derive(Clone, Debug)]
pub struct PostgresAsk {
    pub host: String,
    pub port: u16,
    pub user: String,
    pub database: String,
    /// If none, it is enough that the server asks for one.
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
    /// The end of the address that it calls.
    pub token: SecretString,
    /// How late it may be.
    pub grace: Millis,
}

/// Results that somebody else sends us.
#[derive(Clone, Debug)]
pub struct PushedAsk {
    /// The token that the sender must present.
    pub token: SecretString,
    /// How late the next one may be.
    pub grace: Millis,
    /// Whether silence means that it is down; otherwise it means unknown.
    pub silent_is_down: bool,
}
