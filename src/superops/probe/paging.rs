//! How deep the list can be read, how long the first sync takes, and what is answered for a ticket that is gone.

use std::time::Duration;

use super::super::operations::PAGE_SIZE;
use super::super::{ApiError, Order, SuperOps, TicketAsk, TicketPage, Urgency, operations};
use super::Finding;
use crate::ticket::TicketId;

/// A deep page, just past a possible limit of ten thousand tickets.
const DEEP: u32 = 101;
/// How many calls read the other lists before the tickets.
const LISTS: u64 = 10;

/// Tries pages 2, 101 and the last one, as far as they exist.
pub(super) async fn paging(client: &SuperOps, first: &TicketPage) -> Vec<Finding> {
    let last = first.total.map(|total| u32::try_from(total.div_ceil(PAGE_SIZE.into())).unwrap_or(u32::MAX));
    let exists = |page: &u32| *page > 1 && last.is_none_or(|last| *page <= last);
    let mut pages: Vec<u32> = [2, DEEP].into_iter().chain(last).filter(exists).collect();
    pages.sort_unstable();
    pages.dedup();
    let mut findings = vec![count(first)];
    for page in pages {
        let answer = client.tickets(&TicketAsk::all(page, Order::Unsorted), Urgency::Urgent).await;
        let is_last = last == Some(page);
        let broken = answer.is_err();
        findings.push(page_read(page, is_last, answer));
        if broken {
            break;
        }
    }
    findings
}

fn count(first: &TicketPage) -> Finding {
    let name = "count_and_has_more";
    if first.total.is_none() {
        return Finding::ok("the list does not say how many tickets there are").told_as(name, "no count");
    }
    if first.disagrees_after(1) {
        let consequence = "pages are read as long as either says that there are more";
        return Finding::degraded("totalCount and hasMore disagree", consequence).told_as(name, "disagree");
    }
    Finding::ok("totalCount and hasMore agree").told_as(name, "agree")
}

fn page_read(page: u32, is_last: bool, answer: Result<TicketPage, ApiError>) -> Finding {
    let (name, words) = match (page, is_last) {
        (_, true) => ("last_page", format!("page {page}, the last one,")),
        (2, _) => ("page_2", "page 2".to_owned()),
        _ => ("page_101", format!("page {page}")),
    };
    match answer {
        Ok(rows) if rows.tickets.is_empty() => {
            let consequence = "what lies beyond the last page with tickets is not seen";
            Finding::degraded(format!("{words} is empty"), consequence).told_as(name, "empty")
        }
        Ok(_) => Finding::ok(format!("{words} can be had")).told_as(name, "works"),
        Err(error) => {
            let consequence = "tickets beyond are read through a filter where one works; open ones are seen in any case where the filter by status works";
            Finding::degraded(format!("{words} cannot be had: {error}"), consequence).told_as(name, error.outcome())
        }
    }
}

/// Estimates how long the first sync takes, from the time of one page and our budget.
pub(super) fn forecast(budget: u32, total: Option<u64>, page_takes: Duration) -> Finding {
    let Some(total) = total else {
        return Finding::ok("no estimate of how long the first sync takes: no count is given");
    };
    let calls = total.div_ceil(PAGE_SIZE.into()) + LISTS;
    let paced = Duration::from_secs(calls * 60 / u64::from(budget.max(1)));
    let answered = page_takes.saturating_mul(u32::try_from(calls).unwrap_or(u32::MAX));
    let takes = paced.max(answered).as_secs();
    let words = if takes < 120 { format!("{takes} s") } else { format!("{} min", takes.div_ceil(60)) };
    let what =
        format!("the first sync takes about {words}: {calls} calls at {budget} a minute; open tickets come first");
    let milliseconds = page_takes.as_millis();
    Finding::new(super::Verdict::Ok, what, "less where `history` ends before the oldest ticket")
        .told_as("first_sync", format!("{words} at {budget} a minute, {milliseconds} ms a page"))
}

/// Tries an id that no ticket has. The answer is presumably the same for a deleted one; reading alone cannot tell more.
pub(super) async fn unknown_id(client: &SuperOps, page: &TicketPage) -> Finding {
    let name = "ticket_that_does_not_exist";
    let Some(id) = free_id(page) else { return Finding::ok("a ticket that is gone: no id to try it with") };
    let answer = client.call(&operations::ticket(&id), Urgency::Urgent).await;
    let (fact, fine) = match &answer {
        Ok(answer) if answer.data.is_null() => ("null", true),
        Ok(_) => ("a ticket", false),
        Err(ApiError::NotFound { .. }) => ("entity_does_not_exist", true),
        Err(error) => (error.outcome(), false),
    };
    let what = format!("for a ticket that does not exist the answer is: {fact}");
    if fine {
        return Finding::ok(what).told_as(name, fact);
    }
    let consequence = "a ticket that answers so counts as missing as long as others can be asked for";
    Finding::degraded(what, consequence).told_as(name, fact)
}

/// Returns an id of the same kind that none of these tickets has.
fn free_id(page: &TicketPage) -> Option<TicketId> {
    let number = |id: &TicketId| id.as_str().parse::<u64>().ok();
    let highest = page.tickets.iter().filter_map(|ticket| number(&ticket.id)).max()?;
    TicketId::parse(&highest.checked_add(1_000_003)?.to_string()).ok()
}
