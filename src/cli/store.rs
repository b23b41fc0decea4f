//! `store`: checks the database as a whole, or copies it from one kind to the other.

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::path::Path;
use std::sync::Arc;

use clap::Subcommand;

use super::CliError;
use super::rebuild::{bar, bookkeeping, wipe};
use super::status::{printable, table};
use crate::clock::{Clock as _, SystemClock};
use crate::config::{self, Config};
use crate::service::Reach;
use crate::store::Place;
use crate::store::check::{self, Checked, Finding, Look, TableSize};
use crate::store::copy::{self, Copied};
use crate::store::sql::postgres::Server;

#[derive(Debug, Subcommand)]
pub enum StoreCommand {
    /// Check the whole store: whether it is sound, and what in it does not fit together; nothing is changed
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

/// Runs the command.
pub async fn store(config: Config, command: StoreCommand) -> Result<(), CliError> {
    match command {
        StoreCommand::Check { json } => check(config, json).await,
        StoreCommand::Copy { from } => copy(&config, &from).await,
    }
}

async fn copy(config: &Config, from: &str) -> Result<(), CliError> {
    let config::StorePlace::Postgres(settings) = &config.store.place else {
        return Err(CliError::usage("a store is copied into the one that [store] url names: it must be of PostgreSQL"));
    };
    let path = from.strip_prefix("sqlite://").unwrap_or(from);
    let is_seen = std::io::stderr().is_terminal();
    let server = Server::of(settings);
    let copied = copy::copy(Path::new(path), &server, &config.store.keys, |table, rows| {
        if is_seen {
            eprint!("\r\x1b[K{table}: {rows} rows");
        }
    });
    let copied = copied.await;
    wipe();
    super::print(&copied_words(&copied?))?;
    Ok(())
}

fn copied_words(copied: &[Copied]) -> String {
    let all: u64 = copied.iter().map(|one| one.rows).sum();
    let lines = copied.iter().filter(|one| one.rows > 0).map(|one| format!("{:>12}  {}\n", one.rows, one.table));
    format!("{}{all} rows were copied; read again, both stores hold the same\n", lines.collect::<String>())
}

/// Checks the store; the exit code is 1 if anything is found.
async fn check(config: Config, json: bool) -> Result<(), CliError> {
    super::there_is(&Place::from(&config.store)).await?;
    let mut checked = check::look(&config.store).await?;
    if checked.is_sound() && checked.looks.contains(&Look::Rows) {
        histories(config, &mut checked).await?;
    }
    super::print(&if json { super::as_json(&checked)? } else { words(&checked) })?;
    match checked.count() {
        0 => Ok(()),
        1 => Err(anyhow::anyhow!("one thing in the store is wrong").into()),
        many => Err(anyhow::anyhow!("{many} things in the store are wrong").into()),
    }
}

/// Compares the entries with the histories that they were made from.
async fn histories(config: Config, checked: &mut Checked) -> Result<(), CliError> {
    let store = super::existing_store(&config, Default::default()).await?;
    let bookkeeping = bookkeeping(Arc::new(config), &store)?;
    let differing = bookkeeping.differing(&Reach::All, SystemClock.now(), bar()).await;
    wipe();
    checked.looks.insert(Look::Histories);
    for one in differing? {
        let what = format!("{}: the entries of ticket {} do not match its history", one.tenant, one.ticket);
        checked.found(
            Look::Histories,
            what,
            "run `superops-sla report rebuild`; closed months stay as they were closed",
        );
    }
    store.close().await;
    Ok(())
}

fn words(checked: &Checked) -> String {
    let rows: u64 = checked.tables.iter().map(|table| table.rows).sum();
    let bytes: Option<u64> = checked.tables.iter().map(|table| table.bytes).sum();
    let size = bytes.map_or_else(String::new, |bytes| format!(", {}", in_bytes(bytes)));
    let mut text = format!("{}: {rows} rows{size}\n\n{}\n", checked.store, sizes(&checked.tables));
    let mut by_look: BTreeMap<Look, Vec<&Finding>> = BTreeMap::new();
    for finding in &checked.findings {
        by_look.entry(finding.look).or_default().push(finding);
    }
    for look in Look::ALL {
        let found = by_look.get(&look).map_or(&[][..], Vec::as_slice);
        let verdict = match found.len() + checked.more.get(&look).unwrap_or(&0) {
            _ if !checked.looks.contains(&look) => "not looked at".to_owned(),
            0 => "good".to_owned(),
            number => format!("{number} found"),
        };
        text += &format!("{:<12}{verdict}\n", look.as_str());
        found.iter().for_each(|finding| text += &finding_words(finding));
        if let Some(more) = checked.more.get(&look) {
            text += &format!("  and {more} more\n");
        }
    }
    if let Some(last) = &checked.audit_last {
        text += &format!("\nthe last hash of the audit log is {last}\n");
    }
    text
}

fn finding_words(finding: &Finding) -> String {
    format!("  {}\n    {}\n", printable(&finding.what), finding.remedy)
}

/// Lists the tables that hold something.
fn sizes(tables: &[TableSize]) -> String {
    let row = |one: &TableSize| {
        [
            one.table.clone(),
            one.rows.to_string(),
            one.bytes.map_or_else(|| "–".to_owned(), in_bytes),
            one.oldest.map_or_else(|| "–".to_owned(), |at| at.format("%Y-%m-%d").to_string()),
        ]
    };
    let rows: Vec<_> = tables.iter().filter(|one| one.rows > 0).map(row).collect();
    table(["TABLE", "ROWS", "SIZE", "SINCE"], &rows, |_| ("", ""))
}

fn in_bytes(bytes: u64) -> String {
    match bytes {
        0..10_000 => format!("{bytes} B"),
        10_000..10_000_000 => format!("{} kB", bytes / 1_000),
        _ => format!("{} MB", bytes / 1_000_000),
    }
}
