//! Write-back to tickets at SuperOps: private notes, and the changes of escalation steps.
//!
//! Off unless a tenant asks for it. What we write touches the ticket like any
//! other edit, but is no sign that a person works on it, so our own touches are
//! told apart from theirs. Nothing here reads the time, a file or the network:
//! the same input gives the same answer.

use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::on_call::Person;

/// How far SuperOps' clock may differ from ours when it says when a ticket was touched.
const CLOCKS_APART: TimeDelta = TimeDelta::seconds(30);
/// The longest that a write whose answer was lost can take to be carried out.
const LONGEST_WRITE: TimeDelta = TimeDelta::seconds(90);

/// What a tenant wants written to its tickets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WriteBack {
    /// A note when a target is missed.
    pub note_breach: bool,
    /// A note when a later step of the escalation runs.
    pub note_escalation: bool,
    /// Steps may reassign tickets and set their priority.
    pub changes: bool,
}

impl WriteBack {
    /// Whether anything is written at all.
    pub fn is_on(self) -> bool {
        self.note_breach || self.note_escalation || self.changes
    }
}

/// What a step changes on the ticket when it runs.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct TicketChange {
    /// A technician by id, email address or name.
    pub reassign_to: Option<Person>,
    pub set_priority: Option<String>,
}

impl TicketChange {
    /// Whether the ticket stays as it is.
    pub fn is_none(&self) -> bool {
        self.reassign_to.is_none() && self.set_priority.is_none()
    }
}

impl fmt::Debug for TicketChange {
    /// Leaves out the person: names and addresses do not belong in logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { reassign_to, set_priority } = self;
        f.debug_struct("TicketChange").field("reassign_to", reassign_to).field("set_priority", set_priority).finish()
    }
}

/// One thing to write to a ticket.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum WriteBackAction {
    /// A private note; a reference is added so that it can be found again.
    Note { html: String },
    /// Assigns the ticket, unless a person has assigned it to somebody other than `from` meanwhile.
    Reassign {
        /// A technician by id, email address or name.
        to: String,
        /// The id of the person who had it when this was decided.
        from: Option<String>,
    },
    /// Sets the priority, unless a person has set one other than `from` meanwhile.
    Priority { to: String, from: Option<String> },
}

impl WriteBackAction {
    /// Returns the name used in the store, in the API and in metrics.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Note { .. } => "note",
            Self::Reassign { .. } => "reassign",
            Self::Priority { .. } => "priority",
        }
    }
}

impl fmt::Debug for WriteBackAction {
    /// Leaves out names, addresses and the note's text.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WriteBackAction({})", self.kind())
    }
}

/// One touch of a ticket by this program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnTouch {
    pub begun_at: DateTime<Utc>,
    /// None if the answer was lost.
    pub answered_at: Option<DateTime<Utc>>,
    /// When the ticket was last touched before, as far as was known.
    pub before: Option<DateTime<Utc>>,
}

impl OwnTouch {
    fn is_at(&self, at: DateTime<Utc>) -> bool {
        let end = self.answered_at.unwrap_or(self.begun_at + LONGEST_WRITE);
        self.begun_at - CLOCKS_APART <= at && at <= end + CLOCKS_APART
    }
}

/// Returns when somebody else last touched a ticket that was last touched at `touched_at`, given our own touches.
///
/// What a person did just before we wrote was known then and counts; what a person
/// does within the same half minute is taken for ours.
pub fn touched_by_others(touched_at: Option<DateTime<Utc>>, own: &[OwnTouch]) -> Option<DateTime<Utc>> {
    let mut touched_at = touched_at?;
    // Each of our touches hides at most one moment and leads to an earlier one.
    for _ in 0..=own.len() {
        let Some(ours) = own.iter().find(|touch| touch.is_at(touched_at)) else { return Some(touched_at) };
        touched_at = ours.before.filter(|before| *before < touched_at)?;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> DateTime<Utc> {
        "2026-11-23T09:00:00Z".parse::<DateTime<Utc>>().unwrap() + TimeDelta::minutes(minute)
    }

    fn ours(minute: i64, before: Option<i64>) -> OwnTouch {
        OwnTouch { begun_at: at(minute), answered_at: Some(at(minute)), before: before.map(at) }
    }

    #[test]
    fn our_own_touch_is_not_taken_for_somebody_elses() {
        let cases = [
            ("nobody wrote", Some(5), vec![], Some(5)),
            ("a person after us", Some(9), vec![ours(5, Some(2))], Some(9)),
            ("only we, after a person", Some(5), vec![ours(5, Some(2))], Some(2)),
            ("only we, twice, after a person", Some(7), vec![ours(5, Some(2)), ours(7, Some(5))], Some(2)),
            ("only we, ever", Some(5), vec![ours(5, None)], None),
            ("two writes in one go", Some(5), vec![ours(5, Some(5)), ours(5, Some(2))], None),
        ];
        for (name, touched, own, expected) in cases {
            assert_eq!(touched_by_others(touched.map(at), &own), expected.map(at), "{name}");
        }
    }

    #[test]
    fn a_write_without_an_answer_may_have_touched_the_ticket_a_little_later() {
        let lost = OwnTouch { begun_at: at(5), answered_at: None, before: None };
        assert_eq!(touched_by_others(Some(at(6)), &[lost]), None);
        assert_eq!(touched_by_others(Some(at(8)), &[lost]), Some(at(8)));
    }

    #[test]
    fn what_is_written_stays_out_of_debug_texts() {
        let action = WriteBackAction::Reassign { to: "alice@example.com".to_owned(), from: None };
        assert_eq!(format!("{action:?}"), "WriteBackAction(reassign)");
        let change = TicketChange { reassign_to: Some(Person::parse("alice@example.com")), set_priority: None };
        assert!(!format!("{change:?}").contains("alice"));
    }
}
