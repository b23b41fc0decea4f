//! `breaches reasons` and `breaches reason`: why the clocks of a ticket were missed, and what a person says about it.
//!
//! It does the same as the page of a figure's entries, in one transaction with its row in the audit log.

use std::fmt::Write;

use clap::{Args, Subcommand};

use super::status::{printable, table};
use super::{CliError, token};
use crate::alert::life::Actor;
use crate::config::Config;
use crate::report::entry::Reason;
use crate::service::reports::question::clock_named;
use crate::service::reports::reasons::{ReasonOrder, ReasonView};
use crate::service::{Reach, Service};

#[derive(Debug, Subcommand)]
pub(super) enum ReasonCommand {
    /// Show why the clocks of a ticket were missed, and the reasons that can be given
    Reasons {
        #[command(flatten)]
        of: Of,
    },
    /// Say why a clock was missed, in place of what the history of its ticket tells
    Reason {
        #[command(flatten)]
        of: Of,
        /// One of those that `breaches reasons` names
        #[arg(required_unless_present = "take_back", conflicts_with = "take_back")]
        reason: Option<String>,
        /// first_response | resolution | next_response
        #[arg(long, value_name = "CLOCK", default_value = "resolution")]
        clock: String,
        /// Which round of the clock; by default the last one missed
        #[arg(long, value_name = "N")]
        round: Option<u32>,
        /// Take back what was said: the history of the ticket tells the reason again
        #[arg(long)]
        take_back: bool,
        /// Who says it; else the login name. Cut after 60 characters
        #[arg(long, value_name = "NAME")]
        by: Option<String>,
    },
}

#[derive(Debug, Args)]
pub(super) struct Of {
    /// The ticket's number or id
    ticket: String,
    /// Only this tenant's
    #[arg(long, value_name = "NAME")]
    tenant: Option<String>,
    /// Print JSON, for other programs
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(super) async fn reasons(config: Config, command: ReasonCommand) -> Result<(), CliError> {
    let (ReasonCommand::Reasons { of } | ReasonCommand::Reason { of, .. }) = &command;
    let scope = super::scope(&config, of.tenant.as_deref())?;
    let (service, store) = super::offline_service(config).await?;
    let text = match &command {
        ReasonCommand::Reasons { of } => {
            let found = service.reasons_of(&scope, &of.ticket).await?.ok_or_else(|| unknown(&of.ticket))?;
            if of.json { super::as_json(&found)? } else { all_text(&found) }
        }
        ReasonCommand::Reason { of, reason, clock, round, by, .. } => {
            let order = ReasonOrder { clock: clock_named(clock)?, round: *round, reason: reason.clone() };
            let said = say(&service, &scope, &of.ticket, &order, by.as_deref()).await?;
            if of.json { super::as_json(&said)? } else { rows_text(&[said]) }
        }
    };
    super::print(&text)?;
    store.close().await;
    Ok(())
}

async fn say(
    service: &Service,
    scope: &Reach,
    ticket: &str,
    order: &ReasonOrder,
    by: Option<&str>,
) -> Result<ReasonView, CliError> {
    let mut author = token::at_the_command_line();
    if let Some(name) = by.and_then(Actor::named) {
        author.who = name;
    }
    service.say_reason(scope, ticket, order, author).await?.ok_or_else(|| unknown(ticket))
}

fn unknown(ticket: &str) -> CliError {
    anyhow::anyhow!("no ticket `{ticket}` with such a breach is in the books; `superops-sla breaches` lists breaches")
        .into()
}

/// Lists the reasons of a ticket, and all that can be given.
fn all_text(views: &[ReasonView]) -> String {
    let mut text = if views.is_empty() { "none of its clocks was missed\n".to_owned() } else { rows_text(views) };
    text.push_str("\nReasons that can be given:\n");
    for reason in Reason::ALL {
        let _ = writeln!(text, "  {:<12}  {}", reason.as_str(), reason.words());
    }
    text
}

fn rows_text(views: &[ReasonView]) -> String {
    let said = |name: Option<&str>| name.unwrap_or("–").to_owned();
    let row = |view: &ReasonView| {
        [
            view.clock.to_owned(),
            view.round.to_string(),
            said(view.reason),
            said(view.words),
            said(view.from_history),
            view.said_by.as_deref().map_or_else(|| "–".to_owned(), printable),
        ]
    };
    let rows: Vec<_> = views.iter().map(row).collect();
    table(["CLOCK", "ROUND", "REASON", "IN WORDS", "BY ITS HISTORY", "SAID BY"], &rows, |_| ("", ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reasons_of_a_ticket_stand_above_those_that_can_be_given() {
        let view = ReasonView {
            clock: "resolution",
            round: 0,
            reason: Some("understaffed"),
            words: Some("more was due than could be done"),
            from_history: Some("waiting"),
            said_by: Some("Mia".to_owned()),
        };
        insta::assert_snapshot!(all_text(&[view]), @r"
        CLOCK       ROUND  REASON        IN WORDS                         BY ITS HISTORY  SAID BY
        resolution  0      understaffed  more was due than could be done  waiting         Mia

        Reasons that can be given:
          retargeted    retargeted, already late
          out_of_hours  broke out of hours
          unassigned    unassigned for half of the time
          paused_late   came back from a pause with little time left
          understaffed  more was due than could be done
          unwatched     not watched from its beginning
          waiting       untouched for half of the time
          worked_on     worked on
        ");
        assert!(all_text(&[]).starts_with("none of its clocks was missed\n"));
    }
}
