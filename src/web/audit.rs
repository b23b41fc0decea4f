//! The audit log over HTTP: who changed what, as JSON or as a table for a spreadsheet.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
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

const MOST: u32 = 1_000;
const USUAL: u32 = 100;

/// Which changes are asked for.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AuditParams {
    /// Only this tenant's.
    #[expect(dead_code, reason = "read by the gate; here it is only a key that may stand in the query")]
    tenant: Option<String>,
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
    /// json | csv
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

    /// Returns the same query as a link has it, continuing at `cursor`.
    pub fn again(&self, cursor: &str) -> String {
        let asked =
            [("who", &self.who), ("what", &self.what), ("ticket", &self.ticket), ("sort", &self.sort)].into_iter();
        let asked = asked.filter_map(|(name, text)| Some((name, text.as_deref()?)));
        form_urlencoded::Serializer::new(String::new()).extend_pairs(asked).append_pair("cursor", cursor).finish()
    }
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
            Ok(([kind, (CONTENT_DISPOSITION, "attachment; filename=\"audit.csv\"")], csv(&page.changes))
                .into_response())
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
    use super::quoted;

    #[test]
    fn no_cell_ends_early_or_is_a_formula() {
        assert_eq!(quoted("say \"no\", twice"), "\"say \"\"no\"\", twice\"");
        assert_eq!(quoted("=1+1"), "\"'=1+1\"");
    }
}
