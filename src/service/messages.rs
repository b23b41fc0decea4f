//! Who was told what, and how each attempt went.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::paging::{cut, last_place, way};
use super::{MOST_TICKETS, Reach, Service, ServiceError};
use crate::config::ChannelKind;
use crate::notify::{Body, TicketFacts};
use crate::store::latest::{LastShown, Way};
use crate::store::outbox::Logged;

/// One message to one person, as the outbox knows it. Addresses and numbers are left out.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct MessageView {
    pub key: String,
    pub tenant: String,
    /// The ticket, or the component, that it is about.
    pub ticket_id: Option<String>,
    /// The component that it is about; none if it is about a ticket.
    pub component: Option<String>,
    pub display_id: Option<String>,
    /// alert | recovery | acknowledged | digest | bundle | stale | fresh
    pub kind: String,
    pub stage: String,
    pub step: i64,
    pub channel: String,
    /// The person's name, or what the address is for.
    pub recipient: String,
    /// pending | bundled | sending | sent | failed | cancelled
    pub state: String,
    /// quiet_hours | cap | budget: what it waits for, or waited for last.
    pub held_by: Option<String>,
    /// The key of the message that says this together with others.
    pub bundle: Option<String>,
    pub created_at: DateTime<Utc>,
    pub due_at: DateTime<Utc>,
    pub sent_at: Option<DateTime<Utc>>,
    /// When it was sent, refused or cancelled; none while it waits.
    pub done_at: Option<DateTime<Utc>>,
    pub attempts: i64,
    pub last_error: Option<String>,
    /// The provider's last word on a message that it took, if it says: `delivered`, `undelivered`.
    pub delivery: Option<String>,
    /// Why this person was told: "you own this ticket".
    pub because: Option<String>,
}

/// What was told to whom, newest first unless asked for the other way.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
#[schema(as = Messages)]
pub struct MessagePage {
    pub messages: Vec<Said>,
    pub next_cursor: Option<String>,
}

/// The name of this list in its cursors, which fit no other list or order.
fn list(way: Way) -> &'static str {
    match way {
        Way::LatestFirst => "messages",
        Way::EarliestFirst => "messages by created",
    }
}

/// One notification and its attempts.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Said {
    #[serde(flatten)]
    pub message: MessageView,
    pub outcomes: Vec<AttemptView>,
}

/// How one attempt went.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AttemptView {
    pub number: u32,
    pub at: DateTime<Utc>,
    /// taken | unavailable | refused | misconfigured
    pub outcome: String,
    pub detail: Option<String>,
}

impl Service {
    /// Who was told what, newest first, and how each attempt went.
    pub async fn messages(&self, scope: &Reach, ticket: Option<&str>, limit: usize) -> Result<Vec<Said>, ServiceError> {
        Ok(self.message_page(scope, ticket, limit, (None, None)).await?.messages)
    }

    /// The same in the order `sort`, from `cursor` on.
    pub async fn message_page(
        &self,
        scope: &Reach,
        ticket: Option<&str>,
        limit: usize,
        (sort, cursor): (Option<&str>, Option<&str>),
    ) -> Result<MessagePage, ServiceError> {
        let (limit, way) = (limit.min(MOST_TICKETS), way("created", sort)?);
        let after = last_place(list(way), cursor)?.unwrap_or_else(|| way.start());
        let (scope, ticket) = match ticket {
            None => (scope.clone(), None),
            Some(text) => match self.found(scope, text).await? {
                None => return Ok(MessagePage::default()),
                Some((tenant, watched)) => (Reach::One(tenant), Some(watched.ticket.id.to_string())),
            },
        };
        let mut rows = self.store.notifications_after(way, &after, &scope, ticket.as_deref(), limit + 1).await?;
        let next_cursor = cut(list(way), &mut rows, limit, place);
        Ok(MessagePage { messages: self.with_attempts(rows).await?, next_cursor })
    }
}

fn place(row: &Logged) -> LastShown {
    let notification = &row.leased.notification;
    LastShown { at: notification.created_at.timestamp_millis(), key: notification.message.key.clone() }
}

/// Shows a message of the outbox without addresses and numbers, with the provider's last word on it.
pub(super) fn message_view(row: Logged, delivery: Option<String>) -> MessageView {
    let notification = row.leased.notification;
    let ticket: Option<&TicketFacts> = match &notification.message.body {
        Body::Alert(facts) => Some(&facts.ticket),
        Body::Recovery(facts) => Some(&facts.ticket),
        Body::Acknowledged(facts) => Some(&facts.ticket),
        Body::Digest(_) | Body::Bundle(_) | Body::Stale(_) | Body::Report(_) | Body::Update(_) | Body::Test => None,
    };
    let because = match &notification.message.body {
        Body::Alert(facts) => Some(facts.because.clone()),
        _ => None,
    };
    MessageView {
        because,
        component: ticket.filter(|ticket| ticket.service.is_some()).map(|component| component.id.clone()),
        display_id: ticket.map(|ticket| ticket.display_id.clone()),
        key: notification.message.key.clone(),
        tenant: notification.tenant.to_string(),
        ticket_id: notification.ticket_id,
        kind: notification.kind.to_owned(),
        stage: stage_shown(&notification.stage).to_owned(),
        step: notification.step.into(),
        channel: notification.channel.as_str().to_owned(),
        recipient: recipient_words(notification.channel, notification.message.to_name),
        sent_at: row.done_at.filter(|_| row.state == "sent"),
        done_at: row.done_at.filter(|_| ["sent", "failed", "cancelled"].contains(&row.state.as_str())),
        state: row.state,
        held_by: row.held_by,
        bundle: row.bundle,
        created_at: notification.created_at,
        due_at: notification.due_at,
        attempts: row.leased.attempt.into(),
        last_error: row.last_error,
        delivery,
    }
}

/// A stage is stored with its episode, so that people are told again when an alert returns: `breached/1`.
fn stage_shown(stored: &str) -> &str {
    stored.split_once('/').map_or(stored, |(stage, _)| stage)
}

/// A system is called by its name; an address has no known name.
fn recipient_words(channel: ChannelKind, name: Option<String>) -> String {
    name.unwrap_or_else(|| channel.unnamed().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_shows_its_stage_without_the_episode() {
        assert_eq!(["breached/1", "breached", "digest"].map(stage_shown), ["breached", "breached", "digest"]);
    }
}
