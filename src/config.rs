//! What the configuration file may say, turned into what the program may rely on.
//!
//! The file is read once, at the edge. Every complaint says where, which rule
//! and why; all of them come out at once, so that a user mends the file in one
//! go. Secrets are named in the file and read from the environment or a file.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use chrono::{NaiveDate, TimeDelta};
use secrecy::SecretString;

pub use crate::alert::escalation::{ChannelKind, Step, Target};
use crate::sla::calendar::CalendarSpec;
use crate::sla::policy::Policy;
use crate::ticket::{StatusWords, TenantId};

/// Everything the program was told.
#[derive(Debug)]
pub struct Config {
    pub server: Server,
    pub store: Store,
    pub tenants: BTreeMap<TenantId, Tenant>,
    pub calendars: BTreeMap<String, CalendarSpec>,
    /// The name that SuperOps gives a holiday list -> its dates.
    pub holiday_lists: BTreeMap<String, Vec<NaiveDate>>,
    /// First match wins.
    pub policies: Vec<Policy>,
    pub alerts: Alerts,
    pub notify: Notify,
}

#[derive(Debug)]
pub struct Server {
    pub listen: SocketAddr,
    /// Where people reach our page, without a trailing slash; none: no links to it in messages.
    pub public_url: Option<String>,
    pub log_format: LogFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    Text,
    Json,
}

#[derive(Debug)]
pub struct Store {
    /// The SQLite file.
    pub path: PathBuf,
}

/// One SuperOps account.
#[derive(Debug)]
pub struct Tenant {
    pub id: TenantId,
    pub subdomain: String,
    /// The GraphQL address, of a region or as configured.
    pub endpoint: String,
    pub token: TokenSource,
    pub requests_per_minute: u32,
    pub poll_interval: TimeDelta,
    pub hours: Hours,
    /// The MSP's own hours, by name; none: always open.
    pub calendar: Option<String>,
    pub statuses: StatusWords,
    /// The shared secret of `POST /hooks/superops/{tenant}`; none: the hook is off.
    pub hook_secret: Option<SecretString>,
    /// Where a technician opens a ticket, with `{id}` for the ticket's id.
    pub ticket_url: String,
}

/// Where a secret comes from. A file is read again after a 401, so that a
/// token can be rotated without a restart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenSource {
    Env(String),
    File(PathBuf),
}

/// Whose hours an SLA counts, like SuperOps' own switch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hours {
    Msp,
    Site,
}

/// When to speak up, and to whom.
#[derive(Clone, Debug)]
pub struct Alerts {
    /// Shares of the working time elapsed, each over 0 and under 1, rising.
    pub warn_at: Vec<f64>,
    /// Working time left.
    pub warn_left: Vec<TimeDelta>,
    /// Probability of breach that raises a predicted alert.
    pub predict_at: f64,
    /// Who hears of an alert, and when; the default is SuperOps' own people.
    pub steps: Vec<Step>,
}

#[derive(Debug, Default)]
pub struct Notify {
    pub email: Option<Email>,
    pub sms: Option<Sms>,
}

#[derive(Debug)]
pub struct Email {
    pub host: String,
    pub port: u16,
    pub tls: SmtpTls,
    pub user: Option<String>,
    pub password: Option<SecretString>,
    /// `Name <address>` or an address; checked.
    pub from: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SmtpTls {
    /// TLS from the first byte (`smtps://`).
    Wrapped,
    /// STARTTLS or nothing is sent.
    Required,
    /// Only to a loopback host.
    None,
}

#[derive(Debug)]
pub struct Sms {
    pub account_sid: String,
    /// The user of HTTP basic auth: the account, or an API key.
    pub api_key_sid: Option<String>,
    pub secret: SecretString,
    pub sender: SmsSender,
    /// Without a trailing slash.
    pub base_url: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SmsSender {
    From(String),
    MessagingService(String),
}
