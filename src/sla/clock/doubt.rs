//! Why a clock cannot be fully known, or differs from what SuperOps says.

/// Why a clock cannot be fully known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    Unread,
    NoDueTime,
    NoCreatedTime,
    DueBeforeCreated,
    MetBeforeCreated,
    ClosingTimeUnknown,
    FlaggedThoughDueAhead,
    PausedBeforeWatched,
    /// It may have been paused before it was watched, so only bounds are known.
    UnseenBefore,
    DueFromPolicy,
    ReplyUnconfirmed,
    AutomationNotCounted,
    ClosedUnanswered,
    AnsweredAfterResolved,
    DueByHand,
    StoppedByHand,
    CancelledByHand,
}

impl Doubt {
    const ALL: [Self; 17] = [
        Self::Unread,
        Self::NoDueTime,
        Self::NoCreatedTime,
        Self::DueBeforeCreated,
        Self::MetBeforeCreated,
        Self::ClosingTimeUnknown,
        Self::FlaggedThoughDueAhead,
        Self::PausedBeforeWatched,
        Self::UnseenBefore,
        Self::DueFromPolicy,
        Self::ReplyUnconfirmed,
        Self::AutomationNotCounted,
        Self::ClosedUnanswered,
        Self::AnsweredAfterResolved,
        Self::DueByHand,
        Self::StoppedByHand,
        Self::CancelledByHand,
    ];

    /// Returns the doubt in words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Unread => {
                "SuperOps returned an error instead of the data for this clock; its standing is unknown until the data can be read"
            }
            Self::NoDueTime => "SuperOps gives no due time",
            Self::NoCreatedTime => "SuperOps gives no time of creation, so the share elapsed is unknown",
            Self::DueBeforeCreated => "the due time lies before the ticket's creation",
            Self::MetBeforeCreated => "it was met before the ticket's creation: taken as met at once",
            Self::ClosingTimeUnknown => "the ticket is closed and SuperOps does not say when: taken as last seen",
            Self::FlaggedThoughDueAhead => "SuperOps calls it breached though its due time was not missed",
            Self::PausedBeforeWatched => "it was already paused when first seen: since when is unknown",
            Self::UnseenBefore => "it may have been paused before it was watched",
            Self::DueFromPolicy => "SuperOps gives no due time: this one follows from the configured policy",
            Self::ReplyUnconfirmed => {
                "a technician has replied, which SuperOps does not yet count as the first response"
            }
            Self::AutomationNotCounted => "the first response was automatic, which does not count here",
            Self::ClosedUnanswered => "it was closed without a first response: the clock stops there",
            Self::AnsweredAfterResolved => "it was answered after it was resolved: closed time is left out",
            Self::DueByHand => "its due time was set by hand",
            Self::StoppedByHand => "it was stopped by hand",
            Self::CancelledByHand => "it was cancelled by hand",
        }
    }
}

/// A small set of doubts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Doubts(u32);

impl Doubts {
    pub(super) fn add(&mut self, doubt: Doubt) {
        self.0 |= 1 << doubt as u16;
    }

    pub(super) fn add_if(&mut self, holds: bool, doubt: Doubt) {
        if holds {
            self.add(doubt);
        }
    }

    /// Whether the set contains `doubt`.
    pub fn has(self, doubt: Doubt) -> bool {
        self.0 & (1 << doubt as u16) != 0
    }

    /// Iterates over the doubts in a fixed order.
    pub fn iter(self) -> impl Iterator<Item = Doubt> {
        Doubt::ALL.into_iter().filter(move |doubt| self.has(*doubt))
    }
}
