//! `report` and `technicians`: the figures of a period, as a table or as JSON.

use std::fmt::Write;
use std::io::IsTerminal;

use chrono::NaiveDate;
use clap::{Args, Subcommand};

use super::CliError;
use super::rebuild;
use super::status::{padded, printable, table, width_of};
use crate::config::Config;
use crate::formats::{Format, text};
use crate::report::day;
use crate::report::{Cell, Figure, Report, Table};
use crate::service::reports::archive::{ArchivePage, ArchiveQuery, ArchivedReport};
use crate::service::reports::{ReportQuery, TechnicianPage, TechnicianQuery, TechnicianView};
use crate::sla::zone::Tz;

#[derive(Debug, Subcommand)]
pub enum ReportCommand {
    /// Rebuild the books from the histories of the tickets; closed months stay as they were closed
    Rebuild {
        /// Only say which tickets' entries do not match their histories
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
    /// Which table a CSV holds, by its key; by default the first
    #[arg(long, value_name = "KEY")]
    table: Option<String>,
    /// Pseudonyms instead of names
    #[arg(long)]
    anonymize: bool,
    /// latest: closed months with what is known now
    #[arg(long, value_name = "latest")]
    as_of: Option<String>,
    /// Count what overlapped a maintenance window like everything else
    #[arg(long)]
    with_maintenance: bool,
    /// The goal in percent; unless given, as configured, else 95
    #[arg(long, value_name = "PERCENT")]
    target: Option<f64>,
    /// Of this tenant: needed where there are several
    #[arg(long, value_name = "NAME")]
    tenant: Option<String>,
}

#[derive(Debug, Args)]
pub struct TechniciansArgs {
    /// The first date, like 2026-01-31, in the tenant's zone; by default a month ago
    #[arg(long, value_name = "DATE", value_parser = day::date)]
    from: Option<NaiveDate>,
    /// The last date; by default today
    #[arg(long, value_name = "DATE", value_parser = day::date)]
    to: Option<NaiveDate>,
    /// Only this tenant's
    #[arg(long, value_name = "NAME")]
    tenant: Option<String>,
    /// latest: closed months with what is known now
    #[arg(long, value_name = "latest")]
    as_of: Option<String>,
    /// Pseudonyms instead of names
    #[arg(long)]
    anonymize: bool,
    /// Print JSON, for other programs
    #[arg(long)]
    json: bool,
}

/// The recipient under which a report made here is archived.
const AT_THE_COMMAND_LINE: &str = "command line";

/// Runs the command.
pub async fn report(config: Config, args: ReportArgs) -> Result<(), CliError> {
    match &args.command {
        Some(ReportCommand::Archive { id, json, tenant }) => {
            return archive(config, id.as_deref(), tenant.as_deref(), *json).await;
        }
        Some(ReportCommand::Rebuild { dry_run, json, tenant }) => {
            return rebuild::rebuild(config, tenant.as_deref(), *dry_run, *json).await;
        }
        None => {}
    }
    let scope = super::scope(&config, args.tenant.as_deref())?;
    let format = format(&args.format)?;
    if args.table.is_some() && format != Some(Format::Csv) {
        return Err(CliError::usage("`--table` chooses the table of a CSV: say `--format csv` as well"));
    }
    let query = ReportQuery {
        from: args.from.map(|date| date.to_string()),
        to: args.to.map(|date| date.to_string()),
        by: args.by.clone(),
        client: args.client.clone(),
        as_of: args.as_of.clone(),
        anonymize: Some(args.anonymize),
        exclude_maintenance: Some(!args.with_maintenance),
        target_percentage: args.target,
        table: args.table.clone(),
        ..ReportQuery::default()
    };
    let (service, store) = super::offline_service(config).await?;
    let bytes = match format {
        None => report_text(&*service.report(&scope, &query).await?).into_bytes(),
        Some(format) => service.report_file(&scope, &query, format, AT_THE_COMMAND_LINE).await?.bytes,
    };
    super::print_bytes(&bytes)?;
    store.close().await;
    Ok(())
}

/// Lists the reports that went out, or writes one of them.
async fn archive(config: Config, id: Option<&str>, tenant: Option<&str>, json: bool) -> Result<(), CliError> {
    let scope = super::scope(&config, tenant)?;
    let (service, store) = super::offline_service(config).await?;
    let bytes = match id {
        Some(id) => {
            let found = service.archived(&scope, id).await?.map(|file| file.bytes);
            found.ok_or_else(|| {
                CliError::usage(format!("no report is kept as `{id}`; `report archive` lists them all"))
            })?
        }
        None => {
            let page = service.archive(&scope, &ArchiveQuery::default()).await?;
            if json { super::as_json(&page)?.into_bytes() } else { archive_text(&page).into_bytes() }
        }
    };
    super::print_bytes(&bytes)?;
    store.close().await;
    Ok(())
}

fn archive_text(page: &ArchivePage) -> String {
    if page.reports.is_empty() {
        return "no report was sent yet, or asked for once its months were closed\n".to_owned();
    }
    let row = |one: &ArchivedReport| {
        [
            one.made_at.format("%Y-%m-%d %H:%M").to_string(),
            printable(&one.name),
            if one.closed { "final".to_owned() } else { "provisional".to_owned() },
            printable(&one.made_for),
            one.size.to_string(),
            one.id.clone(),
        ]
    };
    let rows: Vec<_> = page.reports.iter().map(row).collect();
    table(["MADE (UTC)", "FILE", "FIGURES", "FOR", "BYTES", "ID"], &rows, |_| ("", ""))
}

/// Reads the file format; none: a table for the terminal. Refuses to send to a terminal what it cannot show.
fn format(name: &str) -> Result<Option<Format>, CliError> {
    if name == "table" {
        return Ok(None);
    }
    let format = name.parse::<Format>().map_err(|unknown| CliError::usage(format!("{unknown}, and table")))?;
    if matches!(format, Format::Xlsx | Format::Pdf) && std::io::stdout().is_terminal() {
        return Err(CliError::usage(format!(
            "a terminal cannot show {format}: write it into a file, > report.{format}"
        )));
    }
    Ok(Some(format))
}

/// Runs the command.
pub async fn technicians(config: Config, args: TechniciansArgs) -> Result<(), CliError> {
    let scope = super::scope(&config, args.tenant.as_deref())?;
    let query = TechnicianQuery {
        from: args.from.map(|date| date.to_string()),
        to: args.to.map(|date| date.to_string()),
        as_of: args.as_of.clone(),
        anonymize: Some(args.anonymize),
        ..TechnicianQuery::default()
    };
    let (service, store) = super::offline_service(config).await?;
    let page = service.technicians(&scope, &query).await?;
    super::print(&if args.json { super::as_json(&page)? } else { technicians_text(&page) })?;
    store.close().await;
    Ok(())
}

/// `page` as a table.
fn technicians_text(page: &TechnicianPage) -> String {
    if page.technicians.is_empty() {
        return format!("nothing was decided from {} to {}\n", page.period_start, page.period_end);
    }
    let percent = |share: Option<f64>| share.map_or("–".to_owned(), |share| format!("{share:.1} %"));
    let length = |seconds: Option<i64>| seconds.map_or("–".to_owned(), |seconds| text::duration(seconds * 1000));
    let row = |one: &TechnicianView| {
        [
            printable(&one.technician_name),
            percent(one.weighted_compliance_rate),
            percent(one.breach_share),
            one.total_tickets.to_string(),
            percent(one.compliance_rate),
            one.breach_count.to_string(),
            length(one.median_response_time),
            length(one.median_resolution_time),
            percent(one.reopen_rate),
            if one.technician_id.starts_with('@') { "–".to_owned() } else { one.trend.words().to_owned() },
        ]
    };
    let rows: Vec<_> = page.technicians.iter().map(row).collect();
    let head = [
        "TECHNICIAN",
        "BY HELD TIME",
        "OF BREACHES",
        "TICKETS",
        "PLAIN",
        "BREACHES",
        "RESPONSE",
        "RESOLUTION",
        "REOPENED",
        "TREND",
    ];
    format!("{} to {}\n{}", page.period_start, page.period_end, table(head, &rows, |_| ("", "")))
}

/// `report` as text.
pub fn report_text(report: &Report) -> String {
    let mut text = String::new();
    let period = &report.period;
    let _ = writeln!(text, "{}\n{} to {}, days of {}", printable(&report.title), period.from, period.to, report.zone);
    if report.as_known_now {
        text.push_str("as known now, with what changed after its months were closed\n");
    }
    match report.provisional_until {
        Some(until) => {
            let _ = writeln!(text, "provisional until {}", until.with_timezone(&report.zone).format("%Y-%m-%d"));
        }
        None if report.as_known_now => {}
        None => text.push_str("all months are closed\n"),
    }
    for month in &report.months {
        let _ = writeln!(text, "{} closed, SHA-256 {}, {} corrections", month.month, month.sha256, month.corrections);
    }
    for section in &report.sections {
        let _ = writeln!(text, "\n{}", section.title.to_uppercase());
        section.text.iter().for_each(|line| text += &format!("{line}\n"));
        section.figures.iter().for_each(|figure| text += &figure_line(figure, report.zone));
        section.tables.iter().for_each(|table| text += &table_text(table, report.zone));
    }
    if !report.notes.is_empty() {
        text.push('\n');
        report.notes.iter().for_each(|note| text += &format!("{note}\n"));
    }
    let _ = writeln!(text, "SHA-256 {}", report.hash);
    text
}

fn figure_line(figure: &Figure, zone: Tz) -> String {
    let note = figure.note.as_deref().map(|note| format!("  ({note})")).unwrap_or_default();
    format!("  {:<24}{:>12}{note}\n", figure.title, words(&figure.value, zone))
}

fn table_text(one: &Table, zone: Tz) -> String {
    let mut text = format!("{}\n", one.title);
    if one.rows.is_empty() {
        return text + "  nothing\n";
    }
    let (rows, more) = one.to_read(usize::MAX);
    let heads: Vec<String> = one.columns.iter().map(|column| column.title.to_uppercase()).collect();
    let rows: Vec<Vec<String>> =
        rows.iter().map(|row| row.cells.iter().map(|cell| words(cell, zone)).collect()).collect();
    let width = |place: usize| {
        let cells = rows.iter().filter_map(|row| row.get(place)).chain(heads.get(place));
        cells.map(|cell| width_of(cell)).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..heads.len()).map(width).collect();
    for row in std::iter::once(&heads).chain(&rows) {
        let cells = row.iter().zip(&widths).map(|(cell, width)| padded(cell, *width));
        let line = cells.collect::<Vec<_>>().join("  ");
        let _ = writeln!(text, "  {}", line.trim_end());
    }
    if more > 0 {
        let _ = writeln!(text, "  … and {more} more");
    }
    text
}

/// Returns `cell` in words, with times in the zone of the report's days, which the head of the report names.
fn words(cell: &Cell, zone: Tz) -> String {
    match cell {
        Cell::Text(text) => printable(text),
        Cell::Time(at) => text::local(*at, zone),
        figure => text::plain(figure),
    }
}
