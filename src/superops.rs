//! The SuperOps client: one call per thing we want to know.
//!
//! Each call waits for its permit, is sent with a deadline, and is retried where that may help. Its answer is
//! classified before it is decoded, and decoded record by record. Each tenant has one client, shared by everything that
//! queries it.

mod answer;
mod convert;
mod error;
mod gaps;
mod json;
mod link;
mod operations;
mod pace;
mod page;
pub mod probe;
mod records;
mod schema;
mod skew;
#[cfg(test)]
mod tests;
mod wording;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use chrono::TimeDelta;
use secrecy::SecretString;

use self::answer::Answered;
pub use self::convert::{completed, lacks};
pub use self::error::ApiError;
use self::json::Value;
use self::link::{Limits, Link};
use self::operations::{Call, Kind};
use self::pace::Pacer;
pub use self::pace::Urgency;
pub use self::records::{
    Conversation, ConversationKind, Gap, Listed, Note, Order, Page, Reject, Seen, TicketAsk, TicketEdit, TicketPage,
    is_newest_first,
};
use self::wording::Wording;
use crate::clock::SharedClock;
use crate::config::Tenant;
use crate::telemetry::{RequestLabels, Telemetry, TenantLabels};
use crate::ticket::{Client, Named, Site, Technician, TenantId, Ticket, TicketId};

/// Retries after a first attempt that failed in a way that may pass.
const RETRIES: usize = 3;

/// How many times one call may be refused for fields it asks for and then sent again without them.
const REWORDINGS: usize = 20;

/// How many throttles one call waits out before it gives up.
const THROTTLE_WAITS: u32 = 2;

/// One tenant's SuperOps.
#[derive(Debug)]
pub struct SuperOps {
    tenant: TenantId,
    link: Link,
    pacer: Pacer,
    backoff: ExponentialBuilder,
    wording: Wording,
    telemetry: Arc<Telemetry>,
    /// Whether it has answered with another ticket than the one asked for.
    answers_with_others: AtomicBool,
}

impl SuperOps {
    /// Returns a client of `tenant` that runs beside a service and uses only the half of the budget shared with it.
    pub fn beside_service(tenant: &Tenant, telemetry: Arc<Telemetry>) -> Result<Self, ApiError> {
        let client = Self::new(tenant, telemetry)?;
        client.pacer.share_half(true);
        Ok(client)
    }

    /// Returns a client of `tenant`. Sends nothing and reads no token yet.
    pub fn new(tenant: &Tenant, telemetry: Arc<Telemetry>) -> Result<Self, ApiError> {
        Self::with_limits(tenant, telemetry, Limits::default())
    }

    fn with_limits(tenant: &Tenant, telemetry: Arc<Telemetry>, limits: Limits) -> Result<Self, ApiError> {
        let client = Self {
            tenant: tenant.id.clone(),
            link: Link::new(tenant, limits)?,
            pacer: Pacer::new(tenant.requests_per_minute),
            backoff: ExponentialBuilder::new().with_min_delay(limits.first_retry).with_max_times(RETRIES).with_jitter(),
            wording: Wording::default(),
            telemetry,
            answers_with_others: AtomicBool::new(false),
        };
        client.show_budget();
        // Start the series at zero, so that the first throttle shows as a rise.
        drop(client.telemetry.throttles.get_or_create(&TenantLabels { tenant: tenant.id.to_string() }));
        Ok(client)
    }

    /// Makes the client use `clock`.
    pub fn by_clock(mut self, clock: SharedClock) -> Self {
        self.link.compare(clock);
        self
    }

    /// The tenant of this client.
    pub fn tenant(&self) -> &TenantId {
        &self.tenant
    }

    /// Returns how many calls a minute we currently allow ourselves.
    pub fn budget(&self) -> u32 {
        self.pacer.budget()
    }

    /// Reads one ticket. `None` if SuperOps does not know it or hides it; it does not say which.
    pub async fn ticket(&self, id: &TicketId, urgency: Urgency) -> Result<Option<Ticket>, ApiError> {
        Ok(self.single(id, urgency).await?.tickets.pop())
    }

    /// Shares half of the budget with another program that uses the same token, or takes it back. Returns the longest
    /// time until that half is free.
    pub fn share_half(&self, shared: bool) -> Duration {
        let free_in = self.pacer.share_half(shared);
        self.show_budget();
        free_in
    }

    /// Returns how far our clock is ahead of SuperOps'; negative if it is behind. `None` until a few answers have come
    /// in.
    pub fn clock_ahead(&self) -> Option<TimeDelta> {
        self.link.ahead()
    }

    /// Reads who wrote on a ticket, and when.
    pub async fn conversations(&self, id: &TicketId, urgency: Urgency) -> Result<Vec<Conversation>, ApiError> {
        let data = self.whole(&operations::conversations(id), urgency).await?;
        Ok(convert::conversations(&data))
    }

    /// Reads one page of technicians, counted from 1.
    pub async fn technicians(&self, page: u32, urgency: Urgency) -> Result<Page<Technician>, ApiError> {
        let answer = self.list_page(&operations::technicians(page), page, urgency).await?;
        convert::technicians(&answer.data, &answer.gaps).ok_or_else(no_list)
    }

    /// Reads one page of clients, counted from 1.
    pub async fn clients(&self, page: u32, urgency: Urgency) -> Result<Page<Client>, ApiError> {
        let answer = self.list_page(&operations::clients(page), page, urgency).await?;
        convert::clients(&answer.data, &answer.gaps).ok_or_else(no_list)
    }

    /// Reads one page of the sites of all clients, counted from 1.
    pub async fn sites(&self, page: u32, urgency: Urgency) -> Result<Page<Site>, ApiError> {
        let answer = self.list_page(&operations::sites(page), page, urgency).await?;
        convert::sites(&answer.data, &answer.gaps).ok_or_else(no_list)
    }

    /// Reads all groups of technicians. Their members are listed on the technicians.
    pub async fn groups(&self, urgency: Urgency) -> Result<Vec<Named>, ApiError> {
        Ok(convert::named_list(&self.whole(&operations::groups(), urgency).await?))
    }

    /// Reads all SLAs, by name: SuperOps does not give their targets.
    pub async fn slas(&self, urgency: Urgency) -> Result<Vec<Named>, ApiError> {
        Ok(convert::named_list(&self.whole(&operations::slas(), urgency).await?))
    }

    /// Reads the names of the priorities.
    pub async fn priorities(&self, urgency: Urgency) -> Result<Vec<String>, ApiError> {
        Ok(convert::names(&self.whole(&operations::priorities(), urgency).await?))
    }

    /// Reads the names of the statuses. Newer tenants may keep them among the fields of a ticket.
    pub async fn statuses(&self, urgency: Urgency) -> Result<Vec<String>, ApiError> {
        match self.whole(&operations::statuses(), urgency).await {
            Err(refused @ (ApiError::RefusedQuery { .. } | ApiError::Internal { .. })) => {
                self.statuses_of_fields(urgency).await.ok().flatten().ok_or(refused)
            }
            result => Ok(convert::names(&result?)),
        }
    }

    /// Reads the statuses from the fields of a ticket. `None` if the tenant has no query for these; one it does not
    /// know is not sent.
    async fn statuses_of_fields(&self, urgency: Urgency) -> Result<Option<Vec<String>>, ApiError> {
        let known = self.whole(&operations::query_names(), urgency).await?;
        if !schema::has_query(&known, "getAllFields") {
            return Ok(None);
        }
        let fields = self.whole(&operations::ticket_fields(), urgency).await?;
        Ok(Some(convert::statuses_of_fields(&fields)))
    }

    /// Reads the notes of a ticket.
    pub async fn notes(&self, id: &TicketId, urgency: Urgency) -> Result<Vec<Note>, ApiError> {
        Ok(convert::notes(&self.whole(&operations::notes(id), urgency).await?))
    }

    /// Adds a private note that ends with `key`, which identifies it later.
    ///
    /// SuperOps may add the note and still answer with an error, so it is never sent twice. Instead the notes are read
    /// back, and if it is not among them the error says that the outcome is unknown.
    pub async fn add_note(&self, id: &TicketId, html: &str, key: &str, urgency: Urgency) -> Result<(), ApiError> {
        let call = operations::add_note(id, format!("{html}<p>{key}</p>"));
        match self.call(&call, urgency).await {
            Err(ApiError::Unconfirmed { operation }) => {
                let notes = self.notes(id, urgency).await?;
                let found = notes.iter().any(|note| note.content.contains(key));
                if found { Ok(()) } else { Err(ApiError::Unconfirmed { operation }) }
            }
            result => result.map(drop),
        }
    }

    /// Changes one field of a ticket.
    ///
    /// Like a note, the change is never sent twice: if the outcome is unknown, the ticket is read back.
    pub async fn edit_ticket(&self, id: &TicketId, edit: &TicketEdit, urgency: Urgency) -> Result<(), ApiError> {
        match self.call(&operations::edit_ticket(id, edit), urgency).await {
            Err(ApiError::Unconfirmed { operation }) => {
                let ticket = self.ticket(id, urgency).await?;
                let is_made = ticket.is_some_and(|ticket| edit.is_made(&ticket));
                if is_made { Ok(()) } else { Err(ApiError::Unconfirmed { operation }) }
            }
            result => result.map(drop),
        }
    }

    /// Reads this tenant's schema.
    async fn introspect(&self) -> Result<Value, ApiError> {
        self.whole(&operations::introspect(), Urgency::Urgent).await
    }

    /// Makes `call` for that page of a list. Nothing at all is an empty list, but not the rest of one.
    async fn list_page(&self, call: &Call, page: u32, urgency: Urgency) -> Result<Answered, ApiError> {
        let answer = self.call(call, urgency).await?;
        if page > 1 && answer.data.is_null() { Err(no_list()) } else { Ok(answer) }
    }

    /// Makes `call`, and treats an answer with gaps as an error.
    async fn whole(&self, call: &Call, urgency: Urgency) -> Result<Value, ApiError> {
        let answer = self.call(call, urgency).await?;
        if answer.gaps.is_none() { Ok(answer.data) } else { Err(ApiError::Internal { operation: call.operation }) }
    }

    /// Makes `call`, without the fields that this tenant's schema lacks.
    async fn call(&self, call: &Call, urgency: Urgency) -> Result<Answered, ApiError> {
        self.call_without(call, &BTreeSet::new(), urgency).await
    }

    /// Makes `call` without `fields` and without those that this tenant's schema lacks.
    async fn call_without(
        &self,
        call: &Call,
        fields: &BTreeSet<String>,
        urgency: Urgency,
    ) -> Result<Answered, ApiError> {
        for _ in 0..REWORDINGS {
            let unknown = self.wording.left_out(call);
            let left_out: BTreeSet<_> = unknown.union(fields).cloned().collect();
            let reworded = call.without(&left_out);
            match self.repeated(reworded.as_ref().unwrap_or(call), urgency).await {
                Err(ApiError::Misfit { says, .. }) => self.leave_out(call, &says)?,
                result => {
                    return result.map(|answer| answer.without(unknown, fields)).map_err(|error| meant(call, error));
                }
            }
        }
        let why = "too many of its fields are unknown".to_owned();
        Err(ApiError::RefusedQuery { operation: call.operation, why })
    }

    /// Leaves out the fields that SuperOps complains of, or returns an error if the complaint is about something else.
    fn leave_out(&self, call: &Call, complaints: &[String]) -> Result<(), ApiError> {
        let (tenant, operation) = (&self.tenant, call.operation);
        let news = self.wording.learn(call, complaints);
        if news.is_empty() {
            let why = complaints.first().map(|says| answer::clipped(says, 200)).unwrap_or_default();
            return Err(ApiError::RefusedQuery { operation, why });
        }
        for field in news {
            tracing::warn!(%tenant, field, "superops does not know `{field}` for `{tenant}`; it is left out for ten minutes");
        }
        Ok(())
    }

    /// Sends `call`, with retries.
    async fn repeated(&self, call: &Call, urgency: Urgency) -> Result<Answered, ApiError> {
        let mut internal_errors = 0;
        (|| self.paced(call, urgency))
            .retry(self.backoff)
            .when(|error| {
                internal_errors += u32::from(matches!(error, ApiError::Internal { .. }));
                may_repeat(call.kind, error, internal_errors)
            })
            .await
    }

    /// Makes one attempt, and another after each throttle it waits out.
    async fn paced(&self, call: &Call, urgency: Urgency) -> Result<Answered, ApiError> {
        for _ in 0..THROTTLE_WAITS {
            match self.attempt(call, urgency).await {
                Err(ApiError::Throttled) => {}
                result => return result,
            }
        }
        self.attempt(call, urgency).await
    }

    /// Makes one attempt, and one more if the token was refused and its source has a new one.
    async fn attempt(&self, call: &Call, urgency: Urgency) -> Result<Answered, ApiError> {
        let token = self.link.token().await?;
        let result = self.permitted(call, urgency, &token).await;
        if !matches!(result, Err(ApiError::Unauthorized { .. })) {
            return result;
        }
        match self.link.renewed(&token).await? {
            None => result,
            Some(token) => {
                tracing::info!(tenant = %self.tenant, "the token of `{}` was renewed at its source", self.tenant);
                self.permitted(call, urgency, &token).await
            }
        }
    }

    async fn permitted(&self, call: &Call, urgency: Urgency, token: &SecretString) -> Result<Answered, ApiError> {
        let permit = self.pacer.permit(urgency, call.operation).await;
        let result = self.link.send(call, token).await;
        drop(permit);
        self.record(call.operation, &result);
        result
    }

    fn record(&self, operation: &'static str, result: &Result<Answered, ApiError>) {
        if matches!(result, Err(ApiError::Throttled)) {
            self.throttled(operation);
        }
        self.show_budget();
        let outcome = result.as_ref().map_or_else(ApiError::outcome, |_| "ok");
        let labels = RequestLabels { tenant: self.tenant.to_string(), operation, outcome };
        self.telemetry.requests.get_or_create(&labels).inc();
    }

    fn throttled(&self, operation: &'static str) {
        self.pacer.throttled();
        let tenant = self.tenant.to_string();
        tracing::warn!(
            tenant,
            operation,
            budget_per_minute = self.pacer.budget(),
            "superops says `{tenant}` is over its rate limit; all its calls wait a minute"
        );
        self.telemetry.throttles.get_or_create(&TenantLabels { tenant }).inc();
    }

    fn show_budget(&self) {
        let labels = TenantLabels { tenant: self.tenant.to_string() };
        self.telemetry.budget.get_or_create(&labels).set(self.pacer.budget().into());
    }
}

/// Whether to send the same call again after `error`.
fn may_repeat(kind: Kind, error: &ApiError, internal_errors: u32) -> bool {
    match kind {
        Kind::Plain => error.retryable(),
        // Once more, in case it was a glitch; after that, the caller diagnoses it.
        Kind::Shaped => error.retryable() && internal_errors <= 1,
        Kind::Once | Kind::Write => false,
    }
}

/// Translates the final `error` for this kind of call.
fn meant(call: &Call, error: ApiError) -> ApiError {
    let operation = call.operation;
    match (call.kind, error) {
        (
            Kind::Write,
            ApiError::Internal { .. }
            | ApiError::Broken { .. }
            | ApiError::Transient { .. }
            | ApiError::TooLarge { .. },
        ) => ApiError::Unconfirmed { operation },
        (_, error) => error,
    }
}

fn no_list() -> ApiError {
    ApiError::transient("the answer holds no list")
}

/// Reads a list of `tenant` to its end, page by page. Returns its records, and what could not be read.
pub async fn all_pages<T: Listed, F>(
    tenant: &TenantId,
    page: impl Fn(u32) -> F,
) -> Result<(Vec<T>, Vec<Reject>), ApiError>
where
    F: Future<Output = Result<Page<T>, ApiError>>,
{
    let (mut items, mut rejects, mut seen) = (Vec::new(), Vec::new(), Seen::default());
    for number in 1.. {
        let next = page(number).await?;
        let (goes_on, repeats) = (next.goes_on_after(number), next.repeats(&mut seen));
        items.extend(next.items);
        rejects.extend(next.rejects);
        if goes_on && repeats {
            tracing::warn!(%tenant, number, "superops says that a list goes on, but page {number} only repeats others: it ends there");
        }
        if !goes_on || repeats {
            break;
        }
    }
    Ok((items, rejects))
}
