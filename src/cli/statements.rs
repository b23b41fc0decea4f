//! `credits`: shows the outcome of uptime promises, period by period, and decides what becomes of the credits.

use clap::{Args, Subcommand};

use super::status::{printable, table};
use super::{CliError, token, uptime};
use crate::config::Config;
use crate::formats::csv;
use crate::service::statements::{CreditOrder, StatementQuery, StatementView};

#[derive(Debug, Args)]
pub struct CreditsArgs {
    #[command(subcommand)]
    command: Option<CreditsCommand>,
    /// Print JSON, for other programs
    #[arg(long, global = true)]
    json: bool,
    /// Print CSV, for spreadsheets
    #[arg(long, conflicts_with = "json")]
    csv: bool,
    /// Only this tenant's
    #[arg(long, value_name = "NAME", global = true)]
    tenant: Option<String>,
    /// Only this period, like 2026-10, 2026-Q4 or 2026
    #[arg(long, value_name = "PERIOD")]
    period: Option<String>,
}

#[derive(Debug, Subcommand)]
enum CreditsCommand {
    /// Approve a proposed credit
    Approve(DecideArgs),
    /// Say that an approved credit was issued
    Issue(DecideArgs),
    /// Waive a credit
    Waive(DecideArgs),
}

#[derive(Debug, Args)]
struct DecideArgs {
    /// The statement, by its id
    id: String,
    /// Why, for the audit log
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
}

/// Runs the command.
pub async fn credits(config: Config, args: CreditsArgs) -> Result<(), CliError> {
    let scope = super::scope(&config, args.tenant.as_deref())?;
    let (service, store) = uptime::watching(config).await?;
    let query = StatementQuery { period: args.period, ..StatementQuery::default() };
    let seen = match args.command {
        None => service.statements(&scope, &query).await?,
        Some(command) => {
            let (becomes, decide) = match command {
                CreditsCommand::Approve(decide) => ("approved", decide),
                CreditsCommand::Issue(decide) => ("issued", decide),
                CreditsCommand::Waive(decide) => ("waived", decide),
            };
            let order = CreditOrder { credit: becomes.to_owned(), note: decide.note };
            let found = service.decide_credit(&scope, &decide.id, order, token::at_the_command_line()).await?;
            let unknown =
                || anyhow::anyhow!("no statement `{}` is known; `superops-sla credits` lists them", decide.id);
            vec![found.ok_or_else(unknown)?]
        }
    };
    let text = match (args.json, args.csv) {
        (true, _) => super::as_json(&seen)?,
        (_, true) => csv(&seen)?,
        _ => text(&seen, query.period.as_deref()),
    };
    super::print(&text)?;
    store.close().await;
    Ok(())
}

fn text(seen: &[StatementView], period: Option<&str>) -> String {
    if seen.is_empty() {
        return match period {
            Some(period) => format!("nothing is settled for {period}\n"),
            None => "no period of a promise is settled yet\n".to_owned(),
        };
    }
    let rows: Vec<_> = seen.iter().map(row).collect();
    table(["ID", "SERVICE", "PERIOD", "UPTIME", "PROMISED", "LOST", "CREDIT", "STATE"], &rows, |_| ("", ""))
}

fn row(one: &StatementView) -> [String; 8] {
    [
        one.id.clone(),
        printable(&one.name),
        one.period.clone(),
        one.uptime_percent.map_or("–".to_owned(), |share| format!("{share} %")),
        format!("{} %", one.target_percent),
        format!("{} min", one.lost_minutes),
        one.owed().unwrap_or_else(|| "none".to_owned()),
        one.credit.to_owned(),
    ]
}

fn csv(seen: &[StatementView]) -> Result<String, CliError> {
    let head = [
        "id",
        "tenant",
        "client",
        "component",
        "name",
        "period",
        "uptime_percent",
        "target_percent",
        "lost_minutes",
        "unknown_minutes",
        "maintenance_minutes",
        "outages",
        "credit_percent",
        "credit_minor",
        "currency",
        "credit",
    ];
    let head = head.map(str::to_owned).to_vec();
    let bytes = csv::rows(std::iter::once(head).chain(seen.iter().map(fields))).map_err(anyhow::Error::from)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn fields(one: &StatementView) -> Vec<String> {
    vec![
        one.id.clone(),
        one.tenant.clone(),
        one.client.clone().unwrap_or_default(),
        one.component.clone(),
        one.name.clone(),
        one.period.clone(),
        one.uptime_percent.map(|number| number.to_string()).unwrap_or_default(),
        one.target_percent.to_string(),
        one.lost_minutes.to_string(),
        one.unknown_minutes.to_string(),
        one.maintenance_minutes.to_string(),
        one.outages.to_string(),
        one.credit_percent.to_string(),
        one.credit_minor.map(|minor| minor.to_string()).unwrap_or_default(),
        one.currency.clone().unwrap_or_default(),
        one.credit.to_owned(),
    ]
}
