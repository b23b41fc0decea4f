//! The messages that the demo caught, as the terminal and the page show them.

use std::io::IsTerminal;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::simulator::receivers::{Caught, CaughtKind, CaughtList};
use crate::web;

/// How often new messages are shown on the terminal.
const SHOW_EVERY: Duration = Duration::from_millis(500);
/// The most messages shown at a time; the page has them all.
const SHOWN_AT_ONCE: usize = 6;

/// Shows what is caught on the terminal, one line each, for ever.
pub(super) async fn show(caught: &CaughtList) {
    let mut seen = 0;
    loop {
        tokio::time::sleep(SHOW_EVERY).await;
        let new = caught.total() - seen;
        seen += new;
        let mut new = caught.newest_first(usize::try_from(new).unwrap_or(usize::MAX));
        // A webhook tells machines what the other lines tell people.
        new.retain(|message| message.kind != CaughtKind::Webhook);
        for message in new.iter().take(SHOWN_AT_ONCE).rev() {
            eprintln!("{}", line(message, std::io::stderr().is_terminal()));
        }
        if new.len() > SHOWN_AT_ONCE {
            eprintln!("       … and {} more, on the page", new.len() - SHOWN_AT_ONCE);
        }
    }
}

fn line(message: &Caught, colours: bool) -> String {
    let (kind, said) = match message.kind {
        CaughtKind::Email => ("email", first_line(message)),
        CaughtKind::Voice => ("call", message.text.clone()),
        CaughtKind::Ntfy => ("push", first_line(message)),
        CaughtKind::Sms => ("text", message.text.clone()),
        CaughtKind::Slack => ("slack", message.text.lines().take(2).collect::<Vec<_>>().join(" – ")),
        CaughtKind::Teams => ("teams", message.text.lines().take(2).collect::<Vec<_>>().join(" – ")),
        CaughtKind::PagerDuty => ("page", format!("{} {}", message.subject, message.text)),
        CaughtKind::Webhook => ("hook", message.subject.clone()),
    };
    let said: String = said.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let (dim, plain) = if colours { ("\x1b[2m", "\x1b[0m") } else { ("", "") };
    format!("{dim}{}{plain}  {kind:<5}  {:<32}  {said}", message.at.format("%H:%M:%S"), message.to)
}

/// What a phone shows of a mail or a push: the subject, and how it begins.
fn first_line(message: &Caught) -> String {
    let begins = message.text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    format!("{} – {}", message.subject, begins.trim())
}

/// The caught messages, as the page shows them.
pub(super) struct Shown(pub(super) Arc<CaughtList>);

impl web::Caught for Shown {
    fn newest(&self, limit: usize) -> Value {
        let shown = |message: &Arc<Caught>| {
            let kind = message.kind.as_str();
            json!({ "at": message.at, "kind": kind, "to": message.to, "subject": message.subject, "text": message.text })
        };
        self.0.newest_first(limit).iter().map(shown).collect()
    }
}
