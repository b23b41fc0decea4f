//! Silences and maintenance windows as people make, see and end them.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::ending::end_of;
use super::on_call::namesakes;
use super::{Complaint, Reach, Service, ServiceError};
use crate::alert::on_call::Person;
use crate::alert::suppression::{Matchers, Suppression, SuppressionKind};
use crate::config::nearest;
use crate::store::audit::Author;
use crate::store::suppressions::NewSuppression;
use crate::ticket::{Named, TenantId};

/// The longest suppression: a longer one would not be temporary.
const LONGEST: TimeDelta = TimeDelta::days(366);
/// The longest name and reason, in characters.
const LONGEST_TEXT: usize = 500;

/// A silence or a maintenance window.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SuppressionView {
    pub id: i64,
    pub kind: SuppressionKind,
    pub tenant: String,
    #[serde(flatten)]
    pub matchers: Matchers,
    pub from: DateTime<Utc>,
    pub until: DateTime<Utc>,
    pub author: String,
    pub reason: String,
}

impl SuppressionView {
    pub(super) fn of(suppression: &Suppression) -> Self {
        Self {
            id: suppression.id,
            kind: suppression.kind,
            tenant: suppression.tenant.to_string(),
            matchers: suppression.matchers.clone(),
            from: suppression.from,
            until: suppression.until,
            author: suppression.author.clone(),
            reason: suppression.reason.clone(),
        }
    }
}

/// A silence or a maintenance window to be added.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SuppressionOrder {
    /// Needed where there are several.
    pub tenant: Option<String>,
    pub client: Option<String>,
    pub ticket: Option<String>,
    /// The id or the name of a component.
    pub component: Option<String>,
    pub priority: Option<String>,
    pub technician: Option<String>,
    /// Must be true to silence all of the tenant's alerts: an order with a reason alone could be a slip.
    #[serde(default)]
    pub everything: bool,
    /// From now on by default.
    pub from: Option<DateTime<Utc>>,
    pub until: Option<DateTime<Utc>>,
    /// A length of time from its beginning: `2h`.
    #[serde(rename = "for")]
    pub length: Option<String>,
    /// Who wants it; the caller by default.
    pub author: Option<String>,
    pub reason: String,
}

impl Service {
    /// The present and coming silences or maintenance windows, the first to end first.
    pub async fn suppressions(
        &self,
        scope: &Reach,
        kind: SuppressionKind,
    ) -> Result<Vec<SuppressionView>, ServiceError> {
        let found = self.store.suppressions(scope, self.leaders_now()).await?;
        Ok(found.iter().filter(|suppression| suppression.kind == kind).map(SuppressionView::of).collect())
    }

    /// Adds one; none if the tenant it names is not within `scope`.
    pub async fn add_suppression(
        &self,
        scope: &Reach,
        kind: SuppressionKind,
        order: SuppressionOrder,
        author: Author,
    ) -> Result<Option<SuppressionView>, ServiceError> {
        let now = self.leaders_now();
        let Some(tenant) = self.meant_tenant(scope, order.tenant.as_deref())? else { return Ok(None) };
        let from = order.from.unwrap_or(now).max(now);
        if order.until.is_some_and(|until| now < until && until <= from) {
            return Err(ServiceError::BadQuestion(Complaint::about("until", "it ends before it begins")));
        }
        let until = end_of(from, order.length.as_deref(), order.until)?;
        if until - now > LONGEST {
            return Err(ServiceError::BadQuestion(Complaint::whole("it must end within a year")));
        }
        let matchers = Matchers {
            client: named("client", order.client)?,
            ticket: named("ticket", order.ticket)?,
            component: named("component", order.component)?,
            priority: named("priority", order.priority)?,
            technician: named("technician", order.technician)?,
        };
        if kind == SuppressionKind::Silence && matchers == Matchers::default() && !order.everything {
            return Err(ServiceError::BadQuestion(Complaint::whole(format!(
                "say what to be quiet about: `client`, `ticket`, `component`, `priority` or `technician`; to silence every alert of \
                 {tenant}, say `everything`: true"
            ))));
        }
        self.check_names(&tenant, &matchers).await?;
        // Where one token serves several people, they may say who they are; the token is always named.
        let by = named("author", order.author)?;
        let by = by.map_or_else(|| author.who.clone(), |name| format!("{name} ({})", author.who));
        let Some(reason) = named("reason", Some(order.reason))? else {
            return Err(ServiceError::BadQuestion(Complaint::about("reason", "say why: `reason` must not be blank")));
        };
        let author = Author { who: by.clone(), ..author };
        let new = NewSuppression { kind, tenant, matchers, from, until, author: by, reason };
        let added = self.store.add_suppression(new, author, now).await?;
        self.ring();
        Ok(Some(SuppressionView::of(&added)))
    }

    /// Ends one now; false if there is none within `scope` that could be ended.
    pub async fn end_suppression(
        &self,
        scope: &Reach,
        kind: SuppressionKind,
        id: i64,
        author: Author,
    ) -> Result<bool, ServiceError> {
        let ended = self.store.end_suppression(kind, scope, id, author, self.leaders_now()).await?;
        if ended {
            self.ring();
        }
        Ok(ended)
    }

    /// Refuses a name that nobody has: a silence of it would silence nothing.
    async fn check_names(&self, tenant: &TenantId, wanted: &Matchers) -> Result<(), ServiceError> {
        let (people, open) = (self.store.directory(tenant).await?, self.store.open_tickets(tenant).await?);
        let tickets = || open.values().map(|watched| &watched.ticket);
        let both = |named: &Named| [named.name.clone(), named.id.to_string()];
        let listed = people.clients.values().flat_map(|client| [client.name.clone(), client.id.to_string()]);
        let components = || self.config.uptime.components.iter().filter(|one| one.tenant == *tenant);
        let clients = listed.chain(tickets().filter_map(|ticket| ticket.client.as_ref()).flat_map(both));
        let clients = clients.chain(components().filter_map(|one| one.client.clone()));
        known("client", "client", tenant, wanted.client.as_deref(), clients)?;
        let listed = people.technicians.values().flat_map(|person| [person.name.clone(), person.id.to_string()]);
        let technicians = listed.chain(tickets().filter_map(|ticket| ticket.technician.as_ref()).flat_map(both));
        known("technician", "technician", tenant, wanted.technician.as_deref(), technicians)?;
        if let Some(name) = &wanted.technician
            && let Some(ids) = namesakes(&Person::Named(name.clone()), &[&people])
        {
            return Err(ServiceError::BadQuestion(Complaint::about(
                "technician",
                format!("`technician`: several of {tenant} are called `{name}`: give the id ({ids})"),
            )));
        }
        let priorities =
            people.priorities.iter().cloned().chain(tickets().filter_map(|ticket| ticket.priority.clone()));
        let priorities = priorities.chain(components().filter_map(|one| one.priority.clone()));
        let named = components().flat_map(|one| [one.id.clone(), one.name.clone()]);
        known("component", "component", tenant, wanted.component.as_deref(), named)?;
        known("priority", "priority", tenant, wanted.priority.as_deref(), priorities)?;
        match &wanted.ticket {
            Some(ticket) if self.store.find_ticket(&Reach::One(tenant.clone()), ticket).await?.is_empty() => {
                let shown = tickets().map(|ticket| ticket.display_id.clone());
                known("ticket", "ticket", tenant, Some(ticket), shown)
            }
            _ => Ok(()),
        }
    }

    /// The tenant whose alerts are meant; none if it is not within `scope`.
    fn meant_tenant(&self, scope: &Reach, named: Option<&str>) -> Result<Option<TenantId>, ServiceError> {
        let within: Vec<_> = self.tenants(scope).map(|tenant| tenant.id.clone()).collect();
        match (named.map(str::trim).filter(|name| !name.is_empty()), within.as_slice()) {
            (Some(name), within) => Ok(within.iter().find(|tenant| tenant.as_str() == name).cloned()),
            (None, [only]) => Ok(Some(only.clone())),
            (None, _) => {
                Err(ServiceError::BadQuestion(Complaint::about("tenant", "say whose alerts are meant: `tenant`")))
            }
        }
    }
}

/// Complains about a `wanted` name that is none of `names`, with the nearest of them. If no name is known, SuperOps has
/// not been read yet, and any will do.
fn known(
    key: &'static str,
    what: &str,
    tenant: &TenantId,
    wanted: Option<&str>,
    names: impl Iterator<Item = String>,
) -> Result<(), ServiceError> {
    let Some(wanted) = wanted else { return Ok(()) };
    let names: BTreeSet<String> = names.filter(|name| !name.trim().is_empty()).collect();
    let fold = |name: &str| name.trim().to_lowercase();
    if names.is_empty() || names.iter().any(|name| fold(name) == fold(wanted)) {
        return Ok(());
    }
    let hint = nearest(wanted, names.iter().map(String::as_str));
    Err(ServiceError::BadQuestion(Complaint::about(
        key,
        format!("`{key}`: {tenant} has no {what} called `{wanted}`{hint}"),
    )))
}

/// Trims `text`; none if nothing is left.
fn named(key: &'static str, text: Option<String>) -> Result<Option<String>, ServiceError> {
    let text = text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    match text {
        Some(text) if text.chars().count() > LONGEST_TEXT => Err(ServiceError::BadQuestion(Complaint::of(
            key,
            format!("must not be longer than {LONGEST_TEXT} characters"),
        ))),
        text => Ok(text),
    }
}
