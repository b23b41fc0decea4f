//! Week by week: how much was said, and what came of it.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sqlx::Row;

use super::{Store, StoreError, instant, millis};
use crate::ticket::TenantId;

/// The beginning of the ISO week of a time in milliseconds: 1970-01-05 was a Monday.
const WEEK: &str = "(at - ((at - 345600000) % 604800000))";
/// What somebody does to a ticket, by the kinds of its events.
const DEEDS: &str = "('status', 'assignee', 'group', 'priority', 'first_response', 'resolved')";

/// What was said in one week and what came of it. An alert counts in the week in which it was first told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Week {
    /// Messages that were sent, of every kind.
    pub messages: i64,
    /// Alerts that somebody was told of.
    pub alerts: i64,
    /// Of them, those that a person acknowledged, snoozed, escalated or resolved here.
    pub acknowledged: i64,
    /// Those whose ticket was touched after the first message and before it was due.
    pub acted_before_breach: i64,
    /// Those told before `ignored_if_before` to which nothing at all happened since, neither here nor to the ticket.
    pub ignored: i64,
}

impl Store {
    /// The weeks of `tenant` that began at `from` or later, by their beginnings.
    pub async fn weeks(
        &self,
        tenant: &TenantId,
        from: DateTime<Utc>,
        ignored_if_before: DateTime<Utc>,
    ) -> Result<BTreeMap<DateTime<Utc>, Week>, StoreError> {
        let mut weeks: BTreeMap<DateTime<Utc>, Week> = BTreeMap::new();
        let messages = format!(
            "SELECT {WEEK} AS week, COUNT(*) AS number FROM (SELECT done_at AS at FROM notifications
             WHERE tenant = $1 AND state = 'sent' AND bundle IS NULL AND done_at >= $2) GROUP BY 1"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(messages)).bind(tenant.as_str()).bind(millis(from));
        for row in rows.fetch_all(&self.reads).await? {
            weeks.entry(instant(row.try_get("week")?)?).or_default().messages = row.try_get("number")?;
        }
        let alerts = format!(
            "SELECT {WEEK} AS week, COUNT(*) AS alerts, SUM(acts > 0) AS acknowledged,
                    SUM(at < due AND EXISTS (SELECT 1 FROM events e WHERE e.tenant = $1 AND e.ticket_id = told.ticket_id
                      AND e.kind IN {DEEDS} AND e.latest > at AND e.earliest < due)) AS acted_before_breach,
                    SUM(at < $3 AND acts = 0 AND NOT EXISTS (SELECT 1 FROM events e WHERE e.tenant = $1
                      AND e.ticket_id = told.ticket_id AND e.kind IN {DEEDS} AND e.latest > at)) AS ignored
             FROM (SELECT MIN(n.done_at) AS at, a.ticket_id, a.due, a.acts FROM notifications n
                   JOIN alerts a ON a.key = n.alert_key
                   WHERE n.tenant = $1 AND n.kind = 'alert' AND n.state = 'sent' GROUP BY n.alert_key) AS told
             WHERE at >= $2 GROUP BY 1"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(alerts)).bind(tenant.as_str()).bind(millis(from));
        for row in rows.bind(millis(ignored_if_before)).fetch_all(&self.reads).await? {
            let week = weeks.entry(instant(row.try_get("week")?)?).or_default();
            let figure = |name: &str| row.try_get::<i64, _>(name);
            *week = Week {
                messages: week.messages,
                alerts: figure("alerts")?,
                acknowledged: figure("acknowledged")?,
                acted_before_breach: figure("acted_before_breach")?,
                ignored: figure("ignored")?,
            };
        }
        Ok(weeks)
    }
}
