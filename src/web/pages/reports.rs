//! The pages of reports: figures, charts and tables rendered on the server; each number links to the tickets it counts.

use std::sync::Arc;

use axum::extract::{Query, RawQuery, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use chrono::NaiveDate;
use maud::{Markup, html};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::super::auth::Caller;
use super::super::{Problem, Web};
use super::period::{counted_alike, link as link_to};
use super::sorted::{Order, sorted};
use super::times::Times;
use super::{Sheet, frame};
use crate::formats::{Format, svg, text};
use crate::report::entry::Reason;
use crate::report::make::By;
use crate::report::{Cell, Chart, Figure, Opens, Period, Report, Row, Section, Table};
use crate::service::ServiceError;
use crate::service::reports::{EntryPage, EntryQuery, EntryView, ReportQuery};
use crate::sla::zone::Tz;
use crate::store::tokens::Role;

/// GET /reports
pub async fn reports(
    State(web): State<Arc<Web>>,
    caller: Caller,
    Query(query): Query<ReportQuery>,
) -> Result<Response, Problem> {
    let sheet = Sheet { title: "Reports", kind: "reports", here: "/reports" };
    shown(&web, &caller, &by_usually(query, By::Client), (&sheet, None)).await
}

/// GET /technicians
pub async fn technicians(
    State(web): State<Arc<Web>>,
    caller: Caller,
    RawQuery(asked): RawQuery,
) -> Result<Response, Problem> {
    let sheet = Sheet { title: "Technicians", kind: "reports", here: "/technicians" };
    let (query, order) = sorted(asked.as_deref().unwrap_or_default())?;
    shown(&web, &caller, &by_usually(query, By::Technician), (&sheet, order.as_ref())).await
}

/// Returns the query, grouped by `usual` unless it names a grouping.
fn by_usually(query: ReportQuery, usual: By) -> ReportQuery {
    let by = query.by.clone().filter(|by| !by.is_empty()).unwrap_or_else(|| usual.as_str().to_owned());
    ReportQuery { by: Some(by), ..query }
}

async fn shown(
    web: &Web,
    caller: &Caller,
    query: &ReportQuery,
    (sheet, order): (&Sheet<'_>, Option<&Order>),
) -> Result<Response, Problem> {
    let tenants = web.service.tenant_names(&caller.sees);
    let only = query.tenant.clone().filter(|name| !name.is_empty()).or_else(|| tenants.first().cloned());
    let query = ReportQuery { tenant: only, ..query.clone() };
    let mut status = StatusCode::OK;
    let mut period = None;
    let asked = match query.form() {
        Ok(_) => web.service.report(&caller.scope, &query).await,
        Err(error) => Err(error),
    };
    let content = match asked {
        Ok(report) => {
            period = Some(report.period);
            html! { (whole(&report, &query, (sheet.here, order))) (rests_on(&query)) }
        }
        Err(ServiceError::BadQuestion(why)) => {
            status = StatusCode::BAD_REQUEST;
            html! { p.complaint role="alert" { (why) } }
        }
        Err(error) => return Err(error.into()),
    };
    let body = html! { main.single.reports { (form(&query, &tenants, sheet.here, period.as_ref())) (content) } };
    Ok((status, frame(web, caller, sheet, &body)).into_response())
}

/// Renders the form, with the days of the `period` that is shown.
fn form(query: &ReportQuery, tenants: &[String], here: &str, period: Option<&Period>) -> Markup {
    let value = |text: &Option<String>| text.clone().unwrap_or_default();
    let day = |text: &Option<String>, shown: fn(&Period) -> NaiveDate| {
        period.map_or_else(|| value(text), |period| shown(period).to_string())
    };
    html! {
        form.period method="get" action=(here) {
            @if tenants.len() > 1 {
                label { "Tenant " select name="tenant" {
                    @for name in tenants { option value=(name) selected[query.tenant.as_ref() == Some(name)] { (name) } }
                } }
            }
            label { "From " input type="date" name="from" value=(day(&query.from, |period| period.from)); }
            label { "to " input type="date" name="to" value=(day(&query.to, |period| period.to)); }
            @if here == "/reports" {
                label { "by " select name="by" {
                    @for by in By::ALL { option value=(by.as_str()) selected[query.by.as_deref() == Some(by.as_str())] { (by.as_str()) } }
                } }
                label { "Client " input type="search" name="client" value=(value(&query.client)) placeholder="all"; }
            }
            label.check { input type="checkbox" name="anonymize" value="true" checked[query.anonymize == Some(true)]; " without names" }
            button { "Show" }
        }
    }
}

fn whole(report: &Report, query: &ReportQuery, (here, order): (&str, Option<&Order>)) -> Markup {
    let period = &report.period;
    html! {
        h1 { @if here == "/technicians" { "Technicians" } @else { (report.title) } }
        @if here == "/technicians" { p { a href="/technicians/room" { "Who has room now" } } }
        @if here == "/reports" { p { a href="/reports/archive" { "Reports as they went out" } } }
        p.muted {
            (period.from) " to " (period.to) ", days of " (report.zone.name())
            @if let Some(until) = report.provisional_until { " · provisional until " (until.with_timezone(&report.zone).format("%-d %B %Y")) }
            @else if report.is_final() { " · all months closed" }
            @if report.as_known_now { " · as known now" }
        }
        p.muted { "As a file: " @for format in Format::ALL { a href=(file(query, format)) { (format.name().to_uppercase()) } " " } }
        @for section in &report.sections { (part(section, query, (report.zone, order))) }
        @if !report.notes.is_empty() { ul.notes { @for note in &report.notes { li { (note) } } } }
        p.muted.hash { "SHA-256 " code { (report.hash) } }
    }
}

/// Links to what the figures of this period rest on.
fn rests_on(query: &ReportQuery) -> Markup {
    let pairs = [("tenant", query.tenant.as_deref()), ("from", query.from.as_deref()), ("to", query.to.as_deref())];
    let alike = counted_alike(query.as_of.as_deref(), query.exclude_maintenance);
    html! { p { a href=(link_to("/honesty", &[&pairs[..], &alike[..]].concat())) { "What these figures rest on, and the questions that they raise" } } }
}

/// Returns the link to the same report as a file.
fn file(query: &ReportQuery, format: Format) -> String {
    let flag = |flag: Option<bool>| flag.map(|flag| flag.to_string());
    let pairs = [
        ("format", Some(format.name().to_owned())),
        ("tenant", query.tenant.clone()),
        ("from", query.from.clone()),
        ("to", query.to.clone()),
        ("by", query.by.clone()),
        ("client", query.client.clone()),
        ("as_of", query.as_of.clone()),
        ("anonymize", flag(query.anonymize)),
        ("exclude_maintenance", flag(query.exclude_maintenance)),
        ("target_percentage", query.target_percentage.map(|target| target.to_string())),
    ];
    let given = pairs.into_iter().filter_map(|(name, value)| Some((name, value.filter(|value| !value.is_empty())?)));
    let parts = given.map(|(name, value)| format!("{name}={}", utf8_percent_encode(&value, NON_ALPHANUMERIC)));
    format!("/api/v1/reports/sla?{}", parts.collect::<Vec<_>>().join("&"))
}

fn part(section: &Section, query: &ReportQuery, (zone, order): (Tz, Option<&Order>)) -> Markup {
    html! {
        section.report id=(section.key) {
            h2 { (section.title) }
            @for text in &section.text { p { (text) } }
            @if !section.figures.is_empty() { div.figures { @for one in &section.figures { (figure(one, query, zone)) } } }
            @for one in &section.charts { (chart(one)) }
            @for one in &section.tables {
                @if section.charts.is_empty() { (table(one, query, (zone, order))) }
                @else { details { summary { (one.title) } (table(one, query, (zone, order))) } }
            }
        }
    }
}

fn figure(one: &Figure, query: &ReportQuery, zone: Tz) -> Markup {
    let value = words(&one.value, zone);
    html! {
        div.figure {
            span.name { (one.title) }
            strong { @match &one.opens { Some(opens) => { a href=(link(opens, query)) { (value) } } None => { (value) } } }
            @if let Some(note) = &one.note { span.muted { (note) } }
        }
    }
}

fn table(one: &Table, query: &ReportQuery, (zone, order): (Tz, Option<&Order>)) -> Markup {
    let order = order.filter(|_| one.key == By::Technician.as_str());
    let (rows, more) = one.to_read(usize::MAX);
    let rows = order.map_or_else(|| rows.iter().collect(), |order| order.of(rows, &one.columns));
    html! {
        h3 { (one.title) }
        @if one.rows.is_empty() { p.muted { "Nothing." } } @else {
            div.scroll { table.plain {
                thead { tr { @for (place, column) in one.columns.iter().enumerate() {
                    @match order { Some(order) => { (order.head(column, place)) } None => { th scope="col" { (column.title) } } }
                } } }
                tbody { @for row in rows { (line(row, one, query, zone)) } }
            } }
        }
        @if more > 0 { p.muted { "… and " (more) " more" } }
    }
}

fn line(row: &Row, of: &Table, query: &ReportQuery, zone: Tz) -> Markup {
    html! {
        tr {
            @for (place, cell) in row.cells.iter().enumerate() {
                td.number[!matches!(cell, Cell::Text(_))] {
                    @match row.opens.as_ref().filter(|_| place == 0 || matches!(cell, Cell::Count(1..))).and_then(|opens| narrowed(opens, of, place)) {
                        Some(opens) => { a href=(link(&opens, query)) { (words(cell, zone)) } }
                        None => { (words(cell, zone)) }
                    }
                }
            }
        }
    }
}

/// Narrows the entries of a row to those that the number at `place` counts, if they can be asked for.
fn narrowed(opens: &Opens, of: &Table, place: usize) -> Option<Opens> {
    let outcome = match of.columns.get(place).map(|column| column.key.as_str()) {
        Some("breached") => Some("breached"),
        Some("met") => Some("met"),
        Some("excluded") => Some("excluded"),
        // Tickets without a breach: what a single clock came to does not tell them from others.
        Some("compliant") => return None,
        _ => None,
    };
    let outcome = outcome.map(str::to_owned).or_else(|| opens.outcome.clone());
    Some(Opens { outcome, ..opens.clone() })
}

/// Formats a cell for people, with times in the zone of the reported days.
fn words(cell: &Cell, zone: Tz) -> String {
    match cell {
        Cell::Time(at) => text::local(*at, zone),
        cell => text::plain(cell),
    }
}

/// Links to the entries behind a figure, counted there as they are here.
fn link(opens: &Opens, query: &ReportQuery) -> String {
    let alike = counted_alike(query.as_of.as_deref(), query.exclude_maintenance);
    let own = [("tenant", query.tenant.as_deref())].into_iter().chain(alike);
    let opens = serde_json::to_value(opens).unwrap_or_default();
    let asked = opens.as_object().into_iter().flatten().map(|(name, value)| (name.as_str(), value.as_str()));
    link_to("/reports/entries", &own.chain(asked).collect::<Vec<_>>())
}

/// GET /reports/entries
pub async fn entries(
    State(web): State<Arc<Web>>,
    caller: Caller,
    RawQuery(list): RawQuery,
    Query(query): Query<EntryQuery>,
) -> Result<Html<String>, Problem> {
    let page = web.service.figure_entries(&caller.scope, &query).await?;
    let tenant = query.tenant.clone().or_else(|| web.service.tenant_names(&caller.scope).first().cloned());
    let sheet = Sheet { title: "What a figure counts", kind: "reports", here: "/reports" };
    let list = list.unwrap_or_default();
    let shown = Shown {
        tenant: tenant.as_deref().unwrap_or_default(),
        list: Some(&*list).filter(|_| caller.role >= Role::Responder),
        times: Times::of(&web, &caller).await?,
    };
    let more = page.next_cursor.as_deref().map(|cursor| behind(&list, cursor));
    let places = Places { is_first: query.cursor.is_none(), more: more.as_deref() };
    Ok(frame(&web, &caller, &sheet, &self::list(&page, shown, places)))
}

/// Returns the link to the entries after `cursor` in the list of `query`.
fn behind(query: &str, cursor: &str) -> String {
    let asked = query.split('&').filter(|part| !part.is_empty() && !part.starts_with("cursor="));
    let cursor = format!("cursor={}", utf8_percent_encode(cursor, NON_ALPHANUMERIC));
    format!("/reports/entries?{}", asked.chain([&*cursor]).collect::<Vec<_>>().join("&"))
}

/// Which part of a list is shown.
#[derive(Clone, Copy)]
struct Places<'a> {
    is_first: bool,
    /// The link to the next part.
    more: Option<&'a str>,
}

/// How entries are shown.
#[derive(Clone, Copy)]
struct Shown<'a> {
    tenant: &'a str,
    /// The query of the page, if the caller may say why a clock was missed.
    list: Option<&'a str>,
    times: Times,
}

fn list(page: &EntryPage, shown: Shown<'_>, places: Places<'_>) -> Markup {
    let part = if places.is_first { "latest " } else { "next " };
    html! {
        main.single.reports {
            h1 { "What the figure counts" }
            p.muted { (counts(page)) "." @if page.total > page.entries.len() { " These are the " (part) (page.entries.len()) "." } " Times are in " (shown.times.zone()) "." }
            div.scroll { table.plain {
                thead { tr { @for name in ["Ticket", "Subject", "Clock", "Outcome", "Decided", "Counted", "Target", "Held by", "Client", "Reason"] { th scope="col" { (name) } } } }
                tbody { @for one in &page.entries { (entry(one, shown)) } }
            } }
            @if let Some(more) = places.more { p { a.button href=(more) { "More clocks" } } }
        }
    }
}

/// `1468 clocks are counted, 144 are left out`
fn counts(page: &EntryPage) -> String {
    let are = |count: usize| if count == 1 { "is" } else { "are" };
    let clocks =
        |count: usize, what: &str| format!("{count} clock{} {} {what}", if count == 1 { "" } else { "s" }, are(count));
    match (page.total - page.left_out, page.left_out) {
        (counted, 0) => clocks(counted, "counted"),
        (0, left_out) => clocks(left_out, "left out"),
        (counted, left_out) => format!("{}, {left_out} {} left out", clocks(counted, "counted"), are(left_out)),
    }
}

fn entry(one: &EntryView, shown: Shown<'_>) -> Markup {
    let path = ticket_path(shown.tenant, one);
    let seconds = |length: i64| text::duration(length * 1000);
    let why = one.excluded.or(one.reason).unwrap_or("–");
    let held: Vec<_> = one.shares.iter().map(|share| format!("{} {:.0} %", share.technician, share.percent)).collect();
    html! {
        tr {
            td { a href=(path) { (one.display_id) } }
            td { (one.subject.as_deref().unwrap_or("–")) }
            td { (one.clock.replace('_', " ")) }
            td { (one.outcome) @if one.over > 0 { ", over by " (seconds(one.over)) } }
            td.number { (shown.times.at(one.decided_at)) }
            td.number { (seconds(one.counted)) }
            td.number { (one.target.map_or_else(|| "–".to_owned(), seconds)) }
            td title=(held.join(", ")) { (one.technician) }
            td { (one.client.as_deref().unwrap_or("–")) }
            td {
                (why)
                @if let Some(by) = &one.reason_said_by { span.muted { " (" (by) " set this" @if let Some(told) = one.reason_from_history { "; from its history: " (told) } ")" } }
                @if let Some(list) = shown.list.filter(|_| one.outcome == "breached" && one.excluded.is_none()) { (reason_form(one, &path, list)) }
            }
        }
    }
}

fn ticket_path(tenant: &str, one: &EntryView) -> String {
    let part = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    format!("/tickets/{}/{}", part(tenant), part(&one.ticket_id))
}

/// Renders the form for a person who knows the reason better.
fn reason_form(one: &EntryView, path: &str, list: &str) -> Markup {
    html! {
        details.reason {
            summary { "Change" }
            form method="post" action={ (path) "/reason" } {
                input type="hidden" name="clock" value=(one.clock);
                input type="hidden" name="round" value=(one.round);
                input type="hidden" name="list" value=(list);
                select name="reason" aria-label="Why it was missed" {
                    option value="" { "the reason from its history" }
                    @for reason in Reason::ALL { option value=(reason.as_str()) selected[one.reason == Some(reason.words())] { (reason.words()) } }
                }
                " " button { "Save" }
            }
        }
    }
}

/// Renders the same chart as the files of the report.
fn chart(one: &Chart) -> Markup {
    html! {
        figure.chart {
            figcaption { (one.title) }
            (svg::write(one))
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};

    use super::*;
    use crate::report::{Column, ColumnKind};

    #[test]
    fn a_list_says_how_many_of_its_clocks_the_figure_counts_and_how_many_are_left_out() {
        let words = |total, left_out| counts(&EntryPage { total, left_out, entries: Vec::new(), next_cursor: None });
        assert_eq!(words(1612, 144), "1468 clocks are counted, 144 are left out");
        assert_eq!(words(2, 1), "1 clock is counted, 1 is left out");
        assert_eq!((words(3, 0), words(1, 1)), ("3 clocks are counted".to_owned(), "1 clock is left out".to_owned()));
    }

    #[test]
    fn tickets_without_a_breach_open_no_list_of_all_clocks() {
        let columns = ["tickets", "compliant"].map(|key| Column::new(key, key, ColumnKind::Count)).to_vec();
        let table = Table { columns, ..Table::default() };
        let person = Opens { person: Some("7".to_owned()), ..Opens::default() };
        assert_eq!(narrowed(&person, &table, 0), Some(person.clone()));
        assert_eq!(narrowed(&person, &table, 1), None);
    }

    #[test]
    fn a_time_stands_in_the_day_that_the_report_counts_it_in() {
        let at: DateTime<Utc> = "2026-07-01T23:30:00Z".parse().unwrap();
        let zone = "Europe/London".parse().unwrap();
        assert_eq!(words(&Cell::Time(at), zone), "2026-07-02 00:30");
        assert_eq!(words(&Cell::Count(12_345), zone), "12345");
    }
}
