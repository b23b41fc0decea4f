//! How many messages people were sent recently.

use chrono::{DateTime, TimeDelta, Utc};

use super::json;
use crate::alert::escalation::ChannelKind;
use crate::store::sql;
use crate::store::{Store, StoreError, millis};
use crate::ticket::TenantId;

/// How many messages single people were sent per day over some days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Said {
    pub people: usize,
    /// The most that one person got in a day, and the median over all persons and days with at least one message.
    pub most_in_a_day: usize,
    pub median_a_day: usize,
}

impl Store {
    /// Counts what people were sent about `tenants` by email, text message, push and call in the `days` before `now`;
    /// none if nothing.
    pub async fn said_in(
        &self,
        tenants: &[&TenantId],
        days: i64,
        now: DateTime<Utc>,
    ) -> Result<Option<Said>, StoreError> {
        let tenants: Vec<_> = tenants.iter().map(|tenant| tenant.as_str()).collect();
        let channels: Vec<_> = ChannelKind::ALL.into_iter().filter(|channel| !channel.is_system()).collect();
        let rows: Vec<(String, i64, i64)> = sql::query_as(
            "SELECT person, day, COUNT(*) FROM (
               SELECT person, (CAST($1 AS BIGINT) - released_at) / 86400000 AS day FROM notifications
               WHERE tenant IN (SELECT value FROM json_each($2)) AND channel IN (SELECT value FROM json_each($3))
               AND released_at > $4 AND released_at <= $1 AND bundle IS NULL AND person IS NOT NULL
               AND state <> 'cancelled') AS sent
             GROUP BY person, day ORDER BY person, day",
        )
        .bind(millis(now))
        .bind(json(&tenants))
        .bind(json(&channels))
        .bind(millis(now - TimeDelta::days(days)))
        .fetch_all(&self.reads)
        .await?;
        Ok(Said::of(&rows))
    }
}

impl Said {
    fn of(rows: &[(String, i64, i64)]) -> Option<Self> {
        let mut counts: Vec<_> = rows.iter().map(|(.., count)| usize::try_from(*count).unwrap_or_default()).collect();
        counts.sort_unstable();
        let people = rows.chunk_by(|(a, ..), (b, ..)| a == b).count();
        Some(Self { people, most_in_a_day: *counts.last()?, median_a_day: *counts.get(counts.len() / 2)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_and_the_middle_are_over_persons_and_days() {
        let row = |person: &str, day, count| (person.to_owned(), day, count);
        let rows = [row("ada", 0, 3), row("ada", 1, 12), row("ben", 0, 1), row("ben", 6, 2)];
        assert_eq!(Said::of(&rows), Some(Said { people: 2, most_in_a_day: 12, median_a_day: 3 }));
        assert_eq!(Said::of(&[]), None);
    }
}
