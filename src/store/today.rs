//! The events of one day with their times: tickets opened and closed, and targets missed.

use chrono::{DateTime, NaiveDate, Utc};

use super::books::day_number;
use super::{Store, StoreError, instant};
use crate::store::sql;
use crate::ticket::TenantId;

/// The most events of each kind on one day: more than any human desk has.
const MOST: i64 = 20_000;

/// The times of one day's events.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DayMoments {
    pub opened: Vec<DateTime<Utc>>,
    pub closed: Vec<DateTime<Utc>>,
    /// One for each missed target.
    pub breached: Vec<DateTime<Utc>>,
}

impl Store {
    /// Returns what happened to the tickets of `tenant` on `day`, which lasts from `bounds.0` to `bounds.1`.
    pub async fn day_moments(
        &self,
        tenant: &TenantId,
        day: NaiveDate,
        bounds: (DateTime<Utc>, DateTime<Utc>),
    ) -> Result<DayMoments, StoreError> {
        let breached = "SELECT decided_at FROM entries WHERE tenant = $1 AND counts = 1 AND day = $2
             AND outcome = 'breached' LIMIT $3";
        let closed = "SELECT stopped_at FROM entries WHERE tenant = $1 AND counts = 1 AND stop_day = $2
             AND clock = 'resolution' AND stopped_at IS NOT NULL LIMIT $3";
        Ok(DayMoments {
            opened: self.opened_within(tenant, bounds).await?,
            closed: self.booked_at(closed, tenant, day).await?,
            breached: self.booked_at(breached, tenant, day).await?,
        })
    }

    async fn booked_at(
        &self,
        statement: &'static str,
        tenant: &TenantId,
        day: NaiveDate,
    ) -> Result<Vec<DateTime<Utc>>, StoreError> {
        let query = sql::query_scalar(statement).bind(tenant.as_str()).bind(day_number(day)).bind(MOST);
        let moments: Vec<i64> = query.fetch_all(&self.reads).await?;
        moments.into_iter().map(instant).collect()
    }

    async fn opened_within(
        &self,
        tenant: &TenantId,
        (from, until): (DateTime<Utc>, DateTime<Utc>),
    ) -> Result<Vec<DateTime<Utc>>, StoreError> {
        // Without the `Z`, which fractions of a second would precede, so that texts sort in the order of their times.
        let text = |at: DateTime<Utc>| at.format("%Y-%m-%dT%H:%M:%S").to_string();
        let query = sql::query_scalar(
            "SELECT opened FROM tickets WHERE tenant = $1 AND opened >= $2
             AND opened < $3 ORDER BY opened, id LIMIT $4",
        );
        let query = query.bind(tenant.as_str()).bind(text(from)).bind(text(until)).bind(MOST);
        let moments: Vec<String> = query.fetch_all(&self.reads).await?;
        Ok(moments.iter().filter_map(|text| text.parse().ok()).collect())
    }
}
