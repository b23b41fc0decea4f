//! `explain`: why the clocks of one ticket show what they show, line by line.

use std::fmt::Write;
use std::sync::Arc;

use chrono::TimeDelta;

use super::status::printable;
use super::{CliError, ExplainArgs};
use crate::clock::SystemClock;
use crate::config::Config;
use crate::desks::Desks;
use crate::service::{ClockLedger, Scope, Service, Syncs, TicketLedger};
use crate::sla::ledger::words::length;
use crate::store::Store;
use crate::telemetry::Telemetry;

/// Answers and ends.
pub async fn explain(config: Config, args: ExplainArgs) -> Result<(), CliError> {
    let telemetry = Arc::new(Telemetry::default());
    let config = Arc::new(config);
    let store = Store::open(&config.store.path, telemetry.clone()).await?;
    let desks = Arc::new(Desks::new(config.clone(), store.clone(), telemetry.clone())?);
    let service = Service::new(config, desks, store.clone(), Arc::new(SystemClock), telemetry, Syncs::default());
    let Some(ledger) = service.ledger(&Scope::All, &args.ticket).await? else {
        let id = &args.ticket;
        return Err(anyhow::anyhow!("no ticket `{id}` is known; it may not have been read yet").into());
    };
    let text = if args.json { format!("{}\n", serde_json::to_string_pretty(&ledger)?) } else { words(&ledger) };
    // A closed pipe (`| head`) is no fault of ours.
    let _ = std::io::Write::write_all(&mut std::io::stdout(), text.as_bytes());
    store.close().await;
    Ok(())
}

fn words(ledger: &TicketLedger) -> String {
    let mut text = format!("{}\n", printable(&ledger.display_id));
    for clock in &ledger.clocks {
        clock_text(&mut text, clock);
    }
    if !ledger.discrepancies.is_empty() {
        text.push_str("\nSuperOps and we differ\n");
        for one in &ledger.discrepancies {
            let _ = writeln!(text, "  {}", printable(&one.words));
        }
    }
    let held = ledger.held_by.iter().filter(|held| held.working > 0);
    for (number, held) in held.enumerate() {
        if number == 0 {
            text.push_str("\nHeld by\n");
        }
        let who = held.technician.as_deref().map_or("nobody".to_owned(), printable);
        let _ = writeln!(text, "  {:>9}  {who}", length(TimeDelta::seconds(held.working)));
    }
    text
}

fn clock_text(text: &mut String, clock: &ClockLedger) {
    let _ = writeln!(text, "\n{} ({}, local times of {})", clock.clock.words(), clock.truth, clock.timezone);
    if let Some(why) = clock.why_not_computed {
        let _ = writeln!(text, "  {why}: as SuperOps reports it");
    }
    for line in &clock.lines {
        let counted = if line.counted > 0 { length(TimeDelta::seconds(line.counted)) } else { "–".to_owned() };
        let _ = writeln!(text, "  {counted:>9}  {}", printable(&line.words));
    }
    let _ = writeln!(text, "  {:>9}  counted", length(TimeDelta::seconds(clock.counted)));
    let _ = writeln!(text, "  {}", printable(&clock.conclusion));
    for doubt in &clock.partial {
        let _ = writeln!(text, "  note: {doubt}");
    }
}
