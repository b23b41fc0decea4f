//! The audit log: every change by a person leaves a row, in the transaction that makes the change.

pub mod chain;

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use self::chain::Link;
use super::latest::Way;
use super::outbox::json;
use super::{Store, StoreError, instant, millis};
use crate::store::sql::{self, Connection, Row};
use crate::ticket::{Reach, TenantId, TicketId};

/// The most actions listed for one alert: nobody needs to read more.
const MOST_ACTS: i64 = 100;

/// Who makes a change, for the audit log.
#[derive(Clone, Debug)]
pub struct Author {
    pub who: String,
    /// Where they did it from: `command line`, or an address.
    pub origin: String,
}

/// One change by a person.
#[derive(Clone, Debug)]
pub struct AuditRow {
    /// Rises with each change.
    pub id: i64,
    /// None if it does not concern a single tenant.
    pub tenant: Option<String>,
    pub at: DateTime<Utc>,
    pub who: String,
    pub what: String,
    pub origin: String,
    /// The key of the alert that was acted upon.
    pub alert: Option<String>,
}

/// Which rows to return: a field that is none matches all.
#[derive(Clone, Copy, Debug)]
pub struct AuditFilter<'a> {
    pub reach: &'a Reach,
    pub from: DateTime<Utc>,
    /// The end of the period, not included.
    pub until: DateTime<Utc>,
    /// Part of the name of who did it, ignoring the case of a to z.
    pub who: Option<&'a str>,
    /// Part of what was done, ignoring the case of a to z.
    pub what: Option<&'a str>,
    /// The ticket that it was done to.
    pub ticket: Option<&'a Named>,
    pub way: Way,
    /// The time and the number of the last change shown so far; none at the start.
    pub after: Option<(DateTime<Utc>, i64)>,
    pub limit: u32,
}

/// A ticket under the names that the log uses.
#[derive(Clone, Debug)]
pub struct Named {
    pub tenant: TenantId,
    pub id: TicketId,
    /// The number that people see.
    pub number: String,
}

impl Named {
    /// The prefix of the keys of its alerts.
    fn alerts(&self) -> String {
        format!("{}:{}:", self.tenant, self.id)
    }

    /// How log texts mention the ticket: by its number or, in the past, by its id.
    fn marks(&self) -> Vec<String> {
        let names = [self.number.as_str(), self.id.as_str()];
        let marks = |name: &str| [format!("ticket {name}:"), format!(" ticket {name} "), format!(" ticket {name},")];
        names.into_iter().flat_map(marks).collect()
    }
}

/// The last change by a person: while it is the same, nobody has changed anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LastChange {
    number: i64,
    /// A number can recur once the row that had it is deleted.
    at: i64,
}

/// How soon a change of the store's file by another process is noticed.
pub const NOTICED: TimeDelta = TimeDelta::milliseconds(250);

/// The last change by a person, as found a moment ago.
#[derive(Clone, Copy, Default)]
pub(super) struct Noticed {
    last_change: Option<LastChange>,
    at: DateTime<Utc>,
    /// The number of writes by then; none if nobody has asked yet.
    written: Option<u64>,
}

impl Noticed {
    fn holds(&self, written: u64, now: DateTime<Utc>) -> bool {
        self.written == Some(written) && (now - self.at).abs() < NOTICED
    }
}

/// How long data is trusted while nobody is seen to change anything, so that not all depends on a single sign.
const BELIEVED: TimeDelta = TimeDelta::minutes(1);

/// When something was read, and the last change by then.
#[derive(Clone, Copy, Debug)]
pub struct AsOf {
    pub last_change: Option<LastChange>,
    pub at: DateTime<Utc>,
}

impl AsOf {
    /// Whether what was read still holds at `now`, given the current `last_change`.
    pub fn holds(&self, last_change: Option<LastChange>, now: DateTime<Utc>) -> bool {
        self.last_change == last_change && (now - self.at).abs() < BELIEVED
    }
}

impl Store {
    /// Returns the last change by a person; none if there was none yet.
    pub async fn last_change(&self) -> Result<Option<LastChange>, StoreError> {
        let last: Option<(i64, i64)> = sql::query_as("SELECT id, at FROM audit WHERE id = (SELECT MAX(id) FROM audit)")
            .fetch_optional(&self.reads)
            .await?;
        Ok(last.map(|(number, at)| LastChange { number, at }))
    }

    /// Returns the same for frequent callers: writes of this process are seen at once, those of another a moment later.
    pub async fn last_change_noticed(&self, now: DateTime<Utc>) -> Result<Option<LastChange>, StoreError> {
        // Before the read, so that a write in the meantime makes the result outdated.
        let written = self.times_written();
        let noticed = self.caches.noticed.load();
        if noticed.holds(written, now) {
            return Ok(noticed.last_change);
        }
        let last_change = self.last_change().await?;
        self.caches.noticed.store(Arc::new(Noticed { last_change, at: now, written: Some(written) }));
        Ok(last_change)
    }

    /// Returns what people changed.
    pub async fn audited(&self, filter: AuditFilter<'_>) -> Result<Vec<AuditRow>, StoreError> {
        let (at, number) = filter.after.map_or((filter.way.start().at, 0), |(at, number)| (millis(at), number));
        let rows = match filter.way {
            Way::LatestFirst => {
                "SELECT id, tenant, at, who, what, origin, alert FROM audit WHERE at >= $1 AND at < $2
                 AND at <= $7 AND (at < $7 OR id < $8)
                 AND (tenant = $3 OR $3 IS NULL) AND ($4 IS NULL OR instr(lower(who), $4) > 0)
                 AND ($5 IS NULL OR instr(lower(what), $5) > 0)
                 AND ($9 IS NULL OR substr(alert, 1, length($9)) = $9
                   OR EXISTS (SELECT 1 FROM json_each($10) AS mark WHERE instr(what, mark.value) > 0))
                 ORDER BY at DESC, id DESC LIMIT $6"
            }
            Way::EarliestFirst => {
                "SELECT id, tenant, at, who, what, origin, alert FROM audit WHERE at >= $1 AND at < $2
                 AND at >= $7 AND (at > $7 OR id > $8)
                 AND (tenant = $3 OR $3 IS NULL) AND ($4 IS NULL OR instr(lower(who), $4) > 0)
                 AND ($5 IS NULL OR instr(lower(what), $5) > 0)
                 AND ($9 IS NULL OR substr(alert, 1, length($9)) = $9
                   OR EXISTS (SELECT 1 FROM json_each($10) AS mark WHERE instr(what, mark.value) > 0))
                 ORDER BY at, id LIMIT $6"
            }
        };
        let rows = sql::query(rows)
            .bind(millis(filter.from))
            .bind(millis(filter.until))
            .bind(filter.ticket.map(|named| named.tenant.as_str()).or(filter.reach.as_str()))
            .bind(filter.who.map(str::to_ascii_lowercase))
            .bind(filter.what.map(str::to_ascii_lowercase))
            .bind(filter.limit)
            .bind(at)
            .bind(number)
            .bind(filter.ticket.map(Named::alerts))
            .bind(json(&filter.ticket.map(Named::marks).unwrap_or_default()))
            .fetch_all(&self.reads);
        self.legible("change", "id", &rows.await?, AuditRow::read)
    }

    /// Returns what people did to the alert of that key, the earliest first.
    pub async fn acts_on(&self, alert: &str) -> Result<Vec<AuditRow>, StoreError> {
        let rows = sql::query(
            "SELECT id, tenant, at, who, what, origin, alert FROM audit WHERE alert = $1 ORDER BY at, id LIMIT $2",
        );
        let rows = rows.bind(alert).bind(MOST_ACTS).fetch_all(&self.reads).await?;
        self.legible("change", "id", &rows, AuditRow::read)
    }
}

impl AuditRow {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.try_get("id")?,
            tenant: row.try_get("tenant")?,
            at: instant(row.try_get("at")?)?,
            who: row.try_get("who")?,
            what: row.try_get("what")?,
            origin: row.try_get("origin")?,
            alert: row.try_get("alert")?,
        })
    }
}

/// Records that `author` did `what`.
pub(super) async fn audit(
    tx: &mut Connection,
    tenant: Option<&TenantId>,
    what: &str,
    author: &Author,
    now: DateTime<Utc>,
) -> Result<(), sql::Error> {
    audit_act(tx, tenant, None, what, author, now).await
}

/// Does the same as [`audit`] for an action on the `alert` of that key.
pub(super) async fn audit_act(
    tx: &mut Connection,
    tenant: Option<&TenantId>,
    alert: Option<&str>,
    what: &str,
    author: &Author,
    now: DateTime<Utc>,
) -> Result<(), sql::Error> {
    let prior = chain::last(&mut *tx).await?;
    // A server stores no zero character, so the hash covers what can be read back.
    let [who, what, origin] = [&author.who, what, &author.origin].map(|text| text.replace('\0', "\u{fffd}"));
    let link =
        Link { tenant: tenant.map(TenantId::as_str), at: millis(now), who: &who, what: &what, origin: &origin, alert };
    let hash = link.hash(&prior);
    let add =
        "INSERT INTO audit (tenant, at, who, what, origin, alert, prior, hash) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    sql::query(add)
        .bind(tenant.map(TenantId::as_str))
        .bind(millis(now))
        .bind(&who)
        .bind(&what)
        .bind(&origin)
        .bind(alert)
        .bind(prior)
        .bind(hash)
        .execute(tx)
        .await
        .map(drop)
}
