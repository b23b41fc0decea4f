//! What the desk lived through before the demo began, as if the service had watched it: so that reports are full at first sight.
//!
//! Only tickets that are done are taken: of the open ones the service learns by itself, as it does everywhere.

use std::collections::BTreeMap;

use anyhow::Context;
use chrono::{DateTime, Utc};

use crate::simulator::ticket::{EntryKind, Ref, SimTicket};
use crate::simulator::{DueOnPause, Simulator};
use crate::store::Store;
use crate::store::tickets::Lived;
use crate::ticket::conversation::{ConversationSummary, Said, Voice};
use crate::ticket::watch::{Bounds, observe};
use crate::ticket::{Named, RefId, Reported, StatusWords, TenantId, Ticket, TicketId};

/// Remembers the lives of the tickets that are done.
pub async fn remember(
    store: &Store,
    look_alike: &Simulator,
    tenant: &TenantId,
    words: &StatusWords,
) -> anyhow::Result<usize> {
    let mut lives: BTreeMap<u64, Vec<(DateTime<Utc>, SimTicket)>> = BTreeMap::new();
    for (at, ticket) in look_alike.take_lived() {
        lives.entry(ticket.id).or_default().push((at, ticket));
    }
    lives.retain(|_, life| life.last().is_some_and(|(_, last)| last.is_resolved()));
    let lived = lives.values().map(|life| lived(life, words)).collect::<Option<Vec<_>>>();
    let lived = lived.context("a ticket of the look-alike has no id")?;
    let count = lived.len();
    store.save_past(tenant, lived, words).await?;
    Ok(count)
}

/// The life of one ticket, seen moment by moment.
fn lived(life: &[(DateTime<Utc>, SimTicket)], words: &StatusWords) -> Option<Lived> {
    let mut all: Option<Lived> = None;
    for (at, seen) in life {
        let at = &told(*at);
        let read = Bounds { earliest: *at, latest: *at };
        let before = all.as_ref().map(|lived| lived.watched.clone());
        let (watched, changes) = observe(before.as_ref(), ticket(seen, *at)?, words, read);
        let hands = before.map(|before| (before.ticket.technician, watched.ticket.technician.clone()));
        let id = |named: &Option<Named>| named.as_ref().map(|named| named.id.clone());
        let handed = hands.filter(|(was, is)| id(was) != id(is)).map(|(was, is)| (was, is, *at));
        let lived =
            all.get_or_insert_with(|| Lived { watched: watched.clone(), changes: Vec::new(), handed: Vec::new() });
        lived.watched = watched;
        lived.changes.extend(changes);
        lived.handed.extend(handed);
    }
    let (at, last) = life.last()?;
    let lived = all.as_mut()?;
    let said = last.conversation.iter().filter_map(said).collect();
    let read_of = Some(told(last.updated_at));
    let responded = ticket(last, *at)?.first_response.met_at;
    lived.watched.conversation = ConversationSummary { read_of, ..ConversationSummary::by_authors(said, responded) };
    all
}

fn said(entry: &crate::simulator::ticket::ConversationEntry) -> Option<Said> {
    let voice = match entry.kind {
        EntryKind::RequesterReply => Voice::Client,
        EntryKind::RequesterNotification => Voice::Automation,
        EntryKind::TechnicianReply => Voice::Technician,
        EntryKind::Description => return None,
    };
    Some(Said { at: told(entry.at), voice, by: entry.by.as_ref().and_then(|by| RefId::parse(&by.id.to_string()).ok()) })
}

/// A moment as SuperOps tells it, in whole milliseconds.
fn told(at: DateTime<Utc>) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(at.timestamp_millis()).unwrap_or(at)
}

/// The ticket as SuperOps would have told it at `at`.
fn ticket(seen: &SimTicket, at: DateTime<Utc>) -> Option<Ticket> {
    let named = |of: &Option<Ref>| {
        let of = of.as_ref()?;
        Some(Named { id: RefId::parse(&of.id.to_string()).ok()?, name: of.name.to_string() })
    };
    let text = |text: &Option<std::sync::Arc<str>>| text.as_deref().map(str::to_owned);
    let rule = DueOnPause::default();
    Some(Ticket {
        id: TicketId::parse(&seen.id.to_string()).ok()?,
        display_id: seen.display_id.clone(),
        subject: seen.subject.clone(),
        request_type: text(&seen.request_type),
        status: text(&seen.status),
        priority: text(&seen.priority),
        category: text(&seen.category),
        client: named(&seen.client),
        site: named(&seen.site),
        group: named(&seen.group),
        technician: named(&seen.technician),
        sla: named(&seen.sla),
        created_at: Some(told(seen.created_at)),
        updated_at: Some(told(seen.updated_at)),
        first_response: Reported {
            due: seen.first_response.due.map(told),
            met_at: seen.first_response.met_at.map(told),
            breached: seen.response_violated(at),
        },
        resolution: Reported {
            due: seen.resolution_due(rule, at).map(told),
            met_at: seen.resolution.met_at.map(told),
            breached: seen.resolution_violated(rule, at),
        },
        flaws: Vec::new(),
        unknown: Vec::new(),
    })
}
