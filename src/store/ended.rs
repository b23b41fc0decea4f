//! Alerts that are over, for lists over many tenants, and how many there are.

use chrono::{DateTime, Utc};

use super::alerts::AlertRow;
use super::latest::{Earliest, LastShown, Way, far_back};
use super::outbox::json;
use super::record::AlertTime;
use super::{Store, StoreError, millis};
use crate::store::sql::{self, AssertSqlSafe};
use crate::ticket::TenantId;

const MOST_COUNTED: i64 = 50_000;

/// A period from the first time to before the second; none means unbounded.
pub type Between = (Option<DateTime<Utc>>, Option<DateTime<Utc>>);

impl Store {
    /// Returns at most `limit` resolved alerts of `tenants` that come after `after`, the latest changed first.
    pub async fn resolved_alerts(
        &self,
        tenants: &[&TenantId],
        after: &LastShown,
        limit: usize,
        now: DateTime<Utc>,
    ) -> Result<Vec<AlertRow>, StoreError> {
        let found = self.latest_resolved(tenants, AlertTime::Changed, after, limit, now).await?;
        let keys: Vec<_> = found.into_iter().map(|(_, key)| key).collect();
        self.alerts_by_key(&keys).await
    }

    /// Returns the positions of at most `limit` resolved alerts of `tenants` that come after `after`, in a list by
    /// `time` in this direction.
    pub async fn resolved_places(
        &self,
        tenants: &[&TenantId],
        time: AlertTime,
        way: Way,
        after: &LastShown,
        limit: usize,
        now: DateTime<Utc>,
    ) -> Result<Vec<LastShown>, StoreError> {
        let found = match way {
            Way::LatestFirst => self.latest_resolved(tenants, time, after, limit, now).await?,
            Way::EarliestFirst => self.earliest_resolved(tenants, time, after, limit).await?,
        };
        Ok(found.into_iter().map(|(at, key)| LastShown { at, key }).collect())
    }

    /// Counts the resolved alerts of `tenants`, up to a limit.
    pub async fn count_resolved(&self, tenants: &[&TenantId]) -> Result<usize, StoreError> {
        let total: i64 = sql::query_scalar(
            "SELECT COUNT(*) FROM (SELECT 1 FROM alerts WHERE tenant IN (SELECT value FROM json_each($1))
             AND state = 'resolved' LIMIT $2) AS few",
        )
        .bind(json(&tenants))
        .bind(MOST_COUNTED)
        .fetch_one(&self.reads)
        .await?;
        Ok(usize::try_from(total).unwrap_or_default())
    }

    async fn latest_resolved(
        &self,
        tenants: &[&TenantId],
        time: AlertTime,
        after: &LastShown,
        limit: usize,
        now: DateTime<Utc>,
    ) -> Result<Vec<(i64, String)>, StoreError> {
        let time = time.column();
        let latest = format!(
            "SELECT {time}, key FROM alerts WHERE tenant IN (SELECT value FROM json_each($1)) AND state = 'resolved'
             AND {time} >= $3 AND {time} <= $4 AND ({time} < $4 OR key < $5) ORDER BY {time} DESC, key DESC LIMIT $2"
        );
        let (tenants, mut found, most) = (json(&tenants), Vec::new(), i64::try_from(limit).unwrap_or(i64::MAX));
        for since in far_back(after.at.min(millis(now))) {
            let query = sql::query_as(AssertSqlSafe(latest.clone())).bind(tenants.as_str()).bind(most).bind(since);
            found = query.bind(after.at).bind(after.key.as_str()).fetch_all(&self.reads).await?;
            if found.len() >= limit {
                break;
            }
        }
        Ok(found)
    }

    async fn earliest_resolved(
        &self,
        tenants: &[&TenantId],
        time: AlertTime,
        after: &LastShown,
        limit: usize,
    ) -> Result<Vec<(i64, String)>, StoreError> {
        let time = time.column();
        let keys = format!(
            "SELECT {time}, key FROM alerts WHERE tenant = $1 AND state = 'resolved' AND {time} <= $3
             AND {time} >= $4 AND ({time} > $4 OR key > $5) ORDER BY {time}, key LIMIT $2"
        );
        let mut earliest = Earliest::new(limit);
        for tenant in tenants {
            let keys = sql::query_as(AssertSqlSafe(keys.clone())).bind(tenant.as_str());
            let keys = keys.bind(earliest.most()).bind(earliest.until()).bind(after.at).bind(after.key.as_str());
            earliest.add(keys.fetch_all(&self.reads).await?);
        }
        Ok(earliest.rows())
    }

    /// Returns at most `limit` breaches of `tenants` that are over, were due `between` these times and come after
    /// `after`, in a list by due time in this direction.
    pub async fn closed_breaches(
        &self,
        tenants: &[&TenantId],
        between: Between,
        way: Way,
        after: &LastShown,
        limit: usize,
        now: DateTime<Utc>,
    ) -> Result<Vec<AlertRow>, StoreError> {
        let (from, until) = (between.0.map_or(i64::MIN, millis), between.1.map_or(i64::MAX, millis));
        let found = match way {
            Way::LatestFirst => self.latest_breaches(tenants, (from, until), after, limit, now).await?,
            Way::EarliestFirst => self.earliest_breaches(tenants, (from, until), after, limit).await?,
        };
        let keys: Vec<_> = found.into_iter().map(|(_, key)| key).collect();
        self.alerts_by_key(&keys).await
    }

    /// Counts the breaches of `tenants` that are over and were due `between` these times, up to a limit.
    pub async fn count_closed_breaches(&self, tenants: &[&TenantId], between: Between) -> Result<usize, StoreError> {
        let (from, until) = (between.0.map_or(i64::MIN, millis), between.1.map_or(i64::MAX, millis));
        let total: i64 = sql::query_scalar(
            "SELECT COUNT(*) FROM (SELECT 1 FROM alerts WHERE tenant IN (SELECT value FROM json_each($1))
             AND state = 'resolved' AND stage = 'breached' AND due >= $2 AND due < $3 LIMIT $4) AS few",
        )
        .bind(json(&tenants))
        .bind(from)
        .bind(until)
        .bind(MOST_COUNTED)
        .fetch_one(&self.reads)
        .await?;
        Ok(usize::try_from(total).unwrap_or_default())
    }

    async fn latest_breaches(
        &self,
        tenants: &[&TenantId],
        (from, until): (i64, i64),
        after: &LastShown,
        limit: usize,
        now: DateTime<Utc>,
    ) -> Result<Vec<(i64, String)>, StoreError> {
        let (tenants, mut found, most) = (json(&tenants), Vec::new(), i64::try_from(limit).unwrap_or(i64::MAX));
        for since in far_back(after.at.min(until).min(millis(now))) {
            let query = sql::query_as(
                "SELECT due, key FROM alerts WHERE tenant IN (SELECT value FROM json_each($1)) AND state = 'resolved'
                 AND stage = 'breached' AND due >= $2 AND due < $3 AND due <= $5 AND (due < $5 OR key < $6)
                 ORDER BY due DESC, key DESC LIMIT $4",
            );
            let query = query.bind(tenants.as_str()).bind(from.max(since)).bind(until).bind(most);
            found = query.bind(after.at).bind(after.key.as_str()).fetch_all(&self.reads).await?;
            if found.len() >= limit || since <= from {
                break;
            }
        }
        Ok(found)
    }

    async fn earliest_breaches(
        &self,
        tenants: &[&TenantId],
        (from, until): (i64, i64),
        after: &LastShown,
        limit: usize,
    ) -> Result<Vec<(i64, String)>, StoreError> {
        let mut earliest = Earliest::new(limit);
        for tenant in tenants {
            let keys = sql::query_as(
                "SELECT due, key FROM alerts WHERE tenant = $1 AND state = 'resolved' AND stage = 'breached'
                 AND due >= $2 AND due < $3 AND due >= $5 AND (due > $5 OR key > $6) ORDER BY due, key LIMIT $4",
            );
            // Anything later than the last that is kept so far would be dropped.
            let until = until.min(earliest.until().saturating_add(1));
            let keys = keys.bind(tenant.as_str()).bind(from).bind(until).bind(earliest.most());
            earliest.add(keys.bind(after.at).bind(after.key.as_str()).fetch_all(&self.reads).await?);
        }
        Ok(earliest.rows())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::store::sql::Connection;

    /// Alerts of three tenants that are over: some close together, some years apart, two at the same time.
    const ALERTS: &str = "WITH RECURSIVE n (i, tenant) AS (SELECT 1, 'acme' UNION ALL SELECT i + 1, CASE i % 7
           WHEN 0 THEN 'globex' WHEN 3 THEN 'initech' ELSE 'acme' END FROM n WHERE i < 300)
         INSERT INTO alerts (key, tenant, ticket_id, clock, cycle, episode, stage, state, reason, due, raised_at,
           changed_at, step, generation, told, resolved_as, id)
         SELECT tenant || ':' || i || ':resolution:0', tenant, CAST(i AS TEXT), 'resolution', 0, 0,
           CASE WHEN i % 3 = 0 THEN 'warning' ELSE 'breached' END, 'resolved', '', $1 - CAST(i / 2 AS BIGINT) * (i / 2) * 3600000, 0,
           $1 - CAST(i / 2 AS BIGINT) * (i / 2) * 3000000, 1, 0, 1, 'met', CAST(i AS TEXT) FROM n";

    async fn filled(now: DateTime<Utc>) -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("sla.db"), std::sync::Arc::default()).await.unwrap();
        let fill = async move |tx: &mut Connection| sql::query(ALERTS).bind(millis(now)).execute(tx).await.map(drop);
        store.writer.write(move |tx: &mut Connection| Box::pin(async move { fill(tx).await })).await.unwrap();
        (folder, store)
    }

    #[tokio::test]
    async fn page_after_page_each_alert_of_all_tenants_comes_once_and_in_its_order() {
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let (_folder, store) = filled(now).await;
        let tenants = ["acme", "globex", "initech"].map(|id| TenantId::parse(id).unwrap());
        let all: Vec<_> = tenants.iter().collect();
        for (asked, time, way) in [
            (&all[..], AlertTime::Changed, Way::LatestFirst),
            (&all[..], AlertTime::Due, Way::LatestFirst),
            (&all[..], AlertTime::Due, Way::EarliestFirst),
            (&all[1..2], AlertTime::Changed, Way::LatestFirst),
        ] {
            let (mut after, mut read) = (way.start(), Vec::new());
            loop {
                let page = store.resolved_places(asked, time, way, &after, 11, now).await.unwrap();
                let Some(last) = page.last() else { break };
                after = last.clone();
                read.extend(page);
            }
            assert_eq!(read.len(), store.count_resolved(asked).await.unwrap());
            assert!(read.is_sorted_by(|a, b| way.compare(a, b).is_lt()), "{time:?} {way:?}");
        }
    }

    #[tokio::test]
    async fn breaches_of_a_time_are_found_however_long_ago_it_was() {
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let (_folder, store) = filled(now).await;
        let tenants = ["acme", "globex", "initech"].map(|id| TenantId::parse(id).unwrap());
        let all: Vec<_> = tenants.iter().collect();
        let days = |days| Some(now - chrono::TimeDelta::days(days));
        for between in [(None, None), (days(900), days(100)), (days(3), None), (None, days(2))] {
            let keys = async |way: Way| {
                let rows = store.closed_breaches(&all, between, way, &way.start(), 500, now).await.unwrap();
                rows.into_iter().map(|row| row.key.to_string()).collect::<BTreeSet<_>>()
            };
            let (latest, earliest) = (keys(Way::LatestFirst).await, keys(Way::EarliestFirst).await);
            assert_eq!(latest, earliest, "{between:?}");
            assert_eq!(latest.len(), store.count_closed_breaches(&all, between).await.unwrap());
            assert!(!latest.is_empty());
        }
    }
}
