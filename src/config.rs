//! Turns what the configuration file says into settings that the program can rely on.
//!
//! The file is read once, at the edge. Every complaint names the place, the rule and the reason; all of them are
//! reported at once, so that a user can fix the file in one go. Secrets are named in the file and read from the
//! environment or from a file of their own.

pub mod complaint;
pub mod duration;
pub mod environment;
pub mod explain;
pub mod names;
pub mod remarks;

pub mod checks;
mod explain_alerts;
mod explain_noise;
mod explain_on_call;
mod explain_page;
mod explain_reports;
mod explain_retention;
mod explain_sign_in;
mod explain_uptime;
mod explain_watch;
mod explain_write_back;
pub mod holiday_file;
pub mod raw_personal_rules;
mod read;
mod read_alerts;
mod read_calendar;
mod read_checks;
mod read_credits;
mod read_escalations;
mod read_noise;
mod read_notify;
mod read_objectives;
pub mod read_on_call;
mod read_people;
mod read_policies;
mod read_reports;
mod read_retention;
mod read_server;
mod read_sign_in;
mod read_tenant;
mod read_uptime;
mod read_watch;
mod read_write_back;
mod reader;
mod secret;
#[cfg(test)]
mod tests;
pub mod uptime;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{NaiveDate, TimeDelta};
use secrecy::SecretString;

pub use crate::alert::escalation::{ChannelKind, Step, Target, default_steps};
pub use crate::alert::policy::{Escalation, Which};
pub use crate::alert::write_back::{TicketChange, WriteBack};
pub use crate::notify::settings::{
    Email, Notify, Ntfy, PagerDuty, Slack, SlackWay, Sms, SmsSender, SmtpTls, Teams, Twilio, Voice, Webhook,
};

use crate::alert::on_call::{Person, Rotation};
use crate::alert::prediction::Rule;
use crate::alert::{Stage, Subject, noise};
use crate::formats::Format;
use crate::keys::ring::KeyRing;
pub use crate::probe::address::Network;
use crate::report::People;
use crate::report::credit::{CreditTerms, PolicyTerms};
use crate::report::make::By;
use crate::report::rate::Goal;
use crate::report::schedule::Rhythm;
pub use crate::sign_in::settings::Oidc;
use crate::sla::calendar::CalendarSpec;
use crate::sla::policy::Policy;
use crate::ticket::{StatusWords, TenantId};

pub use complaint::{Complaint, Complaints};
pub use environment::{Environment, GivenEnvironment, ProcessEnvironment};
pub use read_checks::sent_check;
pub(crate) use reader::nearest;
pub use secret::SecretError;

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
    /// Where each policy stands: `config.toml:88`.
    pub policy_places: Vec<String>,
    pub alerts: Alerts,
    /// Who is on call, by the name of the rotation.
    pub on_call: BTreeMap<String, Rotation>,
    /// First match wins; the last one, `default`, is made from `alerts` and matches everything.
    pub escalations: Vec<Escalation>,
    pub notify: Notify,
    /// How people sign in; none: with tokens only.
    pub sign_in: Option<Oidc>,
    pub watch: Watch,
    pub retention: Retention,
    pub reports: Reports,
    /// The services that are watched beside tickets.
    pub uptime: uptime::Uptime,
    pub notes: Notes,
}

/// Problems with single settings that do not keep a service from starting: sentences, each with its place in the file.
#[derive(Debug, Default)]
pub struct Notes {
    /// What can never work.
    pub futile: Vec<String>,
    /// What may not be intended.
    pub remarks: Vec<String>,
}

/// The sender's own settings for reports.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reports {
    /// A picture at the head of HTML and PDF.
    pub logo: Option<PathBuf>,
    /// Fonts for letters that the embedded one does not have, asked before the system's.
    pub fonts: Vec<PathBuf>,
    /// How far reports tell persons apart.
    pub people: People,
    /// What share of the clocks should be kept.
    pub goals: Goals,
    /// What policies give back when promises are missed.
    pub credits: Vec<PolicyCredits>,
    /// The reports that are sent automatically.
    pub schedules: Vec<ReportSchedule>,
}

/// What a policy gives back: its tenant (none: all of them), its name in the books, and the terms.
pub type PolicyCredits = (Option<TenantId>, String, CreditTerms);

impl Reports {
    /// Returns what the policies of `tenant` give back, by their names in the books.
    pub fn credits_of(&self, tenant: &TenantId) -> PolicyTerms {
        let own = self.credits.iter().filter(|(only, ..)| only.as_ref().is_none_or(|only| only == tenant));
        own.map(|(_, words, terms)| (words.clone(), terms.clone())).collect()
    }
}

/// What share of the clocks should be kept, unless a report is requested with a goal of its own.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Goals {
    /// None: the usual one.
    pub all: Option<Goal>,
    /// Goals of single tenants, instead of `all`.
    pub tenants: BTreeMap<TenantId, Goal>,
    /// Goals of single policies, each with its tenant (none: all of them) and the policy's name in the books.
    pub policies: Vec<(Option<TenantId>, String, Goal)>,
}

impl Goals {
    /// Returns the goal of `tenant`.
    pub fn of(&self, tenant: &TenantId) -> Goal {
        self.tenants.get(tenant).copied().or(self.all).unwrap_or_default()
    }

    /// Returns the goals of those policies of `tenant` that have their own, by their names in the books.
    pub fn of_policies(&self, tenant: &TenantId) -> BTreeMap<String, Goal> {
        let own = self.policies.iter().filter(|(only, ..)| only.as_ref().is_none_or(|only| only == tenant));
        own.map(|(_, words, goal)| (words.clone(), *goal)).collect()
    }
}

/// A report that is sent by mail, period after period.
#[derive(Clone, Debug, PartialEq)]
pub struct ReportSchedule {
    /// Unique within its tenant: it identifies which periods were sent.
    pub name: String,
    pub tenant: TenantId,
    pub rhythm: Rhythm,
    /// Only this client's tickets, by name or id.
    pub client: Option<String>,
    pub by: By,
    pub formats: Vec<Format>,
    /// Addresses.
    pub to: Vec<String>,
    /// Pseudonyms instead of names.
    pub anonymize: bool,
    /// In percent; none: the usual.
    pub target: Option<f64>,
}

impl Config {
    /// Reads the file at `path` for a service: tokens and channels must be there.
    pub fn load(path: &Path, env: &dyn Environment) -> Result<Self, Complaints> {
        Self::parse(path, &content(path, env)?, env)
    }

    /// Reads the file at `path` for a command that talks to nobody.
    pub fn load_offline(path: &Path, env: &dyn Environment) -> Result<Self, Complaints> {
        Self::parse_offline(path, &content(path, env)?, env)
    }

    /// Checks `text`, the content of the file at `path`, for a service.
    pub fn parse(path: &Path, text: &str, env: &dyn Environment) -> Result<Self, Complaints> {
        read::config(path, text, env, reader::Purpose::Service)
    }

    /// Checks `text` for a command that talks to nobody: no secret is read and none is missed.
    ///
    /// Every channel that needs a secret is then none, since it is of no use without one.
    pub fn parse_offline(path: &Path, text: &str, env: &dyn Environment) -> Result<Self, Complaints> {
        read::config(path, text, env, reader::Purpose::Offline)
    }

    /// The escalation that an alert of `stage` about `subject` follows.
    pub fn escalation_for(&self, subject: Subject<'_>, stage: Stage) -> &Escalation {
        let meant = |escalation: &&Escalation| escalation.which.matches(subject, stage);
        self.escalations.iter().find(meant).expect("the default escalation matches all")
    }

    /// Whether a step, a rotation or the watch names the phone with this number.
    pub fn names_phone(&self, number: &str) -> bool {
        let steps = self.escalations.iter().flat_map(|escalation| &escalation.steps).flat_map(|step| &step.notify);
        let is_it = |target: &Target| matches!(target, Target::Sms(known) | Target::Call(known) if known == number);
        let layers = self.on_call.values().flat_map(|rotation| &rotation.layers);
        let mut on_call = layers.flat_map(|layer| &layer.people);
        steps.chain(self.watch.notify.iter().flatten()).any(is_it)
            || on_call.any(|person| matches!(person, Person::Sms(known) if known == number))
    }

    /// Returns the escalation called `name`, if there still is one.
    pub fn escalation(&self, name: &str) -> Option<&Escalation> {
        self.escalations.iter().find(|escalation| escalation.name == name)
    }

    /// How old the data of `tenant` may be before people are told.
    pub fn stale_after(&self, tenant: &Tenant) -> TimeDelta {
        self.watch.stale_after.unwrap_or_else(|| (tenant.poll_interval * STALE_POLLS).max(STALE_AT_LEAST))
    }

    /// Returns who is told of stale data: as configured, else every system, and the addresses of the last step.
    pub fn watchers(&self) -> Vec<Target> {
        if let Some(named) = &self.watch.notify {
            return named.clone();
        }
        let kinds = self.notify.kinds();
        let last = self.alerts.steps.last().map(|step| step.notify.as_slice()).unwrap_or_default();
        // A phone rings for stale data only if it is named for that.
        let is_fixed = |target: &&Target| {
            target.system().is_none()
                && target.channel().is_some_and(|kind| kind != ChannelKind::Voice && kinds.contains(&kind))
        };
        let fixed = last.iter().filter(is_fixed);
        kinds.iter().filter_map(|kind| Target::of_system(*kind)).chain(fixed.cloned()).collect()
    }

    /// Returns the channel that tells people in SuperOps of stale data; none if others are told, or nobody can be.
    pub fn tells_people_of_stale_data(&self) -> Option<ChannelKind> {
        let by_default = self.watch.notify.is_none() && self.watchers().is_empty();
        let persons = [ChannelKind::Email, ChannelKind::Sms].into_iter();
        persons.filter(|_| by_default).find(|kind| self.notify.kinds().contains(kind))
    }

    /// Returns the policies that apply to `tenant`, in order, each with its place in the file.
    pub fn policies_of(&self, tenant: &TenantId) -> impl Iterator<Item = (&str, &Policy)> {
        let all = self.policy_places.iter().map(String::as_str).zip(&self.policies);
        all.filter(move |(_, policy)| policy.tenant.as_ref().is_none_or(|only| only == tenant))
    }
}

fn content(path: &Path, env: &dyn Environment) -> Result<String, Complaints> {
    env.read_file(path).map_err(|error| Complaints::unreadable(path, &error))
}

/// By default, data is stale when it was not read for this many polls and for at least this long.
const STALE_POLLS: i32 = 10;
const STALE_AT_LEAST: TimeDelta = TimeDelta::minutes(10);

/// Who is told that the data is stale, and what is told that the watch is alive.
#[derive(Debug, Default)]
pub struct Watch {
    /// None: ten polls, at least 10 minutes.
    pub stale_after: Option<TimeDelta>,
    /// None: every system that is set up, and the addresses of the last step.
    pub notify: Option<Vec<Target>>,
    /// Requested each minute while all is well. It is a secret, since anybody who knows it can fake that.
    pub heartbeat_url: Option<SecretString>,
}

/// The kinds of past data that are kept for a limited time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Past {
    /// The messages that were sent, with their text.
    Messages,
    /// How each attempt to send something went.
    Attempts,
    /// What the SMS provider reported.
    Receipts,
    /// What happened to closed tickets, what was forecast for them, and what was written on them.
    Events,
    /// Who changed what; silences, maintenance windows and stand-ins that have ended; wishes of people who are gone.
    Audit,
    /// Reports as they went out.
    Reports,
}

impl Past {
    pub const ALL: [Self; 6] =
        [Self::Messages, Self::Attempts, Self::Receipts, Self::Events, Self::Audit, Self::Reports];

    /// The name used in the configuration and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Messages => "messages",
            Self::Attempts => "attempts",
            Self::Receipts => "receipts",
            Self::Events => "events",
            Self::Audit => "audit",
            Self::Reports => "reports",
        }
    }
}

/// How long each kind of past data is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    pub messages: TimeDelta,
    pub attempts: TimeDelta,
    pub receipts: TimeDelta,
    pub events: TimeDelta,
    pub audit: TimeDelta,
    pub reports: TimeDelta,
}

impl Default for Retention {
    fn default() -> Self {
        let (year, three) = (TimeDelta::days(400), TimeDelta::days(3 * 365));
        Self { messages: year, attempts: year, receipts: year, events: year, audit: three, reports: three }
    }
}

impl Retention {
    /// Returns how long `past` is kept.
    pub fn of(&self, past: Past) -> TimeDelta {
        match past {
            Past::Messages => self.messages,
            Past::Attempts => self.attempts,
            Past::Receipts => self.receipts,
            Past::Events => self.events,
            Past::Audit => self.audit,
            Past::Reports => self.reports,
        }
    }
}

#[derive(Debug)]
pub struct Server {
    pub listen: SocketAddr,
    /// Where people reach our page, without a trailing slash; none: no links to it in messages.
    pub public_url: Option<String>,
    /// Proxies in front of us that are trusted to say who is asking.
    pub trusted_proxies: Vec<Network>,
    /// Sites whose scripts may ask with a token.
    pub cors_origins: Vec<String>,
    /// The limit for one token, or for one address without a token.
    pub requests_per_second: NonZeroU32,
    pub log_format: LogFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    Text,
    Json,
}

/// Where everything is stored, and what it is encrypted with.
#[derive(Debug)]
pub struct Store {
    pub place: StorePlace,
    /// The first key seals personal columns, and all of them open; without a key the columns stay plain.
    pub keys: Arc<KeyRing>,
}

/// Where everything is stored.
#[derive(Debug)]
pub enum StorePlace {
    /// An SQLite file.
    File(PathBuf),
    Postgres(Postgres),
}

/// A store on a PostgreSQL server.
#[derive(Clone, Debug)]
pub struct Postgres {
    /// Server, user and database; never a password.
    pub url: String,
    pub password: Option<SecretString>,
    /// Everything lives in this schema.
    pub schema: String,
    /// How many connections the loops have; pages have as many.
    pub connections: u32,
}

impl std::fmt::Display for StorePlace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", std::path::absolute(path).as_ref().unwrap_or(path).display()),
            Self::Postgres(server) => write!(f, "{}, schema {}", server.url, server.schema),
        }
    }
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
    /// How far back tickets are read, by their last update.
    pub history: TimeDelta,
    /// When all tickets are read and what is old is deleted, in minutes after midnight; none: at a quiet hour.
    pub nightly: Option<u16>,
    pub hours: Hours,
    /// The MSP's own hours, by name; none: always open.
    pub calendar: Option<String>,
    /// Whether an automatic first response counts, as it does for SuperOps.
    pub automation_answers: bool,
    pub statuses: StatusWords,
    /// The shared secret of `POST /hooks/superops/{tenant}`; none: the hook is off.
    pub hook_secret: Option<SecretString>,
    /// Where a technician opens a ticket, with `{id}` for the ticket's id.
    pub ticket_url: String,
    /// What is written on its tickets.
    pub write_back: WriteBack,
    /// Private networks in which its services may be looked at.
    pub allow_networks: Vec<Network>,
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
    /// Which forecasts raise alerts.
    pub predict: Rule,
    /// How long an acknowledged breach may rest while nothing happens on its ticket.
    pub ack_expires: TimeDelta,
    /// Who hears of an alert, and when; the default is SuperOps' own people.
    pub steps: Vec<Step>,
    /// How many messages are sent at once, and when they have to wait.
    pub noise: noise::Rules,
}
