//! `policies`: the promises in force, those that SuperOps' due times suggest, and how others would have done.

mod tryout;

use std::fmt::Write;
use std::path::PathBuf;

use chrono::{NaiveDate, TimeDelta};
use clap::{Args, Subcommand};

use super::CliError;
use super::propose;
use super::status::table;
use crate::config::{Config, ProcessEnvironment, duration};
use crate::report::day;
use crate::service::policies::{PolicyView, TenantPolicies};

#[derive(Clone, Debug, Args)]
pub(super) struct PolicyScope {
    /// Only this tenant's
    #[arg(long, value_name = "NAME")]
    tenant: Option<String>,
    /// Print JSON, for other programs
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum PolicyCommand {
    /// Propose targets from the due times that SuperOps gives, as TOML to paste
    Infer {
        #[command(flatten)]
        scope: PolicyScope,
    },
    /// Apply the policies and calendars of another file to past tickets, and compare
    Try {
        /// In the form of the configuration; what it leaves out stays unchanged
        file: PathBuf,
        /// The first date of creation, like 2026-01-31
        #[arg(long, value_name = "DATE", value_parser = day::date)]
        from: NaiveDate,
        /// The last date of creation
        #[arg(long, value_name = "DATE", value_parser = day::date)]
        to: NaiveDate,
        #[command(flatten)]
        scope: PolicyScope,
    },
}

/// Runs the command.
pub async fn policies(config: Config, asked: PolicyScope, command: Option<PolicyCommand>) -> Result<(), CliError> {
    let PolicyScope { tenant, json } = match &command {
        Some(PolicyCommand::Infer { scope } | PolicyCommand::Try { scope, .. }) => scope.clone(),
        None => asked,
    };
    let scope = super::scope(&config, tenant.as_deref())?;
    let trial = trial(&command)?;
    let (service, store) = super::offline_service(config).await?;
    let text = match (command, trial) {
        (Some(PolicyCommand::Try { from, to, .. }), Some(trial)) => {
            let tried = service.try_policies(&scope, &trial, from, to).await?;
            shown(json, &serde_json::json!({ "tenants": tried }), |_| tryout::text(&tried))?
        }
        (Some(_), _) => {
            let inferred = service.infer_policies(&scope).await?;
            shown(json, &serde_json::json!({ "tenants": inferred }), |_| propose::as_toml(&inferred))?
        }
        (None, _) => {
            let tenants = service.policies(&scope).await?;
            shown(json, &serde_json::json!({ "tenants": tenants }), |_| lists(&tenants))?
        }
    };
    store.close().await;
    super::print(&text)?;
    Ok(())
}

/// Reads the file to try, so that every fault in it is reported before the store is asked anything.
fn trial(command: &Option<PolicyCommand>) -> Result<Option<Config>, CliError> {
    let Some(PolicyCommand::Try { file, from, to, .. }) = command else { return Ok(None) };
    if from > to {
        return Err(CliError::usage(format!("--from {from} lies after --to {to}")));
    }
    Config::load_offline(file, &ProcessEnvironment).map(Some).map_err(CliError::usage)
}

fn shown<T: serde::Serialize>(json: bool, data: &T, text: impl FnOnce(&T) -> String) -> Result<String, CliError> {
    Ok(if json { super::as_json(data)? } else { text(data) })
}

fn lists(tenants: &[TenantPolicies]) -> String {
    tenants.iter().map(list).collect::<Vec<_>>().join("\n")
}

fn list(tenant: &TenantPolicies) -> String {
    let hours = match (tenant.hours, &tenant.calendar) {
        ("site", _) => "hours of the client's site".to_owned(),
        (_, Some(calendar)) => format!("calendar {calendar}"),
        (_, None) => "always open".to_owned(),
    };
    let version = match (tenant.version, tenant.in_force_from) {
        (Some(version), Some(from)) => format!("version {version}, from {}", from.format("%d %b %Y %H:%M UTC")),
        _ => "not in force yet: the service has not run with them".to_owned(),
    };
    let mut text = format!("{}: {hours}; {version}\n\n", tenant.tenant);
    if tenant.policies.is_empty() {
        text.push_str("no policies: only the due times that SuperOps reports are watched; try `policies infer`\n");
        return text;
    }
    let rows: Vec<[String; 9]> = tenant.policies.iter().map(row).collect();
    let head = ["#", "SLA", "PRIORITY", "CLIENT", "CATEGORY", "RESPONSE", "RESOLUTION", "CLOCK", "FROM"];
    text.push_str(&table(head, &rows, |_| ("", "")));
    for policy in &tenant.policies {
        notes(&mut text, policy);
    }
    text
}

fn row(policy: &PolicyView) -> [String; 9] {
    let any = |name: &Option<String>| name.clone().unwrap_or_else(|| "any".to_owned());
    let target =
        |seconds: Option<i64>| seconds.map_or("–".to_owned(), |seconds| duration::show(TimeDelta::seconds(seconds)));
    [
        policy.position.to_string(),
        any(&policy.sla),
        any(&policy.priority),
        any(&policy.client),
        any(&policy.category),
        target(policy.response),
        target(policy.resolution),
        policy.clock.to_owned(),
        policy.source.clone(),
    ]
}

fn notes(text: &mut String, policy: &PolicyView) {
    let position = policy.position;
    if let Some(first) = policy.shadowed_by {
        let _ = writeln!(text, "{position} is never reached: {first} matches first");
    }
    for unknown in &policy.unknown {
        let _ = writeln!(text, "{position}: {unknown}");
    }
}
