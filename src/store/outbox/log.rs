//! The outbox as shown to people: what was sent to whom, and how it ended.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use super::{Leased, instant, json, leased, millis};
use crate::store::latest::{Earliest, LastShown, Way, far_back};
use crate::store::sql::{self, Row};
use crate::store::{Store, StoreError};
use crate::ticket::Reach;

/// A notification as shown to people.
#[derive(Clone, Debug)]
pub struct Logged {
    pub leased: Leased,
    pub state: String,
    /// quiet_hours | cap | budget: what it waited for last.
    pub held_by: Option<String>,
    /// The key of the bundle that it went out with.
    pub bundle: Option<String>,
    pub done_at: Option<DateTime<Utc>>,
    pub last_error: Option<String>,
}

/// How many notifications ended in which way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub pending: i64,
    pub sent: i64,
    pub failed: i64,
}

impl Store {
    /// Returns the notifications within `reach`, newest first; if a ticket is named, only those about it, with the
    /// digests that tell of it.
    pub async fn notifications(
        &self,
        reach: &Reach,
        ticket: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Logged>, StoreError> {
        self.notifications_after(Way::LatestFirst, &LastShown::nothing(), reach, ticket, limit).await
    }

    /// Returns the notifications that come after `after`, in a list in this direction.
    pub async fn notifications_after(
        &self,
        way: Way,
        after: &LastShown,
        reach: &Reach,
        ticket: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Logged>, StoreError> {
        let tenants = match reach.tenant() {
            Some(tenant) => vec![tenant.to_string()],
            None => self.tenants_told().await?,
        };
        let found = match (ticket, way) {
            (Some(ticket), way) => self.said_about(way, after, &tenants, ticket, limit).await?,
            (None, Way::LatestFirst) => self.latest_said(after, &tenants, limit).await?,
            (None, Way::EarliestFirst) => self.earliest_said(after, &tenants, limit).await?,
        };
        let keys: Vec<_> = found.into_iter().map(|(_, key)| key).collect();
        let rows = sql::query("SELECT * FROM notifications WHERE key IN (SELECT value FROM json_each($1))");
        let rows = rows.bind(json(&keys)).fetch_all(&self.reads).await?;
        // One that can no longer be read must not hide the others.
        let found = self.legible("message", "key", &rows, logged)?.into_iter();
        let mut found: HashMap<String, Logged> = found.map(|row| (row.key().to_owned(), row)).collect();
        Ok(keys.iter().filter_map(|key| found.remove(key)).collect())
    }

    async fn said_about(
        &self,
        way: Way,
        after: &LastShown,
        tenants: &[String],
        ticket: &str,
        limit: usize,
    ) -> Result<Vec<(i64, String)>, StoreError> {
        let query = match way {
            Way::LatestFirst => {
                "SELECT DISTINCT n.created_at, n.key FROM alerts a LEFT JOIN digested d ON d.alert_key = a.key
                 JOIN notifications n ON n.alert_key = a.key OR (n.alert_key = d.digest AND n.recipient = d.recipient)
                 WHERE a.tenant IN (SELECT value FROM json_each($1)) AND a.ticket_id = $3
                 AND n.created_at <= $4 AND (n.created_at < $4 OR n.key < $5)
                 ORDER BY n.created_at DESC, n.key DESC LIMIT $2"
            }
            Way::EarliestFirst => {
                "SELECT DISTINCT n.created_at, n.key FROM alerts a LEFT JOIN digested d ON d.alert_key = a.key
                 JOIN notifications n ON n.alert_key = a.key OR (n.alert_key = d.digest AND n.recipient = d.recipient)
                 WHERE a.tenant IN (SELECT value FROM json_each($1)) AND a.ticket_id = $3
                 AND n.created_at >= $4 AND (n.created_at > $4 OR n.key > $5)
                 ORDER BY n.created_at, n.key LIMIT $2"
            }
        };
        let query =
            sql::query_as(query).bind(json(&tenants)).bind(i64::try_from(limit).unwrap_or(i64::MAX)).bind(ticket);
        Ok(query.bind(after.at).bind(after.key.as_str()).fetch_all(&self.reads).await?)
    }

    async fn latest_said(
        &self,
        after: &LastShown,
        tenants: &[String],
        limit: usize,
    ) -> Result<Vec<(i64, String)>, StoreError> {
        let (newest, tenants) = (self.newest_said(tenants, after.at).await?, json(&tenants));
        let mut found = Vec::new();
        for since in newest.map(far_back).into_iter().flatten() {
            let query = sql::query_as(
                "SELECT created_at, key FROM notifications WHERE tenant IN (SELECT value FROM json_each($1))
                 AND created_at >= $3 AND created_at <= $4 AND (created_at < $4 OR key < $5)
                 ORDER BY created_at DESC, key DESC LIMIT $2",
            );
            let query = query.bind(tenants.as_str()).bind(i64::try_from(limit).unwrap_or(i64::MAX)).bind(since);
            found = query.bind(after.at).bind(after.key.as_str()).fetch_all(&self.reads).await?;
            if found.len() >= limit {
                break;
            }
        }
        Ok(found)
    }

    async fn earliest_said(
        &self,
        after: &LastShown,
        tenants: &[String],
        limit: usize,
    ) -> Result<Vec<(i64, String)>, StoreError> {
        let mut earliest = Earliest::new(limit);
        for tenant in tenants {
            let query = sql::query_as(
                "SELECT created_at, key FROM notifications WHERE tenant = $1 AND created_at <= $3
                 AND created_at >= $4 AND (created_at > $4 OR key > $5) ORDER BY created_at, key LIMIT $2",
            );
            let query = query.bind(tenant.as_str()).bind(earliest.most()).bind(earliest.until());
            earliest.add(query.bind(after.at).bind(after.key.as_str()).fetch_all(&self.reads).await?);
        }
        Ok(earliest.rows())
    }

    /// Returns when the newest of these tenants' notifications made until `until` was made; none if there is none.
    async fn newest_said(&self, tenants: &[String], until: i64) -> Result<Option<i64>, StoreError> {
        let newest = sql::query_scalar(
            "SELECT MAX(newest) FROM (SELECT (SELECT MAX(created_at) FROM notifications WHERE tenant = asked.value
             AND created_at <= $2) AS newest FROM json_each($1) AS asked) AS each_newest",
        );
        Ok(newest.bind(json(&tenants)).bind(until).fetch_one(&self.reads).await?)
    }

    /// Returns every tenant that has notifications.
    async fn tenants_told(&self) -> Result<Vec<String>, StoreError> {
        // Jumps from each tenant to the next, instead of scanning all rows.
        let tenants = sql::query_scalar(
            "WITH RECURSIVE named (tenant) AS (
               SELECT MIN(tenant) FROM notifications
               UNION ALL SELECT (SELECT MIN(tenant) FROM notifications WHERE tenant > named.tenant)
               FROM named WHERE named.tenant IS NOT NULL)
             SELECT tenant FROM named WHERE tenant IS NOT NULL",
        );
        Ok(tenants.fetch_all(&self.reads).await?)
    }

    /// Counts the messages that wait now, and those sent or failed since `since`, however many alerts each tells of.
    pub async fn tally(&self, reach: &Reach, since: DateTime<Utc>) -> Result<Tally, StoreError> {
        let row = sql::query(
            "SELECT (SELECT COUNT(*) FROM notifications WHERE state = 'pending' AND (tenant = $1 OR $1 IS NULL))
                  + (SELECT COUNT(*) FROM notifications WHERE state = 'sending' AND (tenant = $1 OR $1 IS NULL)) AS pending,
                    COUNT(CASE WHEN state = 'sent' THEN 1 END) AS sent,
                    COUNT(CASE WHEN state = 'failed' THEN 1 END) AS failed
             FROM notifications WHERE done_at >= $2 AND bundle IS NULL AND (tenant = $1 OR $1 IS NULL)",
        )
        .bind(reach.as_str())
        .bind(millis(since))
        .fetch_one(&self.reads)
        .await?;
        Ok(Tally { pending: row.try_get("pending")?, sent: row.try_get("sent")?, failed: row.try_get("failed")? })
    }
}

pub(in crate::store) fn logged(row: &Row) -> Result<Logged, StoreError> {
    let done_at: Option<i64> = row.try_get("done_at")?;
    Ok(Logged {
        leased: leased(row)?,
        state: row.try_get("state")?,
        held_by: row.try_get("held_by")?,
        bundle: row.try_get("bundle")?,
        done_at: done_at.map(instant).transpose()?,
        last_error: row.try_get("last_error")?,
    })
}

impl Logged {
    fn key(&self) -> &str {
        &self.leased.notification.message.key
    }
}
