//! `breaches`: promises that were missed or are about to be, and who was told.

use std::fmt::Write;

use clap::Args;

use super::CliError;
use super::status::{UNASSIGNED, printable, table};
use crate::config::Config;
use crate::service::breaches::{BreachPage, BreachQuery, BreachState, BreachView};

#[derive(Debug, Args)]
pub struct BreachesArgs {
    /// Print JSON, for other programs
    #[arg(long)]
    json: bool,
    /// predicted | open | closed; else all
    #[arg(long, value_name = "STATE")]
    state: Option<String>,
    /// How many breaches to show
    #[arg(long, value_name = "N", default_value_t = 40)]
    limit: usize,
    /// Only this tenant's
    #[arg(long, value_name = "NAME")]
    tenant: Option<String>,
}

/// Runs the command.
pub async fn breaches(config: Config, args: BreachesArgs) -> Result<(), CliError> {
    let scope = super::scope(&config, args.tenant.as_deref())?;
    let query = BreachQuery { state: state(&args)?, limit: Some(args.limit), ..BreachQuery::default() };
    let (service, store) = super::offline_service(config).await?;
    let page = service.breaches(&scope, &query).await?;
    let text = if args.json { super::as_json(&page)? } else { page_text(&page) };
    super::print(&text)?;
    store.close().await;
    Ok(())
}

fn state(args: &BreachesArgs) -> Result<Option<BreachState>, CliError> {
    let Some(text) = args.state.as_deref() else { return Ok(None) };
    let known = [BreachState::Predicted, BreachState::Open, BreachState::Closed];
    let found = known.into_iter().find(|state| state.as_str() == text);
    found
        .map(Some)
        .ok_or_else(|| CliError::usage(format!("`--state` is `{text}`, and must be predicted, open or closed")))
}

/// `page` as a table.
pub fn page_text(page: &BreachPage) -> String {
    if page.breaches.is_empty() {
        return "no such breaches\n".to_owned();
    }
    let row = |breach: &BreachView| {
        [
            breach.id.clone(),
            breach.state.as_str().to_owned(),
            breach.breach_time.format("%Y-%m-%d %H:%M UTC").to_string(),
            printable(breach.display_id.as_deref().unwrap_or(&breach.ticket_id)),
            breach.breach_type.words().to_owned(),
            breach.severity.to_owned(),
            printable(breach.technician_name.as_deref().unwrap_or(nobody(breach))),
            printable(breach.client.as_deref().unwrap_or("–")),
            breach.reason.as_ref().and_then(|reason| reason.words).unwrap_or("–").to_owned(),
            told(breach),
        ]
    };
    let rows: Vec<_> = page.breaches.iter().map(row).collect();
    let head = ["BREACH", "STATE", "DUE", "TICKET", "CLOCK", "SEVERITY", "TECHNICIAN", "CLIENT", "REASON", "TOLD"];
    let mut text = table(head, &rows, |_| ("", ""));
    if page.total > page.breaches.len() {
        let _ = writeln!(text, "… and {} more", page.total - page.breaches.len());
    }
    text
}

/// What stands where no technician is named: whose a closed breach was may be left out on purpose.
fn nobody(breach: &BreachView) -> &'static str {
    if breach.state == BreachState::Closed { "–" } else { UNASSIGNED }
}

/// `2 of 3 sent, 4 attempts; taken by Mia`.
fn told(breach: &BreachView) -> String {
    let said = &breach.notifications;
    let sent = said.iter().filter(|told| told.state == "sent").count();
    let attempts: usize = said.iter().map(|told| told.attempts.len()).sum();
    let plural = if attempts == 1 { "" } else { "s" };
    let told = match said.len() {
        0 if breach.in_digest => "in the digest".to_owned(),
        0 => "nobody".to_owned(),
        all => format!("{sent} of {all} sent, {attempts} attempt{plural}"),
    };
    let taken = breach.acknowledged_by.as_deref().map(|by| format!("; taken by {}", printable(by))).unwrap_or_default();
    told + &taken
}
