//! A ticket of the look-alike, and how its due times behave while it waits on somebody.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::hours::Hours;
use crate::ticket::StatusMeaning;

/// Text shared by many tickets: a status, a priority, a name.
pub type Text = Arc<str>;

/// Something a ticket points at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ref {
    pub id: u64,
    pub name: Text,
}

/// What happens to the resolution's due time when a ticket waits. Which of these the real service does is unknown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DueOnPause {
    /// It stands still while the ticket waits, and jumps when work goes on.
    #[default]
    MovesOnResume,
    /// It moves with the clock while the ticket waits, without touching the updated time.
    MovesWhilePaused,
    /// It never moves: a pause does not help.
    Never,
}

/// One of the two promises.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SimClock {
    pub due: Option<DateTime<Utc>>,
    /// When it was answered or resolved.
    pub met_at: Option<DateTime<Utc>>,
}

/// An entry of a ticket's conversation. Its words are made up when somebody asks for them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConversationEntry {
    pub at: DateTime<Utc>,
    pub kind: EntryKind,
    pub by: Option<Ref>,
}

/// Who spoke; the names are SuperOps' own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryKind {
    Description,
    RequesterReply,
    RequesterNotification,
    TechnicianReply,
}

/// A note on a ticket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SimNote {
    pub id: u64,
    pub at: DateTime<Utc>,
    pub content: String,
    pub privacy: Text,
}

/// A ticket as the look-alike keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SimTicket {
    pub id: u64,
    pub display_id: String,
    pub subject: String,
    pub request_type: Option<Text>,
    pub source: &'static str,
    pub client: Option<Ref>,
    pub site: Option<Ref>,
    pub requester: Option<Ref>,
    pub group: Option<Ref>,
    pub technician: Option<Ref>,
    pub sla: Option<Ref>,
    pub status: Option<Text>,
    pub priority: Option<Text>,
    pub category: Option<Text>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    pub first_response: SimClock,
    pub resolution: SimClock,
    pub conversation: Vec<ConversationEntry>,
    pub notes: Vec<SimNote>,
    /// Soft-deleted: in no list, but it can be restored.
    pub deleted: bool,
    /// The hours in which its SLA counts.
    pub hours: Arc<Hours>,
    pub paused_since: Option<DateTime<Utc>>,
}

impl SimTicket {
    /// Whether work on it is over.
    pub fn is_resolved(&self) -> bool {
        self.resolution.met_at.is_some()
    }

    /// Changes to `status`, which means `meaning`, with every consequence for the clocks.
    pub fn move_to(&mut self, status: Text, meaning: StatusMeaning, at: DateTime<Utc>, rule: DueOnPause) {
        if !meaning.is_paused() {
            self.resume(at, rule);
        } else if self.paused_since.is_none() {
            self.paused_since = Some(at);
        }
        self.resolution.met_at = match meaning {
            StatusMeaning::Closed => Some(self.resolution.met_at.unwrap_or(at)),
            _ => None,
        };
        self.status = Some(status);
        self.updated_at = at;
    }

    fn resume(&mut self, at: DateTime<Utc>, rule: DueOnPause) {
        let Some(since) = self.paused_since.take() else { return };
        if rule != DueOnPause::Never {
            self.resolution.due = self.resolution.due.map(|due| self.moved(due, since, at));
        }
    }

    /// Returns `due` moved later by the working time of a pause. A due time that had passed stays where it was.
    fn moved(&self, due: DateTime<Utc>, since: DateTime<Utc>, until: DateTime<Utc>) -> DateTime<Utc> {
        if due <= since { due } else { self.hours.after(due, self.hours.between(since, until)) }
    }

    /// Returns the resolution's due time as shown at `now`.
    pub fn resolution_due(&self, rule: DueOnPause, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match (rule, self.paused_since, self.resolution.due) {
            (DueOnPause::MovesWhilePaused, Some(since), Some(due)) => Some(self.moved(due, since, now)),
            (_, _, due) => due,
        }
    }

    /// Returns the flag that the first response is too late. It changes by itself: nothing touches the updated time.
    pub fn response_violated(&self, now: DateTime<Utc>) -> Option<bool> {
        Some(self.first_response.met_at.unwrap_or(now) > self.first_response.due?)
    }

    /// Returns the flag that the resolution is too late.
    pub fn resolution_violated(&self, rule: DueOnPause, now: DateTime<Utc>) -> Option<bool> {
        let stands_still = self.paused_since.filter(|_| rule != DueOnPause::Never);
        Some(self.resolution.met_at.or(stands_still).unwrap_or(now) > self.resolution.due?)
    }

    /// Returns the working time left until `due`; negative once it has passed.
    pub fn left_until(&self, due: DateTime<Utc>, now: DateTime<Utc>) -> TimeDelta {
        if due < now { -self.hours.between(due, now) } else { self.hours.between(now, due) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulator::world::blank_ticket;

    fn at(minute: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + minute * 60, 0).unwrap()
    }

    fn due_in_an_hour() -> SimTicket {
        let mut ticket = blank_ticket(at(0));
        ticket.resolution.due = Some(at(60));
        ticket
    }

    #[test]
    fn a_pause_of_half_an_hour_moves_the_due_time_as_the_switch_says() {
        let cases =
            [(DueOnPause::MovesOnResume, 60, 90), (DueOnPause::MovesWhilePaused, 80, 90), (DueOnPause::Never, 60, 60)];
        for (rule, while_paused, afterwards) in cases {
            let mut ticket = due_in_an_hour();
            ticket.move_to("Waiting".into(), StatusMeaning::Paused, at(10), rule);
            assert_eq!(ticket.resolution_due(rule, at(30)), Some(at(while_paused)), "{rule:?} while paused");
            ticket.move_to("Open".into(), StatusMeaning::Open, at(40), rule);
            assert_eq!(ticket.resolution_due(rule, at(45)), Some(at(afterwards)), "{rule:?} afterwards");
        }
    }

    #[test]
    fn the_flag_turns_after_the_due_time_and_not_at_it_nor_during_a_pause() {
        let mut ticket = due_in_an_hour();
        let rule = DueOnPause::MovesOnResume;
        assert_eq!(ticket.resolution_violated(rule, at(60)), Some(false));
        assert_eq!(ticket.resolution_violated(rule, at(61)), Some(true));
        ticket.move_to("Waiting".into(), StatusMeaning::Paused, at(10), rule);
        assert_eq!(ticket.resolution_violated(rule, at(61)), Some(false));
        assert_eq!(ticket.resolution_violated(DueOnPause::Never, at(61)), Some(true));
    }

    #[test]
    fn a_reopened_ticket_is_no_longer_resolved() {
        let mut ticket = due_in_an_hour();
        ticket.move_to("Closed".into(), StatusMeaning::Closed, at(10), DueOnPause::Never);
        assert_eq!(ticket.resolution.met_at, Some(at(10)));
        ticket.move_to("Reopened".into(), StatusMeaning::Open, at(20), DueOnPause::Never);
        assert!(!ticket.is_resolved());
        assert_eq!(ticket.updated_at, at(20));
    }
}
