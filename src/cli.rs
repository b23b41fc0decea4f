//! The command line: what can be asked, and one file for each command.
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
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, NaiveDate};
use clap::{Args, Parser, Subcommand};
use tracing_subscriber::EnvFilter;

use self::act::Requested;
use crate::alert::life::Act;
use crate::clock::{Clock, SystemClock};
use crate::config::{Config, LogFormat, ProcessEnvironment, duration};
use crate::predict::{self, Predict, PublishedForecasts};
use crate::report::day;
use crate::rules_cache::RulesCache;
use crate::service::{Reach, Service, ServiceError, Syncs};
use crate::simulator::FaultOrder;
use crate::store::Store;
use crate::store::tokens::Role;
use crate::sync::SyncHealth;
use crate::telemetry::Telemetry;
use crate::terminal::{self, AboveBars};
use crate::ticket::TenantId;
use crate::zone_rules::ZoneWatch;

/// Where the configuration is looked for.
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
    Demo(DemoArgs),
    /// Run the service
    Run,
    /// Explain the configuration and every fault in it
    Check(CheckArgs),
    /// Run only the SuperOps look-alike
    Simulate(SimulateArgs),
    /// Show open tickets, worst first, or one ticket
    Status(StatusArgs),
    /// Show alerts, worst first, or one with everything that was sent about it
    Alerts(AlertsArgs),
    /// Acknowledge an alert: its escalation pauses
    Ack(ActArgs),
    /// Put an alert off until later
    Snooze {
        /// A length of time, such as 30m
        #[arg(long = "for", value_name = "TIME")]
        length: String,
        #[command(flatten)]
        args: ActArgs,
    },
    /// Close an alert: nothing more is sent about it unless it gets worse
    Resolve(ActArgs),
    /// Run the next step of an alert's escalation now
    Escalate(ActArgs),
    /// Show breaches, the latest due first, with who was told; say why a clock was missed
    #[command(args_conflicts_with_subcommands = true)]
    Breaches {
        #[command(flatten)]
        args: BreachesArgs,
        #[command(subcommand)]
        command: Option<reasons::ReasonCommand>,
    },
    /// Show what each technician did in a period, and how it went
    Technicians(TechniciansArgs),
    /// Show who has room for more tickets now, at the pace of the last weeks
    Room(RoomArgs),
    /// Report on a period: compliance, breaches with reasons, what was left out
    Report(ReportArgs),
    /// Show services: how they stand, how long they were there, and what is left of what was promised
    Uptime(UptimeArgs),
    /// Look at services from another place, for a watch that stands elsewhere
    Outpost(outpost::OutpostArgs),
    /// Show incidents of services and announced work; open one, say more of it, announce
    Incidents(incidents::IncidentsArgs),
    /// Show what came of uptime promises, period by period; approve, issue or waive credits
    Credits(statements::CreditsArgs),
    /// Write the public status page into a folder, to serve it from elsewhere; give clients pages of their own
    #[command(args_conflicts_with_subcommands = true)]
    StatusPage(status_page::StatusPageArgs),
    /// Show who changed what: acknowledgements, silences, tokens, decisions; the latest first
    Audit(AuditArgs),
    /// Show what was promised, infer it from SuperOps' due times, or try other promises on the past
    #[command(args_conflicts_with_subcommands = true)]
    Policies {
        #[command(flatten)]
        scope: PolicyScope,
        #[command(subcommand)]
        command: Option<PolicyCommand>,
    },
    /// Explain line by line why the clocks of a ticket show what they show
    Explain(ExplainArgs),
    /// Measure the breach forecast on a real ticket history
    Backtest(BacktestArgs),
    /// Delete what is older than [retention] says, as the service does each night
    Retention(RetentionArgs),
    /// Look at the store as a whole, or copy it from a file to the PostgreSQL server of the configuration
    Store {
        #[command(subcommand)]
        command: StoreCommand,
    },
    /// Tell all that is stored of one person, or take it away
    Privacy {
        #[command(subcommand)]
        command: PrivacyCommand,
    },
    /// Make a key that the store's personal columns are encrypted with, or turn from one to another
    Keys {
        #[command(subcommand)]
        command: KeysCommand,
    },
    /// Create, list and revoke access tokens for the API and the page
    Token {
        #[command(subcommand)]
        command: TokenCommand,
    },
}

#[derive(Debug, Subcommand)]
pub enum StoreCommand {
    /// Look at the whole store: whether it is sound, and what in it does not fit together; nothing is changed
    Check {
        /// Print JSON, for other programs
        #[arg(long)]
        json: bool,
    },
    /// Copy all rows, and check that both stores hold the same; what is there already stays
    Copy {
        /// The file, like sqlite://superops-sla.db; the service on it must be stopped
        #[arg(long)]
        from: String,
    },
}

#[derive(Debug, Subcommand)]
pub enum PrivacyCommand {
    /// Print as JSON all that is stored of one person: texts, and shares of decided clocks
    Export {
        /// A technician's name, mail address, number, or id at SuperOps
        person: String,
        /// Of this tenant: needed where there are several
        #[arg(long, value_name = "NAME")]
        tenant: Option<String>,
    },
    /// Put a pseudonym in the place of a person's name, address and number everywhere; the service must be stopped
    Erase {
        /// A technician's name, mail address, number, or id at SuperOps
        person: String,
        /// Of this tenant: needed where there are several
        #[arg(long, value_name = "NAME")]
        tenant: Option<String>,
        /// Do it; else only say what would be changed
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Debug, Subcommand)]
pub enum KeysCommand {
    /// Print a new key, for the file or variable that [store] encryption_keys_file or encryption_keys_env names
    New,
    /// Show with which keys the personal columns are encrypted, and whether all of it can be read
    Status {
        /// Print JSON, for other programs
        #[arg(long)]
        json: bool,
    },
    /// Encrypt everything with the first key, or make it plain if `plain` comes first; may be broken off and begun again
    Rotate,
}

#[derive(Debug, Subcommand)]
enum TokenCommand {
    /// Create a token and print it, once only
    Create {
        /// A viewer reads; a responder also acknowledges, snoozes and silences; an admin changes the rest
        #[arg(long, value_name = "viewer|responder|admin")]
        role: Role,
        /// Only this tenant's data; else all tenants'
        #[arg(long, value_name = "NAME")]
        tenant: Option<String>,
        /// Who or what it is for, as the audit log names it
        #[arg(long, value_name = "WORDS", default_value = "")]
        name: String,
        /// After so long it is worthless, such as 90d; else it lasts until it is revoked
        #[arg(long, value_name = "LENGTH", value_parser = crate::config::duration::parse)]
        expires: Option<chrono::TimeDelta>,
        /// Print JSON, for other programs
        #[arg(long)]
        json: bool,
    },
    /// List the tokens, without their secret parts
    List {
        /// Print JSON, for other programs
        #[arg(long)]
        json: bool,
    },
    /// Revoke a token
    Revoke {
        /// As `token list` shows it
        id: String,
        /// Print JSON, for other programs
        #[arg(long)]
        json: bool,
    },
}

#[derive(Clone, Debug, Args)]
struct PolicyScope {
    /// Only this tenant's
    #[arg(long, value_name = "NAME")]
    tenant: Option<String>,
    /// Print JSON, for other programs
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum PolicyCommand {
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

#[derive(Debug, Args)]
struct DemoArgs {
    /// Where the page is served; else 127.0.0.1:8080, or any free port if that is taken
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// Open tickets at the start
    #[arg(long, value_name = "N", default_value_t = 80)]
    tickets: usize,
    /// Stop after this time and say what happened
    #[arg(long = "for", value_name = "TIME", value_parser = time)]
    lasts: Option<Duration>,
    /// Run this much simulated time as fast as this machine can, without a page, and say what happened
    #[arg(long, value_name = "TIME", value_parser = time, conflicts_with_all = ["lasts", "speed", "listen"])]
    at_once: Option<Duration>,
    /// Say what happened as JSON, for other programs
    #[arg(long)]
    json: bool,
    /// Play a real ticket history (.jsonl, .jsonl.gz or .jsonl.zst) instead of the simulated service desk
    #[arg(long, value_name = "FILE")]
    replay: Option<PathBuf>,
    /// Simulated seconds that pass in one second
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=3600))]
    speed: Option<u32>,
    /// Keep everything in this PostgreSQL database (postgres://USER@HOST/NAME), in a schema that is removed at the end;
    /// its password is taken from PGPASSWORD
    #[arg(long, value_name = "URL", conflicts_with = "at_once")]
    store: Option<String>,
}

#[derive(Debug, Args)]
struct CheckArgs {
    /// Show everything that the configuration makes the program do
    #[arg(long, short)]
    verbose: bool,
    /// Try the token, compare SuperOps' schema with ours, probe what works there
    #[arg(long)]
    online: bool,
    /// Send one test message on each channel that fits this address, number, or one of: call:+NUMBER, ntfy:TOPIC, slack, teams, pagerduty, webhook
    #[arg(long, value_name = "ADDRESS")]
    send_test: Option<String>,
    /// Play the last week of the store through this configuration: how many messages it would have sent, as people answered and had nobody
    #[arg(long)]
    last_week: bool,
}

#[derive(Debug, Args)]
struct SimulateArgs {
    /// Where it answers, like 127.0.0.1:4000
    #[arg(long, value_name = "ADDR")]
    listen: SocketAddr,
    /// Open tickets at the start; 0: an account without any ticket
    #[arg(long, value_name = "N", default_value_t = 300)]
    tickets: usize,
    /// Play a real ticket history instead of the simulated service desk
    #[arg(long, value_name = "FILE")]
    replay: Option<PathBuf>,
    /// Requests a minute before it says `rate_limit_exceeded`; 0: no limit
    #[arg(long, value_name = "N", default_value_t = 100)]
    requests_per_minute: u32,
    /// Misbehave for some requests (throttle:3), for a time (internal-error:75s) or permanently (blind,
    /// paging-depth:10000); may be repeated. A wrong name lists all of them
    #[arg(long, value_name = "FAULT")]
    fault: Vec<FaultOrder>,
    /// Simulated seconds that pass in one second
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=3600))]
    speed: u32,
}

#[derive(Debug, Args)]
struct StatusArgs {
    /// An id or what people call it, like 062822-0005
    ticket: Option<String>,
    /// Print JSON, for other programs
    #[arg(long)]
    json: bool,
    /// How many tickets to show
    #[arg(long, value_name = "N", default_value_t = 40)]
    limit: usize,
    /// Only this tenant's
    #[arg(long, value_name = "NAME")]
    tenant: Option<String>,
}

#[derive(Debug, Args)]
struct AlertsArgs {
    /// An alert's id, as the list shows it
    id: Option<String>,
    /// Print JSON, for other programs
    #[arg(long)]
    json: bool,
    /// open | acknowledged | snoozed | resolved | all
    #[arg(long, value_name = "STATE", default_value = "open")]
    state: String,
    /// How many alerts to show
    #[arg(long, value_name = "N", default_value_t = 40)]
    limit: usize,
    /// Only this tenant's
    #[arg(long, value_name = "NAME")]
    tenant: Option<String>,
}

#[derive(Debug, Args)]
struct ActArgs {
    /// An alert's id, as `alerts` shows it, or a ticket's number: then all its open alerts
    id: String,
    /// Only of this tenant: where several have a ticket of that number
    #[arg(long, value_name = "NAME")]
    tenant: Option<String>,
    /// Who acts; else the login name
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    /// What to say about it in the audit log
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub struct UptimeArgs {
    /// Print JSON, for other programs
    #[arg(long)]
    json: bool,
    /// Only this tenant's
    #[arg(long, value_name = "NAME")]
    tenant: Option<String>,
}

#[derive(Debug, Args)]
pub struct AuditArgs {
    #[command(subcommand)]
    command: Option<AuditCommand>,
    /// Print JSON, for other programs
    #[arg(long)]
    json: bool,
    /// Only changes by this person: a part of the name
    #[arg(long, value_name = "NAME")]
    who: Option<String>,
    /// Only what was done to the alerts and clocks of this ticket, by its number or id
    #[arg(long, value_name = "TICKET")]
    ticket: Option<String>,
    /// Only changes that contain these words, like silence
    #[arg(long, value_name = "WORDS")]
    what: Option<String>,
    /// The first date (UTC), like 2026-01-31
    #[arg(long, value_name = "DATE", value_parser = day::date)]
    from: Option<NaiveDate>,
    /// The last date (UTC)
    #[arg(long, value_name = "DATE", value_parser = day::date)]
    to: Option<NaiveDate>,
    /// How many changes to show
    #[arg(long, value_name = "N", default_value_t = 40)]
    limit: u32,
    /// Only this tenant's
    #[arg(long, value_name = "NAME")]
    tenant: Option<String>,
}

#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Look whether the log is as it was written: each row holds a hash of the one before
    Verify {
        /// Print JSON, for other programs
        #[arg(long)]
        json: bool,
    },
}

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

#[derive(Debug, Args)]
pub struct TechniciansArgs {
    /// The first date, like 2026-01-31, in the tenant's zone; a month ago unless told
    #[arg(long, value_name = "DATE", value_parser = day::date)]
    from: Option<NaiveDate>,
    /// The last date; today unless told
    #[arg(long, value_name = "DATE", value_parser = day::date)]
    to: Option<NaiveDate>,
    /// Only this tenant's
    #[arg(long, value_name = "NAME")]
    tenant: Option<String>,
    /// latest: closed months as is known now
    #[arg(long, value_name = "latest")]
    as_of: Option<String>,
    /// Pseudonyms instead of names
    #[arg(long)]
    anonymize: bool,
    /// Print JSON, for other programs
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub struct RoomArgs {
    /// Only this tenant's
    #[arg(long, value_name = "NAME")]
    tenant: Option<String>,
    /// Print JSON, for other programs
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Subcommand)]
pub enum ReportCommand {
    /// Make the books anew from the histories of the tickets; closed months stay as they were closed
    Rebuild {
        /// Only say which tickets' entries are not what their histories say
        #[arg(long)]
        dry_run: bool,
        /// Print JSON, for other programs
        #[arg(long)]
        json: bool,
        /// Only this tenant's
        #[arg(long, value_name = "NAME")]
        tenant: Option<String>,
    },
    /// List the reports that were sent, or asked for once their months were closed; or write one of them
    Archive {
        /// As the list shows it; into a file: … > report.pdf
        id: Option<String>,
        /// Print the list as JSON, for other programs
        #[arg(long)]
        json: bool,
        /// Only this tenant's
        #[arg(long, value_name = "NAME")]
        tenant: Option<String>,
    },
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct ReportArgs {
    #[command(subcommand)]
    command: Option<ReportCommand>,
    /// The first date, like 2026-01-31, in the tenant's zone
    #[arg(long, value_name = "DATE", value_parser = day::date, required = true)]
    from: Option<NaiveDate>,
    /// The last date, at most a year later
    #[arg(long, value_name = "DATE", value_parser = day::date, required = true)]
    to: Option<NaiveDate>,
    /// day | week | month | weekday | hour | client | technician | priority | policy | category | reason
    #[arg(long, value_name = "WHAT")]
    by: Option<String>,
    /// Only this client's tickets, by name or id
    #[arg(long, value_name = "NAME")]
    client: Option<String>,
    /// table | json | csv | html | xlsx | pdf; the last two into a file: … > report.pdf
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    format: String,
    /// Which table a CSV holds, by its key; the first unless told
    #[arg(long, value_name = "KEY")]
    table: Option<String>,
    /// Pseudonyms instead of names
    #[arg(long)]
    anonymize: bool,
    /// latest: closed months as is known now
    #[arg(long, value_name = "latest")]
    as_of: Option<String>,
    /// Count what met a maintenance window like all else
    #[arg(long)]
    with_maintenance: bool,
    /// What is to be reached, in percent; as configured unless told, else 95
    #[arg(long, value_name = "PERCENT")]
    target: Option<f64>,
    /// Of this tenant: needed where there are several
    #[arg(long, value_name = "NAME")]
    tenant: Option<String>,
}

#[derive(Debug, Args)]
pub struct RetentionArgs {
    /// Only say what would be deleted
    #[arg(long)]
    dry_run: bool,
    /// Print JSON, for other programs
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct ExplainArgs {
    /// An id or what people call it, like 062822-0005
    ticket: String,
    /// Whose, where several tenants have one of that number
    #[arg(long, value_name = "NAME")]
    tenant: Option<String>,
    /// Print JSON, for other programs
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct BacktestArgs {
    /// The history to be judged on (.jsonl, .jsonl.gz or .jsonl.zst)
    #[arg(long, value_name = "FILE")]
    data: PathBuf,
    /// A history to learn from as well, without being judged on it
    #[arg(long, value_name = "FILE")]
    train: Option<PathBuf>,
    /// Where to write the predictions, as CSV: ticket_id,elapsed,at,probability
    #[arg(long, value_name = "OUT")]
    predictions: Option<PathBuf>,
    /// Print JSON, for other programs
    #[arg(long)]
    json: bool,
}

/// Why the program ends without having done as told.
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
            Some(ServiceError::BadQuestion(why)) => Self::Usage(why.clone()),
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
    /// Does as told.
    pub async fn run(self) -> Result<(), CliError> {
        // Rules of time zones that cannot be read leave those that the program carries; the service logs it.
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
            Command::Audit(AuditArgs { command: Some(AuditCommand::Verify { json }), .. }) => {
                audit::verify(load_offline(config)?, json).await
            }
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
            Command::Token { command } => token(load_offline(config)?, command).await,
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

/// For what only reads the store: no secret is needed.
fn load_offline(given: Option<&Path>) -> Result<Config, CliError> {
    Config::load_offline(&locate(given)?, &ProcessEnvironment).map_err(CliError::usage)
}

/// Where log lines go and in which form. `RUST_LOG` says how many.
fn log(format: LogFormat, usual: &str) {
    // The verifier logs what we say ourselves, and louder.
    let usual = format!("{usual},rustls_platform_verifier=off");
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(usual));
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(AboveBars).with_target(false);
    let colours = std::io::IsTerminal::is_terminal(&std::io::stderr()) && terminal::wants_colours();
    // A second subscriber is refused; then the first goes on, as it should.
    let _ = match format {
        LogFormat::Text => lines.with_ansi(colours).try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
}

fn time(text: &str) -> Result<Duration, String> {
    let length = duration::parse(text)?;
    length.to_std().map_err(|_| format!("`{text}` is no length of time"))
}

/// The questions, asked of the store beside the service that fills it.
async fn offline_service(config: Config) -> Result<(Service, Store), CliError> {
    let telemetry = Arc::new(Telemetry::default());
    let config = Arc::new(config);
    let store = Store::open(&config.store, telemetry.clone()).await?;
    let rules_cache = Arc::new(RulesCache::new(config.clone(), store.clone(), telemetry.clone())?);
    let service = Service::new(config, rules_cache, store.clone(), Arc::new(SystemClock), telemetry, Syncs::default());
    Ok((service, store))
}

/// The same, with forecasts: they are worked out anew, since the service's own are in its memory.
async fn foreseeing_service(config: Config, reach: &Reach) -> Result<(Service, Store), CliError> {
    let telemetry = Arc::new(Telemetry::default());
    let config = Arc::new(config);
    let store = Store::open(&config.store, telemetry.clone()).await?;
    let rules_cache = Arc::new(RulesCache::new(config.clone(), store.clone(), telemetry.clone())?);
    let published = Arc::new(PublishedForecasts::default());
    foresee(&config, reach, &rules_cache, &store, &telemetry, &published).await?;
    let service = Service::new(config, rules_cache, store.clone(), Arc::new(SystemClock), telemetry, Syncs::default());
    Ok((service.showing(published), store))
}

/// Forecasts the open tickets once, as the service does all the time: what it has learned is in the store.
async fn foresee(
    config: &Arc<Config>,
    reach: &Reach,
    rules_cache: &Arc<RulesCache>,
    store: &Store,
    telemetry: &Arc<Telemetry>,
    published: &Arc<PublishedForecasts>,
) -> Result<(), CliError> {
    for tenant in config.tenants.keys().filter(|tenant| reach.includes(tenant)) {
        let wiring = predict::Wiring {
            config: config.clone(),
            rules_cache: rules_cache.clone(),
            store: store.clone(),
            clock: Arc::new(SystemClock),
            telemetry: telemetry.clone(),
            published: published.clone(),
            news: Arc::default(),
            synced: tokio::sync::watch::channel(SyncHealth::default()).1,
        };
        Predict::new(tenant, wiring).glance(SystemClock.now()).await.map_err(anyhow::Error::from)?;
    }
    Ok(())
}

/// `data` as scripts read it.
fn as_json(data: &impl serde::Serialize) -> Result<String, CliError> {
    let text = serde_json::to_string_pretty(data).map_err(anyhow::Error::from)?;
    Ok(format!("{text}\n"))
}

/// Data for standard output. A closed pipe (`| head`) is no fault of ours.
fn print(text: &str) {
    print_bytes(text.as_bytes());
}

fn print_bytes(bytes: &[u8]) {
    let _ = std::io::Write::write_all(&mut std::io::stdout(), bytes);
}

async fn token(config: Config, command: TokenCommand) -> Result<(), CliError> {
    let store = Store::open(&config.store, Arc::default()).await?;
    let now = SystemClock.now();
    let answer = match command {
        TokenCommand::Create { role, tenant, name, expires, json } => {
            if expires.is_some_and(|length| length <= chrono::TimeDelta::zero()) {
                return Err(CliError::usage(
                    "`--expires` must be longer than nothing: the token would be worthless at once",
                ));
            }
            let asked = token::Asked { role, tenant, name, expires_at: expires.map(|length| now + length) };
            token::create(&store, asked, config.tenants.keys(), json, now).await?
        }
        TokenCommand::List { json } => token::list(&store, json).await?,
        TokenCommand::Revoke { id, json } => token::revoke(&store, &id, json, now).await?,
    };
    println!("{}", answer.trim_end());
    store.close().await;
    Ok(())
}

/// That there is no ticket called `id`.
fn no_such_ticket(id: &str) -> CliError {
    anyhow::anyhow!("no ticket `{id}` is known; it may not have been read yet").into()
}

/// The configured tenant called `name`, or all of them.
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
