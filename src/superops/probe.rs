//! Tries out what one tenant's SuperOps can do, and says what follows from it.
//!
//! Tenants differ in what a token may read, in which sorts and filters work, and in what the schema holds. Only a
//! failing first call stops the product. Otherwise it goes on with less, and the findings say how much less.

mod habits;
mod paging;

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use tokio::time::Instant;

use super::{
    ApiError, Order, Page, SuperOps, TicketAsk, TicketPage, Urgency, convert, is_newest_first, operations, schema,
};
use crate::ticket::{Client, Site, StatusWords, Technician, Ticket};

/// How many days back the filter by date is tried.
const RECENT_DAYS: u32 = 7;

/// How well something works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Ok,
    /// The product goes on, with less.
    Degraded,
    /// Nothing works until a person acts.
    Failed,
}

/// One thing that was tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub verdict: Verdict,
    pub what: String,
    /// What the product does about it; blank if there is nothing to say.
    pub consequence: String,
    /// The same for people who must not learn about this account: a fixed name, and figures or fixed words.
    pub fact: Option<(&'static str, String)>,
}

impl Finding {
    fn new(verdict: Verdict, what: impl Into<String>, consequence: impl Into<String>) -> Self {
        Self { verdict, what: what.into(), consequence: consequence.into(), fact: None }
    }

    /// Adds what may be shared with anybody.
    fn told_as(self, name: &'static str, fact: impl Into<String>) -> Self {
        Self { fact: Some((name, fact.into())), ..self }
    }

    fn ok(what: impl Into<String>) -> Self {
        Self::new(Verdict::Ok, what, "")
    }

    fn degraded(what: impl Into<String>, consequence: impl Into<String>) -> Self {
        Self::new(Verdict::Degraded, what, consequence)
    }
}

/// Tries everything, in some thirty calls. Ends early only if the first call fails.
pub async fn probe(client: &SuperOps, words: &StatusWords, now: DateTime<Utc>) -> Vec<Finding> {
    let began = Instant::now();
    let unsorted = match client.tickets(&ask(1, Order::Unsorted, &[]), Urgency::Urgent).await {
        Ok(page) => page,
        Err(error) => return vec![dead(&error)],
    };
    let page_takes = began.elapsed();
    let mut findings = vec![alive(&unsorted)];
    findings.extend(rejects(&unsorted));
    findings.extend(schema_findings(client).await);
    let (sorted, newest) = sort(client).await;
    findings.push(sorted);
    findings.push(status_filter(client, &unsorted).await);
    findings.push(date_filter(client).await);
    findings.extend(paging::paging(client, &unsorted).await);
    findings.push(paging::forecast(client.budget(), unsorted.total, page_takes));
    findings.push(paging::unknown_id(client, &unsorted).await);
    let seen = if newest.is_empty() { &unsorted.tickets } else { &newest };
    findings.extend(habits::habits(seen, words, now));
    findings.extend(habits::touches(client, seen).await);
    findings.extend(clock(client));
    findings.extend(people(client).await);
    findings.extend(word_lists(client).await);
    findings
}

fn clock(client: &SuperOps) -> Option<Finding> {
    let ahead = client.clock_ahead()?.num_seconds();
    let finding = match ahead.abs() {
        0..=5 => Finding::ok("our clock and SuperOps' agree"),
        _ => Finding::degraded(
            format!("our clock is {ahead} s ahead of SuperOps' (below zero: behind)"),
            "set this computer's clock, best by NTP: alerts are early or late by that much",
        ),
    };
    Some(finding.told_as("clock_ahead_s", ahead.to_string()))
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
    Finding::ok(format!("the token is accepted and sees {count} tickets")).told_as("tickets", magnitude(page.total))
}

/// Returns the rough size of an account, as much as outsiders need to know.
fn magnitude(total: Option<u64>) -> String {
    match total {
        None => "not said".to_owned(),
        Some(0) => "none".to_owned(),
        Some(total) => format!("under {}", 10_u64.saturating_pow(total.ilog10() + 1)),
    }
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
            let finding = Finding::degraded(format!("the schema cannot be read: {error}"), consequence);
            return vec![finding.told_as("introspection", "no")];
        }
    };
    let differences: Vec<_> = schema::differences(&live).iter().map(difference).collect();
    if differences.is_empty() {
        return vec![Finding::ok("the schema has every field that is used here").told_as("schema", "as documented")];
    }
    differences
}

fn difference(difference: &schema::Difference) -> Finding {
    let schema::Difference { place, expected, found } = difference;
    let finding = match found {
        None => Finding::degraded(
            format!("the schema has no `{place}`"),
            "it is not asked for, and left blank; what depends on it is not known",
        ),
        Some(found) => Finding::degraded(
            format!("`{place}` is `{found}` here, not `{expected}`"),
            "read as far as possible; what cannot be read is left blank",
        ),
    };
    finding.told_as("schema_differs_at", place.clone())
}

/// Whether sorting by update works. If so, returns the newest tickets too.
async fn sort(client: &SuperOps) -> (Finding, Vec<Ticket>) {
    let consequence = "every poll reads all pages";
    match descending_pages(client).await {
        Ok(tickets) if is_newest_first(tickets.iter().filter_map(|ticket| ticket.updated_at)) => {
            (Finding::ok("sort by updatedTime works").told_as("sort_by_update", "works"), tickets)
        }
        Ok(_) => {
            let what = "sort by updatedTime does not work here (it is ignored)";
            (Finding::degraded(what, consequence).told_as("sort_by_update", "ignored"), Vec::new())
        }
        Err(error) => {
            let what = format!("sort by updatedTime does not work here: {error}");
            (Finding::degraded(what, consequence).told_as("sort_by_update", error.outcome()), Vec::new())
        }
    }
}

/// Reads two pages, because the order may hold only within a page.
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
    const NAME: &str = "filter_by_status";
    match client.tickets(&ask(1, Order::Unsorted, std::slice::from_ref(&status)), Urgency::Urgent).await {
        Err(error) => Finding::degraded(format!("filter by status does not work here: {error}"), consequence)
            .told_as(NAME, error.outcome()),
        Ok(page) if page.tickets.iter().any(|ticket| ticket.status.as_ref() == Some(&status)) => {
            Finding::degraded("filter by status does not work here (it is ignored)", consequence)
                .told_as(NAME, "ignored")
        }
        Ok(_) => Finding::ok("filter by status works").told_as(NAME, "works"),
    }
}

/// Tries the filter by date. Little depends on it: tenants differ too much here.
async fn date_filter(client: &SuperOps) -> Finding {
    let call = operations::tickets_created_in_last(RECENT_DAYS);
    let answer = client.call(&call, Urgency::Urgent).await;
    let works = answer.is_ok_and(|answer| convert::ticket_page(&answer.data, &answer.gaps).is_some());
    let what = if works { "filter by date works" } else { "filter by date does not work here" };
    Finding::new(Verdict::Ok, what, "only tickets beyond the last readable page are read with it")
        .told_as("filter_by_date", if works { "works" } else { "does not work" })
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

/// Describes a count; only the first page is counted.
fn counted(count: usize, noun: &str, more: bool) -> String {
    format!("{count}{} {noun}s", if more { " or more" } else { "" })
}

async fn word_lists(client: &SuperOps) -> Vec<Finding> {
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use chrono::TimeDelta;

    use super::super::tests::client_of;
    use super::*;
    use crate::clock::{Clock, ManualClock};
    use crate::simulator::{SimOptions, Simulator};

    #[tokio::test]
    async fn what_is_found_out_can_be_told_without_a_name_or_a_text() {
        let clock = ManualClock::at(DateTime::from_timestamp(1_800_000_000, 0).unwrap());
        let options =
            SimOptions { tickets: 450, token: "tok-1".into(), requests_per_minute: 0, ..SimOptions::default() };
        let simulator = Simulator::new(options, Arc::new(clock.clone()));
        let served = simulator.serve("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let (client, _token) = client_of(&format!("{}/msp", served.url()));
        clock.advance(TimeDelta::minutes(1));
        let findings = probe(&client, &StatusWords::default(), clock.now()).await;
        let facts: Vec<_> = findings.iter().filter_map(|finding| finding.fact.clone()).collect();
        let told = |name: &str| facts.iter().find(|(known, _)| *known == name).map(|(_, fact)| fact.as_str());
        for name in ["sort_by_update", "filter_by_status", "page_2", "last_page"] {
            assert_eq!(told(name), Some("works"), "{name}: {facts:?}");
        }
        assert_eq!(told("count_and_has_more"), Some("agree"));
        assert_eq!(told("tickets"), Some("under 1000"));
        assert!(told("ticket_that_does_not_exist").is_some() && told("first_sync").unwrap().contains("a page"));
        let text = format!("{facts:?}");
        for ticket in simulator.tickets() {
            let names = [&ticket.subject].into_iter();
            names.for_each(|name| assert!(!text.contains(name.as_str()), "{name}"));
        }
    }
}
