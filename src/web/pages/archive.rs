//! The page of archived reports: those sent by a schedule, or requested after their months were closed.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::response::Html;
use maud::{Markup, html};

use super::times::Times;
use super::{Sheet, frame};
use crate::service::reports::archive::{ArchiveQuery, ArchivedReport};
use crate::web::auth::Caller;
use crate::web::{Problem, Web};

/// GET /reports/archive
pub async fn archive(
    State(web): State<Arc<Web>>,
    caller: Caller,
    Query(query): Query<ArchiveQuery>,
) -> Result<Html<String>, Problem> {
    let page = web.service.archive(&caller.scope, &query).await?;
    let times = Times::of(&web, &caller).await?;
    let schedules = web.service.report_schedules(&caller.scope);
    let content = html! {
        main.single.reports {
            h1 { "Reports as they went out" }
            p.muted { "Each was sent by a schedule, or asked for once its months were closed, and is kept to the byte. Times are in " (times.zone()) "." }
            @if page.reports.is_empty() { p.empty { "There is none yet. " a href="/reports" { "Make one" } " on a closed month, or have it sent: " code { "[[reports.schedules]]" } " in the configuration." } }
            @else { (files(&page.reports, times)) }
            h2 { "Sent automatically" }
            @if schedules.is_empty() { p.muted { "No schedule is configured." } }
            @else { ul { @for one in &schedules { li { strong { (one.name) } ": " (one.words) } } } }
        }
    };
    Ok(frame(&web, &caller, &Sheet { title: "Archive of reports", kind: "reports", here: "/reports" }, &content))
}

fn files(reports: &[ArchivedReport], times: Times) -> Markup {
    html! {
        div.scroll { table.plain {
            thead { tr { @for head in ["Made", "File", "Report", "Period", "Figures", "For", "Size", "SHA-256"] { th scope="col" { (head) } } } }
            tbody { @for one in reports { tr {
                td.number { (times.at(one.made_at)) }
                td { a href={ "/api/v1/reports/archive/" (one.id) } { (one.name) } }
                td { (one.title) }
                td.number { (one.period_start) " to " (one.period_end) }
                td { @if one.closed { "final" } @else { "provisional" } }
                td { (one.made_for) }
                td.number { (one.size.div_ceil(1024)) " KiB" }
                td title=(one.id) { code { (one.id.get(..12).unwrap_or_default()) "…" } }
            } } }
        } }
    }
}
