//! Saves pages of tickets, the changes they imply, what could not be read and the cursor, in one transaction with a few
//! statements per page.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;
use tracing::debug;

use super::super::audit::audit;
use super::super::sync::{SyncState, Unread, save_state, save_unread};
use super::super::weekly::count_changes;
use super::super::{Store, StoreError, millis, missing_key, to_the_end};
use super::super::{books, others};
use super::{AuditNote, past, select, watched};
use crate::sla::policy::{Choice, Policy, choice_seen, choose};
use crate::store::sealed::{BECAME, CONVERSATION, OVERRIDES, TICKET, WAS};
use crate::store::sql::{self, Connection, QueryBuilder};
use crate::ticket::observe::{is_outdated, observe};
use crate::ticket::watch::{Bounds, Change, ChangeKind, Watched};
use crate::ticket::{Named, StatusWords, TenantId, Ticket, TicketId};

/// The most rows in one statement: well under SQLite's 32,766 values.
const ROWS: usize = 500;

/// The contents of one answer of SuperOps, to be saved together.
#[derive(Clone, Debug)]
pub struct Batch {
    pub tickets: Vec<Ticket>,
    /// What could not be read, and why.
    pub unread: Vec<Unread>,
    /// From sending the request to receiving the answer.
    pub read: Bounds,
    /// Where the sync stands once this is saved; none if that does not change.
    pub state: Option<SyncState>,
    /// The policies: which one holds for a ticket is a part of its history.
    pub policies: Arc<[Policy]>,
}

/// What was new in the saved batches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Saved {
    /// Whether the clocks have to be checked again: an open ticket is new or changed, or no longer open.
    pub is_news: bool,
    /// Tickets seen for the first time.
    pub new: usize,
    /// Tickets that have changed.
    pub changed: Vec<TicketId>,
    /// How many of the tickets are closed now and were not known to be.
    pub closed: usize,
    /// How many records are newly in quarantine.
    pub quarantined: usize,
    /// Choices between several policies that were recorded, each once.
    pub choices: Vec<Choice>,
}

impl Store {
    /// Saves batches in order: their tickets, what changed, what could not be read and where the sync stands, all or
    /// nothing. Then updates the caches.
    pub async fn save_tickets(
        &self,
        tenant: &TenantId,
        batches: Vec<Batch>,
        words: &StatusWords,
    ) -> Result<Saved, StoreError> {
        let (store, tenant, words) = (self.clone(), tenant.clone(), words.clone());
        to_the_end(async move {
            let _turn = store.caches.turn(&tenant).await;
            let owner = tenant.clone();
            let write = async move |tx: &mut Connection| {
                let (mut saved, mut observed) = (Saved::default(), Vec::new());
                for batch in batches {
                    observed.extend(save(tx, &owner, batch, &words, &mut saved).await?);
                }
                others::tell(tx, &owner).await?;
                Ok((saved, observed))
            };
            let (saved, observed) =
                store.writer.write(move |tx: &mut Connection| Box::pin(async move { write(tx).await })).await?;
            store.hold(&tenant, observed.into_iter().map(|one| (Arc::new(one.watched), one.open)));
            Ok(saved)
        })
        .await
    }
}

/// A ticket with its whole history, as if it had been watched.
#[derive(Clone, Debug)]
pub struct Lived {
    pub watched: Watched,
    pub changes: Vec<Change>,
    /// Its handovers: from whom, to whom, and when.
    pub handed: Vec<(Option<Named>, Option<Named>, DateTime<Utc>)>,
}

impl Store {
    /// Stores tickets with their past, replacing what is known of them.
    pub async fn save_past(&self, tenant: &TenantId, lived: Vec<Lived>, words: &StatusWords) -> Result<(), StoreError> {
        let (owner, words) = (tenant.clone(), words.clone());
        self.writer
            .write(move |tx: &mut Connection| Box::pin(async move { write_past(tx, &owner, lived, &words).await }))
            .await?;
        self.caches.open.forget(tenant);
        Ok(())
    }
}

async fn write_past(
    tx: &mut Connection,
    tenant: &TenantId,
    lived: Vec<Lived>,
    words: &StatusWords,
) -> Result<(), sql::Error> {
    for one in lived {
        let Lived { watched, changes, handed } = one;
        let (id, seen_at) = (watched.ticket.id.clone(), watched.read_at);
        let conversation = json(&watched.conversation)?;
        let one = Observed { open: watched.is_open(words), watched, changes, differs: true };
        write(tx, tenant, &[&one]).await?;
        sql::query("UPDATE tickets SET conversation = $3 WHERE tenant = $1 AND id = $2")
            .bind(tenant.as_str())
            .bind(id.as_str())
            .bind(CONVERSATION.seal(&[tenant.as_str(), id.as_str()], conversation))
            .execute(&mut *tx)
            .await?;
        record(tx, tenant, &one.changes.iter().map(|change| (&id, change)).collect::<Vec<_>>(), seen_at).await?;
        books::meet(tx, tenant, [&one.watched.ticket].into_iter(), seen_at).await?;
        for (was, is, at) in &handed {
            books::hand_over(tx, tenant, &id, (was.as_ref(), is.as_ref()), *at).await?;
        }
        books::mark(tx, tenant, [&id]).await?;
    }
    Ok(())
}

/// A ticket to be stored.
struct Observed {
    watched: Watched,
    open: bool,
    changes: Vec<Change>,
    /// Whether anything but the time of reading has changed.
    differs: bool,
}

async fn save(
    tx: &mut Connection,
    tenant: &TenantId,
    batch: Batch,
    words: &StatusWords,
    saved: &mut Saved,
) -> Result<Vec<Observed>, sql::Error> {
    let tickets = each_once(batch.tickets);
    let ids: Vec<TicketId> = tickets.keys().cloned().collect();
    let known = read_known(tx, tenant, &ids).await?;
    let mut all = Vec::with_capacity(tickets.len());
    for ticket in tickets.into_values() {
        let before = known.get(&ticket.id);
        if before.is_some_and(|before| is_outdated(before, &ticket, batch.read)) {
            debug!(%tenant, ticket = %ticket.id, "a row older than what is known is left out");
            continue;
        }
        let mut one = compare(before, ticket, words, batch.read);
        if let Some(choice) = one.choose(&batch.policies, tenant, before) {
            saved.note(choice);
        }
        saved.count(before, &one, words);
        all.push(one);
    }
    let (differing, same): (Vec<&Observed>, Vec<&Observed>) = all.iter().partition(|one| one.differs);
    write(tx, tenant, &differing).await?;
    touch(tx, tenant, &same, batch.read).await?;
    record(tx, tenant, &events(&all), batch.read.latest).await?;
    keep_for_books(tx, tenant, &known, &differing, batch.read.latest).await?;
    saved.quarantined += save_unread(tx, tenant, &ids, &batch.unread, batch.read.latest).await?;
    if let Some(state) = &batch.state {
        save_state(tx, tenant, state).await?;
    }
    Ok(all)
}

/// A ticket that moved to the next page while we read comes twice: keeps the later update, or else the last row.
fn each_once(tickets: Vec<Ticket>) -> BTreeMap<TicketId, Ticket> {
    let mut each: BTreeMap<TicketId, Ticket> = BTreeMap::new();
    for ticket in tickets {
        match each.entry(ticket.id.clone()) {
            Entry::Occupied(known) if known.get().updated_at > ticket.updated_at => {}
            Entry::Occupied(mut known) => drop(known.insert(ticket)),
            Entry::Vacant(place) => drop(place.insert(ticket)),
        }
    }
    each
}

/// Stores what the books need of new or changed tickets: their people, who had them, and a mark.
async fn keep_for_books(
    tx: &mut Connection,
    tenant: &TenantId,
    known: &HashMap<TicketId, Watched>,
    differing: &[&Observed],
    now: DateTime<Utc>,
) -> Result<(), sql::Error> {
    books::meet(tx, tenant, differing.iter().map(|one| &one.watched.ticket), now).await?;
    for one in differing {
        let ticket = &one.watched.ticket;
        let moved = one.changes.iter().find(|change| change.kind == ChangeKind::Assignee);
        let before = known.get(&ticket.id).map(|before| &before.ticket);
        if let Some((change, before)) = moved.zip(before) {
            let hands = (before.technician.as_ref(), ticket.technician.as_ref());
            books::hand_over(tx, tenant, &ticket.id, hands, change.at.latest).await?;
        }
    }
    books::mark(tx, tenant, differing.iter().map(|one| &one.watched.ticket.id)).await
}

fn compare(before: Option<&Watched>, ticket: Ticket, words: &StatusWords, read: Bounds) -> Observed {
    let (watched, changes) = observe(before, ticket, words, read);
    let differs = before.is_none_or(|before| before.ticket != watched.ticket || before.vanished_at.is_some());
    Observed { open: watched.is_open(words), watched, changes, differs }
}

impl Observed {
    /// Records which policy holds, if that is news; unimportant for tickets closed before we first saw them.
    fn choose(&mut self, policies: &[Policy], tenant: &TenantId, before: Option<&Watched>) -> Option<Choice> {
        if before.is_none() && !self.open {
            return None;
        }
        let change = choice_seen(policies, tenant, before, &self.watched, &self.changes)?;
        self.changes.push(change);
        choose(policies, tenant, &self.watched.ticket).filter(|choice| !choice.runners_up.is_empty())
    }
}

impl Saved {
    fn note(&mut self, choice: Choice) {
        if !self.choices.contains(&choice) {
            self.choices.push(choice);
        }
    }

    fn count(&mut self, before: Option<&Watched>, one: &Observed, words: &StatusWords) {
        let was_open = before.map(|before| before.is_open(words));
        self.is_news |= one.differs && (one.open || was_open == Some(true));
        self.new += usize::from(before.is_none());
        self.closed += usize::from(was_open.unwrap_or(true) && !one.open);
        if before.is_some() && one.differs {
            self.changed.push(one.watched.ticket.id.clone());
        }
    }
}

/// Changes one ticket with `change`; none if there is no such ticket.
pub async fn amend(
    tx: &mut Connection,
    tenant: TenantId,
    id: TicketId,
    change: impl FnOnce(&Watched) -> (Watched, Option<Change>),
    note: Option<AuditNote>,
) -> Result<Option<Watched>, sql::Error> {
    let Some(before) = read_known(tx, &tenant, std::slice::from_ref(&id)).await?.remove(&id) else { return Ok(None) };
    let (watched, event) = change(&before);
    sql::query(
        "UPDATE tickets SET replied_at = $1, vanished_at = $2, conversation = $5, overrides = $6, \
         open = CASE WHEN $2 IS NULL THEN open ELSE 0 END WHERE tenant = $3 AND id = $4",
    )
    .bind(watched.replied_at.map(millis))
    .bind(watched.vanished_at.map(millis))
    .bind(tenant.as_str())
    .bind(id.as_str())
    .bind(CONVERSATION.seal(&[tenant.as_str(), id.as_str()], json(&watched.conversation)?))
    .bind(OVERRIDES.seal(&[tenant.as_str(), id.as_str()], json(&watched.overrides)?))
    .execute(&mut *tx)
    .await?;
    if let Some(AuditNote { what, author, at }) = &note {
        let what = format!("ticket {}: {what}", watched.ticket.display_id);
        audit(tx, Some(&tenant), &what, author, *at).await?;
    }
    books::mark(tx, &tenant, [&id]).await?;
    others::tell(tx, &tenant).await?;
    if let Some(event) = &event {
        record(tx, &tenant, &[(&id, event)], event.at.latest).await?;
    }
    Ok(Some(watched))
}

fn json(value: &impl Serialize) -> Result<String, sql::Error> {
    serde_json::to_string(value).map_err(|error| sql::Error::Encode(error.into()))
}

async fn read_known(
    tx: &mut Connection,
    tenant: &TenantId,
    ids: &[TicketId],
) -> Result<HashMap<TicketId, Watched>, sql::Error> {
    let mut known = HashMap::with_capacity(ids.len());
    for some in ids.chunks(ROWS) {
        let mut query = select(tenant);
        push_ids(query.push(" AND id IN ("), some.iter());
        let read = |row: sql::Row| {
            // One that cannot be read is written as if it were new.
            match watched(&row) {
                Ok(watched) => drop(known.insert(watched.ticket.id.clone(), watched)),
                Err(error) if missing_key(&error).is_some() => return Err(error),
                Err(_) => {}
            }
            Ok::<_, sql::Error>(())
        };
        query.build().fetch_each(&mut *tx, read).await?;
    }
    Ok(known)
}

async fn write(tx: &mut Connection, tenant: &TenantId, differing: &[&Observed]) -> Result<(), sql::Error> {
    for some in differing.chunks(ROWS) {
        let mut query = QueryBuilder::new(
            "INSERT INTO tickets (tenant, id, display_id, status, open, ticket, first_seen_at, read_at, cycle, \
             status_earliest, status_latest, replied_at, vanished_at, past, opened, untouched) ",
        );
        let texts = some.iter().map(|one| serde_json::to_string(&one.watched.ticket)).collect::<Result<Vec<_>, _>>();
        let texts = texts.map_err(|error| sql::Error::Encode(error.into()))?;
        query.push_values(some.iter().zip(texts), |mut row, (one, text)| {
            let (watched, ticket) = (&one.watched, &one.watched.ticket);
            row.push_bind(tenant.as_str()).push_bind(ticket.id.as_str()).push_bind(ticket.display_id.as_str());
            row.push_bind(ticket.status.as_deref()).push_bind(i64::from(one.open));
            row.push_bind(TICKET.seal(&[tenant.as_str(), ticket.id.as_str()], text));
            row.push_bind(millis(watched.first_seen_at)).push_bind(millis(watched.read_at)).push_bind(watched.cycle);
            row.push_bind(watched.status_since.map(|since| millis(since.earliest)));
            row.push_bind(watched.status_since.map(|since| millis(since.latest)));
            row.push_bind(watched.replied_at.map(millis)).push_bind(watched.vanished_at.map(millis));
            row.push_bind(past::written(&watched.past)).push_bind(ticket.created_at.map(opened));
            row.push_bind(watched.untouched.map(i64::from));
        });
        query.push(
            " ON CONFLICT (tenant, id) DO UPDATE SET display_id = excluded.display_id, status = excluded.status, \
             open = excluded.open, ticket = excluded.ticket, read_at = excluded.read_at, cycle = excluded.cycle, \
             status_earliest = excluded.status_earliest, status_latest = excluded.status_latest, misses = 0, \
             replied_at = excluded.replied_at, vanished_at = excluded.vanished_at, past = excluded.past, \
             opened = excluded.opened",
        );
        query.build().execute(&mut *tx).await?;
    }
    Ok(())
}

/// Updates only the time of reading: most tickets on most pages are unchanged.
async fn touch(tx: &mut Connection, tenant: &TenantId, same: &[&Observed], read: Bounds) -> Result<(), sql::Error> {
    for some in same.chunks(ROWS) {
        let mut query = QueryBuilder::new("UPDATE tickets SET misses = 0, read_at = ");
        query.push_bind(millis(read.earliest)).push(" WHERE tenant = ").push_bind(tenant.as_str());
        push_ids(query.push(" AND id IN ("), some.iter().map(|one| &one.watched.ticket.id));
        query.build().execute(&mut *tx).await?;
    }
    Ok(())
}

/// Formats when a ticket was opened so that tickets sort by it.
pub fn opened(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

fn events(all: &[Observed]) -> Vec<(&TicketId, &Change)> {
    let mut events = Vec::new();
    for one in all {
        events.extend(one.changes.iter().map(|change| (&one.watched.ticket.id, change)));
    }
    events
}

/// Adds what was seen at `seen_at` to the histories of tickets.
pub async fn record(
    tx: &mut Connection,
    tenant: &TenantId,
    changes: &[(&TicketId, &Change)],
    seen_at: DateTime<Utc>,
) -> Result<(), sql::Error> {
    for some in changes.chunks(ROWS) {
        let mut query =
            QueryBuilder::new("INSERT INTO events (tenant, ticket_id, kind, was, became, earliest, latest) ");
        query.push_values(some, |mut row, (id, change)| {
            row.push_bind(tenant.as_str()).push_bind(id.as_str()).push_bind(change.kind.as_str());
            let named = [tenant.as_str(), id.as_str(), change.kind.as_str()];
            row.push_bind(change.from.as_ref().map(|was| WAS.seal(&named, was)));
            row.push_bind(change.to.as_ref().map(|is| BECAME.seal(&named, is)));
            row.push_bind(millis(change.at.earliest)).push_bind(millis(change.at.latest));
        });
        query.build().execute(&mut *tx).await?;
    }
    count_changes(tx, tenant, changes, seen_at).await
}

/// Completes `… IN (`.
fn push_ids<'a>(query: &mut QueryBuilder, ids: impl Iterator<Item = &'a TicketId>) {
    let mut list = query.separated(", ");
    for id in ids {
        list.push_bind(id.as_str());
    }
    list.push_unseparated(")");
}
