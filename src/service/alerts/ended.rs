//! What an alert that has ended says about people: no more than reports do.

use super::{AlertView, HoldView};
use crate::alert::escalation::ChannelKind;
use crate::alert::life::State;
use crate::report::People;
use crate::service::audit::AuditEntry;
use crate::service::messages::{AttemptView, MessageView, Said};
use crate::service::reports::names::SOMEBODY;

impl AlertView {
    /// Whether people are not named in it, where reports tell them apart as far as `people` says.
    pub(in crate::service) fn withholds_names(&self, people: People) -> bool {
        self.state == State::Resolved && people != People::Named
    }

    /// An alert that has ended is a figure about its holder: it names people as reports do. Who was told and who took it
    /// on may be the holder, so they are not named either. The others still name who has the ticket.
    pub(in crate::service) fn told_as_reports(self, people: People) -> Self {
        if !self.withholds_names(people) {
            return self;
        }
        let somebody = self.technician.is_some() && people == People::Pseudonyms;
        let by_somebody = |act: AuditEntry| AuditEntry { who: SOMEBODY.to_owned(), ..act };
        Self {
            technician: somebody.then(|| SOMEBODY.to_owned()),
            hold: self.hold.map(|hold| HoldView { by: SOMEBODY.to_owned(), ..hold }),
            notifications: self.notifications.into_iter().map(unnamed).collect(),
            acts: self.acts.into_iter().map(by_somebody).collect(),
            ..self
        }
    }
}

fn unnamed(said: Said) -> Said {
    let message = said.message;
    let is_system = ChannelKind::parse(&message.channel).is_some_and(ChannelKind::is_system);
    let recipient = if is_system { message.recipient } else { SOMEBODY.to_owned() };
    // What a server answered may quote an address, and why somebody was told may name the owner.
    let outcomes = said.outcomes.into_iter().map(|attempt| AttemptView { detail: None, ..attempt }).collect();
    Said { message: MessageView { recipient, because: None, last_error: None, ..message }, outcomes }
}
