//! Which targets an MSP promised, and to which tickets they apply.
//!
//! SuperOps sends due times, not the targets behind them; a policy here states
//! these for the MSP. The first policy that matches a ticket holds; the others
//! that match as well are its runners-up.

mod choice;

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

pub use self::choice::{Choice, Chosen, choice_seen, choose};
use crate::ticket::{ClockKind, Directory, TenantId, Ticket};

/// A promise: which tickets it applies to, and how much time it allows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    pub tenant: Option<TenantId>,
    /// The name of SuperOps' SLA.
    pub sla: Option<String>,
    pub priority: Option<String>,
    pub client: Option<String>,
    pub category: Option<String>,
    #[serde(with = "seconds")]
    pub response: Option<TimeDelta>,
    #[serde(with = "seconds")]
    pub resolution: Option<TimeDelta>,
    /// The time to answer each further message of the client.
    #[serde(default, with = "seconds", skip_serializing_if = "Option::is_none")]
    pub next_response: Option<TimeDelta>,
    pub counts: Counts,
}

/// The time that a target counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Counts {
    /// Round the clock.
    Calendar,
    /// The working hours of the tenant's calendar or of the client's site.
    Business,
}

impl Counts {
    /// Returns the name used in the configuration and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Calendar => "calendar",
            Self::Business => "business",
        }
    }
}

/// A name that SuperOps does not know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unknown<'a> {
    /// `SLA`, `priority` or `client`.
    pub what: &'static str,
    pub name: &'a str,
    /// The names that SuperOps knows.
    pub known: Vec<&'a str>,
}

/// The fields of a ticket that policies match on.
#[derive(Clone, Copy, Debug, Default)]
pub struct Traits<'a> {
    pub sla: Option<&'a str>,
    pub priority: Option<&'a str>,
    pub client: Option<&'a str>,
    pub category: Option<&'a str>,
}

impl<'a> Traits<'a> {
    /// Returns the traits of `ticket`.
    pub fn of(ticket: &'a Ticket) -> Self {
        Self {
            sla: ticket.sla.as_ref().map(|sla| sla.name.as_str()),
            priority: ticket.priority.as_deref(),
            client: ticket.client.as_ref().map(|client| client.name.as_str()),
            category: ticket.category.as_deref(),
        }
    }
}

impl Policy {
    /// Whether this policy applies to a ticket with `traits`. Names are compared without regard to case.
    pub fn matches(&self, tenant: &TenantId, traits: &Traits<'_>) -> bool {
        let same = |wanted: &Option<String>, found: Option<&str>| match wanted {
            None => true,
            Some(name) => found.is_some_and(|text| same_name(text, name)),
        };
        self.tenant.as_ref().is_none_or(|wanted| wanted == tenant)
            && same(&self.sla, traits.sla)
            && same(&self.priority, traits.priority)
            && same(&self.client, traits.client)
            && same(&self.category, traits.category)
    }

    /// Whether this policy matches every ticket that `other` matches.
    pub fn covers(&self, other: &Self) -> bool {
        let wider = |a: &Option<String>, b: &Option<String>| match (a, b) {
            (None, _) => true,
            (Some(a), Some(b)) => a.trim().eq_ignore_ascii_case(b.trim()),
            (Some(_), None) => false,
        };
        (self.tenant.is_none() || self.tenant == other.tenant)
            && wider(&self.sla, &other.sla)
            && wider(&self.priority, &other.priority)
            && wider(&self.client, &other.client)
            && wider(&self.category, &other.category)
    }

    /// Returns the names in it that `directory` does not know. A list that was never read proves no name unknown.
    pub fn unknown_names<'a>(&'a self, directory: &'a Directory) -> Vec<Unknown<'a>> {
        let slas = directory.slas.values().map(|sla| sla.name.as_str()).collect();
        let priorities = directory.priorities.iter().map(String::as_str).collect();
        let clients = directory.clients.values().map(|client| client.name.as_str()).collect();
        let kinds =
            [("SLA", &self.sla, slas), ("priority", &self.priority, priorities), ("client", &self.client, clients)];
        let unknown = |(what, name, known): (&'static str, &'a Option<String>, Vec<&'a str>)| {
            let name = name.as_deref().filter(|name| !known.iter().any(|known| same_name(known, name)))?;
            (!known.is_empty()).then_some(Unknown { what, name, known })
        };
        kinds.into_iter().filter_map(unknown).collect()
    }

    /// Returns in words which tickets it applies to.
    pub fn words(&self) -> String {
        let tenant = self.tenant.as_ref().map(|id| id.as_str().to_owned());
        let named = [
            ("tenant", &tenant),
            ("SLA", &self.sla),
            ("priority", &self.priority),
            ("client", &self.client),
            ("category", &self.category),
        ];
        let given = named.iter().filter_map(|(what, name)| name.as_ref().map(|name| format!("{what} {name}")));
        let given: Vec<_> = given.collect();
        if given.is_empty() { "every ticket".to_owned() } else { given.join(", ") }
    }

    /// Returns the time allowed for `clock`.
    pub fn target(&self, clock: ClockKind) -> Option<TimeDelta> {
        match clock {
            ClockKind::FirstResponse => self.response,
            ClockKind::Resolution => self.resolution,
            ClockKind::NextResponse => self.next_response,
        }
    }
}

/// Whether two names are the same apart from case and surrounding white space.
fn same_name(a: &str, b: &str) -> bool {
    a.eq_ignore_ascii_case(b) || ((is_padded(a) || is_padded(b)) && a.trim().eq_ignore_ascii_case(b.trim()))
}

/// Whether there may be something to trim. Called for every ticket and policy, so it looks at only two bytes.
fn is_padded(text: &str) -> bool {
    let edges = text.as_bytes().first().zip(text.as_bytes().last());
    edges.is_some_and(|(first, last)| !first.is_ascii_graphic() || !last.is_ascii_graphic())
}

/// Returns the policy that holds for a ticket with `traits`: the first match.
pub fn applicable<'p>(policies: &'p [Policy], tenant: &TenantId, traits: &Traits<'_>) -> Option<&'p Policy> {
    policies.iter().find(|policy| policy.matches(tenant, traits))
}

/// Returns the first policy that takes every ticket from the one at `index`, which is then never reached.
pub fn shadow(policies: &[Policy], index: usize) -> Option<usize> {
    let later = policies.get(index)?;
    policies[..index].iter().position(|earlier| earlier.covers(later))
}

/// Writes targets as seconds, so that people can read stored policies.
mod seconds {
    use chrono::TimeDelta;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<S: Serializer>(length: &Option<TimeDelta>, serializer: S) -> Result<S::Ok, S::Error> {
        length.map(|length| length.num_seconds()).serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<TimeDelta>, D::Error> {
        let seconds: Option<i64> = Option::deserialize(deserializer)?;
        seconds.map(|n| TimeDelta::try_seconds(n).ok_or_else(|| serde::de::Error::custom("too long"))).transpose()
    }
}

#[cfg(test)]
mod tests;
