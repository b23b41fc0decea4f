//! `alerts`: lists what is wrong and who is dealing with it, or shows one alert with every message about it. A ticket's
//! number may stand in for an alert's id.

use std::fmt::Write;

use clap::Args;

use super::CliError;
use super::status::{WORKING_TIME, hold_words, printable, table, told};
use crate::alert::Closing;
use crate::alert::life::State;
use crate::config::{ChannelKind, Config};
use crate::notify::{accepted_words, words};
use crate::service::alerts::{AlertPage, AlertQuery, AlertView};
use crate::service::messages::Said;
use crate::service::suppressions::SuppressionView;
use crate::service::{ClockStatus, Reach, Service, ServiceError};

#[derive(Debug, Args)]
pub(super) struct AlertsArgs {
    /// An alert's id, as the list shows it, or a ticket's number: then all its open alerts
    id: Option<String>,
    /// Print JSON, for other programs
    #[arg(long)]
    json: bool,
    /// open | acknowledged | snoozed | resolved | all
    #[arg(long, value_name = "STATE", default_value = "open")]
    state: String,
    /// How many alerts to show
    #[arg(long, value_name = "N", default_value_t = 40)]
    limit: usize,
    /// Only this tenant's
    #[arg(long, value_name = "NAME")]
    tenant: Option<String>,
}

/// Runs the command.
pub(super) async fn alerts(config: Config, args: AlertsArgs) -> Result<(), CliError> {
    let scope = super::scope(&config, args.tenant.as_deref())?;
    let (service, store) = super::offline_service(config).await?;
    let text = match &args.id {
        Some(id) => of_one(&service, &scope, id, args.json).await?,
        None => all(&service, &scope, &args).await?,
    };
    super::print(&text)?;
    store.close().await;
    Ok(())
}

async fn of_one(service: &Service, scope: &Reach, text: &str, json: bool) -> Result<String, CliError> {
    let mut alerts = Vec::new();
    for id in meant(service, scope, text).await? {
        alerts.extend(service.alert(scope, &id).await?);
    }
    shown(&alerts, text, json)
}

/// Shows the `alerts` that were found by `text`.
pub(super) fn shown(alerts: &[AlertView], text: &str, json: bool) -> Result<String, CliError> {
    match alerts {
        [] => Err(unknown(text)),
        [alert] if json => super::as_json(alert),
        alerts if json => super::as_json(&alerts),
        alerts => Ok(alerts.iter().map(alert_text).collect::<Vec<_>>().join("\n")),
    }
}

/// Returns the alert with this id, else the open alerts of the ticket with this number, if only one tenant has it.
pub(super) async fn meant(service: &Service, scope: &Reach, text: &str) -> Result<Vec<String>, CliError> {
    if service.alert(scope, text).await?.is_some() {
        return Ok(vec![text.to_owned()]);
    }
    let query = AlertQuery { ticket: Some(text.to_owned()), ..AlertQuery::default() };
    let tenants: Vec<_> = service.tenants_with_ticket(scope, text).await?.into_iter().collect();
    match tenants.as_slice() {
        [] => Ok(Vec::new()),
        [_] => Ok(service.alerts(scope, &query).await?.alerts.into_iter().map(|alert| alert.id).collect()),
        several => {
            let tenants = several.iter().map(ToString::to_string).collect();
            Err(ServiceError::Ambiguous { tenants, ticket: text.to_owned() }.into())
        }
    }
}

fn unknown(text: &str) -> CliError {
    anyhow::anyhow!(
        "no alert `{text}` and no ticket of that number with an open alert is known; `superops-sla alerts` lists them"
    )
    .into()
}

async fn all(service: &Service, scope: &Reach, args: &AlertsArgs) -> Result<String, CliError> {
    let query = AlertQuery { state: Some(args.state.clone()), limit: Some(args.limit), ..AlertQuery::default() };
    let page = service.alerts(scope, &query).await?;
    if args.json { super::as_json(&page) } else { Ok(page_text(&page)) }
}

/// `page` as a table.
pub fn page_text(page: &AlertPage) -> String {
    if page.alerts.is_empty() {
        return "no such alerts\n".to_owned();
    }
    let row = |alert: &AlertView| {
        [
            alert.id.clone(),
            alert.stage.as_str().to_owned(),
            alert.clock_status.as_ref().map_or_else(|| "–".to_owned(), ClockStatus::time_words),
            printable(alert.display_id.as_deref().unwrap_or(&alert.ticket_id)),
            alert.clock.words().to_owned(),
            printable(alert.client.as_deref().unwrap_or("–")),
            what_next(alert, page),
        ]
    };
    let rows: Vec<_> = page.alerts.iter().map(row).collect();
    let head = ["ALERT", "STAGE", "TIME", "TICKET", "CLOCK", "CLIENT", "NEXT"];
    let mut text = table(head, &rows, |_| ("", ""));
    if page.total > page.alerts.len() {
        let _ = writeln!(text, "… and {} more", page.total - page.alerts.len());
    }
    if page.alerts.iter().filter_map(|alert| alert.clock_status.as_ref()).any(|clock| !clock.round_the_clock) {
        text.push_str(WORKING_TIME);
    }
    text
}

/// Says who holds the alert, or which step comes when.
fn what_next(alert: &AlertView, page: &AlertPage) -> String {
    let held = alert.hold.as_ref().filter(|hold| !hold.expired);
    match (alert.state, held, alert.next_step_at) {
        (State::Resolved, ..) => {
            format!("ended: {}", alert.closing.and_then(Closing::parse).map(Closing::words).unwrap_or_default())
        }
        (_, Some(hold), _) => hold_words(hold),
        _ if !alert.suppressions.is_empty() => quiet_words(&alert.suppressions),
        _ if alert.in_digest => "told in the digest".to_owned(),
        (_, None, Some(at)) => {
            format!(
                "step {} in {}",
                alert.next_step.unwrap_or(1),
                words((at - page.now).max(chrono::TimeDelta::zero()))
            )
        }
        (_, None, None) => "no step left".to_owned(),
    }
}

/// `silenced until 15:02 UTC`: names the suppression that ends last.
fn quiet_words(suppressions: &[SuppressionView]) -> String {
    let last = suppressions.iter().max_by_key(|suppression| suppression.until);
    last.map(|one| format!("{} until {}", one.kind.words(), one.until.format("%H:%M UTC"))).unwrap_or_default()
}

fn alert_text(alert: &AlertView) -> String {
    let mut text = format!(
        "{} {} {}\n",
        printable(alert.display_id.as_deref().unwrap_or(&alert.ticket_id)),
        alert.clock.words(),
        printable(alert.subject.as_deref().unwrap_or_default())
    );
    let time = |at: chrono::DateTime<chrono::Utc>| at.format("%Y-%m-%d %H:%M:%S UTC").to_string();
    let _ = writeln!(text, "  {} ({}), {}", alert.stage.as_str(), alert.state.as_str(), alert.reason);
    if let Some(clock) = &alert.clock_status {
        let _ = writeln!(text, "  {}{}", clock.time_words(), super::status::unit(clock));
    }
    let _ =
        writeln!(text, "  due {}, raised {}, escalation {}", time(alert.due), time(alert.raised_at), alert.escalation);
    if let Some(hold) = &alert.hold {
        let over = if hold.expired { "; that time is up" } else { "" };
        let _ = writeln!(text, "  {} at {}{over}", hold_words(hold), time(hold.at));
    }
    for suppression in &alert.suppressions {
        let (until, reason) = (time(suppression.until), printable(&suppression.reason));
        let _ = writeln!(
            text,
            "  {} until {until} ({}): {reason}",
            suppression.kind.words(),
            printable(&suppression.author)
        );
    }
    for entry in &alert.acts {
        let _ = writeln!(text, "  {}  {} {}", time(entry.at), printable(&entry.who), printable(&entry.what));
    }
    alert.notifications.iter().for_each(|said| said_text(&mut text, said));
    text
}

/// Describes the outcome of an attempt in plain words.
fn outcome_words(channel: &str, outcome: &str) -> String {
    match (outcome, ChannelKind::parse(channel)) {
        ("taken", Some(channel)) => accepted_words(channel),
        _ => outcome.to_owned(),
    }
}

fn said_text(text: &mut String, said: &Said) {
    let message = &said.message;
    let _ = writeln!(text, "\n  {}: {}", told(message), message.state);
    if let Some(because) = &message.because {
        let _ = writeln!(text, "    because {}", printable(because));
    }
    for attempt in &said.outcomes {
        let detail = attempt.detail.as_deref().map(|detail| format!(", {}", printable(detail))).unwrap_or_default();
        let at = attempt.at.format("%H:%M:%S");
        let outcome = outcome_words(&message.channel, &attempt.outcome);
        let _ = writeln!(text, "    {} at {at}: {outcome}{detail}", attempt.number);
    }
    if let Some(delivery) = &message.delivery {
        let _ = writeln!(text, "    then reported as {}", printable(delivery));
    }
}
