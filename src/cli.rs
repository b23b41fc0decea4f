//! The command line: its commands and options, with one file for each command.
//!
//! Data goes to standard output, everything else to standard error.

mod act;
pub mod alerts;
mod audit;
mod backtest;
pub mod breaches;
pub mod check;
mod check_on_call;
mod check_write_back;
pub mod demo;
mod explain;
mod incidents;
mod keys;
mod no_texts;
mod offline;
mod outpost;
mod policies;
mod privacy;
pub mod propose;
mod reasons;
mod rebuild;
pub mod report;
mod retention;
mod room;
mod run;
mod simulate;
mod statements;
pub mod status;
mod status_page;
mod store;
mod token;
pub mod uptime;

use std::fmt::Display;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chrono::DateTime;
use clap::{Parser, Subcommand};
use tracing_subscriber::EnvFilter;

use self::act::Requested;
use self::offline::{foreseeing_service, offline_service};
use crate::alert::life::Act;
use crate::config::{Config, LogFormat, ProcessEnvironment, duration};
use crate::service::{Reach, ServiceError};
use crate::store::check::NO_STORE;
use crate::store::{Place, Store};
use crate::telemetry::Telemetry;
use crate::terminal::{self, AboveBars};
use crate::ticket::TenantId;
use crate::zone_rules::ZoneWatch;

/// Where to look for the configuration, in this order.
const PLACES: [&str; 2] = ["config.toml", "/etc/superops-sla/config.toml"];

/// Knows of an SLA breach at SuperOps before the client does.
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = true)]
pub struct Cli {
    /// The configuration; else ./config.toml, else /etc/superops-sla/config.toml
    #[arg(short, long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show the whole product against a built-in SuperOps look-alike; no account needed
    Demo(demo::DemoArgs),
    /// Run the service
    Run,
    /// Explain the configuration and every fault in it
    Check(check::CheckArgs),
    /// Run only the SuperOps look-alike
    Simulate(simulate::SimulateArgs),
    /// Show open tickets, worst first, or one ticket
    Status(status::StatusArgs),
    /// Show alerts, worst first, or one with everything that was sent about it
    Alerts(alerts::AlertsArgs),
    /// Acknowledge an alert: its escalation pauses
    Ack(act::ActArgs),
    /// Put an alert off until later
    Snooze {
        /// A length of time, such as 30m
        #[arg(long = "for", value_name = "TIME")]
        length: String,
        #[command(flatten)]
        args: act::ActArgs,
    },
    /// Close an alert: nothing more is sent about it unless it gets worse
    Resolve(act::ActArgs),
    /// Run the next step of an alert's escalation now
    Escalate(act::ActArgs),
    /// Show breaches, the latest due first, with who was told; say why a clock was missed
    #[command(args_conflicts_with_subcommands = true)]
    Breaches {
        #[command(flatten)]
        args: breaches::BreachesArgs,
        #[command(subcommand)]
        command: Option<reasons::ReasonCommand>,
    },
    /// Show what each technician did in a period, and how it went
    Technicians(report::TechniciansArgs),
    /// Show who has room for more tickets now, at the pace of the last weeks
    Room(room::RoomArgs),
    /// Report on a period: compliance, breaches with reasons, what was left out
    Report(report::ReportArgs),
    /// Show services: their state, their uptime, and what is left of the promised uptime
    Uptime(uptime::UptimeArgs),
    /// Look at services from this place, for a watch that runs elsewhere
    Outpost(outpost::OutpostArgs),
    /// Show incidents of services and announced work; open or update an incident, announce work
    Incidents(incidents::IncidentsArgs),
    /// Show the outcome of uptime promises, period by period; approve, issue or waive credits
    Credits(statements::CreditsArgs),
    /// Write the public status page into a folder, to serve it from elsewhere; give clients pages of their own
    #[command(args_conflicts_with_subcommands = true)]
    StatusPage(status_page::StatusPageArgs),
    /// Show who changed what: acknowledgements, silences, tokens, decisions; the latest first
    Audit(audit::AuditArgs),
    /// Show what was promised, infer it from SuperOps' due times, or try other promises on the past
    #[command(args_conflicts_with_subcommands = true)]
    Policies {
        #[command(flatten)]
        scope: policies::PolicyScope,
        #[command(subcommand)]
        command: Option<policies::PolicyCommand>,
    },
    /// Explain line by line why the clocks of a ticket show what they show
    Explain(explain::ExplainArgs),
    /// Measure the breach forecast on a real ticket history
    Backtest(backtest::BacktestArgs),
    /// Delete what is older than [retention] says, as the service does each night
    Retention(retention::RetentionArgs),
    /// Check the store as a whole, or copy it from a file to the PostgreSQL server of the configuration
    Store {
        #[command(subcommand)]
        command: store::StoreCommand,
    },
    /// Export or erase everything that is stored about one person
    Privacy {
        #[command(subcommand)]
        command: privacy::PrivacyCommand,
    },
    /// Make a key to encrypt the store's personal columns with, or change from one key to another
    Keys {
        #[command(subcommand)]
        command: keys::KeysCommand,
    },
    /// Create, list and revoke access tokens for the API and the page
    Token {
        #[command(subcommand)]
        command: token::TokenCommand,
    },
}

/// Why a command failed, and with which exit code.
#[derive(Debug)]
pub enum CliError {
    /// The command or the configuration is wrong: exit 2.
    Usage(String),
    /// It could not be done: exit 1.
    Failed(anyhow::Error),
}

impl<E: Into<anyhow::Error>> From<E> for CliError {
    fn from(error: E) -> Self {
        let error = error.into();
        match error.downcast_ref() {
            Some(ServiceError::BadQuestion(why)) => Self::Usage(why.to_string()),
            Some(ServiceError::Ambiguous { tenants, ticket }) => {
                let names = tenants.join(", ");
                Self::Usage(format!("{names} each have a ticket `{ticket}`: say which with `--tenant`"))
            }
            _ => Self::Failed(error),
        }
    }
}

impl CliError {
    fn usage(complaints: impl Display) -> Self {
        Self::Usage(complaints.to_string())
    }
}

impl Cli {
    /// Runs the command.
    pub async fn run(self) -> Result<(), CliError> {
        // If the machine's time zone rules cannot be read, the built-in ones stay in force; the service logs it.
        let _ = ZoneWatch::of_this_machine().turn(DateTime::UNIX_EPOCH);
        let config = self.config.as_deref();
        match self.command {
            Command::Demo(args) => demo::demo(args).await,
            Command::Run => run::run(load(config)?).await,
            Command::Check(args) => check::check(&locate(config)?, args).await,
            Command::Simulate(args) => simulate::simulate(args).await,
            Command::Status(args) => status::status(load_offline(config)?, args).await,
            Command::Alerts(args) => alerts::alerts(load_offline(config)?, args).await,
            Command::Ack(args) => act::act(load_offline(config)?, Requested::Do(Act::Acknowledge), args).await,
            Command::Snooze { length, args } => {
                act::act(load_offline(config)?, Requested::SnoozeFor(length), args).await
            }
            Command::Resolve(args) => act::act(load_offline(config)?, Requested::Do(Act::Resolve), args).await,
            Command::Escalate(args) => act::act(load_offline(config)?, Requested::Do(Act::Escalate), args).await,
            Command::Uptime(args) => uptime::uptime(load_offline(config)?, args).await,
            Command::Outpost(args) => outpost::outpost(args).await,
            Command::Credits(args) => statements::credits(load_offline(config)?, args).await,
            Command::StatusPage(args) => status_page::status_page(load_offline(config)?, args).await,
            Command::Incidents(args) => incidents::incidents(load_offline(config)?, args).await,
            Command::Audit(args) => audit::audit(load_offline(config)?, args).await,
            Command::Breaches { command: Some(command), .. } => reasons::reasons(load_offline(config)?, command).await,
            Command::Breaches { args, command: None } => breaches::breaches(load_offline(config)?, args).await,
            Command::Technicians(args) => report::technicians(load_offline(config)?, args).await,
            Command::Room(args) => room::room(load_offline(config)?, args).await,
            Command::Report(args) => report::report(load_offline(config)?, args).await,
            Command::Policies { scope, command } => policies::policies(load_offline(config)?, scope, command).await,
            Command::Explain(args) => explain::explain(load_offline(config)?, args).await,
            Command::Backtest(args) => backtest::backtest(&load_offline(config)?, &args),
            Command::Retention(args) => retention::retention(load_offline(config)?, args).await,
            Command::Store { command } => store::store(load_offline(config)?, command).await,
            Command::Privacy { command } => privacy::privacy(load_offline(config)?, command).await,
            Command::Keys { command } => keys::keys(|| load_offline(config), command).await,
            Command::Token { command } => token::token(load_offline(config)?, command).await,
        }
    }
}

/// The file to read the configuration from.
fn locate(given: Option<&Path>) -> Result<PathBuf, CliError> {
    let given = given.map(Path::to_owned);
    given.or_else(|| PLACES.iter().map(PathBuf::from).find(|path| path.exists())).ok_or_else(|| {
        CliError::usage(format!(
            "no configuration: {} is not there; copy config.example.toml, or name a file with -c",
            PLACES.join(", and ")
        ))
    })
}

fn load(given: Option<&Path>) -> Result<Config, CliError> {
    Config::load(&locate(given)?, &ProcessEnvironment).map_err(CliError::usage)
}

/// Loads the configuration for a command that only uses the store: no secret is needed.
fn load_offline(given: Option<&Path>) -> Result<Config, CliError> {
    Config::load_offline(&locate(given)?, &ProcessEnvironment).map_err(CliError::usage)
}

/// Starts logging to standard error in this format. `RUST_LOG` sets the level; without it, `usual` does.
fn log(format: LogFormat, usual: &str) {
    // The verifier would log what we report ourselves, only louder.
    let usual = format!("{usual},rustls_platform_verifier=off");
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(usual));
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(AboveBars).with_target(false);
    let colours = std::io::IsTerminal::is_terminal(&std::io::stderr()) && terminal::wants_colours();
    // A second subscriber is refused, and the first one stays, as it should.
    let _ = match format {
        LogFormat::Text => lines.with_ansi(colours).try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
}

fn time(text: &str) -> Result<Duration, String> {
    let length = duration::parse(text)?;
    length.to_std().map_err(|_| format!("`{text}` is not a length of time"))
}

/// Returns `data` as JSON, for scripts.
fn as_json(data: &impl serde::Serialize) -> Result<String, CliError> {
    let text = serde_json::to_string_pretty(data).map_err(anyhow::Error::from)?;
    Ok(format!("{text}\n"))
}

/// Writes data to standard output: all of it, or an error. A closed pipe (`| head`) is not an error.
fn print(text: &str) -> Result<(), CliError> {
    print_bytes(text.as_bytes())
}

fn print_bytes(bytes: &[u8]) -> Result<(), CliError> {
    let mut out = std::io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(anyhow::anyhow!("could not write all of the output: {error}").into())
        }
        _ => Ok(()),
    }
}

/// Returns the error that no ticket called `id` is known.
fn no_such_ticket(id: &str) -> CliError {
    anyhow::anyhow!("no ticket `{id}` is known; it may not have been read yet").into()
}

/// Opens the store that the service fills. A command that only reads makes none: a mistyped path would look like a desk
/// without tickets.
async fn existing_store(config: &Config, telemetry: Arc<Telemetry>) -> Result<Store, CliError> {
    there_is(&Place::from(&config.store)).await?;
    Ok(Store::open(&config.store, telemetry).await?)
}

async fn there_is(place: &Place) -> Result<(), CliError> {
    if place.is_there().await? {
        return Ok(());
    }
    let remedy = match place {
        Place::File(_) => {
            "a relative [store] url counts from the folder in which the command is run, so run it where the service \
             runs; `superops-sla run` makes the store"
        }
        Place::Server(_) => NO_STORE,
    };
    Err(anyhow::anyhow!("there is no store at {place}: {remedy}").into())
}

/// Returns the configured tenant called `name`, or all tenants without a name.
fn scope(config: &Config, name: Option<&str>) -> Result<Reach, CliError> {
    name.map_or(Ok(Reach::All), |name| tenant_named(config, name).map(Reach::One))
}

/// The configured tenant called `name`.
fn tenant_named(config: &Config, name: &str) -> Result<TenantId, CliError> {
    let known = config.tenants.keys().find(|tenant| tenant.as_str() == name).cloned();
    known.ok_or_else(|| {
        let names: Vec<_> = config.tenants.keys().map(TenantId::as_str).collect();
        CliError::usage(format!("no tenant is called `{name}`; there is {}", names.join(", ")))
    })
}
