//! Why clocks were missed: what the history of a ticket tells, and a person's word, which goes before it.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::super::described::ReasonWord;
use super::super::{Complaint, Reach, Service, ServiceError};
use super::names::SOMEBODY;
use crate::report::People;
use crate::report::entry::{Entry, Reason, Said};
use crate::store::audit::Author;
use crate::store::books::Missed;
use crate::ticket::{ClockKind, TenantId, TicketId};

/// What somebody says of a missed clock of a ticket.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReasonOrder {
    pub clock: ClockKind,
    /// Which round of it; the last that was missed by default.
    pub round: Option<u32>,
    /// Null takes a word back, and must be written: who forgets the key takes nothing back.
    #[schema(value_type = Option<ReasonWord>, required = true)]
    #[serde(deserialize_with = "Option::deserialize")]
    pub reason: Option<String>,
}

/// Why a clock was missed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ReasonView {
    /// first_response | resolution | next_response
    pub clock: &'static str,
    pub round: u32,
    /// The one that counts: a person's word, else what the history tells.
    pub reason: Option<&'static str>,
    pub words: Option<&'static str>,
    /// What the history of the ticket tells.
    pub from_history: Option<&'static str>,
    /// Whose word it is; null: it follows from the history.
    pub said_by: Option<String>,
}

impl ReasonView {
    fn of(entry: &Entry, people: People) -> Self {
        let author = |said: &Said| if people == People::Named { said.by.to_string() } else { SOMEBODY.to_owned() };
        Self {
            clock: entry.clock.as_str(),
            round: entry.round,
            reason: entry.final_reason().map(Reason::as_str),
            words: entry.final_reason().map(Reason::words),
            from_history: entry.reason.map(Reason::as_str),
            said_by: entry.said.as_ref().map(author),
        }
    }
}

impl ReasonOrder {
    fn reason(&self) -> Result<Option<Reason>, ServiceError> {
        let Some(name) = self.reason.as_deref().map(str::trim).filter(|name| !name.is_empty()) else { return Ok(None) };
        let names = || Vec::from(Reason::ALL.map(Reason::as_str)).join(", ");
        let complaint = || {
            ServiceError::BadQuestion(Complaint::of("reason", format!("is `{name}`, and must be one of {}", names())))
        };
        Reason::parse(name).map(Some).ok_or_else(complaint)
    }

    fn means(&self, entry: &Entry) -> bool {
        entry.clock == self.clock && self.round.is_none_or(|round| entry.round == round)
    }
}

impl Service {
    /// Records a person's word on why a clock of a ticket was missed, or takes it back; none if there is no such ticket
    /// within `scope`, or no such breach in the books.
    pub async fn say_reason(
        &self,
        scope: &Reach,
        id: &str,
        order: &ReasonOrder,
        author: Author,
    ) -> Result<Option<ReasonView>, ServiceError> {
        let reason = order.reason()?;
        let Some((tenant, watched)) = self.found(scope, id).await? else { return Ok(None) };
        let ticket = &watched.ticket.id;
        let breaches = self.store.breaches_of(&tenant, &[ticket.as_str()]).await?;
        let meant = breaches.iter().filter(|entry| order.means(entry)).max_by_key(|entry| entry.round);
        let Some(entry) = meant else { return Ok(None) };
        let missed = Missed { ticket: ticket.clone(), clock: entry.clock, round: entry.round };
        self.store.say_reason(&tenant, missed, reason, author, self.clock.now()).await?;
        let breaches = self.store.breaches_of(&tenant, &[ticket.as_str()]).await?;
        let found = breaches.iter().find(|one| (one.clock, one.round) == (entry.clock, entry.round));
        Ok(found.map(|entry| ReasonView::of(entry, self.config.reports.people)))
    }

    /// Why the clocks of a ticket were missed, in order; none if there is no such ticket within `scope`.
    pub async fn reasons_of(&self, scope: &Reach, id: &str) -> Result<Option<Vec<ReasonView>>, ServiceError> {
        let Some((tenant, watched)) = self.found(scope, id).await? else { return Ok(None) };
        let mut breaches = self.store.breaches_of(&tenant, &[watched.ticket.id.as_str()]).await?;
        breaches.sort_by_key(|entry| (entry.clock.as_str(), entry.round));
        Ok(Some(breaches.iter().map(|entry| ReasonView::of(entry, self.config.reports.people)).collect()))
    }

    /// Why these tickets' clocks were missed.
    pub(in crate::service) async fn reasons(&self, tickets: &[(TenantId, TicketId)]) -> Result<Reasons, ServiceError> {
        let mut of_tenant: HashMap<&TenantId, Vec<&str>> = HashMap::new();
        for (tenant, ticket) in tickets {
            of_tenant.entry(tenant).or_default().push(ticket.as_str());
        }
        let mut reasons = Reasons { people: self.config.reports.people, breaches: HashMap::new() };
        for (tenant, ids) in of_tenant {
            for entry in self.store.breaches_of(tenant, &ids).await? {
                reasons.breaches.entry((tenant.to_string(), entry.ticket.to_string())).or_default().push(entry);
            }
        }
        Ok(reasons)
    }
}

/// The breaches of some tickets, by tenant and ticket.
pub struct Reasons {
    people: People,
    breaches: HashMap<(String, String), Vec<Entry>>,
}

impl Reasons {
    /// The breach of that clock that was decided nearest to `due`.
    pub fn nearest(&self, of: (&str, &str), clock: ClockKind, due: DateTime<Utc>) -> Option<ReasonView> {
        let entries = self.breaches.get(&(of.0.to_owned(), of.1.to_owned()))?;
        let of_clock = entries.iter().filter(|entry| entry.clock == clock);
        of_clock.min_by_key(|entry| (entry.decided_at - due).abs()).map(|entry| ReasonView::of(entry, self.people))
    }
}
