//! `credits`: shows the outcome of uptime promises, period by period, and decides what becomes of the credits.

use clap::{Args, Subcommand};

use super::status::{printable, table};
use super::{CliError, token, uptime};
use crate::config::Config;
use crate::formats::csv;
use crate::service::statements::{CreditOrder, StatementNow, StatementQuery, StatementView};

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
    let head = ["ID", "SERVICE", "PERIOD", "UPTIME", "PROMISED", "LOST", "CREDIT", "STATE", "NOW"];
    let mut text = table(head, &rows, |_| ("", ""));
    if seen.iter().any(|one| one.differs_now) {
        text.push_str("\nNOW is the uptime and the credit by what is known now; the statement stays as it is\n");
    }
    text
}

fn row(one: &StatementView) -> [String; 9] {
    [
        one.id.clone(),
        printable(&one.name),
        one.period.clone(),
        share(one.uptime_percent),
        format!("{} %", one.target_percent),
        format!("{} min", one.lost_minutes),
        one.owed().unwrap_or_else(|| "none".to_owned()),
        one.credit.to_owned(),
        one.now.as_ref().map(now).unwrap_or_default(),
    ]
}

fn share(uptime: Option<f64>) -> String {
    uptime.map_or("–".to_owned(), |share| format!("{share} %"))
}

fn now(now: &StatementNow) -> String {
    format!("{}, credit {}", share(now.uptime_percent), now.owed().unwrap_or_else(|| "none".to_owned()))
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
        "uptime_percent_now",
        "credit_percent_now",
        "credit_minor_now",
    ];
    let head = head.map(str::to_owned).to_vec();
    let bytes = csv::rows(std::iter::once(head).chain(seen.iter().map(fields))).map_err(anyhow::Error::from)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn fields(one: &StatementView) -> Vec<String> {
    let now = one.now.as_ref();
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
        now.and_then(|now| now.uptime_percent).map(|number| number.to_string()).unwrap_or_default(),
        now.map(|now| now.credit_percent.to_string()).unwrap_or_default(),
        now.and_then(|now| now.credit_minor).map(|minor| minor.to_string()).unwrap_or_default(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_period_comes_to_by_now_stands_beside_what_was_settled() {
        let at = chrono::DateTime::default();
        let later = StatementNow {
            uptime_percent: Some(99.5),
            lost_minutes: 200.0,
            credit_percent: 10,
            credit_minor: Some(4_500),
            currency: Some("EUR".to_owned()),
        };
        let settled = StatementView {
            id: "a1".to_owned(),
            tenant: "acme".to_owned(),
            client: None,
            component: "shop".to_owned(),
            name: "Web shop".to_owned(),
            period: "2026-10".to_owned(),
            from: at,
            until: at,
            target_percent: 99.9,
            uptime_percent: Some(98.5),
            kept: Some(false),
            lost_minutes: 600.0,
            allowed_minutes: 43.2,
            outages: 1,
            unknown_minutes: 0.0,
            maintenance_minutes: 0.0,
            conclusive: true,
            credit_percent: 50,
            credit_minor: Some(22_500),
            currency: Some("EUR".to_owned()),
            credit: "proposed",
            decided_by: None,
            decided_at: None,
            note: None,
            frozen_at: at,
            sha256: String::new(),
            differs_now: true,
            now: Some(later),
        };
        let told = text(std::slice::from_ref(&settled), None);
        assert!(told.contains("50 %, 225.00 EUR") && told.contains("99.5 %, credit 10 %, 45.00 EUR"), "{told}");
        assert!(told.contains("the statement stays as it is"), "{told}");
        let rows = csv(&[settled]).unwrap();
        assert!(rows.lines().next().unwrap().ends_with("uptime_percent_now,credit_percent_now,credit_minor_now"));
        assert!(rows.trim_end().ends_with(",50,22500,EUR,proposed,99.5,10,4500"), "{rows}");
    }
}
