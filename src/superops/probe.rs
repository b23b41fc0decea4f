//! Tries out what one tenant's SuperOps can do, and says what follows from it.
//!
//! Tenants differ: in what a token may read, in which sorts and filters work,
//! in what the schema holds. Nothing found here stops the product unless the
//! first call fails: it goes on with less, and this says with how much less.

use std::collections::BTreeSet;

use super::{
    ApiError, Order, Page, SuperOps, TicketAsk, TicketPage, Urgency, convert, is_newest_first, operations, schema,
};
use crate::ticket::{Client, Site, Technician, Ticket};

/// How far the dates are tried.
const RECENT_DAYS: u32 = 7;

/// How well something works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Ok,
    /// The product goes on with less.
    Degraded,
    /// Nothing works until a person acts.
    Failed,
}

/// One thing that was tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub verdict: Verdict,
    pub what: String,
    /// What the product will do about it; blank if there is nothing to say.
    pub consequence: String,
}

impl Finding {
    fn new(verdict: Verdict, what: impl Into<String>, consequence: impl Into<String>) -> Self {
        Self { verdict, what: what.into(), consequence: consequence.into() }
    }

    fn ok(what: impl Into<String>) -> Self {
        Self::new(Verdict::Ok, what, "")
    }

    fn degraded(what: impl Into<String>, consequence: impl Into<String>) -> Self {
        Self::new(Verdict::Degraded, what, consequence)
    }
}

/// Tries everything, some fifteen calls; only the first failure of the token or the network ends it early.
pub async fn probe(client: &SuperOps) -> Vec<Finding> {
    let unsorted = match client.tickets(&ask(1, Order::Unsorted, &[]), Urgency::Urgent).await {
        Ok(page) => page,
        Err(error) => return vec![dead(&error)],
    };
    let mut findings = vec![alive(&unsorted)];
    findings.extend(rejects(&unsorted));
    findings.extend(schema_findings(client).await);
    findings.push(sort(client).await);
    findings.push(status_filter(client, &unsorted).await);
    findings.push(date_filter(client).await);
    findings.extend(people(client).await);
    findings.extend(words(client).await);
    findings
}

fn ask(page: u32, order: Order, without: &[String]) -> TicketAsk {
    TicketAsk { leave_out_statuses: without.to_vec(), ..TicketAsk::all(page, order) }
}

fn dead(error: &ApiError) -> Finding {
    let consequence = match error {
        ApiError::Forbidden { .. } => {
            "without tickets there is nothing to watch: give the token's user the right to see them"
        }
        _ if error.needs_a_person() => "nothing is synced until this is put right",
        _ => "it is tried again at every poll",
    };
    Finding::new(Verdict::Failed, error.to_string(), consequence)
}

fn alive(page: &TicketPage) -> Finding {
    let count = page.total.map_or_else(|| "an unknown number of".to_owned(), |total| total.to_string());
    Finding::ok(format!("the token is accepted and sees {count} tickets"))
}

fn rejects(page: &TicketPage) -> Option<Finding> {
    let flawed = page.tickets.iter().filter(|ticket| !ticket.flaws.is_empty()).count();
    let first = page.tickets.iter().flat_map(|ticket| &ticket.flaws).map(|flaw| (&flaw.field, &flaw.why));
    let (field, why) = page.rejects.iter().map(|reject| (&reject.field, &reject.why)).chain(first).next()?;
    let what = format!(
        "of the first page, {} tickets cannot be read and {flawed} only in part (first: `{field}` {why})",
        page.rejects.len()
    );
    Some(Finding::degraded(what, "the rest is synced; what is missing is shown with its reason"))
}

async fn schema_findings(client: &SuperOps) -> Vec<Finding> {
    let live = match client.introspect().await {
        Ok(live) => live,
        Err(error) => {
            let consequence = "differences will show only when a query is refused";
            return vec![Finding::degraded(format!("the schema cannot be read: {error}"), consequence)];
        }
    };
    let differences: Vec<_> = schema::differences(&live).iter().map(difference).collect();
    if differences.is_empty() {
        return vec![Finding::ok("the schema has every field that is used here")];
    }
    differences
}

fn difference(difference: &schema::Difference) -> Finding {
    let schema::Difference { place, expected, found } = difference;
    match found {
        None => Finding::degraded(
            format!("the schema has no `{place}`"),
            "it is not asked for, and left blank; what depends on it is not known",
        ),
        Some(found) => Finding::degraded(
            format!("`{place}` is `{found}` here, not `{expected}`"),
            "read as far as possible; what cannot be read is left blank",
        ),
    }
}

async fn sort(client: &SuperOps) -> Finding {
    let consequence = "every poll reads all pages";
    match descending_pages(client).await {
        Ok(tickets) if is_newest_first(tickets.iter().filter_map(|ticket| ticket.updated_at)) => {
            Finding::ok("sort by updatedTime works")
        }
        Ok(_) => Finding::degraded("sort by updatedTime does not work here (it is ignored)", consequence),
        Err(error) => Finding::degraded(format!("sort by updatedTime does not work here: {error}"), consequence),
    }
}

/// Two pages, because an order may hold within a page only.
async fn descending_pages(client: &SuperOps) -> Result<Vec<Ticket>, ApiError> {
    let first = client.tickets(&ask(1, Order::UpdatedDesc, &[]), Urgency::Urgent).await?;
    let mut tickets = first.tickets;
    if first.has_more {
        tickets.extend(client.tickets(&ask(2, Order::UpdatedDesc, &[]), Urgency::Urgent).await?.tickets);
    }
    Ok(tickets)
}

async fn status_filter(client: &SuperOps, unsorted: &TicketPage) -> Finding {
    let consequence = "every sweep of the open tickets reads the closed ones too";
    let Some(status) = unsorted.tickets.iter().find_map(|ticket| ticket.status.clone()) else {
        return Finding::ok("filter by status: no ticket to try it on");
    };
    match client.tickets(&ask(1, Order::Unsorted, std::slice::from_ref(&status)), Urgency::Urgent).await {
        Err(error) => Finding::degraded(format!("filter by status does not work here: {error}"), consequence),
        Ok(page) if page.tickets.iter().any(|ticket| ticket.status.as_ref() == Some(&status)) => {
            Finding::degraded("filter by status does not work here (it is ignored)", consequence)
        }
        Ok(_) => Finding::ok("filter by status works"),
    }
}

/// Nothing depends on it: tenants disagree about it too much.
async fn date_filter(client: &SuperOps) -> Finding {
    let call = operations::tickets_created_in_last(RECENT_DAYS);
    let answer = client.call(&call, Urgency::Urgent).await;
    let works = answer.is_ok_and(|answer| convert::ticket_page(&answer.data, &answer.gaps).is_some());
    let what = if works { "filter by date works" } else { "filter by date does not work here" };
    Finding::new(Verdict::Ok, what, "nothing depends on it")
}

async fn people(client: &SuperOps) -> Vec<Finding> {
    let technicians = client.technicians(1, Urgency::Urgent).await;
    let clients = client.clients(1, Urgency::Urgent).await;
    let sites = client.sites(1, Urgency::Urgent).await;
    vec![
        technicians.map_or_else(
            |error| unread("technicians", &error, "nobody can be told by name"),
            |page| technicians_read(&page),
        ),
        clients.map_or_else(
            |error| unread("clients", &error, "account managers are not told"),
            |page| clients_read(&page),
        ),
        sites.map_or_else(
            |error| unread("sites", &error, "site hours are unknown: the MSP's own hours count"),
            |page| sites_read(&page),
        ),
    ]
}

fn unread(what: &str, error: &ApiError, consequence: &str) -> Finding {
    Finding::degraded(format!("{what} cannot be read: {error}"), consequence)
}

fn technicians_read(page: &Page<Technician>) -> Finding {
    let count = page.items.len();
    let mails = page.items.iter().filter(|person| person.email.is_some()).count();
    let phones = page.items.iter().filter(|person| person.phone.is_some()).count();
    let managers = page.items.iter().filter(|person| person.manager.is_some()).count();
    let what = format!(
        "{}: {mails} with an email address, {phones} with a phone number, {managers} with a reporting manager",
        counted(count, "technician", page.has_more)
    );
    if mails == 0 {
        return Finding::degraded(what, "nobody can be told by name: list addresses in `alerts.steps`");
    }
    if phones < count {
        return Finding::degraded(what, "those without a phone number are told by email only");
    }
    Finding::ok(what)
}

fn clients_read(page: &Page<Client>) -> Finding {
    let managed = page.items.iter().filter(|client| client.account_manager.is_some()).count();
    let what = format!("{}: {managed} with an account manager", counted(page.items.len(), "client", page.has_more));
    if managed < page.items.len() {
        return Finding::degraded(what, "for the others, escalation ends at the reporting manager");
    }
    Finding::ok(what)
}

fn sites_read(page: &Page<Site>) -> Finding {
    let known = page.items.iter().filter(|site| site.always_open || !site.hours.is_empty()).count();
    let what = format!("{}: {known} with business hours", counted(page.items.len(), "site", page.has_more));
    if known < page.items.len() {
        return Finding::degraded(what, "with `hours = \"site\"` the others have no hours of their own");
    }
    Finding::ok(what)
}

/// Only the first page is counted.
fn counted(count: usize, noun: &str, more: bool) -> String {
    format!("{count}{} {noun}s", if more { " or more" } else { "" })
}

async fn words(client: &SuperOps) -> Vec<Finding> {
    let named = |list: Vec<crate::ticket::Named>| list.into_iter().map(|item| item.name).collect::<Vec<_>>();
    let lists = [
        ("statuses", client.statuses(Urgency::Urgent).await, "each ticket names its status all the same"),
        ("priorities", client.priorities(Urgency::Urgent).await, "each ticket names its priority all the same"),
        ("SLAs", client.slas(Urgency::Urgent).await.map(named), "each ticket names its SLA all the same"),
        ("groups", client.groups(Urgency::Urgent).await.map(named), "each ticket names its group all the same"),
    ];
    lists.into_iter().map(|(what, list, consequence)| word_list(what, list, consequence)).collect()
}

fn word_list(what: &str, list: Result<Vec<String>, ApiError>, consequence: &str) -> Finding {
    match list {
        Err(error) => unread(what, &error, consequence),
        Ok(names) if names.is_empty() => Finding::degraded(format!("there are no {what}"), consequence),
        Ok(names) => {
            let names: BTreeSet<_> = names.into_iter().collect();
            Finding::ok(format!("{what}: {}", names.into_iter().collect::<Vec<_>>().join(", ")))
        }
    }
}
