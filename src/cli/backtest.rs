//! `backtest`: how good the breach forecast is on a real history.
//!
//! The promises come from the first tenant of the configuration: its policies, its calendar and which of its statuses
//! pause or resolve.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::SecondsFormat;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use super::CliError;
use crate::backtest::{self, CHECKPOINTS, Promises, Report};
use crate::config::{Config, Tenant};
use crate::history::{self, LineError, Record};
use crate::sla::calendar::{Calendar, CalendarError};
use crate::sla::forecast::Terms;
use crate::sla::policy::{self, Counts, Policy, Traits};
use crate::ticket::{ClockKind, StatusMeaning};

#[derive(Debug, Args)]
pub(super) struct BacktestArgs {
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

/// The most complaints about a history that are shown.
const COMPLAINTS: usize = 20;

/// Walks through the history and prints how good the forecast was.
pub fn backtest(config: &Config, args: &BacktestArgs) -> Result<(), CliError> {
    let started = Instant::now();
    let promised = Promised::of(config)?;
    let mut paths = match &args.train {
        Some(train) => follow(train, &promised)?,
        None => Vec::new(),
    };
    let judged = paths.len();
    paths.extend(follow(&args.data, &promised)?);
    let bar = ProgressBar::new(0).with_style(bar_style());
    let report = backtest::walk(&paths, judged, &promised, |done, of| {
        bar.set_length(of as u64);
        bar.set_position(done as u64);
    });
    bar.finish_and_clear();
    if let Some(out) = &args.predictions {
        write_predictions(out, &report, &paths).map_err(|error| anyhow::anyhow!("`{}`: {error}", out.display()))?;
    }
    let text = if args.json { json(&report, started.elapsed())? } else { text(&report, started.elapsed()) };
    super::print(&text)
}

fn bar_style() -> ProgressStyle {
    let style = ProgressStyle::with_template("{bar:40} {percent:>3} %  {elapsed} gone, {eta} to go");
    style.unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// Reads the clocks of the tickets at `path`; refuses a history with bad lines.
fn follow(path: &Path, promised: &Promised<'_>) -> Result<Vec<backtest::Path>, CliError> {
    let (good, bad): (Vec<_>, Vec<_>) = history::read(path).partition(Result::is_ok);
    if !bad.is_empty() {
        return Err(CliError::Usage(complaints(&bad)));
    }
    if good.is_empty() {
        return Err(CliError::Usage(format!("{}: there is no ticket in it", path.display())));
    }
    let records = good.into_iter().flatten().map(Arc::new);
    let paths: Vec<_> = records.filter_map(|record| backtest::Path::of(record, promised)).collect();
    if paths.is_empty() {
        return Err(CliError::Usage(format!("{}: no policy promises anything for its tickets", path.display())));
    }
    Ok(paths)
}

fn complaints(bad: &[Result<Record, LineError>]) -> String {
    let errors = bad.iter().filter_map(|line| line.as_ref().err());
    let mut lines: Vec<String> = errors.take(COMPLAINTS).map(LineError::to_string).collect();
    if bad.len() > COMPLAINTS {
        lines.push(format!("and {} more", bad.len() - COMPLAINTS));
    }
    lines.join("\n")
}

/// What the configuration promises.
struct Promised<'a> {
    tenant: &'a Tenant,
    policies: &'a [Policy],
    office: Arc<Calendar>,
    always: Arc<Calendar>,
}

impl<'a> Promised<'a> {
    fn of(config: &'a Config) -> Result<Self, CliError> {
        let tenant = config.tenants.values().next().ok_or_else(|| CliError::usage("no tenant is configured"))?;
        let always = Arc::new(Calendar::round_the_clock());
        let spec = tenant.calendar.as_ref().and_then(|name| config.calendars.get(name));
        let office = match spec {
            Some(spec) => {
                Arc::new(Calendar::compile(spec.clone()).map_err(|error: CalendarError| CliError::usage(error))?)
            }
            None => always.clone(),
        };
        Ok(Self { tenant, policies: &config.policies, office, always })
    }

    fn meaning(&self, state: &str) -> StatusMeaning {
        self.tenant.statuses.meaning(Some(state))
    }
}

impl Promises for Promised<'_> {
    fn terms(&self, record: &Record) -> Option<Terms> {
        let traits = Traits {
            sla: None,
            priority: record.priority.as_deref(),
            client: record.client.as_deref(),
            category: record.category.as_deref(),
        };
        let policy = policy::applicable(self.policies, &self.tenant.id, &traits)?;
        let calendar = match policy.counts {
            Counts::Calendar => self.always.clone(),
            Counts::Business => self.office.clone(),
        };
        Some(Terms { allowed: policy.target(ClockKind::Resolution)?, calendar })
    }

    fn pauses(&self, state: &str) -> bool {
        self.meaning(state).is_paused()
    }

    fn resolves(&self, state: &str) -> bool {
        self.meaning(state) == StatusMeaning::Closed
    }
}

fn write_predictions(out: &Path, report: &Report, paths: &[backtest::Path]) -> io::Result<()> {
    let mut file = BufWriter::new(File::create(out)?);
    writeln!(file, "ticket_id,elapsed,at,probability")?;
    for said in &report.said {
        let id = csv(&paths[said.ticket].record.ticket_id);
        let at = said.at.to_rfc3339_opts(SecondsFormat::AutoSi, true);
        writeln!(file, "{id},{},{at},{:.6}", CHECKPOINTS[said.checkpoint], said.probability)?;
    }
    file.flush()
}

/// Quotes `text` where CSV requires it.
fn csv(text: &str) -> String {
    if text.contains([',', '"', '\n']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
}

#[derive(Serialize)]
struct Answer<'a> {
    #[serde(flatten)]
    report: &'a Report,
    seconds: f64,
}

fn json(report: &Report, took: Duration) -> Result<String, CliError> {
    let answer = Answer { report, seconds: took.as_secs_f64() };
    super::as_json(&answer)
}

fn text(report: &Report, took: Duration) -> String {
    let mut text = format!("{} tickets judged in {:.1} s\n\n", report.tickets, took.as_secs_f64());
    text.push_str("clock run   open   breach     AUC      AP   Brier     ECE   in 80 %   off\n");
    for (share, figures) in CHECKPOINTS.iter().zip(&report.checkpoints) {
        let _ = writeln!(
            text,
            "{:>7.0} % {:>6} {:>6.1} % {:>7} {:>7} {:>7.3} {:>7.3} {:>9} {:>5} h",
            share * 100.0,
            figures.tickets,
            figures.breached * 100.0,
            or_dash(figures.auc, 3),
            or_dash(figures.average_precision, 3),
            figures.brier,
            figures.ece,
            figures.covered.map_or_else(|| "-".to_owned(), |covered| format!("{:.1} %", covered * 100.0)),
            or_dash(figures.finish_off_hours, 1),
        );
    }
    text.push_str("\nalerts                        count  precision   recall   median lead\n");
    for line in &report.budgets {
        let (precision, recall) = (or_dash(line.precision, 3), or_dash(line.recall, 3));
        let lead = or_dash(line.median_lead_hours, 1);
        let _ = writeln!(text, "{:<28} {:>6} {precision:>10} {recall:>8} {lead:>11} h", line.rule, line.alerts);
    }
    text
}

fn or_dash(figure: Option<f64>, digits: usize) -> String {
    figure.map_or_else(|| "-".to_owned(), |figure| format!("{figure:.digits$}"))
}
