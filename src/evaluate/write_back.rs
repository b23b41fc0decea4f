//! What a turn wants written to tickets at SuperOps: notes of breaches and of later steps, and the changes of steps.

use maud::html;

use super::TurnContext;
use super::memory::stage_of;
use crate::alert::Stage;
use crate::alert::escalation::Step;
use crate::alert::write_back::WriteBackAction;
use crate::sla::clock::ClockState;
use crate::sla::zone::Tz;
use crate::store::alerts::{AlertRow, AlertTurn};
use crate::store::outbox::NewNotification;
use crate::store::write_backs::NewWriteBack;
use crate::ticket::watch::Watched;

/// A step that has just run.
pub(super) struct Ran<'a> {
    pub row: &'a AlertRow,
    pub index: usize,
    pub step: &'a Step,
    /// The index at which this step's notifications begin among the turn's.
    pub told_from: usize,
}

/// Asks for a note of the breach that was just raised.
pub(super) fn breached(context: &TurnContext<'_>, clock: &ClockState<'_>, row: &AlertRow, work: &mut AlertTurn) {
    if !context.tenant.write_back.note_breach || row.raised.stage != Stage::Breached {
        return;
    }
    let (what, due) = (clock.kind.words(), due_words(clock, row));
    let html = html! { p { "SLA watch: the " (what) " was due " (due) " and is breached." } }.into_string();
    work.write_backs.push(wanted(context, row, stage_of(row), WriteBackAction::Note { html }));
}

/// Asks for what a step that has run is to leave on the ticket.
pub(super) fn ran(
    context: &TurnContext<'_>,
    watched: &Watched,
    clock: &ClockState<'_>,
    ran: &Ran<'_>,
    work: &mut AlertTurn,
) {
    note(context, clock, ran, work);
    if context.tenant.write_back.changes {
        change(context, watched, ran, work);
    }
}

fn note(context: &TurnContext<'_>, clock: &ClockState<'_>, ran: &Ran<'_>, work: &mut AlertTurn) {
    let Ran { row, index, step, told_from } = ran;
    let told = told_words(&work.notifications[*told_from..]);
    let occasion = stage_of(row);
    let of_breach = work.write_backs.iter_mut().find(|one| one.alert == row.key && one.occasion == occasion);
    if let Some(NewWriteBack { action: WriteBackAction::Note { html }, .. }) = of_breach {
        // Raised in this turn, so one note says both.
        html.push_str(&html! { p { "Telling " (told) "." } }.into_string());
        return;
    }
    let is_later = *index > 0 || !step.after.is_zero();
    if !context.tenant.write_back.note_escalation || !is_later {
        return;
    }
    let (what, due, stage) = (clock.kind.words(), due_words(clock, row), stage_words(row.raised.stage));
    let number = index + 1;
    let html = html! {
        p { "SLA watch: step " (number) " of the escalation. The " (what) ", due " (due) ", " (stage) "." }
        p { "Telling " (told) "." }
    };
    let again = if row.life.again { format!("@{}", row.generation) } else { String::new() };
    let occasion = format!("{occasion}#{number}{again}");
    work.write_backs.push(wanted(context, row, occasion, WriteBackAction::Note { html: html.into_string() }));
}

/// Asks for the changes of a step. A step that runs again does not change the ticket again, since the occasion is the
/// same: people may have had reasons to change it back.
fn change(context: &TurnContext<'_>, watched: &Watched, ran: &Ran<'_>, work: &mut AlertTurn) {
    let occasion = format!("{}#{}", stage_of(ran.row), ran.index + 1);
    let ticket = &watched.ticket;
    let change = &ran.step.change;
    let from = || ticket.technician.as_ref().map(|person| person.id.to_string());
    let reassign =
        change.reassign_to.as_ref().map(|person| WriteBackAction::Reassign { to: person.text(), from: from() });
    let priority = |to: &String| WriteBackAction::Priority { to: to.clone(), from: ticket.priority.clone() };
    let actions = reassign.into_iter().chain(change.set_priority.as_ref().map(priority));
    work.write_backs.extend(actions.map(|action| wanted(context, ran.row, occasion.clone(), action)));
}

fn wanted(context: &TurnContext<'_>, row: &AlertRow, occasion: String, action: WriteBackAction) -> NewWriteBack {
    NewWriteBack { alert: row.key.clone(), occasion, action, created_at: context.now }
}

fn due_words(clock: &ClockState<'_>, row: &AlertRow) -> String {
    let zone = clock.hours.map_or(Tz::UTC, |hours| hours.timezone());
    row.raised.due.with_timezone(&zone).format("%a %-d %b %Y %H:%M %Z").to_string()
}

fn stage_words(stage: Stage) -> &'static str {
    match stage {
        Stage::Predicted => "is likely to be breached",
        Stage::Warning => "is at risk",
        Stage::Breached => "is breached",
    }
}

/// Returns `Mateo Alvarez by email and SMS; Slack`, without addresses.
fn told_words(told: &[NewNotification]) -> String {
    let mut people: Vec<(&str, &str, Vec<&str>)> = Vec::new();
    for one in told {
        let way = one.channel.words();
        match people.iter_mut().find(|(id, ..)| *id == one.recipient) {
            Some((_, _, ways)) => ways.push(way),
            None => people.push((&one.recipient, name_of(one), vec![way])),
        }
    }
    let words = people.into_iter().map(|(_, name, ways)| match name {
        "" => ways.join(" and "),
        name => format!("{name} by {}", ways.join(" and ")),
    });
    let words: Vec<_> = words.collect();
    if words.is_empty() { "nobody new".to_owned() } else { words.join("; ") }
}

/// Returns the name of a recipient; blank for a system, whose channel says it all.
fn name_of(told: &NewNotification) -> &str {
    match (told.channel, &told.message.to_name) {
        (channel, _) if channel.is_system() => "",
        (_, Some(name)) => name,
        (_, None) => "an address that the step names",
    }
}
