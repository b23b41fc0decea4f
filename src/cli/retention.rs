//! `retention`: deletes past data that is too old, or says what would be deleted.

use chrono::{DateTime, Utc};
use clap::Args;
use serde::Serialize;

use super::CliError;
use super::status::table;
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::config::Past;
use crate::retention::Retention;

#[derive(Debug, Args)]
pub struct RetentionArgs {
    /// Only say what would be deleted
    #[arg(long)]
    dry_run: bool,
    /// Print JSON, for other programs
    #[arg(long)]
    json: bool,
}

/// What is deleted of one kind.
#[derive(Serialize)]
struct Line {
    what: &'static str,
    before: DateTime<Utc>,
    rows: u64,
}

#[derive(Serialize)]
struct Answer {
    dry_run: bool,
    past: Vec<Line>,
}

/// Runs the command.
pub async fn retention(config: Config, args: RetentionArgs) -> Result<(), CliError> {
    let store = super::existing_store(&config, Default::default()).await?;
    let now = SystemClock.now();
    let mut past = Vec::new();
    let gone = match args.dry_run {
        true => None,
        false => Some(Retention::new(&config, store.clone(), std::sync::Arc::new(SystemClock))?.turn(now).await?),
    };
    for kind in Past::ALL {
        let before = now - config.retention.of(kind);
        let rows = match &gone {
            Some(gone) => gone.get(&kind).copied().unwrap_or_default(),
            None => store.forgettable(kind, before).await?.unsigned_abs(),
        };
        past.push(Line { what: kind.as_str(), before, rows });
    }
    let answer = Answer { dry_run: args.dry_run, past };
    let text = if args.json { super::as_json(&answer)? } else { text(&answer) };
    super::print(&text)?;
    store.close().await;
    Ok(())
}

fn text(answer: &Answer) -> String {
    let row = |line: &Line| [line.what.to_owned(), line.before.format("%Y-%m-%d").to_string(), line.rows.to_string()];
    let rows: Vec<_> = answer.past.iter().map(row).collect();
    let deleted = if answer.dry_run { "ROWS THAT WOULD GO" } else { "ROWS DELETED" };
    table(["WHAT", "OLDER THAN", deleted], &rows, |_| ("", ""))
}
