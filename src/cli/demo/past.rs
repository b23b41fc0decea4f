//! The desk's past before the demo began, as if the service had watched it, so that reports are full from the start.
//!
//! Only tickets that are done are included: the service reads the open ones by itself, as it does everywhere.

use std::collections::BTreeMap;

use anyhow::Context;
use chrono::{DateTime, Utc};

use crate::simulator::ticket::{EntryKind, Ref, SimTicket};
use crate::simulator::{DueOnPause, Simulator};
use crate::store::Store;
use crate::store::tickets::Lived;
use crate::ticket::conversation::{ConversationSummary, Said, Voice};
use crate::ticket::observe::observe;
use crate::ticket::watch::Bounds;
use crate::ticket::{Named, RefId, Reported, StatusWords, TenantId, Ticket, TicketId};

/// Stores the lives of the tickets that are done.
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

/// Returns the life of one ticket, seen moment by moment.
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

/// Cuts a moment to whole milliseconds, as SuperOps gives it.
fn told(at: DateTime<Utc>) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(at.timestamp_millis()).unwrap_or(at)
}

/// Returns the ticket as SuperOps would have shown it at `at`.
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

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::*;
    use crate::bookkeeping::Bookkeeping;
    use crate::clock::{Clock as _, ManualClock};
    use crate::config::{Config, GivenEnvironment};
    use crate::rules_cache::RulesCache;
    use crate::simulator::SimOptions;
    use crate::ticket::Reach;

    /// Books the demo's month as the service does and then rebuilds it: each decision comes out the same.
    #[tokio::test]
    async fn the_demos_past_month_is_the_same_when_it_is_made_anew() {
        let now = "2026-11-20T08:00:00Z".parse().unwrap();
        let clock = Arc::new(ManualClock::at(now));
        let options = SimOptions { tickets: 5, past: 200, remembered: true, hostile: false, ..SimOptions::default() };
        let look_alike = Simulator::new(options, clock.clone());
        let folder = tempfile::tempdir().unwrap();
        let text = format!(
            "[store]\nurl = \"sqlite://{}\"\n[notify.email]\nsmtp_url = \"smtp://127.0.0.1:9\"\nfrom = \"a@b.example\"\n\
             [tenants.demo]\nsubdomain = \"acme\"\nregion = \"us\"\ntoken_env = \"T\"\n{}{}",
            folder.path().join("sla.db").display(),
            crate::cli::demo::DESK,
            crate::cli::demo::policies(),
        );
        let environment = GivenEnvironment::default().with_var("T", "t");
        let config = Arc::new(Config::parse(Path::new("demo.toml"), &text, &environment).unwrap());
        let store = Store::open(&config.store, Arc::default()).await.unwrap();
        let tenant = config.tenants.values().next().unwrap();
        let rules = Arc::new(RulesCache::new(config.clone(), store.clone(), Arc::default()).unwrap());
        rules.adopt(now).await.unwrap();
        let done = remember(&store, &look_alike, &tenant.id, &tenant.statuses).await.unwrap();
        assert!(done > 100, "{done}");
        let bookkeeping = Bookkeeping::new(config.clone(), rules, store.clone(), clock.clone());
        let now = clock.now();
        while bookkeeping.turn(now).await.unwrap().tickets > 0 {}
        assert_eq!(bookkeeping.differing(&Reach::All, now, |_| ()).await.unwrap(), []);
        let rebuilt = bookkeeping.rebuild(&Reach::All, now, |_| ()).await.unwrap();
        assert_eq!((rebuilt.tickets, rebuilt.new, rebuilt.revised), (done as u64, 0, 0), "{rebuilt:?}");
        assert!(rebuilt.days > 10, "{rebuilt:?}");
        store.close().await;
    }
}
