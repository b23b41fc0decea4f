//! The reason that a person gives for a missed clock. It is stored beside the one from the history and overrides it.

use chrono::{DateTime, Utc};

use super::rows::decode;
use super::{changes, date_of, month_of};
use crate::report::entry::Reason;
use crate::store::audit::{Author, audit};
use crate::store::sql::{self, Connection};
use crate::store::{Store, StoreError};
use crate::ticket::{ClockKind, TenantId, TicketId};

/// The missed clock in question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missed {
    pub ticket: TicketId,
    pub clock: ClockKind,
    pub round: u32,
}

impl Store {
    /// Stores the reason that a person gives for a missed clock, replacing any earlier one; none removes it. False if
    /// there is no such breach.
    pub async fn say_reason(
        &self,
        tenant: &TenantId,
        missed: Missed,
        reason: Option<Reason>,
        author: Author,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let tenant = tenant.clone();
        self.writer
            .write(move |tx: &mut Connection| {
                Box::pin(async move { say(tx, &tenant, &missed, reason, &author, now).await })
            })
            .await
    }
}

/// Sets it both on what a closed month counts and on what is known now.
async fn say(
    tx: &mut Connection,
    tenant: &TenantId,
    missed: &Missed,
    reason: Option<Reason>,
    author: &Author,
    now: DateTime<Utc>,
) -> Result<bool, sql::Error> {
    let days: Vec<i64> = sql::query_scalar(
        "UPDATE entries SET said_reason = $5, reason_by = $6 WHERE tenant = $1 AND ticket = $2 AND clock = $3 \
         AND round = $4 AND outcome = 'breached' AND (latest = 1 OR counts = 1) RETURNING day",
    )
    .bind(tenant.as_str())
    .bind(missed.ticket.as_str())
    .bind(missed.clock.as_str())
    .bind(missed.round)
    .bind(reason.map(Reason::as_str))
    .bind(reason.map(|_| &author.who))
    .fetch_all(&mut *tx)
    .await?;
    if days.is_empty() {
        return Ok(false);
    }
    let months = days.into_iter().map(|day| date_of(day).map(month_of)).collect::<Result<_, _>>().map_err(decode)?;
    changes::note(tx, tenant, &months).await?;
    let said = match reason {
        Some(reason) => format!("is called {}", reason.as_str()),
        None => "takes its reason from the history again".to_owned(),
    };
    let (clock, round) = (missed.clock.as_str(), missed.round);
    let what = format!("ticket {}: the breach of {clock} {round} {said}", missed.ticket);
    audit(tx, Some(tenant), &what, author, now).await?;
    Ok(true)
}
