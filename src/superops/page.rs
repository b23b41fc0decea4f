//! Reads a page of tickets despite faults in it.
//!
//! One record may break a whole page, a page may lie too deep, a sort or filter may be refused, or SuperOps may have a
//! bad minute, and the answers look alike. Only further queries at that very moment can tell them apart, so they are
//! made before anything is blamed.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

use super::error::ApiError;
use super::operations::{self, Call, PAGE_SIZE};
use super::{Order, Reject, SuperOps, TicketAsk, TicketPage, Urgency, convert, no_list};
use crate::ticket::TicketId;

const LIST: &str = "getTicketList";

/// Rounds of leaving fields out: several may break a page, and an answer may name only one at a time.
const ROUNDS: usize = 6;

/// Sizes of the parts in which a page is asked for; each divides the one before.
const PARTS: [u32; 5] = [100, 50, 25, 5, 1];

/// A range of rows in a list: `size` rows, after those of the pages before `page`.
#[derive(Clone, Copy, Debug)]
struct Slot {
    page: u32,
    size: u32,
}

impl SuperOps {
    /// Reads one page of tickets.
    ///
    /// [`ApiError::RefusedQuery`] means that a page without the sort and the filter could be read at that moment, and
    /// [`ApiError::TooDeep`] that the first page could.
    pub async fn tickets(&self, ask: &TicketAsk, urgency: Urgency) -> Result<TicketPage, ApiError> {
        match self.slot(ask, whole(ask), urgency, true).await {
            Err(error @ (ApiError::Broken { .. } | ApiError::TooLarge { .. })) => self.parts(ask, error, urgency).await,
            Err(error) if error.may_lie_in_the_question() => self.diagnosed(ask, error, urgency).await,
            result => result,
        }
    }

    /// Reads one ticket, as a page. It is empty if SuperOps does not know the ticket or hides it; it does not say
    /// which. It is empty as well if SuperOps answers with another ticket.
    pub async fn single(&self, id: &TicketId, urgency: Urgency) -> Result<TicketPage, ApiError> {
        let mut left_out = BTreeSet::new();
        loop {
            let call = operations::ticket(id);
            match self.call_without(&call, &left_out, urgency).await {
                Err(ApiError::NotFound { .. }) => return Ok(TicketPage::default()),
                Err(ApiError::Broken { operation, fields }) => {
                    if !widen(&mut left_out, operation, fields) {
                        return Err(ApiError::Internal { operation });
                    }
                }
                Err(error) => return Err(error),
                Ok(answer) if answer.data.is_null() => return Ok(TicketPage::default()),
                Ok(answer) => {
                    let page = convert::single_page(&answer.data, &answer.gaps).map_err(of_reject)?;
                    return Ok(if self.is_another(&page, id) { TicketPage::default() } else { page });
                }
            }
        }
    }

    /// Whether `page` holds another ticket than the one asked for, such as the one it was merged into. Logs the first
    /// one.
    fn is_another(&self, page: &TicketPage, id: &TicketId) -> bool {
        let Some(other) = page.tickets.iter().map(|ticket| &ticket.id).find(|other| *other != id) else { return false };
        if !self.answers_with_others.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                tenant = %self.tenant, ticket = %id, %other,
                "superops answers with ticket `{other}` when asked for `{id}`: such a ticket counts as missing"
            );
        }
        true
    }

    /// Reads rows of a list, without the fields that break it. With `patient`, the call may be retried.
    async fn slot(&self, ask: &TicketAsk, slot: Slot, urgency: Urgency, patient: bool) -> Result<TicketPage, ApiError> {
        let call = operations::tickets(ask, slot.page, slot.size);
        let call = if patient { call } else { call.once() };
        let (mut left_out, mut best) = (BTreeSet::new(), None);
        for _ in 0..ROUNDS {
            let (page, lost) = match self.call_without(&call, &left_out, urgency).await {
                Ok(answer) => {
                    let page = convert::ticket_page(&answer.data, &answer.gaps).ok_or_else(no_list)?;
                    (Some(page), answer.gaps.fields_of_lost_rows(&answer.data, "tickets"))
                }
                Err(ApiError::Broken { fields, .. }) => (None, fields),
                // A page without the lost rows is better than nothing.
                Err(error) => return best.ok_or(error),
            };
            best = combined(best, page);
            if !widen(&mut left_out, LIST, lost) {
                break;
            }
        }
        best.ok_or(ApiError::Broken { operation: LIST, fields: left_out })
    }

    /// Reads what it can of a page, in smaller and smaller parts. Returns `error` if nothing can be read.
    async fn parts(&self, ask: &TicketAsk, error: ApiError, urgency: Urgency) -> Result<TicketPage, ApiError> {
        let (mut had, mut bad) = (Vec::new(), vec![whole(ask)]);
        for size in PARTS.into_iter().skip(1) {
            let parts: Vec<Slot> = bad.iter().flat_map(|slot| slot.split(size)).collect();
            let mut worse = Vec::new();
            for part in &parts {
                match self.slot(ask, *part, urgency, false).await {
                    Ok(page) => had.push((part.begins_after(), page)),
                    Err(error) if error.may_lie_in_the_question() => worse.push(*part),
                    Err(error) => return Err(error),
                }
            }
            // If no part can be read, a single record is not to blame.
            if worse.len() == parts.len() {
                if had.iter().all(|(_, page)| page.tickets.is_empty()) {
                    return Err(unblamed(error));
                }
                bad = worse;
                break;
            }
            bad = worse;
        }
        had.sort_by_key(|(rows_before, _)| *rows_before);
        let mut whole = TicketPage::default();
        had.into_iter().for_each(|(_, page)| whole.add(page));
        let rows: u32 = bad.iter().map(|slot| slot.size).sum();
        let lost = || Reject::new(None, "record", "SuperOps answers with an error in its place");
        whole.rejects.extend((0..rows.min(PAGE_SIZE)).map(|_| lost()));
        Ok(whole)
    }

    /// Finds out what caused `error`, or that it was only a bad minute.
    async fn diagnosed(&self, ask: &TicketAsk, error: ApiError, urgency: Urgency) -> Result<TicketPage, ApiError> {
        let first = TicketAsk { page: 1, ..ask.clone() };
        if ask.page > 1 && self.works(&first, urgency).await? {
            return self.deep(ask, error, urgency).await;
        }
        if ask.is_plain() {
            return self.parts(ask, error, urgency).await;
        }
        let plain = TicketAsk { page: 1, order: Order::Unsorted, ..TicketAsk::default() };
        if !self.works(&plain, urgency).await? {
            // The plain page fails as well: a bad minute, or a bad record on the page that we read.
            return self.parts(ask, error, urgency).await;
        }
        match self.slot(ask, whole(ask), urgency, false).await {
            Err(again) if again.may_lie_in_the_question() => Err(refused(again)),
            result => result,
        }
    }

    /// Tells a page that lies too deep from one with a record that breaks it: only the latter has pages after it.
    async fn deep(&self, ask: &TicketAsk, error: ApiError, urgency: Urgency) -> Result<TicketPage, ApiError> {
        let next = TicketAsk { page: ask.page + 1, ..ask.clone() };
        if self.works(&next, urgency).await? {
            return self.parts(ask, error, urgency).await;
        }
        match self.slot(ask, whole(ask), urgency, false).await {
            Err(again) if again.may_lie_in_the_question() => Err(ApiError::TooDeep { operation: LIST, page: ask.page }),
            result => result,
        }
    }

    /// Whether that page can be read now.
    async fn works(&self, ask: &TicketAsk, urgency: Urgency) -> Result<bool, ApiError> {
        match self.slot(ask, whole(ask), urgency, false).await {
            Ok(_) => Ok(true),
            Err(error) if error.may_lie_in_the_question() => Ok(false),
            Err(error) => Err(error),
        }
    }
}

impl Slot {
    /// How many rows come before this slot.
    fn begins_after(self) -> u32 {
        (self.page - 1) * self.size
    }

    fn split(self, size: u32) -> impl Iterator<Item = Self> {
        let times = self.size / size;
        (0..times).map(move |part| Self { page: (self.page - 1) * times + part + 1, size })
    }
}

impl TicketPage {
    /// Adds the rows that come after these.
    fn add(&mut self, next: Self) {
        self.tickets.extend(next.tickets);
        self.rejects.extend(next.rejects);
        self.gaps.extend(next.gaps);
        self.has_more = next.has_more;
        self.total = next.total.or(self.total);
    }
}

fn whole(ask: &TicketAsk) -> Slot {
    Slot { page: ask.page, size: PAGE_SIZE }
}

/// Merges two readings of a page: the first, plus the records that it lost and the second has.
fn combined(first: Option<TicketPage>, then: Option<TicketPage>) -> Option<TicketPage> {
    let (Some(first), Some(then)) = (&first, &then) else { return first.or(then) };
    let known: BTreeSet<_> = first.tickets.iter().map(|ticket| &ticket.id).collect();
    let new = |id: &TicketId| !known.contains(id);
    let mut page = TicketPage { rejects: then.rejects.clone(), ..first.clone() };
    page.tickets.extend(then.tickets.iter().filter(|ticket| new(&ticket.id)).cloned());
    page.gaps.extend(then.gaps.iter().filter(|(id, _)| new(id)).map(|(id, gap)| (id.clone(), gap.clone())));
    // Use the order of the second reading, which holds all of them.
    let place = |id: &TicketId| then.tickets.iter().position(|ticket| ticket.id == *id);
    page.tickets.sort_by_key(|ticket| place(&ticket.id).unwrap_or(usize::MAX));
    Some(page)
}

/// Adds the `lost` fields of `operation` to those left out. Returns false if none of them is new.
fn widen(left_out: &mut BTreeSet<String>, operation: &str, lost: BTreeSet<String>) -> bool {
    let before = left_out.len();
    left_out.extend(lost.into_iter().map(|field| format!("{operation}/{field}")));
    left_out.len() > before
}

/// Returns an error that blames neither sort nor filter, so that the same query is tried again.
fn unblamed(error: ApiError) -> ApiError {
    match error {
        ApiError::TooLarge { .. } => error,
        _ => ApiError::Internal { operation: LIST },
    }
}

fn refused(error: ApiError) -> ApiError {
    match error {
        ApiError::RefusedQuery { .. } => error,
        ApiError::Internal { operation } => {
            let why = "an internal error, while a plain page can be had".to_owned();
            ApiError::RefusedQuery { operation, why }
        }
        error => ApiError::RefusedQuery { operation: LIST, why: error.to_string() },
    }
}

fn of_reject(reject: Reject) -> ApiError {
    ApiError::transient(format!("`{}` of a ticket {}", reject.field, reject.why))
}

impl Call {
    /// Turns this into a call that is not retried: it asks how things are at this very moment.
    fn once(self) -> Self {
        Self { kind: operations::Kind::Once, ..self }
    }
}
