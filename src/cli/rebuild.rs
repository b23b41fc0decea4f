//! `report rebuild`: rebuilds the books from what is stored, or lists what would come out differently.

use std::io::IsTerminal as _;
use std::sync::Arc;

use super::CliError;
use crate::bookkeeping::{Bookkeeping, Differing, Progress, Rebuilt};
use crate::clock::{Clock as _, SystemClock};
use crate::config::Config;
use crate::rules_cache::RulesCache;
use crate::store::Store;

/// The most tickets that are named.
const NAMED: usize = 20;

/// Runs the command.
pub async fn rebuild(config: Config, tenant: Option<&str>, dry_run: bool, json: bool) -> Result<(), CliError> {
    let scope = super::scope(&config, tenant)?;
    let store = super::existing_store(&config, Default::default()).await?;
    let bookkeeping = bookkeeping(Arc::new(config), &store)?;
    let now = SystemClock.now();
    let text = if dry_run {
        let differing = bookkeeping.differing(&scope, now, bar()).await?;
        if json { super::as_json(&serde_json::json!({ "differing": differing }))? } else { named(&differing) }
    } else {
        let rebuilt = bookkeeping.rebuild(&scope, now, bar()).await?;
        if json { super::as_json(&rebuilt)? } else { words(&rebuilt) }
    };
    wipe();
    super::print(&text)?;
    store.close().await;
    Ok(())
}

/// Returns the bookkeeping, which judges tickets by the rules of `config`.
pub(super) fn bookkeeping(config: Arc<Config>, store: &Store) -> Result<Bookkeeping, CliError> {
    let rules = Arc::new(RulesCache::new(config.clone(), store.clone(), Arc::default())?);
    Ok(Bookkeeping::new(config, rules, store.clone(), Arc::new(SystemClock)))
}

/// Shows the progress on a terminal.
pub(super) fn bar() -> impl FnMut(Progress) {
    let is_seen = std::io::stderr().is_terminal();
    move |Progress { done, of }| {
        if is_seen {
            eprint!("\r\x1b[K{done} of {of} tickets");
        }
    }
}

/// Clears the last line of [`bar`].
pub(super) fn wipe() {
    if std::io::stderr().is_terminal() {
        eprint!("\r\x1b[K");
    }
}

fn words(rebuilt: &Rebuilt) -> String {
    let Rebuilt { tickets, left, new, revised, corrections, filled_in, days, dropped } = rebuilt;
    let mut text = format!("{} tickets and {days} days were rebuilt\n", tickets - left);
    if *left > 0 {
        text += &format!("{left} tickets are older than the histories that [retention] keeps: their entries stay\n");
    }
    if new + revised + filled_in == 0 && *dropped == 0 {
        return text + "nothing came out differently\n";
    }
    text += &format!(
        "new {new}, revised {revised}, other details filled in {filled_in}, without an entry and dropped {dropped}\n"
    );
    if *corrections > 0 {
        text +=
            &format!("{corrections} of them are of closed months: these stay as they were, and reports list them\n");
    }
    text
}

fn named(differing: &[Differing]) -> String {
    if differing.is_empty() {
        return "all entries match the histories of their tickets\n".to_owned();
    }
    let mut text = format!("the entries of {} tickets do not match their histories:\n", differing.len());
    for one in differing.iter().take(NAMED) {
        text += &format!("  {}: ticket {}\n", one.tenant, super::status::printable(&one.ticket));
    }
    if differing.len() > NAMED {
        text += &format!("  and {} more\n", differing.len() - NAMED);
    }
    text + "`report rebuild` rebuilds them\n"
}
