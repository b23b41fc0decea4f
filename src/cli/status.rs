//! `status`: open tickets worst first, or one ticket, from the service's store.

use std::fmt::Write;
use std::io::IsTerminal;

use chrono::{DateTime, Utc};

use super::alerts::{hold_words, what};
use super::{CliError, StatusArgs};
use crate::config::Config;
use crate::notify;
use crate::service::alerts::Said;
use crate::service::{ClockStatus, Counts, Overview, Scope, Service, TicketPage, TicketQuery, TicketSla};
use crate::store::Store;

/// The longest subject in a table.
const SUBJECT_WIDTH: usize = 36;
/// Of a ticket that nobody has.
pub(super) const UNASSIGNED: &str = "unassigned";
/// Under a table in which it is not the same as wall time.
pub(super) const WORKING_TIME: &str = "Times left and over are working time.\n";

/// Answers and ends.
pub(super) async fn status(config: Config, args: StatusArgs) -> Result<(), CliError> {
    let scope = super::scope(&config, args.tenant.as_deref())?;
    let (service, store) = super::foreseeing_service(config).await?;
    let text = match &args.ticket {
        Some(id) => one(&service, id, args.json).await?,
        None => all(&service, &store, &scope, &args).await?,
    };
    super::print(&text);
    store.close().await;
    Ok(())
}

async fn one(service: &Service, id: &str, json: bool) -> Result<String, CliError> {
    let Some(ticket) = service.ticket(&Scope::All, id).await? else {
        return Err(anyhow::anyhow!("no ticket `{id}` is known; it may not have been read yet").into());
    };
    if json {
        return super::as_json(&ticket);
    }
    let messages = service.messages(&Scope::All, Some(&ticket.ticket_id), 50).await?;
    Ok(ticket_text(&ticket, &messages))
}

async fn all(service: &Service, store: &Store, scope: &Scope, args: &StatusArgs) -> Result<String, CliError> {
    let query = TicketQuery { limit: Some(args.limit), ..TicketQuery::default() };
    let page = service.tickets(scope, &query).await?;
    if args.json {
        return super::as_json(&page);
    }
    let overview = service.overview(scope).await?;
    let no_texts = super::no_texts::lines(store, overview.now).await?;
    Ok(page_text(&overview, &no_texts, &page, std::io::stdout().is_terminal()))
}

/// `page` as a table, under how the desk stands as a whole.
pub fn page_text(overview: &Overview, no_texts: &[String], page: &TicketPage, colours: bool) -> String {
    let Counts { open, breached, at_risk, on_track, paused, nothing_due } = overview.counts;
    let mut text = format!(
        "{open} open: {breached} breached, {at_risk} at risk, {on_track} on track, {paused} paused, \
         {nothing_due} with nothing due\n"
    );
    for tenant in &overview.tenants {
        let read = tenant.last_good_sync.map_or("never".to_owned(), |at| format!("{} ago", ago(at, overview.now)));
        let notes = tenant.trouble.iter().chain(&tenant.forecast).map(|note| format!("; {note}")).collect::<String>();
        let _ = writeln!(text, "{}: last read {read}{notes}", tenant.tenant);
        for line in &tenant.unlisted_statuses {
            let _ = writeln!(text, "{}: {}", tenant.tenant, printable(line));
        }
    }
    for line in no_texts {
        let _ = writeln!(text, "{}", printable(line));
    }
    let rows: Vec<[String; 7]> = page.tickets.iter().map(row).collect();
    text.push('\n');
    text.push_str(&table(
        ["TICKET", "RESPONSE", "RESOLUTION", "PRIORITY", "TECHNICIAN", "CLIENT", "SUBJECT"],
        &rows,
        |row| paint(&page.tickets[row], colours),
    ));
    if page.total > page.tickets.len() {
        let _ = writeln!(text, "… and {} more", page.total - page.tickets.len());
    }
    if page.tickets.iter().flat_map(|ticket| &ticket.clocks).any(|clock| !clock.round_the_clock) {
        text.push_str(WORKING_TIME);
    }
    text
}

fn ago(at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    notify::words((now - at).max(chrono::TimeDelta::zero()))
}

fn row(ticket: &TicketSla) -> [String; 7] {
    let or_dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "–".to_owned());
    let [response, resolution] =
        [0, 1].map(|index| ticket.clocks.get(index).map(ClockStatus::time_words).unwrap_or_default());
    [
        ticket.display_id.clone(),
        response,
        resolution,
        or_dash(&ticket.priority),
        owner(ticket),
        or_dash(&ticket.client),
        shortened(&printable(&ticket.subject), SUBJECT_WIDTH),
    ]
}

/// `Yuki Tanaka, acknowledged by Mia until 15:02 UTC`.
fn owner(ticket: &TicketSla) -> String {
    let owner = ticket.technician.as_deref().map_or(UNASSIGNED.to_owned(), printable);
    let held = ticket.held.first().map(|held| format!(", {}", hold_words(&held.hold))).unwrap_or_default();
    owner + &held
}

/// Text from outside, without what could steer a terminal.
pub(super) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn shortened(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let kept: String = text.chars().take(width - 1).collect();
    format!("{}…", kept.trim_end())
}

/// Aligned columns; the last is as wide as it needs to be.
pub(super) fn table<const N: usize>(
    head: [&str; N],
    rows: &[[String; N]],
    paint: impl Fn(usize) -> (&'static str, &'static str),
) -> String {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([head[column].chars().count()]).max().unwrap_or(0)
    };
    let widths: [usize; N] = std::array::from_fn(width);
    let line = |cells: [&str; N]| {
        let cell =
            |(index, text): (usize, &&str)| format!("{text}{}", " ".repeat(widths[index] - text.chars().count()));
        cells.iter().enumerate().map(cell).collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let mut text = format!("{}\n", line(head));
    for (index, row) in rows.iter().enumerate() {
        let (on, off) = paint(index);
        let _ = writeln!(text, "{on}{}{off}", line(std::array::from_fn(|column| row[column].as_str())));
    }
    text
}

fn paint(ticket: &TicketSla, colours: bool) -> (&'static str, &'static str) {
    match (colours, ticket.breach_risk_level) {
        (true, "CRITICAL") => ("\x1b[31m", "\x1b[0m"),
        (true, "HIGH") => ("\x1b[33m", "\x1b[0m"),
        _ => ("", ""),
    }
}

/// One ticket in full.
pub fn ticket_text(ticket: &TicketSla, messages: &[Said]) -> String {
    let mut text = format!("{} {}\n", ticket.display_id, shortened(&printable(&ticket.subject), 100));
    let fields = [
        ("client", &ticket.client),
        ("technician", &Some(ticket.technician.clone().unwrap_or_else(|| UNASSIGNED.to_owned()))),
        ("group", &ticket.group),
        ("status", &ticket.status),
        ("priority", &ticket.priority),
        ("SLA", &ticket.sla_policy),
    ];
    for (name, value) in fields {
        let _ = writeln!(text, "  {name:<11}{}", value.as_deref().map_or("–".to_owned(), printable));
    }
    let _ = writeln!(text, "  {:<11}{}", "risk", ticket.breach_risk_level);
    for held in &ticket.held {
        let _ = writeln!(text, "  {:<11}{}: {}", "held", held.clock.words(), hold_words(&held.hold));
    }
    for clock in &ticket.clocks {
        clock_text(&mut text, clock);
    }
    for discrepancy in &ticket.discrepancies {
        let _ = writeln!(text, "  differs    {}", printable(discrepancy));
    }
    for Said { message, .. } in messages {
        let when = message.sent_at.unwrap_or(message.due_at).format("%a %d %b %H:%M:%S UTC");
        let _ = writeln!(
            text,
            "  {when}  {} to {} by {}: {}",
            what(message),
            message.recipient,
            message.channel,
            message.state
        );
    }
    text
}

/// What its times are of, where that is not the same as wall time.
pub(super) fn unit(clock: &ClockStatus) -> &'static str {
    if clock.round_the_clock || (clock.remaining.is_none() && clock.over.is_none()) { "" } else { " (working time)" }
}

fn clock_text(text: &mut String, clock: &ClockStatus) {
    let _ = writeln!(text, "\n{}: {}{}", clock.clock.words(), clock.time_words(), unit(clock));
    let time = |at: DateTime<Utc>| at.format("%a %d %b %Y %H:%M:%S UTC").to_string();
    let lines = [
        ("due", clock.due),
        ("if resumed", clock.due_if_resumed_now),
        ("stopped", clock.met_at),
        ("at risk from", clock.at_risk_from),
    ];
    for (name, at) in lines {
        if let Some(at) = at {
            let _ = writeln!(text, "  {name:<13}{}", time(at));
        }
    }
    if !clock.hours.is_empty() {
        let _ = writeln!(text, "  {:<13}{}", "hours", clock.hours);
    }
    forecast_text(text, clock);
    for doubt in &clock.partial {
        let _ = writeln!(text, "  {:<13}{doubt}", "note");
    }
}

/// How likely a clock is to breach, when it is likely to be done, and why.
pub(super) fn forecast_text(text: &mut String, clock: &ClockStatus) {
    let Some(said) = &clock.forecast else { return };
    let time = |at: DateTime<Utc>| at.format("%a %d %b %Y %H:%M UTC").to_string();
    let likely = said.probability * 100.0;
    let _ = writeln!(text, "  {:<13}{likely:.0} % likely to breach, from {}", "forecast", said.grounds());
    if let Some((likely, (median, earliest))) =
        said.likely.as_ref().and_then(|likely| Some((likely, likely.median_at.zip(likely.earliest_at)?)))
    {
        let latest = likely.latest_at.map_or("much later".to_owned(), time);
        let _ = writeln!(text, "  {:<13}{}, between {} and {latest}", "likely done", time(median), time(earliest));
    }
    for reason in &said.reasons {
        let _ = writeln!(text, "  {:<13}{}", "because", printable(reason));
    }
}
