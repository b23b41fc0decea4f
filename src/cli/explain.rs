//! `explain`: why the clocks of one ticket show what they show, line by line.

use std::fmt::Write;

use chrono::{DateTime, TimeDelta, Utc};
use clap::Args;

use super::CliError;
use super::status::{forecast_text, printable, tenant_of, unit};
use crate::config::Config;
use crate::notify;
use crate::service::{ClockLedger, ClockStatus, TicketLedger};
use crate::sla::ledger::words::length;
use crate::sla::zone::Tz;

#[derive(Debug, Args)]
pub(super) struct ExplainArgs {
    /// An id or what people call it, like 062822-0005
    ticket: String,
    /// Only this tenant's, if several have a ticket of that number
    #[arg(long, value_name = "NAME")]
    tenant: Option<String>,
    /// Print JSON, for other programs
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub async fn explain(config: Config, args: ExplainArgs) -> Result<(), CliError> {
    let scope = super::scope(&config, args.tenant.as_deref())?;
    let scope = tenant_of(&config, &scope, &args.ticket).await?;
    let (service, store) = super::foreseeing_service(config, &scope).await?;
    let Some(ledger) = service.ledger(&scope, &args.ticket).await? else {
        return Err(super::no_such_ticket(&args.ticket));
    };
    let clocks = service.ticket(&scope, &args.ticket).await?.map(|ticket| ticket.clocks).unwrap_or_default();
    let text = match args.json {
        true => super::as_json(&ledger)?,
        false => in_force(&ledger, &clocks) + &words(&ledger) + &foreseen(&clocks),
    };
    super::print(&text)?;
    store.close().await;
    Ok(())
}

/// Says what counts now: when each clock is due, and how much time that leaves.
fn in_force(ledger: &TicketLedger, clocks: &[ClockStatus]) -> String {
    let mut text = format!("{}\n", printable(&ledger.display_id));
    for clock in clocks {
        // A clock that has no due time is in no ledger.
        let explained = ledger.clocks.iter().find(|one| one.clock == clock.clock);
        let zone: Tz = explained.and_then(|one| one.timezone.parse().ok()).unwrap_or(Tz::UTC);
        let time = |at: DateTime<Utc>| {
            format!("{} {}", at.with_timezone(&zone).format("%a %-d %b %Y %H:%M"), notify::zone_name(zone, at))
        };
        let due = match (clock.due_if_resumed_now, clock.due) {
            (Some(at), _) => format!("due {} if resumed now", time(at)),
            (None, Some(at)) => format!("due {}", time(at)),
            (None, None) => "no due time".to_owned(),
        };
        let _ = writeln!(text, "  {:<15} {due}: {}{}", clock.clock.words(), clock.time_words(), unit(clock));
    }
    text.push('\n');
    text
}

/// Says what the forecast expects of the clocks that are not decided.
fn foreseen(clocks: &[ClockStatus]) -> String {
    let mut text = String::new();
    for clock in clocks.iter().filter(|clock| clock.forecast.is_some()) {
        let _ = writeln!(text, "\nForecast of the {}", clock.clock.words());
        forecast_text(&mut text, clock);
    }
    text
}

fn words(ledger: &TicketLedger) -> String {
    let mut text = String::new();
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
