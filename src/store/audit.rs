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

/// Nobody has done more to one alert than is worth reading.
const MOST_ACTS: i64 = 100;

/// Who makes a change, for the audit log.
#[derive(Clone, Debug)]
pub struct Author {
    pub who: String,
    /// From where: `command line`, or an address.
    pub origin: String,
}

/// One change by a person.
#[derive(Clone, Debug)]
pub struct AuditRow {
    /// It rises with each change.
    pub id: i64,
    /// None: it concerns no tenant alone.
    pub tenant: Option<String>,
    pub at: DateTime<Utc>,
    pub who: String,
    pub what: String,
    pub origin: String,
    /// The key of the alert that was acted upon.
    pub alert: Option<String>,
}

/// Which rows are asked for: what is none matches all.
#[derive(Clone, Copy, Debug)]
pub struct AuditFilter<'a> {
    pub reach: &'a Reach,
    pub from: DateTime<Utc>,
    /// The first moment after them.
    pub until: DateTime<Utc>,
    /// A part of the name of whoever did it, without regard to case.
    pub who: Option<&'a str>,
    /// A part of what was done, without regard to case.
    pub what: Option<&'a str>,
    /// The ticket that it was done to.
    pub ticket: Option<&'a Named>,
    pub way: Way,
    /// The time and the number of the last change that was shown; none: nothing was.
    pub after: Option<(DateTime<Utc>, i64)>,
    pub limit: u32,
}

/// A ticket by what the log calls it.
#[derive(Clone, Debug)]
pub struct Named {
    pub tenant: TenantId,
    pub id: TicketId,
    /// As people see it.
    pub number: String,
}

impl Named {
    /// How the keys of its alerts begin.
    fn alerts(&self) -> String {
        format!("{}:{}:", self.tenant, self.id)
    }

    /// How a change of the ticket is told, by its number or, as it once was, by its id.
    fn marks(&self) -> Vec<String> {
        let names = [self.number.as_str(), self.id.as_str()];
        names.iter().flat_map(|name| [format!("ticket {name}:"), format!(" ticket {name} ")]).collect()
    }
}

/// The last change by a person: as long as it is the same, nobody has changed anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LastChange {
    number: i64,
    /// A number may come again, once the row that had it is deleted.
    at: i64,
}

/// What another process has done to the file of the store is noticed within this time.
pub const NOTICED: TimeDelta = TimeDelta::milliseconds(250);

/// The last change by a person as it was found a moment ago.
#[derive(Clone, Copy, Default)]
pub(super) struct Noticed {
    last_change: Option<LastChange>,
    at: DateTime<Utc>,
    /// How often had been written by then; none: nobody has asked yet.
    written: Option<u64>,
}

impl Noticed {
    fn holds(&self, written: u64, now: DateTime<Utc>) -> bool {
        self.written == Some(written) && (now - self.at).abs() < NOTICED
    }
}

/// As long as nobody is seen to change anything, what was read is believed for so long: nothing hangs on a single sign.
const BELIEVED: TimeDelta = TimeDelta::minutes(1);

/// When something was read, and what people had done last by then.
#[derive(Clone, Copy, Debug)]
pub struct AsOf {
    pub last_change: Option<LastChange>,
    pub at: DateTime<Utc>,
}

impl AsOf {
    /// Whether what was read still holds at `now`, when `last_change` is the last.
    pub fn holds(&self, last_change: Option<LastChange>, now: DateTime<Utc>) -> bool {
        self.last_change == last_change && (now - self.at).abs() < BELIEVED
    }
}

impl Store {
    /// The last change by a person; none if there was none yet.
    pub async fn last_change(&self) -> Result<Option<LastChange>, StoreError> {
        let last: Option<(i64, i64)> = sql::query_as("SELECT id, at FROM audit WHERE id = (SELECT MAX(id) FROM audit)")
            .fetch_optional(&self.reads)
            .await?;
        Ok(last.map(|(number, at)| LastChange { number, at }))
    }

    /// The same, for whoever asks again and again: what this process has written is seen at once, what another has, a
    /// moment later.
    pub async fn last_change_noticed(&self, now: DateTime<Utc>) -> Result<Option<LastChange>, StoreError> {
        // Before it is read: what is written meanwhile makes it old.
        let written = self.times_written();
        let noticed = self.caches.noticed.load();
        if noticed.holds(written, now) {
            return Ok(noticed.last_change);
        }
        let last_change = self.last_change().await?;
        self.caches.noticed.store(Arc::new(Noticed { last_change, at: now, written: Some(written) }));
        Ok(last_change)
    }

    /// What people changed.
    pub async fn audited(&self, filter: AuditFilter<'_>) -> Result<Vec<AuditRow>, StoreError> {
        let (at, number) = filter.after.map_or((filter.way.start().at, 0), |(at, number)| (millis(at), number));
        let rows = match filter.way {
            Way::LatestFirst => {
                "SELECT id, tenant, at, who, what, origin, alert FROM audit WHERE at >= $1 AND at < $2
                 AND at <= $7 AND (at < $7 OR id < $8)
                 AND (tenant = $3 OR $3 IS NULL) AND ($4 IS NULL OR instr(lower(who), lower($4)) > 0)
                 AND ($5 IS NULL OR instr(lower(what), lower($5)) > 0)
                 AND ($9 IS NULL OR substr(alert, 1, length($9)) = $9
                   OR EXISTS (SELECT 1 FROM json_each($10) AS mark WHERE instr(what, mark.value) > 0))
                 ORDER BY at DESC, id DESC LIMIT $6"
            }
            Way::EarliestFirst => {
                "SELECT id, tenant, at, who, what, origin, alert FROM audit WHERE at >= $1 AND at < $2
                 AND at >= $7 AND (at > $7 OR id > $8)
                 AND (tenant = $3 OR $3 IS NULL) AND ($4 IS NULL OR instr(lower(who), lower($4)) > 0)
                 AND ($5 IS NULL OR instr(lower(what), lower($5)) > 0)
                 AND ($9 IS NULL OR substr(alert, 1, length($9)) = $9
                   OR EXISTS (SELECT 1 FROM json_each($10) AS mark WHERE instr(what, mark.value) > 0))
                 ORDER BY at, id LIMIT $6"
            }
        };
        let rows = sql::query(rows)
            .bind(millis(filter.from))
            .bind(millis(filter.until))
            .bind(filter.ticket.map(|named| named.tenant.as_str()).or(filter.reach.as_str()))
            .bind(filter.who)
            .bind(filter.what)
            .bind(filter.limit)
            .bind(at)
            .bind(number)
            .bind(filter.ticket.map(Named::alerts))
            .bind(json(&filter.ticket.map(Named::marks).unwrap_or_default()))
            .fetch_all(&self.reads);
        self.legible("change", "id", &rows.await?, AuditRow::read)
    }

    /// What people did to the alert of that key, the first first.
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

/// Writes down that `author` did `what`.
pub(super) async fn audit(
    tx: &mut Connection,
    tenant: Option<&TenantId>,
    what: &str,
    author: &Author,
    now: DateTime<Utc>,
) -> Result<(), sql::Error> {
    audit_act(tx, tenant, None, what, author, now).await
}

/// As [`audit`], of what was done to the `alert` of that key.
pub(super) async fn audit_act(
    tx: &mut Connection,
    tenant: Option<&TenantId>,
    alert: Option<&str>,
    what: &str,
    author: &Author,
    now: DateTime<Utc>,
) -> Result<(), sql::Error> {
    let prior = chain::last(&mut *tx).await?;
    // A server stores no zero: the hash is of what can be read again.
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
