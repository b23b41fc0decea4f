//! `incidents`: lists incidents of services and announced work, opens and updates incidents, and announces work.

use std::fmt::Write;

use clap::{Args, Subcommand};

use super::status::{printable, table};
use super::{CliError, token, uptime};
use crate::config::Config;
use crate::service::incidents::{IncidentOrder, IncidentQuery, IncidentView, SayingOrder, WorkOrder, WorkView};

#[derive(Debug, Args)]
pub struct IncidentsArgs {
    #[command(subcommand)]
    command: Option<IncidentsCommand>,
    /// Print JSON, for other programs
    #[arg(long, global = true)]
    json: bool,
    /// Only this tenant's
    #[arg(long, value_name = "NAME", global = true)]
    tenant: Option<String>,
}

#[derive(Debug, Subcommand)]
enum IncidentsCommand {
    /// Open an incident
    Open {
        /// What is wrong
        title: String,
        /// What it touches; may be given several times
        #[arg(long = "component", value_name = "ID", required = true)]
        components: Vec<String>,
        #[arg(long, value_name = "none|minor|major|critical")]
        impact: Option<String>,
        /// What everybody is told
        #[arg(long, value_name = "TEXT")]
        text: Option<String>,
        /// What only people who may sign in are told
        #[arg(long, value_name = "TEXT")]
        note: Option<String>,
        /// Keep it off the public page
        #[arg(long)]
        private: bool,
    },
    /// Update an incident
    Say {
        id: String,
        #[arg(long, value_name = "investigating|identified|monitoring|resolved")]
        status: Option<String>,
        #[arg(long, value_name = "TEXT")]
        text: Option<String>,
        #[arg(long, value_name = "TEXT")]
        note: Option<String>,
        /// What caused it
        #[arg(long, value_name = "TEXT")]
        cause: Option<String>,
        #[arg(long, value_name = "none|minor|major|critical")]
        impact: Option<String>,
        /// Put it on the public page, or take it off
        #[arg(long, value_name = "true|false")]
        public: Option<bool>,
    },
    /// Announce work on services
    Announce {
        /// What is done
        title: String,
        #[arg(long = "component", value_name = "ID", required = true)]
        components: Vec<String>,
        /// Like 2026-11-30T22:00:00+01:00
        #[arg(long, value_name = "TIME")]
        from: String,
        #[arg(long, value_name = "TIME")]
        until: String,
        #[arg(long, value_name = "TEXT")]
        text: Option<String>,
        /// Keep it off the public page
        #[arg(long)]
        private: bool,
    },
    /// Call announced work off, or end it now
    CallOff { id: String },
}

/// Runs the command.
pub async fn incidents(config: Config, args: IncidentsArgs) -> Result<(), CliError> {
    let scope = super::scope(&config, args.tenant.as_deref())?;
    let (service, store) = uptime::watching(config).await?;
    let author = token::at_the_command_line();
    let text = match args.command {
        None => {
            let seen = (service.incidents(&scope, &IncidentQuery::default()), service.planned_work(&scope));
            if args.json {
                super::as_json(&serde_json::json!({ "incidents": seen.0, "maintenance": seen.1 }))?
            } else {
                text(&seen.0, &seen.1)
            }
        }
        Some(IncidentsCommand::Open { title, components, impact, text, note, private }) => {
            let order = IncidentOrder { title, components, impact, text, note, public: Some(!private) };
            shown(&service.open_incident(&scope, order, author).await?, args.json)?
        }
        Some(IncidentsCommand::Say { id, status, text, note, cause, impact, public }) => {
            let order = SayingOrder { status, text, note, title: None, impact, cause, public };
            let found = service.say_of_incident(&scope, &id, order, author).await?;
            shown(&found.ok_or_else(|| unknown("incident", &id))?, args.json)?
        }
        Some(IncidentsCommand::Announce { title, components, from, until, text, private }) => {
            let order = WorkOrder { title, components, text, from, until, public: Some(!private) };
            let made = service.announce_work(&scope, order, author).await?;
            if args.json { super::as_json(&made)? } else { self::text(&[], &[made]) }
        }
        Some(IncidentsCommand::CallOff { id }) => match service.call_work_off(&scope, &id, author).await? {
            true => "It is called off.\n".to_owned(),
            false => return Err(unknown("work", &id)),
        },
    };
    super::print(&text)?;
    store.close().await;
    Ok(())
}

fn unknown(what: &str, id: &str) -> CliError {
    anyhow::anyhow!("no {what} `{id}` is known; `superops-sla incidents` lists them").into()
}

fn shown(one: &IncidentView, json: bool) -> Result<String, CliError> {
    if json { super::as_json(one) } else { Ok(text(std::slice::from_ref(one), &[])) }
}

fn text(incidents: &[IncidentView], works: &[WorkView]) -> String {
    let mut out = String::new();
    if !incidents.is_empty() {
        let rows: Vec<_> = incidents.iter().map(row).collect();
        out +=
            &table(["ID", "INCIDENT", "STATUS", "IMPACT", "SINCE", "UNTIL", "TOUCHES", "PUBLIC"], &rows, |_| ("", ""));
    }
    if !works.is_empty() {
        let rows: Vec<_> = works.iter().map(work).collect();
        out += &table(["ID", "WORK", "FROM", "UNTIL", "ANNOUNCED", "TOUCHES", "STATE"], &rows, |_| ("", ""));
    }
    if out.is_empty() {
        let _ = writeln!(out, "no incident and no announced work");
    }
    out
}

fn row(one: &IncidentView) -> [String; 8] {
    let time = |at: chrono::DateTime<chrono::Utc>| at.format("%Y-%m-%d %H:%M UTC").to_string();
    [
        one.id.clone(),
        printable(&one.title),
        one.status.to_owned(),
        one.impact.to_owned(),
        time(one.started_at),
        one.resolved_at.map_or("–".to_owned(), time),
        one.components.join(", "),
        if one.public { "yes" } else { "no" }.to_owned(),
    ]
}

fn work(one: &WorkView) -> [String; 7] {
    let time = |at: chrono::DateTime<chrono::Utc>| at.format("%Y-%m-%d %H:%M UTC").to_string();
    [
        one.id.clone(),
        printable(&one.title),
        time(one.from),
        time(one.until),
        time(one.announced_at),
        one.components.join(", "),
        if one.cancelled { "called off" } else { "" }.to_owned(),
    ]
}
