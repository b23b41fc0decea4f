//! Manual overrides: a person who knows better decides about a clock, with a reason.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Complaint, Reach, Service, ServiceError, TicketSla};
use crate::store::audit::Author;
use crate::ticket::ClockKind;
use crate::ticket::manual_override::{ManualOverride, OverrideAction};
use crate::ticket::watch::Watched;

/// The longest reason, in bytes.
const LONGEST_REASON: usize = 500;
/// How far ahead a due time may lie: further is a typing error.
const FURTHEST: TimeDelta = TimeDelta::days(3660);

/// A decision about a clock, as people are shown it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct OverrideView {
    pub clock: ClockKind,
    /// due | stopped_at | cancelled
    pub ruling: &'static str,
    pub time: Option<DateTime<Utc>>,
    /// Text of a person.
    pub reason: String,
    pub by: String,
    pub at: DateTime<Utc>,
    /// It holds for this cycle of the ticket.
    pub cycle: u32,
}

impl From<&ManualOverride> for OverrideView {
    fn from(decided: &ManualOverride) -> Self {
        Self {
            clock: decided.clock,
            ruling: decided.action.as_str(),
            time: decided.action.time(),
            reason: decided.reason.clone(),
            by: decided.by.clone(),
            at: decided.at,
            cycle: decided.cycle,
        }
    }
}

/// What somebody decides: one of `due`, `stopped_at` and `cancelled`.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OverrideOrder {
    pub clock: ClockKind,
    pub due: Option<DateTime<Utc>>,
    pub stopped_at: Option<DateTime<Utc>>,
    #[serde(default)]
    pub cancelled: bool,
    pub reason: String,
}

impl OverrideOrder {
    fn action(&self) -> Result<OverrideAction, ServiceError> {
        match (self.due, self.stopped_at, self.cancelled) {
            (Some(at), None, false) => Ok(OverrideAction::Due(at)),
            (None, Some(at), false) => Ok(OverrideAction::StoppedAt(at)),
            (None, None, true) => Ok(OverrideAction::Cancelled),
            _ => Err(bad(Complaint::whole("say just one of `due`, `stopped_at` and `cancelled`"))),
        }
    }

    fn reason(&self) -> Result<String, ServiceError> {
        match self.reason.trim() {
            "" => Err(bad(Complaint::about("reason", "say why: `reason` must not be blank"))),
            long if long.len() > LONGEST_REASON => {
                Err(bad(Complaint::of("reason", "must not be longer than 500 bytes")))
            }
            reason => Ok(reason.to_owned()),
        }
    }
}

impl Service {
    /// Decides about a clock of a ticket, by its id or display id; none if there is no such ticket within `scope`.
    pub async fn decide(
        &self,
        scope: &Reach,
        id: &str,
        order: OverrideOrder,
        author: Author,
    ) -> Result<Option<TicketSla>, ServiceError> {
        let now = self.clock.now();
        let Some((tenant, watched)) = self.found(scope, id).await? else { return Ok(None) };
        let decided = ManualOverride {
            clock: order.clock,
            cycle: watched.cycle,
            action: sensible(order.action()?, order.clock, &watched, now)?,
            reason: order.reason()?,
            by: author.who.clone(),
            at: now,
        };
        self.store.decide(&tenant, &watched.ticket.id, decided, author).await?;
        self.ring();
        self.ticket(&Reach::One(tenant), watched.ticket.id.as_str()).await
    }

    /// Takes back what was decided about a clock; none if there is no such ticket within `scope`.
    pub async fn undecide(
        &self,
        scope: &Reach,
        id: &str,
        clock: ClockKind,
        author: Author,
    ) -> Result<Option<TicketSla>, ServiceError> {
        let Some((tenant, watched)) = self.found(scope, id).await? else { return Ok(None) };
        self.store.undecide(&tenant, &watched.ticket.id, clock, author, self.clock.now()).await?;
        self.ring();
        self.ticket(&Reach::One(tenant), watched.ticket.id.as_str()).await
    }
}

/// Checks that a clock is due after it began, or stopped between then and now.
fn sensible(
    action: OverrideAction,
    clock: ClockKind,
    watched: &Watched,
    now: DateTime<Utc>,
) -> Result<OverrideAction, ServiceError> {
    let early = |at| watched.start(clock).is_some_and(|start| at < start);
    match action {
        OverrideAction::Due(at) if early(at) => Err(bad(Complaint::of("due", "lies before the clock began"))),
        OverrideAction::Due(at) if at - now > FURTHEST => {
            Err(bad(Complaint::of("due", "lies more than ten years ahead")))
        }
        OverrideAction::StoppedAt(at) if early(at) => {
            Err(bad(Complaint::of("stopped_at", "lies before the clock began")))
        }
        OverrideAction::StoppedAt(at) if at > now => {
            Err(bad(Complaint::of("stopped_at", "lies ahead: a clock cannot be known to have stopped then")))
        }
        sensible => Ok(sensible),
    }
}

fn bad(complaint: Complaint) -> ServiceError {
    ServiceError::BadQuestion(complaint)
}
