//! `ack`, `snooze`, `resolve` and `escalate`: what a person does to an alert, beside the running service.
//!
//! It does the same as the page, in one transaction with its row in the audit log. The service follows it from its next
//! turn on. A ticket's number may stand in for an alert's id.

use clap::Args;

use super::alerts::{meant, shown};
use super::{CliError, token};
use crate::alert::life::{Act, Actor, How};
use crate::config::Config;
use crate::service::Service;
use crate::service::alerts::SnoozeOrder;

#[derive(Debug, Args)]
pub(super) struct ActArgs {
    /// An alert's id, as `alerts` shows it, or a ticket's number: then all its open alerts
    id: String,
    /// Only of this tenant: where several have a ticket of that number
    #[arg(long, value_name = "NAME")]
    tenant: Option<String>,
    /// Who acts; else the login name. Cut after 60 characters
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    /// What to say about it in the audit log. Cut after 500 characters
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    #[arg(long)]
    json: bool,
}

/// The action to take; a snooze has its length.
pub enum Requested {
    Do(Act),
    SnoozeFor(String),
}

/// Takes the action, and prints the alert as it stands afterwards.
pub async fn act(config: Config, requested: Requested, args: ActArgs) -> Result<(), CliError> {
    let scope = super::scope(&config, args.tenant.as_deref())?;
    let (service, store) = super::offline_service(config).await?;
    let act = match requested {
        Requested::Do(act) => act,
        Requested::SnoozeFor(length) => snooze(&service, length)?,
    };
    let mut alerts = Vec::new();
    for id in meant(&service, &scope, &args.id).await? {
        alerts.extend(service.act_on_alert(&scope, &id, act, &actor(&args)).await?);
    }
    super::print(&shown(&alerts, &args.id, args.json)?)?;
    store.close().await;
    Ok(())
}

fn snooze(service: &Service, length: String) -> Result<Act, CliError> {
    let order = SnoozeOrder { length: Some(length), ..SnoozeOrder::default() };
    service.snooze(&order).map_err(CliError::usage)
}

/// Returns who acts: the person named, else the login name.
fn actor(args: &ActArgs) -> Actor {
    let author = token::at_the_command_line();
    let name = args.by.as_deref().and_then(Actor::named).unwrap_or(author.who);
    Actor { name, how: How::CommandLine, origin: author.origin, note: args.note.as_deref().map(Actor::noted) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_acts_and_what_they_say_is_cut_as_on_the_page() {
        let long = |text: &str| Some(text.repeat(100_000));
        let args = ActArgs { id: "7".to_owned(), tenant: None, by: long("é"), note: long(" ü"), json: false };
        let actor = actor(&args);
        assert_eq!((actor.name.chars().count(), actor.note.unwrap().chars().count()), (60, 500));
        let blank = ActArgs { by: Some("  ".to_owned()), note: None, ..args };
        assert_eq!(super::actor(&blank).name, token::at_the_command_line().who);
    }
}
