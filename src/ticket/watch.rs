//! What we learned by watching a ticket, since SuperOps keeps no history.
//!
//! A change seen between two reads happened at some moment between them; both
//! bounds are kept, so that a figure built on it can say how sure it is.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::conversation::ConversationSummary;
use super::manual_override::{ManualOverride, OverrideAction};
use super::{ClockKind, StatusMeaning, StatusWords, Ticket};

/// The longest time before a change of status at which a resolution belongs to it.
const SAME_MOMENT: TimeDelta = TimeDelta::minutes(1);

/// The most changes of its status kept with a ticket: no ticket that is worked on has more.
pub(super) const LONGEST_PAST: usize = 500;

/// A moment known only to lie between two others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Bounds {
    pub earliest: DateTime<Utc>,
    pub latest: DateTime<Utc>,
}

/// A ticket with what we learned by watching it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watched {
    pub ticket: Ticket,
    pub first_seen_at: DateTime<Utc>,
    /// Whether nobody had edited it by then, so that what was before is known; none if that was not kept.
    pub untouched: Option<bool>,
    /// When SuperOps was last asked about it.
    pub read_at: DateTime<Utc>,
    /// How often the ticket was reopened.
    pub cycle: u32,
    /// When it entered its present status; none if it already had it when first seen.
    pub status_since: Option<Bounds>,
    /// The changes of its status since it was first seen, oldest first: all the events that its clocks need.
    pub past: Vec<Change>,
    /// The first reply of a technician, from the conversation; looked for only while
    /// SuperOps itself reports no first response.
    pub replied_at: Option<DateTime<Utc>>,
    /// When it was found to be gone: deleted, merged, or no longer visible to us.
    pub vanished_at: Option<DateTime<Utc>>,
    /// What its conversation showed, if it was read.
    pub conversation: ConversationSummary,
    /// The manual overrides of its clocks, at most one for each.
    pub overrides: Vec<ManualOverride>,
}

impl Watched {
    /// Creates the record of a ticket that is read for the first time.
    pub fn new(ticket: Ticket, read: Bounds) -> Self {
        Self {
            ticket,
            first_seen_at: read.latest,
            untouched: None,
            read_at: read.earliest,
            cycle: 0,
            status_since: None,
            past: Vec::new(),
            replied_at: None,
            vanished_at: None,
            conversation: ConversationSummary::default(),
            overrides: Vec::new(),
        }
    }

    /// Whether the same is known as in `other`, apart from the time it was read.
    pub fn is_known_as(&self, other: &Self) -> bool {
        let Self {
            ticket,
            first_seen_at,
            untouched,
            read_at: _,
            cycle,
            status_since,
            past,
            replied_at,
            vanished_at,
            conversation,
            overrides,
        } = self;
        *ticket == other.ticket
            && *first_seen_at == other.first_seen_at
            && *untouched == other.untouched
            && *cycle == other.cycle
            && *status_since == other.status_since
            && *past == other.past
            && *replied_at == other.replied_at
            && *vanished_at == other.vanished_at
            && *conversation == other.conversation
            && *overrides == other.overrides
    }

    /// Returns when `clock` began; none if that is not known or there is nothing to answer.
    pub fn start(&self, clock: ClockKind) -> Option<DateTime<Utc>> {
        match clock {
            ClockKind::FirstResponse | ClockKind::Resolution => self.ticket.created_at,
            ClockKind::NextResponse => self.conversation.asked_at,
        }
    }

    /// Returns what a person decided about `clock` as it runs now.
    ///
    /// A decision about the answer to one message does not hold for the next one.
    pub fn decided(&self, clock: ClockKind) -> Option<&ManualOverride> {
        let of_this = |one: &&ManualOverride| one.clock == clock && one.cycle == self.cycle;
        let found = self.overrides.iter().find(of_this)?;
        let newer =
            clock == ClockKind::NextResponse && self.conversation.asked_at.is_some_and(|asked| asked > found.at);
        (!newer).then_some(found)
    }

    /// Returns the action of the override of `clock`.
    pub fn overridden(&self, clock: ClockKind) -> Option<OverrideAction> {
        self.decided(clock).map(|decided| decided.action)
    }

    /// Whether its clocks may still run: its status is not closed and it has not vanished.
    pub fn is_open(&self, words: &StatusWords) -> bool {
        self.vanished_at.is_none() && !is_closed(&self.ticket, words)
    }
}

/// A kind of change of a ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ChangeKind {
    FirstSeen,
    Status,
    Assignee,
    Group,
    Priority,
    Sla,
    Client,
    DueMoved(ClockKind),
    FirstResponse,
    Resolved,
    Reopened,
    Vanished,
    /// It had vanished and is back.
    Returned,
    /// Its clocks moved to another version of what was promised.
    PolicyVersion,
    /// Another policy holds for it, or the runners-up changed.
    PolicyChoice,
    /// A person overrode a clock, or took that back.
    ByHand,
}

impl ChangeKind {
    pub(super) const ALL: [Self; 18] = [
        Self::FirstSeen,
        Self::Status,
        Self::Assignee,
        Self::Group,
        Self::Priority,
        Self::Sla,
        Self::Client,
        Self::DueMoved(ClockKind::FirstResponse),
        Self::DueMoved(ClockKind::Resolution),
        Self::DueMoved(ClockKind::NextResponse),
        Self::FirstResponse,
        Self::Resolved,
        Self::Reopened,
        Self::Vanished,
        Self::Returned,
        Self::PolicyVersion,
        Self::PolicyChoice,
        Self::ByHand,
    ];

    /// Returns the name used in the store and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::FirstSeen => "first_seen",
            Self::Status => "status",
            Self::Assignee => "assignee",
            Self::Group => "group",
            Self::Priority => "priority",
            Self::Sla => "sla",
            Self::Client => "client",
            Self::DueMoved(ClockKind::FirstResponse) => "first_response_due_moved",
            Self::DueMoved(ClockKind::Resolution) => "resolution_due_moved",
            Self::DueMoved(ClockKind::NextResponse) => "next_response_due_moved",
            Self::FirstResponse => "first_response",
            Self::Resolved => "resolved",
            Self::Reopened => "reopened",
            Self::Vanished => "vanished",
            Self::Returned => "returned",
            Self::PolicyVersion => "policy_version",
            Self::PolicyChoice => "policy_choice",
            Self::ByHand => "by_hand",
        }
    }

    /// Returns the kind with that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// One thing that changed, and between which moments.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    pub kind: ChangeKind,
    pub from: Option<String>,
    pub to: Option<String>,
    pub at: Bounds,
}

/// Returns the `changes` that a ticket's clocks need: of its status, and when it was resolved and reopened.
///
/// Of a ticket that changes endlessly the latest are kept.
pub fn past<'a>(changes: impl IntoIterator<Item = &'a Change>) -> Vec<Change> {
    let counts = |kind: ChangeKind| matches!(kind, ChangeKind::Status | ChangeKind::Resolved | ChangeKind::Reopened);
    let mut past: Vec<Change> = changes.into_iter().filter(|change| counts(change.kind)).cloned().collect();
    past.drain(..past.len().saturating_sub(LONGEST_PAST));
    past
}

/// Whether its status is a closed one.
pub fn is_closed(ticket: &Ticket, words: &StatusWords) -> bool {
    words.meaning(ticket.status.as_deref()) == StatusMeaning::Closed
}

/// Whether a resolution at `resolved` belongs to the status that came at `since`. SuperOps may keep its time after the
/// ticket was reopened; then the status came later.
pub fn ends(resolved: DateTime<Utc>, since: DateTime<Utc>) -> bool {
    since - resolved <= SAME_MOMENT
}
