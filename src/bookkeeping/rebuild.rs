//! Rebuilds the books from the stored histories, and finds where they differ from what is booked.
//!
//! A ticket that began before what `[retention]` keeps stays as it is booked: its history, or the maintenance windows
//! of that time, may be gone, and half a history tells a different story.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::Bookkeeping;
use crate::config::{Past, Tenant};
use crate::sla::history::beginning;
use crate::store::StoreError;
use crate::store::books::{Booked, Marked, Written, agree};
use crate::ticket::{Reach, TicketId};

/// How many tickets are rebuilt in one go.
const A_PAGE: u32 = 250;

/// How far the work has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    pub done: u64,
    pub of: u64,
}

/// The result of a rebuild.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Rebuilt {
    /// Tickets that were examined.
    pub tickets: u64,
    /// Those of them older than the kept histories: their entries stay as they are.
    pub left: u64,
    /// Decisions that were not in the books.
    pub new: usize,
    /// Decisions that came out differently.
    pub revised: usize,
    /// Those of the two above that belong to closed months: they count in no month.
    pub corrections: usize,
    /// Decisions that stand, with other details filled in.
    pub filled_in: usize,
    /// Days whose sums were computed.
    pub days: usize,
    /// Rows that belonged to no entry.
    pub dropped: u64,
}

/// A ticket whose entries differ from what its history says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Differing {
    pub tenant: String,
    pub ticket: String,
}

/// The next tickets, by id.
struct Page {
    /// Tickets with a whole history.
    whole: Vec<TicketId>,
    /// Tickets whose history may be cut off.
    cut: Vec<TicketId>,
}

impl Page {
    fn last(&self) -> Option<TicketId> {
        self.whole.iter().chain(&self.cut).max().cloned()
    }

    fn count(&self) -> u64 {
        (self.whole.len() + self.cut.len()) as u64
    }
}

impl Rebuilt {
    fn join(&mut self, written: Written) {
        self.new += written.new;
        self.revised += written.revised;
        self.corrections += written.corrections;
        self.filled_in += written.filled_in;
    }
}

impl Bookkeeping {
    /// Rebuilds the books of the tenants within `reach` as of `now`, and reports progress to `told`.
    pub async fn rebuild(
        &self,
        reach: &Reach,
        now: DateTime<Utc>,
        mut told: impl FnMut(Progress),
    ) -> Result<Rebuilt, StoreError> {
        let mut rebuilt = Rebuilt { dropped: self.store.drop_what_is_of_no_entry().await?, ..Rebuilt::default() };
        let of = self.tickets_within(reach).await?;
        for tenant in self.within(reach) {
            let mut after = None;
            while let Some(page) = self.page(tenant, after.as_ref(), now).await? {
                after = page.last();
                rebuilt.tickets += page.count();
                rebuilt.left += page.cut.len() as u64;
                let marked = self.store.mark_tickets(&tenant.id, page.whole).await?;
                let (booked, zone) = self.judge(tenant, &marked, now).await?;
                rebuilt.join(self.store.book_anew(&tenant.id, booked, zone).await?);
                told(Progress { done: rebuilt.tickets, of });
            }
            rebuilt.days += self.store.sum_up_all(&tenant.id).await?;
            while self.pack_days(tenant, now).await? > 0 {}
        }
        Ok(rebuilt)
    }

    /// Lists the tickets within `reach` whose entries differ from what their histories say at `now`, except those that
    /// wait to be booked. Reports progress to `told`.
    pub async fn differing(
        &self,
        reach: &Reach,
        now: DateTime<Utc>,
        mut told: impl FnMut(Progress),
    ) -> Result<Vec<Differing>, StoreError> {
        let (mut found, mut done) = (Vec::new(), 0);
        let of = self.tickets_within(reach).await?;
        for tenant in self.within(reach) {
            let mut after = None;
            while let Some(page) = self.page(tenant, after.as_ref(), now).await? {
                after = page.last();
                done += page.count();
                for ticket in self.differing_of(tenant, page.whole, now).await? {
                    found.push(Differing { tenant: tenant.id.to_string(), ticket: ticket.to_string() });
                }
                told(Progress { done, of });
            }
        }
        Ok(found)
    }

    async fn differing_of(
        &self,
        tenant: &Tenant,
        page: Vec<TicketId>,
        now: DateTime<Utc>,
    ) -> Result<Vec<TicketId>, StoreError> {
        let stored = self.store.latest_entries(&tenant.id, &page).await?;
        let unmarked = |ticket: TicketId| Marked { tenant: tenant.id.clone(), ticket, marks: 0 };
        let marked: Vec<Marked> = page.into_iter().map(unmarked).collect();
        let (booked, _) = self.judge(tenant, &marked, now).await?;
        let mut differing = Vec::new();
        for Booked { marked, entries, .. } in booked {
            let stored = stored.get(marked.ticket.as_str()).map_or(&[][..], Vec::as_slice);
            let agrees = entries.is_none_or(|entries| agree(stored, &entries));
            if !agrees && !self.store.waits_to_be_booked(&tenant.id, &marked.ticket, now).await? {
                differing.push(marked.ticket);
            }
        }
        Ok(differing)
    }

    /// Returns the next tickets of `tenant`; none if there are no more.
    async fn page(
        &self,
        tenant: &Tenant,
        after: Option<&TicketId>,
        now: DateTime<Utc>,
    ) -> Result<Option<Page>, StoreError> {
        let kept = self.config.retention.of(Past::Events).min(self.config.retention.of(Past::Audit));
        let mut page = Page { whole: Vec::new(), cut: Vec::new() };
        for id in self.store.tickets_after(&tenant.id, after, A_PAGE).await? {
            let watched = self.store.ticket(&tenant.id, &id).await?;
            let is_old = watched.is_some_and(|watched| beginning(&watched) < now - kept);
            let list = if is_old { &mut page.cut } else { &mut page.whole };
            list.push(id);
        }
        Ok((page.count() > 0).then_some(page))
    }

    fn within<'a>(&'a self, reach: &'a Reach) -> impl Iterator<Item = &'a Tenant> {
        self.config.tenants.values().filter(|tenant| reach.includes(&tenant.id))
    }

    async fn tickets_within(&self, reach: &Reach) -> Result<u64, StoreError> {
        let mut all = 0;
        for tenant in self.within(reach) {
            all += self.store.ticket_count(&tenant.id).await?;
        }
        Ok(all)
    }
}
