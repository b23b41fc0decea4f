//! What a message says: facts, which each channel words for its own medium.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use super::WorkingTime;
use crate::alert::life::How;
use crate::alert::{AlertKind, Closing, Stage};
use crate::sla::zone::Tz;

/// Something to say to one person.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// The same on every attempt, so that a receiver can drop a repeat: hex, 32 characters.
    pub key: String,
    /// What this message belongs to; messages of one thread are shown together.
    pub thread: String,
    /// Whether an earlier message of this thread was meant for this person on this channel. Fixed when the message is
    /// put in the outbox: two messages that both claim to be the first would look like one mail sent twice.
    pub continues_thread: bool,
    /// An email address or a phone number, as the channel needs it; for a system, its name in the steps.
    pub to: String,
    /// The person's name, if known.
    pub to_name: Option<String>,
    /// The zone in which local times are shown.
    pub timezone: Tz,
    pub body: Body,
}

impl Message {
    /// Returns the key of the alert that this is about, if it goes to a system: the thread's name is made of the two.
    pub fn alert_key(&self) -> Option<&str> {
        let about_alert =
            matches!(self.body, Body::Alert(_) | Body::Acknowledged(_) | Body::Recovery(_) | Body::Stale(_));
        self.thread.strip_suffix(&self.to)?.strip_suffix(':').filter(|_| about_alert)
    }
}

/// What a message says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Body {
    /// A clock of a ticket is about to breach, or has breached; or something is wrong with a component.
    Alert(AlertFacts),
    /// The alert is over. People hear of it only if it was met in time; systems always do.
    Recovery(RecoveryFacts),
    /// Somebody is working on it. Systems are told; people are not.
    Acknowledged(AcknowledgedFacts),
    /// What was already overdue when we first looked: told once, together.
    Digest(DigestFacts),
    /// Several messages that waited for one person at once.
    Bundle(BundleFacts),
    /// A tenant's data has become too old to be trusted, or is fresh again.
    Stale(StaleFacts),
    /// A scheduled report, with its files.
    Report(ReportFacts),
    /// An update for somebody who has subscribed to a status page.
    Update(UpdateFacts),
    /// `check --send-test`.
    Test,
}

/// What is known of a ticket whose clock raised an alert, or of a component. Text fields may be hostile.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AlertFacts {
    pub ticket: TicketFacts,
    pub clock: AlertKind,
    pub stage: Stage,
    pub due: DateTime<Utc>,
    /// None: working time is wall time, or is not known.
    #[serde(default)]
    pub working: Option<WorkingTime>,
    /// Why this is said now, and why it is due then; one sentence each, written by us.
    pub reasons: Vec<String>,
    /// The step of the escalation, from 0, and why this person is told: "you own this ticket".
    pub step: u32,
    pub because: String,
    /// The note on working time: "counted in the hours of head-office (Europe/London)".
    pub hours: String,
    /// What to do about a breach that is only predicted.
    #[serde(default)]
    pub advice: Option<Advice>,
}

/// What to do about a ticket that is likely to breach.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Advice {
    /// Who could take it on; none if nobody has less to do than its owner.
    pub room: Option<FreeTechnician>,
    pub group: Option<String>,
    /// Open tickets of the group that are older.
    pub ahead: usize,
}

/// Somebody with few open tickets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FreeTechnician {
    pub name: String,
    pub open: usize,
    /// On call now; also false where nothing is known of shifts.
    #[serde(default)]
    pub on_call: bool,
}

/// A ticket as it is shown to people, or a component.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TicketFacts {
    /// The tenant it belongs to; none if there is only one.
    #[serde(default)]
    pub tenant: Option<String>,
    pub id: String,
    pub display_id: String,
    pub subject: String,
    pub client: Option<String>,
    pub priority: Option<String>,
    pub status: Option<String>,
    pub technician: Option<String>,
    pub group: Option<String>,
    pub sla: Option<String>,
    /// The ticket in SuperOps.
    pub superops_url: Option<String>,
    /// The ticket on our own page.
    pub page_url: Option<String>,
    /// Set if this is a component, not a ticket: `display_id` is its name, and `subject` says what is wrong, as it
    /// follows the name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceFacts>,
}

/// What is known of a component that has, or had, a problem.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceFacts {
    pub since: DateTime<Utc>,
    /// What was seen. May contain text from the service, so it may be hostile.
    pub detail: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecoveryFacts {
    pub ticket: TicketFacts,
    pub clock: AlertKind,
    /// When it was met or otherwise came to rest.
    pub met_at: DateTime<Utc>,
    pub due: DateTime<Utc>,
    /// As it was at `met_at`. None: working time is wall time, or is not known.
    #[serde(default)]
    pub working: Option<WorkingTime>,
    #[serde(default = "met")]
    pub closing: Closing,
}

/// Returns the closing of recoveries stored before the field existed.
fn met() -> Closing {
    Closing::Met
}

/// An alert that somebody acknowledged or snoozed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AcknowledgedFacts {
    pub ticket: TicketFacts,
    pub clock: AlertKind,
    pub stage: Stage,
    pub due: DateTime<Utc>,
    /// The name of a person or of a token.
    pub by: String,
    pub how: How,
    pub at: DateTime<Utc>,
    /// When the escalation goes on if nothing happens; none if that is when the stage rises.
    pub until: Option<DateTime<Utc>>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DigestFacts {
    /// Worst first; no more than fit a message, see `more`.
    pub rows: Vec<DigestRow>,
    /// How many are not in `rows`.
    pub more: u32,
    /// The keys of all their alerts: if nobody takes the digest, each is told by itself. Not shown to anybody.
    #[serde(default)]
    pub alerts: Vec<String>,
}

/// The most rows of a digest: nobody reads a longer one, so the rest is only counted.
const DIGEST_ROWS: usize = 40;

impl DigestFacts {
    /// Builds a digest of all `rows`, which stand for these `alerts`.
    pub fn of(mut rows: Vec<DigestRow>, alerts: Vec<String>) -> Self {
        let place = |row: &DigestRow| (row.due, row.ticket.tenant.clone(), row.ticket.id.clone());
        rows.sort_by_cached_key(place);
        let more = u32::try_from(rows.len().saturating_sub(DIGEST_ROWS)).unwrap_or(u32::MAX);
        rows.truncate(DIGEST_ROWS);
        Self { rows, more, alerts }
    }

    /// Joins several `digests` into one. Its alerts are known from them.
    pub fn joined(digests: Vec<Self>) -> Self {
        let before: u32 = digests.iter().map(|digest| digest.more).sum();
        let whole = Self::of(digests.into_iter().flat_map(|digest| digest.rows).collect(), Vec::new());
        Self { more: whole.more.saturating_add(before), ..whole }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DigestRow {
    pub ticket: TicketFacts,
    pub clock: AlertKind,
    pub due: DateTime<Utc>,
    #[serde(default)]
    pub working: Option<WorkingTime>,
}

/// A notice that the watch itself cannot see: how old a tenant's data is, or since when an outpost is silent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StaleFacts {
    pub tenant: String,
    /// When the data dates from, or when the outpost was last heard.
    pub since: DateTime<Utc>,
    /// Why there is nothing later: one sentence, written by us.
    pub reason: String,
    /// What a person can do about it.
    pub advice: Option<String>,
    /// None while it is stale or silent.
    pub fresh_at: Option<DateTime<Utc>>,
    /// The name of the outpost; none if this is about the tenant's data.
    #[serde(default)]
    pub outpost: Option<String>,
    /// Why this person hears of it, in words for them, if the configuration does not name them.
    #[serde(default)]
    pub because: Option<String>,
}

/// A report on a period. Names in it come from outside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportFacts {
    /// The tenant it belongs to; none if there is only one.
    #[serde(default)]
    pub tenant: Option<String>,
    /// The only client it covers.
    pub client: Option<String>,
    pub from: NaiveDate,
    pub to: NaiveDate,
    /// The figures in short, by their key in the report.
    pub figures: Vec<(String, String)>,
    /// Until when the figures may still change; none if they are final.
    pub provisional_until: Option<DateTime<Utc>>,
    /// The attached files.
    pub files: Vec<FileFacts>,
    /// The names of files that are too large to attach.
    #[serde(default)]
    pub too_large: Vec<String>,
    /// SHA-256 of the report, hex.
    pub hash: String,
    /// The schedule that sends it.
    pub schedule: String,
}

/// An update for somebody who has subscribed to a status page. Titles and texts are those of the page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpdateFacts {
    /// The title of the page.
    pub page: String,
    /// Where the page is read; none if only its readers know its address.
    pub page_url: Option<String>,
    /// The id of the subscriber it goes to.
    pub subscriber: String,
    pub news: News,
}

/// What happened or will happen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum News {
    /// Somebody has asked for news at this address: is that intended?
    Confirm,
    Incident {
        title: String,
        /// investigating | identified | monitoring | resolved
        status: String,
        text: String,
        components: Vec<String>,
        at: DateTime<Utc>,
    },
    Work {
        title: String,
        text: String,
        components: Vec<String>,
        from: DateTime<Utc>,
        until: DateTime<Utc>,
        cancelled: bool,
    },
}

impl News {
    /// Returns the same news, about components with these names.
    pub fn about(&self, names: Vec<String>) -> Self {
        let mut news = self.clone();
        match &mut news {
            Self::Confirm => {}
            Self::Incident { components, .. } | Self::Work { components, .. } => *components = names,
        }
        news
    }
}

/// A file of the archive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileFacts {
    pub id: String,
    pub name: String,
    pub content_type: String,
}

/// Several notifications in one message.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BundleFacts {
    /// Worst first; no more than fit a message, see `more`.
    pub rows: Vec<BundleRow>,
    /// How many are not in `rows`.
    pub more: u32,
    /// How many tickets they are about.
    pub tickets: u32,
    pub breached: u32,
    /// How many are predicted to breach.
    #[serde(default)]
    pub likely: u32,
    /// How many were answered or resolved meanwhile, after an alert had been told.
    pub recovered: u32,
    /// How many clients they are about; 0 as well if some are about one client and the others about none.
    pub clients: u32,
    /// One of the clients.
    pub client: Option<String>,
    /// When the first of those that have not breached is due.
    #[serde(default)]
    pub first_due: Option<DateTime<Utc>>,
    /// When the first of those that have breached was due.
    #[serde(default)]
    pub breached_due: Option<DateTime<Utc>>,
    /// By when all that have not breached are due.
    pub last_due: Option<DateTime<Utc>>,
    /// Whether this is the digest that ends quiet hours.
    #[serde(default)]
    pub after_quiet_hours: bool,
    /// Whether they came up minutes apart, and waited to be told together.
    #[serde(default)]
    pub gathered: bool,
}

impl BundleFacts {
    /// Returns how many alerts it tells of.
    pub fn number(&self) -> u32 {
        u32::try_from(self.rows.len()).unwrap_or(u32::MAX).saturating_add(self.more)
    }

    /// Returns how many of them can be acknowledged.
    pub fn answerable(&self) -> u32 {
        self.number().saturating_sub(self.recovered)
    }
}

/// One of the notifications of a bundle.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum BundleRow {
    Alert {
        ticket: TicketFacts,
        clock: AlertKind,
        stage: Stage,
        due: DateTime<Utc>,
        #[serde(default)]
        working: Option<WorkingTime>,
    },
    Recovery(RecoveryFacts),
}
