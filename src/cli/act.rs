//! `ack`, `snooze`, `resolve` and `escalate`: what a person does to an alert, beside the running service.
//!
//! It is the same act as on the page, in one transaction with its row in the
//! audit log. The service goes by it from its next turn on.

use super::alerts::alert_text;
use super::{ActArgs, CliError, token};
use crate::alert::life::{Act, Actor, How};
use crate::config::Config;
use crate::service::alerts::SnoozeOrder;
use crate::service::{Scope, Service};

/// What is to be done; a snooze has its length.
pub enum Wish {
    Do(Act),
    SnoozeFor(String),
}

/// Does it, and shows the alert as it then stands.
pub async fn act(config: Config, wish: Wish, args: ActArgs) -> Result<(), CliError> {
    let (service, store) = super::offline_service(config).await?;
    let act = match wish {
        Wish::Do(act) => act,
        Wish::SnoozeFor(length) => snooze(&service, length)?,
    };
    let Some(alert) = service.act_on_alert(&Scope::All, &args.id, act, &actor(&args)).await? else {
        return Err(super::alerts::unknown(&args.id));
    };
    super::print(&if args.json { super::as_json(&alert)? } else { alert_text(&alert) });
    store.close().await;
    Ok(())
}

fn snooze(service: &Service, length: String) -> Result<Act, CliError> {
    let order = SnoozeOrder { length: Some(length), ..SnoozeOrder::default() };
    service.snooze(&order).map_err(CliError::usage)
}

/// Whoever is named; else the login name.
fn actor(args: &ActArgs) -> Actor {
    let author = token::at_the_command_line();
    let name = args.by.as_deref().map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned);
    let name = name.unwrap_or(author.who);
    Actor { name, how: How::CommandLine, origin: author.origin, note: args.note.clone() }
}
