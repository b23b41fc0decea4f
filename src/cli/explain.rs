//! `explain`: why the clocks of one ticket show what they show, line by line.

use std::fmt::Write;

use chrono::TimeDelta;

use super::status::{forecast_text, printable};
use super::{CliError, ExplainArgs};
use crate::config::Config;
use crate::service::{ClockLedger, Scope, Service, TicketLedger};
use crate::sla::ledger::words::length;

/// Answers and ends.
pub async fn explain(config: Config, args: ExplainArgs) -> Result<(), CliError> {
    let (service, store) = super::foreseeing_service(config).await?;
    let Some(ledger) = service.ledger(&Scope::All, &args.ticket).await? else {
        let id = &args.ticket;
        return Err(anyhow::anyhow!("no ticket `{id}` is known; it may not have been read yet").into());
    };
    let text =
        if args.json { super::as_json(&ledger)? } else { words(&ledger) + &foreseen(&service, &args.ticket).await? };
    super::print(&text);
    store.close().await;
    Ok(())
}

/// What the forecast says of the clocks that are not decided.
async fn foreseen(service: &Service, id: &str) -> Result<String, CliError> {
    let mut text = String::new();
    let clocks = service.ticket(&Scope::All, id).await?.map(|ticket| ticket.clocks).unwrap_or_default();
    for clock in clocks.iter().filter(|clock| clock.forecast.is_some()) {
        let _ = writeln!(text, "\nForecast of the {}", clock.clock.words());
        forecast_text(&mut text, clock);
    }
    Ok(text)
}

fn words(ledger: &TicketLedger) -> String {
    let mut text = format!("{}\n", printable(&ledger.display_id));
    if let Some(choice) = &ledger.policy_choice {
        let version = ledger.version.map(|version| format!(", version {version}")).unwrap_or_default();
        let _ = writeln!(text, "{}{version}", printable(choice));
    }
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
