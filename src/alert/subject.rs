//! What an alert is about: a ticket, or a component whose uptime is promised.
//!
//! Who is told, which escalation holds and which silence covers an alert depend on a few facts that both have. A
//! [`Subject`] holds these facts, borrowed from either, so that the rules of alerts are written once.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::ticket::{ClockKind, Named, TenantId, Ticket, TicketId};

/// The id of a component: its name in the configuration.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ComponentId(String);

impl ComponentId {
    /// Accepts any text that is not blank and has no colon, which separates the parts of an alert's key.
    pub fn parse(raw: &str) -> Option<Self> {
        let id = raw.trim();
        (!id.is_empty() && !id.contains(':')).then(|| Self(id.to_owned()))
    }

    /// Returns the id as written in the configuration.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ComponentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Which ticket or component it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SubjectId {
    Ticket(TicketId),
    Component(ComponentId),
}

impl SubjectId {
    /// Returns the bare id.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Ticket(id) => id.as_str(),
            Self::Component(id) => id.as_str(),
        }
    }

    /// Returns the ticket; none if it is a component.
    pub fn ticket(&self) -> Option<&TicketId> {
        match self {
            Self::Ticket(id) => Some(id),
            Self::Component(_) => None,
        }
    }
}

impl fmt::Display for SubjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What an alert stands for: a clock of a ticket, or something promised about a component.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AlertKind {
    Clock(ClockKind),
    /// A component is degraded or down.
    Outage,
    /// The downtime that a promise allows is being used up.
    Budget,
    /// A latency, an error rate or another measure misses its objective.
    Objective,
    /// A certificate is about to expire or is not valid.
    Certificate,
    /// A job that should report has not reported.
    Heartbeat,
}

impl AlertKind {
    /// All kinds.
    pub const ALL: [Self; 8] = [
        Self::Clock(ClockKind::FirstResponse),
        Self::Clock(ClockKind::Resolution),
        Self::Clock(ClockKind::NextResponse),
        Self::Outage,
        Self::Budget,
        Self::Objective,
        Self::Certificate,
        Self::Heartbeat,
    ];

    /// Returns the name used in keys, in the store and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Clock(clock) => clock.as_str(),
            Self::Outage => "outage",
            Self::Budget => "budget",
            Self::Objective => "objective",
            Self::Certificate => "certificate",
            Self::Heartbeat => "heartbeat",
        }
    }

    /// Returns the name used in texts for people.
    pub fn words(self) -> &'static str {
        match self {
            Self::Clock(clock) => clock.words(),
            Self::Outage => "outage",
            Self::Budget => "downtime budget",
            Self::Objective => "objective",
            Self::Certificate => "certificate",
            Self::Heartbeat => "heartbeat",
        }
    }

    /// Parses [`AlertKind::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// Returns the clock of a ticket; none if it is about a component.
    pub fn clock(self) -> Option<ClockKind> {
        match self {
            Self::Clock(clock) => Some(clock),
            _ => None,
        }
    }

    /// Returns the subject with this `id` for such an alert; none if the id is not valid.
    pub fn subject(self, id: &str) -> Option<SubjectId> {
        match self {
            Self::Clock(_) => TicketId::parse(id).ok().map(SubjectId::Ticket),
            _ => ComponentId::parse(id).map(SubjectId::Component),
        }
    }
}

impl From<ClockKind> for AlertKind {
    fn from(clock: ClockKind) -> Self {
        Self::Clock(clock)
    }
}

impl Serialize for AlertKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for AlertKind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| de::Error::custom(format!("`{text}` is not a kind of alert")))
    }
}

/// Whether a subject is a ticket or a component.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubjectKind {
    Ticket,
    Component,
}

impl SubjectKind {
    /// Returns the name used in texts for people.
    pub fn words(self) -> &'static str {
        match self {
            Self::Ticket => "ticket",
            Self::Component => "component",
        }
    }
}

/// What the rules of alerts need to know about a ticket or a component.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    pub kind: SubjectKind,
    pub tenant: &'a TenantId,
    pub id: &'a str,
    /// What people call it: a ticket's number, a component's name.
    pub display_id: &'a str,
    /// What it is, in a line: a ticket's subject, a component's name. Untrusted text: escape it before showing it.
    pub name: &'a str,
    pub client: Option<&'a Named>,
    pub priority: Option<&'a str>,
    pub sla: Option<&'a Named>,
    /// The person responsible for it: a ticket's technician.
    pub owner: Option<&'a Named>,
    pub group: Option<&'a Named>,
}

impl<'a> Subject<'a> {
    /// Returns a ticket of `tenant` as a subject.
    pub fn of_ticket(tenant: &'a TenantId, ticket: &'a Ticket) -> Self {
        Self {
            kind: SubjectKind::Ticket,
            tenant,
            id: ticket.id.as_str(),
            display_id: &ticket.display_id,
            name: &ticket.subject,
            client: ticket.client.as_ref(),
            priority: ticket.priority.as_deref(),
            sla: ticket.sla.as_ref(),
            owner: ticket.technician.as_ref(),
            group: ticket.group.as_ref(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::suppression::Matchers;

    fn shop(tenant: &TenantId) -> Subject<'_> {
        Subject {
            kind: SubjectKind::Component,
            tenant,
            id: "shop",
            display_id: "shop",
            name: "Web shop",
            client: None,
            priority: Some("Critical"),
            sla: None,
            owner: None,
            group: None,
        }
    }

    #[test]
    fn a_component_is_silenced_by_its_priority_and_by_no_ticket_of_its_name() {
        let tenant = TenantId::parse("acme").unwrap();
        let by_priority = Matchers { priority: Some("critical".to_owned()), ..Matchers::default() };
        let by_ticket = Matchers { ticket: Some("shop".to_owned()), ..Matchers::default() };
        let another = Matchers { component: Some("mail".to_owned()), ..Matchers::default() };
        assert!(by_priority.matches(shop(&tenant)));
        assert!(Matchers { component: Some("shop".to_owned()), ..Matchers::default() }.matches(shop(&tenant)));
        assert!(!another.matches(shop(&tenant)));
        assert!(!by_ticket.matches(shop(&tenant)));
    }

    #[test]
    fn every_kind_is_read_as_it_is_written() {
        for kind in AlertKind::ALL {
            assert_eq!(AlertKind::parse(kind.as_str()), Some(kind));
        }
        assert_eq!(AlertKind::parse("resolutions"), None);
    }

    #[test]
    fn a_clock_is_a_tickets_and_an_outage_a_components() {
        let of_ticket = AlertKind::Clock(ClockKind::Resolution).subject("17");
        assert!(matches!(of_ticket, Some(SubjectId::Ticket(_))));
        assert!(matches!(AlertKind::Outage.subject("shop"), Some(SubjectId::Component(_))));
        assert_eq!(AlertKind::Outage.subject("a:b"), None, "a colon separates the parts of a key");
    }
}
