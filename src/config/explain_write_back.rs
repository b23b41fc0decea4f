//! The part of [`super::explain`] that is about what is written on tickets.

use super::explain_page::or_default;
use super::{TicketChange, WriteBack};

/// Says what is written on a tenant's tickets.
pub(super) fn words(write_back: WriteBack) -> String {
    let WriteBack { note_breach, note_escalation, changes } = write_back;
    let note = match (note_breach, note_escalation) {
        (true, true) => Some("a private note at each breach and each later step"),
        (true, false) => Some("a private note at each breach"),
        (false, true) => Some("a private note at each later step"),
        (false, false) => None,
    };
    let changes = changes.then_some("steps may reassign tickets and set their priority");
    let parts: Vec<_> = note.into_iter().chain(changes).collect();
    or_default(if parts.is_empty() { "nothing".to_owned() } else { parts.join("; ") }, parts.is_empty())
}

/// Says what a step changes on a ticket.
pub(super) fn change_words(change: &TicketChange) -> Vec<String> {
    let reassign = change.reassign_to.as_ref().map(|person| format!("the ticket goes to {}", person.text()));
    let priority = change.set_priority.as_ref().map(|name| format!("its priority becomes {name}"));
    reassign.into_iter().chain(priority).collect()
}
