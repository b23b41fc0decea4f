//! The page of statements: the outcome of uptime promises, period by period, and the credits to decide on.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::response::Html;
use maud::{Markup, html};

use super::{Sheet, frame};
use crate::formats::Format;
use crate::service::statements::{StatementQuery, StatementView};
use crate::status_page::model::length;
use crate::store::tokens::Role;
use crate::web::auth::Caller;
use crate::web::{Problem, Web};

/// GET /statements
pub async fn statements(
    State(web): State<Arc<Web>>,
    caller: Caller,
    Query(query): Query<StatementQuery>,
) -> Result<Html<String>, Problem> {
    let all = web.service.statements(&caller.scope, &query).await?;
    let content = html! {
        main.made.services {
            p { a.back href="/services" { "All services" } }
            h1 { "Statements and credits" }
            p.muted { "A period is settled three days after its end. From then on its statement stays as it is, whatever is found out later." }
            @if all.is_empty() && query != StatementQuery::default() {
                p.empty { "No statement is like that. " a href="/statements" { "All statements" } }
            }
            @else if all.is_empty() { p.empty { "No period of a promise is settled yet: see [[promises]] in config.example.toml." } }
            @else { (table(&all, &caller)) }
        }
    };
    Ok(frame(&web, &caller, &Sheet { title: "Statements", kind: "made", here: "/services" }, &content))
}

fn table(all: &[StatementView], caller: &Caller) -> Markup {
    html! {
        div.scroll { table {
            thead { tr { @for head in ["Service", "Period", "Uptime", "Promised", "Lost", "Credit", "State", "As a file"] { th scope="col" { (head) } } } }
            tbody { @for one in all { (row(one, caller)) } }
        } }
    }
}

fn row(one: &StatementView, caller: &Caller) -> Markup {
    let lost = length((one.lost_minutes * 60_000.0) as i64);
    html! {
        tr.{ (if one.kept == Some(false) { "standing-breached" } else { "standing-on_track" }) } {
            td.what { a href={ "/services/" (one.component) } { (one.name) } @if let Some(client) = &one.client { span.id { (client) } } }
            td.when { (one.period) }
            td {
                span.when { (share(one.uptime_percent)) }
                @if let Some(now) = &one.now { div.muted { "by what is known now: " (share(now.uptime_percent)) } }
                @if !one.conclusive { div.muted { "not conclusive" } }
            }
            td.when { (one.target_percent) " %" }
            td.when { @if one.lost_minutes > 0.0 { (lost) } @else { "none" } }
            td {
                (one.owed().unwrap_or_else(|| "none".to_owned()))
                @if let Some(now) = &one.now {
                    div.muted { "by what is known now: " (now.owed().unwrap_or_else(|| "none".to_owned())) }
                }
            }
            td {
                @if one.credit != "none" { (one.credit) }
                @if let Some(by) = &one.decided_by { div.muted { "by " (by) } }
                @if let Some(note) = &one.note { div.muted { (note) } }
                @if caller.role >= Role::Admin { (buttons(one)) }
            }
            td { @for format in Format::ALL { a href={ "/api/v1/uptime/statements/" (one.id) "?format=" (format.name()) } { (format.name().to_uppercase()) } " " } }
        }
    }
}

fn share(uptime: Option<f64>) -> String {
    uptime.map_or_else(|| "not measured".to_owned(), |share| format!("{share} %"))
}

fn buttons(one: &StatementView) -> Markup {
    let (next, words) = match one.credit {
        "proposed" => (Some("approved"), "Approve"),
        "approved" => (Some("issued"), "Issued"),
        _ => (None, ""),
    };
    html! {
        @if let Some(next) = next {
            form.filters method="post" action={ "/statements/" (one.id) "/credit" } {
                input name="note" maxlength="1000" placeholder="Why" aria-label="Why";
                button name="credit" value=(next) { (words) }
                button.quiet name="credit" value="waived" { "Waive" }
            }
        }
    }
}
