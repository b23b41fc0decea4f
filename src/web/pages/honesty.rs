//! The page of what the figures rest on: what is counted, what is left out and why, and what is unknown.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};

use super::period::{Shows, counted_alike, form, link, percent};
use super::{Sheet, frame};
use crate::service::ServiceError;
use crate::service::reports::TechnicianQuery;
use crate::service::reports::honesty::{HonestyView, ShareOf};
use crate::web::auth::Caller;
use crate::web::{Problem, Web};

/// GET /honesty
pub async fn honesty(
    State(web): State<Arc<Web>>,
    caller: Caller,
    Query(query): Query<TechnicianQuery>,
) -> Result<Response, Problem> {
    let tenants = web.service.tenant_names(&caller.sees);
    let only = query.tenant.clone().filter(|name| !name.is_empty()).or_else(|| tenants.first().cloned());
    let query = TechnicianQuery { tenant: only, ..query };
    let (mut status, mut days) = (StatusCode::OK, None);
    let found = match web.service.honesty(&caller.scope, &query).await {
        Ok(found) => {
            days = Some([found.period_start, found.period_end]);
            whole(&found, &query)
        }
        Err(ServiceError::BadQuestion(why)) => {
            status = StatusCode::BAD_REQUEST;
            html! { p.complaint role="alert" { (why) } }
        }
        Err(error) => return Err(error.into()),
    };
    let content = html! {
        main.single.reports {
            (form(&query, days, None, (&tenants[..], Shows::One), "/honesty"))
            h1 { "What the figures rest on" }
            (found)
        }
    };
    let sheet = Sheet { title: "What the figures rest on", kind: "reports", here: "/reports" };
    Ok((status, frame(&web, &caller, &sheet, &content)).into_response())
}

fn whole(found: &HonestyView, query: &TechnicianQuery) -> Markup {
    html! {
        p.muted { (found.period_start) " to " (found.period_end) }
        (counted(found, query))
        (verdicts(found))
        (unknown(found))
        (booked(found))
        section.report {
            h2 { "Questions that the figures raise" }
            p { "Each may mean that figures were made to look better, or nothing at all. They are counts, not verdicts." }
            @if found.questions.is_empty() { p.muted { "None." } } @else { (questions(found)) }
        }
    }
}

fn counted(found: &HonestyView, query: &TechnicianQuery) -> Markup {
    let (from, to) = (found.period_start.to_string(), found.period_end.to_string());
    let alike = counted_alike(query.as_of.as_deref(), query.exclude_maintenance);
    let entries = |outcome: &str, reason: Option<&str>| {
        let pairs = [
            ("tenant", Some(&*found.tenant)),
            ("from", Some(&*from)),
            ("to", Some(&*to)),
            ("outcome", Some(outcome)),
            ("reason", reason),
        ];
        link("/reports/entries", &[&pairs[..], &alike[..]].concat())
    };
    let left_out: u64 = found.left_out.iter().map(|one| one.clocks).sum();
    html! {
        section.report {
            h2 { "What is counted, and what is left out" }
            p {
                (found.clocks) @if found.clocks == 1 { " clock is" } @else { " clocks are" } " counted: first responses, first resolutions and next responses that were kept or breached in these days. "
                @if left_out == 0 { "None was left out." } @else { a href=(entries("excluded", None)) { (left_out) } @if left_out == 1 { " was" } @else { " were" } " left out:" }
            }
            @if left_out > 0 {
                div.scroll { table.plain {
                    thead { tr { @for head in ["Left out, since", "Clocks", "Tickets"] { th scope="col" { (head) } } } }
                    tbody { @for one in &found.left_out { tr {
                        td { (one.words) }
                        td.number { a href=(entries("excluded", Some(one.reason))) { (one.clocks) } }
                        td.number { (one.tickets) }
                    } } }
                } }
            }
        }
    }
}

fn verdicts(found: &HonestyView) -> Markup {
    html! {
        section.report {
            h2 { "Who decided" }
            div.figures {
                (figure("Decided by hand", &found.by_hand.to_string(), "a person's decision takes precedence"))
                (figure("Said by SuperOps", &found.by_superops.to_string(), "its due time or its flag"))
                (figure("By your policy", &found.by_policy.to_string(), "where SuperOps says nothing"))
                (figure("SuperOps and the policy differ", &found.differing.to_string(), "SuperOps says one thing, the policy another; SuperOps' word counts"))
                (share("Reasons that a person gave", found.said_reasons, "of all breaches; the others follow from the tickets' histories"))
            }
        }
    }
}

fn unknown(found: &HonestyView) -> Markup {
    html! {
        section.report {
            h2 { "What is not known" }
            div.figures {
                (share("Not watched from the beginning", found.unobserved, "clocks that ran before this service saw them: earlier pauses and holders are unknown"))
                (part("In unknown hands", found.unknown, "of the time that clocks counted: before the ticket was first seen"))
                (part("In nobody's hands", found.nobody, "of the time that clocks counted: before the ticket was assigned"))
                (share("Answered by automation", found.automation, "of the first responses whose author is known"))
                (share("Clients with too few", found.small_clients, "under 20 clocks: no comparison with the period before"))
                @match found.small_technicians {
                    Some(small) => { (share("Technicians with too few", small, "under 20 clocks: no trend, and no word on differences")) }
                    None => {}
                }
            }
        }
    }
}

fn booked(found: &HonestyView) -> Markup {
    html! {
        section.report {
            h2 { "Time to book" }
            p {
                @match found.waiting {
                    0 => { "All that is known has been booked: a clock is in the books within seconds of being decided." }
                    1 => { "1 ticket waits to be booked: its latest changes are not in the figures yet." }
                    more => { (more) " tickets wait to be booked: their latest changes are not in the figures yet." }
                }
                @if let Some(until) = found.provisional_until { " Some figures may still move until " (until.with_timezone(&found.zone).format("%-d %B %Y")) ", when the last month of the period is closed." }
            }
            @if !found.months.is_empty() {
                div.scroll { table.plain {
                    thead { tr { @for head in ["Closed month", "Decisions that changed later, and count in no month", "SHA-256"] { th scope="col" { (head) } } } }
                    tbody { @for month in &found.months { tr {
                        td { (month.month) }
                        td.number { (month.corrections) }
                        td { code { (month.sha256) } }
                    } } }
                } }
            }
        }
    }
}

fn questions(found: &HonestyView) -> Markup {
    html! {
        div.scroll { table.plain {
            thead { tr { @for head in ["What", "Seen", "Of", "", "Share"] { th scope="col" { (head) } } } }
            tbody { @for one in &found.questions { tr {
                td { (one.what) }
                td.number { (one.seen.count) }
                td.number { (one.seen.of) }
                td { (one.out_of) }
                td.number { (percent(one.seen.percent)) }
            } } }
        } }
    }
}

fn figure(name: &str, value: &str, note: &str) -> Markup {
    html! { div.figure { span.name { (name) } strong { (value) } span.muted { (note) } } }
}

/// Shows a share with its count and its total.
fn share(name: &str, seen: ShareOf, note: &str) -> Markup {
    let of = format!("{} of {} ({note})", seen.count, seen.of);
    figure(name, &percent(seen.percent), &of)
}

/// Shows a share without counts, whose units would mean nothing to people.
fn part(name: &str, seen: ShareOf, note: &str) -> Markup {
    figure(name, &percent(seen.percent), note)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_month_closes_on_the_tenants_day() {
        let none = ShareOf { count: 0, of: 0, percent: None };
        let found = HonestyView {
            tenant: "acme".to_owned(),
            period_start: "2026-11-01".parse().unwrap(),
            period_end: "2026-11-30".parse().unwrap(),
            zone: "Asia/Tokyo".parse().unwrap(),
            clocks: 0,
            left_out: Vec::new(),
            by_hand: 0,
            by_superops: 0,
            by_policy: 0,
            differing: 0,
            unobserved: none,
            unknown: none,
            nobody: none,
            automation: none,
            said_reasons: none,
            small_clients: none,
            small_technicians: None,
            waiting: 0,
            months: Vec::new(),
            provisional_until: Some("2026-12-07T15:00:00Z".parse().unwrap()),
            questions: Vec::new(),
        };
        let page = booked(&found).into_string();
        assert!(page.contains("until 8 December 2026,"), "{page}");
    }
}
