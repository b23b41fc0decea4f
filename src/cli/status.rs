//! `status`: open tickets worst first, or one ticket, from the service's store.

use std::fmt::Write;

use chrono::{DateTime, Utc};
use clap::Args;
use unicode_width::UnicodeWidthStr;

use super::CliError;
use crate::config::{ChannelKind, Config};
use crate::formats::text::visible;
use crate::notify;
use crate::service::alerts::HoldView;
use crate::service::messages::Said;
use crate::service::{ClockStatus, MessageView, Overview, Reach, Service, TicketPage, TicketQuery, TicketSla};
use crate::store::Store;
use crate::terminal;

#[derive(Debug, Args)]
pub(super) struct StatusArgs {
    /// An id or what people call it, like 062822-0005
    ticket: Option<String>,
    /// Print JSON, for other programs
    #[arg(long)]
    json: bool,
    /// How many tickets to show
    #[arg(long, value_name = "N", default_value_t = 40)]
    limit: usize,
    /// Only this tenant's
    #[arg(long, value_name = "NAME")]
    tenant: Option<String>,
}

/// The longest subject in a table.
const SUBJECT_WIDTH: usize = 36;
/// Shown instead of a technician for a ticket that nobody has.
pub(super) const UNASSIGNED: &str = "unassigned";
/// Shown under a table in which working time differs from wall time.
pub(super) const WORKING_TIME: &str = "Times left and over are working time.\n";

/// Runs the command.
pub(super) async fn status(config: Config, args: StatusArgs) -> Result<(), CliError> {
    let scope = super::scope(&config, args.tenant.as_deref())?;
    let scope = match &args.ticket {
        Some(id) => tenant_of(&config, &scope, id).await?,
        None => scope,
    };
    let (service, store) = super::foreseeing_service(config, &scope).await?;
    let text = match &args.ticket {
        Some(id) => one(&service, &scope, id, args.json).await?,
        None => all(&service, &store, &scope, &args).await?,
    };
    super::print(&text)?;
    store.close().await;
    Ok(())
}

/// Returns the tenant whose ticket `id` is, so that only its forecasts have to be computed.
pub(super) async fn tenant_of(config: &Config, scope: &Reach, id: &str) -> Result<Reach, CliError> {
    let store = super::existing_store(config, Default::default()).await?;
    let found = store.find_ticket(scope, id).await?;
    store.close().await;
    match found.as_slice() {
        [] => Err(super::no_such_ticket(id)),
        [(tenant, _)] => Ok(Reach::One(tenant.clone())),
        _ => Ok(scope.clone()),
    }
}

async fn one(service: &Service, scope: &Reach, id: &str, json: bool) -> Result<String, CliError> {
    let Some(ticket) = service.ticket(scope, id).await? else {
        return Err(super::no_such_ticket(id));
    };
    if json {
        return super::as_json(&ticket);
    }
    let messages = service.messages(scope, Some(&ticket.ticket_id), 50).await?;
    Ok(ticket_text(&ticket, &messages))
}

async fn all(service: &Service, store: &Store, scope: &Reach, args: &StatusArgs) -> Result<String, CliError> {
    let query = TicketQuery { limit: Some(args.limit), ..TicketQuery::default() };
    let page = service.tickets(scope, &query).await?;
    if args.json {
        return super::as_json(&page);
    }
    let overview = service.overview(scope).await?;
    let no_texts = super::no_texts::lines(store, overview.now).await?;
    Ok(page_text(&overview, &no_texts, &page, terminal::colours(), terminal::columns()))
}

/// Returns `page` as a table whose lines take at most `columns` columns, below a summary of the whole desk.
pub fn page_text(
    overview: &Overview,
    no_texts: &[String],
    page: &TicketPage,
    colours: bool,
    columns: Option<usize>,
) -> String {
    let mut text = format!("{} open: {}\n", overview.counts.open, overview.counts.in_words());
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
    text.push('\n');
    text.push_str(&ticket_table(page, overview.tenants.len() > 1, colours, columns));
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

/// A column of the table of tickets.
struct Column {
    head: &'static str,
    cell: fn(&TicketSla) -> String,
    /// Left out on a narrow terminal.
    roomy: bool,
    /// The shortest that its cells may be cut to.
    least: usize,
}

/// A terminal with fewer columns is narrow.
const ROOMY: usize = 110;
const NEVER_CUT: usize = usize::MAX;
/// The longest ticket number that is shown whole; nobody says a longer one.
const LONGEST_NUMBER: usize = 40;

const COLUMNS: [Column; 9] = [
    Column {
        head: "TICKET",
        cell: |ticket| shortened(&printable(&ticket.display_id), LONGEST_NUMBER),
        roomy: false,
        least: NEVER_CUT,
    },
    Column { head: "TENANT", cell: |ticket| ticket.tenant.clone(), roomy: false, least: 6 },
    Column { head: "STANDING", cell: |ticket| ticket.standing.replace('_', " "), roomy: false, least: NEVER_CUT },
    Column { head: "RESPONSE", cell: |ticket| time_of(ticket, 0), roomy: false, least: 12 },
    Column { head: "RESOLUTION", cell: |ticket| time_of(ticket, 1), roomy: false, least: 12 },
    Column { head: "PRIORITY", cell: |ticket| or_dash(&ticket.priority), roomy: true, least: NEVER_CUT },
    Column { head: "TECHNICIAN", cell: owner, roomy: false, least: 10 },
    Column { head: "CLIENT", cell: |ticket| or_dash(&ticket.client), roomy: true, least: 10 },
    Column { head: "SUBJECT", cell: subject, roomy: false, least: 8 },
];

fn time_of(ticket: &TicketSla, clock: usize) -> String {
    ticket.clocks.get(clock).map(ClockStatus::time_words).unwrap_or_default()
}

fn or_dash(text: &Option<String>) -> String {
    text.as_deref().map_or("–".to_owned(), printable)
}

fn subject(ticket: &TicketSla) -> String {
    shortened(&printable(&ticket.subject), SUBJECT_WIDTH)
}

/// Says in words that a ticket is at risk; the colour only repeats it.
fn ticket_table(page: &TicketPage, several: bool, colours: bool, columns: Option<usize>) -> String {
    let narrow = columns.is_some_and(|columns| columns < ROOMY);
    let shown = |column: &&Column| (several || column.head != "TENANT") && !(narrow && column.roomy);
    let shown: Vec<_> = COLUMNS.iter().filter(shown).collect();
    let head: Vec<_> = shown.iter().map(|column| column.head).collect();
    let mut rows: Vec<Vec<String>> =
        page.tickets.iter().map(|ticket| shown.iter().map(|column| (column.cell)(ticket)).collect()).collect();
    if let Some(columns) = columns {
        let least: Vec<_> = shown.iter().map(|column| column.least).collect();
        fit(&head, &mut rows, &least, columns);
    }
    lines(&head, &rows, |row| paint(&page.tickets[row], colours))
}

/// Cuts the cells of the widest columns that may be cut until a line takes at most `columns` columns, if possible.
fn fit(head: &[&str], rows: &mut [Vec<String>], least: &[usize], columns: usize) {
    let mut widths = widths(head, rows);
    let total = |widths: &[usize]| widths.iter().sum::<usize>() + GAP.len() * widths.len().saturating_sub(1);
    let may_be_cut = |widths: &[usize]| {
        let cuttable = (0..widths.len()).filter(|column| widths[*column] > least[*column].max(head[*column].len()));
        cuttable.max_by_key(|column| widths[*column])
    };
    while total(&widths) > columns {
        let Some(widest) = may_be_cut(&widths) else { break };
        widths[widest] -= 1;
    }
    for row in rows {
        for (cell, width) in row.iter_mut().zip(&widths) {
            *cell = shortened(cell, *width);
        }
    }
}

/// `Yuki Tanaka, acknowledged by Mia until 15:02 UTC`.
fn owner(ticket: &TicketSla) -> String {
    let owner = ticket.technician.as_deref().map_or(UNASSIGNED.to_owned(), printable);
    let held = ticket.held.first().map(|held| format!(", {}", hold_words(&held.hold))).unwrap_or_default();
    owner + &held
}

pub(super) fn hold_words(hold: &HoldView) -> String {
    let until = hold.until.map(|until| format!(" until {}", until.format("%H:%M UTC"))).unwrap_or_default();
    format!("{} by {}{until}", hold.kind, printable(&hold.by))
}

/// `breached alert to Mia Brandt by sms`, `digest to Slack`: a system has no channel but itself.
pub(super) fn told(message: &MessageView) -> String {
    let MessageView { kind, stage, channel, .. } = message;
    let what = if stage == kind { kind.clone() } else { format!("{stage} {kind}") };
    let is_system = ChannelKind::parse(channel).is_some_and(ChannelKind::is_system);
    let way = if is_system { String::new() } else { format!(" by {channel}") };
    format!("{what} to {}{way}", printable(&message.recipient))
}

/// Text from outside, without what could steer a terminal.
pub(super) fn printable(text: &str) -> String {
    visible(text)
}

fn shortened(text: &str, width: usize) -> String {
    if width_of(text) <= width {
        return text.to_owned();
    }
    // What is joined to a character may widen it, so each beginning is measured as a whole.
    let ends = text.char_indices().map(|(at, c)| at + c.len_utf8());
    let end = ends.take_while(|end| width_of(&text[..*end]) < width).last().unwrap_or(0);
    format!("{}…", text[..end].trim_end())
}

/// How many columns of a terminal `text` takes: wide characters take two, those joined to others none.
pub(super) fn width_of(text: &str) -> usize {
    UnicodeWidthStr::width(text)
}

/// Returns `text` filled up to `width` columns.
pub(super) fn padded(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(width_of(text))))
}

/// What stands between two columns.
const GAP: &str = "  ";

/// Aligned columns; the last is as wide as it needs to be.
pub(super) fn table<const N: usize>(
    head: [&str; N],
    rows: &[[String; N]],
    paint: impl Fn(usize) -> (&'static str, &'static str),
) -> String {
    lines(&head, rows, paint)
}

fn widths(head: &[&str], rows: &[impl AsRef<[String]>]) -> Vec<usize> {
    let cells = |column: usize| rows.iter().map(move |row| width_of(&row.as_ref()[column]));
    let width = |(column, head): (usize, &&str)| cells(column).chain([width_of(head)]).max().unwrap_or(0);
    head.iter().enumerate().map(width).collect()
}

fn lines(
    head: &[&str],
    rows: &[impl AsRef<[String]>],
    paint: impl Fn(usize) -> (&'static str, &'static str),
) -> String {
    let widths = widths(head, rows);
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        cells.zip(&widths).map(|(text, width)| padded(text, *width)).collect::<Vec<_>>().join(GAP).trim_end().to_owned()
    };
    let mut text = format!("{}\n", line(&mut head.iter().copied()));
    for (index, row) in rows.iter().enumerate() {
        let (on, off) = paint(index);
        let _ = writeln!(text, "{on}{}{off}", line(&mut row.as_ref().iter().map(String::as_str)));
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
    let mut text = format!("{} {}\n", printable(&ticket.display_id), shortened(&printable(&ticket.subject), 100));
    let fields = [
        ("tenant", &Some(ticket.tenant.clone())),
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
        let when = message.done_at.unwrap_or(message.due_at).format("%a %d %b %H:%M:%S UTC");
        let _ = writeln!(text, "  {when}  {}: {}", told(message), message.state);
    }
    text
}

/// Says what its times are of, if that differs from wall time.
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

/// Says how likely a clock is to breach, when it is likely to be done, and why.
pub(super) fn forecast_text(text: &mut String, clock: &ClockStatus) {
    let Some(said) = &clock.forecast else { return };
    let time = |at: DateTime<Utc>| at.format("%a %d %b %Y %H:%M UTC").to_string();
    let likely = said.probability * 100.0;
    let _ = writeln!(text, "  {:<13}{likely:.0} % likely to breach, from {}", "forecast", said.grounds());
    if !said.relied_on {
        let _ = writeln!(text, "  {:<13}not relied on: risk and alerts go by the clock alone", "");
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_told_with_its_channel_and_a_system_is_named_once() {
        let message = |stage: &str, kind: &str, channel: &str, recipient: &str| MessageView {
            key: "k".to_owned(),
            tenant: "acme".to_owned(),
            ticket_id: None,
            component: None,
            display_id: None,
            kind: kind.to_owned(),
            stage: stage.to_owned(),
            step: 0,
            channel: channel.to_owned(),
            recipient: recipient.to_owned(),
            state: "sent".to_owned(),
            held_by: None,
            bundle: None,
            created_at: DateTime::UNIX_EPOCH,
            due_at: DateTime::UNIX_EPOCH,
            sent_at: None,
            done_at: None,
            attempts: 1,
            last_error: None,
            delivery: None,
            because: None,
        };
        assert_eq!(told(&message("breached", "alert", "sms", "Mia Brandt")), "breached alert to Mia Brandt by sms");
        assert_eq!(told(&message("breached", "alert", "slack", "Slack")), "breached alert to Slack");
        assert_eq!(told(&message("digest", "digest", "teams", "Teams")), "digest to Teams");
    }

    #[test]
    fn a_line_is_cut_to_the_terminal_at_its_widest_columns() {
        let head = ["TICKET", "TECHNICIAN", "SUBJECT"];
        let row = ["062822-0005", "Bartholomew Featherstonehaugh", "The mail server is down again"];
        let mut rows = vec![row.map(str::to_owned).to_vec()];
        fit(&head, &mut rows, &[NEVER_CUT, 10, 8], 40);
        assert_eq!(rows[0], ["062822-0005", "Bartholomew…", "The mail se…"]);
        assert!(lines(&head, &rows, |_| ("", "")).lines().all(|line| line.chars().count() <= 40));
        fit(&head, &mut rows, &[NEVER_CUT, 10, 8], 10);
        assert_eq!(rows[0][0], "062822-0005", "a number that is cut is of no use");
    }

    #[test]
    fn columns_stand_below_each_other_after_wide_and_joined_characters() {
        let rows =
            ["打印机坏了", "Jose\u{301}", "👩\u{200d}💻 Ada", "Mia"].map(|name| [name.to_owned(), "1".to_owned()]);
        let text = table(["NAME", "TICKETS"], &rows[..], |_| ("", ""));
        let starts: Vec<_> = text.lines().skip(1).map(|line| width_of(line.trim_end_matches('1'))).collect();
        assert_eq!(starts, [12; 4], "{text}");
        assert_eq!(text.lines().next(), Some("NAME        TICKETS"));
        assert_eq!((shortened("打印机坏了", 6).as_str(), shortened("打印机", 6).as_str()), ("打印…", "打印机"));
        assert_eq!(shortened("Jose\u{301}", 4), "Jose\u{301}", "an accent takes no column");
    }
}
