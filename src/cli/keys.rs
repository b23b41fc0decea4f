//! `keys`: what the store's personal columns are encrypted with.

use std::collections::BTreeMap;
use std::io::IsTerminal as _;

use chrono::{DateTime, Utc};
use clap::Subcommand;
use serde::Serialize;

use super::CliError;
use super::rebuild::wipe;
use super::status::table;
use crate::clock::{Clock as _, SystemClock};
use crate::config::Config;
use crate::keys::ring::KeyRing;
use crate::store::encryption::{Standing, Turned, wipe_freed};
use crate::store::{Place, Store, StoreError};

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
    /// Encrypt everything with the first key, or make it plain if `plain` comes first; can be interrupted and run again
    Rotate,
}

/// How the columns stand.
#[derive(Serialize)]
struct Answer {
    /// None: new data stays plain.
    seals: Option<String>,
    opens: Vec<String>,
    /// Whether a running service lacks the key that should encrypt: until it has it, another one encrypts.
    held_back: bool,
    /// Since when everything has been under the first key; none if some of it may not be.
    done_at: Option<DateTime<Utc>>,
    columns: BTreeMap<&'static str, Standing>,
}

/// Runs the command.
pub async fn keys(config: impl FnOnce() -> Result<Config, CliError>, command: KeysCommand) -> Result<(), CliError> {
    match command {
        KeysCommand::New => {
            super::print(&format!("{}\n", KeyRing::generate().map_err(anyhow::Error::from)?))?;
            Ok(())
        }
        KeysCommand::Status { json } => status(&config()?, json).await,
        KeysCommand::Rotate => rotate(&config()?).await,
    }
}

async fn status(config: &Config, json: bool) -> Result<(), CliError> {
    let keys = &config.store.keys;
    // Without one of the keys there is nothing to be told.
    let store = super::existing_store(config, Default::default()).await?;
    let done_at = match keys.first() {
        Some(first) => store.turned_to(first).await?,
        None => None,
    };
    store.close().await;
    let columns = Store::standing(&Place::from(&config.store), keys, bar()).await?;
    wipe();
    let (seals, opens) = (keys.first().map(str::to_owned), keys.ids().map(str::to_owned).collect());
    let answer = Answer { seals, opens, held_back: keys.is_held_back(), done_at, columns };
    super::print(&if json { super::as_json(&answer)? } else { words(&answer) })?;
    match answer.columns.values().map(|one| one.broken.len()).sum() {
        0 => Ok(()),
        1 => Err(anyhow::anyhow!("one text cannot be opened").into()),
        many => Err(anyhow::anyhow!("{many} texts cannot be opened").into()),
    }
}

/// Refuses to encrypt with a key that a running service does not hold: it could read none of it.
async fn check_services(place: &Place, keys: &KeyRing, is_claimed: bool) -> Result<(), CliError> {
    let is_nobody_else = is_claimed && matches!(place, Place::File(_));
    let Some(first) = keys.first().filter(|_| !is_nobody_else) else { return Ok(()) };
    match place.services_without_key(first).await? {
        0 => Ok(()),
        _ => Err(anyhow::anyhow!(
            "a running service on this store does not have the key `{first}`, and could read nothing encrypted with \
             it: restart the service with the configuration that has the key, or stop it, and run this again; nothing \
             was changed"
        )
        .into()),
    }
}

/// Brings everything under the first key. If nobody else uses the store, also forgets keys that seal nothing any more,
/// and wipes what used to be plain from the file.
async fn rotate(config: &Config) -> Result<(), CliError> {
    let (place, keys) = (Place::from(&config.store), &config.store.keys);
    super::there_is(&place).await?;
    let claim = match Store::claim(&config.store) {
        Err(StoreError::InUse(_)) => None,
        claim => Some(claim?),
    };
    check_services(&place, keys, claim.is_some()).await?;
    let store = Store::open_by(&config.store, claim.as_ref(), Default::default()).await?;
    let is_alone = claim.is_some() && !store.is_led(SystemClock.now()).await?;
    let turned = store.turn_to_first_key(&place, keys, bar()).await?;
    let columns = Store::standing(&place, keys, bar()).await?;
    wipe();
    let mut text = turned_words(&turned, keys);
    let needed: Vec<String> =
        columns.values().flat_map(|one| one.sealed.keys().cloned()).chain(keys.first().map(str::to_owned)).collect();
    if is_alone && turned.left.is_empty() {
        store.forget_keys(needed).await?;
        if let Some(first) = keys.first() {
            store.note_turned(first.to_owned(), SystemClock.now()).await?;
        }
        store.close().await;
        wipe_freed(&place).await?;
        text += &alone_words(&place);
    } else {
        store.close().await;
        text += "a service is running on this store: once it has these keys too, stop it and run this again; then \
                 older keys can be removed, and old data left in the file is wiped\n";
    }
    super::print(&text)?;
    match turned.left.len() {
        0 => Ok(()),
        number => {
            Err(anyhow::anyhow!("{number} rows cannot be opened and are as they were:\n  {}", turned.left.join("\n  "))
                .into())
        }
    }
}

fn turned_words(turned: &Turned, keys: &KeyRing) -> String {
    let how = match keys.first() {
        Some(id) => format!("encrypted with the key {id}"),
        None => "made plain".to_owned(),
    };
    let overtaken = match turned.overtaken {
        0 => String::new(),
        number => format!("; {number} were changed meanwhile, and are as they were written"),
    };
    format!("{} rows were {how}{overtaken}\n", turned.rows)
}

fn alone_words(place: &Place) -> String {
    let wiped = match place {
        Place::File(_) => "the file was rewritten, so no old data is left in it",
        Place::Server(_) => {
            "run VACUUM FULL to remove the old data that the server still holds; its old backups keep it"
        }
    };
    format!("keys other than the first are no longer needed; {wiped}\n")
}

fn words(answer: &Answer) -> String {
    let seals = answer.seals.as_deref().unwrap_or("none: new data stays plain");
    let until = if answer.held_back { ", once every running service has it" } else { "" };
    let mut text = format!("encrypts with  {seals}{until}\nreads with     {}\n\n", answer.opens.join(", "));
    let row = |(column, standing): (&&'static str, &Standing)| {
        let by = |(id, number): (&String, &u64)| format!("{number} by {id}");
        let sealed: Vec<String> = standing.sealed.iter().map(by).collect();
        [(*column).to_owned(), standing.plain.to_string(), sealed.join(", "), standing.broken.len().to_string()]
    };
    let rows: Vec<_> = answer.columns.iter().filter(|(_, standing)| standing.all() > 0).map(row).collect();
    text += &table(["COLUMN", "PLAIN", "ENCRYPTED", "BROKEN"], &rows, |_| ("", ""));
    let first = answer.seals.as_ref();
    let is_done = |one: &Standing| match first {
        Some(first) => one.plain == 0 && one.sealed.keys().all(|id| id == first),
        None => one.sealed.is_empty(),
    };
    if answer.columns.values().all(is_done) {
        text +=
            &answer.done_at.map_or_else(String::new, |at| format!("\nall of it since {}\n", at.format("%F %H:%M UTC")));
    } else {
        let at_night = if first.is_some() { "the service encrypts the rest at night; " } else { "" };
        text += &format!("\n{at_night}`superops-sla keys rotate` brings it under the first key now\n");
    }
    text
}

/// Shows the progress on a terminal.
fn bar() -> impl FnMut(&str, u64) {
    let is_seen = std::io::stderr().is_terminal();
    move |table, rows| {
        if is_seen {
            eprint!("\r\x1b[K{table}: {rows} rows");
        }
    }
}
