//! Converts entries to rows and back.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::{ROWS, date_of, day_number};
use crate::report::entry::{Entry, Exclusion, Holder, Outcome, Reason, Said, Share, Signs};
use crate::sla::clock::Basis;
use crate::store::sql::{self, Connection, QueryBuilder, Row};
use crate::store::{StoreError, millis};
use crate::ticket::{ClockKind, TenantId};

/// An entry as stored in the books.
#[derive(Clone, Debug)]
pub(super) struct Stored {
    pub id: i64,
    pub revision: i64,
    pub counts: bool,
    /// Without its stretches of overdue time.
    pub entry: Entry,
}

/// All columns that make an entry.
pub(super) const COLUMNS: &str = "e.id, e.ticket, e.clock, e.round, e.revision, e.counts, e.outcome, e.why, e.day, e.decided_at, \
     e.stop_day, e.stopped_at, e.target, e.counted, e.over, e.paused, e.says, e.reported, e.computed, e.observed, \
     e.answered_by, e.holder, e.client, e.priority, e.category, e.policy, e.version, e.maintenance, e.reason, \
     e.said_reason, e.reason_by, e.reopened_at, e.signs, e.chances";

const LATEST: &str = "SELECT e.ticket, e.id, e.clock, e.round, e.revision, e.counts, e.outcome, e.why, e.day, e.decided_at, \
     e.stop_day, e.stopped_at, e.target, e.counted, e.over, e.paused, e.says, e.reported, e.computed, e.observed, \
     e.answered_by, e.holder, e.client, e.priority, e.category, e.policy, e.version, e.maintenance, e.reason, \
     e.said_reason, e.reason_by, e.reopened_at, e.signs, e.chances FROM entries e WHERE e.latest = 1 AND e.tenant = ";
const WITHDRAWN: &str = "SELECT e.ticket, e.clock, e.round, MAX(e.revision) AS revision, MAX(e.counts) AS counts \
     FROM entries e WHERE e.latest = 0 AND e.tenant = ";
const LATEST_SHARES: &str = "SELECT s.entry, s.holder, s.weight, s.counted, s.over, s.paused FROM entries e \
     JOIN shares s ON s.entry = e.id WHERE e.latest = 1 AND e.tenant = ";

const FROZEN: &str = "SELECT e.ticket, e.id, e.clock, e.round, e.revision, e.counts, e.outcome, e.why, e.day, e.decided_at, \
     e.stop_day, e.stopped_at, e.target, e.counted, e.over, e.paused, e.says, e.reported, e.computed, e.observed, \
     e.answered_by, e.holder, e.client, e.priority, e.category, e.policy, e.version, e.maintenance, e.reason, \
     e.said_reason, e.reason_by, e.reopened_at, e.signs, e.chances FROM entries e \
     WHERE e.counts = 1 AND e.latest = 0 AND e.tenant = ";
const FROZEN_SHARES: &str = "SELECT s.entry, s.holder, s.weight, s.counted, s.over, s.paused FROM entries e \
     JOIN shares s ON s.entry = e.id WHERE e.counts = 1 AND e.latest = 0 AND e.tenant = ";

const WORDS: &str = "SELECT e.id, e.said_reason, e.reason_by FROM entries e WHERE e.tenant = $1 AND e.day BETWEEN $2 AND $3 \
     AND e.said_reason IS NOT NULL";

/// Returns what may be filled in after the decision.
pub(super) fn facts(entry: &Entry) -> impl PartialEq + use<> {
    (
        (entry.stopped_at, entry.counted, entry.over, entry.paused, entry.answered_by.clone(), entry.reopened_at),
        (entry.reason, entry.signs, entry.chances, entry.observed, entry.shares.clone()),
    )
}

pub(super) async fn insert(
    tx: &mut Connection,
    tenant: &TenantId,
    entry: &Entry,
    revision: i64,
    counts: bool,
    said: Option<&Said>,
) -> Result<i64, sql::Error> {
    sql::query_scalar(
        "INSERT INTO entries (tenant, ticket, clock, round, revision, counts, latest, headline, outcome, why, day, \
         decided_at, stop_day, stopped_at, target, counted, over, paused, says, reported, computed, observed, \
         answered_by, holder, client, priority, category, policy, version, maintenance, reason, \
         said_reason, reason_by, reopened_at, signs, chances, program) VALUES ($1, $2, $3, $4, $5, $6, 1, $7, $8, $9, $10, $11, $12, $13, \
         $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33, $34, \
         $35, $36) RETURNING id",
    )
    .bind(tenant.as_str())
    .bind(&*entry.ticket)
    .bind(entry.clock.as_str())
    .bind(entry.round)
    .bind(revision)
    .bind(i64::from(counts))
    .bind(i64::from(entry.is_headline()))
    .bind(entry.outcome.as_str())
    .bind(entry.why.map(Exclusion::as_str))
    .bind(day_number(entry.day))
    .bind(millis(entry.decided_at))
    .bind(entry.stop_day.map(day_number))
    .bind(entry.stopped_at.map(millis))
    .bind(entry.target)
    .bind(entry.counted)
    .bind(entry.over)
    .bind(entry.paused)
    .bind(entry.says.map(Basis::as_str))
    .bind(entry.reported.map(i64::from))
    .bind(entry.computed.map(i64::from))
    .bind(i64::from(entry.observed))
    .bind(entry.answered_by.as_ref().map(Holder::as_str))
    .bind(entry.holder.as_str())
    .bind(entry.client.as_deref())
    .bind(entry.priority.as_deref())
    .bind(entry.category.as_deref())
    .bind(entry.policy.as_deref())
    .bind(entry.version)
    .bind(i64::from(entry.maintenance))
    .bind(entry.reason.map(Reason::as_str))
    .bind(said.map(|said| said.reason.as_str()))
    .bind(said.map(|said| &*said.by))
    .bind(entry.reopened_at.map(millis))
    .bind(entry.signs.0)
    .bind(entry.chances.0)
    .bind(env!("CARGO_PKG_VERSION"))
    .fetch_one(tx)
    .await
}

/// Fills in what happened after the decision. A person's reason stays as it is.
pub(super) async fn update(tx: &mut Connection, old: &Stored, entry: &Entry) -> Result<(), sql::Error> {
    sql::query(
        "UPDATE entries SET stop_day = $2, stopped_at = $3, counted = $4, over = $5, paused = $6, answered_by = $7, \
         reopened_at = $8, reason = $9, signs = $10, chances = $11, \
         observed = $12 WHERE id = $1",
    )
    .bind(old.id)
    .bind(entry.stop_day.map(day_number))
    .bind(entry.stopped_at.map(millis))
    .bind(entry.counted)
    .bind(entry.over)
    .bind(entry.paused)
    .bind(entry.answered_by.as_ref().map(Holder::as_str))
    .bind(entry.reopened_at.map(millis))
    .bind(entry.reason.map(Reason::as_str))
    .bind(entry.signs.0)
    .bind(entry.chances.0)
    .bind(i64::from(entry.observed))
    .execute(tx)
    .await
    .map(drop)
}

pub(super) async fn insert_shares(tx: &mut Connection, id: i64, entry: &Entry) -> Result<(), sql::Error> {
    if entry.shares.is_empty() {
        return Ok(());
    }
    let mut query = QueryBuilder::new("INSERT INTO shares (entry, place, holder, weight, counted, over, paused) ");
    query.push_values(entry.shares.iter().zip(0_i64..), |mut row, (share, place)| {
        row.push_bind(id).push_bind(place).push_bind(share.holder.as_str()).push_bind(share.weight);
        row.push_bind(share.counted).push_bind(share.over).push_bind(share.paused);
    });
    query.build().execute(tx).await.map(drop)
}

/// Reads the latest entries of these tickets, with their shares.
pub(super) async fn of_tickets<'a>(
    tx: &mut Connection,
    tenant: &TenantId,
    tickets: impl Iterator<Item = &'a str>,
) -> Result<Vec<Stored>, sql::Error> {
    let tickets: Vec<&str> = tickets.collect();
    with_shares(tx, tenant, (LATEST, LATEST_SHARES), &tickets).await
}

/// Reads the replaced entries of these tickets that still count, because their month is closed, with their shares.
pub(super) async fn frozen(
    tx: &mut Connection,
    tenant: &TenantId,
    tickets: &[&str],
) -> Result<Vec<Stored>, sql::Error> {
    with_shares(tx, tenant, (FROZEN, FROZEN_SHARES), tickets).await
}

async fn with_shares(
    tx: &mut Connection,
    tenant: &TenantId,
    (entries, shares): (&'static str, &'static str),
    tickets: &[&str],
) -> Result<Vec<Stored>, sql::Error> {
    let mut all = Vec::new();
    for some in tickets.chunks(ROWS) {
        let mut query = QueryBuilder::new(entries);
        let rows = with_ids(&mut query, tenant, some).push(" ORDER BY e.id").build().fetch_all(&mut *tx).await?;
        all.extend(rows.iter().map(stored).collect::<Result<Vec<_>, _>>().map_err(decode)?);
        let mut query = QueryBuilder::new(shares);
        let query = with_ids(&mut query, tenant, some).push(" ORDER BY s.entry, s.place");
        give_shares(&mut all, &query.build().fetch_all(&mut *tx).await?)?;
    }
    Ok(all)
}

/// What a clock had before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Withdrawn {
    /// The last of its revisions that no longer hold.
    pub revision: i64,
    /// Whether one of them still counts, because its month is closed.
    pub counts: bool,
}

/// Reads what no longer holds of the clocks of these tickets, by ticket, clock and round.
pub(super) async fn withdrawn(
    tx: &mut Connection,
    tenant: &TenantId,
    tickets: &[&str],
) -> Result<HashMap<(String, String, u32), Withdrawn>, sql::Error> {
    let mut query = QueryBuilder::new(WITHDRAWN);
    let query = with_ids(&mut query, tenant, tickets).push(" GROUP BY e.ticket, e.clock, e.round");
    let mut found = HashMap::new();
    for row in &query.build().fetch_all(tx).await? {
        let key = (row.try_get("ticket")?, row.try_get("clock")?, row.try_get("round")?);
        let counts = row.try_get::<i64, _>("counts")? == 1;
        found.insert(key, Withdrawn { revision: row.try_get("revision")?, counts });
    }
    Ok(found)
}

/// Reads the latest entries of these tickets that are breaches, without shares.
pub(super) async fn breaches_of(
    connection: &mut Connection,
    tenant: &TenantId,
    tickets: &[&str],
) -> Result<Vec<Entry>, sql::Error> {
    let mut all = Vec::new();
    for some in tickets.chunks(ROWS) {
        let mut query = QueryBuilder::new(LATEST);
        let query = with_ids(&mut query, tenant, some).push(" ORDER BY e.id");
        let rows = query.build().fetch_all(&mut *connection).await?;
        all.extend(rows.iter().map(stored).collect::<Result<Vec<_>, _>>().map_err(decode)?);
    }
    let entries = all.into_iter().map(|stored| stored.entry);
    Ok(entries.filter(|entry| entry.outcome == Outcome::Breached).collect())
}

fn with_ids<'q>(query: &'q mut QueryBuilder, tenant: &TenantId, ids: &[&str]) -> &'q mut QueryBuilder {
    query.push_bind(tenant.as_str().to_owned());
    let mut list = query.push(" AND e.ticket IN (").separated(", ");
    for id in ids {
        list.push_bind((*id).to_owned());
    }
    list.push_unseparated(")");
    query
}

pub(super) fn decode(error: StoreError) -> sql::Error {
    sql::Error::Decode(error.into())
}

/// Adds each share to its entry.
pub(super) fn give_shares(all: &mut [Stored], rows: &[Row]) -> Result<(), sql::Error> {
    let places = places(all);
    rows.iter().try_for_each(|row| give_share(all, &places, row))
}

/// Adds the reasons that people gave to the breaches of some days.
pub(super) async fn give_words(
    connection: &mut Connection,
    tenant: &TenantId,
    (from, to): (i64, i64),
    all: &mut [Stored],
) -> Result<(), StoreError> {
    let query = sql::query(WORDS).bind(tenant.as_str()).bind(from).bind(to);
    let words = query.fetch_all(connection).await?;
    if words.is_empty() {
        return Ok(());
    }
    let places = places(all);
    for row in &words {
        if let Some(place) = places.get(&row.try_get("id")?) {
            all[*place].entry.said = said(row)?;
        }
    }
    Ok(())
}

/// Returns the reason that a person gave for the breach `entry`, from the last revision that was a breach: it outlasts
/// revisions in between that were none.
pub(super) async fn said_of(tx: &mut Connection, tenant: &TenantId, entry: &Entry) -> Result<Option<Said>, sql::Error> {
    if entry.outcome != Outcome::Breached {
        return Ok(None);
    }
    let last = sql::query(
        "SELECT said_reason, reason_by FROM entries WHERE tenant = $1 AND ticket = $2 AND clock = $3 AND round = $4
         AND outcome = 'breached' ORDER BY revision DESC LIMIT 1",
    );
    let last = last.bind(tenant.as_str()).bind(&*entry.ticket).bind(entry.clock.as_str()).bind(entry.round);
    last.fetch_optional(tx).await?.as_ref().map_or(Ok(None), said)
}

/// Reads the reason that a person gave for a missed clock.
fn said(row: &Row) -> Result<Option<Said>, sql::Error> {
    let reason = row.try_get::<Option<&str>, _>("said_reason")?.and_then(Reason::parse);
    let by = row.try_get::<Option<&str>, _>("reason_by")?.map(Arc::from);
    Ok(reason.zip(by).map(|(reason, by)| Said { reason, by }))
}

/// Returns the position of each entry by its id.
pub(super) fn places(all: &[Stored]) -> HashMap<i64, usize> {
    all.iter().enumerate().map(|(place, stored)| (stored.id, place)).collect()
}

/// Adds a share to its entry.
pub(super) fn give_share(all: &mut [Stored], places: &HashMap<i64, usize>, row: &Row) -> Result<(), sql::Error> {
    let Some(place) = places.get(&row.try_get("entry")?) else { return Ok(()) };
    all[*place].entry.shares.push(Share {
        holder: Holder::from(row.try_get::<String, _>("holder")?),
        weight: row.try_get("weight")?,
        counted: row.try_get("counted")?,
        over: row.try_get("over")?,
        paused: row.try_get("paused")?,
    });
    Ok(())
}

pub(super) fn stored(row: &Row) -> Result<Stored, StoreError> {
    let time = |name: &str| -> Result<Option<DateTime<Utc>>, StoreError> {
        row.try_get::<Option<i64>, _>(name)?.map(crate::store::instant).transpose()
    };
    let text = |name: &str| -> Result<Option<Arc<str>>, StoreError> {
        Ok(row.try_get::<Option<&str>, _>(name)?.map(Arc::from))
    };
    let flag = |name: &str| -> Result<bool, StoreError> { Ok(row.try_get::<i64, _>(name)? != 0) };
    let perhaps = |name: &str| -> Result<Option<bool>, StoreError> {
        Ok(row.try_get::<Option<i64>, _>(name)?.map(|number| number != 0))
    };
    let clock: &str = row.try_get("clock")?;
    let outcome: &str = row.try_get("outcome")?;
    let unknown =
        |what: &str, name: &str| StoreError::Unreadable(format!("an entry's {what} is of no known kind: `{name}`"));
    let says: Option<&str> = row.try_get("says")?;
    Ok(Stored {
        id: row.try_get("id")?,
        revision: row.try_get("revision")?,
        counts: flag("counts")?,
        entry: Entry {
            ticket: text("ticket")?.unwrap_or_default(),
            clock: ClockKind::ALL
                .into_iter()
                .find(|kind| kind.as_str() == clock)
                .ok_or_else(|| unknown("clock", clock))?,
            round: row.try_get("round")?,
            outcome: Outcome::parse(outcome).ok_or_else(|| unknown("outcome", outcome))?,
            why: row.try_get::<Option<&str>, _>("why")?.and_then(Exclusion::parse),
            decided_at: time("decided_at")?.unwrap_or_default(),
            day: date_of(row.try_get("day")?)?,
            stopped_at: time("stopped_at")?,
            stop_day: row.try_get::<Option<i64>, _>("stop_day")?.map(date_of).transpose()?,
            target: row.try_get("target")?,
            counted: row.try_get("counted")?,
            over: row.try_get("over")?,
            paused: row.try_get("paused")?,
            says: [Basis::ByHand, Basis::Reported, Basis::Policy].into_iter().find(|one| Some(one.as_str()) == says),
            reported: perhaps("reported")?,
            computed: perhaps("computed")?,
            observed: flag("observed")?,
            answered_by: row.try_get::<Option<String>, _>("answered_by")?.map(Holder::from),
            holder: Holder::from(row.try_get::<String, _>("holder")?),
            client: text("client")?,
            priority: text("priority")?,
            category: text("category")?,
            policy: text("policy")?,
            version: row.try_get("version")?,
            maintenance: flag("maintenance")?,
            reason: row.try_get::<Option<&str>, _>("reason")?.and_then(Reason::parse),
            said: said(row)?,
            reopened_at: time("reopened_at")?,
            signs: Signs(row.try_get("signs")?),
            chances: Signs(row.try_get("chances")?),
            shares: Vec::new(),
            overdue: Vec::new(),
        },
    })
}
