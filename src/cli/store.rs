//! `store`: the database as a whole, moved from one kind to the other.

use std::io::IsTerminal as _;
use std::path::Path;

use super::{CliError, StoreCommand};
use crate::config::{self, Config};
use crate::store::copy::{self, Copied};
use crate::store::sql::postgres::Server;

/// Does as asked and ends.
pub async fn store(config: Config, command: StoreCommand) -> Result<(), CliError> {
    let StoreCommand::Copy { from } = command;
    let config::Store::Postgres(settings) = &config.store else {
        return Err(CliError::usage("a store is copied into the one that [store] url names: it must be of PostgreSQL"));
    };
    let path = from.strip_prefix("sqlite://").unwrap_or(&from);
    let is_seen = std::io::stderr().is_terminal();
    let server = Server::of(settings);
    let copied = copy::copy(Path::new(path), &server, |table, rows| {
        if is_seen {
            eprint!("\r\x1b[K{table}: {rows} rows");
        }
    });
    let copied = copied.await;
    if is_seen {
        eprint!("\r\x1b[K");
    }
    super::print(&words(&copied?));
    Ok(())
}

fn words(copied: &[Copied]) -> String {
    let all: u64 = copied.iter().map(|one| one.rows).sum();
    let lines = copied.iter().filter(|one| one.rows > 0).map(|one| format!("{:>12}  {}\n", one.rows, one.table));
    format!("{}{all} rows were copied; read again, both stores hold the same\n", lines.collect::<String>())
}
