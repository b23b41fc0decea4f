//! `room`: who has room for more tickets now.

use chrono::TimeDelta;
use clap::Args;

use super::CliError;
use super::status::{printable, table};
use crate::config::Config;
use crate::notify::words as length;
use crate::service::room::{RoomPage, RoomQuery, RoomView};

#[derive(Debug, Args)]
pub struct RoomArgs {
    /// Only this tenant's
    #[arg(long, value_name = "NAME")]
    tenant: Option<String>,
    /// Print JSON, for other programs
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub async fn room(config: Config, args: RoomArgs) -> Result<(), CliError> {
    let scope = super::scope(&config, args.tenant.as_deref())?;
    let (service, store) = super::offline_service(config).await?;
    let page = service.room(&scope, &RoomQuery::default()).await?;
    super::print(&if args.json { super::as_json(&page)? } else { text(&page) })?;
    store.close().await;
    Ok(())
}

fn text(page: &RoomPage) -> String {
    if page.technicians.is_empty() {
        return "no technician is known yet\n".to_owned();
    }
    let rows: Vec<_> = page.technicians.iter().map(row).collect();
    table(["TECHNICIAN", "OPEN", "BREACHED", "AT RISK", "ONE TAKES", "LEAST SLACK", "ROOM FOR"], &rows, |_| ("", ""))
}

fn row(one: &RoomView) -> [String; 7] {
    let span = |seconds: Option<i64>| match seconds {
        None => "–".to_owned(),
        Some(short @ ..0) => format!("-{}", length(TimeDelta::seconds(-short))),
        Some(seconds) => length(TimeDelta::seconds(seconds)),
    };
    let room = match (&one.first_late, one.fits) {
        (Some(ticket), _) => format!("none: {} cannot be done in time", printable(ticket)),
        (None, fits) => fits.map_or_else(|| "–".to_owned(), |fits| fits.to_string()),
    };
    let pace = if one.pace_of == Some("all") { format!("{} (all)", span(one.pace)) } else { span(one.pace) };
    [
        printable(&one.technician_name),
        one.open.to_string(),
        one.breached.to_string(),
        one.at_risk.to_string(),
        pace,
        span(one.least_slack),
        room,
    ]
}
