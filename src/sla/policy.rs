//! Which targets an MSP promised, and to which tickets they apply.
//!
//! SuperOps sends due times, not the targets behind them; a policy here is the
//! MSP's own statement of them. The first policy that matches a ticket holds.

use chrono::TimeDelta;

use crate::ticket::{ClockKind, TenantId, Ticket};

/// A promise: to which tickets it applies, and how much time it allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    pub tenant: Option<TenantId>,
    /// The name of SuperOps' SLA.
    pub sla: Option<String>,
    pub priority: Option<String>,
    pub client: Option<String>,
    pub category: Option<String>,
    pub response: Option<TimeDelta>,
    pub resolution: Option<TimeDelta>,
    pub counts: Counts,
}

/// Which time a target counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Counts {
    /// Round the clock.
    Calendar,
    /// The working hours of the tenant's calendar or of the client's site.
    Business,
}

/// What a policy goes by.
#[derive(Clone, Copy, Debug, Default)]
pub struct Traits<'a> {
    pub sla: Option<&'a str>,
    pub priority: Option<&'a str>,
    pub client: Option<&'a str>,
    pub category: Option<&'a str>,
}

impl<'a> Traits<'a> {
    /// Those of `ticket`.
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
    /// Whether this policy speaks of a ticket with `traits`. Names are compared without regard to case.
    pub fn matches(&self, tenant: &TenantId, traits: &Traits<'_>) -> bool {
        let same = |wanted: &Option<String>, found: Option<&str>| match wanted {
            None => true,
            Some(name) => found.is_some_and(|text| text.trim().eq_ignore_ascii_case(name.trim())),
        };
        self.tenant.as_ref().is_none_or(|wanted| wanted == tenant)
            && same(&self.sla, traits.sla)
            && same(&self.priority, traits.priority)
            && same(&self.client, traits.client)
            && same(&self.category, traits.category)
    }

    /// The time allowed for `clock`.
    pub fn target(&self, clock: ClockKind) -> Option<TimeDelta> {
        match clock {
            ClockKind::FirstResponse => self.response,
            ClockKind::Resolution => self.resolution,
        }
    }
}

/// The policy that holds for a ticket with `traits`: the first match in order.
pub fn applicable<'p>(policies: &'p [Policy], tenant: &TenantId, traits: &Traits<'_>) -> Option<&'p Policy> {
    policies.iter().find(|policy| policy.matches(tenant, traits))
}
