//! Which step of an escalation to run now, and what happens to an alert that reaches nobody.

use chrono::TimeDelta;
use tracing::error;

use super::TurnContext;
use crate::alert::escalation::Step;
use crate::store::alerts::AlertRow;

/// How soon an alert that reaches nobody is tried again: people get addresses, tickets get owners.
const NOBODY_AGAIN: TimeDelta = TimeDelta::minutes(5);

/// Returns which steps to try, in order, until one reaches somebody.
pub(super) fn steps_to_run(steps: &[Step], row: &AlertRow, context: &TurnContext<'_>) -> Vec<usize> {
    if !row.life.again {
        return (current_step(steps, row, context)..steps.len()).collect();
    }
    // It is told again: if nobody further up can be reached, people who know are better than nobody.
    let next = usize::try_from(row.step).unwrap_or(usize::MAX).min(steps.len().saturating_sub(1));
    (next..steps.len()).chain((0..next).rev()).collect()
}

/// Whether this alert was tried before and found nobody to tell.
pub(super) fn is_retry(row: &AlertRow, steps: &[Step]) -> bool {
    let first_due_at = steps.first().map(|first| row.steps_from + first.after);
    row.step == 0 && row.next_step_at > first_due_at
}

/// Returns the row after none of its steps reached anybody; `alert` is its name in logs.
pub(super) fn reaches_nobody(mut row: AlertRow, steps: &[Step], alert: &str, context: &TurnContext<'_>) -> AlertRow {
    if row.step > 0 {
        // People of the steps before were told.
        row.next_step_at = None;
        return row;
    }
    if !is_retry(&row, steps) {
        let key = &row.key;
        error!(tenant = %key.tenant, ticket.id = %key.subject, alert.id = %key.id(),
            "nobody can be told of {alert}: no step names anybody with an address; it is tried again until one does");
    }
    row.next_step_at = Some(context.now + NOBODY_AGAIN);
    row
}

/// Returns the step to run now: the next, or a later one whose time has come meanwhile. The first is never skipped.
fn current_step(steps: &[Step], row: &AlertRow, context: &TurnContext<'_>) -> usize {
    let next = usize::try_from(row.step).unwrap_or(usize::MAX);
    if next == 0 {
        return 0;
    }
    let after = |index: usize| steps.get(index).map(|step| step.after);
    let come = |index: usize| after(index).is_some_and(|after| row.steps_from + after <= context.now);
    let mut index = next;
    while after(index + 1) > after(index) && come(index + 1) {
        index += 1;
    }
    index
}
