//! The decided clocks behind a figure, in pages.

use std::cmp::Reverse;

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::super::paging::{begins_after, cut};
use super::super::{Service, ServiceError};
use super::names::Called;
use super::question::EntryQuery;
use crate::report::entry::{Entry, Reason, Share};
use crate::report::make::Names;
use crate::store::books::Asked;
use crate::store::latest::LastShown;
use crate::ticket::Reach;

/// A decided clock that a figure counts, or leaves out.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct EntryView {
    pub ticket_id: String,
    pub display_id: String,
    pub subject: Option<String>,
    /// first_response | resolution | next_response
    pub clock: &'static str,
    pub round: u32,
    /// met | breached | excluded
    pub outcome: &'static str,
    /// Why it was left out.
    pub excluded: Option<&'static str>,
    pub decided_at: DateTime<Utc>,
    pub stopped_at: Option<DateTime<Utc>>,
    /// Working time in seconds, like those that follow.
    pub target: Option<i64>,
    pub counted: i64,
    pub over: i64,
    pub paused: i64,
    pub technician: String,
    pub client: Option<String>,
    pub priority: Option<String>,
    /// Why it was missed: a person's word, else what the history of the ticket tells.
    pub reason: Option<&'static str>,
    /// What the history tells, where a person says something else.
    pub reason_from_history: Option<&'static str>,
    pub reason_said_by: Option<String>,
    /// Each holder's share of it, in percent.
    pub shares: Vec<ShareView>,
}

/// One holder's share of a clock.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ShareView {
    pub technician: String,
    pub percent: f64,
}

/// The entries behind a figure.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct EntryPage {
    pub total: usize,
    /// How many of them no figure counts.
    pub left_out: usize,
    pub entries: Vec<EntryView>,
    pub next_cursor: Option<String>,
}

/// The name of this list in its cursors, which fit no other list.
const ENTRIES: &str = "entries";

/// Entries decided at the same moment are sorted by ticket, clock and round.
fn place(entry: &Entry) -> LastShown {
    let key = format!("{} {} {:06}", entry.ticket, entry.clock.as_str(), entry.round);
    LastShown { at: entry.decided_at.timestamp_millis(), key }
}

fn stands_after(last: &LastShown, place: &LastShown) -> bool {
    place.at < last.at || (place.at == last.at && place.key > last.key)
}

impl Service {
    /// Returns the entries that a figure counts, or those it leaves out.
    pub async fn figure_entries(&self, reach: &Reach, query: &EntryQuery) -> Result<EntryPage, ServiceError> {
        let wanted = query.wanted()?;
        if query.person.as_deref().is_some_and(|person| !person.is_empty() && !person.starts_with('@')) {
            self.persons_are_named("tickets are not listed by technician")?;
        }
        let tenant = self.tenant_of(reach, &wanted)?;
        let found = self.period_of(tenant, &wanted).await?;
        let asked = Asked { from: found.period.from, to: found.period.to, latest: wanted.latest };
        let mut entries = self.store.entries(&tenant.id, asked).await?;
        let (with_maintenance, opens) = (!wanted.exclude_maintenance, query.opens());
        entries
            .retain(|entry| found.period.has(entry.day) && entry.is_headline() && opens.has(entry, with_maintenance));
        let total = entries.len();
        let left_out = entries.iter().filter(|entry| entry.excluded(with_maintenance).is_some()).count();
        let last = begins_after(ENTRIES, query.cursor.as_deref())?;
        entries.retain(|entry| stands_after(&last, &place(entry)));
        entries.sort_by_cached_key(|entry| (Reverse(entry.decided_at), place(entry).key));
        let next_cursor = cut(ENTRIES, &mut entries, query.limit()?, place);
        let mut names = self.called(&tenant.id, wanted.anonymous).await?;
        names.learn(&self.store, entries.iter().map(|entry| &*entry.ticket)).await?;
        let entries = entries.iter().map(|entry| entry_view(entry, &names, with_maintenance)).collect();
        Ok(EntryPage { total, left_out, entries, next_cursor })
    }
}

fn entry_view(entry: &Entry, names: &Called, with_maintenance: bool) -> EntryView {
    let share =
        |share: &Share| ShareView { technician: names.holder(&share.holder), percent: share.weight as f64 / 10_000.0 };
    EntryView {
        ticket_id: names.ticket_id(&entry.ticket),
        display_id: names.ticket(&entry.ticket),
        subject: names.subject(&entry.ticket),
        clock: entry.clock.as_str(),
        round: entry.round,
        outcome: entry.outcome.as_str(),
        excluded: entry.excluded(with_maintenance).map(|why| why.words()),
        decided_at: entry.decided_at,
        stopped_at: entry.stopped_at,
        target: entry.target.map(|target| target / 1000),
        counted: entry.counted / 1000,
        over: entry.over / 1000,
        paused: entry.paused / 1000,
        technician: names.holder(&entry.holder),
        client: entry.client.as_deref().map(|id| names.client(id)),
        priority: entry.priority.as_deref().map(str::to_owned),
        reason: entry.final_reason().map(Reason::words),
        reason_from_history: entry.said.as_ref().and(entry.reason).map(Reason::words),
        reason_said_by: entry.said.as_ref().map(|said| names.author(&said.by)),
        shares: entry.shares.iter().filter(|one| one.weight > 0).map(share).collect(),
    }
}
