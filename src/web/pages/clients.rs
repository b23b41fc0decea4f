//! The page of clients: how well each client's promises were kept, and whether that is better or worse than before.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};

use super::heads::head;
use super::period::{Shows, counted_alike, form, link, percent};
use super::{Sheet, frame};
use crate::formats::text;
use crate::report::clients::NO_CLIENT;
use crate::service::ServiceError;
use crate::service::reports::clients::{ClientPage, ClientView};
use crate::service::reports::listed::{FigureListQuery, FigureOrder};
use crate::web::auth::Caller;
use crate::web::{Problem, Web};

/// The columns, each with the order that the first click on it asks for.
const HEADS: [(&str, Option<&str>); 10] = [
    ("Client", Some("name")),
    ("Clocks", Some("-total")),
    ("Kept", Some("compliance")),
    ("95 % interval", None),
    ("Change", None),
    ("Breached", Some("-breaches")),
    ("Left out", None),
    ("Median response", Some("-response")),
    ("Median resolution", Some("-resolution")),
    ("Report", None),
];

/// GET /clients
pub async fn clients(
    State(web): State<Arc<Web>>,
    caller: Caller,
    Query(query): Query<FigureListQuery>,
) -> Result<Response, Problem> {
    let tenants = web.service.tenant_names(&caller.sees);
    let several = web.service.tenant_names(&caller.scope).len() > 1;
    let (mut status, mut days) = (StatusCode::OK, None);
    let found = match web.service.client_list(&caller.scope, &query).await {
        Ok(page) => {
            days = Some([page.period_start, page.period_end]);
            table(&page, &query, several)
        }
        Err(ServiceError::BadQuestion(why)) => {
            status = StatusCode::BAD_REQUEST;
            html! { p.complaint role="alert" { (why) } }
        }
        Err(error) => return Err(error.into()),
    };
    let content = html! {
        main.single.reports {
            (form(&query.figures(), days, query.sort.as_deref(), (&tenants[..], Shows::All), "/clients"))
            h1 { "Clients" }
            (found)
        }
    };
    let sheet = Sheet { title: "Clients", kind: "reports", here: "/clients" };
    Ok((status, frame(&web, &caller, &sheet, &content)).into_response())
}

fn table(page: &ClientPage, query: &FigureListQuery, several: bool) -> Markup {
    let order = FigureOrder::parse(query.sort.as_deref()).map(FigureOrder::as_str).unwrap_or_default();
    // For a single tenant the list is sorted by name.
    let shown = if !several && order == "tenant" { "name" } else { order };
    let sorted = |word: &str| again(query, word, None);
    html! {
        p.muted {
            (page.period_start) " to " (page.period_end) ". Each number leads to the clocks that it counts. "
            "“Change” compares with the same number of days before; “too few” means fewer than 20 clocks in one of the two."
        }
        @if page.clients.is_empty() { p.empty { "Nothing was decided in this period." } } @else {
            div.scroll { table.plain {
                thead { tr {
                    @if several { (head("Tenant", Some("tenant"), shown, sorted)) }
                    @for (title, word) in HEADS { (head(title, word, shown, sorted)) }
                } }
                tbody { @for one in &page.clients { (line(one, page, query, several)) } }
            } }
        }
        @if let Some(next) = &page.next_cursor { p { a.button href=(again(query, order, Some(next))) { "More clients" } } }
        p { a href=(honesty(page, query)) { "What these figures rest on" } }
    }
}

/// Returns the link to what the figures of these days rest on.
fn honesty(page: &ClientPage, query: &FigureListQuery) -> String {
    let (from, to) = (page.period_start.to_string(), page.period_end.to_string());
    let pairs = [("tenant", query.tenant.as_deref()), ("from", Some(&*from)), ("to", Some(&*to))];
    let alike = counted_alike(query.as_of.as_deref(), query.exclude_maintenance);
    link("/honesty", &[&pairs[..], &alike[..]].concat())
}

/// Returns the link to the same page in the order `sort`, continuing at `cursor`.
fn again(query: &FigureListQuery, sort: &str, cursor: Option<&str>) -> String {
    let anonymous = query.anonymize.map(|it| it.to_string());
    let maintenance = query.exclude_maintenance.map(|it| it.to_string());
    let pairs = [
        ("tenant", query.tenant.as_deref()),
        ("from", query.from.as_deref()),
        ("to", query.to.as_deref()),
        ("as_of", query.as_of.as_deref()),
        ("anonymize", anonymous.as_deref()),
        ("exclude_maintenance", maintenance.as_deref()),
        ("sort", Some(sort)),
        ("cursor", cursor),
    ];
    link("/clients", &pairs)
}

fn line(one: &ClientView, page: &ClientPage, query: &FigureListQuery, several: bool) -> Markup {
    let (from, to) = (page.period_start.to_string(), page.period_end.to_string());
    let alike = counted_alike(query.as_of.as_deref(), query.exclude_maintenance);
    // A pseudonym links to nothing that would reveal the client.
    let entries = |outcome: &str| {
        let id = one.client_id.as_deref()?;
        let pairs = [("outcome", Some(outcome)), ("client", Some(id)), ("from", Some(&*from)), ("to", Some(&*to))];
        Some(link("/reports/entries", &[&[("tenant", Some(&*one.tenant))], &alike[..], &pairs[..]].concat()))
    };
    let report = |path: &str, format: Option<&str>| {
        let of = [("tenant", Some(&*one.tenant)), ("client", one.client_id.as_deref())];
        let when = [("from", Some(&*from)), ("to", Some(&*to)), ("by", Some("priority")), ("format", format)];
        link(path, &[&of[..], &alike[..], &when[..]].concat())
    };
    let length = |seconds: Option<i64>| seconds.map_or_else(|| "–".to_owned(), |it| text::duration(it * 1000));
    let left_out: u64 = one.left_out.values().sum();
    html! {
        tr {
            @if several { td { (one.tenant) } }
            td { (one.client_name.as_deref().unwrap_or(NO_CLIENT)) }
            td.number { (one.clocks) }
            td.number { (percent(one.compliance_rate)) }
            td.number { @match one.at_least.zip(one.at_most) { Some((low, high)) => { (format!("{low:.1} to {high:.1} %")) } None => { "–" } } }
            td.number { (against_before(one)) }
            td.number { (number(one.breaches, entries("breached"))) }
            td.number { (number(left_out, entries("excluded"))) }
            td.number { (length(one.median_response_time)) }
            td.number { (length(one.median_resolution_time)) }
            td {
                @if one.client_id.is_some() {
                    a href=(report("/reports", None)) { "Open" } " "
                    a href=(report("/api/v1/reports/sla", Some("pdf"))) { "PDF" }
                }
            }
        }
    }
}

fn against_before(one: &ClientView) -> Markup {
    let Some(change) = one.change else { return html! { span.muted { "too few" } } };
    html! { (format!("{change:+.1} points")) @if one.change_is == "noise" { span.muted { " (may be noise)" } } }
}

fn number(count: u64, way: Option<String>) -> Markup {
    match way.filter(|_| count > 0) {
        Some(way) => html! { a href=(way) { (count) } },
        None => html! { (count) },
    }
}
