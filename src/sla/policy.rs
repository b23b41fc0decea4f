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

impl Policy {
    /// Whether this policy speaks of `ticket`. Names are compared without regard to case.
    pub fn matches(&self, tenant: &TenantId, ticket: &Ticket) -> bool {
        let same = |wanted: &Option<String>, found: Option<&str>| match wanted {
            None => true,
            Some(name) => found.is_some_and(|text| same_name(text, name)),
        };
        self.tenant.as_ref().is_none_or(|wanted| wanted == tenant)
            && same(&self.sla, ticket.sla.as_ref().map(|sla| sla.name.as_str()))
            && same(&self.priority, ticket.priority.as_deref())
            && same(&self.client, ticket.client.as_ref().map(|client| client.name.as_str()))
            && same(&self.category, ticket.category.as_deref())
    }

    /// The time allowed for `clock`.
    pub fn target(&self, clock: ClockKind) -> Option<TimeDelta> {
        match clock {
            ClockKind::FirstResponse => self.response,
            ClockKind::Resolution => self.resolution,
        }
    }
}

/// Whether two names are the same but for case and surrounding white space.
fn same_name(a: &str, b: &str) -> bool {
    a.eq_ignore_ascii_case(b) || ((is_padded(a) || is_padded(b)) && a.trim().eq_ignore_ascii_case(b.trim()))
}

/// Whether there may be something to trim. Asked for every ticket and policy, so it looks at two bytes only.
fn is_padded(text: &str) -> bool {
    let edges = text.as_bytes().first().zip(text.as_bytes().last());
    edges.is_some_and(|(first, last)| !first.is_ascii_graphic() || !last.is_ascii_graphic())
}

/// The policy that holds for `ticket`: the first match in order.
pub fn applicable<'a>(policies: &'a [Policy], tenant: &TenantId, ticket: &Ticket) -> Option<&'a Policy> {
    policies.iter().find(|policy| policy.matches(tenant, ticket))
}
