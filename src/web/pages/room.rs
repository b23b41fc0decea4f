//! The page of who has room now.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::response::Html;
use chrono::TimeDelta;
use maud::{Markup, html};

use super::{Sheet, frame};
use crate::notify::words as length;
use crate::service::ServiceError;
use crate::service::room::{RoomPage, RoomQuery, RoomView};
use crate::web::auth::Caller;
use crate::web::{Problem, Web};

/// GET /technicians/room
pub async fn room(
    State(web): State<Arc<Web>>,
    caller: Caller,
    Query(query): Query<RoomQuery>,
) -> Result<Html<String>, Problem> {
    let found = match web.service.room(&caller.scope, &query).await {
        Ok(page) => table(&page, web.service.tenant_names(&caller.scope).len() > 1),
        Err(ServiceError::BadQuestion(why)) => html! { p.complaint role="alert" { (why) } },
        Err(error) => return Err(error.into()),
    };
    let content = html! {
        main.single.reports {
            h1 { "Who has room now" }
            p.muted { "Estimated from each person’s pace over the last four weeks, in staffed time. Open tickets are taken in the order in which they are due; room is what else fits in before the end of the next working day. Where somebody has resolved fewer than ten, the pace of everybody is used." }
            (found)
        }
    };
    Ok(frame(&web, &caller, &Sheet { title: "Who has room", kind: "reports", here: "/technicians" }, &content))
}

fn table(page: &RoomPage, several: bool) -> Markup {
    html! {
        @if page.technicians.is_empty() { p.empty { "No technician is known yet." } } @else {
            @if page.technicians.iter().all(|one| one.pace.is_none()) {
                p.empty { "No pace is known yet, so room cannot be estimated: too few resolutions in the last four weeks are booked to technicians whom this watch has seen at work." }
            }
            div.scroll { table.plain {
                thead { tr {
                    @if several { th scope="col" { "Tenant" } }
                    @for head in ["Technician", "Open", "Breached", "At risk", "One takes", "Least slack", "First late", "Room for"] { th scope="col" { (head) } }
                } }
                tbody { @for one in &page.technicians { (line(one, several)) } }
            } }
        }
    }
}

fn line(one: &RoomView, several: bool) -> Markup {
    let span = |seconds: Option<i64>| seconds.map_or_else(|| "–".to_owned(), |it| signed(TimeDelta::seconds(it)));
    html! {
        tr {
            @if several { td { (one.tenant) } }
            td { (one.technician_name) }
            td.number { (one.open) }
            td.number { (one.breached) }
            td.number { (one.at_risk) }
            td.number { (span(one.pace)) @if one.pace_of == Some("all") { span.muted { " (all)" } } }
            td.number { (span(one.least_slack)) }
            td { @match &one.first_late { Some(ticket) => { a href={ "/tickets/" (one.tenant) "/" (ticket) } { (ticket) } } None => { "–" } } }
            td.number { @match one.fits { Some(fits) => { (fits) } None => { "–" } } }
        }
    }
}

/// Formats as `3 h 20 min`, with a minus if negative.
fn signed(span: TimeDelta) -> String {
    if span < TimeDelta::zero() { format!("−{}", length(-span)) } else { length(span) }
}
