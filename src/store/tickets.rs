//! Stored tickets: the open ones of a tenant from a cache, any one by its id, and the history of each.

mod past;
pub(super) mod save;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;

pub use self::save::{Batch, Lived, Saved};
use super::audit::Author;
use super::{Store, StoreError, instant, millis, missing_key, others, to_the_end};
use crate::store::sql::{self, Connection, FromRow, QueryBuilder, Row};
use crate::ticket::conversation::ConversationSummary;
use crate::ticket::observe::vanish;
use crate::ticket::watch::{Bounds, Change, ChangeKind, Watched};
use crate::ticket::{Reach, StatusMeaning, StatusWords, TenantId, TicketId};

/// All open tickets of one tenant.
pub type OpenTickets = HashMap<TicketId, Arc<Watched>>;

/// What a person did, for the audit log.
pub(super) struct AuditNote {
    pub what: String,
    pub author: Author,
    pub at: DateTime<Utc>,
}

impl Store {
    /// Returns all open tickets of `tenant`.
    pub async fn open_tickets(&self, tenant: &TenantId) -> Result<Arc<OpenTickets>, StoreError> {
        let read = async { self.read_open(tenant).await.map(|open| Some(Arc::new(open))) };
        let open = self.caches.open.get_or(tenant, self.caches.turn(tenant), read).await?;
        Ok(open.unwrap_or_default())
    }

    /// Returns the ticket that SuperOps keeps under `id`, open or not.
    pub async fn ticket(&self, tenant: &TenantId, id: &TicketId) -> Result<Option<Arc<Watched>>, StoreError> {
        let held = self.caches.open.peek(tenant).and_then(|open| open.get(id).cloned());
        if held.is_some() {
            return Ok(held);
        }
        let key = (tenant.clone(), id.clone());
        self.caches.single.get_or(&key, self.caches.turn(tenant), self.read_one(tenant, id)).await
    }

    /// Returns the tickets within `reach` that people may mean by `text`, an id or a display id, open ones first.
    pub async fn find_ticket(&self, reach: &Reach, text: &str) -> Result<Vec<(TenantId, Arc<Watched>)>, StoreError> {
        let found = sql::query(
            "SELECT tenant, id FROM tickets WHERE (id = $1 OR display_id = $1) AND (tenant = $2 OR $2 IS NULL) \
             ORDER BY open DESC, read_at DESC, tenant, id LIMIT 10",
        )
        .bind(text.trim())
        .bind(reach.as_str())
        .fetch_all(&self.reads)
        .await?;
        let mut tickets = Vec::with_capacity(found.len());
        for row in found {
            let tenant = TenantId::parse(row.try_get("tenant")?).map_err(unreadable)?;
            let id = TicketId::parse(row.try_get("id")?).map_err(unreadable)?;
            tickets.extend(self.ticket(&tenant, &id).await?.map(|watched| (tenant, watched)));
        }
        Ok(tickets)
    }

    /// Returns the history of a ticket, oldest first.
    pub async fn events(&self, tenant: &TenantId, id: &TicketId) -> Result<Vec<Change>, StoreError> {
        let rows = sql::query(
            "SELECT id, tenant, ticket_id, kind, was, became, earliest, latest FROM events WHERE tenant = $1 AND ticket_id = $2
             ORDER BY id",
        )
        .bind(tenant.as_str())
        .bind(id.as_str())
        .fetch_all(&self.reads)
        .await?;
        self.legible("event", "id", &rows, change)
    }

    /// Returns the history of each of the tickets with these `ids`, oldest first.
    pub async fn events_of(
        &self,
        tenant: &TenantId,
        ids: &[&str],
    ) -> Result<HashMap<TicketId, Vec<Change>>, StoreError> {
        let rows = sql::query(
            "SELECT id, tenant, ticket_id, kind, was, became, earliest, latest FROM events \
             WHERE tenant = $1 AND ticket_id IN (SELECT value FROM json_each($2)) ORDER BY id",
        )
        .bind(tenant.as_str())
        .bind(serde_json::to_string(ids).map_err(unreadable)?)
        .fetch_all(&self.reads)
        .await?;
        Ok(by_ticket(self.legible("event", "id", &rows, of_ticket)?))
    }

    /// Returns the history of each open ticket, oldest first.
    pub async fn open_events(&self, tenant: &TenantId) -> Result<HashMap<TicketId, Vec<Change>>, StoreError> {
        let rows = sql::query(
            "SELECT id, tenant, ticket_id, kind, was, became, earliest, latest FROM events WHERE tenant = $1 \
             AND ticket_id IN (SELECT id FROM tickets WHERE tenant = $1 AND open = 1) ORDER BY id",
        )
        .bind(tenant.as_str())
        .fetch_all(&self.reads)
        .await?;
        Ok(by_ticket(self.legible("event", "id", &rows, of_ticket)?))
    }

    /// Returns the tickets, or only the open ones, that no read since `since` has shown: open ones first, then those
    /// not seen for longest.
    pub async fn unseen_since(
        &self,
        tenant: &TenantId,
        since: DateTime<Utc>,
        only_open: bool,
    ) -> Result<Vec<TicketId>, StoreError> {
        let ids: Vec<String> = sql::query_scalar(
            "SELECT id FROM tickets WHERE tenant = $1 AND open >= $2 AND read_at < $3 AND vanished_at IS NULL \
             ORDER BY open DESC, read_at, id",
        )
        .bind(tenant.as_str())
        .bind(i64::from(only_open))
        .bind(millis(since))
        .fetch_all(&self.reads)
        .await?;
        ids.iter().map(|id| TicketId::parse(id).map_err(unreadable)).collect()
    }

    /// Returns the status names that the tenant's tickets last had.
    pub async fn statuses_seen(&self, tenant: &TenantId) -> Result<Vec<String>, StoreError> {
        Ok(sql::query_scalar(STATUSES).bind(tenant.as_str()).fetch_all(&self.reads).await?)
    }

    /// Counts one more read that should have shown the ticket and did not; returns the number of such reads.
    pub async fn mark_missed(&self, tenant: &TenantId, id: &TicketId) -> Result<i64, StoreError> {
        let (tenant, id) = (tenant.clone(), id.clone());
        self.writer.write(move |tx: &mut Connection| Box::pin(count_miss(tx, tenant, id))).await
    }

    /// Stores that SuperOps no longer has the ticket, or hides it.
    pub async fn mark_vanished(&self, tenant: &TenantId, id: &TicketId, read: Bounds) -> Result<(), StoreError> {
        let gone = move |watched: &Watched| {
            let (gone, change) = vanish(watched, read);
            (gone, Some(change))
        };
        self.amend(tenant, id, gone, None).await.map(drop)
    }

    /// Stores when a technician first replied to the ticket.
    pub async fn save_reply(&self, tenant: &TenantId, id: &TicketId, at: DateTime<Utc>) -> Result<(), StoreError> {
        let replied = move |watched: &Watched| (Watched { replied_at: Some(at), ..watched.clone() }, None);
        self.amend(tenant, id, replied, None).await.map(drop)
    }

    /// Stores what the conversation of the ticket shows.
    pub async fn save_conversation(
        &self,
        tenant: &TenantId,
        id: &TicketId,
        conversation: ConversationSummary,
    ) -> Result<(), StoreError> {
        self.amend(tenant, id, move |watched| (Watched { conversation, ..watched.clone() }, None), None).await.map(drop)
    }

    /// Decides again which tickets are open: the meaning of a status may have been reconfigured.
    pub async fn apply_words(&self, tenant: &TenantId, words: &StatusWords) -> Result<(), StoreError> {
        let (store, tenant, words) = (self.clone(), tenant.clone(), words.clone());
        to_the_end(async move {
            let _turn = store.caches.turn(&tenant).await;
            let name = tenant.clone();
            store.writer.write(move |tx: &mut Connection| Box::pin(reclassify(tx, name, words))).await?;
            store.caches.open.forget(&tenant);
            Ok(())
        })
        .await
    }

    /// Changes what is stored of one ticket, and returns it as it is then. Acts of people are noted in the audit log.
    pub(super) async fn amend(
        &self,
        tenant: &TenantId,
        id: &TicketId,
        change: impl FnOnce(&Watched) -> (Watched, Option<Change>) + Send + 'static,
        note: Option<AuditNote>,
    ) -> Result<Option<Arc<Watched>>, StoreError> {
        let (store, tenant, id) = (self.clone(), tenant.clone(), id.clone());
        to_the_end(async move {
            let _turn = store.caches.turn(&tenant).await;
            let owner = tenant.clone();
            let amended = store
                .writer
                .write(move |tx: &mut Connection| Box::pin(save::amend(tx, owner, id, change, note)))
                .await?;
            let amended = amended.map(Arc::new);
            if let Some(watched) = &amended {
                let open = watched.vanished_at.is_none() && store.holds_open(&tenant, &watched.ticket.id);
                store.hold(&tenant, [(watched.clone(), open)]);
            }
            Ok(amended)
        })
        .await
    }

    fn holds_open(&self, tenant: &TenantId, id: &TicketId) -> bool {
        self.caches.open.peek(tenant).is_some_and(|open| open.contains_key(id))
    }

    /// Updates the cached copies of these tickets, each with whether it is open.
    fn hold(&self, tenant: &TenantId, written: impl IntoIterator<Item = (Arc<Watched>, bool)>) {
        let mut open = self.caches.open.peek(tenant);
        for (watched, is_open) in written {
            let id = watched.ticket.id.clone();
            match &mut open {
                Some(open) if is_open => drop(Arc::make_mut(open).insert(id.clone(), watched.clone())),
                // Most tickets of a long history were never open here: nothing is copied for them.
                Some(open) if open.contains_key(&id) => drop(Arc::make_mut(open).remove(&id)),
                _ => {}
            }
            self.left_out.remove("ticket", id.as_str());
            self.caches.single.replace((tenant.clone(), id), watched);
        }
        if let Some(open) = open {
            self.caches.open.put(tenant.clone(), open);
        }
    }

    async fn read_open(&self, tenant: &TenantId) -> Result<OpenTickets, StoreError> {
        let mut query = select(tenant);
        let mut tickets = OpenTickets::new();
        let read = |row: Row| {
            match watched(&row) {
                Ok(watched) => drop(tickets.insert(watched.ticket.id.clone(), Arc::new(watched))),
                Err(error) if missing_key(&error).is_some() => return Err(error.into()),
                // The next sweep of the open tickets writes it again.
                Err(error) => self.leave_out("ticket", row.try_get("id")?, Some(tenant.to_string()), &error),
            }
            Ok::<_, StoreError>(())
        };
        query.push(" AND open = 1").build().fetch_each(&self.reads, read).await?;
        Ok(tickets)
    }

    async fn read_one(&self, tenant: &TenantId, id: &TicketId) -> Result<Option<Arc<Watched>>, StoreError> {
        let mut query = select(tenant);
        let row = query.push(" AND id = ").push_bind(id.as_str()).build().fetch_optional(&self.reads).await?;
        match row.map(|row| watched(&row)).transpose() {
            Ok(watched) => Ok(watched.map(Arc::new)),
            Err(error) if missing_key(&error).is_some() => Err(error.into()),
            // One that cannot be read was reported with the open ones; treat it as never seen.
            Err(_) => Ok(None),
        }
    }
}

/// Selects the tickets of `tenant`; further conditions may follow.
pub(super) fn select(tenant: &TenantId) -> QueryBuilder {
    let mut query = QueryBuilder::new(
        "SELECT ticket, first_seen_at, read_at, cycle, status_earliest, status_latest, replied_at, vanished_at, id, \
         conversation, overrides, past, untouched, tenant \
         FROM tickets WHERE tenant = ",
    );
    query.push_bind(tenant.as_str());
    query
}

async fn count_miss(tx: &mut Connection, tenant: TenantId, id: TicketId) -> Result<i64, sql::Error> {
    let query =
        sql::query_scalar("UPDATE tickets SET misses = misses + 1 WHERE tenant = $1 AND id = $2 RETURNING misses");
    let misses = query.bind(tenant.as_str()).bind(id.as_str()).fetch_optional(tx).await?;
    Ok(misses.unwrap_or(0))
}

/// Selects the statuses of tenant $1's tickets, jumping from each to the next instead of scanning all tickets.
const STATUSES: &str = "WITH RECURSIVE named (status) AS (
     SELECT (SELECT status FROM tickets WHERE tenant = $1 AND status IS NOT NULL ORDER BY status LIMIT 1)
     UNION ALL SELECT (SELECT MIN(status) FROM tickets WHERE tenant = $1 AND status > named.status)
     FROM named WHERE named.status IS NOT NULL)
   SELECT status FROM named WHERE status IS NOT NULL";

async fn reclassify(tx: &mut Connection, tenant: TenantId, words: StatusWords) -> Result<(), sql::Error> {
    let statuses: Vec<String> = sql::query_scalar(STATUSES).bind(tenant.as_str()).fetch_all(&mut *tx).await?;
    for status in statuses.into_iter().map(Some).chain([None]) {
        let open = words.meaning(status.as_deref()) != StatusMeaning::Closed;
        sql::query(
            "UPDATE tickets SET open = $1 WHERE tenant = $2 AND status IS NOT DISTINCT FROM $3 \
             AND open = 1 - $1 AND vanished_at IS NULL",
        )
        .bind(i64::from(open))
        .bind(tenant.as_str())
        .bind(status)
        .execute(&mut *tx)
        .await?;
    }
    others::tell(tx, &tenant).await
}

struct TicketRow {
    ticket: String,
    first_seen_at: i64,
    read_at: i64,
    cycle: u32,
    status_earliest: Option<i64>,
    status_latest: Option<i64>,
    replied_at: Option<i64>,
    vanished_at: Option<i64>,
    conversation: Option<String>,
    overrides: Option<String>,
    past: Option<String>,
    untouched: Option<i64>,
}

sql::from_row!(TicketRow {
    ticket,
    first_seen_at,
    read_at,
    cycle,
    status_earliest,
    status_latest,
    replied_at,
    vanished_at,
    conversation,
    overrides,
    past,
    untouched
});

/// Reads a stored ticket. The error is of the database's type, for use inside a write.
pub(super) fn watched(row: &Row) -> Result<Watched, sql::Error> {
    let row = TicketRow::from_row(row)?;
    let time = |millis: i64| instant(millis).map_err(|error| sql::Error::Decode(error.into()));
    let bounds = row.status_earliest.zip(row.status_latest);
    Ok(Watched {
        ticket: serde_json::from_str(&row.ticket).map_err(|error| sql::Error::Decode(error.into()))?,
        first_seen_at: time(row.first_seen_at)?,
        untouched: row.untouched.map(|untouched| untouched != 0),
        read_at: time(row.read_at)?,
        cycle: row.cycle,
        status_since: match bounds {
            Some((earliest, latest)) => Some(Bounds { earliest: time(earliest)?, latest: time(latest)? }),
            None => None,
        },
        replied_at: row.replied_at.map(time).transpose()?,
        vanished_at: row.vanished_at.map(time).transpose()?,
        conversation: from_json(row.conversation.as_deref()),
        overrides: from_json(row.overrides.as_deref()),
        past: past::read(row.past.as_deref())?,
    })
}

/// Reads a value stored beside the ticket. If it is unreadable the ticket still works: the value is learned again.
fn from_json<T: DeserializeOwned + Default>(text: Option<&str>) -> T {
    text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}

fn of_ticket(row: &Row) -> Result<(TicketId, Change), StoreError> {
    Ok((TicketId::parse(row.try_get("ticket_id")?).map_err(unreadable)?, change(row)?))
}

/// Groups what was found by ticket, in the order in which it was found.
pub(super) fn by_ticket<T>(found: Vec<(TicketId, T)>) -> HashMap<TicketId, Vec<T>> {
    let mut grouped: HashMap<TicketId, Vec<T>> = HashMap::new();
    for (id, one) in found {
        grouped.entry(id).or_default().push(one);
    }
    grouped
}

pub(super) fn change(row: &Row) -> Result<Change, StoreError> {
    let kind: &str = row.try_get("kind")?;
    Ok(Change {
        kind: ChangeKind::parse(kind)
            .ok_or_else(|| StoreError::Unreadable(format!("event `{kind}` is of no known kind")))?,
        from: row.try_get("was")?,
        to: row.try_get("became")?,
        at: Bounds { earliest: instant(row.try_get("earliest")?)?, latest: instant(row.try_get("latest")?)? },
    })
}

pub(super) fn unreadable(error: impl std::fmt::Display) -> StoreError {
    StoreError::Unreadable(error.to_string())
}
