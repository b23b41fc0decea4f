//! `audit`: who changed what, and from where.

use std::fmt::Write;

use chrono::{DateTime, Days, NaiveDate, NaiveTime, TimeDelta, Utc};
use clap::{Args, Subcommand};

use super::CliError;
use super::status::{printable, table};
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::report::day;
use crate::service::audit::{AuditEntry, AuditPage, AuditQuery};
use crate::store::audit::chain::Verified;
use crate::store::latest::Way;

/// The most changes at a time.
const MOST: i64 = 100_000;

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
    #[arg(long, value_name = "N", default_value_t = 40, value_parser = clap::value_parser!(u32).range(1..=MOST))]
    limit: u32,
    /// Only this tenant's
    #[arg(long, value_name = "NAME")]
    tenant: Option<String>,
}

#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Check that nobody altered the log: each row holds a hash of the one before
    Verify {
        /// Print JSON, for other programs
        #[arg(long)]
        json: bool,
    },
}

/// Runs the command.
pub async fn audit(config: Config, args: AuditArgs) -> Result<(), CliError> {
    if let Some(AuditCommand::Verify { json }) = args.command {
        return verify(config, json).await;
    }
    let scope = super::scope(&config, args.tenant.as_deref())?;
    let query = query(&args, SystemClock.now())?;
    let (service, store) = super::offline_service(config).await?;
    let found = service.audit(&scope, &query).await?;
    let Some(AuditPage { changes: entries, next_cursor }) = found else {
        return Err(super::no_such_ticket(&args.ticket.unwrap_or_default()));
    };
    let text = match args.json {
        true => super::as_json(&serde_json::json!({ "changes": entries }))?,
        false => words(&entries, next_cursor.is_some()),
    };
    super::print(&text)?;
    store.close().await;
    Ok(())
}

/// Checks that nobody altered the log.
async fn verify(config: Config, json: bool) -> Result<(), CliError> {
    let store = super::existing_store(&config, Default::default()).await?;
    let found = store.verify_audit().await?;
    super::print(&if json { super::as_json(&found)? } else { verdict(&found) })?;
    store.close().await;
    match found.broken {
        Some(broken) => Err(anyhow::anyhow!("row {} of the audit log does not fit: {}", broken.id, broken.why).into()),
        None => Ok(()),
    }
}

fn verdict(found: &Verified) -> String {
    if found.rows + found.unchained == 0 {
        return "the log is empty: nobody has done anything yet, or all of it was taken out\n".to_owned();
    }
    let mut text = format!("{} rows form an unbroken chain", found.rows);
    if found.unchained > 0 {
        let _ = write!(text, "; {} before them are older than the chain", found.unchained);
    }
    if found.begins_late {
        text.push_str("; what came before them is gone, as [retention] deletes it at its age");
    }
    if let Some(last) = &found.last {
        let _ = write!(
            text,
            "\nlast: {last}\nNote this hash elsewhere: with it you can tell later whether rows were cut from the end."
        );
    }
    text + "\n"
}

fn query(args: &AuditArgs, now: DateTime<Utc>) -> Result<AuditQuery, CliError> {
    let midnight = |date: NaiveDate| date.and_time(NaiveTime::MIN).and_utc();
    let from = args.from.map_or(DateTime::UNIX_EPOCH, midnight);
    let after = args.to.and_then(|date| date.checked_add_days(Days::new(1))).map(midnight);
    let until = after.unwrap_or(now + TimeDelta::days(1));
    if until <= from {
        return Err(CliError::usage("`--to` lies before `--from`"));
    }
    Ok(AuditQuery {
        from,
        until,
        who: args.who.clone(),
        what: args.what.clone(),
        ticket: args.ticket.clone(),
        way: Way::LatestFirst,
        limit: args.limit,
        cursor: None,
    })
}

fn words(entries: &[AuditEntry], has_more: bool) -> String {
    if entries.is_empty() {
        return "nobody changed anything of that kind\n".to_owned();
    }
    let row = |entry: &AuditEntry| {
        [
            entry.id.to_string(),
            entry.at.format("%Y-%m-%d %H:%M:%S UTC").to_string(),
            printable(&entry.who),
            printable(entry.tenant.as_deref().unwrap_or("all")),
            printable(&entry.origin),
            printable(&entry.what),
        ]
    };
    let rows: Vec<_> = entries.iter().map(row).collect();
    let mut text = table(["NO", "AT", "WHO", "TENANT", "FROM", "DID"], &rows, |_| ("", ""));
    if has_more {
        let _ = writeln!(text, "the latest {}; `--limit` shows more", entries.len());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_verdict_says_that_the_oldest_rows_are_gone() {
        let found = |begins_late| Verified { rows: 3, unchained: 0, begins_late, last: None, broken: None };
        assert_eq!(verdict(&found(false)), "3 rows form an unbroken chain\n");
        let aged = verdict(&found(true));
        assert!(
            aged.ends_with("chain; what came before them is gone, as [retention] deletes it at its age\n"),
            "{aged}"
        );
    }
}
