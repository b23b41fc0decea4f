//! The audit log over HTTP: who changed what, as JSON or as a table for a spreadsheet.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, LINK};
use axum::response::{AppendHeaders, IntoResponse, Response};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde::Deserialize;
use url::form_urlencoded;
use utoipa::IntoParams;

use super::auth::Caller;
use super::{Problem, Web};
use crate::service::Complaint;
use crate::service::audit::{AuditEntry, AuditQuery};
use crate::service::described::{AuditOrderWord, ListFormatWord};
use crate::service::paging::way;

pub const MOST: u32 = 1_000;
const USUAL: u32 = 100;

/// Which changes are asked for.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AuditParams {
    /// Only this tenant's.
    pub tenant: Option<String>,
    /// RFC 3339.
    pub from: Option<DateTime<Utc>>,
    /// RFC 3339: the first moment after them.
    pub until: Option<DateTime<Utc>>,
    /// A part of a name.
    pub who: Option<String>,
    /// A part of what was done.
    pub what: Option<String>,
    /// A ticket's id or number.
    pub ticket: Option<String>,
    /// By default, the latest first.
    #[param(inline, value_type = Option<AuditOrderWord>)]
    pub sort: Option<String>,
    /// 1 to 1000, by default 100.
    #[param(minimum = 1, maximum = 1000)]
    pub limit: Option<u32>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
    /// json | csv. If more changes follow those in a CSV file, the answer's `Link` header leads to them as `next`.
    #[param(inline, value_type = Option<ListFormatWord>)]
    pub format: Option<String>,
}

impl AuditParams {
    /// Builds the query for the service.
    pub fn query(&self, now: DateTime<Utc>) -> Result<AuditQuery, Problem> {
        if !matches!(self.format.as_deref().unwrap_or("json"), "json" | "csv") {
            return Err(Problem::bad(&Complaint::of("format", "must be json or csv")));
        }
        let limit = self.limit.unwrap_or(USUAL);
        if !(1..=MOST).contains(&limit) {
            return Err(Problem::bad(&Complaint::of("limit", format!("must be from 1 to {MOST}"))));
        }
        Ok(AuditQuery {
            from: self.from.unwrap_or(DateTime::UNIX_EPOCH),
            until: self.until.unwrap_or(now + TimeDelta::days(1)),
            who: self.who.clone(),
            what: self.what.clone(),
            ticket: self.ticket.clone(),
            way: way("at", self.sort.as_deref())?,
            limit,
            cursor: self.cursor.clone(),
        })
    }
}

impl AuditParams {
    /// Whether the earliest come first.
    pub fn begins_early(&self) -> bool {
        self.sort.as_deref() == Some("at")
    }

    /// Returns the same query as a link has it.
    pub fn again(&self) -> String {
        let asked = [
            ("tenant", self.tenant.clone()),
            ("from", self.from.map(in_a_link)),
            ("until", self.until.map(in_a_link)),
            ("who", self.who.clone()),
            ("what", self.what.clone()),
            ("ticket", self.ticket.clone()),
            ("sort", self.sort.clone()),
            ("limit", self.limit.map(|limit| limit.to_string())),
            ("cursor", self.cursor.clone()),
            ("format", self.format.clone()),
        ];
        let asked = asked.into_iter().filter_map(|(name, text)| Some((name, text?)));
        form_urlencoded::Serializer::new(String::new()).extend_pairs(asked).finish()
    }

    /// Returns the query that goes on at `cursor`, where this one ends.
    pub fn after(&self, cursor: &str) -> Self {
        Self { cursor: Some(cursor.to_owned()), ..self.clone() }
    }

    /// Returns the query for a file of as many of these changes as one may hold.
    pub fn as_file(&self) -> Self {
        Self { limit: Some(MOST), cursor: None, format: Some("csv".to_owned()), ..self.clone() }
    }
}

/// Formats a time as it stands in a query.
pub fn in_a_link(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

/// GET /api/v1/audit
pub async fn list(
    State(web): State<Arc<Web>>,
    caller: Caller,
    Query(params): Query<AuditParams>,
) -> Result<Response, Problem> {
    let query = params.query(web.service.now())?;
    let page = web.service.audit(&caller.scope, &query).await?.ok_or_else(|| Problem::not_found("ticket"))?;
    match params.format.as_deref() {
        Some("csv") => {
            let kind = (CONTENT_TYPE, "text/csv; charset=utf-8");
            let name = (CONTENT_DISPOSITION, "attachment; filename=\"audit.csv\"");
            let next = page.next_cursor.map(|cursor| params.after(&cursor).again());
            let next = next.map(|query| (LINK, format!("</api/v1/audit?{query}>; rel=\"next\"")));
            Ok(([kind, name], AppendHeaders(next), csv(&page.changes)).into_response())
        }
        _ => Ok(Json(page).into_response()),
    }
}

fn csv(changes: &[AuditEntry]) -> String {
    let head = "at,who,tenant,from,what,id\r\n".to_owned();
    changes.iter().fold(head, |text, one| {
        let at = one.at.to_rfc3339_opts(SecondsFormat::AutoSi, true);
        let cells = [&at, &one.who, one.tenant.as_ref().unwrap_or(&String::new()), &one.origin, &one.what]
            .map(|cell| quoted(cell));
        text + &cells.join(",") + &format!(",{}\r\n", one.id)
    })
}

/// Quotes a cell, and keeps a spreadsheet from reading it as a formula.
fn quoted(cell: &str) -> String {
    let harmless = if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) { "'" } else { "" };
    format!("\"{harmless}{}\"", cell.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_asks_for_all_that_was_asked_for() {
        let text = "tenant=acme&from=2026-11-01T00%3A00%3A00Z&until=2026-12-01T00%3A00%3A00.5Z&who=a%26b&what=said&\
                    ticket=41&sort=at&limit=7&cursor=c&format=json";
        let read =
            |text: &str| Query::<AuditParams>::try_from_uri(&format!("/audit?{text}").parse().unwrap()).unwrap().0;
        let asked = read(&read(text).again());
        assert_eq!(asked.again(), read(text).again());
        for pair in text.split('&').filter(|pair| !pair.starts_with("until")) {
            assert!(asked.again().split('&').any(|one| one == pair), "{pair}");
        }
        assert_eq!(asked.until, read(text).until);
        let file = read(text).as_file().again();
        assert!(file.contains("tenant=acme&") && file.ends_with("sort=at&limit=1000&format=csv"), "{file}");
    }

    #[test]
    fn no_cell_ends_early_or_is_a_formula() {
        assert_eq!(quoted("say \"no\", twice"), "\"say \"\"no\"\", twice\"");
        assert_eq!(quoted("=1+1"), "\"'=1+1\"");
    }
}
