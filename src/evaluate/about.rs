//! What an alert is about, as it stands at this turn: a ticket with its clock, or a component.

use chrono::{DateTime, Utc};

use super::TurnContext;
use super::services::Service;
use super::trouble::Trouble;
use crate::alert::escalation::Recipient;
use crate::alert::{AlertKey, Stage, Subject, SubjectId};
use crate::evaluate::facts::{self, Links};
use crate::notify::AlertFacts;
use crate::sla::clock::{self, ClockState};
use crate::sla::zone::Tz;
use crate::store::alerts::AlertRow;
use crate::store::tickets::OpenTickets;
use crate::ticket::watch::Watched;

/// An open ticket, or a component.
#[derive(Clone, Copy)]
pub(super) enum About<'a> {
    Ticket(&'a Watched),
    Service(&'a Service),
}

/// An open ticket with the clock that an alert stands for, or a component.
pub(super) enum Case<'a> {
    Clock { watched: &'a Watched, clock: Box<ClockState<'a>> },
    Service(&'a Service),
}

impl<'a> About<'a> {
    /// Returns it as the rules of alerts see it.
    pub fn subject(self, context: &TurnContext<'a>) -> Subject<'a> {
        match self {
            Self::Ticket(watched) => Subject::of_ticket(&context.tenant.id, &watched.ticket),
            Self::Service(service) => service.subject(),
        }
    }

    /// Returns the name of the alert `key` in logs: `the resolution alert of ticket 062822-0005`.
    pub fn alert_words(self, key: &AlertKey) -> String {
        match self {
            Self::Ticket(watched) => format!("the {} alert of ticket {}", key.kind.words(), watched.ticket.display_id),
            Self::Service(_) => format!("the {} alert of `{}`", key.kind.words(), key.subject),
        }
    }

    /// Whether it is still what the alert `key` was raised for.
    pub fn is_of(self, key: &AlertKey) -> bool {
        match self {
            Self::Ticket(watched) => key.cycle == watched.cycle,
            Self::Service(_) => true,
        }
    }

    /// Whether what the alert `key` was raised for is over for the moment but may soon be back.
    pub fn rests(self, key: &AlertKey) -> bool {
        match self {
            Self::Ticket(_) => false,
            Self::Service(service) => service.trouble(key).is_some_and(Trouble::rests),
        }
    }

    /// Adds what the alert `key` stands for.
    pub fn case(self, context: &TurnContext<'a>, key: &AlertKey) -> Option<Case<'a>> {
        match self {
            Self::Ticket(watched) => {
                let clock = Box::new(clock::assess(watched, key.kind.clock()?, context.rules, context.now));
                Some(Case::Clock { watched, clock })
            }
            Self::Service(service) => Some(Case::Service(service)),
        }
    }
}

impl<'a> Case<'a> {
    pub fn about(&self) -> About<'a> {
        match self {
            Self::Clock { watched, .. } => About::Ticket(watched),
            Self::Service(service) => About::Service(service),
        }
    }

    /// Returns the time zone of its working hours.
    pub fn zone(&self, context: &TurnContext<'_>) -> Option<Tz> {
        match self {
            Self::Clock { clock, .. } => clock.hours.map(|hours| hours.timezone()),
            Self::Service(_) => Some(context.zone),
        }
    }

    /// Returns when its clock called for an alert at `stage`.
    pub fn called_for(&self, stage: Stage) -> Option<DateTime<Utc>> {
        match self {
            Self::Clock { clock, .. } if stage == Stage::Breached => clock.breached_from,
            Self::Clock { clock, .. } => clock.at_risk_from,
            Self::Service(_) => None,
        }
    }

    /// Returns the facts of the alert of `row` for one person on one step.
    pub fn facts(
        &self,
        links: Links<'_>,
        context: &TurnContext<'_>,
        row: &AlertRow,
        step: usize,
        recipient: &Recipient,
    ) -> AlertFacts {
        match self {
            Self::Clock { watched, clock } => {
                let facts = facts::alert(links, watched, clock, row, step, recipient, context.now);
                facts::foreseen(facts, context.forecasts, &row.key, context.now)
            }
            Self::Service(service) => facts::service_alert(links, service, row, step, recipient, context.zone),
        }
    }
}

impl<'a> TurnContext<'a> {
    /// Returns what the alert `key` is about, if it is among the open tickets or the components at hand.
    pub(super) fn about<'b>(&self, open: &'b OpenTickets, key: &AlertKey) -> Option<About<'b>>
    where
        'a: 'b,
    {
        match &key.subject {
            SubjectId::Ticket(ticket) => open.get(ticket).map(|watched| About::Ticket(watched)),
            SubjectId::Component(id) => self.services.get(id.as_str()).map(About::Service),
        }
    }
}

impl TurnContext<'_> {
    /// Returns the ticket as the rules of alerts see it.
    pub(super) fn subject<'a>(&'a self, watched: &'a Watched) -> Subject<'a> {
        Subject::of_ticket(&self.tenant.id, &watched.ticket)
    }

    /// Returns the moment up to which breaches of `watched` are known, not news; none if it came after the first sync.
    pub(super) fn known_by(&self, watched: &Watched) -> Option<DateTime<Utc>> {
        let first_seen_at = watched.first_seen_at;
        self.settled_at.is_none_or(|settled| first_seen_at <= settled).then_some(first_seen_at)
    }
}
