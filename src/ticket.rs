//! Tickets and the people around them, as this product understands them.
//!
//! A ticket belongs to a client, is worked on by a technician of a group, and
//! carries the two promises an MSP makes: to answer by one moment and to resolve
//! by another. SuperOps leaves many of these blank, so they may be blank here.
//! Nothing here reads the time, a file or the network.

pub mod conversation;
pub mod manual_override;
pub mod observe;
pub mod periods;
pub mod rewind;
mod status_names;
#[cfg(test)]
pub mod tests;
pub mod unlisted;
pub mod watch;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// The error for a blank text where one is required.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must not be blank")]
pub struct Blank;

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// Accepts any text that is not blank; surrounding white space is dropped.
            pub fn parse(raw: &str) -> Result<Self, Blank> {
                let text = raw.trim();
                if text.is_empty() { Err(Blank) } else { Ok(Self(text.into())) }
            }

            /// Returns the text itself.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = Blank;
            fn try_from(raw: String) -> Result<Self, Blank> {
                Self::parse(&raw)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0.as_ref().to_owned()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_id!(
    /// The name in the configuration of one SuperOps account that we watch.
    TenantId
);
text_id!(
    /// SuperOps' id of a ticket. Opaque; people are shown [`Ticket::display_id`].
    TicketId
);
text_id!(
    /// The id of a person, client, site, group or SLA. Opaque.
    RefId
);

/// Something a ticket refers to: its id and the name people know it by.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Named {
    pub id: RefId,
    pub name: String,
}

/// Whose data a query covers or a person may see: one tenant's, or everybody's. It is not an optional tenant, because a
/// forgotten one would then mean all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    All,
    One(TenantId),
}

impl Reach {
    /// Returns the one tenant; none for all of them.
    pub fn tenant(&self) -> Option<&TenantId> {
        match self {
            Self::All => None,
            Self::One(tenant) => Some(tenant),
        }
    }

    /// Whether `tenant` is within reach.
    pub fn includes(&self, tenant: &TenantId) -> bool {
        self.tenant().is_none_or(|only| only == tenant)
    }

    /// Returns the name of the one tenant, as SQL statements of the store take it.
    pub fn as_str(&self) -> Option<&str> {
        self.tenant().map(TenantId::as_str)
    }
}

/// The promises of an SLA. SuperOps knows the first two; the third is ours, if a policy asks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClockKind {
    FirstResponse,
    Resolution,
    /// The answer to each further message of the client.
    NextResponse,
}

impl ClockKind {
    /// All clocks, those that SuperOps reports first.
    pub const ALL: [Self; 3] = [Self::FirstResponse, Self::Resolution, Self::NextResponse];

    /// The clocks that SuperOps reports, in the order of a ticket's life.
    pub const REPORTED: [Self; 2] = [Self::FirstResponse, Self::Resolution];

    /// Returns the name used in keys, in the store and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::FirstResponse => "first_response",
            Self::Resolution => "resolution",
            Self::NextResponse => "next_response",
        }
    }

    /// Returns the name as a person would say it.
    pub fn words(self) -> &'static str {
        match self {
            Self::FirstResponse => "first response",
            Self::Resolution => "resolution",
            Self::NextResponse => "next response",
        }
    }
}

/// What SuperOps says about one clock of a ticket.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Reported {
    pub due: Option<DateTime<Utc>>,
    /// When it was answered or resolved.
    pub met_at: Option<DateTime<Utc>>,
    /// SuperOps' own flag that the target was missed.
    pub breached: Option<bool>,
}

/// One ticket as last read from SuperOps. It has no body and no requester: what
/// we do not hold cannot leak.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Ticket {
    pub id: TicketId,
    /// The number people know it by, such as `062822-0005`. Its format is the tenant's own.
    pub display_id: String,
    /// Untrusted text from outside: escape it before showing it.
    pub subject: String,
    pub request_type: Option<String>,
    pub status: Option<String>,
    pub priority: Option<String>,
    pub category: Option<String>,
    pub client: Option<Named>,
    pub site: Option<Named>,
    pub group: Option<Named>,
    pub technician: Option<Named>,
    pub sla: Option<Named>,
    pub created_at: Option<DateTime<Utc>>,
    pub updated_at: Option<DateTime<Utc>>,
    pub first_response: Reported,
    pub resolution: Reported,
    /// Fields that could not be read, with the reason; the ticket is kept all the same.
    pub flaws: Vec<Flaw>,
    /// What SuperOps has failed to deliver ever since the ticket was first read, so that a blank there means nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unknown: Vec<Unknown>,
}

/// Something that a ticket's clocks need and that is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unknown {
    /// Whether it is open, paused or closed.
    Status,
    /// What policies match on (SLA, priority, client, category), and when it was created.
    Terms,
    /// When the first response is due, or was given.
    FirstResponse,
    /// When the resolution is due, or was made.
    Resolution,
}

impl Ticket {
    /// Returns what SuperOps reports for `clock`; it reports nothing for the next response.
    pub fn reported(&self, clock: ClockKind) -> &Reported {
        const NOTHING: Reported = Reported { due: None, met_at: None, breached: None };
        match clock {
            ClockKind::FirstResponse => &self.first_response,
            ClockKind::Resolution => &self.resolution,
            ClockKind::NextResponse => &NOTHING,
        }
    }

    /// Whether `clock` cannot be computed, whatever it is promised, because something it needs is not known.
    pub fn is_unknown(&self, clock: ClockKind) -> bool {
        let of_clock = match clock {
            ClockKind::FirstResponse => Some(Unknown::FirstResponse),
            ClockKind::Resolution => Some(Unknown::Resolution),
            ClockKind::NextResponse => None,
        };
        self.unknown.iter().any(|unknown| *unknown == Unknown::Status || Some(*unknown) == of_clock)
    }
}

/// A field of a record that did not make sense.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Flaw {
    pub field: String,
    pub why: String,
}

/// A technician: whom to notify, and, as the manager, whom to notify next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Technician {
    pub id: RefId,
    pub name: String,
    pub email: Option<String>,
    /// As SuperOps has it; it may not be a number that can receive text messages.
    pub phone: Option<String>,
    pub manager: Option<Named>,
    pub groups: Vec<Named>,
}

/// A client of the MSP.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Client {
    pub id: RefId,
    pub name: String,
    pub account_manager: Option<Named>,
}

/// A site of a client, with the hours during which its SLA counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Site {
    pub id: RefId,
    pub name: String,
    pub client: Option<Named>,
    /// The IANA name.
    pub timezone: Option<String>,
    pub always_open: bool,
    pub hours: Vec<SiteHours>,
    /// Only the name of the list: SuperOps does not give its dates.
    pub holiday_list: Option<Named>,
}

/// Opening hours of one weekday, local to the site.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SiteHours {
    pub day: chrono::Weekday,
    /// `09:30`, as SuperOps writes it.
    pub start: String,
    pub end: String,
}

/// What a tenant's tickets refer to: people, clients, sites, and the names of statuses and priorities.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Directory {
    pub technicians: BTreeMap<RefId, Technician>,
    pub clients: BTreeMap<RefId, Client>,
    pub sites: BTreeMap<RefId, Site>,
    pub groups: BTreeMap<RefId, Named>,
    pub slas: BTreeMap<RefId, Named>,
    /// The tenant's own names; what a status means is configured or guessed.
    pub statuses: Vec<String>,
    pub priorities: Vec<String>,
}

impl Directory {
    /// Returns the technicians who belong to `group`, in the order of their ids.
    pub fn members<'a>(&'a self, group: &'a RefId) -> impl Iterator<Item = &'a Technician> {
        self.technicians.values().filter(move |person| person.groups.iter().any(|g| g.id == *group))
    }

    /// Returns the technicians who have this mailbox, in upper or lower case.
    pub fn with_mailbox<'a>(&'a self, address: &str) -> impl Iterator<Item = &'a Technician> {
        let lower = |text: &str| text.trim().to_lowercase();
        let address = lower(address);
        self.technicians.values().filter(move |person| person.email.as_deref().map(lower).as_ref() == Some(&address))
    }

    /// Returns the technicians who have this number, however it is written.
    pub fn with_number<'a>(&'a self, number: &str) -> impl Iterator<Item = &'a Technician> {
        // `+44 (0)20 …`: the zero is not dialled from abroad.
        let digits = |text: &str| text.replacen("(0)", "", 1).chars().filter(char::is_ascii_digit).collect::<String>();
        let number = digits(number);
        self.technicians.values().filter(move |person| person.phone.as_deref().map(digits).as_ref() == Some(&number))
    }

    /// Whether several technicians have this mailbox, given in lower case, or have no mailbox and this number.
    pub fn is_shared(&self, address: &str) -> bool {
        let has = |person: &&Technician| match (&person.email, &person.phone) {
            (Some(email), _) => email.trim().chars().flat_map(char::to_lowercase).eq(address.chars()),
            (None, phone) => phone.as_deref() == Some(address),
        };
        self.technicians.values().filter(has).nth(1).is_some()
    }
}

/// What a status name means for the clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StatusMeaning {
    /// Work goes on: all clocks run.
    Open,
    /// Listed as open: work goes on whatever time of resolution SuperOps still gives.
    ListedOpen,
    /// Waiting for somebody else: the resolution clock stands still.
    Paused,
    /// Not even an answer can be expected: all clocks stand still.
    PausedThroughout,
    /// Done: all clocks have stopped.
    Closed,
}

impl StatusMeaning {
    /// Whether it makes `clock` stand still. A plain pause leaves the responses running: the client still needs one.
    pub fn pauses(self, clock: ClockKind) -> bool {
        match self {
            Self::Open | Self::ListedOpen | Self::Closed => false,
            Self::Paused => clock == ClockKind::Resolution,
            Self::PausedThroughout => true,
        }
    }

    /// Whether it makes any clock stand still.
    pub fn is_paused(self) -> bool {
        matches!(self, Self::Paused | Self::PausedThroughout)
    }
}

/// What the tenant's status names mean. A configured list holds as it is; without
/// one, the meaning is guessed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusWords {
    /// Lower case; none: guessed.
    pub closed: Option<Vec<String>>,
    /// Lower case; none: guessed.
    pub paused: Option<Vec<String>>,
    /// Lower case; these pause the response clocks as well. Never guessed.
    #[serde(default)]
    pub pauses_response: Vec<String>,
    /// Lower case; in these, work goes on whatever else is known. Never guessed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub open: Vec<String>,
}

impl StatusWords {
    /// Takes the configured lists; case and surrounding white space do not matter.
    pub fn new(closed: Option<&[String]>, paused: Option<&[String]>) -> Self {
        let (pauses_response, open) = Default::default();
        Self { closed: closed.map(lower), paused: paused.map(lower), pauses_response, open }
    }

    /// Adds the names that pause the response clocks as well.
    pub fn pausing_response(self, names: &[String]) -> Self {
        Self { pauses_response: lower(names), ..self }
    }

    /// Adds the names of statuses in which work goes on.
    pub fn staying_open(self, names: &[String]) -> Self {
        Self { open: lower(names), ..self }
    }

    /// Takes both lists, so that nothing is guessed.
    pub fn configured(closed: &[String], paused: &[String]) -> Self {
        Self::new(Some(closed), Some(paused))
    }

    /// Returns what `status` means. A blank status counts as open: better a false
    /// alert than a silent breach.
    pub fn meaning(&self, status: Option<&str>) -> StatusMeaning {
        let Some(status) = status.map(|text| text.trim().to_lowercase()) else { return StatusMeaning::Open };
        let listed = |list: &Option<Vec<String>>| list.as_ref().is_some_and(|names| names.contains(&status));
        if self.open.contains(&status) {
            return StatusMeaning::ListedOpen;
        }
        if listed(&self.closed) {
            return StatusMeaning::Closed;
        }
        if self.pauses_response.contains(&status) {
            return StatusMeaning::PausedThroughout;
        }
        if listed(&self.paused) {
            return StatusMeaning::Paused;
        }
        if Gone::said_by(Some(&status)).is_some() {
            return StatusMeaning::Closed;
        }
        match guess(&status) {
            StatusMeaning::Closed if self.closed.is_none() => StatusMeaning::Closed,
            StatusMeaning::Paused if self.paused.is_none() => StatusMeaning::Paused,
            _ => StatusMeaning::Open,
        }
    }
}

/// How a ticket was removed from work, told from the name of its status: SuperOps gives no other sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gone {
    /// Merged into another ticket.
    Merged,
    Deleted,
}

impl Gone {
    /// Reads `status`; none if it says neither.
    pub fn said_by(status: Option<&str>) -> Option<Self> {
        let status = status.unwrap_or_default().trim().to_lowercase();
        match () {
            () if status.starts_with("merged") => Some(Self::Merged),
            () if status.starts_with("deleted") => Some(Self::Deleted),
            () => None,
        }
    }
}

fn lower(names: &[String]) -> Vec<String> {
    names.iter().map(|name| name.trim().to_lowercase()).collect()
}

/// Status names that begin with one of these mean closed, unless configured.
pub const GUESSED_CLOSED: [&str; 4] = ["closed", "resolved", "cancelled", "canceled"];
/// Status names that begin with one of these mean paused, unless configured.
pub const GUESSED_PAUSED: [&str; 6] = ["waiting", "awaiting", "on hold", "pending", "scheduled", "paused"];

/// Guesses the meaning of a common English status name, given in lower case.
///
/// The names were seen on real tenants; see the notes in `docs/superops.md`.
fn guess(status: &str) -> StatusMeaning {
    if GUESSED_CLOSED.iter().any(|word| status.starts_with(word)) {
        StatusMeaning::Closed
    } else if GUESSED_PAUSED.iter().any(|word| status.starts_with(word)) {
        StatusMeaning::Paused
    } else {
        StatusMeaning::Open
    }
}
