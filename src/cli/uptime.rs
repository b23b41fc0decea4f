//! `uptime`: how services stand, and how well they kept what was promised.

use std::fmt::Write;
use std::sync::Arc;

use clap::Args;

use super::CliError;
use super::status::{printable, table};
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::monitor::board::{MonitorState, StatusBoard};
use crate::monitor::objectives;
use crate::service::Service;
use crate::service::uptime::{CheckView, ComponentView, UptimeOverview};
use crate::store::{Store, millis};

#[derive(Debug, Args)]
pub struct UptimeArgs {
    /// Print JSON, for other programs
    #[arg(long)]
    json: bool,
    /// Only this tenant's
    #[arg(long, value_name = "NAME")]
    tenant: Option<String>,
}

/// Runs the command.
pub async fn uptime(config: Config, args: UptimeArgs) -> Result<(), CliError> {
    let scope = super::scope(&config, args.tenant.as_deref())?;
    let (service, store) = watching(config).await?;
    let seen = service.uptime(&scope).await?;
    let text = if args.json { super::as_json(&seen)? } else { text(&seen) };
    super::print(&text)?;
    store.close().await;
    Ok(())
}

/// Opens the queries about services on the store, beside the service that fills it.
pub async fn watching(config: Config) -> Result<(Service, Store), CliError> {
    let (service, store) = super::offline_service(config).await?;
    let (monitor_state, _) = MonitorState::open();
    let now = millis(SystemClock.now());
    monitor_state.show(StatusBoard::read(service.config(), &store, now).await?, true);
    monitor_state.announce(store.announcements(now).await?, now);
    objectives::measure(service.config(), &store, &monitor_state, now).await?;
    Ok((service.watching(Arc::clone(&monitor_state)), store))
}

/// `seen` as a table.
pub fn text(seen: &UptimeOverview) -> String {
    if seen.components.is_empty() {
        return "no service is watched: see [components.NAME] in config.example.toml\n".to_owned();
    }
    let rows: Vec<_> = seen.components.iter().map(row).collect();
    let head = ["COMPONENT", "STATUS", "SINCE", "24 H", "30 D", "90 D", "PROMISED", "LEFT", "LATEST"];
    let mut text = table(head, &rows, |_| ("", ""));
    for outpost in &seen.outposts {
        let last = outpost.last_look.map_or("never".to_owned(), |at| at.format("%Y-%m-%d %H:%M:%S UTC").to_string());
        let (id, name) = (printable(&outpost.id), printable(&outpost.name));
        let _ = writeln!(text, "outpost {id} ({name}): {}, latest look {last}", outpost.status);
    }
    for check in seen.components.iter().flat_map(|one| &one.checks) {
        if let Some(detail) = check.detail.as_ref().filter(|_| check.status != "up" || check.in_doubt) {
            let _ = writeln!(text, "{}: {}", printable(&check.id), printable(detail));
        }
    }
    text
}

fn row(one: &ComponentView) -> [String; 9] {
    let promise = one.sla.as_ref();
    [
        printable(&one.name),
        if one.checks.iter().any(|check| check.in_doubt) { format!("{}?", one.status) } else { one.status.to_owned() },
        one.status_since.format("%Y-%m-%d %H:%M UTC").to_string(),
        percent(one.uptime.day),
        percent(one.uptime.month),
        percent(one.uptime.quarter),
        promise.map_or("–".to_owned(), |sla| percent(Some(sla.target_percent))),
        promise.map_or("–".to_owned(), |sla| format!("{} min", sla.downtime_minutes.remaining)),
        one.checks.iter().map(latest).collect::<Vec<_>>().join(", "),
    ]
}

fn latest(check: &CheckView) -> String {
    let time = check.response_ms.map_or("–".to_owned(), |ms| format!("{ms:.0} ms"));
    let days = check.certificate_days.map_or(String::new(), |days| format!(", certificate {days} d"));
    let place = check.place.as_ref().map_or(String::new(), |place| format!("@{}", printable(place)));
    format!("{}{place} {time}{days}", check.kind)
}

fn percent(share: Option<f64>) -> String {
    share.map_or("–".to_owned(), |share| format!("{share} %"))
}
